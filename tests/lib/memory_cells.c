#include "tests/lib/memory_cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static saker_err_t count_call (memory_cells_t *self)
{
    if (self->fail_after == 0) {
        return skr_fail (SAKER_EIO, "memory cells: told to fail");
    }
    if (self->fail_after > 0) {
        self->fail_after--;
    }
    return SAKER_OK;
}

static int compare (const memory_entry_t *one, skr_span_t document, skr_span_t address,
                    const skr_dot_t *dot)
{
    int order = skr_span_compare (skr_span_of (&one->document), document);
    order = order ? order : skr_span_compare (skr_span_of (&one->address), address);
    return order || !dot ? order : skr_dot_compare (&one->dot, dot);
}

/* Index of the first entry that is not below. */
static size_t lower_bound (const memory_cells_t *self, skr_span_t document, skr_span_t address,
                           const skr_dot_t *dot)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare (&self->entries[middle], document, address, dot) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

skr_entry_t memory_cells_entry (const memory_cells_t *self, size_t i)
{
    const memory_entry_t *entry = &self->entries[i];
    return (skr_entry_t){.dot = entry->dot,
                         .hlc = entry->hlc,
                         .address = skr_span_of (&entry->address),
                         .value = skr_span_of (&entry->value)};
}

static saker_err_t scan (void *context, skr_span_t document, skr_span_t prefix, skr_visit_fn *visit,
                         void *argument)
{
    memory_cells_t *self = context;
    SKR_TRY (count_call (self));
    self->scans++;
    for (size_t i = lower_bound (self, document, prefix, NULL); i < self->count; i++) {
        skr_entry_t entry = memory_cells_entry (self, i);
        if (!skr_span_equal (skr_span_of (&self->entries[i].document), document)
            || !skr_span_starts (entry.address, prefix)) {
            break;
        }
        self->visits++;
        SKR_TRY (visit (&entry, argument));
    }
    return SAKER_OK;
}

static memory_entry_t copy_entry (skr_span_t document, const skr_entry_t *entry)
{
    memory_entry_t copy = {.dot = entry->dot, .hlc = entry->hlc};
    skr_buf_append_span (&copy.document, document);
    skr_buf_append_span (&copy.address, entry->address);
    skr_buf_append_span (&copy.value, entry->value);
    return copy;
}

static saker_err_t put (void *context, skr_span_t document, const skr_entry_t *entry)
{
    memory_cells_t *self = context;
    SKR_TRY (count_call (self));
    size_t at = lower_bound (self, document, entry->address, &entry->dot);
    assert (at == self->count
            || compare (&self->entries[at], document, entry->address, &entry->dot) != 0);
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->entries = realloc (self->entries, self->capacity * sizeof *self->entries);
        assert (self->entries);
    }
    memmove (&self->entries[at + 1], &self->entries[at],
             (self->count - at) * sizeof *self->entries);
    self->entries[at] = copy_entry (document, entry);
    self->count++;
    return SAKER_OK;
}

static void free_entry (memory_entry_t *entry)
{
    skr_buf_free (&entry->document);
    skr_buf_free (&entry->address);
    skr_buf_free (&entry->value);
}

static saker_err_t remove_entry (void *context, skr_span_t document, const skr_entry_t *entry)
{
    memory_cells_t *self = context;
    SKR_TRY (count_call (self));
    size_t at = lower_bound (self, document, entry->address, &entry->dot);
    assert (at < self->count
            && compare (&self->entries[at], document, entry->address, &entry->dot) == 0);
    assert (self->entries[at].hlc == entry->hlc);
    assert (skr_span_equal (skr_span_of (&self->entries[at].value), entry->value));
    free_entry (&self->entries[at]);
    self->count--;
    memmove (&self->entries[at], &self->entries[at + 1],
             (self->count - at) * sizeof *self->entries);
    return SAKER_OK;
}

void memory_cells_init (memory_cells_t *self)
{
    memset (self, 0, sizeof *self);
    self->cells = (skr_cells_t){.context = self, .scan = scan, .put = put, .remove = remove_entry};
    self->fail_after = -1;
}

void memory_cells_free (memory_cells_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free_entry (&self->entries[i]);
    }
    free (self->entries);
    memset (self, 0, sizeof *self);
}

void memory_cells_dump (const memory_cells_t *self, skr_buf_t *buf)
{
    for (size_t i = 0; i < self->count; i++) {
        const memory_entry_t *entry = &self->entries[i];
        skr_cbor_put_bytes (buf, entry->document.data, entry->document.size);
        skr_cbor_put_bytes (buf, entry->address.data, entry->address.size);
        skr_cbor_put_bytes (buf, entry->dot.writer.bytes, sizeof entry->dot.writer.bytes);
        skr_cbor_put_uint (buf, entry->dot.seq);
        skr_cbor_put_uint (buf, entry->dot.index);
        skr_cbor_put_uint (buf, entry->hlc);
        skr_cbor_put_bytes (buf, entry->value.data, entry->value.size);
    }
}

skr_fingerprint_t memory_cells_fingerprint (const memory_cells_t *self, const skr_id_t *collection)
{
    skr_fingerprint_t sum = {0, 0};
    for (size_t i = 0; i < self->count; i++) {
        skr_entry_t entry = memory_cells_entry (self, i);
        skr_fingerprint_add (&sum, collection, skr_span_of (&self->entries[i].document), &entry);
    }
    return sum;
}
