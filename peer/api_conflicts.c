/* CONFLICTS: the places with rivals, each with all of them and what they were written on top of. */

#include "peer/api_internal.h"
#include "peer/conflicts.h"
#include "peer/history.h"
#include "peer/partial.h"

#include "crdt/hlc.h"
#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

#define CONFLICTS_MAX 2048 /* in one page */

typedef struct listing_t {
    skr_api_t *api;
    const skr_collection_t *collection;
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    skr_opening_t *opening;
    skr_buf_t *conflicts;
    size_t count;
    bool full;
    skr_buf_t next; /* the key of the first that is not in the page */

    skr_span_t wanted; /* path; with wanted_any: this one alone */
    bool wanted_any;

    /* Of the place at hand. */
    skr_span_t path;
    skr_buf_t rivals;
    size_t rivals_count;
    bool winner; /* a leaf at the place itself won */
    bool below;  /* there is something below */
    skr_dot_t latest;
    uint64_t latest_hlc;
} listing_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
}

/* ---- one rival */

static saker_err_t put_bases (listing_t *listing, const skr_dot_t *dot, skr_buf_t *buf)
{
    const skr_opened_t *opened;
    saker_err_t error = skr_opening_find (listing->opening, dot, &opened);
    const skr_op_t *op = error ? NULL : skr_opened_op (opened, dot);
    if (error && error != SAKER_ENOTFOUND) {
        return error;
    }
    if (op) {
        return skr_api_put_bases (listing->opening, &opened->content, op, skr_span (NULL, 0), buf);
    }
    skr_cbor_put_array (buf, 0);
    skr_cbor_put_uint (buf, 0);
    return SAKER_OK;
}

static void put_rival (listing_t *listing, skr_kind_t kind, const saker_value_t *value, bool rival,
                       const skr_dot_t *dot, uint64_t hlc, skr_buf_t *buf)
{
    const skr_member_t *member =
        skr_roster_by_writer (skr_replica_roster (listing->api->replica), &dot->writer);
    skr_cbor_put_array (buf, 9);
    skr_cbor_put_uint (buf, kind);
    if (value) {
        skr_value_put (buf, value);
    } else {
        skr_cbor_put_null (buf);
    }
    skr_cbor_put_uint (buf, rival ? SKR_API_RIVAL : SKR_API_SHOWN);
    skr_cbor_put_uint (buf, skr_hlc_ms (hlc));
    skr_api_put_text (buf, member ? member->name : "");
    skr_cbor_put_bytes (buf, dot->writer.bytes, sizeof dot->writer.bytes);
    skr_cbor_put_uint (buf, dot->seq);
    listing->rivals_count++;
}

static saker_err_t take_leaf (const skr_leaf_t *leaf, void *argument)
{
    listing_t *listing = argument;
    if (leaf->path.size > listing->path.size) {
        bool later = !listing->below || leaf->hlc > listing->latest_hlc
                     || (leaf->hlc == listing->latest_hlc
                         && skr_dot_compare (&leaf->dot, &listing->latest) > 0);
        listing->below = true;
        if (later) {
            listing->latest = leaf->dot;
            listing->latest_hlc = leaf->hlc;
        }
        return SAKER_OK;
    }
    listing->winner = listing->winner || !leaf->rival;
    put_rival (listing, leaf->kind, leaf->kind == SKR_MAP ? NULL : &leaf->value, leaf->rival,
               &leaf->dot, leaf->hlc, &listing->rivals);
    SKR_TRY (put_bases (listing, &leaf->dot, &listing->rivals));
    return listing->rivals.failed ? no_memory () : SAKER_OK;
}

/* The map that the keys below make. */
static void put_map (listing_t *listing, skr_buf_t *buf)
{
    put_rival (listing, SKR_MAP, NULL, listing->winner, &listing->latest, listing->latest_hlc, buf);
    skr_cbor_put_array (buf, 0);
    skr_cbor_put_uint (buf, 0);
}

/* ---- one place */

static saker_err_t put_place (listing_t *listing, skr_span_t document)
{
    skr_buf_t *buf = listing->conflicts, map = {0};
    if (listing->below) {
        put_map (listing, &map);
    }
    skr_cbor_put_array (buf, 4);
    skr_api_put_text (buf, listing->name);
    skr_cbor_put_text (buf, (const char *) document.data, document.size);
    skr_cbor_put_bytes (buf, listing->path.data, listing->path.size);
    skr_cbor_put_array (buf, listing->rivals_count);
    if (!listing->winner) {
        skr_buf_append_span (buf, skr_span_of (&map));
    }
    skr_buf_append_span (buf, skr_span_of (&listing->rivals));
    if (listing->winner) {
        skr_buf_append_span (buf, skr_span_of (&map));
    }
    listing->count++;
    bool failed = buf->failed || map.failed;
    skr_buf_free (&map);
    return failed ? no_memory () : SAKER_OK;
}

