#include "tests/lib/local_server.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define ROUND_MS 5
#define ROUND_BYTES_MAX (4u << 20)

static void send_answer (void *context, skr_span_t client, skr_span_t answer)
{
    local_server_t *self = context;
    if (!atomic_load (&self->mute)) {
        (void) skr_local_send (self->socket, client, answer);
    }
}

static void take_request (void *context, skr_span_t client, skr_span_t request)
{
    local_server_t *self = context;
    skr_api_request (self->api, client, request);
}

static void sync_pair (local_server_t *self)
{
    if (fake_neighbours_sync (&self->fake) != SAKER_OK) {
        printf ("sync: %s\n", skr_error ());
    }
}

static void run_round (local_server_t *self)
{
    struct pollfd item = {.fd = skr_local_descriptor (self->socket), .events = POLLIN};
    size_t bytes_left = ROUND_BYTES_MAX;
    (void) poll (&item, 1, ROUND_MS);
    skr_local_turn (self->socket, take_request, self, &bytes_left);
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

bool local_server_start (local_server_t *self, pair_t *pair, const char *store)
{
    memset (self, 0, sizeof *self);
    self->pair = pair;
    self->store = store;
    fake_neighbours_init (&self->fake, pair->a, pair->b, skr_world_real ());
    skr_neighbours_t neighbours = fake_neighbours_of (&self->fake);
    return skr_api_new (&self->api, pair->a, &neighbours, send_answer, self, skr_world_real ())
               == SAKER_OK
           && skr_local_open (&self->socket, store) == SAKER_OK
           && pthread_create (&self->thread, NULL, run, self) == 0;
}

void local_server_stop (local_server_t *self)
{
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    skr_api_destroy (&self->api);
    skr_local_close (&self->socket);
}
