/* links and ping: how this peer reaches the others. */

#include "amounts.h"
#include "commands.h"
#include "paint.h"
#include "progress.h"
#include "say.h"
#include "told.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PING_MS 5000
#define PINGS_MAX 1000000

/* ---- links */

static paint_t state_paint (const char *state)
{
    return strcmp (state, "up") == 0     ? PAINT_GREEN
           : strcmp (state, "slow") == 0 ? PAINT_YELLOW
           : strcmp (state, "self") == 0 ? PAINT_NONE
                                         : PAINT_RED;
}

/* "up", or with what is not as it should be: "up, does not hear us". */
static void say_state (const json_t *link, const char *own_id, char *text, size_t size)
{
    const char *state = told_state (link);
    bool up = strcmp (state, "up") == 0;
    bool deaf = up && *own_id && !told_hears (link, own_id);
    snprintf (text, size, "%s%s%s", state, deaf ? ", does not hear us" : "",
              told_flag (link, "/doubled") ? ", may run twice" : "");
}

static void add_row (paint_table_t *table, const json_t *link, const char *own_id)
{
    char heard[AMOUNT_MAX], rtt[AMOUNT_MAX], skew[AMOUNT_MAX] = "-", timeouts[48];
    char pulled[AMOUNT_MAX], state[96];
    const char *address = told_text (link, "/address", "");
    bool self = strcmp (told_state (link), "self") == 0;
    amount_age (told_int (link, "/heard_ms", -1), heard);
    amount_rtt (told_int (link, "/rtt_us", -1), rtt);
    if (json_is_integer (json_object_get (link, "skew_ms"))) {
        amount_skew (told_int (link, "/skew_ms", 0), skew);
    }
    amount_bytes ((uint64_t) told_int (link, "/bytes", 0), pulled);
    snprintf (timeouts, sizeof timeouts, "%" PRId64 "/%" PRId64, told_int (link, "/timeouts", 0),
              told_int (link, "/requests", 0));
    say_state (link, own_id, state, sizeof state);
    const char *const cells[] = {told_text (link, "/name", ""),
                                 *address                     ? address
                                 : told_flag (link, "/calls") ? "its own call"
                                                              : "-",
                                 self ? "-" : heard,
                                 rtt,
                                 skew,
                                 self ? "-" : timeouts,
                                 self ? "-" : pulled,
                                 state};
    paint_table_add (table, state_paint (told_state (link)), 8, cells);
}

static saker_err_t print_links (call_t *call, const json_t *links)
{
    static const char *const heading[] = {"NAME",  "ADDRESS", "HEARD",  "RTT",
                                          "CLOCK", "LATE",    "PULLED", "LINK"};
    const char *own_id = told_text (told_self (links), "/id", "");
    paint_table_t table = {0};
    paint_table_add (&table, PAINT_NONE, 8, heading);
    for (size_t i = 0; i < json_array_size (links); i++) {
        const json_t *link = json_array_get (links, i);
        if (call_option (call, "all") || strcmp (told_state (link), "revoked") != 0) {
            add_row (&table, link, own_id);
        }
    }
    bool failed = table.failed;
    paint_table_print (&table, stdout);
    paint_table_free (&table);
    return failed ? call_memory (call) : SAKER_OK;
}

static saker_err_t run_links (call_t *call)
{
    json_t *links = NULL;
    saker_err_t error = call_open (call);
    error = error == SAKER_OK ? told_links (call, &links) : error;
    if (error == SAKER_OK) {
        error = call->json ? say_json (call, json_incref (links)) : print_links (call, links);
    }
    json_decref (links);
    return error;
}

static const option_t links_options[] = {
    {"all", NULL, "also the devices that were revoked (--json has them always)"},
    {NULL, NULL, NULL},
};

const command_t cmd_links = {
    .name = "links",
    .run = run_links,
    .usage = "[--all]",
    .summary = "List the links to the other members: address, round trip, clock, what was late.",
    .details = "A member that is heard but does not hear this peer is named; so is one "
               "that may run twice. LATE is how many of the questions to it were not "
               "answered in time. CLOCK is how far its clock is ahead of (+) or behind "
               "(-) this one.",
    .options = links_options,
    .example = "saker links",
    .words_min = 0,
    .words_max = 0,
};

/* ---- ping */

