#include "mesh/report.h"

#include "peer/partial.h"

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
static bool has_room (const skr_report_t *self, const skr_beat_entry_t *told)
{
    const skr_report_entry_t *entry = skr_report_find (self, &told->collection);
    size_t ticks = self->ticks - (entry ? entry->clock.count : 0);
    size_t bytes = self->part_bytes - (entry ? entry->part.prefixes.size : 0);
    return ticks + told->clock.count <= SKR_REPORT_TICKS_MAX
           && bytes + told->part.prefixes.size <= SKR_REPORT_PART_BYTES_MAX;
}

static void let_go (skr_report_t *self, skr_report_roster_t **roster_p)
{
    skr_report_roster_t *roster = *roster_p;
    *roster_p = NULL;
    if (roster && --roster->uses == 0) {
        self->ticks -= roster->clock.count;
        skr_clock_free (&roster->clock);
        free (roster);
    }
}

/* The roster that was told last, which seldom changes; NULL when there is no room for another. */
static skr_report_roster_t *roster_of (skr_report_t *self, const skr_clock_t *clock)
{
    if (self->roster && skr_clock_equal (&self->roster->clock, clock)) {
        return self->roster;
    }
    let_go (self, &self->roster);
    bool fits = self->ticks + clock->count <= SKR_REPORT_TICKS_MAX;
    skr_report_roster_t *roster = fits ? calloc (1, sizeof *roster) : NULL;
    if (!roster || skr_clock_copy (&roster->clock, clock) != SAKER_OK) {
        free (roster);
        return NULL;
    }
    roster->uses = 1;
    roster->digest = skr_clock_digest (clock);
    self->ticks += clock->count;
    return self->roster = roster;
}

static void free_told (skr_report_entry_t *entry)
{
    skr_part_free (&entry->part);
    skr_clock_free (&entry->clock);
    free (entry->hashes);
    free (entry->kept);
}

static void free_asked (skr_report_entry_t *entry)
{
    skr_part_free (&entry->asked.part);
    entry->asked.any = false;
}

/* Takes clock and hashes out of what was told. */
static void take_told (skr_report_t *self, skr_report_entry_t *entry, skr_beat_entry_t *told,
                       skr_report_roster_t *roster)
{
    bool moved = !skr_clock_equal (&entry->clock, &told->clock);
    self->ticks += told->clock.count - entry->clock.count;
    self->part_bytes += told->part.prefixes.size - entry->part.prefixes.size;
    free_told (entry);
    if (moved) {
        free_asked (entry);
    }
    entry->part = told->part;
    entry->removing = told->removing;
    memset (&told->part, 0, sizeof told->part);
    entry->clock = told->clock;
    entry->hashes = told->hashes;
    entry->kept = told->kept;
    memset (&told->clock, 0, sizeof told->clock);
    told->hashes = told->kept = NULL;
    entry->fingerprint = told->fingerprint;
    entry->documents = told->documents;
    if (roster) {
        roster->uses++;
    }
    let_go (self, &entry->roster);
    entry->roster = roster;
}

/* The roster under which a beat tells; NULL when it only names one that we have not. */
static skr_report_roster_t *roster_in (skr_report_t *self, const skr_beat_t *beat)
{
    for (size_t i = 0; i < beat->entries_count; i++) {
        if (skr_id_is_zero (&beat->entries[i].collection)) {
            return roster_of (self, &beat->entries[i].clock);
        }
    }
    return self->roster && self->roster->digest == beat->roster ? self->roster : NULL;
}

/* One order for all beats of a device: by its incarnation, since what was put back starts at a time
   that it knew of, or a clock tells that runs back; by the start of its process, the process, the
   number. Were it not one, as when the wall clock decides and runs back, beats that are passed on
   would replace each other in a circle, without end. */
bool skr_report_is_newer (const skr_report_t *self, const skr_beat_t *beat,
                          const skr_roster_t *roster, bool direct)
{
    if (direct && memcmp (beat->instance, self->instance, sizeof self->instance) != 0) {
        return true;
    }
    if (!self->number) {
        return true;
    }
    if (!skr_id_equal (&beat->writer, &self->writer)) {
        return skr_roster_is_later (roster, &beat->writer, &self->writer);
    }
    if (beat->started_ms != self->started_ms) {
        return beat->started_ms > self->started_ms;
    }
    int order = memcmp (beat->instance, self->instance, sizeof self->instance);
    return order ? order > 0 : beat->number > self->number;
}

static int compare_links (const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

bool skr_report_hears (const skr_report_t *self, uint32_t id)
{
    return bsearch (&id, self->links, self->links_count, sizeof id, compare_links) != NULL;
}

bool skr_report_beat (skr_report_t *self, skr_beat_t *beat, const skr_roster_t *roster, bool direct,
                      uint64_t mono_ms)
{
    if (!skr_report_is_newer (self, beat, roster, direct)) {
        return false;
    }
    self->writer = beat->writer;
    memcpy (self->instance, beat->instance, sizeof self->instance);
    self->number = beat->number;
    self->started_ms = beat->started_ms;
    self->state = beat->state;
    self->heard_ms = mono_ms;
    self->wall_ms = beat->wall_ms;
    self->links_count = beat->links_count;
    memcpy (self->links, beat->links, beat->links_count * sizeof beat->links[0]);
    qsort (self->links, self->links_count, sizeof self->links[0], compare_links);
    skr_report_roster_t *told_under = roster_in (self, beat);
    for (size_t i = 0; i < beat->entries_count; i++) {
        const skr_id_t *collection = &beat->entries[i].collection;
        bool fits = has_room (self, &beat->entries[i]);
        skr_report_entry_t *entry = fits ? entry_of (self, collection) : NULL;
        if (entry) {
            take_told (self, entry, &beat->entries[i], told_under);
            entry->told_ms = mono_ms;
        }
    }
    return true;
}

saker_err_t skr_report_answer (skr_report_t *self, skr_beat_entry_t *told,
                               const skr_clock_t *roster, skr_part_sum_t *asked, uint64_t asked_ms,
                               uint64_t rtt_us)
{
    bool fits = has_room (self, told);
    skr_report_entry_t *entry = fits ? entry_of (self, &told->collection) : NULL;
    if (!entry) {
        return skr_fail (SAKER_ELIMIT, "a report holds at most %d collections and %u ticks",
                         SKR_COLLECTIONS_MAX, SKR_REPORT_TICKS_MAX);
    }
    take_told (self, entry, told, roster ? roster_of (self, roster) : NULL);
    free_asked (entry);
    entry->asked = *asked;
    memset (asked, 0, sizeof *asked);
    entry->asked_ms = asked_ms;
    entry->rtt_us = rtt_us;
    return SAKER_OK;
}

bool skr_report_alike (const skr_report_entry_t *theirs, const skr_replica_t *replica)
{
    const skr_partial_t *ours = skr_partial_of (replica, &theirs->collection);
    return !ours->removing && !theirs->removing && skr_part_equal (&ours->carried, &theirs->part);
}

void skr_report_free (skr_report_t *self)
{
    for (size_t i = 0; i < self->entries_count; i++) {
        free_told (&self->entries[i]);
        free_asked (&self->entries[i]);
        let_go (self, &self->entries[i].roster);
    }
    let_go (self, &self->roster);
    free (self->entries);
    memset (self, 0, sizeof *self);
}
