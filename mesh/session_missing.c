#include "mesh/session_internal.h"

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/fork.h"
#include "peer/partial.h"
#include "peer/sealed.h"

#include <stdlib.h>

#define IDLE_PULL_MS 500 /* a pull that moved nothing: not again at once */
#define PROBE_EVERY_MS 5000
#define PROBE_WRITERS_MAX 16 /* of this device, the latest */

bool skr_session_is_roster (const skr_id_t *collection)
{
    static const skr_id_t roster;
    return skr_id_equal (collection, &roster);
}

const skr_clock_t *skr_session_own_clock (const skr_session_t *self, const skr_id_t *collection)
{
    static const skr_clock_t nothing;
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    return own ? &own->clock : &nothing;
}

/* What is void is not missing: the other will take it back once it knows. */
static bool lacks (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_clock_t *own = skr_session_own_clock (self, &entry->collection);
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    bool outside = !skr_session_is_roster (&entry->collection)
                   && skr_replica_role (self->replica, &entry->collection) == SKR_ROLE_NONE;
    outside |= !skr_carrying_takes (self->replica, &entry->collection);
    if (outside || skr_clock_covers (own, &entry->clock)) {
        return false;
    }
    for (size_t i = 0; i < entry->clock.count; i++) {
        const skr_tick_t *tick = &entry->clock.ticks[i];
        uint64_t have = skr_clock_get (own, &tick->writer);
        if (have < tick->seq
            && (skr_session_is_roster (&entry->collection)
                || !skr_roster_by_writer (roster, &tick->writer)
                || have < skr_roster_limit (roster, &tick->writer, &entry->collection))) {
            return true;
        }
    }
    return false;
}

/* While a fork of ours is not settled: from farther back each time, until it shows where the
   branches part. */
static saker_err_t look_back (skr_session_t *self, const skr_id_t *collection, skr_clock_t *have,
                              bool *lowered)
{
    *lowered = false;
    if (self->fork_depth) {
        SKR_TRY (skr_fork_look_back (self->replica, collection, self->fork_depth, have, lowered));
    }
    self->fork_depth = *lowered && self->fork_depth < UINT32_MAX ? 2 * self->fork_depth : 1;
    self->looked_back = *lowered;
    return SAKER_OK;
}

static bool ask_missing (skr_session_t *self, const skr_report_entry_t *entry, uint64_t mono_ms)
{
    skr_clock_t have = {0};
    bool lowered;
    saker_err_t error = skr_clock_copy (&have, skr_session_own_clock (self, &entry->collection));
    error = error ? error : look_back (self, &entry->collection, &have, &lowered);
    bool sent =
        error == SAKER_OK && skr_session_ask_pull (self, &entry->collection, &have, mono_ms);
    skr_clock_free (&have);
    return sent;
}

/* Is what we lack below its cut? */
static bool is_cut_there (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_clock_t *own = skr_session_own_clock (self, &entry->collection);
    for (size_t i = 0; entry->kept && i < entry->clock.count; i++) {
        const skr_tick_t *tick = &entry->clock.ticks[i];
        if (skr_clock_get (own, &tick->writer) < tick->seq - entry->kept[i]) {
            return true;
        }
    }
    return false;
}

/* Does it carry all that is wanted here, so that it can hand over a snapshot? A sealed one anybody
   can. */
static bool carries_wanted (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_id_t *id = &entry->collection;
    const skr_collection_t *own = skr_replica_collection (self->replica, id);
    return (own ? own->sealed : skr_sealed_due (self->replica, id))
           || skr_part_covers (&entry->part, &skr_partial_of (self->replica, id)->wanted);
}

