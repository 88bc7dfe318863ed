/* Runs seeds, on all processors; replays and shrinks the first that fails.

     sim [--seeds N] [--from N] [--jobs N] [--stop-after N] [--no-shrink]
     sim --seed N [--peers N] [--operations N] [--without FAULT,FAULT] [--trace] */

#include "peer/fetching.h"
#include "peer/replica_internal.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define ROUNDS_MAX 3000000
#define CHECK_EVERY_MS 4000
#define ALONE_S_MAX 120 /* seconds of the processor that one run may take */

/* What the workers tell, in shared memory. */
typedef struct board_t {
    uint64_t counts[SIM_FAULT_COUNT];
    uint64_t runs, rounds, simulated_ms, failed, heap_most[JOBS_MAX];
    uint64_t current[JOBS_MAX]; /* seed + 1 */
    uint64_t first_failed;      /* seed + 1 */
    char first_failure[1024];
} board_t;

static board_t *board;

/* ---- telling */

void sim_trace (const char *format, ...)
{
    va_list arguments;
    if (!sim.options.trace) {
        return;
    }
    printf ("%10.3f  ", (double) (sim.now_ms % 100000000) / 1000);
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    putchar ('\n');
}

void sim_fail (const char *format, ...)
{
    va_list arguments;
    if (sim.failed) {
        return;
    }
    sim.failed = true;
    va_start (arguments, format);
    vsnprintf (sim.failure, sizeof sim.failure, format, arguments);
    va_end (arguments);
    sim_trace ("FAILED: %s", sim.failure);
}

/* Ends a run that goes on and on, however busy the machine is with others. 0: none runs. */
static void limit_time (int seconds)
{
    struct itimerval limit = {.it_value.tv_sec = seconds};
    setitimer (ITIMER_VIRTUAL, &limit, NULL);
}

/* ---- one run */

