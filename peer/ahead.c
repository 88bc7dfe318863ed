/* Who has what this peer has not, as far as reports tell. */

#include "peer/api.h"
#include "peer/carrying.h"

#include <string.h>

static bool is_of (const skr_roster_t *roster, const skr_id_t *writer, const skr_member_t *device)
{
    const skr_member_t *author = skr_roster_by_writer (roster, writer);
    return author && memcmp (author->device, device->device, sizeof author->device) == 0;
}

uint64_t skr_admins_have (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                          const skr_id_t *collection, const skr_id_t *writer)
{
    const skr_roster_t *roster = skr_replica_roster (replica);
    const uint8_t *own = skr_device_key (skr_replica_device (replica));
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_reported_t told;
        if (member->role != SKR_ROLE_ADMIN
            || memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) == 0) {
            continue;
        }
        neighbours->reported (neighbours->context, member->device, collection, &told);
        uint64_t seq = told.clock ? skr_clock_get (told.clock, writer) : 0;
        least = seq < least ? seq : least;
    }
    return least < UINT64_MAX ? least : 0;
}

/* What this peer has of a writer; of a collection that it left, what it had, or what all admins
   have by now: a store that was put back may have written there, and not know it. */
static uint64_t had_of (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                        const skr_id_t *collection, const skr_id_t *writer)
{
    const uint8_t *own = skr_device_key (skr_replica_device (replica));
    const skr_subscription_t *subscription =
        skr_roster_subscription (skr_replica_roster (replica), own);
    const skr_named_t *named = skr_subscription_find (subscription, collection);
    const skr_collection_t *ours = skr_replica_collection (replica, collection);
    uint64_t have = ours ? skr_clock_get (&ours->clock, writer) : 0;
    uint64_t left = named && !named->carried ? skr_clock_get (&named->left, writer) : 0;
    uint64_t kept = skr_carrying (replica, collection)
                        ? 0
                        : skr_admins_have (replica, neighbours, collection, writer);
    have = have > left ? have : left;
    return have > kept ? have : kept;
}

/* What is void is nothing that one could have; what is not carried, nothing that one lacks, unless
   this device wrote it. */
static bool has_more (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                      const skr_id_t *collection, const skr_clock_t *theirs, const skr_member_t *of)
{
    const skr_roster_t *roster = skr_replica_roster (replica);
    const skr_member_t *own = skr_replica_self (replica);
    if (!skr_carrying (replica, collection) && of != own) {
        return false;
    }
    for (size_t i = 0; i < theirs->count; i++) {
        const skr_tick_t *tick = &theirs->ticks[i];
        uint64_t limit = skr_roster_by_writer (roster, &tick->writer)
                             ? skr_roster_limit (roster, &tick->writer, collection)
                             : UINT64_MAX;
        uint64_t seq = tick->seq < limit ? tick->seq : limit;
        if ((!of || is_of (roster, &tick->writer, of))
            && seq > had_of (replica, neighbours, collection, &tick->writer)) {
            return true;
        }
    }
    return false;
}

static bool is_ahead (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                      const skr_member_t *member, const skr_member_t *of)
{
    skr_id_t collection;
    for (size_t i = 0; neighbours->told_of (neighbours->context, member->device, i, &collection);
         i++) {
        skr_reported_t theirs = {.clock = NULL};
        neighbours->reported (neighbours->context, member->device, &collection, &theirs);
        if (theirs.clock && has_more (replica, neighbours, &collection, theirs.clock, of)) {
            return true;
        }
    }
    return false;
}

const skr_member_t *skr_ahead (const skr_replica_t *replica, const skr_neighbours_t *neighbours,
                               const skr_member_t *of)
{
    const skr_roster_t *roster = skr_replica_roster (replica);
    const uint8_t *own = skr_device_key (skr_replica_device (replica));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (member->role != SKR_ROLE_NONE && memcmp (member->device, own, 32) != 0
            && is_ahead (replica, neighbours, member, of)) {
            return member;
        }
    }
    return NULL;
}
