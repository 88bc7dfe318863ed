/* Where a bucket's key comes from: when a bucket is split between the entries a and b, the key of
   the right one is the shortest prefix of b's sort key that is above a's. Addresses may be far
   longer than a key: when a and b share STEM_BYTES or more, the key is these, the stem, and an
   ordinal u64. Buckets with one stem stand in the order of their ordinals; a new one takes a number
   halfway between its neighbours, or well above the last. So for a sort key longer than a stem the
   bucket is found by the first entries of the buckets with its stem; for others by the keys alone.
 */

#include "peer/pages.h"

#include "peer/page_tally.h"

#include "crdt/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* With key, header and checksum it fills two pages of LMDB, and no byte of a third. */
#define BUCKET_BYTES_MAX (8192 - 16 - 8)
/* A page that has grown so far is written, as several buckets. */
#define PAGE_BYTES_MAX (4 * BUCKET_BYTES_MAX)
#define PAGE_ITEMS_MAX 4096
#define ITEMS_MAX 262144 /* of all pages, about */
#define GARBAGE_BYTES_MAX (1u << 20)
/* What is kept after a group: bytes of all pages, bytes of one, and empty ones. */
#define KEPT_BYTES_MAX (12u << 20)
#define KEPT_PAGE_BYTES_MAX 32768
#define SPARE_PAGES_MAX 64
#define ORDINAL_BYTES 8
/* One byte is left, for the table number in SKR_ASIDE. */
#define STEM_BYTES (SKR_STORE_KEY_BYTES_MAX - SKR_CELLS_PREFIX_BYTES - ORDINAL_BYTES - 1)
#define ORDINAL_STEP ((uint64_t) 1 << 32)

static saker_err_t out_of_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for cells");
}

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
    assert (sort.size <= STEM_BYTES + ORDINAL_BYTES);
    memcpy (bytes, prefix, SKR_CELLS_PREFIX_BYTES);
    if (sort.size > 0) {
        memcpy (bytes + SKR_CELLS_PREFIX_BYTES, sort.data, sort.size);
    }
    return skr_span (bytes, SKR_CELLS_PREFIX_BYTES + sort.size);
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

/* The last bucket whose key is not above `sort`. *found is its key without prefix. */
static saker_err_t last_bucket (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
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
        return self->other_key.failed ? out_of_memory () : SAKER_OK;
    }
    return self->reader.error;
}

/* Among the buckets with the stem of `sort` and ordinals up to `high`: the ordinal of the last that
   does not start above `sort`; 0 when all do. */
static saker_err_t search_stem (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
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

saker_err_t skr_cells_locate (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
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
    skr_buf_append (next, key.data + SKR_CELLS_PREFIX_BYTES, key.size - SKR_CELLS_PREFIX_BYTES);
    return SKR_STOP;
}

/* The key of the bucket after `key`, without prefix; empty when there is none. (Only the first
   bucket of a document has an empty key.) */
static saker_err_t next_bucket (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t key,
                                skr_buf_t *next)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX + 1];
    skr_span_t from = skr_cells_key (bytes, where->prefix, key);
    bytes[from.size] = 0;
    skr_buf_clear (next);
    SKR_TRY (skr_store_scan (self->store, where->sight, SKR_CELLS,
                             skr_span (where->prefix, SKR_CELLS_PREFIX_BYTES),
                             skr_span (bytes, from.size + 1), keep_key, next));
    return next->failed ? out_of_memory () : SAKER_OK;
}

/* ---- a page */

skr_item_t skr_page_item (const skr_page_t *page, size_t at)
{
    const skr_slot_t *slot = &page->slots[at];
    return (skr_item_t){
        .writer = slot->writer,
        .index = slot->index,
        .seq = slot->seq,
        .hlc = slot->hlc,
        .address = skr_span (page->arena.data + slot->address, slot->address_size),
        .value = skr_span (page->arena.data + slot->value, slot->value_size),
    };
}

