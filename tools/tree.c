#include "tree.h"

#include "base64.h"
#include "canon.h"
#include "marks.h"

#include <stdlib.h>
#include <string.h>

/* A key as it is in the JSON value: unescaped, and marked when it looks like a mark. */
static bool take_key (const char **pointer, char *key, size_t key_size)
{
    size_t size = 1; /* room for the '$' of a mark-like key */
    const char *at = *pointer + 1;
    for (; *at && *at != '/'; at++) {
        if (size + 1 >= key_size) {
            return false;
        }
        if (at[0] == '~' && (at[1] == '0' || at[1] == '1')) {
            at++;
            key[size++] = *at == '0' ? '~' : '/';
        } else {
            key[size++] = *at;
        }
    }
    key[size] = 0;
    key[0] = '$';
    if (!mark_like (key + 1, 1)) {
        memmove (key, key + 1, size);
    }
    *pointer = at;
    return true;
}

static json_t *bytes_value (const void *bytes, size_t size)
{
    char *text = malloc (BASE64_TEXT_SIZE (size) + 1);
    if (!text) {
        return NULL;
    }
    base64_encode (bytes, size, text);
    json_t *json = json_pack ("{s:s%}", MARK_BYTES, text, BASE64_TEXT_SIZE (size));
    free (text);
    return json;
}

json_t *tree_value (const saker_value_t *value)
{
    switch (value->type) {
    case SAKER_NULL:
        return json_null ();
    case SAKER_BOOL:
        return json_boolean (value->as.boolean);
    case SAKER_INT:
        return json_integer (value->as.integer);
    case SAKER_DOUBLE:
        return json_real (value->as.number);
    case SAKER_TEXT:
        return json_stringn (value->as.string.size ? value->as.string.data : "",
                             value->as.string.size);
    case SAKER_BYTES:
        return bytes_value (value->as.string.data, value->as.string.size);
    case SAKER_MAP:
        return json_object ();
    }
    return NULL;
}

/* Remembers an array that is a set, to be sorted in the end. */
static bool remember_set (tree_t *self, json_t *array)
{
    if (self->sets_count == self->sets_capacity) {
        size_t capacity = self->sets_capacity * 2 + 8;
        json_t **sets = realloc (self->sets, capacity * sizeof *sets);
        if (!sets) {
            return false;
        }
        self->sets = sets;
        self->sets_capacity = capacity;
    }
    self->sets[self->sets_count++] = array;
    return true;
}

/* A new set with its first member. Takes `member`. */
static json_t *set_value (tree_t *self, json_t *member)
{
    json_t *array = json_array ();
    json_t *json = array && self->marked ? json_pack ("{s:o}", MARK_SET, array) : array;
    if (!json) {
        json_decref (member);
        self->failed = true;
    } else if (json_array_append_new (array, member) != 0 || !remember_set (self, array)) {
        self->failed = true;
        json_decref (json);
        return NULL;
    }
    return json;
}

/* The array of the set that is at this place already; NULL: something else, or nothing. */
static json_t *set_array (const tree_t *self, json_t *there)
{
    json_t *array = there && self->marked ? mark_inside (there, MARK_SET) : there;
    return json_is_array (array) ? array : NULL;
}

/* What a leaf puts at its place, where `there` may be a part of the same set. NULL: nothing more to
   do. */
static json_t *leaf_value (tree_t *self, const saker_leaf_t *leaf, json_t *there)
{
    json_t *json = tree_value (&leaf->value);
    if (!json) {
        self->failed = true;
        return NULL;
    }
    if (leaf->cell == SAKER_MEMBER) {
        json_t *array = set_array (self, there);
        if (!array) {
            return set_value (self, json);
        }
        self->failed |= json_array_append_new (array, json) != 0;
        return NULL;
    }
    if (leaf->cell == SAKER_COUNTER && self->marked) {
        json = json_pack ("{s:o}", MARK_COUNTER, json);
        self->failed |= !json;
    }
    return json;
}

/* Walks to the map that holds the last key of the pointer, making maps on the way. */
static json_t *walk (tree_t *self, const char *pointer, char *key, size_t key_size)
{
    if (!self->root) {
        self->root = json_object ();
    }
    json_t *map = self->root;
    while (map && json_is_object (map) && *pointer == '/' && take_key (&pointer, key, key_size)) {
        if (!*pointer) {
            return map;
        }
        json_t *next = json_object_get (map, key);
        if (!next && json_object_set_new (map, key, json_object ()) == 0) {
            next = json_object_get (map, key);
        }
        map = next;
    }
    return NULL;
}

void tree_add (tree_t *self, const saker_leaf_t *leaf)
{
    if (!leaf->shown || self->failed) {
        return;
    }
    if (!*leaf->pointer) {
        json_t *json = leaf_value (self, leaf, self->root);
        /* An empty map at the top says nothing where keys are there. */
        if (json && self->root) {
            json_decref (json);
        } else if (json) {
            self->root = json;
        }
        return;
    }
    char key[SAKER_PATH_BYTES_MAX * 2 + 4];
    json_t *map = walk (self, leaf->pointer, key, sizeof key);
    if (!map) {
        self->failed = true;
        return;
    }
    json_t *there = json_object_get (map, key);
    json_t *json = leaf_value (self, leaf, there);
    if (json && there) {
        json_decref (json);
    } else if (json && json_object_set_new (map, key, json) != 0) {
        self->failed = true;
    }
}

static int compare_members (const void *a, const void *b)
{
    return canon_compare (*(json_t *const *) a, *(json_t *const *) b);
}

static bool sort_set (json_t *array)
{
    size_t count = json_array_size (array), kept = 0;
    json_t **members = malloc ((count + 1) * sizeof *members);
    if (!members) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        members[i] = json_incref (json_array_get (array, i));
    }
    qsort (members, count, sizeof *members, compare_members);
    json_array_clear (array);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        bool repeated = kept && canon_compare (json_array_get (array, kept - 1), members[i]) == 0;
        if (repeated) {
            json_decref (members[i]);
        } else {
            good &= json_array_append_new (array, members[i]) == 0;
            kept++;
        }
    }
    free (members);
    return good;
}

json_t *tree_take (tree_t *self)
{
    for (size_t i = 0; i < self->sets_count && !self->failed; i++) {
        self->failed = !sort_set (self->sets[i]);
    }
    json_t *root = self->failed ? NULL : self->root;
    if (self->failed) {
        json_decref (self->root);
    }
    self->root = NULL;
    self->sets_count = 0;
    return root;
}

void tree_free (tree_t *self)
{
    json_decref (self->root);
    free (self->sets);
    *self = (tree_t){.marked = self->marked};
}

json_t *tree_at (json_t *json, const char *pointer)
{
    char key[SAKER_PATH_BYTES_MAX * 2 + 4];
    while (json && *pointer) {
        if (!take_key (&pointer, key, sizeof key)) {
            return NULL;
        }
        json = json_object_get (json, key);
    }
    return json;
}
