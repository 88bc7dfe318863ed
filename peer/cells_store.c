/* Where a bucket's key comes from: when a bucket is split between the entries a and b, the key of
   the right one is the shortest prefix of b's sort key that is above a's. Addresses may be far
   longer than a key: when a and b share STEM_BYTES or more, the key is these, the stem, and an
   ordinal u64. Buckets with one stem stand in the order of their ordinals; a new one takes a number
   halfway between its neighbours, or well above the last. So for a sort key longer than a stem the
   bucket is found by the first entries of the buckets with its stem; for others by the keys alone.
 */

#include "peer/cells_store.h"

#include "peer/bucket.h"
#include "peer/conflicts.h"

#include "crdt/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* With key, header and checksum it fills two pages of LMDB, and no byte of a third. */
#define BUCKET_BYTES_MAX (8192 - 16 - 8)
/* A held bucket that has grown so far is written, as several. */
#define HELD_BYTES_MAX (4 * BUCKET_BYTES_MAX)
#define HELD_ITEMS_MAX 4096
#define GARBAGE_BYTES_MAX (1u << 20)
#define PREFIX_BYTES 12 /* collection no u32, document no u64 */
#define ORDINAL_BYTES 8
/* One byte is left, for the table number in SKR_ASIDE. */
#define STEM_BYTES (SKR_STORE_KEY_BYTES_MAX - PREFIX_BYTES - ORDINAL_BYTES - 1)
#define ORDINAL_STEP ((uint64_t) 1 << 32)

/* An item of the held bucket; address and value lie in the arena. */
typedef struct slot_t {
    uint32_t writer;
    uint32_t index;
    uint64_t seq;
    uint64_t hlc;
    size_t address;
    size_t value;
    uint32_t address_size;
    uint32_t value_size;
} slot_t;

/* Does the index of conflicts have places of a document? */
typedef enum disputed_t { DISPUTED_UNKNOWN = 0, DISPUTED_NO, DISPUTED_YES } disputed_t;

/* The bucket that is being changed. */
typedef struct held_t {
    bool active;
    bool stored; /* there is a record with its key */
    bool dirty;
    bool appended; /* the last item put became its last */
    bool bounded;  /* another bucket of the document follows, at `upper` */
    disputed_t disputed;
    uint32_t collection_no;
    uint64_t document_no; /* 0: the document has no entries in the store */
    uint64_t *documents;
    skr_buf_t document;
    skr_buf_t key;   /* without prefix */
    skr_buf_t upper; /* without prefix */
    slot_t *slots;
    size_t count, capacity;
    skr_buf_t arena;
    size_t live_bytes; /* of addresses and values of the slots */
} held_t;

typedef struct view_t {
    skr_cells_store_t *owner;
    skr_sight_t sight;
    uint32_t collection_no;
    uint64_t *documents;
    skr_cells_t cells;
} view_t;

struct skr_cells_store_t {
    skr_store_t *store;
    view_t committed;
    view_t group;
    held_t held;
    saker_err_t failed; /* a write failed: nothing goes on before a drop */
    skr_writer_cache_t writers;
    skr_bucket_writer_t bucket;
    skr_bucket_reader_t reader; /* for loading and locating; scans have their own */
    skr_buf_t sort_key, other_key;
};

static saker_err_t out_of_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for cells");
}

/* ---- keys */

static void put_prefix (uint8_t prefix[PREFIX_BYTES], uint32_t collection_no, uint64_t document_no)
{
    skr_put_u32 (prefix, collection_no);
    skr_put_u64 (prefix + 4, document_no);
}

/* The record key of a bucket: prefix and `sort`, which fits. */
static skr_span_t record_key (uint8_t bytes[SKR_STORE_KEY_BYTES_MAX],
                              const uint8_t prefix[PREFIX_BYTES], skr_span_t sort)
{
    assert (sort.size <= STEM_BYTES + ORDINAL_BYTES);
    memcpy (bytes, prefix, PREFIX_BYTES);
    if (sort.size > 0) {
        memcpy (bytes + PREFIX_BYTES, sort.data, sort.size);
    }
    return skr_span (bytes, PREFIX_BYTES + sort.size);
}

static bool has_ordinal (skr_span_t sort)
{
    return sort.size == STEM_BYTES + ORDINAL_BYTES;
}

/* Is `sort` a stem and ordinal, and does `other` begin with that stem? */
static bool same_stem (skr_span_t sort, skr_span_t other)
{
    return has_ordinal (sort) && other.size >= STEM_BYTES
           && memcmp (sort.data, other.data, STEM_BYTES) == 0;
}

