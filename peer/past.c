/* In three steps: gather entries and bounds, sort both, keep the entries that no bound covers.

   A bound is what the pred of an operation says: of this writer, all up to this dot, in this scope.
   Of many bounds of one scope and writer the highest counts. Scopes are written as addresses: the
   path, and a byte that no cell has for what is at and below it, or at it; for one counter or
   member, the address of the cell. */

#include "peer/past.h"

#include "peer/replica_internal.h"

#include "crdt/hlc.h"

#include <stdlib.h>
#include <string.h>

#define SCOPE_SUBTREE 0x1f
#define SCOPE_PLACE 0x1e

/* Bytes in the arena, which moves while it grows. */
typedef struct part_t {
    size_t at, size;
} part_t;

typedef struct lived_t {
    skr_dot_t dot;
    uint64_t hlc;
    part_t address, value;
} lived_t;

typedef struct bound_t {
    skr_dot_t dot;
    part_t scope;
} bound_t;

struct skr_past_t {
    skr_replica_t *replica;
    skr_span_t document; /* while it is opened */
    uint64_t hlc;
    skr_buf_t arena;
    lived_t *entries;
    size_t count, capacity;
    bound_t *bounds;
    size_t bounds_count, bounds_capacity;
    skr_cells_t cells;
};

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for the history of a document");
}

/* ---- gathering */

static skr_span_t bytes_of (const skr_past_t *self, part_t part)
{
    return skr_span (self->arena.data + part.at, part.size);
}

static part_t keep (skr_past_t *self, skr_span_t bytes)
{
    part_t part = {self->arena.size, bytes.size};
    skr_buf_append_span (&self->arena, bytes);
    return part;
}

static saker_err_t check_room (const skr_past_t *self)
{
    size_t bytes =
        self->arena.size + self->count * sizeof (lived_t) + self->bounds_count * sizeof (bound_t);
    if (bytes > SKR_PAST_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "the document has more history than can be looked through at once "
                         "(SKR_PAST_BYTES_MAX)");
    }
    return self->arena.failed ? no_memory () : SAKER_OK;
}

static saker_err_t add_entry (const skr_entry_t *entry, void *argument)
{
    skr_past_t *self = argument;
    if (entry->hlc > self->hlc) {
        return SAKER_OK;
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 32;
        lived_t *entries = realloc (self->entries, capacity * sizeof *entries);
        if (!entries) {
            return no_memory ();
        }
        self->entries = entries;
        self->capacity = capacity;
    }
    lived_t *lived = &self->entries[self->count++];
    lived->dot = entry->dot;
    lived->hlc = entry->hlc;
    lived->address = keep (self, entry->address);
    lived->value = keep (self, entry->value);
    return check_room (self);
}

static saker_err_t add_bound (skr_past_t *self, const skr_dot_t *dot, part_t scope)
{
    if (self->bounds_count == self->bounds_capacity) {
        size_t capacity = self->bounds_capacity ? 2 * self->bounds_capacity : 32;
        bound_t *bounds = realloc (self->bounds, capacity * sizeof *bounds);
        if (!bounds) {
            return no_memory ();
        }
        self->bounds = bounds;
        self->bounds_capacity = capacity;
    }
    self->bounds[self->bounds_count++] = (bound_t){*dot, scope};
    return check_room (self);
}

/* The scope of an operation, as in crdt/op.h. */
static part_t scope_of (skr_past_t *self, const skr_op_t *op)
{
    part_t scope = {self->arena.size, 0};
    skr_buf_append_span (&self->arena, op->path);
    switch (op->kind) {
    case SKR_OP_SET_MAP:
        skr_buf_append_byte (&self->arena, SCOPE_PLACE);
        break;
    case SKR_OP_INCR:
        skr_buf_append_byte (&self->arena, SKR_COUNTER);
        break;
    case SKR_OP_ADD:
    case SKR_OP_REMOVE:
        skr_buf_append_byte (&self->arena, SKR_MEMBER);
        skr_buf_append_span (&self->arena, op->argument);
        break;
    case SKR_OP_SET:
    case SKR_OP_SET_LWW:
    case SKR_OP_DELETE:
    case SKR_OP_STATEMENT:
        skr_buf_append_byte (&self->arena, SCOPE_SUBTREE);
        break;
    }
    scope.size = self->arena.size - scope.at;
    return scope;
}

static saker_err_t add_bounds (skr_past_t *self, const skr_content_t *content, const skr_op_t *op)
{
    skr_pred_t *pred;
    size_t count;
    SKR_TRY (skr_op_pred (op, &pred, &count));
    part_t scope = count > 0 ? scope_of (self, op) : (part_t){0};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && !error; i++) {
        const skr_dot_t dot = {content->writers[pred[i].writer], pred[i].seq, pred[i].index};
        error = add_bound (self, &dot, scope);
    }
    free (pred);
    return error;
}

/* ---- one change of the log */

typedef struct reading_t {
    skr_past_t *past;
    const skr_content_t *content;
} reading_t;

