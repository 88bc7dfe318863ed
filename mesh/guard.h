/* Guard: bounds what one TCP connection makes zmq hold for us. MAXMSGSIZE bounds a frame and the
   high-water marks count messages, but nothing in zmq bounds a message of many parts, nor the
   subscriptions of a subscriber: an insider could make either grow without end, and we would not
   see it, for an unfinished message is never handed out.

   So what the kernel received on a connection (TCP_INFO) is compared with what came out of our
   sockets from it, and a connection that holds back too much is shut down; zmq then frees what it
   kept of it. An honest peer that was merely too fast for us connects again by itself. */

#ifndef SKR_MESH_GUARD_H_INCLUDED
#define SKR_MESH_GUARD_H_INCLUDED

#include "mesh/sockets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKR_GUARD_BYTES_MAX (96u << 20)      /* held of one connection */
#define SKR_GUARD_PUB_BYTES_MAX (256u << 10) /* of a subscriber: it has little to say */
#define SKR_GUARD_ALL_BYTES_MAX (384u << 20) /* of all together: then the largest goes */

typedef struct skr_guard_place_t {
    uint64_t cookie; /* of the connection that has this descriptor; 0: none was seen */
    uint64_t taken;  /* bytes that are accounted for */
    uint64_t seen_ms;
} skr_guard_place_t;

typedef struct skr_guard_t {
    skr_guard_place_t *places; /* by descriptor */
    size_t count;
    uint64_t cut; /* connections shut down */
} skr_guard_t;

/* Which connections are ours: those of these sockets. Others of the process are left alone. */
typedef struct skr_guard_ports_t {
    const skr_sockets_t *sockets;
    uint16_t router, pub; /* 0: not bound */
} skr_guard_ports_t;

/* A frame of `size` bytes came from the connection with this descriptor (-1: unknown). */
void skr_guard_took (skr_guard_t *self, int descriptor, size_t size);
/* Looks at all connections. */
void skr_guard_look (skr_guard_t *self, const skr_guard_ports_t *ports, uint64_t mono_ms);
/* Shuts down all connections that others made to us. Whoever is a member connects again at once;
   zmq cannot be told to part with one of them. Returns their number. */
size_t skr_guard_part (skr_guard_t *self, const skr_guard_ports_t *ports);
void skr_guard_free (skr_guard_t *self);

#endif
