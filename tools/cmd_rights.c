/* Commands about rights and keys: revoke, role, fence, keys. */

#include "commands.h"
#include "say.h"

#include <string.h>
#include <time.h>

/* ---- revoke and role */

typedef struct seeking_t {
    const char *name;
    bool found;
    char role[16];
    int64_t seen_ms, behind;
} seeking_t;

static int seek (const saker_peer_t *peer, void *argument)
{
    seeking_t *seeking = argument;
    bool fits = strcmp (peer->name, seeking->name) == 0
                || (strlen (seeking->name) >= 4
                    && strncmp (peer->id, seeking->name, strlen (seeking->name)) == 0);
    if (fits) {
        seeking->found = true;
        snprintf (seeking->role, sizeof seeking->role, "%s", peer->role);
        seeking->seen_ms = peer->seen_ms;
        seeking->behind = peer->behind;
    }
    return fits;
}

static const char *const of_revoking[] = {
    "What it wrote and this peer has stands; what it wrote or writes beyond that is taken back on",
    "every peer, as soon as the news is there, whoever delivers it.",
    "New keys are made: it cannot read what is written from now on. Its links are closed.",
    "Not undone: what it has read stays read. It keeps its copy of everything up to now, and the",
    "keys to it. Peers that do not hear of this yet go on to exchange with it until they do; what",
    "reaches it from them in the meantime it can read, if it was sealed with the earlier key.",
    "What it changed with right (before) is not judged: look at `saker watch` and the documents.",
    NULL,
};

static const char *const of_fencing[] = {
    "Nobody waits for it any more: what all others have stored can be cut from the logs.",
    "What it wrote and this peer has stands; what it wrote beyond is taken back on every peer.",
    "It stays a member. Once it is back it takes what it missed, and issues again what it wrote",
    "in the meantime: as rivals of what others wrote since, never over it; see saker conflicts.",
    "If it never comes back, what it wrote and this peer has not is lost.",
    NULL,
};

static json_t *list_all (const char *const *consequences)
{
    json_t *list = json_array ();
    for (; *consequences; consequences++) {
        json_array_append_new (list, json_string (*consequences));
    }
    return list;
}

static saker_err_t explain (call_t *call, const char *peer, const char *verb,
                            const char *const *consequences)
{
    seeking_t seeking = {.name = peer};
    saker_err_t error = call_library (call, saker_peers (call->peer, seek, &seeking));
    if (error == SAKER_OK && !seeking.found) {
        error = call_fail (call, SAKER_ENOTFOUND, "no member called %s; see saker peers", peer);
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (call->json) {
        json_t *list = list_all (consequences);
        return say_json (call,
                         json_pack ("{s:s,s:s,s:I,s:o}", "peer", peer, "role", seeking.role,
                                    "seen_ms", (json_int_t) seeking.seen_ms, "consequences", list));
    }
    printf ("%s has the role %s", peer, seeking.role);
    if (seeking.seen_ms >= 0) {
        printf (", and was heard %lld s ago", (long long) seeking.seen_ms / 1000);
    }
    printf (". To %s it means:\n", verb);
    for (; *consequences; consequences++) {
        printf ("  %s\n", *consequences);
    }
    return SAKER_OK;
}

static saker_err_t say_role (call_t *call, const char *peer, const char *role,
                             const char *collection)
{
    if (call->json) {
        json_t *json = json_pack ("{s:s,s:s}", "peer", peer, "role", role);
        if (collection) {
            json_object_set_new (json, "collection", json_string (collection));
        }
        return say_json (call, json);
    }
    if (strcmp (role, "none") == 0 && !collection) {
        printf ("%s is revoked. Others hear of it as they are reached: saker verify @roster shows "
                "who has.\n",
                peer);
    } else {
        printf ("%s has the role %s%s%s.\n", peer, role, collection ? " in " : "",
                collection ? collection : "");
    }
    return SAKER_OK;
}

static saker_err_t run_revoke (call_t *call)
{
    const char *peer = call_word (call, 0);
    saker_err_t error = call_open (call);
    if (error != SAKER_OK) {
        return error;
    }
    if (call_option (call, "explain")) {
        return explain (call, peer, "revoke", of_revoking);
    }
    error = call_library (call, saker_role (call->peer, peer, NULL, "none"));
    return error == SAKER_OK ? say_role (call, peer, "none", NULL) : error;
}

static const option_t revoke_options[] = {
    {"explain", NULL, "only say what it does, and what it cannot undo"},
    {NULL, NULL, NULL},
};

const command_t cmd_revoke = {
    .name = "revoke",
    .run = run_revoke,
    .usage = "PEER [--explain]",
    .summary = "Take all rights of a member, by name or by the first digits of its id.",
    .details = "What it wrote and this peer has stands; the rest is taken back on every "
               "peer. Keys are changed, its links are closed.",
    .options = revoke_options,
    .example = "saker revoke laptop-7 --explain\nsaker revoke laptop-7",
    .words_min = 1,
    .words_max = 1,
};

static saker_err_t run_role (call_t *call)
{
    const char *peer = call_word (call, 0), *role = call_word (call, 1);
    const char *collection = call_option (call, "collection");
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_role (call->peer, peer, collection, role));
    }
    return error == SAKER_OK ? say_role (call, peer, role, collection) : error;
}

