/* What the logs hold, and letting go of it. */

#include "mesh/client_internal.h"

#include "peer/cutter.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 50 /* between two questions whether it is done */

typedef struct collecting_t {
    saker_kept_fn *kept_fn;
    void *argument;
    uint64_t from;
    bool begin; /* with the first question */
    bool more, stopped, busy;
    uint64_t changes, bytes; /* cut since the daemon started */
} collecting_t;

/* Names that a holder points to. */
typedef struct names_t {
    char peer[SKR_NAME_BYTES_MAX + 1];
    char id[17];
} names_t;

static const char *verdict_text (uint64_t verdict)
{
    static const char *const texts[] = {"unheard", "behind",   "roster", "own",
                                        "fork",    "returned", "closed"};
    return verdict < sizeof texts / sizeof *texts ? texts[verdict] : "unknown";
}

static const char *end_text (uint64_t end)
{
    static const char *const texts[] = {"", "more", "member", "history"};
    return end < sizeof texts / sizeof *texts ? texts[end] : "unknown";
}

static void take_holder (skr_cbor_t *cbor, saker_holder_t *holder, names_t *names)
{
    if (skr_cbor_get_array (cbor, 7) != 7) {
        skr_cbor_reject (cbor, "not a holder");
    }
    skr_fields_text (cbor, names->peer, sizeof names->peer);
    skr_fields_text (cbor, names->id, sizeof names->id);
    holder->peer = names->peer;
    holder->id = names->id;
    holder->why = verdict_text (skr_cbor_get_uint (cbor));
    holder->missing = skr_cbor_get_uint (cbor);
    holder->since_ms = (int64_t) skr_cbor_get_uint (cbor);
    holder->changes = skr_cbor_get_uint (cbor);
    holder->bytes = skr_cbor_get_uint (cbor);
}

static saker_err_t take_holders (skr_cbor_t *cbor, saker_kept_t *kept, saker_holder_t **holders,
                                 names_t **names)
{
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX); /* each takes some of the bytes left */
    *holders = calloc (count + 1, sizeof **holders);
    *names = calloc (count + 1, sizeof **names);
    if (!*holders || !*names) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        take_holder (cbor, &(*holders)[i], &(*names)[i]);
    }
    kept->holders = *holders;
    kept->holders_count = count;
    return SAKER_OK;
}

static saker_err_t take_kept (collecting_t *collecting, skr_cbor_t *cbor)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1];
    saker_kept_t kept = {.collection = collection};
    saker_holder_t *holders = NULL;
    names_t *names = NULL;
    if (skr_cbor_get_array (cbor, 9) != 9) {
        skr_cbor_reject (cbor, "not what is kept of a log");
    }
    skr_fields_text (cbor, collection, sizeof collection);
    kept.changes = skr_cbor_get_uint (cbor);
    kept.bytes = skr_cbor_get_uint (cbor);
    kept.going = skr_cbor_get_uint (cbor);
    kept.going_bytes = skr_cbor_get_uint (cbor);
    kept.estimated = skr_cbor_get_bool (cbor);
    kept.held_by = end_text (skr_cbor_get_uint (cbor));
    kept.time_ms = (int64_t) skr_cbor_get_uint (cbor);
    saker_err_t error = take_holders (cbor, &kept, &holders, &names);
    if (error == SAKER_OK && cbor->error == SAKER_OK && collecting->kept_fn) {
        collecting->stopped = collecting->kept_fn (&kept, collecting->argument) != 0;
    }
    free (holders);
    free (names);
    return error;
}

static saker_err_t take_page (collecting_t *collecting, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !collecting->stopped; i++) {
        SKR_TRY (take_kept (collecting, cbor));
    }
    if (collecting->stopped) {
        return SAKER_OK;
    }
    collecting->more = skr_fields_has (&question->fields, 1);
    if (collecting->more) {
        collecting->from = skr_cbor_get_uint (cbor);
    }
    skr_fields_need (&question->fields, 2);
    collecting->busy = skr_cbor_get_bool (cbor);
    skr_fields_need (&question->fields, 3);
    collecting->changes = skr_cbor_get_uint (cbor);
    skr_fields_need (&question->fields, 4);
    collecting->bytes = skr_cbor_get_uint (cbor);
    return skr_question_check (question);
}

static saker_err_t ask_page (saker_t *self, collecting_t *collecting)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_GC, 2);
    if (error == SAKER_OK) {
        skr_cbor_put_uint (&question.request, 0);
        skr_cbor_put_bool (&question.request, collecting->begin);
        skr_question_uint (&question, 1, collecting->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_page (collecting, &question);
    }
    skr_question_end (&question);
    return error;
}

/* Asks again and again, behind the last collection, where nothing is to be looked at. */
static saker_err_t wait_until_done (saker_t *self, collecting_t *asking, int timeout_ms)
{
    uint64_t deadline_ms = skr_client_deadline_ms (timeout_ms);
    asking->begin = true;
    do {
        asking->from = UINT64_MAX >> 1;
        SKR_TRY (ask_page (self, asking));
        asking->begin = false;
        if (asking->busy && skr_client_now_ms () >= deadline_ms) {
            return skr_fail (SAKER_ETIMEOUT, "the log is still being cut; it goes on");
        }
        if (asking->busy) {
            skr_client_pause (AGAIN_MS);
        }
    } while (asking->busy);
    return SAKER_OK;
}

static saker_err_t collect (saker_t *self, int timeout_ms, saker_gc_t *gone)
{
    collecting_t before = {.from = UINT64_MAX >> 1}, after = {.kept_fn = NULL};
    SKR_TRY (ask_page (self, &before));
    SKR_TRY (wait_until_done (self, &after, timeout_ms));
    gone->changes = after.changes - before.changes;
    gone->bytes = after.bytes - before.bytes;
    return SAKER_OK;
}

saker_err_t saker_gc (saker_t *self, bool plan, int timeout_ms, saker_gc_t *gone,
                      saker_kept_fn *kept_fn, void *argument)
{
    collecting_t collecting = {.kept_fn = kept_fn, .argument = argument};
    memset (gone, 0, sizeof *gone);
    if (!plan) {
        SKR_TRY (collect (self, timeout_ms, gone));
    }
    saker_err_t error;
    do {
        error = ask_page (self, &collecting);
    } while (error == SAKER_OK && collecting.more && !collecting.stopped);
    return error;
}
