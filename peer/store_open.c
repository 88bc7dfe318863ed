/* Opening and closing a store: its folder, LMDB's environment and map, its tables and identity. */

#include "peer/store_internal.h"

#include "peer/extent.h"
#include "peer/folder.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_FILE "data.mdb"
#define READERS_FILE "lock.mdb"
#define LOCK_FILE "lock"
/* Address space, not memory or disk. */
#define ROOM_BYTES (sizeof (size_t) > 4 ? (size_t) 256 << 20 : (size_t) 32 << 20)
#define MAP_STEP_BYTES 65536u /* a multiple of every page size */
#define READERS_FILE_BYTES 8192
#define FIRST_TABLES (SKR_ASIDE + 1) /* that every store has; later versions added the others */

/* ---- the map */

static size_t page_bytes (const skr_store_t *self)
{
    MDB_stat status;
    (void) mdb_env_stat (self->env, &status);
    return status.ms_psize;
}

size_t skr_store_used_bytes (const skr_store_t *self)
{
    MDB_envinfo info;
    (void) mdb_env_info (self->env, &info);
    return (info.me_last_pgno + 1) * page_bytes (self);
}

saker_err_t skr_store_fit_map (skr_store_t *self, size_t bytes, size_t groups)
{
    size_t used = skr_store_used_bytes (self), room = self->room_bytes * groups;
    while (bytes < SKR_STORE_MAP_BYTES_MAX
           && (bytes < used || bytes - used < bytes / 4 || bytes - used < room)) {
        bytes *= 2;
    }
    if (bytes == self->map_bytes) {
        return SAKER_OK;
    }
    if (self->pending) {
        SKR_TRY (skr_store_checkpoint (self));
        return skr_store_fit_map (self, self->map_bytes, groups); /* one level deep */
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
    return skr_store_err (self, code);
}

static saker_err_t fit_map (skr_store_t *self, size_t bytes)
{
    return skr_store_fit_map (self, bytes, 1);
}

saker_err_t skr_store_room (skr_store_t *self, size_t bytes)
{
    assert (!self->grouping && bytes > 0);
    self->room_bytes = (bytes + MAP_STEP_BYTES - 1) / MAP_STEP_BYTES * MAP_STEP_BYTES;
    return fit_map (self, self->room_bytes);
}

/* ---- opening */

saker_err_t skr_store_check_usable (const skr_store_t *self)
{
    if (self->unsettled) {
        return skr_store_err (self, MDB_PANIC);
    }
    return self->unmapped
               ? skr_fail (SAKER_ENOMEM, "store %s: no address space: open it again", self->folder)
               : SAKER_OK;
}

static saker_err_t check_extent (const skr_store_t *self)
{
    struct stat status;
    int file;
    SKR_TRY (skr_store_err (self, mdb_env_get_fd (self->env, &file)));
    if (fstat (file, &status) != 0
        || !skr_extent_holds (file, page_bytes (self), (size_t) status.st_size,
                              skr_store_used_bytes (self))) {
        return skr_fail (SAKER_EDAMAGED, "store %s: %s is cut short: restore it, or join anew",
                         self->folder, DATA_FILE);
    }
    return SAKER_OK;
}

/* Without the file of readers, which LMDB would write to: whoever looks has the store alone. What
   is in the journal is put into a transaction that is never committed. */
static saker_err_t open_env_to_look (skr_store_t *self, unsigned int flags)
{
    SKR_TRY (skr_store_err (self, mdb_env_create (&self->env)));
    SKR_TRY (skr_store_err (self, mdb_env_set_maxdbs (self->env, SKR_TABLES)));
    int code = mdb_env_open (self->env, self->folder, flags | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (flags == 0 && (code == EACCES || code == EROFS)) {
        mdb_env_close (self->env);
        return open_env_to_look (self, MDB_RDONLY);
    }
    SKR_TRY (skr_store_err (self, code));
    MDB_envinfo info;
    SKR_TRY (skr_store_err (self, mdb_env_info (self->env, &info)));
    self->map_bytes = info.me_mapsize;
    return check_extent (self);
}

static saker_err_t open_env (skr_store_t *self)
{
    /* LMDB writes to this file through a map: on a full disk that would end in SIGBUS. */
    SKR_TRY (skr_folder_reserve (self->folder, READERS_FILE, READERS_FILE_BYTES));
    SKR_TRY (skr_store_err (self, mdb_env_create (&self->env)));
    SKR_TRY (skr_store_err (self, mdb_env_set_maxdbs (self->env, SKR_TABLES)));
    SKR_TRY (skr_store_err (self, mdb_env_set_mapsize (self->env, self->room_bytes)));
    /* design 6: no NOSYNC, NOMETASYNC, MAPASYNC, WRITEMAP: a commit is on the disk.
       NOTLS: a reader and the writer are used by one thread. */
    SKR_TRY (skr_store_err (self, mdb_env_open (self->env, self->folder, MDB_NOTLS, 0600)));
    int dead;
    SKR_TRY (skr_store_err (self, mdb_reader_check (self->env, &dead)));
    SKR_TRY (check_extent (self));
    return fit_map (self, self->room_bytes);
}

/* What is found may be in the page cache alone: after a header whose write failed, and that reached
   the disk all the same, LMDB writes the old one back, and does not wait for it. If that were lost,
   the disk would have the header of pages that were written anew since. */
static saker_err_t make_lasting (skr_store_t *self)
{
    return skr_store_err (self, mdb_env_sync (self->env, 1));
}

/* *missing: a table that the version that made the store did not know is not there. */
static saker_err_t open_tables (skr_store_t *self, MDB_txn *transaction, unsigned int flags,
                                bool *missing)
{
    *missing = false;
    for (int i = 0; i < SKR_TABLES; i++) {
        int code =
            mdb_dbi_open (transaction, skr_table_name ((skr_table_t) i), flags, &self->tables[i]);
        if (code == MDB_NOTFOUND && i >= FIRST_TABLES) {
            *missing = true;
            return SAKER_OK;
        }
        if (code == MDB_NOTFOUND) {
            return skr_fail (SAKER_EDAMAGED,
                             "store %s was not made to its end, or is damaged: table %s is missing",
                             self->folder, skr_table_name ((skr_table_t) i));
        }
        SKR_TRY (skr_store_err (self, code));
    }
    return SAKER_OK;
}

/* Handles that were opened in a transaction last only when it ends well. Goes one level deep: when
   tables are created none is missing. */
static saker_err_t open_all_tables (skr_store_t *self, bool create)
{
    MDB_txn *transaction;
    SKR_TRY (skr_store_err (
        self, mdb_txn_begin (self->env, NULL, create ? 0 : MDB_RDONLY, &transaction)));
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
    return skr_store_err (self, mdb_txn_commit (transaction));
}

static saker_err_t make_identity (skr_store_t *self)
{
    uint8_t identity[SKR_STORE_IDENTITY_BYTES];
    skr_put_u32 (identity, SKR_STORE_FORMAT);
    randombytes_buf (identity + 4, crypto_shorthash_KEYBYTES);
    SKR_TRY (skr_store_begin (self));
    SKR_TRY (skr_store_put (self, SKR_META, skr_span_text (SKR_STORE_IDENTITY_KEY),
                            skr_span (identity, sizeof identity)));
    SKR_TRY (skr_store_commit (self));
    memcpy (self->key, identity + 4, sizeof self->key);
    return SAKER_OK;
}

static saker_err_t load_identity (skr_store_t *self)
{
    skr_span_t identity;
    saker_err_t error = skr_store_get (self, SKR_COMMITTED, SKR_META,
                                       skr_span_text (SKR_STORE_IDENTITY_KEY), &identity);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EDAMAGED, "store %s was not made to its end, or is damaged",
                         self->folder);
    }
    SKR_TRY (error);
    uint32_t format = identity.size >= 4 ? skr_get_u32 (identity.data) : 0;
    if ((format != SKR_STORE_FORMAT && format != SKR_STORE_FORMAT_JOURNALED)
        || identity.size != SKR_STORE_IDENTITY_BYTES) {
        return skr_fail (
            SAKER_EVERSION, "store %s has format %lu; this version knows formats %d and %d",
            self->folder, (unsigned long) format, SKR_STORE_FORMAT, SKR_STORE_FORMAT_JOURNALED);
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
        bool journaled = skr_folder_has (self->folder, SKR_JOURNAL_FILE);
        SKR_TRY (open_env_to_look (self, journaled ? 0 : MDB_RDONLY));
        SKR_TRY (open_all_tables (self, false));
        SKR_TRY (load_identity (self));
        return skr_store_recover (self);
    }
    SKR_TRY (skr_folder_lock (self->folder, &self->lock));
    SKR_TRY (open_env (self));
    self->unsettled = make_lasting (self) != SAKER_OK; /* it can be read all the same */
    SKR_TRY (open_all_tables (self, false));
    SKR_TRY (load_identity (self));
    return skr_store_recover (self);
}

