/* Commands that tell of the past and bring it back. */

#include "peer/api_internal.h"
#include "peer/fetching.h"
#include "peer/history.h"
#include "peer/partial.h"
#include "peer/past.h"
#include "peer/reviving.h"

#include "crdt/hlc.h"
#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 1024 /* in one page */

enum { READABLE = 0, SEALED = 1, DAMAGED = 2 };

static const char *author_of (skr_replica_t *replica, const skr_id_t *writer)
{
    const skr_member_t *member = skr_roster_by_writer (skr_replica_roster (replica), writer);
    return member ? member->name : "";
}

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
}

/* ---- bases */

typedef struct bases_t {
    skr_opening_t *opening;
    skr_buf_t buf; /* encoded */
    size_t count, more;
    skr_dot_t dots[SKR_API_BASES_MAX]; /* of those that are there */
} bases_t;

static void put_value (skr_buf_t *buf, skr_span_t value)
{
    if (value.size > 0) {
        skr_buf_append_span (buf, value);
    } else {
        skr_cbor_put_null (buf);
    }
}

static bool take_turn (bases_t *bases, const skr_dot_t *dot)
{
    if (bases->count == SKR_API_BASES_MAX) {
        bases->more++;
        return false;
    }
    bases->dots[bases->count++] = *dot;
    return true;
}

static void put_base (bases_t *bases, const skr_dot_t *dot, uint64_t hlc, skr_span_t path,
                      skr_kind_t kind, skr_span_t value, bool known)
{
    skr_buf_t *buf = &bases->buf;
    skr_cbor_put_array (buf, 8);
    skr_cbor_put_bytes (buf, path.data, path.size);
    skr_cbor_put_uint (buf, kind);
    put_value (buf, kind == SKR_MAP ? skr_span (NULL, 0) : value);
    skr_cbor_put_uint (buf, skr_hlc_ms (hlc));
    skr_api_put_text (buf, author_of (bases->opening->replica, &dot->writer));
    skr_cbor_put_bytes (buf, dot->writer.bytes, sizeof dot->writer.bytes);
    skr_cbor_put_uint (buf, dot->seq);
    skr_cbor_put_bool (buf, known);
}

static saker_err_t take_ended (size_t index, const skr_entry_t *entry, void *argument)
{
    bases_t *bases = argument;
    skr_span_t path, member;
    skr_kind_t kind;
    (void) index;
    SKR_TRY (skr_address_parse (entry->address, &path, &kind, &member));
    if (take_turn (bases, &entry->dot)) {
        put_base (bases, &entry->dot, entry->hlc, path, kind,
                  kind == SKR_MEMBER ? member : entry->value, true);
    }
    return SAKER_OK;
}

/* What the writer saw, but was ended here by another before: it is looked up where it was made. */
static saker_err_t take_seen (bases_t *bases, const skr_dot_t *dot)
{
    const skr_opened_t *opened;
    for (size_t i = 0; i < bases->count; i++) {
        if (skr_dot_compare (&bases->dots[i], dot) == 0) {
            return SAKER_OK;
        }
    }
    if (!take_turn (bases, dot)) {
        return SAKER_OK;
    }
    saker_err_t error = skr_opening_find (bases->opening, dot, &opened);
    const skr_op_t *op = error ? NULL : skr_opened_op (opened, dot);
    if (error && error != SAKER_ENOTFOUND) {
        return error;
    }
    if (op) {
        put_base (bases, dot, opened->hlc, op->path, skr_op_cell (op->kind), op->argument, true);
    } else {
        put_base (bases, dot, error ? 0 : opened->hlc, skr_span (NULL, 0), SKR_REGISTER,
                  skr_span (NULL, 0), false);
    }
    return SAKER_OK;
}

/* The dots that an operation saw, with their writers spelled out. *dots is allocated: looking one
   up may close the change that the operation lies in. */
static saker_err_t list_seen (const skr_content_t *content, const skr_op_t *op, skr_dot_t **dots,
                              size_t *count)
{
    skr_pred_t *pred;
    *dots = NULL;
    SKR_TRY (skr_op_pred (op, &pred, count));
    if (*count > 0 && !(*dots = calloc (*count, sizeof **dots))) {
        free (pred);
        return no_memory ();
    }
    for (size_t i = 0; i < *count; i++) {
        (*dots)[i] = (skr_dot_t){content->writers[pred[i].writer], pred[i].seq, pred[i].index};
    }
    free (pred);
    return SAKER_OK;
}

