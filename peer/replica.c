/* Records in SKR_META: "mesh" 16, "incarnation" 16, "epoch" 16, "hlc" u64, "started" u64; see also
   holdings.c. */

#include "peer/fetching.h"
#include "peer/history.h"
#include "peer/nearest.h"
#include "peer/replica_internal.h"

#include <assert.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MADE_BYTES_MAX (8u << 20) /* what is over it is not published, but pulled */

/* ---- records */

static saker_err_t put_meta (skr_replica_t *self, const char *key, const void *value, size_t size)
{
    return skr_store_put (self->store, SKR_META, skr_span_text (key), skr_span (value, size));
}

static saker_err_t get_meta (skr_replica_t *self, const char *key, void *value, size_t size)
{
    skr_span_t found;
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (key), &found);
    if (error == SAKER_ENOTFOUND || (error == SAKER_OK && found.size != size)) {
        return skr_fail (SAKER_EDAMAGED,
                         "store %s was not made to its end (no %s): remove it and begin again",
                         skr_store_folder (self->store), key);
    }
    SKR_TRY (error);
    memcpy (value, found.data, size);
    return SAKER_OK;
}

static saker_err_t put_time (skr_replica_t *self, const char *key, uint64_t time)
{
    uint8_t value[8];
    skr_put_u64 (value, time);
    return put_meta (self, key, value, sizeof value);
}

static saker_err_t load_meta (skr_replica_t *self)
{
    uint8_t hlc[8];
    SKR_TRY (get_meta (self, "mesh", self->mesh.bytes, sizeof self->mesh.bytes));
    SKR_TRY (get_meta (self, "incarnation", self->incarnation, sizeof self->incarnation));
    SKR_TRY (get_meta (self, "epoch", self->epoch.bytes, sizeof self->epoch.bytes));
    SKR_TRY (get_meta (self, "hlc", hlc, sizeof hlc));
    self->hlc = self->hlc_shown = skr_get_u64 (hlc);
    skr_device_writer (skr_device_key (self->device), self->incarnation, &self->writer);
    SKR_TRY (skr_incarnation_load (self));
    skr_incarnation_committed (self);
    return SAKER_OK;
}

saker_err_t skr_replica_put_meta (skr_replica_t *self)
{
    SKR_TRY (put_meta (self, "mesh", self->mesh.bytes, sizeof self->mesh.bytes));
    SKR_TRY (put_meta (self, "incarnation", self->incarnation, sizeof self->incarnation));
    SKR_TRY (put_meta (self, "epoch", self->epoch.bytes, sizeof self->epoch.bytes));
    return put_time (self, "hlc", self->hlc);
}

/* ---- the roster in memory */

static saker_err_t add_entry (const skr_entry_t *entry, void *argument)
{
    return skr_roster_keep (argument, &entry->dot, entry->hlc, entry->value);
}

static saker_err_t fill_roster (skr_replica_t *self, skr_roster_t *roster)
{
    static const skr_id_t id;
    const skr_held_t *held = skr_holdings_find (self, &id);
    if (!held) {
        return SAKER_OK;
    }
    const skr_cells_t *cells = skr_cells_store_committed (self->cells, held->live.no);
    return cells->scan (cells->context, skr_span (NULL, 0), skr_span (NULL, 0), add_entry, roster);
}

/* Adds the roster up again from what is committed. */
static saker_err_t read_roster (skr_replica_t *self)
{
    skr_roster_t *roster = NULL;
    SKR_TRY (skr_roster_new (&roster, &self->mesh));
    saker_err_t error = fill_roster (self, roster);
    if (error == SAKER_OK) {
        error = skr_roster_settle (roster);
    }
    if (error == SAKER_OK) {
        error = skr_keyring_update (self->keyring, roster, self->device);
    }
    if (error != SAKER_OK) {
        skr_roster_destroy (&roster);
        return skr_wrap (error, "read the roster");
    }
    skr_roster_destroy (&self->roster);
    self->roster = roster;
    self->roster_version++;
    self->roster_unread = false;
    self->closings = 0; /* of none: limits are enforced with the next change, or turn */
    return SAKER_OK;
}

