/* Local changes. Each intent becomes operations, and each operation is applied at once, so that the
   next intent sees it; when a later one fails, all are taken back. Then the change is sealed,
   signed and logged.

   The table of writers grows while operations are made, in order of first use; in a content it must
   ascend, so the operations are written anew if it did not. */

#include "crdt/hlc.h"
#include "crdt/value.h"
#include "peer/replica_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* One change being made. */
typedef struct making_t {
    skr_replica_t *replica;
    skr_held_t *held;
    const skr_cells_t *cells;
    skr_change_t change; /* collection, writer, seq, hlc; the rest once it is built */
    skr_applier_t applier;
    skr_id_t *writers;
    size_t writers_count, writers_capacity;
    size_t ops_count;
} making_t;

/* ---- operations */

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t writer_index (making_t *making, const skr_id_t *writer, uint32_t *index)
{
    for (size_t i = 0; i < making->writers_count; i++) {
        if (skr_id_equal (&making->writers[i], writer)) {
            *index = (uint32_t) i;
            return SAKER_OK;
        }
    }
    if (making->writers_count == SKR_CHANGE_WRITERS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a change touches the work of at most %d writers "
                         "(SKR_CHANGE_WRITERS_MAX): write less at once", SKR_CHANGE_WRITERS_MAX);
    }
    if (making->writers_count == making->writers_capacity) {
        size_t capacity = making->writers_capacity ? making->writers_capacity * 2 : 8;
        skr_id_t *writers = realloc (making->writers, capacity * sizeof *writers);
        if (!writers) {
            return no_memory ();
        }
        making->writers = writers;
        making->writers_capacity = capacity;
    }
    *index = (uint32_t) making->writers_count;
    making->writers[making->writers_count++] = *writer;
    return SAKER_OK;
}

static int compare_pred (const void *one, const void *other)
{
    const skr_pred_t *a = one, *b = other;
    return a->writer < b->writer ? -1 : a->writer > b->writer;
}

static saker_err_t fill_pred (making_t *making, const skr_dot_t *dots, size_t count,
                              skr_pred_t *pred)
{
    for (size_t i = 0; i < count; i++) {
        SKR_TRY (writer_index (making, &dots[i].writer, &pred[i].writer));
        pred[i].seq = dots[i].seq;
        pred[i].index = dots[i].index;
    }
    if (count > 1) {
        qsort (pred, count, sizeof *pred, compare_pred);
    }
    return SAKER_OK;
}

static saker_err_t put_op (making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                           const skr_dot_t *dots, size_t count)
{
    skr_pred_t few[8];
    skr_pred_t *pred = count <= 8 ? few : calloc (count, sizeof *pred);
    if (!pred) {
        return no_memory ();
    }
    saker_err_t error = fill_pred (making, dots, count, pred);
    if (error == SAKER_OK) {
        skr_op_put (&making->replica->ops, kind, intent->document, intent->path, pred, count,
                    intent->value);
        error = making->replica->ops.failed ? no_memory () : SAKER_OK;
    }
    if (pred != few) {
        free (pred);
    }
    return error;
}

/* What is written is read back as others will read it: this checks document, path and value. */
static saker_err_t apply_put (making_t *making, size_t before)
{
    skr_buf_t *ops = &making->replica->ops;
    skr_cbor_t cbor;
    skr_op_t op;
    skr_cbor_open (&cbor, skr_span (ops->data + before, ops->size - before));
    skr_op_get (&cbor, &op, making->writers_count);
    SKR_TRY (skr_cbor_close (&cbor));
    saker_err_t error = skr_apply_op (&making->applier, &op, making->writers,
                                      making->writers_count, (uint32_t) making->ops_count);
    if (error != SAKER_OK) {
        return skr_replica_spoil (making->replica, error);
    }
    making->ops_count++;
    return SAKER_OK;
}

static saker_err_t check_room (const making_t *making)
{
    if (making->ops_count == SKR_CHANGE_OPS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a change holds at most %d operations "
                         "(SKR_CHANGE_OPS_MAX): write less at once", SKR_CHANGE_OPS_MAX);
    }
    if (making->replica->ops.size > SKR_CHANGE_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a change holds at most %d bytes "
                         "(SKR_CHANGE_BYTES_MAX): write less at once", SKR_CHANGE_BYTES_MAX);
    }
    return SAKER_OK;
}

