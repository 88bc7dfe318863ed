/* Cut: the beginning of a collection's log goes once it is stable and old enough (design 5). What
   goes is a prefix of the local order; the cut is the clock of what went. It is kept in the store
   with the same commit that takes the entries away, and only rises.

   In SKR_META, "cut" and the collection's number u32 -> {0: clock, 1: the highest position that was
   taken away}. The roster is never cut: it has no snapshots. */

#ifndef SKR_PEER_CUT_H_INCLUDED
#define SKR_PEER_CUT_H_INCLUDED

#include "peer/log.h"
#include "peer/replica.h"

/* One slice: what one group takes away, so that nothing else waits for long. */
#define SKR_CUT_SLICE_ENTRIES_MAX 1024
#define SKR_CUT_SLICE_BYTES_MAX (4u << 20)

/* What may go. */
typedef struct skr_cut_terms_t {
    const skr_clock_t *stable; /* nothing above it */
    uint64_t wall_ms;
    uint64_t history_ms;         /* what is younger stays; a change from the future counts as old */
    uint64_t forced;             /* up to this position, also what is younger goes */
    const skr_clock_t *foldable; /* what all have cut: counters are folded up to it; NULL: none */
} skr_cut_terms_t;

/* Why a slice ended. */
typedef enum skr_cut_end_t {
    SKR_CUT_EMPTY,    /* nothing is left */
    SKR_CUT_FULL,     /* more may go */
    SKR_CUT_UNSTABLE, /* somebody has not stored the next */
    SKR_CUT_YOUNG,    /* the next is stable, but not old enough */
} skr_cut_end_t;

typedef struct skr_cut_slice_t {
    skr_cut_end_t end;
    uint64_t entries, bytes; /* that went, or would go */
    uint64_t position;       /* of the next; 0: none */
    uint64_t time_ms;        /* wall, of its change; 0: none, or not to be read */
} skr_cut_slice_t;

/* Is the change at a place too young to go? Tells its time, too (0: it cannot be read). */
bool skr_cut_is_young (const skr_cut_terms_t *terms, const skr_log_place_t *place,
                       uint64_t *time_ms);

/* What is first in the log, and whether it is old enough, whatever is stable. */
saker_err_t skr_cut_look (skr_replica_t *self, const skr_id_t *collection,
                          const skr_cut_terms_t *terms, skr_cut_slice_t *slice) SKR_MUST_USE;
/* Takes one slice away, in a group of its own: none may be open. */
saker_err_t skr_cut_some (skr_replica_t *self, const skr_id_t *collection,
                          const skr_cut_terms_t *terms, skr_cut_slice_t *slice) SKR_MUST_USE;

/* As committed; borrowed until the next begin. NULL: no such collection. */
const skr_clock_t *skr_cut_clock (const skr_replica_t *self, const skr_id_t *collection);
/* The highest position that was taken away: all that is left is above. */
uint64_t skr_cut_position (const skr_replica_t *self, const skr_id_t *collection);
/* Entries of the log: what the clock has above the cut. */
uint64_t skr_cut_entries (const skr_replica_t *self, const skr_id_t *collection);

/* Of each writer, in the order of the clock, how many changes are in the log: what is told of the
   cut. *kept is allocated (free ()), NULL for an empty clock. */
saker_err_t skr_cut_kept (const skr_replica_t *self, const skr_collection_t *collection,
                          uint64_t **kept) SKR_MUST_USE;

/* The first 8 bytes of the hash of a change that is applied here. SAKER_ENOTFOUND: it is below the
   cut. */
saker_err_t skr_cut_hash (skr_replica_t *self, const skr_id_t *collection, const skr_id_t *writer,
                          uint64_t seq, uint64_t *hash) SKR_MUST_USE;

#endif
