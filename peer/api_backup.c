/* BACKUP: the records of the store as of one commit, a page a request. Between pages the daemon
   goes on; a page costs it what it takes to copy 256 KiB (a millisecond), so a store of 1 GiB is
   4,000 pages and no wait for anybody. What is bounded is how long the view pins old pages: it ends
   when its client stops asking. */

#include "peer/api_internal.h"

#include <string.h>

#define IDLE_MS 30000     /* not asked for so long: given up */
#define FRESH_MS 5000     /* asked for so lately: another client has to wait */
#define TOTAL_MS 14400000 /* four hours: whatever the client does */

static void give_up (skr_api_t *self)
{
    skr_store_view_close (skr_replica_store (self->replica));
    memset (&self->backup, 0, sizeof self->backup);
}

void skr_api_backup_turn (skr_api_t *self)
{
    uint64_t now_ms = skr_api_now_ms (self);
    if (self->backup.number
        && (now_ms >= self->backup.asked_ms + IDLE_MS
            || now_ms >= self->backup.begun_ms + TOTAL_MS)) {
        give_up (self);
    }
}

static saker_err_t begin (skr_api_t *self)
{
    uint64_t now_ms = skr_api_now_ms (self);
    if (self->backup.number && now_ms < self->backup.asked_ms + FRESH_MS) {
        return skr_fail (SAKER_EBUSY, "another backup of this store is under way: try again later");
    }
    give_up (self);
    if (!skr_replica_in_group (self->replica)) {
        SKR_TRY (skr_replica_settle (self->replica));
    }
    SKR_TRY (skr_store_view_open (skr_replica_store (self->replica)));
    self->backup.number = ++self->backups;
    self->backup.begun_ms = now_ms;
    return SAKER_OK;
}

static saker_err_t go_on (const skr_api_t *self, uint64_t number, uint64_t page)
{
    if (self->backup.number != number || !number) {
        return skr_fail (SAKER_ETIMEOUT,
                         "the backup was given up, because nobody asked for more: try again");
    }
    return self->backup.page == page
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "the pages of a backup are asked for in order");
}

static void put_page (skr_api_t *self, skr_api_call_t *call, const skr_buf_t *items)
{
    const skr_id_t *mesh = skr_roster_mesh (skr_replica_roster (self->replica));
    skr_store_stats_t stats;
    skr_store_stats (skr_replica_store (self->replica), &stats);
    skr_cbor_put_map (call->body, 5);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_uint (call->body, self->backup.number);
    skr_cbor_put_uint (call->body, 1);
    skr_cbor_put_bytes (call->body, items->data, items->size);
    skr_cbor_put_uint (call->body, 2);
    skr_cbor_put_bool (call->body, self->backup.place.ended);
    skr_cbor_put_uint (call->body, 3);
    skr_cbor_put_bytes (call->body, mesh->bytes, sizeof mesh->bytes);
    skr_cbor_put_uint (call->body, 4);
    skr_cbor_put_uint (call->body, stats.used_bytes);
}

saker_err_t skr_api_backup (skr_api_t *self, skr_api_call_t *call)
{
    bool first = !skr_fields_has (&call->fields, 0);
    uint64_t number = first ? 0 : skr_cbor_get_uint (&call->cbor);
    if (!first) {
        skr_fields_need (&call->fields, 1);
    }
    uint64_t page = first ? 0 : skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (first ? begin (self) : go_on (self, number, page));
    skr_buf_t *items = skr_api_scratch (self);
    saker_err_t error = skr_backup_page (skr_replica_store (self->replica), &self->backup.place,
                                         SKR_API_PAGE_BYTES, items);
    if (error != SAKER_OK) {
        give_up (self);
        return error;
    }
    self->backup.asked_ms = skr_api_now_ms (self);
    self->backup.page++;
    put_page (self, call, items);
    if (self->backup.place.ended) {
        give_up (self);
    }
    return SAKER_OK;
}
