/* status and peers: how this peer and the mesh are. */

#include "amounts.h"
#include "canon.h"
#include "commands.h"
#include "paint.h"
#include "say.h"
#include "told.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* ---- one screen */

#define BARS 30
#define COLLECTIONS_SHOWN 10

static int64_t number (const json_t *status, const char *pointer)
{
    return told_int (status, pointer, 0);
}

static void print_bars (const json_t *trends, const char *name, const char *words)
{
    int64_t values[AMOUNT_BARS_MAX];
    char bars[3 * AMOUNT_BARS_MAX + 1];
    const json_t *list = json_object_get (json_object_get (trends, name), "values");
    size_t all = json_array_size (list), count = all < BARS ? all : BARS;
    for (size_t i = 0; i < count; i++) {
        values[i] = json_integer_value (json_array_get (list, all - count + i));
    }
    amount_bars (values, count, BARS, bars);
    if (count > 0) {
        printf ("  %s %s", bars, words);
    }
    putchar ('\n');
}

/* A row: what, the words about it, and how it went. */
static void print_row (const json_t *trends, const char *what, const char *trend,
                       const char *trend_words, const char *format, ...)
    __attribute__ ((format (printf, 5, 6)));

static void print_row (const json_t *trends, const char *what, const char *trend,
                       const char *trend_words, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (words, sizeof words, format, arguments);
    va_end (arguments);
    paint_text (stdout, PAINT_BOLD, what);
    printf ("%*s", (int) (10 - paint_width (what)), "");
    paint_text (stdout, PAINT_NONE, words);
    if (trend) {
        size_t width = paint_width (words);
        printf ("%*s", width < 32 ? (int) (32 - width) : 0, "");
        print_bars (trends, trend, trend_words);
    } else {
        putchar ('\n');
    }
}

static void print_title (const json_t *status)
{
    char age[AMOUNT_MAX];
    amount_age (number (status, "/clock/up_ms"), age);
    paint_text (stdout, PAINT_BOLD, told_text (status, "/device/name", "?"));
    fputs (" (", stdout);
    fputs (told_text (status, "/device/role", "?"), stdout);
    fputs (") in ", stdout);
    paint_text (stdout, PAINT_BOLD, told_text (status, "/mesh/name", "?"));
    const char *listen = told_text (status, "/mesh/listen", "?");
    bool none = strcmp (listen, "none") == 0;
    printf (", sakerd %s, up for %s, %s%s\n\n", told_text (status, "/version", "?"), age,
            none ? "listens nowhere: it calls the others" : "on ", none ? "" : listen);
}

static void print_rows (const json_t *status, const json_t *trends)
{
    char used[AMOUNT_MAX], log[AMOUNT_MAX], received[AMOUNT_MAX];
    amount_bytes ((uint64_t) number (status, "/store/used_bytes"), used);
    amount_bytes ((uint64_t) number (status, "/log/bytes"), log);
    amount_bytes (
        (uint64_t) (number (status, "/sessions/bytes") + number (status, "/live/bytes_in")),
        received);
    print_row (trends, "links", "up", "up", "%" PRId64 " up, %" PRId64 " slow, %" PRId64 " away",
               number (status, "/links/up"), number (status, "/links/slow"),
               number (status, "/links/silent") + number (status, "/links/left"));
    print_row (trends, "changes", "applied", "applied", "%" PRId64 "; %" PRId64 " wait",
               number (status, "/data/changes"), number (status, "/changes/waiting"));
    print_row (trends, "written", "written", "written", "%" PRId64 " here since the start",
               number (status, "/changes/written"));
    print_row (trends, "received", "bytes", "received", "%s since the start", received);
    print_row (trends, "others", "behind", "most behind", "%" PRId64 " member%s in all",
               number (status, "/mesh/members"),
               amount_plural ((uint64_t) number (status, "/mesh/members")));
    print_row (trends, "disk", "used", "used", "%s, of that log %s", used, log);
    print_row (trends, "conflicts", "conflicts", "conflicts", "%" PRId64,
               number (status, "/data/conflicts"));
    const json_t *steps = json_object_get (json_object_get (trends, "up"), "values");
    if (json_array_size (steps) > 0) {
        printf ("%42s(10 s each, now on the right)\n", "");
    }
}

