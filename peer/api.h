/* Local API: what the daemon answers to applications and tools on this machine. Bytes in, bytes
   out; the socket belongs to mesh/. One table lists the commands with the role each needs.

   A request is one CBOR map {0: version, 1: request number, 2: command, 3: arguments map}; it has
   exactly one answer {0: version, 1: request number, 2: error (saker_err_t), 3: body map, or on an
   error the sentence}. Lists are paged: a body of at most about 256 KiB, and what to ask with for
   the rest. Argument and body keys: see the table in api_internal.h.

   Answers to writes are held until the group they were in is committed. Watching, waiting and
   verifying are answered when there is something to say or their time is up; at most
   SKR_API_WAITERS_MAX are kept. */

#ifndef SKR_PEER_API_H_INCLUDED
#define SKR_PEER_API_H_INCLUDED

#include "peer/feed.h"
#include "peer/part.h"
#include "peer/replica.h"

#define SKR_API_VERSION 1
#define SKR_API_REQUEST_BYTES_MAX (1u << 20)
#define SKR_API_WAITERS_MAX 1024
#define SKR_API_SOCKET "run/api" /* in the store's folder; run/ is 0700 */

typedef enum skr_command_t {
    SKR_COMMAND_HELLO = 1,
    SKR_COMMAND_WRITE,
    SKR_COMMAND_READ,
    SKR_COMMAND_ITERATE,
    SKR_COMMAND_COLLECTIONS,
    SKR_COMMAND_DOCUMENTS,
    SKR_COMMAND_NOW,
    SKR_COMMAND_WATCH,
    SKR_COMMAND_CURSOR_SAVE,
    SKR_COMMAND_CURSOR_LOAD,
    SKR_COMMAND_WAIT,
    SKR_COMMAND_PEERS,
    SKR_COMMAND_STATUS,
    SKR_COMMAND_VERIFY,
    SKR_COMMAND_INVITE,
    SKR_COMMAND_ROLE,
    SKR_COMMAND_KEYS,
    SKR_COMMAND_ROTATE,
    SKR_COMMAND_LOG,
    SKR_COMMAND_RESTORE,
    SKR_COMMAND_CONFLICTS,
    SKR_COMMAND_BACKUP,
    SKR_COMMAND_GC,
    SKR_COMMAND_FENCE,
    SKR_COMMAND_LINKS,
    SKR_COMMAND_PING,
    SKR_COMMAND_WHY,
    SKR_COMMAND_TRENDS,
    SKR_COMMAND_LOG_LEVEL,
    SKR_COMMAND_COMPARE,
    SKR_COMMAND_SUBSCRIBE,
    SKR_COMMAND_SUBSCRIPTIONS,
    SKR_COMMAND_CARRY,
    SKR_COMMAND_SEEN,
    SKR_COMMAND_WAIT_SEEN,
    SKR_COMMANDS
} skr_command_t;

/* How SUBSCRIBE changes what is carried: these too, not these, only these, all. */
typedef enum skr_subscribe_how_t {
    SKR_SUBSCRIBE_ADD = 0,
    SKR_SUBSCRIBE_LEAVE = 1,
    SKR_SUBSCRIBE_ONLY = 2,
    SKR_SUBSCRIBE_ALL = 3,
} skr_subscribe_how_t;

/* What the mesh knows of a member, for PEERS, LINKS, WAIT and VERIFY. */
typedef struct skr_neighbour_t {
    const char *link;    /* self, up, slow, silent, left; static */
    const char *address; /* "" when unknown; borrowed until the next call */
    int64_t seen_ms;     /* -1: never */
    int64_t rtt_us;      /* -1: unknown */
    int64_t heard_ms;    /* since something came from it directly; -1: never */
    bool calls;          /* it does not listen: it is reached through its own call */
    bool greeted;        /* it answers at that address, or over its call */
    bool skew_known;
    int64_t skew_ms;    /* its clock less ours */
    uint64_t published; /* bytes that it published and came */
    uint64_t requests, timeouts, bad_answers;
    uint64_t changes, bytes, snapshots; /* pulled */
} skr_neighbour_t;

