/* A replica in memory: cells, clock, and a log with undo. For tests of the merge only: changes are
   handed over unsigned, as their content with the writer's whole clock as deps. */

#ifndef TESTS_LIB_MEMORY_REPLICA_H_INCLUDED
#define TESTS_LIB_MEMORY_REPLICA_H_INCLUDED

#include "crdt/apply.h"
#include "crdt/value.h"
#include "tests/lib/memory_cells.h"

#define MEMORY_WRITERS 8

typedef struct memory_change_t {
    skr_id_t writer;
    uint64_t seq, hlc;
    skr_clock_t deps;
    skr_buf_t content;
} memory_change_t;

typedef struct memory_log_t {
    const memory_change_t *change; /* borrowed */
    skr_buf_t undo;
} memory_log_t;

typedef struct memory_replica_t {
    memory_cells_t cells;
    skr_id_t collection;
    skr_id_t writer;
    skr_clock_t clock;
    skr_fingerprint_t fingerprint;
    uint64_t hlc;     /* of the next change that is written here */
    bool pred_always; /* INCR and ADD carry what they saw, too */
    memory_log_t *log;
    size_t log_count;
    skr_buf_t ops, undo; /* of the change being written */
    size_t ops_count;
} memory_replica_t;

/* The n-th writer; ascending. */
skr_id_t memory_writer (unsigned n);

void memory_replica_init (memory_replica_t *self, unsigned n);
void memory_replica_free (memory_replica_t *self);

/* One operation of the change being written; it takes effect here at once. */
saker_err_t memory_replica_op (memory_replica_t *self, skr_op_kind_t kind, const char *document,
                               const char *pointer, const saker_value_t *value) SKR_MUST_USE;
/* The same for whole numbers, and for operations without a value. */
saker_err_t memory_replica_int (memory_replica_t *self, skr_op_kind_t kind, const char *document,
                                const char *pointer, int64_t number) SKR_MUST_USE;
/* Ends the change being written. Owned by the caller; must outlive the replicas. */
memory_change_t *memory_replica_commit (memory_replica_t *self);
void memory_change_free (memory_change_t *self);

/* Is all there that the change needs, and the change not yet? */
bool memory_replica_ready (const memory_replica_t *self, const memory_change_t *change);
/* Applies it; SAKER_OK also when it was applied before; SAKER_EWAIT when something is missing. */
saker_err_t memory_replica_apply (memory_replica_t *self,
                                  const memory_change_t *change) SKR_MUST_USE;
/* Takes back the change applied last. */
saker_err_t memory_replica_undo (memory_replica_t *self) SKR_MUST_USE;

/* Same cells and same fingerprint, byte for byte? And is the fingerprint the sum of the cells? */
bool memory_replica_equal (const memory_replica_t *one, const memory_replica_t *other);
bool memory_replica_sound (const memory_replica_t *self);

/* What a reader sees, as text: "/a 1, /a 2 rival conflict, /n counter 7, /s member 3, /m map",
   with "hidden" for what is not shown. Borrowed until the next call. */
const char *memory_replica_show (const memory_replica_t *self, const char *document,
                                 const char *pointer);

#endif
