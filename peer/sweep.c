/* Collections that are built beside the old state, and what is left of them and of what they
   replaced.

     SKR_META         "unfinished" no u32 -> nothing: to be removed at the next open
                      "dropped" no u32 -> nothing: of a collection that was left (carrying.h), to be
                      removed in slices, between the rounds */

#include "peer/replica_internal.h"

#include <sodium.h>
#include <string.h>

#define UNFINISHED_KEY "unfinished"
#define UNFINISHED_KEY_BYTES 10
#define DROPPED_KEY "dropped"
#define DROPPED_KEY_BYTES 7
#define SWEEP_RECORDS_MAX 4096 /* removed in one group */

static void unfinished_key (uint8_t key[UNFINISHED_KEY_BYTES + 4], uint32_t no)
{
    memcpy (key, UNFINISHED_KEY, UNFINISHED_KEY_BYTES);
    skr_put_u32 (key + UNFINISHED_KEY_BYTES, no);
}

static saker_err_t note_unfinished (skr_replica_t *self, uint32_t no)
{
    uint8_t key[UNFINISHED_KEY_BYTES + 4];
    static const uint8_t nothing;
    unfinished_key (key, no);
    return skr_store_put (self->store, SKR_META, skr_span (key, sizeof key),
                          skr_span (&nothing, 1));
}

static saker_err_t note_finished (skr_replica_t *self, uint32_t no)
{
    uint8_t key[UNFINISHED_KEY_BYTES + 4];
    unfinished_key (key, no);
    saker_err_t error = skr_store_remove (self->store, SKR_META, skr_span (key, sizeof key));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_holdings_is_unfinished (skr_replica_t *self, uint32_t no, bool *unfinished)
{
    uint8_t key[UNFINISHED_KEY_BYTES + 4];
    skr_span_t value;
    unfinished_key (key, no);
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span (key, sizeof key), &value);
    *unfinished = error == SAKER_OK;
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_holdings_number (skr_replica_t *self, uint32_t *no)
{
    *no = self->next_no++;
    SKR_TRY (skr_holdings_put_next_no (self));
    return note_unfinished (self, *no);
}

static saker_err_t begin_epoch (skr_replica_t *self)
{
    skr_id_t epoch;
    randombytes_buf (epoch.bytes, sizeof epoch.bytes);
    return skr_store_put (self->store, SKR_META, skr_span_text ("epoch"),
                          skr_span (epoch.bytes, sizeof epoch.bytes));
}

saker_err_t skr_holdings_replace (skr_replica_t *self, const skr_collection_t *fresh,
                                  const skr_chain_t *chains, size_t count)
{
    skr_collection_t counted = *fresh;
    const skr_held_t *old = skr_holdings_find (self, &fresh->id);
    SKR_TRY (note_finished (self, fresh->no));
    if (old) {
        SKR_TRY (note_unfinished (self, old->live.no));
    }
    counted.changes = 0;
    for (size_t i = 0; i < count; i++) {
        counted.changes += chains[i].seq;
    }
    SKR_TRY (skr_holdings_put_collection (self, &counted));
    for (size_t i = 0; i < count; i++) {
        SKR_TRY (skr_holdings_put_chain (self, fresh->no, &chains[i]));
    }
    return begin_epoch (self);
}

static void dropped_key (uint8_t key[DROPPED_KEY_BYTES + 4], uint32_t no)
{
    memcpy (key, DROPPED_KEY, DROPPED_KEY_BYTES);
    skr_put_u32 (key + DROPPED_KEY_BYTES, no);
}

saker_err_t skr_holdings_drop (skr_replica_t *self, skr_collection_t *fresh)
{
    static const uint8_t nothing;
    uint8_t key[DROPPED_KEY_BYTES + 4];
    dropped_key (key, skr_holdings_find (self, &fresh->id)->live.no);
    fresh->no = self->next_no++;
    SKR_TRY (skr_holdings_put_next_no (self));
    SKR_TRY (
        skr_store_put (self->store, SKR_META, skr_span (key, sizeof key), skr_span (&nothing, 1)));
    SKR_TRY (skr_holdings_put_collection (self, fresh));
    return begin_epoch (self);
}

/* Keys of records to remove, each after its size as u32. */
typedef struct keys_t {
    skr_buf_t buf;
    size_t count;
} keys_t;

static saker_err_t collect_key (skr_span_t key, skr_span_t value, void *argument)
{
    keys_t *keys = argument;
    uint8_t size[4];
    (void) value;
    skr_put_u32 (size, (uint32_t) key.size);
    skr_buf_append (&keys->buf, size, sizeof size);
    skr_buf_append_span (&keys->buf, key);
    keys->count++;
    return keys->count < SWEEP_RECORDS_MAX ? SAKER_OK : SKR_STOP;
}

/* The log entry that a position record leads to, unless it is the last: positions are never given
   out twice. */
static saker_err_t collect_position (skr_span_t key, skr_span_t value, void *argument)
{
    return value.size == 8 ? collect_key (value, key, argument)
                           : skr_fail (SAKER_EDAMAGED, "a record of a position is not in form");
}

static saker_err_t remove_keys (skr_replica_t *self, skr_table_t table, const keys_t *keys)
{
    size_t at = 0;
    while (at < keys->buf.size) {
        size_t size = skr_get_u32 (keys->buf.data + at);
        saker_err_t error =
            skr_store_remove (self->store, table, skr_span (keys->buf.data + at + 4, size));
        if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
            return error;
        }
        at += 4 + size;
    }
    return SAKER_OK;
}

