/* trace: the way of the latest change to a document, from here to each member, as they report it.
 */

#include "amounts.h"
#include "commands.h"
#include "moment.h"
#include "paint.h"
#include "place.h"
#include "progress.h"
#include "say.h"
#include "told.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRACE_MS 10000
#define LOOK_EVERY_MS 20 /* as far apart as beats are at least */

typedef struct step_t {
    char id[20], name[72];
    bool there;
    saker_cause_t cause; /* of the last look */
    uint64_t changes;    /* QUEUED, UNCONNECTED */
} step_t;

typedef struct trace_t {
    call_t *call;
    place_t place;
    uint64_t time_ms, seq; /* of the change that is followed */
    char author[72];
    step_t *steps;
    size_t count, open; /* members that have no right are not counted as open */
} trace_t;

static bool is_there (saker_cause_t cause)
{
    return cause == SAKER_WHY_THERE || cause == SAKER_WHY_RIVAL || cause == SAKER_WHY_DELETED;
}

/* Nobody waits for these. */
static bool is_out (saker_cause_t cause)
{
    return cause == SAKER_WHY_NO_RIGHT || cause == SAKER_WHY_UNSUBSCRIBED
           || cause == SAKER_WHY_FENCED || cause == SAKER_WHY_NOT_CARRIED;
}

static saker_err_t say_step (trace_t *self, const step_t *step, int64_t after_ms)
{
    char age[AMOUNT_MAX];
    if (self->call->json) {
        return say_json (self->call,
                         json_pack ("{s:s,s:s,s:o}", "peer", step->name, "id", step->id, "after_ms",
                                    after_ms < 0 ? json_null () : json_integer (after_ms)));
    }
    amount_age (after_ms, age);
    paint_text (stdout, PAINT_GREEN, step->name);
    if (after_ms < 0) {
        puts (" had stored it before this began");
    } else {
        printf (" stored it within %s\n", age);
    }
    return SAKER_OK;
}

static saker_err_t look_at (trace_t *self, step_t *step, bool first)
{
    saker_reason_t reason;
    saker_err_t error =
        call_library (self->call, saker_why (self->call->peer, self->place.collection,
                                             self->place.document, step->id, &reason));
    if (error != SAKER_OK) {
        return error;
    }
    step->cause = reason.cause;
    step->changes = reason.changes;
    step->there = is_there (reason.cause);
    if (!step->there) {
        return SAKER_OK;
    }
    int64_t after_ms = (int64_t) (moment_now () - self->time_ms);
    return say_step (self, step, first ? -1 : after_ms < 0 ? 0 : after_ms);
}

static saker_err_t look_at_all (trace_t *self, bool first)
{
    saker_err_t error = SAKER_OK;
    self->open = 0;
    for (size_t i = 0; i < self->count && error == SAKER_OK; i++) {
        if (!self->steps[i].there) {
            error = look_at (self, &self->steps[i], first);
            self->open += !self->steps[i].there && !is_out (self->steps[i].cause);
        }
    }
    fflush (stdout);
    return error;
}

/* ---- what is followed, and to whom */

static saker_err_t begin (trace_t *self)
{
    saker_reason_t reason;
    saker_err_t error =
        call_library (self->call, saker_why (self->call->peer, self->place.collection,
                                             self->place.document, NULL, &reason));
    if (error == SAKER_OK && (reason.author_seq == 0 || !is_there (reason.cause))) {
        return call_fail (self->call, SAKER_ENOTFOUND,
                          "%s is not here, so there is nothing to follow: saker why %s",
                          call_word (self->call, 0), call_word (self->call, 0));
    }
    if (error == SAKER_OK) {
        self->time_ms = reason.time_ms;
        self->seq = reason.author_seq;
        snprintf (self->author, sizeof self->author, "%s", reason.author);
    }
    return error;
}