static saker_err_t take_ended (size_t index, const skr_entry_t *entry, void *argument)
{
    const reading_t *reading = argument;
    return skr_span_equal (reading->content->ops[index].document, reading->past->document)
               ? add_entry (entry, reading->past)
               : SAKER_OK;
}

static saker_err_t take_content (skr_past_t *self, const skr_change_t *change, skr_span_t undo,
                                 const skr_content_t *content)
{
    reading_t reading = {self, content};
    for (size_t i = 0; i < content->ops_count && change->hlc <= self->hlc; i++) {
        if (skr_span_equal (content->ops[i].document, self->document)) {
            SKR_TRY (add_bounds (self, content, &content->ops[i]));
        }
    }
    return skr_apply_ended (undo, content->ops_count, take_ended, &reading);
}

/* What is not later plays no part when it cannot be read: its entries that lived then live still,
   or a later change displaced them. */
static saker_err_t take_change (skr_past_t *self, const skr_log_entry_t *entry, skr_buf_t *clear)
{
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (skr_change_parse (&change, entry->change));
    saker_err_t error = skr_replica_content (self->replica, &change, clear, &content);
    if (error == SAKER_ENOMEM || (error && change.hlc <= self->hlc)) {
        return error == SAKER_ENOMEM ? error : SAKER_OK;
    }
    if (error) {
        return skr_fail (SAKER_EGAP,
                         "a later change cannot be read here: this device has not the "
                         "key of change %llu of a writer",
                         (unsigned long long) change.seq);
    }
    error = take_content (self, &change, entry->undo, &content);
    skr_content_free (&content);
    return error;
}

static saker_err_t take_changes (skr_past_t *self, skr_sight_t sight,
                                 const skr_collection_t *collection, const uint64_t *positions,
                                 size_t count)
{
    skr_buf_t clear = {0};
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && !error; i++) {
        skr_log_entry_t entry;
        error = skr_log_get (self->replica->store, sight, positions[i], &entry);
        if (error == SAKER_ENOTFOUND) {
            error = SAKER_OK; /* dropped since */
        } else if (!error && entry.collection_no == collection->no) {
            error = take_change (self, &entry, &clear);
        }
    }
    skr_buf_wipe (&clear);
    return error;
}

/* ---- sorting and keeping */

static _Thread_local const skr_past_t *sorted; /* qsort takes no argument */

static int compare_entries (const void *one, const void *other)
{
    const lived_t *a = one, *b = other;
    int order = skr_span_compare (bytes_of (sorted, a->address), bytes_of (sorted, b->address));
    return order ? order : skr_dot_compare (&a->dot, &b->dot);
}

static int compare_scopes (skr_span_t scope, const skr_id_t *writer, const skr_past_t *self,
                           const bound_t *bound)
{
    int order = skr_span_compare (scope, bytes_of (self, bound->scope));
    return order ? order : skr_id_compare (writer, &bound->dot.writer);
}

static int compare_bounds (const void *one, const void *other)
{
    const bound_t *a = one, *b = other;
    int order = compare_scopes (bytes_of (sorted, a->scope), &a->dot.writer, sorted, b);
    return order ? order : skr_dot_compare (&a->dot, &b->dot);
}

/* Of each scope and writer the highest, which comes last. */
static void merge_bounds (skr_past_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->bounds_count; i++) {
        const bound_t *bound = &self->bounds[i];
        bool same = kept > 0
                    && compare_scopes (bytes_of (self, bound->scope), &bound->dot.writer, self,
                                       &self->bounds[kept - 1])
                           == 0;
        kept += !same;
        self->bounds[kept - 1] = *bound;
    }
    self->bounds_count = kept;
}

/* Is the dot at or below the bound of its writer in this scope? */
static bool covers (const skr_past_t *self, skr_span_t scope, const skr_dot_t *dot)
{
    size_t low = 0, high = self->bounds_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_scopes (scope, &dot->writer, self, &self->bounds[middle]);
        if (order == 0) {
            return skr_dot_compare (dot, &self->bounds[middle].dot) <= 0;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return false;
}

static bool covers_above (const skr_past_t *self, skr_span_t path, const skr_dot_t *dot)
{
    uint8_t scope[SKR_PATH_BYTES_MAX + 1];
    skr_span_t rest = path, key;
    bool more = path.size <= SKR_PATH_BYTES_MAX, ended = false;
    while (more && !ended) {
        size_t size = path.size - rest.size;
        if (size > 0) {
            memcpy (scope, path.data, size);
        }
        scope[size] = SCOPE_SUBTREE;
        ended = covers (self, skr_span (scope, size + 1), dot);
        more = skr_path_next (&rest, &key);
        if (!more && !ended) {
            scope[size] = SCOPE_PLACE;
            ended = covers (self, skr_span (scope, size + 1), dot);
        }
    }
    return ended;
}

static saker_err_t keep_living (skr_past_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        const lived_t *lived = &self->entries[i];
        skr_span_t path, member, address = bytes_of (self, lived->address);
        skr_kind_t kind;
        bool again = kept > 0 && skr_dot_compare (&self->entries[kept - 1].dot, &lived->dot) == 0;
        SKR_TRY (skr_address_parse (address, &path, &kind, &member));
        if (!again && !covers (self, address, &lived->dot)
            && !covers_above (self, path, &lived->dot)) {
            self->entries[kept++] = *lived;
        }
    }
    self->count = kept;
    return SAKER_OK;
}

