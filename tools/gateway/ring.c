#include "gateway/ring.h"

#include <stdlib.h>
#include <string.h>

record_t *record_new (uint64_t position, const char *collection, const char *text, size_t size)
{
    record_t *self = calloc (1, sizeof *self + size);
    if (self) {
        self->users = 1;
        self->position = position;
        snprintf (self->collection, sizeof self->collection, "%s", collection);
        self->size = size;
        memcpy (self->text, text, size);
    }
    return self;
}

void record_leave (record_t *self)
{
    if (self && --self->users == 0) {
        free (self);
    }
}

static void drop_first (ring_t *self)
{
    record_t *record = self->records[self->first];
    self->floor = record->position;
    self->bytes -= record->size;
    self->first = (self->first + 1) % HUB_RECORDS_MAX;
    self->count--;
    record_leave (record);
}

void ring_begin (ring_t *self, const saker_cursor_t *cursor)
{
    while (self->count > 0) {
        drop_first (self);
    }
    memcpy (self->epoch, cursor->epoch, sizeof self->epoch);
    self->floor = self->newest = cursor->position;
}

void ring_add (ring_t *self, record_t *record)
{
    while (self->count == HUB_RECORDS_MAX
           || (self->count > 0 && self->bytes + record->size > HUB_RECORDS_BYTES_MAX)) {
        drop_first (self);
    }
    self->records[(self->first + self->count) % HUB_RECORDS_MAX] = record;
    self->count++;
    self->bytes += record->size;
}

static record_t *at (const ring_t *self, size_t number)
{
    return self->records[(self->first + number) % HUB_RECORDS_MAX];
}

record_t *ring_at (const ring_t *self, size_t number)
{
    return number < self->count ? at (self, number) : NULL;
}

record_t *ring_after (const ring_t *self, uint64_t position, size_t *number)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (at (self, middle)->position > position) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *number = low;
    return ring_at (self, low);
}
