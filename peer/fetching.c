#include "peer/fetching.h"

#include "peer/carrying.h"
#include "peer/partial.h"
#include "peer/replica_internal.h"

#include <stdlib.h>
#include <string.h>

#define FETCHING_KEY "fetching"
#define FETCHING_KEY_BYTES (sizeof FETCHING_KEY - 1)
#define LOOK_MS 200 /* between two looks at what others tell */
#define ASK_MS 1000 /* between two questions for it */
#define ASK_LATER_MS 10000
#define YOUNG_MS 30000
#define AGAIN_MS 5000 /* after a failure */
#define AIM_MS 5000   /* so long one that is linked may say nothing */
#define MET_MAX 1024  /* of one that lies, made-up ids are no more than that */

static const skr_clock_t nothing;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static skr_span_t fetching_key (uint8_t key[FETCHING_KEY_BYTES + 16], const skr_id_t *collection)
{
    memcpy (key, FETCHING_KEY, FETCHING_KEY_BYTES);
    memcpy (key + FETCHING_KEY_BYTES, collection->bytes, sizeof collection->bytes);
    return skr_span (key, FETCHING_KEY_BYTES + sizeof collection->bytes);
}

static const skr_clock_t *clock_of (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held && !held->fresh ? &held->shown.clock : &nothing;
}

/* ---- the list */

static skr_fetch_t *find (const skr_replica_t *self, const skr_id_t *collection)
{
    for (size_t i = 0; i < self->fetches_count; i++) {
        if (skr_id_equal (&self->fetches[i].collection, collection)) {
            return &self->fetches[i];
        }
    }
    return NULL;
}

static saker_err_t add (skr_replica_t *self, const skr_id_t *collection, skr_fetch_t **fetch)
{
    *fetch = find (self, collection);
    if (*fetch) {
        return SAKER_OK;
    }
    skr_fetch_t *list = realloc (self->fetches, (self->fetches_count + 1) * sizeof *list);
    if (!list) {
        return no_memory ();
    }
    self->fetches = list;
    *fetch = &list[self->fetches_count++];
    **fetch = (skr_fetch_t){.collection = *collection,
                            .begun_ms = self->world->mono_ms (self->world->context)};
    return SAKER_OK;
}

static void take_out (skr_replica_t *self, skr_fetch_t *fetch)
{
    skr_clock_free (&fetch->target);
    *fetch = self->fetches[--self->fetches_count];
}

void skr_fetching_free (skr_replica_t *self)
{
    while (self->fetches_count > 0) {
        take_out (self, &self->fetches[0]);
    }
    free (self->fetches);
    self->fetches = NULL;
}

/* ---- questions */

/* Who has become an admin carries all, before it could state so. */
static bool is_taken_on (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_subscription_t *stated =
        skr_roster_subscription (self->roster, skr_device_key (self->device));
    return !skr_subscription_carries (stated, collection) && !clock_of (self, collection)->count;
}

bool skr_fetching (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_fetch_t *fetch = find (self, collection);
    return !skr_id_is_zero (collection) && skr_carrying (self, collection)
           && ((fetch && !fetch->over && !fetch->doubted) || is_taken_on (self, collection));
}

static saker_err_t not_yet (const char *name)
{
    return skr_fail (SAKER_ENOTYET,
                     "not all of %s is here yet: this peer fetches it, and what is not found may "
                     "be on its way; saker subscribe shows how far it is",
                     name);
}

saker_err_t skr_fetching_check (const skr_replica_t *self, const skr_id_t *collection,
                                const char *name)
{
    return skr_fetching (self, collection) ? not_yet (name) : SAKER_OK;
}

saker_err_t skr_fetching_check_all (const skr_replica_t *self, const skr_id_t *collection,
                                    const char *name)
{
    SKR_TRY (skr_fetching_check (self, collection, name));
    return skr_partial_lacks (skr_partial_of (self, collection))
               ? skr_fail (SAKER_ENOTYET,
                           "not all is here yet that this peer is to carry of %s: it fetches the "
                           "rest; saker carry %s shows how far it is",
                           name, name)
               : SAKER_OK;
}

/* ---- beginning */

saker_err_t skr_fetching_note (skr_replica_t *self, const skr_id_t *collection)
{
    static const uint8_t one = 1;
    uint8_t key[FETCHING_KEY_BYTES + 16];
    skr_fetch_t *fetch;
    SKR_TRY (add (self, collection, &fetch));
    self->fetching_moved = true; /* an abort reads it again */
    fetch->noted = true;
    fetch->aimed = fetch->aimed && !fetch->over;
    fetch->over = fetch->doubted = false;
    return skr_store_put (self->store, SKR_META, fetching_key (key, collection),
                          skr_span (&one, 1));
}