/* ---- groups */

saker_err_t skr_replica_check_group (const skr_replica_t *self)
{
    assert (skr_store_in_group (self->store));
    return self->group_error == SAKER_OK
               ? SAKER_OK
               : skr_fail (self->group_error, "an earlier failure spoiled this group");
}

saker_err_t skr_replica_spoil (skr_replica_t *self, saker_err_t error)
{
    self->group_error = error;
    return error;
}

bool skr_replica_in_group (const skr_replica_t *self)
{
    return skr_store_in_group (self->store);
}

/* The store decides what of an unsettled commit counts; memory follows it. */
saker_err_t skr_replica_settle (skr_replica_t *self)
{
    if (skr_store_settled (self->store) && !self->unloaded) {
        return SAKER_OK;
    }
    skr_cells_store_drop (self->cells);
    self->unloaded = true;
    SKR_TRY (skr_store_settle (self->store));
    SKR_TRY (skr_replica_reload (self));
    self->unloaded = false;
    skr_log (self->world, SKR_LOG_WARNING, "the store was opened anew after a failed commit");
    return SAKER_OK;
}

saker_err_t skr_replica_begin (skr_replica_t *self)
{
    if (skr_store_in_group (self->store)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_replica_settle (self));
    if (self->roster_unread) {
        SKR_TRY (read_roster (self));
    }
    SKR_TRY (skr_store_begin (self->store));
    self->stats_shown = self->stats;
    return SAKER_OK;
}

/* When that fails, all is read again before the next group. */
static void read_fetching (skr_replica_t *self)
{
    if (skr_fetching_load (self) != SAKER_OK) {
        self->unloaded = true;
    }
}

void skr_replica_abort (skr_replica_t *self)
{
    if (!skr_store_in_group (self->store) && self->group_error == SAKER_OK) {
        return;
    }
    skr_store_abort (self->store);
    skr_cells_store_drop (self->cells);
    skr_store_forget (self->store);
    skr_holdings_aborted (self);
    skr_incarnation_aborted (self);
    self->hlc = self->hlc_shown;
    self->made.size = self->made_shown;
    self->stats.applied = self->stats_shown.applied;
    self->stats.written = self->stats_shown.written;
    self->stats.future = self->stats_shown.future;
    self->stats.voided = self->stats_shown.voided;
    self->closings = 0;
    self->group_error = SAKER_OK;
    skr_partial_ended (self, false);
    if (self->fetching_moved) {
        self->fetching_moved = false;
        read_fetching (self);
    }
    if (!skr_store_settled (self->store)) {
        self->roster_unread |= self->roster_moved;
        self->roster_moved = false;
        if (skr_replica_settle (self) != SAKER_OK) {
            skr_log (self->world, SKR_LOG_ERROR, "%s", skr_error ());
        }
    } else if (self->roster_moved) {
        self->roster_moved = false;
        self->roster_unread = true;
        if (read_roster (self) != SAKER_OK) {
            skr_log (self->world, SKR_LOG_ERROR, "%s", skr_error ());
        }
    }
}

static saker_err_t save_group (skr_replica_t *self)
{
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (skr_cells_store_flush (self->cells));
    SKR_TRY (skr_holdings_save (self));
    if (self->hlc != self->hlc_shown) {
        SKR_TRY (put_time (self, "hlc", self->hlc));
    }
    if (self->start_due) {
        SKR_TRY (put_time (self, "started", self->started_ms));
    }
    return skr_store_commit (self->store);
}

saker_err_t skr_replica_commit (skr_replica_t *self)
{
    if (!skr_store_in_group (self->store)) {
        return SAKER_OK;
    }
    saker_err_t error = save_group (self);
    if (error != SAKER_OK) {
        self->group_error = error; /* for the abort: the store's group may be gone already */
        skr_replica_abort (self);
        return error;
    }
    skr_holdings_committed (self);
    skr_incarnation_committed (self);
    self->start_due = false;
    self->hlc_shown = self->hlc;
    self->made_shown = self->made.size;
    self->roster_moved = false;
    skr_partial_ended (self, true);
    self->fetching_moved = false;
    skr_store_forget (self->store);
    return SAKER_OK;
}

