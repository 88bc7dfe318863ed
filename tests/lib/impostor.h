/* Impostor: the sockets of a member that is no daemon. What a real daemon makes of what comes over
   them is what tests look at. Nothing here checks anything. */

#ifndef TESTS_LIB_IMPOSTOR_H_INCLUDED
#define TESTS_LIB_IMPOSTOR_H_INCLUDED

#include "mesh/wire.h"

/* Connects a socket of this type; under CURVE with these keys to whoever has the key `server`; with
   NULL for it in the clear. */
void *impostor_dial (void *context, int type, const char *where, const uint8_t *server,
                     const uint8_t *public_key, const uint8_t *secret);
/* Binds one to a free port of 127.0.0.1, which goes to *port. */
void *impostor_serve (void *context, int type, const skr_device_t *who, int *port);
bool impostor_hears (void *socket, long wait_ms);

/* Says HELLO: it can be called at this port of 127.0.0.1. */
void impostor_call (void *dealer, int port);
/* Takes the next request, and appends its bytes and its routing id; false when there is none in
   time or it is not in form. */
bool impostor_take (void *router, long wait_ms, skr_buf_t *routing, uint64_t *number,
                    skr_wire_kind_t *kind);
/* Answers a HELLO: this device, as this writer, publishes at that port. */
void impostor_greet (void *router, skr_span_t routing, uint64_t number, const skr_device_t *who,
                     const skr_id_t *writer, int pub_port);

/* A request for all that there is of a collection: its changes (PULL), or the sum over it (RANGE).
 */
void impostor_put_greedy (skr_buf_t *request, skr_wire_kind_t kind, const skr_id_t *collection);
/* A frame of this kind, as live.h has it. */
void impostor_publish (void *pub, char kind, skr_span_t body);

#endif
