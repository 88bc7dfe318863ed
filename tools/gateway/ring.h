/* Ring: the changes that came last, as the text that streams send; shared by all that send it. */

#ifndef TOOLS_GATEWAY_RING_H_INCLUDED
#define TOOLS_GATEWAY_RING_H_INCLUDED

#include "gateway/hub.h"

typedef struct record_t {
    size_t users; /* under the hub's lock */
    uint64_t position;
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    size_t size;
    char text[];
} record_t;

typedef struct ring_t {
    uint8_t epoch[16];
    uint64_t floor;  /* what is above is in the ring */
    uint64_t newest; /* up to this the feed was followed */
    size_t first, count, bytes;
    record_t *records[HUB_RECORDS_MAX];
} ring_t;

/* NULL: out of memory. */
record_t *record_new (uint64_t position, const char *collection, const char *text, size_t size);
void record_leave (record_t *self);

/* Begins at a cursor, without records. */
void ring_begin (ring_t *self, const saker_cursor_t *cursor);
/* Takes the record; what is oldest goes. */
void ring_add (ring_t *self, record_t *record);
/* The first record above a position; NULL: none. Borrowed. `number` is where ring_at goes on. */
record_t *ring_after (const ring_t *self, uint64_t position, size_t *number);
record_t *ring_at (const ring_t *self, size_t number);

#endif
