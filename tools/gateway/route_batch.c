/* Several operations as one change: on one document (POST on it), or on documents of a collection
   (POST on its batch). All of it is written or nothing, here and at every other peer. */

#include "gateway/etag.h"
#include "gateway/operation.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/sight.h"
#include "gateway/writing.h"

#include <string.h>

/* What a batch expects: [{"document": ID, "etag": TAG or null, "pointer": POINTER}]. */
static saker_err_t fill_expectation (call_t *call, saker_batch_t *batch, const json_t *json)
{
    uint8_t state[SAKER_STATE_BYTES] = {0};
    const char *document = json_string_value (json_object_get (json, "document"));
    const char *pointer = json_string_value (json_object_get (json, "pointer"));
    const json_t *tag = json_object_get (json, "etag");
    if (!document || !tag
        || (!json_is_null (tag)
            && (!json_is_string (tag) || !etag_parse (json_string_value (tag), state)))) {
        return call_fail (call, SAKER_EINPUT,
                          "an expectation has a \"document\" and its \"etag\", or null where "
                          "nothing may be");
    }
    return call_library (call, saker_batch_expect (batch, document, pointer ? pointer : "", state));
}

static saker_err_t fill_expectations (call_t *call, saker_batch_t *batch, const json_t *list)
{
    saker_err_t error = SAKER_OK;
    size_t index;
    json_t *json;
    if (list && !json_is_array (list)) {
        return call_fail (call, SAKER_EINPUT, "\"expect\" is no array");
    }
    json_array_foreach (list, index, json)
    {
        if (error == SAKER_OK) {
            error = fill_expectation (call, batch, json);
        }
    }
    return error;
}

static saker_err_t fill_operations (call_t *call, saker_batch_t *batch, const char *document,
                                    const json_t *list)
{
    saker_err_t error = SAKER_OK;
    size_t index;
    json_t *json;
    if (!json_is_array (list) || json_array_size (list) == 0) {
        return call_fail (call, SAKER_EINPUT, "\"operations\" is an array of at least one");
    }
    json_array_foreach (list, index, json)
    {
        if (error == SAKER_OK) {
            error = operation_fill (call, batch, document, json, index + 1);
        }
    }
    return error;
}

/* True when there is an answer: the type of the body is wrong. */
static bool refuse_type (request_t *request)
{
    char type[64];
    request_media_type (request, type);
    if (strcmp (type, "application/json") != 0) {
        problem_say (request, 415, "operations are sent as application/json");
        return true;
    }
    return false;
}

/* If-Match and If-None-Match of a POST on a document. */
static saker_err_t fill_condition (request_t *request, call_t *call, saker_batch_t *batch)
{
    sight_t sight;
    if (!etag_is_conditional (request)) {
        return SAKER_OK;
    }
    saker_err_t error = sight_read (call, request->names[0], request->names[1], "", &sight);
    if (error == SAKER_OK && etag_check (request, sight.state)) {
        error = call_library (call, saker_batch_expect (batch, request->names[1], "", sight.state));
    }
    sight_free (&sight);
    return error;
}

static saker_err_t fill (request_t *request, call_t *call, saker_batch_t *batch, const json_t *body)
{
    const char *document = *request->names[1] ? request->names[1] : NULL;
    saker_err_t error = document
                            ? fill_condition (request, call, batch)
                            : fill_expectations (call, batch, json_object_get (body, "expect"));
    if (error != SAKER_OK || request->status) {
        return error;
    }
    if (document && json_object_get (body, "op")) {
        return operation_fill (call, batch, document, body, 1);
    }
    return fill_operations (call, batch, document, json_object_get (body, "operations"));
}

static void write_batch (request_t *request, call_t *call, writing_t *writing, const json_t *body)
{
    saker_receipt_t receipt;
    saker_batch_t *batch = saker_batch_new (request->names[0]);
    saker_err_t error = batch ? fill (request, call, batch, body) : call_memory (call);
    if (error == SAKER_OK && !request->status) {
        error = writing_write (writing, request, call, batch, false, &receipt);
    }
    if (error != SAKER_OK) {
        problem_error (request, call, error);
    } else if (!request->status) {
        writing_reply (request, 200, &receipt);
    }
    saker_batch_destroy (&batch);
}

static void run (request_t *request, call_t *call)
{
    writing_t writing;
    json_t *body = refuse_type (request) ? NULL : request_json (request, call);
    if (body && writing_begin (&writing, request, call)) {
        write_batch (request, call, &writing, body);
    }
    json_decref (body);
}

void route_operate (request_t *request, call_t *call)
{
    run (request, call);
}

void route_batch (request_t *request, call_t *call)
{
    run (request, call);
}
