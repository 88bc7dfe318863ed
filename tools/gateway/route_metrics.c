/* metrics: what an operator watches, as Prometheus reads it. While the daemon does not answer, what
   is known without it is told all the same. */

#include "gateway/metrics.h"
#include "gateway/parts.h"
#include "gateway/prom.h"
#include "gateway/reply.h"
#include "gateway/route.h"

static bool read_standing (standing_t *standing, const request_t *request, call_t *call)
{
    *standing = (standing_t){.peers_count = 0};
    return call->peer && standing_read (standing, request, call) == SAKER_OK;
}

void route_metrics (request_t *request, call_t *call)
{
    standing_t standing;
    strbuf_t text = {0};
    bool answers = read_standing (&standing, request, call);
    prom_family (&text, "saker_build_info", "gauge", "The version of saker.");
    prom_sample (&text, "saker_build_info", 1, "version", saker_version ());
    prom_one (&text, "saker_daemon_up", "gauge", "The daemon answers its gateway: 1 or 0.",
              answers);
    if (answers) {
        const char *hooks = request->gateway->settings.hooks;
        metrics_mesh (&text, &standing);
        if (*hooks && token_may_see (request->access.token, hooks)) { /* counts are no secret */
            metrics_hooks (&text, call, hooks);
        }
    }
    standing_free (&standing);
    metrics_gateway (&text, request->gateway);
    metrics_process (&text, request->gateway->store);
    reply_text (request, 200, PROM_TYPE, &text);
}
