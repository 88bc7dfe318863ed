#include "gateway/server.h"

#include "gateway/doorman.h"
#include "gateway/instant.h"
#include "gateway/listening.h"
#include "gateway/parts.h"
#include "gateway/patience.h"
#include "gateway/porter.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct server_t {
    gateway_t *gateway;
    porter_t *porter;
    patience_t patience;
    struct MHD_Daemon *requests, *streams; /* two threads; see porter.h */
    char *cert, *key;
};

/* ---- a request comes in */

static enum MHD_Result queue (request_t *request)
{
    if (!request->response) {
        return MHD_NO; /* out of memory: the connection is closed */
    }
    tally_count (&request->gateway->tally, request);
    return MHD_queue_response (request->connection, request->status, request->response);
}

/* In a worker. */
static void run (job_t *job, call_t *call)
{
    request_t *request = (request_t *) job;
    request->again = false;
    if (!call->peer && !request->route->idle) {
        problem_error (request, call, SAKER_EUNREACHABLE);
    } else {
        request->route->run (request, call);
    }
    if (request->again) {
        request->waited = true;
        if (hub_wait (request->gateway->hub, request)) {
            return; /* somebody else may have it by now */
        }
        problem_say (request, 503, "the gateway is about to end: ask again in a moment");
    }
    MHD_resume_connection (request->connection);
}

static enum MHD_Result hand_over (request_t *request)
{
    request->job.run = run;
    MHD_suspend_connection (request->connection);
    if (workers_submit (request->gateway->workers, &request->job)) {
        return MHD_YES;
    }
    problem_say (request, 503, "too many requests wait already: try again in a moment");
    MHD_resume_connection (request->connection);
    return MHD_YES;
}

/* What does not fit is read and dropped, so that the client gets to its answer; but not for ever.
 */
static enum MHD_Result take_body (request_t *request, const char *data, size_t *size)
{
    atomic_size_t *all = &request->gateway->body_bytes;
    size_t more = *size;
    *size = 0;
    if (instant_mono_ms () - request->begun_ms > REQUEST_BODY_MS) {
        return MHD_NO;
    }
    request->body_counted += more;
    atomic_fetch_add (all, more);
    if (request->status || request->body_counted > REQUEST_BODY_BYTES_MAX) {
        request->too_large = true;
        strbuf_free (&request->body);
        return request->body_counted > REQUEST_BODY_BYTES_READ ? MHD_NO : MHD_YES;
    }
    if (atomic_load (all) > REQUEST_BODIES_BYTES_MAX) {
        return MHD_NO;
    }
    strbuf_add (&request->body, data, more);
    return MHD_YES;
}

/* A connection that is closed with some of a body unread loses the answer on its way. So the body
   is read and dropped first, unless it is very large or its end unknown, or the client waits for a
   word before it sends it. */
static bool answers_at_once (const request_t *request)
{
    const char *length = request_header (request, "Content-Length");
    const char *coding = request_header (request, "Transfer-Encoding");
    return request_header (request, "Expect") || (coding && strcasecmp (coding, "chunked") != 0)
           || (length && strtoull (length, NULL, 10) > REQUEST_BODY_BYTES_READ);
}

static enum MHD_Result on_request (void *argument, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *data, size_t *size, void **context)
{
    server_t *self = argument;
    request_t *request = *context;
    (void) url;
    if (!request) {
        return MHD_NO;
    }
    if (!request->headed) {
        request->headed = true;
        request->connection = connection;
        request->begun_ms = instant_mono_ms ();
        patience_head (&self->patience, connection, true);
        return !doorman_pass (request, method, version) && answers_at_once (request)
                   ? queue (request)
                   : MHD_YES;
    }
    if (*size > 0) {
        return take_body (request, data, size);
    }
    if (request->status) {
        return queue (request);
    }
    if (request->too_large) {
        problem_say (request, 413, "a body has %u bytes at most", REQUEST_BODY_BYTES_MAX);
    } else if (request->body.failed) {
        problem_say (request, 503, "the gateway is out of memory; try again");
    }
    return request->status ? queue (request) : hand_over (request);
}

static void *on_uri (void *argument, const char *uri, struct MHD_Connection *connection)
{
    const server_t *self = argument;
    (void) connection;
    return request_new (self->gateway, uri);
}

static void on_completed (void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_RequestTerminationCode code)
{
    server_t *self = argument;
    request_t *request = *context;
    (void) code;
    patience_head (&self->patience, connection, false);
    if (request) {
        atomic_fetch_sub (&self->gateway->body_bytes, request->body_counted);
        request_free (request);
        *context = NULL;
    }
}

/* What is encoded stays so: route.c and request.c decode each part by itself, and strictly. */
static size_t keep_encoded (void *argument, struct MHD_Connection *connection, char *text)
{
    (void) argument;
    (void) connection;
    return strlen (text);
}

static __attribute__ ((format (printf, 2, 0))) void on_log (void *argument, const char *format,
                                                            va_list arguments)
{
    const server_t *self = argument;
    char message[512];
    vsnprintf (message, sizeof message, format, arguments);
    message[strcspn (message, "\n")] = 0;
    gateway_log (self->gateway, 3, "gateway: %s", message);
}

