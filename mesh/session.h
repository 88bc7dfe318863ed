/* Session: how one peer pulls from another, as a state machine without I/O: bytes and time come in,
   bytes go out through `send`, changes go into the replica. One a linked member.

   When the link comes up it says HELLO and asks for STATE. From then on, whenever the other's
   report shows a change that we lack, it PULLs that collection, the roster before all others, with
   its clock and a credit in bytes, until nothing is missing. One request a collection is under way
   at a time, SKR_SESSION_REQUESTS_MAX in all; one member a collection is asked at a time (claims).
   When an equal report and an unequal state digest do not explain each other, it asks for STATE
   again; and now and then at random. A peer that has nothing of a large collection takes a
   snapshot: PARTs go to a file that survives a restart, and are resumed by offset. */

#ifndef SKR_MESH_SESSION_H_INCLUDED
#define SKR_MESH_SESSION_H_INCLUDED

#include "mesh/report.h"

#define SKR_SESSION_REQUESTS_MAX 8

/* Which session pulls which collection now; shared by all sessions of a peer. All zeros. */
typedef struct skr_claims_t {
    struct skr_claim_t {
        skr_id_t collection;
        const void *holder;
        uint64_t until_ms;
    } * claims;
    size_t count, capacity;
    uint64_t not_before_ms; /* mono; the store takes nothing now (a full disk): pull nothing */
} skr_claims_t;

void skr_claims_free (skr_claims_t *self);

typedef struct skr_session_t skr_session_t;

typedef struct skr_session_host_t {
    void *context;
    /* Sends a request to the peer; borrowed. False: not now (full); the session asks again. */
    bool (*send) (void *context, skr_span_t request);
    /* The peer's HELLO came: it is who it is and publishes there; 0: it does not listen. */
    void (*hello) (void *context, uint16_t pub_port);
    /* It told of a member's address. */
    void (*address) (void *context, const uint8_t device[32], const char *address);
    /* Before `hello`: which process it is, and its writer. May be NULL. */
    void (*greeted) (void *context, const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                     const skr_id_t *writer);
    /* mono time, finer; NULL: it is not. */
    uint64_t (*mono_us) (void *context);
} skr_session_host_t;

/* Borrows all but the host, which it copies. `device`: the member that it talks to. */
saker_err_t skr_session_new (skr_session_t **self_p, skr_replica_t *replica, skr_report_t *report,
                             skr_claims_t *claims, const uint8_t device[32],
                             const skr_session_host_t *host) SKR_MUST_USE;
void skr_session_destroy (skr_session_t **self_p);

/* What HELLO tells of this peer. */
typedef struct skr_self_t {
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES]; /* of this process */
    uint16_t pub_port;                         /* 0: it does not listen */
    const char *const *addresses;
    size_t addresses_count;
} skr_self_t;

/* The link is up (or was interrupted and is up again): say HELLO. */
void skr_session_up (skr_session_t *self, const skr_self_t *own, uint64_t mono_ms);
void skr_session_down (skr_session_t *self);
/* The peer is heard again after a silence: what was asked before is asked anew, without waiting for
   its time-out, which may have grown long. */
void skr_session_revive (skr_session_t *self, uint64_t mono_ms);
/* Says HELLO again, to hear of addresses; what is under way goes on. */
void skr_session_greet (skr_session_t *self, uint64_t mono_ms);
/* Has HELLO been answered since it came up? */
bool skr_session_greeted (const skr_session_t *self);

/* An answer came. Begins a group on the replica when it holds changes; the caller commits at the
   end of its round. An error is the store's: abort. Bad input is counted and ends the request. */
saker_err_t skr_session_answer (skr_session_t *self, skr_span_t answer,
                                uint64_t mono_ms) SKR_MUST_USE;
/* After each round (commit done), and on news: looks what to ask next. Also time-outs.
   May use groups of its own (a snapshot that is complete is taken here). */
saker_err_t skr_session_turn (skr_session_t *self, uint64_t mono_ms) SKR_MUST_USE;
/* Something is not as its report says: looks at its next turn. */
void skr_session_look (skr_session_t *self);
/* Asks for the clock of one collection, for verify. */
void skr_session_ask (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms);
/* Asks for a part of a collection (peer/ranging.h). False: not now; one at a time is asked for. */
bool skr_session_range (skr_session_t *self, const skr_id_t *collection, skr_span_t from,
                        skr_span_t to, bool detail, uint64_t mono_ms);
/* What came of it: the array, borrowed until the next is asked for; empty: nothing yet, or (when
   false is returned) nothing will come. */
bool skr_session_ranged (const skr_session_t *self, skr_span_t *answer);
/* mono time at which skr_session_turn wants to be called at the latest. */
uint64_t skr_session_deadline_ms (const skr_session_t *self);

typedef struct skr_session_stats_t {
    uint64_t requests, answers, timeouts, bad_answers;
    uint64_t changes, bytes; /* pulled */
    uint64_t snapshots;
    int64_t rtt_us; /* of small requests, smoothed; -1 */
} skr_session_stats_t;
void skr_session_stats (const skr_session_t *self, skr_session_stats_t *stats);

#endif
