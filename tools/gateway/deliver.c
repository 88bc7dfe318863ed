#include "gateway/deliver.h"

#include "gateway/instant.h"
#include "gateway/retry.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct deliver_t {
    CURL *curl;
    const allow_t *allow;
    const char *authority;
    int64_t timeout_ms;
    const atomic_bool *ending;
    size_t answer_bytes;
    char denied[ALLOW_TEXT_SIZE]; /* the last address that is not listed */
};

/* ---- what curl asks */

static curl_socket_t on_open (void *argument, curlsocktype purpose, struct curl_sockaddr *address)
{
    deliver_t *self = argument;
    (void) purpose;
    if (!allow_address (self->allow, &address->addr)) {
        allow_text (&address->addr, self->denied);
        return CURL_SOCKET_BAD;
    }
    return socket (address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_answer (char *data, size_t size, size_t count, void *argument)
{
    deliver_t *self = argument;
    (void) data;
    self->answer_bytes += size * count;
    return self->answer_bytes > DELIVER_ANSWER_BYTES_MAX ? 0 : size * count;
}

static int on_progress (void *argument, curl_off_t down, curl_off_t down_now, curl_off_t up,
                        curl_off_t up_now)
{
    const deliver_t *self = argument;
    (void) down;
    (void) down_now;
    (void) up;
    (void) up_now;
    return atomic_load (self->ending);
}

/* ---- setting up */

static void set_options (deliver_t *self)
{
    CURL *curl = self->curl;
    curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt (curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt (curl, CURLOPT_PROXY, "");
    curl_easy_setopt (curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt (curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt (curl, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    curl_easy_setopt (curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt (curl, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt (curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt (curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt (curl, CURLOPT_CONNECTTIMEOUT_MS, (long) DELIVER_CONNECT_MS);
    curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, (long) self->timeout_ms);
    curl_easy_setopt (curl, CURLOPT_MAXREDIRS, 0L);
    curl_easy_setopt (curl, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt (curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt (curl, CURLOPT_OPENSOCKETDATA, self);
    curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt (curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt (curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt (curl, CURLOPT_XFERINFODATA, self);
    if (*self->authority) {
        curl_easy_setopt (curl, CURLOPT_CAINFO, self->authority);
    }
}

deliver_t *deliver_new (const allow_t *allow, const char *authority, int64_t timeout_ms,
                        const atomic_bool *ending)
{
    deliver_t *self = calloc (1, sizeof *self);
    if (!self || !(self->curl = curl_easy_init ())) {
        free (self);
        return NULL;
    }
    self->allow = allow;
    self->authority = authority;
    self->timeout_ms = timeout_ms;
    self->ending = ending;
    set_options (self);
    return self;
}

void deliver_destroy (deliver_t **self_p)
{
    if (*self_p) {
        curl_easy_cleanup ((*self_p)->curl);
        free (*self_p);
        *self_p = NULL;
    }
}

/* ---- sending */

static bool add_header (struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append (*list, text);
    *list = longer ? longer : *list;
    return longer;
}

/* A signature of each secret that holds, separated by spaces. */
static bool add_signatures (struct curl_slist **list, const hook_t *hook, const char *message,
                            int64_t time_s, const strbuf_t *body)
{
    strbuf_t header = {0};
    strbuf_text (&header, "webhook-signature:");
    for (size_t i = 0; i < hook->secrets_count; i++) {
        const hook_secret_t *secret = &hook->secrets[i];
        char text[SIGN_TEXT_SIZE];
        sign_key_t key;
        if ((secret->ends_ms && secret->ends_ms <= time_s * 1000)
            || !sign_parse (secret->text, &key)) {
            continue;
        }
        sign_text (&key, message, time_s, body->data, body->size, text);
        sodium_memzero (&key, sizeof key);
        strbuf_format (&header, " %s", text);
    }
    bool added = !header.failed && add_header (list, header.data);
    strbuf_free (&header);
    return added;
}

static bool add_headers (struct curl_slist **list, const hook_t *hook, const char *message,
                         const strbuf_t *body)
{
    char text[128];
    int64_t time_s = instant_wall_ms () / 1000;
    snprintf (text, sizeof text, "webhook-id: %s", message);
    bool added = add_header (list, text);
    snprintf (text, sizeof text, "webhook-timestamp: %lld", (long long) time_s);
    added = added && add_header (list, text);
    snprintf (text, sizeof text, "User-Agent: saker/%.40s", saker_version ());
    return added && add_header (list, text) && add_header (list, "Expect:")
           && add_header (list, "Accept:")
           && add_header (list, "Content-Type: application/cloudevents+json; charset=utf-8")
           && add_signatures (list, hook, message, time_s, body);
}

static deliver_result_t judge_status (unsigned status, char why[HOOK_REASON_MAX + 1])
{
    snprintf (why, HOOK_REASON_MAX, "it answered %u", status);
    if (status >= 200 && status < 300) {
        why[0] = 0;
        return DELIVER_DONE;
    }
    if (status == 410) {
        return DELIVER_GONE;
    }
    if (status >= 300 && status < 400) {
        snprintf (why, HOOK_REASON_MAX, "it answered %u: redirects are not followed", status);
        return DELIVER_REFUSED;
    }
    return status == 408 || status == 425 || status == 429 || status >= 500 ? DELIVER_FAILED
                                                                            : DELIVER_REFUSED;
}

/* An answer that was cut off behind its head counts as what its head says. */
static void judge (deliver_t *self, CURLcode code, deliver_outcome_t *outcome)
{
    long status = 0;
    curl_off_t after_s = 0;
    curl_easy_getinfo (self->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo (self->curl, CURLINFO_RETRY_AFTER, &after_s);
    if (code == CURLE_ABORTED_BY_CALLBACK && atomic_load (self->ending)) {
        outcome->result = DELIVER_BROKEN;
        return;
    }
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status >= 200)) {
        outcome->status = (unsigned) status;
        outcome->asked_ms =
            after_s > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : (int64_t) after_s * 1000;
        outcome->result = judge_status (outcome->status, outcome->why);
        return;
    }
    outcome->result = DELIVER_FAILED;
    if (*self->denied) {
        snprintf (outcome->why, sizeof outcome->why,
                  "its address %s is in no network of hooks-allow in saker.conf", self->denied);
    } else if (code == CURLE_SSL_CACERT_BADFILE) {
        snprintf (outcome->why, sizeof outcome->why,
                  "this machine knows no certificates: install Debian's package ca-certificates");
    } else {
        snprintf (outcome->why, sizeof outcome->why, "%s", curl_easy_strerror (code));
    }
}

void deliver_send (deliver_t *self, const hook_t *hook, const char *message, const strbuf_t *body,
                   deliver_outcome_t *outcome)
{
    struct curl_slist *headers = NULL;
    int64_t begun_ms = instant_mono_ms ();
    memset (outcome, 0, sizeof *outcome);
    outcome->result = DELIVER_FAILED;
    self->answer_bytes = 0;
    self->denied[0] = 0;
    if (!add_headers (&headers, hook, message, body)) {
        snprintf (outcome->why, sizeof outcome->why, "out of memory");
    } else {
        curl_easy_setopt (self->curl, CURLOPT_URL, hook->url);
        curl_easy_setopt (self->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt (self->curl, CURLOPT_POST, 1L);
        curl_easy_setopt (self->curl, CURLOPT_POSTFIELDS, body->data);
        curl_easy_setopt (self->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) body->size);
        judge (self, curl_easy_perform (self->curl), outcome);
    }
    curl_easy_setopt (self->curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt (self->curl, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all (headers);
    outcome->took_ms = instant_mono_ms () - begun_ms;
}
