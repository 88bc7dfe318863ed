/* What the machine can do at best, measured in the same run as what saker does, so that figures are
   ratios and not times. All times in microseconds. */

#ifndef BENCH_LIMITS_H_INCLUDED
#define BENCH_LIMITS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

uint64_t bench_now_us (void);
/* Sorts the samples. `part` is 0.5 for the median, 0.99 ... */
double bench_quantile (double *samples, size_t count, double part);

/* Median of a durable LMDB commit of one small record in a folder (made and removed). */
double bench_commit_us (const char *folder);
/* Records of that size a second into LMDB in a folder (made and removed), in ascending order, so
   many a durable commit. */
double bench_inserts (const char *folder, size_t record_bytes, size_t records, size_t per_commit);
/* Bytes a second that can be written to a file in a folder and synced. */
double bench_write_bytes (const char *folder, size_t bytes);
/* One Ed25519 signature made and checked, of 256 bytes: median. */
double bench_sign_verify_us (void);
/* Median round trip of 64 bytes over DEALER and ROUTER, TCP loopback, CURVE. */
double bench_round_trip_us (void);

#endif