static saker_err_t add_op (making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                           const skr_dot_t *dots, size_t count)
{
    size_t before = making->replica->ops.size;
    SKR_TRY (check_room (making));
    saker_err_t error = put_op (making, kind, intent, dots, count);
    if (error == SAKER_OK) {
        error = apply_put (making, before);
    }
    if (error != SAKER_OK) {
        making->replica->ops.size = before;
    }
    return error;
}

/* One operation that ends what is seen in its scope; *ended tells whether anything was. */
static saker_err_t add_seeing (making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                               bool needed, bool *ended)
{
    skr_dot_t *dots = NULL;
    size_t count = 0;
    SKR_TRY (skr_apply_seen (making->cells, kind, intent->document, intent->path, intent->value,
                             &dots, &count));
    *ended = count > 0;
    saker_err_t error = *ended || !needed ? add_op (making, kind, intent, dots, count) : SAKER_OK;
    free (dots);
    return error;
}

/* ---- looking */

/* The first entry of a scan, copied. */
typedef struct first_t {
    bool found;
    skr_kind_t kind; /* of the entry */
    bool below;      /* it lies below the place */
    size_t path_size;
} first_t;

static saker_err_t see_first (const skr_entry_t *entry, void *argument)
{
    first_t *first = argument;
    skr_span_t path, member;
    SKR_TRY (skr_address_parse (entry->address, &path, &first->kind, &member));
    first->found = true;
    first->below = path.size > first->path_size;
    return SKR_STOP;
}

static saker_err_t scan_first (const making_t *making, skr_span_t document, skr_span_t prefix,
                               size_t path_size, first_t *first)
{
    *first = (first_t){.path_size = path_size};
    saker_err_t error = making->cells->scan (making->cells->context, document, prefix, see_first,
                                             first);
    return error == SKR_STOP ? SAKER_OK : error;
}

/* Is there an entry of this kind at the place itself? */
static saker_err_t has_kind (const making_t *making, skr_span_t document, skr_span_t path,
                             skr_kind_t kind, bool *has)
{
    uint8_t address[SKR_PATH_BYTES_MAX + 1];
    first_t first;
    if (path.size > SKR_PATH_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "path over 1 KiB (SKR_PATH_BYTES_MAX)");
    }
    if (path.size > 0) {
        memcpy (address, path.data, path.size);
    }
    address[path.size] = (uint8_t) kind;
    SKR_TRY (scan_first (making, document, skr_span (address, path.size + 1), path.size, &first));
    *has = first.found;
    return SAKER_OK;
}

static const char *kind_text (skr_kind_t kind, bool below)
{
    if (below || kind == SKR_MAP) {
        return "a map";
    }
    return kind == SKR_COUNTER ? "a counter" : kind == SKR_MEMBER ? "a set" : "a value";
}

static saker_err_t type_clash (skr_span_t path, skr_kind_t kind, bool below, const char *wanted)
{
    skr_buf_t pointer = {0};
    skr_path_to_pointer (&pointer, path);
    saker_err_t error = skr_fail (SAKER_ETYPE, "%.*s holds %s, not %s", (int) pointer.size,
                                  (const char *) pointer.data, kind_text (kind, below), wanted);
    skr_buf_free (&pointer);
    return error;
}

/* What a place shows, when leaves are there beside a map. */
typedef struct shown_t {
    skr_span_t path;
    bool leaf;
    skr_kind_t kind;
} shown_t;

static saker_err_t see_shown (const skr_leaf_t *leaf, void *argument)
{
    shown_t *shown = argument;
    if (leaf->shown && leaf->kind != SKR_MAP && skr_span_equal (leaf->path, shown->path)) {
        shown->leaf = true;
        shown->kind = leaf->kind;
    }
    return SAKER_OK;
}

/* SAKER_ETYPE when the place shows a leaf: then nothing can be put below it. */
static saker_err_t check_is_map (const making_t *making, skr_span_t document, skr_span_t path)
{
    static const skr_kind_t leaves[] = {SKR_REGISTER, SKR_LWW, SKR_COUNTER, SKR_MEMBER};
    shown_t shown = {.path = path};
    bool any = false;
    for (size_t i = 0; i < 4 && !any; i++) {
        SKR_TRY (has_kind (making, document, path, leaves[i], &any));
    }
    if (!any) {
        return SAKER_OK;
    }
    SKR_TRY (skr_view_document (making->cells, document, path, see_shown, &shown, NULL));
    return shown.leaf ? type_clash (path, shown.kind, false, "a map") : SAKER_OK;
}

