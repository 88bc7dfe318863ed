/* Statement: one roster statement, read or written. The kinds are listed in roster.h, which also
   declares how they are made. */

#ifndef SKR_PEER_STATEMENT_H_INCLUDED
#define SKR_PEER_STATEMENT_H_INCLUDED

#include "peer/roster.h"

enum {
    SKR_STATEMENT_FOUND = 1,
    SKR_STATEMENT_INCARNATE = 2,
    SKR_STATEMENT_ADMIT = 3,
    SKR_STATEMENT_KEY = 4,
    SKR_STATEMENT_ROLE = 5,
    SKR_STATEMENT_FENCE = 6,
    SKR_STATEMENT_FORK = 7,
    SKR_STATEMENT_SUBSCRIBE = 8,
    SKR_STATEMENT_LAST = SKR_STATEMENT_SUBSCRIBE, /* later ones are of a later version */
};

/* A statement, taken apart. Borrows. */
typedef struct skr_statement_t {
    uint64_t kind;
    skr_member_t member; /* FOUND, ADMIT; INCARNATE: the device alone; ROLE: device and role */
    uint8_t random[32];
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_id_t collection;
    uint8_t key_id[SKR_KEY_ID_BYTES];
    uint64_t generation; /* KEY */
    skr_span_t copies;
    skr_span_t seen;         /* INCARNATE, ROLE: encoded, see skr_statement_seen; empty: none */
    skr_span_t cutoffs;      /* ROLE: encoded, see skr_statement_cutoffs */
    skr_id_t from, to;       /* ROLE: the collections that the cutoffs speak of */
    skr_fork_settled_t fork; /* FORK */
    uint64_t number;         /* SUBSCRIBE */
    bool rest;
    skr_span_t named; /* encoded, see skr_statement_subscription */
} skr_statement_t;

/* Takes a statement apart and checks its form. SAKER_EINPUT. A kind above SKR_STATEMENT_LAST is of
   a later version: nothing but the kind is set. */
saker_err_t skr_statement_read (skr_span_t bytes, skr_statement_t *statement) SKR_MUST_USE;
/* Lists that were read before. *list is allocated (free ()), NULL when empty. */
saker_err_t skr_statement_seen (skr_span_t seen, skr_dot_t **list, size_t *count) SKR_MUST_USE;
saker_err_t skr_statement_cutoffs (skr_span_t cutoffs, skr_cutoff_t **list,
                                   size_t *count) SKR_MUST_USE;
/* Of a SUBSCRIBE that was read before. Replaces *subscription, which is freed in any case. */
saker_err_t skr_statement_subscription (const skr_statement_t *statement,
                                        skr_subscription_t *subscription) SKR_MUST_USE;

#endif