static saker_err_t list_members (trace_t *self)
{
    json_t *links = NULL;
    saker_err_t error = told_links (self->call, &links);
    self->steps = calloc (json_array_size (links) + 1, sizeof *self->steps);
    error = error == SAKER_OK && !self->steps ? call_memory (self->call) : error;
    for (size_t i = 0; i < json_array_size (links) && error == SAKER_OK; i++) {
        const json_t *link = json_array_get (links, i);
        if (strcmp (told_text (link, "/role", "none"), "none") != 0
            && strcmp (told_text (link, "/state", ""), "self") != 0) {
            step_t *step = &self->steps[self->count++];
            snprintf (step->id, sizeof step->id, "%s", told_text (link, "/id", ""));
            snprintf (step->name, sizeof step->name, "%s", told_text (link, "/name", ""));
        }
    }
    json_decref (links);
    return error;
}

static void say_begin (const trace_t *self)
{
    char time[PAINT_TIME_MAX];
    if (!self->call->json) {
        paint_time (self->time_ms, time);
        printf ("change %" PRIu64 " of ", self->seq);
        paint_text (stdout, PAINT_BOLD, self->author);
        printf (", written at %s; stored here\n", time);
    }
}

/* ---- the end */

static const char *cause_words (const step_t *step)
{
    switch (step->cause) {
    case SAKER_WHY_NO_RIGHT:
        return "has no right to it";
    case SAKER_WHY_UNSUBSCRIBED:
        return "does not carry it";
    case SAKER_WHY_FENCED:
        return "is fenced";
    case SAKER_WHY_NOT_CARRIED:
    case SAKER_WHY_FETCHED:
        return "carries a part without it";
    case SAKER_WHY_UNCONNECTED:
        return "is not connected";
    case SAKER_WHY_QUEUED:
        return "has not taken it yet";
    default:
        return "does not have it";
    }
}

static void say_missing (const trace_t *self)
{
    for (size_t i = 0; i < self->count && !self->call->json; i++) {
        const step_t *step = &self->steps[i];
        if (!step->there) {
            paint_text (stdout, PAINT_YELLOW, step->name);
            printf (" %s\n", cause_words (step));
        }
    }
}

static saker_err_t follow (trace_t *self, int64_t timeout_ms)
{
    const struct timespec gap = {0, LOOK_EVERY_MS * 1000000};
    uint64_t deadline_ms = progress_now_ms () + (uint64_t) timeout_ms;
    saker_err_t error = look_at_all (self, true);
    while (error == SAKER_OK && self->open > 0 && progress_now_ms () < deadline_ms) {
        (void) nanosleep (&gap, NULL);
        error = look_at_all (self, false);
    }
    if (error != SAKER_OK) {
        return error;
    }
    say_missing (self);
    return self->open == 0
               ? SAKER_OK
               : call_fail (self->call, SAKER_ETIMEOUT,
                            "%zu of %zu members have not reported it: saker why %s PEER",
                            self->open, self->count, call_word (self->call, 0));
}

static saker_err_t run_trace (call_t *call)
{
    trace_t self = {.call = call};
    int64_t timeout_ms = 0;
    saker_err_t error = place_parse (call, call_word (call, 0), NULL, &self.place);
    error = error == SAKER_OK ? call_duration (call, "timeout", TRACE_MS, &timeout_ms) : error;
    error = error == SAKER_OK ? call_open (call) : error;
    error = error == SAKER_OK ? begin (&self) : error;
    error = error == SAKER_OK ? list_members (&self) : error;
    if (error == SAKER_OK) {
        say_begin (&self);
        error = follow (&self, timeout_ms);
    }
    free (self.steps);
    return error;
}

static const option_t trace_options[] = {
    {"timeout", "TIME", "how long to follow it (default: 10s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_trace = {
    .name = "trace",
    .run = run_trace,
    .usage = "COLL/DOC [--timeout TIME]",
    .summary = "Follow the latest change to a document until every member has stored it.",
    .details = "A line for each member as it reports that it has stored the change, with "
               "the time since it was written, by this machine's clock and the author's; "
               "reports come within a second, mostly within some milliseconds. Members "
               "without the right, and fenced ones, are named and not waited for. Exit "
               "status 12 when some are missing in the end.",
    .options = trace_options,
    .example = "saker set shots/sc010 /frames 250 && saker trace shots/sc010",
    .words_min = 1,
    .words_max = 1,
};
