/* A record in LMDB: checksum 8 | payload. The checksum is SipHash-2-4, with the store's key, of

     table u8 | size of key u16 | key | payload

   so a record that strays to another key or table is found as well. The store's key lies in
   SKR_META under "store": format u32 | key 16, itself checked with a key of zeros. */

#include "peer/store.h"

#include "peer/extent.h"
#include "peer/folder.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHECKSUM_BYTES crypto_shorthash_BYTES
#define IDENTITY_KEY "store"
#define DATA_FILE "data.mdb"
#define READERS_FILE "lock.mdb"
#define LOCK_FILE "lock"
#define DAMAGE_KEY_BYTES_MAX 24 /* shown in a sentence */
#define DAMAGE_LOGGED_MAX 16
/* Address space, not memory or disk. */
#define ROOM_BYTES (sizeof (size_t) > 4 ? (size_t) 256 << 20 : (size_t) 32 << 20)
#define MAP_BYTES_MAX (SIZE_MAX / 4)
#define MAP_STEP_BYTES 65536u /* a multiple of every page size */
#define READERS_FILE_BYTES 8192
#define VIEW_GROUPS 4 /* that fit into the map beside a view */
/* Below this a short write is taken for a full disk. */
#define DISK_FREE_BYTES_MIN (1u << 20)

_Static_assert(CHECKSUM_BYTES == 8, "size of a checksum");

struct skr_store_t {
    char *folder;
    const skr_world_t *world;
    int lock;
    MDB_env *env;
    MDB_dbi tables[SKR_TABLES];
    MDB_txn *group;
    MDB_cursor *cells; /* of the group, where cells are replaced one after the other; or NULL */
    int group_failed;  /* LMDB's code of the first put that failed */
    MDB_txn *reader;
    MDB_txn *view;
    bool view_wanted; /* make room for one at the next begin */
    bool reading;     /* the reader has a snapshot */
    bool unmapped;    /* the map could be set neither to a new size nor back */
    bool looking;     /* SKR_STORE_LOOK */
    bool unsettled;   /* a commit failed so that nobody knows whether it is on the disk */
    size_t map_bytes;
    size_t room_bytes;
    skr_buf_t scratch;
    uint8_t key[crypto_shorthash_KEYBYTES];
    skr_store_stats_t stats;
};

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

#define FIRST_TABLES (SKR_ASIDE + 1) /* that every store has; later versions added the others */
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

static saker_err_t from_lmdb (const skr_store_t *self, int code)
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
    return table == SKR_META && skr_span_equal (key, skr_span_text (IDENTITY_KEY));
}

/* Lays table, key and payload out in the scratch; the payload there is a copy. */
static saker_err_t checksum (skr_store_t *self, skr_table_t table, skr_span_t key,
                             skr_span_t payload, uint8_t sum[CHECKSUM_BYTES])
{
    static const uint8_t no_key[crypto_shorthash_KEYBYTES];
    uint8_t head[3] = {(uint8_t) table, (uint8_t) (key.size >> 8), (uint8_t) key.size};
    skr_buf_clear (&self->scratch);
    skr_buf_append (&self->scratch, head, sizeof head);
    skr_buf_append_span (&self->scratch, key);
    skr_buf_append_span (&self->scratch, payload);
    if (self->scratch.failed) {
        skr_buf_free (&self->scratch);
        return skr_fail (SAKER_ENOMEM, "out of memory for a record of %zu bytes", payload.size);
    }
    (void) crypto_shorthash (sum, self->scratch.data, self->scratch.size,
                             is_identity (table, key) ? no_key : self->key);
    return SAKER_OK;
}

