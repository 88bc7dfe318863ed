/* Fill: JSON values into the operations of a batch. */

#ifndef TOOLS_FILL_H_INCLUDED
#define TOOLS_FILL_H_INCLUDED

#include "call.h"
#include "strbuf.h"

#include <jansson.h>

/* A value that a register or a set holds. `owned`, to be freed after use, is the memory of a byte
   string; texts are borrowed from the JSON. */
saker_err_t fill_value (call_t *call, const json_t *json, saker_value_t *value, void **owned);
/* Replaces what is at and below the place by the JSON value: what is equal already is left. Arrays
   are refused with their place; {"$set": ...}, {"$counter": ...} and {"$bytes": ...} are sets,
   counters and byte strings. */
saker_err_t fill_replace (call_t *call, saker_batch_t *batch, const char *document,
                          const char *pointer, const json_t *json);
/* Adds "/key", for a key as it is in JSON, to a JSON Pointer. */
void fill_enter (strbuf_t *pointer, const char *key);

#endif
