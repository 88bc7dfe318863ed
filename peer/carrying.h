/* Carrying: a peer carries all collections that it may read, or those that its device has
   subscribed to (subscription.h). What it leaves goes in this order, so that a crash at any point
   leaves either "still carries it" or "left it, will be dropped":

     1. it states that it leaves, and how far its own writers got. From then on nothing is written
        there, and nobody waits for it who has all that;
     2. it hands on: an admin's peer, which holds every collection and never leaves, has reported
        all that was here at the time of the statement, hash by hash, under a roster that has the
        statement. Until then this peer keeps what it has, takes what comes, and hands it out;
     3. in one group an empty collection takes the place of what it had; with it go clock, log and
        cut. The records of what it had are removed in slices, between the rounds.

   Its own counter never goes: how far its writers got stays in the statement. Who subscribes again
   begins with the empty collection, pulls it or takes a snapshot, and writes nothing there before
   its own changes are back. */

#ifndef SKR_PEER_CARRYING_H_INCLUDED
#define SKR_PEER_CARRYING_H_INCLUDED

#include "peer/api.h"

/* Does this device carry a collection, by what the roster says? */
bool skr_carrying (const skr_replica_t *self, const skr_id_t *collection);
/* Does it take changes of it: carries it, or has not dropped yet what it has of it? */
bool skr_carrying_takes (const skr_replica_t *self, const skr_id_t *collection);
/* The seq that this device's present writer had reached in a collection when it left it: up to
   there its own changes come from others. 0: it did not leave. */
uint64_t skr_carrying_own (const skr_replica_t *self, const skr_id_t *collection);
/* SAKER_ENOTCARRIED, with the sentence for who reads or writes what is not carried: a collection
   that is elsewhere must not look like one that is empty. */
saker_err_t skr_carrying_check (const skr_replica_t *self, const skr_id_t *collection,
                                const char *name) SKR_MUST_USE;
/* The same for who would write; SAKER_EWAIT while own changes are not back. In a group. */
saker_err_t skr_carrying_check_write (const skr_replica_t *self, const skr_id_t *collection,
                                      const char *name) SKR_MUST_USE;

/* SAKER_ERIGHT: an admin carries all, and who may only relay relays all. */
saker_err_t skr_carrying_check_narrowing (const skr_replica_t *self,
                                          const skr_subscription_t *wanted) SKR_MUST_USE;
/* States what this device carries from now on, in a group; number and what was left are filled in.
   SAKER_ERIGHT, as before; SAKER_ELIMIT. */
saker_err_t skr_carrying_state (skr_replica_t *self, const skr_subscription_t *wanted) SKR_MUST_USE;
/* In the group of a new incarnation: the statement (encoded), where not all is carried. */
saker_err_t skr_carrying_restate (skr_replica_t *self, skr_buf_t *statement) SKR_MUST_USE;

/* The first admin that has all that is here of a collection, as far as it reported; or NULL. What
   others wrote in the last seconds it may lack. */
const skr_member_t *skr_carrying_holder (skr_replica_t *self, const skr_neighbours_t *neighbours,
                                         const skr_id_t *collection);

/* Once a round, between groups: states what is due, hands on and drops one collection at most, in
   groups of their own, or removes one slice of what was dropped. */
saker_err_t skr_carrying_turn (skr_replica_t *self,
                               const skr_neighbours_t *neighbours) SKR_MUST_USE;
/* Is a slice due at once? */
bool skr_carrying_busy (const skr_replica_t *self);

#endif
