/* hooks: subscriptions, by which changes are sent to other programs over HTTP. */

#include "amounts.h"
#include "commands.h"
#include "gateway/diary.h"
#include "gateway/instant.h"
#include "gateway/retry.h"
#include "gateway/upkeep.h"
#include "moment.h"
#include "paint.h"
#include "say.h"
#include "secretfile.h"

#include <sodium.h>
#include <string.h>

static const char *hooks_in (const call_t *call)
{
    const char *given = call_option (call, "in");
    return given ? given : HOOK_COLLECTION;
}

/* ---- add */

static saker_err_t take_text (call_t *call, const char *option, char *text, size_t size)
{
    const char *value = call_option (call, option);
    if (value && strlen (value) >= size) {
        return call_fail (call, SAKER_EUSAGE, "hooks: --%s has %zu bytes at most", option,
                          size - 1);
    }
    snprintf (text, size, "%s", value ? value : "");
    return SAKER_OK;
}

static saker_err_t take_attempts (call_t *call, unsigned *attempts)
{
    const char *value = call_option (call, "attempts");
    size_t digits = value ? strspn (value, "0123456789") : 1;
    *attempts = value ? (unsigned) strtoul (value, NULL, 10) : RETRY_ATTEMPTS_DEFAULT;
    if (digits < 1 || digits > 3 || (value && value[digits])) {
        return call_fail (call, SAKER_EUSAGE, "hooks: --attempts is a number from 1 to %d",
                          RETRY_ATTEMPTS_MAX);
    }
    return SAKER_OK;
}

static saker_err_t take_options (call_t *call, hook_t *hook)
{
    const char *name = call_word (call, 1), *url = call_word (call, 2);
    const char *order = call_option (call, "order");
    if (strlen (name) > HOOK_NAME_MAX || strlen (url) > HOOK_URL_MAX) {
        return call_fail (call, SAKER_EUSAGE, "hooks add: the name or the URL is too long");
    }
    if (order && strcmp (order, "document") != 0 && strcmp (order, "none") != 0) {
        return call_fail (call, SAKER_EUSAGE, "hooks add: --order is document or none, not %s",
                          order);
    }
    snprintf (hook->name, sizeof hook->name, "%s", name);
    snprintf (hook->url, sizeof hook->url, "%s", url);
    hook->ordered = !order || strcmp (order, "document") == 0;
    hook->value = call_option (call, "value");
    hook->made_ms = instant_wall_ms ();
    saker_err_t error = take_text (call, "collection", hook->collection, sizeof hook->collection);
    if (error == SAKER_OK) {
        error = take_text (call, "documents", hook->documents, sizeof hook->documents);
    }
    if (error == SAKER_OK) {
        error = take_text (call, "path", hook->path, sizeof hook->path);
    }
    if (error == SAKER_OK) {
        error = take_attempts (call, &hook->attempts);
    }
    if (error == SAKER_OK) {
        error = call_duration (call, "backoff", RETRY_BASE_DEFAULT_MS, &hook->backoff_ms);
    }
    return error;
}

/* Gives the subscription the secret of the file, or a fresh one. */
static saker_err_t give_secret (call_t *call, hook_t *hook, int64_t overlap_ms)
{
    const char *file = call_option (call, "secret-file");
    char text[SECRETFILE_SIZE] = "";
    saker_err_t error = file ? secretfile_read (call, file, text) : SAKER_OK;
    if (error == SAKER_OK) {
        int64_t now_ms = instant_wall_ms ();
        error = hook_rotate (call, hook, file ? text : NULL, now_ms, now_ms + overlap_ms);
    }
    sodium_memzero (text, sizeof text);
    return error;
}

/* A secret that was made here is shown once. */
static saker_err_t tell (call_t *call, const hook_t *hook)
{
    const char *secret =
        call_option (call, "secret-file") ? NULL : hook->secrets[hook->secrets_count - 1].text;
    if (!call->json) {
        if (secret) {
            printf ("%s\n", secret);
        }
        return SAKER_OK;
    }
    json_t *json = hook_show (hook);
    if (json && secret) {
        json_object_set_new (json, "secret", json_string (secret));
    }
    return say_json (call, json);
}

