/* History and conflicts. One change, or one conflict, is taken apart at a time: its operations,
   rivals and bases stand in arrays that are kept for the next, its texts in an arena. Texts are
   noted by their place in it, until all of them are there. */

#include "mesh/client_internal.h"

#include "crdt/limits.h"
#include "crdt/path.h"
#include "crdt/value.h"
#include "peer/api_internal.h"

#include <stdlib.h>
#include <string.h>

/* A growing array of one type. */
typedef struct rows_t {
    void *list;
    size_t count, capacity;
} rows_t;

/* Where texts of a base lie in the arena, and where the bases of an operation or rival begin. */
typedef struct base_note_t {
    size_t pointer, author;
} base_note_t;

typedef struct note_t {
    size_t pointer, author, first_base;
} note_t;

typedef struct taking_t {
    skr_buf_t texts;
    rows_t bases, base_notes; /* saker_base_t, base_note_t */
    rows_t rows, notes;       /* saker_operation_t or saker_rival_t, note_t */
    bool failed;
} taking_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* The next place in the rows, zeroed; NULL, and failed, when memory is out. */
static void *add_row (taking_t *taking, rows_t *rows, size_t size)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? 2 * rows->capacity : 16;
        void *list = realloc (rows->list, capacity * size);
        if (!list) {
            taking->failed = true;
            return NULL;
        }
        rows->list = list;
        rows->capacity = capacity;
    }
    void *row = (uint8_t *) rows->list + rows->count++ * size;
    memset (row, 0, size);
    return row;
}

static void begin_taking (taking_t *taking)
{
    skr_buf_clear (&taking->texts);
    taking->bases.count = taking->base_notes.count = 0;
    taking->rows.count = taking->notes.count = 0;
}

static void end_taking (taking_t *taking)
{
    skr_buf_free (&taking->texts);
    free (taking->bases.list);
    free (taking->base_notes.list);
    free (taking->rows.list);
    free (taking->notes.list);
}

/* ---- texts */

static size_t keep_path (taking_t *taking, skr_span_t path)
{
    size_t at = taking->texts.size;
    skr_path_to_pointer (&taking->texts, path);
    skr_buf_append_byte (&taking->texts, 0);
    return at;
}

static size_t keep_name (taking_t *taking, skr_cbor_t *cbor, size_t bytes_max)
{
    char name[SKR_DOCUMENT_BYTES_MAX + 1];
    size_t at = taking->texts.size;
    skr_fields_text (cbor, name, bytes_max + 1);
    skr_buf_append (&taking->texts, name, strlen (name) + 1);
    return at;
}

static const char *text_at (const taking_t *taking, size_t at)
{
    return (const char *) taking->texts.data + at;
}

static void get_cell_value (skr_cbor_t *cbor, saker_cell_t cell, saker_value_t *value)
{
    skr_value_get (cbor, value);
    if (cell == SAKER_EMPTY_MAP) {
        value->type = SAKER_MAP;
    }
}

/* ---- bases */

static void take_base (taking_t *taking, skr_cbor_t *cbor)
{
    saker_base_t *base = add_row (taking, &taking->bases, sizeof *base);
    base_note_t *note = add_row (taking, &taking->base_notes, sizeof *note);
    if (!base || !note) {
        return;
    }
    if (skr_cbor_get_array (cbor, 8) != 8) {
        skr_cbor_reject (cbor, "not a base");
    }
    note->pointer = keep_path (taking, skr_cbor_get_bytes (cbor));
    base->cell = (saker_cell_t) skr_cbor_get_uint (cbor);
    get_cell_value (cbor, base->cell, &base->value);
    base->time_ms = skr_cbor_get_uint (cbor);
    note->author = keep_name (taking, cbor, SKR_NAME_BYTES_MAX);
    skr_cbor_get_fixed (cbor, base->writer, sizeof base->writer);
    base->seq = skr_cbor_get_uint (cbor);
    base->known = skr_cbor_get_bool (cbor);
}

/* The array of bases, and how many there are beyond it. Returns the number in the array. */
static size_t take_bases (taking_t *taking, skr_cbor_t *cbor, uint64_t *more)
{
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && !cbor->error && !taking->failed; i++) {
        take_base (taking, cbor);
    }
    *more = skr_cbor_get_uint (cbor);
    return count;
}

