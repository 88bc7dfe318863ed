/* Cborout: a JSON value as CBOR. Byte strings, which JSON shows as {"$bytes": BASE64}, are byte
   strings here. Lengths are definite and numbers as short as they can be; keys are sorted by their
   bytes, as in the canonical JSON. */

#ifndef TOOLS_GATEWAY_CBOROUT_H_INCLUDED
#define TOOLS_GATEWAY_CBOROUT_H_INCLUDED

#include "strbuf.h"

#include <jansson.h>

/* Appends. Recurses as deep as the value is nested. */
void cborout_add (strbuf_t *text, const json_t *json);

#endif
