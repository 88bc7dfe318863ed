/* subscribe and unsubscribe: which collections this peer carries. */

#include "commands.h"
#include "paint.h"
#include "progress.h"
#include "say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_MS 30000
#define ROUND_MS 500

/* ---- the list */

typedef struct listing_t {
    json_t *json;
    paint_table_t table;
    size_t leaving, fetching;
    bool failed;
} listing_t;

static int list_one (const saker_subscription_t *one, void *argument)
{
    listing_t *self = argument;
    char changes[32], holders[32];
    bool moves = strcmp (one->state, "leaving") == 0 || strcmp (one->state, "fetching") == 0;
    snprintf (changes, sizeof changes, "%" PRIu64, one->changes);
    snprintf (holders, sizeof holders, "%" PRIu64, one->holders);
    self->leaving += strcmp (one->state, "leaving") == 0;
    self->fetching += strcmp (one->state, "fetching") == 0;
    const char *const cells[] = {one->collection, one->state, changes, holders,
                                 *one->holder ? one->holder : "-"};
    paint_table_add (&self->table, moves ? PAINT_YELLOW : PAINT_NONE, 5, cells);
    json_t *json = json_pack ("{s:s,s:s,s:I,s:I,s:s}", "collection", one->collection, "state",
                              one->state, "changes", (json_int_t) one->changes, "carried_by",
                              (json_int_t) one->holders, "holder", one->holder);
    self->failed |= json_array_append_new (self->json, json) != 0;
    return 0;
}

static saker_err_t print_list (call_t *call, listing_t *self, bool rest)
{
    if (self->failed) {
        return call_memory (call);
    }
    if (call->json) {
        return say_json (call, json_pack ("{s:b,s:O}", "rest", rest, "collections", self->json));
    }
    paint_table_print (&self->table, stdout);
    printf ("collections that are not listed, also those made later: %s\n",
            rest ? "carried" : "not carried");
    return SAKER_OK;
}

static saker_err_t list (call_t *call)
{
    static const char *const heading[] = {"COLLECTION", "STATE", "CHANGES HERE", "CARRIED BY",
                                          "ADMIN WITH ALL OF IT"};
    listing_t self = {.json = json_array ()};
    bool rest = true;
    paint_table_add (&self.table, PAINT_NONE, 5, heading);
    saker_err_t error =
        call_library (call, saker_subscriptions (call->peer, &rest, list_one, &self));
    error = error == SAKER_OK ? print_list (call, &self, rest) : error;
    paint_table_free (&self.table);
    json_decref (self.json);
    return error;
}

/* ---- choosing */

typedef saker_err_t narrow_fn (saker_t *self, const char *const *collections, size_t count,
                               int timeout_ms, bool *changed);

/* In rounds, so that the line tells that it goes on. What was stated is not stated again: a later
   round only waits. */
static saker_err_t narrow_shown (call_t *call, narrow_fn *narrow, int64_t timeout_ms, bool *changed)
{
    progress_t progress;
    uint64_t begun_ms = progress_now_ms (), now_ms = begun_ms;
    uint64_t deadline_ms = begun_ms + (uint64_t) timeout_ms;
    saker_err_t error;
    progress_begin (&progress, "waiting for an admin's peer to have it", (uint64_t) timeout_ms);
    do {
        bool moved = false;
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        error = narrow (call->peer, call->words, call->words_count,
                        (int) (left_ms < ROUND_MS ? left_ms : ROUND_MS), &moved);
        *changed |= moved;
        now_ms = progress_now_ms ();
        progress_step (&progress, now_ms - begun_ms);
    } while ((error == SAKER_ETIMEOUT || error == SAKER_EWAIT) && now_ms < deadline_ms);
    call_library (call, error);
    progress_end (&progress);
    return error;
}