size_t skr_page_place (const skr_page_t *page, const skr_item_t *item)
{
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        skr_item_t at = skr_page_item (page, middle);
        if (skr_item_compare (&at, item) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool skr_page_has (const skr_page_t *page, size_t at, const skr_item_t *item)
{
    if (at == page->count) {
        return false;
    }
    skr_item_t found = skr_page_item (page, at);
    return skr_item_compare (&found, item) == 0;
}

static saker_err_t insert (skr_page_t *page, size_t at, const skr_item_t *item, bool counted)
{
    if (page->count == page->capacity) {
        size_t capacity = page->capacity ? 2 * page->capacity : 4;
        skr_slot_t *slots = realloc (page->slots, capacity * sizeof *slots);
        if (!slots) {
            return out_of_memory ();
        }
        page->slots = slots;
        page->capacity = capacity;
    }
    skr_slot_t slot = {.writer = item->writer,
                       .index = item->index,
                       .seq = item->seq,
                       .hlc = item->hlc,
                       .counted = counted};
    slot.address = page->arena.size;
    slot.address_size = (uint32_t) item->address.size;
    skr_buf_append_span (&page->arena, item->address);
    slot.value = page->arena.size;
    slot.value_size = (uint32_t) item->value.size;
    skr_buf_append_span (&page->arena, item->value);
    if (page->arena.failed) {
        return out_of_memory ();
    }
    memmove (&page->slots[at + 1], &page->slots[at], (page->count - at) * sizeof *page->slots);
    page->slots[at] = slot;
    page->count++;
    page->live_bytes += item->address.size + item->value.size;
    return SAKER_OK;
}

static void take_out (skr_page_t *page, size_t at)
{
    page->live_bytes -= page->slots[at].address_size + page->slots[at].value_size;
    page->count--;
    memmove (&page->slots[at], &page->slots[at + 1], (page->count - at) * sizeof *page->slots);
}

/* Empties it and keeps the memory. */
static void clear_page (skr_page_t *page)
{
    page->active = false;
    page->stored = false;
    page->dirty = false;
    page->appended = false;
    page->bounded = false;
    page->made = false;
    page->removed = false;
    page->due = false;
    page->disputed = SKR_DISPUTED_UNKNOWN;
    page->count = 0;
    page->bytes = 0;
    page->live_bytes = 0;
    skr_buf_clear (&page->arena);
}

/* ---- lists of pages */

static void add_due (skr_pages_t *self, skr_page_t *page)
{
    if (!page->due) {
        page->due = true;
        page->due_place = self->due_count;
        self->due[self->due_count++] = page;
    }
}

static void remove_due (skr_pages_t *self, skr_page_t *page)
{
    if (page->due) {
        skr_page_t *last = self->due[--self->due_count];
        page->due = false;
        last->due_place = page->due_place;
        self->due[page->due_place] = last;
    }
}

static void count_bytes (skr_pages_t *self, skr_page_t *page)
{
    self->bytes -= page->bytes;
    page->bytes = sizeof *page + page->arena.capacity + page->capacity * sizeof *page->slots;
    self->bytes += page->bytes;
}

static void add_page (skr_pages_t *self, skr_page_t *page)
{
    page->active = true;
    page->place = self->count++;
    page->next = self->index[page->bucket];
    self->index[page->bucket] = page;
    self->items += page->count;
    count_bytes (self, page);
    if (!skr_page_is_whole (page)) {
        add_due (self, page);
    }
}

/* Empties it and keeps it for another. */
static void let_go (skr_pages_t *self, skr_page_t *page)
{
    skr_page_t **at = &self->index[page->bucket], *last = self->pages[--self->count];
    while (*at != page) {
        at = &(*at)->next;
    }
    *at = page->next;
    last->place = page->place;
    self->pages[page->place] = last;
    self->pages[self->count] = page;
    self->items -= page->count;
    self->bytes -= page->bytes;
    self->recent = NULL;
    remove_due (self, page);
    clear_page (page);
}

static skr_span_t page_key (const skr_page_t *page)
{
    return skr_span_of (&page->key);
}

/* ---- writing a page */

static saker_err_t put_bucket (skr_pages_t *self, skr_span_t sort)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX], prefix[SKR_CELLS_PREFIX_BYTES];
    if (self->bucket.bytes.failed) {
        return out_of_memory ();
    }
    skr_cells_prefix (prefix, self->current->collection_no, self->current->document_no);
    return skr_store_put (self->store, SKR_CELLS, skr_cells_key (bytes, prefix, sort),
                          skr_span_of (&self->bucket.bytes));
}

/* A number for the bucket after the one at `left`, with the stem of `right`; 0 when there is no
   room between: then the bucket before it just grows. */
