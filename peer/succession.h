/* Succession: a device that was restored, or whose store was copied, goes on as a new incarnation,
   while an earlier writer of it is open still: whether another store goes on as that one nobody
   knows, so nothing is cut (skr_roster_doubled). When no other process of the device shows
   (mesh/twin.h), and all members have told for a while what they have, and this peer has all that
   they have of this device, it closes its other writers at what it has of them: by a FENCE of
   itself (roster.h). A store that does go on as one of them is in the place of who was fenced: it
   takes a new incarnation, and issues again what became void (reissue.h). So nothing is lost, and
   no admin is asked; a founder and an admin are closed in this way too.

   A store from before its device was revoked, and let in again, goes on as a writer that did not
   know of it and so is closed, while another one is open: it takes a new incarnation at once, not
   when it writes next, since nothing counts that a closed writer tells.

   Of what it does not carry it cannot have all. There it closes them at what all other admins have,
   who carry everything, once these have told of all that they have and nobody has more. */

#ifndef SKR_PEER_SUCCESSION_H_INCLUDED
#define SKR_PEER_SUCCESSION_H_INCLUDED

#include "peer/api.h"

#define SKR_SUCCEED_CALM_MS 20000  /* so long all must have told, and the other store not shown */
#define SKR_SUCCEED_FRESH_MS 20000 /* what a member told is not older than this */

/* Now and then: states it when it is time, in a group that it begins then. `twin`: another process
   of this device is there. */
saker_err_t skr_succeed (skr_replica_t *self, const skr_neighbours_t *neighbours,
                         bool twin) SKR_MUST_USE;

#endif
