#include "gateway/patch.h"

#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* ---- RFC 7396 */

/* Recurses as deep as the patch is nested: jansson reads 2,048 levels at most. */
json_t *patch_merge (const json_t *target, const json_t *patch)
{
    if (!json_is_object (patch)) {
        return json_deep_copy (patch);
    }
    json_t *result = json_is_object (target) ? json_deep_copy (target) : json_object ();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) patch, key, value)
    {
        if (json_is_null (value)) {
            json_object_del (result, key);
        } else if (json_object_set_new (result, key,
                                        patch_merge (json_object_get (result, key), value))
                   != 0) {
            json_decref (result);
            return NULL;
        }
    }
    return result;
}

/* ---- RFC 6902 */

typedef struct patching_t {
    call_t *call;
    json_t *root; /* NULL: there is none (any more) */
    size_t number;
    const char *name; /* of the operation */
    size_t copied;
} patching_t;

/* The last part of a pointer, and what it is in. */
typedef struct spot_t {
    json_t *parent; /* NULL: it is the root */
    char key[SAKER_PATH_BYTES_MAX * 2 + 4];
} spot_t;

static saker_err_t refuse (const patching_t *self, saker_err_t error, const char *what,
                           const char *pointer)
{
    return call_fail (self->call, error, "operation %zu of the patch (%s): %s%s%.200s",
                      self->number, self->name, what, *pointer ? " " : "", pointer);
}

/* Unescapes one part of a pointer; false: it is not in form, or too long. */
static bool take_part (const char **at, char *key, size_t size)
{
    size_t used = 0;
    for ((*at)++; **at && **at != '/'; (*at)++) {
        char letter = **at;
        if (letter == '~') {
            (*at)++;
            letter = **at == '0' ? '~' : **at == '1' ? '/' : 0;
        }
        if (!letter || used + 1 >= size) {
            return false;
        }
        key[used++] = letter;
    }
    key[used] = 0;
    return true;
}

/* A number in an array: no sign, no leading zero. `limit` is the first that is too much. */
static bool take_index (const char *key, size_t limit, size_t *index)
{
    char *end;
    size_t digits = strspn (key, "0123456789");
    if (digits == 0 || digits > 9 || key[digits] || (key[0] == '0' && digits > 1)) {
        return false;
    }
    *index = strtoul (key, &end, 10);
    return *index < limit;
}

static json_t *child_of (json_t *parent, const char *key)
{
    size_t index;
    if (json_is_array (parent)) {
        return take_index (key, json_array_size (parent), &index) ? json_array_get (parent, index)
                                                                  : NULL;
    }
    return json_object_get (parent, key);
}

static saker_err_t find_spot (const patching_t *self, const char *pointer, spot_t *spot)
{
    const char *at = pointer;
    json_t *here = self->root;
    spot->parent = NULL;
    if (*at && *at != '/') {
        return refuse (self, SAKER_EINPUT, "this is no JSON Pointer:", pointer);
    }
    while (*at == '/') {
        if (!take_part (&at, spot->key, sizeof spot->key)) {
            return refuse (self, SAKER_EINPUT, "this is no JSON Pointer:", pointer);
        }
        spot->parent = here;
        if (!json_is_object (here) && !json_is_array (here)) {
            return refuse (self, SAKER_ENOTFOUND, "there is nothing to hold", pointer);
        }
        here = *at ? child_of (here, spot->key) : here;
    }
    return SAKER_OK;
}

/* The value at a pointer. Borrowed. */
static saker_err_t look_up (const patching_t *self, const char *pointer, json_t **value)
{
    spot_t spot;
    saker_err_t error = find_spot (self, pointer, &spot);
    if (error != SAKER_OK) {
        return error;
    }
    *value = spot.parent ? child_of (spot.parent, spot.key) : self->root;
    return *value ? SAKER_OK : refuse (self, SAKER_ENOTFOUND, "nothing is at", pointer);
}

