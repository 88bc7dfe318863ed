/* import: many documents from a file. Everything is checked before the first write; what is there
   already, equal, is left alone; the rest goes out in changes near the limit. */

#include "amounts.h"
#include "canon.h"
#include "commands.h"
#include "fill.h"
#include "progress.h"
#include "say.h"
#include "source.h"
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Below the limits of a change, since the daemon adds what each operation replaces. */
#define FULL_OPS (SAKER_CHANGE_OPS_MAX - SAKER_CHANGE_OPS_MAX / 8)
#define FULL_BYTES (SAKER_CHANGE_BYTES_MAX * 3 / 4)
#define SKIPPED_TOLD_MAX 1000

typedef struct import_t {
    call_t *call;
    const char *collection;
    const char *key; /* field with the id; NULL: lines as export writes them */
    source_t source;
    size_t *order; /* numbers of parts, by id */
    size_t order_count;
    uint64_t skipped, written, unchanged, changes;
    json_t *problems; /* sentences about what was skipped */
    progress_t progress;
    tree_t tree;    /* of the document that the comparison is at */
    char *document; /* its id */
    saker_err_t error;
} import_t;

static void skip (call_t *call, void *argument)
{
    import_t *self = argument;
    self->skipped++;
    if (self->skipped <= SKIPPED_TOLD_MAX) {
        json_array_append_new (self->problems, json_string (call->sentence));
    }
    if (!call->json && self->skipped <= SKIPPED_TOLD_MAX) {
        fprintf (stderr, "saker: skipped: %s\n", call->sentence);
    }
}

/* ---- what a part says: its id and its data ---- */

/* The data of a part that was read. Borrowed. */
static const json_t *part_data (const import_t *self, const json_t *json)
{
    return self->key ? json : json_object_get (json, "data");
}

/* The value of the field that names the document. Borrowed; NULL: it cannot. */
static const json_t *find_id (import_t *self, const source_part_t *part, const json_t *json)
{
    const char *field = self->key ? self->key : "id";
    const jsonin_t *in = &self->source.in;
    const json_t *id = json_object_get (json, field);
    if (!self->key && (!id || !json_object_get (json, "data"))) {
        jsonin_fail (self->call, in, part->offset,
                     "no \"id\" and \"data\", as export writes them; say which field names a "
                     "document: --key FIELD");
        return NULL;
    }
    if (!id) {
        jsonin_fail (self->call, in, part->offset, "no key \"%s\"", field);
        return NULL;
    }
    size_t size = json_string_length (id);
    bool text = json_is_string (id) && size > 0 && size <= SAKER_DOCUMENT_BYTES_MAX
                && strlen (json_string_value (id)) == size;
    if (!text && !json_is_integer (id)) {
        jsonin_fail (self->call, in, part->offset,
                     "\"%s\" cannot name a document: it has to be an integer or a text of 1 to %d "
                     "bytes",
                     field, SAKER_DOCUMENT_BYTES_MAX);
        return NULL;
    }
    return id;
}

static saker_err_t take_id (import_t *self, source_part_t *part, const json_t *json)
{
    const json_t *id = find_id (self, part, json);
    if (!id) {
        return SAKER_EINPUT;
    }
    char number[32];
    snprintf (number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value (id));
    part->id = strdup (json_is_integer (id) ? number : json_string_value (id));
    return part->id ? SAKER_OK : call_memory (self->call);
}

/* Fills a batch of its own, to see that everything in it can be written. */
static saker_err_t try_fill (import_t *self, const source_part_t *part, const json_t *json)
{
    saker_batch_t *batch = saker_batch_new (self->collection);
    saker_err_t error = batch
                            ? fill_replace (self->call, batch, part->id, "", part_data (self, json))
                            : call_memory (self->call);
    saker_batch_destroy (&batch);
    if (error != SAKER_OK && error != SAKER_ENOMEM) {
        unsigned line, column;
        jsonin_position (&self->source.in, part->offset, &line, &column);
        call_prefix (self->call, "%s:%u:%u: document %s: ", self->source.in.name, line, column,
                     part->id);
    }
    return error;
}

static saker_err_t check_part (import_t *self, source_part_t *part)
{
    call_t *call = self->call;
    json_t *json = NULL;
    saker_err_t error = source_read (call, &self->source, part, &json);
    if (error == SAKER_OK && !json_is_object (json)) {
        error = jsonin_fail (call, &self->source.in, part->offset, "not an object");
    }
    if (error == SAKER_OK) {
        error = take_id (self, part, json);
    }
    if (error == SAKER_OK) {
        error = try_fill (self, part, json);
    }
    json_decref (json);
    return error;
}

/* ---- order ---- */

static int compare_ids (const void *a, const void *b, void *argument)
{
    const source_part_t *parts = argument;
    size_t left = *(const size_t *) a, right = *(const size_t *) b;
    int order = strcmp (parts[left].id, parts[right].id);
    return order ? order : (left > right) - (left < right);
}

