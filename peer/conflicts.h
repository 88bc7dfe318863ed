/* Conflicts: an index of the places where rivals are (SKR_CONFLICTS), so that listing them costs as
   many steps as there are conflicts, however many documents a collection has.

     collection no u32                                -> number of its records u64
     collection no u32, document id, 00, path or stem -> size of the id u8, document id, path

   The stem of a path that is too long for a key: its beginning, ff, and a hash of all of it.

   A place is in conflict when it holds two registers, or cells of two kinds; that there is
   something below it makes it a map (crdt/view.h says which is shown). Times play no part in that,
   so two neighbours in the order of addresses tell. Of a document that is one page all neighbours
   are looked at when the page is written (page_tally.h). Of another, when a cell comes, its own
   two; when one goes, the places above it, where the index has them. Cells are put and removed in
   one group with the index, and taken back together. */

#ifndef SKR_PEER_CONFLICTS_H_INCLUDED
#define SKR_PEER_CONFLICTS_H_INCLUDED

#include "crdt/cells.h"
#include "peer/store.h"

#define SKR_CONFLICTS_VERSION 1 /* of the index: another one is built anew */
#define SKR_CONFLICT_KEY_BYTES_MAX 510

/* ---- keeping it; see page_tally.c and cells_store.c */

/* Do two neighbours, the first with the lower address, put a place in conflict? *path is the place,
   borrowed from `one`. */
bool skr_conflicts_between (skr_span_t one, skr_span_t other, skr_span_t *path);
/* The path that a stored address begins with; empty when it is not one. */
skr_span_t skr_conflicts_path (skr_span_t address);
/* Is the place in conflict, as the cells stand? Looks at its own cells and at one more. */
saker_err_t skr_conflicts_judge (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                                 bool *conflict) SKR_MUST_USE;
/* In the open group; nothing happens when it is there already, or is not there. */
saker_err_t skr_conflicts_add (skr_store_t *store, uint32_t collection_no, skr_span_t document,
                               skr_span_t path) SKR_MUST_USE;
saker_err_t skr_conflicts_remove (skr_store_t *store, uint32_t collection_no, skr_span_t document,
                                  skr_span_t path) SKR_MUST_USE;
saker_err_t skr_conflicts_has (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                               skr_span_t document, skr_span_t path, bool *has) SKR_MUST_USE;
/* Has the document any? */
saker_err_t skr_conflicts_any (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                               skr_span_t document, bool *any) SKR_MUST_USE;

/* ---- asking it */

/* Places in conflict in a collection. */
saker_err_t skr_conflicts_count (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                 uint64_t *count) SKR_MUST_USE;
/* Visits the places in conflict of a collection, or of one document of it (not empty), ordered by
   document and then mostly by path; from the key `from` on, unless that is empty. The visit may
   return SKR_STOP. Everything is borrowed until it returns. */
typedef saker_err_t skr_conflict_fn (skr_span_t key, skr_span_t document, skr_span_t path,
                                     void *argument);
saker_err_t skr_conflicts_scan (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                skr_span_t document, skr_span_t from, skr_conflict_fn *visit,
                                void *argument) SKR_MUST_USE;

#endif
