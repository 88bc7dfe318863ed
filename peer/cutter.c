#include "peer/cutter.h"

#include "peer/partial.h"
#include "peer/receipts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FORCED_POSITIONS 4096 /* beyond the oldest: what goes at once when the log is too large */

/* What is remembered of a collection whose log is not empty. */
typedef struct watch_t {
    skr_id_t collection;
    skr_stable_t stable;
    uint64_t oldest;    /* position of the first entry when it was looked at last; 0: not known */
    uint64_t oldest_ms; /* wall, of its change */
    bool held;          /* somebody had not stored it */
} watch_t;

struct skr_cutter_t {
    skr_replica_t *replica;
    skr_neighbours_t neighbours;
    const skr_world_t *world;
    uint64_t history_ms, history_bytes;
    bool folds;
    watch_t *watches; /* ascending by collection */
    size_t watches_count, watches_capacity;
    size_t next;                             /* collection to look at */
    uint64_t due_ms;                         /* mono */
    uint64_t forced;                         /* see skr_cut_terms_t */
    bool hurried;                            /* a look at all was asked for */
    bool busy;                               /* and goes on */
    uint8_t receipts[SKR_RECEIPT_KEY_BYTES]; /* where the walk over them goes on */
    skr_cutter_stats_t stats;
    const skr_member_t **members; /* kept for its memory */
    size_t members_capacity;
};

static uint64_t wall_ms (const skr_cutter_t *self)
{
    return self->world->wall_ms (self->world->context);
}

static uint64_t mono_ms (const skr_cutter_t *self)
{
    return self->world->mono_ms (self->world->context);
}

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* ---- watches */

static size_t watch_at (const skr_cutter_t *self, const skr_id_t *collection)
{
    size_t low = 0, high = self->watches_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&self->watches[middle].collection, collection) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static watch_t *find_watch (const skr_cutter_t *self, const skr_id_t *collection)
{
    size_t at = watch_at (self, collection);
    bool found =
        at < self->watches_count && skr_id_equal (&self->watches[at].collection, collection);
    return found ? &self->watches[at] : NULL;
}

static watch_t *add_watch (skr_cutter_t *self, const skr_id_t *collection)
{
    watch_t *watch = find_watch (self, collection);
    if (watch) {
        return watch;
    }
    if (self->watches_count == self->watches_capacity) {
        size_t capacity = self->watches_capacity ? 2 * self->watches_capacity : 16;
        watch_t *watches = realloc (self->watches, capacity * sizeof *watches);
        if (!watches) {
            return NULL;
        }
        self->watches = watches;
        self->watches_capacity = capacity;
    }
    watch = &self->watches[watch_at (self, collection)];
    memmove (watch + 1, watch,
             (size_t) (self->watches + self->watches_count - watch) * sizeof *watch);
    memset (watch, 0, sizeof *watch);
    watch->collection = *collection;
    self->watches_count++;
    return watch;
}

/* A log that is empty needs no memory of who had stored what. */
static void drop_watch (skr_cutter_t *self, const skr_id_t *collection)
{
    watch_t *watch = find_watch (self, collection);
    if (watch) {
        skr_stable_free (&watch->stable);
        self->watches_count--;
        memmove (watch, watch + 1,
                 (size_t) (self->watches + self->watches_count - watch) * sizeof *watch);
    }
}

/* ---- what is stable */

static saker_err_t list_members (skr_cutter_t *self, const skr_id_t *collection, size_t *count)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    size_t all = skr_roster_count (roster);
    *count = 0;
    if (all > self->members_capacity) {
        const skr_member_t **members = realloc (self->members, all * sizeof *members);
        if (!members) {
            return no_memory ();
        }
        self->members = members;
        self->members_capacity = all;
    }
    for (size_t i = 0; i < all; i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0
            && skr_roster_counts (roster, member, collection)) {
            self->members[(*count)++] = member;
        }
    }
    return SAKER_OK;
}

typedef struct looking_t {
    skr_cutter_t *cutter;
    const skr_collection_t *collection;
} looking_t;

static saker_err_t hash_of (void *context, const skr_id_t *writer, uint64_t seq, uint64_t *hash)
{
    const looking_t *looking = context;
    return skr_cut_hash (looking->cutter->replica, &looking->collection->id, writer, seq, hash);
}