/* Nothing moves any more: the texts get their places. */
static void settle_bases (taking_t *taking)
{
    saker_base_t *bases = taking->bases.list;
    const base_note_t *notes = taking->base_notes.list;
    for (size_t i = 0; i < taking->bases.count; i++) {
        bases[i].pointer = text_at (taking, notes[i].pointer);
        bases[i].author = text_at (taking, notes[i].author);
    }
}

static const saker_base_t *bases_at (const taking_t *taking, size_t first)
{
    return first < taking->bases.count ? (const saker_base_t *) taking->bases.list + first : NULL;
}

static saker_err_t check_taking (const taking_t *taking, const skr_cbor_t *cbor)
{
    if (taking->failed || taking->texts.failed) {
        return no_memory ();
    }
    return cbor->error ? skr_fail (SAKER_EINPUT, "answer of the daemon: %s", cbor->wrong)
                       : SAKER_OK;
}

/* ---- changes */

typedef struct reading_t {
    taking_t taking;
    const char *collection, *document;
    uint64_t below;
    bool more, stopped;
    saker_begin_t begin;
    saker_change_fn *change_fn;
    void *argument;
} reading_t;

static void take_operation (taking_t *taking, skr_cbor_t *cbor)
{
    saker_operation_t *operation = add_row (taking, &taking->rows, sizeof *operation);
    note_t *note = add_row (taking, &taking->notes, sizeof *note);
    if (!operation || !note) {
        return;
    }
    if (skr_cbor_get_array (cbor, 5) != 5) {
        skr_cbor_reject (cbor, "not an operation");
    }
    operation->action = (saker_action_t) skr_cbor_get_uint (cbor);
    note->pointer = keep_path (taking, skr_cbor_get_bytes (cbor));
    skr_value_get (cbor, &operation->value);
    note->first_base = taking->bases.count;
    operation->bases_count = take_bases (taking, cbor, &operation->bases_more);
}

static void settle_operations (taking_t *taking)
{
    saker_operation_t *operations = taking->rows.list;
    const note_t *notes = taking->notes.list;
    settle_bases (taking);
    for (size_t i = 0; i < taking->rows.count; i++) {
        operations[i].pointer = text_at (taking, notes[i].pointer);
        operations[i].bases = bases_at (taking, notes[i].first_base);
    }
}

static saker_err_t take_change (reading_t *reading, skr_cbor_t *cbor)
{
    taking_t *taking = &reading->taking;
    saker_change_t change = {.position = 0};
    begin_taking (taking);
    if (skr_cbor_get_array (cbor, 7) != 7) {
        skr_cbor_reject (cbor, "not a change");
    }
    change.position = skr_cbor_get_uint (cbor);
    change.time_ms = skr_cbor_get_uint (cbor);
    size_t author = keep_name (taking, cbor, SKR_NAME_BYTES_MAX);
    skr_cbor_get_fixed (cbor, change.writer, sizeof change.writer);
    change.seq = skr_cbor_get_uint (cbor);
    uint64_t state = skr_cbor_get_uint (cbor);
    change.sealed = state == 1;
    change.damaged = state == 2;
    size_t count = skr_cbor_get_array (cbor, SKR_CHANGE_OPS_MAX);
    for (size_t i = 0; i < count && !cbor->error && !taking->failed; i++) {
        take_operation (taking, cbor);
    }
    SKR_TRY (check_taking (taking, cbor));
    settle_operations (taking);
    change.author = text_at (taking, author);
    change.operations = taking->rows.list;
    change.operations_count = taking->rows.count;
    reading->stopped = reading->change_fn (&change, reading->argument) != 0;
    return SAKER_OK;
}

static saker_err_t take_begin (reading_t *reading, skr_cbor_t *cbor)
{
    if (skr_cbor_get_array (cbor, 2) != 2) {
        skr_cbor_reject (cbor, "not the begin of a history");
    }
    reading->begin.whole = skr_cbor_get_bool (cbor);
    reading->begin.time_ms = skr_cbor_get_uint (cbor);
    return SAKER_OK;
}