/* The root is a map always: nobody can write a leaf there. */
static saker_err_t check_above (const making_t *making, const skr_intent_t *intent)
{
    skr_span_t rest = intent->path, key;
    while (skr_path_next (&rest, &key) && rest.size > 0) {
        skr_span_t above = skr_span (intent->path.data, intent->path.size - rest.size);
        SKR_TRY (check_is_map (making, intent->document, above));
    }
    return SAKER_OK;
}

/* Something else than the wanted kind at the place, when the wanted kind is not there, is a clash. */
static saker_err_t check_kind (const making_t *making, const skr_intent_t *intent,
                               skr_kind_t wanted, const char *wanted_text)
{
    bool has;
    first_t first;
    SKR_TRY (has_kind (making, intent->document, intent->path, wanted, &has));
    if (has) {
        return SAKER_OK;
    }
    SKR_TRY (scan_first (making, intent->document, intent->path, intent->path.size, &first));
    return first.found ? type_clash (intent->path, first.kind, first.below, wanted_text)
                       : SAKER_OK;
}

static saker_err_t check_leaf (const making_t *making, const skr_intent_t *intent)
{
    if (intent->path.size == 0) {
        return skr_fail (SAKER_ETYPE, "a document is a map: it cannot be set to one value");
    }
    return check_above (making, intent);
}

/* ---- one intent */

static saker_err_t make_set (making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    skr_op_kind_t kind = intent->kind == SKR_INTENT_SET ? SKR_OP_SET : SKR_OP_SET_LWW;
    return add_seeing (making, kind, intent, false, &ended);
}

static saker_err_t make_map (making_t *making, const skr_intent_t *intent)
{
    bool ended, leaf = false;
    first_t first;
    SKR_TRY (check_above (making, intent));
    SKR_TRY (scan_first (making, intent->document, intent->path, intent->path.size, &first));
    for (int kind = SKR_REGISTER; first.found && !leaf && kind <= SKR_MEMBER; kind++) {
        SKR_TRY (has_kind (making, intent->document, intent->path, (skr_kind_t) kind, &leaf));
    }
    if (first.found && !leaf) {
        return SAKER_OK; /* it is a map already */
    }
    return add_seeing (making, SKR_OP_SET_MAP, intent, false, &ended);
}

static saker_err_t nothing_there (const skr_intent_t *intent, const char *what)
{
    skr_buf_t pointer = {0};
    skr_path_to_pointer (&pointer, intent->path);
    saker_err_t error = skr_fail (SAKER_ENOTFOUND, "%.*s%s%.*s: %s", (int) intent->document.size,
                                  (const char *) intent->document.data, pointer.size ? " " : "",
                                  (int) pointer.size, (const char *) pointer.data, what);
    skr_buf_free (&pointer);
    return error;
}

static saker_err_t make_delete (making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (add_seeing (making, SKR_OP_DELETE, intent, true, &ended));
    return ended ? SAKER_OK : nothing_there (intent, "nothing is there to delete");
}

static saker_err_t make_incr (making_t *making, const skr_intent_t *intent)
{
    saker_value_t amount;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_COUNTER, "a counter"));
    SKR_TRY (skr_value_parse (intent->value, &amount));
    if (amount.type != SAKER_INT) {
        return skr_fail (SAKER_EINPUT, "a counter is incremented by an integer");
    }
    return amount.as.integer ? add_op (making, SKR_OP_INCR, intent, NULL, 0) : SAKER_OK;
}

/* The earlier adds of the member end, so that a member added again and again stays one entry. */
static saker_err_t make_add (making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_MEMBER, "a set"));
    return add_seeing (making, SKR_OP_ADD, intent, false, &ended);
}

static saker_err_t make_remove (making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_MEMBER, "a set"));
    SKR_TRY (add_seeing (making, SKR_OP_REMOVE, intent, true, &ended));
    return ended ? SAKER_OK : nothing_there (intent, "no such member to remove");
}

static saker_err_t check_names (const skr_intent_t *intent)
{
    if (intent->document.size < 1 || intent->document.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "a document id has 1 to %d bytes", SKR_DOCUMENT_BYTES_MAX);
    }
    return skr_path_check (intent->path);
}

