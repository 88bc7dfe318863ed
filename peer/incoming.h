/* Incoming: a snapshot on its way in, as a file that grows part by part in STORE/incoming/, named
   after collection, size and hash, so that it is found again after a restart. */

#ifndef SKR_PEER_INCOMING_H_INCLUDED
#define SKR_PEER_INCOMING_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

#define SKR_INCOMING_BYTES_MAX ((uint64_t) 1 << 40)

typedef struct skr_incoming_t {
    skr_id_t collection;
    uint64_t size;    /* of the whole */
    uint8_t hash[32]; /* BLAKE2b-256 of the whole; its first 16 bytes are the snapshot id */
    uint64_t have;    /* bytes so far */
    char file[4096];
    int descriptor; /* -1: not open */
} skr_incoming_t;

/* Opens what has come of it, or starts with nothing. */
saker_err_t skr_incoming_open (skr_incoming_t *self, const char *folder, const skr_id_t *collection,
                               uint64_t size, const uint8_t hash[32]) SKR_MUST_USE;
/* What was left of a collection by an earlier process. SAKER_ENOTFOUND. */
saker_err_t skr_incoming_find (skr_incoming_t *self, const char *folder,
                               const skr_id_t *collection) SKR_MUST_USE;
/* Appends. SAKER_EFULL, SAKER_EIO; SAKER_EINPUT when it is more than the whole. */
saker_err_t skr_incoming_append (skr_incoming_t *self, skr_span_t bytes) SKR_MUST_USE;
/* All here: does it hash to what was offered? SAKER_EDAMAGED. */
saker_err_t skr_incoming_check (skr_incoming_t *self) SKR_MUST_USE;
/* Closes; `discard` removes the file. */
void skr_incoming_close (skr_incoming_t *self, bool discard);

#endif
