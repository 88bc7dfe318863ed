/* Waiting: changes that came before what they need, in bounded memory. Each waits for one thing at
   a time: a change that is not here yet, or the roster. What wakes up is tried again, and may then
   wait for the next thing. When the buffer is full the oldest goes: it will be pulled again. */

#ifndef SKR_PEER_WAITING_H_INCLUDED
#define SKR_PEER_WAITING_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

#include <sys/queue.h>

/* Names one change. All zeros: the next change of the roster. */
typedef struct skr_place_t {
    skr_id_t collection;
    skr_id_t writer;
    uint64_t seq;
} skr_place_t;

typedef struct skr_waiter_t {
    LIST_ENTRY (skr_waiter_t) same_place; /* private */
    LIST_ENTRY (skr_waiter_t) same_cause; /* private: awaiting the same, or ready */
    TAILQ_ENTRY (skr_waiter_t) age;       /* private */
    skr_place_t place;
    skr_place_t awaits;
    bool verified; /* the signature holds */
    size_t size;
    uint8_t change[]; /* as signed */
} skr_waiter_t;

typedef struct skr_waiting_t skr_waiting_t;

saker_err_t skr_waiting_new (skr_waiting_t **self_p) SKR_MUST_USE;
void skr_waiting_destroy (skr_waiting_t **self_p);

/* Keeps a copy. *dropped grows by the number of changes that had to go for it. */
saker_err_t skr_waiting_add (skr_waiting_t *self, const skr_place_t *place,
                             const skr_place_t *awaits, skr_span_t change, bool verified,
                             uint64_t *dropped) SKR_MUST_USE;
/* NULL when there is none. Borrowed until the next call. */
const skr_waiter_t *skr_waiting_find (skr_waiting_t *self, const skr_place_t *place);
/* Removes what waits under this name, if anything does. */
void skr_waiting_remove (skr_waiting_t *self, const skr_place_t *place);
/* Makes ready what awaits this. */
void skr_waiting_wake (skr_waiting_t *self, const skr_place_t *awaited);
void skr_waiting_wake_all (skr_waiting_t *self);
/* Takes one that is ready out of the buffer. NULL when none is. Owned by the caller (free ()). */
skr_waiter_t *skr_waiting_take (skr_waiting_t *self);
/* Puts one that was taken back, to wait for something else. Takes ownership. */
void skr_waiting_return (skr_waiting_t *self, skr_waiter_t **waiter_p, const skr_place_t *awaits);

/* Visits all, the oldest first; nothing is added or removed meanwhile. The visit returns false to
   end it. */
typedef bool skr_waiting_fn (const skr_waiter_t *waiter, void *argument);
void skr_waiting_each (const skr_waiting_t *self, skr_waiting_fn *visit, void *argument);

size_t skr_waiting_count (const skr_waiting_t *self);
size_t skr_waiting_bytes (const skr_waiting_t *self);

#endif
