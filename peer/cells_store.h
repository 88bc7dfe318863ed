/* Cells in the store: skr_cells_t of one collection over SKR_CELLS.

   The live entries of a document are kept sorted by (address, writer no, seq, index), in buckets of
   up to 8 KiB: one record for a small document, so that a document costs one insert; more for a
   large one, so that a write never costs the whole document. A bucket's key is the collection and
   document number, and the shortest bytes that its entries are not below and those of the bucket
   before are; the first bucket of a document has none of these. What a group works on is held
   decoded (pages.h), and is written at skr_cells_store_flush, if not before. */

#ifndef SKR_PEER_CELLS_STORE_H_INCLUDED
#define SKR_PEER_CELLS_STORE_H_INCLUDED

#include "peer/collection.h"
#include "peer/numbers.h"

typedef struct skr_cells_store_t skr_cells_store_t;

/* Over a store; borrows it. */
saker_err_t skr_cells_store_new (skr_cells_store_t **self_p, skr_store_t *store) SKR_MUST_USE;
void skr_cells_store_destroy (skr_cells_store_t **self_p);

/* The cells of a collection as committed: put and remove fail. Valid until the next call of this
   function. */
const skr_cells_t *skr_cells_store_committed (skr_cells_store_t *self, uint32_t collection_no);
/* As the open group sees them. Valid until the next call of this function. With what is put and
   removed, the fingerprint of `live` and its number of documents with at least one entry are kept;
   they are right after a flush, and `live` must stay until the next call of this function, flush or
   drop. SAKER_EDAMAGED: what is put is there already, or what is removed is not. */
const skr_cells_t *skr_cells_store_group (skr_cells_store_t *self, skr_collection_t *live);

/* Writes what is held. Before commit, and before anything else reads SKR_CELLS in the group. */
saker_err_t skr_cells_store_flush (skr_cells_store_t *self) SKR_MUST_USE;
/* Forgets what is held, after an abort. */
void skr_cells_store_drop (skr_cells_store_t *self);

/* Visits the ids of documents that hold at least one entry, in byte order, from `from` on. */
typedef saker_err_t skr_document_fn (skr_span_t document, void *argument);
saker_err_t skr_cells_store_documents (skr_cells_store_t *self, skr_sight_t sight,
                                       uint32_t collection_no, skr_span_t from,
                                       skr_document_fn *visit, void *argument) SKR_MUST_USE;

/* Every entry of a collection, document by document in order of number: what a snapshot holds. */
typedef saker_err_t skr_cell_fn (skr_span_t document, const skr_entry_t *entry, void *argument);
saker_err_t skr_cells_store_all (skr_cells_store_t *self, skr_sight_t sight, uint32_t collection_no,
                                 skr_cell_fn *visit, void *argument) SKR_MUST_USE;

#endif
