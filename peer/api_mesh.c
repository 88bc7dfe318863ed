/* Commands that tell about members and about this peer. */

#include "peer/api_internal.h"
#include "peer/carrying.h"
#include "peer/conflicts.h"
#include "peer/cutter.h"
#include "peer/fork.h"
#include "peer/incarnation.h"
#include "peer/partial.h"

#include <string.h>

#define PEERS_MAX 512       /* in one page */
#define WRITERS_MAX 256     /* of this device, counted */
#define COLLECTIONS_MAX 512 /* in one page of the status */

/* ---- PEERS */

static int64_t count_missing (skr_api_t *self, const skr_member_t *member, bool there)
{
    static const skr_clock_t nothing;
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    uint64_t missing = 0;
    bool told = false;
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *ours = skr_replica_collection_at (self->replica, i);
        skr_reported_t reported = {.clock = NULL};
        self->neighbours.reported (self->neighbours.context, member->device, &ours->id, &reported);
        const skr_clock_t *theirs = reported.clock ? reported.clock : &nothing;
        told = told || reported.clock;
        if (!(there ? skr_roster_carries (roster, member->device, &ours->id)
                    : skr_carrying (self->replica, &ours->id))) {
            continue;
        }
        missing += there ? skr_clock_missing (&ours->clock, theirs)
                         : skr_clock_missing (theirs, &ours->clock);
    }
    return told ? (int64_t) missing : -1;
}

int64_t skr_api_behind (skr_api_t *self, const skr_member_t *member)
{
    return count_missing (self, member, true);
}

int64_t skr_api_ahead (skr_api_t *self, const skr_member_t *member)
{
    return count_missing (self, member, false);
}

bool skr_api_is_own (const skr_api_t *self, const skr_member_t *member)
{
    return memcmp (member->device, skr_device_key (skr_replica_device (self->replica)), 32) == 0;
}

void skr_api_neighbour (skr_api_t *self, const skr_member_t *member, skr_neighbour_t *neighbour)
{
    *neighbour = (skr_neighbour_t){
        .link = "silent", .address = "", .seen_ms = -1, .rtt_us = -1, .heard_ms = -1};
    self->neighbours.neighbour (self->neighbours.context, member->device, neighbour);
    if (member->role == SKR_ROLE_NONE && !skr_api_is_own (self, member)) {
        neighbour->link = "revoked"; /* nobody calls it, so it is not silent */
    }
}

void skr_api_put_member (const skr_member_t *member, const skr_neighbour_t *neighbour,
                         skr_buf_t *buf)
{
    char id[17];
    skr_device_text (member->device, id);
    skr_api_put_text (buf, member->name);
    skr_api_put_text (buf, id);
    skr_api_put_text (buf, skr_role_text (member->role));
    skr_api_put_text (buf, neighbour->link);
    skr_api_put_text (buf, neighbour->address);
}

static void put_peer (skr_api_t *self, const skr_member_t *member, skr_buf_t *buf)
{
    skr_neighbour_t neighbour;
    skr_api_neighbour (self, member, &neighbour);
    if (member->role != SKR_ROLE_NONE
        && skr_roster_is_fenced (skr_replica_roster (self->replica), member->device)) {
        neighbour.link = "fenced";
    }
    bool own = skr_api_is_own (self, member);
    int64_t behind = own ? 0 : skr_api_behind (self, member);
    skr_cbor_put_array (buf, 9);
    skr_api_put_member (member, &neighbour, buf);
    skr_cbor_put_int (buf, neighbour.seen_ms);
    skr_cbor_put_int (buf, behind);
    skr_cbor_put_int (buf, skr_api_lag_ms (self, member, behind));
    skr_cbor_put_int (buf, neighbour.rtt_us);
}

/* Number of the first member whose key is not below `from`. */
static size_t first_member (const skr_roster_t *roster, const uint8_t from[32])
{
    size_t index = 0;
    while (index < skr_roster_count (roster)
           && memcmp (skr_roster_at (roster, index)->device, from, 32) < 0) {
        index++;
    }
    return index;
}

