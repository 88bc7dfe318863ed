/* Ranging: what a part of a collection adds up to, and what is in it, so that two peers that hold
   different data as of one clock find the document that differs. A part is the documents whose ids
   are at and above `from` and below `to` (empty: there is no end), in byte order. */

#ifndef SKR_PEER_RANGING_H_INCLUDED
#define SKR_PEER_RANGING_H_INCLUDED

#include "peer/replica.h"

/* What one answer may cost. */
#define SKR_RANGE_DOCUMENTS_MAX 2048
#define SKR_RANGE_ENTRIES_MAX 65536
#define SKR_RANGE_BYTES_MAX (16u << 20) /* of their values */
#define SKR_RANGE_TOLD_MAX 256          /* entries, in detail */
#define SKR_RANGE_VALUE_BYTES_MAX 256   /* larger values are not told, but their hashes are */

/* Appends [clock digest, documents, whole, sum 16, [* entry]] as committed: entries in detail only,
   each [document, address, writer 16, seq, index, hlc, hash 16, value]. `whole` is false when there
   is more than what was added up, or told. *looks (or NULL): documents and entries added up. */
saker_err_t skr_range_put (skr_replica_t *replica, const skr_collection_t *collection,
                           skr_span_t from, skr_span_t to, bool detail, skr_buf_t *buf,
                           uint64_t *looks) SKR_MUST_USE;

#endif
