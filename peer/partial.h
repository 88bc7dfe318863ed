/* Partial: of which documents of a collection this peer has the state (part.h).

   All that is of the collection as a whole stays as it is for everyone: changes, clock, log, cut,
   what is void. Only cells, and what is made of them (undo, conflicts, fingerprint), are of the
   part that is carried.

     wanted   what the user asked for; it is shown as far as it is carried
     carried  of what the cells are; changes are applied to that

   What is carried and not wanted goes, some of it a round. Nothing is lost by that: admins carry
   everything whole, and count in the cut like everyone. So what is below a cut an admin has, and
   what is above it the log has, which is that of the whole collection.
   What is wanted and not carried comes with a snapshot of all that is wanted, from who carries it:
   it is built beside the state that is there (snapshot.h), and takes its place whole or not at all.

     SKR_META  "part" id 16 -> {0: name, 1: wanted, 2: carried, 3: is some of it to be removed}
               of each collection that was ever meant to be carried in part */

#ifndef SKR_PEER_PARTIAL_H_INCLUDED
#define SKR_PEER_PARTIAL_H_INCLUDED

#include "peer/part.h"
#include "peer/replica.h"

typedef struct skr_partial_t {
    char name[SKR_COLLECTION_BYTES_MAX + 1]; /* "": nothing is noted */
    skr_part_t wanted, carried;
    bool removing; /* documents that are not carried may be in the store still */
    skr_buf_t at;  /* the document to go on removing at */
} skr_partial_t;

void skr_partial_free (skr_partial_t *self);
/* As noted in the store: whole, where nothing is. Into zeros, or over what was read before. */
saker_err_t skr_partial_load (skr_replica_t *self, skr_sight_t sight, const skr_id_t *collection,
                              skr_partial_t *partial) SKR_MUST_USE;
/* Was a part of any collection met since it was opened? Most peers carry all. */
bool skr_partial_any (const skr_replica_t *self);
/* As it counts now; all zeros where there is no such collection. Borrowed until the next begin. */
const skr_partial_t *skr_partial_of (const skr_replica_t *self, const skr_id_t *collection);

/* Is a document shown here? */
bool skr_partial_shows (const skr_partial_t *self, skr_span_t document);
/* SAKER_ENOTCARRIED, with what is carried and how to change that, when it is not; SAKER_ENOTYET:
   it is wanted, and comes. */
saker_err_t skr_partial_check (const skr_replica_t *self, const skr_collection_t *collection,
                               skr_span_t document) SKR_MUST_USE;
/* Is something wanted that has to come with a snapshot? */
bool skr_partial_lacks (const skr_partial_t *self);

/* In a group: wants this part of a collection from now on, which need not be here yet.
   SAKER_ERIGHT: an admin's peer carries all, or this one only relays the collection. */
saker_err_t skr_partial_want (skr_replica_t *self, const char *name,
                              const skr_part_t *part) SKR_MUST_USE;
/* After the group, or its abort: what was wanted in it counts, or what was before. */
void skr_partial_ended (skr_replica_t *self, bool committed);
/* Visits all that were ever wanted in part, also those that are not here yet. */
typedef saker_err_t skr_partial_fn (const skr_partial_t *partial, void *argument);
saker_err_t skr_partial_each (skr_replica_t *self, skr_partial_fn *visit,
                              void *argument) SKR_MUST_USE;
/* In a group: notes that the cells of a collection are of this part, when a snapshot of it takes
   the place of what was there. */
saker_err_t skr_partial_came (skr_replica_t *self, const skr_id_t *collection,
                              const skr_part_t *part) SKR_MUST_USE;

/* Between groups: goes one step towards what is wanted, in a group of its own. */
saker_err_t skr_partial_turn (skr_replica_t *self) SKR_MUST_USE;
/* Is there something to be removed at once? */
bool skr_partial_busy (const skr_replica_t *self);

/* Visits the documents of a part that is carried, as committed, in the order of their ids; the
   visit may read. An error of it ends it. */
saker_err_t skr_partial_documents (skr_replica_t *self, const skr_collection_t *collection,
                                   const skr_part_t *part, skr_document_fn *visit,
                                   void *argument) SKR_MUST_USE;
/* What the documents of sum->part, which is carried, add up to, as committed, added up anew.
   What is damaged is left out. */
saker_err_t skr_partial_sum (skr_replica_t *self, const skr_collection_t *collection,
                             skr_part_sum_t *sum) SKR_MUST_USE;

#endif
