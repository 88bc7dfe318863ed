#include "mesh/local.h"

#include "peer/api.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* looked at in one turn */
#define READ_BYTES (64u << 10)
#define BACKLOG 256
#define LISTENER UINT32_MAX /* in the place of a client's number */
#define ROUTING_BYTES 8

typedef struct client_t {
    int file;          /* -1: nobody */
    uint32_t serial;   /* of who has this place now */
    uint32_t interest; /* what epoll is to tell */
    skr_buf_t in;      /* what came of a request so far, or waits until its answers are read */
    skr_buf_t out;     /* what it has not read yet */
    size_t sent;       /* of out */
} client_t;

struct skr_local_socket_t {
    char *folder;
    int listener;
    int poll;  /* of epoll */
    bool deaf; /* too many clients, or descriptors: nobody is taken until there are less */
    client_t *clients;
    size_t count, capacity; /* of places, and how many of them are taken */
    uint32_t serial;
    uint8_t bytes[READ_BYTES];
};

/* ---- the socket's name */

/* Of any length: where it does not fit, by a descriptor of its folder, which is to be closed. */
static bool name_socket (struct sockaddr_un *address, const char *folder, int *descriptor)
{
    char path[PATH_MAX];
    int size = snprintf (path, sizeof path, "%s/" SKR_API_SOCKET, folder);
    *descriptor = -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size > 0 && (size_t) size < sizeof address->sun_path) {
        memcpy (address->sun_path, path, (size_t) size + 1);
        return true;
    }
    size = snprintf (path, sizeof path, "%s/run", folder);
    if (size < 0 || (size_t) size >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    *descriptor = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf (address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/api", *descriptor);
    return *descriptor >= 0;
}

static void forget_name (int descriptor)
{
    int saved = errno;
    if (descriptor >= 0) {
        (void) close (descriptor);
    }
    errno = saved;
}

static int make_socket (void)
{
    return socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int skr_local_connect (const char *folder)
{
    struct sockaddr_un address;
    int descriptor;
    int file = name_socket (&address, folder, &descriptor) ? make_socket () : -1;
    if (file >= 0 && connect (file, (struct sockaddr *) &address, sizeof address) != 0) {
        int saved = errno;
        (void) close (file);
        errno = saved;
        file = -1;
    }
    forget_name (descriptor);
    return file;
}

/* ---- opening */

static saker_err_t failed (const skr_local_socket_t *self, const char *what)
{
    return skr_fail (SAKER_EIO, "%s %s/" SKR_API_SOCKET ": %s", what, self->folder,
                     strerror (errno));
}

static bool watch (skr_local_socket_t *self, int operation, int file, uint32_t number,
                   uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u32 = number};
    return epoll_ctl (self->poll, operation, file, &event) == 0;
}

static bool bind_listener (skr_local_socket_t *self)
{
    struct sockaddr_un address;
    int descriptor;
    bool good = name_socket (&address, self->folder, &descriptor);
    if (good) {
        (void) unlink (address.sun_path); /* of a process that was killed: the store is ours */
        good = bind (self->listener, (struct sockaddr *) &address, sizeof address) == 0;
    }
    forget_name (descriptor);
    return good && listen (self->listener, BACKLOG) == 0;
}

static saker_err_t open_listener (skr_local_socket_t *self)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/run", self->folder);
    if ((mkdir (path, 0700) != 0 && errno != EEXIST) || chmod (path, 0700) != 0) {
        return skr_fail (SAKER_EIO, "make %s: %s", path, strerror (errno));
    }
    self->listener = make_socket ();
    self->poll = epoll_create1 (EPOLL_CLOEXEC);
    if (self->listener < 0 || self->poll < 0 || !bind_listener (self)
        || !watch (self, EPOLL_CTL_ADD, self->listener, LISTENER, EPOLLIN)) {
        return failed (self, "listen on");
    }
    return SAKER_OK;
}

