/* What the files of a session share: session.c (answers and the session's life),
   session_requests.c, session_missing.c and session_snapshots.c. */

#ifndef SKR_MESH_SESSION_INTERNAL_H_INCLUDED
#define SKR_MESH_SESSION_INTERNAL_H_INCLUDED

#include "mesh/session.h"

#include "peer/incoming.h"

/* A request under way. number 0: free. */
typedef struct skr_asked_t {
    uint64_t number;
    skr_wire_kind_t kind;
    skr_id_t collection;
    uint64_t sent_ms, sent_us;
} skr_asked_t;

struct skr_session_t {
    skr_replica_t *replica;
    skr_report_t *report;
    skr_claims_t *claims;
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_session_host_t host;
    skr_session_stats_t stats;

    bool up;
    bool greeted;
    skr_buf_t hello; /* arguments of HELLO, to be said again after a time-out */
    skr_asked_t requests[SKR_SESSION_REQUESTS_MAX];
    uint64_t numbers;
    size_t credit;        /* bytes asked for at a time; less after a time-out */
    uint64_t patience_ms; /* time-out of a request; more after one */

    uint64_t fork_depth;  /* how far back the next look for where a fork begins goes; 0: not */
    bool looked_back;     /* the last pull was one */
    uint64_t widen_ms;    /* not before this time is a snapshot asked for what is not carried */
    uint64_t probe_ms;    /* not before this time is looked for a fork */
    size_t probe_next;    /* entry of the report to begin with */
    uint64_t report_seen; /* number of the beat that was looked at last */
    bool roster_stuck;    /* its report names more of the roster than it hands out, or than can be
                             let in by now: go on without */
    uint64_t roster_then; /* digest of our roster's clock when changes of it came last */
    bool look;            /* something changed: look for what is missing */
    uint64_t look_ms;     /* or at this time */
    uint64_t state_ms;    /* not before this time is STATE asked */
    uint8_t state_after[16];
    bool state_more; /* STATE goes on after state_after */

    skr_buf_t ranged;        /* the last answer to RANGE; empty: none */
    skr_buf_t range;         /* its arguments, to be said again when the other is busy */
    uint64_t range_again_ms; /* then; 0: not */

    skr_id_t *wanted; /* collections whose CLOCK is to be asked, when a request is free */
    size_t wanted_count, wanted_capacity;

    skr_incoming_t incoming; /* a snapshot being taken */
    bool taking;
};

/* ---- session_requests.c: what is asked, and what one session pulls at a time */

/* Takes or renews a claim. False when another session holds it, or while nothing can be stored. */
bool skr_session_claim (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms);
void skr_session_release (skr_session_t *self, const skr_id_t *collection);
void skr_session_release_all (skr_session_t *self);
bool skr_session_under_way (const skr_session_t *self, skr_wire_kind_t kind,
                            const skr_id_t *collection);
/* For round trips: those in a room take less than a millisecond. */
uint64_t skr_session_now_us (const skr_session_t *self, uint64_t mono_ms);
/* Sends one request: `arguments` are encoded. False when that is not possible now. */
bool skr_session_request (skr_session_t *self, skr_wire_kind_t kind, const skr_id_t *collection,
                          const skr_buf_t *arguments, size_t count, uint64_t mono_ms);
void skr_session_ask_hello (skr_session_t *self, uint64_t mono_ms);
void skr_session_ask_state (skr_session_t *self, uint64_t mono_ms);
/* With a sum over what both carry of it, for verify: that costs the other a look at each of these
   documents. */
bool skr_session_ask_clock (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms);
/* Of what is wanted here. What we have beyond it must be in our log still, to be applied after it.
 */
bool skr_session_ask_snapshot (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms);
bool skr_session_ask_pull (skr_session_t *self, const skr_id_t *collection, const skr_clock_t *have,
                           uint64_t mono_ms);
bool skr_session_ask_part (skr_session_t *self, uint64_t mono_ms);
void skr_session_want (skr_session_t *self, const skr_id_t *collection);
void skr_session_ask_wanted (skr_session_t *self, uint64_t mono_ms);

/* ---- session_missing.c */

bool skr_session_is_roster (const skr_id_t *collection);
/* Do both hold the data, so that equal clocks mean equal digests? */
bool skr_session_is_common (const skr_session_t *self, const skr_id_t *collection);
const skr_clock_t *skr_session_own_clock (const skr_session_t *self, const skr_id_t *collection);
skr_role_t skr_session_role_there (const skr_session_t *self, const skr_id_t *collection);
/* Looks for what the other has and we lack, and asks for it. */
void skr_session_find_missing (skr_session_t *self, uint64_t mono_ms);

/* ---- session_snapshots.c */

void skr_session_end_taking (skr_session_t *self, bool discard);
saker_err_t skr_session_our_trouble (saker_err_t error) SKR_MUST_USE;
saker_err_t skr_session_go_on_taking (skr_session_t *self, uint64_t mono_ms) SKR_MUST_USE;
const char *skr_session_folder (const skr_session_t *self);
/* The cells of a snapshot carry no signatures: who may not write the data may not hand it over so,
   either; but where nobody else may write, as for the only writer that was restored from a backup,
   those who read must do. Changes are taken from anybody, each is checked by itself. */
bool skr_session_may_give_snapshots (const skr_session_t *self, const skr_id_t *collection);
/* The other says that this collection is better taken whole: go on with what an earlier process
   left, or ask for an offer. */
void skr_session_start_taking (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms);
/* What is wanted and not carried comes with a snapshot (peer/partial.h), though our clock may be
   that of the other. */
void skr_session_widen (skr_session_t *self, uint64_t mono_ms);

#endif
