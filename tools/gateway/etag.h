/* Etag: the state of a place as an entity tag, and what If-Match and If-None-Match say of it. A tag
   is the state in hexadecimal digits, with a letter for each way in which the representation
   differs from plain JSON; a precondition looks at the digits alone. */

#ifndef TOOLS_GATEWAY_ETAG_H_INCLUDED
#define TOOLS_GATEWAY_ETAG_H_INCLUDED

#include "gateway/request.h"

#define ETAG_TEXT_SIZE 48

/* `view` is a letter of the view, or 0 for the plain one. */
void etag_text (const request_t *request, const uint8_t state[SAKER_STATE_BYTES], char view,
                char text[ETAG_TEXT_SIZE]);
/* Takes "STATE", with or without letters behind; false when it is none. */
bool etag_parse (const char *text, uint8_t state[SAKER_STATE_BYTES]);
/* Does the request make its change depend on the state? */
bool etag_is_conditional (const request_t *request);
/* True when its preconditions for a change hold; else a problem is the answer. A state of zeros:
   nothing is there. */
bool etag_check (request_t *request, const uint8_t state[SAKER_STATE_BYTES]);
/* Has the client this representation already? */
bool etag_is_known (const request_t *request, const char *tag);

#endif
