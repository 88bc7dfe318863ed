/* A handle: its connection to the daemon, and one question at a time.

   Plain libzmq with a context of its own: czmq would install signal handlers and read ZSYS_* from
   the environment, which a library must not do to its host. ZMQ_IMMEDIATE keeps a request from
   lingering in a queue until some later daemon takes it; a monitor tells at once when the daemon
   went away, instead of at the end of the time-out. */

#include "mesh/client_internal.h"

#include "mesh/sockets.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MONITOR_NAME "inproc://saker-monitor"
#define SOCKETS_MAX 4

uint64_t skr_client_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

uint64_t skr_client_deadline_ms (int timeout_ms)
{
    return skr_client_now_ms () + (uint64_t) (timeout_ms > 0 ? timeout_ms : 0);
}

void skr_client_pause (unsigned ms)
{
    const struct timespec pause = {ms / 1000, (long) (ms % 1000) * 1000000};
    (void) nanosleep (&pause, NULL);
}

/* ---- waiting on the sockets */

static int left_ms (uint64_t deadline_ms)
{
    uint64_t now_ms = skr_client_now_ms ();
    uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return left < INT_MAX ? (int) left : INT_MAX;
}

/* Takes what the monitor says; true when the connection was lost. */
static bool has_lost (saker_t *self)
{
    bool lost = false;
    uint8_t event[64];
    while (zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT) >= 0) {
        int more = 0;
        size_t size = sizeof more;
        uint16_t kind;
        memcpy (&kind, event, sizeof kind);
        self->down = kind == ZMQ_EVENT_DISCONNECTED;
        lost = lost || self->down;
        while (zmq_getsockopt (self->monitor, ZMQ_RCVMORE, &more, &size) == 0 && more) {
            (void) zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT);
        }
    }
    return lost;
}

bool skr_client_lost (saker_t *self)
{
    bool lost = has_lost (self);
    return lost || self->down;
}

/* Waits until it may be sent, or something happened to the connection. */
static void wait_to_send (saker_t *self, uint64_t deadline_ms)
{
    zmq_pollitem_t items[] = {{.socket = self->socket, .events = self->down ? 0 : ZMQ_POLLOUT},
                              {.socket = self->monitor, .events = ZMQ_POLLIN}};
    (void) zmq_poll (items, 2, left_ms (deadline_ms)); /* a signal just ends the wait early */
}

/* Is there a connection? The socket takes what happened to it, or a message would go the way of one
   that is gone. */
static bool is_connected (saker_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    (void) has_lost (self);
    return zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &size) == 0 && !self->down
           && (events & ZMQ_POLLOUT);
}

/* Waits for an answer; false: something else happened, or it is late. */
static bool can_receive (saker_t *self, uint64_t deadline_ms)
{
    skr_poller_wait (&self->poller, left_ms (deadline_ms));
    skr_poller_take (&self->poller, self->monitor);
    return skr_poller_take (&self->poller, self->socket);
}

static saker_err_t no_daemon (const char *store)
{
    return skr_fail (SAKER_EUNREACHABLE,
                     "no daemon answers on %s: start it with: sakerd --store %s", store, store);
}

static saker_err_t send_request (skr_question_t *question, uint64_t deadline_ms)
{
    saker_t *self = question->self;
    for (;;) {
        bool connected = is_connected (self);
        if (connected
            && zmq_send (self->socket, question->request.data, question->request.size, ZMQ_DONTWAIT)
                   >= 0) {
            return SAKER_OK;
        }
        if (connected && errno != EAGAIN && errno != EINTR) {
            return skr_fail (SAKER_EIO, "send to the daemon: %s", zmq_strerror (errno));
        }
        if (left_ms (deadline_ms) == 0) {
            return no_daemon (self->store);
        }
        wait_to_send (self, deadline_ms);
    }
}

