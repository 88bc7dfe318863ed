/* sakerd: the daemon. Reads its command line and its config, runs a peer until it is told to stop,
   and writes what happens to stderr. */

#include "gateway/gateway.h"
#include "notify.h"
#include "saker.h"
#include "where.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETTINGS_MAX 256
#define DESCRIPTORS_MAX 65536

static const char help_text[] =
    "usage: sakerd [--store DIR] [OPTION]...\n"
    "\n"
    "Run the peer of the store DIR in the foreground, until SIGTERM or SIGINT.\n"
    "\n"
    "options:\n"
    "  --store DIR               the store of this peer (default: $SAKER_STORE, else ~/.saker)\n"
    "  --listen tcp://ADDR:PORT  where other peers reach this one; port 0: any free one; none:\n"
    "                            it calls them, and none can call it\n"
    "  --seed tcp://ADDR:PORT    a peer to call; may be given several times\n"
    "  --interface NAME          send beacons on this interface; may be given several times\n"
    "  --no-beacon               do not look for peers on the local network\n"
    "  --config FILE             settings (default: saker.conf in the store, if it is there)\n"
    "  --check-config            check the config, name every wrong line, and end\n"
    "  --log-level LEVEL         error, warning, info or debug\n"
    "  --version                 print the version\n"
    "  --help                    print this help\n"
    "\n"
    "The command line goes before the config; seeds and interfaces of both are used.\n"
    "SIGHUP reads the config again.\n"
    "\n"
    "example:\n"
    "  sakerd --store /srv/saker --listen tcp://192.168.1.20:5671 --no-beacon\n";

/* An option of the command line that is a line of the config too. */
typedef struct setting_t {
    const char *key, *value;
} setting_t;

typedef struct options_t {
    const char *given; /* --store; NULL: the default one */
    char store[PATH_MAX];
    const char *config; /* NULL: the default one, if it is there */
    bool check, help, version;
    size_t settings_count;
    setting_t settings[SETTINGS_MAX];
    settings_t gateway;
} options_t;

static saker_daemon_t *running; /* for the signal handlers */
static gateway_t *serving;
static volatile sig_atomic_t stopping;
static bool to_journal;
static atomic_int log_level = 2; /* what the gateway says is held against it here */

/* ---- what is printed ---- */

/* True when stderr is the journal: then it reads priorities and adds the time itself. */
static bool stderr_is_journal (void)
{
    const char *stream = getenv ("JOURNAL_STREAM");
    unsigned long long device = 0, inode = 0;
    struct stat status;
    return stream && sscanf (stream, "%llu:%llu", &device, &inode) == 2
           && fstat (STDERR_FILENO, &status) == 0 && status.st_dev == device
           && status.st_ino == inode;
}

/* What the daemon tells, which holds it against the level itself. */
static void log_line (int level, const char *message, void *argument)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const int priorities[] = {3, 4, 6, 7};
    (void) argument;
    level = level < 0 ? 0 : level > 3 ? 3 : level;
    if (to_journal) {
        fprintf (stderr, "<%d>%s\n", priorities[level], message);
        return;
    }
    struct timespec now;
    struct tm broken;
    char date[32] = "";
    clock_gettime (CLOCK_REALTIME, &now);
    if (gmtime_r (&now.tv_sec, &broken)) {
        strftime (date, sizeof date, "%Y-%m-%dT%H:%M:%S", &broken);
    }
    fprintf (stderr, "%s.%03ldZ %s: %s\n", date, now.tv_nsec / 1000000, names[level], message);
}

static void log_gateway (int level, const char *message, void *argument)
{
    if (level <= atomic_load (&log_level)) {
        log_line (level, message, argument);
    }
}

/* One sentence on stderr; returns the error, which is the exit status. */
static int fail (saker_err_t error, const char *sentence)
{
    fprintf (stderr, "%ssakerd: %s\n", to_journal ? "<3>" : "", sentence);
    return (int) error;
}

static int fail_library (saker_err_t error)
{
    return fail (error, saker_error_text ());
}

/* ---- the command line ---- */

static int fail_usage (const char *option, const char *what)
{
    fprintf (stderr, "sakerd: %s %s; see sakerd --help\n", option, what);
    return SAKER_EUSAGE;
}

static int add_setting (options_t *options, const char *key, const char *value)
{
    if (options->settings_count == SETTINGS_MAX) {
        return fail_usage (key, "is one option too many");
    }
    options->settings[options->settings_count++] = (setting_t){key, value};
    return 0;
}

