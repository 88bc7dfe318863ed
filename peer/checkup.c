#include "peer/checkup.h"

#include "peer/checkup_internal.h"
#include "peer/numbers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES_MAX 1024
#define KEY_BYTES_SHOWN 24
#define STEPS 256 /* records between two calls of the progress function */

const char skr_checkup_restore[] =
    "make the store anew in another folder from a backup of this device (saker restore FILE), or "
    "join anew (saker join): what other peers have comes back; keep this folder until it has";

/* ---- telling */

saker_err_t skr_checkup_find (skr_checkup_t *self, skr_tally_t *kind, const char *code,
                              const char *next, const char *format, ...)
{
    char sentence[SENTENCE_BYTES_MAX];
    va_list arguments;
    self->found++;
    if (++kind->count > SKR_CHECKUP_TOLD_MAX) {
        return SAKER_OK;
    }
    va_start (arguments, format);
    (void) vsnprintf (sentence, sizeof sentence, format, arguments);
    va_end (arguments);
    saker_finding_t finding = {code, sentence, next};
    return self->finding_fn (&finding, self->argument) ? SKR_STOP : SAKER_OK;
}

saker_err_t skr_checkup_more (skr_checkup_t *self, const skr_tally_t *kind, const char *code,
                              const char *next, const char *what)
{
    char sentence[SENTENCE_BYTES_MAX];
    if (kind->count <= SKR_CHECKUP_TOLD_MAX) {
        return SAKER_OK;
    }
    snprintf (sentence, sizeof sentence, "%s: %" PRIu64 " more", what,
              kind->count - SKR_CHECKUP_TOLD_MAX);
    saker_finding_t finding = {code, sentence, next};
    return self->finding_fn (&finding, self->argument) ? SKR_STOP : SAKER_OK;
}

saker_err_t skr_checkup_step (skr_checkup_t *self)
{
    if (++self->done % STEPS != 0 || !self->progress_fn) {
        return SAKER_OK;
    }
    return self->progress_fn (self->done, self->total, self->argument) ? SKR_STOP : SAKER_OK;
}

/* ---- records */

/* What a damaged record of each table means. */
static const struct {
    const char *what, *next; /* NULL: skr_checkup_restore */
} records[SKR_TABLES] = {
    [SKR_META] = {"what this store is", NULL},
    [SKR_WRITERS] = {"the number of a writer", NULL},
    [SKR_WRITER_IDS] = {"the id of a writer", NULL},
    [SKR_COLLECTIONS] = {"a collection", NULL},
    [SKR_TICKS] = {"a clock", NULL},
    [SKR_DOCUMENTS] = {"the number of a document", NULL},
    [SKR_DOCUMENT_IDS] = {"the id of a document", NULL},
    [SKR_CELLS] = {"the values of a document", NULL},
    [SKR_LOG] = {"a change in the log", NULL},
    [SKR_POSITIONS] = {"the place of a change in the log", NULL},
    [SKR_OPERATIONS] = {"a receipt",
                        "nothing, if no program asks again for what it wrote; its request would be "
                        "refused as damaged"},
    [SKR_CURSORS] = {"a cursor of the feed", "begin it anew: saker watch --from NAME --reset"},
    [SKR_INVITATIONS] = {"a ticket", "make another one: saker invite"},
    [SKR_ADDRESSES] = {"the address of a member",
                       "start sakerd: it learns the address again when it meets the member"},
    [SKR_ASIDE] = {"a record that was set aside", "nothing: it was damaged before"},
    [SKR_VOID] = {"a change that was taken back", NULL},
    [SKR_CONFLICTS] = {"the index of conflicts", "start sakerd: it makes the index anew"},
    [SKR_HISTORY] = {"the index of history", "start sakerd: it makes the index anew"},
};

static const char *next_of (skr_table_t table)
{
    return records[table].next ? records[table].next : skr_checkup_restore;
}

typedef struct walking_t {
    skr_checkup_t *checkup;
    skr_table_t table;
    skr_tally_t damaged, disordered;
    uint64_t count;
    skr_buf_t last; /* key */
} walking_t;

