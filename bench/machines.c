#include "bench/machines.h"

#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A change is full as for `saker import`. */
#define FULL_OPS (SAKER_CHANGE_OPS_MAX - SAKER_CHANGE_OPS_MAX / 8)
#define FULL_BYTES (SAKER_CHANGE_BYTES_MAX * 3 / 4)

static mesh_t *meshes[8]; /* to be cleaned */

void bench_die (const char *what)
{
    bench_info ("%s: %s", what, saker_error_text ());
    bench_clean ();
    exit (1);
}

void bench_must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        bench_die (what);
    }
}

/* ---- a daemon */

static saker_daemon_t *daemon_of_process;

static void on_term (int number)
{
    (void) number;
    saker_daemon_stop (daemon_of_process);
}

static void run_daemon (const machine_t *machine, const char *seed, int ready)
{
    saker_config_t *config = saker_config_new ();
    const char *listen = machine->address[0] ? machine->address : "tcp://127.0.0.1:0";
    bool good =
        config && saker_config_set (config, "listen", listen) == SAKER_OK
        && saker_config_set (config, "beacon", "no") == SAKER_OK
        && (!seed || saker_config_set (config, "seed", seed) == SAKER_OK)
        && saker_daemon_new (&daemon_of_process, machine->store, config, NULL, NULL) == SAKER_OK;
    if (!good) {
        bench_info ("daemon: %s", saker_error_text ());
        _exit (1);
    }
    signal (SIGTERM, on_term);
    const char *address = saker_daemon_address (daemon_of_process);
    if (write (ready, address, strlen (address) + 1) < 0) {
        _exit (1);
    }
    saker_err_t error = saker_daemon_run (daemon_of_process);
    saker_daemon_destroy (&daemon_of_process);
    saker_config_destroy (&config);
    _exit (error == SAKER_OK ? 0 : 1);
}

void bench_start (machine_t *self, const machine_t *seed)
{
    int ends[2];
    if (pipe (ends) != 0) {
        bench_die ("pipe");
    }
    self->process = fork ();
    if (self->process == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        signal (SIGINT, SIG_IGN); /* it comes to the whole group: its parent will end it */
        close (ends[0]);
        run_daemon (self, seed ? seed->address : NULL, ends[1]);
    }
    close (ends[1]);
    ssize_t got = read (ends[0], self->address, sizeof self->address - 1);
    close (ends[0]);
    if (self->process < 0 || got <= 0) {
        bench_die ("a daemon did not start");
    }
    bench_must (saker_open (&self->saker, self->store, BENCH_TIMEOUT_MS), "open");
}

void bench_stop (machine_t *self)
{
    saker_close (&self->saker);
    if (self->process > 0) {
        kill (self->process, SIGTERM);
        waitpid (self->process, NULL, 0);
        self->process = 0;
    }
}

/* ---- a mesh */

static int remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove (path);
}

