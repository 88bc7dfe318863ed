#include "peer/partial.h"

#include "peer/fields.h"
#include "peer/removal.h"
#include "peer/replica_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_KEY "part"
#define PART_KEY_BYTES 4
#define AGAIN_MS 5000 /* after a failure */

static const skr_partial_t whole;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

void skr_partial_free (skr_partial_t *self)
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
                               const skr_partial_t *partial)
{
    uint8_t key[PART_KEY_BYTES + 16];
    skr_buf_t buf = {0};
    skr_cbor_put_map (&buf, 4);
    skr_cbor_put_uint (&buf, 0);
    skr_cbor_put_text (&buf, partial->name, strlen (partial->name));
    skr_cbor_put_uint (&buf, 1);
    skr_part_put (&buf, &partial->wanted);
    skr_cbor_put_uint (&buf, 2);
    skr_part_put (&buf, &partial->carried);
    skr_cbor_put_uint (&buf, 3);
    skr_cbor_put_bool (&buf, partial->removing);
    saker_err_t error = buf.failed ? no_memory ()
                                   : skr_store_put (self->store, SKR_META,
                                                    part_key (key, collection), skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

static saker_err_t parse_record (skr_span_t value, skr_partial_t *partial)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, value);
    (void) skr_cbor_get_map (&cbor, 4);
    skr_cbor_want_key (&cbor, &last, 0);
    skr_fields_text (&cbor, partial->name, sizeof partial->name);
    skr_cbor_want_key (&cbor, &last, 1);
    skr_part_get (&cbor, &partial->wanted);
    skr_cbor_want_key (&cbor, &last, 2);
    skr_part_get (&cbor, &partial->carried);
    skr_cbor_want_key (&cbor, &last, 3);
    partial->removing = skr_cbor_get_bool (&cbor);
    return skr_cbor_close (&cbor) == SAKER_OK
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED,
                           "the record of what is carried of a collection is not in form");
}

/* Of one that is carried whole nothing is noted. */
static saker_err_t note (skr_replica_t *self, const skr_id_t *collection,
                         const skr_partial_t *partial)
{
    uint8_t key[PART_KEY_BYTES + 16];
    if (partial->wanted.partial || partial->carried.partial || partial->removing) {
        return put_record (self, collection, partial);
    }
    saker_err_t error = skr_store_remove (self->store, SKR_META, part_key (key, collection));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_partial_load (skr_replica_t *self, skr_sight_t sight, const skr_id_t *collection,
                              skr_partial_t *partial)
{
    uint8_t key[PART_KEY_BYTES + 16];
    skr_span_t value;
    skr_partial_free (partial);
    saker_err_t error =
        skr_store_get (self->store, sight, SKR_META, part_key (key, collection), &value);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    self->any_partial = true;
    return error ? error : parse_record (value, partial);
}

bool skr_partial_any (const skr_replica_t *self)
{
    return self->any_partial;
}

/* ---- as it counts now */

const skr_partial_t *skr_partial_of (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held ? &held->partial : &whole;
}

bool skr_partial_shows (const skr_partial_t *self, skr_span_t document)
{
    return skr_part_holds (&self->wanted, document) && skr_part_holds (&self->carried, document);
}

bool skr_partial_lacks (const skr_partial_t *self)
{
    return !skr_part_covers (&self->carried, &self->wanted);
}

saker_err_t skr_partial_check (const skr_replica_t *self, const skr_collection_t *collection,
                               skr_span_t document)
{
    char words[SKR_PART_WORDS_BYTES];
    const skr_partial_t *partial = skr_partial_of (self, &collection->id);
    int size = (int) document.size;
    const char *id = (const char *) document.data, *name = partial->name;
    if (skr_partial_shows (partial, document)) {
        return SAKER_OK;
    }
    return skr_part_holds (&partial->wanted, document)
               ? skr_fail (SAKER_ENOTYET,
                           "%s/%.*s is not here yet: this peer carried only a part of %s, and "
                           "fetches the rest; saker carry %s shows how far it is",
                           name, size, id, name, name)
               : skr_fail (SAKER_ENOTCARRIED,
                           "this peer does not carry %s/%.*s: of %s it carries only what begins "
                           "with %s; saker carry %s PREFIX... changes that",
                           name, size, id, name, skr_part_words (&partial->wanted, words), name);
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
                               const skr_part_t *part, skr_partial_t *partial)
{
    const skr_held_t *held = skr_holdings_find (self, id);
    (void) snprintf (partial->name, sizeof partial->name, "%s", name);
    SKR_TRY (skr_part_copy (&partial->wanted, part));
    if (!held || held->live.clock.count == 0) {
        SKR_TRY (skr_part_copy (&partial->carried, part));
    }
    return note (self, id, partial);
}

/* What counts is what the group has noted; what counted before is kept for an abort, when the store
   may be one that cannot be read. */
static saker_err_t follow (skr_replica_t *self, skr_held_t *held)
{
    skr_partial_t now = {.removing = false};
    saker_err_t error = skr_partial_load (self, SKR_GROUP, &held->live.id, &now);
    if (error != SAKER_OK) {
        skr_partial_free (&now);
        return error;
    }
    if (held->moved) {
        skr_partial_free (&held->partial);
    } else {
        held->partial_before = held->partial;
    }
    held->partial = now;
    held->moved = self->partial_moved = true;
    return SAKER_OK;
}

saker_err_t skr_partial_want (skr_replica_t *self, const char *name, const skr_part_t *part)
{
    skr_id_t id;
    skr_partial_t partial = {.removing = false};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (skr_collection_name_check (name));
    skr_replica_collection_id (self, name, &id);
    SKR_TRY (check_want (self, name, &id, part));
    saker_err_t error = skr_partial_load (self, SKR_GROUP, &id, &partial);
    if (!error) {
        error = set_wanted (self, name, &id, part, &partial);
    }
    skr_held_t *held = skr_holdings_find (self, &id);
    if (!error && held) {
        error = follow (self, held);
    }
    skr_partial_free (&partial);
    return error;
}

void skr_partial_ended (skr_replica_t *self, bool committed)
{
    for (size_t i = 0; i < self->held_count && self->partial_moved; i++) {
        skr_held_t *held = self->held[i];
        if (held->moved && !committed) {
            skr_partial_t wanted = held->partial;
            held->partial = held->partial_before;
            held->partial_before = wanted;
        }
        skr_partial_free (&held->partial_before);
        held->moved = false;
    }
    self->partial_moved = false;
}

saker_err_t skr_partial_came (skr_replica_t *self, const skr_id_t *collection,
                              const skr_part_t *part)
{
    skr_partial_t partial = {.removing = false};
    saker_err_t error = skr_partial_load (self, SKR_GROUP, collection, &partial);
    if (!error) {
        error = skr_part_copy (&partial.carried, part);
        partial.removing = false;
        error = error ? error : note (self, collection, &partial);
    }
    skr_partial_free (&partial);
    return error;
}

typedef struct each_t {
    skr_partial_fn *visit;
    void *argument;
} each_t;

static saker_err_t visit_record (skr_span_t key, skr_span_t value, void *argument)
{
    const each_t *each = argument;
    skr_partial_t partial = {.removing = false};
    if (key.size != PART_KEY_BYTES + 16) {
        return SAKER_OK;
    }
    saker_err_t error = parse_record (value, &partial);
    if (!error) {
        error = each->visit (&partial, each->argument);
    }
    skr_partial_free (&partial);
    return error;
}

saker_err_t skr_partial_each (skr_replica_t *self, skr_partial_fn *visit, void *argument)
{
    each_t each = {visit, argument};
    skr_span_t prefix = skr_span_text (PART_KEY);
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, visit_record,
                           &each);
}

