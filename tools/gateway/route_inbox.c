/* Incoming webhooks. No token is asked for: the signature is the right. */

#include "gateway/inbox.h"
#include "gateway/instant.h"
#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <string.h>

/* The headers that the scheme wants; otherwise a problem is the answer, and false. */
static bool take_headers (request_t *request, const inbox_t *inbox, inbox_delivery_t *delivery)
{
    bool standard = inbox->scheme == INBOX_STANDARD;
    const char *names[] = {standard ? "webhook-id" : inbox->id_header,
                           standard ? "webhook-signature" : inbox->header,
                           standard ? "webhook-timestamp" : inbox->header};
    const char **values[] = {&delivery->id, &delivery->signature, &delivery->time};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *values[i] = request_header (request, names[i]);
        if (!*values[i] || request_header_count (request, names[i]) > 1) {
            problem_say (request, 400, "the header %s is missing, or there more than once",
                         names[i]);
            return false;
        }
    }
    return true;
}

static void take_delivery (request_t *request, call_t *call, const inbox_t *inbox)
{
    char document[HOOK_DOCUMENT_SIZE];
    bool repeated = false;
    inbox_delivery_t delivery = {.body = request->body.data ? request->body.data : "",
                                 .size = request->body.size};
    if (!take_headers (request, inbox, &delivery)) {
        return;
    }
    saker_err_t error =
        inbox_verify (call, inbox, &delivery, (int64_t) (instant_wall_ms () / 1000));
    if (error == SAKER_EFORGED) {
        problem_say (request, 401, "%s", call->sentence);
        return;
    }
    json_t *body = error == SAKER_OK ? request_json (request, call) : NULL;
    if (error == SAKER_OK && !body) {
        return;
    }
    error = error == SAKER_OK ? inbox_put (call, inbox, delivery.id, body, &repeated) : error;
    json_decref (body);
    if (error != SAKER_OK) {
        problem_error (request, call, error);
        return;
    }
    inbox_document (inbox, delivery.id, document);
    reply_json (request, repeated ? 200 : 201,
                json_pack ("{s:s,s:s,s:b}", "collection", inbox->collection, "document", document,
                           "repeated", repeated));
}

void route_inbox (request_t *request, call_t *call)
{
    inbox_t inbox;
    const char *hooks = request->gateway->settings.hooks;
    if (!*hooks) {
        problem_say (request, 404, "incoming webhooks are off here: set hooks in saker.conf");
        return;
    }
    saker_err_t error = inbox_read (call, hooks, request->names[0], &inbox);
    if (error != SAKER_OK) {
        problem_error (request, call, error);
        return;
    }
    take_delivery (request, call, &inbox);
    inbox_free (&inbox);
}
