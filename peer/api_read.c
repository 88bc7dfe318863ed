/* Commands that read: documents as pages of leaves, lists of names, cursors. */

#include "peer/api_internal.h"
#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/past.h"
#include "peer/seen.h"

#include "crdt/hlc.h"
#include "crdt/value.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX 1024 /* documents in one page */
#define CURSOR_NAME_BYTES 65

/* ---- a page of leaves */

typedef struct page_t {
    skr_api_t *api;
    skr_buf_t *leaves;
    size_t count;

    skr_span_t document; /* the one being read */
    size_t skip;         /* leaves of it that an earlier page had */
    size_t seen;         /* leaves of it so far */
    size_t start;        /* offset of its first leaf in this page */
    bool cut;            /* the page was full in the midst of it */
    bool moved;          /* it is not what the earlier page was of */
    uint8_t wanted[SKR_API_DIGEST_BYTES];
    crypto_generichash_state digest; /* of the leaves that were skipped */

    skr_id_t writer; /* whose name was looked up last */
    const char *author;
} page_t;

/* What a request for a page asks for. */
typedef struct asked_t {
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_collection_t *collection;
    skr_span_t document;
    skr_span_t path;
    size_t skip;
    uint8_t digest[SKR_API_DIGEST_BYTES];
    bool then; /* as of a time, not now */
    uint64_t hlc;
} asked_t;

static const char *author_of (page_t *page, const skr_id_t *writer)
{
    if (!page->author || !skr_id_equal (&page->writer, writer)) {
        const skr_member_t *member =
            skr_roster_by_writer (skr_replica_roster (page->api->replica), writer);
        page->writer = *writer;
        page->author = member ? member->name : "";
    }
    return page->author;
}

static void put_leaf (page_t *page, const skr_leaf_t *leaf)
{
    skr_buf_t *buf = page->leaves;
    skr_cbor_put_array (buf, 9);
    skr_cbor_put_text (buf, (const char *) page->document.data, page->document.size);
    skr_cbor_put_bytes (buf, leaf->path.data, leaf->path.size);
    skr_cbor_put_uint (buf, leaf->kind);
    skr_value_put (buf, &leaf->value);
    skr_cbor_put_uint (buf, (leaf->rival ? SKR_API_RIVAL : 0) | (leaf->shown ? SKR_API_SHOWN : 0));
    skr_cbor_put_uint (buf, skr_hlc_ms (leaf->hlc));
    skr_cbor_put_bytes (buf, leaf->dot.writer.bytes, sizeof leaf->dot.writer.bytes);
    skr_cbor_put_uint (buf, leaf->dot.seq);
    skr_api_put_text (buf, author_of (page, &leaf->dot.writer));
}

static void finish_digest (page_t *page, uint8_t digest[SKR_API_DIGEST_BYTES])
{
    crypto_generichash_state state = page->digest; /* it may go on */
    crypto_generichash_final (&state, digest, SKR_API_DIGEST_BYTES);
}

/* A leaf that an earlier page had only counts for the digest. */
static saker_err_t skip_leaf (page_t *page, size_t before)
{
    uint8_t digest[SKR_API_DIGEST_BYTES];
    crypto_generichash_update (&page->digest, page->leaves->data + before,
                               page->leaves->size - before);
    page->leaves->size = before;
    if (page->seen == page->skip) {
        finish_digest (page, digest);
        page->moved = memcmp (digest, page->wanted, sizeof digest) != 0;
    }
    return page->moved ? SKR_STOP : SAKER_OK;
}

static saker_err_t visit_leaf (const skr_leaf_t *leaf, void *argument)
{
    page_t *page = argument;
    size_t before = page->leaves->size;
    if (before >= SKR_API_PAGE_BYTES) {
        page->cut = true;
        return SKR_STOP;
    }
    put_leaf (page, leaf);
    if (page->leaves->failed) {
        return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
    }
    page->seen++;
    if (page->seen <= page->skip) {
        return skip_leaf (page, before);
    }
    page->count++;
    return SAKER_OK;
}

static saker_err_t has_moved (const page_t *page)
{
    return skr_fail (SAKER_EWAIT, "document %.*s changed while it was read",
                     (int) page->document.size, (const char *) page->document.data);
}

static saker_err_t read_then (page_t *page, const asked_t *asked, skr_span_t document)
{
    skr_past_t *past;
    SKR_TRY (skr_past_open (&past, page->api->replica, SKR_COMMITTED, asked->collection, document,
                            asked->hlc));
    saker_err_t error =
        skr_view_document (skr_past_cells (past), document, asked->path, visit_leaf, page, NULL);
    skr_past_close (&past);
    return error;
}

