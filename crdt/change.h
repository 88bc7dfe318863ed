/* A change: what one commit of one writer did to one collection (design 4).

     signed-change = [ body: bstr, signature: bstr .size 64 ]
     signature = Ed25519 over "saker change 1" 00, the mesh id, and the body

   A change of the roster collection (id all zeros) has a key id of zeros, no nonce, and its
   content in the clear: every member reads the roster. Everything else is sealed.

     content = { 0: writers, 1: operations, ? 2: operation id, ? 3: origin mark,
                 ? 4: name of the collection } */

#ifndef SKR_CRDT_CHANGE_H_INCLUDED
#define SKR_CRDT_CHANGE_H_INCLUDED

#include "crdt/limits.h"
#include "crdt/op.h"

#define SKR_CHANGE_VERSION 1
#define SKR_HASH_BYTES 32
#define SKR_KEY_ID_BYTES 8
#define SKR_SEAL_KEY_BYTES 32
#define SKR_SIGN_PUBLIC_BYTES 32
#define SKR_SIGN_SECRET_BYTES 64
#define SKR_SEAL_NONCE_BYTES 24

/* Parsed, not yet verified. Borrows from the bytes it was parsed from. */
typedef struct skr_change_t {
    skr_span_t raw;           /* the signed change as made */
    skr_span_t body;          /* what is signed and hashed */
    skr_span_t header;        /* encoded keys 0 to 7: the seal's associated data */
    const uint8_t *signature; /* 64 bytes */
    skr_id_t collection;
    skr_id_t writer;
    uint64_t seq;
    uint64_t hlc;
    uint8_t prev[SKR_HASH_BYTES];
    skr_span_t deps_raw; /* see skr_change_deps */
    size_t deps_count;
    uint8_t key_id[SKR_KEY_ID_BYTES];
    skr_span_t sealed; /* nonce and sealed content; in the roster collection: the content */
} skr_change_t;

/* Checks the form of everything but the content. SAKER_EINPUT, SAKER_EVERSION, SAKER_ELIMIT. */
saker_err_t skr_change_parse (skr_change_t *self, skr_span_t raw) SKR_MUST_USE;
/* SAKER_EFORGED unless the device signed it for this mesh. */
saker_err_t skr_change_verify (const skr_change_t *self, const skr_id_t *mesh,
                               const uint8_t device[SKR_SIGN_PUBLIC_BYTES]) SKR_MUST_USE;
/* BLAKE2b-256 of the body: what the writer's next change carries as prev. */
void skr_change_hash (const skr_change_t *self, uint8_t hash[SKR_HASH_BYTES]);
/* Replaces deps. */
saker_err_t skr_change_deps (const skr_change_t *self, skr_clock_t *deps) SKR_MUST_USE;
bool skr_change_is_roster (const skr_change_t *self);
/* Appends the content in the clear. `key` is ignored for the roster. SAKER_EFORGED. */
saker_err_t skr_change_unseal (const skr_change_t *self, const uint8_t key[SKR_SEAL_KEY_BYTES],
                               skr_buf_t *content) SKR_MUST_USE;

/* The content of a change. Borrows. */
typedef struct skr_content_t {
    skr_id_t *writers; /* table; allocated, see skr_content_free */
    size_t writers_count;
    skr_op_t *ops; /* allocated */
    size_t ops_count;
    skr_span_t operation_id; /* empty: none */
    skr_span_t origin;       /* empty: none */
    skr_span_t name;         /* the collection's name; in each writer's first change of it */
} skr_content_t;

saker_err_t skr_content_parse (skr_content_t *self, skr_span_t content) SKR_MUST_USE;
void skr_content_free (skr_content_t *self);
/* Appends a content; `ops` are ops_count operations encoded by skr_op_put. */
void skr_content_put (skr_buf_t *buf, const skr_id_t *writers, size_t writers_count, skr_span_t ops,
                      size_t ops_count, skr_span_t operation_id, skr_span_t origin,
                      skr_span_t name);

/* What a new change is made of. Borrows everything. */
typedef struct skr_draft_t {
    skr_id_t mesh;
    skr_id_t collection;
    skr_id_t writer;
    uint64_t seq;
    uint64_t hlc;
    const uint8_t *prev;     /* 32 bytes */
    const skr_clock_t *deps; /* what the writer has gained since its previous change here */
    const uint8_t *key_id;   /* 8 bytes */
    const uint8_t *key;      /* 32 bytes; NULL for the roster */
    const uint8_t *nonce;    /* 24 random bytes; NULL for the roster */
    skr_span_t content;
    const uint8_t *secret; /* the device's 64-byte Ed25519 secret key */
} skr_draft_t;

/* Seals, signs, appends the signed change. SAKER_ELIMIT when it is over 64 KiB. */
saker_err_t skr_change_build (const skr_draft_t *draft, skr_buf_t *raw) SKR_MUST_USE;

#endif
