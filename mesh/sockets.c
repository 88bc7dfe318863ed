#include "mesh/sockets.h"

#include "mesh/wire.h"
#include "peer/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define HANDSHAKE_MS 2000
#define PROBE_AFTER_S 4 /* of silence */
#define PROBE_EVERY_S 1
#define PROBES 8
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 2000
#define BACKLOG 128
#define HIGH_WATER_REQUESTS 32 /* of up to 1 MiB; a session has 8 under way */
#define HIGH_WATER_FRAMES 256  /* of up to 64 KiB; what PUB drops is pulled */
#define LEAVE_LINGER_MS 200

#define MARK_FIRST 4127 /* ms without an acknowledgement: the connection is dead */
#define MARKS 4000
#define SOCKETS_MAX 8192

saker_err_t skr_sockets_open (skr_sockets_t *self)
{
    static atomic_uint marks;
    self->mark = MARK_FIRST + (int) (atomic_fetch_add (&marks, 1) % MARKS);
    self->context = zmq_ctx_new ();
    if (self->context) {
        zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX); /* two for each member */
    }
    return self->context
               ? SAKER_OK
               : skr_fail (SAKER_EIO, "make a context of zmq: %s", zmq_strerror (zmq_errno ()));
}

void skr_sockets_close (skr_sockets_t *self)
{
    while (self->context && zmq_ctx_term (self->context) != 0 && zmq_errno () == EINTR) {
    }
    self->context = NULL;
}

bool skr_sockets_own (const skr_sockets_t *self, int descriptor)
{
    unsigned int dead_ms = 0;
    socklen_t size = sizeof dead_ms;
    return getsockopt (descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, &size) == 0
           && dead_ms == (unsigned int) self->mark;
}

static void set_int (void *socket, int option, int value)
{
    zmq_setsockopt (socket, option, &value, sizeof value);
}

/* What every TCP socket has, before it binds or connects. The kernel finds out what is dead, by
   what is not acknowledged, and by its own probes where nothing is sent. Not the heartbeats of zmq:
   when one is due on a connection that broke while it had more for us than we took, libzmq 4.3.4
   ends the process ("Assertion failed: !_io_error"). */
static void set_common (void *socket, const skr_sockets_t *sockets, const char *address,
                        int64_t message_bytes_max)
{
    int high_water =
        message_bytes_max == SKR_WIRE_MESSAGE_BYTES_MAX ? HIGH_WATER_REQUESTS : HIGH_WATER_FRAMES;
    zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max);
    set_int (socket, ZMQ_LINGER, 0);
    set_int (socket, ZMQ_SNDHWM, high_water);
    set_int (socket, ZMQ_RCVHWM, high_water);
    set_int (socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set_int (socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set_int (socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    set_int (socket, ZMQ_BACKLOG, BACKLOG);
    set_int (socket, ZMQ_IPV6, strchr (address, '[') != NULL);
    set_int (socket, ZMQ_TCP_KEEPALIVE, 1);
    set_int (socket, ZMQ_TCP_KEEPALIVE_IDLE, PROBE_AFTER_S);
    set_int (socket, ZMQ_TCP_KEEPALIVE_INTVL, PROBE_EVERY_S);
    set_int (socket, ZMQ_TCP_KEEPALIVE_CNT, PROBES);
    set_int (socket, ZMQ_TCP_MAXRT, sockets->mark);
}

/* CURVE as a server, refused to whoever the ZAP handler does not let in: without the enforced
   domain an absent handler would let everybody in. */
static saker_err_t guard (void *socket, const skr_curve_t *own)
{
    int enforced = 0;
    size_t size = sizeof enforced;
    set_int (socket, ZMQ_CURVE_SERVER, 1);
    zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, own->secret_key, 32);
    zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, SKR_ZAP_DOMAIN, strlen (SKR_ZAP_DOMAIN));
    set_int (socket, 93 /* ZMQ_ZAP_ENFORCE_DOMAIN, draft in the header */, 1);
    if (zmq_getsockopt (socket, 93, &enforced, &size) != 0 || enforced != 1) {
        return skr_fail (SAKER_EVERSION, "this libzmq cannot enforce a ZAP domain: it is not safe");
    }
    return SAKER_OK;
}

static saker_err_t failed (const char *what, const char *address)
{
    int number = zmq_errno ();
    saker_err_t error = number == EADDRINUSE                   ? SAKER_EBUSY
                        : number == ENOMEM || number == EMFILE ? SAKER_EIO
                                                               : SAKER_EINPUT;
    const char *hint =
        number == EADDRINUSE ? ": another program uses it; choose another port with --listen"
        : number == ENODEV || number == EADDRNOTAVAIL ? ": this machine has no such address"
                                                      : "";
    return skr_fail (error, "%s %s: %s%s", what, address, zmq_strerror (number), hint);
}

/* zmq says '*' for any port, people say 0. */
static saker_err_t bind_to (void *socket, const char *address)
{
    char bound[SKR_WIRE_ADDRESS_BYTES_MAX + 8];
    size_t length = strlen (address);
    snprintf (bound, sizeof bound, "%s", address);
    if (length > 2 && strcmp (address + length - 2, ":0") == 0) {
        bound[length - 1] = '*';
    }
    return zmq_bind (socket, bound) == 0 ? SAKER_OK : failed ("listen on", address);
}