typedef struct named_t {
    const char *name;
    const json_t *json;
} named_t;

static int by_documents (const void *one, const void *other)
{
    int64_t a = number (((const named_t *) one)->json, "/documents");
    int64_t b = number (((const named_t *) other)->json, "/documents");
    return a != b ? (a < b ? 1 : -1)
                  : strcmp (((const named_t *) one)->name, ((const named_t *) other)->name);
}

static void add_collection (paint_table_t *table, const named_t *named)
{
    char documents[AMOUNT_MAX], changes[AMOUNT_MAX], conflicts[AMOUNT_MAX], log[AMOUNT_MAX];
    amount_count (number (named->json, "/documents"), documents);
    amount_count (number (named->json, "/changes"), changes);
    amount_count (number (named->json, "/conflicts"), conflicts);
    amount_bytes ((uint64_t) number (named->json, "/log_bytes"), log);
    bool sealed = told_flag (named->json, "/sealed");
    bool part = *told_text (named->json, "/carries", "");
    char shown[AMOUNT_MAX + 16];
    snprintf (shown, sizeof shown, "%s%s", documents, part ? " (a part)" : "");
    const char *const cells[] = {named->name, sealed ? "sealed" : shown, changes, conflicts, log};
    paint_table_add (table, PAINT_NONE, 5, cells);
}

/* The largest ones, as many as fit a screen. */
static bool print_collections (const json_t *status)
{
    static const char *const heading[] = {"COLLECTION", "DOCUMENTS", "CHANGES", "CONFLICTS", "LOG"};
    const json_t *map = json_object_get (status, "collections");
    size_t count = 0, all = json_object_size (map);
    named_t *list = calloc (all + 1, sizeof *list);
    paint_table_t table = {0};
    const char *name;
    json_t *json;
    if (!list) {
        return false;
    }
    json_object_foreach ((json_t *) map, name, json)
    {
        if (*name != '@') {
            list[count++] = (named_t){name, json};
        }
    }
    qsort (list, count, sizeof *list, by_documents);
    paint_table_add (&table, PAINT_NONE, 5, heading);
    for (size_t i = 0; i < count && i < COLLECTIONS_SHOWN; i++) {
        add_collection (&table, &list[i]);
    }
    bool failed = table.failed;
    putchar ('\n');
    paint_table_print (&table, stdout);
    if (count > COLLECTIONS_SHOWN) {
        printf ("and %zu more: saker status --all\n", count - COLLECTIONS_SHOWN);
    }
    paint_table_free (&table);
    free (list);
    return !failed;
}

/* What is not as it should be, a sentence each, as the daemon tells it. */
static void print_alarms (const json_t *status)
{
    static const char *const sentences[] = {"/twin/what", "/fork/what", "/incarnation/what"};
    bool alarm = told_text (status, "/store/ailing", NULL)
                 || number (status, "/store/damaged_records") > 0
                 || strcmp (told_text (status, "/device/role", ""), "none") == 0;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        const char *sentence = told_text (status, sentences[i], NULL);
        if (sentence) {
            paint_text (stdout, i == 0 ? PAINT_RED : PAINT_YELLOW, sentence);
            putchar ('\n');
        }
        alarm = alarm || (sentence && i < 2);
    }
    if (alarm) {
        paint_text (stdout, PAINT_RED,
                    "something is wrong: saker doctor tells what, and what to do");
        putchar ('\n');
    }
}

static saker_err_t print_screen (call_t *call, const json_t *status)
{
    json_t *trends = NULL;
    saker_err_t error = told_trends (call, &trends);
    if (error == SAKER_OK) {
        print_title (status);
        print_alarms (status);
        print_rows (status, trends);
        error = print_collections (status) ? SAKER_OK : call_memory (call);
    }
    json_decref (trends);
    return error;
}

