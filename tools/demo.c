/* demo: three peers on this machine, from founding a mesh to converging after they were apart. It
   does everything through the programs saker and sakerd, as a person would. */

#include "canon.h"
#include "child.h"
#include "commands.h"
#include "paint.h"
#include "progress.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS 3
#define READY_MS 15000
#define STOP_MS 5000
#define CONVERGE_MS 20000
#define WORDS_MAX 24
#define PORTS_MAX 16
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LANGUAGES "/usr/share/iso-codes/json/iso_639-3.json"

typedef struct demo_peer_t {
    const char *name;
    char *store, *log;
    char *address; /* where the daemon listens, or did */
    child_t daemon;
} demo_peer_t;

typedef struct demo_t {
    call_t *call;
    FILE *out; /* the story goes here */
    char *saker, *sakerd, *folder;
    demo_peer_t peers[PEERS];
    size_t used_count;
    char *used[PORTS_MAX]; /* addresses that others may remember */
} demo_t;

static volatile bool interrupted; /* set by a signal */

static void on_signal (int number)
{
    (void) number;
    interrupted = true;
}

/* ---- telling ---- */

static void heading (const demo_t *self, const char *text)
{
    fputc ('\n', self->out);
    paint_text (self->out, PAINT_BOLD, text);
    fputc ('\n', self->out);
}

static saker_err_t fail_step (demo_t *self, const char *what, const char *who)
{
    if (interrupted) {
        return call_fail (self->call, SAKER_EWAIT, "demo: interrupted");
    }
    return call_fail (self->call, SAKER_EIO, "demo: %s %s", who, what);
}

/* ---- the tool, as a person would call it ---- */

/* True when a shell would take the word apart. */
static bool needs_quotes (const char *word)
{
    return !*word || strpbrk (word, " \"{}[]$*?#&;|<>()");
}

static void tell_command (const demo_t *self, const demo_peer_t *peer, const char *const words[])
{
    fprintf (self->out, "  %s$ saker", peer->name);
    for (size_t i = 0; words[i]; i++) {
        fprintf (self->out, needs_quotes (words[i]) ? " '%s'" : " %s", words[i]);
    }
    fputc ('\n', self->out);
}

/* Runs one command on a peer; its exit status, or -1. With `output` its stdout is taken there and
   the command is not shown. */
static int run_tool (demo_t *self, const demo_peer_t *peer, strbuf_t *output,
                     const char *const words[])
{
    const char *argv[WORDS_MAX] = {self->saker, "--store", peer->store};
    size_t count = 3;
    for (size_t i = 0; words[i] && count + 1 < WORDS_MAX; i++) {
        argv[count++] = words[i];
    }
    if (!output) {
        tell_command (self, peer, words);
    }
    child_t child;
    if (interrupted || !child_start (&child, argv, output, fileno (self->out), STDERR_FILENO)) {
        return -1;
    }
    return child_finish (&child, output, &interrupted);
}

/* Runs one command, shown, which has to succeed. */
static saker_err_t must (demo_t *self, size_t peer, const char *const words[])
{
    return run_tool (self, &self->peers[peer], NULL, words) == 0
               ? SAKER_OK
               : fail_step (self, words[0], "a command failed: saker");
}

/* ---- the daemons ---- */

