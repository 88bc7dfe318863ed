/* A record in LMDB: checksum 8 | payload. The checksum is SipHash-2-4, with the store's key, of

     table u8 | size of key u16 | key | payload

   so a record that strays to another key or table is found as well. The store's key lies in
   SKR_META under "store": format u32 | key 16, itself checked with a key of zeros. */

#include "peer/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define DAMAGE_KEY_BYTES_MAX 24 /* shown in a sentence */
#define DAMAGE_LOGGED_MAX 16
/* Below this a short write is taken for a full disk. */
#define DISK_FREE_BYTES_MIN (1u << 20)

static const char *const table_names[SKR_TABLES] = {
    [SKR_META] = "meta",
    [SKR_WRITERS] = "writers",
    [SKR_WRITER_IDS] = "writer-ids",
    [SKR_COLLECTIONS] = "collections",
    [SKR_TICKS] = "ticks",
    [SKR_DOCUMENTS] = "documents",
    [SKR_DOCUMENT_IDS] = "document-ids",
    [SKR_CELLS] = "cells",
    [SKR_LOG] = "log",
    [SKR_POSITIONS] = "positions",
    [SKR_OPERATIONS] = "operations",
    [SKR_CURSORS] = "cursors",
    [SKR_INVITATIONS] = "invitations",
    [SKR_ADDRESSES] = "addresses",
    [SKR_ASIDE] = "aside",
    [SKR_VOID] = "void",
    [SKR_CONFLICTS] = "conflicts",
    [SKR_HISTORY] = "history",
};

const char *skr_table_name (skr_table_t table)
{
    return table_names[table];
}

skr_table_t skr_table_named (skr_span_t name)
{
    int table = 0;
    while (table < SKR_TABLES && !skr_span_equal (skr_span_text (table_names[table]), name)) {
        table++;
    }
    return (skr_table_t) table;
}

/* ---- errors */

static bool disk_is_full (const skr_store_t *self)
{
    struct statvfs disk;
    return statvfs (self->folder, &disk) == 0
           && (uint64_t) disk.f_bavail * disk.f_frsize < DISK_FREE_BYTES_MIN;
}

static saker_err_t full (const skr_store_t *self)
{
    return skr_fail (
        SAKER_EFULL,
        "store %s: the disk is full: free some space and try again (what was committed "
        "is safe and can be read)",
        self->folder);
}

saker_err_t skr_store_err (const skr_store_t *self, int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return SAKER_OK;
    case MDB_NOTFOUND:
        return SAKER_ENOTFOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return full (self);
    case ENOMEM:
        return skr_fail (SAKER_ENOMEM, "store %s: out of memory or address space", self->folder);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return skr_fail (SAKER_ELIMIT,
                         "store %s: a group of more than %zu bytes: write less at once",
                         self->folder, self->room_bytes);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL: /* no tree is so deep, and no page so full, but for damage */
    case MDB_PAGE_FULL:
    case MDB_INVALID:
        return skr_fail (SAKER_EDAMAGED, "store %s is damaged (%s): restore it, or join anew",
                         self->folder, mdb_strerror (code));
    case MDB_VERSION_MISMATCH:
        return skr_fail (SAKER_EVERSION, "store %s was written by another version of LMDB",
                         self->folder);
    case MDB_PANIC:
        return skr_fail (SAKER_EIO, "store %s: a write to its header failed: check the disk",
                         self->folder);
    case EIO:
        /* LMDB says so for a short write too, which is what a disk that fills up gives. */
        if (disk_is_full (self)) {
            return full (self);
        }
        return skr_fail (SAKER_EIO, "store %s: the disk does not read or write: check it",
                         self->folder);
    default:
        return skr_fail (SAKER_EIO, "store %s: %s", self->folder, mdb_strerror (code));
    }
}

static saker_err_t damaged (skr_store_t *self, skr_table_t table, skr_span_t key, const char *how)
{
    char text[2 * DAMAGE_KEY_BYTES_MAX + 1];
    bool cut = key.size > DAMAGE_KEY_BYTES_MAX;
    skr_hex (text, key.data, cut ? DAMAGE_KEY_BYTES_MAX : key.size);
    (void) skr_fail (SAKER_EDAMAGED, "store %s: table %s, key %s%s: %s", self->folder,
                     table_names[table], text, cut ? "..." : "", how);
    self->stats.damaged_records++;
    if (self->stats.damaged_records <= DAMAGE_LOGGED_MAX) {
        skr_log (self->world, SKR_LOG_ERROR, "%s", skr_error ());
    }
    return SAKER_EDAMAGED;
}

