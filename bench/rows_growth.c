/* How cost grows: with documents, peers, fields of a document, size of a change, share of rivals.
 */

#include "bench/bench.h"
#include "bench/machines.h"
#include "bench/plot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES 200

static void point (plot_t *plot, double x, const double *values, const char *const *names,
                   const char *unit)
{
    plot->x[plot->points] = x;
    for (size_t i = 0; i < plot->lines_count; i++) {
        char figure[96];
        plot->lines[i].y[plot->points] = values[i];
        plot->lines[i].name = names[i];
        snprintf (figure, sizeof figure, "%s %.7g: %s", plot->x_name, x, names[i]);
        bench_print (figure, values[i], unit, NULL, 0);
    }
    plot->points++;
}

static void show (const plot_t *plot, const char *name)
{
    if (bench_options.plots) {
        plot_write (plot, bench_options.plots, name);
    }
}

/* Medians of so many changes of random documents among `documents`. */
static void time_changes (const mesh_t *mesh, const char *collection, uint64_t documents,
                          double *local_us, double *seen_us)
{
    static double locals[SAMPLES], seen[SAMPLES];
    bench_watch_t watch;
    bench_watch_begin (&watch, &mesh->machines[0], &mesh->machines[mesh->count - 1], collection);
    for (size_t i = 0; i < SAMPLES; i++) {
        char document[32];
        saker_batch_t *batch = saker_batch_new (collection);
        snprintf (document, sizeof document, "document-%08" PRIu64,
                  (uint64_t) random () % documents);
        bench_put_document (batch, document, documents + i); /* what no document holds yet */
        seen[i] = bench_watch_write (&watch, batch, &locals[i]);
        saker_batch_destroy (&batch);
    }
    *local_us = bench_quantile (locals, SAMPLES, 0.5);
    *seen_us = bench_quantile (seen, SAMPLES, 0.5);
}

static double bytes_a_beat (const machine_t *machine)
{
    double bytes = -bench_status (machine, "/live/bytes_in"),
           beats = -bench_status (machine, "/beats/in");
    sleep (5);
    bytes += bench_status (machine, "/live/bytes_in");
    beats += bench_status (machine, "/beats/in");
    return beats > 0 ? bytes / beats : 0;
}

static void row_documents (void)
{
    static const char *const names[] = {"a change, acknowledged", "a change, seen on B",
                                        "a commit"};
    plot_t plot = {.title = "One change, and documents in the collection",
                   .x_name = "documents",
                   .y_name = "us",
                   .lines_count = 3};
    mesh_t mesh;
    uint64_t have = 0;
    bench_mesh_run (&mesh, 2);
    for (uint64_t documents = 1000; documents <= bench_options.documents; documents *= 10) {
        double values[3];
        bench_write_documents (&mesh.machines[0], "growth", have, documents);
        have = documents;
        bench_wait (&mesh.machines[0]);
        values[2] = bench_commit_us (bench_options.folder);
        time_changes (&mesh, "growth", documents, &values[0], &values[1]);
        point (&plot, (double) documents, values, names, "us");
        bench_print ("a beat, at rest", bytes_a_beat (&mesh.machines[1]), "bytes", NULL, 0);
    }
    show (&plot, "documents");
    bench_mesh_end (&mesh);
}

static void row_peers (void)
{
    static const char *const names[] = {"a change, seen on the last", "processor time a delivery"};
    plot_t plot = {
        .title = "One change, and peers", .x_name = "peers", .y_name = "us", .lines_count = 2};
    for (size_t peers = 2; peers <= 16; peers *= 2) {
        mesh_t mesh;
        double values[2], local_us;
        bench_mesh_run (&mesh, peers);
        double before_us = bench_processors_us (&mesh);
        time_changes (&mesh, "growth", 1000, &local_us, &values[0]);
        bench_wait (&mesh.machines[0]);
        values[1] = (bench_processors_us (&mesh) - before_us) / (double) (SAMPLES * peers);
        point (&plot, (double) peers, values, names, "us");
        bench_mesh_end (&mesh);
    }
    show (&plot, "peers");
}