static bool was_used (const demo_t *self, const char *address)
{
    for (size_t i = 0; i < self->used_count; i++) {
        if (strcmp (self->used[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static bool take_address (demo_peer_t *peer)
{
    static const char words[] = "sakerd: ready on ";
    strbuf_t line = {0};
    bool good = child_line (&peer->daemon, &line, READY_MS, &interrupted) && line.data
                && strncmp (line.data, words, sizeof words - 1) == 0;
    if (good) {
        free (peer->address);
        peer->address = strdup (line.data + sizeof words - 1);
    }
    strbuf_free (&line);
    return good && peer->address;
}

/* Starts a daemon at a free port that no peer can remember; `seed` may be NULL. */
static saker_err_t start_daemon (demo_t *self, demo_peer_t *peer, const char *seed)
{
    const char *argv[] = {self->sakerd,
                          "--store",
                          peer->store,
                          "--listen",
                          "tcp://127.0.0.1:0",
                          "--no-beacon",
                          seed ? "--seed" : NULL,
                          seed,
                          NULL};
    do {
        child_stop (&peer->daemon, STOP_MS);
        int log = open (peer->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        bool started = log >= 0 && child_start (&peer->daemon, argv, true, -1, log);
        if (log >= 0) {
            close (log);
        }
        if (!started || !take_address (peer)) {
            return fail_step (self, "does not start", peer->name);
        }
    } while (was_used (self, peer->address));
    if (self->used_count < PORTS_MAX) {
        self->used[self->used_count++] = strdup (peer->address);
    }
    fprintf (self->out, "  %s: sakerd %s%s%s\n", peer->name, peer->address, seed ? ", seed " : "",
             seed ? seed : "");
    return SAKER_OK;
}

static saker_err_t stop_daemon (demo_t *self, demo_peer_t *peer)
{
    return child_stop (&peer->daemon, STOP_MS)
               ? SAKER_OK
               : fail_step (self, "did not stop cleanly", peer->name);
}

/* ---- the story ---- */

static saker_err_t join (demo_t *self, size_t number)
{
    static const char *const invite[] = {"invite", "--role", "write", "--expires", "5m", NULL};
    demo_peer_t *peer = &self->peers[number];
    strbuf_t ticket = {0};
    saker_err_t error = SAKER_OK;
    tell_command (self, &self->peers[0], invite);
    if (run_tool (self, &self->peers[0], &ticket, invite) != 0 || !ticket.size) {
        error = fail_step (self, "gave no ticket", self->peers[0].name);
    } else {
        ticket.data[strcspn (ticket.data, "\n")] = 0;
        const char *const words[] = {"join", ticket.data, "--as", peer->name, NULL};
        strbuf_t output = {0};
        fprintf (self->out, "  %s$ saker join TICKET --as %s\n", peer->name, peer->name);
        if (run_tool (self, peer, &output, words) != 0) {
            error = fail_step (self, "could not join", peer->name);
        }
        strbuf_free (&output);
    }
    strbuf_free (&ticket);
    return error == SAKER_OK ? start_daemon (self, peer, NULL) : error;
}

static saker_err_t found (demo_t *self)
{
    static const char *const init[] = {"init", "studio", "--as", "anna", NULL};
    strbuf_t output = {0};
    heading (self, "1. anna founds a mesh; bob and carol join with tickets");
    tell_command (self, &self->peers[0], init);
    int status = run_tool (self, &self->peers[0], &output, init);
    strbuf_free (&output);
    saker_err_t error = status == 0 ? start_daemon (self, &self->peers[0], NULL)
                                    : fail_step (self, "could not found a mesh", "anna");
    for (size_t i = 1; i < PEERS && error == SAKER_OK; i++) {
        error = join (self, i);
    }
    return error;
}

/* A few real languages, for machines without the iso-codes package. */
static char *small_languages (const demo_t *self)
{
    static const char text[] =
        "[{\"alpha_3\":\"ces\",\"name\":\"Czech\"},{\"alpha_3\":\"dan\",\"name\":\"Danish\"},\n"
        " {\"alpha_3\":\"deu\",\"name\":\"German\"},{\"alpha_3\":\"ell\",\"name\":\"Greek\"},\n"
        " {\"alpha_3\":\"eng\",\"name\":\"English\"},{\"alpha_3\":\"fin\",\"name\":\"Finnish\"},\n"
        " {\"alpha_3\":\"fra\",\"name\":\"French\"},{\"alpha_3\":\"gle\",\"name\":\"Irish\"},\n"
        " {\"alpha_3\":\"ita\",\"name\":\"Italian\"},{\"alpha_3\":\"nld\",\"name\":\"Dutch\"},\n"
        " {\"alpha_3\":\"nob\",\"name\":\"Norwegian Bokm\303\245l\"},\n"
        " {\"alpha_3\":\"spa\",\"name\":\"Spanish\"}]\n";
    char *name = NULL;
    if (asprintf (&name, "%s/languages.json", self->folder) < 0) {
        return NULL;
    }
    FILE *file = fopen (name, "we");
    if (!file || fputs (text, file) < 0 || fclose (file) != 0) {
        free (name);
        return NULL;
    }
    return name;
}

static saker_err_t import (demo_t *self)
{
    heading (self, "2. anna imports the languages of the world, and everybody gets them");
    saker_err_t error = SAKER_OK;
    if (access (LANGUAGES, R_OK) == 0) {
        error =
            must (self, 0,
                  WORDS ("import", "languages", LANGUAGES, "--at", "/639-3", "--key", "alpha_3"));
    } else {
        fprintf (self->out, "  (the package iso-codes is not installed: 12 of them have to do)\n");
        char *file = small_languages (self);
        error = file ? must (self, 0, WORDS ("import", "languages", file, "--key", "alpha_3"))
                     : fail_step (self, "cannot be written", "a file in the folder");
        free (file);
    }
    return error == SAKER_OK ? must (self, 0, WORDS ("wait", "--all", "--timeout", "30s")) : error;
}

/* True when a peer sees a link to another one. */
static bool is_linked (demo_t *self, const demo_peer_t *peer)
{
    static const char *const words[] = {"peers", "--json", NULL};
    strbuf_t output = {0};
    bool linked = run_tool (self, peer, &output, words) != 0;
    json_t *list = output.data ? json_loads (output.data, 0, NULL) : NULL;
    linked |= !json_is_array (list);
    for (size_t i = 0; i < json_array_size (list); i++) {
        const char *link = json_string_value (json_object_get (json_array_get (list, i), "link"));
        linked |= link && (strcmp (link, "up") == 0 || strcmp (link, "slow") == 0);
    }
    json_decref (list);
    strbuf_free (&output);
    return linked;
}

static saker_err_t cut (demo_t *self)
{
    heading (self, "3. They are cut from each other: each at a new address that no other knows");
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        error = stop_daemon (self, &self->peers[i]);
    }
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        error = start_daemon (self, &self->peers[i], NULL);
    }
    return error;
}

static saker_err_t edit (demo_t *self)
{
    static const struct {
        const char *name, *votes, *tag;
    } edits[PEERS] = {
        {"\"French\"", "3", "\"romance\""},
        {"\"fran\303\247ais\"", "4", "\"official at the UN\""},
        {"\"langue fran\303\247aise\"", "-1", "\"27 letters with a sign\""},
    };
    heading (self, "4. Apart, each edits the same document: a name, a counter, a set");
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        error = must (self, i, WORDS ("set", "languages/fra", "/name", edits[i].name));
        if (error == SAKER_OK) {
            error = must (self, i, WORDS ("incr", "languages/fra", "/votes", edits[i].votes));
        }
        if (error == SAKER_OK) {
            error = must (self, i, WORDS ("add", "languages/fra", "/tags", edits[i].tag));
        }
    }
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        if (is_linked (self, &self->peers[i])) {
            error = fail_step (self, "was not cut off", self->peers[i].name);
        }
    }
    return error;
}

static saker_err_t heal (demo_t *self)
{
    heading (self, "5. They are joined again: bob and carol are told where anna is");
    saker_err_t error = SAKER_OK;
    for (size_t i = 1; i < PEERS && error == SAKER_OK; i++) {
        error = stop_daemon (self, &self->peers[i]);
        if (error == SAKER_OK) {
            error = start_daemon (self, &self->peers[i], self->peers[0].address);
        }
    }
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        error = must (self, i, WORDS ("wait", "--all", "--timeout", "20s"));
    }
    return error;
}

static saker_err_t show (demo_t *self)
{
    heading (self, "6. Who wrote what: every vote counts, every tag is there, rivals are kept");
    saker_err_t error = must (self, 0, WORDS ("get", "languages/fra", "--who"));
    return error == SAKER_OK ? must (self, 2, WORDS ("get", "languages/fra")) : error;
}

/* What verify says on one peer. Owned by the caller; NULL: not the same everywhere. */
static json_t *verify_at (demo_t *self, const demo_peer_t *peer)
{
    static const char *const words[] = {"verify", "languages", "--json", NULL};
    strbuf_t output = {0};
    int status = run_tool (self, peer, &output, words);
    json_t *json = output.data ? json_loads (output.data, 0, NULL) : NULL;
    bool same = status == 0 && json_is_true (json_object_get (json, "same"))
                && json_integer_value (json_object_get (json, "peers")) == PEERS;
    strbuf_free (&output);
    if (!same) {
        json_decref (json);
        return NULL;
    }
    return json;
}

static saker_err_t print_converged (demo_t *self, const json_t *json)
{
    json_int_t documents = json_integer_value (json_object_get (json, "documents"));
    const char *fingerprint = json_string_value (json_object_get (json, "fingerprint"));
    fprintf (self->out,
             "\nconverged: %d peers, %" JSON_INTEGER_FORMAT " documents, fingerprint %s\n", PEERS,
             documents, fingerprint ? fingerprint : "?");
    if (!self->call->json) {
        return SAKER_OK;
    }
    return say_json (self->call, json_pack ("{s:i,s:I,s:s}", "peers", PEERS, "documents", documents,
                                            "fingerprint", fingerprint ? fingerprint : ""));
}

static saker_err_t verify (demo_t *self)
{
    heading (self, "7. Do all hold the same?");
    uint64_t deadline_ms = progress_now_ms () + CONVERGE_MS;
    json_t *json = NULL;
    /* The waits above made sure of it; the loop is for a machine that is very busy. */
    while (!json && !interrupted && progress_now_ms () < deadline_ms) {
        json = verify_at (self, &self->peers[0]);
    }
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < PEERS && error == SAKER_OK; i++) {
        error = must (self, i, WORDS ("verify", "languages"));
    }
    if (error == SAKER_OK) {
        error = json ? print_converged (self, json)
                     : call_fail (self->call, SAKER_EDIFFER, "demo: the peers did not converge");
    }
    json_decref (json);
    return error;
}

