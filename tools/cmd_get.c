/* get and show: reads one document, or a part of it, as it is or as it was. */

#include "canon.h"
#include "commands.h"
#include "moment.h"
#include "paint.h"
#include "place.h"
#include "say.h"
#include "tree.h"

#include <inttypes.h>

#define RIVALS_TOLD_MAX 10

typedef struct get_t {
    tree_t tree;
    json_t *rivals;
    json_t *leaves; /* all of them, for --who */
    bool then;      /* as it was, not as it is */
    uint64_t time_ms;
} get_t;

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    get_t *get = argument;
    tree_add (&get->tree, leaf);
    json_t *json = say_leaf (leaf);
    get->tree.failed |= !json || json_array_append_new (get->leaves, json) != 0
                        || (leaf->rival && json_array_append (get->rivals, json) != 0);
    return 0;
}

static void print_value (FILE *file, paint_t paint, const json_t *json)
{
    strbuf_t text = {0};
    canon_add (&text, json);
    paint_text (file, paint, text.data ? text.data : "");
    strbuf_free (&text);
}

static const char *string_of (const json_t *json, const char *key)
{
    const char *text = json_string_value (json_object_get (json, key));
    return text ? text : "";
}

static void tell_rivals (const json_t *rivals, bool then)
{
    size_t count = json_array_size (rivals);
    if (count == 0) {
        return;
    }
    fprintf (stderr, "saker: %zu rival value%s kept%s:\n", count,
             then         ? count == 1 ? " was" : "s were"
             : count == 1 ? " is"
                          : "s are",
             then ? "" : "; settle with saker conflicts, or write the place again");
    for (size_t i = 0; i < count && i < RIVALS_TOLD_MAX; i++) {
        const json_t *rival = json_array_get (rivals, i);
        fputs ("saker:   rival at ", stderr);
        paint_text (stderr, PAINT_BOLD, string_of (rival, "pointer"));
        fputs (": ", stderr);
        print_value (stderr, PAINT_YELLOW, json_object_get (rival, "value"));
        fputs (" by ", stderr);
        paint_text (stderr, PAINT_BOLD, string_of (rival, "author"));
        fprintf (stderr, " at %s\n", string_of (rival, "time"));
    }
    if (count > RIVALS_TOLD_MAX) {
        fprintf (stderr, "saker:   and %zu more; see --json\n", count - RIVALS_TOLD_MAX);
    }
}

static saker_err_t print_who (call_t *call, const get_t *get)
{
    static const char *const heading[] = {"PLACE", "VALUE", "AUTHOR", "TIME", ""};
    paint_table_t table = {0};
    paint_table_add (&table, PAINT_NONE, 5, heading);
    for (size_t i = 0; i < json_array_size (get->leaves); i++) {
        const json_t *leaf = json_array_get (get->leaves, i);
        strbuf_t text = {0};
        canon_add (&text, json_object_get (leaf, "value"));
        bool rival = json_is_true (json_object_get (leaf, "rival"));
        const char *const cells[] = {string_of (leaf, "pointer"), text.data ? text.data : "",
                                     string_of (leaf, "author"), string_of (leaf, "time"),
                                     rival ? "rival" : string_of (leaf, "cell")};
        paint_table_add (&table, rival ? PAINT_YELLOW : PAINT_NONE, 5, cells);
        strbuf_free (&text);
    }
    paint_table_print (&table, stdout);
    bool failed = table.failed;
    paint_table_free (&table);
    return failed ? call_memory (call) : SAKER_OK;
}

static saker_err_t print_json (call_t *call, const place_t *place, const get_t *get, json_t *data)
{
    json_t *json =
        json_pack ("{s:s,s:s,s:s,s:O,s:O}", "collection", place->collection, "document",
                   place->document, "pointer", place->pointer, "data", data, "rivals", get->rivals);
    if (json && call_option (call, "who")) {
        json_object_set (json, "leaves", get->leaves);
    }
    return say_json (call, json);
}

