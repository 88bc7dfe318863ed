#include "fill.h"

#include "base64.h"
#include "marks.h"

#include <stdlib.h>
#include <string.h>

/* One walk over a JSON value. It is walked twice: contents first, then what replacing cannot say
   (sets and counters). */
typedef struct fill_t {
    call_t *call;
    saker_batch_t *batch;
    const char *document;
    strbuf_t pointer; /* of where the walk is */
    bool marks;       /* second walk */
} fill_t;

static const char *place_name (const char *pointer)
{
    return *pointer ? pointer : "the top";
}

static saker_err_t bytes_value (call_t *call, const json_t *inside, saker_value_t *value,
                                void **owned)
{
    size_t text_size = json_string_length (inside), size = 0;
    uint8_t *bytes = malloc (text_size / 4 * 3 + 1);
    if (!bytes) {
        return call_memory (call);
    }
    if (!json_is_string (inside)
        || !base64_decode (json_string_value (inside), text_size, bytes, &size)) {
        free (bytes);
        return call_fail (call, SAKER_EINPUT, "\"" MARK_BYTES "\" needs a text in base64");
    }
    *value = (saker_value_t){.type = SAKER_BYTES};
    value->as.string.data = (const char *) bytes;
    value->as.string.size = size;
    *owned = bytes;
    return SAKER_OK;
}

saker_err_t fill_value (call_t *call, const json_t *json, saker_value_t *value, void **owned)
{
    *owned = NULL;
    *value = (saker_value_t){.type = SAKER_NULL};
    switch (json_typeof (json)) {
    case JSON_NULL:
        return SAKER_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = SAKER_BOOL;
        value->as.boolean = json_is_true (json);
        return SAKER_OK;
    case JSON_INTEGER:
        value->type = SAKER_INT;
        value->as.integer = json_integer_value (json);
        return SAKER_OK;
    case JSON_REAL:
        value->type = SAKER_DOUBLE;
        value->as.number = json_real_value (json);
        return SAKER_OK;
    case JSON_STRING:
        value->type = SAKER_TEXT;
        value->as.string.data = json_string_value (json);
        value->as.string.size = json_string_length (json);
        return SAKER_OK;
    case JSON_OBJECT:
        if (mark_inside (json, MARK_BYTES)) {
            return bytes_value (call, mark_inside (json, MARK_BYTES), value, owned);
        }
        return call_fail (call, SAKER_EINPUT, "an object cannot be a member of a set");
    case JSON_ARRAY:
        break;
    }
    return call_fail (call, SAKER_EINPUT, "an array cannot be a member of a set");
}

void fill_enter (strbuf_t *pointer, const char *key)
{
    key += mark_like (key, 2);
    strbuf_text (pointer, "/");
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            strbuf_text (pointer, *key == '~' ? "~0" : "~1");
        } else {
            strbuf_add (pointer, key, 1);
        }
    }
}

static saker_err_t fill_scalar (fill_t *self, const json_t *json)
{
    saker_value_t value;
    void *owned = NULL;
    saker_err_t error = fill_value (self->call, json, &value, &owned);
    if (error == SAKER_OK) {
        error = call_library (
            self->call, saker_batch_set (self->batch, self->document, self->pointer.data, &value));
    } else {
        call_prefix (self->call, "at %s: ", place_name (self->pointer.data));
    }
    free (owned);
    return error;
}

static saker_err_t fill_set (fill_t *self, const json_t *members)
{
    const char *pointer = self->pointer.data;
    if (!json_is_array (members)) {
        return call_fail (self->call, SAKER_EINPUT, "at %s: \"" MARK_SET "\" needs an array",
                          place_name (pointer));
    }
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < json_array_size (members) && error == SAKER_OK; i++) {
        saker_value_t value;
        void *owned = NULL;
        error = fill_value (self->call, json_array_get (members, i), &value, &owned);
        if (error != SAKER_OK) {
            call_prefix (self->call, "at %s: ", place_name (pointer));
        } else if (self->marks) {
            error = call_library (self->call,
                                  saker_batch_add (self->batch, self->document, pointer, &value));
        }
        free (owned);
    }
    return error;
}

static saker_err_t fill_counter (fill_t *self, const json_t *amount)
{
    const char *pointer = self->pointer.data;
    if (!json_is_integer (amount)) {
        return call_fail (self->call, SAKER_EINPUT, "at %s: \"" MARK_COUNTER "\" needs an integer",
                          place_name (pointer));
    }
    return !self->marks
               ? SAKER_OK
               : call_library (self->call, saker_batch_incr (self->batch, self->document, pointer,
                                                             json_integer_value (amount)));
}

static saker_err_t fill_any (fill_t *self, const json_t *json, size_t levels);

static saker_err_t fill_map (fill_t *self, const json_t *json, size_t levels)
{
    if (json_object_size (json) == 0 && !self->marks) {
        return call_library (self->call,
                             saker_batch_set_map (self->batch, self->document, self->pointer.data));
    }
    if (levels == SAKER_PATH_LEVELS_MAX) {
        return call_fail (self->call, SAKER_ELIMIT, "at %s: more than %d levels deep",
                          place_name (self->pointer.data), SAKER_PATH_LEVELS_MAX);
    }
    saker_err_t error = SAKER_OK;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) json, key, value)
    {
        size_t size = self->pointer.size;
        fill_enter (&self->pointer, key);
        error =
            self->pointer.failed ? call_memory (self->call) : fill_any (self, value, levels + 1);
        if (error != SAKER_OK) {
            break;
        }
        strbuf_cut (&self->pointer, size);
    }
    return error;
}

/* Recurses SAKER_PATH_LEVELS_MAX levels at most. */
static saker_err_t fill_any (fill_t *self, const json_t *json, size_t levels)
{
    if (mark_inside (json, MARK_SET)) {
        return fill_set (self, mark_inside (json, MARK_SET));
    }
    if (mark_inside (json, MARK_COUNTER)) {
        return fill_counter (self, mark_inside (json, MARK_COUNTER));
    }
    if (json_is_object (json) && !mark_inside (json, MARK_BYTES)) {
        return fill_map (self, json, levels);
    }
    if (json_is_array (json)) {
        return call_fail (self->call, SAKER_EINPUT,
                          "an array at %s: lists come in a later version; for a set use saker add, "
                          "or {\"" MARK_SET "\": [...]}",
                          place_name (self->pointer.data));
    }
    return self->marks ? SAKER_OK : fill_scalar (self, json);
}

static size_t pointer_levels (const char *pointer)
{
    size_t levels = 0;
    for (; *pointer; pointer++) {
        levels += *pointer == '/';
    }
    return levels;
}

saker_err_t fill_replace (call_t *call, saker_batch_t *batch, const char *document,
                          const char *pointer, const json_t *json)
{
    fill_t self = {.call = call, .batch = batch, .document = document};
    strbuf_text (&self.pointer, pointer);
    if (self.pointer.failed) {
        return call_memory (call);
    }
    size_t levels = pointer_levels (pointer);
    levels = levels < SAKER_PATH_LEVELS_MAX ? levels : SAKER_PATH_LEVELS_MAX;
    saker_err_t error = call_library (call, saker_batch_replace (batch, document, pointer));
    if (error == SAKER_OK) {
        error = fill_any (&self, json, levels);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_batch_replace_end (batch));
    }
    if (error == SAKER_OK) {
        self.marks = true;
        error = fill_any (&self, json, levels);
    }
    strbuf_free (&self.pointer);
    return error;
}
