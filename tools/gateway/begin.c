#include "gateway/begin.h"

static int stop (const saker_event_t *event, void *argument)
{
    (void) event;
    (void) argument;
    return 1;
}

/* SAKER_EGAP when changes behind it are gone. */
static saker_err_t try_at (saker_t *peer, const char *collection, saker_cursor_t cursor,
                           uint64_t position)
{
    cursor.position = position;
    saker_err_t error = saker_watch (peer, collection, &cursor, 0, stop, NULL);
    return error == SAKER_ETIMEOUT ? SAKER_OK : error;
}

/* A cursor that is too old is answered by a gap: by halves. */
saker_err_t begin_find (saker_t *peer, const char *collection, saker_cursor_t *cursor)
{
    saker_err_t error = saker_now (peer, cursor);
    uint64_t low = 0, high = cursor->position;
    while (error == SAKER_OK && low < high) {
        uint64_t middle = low + (high - low) / 2;
        error = try_at (peer, collection, *cursor, middle);
        if (error == SAKER_EGAP) {
            low = middle + 1;
            error = SAKER_OK;
        } else {
            high = middle;
        }
    }
    cursor->position = low;
    return error;
}