static uint64_t ordinal_of (skr_span_t sort)
{
    return skr_get_u64 (sort.data + STEM_BYTES);
}

/* ---- finding a bucket */

/* A document in one sight. */
typedef struct where_t {
    skr_sight_t sight;
    uint8_t prefix[PREFIX_BYTES];
} where_t;

/* The last bucket whose key is not above `sort`. *found is its key without prefix. */
static saker_err_t last_bucket (skr_cells_store_t *self, const where_t *where, skr_span_t sort,
                                skr_span_t *found, skr_span_t *bucket)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    skr_span_t key = record_key (bytes, where->prefix, sort), found_key;
    SKR_TRY (skr_store_last (self->store, where->sight, SKR_CELLS,
                             skr_span (where->prefix, PREFIX_BYTES), key, &found_key, bucket));
    *found = skr_span (found_key.data + PREFIX_BYTES, found_key.size - PREFIX_BYTES);
    return SAKER_OK;
}

/* Is the first entry of a bucket above `sort`? */
static saker_err_t starts_above (skr_cells_store_t *self, skr_span_t bucket, skr_span_t sort,
                                 bool *above)
{
    skr_bucket_open (&self->reader, bucket);
    *above = false;
    if (skr_bucket_next (&self->reader)) {
        skr_item_key (&self->other_key, &self->reader.item);
        *above = skr_span_compare (skr_span_of (&self->other_key), sort) > 0;
        return self->other_key.failed ? out_of_memory () : SAKER_OK;
    }
    return self->reader.error;
}

/* Among the buckets with the stem of `sort` and ordinals up to `high`: the ordinal of the last that
   does not start above `sort`; 0 when all do. */
static saker_err_t search_stem (skr_cells_store_t *self, const where_t *where, skr_span_t sort,
                                uint64_t high, uint64_t *best)
{
    uint8_t probe[STEM_BYTES + ORDINAL_BYTES];
    uint64_t low = 0;
    memcpy (probe, sort.data, STEM_BYTES);
    *best = 0;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        skr_span_t found, bucket;
        bool above;
        skr_put_u64 (probe + STEM_BYTES, middle);
        saker_err_t error =
            last_bucket (self, where, skr_span (probe, sizeof probe), &found, &bucket);
        if (error == SAKER_ENOTFOUND
            || (!error && (!same_stem (found, sort) || ordinal_of (found) <= low))) {
            low = middle; /* none between */
            continue;
        }
        SKR_TRY (error);
        uint64_t ordinal = ordinal_of (found);
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

/* The bucket that holds, or is to hold, a sort key (or the first entries with a prefix).
   SAKER_ENOTFOUND: it would be the first, and is not there. */
static saker_err_t locate (skr_cells_store_t *self, const where_t *where, skr_span_t sort,
                           skr_span_t *found, skr_span_t *bucket)
{
    uint8_t probe[STEM_BYTES + ORDINAL_BYTES];
    uint64_t best;
    bool above;
    if (sort.size <= STEM_BYTES) {
        return last_bucket (self, where, sort, found, bucket);
    }
    memcpy (probe, sort.data, STEM_BYTES);
    skr_put_u64 (probe + STEM_BYTES, UINT64_MAX);
    SKR_TRY (last_bucket (self, where, skr_span (probe, sizeof probe), found, bucket));
    if (!same_stem (*found, sort)) {
        return SAKER_OK;
    }
    uint64_t last = ordinal_of (*found);
    SKR_TRY (starts_above (self, *bucket, sort, &above));
    if (!above) {
        return SAKER_OK;
    }
    SKR_TRY (search_stem (self, where, sort, last - 1, &best));
    /* Ordinals are above 0: with 0 this finds the bucket before all with the stem. */
    skr_put_u64 (probe + STEM_BYTES, best);
    return last_bucket (self, where, skr_span (probe, sizeof probe), found, bucket);
}

static saker_err_t keep_key (skr_span_t key, skr_span_t bucket, void *argument)
{
    (void) bucket;
    skr_buf_t *next = argument;
    skr_buf_append (next, key.data + PREFIX_BYTES, key.size - PREFIX_BYTES);
    return SKR_STOP;
}

/* The key of the bucket after `key`, without prefix; empty when there is none. (Only the first
   bucket of a document has an empty key.) */
static saker_err_t next_bucket (skr_cells_store_t *self, const where_t *where, skr_span_t key,
                                skr_buf_t *next)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX + 1];
    skr_span_t from = record_key (bytes, where->prefix, key);
    bytes[from.size] = 0;
    skr_buf_clear (next);
    SKR_TRY (skr_store_scan (self->store, where->sight, SKR_CELLS,
                             skr_span (where->prefix, PREFIX_BYTES),
                             skr_span (bytes, from.size + 1), keep_key, next));
    return next->failed ? out_of_memory () : SAKER_OK;
}

