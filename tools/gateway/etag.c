#include "gateway/etag.h"

#include "gateway/problem.h"
#include "gateway/reply.h"

#include <sodium.h>
#include <string.h>

#define DIGITS ((size_t) 2 * SAKER_STATE_BYTES)

void etag_text (const request_t *request, const uint8_t state[SAKER_STATE_BYTES], char view,
                char text[ETAG_TEXT_SIZE])
{
    char digits[DIGITS + 1];
    const char *cbor = reply_wants_cbor (request) ? "c" : "";
    sodium_bin2hex (digits, sizeof digits, state, SAKER_STATE_BYTES);
    if (view) {
        snprintf (text, ETAG_TEXT_SIZE, "\"%s-%c%s\"", digits, view, cbor);
    } else {
        snprintf (text, ETAG_TEXT_SIZE, "\"%s%s%s\"", digits, *cbor ? "-" : "", cbor);
    }
}

/* The state in a tag of this size, quotes included. */
static bool parse (const char *text, size_t size, uint8_t state[SAKER_STATE_BYTES])
{
    size_t used = 0;
    return size >= DIGITS + 2 && text[0] == '"' && text[size - 1] == '"'
           && strspn (text + 1, "0123456789abcdef") >= DIGITS
           && (text[DIGITS + 1] == '-' || text[DIGITS + 1] == '"')
           && sodium_hex2bin (state, SAKER_STATE_BYTES, text + 1, DIGITS, NULL, &used, NULL) == 0
           && used == SAKER_STATE_BYTES;
}

bool etag_parse (const char *text, uint8_t state[SAKER_STATE_BYTES])
{
    return parse (text, strlen (text), state);
}

bool etag_is_conditional (const request_t *request)
{
    return request_header (request, "If-Match") || request_header (request, "If-None-Match");
}

/* One after the other of a list of tags; false: that was the last. */
static bool next_tag (const char **at, const char **tag, size_t *size)
{
    *at += strspn (*at, " \t,");
    *tag = *at;
    const char *end = *at + (strncmp (*at, "W/", 2) == 0 ? 2 : 0);
    if (*end == '"') {
        const char *close = strchr (end + 1, '"');
        *at = close ? close + 1 : end + strlen (end);
    } else {
        *at = end + strcspn (end, " \t,");
    }
    *size = (size_t) (*at - *tag);
    return *size > 0;
}

/* A weak tag (W/) never matches: RFC 9110 13.1.1. */
static bool lists_state (const char *list, const uint8_t state[SAKER_STATE_BYTES])
{
    const char *tag;
    size_t size;
    uint8_t listed[SAKER_STATE_BYTES];
    while (next_tag (&list, &tag, &size)) {
        if (parse (tag, size, listed) && memcmp (listed, state, sizeof listed) == 0) {
            return true;
        }
    }
    return false;
}

bool etag_is_known (const request_t *request, const char *tag)
{
    const char *list = request_header (request, "If-None-Match");
    const char *listed;
    size_t size;
    if (list && strcmp (list, "*") == 0) {
        return true;
    }
    while (list && next_tag (&list, &listed, &size)) {
        size_t weak = strncmp (listed, "W/", 2) == 0 ? 2 : 0;
        if (size - weak == strlen (tag) && strncmp (listed + weak, tag, size - weak) == 0) {
            return true;
        }
    }
    return false;
}

bool etag_check (request_t *request, const uint8_t state[SAKER_STATE_BYTES])
{
    const char *match = request_header (request, "If-Match");
    const char *none = request_header (request, "If-None-Match");
    bool exists = !sodium_is_zero (state, SAKER_STATE_BYTES);
    if (match && (!exists || (strcmp (match, "*") != 0 && !lists_state (match, state)))) {
        problem_say (request, 412, "%s",
                     exists ? "it was changed meanwhile: read it again, and send "
                              "its new ETag in If-Match"
                            : "nothing is there that If-Match could name");
        return false;
    }
    if (none && exists && (strcmp (none, "*") == 0 || lists_state (none, state))) {
        problem_say (request, 412, "it is there already, and If-None-Match says that it must not");
        return false;
    }
    return true;
}
