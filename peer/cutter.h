/* Cutter: keeps the log short. Now and then it looks at the collections in turn, hears what members
   report, and lets one slice of the log go (design 5); told to plan, it says what holds the rest.
 */

#ifndef SKR_PEER_CUTTER_H_INCLUDED
#define SKR_PEER_CUTTER_H_INCLUDED

#include "peer/api.h"
#include "peer/cut.h"
#include "peer/stable.h"

#define SKR_CUT_EVERY_MS 2000         /* between two looks at all */
#define SKR_CUT_COLLECTIONS_A_TURN 64 /* looked at in one round of the event loop */
#define SKR_CUT_PLAN_ENTRIES_MAX                                                                   \
    20000 /* looked at for a plan; what is behind them is estimated                                \
           */
#define SKR_HISTORY_MS_DEFAULT (30ull * 24 * 3600 * 1000)
#define SKR_HISTORY_BYTES_DEFAULT (1ull << 30)

typedef struct skr_cutter_t skr_cutter_t;

/* Borrows all but the neighbours, which it copies. */
saker_err_t skr_cutter_new (skr_cutter_t **self_p, skr_replica_t *replica,
                            const skr_neighbours_t *neighbours,
                            const skr_world_t *world) SKR_MUST_USE;
void skr_cutter_destroy (skr_cutter_t **self_p);
/* What is kept beyond stability: time, and of that at most so many bytes (0: any number). */
void skr_cutter_configure (skr_cutter_t *self, uint64_t history_ms, uint64_t history_bytes,
                           bool folds);

/* Once a round, between groups: looks at some collections when it is time, and cuts one slice at
   most, in a group of its own. An error is the store's, or one of memory; it is tried again. */
saker_err_t skr_cutter_turn (skr_cutter_t *self) SKR_MUST_USE;
/* mono time at which skr_cutter_turn wants to be called at the latest. */
uint64_t skr_cutter_deadline_ms (const skr_cutter_t *self);
/* Begins a look at all collections at once; busy until that is done. */
void skr_cutter_hurry (skr_cutter_t *self);
bool skr_cutter_busy (const skr_cutter_t *self);

typedef struct skr_cutter_stats_t {
    uint64_t entries, bytes; /* cut since start */
    uint64_t slices;
    uint64_t receipts;       /* let go since start */
    uint64_t longest_ms;     /* of a slice, with its commit */
    uint64_t log_bytes;      /* of all collections but the roster */
    uint64_t cut_wall_ms;    /* when something was cut last; 0: not since start */
    uint64_t oldest_wall_ms; /* of the oldest change that was seen to be kept; 0: none was */
} skr_cutter_stats_t;
void skr_cutter_stats (const skr_cutter_t *self, skr_cutter_stats_t *stats);

/* A member that has not stored all of a collection's log, as far as is known here. */
typedef struct skr_cut_holder_t {
    const skr_member_t *member; /* borrowed from the roster */
    skr_verdict_t verdict;
    uint64_t missing;        /* changes that it is not known to have */
    uint64_t since_ms;       /* wall, of its last report that counted; 0: none since the start */
    uint64_t entries, bytes; /* that wait for it: from the first that it lacks to the end */
} skr_cut_holder_t;

typedef struct skr_cut_plan_t {
    uint64_t entries, bytes;             /* of the log */
    uint64_t going_entries, going_bytes; /* that could go now */
    bool estimated;                      /* the log was longer than what was looked at */
    skr_cut_end_t end;                   /* what holds the next */
    uint64_t time_ms;                    /* wall, of the next; 0: there is none */
    skr_cut_holder_t *holders;           /* allocated (free ()) */
    size_t holders_count;
} skr_cut_plan_t;

/* Looks, and changes nothing. */
saker_err_t skr_cutter_plan (skr_cutter_t *self, const skr_collection_t *collection,
                             skr_cut_plan_t *plan) SKR_MUST_USE;

#endif
