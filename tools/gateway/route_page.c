/* The web page: three files that are part of the program. They tell nothing about the mesh, so they
   need no token; the page asks for one and sends it with each request. */

#include "gateway/etag.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <sodium.h>

#define ETAG_BYTES 12

static const char index_html[] =
#include "page/index.inc"
    ;
static const char app_js[] =
#include "page/app.inc"
    ;
static const char style_css[] =
#include "page/style.inc"
    ;

/* Nothing but these files runs or is loaded, and no other page may show this one in a frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void make_tag (const char *data, size_t size, char tag[2 * ETAG_BYTES + 3])
{
    uint8_t hash[crypto_generichash_BYTES];
    tag[0] = '"';
    crypto_generichash (hash, sizeof hash, (const uint8_t *) data, size, NULL, 0);
    sodium_bin2hex (tag + 1, 2 * ETAG_BYTES + 1, hash, ETAG_BYTES);
    tag[2 * ETAG_BYTES + 1] = '"';
    tag[2 * ETAG_BYTES + 2] = 0;
}

static void reply_file (request_t *request, const char *type, const char *data, size_t size)
{
    char tag[2 * ETAG_BYTES + 3];
    make_tag (data, size, tag);
    reply_header (request, "ETag", "%s", tag);
    reply_header (request, "Cache-Control", "no-cache");
    reply_header (request, "Content-Security-Policy", "%s", policy);
    reply_header (request, "Referrer-Policy", "no-referrer");
    reply_header (request, "Cross-Origin-Opener-Policy", "same-origin");
    reply_header (request, "Cross-Origin-Resource-Policy", "same-origin");
    if (etag_is_known (request, tag)) {
        reply_empty (request, 304);
    } else {
        reply_static (request, 200, type, data, size);
    }
}

void route_page (request_t *request, call_t *call)
{
    (void) call;
    reply_file (request, "text/html; charset=utf-8", index_html, sizeof index_html - 1);
}

void route_page_script (request_t *request, call_t *call)
{
    (void) call;
    reply_file (request, "text/javascript; charset=utf-8", app_js, sizeof app_js - 1);
}

void route_page_style (request_t *request, call_t *call)
{
    (void) call;
    reply_file (request, "text/css; charset=utf-8", style_css, sizeof style_css - 1);
}
