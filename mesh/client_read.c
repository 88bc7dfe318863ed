/* Reading and watching. Pages are fetched one after the other and handed over as they come; only a
   document that does not fit a page is kept until all of it is here, so that it can be begun anew
   when it changes meanwhile. */

#include "mesh/client_internal.h"

#include "crdt/limits.h"
#include "crdt/path.h"
#include "crdt/state.h"
#include "crdt/value.h"
#include "peer/api_internal.h"

#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES 512
#define TRIES_MAX 100 /* for a document that changes while it is read */

/* ---- leaves */

/* Where a page continues; see api_internal.h. */
typedef struct rest_t {
    bool more;
    skr_buf_t document;
    uint64_t skip;
    uint8_t digest[SKR_API_DIGEST_BYTES];
} rest_t;

typedef struct reading_t {
    saker_t *self;
    skr_command_t command;
    const char *collection;
    skr_buf_t path; /* READ only */
    bool then;      /* READ as of a time */
    uint64_t time_ms;
    rest_t rest;
    unsigned tries;

    skr_buf_t held; /* leaves of rest.document, which is not complete */
    char document[SKR_DOCUMENT_BYTES_MAX + 1];
    char author[SKR_NAME_BYTES_MAX + 1];
    skr_buf_t pointer;
    skr_state_t *state; /* of what was handed over; NULL: not wanted */
    saker_leaf_fn *leaf_fn;
    void *argument;
    bool stopped;
} reading_t;

static void set_pointer (reading_t *reading, skr_span_t path)
{
    skr_buf_clear (&reading->pointer);
    skr_path_to_pointer (&reading->pointer, path);
    skr_buf_append_byte (&reading->pointer, 0);
}

static void get_leaf (reading_t *reading, skr_cbor_t *cbor, saker_leaf_t *leaf)
{
    if (skr_cbor_get_array (cbor, 9) != 9) {
        skr_cbor_reject (cbor, "not a leaf");
    }
    skr_fields_text (cbor, reading->document, sizeof reading->document);
    skr_span_t path = skr_cbor_get_bytes (cbor);
    set_pointer (reading, path);
    leaf->cell = (saker_cell_t) skr_cbor_get_uint (cbor);
    skr_value_get (cbor, &leaf->value);
    uint64_t flags = skr_cbor_get_uint (cbor);
    leaf->rival = flags & SKR_API_RIVAL;
    leaf->shown = flags & SKR_API_SHOWN;
    leaf->time_ms = skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, leaf->writer, sizeof leaf->writer);
    leaf->seq = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, reading->author, sizeof reading->author);
    if (leaf->cell == SAKER_EMPTY_MAP) {
        leaf->value.type = SAKER_MAP;
    }
    leaf->document = reading->document;
    leaf->pointer = (const char *) reading->pointer.data;
    leaf->author = reading->author;
    if (reading->state && cbor->error == SAKER_OK) {
        skr_state_add (reading->state, path, (skr_kind_t) leaf->cell, &leaf->value, leaf->rival,
                       leaf->shown, leaf->writer, leaf->seq);
    }
}

static saker_err_t hand_over (reading_t *reading, skr_cbor_t *cbor)
{
    saker_leaf_t leaf;
    get_leaf (reading, cbor, &leaf);
    if (reading->pointer.failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (cbor->error == SAKER_OK) {
        reading->stopped = reading->leaf_fn (&leaf, reading->argument) != 0;
    }
    return SAKER_OK;
}

static saker_err_t hand_over_held (reading_t *reading)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&reading->held));
    while (cbor.error == SAKER_OK && cbor.at < cbor.end && !reading->stopped) {
        SKR_TRY (hand_over (reading, &cbor));
    }
    saker_err_t error = reading->stopped ? SAKER_OK : skr_cbor_close (&cbor);
    skr_buf_clear (&reading->held);
    return error;
}