/* ---- before and after ---- */

static saker_err_t prepare (demo_t *self)
{
    static const char *const names[PEERS] = {"anna", "bob", "carol"};
    const char *base = getenv ("TMPDIR");
    bool good = asprintf (&self->folder, "%s/saker-demo-XXXXXX", base && *base ? base : "/tmp") > 0;
    if (good && !mkdtemp (self->folder)) {
        saker_err_t error = call_fail (self->call, SAKER_EIO, "demo: cannot make the folder %s: %s",
                                       self->folder, strerror (errno));
        free (self->folder);
        self->folder = NULL;
        return error;
    }
    self->saker = child_program ("saker");
    self->sakerd = child_program ("sakerd");
    for (size_t i = 0; i < PEERS && good; i++) {
        demo_peer_t *peer = &self->peers[i];
        peer->name = names[i];
        peer->daemon = (child_t){.output = -1};
        good = asprintf (&peer->store, "%s/%s", self->folder, names[i]) > 0
               && asprintf (&peer->log, "%s/%s.log", self->folder, names[i]) > 0;
    }
    return good && self->saker && self->sakerd ? SAKER_OK : call_memory (self->call);
}

static int remove_entry (const char *name, const struct stat *status, int kind, struct FTW *walk)
{
    (void) status;
    (void) kind;
    (void) walk;
    remove (name);
    return 0;
}