static void write_fields (const machine_t *machine, size_t fields, uint64_t documents)
{
    const saker_value_t value = {.type = SAKER_TEXT, .as.string = {"a short text", 12}};
    for (uint64_t i = 0; i < documents; i++) {
        char document[32], pointer[32];
        saker_batch_t *batch = saker_batch_new ("fields");
        snprintf (document, sizeof document, "document-%zu-%08" PRIu64, fields, i);
        for (size_t k = 0; k < fields; k++) {
            snprintf (pointer, sizeof pointer, "/field-%zu", k);
            bench_must (saker_batch_set (batch, document, pointer, &value), "set");
        }
        bench_must (saker_write (machine->saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
    }
}

static void row_fields (void)
{
    static const char *const names[] = {"processor time a field, A", "processor time a field, B"};
    plot_t plot = {.title = "Documents, and their fields",
                   .x_name = "fields",
                   .y_name = "us",
                   .lines_count = 2};
    mesh_t mesh;
    bench_mesh_run (&mesh, 2);
    for (size_t fields = 1; fields <= 1000; fields *= 10) {
        uint64_t documents = 20000 / (fields < 10 ? 10 : fields);
        double values[2];
        for (size_t i = 0; i < 2; i++) {
            values[i] = -bench_processor_us (&mesh.machines[i]);
        }
        write_fields (&mesh.machines[0], fields, documents);
        bench_wait (&mesh.machines[0]);
        for (size_t i = 0; i < 2; i++) {
            values[i] += bench_processor_us (&mesh.machines[i]);
            values[i] /= (double) (documents * fields);
        }
        point (&plot, (double) fields, values, names, "us");
    }
    show (&plot, "fields");
    bench_mesh_end (&mesh);
}

static void row_size (void)
{
    static const char *const names[] = {"a change, acknowledged", "a change, seen on B"};
    static char text[60000];
    static double locals[SAMPLES], seen[SAMPLES];
    plot_t plot = {
        .title = "One change, and its size", .x_name = "bytes", .y_name = "us", .lines_count = 2};
    mesh_t mesh;
    bench_watch_t watch;
    memset (text, 'x', sizeof text);
    bench_mesh_run (&mesh, 2);
    bench_watch_begin (&watch, &mesh.machines[0], &mesh.machines[1], "size");
    for (size_t size = 10; size <= sizeof text; size = size < 10000 ? size * 10 : size * 6) {
        const saker_value_t value = {.type = SAKER_TEXT, .as.string = {text, size}};
        for (size_t i = 0; i < SAMPLES; i++) {
            saker_batch_t *batch = saker_batch_new ("size");
            bench_must (saker_batch_set (batch, "document", "/text", &value), "set");
            seen[i] = bench_watch_write (&watch, batch, &locals[i]);
            saker_batch_destroy (&batch);
        }
        const double values[] = {bench_quantile (locals, SAMPLES, 0.5),
                                 bench_quantile (seen, SAMPLES, 0.5)};
        point (&plot, (double) size, values, names, "us");
    }
    show (&plot, "size");
    bench_mesh_end (&mesh);
}

/* ---- rivals */

#define RIVAL_DOCUMENTS 10000

static int count_leaf (const saker_leaf_t *leaf, void *argument)
{
    *(uint64_t *) argument += !leaf->rival;
    return 0;
}

static void row_rivals (void)
{
    static const char *const names[] = {"a document read", "a document settled"};
    static const unsigned shares[] = {1, 10, 100};
    plot_t plot = {.title = "Documents, and how many are in conflict",
                   .x_name = "percent",
                   .y_name = "us",
                   .lines_count = 2};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        mesh_t mesh;
        uint64_t read = 0;
        bench_mesh_begin (&mesh, 2);
        bench_start (&mesh.machines[0], NULL);
        bench_write_numbers (&mesh.machines[0], "rivals", 0, RIVAL_DOCUMENTS, 1);
        bench_stop (&mesh.machines[0]);
        bench_start (&mesh.machines[1], NULL);
        bench_write_numbers (&mesh.machines[1], "rivals", 0, RIVAL_DOCUMENTS * shares[i] / 100, 2);
        bench_start (&mesh.machines[0], &mesh.machines[1]);
        bench_wait (&mesh.machines[1]);
        bench_wait (&mesh.machines[0]);
        uint64_t start_us = bench_now_us ();
        bench_must (saker_iterate (mesh.machines[0].saker, "rivals", count_leaf, &read), "iterate");
        double read_us = (double) (bench_now_us () - start_us) / RIVAL_DOCUMENTS;
        if (read != RIVAL_DOCUMENTS) {
            bench_die ("documents are missing");
        }
        start_us = bench_now_us ();
        bench_write_numbers (&mesh.machines[0], "rivals", 0, RIVAL_DOCUMENTS, 3);
        const double values[] = {read_us, (double) (bench_now_us () - start_us) / RIVAL_DOCUMENTS};
        point (&plot, shares[i], values, names, "us");
        bench_mesh_end (&mesh);
    }
    show (&plot, "rivals");
}

const bench_row_t bench_growth_rows[] = {
    {"growth-documents", "one change among 1,000 to a million documents", row_documents},
    {"growth-peers", "one change among 2 to 16 peers", row_peers},
    {"growth-fields", "documents of 1 to 1,000 fields", row_fields},
    {"growth-size", "changes of 10 to 60,000 bytes", row_size},
    {"growth-rivals", "documents of which 1 to 100 percent are in conflict", row_rivals},
    {0},
};