static uint64_t least (uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t next_time (uint64_t until_ms)
{
    uint64_t due = least (until_ms, sim_network_due_ms ());
    due = least (due, sim_clients_due_ms ());
    due = least (due, sim_faults_due_ms ());
    for (int i = 0; i < sim.peers_count; i++) {
        const sim_peer_t *peer = &sim.peers[i];
        due = least (due, peer->node ? peer->wake_ms : peer->restart_ms);
    }
    return due;
}

static void turn_peers (void)
{
    int first = (int) sim_below (SIM_NETWORK, (uint64_t) sim.peers_count);
    for (int i = 0; i < sim.peers_count && !sim.failed; i++) {
        sim_peer_t *peer = &sim.peers[(first + i) % sim.peers_count];
        if (peer->node && peer->crashed) {
            sim_peer_crash (peer);
        } else if (peer->node && peer->stops) {
            sim_peer_stop (peer);
        } else if (peer->node && peer->wake_ms <= sim.now_ms) {
            sim_peer_round (peer);
        } else if (!peer->node && peer->restart_ms <= sim.now_ms) {
            sim_peer_start (peer);
        }
    }
}

static void step (uint64_t until_ms)
{
    uint64_t due = next_time (until_ms);
    sim.now_ms = due > sim.now_ms ? due : sim.now_ms;
    sim_faults_run ();
    sim_network_run ();
    sim_clients_run ();
    turn_peers ();
    if (sim.rounds > ROUNDS_MAX) {
        sim_fail ("the peers go round and round");
    }
}

static void trouble_phase (uint64_t for_ms)
{
    uint64_t from_ms = sim.now_ms;
    uint64_t check_ms = sim.now_ms + CHECK_EVERY_MS;
    while (!sim.failed && sim.now_ms % (400 * SIM_DAY_MS) < from_ms + for_ms) {
        step (sim.now_ms + 1000);
        if (sim.now_ms >= check_ms) {
            check_ms = sim.now_ms + CHECK_EVERY_MS;
            if (!sim.forks) {
                sim_oracle_check (&sim.peers[sim_below (SIM_NETWORK, (uint64_t) sim.peers_count)]);
            }
        }
    }
}

static size_t put_clock (char *text, size_t size, const skr_collection_t *collection)
{
    size_t used = (size_t) snprintf (text, size, " %s", collection->name);
    for (size_t i = 0; i < collection->clock.count && used < size; i++) {
        const skr_tick_t *tick = &collection->clock.ticks[i];
        used +=
            (size_t) snprintf (text + used, size - used, " %02x%02x:%llu", tick->writer.bytes[0],
                               tick->writer.bytes[1], (unsigned long long) tick->seq);
    }
    return used < size ? used : size;
}

/* What the first of them aims at. */
static size_t put_target (char *text, size_t size, const skr_fetch_t *fetch)
{
    size_t used = (size_t) snprintf (text, size, " %02x%02x:", fetch->collection.bytes[0],
                                     fetch->collection.bytes[1]);
    for (size_t i = 0; i < fetch->target.count && used < size; i++) {
        const skr_tick_t *tick = &fetch->target.ticks[i];
        used +=
            (size_t) snprintf (text + used, size - used, " %02x%02x:%llu", tick->writer.bytes[0],
                               tick->writer.bytes[1], (unsigned long long) tick->seq);
    }
    return used < size ? used : size;
}

/* Who differs from whom, and in what. */
static void tell_difference (void)
{
    char text[1800] = "";
    size_t used = 0;
    for (int i = 0; i < sim.peers_count; i++) {
        const skr_replica_t *replica = sim.peers[i].node ? sim.peers[i].node->replica : NULL;
        if (replica && replica->fetches_count > 0 && used < sizeof text) {
            used += (size_t) snprintf (text + used, sizeof text - used,
                                       "\n  peer %d fetches %zu, %s", i, replica->fetches_count,
                                       replica->fetches[0].aimed ? "aimed" : "not aimed");
            used += used < sizeof text
                        ? put_target (text + used, sizeof text - used, &replica->fetches[0])
                        : 0;
        }
        if (used >= sizeof text || !replica || !sim_oracle_differs (&sim.peers[i])) {
            continue;
        }
        used += (size_t) snprintf (text + used, sizeof text - used, "\n  peer %d:", i);
        for (size_t k = 0; used < sizeof text && k < skr_replica_collections (replica); k++) {
            used +=
                put_clock (text + used, sizeof text - used, skr_replica_collection_at (replica, k));
        }
        if (used >= sizeof text) {
            break;
        }
    }
    sim_fail ("%s after %d s without faults:%s",
              sim_oracle_converged () ? "writes are not answered" : "peers are not equal",
              SIM_HEAL_MS / 1000, text);
}

static void healing_phase (void)
{
    uint64_t from_ms = sim.now_ms;
    sim_faults_heal ();
    sim_clients_stop ();
    while (!sim.failed && !(sim_clients_done () && sim_oracle_converged ())) {
        if (sim.now_ms - from_ms > SIM_HEAL_MS) {
            if (!sim.forks) {
                tell_difference ();
            }
            return;
        }
        step (sim.now_ms + 100);
    }
    if (!sim.failed) {
        sim_trace ("equal after %llu ms", (unsigned long long) (sim.now_ms - from_ms));
    }
}

/* Who holds which log, for the trace. */
static void tell_holders (void)
{
    for (int i = 0; i < sim.peers_count; i++) {
        skr_node_t *node = sim.peers[i].node;
        for (size_t k = 1; node && k < skr_replica_collections (node->replica); k++) {
            skr_cut_plan_t plan;
            const skr_collection_t *collection = skr_replica_collection_at (node->replica, k);
            if (skr_cutter_plan (node->cutter, collection, &plan) != SAKER_OK) {
                sim_trace ("peer %d cannot plan: %s", i, skr_error ());
                continue;
            }
            for (size_t h = 0; h < plan.holders_count; h++) {
                sim_trace ("peer %d, %s: %s holds %llu changes (verdict %d)", i, collection->name,
                           plan.holders[h].member->name,
                           (unsigned long long) plan.holders[h].missing, plan.holders[h].verdict);
            }
            free (plan.holders);
        }
    }
}

/* What all have stored goes, where nothing else is to be kept. */
static void quiet_phase (void)
{
    uint64_t from_ms = sim.now_ms;
    if (sim.history || sim.forks || sim.ghost) {
        return;
    }
    while (!sim.failed && !sim_oracle_logs_empty ()) {
        if (sim.now_ms - from_ms > SIM_QUIET_MS) {
            tell_holders ();
            sim_fail ("logs are not empty %d s after all were equal", SIM_QUIET_MS / 1000);
            return;
        }
        step (sim.now_ms + 100);
    }
    sim_trace ("logs are empty after %llu ms", (unsigned long long) (sim.now_ms - from_ms));
}

static int choose_members (void)
{
    uint64_t size = sim_below (SIM_MIX, 400);
    uint64_t members = size == 0   ? 9 + sim_below (SIM_MIX, 24)
                       : size < 40 ? 6 + sim_below (SIM_MIX, 3)
                                   : 3 + sim_below (SIM_MIX, 3);
    return sim.options.peers ? sim.options.peers : (int) members;
}

static bool run (const sim_options_t *options)
{
    char root[40];
    memcpy (root, sim.root, sizeof root);
    memset (&sim, 0, sizeof sim);
    memcpy (sim.root, root, sizeof root);
    sim.current = -1;
    sim.options = *options;
    sim_chance_seed (options->seed);
    int members = choose_members ();
    bool large = sim_one_in (SIM_MIX, 16);
    int operations = 10 + (int) sim_below (SIM_MIX, 90);
    uint64_t trouble_ms = 3000 + sim_below (SIM_MIX, 20000);
    if (!sim_peers_found (members, large)) {
        return false;
    }
    sim_oracle_begin ();
    sim_disk_begin ();
    sim_network_begin ();
    sim_clients_begin (options->operations ? options->operations : operations);
    sim_faults_begin ();
    uint64_t from_ms = sim.now_ms;
    trouble_phase (trouble_ms);
    if (!sim.failed) {
        healing_phase ();
    }
    if (!sim.failed) {
        quiet_phase ();
    }
    if (!sim.failed) {
        sim_oracle_final ();
    }
    board->simulated_ms += (sim.now_ms - from_ms) % (400 * SIM_DAY_MS);
    sim_peers_end ();
    sim_network_end ();
    sim_disk_end ();
    sim_clients_end ();
    sim_oracle_end ();
    return !sim.failed;
}

/* ---- many runs */

static bool open_root (void)
{
    snprintf (sim.root, sizeof sim.root, "/dev/shm/saker-sim-%d", (int) getpid ());
    if (mkdir (sim.root, 0700) != 0) {
        snprintf (sim.root, sizeof sim.root, "/tmp/saker-sim-%d", (int) getpid ());
        return mkdir (sim.root, 0700) == 0;
    }
    return true;
}

static void remove_root (pid_t process)
{
    char root[40];
    snprintf (root, sizeof root, "/dev/shm/saker-sim-%d", (int) process);
    sim_store_remove (root);
    snprintf (root, sizeof root, "/tmp/saker-sim-%d", (int) process);
    sim_store_remove (root);
}

static void note_failure (uint64_t seed, const char *failure)
{
    __atomic_add_fetch (&board->failed, 1, __ATOMIC_SEQ_CST);
    printf ("seed %llu: %s\n  replay: make sim SEED=%llu\n", (unsigned long long) seed, failure,
            (unsigned long long) seed);
    fflush (stdout);
    uint64_t none = 0;
    if (__atomic_compare_exchange_n (&board->first_failed, &none, seed + 1, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        snprintf (board->first_failure, sizeof board->first_failure, "%s", failure);
    }
}

/* Every jobs-th seed from `first` on. */
static void work (int job, int jobs, uint64_t first, uint64_t end, uint64_t stop_after)
{
    open_root ();
    for (uint64_t seed = first; seed < end; seed += (uint64_t) jobs) {
        sim_options_t options = {.seed = seed};
        board->current[job] = seed + 1;
        limit_time (ALONE_S_MAX);
        bool good = run (&options);
        limit_time (0);
        for (int i = 0; i < SIM_FAULT_COUNT; i++) {
            __atomic_add_fetch (&board->counts[i], sim.counts[i], __ATOMIC_RELAXED);
        }
        __atomic_add_fetch (&board->runs, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch (&board->rounds, sim.rounds, __ATOMIC_RELAXED);
        if (sim.heap_most > board->heap_most[job]) {
            board->heap_most[job] = sim.heap_most;
        }
        if (!good) {
            note_failure (seed, sim.failure);
        }
        if (board->failed >= stop_after) {
            break;
        }
    }
    board->current[job] = 0;
    remove_root (getpid ());
    fflush (stdout);
    _exit (0);
}

/* Runs workers; one that dies in a run (a crash of the code under test) is followed by another. */
static void run_all (int jobs, uint64_t from, uint64_t count, uint64_t stop_after)
{
    pid_t workers[JOBS_MAX];
    uint64_t starts[JOBS_MAX];
    int alive = jobs;
    for (int i = 0; i < jobs; i++) {
        starts[i] = from + (uint64_t) i;
        fflush (stdout);
        if ((workers[i] = fork ()) == 0) {
            work (i, jobs, starts[i], from + count, stop_after);
        }
    }
    while (alive) {
        int status = 0;
        pid_t ended = wait (&status);
        for (int i = 0; i < jobs && ended > 0; i++) {
            if (workers[i] != ended) {
                continue;
            }
            alive--;
            uint64_t seed = board->current[i] - 1;
            if (board->current[i]) {
                char failure[64];
                remove_root (ended);
                int signal_no = WIFSIGNALED (status) ? WTERMSIG (status) : -1;
                if (signal_no == SIGVTALRM) {
                    snprintf (failure, sizeof failure, "it takes more than %d s", ALONE_S_MAX);
                } else {
                    snprintf (failure, sizeof failure, "the program ends by signal %d", signal_no);
                }
                note_failure (seed, failure);
                starts[i] = seed + (uint64_t) jobs;
                if (board->failed < stop_after && starts[i] < from + count) {
                    alive++;
                    if ((workers[i] = fork ()) == 0) {
                        work (i, jobs, starts[i], from + count, stop_after);
                    }
                }
            }
        }
        if (ended < 0 && errno == ECHILD) {
            return;
        }
    }
}

/* ---- shrinking: the same failure, or another, with less */

static bool fails (const sim_options_t *options)
{
    int status = 0;
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        open_root ();
        limit_time (ALONE_S_MAX);
        if (!freopen ("/dev/null", "w", stdout)) {
            _exit (0);
        }
        bool good = run (options);
        remove_root (getpid ());
        _exit (good ? 0 : 1);
    }
    waitpid (child, &status, 0);
    if (WIFSIGNALED (status)) {
        remove_root (child);
    }
    return status != 0;
}

static void shrink (sim_options_t *options)
{
    for (int peers = 3; peers < 8; peers++) {
        sim_options_t less = *options;
        less.peers = peers;
        if (fails (&less)) {
            *options = less;
            break;
        }
    }
    for (int operations = 1; operations < 100; operations *= 2) {
        sim_options_t less = *options;
        less.operations = operations;
        if (fails (&less)) {
            *options = less;
            break;
        }
    }
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        sim_options_t less = *options;
        less.disabled |= 1ull << i;
        if (fails (&less)) {
            *options = less;
        }
    }
}

static void tell_replay (const sim_options_t *options)
{
    bool first = true;
    printf ("  shrunk: sim --seed %llu", (unsigned long long) options->seed);
    if (options->peers) {
        printf (" --peers %d", options->peers);
    }
    if (options->operations) {
        printf (" --operations %d", options->operations);
    }
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (options->disabled >> i & 1) {
            printf ("%s%s", first ? " --without " : ",", sim_fault_text ((sim_fault_t) i));
            first = false;
        }
    }
    printf (" --trace\n");
}

