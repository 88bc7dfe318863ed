#include "peer/carrying.h"

#include "peer/fields.h"
#include "peer/removal.h"
#include "peer/replica_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_KEY "part"
#define PART_KEY_BYTES 4
#define AGAIN_MS 5000 /* after a failure */

static const skr_carrying_t whole;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

void skr_carrying_free (skr_carrying_t *self)
{
    skr_part_free (&self->wanted);
    skr_part_free (&self->carried);
    skr_buf_free (&self->at);
    self->removing = false;
}

/* ---- the record */

static skr_span_t part_key (uint8_t key[PART_KEY_BYTES + 16], const skr_id_t *collection)
{
    memcpy (key, PART_KEY, PART_KEY_BYTES);
    memcpy (key + PART_KEY_BYTES, collection->bytes, 16);
    return skr_span (key, PART_KEY_BYTES + 16);
}

static saker_err_t put_record (skr_replica_t *self, const skr_id_t *collection,
                               const skr_carrying_t *carrying)
{
    uint8_t key[PART_KEY_BYTES + 16];
    skr_buf_t buf = {0};
    skr_cbor_put_map (&buf, 4);
    skr_cbor_put_uint (&buf, 0);
    skr_cbor_put_text (&buf, carrying->name, strlen (carrying->name));
    skr_cbor_put_uint (&buf, 1);
    skr_part_put (&buf, &carrying->wanted);
    skr_cbor_put_uint (&buf, 2);
    skr_part_put (&buf, &carrying->carried);
    skr_cbor_put_uint (&buf, 3);
    skr_cbor_put_bool (&buf, carrying->removing);
    saker_err_t error = buf.failed ? no_memory ()
                                   : skr_store_put (self->store, SKR_META,
                                                    part_key (key, collection), skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

static void want_key (skr_cbor_t *cbor, int64_t *last, uint64_t wanted)
{
    if (skr_cbor_get_key (cbor, last) != wanted) {
        skr_cbor_reject (cbor, "unexpected key");
    }
}

static saker_err_t parse_record (skr_span_t value, skr_carrying_t *carrying)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, value);
    (void) skr_cbor_get_map (&cbor, 4);
    want_key (&cbor, &last, 0);
    skr_fields_text (&cbor, carrying->name, sizeof carrying->name);
    want_key (&cbor, &last, 1);
    skr_part_get (&cbor, &carrying->wanted);
    want_key (&cbor, &last, 2);
    skr_part_get (&cbor, &carrying->carried);
    want_key (&cbor, &last, 3);
    carrying->removing = skr_cbor_get_bool (&cbor);
    return skr_cbor_close (&cbor) == SAKER_OK
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED,
                           "the record of what is carried of a collection is not in form");
}