/* True when something is missing and is, or cannot yet be, asked for. */
static bool pull_entry (skr_session_t *self, const skr_report_entry_t *entry, uint64_t mono_ms)
{
    if (!lacks (self, entry) || (!carries_wanted (self, entry) && is_cut_there (self, entry))) {
        return false;
    }
    if (skr_session_under_way (self, SKR_WIRE_PULL, &entry->collection)
        || skr_session_under_way (self, SKR_WIRE_SNAPSHOT, &entry->collection)
        || (self->taking && skr_id_equal (&self->incoming.collection, &entry->collection))) {
        return true;
    }
    skr_fetching_meet (self->replica, &entry->collection, &entry->clock, self->device);
    if (skr_session_claim (self, &entry->collection, mono_ms)
        && !ask_missing (self, entry, mono_ms)) {
        skr_session_release (self, &entry->collection);
    }
    return true;
}

skr_role_t skr_session_role_there (const skr_session_t *self, const skr_id_t *collection)
{
    return skr_roster_role (skr_replica_roster (self->replica), self->device, collection);
}

/* Who only relays has no data to compare. */
static bool both_read (const skr_session_t *self, const skr_collection_t *own)
{
    return !own->sealed && skr_session_role_there (self, &own->id) >= SKR_ROLE_READ;
}

/* The hash of the last change of a writer, as told beside its clock; 0: it is not there. */
static uint64_t told_hash (const skr_clock_t *clock, const uint64_t *hashes, const skr_id_t *writer)
{
    for (size_t i = 0; hashes && i < clock->count; i++) {
        if (skr_id_equal (&clock->ticks[i].writer, writer)) {
            return hashes[i];
        }
    }
    return 0;
}

/* Lowers `have` where there is a reason to look: the other stays behind us, or `differs`, or has
   another last change of the same seq. What was written then may be overwritten since, so that data
   and clock are equal. `hashes` are those of our clock. */
static saker_err_t doubt_writers (const skr_session_t *self, const skr_report_entry_t *entry,
                                  const uint64_t *hashes, bool *differs, skr_clock_t *have,
                                  bool *doubtful)
{
    skr_id_t writers[PROBE_WRITERS_MAX];
    const skr_clock_t *own = skr_session_own_clock (self, &entry->collection);
    size_t count = skr_roster_writers (skr_replica_roster (self->replica),
                                       skr_device_key (skr_replica_device (self->replica)), writers,
                                       PROBE_WRITERS_MAX);
    for (size_t i = 0; i < count; i++) {
        uint64_t theirs = skr_clock_get (&entry->clock, &writers[i]);
        uint64_t ours = skr_clock_get (own, &writers[i]);
        uint64_t our_hash = told_hash (own, hashes, &writers[i]);
        uint64_t their_hash = told_hash (&entry->clock, entry->hashes, &writers[i]);
        *differs |= theirs == ours && our_hash && their_hash && our_hash != their_hash;
        if (theirs && theirs <= ours && (*differs || theirs < ours)) {
            SKR_TRY (skr_clock_set (have, &writers[i], theirs - 1));
            *doubtful = true;
        }
    }
    return SAKER_OK;
}

/* The clock to ask with so that the other shows us the last change that it has of each writer of
   this device. *doubtful: there is a reason to look. */
static saker_err_t doubtful_clock (skr_session_t *self, const skr_report_entry_t *entry,
                                   skr_clock_t *have, bool *doubtful)
{
    const skr_collection_t *own = skr_replica_collection (self->replica, &entry->collection);
    bool differs = own && both_read (self, own) && skr_clock_equal (&own->clock, &entry->clock)
                   && skr_report_alike (entry, self->replica)
                   && !skr_fingerprint_equal (&own->fingerprint, &entry->fingerprint);
    uint64_t *hashes = NULL;
    bool lowered;
    *doubtful = false;
    SKR_TRY (skr_clock_copy (have, skr_session_own_clock (self, &entry->collection)));
    SKR_TRY (own ? skr_replica_hashes (self->replica, own, &hashes) : SAKER_OK);
    saker_err_t error = doubt_writers (self, entry, hashes, &differs, have, doubtful);
    free (hashes);
    SKR_TRY (error);
    SKR_TRY (look_back (self, &entry->collection, have, &lowered));
    *doubtful |= lowered && differs;
    return SAKER_OK;
}

