/* What the local API asks of the mesh: links, reports, addresses, counters. */

#include "mesh/node_internal.h"

#include <stdio.h>
#include <string.h>

static void neighbour (void *context, const uint8_t device[32], skr_neighbour_t *neighbour)
{
    const skr_node_t *self = context;
    const skr_link_t *link = skr_links_find (&self->links, device);
    skr_session_stats_t stats;
    *neighbour = (skr_neighbour_t){
        .link = "silent", .address = "", .seen_ms = -1, .rtt_us = -1, .heard_ms = -1};
    if (skr_node_is_own (self, device)) {
        neighbour->link = "self";
        neighbour->address = self->book.own_count ? self->book.own[0] : "";
        neighbour->seen_ms = neighbour->heard_ms = 0;
    } else if (link) {
        skr_session_stats (link->session, &stats);
        neighbour->link = skr_link_state_text (link->state);
        neighbour->address = link->address[0]        ? link->address
                             : link->addresses_count ? link->addresses[0]
                                                     : "";
        if (link->report.heard_ms) {
            neighbour->seen_ms = (int64_t) (skr_node_now (self) - link->report.heard_ms);
        }
        neighbour->rtt_us = stats.rtt_us;
        if (link->heard_ms) {
            neighbour->heard_ms = (int64_t) (skr_node_now (self) - link->heard_ms);
        }
        neighbour->calls = link->calls;
        neighbour->greeted =
            (link->dealer || link->caller_size) && skr_session_greeted (link->session);
        neighbour->skew_known = link->report.skew_known;
        neighbour->skew_ms = link->report.skew_ms;
        neighbour->published = link->frame_bytes;
        neighbour->requests = stats.requests;
        neighbour->timeouts = stats.timeouts;
        neighbour->bad_answers = stats.bad_answers;
        neighbour->changes = stats.changes;
        neighbour->bytes = stats.bytes;
        neighbour->snapshots = stats.snapshots;
    }
}

static size_t hears_ourselves (const skr_node_t *self, const uint8_t **devices, size_t count)
{
    size_t given = 0;
    for (size_t i = 0; i < self->links.count && given < count; i++) {
        if (self->links.links[i]->state == SKR_LINK_UP
            && !skr_node_is_own (self, self->links.links[i]->device)) {
            devices[given++] = self->links.links[i]->device;
        }
    }
    return given;
}

/* The member that a beat names by this. */
static const uint8_t *device_of (const skr_node_t *self, uint32_t id)
{
    const uint8_t *own = skr_node_device (self);
    if (skr_wire_short (own) == id) {
        return own;
    }
    for (size_t i = 0; i < self->links.count; i++) {
        if (skr_wire_short (self->links.links[i]->device) == id) {
            return self->links.links[i]->device;
        }
    }
    return NULL;
}

static size_t hears (void *context, const uint8_t device[32], const uint8_t **devices, size_t count)
{
    const skr_node_t *self = context;
    const skr_link_t *link = skr_links_find (&self->links, device);
    size_t given = 0;
    if (skr_node_is_own (self, device)) {
        return hears_ourselves (self, devices, count);
    }
    for (size_t i = 0; link && i < link->report.links_count && given < count; i++) {
        devices[given] = device_of (self, link->report.links[i]);
        given += devices[given] != NULL;
    }
    return given;
}

static void reported (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported)
{
    const skr_node_t *self = context;
    const skr_link_t *link = skr_links_find (&self->links, device);
    const skr_report_entry_t *entry = link ? skr_report_find (&link->report, collection) : NULL;
    memset (reported, 0, sizeof *reported);
    if (entry) {
        reported->writer = link->report.writer;
        reported->clock = &entry->clock;
        reported->hashes = entry->hashes;
        reported->kept = entry->kept;
        reported->roster = entry->roster ? &entry->roster->clock : NULL;
        reported->fingerprint = entry->fingerprint;
        reported->documents = entry->documents;
        reported->part = &entry->part;
        reported->removing = entry->removing;
        reported->asked = entry->asked.any ? &entry->asked : NULL;
        reported->asked_ms = entry->asked_ms;
        reported->rtt_us = entry->rtt_us;
        reported->told_ms = entry->told_ms;
    }
}

static bool told_of (void *context, const uint8_t device[32], size_t index, skr_id_t *collection)
{
    const skr_node_t *self = context;
    const skr_link_t *link = skr_links_find (&self->links, device);
    if (!link || index >= link->report.entries_count) {
        return false;
    }
    *collection = link->report.entries[index].collection;
    return true;
}

