/* Allow: to which addresses webhooks may go: those of the networks that were listed, and no others.
   The word "public" lists all that are routed on the internet. An address of IPv4 is the same thing
   in IPv6 (::ffff:1.2.3.4). What leads to this machine by a side door, or to many machines
   (0.0.0.0/8, ::, multicast, broadcast), is never allowed. */

#ifndef TOOLS_GATEWAY_ALLOW_H_INCLUDED
#define TOOLS_GATEWAY_ALLOW_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ALLOW_NETWORKS_MAX 64
#define ALLOW_TEXT_SIZE 64

typedef struct allow_network_t {
    uint8_t address[16]; /* of IPv6 */
    unsigned bits;
} allow_network_t;

typedef struct allow_t {
    bool public;
    size_t count;
    allow_network_t networks[ALLOW_NETWORKS_MAX];
} allow_t;

/* Lists "ADDR", "ADDR/BITS" or "public". Otherwise what is wrong with it; NULL: it is listed. */
const char *allow_add (allow_t *self, const char *text);
bool allow_address (const allow_t *self, const struct sockaddr *address);
/* An address as people write it. */
void allow_text (const struct sockaddr *address, char text[ALLOW_TEXT_SIZE]);
/* Is a host an address in a form that hides what it is, as 2130706433, 0x7f.1 or 0177.0.0.1? */
bool allow_is_odd (const char *host);

#endif