static saker_err_t no_memory (const patching_t *self)
{
    return call_memory (self->call);
}

/* Takes `value`. */
static saker_err_t put_in_array (const patching_t *self, const spot_t *spot, const char *pointer,
                                 json_t *value)
{
    size_t count = json_array_size (spot->parent), index = count;
    if (strcmp (spot->key, "-") != 0 && !take_index (spot->key, count + 1, &index)) {
        json_decref (value);
        return refuse (self, SAKER_ENOTFOUND, "there is no such place in the array:", pointer);
    }
    return json_array_insert_new (spot->parent, index, value) == 0 ? SAKER_OK : no_memory (self);
}

/* Takes `value`. */
static saker_err_t put (patching_t *self, const char *pointer, json_t *value)
{
    spot_t spot;
    saker_err_t error = value ? find_spot (self, pointer, &spot) : no_memory (self);
    if (error != SAKER_OK) {
        json_decref (value);
        return error;
    }
    if (!spot.parent) {
        json_decref (self->root);
        self->root = value;
        return SAKER_OK;
    }
    if (json_is_array (spot.parent)) {
        return put_in_array (self, &spot, pointer, value);
    }
    return json_object_set_new (spot.parent, spot.key, value) == 0 ? SAKER_OK : no_memory (self);
}

static saker_err_t take_away (patching_t *self, const char *pointer)
{
    spot_t spot;
    json_t *value = NULL;
    size_t index;
    saker_err_t error = look_up (self, pointer, &value);
    if (error == SAKER_OK) {
        error = find_spot (self, pointer, &spot);
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (!spot.parent) {
        json_decref (self->root);
        self->root = NULL;
    } else if (json_is_array (spot.parent)) {
        take_index (spot.key, json_array_size (spot.parent), &index);
        json_array_remove (spot.parent, index);
    } else {
        json_object_del (spot.parent, spot.key);
    }
    return SAKER_OK;
}

/* How many values there are. */
static size_t weigh (const json_t *json)
{
    size_t weight = 1, index;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) json, key, value)
    {
        weight += weigh (value);
    }
    json_array_foreach (json, index, value)
    {
        weight += weigh (value);
    }
    return weight;
}

/* Copies double what is there: a short patch must not make a large value. */
static saker_err_t copy_value (patching_t *self, const char *from, json_t **copy)
{
    json_t *value = NULL;
    saker_err_t error = look_up (self, from, &value);
    if (error != SAKER_OK) {
        return error;
    }
    self->copied += weigh (value);
    if (self->copied > PATCH_COPIED_MAX) {
        return refuse (self, SAKER_ELIMIT, "this copies too much", "");
    }
    *copy = json_deep_copy (value);
    return *copy ? SAKER_OK : no_memory (self);
}

static saker_err_t move (patching_t *self, const char *from, const char *pointer)
{
    json_t *value = NULL;
    size_t size = strlen (from);
    if (strncmp (pointer, from, size) == 0 && pointer[size] == '/') {
        return refuse (self, SAKER_EINPUT, "a value cannot be moved into itself:", pointer);
    }
    saker_err_t error = look_up (self, from, &value);
    if (error != SAKER_OK) {
        return error;
    }
    json_incref (value);
    error = take_away (self, from);
    if (error != SAKER_OK) {
        json_decref (value);
        return error;
    }
    return put (self, pointer, value);
}

/* As RFC 6902 4.6 has it: numbers by their value. */
static bool is_equal (const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    size_t index;
    if (json_is_number (a) && json_is_number (b)) {
        return json_is_integer (a) && json_is_integer (b)
                   ? json_integer_value (a) == json_integer_value (b)
                   : json_number_value (a) == json_number_value (b);
    }
    if (json_is_object (a) && json_is_object (b) && json_object_size (a) == json_object_size (b)) {
        json_object_foreach ((json_t *) a, key, value)
        {
            json_t *other = json_object_get (b, key);
            if (!other || !is_equal (value, other)) {
                return false;
            }
        }
        return true;
    }
    if (json_is_array (a) && json_is_array (b) && json_array_size (a) == json_array_size (b)) {
        json_array_foreach (a, index, value)
        {
            if (!is_equal (value, json_array_get (b, index))) {
                return false;
            }
        }
        return true;
    }
    return json_equal (a, b);
}