/* The changes are handed over last, when it is known where history begins: a callback may end it.
 */
static saker_err_t take_changes (reading_t *reading, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    skr_span_t changes = skr_cbor_get_raw (cbor);
    skr_fields_need (&question->fields, 1);
    SKR_TRY (take_begin (reading, cbor));
    reading->more = skr_fields_has (&question->fields, 2);
    if (reading->more) {
        reading->below = skr_cbor_get_uint (cbor);
    }
    SKR_TRY (skr_question_check (question));
    skr_cbor_t list;
    skr_cbor_open (&list, changes);
    size_t count = skr_cbor_get_array (&list, SIZE_MAX);
    for (size_t i = 0; i < count && !reading->stopped; i++) {
        SKR_TRY (take_change (reading, &list));
    }
    return SAKER_OK;
}

static saker_err_t read_changes (saker_t *self, reading_t *reading)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_LOG, 3);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, reading->collection);
        skr_question_text (&question, 1, reading->document);
        skr_question_uint (&question, 2, reading->below);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_changes (reading, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_log (saker_t *self, const char *collection, const char *document,
                       saker_change_fn *change_fn, void *argument, saker_begin_t *begin)
{
    reading_t reading = {.collection = collection,
                         .document = document,
                         .change_fn = change_fn,
                         .argument = argument};
    saker_err_t error;
    do {
        error = read_changes (self, &reading);
    } while (error == SAKER_OK && reading.more && !reading.stopped);
    end_taking (&reading.taking);
    if (error == SAKER_OK && begin) {
        *begin = reading.begin;
    }
    return error;
}

/* ---- restoring */

saker_err_t saker_restore_document (saker_t *self, const char *collection, const char *document,
                                    const char *pointer, uint64_t time_ms, saker_receipt_t *receipt)
{
    skr_question_t question;
    saker_receipt_t unwanted;
    skr_buf_t path = {0};
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error != SAKER_OK) {
        skr_buf_free (&path);
        return error;
    }
    error = skr_question_begin (&question, self, SKR_COMMAND_RESTORE, 4);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, collection);
        skr_question_text (&question, 1, document);
        skr_question_bytes (&question, 2, path.data, path.size);
        skr_question_uint (&question, 3, time_ms);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = skr_question_receipt (&question, receipt ? receipt : &unwanted);
    }
    skr_question_end (&question);
    skr_buf_free (&path);
    return error;
}

/* ---- conflicts */

typedef struct listing_t {
    taking_t taking;
    bool all; /* collections, from the name on */
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    const char *document;
    skr_buf_t path, key;
    bool with_path;
    bool more, stopped;
    saker_conflict_fn *conflict_fn;
    void *argument;
} listing_t;

static void take_rival (taking_t *taking, skr_cbor_t *cbor)
{
    saker_rival_t *rival = add_row (taking, &taking->rows, sizeof *rival);
    note_t *note = add_row (taking, &taking->notes, sizeof *note);
    if (!rival || !note) {
        return;
    }
    if (skr_cbor_get_array (cbor, 9) != 9) {
        skr_cbor_reject (cbor, "not a rival");
    }
    rival->cell = (saker_cell_t) skr_cbor_get_uint (cbor);
    get_cell_value (cbor, rival->cell, &rival->value);
    rival->shown = !(skr_cbor_get_uint (cbor) & SKR_API_RIVAL);
    rival->time_ms = skr_cbor_get_uint (cbor);
    note->author = keep_name (taking, cbor, SKR_NAME_BYTES_MAX);
    skr_cbor_get_fixed (cbor, rival->writer, sizeof rival->writer);
    rival->seq = skr_cbor_get_uint (cbor);
    note->first_base = taking->bases.count;
    rival->bases_count = take_bases (taking, cbor, &rival->bases_more);
}

static void settle_rivals (taking_t *taking)
{
    saker_rival_t *rivals = taking->rows.list;
    const note_t *notes = taking->notes.list;
    settle_bases (taking);
    for (size_t i = 0; i < taking->rows.count; i++) {
        rivals[i].author = text_at (taking, notes[i].author);
        rivals[i].bases = bases_at (taking, notes[i].first_base);
    }
}

