#include "mesh/ration.h"

#include "peer/partial.h"

#include <sodium.h>

_Static_assert(sizeof ((skr_ration_t *) 0)->key == crypto_shorthash_KEYBYTES, "a key fits");

void skr_ration_init (skr_ration_t *self)
{
    randombytes_buf (self->key, sizeof self->key);
}

size_t skr_ration_place (const skr_ration_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash (hash, device, SKR_DEVICE_KEY_BYTES, self->key);
    return hash[0] % SKR_RATION_PLACES;
}

bool skr_ration_may (skr_ration_t *self, size_t place, uint64_t now_ms)
{
    uint64_t *taken = &self->places[place].taken, *at_ms = &self->places[place].at_ms;
    uint64_t passed_ms = now_ms - *at_ms;
    uint64_t worn = passed_ms < UINT32_MAX ? passed_ms * SKR_RATION_LOOKS_A_MS : UINT64_MAX;
    *taken -= worn < *taken ? worn : *taken;
    *at_ms = now_ms;
    return *taken < SKR_RATION_LOOKS_MAX;
}

void skr_ration_take (skr_ration_t *self, size_t place, uint64_t looks, uint64_t now_ms)
{
    (void) skr_ration_may (self, place, now_ms); /* what is worn off */
    self->places[place].taken += looks;
}

/* ---- sums */

static bool is_sum_of (const skr_ration_sum_t *kept, const skr_collection_t *collection,
                       const skr_part_t *part, uint64_t now_ms)
{
    return kept->sum.any && now_ms - kept->made_ms < SKR_RATION_SUM_MS
           && skr_id_equal (&kept->collection, &collection->id)
           && skr_part_equal (&kept->sum.part, part)
           && skr_fingerprint_equal (&kept->fingerprint, &collection->fingerprint)
           && kept->clock_digest == skr_clock_digest (&collection->clock);
}

static skr_ration_sum_t *oldest (skr_ration_t *self)
{
    skr_ration_sum_t *found = &self->sums[0];
    for (size_t i = 0; i < SKR_RATION_SUMS; i++) {
        if (self->sums[i].made_ms < found->made_ms) {
            found = &self->sums[i];
        }
    }
    return found;
}

/* Without memory it is not remembered, that is all. */
static void remember (skr_ration_t *self, const skr_collection_t *collection, uint64_t now_ms,
                      const skr_part_sum_t *sum)
{
    skr_ration_sum_t *kept = oldest (self);
    kept->sum.any = skr_part_copy (&kept->sum.part, &sum->part) == SAKER_OK;
    kept->sum.fingerprint = sum->fingerprint;
    kept->sum.documents = sum->documents;
    kept->collection = collection->id;
    kept->fingerprint = collection->fingerprint;
    kept->clock_digest = skr_clock_digest (&collection->clock);
    kept->made_ms = now_ms;
}

saker_err_t skr_ration_sum (skr_ration_t *self, skr_replica_t *replica,
                            const skr_collection_t *collection, size_t place, uint64_t now_ms,
                            skr_part_sum_t *sum)
{
    for (size_t i = 0; i < SKR_RATION_SUMS; i++) {
        const skr_ration_sum_t *kept = &self->sums[i];
        if (is_sum_of (kept, collection, &sum->part, now_ms)) {
            sum->fingerprint = kept->sum.fingerprint;
            sum->documents = kept->sum.documents;
            sum->any = true;
            return SAKER_OK;
        }
    }
    if (!skr_ration_may (self, place, now_ms)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_partial_sum (replica, collection, sum));
    skr_ration_take (self, place, sum->documents + sum->entries, now_ms);
    remember (self, collection, now_ms, sum);
    return SAKER_OK;
}

void skr_ration_free (skr_ration_t *self)
{
    for (size_t i = 0; i < SKR_RATION_SUMS; i++) {
        skr_part_free (&self->sums[i].sum.part);
    }
}
