/* Marks: how the cells that JSON has no form for are written in it. A byte string is always
   {"$bytes": BASE64}. Where what kind of cell a value is must survive (export, import), a set is
   {"$set": [MEMBER, ...]} and a counter {"$counter": N}. A key of a document that would read as one
   of the marks gets one more '$' in JSON, and loses it on the way in. */

#ifndef TOOLS_MARKS_H_INCLUDED
#define TOOLS_MARKS_H_INCLUDED

#include <jansson.h>
#include <stdbool.h>

#define MARK_BYTES "$bytes"
#define MARK_SET "$set"
#define MARK_COUNTER "$counter"

/* True for a mark with `dollars_min` or more '$' before its word. */
bool mark_like (const char *key, size_t dollars_min);
/* What is inside an object whose one key is this mark; NULL: it is none. Borrowed. */
json_t *mark_inside (const json_t *json, const char *mark);

#endif