void skr_fetching_meet (skr_replica_t *self, const skr_id_t *collection, const skr_clock_t *told,
                        const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    skr_fetch_t *fetch = find (self, collection);
    if (fetch) {
        fetch->doubted &= memcmp (fetch->teller, device, sizeof fetch->teller) == 0;
        return;
    }
    if (skr_id_is_zero (collection) || clock_of (self, collection)->count > 0
        || !skr_carrying (self, collection) || self->fetches_count >= MET_MAX
        || add (self, collection, &fetch) != SAKER_OK) {
        return;
    }
    fetch->met = true;
    fetch->aimed = skr_clock_copy (&fetch->target, told) == SAKER_OK;
}

void skr_fetching_vain (skr_replica_t *self, const skr_id_t *collection,
                        const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    skr_fetch_t *fetch = find (self, collection);
    if (fetch && !fetch->noted && !clock_of (self, collection)->count) {
        fetch->doubted = true;
        memcpy (fetch->teller, device, sizeof fetch->teller);
    }
}

saker_err_t skr_fetching_keep (skr_replica_t *self, const skr_id_t *collection)
{
    const skr_fetch_t *fetch = find (self, collection);
    return fetch && !fetch->noted ? skr_fetching_note (self, collection) : SAKER_OK;
}

static saker_err_t load_one (skr_span_t key, skr_span_t value, void *argument)
{
    skr_replica_t *self = argument;
    skr_id_t collection;
    skr_fetch_t *fetch;
    (void) value;
    if (key.size != FETCHING_KEY_BYTES + sizeof collection.bytes) {
        return SAKER_OK;
    }
    memcpy (collection.bytes, key.data + FETCHING_KEY_BYTES, sizeof collection.bytes);
    SKR_TRY (add (self, &collection, &fetch));
    fetch->noted = true;
    return SAKER_OK;
}

saker_err_t skr_fetching_load (skr_replica_t *self)
{
    skr_span_t prefix = skr_span_text (FETCHING_KEY);
    for (size_t i = 0; i < self->fetches_count; i++) {
        self->fetches[i].noted = false;
    }
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, load_one, self));
    for (size_t i = self->fetches_count; i-- > 0;) {
        if (!self->fetches[i].noted && !self->fetches[i].met) {
            take_out (self, &self->fetches[i]);
        }
    }
    return SAKER_OK;
}

/* ---- ending */

/* Do we have it, but for what is void? */
static bool is_here (const skr_replica_t *self, const skr_id_t *collection,
                     const skr_clock_t *wanted)
{
    const skr_clock_t *ours = clock_of (self, collection);
    for (size_t i = 0; i < wanted->count; i++) {
        const skr_tick_t *tick = &wanted->ticks[i];
        bool known = skr_roster_by_writer (self->roster, &tick->writer) != NULL;
        uint64_t limit =
            known ? skr_roster_limit (self->roster, &tick->writer, collection) : UINT64_MAX;
        uint64_t seq = tick->seq < limit ? tick->seq : limit;
        if (skr_clock_get (ours, &tick->writer) < seq) {
            return false;
        }
    }
    return true;
}

/* What others that carry it have. */
typedef struct others_t {
    size_t members, admins;               /* that carry it */
    size_t linked, linked_admins, silent; /* of these: linked; linked, and told nothing yet */
    skr_clock_t all, of_admins;           /* that are linked */
} others_t;

/* Is it there now? Where beats are lost a link does not come up, but questions are answered. One
   that has nothing must have said so since. */
static bool is_there (const skr_neighbours_t *neighbours, const skr_member_t *member,
                      const skr_fetch_t *fetch, const skr_reported_t *told, bool *silent)
{
    skr_neighbour_t neighbour = {.link = ""};
    neighbours->neighbour (neighbours->context, member->device, &neighbour);
    bool up = strcmp (neighbour.link, "up") == 0 || strcmp (neighbour.link, "slow") == 0;
    bool answered = told->clock && told->asked_ms >= fetch->begun_ms;
    *silent = !told->clock || (!told->clock->count && !answered);
    return up || (answered && neighbour.greeted);
}

static saker_err_t hear (const skr_replica_t *self, const skr_neighbours_t *neighbours,
                         const skr_member_t *member, const skr_fetch_t *fetch, others_t *others)
{
    const skr_id_t *id = &fetch->collection;
    skr_reported_t told = {.clock = NULL};
    bool admin = member->role == SKR_ROLE_ADMIN, silent;
    if (skr_roster_role (self->roster, member->device, id) == SKR_ROLE_NONE
        || !skr_roster_carries (self->roster, member->device, id)) {
        return SAKER_OK;
    }
    others->members++;
    others->admins += admin;
    neighbours->reported (neighbours->context, member->device, id, &told);
    if (!is_there (neighbours, member, fetch, &told, &silent)) {
        return SAKER_OK;
    }
    others->linked++;
    others->linked_admins += admin;
    others->silent += silent;
    SKR_TRY (told.clock ? skr_clock_merge (&others->all, told.clock) : SAKER_OK);
    return told.clock && admin ? skr_clock_merge (&others->of_admins, told.clock) : SAKER_OK;
}

