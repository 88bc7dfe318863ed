#include "gateway/lease.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

lease_peer_t *lease_find (lease_peers_t *self, const char *device)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->list[i].device, device) == 0) {
            return &self->list[i];
        }
    }
    return NULL;
}

/* The one whose counter has not moved for longest. */
static lease_peer_t *oldest (lease_peers_t *self)
{
    lease_peer_t *oldest = &self->list[0];
    for (size_t i = 1; i < self->count; i++) {
        if (self->list[i].moved_ms < oldest->moved_ms) {
            oldest = &self->list[i];
        }
    }
    return oldest;
}

void lease_see (lease_peers_t *self, const char *device, int64_t count, int64_t now_ms)
{
    lease_peer_t *peer = lease_find (self, device);
    if (peer && peer->count == count) {
        return;
    }
    if (!peer) {
        peer = self->count < LEASE_PEERS_MAX ? &self->list[self->count++] : oldest (self);
        memset (peer, 0, sizeof *peer);
        snprintf (peer->device, sizeof peer->device, "%s", device);
    }
    peer->count = count;
    peer->moved_ms = now_ms;
}

void lease_forget (lease_peers_t *self, const char *device)
{
    lease_peer_t *peer = lease_find (self, device);
    if (peer) {
        *peer = self->list[--self->count];
    }
}

static bool is_fresh (const lease_peer_t *peer, int64_t lease_ms, int64_t now_ms)
{
    return now_ms - peer->moved_ms < lease_ms;
}

bool lease_holds (const lease_peers_t *self, const char *device, int64_t lease_ms, int64_t now_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->list[i].device, device) == 0) {
            return is_fresh (&self->list[i], lease_ms, now_ms);
        }
    }
    return false;
}

const char *lease_best (const lease_peers_t *self, const char *hook, int64_t lease_ms,
                        int64_t now_ms)
{
    const char *best = NULL;
    uint64_t best_hash = 0;
    for (size_t i = 0; i < self->count; i++) {
        const lease_peer_t *peer = &self->list[i];
        uint64_t hash = lease_hash (hook, peer->device);
        if (peer->up && is_fresh (peer, lease_ms, now_ms) && (!best || hash > best_hash)) {
            best = peer->device;
            best_hash = hash;
        }
    }
    return best;
}

uint64_t lease_hash (const char *hook, const char *device)
{
    crypto_generichash_state state;
    uint8_t hash[16];
    uint64_t number = 0;
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, (const uint8_t *) hook, strlen (hook) + 1);
    crypto_generichash_update (&state, (const uint8_t *) device, strlen (device));
    crypto_generichash_final (&state, hash, sizeof hash);
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | hash[i];
    }
    return number;
}
