#include "gateway/stream.h"

#include "gateway/cursor.h"
#include "gateway/doorman.h"
#include "gateway/gathering.h"
#include "gateway/instant.h"
#include "gateway/parts.h"

#include <stdlib.h>
#include <string.h>

bool stream_wants (const stream_t *self, const char *collection)
{
    return (*self->collection == 0 || strcmp (self->collection, collection) == 0)
           && doorman_shows (self->hub->gateway, self->access.token, collection);
}

void stream_wake (stream_t *self)
{
    if (self->state == STREAM_IDLE) {
        self->state = STREAM_WRITING;
        MHD_resume_connection (self->connection);
    }
}

/* ---- reading what is no longer in the ring, in a worker */

typedef struct reading_t {
    const stream_t *stream;
    strbuf_t text;
} reading_t;

static int take_change (const gathered_t *gathered, void *argument)
{
    reading_t *reading = argument;
    if (doorman_shows (reading->stream->hub->gateway, reading->stream->access.token,
                       gathered->collection)) {
        gathering_text (gathered, &reading->text);
    }
    return reading->text.size >= STREAM_PAGE_BYTES;
}

/* The history after the cursor is gone: it is said, and the stream goes on from now. */
static saker_err_t take_gap (call_t *call, reading_t *reading, saker_cursor_t *cursor)
{
    char text[CURSOR_TEXT_SIZE];
    saker_err_t error = saker_now (call->peer, cursor);
    if (error == SAKER_OK) {
        cursor_text (cursor, text);
        strbuf_format (&reading->text, "id: %s\nevent: gap\ndata: {\"cursor\":\"%s\"}\n\n", text,
                       text);
    }
    return error;
}

