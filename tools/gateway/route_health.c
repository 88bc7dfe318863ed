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

void route_ready (request_t *request, call_t *call)
{
    (void) call;
    if (hub_is_ready (request->gateway->hub)) {
        reply_json (request, 200, json_pack ("{s:s}", "status", "ready"));
    } else {
        problem_tell (request, 503, "not ready", NULL,
                      "the daemon does not answer yet: ask again in a moment");
    }
}
