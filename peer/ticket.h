/* Tickets: a one-use, expiring invitation. A ticket carries the mesh id and name, the inviting
   peer's addresses and transport key, its expiry, and a secret: the seed of an X25519 key pair with
   which the new machine passes the inviting peer's door, and nobody else's. As text it is
   "saker1-" and URL-safe base64 without padding of the encoding and a 4-byte checksum, so that a
   cut or mistyped ticket is told apart from a wrong one. */

#ifndef SKR_PEER_TICKET_H_INCLUDED
#define SKR_PEER_TICKET_H_INCLUDED

#include "peer/roster.h"
#include "peer/store.h"

#define SKR_TICKET_ADDRESSES_MAX 8
#define SKR_ADDRESS_BYTES_MAX 80 /* "tcp://[....]:65535" */
#define SKR_TICKET_SECRET_BYTES 32

typedef struct skr_ticket_t {
    skr_id_t mesh;
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES]; /* of the inviting peer */
    uint64_t expires_ms;                        /* wall clock, since 1970 */
    uint8_t secret[SKR_TICKET_SECRET_BYTES];    /* X25519 secret key */
    size_t addresses_count;
    char addresses[SKR_TICKET_ADDRESSES_MAX][SKR_ADDRESS_BYTES_MAX + 1];
} skr_ticket_t;

/* SAKER_ELIMIT when it does not fit. */
saker_err_t skr_ticket_text (const skr_ticket_t *self, char text[SAKER_TICKET_MAX]) SKR_MUST_USE;
/* SAKER_EINPUT: "the ticket is cut or mistyped", "this is not a saker ticket". */
saker_err_t skr_ticket_parse (skr_ticket_t *self, const char *text) SKR_MUST_USE;
/* Public key of the ticket's secret. */
void skr_ticket_key (const skr_ticket_t *self, uint8_t key[32]);

/* Invitations, as the inviting peer keeps them (SKR_INVITATIONS), by ticket public key. */
typedef struct skr_invitation_t {
    skr_role_t role;
    uint64_t expires_ms;
    bool used;
    uint8_t used_by[SKR_DEVICE_KEY_BYTES];
} skr_invitation_t;

saker_err_t skr_invitation_put (skr_store_t *store, const uint8_t key[32],
                                const skr_invitation_t *invitation) SKR_MUST_USE;
/* SAKER_ENOTFOUND. */
saker_err_t skr_invitation_get (skr_store_t *store, skr_sight_t sight, const uint8_t key[32],
                                skr_invitation_t *invitation) SKR_MUST_USE;

#endif