saker_err_t skr_api_members (skr_api_t *self, skr_api_call_t *call, size_t page,
                             skr_api_member_fn *put)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    uint8_t from[SKR_DEVICE_KEY_BYTES] = {0};
    if (skr_fields_has (&call->fields, 0)) {
        skr_cbor_get_fixed (&call->cbor, from, sizeof from);
    }
    SKR_TRY (skr_api_arguments_end (call));
    size_t first = first_member (roster, from), left = skr_roster_count (roster) - first;
    size_t count = left < page ? left : page;
    skr_cbor_put_map (call->body, left > count ? 2 : 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, count);
    for (size_t i = first; i < first + count; i++) {
        put (self, skr_roster_at (roster, i), call->body);
    }
    if (left > count) {
        skr_cbor_put_uint (call->body, 1);
        skr_cbor_put_bytes (call->body, skr_roster_at (roster, first + count)->device, 32);
    }
    return SAKER_OK;
}

saker_err_t skr_api_peers (skr_api_t *self, skr_api_call_t *call)
{
    return skr_api_members (self, call, PEERS_MAX, put_peer);
}

/* ---- STATUS: pairs of pointer and value */

static size_t put_count (skr_buf_t *pairs, const char *pointer, uint64_t value)
{
    skr_api_put_text (pairs, pointer);
    skr_cbor_put_uint (pairs, value <= INT64_MAX ? value : INT64_MAX);
    return 1;
}

static size_t put_text (skr_buf_t *pairs, const char *pointer, const char *value)
{
    skr_api_put_text (pairs, pointer);
    skr_api_put_text (pairs, value);
    return 1;
}

static size_t put_flag (skr_buf_t *pairs, const char *pointer, bool value)
{
    skr_api_put_text (pairs, pointer);
    skr_cbor_put_bool (pairs, value);
    return 1;
}

static uint64_t count_members (const skr_roster_t *roster)
{
    uint64_t count = 0;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        count += skr_roster_at (roster, i)->role != SKR_ROLE_NONE;
    }
    return count;
}

static size_t put_identity (skr_api_t *self, skr_buf_t *pairs)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_member_t *member = skr_replica_self (self->replica);
    char mesh[33], writer[33], device[17];
    skr_id_t present;
    size_t count = 0;
    skr_hex (mesh, skr_roster_mesh (roster)->bytes, 16);
    skr_hex (writer, skr_replica_writer (self->replica)->bytes, 16);
    skr_device_text (member->device, device);
    count += put_text (pairs, "/mesh/name", skr_roster_mesh_name (roster));
    count += put_text (pairs, "/mesh/id", mesh);
    count += put_count (pairs, "/mesh/members", count_members (roster));
    count += put_text (pairs, "/device/name", member->name);
    count += put_text (pairs, "/device/id", device);
    count += put_text (pairs, "/device/role", skr_role_text (member->role));
    count += put_text (pairs, "/writer", writer);
    count += put_flag (pairs, "/device/fenced", skr_roster_is_fenced (roster, member->device));
    count += put_flag (pairs, "/device/doubled",
                       skr_roster_present (roster, member->device, &present) > 1);
    count += put_count (pairs, "/clock/wall_ms", self->world->wall_ms (self->world->context));
    count += put_count (pairs, "/clock/up_ms", skr_api_now_ms (self) - self->since_ms);
    return count;
}

/* How often this device's store went on as another writer, why and when the last time. */
static size_t put_incarnation (skr_api_t *self, skr_buf_t *pairs)
{
    uint64_t forks = 0, others = 0;
    skr_id_t writers[WRITERS_MAX];
    const skr_renewal_t *renewal = skr_replica_renewal (self->replica);
    size_t count = 0;
    size_t all = skr_roster_writers (skr_replica_roster (self->replica),
                                     skr_device_key (skr_replica_device (self->replica)), writers,
                                     WRITERS_MAX);
    count += put_count (pairs, "/incarnation/count", all);
    if (renewal->why != SKR_DOUBT_NONE) {
        count += put_text (pairs, "/incarnation/why", skr_doubt_text (renewal->why));
        count += put_text (pairs, "/incarnation/what", skr_doubt_sentence (renewal->why));
        count += put_count (pairs, "/incarnation/since_ms", renewal->wall_ms);
    }
    if (skr_fork_count (self->replica, &forks, &others) == SAKER_OK && forks > 0) {
        count += put_count (pairs, "/fork/collections", forks);
        count += put_count (pairs, "/fork/changes_kept", others);
        count += put_text (
            pairs, "/fork/what",
            "two stores wrote as this one: it is settled as soon as it is known where they part");
    }
    return count;
}

