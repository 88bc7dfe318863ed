#include "crdt/cbor.h"

#include "crdt/limits.h"

#include <cbor.h>
#include <math.h>
#include <string.h>

/* ---- writer */

enum {
    MAJOR_UINT = SKR_CBOR_MAJOR_UINT,
    MAJOR_NEGINT = 0x20,
    MAJOR_BYTES = SKR_CBOR_MAJOR_BYTES,
    MAJOR_TEXT = 0x60,
    MAJOR_ARRAY = SKR_CBOR_MAJOR_ARRAY,
    MAJOR_MAP = 0xa0,
    ENCODED_NULL = 0xf6
};

static size_t head_size (uint64_t value)
{
    return value < 24 ? 1 : value <= 0xff ? 2 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9;
}

uint8_t *skr_cbor_head_long (uint8_t *at, uint8_t major, uint64_t value)
{
    size_t size = head_size (value);
    static const uint8_t forms[] = {[2] = 24, [3] = 25, [5] = 26, [9] = 27};
    at[0] = (uint8_t) (major | (size == 1 ? (uint8_t) value : forms[size]));
    if (size == 9) {
        skr_put_u64 (at + 1, value);
    } else {
        for (size_t i = 1; i < size; i++) {
            at[i] = (uint8_t) (value >> (8 * (size - 1 - i)));
        }
    }
    return at + size;
}

static void put_head (skr_buf_t *buf, uint8_t major, uint64_t value)
{
    uint8_t *at = skr_buf_reserve (buf, SKR_CBOR_HEAD_BYTES_MAX);
    if (at) {
        buf->size = (size_t) (skr_cbor_head (at, major, value) - buf->data);
    }
}

void skr_cbor_put_uint (skr_buf_t *buf, uint64_t value)
{
    put_head (buf, MAJOR_UINT, value);
}

void skr_cbor_put_int (skr_buf_t *buf, int64_t value)
{
    if (value < 0) {
        put_head (buf, MAJOR_NEGINT, ~(uint64_t) value);
    } else {
        put_head (buf, MAJOR_UINT, (uint64_t) value);
    }
}

void skr_cbor_put_bytes (skr_buf_t *buf, const void *data, size_t size)
{
    put_head (buf, MAJOR_BYTES, size);
    skr_buf_append (buf, data, size);
}

void skr_cbor_put_text (skr_buf_t *buf, const char *data, size_t size)
{
    put_head (buf, MAJOR_TEXT, size);
    skr_buf_append (buf, data, size);
}

void skr_cbor_put_array (skr_buf_t *buf, size_t count)
{
    put_head (buf, MAJOR_ARRAY, count);
}

void skr_cbor_put_texts (skr_buf_t *buf, const char *const *texts, size_t count)
{
    skr_cbor_put_array (buf, count);
    for (size_t i = 0; i < count; i++) {
        skr_cbor_put_text (buf, texts[i], strlen (texts[i]));
    }
}

void skr_cbor_put_map (skr_buf_t *buf, size_t count)
{
    put_head (buf, MAJOR_MAP, count);
}

void skr_cbor_put_bool (skr_buf_t *buf, bool value)
{
    skr_buf_append_byte (buf, value ? 0xf5 : 0xf4);
}

void skr_cbor_put_null (skr_buf_t *buf)
{
    skr_buf_append_byte (buf, ENCODED_NULL);
}

static uint32_t bits_of_single (float value)
{
    uint32_t bits;
    memcpy (&bits, &value, sizeof bits);
    return bits;
}

