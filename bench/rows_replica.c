/* Replicas without network or disk (their stores lie in /dev/shm): what a change costs to make,
   sign, seal, and to parse, check and apply at another one. */

#include "bench/bench.h"
#include "bench/machines.h"
#include "crdt/path.h"
#include "peer/replica.h"
#include "tests/lib/pair.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP 1000
#define SINGLE_CHANGES 20000
#define GROUPED_OPS 500000
#define REPLICAS 10
#define UPDATES 10000
#define KEYS 1000

static void must (saker_err_t error, const char *what)
{
    if (error != SAKER_OK) {
        bench_info ("%s: %s", what, skr_error ());
        exit (1);
    }
}

/* ---- changes, made by one, kept to be offered to others */

typedef struct made_t {
    skr_buf_t bytes; /* byte strings of CBOR */
    size_t count;
} made_t;

static void keep_change (const skr_id_t *collection, skr_span_t change, void *argument)
{
    made_t *made = argument;
    (void) collection;
    skr_cbor_put_bytes (&made->bytes, change.data, change.size);
    made->count++;
}

#define DOCUMENTS 10000

/* An application has its names; to make them is not what is measured. */
static char names[DOCUMENTS][16];

static void make_names (void)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        snprintf (names[i], sizeof names[i], "d%zu", i);
    }
}

/* `ops` settings of "/n", of `documents` documents in turn. */
static void write_change (skr_replica_t *replica, size_t first, size_t ops, size_t documents)
{
    static skr_intent_t intents[GROUP];
    static uint8_t values[GROUP][8];
    saker_receipt_t receipt;
    skr_buf_t path = {0};
    must (skr_path_from_pointer (&path, "/n"), "path");
    for (size_t i = 0; i < ops; i++) {
        skr_buf_t value = {0};
        const char *name = names[(first + i) % documents];
        skr_cbor_put_int (&value, (int64_t) ((first + i) & 0xffffff));
        memcpy (values[i], value.data, value.size);
        intents[i] = (skr_intent_t){.kind = SKR_INTENT_SET,
                                    .document = skr_span_text (name),
                                    .path = skr_span_of (&path),
                                    .value = skr_span (values[i], value.size)};
        skr_buf_free (&value);
    }
    const skr_local_t local = {.collection = "bench", .intents = intents, .count = ops};
    must (skr_replica_write (replica, &local, &receipt), "write");
    skr_buf_free (&path);
}

/* Writes `ops` operations, `per_change` a change, GROUP a commit. */
static void write_all (skr_replica_t *replica, size_t ops, size_t per_change, size_t documents,
                       made_t *made)
{
    for (size_t done = 0; done < ops;) {
        must (skr_replica_begin (replica), "begin");
        for (size_t end = done + GROUP; done < end; done += per_change) {
            write_change (replica, done, per_change, documents);
        }
        must (skr_replica_commit (replica), "commit");
        skr_replica_made (replica, keep_change, made);
    }
}

static void offer_all (skr_replica_t *replica, const made_t *made, size_t per_commit)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&made->bytes));
    for (size_t i = 0; i < made->count;) {
        must (skr_replica_begin (replica), "begin");
        for (size_t end = i + per_commit; i < made->count && i < end; i++) {
            skr_outcome_t outcome;
            must (skr_replica_offer (replica, skr_cbor_get_bytes (&cbor), &outcome), "offer");
            if (outcome != SKR_APPLIED && outcome != SKR_KNOWN) {
                bench_info ("a change was not applied");
                exit (1);
            }
        }
        must (skr_replica_commit (replica), "commit");
    }
}

/* Where all that is made in memory lies. */
static void open_pair (pair_t *pair)
{
    setenv ("TMPDIR", "/dev/shm", 1);
    make_names ();
    if (!pair_open (pair)) {
        exit (1);
    }
}

/* ---- rows */

