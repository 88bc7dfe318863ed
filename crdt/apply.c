/* The undo bytes are, for each operation in turn, the array of the entries that it ended, each
   [writer, seq, index, hlc, address, value]. They do not travel with a change, only within a
   snapshot, beside the log. */

#include "crdt/apply.h"

#include "crdt/limits.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t encoded_null[] = {0xf6};

/* ---- scope ---- */

/* What is looked for in a scope: all, or what is not above these. */
typedef struct look_t {
    const skr_cells_t *cells;
    skr_span_t document;
    skr_buf_t *address;      /* room for one */
    const skr_dot_t *bounds; /* NULL: all */
    size_t bounds_count;
    skr_visit_fn *visit;
    void *argument;
} look_t;

static saker_err_t scan_prefix (const look_t *look, skr_span_t prefix)
{
    const skr_cells_t *cells = look->cells;
    return look->bounds && cells->scan_within
               ? cells->scan_within (cells->context, look->document, prefix, look->bounds,
                                     look->bounds_count, look->visit, look->argument)
               : cells->scan (cells->context, look->document, prefix, look->visit, look->argument);
}

static saker_err_t scan_address (const look_t *look, skr_span_t path, skr_kind_t kind,
                                 skr_span_t member)
{
    skr_buf_clear (look->address);
    skr_address_put (look->address, path, kind, member);
    return look->address->failed ? skr_fail (SAKER_ENOMEM, "address: out of memory")
                                 : scan_prefix (look, skr_span_of (look->address));
}

/* The cells at the path itself: one short scan a kind, whatever there is below. */
static saker_err_t scan_place (const look_t *look, skr_span_t path)
{
    for (int kind = SKR_REGISTER; kind <= SKR_MAP; kind++) {
        SKR_TRY (scan_address (look, path, (skr_kind_t) kind, skr_span (NULL, 0)));
    }
    return SAKER_OK;
}

/* Visits what the pred of such an operation can end; see the table in op.h. */
static saker_err_t scan_scope (const look_t *look, const skr_op_t *op)
{
    switch (op->kind) {
    case SKR_OP_SET:
    case SKR_OP_SET_LWW:
    case SKR_OP_DELETE:
        return scan_prefix (look, op->path);
    case SKR_OP_SET_MAP:
        return scan_place (look, op->path);
    case SKR_OP_INCR:
        return scan_address (look, op->path, SKR_COUNTER, skr_span (NULL, 0));
    case SKR_OP_ADD:
    case SKR_OP_REMOVE:
        return scan_address (look, op->path, SKR_MEMBER, op->argument);
    case SKR_OP_STATEMENT:
        break;
    }
    return SAKER_OK;
}

/* ---- victims ---- */

static int compare_bounds (const void *one, const void *other)
{
    return skr_dot_compare (one, other);
}

static int find_bound (const void *writer, const void *bound)
{
    return skr_id_compare (writer, &((const skr_dot_t *) bound)->writer);
}

/* Pred with its writers spelled out, in order of writer. Mostly there are few. */
#define FEW 8
typedef struct bounds_t {
    skr_dot_t *list;
    size_t count;
    skr_dot_t few[FEW];
} bounds_t;

static void free_bounds (bounds_t *bounds)
{
    if (bounds->list != bounds->few) {
        free (bounds->list);
    }
}

static saker_err_t spell_out (const skr_op_t *op, const skr_id_t *writers, size_t writers_count,
                              skr_pred_t *pred, bounds_t *bounds)
{
    SKR_TRY (skr_op_pred_get (op, pred));
    for (size_t i = 0; i < bounds->count; i++) {
        if (pred[i].writer >= writers_count) {
            return skr_fail (SAKER_EINPUT, "pred names a writer outside the table");
        }
        bounds->list[i] = (skr_dot_t){writers[pred[i].writer], pred[i].seq, pred[i].index};
    }
    if (bounds->count > 1) {
        qsort (bounds->list, bounds->count, sizeof *bounds->list, compare_bounds);
    }
    return SAKER_OK;
}

