/* The local API's reading commands. */

#include "peer/api_internal.h"

#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_RIVAL 1
#define FLAG_SHOWN 2
#define NAMES_MAX 4096

/* A page of leaves being filled. */
typedef struct page_t {
    skr_api_t *api;
    const skr_collection_t *collection;
    skr_buf_t leaves;
    size_t count;
    skr_span_t document;
    uint64_t skip;    /* leaves of the document that earlier pages had */
    uint64_t seen;    /* leaves of the document so far */
    bool full;        /* in the middle of the document */
    char from[SKR_DOCUMENT_BYTES_MAX + 1]; /* ITERATE: where this page began */
    bool from_partly;                      /* and that document goes on */
    bool any;
    char last[SKR_DOCUMENT_BYTES_MAX + 1]; /* the document that is, or was, visited last */
    bool more;
} page_t;

static saker_err_t put_leaf (const skr_leaf_t *leaf, void *argument)
{
    page_t *page = argument;
    if (page->seen < page->skip) {
        page->seen++;
        return SAKER_OK;
    }
    if (page->leaves.size >= SKR_API_PAGE_BYTES) {
        page->full = true;
        return SKR_STOP;
    }
    skr_buf_t *buf = &page->leaves;
    skr_cbor_put_array (buf, 9);
    skr_cbor_put_text (buf, (const char *) page->document.data, page->document.size);
    skr_cbor_put_bytes (buf, leaf->path.data, leaf->path.size);
    skr_cbor_put_uint (buf, (uint64_t) leaf->kind);
    skr_value_put (buf, &leaf->value);
    skr_cbor_put_uint (buf, (leaf->rival ? FLAG_RIVAL : 0u) | (leaf->shown ? FLAG_SHOWN : 0u));
    skr_cbor_put_uint (buf, leaf->hlc >> 16);
    skr_api_put_text (buf, skr_api_author (page->api, &leaf->dot.writer));
    skr_cbor_put_bytes (buf, leaf->dot.writer.bytes, sizeof leaf->dot.writer.bytes);
    skr_cbor_put_uint (buf, leaf->dot.seq);
    page->seen++;
    page->count++;
    return SAKER_OK;
}

static void put_page (skr_api_request_t *request, page_t *page)
{
    skr_cbor_put_array (&request->results, page->count);
    skr_buf_append_span (&request->results, skr_span_of (&page->leaves));
    request->results.failed |= page->leaves.failed;
    request->results_count++;
}

/* Stopping early is how a page ends. */
static saker_err_t unless_stopped (saker_err_t error)
{
    return error == SKR_STOP ? SAKER_OK : error;
}

static saker_err_t find_collection (skr_api_request_t *request, const skr_collection_t **collection)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    skr_api_get_text (&request->cbor, name, sizeof name);
    if (request->cbor.error != SAKER_OK) {
        return skr_cbor_close (&request->cbor);
    }
    return skr_replica_collection_named (request->api->replica, name, collection);
}

saker_err_t skr_api_read (skr_api_request_t *request)
{
    page_t page = {.api = request->api};
    SKR_TRY (find_collection (request, &page.collection));
    page.document = skr_cbor_get_text (&request->cbor);
    skr_span_t path = skr_cbor_get_bytes (&request->cbor);
    page.skip = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    SKR_TRY (skr_path_check (path));
    saker_err_t error = unless_stopped (skr_replica_read (
        request->api->replica, page.collection, page.document, path, put_leaf, &page));
    if (error == SAKER_OK) {
        put_page (request, &page);
        if (page.full) {
            skr_cbor_put_uint (&request->results, page.seen);
        } else {
            skr_cbor_put_null (&request->results);
        }
        request->results_count++;
    } else if (error == SAKER_ENOTFOUND) {
        error = skr_fail (SAKER_ENOTFOUND, "nothing is at this place of document '%.*s' in '%s'",
                          (int) page.document.size, (const char *) page.document.data,
                          page.collection->name);
    }
    skr_buf_free (&page.leaves);
    return error;
}

static bool is_from (const page_t *page, skr_span_t document)
{
    return page->any && skr_span_equal (document, skr_span_text (page->from));
}

static void note_last (page_t *page, skr_span_t document)
{
    memcpy (page->last, document.data, document.size);
    page->last[document.size] = 0;
}

static saker_err_t read_one (skr_span_t document, void *argument)
{
    page_t *page = argument;
    static const skr_span_t whole;
    if (is_from (page, document) && !page->from_partly) {
        return SAKER_OK;
    }
    if (page->leaves.size >= SKR_API_PAGE_BYTES) {
        page->more = true;
        return SKR_STOP;
    }
    note_last (page, document);
    page->document = document;
    page->seen = 0;
    if (!is_from (page, document)) {
        page->skip = 0;
    }
    saker_err_t error = skr_replica_read (page->api->replica, page->collection, document, whole,
                                          put_leaf, page);
    page->more = page->full;
    return error == SAKER_ENOTFOUND ? SAKER_OK : error; /* deleted since the list was made */
}

