#include "peer/pages_internal.h"

#include <string.h>

#define ORDINAL_STEP ((uint64_t) 1 << 32)

/* there: the store has a bucket with this key. */
static saker_err_t put_bucket (skr_pages_t *self, skr_span_t sort, bool there)
{
    uint8_t bytes[SKR_STORE_KEY_BYTES_MAX], prefix[SKR_CELLS_PREFIX_BYTES];
    if (self->bucket.bytes.failed) {
        return skr_pages_no_memory ();
    }
    skr_cells_prefix (prefix, self->current->collection_no, self->current->document_no);
    skr_span_t key = skr_cells_key (bytes, prefix, sort), value = skr_span_of (&self->bucket.bytes);
    return there ? skr_store_replace_cells (self->store, key, value)
                 : skr_store_put (self->store, SKR_CELLS, key, value);
}

/* A number for the bucket after the one at `left`, with the stem of `right`; 0 when there is no
   room between: then the bucket before it just grows. */
static uint64_t new_ordinal (const skr_page_t *page, skr_span_t left, skr_span_t right)
{
    skr_span_t upper = skr_span_of (&page->upper);
    uint64_t low = skr_bucket_same_stem (left, right) ? skr_bucket_ordinal (left) : 0;
    if (page->bounded && skr_bucket_same_stem (upper, right)) {
        uint64_t middle = low + (skr_bucket_ordinal (upper) - low) / 2;
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
        return skr_pages_no_memory ();
    }
    const skr_buf_t *left = &self->other_key, *right = &self->sort_key;
    size_t shared = 0;
    while (shared < left->size && left->data[shared] == right->data[shared]) {
        shared++;
    }
    uint8_t ordinal[SKR_BUCKET_ORDINAL_BYTES];
    size_t size = shared + 1;
    uint64_t number = 0;
    if (size > SKR_BUCKET_STEM_BYTES) {
        size = SKR_BUCKET_STEM_BYTES;
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
    return key->failed ? skr_pages_no_memory () : SAKER_OK;
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
        return SKR_BUCKET_BYTES_MAX;
    }
    size_t buckets = total / SKR_BUCKET_BYTES_MAX + 1;
    size_t wanted = total / buckets + total / buckets / 16;
    return wanted < SKR_BUCKET_BYTES_MAX ? wanted : SKR_BUCKET_BYTES_MAX;
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
        uint8_t full_key[SKR_BUCKET_STEM_BYTES + SKR_BUCKET_ORDINAL_BYTES];
        size_t full_key_size = key->size;
        if (full_key_size > 0) {
            memcpy (full_key, key->data, full_key_size);
        }
        SKR_TRY (separate (self, &last, &item, key, &can));
        if (can) {
            self->bucket.bytes.size = before;
            SKR_TRY (put_bucket (self, skr_span (full_key, full_key_size), false));
            skr_bucket_restart (&self->bucket);
            skr_bucket_put (&self->bucket, &item);
        }
    }
    return put_bucket (self, skr_span_of (key), false);
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
                               skr_cells_key (bytes, where.prefix, skr_page_key (page))));
    page->stored = false;
    saker_err_t error =
        skr_bucket_last (self, &where, skr_span (above, sizeof above), &found, &bucket);
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

saker_err_t skr_page_write_dirty (skr_pages_t *self)
{
    skr_page_t *page = self->current;
    if (page->count == 0) {
        return remove_bucket (self);
    }
    SKR_TRY (make_document (self));
    encode (self);
    if (self->bucket.bytes.size <= SKR_BUCKET_BYTES_MAX || page->count == 1) {
        bool there = page->stored;
        page->stored = true;
        return put_bucket (self, skr_page_key (page), there);
    }
    saker_err_t error =
        write_several (self, bytes_wanted (page, self->bucket.bytes.size), &page->key);
    skr_pages_let_go (self, page);
    return error;
}
