/* log: who changed a document, when, how, and on top of what. */

#include "canon.h"
#include "commands.h"
#include "paint.h"
#include "place.h"
#include "say.h"
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct log_t {
    call_t *call;
    const char *pointer; /* only what concerns it */
    uint64_t limit;      /* changes still wanted */
    bool cut;            /* there are more than were wanted */
    saker_err_t error;
} log_t;

static const char *action_name (saker_action_t action)
{
    switch (action) {
    case SAKER_SET:
        return "set";
    case SAKER_SET_LWW:
        return "set lww";
    case SAKER_DELETE:
        return "delete";
    case SAKER_SET_MAP:
        return "set map";
    case SAKER_INCR:
        return "incr";
    case SAKER_ADD:
        return "add";
    case SAKER_REMOVE:
        return "remove";
    }
    return "unknown";
}

static bool has_value (saker_action_t action)
{
    return action != SAKER_DELETE && action != SAKER_SET_MAP;
}

/* Is one of two places at or above the other? */
static bool concerns (const char *pointer, const char *wanted)
{
    size_t shorter = strlen (pointer) < strlen (wanted) ? strlen (pointer) : strlen (wanted);
    return strncmp (pointer, wanted, shorter) == 0 && (!pointer[shorter] || pointer[shorter] == '/')
           && (!wanted[shorter] || wanted[shorter] == '/');
}

static bool is_wanted (const log_t *log, const saker_change_t *change)
{
    for (size_t i = 0; i < change->operations_count; i++) {
        if (concerns (change->operations[i].pointer, log->pointer)) {
            return true;
        }
    }
    return change->sealed || change->damaged;
}

/* ---- for programs */

static json_t *operation_json (const saker_operation_t *operation)
{
    json_t *json =
        json_pack ("{s:s,s:s,s:o,s:I}", "action", action_name (operation->action), "pointer",
                   operation->pointer, "over", say_bases (operation->bases, operation->bases_count),
                   "over_more", (json_int_t) operation->bases_more);
    if (json && has_value (operation->action)) {
        json_object_set_new (json, "value", tree_value (&operation->value));
    }
    return json;
}

static saker_err_t change_line (log_t *log, const saker_change_t *change)
{
    char writer[33], time[PAINT_TIME_MAX];
    json_t *operations = json_array ();
    say_hex (change->writer, writer);
    paint_time (change->time_ms, time);
    for (size_t i = 0; i < change->operations_count; i++) {
        if (concerns (change->operations[i].pointer, log->pointer)) {
            json_array_append_new (operations, operation_json (&change->operations[i]));
        }
    }
    const char *state = change->damaged ? "damaged" : change->sealed ? "sealed" : "readable";
    return say_json (log->call,
                     json_pack ("{s:I,s:s,s:s,s:s,s:I,s:s,s:o}", "position",
                                (json_int_t) change->position, "time", time, "author",
                                change->author, "writer", writer, "seq", (json_int_t) change->seq,
                                "state", state, "operations", operations));
}

/* ---- for people */

static void print_value (const saker_value_t *value, paint_t paint)
{
    strbuf_t text = {0};
    json_t *json = tree_value (value);
    canon_add (&text, json);
    paint_text (stdout, paint, text.data ? text.data : "?");
    strbuf_free (&text);
    json_decref (json);
}

static void print_operation (const saker_operation_t *operation, size_t width)
{
    printf ("    %-8s", action_name (operation->action));
    const char *pointer = *operation->pointer ? operation->pointer : "(all of it)";
    paint_text (stdout, PAINT_BOLD, pointer);
    if (has_value (operation->action)) {
        size_t own = paint_width (pointer);
        printf ("%*s", (int) (width > own ? width - own + 2 : 2), "");
        if (operation->action == SAKER_INCR && operation->value.as.integer > 0) {
            putchar ('+');
        }
        print_value (&operation->value, PAINT_GREEN);
    }
    putchar ('\n');
    say_over (operation->bases, operation->bases_count, operation->bases_more, operation->pointer,
              "            ");
}

