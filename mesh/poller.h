/* Poller: waits until one of the sockets has something, and says which. libzmq's own zmq_poll asks
   each socket, with a system call, before and after it waits; here only the sockets' descriptors
   are polled.

   Such a descriptor tells of what came since the socket was last asked ("edge-triggered",
   zmq_getsockopt(3), ZMQ_FD), and whatever is done with a socket may ask it by the way. So who is
   told to take from one takes until nothing is left; who cannot, or sends on it, says so by
   skr_poller_look: then it is due in the next round, whatever its descriptor tells. */

#ifndef SKR_MESH_POLLER_H_INCLUDED
#define SKR_MESH_POLLER_H_INCLUDED

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct skr_poller_t {
    struct pollfd *items; /* their descriptors */
    const void **sockets;
    bool *due; /* something may be there */
    size_t count, capacity;
    bool stale; /* sockets came or went: to be filled anew */
} skr_poller_t;

/* Empties it, and makes room. False: out of memory, and nothing can be added. */
bool skr_poller_begin (skr_poller_t *self, size_t count);
/* A socket of libzmq's; or, by its descriptor and any pointer to know it by, something else. Both
   are due at first. */
void skr_poller_add (skr_poller_t *self, void *socket);
void skr_poller_add_descriptor (skr_poller_t *self, const void *known_by, int descriptor);
void skr_poller_free (skr_poller_t *self);

/* Waits until something is due, or for so long. */
void skr_poller_wait (skr_poller_t *self, int wait_ms);
/* Is something to be taken from it? Asked once: then it is not due any more. */
bool skr_poller_take (skr_poller_t *self, const void *socket);
/* There may be something that its descriptor does not tell. */
void skr_poller_look (skr_poller_t *self, const void *socket);

#endif
