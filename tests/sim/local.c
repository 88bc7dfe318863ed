/* The local socket of a peer, without a socket: what a client asks waits until the peer's next
   round; what the peer answers arrives at once. In the place of mesh/local.c. */

#include "mesh/local.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

typedef struct asked_t {
    STAILQ_ENTRY (asked_t) next;
    uint32_t client;
    size_t size;
    uint8_t bytes[];
} asked_t;

struct skr_local_socket_t {
    int peer;
    STAILQ_HEAD (, asked_t) asked;
};

static skr_local_socket_t *sockets[SIM_PEERS_MAX + 1];

static void forget (skr_local_socket_t *self)
{
    asked_t *asked;
    while ((asked = STAILQ_FIRST (&self->asked))) {
        STAILQ_REMOVE_HEAD (&self->asked, next);
        free (asked);
    }
}

saker_err_t skr_local_open (skr_local_socket_t **self_p, const char *folder)
{
    (void) folder;
    skr_local_socket_t *self = calloc (1, sizeof *self);
    self->peer = sim.current;
    STAILQ_INIT (&self->asked);
    sockets[self->peer] = self;
    *self_p = self;
    return SAKER_OK;
}

void skr_local_close (skr_local_socket_t **self_p)
{
    if (*self_p) {
        forget (*self_p);
        sockets[(*self_p)->peer] = NULL;
        free (*self_p);
        *self_p = NULL;
    }
}

int skr_local_descriptor (const skr_local_socket_t *self)
{
    (void) self;
    return -1; /* of which poll tells nothing: the peer is woken (sim_local_ask) */
}

void sim_local_ask (int peer, uint32_t client, skr_span_t request)
{
    skr_local_socket_t *self = sockets[peer];
    if (self) {
        asked_t *asked = malloc (sizeof *asked + request.size);
        asked->client = client;
        asked->size = request.size;
        memcpy (asked->bytes, request.data, request.size);
        STAILQ_INSERT_TAIL (&self->asked, asked, next);
        if (sim.peers[peer].wake_ms > sim.now_ms) {
            sim.peers[peer].wake_ms = sim.now_ms;
        }
    }
}

void skr_local_turn (skr_local_socket_t *self, skr_local_fn *handle, void *context,
                     size_t *bytes_left)
{
    asked_t *asked;
    while (*bytes_left > 0 && (asked = STAILQ_FIRST (&self->asked))) {
        uint8_t routing[4];
        STAILQ_REMOVE_HEAD (&self->asked, next);
        skr_put_u32 (routing, asked->client);
        *bytes_left -= asked->size < *bytes_left ? asked->size : *bytes_left;
        handle (context, skr_span (routing, sizeof routing), skr_span (asked->bytes, asked->size));
        free (asked);
    }
}

bool skr_local_send (skr_local_socket_t *self, skr_span_t client, skr_span_t answer)
{
    sim_client_answer (self->peer, skr_get_u32 (client.data), answer);
    return true;
}
