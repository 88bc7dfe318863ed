/* Fork: two different changes under one seq of a writer of this device. It happens when a store was
   copied, or put back to an older state, in a way that it could not notice before it wrote. This
   keeps what a settlement needs (settling.h): the other change, which with ours of the same seq is
   the proof, and what comes to us of the other branch. */

#ifndef SKR_PEER_FORK_H_INCLUDED
#define SKR_PEER_FORK_H_INCLUDED

#include "peer/replica_internal.h"

#define SKR_FORK_OTHERS_MAX 65536 /* changes kept of the other branch of one fork */

typedef struct skr_fork_t {
    skr_id_t collection, writer;
    uint64_t seq;     /* of our first change that is known to differ */
    skr_span_t other; /* the other branch's signed change: of this seq, or of the next one */
} skr_fork_t;

/* In a group: `change`, well signed by this device, is not what we have at its place, or does not
   follow what we have. Notes it, unless the fork is known from this seq on, and keeps it. */
saker_err_t skr_fork_note (skr_replica_t *self, const skr_held_t *held,
                           const skr_change_t *change) SKR_MUST_USE;
/* The same of a change that is farther than what we have: keeps it if there is a fork. */
saker_err_t skr_fork_note_more (skr_replica_t *self, const skr_change_t *change) SKR_MUST_USE;
/* As committed: in how many chains of this device there is a fork, and how many changes of the
   other branches are kept. */
saker_err_t skr_fork_count (skr_replica_t *self, uint64_t *forks, uint64_t *others) SKR_MUST_USE;

typedef saker_err_t skr_fork_fn (const skr_fork_t *fork, void *argument);
saker_err_t skr_fork_each (skr_replica_t *self, skr_fork_fn *visit, void *argument) SKR_MUST_USE;

/* Is it known where the branches part: is the other change of our seq, and follows the same one as
   ours? As committed. */
saker_err_t skr_fork_parts (skr_replica_t *self, const skr_fork_t *fork, bool *known) SKR_MUST_USE;
/* What is kept of the other branch without a gap, of a fork that parts at `seq`: the hash of its
   first change and the seq of its last; `seq` - 1: nothing. In the open group, or as committed. */
saker_err_t skr_fork_branch (skr_replica_t *self, const skr_fork_t *fork,
                             uint8_t hash[SKR_HASH_BYTES], uint64_t *upto) SKR_MUST_USE;
/* One change of it, borrowed. SAKER_ENOTFOUND. */
saker_err_t skr_fork_other (skr_replica_t *self, const skr_fork_t *fork, uint64_t seq,
                            skr_span_t *change) SKR_MUST_USE;
/* For forks of a collection that are not settled: lowers `have`, the clock to ask with, so that
   where they part, and then the other branch, is shown; `depth` is how far back. *lowered: there
   was one. */
saker_err_t skr_fork_look_back (skr_replica_t *self, const skr_id_t *collection, uint64_t depth,
                                skr_clock_t *have, bool *lowered) SKR_MUST_USE;
/* Is there a fork of a collection that is not settled, and began below this cut? */
saker_err_t skr_fork_is_below (skr_replica_t *self, const skr_id_t *collection,
                               const skr_clock_t *cut, bool *below) SKR_MUST_USE;
/* In a group: it is settled. */
saker_err_t skr_fork_forget (skr_replica_t *self, const skr_fork_t *fork) SKR_MUST_USE;

#endif
