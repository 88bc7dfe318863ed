#include "crdt/cells.h"

#include "crdt/fold.h"

#include <sodium.h>
#include <string.h>

#define FIXED_BYTES (16 + 16 + 8 + 4 + 8)
#define SHORT_BYTES 512 /* hashed in one call, from one buffer */

static uint8_t *put_sized (uint8_t *at, skr_span_t part)
{
    skr_put_u32 (at, (uint32_t) part.size);
    if (part.size > 0) {
        memcpy (at + 4, part.data, part.size);
    }
    return at + 4 + part.size;
}

static void hash_sized (crypto_generichash_state *state, skr_span_t part)
{
    uint8_t size[4];
    skr_put_u32 (size, (uint32_t) part.size);
    crypto_generichash_update (state, size, sizeof size);
    crypto_generichash_update (state, part.data, part.size);
}

static void hash_long (const uint8_t fixed[FIXED_BYTES], const skr_span_t *parts, size_t count,
                       uint8_t hash[16])
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, 16);
    crypto_generichash_update (&state, fixed, FIXED_BYTES);
    for (size_t i = 0; i < count; i++) {
        hash_sized (&state, parts[i]);
    }
    crypto_generichash_final (&state, hash, 16);
}

skr_fingerprint_t skr_fingerprint_of (const skr_id_t *collection, skr_span_t document,
                                      const skr_entry_t *entry)
{
    uint8_t bytes[FIXED_BYTES + SHORT_BYTES], hash[16];
    const skr_span_t parts[] = {document, entry->address, entry->value};
    skr_fingerprint_t sum;
    if (skr_fold_is (entry) && skr_fold_hashes (entry->value, &sum) == SAKER_OK) {
        return sum; /* of what it stands for */
    }
    memcpy (bytes, collection->bytes, 16);
    memcpy (bytes + 16, entry->dot.writer.bytes, 16);
    skr_put_u64 (bytes + 32, entry->dot.seq);
    skr_put_u32 (bytes + 40, entry->dot.index);
    skr_put_u64 (bytes + 44, entry->hlc);
    if (3 * 4 + document.size + entry->address.size + entry->value.size <= SHORT_BYTES) {
        uint8_t *at = bytes + FIXED_BYTES;
        for (size_t i = 0; i < 3; i++) {
            at = put_sized (at, parts[i]);
        }
        crypto_generichash (hash, sizeof hash, bytes, (size_t) (at - bytes), NULL, 0);
    } else {
        hash_long (bytes, parts, 3, hash);
    }
    skr_fingerprint_from_bytes (&sum, hash);
    return sum;
}

void skr_fingerprint_plus (skr_fingerprint_t *self, const skr_fingerprint_t *hash)
{
    self->low += hash->low;
    self->high += hash->high + (self->low < hash->low);
}

void skr_fingerprint_minus (skr_fingerprint_t *self, const skr_fingerprint_t *hash)
{
    self->high -= hash->high + (self->low < hash->low);
    self->low -= hash->low;
}

void skr_fingerprint_add (skr_fingerprint_t *self, const skr_id_t *collection, skr_span_t document,
                          const skr_entry_t *entry)
{
    skr_fingerprint_t hash = skr_fingerprint_of (collection, document, entry);
    skr_fingerprint_plus (self, &hash);
}

void skr_fingerprint_remove (skr_fingerprint_t *self, const skr_id_t *collection,
                             skr_span_t document, const skr_entry_t *entry)
{
    skr_fingerprint_t hash = skr_fingerprint_of (collection, document, entry);
    skr_fingerprint_minus (self, &hash);
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