static size_t put_store (skr_api_t *self, skr_buf_t *pairs)
{
    skr_store_stats_t stats;
    size_t count = 0;
    skr_store_stats (skr_replica_store (self->replica), &stats);
    count +=
        put_text (pairs, "/store/folder", skr_store_folder (skr_replica_store (self->replica)));
    count += put_count (pairs, "/store/file_bytes", stats.file_bytes);
    count += put_count (pairs, "/store/used_bytes", stats.used_bytes);
    count += put_count (pairs, "/store/map_bytes", stats.map_bytes);
    count += put_count (pairs, "/store/commits", stats.commits);
    count += put_count (pairs, "/store/failed_commits", stats.failed_commits);
    count += put_count (pairs, "/store/damaged_records", stats.damaged_records);
    return count;
}

static size_t put_changes (skr_api_t *self, skr_buf_t *pairs)
{
    skr_replica_stats_t stats;
    size_t count = 0;
    skr_replica_stats (self->replica, &stats);
    count += put_count (pairs, "/changes/applied", stats.applied);
    count += put_count (pairs, "/changes/written", stats.written);
    count += put_count (pairs, "/changes/repeated", stats.repeated);
    count += put_count (pairs, "/changes/waiting", stats.waiting);
    count += put_count (pairs, "/changes/waiting_bytes", stats.waiting_bytes);
    count += put_count (pairs, "/changes/dropped", stats.dropped);
    count += put_count (pairs, "/changes/future", stats.future);
    count += put_count (pairs, "/refused/all", stats.refused);
    count += put_count (pairs, "/refused/form", stats.refused_form);
    count += put_count (pairs, "/refused/signature", stats.refused_signature);
    count += put_count (pairs, "/refused/right", stats.refused_right);
    count += put_count (pairs, "/refused/fork", stats.refused_fork);
    count += put_count (pairs, "/refused/delayed", stats.delayed);
    count += put_count (pairs, "/refused/key", stats.refused_key);
    return count;
}

static size_t put_log (const skr_api_t *self, skr_buf_t *pairs)
{
    skr_cutter_stats_t stats;
    size_t count = 0;
    if (!self->cutter) {
        return 0;
    }
    uint64_t now_ms = self->world->wall_ms (self->world->context);
    skr_cutter_stats (self->cutter, &stats);
    count += put_count (pairs, "/log/bytes", stats.log_bytes);
    count += put_count (pairs, "/log/cut_changes", stats.entries);
    count += put_count (pairs, "/log/cut_bytes", stats.bytes);
    count += put_count (pairs, "/log/longest_slice_ms", stats.longest_ms);
    if (stats.oldest_wall_ms) { /* the age of the cut: nothing older is kept */
        count += put_count (pairs, "/log/cut_age_ms",
                            now_ms > stats.oldest_wall_ms ? now_ms - stats.oldest_wall_ms : 0);
    }
    return count;
}

static size_t put_api (const skr_api_t *self, skr_buf_t *pairs)
{
    size_t count = 0;
    count += put_count (pairs, "/api/clients", self->clients);
    count += put_count (pairs, "/api/requests", self->requests);
    count += put_count (pairs, "/api/refused", self->refused);
    count += put_count (pairs, "/api/bad_requests", self->bad_requests);
    count += put_count (pairs, "/api/full", self->full);
    count += put_count (pairs, "/api/waiting", self->waiters_count);
    return count;
}

/* What a damaged record hides is built anew at the next start. */
uint64_t skr_api_count_conflicts (const skr_api_t *self, const skr_collection_t *collection)
{
    uint64_t count = 0;
    saker_err_t error = skr_conflicts_count (skr_replica_store (self->replica), SKR_COMMITTED,
                                             collection->no, &count);
    return error == SAKER_OK ? count : 0;
}

static size_t put_totals (skr_api_t *self, skr_buf_t *pairs)
{
    uint64_t documents = 0, changes = 0, conflicts = 0;
    size_t all = skr_replica_collections (self->replica), count = 0;
    for (size_t i = 1; i < all; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        documents += collection->documents;
        conflicts += skr_api_count_conflicts (self, collection);
        changes += collection->changes;
    }
    count += put_count (pairs, "/data/collections", all > 0 ? all - 1 : 0);
    count += put_count (pairs, "/data/documents", documents);
    count += put_count (pairs, "/data/changes", changes);
    count += put_count (pairs, "/data/conflicts", conflicts);
    return count;
}