static saker_err_t make_one (making_t *making, const skr_intent_t *intent)
{
    SKR_TRY (check_names (intent));
    switch (intent->kind) {
    case SKR_INTENT_SET:
    case SKR_INTENT_SET_LWW:
        return make_set (making, intent);
    case SKR_INTENT_SET_MAP:
        return make_map (making, intent);
    case SKR_INTENT_DELETE:
        return make_delete (making, intent);
    case SKR_INTENT_INCR:
        return make_incr (making, intent);
    case SKR_INTENT_ADD:
        return make_add (making, intent);
    case SKR_INTENT_REMOVE:
        return make_remove (making, intent);
    case SKR_INTENT_REPLACE:
    case SKR_INTENT_REPLACE_END:
        break;
    }
    return skr_fail (SAKER_EINPUT, "a replacement begins and ends once");
}

/* ---- replacing: what is not named goes first, so that a value can become a map; then what is
   named is set where it differs */

/* A place that is named by a SET or SET_MAP of the replacement. */
typedef struct named_t {
    skr_span_t path;
    bool map;
} named_t;

typedef struct replacing_t {
    const skr_intent_t *head; /* the REPLACE */
    named_t *named;           /* ascending by path */
    size_t count;
    skr_buf_t doomed; /* paths to delete: size u32, path */
    size_t doomed_last;       /* offset of the last of them */
    bool doomed_any;
    bool anything; /* there is an entry at or below the place */
} replacing_t;

static int compare_named (const void *one, const void *other)
{
    return skr_span_compare (((const named_t *) one)->path, ((const named_t *) other)->path);
}

static saker_err_t check_inside (const skr_intent_t *head, const skr_intent_t *intent)
{
    bool sets = intent->kind == SKR_INTENT_SET || intent->kind == SKR_INTENT_SET_LWW
                || intent->kind == SKR_INTENT_SET_MAP;
    if (!sets) {
        return skr_fail (SAKER_EINPUT, "a replacement holds values and maps only");
    }
    SKR_TRY (check_names (intent));
    if (!skr_span_equal (intent->document, head->document)
        || !skr_span_starts (intent->path, head->path)) {
        return skr_fail (SAKER_EINPUT, "a replacement stays at and below its place");
    }
    return SAKER_OK;
}

/* Index of the END that belongs to intents[0]. */
static saker_err_t find_end (const skr_intent_t *intents, size_t count, size_t *end)
{
    SKR_TRY (check_names (&intents[0]));
    for (size_t i = 1; i < count; i++) {
        if (intents[i].kind == SKR_INTENT_REPLACE_END) {
            *end = i;
            return SAKER_OK;
        }
        SKR_TRY (check_inside (&intents[0], &intents[i]));
    }
    return skr_fail (SAKER_EINPUT, "a replacement does not end");
}

static saker_err_t collect_named (replacing_t *replacing, const skr_intent_t *intents, size_t end)
{
    if (end == 1) {
        return SAKER_OK;
    }
    replacing->named = calloc (end, sizeof *replacing->named);
    if (!replacing->named) {
        return no_memory ();
    }
    for (size_t i = 1; i < end; i++) {
        bool map = intents[i].kind == SKR_INTENT_SET_MAP;
        replacing->named[replacing->count++] = (named_t){.path = intents[i].path, .map = map};
    }
    qsort (replacing->named, replacing->count, sizeof *replacing->named, compare_named);
    return SAKER_OK;
}

