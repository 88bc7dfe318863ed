/* Subscription: which collections a device carries, as it stated it last (SUBSCRIBE, see roster.h):
   of the collections that it names each, and of the rest all or none. Of one that it does not
   carry it tells how far its own writers got there: what others wait for, until it is here, before
   they go on without it. Pure: no store. */

#ifndef SKR_PEER_SUBSCRIPTION_H_INCLUDED
#define SKR_PEER_SUBSCRIPTION_H_INCLUDED

#include "crdt/clock.h"

#define SKR_SUBSCRIPTION_NAMED_MAX 512 /* collections that one names */

/* One collection that is named. */
typedef struct skr_named_t {
    skr_id_t collection;
    bool carried;
    skr_clock_t left; /* how far the device's writers had got when it was left last; empty: it was
                         not, or all of that is with the device again */
} skr_named_t;

/* Starts as all zeros but `rest`: see skr_subscription_all. */
typedef struct skr_subscription_t {
    uint64_t number; /* ascending by device; 0: none was stated, so all is carried */
    bool rest;       /* are collections that are not named carried? */
    skr_named_t *named;
    size_t count; /* ascending by collection */
} skr_subscription_t;

/* Carries all. */
skr_subscription_t skr_subscription_all (void);
void skr_subscription_free (skr_subscription_t *self);
/* Replaces self. */
saker_err_t skr_subscription_copy (skr_subscription_t *self,
                                   const skr_subscription_t *other) SKR_MUST_USE;

/* NULL when it is not named. */
const skr_named_t *skr_subscription_find (const skr_subscription_t *self,
                                          const skr_id_t *collection);
bool skr_subscription_carries (const skr_subscription_t *self, const skr_id_t *collection);
/* Is nothing left out? */
bool skr_subscription_is_all (const skr_subscription_t *self);
/* Do both carry the same, now and later? */
bool skr_subscription_equal (const skr_subscription_t *self, const skr_subscription_t *other);
/* Names a collection. SAKER_ELIMIT. */
saker_err_t skr_subscription_set (skr_subscription_t *self, const skr_id_t *collection,
                                  bool carried) SKR_MUST_USE;
/* Raises what was left of a collection. SAKER_ELIMIT. */
saker_err_t skr_subscription_leave (skr_subscription_t *self, const skr_id_t *collection,
                                    const skr_clock_t *clock) SKR_MUST_USE;
/* Of one that is carried again: forgets what was left, if the device has all of it. */
void skr_subscription_settle (skr_subscription_t *self, const skr_id_t *collection,
                              const skr_clock_t *clock);
/* Takes out what goes without saying: what is as the rest, unless something was left there. */
void skr_subscription_tidy (skr_subscription_t *self);

/* As in the statement: the list of what is named. */
void skr_subscription_put (skr_buf_t *buf, const skr_subscription_t *self);
/* Reads it, checks its form, and adds to an empty self (NULL: checks alone). SAKER_EINPUT through
   the reader's sticky error, SAKER_ENOMEM. Free in any case. */
saker_err_t skr_subscription_get (skr_cbor_t *cbor, skr_subscription_t *self) SKR_MUST_USE;

#endif
