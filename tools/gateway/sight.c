#include "gateway/sight.h"

#include "say.h"
#include "tree.h"

#include <sodium.h>
#include <string.h>

typedef struct looking_t {
    sight_t *sight;
    tree_t plain, marked;
    bool failed;
} looking_t;

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    looking_t *looking = argument;
    sight_t *sight = looking->sight;
    tree_add (&looking->plain, leaf);
    tree_add (&looking->marked, leaf);
    sight->time_ms = leaf->time_ms > sight->time_ms ? leaf->time_ms : sight->time_ms;
    if (leaf->rival) {
        looking->failed |= json_array_append_new (sight->rivals, say_leaf (leaf)) != 0;
    }
    return 0;
}

/* The part of a tree at the pointer. Owned by the caller. */
static json_t *take_part (tree_t *tree, const char *pointer)
{
    json_t *whole = tree_take (tree);
    json_t *part = json_incref (tree_at (whole, pointer));
    json_decref (whole);
    return part;
}

saker_err_t sight_read (call_t *call, const char *collection, const char *document,
                        const char *pointer, sight_t *sight)
{
    looking_t looking = {.sight = sight, .marked.marked = true};
    *sight = (sight_t){.rivals = json_array ()};
    saker_err_t error = saker_read_state (call->peer, collection, document, pointer, take_leaf,
                                          &looking, sight->state);
    if (error == SAKER_OK) {
        sight->plain = take_part (&looking.plain, pointer);
        sight->marked = take_part (&looking.marked, pointer);
    } else if (error != SAKER_ENOTFOUND) {
        call_library (call, error);
    }
    bool failed = looking.failed || looking.plain.failed || looking.marked.failed;
    tree_free (&looking.plain);
    tree_free (&looking.marked);
    if (failed) {
        return call_memory (call);
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

void sight_free (sight_t *self)
{
    json_decref (self->plain);
    json_decref (self->marked);
    json_decref (self->rivals);
    *self = (sight_t){0};
}

bool sight_exists (const sight_t *self)
{
    return !sodium_is_zero (self->state, sizeof self->state);
}
