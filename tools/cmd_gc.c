/* gc: let go of history that nobody needs any more, and say what holds the rest. */

#include "amounts.h"
#include "commands.h"
#include "paint.h"
#include "say.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define GC_MS 60000

typedef struct gc_t {
    json_t *logs;
    paint_table_t table;
    bool failed;
} gc_t;

static void say_time (int64_t time_ms, char text[32])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm parts;
    if (!gmtime_r (&seconds, &parts) || !strftime (text, 32, "%Y-%m-%d %H:%M:%SZ", &parts)) {
        snprintf (text, 32, "?");
    }
}

static void say_holder (const saker_holder_t *holder, char *text, size_t size)
{
    char since[32], bytes[32];
    amount_bytes (holder->bytes, bytes);
    say_time (holder->since_ms, since);
    bool heard = holder->since_ms != 0;
    if (strcmp (holder->why, "unheard") == 0) {
        snprintf (text, size, "%s was not heard since this daemon started; %s wait for it",
                  holder->peer, bytes);
        return;
    }
    if (strcmp (holder->why, "returned") == 0) {
        snprintf (text, size,
                  "%s was restored or copied, and may write as two: nothing is cut until it closes "
                  "what it was before, once all members were heard; %s wait for it",
                  holder->peer, bytes);
        return;
    }
    if (strcmp (holder->why, "closed") == 0) {
        snprintf (text, size,
                  "%s lost a right, or was fenced, at %" PRIu64
                  " changes that are not here yet: nothing is cut before they are, or an admin "
                  "states that again (saker role %s none); %s wait for it",
                  holder->peer, holder->missing, holder->peer, bytes);
        return;
    }
    const char *why = strcmp (holder->why, "roster") == 0
                          ? "; its report waits for the roster that it had"
                      : strcmp (holder->why, "own") == 0 ? "; its report waits for its own changes"
                      : strcmp (holder->why, "fork") == 0
                          ? "; it has another change of a writer: see saker verify"
                          : "";
    snprintf (text, size, "%s is not known to have %" PRIu64 " changes%s%s%s; %s wait for it",
              holder->peer, holder->missing, why,
              heard ? "; its last report that counts is of " : "; no report of it counted yet",
              heard ? since : "", bytes);
}

static void say_first (const saker_kept_t *kept, char *text, size_t size)
{
    char time[32];
    say_time (kept->time_ms, time);
    if (strcmp (kept->held_by, "history") == 0) {
        snprintf (text, size, "history: the next change is of %s", time);
    } else if (strcmp (kept->held_by, "member") == 0) {
        snprintf (text, size, "members that have not stored the next change");
    } else {
        snprintf (text, size, "%s", *kept->held_by ? "nothing" : "-");
    }
}

static void add_rows (gc_t *self, const saker_kept_t *kept)
{
    char changes[32], bytes[32], going[64], size[32], text[256];
    snprintf (changes, sizeof changes, "%" PRIu64, kept->changes);
    amount_bytes (kept->bytes, bytes);
    amount_bytes (kept->going_bytes, size);
    snprintf (going, sizeof going, "%" PRIu64 "%s (%s)", kept->going, kept->estimated ? "+" : "",
              size);
    say_first (kept, text, sizeof text);
    const char *const cells[] = {kept->collection, changes, bytes, going, text};
    paint_table_add (&self->table, PAINT_NONE, 5, cells);
    for (size_t i = 0; i < kept->holders_count; i++) {
        say_holder (&kept->holders[i], text, sizeof text);
        const char *const row[] = {"", "", "", "", text};
        paint_table_add (&self->table, PAINT_YELLOW, 5, row);
    }
}

static void add_json (gc_t *self, const saker_kept_t *kept)
{
    json_t *holders = json_array ();
    for (size_t i = 0; i < kept->holders_count; i++) {
        const saker_holder_t *holder = &kept->holders[i];
        json_t *json =
            json_pack ("{s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "peer", holder->peer, "id", holder->id,
                       "why", holder->why, "missing", (json_int_t) holder->missing, "since_ms",
                       (json_int_t) holder->since_ms, "changes", (json_int_t) holder->changes,
                       "bytes", (json_int_t) holder->bytes);
        self->failed |= json_array_append_new (holders, json) != 0;
    }
    json_t *log =
        json_pack ("{s:s,s:I,s:I,s:I,s:I,s:b,s:s,s:I,s:o}", "collection", kept->collection,
                   "changes", (json_int_t) kept->changes, "bytes", (json_int_t) kept->bytes,
                   "going", (json_int_t) kept->going, "going_bytes", (json_int_t) kept->going_bytes,
                   "estimated", kept->estimated, "held_by", kept->held_by, "time_ms",
                   (json_int_t) kept->time_ms, "holders", holders);
    self->failed |= json_array_append_new (self->logs, log) != 0;
}

static int take_kept (const saker_kept_t *kept, void *argument)
{
    gc_t *self = argument;
    add_rows (self, kept);
    add_json (self, kept);
    return 0;
}

static saker_err_t print_result (call_t *call, const gc_t *self, bool plan, const saker_gc_t *gone)
{
    char bytes[32];
    if (call->json) {
        return say_json (call, json_pack ("{s:b,s:I,s:I,s:O}", "plan", plan, "cut",
                                          (json_int_t) gone->changes, "cut_bytes",
                                          (json_int_t) gone->bytes, "logs", self->logs));
    }
    paint_table_print (&self->table, stdout);
    if (!plan) {
        amount_bytes (gone->bytes, bytes);
        printf ("cut: %" PRIu64 " changes, %s\n", gone->changes, bytes);
    }
    return SAKER_OK;
}

static saker_err_t run_gc (call_t *call)
{
    static const char *const heading[] = {"COLLECTION", "CHANGES", "BYTES", "CAN GO", "HELD BY"};
    gc_t self = {.logs = json_array ()};
    saker_gc_t gone = {0};
    bool plan = call_option (call, "plan") != NULL;
    int64_t timeout_ms = 0;
    paint_table_add (&self.table, PAINT_NONE, 5, heading);
    saker_err_t error = call_duration (call, "timeout", GC_MS, &timeout_ms);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = call_library (
            call, saker_gc (call->peer, plan, (int) timeout_ms, &gone, take_kept, &self));
    }
    if (self.failed || self.table.failed) {
        error = call_memory (call);
    } else if (error == SAKER_OK) {
        error = print_result (call, &self, plan, &gone);
    }
    json_decref (self.logs);
    paint_table_free (&self.table);
    return error;
}

static const option_t gc_options[] = {
    {"plan", NULL, "change nothing: only say what could go, and what holds the rest"},
    {"timeout", "TIME", "how long to wait until it is done (default: 60s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_gc = {
    .name = "gc",
    .run = run_gc,
    .usage = "[--plan] [--timeout TIME]",
    .summary = "Cut the log of what all members have stored and what history does not keep.",
    .details = "The daemon does so by itself every few seconds; how much history it "
               "keeps is set in saker.conf(5). For each collection it is told what its "
               "log holds, what can go, and who holds the rest back, since when, and how "
               "many bytes wait for it. While a member is there that was restored from a "
               "backup or cloned, nothing is cut until an admin fences it once.",
    .options = gc_options,
    .example = "saker gc --plan",
    .words_min = 0,
    .words_max = 0,
};
