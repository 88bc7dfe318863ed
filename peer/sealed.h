/* Sealed collections: who may only relay (design 4 and 8) keeps the log of a collection, each
   change as it was signed and sealed, checks who wrote it, its chain and its deps, and hands it on.
   It has no key, so no cells, no fingerprint, no index; and no undo, since there is nothing to be
   undone. It is not waited for, lets its log go when those who read have stored it, and takes of a
   snapshot the log alone.

   Whether a collection is sealed is noted with it. When the right to read is taken, what was
   readable goes, and the log stays; when it is given, the collection begins anew, and all of it
   comes by pull or snapshot. */

#ifndef SKR_PEER_SEALED_H_INCLUDED
#define SKR_PEER_SEALED_H_INCLUDED

#include "peer/replica.h"

/* May this device relay a collection, and no more than that? */
bool skr_sealed_due (const skr_replica_t *self, const skr_id_t *collection);
/* Between groups: holds otherwise what is held another way than the roster says, one collection a
   call, in groups of its own. */
saker_err_t skr_sealed_turn (skr_replica_t *self) SKR_MUST_USE;
/* SAKER_ERIGHT for who would read it. */
saker_err_t skr_sealed_check (const skr_collection_t *collection) SKR_MUST_USE;

#endif
