/* What the files that make up a replica share of it: those that include this, or one of folding.h,
   fork.h, making.h and reissue.h, which do. All others have replica.h. */

#ifndef SKR_PEER_REPLICA_INTERNAL_H_INCLUDED
#define SKR_PEER_REPLICA_INTERNAL_H_INCLUDED

#include "peer/incarnation.h"
#include "peer/partial.h"
#include "peer/replica.h"
#include "peer/stable.h"
#include "peer/waiting.h"

/* Where one writer's chain of changes in a collection ends here. */
typedef struct skr_chain_t {
    skr_id_t writer;
    uint32_t writer_no;
    uint64_t seq;
    uint8_t hash[SKR_HASH_BYTES]; /* of its last change */
    uint64_t position;            /* in the log, of its last change; what is above that of our own
                                     last change, our next change names as deps. After a snapshot:
                                     the last position at that time */
    bool moved;                   /* in the open group */
} skr_chain_t;

typedef struct skr_chains_t {
    skr_chain_t *list; /* ascending by writer: the same writers as in the clock */
    size_t count, capacity;
} skr_chains_t;

/* What others must have of a collection, and what they reported of it; see carrying.c. */
typedef struct skr_handing_t {
    bool begun;
    uint64_t begun_ms; /* mono */
    skr_clock_t all;
    skr_stable_t heard;
} skr_handing_t;

/* One collection. `shown` is as committed; `live` and `chains` are as the open group sees them, and
   the same as committed between groups. */
typedef struct skr_held_t {
    skr_collection_t shown;
    skr_collection_t live;
    skr_chains_t chains;
    skr_chains_t before; /* the chains as committed, while `touched` */
    skr_clock_t saved;   /* the clock that will be shown once the store has committed */
    skr_clock_t cut;     /* see cut.h; as committed */
    uint64_t cut_position;
    skr_partial_t partial;        /* changes between groups, unless something else is wanted: */
    skr_partial_t partial_before; /* as committed, while `moved` */
    bool moved;
    bool touched;   /* in the open group */
    bool fresh;     /* made in the open group */
    bool upon_void; /* some of its changes may depend on what was void when they were applied */
    skr_handing_t leaving; /* since it is not carried any more */
    skr_handing_t asking;  /* since somebody asked whether it could be left */
    uint64_t asked_ms;     /* mono, when others were asked last what they have of it */
} skr_held_t;

/* What a new incarnation changes. */
typedef struct skr_identity_t {
    skr_id_t writer, epoch;
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_renewal_t renewal;
} skr_identity_t;

struct skr_replica_t {
    const skr_world_t *world;
    skr_device_t *device;
    skr_store_t *store;
    skr_cells_store_t *cells;
    skr_roster_t *roster;
    skr_keyring_t *keyring;
    skr_waiting_t *waiting;
    skr_id_t mesh, writer, epoch;
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_renewal_t renewal;
    skr_identity_t identity; /* the four before this, as committed */
    bool returning;          /* see reissue.h: its roster changes are enforced within it */
    bool forked;             /* there may be records of forks */
    uint64_t forked_ms;      /* mono, since when one is known; 0: none */
    uint64_t calm_ms;        /* mono, see succession.c; 0: not calm */
    skr_id_t fork_told;      /* the last writer of whose fork was told */
    skr_doubt_t doubt;       /* a new incarnation is due, before anything is written */

    skr_held_t **held; /* the roster first; what was made in the open group last */
    size_t held_count, held_capacity;
    skr_held_t **by_id; /* the same, ascending by id */
    skr_held_t **by_no; /* index: number; NULL where there is none */
    size_t by_no_size;
    size_t shown_count; /* committed */
    skr_held_t **touched;
    size_t touched_count, touched_capacity;
    uint32_t next_no, next_no_shown;

