/* What this peer carries. */

#include "mesh/client_internal.h"

#include <string.h>

#define AGAIN_MS 100 /* between two questions whether it can be left, or is dropped */

/* ---- listing */

typedef struct listing_t {
    saker_subscription_fn *fn;
    void *argument;
    uint64_t from;
    bool rest, more, stopped;
} listing_t;

static void take_one (listing_t *listing, skr_cbor_t *cbor)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1], state[16], holder[SKR_NAME_BYTES_MAX + 1];
    saker_subscription_t one = {.collection = collection, .state = state, .holder = holder};
    if (skr_cbor_get_array (cbor, 5) != 5) {
        skr_cbor_reject (cbor, "not a subscription");
    }
    skr_fields_text (cbor, collection, sizeof collection);
    skr_fields_text (cbor, state, sizeof state);
    one.changes = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, holder, sizeof holder);
    one.holders = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && listing->fn) {
        listing->stopped = listing->fn (&one, listing->argument) != 0;
    }
}

static saker_err_t ask_page (saker_t *self, listing_t *listing)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_SUBSCRIPTIONS, 1);
    if (error == SAKER_OK) {
        skr_question_uint (&question, 0, listing->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question.fields, 0);
        listing->rest = skr_cbor_get_bool (&question.cbor);
        skr_fields_need (&question.fields, 1);
        size_t count = skr_cbor_get_array (&question.cbor, SIZE_MAX);
        for (size_t i = 0; i < count && question.cbor.error == SAKER_OK && !listing->stopped; i++) {
            take_one (listing, &question.cbor);
        }
        listing->more = !listing->stopped && skr_fields_has (&question.fields, 2);
        listing->from = listing->more ? skr_cbor_get_uint (&question.cbor) : 0;
        error = listing->stopped ? SAKER_OK : skr_question_check (&question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_subscriptions (saker_t *self, bool *rest, saker_subscription_fn *fn,
                                 void *argument)
{
    listing_t listing = {.fn = fn, .argument = argument};
    saker_err_t error;
    do {
        error = ask_page (self, &listing);
    } while (error == SAKER_OK && listing.more);
    if (error == SAKER_OK && rest) {
        *rest = listing.rest;
    }
    return error;
}

/* ---- choosing */

static saker_err_t choose (saker_t *self, skr_subscribe_how_t how, const char *const *collections,
                           size_t count, bool *changed)
{
    skr_question_t question;
    bool moved = false;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_SUBSCRIBE, 2);
    if (error == SAKER_OK) {
        skr_question_uint (&question, 0, how);
        skr_cbor_put_uint (&question.request, 1);
        skr_cbor_put_texts (&question.request, collections, count);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question.fields, 0);
        moved = skr_cbor_get_bool (&question.cbor);
        error = skr_question_check (&question);
    }
    if (error == SAKER_OK && changed) {
        *changed = moved;
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_subscribe (saker_t *self, const char *const *collections, size_t count,
                             bool *changed)
{
    return choose (self, count ? SKR_SUBSCRIBE_ADD : SKR_SUBSCRIBE_ALL, collections, count,
                   changed);
}

static int note_leaving (const saker_subscription_t *subscription, void *argument)
{
    bool leaving = strcmp (subscription->state, "leaving") == 0;
    if (leaving) {
        snprintf (argument, SKR_COLLECTION_BYTES_MAX + 1, "%s", subscription->collection);
    }
    return leaving;
}

static saker_err_t wait_dropped (saker_t *self, uint64_t deadline_ms)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    do {
        name[0] = 0;
        SKR_TRY (saker_subscriptions (self, NULL, note_leaving, name));
        if (!name[0]) {
            return SAKER_OK;
        }
        skr_client_pause (AGAIN_MS);
    } while (skr_client_now_ms () < deadline_ms);
    return skr_fail (SAKER_EWAIT,
                     "%s is left, and kept here until an admin's peer reports all of it: that goes "
                     "on by itself; saker subscribe lists what is still leaving",
                     name);
}

static saker_err_t narrow (saker_t *self, skr_subscribe_how_t how, const char *const *collections,
                           size_t count, int timeout_ms, bool *changed)
{
    uint64_t deadline_ms = skr_client_deadline_ms (timeout_ms);
    saker_err_t error = choose (self, how, collections, count, changed);
    while (error == SAKER_EWAIT && skr_client_now_ms () < deadline_ms) {
        skr_client_pause (AGAIN_MS);
        error = choose (self, how, collections, count, changed);
    }
    if (error == SAKER_EWAIT) {
        return skr_wrap (SAKER_ETIMEOUT, "nothing was changed");
    }
    return error == SAKER_OK ? wait_dropped (self, deadline_ms) : error;
}

saker_err_t saker_unsubscribe (saker_t *self, const char *const *collections, size_t count,
                               int timeout_ms, bool *changed)
{
    return narrow (self, SKR_SUBSCRIBE_LEAVE, collections, count, timeout_ms, changed);
}

saker_err_t saker_subscribe_only (saker_t *self, const char *const *collections, size_t count,
                                  int timeout_ms, bool *changed)
{
    return narrow (self, SKR_SUBSCRIBE_ONLY, collections, count, timeout_ms, changed);
}