/* First named place that is not before this path. */
static size_t named_at (const replacing_t *replacing, skr_span_t path)
{
    size_t low = 0, high = replacing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_span_compare (replacing->named[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_named (const replacing_t *replacing, skr_span_t path, bool *map)
{
    size_t at = named_at (replacing, path);
    bool found = at < replacing->count && skr_span_equal (replacing->named[at].path, path);
    *map = found && replacing->named[at].map;
    return found;
}

static bool has_named_below (const replacing_t *replacing, skr_span_t path)
{
    size_t at = named_at (replacing, path);
    return at < replacing->count && skr_span_starts (replacing->named[at].path, path);
}

/* A value set at the path, or above it, replaces what is at the path. */
static bool is_covered (const replacing_t *replacing, skr_span_t path)
{
    skr_span_t rest = path, key;
    bool map, more = true;
    while (more) {
        skr_span_t above = skr_span (path.data, path.size - rest.size);
        if (above.size >= replacing->head->path.size && is_named (replacing, above, &map)
            && (!map || above.size == path.size)) {
            return true;
        }
        more = skr_path_next (&rest, &key);
    }
    return false;
}

static bool is_doomed (const replacing_t *replacing, skr_span_t path)
{
    if (!replacing->doomed_any) {
        return false;
    }
    const uint8_t *last = replacing->doomed.data + replacing->doomed_last;
    return skr_span_starts (path, skr_span (last + 4, skr_get_u32 (last)));
}

static void doom (replacing_t *replacing, skr_span_t path)
{
    uint8_t size[4];
    skr_put_u32 (size, (uint32_t) path.size);
    replacing->doomed_last = replacing->doomed.size;
    replacing->doomed_any = true;
    skr_buf_append (&replacing->doomed, size, sizeof size);
    skr_buf_append_span (&replacing->doomed, path);
}

static saker_err_t judge_entry (const skr_entry_t *entry, void *argument)
{
    replacing_t *replacing = argument;
    skr_span_t path, member;
    skr_kind_t kind;
    SKR_TRY (skr_address_parse (entry->address, &path, &kind, &member));
    replacing->anything = true;
    bool stays = is_doomed (replacing, path) || is_covered (replacing, path)
                 || (kind == SKR_MAP && has_named_below (replacing, path));
    if (!stays) {
        doom (replacing, path);
    }
    return replacing->doomed.failed ? no_memory () : SAKER_OK;
}

static saker_err_t delete_doomed (making_t *making, const replacing_t *replacing)
{
    size_t at = 0;
    while (at < replacing->doomed.size) {
        bool ended;
        size_t size = skr_get_u32 (replacing->doomed.data + at);
        const skr_intent_t intent = {.kind = SKR_INTENT_DELETE,
                                     .document = replacing->head->document,
                                     .path = skr_span (replacing->doomed.data + at + 4, size)};
        SKR_TRY (add_seeing (making, SKR_OP_DELETE, &intent, true, &ended));
        at += 4 + size;
    }
    return SAKER_OK;
}

/* Does the place hold exactly this value? */
typedef struct equal_t {
    const skr_intent_t *intent;
    size_t entries;
    bool equal;
} equal_t;

static saker_err_t compare_entry (const skr_entry_t *entry, void *argument)
{
    equal_t *equal = argument;
    skr_span_t path, member;
    skr_kind_t kind;
    SKR_TRY (skr_address_parse (entry->address, &path, &kind, &member));
    skr_kind_t wanted = equal->intent->kind == SKR_INTENT_SET ? SKR_REGISTER : SKR_LWW;
    equal->entries++;
    equal->equal = equal->entries == 1 && kind == wanted
                   && skr_span_equal (path, equal->intent->path)
                   && skr_span_equal (entry->value, equal->intent->value);
    return equal->equal ? SAKER_OK : SKR_STOP;
}

static saker_err_t is_equal (const making_t *making, const skr_intent_t *intent, bool *is)
{
    equal_t equal = {.intent = intent};
    saker_err_t error = making->cells->scan (making->cells->context, intent->document,
                                             intent->path, compare_entry, &equal);
    *is = equal.equal;
    return error == SKR_STOP ? SAKER_OK : error;
}

static saker_err_t set_named (making_t *making, const replacing_t *replacing,
                              const skr_intent_t *intents, size_t end)
{
    for (size_t i = 1; i < end; i++) {
        bool same = false;
        if (replacing->anything && intents[i].kind != SKR_INTENT_SET_MAP) {
            SKR_TRY (is_equal (making, &intents[i], &same));
        }
        if (!same) {
            SKR_TRY (make_one (making, &intents[i]));
        }
    }
    return SAKER_OK;
}

static saker_err_t replace_place (making_t *making, replacing_t *replacing,
                                  const skr_intent_t *intents, size_t end)
{
    SKR_TRY (collect_named (replacing, intents, end));
    SKR_TRY (making->cells->scan (making->cells->context, intents[0].document, intents[0].path,
                                  judge_entry, replacing));
    SKR_TRY (delete_doomed (making, replacing));
    return set_named (making, replacing, intents, end);
}

/* Makes the replacement that begins at intents[0]; *used is how many intents it took. */
static saker_err_t make_replacement (making_t *making, const skr_intent_t *intents, size_t count,
                                     size_t *used)
{
    size_t end = 0;
    replacing_t replacing = {.head = &intents[0]};
    SKR_TRY (find_end (intents, count, &end));
    saker_err_t error = replace_place (making, &replacing, intents, end);
    free (replacing.named);
    skr_buf_free (&replacing.doomed);
    *used = end + 1;
    return error;
}

static saker_err_t make_all (making_t *making, const skr_intent_t *intents, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t used = 1;
        saker_err_t error = intents[at].kind == SKR_INTENT_REPLACE
                                ? make_replacement (making, &intents[at], count - at, &used)
                                : make_one (making, &intents[at]);
        SKR_TRY (error);
        at += used;
    }
    return SAKER_OK;
}

/* ---- building the change */

static int compare_ids (const void *one, const void *other)
{
    return skr_id_compare (one, other);
}

static bool ascends (const making_t *making)
{
    for (size_t i = 1; i < making->writers_count; i++) {
        if (skr_id_compare (&making->writers[i - 1], &making->writers[i]) > 0) {
            return false;
        }
    }
    return true;
}

/* Writes one operation with the table's new numbers. */
static saker_err_t renumber_op (const making_t *making, const skr_op_t *op, const skr_id_t *sorted,
                                skr_buf_t *ops)
{
    skr_pred_t *pred = NULL;
    size_t count = 0;
    SKR_TRY (skr_op_pred (op, &pred, &count));
    for (size_t i = 0; i < count; i++) {
        const skr_id_t *at = bsearch (&making->writers[pred[i].writer], sorted,
                                      making->writers_count, sizeof *sorted, compare_ids);
        pred[i].writer = (uint32_t) (at - sorted);
    }
    if (count > 1) {
        qsort (pred, count, sizeof *pred, compare_pred);
    }
    skr_op_put (ops, op->kind, op->document, op->path, pred, count, op->argument);
    free (pred);
    return SAKER_OK;
}

static saker_err_t renumber_all (const making_t *making, const skr_id_t *sorted, skr_buf_t *ops)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&making->replica->ops));
    for (size_t i = 0; i < making->ops_count; i++) {
        skr_op_t op;
        skr_op_get (&cbor, &op, making->writers_count);
        SKR_TRY (renumber_op (making, &op, sorted, ops));
    }
    SKR_TRY (skr_cbor_close (&cbor));
    return ops->failed ? no_memory () : SAKER_OK;
}