/* Hears all members that count; self->members lists them. */
static saker_err_t hear_all (skr_cutter_t *self, const skr_collection_t *collection,
                             skr_stable_t *stable, size_t *count)
{
    looking_t looking = {self, collection};
    const skr_scene_t scene = {.clock = &collection->clock,
                               .roster = &skr_replica_collection_at (self->replica, 0)->clock,
                               .people = skr_replica_roster (self->replica),
                               .wall_ms = wall_ms (self),
                               .context = &looking,
                               .hash = hash_of};
    SKR_TRY (list_members (self, &collection->id, count));
    for (size_t i = 0; i < *count; i++) {
        skr_reported_t reported = {.clock = NULL};
        self->neighbours.reported (self->neighbours.context, self->members[i]->device,
                                   &collection->id, &reported);
        const skr_testimony_t told = {&reported.writer, reported.clock, reported.hashes,
                                      reported.kept, reported.roster};
        SKR_TRY (skr_stable_hear (stable, self->members[i]->device, &told, &scene));
    }
    return SAKER_OK;
}

static bool is_gated (const skr_cutter_t *self, const skr_collection_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    uint64_t missing;
    return skr_roster_doubled (roster, &collection->id)
           || skr_roster_undrained (roster, NULL, &collection->id, &collection->clock, &missing);
}

/* Who was fenced may still come and end some of the increments that the others have cut; so may who
   left, and comes back. */
static bool may_fold (const skr_cutter_t *self, const skr_collection_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    return self->folds && !skr_roster_fenced (roster) && !skr_roster_leaver (roster)
           && !skr_roster_returned (roster, &collection->id);
}

/* Safe before small: both are empty when it is not known what somebody has. */
static saker_err_t stable_clock (skr_cutter_t *self, const skr_collection_t *collection,
                                 watch_t *watch, skr_clock_t *clock, skr_clock_t *foldable)
{
    size_t count;
    clock->count = foldable->count = 0;
    if (is_gated (self, collection)) {
        return SAKER_OK;
    }
    SKR_TRY (hear_all (self, collection, &watch->stable, &count));
    if (may_fold (self, collection)) {
        SKR_TRY (skr_stable_foldable (&watch->stable, self->members, count,
                                      skr_cut_clock (self->replica, &collection->id), foldable));
    }
    return skr_stable_clock (&watch->stable, self->members, count, &collection->clock, clock);
}

/* ---- cutting */

static uint64_t log_bytes (const skr_cutter_t *self)
{
    uint64_t bytes = 0;
    for (size_t i = 1; i < skr_replica_collections (self->replica); i++) {
        bytes += skr_replica_collection_at (self->replica, i)->log_bytes;
    }
    return bytes;
}

/* When the log is larger than it should be, the oldest goes first, whatever its collection; what
   somebody has not stored stays and is not waited for. */
static uint64_t forced_position (const skr_cutter_t *self)
{
    uint64_t oldest = UINT64_MAX;
    if (!self->history_bytes || log_bytes (self) <= self->history_bytes) {
        return 0;
    }
    for (size_t i = 0; i < self->watches_count; i++) {
        const watch_t *watch = &self->watches[i];
        if (watch->oldest && !watch->held && watch->oldest < oldest) {
            oldest = watch->oldest;
        }
    }
    return oldest == UINT64_MAX ? 0 : oldest + FORCED_POSITIONS;
}

static skr_cut_terms_t terms_of (const skr_cutter_t *self, const skr_clock_t *stable)
{
    return (skr_cut_terms_t){.stable = stable,
                             .wall_ms = wall_ms (self),
                             .history_ms = self->history_ms,
                             .forced = self->forced};
}

static void note_slice (skr_cutter_t *self, const skr_cut_slice_t *slice, uint64_t start_ms)
{
    uint64_t took_ms = mono_ms (self) - start_ms;
    self->stats.entries += slice->entries;
    self->stats.bytes += slice->bytes;
    self->stats.slices++;
    self->stats.longest_ms = took_ms > self->stats.longest_ms ? took_ms : self->stats.longest_ms;
    self->stats.cut_wall_ms = wall_ms (self);
}

