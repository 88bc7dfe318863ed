#include "gateway/fetch.h"

#include "gateway/account.h"
#include "gateway/begin.h"
#include "gateway/instant.h"

#include <string.h>

#define AGAIN_MS 500
#define SAVE_MS 2000

typedef struct fetching_t {
    courier_t *courier;
    uint64_t position;
    unsigned index; /* of the document in its change */
    bool stopped;   /* the queue is full */
    bool lettered;  /* the last letter is of this change */
} fetching_t;

/* No document of the change comes any more: its last letter ends it. */
static void end_change (fetching_t *self)
{
    courier_t *courier = self->courier;
    if (self->lettered && courier->queue_count > 0) {
        letter_t *last = &courier->queue[courier->queue_count - 1];
        last->number = delivered_whole (last->seq);
    }
    self->lettered = false;
}

static int take_event (const saker_event_t *event, void *argument)
{
    fetching_t *fetching = argument;
    courier_t *self = fetching->courier;
    if (event->position != fetching->position) {
        end_change (fetching);
    }
    fetching->index = event->position == fetching->position ? fetching->index + 1 : 0;
    fetching->position = event->position;
    int64_t number = delivered_number (event->seq, fetching->index);
    if (strncmp (event->document, self->hook.documents, strlen (self->hook.documents)) != 0
        || account_covers (self, event->writer, number, event->time_ms)) {
        return 0;
    }
    if (self->queue_count == self->queue_max) {
        fetching->lettered = false; /* more of it comes the next time */
        fetching->stopped = true;
        return 1;
    }
    letter_t *letter = &self->queue[self->queue_count++];
    letter_of (letter, event);
    letter->number = number;
    fetching->lettered = true;
    return self->queue_max == 1;
}

/* The feed begins behind what this peer, or another one, has not sent. */
static saker_err_t find_begin (courier_t *self)
{
    saker_err_t error = begin_find (self->call.peer, self->hook.collection, &self->cursor);
    self->placed = error == SAKER_OK;
    self->gap = error == SAKER_OK && self->cursor.position > 0;
    return error;
}

static void cursor_name (const courier_t *self, char name[96])
{
    snprintf (name, 96, "hooks/%s", self->hook.name);
}

static saker_err_t find_place (courier_t *self)
{
    char name[96];
    cursor_name (self, name);
    saker_err_t error = saker_cursor_load (self->call.peer, name, &self->cursor);
    self->placed = error == SAKER_OK;
    return error == SAKER_ENOTFOUND ? find_begin (self) : error;
}

void fetch_save_place (courier_t *self)
{
    char name[96];
    int64_t now_ms = instant_mono_ms ();
    if (self->cursor.position == self->saved_position || now_ms - self->saved_ms < SAVE_MS) {
        return;
    }
    cursor_name (self, name);
    self->saved_ms = now_ms;
    if (saker_cursor_save (self->call.peer, name, &self->cursor) == SAKER_OK) {
        self->saved_position = self->cursor.position;
    }
}

/* Fills the queue with what is not done with, `max` letters at most. */
bool fetch_letters (courier_t *self, size_t max, int timeout_ms)
{
    fetching_t fetching = {.courier = self};
    saker_err_t error = self->placed ? SAKER_OK : find_place (self);
    self->queue_count = 0;
    self->queue_max = max;
    self->fetched = self->cursor;
    if (error == SAKER_OK) {
        error = saker_watch (self->call.peer, self->hook.collection, &self->fetched, timeout_ms,
                             take_event, &fetching);
    }
    self->fetched_ms = instant_mono_ms ();
    if (error == SAKER_OK && !fetching.stopped) {
        end_change (&fetching);
    }
    if (error == SAKER_EGAP) {
        (void) find_begin (self);
    } else if (error != SAKER_OK && error != SAKER_ETIMEOUT) {
        office_rest (self->office, AGAIN_MS);
    }
    return error == SAKER_OK || error == SAKER_ETIMEOUT;
}

/* One who does not send keeps its cursor at the first that is not done with. */
void fetch_keep_up (courier_t *self)
{
    if (*self->hook.collection && fetch_letters (self, 1, 0)) {
        self->cursor = self->fetched;
        fetch_save_place (self);
    }
}