static bool told_all (void *context, const uint8_t device[32])
{
    const skr_node_t *self = context;
    const skr_link_t *link = skr_links_find (&self->links, device);
    uint64_t state = 0;
    for (size_t i = 0; link && i < link->report.entries_count; i++) {
        const skr_report_entry_t *entry = &link->report.entries[i];
        state += skr_wire_state_of (&entry->collection, &entry->clock, &entry->fingerprint);
    }
    return link && link->report.number && state == link->report.state;
}

static void ask (void *context, const skr_id_t *collection)
{
    skr_node_t *self = context;
    for (size_t i = 0; i < self->links.count; i++) {
        skr_session_ask (self->links.links[i]->session, collection, skr_node_now (self));
    }
}

static void ask_one (void *context, const uint8_t device[32], const skr_id_t *collection)
{
    skr_node_t *self = context;
    skr_link_t *link = skr_links_find (&self->links, device);
    if (link) {
        skr_session_ask (link->session, collection, skr_node_now (self));
    }
}

static size_t addresses (void *context, const char **addresses, size_t count)
{
    const skr_node_t *self = context;
    size_t given = 0;
    for (; given < count && given < self->book.own_count; given++) {
        addresses[given] = self->book.own[given];
    }
    return given;
}

static size_t put_count (skr_buf_t *pairs, const char *pointer, uint64_t value)
{
    skr_cbor_put_text (pairs, pointer, strlen (pointer));
    skr_cbor_put_uint (pairs, value);
    return 1;
}

static size_t put_text (skr_buf_t *pairs, const char *pointer, const char *value)
{
    skr_cbor_put_text (pairs, pointer, strlen (pointer));
    skr_cbor_put_text (pairs, value, strlen (value));
    return 1;
}

static void add_sessions (const skr_node_t *self, skr_session_stats_t *sum)
{
    memset (sum, 0, sizeof *sum);
    for (size_t i = 0; i < self->links.count; i++) {
        skr_session_stats_t stats;
        skr_session_stats (self->links.links[i]->session, &stats);
        sum->requests += stats.requests;
        sum->timeouts += stats.timeouts;
        sum->bad_answers += stats.bad_answers;
        sum->changes += stats.changes;
        sum->bytes += stats.bytes;
        sum->snapshots += stats.snapshots;
    }
}

static size_t count_links (const skr_node_t *self, skr_link_state_t state)
{
    size_t count = 0;
    const uint8_t *own = skr_node_device (self);
    bool away = state == SKR_LINK_SILENT || state == SKR_LINK_LEFT;
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        /* that to a former process of this device is no member that is away */
        bool former = away && memcmp (link->device, own, sizeof link->device) == 0;
        count += link->state == state && !former;
    }
    return count;
}

/* Is a member linked, of which it is known that it is reached at this address? */
static bool is_reached_at (const skr_node_t *self, const char *address)
{
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        bool same = strcmp (link->address, address) == 0;
        for (size_t k = 0; k < link->addresses_count; k++) {
            same = same || strcmp (link->addresses[k], address) == 0;
        }
        if (same && link->state == SKR_LINK_UP) {
            return true;
        }
    }
    return false;
}

/* How it went with each seed: when it was tried first, and answered last. */
static size_t put_seeds (const skr_node_t *self, skr_buf_t *pairs)
{
    size_t count = 0;
    char pointer[64];
    uint64_t now_ms = skr_node_now (self);
    for (size_t i = 0; i < self->links.seeds_count; i++) {
        const skr_seed_mark_t *mark = &self->links.seed_marks[i];
        snprintf (pointer, sizeof pointer, "/seeds/%zu/address", i);
        count += put_text (pairs, pointer, self->links.seeds[i]);
        if (mark->tried_ms) {
            snprintf (pointer, sizeof pointer, "/seeds/%zu/tried_ms", i);
            count += put_count (pairs, pointer, now_ms - mark->tried_ms);
        }
        bool reached = is_reached_at (self, self->links.seeds[i]);
        if (mark->answered_ms || reached) {
            snprintf (pointer, sizeof pointer, "/seeds/%zu/answered_ms", i);
            count += put_count (pairs, pointer, reached ? 0 : now_ms - mark->answered_ms);
        }
    }
    return count;
}

static size_t beacons_wanted (const skr_node_t *self)
{
    bool one = !self->router || !self->config.interfaces_count; /* who only hears has one socket */
    return !self->config.beacon ? 0 : one ? 1 : self->config.interfaces_count;
}