static saker_err_t cut_stable (skr_cutter_t *self, const skr_id_t *id, watch_t *watch,
                               const skr_collection_t *collection, skr_cut_slice_t *slice)
{
    skr_clock_t stable = {0}, foldable = {0};
    uint64_t start_ms = mono_ms (self);
    saker_err_t error = stable_clock (self, collection, watch, &stable, &foldable);
    if (error == SAKER_OK) {
        skr_cut_terms_t terms = terms_of (self, &stable);
        terms.foldable = &foldable;
        error = skr_cut_some (self->replica, id, &terms, slice);
    }
    skr_clock_free (&stable);
    skr_clock_free (&foldable);
    if (error == SAKER_OK) {
        watch->oldest = slice->position;
        watch->oldest_ms = slice->time_ms;
        watch->held = slice->end == SKR_CUT_UNSTABLE;
        if (slice->entries) {
            note_slice (self, slice, start_ms);
        }
    }
    return error;
}

/* One collection. *cut: something went, and perhaps more can. */
static saker_err_t look_at (skr_cutter_t *self, const skr_collection_t *collection, bool *cut)
{
    skr_id_t id = collection->id;
    skr_cut_slice_t slice;
    *cut = false;
    /* What a snapshot will not have must still be there to be applied after it; who only relays
       fetches nothing. */
    if (!skr_cut_entries (self->replica, &id)
        || (!collection->sealed && skr_partial_lacks (skr_partial_of (self->replica, &id)))) {
        drop_watch (self, &id);
        return SAKER_OK;
    }
    watch_t *watch = add_watch (self, &id);
    if (!watch) {
        return no_memory ();
    }
    skr_cut_terms_t terms = terms_of (self, NULL);
    SKR_TRY (skr_cut_look (self->replica, &id, &terms, &slice));
    watch->oldest = slice.position;
    watch->oldest_ms = slice.time_ms;
    if (slice.end != SKR_CUT_FULL) {
        watch->held = false; /* too young for anybody to be asked: the next time it may be tried */
        return SAKER_OK;
    }
    SKR_TRY (cut_stable (self, &id, watch, collection, &slice));
    *cut = slice.entries > 0 && slice.end == SKR_CUT_FULL;
    return SAKER_OK;
}

static void end_look (skr_cutter_t *self)
{
    self->next = 0;
    self->due_ms = self->hurried ? 0 : mono_ms (self) + SKR_CUT_EVERY_MS;
    self->busy = self->hurried;
    self->hurried = false;
}

static saker_err_t walk_receipts (skr_cutter_t *self)
{
    size_t gone;
    SKR_TRY (skr_receipts_walk (self->replica, self->receipts, &gone));
    self->stats.receipts += gone;
    return SAKER_OK;
}

saker_err_t skr_cutter_turn (skr_cutter_t *self)
{
    assert (!skr_replica_in_group (self->replica));
    if (mono_ms (self) < self->due_ms) {
        return SAKER_OK;
    }
    self->next = self->next ? self->next : 1; /* after the roster */
    self->forced = forced_position (self);
    for (size_t i = 0; i < SKR_CUT_COLLECTIONS_A_TURN; i++, self->next++) {
        bool cut = false;
        uint64_t before = self->stats.entries;
        if (self->next >= skr_replica_collections (self->replica)) {
            end_look (self);
            return walk_receipts (self);
        }
        saker_err_t error =
            look_at (self, skr_replica_collection_at (self->replica, self->next), &cut);
        if (error != SAKER_OK) {
            end_look (self);
            self->due_ms = mono_ms (self) + SKR_CUT_EVERY_MS;
            return error;
        }
        if (self->stats.entries != before) {
            self->next += !cut;
            return SAKER_OK; /* the rest in the next round */
        }
    }
    return SAKER_OK;
}

uint64_t skr_cutter_deadline_ms (const skr_cutter_t *self)
{
    return self->due_ms;
}

void skr_cutter_hurry (skr_cutter_t *self)
{
    self->hurried = self->next != 0; /* a look that goes on was begun with what was known then */
    self->due_ms = 0;
    self->busy = true;
}

bool skr_cutter_busy (const skr_cutter_t *self)
{
    return self->busy;
}

void skr_cutter_stats (const skr_cutter_t *self, skr_cutter_stats_t *stats)
{
    *stats = self->stats;
    stats->log_bytes = log_bytes (self);
    for (size_t i = 0; i < self->watches_count; i++) {
        uint64_t oldest_ms = self->watches[i].oldest_ms;
        if (oldest_ms && (!stats->oldest_wall_ms || oldest_ms < stats->oldest_wall_ms)) {
            stats->oldest_wall_ms = oldest_ms;
        }
    }
}

