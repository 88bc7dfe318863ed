/* Pages: the buckets of SKR_CELLS that the open group works on, decoded; for most documents one
   page, all there is of it. They are written when there are too many, when one has grown too large,
   and at the end, in the order of the documents' numbers. What follows from the cells of a page is
   reckoned when it is written (page_tally.h): what came and went within a group costs nothing
   there.

   A page that is all of its document stays after the group, until there are too many: what was
   written lately is mostly written again. Nobody else changes these records; after an abort all
   pages are dropped. For cells_store.c. */

#ifndef SKR_PEER_PAGES_H_INCLUDED
#define SKR_PEER_PAGES_H_INCLUDED

#include "peer/bucket.h"
#include "peer/collection.h"
#include "peer/numbers.h"

#define SKR_PAGES_MAX 16384
#define SKR_PAGES_INDEX SKR_PAGES_MAX
#define SKR_CELLS_PREFIX_BYTES 12 /* of a key: collection no u32, document no u64 */

/* An item of a page; address and value lie in its arena. Rivals mostly share the bytes of their
   address. No larger than a line of the processor's cache: a place with many rivals is walked over
   with each update. */
typedef struct skr_slot_t {
    uint32_t writer;
    uint32_t index;
    uint64_t seq;
    uint64_t hlc;
    uint32_t address;
    uint32_t value;
    uint32_t address_size;
    uint32_t value_size;
    skr_fingerprint_t hash; /* if it is known */
    bool hashed;
    bool counted; /* in the collection's fingerprint */
} skr_slot_t;

typedef struct skr_page_t {
    bool active;
    bool stored; /* there is a record with its key */
    bool dirty;
    bool appended; /* the last item put became its last */
    bool bounded;  /* another bucket of the document follows, at `upper` */
    bool made;     /* the document was made in this group */
    bool removed;  /* an item went since it was written */
    bool indexed;  /* it is known which of its places the index of conflicts has: `conflicts` */
    bool due;      /* it is among those to look at when the group ends */
    uint32_t collection_no;
    uint64_t document_no;    /* 0: the document has no entries in the store */
    uint64_t order;          /* in which pages were opened */
    skr_collection_t *live;  /* as it was given last */
    size_t place, due_place; /* in the lists of pages */
    uint32_t hash;           /* of the document */
    struct skr_page_t *next; /* in its place of the index */
    size_t bytes;            /* that it was counted with */
    skr_buf_t document;
    skr_buf_t key;   /* without prefix */
    skr_buf_t upper; /* without prefix */
    skr_slot_t *slots;
    size_t count, capacity;
    skr_buf_t arena;
    size_t live_bytes;   /* of addresses and values of the slots */
    skr_buf_t conflicts; /* paths, each after its size u32 */
} skr_page_t;

typedef struct skr_pages_t {
    skr_store_t *store;
    skr_writer_cache_t *writers;
    skr_page_t **pages;
    size_t count, allocated; /* allocated ones beyond count are empty */
    skr_page_t **due;        /* those to look at when the group ends */
    size_t due_count;
    size_t capacity;                    /* of both */
    skr_page_t *index[SKR_PAGES_INDEX]; /* chains, by a hash of the document */
    size_t items, bytes;                /* of all, about */
    uint64_t order;
    skr_page_t *current; /* the one that is being written */
    skr_page_t *recent;  /* the one that was asked for last, if it is there still */
    uint64_t last;       /* number of a document of the collection, if it is known */
    bool last_known;
    saker_err_t failed; /* a write failed: nothing goes on before a drop */
    skr_bucket_writer_t bucket;
    skr_bucket_reader_t reader; /* for loading and locating */
    skr_buf_t sort_key, other_key;
    skr_buf_t paths, places; /* for page_tally.c */
} skr_pages_t;

/* A document; all pages that are to be written are of one collection. `live` may be NULL where
   nothing is changed. */
typedef struct skr_page_of_t {
    uint32_t collection_no;
    skr_collection_t *live;
    skr_span_t document;
} skr_page_of_t;

/* The page that a sort key belongs to, loaded if need be; valid until the next call. When there are
   as many as can be, all are written first. */
saker_err_t skr_pages_get (skr_pages_t *self, const skr_page_of_t *of, skr_span_t sort,
                           skr_page_t **page) SKR_MUST_USE;
bool skr_pages_full (const skr_pages_t *self);
saker_err_t skr_pages_no_memory (void);
/* The page of the bucket with this key (without prefix); NULL when there is none. */
skr_page_t *skr_pages_find (const skr_pages_t *self, const skr_page_of_t *of, skr_span_t key);
/* Writes what was changed; drop: forgets all, after an abort. */
saker_err_t skr_pages_write (skr_pages_t *self) SKR_MUST_USE;
void skr_pages_drop (skr_pages_t *self);
void skr_pages_free (skr_pages_t *self);
/* Has a write of this group failed? */
saker_err_t skr_pages_check (const skr_pages_t *self) SKR_MUST_USE;

/* ---- one page */

/* Is it all of its document? */
bool skr_page_is_whole (const skr_page_t *page);
/* Does it surely hold all entries of its document whose sort keys start with `prefix`? */
bool skr_page_covers (const skr_page_t *page, skr_span_t prefix);
skr_span_t skr_page_address (const skr_page_t *page, size_t at);
skr_item_t skr_page_item (const skr_page_t *page, size_t at);
/* The place of the first item that is not below `item`; is it this very one? */
size_t skr_page_place (const skr_page_t *page, const skr_item_t *item);
/* Are the items at these two places at one address? */
bool skr_page_same_place (const skr_page_t *page, size_t one, size_t other);
bool skr_page_has (const skr_page_t *page, size_t at, const skr_item_t *item);
saker_err_t skr_page_insert (skr_pages_t *self, skr_page_t *page, size_t at,
                             const skr_item_t *item) SKR_MUST_USE;
saker_err_t skr_page_remove (skr_pages_t *self, skr_page_t *page, size_t at) SKR_MUST_USE;
/* What is at that place gives way to an item with its address and writer, which belongs there. */
saker_err_t skr_page_renew (skr_pages_t *self, skr_page_t *page, size_t at,
                            const skr_item_t *item) SKR_MUST_USE;
/* Writes it and lets it go if it has grown too large. */
saker_err_t skr_page_trim (skr_pages_t *self, skr_page_t *page) SKR_MUST_USE;

/* ---- buckets in the store */

/* A document in one sight. */
typedef struct skr_cells_where_t {
    skr_sight_t sight;
    uint8_t prefix[SKR_CELLS_PREFIX_BYTES];
} skr_cells_where_t;

void skr_cells_prefix (uint8_t prefix[SKR_CELLS_PREFIX_BYTES], uint32_t collection_no,
                       uint64_t document_no);
/* The record key of a bucket: prefix and `sort`, which fits. */
skr_span_t skr_cells_key (uint8_t bytes[SKR_STORE_KEY_BYTES_MAX],
                          const uint8_t prefix[SKR_CELLS_PREFIX_BYTES], skr_span_t sort);
/* The bucket that holds, or is to hold, a sort key (or the first entries with a prefix).
   SAKER_ENOTFOUND: it would be the first, and is not there. */
saker_err_t skr_cells_locate (skr_pages_t *self, const skr_cells_where_t *where, skr_span_t sort,
                              skr_span_t *found, skr_span_t *bucket) SKR_MUST_USE;

#endif