saker_err_t skr_api_iterate (skr_api_request_t *request)
{
    page_t page = {.api = request->api};
    SKR_TRY (find_collection (request, &page.collection));
    page.any = skr_api_get_optional (&request->cbor, page.from, sizeof page.from);
    page.skip = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    page.from_partly = page.skip > 0;
    saker_err_t error = unless_stopped (
        skr_replica_documents (request->api->replica, page.collection, skr_span_text (page.from),
                               read_one, &page));
    if (error == SAKER_OK) {
        put_page (request, &page);
        if (page.more) {
            skr_api_put_text (&request->results, page.last);
        } else {
            skr_cbor_put_null (&request->results);
        }
        skr_cbor_put_uint (&request->results, page.full ? page.seen : 0);
        request->results_count += 2;
    }
    skr_buf_free (&page.leaves);
    return error;
}

static int compare_names (const void *one, const void *other)
{
    const skr_collection_t *const *a = one;
    const skr_collection_t *const *b = other;
    return strcmp ((*a)->name, (*b)->name);
}

static void put_collections (skr_api_request_t *request, const skr_collection_t **sorted,
                             size_t first, size_t total)
{
    size_t end = total - first > NAMES_MAX ? first + NAMES_MAX : total;
    skr_cbor_put_array (&request->results, end - first);
    for (size_t i = first; i < end; i++) {
        skr_cbor_put_array (&request->results, 2);
        skr_api_put_text (&request->results, sorted[i]->name);
        skr_cbor_put_uint (&request->results, sorted[i]->documents);
    }
    if (end < total) {
        skr_cbor_put_uint (&request->results, end);
    } else {
        skr_cbor_put_null (&request->results);
    }
    request->results_count = 2;
}

saker_err_t skr_api_collections (skr_api_request_t *request)
{
    skr_replica_t *replica = request->api->replica;
    size_t first = (size_t) skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    size_t all = skr_replica_collections (replica);
    size_t total = 0;
    const skr_collection_t **sorted = calloc (all, sizeof *sorted);
    if (!sorted) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 1; i < all; i++) { /* 0 is the roster */
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        if (collection->clock.count) {
            sorted[total++] = collection;
        }
    }
    qsort (sorted, total, sizeof *sorted, compare_names);
    put_collections (request, sorted, first < total ? first : total, total);
    free (sorted);
    return SAKER_OK;
}

static saker_err_t list_one (skr_span_t document, void *argument)
{
    page_t *page = argument;
    if (is_from (page, document)) {
        return SAKER_OK;
    }
    if (page->leaves.size >= SKR_API_PAGE_BYTES) {
        page->more = true;
        return SKR_STOP;
    }
    note_last (page, document);
    skr_cbor_put_text (&page->leaves, (const char *) document.data, document.size);
    page->count++;
    return SAKER_OK;
}

saker_err_t skr_api_documents (skr_api_request_t *request)
{
    page_t page = {.api = request->api};
    SKR_TRY (find_collection (request, &page.collection));
    page.any = skr_api_get_optional (&request->cbor, page.from, sizeof page.from);
    SKR_TRY (skr_cbor_close (&request->cbor));
    saker_err_t error = unless_stopped (
        skr_replica_documents (request->api->replica, page.collection, skr_span_text (page.from),
                               list_one, &page));
    if (error == SAKER_OK) {
        put_page (request, &page);
        if (page.more) {
            skr_api_put_text (&request->results, page.last);
        } else {
            skr_cbor_put_null (&request->results);
        }
        request->results_count++;
    }
    skr_buf_free (&page.leaves);
    return error;
}

static void put_cursor (skr_api_request_t *request, const saker_cursor_t *cursor)
{
    skr_cbor_put_bytes (&request->results, cursor->epoch, sizeof cursor->epoch);
    skr_cbor_put_uint (&request->results, cursor->position);
    request->results_count += 2;
}

saker_err_t skr_api_now (skr_api_request_t *request)
{
    saker_cursor_t cursor;
    SKR_TRY (skr_cbor_close (&request->cbor));
    SKR_TRY (skr_feed_now (request->api->replica, &cursor));
    put_cursor (request, &cursor);
    return SAKER_OK;
}

saker_err_t skr_api_cursor_load (skr_api_request_t *request)
{
    char name[SKR_NAME_BYTES_MAX + 1];
    saker_cursor_t cursor;
    skr_api_get_text (&request->cbor, name, sizeof name);
    SKR_TRY (skr_cbor_close (&request->cbor));
    saker_err_t error = skr_feed_load (request->api->replica, name, &cursor);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (error, "no cursor called '%s'", name);
    }
    SKR_TRY (error);
    put_cursor (request, &cursor);
    return SAKER_OK;
}
