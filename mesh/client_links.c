/* What a program asks about links, and about why something is not where it should be. */

#include "mesh/client_internal.h"

#include "peer/trend.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEARS_MAX 4096

/* ---- links */

typedef struct listing_t {
    saker_link_fn *link_fn;
    void *argument;
    uint8_t from[32];
    bool more, stopped;
} listing_t;

/* The texts that a link points to. */
typedef struct texts_t {
    char name[SKR_NAME_BYTES_MAX + 1], id[32], role[16], state[16];
    char address[SKR_ADDRESS_BYTES_MAX + 64];
    char (*ids)[20];
    const char **hears;
} texts_t;

static saker_err_t take_hears (skr_cbor_t *cbor, saker_link_t *link, texts_t *texts)
{
    size_t count = skr_cbor_get_array (cbor, HEARS_MAX);
    texts->ids = calloc (count + 1, sizeof *texts->ids);
    texts->hears = calloc (count + 1, sizeof *texts->hears);
    if (!texts->ids || !texts->hears) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_fields_text (cbor, texts->ids[i], sizeof texts->ids[i]);
        texts->hears[i] = texts->ids[i];
    }
    link->hears = texts->hears;
    link->hears_count = count;
    return SAKER_OK;
}

static void take_numbers (skr_cbor_t *cbor, saker_link_t *link)
{
    link->fenced = skr_cbor_get_bool (cbor);
    link->doubled = skr_cbor_get_bool (cbor);
    link->calls = skr_cbor_get_bool (cbor);
    link->greeted = skr_cbor_get_bool (cbor);
    link->heard_ms = skr_cbor_get_int (cbor);
    link->seen_ms = skr_cbor_get_int (cbor);
    link->rtt_us = skr_cbor_get_int (cbor);
    link->skew_known = skr_cbor_get_bool (cbor);
    link->skew_ms = skr_cbor_get_int (cbor);
    link->behind = skr_cbor_get_int (cbor);
    link->ahead = skr_cbor_get_int (cbor);
    link->lag_ms = skr_cbor_get_int (cbor);
    link->requests = skr_cbor_get_uint (cbor);
    link->timeouts = skr_cbor_get_uint (cbor);
    link->bad_answers = skr_cbor_get_uint (cbor);
    link->changes = skr_cbor_get_uint (cbor);
    link->bytes = skr_cbor_get_uint (cbor);
    link->snapshots = skr_cbor_get_uint (cbor);
    link->published = skr_cbor_get_uint (cbor);
}

static saker_err_t take_link (listing_t *listing, skr_cbor_t *cbor)
{
    texts_t texts = {.ids = NULL};
    saker_link_t link = {.name = texts.name,
                         .id = texts.id,
                         .role = texts.role,
                         .state = texts.state,
                         .address = texts.address};
    if (skr_cbor_get_array (cbor, 25) != 25) {
        skr_cbor_reject (cbor, "not a link");
    }
    skr_fields_text (cbor, texts.name, sizeof texts.name);
    skr_fields_text (cbor, texts.id, sizeof texts.id);
    skr_fields_text (cbor, texts.role, sizeof texts.role);
    skr_fields_text (cbor, texts.state, sizeof texts.state);
    skr_fields_text (cbor, texts.address, sizeof texts.address);
    take_numbers (cbor, &link);
    saker_err_t error = take_hears (cbor, &link, &texts);
    if (error == SAKER_OK && cbor->error == SAKER_OK) {
        listing->stopped = listing->link_fn (&link, listing->argument) != 0;
    }
    free (texts.ids);
    free (texts.hears);
    return error;
}

static saker_err_t take_page (listing_t *listing, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !listing->stopped; i++) {
        SKR_TRY (take_link (listing, cbor));
    }
    listing->more = !listing->stopped && skr_fields_has (&question->fields, 1);
    if (listing->more) {
        skr_cbor_get_fixed (cbor, listing->from, sizeof listing->from);
    }
    return listing->stopped ? SAKER_OK : skr_question_check (question);
}