/* ---- checksums */

/* The record that holds the key is checked without it. */
static bool is_identity (skr_table_t table, skr_span_t key)
{
    return table == SKR_META && skr_span_equal (key, skr_span_text (SKR_STORE_IDENTITY_KEY));
}

/* Lays table, key and payload out in the scratch; the payload there, in one piece, is a copy. */
static saker_err_t sum_of_parts (skr_store_t *self, skr_table_t table, skr_span_t key,
                                 const skr_span_t *parts, size_t count,
                                 uint8_t sum[SKR_STORE_SUM_BYTES])
{
    static const uint8_t no_key[crypto_shorthash_KEYBYTES];
    uint8_t head[3] = {(uint8_t) table, (uint8_t) (key.size >> 8), (uint8_t) key.size};
    skr_buf_clear (&self->scratch);
    skr_buf_append (&self->scratch, head, sizeof head);
    skr_buf_append_span (&self->scratch, key);
    for (size_t i = 0; i < count; i++) {
        skr_buf_append_span (&self->scratch, parts[i]);
    }
    if (self->scratch.failed) {
        skr_buf_free (&self->scratch);
        return skr_fail (SAKER_ENOMEM, "out of memory for a record");
    }
    (void) crypto_shorthash (sum, self->scratch.data, self->scratch.size,
                             is_identity (table, key) ? no_key : self->key);
    return SAKER_OK;
}

saker_err_t skr_store_sum (skr_store_t *self, skr_table_t table, skr_span_t key, skr_span_t payload,
                           uint8_t sum[SKR_STORE_SUM_BYTES])
{
    return sum_of_parts (self, table, key, &payload, 1, sum);
}

/* design 6: every record carries a keyed checksum, and one that differs is never handed out. */
saker_err_t skr_store_open_record (skr_store_t *self, skr_table_t table, skr_span_t key,
                                   const MDB_val *record, skr_span_t *payload)
{
    uint8_t sum[SKR_STORE_SUM_BYTES];
    if (record->mv_size < SKR_STORE_SUM_BYTES) {
        return damaged (self, table, key, "too short");
    }
    *payload = skr_span ((const uint8_t *) record->mv_data + SKR_STORE_SUM_BYTES,
                         record->mv_size - SKR_STORE_SUM_BYTES);
    SKR_TRY (skr_store_sum (self, table, key, *payload, sum));
    if (memcmp (sum, record->mv_data, SKR_STORE_SUM_BYTES) != 0) {
        *payload = skr_span (NULL, 0);
        return damaged (self, table, key, "checksum differs");
    }
    return SAKER_OK;
}

/* ---- groups */

/* More than this goes to LMDB at once: it would be written twice, and held in memory. */
#define STAGED_BYTES_MAX (256u << 10)

saker_err_t skr_store_begin (skr_store_t *self)
{
    if (self->grouping) {
        return SAKER_OK;
    }
    /* Not only when the map moves: what is borrowed must not hang on how full the store is. */
    skr_store_forget (self);
    SKR_TRY (skr_store_check_usable (self));
    if (self->looking) {
        return skr_fail (SAKER_ERIGHT, "store %s was opened to be looked at alone", self->folder);
    }
    SKR_TRY (
        skr_store_fit_map (self, self->map_bytes, self->view_wanted ? SKR_STORE_VIEW_GROUPS : 1));
    self->view_wanted = false;
    self->group_failed = 0;
    if (!self->journaling && !self->pending) { /* else the commit comes to it */
        SKR_TRY (skr_store_err (self, mdb_txn_begin (self->env, NULL, 0, &self->group)));
    }
    self->grouping = true;
    return SAKER_OK;
}

bool skr_store_in_group (const skr_store_t *self)
{
    return self->grouping;
}

static saker_err_t commit_direct (skr_store_t *self)
{
    int code = mdb_txn_commit (self->group);
    self->group = NULL;
    if (code && skr_store_has_given_up (self)) {
        self->unsettled = true;
    }
    return skr_store_err (self, code);
}

/* *staged: it goes to the journal. */
static saker_err_t lay_out (skr_store_t *self, bool *staged)
{
    if (self->journaling && !skr_journal_lay_out (&self->journal, &self->staged)) {
        return skr_store_err (self, ENOMEM);
    }
    *staged = self->journaling && skr_journal_could_have_room (&self->journal);
    return *staged ? SAKER_OK : skr_store_err (self, skr_store_turn_direct (self));
}

