/* The return of a device that was fenced (design 5): its writer was closed at a cutoff, what it
   wrote beyond is void everywhere and was taken back here (takeback.c). As soon as it learns of
   that, in the same group, it takes a new incarnation, whose first roster change names the fence:
   that is its return, and from there on the others wait for it again. What it wrote in vain is
   written again by the new writer, in the same order, with the times and the operation ids of then,
   and ending what was seen then and nothing else: so it stands beside what others wrote since, as a
   rival, and never over it.

   Only what writers of this store alone wrote comes again: of two stores with one past (a copy, a
   backup that was restored) each would issue it. The branches of a fork that was settled come again
   the same way (settling.h), ours here, and one that was taken over by a writer of its own.

   Two admins may act at once: one fences a device, the other takes its right to write, and had more
   of it than the first. What the second had was to stand, the fence makes it void, and the device
   may not write it again. So the peer of the second does, in the same way. */

#ifndef SKR_PEER_REISSUE_H_INCLUDED
#define SKR_PEER_REISSUE_H_INCLUDED

#include "peer/replica_internal.h"

/* Is this change, which is void, one that this device issues again: its own, that a fence closed;
   or of a device whose right to write it had taken before it heard of the fence, and which
   therefore cannot? */
saker_err_t skr_reissue_is_ours (skr_replica_t *self, const skr_id_t *writer,
                                 const skr_id_t *collection, uint64_t seq, bool *ours) SKR_MUST_USE;
/* In a group, after what is void was taken back: returns, if a fence closed our writer. */
saker_err_t skr_return (skr_replica_t *self) SKR_MUST_USE;
/* Issues the other branch of a fork, which this store takes over, in a group. */
saker_err_t skr_reissue_branch (skr_replica_t *self,
                                const skr_fork_settled_t *settled) SKR_MUST_USE;

#endif
