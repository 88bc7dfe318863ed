/* Partitions and heals, with writes on all sides: a client of every peer, and of the relay.

     cycles CYCLES SEED STORE...      commands for the relay go to standard output, its answers come
   from standard input; what is found is told on standard error

   In each cycle the network breaks in one way, every peer writes for a while, the network heals,
   and then every peer must show what every peer had acknowledged, with the counter exact. */

#include "saker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 32
#define HEAL_S 60

static saker_t *sakers[PEERS_MAX];
static char **stores;
static long numbers[PEERS_MAX]; /* the last acknowledged */
static int peers;
static long kinds[8];
static double worst_s, all_s;

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

__attribute__ ((format (printf, 1, 2))) static void command (const char *format, ...)
{
    char answer[128] = "";
    va_list arguments;
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    putchar ('\n');
    fflush (stdout);
    if (!fgets (answer, sizeof answer, stdin) || strncmp (answer, "ok", 2) != 0) {
        fprintf (stderr, "the relay answers: %s\n", answer);
        exit (1);
    }
}

/* ---- the ways to break a network */

static void split (void)
{
    unsigned sides = 1u + (unsigned) rand () % ((1u << peers) - 2);
    for (int i = 0; i < peers; i++) {
        for (int k = 0; k < peers; k++) {
            if ((sides >> i & 1) != (sides >> k & 1)) {
                command ("path %d %d blocked 1", i + 1, k + 1);
            }
        }
    }
}

static void ring (void)
{
    for (int i = 0; i < peers; i++) {
        for (int k = 0; k < peers; k++) {
            if (i != k && (i + 1) % peers != k && (k + 1) % peers != i) {
                command ("path %d %d blocked 1", i + 1, k + 1);
            }
        }
    }
}

static void break_network (void)
{
    int a = 1 + rand () % peers, b = 1 + rand () % peers;
    int kind = rand () % 8;
    kinds[kind]++;
    switch (kind) {
    case 0:
        split ();
        break;
    case 1:
        ring ();
        break;
    case 2: /* one-way */
        command ("path %d %d blocked 1", a, b);
        break;
    case 3: /* half-open: nothing is read any more */
        command ("path %d %d deaf 1", a, b);
        command ("path %d %d deaf 1", b, a);
        break;
    case 4:
        command ("path * * delay %d jitter %d", 20 + rand () % 200, 50);
        command ("reset %d %d", a, b);
        break;
    case 5:
        command ("path %d * rate %d", a, 1024);
        break;
    case 6:
        command ("path * * stall %d delay %d", 5, 5);
        break;
    default: /* everything falls */
        command ("reset * *");
    }
}

/* ---- writing */

static bool write_one (int peer)
{
    char document[16], id[32];
    saker_value_t value = {.type = SAKER_INT, .as.integer = numbers[peer] + 1};
    saker_batch_t *batch = saker_batch_new ("cycles");
    snprintf (document, sizeof document, "peer%d", peer);
    snprintf (id, sizeof id, "%d %ld", peer, numbers[peer] + 1);
    saker_err_t error = saker_batch_set (batch, document, "/n", &value);
    error = error == SAKER_OK ? saker_batch_incr (batch, "all", "/sum", 1) : error;
    error = error == SAKER_OK ? saker_batch_operation (batch, id, strlen (id)) : error;
    error = error == SAKER_OK ? saker_write (sakers[peer], batch, NULL) : error;
    saker_batch_destroy (&batch);
    if (error != SAKER_OK) {
        fprintf (stderr, "peer %d does not write: %s\n", peer + 1, saker_error_text ());
        return false;
    }
    numbers[peer]++;
    return true;
}

static bool write_for (double seconds)
{
    double end_s = now_s () + seconds;
    while (now_s () < end_s) {
        for (int i = 0; i < peers; i++) {
            if (!write_one (i)) {
                return false;
            }
        }
        usleep (30000);
    }
    return true;
}

/* ---- reading */

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    *(int64_t *) argument = leaf->value.as.integer;
    return 0;
}

static int64_t number_at (int peer, const char *document, const char *pointer)
{
    int64_t number = 0;
    saker_err_t error = saker_read (sakers[peer], "cycles", document, pointer, take_leaf, &number);
    return error == SAKER_OK || error == SAKER_ENOTFOUND ? number : -1;
}

static bool shows_all (int peer)
{
    int64_t sum = 0;
    for (int i = 0; i < peers; i++) {
        char document[16];
        snprintf (document, sizeof document, "peer%d", i);
        sum += numbers[i];
        if (number_at (peer, document, "/n") != numbers[i]) {
            return false;
        }
    }
    return number_at (peer, "all", "/sum") == sum;
}

static bool wait_equal (void)
{
    double start_s = now_s ();
    for (int i = 0; i < peers; i++) {
        while (!shows_all (i)) {
            if (now_s () - start_s > HEAL_S) {
                fprintf (stderr, "peer %d does not show all, %d s after the network healed\n",
                         i + 1, HEAL_S);
                return false;
            }
            usleep (10000);
        }
    }
    double took_s = now_s () - start_s;
    worst_s = took_s > worst_s ? took_s : worst_s;
    all_s += took_s;
    return true;
}

static bool cycle (void)
{
    /* now and then so long that connections are given up */
    double seconds = rand () % 25 ? 0.1 + rand () % 900 / 1000.0 : 7 + rand () % 6;
    break_network ();
    bool good = write_for (seconds);
    command ("heal");
    return good && wait_equal ();
}

int main (int argc, char **argv)
{
    static const char *const names[] = {"split",          "ring",    "one-way", "half-open",
                                        "delay, a reset", "1 KiB/s", "stalls",  "all reset"};
    long cycles = argc > 4 ? strtol (argv[1], NULL, 10) : 0, done = 0;
    peers = argc - 3;
    stores = argv + 3;
    if (cycles < 1 || peers < 2 || peers > PEERS_MAX) {
        fprintf (stderr, "usage: cycles CYCLES SEED STORE STORE...\n");
        return 2;
    }
    srand ((unsigned) strtoul (argv[2], NULL, 10));
    for (int i = 0; i < peers; i++) {
        if (saker_open (&sakers[i], stores[i], 10000) != SAKER_OK) {
            fprintf (stderr, "%s: %s\n", stores[i], saker_error_text ());
            return 1;
        }
    }
    bool good = write_for (0.1) && wait_equal ();
    for (; done < cycles && good; done++) {
        good = cycle ();
    }
    for (int i = 0; i < 8; i++) {
        fprintf (stderr, "%-16s %ld\n", names[i], kinds[i]);
    }
    fprintf (stderr, "%ld cycles (SEED=%s), equal %.2f s after healing, at worst %.2f s\n", done,
             argv[2], all_s / (double) (done + 1), worst_s);
    fprintf (stderr, "%ld passed, %d failed, 0 skipped\n", done, !good);
    for (int i = 0; i < peers; i++) {
        saker_close (&sakers[i]);
    }
    return good ? 0 : 1;
}