static saker_err_t fail_repeated (import_t *self, const source_part_t *first,
                                  const source_part_t *second)
{
    unsigned line, column;
    jsonin_position (&self->source.in, first->offset, &line, &column);
    jsonin_fail (self->call, &self->source.in, second->offset,
                 "the document \"%s\" is in the file twice, first in line %u", second->id, line);
    return SAKER_EINPUT;
}

/* Sorts, and takes out later parts with the id of an earlier one. */
static saker_err_t sort_parts (import_t *self, bool keep_going)
{
    source_part_t *parts = self->source.parts;
    qsort_r (self->order, self->order_count, sizeof *self->order, compare_ids, parts);
    size_t kept = 0;
    for (size_t i = 0; i < self->order_count; i++) {
        const source_part_t *last = kept ? &parts[self->order[kept - 1]] : NULL;
        const source_part_t *part = &parts[self->order[i]];
        if (!last || strcmp (last->id, part->id) != 0) {
            self->order[kept++] = self->order[i];
            continue;
        }
        saker_err_t error = fail_repeated (self, last, part);
        if (!keep_going) {
            return error;
        }
        skip (self->call, self);
    }
    self->order_count = kept;
    return SAKER_OK;
}

static saker_err_t check_all (import_t *self, bool keep_going)
{
    self->order = calloc (self->source.parts_count + 1, sizeof *self->order);
    if (!self->order) {
        return call_memory (self->call);
    }
    for (size_t i = 0; i < self->source.parts_count; i++) {
        saker_err_t error = check_part (self, &self->source.parts[i]);
        if (error == SAKER_OK) {
            self->order[self->order_count++] = i;
        } else if (keep_going && error != SAKER_ENOMEM) {
            skip (self->call, self);
        } else {
            return error;
        }
    }
    return sort_parts (self, keep_going);
}

/* ---- what is there already ---- */

static source_part_t *find_part (import_t *self, const char *id)
{
    size_t low = 0, high = self->order_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        source_part_t *part = &self->source.parts[self->order[middle]];
        int order = strcmp (id, part->id);
        if (order == 0) {
            return part;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return NULL;
}

/* Compares the document whose leaves are in the tree with the part of the same id. */
static void compare_document (import_t *self)
{
    source_part_t *part = self->document ? find_part (self, self->document) : NULL;
    json_t *there = tree_take (&self->tree), *json = NULL;
    if (!part || !there) {
        json_decref (there);
        return;
    }
    strbuf_t ours = {0}, theirs = {0};
    self->error = source_read (self->call, &self->source, part, &json);
    if (self->error == SAKER_OK) {
        canon_add (&ours, there);
        canon_add (&theirs, part_data (self, json));
        part->unchanged = !ours.failed && !theirs.failed && ours.size == theirs.size
                          && memcmp (ours.data, theirs.data, ours.size) == 0;
        self->unchanged += part->unchanged;
    }
    strbuf_free (&ours);
    strbuf_free (&theirs);
    json_decref (json);
    json_decref (there);
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    import_t *self = argument;
    if (!self->document || strcmp (self->document, leaf->document) != 0) {
        compare_document (self);
        free (self->document);
        self->document = strdup (leaf->document);
        self->tree.failed |= !self->document;
    }
    tree_add (&self->tree, leaf);
    return self->error != SAKER_OK || self->tree.failed;
}

static saker_err_t compare_all (import_t *self)
{
    saker_err_t error = saker_iterate (self->call->peer, self->collection, take_leaf, self);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return call_library (self->call, error);
    }
    compare_document (self);
    if (self->tree.failed) {
        return call_memory (self->call);
    }
    return self->error;
}

/* ---- writing ---- */

static saker_err_t fill_part (import_t *self, saker_batch_t *batch, const source_part_t *part)
{
    json_t *json = NULL;
    saker_err_t error = source_read (self->call, &self->source, part, &json);
    if (error == SAKER_OK) {
        error = fill_replace (self->call, batch, part->id, "", part_data (self, json));
    }
    json_decref (json);
    return error;
}

/* Fills a batch with parts from `from` on, until it is full or they end at `end`; *to is the first
   that is not in it. */
static saker_err_t fill_batch (import_t *self, saker_batch_t *batch, size_t from, size_t end,
                               size_t *to)
{
    saker_err_t error = SAKER_OK;
    for (*to = from; *to < end && error == SAKER_OK; ++*to) {
        const source_part_t *part = &self->source.parts[self->order[*to]];
        if (part->unchanged) {
            continue;
        }
        if (saker_batch_count (batch) >= FULL_OPS || saker_batch_bytes (batch) >= FULL_BYTES) {
            break;
        }
        error = fill_part (self, batch, part);
    }
    return error;
}

static saker_err_t write_some (import_t *self, size_t from, size_t end, size_t *to)
{
    saker_receipt_t receipt = {0};
    saker_batch_t *batch = saker_batch_new (self->collection);
    saker_err_t error = batch ? fill_batch (self, batch, from, end, to) : call_memory (self->call);
    if (error == SAKER_OK && saker_batch_count (batch) > 0) {
        error = call_library (self->call, saker_write (self->call->peer, batch, &receipt));
        self->changes += error == SAKER_OK && receipt.seq != 0;
    }
    saker_batch_destroy (&batch);
    return error;
}

