/* State: 16 bytes that name what is at and below a place of a document, rivals included: equal on
   every peer that holds the same, and another one after every write, be its text the same as
   before. Only a counter whose sum is what it was counts as unchanged: how its increments are
   stored differs from peer to peer once they are folded. */

#ifndef SKR_CRDT_STATE_H_INCLUDED
#define SKR_CRDT_STATE_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/cells.h"

#include <sodium.h>

typedef struct skr_state_t {
    crypto_generichash_state hash;
    skr_buf_t leaf; /* kept for its memory */
    bool any;
    bool failed;
} skr_state_t;

/* Always paired with skr_state_end. */
void skr_state_begin (skr_state_t *self);
/* Adds a leaf; in order of the view. `rival` and `shown` as in crdt/view.h. */
void skr_state_add (skr_state_t *self, skr_span_t path, skr_kind_t kind, const saker_value_t *value,
                    bool rival, bool shown, const uint8_t writer[16], uint64_t seq);
/* Zeros when nothing was added. SAKER_ENOMEM. */
saker_err_t skr_state_end (skr_state_t *self, uint8_t state[SAKER_STATE_BYTES]) SKR_MUST_USE;

#endif