/* Does the leaf at the reader belong to the document that is not complete? */
static bool is_open (const reading_t *reading, const skr_cbor_t *cbor)
{
    skr_cbor_t ahead = *cbor;
    if (!reading->rest.more || reading->rest.skip == 0) {
        return false;
    }
    (void) skr_cbor_get_array (&ahead, 9);
    return skr_span_equal (skr_cbor_get_text (&ahead), skr_span_of (&reading->rest.document));
}

static saker_err_t take_leaves (reading_t *reading, skr_cbor_t *cbor)
{
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !reading->stopped; i++) {
        if (is_open (reading, cbor)) {
            skr_buf_append_span (&reading->held, skr_cbor_get_raw (cbor));
        } else {
            SKR_TRY (hand_over (reading, cbor));
        }
    }
    return reading->held.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* *same: the page ends inside the document that the one before ended in. */
static saker_err_t take_rest (reading_t *reading, skr_question_t *question, bool *same)
{
    rest_t *rest = &reading->rest;
    skr_cbor_t *cbor = &question->cbor;
    rest->more = skr_fields_has (&question->fields, 0);
    rest->skip = 0;
    *same = false;
    if (!rest->more) {
        return SAKER_OK;
    }
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "not a place to go on");
    }
    skr_span_t document = skr_cbor_get_text (cbor);
    *same = skr_span_equal (document, skr_span_of (&rest->document));
    skr_buf_clear (&rest->document);
    skr_buf_append_span (&rest->document, document);
    rest->skip = skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, rest->digest, sizeof rest->digest);
    return rest->document.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* What is here was handed over; more of it may be on its way. */
static saker_err_t end_page (skr_question_t *question)
{
    char sentence[SENTENCE_BYTES] = "";
    if (skr_fields_has (&question->fields, 2)) {
        skr_fields_text (&question->cbor, sentence, sizeof sentence);
    }
    SKR_TRY (skr_question_check (question));
    return *sentence ? skr_fail (SAKER_ENOTYET, "%s", sentence) : SAKER_OK;
}

/* What was held is complete, unless the page ends inside the same document again. */
static saker_err_t take_page (reading_t *reading, skr_question_t *question)
{
    bool same;
    SKR_TRY (take_rest (reading, question, &same));
    skr_fields_need (&question->fields, 1);
    if (question->cbor.error == SAKER_OK && !(same && reading->rest.skip > 0)) {
        SKR_TRY (hand_over_held (reading));
    }
    SKR_TRY (reading->stopped ? SAKER_OK : take_leaves (reading, &question->cbor));
    return reading->stopped ? SAKER_OK : end_page (question);
}

static void put_place (reading_t *reading, skr_question_t *question)
{
    const rest_t *rest = &reading->rest;
    skr_question_text (question, 0, reading->collection);
    skr_question_span (question, 1, skr_span_of (&rest->document));
    if (reading->command == SKR_COMMAND_READ) {
        skr_question_bytes (question, 2, reading->path.data, reading->path.size);
    }
    if (rest->skip > 0) {
        skr_question_uint (question, 3, rest->skip);
        skr_question_bytes (question, 4, rest->digest, sizeof rest->digest);
    }
    if (reading->then) {
        skr_question_uint (question, 5, reading->time_ms);
    }
}

/* A document that changed between two pages is begun anew. */
static saker_err_t begin_anew (reading_t *reading, saker_err_t error)
{
    if (error != SAKER_EWAIT || reading->rest.skip == 0) {
        return error;
    }
    if (++reading->tries == TRIES_MAX) {
        return skr_fail (SAKER_EBUSY, "document %.*s changes faster than it can be read",
                         (int) reading->rest.document.size,
                         (const char *) reading->rest.document.data);
    }
    skr_buf_clear (&reading->held);
    reading->rest.skip = 0;
    return SAKER_OK;
}

