/* Silence: for how long each member was not heard, as an admin's peer counts it for the horizon
   (design 5). It is counted in steps from one look to the next and kept in the store, so it goes on
   over restarts; one step counts for a part of the horizon at most, so a wall clock that jumps, or
   a peer that was off itself, fences nobody. All of it in a group. */

#ifndef SKR_PEER_SILENCE_H_INCLUDED
#define SKR_PEER_SILENCE_H_INCLUDED

#include "peer/replica.h"

/* Notes a look, and tells how long ago the one before was: `most_ms` at most, 0 for the first. */
saker_err_t skr_silence_look (skr_replica_t *self, uint64_t most_ms,
                              uint64_t *step_ms) SKR_MUST_USE;
/* The member was not heard since the last look. */
saker_err_t skr_silence_add (skr_replica_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                             uint64_t step_ms, uint64_t *silent_ms) SKR_MUST_USE;
/* It was. */
saker_err_t skr_silence_end (skr_replica_t *self,
                             const uint8_t device[SKR_DEVICE_KEY_BYTES]) SKR_MUST_USE;

#endif
