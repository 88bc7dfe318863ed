/* CARRY: which documents of a collection this peer carries (partial.h). */

#include "peer/api_internal.h"
#include "peer/partial.h"

#include <string.h>

/* ---- wanting another part */

static saker_err_t get_part (skr_api_call_t *call, skr_part_t *part)
{
    size_t count = skr_cbor_get_array (&call->cbor, SKR_API_INTENTS_MAX);
    if (count > 0) {
        skr_part_nothing (part);
    }
    for (size_t i = 0; i < count && call->cbor.error == SAKER_OK; i++) {
        skr_span_t prefix = skr_cbor_get_text (&call->cbor);
        if (call->cbor.error == SAKER_OK && prefix.size == 0) {
            return skr_fail (SAKER_EINPUT, "a prefix has at least one byte: all of a collection "
                                           "is wanted without any");
        }
        if (call->cbor.error == SAKER_OK) {
            SKR_TRY (skr_part_add (part, prefix));
        }
    }
    return skr_api_arguments_end (call);
}

static saker_err_t want (skr_api_t *self, skr_api_call_t *call, const char *name)
{
    skr_part_t part = {.partial = false};
    saker_err_t error = get_part (call, &part);
    error = error ? error : skr_replica_begin (self->replica);
    error = error ? error : skr_partial_want (self->replica, name, &part);
    skr_part_free (&part);
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, 0);
    call->when = SKR_API_HELD;
    return error;
}

/* ---- telling */

typedef struct listing_t {
    skr_buf_t *rows;
    uint64_t from, at, next; /* numbers of rows; next 0: there are no more */
    size_t count;
} listing_t;

static saker_err_t put_row (const skr_partial_t *partial, void *argument)
{
    listing_t *listing = argument;
    if (listing->at++ < listing->from) {
        return SAKER_OK;
    }
    if (listing->rows->size >= SKR_API_PAGE_BYTES) {
        listing->next = listing->at - 1;
        return SKR_STOP;
    }
    listing->count++;
    skr_cbor_put_array (listing->rows, 4);
    skr_api_put_text (listing->rows, partial->name);
    skr_part_put (listing->rows, &partial->wanted);
    skr_cbor_put_bool (listing->rows, skr_partial_lacks (partial));
    skr_cbor_put_bool (listing->rows,
                       partial->removing || !skr_part_covers (&partial->wanted, &partial->carried));
    return SAKER_OK;
}

/* One that is carried whole has no record; there need be no such collection. */
static saker_err_t put_named (skr_api_t *self, const char *name, listing_t *listing)
{
    skr_partial_t partial = {.removing = false};
    skr_id_t id;
    SKR_TRY (skr_collection_name_check (name));
    skr_replica_collection_id (self->replica, name, &id);
    saker_err_t error = skr_partial_load (self->replica, SKR_COMMITTED, &id, &partial);
    memcpy (partial.name, name, strlen (name) + 1);
    error = error ? error : put_row (&partial, listing);
    skr_partial_free (&partial);
    return error;
}

static saker_err_t tell (skr_api_t *self, skr_api_call_t *call, const char *name)
{
    listing_t listing = {.rows = skr_api_scratch (self)};
    skr_fields_need (&call->fields, 2);
    listing.from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (*name ? put_named (self, name, &listing)
                   : skr_partial_each (self->replica, put_row, &listing));
    skr_cbor_put_map (call->body, listing.next ? 2 : 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, listing.count);
    skr_buf_append_span (call->body, skr_span_of (listing.rows));
    if (listing.next) {
        skr_cbor_put_uint (call->body, 1);
        skr_cbor_put_uint (call->body, listing.next);
    }
    return listing.rows->failed ? skr_fail (SAKER_ENOMEM, "the daemon is out of memory") : SAKER_OK;
}

saker_err_t skr_api_carry (skr_api_t *self, skr_api_call_t *call)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1] = "";
    if (skr_fields_has (&call->fields, 0)) {
        skr_fields_text (&call->cbor, name, sizeof name);
    }
    return skr_fields_has (&call->fields, 1) ? want (self, call, name) : tell (self, call, name);
}