static saker_err_t fill_new (skr_store_t *self)
{
    SKR_TRY (open_env (self));
    SKR_TRY (open_all_tables (self, true));
    SKR_TRY (make_identity (self));
    return skr_folder_sync (self->folder);
}

void skr_store_remove_files (const char *folder)
{
    skr_folder_unlink (folder, DATA_FILE);
    skr_folder_unlink (folder, SKR_JOURNAL_FILE);
    skr_folder_unlink (folder, READERS_FILE);
    skr_folder_unlink (folder, LOCK_FILE);
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
        skr_store_remove_files (self->folder);
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
    skr_journal_init (&self->journal, self->key);
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
    if (self->pending && (self->looking || skr_store_checkpoint (self) != SAKER_OK)
        && self->pending) {
        mdb_txn_abort (self->pending); /* the journal has it */
    }
    if (self->reader) {
        mdb_txn_abort (self->reader);
    }
    if (self->env) {
        mdb_env_close (self->env);
    }
    self->pending = NULL;
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
    skr_journal_close (&self->journal);
    skr_staged_free (&self->staged);
    skr_buf_free (&self->scratch);
    sodium_memzero (self->key, sizeof self->key);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

bool skr_store_has_given_up (const skr_store_t *self)
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
    bool journaling = self->journaling;
    if (!self->unsettled) {
        return SAKER_OK;
    }
    close_env (self);
    SKR_TRY (open_env (self));
    SKR_TRY (make_lasting (self));
    SKR_TRY (open_all_tables (self, false));
    self->unsettled = false;
    saker_err_t error = skr_store_recover (self);
    self->unsettled = error != SAKER_OK;
    SKR_TRY (error);
    /* and a commit of our own, in LMDB, shows that the disk writes */
    randombytes_buf (nonce, sizeof nonce);
    self->journaling = false;
    error = skr_store_begin (self);
    if (error == SAKER_OK) {
        error = skr_store_put (self, SKR_META, skr_span_text ("settled"),
                               skr_span (nonce, sizeof nonce));
        saker_err_t ended = skr_store_commit (self);
        error = error == SAKER_OK ? ended : error;
    }
    self->journaling = journaling;
    self->unsettled = error != SAKER_OK;
    return error;
}

const char *skr_store_folder (const skr_store_t *self)
{
    return self->folder;
}
