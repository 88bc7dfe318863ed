/* What the files of the outbox share. */

#ifndef SKR_PEER_OUTBOX_INTERNAL_H_INCLUDED
#define SKR_PEER_OUTBOX_INTERNAL_H_INCLUDED

#include "peer/outbox.h"
#include "peer/store.h"

struct skr_outbox_t {
    skr_store_t *store;
    const skr_world_t *world;
    uint64_t bytes_max;
    uint64_t last;      /* number ever given */
    bool notes_damaged; /* one of the table of notes, or its key */
    skr_tried_t tried;
    skr_outbox_count_t waiting, refused;
    skr_buf_t record, copy; /* kept for their memory */
};

/* The key of a batch; the record of one, into a buffer that is cleared before; and back: what it
   borrows is the record's. SAKER_EDAMAGED: not in form. */
skr_span_t skr_parcel_key (uint8_t key[8], uint64_t number);
void skr_parcel_put (skr_buf_t *record, const skr_parcel_t *parcel);
saker_err_t skr_parcel_get (skr_span_t record, uint64_t number, skr_parcel_t *parcel) SKR_MUST_USE;

/* Sets aside all batches that are damaged, each in a group of its own. */
saker_err_t skr_outbox_mend (skr_outbox_t *self) SKR_MUST_USE;

#endif
