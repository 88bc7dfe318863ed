/* CBOR, core deterministic encoding (RFC 8949 section 4.2.1), and nothing else.

   The writer appends to a buf. The reader walks borrowed bytes with libcbor's streaming decoder,
   item by item, and refuses: indefinite lengths, longer forms than needed, tags, counts larger than
   the bytes left, depth over SKR_CBOR_DEPTH_MAX, text that is not UTF-8. Its error is sticky: after
   the first, every call answers with zeros, so a parser reads everything and checks once. */

#ifndef SKR_CRDT_CBOR_H_INCLUDED
#define SKR_CRDT_CBOR_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

#define SKR_CBOR_MAJOR_UINT 0x00
#define SKR_CBOR_MAJOR_BYTES 0x40
#define SKR_CBOR_MAJOR_ARRAY 0x80
#define SKR_CBOR_HEAD_BYTES_MAX ((size_t) 9)

/* Writes the head of an item where there is room for it; where it ends. */
uint8_t *skr_cbor_head_long (uint8_t *at, uint8_t major, uint64_t value);
static inline uint8_t *skr_cbor_head (uint8_t *at, uint8_t major, uint64_t value)
{
    if (value >= 24) {
        return skr_cbor_head_long (at, major, value);
    }
    *at = (uint8_t) (major | value);
    return at + 1;
}

void skr_cbor_put_uint (skr_buf_t *buf, uint64_t value);
void skr_cbor_put_int (skr_buf_t *buf, int64_t value);
void skr_cbor_put_bytes (skr_buf_t *buf, const void *data, size_t size);
void skr_cbor_put_text (skr_buf_t *buf, const char *data, size_t size);
void skr_cbor_put_array (skr_buf_t *buf, size_t count);
/* An array of texts that are ended by a zero. */
void skr_cbor_put_texts (skr_buf_t *buf, const char *const *texts, size_t count);
void skr_cbor_put_map (skr_buf_t *buf, size_t count);
void skr_cbor_put_bool (skr_buf_t *buf, bool value);
void skr_cbor_put_null (skr_buf_t *buf);
/* In the shortest of 16, 32, 64 bits that holds it exactly. */
void skr_cbor_put_double (skr_buf_t *buf, double value);

typedef enum skr_cbor_type_t {
    SKR_CBOR_END = 0, /* nothing left, or the reader has failed */
    SKR_CBOR_UINT,
    SKR_CBOR_NEGINT,
    SKR_CBOR_BYTES,
    SKR_CBOR_TEXT,
    SKR_CBOR_ARRAY,
    SKR_CBOR_MAP,
    SKR_CBOR_BOOL,
    SKR_CBOR_NULL,
    SKR_CBOR_DOUBLE,
} skr_cbor_type_t;

/* Borrows what it reads. */
typedef struct skr_cbor_t {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    saker_err_t error; /* SAKER_OK, SAKER_EINPUT */
    const char *wrong; /* static words about it */
    size_t wrong_at;   /* offset */
} skr_cbor_t;

void skr_cbor_open (skr_cbor_t *self, skr_span_t bytes);

/* Is the next item one whose head is a single byte, as most are? */
static inline bool skr_cbor_is_small (const skr_cbor_t *self, uint8_t major)
{
    return self->error == SAKER_OK && self->at < self->end && self->at[0] >= major
           && self->at[0] < major + 24;
}

/* Type of the next item, without taking it, by its first byte. */
skr_cbor_type_t skr_cbor_peek (skr_cbor_t *self);
uint64_t skr_cbor_get_uint_long (skr_cbor_t *self);
static inline uint64_t skr_cbor_get_uint (skr_cbor_t *self)
{
    return skr_cbor_is_small (self, SKR_CBOR_MAJOR_UINT) ? *self->at++
                                                         : skr_cbor_get_uint_long (self);
}
int64_t skr_cbor_get_int (skr_cbor_t *self);
bool skr_cbor_get_bool (skr_cbor_t *self);
void skr_cbor_get_null (skr_cbor_t *self);
/* Takes a null when the next item is one. */
bool skr_cbor_take_null (skr_cbor_t *self);
double skr_cbor_get_double (skr_cbor_t *self);
/* Borrowed from what is read. */
skr_span_t skr_cbor_get_bytes (skr_cbor_t *self);
skr_span_t skr_cbor_get_text (skr_cbor_t *self);
/* A byte string of exactly `size` bytes, copied; zeros on error. */
void skr_cbor_get_fixed (skr_cbor_t *self, uint8_t *data, size_t size);
/* Number of elements; an error when it is over `count_max`. */
size_t skr_cbor_get_array_long (skr_cbor_t *self, size_t count_max);
static inline size_t skr_cbor_get_array (skr_cbor_t *self, size_t count_max)
{
    size_t left = (size_t) (self->end - self->at);
    if (skr_cbor_is_small (self, SKR_CBOR_MAJOR_ARRAY)) {
        size_t count = self->at[0] - (size_t) SKR_CBOR_MAJOR_ARRAY;
        if (count <= count_max && count < left) {
            self->at++;
            return count;
        }
    }
    return skr_cbor_get_array_long (self, count_max);
}
/* Number of pairs. The caller takes each key with skr_cbor_get_key. */
size_t skr_cbor_get_map (skr_cbor_t *self, size_t count_max);
/* A key of a map whose keys are unsigned integers. `last` is -1 before the first; keys must
   ascend. */
uint64_t skr_cbor_get_key (skr_cbor_t *self, int64_t *last);
/* The same for a key that must be this one. */
void skr_cbor_want_key (skr_cbor_t *self, int64_t *last, uint64_t wanted);
/* Takes one whole item, whatever it holds (checked for form and depth, map keys for order too),
   and gives its bytes. */
skr_span_t skr_cbor_get_raw (skr_cbor_t *self);
/* Marks the reader as failed, with static words. */
void skr_cbor_reject (skr_cbor_t *self, const char *wrong);
/* SAKER_OK when no error was met and nothing is left. The sentence names words and offset. */
saker_err_t skr_cbor_close (skr_cbor_t *self) SKR_MUST_USE;

/* Is this UTF-8 (RFC 3629: no surrogates, shortest form)? */
bool skr_utf8_valid (const char *data, size_t size);

#endif
