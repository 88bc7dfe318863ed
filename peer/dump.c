#include "peer/dump.h"

#include "crdt/hlc.h"
#include "crdt/path.h"
#include "crdt/value.h"
#include "peer/checkup.h"
#include "peer/cut.h"
#include "peer/receipts.h"
#include "peer/replica_internal.h"
#include "peer/statement.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dump_t {
    skr_replica_t *replica;
    const skr_held_t *held; /* the collection that is dumped now */
    skr_span_t document;    /* the only one; empty: all */
    saker_dump_fn *dump_fn;
    void *argument;
    skr_buf_t line, pointer, clear, text;
    uint64_t found, damaged;
} dump_t;

/* ---- one line of JSON */

static void add (dump_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
static void add (dump_t *self, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    if (size < 0 || (size_t) size >= sizeof text) {
        self->line.failed = true;
        return;
    }
    skr_buf_append (&self->line, text, (size_t) size);
}

/* Text that may be no UTF-8 is only that of damaged records; those are told by their keys. */
static void add_text (dump_t *self, skr_span_t text)
{
    skr_buf_append_byte (&self->line, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            skr_buf_append_byte (&self->line, '\\');
        }
        if (c < ' ') {
            add (self, "\\u%04x", c);
        } else {
            skr_buf_append_byte (&self->line, c);
        }
    }
    skr_buf_append_byte (&self->line, '"');
}

static void add_hex (dump_t *self, const char *key, const uint8_t *bytes, size_t size)
{
    char hex[2 * 64 + 1];
    skr_hex (hex, bytes, size < 64 ? size : 64);
    add (self, ",\"%s\":\"%s\"", key, hex);
}

static void add_bytes (dump_t *self, skr_span_t bytes)
{
    size_t size = sodium_base64_encoded_len (bytes.size, sodium_base64_VARIANT_ORIGINAL);
    skr_buf_clear (&self->text);
    if (!skr_buf_reserve (&self->text, size)) {
        self->line.failed = true;
        return;
    }
    (void) sodium_bin2base64 ((char *) self->text.data, size, bytes.data, bytes.size,
                              sodium_base64_VARIANT_ORIGINAL);
    add (self, "{\"$bytes\":\"");
    skr_buf_append (&self->line, self->text.data, size - 1);
    add (self, "\"}");
}

static void add_value (dump_t *self, const saker_value_t *value)
{
    skr_span_t string = skr_span (value->as.string.data, value->as.string.size);
    switch (value->type) {
    case SAKER_NULL:
        add (self, "null");
        break;
    case SAKER_BOOL:
        add (self, "%s", value->as.boolean ? "true" : "false");
        break;
    case SAKER_INT:
        add (self, "%" PRId64, value->as.integer);
        break;
    case SAKER_DOUBLE:
        add (self, "%.17g", value->as.number);
        break;
    case SAKER_TEXT:
        add_text (self, string);
        break;
    case SAKER_BYTES:
        add_bytes (self, string);
        break;
    case SAKER_MAP:
        add (self, "{}");
        break;
    }
}

static void add_path (dump_t *self, skr_span_t path)
{
    skr_buf_clear (&self->pointer);
    skr_path_to_pointer (&self->pointer, path);
    add (self, ",\"path\":");
    add_text (self, skr_span_of (&self->pointer));
}

static void add_clock (dump_t *self, const char *key, const skr_clock_t *clock)
{
    char writer[33];
    add (self, ",\"%s\":{", key);
    for (size_t i = 0; i < clock->count; i++) {
        skr_hex (writer, clock->ticks[i].writer.bytes, 16);
        add (self, "%s\"%s\":%" PRIu64, i ? "," : "", writer, clock->ticks[i].seq);
    }
    add (self, "}");
}

static void begin_line (dump_t *self, const char *kind)
{
    skr_buf_clear (&self->line);
    add (self, "{\"kind\":\"%s\"", kind);
    if (self->held) {
        add (self, ",\"collection\":");
        add_text (self, skr_span_text (self->held->shown.name));
    }
}

static saker_err_t end_line (dump_t *self)
{
    add (self, "}");
    if (self->line.failed || self->pointer.failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory for a line");
    }
    self->found++;
    /* a zero behind it, for who wants text */
    skr_buf_append_byte (&self->line, 0);
    return self->line.failed ? skr_fail (SAKER_ENOMEM, "out of memory for a line")
           : self->dump_fn ((const char *) self->line.data, self->line.size - 1, self->argument)
               ? SKR_STOP
               : SAKER_OK;
}

