/* Between a group and data.mdb. A small group becomes durable in the journal, and takes effect in
   `pending`: LMDB's write transaction, which stays open, and is what is read from then on. So a
   page that many groups touch is written once, at the checkpoint, which commits it. What is in the
   journal when a store is opened is put into pending first. */

#include "peer/store_internal.h"

#include "peer/folder.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define GENERATION_KEY "journal"
#define PENDING_MS_MAX 10000u

/* ---- pending */

static int begin_pending (skr_store_t *self)
{
    int code = mdb_txn_begin (self->env, NULL, 0, &self->pending);
    if (code == 0) {
        skr_store_forget (self); /* the next read is of what is pending */
        self->pending_since_ms = self->world->mono_ms (self->world->context);
    }
    return code;
}

static void abort_pending (skr_store_t *self)
{
    if (self->pending) {
        mdb_txn_abort (self->pending);
        self->pending = NULL;
    }
}

static int put_again (skr_table_t table, skr_span_t key, skr_span_t record, void *argument)
{
    skr_store_t *self = argument;
    MDB_val key_val = {.mv_size = key.size, .mv_data = (void *) (uintptr_t) key.data};
    MDB_val value = {.mv_size = record.size, .mv_data = (void *) (uintptr_t) record.data};
    int code = record.size > 0 ? mdb_put (self->pending, self->tables[table], &key_val, &value, 0)
                               : mdb_del (self->pending, self->tables[table], &key_val, NULL);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* Makes pending what the journal has. */
static int replay (skr_store_t *self)
{
    int code;
    do {
        abort_pending (self);
        code = begin_pending (self);
        code = code ? code : skr_journal_replay (&self->journal, put_again, self);
        if (code != MDB_MAP_FULL || self->room_bytes >= SKR_STORE_MAP_BYTES_MAX) {
            break;
        }
        abort_pending (self);
        self->room_bytes *= 2;
    } while (skr_store_fit_map (self, self->map_bytes, 1) == SAKER_OK);
    if (code) {
        abort_pending (self);
    }
    return code;
}

/* ---- checkpoints */

#define META_BYTES_MAX 64u

/* Into what is pending; not by way of the scratch, which a put may be using. */
static int put_meta (skr_store_t *self, const char *name, const uint8_t *value, size_t size,
                     const uint8_t *sum_key)
{
    uint8_t checked[META_BYTES_MAX] = {SKR_META}, record[SKR_STORE_SUM_BYTES + META_BYTES_MAX];
    size_t name_size = strlen (name);
    assert (3 + name_size + size <= sizeof checked);
    checked[2] = (uint8_t) name_size;
    memcpy (checked + 3, name, name_size);
    memcpy (checked + 3 + name_size, value, size);
    (void) crypto_shorthash (record, checked, 3 + name_size + size, sum_key);
    memcpy (record + SKR_STORE_SUM_BYTES, value, size);
    MDB_val key = {.mv_size = name_size, .mv_data = checked + 3};
    MDB_val val = {.mv_size = SKR_STORE_SUM_BYTES + size, .mv_data = record};
    return mdb_put (self->pending, self->tables[SKR_META], &key, &val, 0);
}

static int put_generation (skr_store_t *self, uint64_t generation)
{
    uint8_t value[8];
    skr_put_u64 (value, generation);
    return put_meta (self, GENERATION_KEY, value, sizeof value, self->key);
}

/* A version that knows of no journal must not open a store that may have one. */
static int put_format (skr_store_t *self)
{
    static const uint8_t no_key[crypto_shorthash_KEYBYTES];
    uint8_t identity[SKR_STORE_IDENTITY_BYTES];
    skr_put_u32 (identity, SKR_STORE_FORMAT_JOURNALED);
    memcpy (identity + 4, self->key, sizeof self->key);
    int code = put_meta (self, SKR_STORE_IDENTITY_KEY, identity, sizeof identity, no_key);
    sodium_memzero (identity, sizeof identity);
    return code;
}

/* A random number, so that no generation is met again when data.mdb is put back. */
static int commit_pending (skr_store_t *self)
{
    uint64_t generation;
    randombytes_buf (&generation, sizeof generation);
    int code = put_generation (self, generation);
    if (code) {
        abort_pending (self);
        return code;
    }
    code = mdb_txn_commit (self->pending);
    self->pending = NULL;
    if (code == 0) {
        skr_journal_begin (&self->journal, generation);
    }
    return code;
}

/* When it fails, what was pending is pending again. */
static int checkpoint (skr_store_t *self)
{
    if (!self->pending) {
        return 0;
    }
    int code = commit_pending (self);
    if (code == MDB_MAP_FULL && self->room_bytes < SKR_STORE_MAP_BYTES_MAX) {
        self->room_bytes *= 2;
        code = replay (self);
        code = code ? code : commit_pending (self);
    }
    if (code) {
        self->stats.failed_commits++;
        if (skr_store_has_given_up (self) || replay (self) != 0) {
            self->unsettled = true;
        }
    }
    if (code && self->journal.number == 0) {
        abort_pending (self);
    }
    return code;
}

saker_err_t skr_store_checkpoint (skr_store_t *self)
{
    return skr_store_err (self, checkpoint (self));
}

/* ---- opening */

static saker_err_t get_generation (skr_store_t *self, uint64_t *generation)
{
    skr_span_t value;
    saker_err_t error =
        skr_store_get (self, SKR_COMMITTED, SKR_META, skr_span_text (GENERATION_KEY), &value);
    if (error == SAKER_OK) {
        *generation = value.size == 8 ? skr_get_u64 (value.data) : 0;
    }
    skr_store_forget (self);
    return error;
}

/* Makes lasting what was found; it can be read all the same when the disk is full. */
static saker_err_t keep_found (skr_store_t *self)
{
    saker_err_t error = self->looking ? SAKER_OK : skr_store_checkpoint (self);
    return error == SAKER_EFULL ? SAKER_OK : error;
}

static int note_one (skr_table_t table, skr_span_t key, skr_span_t record, void *argument)
{
    (void) table;
    (void) key;
    (void) record;
    *(bool *) argument = true;
    return 0;
}

/* Where nothing may be written, not even to memory. */
static saker_err_t refuse_found (skr_store_t *self)
{
    bool any = false;
    int code = skr_journal_replay (&self->journal, note_one, &any);
    self->journal_damaged = code == MDB_CORRUPTED;
    if (self->journal_damaged) {
        return SAKER_OK;
    }
    if (code == 0 && any) {
        return skr_fail (SAKER_EINPUT,
                         "store %s was not closed, and its last writes are in its %s: make the "
                         "folder writable, or copy it to where it is",
                         self->folder, SKR_JOURNAL_FILE);
    }
    return skr_store_err (self, code);
}

static saker_err_t load_found (skr_store_t *self)
{
    int code = replay (self);
    if (code == MDB_CORRUPTED && self->looking) {
        self->journal_damaged = true;
        return SAKER_OK;
    }
    if (code == MDB_CORRUPTED) {
        return skr_fail (SAKER_EDAMAGED,
                         "store %s: a write in its %s is damaged, and later ones depend on it: "
                         "restore the store, or join anew",
                         self->folder, SKR_JOURNAL_FILE);
    }
    if (code) {
        return skr_store_err (self, code);
    }
    if (self->journal.number == 0) {
        abort_pending (self);
        return SAKER_OK;
    }
    return keep_found (self);
}

saker_err_t skr_store_recover (skr_store_t *self)
{
    uint64_t generation;
    unsigned int flags;
    int code = 0;
    if (self->journal.file < 0) {
        code = skr_journal_open (&self->journal, self->folder, false, self->looking);
    }
    if (code) {
        return code == ENOENT ? SAKER_OK : skr_store_err (self, code);
    }
    saker_err_t error = get_generation (self, &generation);
    if (error != SAKER_OK) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error; /* the file alone was made */
    }
    skr_journal_begin (&self->journal, generation);
    (void) mdb_env_get_flags (self->env, &flags);
    return flags & MDB_RDONLY ? refuse_found (self) : load_found (self);
}

