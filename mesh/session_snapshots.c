#include "mesh/session_internal.h"

#include "peer/cut.h"
#include "peer/incoming.h"
#include "peer/partial.h"
#include "peer/snapshot.h"

#include <string.h>

#define WIDEN_EVERY_MS 5000

/* ---- snapshots */

void skr_session_end_taking (skr_session_t *self, bool discard)
{
    if (self->taking) {
        skr_session_release (self, &self->incoming.collection);
        skr_incoming_close (&self->incoming, discard);
        self->taking = false;
        self->look = true;
    }
}

saker_err_t skr_session_our_trouble (saker_err_t error)
{
    return skr_err_passes (error) ? error : SAKER_OK;
}

static saker_err_t take_snapshot (skr_session_t *self)
{
    saker_err_t error = skr_incoming_check (&self->incoming);
    if (error == SAKER_OK) {
        error = skr_snapshot_take (self->replica, &self->incoming.collection, self->incoming.file);
    }
    if (error == SAKER_OK) {
        self->stats.snapshots++;
    } else if (!skr_session_our_trouble (error)) {
        self->stats.bad_answers++;
    }
    skr_session_end_taking (self, true);
    return skr_session_our_trouble (error);
}

saker_err_t skr_session_go_on_taking (skr_session_t *self, uint64_t mono_ms)
{
    if (!self->taking) {
        return SAKER_OK;
    }
    if (self->incoming.have == self->incoming.size) {
        return take_snapshot (self);
    }
    if (!skr_session_under_way (self, SKR_WIRE_PART, NULL)
        && skr_session_claim (self, &self->incoming.collection, mono_ms)) {
        skr_session_ask_part (self, mono_ms);
    }
    return SAKER_OK;
}

const char *skr_session_folder (const skr_session_t *self)
{
    return skr_store_folder (skr_replica_store (self->replica));
}

static bool another_writes (const skr_session_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0
            && skr_roster_role (roster, member->device, collection) >= SKR_ROLE_WRITE) {
            return true;
        }
    }
    return false;
}

bool skr_session_may_give_snapshots (const skr_session_t *self, const skr_id_t *collection)
{
    skr_role_t role = skr_session_role_there (self, collection);
    return role >= SKR_ROLE_WRITE || (role >= SKR_ROLE_READ && !another_writes (self, collection));
}

void skr_session_start_taking (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    if (self->taking) {
        skr_session_release (self, collection);
        return;
    }
    if (skr_incoming_find (&self->incoming, skr_session_folder (self), collection) == SAKER_OK) {
        self->taking = true;
    } else if (!skr_session_ask_snapshot (self, collection, mono_ms)) {
        skr_session_release (self, collection);
    }
}

/* Does it have what is wanted here and not carried? */
static bool can_widen (const skr_session_t *self, const skr_collection_t *own)
{
    const skr_partial_t *partial = skr_partial_of (self->replica, &own->id);
    const skr_report_entry_t *entry = skr_report_find (self->report, &own->id);
    return !own->sealed && skr_partial_lacks (partial) && entry && entry->clock.count > 0
           && skr_part_covers (&entry->part, &partial->wanted)
           && skr_clock_covers (&entry->clock, skr_cut_clock (self->replica, &own->id))
           && skr_session_may_give_snapshots (self, &own->id)
           && !skr_session_under_way (self, SKR_WIRE_SNAPSHOT, &own->id);
}

void skr_session_widen (skr_session_t *self, uint64_t mono_ms)
{
    if (!skr_partial_any (self->replica) || mono_ms < self->widen_ms) {
        return;
    }
    for (size_t i = 1; i < skr_replica_collections (self->replica) && !self->taking; i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        bool can = can_widen (self, own);
        if (can && skr_session_claim (self, &own->id, mono_ms)) {
            self->widen_ms = mono_ms + WIDEN_EVERY_MS;
            skr_session_start_taking (self, &own->id, mono_ms);
        } else if (!can && skr_partial_lacks (skr_partial_of (self->replica, &own->id))) {
            self->widen_ms = mono_ms + WIDEN_EVERY_MS;
            skr_session_want (self, &own->id); /* what it has was not told, or long ago */
        }
    }
}