static size_t put_general (skr_api_t *self, skr_buf_t *pairs)
{
    size_t count = put_identity (self, pairs);
    count += put_totals (self, pairs);
    count += put_changes (self, pairs);
    count += put_incarnation (self, pairs);
    count += put_store (self, pairs);
    count += put_log (self, pairs);
    count += put_api (self, pairs);
    return count + self->neighbours.status (self->neighbours.context, pairs);
}

/* "/collections/NAME/what" */
static void put_pointer (skr_buf_t *pairs, const char *name, const char *what)
{
    skr_buf_t path = {0}, pointer = {0};
    skr_cbor_put_text (&path, "collections", strlen ("collections"));
    skr_cbor_put_text (&path, name, strlen (name));
    skr_cbor_put_text (&path, what, strlen (what));
    skr_path_to_pointer (&pointer, skr_span_of (&path));
    skr_cbor_put_text (pairs, (const char *) pointer.data, pointer.size);
    pairs->failed = pairs->failed || path.failed || pointer.failed;
    skr_buf_free (&path);
    skr_buf_free (&pointer);
}

/* What is carried of it, and whether that is still to become what is wanted. */
static size_t put_part (const skr_api_t *self, const skr_collection_t *collection, const char *name,
                        skr_buf_t *pairs)
{
    char words[SKR_PART_WORDS_BYTES];
    const skr_partial_t *partial = skr_partial_of (self->replica, &collection->id);
    if (!partial->wanted.partial && !partial->carried.partial) {
        return 0;
    }
    put_pointer (pairs, name, "carries");
    skr_api_put_text (pairs, skr_part_words (&partial->wanted, words));
    put_pointer (pairs, name, "fetching");
    skr_cbor_put_bool (pairs, skr_partial_lacks (partial));
    put_pointer (pairs, name, "removing");
    skr_cbor_put_bool (pairs, partial->removing);
    return 3;
}

static size_t put_collection (const skr_api_t *self, const skr_collection_t *collection,
                              skr_buf_t *pairs)
{
    char text[64];
    const char *name = skr_api_collection_name (collection, text);
    put_pointer (pairs, name, "carried");
    skr_cbor_put_bool (pairs, skr_carrying (self->replica, &collection->id));
    put_pointer (pairs, name, "changes");
    skr_cbor_put_uint (pairs, collection->changes);
    put_pointer (pairs, name, "conflicts");
    skr_cbor_put_uint (pairs, skr_api_count_conflicts (self, collection));
    put_pointer (pairs, name, "documents");
    skr_cbor_put_uint (pairs, collection->documents);
    put_pointer (pairs, name, "fingerprint");
    skr_api_put_fingerprint (pairs, &collection->fingerprint);
    put_pointer (pairs, name, "log_bytes");
    skr_cbor_put_uint (pairs, collection->log_bytes);
    put_pointer (pairs, name, "sealed");
    skr_cbor_put_bool (pairs, collection->sealed);
    return 7 + put_part (self, collection, name, pairs);
}

saker_err_t skr_api_status (skr_api_t *self, skr_api_call_t *call)
{
    size_t all = skr_replica_collections (self->replica), count = 0;
    skr_buf_t *pairs = skr_api_scratch (self);
    skr_fields_need (&call->fields, 0);
    uint64_t from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    if (from == 0) {
        count += put_general (self, pairs);
    }
    size_t next = from < all ? (size_t) from : all;
    for (size_t end = next + COLLECTIONS_MAX; next < all && next < end; next++) {
        count += put_collection (self, skr_replica_collection_at (self->replica, next), pairs);
    }
    skr_cbor_put_map (call->body, next < all ? 2 : 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, 2 * count);
    skr_buf_append_span (call->body, skr_span_of (pairs));
    if (next < all) {
        skr_cbor_put_uint (call->body, 1);
        skr_cbor_put_uint (call->body, next);
    }
    return pairs->failed ? skr_fail (SAKER_ENOMEM, "the daemon is out of memory") : SAKER_OK;
}