static saker_err_t settle (skr_past_t *self)
{
    sorted = self;
    if (self->count > 1) {
        qsort (self->entries, self->count, sizeof *self->entries, compare_entries);
    }
    if (self->bounds_count > 1) {
        qsort (self->bounds, self->bounds_count, sizeof *self->bounds, compare_bounds);
    }
    sorted = NULL;
    merge_bounds (self);
    return keep_living (self);
}

/* ---- as cells */

static saker_err_t scan_past (void *context, skr_span_t document, skr_span_t prefix,
                              skr_visit_fn *visit, void *argument)
{
    const skr_past_t *self = context;
    (void) document;
    for (size_t i = 0; i < self->count; i++) {
        const lived_t *lived = &self->entries[i];
        const skr_entry_t entry = {
            .dot = lived->dot,
            .hlc = lived->hlc,
            .address = bytes_of (self, lived->address),
            .value = bytes_of (self, lived->value),
        };
        if (skr_span_starts (entry.address, prefix)) {
            SKR_TRY (visit (&entry, argument));
        }
    }
    return SAKER_OK;
}

static saker_err_t refuse_change (void *context, skr_span_t document, const skr_entry_t *entry)
{
    (void) context, (void) document, (void) entry;
    return skr_fail (SAKER_EUSAGE, "the past cannot be changed");
}

/* ---- opening */

static saker_err_t check_begin (skr_replica_t *replica, skr_sight_t sight,
                                const skr_collection_t *collection, uint64_t hlc)
{
    skr_begin_t begin;
    SKR_TRY (skr_history_begin (replica, sight, collection->no, &begin));
    if (begin.whole || hlc >= begin.hlc) {
        return SAKER_OK;
    }
    char text[SKR_TIME_TEXT_BYTES];
    return skr_fail (SAKER_EGAP,
                     "the history of %s is known here from %s on: what was before is "
                     "not kept",
                     collection->name, skr_history_time_text (begin.hlc, text));
}

static saker_err_t gather (skr_past_t *self, skr_sight_t sight, const skr_collection_t *collection)
{
    uint64_t *positions = NULL;
    size_t count;
    skr_held_t *held = skr_holdings_by_no (self->replica, collection->no);
    SKR_TRY (skr_history_find (self->replica, sight, collection->no, self->document, &positions,
                               &count));
    saker_err_t error = take_changes (self, sight, collection, positions, count);
    free (positions);
    SKR_TRY (error);
    const skr_cells_t *cells =
        sight == SKR_GROUP && held
            ? skr_cells_store_group (self->replica->cells, &held->live)
            : skr_cells_store_committed (self->replica->cells, collection->no);
    return cells->scan (cells->context, self->document, skr_span (NULL, 0), add_entry, self);
}

saker_err_t skr_past_open (skr_past_t **self_p, skr_replica_t *replica, skr_sight_t sight,
                           const skr_collection_t *collection, skr_span_t document, uint64_t hlc)
{
    *self_p = NULL;
    SKR_TRY (skr_partial_check (replica, collection, document));
    SKR_TRY (skr_replica_check_indexes (replica));
    SKR_TRY (check_begin (replica, sight, collection, hlc));
    skr_past_t *self = calloc (1, sizeof *self);
    if (!self) {
        return no_memory ();
    }
    self->replica = replica;
    self->document = document;
    self->hlc = hlc;
    self->cells = (skr_cells_t){
        .context = self, .scan = scan_past, .put = refuse_change, .remove = refuse_change};
    saker_err_t error = gather (self, sight, collection);
    if (!error) {
        error = settle (self);
    }
    if (error) {
        skr_past_close (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

const skr_cells_t *skr_past_cells (const skr_past_t *self)
{
    return &self->cells;
}

void skr_past_close (skr_past_t **self_p)
{
    skr_past_t *self = *self_p;
    if (self) {
        skr_buf_wipe (&self->arena);
        free (self->entries);
        free (self->bounds);
        free (self);
        *self_p = NULL;
    }
}

saker_err_t skr_past_hlc (const skr_replica_t *replica, uint64_t time_ms, uint64_t *hlc)
{
    uint64_t now_ms = replica->world->wall_ms (replica->world->context);
    if (time_ms > now_ms) {
        return skr_fail (SAKER_EINPUT, "that time lies %llu s in the future",
                         (unsigned long long) (time_ms - now_ms + 999) / 1000);
    }
    *hlc = time_ms << 16 | 0xffff;
    return SAKER_OK;
}
