/* Bucket: a run of live entries as bytes, sorted by (address, writer no, seq, index).

   Each entry:

     head   varint: bytes of the address shared with the entry before << 1
                    | 1 when writer, seq and hlc are those of the entry before
     rest   varint size, bytes of the address
     dot    unless the head says the same: writer no, seq, varints;
            hlc as the zigzag varint of its difference from the entry before (from 0 for the first)
     index  varint
     value  varint size, bytes

   So five short fields of one change take about 20 bytes each. */

#ifndef SKR_PEER_BUCKET_H_INCLUDED
#define SKR_PEER_BUCKET_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

/* One entry, with its writer by number. Borrows. */
typedef struct skr_item_t {
    uint32_t writer;
    uint32_t index;
    uint64_t seq;
    uint64_t hlc;
    skr_span_t address;
    skr_span_t value;
} skr_item_t;

#define SKR_ITEM_DOT_BYTES 16

int skr_item_compare (const skr_item_t *one, const skr_item_t *other);
/* The same of two at one address. */
int skr_item_compare_dots (const skr_item_t *one, const skr_item_t *other);
/* Replaces `key` by bytes that sort as the item does: address, writer u32, seq u64, index u32.
   (No address is a prefix of another, so this is the same order.) */
void skr_item_key (skr_buf_t *key, const skr_item_t *item);

/* Starts as all zeros. What is put must stay until the next put. */
typedef struct skr_bucket_writer_t {
    skr_buf_t bytes;
    skr_item_t last;
} skr_bucket_writer_t;

void skr_bucket_put (skr_bucket_writer_t *self, const skr_item_t *item);
/* Begins another bucket in the same memory. */
void skr_bucket_restart (skr_bucket_writer_t *self);

typedef struct skr_bucket_reader_t {
    const uint8_t *at;
    const uint8_t *end;
    skr_item_t item;   /* the present one; its address lies in `address` */
    skr_buf_t address; /* kept from bucket to bucket */
    saker_err_t error;
} skr_bucket_reader_t;

/* A reader starts as all zeros and may open one bucket after another; borrows the bytes. */
void skr_bucket_open (skr_bucket_reader_t *self, skr_span_t bytes);
/* The next entry is in self->item until the next call. False at the end, and on an error. */
bool skr_bucket_next (skr_bucket_reader_t *self);
void skr_bucket_free (skr_bucket_reader_t *self);

#endif
