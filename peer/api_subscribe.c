/* SUBSCRIBE and SUBSCRIPTIONS: what this peer carries (carrying.h). */

#include "peer/api_internal.h"
#include "peer/carrying.h"
#include "peer/choosing.h"
#include "peer/fetching.h"
#include "peer/toll.h"

#include <string.h>

#define PAGE_MAX 1024  /* collections in one answer */
#define NAMED_BYTES 48 /* of a collection in a statement, about */
#define SPARED 64      /* of the toll, for new incarnations and what they state again */

static const uint8_t *own_device (const skr_api_t *self)
{
    return skr_device_key (skr_replica_device (self->replica));
}

static const skr_subscription_t *own_subscription (const skr_api_t *self)
{
    return skr_roster_subscription (skr_replica_roster (self->replica), own_device (self));
}

/* ---- SUBSCRIBE */

typedef struct asking_t {
    skr_subscribe_how_t how;
    skr_subscription_t wanted;
    skr_buf_t names; /* each with its zero */
    size_t named;
} asking_t;

static saker_err_t name_one (skr_api_t *self, asking_t *asking, const char *name)
{
    skr_id_t id;
    SKR_TRY (skr_collection_name_check (name));
    skr_replica_collection_id (self->replica, name, &id);
    asking->named++;
    skr_buf_append (&asking->names, name, strlen (name) + 1);
    SKR_TRY (skr_subscription_set (&asking->wanted, &id, asking->how != SKR_SUBSCRIBE_LEAVE));
    return asking->names.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* Carries nothing; what was left stays noted. */
static void clear (skr_subscription_t *wanted)
{
    wanted->rest = false;
    for (size_t i = 0; i < wanted->count; i++) {
        wanted->named[i].carried = false;
    }
}

static saker_err_t get_asking (skr_api_t *self, skr_api_call_t *call, asking_t *asking)
{
    skr_fields_need (&call->fields, 0);
    uint64_t how = skr_cbor_get_uint (&call->cbor);
    asking->how = (skr_subscribe_how_t) (how & 3);
    if (how > SKR_SUBSCRIBE_ALL) {
        skr_cbor_reject (&call->cbor, "not a way to subscribe");
    }
    SKR_TRY (skr_subscription_copy (&asking->wanted, own_subscription (self)));
    if (asking->how == SKR_SUBSCRIBE_ONLY) {
        clear (&asking->wanted);
    }
    skr_fields_need (&call->fields, 1);
    size_t count = skr_cbor_get_array (&call->cbor, SKR_SUBSCRIPTION_NAMED_MAX);
    for (size_t i = 0; i < count && call->cbor.error == SAKER_OK; i++) {
        char name[SKR_COLLECTION_BYTES_MAX + 1];
        skr_fields_text (&call->cbor, name, sizeof name);
        SKR_TRY (call->cbor.error == SAKER_OK ? name_one (self, asking, name) : SAKER_OK);
    }
    SKR_TRY (skr_api_arguments_end (call));
    if ((asking->how == SKR_SUBSCRIBE_ALL) != (asking->named == 0)) {
        return skr_fail (SAKER_EUSAGE, asking->how == SKR_SUBSCRIBE_ALL
                                           ? "all takes no names"
                                           : "name a collection at least");
    }
    if (asking->how == SKR_SUBSCRIBE_ALL) {
        skr_subscription_free (&asking->wanted);
    }
    return SAKER_OK;
}

/* A name that was never heard, and not chosen, may be mistyped; to leave it does nothing. */
static saker_err_t check_known (skr_api_t *self, const asking_t *asking)
{
    const skr_subscription_t *now = own_subscription (self);
    for (size_t i = 0; i < asking->wanted.count && asking->how == SKR_SUBSCRIBE_LEAVE; i++) {
        const skr_named_t *named = &asking->wanted.named[i];
        if (!named->carried && skr_subscription_carries (now, &named->collection)
            && !skr_subscription_find (now, &named->collection)
            && !skr_replica_collection (self->replica, &named->collection)) {
            return skr_fail (SAKER_ENOTFOUND, "no such collection here: saker ls lists those that "
                                              "are; to carry only some, also of those made later: "
                                              "saker subscribe --only");
        }
    }
    return SAKER_OK;
}

/* What would be left must be with an admin's peer already: else nobody might take it. */
static saker_err_t check_holders (skr_api_t *self, const skr_subscription_t *wanted)
{
    for (size_t i = 1; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        char text[64];
        if (collection->clock.count && skr_carrying (self->replica, &collection->id)
            && !skr_subscription_carries (wanted, &collection->id)
            && !skr_carrying_holder (self->replica, &self->neighbours, &collection->id)) {
            self->neighbours.ask (self->neighbours.context, &collection->id);
            return skr_fail (SAKER_EWAIT,
                             "no admin's peer is known to have all that is here of %s: it would be "
                             "lost; leave it when one can be reached, see saker peers",
                             skr_api_collection_name (collection, text));
        }
    }
    return SAKER_OK;
}

/* Of what is not here yet, nothing else tells how it is called. */
static saker_err_t note_names (skr_api_t *self, const asking_t *asking)
{
    const char *names = (const char *) asking->names.data;
    for (size_t at = 0; at < asking->names.size; at += strlen (names + at) + 1) {
        SKR_TRY (skr_chosen_note (self->replica, names + at));
    }
    return SAKER_OK;
}

/* Others would not let it in yet (toll.h). Something is left over for what has to be stated. */
static saker_err_t check_toll (const skr_api_t *self, const skr_subscription_t *wanted)
{
    uint64_t cost = 1 + wanted->count * NAMED_BYTES / SKR_TOLL_BYTES;
    uint64_t wait_ms =
        skr_toll_wait_ms (skr_replica_roster (self->replica), own_device (self), cost + SPARED,
                          self->world->wall_ms (self->world->context));
    return wait_ms
               ? skr_fail (SAKER_ELIMIT,
                           "this device has stated what it carries very often, and every member "
                           "keeps each of these statements: it may do so again in %llu minutes",
                           (unsigned long long) (wait_ms / 60000 + 1))
               : SAKER_OK;
}

static saker_err_t subscribe (skr_api_t *self, skr_api_call_t *call, asking_t *asking)
{
    SKR_TRY (get_asking (self, call, asking));
    SKR_TRY (check_known (self, asking));
    SKR_TRY (skr_carrying_check_narrowing (self->replica, &asking->wanted));
    bool same = skr_subscription_equal (&asking->wanted, own_subscription (self));
    if (!same) {
        SKR_TRY (check_toll (self, &asking->wanted));
        SKR_TRY (check_holders (self, &asking->wanted));
        SKR_TRY (skr_replica_begin (self->replica));
        SKR_TRY (note_names (self, asking));
        SKR_TRY (skr_carrying_state (self->replica, &asking->wanted));
    }
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_bool (call->body, !same);
    call->when = same ? SKR_API_NOW : SKR_API_HELD;
    return SAKER_OK;
}

saker_err_t skr_api_subscribe (skr_api_t *self, skr_api_call_t *call)
{
    asking_t asking = {.wanted = skr_subscription_all ()};
    saker_err_t error = subscribe (self, call, &asking);
    skr_subscription_free (&asking.wanted);
    skr_buf_free (&asking.names);
    return error;
}

/* ---- SUBSCRIPTIONS */

/* Who may read it and carries it, this peer included. */
static uint64_t count_holders (const skr_api_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    uint64_t count = 0;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        count += skr_roster_counts (roster, skr_roster_at (roster, i), collection);
    }
    return count;
}

