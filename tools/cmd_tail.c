/* tail: what happens at this peer, a line each: changes that are applied, links that come and go,
   and what is counted of refusals, conflicts and damage. */

#include "commands.h"
#include "moment.h"
#include "paint.h"
#include "progress.h"
#include "say.h"
#include "told.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MS 250
#define LEVEL_MS 10000 /* so long it lasts when this program is gone */
#define RENEW_MS 3000

typedef struct tail_t {
    call_t *call;
    json_t *status, *links; /* of the round before */
    uint64_t seen, wanted;
    int level;           /* of the daemon's log, meanwhile; -1: as it is */
    uint64_t leveled_ms; /* when it was asked for last; 0: not yet */
    saker_err_t error;
} tail_t;

/* What is told when it grows, or changes. */
static const struct {
    const char *pointer, *kind, *words;
} counts[] = {
    {"/refused/all", "refused", "changes were refused"},
    {"/data/conflicts", "conflicts", "places have rivals"},
    {"/store/damaged_records", "damaged", "damaged records were met"},
    {"/store/failed_commits", "failed", "groups of writes failed"},
    {"/changes/waiting", "waiting", "changes wait for others"},
    {"/mesh/members", "members", "members"},
    {"/door/refused", "door", "connections of no members were refused"},
};

#define COUNTS (sizeof counts / sizeof *counts)

static bool is_over (const tail_t *self)
{
    return self->seen >= self->wanted || self->error != SAKER_OK;
}

/* One line: when, of which kind, what. */
static void say (tail_t *self, const char *kind, const char *what)
{
    char time[PAINT_TIME_MAX];
    if (is_over (self)) {
        return;
    }
    paint_time (moment_now (), time);
    self->seen++;
    if (self->call->json) {
        self->error = say_json (
            self->call, json_pack ("{s:s,s:s,s:s}", "time", time, "kind", kind, "what", what));
    } else {
        printf ("%s %-9s ", time, kind);
        paint_text (stdout, PAINT_NONE, what);
        putchar ('\n');
    }
    self->error = self->error == SAKER_OK ? say_end (self->call) : self->error;
}

static int take_event (const saker_event_t *event, void *argument)
{
    tail_t *self = argument;
    char what[512];
    snprintf (what, sizeof what, "%s/%s by %s, its change %" PRIu64, event->collection,
              event->document, *event->author ? event->author : "(unknown)", event->seq);
    say (self, "change", what);
    return is_over (self);
}

static const json_t *find_link (const json_t *links, const char *id)
{
    for (size_t i = 0; i < json_array_size (links); i++) {
        if (strcmp (told_text (json_array_get (links, i), "/id", ""), id) == 0) {
            return json_array_get (links, i);
        }
    }
    return NULL;
}

static void compare_links (tail_t *self, const json_t *fresh)
{
    char what[256];
    for (size_t i = 0; i < json_array_size (fresh); i++) {
        const json_t *link = json_array_get (fresh, i);
        const json_t *before = find_link (self->links, told_text (link, "/id", ""));
        const char *was = before ? told_state (before) : "new", *is = told_state (link);
        if (strcmp (was, is) != 0) {
            snprintf (what, sizeof what, "%s: %s, before %s", told_text (link, "/name", "?"), is,
                      was);
            say (self, "link", what);
        }
    }
}

static void compare_counts (tail_t *self, const json_t *fresh)
{
    char what[128];
    for (size_t i = 0; i < COUNTS; i++) {
        int64_t was = told_int (self->status, counts[i].pointer, 0);
        int64_t is = told_int (fresh, counts[i].pointer, 0);
        if (was != is) {
            snprintf (what, sizeof what, "%" PRId64 " %s, before %" PRId64, is, counts[i].words,
                      was);
            say (self, counts[i].kind, what);
        }
    }
}

/* With `silent`, only takes note. */
static saker_err_t look (tail_t *self, bool silent)
{
    json_t *status = NULL, *links = NULL;
    saker_err_t error = told_status (self->call, &status);
    error = error == SAKER_OK ? told_links (self->call, &links) : error;
    if (error == SAKER_OK && !silent) {
        compare_links (self, links);
        compare_counts (self, status);
    }
    if (error == SAKER_OK) {
        json_decref (self->status);
        json_decref (self->links);
        self->status = status;
        self->links = links;
        return SAKER_OK;
    }
    json_decref (status);
    return error;
}

