#include "gateway/hub.h"

#include "gateway/doorman.h"
#include "gateway/gathering.h"
#include "gateway/instant.h"
#include "gateway/parts.h"
#include "gateway/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS 1000 /* how long one look at the feed waits; and between two ticks */
#define AGAIN_US 200000
#define HUB_BEATS_TICKS 10 /* in so many, each idle stream gets its turn; below STREAM_BEAT_MS */
#define OPEN_MS 1000

/* ---- waking those who wait; under the lock */

static bool poll_wants (const request_t *request, const record_t *record)
{
    return (*request->names[0] == 0 || strcmp (request->names[0], record->collection) == 0)
           && doorman_may_see (request, record->collection);
}

static void submit_poll (hub_t *self, request_t *request)
{
    LIST_REMOVE (request, polls);
    if (!workers_submit (self->gateway->workers, &request->job)) {
        LIST_INSERT_HEAD (&self->polls, request, polls); /* at the next tick */
    }
}

static void wake_polls (hub_t *self, const record_t *record)
{
    request_t *request = LIST_FIRST (&self->polls);
    while (request) {
        request_t *next = LIST_NEXT (request, polls);
        if (poll_wants (request, record)) {
            submit_poll (self, request);
        }
        request = next;
    }
}

/* Remembers the collection until streams are woken. With too many, all streams are. */
static void note_fresh (hub_t *self, const char *collection)
{
    for (size_t i = 0; i < self->fresh_count && i < HUB_FRESH_MAX; i++) {
        if (strcmp (self->fresh[i], collection) == 0) {
            return;
        }
    }
    if (self->fresh_count < HUB_FRESH_MAX) {
        snprintf (self->fresh[self->fresh_count], sizeof self->fresh[0], "%s", collection);
    }
    self->fresh_count++;
}

static bool wants_fresh (const hub_t *self, const stream_t *stream)
{
    for (size_t i = 0; i < self->fresh_count && i < HUB_FRESH_MAX; i++) {
        if (stream_wants (stream, self->fresh[i])) {
            return true;
        }
    }
    return self->fresh_count > HUB_FRESH_MAX;
}

/* A stream that is idle and not woken has seen everything that is for it. */
static void wake_streams (hub_t *self)
{
    stream_t *stream;
    LIST_FOREACH (stream, &self->streams, next)
    {
        if (stream->state != STREAM_IDLE) {
            continue;
        }
        if (wants_fresh (self, stream)) {
            stream_wake (stream);
        } else if (stream->cursor.position >= self->ring.floor
                   && memcmp (stream->cursor.epoch, self->ring.epoch, 16) == 0) {
            stream->cursor.position = self->ring.newest;
        }
    }
    self->fresh_count = 0;
    self->woken_ms = instant_mono_ms ();
}

/* How long streams are to be left alone, still: the first change comes at once, and many streams
   are not woken for each of many changes. */
static int64_t rest_ms (const hub_t *self)
{
    int64_t next_ms = self->woken_ms + (int64_t) (self->streams_count / HUB_STREAMS_A_MS);
    int64_t left_ms = next_ms - instant_mono_ms ();
    return left_ms > 0 ? left_ms : 0;
}

/* ---- following */

static int take_change (const gathered_t *gathered, void *argument)
{
    hub_t *self = argument;
    strbuf_t text = {0};
    gathering_text (gathered, &text);
    record_t *record =
        text.failed ? NULL
                    : record_new (gathered->position, gathered->collection, text.data, text.size);
    strbuf_free (&text);
    pthread_mutex_lock (&self->mutex);
    if (record) {
        ring_add (&self->ring, record);
        self->ring.newest = gathered->position;
        note_fresh (self, gathered->collection);
        wake_polls (self, record);
    } else { /* streams read it by their cursors */
        saker_cursor_t cursor = {.position = gathered->position};
        memcpy (cursor.epoch, self->ring.epoch, sizeof cursor.epoch);
        ring_begin (&self->ring, &cursor);
    }
    pthread_mutex_unlock (&self->mutex);
    return 0;
}

