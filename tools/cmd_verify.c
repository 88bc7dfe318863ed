/* verify: do all peers hold the same? */

#include "amounts.h"
#include "commands.h"
#include "paint.h"
#include "say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_MS 5000

typedef struct verify_t {
    json_t *verdicts;
    paint_table_t table;
    uint64_t collections, documents, peers; /* peers: the most that one collection had */
    uint64_t peers_here;                    /* of the collection at hand */
    uint64_t differ;                        /* verdicts that are not "same" */
    char *collection;
    char fingerprint[33]; /* of the last collection, ours */
    bool failed;
} verify_t;

static bool is_same (const saker_verdict_t *verdict)
{
    return verdict->reached && verdict->same_clock && verdict->same_data;
}

static void say_verdict (const saker_verdict_t *verdict, char *text, size_t size)
{
    if (!verdict->reached) {
        snprintf (text, size, "not reached");
    } else if (is_same (verdict) && !verdict->compared) {
        snprintf (text, size, "same changes; the data was not compared");
    } else if (is_same (verdict) && *verdict->part) {
        snprintf (text, size, "same, as far as it carries it: %s", verdict->part);
    } else if (is_same (verdict)) {
        snprintf (text, size, "same");
    } else if (verdict->same_clock) {
        snprintf (text, size, "DATA DIFFERS at the same clock: see saker status there");
    } else if (verdict->ahead && verdict->behind) {
        snprintf (text, size, "%" PRId64 " changes ahead, %" PRId64 " behind", verdict->ahead,
                  verdict->behind);
    } else {
        snprintf (text, size, "%" PRId64 " changes %s",
                  verdict->ahead ? verdict->ahead : verdict->behind,
                  verdict->ahead ? "ahead" : "behind");
    }
}

static void add_row (verify_t *self, const saker_verdict_t *verdict)
{
    char documents[32], result[512];
    snprintf (documents, sizeof documents, "%" PRIu64, verdict->documents);
    say_verdict (verdict, result, sizeof result);
    bool reached = verdict->reached;
    const char *const cells[] = {verdict->collection, verdict->peer, reached ? documents : "-",
                                 reached ? verdict->fingerprint : "-", result};
    paint_t paint = is_same (verdict)                ? PAINT_GREEN
                    : verdict->same_clock && reached ? PAINT_RED
                                                     : PAINT_YELLOW;
    paint_table_add (&self->table, paint, 5, cells);
}

static void add_json (verify_t *self, const saker_verdict_t *verdict)
{
    json_t *json = json_pack (
        "{s:s,s:s,s:b,s:b,s:b,s:s,s:I,s:I,s:I,s:s,s:b}", "collection", verdict->collection, "peer",
        verdict->peer, "reached", verdict->reached, "same_clock", verdict->same_clock, "same_data",
        verdict->same_data, "fingerprint", verdict->fingerprint ? verdict->fingerprint : "",
        "documents", (json_int_t) verdict->documents, "ahead", (json_int_t) verdict->ahead,
        "behind", (json_int_t) verdict->behind, "part", verdict->part, "compared",
        verdict->compared);
    self->failed |= json_array_append_new (self->verdicts, json) != 0;
}

/* The local peer's verdict, the first of a collection, gives the counts. The roster is compared as
   well, but nobody would count it as data. */
static void begin_collection (verify_t *self, const saker_verdict_t *verdict)
{
    free (self->collection);
    self->collection = strdup (verdict->collection);
    self->failed |= !self->collection;
    self->peers_here = 0;
    if (verdict->collection[0] == '@') {
        return;
    }
    self->collections++;
    self->documents += verdict->documents;
    snprintf (self->fingerprint, sizeof self->fingerprint, "%s",
              verdict->fingerprint ? verdict->fingerprint : "");
}

static int take_verdict (const saker_verdict_t *verdict, void *argument)
{
    verify_t *self = argument;
    if (!self->collection || strcmp (self->collection, verdict->collection) != 0) {
        begin_collection (self, verdict);
    }
    self->peers_here++;
    self->peers = self->peers_here > self->peers ? self->peers_here : self->peers;
    self->differ += !is_same (verdict);
    add_row (self, verdict);
    add_json (self, verdict);
    return 0;
}

static saker_err_t print_result (call_t *call, const verify_t *self, saker_err_t error)
{
    bool same = error == SAKER_OK && self->differ == 0;
    if (call->json) {
        json_t *json =
            json_pack ("{s:b,s:I,s:I,s:I,s:O}", "same", same, "peers", (json_int_t) self->peers,
                       "collections", (json_int_t) self->collections, "documents",
                       (json_int_t) self->documents, "verdicts", self->verdicts);
        if (json && self->collections == 1) {
            json_object_set_new (json, "fingerprint", json_string (self->fingerprint));
        }
        return say_json (call, json);
    }
    paint_table_print (&self->table, stdout);
    paint_text (stdout, same ? PAINT_GREEN : PAINT_YELLOW, same ? "same" : "not the same");
    printf (": %" PRIu64 " peer%s, %" PRIu64 " collection%s, %" PRIu64 " document%s", self->peers,
            amount_plural (self->peers), self->collections, amount_plural (self->collections),
            self->documents, amount_plural (self->documents));
    if (self->collections == 1) {
        printf (", fingerprint %s", self->fingerprint);
    }
    putchar ('\n');
    return SAKER_OK;
}

static saker_err_t run_verify (call_t *call)
{
    static const char *const heading[] = {"COLLECTION", "PEER", "DOCUMENTS", "FINGERPRINT",
                                          "RESULT"};
    verify_t self = {.verdicts = json_array ()};
    paint_table_add (&self.table, PAINT_NONE, 5, heading);
    int64_t timeout_ms = 0;
    saker_err_t error = call_duration (call, "timeout", VERIFY_MS, &timeout_ms);
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_verify (call->peer, call_word (call, 0), (int) timeout_ms,
                                                  take_verdict, &self));
    }
    if (error == SAKER_OK && self.differ) {
        error = call_fail (call, SAKER_EDIFFER, "%" PRIu64 " of the answers differ from this peer",
                           self.differ);
    }
    bool answered = error == SAKER_OK || error == SAKER_EDIFFER || error == SAKER_EUNREACHABLE;
    if (self.failed || self.table.failed) {
        error = call_memory (call);
    } else if (answered && self.collection) {
        saker_err_t printed = print_result (call, &self, error);
        error = printed != SAKER_OK ? printed : error;
    } else if (error == SAKER_OK) {
        error = print_result (call, &self, error);
    }
    free (self.collection);
    json_decref (self.verdicts);
    paint_table_free (&self.table);
    return error;
}

static const option_t verify_options[] = {
    {"timeout", "TIME", "how long to wait for the answers (default: 5s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_verify = {
    .name = "verify",
    .run = run_verify,
    .usage = "[COLL] [--timeout TIME]",
    .summary = "Compare clock and fingerprint of all peers; exit status 0 only if they are equal.",
    .options = verify_options,
    .example = "saker verify languages",
    .words_min = 0,
    .words_max = 1,
};
