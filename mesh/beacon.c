#include "mesh/beacon.h"

#include "mesh/sockets.h"

#include <czmq.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 11 /* version, port, instance */
#define HASH_BYTES 21

struct skr_beacon_t {
    zactor_t *actor;
};

saker_err_t skr_beacon_new (skr_beacon_t **self_p, const char *interface, uint16_t udp_port,
                            const skr_world_t *world)
{
    skr_beacon_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    skr_sockets_context ();
    zsys_set_interface (interface);
    self->actor = zactor_new (zbeacon, NULL);
    if (self->actor) {
        zsock_send (self->actor, "si", "CONFIGURE", (int) udp_port);
    }
    char *host = self->actor ? zstr_recv (self->actor) : NULL;
    bool works = host && *host;
    if (works) {
        skr_log (world, SKR_LOG_INFO, "beacon: on %s (%s), UDP port %u",
                 *interface ? interface : "the first interface that broadcasts", host, udp_port);
        zsock_send (self->actor, "sb", "SUBSCRIBE", "\1", (size_t) 1);
    }
    zstr_free (&host);
    if (!works) {
        skr_beacon_destroy (&self);
        return skr_fail (SAKER_ENOTFOUND, "%s%s does not broadcast",
                         *interface ? "interface " : "any interface", interface);
    }
    *self_p = self;
    return SAKER_OK;
}

void skr_beacon_destroy (skr_beacon_t **self_p)
{
    if (*self_p) {
        zactor_destroy (&(*self_p)->actor);
        free (*self_p);
        *self_p = NULL;
    }
}

void skr_beacon_publish (skr_beacon_t *self, skr_span_t beacon)
{
    zsock_send (self->actor, "sbi", "PUBLISH", beacon.data, beacon.size, SKR_BEACON_EVERY_MS);
}

int skr_beacon_descriptor (skr_beacon_t *self)
{
    return (int) zsock_fd (self->actor);
}

bool skr_beacon_receive (skr_beacon_t *self, char *address, size_t size, uint8_t *bytes,
                         size_t *bytes_size, size_t bytes_max)
{
    int events = zsock_events (self->actor);
    if (!(events & ZMQ_POLLIN)) {
        return false;
    }
    char *host = zstr_recv (self->actor);
    zframe_t *frame = host ? zframe_recv (self->actor) : NULL;
    snprintf (address, size, "%s", host ? host : "");
    *bytes_size = frame ? zframe_size (frame) : 0;
    if (*bytes_size > bytes_max) {
        *bytes_size = 0;
    }
    if (*bytes_size) {
        memcpy (bytes, zframe_data (frame), *bytes_size);
    }
    zframe_destroy (&frame);
    zstr_free (&host);
    return true;
}

static void hash_of (uint8_t hash[HASH_BYTES], const uint8_t *head, const uint8_t key[32],
                     const uint8_t device[32])
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, key, 32, HASH_BYTES);
    crypto_generichash_update (&state, head, HEAD_BYTES);
    crypto_generichash_update (&state, device, 32);
    crypto_generichash_final (&state, hash, HASH_BYTES);
}

void skr_beacon_make (uint8_t beacon[SKR_BEACON_BYTES], uint16_t port,
                      const uint8_t instance[SKR_WIRE_INSTANCE_BYTES], const uint8_t key[32],
                      const uint8_t device[32])
{
    beacon[0] = SKR_BEACON_VERSION;
    beacon[1] = (uint8_t) (port >> 8);
    beacon[2] = (uint8_t) port;
    memcpy (beacon + 3, instance, SKR_WIRE_INSTANCE_BYTES);
    hash_of (beacon + HEAD_BYTES, beacon, key, device);
}

const skr_member_t *skr_beacon_whose (skr_span_t beacon, const uint8_t key[32],
                                      const skr_roster_t *roster,
                                      const uint8_t own_instance[SKR_WIRE_INSTANCE_BYTES],
                                      uint16_t *port)
{
    uint8_t hash[HASH_BYTES];
    if (beacon.size != SKR_BEACON_BYTES || beacon.data[0] != SKR_BEACON_VERSION
        || memcmp (beacon.data + 3, own_instance, SKR_WIRE_INSTANCE_BYTES) == 0) {
        return NULL;
    }
    *port = (uint16_t) (beacon.data[1] << 8 | beacon.data[2]);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (member->role == SKR_ROLE_NONE) {
            continue;
        }
        hash_of (hash, beacon.data, key, member->device);
        if (sodium_memcmp (hash, beacon.data + HEAD_BYTES, HASH_BYTES) == 0) {
            return member;
        }
    }
    return NULL;
}