static saker_err_t run_status (call_t *call)
{
    json_t *status = NULL;
    saker_err_t error = call_open (call);
    error = error == SAKER_OK ? told_status (call, &status) : error;
    if (error == SAKER_OK && call->json) {
        error = say_json (call, json_incref (status));
    } else if (error == SAKER_OK && call_option (call, "all")) {
        print_map (status, 0);
    } else if (error == SAKER_OK) {
        error = print_screen (call, status);
    }
    json_decref (status);
    return error;
}

static const option_t status_options[] = {
    {"all", NULL, "everything that is counted, as a tree"},
    {NULL, NULL, NULL},
};

const command_t cmd_status = {
    .name = "status",
    .run = run_status,
    .usage = "[--all]",
    .summary = "Show this peer on one screen: its links, its data, how it went in ten minutes.",
    .options = status_options,
    .example = "saker status",
    .words_min = 0,
    .words_max = 0,
};

/* ---- peers */

typedef struct listing_t {
    json_t *json; /* with --json */
    bool all;     /* also those that are members no more */
    paint_table_t table;
} listing_t;

static paint_t link_paint (const char *link)
{
    return strcmp (link, "up") == 0     ? PAINT_GREEN
           : strcmp (link, "slow") == 0 ? PAINT_YELLOW
                                        : PAINT_NONE;
}

static void list_row (listing_t *listing, const saker_peer_t *peer)
{
    char seen[32], behind[32] = "?", rtt[AMOUNT_MAX];
    bool self = strcmp (peer->link, "self") == 0;
    amount_age (peer->seen_ms, seen);
    if (peer->behind >= 0) {
        snprintf (behind, sizeof behind, "%" PRId64, peer->behind);
    }
    amount_rtt (peer->rtt_us, rtt);
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
        if (listing->all || strcmp (peer->link, "revoked") != 0) {
            list_row (listing, peer);
        }
        return 0;
    }
    listing->table.failed |= json_array_append_new (listing->json, say_peer (peer)) != 0;
    return 0;
}

static saker_err_t list_once (call_t *call)
{
    static const char *const heading[] = {"NAME",   "ID",  "ROLE",    "SEEN",
                                          "BEHIND", "RTT", "ADDRESS", "LINK"};
    listing_t listing = {.json = call->json ? json_array () : NULL,
                         .all = call_option (call, "all") != NULL};
    paint_table_add (&listing.table, PAINT_NONE, 8, heading);
    saker_err_t error = call_library (call, saker_peers (call->peer, list_peer, &listing));
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

/* On a terminal in place; elsewhere one after the other. */
static saker_err_t list_again (call_t *call, int64_t every_ms)
{
    const struct timespec gap = {every_ms / 1000, every_ms % 1000 * 1000000};
    bool screen = isatty (STDOUT_FILENO) && !call->json;
    for (;;) {
        (void) nanosleep (&gap, NULL);
        fputs (screen ? "\033[H\033[2J" : call->json ? "" : "\n", stdout);
        saker_err_t error = list_once (call);
        fflush (stdout);
        if (error != SAKER_OK || ferror (stdout)) {
            return error;
        }
    }
}

static saker_err_t run_peers (call_t *call)
{
    int64_t every_ms = 0;
    bool watch = call_option (call, "watch") || call_option (call, "every");
    saker_err_t error = call_duration (call, "every", 1000, &every_ms);
    if (error == SAKER_OK && every_ms < 100) {
        return call_fail (call, SAKER_EUSAGE, "--every: 100ms is the shortest");
    }
    error = error == SAKER_OK ? call_open (call) : error;
    error = error == SAKER_OK ? list_once (call) : error;
    fflush (stdout);
    return error == SAKER_OK && watch ? list_again (call, every_ms) : error;
}

static const option_t peers_options[] = {
    {"all", NULL, "also the devices that were revoked (--json has them always)"},
    {"watch", NULL, "list them again and again, until it is stopped"},
    {"every", "TIME", "how far apart, with --watch (default: 1s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_peers = {
    .name = "peers",
    .run = run_peers,
    .usage = "[--all] [--watch] [--every TIME]",
    .summary = "List the members, how their links are, and how far they are behind.",
    .options = peers_options,
    .example = "saker peers\nsaker peers --watch  # until Ctrl-C",
    .words_min = 0,
    .words_max = 0,
};
