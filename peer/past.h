/* Past: a document as it was at a time, as cells.

   An entry lived at a time when the change that made it is not later, and no change that is not
   later ended it. So every peer that has the same changes gives the same answer, in whatever order
   they came. The entries that can have lived are those that live now and those that a change in the
   log displaced here; what ended them is read from the changes themselves, since of two changes
   that end one entry only the first that came displaces it. */

#ifndef SKR_PEER_PAST_H_INCLUDED
#define SKR_PEER_PAST_H_INCLUDED

#include "peer/history.h"

#define SKR_PAST_BYTES_MAX (64u << 20) /* of what is gathered for one document */

typedef struct skr_past_t skr_past_t;

/* The document as of a time, by the sight's log and cells. SAKER_EGAP: history does not reach back
   so far, or changes after it cannot be read here; the sentence tells from when on it is known.
   SAKER_ELIMIT: the document has more history than SKR_PAST_BYTES_MAX. Owned by the caller. */
saker_err_t skr_past_open (skr_past_t **self_p, skr_replica_t *replica, skr_sight_t sight,
                           const skr_collection_t *collection, skr_span_t document,
                           uint64_t hlc) SKR_MUST_USE;
/* Its cells: they can be scanned and not changed, and know this one document, whatever its name. */
const skr_cells_t *skr_past_cells (const skr_past_t *self);
void skr_past_close (skr_past_t **self_p);

/* The hlc of the end of a millisecond: everything that was written in it is not later. SAKER_EINPUT
   when it lies in the future. */
saker_err_t skr_past_hlc (const skr_replica_t *replica, uint64_t time_ms,
                          uint64_t *hlc) SKR_MUST_USE;

#endif
