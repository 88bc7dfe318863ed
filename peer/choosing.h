/* Choosing: what a device carries from the first moment on, since it joined so. It is stated, and
   which documents are wanted noted, in the first group of its store: there is no moment at which
   anything else could be fetched. And the names of collections that were chosen before anything of
   them came: a change tells the name of its collection, a statement only the id. */

#ifndef SKR_PEER_CHOOSING_H_INCLUDED
#define SKR_PEER_CHOOSING_H_INCLUDED

#include "peer/replica.h"

/* Collections, each with prefixes of documents or none; `state` is not looked at. One that is there
   twice means what both mean. */
struct skr_choice_t {
    const saker_part_t *parts;
    size_t count; /* 0: everything is carried */
};

/* SAKER_EINPUT: a name, or a prefix, that cannot be; SAKER_ELIMIT. */
saker_err_t skr_choice_check (const skr_choice_t *self) SKR_MUST_USE;
/* In the first group, once the roster is there: introduces the writer, and states the choice.
   SAKER_ERIGHT: this device carries everything. */
saker_err_t skr_choice_state (const skr_choice_t *self, skr_replica_t *replica) SKR_MUST_USE;

/* In a group: notes that a collection was chosen under this name. */
saker_err_t skr_chosen_note (skr_replica_t *replica, const char *name) SKR_MUST_USE;
/* The name under which it was chosen, as committed; "" where none is known. */
void skr_chosen_name (skr_replica_t *replica, const skr_id_t *collection,
                      char name[SKR_COLLECTION_BYTES_MAX + 1]);

#endif
