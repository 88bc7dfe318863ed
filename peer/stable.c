#include "peer/stable.h"

#include <stdlib.h>
#include <string.h>

/* ---- witnesses */

static size_t place_of (const skr_stable_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp (self->witnesses[middle].device, device, SKR_DEVICE_KEY_BYTES) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const skr_stable_t *self, size_t place,
                   const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    return place < self->count
           && memcmp (self->witnesses[place].device, device, SKR_DEVICE_KEY_BYTES) == 0;
}

const skr_witness_t *skr_stable_witness (const skr_stable_t *self,
                                         const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    size_t place = place_of (self, device);
    return is_at (self, place, device) ? &self->witnesses[place] : NULL;
}

/* Made when it is missing; NULL without memory. */
static skr_witness_t *witness_of (skr_stable_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    size_t place = place_of (self, device);
    if (is_at (self, place, device)) {
        return &self->witnesses[place];
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 8;
        skr_witness_t *witnesses = realloc (self->witnesses, capacity * sizeof *witnesses);
        if (!witnesses) {
            return NULL;
        }
        self->witnesses = witnesses;
        self->capacity = capacity;
    }
    skr_witness_t *witness = &self->witnesses[place];
    memmove (witness + 1, witness, (self->count - place) * sizeof *witness);
    memset (witness, 0, sizeof *witness);
    memcpy (witness->device, device, sizeof witness->device);
    self->count++;
    return witness;
}

/* ---- does it count */

static bool is_own (const skr_scene_t *scene, const uint8_t *device, const skr_id_t *writer)
{
    const skr_member_t *author = skr_roster_by_writer (scene->people, writer);
    return author && memcmp (author->device, device, SKR_DEVICE_KEY_BYTES) == 0;
}

/* What the member made itself may be concurrent with anything: it must be here first. */
static bool has_own (const skr_scene_t *scene, const uint8_t *device, const skr_clock_t *told)
{
    for (size_t i = 0; i < told->count; i++) {
        const skr_tick_t *tick = &told->ticks[i];
        if (is_own (scene, device, &tick->writer)
            && tick->seq > skr_clock_get (scene->clock, &tick->writer)) {
            return false;
        }
    }
    return true;
}

static skr_verdict_t judge (const skr_scene_t *scene, const skr_witness_t *witness,
                            const skr_testimony_t *told)
{
    if (!told->clock) {
        return SKR_VERDICT_UNHEARD;
    }
    if (!told->roster || !skr_clock_covers (scene->roster, told->roster)
        || !skr_id_equal (told->writer, &witness->writer)) {
        return SKR_VERDICT_ROSTER;
    }
    return has_own (scene, witness->device, told->clock) ? SKR_VERDICT_COUNTS : SKR_VERDICT_OWN;
}

/* ---- hearing */

static void follow_writer (skr_witness_t *witness, const skr_roster_t *people)
{
    skr_id_t latest = witness->writer;
    (void) skr_roster_present (people, witness->device, &latest);
    if (!skr_id_equal (&latest, &witness->writer)) {
        witness->writer = latest;
        witness->counted.count = witness->cut.count = 0;
    }
}

/* Raises one entry, if the change is here and the same. */
static saker_err_t count_tick (skr_witness_t *witness, const skr_scene_t *scene,
                               const skr_tick_t *tick, uint64_t told_hash)
{
    uint64_t hash = told_hash;
    if (tick->seq > skr_clock_get (scene->clock, &tick->writer)
        || tick->seq <= skr_clock_get (&witness->counted, &tick->writer)) {
        return SAKER_OK;
    }
    saker_err_t error = scene->hash (scene->context, &tick->writer, tick->seq, &hash);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    if (error == SAKER_OK && hash != told_hash) {
        witness->verdict = SKR_VERDICT_FORKED;
        return SAKER_OK;
    }
    return skr_clock_set (&witness->counted, &tick->writer, tick->seq);
}

saker_err_t skr_stable_hear (skr_stable_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                             const skr_testimony_t *told, const skr_scene_t *scene)
{
    skr_witness_t *witness = witness_of (self, device);
    if (!witness) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    follow_writer (witness, scene->people);
    witness->verdict = judge (scene, witness, told);
    if (witness->verdict != SKR_VERDICT_COUNTS) {
        return SAKER_OK;
    }
    witness->counted_ms = scene->wall_ms;
    for (size_t i = 0; told->hashes && i < told->clock->count; i++) {
        SKR_TRY (count_tick (witness, scene, &told->clock->ticks[i], told->hashes[i]));
    }
    for (size_t i = 0; told->kept && i < told->clock->count; i++) {
        const skr_tick_t *tick = &told->clock->ticks[i];
        SKR_TRY (skr_clock_raise (&witness->cut, &tick->writer, tick->seq - told->kept[i]));
    }
    return SAKER_OK;
}

/* ---- the sum */

static uint64_t least_of (const skr_stable_t *self, const skr_member_t *const *members,
                          size_t count, bool of_cuts, const skr_tick_t *tick)
{
    uint64_t least = tick->seq;
    for (size_t i = 0; i < count && least > 0; i++) {
        const skr_witness_t *witness = skr_stable_witness (self, members[i]->device);
        const skr_clock_t *clock = !witness ? NULL : of_cuts ? &witness->cut : &witness->counted;
        uint64_t seq = clock ? skr_clock_get (clock, &tick->writer) : 0;
        least = seq < least ? seq : least;
    }
    return least;
}

static saker_err_t sum_up (const skr_stable_t *self, const skr_member_t *const *members,
                           size_t count, bool of_cuts, const skr_clock_t *clock, skr_clock_t *sum)
{
    sum->count = 0;
    for (size_t i = 0; i < clock->count; i++) {
        uint64_t seq = least_of (self, members, count, of_cuts, &clock->ticks[i]);
        if (seq > 0) {
            SKR_TRY (skr_clock_set (sum, &clock->ticks[i].writer, seq));
        }
    }
    return SAKER_OK;
}

saker_err_t skr_stable_clock (const skr_stable_t *self, const skr_member_t *const *members,
                              size_t count, const skr_clock_t *clock, skr_clock_t *stable)
{
    return sum_up (self, members, count, false, clock, stable);
}

saker_err_t skr_stable_foldable (const skr_stable_t *self, const skr_member_t *const *members,
                                 size_t count, const skr_clock_t *cut, skr_clock_t *foldable)
{
    return sum_up (self, members, count, true, cut, foldable);
}

void skr_stable_free (skr_stable_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        skr_clock_free (&self->witnesses[i].counted);
        skr_clock_free (&self->witnesses[i].cut);
    }
    free (self->witnesses);
    memset (self, 0, sizeof *self);
}