/* ---- what was made */

void skr_replica_unsent (skr_replica_t *self, const skr_id_t *collection, skr_span_t change)
{
    uint8_t head[20];
    size_t before = self->made.size;
    if (before + sizeof head + change.size > MADE_BYTES_MAX) {
        return;
    }
    memcpy (head, collection->bytes, 16);
    skr_put_u32 (head + 16, (uint32_t) change.size);
    skr_buf_append (&self->made, head, sizeof head);
    skr_buf_append_span (&self->made, change);
    if (self->made.failed) {
        /* Publishing is a courtesy: others pull. */
        self->made.failed = false;
        self->made.size = before;
    }
}

void skr_replica_made (skr_replica_t *self, skr_made_fn *visit, void *argument)
{
    for (size_t at = 0; at < self->made_shown;) {
        skr_id_t collection;
        size_t size = skr_get_u32 (self->made.data + at + 16);
        memcpy (collection.bytes, self->made.data + at, 16);
        visit (&collection, skr_span (self->made.data + at + 20, size), argument);
        at += 20 + size;
    }
    size_t rest = self->made.size - self->made_shown;
    if (rest > 0) {
        memmove (self->made.data, self->made.data + self->made_shown, rest);
    }
    self->made.size = rest;
    self->made_shown = 0;
}

/* ---- opening and closing */

saker_err_t skr_replica_new (skr_replica_t **self_p, skr_store_t **store_p, skr_device_t **device_p,
                             const skr_world_t *world)
{
    skr_replica_t *self = calloc (1, sizeof *self);
    if (!self) {
        skr_store_close (store_p);
        skr_device_destroy (device_p);
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->world = world;
    self->store = *store_p;
    self->device = *device_p;
    self->next_no = self->next_no_shown = 1;
    self->forked = true;
    *store_p = NULL;
    *device_p = NULL;
    *self_p = self;
    SKR_TRY (skr_cells_store_new (&self->cells, self->store));
    SKR_TRY (skr_keyring_new (&self->keyring));
    return skr_waiting_new (&self->waiting);
}

void skr_replica_close (skr_replica_t **self_p)
{
    skr_replica_t *self = *self_p;
    if (!self) {
        return;
    }
    skr_replica_abort (self);
    skr_cells_store_destroy (&self->cells);
    skr_store_close (&self->store);
    skr_fetching_free (self);
    skr_holdings_free (self);
    skr_waiting_destroy (&self->waiting);
    skr_keyring_destroy (&self->keyring);
    skr_roster_destroy (&self->roster);
    skr_device_destroy (&self->device);
    skr_buf_free (&self->made);
    skr_buf_wipe (&self->content);
    skr_buf_wipe (&self->ops);
    skr_buf_wipe (&self->undo);
    skr_room_free (&self->room);
    skr_buf_free (&self->raw);
    free (self);
    *self_p = NULL;
}

/* design 6: a full or ailing disk can still be read; what is left there now goes at a later open.
 */
static saker_err_t sweep (skr_replica_t *self)
{
    saker_err_t error = skr_holdings_sweep (self);
    bool ails = error == SAKER_EFULL || error == SAKER_EIO;
    if (ails && skr_store_settled (self->store)) {
        skr_log (self->world, SKR_LOG_WARNING, "remove what is left over: %s", skr_error ());
        return SAKER_OK;
    }
    return error;
}

static saker_err_t load_all (skr_replica_t *self)
{
    SKR_TRY (load_meta (self));
    SKR_TRY (sweep (self));
    skr_store_forget (self->store);
    SKR_TRY (skr_holdings_load (self));
    SKR_TRY (skr_holdings_look_dropped (self));
    SKR_TRY (skr_fetching_load (self));
    return read_roster (self);
}

saker_err_t skr_replica_look (skr_replica_t *self)
{
    SKR_TRY (get_meta (self, "mesh", self->mesh.bytes, sizeof self->mesh.bytes));
    SKR_TRY (skr_holdings_load (self));
    return self->device ? read_roster (self) : SAKER_OK;
}

saker_err_t skr_replica_reload (skr_replica_t *self)
{
    assert (!skr_store_in_group (self->store));
    skr_cells_store_drop (self->cells);
    skr_store_forget (self->store);
    self->unloaded = true; /* until it is: what is in memory may be gone from the store */
    SKR_TRY (load_all (self));
    self->unloaded = false;
    skr_waiting_wake_all (self->waiting);
    return SAKER_OK;
}

saker_err_t skr_replica_tidy (skr_replica_t *self)
{
    if (self->closings == skr_roster_closings (self->roster) || skr_replica_in_group (self)) {
        return SAKER_OK; /* an open group sees to it with its next change */
    }
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = skr_admit_ready (self);
    if (error != SAKER_OK) {
        skr_replica_abort (self);
        return error;
    }
    return skr_replica_commit (self);
}

void skr_replica_rest (skr_replica_t *self)
{
    if (!skr_replica_in_group (self)) {
        skr_cells_store_drop (self->cells);
        (void) malloc_trim (0); /* it was many small pieces */
    }
}

/* On a full disk it counts all the same, and is noted with the first group that the disk takes. */
static saker_err_t note_start (skr_replica_t *self)
{
    skr_span_t last;
    uint64_t now_ms = self->world->wall_ms (self->world->context);
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text ("started"), &last);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    uint64_t last_ms = error == SAKER_OK && last.size == 8 ? skr_get_u64 (last.data) : 0;
    self->started_ms = now_ms > last_ms ? now_ms : last_ms + 1;
    self->start_due = true;
    SKR_TRY (skr_replica_begin (self));
    error = skr_replica_commit (self);
    return error == SAKER_EFULL ? SAKER_OK : error;
}

