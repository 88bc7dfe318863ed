/* Link: one member that we dial: a DEALER to its ROUTER, a SUB to its PUB, the session over the
   first, and what it has reported. The addresses tried are those that it told us, beacons, gossip
   and the seeds, newest first. Membership is never changed by a timeout: a link that hears nothing
   is `slow`, then `silent`, and dials on.

   A member that does not listen cannot be dialled. It calls, and says so: then the session asks it
   back over the connection that it made, by the routing id that our ROUTER gave that connection.
   Such an id belongs to the CURVE identity that says HELLO there; the next call replaces it, and
   silence ends it. */

#ifndef SKR_MESH_LINK_H_INCLUDED
#define SKR_MESH_LINK_H_INCLUDED

#include "mesh/poller.h"
#include "mesh/session.h"
#include "mesh/sockets.h"

#define SKR_LINK_ADDRESSES_MAX 8
#define SKR_LINK_INSTANCES 4
#define SKR_LINK_AGAIN_MS 20000 /* two of one device call in turns, more often than this */
#define SKR_LINK_CALL_MS 5000   /* of these, each is asked so long before the other is again */
#define SKR_LINK_ROUTING_MAX 16 /* zmq's own ids have 5 bytes; nobody sets one */
#define SKR_LINK_DIAL_MS 3000   /* no greeting for so long: try the next address */

typedef enum skr_link_state_t {
    SKR_LINK_SILENT, /* also: never heard */
    SKR_LINK_UP,
    SKR_LINK_SLOW,
    SKR_LINK_LEFT, /* it said that it stops */
} skr_link_state_t;

const char *skr_link_state_text (skr_link_state_t state);

typedef struct skr_link_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint8_t transport[SKR_TRANSPORT_KEY_BYTES];
    char name[SKR_NAME_BYTES_MAX + 1]; /* for messages */
    skr_report_t report;
    skr_session_t *session;
    skr_link_state_t state;
    void *dealer, *sub; /* NULL: not dialled */
    void *voice; /* a DEALER to its ROUTER on which we publish, when we do not listen; or NULL */
    uint64_t voice_ms;                            /* mono, when it was made */
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* being dialled, or "" */
    uint16_t pub_port;                            /* 0: SUB not connected yet */
    char addresses[SKR_LINK_ADDRESSES_MAX][SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* newest first */
    size_t addresses_count;
    size_t next_address;  /* to try; counts through addresses, then seeds */
    bool from_seed;       /* the address being dialled is a seed */
    uint64_t seed_tries;  /* how often it was looked for at seeds */
    uint64_t dialled_ms;  /* mono */
    uint64_t heard_ms;    /* mono, last frame on the SUB; 0: never */
    uint64_t frame_bytes; /* that came on the SUB */
    uint64_t greeted_ms;  /* mono, of the last HELLO's answer */
    uint64_t sub_ms;      /* mono, when the SUB was made */
    uint64_t sub_wait_ms; /* so long it may stay silent before it is made anew; 0: not yet */
    bool kept;            /* the address that answered is in the store */
    uint8_t called[SKR_LINK_INSTANCES][SKR_WIRE_INSTANCE_BYTES]; /* that said HELLO, latest first */
    size_t called_count;
    uint64_t again_ms;   /* mono, when one that called before another called again; 0: never */
    uint64_t doubled_ms; /* mono, when that happened twice in a while; 0: never */
    uint8_t heard[SKR_WIRE_INSTANCE_BYTES]; /* of the process whose beats come on the SUB */
    bool restarted;                         /* it is another process since the last turn */
    bool news;                              /* an address was learned since the last turn */
    bool calls;         /* it does not listen: it is reached through its own call */
    bool forgotten;     /* and the address that it had is not in the store any more */
    size_t caller_size; /* of the routing id of its call; 0: there is none now */
    uint8_t caller[SKR_LINK_ROUTING_MAX];
    uint8_t caller_instance[SKR_WIRE_INSTANCE_BYTES]; /* that made it; zeros: not known */
} skr_link_t;

#define SKR_LINK_SEEDS_MAX 64

/* How it went with a seed, mono; 0: never. */
typedef struct skr_seed_mark_t {
    uint64_t tried_ms;    /* the first time since it answered, or since it is one */
    uint64_t answered_ms; /* the last time */
} skr_seed_mark_t;

/* What the links of a peer share. */
typedef struct skr_links_t {
    skr_replica_t *replica;
    const skr_world_t *world;
    skr_claims_t claims;
    skr_link_t **links; /* one a member other than ourselves */
    size_t count, capacity;
    skr_self_t own;
    const skr_sockets_t *sockets;
    void *router; /* that members call; NULL: we do not listen */
    const char *const *seeds;
    size_t seeds_count; /* at most SKR_LINK_SEEDS_MAX */
    skr_seed_mark_t seed_marks[SKR_LINK_SEEDS_MAX];
    skr_poller_t *poller; /* told when sockets come or go, and of what is sent */
    void *context;
    /* A member's address became known. */
    void (*address) (void *context, const uint8_t device[32], const char *address);
    /* The process at the other end of a link answered a HELLO. */
    void (*greeted) (void *context, skr_link_t *link,
                     const uint8_t instance[SKR_WIRE_INSTANCE_BYTES], const skr_id_t *writer);
} skr_links_t;

/* Makes the links of new members; ends those of members that are gone. */
saker_err_t skr_links_follow (skr_links_t *self) SKR_MUST_USE;
/* One link more, or less, than the roster has other members: see twin.h. */
saker_err_t skr_links_add (skr_links_t *self, const skr_member_t *member) SKR_MUST_USE;
void skr_links_remove (skr_links_t *self, const uint8_t device[32]);
skr_link_t *skr_links_find (const skr_links_t *self, const uint8_t device[32]);
void skr_links_free (skr_links_t *self);

/* A member may be reached there; the newest is tried first. */
void skr_link_learn (skr_link_t *self, const char *address);
/* Dials, dials elsewhere, or says HELLO again, as it is time; updates the state. */
void skr_link_turn (skr_links_t *links, skr_link_t *self, uint64_t mono_ms);
/* It said HELLO to us: a new instance means that what we dialled is gone; one that called before
   and calls again while another one does, too, is its twin. */
void skr_link_called (skr_link_t *self, const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                      uint64_t mono_ms);
/* It said HELLO, and that it does not listen: it is reached through that connection, by this
   routing id; `instance` NULL: of a process that is not known. Not where another process of that
   device has called, too, and has not had its time: two that call in turns would take the link from
   each other before either was asked for anything. */
void skr_link_take_call (skr_links_t *links, skr_link_t *self, skr_span_t routing,
                         const uint8_t *instance, uint64_t mono_ms);
/* It said HELLO, and that it listens. */
void skr_link_listens (skr_links_t *links, skr_link_t *self);
/* Something that it publishes came. */
void skr_link_heard (skr_link_t *self, uint64_t mono_ms);
/* It said that it stops. */
void skr_link_left (skr_link_t *self);

#endif