static saker_err_t gather_bases (bases_t *bases, const skr_dot_t *dots, size_t count,
                                 skr_span_t undo)
{
    if (undo.size > 0) {
        SKR_TRY (skr_apply_ended (undo, 1, take_ended, bases));
    }
    for (size_t i = 0; i < count; i++) {
        SKR_TRY (take_seen (bases, &dots[i]));
    }
    return bases->buf.failed ? no_memory () : SAKER_OK;
}

saker_err_t skr_api_put_bases (skr_opening_t *opening, const skr_content_t *content,
                               const skr_op_t *op, skr_span_t undo, skr_buf_t *buf)
{
    bases_t bases = {.opening = opening};
    skr_dot_t *dots;
    size_t count;
    SKR_TRY (list_seen (content, op, &dots, &count));
    saker_err_t error = gather_bases (&bases, dots, count, undo);
    if (!error) {
        skr_cbor_put_array (buf, bases.count);
        skr_buf_append_span (buf, skr_span_of (&bases.buf));
        skr_cbor_put_uint (buf, bases.more);
    }
    skr_buf_wipe (&bases.buf);
    free (dots);
    return error;
}

/* ---- LOG */

typedef struct listing_t {
    skr_replica_t *replica;
    const skr_collection_t *collection;
    skr_span_t document;
    skr_opening_t *opening;
    skr_buf_t *changes;
    size_t count;
    skr_buf_t clear;
    bool touched; /* the change at hand has an operation of the document */
} listing_t;

static void put_head (listing_t *listing, uint64_t position, const skr_change_t *change, int state)
{
    static const skr_change_t none;
    const skr_change_t *shown = change ? change : &none;
    skr_buf_t *buf = listing->changes;
    skr_cbor_put_array (buf, 7);
    skr_cbor_put_uint (buf, position);
    skr_cbor_put_uint (buf, skr_hlc_ms (shown->hlc));
    skr_api_put_text (buf, change ? author_of (listing->replica, &change->writer) : "");
    skr_cbor_put_bytes (buf, shown->writer.bytes, sizeof shown->writer.bytes);
    skr_cbor_put_uint (buf, shown->seq);
    skr_cbor_put_uint (buf, (uint64_t) state);
}

static size_t count_ops (const listing_t *listing, const skr_content_t *content)
{
    size_t count = 0;
    for (size_t i = 0; i < content->ops_count; i++) {
        count += skr_span_equal (content->ops[i].document, listing->document);
    }
    return count;
}

static saker_err_t put_op (listing_t *listing, const skr_content_t *content, const skr_op_t *op,
                           skr_span_t undo)
{
    skr_buf_t *buf = listing->changes;
    skr_cbor_put_array (buf, 5);
    skr_cbor_put_uint (buf, op->kind);
    skr_cbor_put_bytes (buf, op->path.data, op->path.size);
    put_value (buf, op->argument);
    return skr_api_put_bases (listing->opening, content, op, undo, buf);
}

/* The undo of each operation follows that of the one before. */
static saker_err_t put_ops (listing_t *listing, const skr_content_t *content, skr_span_t undo)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, undo);
    skr_cbor_put_array (listing->changes, count_ops (listing, content));
    for (size_t i = 0; i < content->ops_count; i++) {
        skr_span_t part = skr_cbor_get_raw (&cbor);
        if (skr_span_equal (content->ops[i].document, listing->document)) {
            SKR_TRY (put_op (listing, content, &content->ops[i],
                             cbor.error ? skr_span (NULL, 0) : part));
        }
    }
    return SAKER_OK;
}

static saker_err_t put_content (listing_t *listing, const skr_log_entry_t *entry,
                                const skr_change_t *change, const skr_content_t *content)
{
    if (count_ops (listing, content) == 0) {
        return SAKER_OK; /* another document with the same hash */
    }
    listing->count++;
    put_head (listing, entry->position, change, READABLE);
    return put_ops (listing, content, entry->undo);
}

static saker_err_t put_closed (listing_t *listing, uint64_t position, const skr_change_t *change,
                               int state)
{
    listing->count++;
    put_head (listing, position, change, state);
    skr_cbor_put_array (listing->changes, 0);
    return SAKER_OK;
}

static saker_err_t put_change (listing_t *listing, uint64_t position)
{
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    saker_err_t error =
        skr_log_get (skr_replica_store (listing->replica), SKR_COMMITTED, position, &entry);
    if (error == SAKER_EDAMAGED) {
        return put_closed (listing, position, NULL, DAMAGED);
    }
    if (error == SAKER_ENOTFOUND || (!error && entry.collection_no != listing->collection->no)) {
        return SAKER_OK; /* dropped since */
    }
    SKR_TRY (error);
    SKR_TRY (skr_change_parse (&change, entry.change));
    error = skr_replica_content (listing->replica, &change, &listing->clear, &content);
    if (error == SAKER_ENOMEM) {
        return error;
    }
    if (error) {
        return put_closed (listing, position, &change, SEALED);
    }
    error = put_content (listing, &entry, &change, &content);
    skr_content_free (&content);
    return error;
}

