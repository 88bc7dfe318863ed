#include "gateway/operation.h"

#include "fill.h"
#include "marks.h"

#include <stdlib.h>
#include <string.h>

typedef struct operation_t {
    const char *document, *pointer;
    json_t *value; /* "value" */
    json_int_t by; /* "by"; 1 when it is not given */
    saker_value_t single;
} operation_t;

typedef saker_err_t operation_fn (call_t *call, saker_batch_t *batch, const operation_t *operation);

static saker_err_t set (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    bool nested =
        json_is_array (operation->value)
        || (json_is_object (operation->value) && !mark_inside (operation->value, MARK_BYTES));
    return nested ? fill_replace (call, batch, operation->document, operation->pointer,
                                  operation->value)
                  : call_library (call, saker_batch_set (batch, operation->document,
                                                         operation->pointer, &operation->single));
}

static saker_err_t set_lww (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (call, saker_batch_set_lww (batch, operation->document, operation->pointer,
                                                    &operation->single));
}

static saker_err_t delete (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (call, saker_batch_delete (batch, operation->document, operation->pointer));
}

static saker_err_t increment (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (
        call, saker_batch_incr (batch, operation->document, operation->pointer, operation->by));
}

static saker_err_t add (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (
        call, saker_batch_add (batch, operation->document, operation->pointer, &operation->single));
}

static saker_err_t remove_member (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (call, saker_batch_remove (batch, operation->document, operation->pointer,
                                                   &operation->single));
}

static saker_err_t make_map (call_t *call, saker_batch_t *batch, const operation_t *operation)
{
    return call_library (call,
                         saker_batch_set_map (batch, operation->document, operation->pointer));
}

static const struct kind_t {
    const char *name;
    operation_fn *fill;
    bool value;  /* it needs one */
    bool nested; /* that may be an object */
} kinds[] = {
    {"set", set, true, true},
    {"set_lww", set_lww, true, false},
    {"delete", delete, false, false},
    {"increment", increment, false, false},
    {"add", add, true, false},
    {"remove", remove_member, true, false},
    {"make_map", make_map, false, false},
};

static const struct kind_t *find_kind (const char *name)
{
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp (kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static saker_err_t refuse (call_t *call, size_t number, const char *what)
{
    return call_fail (call, SAKER_EINPUT, "operation %zu: %s", number, what);
}

/* Members of an operation that mean nothing are mistakes. */
static saker_err_t check_members (call_t *call, const json_t *json, size_t number)
{
    static const char *const known[] = {"op", "document", "pointer", "value", "by"};
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) json, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            found = found || strcmp (key, known[i]) == 0;
        }
        if (!found) {
            return call_fail (call, SAKER_EINPUT, "operation %zu has no member \"%.60s\"", number,
                              key);
        }
    }
    return SAKER_OK;
}

static saker_err_t take_members (call_t *call, const json_t *json, const char *document,
                                 size_t number, operation_t *operation)
{
    json_t *by = json_object_get (json, "by"), *named = json_object_get (json, "document");
    json_t *pointer = json_object_get (json, "pointer");
    operation->document = document ? document : json_string_value (named);
    operation->pointer = pointer ? json_string_value (pointer) : "";
    operation->value = json_object_get (json, "value");
    operation->by = by ? json_integer_value (by) : 1;
    if (document && named) {
        return refuse (call, number, "the document is the one that is asked: leave it out");
    }
    if (!operation->document || strlen (operation->document) != json_string_length (named)) {
        if (!document) {
            return refuse (call, number, "\"document\" is missing or no text");
        }
    }
    if (!operation->pointer || (*operation->pointer && *operation->pointer != '/')) {
        return refuse (call, number, "\"pointer\" is no JSON Pointer");
    }
    return !by || json_is_integer (by) ? SAKER_OK : refuse (call, number, "\"by\" is no integer");
}

saker_err_t operation_fill (call_t *call, saker_batch_t *batch, const char *document,
                            const json_t *json, size_t number)
{
    operation_t operation = {.document = NULL};
    void *owned = NULL;
    const struct kind_t *kind = find_kind (json_string_value (json_object_get (json, "op")));
    if (!kind) {
        return refuse (call, number,
                       "\"op\" is set, set_lww, delete, increment, add, remove or make_map");
    }
    saker_err_t error = check_members (call, json, number);
    if (error == SAKER_OK) {
        error = take_members (call, json, document, number, &operation);
    }
    if (error == SAKER_OK && kind->value != (operation.value != NULL)) {
        error =
            refuse (call, number, kind->value ? "\"value\" is missing" : "it takes no \"value\"");
    }
    bool nested = kind->nested
                  && (json_is_object (operation.value) || json_is_array (operation.value))
                  && !mark_inside (operation.value, MARK_BYTES);
    if (error == SAKER_OK && operation.value && !nested) {
        error = fill_value (call, operation.value, &operation.single, &owned);
    }
    if (error == SAKER_OK) {
        error = kind->fill (call, batch, &operation);
    }
    free (owned);
    return error;
}