/* The last lines of a daemon's log, for whoever has to find out. */
static void tell_log (const demo_peer_t *peer)
{
    char tail[2048];
    int file = peer->log ? open (peer->log, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    off_t end = lseek (file, 0, SEEK_END);
    off_t from = end > (off_t) sizeof tail ? end - (off_t) sizeof tail : 0;
    ssize_t got = pread (file, tail, sizeof tail, from);
    close (file);
    if (got > 0) {
        fprintf (stderr, "---- the log of %s\n%.*s\n", peer->name, (int) got, tail);
    }
}

static void clean_up (demo_t *self, bool failed)
{
    for (size_t i = 0; i < PEERS; i++) {
        demo_peer_t *peer = &self->peers[i];
        child_stop (&peer->daemon, STOP_MS);
        if (failed && !interrupted) {
            tell_log (peer);
        }
        free (peer->store);
        free (peer->log);
        free (peer->address);
    }
    if (self->folder && call_option (self->call, "keep")) {
        fprintf (self->out, "\nthe stores and logs are in %s\n", self->folder);
    } else if (self->folder) {
        nftw (self->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    for (size_t i = 0; i < self->used_count; i++) {
        free (self->used[i]);
    }
    free (self->saker);
    free (self->sakerd);
    free (self->folder);
}

static saker_err_t tell_story (demo_t *self)
{
    static saker_err_t (*const steps[]) (demo_t *) = {found, import, cut, edit, heal, show, verify};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && error == SAKER_OK; i++) {
        error = interrupted ? fail_step (self, "", "") : steps[i](self);
    }
    return error;
}

static saker_err_t run_demo (call_t *call)
{
    demo_t self = {.call = call, .out = call->json ? stderr : stdout};
    struct sigaction handler = {.sa_handler = on_signal};
    sigaction (SIGINT, &handler, NULL);
    sigaction (SIGTERM, &handler, NULL);
    sigaction (SIGHUP, &handler, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction (SIGPIPE, &ignore, NULL);
    saker_err_t error = prepare (&self);
    if (error == SAKER_OK) {
        fprintf (self.out, "Three peers on this machine, in %s.\n", self.folder);
        error = tell_story (&self);
    }
    clean_up (&self, error != SAKER_OK);
    return error;
}

static const option_t demo_options[] = {
    {"keep", NULL, "leave the folder with the stores and logs"},
    {NULL, NULL, NULL},
};

const command_t cmd_demo = {
    .name = "demo",
    .run = run_demo,
    .usage = "[--keep]",
    .summary = "Show it all on this machine in under a minute: found, join, part, edit, converge.",
    .details = "Three daemons on 127.0.0.1, in a temporary folder that is removed in the "
               "end. Exit status 0 only if all three hold the same.",
    .options = demo_options,
    .example = "saker demo",
    .words_min = 0,
    .words_max = 0,
};