/* Of one that is carried whole nothing is noted. */
static saker_err_t note (skr_replica_t *self, const skr_id_t *collection,
                         const skr_carrying_t *carrying)
{
    uint8_t key[PART_KEY_BYTES + 16];
    if (carrying->wanted.partial || carrying->carried.partial || carrying->removing) {
        return put_record (self, collection, carrying);
    }
    saker_err_t error = skr_store_remove (self->store, SKR_META, part_key (key, collection));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_carrying_load (skr_replica_t *self, skr_sight_t sight, const skr_id_t *collection,
                               skr_carrying_t *carrying)
{
    uint8_t key[PART_KEY_BYTES + 16];
    skr_span_t value;
    skr_carrying_free (carrying);
    saker_err_t error =
        skr_store_get (self->store, sight, SKR_META, part_key (key, collection), &value);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    return error ? error : parse_record (value, carrying);
}

/* ---- as it counts now */

const skr_carrying_t *skr_carrying_of (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held ? &held->carrying : &whole;
}

bool skr_carrying_shows (const skr_carrying_t *self, skr_span_t document)
{
    return skr_part_holds (&self->wanted, document) && skr_part_holds (&self->carried, document);
}

bool skr_carrying_lacks (const skr_carrying_t *self)
{
    return !skr_part_covers (&self->carried, &self->wanted);
}

saker_err_t skr_carrying_check (const skr_replica_t *self, const skr_collection_t *collection,
                                skr_span_t document)
{
    char words[SKR_PART_WORDS_BYTES];
    const skr_carrying_t *carrying = skr_carrying_of (self, &collection->id);
    int size = (int) document.size;
    const char *id = (const char *) document.data, *name = carrying->name;
    if (skr_carrying_shows (carrying, document)) {
        return SAKER_OK;
    }
    return skr_part_holds (&carrying->wanted, document)
               ? skr_fail (SAKER_ENOTCARRIED,
                           "%s/%.*s is not here yet: this peer carried only a part of %s, and "
                           "fetches the rest; saker carry %s shows how far it is",
                           name, size, id, name, name)
               : skr_fail (SAKER_ENOTCARRIED,
                           "this peer does not carry %s/%.*s: of %s it carries only what begins "
                           "with %s; saker carry %s PREFIX... changes that",
                           name, size, id, name, skr_part_words (&carrying->wanted, words), name);
}

/* ---- wanting */

static bool is_admin (const skr_replica_t *self)
{
    const skr_member_t *own = skr_replica_self (self);
    return own && own->role == SKR_ROLE_ADMIN;
}

static saker_err_t check_want (const skr_replica_t *self, const char *name, const skr_id_t *id,
                               const skr_part_t *part)
{
    if (part->partial && is_admin (self)) {
        return skr_fail (SAKER_ERIGHT,
                         "this device is an admin's, and carries all of every collection: others "
                         "let go of what admins have");
    }
    return part->partial && skr_replica_role (self, id) < SKR_ROLE_READ ? skr_fail (
               SAKER_ERIGHT, "this device may not read %s: it carries nothing of it", name)
                                                                        : SAKER_OK;
}

/* Where nothing is here yet, nothing has to go or to come: all that comes is taken so. */
static saker_err_t set_wanted (skr_replica_t *self, const char *name, const skr_id_t *id,
                               const skr_part_t *part, skr_carrying_t *carrying)
{
    const skr_held_t *held = skr_holdings_find (self, id);
    (void) snprintf (carrying->name, sizeof carrying->name, "%s", name);
    SKR_TRY (skr_part_copy (&carrying->wanted, part));
    if (!held || held->live.clock.count == 0) {
        SKR_TRY (skr_part_copy (&carrying->carried, part));
    }
    return note (self, id, carrying);
}

saker_err_t skr_carrying_want (skr_replica_t *self, const char *name, const skr_part_t *part)
{
    skr_id_t id;
    skr_carrying_t carrying = {.removing = false};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (skr_collection_name_check (name));
    skr_replica_collection_id (self, name, &id);
    SKR_TRY (check_want (self, name, &id, part));
    saker_err_t error = skr_carrying_load (self, SKR_GROUP, &id, &carrying);
    if (!error) {
        error = set_wanted (self, name, &id, part, &carrying);
    }
    skr_held_t *held = skr_holdings_find (self, &id);
    if (!error && held) {
        self->carrying_moved = true; /* an abort reads it again */
        skr_buf_free (&held->carrying.at);
        error = skr_carrying_load (self, SKR_GROUP, &id, &held->carrying);
    }
    skr_carrying_free (&carrying);
    return error;
}

saker_err_t skr_carrying_came (skr_replica_t *self, const skr_id_t *collection,
                               const skr_part_t *part)
{
    skr_carrying_t carrying = {.removing = false};
    saker_err_t error = skr_carrying_load (self, SKR_GROUP, collection, &carrying);
    if (!error) {
        error = skr_part_copy (&carrying.carried, part);
        carrying.removing = false;
        error = error ? error : note (self, collection, &carrying);
    }
    skr_carrying_free (&carrying);
    return error;
}

typedef struct each_t {
    skr_carrying_fn *visit;
    void *argument;
} each_t;

static saker_err_t visit_record (skr_span_t key, skr_span_t value, void *argument)
{
    const each_t *each = argument;
    skr_carrying_t carrying = {.removing = false};
    if (key.size != PART_KEY_BYTES + 16) {
        return SAKER_OK;
    }
    saker_err_t error = parse_record (value, &carrying);
    if (!error) {
        error = each->visit (&carrying, each->argument);
    }
    skr_carrying_free (&carrying);
    return error;
}

saker_err_t skr_carrying_each (skr_replica_t *self, skr_carrying_fn *visit, void *argument)
{
    each_t each = {visit, argument};
    skr_span_t prefix = skr_span_text (PART_KEY);
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, visit_record,
                           &each);
}

/* ---- letting go */

static int find_tick (const void *writer, const void *tick)
{
    return skr_id_compare (writer, &((const skr_tick_t *) tick)->writer);
}

/* Has it told of all that is here, hash by hash? */
static bool has_all (const skr_chains_t *chains, const skr_reported_t *told)
{
    if (!told->clock || !told->clock->count || !told->hashes) {
        return false;
    }
    for (size_t i = 0; i < chains->count; i++) {
        const skr_chain_t *chain = &chains->list[i];
        const skr_tick_t *tick = bsearch (&chain->writer, told->clock->ticks, told->clock->count,
                                          sizeof *tick, find_tick);
        if (!tick || tick->seq < chain->seq
            || (tick->seq == chain->seq
                && told->hashes[tick - told->clock->ticks] != skr_get_u64 (chain->hash))) {
            return false;
        }
    }
    return true;
}

/* Admins carry all whole, so what one of them has is not lost: two who let go at the same time
   cannot rely on each other. */
