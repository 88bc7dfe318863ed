/* diff: what is different in a document between two times. */

#include "canon.h"
#include "commands.h"
#include "moment.h"
#include "paint.h"
#include "place.h"
#include "say.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* One leaf that a plain read shows. */
typedef struct item_t {
    json_t *json; /* as say_leaf makes it */
    char *value;  /* canonical */
} item_t;

typedef struct side_t {
    item_t *items;
    size_t count, capacity;
    bool failed;
} side_t;

static const char *string_of (const item_t *item, const char *key)
{
    const char *text = json_string_value (json_object_get (item->json, key));
    return text ? text : "";
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    side_t *side = argument;
    strbuf_t text = {0};
    if (!leaf->shown) {
        return 0;
    }
    if (side->count == side->capacity) {
        size_t capacity = side->capacity ? 2 * side->capacity : 32;
        item_t *items = realloc (side->items, capacity * sizeof *items);
        side->failed = side->failed || !items;
        if (!items) {
            return 1;
        }
        side->items = items;
        side->capacity = capacity;
    }
    json_t *json = say_leaf (leaf);
    canon_add (&text, json ? json_object_get (json, "value") : NULL);
    side->items[side->count++] = (item_t){json, text.data};
    side->failed = side->failed || !json || text.failed;
    return side->failed;
}

static int compare_items (const void *one, const void *other)
{
    const item_t *a = one, *b = other;
    int order = strcmp (string_of (a, "pointer"), string_of (b, "pointer"));
    order = order ? order : strcmp (string_of (a, "cell"), string_of (b, "cell"));
    return order ? order : strcmp (a->value, b->value);
}

static void free_side (side_t *side)
{
    for (size_t i = 0; i < side->count; i++) {
        json_decref (side->items[i].json);
        free (side->items[i].value);
    }
    free (side->items);
}

/* Nothing there at one of the times is an empty side. `now`: as it is. */
static saker_err_t read_side (call_t *call, const place_t *place, bool now, uint64_t time_ms,
                              side_t *side)
{
    saker_err_t error = now ? saker_read (call->peer, place->collection, place->document,
                                          place->pointer, take_leaf, side)
                            : saker_read_then (call->peer, place->collection, place->document,
                                               place->pointer, time_ms, take_leaf, side);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    error = call_library (call, error);
    if (error == SAKER_OK && side->failed) {
        return call_memory (call);
    }
    if (side->count > 1) {
        qsort (side->items, side->count, sizeof *side->items, compare_items);
    }
    return error;
}

/* ---- telling */

typedef struct telling_t {
    call_t *call;
    json_t *removed, *added; /* with --json */
} telling_t;

static void tell (const telling_t *telling, const item_t *item, bool added)
{
    if (telling->call->json) {
        json_array_append (added ? telling->added : telling->removed, item->json);
        return;
    }
    const char *pointer = string_of (item, "pointer");
    paint_t paint = added ? PAINT_GREEN : PAINT_RED;
    paint_text (stdout, paint, added ? "+ " : "- ");
    paint_text (stdout, PAINT_BOLD, *pointer ? pointer : "(all of it)");
    fputs ("  ", stdout);
    paint_text (stdout, paint, item->value ? item->value : "?");
    if (added) {
        fputs ("  by ", stdout);
        paint_text (stdout, PAINT_NONE, string_of (item, "author"));
        printf (" at %s", string_of (item, "time"));
    }
    putchar ('\n');
}

/* Of one value that changed the old one comes first. */
static bool is_changed (const item_t *before, const item_t *after)
{
    return strcmp (string_of (before, "pointer"), string_of (after, "pointer")) == 0
           && strcmp (string_of (after, "cell"), "member") != 0;
}

/* Both are sorted. */
static void compare_sides (const telling_t *telling, const side_t *before, const side_t *after)
{
    size_t i = 0, k = 0;
    while (i < before->count || k < after->count) {
        int order = i == before->count  ? 1
                    : k == after->count ? -1
                                        : compare_items (&before->items[i], &after->items[k]);
        bool changed =
            order > 0 && i < before->count && is_changed (&before->items[i], &after->items[k]);
        if (order < 0 || changed) {
            tell (telling, &before->items[i++], false);
        } else if (order > 0) {
            tell (telling, &after->items[k++], true);
        } else {
            i++;
            k++;
        }
    }
}

static saker_err_t print_json (telling_t *telling, const place_t *place, const char *from,
                               const char *to)
{
    bool equal = json_array_size (telling->removed) == 0 && json_array_size (telling->added) == 0;
    return say_json (telling->call,
                     json_pack ("{s:s,s:s,s:s,s:s,s:s,s:b,s:O,s:O}", "collection",
                                place->collection, "document", place->document, "pointer",
                                place->pointer, "from", from, "to", to, "equal", equal, "removed",
                                telling->removed, "added", telling->added));
}

static saker_err_t diff (call_t *call, const place_t *place, uint64_t from_ms, uint64_t to_ms)
{
    side_t before = {0}, after = {0};
    telling_t telling = {call, json_array (), json_array ()};
    bool now = !call_option (call, "to");
    char from[PAINT_TIME_MAX], to[PAINT_TIME_MAX];
    saker_err_t error = read_side (call, place, false, from_ms, &before);
    if (error == SAKER_OK) {
        error = read_side (call, place, now, to_ms, &after);
    }
    if (error == SAKER_OK && before.count == 0 && after.count == 0) {
        error = call_fail (call, SAKER_ENOTFOUND, "nothing was at %s/%s%s%s at either time",
                           place->collection, place->document, *place->pointer ? " " : "",
                           place->pointer);
    }
    if (error == SAKER_OK) {
        compare_sides (&telling, &before, &after);
        paint_time (from_ms, from);
        paint_time (to_ms, to);
        error = call->json ? print_json (&telling, place, from, to) : SAKER_OK;
    }
    json_decref (telling.removed);
    json_decref (telling.added);
    free_side (&before);
    free_side (&after);
    return error;
}

static saker_err_t run_diff (call_t *call)
{
    place_t place;
    uint64_t from_ms = 0, to_ms = moment_now ();
    saker_err_t error = place_parse (call, call_word (call, 0), call_word (call, 1), &place);
    if (error == SAKER_OK && !call_option (call, "from")) {
        return call_fail (call, SAKER_EUSAGE,
                          "diff: since when? give --from TIME, as in --from 2h");
    }
    if (error == SAKER_OK) {
        error = moment_option (call, "from", &from_ms);
    }
    if (error == SAKER_OK && call_option (call, "to")) {
        error = moment_option (call, "to", &to_ms);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    return error == SAKER_OK ? diff (call, &place, from_ms, to_ms) : error;
}

static const option_t diff_options[] = {
    {"from", "TIME", "the first time: 2026-11-29T12:00:00Z, or how long ago: 10m, 2h, 3d"},
    {"to", "TIME", "the second time (default: now)"},
    {NULL, NULL, NULL},
};

const command_t cmd_diff = {
    .name = "diff",
    .run = run_diff,
    .usage = "COLL/DOC [PATH] --from TIME [--to TIME]",
    .summary = "Show what is different in a document, or at PATH in it, between two times.",
    .details = "A line with '-' is what was there, one with '+' what came, with its "
               "author. Only what a plain read shows is compared.",
    .options = diff_options,
    .example = "saker diff shots/sc010 --from 2h\nsaker diff shots/sc010 --from 3d --to 2d",
    .words_min = 1,
    .words_max = 2,
};
