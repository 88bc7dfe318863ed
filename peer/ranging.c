#include "peer/ranging.h"

#include "peer/replica_internal.h"

typedef struct ranging_t {
    skr_replica_t *replica;
    const skr_collection_t *collection;
    skr_span_t to, document;
    bool detail, whole;
    uint64_t documents, entries, bytes, told;
    skr_fingerprint_t sum;
    skr_buf_t list;
} ranging_t;

static void put_entry (ranging_t *self, const skr_entry_t *entry)
{
    skr_fingerprint_t hash = {0};
    uint8_t bytes[16];
    skr_fingerprint_add (&hash, &self->collection->id, self->document, entry);
    skr_fingerprint_bytes (&hash, bytes);
    bool small = entry->value.size <= SKR_RANGE_VALUE_BYTES_MAX;
    skr_cbor_put_array (&self->list, 8);
    skr_cbor_put_bytes (&self->list, self->document.data, self->document.size);
    skr_cbor_put_bytes (&self->list, entry->address.data, entry->address.size);
    skr_cbor_put_bytes (&self->list, entry->dot.writer.bytes, sizeof entry->dot.writer.bytes);
    skr_cbor_put_uint (&self->list, entry->dot.seq);
    skr_cbor_put_uint (&self->list, entry->dot.index);
    skr_cbor_put_uint (&self->list, entry->hlc);
    skr_cbor_put_bytes (&self->list, bytes, sizeof bytes);
    skr_cbor_put_bytes (&self->list, entry->value.data, small ? entry->value.size : 0);
}

static saker_err_t add_entry (const skr_entry_t *entry, void *argument)
{
    ranging_t *self = argument;
    if (self->entries == SKR_RANGE_ENTRIES_MAX || self->bytes >= SKR_RANGE_BYTES_MAX) {
        self->whole = false;
        return SKR_STOP;
    }
    self->entries++;
    self->bytes += entry->value.size;
    skr_fingerprint_add (&self->sum, &self->collection->id, self->document, entry);
    if (self->detail && self->told < SKR_RANGE_TOLD_MAX) {
        self->told++;
        put_entry (self, entry);
    } else if (self->detail) {
        self->whole = false;
    }
    return SAKER_OK;
}

static saker_err_t add_document (skr_span_t document, void *argument)
{
    ranging_t *self = argument;
    if (self->to.size && skr_span_compare (document, self->to) >= 0) {
        return SKR_STOP;
    }
    if (self->documents == SKR_RANGE_DOCUMENTS_MAX || !self->whole) {
        self->whole = false;
        return SKR_STOP;
    }
    self->documents++;
    self->document = document;
    const skr_cells_t *cells =
        skr_cells_store_committed (self->replica->cells, self->collection->no);
    saker_err_t error = cells->scan (cells->context, document, skr_span (NULL, 0), add_entry, self);
    return error == SKR_STOP ? SAKER_OK : error;
}

saker_err_t skr_range_put (skr_replica_t *replica, const skr_collection_t *collection,
                           skr_span_t from, skr_span_t to, bool detail, skr_buf_t *buf,
                           uint64_t *looks)
{
    uint8_t sum[16];
    ranging_t self = {
        .replica = replica, .collection = collection, .to = to, .detail = detail, .whole = true};
    saker_err_t error = skr_cells_store_documents (replica->cells, SKR_COMMITTED, collection->no,
                                                   from, add_document, &self);
    if (error == SAKER_OK) {
        skr_fingerprint_bytes (&self.sum, sum);
        skr_cbor_put_array (buf, 5);
        skr_cbor_put_uint (buf, skr_clock_digest (&collection->clock));
        skr_cbor_put_uint (buf, self.documents);
        skr_cbor_put_bool (buf, self.whole);
        skr_cbor_put_bytes (buf, sum, sizeof sum);
        skr_cbor_put_array (buf, self.told);
        skr_buf_append_span (buf, skr_span_of (&self.list));
        error =
            self.list.failed || buf->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
    }
    if (looks) {
        *looks = self.documents + self.entries;
    }
    skr_buf_free (&self.list);
    return error;
}
