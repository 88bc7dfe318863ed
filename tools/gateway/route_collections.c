/* Collections, and the documents in one: names, a page at a time. */

#include "gateway/doorman.h"
#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"

#include <string.h>

typedef struct listing_t {
    request_t *request;
    json_t *list;
    size_t limit;
    char next[REQUEST_NAME_SIZE]; /* the first that had no room */
    bool failed;
} listing_t;

static int take_collection (const char *name, uint64_t documents, void *argument)
{
    listing_t *listing = argument;
    if (doorman_may_see (listing->request, name)) {
        json_t *json = json_pack ("{s:s,s:I}", "name", name, "documents", (json_int_t) documents);
        listing->failed |= json_array_append_new (listing->list, json) != 0;
    }
    return listing->failed;
}

/* Answers with a list, or with what went wrong. Takes the list. */
static void reply_list (listing_t *listing, saker_err_t error, const char *what)
{
    request_t *request = listing->request;
    json_t *json = json_pack ("{s:o}", what, listing->list);
    if (error != SAKER_OK) {
        problem_library (request, error);
        json_decref (json);
        return;
    }
    if (*listing->next && json) {
        json_object_set_new (json, "next", json_string (listing->next));
    }
    if (listing->failed) {
        json_decref (json);
        json = NULL;
    }
    reply_json (request, 200, json);
}

void route_collections (request_t *request, call_t *call)
{
    listing_t listing = {.request = request, .list = json_array ()};
    saker_err_t error = saker_collections (call->peer, take_collection, &listing);
    reply_list (&listing, error, "collections");
}

static int take_document (const char *name, uint64_t documents, void *argument)
{
    listing_t *listing = argument;
    (void) documents;
    if (json_array_size (listing->list) == listing->limit) {
        snprintf (listing->next, sizeof listing->next, "%s", name);
        return 1;
    }
    listing->failed |= json_array_append_new (listing->list, json_string (name)) != 0;
    return listing->failed;
}

void route_documents (request_t *request, call_t *call)
{
    const char *from = request_argument (request, "from");
    listing_t listing = {.request = request};
    if (from && strlen (from) > SAKER_DOCUMENT_BYTES_MAX) {
        problem_say (request, 400, "\"from\" is the id of a document: it has %d bytes at most",
                     SAKER_DOCUMENT_BYTES_MAX);
        return;
    }
    if (!request_number (request, "limit", 1, 10000, 1000, &listing.limit)) {
        return;
    }
    listing.list = json_array ();
    saker_err_t error = saker_documents_from (call->peer, request->names[0], from ? from : "",
                                              take_document, &listing);
    reply_list (&listing, error, "documents");
}
