#include "gateway/standing.h"

#include "gateway/doorman.h"

#include <stdlib.h>
#include <string.h>

#define GAUGE "gauge"
#define COUNTER "counter"
#define REFUSED "saker_changes_refused_total", COUNTER, "Changes of others that were refused."

const standing_number_t standing_numbers[] = {
    {"/mesh/members", "saker_members", GAUGE, "Members of the mesh, this peer included.", 1, {0}},
    {"/data/collections", "saker_collections", GAUGE, "Collections.", 1, {0}},
    {"/data/documents", "saker_documents", GAUGE, "Documents in all collections.", 1, {0}},
    {"/data/conflicts",
     "saker_conflicts",
     GAUGE,
     "Places with rival values in all collections.",
     1,
     {0}},
    {"/changes/applied",
     "saker_changes_applied_total",
     COUNTER,
     "Changes that were applied here, those written here included.",
     1,
     {0}},
    {"/changes/written",
     "saker_changes_written_total",
     COUNTER,
     "Changes that were written here.",
     1,
     {0}},
    {"/changes/repeated",
     "saker_changes_repeated_total",
     COUNTER,
     "Changes that came and were here already.",
     1,
     {0}},
    {"/changes/dropped",
     "saker_changes_dropped_total",
     COUNTER,
     "Changes that came too early and had no room to wait; they are fetched again.",
     1,
     {0}},
    {"/changes/future",
     "saker_changes_future_total",
     COUNTER,
     "Changes whose time is ahead of this clock.",
     1,
     {0}},
    {"/changes/waiting",
     "saker_changes_waiting",
     GAUGE,
     "Changes that wait for what they build on.",
     1,
     {0}},
    {"/changes/waiting_bytes",
     "saker_changes_waiting_bytes",
     GAUGE,
     "Size of the changes that wait for what they build on.",
     1,
     {0}},
    {"/refused/form", REFUSED, 1, {"why", "form"}},
    {"/refused/signature", REFUSED, 1, {"why", "signature"}},
    {"/refused/right", REFUSED, 1, {"why", "right"}},
    {"/refused/fork", REFUSED, 1, {"why", "fork"}},
    {"/refused/key", REFUSED, 1, {"why", "key"}},
    {"/store/file_bytes", "saker_store_file_bytes", GAUGE, "Size of the store's file.", 1, {0}},
    {"/store/used_bytes",
     "saker_store_used_bytes",
     GAUGE,
     "Bytes of the store's file that are in use.",
     1,
     {0}},
    {"/store/map_bytes",
     "saker_store_map_bytes",
     GAUGE,
     "Bytes that the store may grow to before it maps more.",
     1,
     {0}},
    {"/store/commits", "saker_store_commits_total", COUNTER, "Commits.", 1, {0}},
    {"/store/failed_commits",
     "saker_store_failed_commits_total",
     COUNTER,
     "Commits that failed; nothing of them was acknowledged.",
     1,
     {0}},
    {"/store/failed_groups",
     "saker_store_failed_groups_total",
     COUNTER,
     "Groups of changes that could not be stored.",
     1,
     {0}},
    {"/store/damaged_records",
     "saker_store_damaged_records_total",
     COUNTER,
     "Records that could not be read; they are set aside and fetched again.",
     1,
     {0}},
    {"/log/bytes", "saker_log_bytes", GAUGE, "Size of the history that is kept.", 1, {0}},
    {"/log/cut_changes",
     "saker_log_cut_changes_total",
     COUNTER,
     "Changes that were let go from the history.",
     1,
     {0}},
    {"/log/cut_bytes",
     "saker_log_cut_bytes_total",
     COUNTER,
     "Bytes that were let go from the history.",
     1,
     {0}},
    {"/log/cut_age_ms",
     "saker_log_oldest_seconds",
     GAUGE,
     "Age of the oldest change in the history.",
     0.001,
     {0}},
    {"/api/clients",
     "saker_api_clients",
     GAUGE,
     "Programs that are connected to the local socket.",
     1,
     {0}},
    {"/api/requests", "saker_api_requests_total", COUNTER, "Requests on the local socket.", 1, {0}},
    {"/api/refused",
     "saker_api_refused_total",
     COUNTER,
     "Requests on the local socket that got an error.",
     1,
     {0}},
    {"/api/bad_requests",
     "saker_api_bad_requests_total",
     COUNTER,
     "Requests on the local socket that made no sense.",
     1,
     {0}},
    {"/api/full",
     "saker_api_full_total",
     COUNTER,
     "Requests on the local socket that found no room.",
     1,
     {0}},
    {"/api/waiting",
     "saker_api_waiting",
     GAUGE,
     "Requests on the local socket that wait for something to come.",
     1,
     {0}},
    {"/incarnation/count",
     "saker_incarnations",
     GAUGE,
     "Writers that this device has been; one more after each restore or clone.",
     1,
     {0}},
    {"/fork/collections",
     "saker_fork_collections",
     GAUGE,
     "Collections in which two stores wrote as this device.",
     1,
     {0}},
    {"/beacon/heard", "saker_beacons_heard_total", COUNTER, "Beacons of members.", 1, {0}},
    {"/beacon/strange", "saker_beacons_strange_total", COUNTER, "Beacons of others.", 1, {0}},
    {"/door/refused",
     "saker_connections_refused_total",
     COUNTER,
     "Connections of those who are no members.",
     1,
     {0}},
    {"/door/cut",
     "saker_connections_cut_total",
     COUNTER,
     "Connections that were cut off because of what came over them.",
     1,
     {0}},
    {"/live/frames_in",
     "saker_live_frames_in_total",
     COUNTER,
     "Frames of fresh changes that came.",
     1,
     {0}},
    {"/live/frames_out",
     "saker_live_frames_out_total",
     COUNTER,
     "Frames of fresh changes that were sent.",
     1,
     {0}},
    {"/live/bytes_in",
     "saker_live_bytes_in_total",
     COUNTER,
     "Bytes of fresh changes that came.",
     1,
     {0}},
    {"/live/bad_frames",
     "saker_live_bad_frames_total",
     COUNTER,
     "Frames that made no sense.",
     1,
     {0}},
    {"/beats/in", "saker_beats_in_total", COUNTER, "Beats that came.", 1, {0}},
    {"/beats/out", "saker_beats_out_total", COUNTER, "Beats that were sent.", 1, {0}},
    {"/router/bad_requests",
     "saker_sessions_bad_requests_total",
     COUNTER,
     "Requests of members that made no sense.",
     1,
     {0}},
    {"/sessions/requests",
     "saker_sessions_requests_total",
     COUNTER,
     "Requests to other peers for what is missing here.",
     1,
     {0}},
    {"/sessions/bytes_in",
     "saker_sessions_bytes_in_total",
     COUNTER,
     "Bytes that came in answers of other peers.",
     1,
     {0}},
    {"/sessions/timeouts",
     "saker_sessions_timeouts_total",
     COUNTER,
     "Requests to other peers that were not answered in time.",
     1,
     {0}},
    {"/sessions/bad_answers",
     "saker_sessions_bad_answers_total",
     COUNTER,
     "Answers of other peers that made no sense.",
     1,
     {0}},
    {"/sessions/snapshots",
     "saker_sessions_snapshots_total",
     COUNTER,
     "Snapshots that were taken.",
     1,
     {0}},
    {.pointer = NULL},
};