static saker_err_t take_place (skr_span_t key, skr_span_t document, skr_span_t path, void *argument)
{
    listing_t *listing = argument;
    if ((listing->wanted_any && !skr_span_equal (path, listing->wanted))
        || !skr_partial_shows (skr_partial_of (listing->api->replica, &listing->collection->id),
                               document)) {
        return SAKER_OK;
    }
    if (listing->conflicts->size >= SKR_API_PAGE_BYTES || listing->count == CONFLICTS_MAX) {
        listing->full = true;
        skr_buf_append_span (&listing->next, key);
        return SKR_STOP;
    }
    listing->path = path;
    skr_buf_clear (&listing->rivals);
    listing->rivals_count = 0;
    listing->winner = listing->below = false;
    saker_err_t error = skr_replica_read (listing->api->replica, listing->collection, document,
                                          path, take_leaf, listing);
    SKR_TRY (error == SAKER_ENOTFOUND ? SAKER_OK : error);
    return put_place (listing, document);
}

/* ---- pages */

static saker_err_t scan_collection (listing_t *listing, const skr_collection_t *collection,
                                    skr_span_t document, skr_span_t from)
{
    uint8_t key[SKR_CONFLICT_KEY_BYTES_MAX];
    skr_opening_free (listing->opening);
    memset (listing->opening, 0, sizeof *listing->opening);
    listing->opening->replica = listing->api->replica;
    listing->opening->collection_no = collection->no;
    listing->collection = collection;
    (void) snprintf (listing->name, sizeof listing->name, "%s", collection->name);
    if (from.size > 0) { /* a key of the client's: what it names is looked for in this collection */
        if (from.size < 4 || from.size > sizeof key) {
            return skr_fail (SAKER_EINPUT, "this is no place to go on");
        }
        memcpy (key, from.data, from.size);
        skr_put_u32 (key, collection->no);
        from = skr_span (key, from.size);
    }
    return skr_conflicts_scan (skr_replica_store (listing->api->replica), SKR_COMMITTED,
                               collection->no, document, from, take_place, listing);
}

static saker_err_t scan_all (listing_t *listing, const char *name, skr_span_t from)
{
    const skr_collection_t **list;
    size_t count;
    saker_err_t error = skr_api_list_collections (listing->api, name, &list, &count);
    for (size_t i = 0; i < count && !error && !listing->full; i++) {
        bool first = strcmp (list[i]->name, name) == 0;
        error = scan_collection (listing, list[i], skr_span (NULL, 0),
                                 first ? from : skr_span (NULL, 0));
    }
    free (list);
    return error;
}

typedef struct asked_t {
    bool one; /* of this collection; otherwise of all from it on */
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    skr_span_t document, path, from;
    bool path_any;
} asked_t;

static saker_err_t get_asked (skr_api_call_t *call, asked_t *asked)
{
    memset (asked, 0, sizeof *asked);
    skr_fields_need (&call->fields, 0);
    asked->one = !skr_cbor_get_bool (&call->cbor);
    skr_fields_need (&call->fields, 1);
    skr_fields_text (&call->cbor, asked->name, sizeof asked->name);
    if (skr_fields_has (&call->fields, 2)) {
        asked->document = skr_cbor_get_text (&call->cbor);
    }
    if (skr_fields_has (&call->fields, 3)) {
        asked->path = skr_cbor_get_bytes (&call->cbor);
        asked->path_any = true;
    }
    if (skr_fields_has (&call->fields, 4)) {
        asked->from = skr_cbor_get_bytes (&call->cbor);
    }
    return skr_api_arguments_end (call);
}

static saker_err_t scan_asked (listing_t *listing, const asked_t *asked)
{
    const skr_collection_t *collection;
    if (!asked->one) {
        return scan_all (listing, asked->name, asked->from);
    }
    SKR_TRY (skr_api_readable (listing->api->replica, asked->name, &collection));
    if (asked->document.size > 0) {
        SKR_TRY (skr_partial_check (listing->api->replica, collection, asked->document));
    }
    return scan_collection (listing, collection, asked->document, asked->from);
}

static void put_page (const listing_t *listing, skr_buf_t *body)
{
    skr_cbor_put_map (body, listing->full ? 3 : 1);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, listing->count);
    skr_buf_append_span (body, skr_span_of (listing->conflicts));
    if (listing->full) {
        skr_cbor_put_uint (body, 1);
        skr_api_put_text (body, listing->name);
        skr_cbor_put_uint (body, 2);
        skr_cbor_put_bytes (body, listing->next.data, listing->next.size);
    }
}

saker_err_t skr_api_conflicts (skr_api_t *self, skr_api_call_t *call)
{
    asked_t asked;
    SKR_TRY (get_asked (call, &asked));
    SKR_TRY (skr_path_check (asked.path));
    SKR_TRY (skr_replica_check_indexes (self->replica));
    listing_t listing = {.api = self,
                         .conflicts = skr_api_scratch (self),
                         .wanted = asked.path,
                         .wanted_any = asked.path_any};
    listing.opening = calloc (1, sizeof *listing.opening);
    if (!listing.opening) {
        return no_memory ();
    }
    saker_err_t error = scan_asked (&listing, &asked);
    if (!error) {
        put_page (&listing, call->body);
        error = listing.next.failed ? no_memory () : SAKER_OK;
    }
    skr_opening_free (listing.opening);
    free (listing.opening);
    skr_buf_free (&listing.rivals);
    skr_buf_free (&listing.next);
    return error;
}
