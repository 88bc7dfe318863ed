/* Waiter: one request of the local API that is answered later, see api_wait.c and api_verify.c. */

#ifndef SKR_PEER_API_WAITER_H_INCLUDED
#define SKR_PEER_API_WAITER_H_INCLUDED

#include "peer/api_internal.h"
#include "peer/seen.h"

#define SKR_API_ASK_AGAIN_MS 500 /* of who did not answer yet */

/* Looks at a waiter; true when it was answered. `late`: its time is up. */
typedef bool skr_api_look_fn (skr_api_t *self, skr_api_waiter_t *waiter, bool late);

/* What one member must have of one collection: our changes up to seq. */
typedef struct skr_api_target_t {
    skr_id_t collection;
    uint64_t seq;
} skr_api_target_t;

/* A member that is waited for; it has the first `reached` targets. */
typedef struct skr_api_waited_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    size_t reached;
} skr_api_waited_t;

struct skr_api_waiter_t {
    skr_api_look_fn *look;
    skr_buf_t client;
    uint64_t number;
    uint64_t deadline_ms;
    size_t bytes;

    /* WATCH */
    char collection[SKR_COLLECTION_BYTES_MAX + 1]; /* "": all */
    saker_cursor_t cursor;

    /* WAIT */
    skr_api_target_t *targets;
    size_t targets_count;
    skr_api_waited_t *members;
    size_t members_count;

    /* PING */
    uint8_t device[SKR_DEVICE_KEY_BYTES];

    /* COMPARE: `collections` has one */
    skr_buf_t from, to;
    bool detail, asked;
    /* WAIT_SEEN */
    skr_seen_t seen;

    /* VERIFY */
    skr_id_t *collections;
    size_t collections_count;
    size_t next; /* number of the first collection of the next request; 0: none */
    uint64_t start_ms, asked_ms;
};

/* NULL: out of memory. */
skr_api_waiter_t *skr_api_new_waiter (const skr_api_call_t *call, skr_api_look_fn *look);
/* Reads the time-out, under the given key. */
void skr_api_get_deadline (skr_api_t *self, skr_api_call_t *call, uint64_t key, uint64_t ms_max,
                           skr_api_waiter_t *waiter);
/* SAKER_EBUSY: too many wait. */
saker_err_t skr_api_check_room (skr_api_t *self) SKR_MUST_USE;
/* Takes ownership, also where there was an error, which it gives back; it is looked at in this
   round's turn. */
saker_err_t skr_api_add_waiter (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter,
                                saker_err_t error) SKR_MUST_USE;
/* Always true. */
bool skr_api_answer_waiter (skr_api_t *self, const skr_api_waiter_t *waiter, saker_err_t error,
                            const skr_buf_t *body);
saker_err_t skr_api_no_memory (void) SKR_MUST_USE;

#endif
