/* export: a collection as JSON lines. A line is {"data": ..., "id": ...}, canonical, in byte order
   of the ids; equal data gives equal bytes, and import reads it back. */

#include "canon.h"
#include "commands.h"
#include "progress.h"
#include "say.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

typedef struct export_t {
    tree_t tree;
    char *document; /* whose leaves are in the tree */
    strbuf_t line;
    uint64_t done;
    progress_t progress;
} export_t;

typedef struct count_t {
    const char *collection;
    uint64_t documents;
} count_t;

static void print_document (export_t *self)
{
    json_t *data = tree_take (&self->tree);
    if (!data) {
        return; /* nothing of it is shown */
    }
    json_t *id = json_string (self->document);
    strbuf_cut (&self->line, 0);
    strbuf_text (&self->line, "{\"data\":");
    canon_add (&self->line, data);
    strbuf_text (&self->line, ",\"id\":");
    canon_add (&self->line, id);
    strbuf_text (&self->line, "}\n");
    self->tree.failed |= !id || self->line.failed;
    fwrite (self->line.data, 1, self->tree.failed ? 0 : self->line.size, stdout);
    json_decref (id);
    json_decref (data);
    progress_step (&self->progress, ++self->done);
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    export_t *self = argument;
    if (!self->document || strcmp (self->document, leaf->document) != 0) {
        if (self->document) {
            print_document (self);
        }
        free (self->document);
        self->document = strdup (leaf->document);
        self->tree.failed |= !self->document;
    }
    tree_add (&self->tree, leaf);
    return self->tree.failed || ferror (stdout);
}

static int count_documents (const char *name, uint64_t documents, void *argument)
{
    count_t *count = argument;
    if (strcmp (name, count->collection) == 0) {
        count->documents = documents;
    }
    return 0;
}

static saker_err_t run_export (call_t *call)
{
    count_t count = {.collection = call_word (call, 0)};
    export_t self = {.tree = {.marked = true}};
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_collections (call->peer, count_documents, &count));
    }
    if (error == SAKER_OK) {
        progress_begin (&self.progress, "exporting", count.documents);
        error = call_library (call, saker_iterate (call->peer, count.collection, take_leaf, &self));
    }
    if ((error == SAKER_OK || error == SAKER_ENOTYET) && self.document) {
        print_document (&self);
    }
    progress_end (&self.progress);
    if (error == SAKER_OK && self.tree.failed) {
        error = call_memory (call);
    }
    free (self.document);
    strbuf_free (&self.line);
    tree_free (&self.tree);
    return error;
}

const command_t cmd_export = {
    .name = "export",
    .run = run_export,
    .usage = "COLL",
    .summary = "Print a collection as JSON lines, sorted and canonical: equal data, equal bytes.",
    .details = "A line is {\"data\": ..., \"id\": ...}. Sets are written as {\"$set\": "
               "[...]} and counters as {\"$counter\": N}, so that import makes sets and "
               "counters of them again.",
    .example = "saker export languages > languages.jsonl",
    .words_min = 1,
    .words_max = 1,
};