/* Which document a record of cells is of, as far as that can be read. */
static void name_document (skr_checkup_t *self, skr_span_t key, char text[SENTENCE_BYTES_MAX / 2])
{
    skr_span_t id;
    const skr_held_t *held = skr_holdings_by_no (self->replica, skr_get_u32 (key.data));
    bool known = skr_store_document_id (self->store, SKR_COMMITTED, skr_get_u32 (key.data),
                                        skr_get_u64 (key.data + 4), &id)
                 == SAKER_OK;
    snprintf (text, SENTENCE_BYTES_MAX / 2, " (%s/%.*s)",
              held && held->shown.name[0] ? held->shown.name : "?", known ? (int) id.size : 1,
              known ? (const char *) id.data : "?");
}

static saker_err_t find_damaged (walking_t *walking, skr_span_t key)
{
    char hex[2 * KEY_BYTES_SHOWN + 1], text[SENTENCE_BYTES_MAX / 2] = "";
    size_t shown = key.size < KEY_BYTES_SHOWN ? key.size : KEY_BYTES_SHOWN;
    skr_hex (hex, key.data, shown);
    if (walking->table == SKR_CELLS && key.size >= 12) {
        name_document (walking->checkup, key, text);
    }
    walking->checkup->broken[walking->table] = true;
    return skr_checkup_find (
        walking->checkup, &walking->damaged, "record.damaged", next_of (walking->table),
        "a record of %s%s is damaged: table %s, key %s%s", records[walking->table].what, text,
        skr_table_name (walking->table), hex, shown < key.size ? "..." : "");
}

