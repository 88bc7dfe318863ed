/* Hub: follows the change feed once for all, and wakes who waits for it. What came last is kept in
   a ring that is bounded in number and bytes; a stream that is behind it reads by its cursor,
   through a worker. So nobody who stops reading makes us keep anything. */

#ifndef TOOLS_GATEWAY_HUB_H_INCLUDED
#define TOOLS_GATEWAY_HUB_H_INCLUDED

#include "gateway/gateway.h"
#include "gateway/request.h"

#define HUB_RECORDS_MAX 4096
#define HUB_RECORDS_BYTES_MAX (8u << 20)
#define HUB_FRESH_MAX 16
#define HUB_STREAMS_A_MS 20 /* that are woken on average, so that requests get their turn */

typedef struct hub_t hub_t;

saker_err_t hub_new (hub_t **self_p, gateway_t *gateway);
/* Begins to follow, once all other parts are there. */
saker_err_t hub_start (hub_t *self);
/* Follows no longer; streams end, long polls are answered. */
void hub_end (hub_t *self);
/* When no stream is left. */
void hub_destroy (hub_t **self_p);

/* Does the daemon answer? Otherwise a sentence says why not. */
bool hub_is_ready (hub_t *self, char sentence[CALL_SENTENCE_MAX]);

/* What it holds at this moment. */
typedef struct hub_load_t {
    size_t streams, polls;
    size_t changes, changes_bytes; /* in the ring */
    size_t pages_bytes;            /* that were read for streams and not sent yet */
} hub_load_t;
void hub_load (hub_t *self, hub_load_t *load);
/* The cursor of this moment; false: it is not known yet. */
bool hub_now (hub_t *self, saker_cursor_t *cursor);
/* Keeps a long poll until something came behind request->poll, or its time is up: then it is a job
   again. False: it is the end. */
bool hub_wait (hub_t *self, request_t *request);

#endif
