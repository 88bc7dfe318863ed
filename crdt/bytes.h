/* Bytes: borrowed (span), owned (buf), and the 16-byte ids. */

#ifndef SKR_CRDT_BYTES_H_INCLUDED
#define SKR_CRDT_BYTES_H_INCLUDED

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. */
typedef struct skr_span_t {
    const uint8_t *data;
    size_t size;
} skr_span_t;

/* Owned bytes. `failed` is set when memory ran out, and stays: check it once, at the end. */
typedef struct skr_buf_t {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
} skr_buf_t;

typedef struct skr_id_t {
    uint8_t bytes[16];
} skr_id_t;

static inline skr_span_t skr_span (const void *data, size_t size)
{
    return (skr_span_t){.data = data, .size = size};
}

static inline skr_span_t skr_span_of (const skr_buf_t *buf)
{
    return skr_span (buf->data, buf->size);
}

static inline bool skr_span_equal (skr_span_t one, skr_span_t other)
{
    return one.size == other.size && (!one.size || memcmp (one.data, other.data, one.size) == 0);
}

skr_span_t skr_span_text (const char *text);
/* Order of memcmp, then of size. */
int skr_span_compare (skr_span_t one, skr_span_t other);
static inline bool skr_span_starts (skr_span_t self, skr_span_t prefix)
{
    return self.size >= prefix.size
           && (!prefix.size || memcmp (self.data, prefix.data, prefix.size) == 0);
}

/* A buf starts as all zeros. This is skr_buf_reserve when there is no room. */
uint8_t *skr_buf_grow (skr_buf_t *self, size_t size);
/* Makes room for `size` more bytes; NULL when memory is out. The caller writes them, then adds
   them to self->size. */
static inline uint8_t *skr_buf_reserve (skr_buf_t *self, size_t size)
{
    bool there = self->data && !self->failed && self->capacity - self->size >= size;
    return there ? self->data + self->size : skr_buf_grow (self, size);
}
static inline void skr_buf_append (skr_buf_t *self, const void *data, size_t size)
{
    uint8_t *room = size ? skr_buf_reserve (self, size) : NULL;
    if (room) {
        memcpy (room, data, size);
        self->size += size;
    }
}

static inline void skr_buf_append_span (skr_buf_t *self, skr_span_t span)
{
    skr_buf_append (self, span.data, span.size);
}

static inline void skr_buf_append_byte (skr_buf_t *self, uint8_t byte)
{
    skr_buf_append (self, &byte, 1);
}

/* Empties it and keeps the memory. */
static inline void skr_buf_clear (skr_buf_t *self)
{
    self->size = 0;
    self->failed = false;
}

/* Frees it and leaves all zeros. */
void skr_buf_free (skr_buf_t *self);
/* The same, wiped first. */
void skr_buf_wipe (skr_buf_t *self);

/* Big-endian integers, for keys that sort. */
static inline void skr_put_u32 (uint8_t *at, uint32_t value)
{
    value = htobe32 (value);
    memcpy (at, &value, sizeof value);
}

static inline void skr_put_u64 (uint8_t *at, uint64_t value)
{
    value = htobe64 (value);
    memcpy (at, &value, sizeof value);
}

static inline uint32_t skr_get_u32 (const uint8_t *at)
{
    uint32_t value;
    memcpy (&value, at, sizeof value);
    return be32toh (value);
}

static inline uint64_t skr_get_u64 (const uint8_t *at)
{
    uint64_t value;
    memcpy (&value, at, sizeof value);
    return be64toh (value);
}

static inline int skr_id_compare (const skr_id_t *one, const skr_id_t *other)
{
    uint64_t left = skr_get_u64 (one->bytes), right = skr_get_u64 (other->bytes);
    if (left == right) {
        left = skr_get_u64 (one->bytes + 8);
        right = skr_get_u64 (other->bytes + 8);
    }
    return (left > right) - (left < right);
}

static inline bool skr_id_equal (const skr_id_t *one, const skr_id_t *other)
{
    return memcmp (one->bytes, other->bytes, sizeof one->bytes) == 0;
}

/* All zeros: the roster among the collections, and in a statement the whole mesh. */
bool skr_id_is_zero (const skr_id_t *self);

/* Lower-case hexadecimal; `text` holds 2 * size + 1 bytes. */
void skr_hex (char *text, const uint8_t *data, size_t size);

#endif