static uint64_t new_ordinal (const skr_page_t *page, skr_span_t left, skr_span_t right)
{
    skr_span_t upper = skr_span_of (&page->upper);
    uint64_t low = same_stem (left, right) ? ordinal_of (left) : 0;
    if (page->bounded && same_stem (upper, right)) {
        uint64_t middle = low + (ordinal_of (upper) - low) / 2;
        return middle > low ? middle : 0;
    }
    return low < UINT64_MAX - ORDINAL_STEP ? low + ORDINAL_STEP : 0;
}

/* The key of a bucket that starts with `item`, after one at *key that ends with `last`; replaces
 *key. False: there can be none. */
static saker_err_t separate (skr_pages_t *self, const skr_item_t *last, const skr_item_t *item,
                             skr_buf_t *key, bool *can)
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
        number = new_ordinal (self->current, skr_span_of (key), skr_span_of (right));
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

static void encode (skr_pages_t *self)
{
    skr_bucket_restart (&self->bucket);
    for (size_t i = 0; i < self->current->count; i++) {
        skr_item_t item = skr_page_item (self->current, i);
        skr_bucket_put (&self->bucket, &item);
    }
}

/* Full buckets when it grows at its end, even ones when it grows anywhere. */
static size_t bytes_wanted (const skr_page_t *page, size_t total)
{
    if (page->appended && !page->bounded) {
        return BUCKET_BYTES_MAX;
    }
    size_t buckets = total / BUCKET_BYTES_MAX + 1;
    size_t wanted = total / buckets + total / buckets / 16;
    return wanted < BUCKET_BYTES_MAX ? wanted : BUCKET_BYTES_MAX;
}

static saker_err_t write_several (skr_pages_t *self, size_t wanted, skr_buf_t *key)
{
    skr_bucket_restart (&self->bucket);
    for (size_t i = 0; i < self->current->count; i++) {
        skr_item_t item = skr_page_item (self->current, i), last = self->bucket.last;
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
static saker_err_t remove_bucket (skr_pages_t *self)
{
    skr_page_t *page = self->current;
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX];
    skr_cells_where_t where = {.sight = SKR_GROUP};
    skr_span_t found, bucket;
    static const uint8_t above[] = {0xff}; /* no address starts with it */
    if (!page->stored) {
        return SAKER_OK;
    }
    skr_cells_prefix (where.prefix, page->collection_no, page->document_no);
    SKR_TRY (skr_store_remove (self->store, SKR_CELLS,
                               skr_cells_key (bytes, where.prefix, page_key (page))));
    page->stored = false;
    saker_err_t error = last_bucket (self, &where, skr_span (above, sizeof above), &found, &bucket);
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    SKR_TRY (skr_store_document_drop (self->store, page->collection_no,
                                      skr_span_of (&page->document), page->document_no));
    page->document_no = 0;
    page->live->documents--;
    return SAKER_OK;
}

static saker_err_t make_document (skr_pages_t *self)
{
    skr_page_t *page = self->current;
    if (page->document_no != 0) {
        return SAKER_OK;
    }
    if (!self->last_known) {
        SKR_TRY (skr_store_document_last (self->store, page->collection_no, &self->last));
        self->last_known = true;
    }
    SKR_TRY (skr_store_document_make (self->store, page->collection_no,
                                      skr_span_of (&page->document), self->last,
                                      &page->document_no));
    self->last = page->document_no;
    page->made = true;
    page->live->documents++;
    return SAKER_OK;
}

static saker_err_t write_dirty (skr_pages_t *self)
{
    skr_page_t *page = self->current;
    if (page->count == 0) {
        return remove_bucket (self);
    }
    SKR_TRY (make_document (self));
    encode (self);
    if (self->bucket.bytes.size <= BUCKET_BYTES_MAX || page->count == 1) {
        page->stored = true;
        return put_bucket (self, page_key (page));
    }
    saker_err_t error =
        write_several (self, bytes_wanted (page, self->bucket.bytes.size), &page->key);
    let_go (self, page);
    return error;
}

saker_err_t skr_pages_check (const skr_pages_t *self)
{
    return self->failed ? skr_fail (self->failed, "cells: a write of this group has failed")
                        : SAKER_OK;
}

/* Afterwards it is a page still, unless it became several buckets. */
static saker_err_t write_page (skr_pages_t *self, skr_page_t *page)
{
    SKR_TRY (skr_pages_check (self));
    if (!page->dirty) {
        return SAKER_OK;
    }
    page->dirty = false;
    self->current = page;
    self->failed = skr_tally_page (self, page);
    self->failed = self->failed ? self->failed : write_dirty (self);
    return self->failed;
}

/* Those of new documents as they came, and these get their numbers then. */
static int compare_pages (const void *one, const void *other)
{
    const skr_page_t *a = *(skr_page_t *const *) one, *b = *(skr_page_t *const *) other;
    if ((a->document_no == 0) != (b->document_no == 0)) {
        return a->document_no == 0 ? 1 : -1;
    }
    if (a->document_no != b->document_no) {
        return a->document_no < b->document_no ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static void free_page (skr_page_t *page)
{
    skr_buf_free (&page->document);
    skr_buf_free (&page->key);
    skr_buf_free (&page->upper);
    skr_buf_free (&page->arena);
    free (page->slots);
    free (page);
}

static void free_spare (skr_pages_t *self)
{
    while (self->allocated > self->count + SPARE_PAGES_MAX) {
        free_page (self->pages[--self->allocated]);
    }
}

static void let_all_go (skr_pages_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        self->index[self->pages[i]->bucket] = NULL;
        clear_page (self->pages[i]);
    }
    self->count = self->due_count = 0;
    self->items = self->bytes = 0;
    self->recent = NULL;
    self->last_known = false;
    free_spare (self);
}

static void sort_due (skr_pages_t *self)
{
    bool sorted = true;
    for (size_t i = 1; i < self->due_count && sorted; i++) {
        sorted = compare_pages (&self->due[i - 1], &self->due[i]) <= 0;
    }
    if (!sorted) {
        qsort (self->due, self->due_count, sizeof (skr_page_t *), compare_pages);
    }
}

static saker_err_t write_due (skr_pages_t *self, size_t count)
{
    saker_err_t error = skr_pages_check (self);
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = self->due[i]->count > 0 ? write_page (self, self->due[i]) : SAKER_OK;
    }
    /* A document goes with the last bucket that goes: not before others are written. */
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = write_page (self, self->due[i]);
    }
    return error;
}

