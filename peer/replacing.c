/* Replacing: what is not named goes first, so that a value can become a map; then what is named is
   set where it differs. */

#include "peer/making.h"

#include <stdlib.h>
#include <string.h>

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* A place that is named by a SET or SET_MAP of the replacement. */
typedef struct named_t {
    skr_span_t path;
    bool map;
} named_t;

typedef struct replacing_t {
    const skr_intent_t *head; /* the REPLACE */
    named_t *named;           /* ascending by path */
    size_t count;
    skr_buf_t doomed;   /* paths to delete: size u32, path */
    size_t doomed_last; /* offset of the last of them */
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
    SKR_TRY (skr_intent_check (intent));
    if (!skr_span_equal (intent->document, head->document)
        || !skr_span_starts (intent->path, head->path)) {
        return skr_fail (SAKER_EINPUT, "a replacement stays at and below its place");
    }
    return SAKER_OK;
}

/* Index of the END that belongs to intents[0]. */
static saker_err_t find_end (const skr_intent_t *intents, size_t count, size_t *end)
{
    SKR_TRY (skr_intent_check (&intents[0]));
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

static saker_err_t delete_doomed (skr_making_t *making, const replacing_t *replacing)
{
    size_t at = 0;
    while (at < replacing->doomed.size) {
        bool ended;
        size_t size = skr_get_u32 (replacing->doomed.data + at);
        const skr_intent_t intent = {.kind = SKR_INTENT_DELETE,
                                     .document = replacing->head->document,
                                     .path = skr_span (replacing->doomed.data + at + 4, size)};
        SKR_TRY (skr_making_add_seeing (making, SKR_OP_DELETE, &intent, true, &ended));
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

static saker_err_t is_equal (const skr_making_t *making, const skr_intent_t *intent, bool *is)
{
    equal_t equal = {.intent = intent};
    saker_err_t error = making->cells->scan (making->cells->context, intent->document, intent->path,
                                             compare_entry, &equal);
    *is = equal.equal;
    return error == SKR_STOP ? SAKER_OK : error;
}

static saker_err_t set_named (skr_making_t *making, const replacing_t *replacing,
                              const skr_intent_t *intents, size_t end)
{
    for (size_t i = 1; i < end; i++) {
        bool same = false;
        if (replacing->anything && intents[i].kind != SKR_INTENT_SET_MAP) {
            SKR_TRY (is_equal (making, &intents[i], &same));
        }
        if (!same) {
            SKR_TRY (skr_making_intent (making, &intents[i]));
        }
    }
    return SAKER_OK;
}

static saker_err_t replace_place (skr_making_t *making, replacing_t *replacing,
                                  const skr_intent_t *intents, size_t end)
{
    SKR_TRY (collect_named (replacing, intents, end));
    SKR_TRY (making->cells->scan (making->cells->context, intents[0].document, intents[0].path,
                                  judge_entry, replacing));
    SKR_TRY (delete_doomed (making, replacing));
    return set_named (making, replacing, intents, end);
}

saker_err_t skr_making_replace (skr_making_t *making, const skr_intent_t *intents, size_t count,
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
