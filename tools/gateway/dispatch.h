/* Dispatch: who of the peers sends what. It follows the collection of the subscriptions, keeps our
   counter moving (see lease.h), claims leases and has a courier for each subscription.

     hooks collection -> dispatcher -> courier (a thread each) -> HTTP
                              |
                        lease, counter */

#ifndef TOOLS_GATEWAY_DISPATCH_H_INCLUDED
#define TOOLS_GATEWAY_DISPATCH_H_INCLUDED

#include "gateway/settings.h"

typedef struct dispatch_t dispatch_t;

saker_err_t dispatch_new (dispatch_t **self_p, const char *store, const settings_t *settings,
                          saker_log_fn *log_fn);
void dispatch_destroy (dispatch_t **self_p);
/* Hands its leases over, then stops the daemon. In a signal handler. */
void dispatch_leave (dispatch_t *self, saker_daemon_t *daemon);

#endif