static void apply_some (const char *what, size_t ops, size_t per_change, double limit)
{
    char figure[64];
    pair_t pair;
    made_t made = {.count = 0};
    open_pair (&pair);
    uint64_t start_us = bench_now_us ();
    write_all (pair.a, ops, per_change, DOCUMENTS, &made);
    uint64_t middle_us = bench_now_us ();
    offer_all (pair.b, &made, GROUP / per_change);
    uint64_t end_us = bench_now_us ();
    snprintf (figure, sizeof figure, "%s: made and applied", what);
    bench_print (figure, (double) ops / (double) (end_us - start_us) * 1e6, "updates/s",
                 "signatures made and checked", limit);
    snprintf (figure, sizeof figure, "%s: made, signed, sealed", what);
    bench_print (figure, (double) ops / (double) (middle_us - start_us) * 1e6, "updates/s", NULL,
                 0);
    snprintf (figure, sizeof figure, "%s: checked, opened, applied", what);
    bench_print (figure, (double) ops / (double) (end_us - middle_us) * 1e6, "updates/s", NULL, 0);
    skr_buf_free (&made.bytes);
    pair_close (&pair);
}

/* ---- the same on two machines: one goes on making while the other applies */

typedef struct line_t {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    made_t *made; /* one a commit */
    size_t count;
} line_t;

typedef struct maker_t {
    skr_replica_t *replica;
    line_t *line;
} maker_t;

static void *make_all (void *argument)
{
    maker_t *maker = argument;
    line_t *line = maker->line;
    for (size_t i = 0; i < GROUPED_OPS / GROUP; i++) {
        must (skr_replica_begin (maker->replica), "begin");
        write_change (maker->replica, i * GROUP, GROUP, DOCUMENTS);
        must (skr_replica_commit (maker->replica), "commit");
        skr_replica_made (maker->replica, keep_change, &line->made[i]);
        pthread_mutex_lock (&line->lock);
        line->count = i + 1;
        pthread_cond_signal (&line->moved);
        pthread_mutex_unlock (&line->lock);
    }
    return NULL;
}

static void apply_all (skr_replica_t *replica, line_t *line)
{
    for (size_t i = 0; i < GROUPED_OPS / GROUP; i++) {
        pthread_mutex_lock (&line->lock);
        while (line->count <= i) {
            pthread_cond_wait (&line->moved, &line->lock);
        }
        pthread_mutex_unlock (&line->lock);
        offer_all (replica, &line->made[i], 1);
        skr_buf_free (&line->made[i].bytes);
    }
}

static void row_stream (void)
{
    static made_t made[GROUPED_OPS / GROUP];
    pair_t pair;
    pthread_t thread;
    line_t line = {.made = made};
    open_pair (&pair);
    maker_t maker = {pair.a, &line};
    pthread_mutex_init (&line.lock, NULL);
    pthread_cond_init (&line.moved, NULL);
    uint64_t start_us = bench_now_us ();
    if (pthread_create (&thread, NULL, make_all, &maker) != 0) {
        bench_info ("no thread");
        exit (1);
    }
    apply_all (pair.b, &line);
    pthread_join (thread, NULL);
    bench_print ("1,000 updates a change: made at one, applied at another meanwhile",
                 GROUPED_OPS / (double) (bench_now_us () - start_us) * 1e6, "updates/s",
                 "signatures made and checked", 1e6 / bench_sign_verify_us ());
    pthread_cond_destroy (&line.moved);
    pthread_mutex_destroy (&line.lock);
    pair_close (&pair);
}

static void row_apply_single (void)
{
    apply_some ("one update a change", SINGLE_CHANGES, 1, 1e6 / bench_sign_verify_us ());
}

static void row_apply (void)
{
    apply_some ("1,000 updates a change", GROUPED_OPS, GROUP, 1e6 / bench_sign_verify_us ());
}

/* Ten replicas that have each written to the same keys. */
typedef struct ten_t {
    pair_t pair;
    skr_replica_t *replicas[REPLICAS];
    made_t made[REPLICAS];
    size_t threads;
} ten_t;