/* Adds a document, or as much of it as there is room for. SAKER_ENOTFOUND sets no sentence. */
static saker_err_t read_document (page_t *page, const asked_t *asked, skr_span_t document,
                                  size_t skip)
{
    page->document = document;
    page->skip = skip;
    page->seen = 0;
    page->start = page->leaves->size;
    memcpy (page->wanted, asked->digest, sizeof page->wanted);
    crypto_generichash_init (&page->digest, NULL, 0, SKR_API_DIGEST_BYTES);
    saker_err_t error = asked->then ? read_then (page, asked, document)
                                    : skr_replica_read (page->api->replica, asked->collection,
                                                        document, asked->path, visit_leaf, page);
    bool gone = error == SAKER_ENOTFOUND && skip > 0;
    if (error == SKR_STOP) {
        error = SAKER_OK;
    }
    if (gone || (error == SAKER_OK && (page->moved || page->seen < skip))) {
        return has_moved (page);
    }
    return error;
}

/* Where the next page begins: inside the document at hand when it was cut, else at `document`. */
static void put_rest (page_t *page, skr_buf_t *body, skr_span_t document)
{
    uint8_t digest[SKR_API_DIGEST_BYTES] = {0};
    size_t skip = 0;
    if (page->cut) {
        document = page->document;
        skip = page->seen;
        crypto_generichash_update (&page->digest, page->leaves->data + page->start,
                                   page->leaves->size - page->start);
        finish_digest (page, digest);
    }
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, 3);
    skr_cbor_put_text (body, (const char *) document.data, document.size);
    skr_cbor_put_uint (body, skip);
    skr_cbor_put_bytes (body, digest, sizeof digest);
}

/* Why a list, at whose end this is, is not the whole; NULL: it is. */
static const char *not_whole (const skr_api_t *self, const asked_t *asked)
{
    return skr_fetching_check_all (self->replica, &asked->collection->id, asked->name) == SAKER_OK
               ? NULL
               : skr_error ();
}

static void put_not_whole (skr_buf_t *body, const char *sentence)
{
    if (sentence) {
        skr_cbor_put_uint (body, 2);
        skr_api_put_text (body, sentence);
    }
}

/* `next`: the first document that is not in the page, empty when there is none. */
static void put_page (page_t *page, skr_buf_t *body, skr_span_t next, const char *not_yet)
{
    bool more = page->cut || next.size > 0;
    not_yet = more ? NULL : not_yet;
    skr_cbor_put_map (body, more || not_yet ? 2 : 1);
    if (more) {
        put_rest (page, body, next);
    }
    skr_cbor_put_uint (body, 1);
    skr_cbor_put_array (body, page->count);
    skr_buf_append_span (body, skr_span_of (page->leaves));
    put_not_whole (body, not_yet);
}

static saker_err_t get_asked (skr_api_t *self, skr_api_call_t *call, asked_t *asked, bool path)
{
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, asked->name, sizeof asked->name);
    skr_fields_need (&call->fields, 1);
    asked->document = skr_cbor_get_text (&call->cbor);
    if (path) {
        skr_fields_need (&call->fields, 2);
        asked->path = skr_cbor_get_bytes (&call->cbor);
    }
    if (skr_fields_has (&call->fields, 3)) {
        asked->skip = skr_cbor_get_uint (&call->cbor);
        skr_fields_need (&call->fields, 4);
        skr_cbor_get_fixed (&call->cbor, asked->digest, sizeof asked->digest);
    }
    if (path && skr_fields_has (&call->fields, 5)) {
        asked->then = true;
        asked->hlc = skr_cbor_get_uint (&call->cbor);
    }
    SKR_TRY (skr_api_arguments_end (call));
    if (asked->then) {
        SKR_TRY (skr_past_hlc (self->replica, asked->hlc, &asked->hlc));
    }
    if (asked->document.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "a document id has 1 to %d bytes", SKR_DOCUMENT_BYTES_MAX);
    }
    SKR_TRY (skr_path_check (asked->path));
    return skr_api_readable (self->replica, asked->name, &asked->collection);
}

static void open_page (skr_api_t *self, page_t *page)
{
    memset (page, 0, sizeof *page);
    page->api = self;
    page->leaves = skr_api_scratch (self);
}

/* ---- READ */

static saker_err_t nothing_there (const asked_t *asked)
{
    skr_buf_t pointer = {0};
    skr_path_to_pointer (&pointer, asked->path);
    saker_err_t error =
        skr_fail (SAKER_ENOTFOUND, "nothing%s at %s/%.*s%s%.*s", asked->then ? " was then" : "",
                  asked->name, (int) asked->document.size, (const char *) asked->document.data,
                  pointer.size > 0 ? " " : "", (int) pointer.size, (const char *) pointer.data);
    skr_buf_free (&pointer);
    return error;
}

