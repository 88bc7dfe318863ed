/* Seen: what a client has seen of a collection, as a token that it takes along to another peer: the
   clock there, with a hash beside each seq, so that the other branch of a fork is not taken for it.

     text    "saker-seen-" and, in base64 for addresses, CBOR [version, mesh id, collection id,
   name, clock, hashes: bstr, 8 bytes a tick] */

#ifndef SKR_PEER_SEEN_H_INCLUDED
#define SKR_PEER_SEEN_H_INCLUDED

#include "peer/replica.h"

#define SKR_SEEN_VERSION 1
#define SKR_SEEN_BYTES_MAX (192u << 10) /* of a token */

typedef struct skr_seen_t {
    skr_id_t mesh, collection;
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    skr_clock_t clock;
    uint64_t *hashes;
} skr_seen_t;

/* Appends the token of what is shown here now. SAKER_ELIMIT: too many writers. */
saker_err_t skr_seen_put (skr_replica_t *self, const skr_collection_t *collection,
                          skr_buf_t *text) SKR_MUST_USE;
/* SAKER_EINPUT: it is no token; SAKER_EVERSION. Free it in any case. */
saker_err_t skr_seen_parse (skr_span_t text, skr_seen_t *seen) SKR_MUST_USE;
void skr_seen_free (skr_seen_t *seen);
/* *missing: how many changes of it are not here yet, as committed; what is void counts as here.
   SAKER_EFORGED: another change than it tells of is here, so it never will be; SAKER_ERIGHT: this
   device gets nothing of the collection; SAKER_ENOTCARRIED: it does not carry it; SAKER_EINPUT: it
   is of another mesh. */
saker_err_t skr_seen_look (skr_replica_t *self, const skr_seen_t *seen,
                           uint64_t *missing) SKR_MUST_USE;

#endif
