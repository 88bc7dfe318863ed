#include "gateway/request.h"

#include "gateway/instant.h"
#include "gateway/problem.h"
#include "gateway/route.h"
#include "jsonin.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

request_t *request_new (struct gateway_t *gateway, const char *uri)
{
    request_t *self = calloc (1, sizeof *self);
    if (self && !(self->uri = strdup (uri))) {
        free (self);
        return NULL;
    }
    if (self) {
        self->gateway = gateway;
        self->begun_us = instant_mono_us ();
        SLIST_INIT (&self->headers);
    }
    return self;
}

void request_free (request_t *self)
{
    while (!SLIST_EMPTY (&self->headers)) {
        header_t *header = SLIST_FIRST (&self->headers);
        SLIST_REMOVE_HEAD (&self->headers, next);
        free (header);
    }
    for (size_t i = 0; i < self->arguments_count; i++) {
        free (self->arguments[i].value);
    }
    if (self->response) {
        MHD_destroy_response (self->response);
    }
    keeper_leave (&self->access);
    strbuf_free (&self->body);
    free (self->uri);
    free (self);
}

const char *request_header (const request_t *self, const char *name)
{
    return MHD_lookup_connection_value (self->connection, MHD_HEADER_KIND, name);
}

typedef struct counting_t {
    const char *name;
    size_t count;
} counting_t;

static enum MHD_Result count_header (void *argument, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
    counting_t *counting = argument;
    (void) kind;
    (void) value;
    counting->count += strcasecmp (key, counting->name) == 0;
    return MHD_YES;
}

size_t request_header_count (const request_t *self, const char *name)
{
    counting_t counting = {.name = name};
    MHD_get_connection_values (self->connection, MHD_HEADER_KIND, count_header, &counting);
    return counting.count;
}

const char *request_argument (const request_t *self, const char *name)
{
    for (size_t i = 0; i < self->arguments_count; i++) {
        if (strcmp (self->arguments[i].name, name) == 0) {
            return self->arguments[i].value;
        }
    }
    return NULL;
}

bool request_number (request_t *self, const char *name, size_t min, size_t max, size_t standard,
                     size_t *number)
{
    const char *text = request_argument (self, name);
    size_t digits = text ? strspn (text, "0123456789") : 0;
    *number = digits > 0 && digits < 10 ? strtoul (text, NULL, 10) : standard;
    if (text && (digits == 0 || digits >= 10 || text[digits] || *number < min || *number > max)) {
        problem_say (self, 400, "\"%s\" is a number from %zu to %zu", name, min, max);
        return false;
    }
    return true;
}

/* ---- what is encoded in a URI */

static int hex_digit (char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

/* UTF-8 without zero bytes, by way of jansson, which checks it. */
static bool is_text (const char *text, size_t size)
{
    json_t *json = memchr (text, 0, size) ? NULL : json_stringn (text, size);
    json_decref (json);
    return json;
}

bool request_decode (const char *text, size_t size, char *decoded, size_t decoded_size)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        int high = 0, low = 0;
        if (text[i] == '%') {
            high = i + 2 < size ? hex_digit (text[i + 1]) : -1;
            low = high >= 0 ? hex_digit (text[i + 2]) : -1;
        }
        if (high < 0 || low < 0 || used + 1 >= decoded_size) {
            return false;
        }
        decoded[used++] = text[i] == '%' ? (char) (high * 16 + low) : text[i];
        i += text[i] == '%' ? 2 : 0;
    }
    decoded[used] = 0;
    return is_text (decoded, used);
}

/* The name in the route's list that an argument has; NULL: there is none. Static. */
static const char *known_name (const struct route_t *route, const char *name, size_t size)
{
    for (size_t i = 0; i < ROUTE_ARGUMENTS_MAX && route->arguments[i]; i++) {
        if (strlen (route->arguments[i]) == size
            && strncmp (route->arguments[i], name, size) == 0) {
            return route->arguments[i];
        }
    }
    return NULL;
}

static bool take_argument (request_t *self, const char *text, size_t size)
{
    char value[REQUEST_POINTER_SIZE];
    const char *equals = memchr (text, '=', size);
    size_t name_size = equals ? (size_t) (equals - text) : size;
    const char *name = known_name (self->route, text, name_size);
    if (!name) {
        problem_say (self, 400, "there is no argument \"%.*s\" here; see /openapi.json",
                     (int) (name_size < 100 ? name_size : 100), text);
        return false;
    }
    if (request_argument (self, name)) {
        problem_say (self, 400, "the argument \"%s\" is there twice", name);
        return false;
    }
    size_t rest = equals ? size - name_size - 1 : 0;
    if (!request_decode (equals ? equals + 1 : "", rest, value, sizeof value)) {
        problem_say (self, 400,
                     "the argument \"%s\" is not UTF-8 in the form of a URI, or is too long", name);
        return false;
    }
    char *copy = strdup (value);
    if (!copy) {
        problem_say (self, 503, "the gateway is out of memory; try again");
        return false;
    }
    self->arguments[self->arguments_count++] = (argument_t){name, copy};
    return true;
}

bool request_take_query (request_t *self)
{
    const char *text = strchr (self->uri, '?');
    while (text && *++text) {
        size_t size = strcspn (text, "&");
        if (size > 0 && !take_argument (self, text, size)) {
            return false;
        }
        text = text[size] ? text + size : NULL;
    }
    return true;
}

/* ---- the body */

void request_media_type (const request_t *self, char type[64])
{
    const char *header = request_header (self, "Content-Type");
    size_t used = 0;
    for (; header && *header && *header != ';' && used < 63; header++) {
        if (*header != ' ' && *header != '\t') {
            type[used++] = (char) tolower ((unsigned char) *header);
        }
    }
    type[used] = 0;
}

json_t *request_json (request_t *self, call_t *call)
{
    const jsonin_t in = {"body", self->body.data ? self->body.data : "", self->body.size};
    json_t *json = NULL;
    saker_err_t error = jsonin_read (call, &in, 0, in.size, &json);
    if (error != SAKER_OK) {
        problem_error (self, call, error);
        return NULL;
    }
    return json;
}
