#include "mesh/book.h"

#include "mesh/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static void add (skr_book_t *self, const char *host, uint16_t port)
{
    char text[SKR_WIRE_ADDRESS_BYTES_MAX + 16];
    int length = snprintf (text, sizeof text, "tcp://%s:%u", host, port);
    if (self->own_count < SKR_BOOK_OWN_MAX && length <= SKR_WIRE_ADDRESS_BYTES_MAX) {
        char *own = self->own[self->own_count];
        memcpy (own, text, (size_t) length + 1);
        self->own_list[self->own_count++] = own;
    }
}

static void add_interfaces (skr_book_t *self, const struct ifaddrs *list, bool loopback,
                            uint16_t port)
{
    char host[INET_ADDRSTRLEN];
    for (; list; list = list->ifa_next) {
        bool fits = list->ifa_addr && list->ifa_addr->sa_family == AF_INET
                    && (list->ifa_flags & IFF_UP) && !(list->ifa_flags & IFF_LOOPBACK) == !loopback;
        if (fits) {
            const struct sockaddr_in *address = (const void *) list->ifa_addr;
            inet_ntop (AF_INET, &address->sin_addr, host, sizeof host);
            add (self, host, port);
        }
    }
}

saker_err_t skr_book_fill (skr_book_t *self, const char *bound)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t port = 0;
    struct ifaddrs *list = NULL;
    memset (self, 0, sizeof *self);
    SKR_TRY (skr_address_split (bound, host, sizeof host, &port));
    if (strcmp (host, "0.0.0.0") != 0 && strcmp (host, "*") != 0 && strcmp (host, "[::]") != 0) {
        add (self, host, port);
        return SAKER_OK;
    }
    if (getifaddrs (&list) != 0) {
        return skr_fail (SAKER_EIO, "look at the network interfaces: %s", strerror (errno));
    }
    add_interfaces (self, list, false, port);
    if (!self->own_count) {
        add_interfaces (self, list, true, port);
    }
    freeifaddrs (list);
    return SAKER_OK;
}
