/* Beacon: "a member is here", by UDP broadcast on chosen interfaces. 32 bytes: version, port of the
   ROUTER, instance of the process, and a keyed hash over these and the device key; only members
   have the key, so only they can make one or see whose it is. No names, no keys. */

#ifndef SKR_MESH_BEACON_H_INCLUDED
#define SKR_MESH_BEACON_H_INCLUDED

#include "mesh/wire.h"

#define SKR_BEACON_VERSION 1
#define SKR_BEACON_BYTES 32
#define SKR_BEACON_EVERY_MS 1000
#define SKR_BEACON_INTERFACES_MAX 16

typedef struct skr_beacon_stats_t {
    uint64_t heard, strange; /* of members; of nobody we know */
} skr_beacon_stats_t;

typedef struct skr_beacon_t skr_beacon_t;

/* Starts on one interface ("": the first that broadcasts). SAKER_ENOTFOUND: none does. */
saker_err_t skr_beacon_new (skr_beacon_t **self_p, const char *interface, uint16_t udp_port,
                            const skr_world_t *world) SKR_MUST_USE;
/* Hears the beacons of others, on all interfaces, and sends none: for who does not listen. */
saker_err_t skr_beacon_listen (skr_beacon_t **self_p, uint16_t udp_port,
                               const skr_world_t *world) SKR_MUST_USE;
void skr_beacon_destroy (skr_beacon_t **self_p);
/* Says (or, after a change of the key, says anew) that we are here. */
void skr_beacon_publish (skr_beacon_t *self, skr_span_t beacon);
/* To be polled (poller.h). */
int skr_beacon_descriptor (skr_beacon_t *self);
/* Takes one datagram that has come; false when none has. *address receives its sender's IP. */
bool skr_beacon_receive (skr_beacon_t *self, char *address, size_t size, uint8_t *bytes,
                         size_t *bytes_size, size_t bytes_max);

void skr_beacon_make (uint8_t beacon[SKR_BEACON_BYTES], uint16_t port,
                      const uint8_t instance[SKR_WIRE_INSTANCE_BYTES], const uint8_t key[32],
                      const uint8_t device[32]);
/* Whose is it? NULL when it is no member's, or malformed, or of our own instance. */
const skr_member_t *skr_beacon_whose (skr_span_t beacon, const uint8_t key[32],
                                      const skr_roster_t *roster,
                                      const uint8_t own_instance[SKR_WIRE_INSTANCE_BYTES],
                                      uint16_t *port);

#endif
