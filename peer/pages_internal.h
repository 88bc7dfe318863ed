/* What pages.c, page.c, page_locating.c and page_writing.c share. */

#ifndef SKR_PEER_PAGES_INTERNAL_H_INCLUDED
#define SKR_PEER_PAGES_INTERNAL_H_INCLUDED

#include "peer/pages.h"

/* With key, header and checksum it fills two pages of LMDB, and no byte of a third. */
#define SKR_BUCKET_BYTES_MAX (8192 - 16 - 8)
#define SKR_BUCKET_ORDINAL_BYTES 8
/* One byte is left, for the table number in SKR_ASIDE. */
#define SKR_BUCKET_STEM_BYTES                                                                      \
    (SKR_STORE_KEY_BYTES_MAX - SKR_CELLS_PREFIX_BYTES - SKR_BUCKET_ORDINAL_BYTES - 1)

/* Takes it out of the lists, and keeps it for another. */
void skr_pages_let_go (skr_pages_t *self, skr_page_t *page);

/* ---- buckets in the store: page_locating.c */

/* Is `sort` a stem and ordinal, and does `other` begin with that stem? */
bool skr_bucket_same_stem (skr_span_t sort, skr_span_t other);
uint64_t skr_bucket_ordinal (skr_span_t sort);
/* The last bucket whose key is not above `sort`. *found is its key without prefix. */
saker_err_t skr_bucket_last (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
                             skr_span_t *found, skr_span_t *bucket) SKR_MUST_USE;
/* The key of the bucket after `key`, without prefix; empty when there is none. (Only the first
   bucket of a document has an empty key.) */
saker_err_t skr_bucket_after (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t key,
                              skr_buf_t *next) SKR_MUST_USE;

/* ---- one page in memory: page.c */

saker_err_t skr_page_put_in (skr_page_t *page, size_t at, const skr_item_t *item,
                             bool counted) SKR_MUST_USE;
void skr_page_take_out (skr_page_t *page, size_t at);
/* All but address and writer of what is there; it is not counted any more. */
saker_err_t skr_page_set (skr_page_t *page, size_t at, const skr_item_t *item) SKR_MUST_USE;
/* Empties it and keeps the memory. */
void skr_page_clear (skr_page_t *page);
skr_span_t skr_page_key (const skr_page_t *page);
/* Does this sort key surely belong to the page? With a stem in play it is not said. */
bool skr_page_holds (const skr_page_t *page, skr_span_t sort);
/* Adds what a bucket holds. */
saker_err_t skr_page_decode (skr_pages_t *self, skr_page_t *page, skr_span_t bucket) SKR_MUST_USE;

/* ---- one page to the store: page_writing.c */

/* The current one. Afterwards it is a page still, unless it became several buckets. */
saker_err_t skr_page_write_dirty (skr_pages_t *self) SKR_MUST_USE;

#endif