static saker_err_t commit (skr_store_t *self)
{
    bool staged = !self->group;
    if (self->group_failed) {
        return skr_store_err (self, self->group_failed);
    }
    if (staged && self->staged.count == 0) {
        return SAKER_OK;
    }
    if (staged) {
        SKR_TRY (lay_out (self, &staged));
    }
    return staged ? skr_store_commit_staged (self) : commit_direct (self);
}

saker_err_t skr_store_commit (skr_store_t *self)
{
    assert (self->grouping);
    saker_err_t error = commit (self);
    skr_store_abort (self); /* of what is left of it */
    skr_store_forget (self);
    self->stats.commits += error == SAKER_OK;
    self->stats.failed_commits += error != SAKER_OK;
    return error;
}

void skr_store_abort (skr_store_t *self)
{
    if (self->group) {
        mdb_txn_abort (self->group);
    }
    self->group = NULL;
    self->cells = NULL; /* it ended with the group */
    self->grouping = false;
    skr_staged_clear (&self->staged);
}

/* ---- writing */

/* Tables whose new keys are mostly the highest: appended, so that their pages are left full. */
static bool mostly_appended (skr_table_t table)
{
    return table == SKR_LOG || table == SKR_CELLS || table == SKR_DOCUMENT_IDS
           || table == SKR_HISTORY;
}

/* Cells come in order: from where the last one was it is not far. */
static int replace_cells (const skr_store_t *self, MDB_txn *transaction, MDB_cursor **cells,
                          MDB_val *key, MDB_val *record)
{
    int code = *cells ? 0 : mdb_cursor_open (transaction, self->tables[SKR_CELLS], cells);
    return code ? code : mdb_cursor_put (*cells, key, record, MDB_RESERVE);
}

int skr_store_reserve (const skr_store_t *self, MDB_txn *transaction, MDB_cursor **cells,
                       skr_table_t table, MDB_val *key, MDB_val *record, bool there)
{
    if (there) {
        return replace_cells (self, transaction, cells, key, record);
    }
    int code = MDB_KEYEXIST;
    size_t size = record->mv_size;
    if (mostly_appended (table)) {
        code = mdb_put (transaction, self->tables[table], key, record, MDB_RESERVE | MDB_APPEND);
    }
    if (code == MDB_KEYEXIST) {
        record->mv_size = size;
        code = mdb_put (transaction, self->tables[table], key, record, MDB_RESERVE);
    }
    return code;
}