/* ---- the command line */

static bool disable (sim_options_t *options, char *list)
{
    for (char *name = strtok_r (list, ",", &list); name; name = strtok_r (NULL, ",", &list)) {
        int found = -1;
        for (int i = 0; i < SIM_FAULT_COUNT; i++) {
            found = strcmp (name, sim_fault_text ((sim_fault_t) i)) == 0 ? i : found;
        }
        if (found < 0) {
            fprintf (stderr, "sim: no fault is called %s\n", name);
            return false;
        }
        options->disabled |= 1ull << found;
    }
    return true;
}

static int replay (const sim_options_t *options)
{
    open_root ();
    bool good = run (options);
    remove_root (getpid ());
    printf ("seed %llu: %s\n", (unsigned long long) options->seed, good ? "good" : sim.failure);
    if (good || options->trace) {
        return good ? 0 : 1;
    }
    sim_options_t less = *options;
    shrink (&less);
    tell_replay (&less);
    return 1;
}

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int summary (double seconds, bool all_fired, bool shrinks)
{
    int silent = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        printf ("%-20s %12llu\n", sim_fault_text ((sim_fault_t) i),
                (unsigned long long) board->counts[i]);
        silent += !board->counts[i];
    }
    if (board->first_failed && shrinks) {
        sim_options_t options = {.seed = board->first_failed - 1};
        shrink (&options);
        tell_replay (&options);
    }
    uint64_t heap_most = 0;
    for (int i = 0; i < JOBS_MAX; i++) {
        heap_most = board->heap_most[i] > heap_most ? board->heap_most[i] : heap_most;
    }
    printf ("a peer held %llu KiB of memory at most\n", (unsigned long long) heap_most / 1024);
    printf ("%llu schedules, %.1f a second, %llu simulated seconds, %llu rounds of peers\n",
            (unsigned long long) board->runs, (double) board->runs / seconds,
            (unsigned long long) board->simulated_ms / 1000, (unsigned long long) board->rounds);
    bool fired = !all_fired || !silent;
    if (!fired) {
        printf ("%d faults never happened\n", silent);
    }
    printf ("%llu passed, %llu failed, 0 skipped\n",
            (unsigned long long) (board->runs - least (board->failed, board->runs)),
            (unsigned long long) board->failed + !fired);
    return board->failed || !fired ? 1 : 0;
}