/* The 16-bit form of a single that has one exactly. */
static bool to_half (uint32_t single, uint16_t *half)
{
    uint16_t sign = (uint16_t) (single >> 16 & 0x8000);
    int exponent = (int) (single >> 23 & 0xff) - 127;
    uint32_t fraction = single & 0x7fffff;
    if (exponent == 128) { /* infinity; NaN is handled before */
        *half = sign | 0x7c00;
        return fraction == 0;
    }
    if (exponent >= -14 && exponent <= 15) {
        *half = (uint16_t) (sign | (exponent + 15) << 10 | fraction >> 13);
        return (fraction & 0x1fff) == 0;
    }
    if (exponent == -127) {
        *half = sign;
        return fraction == 0;
    }
    if (exponent < -24 || exponent >= -14) {
        return false;
    }
    int shift = -1 - exponent; /* subnormal half: fraction with its hidden bit, shifted right */
    uint32_t whole = fraction | 0x800000;
    *half = (uint16_t) (sign | whole >> shift);
    return (whole & ((1u << shift) - 1)) == 0;
}

void skr_cbor_put_double (skr_buf_t *buf, double value)
{
    uint8_t bytes[9] = {0xf9, 0x7e, 0x00};
    size_t size = 3;
    uint16_t half;
    float single = (float) value;
    if (isnan (value)) {
        size = 3;
    } else if ((double) single != value) {
        uint64_t bits;
        memcpy (&bits, &value, sizeof bits);
        bytes[0] = 0xfb;
        skr_put_u64 (bytes + 1, bits);
        size = 9;
    } else if (to_half (bits_of_single (single), &half)) {
        bytes[1] = (uint8_t) (half >> 8);
        bytes[2] = (uint8_t) half;
    } else {
        bytes[0] = 0xfa;
        skr_put_u32 (bytes + 1, bits_of_single (single));
        size = 5;
    }
    skr_buf_append (buf, bytes, size);
}

/* ---- reader */

/* One item, as libcbor's streaming decoder tells it. */
typedef struct item_t {
    skr_cbor_type_t type;
    uint64_t value; /* integer, size, count, boolean */
    double number;
    const uint8_t *data; /* of strings */
    size_t size;         /* of the whole item as read (without what an array or map holds) */
} item_t;

static void on_uint (item_t *item, uint64_t value)
{
    item->type = SKR_CBOR_UINT;
    item->value = value;
}

static void on_negint (item_t *item, uint64_t value)
{
    item->type = SKR_CBOR_NEGINT;
    item->value = value;
}

static void on_uint8 (void *item, uint8_t value)
{
    on_uint (item, value);
}

static void on_uint16 (void *item, uint16_t value)
{
    on_uint (item, value);
}

static void on_uint32 (void *item, uint32_t value)
{
    on_uint (item, value);
}

static void on_uint64 (void *item, uint64_t value)
{
    on_uint (item, value);
}

static void on_negint8 (void *item, uint8_t value)
{
    on_negint (item, value);
}

static void on_negint16 (void *item, uint16_t value)
{
    on_negint (item, value);
}

static void on_negint32 (void *item, uint32_t value)
{
    on_negint (item, value);
}

static void on_negint64 (void *item, uint64_t value)
{
    on_negint (item, value);
}

static void on_string (item_t *item, skr_cbor_type_t type, const uint8_t *data, size_t size)
{
    item->type = type;
    item->data = data;
    item->value = size;
}

static void on_bytes (void *item, cbor_data data, size_t size)
{
    on_string (item, SKR_CBOR_BYTES, data, size);
}

static void on_text (void *item, cbor_data data, size_t size)
{
    on_string (item, SKR_CBOR_TEXT, data, size);
}

static void on_array (void *item, size_t count)
{
    ((item_t *) item)->type = SKR_CBOR_ARRAY;
    ((item_t *) item)->value = count;
}

static void on_map (void *item, size_t count)
{
    ((item_t *) item)->type = SKR_CBOR_MAP;
    ((item_t *) item)->value = count;
}

static void on_bool (void *item, bool value)
{
    ((item_t *) item)->type = SKR_CBOR_BOOL;
    ((item_t *) item)->value = value;
}

static void on_null (void *item)
{
    ((item_t *) item)->type = SKR_CBOR_NULL;
}

