#include "crdt/fold.h"

#define ARRAY_OF_TWO 0x82

bool skr_fold_is (const skr_entry_t *entry)
{
    skr_span_t path, member;
    skr_kind_t kind;
    return entry->value.size > 0 && entry->value.data[0] == ARRAY_OF_TWO
           && skr_address_parse (entry->address, &path, &kind, &member) == SAKER_OK
           && kind == SKR_COUNTER;
}

static saker_err_t read_fold (skr_span_t value, uint64_t *amount, skr_fingerprint_t *hashes)
{
    skr_cbor_t cbor;
    uint8_t bytes[16] = {0};
    skr_cbor_open (&cbor, value);
    if (skr_cbor_get_array (&cbor, 2) != 2) {
        skr_cbor_reject (&cbor, "not a fold");
    }
    *amount = (uint64_t) skr_cbor_get_int (&cbor);
    skr_cbor_get_fixed (&cbor, bytes, sizeof bytes);
    skr_fingerprint_from_bytes (hashes, bytes);
    return skr_cbor_close (&cbor) == SAKER_OK ? SAKER_OK : skr_wrap (SAKER_EDAMAGED, "counter");
}

saker_err_t skr_fold_amount (skr_span_t value, uint64_t *amount)
{
    skr_cbor_t cbor;
    skr_fingerprint_t hashes;
    if (value.size > 0 && value.data[0] == ARRAY_OF_TWO) {
        return read_fold (value, amount, &hashes);
    }
    skr_cbor_open (&cbor, value);
    *amount = (uint64_t) skr_cbor_get_int (&cbor);
    return skr_cbor_close (&cbor) == SAKER_OK ? SAKER_OK : skr_wrap (SAKER_EDAMAGED, "counter");
}

saker_err_t skr_fold_hashes (skr_span_t value, skr_fingerprint_t *hashes)
{
    uint64_t amount;
    return read_fold (value, &amount, hashes);
}

saker_err_t skr_fold_add (skr_fold_t *self, const skr_id_t *collection, skr_span_t document,
                          const skr_entry_t *entry)
{
    uint64_t amount;
    SKR_TRY (skr_fold_amount (entry->value, &amount));
    self->sum += amount;
    skr_fingerprint_add (&self->hashes, collection, document, entry);
    self->count++;
    return SAKER_OK;
}

void skr_fold_put (skr_buf_t *buf, const skr_fold_t *self)
{
    uint8_t bytes[16];
    skr_fingerprint_bytes (&self->hashes, bytes);
    skr_cbor_put_array (buf, 2);
    skr_cbor_put_int (buf, (int64_t) self->sum);
    skr_cbor_put_bytes (buf, bytes, sizeof bytes);
}
