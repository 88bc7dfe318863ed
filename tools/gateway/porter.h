/* Porter: takes connections as they come and shows them to a thread of the server. One that begins
   by asking for the change feed goes to the thread for streams: libmicrohttpd looks through all
   suspended connections of a thread whenever one of them goes on, and 10,000 streams would slow
   every other request down. It matters for speed alone: each thread answers everything. */

#ifndef TOOLS_GATEWAY_PORTER_H_INCLUDED
#define TOOLS_GATEWAY_PORTER_H_INCLUDED

#include "saker.h"

#include <microhttpd.h>

#define PORTER_WAITING_MAX 1024 /* connections that have not said anything yet */
#define PORTER_WAITING_MS 10000 /* and for how long they may */

typedef struct porter_t porter_t;

/* Takes the listener. Two threads of the server; with `blind` (TLS) nothing can be seen, and they
   take turns. They have this many connections together. NULL: out of memory or of threads. */
porter_t *porter_new (int listener, struct MHD_Daemon *requests, struct MHD_Daemon *streams,
                      bool blind, unsigned connections_max);
/* Takes no more connections. Before the threads of the server end. */
void porter_destroy (porter_t **self_p);
/* Connections that a thread of the server has. */
unsigned porter_connections (struct MHD_Daemon *daemon);

#endif