static saker_err_t open_bound (void **socket, const skr_sockets_t *sockets, int type,
                               const skr_curve_t *own, const char *address,
                               int64_t message_bytes_max)
{
    *socket = zmq_socket (sockets->context, type);
    if (!*socket) {
        return failed ("make a socket for", address);
    }
    set_common (*socket, sockets, address, message_bytes_max);
    saker_err_t error = guard (*socket, own);
    if (type == ZMQ_ROUTER) {
        set_int (*socket, ZMQ_ROUTER_MANDATORY, 1);
        set_int (*socket, ZMQ_ROUTER_HANDOVER, 0);
    } else {
        set_int (*socket, ZMQ_LINGER, LEAVE_LINGER_MS);
    }
    error = error == SAKER_OK ? bind_to (*socket, address) : error;
    if (error != SAKER_OK) {
        skr_socket_close (socket);
    }
    return error;
}

saker_err_t skr_socket_router (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                               const char *address)
{
    return open_bound (socket, sockets, ZMQ_ROUTER, own, address, SKR_WIRE_MESSAGE_BYTES_MAX);
}

saker_err_t skr_socket_pub (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                            const char *address)
{
    return open_bound (socket, sockets, ZMQ_PUB, own, address, SKR_WIRE_FRAME_BYTES_MAX);
}

static saker_err_t open_connected (void **socket, const skr_sockets_t *sockets, int type,
                                   const skr_curve_t *own, const uint8_t server[32],
                                   const char *address, int64_t message_bytes_max)
{
    *socket = zmq_socket (sockets->context, type);
    if (!*socket) {
        return failed ("make a socket for", address);
    }
    set_common (*socket, sockets, address, message_bytes_max);
    zmq_setsockopt (*socket, ZMQ_CURVE_SERVERKEY, server, 32);
    zmq_setsockopt (*socket, ZMQ_CURVE_PUBLICKEY, own->public_key, 32);
    zmq_setsockopt (*socket, ZMQ_CURVE_SECRETKEY, own->secret_key, 32);
    if (type == ZMQ_SUB) {
        zmq_setsockopt (*socket, ZMQ_SUBSCRIBE, "", 0);
    } else if (message_bytes_max == SKR_WIRE_FRAME_BYTES_MAX) {
        set_int (*socket, ZMQ_IMMEDIATE, 1); /* a voice: what would wait is old when it comes */
    }
    if (zmq_connect (*socket, address) != 0) {
        saker_err_t error = failed ("dial", address);
        skr_socket_close (socket);
        return error;
    }
    return SAKER_OK;
}

saker_err_t skr_socket_dealer (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                               const uint8_t server[32], const char *address)
{
    return open_connected (socket, sockets, ZMQ_DEALER, own, server, address,
                           SKR_WIRE_MESSAGE_BYTES_MAX);
}

saker_err_t skr_socket_sub (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                            const uint8_t server[32], const char *address)
{
    return open_connected (socket, sockets, ZMQ_SUB, own, server, address,
                           SKR_WIRE_FRAME_BYTES_MAX);
}

saker_err_t skr_socket_voice (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                              const uint8_t server[32], const char *address)
{
    return open_connected (socket, sockets, ZMQ_DEALER, own, server, address,
                           SKR_WIRE_FRAME_BYTES_MAX);
}

saker_err_t skr_socket_zap (void **socket, const skr_sockets_t *sockets)
{
    *socket = zmq_socket (sockets->context, ZMQ_REP);
    if (!*socket || zmq_bind (*socket, SKR_ZAP_ENDPOINT) != 0) {
        saker_err_t error = failed ("listen on", SKR_ZAP_ENDPOINT);
        skr_socket_close (socket);
        return error;
    }
    set_int (*socket, ZMQ_LINGER, 0);
    return SAKER_OK;
}

void skr_socket_linger (void *socket)
{
    set_int (socket, ZMQ_LINGER, LEAVE_LINGER_MS);
}

void skr_socket_close (void **socket)
{
    if (*socket) {
        zmq_close (*socket);
        *socket = NULL;
    }
}

saker_err_t skr_socket_bound (void *socket, char *address, size_t size)
{
    return zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, address, &size) == 0
               ? SAKER_OK
               : failed ("ask for", "the bound address");
}

bool skr_socket_send (void *socket, skr_span_t routing, skr_span_t body)
{
    if (routing.size
        && zmq_send (socket, routing.data, routing.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return false;
    }
    return zmq_send (socket, body.data, body.size, ZMQ_DONTWAIT) >= 0;
}

saker_err_t skr_address_split (const char *address, char *host, size_t size, uint16_t *port)
{
    const char *start = address + strlen ("tcp://");
    const char *colon = strrchr (address, ':');
    char *end = NULL;
    unsigned long number = 0;
    bool good = strncmp (address, "tcp://", 6) == 0 && colon > start && colon[1]
                && strlen (address) <= SKR_WIRE_ADDRESS_BYTES_MAX
                && (size_t) (colon - start) < size;
    if (good) {
        number = strtoul (colon + 1, &end, 10);
        good = !*end && number <= 65535 && colon[1] != '-' && colon[1] != '+';
    }
    if (!good) {
        return skr_fail (SAKER_EINPUT, "'%.100s' is not tcp://ADDR:PORT", address);
    }
    memcpy (host, start, (size_t) (colon - start));
    host[colon - start] = 0;
    *port = (uint16_t) number;
    return SAKER_OK;
}

bool skr_address_numeric (const char *address)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint8_t number[16];
    uint16_t port;
    if (skr_address_split (address, host, sizeof host, &port) != SAKER_OK) {
        return false;
    }
    if (inet_pton (AF_INET, host, number) == 1) {
        return true;
    }
    size_t size = strcspn (host, "%]"); /* what follows a '%' names an interface of ours */
    bool bracketed = host[0] == '[' && host[strlen (host) - 1] == ']';
    host[size] = 0;
    return bracketed && inet_pton (AF_INET6, host + 1, number) == 1;
}
