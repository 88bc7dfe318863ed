/* Staged: what an open group has put and removed, in the order of its keys, until it is committed.
   What it holds stays where it is in memory until skr_staged_clear. */

#ifndef SKR_PEER_STAGED_H_INCLUDED
#define SKR_PEER_STAGED_H_INCLUDED

#include "peer/store.h"

typedef struct skr_staged_record_t {
    skr_span_t key;
    skr_span_t record; /* checksum and payload; size 0: the record is removed */
    size_t room;       /* for record */
    bool there;        /* of SKR_CELLS: a record with this key is in the store */
} skr_staged_record_t;

typedef struct skr_staged_table_t {
    skr_staged_record_t *records; /* ascending */
    size_t count;
    size_t capacity;
} skr_staged_table_t;

/* Starts as all zeros. */
typedef struct skr_staged_t {
    skr_staged_table_t tables[SKR_TABLES];
    struct skr_staged_chunk_t *chunks;
    size_t count; /* of records */
    size_t bytes; /* of memory that keys and records take */
} skr_staged_t;

/* Room for the record of a key, `size` bytes (0: it is removed), which the caller fills. NULL: out
   of memory, and nothing has changed. */
uint8_t *skr_staged_put (skr_staged_t *self, skr_table_t table, skr_span_t key, size_t size,
                         bool there);
/* The index of the first record of a table with a key >= `key`; its count when there is none. */
size_t skr_staged_seek (const skr_staged_t *self, skr_table_t table, skr_span_t key);
/* Borrowed until the next put or clear; NULL: the group has not touched it. */
const skr_staged_record_t *skr_staged_find (const skr_staged_t *self, skr_table_t table,
                                            skr_span_t key);
/* Empties it and keeps some of the memory. */
void skr_staged_clear (skr_staged_t *self);
/* Frees it and leaves all zeros. */
void skr_staged_free (skr_staged_t *self);

#endif
