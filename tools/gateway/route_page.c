/* The web page: files that are part of the program. They tell nothing about the mesh, so they
   need no token; the page asks for one and sends it with each request. */

#include "gateway/etag.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <sodium.h>
#include <string.h>

#define ETAG_BYTES 12

#include "page.inc" /* a string for each file */

/* A file, by the pattern of its route. */
typedef struct file_t {
    const char *pattern, *type, *data;
    size_t size;
} file_t;

#define FILE_OF(pattern, type, text)                                                               \
    {                                                                                              \
        (pattern), (type), (text), sizeof (text) - 1                                               \
    }
#define SCRIPT(pattern, text) FILE_OF (pattern, "text/javascript; charset=utf-8", text)

static const file_t files[] = {
    FILE_OF ("/", "text/html; charset=utf-8", index_html),
    SCRIPT ("/page/app.js", app_js),
    SCRIPT ("/page/ask.js", ask_js),
    SCRIPT ("/page/changes.js", changes_js),
    SCRIPT ("/page/conflicts.js", conflicts_js),
    SCRIPT ("/page/hooks.js", hooks_js),
    SCRIPT ("/page/make.js", make_js),
    SCRIPT ("/page/peers.js", peers_js),
    SCRIPT ("/page/picture.js", picture_js),
    SCRIPT ("/page/state.js", state_js),
    FILE_OF ("/page/style.css", "text/css; charset=utf-8", style_css),
};

/* Nothing but these files runs or is loaded, and no other page may show this one in a frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static void make_tag (const char *data, size_t size, char tag[2 * ETAG_BYTES + 3])
{
    uint8_t hash[crypto_generichash_BYTES];
    tag[0] = '"';
    crypto_generichash (hash, sizeof hash, (const uint8_t *) data, size, NULL, 0);
    sodium_bin2hex (tag + 1, 2 * ETAG_BYTES + 1, hash, ETAG_BYTES);
    tag[2 * ETAG_BYTES + 1] = '"';
    tag[2 * ETAG_BYTES + 2] = 0;
}

static void reply_file (request_t *request, const file_t *file)
{
    char tag[2 * ETAG_BYTES + 3];
    make_tag (file->data, file->size, tag);
    reply_header (request, "ETag", "%s", tag);
    reply_header (request, "Cache-Control", "no-cache");
    reply_header (request, "Content-Security-Policy", "%s", policy);
    reply_header (request, "Referrer-Policy", "no-referrer");
    reply_header (request, "Cross-Origin-Opener-Policy", "same-origin");
    reply_header (request, "Cross-Origin-Resource-Policy", "same-origin");
    if (etag_is_known (request, tag)) {
        reply_empty (request, 304);
    } else {
        reply_static (request, 200, file->type, file->data, file->size);
    }
}

void route_page (request_t *request, call_t *call)
{
    (void) call;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp (files[i].pattern, request->route->pattern) == 0) {
            reply_file (request, &files[i]);
            return;
        }
    }
    problem_say (request, 404, "there is no such file of the page");
}
