/* The change feed: as server-sent events where the client accepts them, else as a page of JSON, for
   which it may wait. A cursor that points before what is kept, or into another epoch, is answered
   with a gap, never with silence. */

#include "gateway/cursor.h"
#include "gateway/doorman.h"
#include "gateway/gathering.h"
#include "gateway/instant.h"
#include "gateway/parts.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/stream.h"

#include <string.h>

#define WAIT_S_MAX 60
#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 100

typedef struct page_t {
    const request_t *request;
    json_t *changes;
    size_t limit;
    bool failed;
} page_t;

static bool wants_stream (const request_t *request)
{
    const char *accept = request_header (request, "Accept");
    return accept && strcasestr (accept, "text/event-stream");
}

/* Where the client stands; *given: it said so. False: that is no cursor, which is answered. */
static bool take_cursor (request_t *request, saker_cursor_t *cursor, bool *given)
{
    const char *last = request_header (request, "Last-Event-ID");
    const char *text = last && *last ? last : request_argument (request, "cursor");
    *given = text;
    if (text && !cursor_parse (text, cursor)) {
        problem_say (request, 400,
                     "\"%.80s\" is no cursor: give back one that came with the changes", text);
        return false;
    }
    if (!text && !hub_now (request->gateway->hub, cursor)) {
        problem_say (request, 503, "the daemon does not answer yet: try again in a moment");
        return false;
    }
    return true;
}

static void reply_stream (request_t *request, const saker_cursor_t *cursor)
{
    reply_header (request, "Content-Type", "text/event-stream");
    reply_header (request, "Cache-Control", "no-store");
    reply_response (request, 200, stream_new (request->gateway->hub, request, cursor));
}

/* ---- pages */

static int take_change (const gathered_t *gathered, void *argument)
{
    page_t *page = argument;
    if (doorman_may_see (page->request, gathered->collection)) {
        page->failed |= json_array_append (page->changes, gathered->json) != 0;
    }
    return page->failed || json_array_size (page->changes) >= page->limit;
}

static void reply_gap (request_t *request, call_t *call)
{
    saker_cursor_t now;
    char text[CURSOR_TEXT_SIZE];
    saker_err_t error = saker_now (call->peer, &now);
    if (error != SAKER_OK) {
        problem_library (request, error);
        return;
    }
    cursor_text (&now, text);
    problem_tell (request, 410, "gap", json_pack ("{s:s}", "cursor", text),
                  "the changes after this cursor are no longer kept here, or it is of another "
                  "store: read the documents anew, and go on from the cursor in this answer");
}

static void reply_page (request_t *request, page_t *page, const saker_cursor_t *cursor)
{
    char text[CURSOR_TEXT_SIZE];
    cursor_text (cursor, text);
    reply_json (request, 200,
                page->failed ? NULL
                             : json_pack ("{s:O,s:s}", "changes", page->changes, "cursor", text));
}

/* Reads on from the cursor, which moves. */
static saker_err_t read_page (request_t *request, call_t *call, saker_cursor_t *cursor,
                              page_t *page)
{
    gathering_t gathering = {.gathered_fn = take_change, .argument = page};
    const char *collection = *request->names[0] ? request->names[0] : NULL;
    memcpy (gathering.epoch, cursor->epoch, sizeof gathering.epoch);
    saker_err_t error =
        saker_watch (call->peer, collection, cursor, 0, gathering_event, &gathering);
    page->failed |= !gathering_end (&gathering, error == SAKER_OK);
    /* Nothing came, or the collection is not there yet. */
    return error == SAKER_ETIMEOUT || error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

/* True: nothing came, and there is time left. */
static bool poll_once (request_t *request, call_t *call, saker_cursor_t *cursor, size_t limit)
{
    page_t page = {.request = request, .changes = json_array (), .limit = limit};
    saker_err_t error = read_page (request, call, cursor, &page);
    bool waits = error == SAKER_OK && !page.failed && json_array_size (page.changes) == 0
                 && instant_mono_ms () < request->deadline_ms
                 && !atomic_load (&request->gateway->ending);
    if (error == SAKER_EGAP) {
        reply_gap (request, call);
    } else if (error != SAKER_OK) {
        problem_library (request, error);
    } else if (!waits) {
        reply_page (request, &page, cursor);
    }
    json_decref (page.changes);
    return waits;
}

/* Who begins here has read nothing that could be complete. */
static bool may_begin (request_t *request, call_t *call)
{
    saker_cursor_t now;
    const char *collection = request->names[0];
    if (!*collection || saker_begin (call->peer, collection, &now) != SAKER_ENOTYET) {
        return true;
    }
    problem_library (request, SAKER_ENOTYET);
    return false;
}

void route_changes (request_t *request, call_t *call)
{
    saker_cursor_t cursor;
    size_t wait_s, limit;
    bool given;
    if (!take_cursor (request, &cursor, &given)
        || !request_number (request, "wait", 0, WAIT_S_MAX, 0, &wait_s)
        || !request_number (request, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit)) {
        return;
    }
    if (!given && request->deadline_ms == 0 && !may_begin (request, call)) {
        return;
    }
    if (wants_stream (request)) {
        reply_stream (request, &cursor);
        return;
    }
    if (request->deadline_ms == 0) {
        request->deadline_ms = instant_mono_ms () + (int64_t) wait_s * 1000;
    } else {
        cursor = request->poll;
    }
    request->again = poll_once (request, call, &cursor, limit);
    request->poll = cursor;
}