/* What cannot be read is told, and the rest goes on. */
static saker_err_t tell_damaged (dump_t *self, const char *what, skr_span_t document)
{
    self->damaged++;
    begin_line (self, "damaged");
    add (self, ",\"what\":\"%s\"", what);
    if (document.size) {
        add (self, ",\"document\":");
        add_text (self, document);
    }
    add (self, ",\"sentence\":");
    add_text (self, skr_span_text (skr_error ()));
    return end_line (self);
}

/* ---- the roster */

static const char *const statement_names[] = {
    [SKR_STATEMENT_FOUND] = "found", [SKR_STATEMENT_INCARNATE] = "incarnate",
    [SKR_STATEMENT_ADMIT] = "admit", [SKR_STATEMENT_KEY] = "key",
    [SKR_STATEMENT_ROLE] = "role",   [SKR_STATEMENT_FENCE] = "fence",
    [SKR_STATEMENT_FORK] = "fork",   [SKR_STATEMENT_SUBSCRIBE] = "subscribe",
};
_Static_assert(sizeof statement_names / sizeof *statement_names == SKR_STATEMENT_LAST + 1,
               "each kind has a name");

static void add_dot (dump_t *self, const skr_dot_t *dot, uint64_t hlc)
{
    add_hex (self, "writer", dot->writer.bytes, sizeof dot->writer.bytes);
    add (self, ",\"seq\":%" PRIu64 ",\"index\":%" PRIu32 ",\"time_ms\":%" PRIu64, dot->seq,
         dot->index, skr_hlc_ms (hlc));
}

/* The copies of a key stay out: they are sealed, and of use to nobody but their devices. */
static saker_err_t dump_statement (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    dump_t *self = argument;
    skr_statement_t statement;
    (void) document;
    if (skr_statement_read (entry->value, &statement) != SAKER_OK) {
        return tell_damaged (self, "a statement", skr_span (NULL, 0));
    }
    begin_line (self, "statement");
    bool known = statement.kind <= SKR_STATEMENT_LAST;
    add (self, ",\"states\":\"%s\"",
         known ? statement_names[statement.kind] : "of a later version");
    if (statement.kind == SKR_STATEMENT_FOUND) {
        add (self, ",\"mesh\":");
        add_text (self, skr_span_text (statement.mesh_name));
    }
    if (known && statement.kind != SKR_STATEMENT_KEY && statement.kind != SKR_STATEMENT_FORK) {
        add_hex (self, "device", statement.member.device, 8);
    }
    if (statement.kind == SKR_STATEMENT_FOUND || statement.kind == SKR_STATEMENT_ADMIT) {
        add (self, ",\"name\":");
        add_text (self, skr_span_text (statement.member.name));
    }
    if (statement.kind == SKR_STATEMENT_ADMIT || statement.kind == SKR_STATEMENT_ROLE) {
        add (self, ",\"role\":\"%s\"", skr_role_text (statement.member.role));
    }
    if (statement.kind == SKR_STATEMENT_KEY) {
        add (self, ",\"generation\":%" PRIu64, statement.generation);
        add_hex (self, "key_id", statement.key_id, sizeof statement.key_id);
    }
    add_dot (self, &entry->dot, entry->hlc);
    return end_line (self);
}

/* ---- documents */

static const char *cell_name (skr_kind_t kind)
{
    switch (kind) {
    case SKR_REGISTER:
        return "register";
    case SKR_LWW:
        return "lww";
    case SKR_COUNTER:
        return "counter";
    case SKR_MEMBER:
        return "member";
    default:
        return "map";
    }
}

typedef struct reading_t {
    dump_t *dump;
    skr_span_t document;
} reading_t;

static saker_err_t dump_leaf (const skr_leaf_t *leaf, void *argument)
{
    reading_t *reading = argument;
    dump_t *self = reading->dump;
    begin_line (self, "value");
    add (self, ",\"document\":");
    add_text (self, reading->document);
    add_path (self, leaf->path);
    add (self, ",\"cell\":\"%s\",\"value\":", cell_name (leaf->kind));
    add_value (self, &leaf->value);
    add (self, ",\"rival\":%s,\"shown\":%s", leaf->rival ? "true" : "false",
         leaf->shown ? "true" : "false");
    add_dot (self, &leaf->dot, leaf->hlc);
    return end_line (self);
}