static saker_err_t read_page (reading_t *reading)
{
    skr_question_t question;
    size_t arguments = (reading->command == SKR_COMMAND_READ ? 3 : 2)
                       + (reading->rest.skip > 0 ? 2 : 0) + (reading->then ? 1 : 0);
    saker_err_t error = skr_question_begin (&question, reading->self, reading->command, arguments);
    if (error == SAKER_OK) {
        put_place (reading, &question);
        error = begin_anew (reading, skr_question_ask (&question, SKR_CLIENT_ANSWER_MS));
    }
    if (error == SAKER_OK && question.fields.cbor) { /* not begun anew */
        error = take_page (reading, &question);
    }
    skr_question_end (&question);
    return error;
}

static saker_err_t read_pages (reading_t *reading)
{
    saker_err_t error = SAKER_OK;
    reading->rest.more = true;
    while (error == SAKER_OK && reading->rest.more && !reading->stopped) {
        error = read_page (reading);
    }
    skr_buf_free (&reading->path);
    skr_buf_free (&reading->rest.document);
    skr_buf_free (&reading->held);
    skr_buf_free (&reading->pointer);
    return error;
}

static saker_err_t read_one (reading_t *reading, const char *document, const char *pointer)
{
    skr_buf_append_span (&reading->rest.document, skr_span_text (document));
    saker_err_t error = skr_path_from_pointer (&reading->path, pointer);
    if (error != SAKER_OK) {
        skr_buf_free (&reading->path);
        skr_buf_free (&reading->rest.document);
        return error;
    }
    return read_pages (reading);
}

saker_err_t saker_read (saker_t *self, const char *collection, const char *document,
                        const char *pointer, saker_leaf_fn *leaf_fn, void *argument)
{
    reading_t reading = {.self = self,
                         .command = SKR_COMMAND_READ,
                         .collection = collection,
                         .leaf_fn = leaf_fn,
                         .argument = argument};
    return read_one (&reading, document, pointer);
}

saker_err_t saker_read_state (saker_t *self, const char *collection, const char *document,
                              const char *pointer, saker_leaf_fn *leaf_fn, void *argument,
                              uint8_t state[SAKER_STATE_BYTES])
{
    skr_state_t seen;
    reading_t reading = {.self = self,
                         .command = SKR_COMMAND_READ,
                         .collection = collection,
                         .state = &seen,
                         .leaf_fn = leaf_fn,
                         .argument = argument};
    skr_state_begin (&seen);
    saker_err_t error = read_one (&reading, document, pointer);
    saker_err_t ended = skr_state_end (&seen, state);
    if (error != SAKER_OK || reading.stopped) {
        memset (state, 0, SAKER_STATE_BYTES);
    }
    return error == SAKER_OK ? ended : error;
}

saker_err_t saker_read_then (saker_t *self, const char *collection, const char *document,
                             const char *pointer, uint64_t time_ms, saker_leaf_fn *leaf_fn,
                             void *argument)
{
    reading_t reading = {.self = self,
                         .command = SKR_COMMAND_READ,
                         .collection = collection,
                         .then = true,
                         .time_ms = time_ms,
                         .leaf_fn = leaf_fn,
                         .argument = argument};
    return read_one (&reading, document, pointer);
}

saker_err_t saker_iterate (saker_t *self, const char *collection, saker_leaf_fn *leaf_fn,
                           void *argument)
{
    reading_t reading = {.self = self,
                         .command = SKR_COMMAND_ITERATE,
                         .collection = collection,
                         .leaf_fn = leaf_fn,
                         .argument = argument};
    return read_pages (&reading);
}

/* ---- names */

typedef struct listing_t {
    skr_command_t command;
    const char *collection; /* NULL for COLLECTIONS */
    skr_buf_t from;         /* first name of the next page */
    bool more, stopped;
    saker_name_fn *name_fn;
    void *argument;
} listing_t;