/* design 6: every record carries a keyed checksum, and one that differs is never handed out. */
static saker_err_t open_record (skr_store_t *self, skr_table_t table, skr_span_t key,
                                const MDB_val *record, skr_span_t *payload)
{
    uint8_t sum[CHECKSUM_BYTES];
    if (record->mv_size < CHECKSUM_BYTES) {
        return damaged (self, table, key, "too short");
    }
    *payload = skr_span ((const uint8_t *) record->mv_data + CHECKSUM_BYTES,
                         record->mv_size - CHECKSUM_BYTES);
    SKR_TRY (checksum (self, table, key, *payload, sum));
    if (memcmp (sum, record->mv_data, CHECKSUM_BYTES) != 0) {
        *payload = skr_span (NULL, 0);
        return damaged (self, table, key, "checksum differs");
    }
    return SAKER_OK;
}

/* ---- the map */

static size_t page_bytes (const skr_store_t *self)
{
    MDB_stat status;
    (void) mdb_env_stat (self->env, &status);
    return status.ms_psize;
}

static size_t used_bytes (const skr_store_t *self)
{
    MDB_envinfo info;
    (void) mdb_env_info (self->env, &info);
    return (info.me_last_pgno + 1) * page_bytes (self);
}

/* Sets the map to `bytes`, doubled until there is room in it for so many groups. */
static saker_err_t fit_map_for (skr_store_t *self, size_t bytes, size_t groups)
{
    size_t used = used_bytes (self), room = self->room_bytes * groups;
    while (bytes < MAP_BYTES_MAX
           && (bytes < used || bytes - used < bytes / 4 || bytes - used < room)) {
        bytes *= 2;
    }
    if (bytes == self->map_bytes) {
        return SAKER_OK;
    }
    skr_store_forget (self);
    skr_store_view_close (self); /* LMDB would take the pages away from under it */
    int code = mdb_env_set_mapsize (self->env, bytes);
    if (code == 0) {
        self->map_bytes = bytes;
    } else if (mdb_env_set_mapsize (self->env, self->map_bytes) != 0) {
        /* LMDB has let go of the old map before it asked for the new one. */
        self->unmapped = true;
    }
    return from_lmdb (self, code);
}

static saker_err_t fit_map (skr_store_t *self, size_t bytes)
{
    return fit_map_for (self, bytes, 1);
}

saker_err_t skr_store_room (skr_store_t *self, size_t bytes)
{
    assert (!self->group && bytes > 0);
    self->room_bytes = (bytes + MAP_STEP_BYTES - 1) / MAP_STEP_BYTES * MAP_STEP_BYTES;
    return fit_map (self, self->room_bytes);
}

/* ---- opening */

static saker_err_t check_usable (const skr_store_t *self)
{
    if (self->unsettled) {
        return from_lmdb (self, MDB_PANIC);
    }
    return self->unmapped
               ? skr_fail (SAKER_ENOMEM, "store %s: no address space: open it again", self->folder)
               : SAKER_OK;
}

static saker_err_t check_extent (const skr_store_t *self)
{
    struct stat status;
    int file;
    SKR_TRY (from_lmdb (self, mdb_env_get_fd (self->env, &file)));
    if (fstat (file, &status) != 0
        || !skr_extent_holds (file, page_bytes (self), (size_t) status.st_size,
                              used_bytes (self))) {
        return skr_fail (SAKER_EDAMAGED, "store %s: %s is cut short: restore it, or join anew",
                         self->folder, DATA_FILE);
    }
    return SAKER_OK;
}

/* Without the file of readers, which LMDB would write to: whoever looks has the store alone. */
static saker_err_t open_env_to_look (skr_store_t *self)
{
    SKR_TRY (from_lmdb (self, mdb_env_create (&self->env)));
    SKR_TRY (from_lmdb (self, mdb_env_set_maxdbs (self->env, SKR_TABLES)));
    SKR_TRY (from_lmdb (
        self, mdb_env_open (self->env, self->folder, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600)));
    MDB_envinfo info;
    SKR_TRY (from_lmdb (self, mdb_env_info (self->env, &info)));
    self->map_bytes = info.me_mapsize;
    return check_extent (self);
}

