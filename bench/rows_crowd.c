/* Sixteen daemons, each with a writer. */

#include "bench/bench.h"
#include "bench/machines.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD 16
#define A_SECOND 50
#define SECONDS 10

/* In a process of its own, so that no writer waits for another. */
static void write_on (const machine_t *machine)
{
    saker_t *saker = NULL;
    bench_must (saker_open (&saker, machine->store, BENCH_TIMEOUT_MS), "open");
    uint64_t start_us = bench_now_us ();
    for (uint64_t i = 0; i < (uint64_t) A_SECOND * SECONDS; i++) {
        char document[32];
        saker_batch_t *batch = saker_batch_new ("crowd");
        snprintf (document, sizeof document, "%s-%u", machine->name, (unsigned) i % 100);
        bench_put_document (batch, document, i);
        bench_must (saker_write (saker, batch, NULL), "write");
        saker_batch_destroy (&batch);
        uint64_t due_us = start_us + (i + 1) * 1000000 / A_SECOND, now_us = bench_now_us ();
        if (now_us < due_us) {
            usleep ((useconds_t) (due_us - now_us));
        }
    }
    saker_close (&saker);
    _exit (0);
}

static void row_crowd (void)
{
    mesh_t mesh;
    bench_mesh_run (&mesh, CROWD);
    double sign_us = bench_sign_verify_us (), before_us = bench_processors_us (&mesh);
    uint64_t start_us = bench_now_us ();
    for (size_t i = 0; i < CROWD; i++) {
        if (fork () == 0) {
            write_on (&mesh.machines[i]);
        }
    }
    for (size_t i = 0, status = 0; i < CROWD; i++) {
        int ended;
        while (wait (&ended) < 0) {
        }
        status += ended != 0;
        if (status) {
            bench_die ("a writer");
        }
    }
    double written = (double) (bench_now_us () - start_us) / 1e6;
    for (size_t i = 0; i < CROWD; i++) {
        bench_wait (&mesh.machines[i]);
    }
    double all = (double) (bench_now_us () - start_us) / 1e6;
    double delivered = (double) CROWD * A_SECOND * SECONDS * CROWD; /* also where it was written */
    bench_print ("16 daemons, 50 changes a second each: written in", written, "s", "as planned",
                 SECONDS);
    bench_print ("all stored everywhere, after the last write", all - written, "s", NULL, 0);
    bench_print ("processor time a delivered change",
                 (bench_processors_us (&mesh) - before_us) / delivered, "us",
                 "one signature made and checked", sign_us);
    bench_mesh_end (&mesh);
}

const bench_row_t bench_crowd_rows[] = {
    {"crowd", "16 daemons, each writing 50 changes a second", row_crowd},
    {0},
};