    uint64_t started_ms;
    bool start_due; /* to be noted with the next group */
    uint64_t hlc, hlc_shown;
    uint64_t roster_version;
    uint64_t carrying_ms; /* mono, see carrying.c */
    bool carrying_failed;
    bool dropping;               /* there are records of collections that were dropped */
    struct skr_fetch_t *fetches; /* see fetching.h */
    size_t fetches_count;
    bool fetching_moved;                                      /* in the open group */
    uint64_t fetching_ms, fetching_ask_ms, fetching_pause_ms; /* mono, see fetching.c */
    bool any_partial;                                         /* see skr_partial_any */
    uint64_t partial_ms;                                      /* mono, see partial.c */
    uint64_t sealed_ms;                                       /* mono, see sealed.c */
    uint64_t sealed_version; /* the roster's, when sealed_turn found nothing more to do */
    uint64_t closings;       /* of the roster, when limits were enforced last */
    skr_id_t fresh_epoch;    /* of the feed, once the group is committed */
    bool epoch_moved;
    skr_id_t writer_shown; /* as committed: a new incarnation begins in a group */
    uint8_t incarnation_shown[SKR_INCARNATION_BYTES];
    bool roster_moved;       /* in the open group */
    bool partial_moved;      /* the same: of some collection something else is wanted */
    bool roster_unread;      /* it could not be read again after an abort */
    bool unindexed;          /* an index could not be built: see indexes.c */
    bool unloaded;           /* what is in memory may not be what is in the store: read it again */
    saker_err_t group_error; /* the open group cannot be committed any more */
    skr_replica_stats_t stats, stats_shown;

    /* After commit, to be published: id 16, size u32, change. */
    skr_buf_t made;
    size_t made_shown;

    /* Kept for their memory. */
    skr_buf_t content, ops, undo, raw;
    skr_room_t room;
};

/* ---- holdings.c: collections in memory and in the store */

/* Reads all collections from the store, as committed; forgets what was known. */
saker_err_t skr_holdings_load (skr_replica_t *self) SKR_MUST_USE;
void skr_holdings_free (skr_replica_t *self);
/* Either may be of the open group. NULL when there is none. */
skr_held_t *skr_holdings_find (const skr_replica_t *self, const skr_id_t *id);
skr_held_t *skr_holdings_by_no (const skr_replica_t *self, uint32_t no);
/* Makes an empty collection in the open group; it lasts only if a change is applied to it. */
saker_err_t skr_holdings_make (skr_replica_t *self, const skr_id_t *id,
                               skr_held_t **held) SKR_MUST_USE;
/* Before the first change of `live` or `chains` in a group. */
saker_err_t skr_holdings_touch (skr_replica_t *self, skr_held_t *held) SKR_MUST_USE;
/* NULL when the writer has no change here. */
const skr_chain_t *skr_held_chain (const skr_held_t *self, const skr_id_t *writer);
/* Moves a chain, and the clock, to one change further; the collection was touched. */
saker_err_t skr_held_advance (skr_held_t *self, const skr_chain_t *chain) SKR_MUST_USE;
/* Moves a chain, and the clock, back to where `chain` says, or removes it (seq 0), in the open
   group; the collection was touched. */
saker_err_t skr_holdings_retreat (skr_replica_t *self, skr_held_t *held,
                                  const skr_chain_t *chain) SKR_MUST_USE;
/* Writes what the group touched. */
saker_err_t skr_holdings_save (skr_replica_t *self) SKR_MUST_USE;
/* After the store's commit, or abort. */
void skr_holdings_committed (skr_replica_t *self);
void skr_holdings_aborted (skr_replica_t *self);

/* Single records, for sweep.c. */
saker_err_t skr_holdings_put_collection (skr_replica_t *self,
                                         const skr_collection_t *collection) SKR_MUST_USE;
saker_err_t skr_holdings_put_chain (skr_replica_t *self, uint32_t no,
                                    const skr_chain_t *chain) SKR_MUST_USE;
saker_err_t skr_holdings_put_next_no (skr_replica_t *self) SKR_MUST_USE;

/* ---- cut.c: the record of a cut. The collection's number was loaded, or is that of a snapshot. */

saker_err_t skr_held_load_cut (skr_replica_t *self, skr_held_t *held) SKR_MUST_USE;
saker_err_t skr_held_put_cut (skr_replica_t *self, uint32_t no, const skr_clock_t *cut,
                              uint64_t position) SKR_MUST_USE;
saker_err_t skr_held_drop_cut (skr_replica_t *self, uint32_t no) SKR_MUST_USE;

/* ---- sweep.c

   For a snapshot (design 5), which is built beside the old state, under a number of its own:
   1. in a group: a fresh number, noted as unfinished, so that the next open removes what it has;
   2. in further groups: cells (skr_cells_store_of with that number) and log;
   3. in the last group: skr_holdings_replace; commit; skr_replica_reload. */
saker_err_t skr_holdings_number (skr_replica_t *self, uint32_t *no) SKR_MUST_USE;
/* Puts the records of `fresh` (id, no, name, fingerprint, documents) and its chains (writer_no set)
   in the place of what the collection had, notes the old number as unfinished, and starts a new
   epoch of the feed, since its log now lacks changes. */
saker_err_t skr_holdings_replace (skr_replica_t *self, const skr_collection_t *fresh,
                                  const skr_chain_t *chains, size_t count) SKR_MUST_USE;