/* ---- the held bucket */

static skr_item_t item_at (const held_t *held, size_t at)
{
    const slot_t *slot = &held->slots[at];
    return (skr_item_t){
        .writer = slot->writer,
        .index = slot->index,
        .seq = slot->seq,
        .hlc = slot->hlc,
        .address = skr_span (held->arena.data + slot->address, slot->address_size),
        .value = skr_span (held->arena.data + slot->value, slot->value_size),
    };
}

/* The place of the first item that is not below `item`. */
static size_t place_of (const held_t *held, const skr_item_t *item)
{
    size_t low = 0, high = held->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        skr_item_t at = item_at (held, middle);
        if (skr_item_compare (&at, item) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const held_t *held, size_t at, const skr_item_t *item)
{
    if (at == held->count) {
        return false;
    }
    skr_item_t found = item_at (held, at);
    return skr_item_compare (&found, item) == 0;
}

static saker_err_t insert (held_t *held, size_t at, const skr_item_t *item)
{
    if (held->count == held->capacity) {
        size_t capacity = held->capacity ? 2 * held->capacity : 64;
        slot_t *slots = realloc (held->slots, capacity * sizeof *slots);
        if (!slots) {
            return out_of_memory ();
        }
        held->slots = slots;
        held->capacity = capacity;
    }
    slot_t slot = {
        .writer = item->writer, .index = item->index, .seq = item->seq, .hlc = item->hlc};
    slot.address = held->arena.size;
    slot.address_size = (uint32_t) item->address.size;
    skr_buf_append_span (&held->arena, item->address);
    slot.value = held->arena.size;
    slot.value_size = (uint32_t) item->value.size;
    skr_buf_append_span (&held->arena, item->value);
    if (held->arena.failed) {
        return out_of_memory ();
    }
    memmove (&held->slots[at + 1], &held->slots[at], (held->count - at) * sizeof *held->slots);
    held->slots[at] = slot;
    held->count++;
    held->live_bytes += item->address.size + item->value.size;
    return SAKER_OK;
}

static void take_out (held_t *held, size_t at)
{
    held->live_bytes -= held->slots[at].address_size + held->slots[at].value_size;
    held->count--;
    memmove (&held->slots[at], &held->slots[at + 1], (held->count - at) * sizeof *held->slots);
}

/* Empties it and keeps the memory. */
static void let_go (held_t *held)
{
    held->active = false;
    held->stored = false;
    held->dirty = false;
    held->appended = false;
    held->bounded = false;
    held->disputed = DISPUTED_UNKNOWN;
    held->count = 0;
    held->live_bytes = 0;
    skr_buf_clear (&held->arena);
}

static skr_span_t held_key (const held_t *held)
{
    return skr_span_of (&held->key);
}

/* ---- writing the held bucket */

static saker_err_t put_bucket (skr_cells_store_t *self, skr_span_t sort)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX], prefix[PREFIX_BYTES];
    if (self->bucket.bytes.failed) {
        return out_of_memory ();
    }
    put_prefix (prefix, self->held.collection_no, self->held.document_no);
    return skr_store_put (self->store, SKR_CELLS, record_key (bytes, prefix, sort),
                          skr_span_of (&self->bucket.bytes));
}

/* A number for the bucket after the one at `left`, with the stem of `right`; 0 when there is no
   room between: then the bucket before it just grows. */
static uint64_t new_ordinal (const held_t *held, skr_span_t left, skr_span_t right)
{
    skr_span_t upper = skr_span_of (&held->upper);
    uint64_t low = same_stem (left, right) ? ordinal_of (left) : 0;
    if (held->bounded && same_stem (upper, right)) {
        uint64_t middle = low + (ordinal_of (upper) - low) / 2;
        return middle > low ? middle : 0;
    }
    return low < UINT64_MAX - ORDINAL_STEP ? low + ORDINAL_STEP : 0;
}

/* The key of a bucket that starts with `item`, after one at *key that ends with `last`; replaces
 *key. False: there can be none. */
