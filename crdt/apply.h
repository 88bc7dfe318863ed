/* Apply: the merge. A change is applied to cells once all that it depends on is; two peers that
   applied the same changes hold the same entries. Undo takes the last applied change back. */

#ifndef SKR_CRDT_APPLY_H_INCLUDED
#define SKR_CRDT_APPLY_H_INCLUDED

#include "crdt/cells.h"
#include "crdt/change.h"

/* Where and by whom: the same for all operations of a change. */
typedef struct skr_applier_t {
    const skr_cells_t *cells;
    skr_id_t collection;
    skr_id_t writer;
    uint64_t seq;
    uint64_t hlc;
    skr_fingerprint_t *fingerprint; /* NULL: the cells keep it */
    skr_buf_t *undo; /* receives what was displaced, to be kept in the log; NULL: not wanted */
    struct skr_room_t *room; /* memory for one operation after the other */
    /* Which documents have cells here; NULL: all. What an operation does to others is left out. */
    bool (*carries) (const void *part, skr_span_t document);
    const void *part;
} skr_applier_t;

/* Entries that an operation ends, encoded as in the undo bytes; mostly it is one, which need not be
   decoded: address and value of `last` lie in `entries`, at address_at and at the end. */
typedef struct skr_ended_t {
    skr_buf_t entries;
    size_t count;
    skr_entry_t last;
    size_t address_at;
} skr_ended_t;

/* Starts as all zeros; wiped when it is freed. */
typedef struct skr_room_t {
    skr_ended_t ended;
    skr_buf_t address;
} skr_room_t;

void skr_room_free (skr_room_t *self);

/* Applies one operation (its dot is writer, seq, index). Appends its part of the undo bytes only
   when all of it went well. */
saker_err_t skr_apply_op (const skr_applier_t *self, const skr_op_t *op, const skr_id_t *writers,
                          size_t writers_count, uint32_t index) SKR_MUST_USE;
/* Applies all operations of a content. On an error the cells are as after some of them: the caller
   ends its transaction, or calls skr_apply_undo. */
saker_err_t skr_apply_content (const skr_applier_t *self,
                               const skr_content_t *content) SKR_MUST_USE;
/* Takes back the first ops_count operations of a content whose undo bytes are given: afterwards the
   cells and the fingerprint are as before. Only the change applied last can be taken back. */
saker_err_t skr_apply_undo (const skr_applier_t *self, const skr_op_t *ops, size_t ops_count,
                            skr_span_t undo) SKR_MUST_USE;

/* What the undo bytes of a change of ops_count operations say that each of them ended here, in
   order. An error of the visit ends it. */
typedef saker_err_t skr_ended_fn (size_t index, const skr_entry_t *entry, void *argument);
saker_err_t skr_apply_ended (skr_span_t undo, size_t ops_count, skr_ended_fn *visit,
                             void *argument) SKR_MUST_USE;

/* What is in the scope of a new operation: its pred, the highest dot of each writer, ascending by
   writer id, and the entries that it will end. Starts as all zeros; to be used again and again. */
typedef struct skr_scope_t {
    skr_dot_t *dots;
    size_t count, capacity;
    skr_room_t room;
} skr_scope_t;

saker_err_t skr_apply_seen (const skr_cells_t *cells, skr_op_kind_t kind, skr_span_t document,
                            skr_span_t path, skr_span_t argument, skr_scope_t *seen) SKR_MUST_USE;
void skr_scope_free (skr_scope_t *self);
/* skr_apply_op for who has just made the operation of what was seen: nothing is looked for. */
saker_err_t skr_apply_made (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                            const skr_ended_t *ended) SKR_MUST_USE;

#endif
