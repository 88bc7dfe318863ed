#include "peer/succession.h"

#include "peer/carrying.h"
#include "peer/replica_internal.h"

#include <stdlib.h>
#include <string.h>

#define WRITERS_MAX 1024 /* of this device, that are looked at */

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

/* ---- what this peer does not carry */

static bool carries_all (const skr_replica_t *self)
{
    const skr_subscription_t *stated =
        skr_roster_subscription (self->roster, skr_device_key (self->device));
    bool all = stated->rest;
    for (size_t i = 0; i < stated->count; i++) {
        all = all && stated->named[i].carried;
    }
    return all || skr_replica_self (self)->role == SKR_ROLE_ADMIN;
}

/* The first admin but this device; NULL when there is none. */
static const skr_member_t *an_admin (const skr_replica_t *self)
{
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        if (member->role == SKR_ROLE_ADMIN
            && memcmp (member->device, skr_device_key (self->device), SKR_DEVICE_KEY_BYTES) != 0) {
            return member;
        }
    }
    return NULL;
}

static bool admins_told_all (const skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        if (member->role == SKR_ROLE_ADMIN
            && !neighbours->told_all (neighbours->context, member->device)) {
            return false;
        }
    }
    return an_admin (self) != NULL;
}

typedef struct kept_t {
    skr_cutoff_t *list;
    size_t count;
} kept_t;

static saker_err_t keep (kept_t *kept, const skr_cutoff_t *cutoff)
{
    skr_cutoff_t *list = realloc (kept->list, (kept->count + 1) * sizeof *list);
    if (!list) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    kept->list = list;
    kept->list[kept->count++] = *cutoff;
    return SAKER_OK;
}

/* What all admins have of this device's writers; so one of them tells of it. */
static saker_err_t list_kept (const skr_replica_t *self, const skr_neighbours_t *neighbours,
                              kept_t *kept)
{
    const skr_member_t *admin = an_admin (self);
    skr_id_t writers[WRITERS_MAX];
    skr_cutoff_t cutoff;
    size_t count =
        skr_roster_writers (self->roster, skr_device_key (self->device), writers, WRITERS_MAX);
    for (size_t i = 0;
         neighbours->told_of (neighbours->context, admin->device, i, &cutoff.collection); i++) {
        for (size_t k = 0; k < count && !skr_carrying (self, &cutoff.collection); k++) {
            cutoff.writer = writers[k];
            cutoff.seq = skr_admins_have (self, neighbours, &cutoff.collection, &cutoff.writer);
            SKR_TRY (cutoff.seq > 0 ? keep (kept, &cutoff) : SAKER_OK);
        }
    }
    return SAKER_OK;
}

/* ---- when it is time */

static bool is_calm (skr_replica_t *self, const skr_neighbours_t *neighbours, bool twin)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    bool calm = !twin && all_told (self, neighbours)
                && (carries_all (self) || admins_told_all (self, neighbours))
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

static saker_err_t close_others (skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    kept_t kept = {0};
    saker_err_t error = carries_all (self) ? SAKER_OK : list_kept (self, neighbours, &kept);
    error = error == SAKER_OK ? skr_replica_begin (self) : error;
    if (error == SAKER_OK) {
        error = skr_replica_close_others (self, kept.list, kept.count);
        error = error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
    }
    free (kept.list);
    SKR_TRY (error);
    self->calm_ms = 0;
    skr_log (self->world, SKR_LOG_INFO,
             "this device goes on as one: what it was before it was restored or copied is closed");
    return SAKER_OK;
}

saker_err_t skr_succeed (skr_replica_t *self, const skr_neighbours_t *neighbours, bool twin)
{
    if (skr_replica_in_group (self)) {
        return SAKER_OK;
    }
    if (skr_roster_is_shut_out (self->roster, &self->writer)) {
        return skr_wrap (skr_incarnation_renew (self, SKR_DOUBT_CLOSED), "go on as a new writer");
    }
    if (!may_succeed (self) || !is_doubled (self) || !is_calm (self, neighbours, twin)) {
        return SAKER_OK;
    }
    return skr_wrap (close_others (self, neighbours), "close the earlier writers of this device");
}
