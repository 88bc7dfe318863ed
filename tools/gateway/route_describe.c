/* openapi.json: what this interface is, for machines. The file is made part of the program. */

#include "gateway/reply.h"
#include "gateway/route.h"

#include "openapi.inc" /* openapi_json, a string */

void route_describe (request_t *request, call_t *call)
{
    (void) call;
    reply_header (request, "Cache-Control", "private, max-age=300");
    reply_static (request, 200, "application/json", openapi_json, sizeof openapi_json - 1);
}
