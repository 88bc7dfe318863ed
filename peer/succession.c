#include "peer/succession.h"

#include "peer/replica_internal.h"

#include <string.h>

static bool is_doubled (const skr_replica_t *self)
{
    skr_id_t latest;
    return skr_roster_present (self->roster, skr_device_key (self->device), &latest) > 1;
}

/* ---- what the others told */

static bool has_told (const skr_replica_t *self, const skr_neighbours_t *neighbours,
                      const skr_member_t *member)
{
    static const skr_id_t roster;
    skr_reported_t told;
    neighbours->reported (neighbours->context, member->device, &roster, &told); /* in each beat */
    uint64_t told_ms = told.told_ms > told.asked_ms ? told.told_ms : told.asked_ms;
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    bool all = told.clock && now_ms < told_ms + SKR_SUCCEED_FRESH_MS;
    for (size_t i = 1; i < skr_replica_collections (self) && all; i++) {
        const skr_collection_t *ours = skr_replica_collection_at (self, i);
        bool holds = ours->clock.count > 0
                     && skr_roster_role (self->roster, member->device, &ours->id) != SKR_ROLE_NONE
                     && skr_roster_carries (self->roster, member->device, &ours->id);
        neighbours->reported (neighbours->context, member->device, &ours->id, &told);
        all = !holds || told.clock;
    }
    return all;
}

static bool all_told (const skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    const uint8_t *own = skr_device_key (self->device);
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        if (skr_roster_awaits (self->roster, member)
            && memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0
            && !has_told (self, neighbours, member)) {
            return false;
        }
    }
    return true;
}

/* ---- when it is time */

static bool is_calm (skr_replica_t *self, const skr_neighbours_t *neighbours, bool twin)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    bool calm = !twin && all_told (self, neighbours)
                && !skr_ahead (self, neighbours, skr_replica_self (self));
    self->calm_ms = !calm ? 0 : self->calm_ms ? self->calm_ms : now_ms;
    return calm && now_ms >= self->calm_ms + SKR_SUCCEED_CALM_MS;
}

/* The present writer must be one that goes on. */
static bool may_succeed (const skr_replica_t *self)
{
    const skr_member_t *own = skr_replica_self (self);
    return own && own->role != SKR_ROLE_NONE
           && skr_roster_has_returned (self->roster, own->device, NULL)
           && !skr_roster_writer_is_fenced (self->roster, &self->writer);
}

static saker_err_t close_others (skr_replica_t *self)
{
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = skr_replica_close_others (self);
    if (error != SAKER_OK) {
        return skr_replica_spoil (self, error);
    }
    self->calm_ms = 0;
    skr_log (self->world, SKR_LOG_INFO,
             "this device goes on as one: what it was before it was restored or copied is closed");
    return SAKER_OK;
}

saker_err_t skr_succeed (skr_replica_t *self, const skr_neighbours_t *neighbours, bool twin)
{
    if (skr_replica_in_group (self) || !may_succeed (self) || !is_doubled (self)
        || !is_calm (self, neighbours, twin)) {
        return SAKER_OK;
    }
    return skr_wrap (close_others (self), "close the earlier writers of this device");
}
