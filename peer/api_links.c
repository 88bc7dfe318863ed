/* Commands that tell how links are, and how things went. */

#include "peer/api_internal.h"
#include "peer/cutter.h"
#include "peer/numbers.h"

#include "crdt/hlc.h"

#include <string.h>

#define LINKS_MAX 64   /* in one page */
#define LOOKS_MAX 1024 /* into the log, for the lag of one member */

/* ---- LINKS */

/* Lowers *hlc to that of the first change of a writer that a member lacks. Not told of what is cut.
 */
static void look_at_first (skr_api_t *self, const skr_collection_t *collection,
                           const skr_tick_t *tick, uint64_t theirs, uint64_t *hlc)
{
    skr_store_t *store = skr_replica_store (self->replica);
    uint32_t writer_no;
    uint64_t position;
    skr_log_entry_t entry;
    skr_change_t change;
    if (skr_store_writer_no (store, SKR_COMMITTED, &tick->writer, &writer_no) == SAKER_OK
        && skr_log_find (store, SKR_COMMITTED, collection->no, writer_no, theirs + 1, &position)
               == SAKER_OK
        && skr_log_get (store, SKR_COMMITTED, position, &entry) == SAKER_OK
        && skr_change_parse (&change, entry.change) == SAKER_OK) {
        *hlc = change.hlc < *hlc ? change.hlc : *hlc;
    }
}

int64_t skr_api_lag_ms (skr_api_t *self, const skr_member_t *member, int64_t behind)
{
    uint64_t hlc = UINT64_MAX, now_ms = self->world->wall_ms (self->world->context);
    size_t looks = LOOKS_MAX;
    if (behind <= 0) {
        return behind;
    }
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *ours = skr_replica_collection_at (self->replica, i);
        skr_reported_t reported = {.clock = NULL};
        self->neighbours.reported (self->neighbours.context, member->device, &ours->id, &reported);
        for (size_t at = 0; at < ours->clock.count; at++) {
            const skr_tick_t *tick = &ours->clock.ticks[at];
            uint64_t theirs = reported.clock ? skr_clock_get (reported.clock, &tick->writer) : 0;
            if (theirs < tick->seq && looks > 0) {
                looks--;
                look_at_first (self, ours, tick, theirs, &hlc);
            }
        }
    }
    return hlc == UINT64_MAX           ? -1
           : skr_hlc_ms (hlc) < now_ms ? (int64_t) (now_ms - skr_hlc_ms (hlc))
                                       : 0;
}

static void put_amounts (skr_api_t *self, const skr_member_t *member, skr_buf_t *buf)
{
    bool own = skr_api_is_own (self, member);
    int64_t behind = own ? 0 : skr_api_behind (self, member);
    skr_cbor_put_int (buf, behind);
    skr_cbor_put_int (buf, own ? 0 : skr_api_ahead (self, member));
    skr_cbor_put_int (buf, skr_api_lag_ms (self, member, behind));
}

static void put_hears (skr_api_t *self, const skr_member_t *member, skr_buf_t *buf)
{
    const uint8_t *devices[SKR_HEARS_MAX];
    char id[17];
    size_t count =
        self->neighbours.hears (self->neighbours.context, member->device, devices, SKR_HEARS_MAX);
    skr_cbor_put_array (buf, count);
    for (size_t i = 0; i < count; i++) {
        skr_device_text (devices[i], id);
        skr_api_put_text (buf, id);
    }
}

static void put_link (skr_api_t *self, const skr_member_t *member, skr_buf_t *buf)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_neighbour_t neighbour;
    skr_id_t writer;
    skr_api_neighbour (self, member, &neighbour);
    skr_cbor_put_array (buf, 25);
    skr_api_put_member (member, &neighbour, buf);
    skr_cbor_put_bool (buf, skr_roster_is_fenced (roster, member->device));
    skr_cbor_put_bool (buf, skr_roster_present (roster, member->device, &writer) > 1);
    skr_cbor_put_bool (buf, neighbour.calls);
    skr_cbor_put_bool (buf, neighbour.greeted);
    skr_cbor_put_int (buf, neighbour.heard_ms);
    skr_cbor_put_int (buf, neighbour.seen_ms);
    skr_cbor_put_int (buf, neighbour.rtt_us);
    skr_cbor_put_bool (buf, neighbour.skew_known);
    skr_cbor_put_int (buf, neighbour.skew_ms);
    put_amounts (self, member, buf);
    skr_cbor_put_uint (buf, neighbour.requests);
    skr_cbor_put_uint (buf, neighbour.timeouts);
    skr_cbor_put_uint (buf, neighbour.bad_answers);
    skr_cbor_put_uint (buf, neighbour.changes);
    skr_cbor_put_uint (buf, neighbour.bytes);
    skr_cbor_put_uint (buf, neighbour.snapshots);
    skr_cbor_put_uint (buf, neighbour.published);
    put_hears (self, member, buf);
}