static int apply_one (const skr_store_t *self, MDB_txn *transaction, MDB_cursor **cells,
                      skr_table_t table, const skr_staged_record_t *staged)
{
    MDB_val key = skr_val_of (staged->key), record = {.mv_size = staged->record.size};
    if (skr_staged_is_removed (staged)) {
        int code = mdb_del (transaction, self->tables[table], &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    }
    int code = skr_store_reserve (self, transaction, cells, table, &key, &record, staged->there);
    if (code == 0) {
        memcpy (record.mv_data, staged->record.data, staged->record.size);
    }
    return code;
}

int skr_store_apply (const skr_store_t *self, MDB_txn *transaction)
{
    MDB_cursor *cells = NULL;
    int code = 0;
    for (int table = 0; table < SKR_TABLES && code == 0; table++) {
        const skr_staged_table_t *staged = &self->staged.tables[table];
        for (size_t i = 0; i < staged->count && code == 0; i++) {
            code = apply_one (self, transaction, &cells, (skr_table_t) table, &staged->records[i]);
        }
    }
    if (cells) {
        mdb_cursor_close (cells);
    }
    return code;
}

/* The first failure of a group stands: LMDB would answer with MDB_BAD_TXN from now on. */
static saker_err_t fail_group (skr_store_t *self, int code)
{
    saker_err_t error = skr_store_err (self, code);
    if (code == MDB_MAP_FULL && self->room_bytes < SKR_STORE_MAP_BYTES_MAX) {
        self->room_bytes *= 2;
    }
    self->group_failed = code;
    return error;
}

/* A group that has become large is written to LMDB at once; not while it is scanned. */
static int turn_when_large (skr_store_t *self, size_t more)
{
    bool large = self->staged.bytes + more > STAGED_BYTES_MAX;
    return large && !self->group && self->scans == 0 ? skr_store_turn_direct (self) : 0;
}

/* Room for a record. */
static int reserve (skr_store_t *self, skr_table_t table, MDB_val *key, MDB_val *record, bool there)
{
    int code = turn_when_large (self, key->mv_size + record->mv_size);
    if (code) {
        return code;
    }
    if (self->group) {
        return skr_store_reserve (self, self->group, &self->cells, table, key, record, there);
    }
    record->mv_data =
        skr_staged_put (&self->staged, table, skr_val_span (key), record->mv_size, there);
    return record->mv_data ? 0 : ENOMEM;
}

static saker_err_t put (skr_store_t *self, skr_table_t table, skr_span_t key,
                        const skr_span_t *parts, size_t count, bool there)
{
    uint8_t sum[SKR_STORE_SUM_BYTES];
    assert (self->grouping && key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    if (self->group_failed) {
        return skr_store_err (self, self->group_failed);
    }
    saker_err_t error = sum_of_parts (self, table, key, parts, count, sum);
    if (error) {
        self->group_failed = ENOMEM;
        return error;
    }
    /* From the scratch: the caller's key and value may lie on pages that the put moves. */
    uint8_t *copy = self->scratch.data + 3;
    size_t size = self->scratch.size - 3 - key.size;
    MDB_val key_val = {.mv_size = key.size, .mv_data = copy};
    MDB_val record = {.mv_size = SKR_STORE_SUM_BYTES + size, .mv_data = NULL};
    int code = reserve (self, table, &key_val, &record, there);
    if (code) {
        return fail_group (self, code);
    }
    memcpy (record.mv_data, sum, SKR_STORE_SUM_BYTES);
    memcpy ((uint8_t *) record.mv_data + SKR_STORE_SUM_BYTES, copy + key.size, size);
    return SAKER_OK;
}

saker_err_t skr_store_put (skr_store_t *self, skr_table_t table, skr_span_t key, skr_span_t value)
{
    return put (self, table, key, &value, 1, false);
}

saker_err_t skr_store_put_parts (skr_store_t *self, skr_table_t table, skr_span_t key,
                                 const skr_span_t *parts, size_t count)
{
    return put (self, table, key, parts, count, false);
}

saker_err_t skr_store_replace_cells (skr_store_t *self, skr_span_t key, skr_span_t value)
{
    return put (self, SKR_CELLS, key, &value, 1, true);
}

/* Is there a record, as the group sees it? */
static int look_for (MDB_txn *transaction, const skr_staged_t *staged, skr_table_t table,
                     MDB_dbi handle, MDB_val *key)
{
    MDB_val record;
    const skr_staged_record_t *own = skr_staged_find (staged, table, skr_val_span (key));
    if (own) {
        return skr_staged_is_removed (own) ? MDB_NOTFOUND : 0;
    }
    return mdb_get (transaction, handle, key, &record);
}

saker_err_t skr_store_remove (skr_store_t *self, skr_table_t table, skr_span_t key)
{
    MDB_txn *transaction;
    MDB_val key_val = skr_val_of (key);
    const skr_staged_t *staged;
    int code;
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (skr_store_sees (self, SKR_GROUP, &transaction, &staged));
    if (!staged) {
        code = mdb_del (transaction, self->tables[table], &key_val, NULL);
    } else {
        code = look_for (transaction, staged, table, self->tables[table], &key_val);
        if (code == 0 && !skr_staged_put (&self->staged, table, key, 0, false)) {
            code = ENOMEM;
        }
    }
    return code && code != MDB_NOTFOUND ? fail_group (self, code) : skr_store_err (self, code);
}

saker_err_t skr_store_empty (skr_store_t *self, skr_table_t table)
{
    assert (self->grouping && self->scans == 0);
    if (self->group_failed) {
        return skr_store_err (self, self->group_failed);
    }
    int code = self->group ? 0 : skr_store_turn_direct (self);
    code = code ? code : mdb_drop (self->group, self->tables[table], 0);
    return code ? fail_group (self, code) : SAKER_OK;
}

/* ---- telling */

void skr_store_stats (skr_store_t *self, skr_store_stats_t *stats)
{
    struct stat status;
    int file;
    *stats = self->stats;
    stats->map_bytes = self->map_bytes;
    stats->used_bytes = self->env ? skr_store_used_bytes (self) : 0;
    if (self->env && mdb_env_get_fd (self->env, &file) == 0 && fstat (file, &status) == 0) {
        stats->file_bytes = (uint64_t) status.st_size;
    }
}