static saker_err_t open_loaded (skr_replica_t *self, skr_doubt_t why)
{
    SKR_TRY (load_all (self));
    if (!skr_replica_self (self)) {
        return skr_fail (SAKER_EDAMAGED,
                         "store %s: its device key is not that of a member: put "
                         "the right device.key back",
                         skr_store_folder (self->store));
    }
    SKR_TRY (skr_replica_check_sums (self));
    SKR_TRY (skr_replica_build_indexes (self));
    SKR_TRY (skr_incarnation_begin (self, why));
    SKR_TRY (note_start (self));
    return skr_replica_tidy (self);
}

saker_err_t skr_replica_open_as (skr_replica_t **self_p, const char *folder, skr_doubt_t why,
                                 const skr_world_t *world)
{
    skr_store_t *store = NULL;
    skr_device_t *device = NULL;
    *self_p = NULL;
    SKR_TRY (skr_store_open (&store, folder, SKR_STORE_OPEN, world));
    saker_err_t error = skr_device_load (&device, folder);
    if (error != SAKER_OK) {
        skr_store_close (&store);
        return error;
    }
    error = skr_replica_new (self_p, &store, &device, world);
    if (error == SAKER_OK) {
        error = open_loaded (*self_p, why);
    }
    if (error != SAKER_OK) {
        skr_replica_close (self_p);
    }
    return skr_wrap (error, "open store");
}

saker_err_t skr_replica_open (skr_replica_t **self_p, const char *folder, const skr_world_t *world)
{
    return skr_replica_open_as (self_p, folder, SKR_DOUBT_NONE, world);
}

/* ---- what it is */

const skr_device_t *skr_replica_device (const skr_replica_t *self)
{
    return self->device;
}

const skr_roster_t *skr_replica_roster (const skr_replica_t *self)
{
    return self->roster;
}

skr_keyring_t *skr_replica_keyring (skr_replica_t *self)
{
    return self->keyring;
}

skr_store_t *skr_replica_store (skr_replica_t *self)
{
    return self->store;
}

const skr_id_t *skr_replica_writer (const skr_replica_t *self)
{
    return &self->writer;
}

