/* Patience: how long a client may take for the head of a request. libmicrohttpd closes a connection
   that does nothing for a while; one that sends a byte now and then it would keep for ever. */

#ifndef TOOLS_GATEWAY_PATIENCE_H_INCLUDED
#define TOOLS_GATEWAY_PATIENCE_H_INCLUDED

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define PATIENCE_MS 30000 /* from the answer before, or the beginning of the connection */

/* One connection. */
typedef struct waited_t {
    TAILQ_ENTRY (waited_t) next;
    int64_t since_ms; /* mono */
    int socket;
    bool listed; /* the head of a request is waited for */
} waited_t;

typedef struct patience_t {
    pthread_mutex_t mutex;
    TAILQ_HEAD (, waited_t) list; /* the first has taken longest */
} patience_t;

void patience_begin (patience_t *self);
void patience_end (patience_t *self);

/* For MHD_OPTION_NOTIFY_CONNECTION; its argument is a patience_t. */
void patience_connection (void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code);
/* The head is there; `false`: the answer is, too, and the next one is waited for. */
void patience_head (patience_t *self, struct MHD_Connection *connection, bool there);
/* Closes those who took too long. Now and then. */
void patience_look (patience_t *self);

#endif