/* design 4: a fork shows to whoever sees both changes. Equal clocks with unequal data or hashes, or
   a member that stays behind us in what we wrote ourselves, may mean that it holds another change
   of ours: look at its last one, now and then. */
static void probe_fork (skr_session_t *self, uint64_t mono_ms)
{
    size_t count = self->report->entries_count;
    if (!count || mono_ms < self->probe_ms) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const skr_report_entry_t *entry = &self->report->entries[(self->probe_next + i) % count];
        skr_clock_t have = {0};
        bool doubtful = false;
        bool sent = !skr_session_under_way (self, SKR_WIRE_PULL, &entry->collection)
                    && doubtful_clock (self, entry, &have, &doubtful) == SAKER_OK && doubtful
                    && skr_session_ask_pull (self, &entry->collection, &have, mono_ms);
        skr_clock_free (&have);
        if (sent) {
            self->probe_next = (self->probe_next + i + 1) % count;
            self->probe_ms = mono_ms + PROBE_EVERY_MS;
            return;
        }
    }
}

static bool pull_what_lacks (skr_session_t *self, uint64_t mono_ms)
{
    static const skr_id_t roster;
    const skr_report_entry_t *first = skr_report_find (self->report, &roster);
    bool missing = first && pull_entry (self, first, mono_ms);
    if (missing && !self->roster_stuck) {
        return true; /* the roster tells who may write the rest */
    }
    for (size_t i = 0; i < self->report->entries_count; i++) {
        missing |= pull_entry (self, &self->report->entries[i], mono_ms);
    }
    return missing;
}

bool skr_session_is_common (const skr_session_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    bool here = own ? !own->sealed : skr_replica_role (self->replica, collection) >= SKR_ROLE_READ;
    return skr_session_is_roster (collection)
           || (here && skr_carrying (self->replica, collection)
               && skr_session_role_there (self, collection) >= SKR_ROLE_READ
               && skr_roster_carries (roster, self->device, collection));
}

/* The digest that the other has if it has what is here, where both hold it; of the rest it is taken
   at its word. So two peers that carry different collections, and are equal in those that both
   carry, have nothing to ask each other. Nor have two that carry other documents of one. */
static uint64_t expected_state (const skr_session_t *self)
{
    uint64_t state = 0;
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        const skr_report_entry_t *told = skr_report_find (self->report, &own->id);
        bool alike = !told || skr_report_alike (told, self->replica);
        state += skr_session_is_common (self, &own->id) ? skr_wire_state_of (
                     &own->id, &own->clock, alike ? &own->fingerprint : &told->fingerprint)
                                                        : 0;
    }
    for (size_t i = 0; i < self->report->entries_count; i++) {
        const skr_report_entry_t *told = &self->report->entries[i];
        state += skr_session_is_common (self, &told->collection)
                     ? 0
                     : skr_wire_state_of (&told->collection, &told->clock, &told->fingerprint);
    }
    return state;
}

void skr_session_find_missing (skr_session_t *self, uint64_t mono_ms)
{
    self->look = false;
    self->look_ms = UINT64_MAX;
    self->report_seen = self->report->number;
    if (pull_what_lacks (self, mono_ms)) {
        self->look_ms = mono_ms + IDLE_PULL_MS; /* a claim may become free, or a send possible */
    }
    skr_session_widen (self, mono_ms);
    bool differs = self->report->state != skr_wire_state (self->replica)
                   && self->report->state != expected_state (self);
    if (differs) {
        probe_fork (self, mono_ms);
    }
    if ((differs || self->state_more) && !skr_session_under_way (self, SKR_WIRE_STATE, NULL)) {
        if (mono_ms >= self->state_ms) {
            skr_session_ask_state (self, mono_ms);
        }
        self->look_ms = self->state_ms < self->look_ms ? self->state_ms : self->look_ms;
    }
}
