/* One document, or with ?pointer= a part of it. A change is made of what was read, and written only
   if that is still there: otherwise it is made anew, unless the client said by If-Match what it
   expects. */

#include "gateway/difference.h"
#include "gateway/doorman.h"
#include "gateway/etag.h"
#include "gateway/patch.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "gateway/sight.h"
#include "gateway/writing.h"

#include <sodium.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES_MAX 40
#define REST_US                                                                                    \
    500 /* before the second try; longer before each, at random, so that no two meet again */
#define REST_US_MAX 20000
#define MERGE_PATCH "application/merge-patch+json"
#define JSON_PATCH "application/json-patch+json"

static const char *pointer_of (const request_t *request)
{
    const char *pointer = request_argument (request, "pointer");
    return pointer ? pointer : "";
}

static bool check_pointer (request_t *request)
{
    const char *pointer = pointer_of (request);
    if (*pointer && *pointer != '/') {
        problem_say (request, 400,
                     "the pointer \"%.100s\" is no JSON Pointer; it begins with '/', as in "
                     "/name/first",
                     pointer);
        return false;
    }
    return true;
}

static void nothing_there (request_t *request)
{
    const char *pointer = pointer_of (request);
    problem_say (request, 404, "nothing is at %s/%s%s%.200s", request->names[0], request->names[1],
                 *pointer ? " " : "", pointer);
}

/* ---- GET */

static void put_head (request_t *request, const sight_t *sight, const char *tag)
{
    time_t seconds = (time_t) (sight->time_ms / 1000);
    struct tm broken;
    char date[64];
    if (gmtime_r (&seconds, &broken)
        && strftime (date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &broken)) {
        reply_header (request, "Last-Modified", "%s", date);
    }
    reply_header (request, "ETag", "%s", tag);
    reply_header (request, "Accept-Patch", MERGE_PATCH ", " JSON_PATCH);
    if (json_array_size (sight->rivals) > 0) {
        reply_header (request, "Saker-Rivals", "%zu", json_array_size (sight->rivals));
    }
}

static json_t *view_of (const request_t *request, const sight_t *sight, char view)
{
    if (view == 'm') {
        return json_incref (sight->marked);
    }
    return view == 'f' ? json_pack ("{s:s,s:s,s:s,s:O,s:O}", "collection", request->names[0],
                                    "document", request->names[1], "pointer", pointer_of (request),
                                    "data", sight->plain, "rivals", sight->rivals)
                       : json_incref (sight->plain);
}

static void reply_sight (request_t *request, unsigned status, const sight_t *sight, char view)
{
    char tag[ETAG_TEXT_SIZE];
    etag_text (request, sight->state, view, tag);
    put_head (request, sight, tag);
    if (strcmp (request->route->method, "GET") == 0 && etag_is_known (request, tag)) {
        reply_empty (request, 304);
    } else {
        reply_json (request, status, view_of (request, sight, view));
    }
}

/* 0: plain; -1: there is no such view, which is answered. */
static int take_view (request_t *request)
{
    const char *view = request_argument (request, "view");
    int letter = !view || strcmp (view, "plain") == 0 ? 0
                 : strcmp (view, "full") == 0         ? 'f'
                 : strcmp (view, "marked") == 0       ? 'm'
                                                      : -1;
    if (letter < 0) {
        problem_say (request, 400, "the view is plain, marked or full");
    }
    return letter;
}

void route_get (request_t *request, call_t *call)
{
    sight_t sight;
    int view = take_view (request);
    if (view < 0 || !check_pointer (request)) {
        return;
    }
    saker_err_t error =
        sight_read (call, request->names[0], request->names[1], pointer_of (request), &sight);
    if (error != SAKER_OK) {
        problem_error (request, call, error);
    } else if (!sight.plain) {
        nothing_there (request);
    } else {
        reply_sight (request, 200, &sight, (char) view);
    }
    sight_free (&sight);
}

/* ---- changing */

typedef struct changing_t {
    request_t *request;
    call_t *call;
    writing_t writing;
    json_t *body; /* NULL: DELETE */
    bool merges;  /* the body is a merge patch */
    bool patches; /* the body is a JSON patch */
} changing_t;

/* What shall be there, unmarked; NULL: nothing, or an error. Owned by the caller. */
static saker_err_t wanted_value (changing_t *self, const sight_t *sight, json_t **wanted)
{
    if (self->patches) {
        return patch_apply (self->call, sight->plain, self->body, wanted);
    }
    *wanted = self->merges ? patch_merge (sight->plain, self->body) : json_incref (self->body);
    return *wanted ? SAKER_OK : call_memory (self->call);
}

/* A whole document of plain values is replaced where the daemon looks at it, without a condition.
 */
static bool is_simple (const changing_t *self, const sight_t *sight)
{
    return !self->merges && !self->patches && self->body && !etag_is_conditional (self->request)
           && !difference_is_marked (sight->marked);
}