static void take_name (listing_t *listing, skr_cbor_t *cbor)
{
    char name[SKR_DOCUMENT_BYTES_MAX + 1];
    uint64_t documents = 1;
    bool pair = listing->command == SKR_COMMAND_COLLECTIONS;
    if (pair && skr_cbor_get_array (cbor, 2) != 2) {
        skr_cbor_reject (cbor, "not a name and a number");
    }
    skr_fields_text (cbor, name, sizeof name);
    documents = pair ? skr_cbor_get_uint (cbor) : documents;
    if (cbor->error == SAKER_OK) {
        listing->stopped = listing->name_fn (name, documents, listing->argument) != 0;
    }
}

static saker_err_t take_names (listing_t *listing, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !listing->stopped; i++) {
        take_name (listing, cbor);
    }
    if (listing->stopped) {
        return SAKER_OK;
    }
    listing->more = skr_fields_has (&question->fields, 1);
    skr_buf_clear (&listing->from);
    if (listing->more) {
        skr_buf_append_span (&listing->from, skr_cbor_get_text (cbor));
    }
    return listing->from.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : end_page (question);
}

static saker_err_t list_page (saker_t *self, listing_t *listing)
{
    skr_question_t question;
    bool pair = listing->command == SKR_COMMAND_COLLECTIONS;
    saker_err_t error = skr_question_begin (&question, self, listing->command, pair ? 1 : 2);
    if (error == SAKER_OK) {
        if (!pair) {
            skr_question_text (&question, 0, listing->collection);
        }
        skr_question_span (&question, pair ? 0 : 1, skr_span_of (&listing->from));
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_names (listing, &question);
    }
    skr_question_end (&question);
    return error;
}

static saker_err_t list_pages (saker_t *self, listing_t *listing)
{
    saker_err_t error;
    do {
        error = list_page (self, listing);
    } while (error == SAKER_OK && listing->more && !listing->stopped);
    skr_buf_free (&listing->from);
    return error;
}

saker_err_t saker_collections (saker_t *self, saker_name_fn *name_fn, void *argument)
{
    listing_t listing = {
        .command = SKR_COMMAND_COLLECTIONS, .name_fn = name_fn, .argument = argument};
    return list_pages (self, &listing);
}

saker_err_t saker_documents (saker_t *self, const char *collection, saker_name_fn *name_fn,
                             void *argument)
{
    return saker_documents_from (self, collection, "", name_fn, argument);
}

saker_err_t saker_documents_from (saker_t *self, const char *collection, const char *from,
                                  saker_name_fn *name_fn, void *argument)
{
    listing_t listing = {.command = SKR_COMMAND_DOCUMENTS,
                         .collection = collection,
                         .name_fn = name_fn,
                         .argument = argument};
    skr_buf_append_span (&listing.from, skr_span_text (from));
    return list_pages (self, &listing);
}

/* ---- cursors */

static saker_err_t get_cursor (skr_question_t *question, saker_cursor_t *cursor)
{
    saker_cursor_t got;
    skr_fields_need (&question->fields, 0);
    skr_cbor_get_fixed (&question->cbor, got.epoch, sizeof got.epoch);
    skr_fields_need (&question->fields, 1);
    got.position = skr_cbor_get_uint (&question->cbor);
    SKR_TRY (skr_question_check (question));
    *cursor = got;
    return SAKER_OK;
}

saker_err_t saker_now (saker_t *self, saker_cursor_t *cursor)
{
    return saker_begin (self, NULL, cursor);
}

saker_err_t saker_begin (saker_t *self, const char *collection, saker_cursor_t *cursor)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_NOW, collection ? 1 : 0);
    if (error == SAKER_OK) {
        if (collection) {
            skr_question_text (&question, 0, collection);
        }
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = get_cursor (&question, cursor);
    }
    skr_question_end (&question);
    return error;
}

static void put_cursor (skr_question_t *question, const saker_cursor_t *cursor)
{
    skr_question_bytes (question, 1, cursor->epoch, sizeof cursor->epoch);
    skr_question_uint (question, 2, cursor->position);
}

