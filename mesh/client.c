/* A handle: its connection to the daemon (mesh/local.h), and one question at a time. A connection
   that was lost is made anew for the next question; the end of one is told at once, instead of at
   the end of the time-out. */

#include "mesh/client_internal.h"

#include "mesh/local.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_MS 20 /* between two tries to connect */
#define READ_BYTES (64u << 10)

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

/* ---- the connection */

static int left_ms (uint64_t deadline_ms)
{
    uint64_t now_ms = skr_client_now_ms ();
    uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return left < INT_MAX ? (int) left : INT_MAX;
}

static void disconnect (saker_t *self)
{
    if (self->file >= 0) {
        (void) close (self->file);
    }
    self->file = -1;
    skr_buf_free (&self->in);
}

/* Waits until the connection is ready; a signal just ends the wait early. */
static void wait_for (const saker_t *self, short events, uint64_t deadline_ms)
{
    struct pollfd item = {.fd = self->file, .events = events};
    (void) poll (&item, 1, left_ms (deadline_ms));
}

/* Between two questions nothing is to come but late answers, so an end is found at once. */
static bool is_connected (saker_t *self)
{
    struct pollfd item = {.fd = self->file, .events = POLLRDHUP};
    if (self->file >= 0 && poll (&item, 1, 0) > 0
        && (item.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        disconnect (self);
    }
    return self->file >= 0;
}

bool skr_client_lost (saker_t *self)
{
    return !is_connected (self);
}

static saker_err_t no_daemon (const char *store)
{
    return skr_fail (SAKER_EUNREACHABLE,
                     "no daemon answers on %s: start it with: sakerd --store %s", store, store);
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

/* True: all of it. What was cut off by the end of the connection, the daemon does not take. */
static bool send_all (saker_t *self, skr_span_t bytes, uint64_t deadline_ms)
{
    while (bytes.size > 0) {
        ssize_t sent = send (self->file, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent < 0 && left_ms (deadline_ms) == 0) {
            return false;
        }
        if (sent < 0) {
            wait_for (self, POLLOUT, deadline_ms);
            continue;
        }
        bytes = skr_span (bytes.data + sent, bytes.size - (size_t) sent);
    }
    return true;
}

/* connect_ms: until when a daemon is looked for. */
static saker_err_t send_request (skr_question_t *question, uint64_t connect_ms,
                                 uint64_t deadline_ms, int timeout_ms)
{
    saker_t *self = question->self;
    skr_put_u32 (question->request.data,
                 (uint32_t) (question->request.size - SKR_LOCAL_HEAD_BYTES));
    for (;;) {
        if (!is_connected (self)) {
            self->file = skr_local_connect (self->folder);
        }
        if (self->file >= 0 && send_all (self, skr_span_of (&question->request), deadline_ms)) {
            return SAKER_OK;
        }
        bool late = self->file >= 0 && left_ms (deadline_ms) == 0;
        disconnect (self);
        if (late) {
            return lost_or_late (question, false, timeout_ms);
        }
        if (left_ms (connect_ms) == 0) {
            return no_daemon (self->store);
        }
        int left = left_ms (connect_ms);
        skr_client_pause (left < AGAIN_MS ? (unsigned) left : AGAIN_MS);
    }
}

/* ---- one question */

/* Opens the answer; *error is what the daemon says of it. False when it answers something else. */
static bool open_answer (skr_question_t *question, saker_err_t *error)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_t head;
    skr_cbor_open (cbor, skr_span_of (&question->answer));
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

/* Is a whole answer there? Then it is the question's. */
static bool take_answer (skr_question_t *question)
{
    skr_buf_t *in = &question->self->in;
    size_t size = in->size >= SKR_LOCAL_HEAD_BYTES ? skr_get_u32 (in->data) : 0;
    size_t all = SKR_LOCAL_HEAD_BYTES + size;
    if (in->size < all) {
        return false;
    }
    skr_buf_clear (&question->answer);
    skr_buf_append (&question->answer, in->data + SKR_LOCAL_HEAD_BYTES, size);
    memmove (in->data, in->data + all, in->size - all);
    in->size -= all;
    if (in->size == 0) {
        skr_buf_free (in);
    }
    return true;
}

/* 0: the connection has ended. */
static ssize_t read_some (saker_t *self)
{
    uint8_t *room = skr_buf_reserve (&self->in, READ_BYTES);
    if (!room) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t got = recv (self->file, room, READ_BYTES, MSG_DONTWAIT);
    self->in.size += got > 0 ? (size_t) got : 0;
    return got < 0 && errno == ECONNRESET ? 0 : got;
}

/* Answers to questions that were given up are dropped. */
static saker_err_t receive (skr_question_t *question, uint64_t deadline_ms, int timeout_ms)
{
    saker_t *self = question->self;
    for (;;) {
        saker_err_t error;
        while (take_answer (question)) {
            if (question->answer.failed) {
                return skr_fail (SAKER_ENOMEM, "out of memory");
            }
            if (open_answer (question, &error)) {
                return open_body (question, error);
            }
        }
        ssize_t got = read_some (self);
        if (got > 0) {
            continue;
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            error = skr_fail (SAKER_EIO, "receive from the daemon: %s", strerror (errno));
            disconnect (self);
            return error;
        }
        if (got == 0) {
            disconnect (self);
        }
        if (got == 0 || left_ms (deadline_ms) == 0) {
            return lost_or_late (question, got == 0, timeout_ms);
        }
        wait_for (self, POLLIN, deadline_ms);
    }
}

saker_err_t skr_question_begin (skr_question_t *question, saker_t *self, skr_command_t command,
                                size_t arguments)
{
    memset (question, 0, sizeof *question);
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
    static const uint8_t head[SKR_LOCAL_HEAD_BYTES]; /* its size, later */
    skr_buf_append (request, head, sizeof head);
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
    size_t size = question->request.size - SKR_LOCAL_HEAD_BYTES;
    if (size > SKR_API_REQUEST_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a request of %zu bytes: at most %u (SKR_API_REQUEST_BYTES_MAX)", size,
                         SKR_API_REQUEST_BYTES_MAX);
    }
    uint64_t connect_ms = skr_client_now_ms () + SKR_CLIENT_CONNECT_MS;
    bool hello = question->command == SKR_COMMAND_HELLO;
    SKR_TRY (send_request (question, hello ? deadline_ms : connect_ms, deadline_ms, timeout_ms));
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
    skr_buf_free (&question->answer);
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

saker_err_t skr_client_open (saker_t **self_p, const char *folder, int timeout_ms)
{
    *self_p = NULL;
    saker_t *self = calloc (1, sizeof *self);
    if (!self || !(self->store = strdup (folder))) {
        free (self);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->process = getpid ();
    self->file = -1;
    self->folder = realpath (folder, NULL); /* the host may change its own folder later */
    saker_err_t error = self->folder ? say_hello (self, timeout_ms) : no_daemon (folder);
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

void saker_close (saker_t **self_p)
{
    saker_t *self = *self_p;
    if (!self) {
        return;
    }
    int saved = errno;
    disconnect (self);
    if (self->process == getpid ()) { /* in a forked child an embedded store is the parent's */
        skr_embedded_leave (&self->embedded);
    }
    free (self->folder);
    free (self->store);
    free (self);
    *self_p = NULL;
    errno = saved;
}
