#include "peer/carrying.h"

#include "peer/cut.h"
#include "peer/fetching.h"
#include "peer/replica_internal.h"

#include <string.h>

#define EVERY_MS 200    /* between two looks while something is to be handed on */
#define ASKING_MS 10000 /* so long the clock stays that others are asked for */
#define ASK_MS 1000     /* between two questions for what others have of it */
#define AGAIN_MS 5000   /* after a failure */

static const uint8_t *own_device (const skr_replica_t *self)
{
    return skr_device_key (self->device);
}

static const skr_subscription_t *own_subscription (const skr_replica_t *self)
{
    return skr_roster_subscription (self->roster, own_device (self));
}

/* ---- questions */

bool skr_carrying (const skr_replica_t *self, const skr_id_t *collection)
{
    return skr_roster_carries (self->roster, own_device (self), collection);
}

bool skr_carrying_takes (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held;
    return skr_carrying (self, collection)
           || ((held = skr_holdings_find (self, collection)) && held->live.clock.count > 0);
}

uint64_t skr_carrying_own (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_named_t *named = skr_subscription_find (own_subscription (self), collection);
    return named ? skr_clock_get (&named->left, &self->writer) : 0;
}

saker_err_t skr_carrying_check (const skr_replica_t *self, const skr_id_t *collection,
                                const char *name)
{
    return skr_carrying (self, collection)
               ? SAKER_OK
               : skr_fail (SAKER_ENOTCARRIED,
                           "this peer does not carry %s: saker subscribe %s fetches it", name,
                           name);
}

saker_err_t skr_carrying_check_write (const skr_replica_t *self, const skr_id_t *collection,
                                      const char *name)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    uint64_t have = held ? skr_clock_get (&held->live.clock, &self->writer) : 0;
    uint64_t limit = skr_roster_limit (self->roster, &self->writer, collection);
    SKR_TRY (skr_carrying_check (self, collection, name));
    return have >= skr_carrying_own (self, collection) || limit != UINT64_MAX
               ? SAKER_OK
               : skr_fail (SAKER_EWAIT,
                           "this peer carries %s again, and is fetching what it once wrote there: "
                           "try again in a moment; saker why tells what it waits for",
                           name);
}

/* ---- stating */

/* How far the writers of this device got. */
static saker_err_t leave_own (const skr_replica_t *self, const skr_collection_t *collection,
                              skr_subscription_t *next)
{
    skr_clock_t own = {0};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < collection->clock.count && !error; i++) {
        const skr_tick_t *tick = &collection->clock.ticks[i];
        if (skr_replica_is_own (self, &tick->writer)) {
            error = skr_clock_set (&own, &tick->writer, tick->seq);
        }
    }
    if (!error && own.count > 0) {
        error = skr_subscription_leave (next, &collection->id, &own);
    }
    skr_clock_free (&own);
    return error;
}

/* What was left before, and is not known to be back. */
static saker_err_t keep_left (const skr_subscription_t *before, skr_subscription_t *next)
{
    for (size_t i = 0; i < before->count; i++) {
        const skr_named_t *named = &before->named[i];
        if (named->left.count > 0) {
            SKR_TRY (skr_subscription_leave (next, &named->collection, &named->left));
        }
    }
    return SAKER_OK;
}

static saker_err_t add_left (const skr_replica_t *self, skr_subscription_t *next)
{
    SKR_TRY (keep_left (own_subscription (self), next));
    SKR_TRY (keep_left (skr_roster_subscription_any (self->roster, own_device (self), NULL), next));
    for (size_t i = 1; i < self->held_count; i++) {
        const skr_collection_t *collection = &self->held[i]->live;
        skr_subscription_settle (next, &collection->id, &collection->clock);
        if (!skr_subscription_carries (next, &collection->id)) {
            SKR_TRY (leave_own (self, collection, next));
        }
    }
    skr_subscription_tidy (next);
    return SAKER_OK;
}

static saker_err_t put_statement (const skr_replica_t *self, const skr_subscription_t *wanted,
                                  skr_buf_t *statement)
{
    skr_subscription_t next = skr_subscription_all ();
    saker_err_t error = skr_subscription_copy (&next, wanted);
    error = error ? error : add_left (self, &next);
    next.number = skr_roster_subscription_any (self->roster, own_device (self), NULL)->number + 1;
    skr_statement_subscribe (statement, own_device (self), &next);
    skr_subscription_free (&next);
    return error == SAKER_OK && statement->failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                                                  : error;
}

