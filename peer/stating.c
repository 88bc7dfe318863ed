#include "peer/stating.h"

#include "crdt/limits.h"

#include <stdlib.h>

saker_err_t skr_stating_end (skr_stating_t *self)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 8;
        size_t *ends = realloc (self->ends, capacity * sizeof *ends);
        if (!ends) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->ends = ends;
        self->capacity = capacity;
    }
    self->ends[self->count++] = self->buf.size;
    return self->buf.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* How many of the statements from `first` on fit into one change: at least one. */
static size_t fitting (const skr_stating_t *self, size_t first)
{
    size_t start = first ? self->ends[first - 1] : 0, count = 1;
    while (first + count < self->count && count < SKR_CHANGE_OPS_MAX
           && self->ends[first + count] - start <= SKR_STATING_BYTES_MAX) {
        count++;
    }
    return count;
}

saker_err_t skr_stating_make (const skr_stating_t *self, skr_replica_t *replica)
{
    skr_span_t *statements = calloc (self->count + 1, sizeof *statements);
    saker_err_t error = statements ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
    size_t start = 0;
    for (size_t i = 0; i < self->count && error == SAKER_OK; i++) {
        statements[i] = skr_span (self->buf.data + start, self->ends[i] - start);
        start = self->ends[i];
    }
    for (size_t i = 0; i < self->count && error == SAKER_OK;) {
        size_t count = fitting (self, i);
        error = skr_replica_state (replica, statements + i, count);
        i += count;
    }
    free (statements);
    return error;
}

void skr_stating_free (skr_stating_t *self)
{
    free (self->ends);
    skr_buf_free (&self->buf);
}