static saker_err_t begin (hub_t *self, saker_cursor_t *cursor)
{
    saker_err_t error = saker_now (self->call.peer, cursor);
    if (error == SAKER_OK) {
        pthread_mutex_lock (&self->mutex);
        ring_begin (&self->ring, cursor);
        pthread_mutex_unlock (&self->mutex);
    }
    return error;
}

/* For so long the feed may be waited for. */
static int patience_ms (hub_t *self)
{
    pthread_mutex_lock (&self->mutex);
    int64_t left_ms = self->fresh_count > 0 ? rest_ms (self) : FOLLOW_MS;
    pthread_mutex_unlock (&self->mutex);
    return left_ms < FOLLOW_MS ? (int) left_ms : FOLLOW_MS;
}

static saker_err_t follow_once (hub_t *self, saker_cursor_t *cursor)
{
    gathering_t gathering = {.gathered_fn = take_change, .argument = self};
    memcpy (gathering.epoch, cursor->epoch, sizeof gathering.epoch);
    saker_err_t error = saker_watch (self->call.peer, NULL, cursor, patience_ms (self),
                                     gathering_event, &gathering);
    if (!gathering_end (&gathering, error == SAKER_OK)) {
        return SAKER_ENOMEM;
    }
    if (error == SAKER_OK || error == SAKER_ETIMEOUT) {
        pthread_mutex_lock (&self->mutex);
        self->ring.newest = cursor->position;
        if (self->fresh_count == 0 || rest_ms (self) == 0) {
            wake_streams (self);
        }
        pthread_mutex_unlock (&self->mutex);
        return SAKER_OK;
    }
    return error;
}

/* ---- once a second */

/* `beats` is how many more may be woken only to say that they live: those that began together do
   not all say so at once. */
static void tick_stream (hub_t *self, stream_t *stream, int64_t now_ms, size_t *beats)
{
    if (!keeper_holds (self->gateway->keeper, &stream->access)) {
        stream->ended = true;
    }
    bool behind = stream->cursor.position < self->ring.floor;
    bool beat = now_ms - stream->sent_ms >= STREAM_BEAT_MS && *beats > 0;
    *beats -= beat;
    if (stream->ended || behind || beat) {
        stream_wake (stream);
    }
}

static void tick (hub_t *self)
{
    int64_t now_ms = instant_mono_ms ();
    stream_t *stream;
    keeper_look (self->gateway->keeper);
    gateway_look (self->gateway);
    pthread_mutex_lock (&self->mutex);
    size_t beats = self->streams_count / HUB_BEATS_TICKS + 1;
    LIST_FOREACH (stream, &self->streams, next)
    {
        tick_stream (self, stream, now_ms, &beats);
    }
    request_t *request = LIST_FIRST (&self->polls);
    while (request) {
        request_t *next = LIST_NEXT (request, polls);
        if (request->deadline_ms <= now_ms || request->poll.position < self->ring.newest) {
            submit_poll (self, request);
        }
        request = next;
    }
    pthread_mutex_unlock (&self->mutex);
}

static bool is_ending (hub_t *self)
{
    pthread_mutex_lock (&self->mutex);
    bool ending = self->ending;
    pthread_mutex_unlock (&self->mutex);
    return ending;
}

static void set_ready (hub_t *self, saker_err_t error)
{
    const char *text = error == SAKER_OK ? "" : saker_error_text ();
    pthread_mutex_lock (&self->mutex);
    self->ready = error == SAKER_OK;
    snprintf (self->sentence, sizeof self->sentence, "the daemon does not answer: %.1900s",
              *text ? text : saker_error_name (error));
    pthread_mutex_unlock (&self->mutex);
}

static void *follow (void *argument)
{
    hub_t *self = argument;
    saker_cursor_t cursor;
    bool begun = false;
    int64_t ticked_ms = 0;
    while (!is_ending (self)) {
        saker_err_t error = SAKER_OK;
        if (!self->call.peer) {
            error = saker_open (&self->call.peer, self->gateway->store, OPEN_MS);
        }
        if (error == SAKER_OK) {
            error = begun ? follow_once (self, &cursor) : begin (self, &cursor);
        }
        if (error == SAKER_EGAP) { /* another epoch began, as after saker unsubscribe: it goes on */
            error = begin (self, &cursor);
        }
        begun = error == SAKER_OK || (begun && error != SAKER_EGAP && error != SAKER_ENOMEM);
        set_ready (self, error);
        if (instant_mono_ms () - ticked_ms >= FOLLOW_MS) {
            tick (self);
            ticked_ms = instant_mono_ms ();
        }
        if (error != SAKER_OK) {
            usleep (AGAIN_US);
        }
    }
    call_close (&self->call);
    return NULL;
}