/* ---- letting go */

/* Notes what is carried from now on, in a group of its own; memory follows the store. */
static saker_err_t commit_record (skr_replica_t *self, skr_held_t *held, skr_partial_t *partial)
{
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = note (self, &held->live.id, partial);
    if (error) {
        skr_replica_abort (self);
        return error;
    }
    SKR_TRY (skr_replica_commit (self));
    skr_partial_free (&held->partial);
    held->partial = *partial;
    memset (partial, 0, sizeof *partial);
    return SAKER_OK;
}

/* What it carries becomes another part. */
static saker_err_t move_to (skr_replica_t *self, skr_held_t *held, const skr_part_t *wanted,
                            const skr_part_t *carried, bool removing)
{
    skr_partial_t partial = {.removing = removing};
    memcpy (partial.name, held->partial.name, sizeof partial.name);
    saker_err_t error = skr_part_copy (&partial.wanted, wanted);
    error = error ? error : skr_part_copy (&partial.carried, carried);
    error = error ? error : commit_record (self, held, &partial);
    skr_partial_free (&partial);
    return error;
}

static saker_err_t let_go (skr_replica_t *self, skr_held_t *held)
{
    const skr_partial_t *now = &held->partial;
    skr_part_t both = {.partial = false};
    saker_err_t error = skr_part_meet (&both, &now->carried, &now->wanted);
    error = error ? error : move_to (self, held, &now->wanted, &both, true);
    skr_part_free (&both);
    return error;
}

static saker_err_t step (skr_replica_t *self, skr_held_t *held)
{
    const skr_partial_t *partial = &held->partial;
    bool differs = !skr_part_equal (&partial->wanted, &partial->carried);
    if (partial->wanted.partial && is_admin (self)) { /* it has become one: others let go of it */
        return move_to (self, held, &whole.wanted, &partial->carried, partial->removing);
    }
    if (differs && held->shown.clock.count == 0) { /* nothing is here: what comes is taken so */
        return move_to (self, held, &partial->wanted, &partial->wanted, false);
    }
    if (partial->removing) {
        return skr_removal_some (self, held);
    }
    return differs && !skr_part_covers (&partial->wanted, &partial->carried) ? let_go (self, held)
                                                                             : SAKER_OK;
}

/* Of those that are only relayed there are no cells. */
static bool is_plain (const skr_held_t *held)
{
    const skr_partial_t *partial = &held->partial;
    return !partial->wanted.partial && !partial->carried.partial && !partial->removing;
}

