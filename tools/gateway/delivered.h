/* Delivered: how far a subscription is. Every peer's feed has the changes of one writer in order of
   their seq, so one number a writer says precisely what was done with: the seq of its last change,
   and how many of that change's documents. Numbers only grow: of rivals the highest holds. */

#ifndef TOOLS_GATEWAY_DELIVERED_H_INCLUDED
#define TOOLS_GATEWAY_DELIVERED_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELIVERED_WRITERS_MAX 65536
#define DELIVERED_SHIFT 11 /* a change has 1,024 operations at most */

typedef struct delivered_writer_t {
    uint8_t writer[16];
    int64_t number;
} delivered_writer_t;

typedef struct delivered_t {
    size_t count, capacity;
    delivered_writer_t *list; /* in order of the writers; owned */
} delivered_t;

/* The number when document `index` (from 0 on) of a change is done with. */
int64_t delivered_number (uint64_t seq, unsigned index);
/* The number when all of a change is. */
int64_t delivered_whole (uint64_t seq);
/* -1: nothing is known of the writer. */
int64_t delivered_get (const delivered_t *self, const uint8_t writer[16]);
/* Raises the number of a writer; a lower one changes nothing. False: out of memory, or too many. */
bool delivered_raise (delivered_t *self, const uint8_t writer[16], int64_t number);
void delivered_free (delivered_t *self);

#endif
