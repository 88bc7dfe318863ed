#include "gateway/reply.h"

#include "canon.h"
#include "gateway/cborout.h"
#include "gateway/problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *reply_reason (unsigned status)
{
    const char *reason = MHD_get_reason_phrase_for (status);
    return reason ? reason : "Unknown";
}

static void drop_header (request_t *request, const char *name)
{
    header_t *header;
    SLIST_FOREACH (header, &request->headers, next)
    {
        if (strcmp (header->name, name) == 0) {
            SLIST_REMOVE (&request->headers, header, header_t, next);
            free (header);
            return;
        }
    }
}

void reply_header (request_t *request, const char *name, const char *format, ...)
{
    char value[2048];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (value, sizeof value, format, arguments);
    va_end (arguments);
    if (size < 0 || (size_t) size >= sizeof value || strpbrk (value, "\r\n")) {
        return;
    }
    drop_header (request, name);
    header_t *header = malloc (sizeof *header + (size_t) size + 1);
    if (header) {
        header->name = name;
        memcpy (header->value, value, (size_t) size + 1);
        SLIST_INSERT_HEAD (&request->headers, header, next);
    }
}

/* ---- what the client accepts */

/* The quality that an Accept header gives a media type, in thousandths; the most exact range
   counts. */
static int quality_of (const char *accept, const char *type)
{
    int best = -1, best_exact = -1;
    size_t major = strcspn (type, "/") + 1;
    while (*accept) {
        size_t size = strcspn (accept, ",");
        size_t range = strcspn (accept, ",; \t");
        int exact =
            range == strlen (type) && strncasecmp (accept, type, range) == 0 ? 2
            : range == major + 1 && strncasecmp (accept, type, major) == 0 && accept[major] == '*'
                ? 1
            : range == 3 && strncmp (accept, "*/*", 3) == 0 ? 0
                                                            : -1;
        if (exact > best_exact) {
            const char *q = memmem (accept, size, "q=", 2);
            best_exact = exact;
            best = q ? (int) (strtod (q + 2, NULL) * 1000) : 1000;
        }
        accept += size;
        accept += strspn (accept, ", \t");
    }
    return best;
}

bool reply_wants_cbor (const request_t *request)
{
    const char *accept = request_header (request, "Accept");
    return accept
           && quality_of (accept, "application/cbor") > quality_of (accept, "application/json");
}

/* ---- answers */

void reply_response (request_t *request, unsigned status, struct MHD_Response *response)
{
    if (request->response) {
        MHD_destroy_response (request->response);
    }
    request->response = response;
    request->status = response ? status : 0;
    header_t *header;
    SLIST_FOREACH (header, &request->headers, next)
    {
        if (response) {
            MHD_add_response_header (response, header->name, header->value);
        }
    }
    if (response) {
        MHD_add_response_header (response, "X-Content-Type-Options", "nosniff");
    }
}

void reply_static (request_t *request, unsigned status, const char *type, const char *data,
                   size_t size)
{
    reply_header (request, "Content-Type", "%s", type);
    reply_response (
        request, status,
        MHD_create_response_from_buffer (size, (void *) (uintptr_t) data, MHD_RESPMEM_PERSISTENT));
}

void reply_text (request_t *request, unsigned status, const char *type, strbuf_t *text)
{
    if (text->failed) {
        strbuf_free (text);
        problem_say (request, 503, "the gateway is out of memory; try again");
        return;
    }
    reply_header (request, "Content-Type", "%s", type);
    reply_header (request, "Cache-Control", "no-store");
    reply_response (
        request, status,
        MHD_create_response_from_buffer (text->size, text->data, MHD_RESPMEM_MUST_FREE));
    *text = (strbuf_t){.data = NULL};
}

void reply_empty (request_t *request, unsigned status)
{
    reply_response (request, status,
                    MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT));
}

static void reply_value (request_t *request, unsigned status, json_t *json, bool problem)
{
    static const char memory[] = "{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":"
                                 "\"the gateway is out of memory; try again\"}";
    bool cbor = reply_wants_cbor (request);
    strbuf_t text = {.failed = !json};
    if (cbor) {
        cborout_add (&text, json);
    } else {
        canon_add (&text, json);
        strbuf_text (&text, "\n");
    }
    json_decref (json);
    if (text.failed) {
        strbuf_free (&text);
        reply_static (request, 503, "application/problem+json", memory, sizeof memory - 1);
        return;
    }
    reply_header (request, "Content-Type", "application/%s%s", problem ? "problem+" : "",
                  cbor ? "cbor" : "json");
    reply_header (request, "Vary", "Accept, Origin");
    reply_header (request, "Cache-Control", "%s", problem ? "no-store" : "private, no-cache");
    reply_response (request, status,
                    MHD_create_response_from_buffer (text.size, text.data, MHD_RESPMEM_MUST_FREE));
}

void reply_json (request_t *request, unsigned status, json_t *json)
{
    reply_value (request, status, json, false);
}

void reply_problem (request_t *request, unsigned status, json_t *json)
{
    reply_value (request, status, json, true);
}