_Static_assert(sizeof standing_numbers / sizeof *standing_numbers <= STANDING_NUMBERS_MAX,
               "a number has no place");

/* ---- status */

static void take_text (char *to, size_t size, const saker_value_t *value)
{
    if (value->type == SAKER_TEXT) {
        snprintf (to, size, "%.*s", (int) value->as.string.size, value->as.string.data);
    }
}

static void take_name (standing_t *self, const saker_leaf_t *leaf)
{
    const struct {
        const char *pointer;
        char *to;
        size_t size;
    } texts[] = {
        {"/mesh/name", self->mesh, sizeof self->mesh},
        {"/mesh/id", self->mesh_id, sizeof self->mesh_id},
        {"/device/name", self->device, sizeof self->device},
        {"/device/id", self->device_id, sizeof self->device_id},
        {"/device/role", self->role, sizeof self->role},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp (leaf->pointer, texts[i].pointer) == 0) {
            take_text (texts[i].to, texts[i].size, &leaf->value);
        }
    }
    self->twin = self->twin || strcmp (leaf->pointer, "/twin/what") == 0;
}

/* STANDING_NUMBERS_MAX: there is none. */
static size_t place_of (const char *pointer)
{
    for (size_t i = 0; standing_numbers[i].pointer; i++) {
        if (strcmp (pointer, standing_numbers[i].pointer) == 0) {
            return i;
        }
    }
    return STANDING_NUMBERS_MAX;
}

static void set_number (standing_t *self, const char *pointer, int64_t value)
{
    size_t place = place_of (pointer);
    if (place < STANDING_NUMBERS_MAX) {
        self->numbers[place] = value;
    }
}

