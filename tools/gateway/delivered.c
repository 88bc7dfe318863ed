#include "gateway/delivered.h"

#include <stdlib.h>
#include <string.h>

/* Where a writer is, or would be. */
static size_t place_of (const delivered_t *self, const uint8_t writer[16])
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp (self->list[middle].writer, writer, 16) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const delivered_t *self, size_t place, const uint8_t writer[16])
{
    return place < self->count && memcmp (self->list[place].writer, writer, 16) == 0;
}

int64_t delivered_number (uint64_t seq, unsigned index)
{
    return (int64_t) (seq << DELIVERED_SHIFT) + index + 1;
}

int64_t delivered_whole (uint64_t seq)
{
    return (int64_t) ((seq + 1) << DELIVERED_SHIFT) - 1;
}

int64_t delivered_get (const delivered_t *self, const uint8_t writer[16])
{
    size_t place = place_of (self, writer);
    return is_at (self, place, writer) ? self->list[place].number : -1;
}

static bool make_room (delivered_t *self)
{
    if (self->count < self->capacity) {
        return true;
    }
    size_t capacity = self->capacity ? 2 * self->capacity : 16;
    delivered_writer_t *list =
        self->count < DELIVERED_WRITERS_MAX ? realloc (self->list, capacity * sizeof *list) : NULL;
    if (!list) {
        return false;
    }
    self->list = list;
    self->capacity = capacity;
    return true;
}

bool delivered_raise (delivered_t *self, const uint8_t writer[16], int64_t number)
{
    size_t place = place_of (self, writer);
    if (is_at (self, place, writer)) {
        if (self->list[place].number < number) {
            self->list[place].number = number;
        }
        return true;
    }
    if (!make_room (self)) {
        return false;
    }
    memmove (&self->list[place + 1], &self->list[place],
             (self->count - place) * sizeof *self->list);
    memcpy (self->list[place].writer, writer, 16);
    self->list[place].number = number;
    self->count++;
    return true;
}

void delivered_free (delivered_t *self)
{
    free (self->list);
    *self = (delivered_t){0};
}