saker_err_t skr_carrying_check_narrowing (const skr_replica_t *self,
                                          const skr_subscription_t *wanted)
{
    const skr_member_t *member = skr_replica_self (self);
    skr_role_t role = member ? member->role : SKR_ROLE_NONE;
    if (role == SKR_ROLE_NONE) {
        return skr_write_revoked ();
    }
    if (skr_subscription_is_all (wanted)) {
        return SAKER_OK;
    }
    if (role == SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT,
                         "this device is an admin here, and an admin's peer carries every "
                         "collection: another admin has to take that role first, with saker role");
    }
    return role >= SKR_ROLE_READ
               ? SAKER_OK
               : skr_fail (SAKER_ERIGHT, "this device may only relay here, and relays every "
                                         "collection: it has none to leave");
}

/* Notes those of the collections that come to be carried of which nothing is here. */
static saker_err_t note_begun (skr_replica_t *self, const skr_id_t *collection,
                               const skr_subscription_t *wanted)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return skr_subscription_carries (wanted, collection)
                   && !skr_subscription_carries (own_subscription (self), collection)
                   && (!held || !held->live.clock.count)
               ? skr_fetching_note (self, collection)
               : SAKER_OK;
}

static saker_err_t note_all_begun (skr_replica_t *self, const skr_subscription_t *wanted)
{
    const skr_subscription_t *own = own_subscription (self);
    for (size_t i = 0; i < wanted->count; i++) {
        SKR_TRY (note_begun (self, &wanted->named[i].collection, wanted));
    }
    for (size_t i = 0; i < own->count; i++) {
        SKR_TRY (note_begun (self, &own->named[i].collection, wanted));
    }
    for (size_t i = 1; i < self->held_count; i++) {
        SKR_TRY (note_begun (self, &self->held[i]->live.id, wanted));
    }
    return SAKER_OK;
}

saker_err_t skr_carrying_state (skr_replica_t *self, const skr_subscription_t *wanted)
{
    skr_buf_t statement = {0};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (skr_carrying_check_narrowing (self, wanted));
    SKR_TRY (note_all_begun (self, wanted));
    saker_err_t error = put_statement (self, wanted, &statement);
    if (error == SAKER_OK) {
        const skr_span_t span = skr_span_of (&statement);
        error = skr_replica_state (self, &span, 1);
    }
    skr_buf_free (&statement);
    return error;
}

saker_err_t skr_carrying_restate (skr_replica_t *self, skr_buf_t *statement)
{
    const skr_subscription_t *any =
        skr_roster_subscription_any (self->roster, own_device (self), NULL);
    return any->number ? put_statement (self, any, statement) : SAKER_OK;
}

/* Did a writer of this device get farther in what it left than was stated? What a fence made void
   is issued again also there. */
static bool got_farther (const skr_replica_t *self, const skr_subscription_t *own)
{
    for (size_t i = 1; i < self->shown_count; i++) {
        const skr_collection_t *shown = &self->held[i]->shown;
        const skr_named_t *named = skr_subscription_find (own, &shown->id);
        for (size_t k = 0; k < shown->clock.count && !skr_carrying (self, &shown->id); k++) {
            const skr_tick_t *tick = &shown->clock.ticks[k];
            if (skr_replica_is_own (self, &tick->writer)
                && (!named || tick->seq > skr_clock_get (&named->left, &tick->writer))) {
                return true;
            }
        }
    }
    return false;
}

/* Another process of this device has its say where its writer is the present one. */
static bool is_present (const skr_replica_t *self)
{
    skr_id_t present = {{0}};
    (void) skr_roster_present (self->roster, own_device (self), &present);
    return skr_id_equal (&present, &self->writer);
}

/* Who became an admin carries all; and of two writers of this device, as after a restore, the
   present one goes by what was stated last. */
