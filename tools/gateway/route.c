#include "gateway/route.h"

#include "gateway/problem.h"
#include "gateway/reply.h"

#include <string.h>

#define COLLECTION "/v1/collections/{collection}"
#define DOCUMENT COLLECTION "/documents/{document}"

#define PAGE(pattern)                                                                              \
    {                                                                                              \
        "GET", pattern, TOKEN_NONE, route_page, .idle = true                                       \
    }

const route_t routes[] = {
    PAGE ("/"),
    PAGE ("/page/app.js"),
    PAGE ("/page/ask.js"),
    PAGE ("/page/changes.js"),
    PAGE ("/page/conflicts.js"),
    PAGE ("/page/hooks.js"),
    PAGE ("/page/make.js"),
    PAGE ("/page/peers.js"),
    PAGE ("/page/picture.js"),
    PAGE ("/page/state.js"),
    PAGE ("/page/style.css"),
    {"GET", "/live", TOKEN_NONE, route_live, .idle = true},
    {"GET", "/ready", TOKEN_READ, route_ready, .idle = true},
    {"GET", "/metrics", TOKEN_READ, route_metrics, .idle = true},
    {"GET", "/openapi.json", TOKEN_READ, route_describe, .idle = true},
    {"GET", "/v1/mesh", TOKEN_READ, route_mesh, .arguments = {NULL}},
    {"GET", "/v1/collections", TOKEN_READ, route_collections, .arguments = {NULL}},
    {"GET", COLLECTION "/documents", TOKEN_READ, route_documents, .arguments = {"from", "limit"}},
    {"GET", DOCUMENT, TOKEN_READ, route_get, .arguments = {"pointer", "view"}},
    {"PUT", DOCUMENT, TOKEN_WRITE, route_put, .arguments = {"pointer"}},
    {"PATCH", DOCUMENT, TOKEN_WRITE, route_patch, .arguments = {"pointer"}},
    {"DELETE", DOCUMENT, TOKEN_WRITE, route_delete, .arguments = {"pointer"}},
    {"POST", DOCUMENT, TOKEN_WRITE, route_operate, .arguments = {NULL}},
    {"POST", COLLECTION "/batch", TOKEN_WRITE, route_batch, .arguments = {NULL}},
    {"GET", "/v1/conflicts", TOKEN_READ, route_conflicts, .arguments = {"limit"}},
    {"GET", COLLECTION "/conflicts", TOKEN_READ, route_conflicts, .arguments = {"limit"}},
    {"GET", DOCUMENT "/conflicts", TOKEN_READ, route_document_conflicts,
     .arguments = {"pointer", "limit"}},
    {"POST", DOCUMENT "/conflicts", TOKEN_WRITE, route_settle, .arguments = {NULL}},
    {"GET", "/v1/changes", TOKEN_READ, route_changes, .arguments = {"cursor", "wait", "limit"}},
    {"GET", COLLECTION "/changes", TOKEN_READ, route_changes,
     .arguments = {"cursor", "wait", "limit"}},
    {"GET", "/v1/hooks", TOKEN_ADMIN, route_hooks, .arguments = {NULL}},
    {"GET", "/v1/hooks/{hook}", TOKEN_ADMIN, route_hook, .arguments = {NULL}},
    {"POST", "/v1/hooks/{hook}/state", TOKEN_ADMIN, route_hook_state, .arguments = {NULL}},
    {"GET", "/v1/hooks/{hook}/deliveries", TOKEN_ADMIN, route_hook_deliveries,
     .arguments = {"limit"}},
    {"GET", "/v1/hooks/{hook}/dead", TOKEN_ADMIN, route_hook_dead, .arguments = {"limit"}},
    {"POST", "/v1/hooks/{hook}/replay", TOKEN_ADMIN, route_hook_replay, .arguments = {NULL}},
    {"POST", "/v1/inbox/{inbox}", TOKEN_NONE, route_inbox, .arguments = {NULL}},
    {.method = NULL},
};

