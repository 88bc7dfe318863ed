/* Lookup: documents as JSON, as a reader sees them. */

#ifndef TOOLS_GATEWAY_LOOKUP_H_INCLUDED
#define TOOLS_GATEWAY_LOOKUP_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* One document. SAKER_ENOTFOUND without a sentence of its own. Owned by the caller. */
saker_err_t lookup_document (call_t *call, const char *collection, const char *document,
                             json_t **json);

/* Called once a document; borrowed. A value other than 0 ends it. */
typedef int lookup_fn (const char *document, json_t *json, void *argument);
/* All documents of a collection whose id begins with `prefix`, in byte order of the ids. */
saker_err_t lookup_all (call_t *call, const char *collection, const char *prefix, lookup_fn *fn,
                        void *argument);

/* How many there are. */
saker_err_t lookup_count (call_t *call, const char *collection, const char *prefix, size_t *count);

/* Writes a JSON object at a place, each of its leaves by set_lww, so that peers that write the same
   at the same time make no conflict. Arrays are refused. `pointer` "": the whole document. */
saker_err_t lookup_put (call_t *call, saker_batch_t *batch, const char *document,
                        const char *pointer, const json_t *json);

#endif