const skr_id_t *skr_replica_epoch (const skr_replica_t *self)
{
    return &self->epoch;
}

const skr_member_t *skr_replica_self (const skr_replica_t *self)
{
    return skr_roster_by_device (self->roster, skr_device_key (self->device));
}

skr_role_t skr_replica_role (const skr_replica_t *self, const skr_id_t *collection)
{
    return skr_roster_role (self->roster, skr_device_key (self->device), collection);
}

bool skr_replica_is_own (const skr_replica_t *self, const skr_id_t *writer)
{
    const skr_member_t *author = skr_roster_by_writer (self->roster, writer);
    return author
           && memcmp (author->device, skr_device_key (self->device), sizeof author->device) == 0;
}

uint64_t skr_replica_started_ms (const skr_replica_t *self)
{
    return self->started_ms;
}

void skr_replica_start_after (skr_replica_t *self, uint64_t other_ms)
{
    if (other_ms >= self->started_ms && other_ms < UINT64_MAX) {
        self->started_ms = other_ms + 1;
        self->start_due = true;
    }
}

void skr_replica_stats (const skr_replica_t *self, skr_replica_stats_t *stats)
{
    *stats = self->stats;
    stats->waiting = skr_waiting_count (self->waiting);
    stats->waiting_bytes = skr_waiting_bytes (self->waiting);
}

uint64_t skr_replica_roster_version (const skr_replica_t *self)
{
    return self->roster_version;
}

/* ---- collections */

size_t skr_replica_collections (const skr_replica_t *self)
{
    return self->shown_count;
}

const skr_collection_t *skr_replica_collection_at (const skr_replica_t *self, size_t index)
{
    return index < self->shown_count ? &self->held[index]->shown : NULL;
}

const skr_collection_t *skr_replica_collection (const skr_replica_t *self, const skr_id_t *id)
{
    const skr_held_t *held = skr_holdings_find (self, id);
    return held && !held->fresh ? &held->shown : NULL;
}

static saker_err_t fail_unknown (const skr_replica_t *self, const char *name)
{
    skr_nearest_t nearest;
    skr_nearest_begin (&nearest, name);
    for (size_t i = 1; i < skr_replica_collections (self); i++) { /* not the roster */
        const skr_collection_t *one = skr_replica_collection_at (self, i);
        if (one->name[0] && one->changes > 0) {
            skr_nearest_look (&nearest, one->name);
        }
    }
    return *nearest.name ? skr_fail (SAKER_ENOTFOUND, "no collection called %s: did you mean %s?",
                                     name, nearest.name)
                         : skr_fail (SAKER_ENOTFOUND, "no collection called %s", name);
}

saker_err_t skr_replica_collection_named (const skr_replica_t *self, const char *name,
                                          const skr_collection_t **collection)
{
    skr_id_t id = {{0}};
    if (strcmp (name, "@roster") != 0) {
        SKR_TRY (skr_collection_name_check (name));
        skr_replica_collection_id (self, name, &id);
    }
    *collection = skr_replica_collection (self, &id);
    return *collection ? SAKER_OK : fail_unknown (self, name);
}

saker_err_t skr_replica_hashes (const skr_replica_t *self, const skr_collection_t *collection,
                                uint64_t **hashes)
{
    const skr_held_t *held = skr_holdings_find (self, &collection->id);
    const skr_chains_t *chains = held->touched ? &held->before : &held->chains;
    *hashes = chains->count ? calloc (chains->count, sizeof **hashes) : NULL;
    if (chains->count && !*hashes) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < chains->count; i++) {
        (*hashes)[i] = skr_get_u64 (chains->list[i].hash);
    }
    return SAKER_OK;
}

void skr_replica_collection_id (const skr_replica_t *self, const char *name, skr_id_t *id)
{
    static const char words[] = "saker collection name";
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof id->bytes);
    crypto_generichash_update (&state, (const uint8_t *) words, sizeof words - 1);
    crypto_generichash_update (&state, self->mesh.bytes, sizeof self->mesh.bytes);
    crypto_generichash_update (&state, (const uint8_t *) name, strlen (name));
    crypto_generichash_final (&state, id->bytes, sizeof id->bytes);
}

