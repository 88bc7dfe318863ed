#include "crdt/state.h"

#include "crdt/cbor.h"
#include "crdt/value.h"

#include <string.h>

void skr_state_begin (skr_state_t *self)
{
    memset (self, 0, sizeof *self);
    crypto_generichash_init (&self->hash, NULL, 0, SAKER_STATE_BYTES);
}

void skr_state_add (skr_state_t *self, skr_span_t path, skr_kind_t kind, const saker_value_t *value,
                    bool rival, bool shown, const uint8_t writer[16], uint64_t seq)
{
    static const uint8_t nobody[16];
    bool summed = kind == SKR_COUNTER;
    skr_buf_t *leaf = &self->leaf;
    skr_buf_clear (leaf);
    skr_cbor_put_array (leaf, 6);
    skr_cbor_put_bytes (leaf, path.data, path.size);
    skr_cbor_put_uint (leaf, kind);
    skr_value_put (leaf, value);
    skr_cbor_put_uint (leaf, (rival ? 1u : 0u) | (shown ? 2u : 0u));
    skr_cbor_put_bytes (leaf, summed ? nobody : writer, 16);
    skr_cbor_put_uint (leaf, summed ? 0 : seq);
    self->any = true;
    self->failed = self->failed || leaf->failed;
    if (!leaf->failed) {
        crypto_generichash_update (&self->hash, leaf->data, leaf->size);
    }
}

saker_err_t skr_state_end (skr_state_t *self, uint8_t state[SAKER_STATE_BYTES])
{
    memset (state, 0, SAKER_STATE_BYTES);
    if (self->any) {
        crypto_generichash_final (&self->hash, state, SAKER_STATE_BYTES);
    }
    skr_buf_free (&self->leaf);
    return self->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}
