/* Beats: what this peer has stored, told every second and soon after something changed. */

#include "mesh/node_internal.h"

#include "peer/partial.h"

#include <stdlib.h>
#include <string.h>

#define BEAT_GAP_MS 20  /* at least, between two beats, for each who hears them */
#define ROSTER_EVERY 16 /* beats: then the roster is told though it did not change */
#define PASSED_BY 2     /* so many pass on what a neighbour does not hear, should one fail */
#define CALLED_MS 60    /* after somebody's call: then it has subscribed */
#define TICK_BYTES 47   /* of a clock's entry with its hash and what is kept, encoded, at most */

static bool make_told (skr_node_t *self)
{
    size_t count = skr_replica_collections (self->replica);
    if (count > self->told_count) {
        uint64_t *grown = realloc (self->told, count * sizeof *grown);
        if (!grown) {
            return false;
        }
        memset (grown + self->told_count, 0, (count - self->told_count) * sizeof *grown);
        self->told = grown;
        self->told_count = count;
    }
    return true;
}

static bool is_in (const skr_beat_t *beat, const skr_collection_t *collection)
{
    for (size_t i = 0; i < beat->entries_count; i++) {
        if (skr_id_equal (&beat->entries[i].collection, &collection->id)) {
            return true;
        }
    }
    return false;
}

/* Adds a collection to a beat, unless it is full. Borrows clock and part. */
static bool add_entry (const skr_node_t *self, skr_beat_t *beat, const skr_collection_t *collection,
                       size_t *bytes_left)
{
    uint64_t *hashes, *kept;
    const skr_partial_t *partial = skr_partial_of (self->replica, &collection->id);
    const skr_part_t *part = &partial->carried;
    size_t bytes =
        64 + collection->clock.count * TICK_BYTES + 8 + part->prefixes.size + 2 * part->count;
    if (is_in (beat, collection)) {
        return true;
    }
    if (beat->entries_count == SKR_WIRE_BEAT_COLLECTIONS_MAX || bytes > *bytes_left
        || skr_replica_hashes (self->replica, collection, &hashes) != SAKER_OK) {
        return false;
    }
    if (skr_cut_kept (self->replica, collection, &kept) != SAKER_OK) {
        free (hashes);
        return false;
    }
    *bytes_left -= bytes;
    skr_beat_entry_t *entry = &beat->entries[beat->entries_count++];
    entry->hashes = hashes;
    entry->kept = kept;
    entry->collection = collection->id;
    entry->part = *part;
    entry->removing = partial->removing;
    entry->fingerprint = collection->fingerprint;
    entry->documents = collection->documents;
    entry->clock = collection->clock;
    return true;
}

/* What moved since the last beat, the roster first, without which nothing counts; then the others
   in turn, so that a lost beat is made good. */
static void add_entries (skr_node_t *self, skr_beat_t *beat)
{
    size_t count = skr_replica_collections (self->replica);
    size_t bytes_left = SKR_WIRE_BEAT_BYTES_MAX;
    if (count == 0) {
        return; /* the store could not be read again yet */
    }
    const skr_collection_t *roster = skr_replica_collection_at (self->replica, 0);
    beat->roster = skr_clock_digest (&roster->clock);
    if (self->called_ms || beat->number % ROSTER_EVERY == 0) {
        add_entry (self, beat, roster, &bytes_left);
    }
    for (size_t i = 0; i < count && i < self->told_count; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        if (collection->changes != self->told[i]
            && add_entry (self, beat, collection, &bytes_left)) {
            self->told[i] = collection->changes;
        }
    }
    for (size_t i = 1; i < count && i <= 4; i++) {
        self->tell_next = self->tell_next + 1 < count ? self->tell_next + 1 : 1;
        add_entry (self, beat, skr_replica_collection_at (self->replica, self->tell_next),
                   &bytes_left);
    }
}

static void add_links (const skr_node_t *self, skr_beat_t *beat)
{
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        if (link->state == SKR_LINK_UP && beat->links_count < SKR_WIRE_BEAT_LINKS_MAX) {
            beat->links[beat->links_count++] = skr_wire_short (link->device);
        }
    }
}