/* Free in any case. */
static saker_err_t resolve_pred (const skr_op_t *op, const skr_id_t *writers, size_t writers_count,
                                 bounds_t *bounds)
{
    skr_pred_t few[FEW], *pred = few;
    bounds->list = bounds->few;
    bounds->count = op->pred_count;
    if (bounds->count == 0) {
        return SAKER_OK;
    }
    if (bounds->count == 1 && op->pred_first.writer < writers_count) {
        bounds->few[0] =
            (skr_dot_t){writers[op->pred_first.writer], op->pred_first.seq, op->pred_first.index};
        return SAKER_OK;
    }
    if (bounds->count > FEW) {
        pred = calloc (bounds->count, sizeof *pred);
        bounds->list = calloc (bounds->count, sizeof *bounds->list);
    }
    saker_err_t error = pred && bounds->list ? spell_out (op, writers, writers_count, pred, bounds)
                                             : skr_fail (SAKER_ENOMEM, "pred: out of memory");
    if (pred != few) {
        free (pred);
    }
    return error;
}

/* What an operation ends: of each writer what it had seen. */
typedef struct victims_t {
    const skr_dot_t *bounds;
    size_t bounds_count;
    skr_ended_t *ended;
} victims_t;

static skr_entry_t last_ended (const skr_ended_t *ended)
{
    skr_entry_t entry = ended->last;
    entry.address.data = ended->entries.data + ended->address_at;
    entry.value.data = ended->entries.data + ended->entries.size - entry.value.size;
    return entry;
}

static uint8_t *put_string (uint8_t *at, skr_span_t bytes)
{
    at = skr_cbor_head (at, SKR_CBOR_MAJOR_BYTES, bytes.size);
    memcpy (at, bytes.data, bytes.size); /* neither an address nor a value is empty */
    return at + bytes.size;
}

/* The scan only lends its entries. */
static saker_err_t put_entry (skr_ended_t *ended, const skr_entry_t *entry)
{
    skr_buf_t *buf = &ended->entries;
    uint8_t *at = skr_buf_reserve (buf, 7 * SKR_CBOR_HEAD_BYTES_MAX + sizeof entry->dot.writer.bytes
                                            + entry->address.size + entry->value.size);
    if (!at) {
        return skr_fail (SAKER_ENOMEM, "undo: out of memory");
    }
    at = skr_cbor_head (at, SKR_CBOR_MAJOR_ARRAY, 6);
    at = put_string (at, skr_span (entry->dot.writer.bytes, sizeof entry->dot.writer.bytes));
    at = skr_cbor_head (at, SKR_CBOR_MAJOR_UINT, entry->dot.seq);
    at = skr_cbor_head (at, SKR_CBOR_MAJOR_UINT, entry->dot.index);
    at = skr_cbor_head (at, SKR_CBOR_MAJOR_UINT, entry->hlc);
    at = put_string (at, entry->address);
    ended->address_at = (size_t) (at - buf->data) - entry->address.size;
    at = put_string (at, entry->value);
    buf->size = (size_t) (at - buf->data);
    ended->last = *entry;
    ended->count++;
    return SAKER_OK;
}

static void get_entry (skr_cbor_t *cbor, skr_entry_t *entry)
{
    if (skr_cbor_get_array (cbor, 6) != 6 && cbor->error == SAKER_OK) {
        skr_cbor_reject (cbor, "entry is not of 6 items");
    }
    skr_cbor_get_fixed (cbor, entry->dot.writer.bytes, sizeof entry->dot.writer.bytes);
    entry->dot.seq = skr_cbor_get_uint (cbor);
    entry->dot.index = (uint32_t) skr_cbor_get_uint (cbor);
    entry->hlc = skr_cbor_get_uint (cbor);
    entry->address = skr_cbor_get_bytes (cbor);
    entry->value = skr_cbor_get_bytes (cbor);
}

static saker_err_t collect_victim (const skr_entry_t *entry, void *argument)
{
    victims_t *victims = argument;
    const skr_dot_t *bound = bsearch (&entry->dot.writer, victims->bounds, victims->bounds_count,
                                      sizeof *bound, find_bound);
    if (!bound || skr_dot_compare (&entry->dot, bound) > 0) {
        return SAKER_OK; /* design 3: what the writer had not seen survives */
    }
    return put_entry (victims->ended, entry);
}

