/* The public calls of a client: each is one request to the daemon over the local socket (lists: one
   a page). Plain libzmq with a context of its own: the host's signals and environment are left
   alone. */

#include "mesh/batch.h"
#include "mesh/sockets.h"

#include "crdt/value.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define ANSWER_MS 60000 /* a commit may take its time */
#define GRACE_MS 10000  /* after the time-out of a request that waits at the daemon */
#define AGAIN_MS 2000   /* for a daemon that was restarted to answer */
#define MONITOR_ENDPOINT "inproc://monitor"
#define ANSWER_BYTES_MAX (16u << 20)

struct saker_t {
    void *context;
    void *socket;
    void *monitor; /* tells when the daemon went */
    bool lost;     /* it went: what was asked of it is not answered any more */
    int descriptor; /* of the folder, where the path is long; -1 */
    pid_t process;
    uint64_t number;
    char *store;
    zmq_msg_t message; /* the last answer: what is handed over is borrowed from it */
    skr_buf_t document, pointer, author, spare; /* texts with their ending zeros */
};

/* What a page of an answer is read with. */
typedef struct answer_t {
    skr_cbor_t cbor;
    saker_err_t error;
} answer_t;

/* ---- one request */

static saker_err_t check_process (const saker_t *self)
{
    return self->process == getpid ()
               ? SAKER_OK
               : skr_fail (SAKER_EUSAGE, "opened in another process: open again after a fork");
}

static void begin (saker_t *self, skr_buf_t *request, skr_command_t command, size_t arguments)
{
    skr_cbor_put_array (request, 3 + arguments);
    skr_cbor_put_uint (request, SKR_API_VERSION);
    skr_cbor_put_uint (request, ++self->number);
    skr_cbor_put_uint (request, (uint64_t) command);
}

static void put_text (skr_buf_t *buf, const char *text)
{
    if (text) {
        skr_cbor_put_text (buf, text, strlen (text));
    } else {
        skr_cbor_put_null (buf);
    }
}

static int64_t mono_ms (void)
{
    return (int64_t) skr_world_real ()->mono_ms (NULL);
}

static saker_err_t no_answer (const saker_t *self)
{
    return skr_fail (SAKER_EUNREACHABLE,
                     "no daemon answers on %s: start it with: sakerd --store %s", self->store,
                     self->store);
}

static bool is_lost (saker_t *self)
{
    zmq_msg_t event;
    zmq_msg_init (&event);
    while (zmq_msg_recv (&event, self->monitor, ZMQ_DONTWAIT) >= 0) {
        self->lost = true;
    }
    zmq_msg_close (&event);
    return self->lost;
}

/* Waits for the answer to the last request; older ones, given up, are dropped. */
static saker_err_t receive (saker_t *self, int64_t until_ms, answer_t *answer)
{
    while (true) {
        int64_t left_ms = until_ms - mono_ms ();
        zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN},
                                  {.socket = self->monitor, .events = ZMQ_POLLIN}};
        if (zmq_poll (items, 2, left_ms > 0 ? (long) left_ms : 0) == 0 && left_ms <= 0) {
            return no_answer (self);
        }
        bool lost = is_lost (self); /* what it answered before it went is there by now */
        if (zmq_msg_recv (&self->message, self->socket, ZMQ_DONTWAIT) < 0) {
            if (lost) {
                return skr_fail (SAKER_EUNREACHABLE,
                                 "the daemon on %s ended before it answered: whether it did what "
                                 "was asked is not known", self->store);
            }
            continue;
        }
        skr_cbor_open (&answer->cbor,
                       skr_span (zmq_msg_data (&self->message), zmq_msg_size (&self->message)));
        skr_cbor_get_array (&answer->cbor, 64);
        uint64_t version = skr_cbor_get_uint (&answer->cbor);
        uint64_t number = skr_cbor_get_uint (&answer->cbor);
        if (answer->cbor.error == SAKER_OK && version != SKR_API_VERSION) {
            return skr_fail (SAKER_EVERSION, "the daemon speaks version %llu, this library %d",
                             (unsigned long long) version, SKR_API_VERSION);
        }
        if (answer->cbor.error != SAKER_OK || number == self->number) {
            return SAKER_OK;
        }
    }
}