static void on_float (void *item, float value)
{
    ((item_t *) item)->type = SKR_CBOR_DOUBLE;
    ((item_t *) item)->number = (double) value;
}

static void on_double (void *item, double value)
{
    ((item_t *) item)->type = SKR_CBOR_DOUBLE;
    ((item_t *) item)->number = value;
}

/* What these are called for is refused: item->type stays SKR_CBOR_END. */
static void on_refused (void *item)
{
    (void) item;
}

static void on_tag (void *item, uint64_t value)
{
    (void) item, (void) value;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_refused,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_refused,
    .indef_array_start = on_refused,
    .array_start = on_array,
    .indef_map_start = on_refused,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_refused,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_refused,
};

void skr_cbor_open (skr_cbor_t *self, skr_span_t bytes)
{
    static const uint8_t nothing;
    const uint8_t *data = bytes.data ? bytes.data : &nothing;
    *self = (skr_cbor_t){.start = data, .at = data, .end = data + bytes.size};
}

void skr_cbor_reject (skr_cbor_t *self, const char *wrong)
{
    if (self->error == SAKER_OK) {
        self->error = SAKER_EINPUT;
        self->wrong = wrong;
        self->wrong_at = (size_t) (self->at - self->start);
    }
}

/* The size that an item has in its shortest form. */
static size_t shortest (const item_t *item)
{
    switch (item->type) {
    case SKR_CBOR_UINT:
    case SKR_CBOR_NEGINT:
    case SKR_CBOR_ARRAY:
    case SKR_CBOR_MAP:
        return head_size (item->value);
    case SKR_CBOR_BYTES:
    case SKR_CBOR_TEXT:
        return head_size (item->value) + (size_t) item->value;
    case SKR_CBOR_DOUBLE: {
        uint8_t room[16];
        skr_buf_t buf = {.data = room, .capacity = sizeof room};
        skr_cbor_put_double (&buf, item->number);
        return buf.size;
    }
    default:
        return 1;
    }
}

/* Do the bytes carry the one NaN that is allowed? */
static bool is_strange_nan (const item_t *item, const uint8_t *at)
{
    return item->type == SKR_CBOR_DOUBLE && isnan (item->number)
           && (at[0] != 0xf9 || at[1] != 0x7e || at[2] != 0x00);
}

static void check_item (skr_cbor_t *self, const item_t *item)
{
    size_t left = (size_t) (self->end - self->at) - item->size;
    if (item->type == SKR_CBOR_END) {
        skr_cbor_reject (self, "tag, simple value or indefinite length");
    } else if (item->size != shortest (item) || is_strange_nan (item, self->at)) {
        skr_cbor_reject (self, "not the shortest form");
    } else if (item->type == SKR_CBOR_ARRAY && item->value > left) {
        skr_cbor_reject (self, "array longer than what follows");
    } else if (item->type == SKR_CBOR_MAP && item->value > left / 2) {
        skr_cbor_reject (self, "map longer than what follows");
    } else if (item->type == SKR_CBOR_TEXT
               && !skr_utf8_valid ((const char *) item->data, (size_t) item->value)) {
        skr_cbor_reject (self, "text that is not UTF-8");
    }
}

/* The argument of a head, in its shortest form; the size of the head, or 0. */
static size_t plain_head (const uint8_t *at, size_t left, uint64_t *value)
{
    uint8_t form = at[0] & 0x1f;
    size_t size = form < 24 ? 1 : form == 24 ? 2 : form == 25 ? 3 : form == 26 ? 5 : 9;
    if (form > 27 || size > left) {
        return 0;
    }
    *value = size == 1   ? form
             : size == 2 ? at[1]
             : size == 3 ? (uint64_t) at[1] << 8 | at[2]
             : size == 5 ? skr_get_u32 (at + 1)
                         : skr_get_u64 (at + 1);
    return size == head_size (*value) ? size : 0;
}

