#include "peer/subscription.h"

#include "crdt/limits.h"

#include <stdlib.h>
#include <string.h>

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

skr_subscription_t skr_subscription_all (void)
{
    return (skr_subscription_t){.rest = true};
}

static void free_named (skr_named_t *named)
{
    skr_clock_free (&named->left);
}

void skr_subscription_free (skr_subscription_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free_named (&self->named[i]);
    }
    free (self->named);
    *self = skr_subscription_all ();
}

/* ---- looking up */

static size_t place_of (const skr_subscription_t *self, const skr_id_t *collection)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&self->named[middle].collection, collection) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const skr_named_t *skr_subscription_find (const skr_subscription_t *self,
                                          const skr_id_t *collection)
{
    size_t at = place_of (self, collection);
    bool found = at < self->count && skr_id_equal (&self->named[at].collection, collection);
    return found ? &self->named[at] : NULL;
}

bool skr_subscription_carries (const skr_subscription_t *self, const skr_id_t *collection)
{
    const skr_named_t *named = skr_subscription_find (self, collection);
    return named ? named->carried : self->rest;
}

bool skr_subscription_is_all (const skr_subscription_t *self)
{
    bool all = self->rest;
    for (size_t i = 0; i < self->count && all; i++) {
        all = self->named[i].carried;
    }
    return all;
}

static bool follows (const skr_subscription_t *self, const skr_subscription_t *other)
{
    for (size_t i = 0; i < other->count; i++) {
        const skr_named_t *theirs = &other->named[i];
        if (skr_subscription_carries (self, &theirs->collection) != theirs->carried) {
            return false;
        }
    }
    return true;
}

bool skr_subscription_equal (const skr_subscription_t *self, const skr_subscription_t *other)
{
    return self->rest == other->rest && follows (self, other) && follows (other, self);
}

/* ---- changing */

static saker_err_t insert (skr_subscription_t *self, const skr_id_t *collection,
                           skr_named_t **named)
{
    if (self->count >= SKR_SUBSCRIPTION_NAMED_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a peer names at most %d collections that it carries or does not carry "
                         "(SKR_SUBSCRIPTION_NAMED_MAX)",
                         SKR_SUBSCRIPTION_NAMED_MAX);
    }
    skr_named_t *list = realloc (self->named, (self->count + 1) * sizeof *list);
    if (!list) {
        return no_memory ();
    }
    self->named = list;
    size_t at = place_of (self, collection);
    memmove (&list[at + 1], &list[at], (self->count - at) * sizeof *list);
    list[at] = (skr_named_t){.collection = *collection};
    self->count++;
    *named = &list[at];
    return SAKER_OK;
}

saker_err_t skr_subscription_set (skr_subscription_t *self, const skr_id_t *collection,
                                  bool carried)
{
    skr_named_t *named = (skr_named_t *) skr_subscription_find (self, collection);
    if (!named) {
        SKR_TRY (insert (self, collection, &named));
    }
    named->carried = carried;
    return SAKER_OK;
}

saker_err_t skr_subscription_leave (skr_subscription_t *self, const skr_id_t *collection,
                                    const skr_clock_t *clock)
{
    skr_named_t *named = (skr_named_t *) skr_subscription_find (self, collection);
    if (!named) {
        SKR_TRY (insert (self, collection, &named));
        named->carried = self->rest;
    }
    return skr_clock_merge (&named->left, clock);
}

void skr_subscription_settle (skr_subscription_t *self, const skr_id_t *collection,
                              const skr_clock_t *clock)
{
    skr_named_t *named = (skr_named_t *) skr_subscription_find (self, collection);
    if (named && named->carried && skr_clock_covers (clock, &named->left)) {
        named->left.count = 0;
    }
}

void skr_subscription_tidy (skr_subscription_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        skr_named_t *named = &self->named[i];
        if (named->carried == self->rest && !named->left.count) {
            free_named (named);
        } else {
            self->named[kept++] = *named;
        }
    }
    self->count = kept;
}

static saker_err_t copy_named (skr_subscription_t *self, const skr_named_t *theirs)
{
    skr_named_t *ours = NULL;
    SKR_TRY (insert (self, &theirs->collection, &ours));
    ours->carried = theirs->carried;
    return skr_clock_copy (&ours->left, &theirs->left);
}

saker_err_t skr_subscription_copy (skr_subscription_t *self, const skr_subscription_t *other)
{
    skr_subscription_free (self);
    self->number = other->number;
    self->rest = other->rest;
    for (size_t i = 0; i < other->count; i++) {
        SKR_TRY (copy_named (self, &other->named[i]));
    }
    return SAKER_OK;
}

/* ---- as in the statement */

void skr_subscription_put (skr_buf_t *buf, const skr_subscription_t *self)
{
    skr_cbor_put_array (buf, self->count);
    for (size_t i = 0; i < self->count; i++) {
        const skr_named_t *named = &self->named[i];
        skr_cbor_put_array (buf, 3);
        skr_cbor_put_bytes (buf, named->collection.bytes, sizeof named->collection.bytes);
        skr_cbor_put_bool (buf, named->carried);
        skr_clock_put (buf, &named->left);
    }
}

static saker_err_t get_named (skr_cbor_t *cbor, skr_named_t *named)
{
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "a collection that is named has three parts");
    }
    skr_cbor_get_fixed (cbor, named->collection.bytes, sizeof named->collection.bytes);
    named->carried = skr_cbor_get_bool (cbor);
    SKR_TRY (skr_clock_read (cbor, &named->left, SKR_CLOCK_WRITERS_MAX));
    for (size_t i = 0; i < named->left.count; i++) {
        if (named->left.ticks[i].seq == UINT64_MAX) { /* as a limit, that would be none */
            skr_cbor_reject (cbor, "no writer gets that far");
        }
    }
    if (skr_id_is_zero (&named->collection)) {
        skr_cbor_reject (cbor, "the roster is carried by all");
    }
    return SAKER_OK;
}

saker_err_t skr_subscription_get (skr_cbor_t *cbor, skr_subscription_t *self)
{
    skr_id_t before = {{0}};
    saker_err_t error = SAKER_OK;
    size_t count = skr_cbor_get_array (cbor, SKR_SUBSCRIPTION_NAMED_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && error == SAKER_OK; i++) {
        skr_named_t named = {.carried = false};
        error = get_named (cbor, &named);
        if (cbor->error == SAKER_OK && skr_id_compare (&before, &named.collection) >= 0) {
            skr_cbor_reject (cbor, "collections that are named do not ascend");
        }
        before = named.collection;
        if (self && error == SAKER_OK && cbor->error == SAKER_OK) {
            error = copy_named (self, &named);
        }
        free_named (&named);
    }
    return error;
}
