/* saker-bench: what saker does, beside what the machine can do, in one run.

     saker-bench [--json] [ROW ...]       rows: latency bulk memory conflicts

   Two daemons on 127.0.0.1, each a process of its own on a store of its own in a temporary folder;
   every write is durable where it is counted. */

#include "bench_limits.h"
#include "saker.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATENCY_WRITES 1000
#define BULK_DOCUMENTS 50000
#define BULK_BATCH 100
#define MEMORY_DOCUMENTS 13037 /* as many as the two lists of iso-codes hold */
#define CONFLICTS 10000
#define CONFLICTS_AMONG 100000 /* documents, in the end */
#define TIMEOUT_MS 60000

typedef struct machine_t {
    char store[512];
    char address[128];
    pid_t process;
    saker_t *saker;
} machine_t;

static char folder[256];
static machine_t machines[2];
static bool json;

static void stop (machine_t *machine)
{
    saker_close (&machine->saker);
    if (machine->process > 0) {
        kill (machine->process, SIGTERM);
        waitpid (machine->process, NULL, 0);
        machine->process = 0;
    }
}

static int remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove (path);
}

static void clean (void)
{
    stop (&machines[0]);
    stop (&machines[1]);
    if (folder[0]) {
        nftw (folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static void die (const char *what)
{
    fprintf (stderr, "saker-bench: %s: %s\n", what, saker_error_text ());
    clean ();
    exit (1);
}

static void must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        die (what);
    }
}

/* ---- two daemons */

static saker_daemon_t *daemon_of_process;

static void on_term (int number)
{
    (void) number;
    saker_daemon_stop (daemon_of_process);
}

static void run_daemon (const machine_t *machine, const char *seed, int ready)
{
    saker_config_t *config = saker_config_new ();
    bool good =
        config && saker_config_set (config, "listen", "tcp://127.0.0.1:0") == SAKER_OK
        && saker_config_set (config, "beacon", "no") == SAKER_OK
        && (!seed || saker_config_set (config, "seed", seed) == SAKER_OK)
        && saker_daemon_new (&daemon_of_process, machine->store, config, NULL, NULL) == SAKER_OK;
    if (!good) {
        fprintf (stderr, "saker-bench: daemon: %s\n", saker_error_text ());
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

static void start (machine_t *machine, const char *seed)
{
    int ends[2];
    if (pipe (ends) != 0) {
        die ("pipe");
    }
    machine->process = fork ();
    if (machine->process == 0) {
        close (ends[0]);
        run_daemon (machine, seed, ends[1]);
    }
    close (ends[1]);
    ssize_t got = read (ends[0], machine->address, sizeof machine->address - 1);
    close (ends[0]);
    if (machine->process < 0 || got <= 0) {
        die ("a daemon did not start");
    }
    must (saker_open (&machine->saker, machine->store, TIMEOUT_MS), "open");
}

/* The joining call makes sockets: it has a process of its own, so that this one can still fork. */
static void join_mesh (const machine_t *machine, const char *ticket)
{
    int status = 1;
    pid_t process = fork ();
    if (process == 0) {
        saker_err_t error = saker_join (machine->store, ticket, "beta", TIMEOUT_MS);
        if (error != SAKER_OK) {
            fprintf (stderr, "saker-bench: join: %s\n", saker_error_text ());
        }
        _exit (error == SAKER_OK ? 0 : 1);
    }
    if (process < 0 || waitpid (process, &status, 0) < 0 || status != 0) {
        die ("join");
    }
}

static void start_mesh (void)
{
    char ticket[SAKER_TICKET_MAX];
    const char *root = getenv ("TMPDIR");
    snprintf (folder, sizeof folder, "%s/saker-bench-XXXXXX", root ? root : "/tmp");
    if (!mkdtemp (folder)) {
        die ("make a temporary folder");
    }
    snprintf (machines[0].store, sizeof machines[0].store, "%s/alpha", folder);
    snprintf (machines[1].store, sizeof machines[1].store, "%s/beta", folder);
    must (saker_init (machines[0].store, "bench", "alpha"), "init");
    start (&machines[0], NULL);
    must (saker_invite (machines[0].saker, "write", 600000, ticket), "invite");
    join_mesh (&machines[1], ticket);
    start (&machines[1], machines[0].address);
    must (saker_wait (machines[0].saker, NULL, TIMEOUT_MS), "wait for the link");
}

/* ---- printing */

static void print (const char *row, const char *figure, double value, const char *unit,
                   const char *limit, double ratio)
{
    if (json) {
        printf ("{\"row\":\"%s\",\"figure\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"", row, figure,
                value, unit);
        if (limit) {
            printf (",\"limit\":\"%s\",\"ratio\":%.4f", limit, ratio);
        }
        printf ("}\n");
    } else if (limit) {
        printf ("%-8s %-44s %12.1f %-12s %8.2f x %s\n", row, figure, value, unit, ratio, limit);
    } else {
        printf ("%-8s %-44s %12.1f %-12s\n", row, figure, value, unit);
    }
    fflush (stdout);
}

/* ---- rows */

static void put_fields (saker_batch_t *batch, const char *document, uint64_t number)
{
    static const char *const fields[] = {"/name", "/kind", "/place", "/note"};
    char text[64];
    saker_value_t value = {.type = SAKER_TEXT};
    saker_batch_replace (batch, document, "");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int size = snprintf (text, sizeof text, "%s %" PRIu64, fields[i] + 1, number * 7 + i);
        value.as.string.data = text;
        value.as.string.size = (size_t) size;
        must (saker_batch_set (batch, document, fields[i], &value), "set");
    }
    value.type = SAKER_INT;
    value.as.integer = (int64_t) number;
    must (saker_batch_set (batch, document, "/number", &value), "set");
    saker_batch_replace_end (batch);
}

static void write_documents (const char *collection, uint64_t count)
{
    for (uint64_t first = 0; first < count; first += BULK_BATCH) {
        saker_batch_t *batch = saker_batch_new (collection);
        for (uint64_t i = first; i < first + BULK_BATCH && i < count; i++) {
            char document[32];
            snprintf (document, sizeof document, "document-%08" PRIu64, i);
            put_fields (batch, document, i);
        }
        must (saker_write (machines[0].saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
}

static int ignore_event (const saker_event_t *event, void *argument)
{
    (void) event, (void) argument;
    return 0;
}

static double one_change (uint64_t number, saker_cursor_t *cursor, double *local_us)
{
    saker_batch_t *batch = saker_batch_new ("latency");
    put_fields (batch, "document", number);
    uint64_t start_us = bench_now_us ();
    must (saker_write (machines[0].saker, batch, NULL), "write");
    *local_us = (double) (bench_now_us () - start_us);
    must (saker_watch (machines[1].saker, "latency", cursor, TIMEOUT_MS, ignore_event, NULL),
          "watch");
    double elapsed = (double) (bench_now_us () - start_us);
    saker_batch_destroy (&batch);
    return elapsed;
}

/* The machine is shared: its limits are measured right before what is compared with them. */
static double measure_commit (void)
{
    double commit_us = bench_commit_us (folder);
    print ("limit", "one LMDB commit, synced: median", commit_us, "us", NULL, 0);
    return commit_us;
}

static void row_latency (void)
{
    static double samples[LATENCY_WRITES];
    static double locals[LATENCY_WRITES];
    saker_cursor_t cursor;
    double first;
    saker_batch_t *batch = saker_batch_new ("latency");
    put_fields (batch, "document", 0);
    must (saker_write (machines[0].saker, batch, NULL), "write");
    saker_batch_destroy (&batch);
    must (saker_wait (machines[0].saker, NULL, TIMEOUT_MS), "wait");
    must (saker_now (machines[1].saker, &cursor), "now");
    one_change (1, &cursor, &first);
    double round_trip_us = bench_round_trip_us ();
    print ("limit", "round trip, CURVE, loopback: median", round_trip_us, "us", NULL, 0);
    double commit_us = measure_commit ();
    for (size_t i = 0; i < LATENCY_WRITES; i++) {
        samples[i] = one_change (i + 2, &cursor, &locals[i]);
    }
    double bare = commit_us + round_trip_us / 2;
    double median = bench_quantile (samples, LATENCY_WRITES, 0.5);
    double worst = bench_quantile (samples, LATENCY_WRITES, 0.99);
    print ("latency", "written on A, acknowledged there: median",
           bench_quantile (locals, LATENCY_WRITES, 0.5), "us", "one commit",
           bench_quantile (locals, LATENCY_WRITES, 0.5) / commit_us);
    print ("latency", "written on A, readable on B, durable: median", median, "us",
           "commit + message", median / bare);
    print ("latency", "written on A, readable on B, durable: p99", worst, "us", "commit + message",
           worst / bare);
}

static void row_bulk (void)
{
    double commit_us = measure_commit ();
    uint64_t start_us = bench_now_us ();
    write_documents ("bulk", BULK_DOCUMENTS);
    double written = (double) (bench_now_us () - start_us) / 1e6;
    must (saker_wait (machines[0].saker, NULL, TIMEOUT_MS), "wait");
    double arrived = (double) (bench_now_us () - start_us) / 1e6;
    double limit = BULK_BATCH / commit_us * 1e6;
    print ("bulk", "documents of 5 fields imported on A, durable", BULK_DOCUMENTS / written,
           "documents/s", "100 a commit", BULK_DOCUMENTS / written / limit);
    print ("bulk", "the same, stored on B", BULK_DOCUMENTS / arrived, "documents/s", "100 a commit",
           BULK_DOCUMENTS / arrived / limit);
}

/* A line of /proc/PID/smaps_rollup, in KiB. */
static long memory_kib (pid_t process, const char *name)
{
    char path[64];
    char line[256];
    long value = -1;
    snprintf (path, sizeof path, "/proc/%d/smaps_rollup", (int) process);
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file)) {
        if (strncmp (line, name, strlen (name)) == 0) {
            value = strtol (line + strlen (name), NULL, 10);
            break;
        }
    }
    if (file) {
        fclose (file);
    }
    return value;
}

static void print_memory (const char *which)
{
    char figure[64];
    for (size_t i = 0; i < 2; i++) {
        pid_t process = machines[i].process;
        snprintf (figure, sizeof figure, "daemon %c, %s: resident", "AB"[i], which);
        print ("memory", figure, (double) memory_kib (process, "Rss:") / 1024, "MiB", NULL, 0);
        snprintf (figure, sizeof figure, "daemon %c, %s: its own (anonymous)", "AB"[i], which);
        print ("memory", figure, (double) memory_kib (process, "Anonymous:") / 1024, "MiB", NULL,
               0);
    }
}

static void row_memory (void)
{
    print_memory ("idle");
    write_documents ("memory", MEMORY_DOCUMENTS);
    must (saker_wait (machines[0].saker, NULL, TIMEOUT_MS), "wait");
    print_memory ("13,037 documents");
}

static void write_numbers (const machine_t *machine, uint64_t first, uint64_t end, int64_t number)
{
    const saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    while (first < end) {
        saker_batch_t *batch = saker_batch_new ("conflicts");
        for (uint64_t i = 0; i < BULK_BATCH && first < end; i++, first++) {
            char document[32];
            snprintf (document, sizeof document, "document-%08" PRIu64, first);
            must (saker_batch_set (batch, document, "/number", &value), "set");
        }
        must (saker_write (machine->saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
}

static int count_conflict (const saker_conflict_t *conflict, void *argument)
{
    *(uint64_t *) argument += conflict->rivals_count == 2;
    return 0;
}

static int count_change (const saker_change_t *change, void *argument)
{
    (void) change;
    ++*(uint64_t *) argument;
    return 0;
}

static void list_conflicts (const char *conflicts_figure, const char *log_figure)
{
    double listed[5], logged[5];
    for (size_t i = 0; i < 5; i++) {
        uint64_t count = 0, changes = 0, start_us = bench_now_us ();
        must (saker_conflicts (machines[0].saker, "conflicts", NULL, NULL, count_conflict, &count),
              "list conflicts");
        listed[i] = (double) (bench_now_us () - start_us) / 1000;
        start_us = bench_now_us ();
        must (saker_log (machines[0].saker, "conflicts", "document-00000007", count_change,
                         &changes, NULL),
              "read history");
        logged[i] = (double) (bench_now_us () - start_us) / 1000;
        if (count != CONFLICTS || changes != 2) {
            die ("there are not as many conflicts, or changes, as were made");
        }
    }
    print ("history", conflicts_figure, bench_quantile (listed, 5, 0.5), "ms", NULL, 0);
    print ("history", log_figure, bench_quantile (logged, 5, 0.5), "ms", NULL, 0);
}

/* Both write the same documents while apart: nobody tells them where the other is. */
static void row_conflicts (void)
{
    stop (&machines[0]);
    stop (&machines[1]);
    start (&machines[0], NULL);
    write_numbers (&machines[0], 0, CONFLICTS, 1);
    stop (&machines[0]);
    start (&machines[1], NULL);
    write_numbers (&machines[1], 0, CONFLICTS, 2);
    start (&machines[0], machines[1].address);
    must (saker_wait (machines[1].saker, NULL, TIMEOUT_MS), "wait");
    list_conflicts ("10,000 conflicts listed, of 10,000 documents",
                    "log of one of 10,000 documents");
    write_numbers (&machines[0], CONFLICTS, CONFLICTS_AMONG, 3);
    list_conflicts ("10,000 conflicts listed, of 100,000 documents",
                    "log of one of 100,000 documents");
}

static bool chosen (char **rows, const char *row)
{
    bool any = false;
    for (; *rows; rows++) {
        any = true;
        if (strcmp (*rows, row) == 0) {
            return true;
        }
    }
    return !any;
}

int main (int argc, char **argv)
{
    char **rows = argv + 1;
    if (argc > 1 && strcmp (argv[1], "--json") == 0) {
        json = true;
        rows++;
    }
    start_mesh ();
    if (chosen (rows, "memory")) {
        row_memory ();
    }
    if (chosen (rows, "latency")) {
        row_latency ();
    }
    if (chosen (rows, "bulk")) {
        row_bulk ();
    }
    if (chosen (rows, "conflicts")) {
        row_conflicts ();
    }
    clean ();
    return 0;
}
