/* Replicas that live in this process: shared by threads, refused to other processes, left alone by
   a child of a fork, undisturbed by signals; and syncing through a daemon that they call. */

#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include "include/saker.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define THREADS 8
#define WRITES 40 /* a thread */

typedef struct place_t {
    char root[TEMP_FOLDER_BYTES];
    char a[TEMP_FOLDER_BYTES + 8], b[TEMP_FOLDER_BYTES + 8], c[TEMP_FOLDER_BYTES + 8];
} place_t;

static void place_begin (place_t *place)
{
    temp_folder_make (place->root);
    snprintf (place->a, sizeof place->a, "%s/a", place->root);
    snprintf (place->b, sizeof place->b, "%s/b", place->root);
    snprintf (place->c, sizeof place->c, "%s/c", place->root);
}

static saker_config_t *quiet_config (void)
{
    saker_config_t *config = saker_config_new ();
    if (saker_config_set (config, "beacon", "no") != SAKER_OK) {
        abort ();
    }
    return config;
}

static saker_err_t embed (saker_t **self, const char *store)
{
    saker_config_t *config = quiet_config ();
    saker_err_t error = saker_open_embedded (self, store, config, NULL, NULL);
    saker_config_destroy (&config);
    return error;
}

static saker_err_t set (saker_t *self, const char *document, int64_t number)
{
    saker_batch_t *batch = saker_batch_new ("things");
    const saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    saker_err_t error = saker_batch_set (batch, document, "/n", &value);
    error = error == SAKER_OK ? saker_batch_incr (batch, "total", "/count", 1) : error;
    error = error == SAKER_OK ? saker_write (self, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

static int see_number (const saker_leaf_t *leaf, void *argument)
{
    *(int64_t *) argument = leaf->value.as.integer;
    return 0;
}

/* -1: it is not there. */
static int64_t get (saker_t *self, const char *document, const char *pointer)
{
    int64_t number = -1;
    saker_err_t error = saker_read (self, "things", document, pointer, see_number, &number);
    return error == SAKER_OK ? number : -1;
}

static void rest (void)
{
    const struct timespec gap = {0, 20000000};
    nanosleep (&gap, NULL);
}

static bool comes (saker_t *self, const char *document, const char *pointer, int64_t wanted)
{
    for (int left = PATIENCE_MS / 20; left > 0; left--) {
        if (get (self, document, pointer) == wanted) {
            return true;
        }
        rest ();
    }
    return false;
}

static size_t entries (const char *folder)
{
    DIR *listing = opendir (folder);
    size_t count = 0;
    for (const struct dirent *entry; listing && (entry = readdir (listing));) {
        count += entry->d_name[0] != '.';
    }
    closedir (listing);
    return count;
}

/* A thread that was joined may be listed a moment longer. */
static bool threads_are (size_t wanted)
{
    for (int left = PATIENCE_MS / 20; left > 0; left--) {
        if (entries ("/proc/self/task") == wanted) {
            return true;
        }
        rest ();
    }
    return false;
}

/* ---- one replica, in one process */

static void opens_writes_reads_and_ends (void)
{
    place_t place;
    saker_t *saker = NULL;
    place_begin (&place);
    size_t threads = 0, descriptors = entries ("/proc/self/fd");
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    for (int i = 1; i <= 5; i++) {
        threads = i < 3 ? entries ("/proc/self/task") : threads; /* a sanitizer starts its own */
        CHECK_OK (embed (&saker, place.a));
        CHECK_OK (set (saker, "one", i));
        CHECK_INT (get (saker, "one", "/n"), i);
        saker_close (&saker);
        CHECK (!saker);
        CHECK (i < 2 || threads_are (threads));
        CHECK_INT (entries ("/proc/self/fd"), descriptors);
    }
    CHECK_OK (embed (&saker, place.a));
    CHECK_INT (get (saker, "total", "/count"), 5);
    saker_close (&saker);
    temp_folder_remove (place.root);
}

/* The local socket of a long path goes through a descriptor, which must not be left behind. */
static void long_path (void)
{
    place_t place;
    saker_t *saker = NULL;
    char store[TEMP_FOLDER_BYTES + 160];
    place_begin (&place);
    snprintf (store, sizeof store, "%s/%0120d", place.root, 0);
    CHECK_OK (saker_init (store, "studio", "anna"));
    size_t descriptors = entries ("/proc/self/fd");
    for (int i = 1; i <= 2; i++) {
        CHECK_OK (embed (&saker, store));
        CHECK_OK (set (saker, "one", i));
        saker_close (&saker);
        CHECK_INT (entries ("/proc/self/fd"), descriptors);
    }
    temp_folder_remove (place.root);
}

static void no_store (void)
{
    place_t place;
    saker_t *saker = NULL;
    place_begin (&place);
    CHECK_ERR (embed (&saker, place.a), SAKER_ENOTFOUND, "saker_init or saker_join");
    CHECK_ERR (embed (&saker, place.root), SAKER_ENOTFOUND, "is not a saker store");
    CHECK (!saker);
    temp_folder_remove (place.root);
}

/* ---- threads */

typedef struct worker_t {
    const char *store;
    int no;
    saker_err_t error;
    char sentence[256];
    bool good;
} worker_t;

static saker_err_t work_on (worker_t *self, saker_t *saker)
{
    char document[32];
    self->good = true;
    for (int i = 0; i < WRITES; i++) {
        snprintf (document, sizeof document, "w%d-%d", self->no, i);
        SKR_TRY (set (saker, document, i));
        self->good = self->good && get (saker, document, "/n") == i;
    }
    return SAKER_OK;
}

static void *work (void *argument)
{
    worker_t *self = argument;
    saker_t *saker = NULL;
    self->error = embed (&saker, self->store);
    self->error = self->error == SAKER_OK ? work_on (self, saker) : self->error;
    snprintf (self->sentence, sizeof self->sentence, "%s", saker_error_text ());
    saker_close (&saker);
    return NULL;
}

/* Another process may go through the replica, and may not open the folder itself. */
static int be_another_process (const char *store)
{
    saker_t *saker = NULL;
    char owner[32];
    snprintf (owner, sizeof owner, "process %ld (test", (long) getppid ());
    if (embed (&saker, store) != SAKER_EBUSY || !strstr (saker_error_text (), owner)
        || !strstr (saker_error_text (), "saker_open")) {
        printf ("embedded twice: %s\n", saker_error_text ());
        return 1;
    }
    if (saker_open (&saker, store, PATIENCE_MS) != SAKER_OK || set (saker, "other", 77) != SAKER_OK
        || get (saker, "other", "/n") != 77) {
        printf ("through the socket: %s\n", saker_error_text ());
        return 2;
    }
    saker_close (&saker);
    return 0;
}

static int status_of (pid_t child)
{
    int status = -1;
    while (waitpid (child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED (status) ? WEXITSTATUS (status) : 200;
}

/* The child that stands for another process is forked before there is a thread. */
static pid_t fork_other (const char *store, int *go)
{
    int pipes[2];
    fflush (stdout);
    if (pipe (pipes) != 0) {
        return -1;
    }
    pid_t child = fork ();
    if (child == 0) {
        char byte;
        close (pipes[1]);
        int status = read (pipes[0], &byte, 1) == 1 ? be_another_process (store) : 3;
        fflush (stdout);
        _exit (status);
    }
    close (pipes[0]);
    *go = pipes[1];
    return child;
}

static void threads_share_it (void)
{
    static place_t place; /* a test that fails leaves its threads behind */
    static worker_t workers[THREADS];
    saker_t *saker = NULL;
    pthread_t threads[THREADS];
    int go = -1;
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    pid_t other = fork_other (place.a, &go);
    CHECK (other > 0);
    size_t before = entries ("/proc/self/task");
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){.store = place.a, .no = i};
        CHECK (pthread_create (&threads[i], NULL, work, &workers[i]) == 0);
    }
    CHECK_OK (embed (&saker, place.a));
    CHECK_INT (write (go, "g", 1), 1);
    close (go);
    CHECK_INT (status_of (other), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join (threads[i], NULL);
        if (workers[i].error != SAKER_OK) {
            CHECK_FAIL ("a worker: %s", workers[i].sentence);
        }
        CHECK (workers[i].good);
    }
    CHECK_INT (get (saker, "total", "/count"), THREADS * WRITES + 1);
    saker_close (&saker);
    CHECK (threads_are (before));
    temp_folder_remove (place.root);
}

/* Opened and closed at once by many: it begins and ends again and again. */
static void *come_and_go (void *argument)
{
    worker_t *self = argument;
    char document[32];
    snprintf (document, sizeof document, "c%d", self->no);
    self->good = true;
    for (int i = 0; i < 6 && self->good; i++) {
        saker_t *saker = NULL;
        self->good = embed (&saker, self->store) == SAKER_OK && set (saker, document, i) == SAKER_OK
                     && get (saker, document, "/n") == i;
        snprintf (self->sentence, sizeof self->sentence, "%s", saker_error_text ());
        saker_close (&saker);
    }
    return NULL;
}

static void threads_come_and_go (void)
{
    static place_t place;
    static worker_t workers[4];
    pthread_t threads[4];
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker_t){.store = place.a, .no = i};
        CHECK (pthread_create (&threads[i], NULL, come_and_go, &workers[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join (threads[i], NULL);
        if (!workers[i].good) {
            CHECK_FAIL ("worker %d: %s", i, workers[i].sentence);
        }
    }
    temp_folder_remove (place.root);
}

/* ---- fork */

static int be_child (saker_t *saker, const place_t *place)
{
    saker_t *own = NULL;
    if (set (saker, "child", 1) != SAKER_EUSAGE) {
        return 1;
    }
    saker_close (&saker);
    if (embed (&own, place->a) != SAKER_EBUSY) {
        return 2;
    }
#ifndef __SANITIZE_THREAD__ /* which bears no threads in the child of threads */
    /* a folder of its own, though the parent had one open */
    if (saker_init (place->c, "other", "carl") != SAKER_OK || embed (&own, place->c) != SAKER_OK
        || set (own, "mine", 5) != SAKER_OK || get (own, "mine", "/n") != 5) {
        printf ("child: %s\n", saker_error_text ());
        return 3;
    }
    saker_close (&own);
#endif
    return 0;
}

static void a_child_may_only_close (void)
{
    place_t place;
    saker_t *saker = NULL;
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    CHECK_OK (embed (&saker, place.a));
    CHECK_OK (set (saker, "one", 1));
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        int status = be_child (saker, &place);
        fflush (stdout);
        _exit (status);
    }
    CHECK_OK (set (saker, "one", 2));
    CHECK_INT (status_of (child), 0);
    CHECK_OK (set (saker, "one", 3));
    CHECK_INT (get (saker, "one", "/n"), 3);
    saker_close (&saker);
    temp_folder_remove (place.root);
}

/* A child that lives on has the descriptor of the lock, and does not keep the folder locked. */
static void a_child_does_not_keep_it (void)
{
    place_t place;
    saker_t *saker = NULL;
    int pipes[2];
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    CHECK_OK (embed (&saker, place.a));
    CHECK (pipe (pipes) == 0);
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        char byte;
        close (pipes[1]);
        _exit (read (pipes[0], &byte, 1) == 0 ? 0 : 1);
    }
    close (pipes[0]);
    saker_close (&saker);
    CHECK_OK (embed (&saker, place.a));
    CHECK_OK (set (saker, "one", 1));
    saker_close (&saker);
    close (pipes[1]);
    CHECK_INT (status_of (child), 0);
    temp_folder_remove (place.root);
}

/* ---- signals */

static atomic_ulong alarms;
static pthread_t alarmed;
static atomic_bool elsewhere;

static void on_alarm (int number)
{
    (void) number;
    atomic_fetch_add (&alarms, 1);
    if (!pthread_equal (pthread_self (), alarmed)) {
        atomic_store (&elsewhere, true);
    }
}

static void signals_are_the_hosts (void)
{
    place_t place;
    saker_t *saker = NULL;
    struct sigaction action = {.sa_handler = on_alarm}, before, now; /* without SA_RESTART */
    struct itimerval storm = {{0, 500}, {0, 500}}, calm = {{0, 0}, {0, 0}};
    sigset_t mask_before, mask_now;
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    alarmed = pthread_self ();
    sigaction (SIGPIPE, NULL, &before);
    pthread_sigmask (SIG_SETMASK, NULL, &mask_before);
    sigaction (SIGALRM, &action, NULL);
    setitimer (ITIMER_REAL, &storm, NULL);
    for (int i = 1; i <= 3; i++) {
        errno = 4711;
        saker_err_t error = embed (&saker, place.a);
        int kept = errno;
        CHECK_OK (error);
        CHECK_INT (kept, 4711);
        for (int k = 0; k < 40; k++) {
            CHECK_OK (set (saker, "one", k));
            CHECK_INT (get (saker, "one", "/n"), k);
        }
        saker_close (&saker);
    }
    setitimer (ITIMER_REAL, &calm, NULL);
    signal (SIGALRM, SIG_DFL);
    pthread_sigmask (SIG_SETMASK, NULL, &mask_now);
    sigaction (SIGPIPE, NULL, &now);
    for (int i = 1; i < 32; i++) {
        CHECK_INT (sigismember (&mask_now, i), sigismember (&mask_before, i));
    }
    CHECK (before.sa_handler == now.sa_handler);
    CHECK (atomic_load (&alarms) > 0);
    CHECK (!atomic_load (&elsewhere)); /* ours take none */
    temp_folder_remove (place.root);
}

/* ---- through a daemon, which is called */

typedef struct server_t {
    saker_daemon_t *daemon;
    pthread_t thread;
    char seed[256];
} server_t;

static void *serve (void *argument)
{
    saker_daemon_run (argument);
    return NULL;
}

static saker_err_t server_start (server_t *self, const char *store)
{
    saker_config_t *config = quiet_config ();
    saker_err_t error =
        saker_config_set (config, "listen", *self->seed ? self->seed : "tcp://127.0.0.1:0");
    error = error ? error : saker_daemon_new (&self->daemon, store, config, NULL, NULL);
    saker_config_destroy (&config);
    SKR_TRY (error);
    snprintf (self->seed, sizeof self->seed, "%s", saker_daemon_address (self->daemon));
    return pthread_create (&self->thread, NULL, serve, self->daemon) == 0 ? SAKER_OK : SAKER_EIO;
}

static void server_stop (server_t *self)
{
    saker_daemon_stop (self->daemon);
    pthread_join (self->thread, NULL);
    saker_daemon_destroy (&self->daemon);
}

typedef struct looking_t {
    char name[65], state[16];
    bool calls, greeted;
} looking_t;

static int see_link (const saker_link_t *link, void *argument)
{
    looking_t *looking = argument;
    if (strcmp (link->name, looking->name) != 0) {
        return 0;
    }
    snprintf (looking->state, sizeof looking->state, "%s", link->state);
    looking->calls = link->calls && !*link->address;
    looking->greeted = link->greeted;
    return 1;
}

/* Waits until the link to a member, which calls, is so. */
static bool link_is (saker_t *saker, const char *name, const char *state)
{
    for (int left = PATIENCE_MS / 20; left > 0; left--) {
        looking_t looking = {.state = ""};
        snprintf (looking.name, sizeof looking.name, "%s", name);
        if (saker_links (saker, see_link, &looking) == SAKER_OK && looking.calls
            && strcmp (looking.state, state) == 0) {
            return true;
        }
        rest ();
    }
    return false;
}

static void two_meet_through_a_daemon (void)
{
    place_t place;
    server_t server = {.seed = ""};
    saker_t *anna = NULL, *bob = NULL, *carl = NULL;
    saker_pong_t pong;
    char ticket[SAKER_TICKET_MAX];
    place_begin (&place);
    CHECK_OK (saker_init (place.a, "studio", "anna"));
    CHECK_OK (server_start (&server, place.a));
    CHECK_OK (saker_open (&anna, place.a, PATIENCE_MS));
    CHECK_OK (saker_invite (anna, "write", 600000, ticket));
    CHECK_OK (saker_join (place.b, ticket, "bob", PATIENCE_MS));
    CHECK_OK (saker_invite (anna, "admin", 600000, ticket));
    CHECK_OK (saker_join (place.c, ticket, "carl", PATIENCE_MS));
    CHECK_OK (embed (&bob, place.b));
    CHECK_OK (embed (&carl, place.c));
    CHECK_OK (set (bob, "of-bob", 1));
    CHECK_OK (set (anna, "of-anna", 2));
    CHECK_OK (set (carl, "of-carl", 3));
    CHECK (comes (anna, "of-bob", "/n", 1) && comes (anna, "of-carl", "/n", 3));
    CHECK (comes (bob, "of-anna", "/n", 2) && comes (bob, "of-carl", "/n", 3));
    CHECK (comes (carl, "of-anna", "/n", 2) && comes (carl, "of-bob", "/n", 1));
    CHECK (comes (bob, "total", "/count", 3));
    CHECK (link_is (anna, "bob", "up") && link_is (anna, "carl", "up"));
    CHECK_OK (saker_ping (anna, "bob", PATIENCE_MS, &pong));
    CHECK_STR (pong.address, "");
    CHECK_ERR (saker_invite (carl, "write", 600000, ticket), SAKER_EUNREACHABLE,
               "this peer does not listen");
    saker_close (&bob);
    CHECK (link_is (anna, "bob", "left"));
    CHECK_OK (set (anna, "of-anna", 4));
    CHECK_OK (embed (&bob, place.b));
    CHECK_OK (set (bob, "of-bob", 5));
    CHECK (comes (anna, "of-bob", "/n", 5) && comes (bob, "of-anna", "/n", 4));
    /* the daemon is another process, as far as those who call it can tell */
    saker_close (&anna);
    server_stop (&server);
    CHECK_OK (set (bob, "of-bob", 6));
    CHECK_OK (server_start (&server, place.a));
    CHECK_OK (saker_open (&anna, place.a, PATIENCE_MS));
    CHECK (comes (anna, "of-bob", "/n", 6) && comes (carl, "of-bob", "/n", 6));
    CHECK (link_is (anna, "bob", "up"));
    /* who is no member any more is not asked, and does not come in */
    CHECK_OK (saker_role (anna, "bob", NULL, "none"));
    CHECK_OK (set (anna, "after", 1));
    CHECK (comes (carl, "after", "/n", 1));
    CHECK_INT (get (bob, "after", "/n"), -1);
    /* and once he is one again, he is heard again, though he was refused meanwhile */
    CHECK_OK (saker_role (anna, "bob", NULL, "write"));
    CHECK (comes (bob, "after", "/n", 1));
    CHECK_OK (set (bob, "again", 1));
    CHECK (comes (anna, "again", "/n", 1) && comes (carl, "again", "/n", 1));
    saker_close (&bob);
    saker_close (&carl);
    saker_close (&anna);
    server_stop (&server);
    temp_folder_remove (place.root);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (opens_writes_reads_and_ends);
    RUN (long_path);
    RUN (no_store);
    RUN (threads_share_it);
    RUN (threads_come_and_go);
    RUN (a_child_may_only_close);
    RUN (a_child_does_not_keep_it);
    RUN (signals_are_the_hosts);
    RUN (two_meet_through_a_daemon);
    return CHECK_END ();
}
