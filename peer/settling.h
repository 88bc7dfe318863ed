/* Settling a fork (design 4 and 5; see roster.h, FORK): once it is known where the two branches
   part, the device closes its writer there, by a roster statement. Both branches are void then:
   what is void is taken back everywhere, and each of them is issued again by a writer of its own
   (reissue.h), as if two devices had written them. So nothing is lost, and all have the same.

   Each branch is issued again by the store that wrote it. After a disk was rolled back that store
   is gone: when no other process of this device shows (mesh/twin.h) for a while, this one takes the
   other branch over. It waits until all members have told what they have, and it has all of it. */

#ifndef SKR_PEER_SETTLING_H_INCLUDED
#define SKR_PEER_SETTLING_H_INCLUDED

#include "peer/api.h"

#define SKR_SETTLE_ALONE_MS 20000 /* the other store had so long to show */

/* States what can be stated, and forgets what is settled, in a group that it begins when there is
   anything to do. `twin`: another process of this device is there. */
saker_err_t skr_settle_forks (skr_replica_t *self, const skr_neighbours_t *neighbours,
                              bool twin) SKR_MUST_USE;

#endif