bool skr_store_journal_damaged (const skr_store_t *self)
{
    return self->journal_damaged;
}

static saker_err_t begin_journal (skr_store_t *self)
{
    SKR_TRY (skr_store_check_usable (self));
    SKR_TRY (skr_store_checkpoint (self));
    skr_journal_close (&self->journal);
    SKR_TRY (skr_store_err (self, skr_journal_open (&self->journal, self->folder, true, false)));
    SKR_TRY (skr_folder_sync (self->folder));
    int code = begin_pending (self);
    code = code ? code : put_format (self);
    SKR_TRY (skr_store_err (self, code));
    SKR_TRY (skr_store_checkpoint (self)); /* the file has no group of the new generation */
    self->journaling = true;
    return SAKER_OK;
}

saker_err_t skr_store_journal_begin (skr_store_t *self)
{
    assert (!self->grouping && !self->looking);
    self->journal_wanted = true;
    self->journal_tried_ms = self->world->mono_ms (self->world->context);
    return begin_journal (self);
}

saker_err_t skr_store_journal_end (skr_store_t *self)
{
    saker_err_t error = skr_store_checkpoint (self);
    if (error != SAKER_OK && self->pending) {
        abort_pending (self); /* it belongs to this thread; the journal has it */
        self->unsettled = true;
    }
    self->journaling = false;
    self->journal_wanted = false;
    return error;
}

void skr_store_rest (skr_store_t *self)
{
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    saker_err_t error = SAKER_OK;
    skr_store_forget (self);
    if (self->grouping || self->unsettled) {
        return;
    }
    if (self->pending && now_ms - self->pending_since_ms >= PENDING_MS_MAX) {
        self->pending_since_ms = now_ms;
        error = skr_store_checkpoint (self);
    } else if (self->journal_wanted && !self->journaling
               && now_ms - self->journal_tried_ms >= PENDING_MS_MAX) {
        error = skr_store_journal_begin (self);
    }
    if (error != SAKER_OK) {
        skr_log (self->world, SKR_LOG_WARNING, "%s", skr_error ());
    }
}

/* ---- groups */

int skr_store_turn_direct (skr_store_t *self)
{
    int code = checkpoint (self);
    if (code == 0 && skr_store_fit_map (self, self->map_bytes, 1) != SAKER_OK) {
        code = ENOMEM;
    }
    code = code ? code : mdb_txn_begin (self->env, NULL, 0, &self->group);
    code = code ? code : skr_store_apply (self, self->group);
    skr_staged_clear (&self->staged);
    return code;
}

/* It is durable: what fails here is made good by reading the journal. */
static int take_in (skr_store_t *self)
{
    int code = self->pending ? 0 : begin_pending (self);
    code = code ? code : skr_store_apply (self, self->pending);
    return code ? replay (self) : 0;
}

saker_err_t skr_store_commit_staged (skr_store_t *self)
{
    bool unsure;
    if (!skr_journal_has_room (&self->journal)) {
        SKR_TRY (skr_store_checkpoint (self));
    }
    int code = skr_journal_write (&self->journal, &unsure);
    if (code) {
        self->unsettled = unsure;
        return skr_store_err (self, code);
    }
    code = take_in (self);
    if (code) {
        self->unsettled = true;
        return skr_store_err (self, code);
    }
    return SAKER_OK;
}