static saker_err_t dump_document (skr_span_t document, void *argument)
{
    dump_t *self = argument;
    uint8_t id[SKR_DOCUMENT_BYTES_MAX];
    if (document.size > sizeof id) {
        (void) skr_fail (SAKER_EDAMAGED, "the id of a document is longer than is allowed");
        return tell_damaged (self, "a document", skr_span (NULL, 0));
    }
    if (self->document.size && !skr_span_equal (self->document, document)) {
        return skr_span_compare (document, self->document) > 0 ? SKR_STOP : SAKER_OK;
    }
    memcpy (id, document.data, document.size);
    reading_t reading = {self, skr_span (id, document.size)};
    saker_err_t error = skr_replica_read (self->replica, &self->held->shown, reading.document,
                                          skr_span (NULL, 0), dump_leaf, &reading);
    if (error == SAKER_EDAMAGED || error == SAKER_ENOTFOUND) {
        return tell_damaged (self, "a document", reading.document);
    }
    return error;
}

/* ---- the log */

static const char *const op_names[] = {
    [SKR_OP_SET] = "set",         [SKR_OP_SET_LWW] = "set-lww", [SKR_OP_DELETE] = "delete",
    [SKR_OP_SET_MAP] = "set-map", [SKR_OP_INCR] = "incr",       [SKR_OP_ADD] = "add",
    [SKR_OP_REMOVE] = "remove",   [SKR_OP_STATEMENT] = "state",
};

static void add_op (dump_t *self, const skr_op_t *op)
{
    saker_value_t value;
    add (self, "{\"does\":\"%s\",\"document\":", op_names[op->kind]);
    add_text (self, op->document);
    add_path (self, op->path);
    if (op->argument.size && op->kind != SKR_OP_STATEMENT
        && skr_value_parse (op->argument, &value) == SAKER_OK) {
        add (self, ",\"value\":");
        add_value (self, &value);
    }
    add (self, "}");
}

static bool touches (const dump_t *self, const skr_content_t *content)
{
    bool all = self->document.size == 0;
    for (size_t i = 0; i < content->ops_count && !all; i++) {
        all = skr_span_equal (content->ops[i].document, self->document);
    }
    return all;
}

static saker_err_t dump_place (const skr_log_place_t *place, void *argument)
{
    dump_t *self = argument;
    skr_change_t change;
    skr_content_t content;
    uint8_t hash[SKR_HASH_BYTES];
    if (!place->entry || skr_change_parse (&change, place->entry->change) != SAKER_OK) {
        return tell_damaged (self, "a change", skr_span (NULL, 0));
    }
    bool readable =
        skr_replica_content (self->replica, &change, &self->clear, &content) == SAKER_OK;
    if (readable ? !touches (self, &content) : self->document.size > 0) {
        if (readable) {
            skr_content_free (&content);
        }
        return SAKER_OK;
    }
    skr_change_hash (&change, hash);
    begin_line (self, "change");
    add (self,
         ",\"position\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"bytes\":%zu",
         place->position, change.seq, skr_hlc_ms (change.hlc), place->entry->change.size);
    add_hex (self, "writer", change.writer.bytes, sizeof change.writer.bytes);
    add_hex (self, "hash", hash, sizeof hash);
    add_hex (self, "before", change.prev, sizeof change.prev);
    if (readable) {
        add (self, ",\"operations\":[");
        for (size_t i = 0; i < content.ops_count; i++) {
            add (self, "%s", i ? "," : "");
            add_op (self, &content.ops[i]);
        }
        add (self, "]");
        skr_content_free (&content);
    } else {
        add (self, ",\"sealed\":true");
    }
    return end_line (self);
}

/* ---- one collection */

static saker_err_t dump_head (dump_t *self)
{
    const skr_collection_t *shown = &self->held->shown;
    uint8_t fingerprint[16];
    skr_fingerprint_bytes (&shown->fingerprint, fingerprint);
    begin_line (self, "collection");
    add_hex (self, "id", shown->id.bytes, sizeof shown->id.bytes);
    add_hex (self, "fingerprint", fingerprint, sizeof fingerprint);
    add (self,
         ",\"documents\":%" PRIu64 ",\"changes\":%" PRIu64 ",\"log_bytes\":%" PRIu64
         ",\"sealed\":%s",
         shown->documents, shown->changes, shown->log_bytes, shown->sealed ? "true" : "false");
    add_clock (self, "clock", &shown->clock);
    add_clock (self, "cut", &self->held->cut);
    add (self, ",\"cut_position\":%" PRIu64, self->held->cut_position);
    return end_line (self);
}