saker_err_t skr_local_open (skr_local_socket_t **self_p, const char *folder)
{
    skr_local_socket_t *self = calloc (1, sizeof *self);
    *self_p = NULL;
    if (!self || !(self->folder = strdup (folder))) {
        free (self);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->listener = self->poll = -1;
    saker_err_t error = open_listener (self);
    if (error != SAKER_OK) {
        skr_local_close (&self);
    }
    *self_p = self;
    return error;
}

/* A child of a fork may have the descriptor, too: then closing it is not enough for epoll to forget
   it, nor for the client to see an end. */
static void let_go (skr_local_socket_t *self, client_t *client)
{
    (void) epoll_ctl (self->poll, EPOLL_CTL_DEL, client->file, NULL);
    (void) shutdown (client->file, SHUT_RDWR);
    (void) close (client->file);
    skr_buf_free (&client->in);
    skr_buf_free (&client->out);
    *client = (client_t){.file = -1};
    self->count--;
}

void skr_local_close (skr_local_socket_t **self_p)
{
    skr_local_socket_t *self = *self_p;
    struct sockaddr_un address;
    int descriptor;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->capacity; i++) {
        if (self->clients[i].file >= 0) {
            let_go (self, &self->clients[i]);
        }
    }
    if (self->listener >= 0) {
        if (name_socket (&address, self->folder, &descriptor)) {
            (void) unlink (address.sun_path);
        }
        forget_name (descriptor);
        (void) close (self->listener);
    }
    if (self->poll >= 0) {
        (void) close (self->poll);
    }
    free (self->clients);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

int skr_local_descriptor (const skr_local_socket_t *self)
{
    return self->poll;
}

/* ---- clients */

/* A place that is free; NULL: there are too many, or no memory. */
static client_t *take_place (skr_local_socket_t *self)
{
    if (self->count == self->capacity && self->capacity < SKR_LOCAL_CLIENTS_MAX) {
        size_t capacity = self->capacity ? 2 * self->capacity : 16;
        client_t *clients = realloc (self->clients, capacity * sizeof *clients);
        if (!clients) {
            return NULL;
        }
        for (size_t i = self->capacity; i < capacity; i++) {
            clients[i] = (client_t){.file = -1};
        }
        self->clients = clients;
        self->capacity = capacity;
    }
    for (size_t i = 0; i < self->capacity; i++) {
        if (self->clients[i].file < 0) {
            return &self->clients[i];
        }
    }
    return NULL;
}

static void set_interest (skr_local_socket_t *self, client_t *client)
{
    uint32_t interest = client->out.size ? EPOLLOUT : EPOLLIN;
    if (interest != client->interest
        && watch (self, EPOLL_CTL_MOD, client->file, (uint32_t) (client - self->clients),
                  interest)) {
        client->interest = interest;
    }
}

/* False: nobody else can be taken now. */
static bool accept_one (skr_local_socket_t *self)
{
    client_t *client = take_place (self);
    int file = client ? accept4 (self->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
    if (file < 0) {
        self->deaf = !client || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED);
        return client && errno == ECONNABORTED;
    }
    if (!watch (self, EPOLL_CTL_ADD, file, (uint32_t) (client - self->clients), EPOLLIN)) {
        (void) close (file);
        return true;
    }
    *client = (client_t){.file = file, .serial = ++self->serial, .interest = EPOLLIN};
    self->count++;
    return true;
}

/* Whoever cannot be taken waits, and is not looked for in the next round: it would keep the loop
   busy. */
static void accept_all (skr_local_socket_t *self)
{
    while (accept_one (self)) {
    }
    if (self->deaf) {
        (void) epoll_ctl (self->poll, EPOLL_CTL_DEL, self->listener, NULL);
    }
}

static void listen_again (skr_local_socket_t *self)
{
    if (self->deaf && watch (self, EPOLL_CTL_ADD, self->listener, LISTENER, EPOLLIN)) {
        self->deaf = false;
    }
}

/* ---- sending */

/* The connection is of no use any more: it is let go when epoll tells its end. */
static bool give_up (client_t *client)
{
    (void) shutdown (client->file, SHUT_RDWR);
    skr_buf_free (&client->out);
    client->sent = 0;
    return false;
}

static bool flush (client_t *client)
{
    while (client->sent < client->out.size) {
        ssize_t sent = send (client->file, client->out.data + client->sent,
                             client->out.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            return true;
        }
        if (sent < 0 && errno != EINTR) {
            return give_up (client);
        }
        client->sent += sent > 0 ? (size_t) sent : 0;
    }
    skr_buf_free (&client->out);
    client->sent = 0;
    return true;
}

static client_t *client_of (const skr_local_socket_t *self, skr_span_t routing)
{
    if (routing.size != ROUTING_BYTES) {
        return NULL;
    }
    uint32_t place = skr_get_u32 (routing.data), serial = skr_get_u32 (routing.data + 4);
    client_t *client = place < self->capacity ? &self->clients[place] : NULL;
    return client && client->file >= 0 && client->serial == serial ? client : NULL;
}

/* What was not sent at once waits. */
static bool keep (client_t *client, const uint8_t *head, skr_span_t answer, size_t sent)
{
    if (client->out.size - client->sent > SKR_LOCAL_UNREAD_BYTES_MAX) {
        return give_up (client);
    }
    if (sent < SKR_LOCAL_HEAD_BYTES) {
        skr_buf_append (&client->out, head + sent, SKR_LOCAL_HEAD_BYTES - sent);
        sent = SKR_LOCAL_HEAD_BYTES;
    }
    skr_buf_append (&client->out, answer.data + (sent - SKR_LOCAL_HEAD_BYTES),
                    answer.size - (sent - SKR_LOCAL_HEAD_BYTES));
    return client->out.failed ? give_up (client) : true;
}

bool skr_local_send (skr_local_socket_t *self, skr_span_t routing, skr_span_t answer)
{
    client_t *client = client_of (self, routing);
    uint8_t head[SKR_LOCAL_HEAD_BYTES];
    ssize_t sent = 0;
    if (!client) {
        return false;
    }
    skr_put_u32 (head, (uint32_t) answer.size);
    if (client->out.size == 0) {
        struct iovec parts[] = {{head, sizeof head},
                                {(void *) (uintptr_t) answer.data, answer.size}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        sent = sendmsg (client->file, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return give_up (client);
        }
    }
    size_t done = sent > 0 ? (size_t) sent : 0;
    bool good = done == sizeof head + answer.size || keep (client, head, answer, done);
    set_interest (self, client);
    return good;
}

/* ---- taking */

typedef struct taking_t {
    skr_local_socket_t *local;
    client_t *client;
    skr_local_fn *handle;
    void *context;
} taking_t;

static void hand_out (const taking_t *taking, skr_span_t request)
{
    uint8_t routing[ROUTING_BYTES];
    skr_put_u32 (routing, (uint32_t) (taking->client - taking->local->clients));
    skr_put_u32 (routing + 4, taking->client->serial);
    taking->handle (taking->context, skr_span (routing, sizeof routing), request);
}

/* How much of the bytes was whole requests, which are handed out until an answer waits. SIZE_MAX:
   they are no requests. */
static size_t take_whole (const taking_t *taking, skr_span_t bytes)
{
    size_t at = 0;
    while (bytes.size - at >= SKR_LOCAL_HEAD_BYTES && taking->client->out.size == 0) {
        size_t size = skr_get_u32 (bytes.data + at);
        if (size == 0 || size > SKR_API_REQUEST_BYTES_MAX) {
            hand_out (taking, skr_span (NULL, 0));
            return SIZE_MAX;
        }
        if (bytes.size - at - SKR_LOCAL_HEAD_BYTES < size) {
            break;
        }
        hand_out (taking, skr_span (bytes.data + at + SKR_LOCAL_HEAD_BYTES, size));
        at += SKR_LOCAL_HEAD_BYTES + size;
    }
    return at;
}

/* What is left of them is kept. False: the client is to be let go. */
static bool take_bytes (const taking_t *taking, skr_span_t bytes)
{
    skr_buf_t *in = &taking->client->in;
    skr_buf_t rest = {0};
    if (in->size > 0) {
        skr_buf_append_span (in, bytes);
        bytes = skr_span_of (in);
    }
    size_t taken = in->failed ? SIZE_MAX : take_whole (taking, bytes);
    if (taken == SIZE_MAX) {
        return false;
    }
    if (taken == 0 && in->size > 0) {
        return true; /* it is there already */
    }
    skr_buf_append (&rest, bytes.data + taken, bytes.size - taken);
    skr_buf_free (in);
    *in = rest;
    return !in->failed;
}

/* Once: whoever says more has its turn again after the others. False: it is gone. */
static bool read_some (const taking_t *taking, size_t *bytes_left)
{
    skr_local_socket_t *self = taking->local;
    ssize_t got = recv (taking->client->file, self->bytes, sizeof self->bytes, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    *bytes_left -= (size_t) got < *bytes_left ? (size_t) got : *bytes_left;
    return take_bytes (taking, skr_span (self->bytes, (size_t) got));
}

static void serve (const taking_t *taking, uint32_t events, size_t *bytes_left)
{
    client_t *client = taking->client;
    bool good = !(events & EPOLLOUT) || flush (client);
    if (good && client->out.size == 0 && client->in.size > 0 && (events & EPOLLOUT)) {
        good = take_bytes (taking, skr_span (NULL, 0)); /* what waited for its answers to be read */
    }
    if (good && client->out.size == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        good = read_some (taking, bytes_left);
    }
    if (good && !(events & (EPOLLHUP | EPOLLERR))) {
        set_interest (taking->local, client);
    } else {
        let_go (taking->local, client);
    }
}

void skr_local_turn (skr_local_socket_t *self, skr_local_fn *handle, void *context,
                     size_t *bytes_left)
{
    struct epoll_event events[EVENTS_MAX];
    bool was_deaf = self->deaf;
    int count = epoll_wait (self->poll, events, EVENTS_MAX, 0);
    for (int i = 0; i<count && * bytes_left> 0; i++) {
        if (events[i].data.u32 == LISTENER) {
            accept_all (self);
            continue;
        }
        client_t *client = &self->clients[events[i].data.u32];
        const taking_t taking = {self, client, handle, context};
        if (client->file >= 0) {
            serve (&taking, events[i].events, bytes_left);
        }
    }
    if (was_deaf) {
        listen_again (self);
    }
}
