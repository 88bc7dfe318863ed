#include "gateway/gathering.h"

#include "canon.h"
#include "gateway/cursor.h"
#include "paint.h"
#include "say.h"

#include <string.h>

static void hand_over (gathering_t *self)
{
    if (self->at.json) {
        self->enough = self->gathered_fn (&self->at, self->argument) != 0;
        json_decref (self->at.json);
        self->at.json = NULL;
    }
}

static void begin (gathering_t *self, const saker_event_t *event)
{
    char writer[33], time[PAINT_TIME_MAX], text[CURSOR_TEXT_SIZE];
    saker_cursor_t cursor = {.position = event->position};
    memcpy (cursor.epoch, self->epoch, sizeof cursor.epoch);
    cursor_text (&cursor, text);
    say_hex (event->writer, writer);
    paint_time (event->time_ms, time);
    self->at.position = event->position;
    snprintf (self->at.collection, sizeof self->at.collection, "%s", event->collection);
    self->at.json =
        json_pack ("{s:s,s:s,s:[],s:s,s:s,s:I,s:s}", "cursor", text, "collection",
                   event->collection, "documents", "author", event->author ? event->author : "",
                   "writer", writer, "seq", (json_int_t) event->seq, "time", time);
    self->failed = self->failed || !self->at.json;
}

int gathering_event (const saker_event_t *event, void *argument)
{
    gathering_t *self = argument;
    if (self->at.json && self->at.position != event->position) {
        hand_over (self);
    }
    if (self->enough) {
        return 1;
    }
    if (!self->at.json) {
        begin (self, event);
    }
    json_t *documents = json_object_get (self->at.json, "documents");
    self->failed |= json_array_append_new (documents, json_string (event->document)) != 0;
    return self->failed;
}

bool gathering_end (gathering_t *self, bool well)
{
    if (well && !self->failed && !self->enough) {
        hand_over (self);
    }
    json_decref (self->at.json);
    self->at.json = NULL;
    return !self->failed;
}

void gathering_text (const gathered_t *gathered, strbuf_t *text)
{
    strbuf_format (text, "id: %s\nevent: change\ndata: ",
                   json_string_value (json_object_get (gathered->json, "cursor")));
    canon_add (text, gathered->json);
    strbuf_text (text, "\n\n");
}