/* ---- for others */

bool hub_is_ready (hub_t *self, char sentence[CALL_SENTENCE_MAX])
{
    pthread_mutex_lock (&self->mutex);
    bool ready = self->ready;
    snprintf (sentence, CALL_SENTENCE_MAX, "%s",
              *self->sentence ? self->sentence : "the daemon was not asked yet");
    pthread_mutex_unlock (&self->mutex);
    return ready;
}

void hub_load (hub_t *self, hub_load_t *load)
{
    const request_t *request;
    *load = (hub_load_t){0};
    pthread_mutex_lock (&self->mutex);
    LIST_FOREACH (request, &self->polls, polls)
    {
        load->polls++;
    }
    load->streams = self->streams_count;
    load->changes = self->ring.count;
    load->changes_bytes = self->ring.bytes;
    load->pages_bytes = self->pages_bytes;
    pthread_mutex_unlock (&self->mutex);
}

bool hub_now (hub_t *self, saker_cursor_t *cursor)
{
    pthread_mutex_lock (&self->mutex);
    bool ready = self->ready;
    memcpy (cursor->epoch, self->ring.epoch, sizeof cursor->epoch);
    cursor->position = self->ring.newest;
    pthread_mutex_unlock (&self->mutex);
    return ready;
}

bool hub_wait (hub_t *self, request_t *request)
{
    pthread_mutex_lock (&self->mutex);
    bool takes = !self->ending;
    if (takes) {
        LIST_INSERT_HEAD (&self->polls, request, polls);
    }
    if (takes && self->ring.newest > request->poll.position) { /* it came in between */
        submit_poll (self, request);
    }
    pthread_mutex_unlock (&self->mutex);
    return takes;
}

saker_err_t hub_new (hub_t **self_p, gateway_t *gateway)
{
    hub_t *self = *self_p = calloc (1, sizeof *self);
    if (!self) {
        return SAKER_ENOMEM;
    }
    self->gateway = gateway;
    LIST_INIT (&self->streams);
    LIST_INIT (&self->polls);
    STAILQ_INIT (&self->turns);
    pthread_mutex_init (&self->mutex, NULL);
    return SAKER_OK;
}

saker_err_t hub_start (hub_t *self)
{
    self->threaded = pthread_create (&self->thread, NULL, follow, self) == 0;
    return self->threaded ? SAKER_OK : SAKER_EIO;
}

void hub_end (hub_t *self)
{
    stream_t *stream;
    if (!self) {
        return;
    }
    pthread_mutex_lock (&self->mutex);
    self->ending = true;
    pthread_mutex_unlock (&self->mutex);
    if (self->threaded) {
        pthread_join (self->thread, NULL);
        self->threaded = false;
    }
    pthread_mutex_lock (&self->mutex);
    LIST_FOREACH (stream, &self->streams, next)
    {
        stream->ended = true;
        stream_wake (stream);
    }
    while (!STAILQ_EMPTY (&self->turns)) {
        stream = STAILQ_FIRST (&self->turns);
        STAILQ_REMOVE_HEAD (&self->turns, turn);
        stream->state = STREAM_IDLE;
        stream_wake (stream);
    }
    while (!LIST_EMPTY (&self->polls)) {
        request_t *request = LIST_FIRST (&self->polls);
        request->deadline_ms = 1; /* it is late */
        LIST_REMOVE (request, polls);
        if (!workers_submit (self->gateway->workers, &request->job)) {
            request->job.run (&request->job, &self->call);
        }
    }
    pthread_mutex_unlock (&self->mutex);
}

void hub_destroy (hub_t **self_p)
{
    hub_t *self = *self_p;
    if (self) {
        static const saker_cursor_t nowhere;
        ring_begin (&self->ring, &nowhere);
        pthread_mutex_destroy (&self->mutex);
        free (self);
        *self_p = NULL;
    }
}