static saker_err_t lost_or_late (const skr_question_t *question, bool lost, int timeout_ms)
{
    bool writes = question->command == SKR_COMMAND_WRITE;
    const char *doubt = writes ? "; whether it has written is not known: write again with the same "
                                 "operation id"
                               : "";
    return lost ? skr_fail (SAKER_EUNREACHABLE, "the daemon on %s went away before it answered%s",
                            question->self->store, doubt)
                : skr_fail (SAKER_ETIMEOUT, "the daemon on %s did not answer within %d ms%s",
                            question->self->store, timeout_ms, doubt);
}

/* ---- one question */

/* Opens the answer; *error is what the daemon says of it. False when it answers something else. */
static bool open_answer (skr_question_t *question, saker_err_t *error)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_t head;
    skr_cbor_open (cbor,
                   skr_span (zmq_msg_data (&question->answer), zmq_msg_size (&question->answer)));
    skr_fields_open (&head, cbor);
    skr_fields_need (&head, 0);
    uint64_t version = skr_cbor_get_uint (cbor);
    skr_fields_need (&head, 1);
    uint64_t number = skr_cbor_get_uint (cbor);
    skr_fields_need (&head, 2);
    *error = (saker_err_t) skr_cbor_get_uint (cbor);
    skr_fields_need (&head, 3);
    return cbor->error == SAKER_OK && version == SKR_API_VERSION && number == question->number;
}

static saker_err_t open_body (skr_question_t *question, saker_err_t error)
{
    if (error != SAKER_OK) {
        skr_span_t sentence = skr_cbor_get_text (&question->cbor);
        return skr_fail (error, "%.*s", (int) sentence.size, (const char *) sentence.data);
    }
    skr_fields_open (&question->fields, &question->cbor);
    return SAKER_OK;
}

/* Answers to questions that were given up are dropped. */
static saker_err_t receive (skr_question_t *question, uint64_t deadline_ms, int timeout_ms)
{
    saker_t *self = question->self;
    for (;;) {
        saker_err_t error;
        int size = zmq_msg_recv (&question->answer, self->socket, ZMQ_DONTWAIT);
        if (size >= 0 && open_answer (question, &error)) {
            return open_body (question, error);
        }
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            return skr_fail (SAKER_EIO, "receive from the daemon: %s", zmq_strerror (errno));
        }
        if (size >= 0 || can_receive (self, deadline_ms)) {
            continue;
        }
        bool lost = has_lost (self);
        if (lost || left_ms (deadline_ms) == 0) {
            return lost_or_late (question, lost, timeout_ms);
        }
    }
}

saker_err_t skr_question_begin (skr_question_t *question, saker_t *self, skr_command_t command,
                                size_t arguments)
{
    memset (question, 0, sizeof *question);
    zmq_msg_init (&question->answer);
    question->self = self;
    question->command = command;
    if (self->process != getpid ()) {
        return skr_fail (SAKER_EUSAGE,
                         "this handle was opened by process %ld: a process that was "
                         "forked opens its own",
                         (long) self->process);
    }
    question->number = ++self->number;
    skr_buf_t *request = &question->request;
    skr_cbor_put_map (request, 4);
    skr_cbor_put_uint (request, 0);
    skr_cbor_put_uint (request, SKR_API_VERSION);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_uint (request, question->number);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_uint (request, command);
    skr_cbor_put_uint (request, 3);
    skr_cbor_put_map (request, arguments);
    return SAKER_OK;
}

