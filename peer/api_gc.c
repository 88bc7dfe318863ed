/* GC: what the logs hold, what could go, and who holds the rest; and to let it go now. */

#include "peer/api_internal.h"
#include "peer/cutter.h"

#include <stdlib.h>
#include <string.h>

#define COLLECTIONS_MAX 32 /* in one page */
#define HOLDERS_MAX 512    /* of one collection; more are not told */

static void put_holder (skr_buf_t *buf, const skr_cut_holder_t *holder)
{
    char id[17];
    skr_device_text (holder->member->device, id);
    skr_cbor_put_array (buf, 7);
    skr_api_put_text (buf, holder->member->name);
    skr_api_put_text (buf, id);
    skr_cbor_put_uint (buf, (uint64_t) holder->verdict);
    skr_cbor_put_uint (buf, holder->missing);
    skr_cbor_put_uint (buf, holder->since_ms);
    skr_cbor_put_uint (buf, holder->entries);
    skr_cbor_put_uint (buf, holder->bytes);
}

static void put_plan (skr_buf_t *buf, const skr_collection_t *collection,
                      const skr_cut_plan_t *plan)
{
    char text[64];
    size_t holders = plan->holders_count < HOLDERS_MAX ? plan->holders_count : HOLDERS_MAX;
    skr_cbor_put_array (buf, 9);
    skr_api_put_text (buf, skr_api_collection_name (collection, text));
    skr_cbor_put_uint (buf, plan->entries);
    skr_cbor_put_uint (buf, plan->bytes);
    skr_cbor_put_uint (buf, plan->going_entries);
    skr_cbor_put_uint (buf, plan->going_bytes);
    skr_cbor_put_bool (buf, plan->estimated);
    skr_cbor_put_uint (buf, (uint64_t) plan->end);
    skr_cbor_put_uint (buf, plan->time_ms);
    skr_cbor_put_array (buf, holders);
    for (size_t i = 0; i < holders; i++) {
        put_holder (buf, &plan->holders[i]);
    }
}

/* One page is bounded by what is looked at, too: the next page goes on. */
static saker_err_t put_plans (skr_api_t *self, size_t *next, skr_buf_t *plans, size_t *count)
{
    size_t all = skr_replica_collections (self->replica);
    uint64_t looked = 0;
    while (*next < all && *count < COLLECTIONS_MAX && looked < SKR_CUT_PLAN_ENTRIES_MAX
           && plans->size < SKR_API_PAGE_BYTES) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, *next);
        skr_cut_plan_t plan;
        SKR_TRY (skr_cutter_plan (self->cutter, collection, &plan));
        put_plan (plans, collection, &plan);
        free (plan.holders);
        looked += plan.entries;
        ++*count;
        ++*next;
    }
    return plans->failed ? skr_fail (SAKER_ENOMEM, "the daemon is out of memory") : SAKER_OK;
}

static void put_sum (skr_api_t *self, skr_buf_t *body)
{
    skr_cutter_stats_t stats;
    skr_cutter_stats (self->cutter, &stats);
    skr_cbor_put_uint (body, 2);
    skr_cbor_put_bool (body, skr_cutter_busy (self->cutter));
    skr_cbor_put_uint (body, 3);
    skr_cbor_put_uint (body, stats.entries);
    skr_cbor_put_uint (body, 4);
    skr_cbor_put_uint (body, stats.bytes);
}

saker_err_t skr_api_gc (skr_api_t *self, skr_api_call_t *call)
{
    skr_buf_t *plans = skr_api_scratch (self);
    size_t count = 0;
    skr_fields_need (&call->fields, 0);
    bool begin = skr_cbor_get_bool (&call->cbor);
    skr_fields_need (&call->fields, 1);
    uint64_t from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    if (!self->cutter) {
        return skr_fail (SAKER_EUNREACHABLE, "nothing cuts the log here");
    }
    size_t all = skr_replica_collections (self->replica);
    size_t next = from < 1 ? 1 : from < all ? (size_t) from : all; /* the roster keeps its log */
    if (begin) {
        skr_cutter_hurry (self->cutter);
    }
    SKR_TRY (put_plans (self, &next, plans, &count));
    skr_cbor_put_map (call->body, next < all ? 5 : 4);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, count);
    skr_buf_append_span (call->body, skr_span_of (plans));
    if (next < all) {
        skr_cbor_put_uint (call->body, 1);
        skr_cbor_put_uint (call->body, next);
    }
    put_sum (self, call->body);
    return SAKER_OK;
}