static const skr_cbor_type_t types[] = {SKR_CBOR_UINT, SKR_CBOR_NEGINT, SKR_CBOR_BYTES,
                                        SKR_CBOR_TEXT, SKR_CBOR_ARRAY,  SKR_CBOR_MAP};

/* What nearly all items are: integers, strings, arrays and maps. All else, and whatever is wrong,
   is left to libcbor, which is several times slower. */
static bool next_plain (const skr_cbor_t *self, item_t *item)
{
    size_t left = (size_t) (self->end - self->at);
    if (left == 0 || self->at[0] >> 5 >= sizeof types / sizeof *types) {
        return false;
    }
    item->type = types[self->at[0] >> 5];
    item->size = plain_head (self->at, left, &item->value);
    left -= item->size;
    if (item->size == 0 || (item->type == SKR_CBOR_MAP && item->value > left / 2)
        || (item->type >= SKR_CBOR_BYTES && item->type <= SKR_CBOR_ARRAY && item->value > left)) {
        return false;
    }
    if (item->type == SKR_CBOR_BYTES || item->type == SKR_CBOR_TEXT) {
        item->data = self->at + item->size;
        item->size += (size_t) item->value;
    }
    return item->type != SKR_CBOR_TEXT
           || skr_utf8_valid ((const char *) item->data, (size_t) item->value);
}

/* Decodes the next item without taking it. False on error or at the end. */
static bool next (skr_cbor_t *self, item_t *item)
{
    if (self->error != SAKER_OK) {
        return false;
    }
    if (next_plain (self, item)) {
        return true;
    }
    memset (item, 0, sizeof *item);
    size_t left = (size_t) (self->end - self->at);
    struct cbor_decoder_result result = cbor_stream_decode (self->at, left, &callbacks, item);
    if (result.status == CBOR_DECODER_NEDATA || left == 0) {
        skr_cbor_reject (self, "ends too early");
    } else if (result.status != CBOR_DECODER_FINISHED) {
        skr_cbor_reject (self, "not CBOR");
    } else {
        item->size = result.read;
        check_item (self, item);
    }
    return self->error == SAKER_OK;
}

static bool take (skr_cbor_t *self, skr_cbor_type_t type, item_t *item, const char *wrong)
{
    if (!next (self, item)) {
        item->value = 0;
        return false;
    }
    if (item->type != type) {
        skr_cbor_reject (self, wrong);
        item->value = 0;
        return false;
    }
    self->at += item->size;
    return true;
}

skr_cbor_type_t skr_cbor_peek (skr_cbor_t *self)
{
    item_t item;
    if (self->error != SAKER_OK || self->at == self->end) {
        return SKR_CBOR_END;
    }
    if (self->at[0] >> 5 < sizeof types / sizeof *types) {
        return types[self->at[0] >> 5]; /* whoever takes it finds what is wrong with it */
    }
    return next (self, &item) ? item.type : SKR_CBOR_END;
}

/* An integer, most of all: its argument, if it is at most `most`. */
static bool take_plain (skr_cbor_t *self, uint8_t major, uint64_t most, uint64_t *value)
{
    size_t left = (size_t) (self->end - self->at);
    if (self->error != SAKER_OK || left == 0 || (self->at[0] & 0xe0) != major) {
        return false;
    }
    size_t size = plain_head (self->at, left, value);
    if (size == 0 || *value > most) {
        return false;
    }
    self->at += size;
    return true;
}

uint64_t skr_cbor_get_uint_long (skr_cbor_t *self)
{
    item_t item;
    uint64_t value;
    if (take_plain (self, MAJOR_UINT, UINT64_MAX, &value)) {
        return value;
    }
    return take (self, SKR_CBOR_UINT, &item, "not an unsigned integer") ? item.value : 0;
}

