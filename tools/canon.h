/* Canon: one text for one JSON value. Keys sorted by their bytes, no spaces, UTF-8 as it is, only
   '"', '\' and control characters escaped, integers in full, doubles in the shortest form that
   reads back as the same double and always with '.' or 'e'. Equal data gives equal bytes. */

#ifndef TOOLS_CANON_H_INCLUDED
#define TOOLS_CANON_H_INCLUDED

#include "strbuf.h"

#include <jansson.h>

/* Appends. Recurses as deep as the value is nested: jansson reads 2,048 levels at most. */
void canon_add (strbuf_t *text, const json_t *json);
/* A negative, zero or positive number, as for qsort: by type (null, booleans, integers, doubles,
   texts, rest), then by value. The order of a set's members. */
int canon_compare (const json_t *a, const json_t *b);

#endif