static saker_err_t separate (skr_cells_store_t *self, const skr_item_t *last,
                             const skr_item_t *item, skr_buf_t *key, bool *can)
{
    skr_item_key (&self->other_key, last);
    skr_item_key (&self->sort_key, item);
    if (self->other_key.failed || self->sort_key.failed) {
        return out_of_memory ();
    }
    const skr_buf_t *left = &self->other_key, *right = &self->sort_key;
    size_t shared = 0;
    while (shared < left->size && left->data[shared] == right->data[shared]) {
        shared++;
    }
    uint8_t ordinal[ORDINAL_BYTES];
    size_t size = shared + 1;
    uint64_t number = 0;
    if (size > STEM_BYTES) {
        size = STEM_BYTES;
        number = new_ordinal (&self->held, skr_span_of (key), skr_span_of (right));
        if (number == 0) {
            *can = false;
            return SAKER_OK;
        }
    }
    skr_buf_clear (key);
    skr_buf_append (key, right->data, size);
    if (number) {
        skr_put_u64 (ordinal, number);
        skr_buf_append (key, ordinal, sizeof ordinal);
    }
    *can = true;
    return key->failed ? out_of_memory () : SAKER_OK;
}

static void encode (skr_cells_store_t *self)
{
    skr_bucket_restart (&self->bucket);
    for (size_t i = 0; i < self->held.count; i++) {
        skr_item_t item = item_at (&self->held, i);
        skr_bucket_put (&self->bucket, &item);
    }
}

/* Full buckets when it grows at its end, even ones when it grows anywhere. */
static size_t bytes_wanted (const held_t *held, size_t total)
{
    if (held->appended && !held->bounded) {
        return BUCKET_BYTES_MAX;
    }
    size_t buckets = total / BUCKET_BYTES_MAX + 1;
    size_t wanted = total / buckets + total / buckets / 16;
    return wanted < BUCKET_BYTES_MAX ? wanted : BUCKET_BYTES_MAX;
}

static saker_err_t write_several (skr_cells_store_t *self, size_t wanted, skr_buf_t *key)
{
    skr_bucket_restart (&self->bucket);
    for (size_t i = 0; i < self->held.count; i++) {
        skr_item_t item = item_at (&self->held, i), last = self->bucket.last;
        size_t before = self->bucket.bytes.size;
        skr_bucket_put (&self->bucket, &item);
        if (before == 0 || self->bucket.bytes.size <= wanted) {
            continue;
        }
        bool can = false;
        uint8_t full_key[STEM_BYTES + ORDINAL_BYTES];
        size_t full_key_size = key->size;
        if (full_key_size > 0) {
            memcpy (full_key, key->data, full_key_size);
        }
        SKR_TRY (separate (self, &last, &item, key, &can));
        if (can) {
            self->bucket.bytes.size = before;
            SKR_TRY (put_bucket (self, skr_span (full_key, full_key_size)));
            skr_bucket_restart (&self->bucket);
            skr_bucket_put (&self->bucket, &item);
        }
    }
    return put_bucket (self, skr_span_of (key));
}

/* The last entry of the bucket is gone; of the document too, unless it has another bucket. */
static saker_err_t remove_bucket (skr_cells_store_t *self)
{
    held_t *held = &self->held;
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    where_t where = {.sight = SKR_GROUP};
    skr_span_t found, bucket;
    static const uint8_t above[] = {0xff}; /* no address starts with it */
    if (!held->stored) {
        return SAKER_OK;
    }
    put_prefix (where.prefix, held->collection_no, held->document_no);
    SKR_TRY (skr_store_remove (self->store, SKR_CELLS,
                               record_key (bytes, where.prefix, held_key (held))));
    held->stored = false;
    saker_err_t error = last_bucket (self, &where, skr_span (above, sizeof above), &found, &bucket);
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    SKR_TRY (skr_store_document_drop (self->store, held->collection_no,
                                      skr_span_of (&held->document), held->document_no));
    held->document_no = 0;
    if (held->documents) {
        --*held->documents;
    }
    return SAKER_OK;
}

static saker_err_t make_document (skr_cells_store_t *self)
{
    held_t *held = &self->held;
    if (held->document_no != 0) {
        return SAKER_OK;
    }
    SKR_TRY (skr_store_document_make (self->store, held->collection_no,
                                      skr_span_of (&held->document), &held->document_no));
    if (held->documents) {
        ++*held->documents;
    }
    return SAKER_OK;
}

static saker_err_t write_dirty (skr_cells_store_t *self)
{
    held_t *held = &self->held;
    if (held->count == 0) {
        return remove_bucket (self);
    }
    SKR_TRY (make_document (self));
    encode (self);
    if (self->bucket.bytes.size <= BUCKET_BYTES_MAX || held->count == 1) {
        held->stored = true;
        return put_bucket (self, held_key (held));
    }
    saker_err_t error =
        write_several (self, bytes_wanted (held, self->bucket.bytes.size), &held->key);
    let_go (held);
    return error;
}

