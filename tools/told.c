#include "told.h"

#include "tree.h"

#include <string.h>

/* ---- asking */

static saker_err_t finish (call_t *call, saker_err_t error, bool failed, json_t **json)
{
    error =
        error == SAKER_OK && (failed || !*json) ? call_memory (call) : call_library (call, error);
    if (error != SAKER_OK) {
        json_decref (*json);
        *json = NULL;
    }
    return error;
}

static int add_leaf (const saker_leaf_t *leaf, void *argument)
{
    saker_leaf_t shown = *leaf;
    shown.shown = true;
    tree_add (argument, &shown);
    return 0;
}

saker_err_t told_status (call_t *call, json_t **json)
{
    tree_t tree = {0};
    saker_err_t error = saker_status (call->peer, add_leaf, &tree);
    *json = tree_take (&tree);
    bool failed = tree.failed;
    tree_free (&tree);
    return finish (call, error, failed, json);
}

typedef struct list_t {
    json_t *json;
    bool failed;
} list_t;

static json_t *hears_of (const saker_link_t *link)
{
    json_t *hears = json_array ();
    for (size_t i = 0; i < link->hears_count; i++) {
        if (json_array_append_new (hears, json_string (link->hears[i])) != 0) {
            json_decref (hears);
            return NULL;
        }
    }
    return hears;
}

static json_t *link_json (const saker_link_t *link)
{
    json_t *json = json_pack ("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:b}", "name", link->name, "id",
                              link->id, "role", link->role, "state", link->state, "address",
                              link->address, "fenced", link->fenced, "doubled", link->doubled,
                              "calls", link->calls, "greeted", link->greeted);
    json_t *times =
        json_pack ("{s:I,s:I,s:I,s:o,s:I,s:I,s:I}", "heard_ms", (json_int_t) link->heard_ms,
                   "seen_ms", (json_int_t) link->seen_ms, "rtt_us", (json_int_t) link->rtt_us,
                   "skew_ms", link->skew_known ? json_integer (link->skew_ms) : json_null (),
                   "behind", (json_int_t) link->behind, "ahead", (json_int_t) link->ahead, "lag_ms",
                   (json_int_t) link->lag_ms);
    json_t *counts =
        json_pack ("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "requests", (json_int_t) link->requests,
                   "timeouts", (json_int_t) link->timeouts, "bad_answers",
                   (json_int_t) link->bad_answers, "changes", (json_int_t) link->changes, "bytes",
                   (json_int_t) link->bytes, "snapshots", (json_int_t) link->snapshots, "published",
                   (json_int_t) link->published, "hears", hears_of (link));
    if (!json || json_object_update (json, times) != 0 || json_object_update (json, counts) != 0) {
        json_decref (json);
        json = NULL;
    }
    json_decref (times);
    json_decref (counts);
    return json;
}

static int add_link (const saker_link_t *link, void *argument)
{
    list_t *list = argument;
    list->failed |= json_array_append_new (list->json, link_json (link)) != 0;
    return list->failed;
}

saker_err_t told_links (call_t *call, json_t **json)
{
    list_t list = {.json = json_array ()};
    saker_err_t error = saker_links (call->peer, add_link, &list);
    *json = list.json;
    return finish (call, error, list.failed, json);
}

static int add_trend (const saker_trend_t *trend, void *argument)
{
    list_t *list = argument;
    json_t *values = json_array ();
    for (size_t i = 0; i < trend->count; i++) {
        list->failed |= json_array_append_new (values, json_integer (trend->values[i])) != 0;
    }
    json_t *json =
        json_pack ("{s:I,s:o}", "step_ms", (json_int_t) trend->step_ms, "values", values);
    list->failed |= json_object_set_new (list->json, trend->name, json) != 0;
    return list->failed;
}

saker_err_t told_trends (call_t *call, json_t **json)
{
    list_t list = {.json = json_object ()};
    saker_err_t error = saker_trends (call->peer, add_trend, &list);
    *json = list.json;
    return finish (call, error, list.failed, json);
}

static json_t *holder_json (const saker_holder_t *holder)
{
    return json_pack ("{s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "peer", holder->peer, "id", holder->id,
                      "why", holder->why, "missing", (json_int_t) holder->missing, "since_ms",
                      (json_int_t) holder->since_ms, "changes", (json_int_t) holder->changes,
                      "bytes", (json_int_t) holder->bytes);
}

static int add_kept (const saker_kept_t *kept, void *argument)
{
    list_t *list = argument;
    json_t *holders = json_array ();
    for (size_t i = 0; i < kept->holders_count; i++) {
        list->failed |= json_array_append_new (holders, holder_json (&kept->holders[i])) != 0;
    }
    json_t *json =
        json_pack ("{s:s,s:I,s:I,s:I,s:I,s:s,s:o}", "collection", kept->collection, "changes",
                   (json_int_t) kept->changes, "bytes", (json_int_t) kept->bytes, "going",
                   (json_int_t) kept->going, "going_bytes", (json_int_t) kept->going_bytes,
                   "held_by", kept->held_by, "holders", holders);
    list->failed |= json_array_append_new (list->json, json) != 0;
    return list->failed;
}

saker_err_t told_kept (call_t *call, json_t **json)
{
    list_t list = {.json = json_array ()};
    saker_gc_t gone;
    saker_err_t error = saker_gc (call->peer, true, 0, &gone, add_kept, &list);
    *json = list.json;
    return finish (call, error, list.failed, json);
}

/* ---- looking it up */

static const json_t *at (const json_t *json, const char *pointer)
{
    return json ? tree_at ((json_t *) json, pointer) : NULL;
}

int64_t told_int (const json_t *json, const char *pointer, int64_t other)
{
    const json_t *value = at (json, pointer);
    return json_is_integer (value) ? json_integer_value (value) : other;
}

const char *told_text (const json_t *json, const char *pointer, const char *other)
{
    const json_t *value = at (json, pointer);
    return json_is_string (value) ? json_string_value (value) : other;
}

bool told_flag (const json_t *json, const char *pointer)
{
    return json_is_true (at (json, pointer));
}

const json_t *told_self (const json_t *links)
{
    for (size_t i = 0; i < json_array_size (links); i++) {
        const json_t *link = json_array_get (links, i);
        if (strcmp (told_text (link, "/state", ""), "self") == 0) {
            return link;
        }
    }
    return NULL;
}

bool told_hears (const json_t *link, const char *id)
{
    const json_t *hears = json_object_get (link, "hears");
    for (size_t i = 0; i < json_array_size (hears); i++) {
        const char *heard = json_string_value (json_array_get (hears, i));
        if (heard && strcmp (heard, id) == 0) {
            return true;
        }
    }
    return false;
}

const char *told_state (const json_t *link)
{
    bool fenced =
        told_flag (link, "/fenced") && strcmp (told_text (link, "/role", ""), "none") != 0;
    return fenced ? "fenced" : told_text (link, "/state", "silent");
}