static saker_err_t take_conflict (listing_t *listing, skr_cbor_t *cbor)
{
    taking_t *taking = &listing->taking;
    begin_taking (taking);
    if (skr_cbor_get_array (cbor, 4) != 4) {
        skr_cbor_reject (cbor, "not a conflict");
    }
    size_t collection = keep_name (taking, cbor, SKR_COLLECTION_BYTES_MAX);
    size_t document = keep_name (taking, cbor, SKR_DOCUMENT_BYTES_MAX);
    size_t pointer = keep_path (taking, skr_cbor_get_bytes (cbor));
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && !cbor->error && !taking->failed; i++) {
        take_rival (taking, cbor);
    }
    SKR_TRY (check_taking (taking, cbor));
    settle_rivals (taking);
    const saker_conflict_t conflict = {.collection = text_at (taking, collection),
                                       .document = text_at (taking, document),
                                       .pointer = text_at (taking, pointer),
                                       .rivals = taking->rows.list,
                                       .rivals_count = taking->rows.count};
    listing->stopped = listing->conflict_fn (&conflict, listing->argument) != 0;
    return SAKER_OK;
}

static saker_err_t take_conflicts (listing_t *listing, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor, list;
    skr_fields_need (&question->fields, 0);
    skr_span_t conflicts = skr_cbor_get_raw (cbor);
    listing->more = skr_fields_has (&question->fields, 1);
    skr_buf_clear (&listing->key);
    if (listing->more) {
        skr_fields_text (cbor, listing->name, sizeof listing->name);
        skr_fields_need (&question->fields, 2);
        skr_buf_append_span (&listing->key, skr_cbor_get_bytes (cbor));
    }
    SKR_TRY (skr_question_check (question));
    skr_cbor_open (&list, conflicts);
    size_t count = skr_cbor_get_array (&list, SIZE_MAX);
    for (size_t i = 0; i < count && !listing->stopped; i++) {
        SKR_TRY (take_conflict (listing, &list));
    }
    return listing->key.failed ? no_memory () : SAKER_OK;
}

static saker_err_t list_page (saker_t *self, listing_t *listing)
{
    skr_question_t question;
    size_t arguments =
        2u + (listing->document != NULL) + listing->with_path + (listing->key.size > 0);
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_CONFLICTS, arguments);
    if (error == SAKER_OK) {
        skr_cbor_put_uint (&question.request, 0);
        skr_cbor_put_bool (&question.request, listing->all);
        skr_question_text (&question, 1, listing->name);
        if (listing->document) {
            skr_question_text (&question, 2, listing->document);
        }
        if (listing->with_path) {
            skr_question_bytes (&question, 3, listing->path.data, listing->path.size);
        }
        if (listing->key.size > 0) {
            skr_question_bytes (&question, 4, listing->key.data, listing->key.size);
        }
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_conflicts (listing, &question);
    }
    skr_question_end (&question);
    return error;
}

static saker_err_t begin_listing (listing_t *listing, const char *collection, const char *document,
                                  const char *pointer)
{
    listing->all = !collection;
    listing->document = document;
    listing->with_path = pointer != NULL;
    if ((!collection && document) || (!document && pointer)) {
        return skr_fail (SAKER_EUSAGE, "a place has a document, and a document a collection");
    }
    if (collection && strlen (collection) > SKR_COLLECTION_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "the name of a collection has at most %d bytes",
                         SKR_COLLECTION_BYTES_MAX);
    }
    if (collection) {
        memcpy (listing->name, collection, strlen (collection));
    }
    return pointer ? skr_path_from_pointer (&listing->path, pointer) : SAKER_OK;
}

saker_err_t saker_conflicts (saker_t *self, const char *collection, const char *document,
                             const char *pointer, saker_conflict_fn *conflict_fn, void *argument)
{
    listing_t listing = {.conflict_fn = conflict_fn, .argument = argument};
    saker_err_t error = begin_listing (&listing, collection, document, pointer);
    bool more = true;
    while (error == SAKER_OK && more) {
        error = list_page (self, &listing);
        more = listing.more && !listing.stopped;
    }
    end_taking (&listing.taking);
    skr_buf_free (&listing.path);
    skr_buf_free (&listing.key);
    return error;
}