static saker_err_t check_failed (const skr_cells_store_t *self)
{
    return self->failed ? skr_fail (self->failed, "cells: a write of this group has failed")
                        : SAKER_OK;
}

/* Afterwards it is held still, unless it became several. */
static saker_err_t write_held (skr_cells_store_t *self)
{
    SKR_TRY (check_failed (self));
    if (!self->held.dirty) {
        return SAKER_OK;
    }
    self->held.dirty = false;
    self->failed = write_dirty (self);
    return self->failed;
}

/* ---- loading */

static bool holds_document (const held_t *held, uint32_t collection_no, skr_span_t document)
{
    return held->active && held->collection_no == collection_no
           && skr_span_equal (skr_span_of (&held->document), document);
}

/* Does this sort key surely belong to the held bucket? With a stem in play it is not said. */
static bool covers (const held_t *held, skr_span_t sort)
{
    skr_span_t lower = held_key (held), upper = skr_span_of (&held->upper);
    if (lower.size > 0 && (same_stem (lower, sort) || skr_span_compare (lower, sort) > 0)) {
        return false;
    }
    return !held->bounded || (!same_stem (upper, sort) && skr_span_compare (sort, upper) < 0);
}

/* The same for all sort keys that start with `prefix`. */
static bool covers_prefix (const held_t *held, skr_span_t prefix)
{
    return covers (held, prefix)
           && (!held->bounded || !skr_span_starts (skr_span_of (&held->upper), prefix));
}

static saker_err_t decode (skr_cells_store_t *self, skr_span_t bucket)
{
    skr_bucket_open (&self->reader, bucket);
    while (skr_bucket_next (&self->reader)) {
        SKR_TRY (insert (&self->held, self->held.count, &self->reader.item));
    }
    return self->reader.error;
}

static saker_err_t load_bucket (skr_cells_store_t *self, skr_span_t sort)
{
    held_t *held = &self->held;
    where_t where = {.sight = SKR_GROUP};
    skr_span_t found, bucket;
    put_prefix (where.prefix, held->collection_no, held->document_no);
    saker_err_t error = locate (self, &where, sort, &found, &bucket);
    skr_buf_clear (&held->key);
    if (!error) {
        held->stored = true;
        skr_buf_append_span (&held->key, found);
        SKR_TRY (decode (self, bucket));
    } else if (error != SAKER_ENOTFOUND) {
        return error;
    }
    SKR_TRY (next_bucket (self, &where, held_key (held), &held->upper));
    held->bounded = held->upper.size > 0;
    return held->key.failed ? out_of_memory () : SAKER_OK;
}

/* Begins to hold a document that is not held. */
static saker_err_t open_document (skr_cells_store_t *self, const view_t *view, skr_span_t document,
                                  const skr_item_t *item)
{
    held_t *held = &self->held;
    uint64_t no = 0;
    saker_err_t error =
        skr_store_document_no (self->store, SKR_GROUP, view->collection_no, document, &no);
    if (error && error != SAKER_ENOTFOUND) {
        return error;
    }
    held->collection_no = view->collection_no;
    held->documents = view->documents;
    held->document_no = no;
    skr_buf_clear (&held->document);
    skr_buf_append_span (&held->document, document);
    skr_buf_clear (&held->key);
    skr_buf_clear (&held->upper);
    if (no != 0) {
        skr_item_key (&self->sort_key, item);
        SKR_TRY (load_bucket (self, skr_span_of (&self->sort_key)));
    }
    held->active = !held->document.failed && !self->sort_key.failed;
    return held->active ? SAKER_OK : out_of_memory ();
}

/* Makes the held bucket the one for this item. */
static saker_err_t hold (skr_cells_store_t *self, const view_t *view, skr_span_t document,
                         const skr_item_t *item)
{
    held_t *held = &self->held;
    if (holds_document (held, view->collection_no, document)) {
        if (held->key.size == 0 && !held->bounded) {
            return SAKER_OK; /* it is all of the document */
        }
        skr_item_key (&self->sort_key, item);
        if (!self->sort_key.failed && covers (held, skr_span_of (&self->sort_key))) {
            return SAKER_OK;
        }
    }
    SKR_TRY (write_held (self));
    let_go (held);
    return open_document (self, view, document, item);
}

/* ---- conflicts: see conflicts.h */

static skr_span_t address_at (const held_t *held, size_t at)
{
    const slot_t *slot = &held->slots[at];
    return skr_span (held->arena.data + slot->address, slot->address_size);
}

static saker_err_t add_conflict (skr_cells_store_t *self, skr_span_t path)
{
    self->held.disputed = DISPUTED_YES;
    return skr_conflicts_add (self->store, self->held.collection_no,
                              skr_span_of (&self->held.document), path);
}