void bench_remove (const char *folder)
{
    nftw (folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static mesh_t **place_of (const mesh_t *mesh)
{
    for (size_t i = 0; i < sizeof meshes / sizeof *meshes; i++) {
        if (meshes[i] == mesh) {
            return &meshes[i];
        }
    }
    bench_die ("too many meshes at once");
    return NULL;
}

void bench_mesh_end (mesh_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        bench_stop (&self->machines[i]);
    }
    if (self->folder[0]) {
        bench_remove (self->folder);
    }
    free (self->machines);
    *place_of (self) = NULL;
    memset (self, 0, sizeof *self);
}

void bench_clean (void)
{
    for (size_t i = 0; i < sizeof meshes / sizeof *meshes; i++) {
        if (meshes[i]) {
            bench_mesh_end (meshes[i]);
        }
    }
}

/* The joining call makes sockets: it has a process of its own, so that this one can still fork. */
static void join (const machine_t *machine, const char *ticket)
{
    int status = 1;
    pid_t process = fork ();
    if (process == 0) {
        saker_err_t error = saker_join (machine->store, ticket, machine->name, BENCH_TIMEOUT_MS);
        if (error != SAKER_OK) {
            bench_info ("join: %s", saker_error_text ());
        }
        _exit (error == SAKER_OK ? 0 : 1);
    }
    if (process < 0 || waitpid (process, &status, 0) < 0 || status != 0) {
        bench_die ("join");
    }
}

void bench_mesh_join (mesh_t *self, machine_t *machine, const char *name)
{
    char ticket[SAKER_TICKET_MAX];
    snprintf (machine->name, sizeof machine->name, "%s", name);
    snprintf (machine->store, sizeof machine->store, "%s/%s", self->folder, name);
    bench_must (saker_invite (self->machines[0].saker, "write", 600000, ticket), "invite");
    join (machine, ticket);
}

void bench_mesh_begin (mesh_t *self, size_t count)
{
    memset (self, 0, sizeof *self);
    *place_of (NULL) = self;
    snprintf (self->folder, sizeof self->folder, "%.240s/mesh-XXXXXX", bench_options.folder);
    self->machines = calloc (count, sizeof *self->machines);
    if (!self->machines || !mkdtemp (self->folder)) {
        self->folder[0] = 0;
        bench_die ("make a temporary folder");
    }
    self->count = count;
    machine_t *first = &self->machines[0];
    snprintf (first->name, sizeof first->name, "machine-1");
    snprintf (first->store, sizeof first->store, "%s/machine-1", self->folder);
    bench_must (saker_init (first->store, "bench", first->name), "init");
    if (count > 1) {
        bench_start (first, NULL);
    }
    for (size_t i = 1; i < count; i++) {
        char name[16];
        snprintf (name, sizeof name, "machine-%u", (unsigned) (i + 1) & 0xff);
        bench_mesh_join (self, &self->machines[i], name);
    }
    bench_stop (first);
}

void bench_mesh_run (mesh_t *self, size_t count)
{
    bench_mesh_begin (self, count);
    for (size_t i = 0; i < count; i++) {
        bench_start (&self->machines[i], i ? &self->machines[0] : NULL);
    }
    for (size_t i = 0; i < count; i++) {
        bench_wait (&self->machines[i]);
    }
}

void bench_wait (const machine_t *self)
{
    bench_must (saker_wait (self->saker, NULL, BENCH_TIMEOUT_MS), "wait");
}

/* ---- what a daemon costs */

typedef struct wanted_t {
    const char *pointer;
    double value;
} wanted_t;

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    wanted_t *wanted = argument;
    if (leaf->value.type == SAKER_INT && strcmp (leaf->pointer, wanted->pointer) == 0) {
        wanted->value = (double) leaf->value.as.integer;
    }
    return 0;
}

double bench_status (const machine_t *self, const char *pointer)
{
    wanted_t wanted = {pointer, 0};
    bench_must (saker_status (self->saker, take_leaf, &wanted), "status");
    return wanted.value;
}

double bench_memory_mib (const machine_t *self, const char *name)
{
    char path[64], line[256];
    double value = 0;
    snprintf (path, sizeof path, "/proc/%d/smaps_rollup", (int) self->process);
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file)) {
        if (strncmp (line, name, strlen (name)) == 0) {
            value = strtod (line + strlen (name), NULL) / 1024;
            break;
        }
    }
    if (file) {
        fclose (file);
    }
    return value;
}

static double task_ns (const char *folder, const char *task)
{
    char path[400], line[128];
    double value = 0;
    snprintf (path, sizeof path, "%s/%.255s/schedstat", folder, task);
    FILE *file = fopen (path, "r");
    if (file && fgets (line, sizeof line, file)) {
        value = strtod (line, NULL);
    }
    if (file) {
        fclose (file);
    }
    return value;
}

double bench_processor_us (const machine_t *self)
{
    char folder[64];
    double sum = 0;
    snprintf (folder, sizeof folder, "/proc/%d/task", (int) self->process);
    DIR *tasks = opendir (folder);
    for (struct dirent *task; tasks && (task = readdir (tasks));) {
        if (task->d_name[0] != '.') {
            sum += task_ns (folder, task->d_name);
        }
    }
    if (tasks) {
        closedir (tasks);
    }
    return sum / 1000;
}

double bench_processors_us (const mesh_t *mesh)
{
    double sum = 0;
    for (size_t i = 0; i < mesh->count; i++) {
        sum += bench_processor_us (&mesh->machines[i]);
    }
    return sum;
}