int64_t skr_cbor_get_int (skr_cbor_t *self)
{
    item_t item;
    uint64_t value;
    bool negative = self->at < self->end && (self->at[0] & 0xe0) == MAJOR_NEGINT;
    if (take_plain (self, negative ? MAJOR_NEGINT : MAJOR_UINT, INT64_MAX, &value)) {
        return negative ? -1 - (int64_t) value : (int64_t) value;
    }
    if (!take (self, negative ? SKR_CBOR_NEGINT : SKR_CBOR_UINT, &item, "not an integer")) {
        return 0;
    }
    if (item.value > INT64_MAX) {
        self->at -= item.size;
        skr_cbor_reject (self, "integer over 64 bits");
        return 0;
    }
    return negative ? -1 - (int64_t) item.value : (int64_t) item.value;
}

bool skr_cbor_get_bool (skr_cbor_t *self)
{
    item_t item;
    return take (self, SKR_CBOR_BOOL, &item, "not a boolean") && item.value;
}

void skr_cbor_get_null (skr_cbor_t *self)
{
    item_t item;
    take (self, SKR_CBOR_NULL, &item, "not null");
}

bool skr_cbor_take_null (skr_cbor_t *self)
{
    bool is_null = self->error == SAKER_OK && self->at < self->end && *self->at == ENCODED_NULL;
    self->at += is_null;
    return is_null;
}

double skr_cbor_get_double (skr_cbor_t *self)
{
    item_t item;
    return take (self, SKR_CBOR_DOUBLE, &item, "not a double") ? item.number : 0;
}

static skr_span_t get_string (skr_cbor_t *self, skr_cbor_type_t type, const char *wrong)
{
    item_t item;
    size_t left = (size_t) (self->end - self->at);
    uint8_t major = type == SKR_CBOR_TEXT ? MAJOR_TEXT : MAJOR_BYTES;
    if (skr_cbor_is_small (self, major)) {
        skr_span_t string = skr_span (self->at + 1, self->at[0] - (size_t) major);
        if (string.size < left
            && (major == MAJOR_BYTES || skr_utf8_valid ((const char *) string.data, string.size))) {
            self->at += 1 + string.size;
            return string;
        }
    }
    if (!take (self, type, &item, wrong)) {
        return skr_span (NULL, 0);
    }
    return skr_span (item.data, (size_t) item.value);
}

skr_span_t skr_cbor_get_bytes (skr_cbor_t *self)
{
    return get_string (self, SKR_CBOR_BYTES, "not a byte string");
}

skr_span_t skr_cbor_get_text (skr_cbor_t *self)
{
    return get_string (self, SKR_CBOR_TEXT, "not text");
}

void skr_cbor_get_fixed (skr_cbor_t *self, uint8_t *data, size_t size)
{
    skr_span_t bytes = skr_cbor_get_bytes (self);
    if (bytes.size == size && bytes.data) {
        memcpy (data, bytes.data, size);
    } else {
        skr_cbor_reject (self, "byte string of another size");
        memset (data, 0, size);
    }
}

static size_t get_count (skr_cbor_t *self, skr_cbor_type_t type, size_t count_max,
                         const char *wrong)
{
    item_t item;
    if (!take (self, type, &item, wrong)) {
        return 0;
    }
    if (item.value > count_max) {
        skr_cbor_reject (self, "more elements than allowed");
        return 0;
    }
    return (size_t) item.value;
}

size_t skr_cbor_get_array_long (skr_cbor_t *self, size_t count_max)
{
    return get_count (self, SKR_CBOR_ARRAY, count_max, "not an array");
}

size_t skr_cbor_get_map (skr_cbor_t *self, size_t count_max)
{
    return get_count (self, SKR_CBOR_MAP, count_max, "not a map");
}

uint64_t skr_cbor_get_key (skr_cbor_t *self, int64_t *last)
{
    uint64_t key = skr_cbor_get_uint (self);
    if (self->error == SAKER_OK && (key > INT64_MAX || (int64_t) key <= *last)) {
        skr_cbor_reject (self, "keys of a map do not ascend");
        return 0;
    }
    *last = (int64_t) key;
    return key;
}

