#include "crdt/cells.h"

#include "crdt/fold.h"

#include <sodium.h>
#include <string.h>

static void hash_sized (crypto_generichash_state *state, skr_span_t part)
{
    uint8_t size[4];
    skr_put_u32 (size, (uint32_t) part.size);
    crypto_generichash_update (state, size, sizeof size);
    crypto_generichash_update (state, part.data, part.size);
}

static skr_fingerprint_t hash_entry (const skr_id_t *collection, skr_span_t document,
                                     const skr_entry_t *entry)
{
    crypto_generichash_state state;
    uint8_t fixed[16 + 8 + 4 + 8], hash[16];
    skr_fingerprint_t sum;
    if (skr_fold_is (entry) && skr_fold_hashes (entry->value, &sum) == SAKER_OK) {
        return sum; /* of what it stands for */
    }
    memcpy (fixed, entry->dot.writer.bytes, 16);
    skr_put_u64 (fixed + 16, entry->dot.seq);
    skr_put_u32 (fixed + 24, entry->dot.index);
    skr_put_u64 (fixed + 28, entry->hlc);
    crypto_generichash_init (&state, collection->bytes, sizeof collection->bytes, sizeof hash);
    crypto_generichash_update (&state, fixed, sizeof fixed);
    hash_sized (&state, document);
    hash_sized (&state, entry->address);
    hash_sized (&state, entry->value);
    crypto_generichash_final (&state, hash, sizeof hash);
    skr_fingerprint_from_bytes (&sum, hash);
    return sum;
}

void skr_fingerprint_add (skr_fingerprint_t *self, const skr_id_t *collection, skr_span_t document,
                          const skr_entry_t *entry)
{
    skr_fingerprint_t sum = hash_entry (collection, document, entry);
    self->low += sum.low;
    self->high += sum.high + (self->low < sum.low);
}

void skr_fingerprint_remove (skr_fingerprint_t *self, const skr_id_t *collection,
                             skr_span_t document, const skr_entry_t *entry)
{
    skr_fingerprint_t sum = hash_entry (collection, document, entry);
    self->high -= sum.high + (self->low < sum.low);
    self->low -= sum.low;
}

bool skr_fingerprint_equal (const skr_fingerprint_t *one, const skr_fingerprint_t *other)
{
    return one->low == other->low && one->high == other->high;
}

void skr_fingerprint_bytes (const skr_fingerprint_t *self, uint8_t bytes[16])
{
    skr_put_u64 (bytes, self->high);
    skr_put_u64 (bytes + 8, self->low);
}

void skr_fingerprint_from_bytes (skr_fingerprint_t *self, const uint8_t bytes[16])
{
    self->high = skr_get_u64 (bytes);
    self->low = skr_get_u64 (bytes + 8);
}