static saker_err_t sort_writers (making_t *making)
{
    size_t bytes = making->writers_count * sizeof *making->writers;
    skr_buf_t ops = {0};
    if (ascends (making)) {
        return SAKER_OK;
    }
    skr_id_t *sorted = malloc (bytes);
    if (!sorted) {
        return no_memory ();
    }
    memcpy (sorted, making->writers, bytes);
    qsort (sorted, making->writers_count, sizeof *sorted, compare_ids);
    saker_err_t error = renumber_all (making, sorted, &ops);
    if (error == SAKER_OK) {
        skr_buf_t old = making->replica->ops;
        making->replica->ops = ops;
        ops = old;
        memcpy (making->writers, sorted, bytes);
    }
    skr_buf_free (&ops);
    free (sorted);
    return error;
}

/* What the writer has gained since its previous change here: design 4, deps. */
static saker_err_t gather_deps (const making_t *making, skr_clock_t *deps)
{
    const skr_chain_t *own = skr_held_chain (making->held, &making->change.writer);
    const skr_chains_t *chains = &making->held->chains;
    for (size_t i = 0; i < chains->count; i++) {
        const skr_chain_t *chain = &chains->list[i];
        if (chain != own && (!own || chain->position > own->position)) {
            SKR_TRY (skr_clock_set (deps, &chain->writer, chain->seq));
        }
    }
    return SAKER_OK;
}

static saker_err_t choose_key (making_t *making, skr_draft_t *draft, uint8_t *key_id, uint8_t *key,
                               uint8_t *nonce)
{
    if (skr_change_is_roster (&making->change)) {
        return SAKER_OK;
    }
    randombytes_buf (nonce, SKR_SEAL_NONCE_BYTES);
    draft->key_id = key_id;
    draft->key = key;
    draft->nonce = nonce;
    return skr_keyring_latest (making->replica->keyring, &making->change.collection, key_id, key);
}

static saker_err_t build_from (making_t *making, const skr_clock_t *deps)
{
    static const uint8_t no_hash[SKR_HASH_BYTES];
    uint8_t key_id[SKR_KEY_ID_BYTES], key[SKR_SEAL_KEY_BYTES], nonce[SKR_SEAL_NONCE_BYTES];
    skr_replica_t *replica = making->replica;
    const skr_change_t *change = &making->change;
    const skr_chain_t *own = skr_held_chain (making->held, &change->writer);
    skr_draft_t draft = {.mesh = replica->mesh,
                         .collection = change->collection,
                         .writer = change->writer,
                         .seq = change->seq,
                         .hlc = change->hlc,
                         .prev = own ? own->hash : no_hash,
                         .deps = deps,
                         .content = skr_span_of (&replica->content),
                         .secret = skr_device_secret (replica->device)};
    SKR_TRY (choose_key (making, &draft, key_id, key, nonce));
    skr_buf_clear (&replica->raw);
    saker_err_t error = skr_change_build (&draft, &replica->raw);
    sodium_memzero (key, sizeof key);
    return error;
}

