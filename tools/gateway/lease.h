/* Lease: who of the peers sends for a subscription. Each peer that sends keeps a document
   peer/DEVICE with a counter, which it raises at a third of the lease's time; lease/HOOK names the
   one that sends. A peer holds as long as its counter was seen to move within the lease's time, by
   the clock of whoever looks, which never goes back; wall clocks are not compared. Where the one
   that sends holds no longer, or handed over, the candidate with the highest hash of subscription
   and device claims the lease. */

#ifndef TOOLS_GATEWAY_LEASE_H_INCLUDED
#define TOOLS_GATEWAY_LEASE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_DEVICE_SIZE 17 /* 16 hexadecimal digits and a zero */
#define LEASE_PEERS_MAX 64   /* that send */
#define LEASE_DEFAULT_MS 30000
#define LEASE_MIN_MS 3000
#define LEASE_MAX_MS (3600 * 1000)

/* A peer that sends, as one peer sees it. */
typedef struct lease_peer_t {
    char device[LEASE_DEVICE_SIZE];
    int64_t count;    /* its counter, as it was seen last */
    int64_t moved_ms; /* mono: when that was seen first */
    bool up;          /* its link, or it is ourselves */
} lease_peer_t;

typedef struct lease_peers_t {
    size_t count;
    lease_peer_t list[LEASE_PEERS_MAX];
} lease_peers_t;

/* Notes a counter. */
void lease_see (lease_peers_t *self, const char *device, int64_t count, int64_t now_ms);
/* Forgets a peer that left. */
void lease_forget (lease_peers_t *self, const char *device);
lease_peer_t *lease_find (lease_peers_t *self, const char *device);
/* Does a peer hold? One that is not known does not. */
bool lease_holds (const lease_peers_t *self, const char *device, int64_t lease_ms, int64_t now_ms);
/* The candidate for a subscription: of those that hold and whose link is up, the one with the
   highest hash. NULL: none. Borrowed. */
const char *lease_best (const lease_peers_t *self, const char *hook, int64_t lease_ms,
                        int64_t now_ms);
/* The rendezvous hash. */
uint64_t lease_hash (const char *hook, const char *device);

#endif
