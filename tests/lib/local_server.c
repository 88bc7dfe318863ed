#include "tests/lib/local_server.h"

#include "mesh/sockets.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define ROUND_MS 5

static void send_answer (void *context, skr_span_t client, skr_span_t answer)
{
    local_server_t *self = context;
    if (!atomic_load (&self->mute)) {
        (void) skr_socket_send (self->socket, client, answer);
    }
}

/* Takes one request, if there is one. */
static bool take_request (local_server_t *self)
{
    zmq_msg_t client, request;
    zmq_msg_init (&client);
    zmq_msg_init (&request);
    bool got = zmq_msg_recv (&client, self->socket, ZMQ_DONTWAIT) >= 0
               && zmq_msg_recv (&request, self->socket, 0) >= 0;
    if (got) {
        skr_api_request (self->api, skr_span (zmq_msg_data (&client), zmq_msg_size (&client)),
                         skr_span (zmq_msg_data (&request), zmq_msg_size (&request)));
    }
    zmq_msg_close (&client);
    zmq_msg_close (&request);
    return got;
}

static void sync_pair (local_server_t *self)
{
    if (fake_neighbours_sync (&self->fake) != SAKER_OK) {
        printf ("sync: %s\n", skr_error ());
    }
}

static void run_round (local_server_t *self)
{
    zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
    (void) zmq_poll (&item, 1, ROUND_MS);
    for (int i = 0; i < 64 && take_request (self); i++) {
    }
    saker_err_t error =
        skr_replica_in_group (self->pair->a) ? skr_replica_commit (self->pair->a) : SAKER_OK;
    skr_api_committed (self->api, error);
    if (atomic_load (&self->stirring)) {
        (void) pair_set (self->pair->a, "large", "big", (int64_t) ++self->stirred);
    }
    if (atomic_load (&self->syncing)) {
        sync_pair (self);
    }
    skr_api_turn (self->api);
    skr_store_forget (skr_replica_store (self->pair->a));
}

static void *run (void *argument)
{
    local_server_t *self = argument;
    while (!atomic_load (&self->stop)) {
        run_round (self);
    }
    return NULL;
}

static bool bind_socket (local_server_t *self)
{
    char name[4200];
    char folder[4200];
    int descriptor = -1, linger = 0;
    snprintf (folder, sizeof folder, "%s/run", self->store);
    (void) mkdir (folder, 0700);
    self->context = zmq_ctx_new ();
    self->socket = zmq_socket (self->context, ZMQ_ROUTER);
    zmq_setsockopt (self->socket, ZMQ_LINGER, &linger, sizeof linger);
    if (skr_socket_local_name (name, sizeof name, self->store, &descriptor) != SAKER_OK) {
        return false;
    }
    bool bound = zmq_bind (self->socket, name) == 0;
    if (!bound) {
        printf ("bind %s: %s\n", name, zmq_strerror (zmq_errno ()));
    }
    return bound; /* the descriptor stays open: it is part of the name */
}

bool local_server_start (local_server_t *self, pair_t *pair, const char *store)
{
    memset (self, 0, sizeof *self);
    self->pair = pair;
    self->store = store;
    fake_neighbours_init (&self->fake, pair->a, pair->b, skr_world_real ());
    skr_neighbours_t neighbours = fake_neighbours_of (&self->fake);
    return skr_api_new (&self->api, pair->a, &neighbours, send_answer, self, skr_world_real ())
               == SAKER_OK
           && bind_socket (self) && pthread_create (&self->thread, NULL, run, self) == 0;
}

void local_server_stop (local_server_t *self)
{
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    skr_api_destroy (&self->api);
    zmq_close (self->socket);
    zmq_ctx_term (self->context);
}
