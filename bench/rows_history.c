/* Both write the same documents while apart: nobody tells them where the other is. */

#include "bench/bench.h"
#include "bench/machines.h"

#include <stdio.h>

#define CONFLICTS 10000
#define CONFLICTS_AMONG 100000 /* documents, in the end */

static mesh_t mesh;

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
        bench_must (saker_conflicts (mesh.machines[0].saker, "conflicts", NULL, NULL,
                                     count_conflict, &count),
                    "list conflicts");
        listed[i] = (double) (bench_now_us () - start_us) / 1000;
        start_us = bench_now_us ();
        bench_must (saker_log (mesh.machines[0].saker, "conflicts", "document-00000007",
                               count_change, &changes, NULL),
                    "read history");
        logged[i] = (double) (bench_now_us () - start_us) / 1000;
        if (count != CONFLICTS || changes != 2) {
            bench_die ("there are not as many conflicts, or changes, as were made");
        }
    }
    bench_print (conflicts_figure, bench_quantile (listed, 5, 0.5), "ms", NULL, 0);
    bench_print (log_figure, bench_quantile (logged, 5, 0.5), "ms", NULL, 0);
}

static void row_conflicts (void)
{
    bench_mesh_begin (&mesh, 2);
    bench_start (&mesh.machines[0], NULL);
    bench_write_numbers (&mesh.machines[0], "conflicts", 0, CONFLICTS, 1);
    bench_stop (&mesh.machines[0]);
    bench_start (&mesh.machines[1], NULL);
    bench_write_numbers (&mesh.machines[1], "conflicts", 0, CONFLICTS, 2);
    bench_start (&mesh.machines[0], &mesh.machines[1]);
    bench_wait (&mesh.machines[1]);
    list_conflicts ("10,000 conflicts listed, of 10,000 documents",
                    "log of one of 10,000 documents");
    bench_write_numbers (&mesh.machines[0], "conflicts", CONFLICTS, CONFLICTS_AMONG, 3);
    list_conflicts ("10,000 conflicts listed, of 100,000 documents",
                    "log of one of 100,000 documents");
    bench_mesh_end (&mesh);
}

const bench_row_t bench_history_rows[] = {
    {"conflicts", "10,000 open conflicts, and the log of one document", row_conflicts},
    {0},
};
