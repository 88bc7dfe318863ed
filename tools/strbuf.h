/* Strbuf: text that grows. After a failed allocation it stays as it was and `failed` tells. */

#ifndef TOOLS_STRBUF_H_INCLUDED
#define TOOLS_STRBUF_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

typedef struct strbuf_t {
    char *data; /* ended by a zero once anything was added */
    size_t size, capacity;
    bool failed;
} strbuf_t;

void strbuf_add (strbuf_t *self, const void *data, size_t size);
void strbuf_text (strbuf_t *self, const char *text);
void strbuf_format (strbuf_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* Shortens to `size`; keeps the memory. */
void strbuf_cut (strbuf_t *self, size_t size);
void strbuf_free (strbuf_t *self);

#endif