static const skr_subscription_t *due_statement (const skr_replica_t *self, skr_subscription_t *all)
{
    const skr_member_t *member = skr_replica_self (self);
    const skr_subscription_t *own = own_subscription (self);
    const skr_subscription_t *any =
        skr_roster_subscription_any (self->roster, own_device (self), NULL);
    *all = skr_subscription_all ();
    if (!any->number || !member || member->role == SKR_ROLE_NONE || !is_present (self)) {
        return NULL;
    }
    if (member->role == SKR_ROLE_ADMIN) {
        return skr_subscription_is_all (own) && own->number == any->number ? NULL : all;
    }
    return any->number > own->number || got_farther (self, own) ? any : NULL;
}

static saker_err_t state_due (skr_replica_t *self)
{
    skr_subscription_t all, wanted = skr_subscription_all ();
    const skr_subscription_t *due = due_statement (self, &all);
    if (!due) {
        return SAKER_OK;
    }
    saker_err_t error = skr_subscription_copy (&wanted, due); /* the roster moves under it */
    error = error ? error : skr_replica_begin (self);
    error = error ? error : skr_carrying_state (self, &wanted);
    skr_subscription_free (&wanted);
    if (error != SAKER_OK) {
        skr_replica_abort (self);
        return error;
    }
    return skr_replica_commit (self);
}

/* ---- handing on */

typedef struct looking_t {
    skr_replica_t *replica;
    const skr_id_t *collection;
} looking_t;

static saker_err_t hash_of (void *context, const skr_id_t *writer, uint64_t seq, uint64_t *hash)
{
    const looking_t *looking = context;
    return skr_cut_hash (looking->replica, looking->collection, writer, seq, hash);
}

/* From now on: what is here now. */
static saker_err_t begin_handing (skr_handing_t *handing, const skr_held_t *held, uint64_t now_ms)
{
    skr_stable_free (&handing->heard);
    handing->begun = true;
    handing->begun_ms = now_ms;
    return skr_clock_copy (&handing->all, &held->shown.clock);
}

/* Does a report know what this device stated last? */
static bool knows (const skr_replica_t *self, const skr_reported_t *reported)
{
    skr_dot_t statement;
    (void) skr_roster_subscription_any (self->roster, own_device (self), &statement);
    return reported->roster && skr_clock_get (reported->roster, &statement.writer) >= statement.seq;
}

/* Hears what a member reported last: what counted once goes on counting. */
static saker_err_t hear (skr_replica_t *self, const skr_neighbours_t *neighbours,
                         const skr_held_t *held, skr_handing_t *handing, const skr_member_t *member)
{
    skr_reported_t reported = {.clock = NULL};
    looking_t looking = {self, &held->shown.id};
    const skr_scene_t scene = {.clock = &held->shown.clock,
                               .roster = &self->held[0]->shown.clock,
                               .people = self->roster,
                               .context = &looking,
                               .hash = hash_of};
    neighbours->reported (neighbours->context, member->device, &held->shown.id, &reported);
    const skr_testimony_t told = {&reported.writer, reported.clock, reported.hashes, reported.kept,
                                  reported.roster};
    return handing != &held->leaving || knows (self, &reported)
               ? skr_stable_hear (&handing->heard, member->device, &told, &scene)
               : SAKER_OK;
}

/* What is void meanwhile is nothing that anybody could have; what this device wrote meanwhile,
   others must have as well. */
static bool has_all (const skr_replica_t *self, const skr_held_t *held,
                     const skr_handing_t *handing, const skr_member_t *member)
{
    const skr_witness_t *witness = skr_stable_witness (&handing->heard, member->device);
    const skr_clock_t *clock = &held->shown.clock;
    for (size_t i = 0; i < clock->count; i++) {
        const skr_id_t *writer = &clock->ticks[i].writer;
        uint64_t seq = skr_clock_get (&handing->all, writer), have = clock->ticks[i].seq;
        seq = seq > have || skr_replica_is_own (self, writer) ? have : seq;
        if (seq > (witness ? skr_clock_get (&witness->counted, writer) : 0)) {
            return false;
        }
    }
    return true;
}