static saker_err_t open_env (skr_store_t *self)
{
    /* LMDB writes to this file through a map: on a full disk that would end in SIGBUS. */
    SKR_TRY (skr_folder_reserve (self->folder, READERS_FILE, READERS_FILE_BYTES));
    SKR_TRY (from_lmdb (self, mdb_env_create (&self->env)));
    SKR_TRY (from_lmdb (self, mdb_env_set_maxdbs (self->env, SKR_TABLES)));
    SKR_TRY (from_lmdb (self, mdb_env_set_mapsize (self->env, self->room_bytes)));
    /* design 6: no NOSYNC, NOMETASYNC, MAPASYNC, WRITEMAP: a commit is on the disk.
       NOTLS: a reader and the writer are used by one thread. */
    SKR_TRY (from_lmdb (self, mdb_env_open (self->env, self->folder, MDB_NOTLS, 0600)));
    int dead;
    SKR_TRY (from_lmdb (self, mdb_reader_check (self->env, &dead)));
    SKR_TRY (check_extent (self));
    return fit_map (self, self->room_bytes);
}

/* What is found may be in the page cache alone: after a header whose write failed, and that reached
   the disk all the same, LMDB writes the old one back, and does not wait for it. If that were lost,
   the disk would have the header of pages that were written anew since. */
static saker_err_t make_lasting (skr_store_t *self)
{
    return from_lmdb (self, mdb_env_sync (self->env, 1));
}

/* *missing: a table that the version that made the store did not know is not there. */
static saker_err_t open_tables (skr_store_t *self, MDB_txn *transaction, unsigned int flags,
                                bool *missing)
{
    *missing = false;
    for (int i = 0; i < SKR_TABLES; i++) {
        int code = mdb_dbi_open (transaction, table_names[i], flags, &self->tables[i]);
        if (code == MDB_NOTFOUND && i >= FIRST_TABLES) {
            *missing = true;
            return SAKER_OK;
        }
        if (code == MDB_NOTFOUND) {
            return skr_fail (SAKER_EDAMAGED,
                             "store %s was not made to its end, or is damaged: table %s is missing",
                             self->folder, table_names[i]);
        }
        SKR_TRY (from_lmdb (self, code));
    }
    return SAKER_OK;
}

/* Handles that were opened in a transaction last only when it ends well. Goes one level deep: when
   tables are created none is missing. */
static saker_err_t open_all_tables (skr_store_t *self, bool create)
{
    MDB_txn *transaction;
    SKR_TRY (
        from_lmdb (self, mdb_txn_begin (self->env, NULL, create ? 0 : MDB_RDONLY, &transaction)));
    bool missing;
    saker_err_t error = open_tables (self, transaction, create ? MDB_CREATE : 0, &missing);
    if (missing && self->looking) {
        error = skr_fail (SAKER_EVERSION,
                          "store %s was made by an earlier version: start sakerd on it once, which "
                          "adds what is new",
                          self->folder);
    }
    if (error || missing) {
        mdb_txn_abort (transaction);
        return error ? error : open_all_tables (self, true);
    }
    return from_lmdb (self, mdb_txn_commit (transaction));
}

#define IDENTITY_BYTES (4 + crypto_shorthash_KEYBYTES)

static saker_err_t make_identity (skr_store_t *self)
{
    uint8_t identity[IDENTITY_BYTES];
    skr_put_u32 (identity, SKR_STORE_FORMAT);
    randombytes_buf (identity + 4, crypto_shorthash_KEYBYTES);
    SKR_TRY (skr_store_begin (self));
    SKR_TRY (skr_store_put (self, SKR_META, skr_span_text (IDENTITY_KEY),
                            skr_span (identity, sizeof identity)));
    SKR_TRY (skr_store_commit (self));
    memcpy (self->key, identity + 4, sizeof self->key);
    return SAKER_OK;
}

