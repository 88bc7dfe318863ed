#include "peer/settling.h"

#include "peer/cut.h"
#include "peer/fork.h"
#include "peer/reissue.h"

#include <stdlib.h>
#include <string.h>

#define FORKS_MAX 64 /* settled in one turn */

typedef struct settling_t {
    skr_replica_t *replica;
    const skr_neighbours_t *neighbours;
    skr_fork_t over[FORKS_MAX]; /* settled: without the other change */
    size_t over_count;
    skr_fork_settled_t due[FORKS_MAX];
    size_t due_count, all;
    bool twin, alone;
} settling_t;

/* ---- where the other branch ends */

/* Does what the member has of the writer end in our branch, or before the two part? */
static saker_err_t is_ours (const settling_t *self, const skr_fork_t *fork,
                            const skr_reported_t *told, size_t tick, bool *ours)
{
    uint64_t hash, seq = told->clock->ticks[tick].seq;
    *ours = seq < fork->seq;
    if (*ours || !told->hashes) {
        return SAKER_OK;
    }
    saker_err_t error = skr_cut_hash (self->replica, &fork->collection, &fork->writer, seq, &hash);
    *ours = error == SAKER_OK && hash == told->hashes[tick];
    return error == SAKER_EINPUT || error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t raise_end (const settling_t *self, const skr_fork_t *fork,
                              const skr_reported_t *told, uint64_t *upto)
{
    for (size_t i = 0; told->clock && i < told->clock->count; i++) {
        const skr_tick_t *tick = &told->clock->ticks[i];
        bool ours;
        if (skr_id_equal (&tick->writer, &fork->writer)) {
            SKR_TRY (is_ours (self, fork, told, i, &ours));
            *upto = !ours && tick->seq > *upto ? tick->seq : *upto;
        }
    }
    return SAKER_OK;
}

/* *known: all have reported. */
static saker_err_t find_end (const settling_t *self, const skr_fork_t *fork, uint64_t *upto,
                             bool *known)
{
    static const skr_id_t roster_id;
    const skr_neighbours_t *neighbours = self->neighbours;
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    *known = true;
    for (size_t i = 0; i < skr_roster_count (roster) && *known; i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_reported_t anything, told;
        if (!skr_roster_awaits (roster, member) || memcmp (member->device, own, 32) == 0) {
            continue;
        }
        neighbours->reported (neighbours->context, member->device, &roster_id, &anything);
        *known = anything.clock != NULL;
        neighbours->reported (neighbours->context, member->device, &fork->collection, &told);
        SKR_TRY (raise_end (self, fork, &told, upto));
    }
    return SAKER_OK;
}

/* ---- one fork */

/* The other branch is to be issued again by us: *whole: we have all that anybody has of it. */
static saker_err_t take_over (const settling_t *self, const skr_fork_t *fork,
                              skr_fork_settled_t *due, bool *whole)
{
    uint64_t end = fork->seq;
    SKR_TRY (find_end (self, fork, &end, whole));
    SKR_TRY (skr_fork_branch (self->replica, fork, due->hash, &due->upto));
    *whole &= due->upto >= end;
    return SAKER_OK;
}

static saker_err_t look_at (const skr_fork_t *fork, void *argument)
{
    settling_t *self = argument;
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    uint64_t settled = skr_roster_forked_at (roster, &fork->writer, &fork->collection);
    skr_fork_settled_t due = {
        .collection = fork->collection, .writer = fork->writer, .seq = fork->seq};
    bool known;
    self->all++;
    if (skr_id_is_zero (&fork->collection)) {
        return SAKER_OK; /* of the roster: see fork.c */
    }
    if (settled && settled <= fork->seq && self->over_count < FORKS_MAX) {
        self->over[self->over_count++] =
            (skr_fork_t){.collection = fork->collection, .writer = fork->writer};
        return SAKER_OK;
    }
    if (settled || skr_id_equal (&fork->writer, skr_replica_writer (self->replica))) {
        return SAKER_OK;
    }
    SKR_TRY (skr_fork_parts (self->replica, fork, &known));
    if (known && !self->twin) {
        known = self->alone;
        SKR_TRY (known ? take_over (self, fork, &due, &known) : SAKER_OK);
    }
    if (known && self->due_count < FORKS_MAX) {
        self->due[self->due_count++] = due;
    }
    return SAKER_OK;
}

static saker_err_t state (const settling_t *self, const skr_fork_settled_t *due)
{
    skr_buf_t statement = {0};
    skr_replica_t *replica = self->replica;
    const skr_fork_t fork = {.collection = due->collection, .writer = due->writer};
    skr_statement_fork (&statement, skr_device_key (skr_replica_device (replica)), due);
    const skr_span_t span = skr_span_of (&statement);
    saker_err_t error = statement.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
    error = error ? error : skr_replica_state (replica, &span, 1); /* takes ours back, and so on */
    skr_buf_free (&statement);
    if (error == SAKER_OK && due->upto) {
        error = skr_reissue_branch (replica, due);
    }
    return error == SAKER_OK ? skr_fork_forget (replica, &fork) : error;
}

static saker_err_t act (const settling_t *self)
{
    SKR_TRY (skr_replica_begin (self->replica));
    for (size_t i = 0; i < self->over_count; i++) {
        SKR_TRY (skr_fork_forget (self->replica, &self->over[i]));
    }
    for (size_t i = 0; i < self->due_count; i++) {
        saker_err_t error = state (self, &self->due[i]);
        if (error != SAKER_OK) {
            return skr_replica_spoil (self->replica, error);
        }
    }
    return SAKER_OK;
}

static bool is_alone (skr_replica_t *self)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    self->forked_ms = self->forked_ms ? self->forked_ms : now_ms;
    return now_ms >= self->forked_ms + SKR_SETTLE_ALONE_MS;
}

saker_err_t skr_settle_forks (skr_replica_t *self, const skr_neighbours_t *neighbours, bool twin)
{
    const skr_member_t *own = skr_replica_self (self);
    if (!self->forked || skr_replica_in_group (self) || !own || own->role == SKR_ROLE_NONE) {
        return SAKER_OK;
    }
    settling_t *settling = calloc (1, sizeof *settling);
    if (!settling) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    settling->replica = self;
    settling->neighbours = neighbours;
    settling->twin = twin;
    settling->alone = is_alone (self);
    saker_err_t error = skr_fork_each (self, look_at, settling);
    skr_store_forget (skr_replica_store (self));
    if (error == SAKER_OK && settling->over_count + settling->due_count > 0) {
        error = act (settling);
    }
    if (error == SAKER_OK && settling->all == 0) {
        self->forked = false;
        self->forked_ms = 0;
    }
    free (settling);
    return skr_wrap (error, "settle a fork");
}