/* Looks at a place, and at those above it; `had`: only where the index has them. */
static saker_err_t judge_above (view_t *view, skr_span_t document, skr_span_t path, bool had)
{
    skr_store_t *store = view->owner->store;
    skr_span_t rest = path, key;
    bool more = true, has, conflict;
    while (more) {
        skr_span_t above = skr_span (path.data, path.size - rest.size);
        SKR_TRY (skr_conflicts_has (store, SKR_GROUP, view->collection_no, document, above, &has));
        if (has || !had) {
            SKR_TRY (skr_conflicts_judge (&view->cells, document, above, &conflict));
            if (has && !conflict) {
                SKR_TRY (skr_conflicts_remove (store, view->collection_no, document, above));
            } else if (conflict && !has) {
                SKR_TRY (skr_conflicts_add (store, view->collection_no, document, above));
            }
        }
        more = skr_path_next (&rest, &key);
    }
    return SAKER_OK;
}

/* An entry came. Its neighbours tell, unless one of them may lie in another bucket. */
static saker_err_t note_put (view_t *view, skr_span_t document, const skr_entry_t *entry, size_t at)
{
    skr_cells_store_t *self = view->owner;
    const held_t *held = &self->held;
    skr_span_t place;
    if (document.size == 0) {
        return SAKER_OK; /* the roster */
    }
    bool first = at == 0 && held->key.size > 0, last = at + 1 == held->count && held->bounded;
    if (first || last) {
        skr_span_t path = skr_conflicts_path (entry->address);
        self->held.disputed = DISPUTED_UNKNOWN;
        return judge_above (view, document, path, false);
    }
    if (at > 0 && skr_conflicts_between (address_at (held, at - 1), entry->address, &place)) {
        SKR_TRY (add_conflict (self, place));
    }
    if (at + 1 < held->count
        && skr_conflicts_between (entry->address, address_at (held, at + 1), &place)) {
        SKR_TRY (add_conflict (self, place));
    }
    return SAKER_OK;
}

/* An entry went: what was in conflict may be settled. */
static saker_err_t note_remove (view_t *view, skr_span_t document, const skr_entry_t *entry)
{
    skr_cells_store_t *self = view->owner;
    held_t *held = &self->held;
    if (document.size == 0 || held->disputed == DISPUTED_NO) {
        return SAKER_OK;
    }
    if (held->disputed == DISPUTED_UNKNOWN) {
        bool any;
        SKR_TRY (skr_conflicts_any (self->store, SKR_GROUP, view->collection_no, document, &any));
        held->disputed = any ? DISPUTED_YES : DISPUTED_NO;
    }
    return held->disputed == DISPUTED_YES
               ? judge_above (view, document, skr_conflicts_path (entry->address), true)
               : SAKER_OK;
}

/* ---- the interface: changing */

static saker_err_t item_of (view_t *view, const skr_entry_t *entry, skr_item_t *item)
{
    skr_cells_store_t *self = view->owner;
    if (view->sight != SKR_GROUP) {
        return skr_fail (SAKER_EUSAGE, "cells as committed cannot be changed");
    }
    SKR_TRY (check_failed (self));
    *item = (skr_item_t){
        .index = entry->dot.index,
        .seq = entry->dot.seq,
        .hlc = entry->hlc,
        .address = entry->address,
        .value = entry->value,
    };
    return skr_writer_cache_no (&self->writers, self->store, SKR_GROUP, &entry->dot.writer,
                                &item->writer);
}

static saker_err_t put_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    held_t *held = &self->held;
    skr_item_t item;
    SKR_TRY (item_of (view, entry, &item));
    SKR_TRY (hold (self, view, document, &item));
    size_t at = place_of (held, &item);
    if (is_at (held, at, &item)) {
        return skr_fail (SAKER_EDAMAGED, "an entry that is to be added is there already");
    }
    SKR_TRY (insert (held, at, &item));
    held->dirty = true;
    held->appended = at + 1 == held->count;
    SKR_TRY (note_put (view, document, entry, at));
    if ((held->live_bytes > HELD_BYTES_MAX && held->count > 1) || held->count > HELD_ITEMS_MAX
        || held->arena.size > held->live_bytes + GARBAGE_BYTES_MAX) {
        SKR_TRY (write_held (self));
        let_go (held);
    }
    return SAKER_OK;
}

