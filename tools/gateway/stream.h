/* Stream: one client that gets changes as server-sent events. */

#ifndef TOOLS_GATEWAY_STREAM_H_INCLUDED
#define TOOLS_GATEWAY_STREAM_H_INCLUDED

#include "gateway/ring.h"

#include <pthread.h>

#define STREAM_PAGE_BYTES (16u << 10)      /* that a stream behind the ring reads at once */
#define STREAM_PAGES_BYTES_MAX (64u << 20) /* of all streams together */
#define STREAMS_READING_MAX 4 /* workers that read for streams; others are for requests */
#define STREAM_BEAT_MS                                                                             \
    15000 /* an idle one says that it lives, and finds out whether                                 \
             its client does */

typedef enum stream_state_t {
    STREAM_WRITING, /* the server's thread asks it for bytes */
    STREAM_IDLE,    /* its connection is suspended until something comes */
    STREAM_READING, /* and until a worker has read for it; at first it waits for its turn */
} stream_state_t;

typedef struct stream_t {
    job_t job; /* the first member */
    hub_t *hub;
    LIST_ENTRY (stream_t) next;
    STAILQ_ENTRY (stream_t) turn; /* while it waits for a worker */
    struct MHD_Connection *connection;
    access_t access;
    char collection[SAKER_COLLECTION_BYTES_MAX + 1]; /* "": all that the token has */
    saker_cursor_t cursor;                           /* everything up to it was sent */
    stream_state_t state;
    bool ended;
    record_t *record; /* being sent, from `at` on */
    strbuf_t page;    /* or this */
    size_t at;
    int64_t sent_ms; /* mono */
} stream_t;

LIST_HEAD (streams_t, stream_t);

struct hub_t {
    gateway_t *gateway;
    pthread_mutex_t mutex;
    pthread_t thread;
    call_t call; /* of the thread */
    bool threaded;
    bool ready;
    char sentence[CALL_SENTENCE_MAX]; /* why not; "": it was not asked yet */
    bool ending;
    ring_t ring;
    struct streams_t streams;
    size_t streams_count;
    STAILQ_HEAD (, stream_t) turns;                            /* streams that wait for a worker */
    size_t reading;                                            /* streams that have one */
    size_t pages_bytes;                                        /* of all streams */
    char fresh[HUB_FRESH_MAX][SAKER_COLLECTION_BYTES_MAX + 1]; /* collections with records that
                                                                  nobody was woken for yet */
    size_t fresh_count;
    int64_t woken_ms; /* mono: when streams were woken last */
    LIST_HEAD (, request_t) polls;
};

/* A response that sends the changes after a cursor. Takes the request's access. NULL: out of
   memory. */
struct MHD_Response *stream_new (hub_t *hub, request_t *request, const saker_cursor_t *cursor);

/* All under the hub's lock. */
/* Would it send changes of this collection? */
bool stream_wants (const stream_t *self, const char *collection);
/* Lets an idle one go on. */
void stream_wake (stream_t *self);

#endif
