#include "tests/lib/memory_replica.h"

#include "crdt/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

skr_id_t memory_writer (unsigned n)
{
    skr_id_t id;
    memset (id.bytes, (int) ('A' + n), sizeof id.bytes);
    return id;
}

void memory_replica_init (memory_replica_t *self, unsigned n)
{
    memset (self, 0, sizeof *self);
    memory_cells_init (&self->cells);
    memset (self->collection.bytes, 0xc0, sizeof self->collection.bytes);
    self->writer = memory_writer (n);
    self->hlc = 1000;
}

void memory_replica_free (memory_replica_t *self)
{
    for (size_t i = 0; i < self->log_count; i++) {
        skr_buf_free (&self->log[i].undo);
    }
    free (self->log);
    memory_cells_free (&self->cells);
    skr_clock_free (&self->clock);
    skr_buf_free (&self->ops);
    skr_buf_free (&self->undo);
}

static void writers_table (skr_id_t writers[MEMORY_WRITERS])
{
    for (unsigned i = 0; i < MEMORY_WRITERS; i++) {
        writers[i] = memory_writer (i);
    }
}

static skr_applier_t applier (memory_replica_t *self, const skr_id_t *writer, uint64_t seq,
                              uint64_t hlc, skr_buf_t *undo)
{
    static skr_room_t room;
    return (skr_applier_t){.cells = &self->cells.cells,
                           .collection = self->collection,
                           .writer = *writer,
                           .seq = seq,
                           .hlc = hlc,
                           .fingerprint = &self->fingerprint,
                           .undo = undo,
                           .room = &room};
}

/* ---- writing ---- */

static saker_err_t find_pred (memory_replica_t *self, skr_op_kind_t kind, skr_span_t document,
                              skr_span_t path, skr_span_t argument, skr_pred_t pred[MEMORY_WRITERS],
                              size_t *count)
{
    skr_scope_t seen = {0};
    *count = 0;
    if ((kind == SKR_OP_INCR || kind == SKR_OP_ADD) && !self->pred_always) {
        return SAKER_OK;
    }
    saker_err_t error = skr_apply_seen (&self->cells.cells, kind, document, path, argument, &seen);
    for (size_t i = 0; i < seen.count && error == SAKER_OK; i++) {
        uint32_t writer = (uint32_t) (seen.dots[i].writer.bytes[0] - 'A');
        pred[i] = (skr_pred_t){writer, seen.dots[i].seq, seen.dots[i].index};
        *count = i + 1;
    }
    skr_scope_free (&seen);
    return error;
}

static saker_err_t write_op (memory_replica_t *self, skr_op_kind_t kind, skr_span_t document,
                             skr_span_t path, skr_span_t argument)
{
    skr_id_t writers[MEMORY_WRITERS];
    skr_pred_t pred[MEMORY_WRITERS];
    size_t count;
    skr_cbor_t cbor;
    skr_op_t op;
    writers_table (writers);
    SKR_TRY (find_pred (self, kind, document, path, argument, pred, &count));
    size_t before = self->ops.size;
    skr_op_put (&self->ops, kind, document, path, pred, count, argument);
    skr_cbor_open (&cbor, skr_span (self->ops.data + before, self->ops.size - before));
    skr_op_get (&cbor, &op, MEMORY_WRITERS, skr_span (NULL, 0));
    SKR_TRY (skr_cbor_close (&cbor));
    uint64_t seq = skr_clock_get (&self->clock, &self->writer) + 1;
    skr_applier_t by = applier (self, &self->writer, seq, self->hlc, &self->undo);
    SKR_TRY (skr_apply_op (&by, &op, writers, MEMORY_WRITERS, (uint32_t) self->ops_count));
    self->ops_count++;
    return SAKER_OK;
}

static bool no_argument (skr_op_kind_t kind)
{
    return kind == SKR_OP_DELETE || kind == SKR_OP_SET_MAP;
}

saker_err_t memory_replica_op (memory_replica_t *self, skr_op_kind_t kind, const char *document,
                               const char *pointer, const saker_value_t *value)
{
    skr_buf_t path = {0}, argument = {0};
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error == SAKER_OK) {
        if (!no_argument (kind)) {
            skr_value_put (&argument, value);
        }
        error = write_op (self, kind, skr_span_text (document), skr_span_of (&path),
                          skr_span_of (&argument));
    }
    skr_buf_free (&path);
    skr_buf_free (&argument);
    return error;
}

saker_err_t memory_replica_int (memory_replica_t *self, skr_op_kind_t kind, const char *document,
                                const char *pointer, int64_t number)
{
    saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    return memory_replica_op (self, kind, document, pointer, &value);
}

static void keep_log (memory_replica_t *self, const memory_change_t *change, skr_buf_t *undo)
{
    self->log = realloc (self->log, (self->log_count + 1) * sizeof *self->log);
    assert (self->log);
    self->log[self->log_count++] = (memory_log_t){change, *undo};
    memset (undo, 0, sizeof *undo);
    saker_err_t error = skr_clock_set (&self->clock, &change->writer, change->seq);
    assert (error == SAKER_OK);
    (void) error;
}

