#include "gateway/porter.h"

#include "gateway/instant.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEEK_BYTES 1024
#define EVENTS_MAX 64
#define AGAIN_US 50000 /* when no more files may be opened */

/* A connection that has not said anything yet. */
typedef struct guest_t {
    TAILQ_ENTRY (guest_t) next; /* the first has waited longest */
    int socket;
    int64_t since_ms;
    struct sockaddr_storage address;
    socklen_t address_size;
} guest_t;

struct porter_t {
    pthread_t thread;
    int listener, epoll, stop;
    struct MHD_Daemon *requests, *streams;
    bool blind;
    unsigned connections_max, turn;
    TAILQ_HEAD (, guest_t) guests;
    size_t guests_count;
};

/* ---- whom to show it to */

static bool asks_for_feed (int socket)
{
    char text[PEEK_BYTES];
    ssize_t size = recv (socket, text, sizeof text, MSG_PEEK | MSG_DONTWAIT);
    const char *end = size > 0 ? memchr (text, '\n', (size_t) size) : NULL;
    return size > 0
           && memmem (text, end ? (size_t) (end - text) : (size_t) size, "/changes", 8) != NULL;
}

unsigned porter_connections (struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info (daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* One too many is told so, if that goes at once, and closed. */
static void turn_away (int socket)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
        "Content-Type: application/problem+json\r\nContent-Length: 119\r\n\r\n"
        "{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"the gateway has as many "
        "connections as it may: try again later\"}\n";
    (void) send (socket, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close (socket);
}

/* Takes the socket. */
static void show_in (porter_t *self, int socket, const struct sockaddr_storage *address,
                     socklen_t address_size)
{
    if (porter_connections (self->requests) + porter_connections (self->streams)
        >= self->connections_max) {
        turn_away (socket);
        return;
    }
    bool feed = self->blind ? self->turn++ % 2 == 1 : asks_for_feed (socket);
    (void) MHD_add_connection (feed ? self->streams : self->requests, socket,
                               (const struct sockaddr *) address, address_size);
}

/* ---- those who say nothing yet */

static void forget (porter_t *self, guest_t *guest)
{
    TAILQ_REMOVE (&self->guests, guest, next);
    self->guests_count--;
    free (guest);
}

static void drop_first (porter_t *self)
{
    guest_t *guest = TAILQ_FIRST (&self->guests);
    close (guest->socket);
    forget (self, guest);
}

static void let_wait (porter_t *self, int socket, const struct sockaddr_storage *address,
                      socklen_t address_size)
{
    guest_t *guest = calloc (1, sizeof *guest);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = guest};
    if (!guest || epoll_ctl (self->epoll, EPOLL_CTL_ADD, socket, &event) != 0) {
        close (socket);
        free (guest);
        return;
    }
    *guest = (guest_t){.socket = socket,
                       .since_ms = instant_mono_ms (),
                       .address = *address,
                       .address_size = address_size};
    TAILQ_INSERT_TAIL (&self->guests, guest, next);
    if (++self->guests_count > PORTER_WAITING_MAX) {
        drop_first (self); /* closing it takes it out of the epoll, too */
    }
}

static void has_said (porter_t *self, guest_t *guest)
{
    epoll_ctl (self->epoll, EPOLL_CTL_DEL, guest->socket, NULL);
    show_in (self, guest->socket, &guest->address, guest->address_size);
    forget (self, guest);
}

static void drop_silent (porter_t *self)
{
    int64_t limit_ms = instant_mono_ms () - PORTER_WAITING_MS;
    while (!TAILQ_EMPTY (&self->guests) && TAILQ_FIRST (&self->guests)->since_ms < limit_ms) {
        drop_first (self);
    }
}

/* ---- the thread */

/* False: no more are there. */
static bool take (porter_t *self)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char byte;
    int socket =
        accept4 (self->listener, (struct sockaddr *) &address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            usleep (AGAIN_US);
        }
        return false;
    }
    if (self->blind || recv (socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
        show_in (self, socket, &address, size);
    } else {
        let_wait (self, socket, &address, size);
    }
    return true;
}

static void *run (void *argument)
{
    porter_t *self = argument;
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait (self->epoll, events, EVENTS_MAX, self->guests_count ? 1000 : -1);
        bool called = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &self->stop) {
                return NULL;
            }
            if (events[i].data.ptr == &self->listener) {
                called = true;
            } else {
                has_said (self, events[i].data.ptr);
            }
        }
        /* Last, since room for a new guest may cost an old one, which may be among the events. */
        for (int i = 0; called && i < EVENTS_MAX; i++) {
            called = take (self);
        }
        drop_silent (self);
    }
}

static bool watch (porter_t *self, int *descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = descriptor};
    return *descriptor >= 0 && epoll_ctl (self->epoll, EPOLL_CTL_ADD, *descriptor, &event) == 0;
}

static void end (porter_t *self)
{
    while (!TAILQ_EMPTY (&self->guests)) {
        drop_first (self);
    }
    if (self->epoll >= 0) {
        close (self->epoll);
    }
    if (self->stop >= 0) {
        close (self->stop);
    }
    close (self->listener);
    free (self);
}

porter_t *porter_new (int listener, struct MHD_Daemon *requests, struct MHD_Daemon *streams,
                      bool blind, unsigned connections_max)
{
    porter_t *self = calloc (1, sizeof *self);
    if (!self) {
        close (listener);
        return NULL;
    }
    self->listener = listener;
    self->requests = requests;
    self->streams = streams;
    self->blind = blind;
    self->connections_max = connections_max;
    TAILQ_INIT (&self->guests);
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->stop = eventfd (0, EFD_CLOEXEC);
    if (self->epoll < 0 || !watch (self, &self->listener) || !watch (self, &self->stop)
        || pthread_create (&self->thread, NULL, run, self) != 0) {
        end (self);
        return NULL;
    }
    return self;
}

void porter_destroy (porter_t **self_p)
{
    porter_t *self = *self_p;
    if (self) {
        uint64_t one = 1;
        (void) !write (self->stop, &one, sizeof one);
        pthread_join (self->thread, NULL);
        end (self);
        *self_p = NULL;
    }
}
