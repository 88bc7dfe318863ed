/* Stable: which changes of one collection every member that counts has stored, by what the members
   report (design 5). Pure: reports and our own clocks come in, a clock comes out.

   A report of a member counts once
     - all changes that the member had made by then are applied here,
     - the roster that the member had when it told is applied here, so that a member admitted
       elsewhere is not forgotten,
   and of what it tells, an entry counts once that change is applied here with the same hash. What
   counted once counts until the member takes a new incarnation: a store keeps what it has stored,
   but who was restored may have another store. */

#ifndef SKR_PEER_STABLE_H_INCLUDED
#define SKR_PEER_STABLE_H_INCLUDED

#include "peer/roster.h"

/* Does the last report of a member count? */
typedef enum skr_verdict_t {
    SKR_VERDICT_UNHEARD = 0, /* it told nothing of the collection yet */
    SKR_VERDICT_COUNTS,
    SKR_VERDICT_ROSTER,   /* told under a roster that is not here yet, or that it did not tell; or
                             by an incarnation before its last */
    SKR_VERDICT_OWN,      /* changes that the member made are not here yet */
    SKR_VERDICT_FORKED,   /* it counts, but for a writer of whom it has another change */
    SKR_VERDICT_RETURNED, /* it may write twice (skr_roster_doubled): nothing is cut; in plans only
                           */
    SKR_VERDICT_CLOSED,   /* it was closed at changes that are not here (skr_roster_undrained):
                             nothing is cut; in plans only */
} skr_verdict_t;

/* What one member has surely stored. */
typedef struct skr_witness_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_id_t writer;       /* its incarnation, of which this is known */
    skr_verdict_t verdict; /* on its last report */
    skr_clock_t counted;   /* never beyond our own clock */
    skr_clock_t cut;       /* below which it keeps no log; may be beyond our clock */
    uint64_t counted_ms;   /* wall, when a report of it was last seen to count; 0: never */
} skr_witness_t;

/* Starts as all zeros. */
typedef struct skr_stable_t {
    skr_witness_t *witnesses; /* ascending by device */
    size_t count, capacity;
} skr_stable_t;

/* What a member told of the collection. Borrows. */
typedef struct skr_testimony_t {
    const skr_id_t *writer;    /* the incarnation that told */
    const skr_clock_t *clock;  /* NULL: nothing yet */
    const uint64_t *hashes;    /* one a tick; NULL: it told none, so nothing counts */
    const uint64_t *kept;      /* one a tick; NULL: it told nothing of its cut */
    const skr_clock_t *roster; /* NULL: it did not tell */
} skr_testimony_t;

/* What is here, now. */
typedef struct skr_scene_t {
    const skr_clock_t *clock;   /* of the collection */
    const skr_clock_t *roster;  /* of the roster */
    const skr_roster_t *people; /* whose writer is which */
    uint64_t wall_ms;
    void *context;
    /* The first 8 bytes of the hash of a change that is applied here. SAKER_ENOTFOUND: it is not
       kept any more, so it was stable, and all have the same. */
    saker_err_t (*hash) (void *context, const skr_id_t *writer, uint64_t seq, uint64_t *hash);
} skr_scene_t;

/* Takes what a member told last, also when it is the same as before: what did not count may count
   now. */
saker_err_t skr_stable_hear (skr_stable_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                             const skr_testimony_t *told, const skr_scene_t *scene) SKR_MUST_USE;
/* NULL when nothing was heard of it. Borrowed until the next hear. */
const skr_witness_t *skr_stable_witness (const skr_stable_t *self,
                                         const uint8_t device[SKR_DEVICE_KEY_BYTES]);
/* Replaces `stable` by what of `clock`, our own, all `members` have stored; we need not be among
   them. */
saker_err_t skr_stable_clock (const skr_stable_t *self, const skr_member_t *const *members,
                              size_t count, const skr_clock_t *clock,
                              skr_clock_t *stable) SKR_MUST_USE;
/* Replaces `foldable` by what of `cut`, our own, all members have cut, too. Whoever comes later
   gets that whole, with a snapshot, so no change can come any more that saw only a part of it. */
saker_err_t skr_stable_foldable (const skr_stable_t *self, const skr_member_t *const *members,
                                 size_t count, const skr_clock_t *cut,
                                 skr_clock_t *foldable) SKR_MUST_USE;
void skr_stable_free (skr_stable_t *self);

#endif