static void open_ten (ten_t *self)
{
    static const skr_id_t roster;
    char store[128];
    open_pair (&self->pair);
    self->replicas[0] = self->pair.a;
    self->replicas[1] = self->pair.b;
    for (size_t i = 2; i < REPLICAS; i++) {
        snprintf (store, sizeof store, "%s/%zu", self->pair.folder, i);
        if (!pair_adopt (self->pair.a, store, "one more", SKR_ROLE_WRITE, &self->replicas[i])) {
            exit (1);
        }
    }
    for (size_t i = 1; i < REPLICAS; i++) {
        must (pair_sync (self->pair.a, self->replicas[i], &roster), "roster");
    }
    for (size_t i = 0; i < REPLICAS; i++) {
        write_all (self->replicas[i], UPDATES, GROUP, KEYS, &self->made[i]);
    }
}

static void check_equal (const ten_t *self)
{
    skr_id_t id;
    skr_replica_collection_id (self->pair.a, "bench", &id);
    const skr_collection_t *first = skr_replica_collection (self->pair.a, &id);
    for (size_t i = 1; i < REPLICAS; i++) {
        const skr_collection_t *other = skr_replica_collection (self->replicas[i], &id);
        if (!skr_fingerprint_equal (&other->fingerprint, &first->fingerprint)) {
            bench_info ("two replicas differ");
            exit (1);
        }
    }
}

static void close_ten (ten_t *self)
{
    for (size_t i = 0; i < REPLICAS; i++) {
        skr_buf_free (&self->made[i].bytes);
    }
    for (size_t i = 2; i < REPLICAS; i++) {
        skr_replica_close (&self->replicas[i]);
    }
    pair_close (&self->pair);
}

typedef struct merging_t {
    const ten_t *ten;
    size_t first; /* of the replicas that this thread works for */
} merging_t;

static void *merge_some (void *argument)
{
    const merging_t *self = argument;
    for (size_t i = self->first; i < REPLICAS; i += self->ten->threads) {
        for (size_t k = 0; k < REPLICAS; k++) {
            if (k != i) {
                offer_all (self->ten->replicas[i], &self->ten->made[k], UPDATES / GROUP);
            }
        }
    }
    return NULL;
}

static void merge_all (const ten_t *ten)
{
    pthread_t threads[REPLICAS];
    merging_t merging[REPLICAS];
    for (size_t i = 0; i < ten->threads; i++) {
        merging[i] = (merging_t){ten, i};
        if (pthread_create (&threads[i], NULL, merge_some, &merging[i]) != 0) {
            bench_info ("no thread");
            exit (1);
        }
    }
    for (size_t i = 0; i < ten->threads; i++) {
        pthread_join (threads[i], NULL);
    }
}

static void merge_ten (size_t threads, const char *how)
{
    char figure[96];
    ten_t ten = {.threads = threads};
    open_ten (&ten);
    uint64_t start_us = bench_now_us ();
    merge_all (&ten);
    double elapsed_ms = (double) (bench_now_us () - start_us) / 1000;
    check_equal (&ten);
    snprintf (figure, sizeof figure, "10 replicas, 10,000 updates each of 1,000 keys: merged%s",
              how);
    bench_print (figure, elapsed_ms, "ms", NULL, 0);
    snprintf (figure, sizeof figure, "updates applied a second%s", how);
    bench_print (figure, (double) REPLICAS * (REPLICAS - 1) * UPDATES / elapsed_ms * 1000,
                 "updates/s", NULL, 0);
    close_ten (&ten);
}

static void row_merge (void)
{
    merge_ten (1, "");
}

/* As ten processes would, as many at a time as there are processors. */
static void row_merge_parallel (void)
{
    long processors = sysconf (_SC_NPROCESSORS_ONLN);
    merge_ten (processors < 1          ? 1
               : processors < REPLICAS ? (size_t) processors
                                       : REPLICAS,
               ", on all processors");
}

const bench_row_t bench_replica_rows[] = {
    {"apply-single", "updates, each a change, made at one replica and applied at another",
     row_apply_single},
    {"apply", "the same with 1,000 updates a change", row_apply},
    {"stream", "the same, each replica with a thread of its own", row_stream},
    {"merge", "ten replicas with updates of the same keys, in memory", row_merge},
    {"merge-parallel", "the same, on all processors", row_merge_parallel},
    {0},
};