static saker_err_t run_add (call_t *call)
{
    hook_t hook = {.state = HOOK_ACTIVE};
    saker_err_t error = take_options (call, &hook);
    if (error == SAKER_OK) {
        error = hook_check (call, &hook);
    }
    if (error == SAKER_OK) {
        error = give_secret (call, &hook, 0);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = upkeep_add (call, hooks_in (call), &hook);
    }
    if (error == SAKER_OK) {
        error = tell (call, &hook);
    }
    sodium_memzero (&hook, sizeof hook);
    return error;
}

static saker_err_t run_rotate (call_t *call)
{
    hook_t hook = {.state = HOOK_ACTIVE};
    int64_t overlap_ms = 0;
    saker_err_t error = call_duration (call, "overlap", HOOK_OVERLAP_DEFAULT_MS, &overlap_ms);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = upkeep_read (call, hooks_in (call), call_word (call, 1), &hook);
    }
    if (error == SAKER_OK) {
        error = give_secret (call, &hook, overlap_ms);
    }
    if (error == SAKER_OK) {
        error = upkeep_set_secrets (call, hooks_in (call), &hook);
    }
    if (error == SAKER_OK) {
        error = tell (call, &hook);
    }
    sodium_memzero (&hook, sizeof hook);
    return error;
}

/* ---- list and show */

typedef struct listing_t {
    call_t *call;
    json_t *list;
    bool failed;
} listing_t;

static int see_hook (const hook_t *hook, void *argument)
{
    listing_t *listing = argument;
    listing->failed |= json_array_append_new (listing->list, hook_show (hook)) != 0;
    return listing->failed;
}

static const char *text_at (const json_t *json, const char *key)
{
    const char *text = json_string_value (json_object_get (json, key));
    return text ? text : "";
}

static void add_row (paint_table_t *table, const json_t *hook)
{
    const char *state = text_at (hook, "state"), *sends = text_at (hook, "sends");
    char waiting[24], dead[24];
    snprintf (waiting, sizeof waiting, "%lld",
              (long long) json_integer_value (json_object_get (hook, "waiting")));
    snprintf (dead, sizeof dead, "%lld",
              (long long) json_integer_value (json_object_get (hook, "dead")));
    const char *const cells[] = {text_at (hook, "name"),
                                 state,
                                 *sends ? sends : "(nobody)",
                                 waiting,
                                 dead,
                                 text_at (hook, "collection"),
                                 text_at (hook, "url")};
    paint_table_add (table, strcmp (state, "active") == 0 ? PAINT_NONE : PAINT_YELLOW, 7, cells);
}

static saker_err_t print_hooks (call_t *call, const json_t *list)
{
    static const char *const heading[] = {"NAME", "STATE",      "SENDS", "WAITING",
                                          "DEAD", "COLLECTION", "URL"};
    paint_table_t table = {0};
    size_t at;
    json_t *hook;
    paint_table_add (&table, PAINT_NONE, 7, heading);
    json_array_foreach (list, at, hook)
    {
        add_row (&table, hook);
    }
    if (json_array_size (list) > 0) {
        paint_table_print (&table, stdout);
    }
    bool failed = table.failed;
    paint_table_free (&table);
    return failed ? call_memory (call) : SAKER_OK;
}

/* A read within a read does not go: who sends, and what waits, is asked afterwards. */
static saker_err_t add_status (call_t *call, json_t *hook)
{
    json_t *status = NULL;
    saker_err_t error = upkeep_status (call, hooks_in (call), text_at (hook, "name"), &status);
    if (error == SAKER_OK) {
        json_object_update (hook, status);
    }
    json_decref (status);
    return error;
}

static saker_err_t run_list (call_t *call)
{
    listing_t listing = {.call = call, .list = json_array ()};
    size_t at;
    json_t *hook;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = upkeep_list (call, hooks_in (call), see_hook, &listing);
    }
    json_array_foreach (listing.list, at, hook)
    {
        error = error == SAKER_OK ? add_status (call, hook) : error;
        if (error == SAKER_OK && call->json) {
            error = say_json (call, json_incref (hook));
        }
    }
    if (error == SAKER_OK && !call->json) {
        error = print_hooks (call, listing.list);
    }
    json_decref (listing.list);
    return error == SAKER_OK && listing.failed ? call_memory (call) : error;
}

