/* Metrics: what an operator watches, in the text format of Prometheus. */

#ifndef TOOLS_GATEWAY_METRICS_H_INCLUDED
#define TOOLS_GATEWAY_METRICS_H_INCLUDED

#include "gateway/gateway.h"
#include "gateway/standing.h"
#include "strbuf.h"

/* Of the peer and the mesh. */
void metrics_mesh (strbuf_t *text, const standing_t *standing);
/* Of the gateway. */
void metrics_gateway (strbuf_t *text, gateway_t *gateway);
/* Of the subscriptions in a collection. */
void metrics_hooks (strbuf_t *text, call_t *call, const char *hooks);
/* Of the process, and of the disk that the store is on. */
void metrics_process (strbuf_t *text, const char *store);

#endif
