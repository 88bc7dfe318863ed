/* What is read of a store: what is committed, or the open group on top of it; and the view. */

#include "peer/store_internal.h"

#include <assert.h>
#include <string.h>

void skr_store_forget (skr_store_t *self)
{
    if (self->reading) {
        mdb_txn_reset (self->reader);
        self->reading = false;
    }
}

static saker_err_t begin_reading (skr_store_t *self)
{
    SKR_TRY (skr_store_check_usable (self));
    int code = self->reader ? mdb_txn_renew (self->reader)
                            : mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->reader);
    if (code) {
        return skr_store_err (self, code);
    }
    self->reading = true;
    return SAKER_OK;
}

static saker_err_t committed (skr_store_t *self, MDB_txn **transaction)
{
    if (self->pending) {
        *transaction = self->pending;
        return skr_store_check_usable (self);
    }
    if (!self->reading) {
        SKR_TRY (begin_reading (self));
    }
    *transaction = self->reader;
    return SAKER_OK;
}

saker_err_t skr_store_sees (skr_store_t *self, skr_sight_t sight, MDB_txn **transaction,
                            const skr_staged_t **staged)
{
    *staged = NULL;
    if (sight == SKR_COMMITTED) {
        return committed (self, transaction);
    }
    assert (self->grouping);
    if (self->group_failed) {
        return skr_store_err (self, self->group_failed);
    }
    if (self->group) {
        *transaction = self->group;
        return SAKER_OK;
    }
    *staged = &self->staged;
    return committed (self, transaction);
}

static skr_span_t payload_of (const skr_staged_record_t *record)
{
    return skr_span (record->record.data + SKR_STORE_SUM_BYTES,
                     record->record.size - SKR_STORE_SUM_BYTES);
}

saker_err_t skr_store_get (skr_store_t *self, skr_sight_t sight, skr_table_t table, skr_span_t key,
                           skr_span_t *value)
{
    MDB_txn *transaction;
    const skr_staged_t *staged;
    MDB_val record, key_val = skr_val_of (key);
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (skr_store_sees (self, sight, &transaction, &staged));
    const skr_staged_record_t *own = staged ? skr_staged_find (staged, table, key) : NULL;
    if (own && skr_staged_is_removed (own)) {
        return SAKER_ENOTFOUND;
    }
    if (own) {
        *value = payload_of (own);
        return SAKER_OK;
    }
    SKR_TRY (skr_store_err (self, mdb_get (transaction, self->tables[table], &key_val, &record)));
    return skr_store_open_record (self, table, key, &record, value);
}

/* The next record that is staged, while it has the prefix; else NULL. */
static const skr_staged_record_t *staged_at (const skr_staged_t *staged, skr_table_t table,
                                             size_t index, skr_span_t prefix)
{
    if (!staged || index >= staged->tables[table].count) {
        return NULL;
    }
    const skr_staged_record_t *record = &staged->tables[table].records[index];
    return skr_span_starts (record->key, prefix) ? record : NULL;
}

typedef struct scan_t {
    skr_table_t table;
    skr_span_t prefix;
    skr_record_fn *visit;
    void *argument;
} scan_t;

static saker_err_t visit_found (skr_store_t *self, const scan_t *scan, const MDB_val *key,
                                const MDB_val *record)
{
    skr_span_t payload;
    SKR_TRY (skr_store_open_record (self, scan->table, skr_val_span (key), record, &payload));
    return scan->visit (skr_val_span (key), payload, scan->argument);
}

