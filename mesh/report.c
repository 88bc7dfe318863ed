#include "mesh/report.h"

#include <stdlib.h>
#include <string.h>

static size_t place_of (const skr_report_t *self, const skr_id_t *collection)
{
    size_t low = 0;
    size_t high = self->entries_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (skr_id_compare (&self->entries[middle].collection, collection) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const skr_report_t *self, size_t place, const skr_id_t *collection)
{
    return place < self->entries_count
           && skr_id_equal (&self->entries[place].collection, collection);
}

const skr_report_entry_t *skr_report_find (const skr_report_t *self, const skr_id_t *collection)
{
    size_t place = place_of (self, collection);
    return is_at (self, place, collection) ? &self->entries[place] : NULL;
}

/* The entry of a collection, made when it is missing; NULL when there are too many. */
static skr_report_entry_t *entry_of (skr_report_t *self, const skr_id_t *collection)
{
    size_t place = place_of (self, collection);
    if (is_at (self, place, collection)) {
        return &self->entries[place];
    }
    if (self->entries_count >= SKR_COLLECTIONS_MAX) {
        return NULL;
    }
    if (self->entries_count == self->entries_capacity) {
        size_t capacity = self->entries_capacity ? 2 * self->entries_capacity : 8;
        skr_report_entry_t *grown = realloc (self->entries, capacity * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        self->entries = grown;
        self->entries_capacity = capacity;
    }
    skr_report_entry_t *entry = &self->entries[place];
    memmove (entry + 1, entry, (self->entries_count - place) * sizeof *entry);
    memset (entry, 0, sizeof *entry);
    entry->collection = *collection;
    self->entries_count++;
    return entry;
}

/* One member cannot fill our memory with made-up clocks. */
static bool has_room (const skr_report_t *self, const skr_id_t *collection,
                      const skr_clock_t *clock)
{
    const skr_report_entry_t *entry = skr_report_find (self, collection);
    size_t ticks = self->ticks - (entry ? entry->clock.count : 0);
    return ticks + clock->count <= SKR_REPORT_TICKS_MAX;
}

/* Takes the clock out of *from. */
static void take_clock (skr_report_t *self, skr_report_entry_t *entry, skr_clock_t *from)
{
    self->ticks += from->count - entry->clock.count;
    skr_clock_free (&entry->clock);
    entry->clock = *from;
    memset (from, 0, sizeof *from);
}

/* One order for all beats of a device: by the start of its process, the process, the number. Were
   it not one, as when the wall clock decides and runs back, beats that are passed on would replace
   each other in a circle, without end. */
static bool is_newer (const skr_report_t *self, const skr_beat_t *beat)
{
    if (!self->number || beat->started_ms != self->started_ms) {
        return !self->number || beat->started_ms > self->started_ms;
    }
    int order = memcmp (beat->instance, self->instance, sizeof self->instance);
    return order ? order > 0 : beat->number > self->number;
}

bool skr_report_beat (skr_report_t *self, skr_beat_t *beat, uint64_t mono_ms)
{
    if (!is_newer (self, beat)) {
        return false;
    }
    self->writer = beat->writer;
    memcpy (self->instance, beat->instance, sizeof self->instance);
    self->number = beat->number;
    self->started_ms = beat->started_ms;
    self->state = beat->state;
    self->heard_ms = mono_ms;
    self->links_count = beat->links_count;
    memcpy (self->links, beat->links, beat->links_count * sizeof beat->links[0]);
    for (size_t i = 0; i < beat->entries_count; i++) {
        const skr_id_t *collection = &beat->entries[i].collection;
        bool fits = has_room (self, collection, &beat->entries[i].clock);
        skr_report_entry_t *entry = fits ? entry_of (self, collection) : NULL;
        if (entry) {
            take_clock (self, entry, &beat->entries[i].clock);
            entry->fingerprint = beat->entries[i].fingerprint;
            entry->documents = beat->entries[i].documents;
            entry->told_ms = mono_ms;
        }
    }
    return true;
}

saker_err_t skr_report_answer (skr_report_t *self, const skr_id_t *collection, skr_clock_t *clock,
                               const skr_fingerprint_t *fingerprint, uint64_t documents,
                               uint64_t asked_ms)
{
    bool fits = has_room (self, collection, clock);
    skr_report_entry_t *entry = fits ? entry_of (self, collection) : NULL;
    if (!entry) {
        return skr_fail (SAKER_ELIMIT, "a report holds at most %d collections and %u ticks",
                         SKR_COLLECTIONS_MAX, SKR_REPORT_TICKS_MAX);
    }
    take_clock (self, entry, clock);
    entry->fingerprint = *fingerprint;
    entry->documents = documents;
    entry->asked_ms = asked_ms;
    return SAKER_OK;
}

void skr_report_free (skr_report_t *self)
{
    for (size_t i = 0; i < self->entries_count; i++) {
        skr_clock_free (&self->entries[i].clock);
    }
    free (self->entries);
    memset (self, 0, sizeof *self);
}