/* Does anybody report something of it, while nothing is here? */
static bool others_have (skr_api_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_reported_t reported = {.clock = NULL};
        if (!skr_api_is_own (self, member) && skr_roster_counts (roster, member, collection)) {
            self->neighbours.reported (self->neighbours.context, member->device, collection,
                                       &reported);
        }
        if (reported.clock && reported.clock->count > 0) {
            return true;
        }
    }
    return false;
}

static const char *state_of (skr_api_t *self, const skr_id_t *id,
                             const skr_collection_t *collection)
{
    static const skr_clock_t nothing;
    const skr_clock_t *clock = collection ? &collection->clock : &nothing;
    const skr_named_t *named = skr_subscription_find (own_subscription (self), id);
    if (!skr_carrying (self->replica, id)) {
        return clock->count ? "leaving" : "left";
    }
    bool lacks = named && !skr_clock_covers (clock, &named->left);
    bool fetching =
        lacks || skr_fetching (self->replica, id) || (!clock->count && others_have (self, id));
    return fetching ? "fetching" : clock->count ? "carried" : "empty";
}

static void put_one (skr_api_t *self, const skr_id_t *id, skr_buf_t *buf)
{
    char text[64];
    const skr_collection_t *collection = skr_replica_collection (self->replica, id);
    skr_collection_t unknown = {.id = *id};
    const skr_member_t *holder = collection && collection->clock.count
                                     ? skr_carrying_holder (self->replica, &self->neighbours, id)
                                     : NULL;
    skr_chosen_name (self->replica, id, unknown.name);
    skr_cbor_put_array (buf, 5);
    skr_api_put_text (buf, skr_api_collection_name (collection ? collection : &unknown, text));
    skr_api_put_text (buf, state_of (self, id, collection));
    skr_cbor_put_uint (buf, collection ? collection->changes : 0);
    skr_api_put_text (buf, holder ? holder->name : "");
    skr_cbor_put_uint (buf, count_holders (self, id));
}

/* The collections that are here, then those that are named alone. */
saker_err_t skr_api_subscriptions (skr_api_t *self, skr_api_call_t *call)
{
    const skr_subscription_t *own = own_subscription (self);
    skr_buf_t *rows = skr_api_scratch (self);
    size_t here = skr_replica_collections (self->replica), count = 0;
    skr_fields_need (&call->fields, 0);
    uint64_t from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    size_t at = from < 1 ? 1 : from < here + own->count ? (size_t) from : here + own->count;
    for (; at < here + own->count && count < PAGE_MAX; at++) {
        const skr_id_t *id = at < here ? &skr_replica_collection_at (self->replica, at)->id
                                       : &own->named[at - here].collection;
        if (at < here || !skr_replica_collection (self->replica, id)) {
            put_one (self, id, rows);
            count++;
        }
    }
    bool more = at < here + own->count;
    bool rest = own->rest || skr_replica_self (self->replica)->role == SKR_ROLE_ADMIN;
    skr_cbor_put_map (call->body, more ? 3 : 2);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_bool (call->body, rest);
    skr_cbor_put_uint (call->body, 1);
    skr_cbor_put_array (call->body, count);
    skr_buf_append_span (call->body, skr_span_of (rows));
    if (more) {
        skr_cbor_put_uint (call->body, 2);
        skr_cbor_put_uint (call->body, at);
    }
    return rows->failed ? skr_fail (SAKER_ENOMEM, "the daemon is out of memory") : SAKER_OK;
}