static saker_err_t keep_level (tail_t *self)
{
    uint64_t now_ms = progress_now_ms ();
    if (self->level < 0 || (self->leveled_ms && now_ms - self->leveled_ms < RENEW_MS)) {
        return SAKER_OK;
    }
    self->leveled_ms = now_ms;
    return call_library (self->call, saker_log_level (self->call->peer, self->level, LEVEL_MS));
}

static saker_err_t one_round (tail_t *self, saker_cursor_t *cursor, int timeout_ms)
{
    saker_err_t error = saker_watch (self->call->peer, NULL, cursor, timeout_ms, take_event, self);
    if (error
        == SAKER_EGAP) { /* the store began anew: a snapshot, or what was void was taken back */
        say (self, "anew", "much changed at once; what is there now is to be read anew");
        error = saker_now (self->call->peer, cursor);
    }
    if (error != SAKER_OK && error != SAKER_ETIMEOUT) {
        return call_library (self->call, error);
    }
    return self->error != SAKER_OK ? self->error : look (self, false);
}

static saker_err_t parse_count (call_t *call, uint64_t *count)
{
    const char *text = call_option (call, "count");
    char *end = NULL;
    *count = text ? strtoull (text, &end, 10) : UINT64_MAX;
    return text && (*text < '0' || *text > '9' || *end)
               ? call_fail (call, SAKER_EUSAGE, "--count %s is no number", text)
               : SAKER_OK;
}

static saker_err_t run_on (tail_t *self, int64_t timeout_ms)
{
    saker_cursor_t cursor;
    uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : progress_now_ms () + (uint64_t) timeout_ms;
    saker_err_t error = call_library (self->call, saker_now (self->call->peer, &cursor));
    error = error == SAKER_OK ? look (self, true) : error;
    while (error == SAKER_OK && !is_over (self)) {
        uint64_t now_ms = progress_now_ms ();
        if (now_ms >= deadline_ms) {
            return call_fail (self->call, SAKER_ETIMEOUT, "the time of --timeout is up");
        }
        uint64_t left_ms = deadline_ms - now_ms;
        error = keep_level (self);
        error = error != SAKER_OK
                    ? error
                    : one_round (self, &cursor, left_ms < ROUND_MS ? (int) left_ms : ROUND_MS);
    }
    return error != SAKER_OK ? error : self->error;
}

static saker_err_t parse_level (call_t *call, int *level)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    const char *text = call_option (call, "level");
    *level = -1;
    for (int i = 0; text && i < 4; i++) {
        *level = strcmp (text, levels[i]) == 0 ? i : *level;
    }
    return text && *level < 0 ? call_fail (call, SAKER_EUSAGE,
                                           "--level %s: it is error, warning, info or debug", text)
                              : SAKER_OK;
}

static saker_err_t run_tail (call_t *call)
{
    tail_t self = {.call = call};
    int64_t timeout_ms = 0;
    saker_err_t error = parse_count (call, &self.wanted);
    error = error == SAKER_OK ? parse_level (call, &self.level) : error;
    error = error == SAKER_OK ? call_duration (call, "timeout", -1, &timeout_ms) : error;
    error = error == SAKER_OK ? call_open (call) : error;
    error = error == SAKER_OK ? run_on (&self, timeout_ms) : error;
    if (self.leveled_ms && call->peer) {
        (void) saker_log_level (call->peer, 0, 0);
    }
    json_decref (self.status);
    json_decref (self.links);
    return error;
}

static const option_t tail_options[] = {
    {"count", "N", "end after N lines"},
    {"timeout", "TIME", "end after this time, with exit status 12"},
    {"level", "LEVEL", "meanwhile the daemon's log tells more: info or debug"},
    {NULL, NULL, NULL},
};

const command_t cmd_tail = {
    .name = "tail",
    .run = run_tail,
    .usage = "[--count N] [--timeout TIME] [--level LEVEL]",
    .summary = "Print what happens at this peer, live: changes, links, refusals, conflicts.",
    .details =
        "A line is the time, the kind (change, link, refused, conflicts, damaged, "
        "failed, waiting, members, door, anew) and what it was. It ends with the "
        "daemon, with exit status 13. With --level the log of sakerd (on its stderr, or in the "
        "journal) tells more while this runs, and for ten seconds at most after it was killed.",
    .options = tail_options,
    .example = "saker tail  # until Ctrl-C\nsaker tail --level debug  # until Ctrl-C",
    .words_min = 0,
    .words_max = 0,
};
