#include "gateway/patience.h"

#include "gateway/instant.h"

#include <stdlib.h>
#include <sys/socket.h>

void patience_begin (patience_t *self)
{
    pthread_mutex_init (&self->mutex, NULL);
    TAILQ_INIT (&self->list);
}

void patience_end (patience_t *self)
{
    pthread_mutex_destroy (&self->mutex);
}

/* Locked, these two. */
static void enter (patience_t *self, waited_t *waited)
{
    waited->since_ms = instant_mono_ms ();
    waited->listed = true;
    TAILQ_INSERT_TAIL (&self->list, waited, next);
}

static void leave (patience_t *self, waited_t *waited)
{
    if (waited->listed) {
        TAILQ_REMOVE (&self->list, waited, next);
        waited->listed = false;
    }
}

static waited_t *waited_of (struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void patience_connection (void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    patience_t *self = argument;
    waited_t *waited = *context;
    pthread_mutex_lock (&self->mutex);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        waited = info ? calloc (1, sizeof *waited) : NULL;
        if (waited) {
            waited->socket = info->connect_fd;
            enter (self, waited);
        }
        *context = waited;
    } else if (waited) {
        leave (self, waited);
        free (waited);
        *context = NULL;
    }
    pthread_mutex_unlock (&self->mutex);
}

void patience_head (patience_t *self, struct MHD_Connection *connection, bool there)
{
    waited_t *waited = waited_of (connection);
    if (!waited) {
        return;
    }
    pthread_mutex_lock (&self->mutex);
    leave (self, waited);
    if (!there) {
        enter (self, waited);
    }
    pthread_mutex_unlock (&self->mutex);
}

/* The socket is shut down only: libmicrohttpd closes it, and is told so under the lock. */
void patience_look (patience_t *self)
{
    int64_t limit_ms = instant_mono_ms () - PATIENCE_MS;
    pthread_mutex_lock (&self->mutex);
    while (!TAILQ_EMPTY (&self->list) && TAILQ_FIRST (&self->list)->since_ms < limit_ms) {
        waited_t *waited = TAILQ_FIRST (&self->list);
        shutdown (waited->socket, SHUT_RDWR);
        leave (self, waited);
    }
    pthread_mutex_unlock (&self->mutex);
}
