#include "strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room (strbuf_t *self, size_t size)
{
    if (self->failed || size >= SIZE_MAX / 2 - self->size) {
        self->failed = true;
        return false;
    }
    if (self->size + size < self->capacity) {
        return true;
    }
    size_t capacity = (self->size + size) * 2 + 64;
    char *data = realloc (self->data, capacity);
    if (!data) {
        self->failed = true;
        return false;
    }
    self->data = data;
    self->capacity = capacity;
    return true;
}

void strbuf_add (strbuf_t *self, const void *data, size_t size)
{
    if (!make_room (self, size)) {
        return;
    }
    if (size) {
        memcpy (self->data + self->size, data, size);
    }
    self->size += size;
    self->data[self->size] = 0;
}

void strbuf_text (strbuf_t *self, const char *text)
{
    strbuf_add (self, text, strlen (text));
}

void strbuf_format (strbuf_t *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (NULL, 0, format, arguments);
    va_end (arguments);
    if (size < 0 || !make_room (self, (size_t) size)) {
        self->failed = true;
        return;
    }
    va_start (arguments, format);
    vsnprintf (self->data + self->size, (size_t) size + 1, format, arguments);
    va_end (arguments);
    self->size += (size_t) size;
}

void strbuf_cut (strbuf_t *self, size_t size)
{
    if (self->data && size < self->size) {
        self->size = size;
        self->data[size] = 0;
    }
}

void strbuf_free (strbuf_t *self)
{
    free (self->data);
    *self = (strbuf_t){0};
}