static bool take_flag (options_t *options, const char *name, int *error)
{
    if (strcmp (name, "check-config") == 0) {
        options->check = true;
    } else if (strcmp (name, "help") == 0) {
        options->help = true;
    } else if (strcmp (name, "version") == 0) {
        options->version = true;
    } else if (strcmp (name, "no-beacon") == 0) {
        *error = add_setting (options, "beacon", "no");
    } else {
        return false;
    }
    return true;
}

static bool take_setting (options_t *options, const char *name, size_t size, const char *value,
                          int *error)
{
    static const char *const keys[] = {"listen", "seed", "interface", "log-level"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strlen (keys[i]) == size && strncmp (keys[i], name, size) == 0) {
            *error = add_setting (options, keys[i], value);
            return true;
        }
    }
    return false;
}

/* Takes one option at argv[*at], with its value. */
static int take_option (options_t *options, int argc, char **argv, int *at)
{
    const char *word = strcmp (argv[*at], "-h") == 0 ? "--help" : argv[*at];
    int error = 0;
    if (strncmp (word, "--", 2) != 0) {
        return fail_usage (word, "is no option");
    }
    const char *name = word + 2;
    if (take_flag (options, name, &error)) {
        return error;
    }
    size_t size = strcspn (name, "=");
    const char *value = name[size] ? name + size + 1 : *at + 1 < argc ? argv[*at + 1] : NULL;
    bool store = size == 5 && strncmp (name, "store", size) == 0;
    bool config = size == 6 && strncmp (name, "config", size) == 0;
    if (value && store) {
        options->given = value;
    } else if (value && config) {
        options->config = value;
    } else if (!take_setting (options, name, size, value, &error) && !store && !config) {
        return fail_usage (word, "is no option");
    }
    if (!value) {
        return fail_usage (word, "needs a value");
    }
    *at += name[size] == 0;
    return error;
}

static int parse (options_t *options, int argc, char **argv)
{
    int error = 0;
    for (int at = 1; at < argc && error == 0; at++) {
        error = take_option (options, argc, argv, &at);
    }
    return error;
}

/* ---- the config ---- */

/* The config of the store, when no other was named. Owned by the caller; NULL: there is none. */
static char *default_config (const char *store)
{
    char *file = NULL;
    if (asprintf (&file, "%s/saker.conf", store) < 0) {
        return NULL;
    }
    if (access (file, F_OK) != 0) {
        free (file);
        return NULL;
    }
    return file;
}

/* First the file, then the command line, which so has the last word. */
static saker_err_t fill_config (const options_t *options, saker_config_t *config,
                                settings_t *gateway)
{
    char *standard = options->config ? NULL : default_config (options->store);
    const char *file = options->config ? options->config : standard;
    settings_begin (gateway);
    saker_config_keys (config, settings_keys, settings_keys_count, gateway);
    saker_err_t error = file ? saker_config_load (config, file) : SAKER_OK;
    free (standard);
    for (size_t i = 0; i < options->settings_count && error == SAKER_OK; i++) {
        error = saker_config_set (config, options->settings[i].key, options->settings[i].value);
    }
    return error;
}

/* What the gateway is told counts from the next start on. */
static saker_err_t reload (saker_config_t *fresh, void *argument)
{
    static settings_t gateway; /* too large for a stack */
    const options_t *options = argument;
    notify_reloading ();
    saker_err_t error = fill_config (options, fresh, &gateway);
    if (error == SAKER_OK) {
        atomic_store (&log_level, saker_config_log_level (fresh));
    }
    if (error == SAKER_OK && memcmp (&gateway, &options->gateway, sizeof gateway) != 0) {
        log_line (1, "gateway: what changed in its settings counts from the next start on", NULL);
    }
    notify_send ("READY=1");
    return error;
}

static void print_problem (unsigned line, const char *sentence, void *argument)
{
    fprintf (stderr, "%s:%u: %s\n", (const char *) argument, line, sentence);
}

static saker_err_t check_file (options_t *options, char *file)
{
    char sentence[SAKER_SENTENCE_MAX];
    saker_config_t *config = saker_config_new ();
    if (!config) {
        return SAKER_ENOMEM;
    }
    settings_begin (&options->gateway);
    saker_config_keys (config, settings_keys, settings_keys_count, &options->gateway);
    saker_err_t error = saker_config_check (config, file, print_problem, file);
    if (error == SAKER_OK && settings_check (&options->gateway, sentence) != SAKER_OK) {
        fprintf (stderr, "%s: %s\n", file, sentence);
        error = SAKER_EINPUT;
    }
    saker_config_destroy (&config);
    return error;
}

