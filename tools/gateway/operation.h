/* Operation: one thing to do to a document, as JSON names it:

     {"op": "set", "document": "sq010", "pointer": "/title", "value": "Dawn"}

   "set" (or "set_lww", a single value) puts a value in place of what is there, "delete" takes it
   away, "increment" adds "by" to a counter, "add" and "remove" are for members of a set, "make_map"
   makes an empty map. */

#ifndef TOOLS_GATEWAY_OPERATION_H_INCLUDED
#define TOOLS_GATEWAY_OPERATION_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* Fills the batch; `document` NULL: the operation names it. `number` is for sentences. */
saker_err_t operation_fill (call_t *call, saker_batch_t *batch, const char *document,
                            const json_t *operation, size_t number);

#endif