saker_err_t skr_api_read (skr_api_t *self, skr_api_call_t *call)
{
    static const skr_span_t none;
    asked_t asked = {.collection = NULL};
    page_t page;
    SKR_TRY (get_asked (self, call, &asked, true));
    open_page (self, &page);
    saker_err_t error = read_document (&page, &asked, asked.document, asked.skip);
    if (error == SAKER_ENOTFOUND) {
        SKR_TRY (skr_fetching_check (self->replica, &asked.collection->id, asked.name));
        return nothing_there (&asked);
    }
    SKR_TRY (error);
    put_page (&page, call->body, none, NULL);
    return SAKER_OK;
}

/* ---- lists of documents: at most IDS_MAX, and the one after them */

typedef struct ids_t {
    skr_buf_t bytes;
    size_t ends[IDS_MAX + 1];
    size_t count;
} ids_t;

static skr_span_t id_at (const ids_t *ids, size_t index)
{
    size_t start = index > 0 ? ids->ends[index - 1] : 0;
    return skr_span (ids->bytes.data + start, ids->ends[index] - start);
}

static saker_err_t visit_id (skr_span_t document, void *argument)
{
    ids_t *ids = argument;
    skr_buf_append_span (&ids->bytes, document);
    if (ids->bytes.failed) {
        return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
    }
    ids->ends[ids->count++] = ids->bytes.size;
    return ids->count <= IDS_MAX ? SAKER_OK : SKR_STOP;
}

static saker_err_t list_ids (skr_api_t *self, const asked_t *asked, ids_t *ids)
{
    saker_err_t error =
        skr_replica_documents (self->replica, asked->collection, asked->document, visit_id, ids);
    return error == SKR_STOP ? SAKER_OK : error;
}

/* ---- ITERATE */

static saker_err_t read_ids (page_t *page, const asked_t *asked, const ids_t *ids, size_t *next)
{
    bool there = ids->count > 0 && skr_span_equal (id_at (ids, 0), asked->document);
    if (asked->skip > 0 && !there) {
        page->document = asked->document;
        return has_moved (page);
    }
    for (*next = 0; *next < ids->count && *next < IDS_MAX; ++*next) {
        if (page->leaves->size >= SKR_API_PAGE_BYTES || page->cut) {
            return SAKER_OK;
        }
        saker_err_t error =
            read_document (page, asked, id_at (ids, *next), *next == 0 ? asked->skip : 0);
        if (error != SAKER_ENOTFOUND) { /* roster statements are not part of a view */
            SKR_TRY (error);
        }
    }
    return SAKER_OK;
}

static saker_err_t iterate (skr_api_t *self, skr_api_call_t *call, const asked_t *asked, ids_t *ids)
{
    static const skr_span_t none;
    page_t page;
    size_t next = 0;
    SKR_TRY (list_ids (self, asked, ids));
    open_page (self, &page);
    SKR_TRY (read_ids (&page, asked, ids, &next));
    put_page (&page, call->body, next < ids->count ? id_at (ids, next) : none,
              not_whole (self, asked));
    return SAKER_OK;
}

saker_err_t skr_api_iterate (skr_api_t *self, skr_api_call_t *call)
{
    asked_t asked = {.collection = NULL};
    ids_t ids = {.count = 0};
    SKR_TRY (get_asked (self, call, &asked, false));
    saker_err_t error = iterate (self, call, &asked, &ids);
    skr_buf_free (&ids.bytes);
    return error;
}

/* ---- DOCUMENTS */

static void put_ids (const ids_t *ids, skr_buf_t *body, const char *not_yet)
{
    size_t count = ids->count < IDS_MAX ? ids->count : IDS_MAX;
    not_yet = ids->count > IDS_MAX ? NULL : not_yet;
    skr_cbor_put_map (body, ids->count > IDS_MAX || not_yet ? 2 : 1);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, count);
    for (size_t i = 0; i < count; i++) {
        skr_cbor_put_text (body, (const char *) id_at (ids, i).data, id_at (ids, i).size);
    }
    if (ids->count > IDS_MAX) {
        skr_cbor_put_uint (body, 1);
        skr_cbor_put_text (body, (const char *) id_at (ids, IDS_MAX).data,
                           id_at (ids, IDS_MAX).size);
    }
    put_not_whole (body, not_yet);
}

saker_err_t skr_api_documents (skr_api_t *self, skr_api_call_t *call)
{
    asked_t asked = {.collection = NULL};
    ids_t ids = {.count = 0};
    SKR_TRY (get_asked (self, call, &asked, false));
    saker_err_t error = list_ids (self, &asked, &ids);
    if (error == SAKER_OK) {
        put_ids (&ids, call->body, not_whole (self, &asked));
    }
    skr_buf_free (&ids.bytes);
    return error;
}

/* ---- COLLECTIONS */