static void print_change (const log_t *log, const saker_change_t *change)
{
    char time[PAINT_TIME_MAX];
    size_t width = 0;
    paint_time (change->time_ms, time);
    if (change->damaged) {
        printf ("position %" PRIu64 "\n", change->position);
        puts ("    its record is damaged: it may have touched the document or not");
        return;
    }
    printf ("%s  ", time);
    paint_text (stdout, PAINT_BOLD, *change->author ? change->author : "(unknown)");
    printf ("  change %" PRIu64 "\n", change->seq);
    if (change->sealed) {
        puts ("    sealed: this device has not the key to it: it may have touched the document or "
              "not");
    }
    for (size_t i = 0; i < change->operations_count; i++) {
        size_t own = paint_width (change->operations[i].pointer);
        width = own > width && own <= 40 ? own : width;
    }
    for (size_t i = 0; i < change->operations_count; i++) {
        if (concerns (change->operations[i].pointer, log->pointer)) {
            print_operation (&change->operations[i], width);
        }
    }
}

static int take_change (const saker_change_t *change, void *argument)
{
    log_t *log = argument;
    if (!is_wanted (log, change)) {
        return 0;
    }
    if (log->limit == 0) {
        log->cut = true;
        return 1;
    }
    log->limit--;
    if (log->call->json) {
        log->error = change_line (log, change);
    } else {
        print_change (log, change);
    }
    return log->error != SAKER_OK;
}

/* Nothing is silently shown as complete. */
static saker_err_t print_begin (const log_t *log, const char *collection,
                                const saker_begin_t *begin)
{
    char time[PAINT_TIME_MAX];
    paint_time (begin->time_ms, time);
    if (log->call->json) {
        return say_json (log->call, json_pack ("{s:{s:b,s:s,s:b}}", "begin", "whole", begin->whole,
                                               "time", time, "cut_by_limit", log->cut));
    }
    if (log->cut) {
        puts ("there is more; see --limit");
    } else if (begin->whole) {
        printf ("the history of %s is whole: it begins at %s\n", collection, time);
    } else {
        printf ("the history of %s is known from %s on: what was before is not kept here\n",
                collection, time);
    }
    return SAKER_OK;
}

static saker_err_t take_limit (call_t *call, uint64_t *limit)
{
    const char *text = call_option (call, "limit");
    char *end = NULL;
    *limit = UINT64_MAX;
    if (!text) {
        return SAKER_OK;
    }
    *limit = *text >= '0' && *text <= '9' ? strtoull (text, &end, 10) : 0;
    return *limit > 0 && end && !*end
               ? SAKER_OK
               : call_fail (call, SAKER_EUSAGE, "--limit %s is no number of changes", text);
}

static saker_err_t run_log (call_t *call)
{
    place_t place;
    saker_begin_t begin = {.whole = false};
    log_t log = {.call = call};
    saker_err_t error = place_parse (call, call_word (call, 0), call_word (call, 1), &place);
    if (error == SAKER_OK) {
        error = take_limit (call, &log.limit);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    log.pointer = place.pointer;
    if (error == SAKER_OK) {
        error = call_library (call, saker_log (call->peer, place.collection, place.document,
                                               take_change, &log, &begin));
    }
    if (error == SAKER_OK) {
        error = log.error;
    }
    return error == SAKER_OK ? print_begin (&log, place.collection, &begin) : error;
}

static const option_t log_options[] = {
    {"limit", "N", "show the N changes that were applied last (default: all that are kept)"},
    {NULL, NULL, NULL},
};

const command_t cmd_log = {
    .name = "log",
    .run = run_log,
    .usage = "COLL/DOC [PATH] [--limit N]",
    .summary = "List the changes of a document, or of PATH in it: who, when, what, and over what.",
    .details = "The change that was applied last at this peer comes first. What a change "
               "replaced is told with its author and time; what is not kept here any "
               "more, with its author. A change that this device has no key to is listed "
               "as sealed. The last line tells where the history of the collection "
               "begins: whole, or known from a time on.",
    .options = log_options,
    .example = "saker log shots/sc010\nsaker log shots/sc010 /title --limit 5",
    .words_min = 1,
    .words_max = 2,
};
