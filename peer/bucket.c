#include "peer/bucket.h"

#include <string.h>

#define VARINT_BYTES_MAX 10

static int compare_numbers (uint64_t one, uint64_t other)
{
    return (one > other) - (one < other);
}

int skr_item_compare (const skr_item_t *one, const skr_item_t *other)
{
    int order = skr_span_compare (one->address, other->address);
    return order ? order : skr_item_compare_dots (one, other);
}

int skr_item_compare_dots (const skr_item_t *one, const skr_item_t *other)
{
    int order = compare_numbers (one->writer, other->writer);
    if (order == 0) {
        order = compare_numbers (one->seq, other->seq);
    }
    return order ? order : compare_numbers (one->index, other->index);
}

void skr_item_key (skr_buf_t *key, const skr_item_t *item)
{
    uint8_t dot[SKR_ITEM_DOT_BYTES];
    skr_put_u32 (dot, item->writer);
    skr_put_u64 (dot + 4, item->seq);
    skr_put_u32 (dot + 12, item->index);
    skr_buf_clear (key);
    skr_buf_append_span (key, item->address);
    skr_buf_append (key, dot, sizeof dot);
}

/* ---- writing */

static uint8_t *put_varint (uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t) value;
    return at;
}

static uint8_t *put_bytes (uint8_t *at, const uint8_t *data, size_t size)
{
    at = put_varint (at, size);
    if (size > 0) {
        memcpy (at, data, size);
    }
    return at + size;
}

/* The difference modulo 2^64, small both ways from zero. */
static uint64_t zigzag (uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag (uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static size_t shared_bytes (skr_span_t one, skr_span_t other)
{
    size_t size = one.size < other.size ? one.size : other.size, shared = 0;
    while (shared < size && one.data[shared] == other.data[shared]) {
        shared++;
    }
    return shared;
}

void skr_bucket_put (skr_bucket_writer_t *self, const skr_item_t *item)
{
    const skr_item_t *last = &self->last;
    size_t shared = shared_bytes (last->address, item->address);
    bool same = self->bytes.size > 0 && last->writer == item->writer && last->seq == item->seq
                && last->hlc == item->hlc;
    uint8_t *start = skr_buf_reserve (&self->bytes,
                                      7 * VARINT_BYTES_MAX + item->address.size + item->value.size);
    if (!start) {
        return;
    }
    uint8_t *at = put_varint (start, (uint64_t) shared << 1 | same);
    at = put_bytes (at, item->address.data + shared, item->address.size - shared);
    if (!same) {
        at = put_varint (at, item->writer);
        at = put_varint (at, item->seq);
        at = put_varint (at, zigzag (item->hlc - last->hlc));
    }
    at = put_varint (at, item->index);
    at = put_bytes (at, item->value.data, item->value.size);
    self->bytes.size += (size_t) (at - start);
    self->last = *item;
}

void skr_bucket_restart (skr_bucket_writer_t *self)
{
    skr_buf_clear (&self->bytes);
    self->last = (skr_item_t){0};
}

/* ---- reading */

void skr_bucket_open (skr_bucket_reader_t *self, skr_span_t bytes)
{
    self->at = bytes.data;
    self->end = bytes.data + bytes.size;
    self->item = (skr_item_t){0};
    self->error = SAKER_OK;
    skr_buf_clear (&self->address);
}

static void spoil (skr_bucket_reader_t *self)
{
    /* The checksum held, so this is what was written: by another version, or by mistake. */
    if (!self->error) {
        self->error = skr_fail (SAKER_EDAMAGED, "a bucket of cells does not decode");
    }
    self->at = self->end;
}

static uint64_t get_varint (skr_bucket_reader_t *self)
{
    uint64_t value = 0;
    for (unsigned int shift = 0; shift < 64 && self->at < self->end; shift += 7) {
        uint8_t byte = *self->at++;
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    spoil (self);
    return 0;
}

static skr_span_t get_bytes (skr_bucket_reader_t *self)
{
    uint64_t size = get_varint (self);
    if (size > (uint64_t) (self->end - self->at)) {
        spoil (self);
        size = 0;
    }
    skr_span_t bytes = skr_span (self->at, (size_t) size);
    self->at += size;
    return bytes;
}

static void get_address (skr_bucket_reader_t *self, uint64_t shared)
{
    skr_span_t rest = get_bytes (self);
    if (shared > self->address.size) {
        spoil (self);
        return;
    }
    self->address.size = (size_t) shared;
    skr_buf_append_span (&self->address, rest);
    if (self->address.failed) {
        self->error = skr_fail (SAKER_ENOMEM, "out of memory for an address");
    }
    self->item.address = skr_span_of (&self->address);
}

bool skr_bucket_next (skr_bucket_reader_t *self)
{
    skr_item_t *item = &self->item;
    if (self->at == self->end || self->error) {
        return false;
    }
    uint64_t head = get_varint (self);
    get_address (self, head >> 1);
    if (!(head & 1)) {
        item->writer = (uint32_t) get_varint (self);
        item->seq = get_varint (self);
        item->hlc += unzigzag (get_varint (self));
    }
    item->index = (uint32_t) get_varint (self);
    item->value = get_bytes (self);
    return self->error == SAKER_OK;
}

void skr_bucket_free (skr_bucket_reader_t *self)
{
    skr_buf_free (&self->address);
}