static bool has_control (const char *name)
{
    const uint8_t *at = (const uint8_t *) name;
    for (; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

saker_err_t skr_collection_name_check (const char *name)
{
    size_t size = strlen (name);
    if (size < 1 || size > SKR_COLLECTION_BYTES_MAX || name[0] == '@' || strchr (name, '/')
        || has_control (name) || !skr_utf8_valid (name, size)) {
        return skr_fail (SAKER_EINPUT,
                         "the name of a collection is UTF-8 of 1 to %d bytes, without '/' and "
                         "control characters, and does not start with '@'",
                         SKR_COLLECTION_BYTES_MAX);
    }
    return SAKER_OK;
}

/* ---- answering */

typedef struct pull_t {
    skr_buf_t *changes;
    size_t start, bytes_max, count;
    bool more;
} pull_t;

static saker_err_t pull_entry (const skr_log_entry_t *entry, void *argument)
{
    pull_t *pull = argument;
    size_t taken = pull->changes->size - pull->start;
    if (pull->count > 0 && taken + entry->change.size + 5 > pull->bytes_max) {
        pull->more = true;
        return SKR_STOP;
    }
    skr_cbor_put_bytes (pull->changes, entry->change.data, entry->change.size);
    pull->count++;
    return pull->changes->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

saker_err_t skr_replica_pull (skr_replica_t *self, const skr_id_t *collection,
                              const skr_clock_t *have, size_t bytes_max, skr_buf_t *changes,
                              size_t *count, bool *more)
{
    const skr_collection_t *ours = skr_replica_collection (self, collection);
    pull_t pull = {.changes = changes, .start = changes->size, .bytes_max = bytes_max};
    if (!ours) {
        return skr_fail (SAKER_ENOTFOUND, "no such collection here");
    }
    saker_err_t error = skr_log_missing (self->store, SKR_COMMITTED, ours->no, &ours->clock, have,
                                         pull_entry, &pull);
    *count = pull.count;
    *more = pull.more;
    if (error != SAKER_OK) {
        changes->size = pull.start;
        *count = 0;
    }
    return error;
}

saker_err_t skr_replica_read (skr_replica_t *self, const skr_collection_t *collection,
                              skr_span_t document, skr_span_t path, skr_leaf_visit_fn *visit,
                              void *argument)
{
    const skr_cells_t *cells = skr_cells_store_committed (self->cells, collection->no);
    SKR_TRY (skr_partial_check (self, collection, document));
    return skr_view_document (cells, document, path, visit, argument, NULL);
}

typedef struct listing_t {
    const skr_partial_t *partial;
    skr_document_fn *visit;
    void *argument;
} listing_t;

static saker_err_t list_shown (skr_span_t document, void *argument)
{
    const listing_t *listing = argument;
    return skr_partial_shows (listing->partial, document)
               ? listing->visit (document, listing->argument)
               : SAKER_OK;
}

saker_err_t skr_replica_documents (skr_replica_t *self, const skr_collection_t *collection,
                                   skr_span_t from, skr_document_fn *visit, void *argument)
{
    listing_t listing = {skr_partial_of (self, &collection->id), visit, argument};
    return skr_cells_store_documents (self->cells, SKR_COMMITTED, collection->no, from, list_shown,
                                      &listing);
}

saker_err_t skr_replica_content (skr_replica_t *self, const skr_change_t *change, skr_buf_t *buf,
                                 skr_content_t *content)
{
    uint8_t key[SKR_SEAL_KEY_BYTES] = {0};
    skr_buf_clear (buf);
    if (!skr_change_is_roster (change)) {
        SKR_TRY (skr_keyring_find (self->keyring, &change->collection, change->key_id, key));
    }
    saker_err_t error = skr_change_unseal (change, key, buf);
    sodium_memzero (key, sizeof key);
    SKR_TRY (error);
    return skr_content_parse (content, skr_span_of (buf));
}
