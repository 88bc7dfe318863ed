/* Removal: what is not carried any more (partial.h) goes from the store, some of it in a group of
   its own. Each step leaves cells, fingerprint, number of documents and conflicts that fit, so a
   crash between two steps leaves a store that goes on. */

#ifndef SKR_PEER_REMOVAL_H_INCLUDED
#define SKR_PEER_REMOVAL_H_INCLUDED

#include "peer/replica_internal.h"

#define SKR_REMOVAL_ENTRIES_MAX 4096 /* in one group */

/* Between groups: removes some of a collection's documents that are not carried; after the last,
   notes that there are no more. */
saker_err_t skr_removal_some (skr_replica_t *self, skr_held_t *held) SKR_MUST_USE;

#endif