/* Both in the order of their keys; what is staged stands for what is there. */
static saker_err_t scan_both (skr_store_t *self, MDB_cursor *cursor, const skr_staged_t *staged,
                              const scan_t *scan, skr_span_t first)
{
    MDB_val key = skr_val_of (first), record;
    size_t next = staged ? skr_staged_seek (staged, scan->table, first) : 0;
    int code = mdb_cursor_get (cursor, &key, &record, first.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    saker_err_t error = SAKER_OK;
    while (error == SAKER_OK && (code == 0 || code == MDB_NOTFOUND)) {
        bool there = code == 0 && skr_span_starts (skr_val_span (&key), scan->prefix);
        const skr_staged_record_t *own = staged_at (staged, scan->table, next, scan->prefix);
        if (!there && !own) {
            break;
        }
        int order = !own ? -1 : !there ? 1 : skr_span_compare (skr_val_span (&key), own->key);
        if (order < 0) {
            error = visit_found (self, scan, &key, &record);
        } else if (!skr_staged_is_removed (own)) {
            error = scan->visit (own->key, payload_of (own), scan->argument);
        }
        next += order >= 0;
        if (error == SAKER_OK && order <= 0) {
            code = mdb_cursor_get (cursor, &key, &record, MDB_NEXT);
        }
    }
    if (error) {
        return error == SKR_STOP ? SAKER_OK : error;
    }
    return code == MDB_NOTFOUND ? SAKER_OK : skr_store_err (self, code);
}

static saker_err_t scan_on (skr_store_t *self, MDB_txn *transaction, const skr_staged_t *staged,
                            const scan_t *scan, skr_span_t from)
{
    MDB_cursor *cursor;
    skr_span_t first = skr_span_compare (from, scan->prefix) > 0 ? from : scan->prefix;
    SKR_TRY (
        skr_store_err (self, mdb_cursor_open (transaction, self->tables[scan->table], &cursor)));
    self->scans++;
    saker_err_t error = scan_both (self, cursor, staged, scan, first);
    self->scans--;
    mdb_cursor_close (cursor);
    return error;
}

saker_err_t skr_store_scan (skr_store_t *self, skr_sight_t sight, skr_table_t table,
                            skr_span_t prefix, skr_span_t from, skr_record_fn *visit,
                            void *argument)
{
    MDB_txn *transaction;
    const skr_staged_t *staged;
    scan_t scan = {.table = table, .prefix = prefix, .visit = visit, .argument = argument};
    assert (prefix.size <= SKR_STORE_KEY_BYTES_MAX && from.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (skr_store_sees (self, sight, &transaction, &staged));
    return scan_on (self, transaction, staged, &scan, from);
}

static saker_err_t walk_on (skr_store_t *self, MDB_cursor *cursor, skr_table_t table,
                            skr_walk_fn *visit, void *argument)
{
    MDB_val key, record;
    int code = mdb_cursor_get (cursor, &key, &record, MDB_FIRST);
    for (; code == 0; code = mdb_cursor_get (cursor, &key, &record, MDB_NEXT)) {
        uint8_t sum[SKR_STORE_SUM_BYTES];
        skr_span_t payload = skr_val_span (&record);
        bool damaged =
            record.mv_size < SKR_STORE_SUM_BYTES || key.mv_size > SKR_STORE_KEY_BYTES_MAX;
        if (!damaged) {
            payload =
                skr_span (payload.data + SKR_STORE_SUM_BYTES, payload.size - SKR_STORE_SUM_BYTES);
            SKR_TRY (skr_store_sum (self, table, skr_val_span (&key), payload, sum));
            damaged = memcmp (sum, record.mv_data, SKR_STORE_SUM_BYTES) != 0;
        }
        saker_err_t error = visit (skr_val_span (&key), payload, damaged, argument);
        if (error) {
            return error == SKR_STOP ? SAKER_OK : error;
        }
    }
    return code == MDB_NOTFOUND ? SAKER_OK : skr_store_err (self, code);
}

saker_err_t skr_store_walk (skr_store_t *self, skr_table_t table, skr_walk_fn *visit,
                            void *argument)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    SKR_TRY (committed (self, &transaction));
    SKR_TRY (skr_store_err (self, mdb_cursor_open (transaction, self->tables[table], &cursor)));
    self->scans++;
    saker_err_t error = walk_on (self, cursor, table, visit, argument);
    self->scans--;
    mdb_cursor_close (cursor);
    return error;
}

saker_err_t skr_store_noted (skr_store_t *self, skr_table_t table, uint64_t *count)
{
    MDB_txn *transaction;
    MDB_stat status;
    SKR_TRY (committed (self, &transaction));
    SKR_TRY (skr_store_err (self, mdb_stat (transaction, self->tables[table], &status)));
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
    size_t room = self->map_bytes - skr_store_used_bytes (self);
    skr_store_view_close (self);
    SKR_TRY (skr_store_check_usable (self));
    if (room < self->room_bytes * SKR_STORE_VIEW_GROUPS / 2 && self->grouping) {
        self->view_wanted = true;
        return skr_fail (SAKER_EWAIT, "store %s: a group is being written: try again",
                         self->folder);
    }
    SKR_TRY (skr_store_checkpoint (self)); /* what is pending is of the view, too */
    if (!self->grouping) {
        SKR_TRY (skr_store_fit_map (self, self->map_bytes, SKR_STORE_VIEW_GROUPS));
    }
    return skr_store_err (self, mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->view));
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
    viewing_t viewing = {.after = after, .visit = visit, .argument = argument};
    scan_t scan = {.table = table, .visit = view_record, .argument = &viewing};
    *more = false;
    if (!self->view) {
        return skr_fail (SAKER_EBUSY, "store %s: too much was written while it was read: try again",
                         self->folder);
    }
    saker_err_t error = scan_on (self, self->view, NULL, &scan, after);
    *more = viewing.more;
    return error;
}

