/* Fetching: a collection of which this peer has less than it is to have, so that what is not found
   in it may well be elsewhere. Whoever reads must not take that for "there is nothing", or it makes
   anew, or deletes, what is on its way: SAKER_ENOTYET. What is here already is read as ever.

   It begins

     noted  in the commit that makes a collection begin with nothing: the statement by which it is
            carried again or for the first time, the right to read it that came back, a join that
            chose it. A crash changes nothing about it;
     met    when a session is about to pull, from who has it, a collection of which nothing is here.
            Noted as well with the first changes that more will follow.

   It ends once there is as much here as there was with others: when we have all that they told when
   we first looked, or all that they tell now, but for what is void. Others are the members that are
   linked and carry it; of these the admins, where one has anything, since they carry everything and
   some other may be fetching it itself. Nobody has anything: when an admin that is linked says so
   (any member, where there is no admin but us), and all others that are linked. And nobody else is
   a member that carries it: at once. While none of them can be reached it goes on: nobody can know.
   One that was met alone is not waited for either when who told of it, asked, has nothing of it
   after all, until another tells of it or something comes: else a lie, or bits that fell over,
   would make a collection of any id one that is on its way for ever.

   A part of a collection that is to become more (partial.h) is fetched from the moment when that is
   wanted until the snapshot is taken.

     SKR_META  "fetching" id 16 -> 1 byte */

#ifndef SKR_PEER_FETCHING_H_INCLUDED
#define SKR_PEER_FETCHING_H_INCLUDED

#include "peer/api.h"

typedef struct skr_fetch_t {
    skr_id_t collection;
    bool noted;   /* in the store */
    bool met;     /* known in this process alone, at first */
    bool over;    /* but the record is there still: a disk may be full */
    bool aimed;   /* `target` is known */
    bool doubted; /* it was met alone, and `teller` has nothing of it */
    uint8_t teller[SKR_DEVICE_KEY_BYTES];
    skr_clock_t target;
    uint64_t begun_ms; /* mono */
} skr_fetch_t;

/* Is what is not found in it perhaps on its way? */
bool skr_fetching (const skr_replica_t *self, const skr_id_t *collection);
/* SAKER_ENOTYET if so: for who found nothing at a place. */
saker_err_t skr_fetching_check (const skr_replica_t *self, const skr_id_t *collection,
                                const char *name) SKR_MUST_USE;
/* The same, also while a part of it is to become more: for who lists it, or begins to watch it. */
saker_err_t skr_fetching_check_all (const skr_replica_t *self, const skr_id_t *collection,
                                    const char *name) SKR_MUST_USE;

/* In a group: notes that one of which nothing is here is to be fetched. */
saker_err_t skr_fetching_note (skr_replica_t *self, const skr_id_t *collection) SKR_MUST_USE;
/* A device has something of one of which nothing is here, and is about to be asked for it. Without
   memory, or with too many of them, it is not known, that is all. */
void skr_fetching_meet (skr_replica_t *self, const skr_id_t *collection, const skr_clock_t *told,
                        const uint8_t device[SKR_DEVICE_KEY_BYTES]);
/* That device was asked for what is missing, and had nothing. */
void skr_fetching_vain (skr_replica_t *self, const skr_id_t *collection,
                        const uint8_t device[SKR_DEVICE_KEY_BYTES]);
/* In a group, with changes of one that was met: notes it, since more will follow. */
saker_err_t skr_fetching_keep (skr_replica_t *self, const skr_id_t *collection) SKR_MUST_USE;

/* Once a round, between groups: ends what has ended, in a group of its own. */
saker_err_t skr_fetching_turn (skr_replica_t *self,
                               const skr_neighbours_t *neighbours) SKR_MUST_USE;

/* When the store is read, and after an abort: what is noted there. What was found out stays. */
saker_err_t skr_fetching_load (skr_replica_t *self) SKR_MUST_USE;
void skr_fetching_free (skr_replica_t *self);

#endif
