/* Two daemons: one change, many documents, counters, memory. */

#include "bench/bench.h"
#include "bench/machines.h"

#include <stdio.h>

#define LATENCY_WRITES 1000
#define BULK_DOCUMENTS 50000
#define INCREMENTS 200000
#define PER_CHANGE 1000        /* increments */
#define MEMORY_DOCUMENTS 13037 /* as many as the two lists of iso-codes hold */

static double limit_commit_us (void)
{
    return bench_commit_us (bench_options.folder);
}

static void row_latency (void)
{
    static double samples[LATENCY_WRITES], locals[LATENCY_WRITES];
    mesh_t mesh;
    bench_watch_t watch;
    bench_mesh_run (&mesh, 2);
    saker_batch_t *batch = saker_batch_new ("latency");
    bench_put_document (batch, "document", 0);
    bench_must (saker_write (mesh.machines[0].saker, batch, NULL), "write");
    bench_watch_begin (&watch, &mesh.machines[0], &mesh.machines[1], "latency");
    double round_trip_us = bench_round_trip_us (), commit_us = limit_commit_us ();
    for (size_t i = 0; i < LATENCY_WRITES; i++) {
        saker_batch_destroy (&batch);
        batch = saker_batch_new ("latency");
        bench_put_document (batch, "document", i + 1);
        samples[i] = bench_watch_write (&watch, batch, &locals[i]);
    }
    saker_batch_destroy (&batch);
    commit_us = (commit_us + limit_commit_us ()) / 2;
    double bare = commit_us + round_trip_us / 2;
    bench_print ("round trip, CURVE, loopback: median", round_trip_us, "us", NULL, 0);
    bench_print ("written on A, acknowledged there: median",
                 bench_quantile (locals, LATENCY_WRITES, 0.5), "us", "one commit", commit_us);
    bench_print ("written on A, readable on B: median",
                 bench_quantile (samples, LATENCY_WRITES, 0.5), "us", "commit + message", bare);
    bench_print ("written on A, readable on B: p99", bench_quantile (samples, LATENCY_WRITES, 0.99),
                 "us", "commit + message", bare);
    bench_mesh_end (&mesh);
}

static void row_bulk (void)
{
    mesh_t mesh;
    bench_mesh_run (&mesh, 2);
    double limit =
        bench_inserts (bench_options.folder, bench_document_bytes (0), BULK_DOCUMENTS, 180);
    uint64_t start_us = bench_now_us ();
    bench_write_documents (&mesh.machines[0], "bulk", 0, BULK_DOCUMENTS);
    double written = (double) (bench_now_us () - start_us) / 1e6;
    bench_wait (&mesh.machines[0]);
    double arrived = (double) (bench_now_us () - start_us) / 1e6;
    bench_print ("documents of 5 fields imported on A, durable", BULK_DOCUMENTS / written,
                 "documents/s", "LMDB, 180 a commit", limit);
    bench_print ("the same, stored on B", BULK_DOCUMENTS / arrived, "documents/s",
                 "LMDB, 180 a commit", limit);
    bench_print ("processor time a document, A",
                 bench_processor_us (&mesh.machines[0]) / BULK_DOCUMENTS, "us", NULL, 0);
    bench_print ("processor time a document, B",
                 bench_processor_us (&mesh.machines[1]) / BULK_DOCUMENTS, "us", NULL, 0);
    bench_mesh_end (&mesh);
}

static void increment (const machine_t *machine, size_t count, size_t per_change)
{
    for (size_t done = 0; done < count; done += per_change) {
        saker_batch_t *batch = saker_batch_new ("counters");
        for (size_t i = 0; i < per_change; i++) {
            char document[32];
            snprintf (document, sizeof document, "counter-%u", (unsigned) ((done + i) % 100));
            bench_must (saker_batch_incr (batch, document, "/n", 1), "incr");
        }
        bench_must (saker_write (machine->saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
}

static void row_counters (void)
{
    mesh_t mesh;
    bench_mesh_run (&mesh, 1);
    double limit = bench_inserts (bench_options.folder, 16, INCREMENTS, PER_CHANGE);
    uint64_t start_us = bench_now_us ();
    increment (&mesh.machines[0], INCREMENTS, PER_CHANGE);
    double many = (double) (bench_now_us () - start_us) / 1e6;
    bench_print ("increments of 100 counters, 1,000 a change", INCREMENTS / many, "a second",
                 "LMDB, 1,000 a commit", limit);
    double commit_us = limit_commit_us ();
    start_us = bench_now_us ();
    increment (&mesh.machines[0], 1000, 1);
    double single = (double) (bench_now_us () - start_us) / 1000;
    bench_print ("one increment, acknowledged", single, "us", "one commit", commit_us);
    bench_mesh_end (&mesh);
}

static void print_memory (const mesh_t *mesh, const char *which)
{
    char figure[64];
    for (size_t i = 0; i < mesh->count; i++) {
        snprintf (figure, sizeof figure, "daemon %c, %s: resident", "AB"[i], which);
        bench_print (figure, bench_memory_mib (&mesh->machines[i], "Rss:"), "MiB", NULL, 0);
        snprintf (figure, sizeof figure, "daemon %c, %s: its own (anonymous)", "AB"[i], which);
        bench_print (figure, bench_memory_mib (&mesh->machines[i], "Anonymous:"), "MiB", NULL, 0);
    }
}

static void row_memory (void)
{
    mesh_t mesh;
    bench_mesh_run (&mesh, 2);
    print_memory (&mesh, "idle");
    bench_write_documents (&mesh.machines[0], "memory", 0, MEMORY_DOCUMENTS);
    bench_wait (&mesh.machines[0]);
    print_memory (&mesh, "13,037 documents");
    bench_mesh_end (&mesh);
}

const bench_row_t bench_mesh_rows[] = {
    {"memory", "of a daemon, idle and with some documents", row_memory},
    {"latency", "one change, from a write on A to a reader on B", row_latency},
    {"bulk", "documents imported on A and stored on B", row_bulk},
    {"counters", "increments, one by one and in groups", row_counters},
    {0},
};