typedef struct pings_t {
    uint64_t sent, answered;
    int64_t least_us, most_us, sum_us;
    saker_err_t error; /* of the last that was not answered */
} pings_t;

static void count_pong (pings_t *pings, const saker_pong_t *pong)
{
    pings->least_us =
        pings->answered && pings->least_us < pong->rtt_us ? pings->least_us : pong->rtt_us;
    pings->most_us = pong->rtt_us > pings->most_us ? pong->rtt_us : pings->most_us;
    pings->sum_us += pong->rtt_us;
    pings->answered++;
}

static saker_err_t say_pong (call_t *call, const saker_pong_t *pong)
{
    char rtt[AMOUNT_MAX];
    if (call->json) {
        return say_json (call,
                         json_pack ("{s:s,s:s,s:s,s:I}", "name", pong->name, "id", pong->id,
                                    "address", pong->address, "rtt_us", (json_int_t) pong->rtt_us));
    }
    amount_rtt (pong->rtt_us, rtt);
    paint_text (stdout, PAINT_NONE, pong->name);
    fputs (*pong->address ? " answered at " : " answered over its own call", stdout);
    paint_text (stdout, PAINT_NONE, pong->address);
    printf (" in %s\n", rtt);
    return SAKER_OK;
}

static void say_sum (const call_t *call, const pings_t *pings)
{
    char least[AMOUNT_MAX], mean[AMOUNT_MAX], most[AMOUNT_MAX];
    if (call->json || pings->sent < 2 || pings->answered == 0) {
        return;
    }
    amount_rtt (pings->least_us, least);
    amount_rtt (pings->sum_us / (int64_t) pings->answered, mean);
    amount_rtt (pings->most_us, most);
    printf ("%" PRIu64 " of %" PRIu64 " answered; least %s, mean %s, most %s\n", pings->answered,
            pings->sent, least, mean, most);
}

static saker_err_t take_count (call_t *call, uint64_t *count)
{
    const char *text = call_option (call, "count");
    char *end = NULL;
    *count = 1;
    if (text) {
        *count = *text >= '0' && *text <= '9' ? strtoull (text, &end, 10) : 0;
        if (!end || *end || *count < 1 || *count > PINGS_MAX) {
            return call_fail (call, SAKER_EUSAGE, "--count %s is no number from 1 to %d", text,
                              PINGS_MAX);
        }
    }
    return SAKER_OK;
}

static saker_err_t ping_once (call_t *call, int timeout_ms, pings_t *pings)
{
    saker_pong_t pong;
    saker_err_t error =
        call_library (call, saker_ping (call->peer, call_word (call, 0), timeout_ms, &pong));
    pings->sent++;
    if (error == SAKER_OK) {
        count_pong (pings, &pong);
        error = say_pong (call, &pong);
    }
    fflush (stdout);
    return error;
}

static saker_err_t run_ping (call_t *call)
{
    const struct timespec gap = {1, 0};
    pings_t pings = {.sent = 0};
    int64_t timeout_ms = 0;
    uint64_t count = 1;
    saker_err_t error = call_duration (call, "timeout", PING_MS, &timeout_ms);
    error = error == SAKER_OK ? take_count (call, &count) : error;
    error = error == SAKER_OK ? call_open (call) : error;
    for (uint64_t i = 0; i < count && (error == SAKER_OK || error == SAKER_ETIMEOUT); i++) {
        if (i > 0) {
            (void) nanosleep (&gap, NULL);
        }
        error = ping_once (call, (int) timeout_ms, &pings);
        pings.error = error == SAKER_ETIMEOUT ? error : pings.error;
    }
    say_sum (call, &pings);
    return error == SAKER_OK ? pings.error : error;
}

static const option_t ping_options[] = {
    {"count", "N", "ask so often, a second apart (default: 1)"},
    {"timeout", "TIME", "how long to wait for an answer (default: 5s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_ping = {
    .name = "ping",
    .run = run_ping,
    .usage = "PEER [--count N] [--timeout TIME]",
    .summary = "Ask the daemon of a member for an answer, over the link that everything takes.",
    .details = "Exit status 13: there is "
               "no link to it; 12: there is one, and no answer came.",
    .options = ping_options,
    .example = "saker ping bob",
    .words_min = 1,
    .words_max = 1,
};