static saker_err_t read_page (call_t *call, reading_t *reading, saker_cursor_t *cursor)
{
    const char *collection = *reading->stream->collection ? reading->stream->collection : NULL;
    gathering_t gathering = {.gathered_fn = take_change, .argument = reading};
    memcpy (gathering.epoch, cursor->epoch, sizeof gathering.epoch);
    saker_err_t error =
        saker_watch (call->peer, collection, cursor, 0, gathering_event, &gathering);
    if (!gathering_end (&gathering, error == SAKER_OK)) {
        return SAKER_ENOMEM;
    }
    if (error == SAKER_EGAP) {
        return take_gap (call, reading, cursor);
    }
    /* A collection that is not there yet has no changes. */
    return error == SAKER_ETIMEOUT || error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static void begin_next (hub_t *hub);

static void read_on (job_t *job, call_t *call)
{
    stream_t *self = (stream_t *) job;
    hub_t *hub = self->hub;
    saker_cursor_t cursor = self->cursor;
    reading_t reading = {.stream = self};
    saker_err_t error = call->peer ? read_page (call, &reading, &cursor) : SAKER_EUNREACHABLE;
    pthread_mutex_lock (&hub->mutex);
    if (error == SAKER_OK && !reading.text.failed) {
        self->cursor = cursor;
        self->page = reading.text;
        self->at = 0;
        hub->pages_bytes += self->page.capacity;
    } else {
        strbuf_free (&reading.text);
        self->ended = true; /* the client comes again with its cursor */
    }
    hub->reading--;
    begin_next (hub);
    self->state = STREAM_WRITING;
    MHD_resume_connection (self->connection);
    pthread_mutex_unlock (&hub->mutex);
}

/* Those whose turn it is get a worker; when none is to be had, until the next tick. */
static void begin_next (hub_t *hub)
{
    while (!STAILQ_EMPTY (&hub->turns) && hub->reading < STREAMS_READING_MAX) {
        stream_t *stream = STAILQ_FIRST (&hub->turns);
        STAILQ_REMOVE_HEAD (&hub->turns, turn);
        stream->job.run = read_on;
        if (hub->pages_bytes < STREAM_PAGES_BYTES_MAX
            && workers_submit (hub->gateway->workers, &stream->job)) {
            hub->reading++;
        } else {
            stream->state = STREAM_IDLE;
        }
    }
}

/* ---- sending, in the server's thread and under the hub's lock */

static void suspend (stream_t *self, stream_state_t state)
{
    self->state = state;
    MHD_suspend_connection (self->connection);
}

static bool is_behind (const stream_t *self)
{
    const ring_t *ring = &self->hub->ring;
    return memcmp (ring->epoch, self->cursor.epoch, sizeof ring->epoch) != 0
           || self->cursor.position < ring->floor || self->cursor.position > ring->newest;
}

static void begin_reading (stream_t *self)
{
    suspend (self, STREAM_READING);
    STAILQ_INSERT_TAIL (&self->hub->turns, self, turn);
    begin_next (self->hub);
}

/* The next record for this stream becomes the one being sent; false: there is none. */
static bool take_record (stream_t *self)
{
    const ring_t *ring = &self->hub->ring;
    size_t number;
    record_t *record = ring_after (ring, self->cursor.position, &number);
    while (record && !stream_wants (self, record->collection)) {
        record = ring_at (ring, ++number);
    }
    if (!record) {
        self->cursor.position = ring->newest;
        return false;
    }
    record->users++;
    self->record = record;
    self->at = 0;
    return true;
}

/* Where the stream is: a client that gets no changes for a while keeps a cursor that is not old. */
static void put_beat (stream_t *self)
{
    char text[CURSOR_TEXT_SIZE];
    cursor_text (&self->cursor, text);
    strbuf_format (&self->page, "id: %s\n\n", text);
    self->at = 0;
    self->hub->pages_bytes += self->page.capacity;
}

static void end_page (stream_t *self)
{
    self->hub->pages_bytes -= self->page.capacity;
    strbuf_free (&self->page);
}

static void end_record (stream_t *self)
{
    self->cursor.position = self->record->position;
    record_leave (self->record);
    self->record = NULL;
}

/* Copies from what is being sent. */
static size_t copy (stream_t *self, char *to, size_t room)
{
    const char *from = self->record ? self->record->text : self->page.data;
    size_t left = (self->record ? self->record->size : self->page.size) - self->at;
    size_t size = left < room ? left : room;
    if (size > 0) {
        memcpy (to, from + self->at, size);
    }
    self->at += size;
    if (size == left) {
        self->record ? end_record (self) : end_page (self);
    }
    return size;
}

/* Is there something to send? When not, and nothing was sent in this turn, it is suspended. */
static bool find_more (stream_t *self, bool sent)
{
    if (self->record || self->page.data) {
        return true;
    }
    if (self->ended) {
        return false;
    }
    bool behind = is_behind (self);
    if (!behind && take_record (self)) {
        return true;
    }
    if (!behind && instant_mono_ms () - self->sent_ms >= STREAM_BEAT_MS) {
        self->sent_ms = instant_mono_ms ();
        put_beat (self);
        return self->page.data;
    }
    if (!sent && behind) {
        begin_reading (self);
    } else if (!sent) {
        suspend (self, STREAM_IDLE);
    }
    return false;
}

static ssize_t send_more (void *argument, uint64_t position, char *to, size_t room)
{
    stream_t *self = argument;
    size_t size = 0;
    (void) position;
    pthread_mutex_lock (&self->hub->mutex);
    while (size < room && find_more (self, size > 0)) {
        size += copy (self, to + size, room - size);
    }
    bool over = size == 0 && self->ended;
    if (size > 0) {
        self->sent_ms = instant_mono_ms ();
    }
    pthread_mutex_unlock (&self->hub->mutex);
    return over ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t) size;
}

static void stream_free (void *argument)
{
    stream_t *self = argument;
    hub_t *hub = self->hub;
    pthread_mutex_lock (&hub->mutex);
    LIST_REMOVE (self, next);
    hub->streams_count--;
    record_leave (self->record);
    end_page (self);
    pthread_mutex_unlock (&hub->mutex);
    keeper_leave (&self->access);
    free (self);
}

struct MHD_Response *stream_new (hub_t *hub, request_t *request, const saker_cursor_t *cursor)
{
    stream_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->hub = hub;
    self->connection = request->connection;
    self->access = request->access;
    request->access = (access_t){0};
    snprintf (self->collection, sizeof self->collection, "%.*s", SAKER_COLLECTION_BYTES_MAX,
              request->names[0]);
    self->cursor = *cursor; /* sent_ms 0: begins with a beat */
    pthread_mutex_lock (&hub->mutex);
    LIST_INSERT_HEAD (&hub->streams, self, next);
    hub->streams_count++;
    self->ended = hub->ending;
    pthread_mutex_unlock (&hub->mutex);
    struct MHD_Response *response = MHD_create_response_from_callback (
        MHD_SIZE_UNKNOWN, STREAM_PAGE_BYTES / 4, send_more, self, stream_free);
    if (!response) {
        stream_free (self);
    }
    return response;
}
