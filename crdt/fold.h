/* Fold: what the entries of one writer in one counter become once nothing can end only some of them
   (design 5). It has the dot and the time of the last of them, and its value is

     [ sum: int, hashes: bstr .size 16 ]     ; hashes: the sum of the hashes of what it stands for

   so the counter shows the same, and the fingerprint is the same, whoever has folded and who has
   not. An increment's value is the int alone. Folds never travel in changes, only in snapshots. */

#ifndef SKR_CRDT_FOLD_H_INCLUDED
#define SKR_CRDT_FOLD_H_INCLUDED

#include "crdt/cells.h"

typedef struct skr_fold_t {
    uint64_t sum; /* modulo 2^64 */
    skr_fingerprint_t hashes;
    size_t count; /* of what was added */
} skr_fold_t;

/* Is the entry a fold, rather than an increment or another cell? */
bool skr_fold_is (const skr_entry_t *entry);
/* The amount of a counter's entry, folded or not. SAKER_EDAMAGED. */
saker_err_t skr_fold_amount (skr_span_t value, uint64_t *amount) SKR_MUST_USE;
/* The hashes of an entry that is a fold. SAKER_EDAMAGED. */
saker_err_t skr_fold_hashes (skr_span_t value, skr_fingerprint_t *hashes) SKR_MUST_USE;
/* Adds one entry of a counter, which may be a fold itself. */
saker_err_t skr_fold_add (skr_fold_t *self, const skr_id_t *collection, skr_span_t document,
                          const skr_entry_t *entry) SKR_MUST_USE;
/* Appends the value of the fold. */
void skr_fold_put (skr_buf_t *buf, const skr_fold_t *self);

#endif