saker_err_t saker_cursor_save (saker_t *self, const char *name, const saker_cursor_t *cursor)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_CURSOR_SAVE, 3);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, name);
        put_cursor (&question, cursor);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = skr_question_check (&question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_cursor_load (saker_t *self, const char *name, saker_cursor_t *cursor)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_CURSOR_LOAD, 1);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, name);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = get_cursor (&question, cursor);
    }
    skr_question_end (&question);
    return error;
}

/* ---- watching */

typedef struct watching_t {
    saker_t *self;
    const char *collection;
    saker_cursor_t *cursor;
    saker_event_fn *event_fn;
    void *argument;
    bool got, stopped;
} watching_t;

/* A cursor counts whole changes: one whose events were not all taken comes again. */
static void hand_event (watching_t *watching, const saker_event_t *event)
{
    if (event->position > watching->cursor->position + 1) {
        watching->cursor->position = event->position - 1;
    }
    watching->got = true;
    watching->stopped = watching->event_fn (event, watching->argument) != 0;
}

static void take_event (watching_t *watching, skr_cbor_t *cbor)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1], author[SKR_NAME_BYTES_MAX + 1];
    char document[SKR_DOCUMENT_BYTES_MAX + 1];
    saker_event_t event = {.collection = collection, .document = document, .author = author};
    if (skr_cbor_get_array (cbor, 7) != 7) {
        skr_cbor_reject (cbor, "not an event");
    }
    event.position = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, collection, sizeof collection);
    skr_fields_text (cbor, document, sizeof document);
    skr_fields_text (cbor, author, sizeof author);
    skr_cbor_get_fixed (cbor, event.writer, sizeof event.writer);
    event.seq = skr_cbor_get_uint (cbor);
    event.time_ms = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK) {
        hand_event (watching, &event);
    }
}

static saker_err_t take_events (watching_t *watching, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !watching->stopped; i++) {
        take_event (watching, cbor);
    }
    if (watching->stopped) {
        return SAKER_OK;
    }
    skr_fields_need (&question->fields, 1);
    uint64_t position = skr_cbor_get_uint (cbor);
    SKR_TRY (skr_question_check (question));
    watching->cursor->position = position;
    return SAKER_OK;
}

static saker_err_t watch_once (watching_t *watching, int timeout_ms)
{
    skr_question_t question;
    size_t arguments = watching->collection ? 4 : 3;
    saker_err_t error =
        skr_question_begin (&question, watching->self, SKR_COMMAND_WATCH, arguments);
    if (error == SAKER_OK) {
        if (watching->collection) {
            skr_question_text (&question, 0, watching->collection);
        }
        put_cursor (&question, watching->cursor);
        skr_question_uint (&question, 3, (uint64_t) timeout_ms);
        error = skr_question_ask (&question, timeout_ms + SKR_CLIENT_GRACE_MS);
    }
    if (error == SAKER_OK) {
        error = take_events (watching, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_watch (saker_t *self, const char *collection, saker_cursor_t *cursor,
                         int timeout_ms, saker_event_fn *event_fn, void *argument)
{
    watching_t watching = {.self = self,
                           .collection = collection,
                           .cursor = cursor,
                           .event_fn = event_fn,
                           .argument = argument};
    uint64_t deadline_ms = skr_client_deadline_ms (timeout_ms);
    for (;;) {
        uint64_t now_ms = skr_client_now_ms ();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        left_ms = left_ms < SKR_API_WATCH_MS_MAX ? left_ms : SKR_API_WATCH_MS_MAX;
        SKR_TRY (watch_once (&watching, (int) left_ms));
        if (watching.got) {
            return SAKER_OK;
        }
        if (skr_client_now_ms () >= deadline_ms) {
            return skr_fail (SAKER_ETIMEOUT, "nothing came within %d ms", timeout_ms);
        }
    }
}