static int check_config (options_t *options)
{
    char *standard = options->config ? NULL : default_config (options->store);
    char *file = options->config ? strdup (options->config) : standard;
    if (!file) {
        return fail (SAKER_ENOTFOUND, "there is no config to check; name it with --config FILE");
    }
    saker_err_t error = check_file (options, file);
    if (error == SAKER_OK) {
        printf ("%s: good\n", file);
    } else if (error != SAKER_EINPUT) {
        fail_library (error);
    }
    free (file);
    return (int) error;
}

/* ---- running ---- */

/* Keys are in memory: no core files, no debugger of another process. */
static void keep_secrets (void)
{
    const struct rlimit none = {0, 0};
    setrlimit (RLIMIT_CORE, &none);
    prctl (PR_SET_DUMPABLE, 0);
}

/* Strangers may hold a connection for as long as the handshake may take: leave room for members. */
static void allow_descriptors (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    rlim_t wanted = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
}

static void on_stop (int number)
{
    (void) number;
    if (stopping) { /* the second time it does not wait */
        saker_daemon_stop (running);
        return;
    }
    stopping = 1;
    gateway_leave (serving, running);
}

static void on_reload (int number)
{
    (void) number;
    saker_daemon_reload (running);
}

static void set_handlers (void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    struct sigaction again = {.sa_handler = on_reload, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction (SIGTERM, &stop, NULL);
    sigaction (SIGINT, &stop, NULL);
    sigaction (SIGHUP, &again, NULL);
    sigaction (SIGPIPE, &ignore, NULL);
}

static void clear_handlers (void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction (SIGTERM, &ignore, NULL);
    sigaction (SIGINT, &ignore, NULL);
    sigaction (SIGHUP, &ignore, NULL);
}

static int run (options_t *options, saker_daemon_t *daemon)
{
    running = daemon;
    saker_daemon_on_reload (daemon, reload, options);
    set_handlers ();
    const char *address = saker_daemon_address (daemon);
    bool listens = strcmp (address, "none") != 0;
    printf ("sakerd: ready%s%s\n", listens ? " on " : ", listening nowhere",
            listens ? address : "");
    fflush (stdout);
    if (!notify_send ("READY=1")) {
        log_line (1, "the service manager cannot be told that this daemon is ready", NULL);
    }
    saker_err_t error = saker_daemon_run (daemon);
    int status = error == SAKER_OK ? 0 : fail_library (error);
    notify_send ("STOPPING=1");
    clear_handlers (); /* the end is under way: a second signal has nothing to add */
    return status;
}

/* Opens the store and binds the sockets. */
static saker_err_t make_daemon (options_t *options, saker_daemon_t **daemon)
{
    saker_config_t *config = saker_config_new ();
    saker_err_t error = config ? fill_config (options, config, &options->gateway) : SAKER_ENOMEM;
    if (error != SAKER_OK) {
        fail_library (error);
        saker_config_destroy (&config);
        return error;
    }
    atomic_store (&log_level, saker_config_log_level (config));
    error = saker_daemon_new (daemon, options->store, config, log_line, NULL);
    if (error != SAKER_OK) {
        fail_library (error);
    }
    if (error == SAKER_ENOTFOUND) {
        fail (error, "a store is made with saker init NAME or saker join TICKET");
    }
    saker_config_destroy (&config);
    return error;
}

static int start (options_t *options)
{
    saker_daemon_t *daemon = NULL;
    saker_err_t error = make_daemon (options, &daemon);
    if (error != SAKER_OK) {
        return (int) error;
    }
    keep_secrets ();
    allow_descriptors ();
    char sentence[SAKER_SENTENCE_MAX];
    gateway_t *gateway = NULL;
    error = gateway_new (&gateway, options->store, &options->gateway, log_gateway, sentence);
    serving = gateway;
    int status = error == SAKER_OK ? run (options, daemon) : fail (error, sentence);
    gateway_quiet (gateway);
    saker_daemon_destroy (&daemon);
    gateway_destroy (&gateway);
    return status;
}

int main (int argc, char **argv)
{
    static options_t options;
    to_journal = stderr_is_journal ();
    int error = parse (&options, argc, argv);
    if (error != 0) {
        return error;
    }
    if (options.help) {
        fputs (help_text, stdout);
        return 0;
    }
    if (options.version) {
        printf ("sakerd %s\n", saker_version ());
        return 0;
    }
    if (!where_store (options.given, options.store)) {
        return fail (SAKER_EUSAGE, "which store? give --store DIR");
    }
    return options.check ? check_config (&options) : start (&options);
}
