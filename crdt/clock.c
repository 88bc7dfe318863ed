#include "crdt/clock.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int skr_dot_compare (const skr_dot_t *one, const skr_dot_t *other)
{
    int order = skr_id_compare (&one->writer, &other->writer);
    if (!order) {
        order = (one->seq > other->seq) - (one->seq < other->seq);
    }
    return order ? order : (one->index > other->index) - (one->index < other->index);
}

/* Index of the first tick whose writer is not below. */
static size_t place_of (const skr_clock_t *self, const skr_id_t *writer)
{
    size_t low = 0;
    size_t high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (skr_id_compare (&self->ticks[middle].writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const skr_clock_t *self, size_t place, const skr_id_t *writer)
{
    return place < self->count && skr_id_equal (&self->ticks[place].writer, writer);
}

uint64_t skr_clock_get (const skr_clock_t *self, const skr_id_t *writer)
{
    size_t place = place_of (self, writer);
    return is_at (self, place, writer) ? self->ticks[place].seq : 0;
}

static saker_err_t reserve (skr_clock_t *self, size_t count)
{
    if (count > SKR_CLOCK_WRITERS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a clock holds at most %d writers", SKR_CLOCK_WRITERS_MAX);
    }
    if (count > self->capacity) {
        size_t capacity = self->capacity ? self->capacity : 4;
        while (capacity < count) {
            capacity *= 2;
        }
        skr_tick_t *grown = realloc (self->ticks, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->ticks = grown;
        self->capacity = capacity;
    }
    return SAKER_OK;
}

static void remove_at (skr_clock_t *self, size_t place)
{
    self->count--;
    memmove (self->ticks + place, self->ticks + place + 1,
             (self->count - place) * sizeof *self->ticks);
}

saker_err_t skr_clock_set (skr_clock_t *self, const skr_id_t *writer, uint64_t seq)
{
    size_t place = place_of (self, writer);
    bool there = is_at (self, place, writer);
    if (there && seq) {
        self->ticks[place].seq = seq;
    } else if (there) {
        remove_at (self, place);
    } else if (seq) {
        skr_tick_t tick = {*writer, seq}; /* writer may point into ticks */
        SKR_TRY (reserve (self, self->count + 1));
        memmove (self->ticks + place + 1, self->ticks + place,
                 (self->count - place) * sizeof *self->ticks);
        self->ticks[place] = tick;
        self->count++;
    }
    return SAKER_OK;
}

saker_err_t skr_clock_raise (skr_clock_t *self, const skr_id_t *writer, uint64_t seq)
{
    return seq > skr_clock_get (self, writer) ? skr_clock_set (self, writer, seq) : SAKER_OK;
}

saker_err_t skr_clock_merge (skr_clock_t *self, const skr_clock_t *other)
{
    for (size_t i = 0; i < other->count; i++) {
        SKR_TRY (skr_clock_raise (self, &other->ticks[i].writer, other->ticks[i].seq));
    }
    return SAKER_OK;
}

saker_err_t skr_clock_copy (skr_clock_t *self, const skr_clock_t *other)
{
    if (self != other) {
        SKR_TRY (reserve (self, other->count));
        if (other->count) {
            memcpy (self->ticks, other->ticks, other->count * sizeof *self->ticks);
        }
        self->count = other->count;
    }
    return SAKER_OK;
}

bool skr_clock_covers (const skr_clock_t *self, const skr_clock_t *other)
{
    for (size_t i = 0; i < other->count; i++) {
        if (skr_clock_get (self, &other->ticks[i].writer) < other->ticks[i].seq) {
            return false;
        }
    }
    return true;
}

bool skr_clock_equal (const skr_clock_t *self, const skr_clock_t *other)
{
    if (self->count != other->count) {
        return false;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (!skr_id_equal (&self->ticks[i].writer, &other->ticks[i].writer)
            || self->ticks[i].seq != other->ticks[i].seq) {
            return false;
        }
    }
    return true;
}

uint64_t skr_clock_missing (const skr_clock_t *self, const skr_clock_t *other)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < self->count; i++) {
        uint64_t seq = skr_clock_get (other, &self->ticks[i].writer);
        uint64_t more = self->ticks[i].seq > seq ? self->ticks[i].seq - seq : 0;
        missing = more < UINT64_MAX - missing ? missing + more : UINT64_MAX;
    }
    return missing;
}

uint64_t skr_clock_digest (const skr_clock_t *self)
{
    crypto_generichash_state state;
    uint8_t hash[16];
    uint8_t tick[24];
    if (!self->count) {
        return 0;
    }
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    for (size_t i = 0; i < self->count; i++) {
        memcpy (tick, self->ticks[i].writer.bytes, 16);
        skr_put_u64 (tick + 16, self->ticks[i].seq);
        crypto_generichash_update (&state, tick, sizeof tick);
    }
    crypto_generichash_final (&state, hash, sizeof hash);
    uint64_t digest = skr_get_u64 (hash);
    return digest ? digest : 1;
}

void skr_clock_put (skr_buf_t *buf, const skr_clock_t *self)
{
    skr_cbor_put_array (buf, self->count);
    for (size_t i = 0; i < self->count; i++) {
        skr_cbor_put_array (buf, 2);
        skr_cbor_put_bytes (buf, self->ticks[i].writer.bytes, sizeof self->ticks[i].writer.bytes);
        skr_cbor_put_uint (buf, self->ticks[i].seq);
    }
}

static void read_tick (skr_cbor_t *cbor, skr_clock_t *self)
{
    skr_tick_t tick;
    if (skr_cbor_get_array (cbor, 2) != 2) {
        skr_cbor_reject (cbor, "an entry of a clock has two parts");
    }
    skr_cbor_get_fixed (cbor, tick.writer.bytes, sizeof tick.writer.bytes);
    tick.seq = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && !tick.seq) {
        skr_cbor_reject (cbor, "an entry of a clock is zero");
    }
    if (self->count && skr_id_compare (&self->ticks[self->count - 1].writer, &tick.writer) >= 0) {
        skr_cbor_reject (cbor, "the writers of a clock do not ascend");
    }
    if (cbor->error == SAKER_OK) {
        self->ticks[self->count++] = tick;
    }
}

saker_err_t skr_clock_read (skr_cbor_t *cbor, skr_clock_t *self, size_t count_max)
{
    self->count = 0;
    size_t count = skr_cbor_get_array (cbor, count_max);
    SKR_TRY (reserve (self, count));
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        read_tick (cbor, self);
    }
    if (cbor->error != SAKER_OK) {
        self->count = 0;
        return skr_fail (SAKER_EINPUT, "byte %zu: %s", cbor->wrong_at, cbor->wrong);
    }
    return SAKER_OK;
}

void skr_clock_free (skr_clock_t *self)
{
    free (self->ticks);
    memset (self, 0, sizeof *self);
}
