#include "peer/folding.h"

#include "crdt/fold.h"

#include <stdlib.h>
#include <string.h>

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* ---- noting */

static skr_span_t document_of (const skr_folding_t *self, const skr_folding_place_t *place)
{
    return skr_span (self->names.data + place->document_at, place->document_size);
}

static skr_span_t path_of (const skr_folding_t *self, const skr_folding_place_t *place)
{
    return skr_span (self->names.data + place->path_at, place->path_size);
}

static bool is_noted (const skr_folding_t *self, const skr_id_t *writer, const skr_op_t *op)
{
    for (size_t i = self->count; i-- > 0;) {
        const skr_folding_place_t *place = &self->places[i];
        if (skr_id_equal (&place->writer, writer)
            && skr_span_equal (document_of (self, place), op->document)
            && skr_span_equal (path_of (self, place), op->path)) {
            return true;
        }
        if (self->count - i == 64) {
            return false; /* one that is looked at twice is folded already */
        }
    }
    return false;
}

static saker_err_t add_place (skr_folding_t *self, const skr_id_t *writer, const skr_op_t *op)
{
    if (is_noted (self, writer, op)) {
        return SAKER_OK;
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 64;
        skr_folding_place_t *places = realloc (self->places, capacity * sizeof *places);
        if (!places) {
            return no_memory ();
        }
        self->places = places;
        self->capacity = capacity;
    }
    skr_folding_place_t *place = &self->places[self->count++];
    *place = (skr_folding_place_t){.writer = *writer,
                                   .document_at = self->names.size,
                                   .document_size = op->document.size,
                                   .path_at = self->names.size + op->document.size,
                                   .path_size = op->path.size};
    skr_buf_append_span (&self->names, op->document);
    skr_buf_append_span (&self->names, op->path);
    return self->names.failed ? no_memory () : SAKER_OK;
}

static saker_err_t note_content (skr_folding_t *self, const skr_change_t *change)
{
    skr_content_t content;
    saker_err_t error = skr_replica_content (self->replica, change, &self->content, &content);
    if (error == SAKER_ENOMEM) {
        return error;
    }
    if (error != SAKER_OK) {
        return SAKER_OK; /* without its key, say: the counter is folded another time */
    }
    for (size_t i = 0; i < content.ops_count && error == SAKER_OK; i++) {
        if (content.ops[i].kind == SKR_OP_INCR) {
            error = add_place (self, &change->writer, &content.ops[i]);
        }
    }
    skr_content_free (&content);
    return error;
}

saker_err_t skr_folding_note (skr_folding_t *self, uint64_t position)
{
    skr_log_entry_t entry;
    skr_change_t change;
    saker_err_t error = skr_log_get (self->replica->store, SKR_GROUP, position, &entry);
    if (error == SAKER_EDAMAGED || error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    if (skr_change_parse (&change, entry.change) != SAKER_OK
        || skr_clock_get (self->foldable, &change.writer) == 0) {
        return SAKER_OK;
    }
    return note_content (self, &change);
}

/* ---- folding */

/* The entries of one writer in one counter that can be folded. */
typedef struct parts_t {
    const skr_id_t *writer;
    uint64_t bound;
    skr_entry_t *list; /* address and value: offsets into the bytes until all are there */
    size_t count, capacity;
    skr_buf_t bytes;
} parts_t;

static saker_err_t take_part (const skr_entry_t *entry, void *argument)
{
    parts_t *parts = argument;
    if (!skr_id_equal (&entry->dot.writer, parts->writer) || entry->dot.seq > parts->bound) {
        return SAKER_OK;
    }
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity ? 2 * parts->capacity : 64;
        skr_entry_t *list = realloc (parts->list, capacity * sizeof *list);
        if (!list) {
            return no_memory ();
        }
        parts->list = list;
        parts->capacity = capacity;
    }
    parts->list[parts->count] = *entry;
    parts->list[parts->count++].value = skr_span (NULL, entry->value.size);
    skr_buf_append_span (&parts->bytes, entry->value);
    return parts->bytes.failed ? no_memory () : SAKER_OK;
}

/* The values stand still now; all have the address that was scanned. */
static void settle_parts (parts_t *parts, skr_span_t address)
{
    size_t at = 0;
    for (size_t i = 0; i < parts->count; i++) {
        parts->list[i].address = address;
        parts->list[i].value.data = parts->bytes.data + at;
        at += parts->list[i].value.size;
    }
}

static size_t last_part (const parts_t *parts)
{
    size_t last = 0;
    for (size_t i = 1; i < parts->count; i++) {
        last = skr_dot_compare (&parts->list[i].dot, &parts->list[last].dot) > 0 ? i : last;
    }
    return last;
}

/* The last goes first and the fold takes its place, so that the document is never empty. */
static saker_err_t replace_parts (const skr_cells_t *cells, skr_span_t document,
                                  const parts_t *parts, const skr_entry_t *fold)
{
    size_t last = last_part (parts);
    SKR_TRY (cells->remove (cells->context, document, &parts->list[last]));
    SKR_TRY (cells->put (cells->context, document, fold));
    for (size_t i = 0; i < parts->count; i++) {
        if (i != last) {
            SKR_TRY (cells->remove (cells->context, document, &parts->list[i]));
        }
    }
    return SAKER_OK;
}

static saker_err_t fold_parts (skr_folding_t *self, const skr_cells_t *cells, skr_span_t document,
                               const parts_t *parts)
{
    skr_fold_t fold = {.sum = 0};
    skr_buf_t value = {0};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < parts->count && error == SAKER_OK; i++) {
        error = skr_fold_add (&fold, &self->held->live.id, document, &parts->list[i]);
    }
    skr_fold_put (&value, &fold);
    if (error == SAKER_OK && value.failed) {
        error = no_memory ();
    }
    if (error == SAKER_OK) {
        skr_entry_t entry = parts->list[last_part (parts)];
        entry.value = skr_span_of (&value);
        error = replace_parts (cells, document, parts, &entry);
    }
    skr_buf_free (&value);
    return error;
}

static saker_err_t fold_place (skr_folding_t *self, const skr_folding_place_t *place)
{
    const skr_cells_t *cells = skr_cells_store_group (self->replica->cells, &self->held->live);
    parts_t parts = {.writer = &place->writer,
                     .bound = skr_clock_get (self->foldable, &place->writer)};
    skr_buf_t address = {0};
    skr_span_t document = document_of (self, place);
    skr_address_put (&address, path_of (self, place), SKR_COUNTER, skr_span (NULL, 0));
    saker_err_t error = address.failed ? no_memory ()
                                       : cells->scan (cells->context, document,
                                                      skr_span_of (&address), take_part, &parts);
    if (error == SAKER_OK && parts.count > 1) {
        settle_parts (&parts, skr_span_of (&address));
        error = fold_parts (self, cells, document, &parts);
    }
    skr_buf_free (&address);
    skr_buf_free (&parts.bytes);
    free (parts.list);
    return error;
}

saker_err_t skr_folding_end (skr_folding_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        SKR_TRY (fold_place (self, &self->places[i]));
    }
    return SAKER_OK;
}

void skr_folding_free (skr_folding_t *self)
{
    free (self->places);
    skr_buf_free (&self->names);
    skr_buf_wipe (&self->content);
}