static void print_line (const char *key, const json_t *value)
{
    char *text = json_is_string (value) ? NULL : json_dumps (value, JSON_ENCODE_ANY);
    printf ("%-12s ", key);
    paint_text (stdout, PAINT_NONE, text ? text : json_string_value (value));
    putchar ('\n');
    free (text);
}

static saker_err_t run_show (call_t *call)
{
    hook_t hook;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = upkeep_read (call, hooks_in (call), call_word (call, 1), &hook);
    }
    if (error != SAKER_OK) {
        return error;
    }
    json_t *json = hook_show (&hook);
    sodium_memzero (&hook, sizeof hook);
    error = json ? add_status (call, json) : call_memory (call);
    if (error == SAKER_OK && call->json) {
        return say_json (call, json);
    }
    const char *key;
    json_t *value;
    json_object_foreach (json, key, value)
    {
        if (error == SAKER_OK) {
            print_line (key, value);
        }
    }
    json_decref (json);
    return error;
}

/* ---- state */

static saker_err_t set_state (call_t *call, hook_state_t state)
{
    saker_err_t error = call_open (call);
    return error != SAKER_OK ? error
                             : upkeep_set_state (call, hooks_in (call), call_word (call, 1), state);
}

static saker_err_t run_pause (call_t *call)
{
    return set_state (call, HOOK_PAUSED);
}

static saker_err_t run_resume (call_t *call)
{
    return set_state (call, HOOK_ACTIVE);
}

static saker_err_t run_remove (call_t *call)
{
    saker_err_t error = call_open (call);
    return error != SAKER_OK ? error : upkeep_remove (call, hooks_in (call), call_word (call, 1));
}

/* ---- letters */

static int see_letter (const letter_t *letter, void *argument)
{
    listing_t *listing = argument;
    listing->failed |= json_array_append_new (listing->list, letter_show (letter)) != 0;
    return listing->failed;
}

static void print_letter (const json_t *letter)
{
    printf ("%s  %s  ", text_at (letter, "event"), text_at (letter, "time"));
    paint_text (stdout, PAINT_BOLD, text_at (letter, "document"));
    printf ("  %lld attempts: ",
            (long long) json_integer_value (json_object_get (letter, "attempts")));
    paint_text (stdout, PAINT_NONE, text_at (letter, "why"));
    putchar ('\n');
}

static saker_err_t run_dead (call_t *call)
{
    listing_t listing = {.call = call};
    size_t at, count;
    json_t *letter;
    hook_t hook;
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = upkeep_read (call, hooks_in (call), call_word (call, 1), &hook);
    }
    if (error == SAKER_OK && call_option (call, "clear")) {
        return upkeep_bury (call, hooks_in (call), hook.name, &count);
    }
    listing.list = json_array ();
    if (error == SAKER_OK) {
        error = upkeep_letters (call, hooks_in (call), "dead", hook.name, see_letter, &listing);
    }
    json_array_foreach (listing.list, at, letter)
    {
        if (error == SAKER_OK && call->json) {
            error = say_json (call, json_incref (letter));
        } else if (error == SAKER_OK) {
            print_letter (letter);
        }
    }
    json_decref (listing.list);
    return error == SAKER_OK && listing.failed ? call_memory (call) : error;
}

static saker_err_t run_replay (call_t *call)
{
    upkeep_replay_t what = {.event = call_option (call, "event"), .until_ms = moment_now ()};
    bool by_time = call_option (call, "since");
    size_t count = 0;
    if (by_time == (what.event != NULL)) {
        return call_fail (call, SAKER_EUSAGE,
                          "hooks replay: which events? give --event ID, or --since TIME");
    }
    saker_err_t error = by_time ? moment_option (call, "since", &what.since_ms) : SAKER_OK;
    if (error == SAKER_OK && call_option (call, "until")) {
        error = moment_option (call, "until", &what.until_ms);
    }
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = upkeep_replay (call, hooks_in (call), call_word (call, 1), &what, &count);
    }
    if (error == SAKER_OK && call->json) {
        return say_json (call, json_pack ("{s:I}", "events", (json_int_t) count));
    }
    if (error == SAKER_OK) {
        printf ("%zu event%s will be sent again\n", count, amount_plural (count));
    }
    return error;
}