static saker_err_t remove_log (skr_replica_t *self, skr_span_t prefix)
{
    keys_t keys = {{0}, 0};
    uint64_t last = 0;
    saker_err_t error = skr_store_scan (self->store, SKR_GROUP, SKR_POSITIONS, prefix, prefix,
                                        collect_position, &keys);
    if (error == SAKER_OK) {
        error = keys.buf.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                                : skr_log_last (self->store, SKR_GROUP, &last);
    }
    for (size_t at = 0; error == SAKER_OK && at < keys.buf.size; at += 12) {
        const uint8_t *position = keys.buf.data + at + 4;
        if (skr_get_u64 (position) != last) {
            error = skr_store_remove (self->store, SKR_LOG, skr_span (position, 8));
            error = error == SAKER_ENOTFOUND ? SAKER_OK : error;
        }
    }
    skr_buf_free (&keys.buf);
    return error;
}

/* Removes some records of one table; *more when there may be others. */
static saker_err_t sweep_some (skr_replica_t *self, skr_table_t table, skr_span_t prefix,
                               bool *more)
{
    keys_t keys = {{0}, 0};
    saker_err_t error = SAKER_OK;
    if (table == SKR_POSITIONS) {
        error = remove_log (self, prefix);
    }
    if (error == SAKER_OK) {
        error = skr_store_scan (self->store, SKR_GROUP, table, prefix, prefix, collect_key, &keys);
    }
    if (error == SAKER_OK) {
        error = keys.buf.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                                : remove_keys (self, table, &keys);
    }
    *more = keys.count == SWEEP_RECORDS_MAX;
    skr_buf_free (&keys.buf);
    return error;
}

static const skr_table_t tables[] = {SKR_CELLS,     SKR_DOCUMENTS, SKR_DOCUMENT_IDS, SKR_TICKS,
                                     SKR_POSITIONS, SKR_CONFLICTS, SKR_HISTORY};
#define TABLES (sizeof tables / sizeof *tables)

static saker_err_t sweep_number (skr_replica_t *self, uint32_t no)
{
    uint8_t prefix[4];
    skr_put_u32 (prefix, no);
    for (size_t i = 0; i < TABLES; i++) {
        bool more = true;
        while (more) {
            SKR_TRY (skr_store_begin (self->store));
            SKR_TRY (sweep_some (self, tables[i], skr_span (prefix, sizeof prefix), &more));
            SKR_TRY (skr_store_commit (self->store));
        }
    }
    SKR_TRY (skr_store_begin (self->store));
    SKR_TRY (skr_held_drop_cut (self, no));
    SKR_TRY (note_finished (self, no));
    return skr_store_commit (self->store);
}

saker_err_t skr_holdings_sweep (skr_replica_t *self)
{
    keys_t keys = {{0}, 0};
    skr_span_t prefix = skr_span_text (UNFINISHED_KEY);
    saker_err_t error =
        skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, collect_key, &keys);
    for (size_t at = 0; error == SAKER_OK && at < keys.buf.size;
         at += 4 + UNFINISHED_KEY_BYTES + 4) {
        error = sweep_number (self, skr_get_u32 (keys.buf.data + at + 4 + UNFINISHED_KEY_BYTES));
    }
    skr_buf_free (&keys.buf);
    if (error != SAKER_OK) {
        skr_store_abort (self->store);
    }
    return error;
}

/* ---- what was dropped */

static saker_err_t first_dropped (skr_replica_t *self, uint32_t *no)
{
    keys_t keys = {{0}, 0};
    skr_span_t prefix = skr_span_text (DROPPED_KEY);
    saker_err_t error =
        skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, collect_key, &keys);
    self->dropping = keys.count > 0;
    if (keys.count > 0 && !keys.buf.failed) {
        *no = skr_get_u32 (keys.buf.data + 4 + DROPPED_KEY_BYTES);
    }
    bool failed = keys.buf.failed;
    skr_buf_free (&keys.buf);
    return error == SAKER_OK && failed ? skr_fail (SAKER_ENOMEM, "out of memory") : error;
}

saker_err_t skr_holdings_look_dropped (skr_replica_t *self)
{
    uint32_t no;
    return first_dropped (self, &no);
}

/* One slice; the last one takes the note with it. */
static saker_err_t sweep_slice (skr_replica_t *self, uint32_t no)
{
    uint8_t prefix[4], key[DROPPED_KEY_BYTES + 4];
    bool more = false;
    skr_put_u32 (prefix, no);
    for (size_t i = 0; i < TABLES && !more; i++) {
        SKR_TRY (sweep_some (self, tables[i], skr_span (prefix, sizeof prefix), &more));
    }
    if (more) {
        return SAKER_OK;
    }
    dropped_key (key, no);
    SKR_TRY (skr_held_drop_cut (self, no));
    return skr_store_remove (self->store, SKR_META, skr_span (key, sizeof key));
}

saker_err_t skr_holdings_sweep_some (skr_replica_t *self)
{
    uint32_t no = 0;
    SKR_TRY (first_dropped (self, &no));
    if (!self->dropping) {
        return SAKER_OK;
    }
    SKR_TRY (skr_store_begin (self->store));
    saker_err_t error = sweep_slice (self, no);
    error = error ? error : skr_store_commit (self->store);
    if (error) {
        skr_store_abort (self->store);
    }
    skr_store_forget (self->store);
    return error;
}
