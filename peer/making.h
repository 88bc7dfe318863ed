/* Making: one local change while it is made. Each operation is applied at once, so that the next
   sees it; when a later one fails, all are taken back. Then the change is sealed, signed and
   logged. */

#ifndef SKR_PEER_MAKING_H_INCLUDED
#define SKR_PEER_MAKING_H_INCLUDED

#include "peer/replica_internal.h"

typedef struct skr_making_t {
    skr_replica_t *replica;
    skr_held_t *held;
    const skr_cells_t *cells;
    skr_change_t change; /* collection, writer, seq, hlc; the rest once it is built */
    skr_applier_t applier;
    skr_id_t *writers;
    size_t writers_count, writers_capacity;
    skr_op_t *ops; /* as read back from replica->ops, which lay at `base` */
    size_t ops_count, ops_capacity;
    const uint8_t *base;
    bool moved;                            /* it did not all the time */
    skr_scope_t seen;                      /* by the operation that is made */
    char document[SKR_DOCUMENT_BYTES_MAX]; /* of the last operation */
    size_t document_size;
} skr_making_t;

/* ---- making.c */

/* Begins a change of this replica's writer to a collection, which is made when it is not there.
   In any case end it. */
saker_err_t skr_making_begin (skr_making_t *making, skr_replica_t *replica,
                              const skr_id_t *id) SKR_MUST_USE;
/* Adds and applies one operation that ends these dots. An error changes nothing. */
saker_err_t skr_making_add (skr_making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                            const skr_dot_t *dots, size_t count) SKR_MUST_USE;
/* The same with what is seen in its scope; *ended: something was. When nothing is and `needed`, no
   operation is added. */
saker_err_t skr_making_add_seeing (skr_making_t *making, skr_op_kind_t kind,
                                   const skr_intent_t *intent, bool needed,
                                   bool *ended) SKR_MUST_USE;
/* Builds, signs and records what was added, or with an error takes it back and answers it. */
saker_err_t skr_making_end (skr_making_t *making, const skr_local_t *local, saker_err_t error,
                            saker_receipt_t *receipt) SKR_MUST_USE;

/* ---- intent.c */

/* What an increment adds. SAKER_EINPUT: it is no integer. */
saker_err_t skr_intent_amount (const skr_intent_t *intent, int64_t *amount) SKR_MUST_USE;
/* Document and path are in form. */
saker_err_t skr_intent_check (const skr_intent_t *intent) SKR_MUST_USE;
/* Any intent but a replacement. */
saker_err_t skr_making_intent (skr_making_t *making, const skr_intent_t *intent) SKR_MUST_USE;

/* ---- expecting.c */

/* SAKER_ECHANGED when the place has another state than this one. */
saker_err_t skr_making_expect (const skr_making_t *making, const skr_intent_t *intent) SKR_MUST_USE;

/* ---- replacing.c */

/* Makes the replacement that begins at intents[0]; *used is how many intents it took. */
saker_err_t skr_making_replace (skr_making_t *making, const skr_intent_t *intents, size_t count,
                                size_t *used) SKR_MUST_USE;

/* ---- summing.c */

/* Makes the row of increments that begins at intents[0]; *used is how many intents it took. */
saker_err_t skr_making_sums (skr_making_t *making, const skr_intent_t *intents, size_t count,
                             size_t *used) SKR_MUST_USE;

#endif