static void send_beat (skr_node_t *self)
{
    skr_buf_t frame = {0};
    skr_beat_t *beat = calloc (1, sizeof *beat);
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    if (!beat || !make_told (self)) {
        free (beat);
        return;
    }
    beat->writer = *skr_replica_writer (self->replica);
    memcpy (beat->instance, self->links.own.instance, sizeof beat->instance);
    beat->number = ++self->beat_number;
    beat->started_ms = skr_replica_started_ms (self->replica);
    beat->wall_ms = self->world.wall_ms (self->world.context);
    beat->state = skr_wire_state (self->replica);
    add_links (self, beat);
    add_entries (self, beat);
    skr_buf_append_byte (&frame, SKR_FRAME_BEAT);
    skr_beat_put (&frame, beat, skr_roster_mesh (roster),
                  skr_device_secret (skr_replica_device (self->replica)));
    if (!frame.failed && skr_node_publish (self, skr_span_of (&frame))) {
        self->stats.beats_out++;
    }
    skr_buf_free (&frame);
    for (size_t i = 0; i < beat->entries_count; i++) {
        free (beat->entries[i].hashes);
        free (beat->entries[i].kept);
    }
    free (beat); /* its clocks and parts are the collections' own */
}

/* A beat costs each who hears it a signature to check: so the more there are, the rarer beats
   become, and the share of a peer's time that goes to them stays the same. */
static uint64_t gap_ms (const skr_node_t *self)
{
    uint64_t up = 0;
    for (size_t i = 0; i < self->links.count; i++) {
        up += self->links.links[i]->state == SKR_LINK_UP;
    }
    uint64_t gap = up > 1 ? up * BEAT_GAP_MS : BEAT_GAP_MS;
    return gap < SKR_BEAT_EVERY_MS ? gap : SKR_BEAT_EVERY_MS;
}

uint64_t skr_tell_deadline_ms (const skr_node_t *self)
{
    uint64_t due_ms = self->beat_ms + (self->beat_soon ? gap_ms (self) : SKR_BEAT_EVERY_MS);
    return self->called_ms && self->called_ms < due_ms ? self->called_ms : due_ms;
}

void skr_tell_called (skr_node_t *self, uint64_t mono_ms)
{
    self->called_ms = self->called_ms ? self->called_ms : mono_ms + CALLED_MS;
}

void skr_tell (skr_node_t *self, uint64_t mono_ms)
{
    if (mono_ms >= skr_tell_deadline_ms (self) || !self->beat_ms) {
        send_beat (self); /* design 7: every second and after activity */
        self->beat_ms = mono_ms;
        self->beat_soon = false;
        self->called_ms = mono_ms < self->called_ms ? self->called_ms : 0;
    }
}

/* ---- beats that come */

/* Of those who could pass a beat on, each reckons the same order, another one for each author. */
static uint32_t rank_of (uint32_t id, uint32_t author)
{
    return (id ^ author) * 2654435761u;
}

/* Are there enough before us who hear what we heard, and whom that neighbour hears? */
static bool is_left_to_others (const skr_node_t *self, const skr_link_t *neighbour, uint32_t author,
                               uint32_t from)
{
    uint32_t own = rank_of (skr_wire_short (skr_node_device (self)), author);
    size_t before = 0;
    for (size_t i = 0; i < self->links.count && before < PASSED_BY; i++) {
        const skr_link_t *link = self->links.links[i];
        uint32_t id = skr_wire_short (link->device);
        before +=
            link != neighbour && link->state == SKR_LINK_UP && rank_of (id, author) < own
            && skr_report_hears (&neighbour->report, id)
            && (skr_report_hears (&link->report, from) || skr_report_hears (&link->report, author));
    }
    return before == PASSED_BY;
}