static saker_err_t collect_victims (const skr_applier_t *self, const skr_op_t *op,
                                    const skr_id_t *writers, size_t writers_count)
{
    bounds_t bounds;
    skr_room_t *room = self->room;
    saker_err_t error = resolve_pred (op, writers, writers_count, &bounds);
    room->ended.count = 0;
    skr_buf_clear (&room->ended.entries);
    if (error == SAKER_OK && bounds.count) {
        victims_t victims = {bounds.list, bounds.count, &room->ended};
        error = scan_scope (&(look_t){self->cells, op->document, &room->address, bounds.list,
                                      bounds.count, collect_victim, &victims},
                            op);
    }
    free_bounds (&bounds);
    return error;
}

/* ---- one entry ---- */

static saker_err_t put_cell (const skr_applier_t *self, skr_span_t document,
                             const skr_entry_t *entry)
{
    SKR_TRY (self->cells->put (self->cells->context, document, entry));
    if (self->fingerprint) {
        skr_fingerprint_add (self->fingerprint, &self->collection, document, entry);
    }
    return SAKER_OK;
}

static saker_err_t remove_cell (const skr_applier_t *self, skr_span_t document,
                                const skr_entry_t *entry)
{
    SKR_TRY (self->cells->remove (self->cells->context, document, entry));
    if (self->fingerprint) {
        skr_fingerprint_remove (self->fingerprint, &self->collection, document, entry);
    }
    return SAKER_OK;
}

typedef saker_err_t cell_fn (const skr_applier_t *self, skr_span_t document,
                             const skr_entry_t *entry);

static bool can_replace (const skr_applier_t *self, const skr_entry_t *old,
                         const skr_entry_t *entry)
{
    return self->cells->replace && skr_id_equal (&old->dot.writer, &entry->dot.writer)
           && skr_span_equal (old->address, entry->address);
}

static saker_err_t replace_cell (const skr_applier_t *self, skr_span_t document,
                                 const skr_entry_t *old, const skr_entry_t *entry)
{
    SKR_TRY (self->cells->replace (self->cells->context, document, old, entry));
    if (self->fingerprint) {
        skr_fingerprint_remove (self->fingerprint, &self->collection, document, old);
        skr_fingerprint_add (self->fingerprint, &self->collection, document, entry);
    }
    return SAKER_OK;
}

static saker_err_t each_entry (const skr_applier_t *self, skr_span_t document, skr_cbor_t *cbor,
                               size_t count, cell_fn *cell)
{
    for (size_t i = 0; i < count; i++) {
        skr_entry_t entry;
        get_entry (cbor, &entry);
        if (cbor->error != SAKER_OK) {
            break;
        }
        SKR_TRY (cell (self, document, &entry));
    }
    return skr_cbor_close (cbor) == SAKER_OK ? SAKER_OK
                                             : skr_fail (SAKER_EDAMAGED, "undo: not in form");
}

static bool adds_entry (skr_op_kind_t kind)
{
    return kind != SKR_OP_DELETE && kind != SKR_OP_REMOVE;
}

static skr_span_t entry_value (const skr_op_t *op)
{
    bool in_address = op->kind == SKR_OP_ADD || op->kind == SKR_OP_SET_MAP;
    return in_address ? skr_span (encoded_null, sizeof encoded_null) : op->argument;
}

/* The entry that an operation adds; its address is in the room. */
static saker_err_t make_own (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                             skr_entry_t *entry)
{
    skr_buf_t *address = &self->room->address;
    skr_span_t member = op->kind == SKR_OP_ADD ? op->argument : skr_span (NULL, 0);
    skr_buf_clear (address);
    skr_address_put (address, op->path, skr_op_cell (op->kind), member);
    *entry = (skr_entry_t){.dot = {self->writer, self->seq, index},
                           .hlc = self->hlc,
                           .address = skr_span_of (address),
                           .value = entry_value (op)};
    return address->failed ? skr_fail (SAKER_ENOMEM, "address: out of memory") : SAKER_OK;
}

/* ---- apply ---- */

static saker_err_t keep_undo (const skr_applier_t *self, const skr_ended_t *ended)
{
    if (!self->undo) {
        return SAKER_OK;
    }
    skr_cbor_put_array (self->undo, ended->count);
    skr_buf_append_span (self->undo, skr_span_of (&ended->entries));
    return self->undo->failed ? skr_fail (SAKER_ENOMEM, "undo: out of memory") : SAKER_OK;
}

