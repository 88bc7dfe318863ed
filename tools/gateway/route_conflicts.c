/* Where rivals are, and settling them: by one of them, or by another value. */

#include "choice.h"
#include "fill.h"
#include "gateway/doorman.h"
#include "gateway/etag.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/sight.h"
#include "gateway/writing.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000

typedef struct listing_t {
    request_t *request;
    json_t *list;
    size_t limit;
    bool more, failed;
} listing_t;

static int take_conflict (const saker_conflict_t *conflict, void *argument)
{
    listing_t *listing = argument;
    if (!doorman_may_see (listing->request, conflict->collection)) {
        return 0;
    }
    if (json_array_size (listing->list) == listing->limit) {
        listing->more = true;
        return 1;
    }
    listing->failed |= json_array_append_new (listing->list, choice_list (conflict)) != 0;
    return listing->failed;
}

static void reply_conflicts (request_t *request, call_t *call, const char *collection,
                             const char *document, const char *pointer)
{
    listing_t listing = {.request = request};
    if (!request_number (request, "limit", 1, LIMIT_MAX, LIMIT_MAX, &listing.limit)) {
        return;
    }
    listing.list = json_array ();
    saker_err_t error =
        saker_conflicts (call->peer, collection, document, pointer, take_conflict, &listing);
    if (error != SAKER_OK) {
        problem_library (request, error);
    } else {
        reply_json (request, 200,
                    listing.failed
                        ? NULL
                        : json_pack ("{s:O,s:b}", "conflicts", listing.list, "more", listing.more));
    }
    json_decref (listing.list);
}

void route_conflicts (request_t *request, call_t *call)
{
    reply_conflicts (request, call, *request->names[0] ? request->names[0] : NULL, NULL, NULL);
}

void route_document_conflicts (request_t *request, call_t *call)
{
    reply_conflicts (request, call, request->names[0], request->names[1],
                     request_argument (request, "pointer"));
}

/* ---- settling */

typedef struct settling_t {
    request_t *request;
    call_t *call;
    const char *pointer;
    size_t number; /* of the rival to take; 0: none, any conflict will do */
    saker_batch_t *batch;
    size_t choices;
    bool found;
    saker_err_t error;
} settling_t;

static int see_conflict (const saker_conflict_t *conflict, void *argument)
{
    settling_t *self = argument;
    if (strcmp (conflict->pointer, self->pointer) != 0) {
        return 0;
    }
    self->found = true;
    for (size_t at = 0; at < conflict->rivals_count;) {
        choice_t choice = choice_at (conflict, at);
        if (++self->choices == self->number) {
            self->error = choice_take (&choice, self->batch, conflict->document, self->pointer);
        }
        at += choice.count;
    }
    return 1;
}

/* Finds the conflict and puts the rival that was chosen into the batch. */
static saker_err_t look_up (settling_t *self)
{
    const request_t *request = self->request;
    saker_err_t error = call_library (
        self->call, saker_conflicts (self->call->peer, request->names[0], request->names[1],
                                     self->pointer, see_conflict, self));
    if (error == SAKER_OK) {
        error = call_library (self->call, self->error);
    }
    if (error == SAKER_OK && !self->found) {
        return call_fail (self->call, SAKER_ENOTFOUND, "there is no conflict at %s/%s %.200s",
                          request->names[0], request->names[1], self->pointer);
    }
    if (error == SAKER_OK && self->number > self->choices) {
        return call_fail (self->call, SAKER_EINPUT, "there are %zu rivals there, no number %zu",
                          self->choices, self->number);
    }
    return error;
}

static saker_err_t put_value (settling_t *self, const json_t *json)
{
    const char *document = self->request->names[1];
    saker_value_t value;
    void *owned = NULL;
    if (json_is_object (json) || json_is_array (json)) {
        return fill_replace (self->call, self->batch, document, self->pointer, json);
    }
    saker_err_t error = fill_value (self->call, json, &value, &owned);
    if (error == SAKER_OK) {
        error = call_library (self->call,
                              saker_batch_set (self->batch, document, self->pointer, &value));
    }
    free (owned);
    return error;
}

/* {"pointer": P, "take": N} or {"pointer": P, "value": V}. */
static saker_err_t take_body (settling_t *self, const json_t *body)
{
    const json_t *take = json_object_get (body, "take"), *value = json_object_get (body, "value");
    self->pointer = json_string_value (json_object_get (body, "pointer"));
    if (!self->pointer || !take == !value || json_object_size (body) != 2) {
        return call_fail (self->call, SAKER_EINPUT,
                          "a conflict is settled by a \"pointer\", and the number of a rival to "
                          "\"take\" or a new \"value\"");
    }
    if (take && (!json_is_integer (take) || json_integer_value (take) < 1)) {
        return call_fail (self->call, SAKER_EINPUT,
                          "\"take\" is the number of a rival, from 1 on, as the list of conflicts "
                          "has it");
    }
    self->number = take ? (size_t) json_integer_value (take) : 0;
    return SAKER_OK;
}

/* What was looked at must still be there when it is settled. */
static saker_err_t expect_it (settling_t *self)
{
    const request_t *request = self->request;
    sight_t sight;
    saker_err_t error = sight_read (self->call, request->names[0], request->names[1], "", &sight);
    if (error == SAKER_OK && etag_check (self->request, sight.state)) {
        error = call_library (self->call,
                              saker_batch_expect (self->batch, request->names[1], "", sight.state));
    }
    sight_free (&sight);
    return error;
}

static saker_err_t fill (settling_t *self, const json_t *body)
{
    const json_t *value = json_object_get (body, "value");
    saker_err_t error = self->batch ? take_body (self, body) : call_memory (self->call);
    if (error == SAKER_OK) {
        error = expect_it (self);
    }
    if (error == SAKER_OK && !self->request->status) {
        error = look_up (self);
    }
    if (error == SAKER_OK && !self->request->status && value) {
        error = put_value (self, value);
    }
    return error;
}

static void settle (settling_t *self, writing_t *writing, const json_t *body)
{
    request_t *request = self->request;
    saker_receipt_t receipt;
    self->batch = saker_batch_new (request->names[0]);
    saker_err_t error = fill (self, body);
    if (error == SAKER_OK && !request->status) {
        error = writing_write (writing, request, self->call, self->batch, false, &receipt);
    }
    if (error != SAKER_OK) {
        problem_error (request, self->call, error);
    } else if (!request->status) {
        writing_reply (request, 200, &receipt);
    }
    saker_batch_destroy (&self->batch);
}

void route_settle (request_t *request, call_t *call)
{
    char type[64];
    writing_t writing;
    settling_t settling = {.request = request, .call = call};
    request_media_type (request, type);
    if (strcmp (type, "application/json") != 0) {
        problem_say (request, 415, "what settles a conflict is sent as application/json");
        return;
    }
    json_t *body = request_json (request, call);
    if (body && writing_begin (&writing, request, call)) {
        settle (&settling, &writing, body);
    }
    json_decref (body);
}