static saker_err_t narrow (call_t *call, narrow_fn *function, bool *changed)
{
    int64_t timeout_ms = 0;
    saker_err_t error = call_duration (call, "timeout", LEAVE_MS, &timeout_ms);
    timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms;
    if (error != SAKER_OK) {
        return error;
    }
    return isatty (STDERR_FILENO)
               ? narrow_shown (call, function, timeout_ms, changed)
               : call_library (call, function (call->peer, call->words, call->words_count,
                                               (int) timeout_ms, changed));
}

/* ---- names that nothing knows */

/* A collection may be chosen before anything of it comes, so a mistyped name is no error. */
typedef struct unknown_t {
    char (*names)[SAKER_COLLECTION_BYTES_MAX + 1]; /* those that are known */
    size_t count, capacity;
    json_t *json; /* of the others, each with the one that is most like it */
    bool failed;
} unknown_t;

static int know_one (const saker_subscription_t *one, void *argument)
{
    unknown_t *self = argument;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 16;
        void *grown = realloc (self->names, capacity * sizeof *self->names);
        if (!grown) {
            self->failed = true;
            return 1;
        }
        self->names = grown;
        self->capacity = capacity;
    }
    snprintf (self->names[self->count++], sizeof *self->names, "%s", one->collection);
    return 0;
}

static void look_at_word (unknown_t *self, const char *const *names, const char *word)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (names[i], word) == 0) {
            return;
        }
    }
    const char *nearest = saker_nearest (word, names, self->count);
    json_t *json = json_pack ("{s:s,s:s?}", "collection", word, "nearest", nearest);
    self->failed |= json_array_append_new (self->json, json) != 0;
}

/* Before anything is chosen, since what is chosen is listed. */
static saker_err_t find_unknown (call_t *call, unknown_t *self)
{
    *self = (unknown_t){.json = json_array ()};
    saker_err_t error = call_library (call, saker_subscriptions (call->peer, NULL, know_one, self));
    const char **names = calloc (self->count + 1, sizeof *names);
    if (error == SAKER_OK && (!names || self->failed)) {
        error = call_memory (call);
    }
    for (size_t i = 0; error == SAKER_OK && i < self->count; i++) {
        names[i] = self->names[i];
    }
    for (size_t i = 0; error == SAKER_OK && i < call->words_count; i++) {
        look_at_word (self, names, call->words[i]);
    }
    free (names);
    free (self->names);
    self->names = NULL;
    return error == SAKER_OK && self->failed ? call_memory (call) : error;
}

static void tell_unknown (const unknown_t *self)
{
    size_t index;
    json_t *one;
    json_array_foreach (self->json, index, one)
    {
        const char *nearest = json_string_value (json_object_get (one, "nearest"));
        fputs ("saker: note: no collection '", stderr);
        paint_text (stderr, PAINT_NONE, json_string_value (json_object_get (one, "collection")));
        fputs ("' is known yet; ", stderr);
        if (nearest) {
            fputs ("did you mean '", stderr);
            paint_text (stderr, PAINT_NONE, nearest);
            fputs ("'?\n", stderr);
        } else {
            fputs ("saker subscribe lists those that are\n", stderr);
        }
    }
}

static saker_err_t say_changed (call_t *call, bool changed, const char *sentence, json_t *unknown)
{
    if (call->json) {
        json_t *json = json_pack ("{s:b}", "changed", changed);
        if (unknown) {
            json_object_set (json, "unknown", unknown);
        }
        return say_json (call, json);
    }
    puts (changed ? sentence : "nothing to change: it is so already");
    return SAKER_OK;
}

static saker_err_t choose (call_t *call, bool *changed)
{
    return call_option (call, "only")
               ? narrow (call, saker_subscribe_only, changed)
               : call_library (
                   call, saker_subscribe (call->peer, call->words, call->words_count, changed));
}

