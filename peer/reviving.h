/* Reviving: what a document showed at a time, written anew as one local change. It is a change like
   any other: what it replaces is what this peer sees now, what is equal is left alone, and what
   others write at the same time stays beside it. */

#ifndef SKR_PEER_REVIVING_H_INCLUDED
#define SKR_PEER_REVIVING_H_INCLUDED

#include "peer/past.h"

/* Makes the document, at and below the path, show what it showed at the time, in a group. A counter
   gets the difference, so that increments made meanwhile elsewhere count; a set gets and loses
   members. Receipt as in skr_replica_write; seq 0 when it shows that already. SAKER_ENOTFOUND when
   there was nothing then, SAKER_EGAP as in skr_past_open, and what a write may give. */
saker_err_t skr_replica_revive (skr_replica_t *self, const skr_collection_t *collection,
                                skr_span_t document, skr_span_t path, uint64_t hlc,
                                saker_receipt_t *receipt) SKR_MUST_USE;

#endif