/* An admin cannot leave; of two others each might take the other for the holder. */
static const skr_member_t *find_holder (skr_replica_t *self, const skr_neighbours_t *neighbours,
                                        const skr_held_t *held, skr_handing_t *handing)
{
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        if (member->role == SKR_ROLE_ADMIN
            && memcmp (member->device, own_device (self), SKR_DEVICE_KEY_BYTES) != 0
            && skr_roster_counts (self->roster, member, &held->shown.id)
            && hear (self, neighbours, held, handing, member) == SAKER_OK
            && has_all (self, held, handing, member)) {
            return member;
        }
    }
    return NULL;
}

const skr_member_t *skr_carrying_holder (skr_replica_t *self, const skr_neighbours_t *neighbours,
                                         const skr_id_t *collection)
{
    skr_held_t *held = skr_holdings_find (self, collection);
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    if (!held || held->fresh) {
        return NULL;
    }
    /* In a collection that never rests nobody ever has all of this moment. */
    bool again = !held->asking.begun || now_ms >= held->asking.begun_ms + ASKING_MS;
    if (again && begin_handing (&held->asking, held, now_ms) != SAKER_OK) {
        return NULL;
    }
    return find_holder (self, neighbours, held, &held->asking);
}

/* ---- dropping */

static saker_err_t replace (skr_replica_t *self, const skr_collection_t *collection)
{
    skr_collection_t fresh = {.id = collection->id, .sealed = collection->sealed};
    memcpy (fresh.name, collection->name, sizeof fresh.name);
    SKR_TRY (skr_replica_begin (self));
    SKR_TRY (skr_holdings_drop (self, &fresh));
    return skr_replica_commit (self);
}

static saker_err_t drop (skr_replica_t *self, const skr_held_t *held)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    memcpy (name, held->shown.name, sizeof name);
    saker_err_t error = replace (self, &held->shown);
    if (error != SAKER_OK) {
        skr_replica_abort (self);
        return error;
    }
    skr_log (self->world, SKR_LOG_INFO, "%s was left, and is dropped: others have all of it",
             name[0] ? name : "a collection");
    return skr_replica_reload (self);
}

/* Was all of it handed on that was here when it was left? What came since is others' to hand on. */
static saker_err_t hand_on (skr_replica_t *self, const skr_neighbours_t *neighbours,
                            skr_held_t *held, uint64_t now_ms, bool *dropped)
{
    if (!held->leaving.begun) {
        SKR_TRY (begin_handing (&held->leaving, held, now_ms));
    }
    *dropped = find_holder (self, neighbours, held, &held->leaving) != NULL;
    if (*dropped) {
        return drop (self, held);
    }
    if (now_ms >= held->asked_ms + ASK_MS) { /* beats may be lost */
        neighbours->ask (neighbours->context, &held->shown.id);
        held->asked_ms = now_ms;
    }
    return SAKER_OK;
}

static saker_err_t look (skr_replica_t *self, const skr_neighbours_t *neighbours, uint64_t now_ms)
{
    bool dropped = false;
    for (size_t i = 1; i < self->shown_count && !dropped; i++) {
        skr_held_t *held = self->held[i];
        if (skr_carrying (self, &held->shown.id)) {
            held->leaving.begun = false;
        } else if (held->shown.clock.count > 0) {
            SKR_TRY (hand_on (self, neighbours, held, now_ms, &dropped));
        }
    }
    return SAKER_OK;
}

bool skr_carrying_busy (const skr_replica_t *self)
{
    return self->dropping && !self->carrying_failed;
}

saker_err_t skr_carrying_turn (skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    if (skr_replica_in_group (self) || !skr_store_settled (self->store)
        || (now_ms < self->carrying_ms && !skr_carrying_busy (self))) {
        return SAKER_OK;
    }
    saker_err_t error = SAKER_OK;
    if (self->dropping) {
        error = skr_holdings_sweep_some (self);
    }
    if (error == SAKER_OK && now_ms >= self->carrying_ms
        && skr_roster_has_left (self->roster, own_device (self))) {
        error = state_due (self);
        error = error ? error : look (self, neighbours, now_ms);
        skr_store_forget (self->store);
        self->carrying_ms = now_ms + EVERY_MS;
    }
    self->carrying_failed = error != SAKER_OK;
    self->carrying_ms = error ? now_ms + AGAIN_MS : self->carrying_ms;
    return skr_wrap (error, "leave a collection");
}