static saker_err_t remove_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    held_t *held = &self->held;
    skr_item_t item;
    SKR_TRY (item_of (view, entry, &item));
    SKR_TRY (hold (self, view, document, &item));
    size_t at = place_of (held, &item);
    if (!is_at (held, at, &item)) {
        return skr_fail (SAKER_EDAMAGED, "an entry that is to be removed is not there");
    }
    take_out (held, at);
    held->dirty = true;
    return note_remove (view, document, entry);
}

/* ---- the interface: scanning */

/* A walk over the entries with one address prefix. */
typedef struct walk_t {
    view_t *view;
    skr_span_t prefix;
    skr_visit_fn *visit;
    void *argument;
    skr_bucket_reader_t reader;
    bool done; /* an entry above the prefix was met */
} walk_t;

static saker_err_t entry_of (skr_cells_store_t *self, skr_sight_t sight, const skr_item_t *item,
                             skr_entry_t *entry)
{
    entry->dot.seq = item->seq;
    entry->dot.index = item->index;
    entry->hlc = item->hlc;
    entry->address = item->address;
    entry->value = item->value;
    return skr_writer_cache_id (&self->writers, self->store, sight, item->writer,
                                &entry->dot.writer);
}

static saker_err_t walk_item (walk_t *walk, const skr_item_t *item)
{
    if (!skr_span_starts (item->address, walk->prefix)) {
        walk->done = skr_span_compare (item->address, walk->prefix) > 0;
        return SAKER_OK;
    }
    skr_entry_t entry;
    SKR_TRY (entry_of (walk->view->owner, walk->view->sight, item, &entry));
    return walk->visit (&entry, walk->argument);
}

static saker_err_t walk_bucket (walk_t *walk, skr_span_t bucket)
{
    skr_bucket_open (&walk->reader, bucket);
    while (!walk->done && skr_bucket_next (&walk->reader)) {
        SKR_TRY (walk_item (walk, &walk->reader.item));
    }
    return walk->reader.error;
}

static saker_err_t walk_record (skr_span_t key, skr_span_t bucket, void *argument)
{
    walk_t *walk = argument;
    (void) key;
    SKR_TRY (walk_bucket (walk, bucket));
    return walk->done ? SKR_STOP : SAKER_OK;
}

static saker_err_t walk_held (walk_t *walk)
{
    const held_t *held = &walk->view->owner->held;
    skr_item_t first = {.address = walk->prefix};
    for (size_t at = place_of (held, &first); at < held->count && !walk->done; at++) {
        skr_item_t item = item_at (held, at);
        SKR_TRY (walk_item (walk, &item));
    }
    return SAKER_OK;
}

