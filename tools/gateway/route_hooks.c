/* Subscriptions: what there is, what became of it, and again. */

#include "gateway/diary.h"
#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/upkeep.h"

#include <sodium.h>
#include <string.h>

#define LIMIT_MAX 1000

typedef struct listing_t {
    json_t *list;
    size_t limit;
    bool more, failed;
} listing_t;

static const char *hooks_of (const request_t *request)
{
    const char *hooks = request->gateway->settings.hooks;
    return *hooks ? hooks : HOOK_COLLECTION;
}

static void reply_list (request_t *request, call_t *call, saker_err_t error, const char *what,
                        listing_t *listing)
{
    if (error != SAKER_OK) {
        problem_error (request, call, error);
    } else {
        reply_json (request, 200,
                    listing->failed
                        ? NULL
                        : json_pack ("{s:O,s:b}", what, listing->list, "more", listing->more));
    }
    json_decref (listing->list);
}

/* ---- subscriptions */

static int see_hook (const hook_t *hook, void *argument)
{
    listing_t *listing = argument;
    listing->failed |= json_array_append_new (listing->list, hook_show (hook)) != 0;
    return listing->failed;
}

static saker_err_t add_status (call_t *call, const char *hooks, json_t *hook)
{
    json_t *status = NULL;
    saker_err_t error =
        upkeep_status (call, hooks, json_string_value (json_object_get (hook, "name")), &status);
    if (error == SAKER_OK) {
        json_object_update (hook, status);
    }
    json_decref (status);
    return error;
}

void route_hooks (request_t *request, call_t *call)
{
    listing_t listing = {.list = json_array ()};
    size_t at;
    json_t *hook;
    saker_err_t error = upkeep_list (call, hooks_of (request), see_hook, &listing);
    json_array_foreach (listing.list, at, hook)
    {
        error = error == SAKER_OK ? add_status (call, hooks_of (request), hook) : error;
    }
    reply_list (request, call, error, "hooks", &listing);
}

static void reply_hook (request_t *request, call_t *call)
{
    hook_t hook;
    saker_err_t error = upkeep_read (call, hooks_of (request), request->names[0], &hook);
    json_t *json = error == SAKER_OK ? hook_show (&hook) : NULL;
    sodium_memzero (&hook, sizeof hook);
    if (json) {
        error = add_status (call, hooks_of (request), json);
    }
    if (error != SAKER_OK) {
        json_decref (json);
        problem_error (request, call, error);
    } else {
        reply_json (request, 200, json);
    }
}

void route_hook (request_t *request, call_t *call)
{
    reply_hook (request, call);
}

/* {"state": "paused"} or {"state": "active"} */
void route_hook_state (request_t *request, call_t *call)
{
    json_t *body = request_json (request, call);
    const char *text = json_string_value (json_object_get (body, "state"));
    bool paused = text && strcmp (text, "paused") == 0;
    bool right = text && (paused || strcmp (text, "active") == 0) && json_object_size (body) == 1;
    json_decref (body);
    if (request->status) {
        return;
    }
    if (!right) {
        problem_say (request, 400,
                     "the body is {\"state\": \"paused\"} or {\"state\": \"active\"}");
        return;
    }
    saker_err_t error = upkeep_set_state (call, hooks_of (request), request->names[0],
                                          paused ? HOOK_PAUSED : HOOK_ACTIVE);
    if (error != SAKER_OK) {
        problem_error (request, call, error);
    } else {
        reply_hook (request, call);
    }
}

/* ---- what became of it */

/* The latest first: the oldest go when there are too many. */
static int see_line (json_t *line, void *argument)
{
    listing_t *listing = argument;
    listing->failed |= json_array_insert (listing->list, 0, line) != 0;
    if (json_array_size (listing->list) > listing->limit) {
        json_array_remove (listing->list, listing->limit);
        listing->more = true;
    }
    return listing->failed;
}

void route_hook_deliveries (request_t *request, call_t *call)
{
    listing_t listing = {.limit = 0};
    if (!request_number (request, "limit", 1, LIMIT_MAX, 100, &listing.limit)) {
        return;
    }
    listing.list = json_array ();
    saker_err_t error =
        diary_read (call, request->gateway->store, request->names[0], see_line, &listing);
    reply_list (request, call, error, "deliveries", &listing);
}

static int see_letter (const letter_t *letter, void *argument)
{
    listing_t *listing = argument;
    if (json_array_size (listing->list) == listing->limit) {
        listing->more = true;
        return 1;
    }
    listing->failed |= json_array_append_new (listing->list, letter_show (letter)) != 0;
    return listing->failed;
}

void route_hook_dead (request_t *request, call_t *call)
{
    hook_t hook;
    listing_t listing = {.limit = 0};
    if (!request_number (request, "limit", 1, LIMIT_MAX, 100, &listing.limit)) {
        return;
    }
    listing.list = json_array ();
    saker_err_t error = upkeep_read (call, hooks_of (request), request->names[0], &hook);
    if (error == SAKER_OK) {
        error = upkeep_letters (call, hooks_of (request), "dead", hook.name, see_letter, &listing);
    }
    sodium_memzero (&hook, sizeof hook);
    reply_list (request, call, error, "dead", &listing);
}

/* ---- again */

/* {"event": ID}, or {"since": MS, "until": MS} since 1970; without until: up to now. */
static bool take_replay (request_t *request, const json_t *body, upkeep_replay_t *what)
{
    const json_t *event = json_object_get (body, "event"), *since = json_object_get (body, "since");
    const json_t *until = json_object_get (body, "until");
    size_t members = (event ? 1u : 0u) + (since ? 1u : 0u) + (until ? 1u : 0u);
    what->event = json_string_value (event);
    what->since_ms = (uint64_t) json_integer_value (since);
    what->until_ms = until ? (uint64_t) json_integer_value (until) : UINT64_MAX;
    if (!event == !since || (event && (!what->event || until))
        || (since && !json_is_integer (since)) || (until && !json_is_integer (until))
        || json_object_size (body) != members) {
        problem_say (request, 400,
                     "what is to be sent again? {\"event\": ID}, or {\"since\": T, \"until\": T} "
                     "in milliseconds since 1970");
        return false;
    }
    return true;
}

void route_hook_replay (request_t *request, call_t *call)
{
    upkeep_replay_t what;
    size_t count = 0;
    json_t *body = request_json (request, call);
    if (body && take_replay (request, body, &what)) {
        saker_err_t error =
            upkeep_replay (call, hooks_of (request), request->names[0], &what, &count);
        if (error != SAKER_OK) {
            problem_error (request, call, error);
        } else {
            reply_json (request, 202, json_pack ("{s:I}", "events", (json_int_t) count));
        }
    }
    json_decref (body);
}
