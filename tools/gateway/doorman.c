/* A web page can make a browser send requests here, by a name of its own that leads to 127.0.0.1 or
   straight to it. So the header Host must hold a name that is ours, and Origin, where there is one,
   must be the gateway's own or one that is configured. And no request is answered without a token,
   which no browser adds by itself, but for what tells nothing (routes that are open). */

#include "gateway/doorman.h"

#include "gateway/hook.h"
#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- form */

/* Headers of which there is one at most. */
static const char *const single_headers[] = {
    "Host",
    "Origin",
    "Authorization",
    "Content-Length",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Idempotency-Key",
    "Transfer-Encoding",
    "Prefer",
    "Sec-Fetch-Site",
    "Accept",
    "Content-Encoding",
    "Expect",
    "Access-Control-Request-Method",
};

static bool check_form (request_t *request, const char *version)
{
    if (strcmp (version, "HTTP/1.1") != 0 && strcmp (version, "HTTP/1.0") != 0) {
        problem_say (request, 505, "%.20s is not spoken here: use HTTP/1.1", version);
        return false;
    }
    for (size_t i = 0; i < sizeof single_headers / sizeof *single_headers; i++) {
        if (request_header_count (request, single_headers[i]) > 1) {
            problem_say (request, 400, "the header %s is there more than once", single_headers[i]);
            return false;
        }
    }
    if (request_header (request, "Transfer-Encoding")
        && request_header (request, "Content-Length")) {
        problem_say (request, 400,
                     "Content-Length and Transfer-Encoding exclude each other: send one of them");
        return false;
    }
    const char *coding = request_header (request, "Transfer-Encoding");
    if (coding && strcasecmp (coding, "chunked") != 0) {
        problem_say (request, 501, "the transfer coding %.40s is not known here: use chunked",
                     coding);
        return false;
    }
    const char *content = request_header (request, "Content-Encoding");
    if (content && strcasecmp (content, "identity") != 0) {
        problem_say (request, 415, "the body comes in the coding %.40s: send it as it is", content);
        return false;
    }
    return true;
}

static bool check_length (request_t *request)
{
    const char *length = request_header (request, "Content-Length");
    if (!length) {
        return true;
    }
    size_t digits = strspn (length, "0123456789");
    if (digits == 0 || length[digits]) {
        problem_say (request, 400, "Content-Length is no number");
        return false;
    }
    if (digits > 18 || strtoull (length, NULL, 10) > REQUEST_BODY_BYTES_MAX) {
        problem_say (request, 413, "a body has %u bytes at most", REQUEST_BODY_BYTES_MAX);
        return false;
    }
    return true;
}

/* ---- host and origin */

/* The name in a Host header, in lower case and without the port. */
static bool host_name (const char *host, char name[SETTINGS_HOST_SIZE])
{
    const char *close = *host == '[' ? strchr (host, ']') : NULL;
    size_t size = close ? (size_t) (close + 1 - host) : strcspn (host, ":");
    const char *port = host + size;
    size_t digits = *port == ':' ? strspn (port + 1, "0123456789") : 0;
    if (size == 0 || size >= SETTINGS_HOST_SIZE || (*host == '[' && !close)
        || (*port && (*port != ':' || digits > 5 || port[1 + digits]))) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        name[i] = (char) tolower ((unsigned char) host[i]);
    }
    name[size] = 0;
    return true;
}