/* Is the number noted as unfinished? As committed. */
saker_err_t skr_holdings_is_unfinished (skr_replica_t *self, uint32_t no,
                                        bool *unfinished) SKR_MUST_USE;
/* Removes what the numbers noted as unfinished have, in groups of its own. */
saker_err_t skr_holdings_sweep (skr_replica_t *self) SKR_MUST_USE;
/* Puts an empty collection (id, name, sealed) in the place of one that was left, in a group; what
   it had is noted, to be removed in slices: self->dropping once it is committed and read again. */
saker_err_t skr_holdings_drop (skr_replica_t *self, skr_collection_t *fresh) SKR_MUST_USE;
/* Removes one slice, in a group of its own. */
saker_err_t skr_holdings_sweep_some (skr_replica_t *self) SKR_MUST_USE;
/* Is anything noted? Sets self->dropping. */
saker_err_t skr_holdings_look_dropped (skr_replica_t *self) SKR_MUST_USE;

/* ---- replica.c */

/* Without meta and collections. Takes ownership of store and device, also when it fails; destroy
   with skr_replica_close in any case. */
saker_err_t skr_replica_new (skr_replica_t **self_p, skr_store_t **store_p, skr_device_t **device_p,
                             const skr_world_t *world) SKR_MUST_USE;
/* In the first group of a store: who this replica is. */
saker_err_t skr_replica_put_meta (skr_replica_t *self) SKR_MUST_USE;

/* Reads collections, epoch, roster and keys from the store again, sweeps, and tries what waits with
   the next offer. Between groups only. */
saker_err_t skr_replica_reload (skr_replica_t *self) SKR_MUST_USE;
/* As skr_replica_reload on a store that is only looked at: what is left over stays. Without a
   device (NULL) there is no roster, and contents are not readable. */
saker_err_t skr_replica_look (skr_replica_t *self) SKR_MUST_USE;
/* Are we in an open group that still can be committed? */
saker_err_t skr_replica_check_group (const skr_replica_t *self) SKR_MUST_USE;
/* Notes that the group cannot be committed any more; returns the error. */
saker_err_t skr_replica_spoil (skr_replica_t *self, saker_err_t error);
void skr_replica_unsent (skr_replica_t *self, const skr_id_t *collection, skr_span_t change);

/* ---- checking.c */

/* Do the collections add up to their fingerprints? SAKER_EDAMAGED names the first that does not.
   Those of many documents are left out. */
saker_err_t skr_replica_check_sums (skr_replica_t *self) SKR_MUST_USE;

/* ---- takeback.c */

/* Takes back, in a group, whatever is above the limit of its writer (design 8). Costs nothing when
   no limit can have moved. */
saker_err_t skr_replica_enforce (skr_replica_t *self) SKR_MUST_USE;
/* Where one of our void changes is kept, in SKR_VOID. */
#define SKR_VOID_KEY_BYTES 40
void skr_void_key (const skr_id_t *collection, const skr_id_t *writer, uint64_t seq,
                   uint8_t key[SKR_VOID_KEY_BYTES]);

/* ---- write.c */

/* The change that did the operation with this id is gone: asked for again, it is done. But for
   another change that did it (reissue.h). In a group. */
saker_err_t skr_write_forget (skr_replica_t *self, const skr_change_t *change,
                              skr_span_t operation_id) SKR_MUST_USE;
/* A change of this device came back from others, after a restore: a client that asks again with its
   operation id gets the receipt of then. */
saker_err_t skr_write_recall (skr_replica_t *self, const skr_change_t *change,
                              const skr_content_t *content) SKR_MUST_USE;

/* ---- admit.c */

/* Where the operations of one change are applied. */
void skr_admit_applier (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                        skr_applier_t *applier);
/* Is it the next of its writer, with all that it depends on? */
saker_err_t skr_admit_is_due (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                              bool *due) SKR_MUST_USE;
/* Keeps a change that was applied here before until it is due again. */
saker_err_t skr_admit_wait (skr_replica_t *self, const skr_change_t *change) SKR_MUST_USE;
/* After its operations were applied (undo in self->undo): log, chain, clock, name, roster. Any
   error spoils the group. `content` NULL: of a sealed collection. */
saker_err_t skr_admit_record (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                              const skr_content_t *content) SKR_MUST_USE;
/* Tries what waited for a change that was applied, and what waited for that, and so on. */
saker_err_t skr_admit_ready (skr_replica_t *self) SKR_MUST_USE;

#endif