/* What was just made, by an import, is not soon written again. */
static bool is_kept (const skr_page_t *page)
{
    return skr_page_is_whole (page) && page->count > 0 && !page->made
           && page->bytes <= KEPT_PAGE_BYTES_MAX;
}

saker_err_t skr_pages_write (skr_pages_t *self)
{
    size_t count = self->due_count;
    sort_due (self);
    self->due_count = 0; /* they stay in the list meanwhile, out of let_go's way */
    for (size_t i = 0; i < count; i++) {
        self->due[i]->due = false;
    }
    saker_err_t error = write_due (self, count);
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        skr_page_t *page = self->due[i];
        if (page->active) {
            count_bytes (self, page);
        }
        if (page->active && !is_kept (page)) {
            let_go (self, page);
        }
    }
    self->last_known = false;
    if (error != SAKER_OK || self->bytes > KEPT_BYTES_MAX) {
        let_all_go (self);
    }
    free_spare (self);
    return error;
}

void skr_pages_drop (skr_pages_t *self)
{
    let_all_go (self);
    self->failed = SAKER_OK;
}

void skr_pages_free (skr_pages_t *self)
{
    while (self->allocated) {
        free_page (self->pages[--self->allocated]);
    }
    skr_buf_free (&self->bucket.bytes);
    skr_bucket_free (&self->reader);
    skr_buf_free (&self->sort_key);
    skr_buf_free (&self->other_key);
    skr_buf_free (&self->places);
}

/* ---- loading */

/* Does this sort key surely belong to the page? With a stem in play it is not said. */
static bool covers (const skr_page_t *page, skr_span_t sort)
{
    skr_span_t lower = page_key (page), upper = skr_span_of (&page->upper);
    if (lower.size > 0 && (same_stem (lower, sort) || skr_span_compare (lower, sort) > 0)) {
        return false;
    }
    return !page->bounded || (!same_stem (upper, sort) && skr_span_compare (sort, upper) < 0);
}

bool skr_page_covers (const skr_page_t *page, skr_span_t prefix)
{
    return covers (page, prefix)
           && (!page->bounded || !skr_span_starts (skr_span_of (&page->upper), prefix));
}

