/* Jsonin: JSON text in, with jansson. Refused, with name, line and column: malformed text,
   duplicate keys, integers beyond 64 bits, numbers beyond doubles, anything after the value. */

#ifndef TOOLS_JSONIN_H_INCLUDED
#define TOOLS_JSONIN_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* A part of a text that has a name; the whole is needed to tell lines and columns. */
typedef struct jsonin_t {
    const char *name; /* of the file, or "JSON" for an argument */
    const char *text;
    size_t size;
} jsonin_t;

/* Reads the one value at [from, from + size). Owned by the caller (json_decref). */
saker_err_t jsonin_read (call_t *call, const jsonin_t *in, size_t from, size_t size, json_t **json);
/* Reads a JSON argument; "-" is stdin. */
saker_err_t jsonin_word (call_t *call, const char *word, json_t **json);
/* Line and column of an offset; both begin at 1, columns count code points. */
void jsonin_position (const jsonin_t *in, size_t offset, unsigned *line, unsigned *column);
/* Puts "NAME:LINE:COLUMN: " before the sentence and returns SAKER_EINPUT. */
saker_err_t jsonin_fail (call_t *call, const jsonin_t *in, size_t offset, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* Reads a whole file into memory, "-" is stdin; ended by a zero. Owned by the caller. */
saker_err_t jsonin_load (call_t *call, const char *name, char **text, size_t *size);

#endif