static saker_err_t test (patching_t *self, const char *pointer, const json_t *wanted)
{
    json_t *value = NULL;
    saker_err_t error = look_up (self, pointer, &value);
    if (error != SAKER_OK) {
        return refuse (self, SAKER_EDIFFER, "the test does not hold at", pointer);
    }
    return is_equal (value, wanted)
               ? SAKER_OK
               : refuse (self, SAKER_EDIFFER, "the test does not hold at", pointer);
}

static saker_err_t replace (patching_t *self, const char *pointer, const json_t *value)
{
    saker_err_t error = take_away (self, pointer);
    return error == SAKER_OK ? put (self, pointer, json_deep_copy (value)) : error;
}

static saker_err_t run_operation (patching_t *self, const char *pointer, const char *from,
                                  json_t *value)
{
    json_t *copy = NULL;
    if (strcmp (self->name, "add") == 0) {
        return put (self, pointer, json_deep_copy (value));
    }
    if (strcmp (self->name, "replace") == 0) {
        return replace (self, pointer, value);
    }
    if (strcmp (self->name, "test") == 0) {
        return test (self, pointer, value);
    }
    if (strcmp (self->name, "remove") == 0) {
        return take_away (self, pointer);
    }
    if (strcmp (self->name, "move") == 0) {
        return move (self, from, pointer);
    }
    saker_err_t error = copy_value (self, from, &copy);
    return error == SAKER_OK ? put (self, pointer, copy) : error;
}

static bool is_one_of (const char *name, const char *const names[])
{
    for (size_t i = 0; names[i]; i++) {
        if (strcmp (name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static saker_err_t take_operation (patching_t *self, const json_t *json)
{
    static const char *const with_value[] = {"add", "replace", "test", NULL};
    static const char *const with_from[] = {"move", "copy", NULL};
    const char *name = json_string_value (json_object_get (json, "op"));
    const char *pointer = json_string_value (json_object_get (json, "path"));
    const char *from = json_string_value (json_object_get (json, "from"));
    json_t *value = json_object_get (json, "value");
    self->name = name ? name : "?";
    if (!name
        || (!is_one_of (name, with_value) && !is_one_of (name, with_from)
            && strcmp (name, "remove") != 0)) {
        return refuse (self, SAKER_EINPUT, "\"op\" is add, remove, replace, move, copy or test",
                       "");
    }
    if (!pointer) {
        return refuse (self, SAKER_EINPUT, "\"path\" is missing or no text", "");
    }
    if (is_one_of (name, with_value) && !value) {
        return refuse (self, SAKER_EINPUT, "\"value\" is missing", "");
    }
    if (is_one_of (name, with_from) && !from) {
        return refuse (self, SAKER_EINPUT, "\"from\" is missing or no text", "");
    }
    return run_operation (self, pointer, from, value);
}

saker_err_t patch_apply (call_t *call, const json_t *target, const json_t *patch, json_t **result)
{
    patching_t self = {.call = call};
    size_t count = json_array_size (patch);
    *result = NULL;
    if (!json_is_array (patch)) {
        return call_fail (call, SAKER_EINPUT, "a JSON patch is an array of operations");
    }
    if (count > PATCH_OPERATIONS_MAX) {
        return call_fail (call, SAKER_ELIMIT, "a patch has %d operations at most",
                          PATCH_OPERATIONS_MAX);
    }
    self.root = target ? json_deep_copy (target) : NULL;
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        self.number = i + 1;
        error = take_operation (&self, json_array_get (patch, i));
    }
    if (error != SAKER_OK) {
        json_decref (self.root);
        return error;
    }
    *result = self.root;
    return SAKER_OK;
}
