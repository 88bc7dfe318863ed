/* Cells in memory: a sorted array. For tests only. */

#ifndef TESTS_LIB_MEMORY_CELLS_H_INCLUDED
#define TESTS_LIB_MEMORY_CELLS_H_INCLUDED

#include "crdt/cells.h"

typedef struct memory_entry_t {
    skr_buf_t document, address, value;
    skr_dot_t dot;
    uint64_t hlc;
} memory_entry_t;

typedef struct memory_cells_t {
    skr_cells_t cells;       /* the interface; its context is this structure */
    memory_entry_t *entries; /* by document, address, dot */
    size_t count, capacity;
    size_t scans;    /* calls so far */
    size_t visits;   /* entries handed out so far */
    long fail_after; /* calls that still succeed before one fails with SAKER_EIO; -1: all */
} memory_cells_t;

/* It must not move afterwards. */
void memory_cells_init (memory_cells_t *self);
void memory_cells_free (memory_cells_t *self);
/* Appends everything that is held, in order: equal bytes, equal cells. */
void memory_cells_dump (const memory_cells_t *self, skr_buf_t *buf);
/* The fingerprint, summed anew. */
skr_fingerprint_t memory_cells_fingerprint (const memory_cells_t *self, const skr_id_t *collection);
/* The i-th entry, borrowed until the next change. */
skr_entry_t memory_cells_entry (const memory_cells_t *self, size_t i);

#endif