static saker_err_t decode (skr_pages_t *self, skr_page_t *page, skr_span_t bucket)
{
    skr_bucket_open (&self->reader, bucket);
    while (skr_bucket_next (&self->reader)) {
        SKR_TRY (insert (page, page->count, &self->reader.item, true));
    }
    return self->reader.error;
}

/* ---- the pages of a document */

static size_t index_of (const skr_page_of_t *of)
{
    uint64_t hash = 0xcbf29ce484222325u ^ of->collection_no; /* FNV-1a */
    for (size_t i = 0; i < of->document.size; i++) {
        hash = (hash ^ of->document.data[i]) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccdu;
    return (size_t) (hash >> 40) % SKR_PAGES_INDEX;
}

static bool is_of (const skr_page_t *page, const skr_page_of_t *of)
{
    return page->collection_no == of->collection_no
           && skr_span_equal (skr_span_of (&page->document), of->document);
}

bool skr_page_is_whole (const skr_page_t *page)
{
    return page->key.size == 0 && !page->bounded;
}

/* The page of a sort key, or NULL. *any: some page of the document, or NULL. */
static skr_page_t *find (const skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                         skr_page_t **any)
{
    *any = NULL;
    if (self->recent && is_of (self->recent, of) && skr_page_is_whole (self->recent)) {
        return self->recent;
    }
    for (skr_page_t *page = self->index[index_of (of)]; page; page = page->next) {
        if (is_of (page, of)) {
            if (skr_page_is_whole (page) || covers (page, sort)) {
                return page;
            }
            *any = page;
        }
    }
    return NULL;
}

skr_page_t *skr_pages_find (const skr_pages_t *self, const skr_page_of_t *of, skr_span_t key)
{
    for (skr_page_t *page = self->index[index_of (of)]; page; page = page->next) {
        if (is_of (page, of) && skr_span_equal (page_key (page), key)) {
            return page;
        }
    }
    return NULL;
}

/* ---- loading */

/* The first bucket of a document and the key of the second, while a scan lends them. */
typedef struct loading_t {
    skr_page_t *page;
    skr_span_t first;
    bool found; /* the first one */
} loading_t;

static saker_err_t load_record (skr_span_t key, skr_span_t bucket, void *argument)
{
    loading_t *loading = argument;
    skr_span_t sort =
        skr_span (key.data + SKR_CELLS_PREFIX_BYTES, key.size - SKR_CELLS_PREFIX_BYTES);
    if (!loading->found && sort.size == 0) {
        loading->found = true;
        loading->first = bucket;
        return SAKER_OK;
    }
    loading->page->bounded = true;
    skr_buf_append_span (&loading->page->upper, sort);
    return loading->page->upper.failed ? out_of_memory () : SKR_STOP;
}

/* Most documents are one bucket. *done: the sort key belongs to the first. */
static saker_err_t load_first (skr_pages_t *self, skr_page_t *page, skr_span_t sort, bool *done)
{
    loading_t loading = {.page = page};
    uint8_t prefix[SKR_CELLS_PREFIX_BYTES];
    skr_cells_prefix (prefix, page->collection_no, page->document_no);
    SKR_TRY (skr_store_scan (self->store, SKR_GROUP, SKR_CELLS, skr_span (prefix, sizeof prefix),
                             skr_span (NULL, 0), load_record, &loading));
    *done = loading.found && (skr_page_is_whole (page) || covers (page, sort));
    if (*done) {
        page->stored = true;
        return decode (self, page, loading.first);
    }
    page->bounded = false;
    skr_buf_clear (&page->upper);
    return SAKER_OK;
}

/* *there: the page that has it already. */
static saker_err_t load_other (skr_pages_t *self, const skr_page_of_t *of, skr_page_t *page,
                               skr_span_t sort, skr_page_t **there)
{
    skr_cells_where_t where = {.sight = SKR_GROUP};
    skr_span_t found = skr_span (NULL, 0), bucket;
    skr_cells_prefix (where.prefix, page->collection_no, page->document_no);
    saker_err_t error = skr_cells_locate (self, &where, sort, &found, &bucket);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    *there = skr_pages_find (self, of, error ? skr_span (NULL, 0) : found);
    if (*there) {
        return SAKER_OK;
    }
    if (error == SAKER_OK) {
        page->stored = true;
        skr_buf_append_span (&page->key, found);
        SKR_TRY (decode (self, page, bucket));
    }
    SKR_TRY (next_bucket (self, &where, page_key (page), &page->upper));
    page->bounded = page->upper.size > 0;
    return page->key.failed ? out_of_memory () : SAKER_OK;
}

/* ---- one more page */

/* NULL: out of memory. */
static skr_page_t *new_page (skr_pages_t *self)
{
    if (self->count == self->allocated) {
        skr_page_t *page = calloc (1, sizeof *page);
        self->pages[self->count] = page;
        self->allocated += page != NULL;
    }
    return self->pages[self->count];
}

static saker_err_t number_page (const skr_pages_t *self, const skr_page_of_t *of,
                                const skr_page_t *any, skr_page_t *page)
{
    page->document_no = any ? any->document_no : 0;
    if (any) {
        return SAKER_OK;
    }
    saker_err_t error = skr_store_document_no (self->store, SKR_GROUP, of->collection_no,
                                               of->document, &page->document_no);
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t fill_page (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                              const skr_page_t *any, skr_page_t **page)
{
    skr_page_t *there = NULL;
    bool done = false;
    SKR_TRY (number_page (self, of, any, *page));
    if ((*page)->document_no == 0) {
        (*page)->disputed = SKR_DISPUTED_NO;
        return SAKER_OK;
    }
    if (!any) {
        SKR_TRY (load_first (self, *page, sort, &done));
    }
    if (!done) {
        SKR_TRY (load_other (self, of, *page, sort, &there));
    }
    *page = there ? there : *page;
    return SAKER_OK;
}

static saker_err_t open_page (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                              const skr_page_t *any, skr_page_t **page_p)
{
    skr_page_t *page = new_page (self), *filled = page;
    if (!page) {
        return out_of_memory ();
    }
    clear_page (page);
    page->collection_no = of->collection_no;
    page->live = of->live;
    page->order = self->order++;
    page->bucket = index_of (of);
    skr_buf_clear (&page->key);
    skr_buf_clear (&page->upper);
    skr_buf_clear (&page->document);
    skr_buf_append_span (&page->document, of->document);
    SKR_TRY (page->document.failed ? out_of_memory () : fill_page (self, of, sort, any, &filled));
    if (filled == page) {
        add_page (self, page);
    }
    filled->live = of->live;
    *page_p = filled;
    return SAKER_OK;
}

bool skr_pages_full (const skr_pages_t *self)
{
    return self->count == SKR_PAGES_MAX || self->items > ITEMS_MAX;
}

saker_err_t skr_pages_get (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                           skr_page_t **page)
{
    skr_page_t *any;
    *page = find (self, of, sort, &any);
    if (*page) {
        (*page)->live = of->live;
        self->recent = *page;
        return SAKER_OK;
    }
    if (skr_pages_full (self)) {
        SKR_TRY (skr_pages_write (self));
        let_all_go (self);
        any = NULL;
    }
    SKR_TRY (open_page (self, of, sort, any, page));
    self->recent = *page;
    return SAKER_OK;
}

/* ---- changing a page */

static void touch (skr_pages_t *self, skr_page_t *page)
{
    page->dirty = true;
    add_due (self, page);
}

saker_err_t skr_page_insert (skr_pages_t *self, skr_page_t *page, size_t at, const skr_item_t *item)
{
    SKR_TRY (insert (page, at, item, false));
    self->items++;
    page->appended = at + 1 == page->count;
    touch (self, page);
    return SAKER_OK;
}

saker_err_t skr_page_remove (skr_pages_t *self, skr_page_t *page, size_t at)
{
    SKR_TRY (skr_tally_remove (self, page, at));
    take_out (page, at);
    self->items--;
    page->removed = true;
    touch (self, page);
    return SAKER_OK;
}

saker_err_t skr_page_trim (skr_pages_t *self, skr_page_t *page)
{
    bool large = (page->live_bytes > PAGE_BYTES_MAX && page->count > 1)
                 || page->count > PAGE_ITEMS_MAX
                 || page->arena.size > page->live_bytes + GARBAGE_BYTES_MAX;
    if (!large) {
        return SAKER_OK;
    }
    SKR_TRY (write_page (self, page));
    if (page->active) {
        let_go (self, page);
    }
    return SAKER_OK;
}
