/* Receipts of operation ids:

     SKR_OPERATIONS  hash of collection and operation id 16 -> writer 16, seq u64, collection 16,
                     hlc u64, note 16

   They go when nobody will ask again: after a time, and once the change itself is below the cut. A
   slow walk over all of them finds those; it needs no order, and costs nothing when one is kept. */

#include "peer/receipts.h"

#include "crdt/hlc.h"
#include "peer/replica_internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define RECEIPT_BYTES 64
#define RECEIPT_BYTES_UNNOTED 48 /* without a note */
#define RECEIPT_BYTES_BEFORE 24  /* without collection and time: such are kept */

void skr_receipt_key (const skr_id_t *collection, skr_span_t operation_id,
                      uint8_t key[SKR_RECEIPT_KEY_BYTES])
{
    crypto_generichash (key, SKR_RECEIPT_KEY_BYTES, operation_id.data, operation_id.size,
                        collection->bytes, sizeof collection->bytes);
}

saker_err_t skr_receipt_read (skr_span_t value, skr_receipt_record_t *record)
{
    *record = (skr_receipt_record_t){.seq = 0};
    if (value.size != RECEIPT_BYTES && value.size != RECEIPT_BYTES_UNNOTED
        && value.size != RECEIPT_BYTES_BEFORE) {
        return skr_fail (SAKER_EDAMAGED, "a record of an operation id is not in form");
    }
    memcpy (record->writer.bytes, value.data, 16);
    record->seq = skr_get_u64 (value.data + 16);
    record->dated = value.size >= RECEIPT_BYTES_UNNOTED;
    if (record->dated) {
        memcpy (record->collection.bytes, value.data + 24, 16);
        record->hlc = skr_get_u64 (value.data + 40);
    }
    if (value.size == RECEIPT_BYTES) {
        record->note = skr_span (value.data + 48, SAKER_NOTE_BYTES);
    }
    return SAKER_OK;
}

saker_err_t skr_receipt_find (skr_replica_t *self, const uint8_t key[SKR_RECEIPT_KEY_BYTES],
                              saker_receipt_t *receipt)
{
    skr_span_t value;
    skr_receipt_record_t record;
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_OPERATIONS,
                                       skr_span (key, SKR_RECEIPT_KEY_BYTES), &value);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    SKR_TRY (skr_receipt_read (value, &record));
    memcpy (receipt->writer, record.writer.bytes, sizeof receipt->writer);
    receipt->seq = record.seq;
    if (record.note.size) {
        memcpy (receipt->note, record.note.data, sizeof receipt->note);
    }
    receipt->repeated = true;
    return SAKER_OK;
}

saker_err_t skr_receipt_keep (skr_replica_t *self, const uint8_t key[SKR_RECEIPT_KEY_BYTES],
                              const skr_id_t *collection, const saker_receipt_t *receipt)
{
    uint8_t value[RECEIPT_BYTES];
    memcpy (value, receipt->writer, 16);
    skr_put_u64 (value + 16, receipt->seq);
    memcpy (value + 24, collection->bytes, 16);
    skr_put_u64 (value + 40, self->hlc); /* not below the change's own */
    memcpy (value + 48, receipt->note, sizeof receipt->note);
    saker_err_t error =
        skr_store_put (self->store, SKR_OPERATIONS, skr_span (key, SKR_RECEIPT_KEY_BYTES),
                       skr_span (value, sizeof value));
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}

/* ---- letting go */

typedef struct walk_t {
    skr_replica_t *replica;
    uint64_t wall_ms;
    uint8_t going[SKR_RECEIPTS_A_WALK][SKR_RECEIPT_KEY_BYTES];
    size_t going_count, looked;
    uint8_t next[SKR_RECEIPT_KEY_BYTES];
    bool more;
} walk_t;

/* A batch that did nothing has no change (seq 0): time alone decides. */
static bool is_cut (const skr_replica_t *self, const skr_receipt_record_t *record)
{
    const skr_held_t *held = skr_holdings_find (self, &record->collection);
    return !held || record->seq <= skr_clock_get (&held->cut, &record->writer);
}

static saker_err_t look (skr_span_t key, skr_span_t value, void *argument)
{
    walk_t *walk = argument;
    skr_receipt_record_t record;
    if (key.size != SKR_RECEIPT_KEY_BYTES) {
        return SAKER_OK;
    }
    if (walk->looked++ == SKR_RECEIPTS_A_WALK) {
        memcpy (walk->next, key.data, key.size);
        walk->more = true;
        return SKR_STOP;
    }
    if (skr_receipt_read (value, &record) == SAKER_OK && record.dated
        && skr_hlc_ms (record.hlc) + SKR_RECEIPT_MS_MIN <= walk->wall_ms
        && is_cut (walk->replica, &record)) {
        memcpy (walk->going[walk->going_count++], key.data, key.size);
    }
    return SAKER_OK;
}

static saker_err_t remove_all (skr_replica_t *self, const walk_t *walk)
{
    SKR_TRY (skr_replica_begin (self));
    for (size_t i = 0; i < walk->going_count; i++) {
        saker_err_t error = skr_store_remove (self->store, SKR_OPERATIONS,
                                              skr_span (walk->going[i], SKR_RECEIPT_KEY_BYTES));
        if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_replica_commit (self);
}

saker_err_t skr_receipts_walk (skr_replica_t *self, uint8_t from[SKR_RECEIPT_KEY_BYTES],
                               size_t *gone)
{
    walk_t walk = {.replica = self, .wall_ms = self->world->wall_ms (self->world->context)};
    assert (!skr_replica_in_group (self));
    *gone = 0;
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_OPERATIONS, skr_span (NULL, 0),
                             skr_span (from, SKR_RECEIPT_KEY_BYTES), look, &walk));
    if (walk.going_count > 0) {
        saker_err_t error = remove_all (self, &walk);
        if (error != SAKER_OK) {
            skr_replica_abort (self);
            return error;
        }
    }
    memcpy (from, walk.next, sizeof walk.next); /* zeros: from the start */
    *gone = walk.going_count;
    return SAKER_OK;
}
