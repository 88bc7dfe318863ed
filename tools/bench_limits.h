/* What the machine can do at best, measured in the same run as what saker does, so that figures are
   ratios and not times. All times in microseconds. */

#ifndef TOOLS_BENCH_LIMITS_H_INCLUDED
#define TOOLS_BENCH_LIMITS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

uint64_t bench_now_us (void);
/* Sorts the samples. `part` is 0.5 for the median, 0.99 ... */
double bench_quantile (double *samples, size_t count, double part);

/* Median of a durable LMDB commit of one small record in a folder (made and removed). */
double bench_commit_us (const char *folder);
/* Median round trip of 64 bytes over DEALER and ROUTER, TCP loopback, CURVE. */
double bench_round_trip_us (void);

#endif
