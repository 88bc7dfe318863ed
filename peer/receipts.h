/* Receipts: which change answered an operation id, so that a client that asks again is answered the
   same, and nothing is done twice. */

#ifndef SKR_PEER_RECEIPTS_H_INCLUDED
#define SKR_PEER_RECEIPTS_H_INCLUDED

#include "peer/replica.h"

#define SKR_RECEIPT_KEY_BYTES 16
#define SKR_RECEIPT_MS_MIN (30ull * 24 * 3600 * 1000) /* an id is known for so long at least */
#define SKR_RECEIPTS_A_WALK 1000

/* A record of SKR_OPERATIONS. Borrows. */
typedef struct skr_receipt_record_t {
    skr_id_t writer;
    uint64_t seq; /* 0: the batch did nothing */
    bool dated;   /* collection and time are known: not in the first versions */
    skr_id_t collection;
    uint64_t hlc;
    skr_span_t note; /* empty: none was kept */
} skr_receipt_record_t;

/* SAKER_EDAMAGED: it is not in form. */
saker_err_t skr_receipt_read (skr_span_t value, skr_receipt_record_t *record) SKR_MUST_USE;

void skr_receipt_key (const skr_id_t *collection, skr_span_t operation_id,
                      uint8_t key[SKR_RECEIPT_KEY_BYTES]);
/* In a group. receipt->repeated tells whether there is one. */
saker_err_t skr_receipt_find (skr_replica_t *self, const uint8_t key[SKR_RECEIPT_KEY_BYTES],
                              saker_receipt_t *receipt) SKR_MUST_USE;
saker_err_t skr_receipt_keep (skr_replica_t *self, const uint8_t key[SKR_RECEIPT_KEY_BYTES],
                              const skr_id_t *collection,
                              const saker_receipt_t *receipt) SKR_MUST_USE;

/* Looks at the next SKR_RECEIPTS_A_WALK receipts from a key on (zeros: from the start), lets those
   go that are old enough and whose change is below the cut, in a group of its own, and sets the key
   to go on from; zeros when that was the end. */
saker_err_t skr_receipts_walk (skr_replica_t *self, uint8_t from[SKR_RECEIPT_KEY_BYTES],
                               size_t *gone) SKR_MUST_USE;

#endif