/* *next: the position below which the next page begins; 0: there is none. */
static saker_err_t put_changes (listing_t *listing, const uint64_t *positions, size_t count,
                                uint64_t below, uint64_t *next)
{
    *next = 0;
    for (size_t i = count; i-- > 0;) {
        if (below > 0 && positions[i] >= below) {
            continue;
        }
        if (listing->changes->size >= SKR_API_PAGE_BYTES || listing->count == CHANGES_MAX) {
            *next = positions[i] + 1;
            return SAKER_OK;
        }
        SKR_TRY (put_change (listing, positions[i]));
    }
    return listing->changes->failed ? no_memory () : SAKER_OK;
}

static saker_err_t find_changes (listing_t *listing, uint64_t below, uint64_t *next)
{
    uint64_t *positions;
    size_t count;
    SKR_TRY (skr_replica_check_indexes (listing->replica));
    SKR_TRY (skr_history_find (listing->replica, SKR_COMMITTED, listing->collection->no,
                               listing->document, &positions, &count));
    skr_opening_t *opening = calloc (1, sizeof *opening);
    if (!opening) {
        free (positions);
        return no_memory ();
    }
    opening->replica = listing->replica;
    opening->collection_no = listing->collection->no;
    listing->opening = opening;
    saker_err_t error = put_changes (listing, positions, count, below, next);
    skr_opening_free (opening);
    free (opening);
    free (positions);
    skr_buf_wipe (&listing->clear);
    return error;
}

static saker_err_t get_place (skr_api_call_t *call, char name[SKR_COLLECTION_BYTES_MAX + 1],
                              skr_span_t *document)
{
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, name, SKR_COLLECTION_BYTES_MAX + 1);
    skr_fields_need (&call->fields, 1);
    *document = skr_cbor_get_text (&call->cbor);
    return document->size < 1 || document->size > SKR_DOCUMENT_BYTES_MAX
               ? skr_fail (SAKER_EINPUT, "a document id has 1 to %d bytes", SKR_DOCUMENT_BYTES_MAX)
               : SAKER_OK;
}

saker_err_t skr_api_log (skr_api_t *self, skr_api_call_t *call)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    listing_t listing = {.replica = self->replica, .changes = skr_api_scratch (self)};
    skr_begin_t begin;
    uint64_t next = 0;
    SKR_TRY (get_place (call, name, &listing.document));
    skr_fields_need (&call->fields, 2);
    uint64_t below = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_api_readable (self->replica, name, &listing.collection));
    SKR_TRY (skr_partial_check (self->replica, listing.collection, listing.document));
    SKR_TRY (find_changes (&listing, below, &next));
    SKR_TRY (skr_history_begin (self->replica, SKR_COMMITTED, listing.collection->no, &begin));
    if (listing.count == 0 && below == 0 && begin.whole) {
        SKR_TRY (skr_fetching_check (self->replica, &listing.collection->id, name));
        return skr_fail (SAKER_ENOTFOUND, "no change ever touched %s/%.*s", name,
                         (int) listing.document.size, (const char *) listing.document.data);
    }
    skr_cbor_put_map (call->body, next > 0 ? 3 : 2);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, listing.count);
    skr_buf_append_span (call->body, skr_span_of (listing.changes));
    skr_cbor_put_uint (call->body, 1);
    skr_cbor_put_array (call->body, 2);
    skr_cbor_put_bool (call->body, begin.whole);
    skr_cbor_put_uint (call->body, skr_hlc_ms (begin.hlc));
    if (next > 0) {
        skr_cbor_put_uint (call->body, 2);
        skr_cbor_put_uint (call->body, next);
    }
    return SAKER_OK;
}

/* ---- RESTORE */

saker_err_t skr_api_restore (skr_api_t *self, skr_api_call_t *call)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_collection_t *collection;
    saker_receipt_t receipt;
    skr_span_t document;
    uint64_t hlc;
    SKR_TRY (get_place (call, name, &document));
    skr_fields_need (&call->fields, 2);
    skr_span_t path = skr_cbor_get_bytes (&call->cbor);
    skr_fields_need (&call->fields, 3);
    uint64_t time_ms = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_path_check (path));
    SKR_TRY (skr_past_hlc (self->replica, time_ms, &hlc));
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_api_readable (self->replica, name, &collection));
    SKR_TRY (skr_replica_revive (self->replica, collection, document, path, hlc, &receipt));
    skr_api_put_receipt (call, &receipt);
    return SAKER_OK;
}
