#include "peer/waiting.h"

#include "peer/replica.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of 2 */

typedef LIST_HEAD (waiters_t, skr_waiter_t) waiters_t;

struct skr_waiting_t {
    waiters_t by_place[BUCKETS];
    waiters_t by_cause[BUCKETS];
    waiters_t ready;
    TAILQ_HEAD (ages_t, skr_waiter_t) ages; /* oldest first */
    size_t count, bytes;
    uint8_t key[crypto_shorthash_KEYBYTES];
};

saker_err_t skr_waiting_new (skr_waiting_t **self_p)
{
    skr_waiting_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    TAILQ_INIT (&self->ages);
    randombytes_buf (self->key, sizeof self->key);
    *self_p = self;
    return SAKER_OK;
}

/* Keyed: writers choose their ids, and must not choose the bucket. */
static size_t bucket_of (const skr_waiting_t *self, const skr_place_t *place)
{
    uint8_t bytes[40], hash[crypto_shorthash_BYTES];
    memcpy (bytes, place->collection.bytes, 16);
    memcpy (bytes + 16, place->writer.bytes, 16);
    skr_put_u64 (bytes + 32, place->seq);
    crypto_shorthash (hash, bytes, sizeof bytes, self->key);
    return skr_get_u32 (hash) & (BUCKETS - 1);
}

static bool same (const skr_place_t *one, const skr_place_t *other)
{
    return one->seq == other->seq && skr_id_equal (&one->writer, &other->writer)
           && skr_id_equal (&one->collection, &other->collection);
}

static void unlink_waiter (skr_waiting_t *self, skr_waiter_t *waiter)
{
    LIST_REMOVE (waiter, same_place);
    LIST_REMOVE (waiter, same_cause);
    TAILQ_REMOVE (&self->ages, waiter, age);
    self->count--;
    self->bytes -= waiter->size;
}

static void link_waiter (skr_waiting_t *self, skr_waiter_t *waiter)
{
    LIST_INSERT_HEAD (&self->by_place[bucket_of (self, &waiter->place)], waiter, same_place);
    LIST_INSERT_HEAD (&self->by_cause[bucket_of (self, &waiter->awaits)], waiter, same_cause);
    TAILQ_INSERT_TAIL (&self->ages, waiter, age);
    self->count++;
    self->bytes += waiter->size;
}

void skr_waiting_destroy (skr_waiting_t **self_p)
{
    skr_waiting_t *self = *self_p;
    if (!self) {
        return;
    }
    while (!TAILQ_EMPTY (&self->ages)) {
        skr_waiter_t *waiter = TAILQ_FIRST (&self->ages);
        unlink_waiter (self, waiter);
        free (waiter);
    }
    free (self);
    *self_p = NULL;
}

/* design 5: in a bounded buffer. */
static uint64_t make_room (skr_waiting_t *self, size_t size)
{
    uint64_t dropped = 0;
    while (
        self->count > 0
        && (self->count >= SKR_WAITING_CHANGES_MAX || self->bytes + size > SKR_WAITING_BYTES_MAX)) {
        skr_waiter_t *oldest = TAILQ_FIRST (&self->ages);
        unlink_waiter (self, oldest);
        free (oldest);
        dropped++;
    }
    return dropped;
}

saker_err_t skr_waiting_add (skr_waiting_t *self, const skr_place_t *place,
                             const skr_place_t *awaits, skr_span_t change, bool verified,
                             uint64_t *dropped)
{
    skr_waiter_t *waiter = malloc (sizeof *waiter + change.size);
    if (!waiter) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    waiter->place = *place;
    waiter->awaits = *awaits;
    waiter->verified = verified;
    waiter->size = change.size;
    memcpy (waiter->change, change.data, change.size);
    *dropped += make_room (self, change.size);
    link_waiter (self, waiter);
    return SAKER_OK;
}

static skr_waiter_t *find (skr_waiting_t *self, const skr_place_t *place)
{
    skr_waiter_t *waiter;
    LIST_FOREACH (waiter, &self->by_place[bucket_of (self, place)], same_place)
    {
        if (same (&waiter->place, place)) {
            return waiter;
        }
    }
    return NULL;
}

const skr_waiter_t *skr_waiting_find (skr_waiting_t *self, const skr_place_t *place)
{
    return self->count > 0 ? find (self, place) : NULL;
}

void skr_waiting_remove (skr_waiting_t *self, const skr_place_t *place)
{
    skr_waiter_t *waiter = self->count > 0 ? find (self, place) : NULL;
    if (waiter) {
        unlink_waiter (self, waiter);
        free (waiter);
    }
}

static void make_ready (skr_waiting_t *self, skr_waiter_t *waiter)
{
    LIST_REMOVE (waiter, same_cause);
    LIST_INSERT_HEAD (&self->ready, waiter, same_cause);
}

void skr_waiting_wake (skr_waiting_t *self, const skr_place_t *awaited)
{
    if (self->count == 0) {
        return;
    }
    skr_waiter_t *waiter = LIST_FIRST (&self->by_cause[bucket_of (self, awaited)]);
    while (waiter) {
        skr_waiter_t *next = LIST_NEXT (waiter, same_cause);
        if (same (&waiter->awaits, awaited)) {
            make_ready (self, waiter);
        }
        waiter = next;
    }
}

void skr_waiting_wake_all (skr_waiting_t *self)
{
    skr_waiter_t *waiter;
    TAILQ_FOREACH (waiter, &self->ages, age)
    {
        make_ready (self, waiter);
    }
}

skr_waiter_t *skr_waiting_take (skr_waiting_t *self)
{
    skr_waiter_t *waiter = LIST_FIRST (&self->ready);
    if (waiter) {
        unlink_waiter (self, waiter);
    }
    return waiter;
}

void skr_waiting_return (skr_waiting_t *self, skr_waiter_t **waiter_p, const skr_place_t *awaits)
{
    (*waiter_p)->awaits = *awaits;
    link_waiter (self, *waiter_p);
    *waiter_p = NULL;
}

void skr_waiting_each (const skr_waiting_t *self, skr_waiting_fn *visit, void *argument)
{
    const skr_waiter_t *waiter;
    bool more = true;
    TAILQ_FOREACH (waiter, &self->ages, age)
    {
        more = more && visit (waiter, argument);
    }
}

size_t skr_waiting_count (const skr_waiting_t *self)
{
    return self->count;
}

size_t skr_waiting_bytes (const skr_waiting_t *self)
{
    return self->bytes;
}
