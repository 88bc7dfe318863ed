/* Parts: what the gateway is made of. For its own files; others see gateway.h. */

#ifndef TOOLS_GATEWAY_PARTS_H_INCLUDED
#define TOOLS_GATEWAY_PARTS_H_INCLUDED

#include "gateway/dispatch.h"
#include "gateway/gateway.h"
#include "gateway/hub.h"
#include "gateway/keeper.h"
#include "gateway/server.h"
#include "gateway/tally.h"
#include "gateway/worker.h"

#include <stdatomic.h>

struct gateway_t {
    settings_t settings;
    char store[PATH_MAX];
    saker_log_fn *log_fn;
    keeper_t *keeper;
    workers_t *workers;
    hub_t *hub;
    dispatch_t *dispatch; /* NULL: webhooks are off */
    server_t *servers[SETTINGS_PLACES_MAX];
    tally_t tally;
    atomic_size_t body_bytes; /* of all requests that are under way */
    atomic_bool ending;
};

/* Once a second: what is late is ended. */
void gateway_look (gateway_t *self);
/* One line in the daemon's log. `level` as in saker_log_fn. */
void gateway_log (const gateway_t *self, int level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
