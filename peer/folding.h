/* Folding: while a slice of the log goes, the counters that its changes touched are looked at, and
   what one writer has in one of them, up to what all have cut, becomes one entry (crdt/fold.h). In
   the open group of the slice. Nobody but cut.c uses this. */

#ifndef SKR_PEER_FOLDING_H_INCLUDED
#define SKR_PEER_FOLDING_H_INCLUDED

#include "peer/replica_internal.h"

/* One writer's part of one counter; borrows from the buffer of the folding. */
typedef struct skr_folding_place_t {
    skr_id_t writer;
    size_t document_at, document_size, path_at, path_size;
} skr_folding_place_t;

typedef struct skr_folding_t {
    skr_replica_t *replica;
    skr_held_t *held;
    const skr_clock_t *foldable;
    skr_folding_place_t *places;
    size_t count, capacity;
    skr_buf_t names, content;
} skr_folding_t;

/* Notes the counters that the change at a position incremented. One that cannot be read is left. */
saker_err_t skr_folding_note (skr_folding_t *self, uint64_t position) SKR_MUST_USE;
/* Folds what was noted. */
saker_err_t skr_folding_end (skr_folding_t *self) SKR_MUST_USE;
void skr_folding_free (skr_folding_t *self);

#endif