memory_change_t *memory_replica_commit (memory_replica_t *self)
{
    skr_id_t writers[MEMORY_WRITERS];
    skr_span_t none = skr_span (NULL, 0);
    memory_change_t *change = calloc (1, sizeof *change);
    assert (change && self->ops_count);
    writers_table (writers);
    change->writer = self->writer;
    change->seq = skr_clock_get (&self->clock, &self->writer) + 1;
    change->hlc = self->hlc;
    saker_err_t error = skr_clock_copy (&change->deps, &self->clock);
    assert (error == SAKER_OK);
    (void) error;
    skr_content_put (&change->content, writers, MEMORY_WRITERS, skr_span_of (&self->ops),
                     self->ops_count, none, none, none);
    keep_log (self, change, &self->undo);
    skr_buf_clear (&self->ops);
    self->ops_count = 0;
    self->hlc++;
    return change;
}

void memory_change_free (memory_change_t *self)
{
    skr_clock_free (&self->deps);
    skr_buf_free (&self->content);
    free (self);
}

/* ---- applying ---- */

bool memory_replica_ready (const memory_replica_t *self, const memory_change_t *change)
{
    return change->seq == skr_clock_get (&self->clock, &change->writer) + 1
           && skr_clock_covers (&self->clock, &change->deps);
}

saker_err_t memory_replica_apply (memory_replica_t *self, const memory_change_t *change)
{
    skr_content_t content;
    skr_buf_t undo = {0};
    if (change->seq <= skr_clock_get (&self->clock, &change->writer)) {
        return SAKER_OK; /* design 5: applying is idempotent */
    }
    if (!memory_replica_ready (self, change)) {
        return skr_fail (SAKER_EWAIT, "not ready");
    }
    SKR_TRY (skr_content_parse (&content, skr_span_of (&change->content)));
    skr_applier_t by = applier (self, &change->writer, change->seq, change->hlc, &undo);
    saker_err_t error = skr_apply_content (&by, &content);
    skr_content_free (&content);
    if (error == SAKER_OK) {
        keep_log (self, change, &undo);
    }
    skr_buf_free (&undo);
    return error;
}

saker_err_t memory_replica_undo (memory_replica_t *self)
{
    skr_content_t content;
    memory_log_t *last = &self->log[self->log_count - 1];
    const memory_change_t *change = last->change;
    SKR_TRY (skr_content_parse (&content, skr_span_of (&change->content)));
    skr_applier_t by = applier (self, &change->writer, change->seq, change->hlc, NULL);
    saker_err_t error =
        skr_apply_undo (&by, content.ops, content.ops_count, skr_span_of (&last->undo));
    skr_content_free (&content);
    SKR_TRY (error);
    skr_buf_free (&last->undo);
    self->log_count--;
    return skr_clock_set (&self->clock, &change->writer, change->seq - 1);
}

/* ---- comparing, showing ---- */

bool memory_replica_equal (const memory_replica_t *one, const memory_replica_t *other)
{
    skr_buf_t a = {0}, b = {0};
    memory_cells_dump (&one->cells, &a);
    memory_cells_dump (&other->cells, &b);
    bool equal = skr_span_equal (skr_span_of (&a), skr_span_of (&b));
    skr_buf_free (&a);
    skr_buf_free (&b);
    return equal && skr_fingerprint_equal (&one->fingerprint, &other->fingerprint);
}

bool memory_replica_sound (const memory_replica_t *self)
{
    skr_fingerprint_t sum = memory_cells_fingerprint (&self->cells, &self->collection);
    return skr_fingerprint_equal (&sum, &self->fingerprint);
}

static void show_text (skr_buf_t *text, const char *words)
{
    skr_buf_append (text, words, strlen (words));
}

static void show_value (skr_buf_t *text, const skr_leaf_t *leaf)
{
    char number[32];
    if (leaf->value.type == SAKER_INT) {
        snprintf (number, sizeof number, " %lld", (long long) leaf->value.as.integer);
        show_text (text, number);
    } else if (leaf->value.type == SAKER_TEXT) {
        show_text (text, " ");
        skr_buf_append (text, leaf->value.as.string.data, leaf->value.as.string.size);
    } else if (leaf->value.type != SAKER_MAP) {
        show_text (text, " ?");
    }
}

static saker_err_t show_leaf (const skr_leaf_t *leaf, void *argument)
{
    static const char *const kinds[] = {[SKR_REGISTER] = "",
                                        [SKR_LWW] = " lww",
                                        [SKR_COUNTER] = " counter",
                                        [SKR_MEMBER] = " member",
                                        [SKR_MAP] = " map"};
    skr_buf_t *text = argument;
    show_text (text, text->size ? ", " : "");
    skr_path_to_pointer (text, leaf->path);
    show_text (text, kinds[leaf->kind]);
    show_value (text, leaf);
    show_text (text, leaf->rival ? " rival" : "");
    show_text (text, leaf->conflict ? " conflict" : "");
    show_text (text, !leaf->shown && !leaf->rival ? " hidden" : "");
    return SAKER_OK;
}

const char *memory_replica_show (const memory_replica_t *self, const char *document,
                                 const char *pointer)
{
    static char shown[4096];
    skr_buf_t text = {0}, path = {0};
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error == SAKER_OK) {
        error = skr_view_document (&self->cells.cells, skr_span_text (document),
                                   skr_span_of (&path), show_leaf, &text, NULL);
    }
    if (error == SAKER_ENOTFOUND) {
        snprintf (shown, sizeof shown, "nothing");
    } else if (error != SAKER_OK) {
        snprintf (shown, sizeof shown, "error: %s", skr_error ());
    } else {
        snprintf (shown, sizeof shown, "%.*s", (int) text.size, (const char *) text.data);
    }
    skr_buf_free (&text);
    skr_buf_free (&path);
    return shown;
}
