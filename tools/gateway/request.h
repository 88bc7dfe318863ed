/* Request: one HTTP request, from its head to its answer. It is read in the server's thread, then
   answered in one of the workers while its connection is suspended. */

#ifndef TOOLS_GATEWAY_REQUEST_H_INCLUDED
#define TOOLS_GATEWAY_REQUEST_H_INCLUDED

#include "gateway/keeper.h"
#include "gateway/worker.h"
#include "strbuf.h"

#include <jansson.h>
#include <microhttpd.h>
#include <sys/queue.h>

#define REQUEST_BODY_BYTES_MAX (1u << 20)
#define REQUEST_BODY_BYTES_READ (4u << 20)    /* of one that is too large, before it is cut off */
#define REQUEST_BODY_MS 60000                 /* to send it */
#define REQUEST_BODIES_BYTES_MAX (128u << 20) /* of all requests together */
#define REQUEST_NAMES_MAX 2                   /* in the path: {collection}, {document} */
#define REQUEST_NAME_SIZE 256                 /* SAKER_DOCUMENT_BYTES_MAX and a zero */
#define REQUEST_ARGUMENTS_MAX 8               /* in the query */
#define REQUEST_POINTER_SIZE 4096             /* of one argument, decoded */

struct gateway_t;
struct route_t;

typedef struct header_t {
    SLIST_ENTRY (header_t) next;
    const char *name; /* static */
    char value[];
} header_t;

typedef struct argument_t {
    const char *name;
    char *value; /* decoded; owned */
} argument_t;

typedef struct request_t {
    job_t job; /* the first member: a job of this kind is its request */
    struct gateway_t *gateway;
    struct MHD_Connection *connection;
    char *uri;      /* as it came; owned */
    bool headed;    /* its head was looked at */
    bool too_large; /* its body */
    const struct route_t *route;
    char names[REQUEST_NAMES_MAX][REQUEST_NAME_SIZE]; /* decoded, in order of the path */
    argument_t arguments[REQUEST_ARGUMENTS_MAX];
    size_t arguments_count;
    access_t access;
    strbuf_t body;
    int64_t begun_ms;             /* mono: when its head was there */
    size_t body_counted;          /* bytes of it in the gateway's account */
    LIST_ENTRY (request_t) polls; /* of the hub, while a long poll waits */
    int64_t deadline_ms;          /* mono: of a long poll; 0: it has not begun to wait */
    saker_cursor_t poll;          /* where it waits */
    bool again;                   /* the answer is not there yet: it goes on waiting */
    bool waited;                  /* it did so */
    int64_t begun_us;             /* mono: when its first line came */

    SLIST_HEAD (, header_t) headers; /* of the answer */
    unsigned status;                 /* of the answer; 0: there is none yet */
    struct MHD_Response *response;
} request_t;

/* `uri` is copied. NULL: out of memory. */
request_t *request_new (struct gateway_t *gateway, const char *uri);
void request_free (request_t *self);

/* A header of the request, or NULL. Borrowed. */
const char *request_header (const request_t *self, const char *name);
/* How often a header is there. */
size_t request_header_count (const request_t *self, const char *name);
/* An argument of the query, or NULL. Borrowed. */
const char *request_argument (const request_t *self, const char *name);
/* A number in the query, or what it is when it is not there; otherwise a problem is the answer, and
   false. */
bool request_number (request_t *self, const char *name, size_t min, size_t max, size_t standard,
                     size_t *number);
/* What is behind %XX; false when that is wrong, or not UTF-8, or has a zero byte or no room. */
bool request_decode (const char *text, size_t size, char *decoded, size_t decoded_size);
/* Splits the query. Otherwise a problem is the answer, and false. */
bool request_take_query (request_t *self);
/* The media type of a Content-Type without its parameters, in lower case. */
void request_media_type (const request_t *self, char type[64]);
/* The body as JSON; otherwise a problem is the answer, and NULL. Owned by the caller. */
json_t *request_json (request_t *self, call_t *call);

#endif