void skr_cbor_want_key (skr_cbor_t *self, int64_t *last, uint64_t wanted)
{
    if (skr_cbor_get_key (self, last) != wanted) {
        skr_cbor_reject (self, "unexpected key");
    }
}

/* One open array or map of skr_cbor_get_raw. */
typedef struct level_t {
    uint64_t left; /* items still to come */
    bool is_map;
    skr_span_t last_key;
    const uint8_t *item_start;
} level_t;

/* A key has come to its end: it must be above the one before it. */
static void check_key (skr_cbor_t *self, level_t *level)
{
    skr_span_t key = skr_span (level->item_start, (size_t) (self->at - level->item_start));
    if (level->last_key.data && skr_span_compare (level->last_key, key) >= 0) {
        skr_cbor_reject (self, "keys of a map do not ascend");
    }
    level->last_key = key;
}

/* An item has ended: count it in its container, and that one in its own when it is full. */
static size_t close_levels (skr_cbor_t *self, level_t *levels, size_t depth)
{
    while (depth) {
        level_t *level = &levels[depth - 1];
        if (level->is_map && level->left % 2 == 0) {
            check_key (self, level);
        }
        if (--level->left) {
            break;
        }
        depth--;
    }
    return depth;
}

skr_span_t skr_cbor_get_raw (skr_cbor_t *self)
{
    level_t levels[SKR_CBOR_DEPTH_MAX];
    size_t depth = 0;
    const uint8_t *start = self->at;
    item_t item;
    do {
        if (depth) {
            levels[depth - 1].item_start = self->at;
        }
        if (!next (self, &item)) {
            return skr_span (NULL, 0);
        }
        bool opens = item.type == SKR_CBOR_ARRAY || item.type == SKR_CBOR_MAP;
        if (opens && depth == SKR_CBOR_DEPTH_MAX) { /* an empty one counts as well */
            skr_cbor_reject (self, "nested too deep");
            return skr_span (NULL, 0);
        }
        self->at += item.size;
        if (opens && item.value) {
            bool is_map = item.type == SKR_CBOR_MAP;
            levels[depth++] =
                (level_t){.left = is_map ? 2 * item.value : item.value, .is_map = is_map};
        } else {
            depth = close_levels (self, levels, depth);
        }
    } while (depth && self->error == SAKER_OK);
    if (self->error != SAKER_OK) {
        return skr_span (NULL, 0);
    }
    return skr_span (start, (size_t) (self->at - start));
}

saker_err_t skr_cbor_close (skr_cbor_t *self)
{
    if (self->error == SAKER_OK && self->at != self->end) {
        skr_cbor_reject (self, "bytes after the end");
    }
    if (self->error != SAKER_OK) {
        return skr_fail (self->error, "byte %zu: %s", self->wrong_at, self->wrong);
    }
    return SAKER_OK;
}

/* Size of the UTF-8 sequence that begins with `lead` (0: none does) and bounds of its second byte.
 */
static size_t sequence (uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return lead < 0x80   ? 1
           : lead < 0xc2 ? 0
           : lead < 0xe0 ? 2
           : lead < 0xf0 ? 3
           : lead < 0xf5 ? 4
                         : 0;
}

bool skr_utf8_valid (const char *data, size_t size)
{
    const uint8_t *at = (const uint8_t *) data; /* may be NULL when size is 0 */
    for (uint64_t eight; size >= 8; at += 8, size -= 8) {
        memcpy (&eight, at, sizeof eight);
        if (eight & 0x8080808080808080u) {
            break;
        }
    }
    while (size) {
        uint8_t low, high;
        if (*at < 0x80) {
            at++;
            size--;
            continue;
        }
        size_t count = sequence (*at, &low, &high);
        if (count == 0 || count > size) {
            return false;
        }
        if (count > 1 && (at[1] < low || at[1] > high)) {
            return false;
        }
        for (size_t i = 2; i < count; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        at += count;
        size -= count;
    }
    return true;
}