static int print_entry (json_t *line, void *argument)
{
    call_t *call = argument;
    if (call->json) {
        return say_json (call, json_incref (line)) != SAKER_OK;
    }
    printf ("%s  %s  ", text_at (line, "time"), text_at (line, "hook"));
    paint_text (stdout, PAINT_BOLD, text_at (line, "document"));
    printf ("  %s  attempt %lld: %s", text_at (line, "event"),
            (long long) json_integer_value (json_object_get (line, "attempt")),
            text_at (line, "result"));
    printf (*text_at (line, "why") ? ": " : "");
    paint_text (stdout, PAINT_NONE, text_at (line, "why"));
    putchar ('\n');
    return 0;
}

static saker_err_t run_log (call_t *call)
{
    return diary_read (call, call->store, call_word (call, 1), print_entry, call);
}

static saker_err_t run_hooks (call_t *call)
{
    static const struct {
        const char *name;
        size_t words_min, words_max;
        saker_err_t (*run) (call_t *call);
    } parts[] = {
        {"add", 3, 3, run_add},       {"list", 1, 1, run_list},     {"show", 2, 2, run_show},
        {"pause", 2, 2, run_pause},   {"resume", 2, 2, run_resume}, {"remove", 2, 2, run_remove},
        {"rotate", 2, 2, run_rotate}, {"dead", 2, 2, run_dead},     {"replay", 2, 2, run_replay},
        {"log", 1, 2, run_log},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp (call_word (call, 0), parts[i].name) == 0
            && call->words_count >= parts[i].words_min && call->words_count <= parts[i].words_max) {
            return parts[i].run (call);
        }
    }
    return call_fail (call, SAKER_EUSAGE, "hooks: usage: saker hooks %s", call->command->usage);
}

static const option_t hooks_options[] = {
    {"collection", "COLL", "add: whose changes are sent"},
    {"documents", "PREFIX", "add: only documents whose ids begin so"},
    {"path", "PATH", "add: only changes at, below or above this place"},
    {"order", "HOW", "add: document (the default): what fails holds up its document; or none"},
    {"value", NULL, "add: send the document, too, as it is when it is sent"},
    {"attempts", "N", "add: so many attempts before an event is dead (default: 12)"},
    {"backoff", "TIME", "add: the pause after the first failure (default: 5s)"},
    {"secret-file", "FILE", "add, rotate: the secret; otherwise one is made and printed, once"},
    {"overlap", "TIME", "rotate: for how long the old secret signs too (default: 1d)"},
    {"clear", NULL, "dead: let go of them"},
    {"event", "ID", "replay: this event"},
    {"since", "TIME", "replay: what was changed since then"},
    {"until", "TIME", "replay: and not later than then (default: now)"},
    {"in", "COLL", "the collection of the subscriptions (default: hooks)"},
    {NULL, NULL, NULL},
};

const command_t cmd_hooks = {
    .name = "hooks",
    .run = run_hooks,
    .usage = "add NAME URL [OPTION]... | list | show|pause|resume|remove|rotate|dead|replay NAME | "
             "log [NAME]",
    .summary = "Send changes to other programs, as Standard Webhooks, from one peer of the mesh.",
    .details = "A subscription is kept in the mesh; of the peers that have hooks in "
               "their saker.conf(5) one at a time sends for it, and another goes on "
               "where that one goes. What is not taken is tried again, with growing "
               "pauses; after so many attempts it is dead: dead lists it, replay sends "
               "it again, or anything else that is still in the history, with the id "
               "that it had. log shows what this peer sent. A receiver that answers 410 "
               "ends its subscription, resume begins it again. Exit status 3 when there "
               "is no such subscription or event, 4 when the name is taken. "
               "docs/hooks.md is the guide.",
    .options = hooks_options,
    .example = "saker hooks add render https://farm.studio.example/hook --collection shots\n"
               "saker hooks list\n"
               "saker hooks replay render --since 2h",
    .words_min = 1,
    .words_max = 3,
};
