/* live and ready: for whoever starts and watches the daemon. */

#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

void route_live (request_t *request, call_t *call)
{
    (void) call;
    reply_json (request, 200, json_pack ("{s:s}", "status", "live"));
}

/* Why it is better to ask another time; false: there is no reason. */
static bool is_hindered (gateway_t *gateway, char sentence[CALL_SENTENCE_MAX])
{
    if (atomic_load (&gateway->ending)) {
        snprintf (sentence, CALL_SENTENCE_MAX, "the gateway is about to end");
        return true;
    }
    if (!hub_is_ready (gateway->hub, sentence)) {
        return true;
    }
    size_t waiting = workers_waiting (gateway->workers);
    if (waiting > WORKERS_QUEUE_MAX / 2) {
        snprintf (sentence, CALL_SENTENCE_MAX,
                  "%zu requests wait in a queue of %d: more come in than can be answered", waiting,
                  WORKERS_QUEUE_MAX);
        return true;
    }
    return false;
}

void route_ready (request_t *request, call_t *call)
{
    char sentence[CALL_SENTENCE_MAX];
    (void) call;
    if (is_hindered (request->gateway, sentence)) {
        problem_tell (request, 503, "not ready", NULL, "%s", sentence);
    } else {
        reply_json (request, 200, json_pack ("{s:s}", "status", "ready"));
    }
}