static int compare_names (const void *one, const void *other)
{
    const skr_collection_t *const *a = one, *const *b = other;
    return strcmp ((*a)->name, (*b)->name);
}

saker_err_t skr_api_list_collections (const skr_api_t *self, const char *from,
                                      const skr_collection_t ***list, size_t *count)
{
    size_t all = skr_replica_collections (self->replica);
    const skr_collection_t **found = calloc (all + 1, sizeof (const skr_collection_t *));
    *count = 0;
    if (!found) {
        return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
    }
    for (size_t i = 1; i < all; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        if (collection->name[0] && strcmp (collection->name, from) >= 0
            && skr_carrying (self->replica, &collection->id)) {
            found[(*count)++] = collection;
        }
    }
    qsort (found, *count, sizeof (const skr_collection_t *), compare_names);
    *list = found;
    return SAKER_OK;
}

static void put_collections (const skr_collection_t *const *list, size_t count, skr_buf_t *body)
{
    size_t shown = count < IDS_MAX ? count : IDS_MAX;
    skr_cbor_put_map (body, count > shown ? 2 : 1);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, shown);
    for (size_t i = 0; i < shown; i++) {
        skr_cbor_put_array (body, 2);
        skr_api_put_text (body, list[i]->name);
        skr_cbor_put_uint (body, list[i]->documents);
    }
    if (count > shown) {
        skr_cbor_put_uint (body, 1);
        skr_api_put_text (body, list[shown]->name);
    }
}

saker_err_t skr_api_collections (skr_api_t *self, skr_api_call_t *call)
{
    char from[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_collection_t **list = NULL;
    size_t count = 0;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, from, sizeof from);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_api_list_collections (self, from, &list, &count));
    put_collections (list, count, call->body);
    free (list);
    return SAKER_OK;
}

/* ---- cursors */

void skr_api_get_cursor (skr_api_call_t *call, saker_cursor_t *cursor)
{
    skr_fields_need (&call->fields, 1);
    skr_cbor_get_fixed (&call->cbor, cursor->epoch, sizeof cursor->epoch);
    skr_fields_need (&call->fields, 2);
    cursor->position = skr_cbor_get_uint (&call->cbor);
}

static void put_cursor (skr_buf_t *body, const saker_cursor_t *cursor)
{
    skr_cbor_put_map (body, 2);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_bytes (body, cursor->epoch, sizeof cursor->epoch);
    skr_cbor_put_uint (body, 1);
    skr_cbor_put_uint (body, cursor->position);
}

/* One that is not there may come. */
static saker_err_t check_begin (const skr_api_t *self, const char *name)
{
    const skr_collection_t *collection = NULL;
    saker_err_t error = skr_api_readable (self->replica, name, &collection);
    return error == SAKER_OK ? skr_fetching_check_all (self->replica, &collection->id, name)
           : error == SAKER_ENOTFOUND ? SAKER_OK
                                      : error;
}

saker_err_t skr_api_now (skr_api_t *self, skr_api_call_t *call)
{
    saker_cursor_t cursor;
    char name[SKR_COLLECTION_BYTES_MAX + 1] = "";
    if (skr_fields_has (&call->fields, 0)) {
        skr_fields_text (&call->cbor, name, sizeof name);
    }
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (*name ? check_begin (self, name) : SAKER_OK);
    SKR_TRY (skr_feed_now (self->replica, &cursor));
    put_cursor (call->body, &cursor);
    return SAKER_OK;
}

/* ---- SEEN */

saker_err_t skr_api_seen (skr_api_t *self, skr_api_call_t *call)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_collection_t *collection;
    skr_buf_t *text = skr_api_scratch (self);
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, name, sizeof name);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_api_readable (self->replica, name, &collection));
    SKR_TRY (skr_seen_put (self->replica, collection, text));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_text (call->body, (const char *) text->data, text->size);
    return SAKER_OK;
}

static void get_name (skr_api_call_t *call, char name[CURSOR_NAME_BYTES])
{
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, name, CURSOR_NAME_BYTES);
}

saker_err_t skr_api_cursor_save (skr_api_t *self, skr_api_call_t *call)
{
    char name[CURSOR_NAME_BYTES];
    saker_cursor_t cursor;
    get_name (call, name);
    skr_api_get_cursor (call, &cursor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_feed_save (self->replica, name, &cursor));
    skr_cbor_put_map (call->body, 0);
    call->when = SKR_API_HELD;
    return SAKER_OK;
}

saker_err_t skr_api_cursor_load (skr_api_t *self, skr_api_call_t *call)
{
    char name[CURSOR_NAME_BYTES];
    saker_cursor_t cursor;
    get_name (call, name);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_feed_load (self->replica, name, &cursor));
    put_cursor (call->body, &cursor);
    return SAKER_OK;
}
