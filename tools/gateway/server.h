/* Server: one place where the gateway listens, with libmicrohttpd in two threads. It reads
   requests, has the doorman look at them, hands them to a worker and suspends the connection until
   there is an answer. */

#ifndef TOOLS_GATEWAY_SERVER_H_INCLUDED
#define TOOLS_GATEWAY_SERVER_H_INCLUDED

#include "gateway/gateway.h"

#define SERVER_IDLE_S 30                    /* a connection that does nothing is closed */
#define SERVER_CONNECTION_BYTES (16u << 10) /* head of the request, and buffers */

typedef struct server_t server_t;

saker_err_t server_new (server_t **self_p, gateway_t *gateway, const place_to_listen_t *place,
                        char sentence[SAKER_SENTENCE_MAX]);
/* How many there are now. */
size_t server_connections (const server_t *self);
/* Now and then: closes connections that take too long for a request. May be called with NULL. */
void server_look (server_t *self);
/* No new connections. May be called again, and with NULL. */
void server_quiet (server_t *self);
/* Nothing may be suspended any more. */
void server_destroy (server_t **self_p);

#endif
