#include "mesh/beacon.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 11 /* version, port, instance */
#define HASH_BYTES 21

struct skr_beacon_t {
    zactor_t *actor; /* NULL: it only hears, by a socket of its own */
    int udp;
};

/* czmq has a context of its own, made once and never destroyed before exit. Leaves signals and
   standard output alone. */
static void start_czmq (void)
{
    static bool started;
    static const char *const names[] = {
        "ZSYS_INTERFACE",   "ZSYS_IPV6",          "ZSYS_LOGSENDER",
        "ZSYS_LOGIDENT",    "ZSYS_LOGSYSTEM",     "ZSYS_SIGHANDLER",
        "ZSYS_MAX_SOCKETS", "ZSYS_MAX_MSGSZ",     "ZSYS_FILE_STABLE_AGE_MSEC",
        "ZSYS_LINGER",      "ZSYS_SNDHWM",        "ZSYS_RCVHWM",
        "ZSYS_PIPEHWM",     "ZSYS_IO_THREADS",    "ZSYS_THREAD_PRIORITY",
        "ZSYS_AUTO_USE_FD", "ZSYS_ZERO_COPY_RECV"};
    if (started) {
        return;
    }
    started = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv (names[i]);
    }
    setenv ("ZSYS_SIGHANDLER", "false", 1);
    zsys_init ();
    zsys_handler_set (NULL);
    zsys_set_logstream (fopen ("/dev/null", "w")); /* zbeacon would write to standard output */
}

saker_err_t skr_beacon_new (skr_beacon_t **self_p, const char *interface, uint16_t udp_port,
                            const skr_world_t *world)
{
    skr_beacon_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->udp = -1;
    start_czmq ();
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

/* Beside the daemons of this machine, which have the port as well: all of them hear broadcasts. */
static saker_err_t open_udp (int *udp, uint16_t port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons (port)};
    const int yes = 1;
    *udp = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = *udp >= 0 && setsockopt (*udp, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0
                 && bind (*udp, (const void *) &any, sizeof any) == 0;
    return bound ? SAKER_OK
                 : skr_fail (SAKER_EIO, "listen on UDP port %u: %s", port, strerror (errno));
}

saker_err_t skr_beacon_listen (skr_beacon_t **self_p, uint16_t udp_port, const skr_world_t *world)
{
    skr_beacon_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    saker_err_t error = open_udp (&self->udp, udp_port);
    if (error != SAKER_OK) {
        skr_beacon_destroy (&self);
        return error;
    }
    skr_log (world, SKR_LOG_INFO, "beacon: hears others on UDP port %u", udp_port);
    *self_p = self;
    return SAKER_OK;
}

void skr_beacon_destroy (skr_beacon_t **self_p)
{
    if (*self_p) {
        zactor_destroy (&(*self_p)->actor);
        if ((*self_p)->udp >= 0) {
            close ((*self_p)->udp);
        }
        free (*self_p);
        *self_p = NULL;
    }
}

void skr_beacon_publish (skr_beacon_t *self, skr_span_t beacon)
{
    if (self->actor) {
        zsock_send (self->actor, "sbi", "PUBLISH", beacon.data, beacon.size, SKR_BEACON_EVERY_MS);
    }
}

int skr_beacon_descriptor (skr_beacon_t *self)
{
    return self->actor ? (int) zsock_fd (self->actor) : self->udp;
}

/* A datagram that is cut off, or of no length, is taken and is nobody's. */
static bool receive_udp (skr_beacon_t *self, char *address, size_t size, uint8_t *bytes,
                         size_t *bytes_size, size_t bytes_max)
{
    struct sockaddr_in from = {0};
    socklen_t from_size = sizeof from;
    ssize_t got =
        recvfrom (self->udp, bytes, bytes_max, MSG_TRUNC, (struct sockaddr *) &from, &from_size);
    if (got < 0 && errno != ECONNREFUSED) {
        return false;
    }
    *bytes_size = got > 0 && (size_t) got <= bytes_max ? (size_t) got : 0;
    return inet_ntop (AF_INET, &from.sin_addr, address, (socklen_t) size) != NULL;
}

bool skr_beacon_receive (skr_beacon_t *self, char *address, size_t size, uint8_t *bytes,
                         size_t *bytes_size, size_t bytes_max)
{
    if (!self->actor) {
        return receive_udp (self, address, size, bytes, bytes_size, bytes_max);
    }
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
