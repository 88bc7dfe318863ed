/* ZAP (ZeroMQ RFC 27): who may connect at all. A member's transport key gets in as "m:" and its
   device key in hexadecimal; a ticket that this peer made gets in as "t:" and the ticket's public
   key, also when it is used or late, so that its holder is told so. Everybody else is refused.

   It runs at the handshake only, so who a message is from is checked against the roster again for
   each message: skr_zap_asker. */

#ifndef SKR_MESH_ZAP_H_INCLUDED
#define SKR_MESH_ZAP_H_INCLUDED

#include "mesh/answer.h"

typedef struct skr_zap_stats_t {
    uint64_t members, tickets; /* let in */
    uint64_t refused;
} skr_zap_stats_t;

/* Answers one request that waits on the REP socket. False when none does. */
bool skr_zap_serve (void *socket, skr_replica_t *replica, skr_zap_stats_t *stats);

/* The asker that a User-Id names now. `ticket` keeps the bytes of a ticket's key. False: nobody who
   may ask. */
bool skr_zap_asker (const char *user_id, const skr_roster_t *roster, skr_asker_t *asker,
                    uint8_t ticket[32]);

#endif