static saker_err_t walk_record (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    walking_t *walking = argument;
    (void) value;
    SKR_TRY (skr_checkup_step (walking->checkup));
    if (walking->count++ > 0 && skr_span_compare (skr_span_of (&walking->last), key) >= 0) {
        SKR_TRY (skr_checkup_find (walking->checkup, &walking->disordered, "pages.order",
                                   skr_checkup_restore, "table %s is not in the order of its keys",
                                   skr_table_name (walking->table)));
    }
    skr_buf_clear (&walking->last);
    skr_buf_append_span (&walking->last, key);
    if (walking->last.failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    return damaged ? find_damaged (walking, key) : SAKER_OK;
}

/* The walk, what LMDB says of it, and whether it is as many as LMDB notes. */
static saker_err_t walk_table (walking_t *walking)
{
    skr_checkup_t *self = walking->checkup;
    skr_tally_t kind = {0};
    uint64_t noted = 0;
    saker_err_t error = skr_store_noted (self->store, walking->table, &noted);
    error = error ? error : skr_store_walk (self->store, walking->table, walk_record, walking);
    if (error == SAKER_EDAMAGED) {
        self->broken[walking->table] = true;
        return skr_checkup_find (self, &kind, "pages.damaged", skr_checkup_restore,
                                 "the pages of table %s cannot be read: %s",
                                 skr_table_name (walking->table), skr_error ());
    }
    SKR_TRY (error);
    SKR_TRY (skr_checkup_more (self, &walking->damaged, "record.damaged", next_of (walking->table),
                               records[walking->table].what));
    return walking->count == noted
               ? SAKER_OK
               : skr_checkup_find (self, &kind, "pages.count", skr_checkup_restore,
                                   "table %s holds %" PRIu64 " records, where %" PRIu64
                                   " are noted: a page was lost",
                                   skr_table_name (walking->table), walking->count, noted);
}

static saker_err_t check_records (skr_checkup_t *self)
{
    for (int i = 0; i < SKR_TABLES; i++) {
        walking_t walking = {.checkup = self, .table = (skr_table_t) i};
        saker_err_t error = walk_table (&walking);
        skr_buf_free (&walking.last);
        SKR_TRY (error);
    }
    return SAKER_OK;
}

/* ---- all of it */

saker_err_t skr_checkup_open (skr_replica_t **self_p, const char *folder, const skr_world_t *world,
                              saker_err_t *key, saker_err_t *loaded)
{
    skr_store_t *store = NULL;
    skr_device_t *device = NULL;
    *self_p = NULL;
    SKR_TRY (skr_store_open (&store, folder, SKR_STORE_LOOK, world));
    *key = skr_device_load (&device, folder);
    saker_err_t error = skr_replica_new (self_p, &store, &device, world);
    if (error) {
        skr_replica_close (self_p);
        return error;
    }
    *loaded = skr_replica_look (*self_p);
    return SAKER_OK;
}

static uint64_t count_records (skr_store_t *store)
{
    /* what is compared is read again */
    static const uint8_t readings[SKR_TABLES] = {
        [SKR_WRITER_IDS] = 2, [SKR_DOCUMENT_IDS] = 2, [SKR_CELLS] = 2,
        [SKR_LOG] = 2,        [SKR_POSITIONS] = 2,    [SKR_OPERATIONS] = 2};
    uint64_t total = 0, count;
    for (int i = 0; i < SKR_TABLES; i++) {
        if (skr_store_noted (store, (skr_table_t) i, &count) == SAKER_OK) {
            total += count * (readings[i] ? readings[i] : 1);
        }
    }
    return total;
}

static saker_err_t compare (skr_checkup_t *self)
{
    SKR_TRY (skr_compare_writers (self));
    SKR_TRY (skr_compare_documents (self));
    SKR_TRY (skr_compare_cells (self));
    SKR_TRY (skr_compare_log (self));
    SKR_TRY (skr_compare_chains (self));
    SKR_TRY (skr_compare_indexes (self));
    return skr_compare_receipts (self);
}

static saker_err_t look_through (skr_checkup_t *self, const char *folder, const skr_world_t *world)
{
    skr_tally_t kinds[4] = {{0}};
    saker_err_t key, loaded;
    char trouble[SENTENCE_BYTES_MAX];
    saker_err_t error = skr_checkup_open (&self->replica, folder, world, &key, &loaded);
    if (error == SAKER_EDAMAGED) {
        return skr_checkup_find (self, &kinds[0], "pages.damaged", skr_checkup_restore, "%s",
                                 skr_error ());
    }
    SKR_TRY (error);
    snprintf (trouble, sizeof trouble, "%s", loaded ? skr_error () : "");
    self->store = skr_replica_store (self->replica);
    self->total = count_records (self->store);
    if (skr_store_journal_damaged (self->store)) {
        SKR_TRY (skr_checkup_find (self, &kinds[3], "journal.damaged", skr_checkup_restore,
                                   "a write in the journal is damaged: the last writes, those in "
                                   "the journal, are not looked at"));
    }
    if (key) {
        SKR_TRY (skr_checkup_find (
            self, &kinds[1], "key.damaged",
            "put device.key back from where it was, or make the store anew from a backup",
            "the key of this device, %s/device.key, cannot be read: contents of changes are not "
            "looked at",
            folder));
    }
    SKR_TRY (check_records (self));
    if (loaded) {
        return skr_checkup_find (self, &kinds[2], "data.unreadable", skr_checkup_restore,
                                 "what the store holds cannot be put together: %s", trouble);
    }
    if (!key && !skr_replica_self (self->replica)) {
        SKR_TRY (skr_checkup_find (self, &kinds[1], "key.stranger", "put the right device.key back",
                                   "device.key is not that of a member of this store's mesh"));
    }
    return compare (self);
}

saker_err_t skr_checkup (const char *folder, const skr_world_t *world, saker_finding_fn *finding_fn,
                         saker_progress_fn *progress_fn, void *argument)
{
    skr_checkup_t checkup = {
        .finding_fn = finding_fn, .progress_fn = progress_fn, .argument = argument};
    saker_err_t error = look_through (&checkup, folder, world);
    skr_replica_close (&checkup.replica);
    if (error == SKR_STOP) {
        return skr_fail (SAKER_EINPUT, "the check was ended");
    }
    SKR_TRY (error);
    return checkup.found ? skr_fail (SAKER_EDAMAGED, "store %s is damaged: %" PRIu64 " finding%s",
                                     folder, checkup.found, checkup.found == 1 ? "" : "s")
                         : SAKER_OK;
}
