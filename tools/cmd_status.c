/* status and peers: how this peer and the mesh are. */

#include "canon.h"
#include "commands.h"
#include "paint.h"
#include "say.h"
#include "tree.h"

#include <inttypes.h>
#include <string.h>

static int add_leaf (const saker_leaf_t *leaf, void *argument)
{
    saker_leaf_t shown = *leaf;
    shown.shown = true;
    tree_add (argument, &shown);
    return 0;
}

static void print_scalar (const json_t *json)
{
    strbuf_t text = {0};
    if (json_is_string (json)) {
        strbuf_text (&text, json_string_value (json));
    } else {
        canon_add (&text, json);
    }
    paint_text (stdout, PAINT_NONE, text.data ? text.data : "");
    putchar ('\n');
    strbuf_free (&text);
}

/* Recurses SAKER_PATH_LEVELS_MAX levels at most: tree_add takes no deeper pointers. */
static void print_map (const json_t *json, int indent)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) json, key, value)
    {
        printf ("%*s", indent, "");
        paint_text (stdout, indent ? PAINT_NONE : PAINT_BOLD, key);
        fputs (json_is_object (value) ? ":\n" : ": ", stdout);
        if (json_is_object (value)) {
            print_map (value, indent + 2);
        } else {
            print_scalar (value);
        }
    }
}

static saker_err_t run_status (call_t *call)
{
    saker_err_t error = call_open (call);
    tree_t tree = {0};
    if (error == SAKER_OK) {
        error = call_library (call, saker_status (call->peer, add_leaf, &tree));
    }
    json_t *json = tree_take (&tree);
    if (error == SAKER_OK && tree.failed) {
        error = call_memory (call);
    } else if (error == SAKER_OK && call->json) {
        error = say_json (call, json_incref (json));
    } else if (error == SAKER_OK) {
        print_map (json, 0);
    }
    json_decref (json);
    tree_free (&tree);
    return error;
}

const command_t cmd_status = {
    .name = "status",
    .run = run_status,
    .usage = "",
    .summary = "Show this peer: its mesh, its store, its collections, what it refused.",
    .example = "saker status",
    .words_min = 0,
    .words_max = 0,
};

typedef struct listing_t {
    json_t *json; /* with --json */
    paint_table_t table;
} listing_t;

/* "12 ms", "3 s", "5 min", "2 h", "4 d". */
static void say_age (int64_t age_ms, char text[32])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (age_ms >= units[i].ms) {
            snprintf (text, 32, "%" PRId64 " %s", age_ms / units[i].ms, units[i].unit);
            return;
        }
    }
    snprintf (text, 32, age_ms < 0 ? "never" : "%" PRId64 " ms", age_ms);
}

static paint_t link_paint (const char *link)
{
    return strcmp (link, "up") == 0     ? PAINT_GREEN
           : strcmp (link, "slow") == 0 ? PAINT_YELLOW
                                        : PAINT_NONE;
}

static void list_row (listing_t *listing, const saker_peer_t *peer)
{
    char seen[32], behind[32] = "?", rtt[32] = "-";
    bool self = strcmp (peer->link, "self") == 0;
    say_age (peer->seen_ms, seen);
    if (peer->behind >= 0) {
        snprintf (behind, sizeof behind, "%" PRId64, peer->behind);
    }
    if (peer->rtt_us >= 0) {
        snprintf (rtt, sizeof rtt, "%" PRId64 " us", peer->rtt_us);
    }
    const char *const cells[] = {peer->name,
                                 peer->id,
                                 peer->role,
                                 self ? "-" : seen,
                                 self ? "-" : behind,
                                 rtt,
                                 *peer->address ? peer->address : "-",
                                 peer->link};
    paint_table_add (&listing->table, link_paint (peer->link), 8, cells);
}

static int list_peer (const saker_peer_t *peer, void *argument)
{
    listing_t *listing = argument;
    if (!listing->json) {
        list_row (listing, peer);
        return 0;
    }
    listing->table.failed |= json_array_append_new (listing->json, say_peer (peer)) != 0;
    return 0;
}

static saker_err_t run_peers (call_t *call)
{
    static const char *const heading[] = {"NAME",   "ID",  "ROLE",    "SEEN",
                                          "BEHIND", "RTT", "ADDRESS", "LINK"};
    listing_t listing = {.json = call->json ? json_array () : NULL};
    paint_table_add (&listing.table, PAINT_NONE, 8, heading);
    saker_err_t error = call_open (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_peers (call->peer, list_peer, &listing));
    }
    if (error == SAKER_OK && listing.table.failed) {
        error = call_memory (call);
    } else if (error == SAKER_OK && call->json) {
        error = say_json (call, json_incref (listing.json));
    } else if (error == SAKER_OK) {
        paint_table_print (&listing.table, stdout);
    }
    json_decref (listing.json);
    paint_table_free (&listing.table);
    return error;
}

const command_t cmd_peers = {
    .name = "peers",
    .run = run_peers,
    .usage = "",
    .summary = "List the members, how their links are, and how far they are behind.",
    .example = "saker peers",
    .words_min = 0,
    .words_max = 0,
};