static bool is_handed_over (const skr_replica_t *self, const skr_held_t *held,
                            const skr_neighbours_t *neighbours)
{
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        skr_reported_t told = {.clock = NULL};
        if (member->role != SKR_ROLE_ADMIN
            || memcmp (member->device, skr_device_key (self->device), SKR_DEVICE_KEY_BYTES) == 0) {
            continue;
        }
        neighbours->reported (neighbours->context, member->device, &held->live.id, &told);
        if (told.clock && !(told.part && told.part->partial) && has_all (&held->chains, &told)) {
            return true;
        }
    }
    return false;
}

/* Notes what is carried from now on, in a group of its own; memory follows the store. */
static saker_err_t commit_record (skr_replica_t *self, skr_held_t *held, skr_carrying_t *carrying)
{
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = note (self, &held->live.id, carrying);
    if (error) {
        skr_replica_abort (self);
        return error;
    }
    SKR_TRY (skr_replica_commit (self));
    skr_carrying_free (&held->carrying);
    held->carrying = *carrying;
    memset (carrying, 0, sizeof *carrying);
    return SAKER_OK;
}

static saker_err_t begin_copy (skr_carrying_t *to, const skr_carrying_t *from)
{
    memcpy (to->name, from->name, sizeof to->name);
    return skr_part_copy (&to->wanted, &from->wanted);
}

static saker_err_t let_go (skr_replica_t *self, skr_held_t *held)
{
    skr_carrying_t carrying = {.removing = true};
    saker_err_t error = begin_copy (&carrying, &held->carrying);
    if (!error) {
        error = skr_part_meet (&carrying.carried, &held->carrying.carried, &carrying.wanted);
    }
    error = error ? error : commit_record (self, held, &carrying);
    skr_carrying_free (&carrying);
    return error;
}

/* Nothing is here: whatever comes is taken so. */
static saker_err_t begin_so (skr_replica_t *self, skr_held_t *held)
{
    skr_carrying_t carrying = {.removing = false};
    saker_err_t error = begin_copy (&carrying, &held->carrying);
    error = error ? error : skr_part_copy (&carrying.carried, &carrying.wanted);
    error = error ? error : commit_record (self, held, &carrying);
    skr_carrying_free (&carrying);
    return error;
}

/* It has become an admin's: others let go of what it has. */
static saker_err_t want_whole (skr_replica_t *self, skr_held_t *held)
{
    skr_carrying_t carrying = {.removing = held->carrying.removing};
    saker_err_t error = begin_copy (&carrying, &held->carrying);
    skr_part_free (&carrying.wanted);
    error = error ? error : skr_part_copy (&carrying.carried, &held->carrying.carried);
    error = error ? error : commit_record (self, held, &carrying);
    skr_carrying_free (&carrying);
    return error;
}

static saker_err_t step (skr_replica_t *self, skr_held_t *held, const skr_neighbours_t *neighbours)
{
    const skr_carrying_t *carrying = &held->carrying;
    bool differs = !skr_part_equal (&carrying->wanted, &carrying->carried);
    if (carrying->wanted.partial && is_admin (self)) {
        return want_whole (self, held);
    }
    if (differs && held->shown.clock.count == 0) {
        return begin_so (self, held);
    }
    if (carrying->removing) {
        return skr_removal_some (self, held);
    }
    return differs && !skr_part_covers (&carrying->wanted, &carrying->carried)
                   && is_handed_over (self, held, neighbours)
               ? let_go (self, held)
               : SAKER_OK;
}

/* Of those that are only relayed there are no cells. */
static bool is_plain (const skr_held_t *held)
{
    const skr_carrying_t *carrying = &held->carrying;
    return !carrying->wanted.partial && !carrying->carried.partial && !carrying->removing;
}

saker_err_t skr_carrying_turn (skr_replica_t *self, const skr_neighbours_t *neighbours)
{
    if (skr_replica_in_group (self) || !skr_store_settled (self->store) || self->unloaded) {
        return SAKER_OK;
    }
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    for (size_t i = 1; i < self->shown_count && now_ms >= self->carrying_ms; i++) {
        skr_held_t *held = self->held[i];
        if (!is_plain (held) && !held->shown.sealed) {
            saker_err_t error = step (self, held, neighbours);
            if (error) {
                self->carrying_ms = now_ms + AGAIN_MS;
                return skr_wrap (error, "carry a part of a collection");
            }
        }
    }
    return SAKER_OK;
}

bool skr_carrying_busy (const skr_replica_t *self)
{
    bool pauses = self->world->mono_ms (self->world->context) < self->carrying_ms;
    for (size_t i = 1; i < self->shown_count && !pauses; i++) {
        if (self->held[i]->carrying.removing && !self->held[i]->shown.sealed) {
            return true;
        }
    }
    return false;
}
