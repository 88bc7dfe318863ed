/* Gateway: HTTP for programs that do not link libsaker, and for web pages. A part of sakerd that
   uses the public library alone, as any program would.

     client -> porter -> server (two threads a place, epoll) -> doorman: host, origin, token, route
            -> queue -> worker (a handle each) -> route_*.c -> reply
     daemon -> hub (follows the feed) -> ring of recent changes -> streams, long polls */

#ifndef TOOLS_GATEWAY_GATEWAY_H_INCLUDED
#define TOOLS_GATEWAY_GATEWAY_H_INCLUDED

#include "gateway/settings.h"

/* Beside it, off by itself: webhooks; see dispatch.h. */

typedef struct gateway_t gateway_t;

/* Opens the places where it listens, on a store whose daemon is about to run; *self_p stays NULL
   when there are none. Otherwise `sentence` says what is wrong. */
saker_err_t gateway_new (gateway_t **self_p, const char *store, const settings_t *settings,
                         saker_log_fn *log_fn, char sentence[SAKER_SENTENCE_MAX]);
/* In a signal handler: the daemon is to be stopped. What others are to go on with is handed over
   first; then it is stopped. */
void gateway_leave (gateway_t *self, saker_daemon_t *daemon);
/* From now on nothing new is taken. Before the daemon is destroyed. */
void gateway_quiet (gateway_t *self);
/* After it: what waited for the daemon was told that it is gone. */
void gateway_destroy (gateway_t **self_p);

#endif