static double store_sum;

static int add_file (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) path, (void) walk;
    store_sum += type == FTW_F ? (double) status->st_blocks * 512 : 0;
    return 0;
}

double bench_store_bytes (const machine_t *self)
{
    store_sum = 0;
    nftw (self->store, add_file, 16, FTW_PHYS);
    return store_sum;
}

/* ---- documents */

#define FIELDS 4 /* texts, and a number */
static const char *const fields[FIELDS] = {"/name", "/kind", "/place", "/note"};

static size_t field_text (char text[64], size_t field, uint64_t number)
{
    return (size_t) snprintf (text, 64, "%s %" PRIu64, fields[field] + 1, number * 7 + field);
}

void bench_put_document (saker_batch_t *batch, const char *document, uint64_t number)
{
    char text[64];
    saker_value_t value = {.type = SAKER_TEXT};
    bench_must (saker_batch_replace (batch, document, ""), "replace");
    for (size_t i = 0; i < FIELDS; i++) {
        value.as.string.data = text;
        value.as.string.size = field_text (text, i, number);
        bench_must (saker_batch_set (batch, document, fields[i], &value), "set");
    }
    value.type = SAKER_INT;
    value.as.integer = (int64_t) number;
    bench_must (saker_batch_set (batch, document, "/number", &value), "set");
    bench_must (saker_batch_replace_end (batch), "end");
}

size_t bench_document_bytes (uint64_t number)
{
    char text[64];
    size_t sum = (size_t) snprintf (text, sizeof text, "{\"number\":%" PRIu64 "}", number);
    for (size_t i = 0; i < FIELDS; i++) {
        sum += strlen (fields[i]) + field_text (text, i, number) + 5; /* ,"":"" less the slash */
    }
    return sum;
}

typedef void put_fn (saker_batch_t *batch, const char *document, uint64_t number);

/* What is put has this number, or with NULL that of its document. */
static void write_each (const machine_t *self, const char *collection, uint64_t first, uint64_t end,
                        put_fn *put, const uint64_t *number)
{
    while (first < end) {
        saker_batch_t *batch = saker_batch_new (collection);
        for (; first < end && saker_batch_count (batch) < FULL_OPS
               && saker_batch_bytes (batch) < FULL_BYTES;
             first++) {
            char document[32];
            snprintf (document, sizeof document, "document-%08" PRIu64, first);
            put (batch, document, number ? *number : first);
        }
        bench_must (saker_write (self->saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
}

void bench_write_documents (const machine_t *self, const char *collection, uint64_t first,
                            uint64_t end)
{
    write_each (self, collection, first, end, bench_put_document, NULL);
}

static void put_number (saker_batch_t *batch, const char *document, uint64_t number)
{
    const saker_value_t value = {.type = SAKER_INT, .as.integer = (int64_t) number};
    bench_must (saker_batch_set (batch, document, "/number", &value), "set");
}

void bench_write_numbers (const machine_t *self, const char *collection, uint64_t first,
                          uint64_t end, uint64_t number)
{
    write_each (self, collection, first, end, put_number, &number);
}

/* ---- from one to another */

static int ignore_event (const saker_event_t *event, void *argument)
{
    (void) event, (void) argument;
    return 0;
}

void bench_watch_begin (bench_watch_t *self, const machine_t *from, const machine_t *to,
                        const char *collection)
{
    *self = (bench_watch_t){.from = from, .to = to, .collection = collection};
    bench_wait (from);
    bench_must (saker_now (to->saker, &self->cursor), "now");
}

double bench_watch_write (bench_watch_t *self, const saker_batch_t *batch, double *local_us)
{
    uint64_t start_us = bench_now_us ();
    bench_must (saker_write (self->from->saker, batch, NULL), "write");
    if (local_us) {
        *local_us = (double) (bench_now_us () - start_us);
    }
    bench_must (saker_watch (self->to->saker, self->collection, &self->cursor, BENCH_TIMEOUT_MS,
                             ignore_event, NULL),
                "watch");
    return (double) (bench_now_us () - start_us);
}