saker_err_t skr_partial_turn (skr_replica_t *self)
{
    if (!self->any_partial || skr_replica_in_group (self) || !skr_store_settled (self->store)
        || self->unloaded) {
        return SAKER_OK;
    }
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    for (size_t i = 1; i < self->shown_count && now_ms >= self->partial_ms; i++) {
        skr_held_t *held = self->held[i];
        if (!is_plain (held) && !held->shown.sealed) {
            saker_err_t error = step (self, held);
            if (error) {
                self->partial_ms = now_ms + AGAIN_MS;
                return skr_wrap (error, "carry a part of a collection");
            }
        }
    }
    return SAKER_OK;
}

bool skr_partial_busy (const skr_replica_t *self)
{
    bool pauses = self->world->mono_ms (self->world->context) < self->partial_ms;
    for (size_t i = 1; i < self->shown_count && self->any_partial && !pauses; i++) {
        if (self->held[i]->partial.removing && !self->held[i]->shown.sealed) {
            return true;
        }
    }
    return false;
}

/* ---- the documents of a part */

#define BATCH 1024 /* listed at a time: what a scan hands out is borrowed */

typedef struct walk_t {
    skr_replica_t *replica;
    const skr_collection_t *collection;
    skr_document_fn *visit;
    void *argument;
    skr_span_t prefix;
    skr_buf_t names, next; /* names: each after its size in a byte */
    size_t count;
    bool more;
} walk_t;

static saker_err_t list_some (skr_span_t document, void *argument)
{
    walk_t *walk = argument;
    if (!skr_span_starts (document, walk->prefix)) {
        return SKR_STOP;
    }
    if (walk->count++ == BATCH) {
        walk->more = true;
        skr_buf_append_span (&walk->next, document);
        return walk->next.failed ? no_memory () : SKR_STOP;
    }
    skr_buf_append_byte (&walk->names, (uint8_t) document.size);
    skr_buf_append_span (&walk->names, document);
    return walk->names.failed ? no_memory () : SAKER_OK;
}

static saker_err_t list_batch (walk_t *walk)
{
    skr_buf_t from = walk->next;
    walk->next = (skr_buf_t){0};
    walk->more = false;
    walk->count = 0;
    skr_buf_clear (&walk->names);
    saker_err_t error = skr_cells_store_documents (
        walk->replica->cells, SKR_COMMITTED, walk->collection->no,
        from.size > 0 ? skr_span_of (&from) : walk->prefix, list_some, walk);
    skr_buf_free (&from);
    return error;
}

static saker_err_t walk_prefix (skr_span_t prefix, void *argument)
{
    walk_t *walk = argument;
    walk->prefix = prefix;
    do {
        SKR_TRY (list_batch (walk));
        for (size_t at = 0; at < walk->names.size; at += 1u + walk->names.data[at]) {
            SKR_TRY (walk->visit (skr_span (walk->names.data + at + 1, walk->names.data[at]),
                                  walk->argument));
        }
    } while (walk->more);
    return SAKER_OK;
}

saker_err_t skr_partial_documents (skr_replica_t *self, const skr_collection_t *collection,
                                   const skr_part_t *part, skr_document_fn *visit, void *argument)
{
    walk_t walk = {.replica = self, .collection = collection, .visit = visit, .argument = argument};
    saker_err_t error = skr_part_each (part, walk_prefix, &walk);
    skr_buf_free (&walk.names);
    skr_buf_free (&walk.next);
    return error;
}

typedef struct summing_t {
    skr_replica_t *replica;
    const skr_collection_t *collection;
    skr_span_t document;
    skr_part_sum_t *sum;
} summing_t;

static saker_err_t add_entry (const skr_entry_t *entry, void *argument)
{
    summing_t *summing = argument;
    summing->sum->entries++;
    skr_fingerprint_add (&summing->sum->fingerprint, &summing->collection->id, summing->document,
                         entry);
    return SAKER_OK;
}

/* What cannot be read is left out: so the sum is another one than it should be. */
static saker_err_t add_document (skr_span_t document, void *argument)
{
    summing_t *summing = argument;
    const skr_fingerprint_t before = summing->sum->fingerprint;
    const skr_cells_t *cells =
        skr_cells_store_committed (summing->replica->cells, summing->collection->no);
    summing->document = document;
    saker_err_t error =
        cells->scan (cells->context, document, skr_span (NULL, 0), add_entry, summing);
    if (error == SAKER_EDAMAGED) {
        summing->sum->fingerprint = before;
        return SAKER_OK;
    }
    summing->sum->documents++;
    return error;
}

saker_err_t skr_partial_sum (skr_replica_t *self, const skr_collection_t *collection,
                             skr_part_sum_t *sum)
{
    summing_t summing = {.replica = self, .collection = collection, .sum = sum};
    sum->any = true;
    sum->fingerprint = (skr_fingerprint_t){0};
    sum->documents = sum->entries = 0;
    saker_err_t error =
        skr_partial_documents (self, collection, &sum->part, add_document, &summing);
    return error == SAKER_EDAMAGED ? SAKER_OK : error;
}
