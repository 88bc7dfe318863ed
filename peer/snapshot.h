/* Snapshot: one collection as of one moment, as a file that can be sent in parts.

   File: a CBOR sequence: header {0: version, 1: collection, 2: name, 3: clock, 4: hashes [* hash of
   each writer's last change, in the order of the clock], 5: fingerprint, 6: number of entries,
   7: number of log entries, 8: the cut, above which the log starts,
   9: since when the sender knows the history, 0: from the start; 10: the sender's hybrid logical
   clock, since nothing may be left of a change below the cut that tells its time; ? 11: 1 (it is
   sealed), else 0; ? 12: the part of the collection that fingerprint and entries are of (part.h)},
   then the entries
   [document, writer index, seq, index, hlc, address, value], then the log above the cut
   [signed change, undo] in the sender's order. The offer tells its size and BLAKE2b-256.

   A sealed one is for who may only relay (sealed.h): without name, entries and undo. One of a part
   is for who carries no more than that (partial.h); the log is that of the whole collection.

   The receiver collects the file, checks size and hash, and then builds the collection beside the
   old state, under a fresh local number, in groups of bounded size; recomputes the fingerprint from
   the entries; verifies form, signature and rights of every change in the log; and switches over in
   one last group. So it takes effect whole or not at all; what a crash leaves of the building is
   removed at the next open. Own and foreign changes that the receiver held beyond the snapshot's
   clock are applied again after it. */

#ifndef SKR_PEER_SNAPSHOT_H_INCLUDED
#define SKR_PEER_SNAPSHOT_H_INCLUDED

#include "peer/part.h"
#include "peer/replica.h"

#define SKR_SNAPSHOT_VERSION 3
#define SKR_SNAPSHOT_HEADER_PAIRS 11

/* What a snapshot is to hold. */
typedef struct skr_extract_t {
    bool sealed;
    skr_part_t part; /* zeros: the whole; not looked at where it is sealed */
} skr_extract_t;

/* Writes a snapshot of the committed state to a new file (0600). SAKER_EEXIST; SAKER_ENOTFOUND: no
   such collection, or it is sealed here, and more was asked for; SAKER_ENOTCARRIED: this peer has
   only a part of it, which is not all that was asked for; SAKER_EINPUT: of the roster there are
   none, since the right to each of its changes has to be checked. */
saker_err_t skr_snapshot_make (skr_replica_t *self, const skr_id_t *collection,
                               const skr_extract_t *extract, const char *file, uint64_t *size,
                               uint8_t hash[32]) SKR_MUST_USE;
/* Takes a complete file whose size and hash were checked: a sealed one where the collection is, or
   would be, sealed here; else one of what is wanted of it here, or of more. Uses groups of its own:
   none may be open. Does nothing when what is held covers it, and nothing else is wanted.
   SAKER_EINPUT, SAKER_EVERSION, SAKER_EFORGED, SAKER_ERIGHT, SAKER_EDAMAGED: it was not taken,
   nothing changed; SAKER_EWAIT: the same, and it may be once the roster here names all of its
   writers. */
saker_err_t skr_snapshot_take (skr_replica_t *self, const skr_id_t *collection,
                               const char *file) SKR_MUST_USE;
/* Keeps what is held readable sealed from now on, by taking a sealed snapshot of it through a file
   of this name. Something of it must be held. */
saker_err_t skr_snapshot_seal (skr_replica_t *self, const skr_id_t *collection,
                               const char *file) SKR_MUST_USE;

#endif
