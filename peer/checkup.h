/* Checkup: all of a store is read and compared with itself, and nothing is written. */

#ifndef SKR_PEER_CHECKUP_H_INCLUDED
#define SKR_PEER_CHECKUP_H_INCLUDED

#include "peer/replica.h"

#define SKR_CHECKUP_TOLD_MAX 20 /* of one kind; of more only the number is told */

/* Opens a store to be looked at: nothing of it is changed, and no daemon may have it. What could
   not be read is left out of it; `self` is usable as far as *loaded says: SAKER_OK, or what is
   wrong with its collections or its roster. Without its device key contents cannot be read; *key
   tells. Owned by the caller: skr_replica_close. */
saker_err_t skr_checkup_open (skr_replica_t **self_p, const char *folder, const skr_world_t *world,
                              saker_err_t *key, saker_err_t *loaded) SKR_MUST_USE;

/* See saker_store_check. */
saker_err_t skr_checkup (const char *folder, const skr_world_t *world, saker_finding_fn *finding_fn,
                         saker_progress_fn *progress_fn, void *argument) SKR_MUST_USE;

#endif