static saker_err_t subscribe (call_t *call)
{
    bool changed = false;
    unknown_t unknown = {.json = NULL};
    saker_err_t error = find_unknown (call, &unknown);
    error = error == SAKER_OK ? choose (call, &changed) : error;
    if (error == SAKER_OK) {
        tell_unknown (&unknown);
        error = say_changed (
            call, changed,
            call_option (call, "only")
                ? "only these are carried from now on; what else was here was handed on, and is "
                  "removed"
                : "carried from now on; what is not here yet is being fetched: saker subscribe "
                  "lists how far it is",
            unknown.json);
    }
    json_decref (unknown.json);
    return error;
}

static saker_err_t run_subscribe (call_t *call)
{
    bool only = call_option (call, "only"), all = call_option (call, "all");
    if (only && all) {
        return call_fail (call, SAKER_EUSAGE, "subscribe: give --only or --all, not both");
    }
    if (all && call->words_count > 0) {
        return call_fail (call, SAKER_EUSAGE, "subscribe: --all takes no names");
    }
    if (only && call->words_count == 0) {
        return call_fail (call, SAKER_EUSAGE,
                          "subscribe: --only needs the names of the collections to carry");
    }
    saker_err_t error = call_open (call);
    if (error != SAKER_OK) {
        return error;
    }
    return call->words_count > 0 || all ? subscribe (call) : list (call);
}

static const option_t subscribe_options[] = {
    {"only", NULL, "these alone: what else is here is left, and what is made later not carried"},
    {"all", NULL, "all collections, also those made later (so it is at first)"},
    {"timeout", "TIME", "with --only: wait so long for an admin's peer (default: 30s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_subscribe = {
    .name = "subscribe",
    .run = run_subscribe,
    .usage = "[COLL ... | --only COLL ... | --all] [--timeout TIME]",
    .summary = "Carry these collections, too; without names: list what this peer carries.",
    .details =
        "A peer carries every collection that it may read, unless it was told otherwise "
        "here. What it does not carry is neither kept nor "
        "fetched, and cannot be read or written on it (exit status 21); nobody waits for it "
        "there. Of one that is carried, saker carry keeps a part alone. What is "
        "carried again is fetched. Until what this "
        "peer once wrote there is back, it writes nothing there (exit status 15). An "
        "admin's peer carries all collections, and may not "
        "choose. A name that nothing knows is taken, too, since a collection may be made "
        "later; a note on stderr tells of it, and what may have been meant. The list says of "
        "each: carried; fetching (not all of it is here yet: what is not found may be on its "
        "way, exit status 22); empty (nobody is known to have anything of it); "
        "leaving (kept until an admin's peer has all of it); left.",
    .options = subscribe_options,
    .example = "saker subscribe\nsaker subscribe shots\nsaker subscribe --only shots notes",
    .words_min = 0,
    .words_max = CALL_WORDS_MAX,
};

static saker_err_t run_unsubscribe (call_t *call)
{
    bool changed = false;
    saker_err_t error = call_open (call);
    error = error == SAKER_OK ? narrow (call, saker_unsubscribe, &changed) : error;
    return error == SAKER_OK
               ? say_changed (call, changed,
                              "not carried any more: what was here was handed on, and "
                              "is removed; saker subscribe brings it back",
                              NULL)
               : error;
}

static const option_t unsubscribe_options[] = {
    {"timeout", "TIME", "wait so long for an admin's peer to have all of it (default: 30s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_unsubscribe = {
    .name = "unsubscribe",
    .run = run_unsubscribe,
    .usage = "COLL ... [--timeout TIME]",
    .summary = "Do not carry these collections any more, once an admin's peer has all of them.",
    .details = "First an admin's peer must have reported all that is here of them, or what only "
               "this peer has would be lost: while none has, "
               "nothing is changed (exit status 12). Then it is stated for all members to see, and "
               "what was here is dropped. If the admin's peer "
               "is not heard again in time, the exit status is 15, and what was left is kept, and "
               "dropped by itself later. Other collections are not touched.",
    .options = unsubscribe_options,
    .example = "saker unsubscribe renders --timeout 2m",
    .words_min = 1,
    .words_max = CALL_WORDS_MAX,
};