static const option_t role_options[] = {
    {"collection", "COLL", "in this collection alone (default: in the whole mesh)"},
    {NULL, NULL, NULL},
};

const command_t cmd_role = {
    .name = "role",
    .run = run_role,
    .usage = "PEER ROLE [--collection COLL]",
    .summary = "Give a member another role: none, relay, read, write or admin.",
    .details = "What takes a right away counts from what this peer has of the member "
               "now. A member that gets a right back writes as another writer from then "
               "on.",
    .options = role_options,
    .example = "saker role bob read\nsaker role bob write --collection shots",
    .words_min = 2,
    .words_max = 2,
};

/* ---- fence */

static saker_err_t run_fence (call_t *call)
{
    const char *peer = call_word (call, 0);
    saker_err_t error = call_open (call);
    if (error != SAKER_OK) {
        return error;
    }
    if (call_option (call, "explain")) {
        return explain (call, peer, "fence", of_fencing);
    }
    error = call_library (call, saker_fence (call->peer, peer));
    if (error == SAKER_OK && call->json) {
        return say_json (call, json_pack ("{s:s,s:b}", "peer", peer, "fenced", 1));
    }
    if (error == SAKER_OK) {
        printf ("%s is fenced: nobody waits for it. It comes back by itself when it is reached.\n",
                peer);
    }
    return error;
}

static const option_t fence_options[] = {
    {"explain", NULL, "only say what it does"},
    {NULL, NULL, NULL},
};

const command_t cmd_fence = {
    .name = "fence",
    .run = run_fence,
    .usage = "PEER [--explain]",
    .summary = "Wait no longer for a member that is away; it may come back.",
    .details = "What all others have stored can be cut then. It stays a member: once it "
               "is reached it takes what it missed, and issues again what it wrote in "
               "the meantime, beside what others wrote since and never over it. An "
               "admin's peer does this by itself to a member that was not heard for the "
               "horizon of saker.conf(5). An admin is not fenced.",
    .options = fence_options,
    .example = "saker fence laptop-7 --explain\nsaker fence laptop-7",
    .words_min = 1,
    .words_max = 1,
};

/* ---- keys */

typedef struct listing_t {
    call_t *call;
    saker_err_t error;
    size_t count;
} listing_t;

static void put_time (uint64_t time_ms, char text[32])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm parts;
    gmtime_r (&seconds, &parts);
    strftime (text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static int list_key (const saker_key_t *key, void *argument)
{
    listing_t *listing = argument;
    char when[32];
    put_time (key->time_ms, when);
    listing->count++;
    if (listing->call->json) {
        listing->error =
            say_json (listing->call,
                      json_pack ("{s:s,s:s,s:I,s:s,s:s,s:b}", "collection", key->collection, "id",
                                 key->id, "generation", (json_int_t) key->generation, "time", when,
                                 "author", key->author, "seals", (int) key->seals));
        return listing->error != SAKER_OK;
    }
    if (listing->count == 1) {
        printf ("%-16s  %-20s  %-10s  %-20s  %-12s\n", "KEY", "OF", "GENERATION", "MADE", "BY");
    }
    printf ("%-16s  %-20s  %10llu  %-20s  %-12s%s\n", key->id,
            key->collection[0] ? key->collection : "the mesh", (unsigned long long) key->generation,
            when, key->author, key->seals ? "  seals what is written" : "");
    return 0;
}

static saker_err_t run_keys (call_t *call)
{
    listing_t listing = {.call = call};
    saker_err_t error = call_open (call);
    if (error == SAKER_OK && call_option (call, "rotate")) {
        error = call_library (call, saker_rotate (call->peer));
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_keys (call->peer, list_key, &listing));
    }
    return error != SAKER_OK ? error : listing.error;
}

static const option_t keys_options[] = {
    {"rotate", NULL, "make new keys first"},
    {NULL, NULL, NULL},
};

const command_t cmd_keys = {
    .name = "keys",
    .run = run_keys,
    .usage = "[--rotate]",
    .summary = "List the keys that contents are sealed with, by name; never the keys themselves.",
    .details = "They are changed whenever a right is taken away, and every 30 days.",
    .options = keys_options,
    .example = "saker keys\nsaker keys --rotate",
    .words_min = 0,
    .words_max = 0,
};