static saker_err_t ask_page (saker_t *self, listing_t *listing)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_LINKS, 1);
    if (error == SAKER_OK) {
        skr_question_bytes (&question, 0, listing->from, sizeof listing->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_page (listing, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_links (saker_t *self, saker_link_fn *link_fn, void *argument)
{
    listing_t listing = {.link_fn = link_fn, .argument = argument};
    saker_err_t error;
    do {
        error = ask_page (self, &listing);
    } while (error == SAKER_OK && listing.more && !listing.stopped);
    return error;
}

/* ---- ping */

static saker_err_t take_pong (skr_question_t *question, saker_pong_t *pong)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    skr_fields_text (cbor, pong->name, sizeof pong->name);
    skr_fields_need (&question->fields, 1);
    skr_fields_text (cbor, pong->id, sizeof pong->id);
    skr_fields_need (&question->fields, 2);
    skr_fields_text (cbor, pong->address, sizeof pong->address);
    skr_fields_need (&question->fields, 3);
    pong->rtt_us = skr_cbor_get_int (cbor);
    return skr_question_check (question);
}

saker_err_t saker_ping (saker_t *self, const char *peer, int timeout_ms, saker_pong_t *pong)
{
    skr_question_t question;
    uint64_t wait_ms = timeout_ms > 0 ? (uint64_t) timeout_ms : 0;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_PING, 2);
    memset (pong, 0, sizeof *pong);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, peer);
        skr_question_uint (&question, 1, wait_ms);
        error = skr_question_ask (&question, wait_ms < INT_MAX - SKR_CLIENT_GRACE_MS
                                                 ? (int) wait_ms + SKR_CLIENT_GRACE_MS
                                                 : INT_MAX);
    }
    if (error == SAKER_OK) {
        error = take_pong (&question, pong);
    }
    skr_question_end (&question);
    return error;
}

/* ---- the log level */

saker_err_t saker_log_level (saker_t *self, int level, int for_ms)
{
    skr_question_t question;
    if (level < 0 || for_ms < 0) {
        return skr_fail (SAKER_EINPUT, "a log level is 0 to 3, for 0 ms or more");
    }
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_LOG_LEVEL, 2);
    if (error == SAKER_OK) {
        skr_question_uint (&question, 0, (uint64_t) level);
        skr_question_uint (&question, 1, (uint64_t) for_ms);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    skr_question_end (&question);
    return error;
}

/* ---- why */

static saker_err_t take_reason (skr_question_t *question, saker_reason_t *reason)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    if (skr_cbor_get_array (cbor, 17) != 17) {
        skr_cbor_reject (cbor, "not a reason");
    }
    reason->cause = (saker_cause_t) skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, reason->peer, sizeof reason->peer);
    skr_fields_text (cbor, reason->id, sizeof reason->id);
    reason->own = skr_cbor_get_bool (cbor);
    skr_fields_text (cbor, reason->role, sizeof reason->role);
    skr_fields_text (cbor, reason->link, sizeof reason->link);
    reason->seen_ms = skr_cbor_get_int (cbor);
    skr_fields_text (cbor, reason->other, sizeof reason->other);
    skr_fields_text (cbor, reason->other_link, sizeof reason->other_link);
    reason->other_seen_ms = skr_cbor_get_int (cbor);
    reason->seq = skr_cbor_get_uint (cbor);
    reason->changes = skr_cbor_get_uint (cbor);
    reason->estimated = skr_cbor_get_bool (cbor);
    reason->rivals = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, reason->author, sizeof reason->author);
    reason->author_seq = skr_cbor_get_uint (cbor);
    reason->time_ms = skr_cbor_get_uint (cbor);
    return skr_question_check (question);
}

saker_err_t saker_why (saker_t *self, const char *collection, const char *document,
                       const char *peer, saker_reason_t *reason)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_WHY, peer ? 3 : 2);
    memset (reason, 0, sizeof *reason);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, collection);
        skr_question_text (&question, 1, document);
        if (peer) {
            skr_question_text (&question, 2, peer);
        }
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_reason (&question, reason);
    }
    skr_question_end (&question);
    return error;
}

/* ---- trends */

static int take_trend (skr_cbor_t *cbor, saker_trend_fn *trend_fn, void *argument)
{
    int64_t values[SKR_TREND_STEPS];
    char name[32];
    saker_trend_t trend = {.name = name, .values = values};
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "not a trend");
    }
    skr_fields_text (cbor, name, sizeof name);
    trend.step_ms = (int64_t) skr_cbor_get_uint (cbor);
    trend.count = skr_cbor_get_array (cbor, SKR_TREND_STEPS);
    for (size_t i = 0; i < trend.count && cbor->error == SAKER_OK; i++) {
        values[i] = skr_cbor_get_int (cbor);
    }
    return cbor->error == SAKER_OK ? trend_fn (&trend, argument) : 0;
}

saker_err_t saker_trends (saker_t *self, saker_trend_fn *trend_fn, void *argument)
{
    skr_question_t question;
    int ended = 0;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_TRENDS, 0);
    if (error == SAKER_OK) {
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question.fields, 0);
        size_t count = skr_cbor_get_array (&question.cbor, SIZE_MAX);
        for (size_t i = 0; i < count && !ended && question.cbor.error == SAKER_OK; i++) {
            ended = take_trend (&question.cbor, trend_fn, argument);
        }
        error = ended ? SAKER_OK : skr_question_check (&question);
    }
    skr_question_end (&question);
    return error;
}