static saker_err_t end_entries (const skr_applier_t *self, const skr_op_t *op,
                                const skr_ended_t *ended)
{
    skr_cbor_t cbor;
    if (!ended->count) {
        return SAKER_OK;
    }
    if (ended->count == 1) {
        const skr_entry_t only = last_ended (ended);
        return remove_cell (self, op->document, &only);
    }
    skr_cbor_open (&cbor, skr_span_of (&ended->entries));
    return each_entry (self, op->document, &cbor, ended->count, remove_cell);
}

static bool is_carried (const skr_applier_t *self, const skr_op_t *op)
{
    return !self->carries || self->carries (self->part, op->document);
}

static const skr_ended_t nothing_ended;

/* What nobody may apply must be refused here, too, where nothing of it is applied. */
static saker_err_t skip_op (const skr_applier_t *self, const skr_op_t *op, const skr_id_t *writers,
                            size_t writers_count)
{
    bounds_t bounds;
    saker_err_t error = resolve_pred (op, writers, writers_count, &bounds);
    free_bounds (&bounds);
    return error == SAKER_OK ? keep_undo (self, &nothing_ended) : error;
}

/* Mostly a writer writes again where it wrote before. */
static saker_err_t end_and_put (const skr_applier_t *self, const skr_op_t *op,
                                const skr_ended_t *ended, const skr_entry_t *entry)
{
    if (ended->count == 1) {
        const skr_entry_t only = last_ended (ended);
        if (can_replace (self, &only, entry)) {
            return replace_cell (self, op->document, &only, entry);
        }
    }
    SKR_TRY (end_entries (self, op, ended));
    return put_cell (self, op->document, entry);
}

static saker_err_t replace (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                            const skr_ended_t *ended)
{
    skr_entry_t entry;
    SKR_TRY (keep_undo (self, ended));
    if (!adds_entry (op->kind)) {
        return end_entries (self, op, ended);
    }
    SKR_TRY (make_own (self, op, index, &entry));
    return end_and_put (self, op, ended, &entry);
}

static saker_err_t apply_ended (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                                const skr_ended_t *ended)
{
    size_t undo_size = self->undo ? self->undo->size : 0;
    saker_err_t error = replace (self, op, index, ended);
    if (error != SAKER_OK && self->undo) {
        self->undo->size = undo_size; /* the undo of whole operations only */
    }
    return error;
}

saker_err_t skr_apply_made (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                            const skr_ended_t *ended)
{
    return is_carried (self, op) ? apply_ended (self, op, index, ended)
                                 : keep_undo (self, &nothing_ended);
}

saker_err_t skr_apply_op (const skr_applier_t *self, const skr_op_t *op, const skr_id_t *writers,
                          size_t writers_count, uint32_t index)
{
    if (!is_carried (self, op)) {
        return skip_op (self, op, writers, writers_count);
    }
    SKR_TRY (collect_victims (self, op, writers, writers_count));
    return apply_ended (self, op, index, &self->room->ended);
}

void skr_room_free (skr_room_t *self)
{
    skr_buf_wipe (&self->ended.entries);
    skr_buf_wipe (&self->address);
}

saker_err_t skr_apply_content (const skr_applier_t *self, const skr_content_t *content)
{
    for (size_t i = 0; i < content->ops_count; i++) {
        SKR_TRY (skr_wrap (skr_apply_op (self, &content->ops[i], content->writers,
                                         content->writers_count, (uint32_t) i),
                           "operation %zu", i));
    }
    return SAKER_OK;
}

/* ---- undo ---- */

static saker_err_t undo_op (const skr_applier_t *self, const skr_op_t *op, uint32_t index,
                            skr_span_t ended)
{
    skr_cbor_t cbor;
    if (!is_carried (self, op)) {
        return SAKER_OK;
    }
    if (adds_entry (op->kind)) {
        skr_entry_t entry;
        SKR_TRY (make_own (self, op, index, &entry));
        SKR_TRY (remove_cell (self, op->document, &entry));
    }
    skr_cbor_open (&cbor, ended);
    size_t count = skr_cbor_get_array (&cbor, ended.size);
    return each_entry (self, op->document, &cbor, count, put_cell);
}