/* Writes all that is not there already. A batch that turns out too large is tried again with half
   of its documents. */
static saker_err_t write_all (import_t *self, bool keep_going)
{
    size_t from = 0, most = self->order_count;
    progress_begin (&self->progress, "importing", self->order_count);
    while (from < self->order_count) {
        size_t left = self->order_count - from, to = from;
        saker_err_t error = write_some (self, from, from + (left < most ? left : most), &to);
        const source_part_t *part = &self->source.parts[self->order[from]];
        if (error == SAKER_ELIMIT && to - from > 1) {
            most = (to - from) / 2;
            continue;
        }
        if (error == SAKER_ELIMIT) {
            call_prefix (self->call, "document %s: ", part->id);
        }
        if (error == SAKER_ELIMIT && keep_going) {
            skip (self->call, self);
            to = from + 1;
        } else if (error != SAKER_OK) {
            return error;
        }
        for (; from < to; from++) {
            self->written += error == SAKER_OK && !self->source.parts[self->order[from]].unchanged;
        }
        most = self->order_count;
        progress_step (&self->progress, from);
    }
    return SAKER_OK;
}

/* ---- the command ---- */

static saker_err_t print_result (import_t *self)
{
    if (self->call->json) {
        return say_json (self->call,
                         json_pack ("{s:s,s:I,s:I,s:I,s:I,s:I,s:O}", "collection", self->collection,
                                    "documents", (json_int_t) (self->written + self->unchanged),
                                    "written", (json_int_t) self->written, "unchanged",
                                    (json_int_t) self->unchanged, "skipped",
                                    (json_int_t) self->skipped, "changes",
                                    (json_int_t) self->changes, "problems", self->problems));
    }
    uint64_t documents = self->written + self->unchanged;
    printf ("imported %" PRIu64 " document%s into %s (%" PRIu64 " written, %" PRIu64 " unchanged",
            documents, amount_plural (documents), self->collection, self->written, self->unchanged);
    if (self->skipped) {
        printf (", %" PRIu64 " skipped", self->skipped);
    }
    puts (")");
    return SAKER_OK;
}

static saker_err_t import_file (import_t *self, bool keep_going)
{
    call_t *call = self->call;
    saker_err_t error = source_load (call, &self->source, call_word (call, 1),
                                     call_option (call, "at"), keep_going ? skip : NULL, self);
    if (error == SAKER_OK) {
        error = check_all (self, keep_going);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = compare_all (self);
    }
    if (error == SAKER_OK) {
        error = write_all (self, keep_going);
        progress_end (&self->progress);
    }
    if (error != SAKER_OK && self->written) {
        call_prefix (call, "after %" PRIu64 " documents (run it again to go on): ", self->written);
    }
    return error == SAKER_OK ? print_result (self) : error;
}

static saker_err_t run_import (call_t *call)
{
    import_t self = {.call = call,
                     .collection = call_word (call, 0),
                     .key = call_option (call, "key"),
                     .problems = json_array (),
                     .tree = {.marked = true}};
    const char *pointer = call_option (call, "at");
    if (pointer && *pointer && *pointer != '/') {
        json_decref (self.problems);
        return call_fail (call, SAKER_EUSAGE, "import: --at %s is no JSON Pointer, as in /639-3",
                          pointer);
    }
    saker_err_t error = import_file (&self, call_option (call, "keep-going"));
    if (error == SAKER_OK && self.skipped) {
        error =
            call_fail (call, SAKER_EINPUT, "%" PRIu64 " of the documents skipped", self.skipped);
    }
    free (self.order);
    free (self.document);
    tree_free (&self.tree);
    source_free (&self.source);
    json_decref (self.problems);
    return error;
}

static const option_t import_options[] = {
    {"key", "FIELD", "the field whose value is the document's id; it stays in the document"},
    {"at", "POINTER", "the documents are in an array inside the file, at this JSON Pointer"},
    {"keep-going", NULL, "skip what is wrong, list it, and end with exit status 1"},
    {NULL, NULL, NULL},
};

const command_t cmd_import = {
    .name = "import",
    .run = run_import,
    .usage = "COLL FILE [--key FIELD] [--at POINTER] [--keep-going]",
    .summary = "Import a JSON array, JSON lines, or the lines of an export (FILE - is stdin).",
    .details = "Everything in the file is checked before the first document is written: "
               "malformed JSON is named with file, line and column, and nothing is "
               "imported. Documents that are there already, equal, are left alone. When "
               "it is interrupted, running it again goes on. Without --key each line is "
               "{\"data\": ..., \"id\": ...}, as export prints it.",
    .options = import_options,
    .example = "saker import languages /usr/share/iso-codes/json/iso_639-3.json --at /639-3 "
               "--key alpha_3\nsaker import languages languages.jsonl",
    .words_min = 2,
    .words_max = 2,
};
