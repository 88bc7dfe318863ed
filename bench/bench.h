/* saker-bench: what saker does, beside what the machine can do, in one run. A row is one subject;
   each makes what it needs by itself, so that every row can run alone. */

#ifndef BENCH_BENCH_H_INCLUDED
#define BENCH_BENCH_H_INCLUDED

#include "bench/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_row_t {
    const char *name;
    const char *what; /* for --list */
    void (*run) (void);
} bench_row_t;

/* The rows of each file; ended by one without a name. */
extern const bench_row_t bench_mesh_rows[];    /* rows_mesh.c: two daemons */
extern const bench_row_t bench_million_rows[]; /* rows_million.c: a million documents */
extern const bench_row_t bench_replica_rows[]; /* rows_replica.c: no network, no disk */
extern const bench_row_t bench_crowd_rows[];   /* rows_crowd.c: sixteen daemons */
extern const bench_row_t bench_history_rows[]; /* rows_history.c: conflicts and log */
extern const bench_row_t bench_growth_rows[];  /* rows_growth.c: how cost grows */

/* Sizes, from the command line. */
typedef struct bench_options_t {
    bool json;
    uint64_t documents; /* of the rows with a million */
    const char *plots;  /* folder for SVG files; NULL: none */
    char folder[256];   /* temporary, for all that is made */
} bench_options_t;
extern bench_options_t bench_options;

/* ---- what was found: results.c */

/* One figure of the row that runs, and the limit that it is compared with (NULL: none). The ratio
   is value to limit. */
void bench_row (const char *row);
void bench_print (const char *figure, double value, const char *unit, const char *limit,
                  double limit_value);
void bench_info (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

#endif
