/* One intent: is it possible at its place, and which operation is it? */

#include "peer/making.h"

#include "crdt/value.h"

#include <string.h>

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

static saker_err_t scan_first (const skr_making_t *making, skr_span_t document, skr_span_t prefix,
                               size_t path_size, first_t *first)
{
    *first = (first_t){.path_size = path_size};
    saker_err_t error =
        making->cells->scan (making->cells->context, document, prefix, see_first, first);
    return error == SKR_STOP ? SAKER_OK : error;
}

/* Is there an entry of this kind at the place itself? */
static saker_err_t has_kind (const skr_making_t *making, skr_span_t document, skr_span_t path,
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
static saker_err_t check_is_map (const skr_making_t *making, skr_span_t document, skr_span_t path)
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
static saker_err_t check_above (const skr_making_t *making, const skr_intent_t *intent)
{
    skr_span_t rest = intent->path, key;
    while (skr_path_next (&rest, &key) && rest.size > 0) {
        skr_span_t above = skr_span (intent->path.data, intent->path.size - rest.size);
        SKR_TRY (check_is_map (making, intent->document, above));
    }
    return SAKER_OK;
}

/* Anything else at the place, when the wanted kind is not there, is a clash. */
static saker_err_t check_kind (const skr_making_t *making, const skr_intent_t *intent,
                               skr_kind_t wanted, const char *wanted_text)
{
    bool has;
    first_t first;
    SKR_TRY (has_kind (making, intent->document, intent->path, wanted, &has));
    if (has) {
        return SAKER_OK;
    }
    SKR_TRY (scan_first (making, intent->document, intent->path, intent->path.size, &first));
    return first.found ? type_clash (intent->path, first.kind, first.below, wanted_text) : SAKER_OK;
}

static saker_err_t check_leaf (const skr_making_t *making, const skr_intent_t *intent)
{
    if (intent->path.size == 0) {
        return skr_fail (SAKER_ETYPE, "a document is a map: it cannot be set to one value");
    }
    return check_above (making, intent);
}

/* ---- one intent */

static saker_err_t make_set (skr_making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    skr_op_kind_t kind = intent->kind == SKR_INTENT_SET ? SKR_OP_SET : SKR_OP_SET_LWW;
    return skr_making_add_seeing (making, kind, intent, false, &ended);
}

static saker_err_t make_map (skr_making_t *making, const skr_intent_t *intent)
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
    return skr_making_add_seeing (making, SKR_OP_SET_MAP, intent, false, &ended);
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

static saker_err_t make_delete (skr_making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (skr_making_add_seeing (making, SKR_OP_DELETE, intent, true, &ended));
    return ended ? SAKER_OK : nothing_there (intent, "nothing is there to delete");
}

saker_err_t skr_intent_amount (const skr_intent_t *intent, int64_t *amount)
{
    saker_value_t value;
    SKR_TRY (skr_value_parse (intent->value, &value));
    if (value.type != SAKER_INT) {
        return skr_fail (SAKER_EINPUT, "a counter is incremented by an integer");
    }
    *amount = value.as.integer;
    return SAKER_OK;
}

static saker_err_t make_incr (skr_making_t *making, const skr_intent_t *intent)
{
    int64_t amount = 0;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_COUNTER, "a counter"));
    SKR_TRY (skr_intent_amount (intent, &amount));
    return amount ? skr_making_add (making, SKR_OP_INCR, intent, NULL, 0) : SAKER_OK;
}

/* The earlier adds of the member end, so that a member added again and again stays one entry. */
static saker_err_t make_add (skr_making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_MEMBER, "a set"));
    return skr_making_add_seeing (making, SKR_OP_ADD, intent, false, &ended);
}

static saker_err_t make_remove (skr_making_t *making, const skr_intent_t *intent)
{
    bool ended;
    SKR_TRY (check_leaf (making, intent));
    SKR_TRY (check_kind (making, intent, SKR_MEMBER, "a set"));
    SKR_TRY (skr_making_add_seeing (making, SKR_OP_REMOVE, intent, true, &ended));
    return ended ? SAKER_OK : nothing_there (intent, "no such member to remove");
}

saker_err_t skr_intent_check (const skr_intent_t *intent)
{
    if (intent->document.size < 1 || intent->document.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "a document id has 1 to %d bytes", SKR_DOCUMENT_BYTES_MAX);
    }
    return skr_path_check (intent->path);
}

saker_err_t skr_making_intent (skr_making_t *making, const skr_intent_t *intent)
{
    SKR_TRY (skr_intent_check (intent));
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
    case SKR_INTENT_EXPECT:
        return skr_making_expect (making, intent);
    case SKR_INTENT_REPLACE:
    case SKR_INTENT_REPLACE_END:
        break;
    }
    return skr_fail (SAKER_EINPUT, "a replacement begins and ends once");
}
