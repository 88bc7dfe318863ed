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
};

/* A statement, taken apart. Borrows. */
typedef struct skr_statement_t {
    uint64_t kind;
    skr_member_t member; /* FOUND, ADMIT; INCARNATE: the device alone */
    uint8_t random[32];
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_id_t collection;
    uint8_t key_id[SKR_KEY_ID_BYTES];
    skr_span_t copies;
} skr_statement_t;

/* Takes a statement apart and checks its form. SAKER_EINPUT. A kind above SKR_STATEMENT_KEY is of a
   later version: nothing but the kind is set. */
saker_err_t skr_statement_read (skr_span_t bytes, skr_statement_t *statement) SKR_MUST_USE;

#endif
