/* Tree: the leaves of a read, as one JSON value. */

#ifndef TOOLS_TREE_H_INCLUDED
#define TOOLS_TREE_H_INCLUDED

#include "saker.h"

#include <jansson.h>

typedef struct tree_t {
    bool marked;   /* sets and counters with their marks (marks.h), for export */
    bool failed;   /* out of memory, or a leaf that makes no sense */
    json_t *root;  /* NULL before the first leaf */
    json_t **sets; /* the arrays to sort; borrowed from root */
    size_t sets_count, sets_capacity;
} tree_t;

/* Puts a leaf that a plain read shows in its place; others are left out. */
void tree_add (tree_t *self, const saker_leaf_t *leaf);
/* Sorts the sets and hands over the value; NULL when there were no leaves or it failed. The tree is
   empty afterwards and keeps `failed`. Owned by the caller (json_decref). */
json_t *tree_take (tree_t *self);
void tree_free (tree_t *self);
/* The part of a taken value at a JSON Pointer; NULL: there is none. Borrowed. */
json_t *tree_at (json_t *json, const char *pointer);
/* One value. NULL when memory is out or it has no JSON form. Owned by the caller. */
json_t *tree_value (const saker_value_t *value);

#endif