/* Leaves the signed change in replica->raw and making->change, its clear content in
   replica->content. */
static saker_err_t build (making_t *making, const skr_local_t *local)
{
    skr_replica_t *replica = making->replica;
    skr_clock_t deps = {0};
    bool first = making->change.seq == 1 && local->collection;
    skr_span_t name = first ? skr_span_text (local->collection) : skr_span (NULL, 0);
    SKR_TRY (sort_writers (making));
    skr_buf_clear (&replica->content);
    skr_content_put (&replica->content, making->writers, making->writers_count,
                     skr_span_of (&replica->ops), making->ops_count, local->operation_id,
                     local->origin, name);
    saker_err_t error = replica->content.failed ? no_memory () : gather_deps (making, &deps);
    if (error == SAKER_OK) {
        error = build_from (making, &deps);
    }
    skr_clock_free (&deps);
    return error != SAKER_OK ? error
                             : skr_change_parse (&making->change, skr_span_of (&replica->raw));
}

static saker_err_t build_and_record (making_t *making, const skr_local_t *local)
{
    skr_replica_t *replica = making->replica;
    skr_content_t content;
    SKR_TRY (build (making, local));
    SKR_TRY (skr_content_parse (&content, skr_span_of (&replica->content)));
    saker_err_t error = SAKER_OK;
    if (skr_change_is_roster (&making->change)) {
        error = skr_roster_check (replica->roster, &making->change, &content);
    }
    if (error == SAKER_OK) {
        error = skr_admit_record (replica, making->held, &making->change, &content);
    }
    skr_content_free (&content);
    if (error == SAKER_OK) {
        replica->stats.written++;
        skr_replica_unsent (replica, &making->change.collection, making->change.raw);
    }
    return error;
}

/* ---- beginning and ending */

static saker_err_t begin_making (making_t *making, skr_replica_t *replica, const skr_id_t *id)
{
    memset (making, 0, sizeof *making);
    making->replica = replica;
    making->held = skr_holdings_find (replica, id);
    if (!making->held) {
        SKR_TRY (skr_holdings_make (replica, id, &making->held));
    }
    SKR_TRY (skr_holdings_touch (replica, making->held));
    const skr_chain_t *own = skr_held_chain (making->held, &replica->writer);
    making->change.collection = *id;
    making->change.writer = replica->writer;
    making->change.seq = own ? own->seq + 1 : 1;
    making->change.hlc = skr_hlc_next (&replica->hlc,
                                       replica->world->wall_ms (replica->world->context));
    skr_buf_clear (&replica->ops);
    skr_buf_clear (&replica->undo);
    skr_admit_applier (replica, making->held, &making->change, &making->applier);
    making->cells = making->applier.cells;
    return SAKER_OK;
}

static saker_err_t parse_ops (const making_t *making, skr_op_t *ops)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&making->replica->ops));
    for (size_t i = 0; i < making->ops_count; i++) {
        skr_op_get (&cbor, &ops[i], making->writers_count);
    }
    return skr_cbor_close (&cbor);
}

/* Takes all operations back. Answers the error that was the reason. */
static saker_err_t take_back (making_t *making, saker_err_t reason)
{
    skr_replica_t *replica = making->replica;
    if (replica->group_error != SAKER_OK || making->ops_count == 0) {
        return reason;
    }
    char *sentence = strdup (skr_error ());
    skr_op_t *ops = calloc (making->ops_count, sizeof *ops);
    saker_err_t error = ops && sentence ? parse_ops (making, ops) : no_memory ();
    if (error == SAKER_OK) {
        error = skr_apply_undo (&making->applier, ops, making->ops_count,
                                skr_span_of (&replica->undo));
    }
    error = error == SAKER_OK ? skr_fail (reason, "%s", sentence)
                              : skr_replica_spoil (replica, error);
    free (ops);
    free (sentence);
    return error;
}

