/* A million documents: snapshot, memory, start, disk; what two that hold them say to each other. */

#include "bench/bench.h"
#include "bench/machines.h"

#include <stdio.h>
#include <unistd.h>

#define COLLECTION "million"
#define DIFFERENCES 10
#define BEATS_S 12

static mesh_t mesh; /* one machine with all documents */

static void fill (void)
{
    bench_mesh_run (&mesh, 1);
    uint64_t start_us = bench_now_us ();
    bench_write_documents (&mesh.machines[0], COLLECTION, 0, bench_options.documents);
    double seconds = (double) (bench_now_us () - start_us) / 1e6;
    bench_print ("documents imported", (double) bench_options.documents / seconds, "documents/s",
                 NULL, 0);
}

static void row_store (void)
{
    fill ();
    machine_t *a = &mesh.machines[0];
    bench_print ("daemon with all documents: resident", bench_memory_mib (a, "Rss:"), "MiB", NULL,
                 0);
    bench_print ("daemon with all documents: its own (anonymous)",
                 bench_memory_mib (a, "Anonymous:"), "MiB", NULL, 0);
    bench_print ("on disk, a document", bench_store_bytes (a) / (double) bench_options.documents,
                 "bytes", "canonical JSON",
                 (double) bench_document_bytes (bench_options.documents / 2));
    bench_stop (a);
    uint64_t start_us = bench_now_us ();
    bench_start (a, NULL);
    bench_print ("start, until the first answer", (double) (bench_now_us () - start_us) / 1000,
                 "ms", NULL, 0);
    bench_print ("daemon started anew: its own (anonymous)", bench_memory_mib (a, "Anonymous:"),
                 "MiB", NULL, 0);
    bench_mesh_end (&mesh);
}

/* ---- a second machine takes it all */

static machine_t second;

static double join_second (double *peak_a, double *peak_b)
{
    machine_t *a = &mesh.machines[0];
    bench_mesh_join (&mesh, &second, "second");
    uint64_t start_us = bench_now_us ();
    bench_start (&second, a);
    for (double documents = 0; documents < (double) bench_options.documents;) {
        usleep (20000);
        double here = bench_memory_mib (a, "Anonymous:"),
               there = bench_memory_mib (&second, "Anonymous:");
        *peak_a = here > *peak_a ? here : *peak_a;
        *peak_b = there > *peak_b ? there : *peak_b;
        documents = bench_status (&second, "/collections/" COLLECTION "/documents");
    }
    double seconds = (double) (bench_now_us () - start_us) / 1e6;
    bench_wait (a);
    return seconds;
}

static void row_snapshot (void)
{
    double peak_a = 0, peak_b = 0;
    fill ();
    double bytes = bench_store_bytes (&mesh.machines[0]);
    double limit = bench_write_bytes (bench_options.folder, (size_t) bytes);
    double seconds = join_second (&peak_a, &peak_b);
    bench_print ("a new machine has all documents", seconds, "s", "the store's bytes written",
                 bytes / limit);
    bench_print ("sender, at most: its own (anonymous)", peak_a, "MiB", NULL, 0);
    bench_print ("receiver, at most: its own (anonymous)", peak_b, "MiB", NULL, 0);
    bench_stop (&second);
    bench_mesh_end (&mesh);
}

/* ---- what they say to each other */

static double bytes_in (const machine_t *machine)
{
    return bench_status (machine, "/live/bytes_in") + bench_status (machine, "/router/bytes_in")
           + bench_status (machine, "/sessions/bytes_in");
}

static void say_equal (void)
{
    const machine_t *machines[] = {&mesh.machines[0], &second};
    double bytes = 0, beats = 0;
    for (size_t i = 0; i < 2; i++) {
        bytes -= bytes_in (machines[i]);
        beats -= bench_status (machines[i], "/beats/in");
    }
    sleep (BEATS_S);
    for (size_t i = 0; i < 2; i++) {
        bytes += bytes_in (machines[i]);
        beats += bench_status (machines[i], "/beats/in");
    }
    bench_print ("two that are equal: bytes a beat, all told", beats > 0 ? bytes / beats : 0,
                 "bytes", NULL, 0);
}

static void change_some (machine_t *machine, uint64_t first)
{
    bench_start (machine, NULL);
    for (uint64_t i = first; i < first + DIFFERENCES; i++) {
        char document[32];
        saker_batch_t *batch = saker_batch_new (COLLECTION);
        snprintf (document, sizeof document, "document-%08u", (unsigned) (i * 97));
        bench_put_document (batch, document, i);
        bench_must (saker_write (machine->saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
    bench_stop (machine);
}

static void say_differences (void)
{
    machine_t *a = &mesh.machines[0];
    bench_stop (a);
    bench_stop (&second);
    change_some (a, 1);
    change_some (&second, 1 + DIFFERENCES);
    bench_start (a, NULL);
    uint64_t start_us = bench_now_us ();
    bench_start (&second, a);
    bench_wait (a);
    bench_wait (&second);
    double elapsed_ms = (double) (bench_now_us () - start_us) / 1000;
    double payload =
        bench_status (a, "/sessions/bytes") + bench_status (&second, "/sessions/bytes");
    double pulls =
        bench_status (a, "/sessions/requests") + bench_status (&second, "/sessions/requests");
    double bytes = bytes_in (a) + bytes_in (&second);
    bench_print ("10 and 10 differences: bytes beyond the changes", bytes - payload, "bytes", NULL,
                 0);
    bench_print ("10 and 10 differences: the changes", payload, "bytes", NULL, 0);
    bench_print ("10 and 10 differences: requests of both", pulls, "", NULL, 0);
    bench_print ("10 and 10 differences: from start to stored", elapsed_ms, "ms", NULL, 0);
}

static void row_compare (void)
{
    double peak = 0;
    fill ();
    join_second (&peak, &peak);
    say_equal ();
    say_differences ();
    bench_stop (&second);
    bench_mesh_end (&mesh);
}

const bench_row_t bench_million_rows[] = {
    {"store", "a million documents: memory, disk, start", row_store},
    {"snapshot", "a new machine takes a million documents", row_snapshot},
    {"compare", "two with a million documents: what they say to know that they are equal",
     row_compare},
    {0},
};
