/* verify: do all peers hold the same? */

#include "amounts.h"
#include "canon.h"
#include "commands.h"
#include "paint.h"
#include "say.h"
#include "told.h"
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_MS 5000
#define DEEP_MS 60000

typedef struct verify_t {
    json_t *verdicts;
    paint_table_t table;
    uint64_t collections, documents, peers; /* peers: the most that one collection had */
    uint64_t peers_here;                    /* of the collection at hand */
    uint64_t differ;                        /* verdicts that are not "same" */
    char *collection;
    char fingerprint[33]; /* of the last collection, ours */
    json_t *differences;  /* with --deep */
    bool failed;
} verify_t;

static bool is_same (const saker_verdict_t *verdict)
{
    return !verdict->carried || (verdict->reached && verdict->same_clock && verdict->same_data);
}

static void say_verdict (const saker_verdict_t *verdict, char *text, size_t size)
{
    if (!verdict->carried) {
        snprintf (text, size, "does not carry it");
    } else if (!verdict->reached) {
        snprintf (text, size, "not reached");
    } else if (is_same (verdict) && !verdict->compared) {
        snprintf (text, size, "same changes; the data was not compared");
    } else if (is_same (verdict) && *verdict->part) {
        snprintf (text, size, "same, as far as it carries it: %s", verdict->part);
    } else if (is_same (verdict)) {
        snprintf (text, size, "same");
    } else if (verdict->same_clock) {
        snprintf (text, size, "DATA DIFFERS at the same clock: see saker verify --deep");
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
        "{s:s,s:s,s:b,s:b,s:b,s:b,s:s,s:I,s:I,s:I,s:s,s:b}", "collection", verdict->collection,
        "peer", verdict->peer, "carried", verdict->carried, "reached", verdict->reached,
        "same_clock", verdict->same_clock, "same_data", verdict->same_data, "fingerprint",
        verdict->fingerprint ? verdict->fingerprint : "", "documents",
        (json_int_t) verdict->documents, "ahead", (json_int_t) verdict->ahead, "behind",
        (json_int_t) verdict->behind, "part", verdict->part, "compared", verdict->compared);
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
    self->peers_here += verdict->carried;
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
        if (json && self->differences) {
            json_object_set (json, "differences", self->differences);
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

/* ---- deep: what differs, where clocks are equal and data is not */

typedef struct deep_t {
    const char *collection, *peer;
    json_t *differences;
    bool json, failed;
} deep_t;

static json_t *difference_json (const deep_t *self, const saker_difference_t *difference)
{
    char writer[33], time[PAINT_TIME_MAX];
    say_hex (difference->writer, writer);
    paint_time (difference->time_ms, time);
    return json_pack (
        "{s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:s,s:I,s:I,s:s}", "collection", self->collection, "peer",
        self->peer, "document", difference->document, "path", difference->pointer, "cell",
        say_cell (difference->cell), "here", (int) difference->here, "value",
        difference->value ? tree_value (difference->value) : json_null (), "writer", writer, "seq",
        (json_int_t) difference->seq, "index", (json_int_t) difference->index, "time", time);
}

static void print_difference (const deep_t *self, const saker_difference_t *difference)
{
    char writer[33], time[PAINT_TIME_MAX], line[1024];
    strbuf_t value = {0};
    json_t *json = difference->value ? tree_value (difference->value) : NULL;
    if (json) {
        canon_add (&value, json);
    }
    json_decref (json);
    say_hex (difference->writer, writer);
    paint_time (difference->time_ms, time);
    snprintf (line, sizeof line, "%s/%s %s: %s has the %s ", self->collection, difference->document,
              *difference->pointer ? difference->pointer : "(all)",
              difference->here ? "this peer" : self->peer, say_cell (difference->cell));
    paint_text (stdout, difference->here ? PAINT_YELLOW : PAINT_RED, line);
    paint_text (stdout, PAINT_NONE, value.data ? value.data : "(too large to be shown)");
    printf (", of operation %" PRIu32 " of change %" PRIu64 " of writer %s at %s\n",
            difference->index, difference->seq, writer, time);
    strbuf_free (&value);
}

static int take_difference (const saker_difference_t *difference, void *argument)
{
    deep_t *self = argument;
    if (!self->json) {
        print_difference (self, difference);
    }
    json_t *json = difference_json (self, difference);
    self->failed |= json_array_append_new (self->differences, json ? json : json_null ()) != 0;
    return 0;
}

static saker_err_t look_deep (call_t *call, deep_t *self, int timeout_ms)
{
    uint64_t moved = 0;
    saker_err_t error = saker_verify_deep (call->peer, self->collection, self->peer, timeout_ms,
                                           take_difference, self, &moved);
    if (!call->json && moved) {
        printf ("%s: a change came in between, and %s was asked again %" PRIu64 " time%s\n",
                self->collection, self->peer, moved, amount_plural (moved));
    }
    if (!call->json && error == SAKER_OK) {
        printf ("%s: %s holds the same as this peer, document by document: its fingerprint is not "
                "that of its data; saker store check there tells more\n",
                self->collection, self->peer);
    } else if (!call->json && error == SAKER_EDIFFER) {
        printf (
            "    next: which of the two is right is shown by a third peer, or saker log %s/DOC; "
            "on the other one: saker store check, once its daemon is stopped\n",
            self->collection);
    }
    return error == SAKER_EDIFFER ? SAKER_OK : call_library (call, error);
}

/* Each that has the same clock and other data. */
static saker_err_t look_at_all (call_t *call, const verify_t *verify, json_t *differences,
                                int timeout_ms)
{
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < json_array_size (verify->verdicts) && error == SAKER_OK; i++) {
        const json_t *verdict = json_array_get (verify->verdicts, i);
        deep_t deep = {.collection = told_text (verdict, "/collection", ""),
                       .peer = told_text (verdict, "/peer", ""),
                       .differences = differences,
                       .json = call->json};
        if (told_flag (verdict, "/same_clock") && !told_flag (verdict, "/same_data")
            && told_flag (verdict, "/reached") && *deep.collection != '@') {
            error = look_deep (call, &deep, timeout_ms);
            error = deep.failed ? call_memory (call) : error;
        }
    }
    return error;
}

static saker_err_t run_verify (call_t *call)
{
    static const char *const heading[] = {"COLLECTION", "PEER", "DOCUMENTS", "FINGERPRINT",
                                          "RESULT"};
    verify_t self = {.verdicts = json_array (),
                     .differences = call_option (call, "deep") ? json_array () : NULL};
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
        char sentence[CALL_SENTENCE_MAX];
        snprintf (sentence, sizeof sentence, "%s", call->sentence);
        saker_err_t printed = SAKER_OK;
        if (self.differences) {
            printed = look_at_all (call, &self, self.differences,
                                   (int) (timeout_ms > DEEP_MS ? timeout_ms : DEEP_MS));
        }
        printed = printed == SAKER_OK ? print_result (call, &self, error) : printed;
        if (printed == SAKER_OK) {
            snprintf (call->sentence, sizeof call->sentence, "%s", sentence);
        }
        error = printed != SAKER_OK ? printed : error;
    } else if (error == SAKER_OK) {
        error = print_result (call, &self, error);
    }
    free (self.collection);
    json_decref (self.verdicts);
    json_decref (self.differences);
    paint_table_free (&self.table);
    return error;
}

static const option_t verify_options[] = {
    {"timeout", "TIME", "how long to wait for the answers (default: 5s)"},
    {"deep", NULL, "where data differs, find the first document that does, and what of it"},
    {NULL, NULL, NULL},
};

const command_t cmd_verify = {
    .name = "verify",
    .run = run_verify,
    .usage = "[COLL] [--deep] [--timeout TIME]",
    .summary = "Compare clock and fingerprint of all peers; exit status 0 only if they are equal.",
    .details = "Exit status 18 when a peer differs, 13 when one did not answer. Peers that do not "
               "carry a collection are named, and not asked; of one that carries a part, what both "
               "carry is compared. Peers with the "
               "same changes should hold the same data; where one does not, a disk is damaged, or "
               "a writer forked. With --deep such a peer is asked for the fingerprints of parts of "
               "the collection, smaller and smaller, until the first document that differs is "
               "found, and each value of it that only one of the two holds is told.",
    .options = verify_options,
    .example = "saker verify languages\nsaker verify --deep",
    .words_min = 0,
    .words_max = 1,
};