static saker_err_t dump_collection (dump_t *self, bool roster)
{
    const skr_collection_t *shown = &self->held->shown;
    skr_store_t *store = skr_replica_store (self->replica);
    saker_err_t error = self->document.size ? SAKER_OK : dump_head (self);
    if (!error && roster) {
        error = skr_cells_store_all (self->replica->cells, SKR_COMMITTED, shown->no, dump_statement,
                                     self);
    } else if (!error && !shown->sealed) {
        error = skr_replica_documents (self->replica, shown, self->document, dump_document, self);
    }
    if (error == SAKER_EDAMAGED) {
        error = tell_damaged (self, "the list of documents", skr_span (NULL, 0));
    }
    error = error ? error
                  : skr_log_walk (store, SKR_COMMITTED, shown->no, &shown->clock, &self->held->cut,
                                  dump_place, self);
    if (error == SAKER_EDAMAGED || error == SAKER_EGAP || error == SAKER_ENOTFOUND) {
        error = tell_damaged (self, "the log", skr_span (NULL, 0));
    }
    return error;
}

/* ---- receipts */

static saker_err_t dump_receipt (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    dump_t *self = argument;
    skr_receipt_record_t record;
    if (damaged || key.size != SKR_RECEIPT_KEY_BYTES || skr_receipt_read (value, &record)) {
        (void) skr_fail (SAKER_EDAMAGED, "a receipt is damaged");
        return tell_damaged (self, "a receipt", skr_span (NULL, 0));
    }
    begin_line (self, "receipt");
    add_hex (self, "operation", key.data, key.size);
    add_hex (self, "writer", record.writer.bytes, sizeof record.writer.bytes);
    add (self, ",\"seq\":%" PRIu64, record.seq);
    if (record.dated) {
        add_hex (self, "collection_id", record.collection.bytes, sizeof record.collection.bytes);
        add (self, ",\"time_ms\":%" PRIu64, skr_hlc_ms (record.hlc));
    }
    return end_line (self);
}

/* ---- all of it */

static saker_err_t dump_store (dump_t *self, const char *folder)
{
    const skr_replica_t *replica = self->replica;
    begin_line (self, "store");
    add (self, ",\"folder\":");
    add_text (self, skr_span_text (folder));
    add_hex (self, "mesh_id", replica->mesh.bytes, sizeof replica->mesh.bytes);
    if (replica->roster) {
        add (self, ",\"mesh\":");
        add_text (self, skr_span_text (skr_roster_mesh_name (replica->roster)));
    }
    const skr_member_t *own = replica->device ? skr_replica_self (replica) : NULL;
    if (own) {
        add (self, ",\"device\":");
        add_text (self, skr_span_text (own->name));
    }
    return end_line (self);
}

static saker_err_t dump_wanted (dump_t *self, const char *folder, const char *collection)
{
    saker_err_t error = collection ? SAKER_OK : dump_store (self, folder);
    bool found = false;
    for (size_t i = 0; i < self->replica->held_count && !error; i++) {
        self->held = self->replica->held[i];
        if (!collection || strcmp (collection, self->held->shown.name) == 0) {
            found = true;
            error = dump_collection (self, i == 0);
        }
    }
    self->held = NULL;
    if (!error && collection && !found) {
        return skr_fail (SAKER_ENOTFOUND, "no collection called %s; see saker store dump",
                         collection);
    }
    if (!error && self->document.size && self->found == 0) {
        return skr_fail (SAKER_ENOTFOUND, "no document called %.*s in %s",
                         (int) self->document.size, (const char *) self->document.data, collection);
    }
    return error || collection
               ? error
               : skr_store_walk (self->replica->store, SKR_OPERATIONS, dump_receipt, self);
}

saker_err_t skr_dump (const char *folder, const skr_world_t *world, const char *collection,
                      const char *document, saker_dump_fn *dump_fn, void *argument)
{
    dump_t dump = {.dump_fn = dump_fn, .argument = argument};
    saker_err_t key, loaded;
    if (document && !collection) {
        return skr_fail (SAKER_EUSAGE, "a document is named with its collection");
    }
    dump.document = document ? skr_span_text (document) : skr_span (NULL, 0);
    saker_err_t error = skr_checkup_open (&dump.replica, folder, world, &key, &loaded);
    error = error ? error : loaded;
    error = error ? error : dump_wanted (&dump, folder, collection);
    skr_replica_close (&dump.replica);
    skr_buf_free (&dump.line);
    skr_buf_free (&dump.pointer);
    skr_buf_free (&dump.text);
    skr_buf_wipe (&dump.clear);
    error = error == SKR_STOP ? SAKER_OK : error;
    return !error && dump.damaged ? skr_fail (
               SAKER_EDAMAGED, "store %s is damaged: saker store check tells all of it", folder)
                                  : error;
}