/* ---- planning */

typedef struct planning_t {
    const skr_cut_terms_t *terms;
    skr_cut_plan_t *plan;
    const skr_clock_t *const *counted; /* of the holders */
    uint64_t looked, looked_bytes;
    bool stopped;
} planning_t;

static void plan_going (planning_t *planning, const skr_log_place_t *place, uint64_t bytes)
{
    skr_cut_plan_t *plan = planning->plan;
    uint64_t time_ms;
    bool stable = place->seq <= skr_clock_get (planning->terms->stable, place->writer);
    bool young = skr_cut_is_young (planning->terms, place, &time_ms);
    if (planning->stopped) {
        return;
    }
    if (stable && !young) {
        plan->going_entries++;
        plan->going_bytes += bytes;
        return;
    }
    planning->stopped = true;
    plan->end = stable ? SKR_CUT_YOUNG : SKR_CUT_UNSTABLE;
    plan->time_ms = time_ms;
}

static saker_err_t plan_entry (const skr_log_place_t *place, void *argument)
{
    planning_t *planning = argument;
    skr_cut_plan_t *plan = planning->plan;
    if (planning->looked == SKR_CUT_PLAN_ENTRIES_MAX) {
        plan->estimated = true;
        return SKR_STOP;
    }
    uint64_t bytes = place->entry ? skr_log_bytes (place->entry) : 0;
    for (size_t i = 0; i < plan->holders_count; i++) {
        skr_cut_holder_t *holder = &plan->holders[i];
        const skr_clock_t *counted = planning->counted[i];
        if (holder->entries
            || place->seq > (counted ? skr_clock_get (counted, place->writer) : 0)) {
            holder->entries++;
            holder->bytes += bytes;
        }
    }
    plan_going (planning, place, bytes);
    planning->looked++;
    planning->looked_bytes += bytes;
    return SAKER_OK;
}

/* What is behind the last that was looked at waits for whom that waited for. */
static void add_rest (const planning_t *planning)
{
    skr_cut_plan_t *plan = planning->plan;
    uint64_t entries = plan->entries - planning->looked;
    uint64_t bytes =
        plan->bytes > planning->looked_bytes ? plan->bytes - planning->looked_bytes : 0;
    for (size_t i = 0; i < plan->holders_count && plan->estimated; i++) {
        if (plan->holders[i].missing) {
            plan->holders[i].entries += entries;
            plan->holders[i].bytes += bytes;
        }
    }
}

static saker_err_t plan_walk (skr_cutter_t *self, const skr_collection_t *collection,
                              const skr_clock_t *stable, const skr_clock_t *const *counted,
                              skr_cut_plan_t *plan)
{
    const skr_cut_terms_t terms = terms_of (self, stable);
    planning_t planning = {.terms = &terms, .plan = plan, .counted = counted};
    plan->end = SKR_CUT_EMPTY;
    SKR_TRY (skr_log_walk (skr_replica_store (self->replica), SKR_COMMITTED, collection->no,
                           &collection->clock, skr_cut_clock (self->replica, &collection->id),
                           plan_entry, &planning));
    if (!planning.stopped && plan->estimated) {
        plan->end = SKR_CUT_FULL;
    }
    add_rest (&planning);
    return SAKER_OK;
}

/* The members that lack something, and what each of them is known to have. */
static saker_err_t plan_holders (skr_cutter_t *self, const skr_collection_t *collection,
                                 const skr_stable_t *stable, size_t count,
                                 const skr_clock_t **counted, skr_cut_plan_t *plan)
{
    static const skr_clock_t nothing;
    const skr_clock_t *cut = skr_cut_clock (self->replica, &collection->id);
    skr_clock_t have = {0};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        const skr_witness_t *witness = skr_stable_witness (stable, self->members[i]->device);
        const skr_clock_t *known = witness ? &witness->counted : &nothing;
        error = skr_clock_copy (&have, known);
        error = error ? error : skr_clock_merge (&have, cut);
        uint64_t missing = skr_clock_missing (&collection->clock, &have);
        if (missing && error == SAKER_OK) {
            counted[plan->holders_count] = known;
            plan->holders[plan->holders_count++] =
                (skr_cut_holder_t){.member = self->members[i],
                                   .verdict = witness ? witness->verdict : SKR_VERDICT_UNHEARD,
                                   .missing = missing,
                                   .since_ms = witness ? witness->counted_ms : 0};
        }
    }
    skr_clock_free (&have);
    return error;
}

