/* Trace: what shim.c records of the writes to a store, one head after the other, a write's bytes
   behind its head. */

#ifndef TESTS_CRASH_TRACE_H_INCLUDED
#define TESTS_CRASH_TRACE_H_INCLUDED

#include <stdint.h>

typedef enum trace_kind_t {
    TRACE_WRITE = 1,
    TRACE_SYNCED_WRITE = 2, /* of itself: O_DSYNC */
    TRACE_SYNC = 3,         /* of all writes to the file before it */
} trace_kind_t;

typedef struct trace_head_t {
    uint32_t kind;
    uint32_t spare;
    uint64_t time_ns; /* CLOCK_MONOTONIC, when it was done */
    uint64_t offset, size;
    char name[32]; /* of the file */
} trace_head_t;

#endif