static saker_err_t print_data (call_t *call, const place_t *place, const get_t *get, json_t *data)
{
    if (call->json) {
        return print_json (call, place, get, data);
    }
    if (call_option (call, "who")) {
        return print_who (call, get);
    }
    tell_rivals (get->rivals, get->then);
    if (call_option (call, "raw") && json_is_string (data)) {
        fwrite (json_string_value (data), 1, json_string_length (data), stdout);
        putchar ('\n');
        return SAKER_OK;
    }
    return say_json (call, json_incref (data));
}

static saker_err_t read_place (call_t *call, const place_t *place, get_t *get)
{
    saker_err_t error = call_open (call);
    if (error == SAKER_OK && get->then) {
        error = call_library (call, saker_read_then (call->peer, place->collection, place->document,
                                                     place->pointer, get->time_ms, take_leaf, get));
    } else if (error == SAKER_OK) {
        error = call_library (call, saker_read (call->peer, place->collection, place->document,
                                                place->pointer, take_leaf, get));
    }
    if (error != SAKER_OK) {
        return error;
    }
    json_t *whole = tree_take (&get->tree);
    json_t *data = tree_at (whole, place->pointer);
    if (get->tree.failed) {
        error = call_memory (call);
    } else if (!data) {
        error = call_fail (call, SAKER_ENOTFOUND, "%s/%s has nothing at %s", place->collection,
                           place->document, *place->pointer ? place->pointer : "the top");
    } else {
        error = print_data (call, place, get, data);
    }
    json_decref (whole);
    return error;
}

static saker_err_t run_get (call_t *call)
{
    place_t place;
    saker_err_t error = place_parse (call, call_word (call, 0), call_word (call, 1), &place);
    if (error != SAKER_OK) {
        return error;
    }
    get_t get = {.then = call_option (call, "at") != NULL};
    if (get.then) {
        error = moment_option (call, "at", &get.time_ms);
    }
    if (error != SAKER_OK) {
        return error;
    }
    get.rivals = json_array ();
    get.leaves = json_array ();
    error = read_place (call, &place, &get);
    json_decref (get.rivals);
    json_decref (get.leaves);
    tree_free (&get.tree);
    return error;
}

static const option_t get_options[] = {
    {"who", NULL, "show each value with who wrote it and when, rivals included"},
    {"raw", NULL, "print a text without quotes"},
    {NULL, NULL, NULL},
};

const command_t cmd_get = {
    .name = "get",
    .run = run_get,
    .usage = "COLL/DOC [PATH] [--who] [--raw]",
    .summary = "Print a document, or the part of it at PATH (a JSON Pointer), as JSON.",
    .details = "Rival values, kept because two peers wrote at once, are told on stderr "
               "and are all in the output of --json.",
    .options = get_options,
    .example = "saker get languages/fra\nsaker get languages/fra /name --raw",
    .words_min = 1,
    .words_max = 2,
};

static saker_err_t run_show (call_t *call)
{
    return call_option (call, "at")
               ? run_get (call)
               : call_fail (call, SAKER_EUSAGE, "show: as of when? give --at TIME, as in --at 2h");
}

static const option_t show_options[] = {
    {"at", "TIME", "the time: 2026-11-29T12:00:00Z, or how long ago: 10m, 2h, 3d"},
    {"who", NULL, "show each value with who wrote it and when, rivals included"},
    {"raw", NULL, "print a text without quotes"},
    {NULL, NULL, NULL},
};

const command_t cmd_show = {
    .name = "show",
    .run = run_show,
    .usage = "COLL/DOC [PATH] --at TIME [--who] [--raw]",
    .summary = "Print a document, or the part of it at PATH, as it was at a time.",
    .details = "Times are those of the writers' clocks: what was written at TIME or "
               "before, by whom ever, counts, so every peer with the same changes prints "
               "the same. Exit status 19 when the history that is kept here does not "
               "reach back so far, 1 when TIME lies in the future. See MOMENTS.",
    .options = show_options,
    .example = "saker show shots/sc010 --at 2h\n"
               "saker show shots/sc010 /title --at 2026-11-29T12:00:00Z",
    .words_min = 1,
    .words_max = 2,
};
