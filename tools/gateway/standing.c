#include "gateway/standing.h"

#include "gateway/doorman.h"

#include <stdlib.h>
#include <string.h>

/* ---- status */

static void take_text (char *to, size_t size, const saker_value_t *value)
{
    if (value->type == SAKER_TEXT) {
        snprintf (to, size, "%.*s", (int) value->as.string.size, value->as.string.data);
    }
}

static void take_name (standing_t *self, const saker_leaf_t *leaf)
{
    const struct {
        const char *pointer;
        char *to;
        size_t size;
    } texts[] = {
        {"/mesh/name", self->mesh, sizeof self->mesh},
        {"/mesh/id", self->mesh_id, sizeof self->mesh_id},
        {"/device/name", self->device, sizeof self->device},
        {"/device/id", self->device_id, sizeof self->device_id},
        {"/device/role", self->role, sizeof self->role},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp (leaf->pointer, texts[i].pointer) == 0) {
            take_text (texts[i].to, texts[i].size, &leaf->value);
        }
    }
    self->twin = self->twin || strcmp (leaf->pointer, "/twin/what") == 0;
}

/* STANDING_NUMBERS_MAX: there is none. */
static size_t place_of (const char *pointer)
{
    for (size_t i = 0; standing_numbers[i].pointer; i++) {
        if (strcmp (pointer, standing_numbers[i].pointer) == 0) {
            return i;
        }
    }
    return STANDING_NUMBERS_MAX;
}

static void set_number (standing_t *self, const char *pointer, int64_t value)
{
    size_t place = place_of (pointer);
    if (place < STANDING_NUMBERS_MAX) {
        self->numbers[place] = value;
    }
}

/* Splits /collections/NAME/WHAT. */
static bool split (const char *pointer, char name[SAKER_COLLECTION_BYTES_MAX + 1],
                   const char **what)
{
    static const char prefix[] = "/collections/";
    size_t used = 0;
    if (strncmp (pointer, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    for (pointer += sizeof prefix - 1; *pointer && *pointer != '/'; pointer++) {
        char letter = *pointer;
        if (letter == '~') {
            letter = *++pointer == '1' ? '/' : '~';
        }
        if (used == SAKER_COLLECTION_BYTES_MAX) {
            return false;
        }
        name[used++] = letter;
    }
    name[used] = 0;
    *what = *pointer ? pointer + 1 : pointer;
    return true;
}

/* Its leaves come one after the other. NULL: it is left out. */
static standing_collection_t *collection_of (standing_t *self, const char *name, const char *what)
{
    size_t count = self->collections_count;
    if (count > 0 && strcmp (self->collections[count - 1].name, name) == 0) {
        return &self->collections[count - 1];
    }
    if (*name == '@' || !doorman_may_see (self->request, name)) {
        return NULL;
    }
    if (count == STANDING_COLLECTIONS_MAX) {
        self->collections_left_out += strcmp (what, "documents") == 0;
        return NULL;
    }
    standing_collection_t *fresh = &self->collections[self->collections_count++];
    *fresh = (standing_collection_t){.documents = 0};
    snprintf (fresh->name, sizeof fresh->name, "%s", name);
    return fresh;
}

static void take_collection (standing_t *self, const saker_leaf_t *leaf)
{
    char name[SAKER_COLLECTION_BYTES_MAX + 1];
    const char *what;
    if (leaf->value.type != SAKER_INT || !split (leaf->pointer, name, &what)) {
        return;
    }
    standing_collection_t *collection = collection_of (self, name, what);
    int64_t value = leaf->value.as.integer;
    if (!collection) {
        return;
    }
    if (strcmp (what, "documents") == 0) {
        collection->documents = value;
    } else if (strcmp (what, "changes") == 0) {
        collection->changes = value;
    } else if (strcmp (what, "conflicts") == 0) {
        collection->conflicts = value;
    } else if (strcmp (what, "log_bytes") == 0) {
        collection->log_bytes = value;
    }
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    take_name (argument, leaf);
    if (leaf->value.type == SAKER_INT) {
        set_number (argument, leaf->pointer, leaf->value.as.integer);
    }
    take_collection (argument, leaf);
    return 0;
}

/* ---- peers */

static int take_peer (const saker_peer_t *peer, void *argument)
{
    standing_t *self = argument;
    if (strcmp (peer->link, "revoked") == 0) {
        return 0; /* it is a member no more */
    }
    if (self->peers_count == STANDING_PEERS_MAX) {
        self->peers_left_out++;
        return 0;
    }
    standing_peer_t *copy = &self->peers[self->peers_count++];
    *copy = (standing_peer_t){.seen_ms = peer->seen_ms,
                              .behind = peer->behind,
                              .lag_ms = peer->lag_ms,
                              .rtt_us = peer->rtt_us};
    snprintf (copy->name, sizeof copy->name, "%s", peer->name);
    snprintf (copy->id, sizeof copy->id, "%s", peer->id);
    snprintf (copy->role, sizeof copy->role, "%s", peer->role);
    snprintf (copy->link, sizeof copy->link, "%s", peer->link);
    snprintf (copy->address, sizeof copy->address, "%s", peer->address);
    return 0;
}

/* ---- for others */

saker_err_t standing_read (standing_t *self, const request_t *request, call_t *call)
{
    *self = (standing_t){.request = request};
    memset (self->numbers, 0xff, sizeof self->numbers);
    set_number (self, "/fork/collections", 0); /* told when there is one */
    self->collections = calloc (STANDING_COLLECTIONS_MAX, sizeof *self->collections);
    self->peers = calloc (STANDING_PEERS_MAX, sizeof *self->peers);
    if (!self->collections || !self->peers) {
        return call_memory (call);
    }
    saker_err_t error = saker_status (call->peer, take_leaf, self);
    if (error == SAKER_OK) {
        error = saker_peers (call->peer, take_peer, self);
    }
    return call_library (call, error);
}

void standing_free (standing_t *self)
{
    free (self->collections);
    free (self->peers);
    self->collections = NULL;
    self->peers = NULL;
}

int64_t standing_number (const standing_t *self, const char *pointer)
{
    size_t place = place_of (pointer);
    return place < STANDING_NUMBERS_MAX ? self->numbers[place] : -1;
}