saker_err_t skr_question_ask (skr_question_t *question, int timeout_ms)
{
    timeout_ms = timeout_ms < 0 ? 0 : timeout_ms;
    uint64_t deadline_ms = skr_client_now_ms () + (uint64_t) timeout_ms;
    if (question->request.failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (question->request.size > SKR_API_REQUEST_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a request of %zu bytes: at most %u (SKR_API_REQUEST_BYTES_"
                         "MAX)",
                         question->request.size, SKR_API_REQUEST_BYTES_MAX);
    }
    uint64_t connect_ms = skr_client_now_ms () + SKR_CLIENT_CONNECT_MS;
    bool hello = question->command == SKR_COMMAND_HELLO;
    SKR_TRY (send_request (question, hello ? deadline_ms : connect_ms));
    return receive (question, deadline_ms, timeout_ms);
}

saker_err_t skr_question_check (skr_question_t *question)
{
    skr_fields_end (&question->fields);
    return skr_wrap (skr_cbor_close (&question->cbor), "answer of the daemon");
}

void skr_question_end (skr_question_t *question)
{
    skr_buf_free (&question->request);
    zmq_msg_close (&question->answer);
}

void skr_question_text (skr_question_t *question, uint64_t key, const char *text)
{
    skr_question_span (question, key, skr_span_text (text));
}

void skr_question_span (skr_question_t *question, uint64_t key, skr_span_t text)
{
    skr_cbor_put_uint (&question->request, key);
    skr_cbor_put_text (&question->request, (const char *) text.data, text.size);
}

void skr_question_bytes (skr_question_t *question, uint64_t key, const void *data, size_t size)
{
    skr_cbor_put_uint (&question->request, key);
    skr_cbor_put_bytes (&question->request, data, size);
}

void skr_question_uint (skr_question_t *question, uint64_t key, uint64_t value)
{
    skr_cbor_put_uint (&question->request, key);
    skr_cbor_put_uint (&question->request, value);
}

/* ---- opening */

saker_err_t skr_client_folder (const char *store, char *folder, size_t size)
{
    const char *home = getenv ("HOME");
    const char *set = getenv ("SAKER_STORE");
    const struct passwd *user = home && *home ? NULL : getpwuid (getuid ());
    int used;
    if (store || (set && *set)) {
        used = snprintf (folder, size, "%s", store ? store : set);
    } else {
        used = snprintf (folder, size, "%s/.saker", user ? user->pw_dir : home ? home : "");
    }
    return used > 0 && (size_t) used < size
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "the name of a store has 1 to %zu bytes", size - 1);
}

/* Is it a store, and did a daemon ever run on it? Where none did, there is nothing to wait for. */
static saker_err_t check_store (const char *folder)
{
    char file[SKR_CLIENT_STORE_MAX + 16];
    struct stat status;
    snprintf (file, sizeof file, "%s/device.key", folder);
    if (stat (file, &status) != 0 && errno == EACCES) {
        return skr_fail (SAKER_ERIGHT, "%s belongs to somebody else: a store is private", folder);
    }
    if (stat (file, &status) != 0) {
        return skr_fail (SAKER_ENOTFOUND,
                         "%s is not a saker store: make one with `saker init` or `saker join`",
                         folder);
    }
    snprintf (file, sizeof file, "%s/" SKR_API_SOCKET, folder);
    return stat (file, &status) == 0 ? SAKER_OK : no_daemon (folder);
}

static void set_option (void *socket, int option, int value)
{
    zmq_setsockopt (socket, option, &value, sizeof value);
}

static saker_err_t no_socket (void)
{
    return skr_fail (SAKER_EIO, "make a socket: %s", zmq_strerror (errno));
}

static saker_err_t make_socket (saker_t *self)
{
    self->socket = zmq_socket (self->context, ZMQ_DEALER);
    if (!self->socket) {
        return no_socket ();
    }
    set_option (self->socket, ZMQ_LINGER, 0);
    set_option (self->socket, ZMQ_IMMEDIATE, 1);
    set_option (self->socket, ZMQ_RECONNECT_IVL, 20);
    set_option (self->socket, ZMQ_RECONNECT_IVL_MAX, 200);
    if (zmq_socket_monitor (self->socket, MONITOR_NAME,
                            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED)
        != 0) {
        return no_socket ();
    }
    self->monitor = zmq_socket (self->context, ZMQ_PAIR);
    if (!self->monitor || zmq_connect (self->monitor, MONITOR_NAME) != 0) {
        return no_socket ();
    }
    set_option (self->monitor, ZMQ_LINGER, 0);
    if (!skr_poller_begin (&self->poller, 2)) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    skr_poller_add (&self->poller, self->socket);
    skr_poller_add (&self->poller, self->monitor);
    return SAKER_OK;
}

