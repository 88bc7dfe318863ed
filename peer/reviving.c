/* First goes what has no place in what was; then each place of it is written where it differs. The
   intents are made of both states before anything is written, so a place below one that is deleted
   counts as empty. */

#include "peer/reviving.h"

#include "peer/replica_internal.h"

#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

typedef struct part_t {
    size_t at, size;
} part_t;

/* A leaf of what was, or an entry of what is. */
typedef struct thing_t {
    part_t path, value; /* encoded; of a member the member */
    skr_kind_t kind;
    int64_t sum; /* of a counter; of an entry its amount */
} thing_t;

typedef struct things_t {
    thing_t *list;
    size_t count, capacity;
} things_t;

typedef struct step_t {
    skr_intent_kind_t kind;
    part_t path, value;
} step_t;

typedef struct reviving_t {
    skr_span_t document;
    skr_buf_t arena;
    things_t wanted; /* by path */
    things_t now;    /* by path, then kind */
    step_t *steps;
    size_t steps_count, steps_capacity;
    part_t doomed; /* the last place that was deleted */
    bool doomed_any;
} reviving_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static skr_span_t bytes_of (const reviving_t *self, part_t part)
{
    return skr_span (self->arena.data + part.at, part.size);
}

static part_t keep (reviving_t *self, skr_span_t bytes)
{
    part_t part = {self->arena.size, bytes.size};
    skr_buf_append_span (&self->arena, bytes);
    return part;
}

static saker_err_t add_thing (reviving_t *self, things_t *things, const thing_t *thing)
{
    if (things->count == things->capacity) {
        size_t capacity = things->capacity ? 2 * things->capacity : 32;
        thing_t *list = realloc (things->list, capacity * sizeof *list);
        if (!list) {
            return no_memory ();
        }
        things->list = list;
        things->capacity = capacity;
    }
    things->list[things->count++] = *thing;
    return self->arena.failed ? no_memory () : SAKER_OK;
}

/* ---- what was, and what is */

static saker_err_t take_leaf (const skr_leaf_t *leaf, void *argument)
{
    reviving_t *self = argument;
    if (!leaf->shown) {
        return SAKER_OK;
    }
    thing_t thing = {.path = keep (self, leaf->path), .kind = leaf->kind};
    if (leaf->kind == SKR_COUNTER) {
        thing.sum = leaf->value.as.integer;
    } else if (leaf->kind != SKR_MAP) {
        thing.value.at = self->arena.size;
        skr_value_put (&self->arena, &leaf->value);
        thing.value.size = self->arena.size - thing.value.at;
    }
    return add_thing (self, &self->wanted, &thing);
}

static saker_err_t take_entry (const skr_entry_t *entry, void *argument)
{
    reviving_t *self = argument;
    skr_span_t path, member;
    saker_value_t amount;
    thing_t thing = {.sum = 0};
    SKR_TRY (skr_address_parse (entry->address, &path, &thing.kind, &member));
    thing.path = keep (self, path);
    thing.value = keep (self, thing.kind == SKR_MEMBER ? member : entry->value);
    if (thing.kind == SKR_COUNTER) {
        SKR_TRY (skr_value_parse (entry->value, &amount));
        thing.sum = amount.as.integer;
    }
    return add_thing (self, &self->now, &thing);
}

