#include "gateway/difference.h"

#include "canon.h"
#include "fill.h"
#include "marks.h"

#include <stdlib.h>

typedef struct difference_t {
    call_t *call;
    saker_batch_t *batch;
    const char *document;
    strbuf_t pointer;
} difference_t;

static bool is_map (const json_t *json)
{
    return json_is_object (json) && !mark_inside (json, MARK_SET)
           && !mark_inside (json, MARK_COUNTER) && !mark_inside (json, MARK_BYTES);
}

bool difference_is_marked (const json_t *marked)
{
    const char *key;
    json_t *value;
    if (mark_inside (marked, MARK_SET) || mark_inside (marked, MARK_COUNTER)) {
        return true;
    }
    json_object_foreach ((json_t *) marked, key, value)
    {
        if (difference_is_marked (value)) {
            return true;
        }
    }
    return false;
}

static json_t *mark_map (const json_t *marked, const json_t *plain)
{
    json_t *result = json_object ();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) plain, key, value)
    {
        json_t *inside = difference_mark (json_object_get (marked, key), value);
        if (json_object_set_new (result, key, inside) != 0) {
            json_decref (result);
            return NULL;
        }
    }
    return result;
}

json_t *difference_mark (const json_t *marked, const json_t *plain)
{
    if (is_map (marked) && is_map (plain)) {
        return mark_map (marked, plain);
    }
    if (mark_inside (marked, MARK_SET) && json_is_array (plain)) {
        return json_pack ("{s:O}", MARK_SET, plain);
    }
    if (mark_inside (marked, MARK_COUNTER) && json_is_integer (plain)) {
        return json_pack ("{s:O}", MARK_COUNTER, plain);
    }
    return json_incref ((json_t *) plain);
}

/* ---- single operations */

static saker_err_t of_library (difference_t *self, saker_err_t error)
{
    return call_library (self->call, error);
}

static const char *here (const difference_t *self)
{
    return self->pointer.data;
}

static saker_err_t put_value (difference_t *self, const json_t *json)
{
    saker_value_t value;
    void *owned = NULL;
    saker_err_t error = fill_value (self->call, json, &value, &owned);
    if (error == SAKER_OK) {
        error =
            of_library (self, saker_batch_set (self->batch, self->document, here (self), &value));
    }
    free (owned);
    return error;
}

static saker_err_t put (difference_t *self, const json_t *json)
{
    bool nested =
        json_is_array (json) || (json_is_object (json) && !mark_inside (json, MARK_BYTES));
    return nested ? fill_replace (self->call, self->batch, self->document, here (self), json)
                  : put_value (self, json);
}

static bool has_member (const json_t *members, const json_t *member)
{
    size_t index;
    json_t *value;
    json_array_foreach (members, index, value)
    {
        if (json_equal (value, member)) {
            return true;
        }
    }
    return false;
}

typedef saker_err_t member_fn (saker_batch_t *batch, const char *document, const char *pointer,
                               const saker_value_t *value);

/* Does something with the members that the other set has not. */
static saker_err_t for_lacking (difference_t *self, const json_t *members, const json_t *others,
                                member_fn *function)
{
    size_t index;
    json_t *member;
    json_array_foreach (members, index, member)
    {
        saker_value_t value;
        void *owned = NULL;
        saker_err_t error = fill_value (self->call, member, &value, &owned);
        if (error == SAKER_OK && !has_member (others, member)) {
            error = of_library (self, function (self->batch, self->document, here (self), &value));
        }
        free (owned);
        if (error != SAKER_OK) {
            return error;
        }
    }
    return SAKER_OK;
}

static saker_err_t change_set (difference_t *self, const json_t *before, const json_t *after)
{
    if (!json_is_array (after)) {
        return call_fail (self->call, SAKER_EINPUT, "\"" MARK_SET "\" needs an array");
    }
    saker_err_t error = for_lacking (self, before, after, saker_batch_remove);
    return error == SAKER_OK ? for_lacking (self, after, before, saker_batch_add) : error;
}

static saker_err_t change_counter (difference_t *self, const json_t *before, const json_t *after)
{
    long long amount;
    if (!json_is_integer (after)
        || __builtin_sub_overflow (json_integer_value (after), json_integer_value (before),
                                   &amount)) {
        return call_fail (self->call, SAKER_EINPUT,
                          "\"" MARK_COUNTER "\" needs an integer, and one that can be reached");
    }
    return of_library (self, saker_batch_incr (self->batch, self->document, here (self), amount));
}

/* ---- the walk */

static saker_err_t change (difference_t *self, const json_t *before, const json_t *after);

static saker_err_t change_key (difference_t *self, const char *key, const json_t *before,
                               const json_t *after)
{
    size_t size = self->pointer.size;
    fill_enter (&self->pointer, key);
    saker_err_t error =
        self->pointer.failed ? call_memory (self->call) : change (self, before, after);
    strbuf_cut (&self->pointer, size);
    return error;
}

static saker_err_t change_map (difference_t *self, const json_t *before, const json_t *after)
{
    const char *key;
    json_t *value;
    saker_err_t error = SAKER_OK;
    json_object_foreach ((json_t *) before, key, value)
    {
        if (error == SAKER_OK && !json_object_get (after, key)) {
            error = change_key (self, key, value, NULL);
        }
    }
    json_object_foreach ((json_t *) after, key, value)
    {
        if (error == SAKER_OK) {
            error = change_key (self, key, json_object_get (before, key), value);
        }
    }
    if (error == SAKER_OK && json_object_size (after) == 0) { /* an empty map stays a map */
        error = of_library (self, saker_batch_set_map (self->batch, self->document, here (self)));
    }
    return error;
}

/* Recurses as deep as what is there: SAKER_PATH_LEVELS_MAX. */
static saker_err_t change (difference_t *self, const json_t *before, const json_t *after)
{
    if (!after) {
        return before ? of_library (self,
                                    saker_batch_delete (self->batch, self->document, here (self)))
                      : SAKER_OK;
    }
    if (before && json_equal (before, after)) {
        return SAKER_OK;
    }
    if (is_map (before) && is_map (after)) {
        return change_map (self, before, after);
    }
    const json_t *members = mark_inside (before, MARK_SET);
    if (members && mark_inside (after, MARK_SET)) {
        return change_set (self, members, mark_inside (after, MARK_SET));
    }
    const json_t *sum = mark_inside (before, MARK_COUNTER);
    if (sum && mark_inside (after, MARK_COUNTER)) {
        return change_counter (self, sum, mark_inside (after, MARK_COUNTER));
    }
    return put (self, after);
}

saker_err_t difference_fill (call_t *call, saker_batch_t *batch, const char *document,
                             const char *pointer, const json_t *before, const json_t *after)
{
    difference_t self = {.call = call, .batch = batch, .document = document};
    strbuf_text (&self.pointer, pointer);
    saker_err_t error = self.pointer.failed ? call_memory (call) : change (&self, before, after);
    strbuf_free (&self.pointer);
    return error;
}