/* Puts the cursor on the last key <= `key`. */
static int seek_last (MDB_cursor *cursor, skr_span_t key, MDB_val *found, MDB_val *record)
{
    *found = skr_val_of (key);
    int code = mdb_cursor_get (cursor, found, record, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND) {
        return mdb_cursor_get (cursor, found, record, MDB_LAST);
    }
    if (code == 0 && !skr_span_equal (skr_val_span (found), key)) {
        return mdb_cursor_get (cursor, found, record, MDB_PREV);
    }
    return code;
}

/* The last that is staged with a key <= `key`, and is not removed; or NULL. */
static const skr_staged_record_t *staged_last (const skr_staged_t *staged, skr_table_t table,
                                               skr_span_t key)
{
    const skr_staged_record_t *records = staged->tables[table].records;
    size_t index = skr_staged_seek (staged, table, key);
    bool at = index < staged->tables[table].count && skr_span_equal (records[index].key, key);
    for (index += at; index > 0; index--) {
        if (!skr_staged_is_removed (&records[index - 1])) {
            return &records[index - 1];
        }
    }
    return NULL;
}

/* Back to one that the group has not removed. */
static int skip_removed (MDB_cursor *cursor, const skr_staged_t *staged, skr_table_t table,
                         MDB_val *found, MDB_val *record)
{
    int code = 0;
    const skr_staged_record_t *own;
    while (code == 0 && (own = skr_staged_find (staged, table, skr_val_span (found)))
           && skr_staged_is_removed (own)) {
        code = mdb_cursor_get (cursor, found, record, MDB_PREV);
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
    const skr_staged_t *staged;
    assert (key.size > 0 && key.size <= SKR_STORE_KEY_BYTES_MAX);
    SKR_TRY (skr_store_sees (self, sight, &transaction, &staged));
    SKR_TRY (skr_store_err (self, mdb_cursor_open (transaction, self->tables[table], &cursor)));
    int code = seek_last (cursor, key, &found, &record);
    if (code == 0 && staged) {
        code = skip_removed (cursor, staged, table, &found, &record);
    }
    mdb_cursor_close (cursor);
    const skr_staged_record_t *own = staged ? staged_last (staged, table, key) : NULL;
    if (own
        && (code == MDB_NOTFOUND
            || (code == 0 && skr_span_compare (own->key, skr_val_span (&found)) >= 0))) {
        *found_key = own->key;
        if (value) {
            *value = payload_of (own);
        }
        return skr_span_starts (own->key, prefix) ? SAKER_OK : SAKER_ENOTFOUND;
    }
    SKR_TRY (skr_store_err (self, code));
    if (!skr_span_starts (skr_val_span (&found), prefix)) {
        return SAKER_ENOTFOUND;
    }
    *found_key = skr_val_span (&found);
    return value ? skr_store_open_record (self, table, *found_key, &record, value) : SAKER_OK;
}