int main (int argc, char **argv)
{
    static const struct option names[] = {{"seeds", 1, NULL, 'n'},   {"from", 1, NULL, 'f'},
                                          {"jobs", 1, NULL, 'j'},    {"seed", 1, NULL, 's'},
                                          {"peers", 1, NULL, 'p'},   {"operations", 1, NULL, 'o'},
                                          {"without", 1, NULL, 'w'}, {"stop-after", 1, NULL, 'a'},
                                          {"trace", 0, NULL, 't'},   {"no-shrink", 0, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    sim_options_t options = {0};
    uint64_t seeds = 300, from = 1, stop_after = 5;
    int jobs = (int) sysconf (_SC_NPROCESSORS_ONLN);
    bool alone = false, shrinks = true;
    for (int option; (option = getopt_long (argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'n':
            seeds = strtoull (optarg, NULL, 10);
            break;
        case 'f':
            from = strtoull (optarg, NULL, 10);
            break;
        case 'j':
            jobs = (int) strtol (optarg, NULL, 10);
            break;
        case 's':
            options.seed = strtoull (optarg, NULL, 10);
            alone = true;
            break;
        case 'p':
            options.peers = (int) strtol (optarg, NULL, 10);
            break;
        case 'o':
            options.operations = (int) strtol (optarg, NULL, 10);
            break;
        case 'w':
            if (!disable (&options, optarg)) {
                return 2;
            }
            break;
        case 'a':
            stop_after = strtoull (optarg, NULL, 10);
            break;
        case 't':
            options.trace = true;
            break;
        case 'k':
            shrinks = false;
            break;
        default:
            return 2;
        }
    }
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    board = mmap (NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED || sodium_init () < 0) {
        return 1;
    }
    if (alone) {
        return replay (&options);
    }
    double start_s = now_s ();
    run_all (jobs, from, seeds, stop_after);
    return summary (now_s () - start_s, seeds >= 1000, shrinks);
}
