#include "gateway/letter.h"

#include "canon.h"
#include "paint.h"
#include "say.h"

#include <sodium.h>
#include <string.h>

static void add_text (crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update (state, (const uint8_t *) text, strlen (text) + 1);
}

void letter_id (const char *collection, const char *document, const uint8_t writer[16],
                uint64_t seq, char id[LETTER_ID_SIZE])
{
    crypto_generichash_state state;
    uint8_t hash[16], number[8];
    for (size_t i = 0; i < sizeof number; i++) {
        number[i] = (uint8_t) (seq >> (56 - 8 * i));
    }
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    add_text (&state, "saker event 1");
    add_text (&state, collection);
    add_text (&state, document);
    crypto_generichash_update (&state, writer, 16);
    crypto_generichash_update (&state, number, sizeof number);
    crypto_generichash_final (&state, hash, sizeof hash);
    sodium_bin2hex (id, LETTER_ID_SIZE, hash, sizeof hash);
}

void letter_message (const char *hook, const char *event, char message[LETTER_MESSAGE_SIZE])
{
    crypto_generichash_state state;
    uint8_t hash[16];
    char digits[LETTER_ID_SIZE];
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    add_text (&state, "saker message 1");
    add_text (&state, hook);
    add_text (&state, event);
    crypto_generichash_final (&state, hash, sizeof hash);
    sodium_bin2hex (digits, sizeof digits, hash, sizeof hash);
    snprintf (message, LETTER_MESSAGE_SIZE, "msg_%s", digits);
}

void letter_of (letter_t *self, const saker_event_t *event)
{
    memset (self, 0, sizeof *self);
    letter_id (event->collection, event->document, event->writer, event->seq, self->id);
    memcpy (self->writer, event->writer, sizeof self->writer);
    self->seq = event->seq;
    self->time_ms = event->time_ms;
    snprintf (self->author, sizeof self->author, "%s", event->author ? event->author : "");
    snprintf (self->document, sizeof self->document, "%s", event->document);
}

/* ---- the body */

static void add_escaped (strbuf_t *text, const char *name)
{
    for (; *name; name++) {
        unsigned char byte = (unsigned char) *name;
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z')
                     || (byte && strchr ("-._~", byte));
        if (plain) {
            strbuf_add (text, name, 1);
        } else {
            strbuf_format (text, "%%%02X", byte);
        }
    }
}

static json_t *data_json (const letter_t *self, const hook_t *hook, const json_t *value)
{
    char writer[33];
    say_hex (self->writer, writer);
    json_t *json = json_pack ("{s:s,s:s,s:s,s:s,s:I}", "collection", hook->collection, "document",
                              self->document, "author", self->author, "writer", writer, "seq",
                              (json_int_t) self->seq);
    if (json && value) {
        json_object_set (json, "value", (json_t *) value);
    }
    return json;
}

void letter_body (const letter_t *self, const hook_t *hook, const json_t *value, strbuf_t *body)
{
    char time[PAINT_TIME_MAX];
    strbuf_t source = {0};
    paint_time (self->time_ms, time);
    strbuf_text (&source, "/v1/collections/");
    add_escaped (&source, hook->collection);
    json_t *json =
        source.failed
            ? NULL
            : json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "specversion", "1.0", "id",
                         self->id, "source", source.data, "type", LETTER_TYPE, "subject",
                         self->document, "time", time, "timestamp", time, "datacontenttype",
                         "application/json", "data", data_json (self, hook, value));
    body->failed = body->failed || !json;
    canon_add (body, json);
    json_decref (json);
    strbuf_free (&source);
}

/* ---- as a document */

static const char *text_of (const json_t *json, const char *key, size_t size)
{
    const char *text = json_string_value (json_object_get (json, key));
    return text && strlen (text) < size ? text : NULL;
}

bool letter_take (letter_t *self, const json_t *json)
{
    const char *document = text_of (json, "document", sizeof self->document);
    const char *author = text_of (json, "author", sizeof self->author);
    const char *why = text_of (json, "why", sizeof self->why);
    const char *writer = text_of (json, "writer", 33);
    const char *id = text_of (json, "event", sizeof self->id);
    size_t size = 0;
    memset (self, 0, sizeof *self);
    if (!document || !writer || !id || strlen (id) + 1 != sizeof self->id
        || sodium_hex2bin (self->writer, 16, writer, strlen (writer), NULL, &size, NULL)
        || size != 16) {
        return false;
    }
    snprintf (self->id, sizeof self->id, "%s", id);
    snprintf (self->document, sizeof self->document, "%s", document);
    snprintf (self->author, sizeof self->author, "%s", author ? author : "");
    snprintf (self->why, sizeof self->why, "%s", why ? why : "");
    self->seq = (uint64_t) json_integer_value (json_object_get (json, "seq"));
    self->time_ms = (uint64_t) json_integer_value (json_object_get (json, "time"));
    self->attempts = (unsigned) json_integer_value (json_object_get (json, "attempts"));
    self->since_ms = json_integer_value (json_object_get (json, "since"));
    self->next_ms = json_integer_value (json_object_get (json, "next"));
    self->status = (unsigned) json_integer_value (json_object_get (json, "status"));
    return true;
}

json_t *letter_json (const letter_t *self)
{
    char writer[33];
    say_hex (self->writer, writer);
    return json_pack ("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "event", self->id,
                      "document", self->document, "author", self->author, "writer", writer, "seq",
                      (json_int_t) self->seq, "time", (json_int_t) self->time_ms, "attempts",
                      (json_int_t) self->attempts, "since", (json_int_t) self->since_ms, "next",
                      (json_int_t) self->next_ms, "status", (json_int_t) self->status, "why",
                      self->why);
}

json_t *letter_show (const letter_t *self)
{
    static const char *const times[] = {"time", "since", "next"};
    json_t *json = letter_json (self);
    for (size_t i = 0; json && i < sizeof times / sizeof *times; i++) {
        char text[PAINT_TIME_MAX];
        json_int_t time_ms = json_integer_value (json_object_get (json, times[i]));
        paint_time ((uint64_t) time_ms, text);
        json_object_set_new (json, times[i], time_ms ? json_string (text) : json_null ());
    }
    return json;
}

int letter_compare (const letter_t *a, const letter_t *b)
{
    int order = (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
    if (order == 0) {
        order = memcmp (a->writer, b->writer, sizeof a->writer);
    }
    if (order == 0) {
        order = (a->seq > b->seq) - (a->seq < b->seq);
    }
    return order ? order : strcmp (a->document, b->document);
}
