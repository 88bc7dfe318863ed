/* Reply: answers, as JSON or, where the client would rather have it, as CBOR. */

#ifndef TOOLS_GATEWAY_REPLY_H_INCLUDED
#define TOOLS_GATEWAY_REPLY_H_INCLUDED

#include "gateway/request.h"

/* Gives the answer that is to come a header, in place of one of that name. `name` is static; what
   would break the head is left out. */
void reply_header (request_t *request, const char *name, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* Makes a value the answer. Takes `json`; NULL: out of memory, which is answered. */
void reply_json (request_t *request, unsigned status, json_t *json);
void reply_problem (request_t *request, unsigned status, json_t *json);
/* Makes bytes the answer, as they are; they are static. */
void reply_static (request_t *request, unsigned status, const char *type, const char *data,
                   size_t size);
/* Makes a text the answer. Takes it; one that failed is answered as out of memory. */
void reply_text (request_t *request, unsigned status, const char *type, strbuf_t *text);
/* An answer without content. */
void reply_empty (request_t *request, unsigned status);
/* Makes a response the answer, with the headers that were added. Takes it; NULL: out of memory. */
void reply_response (request_t *request, unsigned status, struct MHD_Response *response);

/* Would the client rather have CBOR? */
bool reply_wants_cbor (const request_t *request);
/* What a status is called. Static. */
const char *reply_reason (unsigned status);

#endif