/* Splits /collections/NAME/WHAT. */
static bool split (const char *pointer, char name[SAKER_COLLECTION_BYTES_MAX + 1],
                   const char **what)
{
    static const char prefix[] = "/collections/";
    size_t used = 0;
    if (strncmp (pointer, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    for (pointer += sizeof prefix - 1; *pointer && *pointer != '/'; pointer++) {
        char letter = *pointer;
        if (letter == '~') {
            letter = *++pointer == '1' ? '/' : '~';
        }
        if (used == SAKER_COLLECTION_BYTES_MAX) {
            return false;
        }
        name[used++] = letter;
    }
    name[used] = 0;
    *what = *pointer ? pointer + 1 : pointer;
    return true;
}

/* Its leaves come one after the other. NULL: it is left out. */
static standing_collection_t *collection_of (standing_t *self, const char *name, const char *what)
{
    standing_collection_t *last =
        self->collections_count ? &self->collections[self->collections_count - 1] : NULL;
    if (last && strcmp (last->name, name) == 0) {
        return last;
    }
    if (*name == '@' || !doorman_may_see (self->request, name)) {
        return NULL;
    }
    if (self->collections_count == STANDING_COLLECTIONS_MAX) {
        self->collections_left_out += strcmp (what, "documents") == 0;
        return NULL;
    }
    last = &self->collections[self->collections_count++];
    *last = (standing_collection_t){.documents = 0};
    snprintf (last->name, sizeof last->name, "%s", name);
    return last;
}

static void take_collection (standing_t *self, const saker_leaf_t *leaf)
{
    char name[SAKER_COLLECTION_BYTES_MAX + 1];
    const char *what;
    if (leaf->value.type != SAKER_INT || !split (leaf->pointer, name, &what)) {
        return;
    }
    standing_collection_t *collection = collection_of (self, name, what);
    int64_t value = leaf->value.as.integer;
    if (!collection) {
        return;
    }
    if (strcmp (what, "documents") == 0) {
        collection->documents = value;
    } else if (strcmp (what, "changes") == 0) {
        collection->changes = value;
    } else if (strcmp (what, "conflicts") == 0) {
        collection->conflicts = value;
    } else if (strcmp (what, "log_bytes") == 0) {
        collection->log_bytes = value;
    }
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    take_name (argument, leaf);
    if (leaf->value.type == SAKER_INT) {
        set_number (argument, leaf->pointer, leaf->value.as.integer);
    }
    take_collection (argument, leaf);
    return 0;
}

/* ---- peers */

static int take_peer (const saker_peer_t *peer, void *argument)
{
    standing_t *self = argument;
    if (self->peers_count == STANDING_PEERS_MAX) {
        self->peers_left_out++;
        return 0;
    }
    standing_peer_t *copy = &self->peers[self->peers_count++];
    *copy = (standing_peer_t){.seen_ms = peer->seen_ms,
                              .behind = peer->behind,
                              .lag_ms = peer->lag_ms,
                              .rtt_us = peer->rtt_us};
    snprintf (copy->name, sizeof copy->name, "%s", peer->name);
    snprintf (copy->id, sizeof copy->id, "%s", peer->id);
    snprintf (copy->role, sizeof copy->role, "%s", peer->role);
    snprintf (copy->link, sizeof copy->link, "%s", peer->link);
    return 0;
}

/* ---- for others */

saker_err_t standing_read (standing_t *self, const request_t *request, call_t *call)
{
    *self = (standing_t){.request = request};
    memset (self->numbers, 0xff, sizeof self->numbers);
    set_number (self, "/fork/collections", 0); /* told when there is one */
    self->collections = calloc (STANDING_COLLECTIONS_MAX, sizeof *self->collections);
    self->peers = calloc (STANDING_PEERS_MAX, sizeof *self->peers);
    if (!self->collections || !self->peers) {
        return call_memory (call);
    }
    saker_err_t error = saker_status (call->peer, take_leaf, self);
    if (error == SAKER_OK) {
        error = saker_peers (call->peer, take_peer, self);
    }
    return call_library (call, error);
}

void standing_free (standing_t *self)
{
    free (self->collections);
    free (self->peers);
    self->collections = NULL;
    self->peers = NULL;
}

int64_t standing_number (const standing_t *self, const char *pointer)
{
    size_t place = place_of (pointer);
    return place < STANDING_NUMBERS_MAX ? self->numbers[place] : -1;
}