static saker_err_t connect_again (saker_t *self);

/* Sends the request, frees it, and opens the answer at its first result. The daemon's error becomes
   ours. */
static saker_err_t call (saker_t *self, skr_buf_t *request, int timeout_ms, answer_t *answer)
{
    saker_err_t error = check_process (self);
    if (error == SAKER_OK && request->failed) {
        error = skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (error == SAKER_OK && request->size > SKR_API_REQUEST_BYTES_MAX) {
        error = skr_fail (SAKER_ELIMIT, "a request of %zu bytes: at most %u are allowed",
                          request->size, SKR_API_REQUEST_BYTES_MAX);
    }
    if (error == SAKER_OK && is_lost (self)) {
        error = connect_again (self);
    }
    if (error == SAKER_OK
        && zmq_send (self->socket, request->data, request->size, ZMQ_DONTWAIT) < 0) {
        error = no_answer (self);
    }
    skr_buf_free (request);
    error = error == SAKER_OK ? receive (self, mono_ms () + timeout_ms, answer) : error;
    SKR_TRY (error);
    uint64_t code = skr_cbor_get_uint (&answer->cbor);
    skr_span_t sentence = skr_cbor_get_text (&answer->cbor);
    if (answer->cbor.error != SAKER_OK) {
        return skr_wrap (skr_cbor_close (&answer->cbor), "the daemon's answer");
    }
    answer->error = (saker_err_t) code;
    return code ? skr_fail (answer->error, "%.*s", (int) sentence.size,
                            (const char *) sentence.data)
                : SAKER_OK;
}

static saker_err_t done (answer_t *answer)
{
    return skr_wrap (skr_cbor_close (&answer->cbor), "the daemon's answer");
}

/* A text with its ending zero, in a buf of ours. */
static const char *ended (skr_buf_t *buf, skr_span_t text)
{
    skr_buf_clear (buf);
    skr_buf_append_span (buf, text);
    skr_buf_append_byte (buf, 0);
    return buf->failed ? "" : (const char *) buf->data;
}

/* ---- opening */

static saker_err_t name_store (char **store, const char *given)
{
    char path[4096];
    const char *home = getenv ("HOME");
    given = given ? given : getenv ("SAKER_STORE");
    snprintf (path, sizeof path, "%s/.saker", home ? home : "");
    *store = strdup (given ? given : path);
    return *store ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t look_for_store (const char *store)
{
    char path[4200];
    struct stat status;
    snprintf (path, sizeof path, "%s/device.key", store);
    if (stat (path, &status) != 0 && errno == EACCES) {
        return skr_fail (SAKER_ERIGHT, "%s is not open to this user", store);
    }
    if (stat (path, &status) != 0) {
        return skr_fail (SAKER_ENOTFOUND,
                         "%s is not a saker store: make one with `saker init` or `saker join`",
                         store);
    }
    snprintf (path, sizeof path, "%s/" SKR_API_SOCKET, store);
    if (stat (path, &status) != 0) {
        return skr_fail (SAKER_EUNREACHABLE,
                         "no daemon runs on %s: start it with: sakerd --store %s", store, store);
    }
    return SAKER_OK;
}

/* A request to a daemon that is killed is lost, and zmq would connect again without a word. */
static bool monitor (saker_t *self)
{
    self->lost = false;
    self->monitor = zmq_socket (self->context, ZMQ_PAIR);
    return self->monitor
           && zmq_socket_monitor (self->socket, MONITOR_ENDPOINT, ZMQ_EVENT_DISCONNECTED) == 0
           && zmq_connect (self->monitor, MONITOR_ENDPOINT) == 0;
}

static void disconnect (saker_t *self)
{
    skr_socket_close (&self->socket);
    skr_socket_close (&self->monitor);
    if (self->context) {
        zmq_ctx_term (self->context);
        self->context = NULL;
    }
    if (self->descriptor >= 0) {
        close (self->descriptor);
        self->descriptor = -1;
    }
}

static saker_err_t connect_to (saker_t *self)
{
    char name[4200];
    int linger = 0;
    int64_t bytes_max = ANSWER_BYTES_MAX;
    SKR_TRY (skr_socket_local_name (name, sizeof name, self->store, &self->descriptor));
    self->context = zmq_ctx_new ();
    self->socket = self->context ? zmq_socket (self->context, ZMQ_DEALER) : NULL;
    if (!self->socket || !monitor (self)) {
        return skr_fail (SAKER_EIO, "make a socket: %s", zmq_strerror (zmq_errno ()));
    }
    zmq_setsockopt (self->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt (self->socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    return zmq_connect (self->socket, name) == 0
               ? SAKER_OK
               : skr_fail (SAKER_EIO, "connect to %s: %s", name, zmq_strerror (zmq_errno ()));
}

static saker_err_t say_hello (saker_t *self, int timeout_ms)
{
    skr_buf_t request = {0};
    answer_t answer;
    begin (self, &request, SKR_COMMAND_HELLO, 0);
    return call (self, &request, timeout_ms, &answer);
}

/* With sockets of their own, so that nothing given up is sent after all. */
static saker_err_t connect_again (saker_t *self)
{
    uint64_t number = self->number; /* of the request that is about to be sent */
    disconnect (self);
    saker_err_t error = connect_to (self);
    error = error == SAKER_OK ? say_hello (self, AGAIN_MS) : error;
    self->number = number;
    self->lost |= error != SAKER_OK;
    return error;
}

saker_err_t saker_open (saker_t **self_p, const char *store, int timeout_ms)
{
    saker_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->descriptor = -1;
    self->process = getpid ();
    zmq_msg_init (&self->message);
    saker_err_t error = sodium_init () < 0 ? skr_fail (SAKER_EIO, "libsodium does not start")
                                           : name_store (&self->store, store);
    error = error == SAKER_OK ? look_for_store (self->store) : error;
    error = error == SAKER_OK ? connect_to (self) : error;
    error = error == SAKER_OK ? say_hello (self, timeout_ms) : error;
    if (error != SAKER_OK) {
        saker_close (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

void saker_close (saker_t **self_p)
{
    saker_t *self = *self_p;
    if (!self) {
        return;
    }
    zmq_msg_close (&self->message);
    if (self->process == getpid ()) { /* after a fork, zmq's threads are the parent's */
        disconnect (self);
    } else if (self->descriptor >= 0) {
        close (self->descriptor);
    }
    skr_buf_free (&self->document);
    skr_buf_free (&self->pointer);
    skr_buf_free (&self->author);
    skr_buf_free (&self->spare);
    free (self->store);
    free (self);
    *self_p = NULL;
}

/* ---- writing */

saker_err_t saker_write (saker_t *self, const saker_batch_t *batch, saker_receipt_t *receipt)
{
    skr_buf_t request = {0};
    answer_t answer;
    saker_receipt_t scratch;
    receipt = receipt ? receipt : &scratch;
    if (batch->replacing) {
        return skr_fail (SAKER_EUSAGE, "a replacement that was not ended");
    }
    begin (self, &request, SKR_COMMAND_WRITE, 3);
    put_text (&request, batch->collection);
    if (batch->operation_id_size) {
        skr_cbor_put_bytes (&request, batch->operation_id, batch->operation_id_size);
    } else {
        skr_cbor_put_null (&request);
    }
    skr_cbor_put_array (&request, batch->intents_count);
    skr_buf_append_span (&request, skr_span_of (&batch->intents));
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    skr_cbor_get_fixed (&answer.cbor, receipt->writer, sizeof receipt->writer);
    receipt->seq = skr_cbor_get_uint (&answer.cbor);
    receipt->repeated = skr_cbor_get_bool (&answer.cbor);
    return done (&answer);
}

/* ---- reading */

static bool take_leaf (saker_t *self, answer_t *answer, saker_leaf_t *leaf)
{
    skr_cbor_t *cbor = &answer->cbor;
    skr_cbor_get_array (cbor, 9);
    leaf->document = ended (&self->document, skr_cbor_get_text (cbor));
    skr_span_t path = skr_cbor_get_bytes (cbor);
    skr_buf_clear (&self->pointer);
    skr_path_to_pointer (&self->pointer, path);
    skr_buf_append_byte (&self->pointer, 0);
    leaf->pointer = self->pointer.failed ? "" : (const char *) self->pointer.data;
    leaf->cell = (saker_cell_t) skr_cbor_get_uint (cbor);
    skr_value_get (cbor, &leaf->value);
    if (leaf->cell == SAKER_EMPTY_MAP) {
        leaf->value.type = SAKER_MAP;
    }
    uint64_t flags = skr_cbor_get_uint (cbor);
    leaf->rival = flags & 1;
    leaf->shown = flags & 2;
    leaf->time_ms = skr_cbor_get_uint (cbor);
    leaf->author = ended (&self->author, skr_cbor_get_text (cbor));
    skr_cbor_get_fixed (cbor, leaf->writer, sizeof leaf->writer);
    leaf->seq = skr_cbor_get_uint (cbor);
    return cbor->error == SAKER_OK;
}

/* Hands over a page. *stop: the callback wants no more. */
static void hand_over (saker_t *self, answer_t *answer, saker_leaf_fn *leaf_fn, void *argument,
                       bool *stop)
{
    saker_leaf_t leaf;
    size_t count = skr_cbor_get_array (&answer->cbor, SIZE_MAX);
    for (size_t i = 0; i < count && take_leaf (self, answer, &leaf); i++) {
        if (!*stop) {
            *stop = leaf_fn (&leaf, argument) != 0;
        }
    }
}

static bool take_null (answer_t *answer)
{
    if (skr_cbor_peek (&answer->cbor) != SKR_CBOR_NULL) {
        return false;
    }
    skr_cbor_get_null (&answer->cbor);
    return true;
}

saker_err_t saker_read (saker_t *self, const char *collection, const char *document,
                        const char *pointer, saker_leaf_fn *leaf_fn, void *argument)
{
    skr_buf_t path = {0};
    uint64_t skip = 0;
    bool stop = false;
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    while (error == SAKER_OK && !stop) {
        skr_buf_t request = {0};
        answer_t answer;
        begin (self, &request, SKR_COMMAND_READ, 4);
        put_text (&request, collection);
        put_text (&request, document);
        skr_cbor_put_bytes (&request, path.data, path.size);
        skr_cbor_put_uint (&request, skip);
        error = call (self, &request, ANSWER_MS, &answer);
        if (error == SAKER_OK) {
            hand_over (self, &answer, leaf_fn, argument, &stop);
            if (take_null (&answer)) {
                stop = true;
            } else {
                skip = skr_cbor_get_uint (&answer.cbor);
            }
            error = done (&answer);
        }
    }
    skr_buf_free (&path);
    return error;
}

saker_err_t saker_iterate (saker_t *self, const char *collection, saker_leaf_fn *leaf_fn,
                           void *argument)
{
    const char *from = NULL;
    uint64_t skip = 0;
    bool stop = false;
    while (!stop) {
        skr_buf_t request = {0};
        answer_t answer;
        begin (self, &request, SKR_COMMAND_ITERATE, 3);
        put_text (&request, collection);
        put_text (&request, from);
        skr_cbor_put_uint (&request, skip);
        SKR_TRY (call (self, &request, ANSWER_MS, &answer));
        hand_over (self, &answer, leaf_fn, argument, &stop);
        if (take_null (&answer)) {
            stop = true;
        } else {
            from = ended (&self->spare, skr_cbor_get_text (&answer.cbor));
        }
        skip = skr_cbor_get_uint (&answer.cbor);
        SKR_TRY (done (&answer));
    }
    return SAKER_OK;
}

saker_err_t saker_collections (saker_t *self, saker_name_fn *name_fn, void *argument)
{
    uint64_t first = 0;
    bool stop = false;
    while (!stop) {
        skr_buf_t request = {0};
        answer_t answer;
        begin (self, &request, SKR_COMMAND_COLLECTIONS, 1);
        skr_cbor_put_uint (&request, first);
        SKR_TRY (call (self, &request, ANSWER_MS, &answer));
        size_t count = skr_cbor_get_array (&answer.cbor, SIZE_MAX);
        for (size_t i = 0; i < count && answer.cbor.error == SAKER_OK; i++) {
            skr_cbor_get_array (&answer.cbor, 2);
            const char *name = ended (&self->document, skr_cbor_get_text (&answer.cbor));
            uint64_t documents = skr_cbor_get_uint (&answer.cbor);
            stop = stop || (answer.cbor.error == SAKER_OK && name_fn (name, documents, argument));
        }
        if (take_null (&answer)) {
            stop = true;
        } else {
            first = skr_cbor_get_uint (&answer.cbor);
        }
        SKR_TRY (done (&answer));
    }
    return SAKER_OK;
}

saker_err_t saker_documents (saker_t *self, const char *collection, saker_name_fn *name_fn,
                             void *argument)
{
    const char *from = NULL;
    bool stop = false;
    while (!stop) {
        skr_buf_t request = {0};
        answer_t answer;
        begin (self, &request, SKR_COMMAND_DOCUMENTS, 2);
        put_text (&request, collection);
        put_text (&request, from);
        SKR_TRY (call (self, &request, ANSWER_MS, &answer));
        size_t count = skr_cbor_get_array (&answer.cbor, SIZE_MAX);
        for (size_t i = 0; i < count && answer.cbor.error == SAKER_OK; i++) {
            const char *name = ended (&self->document, skr_cbor_get_text (&answer.cbor));
            stop = stop || (answer.cbor.error == SAKER_OK && name_fn (name, 1, argument));
        }
        if (take_null (&answer)) {
            stop = true;
        } else {
            from = ended (&self->spare, skr_cbor_get_text (&answer.cbor));
        }
        SKR_TRY (done (&answer));
    }
    return SAKER_OK;
}

/* ---- watching */

static void get_cursor (answer_t *answer, saker_cursor_t *cursor)
{
    skr_cbor_get_fixed (&answer->cbor, cursor->epoch, sizeof cursor->epoch);
    cursor->position = skr_cbor_get_uint (&answer->cbor);
}

static void put_cursor (skr_buf_t *request, const saker_cursor_t *cursor)
{
    skr_cbor_put_bytes (request, cursor->epoch, sizeof cursor->epoch);
    skr_cbor_put_uint (request, cursor->position);
}

saker_err_t saker_now (saker_t *self, saker_cursor_t *cursor)
{
    skr_buf_t request = {0};
    answer_t answer;
    begin (self, &request, SKR_COMMAND_NOW, 0);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    get_cursor (&answer, cursor);
    return done (&answer);
}

static void take_event (saker_t *self, answer_t *answer, saker_event_t *event)
{
    skr_cbor_t *cbor = &answer->cbor;
    skr_cbor_get_array (cbor, 7);
    event->position = skr_cbor_get_uint (cbor);
    event->collection = ended (&self->spare, skr_cbor_get_text (cbor));
    event->document = ended (&self->document, skr_cbor_get_text (cbor));
    event->author = ended (&self->author, skr_cbor_get_text (cbor));
    skr_cbor_get_fixed (cbor, event->writer, sizeof event->writer);
    event->seq = skr_cbor_get_uint (cbor);
    event->time_ms = skr_cbor_get_uint (cbor);
}

saker_err_t saker_watch (saker_t *self, const char *collection, saker_cursor_t *cursor,
                         int timeout_ms, saker_event_fn *event_fn, void *argument)
{
    skr_buf_t request = {0};
    answer_t answer;
    saker_cursor_t after;
    bool stop = false;
    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    begin (self, &request, SKR_COMMAND_WATCH, 4);
    put_text (&request, collection);
    put_cursor (&request, cursor);
    skr_cbor_put_uint (&request, (uint64_t) timeout_ms);
    SKR_TRY (call (self, &request, timeout_ms + GRACE_MS, &answer));
    get_cursor (&answer, &after);
    size_t count = skr_cbor_get_array (&answer.cbor, SIZE_MAX);
    for (size_t i = 0; i < count && answer.cbor.error == SAKER_OK; i++) {
        saker_event_t event;
        take_event (self, &answer, &event);
        if (answer.cbor.error == SAKER_OK && !stop) {
            stop = event_fn (&event, argument) != 0;
            if (stop) {
                after.position = event.position; /* what was not handed over comes again */
            }
        }
    }
    SKR_TRY (done (&answer));
    *cursor = after;
    return SAKER_OK;
}

saker_err_t saker_cursor_save (saker_t *self, const char *name, const saker_cursor_t *cursor)
{
    skr_buf_t request = {0};
    answer_t answer;
    begin (self, &request, SKR_COMMAND_CURSOR_SAVE, 3);
    put_text (&request, name);
    put_cursor (&request, cursor);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    return done (&answer);
}

saker_err_t saker_cursor_load (saker_t *self, const char *name, saker_cursor_t *cursor)
{
    skr_buf_t request = {0};
    answer_t answer;
    begin (self, &request, SKR_COMMAND_CURSOR_LOAD, 1);
    put_text (&request, name);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    get_cursor (&answer, cursor);
    return done (&answer);
}

/* ---- the mesh */

saker_err_t saker_wait (saker_t *self, const char *peers, int timeout_ms)
{
    skr_buf_t request = {0};
    answer_t answer;
    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    begin (self, &request, SKR_COMMAND_WAIT, 2);
    put_text (&request, peers);
    skr_cbor_put_uint (&request, (uint64_t) timeout_ms);
    SKR_TRY (call (self, &request, timeout_ms + GRACE_MS, &answer));
    return done (&answer);
}

saker_err_t saker_peers (saker_t *self, saker_peer_fn *peer_fn, void *argument)
{
    skr_buf_t request = {0};
    skr_buf_t texts[5] = {{0}};
    answer_t answer;
    bool stop = false;
    begin (self, &request, SKR_COMMAND_PEERS, 0);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    size_t count = skr_cbor_get_array (&answer.cbor, SIZE_MAX);
    for (size_t i = 0; i < count && answer.cbor.error == SAKER_OK; i++) {
        saker_peer_t peer;
        skr_cbor_get_array (&answer.cbor, 8);
        peer.name = ended (&texts[0], skr_cbor_get_text (&answer.cbor));
        peer.id = ended (&texts[1], skr_cbor_get_text (&answer.cbor));
        peer.role = ended (&texts[2], skr_cbor_get_text (&answer.cbor));
        peer.link = ended (&texts[3], skr_cbor_get_text (&answer.cbor));
        peer.address = ended (&texts[4], skr_cbor_get_text (&answer.cbor));
        peer.seen_ms = skr_cbor_get_int (&answer.cbor);
        peer.behind = skr_cbor_get_int (&answer.cbor);
        peer.rtt_us = skr_cbor_get_int (&answer.cbor);
        stop = stop || (answer.cbor.error == SAKER_OK && peer_fn (&peer, argument));
    }
    for (size_t i = 0; i < 5; i++) {
        skr_buf_free (&texts[i]);
    }
    return done (&answer);
}

saker_err_t saker_status (saker_t *self, saker_leaf_fn *leaf_fn, void *argument)
{
    skr_buf_t request = {0};
    answer_t answer;
    bool stop = false;
    begin (self, &request, SKR_COMMAND_STATUS, 0);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    size_t count = skr_cbor_get_array (&answer.cbor, SIZE_MAX) / 2;
    for (size_t i = 0; i < count && answer.cbor.error == SAKER_OK; i++) {
        saker_leaf_t leaf = {
            .document = "", .cell = SAKER_REGISTER, .shown = true, .author = ""};
        leaf.pointer = ended (&self->pointer, skr_cbor_get_text (&answer.cbor));
        skr_value_get (&answer.cbor, &leaf.value);
        stop = stop || (answer.cbor.error == SAKER_OK && leaf_fn (&leaf, argument));
    }
    return done (&answer);
}

static void take_verdicts (saker_t *self, answer_t *answer, saker_verdict_fn *verdict_fn,
                           void *argument)
{
    bool stop = false;
    size_t count = skr_cbor_get_array (&answer->cbor, SIZE_MAX);
    for (size_t i = 0; i < count && answer->cbor.error == SAKER_OK; i++) {
        saker_verdict_t verdict;
        uint8_t fingerprint[16];
        char text[33];
        skr_cbor_get_array (&answer->cbor, 9);
        verdict.collection = ended (&self->document, skr_cbor_get_text (&answer->cbor));
        verdict.peer = ended (&self->author, skr_cbor_get_text (&answer->cbor));
        verdict.reached = skr_cbor_get_bool (&answer->cbor);
        verdict.same_clock = skr_cbor_get_bool (&answer->cbor);
        verdict.same_data = skr_cbor_get_bool (&answer->cbor);
        skr_cbor_get_fixed (&answer->cbor, fingerprint, sizeof fingerprint);
        skr_hex (text, fingerprint, sizeof fingerprint);
        verdict.fingerprint = text;
        verdict.documents = skr_cbor_get_uint (&answer->cbor);
        verdict.ahead = (int64_t) skr_cbor_get_uint (&answer->cbor);
        verdict.behind = (int64_t) skr_cbor_get_uint (&answer->cbor);
        stop = stop || (answer->cbor.error == SAKER_OK && verdict_fn (&verdict, argument));
    }
}

saker_err_t saker_verify (saker_t *self, const char *collection, int timeout_ms,
                          saker_verdict_fn *verdict_fn, void *argument)
{
    skr_buf_t request = {0};
    answer_t answer;
    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    begin (self, &request, SKR_COMMAND_VERIFY, 2);
    put_text (&request, collection);
    skr_cbor_put_uint (&request, (uint64_t) timeout_ms);
    answer.error = SAKER_OK;
    saker_err_t error = call (self, &request, timeout_ms + GRACE_MS, &answer);
    if (error == SAKER_OK || (error == answer.error && answer.cbor.at < answer.cbor.end)) {
        char sentence[1024];
        snprintf (sentence, sizeof sentence, "%s", skr_error ());
        take_verdicts (self, &answer, verdict_fn, argument);
        SKR_TRY (done (&answer));
        return error == SAKER_OK ? SAKER_OK : skr_fail (error, "%s", sentence);
    }
    return error;
}

saker_err_t saker_invite (saker_t *self, const char *role, int64_t expires_ms,
                          char ticket[SAKER_TICKET_MAX])
{
    skr_buf_t request = {0};
    answer_t answer;
    begin (self, &request, SKR_COMMAND_INVITE, 2);
    put_text (&request, role);
    skr_cbor_put_uint (&request, expires_ms > 0 ? (uint64_t) expires_ms : 0);
    SKR_TRY (call (self, &request, ANSWER_MS, &answer));
    skr_span_t text = skr_cbor_get_text (&answer.cbor);
    SKR_TRY (done (&answer));
    if (text.size >= SAKER_TICKET_MAX) {
        return skr_fail (SAKER_ELIMIT, "the ticket is too long");
    }
    memcpy (ticket, text.data, text.size);
    ticket[text.size] = 0;
    return SAKER_OK;
}