static saker_err_t hear_all (const skr_replica_t *self, const skr_neighbours_t *neighbours,
                             const skr_fetch_t *fetch, others_t *others)
{
    const uint8_t *own = skr_device_key (self->device);
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0) {
            SKR_TRY (hear (self, neighbours, member, fetch, others));
        }
    }
    return SAKER_OK;
}

/* Is there as much here as others have? Else aims at what they have now, if it is known. */
static saker_err_t judge (const skr_replica_t *self, skr_fetch_t *fetch, const others_t *others,
                          uint64_t now_ms, bool *ended)
{
    const skr_clock_t *most = others->of_admins.count ? &others->of_admins : &others->all;
    bool asked = others->linked > 0
                 && (!others->silent || others->of_admins.count > 0
                     || (others->all.count > 0 && now_ms >= fetch->begun_ms + AIM_MS));
    bool sure = most->count > 0 || others->linked_admins > 0 || !others->admins;
    *ended = !others->members || (asked && sure && is_here (self, &fetch->collection, most));
    if (asked && most->count > 0 && !fetch->aimed) {
        SKR_TRY (skr_clock_copy (&fetch->target, most));
        fetch->aimed = true;
    }
    return SAKER_OK;
}

static saker_err_t look (const skr_replica_t *self, const skr_neighbours_t *neighbours,
                         skr_fetch_t *fetch, uint64_t now_ms, bool *ended)
{
    others_t others = {.members = 0};
    saker_err_t error = hear_all (self, neighbours, fetch, &others);
    if (!error) {
        error = judge (self, fetch, &others, now_ms, ended);
    }
    skr_clock_free (&others.all);
    skr_clock_free (&others.of_admins);
    return error;
}

static saker_err_t remove_note (skr_replica_t *self, const skr_id_t *collection)
{
    uint8_t key[FETCHING_KEY_BYTES + 16];
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = skr_store_remove (self->store, SKR_META, fetching_key (key, collection));
    if (error && error != SAKER_ENOTFOUND) {
        skr_replica_abort (self);
        return error;
    }
    return skr_replica_commit (self);
}

static saker_err_t end (skr_replica_t *self, skr_fetch_t *fetch)
{
    const skr_id_t id = fetch->collection;
    fetch->over = true;
    SKR_TRY (fetch->noted ? remove_note (self, &id) : SAKER_OK);
    fetch = find (self, &id);
    if (fetch) {
        take_out (self, fetch);
    }
    return SAKER_OK;
}

/* One that is not carried any more is not fetched; nor one that is only relayed. */
static saker_err_t step (skr_replica_t *self, const skr_neighbours_t *neighbours,
                         skr_fetch_t *fetch, uint64_t now_ms, bool looks)
{
    const skr_id_t *id = &fetch->collection;
    bool ended = fetch->over || !skr_carrying (self, id)
                 || skr_replica_role (self, id) < SKR_ROLE_READ
                 || (fetch->aimed && is_here (self, id, &fetch->target));
    if (!ended && looks) {
        SKR_TRY (look (self, neighbours, fetch, now_ms, &ended));
    }
    return ended ? end (self, fetch) : SAKER_OK;
}

/* Beats may be lost, and say nothing of what is not there. */
static void ask (skr_replica_t *self, const skr_neighbours_t *neighbours, uint64_t now_ms)
{
    bool young = false;
    for (size_t i = 0; i < self->fetches_count; i++) {
        const skr_fetch_t *fetch = &self->fetches[i];
        young |= now_ms < fetch->begun_ms + YOUNG_MS;
        if (!fetch->doubted) { /* also with an aim: whoever told of it may be a member no more */
            neighbours->ask (neighbours->context, &fetch->collection);
        }
    }
    self->fetching_ask_ms = now_ms + (young ? ASK_MS : ASK_LATER_MS);
}

saker_err_t skr_fetching_turn (skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    if (!self->fetches_count || skr_replica_in_group (self) || !skr_store_settled (self->store)
        || self->unloaded || now_ms < self->fetching_pause_ms) {
        return SAKER_OK;
    }
    bool looks = now_ms >= self->fetching_ms;
    saker_err_t error = SAKER_OK;
    for (size_t i = self->fetches_count; i-- > 0 && !error;) {
        error = i < self->fetches_count ? step (self, neighbours, &self->fetches[i], now_ms, looks)
                                        : SAKER_OK;
    }
    self->fetching_ms = looks ? now_ms + LOOK_MS : self->fetching_ms;
    if (now_ms >= self->fetching_ask_ms && !error) {
        ask (self, neighbours, now_ms);
    }
    self->fetching_pause_ms = error ? now_ms + AGAIN_MS : 0;
    return skr_wrap (error, "fetch a collection");
}
