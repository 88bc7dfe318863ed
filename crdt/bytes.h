/* Bytes: borrowed (span), owned (buf), and the 16-byte ids. */

#ifndef SKR_CRDT_BYTES_H_INCLUDED
#define SKR_CRDT_BYTES_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

skr_span_t skr_span (const void *data, size_t size);
skr_span_t skr_span_text (const char *text);
skr_span_t skr_span_of (const skr_buf_t *buf);
bool skr_span_equal (skr_span_t one, skr_span_t other);
/* Order of memcmp, then of size. */
int skr_span_compare (skr_span_t one, skr_span_t other);
bool skr_span_starts (skr_span_t self, skr_span_t prefix);

/* A buf starts as all zeros. */
void skr_buf_append (skr_buf_t *self, const void *data, size_t size);
void skr_buf_append_span (skr_buf_t *self, skr_span_t span);
void skr_buf_append_byte (skr_buf_t *self, uint8_t byte);
/* Makes room for `size` more bytes; NULL when memory is out. The caller writes them, then adds
   them to self->size. */
uint8_t *skr_buf_reserve (skr_buf_t *self, size_t size);
/* Empties it and keeps the memory. */
void skr_buf_clear (skr_buf_t *self);
/* Frees it and leaves all zeros. */
void skr_buf_free (skr_buf_t *self);
/* The same, wiped first. */
void skr_buf_wipe (skr_buf_t *self);

int skr_id_compare (const skr_id_t *one, const skr_id_t *other);
bool skr_id_equal (const skr_id_t *one, const skr_id_t *other);
/* All zeros: the roster among the collections, and in a statement the whole mesh. */
bool skr_id_is_zero (const skr_id_t *self);

/* Big-endian integers, for keys that sort. */
void skr_put_u32 (uint8_t *at, uint32_t value);
void skr_put_u64 (uint8_t *at, uint64_t value);
uint32_t skr_get_u32 (const uint8_t *at);
uint64_t skr_get_u64 (const uint8_t *at);

/* Lower-case hexadecimal; `text` holds 2 * size + 1 bytes. */
void skr_hex (char *text, const uint8_t *data, size_t size);

#endif