/* What a member reported of a collection. */
typedef struct skr_reported_t {
    skr_id_t writer;           /* the incarnation that told */
    const skr_clock_t *clock;  /* borrowed until the next call; NULL: it never told */
    const uint64_t *hashes;    /* of the changes that the clock names, see skr_replica_hashes */
    const uint64_t *kept;      /* of each writer, how many changes are in its log */
    const skr_clock_t *roster; /* that it had when it told this; NULL: it did not say */
    skr_fingerprint_t fingerprint;
    uint64_t documents;
    const skr_part_t *part;      /* what fingerprint and documents are of; NULL: the whole */
    bool removing;               /* and of some documents beside it, which go */
    const skr_part_sum_t *asked; /* of what both carry, by its answer, at this clock; NULL: none */
    uint64_t asked_ms; /* mono: when the last request was sent that was answered; 0: none */
    uint64_t rtt_us;   /* so long it took to be answered */
    uint64_t told_ms;  /* mono: when the last beat came that told of it; 0: none */
} skr_reported_t;

/* The side of the mesh that the API looks at. */
typedef struct skr_neighbours_t {
    void *context;
    void (*neighbour) (void *context, const uint8_t device[32], skr_neighbour_t *neighbour);
    void (*reported) (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported);
    /* Asks every linked member for clock and fingerprint of a collection; the answers show up in
       `reported`, with asked_ms >= the time of this call. */
    void (*ask) (void *context, const skr_id_t *collection);
    /* The same of one member, which has a link. */
    void (*ask_one) (void *context, const uint8_t device[32], const skr_id_t *collection);
    /* The members that a member hears directly, by its last beat (of ourselves: that we hear);
       borrowed until the next call. Returns their number, up to `count`. */
    size_t (*hears) (void *context, const uint8_t device[32], const uint8_t **devices,
                     size_t count);
    /* Addresses that others can dial us at, for tickets; returns their number, up to `count`. */
    size_t (*addresses) (void *context, const char **addresses, size_t count);
    /* Appends the mesh's part of the status: pairs of (JSON Pointer text, value), see api.c;
       returns their number. */
    size_t (*status) (void *context, skr_buf_t *pairs);
    /* Asks a member for a part of a collection, and what came of it: see skr_session_range. */
    bool (*range) (void *context, const uint8_t device[32], const skr_id_t *collection,
                   skr_span_t from, skr_span_t to, bool detail);
    bool (*ranged) (void *context, const uint8_t device[32], skr_span_t *answer);
    /* Tells up to this level for so long, and no less than the config says; 0: no longer. May be
       NULL. */
    void (*log_level) (void *context, skr_level_t level, uint64_t for_ms);
    /* The collections that a member told of, by index; false: no more. */
    bool (*told_of) (void *context, const uint8_t device[32], size_t index, skr_id_t *collection);
    /* Do they say together what its last beat said of all it has? */
    bool (*told_all) (void *context, const uint8_t device[32]);
} skr_neighbours_t;

/* The first member that reports what this peer has not: in any collection, of the writers of a
   device, or (NULL) of all. NULL when none does. Of what this peer does not carry, and its device
   wrote: the first that reports more than all admins do. */
const skr_member_t *skr_ahead (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                               const skr_member_t *of);
/* How far all other admins have a writer, by what they told; 0 where there is none. */
uint64_t skr_admins_have (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                          const skr_id_t *collection, const skr_id_t *writer);

typedef void skr_api_send_fn (void *context, skr_span_t client, skr_span_t answer);

typedef struct skr_api_t skr_api_t;

saker_err_t skr_api_new (skr_api_t **self_p, skr_replica_t *replica,
                         const skr_neighbours_t *neighbours, skr_api_send_fn *send, void *context,
                         const skr_world_t *world) SKR_MUST_USE;
void skr_api_destroy (skr_api_t **self_p);

#define SKR_HEARS_MAX 256 /* members in one beat */

/* Who cuts the log, for GC and STATUS; borrowed. Without, GC is refused. */
struct skr_cutter_t;
void skr_api_give_cutter (skr_api_t *self, struct skr_cutter_t *cutter);

/* Takes one request; `client` are the bytes that name its sender to `send`. Begins a group on the
   replica when the command writes. Never fails: what is wrong is answered, or counted and dropped
   when it is not even a request. */
void skr_api_request (skr_api_t *self, skr_span_t client, skr_span_t request);
/* After the round's group was committed, or failed with an error: sends the held answers. */
void skr_api_committed (skr_api_t *self, saker_err_t error);
/* Once a round, after the commit: looks at what is waiting. */
void skr_api_turn (skr_api_t *self);
/* mono time in ms at which skr_api_turn wants to be called at the latest; UINT64_MAX: any time. */
uint64_t skr_api_deadline_ms (const skr_api_t *self);

#endif