static bool is_listed (char list[][SETTINGS_HOST_SIZE], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp (list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_own_name (const char *name)
{
    return strcmp (name, "localhost") == 0 || strcmp (name, "127.0.0.1") == 0
           || strcmp (name, "[::1]") == 0;
}

/* Is the name one of an address that was set explicitly? */
static bool is_own_address (const settings_t *settings, const char *name)
{
    size_t size = strlen (name);
    for (size_t i = 0; i < settings->places_count; i++) {
        const char *text = settings->places[i].text;
        if (strncasecmp (text, name, size) == 0 && text[size] == ':') {
            return true;
        }
    }
    return false;
}

static bool check_host (request_t *request)
{
    settings_t *settings = &request->gateway->settings;
    char name[SETTINGS_HOST_SIZE];
    const char *host = request_header (request, "Host");
    if (!host || !host_name (host, name)) {
        problem_say (request, 400, "the header Host is missing or is no name of a host");
        return false;
    }
    if (!is_own_name (name) && !is_own_address (settings, name)
        && !is_listed (settings->hosts, settings->hosts_count, name)) {
        problem_say (request, 421,
                     "%.100s is not a name of this gateway: use 127.0.0.1, or set gateway-host in "
                     "saker.conf",
                     name);
        return false;
    }
    return true;
}

/* The gateway's own origin: a page that it served itself. */
static bool is_own_origin (const request_t *request, const char *origin)
{
    const settings_t *settings = &request->gateway->settings;
    const char *scheme = *settings->tls_cert ? "https://" : "http://";
    const char *host = request_header (request, "Host");
    size_t size = strlen (scheme);
    return strncmp (origin, scheme, size) == 0 && host && strcasecmp (origin + size, host) == 0;
}

/* A link on another site may lead to the gateway's page. */
static bool check_origin (request_t *request, bool page)
{
    settings_t *settings = &request->gateway->settings;
    const char *origin = request_header (request, "Origin");
    const char *site = request_header (request, "Sec-Fetch-Site");
    if (origin && is_listed (settings->origins, settings->origins_count, origin)) {
        reply_header (request, "Access-Control-Allow-Origin", "%s", origin);
        reply_header (request, "Access-Control-Expose-Headers",
                      "ETag, Location, Saker-Rivals, Idempotency-Replayed, Retry-After");
        return true;
    }
    if (origin && !is_own_origin (request, origin)) {
        problem_say (request, 403,
                     "web pages of %.100s may not ask this gateway: set gateway-origin in "
                     "saker.conf",
                     origin);
        return false;
    }
    if (!origin && !page && site && strcmp (site, "same-origin") != 0
        && strcmp (site, "none") != 0) {
        problem_say (request, 403, "web pages of other sites may not ask this gateway");
        return false;
    }
    return true;
}

/* A browser asks first, without a token, whether a page may ask. */
static void answer_options (request_t *request)
{
    char allow[ROUTE_ALLOW_SIZE];
    route_allow (request->uri, allow);
    if (!*allow) {
        problem_say (request, 404, "there is no resource at %.200s", request->uri);
        return;
    }
    reply_header (request, "Allow", "%s", allow);
    reply_header (request, "Access-Control-Allow-Methods", "%s", allow);
    reply_header (request, "Access-Control-Allow-Headers",
                  "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, "
                  "Last-Event-ID, Prefer");
    reply_header (request, "Access-Control-Max-Age", "600");
    reply_empty (request, 204);
}

static bool is_preflight (const request_t *request, const char *method)
{
    settings_t *settings = &request->gateway->settings;
    const char *origin = request_header (request, "Origin");
    return strcmp (method, "OPTIONS") == 0 && origin
           && request_header (request, "Access-Control-Request-Method")
           && is_listed (settings->origins, settings->origins_count, origin);
}

/* ---- the token */

static bool check_token (request_t *request)
{
    const char *header = request_header (request, "Authorization");
    const char *text = header && strncasecmp (header, "Bearer ", 7) == 0 ? header + 7 : NULL;
    if (text && keeper_let_in (request->gateway->keeper, text, strlen (text), &request->access)) {
        return true;
    }
    if (header) {
        reply_header (request, "WWW-Authenticate",
                      "Bearer realm=\"saker\", error=\"invalid_token\"");
        problem_say (request, 401,
                     "the token is not known here, was revoked or has expired: make one with "
                     "saker token add");
    } else {
        reply_header (request, "WWW-Authenticate", "Bearer realm=\"saker\"");
        problem_say (request, 401,
                     "every request needs a token: send Authorization: Bearer TOKEN, made with "
                     "saker token add");
    }
    return false;
}

/* The secrets of webhooks are documents, too. */
bool doorman_shows (const gateway_t *gateway, const token_t *token, const char *collection)
{
    const char *hooks = gateway->settings.hooks;
    bool secret = strcmp (collection, *hooks ? hooks : HOOK_COLLECTION) == 0;
    return token_may_see (token, collection) && (!secret || token->role == TOKEN_ADMIN);
}

bool doorman_may_see (const request_t *request, const char *collection)
{
    return doorman_shows (request->gateway, request->access.token, collection);
}

/* The collection that a request is about, "" none. */
static const char *collection_of (const request_t *request)
{
    static const char hooks[] = "/v1/hooks", collections[] = "/v1/collections/";
    const char *pattern = request->route->pattern, *set = request->gateway->settings.hooks;
    if (strncmp (pattern, hooks, strlen (hooks)) == 0) {
        return *set ? set : HOOK_COLLECTION;
    }
    return strncmp (pattern, collections, strlen (collections)) == 0 ? request->names[0] : "";
}

static bool check_right (request_t *request)
{
    const token_t *token = request->access.token;
    if (request->route->role == TOKEN_NONE) {
        return true;
    }
    const char *collection = collection_of (request);
    if (token->role < request->route->role) {
        problem_say (request, 403, "this token may %s only; this needs one with the role %s",
                     token_role_text (token->role), token_role_text (request->route->role));
        return false;
    }
    if (*collection && !doorman_may_see (request, collection)) {
        problem_say (request, 403, "this token is not for the collection %s", collection);
        return false;
    }
    return true;
}

bool doorman_pass (request_t *request, const char *method, const char *version)
{
    bool open = route_is_open (request->uri, method);
    bool page = open && (strcmp (method, "GET") == 0 || strcmp (method, "HEAD") == 0);
    if (!check_form (request, version) || !check_host (request) || !check_origin (request, page)) {
        return false;
    }
    if (is_preflight (request, method)) {
        answer_options (request);
        return false;
    }
    if (!open && !check_token (request)) {
        return false;
    }
    if (strcmp (method, "OPTIONS") == 0) {
        answer_options (request);
        return false;
    }
    return route_find (request, method) && check_right (request) && request_take_query (request)
           && check_length (request);
}