/* The first thing whose path is not below this one. */
static size_t first_at (const reviving_t *self, const things_t *things, skr_span_t path)
{
    size_t low = 0, high = things->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_span_compare (bytes_of (self, things->list[middle].path), path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- steps */

static saker_err_t add_step (reviving_t *self, skr_intent_kind_t kind, part_t path, part_t value)
{
    if (self->steps_count > SKR_CHANGE_OPS_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "too much differs for one change, which holds at most %d operations "
                         "(SKR_CHANGE_OPS_MAX): restore it part by part, by their paths",
                         SKR_CHANGE_OPS_MAX);
    }
    if (self->steps_count == self->steps_capacity) {
        size_t capacity = self->steps_capacity ? 2 * self->steps_capacity : 32;
        step_t *steps = realloc (self->steps, capacity * sizeof *steps);
        if (!steps) {
            return no_memory ();
        }
        self->steps = steps;
        self->steps_capacity = capacity;
    }
    self->steps[self->steps_count++] = (step_t){kind, path, value};
    return SAKER_OK;
}

static saker_err_t add_plain (reviving_t *self, skr_intent_kind_t kind, part_t path)
{
    return add_step (self, kind, path, (part_t){0, 0});
}

static saker_err_t add_amount (reviving_t *self, part_t path, int64_t amount)
{
    part_t value = {self->arena.size, 0};
    skr_cbor_put_int (&self->arena, amount);
    value.size = self->arena.size - value.at;
    return add_step (self, SKR_INTENT_INCR, path, value);
}

/* ---- what goes */

static bool is_doomed (const reviving_t *self, skr_span_t path)
{
    return self->doomed_any && skr_span_starts (path, bytes_of (self, self->doomed));
}

/* Is the path a wanted place, or below one that is no map? Then that place's own turn decides. */
static bool has_turn (const reviving_t *self, skr_span_t path)
{
    skr_span_t rest = path, key;
    bool more = true;
    while (more) {
        skr_span_t above = skr_span (path.data, path.size - rest.size);
        size_t at = first_at (self, &self->wanted, above);
        if (at < self->wanted.count
            && skr_span_equal (bytes_of (self, self->wanted.list[at].path), above)
            && (above.size == path.size || self->wanted.list[at].kind != SKR_MAP)) {
            return true;
        }
        more = skr_path_next (&rest, &key);
    }
    return false;
}

static bool has_wanted_below (const reviving_t *self, skr_span_t path)
{
    size_t at = first_at (self, &self->wanted, path);
    return at < self->wanted.count
           && skr_span_starts (bytes_of (self, self->wanted.list[at].path), path);
}

static saker_err_t doom_what_goes (reviving_t *self)
{
    for (size_t i = 0; i < self->now.count; i++) {
        const thing_t *thing = &self->now.list[i];
        skr_span_t path = bytes_of (self, thing->path);
        bool stays = is_doomed (self, path) || has_turn (self, path)
                     || (thing->kind == SKR_MAP && has_wanted_below (self, path));
        if (!stays) {
            self->doomed = thing->path;
            self->doomed_any = true;
            SKR_TRY (add_plain (self, SKR_INTENT_DELETE, thing->path));
        }
    }
    return SAKER_OK;
}

/* ---- what comes back */

/* What is at and below a wanted place now. */
typedef struct range_t {
    size_t first, count;
    size_t same; /* of these, of the wanted kind at the place itself */
} range_t;

static bool below_doomed (const reviving_t *self, skr_span_t path)
{
    for (size_t i = 0; i < self->steps_count && self->steps[i].kind == SKR_INTENT_DELETE; i++) {
        if (skr_span_starts (path, bytes_of (self, self->steps[i].path))) {
            return true;
        }
    }
    return false;
}

static range_t range_of (const reviving_t *self, const thing_t *wanted)
{
    skr_span_t path = bytes_of (self, wanted->path);
    range_t range = {.first = first_at (self, &self->now, path)};
    if (below_doomed (self, path)) {
        return range;
    }
    for (size_t i = range.first; i < self->now.count; i++) {
        const thing_t *thing = &self->now.list[i];
        if (!skr_span_starts (bytes_of (self, thing->path), path)) {
            break;
        }
        range.count++;
        range.same += thing->kind == wanted->kind && thing->path.size == path.size;
    }
    return range;
}

/* Only cells of the wanted kind are there, at the place itself. */
static bool is_pure (const range_t *range)
{
    return range->count > 0 && range->same == range->count;
}

static saker_err_t revive_register (reviving_t *self, const thing_t *wanted)
{
    range_t range = range_of (self, wanted);
    const thing_t *now = &self->now.list[range.first];
    if (is_pure (&range) && range.count == 1
        && skr_span_equal (bytes_of (self, now->value), bytes_of (self, wanted->value))) {
        return SAKER_OK;
    }
    return add_step (self, wanted->kind == SKR_LWW ? SKR_INTENT_SET_LWW : SKR_INTENT_SET,
                     wanted->path, wanted->value);
}

static saker_err_t clear (reviving_t *self, const thing_t *wanted, const range_t *range)
{
    return range->count > 0 ? add_plain (self, SKR_INTENT_DELETE, wanted->path) : SAKER_OK;
}

static saker_err_t revive_counter (reviving_t *self, const thing_t *wanted)
{
    range_t range = range_of (self, wanted);
    uint64_t sum = 0;
    if (!is_pure (&range)) {
        SKR_TRY (clear (self, wanted, &range));
        if (wanted->sum != 0) {
            return add_amount (self, wanted->path, wanted->sum);
        }
        SKR_TRY (add_amount (self, wanted->path, 1)); /* no increment is 0 */
        return add_amount (self, wanted->path, -1);
    }
    for (size_t i = 0; i < range.count; i++) {
        sum += (uint64_t) self->now.list[range.first + i].sum;
    }
    int64_t difference = (int64_t) ((uint64_t) wanted->sum - sum);
    return difference ? add_amount (self, wanted->path, difference) : SAKER_OK;
}

/* Is one of the members [first, first + count) of a set this value? They ascend. */
static bool has_member (const reviving_t *self, const things_t *things, size_t first, size_t count,
                        part_t value)
{
    size_t low = first, high = first + count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order =
            skr_span_compare (bytes_of (self, things->list[middle].value), bytes_of (self, value));
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

/* The wanted members [at, at + count) of one set. */
static saker_err_t revive_set (reviving_t *self, size_t at, size_t count)
{
    const thing_t *wanted = &self->wanted.list[at];
    range_t range = range_of (self, wanted);
    if (!is_pure (&range)) {
        SKR_TRY (clear (self, wanted, &range));
        range.count = 0;
    }
    for (size_t i = range.first; i < range.first + range.count; i++) {
        part_t value = self->now.list[i].value;
        bool again = i > range.first
                     && skr_span_equal (bytes_of (self, self->now.list[i - 1].value),
                                        bytes_of (self, value));
        if (!again && !has_member (self, &self->wanted, at, count, value)) {
            SKR_TRY (add_step (self, SKR_INTENT_REMOVE, wanted->path, value));
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!has_member (self, &self->now, range.first, range.count, wanted[i].value)) {
            SKR_TRY (add_step (self, SKR_INTENT_ADD, wanted->path, wanted[i].value));
        }
    }
    return SAKER_OK;
}

static saker_err_t revive_map (reviving_t *self, const thing_t *wanted)
{
    range_t range = range_of (self, wanted);
    bool leaf = false;
    for (size_t i = range.first; i < range.first + range.count; i++) {
        const thing_t *now = &self->now.list[i];
        leaf = leaf || (now->path.size == wanted->path.size && now->kind != SKR_MAP);
    }
    bool there = range.same > 0 && !leaf;
    return there ? SAKER_OK : add_plain (self, SKR_INTENT_SET_MAP, wanted->path);
}

static saker_err_t revive_all (reviving_t *self)
{
    size_t count = 1;
    for (size_t i = 0; i < self->wanted.count; i += count) {
        const thing_t *wanted = &self->wanted.list[i];
        saker_err_t error = SAKER_OK;
        count = 1;
        switch (wanted->kind) {
        case SKR_REGISTER:
        case SKR_LWW:
            error = revive_register (self, wanted);
            break;
        case SKR_COUNTER:
            error = revive_counter (self, wanted);
            break;
        case SKR_MEMBER:
            while (i + count < self->wanted.count && wanted[count].kind == SKR_MEMBER
                   && skr_span_equal (bytes_of (self, wanted[count].path),
                                      bytes_of (self, wanted->path))) {
                count++;
            }
            error = revive_set (self, i, count);
            break;
        case SKR_MAP:
            error = revive_map (self, wanted);
            break;
        case SKR_STATEMENT:
            break;
        }
        SKR_TRY (error);
    }
    return SAKER_OK;
}

/* ---- writing it */

static saker_err_t write_steps (const reviving_t *self, skr_replica_t *replica,
                                const skr_collection_t *collection, saker_receipt_t *receipt)
{
    skr_intent_t *intents = calloc (self->steps_count + 1, sizeof *intents);
    if (!intents || self->arena.failed) {
        free (intents);
        return no_memory ();
    }
    for (size_t i = 0; i < self->steps_count; i++) {
        intents[i] = (skr_intent_t){.kind = self->steps[i].kind,
                                    .document = self->document,
                                    .path = bytes_of (self, self->steps[i].path),
                                    .value = bytes_of (self, self->steps[i].value)};
    }
    const skr_local_t local = {
        .collection = collection->name, .intents = intents, .count = self->steps_count};
    saker_err_t error = skr_replica_write (replica, &local, receipt);
    free (intents);
    return error;
}

static saker_err_t gather (reviving_t *self, skr_replica_t *replica,
                           const skr_collection_t *collection, skr_span_t path, uint64_t hlc)
{
    skr_past_t *past;
    skr_held_t *held = skr_holdings_by_no (replica, collection->no);
    SKR_TRY (skr_past_open (&past, replica, SKR_GROUP, collection, self->document, hlc));
    saker_err_t error =
        skr_view_document (skr_past_cells (past), self->document, path, take_leaf, self, NULL);
    skr_past_close (&past);
    if (error == SAKER_ENOTFOUND || (!error && self->wanted.count == 0)) {
        return skr_fail (SAKER_ENOTFOUND, "%s/%.*s had nothing there at that time",
                         collection->name, (int) self->document.size,
                         (const char *) self->document.data);
    }
    SKR_TRY (error);
    const skr_cells_t *cells = held ? skr_cells_store_group (replica->cells, &held->live)
                                    : skr_cells_store_committed (replica->cells, collection->no);
    return cells->scan (cells->context, self->document, path, take_entry, self);
}

saker_err_t skr_replica_revive (skr_replica_t *self, const skr_collection_t *collection,
                                skr_span_t document, skr_span_t path, uint64_t hlc,
                                saker_receipt_t *receipt)
{
    reviving_t reviving = {.document = document};
    SKR_TRY (skr_replica_check_group (self));
    saker_err_t error = gather (&reviving, self, collection, path, hlc);
    if (!error) {
        error = doom_what_goes (&reviving);
    }
    if (!error) {
        error = revive_all (&reviving);
    }
    if (!error) {
        error = write_steps (&reviving, self, collection, receipt);
    }
    free (reviving.wanted.list);
    free (reviving.now.list);
    free (reviving.steps);
    skr_buf_wipe (&reviving.arena);
    return error;
}
