/* Where a bucket's key comes from: when a bucket is split between the entries a and b, the key of
   the right one is the shortest prefix of b's sort key that is above a's. Addresses may be far
   longer than a key: when a and b share SKR_BUCKET_STEM_BYTES or more, the key is these, the stem,
   and an ordinal u64. Buckets with one stem stand in the order of their ordinals; a new one takes a
   number halfway between its neighbours, or well above the last. So for a sort key longer than a
   stem the bucket is found by the first entries of the buckets with its stem; for others by the
   keys alone.
 */

#include "peer/pages_internal.h"

#include <assert.h>
#include <string.h>

/* ---- keys */

void skr_cells_prefix (uint8_t prefix[SKR_CELLS_PREFIX_BYTES], uint32_t collection_no,
                       uint64_t document_no)
{
    skr_put_u32 (prefix, collection_no);
    skr_put_u64 (prefix + 4, document_no);
}

skr_span_t skr_cells_key (uint8_t bytes[SKR_STORE_KEY_BYTES_MAX],
                          const uint8_t prefix[SKR_CELLS_PREFIX_BYTES], skr_span_t sort)
{
    assert (sort.size <= SKR_BUCKET_STEM_BYTES + SKR_BUCKET_ORDINAL_BYTES);
    memcpy (bytes, prefix, SKR_CELLS_PREFIX_BYTES);
    if (sort.size > 0) {
        memcpy (bytes + SKR_CELLS_PREFIX_BYTES, sort.data, sort.size);
    }
    return skr_span (bytes, SKR_CELLS_PREFIX_BYTES + sort.size);
}

static bool has_ordinal (skr_span_t sort)
{
    return sort.size == SKR_BUCKET_STEM_BYTES + SKR_BUCKET_ORDINAL_BYTES;
}

bool skr_bucket_same_stem (skr_span_t sort, skr_span_t other)
{
    return has_ordinal (sort) && other.size >= SKR_BUCKET_STEM_BYTES
           && memcmp (sort.data, other.data, SKR_BUCKET_STEM_BYTES) == 0;
}

uint64_t skr_bucket_ordinal (skr_span_t sort)
{
    return skr_get_u64 (sort.data + SKR_BUCKET_STEM_BYTES);
}

/* ---- finding a bucket */

saker_err_t skr_bucket_last (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
                             skr_span_t *found, skr_span_t *bucket)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    skr_span_t key = skr_cells_key (bytes, where->prefix, sort), found_key;
    SKR_TRY (skr_store_last (self->store, where->sight, SKR_CELLS,
                             skr_span (where->prefix, SKR_CELLS_PREFIX_BYTES), key, &found_key,
                             bucket));
    *found =
        skr_span (found_key.data + SKR_CELLS_PREFIX_BYTES, found_key.size - SKR_CELLS_PREFIX_BYTES);
    return SAKER_OK;
}

/* Is the first entry of a bucket above `sort`? */
static saker_err_t starts_above (skr_pages_t *self, skr_span_t bucket, skr_span_t sort, bool *above)
{
    skr_bucket_open (&self->reader, bucket);
    *above = false;
    if (skr_bucket_next (&self->reader)) {
        skr_item_key (&self->other_key, &self->reader.item);
        *above = skr_span_compare (skr_span_of (&self->other_key), sort) > 0;
        return self->other_key.failed ? skr_pages_no_memory () : SAKER_OK;
    }
    return self->reader.error;
}

/* Among the buckets with the stem of `sort` and ordinals up to `high`: the ordinal of the last that
   does not start above `sort`; 0 when all do. */
static saker_err_t search_stem (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
                                uint64_t high, uint64_t *best)
{
    uint8_t probe[SKR_BUCKET_STEM_BYTES + SKR_BUCKET_ORDINAL_BYTES];
    uint64_t low = 0;
    memcpy (probe, sort.data, SKR_BUCKET_STEM_BYTES);
    *best = 0;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        skr_span_t found, bucket;
        bool above;
        skr_put_u64 (probe + SKR_BUCKET_STEM_BYTES, middle);
        saker_err_t error =
            skr_bucket_last (self, where, skr_span (probe, sizeof probe), &found, &bucket);
        if (error == SAKER_ENOTFOUND
            || (!error
                && (!skr_bucket_same_stem (found, sort) || skr_bucket_ordinal (found) <= low))) {
            low = middle; /* none between */
            continue;
        }
        SKR_TRY (error);
        uint64_t ordinal = skr_bucket_ordinal (found);
        SKR_TRY (starts_above (self, bucket, sort, &above));
        if (above) {
            high = ordinal - 1;
        } else {
            *best = ordinal;
            low = middle;
        }
    }
    return SAKER_OK;
}

saker_err_t skr_cells_locate (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
                              skr_span_t *found, skr_span_t *bucket)
{
    uint8_t probe[SKR_BUCKET_STEM_BYTES + SKR_BUCKET_ORDINAL_BYTES];
    uint64_t best;
    bool above;
    if (sort.size <= SKR_BUCKET_STEM_BYTES) {
        return skr_bucket_last (self, where, sort, found, bucket);
    }
    memcpy (probe, sort.data, SKR_BUCKET_STEM_BYTES);
    skr_put_u64 (probe + SKR_BUCKET_STEM_BYTES, UINT64_MAX);
    SKR_TRY (skr_bucket_last (self, where, skr_span (probe, sizeof probe), found, bucket));
    if (!skr_bucket_same_stem (*found, sort)) {
        return SAKER_OK;
    }
    uint64_t last = skr_bucket_ordinal (*found);
    SKR_TRY (starts_above (self, *bucket, sort, &above));
    if (!above) {
        return SAKER_OK;
    }
    SKR_TRY (search_stem (self, where, sort, last - 1, &best));
    /* Ordinals are above 0: with 0 this finds the bucket before all with the stem. */
    skr_put_u64 (probe + SKR_BUCKET_STEM_BYTES, best);
    return skr_bucket_last (self, where, skr_span (probe, sizeof probe), found, bucket);
}

static saker_err_t keep_key (skr_span_t key, skr_span_t bucket, void *argument)
{
    (void) bucket;
    skr_buf_t *next = argument;
    skr_buf_append (next, key.data + SKR_CELLS_PREFIX_BYTES, key.size - SKR_CELLS_PREFIX_BYTES);
    return SKR_STOP;
}

saker_err_t skr_bucket_after (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t key,
                              skr_buf_t *next)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX + 1];
    skr_span_t from = skr_cells_key (bytes, where->prefix, key);
    bytes[from.size] = 0;
    skr_buf_clear (next);
    SKR_TRY (skr_store_scan (self->store, where->sight, SKR_CELLS,
                             skr_span (where->prefix, SKR_CELLS_PREFIX_BYTES),
                             skr_span (bytes, from.size + 1), keep_key, next));
    return next->failed ? skr_pages_no_memory () : SAKER_OK;
}
