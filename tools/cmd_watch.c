/* watch: prints what changes, as it is applied here. */

#include "commands.h"
#include "paint.h"
#include "progress.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

#define ROUND_MS 10000

typedef struct watch_t {
    call_t *call;
    uint64_t seen, wanted; /* events */
    uint64_t position;     /* of the last event */
    saker_err_t error;
} watch_t;

static saker_err_t print_event (call_t *call, const saker_event_t *event)
{
    char time[PAINT_TIME_MAX], writer[33];
    paint_time (event->time_ms, time);
    say_hex (event->writer, writer);
    const char *author = event->author ? event->author : "";
    if (call->json) {
        return say_json (call,
                         json_pack ("{s:I,s:s,s:s,s:s,s:s,s:I,s:s}", "position",
                                    (json_int_t) event->position, "collection", event->collection,
                                    "document", event->document, "author", author, "writer", writer,
                                    "seq", (json_int_t) event->seq, "time", time));
    }
    printf ("%s ", time);
    paint_text (stdout, PAINT_BOLD, event->collection);
    putchar ('/');
    paint_text (stdout, PAINT_BOLD, event->document);
    putchar (' ');
    paint_text (stdout, PAINT_NONE, author);
    putchar ('\n');
    return SAKER_OK;
}

/* Stops only between two changes: a cursor counts whole changes. */
static int take_event (const saker_event_t *event, void *argument)
{
    watch_t *watch = argument;
    if (watch->seen >= watch->wanted && event->position != watch->position) {
        return 1;
    }
    watch->seen++;
    watch->position = event->position;
    watch->error = print_event (watch->call, event);
    return watch->error != SAKER_OK;
}

static saker_err_t begin (call_t *call, const char *name, saker_cursor_t *cursor)
{
    if (name && !call_option (call, "reset")) {
        saker_err_t error = saker_cursor_load (call->peer, name, cursor);
        if (error != SAKER_ENOTFOUND) {
            return call_library (call, error);
        }
    }
    saker_err_t error = call_library (call, saker_begin (call->peer, call_word (call, 0), cursor));
    if (error == SAKER_OK && name) {
        error = call_library (call, saker_cursor_save (call->peer, name, cursor));
    }
    return error;
}

static saker_err_t one_round (call_t *call, watch_t *watch, const char *name,
                              saker_cursor_t *cursor, int timeout_ms)
{
    saker_err_t error =
        saker_watch (call->peer, call_word (call, 0), cursor, timeout_ms, take_event, watch);
    if (error == SAKER_EGAP && name) {
        return call_fail (call, error,
                          "history after the cursor %s is gone; read the data anew (saker export) "
                          "and go on with saker watch --from %s --reset",
                          name, name);
    }
    if (error != SAKER_OK || watch->error != SAKER_OK) {
        return error != SAKER_OK ? call_library (call, error) : watch->error;
    }
    error = say_end (call);
    return error == SAKER_OK && name
               ? call_library (call, saker_cursor_save (call->peer, name, cursor))
               : error;
}

static saker_err_t watch_on (call_t *call, watch_t *watch, const char *name, saker_cursor_t *cursor,
                             uint64_t deadline_ms)
{
    while (watch->seen < watch->wanted) {
        uint64_t now_ms = progress_now_ms ();
        uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
        saker_err_t error =
            one_round (call, watch, name, cursor, (int) (left_ms < ROUND_MS ? left_ms : ROUND_MS));
        if (error == SAKER_ETIMEOUT && progress_now_ms () >= deadline_ms) {
            return call_fail (call, SAKER_ETIMEOUT, "nothing more came in the time of --timeout");
        }
        if (error != SAKER_OK && error != SAKER_ETIMEOUT) {
            return error;
        }
    }
    return SAKER_OK;
}

static saker_err_t parse_count (call_t *call, uint64_t *count)
{
    const char *text = call_option (call, "count");
    char *end = NULL;
    *count = text ? strtoull (text, &end, 10) : UINT64_MAX;
    if (text && (*text < '0' || *text > '9' || *end)) {
        return call_fail (call, SAKER_EUSAGE, "watch: --count %s is no number", text);
    }
    return SAKER_OK;
}

static saker_err_t run_watch (call_t *call)
{
    const char *name = call_option (call, "from");
    name = name && strcmp (name, "now") == 0 ? NULL : name;
    watch_t watch = {.call = call};
    int64_t timeout_ms = 0;
    saker_cursor_t cursor;
    if (call_option (call, "reset") && !name) {
        return call_fail (call, SAKER_EUSAGE, "watch: --reset needs --from NAME");
    }
    saker_err_t error = parse_count (call, &watch.wanted);
    if (error == SAKER_OK) {
        error = call_duration (call, "timeout", -1, &timeout_ms);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = begin (call, name, &cursor);
    }
    uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : progress_now_ms () + (uint64_t) timeout_ms;
    return error == SAKER_OK ? watch_on (call, &watch, name, &cursor, deadline_ms) : error;
}

static const option_t watch_options[] = {
    {"from", "NAME", "go on where the cursor NAME stands, and move it (default: now)"},
    {"reset", NULL, "put the cursor of --from to now first"},
    {"count", "N", "end after N documents; 0 only makes the cursor"},
    {"timeout", "TIME", "end after this time, with exit status 12"},
    {NULL, NULL, NULL},
};

const command_t cmd_watch = {
    .name = "watch",
    .run = run_watch,
    .usage = "[COLL] [--from NAME|now] [--reset] [--count N] [--timeout TIME]",
    .summary = "Print each document that changes, with who changed it, as it is applied here.",
    .details = "A line is the time, the document and the device that changed it. A named "
               "cursor is kept in the store and counts whole changes. Exit status 19 "
               "when the history after the cursor is gone; 22 when the collection "
               "is on its way to this peer, and not all of it is here yet.",
    .options = watch_options,
    .example = "saker watch shots --from backup  # until Ctrl-C",
    .words_min = 0,
    .words_max = 1,
};
