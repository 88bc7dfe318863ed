/* What the parts of the local API share: api.c (requests and writes), api_read.c (reading),
   api_wait.c (watching, waiting, verifying). */

#ifndef SKR_PEER_API_INTERNAL_H_INCLUDED
#define SKR_PEER_API_INTERNAL_H_INCLUDED

#include "peer/api.h"

#define SKR_API_PAGE_BYTES (256u << 10)
#define SKR_API_HELD_MAX 4096
#define SKR_API_TIMEOUT_MS_MAX (24u * 3600 * 1000)

/* An answer that waits for the commit. */
typedef struct skr_api_held_t {
    skr_buf_t client;
    skr_buf_t answer;
    uint64_t number;
} skr_api_held_t;

/* What a writer had written of a collection when it began to wait. */
typedef struct skr_api_target_t {
    skr_id_t collection;
    uint64_t seq;
} skr_api_target_t;

/* A request that is answered later. */
typedef struct skr_api_waiter_t {
    skr_command_t command;
    skr_buf_t client;
    uint64_t number;
    uint64_t since_ms, until_ms; /* mono */
    uint64_t asked_ms;           /* VERIFY: when members were asked last */
    /* WATCH, VERIFY */
    bool one; /* one collection only */
    skr_id_t collection;
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    saker_cursor_t cursor;
    /* WAIT */
    skr_api_target_t *targets;
    size_t targets_count;
    uint8_t (*devices)[SKR_DEVICE_KEY_BYTES];
    size_t devices_count;
} skr_api_waiter_t;

struct skr_api_t {
    skr_replica_t *replica;
    skr_neighbours_t neighbours;
    skr_api_send_fn *send;
    void *context;
    const skr_world_t *world;
    skr_api_held_t *held;
    size_t held_count, held_capacity;
    skr_api_waiter_t *waiters;
    size_t waiters_count, waiters_capacity;
    uint64_t requests, bad_requests;
};

/* One request being handled: the reader stands at the first argument; results are appended to
   `results`, *count of them. */
typedef struct skr_api_request_t {
    skr_api_t *api;
    skr_span_t client;
    uint64_t number;
    skr_command_t command;
    skr_cbor_t cbor;
    skr_buf_t results;
    size_t results_count;
    bool later; /* a waiter was made: no answer now */
} skr_api_request_t;

typedef saker_err_t skr_api_fn (skr_api_request_t *request);

skr_api_fn skr_api_read, skr_api_iterate, skr_api_collections, skr_api_documents;
skr_api_fn skr_api_now, skr_api_cursor_save, skr_api_cursor_load;
skr_api_fn skr_api_watch, skr_api_wait, skr_api_verify;
skr_api_fn skr_api_peers, skr_api_status;

uint64_t skr_api_mono (const skr_api_t *self);
/* A text argument, copied and ended; an error when it does not fit or holds a zero byte. */
void skr_api_get_text (skr_cbor_t *cbor, char *text, size_t size);
/* The same for one that may be null: false then. */
bool skr_api_get_optional (skr_cbor_t *cbor, char *text, size_t size);
void skr_api_put_text (skr_buf_t *buf, const char *text);
/* The name of a writer's device, or "?". */
const char *skr_api_author (const skr_api_t *self, const skr_id_t *writer);
/* Sends one answer. */
void skr_api_answer (skr_api_t *self, skr_span_t client, uint64_t number, saker_err_t error,
                     const skr_buf_t *results, size_t count);
void skr_api_waiters_free (skr_api_t *self);
/* How many changes of ours a member has not reported, over all collections; -1: it never told. */
int64_t skr_api_behind (skr_api_t *self, const uint8_t device[32]);

#endif
