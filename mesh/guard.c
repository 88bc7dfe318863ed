#include "mesh/guard.h"

#include <dirent.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 1048576
#define FRAME_EXTRA_BYTES 48      /* what ZMTP and CURVE put around a frame, at most */
#define SILENT_BYTES_A_SECOND 256 /* handshakes and commands, which are never handed out */

/* One connection, as the kernel knows it. */
typedef struct wire_t {
    int descriptor;
    uint64_t cookie, received;
    uint16_t own_port;
} wire_t;

static skr_guard_place_t *place_of (skr_guard_t *self, int descriptor)
{
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) {
        return NULL;
    }
    if ((size_t) descriptor >= self->count) {
        size_t count = ((size_t) descriptor | 255) + 1;
        skr_guard_place_t *grown = realloc (self->places, count * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        memset (grown + self->count, 0, (count - self->count) * sizeof *grown);
        self->places = grown;
        self->count = count;
    }
    return &self->places[descriptor];
}

void skr_guard_took (skr_guard_t *self, int descriptor, size_t size)
{
    skr_guard_place_t *place = place_of (self, descriptor);
    if (place) {
        place->taken += size + FRAME_EXTRA_BYTES;
    }
}

static uint16_t port_of (const struct sockaddr_storage *address)
{
    const void *any = address;
    const struct sockaddr_in *four = any;
    const struct sockaddr_in6 *six = any;
    return address->ss_family == AF_INET    ? ntohs (four->sin_port)
           : address->ss_family == AF_INET6 ? ntohs (six->sin6_port)
                                            : 0;
}

/* False for what is not a connected TCP socket of ours, and for what is gone already. */
static bool ask_kernel (wire_t *wire, const skr_guard_ports_t *ports, int descriptor)
{
    struct tcp_info info;
    struct sockaddr_storage own;
    socklen_t info_size = sizeof info, own_size = sizeof own;
    socklen_t cookie_size = sizeof wire->cookie;
    memset (&info, 0, sizeof info);
    wire->descriptor = descriptor;
    if (!skr_sockets_own (ports->sockets, descriptor)
        || getsockopt (descriptor, SOL_SOCKET, SO_COOKIE, &wire->cookie, &cookie_size) != 0
        || getsockopt (descriptor, IPPROTO_TCP, TCP_INFO, &info, &info_size) != 0
        || getsockname (descriptor, (void *) &own, &own_size) != 0) {
        return false;
    }
    wire->received = info.tcpi_bytes_received;
    wire->own_port = port_of (&own);
    return true;
}

/* Bytes of it that zmq or the kernel still holds. */
static uint64_t held (skr_guard_t *self, const wire_t *wire, uint64_t mono_ms)
{
    skr_guard_place_t *place = place_of (self, wire->descriptor);
    if (!place) {
        return 0;
    }
    if (place->cookie != wire->cookie) {
        *place = (skr_guard_place_t){wire->cookie, wire->received, mono_ms};
    }
    place->taken += (mono_ms - place->seen_ms) * SILENT_BYTES_A_SECOND / 1000;
    place->seen_ms = mono_ms;
    place->taken = place->taken < wire->received ? place->taken : wire->received;
    return wire->received - place->taken;
}

static bool end (skr_guard_t *self, int descriptor)
{
    skr_guard_place_t *place = place_of (self, descriptor);
    if (!place || shutdown (descriptor, SHUT_RDWR) != 0) {
        return false;
    }
    place->cookie = 0;
    return true;
}

static void cut (skr_guard_t *self, int descriptor)
{
    self->cut += end (self, descriptor);
}

void skr_guard_look (skr_guard_t *self, const skr_guard_ports_t *ports, uint64_t mono_ms)
{
    DIR *listing = opendir ("/proc/self/fd");
    uint64_t all = 0, most = 0;
    int largest = -1;
    if (!listing) {
        return;
    }
    for (struct dirent *entry; (entry = readdir (listing));) {
        wire_t wire;
        if (entry->d_name[0] == '.'
            || !ask_kernel (&wire, ports, (int) strtol (entry->d_name, NULL, 10))) {
            continue;
        }
        bool subscriber = wire.own_port == ports->pub;
        uint64_t bytes = held (self, &wire, mono_ms);
        if (bytes > (subscriber ? SKR_GUARD_PUB_BYTES_MAX : SKR_GUARD_BYTES_MAX)) {
            cut (self, wire.descriptor);
            continue;
        }
        all += bytes;
        largest = bytes > most ? wire.descriptor : largest;
        most = bytes > most ? bytes : most;
    }
    closedir (listing);
    if (all > SKR_GUARD_ALL_BYTES_MAX) {
        cut (self, largest);
    }
}

size_t skr_guard_part (skr_guard_t *self, const skr_guard_ports_t *ports)
{
    DIR *listing = opendir ("/proc/self/fd");
    size_t count = 0;
    if (!listing) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir (listing));) {
        wire_t wire;
        if (entry->d_name[0] != '.'
            && ask_kernel (&wire, ports, (int) strtol (entry->d_name, NULL, 10))
            && (wire.own_port == ports->pub || wire.own_port == ports->router)) {
            count += end (self, wire.descriptor);
        }
    }
    closedir (listing);
    return count;
}

void skr_guard_free (skr_guard_t *self)
{
    free (self->places);
    memset (self, 0, sizeof *self);
}