static saker_err_t walk_store (walk_t *walk, skr_span_t document)
{
    skr_cells_store_t *self = walk->view->owner;
    where_t where = {.sight = walk->view->sight};
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    uint64_t no;
    saker_err_t error =
        skr_store_document_no (self->store, where.sight, walk->view->collection_no, document, &no);
    if (error) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    put_prefix (where.prefix, walk->view->collection_no, no);
    skr_span_t from = skr_span (where.prefix, PREFIX_BYTES), found, bucket;
    if (walk->prefix.size > 0) {
        error = locate (self, &where, walk->prefix, &found, &bucket);
        if (!error) {
            from = record_key (bytes, where.prefix, found);
        } else if (error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_store_scan (self->store, where.sight, SKR_CELLS,
                           skr_span (where.prefix, PREFIX_BYTES), from, walk_record, walk);
}

static saker_err_t scan_entries (void *context, skr_span_t document, skr_span_t prefix,
                                 skr_visit_fn *visit, void *argument)
{
    view_t *view = context;
    skr_cells_store_t *self = view->owner;
    walk_t walk = {.view = view, .prefix = prefix, .visit = visit, .argument = argument};
    if (view->sight == SKR_GROUP) {
        SKR_TRY (check_failed (self));
        if (holds_document (&self->held, view->collection_no, document)) {
            if (covers_prefix (&self->held, prefix)) {
                return walk_held (&walk);
            }
            SKR_TRY (write_held (self));
        }
    }
    saker_err_t error = walk_store (&walk, document);
    skr_bucket_free (&walk.reader);
    return error;
}

/* ---- life */

static void init_view (view_t *view, skr_cells_store_t *self, skr_sight_t sight)
{
    view->owner = self;
    view->sight = sight;
    view->cells = (skr_cells_t){
        .context = view,
        .scan = scan_entries,
        .put = put_entry,
        .remove = remove_entry,
    };
}

saker_err_t skr_cells_store_new (skr_cells_store_t **self_p, skr_store_t *store)
{
    skr_cells_store_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self) {
        return out_of_memory ();
    }
    self->store = store;
    init_view (&self->committed, self, SKR_COMMITTED);
    init_view (&self->group, self, SKR_GROUP);
    return SAKER_OK;
}

void skr_cells_store_destroy (skr_cells_store_t **self_p)
{
    skr_cells_store_t *self = *self_p;
    if (!self) {
        return;
    }
    skr_buf_free (&self->held.document);
    skr_buf_free (&self->held.key);
    skr_buf_free (&self->held.upper);
    skr_buf_free (&self->held.arena);
    free (self->held.slots);
    skr_buf_free (&self->bucket.bytes);
    skr_bucket_free (&self->reader);
    skr_buf_free (&self->sort_key);
    skr_buf_free (&self->other_key);
    skr_writer_cache_clear (&self->writers);
    free (self);
    *self_p = NULL;
}

const skr_cells_t *skr_cells_store_of (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, uint64_t *documents)
{
    view_t *view = sight == SKR_GROUP ? &self->group : &self->committed;
    if (sight == SKR_GROUP
        && (view->collection_no != collection_no || view->documents != documents)) {
        /* The count of the documents belongs to the caller, who may move it from now on. */
        saker_err_t error = write_held (self);
        let_go (&self->held);
        (void) error; /* the next put, scan or flush tells */
    }
    view->collection_no = collection_no;
    view->documents = documents;
    return &view->cells;
}

saker_err_t skr_cells_store_flush (skr_cells_store_t *self)
{
    SKR_TRY (write_held (self));
    let_go (&self->held);
    return SAKER_OK;
}

void skr_cells_store_drop (skr_cells_store_t *self)
{
    let_go (&self->held);
    self->failed = SAKER_OK;
    /* Numbers that were given in the group are given again. */
    skr_writer_cache_clear (&self->writers);
}

/* ---- whole collections */

typedef struct listing_t {
    skr_document_fn *visit;
    void *argument;
} listing_t;

static saker_err_t list_document (skr_span_t key, skr_span_t no, void *argument)
{
    listing_t *listing = argument;
    (void) no;
    return listing->visit (skr_span (key.data + 4, key.size - 4), listing->argument);
}

saker_err_t skr_cells_store_documents (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, skr_span_t from,
                                       skr_document_fn *visit, void *argument)
{
    uint8_t key[4 + SKR_DOCUMENT_BYTES_MAX];
    listing_t listing = {visit, argument};
    if (from.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a document id of %zu bytes: at most %d", from.size,
                         SKR_DOCUMENT_BYTES_MAX);
    }
    if (sight == SKR_GROUP) {
        SKR_TRY (skr_cells_store_flush (self));
    }
    skr_put_u32 (key, collection_no);
    if (from.size > 0) {
        memcpy (key + 4, from.data, from.size);
    }
    return skr_store_scan (self->store, sight, SKR_DOCUMENTS, skr_span (key, 4),
                           skr_span (key, 4 + from.size), list_document, &listing);
}

typedef struct all_t {
    skr_cells_store_t *owner;
    skr_sight_t sight;
    uint32_t collection_no;
    uint64_t document_no;
    skr_span_t document;
    skr_cell_fn *visit;
    void *argument;
    skr_bucket_reader_t reader;
} all_t;

static saker_err_t visit_bucket (skr_span_t key, skr_span_t bucket, void *argument)
{
    all_t *all = argument;
    uint64_t no = skr_get_u64 (key.data + 4);
    if (no != all->document_no) {
        SKR_TRY (skr_store_document_id (all->owner->store, all->sight, all->collection_no, no,
                                        &all->document));
        all->document_no = no;
    }
    skr_bucket_open (&all->reader, bucket);
    while (skr_bucket_next (&all->reader)) {
        skr_entry_t entry;
        SKR_TRY (entry_of (all->owner, all->sight, &all->reader.item, &entry));
        SKR_TRY (all->visit (all->document, &entry, all->argument));
    }
    return all->reader.error;
}

saker_err_t skr_cells_store_all (skr_cells_store_t *self, skr_sight_t sight, uint32_t collection_no,
                                 skr_cell_fn *visit, void *argument)
{
    uint8_t prefix[4];
    all_t all = {
        .owner = self,
        .sight = sight,
        .collection_no = collection_no,
        .visit = visit,
        .argument = argument,
    };
    if (sight == SKR_GROUP) {
        SKR_TRY (skr_cells_store_flush (self));
    }
    skr_put_u32 (prefix, collection_no);
    saker_err_t error = skr_store_scan (self->store, sight, SKR_CELLS, skr_span (prefix, 4),
                                        skr_span (NULL, 0), visit_bucket, &all);
    skr_bucket_free (&all.reader);
    return error;
}