static size_t status (void *context, skr_buf_t *pairs)
{
    const skr_node_t *self = context;
    const skr_node_stats_t *stats = &self->stats;
    skr_session_stats_t sessions;
    size_t count = 0;
    add_sessions (self, &sessions);
    if (skr_twin_shows (self)) {
        char sentence[SKR_TWIN_SENTENCE_MAX];
        skr_twin_sentence (self, sentence);
        count += put_text (pairs, "/twin/what", sentence);
        count += put_text (pairs, "/twin/address", self->twin.address);
        count += put_count (pairs, "/twin/seen_ms",
                            skr_node_now (self)
                                - (self->twin.found ? self->twin.seen_ms : self->twin.told_ms));
    }
    count += put_text (pairs, "/version", saker_version ());
    count += put_text (pairs, "/mesh/listen", self->address);
    count += put_seeds (self, pairs);
    if (self->ailing != SAKER_OK) {
        count += put_text (pairs, "/store/ailing", saker_error_name (self->ailing));
    }
    count += put_count (pairs, "/beacon/wanted", beacons_wanted (self));
    count += put_count (pairs, "/links/up", count_links (self, SKR_LINK_UP));
    count += put_count (pairs, "/links/slow", count_links (self, SKR_LINK_SLOW));
    count += put_count (pairs, "/links/silent", count_links (self, SKR_LINK_SILENT));
    count += put_count (pairs, "/links/left", count_links (self, SKR_LINK_LEFT));
    count += put_count (pairs, "/beacon/interfaces", self->beacons_count);
    count += put_count (pairs, "/beacon/heard", self->beacon_stats.heard);
    count += put_count (pairs, "/beacon/strange", self->beacon_stats.strange);
    count += put_count (pairs, "/door/members", self->zap_stats.members);
    count += put_count (pairs, "/door/tickets", self->zap_stats.tickets);
    count += put_count (pairs, "/door/refused", self->zap_stats.refused);
    count += put_count (pairs, "/door/cut", self->guard.cut);
    count += put_count (pairs, "/live/frames_in", stats->frames_in);
    count += put_count (pairs, "/live/frames_out", stats->frames_out);
    count += put_count (pairs, "/live/bytes_in", stats->frame_bytes);
    count += put_count (pairs, "/live/bad_frames", stats->bad_frames);
    count += put_count (pairs, "/beats/in", stats->beats_in);
    count += put_count (pairs, "/beats/out", stats->beats_out);
    count += put_count (pairs, "/beats/repeated", stats->beats_repeated);
    count += put_count (pairs, "/beats/passed_on", stats->beats_passed);
    count += put_count (pairs, "/router/bytes_in", stats->request_bytes);
    count += put_count (pairs, "/router/strange", stats->strange_frames);
    count += put_count (pairs, "/router/bad_requests", skr_answerer_bad_requests (self->answerer));
    count += put_count (pairs, "/router/unsent", stats->unsent);
    count += put_count (pairs, "/sessions/requests", sessions.requests);
    count += put_count (pairs, "/sessions/bytes_in", stats->answer_bytes);
    count += put_count (pairs, "/sessions/timeouts", sessions.timeouts);
    count += put_count (pairs, "/sessions/bad_answers", sessions.bad_answers);
    count += put_count (pairs, "/sessions/changes", sessions.changes);
    count += put_count (pairs, "/sessions/bytes", sessions.bytes);
    count += put_count (pairs, "/sessions/snapshots", sessions.snapshots);
    count += put_count (pairs, "/store/failed_groups", stats->failed_groups);
    return count;
}

static bool range (void *context, const uint8_t device[32], const skr_id_t *collection,
                   skr_span_t from, skr_span_t to, bool detail)
{
    skr_node_t *self = context;
    skr_link_t *link = skr_links_find (&self->links, device);
    return link
           && skr_session_range (link->session, collection, from, to, detail, skr_node_now (self));
}

static bool ranged (void *context, const uint8_t device[32], skr_span_t *answer)
{
    skr_node_t *self = context;
    skr_link_t *link = skr_links_find (&self->links, device);
    *answer = skr_span (NULL, 0);
    return link && skr_session_ranged (link->session, answer);
}

/* For a program that watches: it falls back by itself, should that program be gone. */
static void log_level (void *context, skr_level_t level, uint64_t for_ms)
{
    skr_node_t *self = context;
    self->watched_level = level;
    self->watched_until_ms = for_ms ? skr_node_now (self) + for_ms : 0;
}

void skr_neighbours_of (skr_node_t *self, skr_neighbours_t *neighbours)
{
    *neighbours =
        (skr_neighbours_t){self,   neighbour, reported, ask,       ask_one, hears,   addresses,
                           status, range,     ranged,   log_level, told_of, told_all};
}