static saker_err_t fill_change (changing_t *self, const sight_t *sight, saker_batch_t *batch)
{
    const request_t *request = self->request;
    const char *pointer = pointer_of (request);
    json_t *wanted = NULL, *marked = NULL;
    if (!self->body) {
        return call_library (self->call, saker_batch_delete (batch, request->names[1], pointer));
    }
    saker_err_t error = wanted_value (self, sight, &wanted);
    if (error != SAKER_OK) {
        return error;
    }
    if (wanted && !*pointer && !json_is_object (wanted)) {
        error = call_fail (self->call, SAKER_EINPUT,
                           "a document is a JSON object; to set a part of it, name its ?pointer=");
    }
    if (error == SAKER_OK && wanted) {
        marked = difference_mark (sight->marked, wanted);
        error = marked ? SAKER_OK : call_memory (self->call);
    }
    if (error == SAKER_OK) {
        error =
            difference_fill (self->call, batch, request->names[1], pointer, sight->marked, marked);
    }
    json_decref (wanted);
    json_decref (marked);
    return error;
}

static void reply_changed (changing_t *self, bool created, const saker_receipt_t *receipt)
{
    request_t *request = self->request;
    const char *prefer = request_header (request, "Prefer");
    sight_t sight;
    if (created) {
        reply_header (request, "Location", "%.*s", (int) strcspn (request->uri, "?"), request->uri);
    }
    if (!self->body || !prefer || strcmp (prefer, "return=representation") != 0) {
        writing_reply (request, created ? 201 : 200, receipt);
        return;
    }
    saker_err_t error =
        sight_read (self->call, request->names[0], request->names[1], pointer_of (request), &sight);
    if (error == SAKER_OK && sight.plain) {
        reply_header (request, "Preference-Applied", "return=representation");
        reply_sight (request, created ? 201 : 200, &sight, 0);
    } else {
        writing_reply (request, created ? 201 : 200, receipt);
    }
    sight_free (&sight);
}

/* One try. SAKER_ECHANGED: what was read is no longer there. */
static saker_err_t try_change (changing_t *self, const sight_t *sight)
{
    request_t *request = self->request;
    saker_receipt_t receipt;
    saker_batch_t *batch = saker_batch_new (request->names[0]);
    bool created = !sight_exists (sight);
    saker_err_t error = batch ? SAKER_OK : call_memory (self->call);
    if (error == SAKER_OK && !is_simple (self, sight)) {
        error = call_library (self->call, saker_batch_expect (batch, request->names[1],
                                                              pointer_of (request), sight->state));
    }
    if (error == SAKER_OK) {
        error = fill_change (self, sight, batch);
    }
    if (error == SAKER_OK) {
        error = writing_write (&self->writing, request, self->call, batch, created, &receipt);
    }
    if (error == SAKER_OK && !request->status) {
        reply_changed (self, created, &receipt);
    }
    saker_batch_destroy (&batch);
    return error;
}

/* True when it is to be tried again. */
static bool try_once (changing_t *self)
{
    request_t *request = self->request;
    sight_t sight;
    saker_err_t error =
        sight_read (self->call, request->names[0], request->names[1], pointer_of (request), &sight);
    if (error == SAKER_OK && !etag_check (request, sight.state)) {
        sight_free (&sight);
        return false;
    }
    if (error == SAKER_OK && !sight_exists (&sight) && (!self->body || self->patches)) {
        nothing_there (request);
        sight_free (&sight);
        return false;
    }
    if (error == SAKER_OK) {
        error = try_change (self, &sight);
    }
    sight_free (&sight);
    if (error != SAKER_OK && error != SAKER_ECHANGED) {
        problem_error (request, self->call, error);
    }
    return error == SAKER_ECHANGED;
}

static void change (request_t *request, call_t *call, changing_t *changing)
{
    int tries = 0;
    uint32_t rest_us = REST_US;
    changing->request = request;
    changing->call = call;
    bool again = check_pointer (request) && writing_begin (&changing->writing, request, call);
    while (again && tries++ < TRIES_MAX) {
        again = try_once (changing);
        if (again) {
            usleep (rest_us / 2 + randombytes_uniform (rest_us));
            rest_us = 2 * rest_us < REST_US_MAX ? 2 * rest_us : REST_US_MAX;
        }
    }
    if (again) {
        problem_say (request, 503, "%s/%s changes faster than it can be written: try again",
                     request->names[0], request->names[1]);
    }
    json_decref (changing->body);
}

void route_put (request_t *request, call_t *call)
{
    char type[64];
    changing_t changing = {.body = NULL};
    request_media_type (request, type);
    if (strcmp (type, "application/json") != 0) {
        problem_say (request, 415, "a document is sent as application/json");
        return;
    }
    changing.body = request_json (request, call);
    if (changing.body) {
        change (request, call, &changing);
    }
}

void route_patch (request_t *request, call_t *call)
{
    char type[64];
    changing_t changing = {.body = NULL};
    request_media_type (request, type);
    changing.merges = strcmp (type, MERGE_PATCH) == 0;
    changing.patches = strcmp (type, JSON_PATCH) == 0;
    if (!changing.merges && !changing.patches) {
        reply_header (request, "Accept-Patch", MERGE_PATCH ", " JSON_PATCH);
        problem_say (request, 415, "a patch is sent as " MERGE_PATCH " or " JSON_PATCH);
        return;
    }
    changing.body = request_json (request, call);
    if (changing.body) {
        change (request, call, &changing);
    }
}

void route_delete (request_t *request, call_t *call)
{
    changing_t changing = {.body = NULL};
    change (request, call, &changing);
}
