#include "gateway/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_DIGITS 32

void cursor_text (const saker_cursor_t *cursor, char text[CURSOR_TEXT_SIZE])
{
    sodium_bin2hex (text, CURSOR_TEXT_SIZE, cursor->epoch, sizeof cursor->epoch);
    snprintf (text + EPOCH_DIGITS, CURSOR_TEXT_SIZE - EPOCH_DIGITS, "-%" PRIu64, cursor->position);
}

bool cursor_parse (const char *text, saker_cursor_t *cursor)
{
    size_t size = 0;
    char *end = NULL;
    if (strspn (text, "0123456789abcdef") != EPOCH_DIGITS || text[EPOCH_DIGITS] != '-') {
        return false;
    }
    const char *digits = text + EPOCH_DIGITS + 1;
    if (sodium_hex2bin (cursor->epoch, sizeof cursor->epoch, text, EPOCH_DIGITS, NULL, &size, NULL)
        || *digits < '0' || *digits > '9') {
        return false;
    }
    errno = 0;
    cursor->position = strtoull (digits, &end, 10);
    return errno == 0 && *end == 0;
}
