#include "gateway/allow.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool inside (const uint8_t address[16], const uint8_t network[16], unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t) (0xff00u >> rest);
    return memcmp (address, network, bytes) == 0
           && (rest == 0 || (address[bytes] & mask) == (network[bytes] & mask));
}

static bool is_four (const uint8_t address[16])
{
    return memcmp (address, mapped, sizeof mapped) == 0;
}

typedef struct range_t {
    uint8_t begin[4];
    unsigned bits;
} range_t;

static bool in_ranges (const uint8_t address[4], const range_t *ranges, size_t count)
{
    uint8_t wide[16] = {0}, begin[16] = {0};
    memcpy (wide, address, 4);
    for (size_t i = 0; i < count; i++) {
        memcpy (begin, ranges[i].begin, 4);
        if (inside (wide, begin, ranges[i].bits)) {
            return true;
        }
    }
    return false;
}

/* Not even when it is listed. */
static bool is_never (const uint8_t address[16])
{
    static const range_t ranges[] = {
        {{0, 0, 0, 0}, 8}, {{224, 0, 0, 0}, 4}, {{255, 255, 255, 255}, 32}};
    static const uint8_t unspecified[16];
    if (is_four (address)) {
        return in_ranges (address + 12, ranges, sizeof ranges / sizeof *ranges);
    }
    return memcmp (address, unspecified, 16) == 0 || address[0] == 0xff;
}

/* The registries of special addresses, RFC 6890 and those after it. */
static bool is_public (const uint8_t address[16])
{
    static const range_t four[] = {
        {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10},
        {{127, 0, 0, 0}, 8},    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},
        {{192, 0, 0, 0}, 24},   {{192, 0, 2, 0}, 24},   {{192, 88, 99, 0}, 24},
        {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15},  {{198, 51, 100, 0}, 24},
        {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 3},
    };
    static const range_t six[] = {
        /* of 2000::/3, by the first four bytes */
        {{0x20, 0x01, 0x00, 0x00}, 23},
        {{0x20, 0x01, 0x0d, 0xb8}, 32},
        {{0x20, 0x02, 0x00, 0x00}, 16},
        {{0x3f, 0xff, 0x00, 0x00}, 20},
    };
    if (is_four (address)) {
        return !in_ranges (address + 12, four, sizeof four / sizeof *four);
    }
    return (address[0] & 0xe0) == 0x20 && !in_ranges (address, six, sizeof six / sizeof *six);
}

static bool take_address (const char *text, uint8_t address[16], bool *four)
{
    struct in_addr in;
    *four = inet_pton (AF_INET, text, &in) == 1;
    if (*four) {
        memcpy (address, mapped, sizeof mapped);
        memcpy (address + 12, &in, 4);
    }
    return *four || inet_pton (AF_INET6, text, address) == 1;
}

static bool has_host_bits (const allow_network_t *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++) {
        if (network->address[bit / 8] & (0x80u >> bit % 8)) {
            return true;
        }
    }
    return false;
}

const char *allow_add (allow_t *self, const char *text)
{
    char address[ALLOW_TEXT_SIZE];
    const char *slash = strchr (text, '/');
    size_t size = slash ? (size_t) (slash - text) : strlen (text);
    bool four = false;
    allow_network_t network;
    if (strcmp (text, "public") == 0) {
        self->public = true;
        return NULL;
    }
    if (self->count == ALLOW_NETWORKS_MAX) {
        return "is one too many: there are 64 networks at most";
    }
    if (size >= sizeof address) {
        return "is no network: write it as in 192.168.1.0/24, or public";
    }
    memcpy (address, text, size);
    address[size] = 0;
    if (!take_address (address, network.address, &four)) {
        return "is no network: write it as in 192.168.1.0/24, or public";
    }
    unsigned long most = four ? 32 : 128;
    unsigned long bits = slash && isdigit ((unsigned char) slash[1]) ? strtoul (slash + 1, NULL, 10)
                         : slash                                     ? 999
                                                                     : most;
    if (bits > most || (slash && strspn (slash + 1, "0123456789") != strlen (slash + 1))) {
        return "has no number of bits behind the slash: write it as in 192.168.1.0/24";
    }
    network.bits = (unsigned) bits + (four ? MAPPED_BITS : 0);
    if (has_host_bits (&network)) {
        return "has bits of a host behind those of the network: write it as in 192.168.1.0/24";
    }
    self->networks[self->count++] = network;
    return NULL;
}

static bool bytes_of (const struct sockaddr *address, uint8_t bytes[16])
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *) (const void *) address;
        memcpy (bytes, mapped, sizeof mapped);
        memcpy (bytes + 12, &four->sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) (const void *) address;
        memcpy (bytes, &six->sin6_addr, 16);
        return true;
    }
    return false;
}

bool allow_address (const allow_t *self, const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!bytes_of (address, bytes) || is_never (bytes)) {
        return false;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (inside (bytes, self->networks[i].address, self->networks[i].bits)) {
            return true;
        }
    }
    return self->public && is_public (bytes);
}

void allow_text (const struct sockaddr *address, char text[ALLOW_TEXT_SIZE])
{
    uint8_t bytes[16];
    text[0] = 0;
    if (bytes_of (address, bytes)) {
        bool four = is_four (bytes);
        inet_ntop (four ? AF_INET : AF_INET6, bytes + (four ? 12 : 0), text, ALLOW_TEXT_SIZE);
    }
}

bool allow_is_odd (const char *host)
{
    struct in_addr address;
    return inet_aton (host, &address) && inet_pton (AF_INET, host, &address) != 1;
}
