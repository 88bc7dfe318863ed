#include "crdt/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

skr_span_t skr_span_text (const char *text)
{
    return skr_span (text, strlen (text));
}

int skr_span_compare (skr_span_t one, skr_span_t other)
{
    size_t shared = one.size < other.size ? one.size : other.size;
    int order = shared ? memcmp (one.data, other.data, shared) : 0;
    return order ? order : (one.size > other.size) - (one.size < other.size);
}

uint8_t *skr_buf_grow (skr_buf_t *self, size_t size)
{
    if (self->failed) {
        return NULL;
    }
    size_t capacity = self->capacity ? self->capacity : 64;
    while (capacity - self->size < size && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    uint8_t *grown = capacity - self->size >= size ? realloc (self->data, capacity) : NULL;
    if (!grown) {
        self->failed = true;
        return NULL;
    }
    self->data = grown;
    self->capacity = capacity;
    return self->data + self->size;
}

void skr_buf_free (skr_buf_t *self)
{
    free (self->data);
    memset (self, 0, sizeof *self);
}

void skr_buf_wipe (skr_buf_t *self)
{
    if (self->data) {
        sodium_memzero (self->data, self->capacity);
    }
    skr_buf_free (self);
}

bool skr_id_is_zero (const skr_id_t *self)
{
    return sodium_is_zero (self->bytes, sizeof self->bytes);
}

void skr_hex (char *text, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15];
    }
    *text = 0;
}