/* ---- TLS */

static char *load (const char *file)
{
    struct stat status;
    FILE *stream = fopen (file, "rbe");
    char *text = NULL;
    if (stream && fstat (fileno (stream), &status) == 0 && status.st_size < 1 << 20) {
        text = calloc (1, (size_t) status.st_size + 1);
    }
    if (text && fread (text, 1, (size_t) status.st_size, stream) != (size_t) status.st_size) {
        free (text);
        text = NULL;
    }
    if (stream) {
        fclose (stream);
    }
    return text;
}

static saker_err_t load_tls (server_t *self, char sentence[SAKER_SENTENCE_MAX])
{
    const settings_t *settings = &self->gateway->settings;
    self->cert = load (settings->tls_cert);
    self->key = load (settings->tls_key);
    if (self->cert && self->key) {
        return SAKER_OK;
    }
    snprintf (sentence, SAKER_SENTENCE_MAX, "%s: cannot read %.200s",
              self->cert ? "gateway-tls-key" : "gateway-tls-cert",
              self->cert ? settings->tls_key : settings->tls_cert);
    return SAKER_EINPUT;
}

/* ---- starting and stopping */

static unsigned per_address (const settings_t *settings, const place_to_listen_t *place)
{
    if (settings->connections_per_address) {
        return settings->connections_per_address;
    }
    return place->local || place->loopback ? 0 : SETTINGS_PER_ADDRESS_DEFAULT;
}

static struct MHD_Daemon *start_thread (server_t *self, const place_to_listen_t *place)
{
    const settings_t *settings = &self->gateway->settings;
    bool tls = self->cert;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, self->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, self->key},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG
                     | MHD_USE_NO_LISTEN_SOCKET;
    return MHD_start_daemon (
        flags | (tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, on_request, self,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, self, /* first: it serves the other options */
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, self, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, patience_connection, &self->patience,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_CONNECTION_LIMIT,
        settings->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address (settings, place),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) SERVER_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) SERVER_CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls ? options : options + 2,
        MHD_OPTION_END);
}

static saker_err_t start_threads (server_t *self, const place_to_listen_t *place, int listener,
                                  char sentence[SAKER_SENTENCE_MAX])
{
    self->requests = start_thread (self, place);
    self->streams = self->requests ? start_thread (self, place) : NULL;
    if (!self->streams) {
        close (listener);
        snprintf (sentence, SAKER_SENTENCE_MAX, "gateway-listen: cannot serve %s: %s", place->text,
                  self->cert ? "are certificate and key in PEM, and of each other?"
                             : "out of memory or of threads");
        return SAKER_EIO;
    }
    self->porter = porter_new (listener, self->requests, self->streams, self->cert,
                               self->gateway->settings.connections);
    snprintf (sentence, SAKER_SENTENCE_MAX, "gateway-listen: out of memory or of threads");
    return self->porter ? SAKER_OK : SAKER_EIO;
}

saker_err_t server_new (server_t **self_p, gateway_t *gateway, const place_to_listen_t *place,
                        char sentence[SAKER_SENTENCE_MAX])
{
    char url[PATH_MAX + 16];
    int listener = -1;
    server_t *self = *self_p = calloc (1, sizeof *self);
    if (!self) {
        snprintf (sentence, SAKER_SENTENCE_MAX, "out of memory");
        return SAKER_ENOMEM;
    }
    self->gateway = gateway;
    patience_begin (&self->patience);
    bool tls = !place->local && *gateway->settings.tls_cert;
    saker_err_t error = tls ? load_tls (self, sentence) : SAKER_OK;
    if (error == SAKER_OK) {
        error = listening_open (place, gateway->store, &listener, sentence);
    }
    if (error == SAKER_OK) {
        listening_url (place, gateway->store, listener, tls, url, sizeof url);
        error = start_threads (self, place, listener, sentence);
    }
    if (error == SAKER_OK) { /* the log says where it is, with the port that was free */
        gateway_log (gateway, 2, "gateway: listens on %s", url);
    } else {
        server_destroy (self_p);
    }
    return error;
}

size_t server_connections (const server_t *self)
{
    return porter_connections (self->requests) + porter_connections (self->streams);
}

void server_look (server_t *self)
{
    if (self) {
        patience_look (&self->patience);
    }
}

void server_quiet (server_t *self)
{
    if (self) {
        porter_destroy (&self->porter);
    }
}

void server_destroy (server_t **self_p)
{
    server_t *self = *self_p;
    if (!self) {
        return;
    }
    server_quiet (self);
    if (self->requests) {
        MHD_stop_daemon (self->requests);
    }
    if (self->streams) {
        MHD_stop_daemon (self->streams);
    }
    patience_end (&self->patience);
    free (self->cert);
    if (self->key) {
        explicit_bzero (self->key, strlen (self->key));
    }
    free (self->key);
    free (self);
    *self_p = NULL;
}
