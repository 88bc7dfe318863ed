/* Fork: two different changes under one seq of a writer of this device. It happens when a store was
   copied, or put back to an older state, in a way that it could not notice before it wrote. This
   keeps what a settlement needs: the other change, which with ours of the same seq is the proof,
   and our own changes from there on, so that they can be issued again by another writer. */

#ifndef SKR_PEER_FORK_H_INCLUDED
#define SKR_PEER_FORK_H_INCLUDED

#include "peer/replica_internal.h"

#define SKR_FORK_ASIDE_MAX 4096 /* changes kept aside of one fork */
#define SKR_FORK_ASIDE_BYTES_MAX (16u << 20)

/* In a group: `change`, well signed by this device, is not what we have at its place, or does not
   follow what we have. Notes it, unless the fork is known from this seq on. */
saker_err_t skr_fork_note (skr_replica_t *self, const skr_held_t *held,
                           const skr_change_t *change) SKR_MUST_USE;
/* As committed: in how many chains of this device there is a fork, and how many changes of ours are
   kept aside. */
saker_err_t skr_fork_count (skr_replica_t *self, uint64_t *forks, uint64_t *aside) SKR_MUST_USE;

typedef struct skr_fork_t {
    skr_id_t collection, writer;
    uint64_t seq;     /* of our first change that is known to differ */
    skr_span_t other; /* the other branch's signed change: of this seq, or of the next one */
} skr_fork_t;

typedef saker_err_t skr_fork_fn (const skr_fork_t *fork, void *argument);
saker_err_t skr_fork_each (skr_replica_t *self, skr_fork_fn *visit, void *argument) SKR_MUST_USE;
/* Our changes that are kept aside of one fork, signed, in order of seq. */
typedef saker_err_t skr_fork_aside_fn (uint64_t seq, skr_span_t change, void *argument);
saker_err_t skr_fork_aside (skr_replica_t *self, const skr_fork_t *fork, skr_fork_aside_fn *visit,
                            void *argument) SKR_MUST_USE;

#endif
