#include "mesh/horizon.h"

#include "peer/silence.h"

#define LOOK_MS_MAX (3600ull * 1000)
#define LOOKS 8      /* in a horizon, at least */
#define STEP_SHARE 4 /* of the horizon is the most that one look counts for */

static bool was_heard (const skr_node_t *self, const skr_member_t *member)
{
    const skr_link_t *link = skr_links_find (&self->links, member->device);
    return link && link->report.heard_ms > self->horizon_looked_ms;
}

/* Who can be fenced (revocation.c), and holds the cut. */
static bool is_watched (const skr_node_t *self, const skr_member_t *member)
{
    static const skr_id_t any;
    return member->role != SKR_ROLE_ADMIN
           && skr_roster_counts (skr_replica_roster (self->replica), member, &any);
}

static saker_err_t count_silence (skr_node_t *self, uint64_t step_ms, uint64_t limit_ms,
                                  const skr_member_t **gone)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        uint64_t silent_ms;
        if (!is_watched (self, member) || was_heard (self, member)) {
            SKR_TRY (skr_silence_end (self->replica, member->device));
            continue;
        }
        SKR_TRY (skr_silence_add (self->replica, member->device, step_ms, &silent_ms));
        if (silent_ms >= limit_ms) {
            *gone = member;
        }
    }
    return SAKER_OK;
}

/* A fence closes it at what this peer has: of what nobody else has more. */
static saker_err_t fence (skr_node_t *self, const skr_member_t *member)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_neighbours_t neighbours;
    skr_neighbours_of (self, &neighbours);
    bool returned = skr_roster_has_returned (roster, skr_node_device (self), NULL);
    if (skr_ahead (self->replica, &neighbours, returned ? NULL : member)) {
        return SAKER_OK; /* the next time */
    }
    skr_log (&self->world, SKR_LOG_WARNING,
             "%s was not heard for longer than the horizon: it is fenced, and nobody waits for it "
             "any more; it comes back by itself when it is reached",
             member->name);
    return skr_replica_fence (self->replica, member->device);
}

static saker_err_t look (skr_node_t *self, uint64_t horizon_ms, size_t turn)
{
    const skr_member_t *gone = NULL;
    uint64_t step_ms;
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_silence_look (self->replica, horizon_ms / STEP_SHARE, &step_ms));
    SKR_TRY (count_silence (self, step_ms, horizon_ms + turn * (horizon_ms / LOOKS), &gone));
    return gone ? fence (self, gone) : SAKER_OK; /* one at a time: the roster changes */
}

void skr_horizon_turn (skr_node_t *self, uint64_t now_ms)
{
    uint64_t horizon_ms = self->config.horizon_ms;
    uint64_t every_ms = horizon_ms / LOOKS < LOOK_MS_MAX ? horizon_ms / LOOKS : LOOK_MS_MAX;
    size_t turn = skr_replica_turn (self->replica);
    if (!horizon_ms || turn == SIZE_MAX || now_ms < self->horizon_looked_ms + every_ms) {
        return;
    }
    saker_err_t error = look (self, horizon_ms, turn);
    self->horizon_looked_ms = now_ms;
    skr_node_fail_group (self, error);
}
