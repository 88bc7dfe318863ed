#include "gateway/lookup.h"

#include "fill.h"
#include "strbuf.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    tree_add (argument, leaf);
    return ((tree_t *) argument)->failed;
}

saker_err_t lookup_document (call_t *call, const char *collection, const char *document,
                             json_t **json)
{
    tree_t tree = {0};
    *json = NULL;
    saker_err_t error = saker_read (call->peer, collection, document, "", take_leaf, &tree);
    if (error == SAKER_OK) {
        *json = tree_take (&tree);
        error = *json ? SAKER_OK : call_memory (call);
    } else if (error != SAKER_ENOTFOUND) {
        call_library (call, error);
    }
    tree_free (&tree);
    return error;
}

typedef struct walk_t {
    call_t *call;
    const char *collection, *prefix;
    lookup_fn *fn; /* NULL: they are counted */
    void *argument;
    size_t count;
    saker_err_t error;
} walk_t;

/* They come in byte order: what begins otherwise ends it. */
static int take_name (const char *name, uint64_t documents, void *argument)
{
    walk_t *self = argument;
    json_t *json = NULL;
    (void) documents;
    if (strncmp (name, self->prefix, strlen (self->prefix)) != 0) {
        return 1;
    }
    self->count++;
    if (!self->fn) {
        return 0;
    }
    saker_err_t error = lookup_document (self->call, self->collection, name, &json);
    int stop = error == SAKER_OK ? self->fn (name, json, self->argument) : 0;
    json_decref (json);
    self->error = error == SAKER_ENOTFOUND ? SAKER_OK : error;
    return stop || self->error != SAKER_OK;
}

static saker_err_t walk (walk_t *self)
{
    saker_err_t error =
        saker_documents_from (self->call->peer, self->collection, self->prefix, take_name, self);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    return error == SAKER_OK ? self->error : call_library (self->call, error);
}

saker_err_t lookup_all (call_t *call, const char *collection, const char *prefix, lookup_fn *fn,
                        void *argument)
{
    walk_t self = {
        .call = call, .collection = collection, .prefix = prefix, .fn = fn, .argument = argument};
    return walk (&self);
}

saker_err_t lookup_count (call_t *call, const char *collection, const char *prefix, size_t *count)
{
    walk_t self = {.call = call, .collection = collection, .prefix = prefix};
    saker_err_t error = walk (&self);
    *count = self.count;
    return error;
}

/* ---- writing */

static saker_err_t put_any (call_t *call, saker_batch_t *batch, const char *document,
                            strbuf_t *pointer, const json_t *json, unsigned levels);

static saker_err_t put_map (call_t *call, saker_batch_t *batch, const char *document,
                            strbuf_t *pointer, const json_t *json, unsigned levels)
{
    saker_err_t error = SAKER_OK;
    const char *key;
    json_t *value;
    if (json_object_size (json) == 0) {
        return call_library (call, saker_batch_set_map (batch, document, pointer->data));
    }
    if (levels == SAKER_PATH_LEVELS_MAX) {
        return call_fail (call, SAKER_ELIMIT, "at %s: more than %d levels deep", pointer->data,
                          SAKER_PATH_LEVELS_MAX);
    }
    json_object_foreach ((json_t *) json, key, value)
    {
        size_t size = pointer->size;
        fill_enter (pointer, key);
        error = pointer->failed ? call_memory (call)
                                : put_any (call, batch, document, pointer, value, levels + 1);
        if (error != SAKER_OK) {
            break;
        }
        strbuf_cut (pointer, size);
    }
    return error;
}

/* Recurses SAKER_PATH_LEVELS_MAX levels at most. */
static saker_err_t put_any (call_t *call, saker_batch_t *batch, const char *document,
                            strbuf_t *pointer, const json_t *json, unsigned levels)
{
    saker_value_t value;
    void *owned = NULL;
    if (json_is_object (json)) {
        return put_map (call, batch, document, pointer, json, levels);
    }
    saker_err_t error = fill_value (call, json, &value, &owned);
    if (error == SAKER_OK) {
        error = call_library (call, saker_batch_set_lww (batch, document, pointer->data, &value));
    } else {
        call_fail (call, error, "an array at %.200s: documents have no lists yet", pointer->data);
    }
    free (owned);
    return error;
}

saker_err_t lookup_put (call_t *call, saker_batch_t *batch, const char *document,
                        const char *pointer, const json_t *json)
{
    strbuf_t place = {0};
    strbuf_text (&place, pointer);
    saker_err_t error =
        place.failed ? call_memory (call) : put_any (call, batch, document, &place, json, 0);
    strbuf_free (&place);
    return error;
}