static saker_err_t load_identity (skr_store_t *self)
{
    skr_span_t identity;
    saker_err_t error =
        skr_store_get (self, SKR_COMMITTED, SKR_META, skr_span_text (IDENTITY_KEY), &identity);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EDAMAGED, "store %s was not made to its end, or is damaged",
                         self->folder);
    }
    SKR_TRY (error);
    uint32_t format = identity.size >= 4 ? skr_get_u32 (identity.data) : 0;
    if (format != SKR_STORE_FORMAT || identity.size != IDENTITY_BYTES) {
        return skr_fail (SAKER_EVERSION, "store %s has format %lu; this version knows format %d",
                         self->folder, (unsigned long) format, SKR_STORE_FORMAT);
    }
    memcpy (self->key, identity.data + 4, sizeof self->key);
    skr_store_forget (self);
    return SAKER_OK;
}

static saker_err_t open_existing (skr_store_t *self)
{
    SKR_TRY (skr_folder_check (self->folder));
    if (!skr_folder_has (self->folder, DATA_FILE)) {
        return skr_fail (SAKER_ENOTFOUND, "%s is not a store", self->folder);
    }
    if (self->looking) {
        SKR_TRY (skr_folder_guard (self->folder, &self->lock));
        SKR_TRY (open_env_to_look (self));
        SKR_TRY (open_all_tables (self, false));
        return load_identity (self);
    }
    SKR_TRY (skr_folder_lock (self->folder, &self->lock));
    SKR_TRY (open_env (self));
    self->unsettled = make_lasting (self) != SAKER_OK; /* it can be read all the same */
    SKR_TRY (open_all_tables (self, false));
    return load_identity (self);
}

static saker_err_t fill_new (skr_store_t *self)
{
    SKR_TRY (open_env (self));
    SKR_TRY (open_all_tables (self, true));
    SKR_TRY (make_identity (self));
    return skr_folder_sync (self->folder);
}

static saker_err_t create (skr_store_t *self)
{
    bool made;
    SKR_TRY (skr_folder_make (self->folder, &made));
    saker_err_t error = skr_folder_check (self->folder);
    if (!error) {
        error = skr_folder_lock (self->folder, &self->lock);
    }
    if (!error && skr_folder_has (self->folder, DATA_FILE)) {
        /* Another process was quicker; what is there is its own. */
        return skr_fail (SAKER_EEXIST, "%s is a store already", self->folder);
    }
    if (!error) {
        error = fill_new (self);
    }
    if (error && self->lock >= 0) {
        skr_folder_unlink (self->folder, DATA_FILE);
        skr_folder_unlink (self->folder, READERS_FILE);
        skr_folder_unlink (self->folder, LOCK_FILE);
    }
    if (error && made) {
        (void) rmdir (self->folder);
    }
    return error;
}