static saker_err_t finish (making_t *making, const skr_local_t *local, saker_err_t error,
                           saker_receipt_t *receipt)
{
    memcpy (receipt->writer, making->replica->writer.bytes, sizeof receipt->writer);
    if (error == SAKER_OK && making->ops_count > 0) {
        error = build_and_record (making, local);
        receipt->seq = making->change.seq;
    }
    if (error != SAKER_OK) {
        memset (receipt, 0, sizeof *receipt);
        error = take_back (making, error);
    }
    free (making->writers);
    return error;
}

/* ---- operation ids: 16 bytes of hash over collection and id -> writer 16, seq u64 */

#define RECEIPT_BYTES 24

static void operation_key (const skr_id_t *collection, skr_span_t operation_id, uint8_t key[16])
{
    crypto_generichash (key, 16, operation_id.data, operation_id.size, collection->bytes,
                        sizeof collection->bytes);
}

static saker_err_t find_receipt (skr_replica_t *self, const uint8_t key[16],
                                 saker_receipt_t *receipt)
{
    skr_span_t value;
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_OPERATIONS, skr_span (key, 16),
                                       &value);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    if (value.size != RECEIPT_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "a record of an operation id is not in form");
    }
    memcpy (receipt->writer, value.data, 16);
    receipt->seq = skr_get_u64 (value.data + 16);
    receipt->repeated = true;
    return SAKER_OK;
}

static saker_err_t keep_receipt (skr_replica_t *self, const uint8_t key[16],
                                 const saker_receipt_t *receipt)
{
    uint8_t value[RECEIPT_BYTES];
    memcpy (value, receipt->writer, 16);
    skr_put_u64 (value + 16, receipt->seq);
    saker_err_t error = skr_store_put (self->store, SKR_OPERATIONS, skr_span (key, 16),
                                       skr_span (value, sizeof value));
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}

/* ---- the two ways in */

static saker_err_t check_local (const skr_replica_t *self, const skr_local_t *local)
{
    const skr_member_t *member = skr_replica_self (self);
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (skr_collection_name_check (local->collection));
    if (!member || member->role < SKR_ROLE_WRITE) {
        return skr_fail (SAKER_ERIGHT, "this device may only read: ask an admin for the right to "
                                       "write");
    }
    if (local->operation_id.size > SKR_OPERATION_ID_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "an operation id has at most %d bytes "
                         "(SKR_OPERATION_ID_BYTES_MAX)", SKR_OPERATION_ID_BYTES_MAX);
    }
    if (local->origin.size > SKR_ORIGIN_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "an origin mark has at most %d bytes "
                         "(SKR_ORIGIN_BYTES_MAX)", SKR_ORIGIN_BYTES_MAX);
    }
    return SAKER_OK;
}

static saker_err_t write_once (skr_replica_t *self, const skr_local_t *local, const skr_id_t *id,
                               saker_receipt_t *receipt)
{
    making_t making;
    SKR_TRY (begin_making (&making, self, id));
    return finish (&making, local, make_all (&making, local->intents, local->count), receipt);
}

saker_err_t skr_replica_write (skr_replica_t *self, const skr_local_t *local,
                               saker_receipt_t *receipt)
{
    uint8_t key[16];
    skr_id_t id;
    memset (receipt, 0, sizeof *receipt);
    SKR_TRY (check_local (self, local));
    skr_replica_collection_id (self, local->collection, &id);
    if (local->operation_id.size == 0) {
        SKR_TRY (write_once (self, local, &id, receipt));
        return skr_admit_ready (self);
    }
    operation_key (&id, local->operation_id, key);
    SKR_TRY (find_receipt (self, key, receipt));
    if (receipt->repeated) {
        return SAKER_OK; /* design 4: the same id is never applied twice */
    }
    SKR_TRY (write_once (self, local, &id, receipt));
    SKR_TRY (keep_receipt (self, key, receipt));
    return skr_admit_ready (self);
}

static saker_err_t state_all (making_t *making, const skr_span_t *statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const skr_intent_t intent = {.value = statements[i]};
        SKR_TRY (add_op (making, SKR_OP_STATEMENT, &intent, NULL, 0));
    }
    return SAKER_OK;
}

saker_err_t skr_replica_state (skr_replica_t *self, const skr_span_t *statements, size_t count)
{
    static const skr_id_t roster;
    static const skr_local_t local;
    making_t making;
    saker_receipt_t receipt = {.seq = 0};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (begin_making (&making, self, &roster));
    SKR_TRY (finish (&making, &local, state_all (&making, statements, count), &receipt));
    return skr_admit_ready (self);
}
