#include "gateway/metrics.h"
#include "gateway/parts.h"
#include "gateway/prom.h"

static void gauge (strbuf_t *text, const char *name, const char *help, size_t value)
{
    prom_one (text, name, "gauge", help, (double) value);
}

static void add_connections (strbuf_t *text, const gateway_t *gateway)
{
    size_t count = 0;
    for (size_t i = 0; i < SETTINGS_PLACES_MAX; i++) {
        count += gateway->servers[i] ? server_connections (gateway->servers[i]) : 0;
    }
    gauge (text, "saker_gateway_connections", "Connections, at all places together.", count);
    gauge (text, "saker_gateway_connections_max", "Connections that one place takes at most.",
           gateway->settings.connections);
}

void metrics_gateway (strbuf_t *text, gateway_t *gateway)
{
    hub_load_t load;
    hub_load (gateway->hub, &load);
    add_connections (text, gateway);
    gauge (text, "saker_gateway_streams", "Clients that follow changes by a stream.", load.streams);
    gauge (text, "saker_gateway_polls", "Requests that wait for changes.", load.polls);
    gauge (text, "saker_gateway_queue", "Requests that wait for a worker.",
           workers_waiting (gateway->workers));
    gauge (text, "saker_gateway_queue_max", "Requests that may wait for a worker.",
           WORKERS_QUEUE_MAX);
    gauge (text, "saker_gateway_ring_changes", "Recent changes that are kept for streams.",
           load.changes);
    gauge (text, "saker_gateway_ring_bytes",
           "Size of the recent changes that are kept for streams.", load.changes_bytes);
    gauge (text, "saker_gateway_pages_bytes", "What was read for streams and is not sent yet.",
           load.pages_bytes);
    gauge (text, "saker_gateway_body_bytes", "Bodies of the requests that are under way.",
           atomic_load (&gateway->body_bytes));
    tally_text (&gateway->tally, text);
}