saker_err_t skr_api_links (skr_api_t *self, skr_api_call_t *call)
{
    return skr_api_members (self, call, LINKS_MAX, put_link);
}

/* ---- TRENDS */

static void look_at_links (skr_api_t *self, int64_t now[SKR_TREND_ROWS])
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_neighbour_t neighbour;
        skr_api_neighbour (self, member, &neighbour);
        now[SKR_TREND_BYTES] += (int64_t) (neighbour.bytes + neighbour.published);
        if (strcmp (neighbour.link, "up") == 0) {
            int64_t behind = skr_api_behind (self, member);
            now[SKR_TREND_UP]++;
            now[SKR_TREND_BEHIND] = behind > now[SKR_TREND_BEHIND] ? behind : now[SKR_TREND_BEHIND];
        }
    }
}

void skr_api_trend_turn (skr_api_t *self)
{
    int64_t now[SKR_TREND_ROWS] = {0};
    skr_replica_stats_t stats;
    skr_store_stats_t store;
    uint64_t mono_ms = skr_api_now_ms (self);
    if (!skr_trend_due (&self->trend, mono_ms)) {
        return;
    }
    skr_replica_stats (self->replica, &stats);
    skr_store_stats (skr_replica_store (self->replica), &store);
    now[SKR_TREND_APPLIED] = (int64_t) stats.applied;
    now[SKR_TREND_WRITTEN] = (int64_t) stats.written;
    now[SKR_TREND_WAITING] = (int64_t) stats.waiting;
    now[SKR_TREND_USED] = (int64_t) store.used_bytes;
    for (size_t i = 1; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        now[SKR_TREND_LOG] += (int64_t) collection->log_bytes;
        now[SKR_TREND_CONFLICTS] += (int64_t) skr_api_count_conflicts (self, collection);
    }
    look_at_links (self, now);
    skr_trend_take (&self->trend, now, mono_ms);
}

saker_err_t skr_api_trends (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_arguments_end (call));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, SKR_TREND_ROWS);
    for (int row = 0; row < SKR_TREND_ROWS; row++) {
        skr_cbor_put_array (call->body, 3);
        skr_api_put_text (call->body, skr_trend_name ((skr_trend_row_t) row));
        skr_cbor_put_uint (call->body, SKR_TREND_STEP_MS);
        skr_cbor_put_array (call->body, self->trend.count);
        for (size_t i = 0; i < self->trend.count; i++) {
            skr_cbor_put_int (call->body, skr_trend_at (&self->trend, (skr_trend_row_t) row, i));
        }
    }
    return SAKER_OK;
}

/* ---- the log level */

saker_err_t skr_api_log_level (skr_api_t *self, skr_api_call_t *call)
{
    skr_fields_need (&call->fields, 0);
    uint64_t level = skr_cbor_get_uint (&call->cbor);
    skr_fields_need (&call->fields, 1);
    uint64_t for_ms = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    if (level > SKR_LOG_DEBUG || for_ms > SAKER_LOG_LEVEL_MS_MAX) {
        return skr_fail (SAKER_EINPUT,
                         "a log level is 0 to 3, for %d ms at most: ask again to go on",
                         SAKER_LOG_LEVEL_MS_MAX);
    }
    if (self->neighbours.log_level) {
        self->neighbours.log_level (self->neighbours.context, (skr_level_t) level, for_ms);
    }
    skr_cbor_put_map (call->body, 0);
    return SAKER_OK;
}