static saker_err_t split_undo (skr_span_t undo, skr_span_t *ended, size_t count)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, undo);
    for (size_t i = 0; i < count; i++) {
        ended[i] = skr_cbor_get_raw (&cbor);
    }
    return skr_cbor_close (&cbor) == SAKER_OK
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED, "undo: not of %zu operations", count);
}

saker_err_t skr_apply_undo (const skr_applier_t *self, const skr_op_t *ops, size_t ops_count,
                            skr_span_t undo)
{
    if (!ops_count) {
        return SAKER_OK;
    }
    skr_span_t *ended = calloc (ops_count, sizeof *ended);
    if (!ended) {
        return skr_fail (SAKER_ENOMEM, "undo: out of memory");
    }
    saker_err_t error = split_undo (undo, ended, ops_count);
    for (size_t i = ops_count; i-- > 0 && error == SAKER_OK;) {
        error = undo_op (self, &ops[i], (uint32_t) i, ended[i]);
    }
    free (ended);
    return error;
}

saker_err_t skr_apply_ended (skr_span_t undo, size_t ops_count, skr_ended_fn *visit, void *argument)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, undo);
    for (size_t i = 0; i < ops_count; i++) {
        size_t count = skr_cbor_get_array (&cbor, undo.size);
        for (size_t k = 0; k < count && cbor.error == SAKER_OK; k++) {
            skr_entry_t entry;
            get_entry (&cbor, &entry);
            if (cbor.error == SAKER_OK) {
                SKR_TRY (visit (i, &entry, argument));
            }
        }
    }
    return skr_cbor_close (&cbor) == SAKER_OK
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED, "undo: not of %zu operations", ops_count);
}

/* ---- seen ---- */

static saker_err_t grow_seen (skr_scope_t *seen)
{
    if (seen->count == SKR_OP_PRED_MAX) {
        return skr_fail (SAKER_ELIMIT, "more than %d writers in one place (SKR_OP_PRED_MAX)",
                         SKR_OP_PRED_MAX);
    }
    if (seen->count < seen->capacity) {
        return SAKER_OK;
    }
    size_t capacity = seen->capacity ? 2 * seen->capacity : 4;
    skr_dot_t *dots = realloc (seen->dots, capacity * sizeof *dots);
    if (!dots) {
        return skr_fail (SAKER_ENOMEM, "pred: out of memory");
    }
    seen->dots = dots;
    seen->capacity = capacity;
    return SAKER_OK;
}

static size_t place_of (const skr_scope_t *seen, const skr_id_t *writer)
{
    size_t low = 0, high = seen->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&seen->dots[middle].writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static saker_err_t see_entry (const skr_entry_t *entry, void *argument)
{
    skr_scope_t *seen = argument;
    SKR_TRY (put_entry (&seen->room.ended, entry));
    size_t at = place_of (seen, &entry->dot.writer);
    if (at < seen->count && skr_id_equal (&seen->dots[at].writer, &entry->dot.writer)) {
        if (skr_dot_compare (&seen->dots[at], &entry->dot) < 0) {
            seen->dots[at] = entry->dot;
        }
        return SAKER_OK;
    }
    SKR_TRY (grow_seen (seen));
    memmove (&seen->dots[at + 1], &seen->dots[at], (seen->count - at) * sizeof *seen->dots);
    seen->dots[at] = entry->dot;
    seen->count++;
    return SAKER_OK;
}

saker_err_t skr_apply_seen (const skr_cells_t *cells, skr_op_kind_t kind, skr_span_t document,
                            skr_span_t path, skr_span_t argument, skr_scope_t *seen)
{
    skr_op_t op = {.kind = kind, .document = document, .path = path, .argument = argument};
    seen->count = seen->room.ended.count = 0;
    skr_buf_clear (&seen->room.ended.entries);
    return scan_scope (&(look_t){cells, document, &seen->room.address, NULL, 0, see_entry, seen},
                       &op);
}

void skr_scope_free (skr_scope_t *self)
{
    free (self->dots);
    skr_room_free (&self->room);
    memset (self, 0, sizeof *self);
}