/* Holds all of the log, whatever it reported. */
static void plan_gate (const skr_cut_holder_t *gate, const skr_clock_t **counted,
                       skr_cut_plan_t *plan)
{
    size_t at = 0;
    const skr_member_t *member = gate->member;
    if (!member) {
        return;
    }
    while (at < plan->holders_count && plan->holders[at].member != member) {
        at++;
    }
    plan->holders_count += at == plan->holders_count;
    plan->holders[at] = *gate;
    counted[at] = NULL;
}

/* A device that may write twice; and one that was closed at changes that are not here. */
static void plan_gates (const skr_cutter_t *self, const skr_collection_t *collection,
                        const skr_clock_t **counted, skr_cut_plan_t *plan)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_cut_holder_t doubled = {.member = skr_roster_doubled (roster, &collection->id),
                                      .verdict = SKR_VERDICT_RETURNED,
                                      .missing = skr_cut_entries (self->replica, &collection->id)};
    skr_cut_holder_t closed = {.verdict = SKR_VERDICT_CLOSED};
    closed.member =
        skr_roster_undrained (roster, NULL, &collection->id, &collection->clock, &closed.missing);
    plan_gate (&doubled, counted, plan);
    plan_gate (&closed, counted, plan);
}

static saker_err_t plan_all (skr_cutter_t *self, const skr_collection_t *collection, watch_t *watch,
                             const skr_clock_t **counted, size_t count, skr_cut_plan_t *plan)
{
    skr_clock_t stable = {0};
    SKR_TRY (plan_holders (self, collection, &watch->stable, count, counted, plan));
    plan_gates (self, collection, counted, plan);
    saker_err_t error =
        skr_stable_clock (&watch->stable, self->members, count, &collection->clock, &stable);
    if (is_gated (self, collection)) {
        stable.count = 0;
    }
    error = error ? error : plan_walk (self, collection, &stable, counted, plan);
    skr_clock_free (&stable);
    return error;
}

saker_err_t skr_cutter_plan (skr_cutter_t *self, const skr_collection_t *collection,
                             skr_cut_plan_t *plan)
{
    size_t count;
    watch_t *watch = add_watch (self, &collection->id);
    memset (plan, 0, sizeof *plan);
    plan->entries = skr_cut_entries (self->replica, &collection->id);
    plan->bytes = collection->log_bytes;
    if (!watch) {
        return no_memory ();
    }
    SKR_TRY (hear_all (self, collection, &watch->stable, &count));
    const skr_clock_t **counted = calloc (count + 3, sizeof *counted);
    plan->holders = calloc (count + 3, sizeof *plan->holders);
    saker_err_t error = counted && plan->holders ? SAKER_OK : no_memory ();
    error = error ? error : plan_all (self, collection, watch, counted, count, plan);
    free (counted);
    if (error != SAKER_OK) {
        free (plan->holders);
        plan->holders = NULL;
    }
    return error;
}

/* ---- life */

void skr_cutter_configure (skr_cutter_t *self, uint64_t history_ms, uint64_t history_bytes,
                           bool folds)
{
    self->folds = folds;
    self->history_ms = history_ms;
    self->history_bytes = history_bytes;
}

saker_err_t skr_cutter_new (skr_cutter_t **self_p, skr_replica_t *replica,
                            const skr_neighbours_t *neighbours, const skr_world_t *world)
{
    skr_cutter_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self) {
        return no_memory ();
    }
    self->replica = replica;
    self->neighbours = *neighbours;
    self->world = world;
    skr_cutter_configure (self, SKR_HISTORY_MS_DEFAULT, SKR_HISTORY_BYTES_DEFAULT, false);
    self->due_ms = mono_ms (self) + SKR_CUT_EVERY_MS;
    return SAKER_OK;
}

void skr_cutter_destroy (skr_cutter_t **self_p)
{
    skr_cutter_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->watches_count; i++) {
        skr_stable_free (&self->watches[i].stable);
    }
    free (self->watches);
    free (self->members);
    free (self);
    *self_p = NULL;
}