/* The folder of the socket is made by the daemon: it may be missing until one has run. */
static saker_err_t connect_socket (saker_t *self)
{
    char name[PATH_MAX + 32];
    char *folder = realpath (self->store, NULL); /* the host may change its folder later */
    saker_err_t error =
        folder ? skr_socket_local_name (name, sizeof name, folder, &self->descriptor) : SAKER_EIO;
    free (folder);
    if (error != SAKER_OK) {
        return no_daemon (self->store);
    }
    return zmq_connect (self->socket, name) == 0
               ? SAKER_OK
               : skr_fail (SAKER_EIO, "connect to %s: %s", name, zmq_strerror (errno));
}

/* A daemon of an earlier version tells no writer: then it is zeros. */
static void take_hello (skr_question_t *question)
{
    for (uint64_t key = 0; key <= 2 && skr_fields_has (&question->fields, key); key++) {
        (void) skr_cbor_get_text (&question->cbor);
    }
    memset (question->self->writer, 0, sizeof question->self->writer);
    if (skr_fields_has (&question->fields, 3)) {
        skr_cbor_get_fixed (&question->cbor, question->self->writer, 16);
    }
}

static saker_err_t say_hello (saker_t *self, int timeout_ms)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_HELLO, 0);
    if (error == SAKER_OK) {
        error = skr_question_ask (&question, timeout_ms);
    }
    if (error == SAKER_OK) {
        take_hello (&question);
    }
    skr_question_end (&question);
    return error == SAKER_ETIMEOUT || error == SAKER_EUNREACHABLE ? no_daemon (self->store) : error;
}

static saker_err_t connect_all (saker_t *self, int timeout_ms)
{
    self->context = zmq_ctx_new ();
    if (!self->context) {
        return no_socket ();
    }
    zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    SKR_TRY (make_socket (self));
    SKR_TRY (connect_socket (self));
    return say_hello (self, timeout_ms);
}

saker_err_t skr_client_open (saker_t **self_p, const char *folder, int timeout_ms)
{
    *self_p = NULL;
    saker_t *self = calloc (1, sizeof *self);
    if (!self || !(self->store = strdup (folder))) {
        free (self);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->process = getpid ();
    self->descriptor = -1;
    saker_err_t error = connect_all (self, timeout_ms);
    if (error != SAKER_OK) {
        saker_close (&self);
    }
    *self_p = self;
    return error;
}

saker_err_t saker_open (saker_t **self_p, const char *store, int timeout_ms)
{
    char folder[SKR_CLIENT_STORE_MAX];
    *self_p = NULL;
    SKR_TRY (skr_client_folder (store, folder, sizeof folder));
    SKR_TRY (check_store (folder));
    return skr_client_open (self_p, folder, timeout_ms);
}

static void close_sockets (saker_t *self)
{
    if (self->socket) {
        zmq_socket_monitor (self->socket, NULL, 0);
    }
    skr_socket_close (&self->monitor);
    skr_socket_close (&self->socket);
    if (self->context) {
        while (zmq_ctx_term (self->context) != 0 && errno == EINTR) {
        }
    }
}

void saker_close (saker_t **self_p)
{
    saker_t *self = *self_p;
    if (!self) {
        return;
    }
    int saved = errno;
    /* In a forked child the threads do not exist: closing would wait for them for ever. And an
       embedded store is the parent's. */
    if (self->process == getpid ()) {
        close_sockets (self);
        skr_embedded_leave (&self->embedded);
    }
    if (self->descriptor >= 0) {
        close (self->descriptor);
    }
    skr_poller_free (&self->poller);
    free (self->store);
    free (self);
    *self_p = NULL;
    errno = saved;
}
