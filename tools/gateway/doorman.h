/* Doorman: looks at the head of a request before anything else does: is it addressed to us, may a
   web page have sent it, who is it from, and may they? */

#ifndef TOOLS_GATEWAY_DOORMAN_H_INCLUDED
#define TOOLS_GATEWAY_DOORMAN_H_INCLUDED

#include "gateway/gateway.h"
#include "gateway/request.h"

/* Lets the request pass, with its route, names, arguments and access; otherwise there is an answer,
   and false. */
bool doorman_pass (request_t *request, const char *method, const char *version);
/* Is a collection among those of a token, or of the request's? That of the webhooks, with their
   secrets, is for the role admin. */
bool doorman_shows (const gateway_t *gateway, const token_t *token, const char *collection);
bool doorman_may_see (const request_t *request, const char *collection);

#endif