/* The next part of a path, without its slash. */
static bool next_part (const char **at, const char **part, size_t *size)
{
    if (**at != '/') {
        return false;
    }
    *part = *at + 1;
    *size = strcspn (*part, "/?");
    *at = *part + *size;
    return true;
}

/* Does the path fit the pattern? What {} stands for is left in `parts`, undecoded. */
static bool fits (const char *pattern, const char *uri, const char *parts[REQUEST_NAMES_MAX],
                  size_t sizes[REQUEST_NAMES_MAX])
{
    size_t names = 0, wanted_size, size;
    const char *wanted, *part;
    while (next_part (&pattern, &wanted, &wanted_size)) {
        if (!next_part (&uri, &part, &size)) {
            return false;
        }
        if (*wanted == '{') {
            parts[names] = part;
            sizes[names++] = size;
        } else if (size != wanted_size || strncmp (part, wanted, size) != 0) {
            return false;
        }
    }
    return *uri == 0 || *uri == '?';
}

static bool is_method (const char *method, const char *asked)
{
    return strcmp (method, strcmp (asked, "HEAD") == 0 ? "GET" : asked) == 0;
}

size_t route_count (void)
{
    return sizeof routes / sizeof *routes - 1;
}

void route_allow (const char *uri, char allow[ROUTE_ALLOW_SIZE])
{
    const char *parts[REQUEST_NAMES_MAX];
    size_t sizes[REQUEST_NAMES_MAX], used = 0;
    allow[0] = 0;
    for (const route_t *route = routes; route->method; route++) {
        if (fits (route->pattern, uri, parts, sizes)) {
            used += (size_t) snprintf (allow + used, ROUTE_ALLOW_SIZE - used, "%s%s%s",
                                       used ? ", " : "", route->method,
                                       strcmp (route->method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    if (used > 0) {
        snprintf (allow + used, ROUTE_ALLOW_SIZE - used, ", OPTIONS");
    }
}

static void refuse (request_t *request, const char *method)
{
    char allow[ROUTE_ALLOW_SIZE];
    route_allow (request->uri, allow);
    if (!*allow) {
        problem_say (request, 404, "there is no resource at %.200s; see /openapi.json",
                     request->uri);
        return;
    }
    reply_header (request, "Allow", "%s", allow);
    problem_say (request, 405, "%.20s is not for this resource; it takes %s", method, allow);
}

static bool take_names (request_t *request, const char *const parts[REQUEST_NAMES_MAX],
                        const size_t sizes[REQUEST_NAMES_MAX])
{
    static const char *const what[] = {"collection", "document"};
    static const size_t bytes_max[] = {SAKER_COLLECTION_BYTES_MAX, SAKER_DOCUMENT_BYTES_MAX};
    for (size_t i = 0; i < REQUEST_NAMES_MAX && parts[i]; i++) {
        if (sizes[i] == 0
            || !request_decode (parts[i], sizes[i], request->names[i], bytes_max[i] + 1)) {
            problem_say (request, 400,
                         "the name of the %s has 1 to %zu bytes of UTF-8 in the form of a URI "
                         "(%%2F for a slash)",
                         what[i], bytes_max[i]);
            return false;
        }
    }
    return true;
}

bool route_is_open (const char *uri, const char *method)
{
    const char *parts[REQUEST_NAMES_MAX];
    size_t sizes[REQUEST_NAMES_MAX];
    for (const route_t *route = routes; route->method; route++) {
        if (route->role == TOKEN_NONE && is_method (route->method, method)
            && fits (route->pattern, uri, parts, sizes)) {
            return true;
        }
    }
    return false;
}

bool route_find (request_t *request, const char *method)
{
    for (const route_t *route = routes; route->method; route++) {
        const char *parts[REQUEST_NAMES_MAX] = {NULL};
        size_t sizes[REQUEST_NAMES_MAX] = {0};
        if (is_method (route->method, method)
            && fits (route->pattern, request->uri, parts, sizes)) {
            request->route = route;
            return take_names (request, parts, sizes);
        }
    }
    refuse (request, method);
    return false;
}
