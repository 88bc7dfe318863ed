/* Ration: how much of this peer's time one member may take with questions that make it look at
   much: sums over parts and snapshots of them, sums over ranges, changes that are pulled. Who took
   too much is refused until that is worn off, and asks again; all others are answered meanwhile.
   What is worn off each millisecond is more than a member can apply that catches up, so it waits
   for nothing.

   Sums are remembered for a short time, and only while the collection does not move, so that many
   who ask for the same cost one look; and not for long, since damage must not hide behind them. */

#ifndef SKR_MESH_RATION_H_INCLUDED
#define SKR_MESH_RATION_H_INCLUDED

#include "peer/part.h"
#include "peer/replica.h"

#define SKR_RATION_LOOKS_MAX 1000000u /* documents and entries looked at for one, all at once */
#define SKR_RATION_LOOKS_A_MS 100     /* and so many are forgotten in each millisecond */
#define SKR_RATION_PLACES 256         /* members share them, by chance */
#define SKR_RATION_PULL_BYTES 1024    /* of changes: one look; and one each change */
#define SKR_RATION_RANGE_ENTRIES 2    /* or documents: one look */
#define SKR_RATION_SUMS 16
#define SKR_RATION_SUM_MS 10000 /* so long a sum is remembered */

typedef struct skr_ration_sum_t {
    skr_id_t collection;
    uint64_t clock_digest;
    skr_fingerprint_t fingerprint; /* of the collection then */
    skr_part_sum_t sum;
    uint64_t made_ms;
} skr_ration_sum_t;

typedef struct skr_ration_t {
    uint8_t key[16]; /* of this process: nobody can choose whose place it shares */
    struct {
        uint64_t taken, at_ms;
    } places[SKR_RATION_PLACES];
    skr_ration_sum_t sums[SKR_RATION_SUMS];
} skr_ration_t;

/* Of all zeros otherwise. */
void skr_ration_init (skr_ration_t *self);
/* The place of a member: 0 to SKR_RATION_PLACES - 1. */
size_t skr_ration_place (const skr_ration_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES]);
/* May it ask now for what costs looks? `now_ms`: mono. */
bool skr_ration_may (skr_ration_t *self, size_t place, uint64_t now_ms);
void skr_ration_take (skr_ration_t *self, size_t place, uint64_t looks, uint64_t now_ms);
/* What the documents of sum->part, which is carried, add up to, remembered or added up anew.
   sum->any stays false when the member has to wait for it. */
saker_err_t skr_ration_sum (skr_ration_t *self, skr_replica_t *replica,
                            const skr_collection_t *collection, size_t place, uint64_t now_ms,
                            skr_part_sum_t *sum) SKR_MUST_USE;
void skr_ration_free (skr_ration_t *self);

#endif