saker_err_t skr_store_open (skr_store_t **self_p, const char *folder, skr_store_mode_t mode,
                            const skr_world_t *world)
{
    *self_p = NULL;
    if (sodium_init () < 0) {
        return skr_fail (SAKER_EIO, "libsodium does not start");
    }
    skr_store_t *self = calloc (1, sizeof *self);
    char *copy = strdup (folder);
    if (!self || !copy) {
        free (self);
        free (copy);
        return skr_fail (SAKER_ENOMEM, "open store %s: out of memory", folder);
    }
    self->folder = copy;
    self->world = world;
    self->lock = -1;
    self->room_bytes = ROOM_BYTES;
    self->looking = mode == SKR_STORE_LOOK;
    saker_err_t error = mode == SKR_STORE_CREATE ? create (self) : open_existing (self);
    if (error) {
        skr_store_close (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

static void close_env (skr_store_t *self)
{
    skr_store_abort (self);
    skr_store_view_close (self);
    if (self->reader) {
        mdb_txn_abort (self->reader);
    }
    if (self->env) {
        mdb_env_close (self->env);
    }
    self->reader = NULL;
    self->reading = false;
    self->env = NULL;
    self->map_bytes = 0;
    self->unmapped = false;
}

void skr_store_close (skr_store_t **self_p)
{
    skr_store_t *self = *self_p;
    if (!self) {
        return;
    }
    close_env (self);
    skr_store_abandon (self_p);
}

void skr_store_abandon (skr_store_t **self_p)
{
    skr_store_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->lock >= 0) {
        (void) flock (self->lock, LOCK_UN); /* a child of a fork has the descriptor, too */
        (void) close (self->lock);
    }
    skr_buf_free (&self->scratch);
    sodium_memzero (self->key, sizeof self->key);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

/* LMDB gives an environment up when its header could not be written: it cannot tell which of the
   two headers the disk has now. */
static bool has_given_up (const skr_store_t *self)
{
    MDB_txn *probe;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &probe);
    if (code == 0) {
        mdb_txn_abort (probe);
    }
    return code == MDB_PANIC;
}

bool skr_store_settled (const skr_store_t *self)
{
    return !self->unsettled;
}

saker_err_t skr_store_settle (skr_store_t *self)
{
    uint8_t nonce[8];
    if (!self->unsettled) {
        return SAKER_OK;
    }
    close_env (self);
    SKR_TRY (open_env (self));
    SKR_TRY (make_lasting (self));
    SKR_TRY (open_all_tables (self, false));
    /* and a commit of our own shows that the disk writes */
    randombytes_buf (nonce, sizeof nonce);
    self->unsettled = false;
    saker_err_t error = skr_store_begin (self);
    if (error == SAKER_OK) {
        error = skr_store_put (self, SKR_META, skr_span_text ("settled"),
                               skr_span (nonce, sizeof nonce));
        saker_err_t ended = skr_store_commit (self);
        error = error == SAKER_OK ? ended : error;
    }
    self->unsettled = error != SAKER_OK;
    return error;
}

const char *skr_store_folder (const skr_store_t *self)
{
    return self->folder;
}

/* ---- groups */

saker_err_t skr_store_begin (skr_store_t *self)
{
    if (self->group) {
        return SAKER_OK;
    }
    /* Not only when the map moves: what is borrowed must not hang on how full the store is. */
    skr_store_forget (self);
    SKR_TRY (check_usable (self));
    if (self->looking) {
        return skr_fail (SAKER_ERIGHT, "store %s was opened to be looked at alone", self->folder);
    }
    SKR_TRY (fit_map_for (self, self->map_bytes, self->view_wanted ? VIEW_GROUPS : 1));
    self->view_wanted = false;
    self->group_failed = 0;
    return from_lmdb (self, mdb_txn_begin (self->env, NULL, 0, &self->group));
}

bool skr_store_in_group (const skr_store_t *self)
{
    return self->group != NULL;
}

saker_err_t skr_store_commit (skr_store_t *self)
{
    assert (self->group);
    int code = self->group_failed;
    if (code) {
        mdb_txn_abort (self->group);
    } else {
        code = mdb_txn_commit (self->group);
    }
    bool lost = code && !self->group_failed;
    self->group = NULL;
    self->cells = NULL; /* it ended with the group */
    skr_store_forget (self);
    if (code) {
        self->unsettled = lost && has_given_up (self);
        self->stats.failed_commits++;
        return from_lmdb (self, code);
    }
    self->stats.commits++;
    return SAKER_OK;
}

void skr_store_abort (skr_store_t *self)
{
    if (self->group) {
        mdb_txn_abort (self->group);
        self->group = NULL;
        self->cells = NULL;
    }
}

/* ---- reading */

void skr_store_forget (skr_store_t *self)
{
    if (self->reading) {
        mdb_txn_reset (self->reader);
        self->reading = false;
    }
}

static saker_err_t begin_reading (skr_store_t *self)
{
    SKR_TRY (check_usable (self));
    int code = self->reader ? mdb_txn_renew (self->reader)
                            : mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->reader);
    if (code) {
        return from_lmdb (self, code);
    }
    self->reading = true;
    return SAKER_OK;
}

static saker_err_t transaction_of (skr_store_t *self, skr_sight_t sight, MDB_txn **transaction)
{
    if (sight == SKR_GROUP) {
        assert (self->group);
        *transaction = self->group;
        return self->group_failed ? from_lmdb (self, self->group_failed) : SAKER_OK;
    }
    if (!self->reading) {
        SKR_TRY (begin_reading (self));
    }
    *transaction = self->reader;
    return SAKER_OK;
}

static MDB_val val_of (skr_span_t span)
{
    return (MDB_val){.mv_size = span.size, .mv_data = (void *) (uintptr_t) span.data};
}

static skr_span_t span_of (const MDB_val *val)
{
    return skr_span (val->mv_data, val->mv_size);
}

saker_err_t skr_store_get (skr_store_t *self, skr_sight_t sight, skr_table_t table, skr_span_t key,
                           skr_span_t *value)
{
    MDB_txn *transaction;
    MDB_val record, key_val = val_of (key);
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (transaction_of (self, sight, &transaction));
    SKR_TRY (from_lmdb (self, mdb_get (transaction, self->tables[table], &key_val, &record)));
    return open_record (self, table, key, &record, value);
}

static saker_err_t scan_on (skr_store_t *self, MDB_cursor *cursor, skr_table_t table,
                            skr_span_t prefix, skr_span_t from, skr_record_fn *visit,
                            void *argument)
{
    skr_span_t first = skr_span_compare (from, prefix) > 0 ? from : prefix;
    MDB_val key = val_of (first), record;
    int code = mdb_cursor_get (cursor, &key, &record, first.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (code == 0 && skr_span_starts (span_of (&key), prefix)) {
        skr_span_t payload;
        SKR_TRY (open_record (self, table, span_of (&key), &record, &payload));
        saker_err_t error = visit (span_of (&key), payload, argument);
        if (error) {
            return error == SKR_STOP ? SAKER_OK : error;
        }
        code = mdb_cursor_get (cursor, &key, &record, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? SAKER_OK : from_lmdb (self, code);
}

saker_err_t skr_store_scan (skr_store_t *self, skr_sight_t sight, skr_table_t table,
                            skr_span_t prefix, skr_span_t from, skr_record_fn *visit,
                            void *argument)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    assert (prefix.size <= SKR_STORE_KEY_BYTES_MAX && from.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (transaction_of (self, sight, &transaction));
    SKR_TRY (from_lmdb (self, mdb_cursor_open (transaction, self->tables[table], &cursor)));
    saker_err_t error = scan_on (self, cursor, table, prefix, from, visit, argument);
    mdb_cursor_close (cursor);
    return error;
}

static saker_err_t walk_on (skr_store_t *self, MDB_cursor *cursor, skr_table_t table,
                            skr_walk_fn *visit, void *argument)
{
    MDB_val key, record;
    int code = mdb_cursor_get (cursor, &key, &record, MDB_FIRST);
    for (; code == 0; code = mdb_cursor_get (cursor, &key, &record, MDB_NEXT)) {
        uint8_t sum[CHECKSUM_BYTES];
        skr_span_t payload = span_of (&record);
        bool damaged = record.mv_size < CHECKSUM_BYTES || key.mv_size > SKR_STORE_KEY_BYTES_MAX;
        if (!damaged) {
            payload = skr_span (payload.data + CHECKSUM_BYTES, payload.size - CHECKSUM_BYTES);
            SKR_TRY (checksum (self, table, span_of (&key), payload, sum));
            damaged = memcmp (sum, record.mv_data, CHECKSUM_BYTES) != 0;
        }
        saker_err_t error = visit (span_of (&key), payload, damaged, argument);
        if (error) {
            return error == SKR_STOP ? SAKER_OK : error;
        }
    }
    return code == MDB_NOTFOUND ? SAKER_OK : from_lmdb (self, code);
}

saker_err_t skr_store_walk (skr_store_t *self, skr_table_t table, skr_walk_fn *visit,
                            void *argument)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    SKR_TRY (transaction_of (self, SKR_COMMITTED, &transaction));
    SKR_TRY (from_lmdb (self, mdb_cursor_open (transaction, self->tables[table], &cursor)));
    saker_err_t error = walk_on (self, cursor, table, visit, argument);
    mdb_cursor_close (cursor);
    return error;
}

saker_err_t skr_store_noted (skr_store_t *self, skr_table_t table, uint64_t *count)
{
    MDB_txn *transaction;
    MDB_stat status;
    SKR_TRY (transaction_of (self, SKR_COMMITTED, &transaction));
    SKR_TRY (from_lmdb (self, mdb_stat (transaction, self->tables[table], &status)));
    *count = status.ms_entries;
    return SAKER_OK;
}

/* ---- the view */

void skr_store_view_close (skr_store_t *self)
{
    if (self->view) {
        mdb_txn_abort (self->view);
        self->view = NULL;
    }
}

saker_err_t skr_store_view_open (skr_store_t *self)
{
    size_t room = self->map_bytes - used_bytes (self);
    skr_store_view_close (self);
    SKR_TRY (check_usable (self));
    if (room < self->room_bytes * VIEW_GROUPS / 2 && self->group) {
        self->view_wanted = true;
        return skr_fail (SAKER_EWAIT, "store %s: a group is being written: try again",
                         self->folder);
    }
    if (!self->group) {
        SKR_TRY (fit_map_for (self, self->map_bytes, VIEW_GROUPS));
    }
    return from_lmdb (self, mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->view));
}

typedef struct viewing_t {
    skr_span_t after;
    skr_record_fn *visit;
    void *argument;
    bool more;
} viewing_t;

static saker_err_t view_record (skr_span_t key, skr_span_t value, void *argument)
{
    viewing_t *viewing = argument;
    if (skr_span_equal (key, viewing->after)) {
        return SAKER_OK;
    }
    saker_err_t error = viewing->visit (key, value, viewing->argument);
    viewing->more = error == SKR_STOP;
    return error;
}

saker_err_t skr_store_view_scan (skr_store_t *self, skr_table_t table, skr_span_t after,
                                 skr_record_fn *visit, void *argument, bool *more)
{
    MDB_cursor *cursor;
    viewing_t viewing = {.after = after, .visit = visit, .argument = argument};
    *more = false;
    if (!self->view) {
        return skr_fail (SAKER_EBUSY, "store %s: too much was written while it was read: try again",
                         self->folder);
    }
    SKR_TRY (from_lmdb (self, mdb_cursor_open (self->view, self->tables[table], &cursor)));
    saker_err_t error =
        scan_on (self, cursor, table, skr_span (NULL, 0), after, view_record, &viewing);
    mdb_cursor_close (cursor);
    *more = viewing.more;
    return error;
}

/* Puts the cursor on the last key <= `key`. */
static int seek_last (MDB_cursor *cursor, skr_span_t key, MDB_val *found, MDB_val *record)
{
    *found = val_of (key);
    int code = mdb_cursor_get (cursor, found, record, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND) {
        return mdb_cursor_get (cursor, found, record, MDB_LAST);
    }
    if (code == 0 && !skr_span_equal (span_of (found), key)) {
        return mdb_cursor_get (cursor, found, record, MDB_PREV);
    }
    return code;
}

saker_err_t skr_store_last (skr_store_t *self, skr_sight_t sight, skr_table_t table,
                            skr_span_t prefix, skr_span_t key, skr_span_t *found_key,
                            skr_span_t *value)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    MDB_val found, record;
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (transaction_of (self, sight, &transaction));
    SKR_TRY (from_lmdb (self, mdb_cursor_open (transaction, self->tables[table], &cursor)));
    int code = seek_last (cursor, key, &found, &record);
    mdb_cursor_close (cursor);
    SKR_TRY (from_lmdb (self, code));
    if (!skr_span_starts (span_of (&found), prefix)) {
        return SAKER_ENOTFOUND;
    }
    *found_key = span_of (&found);
    return open_record (self, table, *found_key, &record, value);
}

/* ---- writing */

/* Tables whose new keys are mostly the highest: appended, so that their pages are left full. */
static bool mostly_appended (skr_table_t table)
{
    return table == SKR_LOG || table == SKR_CELLS || table == SKR_DOCUMENT_IDS
           || table == SKR_HISTORY;
}

/* Cells come in order: from where the last one was it is not far. */
static int replace_cells (skr_store_t *self, MDB_val *key, MDB_val *record)
{
    int code =
        self->cells ? 0 : mdb_cursor_open (self->group, self->tables[SKR_CELLS], &self->cells);
    return code ? code : mdb_cursor_put (self->cells, key, record, MDB_RESERVE);
}

/* there: of cells. */
static int put_record (skr_store_t *self, skr_table_t table, MDB_val *key, MDB_val *record,
                       bool there)
{
    if (there) {
        return replace_cells (self, key, record);
    }
    int code = MDB_KEYEXIST;
    size_t size = record->mv_size;
    if (mostly_appended (table)) {
        code = mdb_put (self->group, self->tables[table], key, record, MDB_RESERVE | MDB_APPEND);
    }
    if (code == MDB_KEYEXIST) {
        record->mv_size = size;
        code = mdb_put (self->group, self->tables[table], key, record, MDB_RESERVE);
    }
    return code;
}

/* The first failure of a group stands: LMDB would answer with MDB_BAD_TXN from now on. */
static saker_err_t fail_group (skr_store_t *self, int code)
{
    saker_err_t error = from_lmdb (self, code);
    if (code == MDB_MAP_FULL && self->room_bytes < MAP_BYTES_MAX) {
        self->room_bytes *= 2;
    }
    self->group_failed = code;
    return error;
}

static saker_err_t put (skr_store_t *self, skr_table_t table, skr_span_t key, skr_span_t value,
                        bool there)
{
    uint8_t sum[CHECKSUM_BYTES];
    MDB_txn *transaction;
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (transaction_of (self, SKR_GROUP, &transaction));
    saker_err_t error = checksum (self, table, key, value, sum);
    if (error) {
        self->group_failed = ENOMEM;
        return error;
    }
    /* From the scratch: the caller's key and value may lie on pages that the put moves. */
    uint8_t *copy = self->scratch.data + 3;
    MDB_val key_val = {.mv_size = key.size, .mv_data = copy};
    MDB_val record = {.mv_size = CHECKSUM_BYTES + value.size, .mv_data = NULL};
    int code = put_record (self, table, &key_val, &record, there);
    if (code) {
        return fail_group (self, code);
    }
    memcpy (record.mv_data, sum, CHECKSUM_BYTES);
    if (value.size > 0) {
        memcpy ((uint8_t *) record.mv_data + CHECKSUM_BYTES, copy + key.size, value.size);
    }
    return SAKER_OK;
}

saker_err_t skr_store_put (skr_store_t *self, skr_table_t table, skr_span_t key, skr_span_t value)
{
    return put (self, table, key, value, false);
}

saker_err_t skr_store_replace_cells (skr_store_t *self, skr_span_t key, skr_span_t value)
{
    return put (self, SKR_CELLS, key, value, true);
}

saker_err_t skr_store_remove (skr_store_t *self, skr_table_t table, skr_span_t key)
{
    MDB_txn *transaction;
    MDB_val key_val = val_of (key);
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (transaction_of (self, SKR_GROUP, &transaction));
    int code = mdb_del (transaction, self->tables[table], &key_val, NULL);
    return code && code != MDB_NOTFOUND ? fail_group (self, code) : from_lmdb (self, code);
}

saker_err_t skr_store_empty (skr_store_t *self, skr_table_t table)
{
    MDB_txn *transaction;
    SKR_TRY (transaction_of (self, SKR_GROUP, &transaction));
    int code = mdb_drop (transaction, self->tables[table], 0);
    return code ? fail_group (self, code) : SAKER_OK;
}

/* ---- telling */

void skr_store_stats (skr_store_t *self, skr_store_stats_t *stats)
{
    struct stat status;
    int file;
    *stats = self->stats;
    stats->map_bytes = self->map_bytes;
    stats->used_bytes = self->env ? used_bytes (self) : 0;
    if (self->env && mdb_env_get_fd (self->env, &file) == 0 && fstat (file, &status) == 0) {
        stats->file_bytes = (uint64_t) status.st_size;
    }
}