/* Does one of our neighbours hear us, but neither the author itself nor who passed the beat on? */
static bool is_wanted (const skr_node_t *self, const skr_link_t *author, const skr_link_t *from)
{
    uint32_t own = skr_wire_short (skr_node_device (self));
    uint32_t author_id = skr_wire_short (author->device);
    uint32_t from_id = skr_wire_short (from->device);
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        if (link != author && link != from && link->state == SKR_LINK_UP
            && skr_report_hears (&link->report, own) && !skr_report_hears (&link->report, author_id)
            && !skr_report_hears (&link->report, from_id)
            && !is_left_to_others (self, link, author_id, from_id)) {
            return true;
        }
    }
    return false;
}

static void pass_on (skr_node_t *self, skr_span_t beat)
{
    skr_buf_t frame = {0};
    skr_buf_append_byte (&frame, SKR_FRAME_BEAT);
    skr_buf_append_span (&frame, beat);
    if (!frame.failed && skr_node_publish (self, skr_span_of (&frame))) {
        self->stats.beats_passed++;
    }
    skr_buf_free (&frame);
}

/* Another process answers under the old address: what was asked of the old one is lost. */
static void greet_anew (skr_node_t *self, skr_link_t *link, uint64_t mono_ms)
{
    if (link->dealer && skr_session_greeted (link->session)) {
        skr_session_up (link->session, &self->links.own, mono_ms);
    }
}

static void take (skr_node_t *self, skr_link_t *author, skr_link_t *from, skr_beat_t *beat,
                  skr_span_t bytes, uint64_t mono_ms)
{
    static const uint8_t unknown[SKR_WIRE_INSTANCE_BYTES];
    bool restarted = author == from && memcmp (from->heard, unknown, sizeof unknown) != 0
                     && memcmp (from->heard, beat->instance, sizeof from->heard) != 0;
    if (author == from) {
        memcpy (from->heard, beat->instance, sizeof from->heard);
    }
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    if (!skr_report_beat (&author->report, beat, roster, author == from, mono_ms)) {
        return;
    }
    self->stats.beats_in++;
    if (author == from) { /* what was passed on is late by an unknown time */
        author->report.skew_known = true;
        author->report.skew_ms =
            (int64_t) (author->report.wall_ms - self->world.wall_ms (self->world.context));
    }
    if (restarted) {
        greet_anew (self, author, mono_ms);
    }
    if (is_wanted (self, author, from)) {
        pass_on (self, bytes);
    }
}

/* Our own, or one that was taken: told before its signature is checked, which is what a beat costs.
   One that came on its author's own link is looked at in any case: it tells who answers there. */
static bool is_repeated (const skr_node_t *self, const skr_link_t *from, const skr_beat_t *beat)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_member_t *author = skr_roster_by_writer (roster, &beat->writer);
    if (!author) {
        return false;
    }
    if (skr_node_is_own (self, author->device)) {
        return memcmp (beat->instance, self->links.own.instance, sizeof beat->instance) == 0;
    }
    const skr_link_t *link = skr_links_find (&self->links, author->device);
    return link && link != from && !skr_report_is_newer (&link->report, beat, roster, false);
}

void skr_tell_take (skr_node_t *self, skr_link_t *from, skr_span_t bytes, uint64_t mono_ms)
{
    const skr_member_t *author = NULL;
    skr_beat_t *beat = malloc (sizeof *beat);
    if (!beat) {
        return;
    }
    if (skr_beat_peek (beat, bytes) == SAKER_OK && is_repeated (self, from, beat)) {
        self->stats.beats_repeated++;
        free (beat);
        return;
    }
    saker_err_t error = skr_beat_get (beat, bytes, skr_replica_roster (self->replica), &author);
    if (error == SAKER_OK) {
        bool own = skr_node_is_own (self, author->device);
        bool ours = own && !skr_twin_beat (self, beat); /* our own, passed on */
        skr_link_t *link = skr_links_find (&self->links, author->device);
        if (link && !ours) {
            take (self, link, from, beat, bytes, mono_ms);
        }
    } else if (error != SAKER_EWAIT) {
        self->stats.bad_frames++;
    } else {
        /* an unknown writer: the roster has news, whatever its last beat said */
        from->report.state = 0;
        skr_session_look (from->session);
    }
    skr_beat_free (beat);
    free (beat);
}
