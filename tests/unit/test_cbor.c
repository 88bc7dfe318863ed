#include "crdt/cbor.h"
#include "crdt/limits.h"
#include "tests/check.h"

#include <cbor.h>
#include <math.h>

typedef struct bytes_t {
    const char *what;
    const char *data;
    size_t size;
} bytes_t;

#define BYTES(what, bytes)                                                                         \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }
#define COUNT(array) (sizeof (array) / sizeof *(array))

static bool is_bytes (const skr_buf_t *buf, const char *data, size_t size)
{
    return skr_span_equal (skr_span_of (buf), skr_span (data, size));
}

/* ---- writing again what was read: a deterministic encoding has one form only */

static double bits_to_double (uint64_t bits)
{
    double number;
    memcpy (&number, &bits, sizeof number);
    return number;
}

static uint64_t double_to_bits (double number)
{
    uint64_t bits;
    memcpy (&bits, &number, sizeof bits);
    return bits;
}

static void rewrite_scalar (skr_cbor_t *cbor, skr_cbor_type_t type, skr_buf_t *buf)
{
    skr_span_t string;
    switch (type) {
    case SKR_CBOR_UINT:
        skr_cbor_put_uint (buf, skr_cbor_get_uint (cbor));
        break;
    case SKR_CBOR_NEGINT:
        skr_cbor_put_int (buf, skr_cbor_get_int (cbor));
        break;
    case SKR_CBOR_BYTES:
        string = skr_cbor_get_bytes (cbor);
        skr_cbor_put_bytes (buf, string.data, string.size);
        break;
    case SKR_CBOR_TEXT:
        string = skr_cbor_get_text (cbor);
        skr_cbor_put_text (buf, (const char *) string.data, string.size);
        break;
    case SKR_CBOR_BOOL:
        skr_cbor_put_bool (buf, skr_cbor_get_bool (cbor));
        break;
    case SKR_CBOR_NULL:
        skr_cbor_get_null (cbor);
        skr_cbor_put_null (buf);
        break;
    default:
        skr_cbor_put_double (buf, skr_cbor_get_double (cbor));
        break;
    }
}

/* Reads one item that skr_cbor_get_raw has passed, and writes it again. */
static void rewrite (skr_cbor_t *cbor, skr_buf_t *buf)
{
    skr_cbor_type_t type = skr_cbor_peek (cbor);
    if (type == SKR_CBOR_ARRAY) {
        size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
        skr_cbor_put_array (buf, count);
        for (size_t i = 0; i < count; i++) {
            rewrite (cbor, buf);
        }
    } else if (type == SKR_CBOR_MAP) {
        size_t count = skr_cbor_get_map (cbor, SIZE_MAX);
        skr_cbor_put_map (buf, count);
        for (size_t i = 0; i < 2 * count; i++) {
            rewrite (cbor, buf);
        }
    } else {
        rewrite_scalar (cbor, type, buf);
    }
}

/* ---- comparing with libcbor's tree of the same bytes */

static bool same_items (skr_cbor_t *cbor, const cbor_item_t *item);

static bool same_string (skr_span_t ours, const uint8_t *data, size_t size)
{
    return skr_span_equal (ours, skr_span (data, size));
}

static bool same_double (double ours, const cbor_item_t *item)
{
    double theirs = cbor_float_get_float (item);
    return isnan (theirs) ? isnan (ours) : double_to_bits (ours) == double_to_bits (theirs);
}

static bool same_array (skr_cbor_t *cbor, const cbor_item_t *item)
{
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    bool same =
        cbor_isa_array (item) && cbor_array_size (item) == count && cbor_array_is_definite (item);
    for (size_t i = 0; same && i < count; i++) {
        same = same_items (cbor, cbor_array_handle (item)[i]);
    }
    return same;
}

static bool same_map (skr_cbor_t *cbor, const cbor_item_t *item)
{
    size_t count = skr_cbor_get_map (cbor, SIZE_MAX);
    bool same = cbor_isa_map (item) && cbor_map_size (item) == count && cbor_map_is_definite (item);
    for (size_t i = 0; same && i < count; i++) {
        same = same_items (cbor, cbor_map_handle (item)[i].key)
               && same_items (cbor, cbor_map_handle (item)[i].value);
    }
    return same;
}

static bool same_items (skr_cbor_t *cbor, const cbor_item_t *item)
{
    switch (skr_cbor_peek (cbor)) {
    case SKR_CBOR_UINT:
        return cbor_isa_uint (item) && skr_cbor_get_uint (cbor) == cbor_get_int (item);
    case SKR_CBOR_NEGINT:
        return cbor_isa_negint (item)
               && skr_cbor_get_int (cbor) == -1 - (int64_t) cbor_get_int (item);
    case SKR_CBOR_BYTES:
        return cbor_isa_bytestring (item)
               && same_string (skr_cbor_get_bytes (cbor), cbor_bytestring_handle (item),
                               cbor_bytestring_length (item));
    case SKR_CBOR_TEXT:
        return cbor_isa_string (item)
               && same_string (skr_cbor_get_text (cbor), cbor_string_handle (item),
                               cbor_string_length (item));
    case SKR_CBOR_ARRAY:
        return same_array (cbor, item);
    case SKR_CBOR_MAP:
        return same_map (cbor, item);
    case SKR_CBOR_BOOL:
        return cbor_is_bool (item) && skr_cbor_get_bool (cbor) == cbor_get_bool (item);
    case SKR_CBOR_NULL:
        skr_cbor_get_null (cbor);
        return cbor_is_null (item);
    case SKR_CBOR_DOUBLE:
        return cbor_is_float (item) && same_double (skr_cbor_get_double (cbor), item);
    default:
        return false;
    }
}

static bool same_as_libcbor (skr_span_t bytes)
{
    struct cbor_load_result result;
    skr_cbor_t cbor;
    cbor_item_t *item = cbor_load (bytes.data, bytes.size, &result);
    if (!item) {
        return false;
    }
    skr_cbor_open (&cbor, bytes);
    bool same = result.read == bytes.size && same_items (&cbor, item);
    same = same && skr_cbor_close (&cbor) == SAKER_OK;
    cbor_decref (&item);
    return same;
}

/* ---- accepting */

static saker_err_t read_whole (skr_span_t bytes)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, bytes);
    skr_span_t raw = skr_cbor_get_raw (&cbor);
    saker_err_t error = skr_cbor_close (&cbor);
    if (error == SAKER_OK && !skr_span_equal (raw, bytes)) {
        CHECK_FAIL ("the raw item is not all of it");
    }
    return error;
}

/* Integers below -2^63 have the right form, but no get function gives them. */
static bool has_huge_negint (skr_span_t bytes)
{
    for (size_t i = 0; i + 9 <= bytes.size; i++) {
        if (bytes.data[i] == 0x3b && bytes.data[i + 1] >= 0x80) {
            return true;
        }
    }
    return false;
}

/* Accepted bytes: written again they are the same, and libcbor reads the same in them. */
static bool holds_water (skr_span_t bytes)
{
    skr_cbor_t cbor;
    skr_buf_t again = {0};
    skr_cbor_open (&cbor, bytes);
    rewrite (&cbor, &again);
    bool same = skr_cbor_close (&cbor) == SAKER_OK && skr_span_equal (skr_span_of (&again), bytes);
    skr_buf_free (&again);
    return has_huge_negint (bytes) || (same && same_as_libcbor (bytes));
}

/* RFC 8949, appendix A, without what we refuse. */
static const bytes_t vectors[] = {
    BYTES ("0", "\x00"),
    BYTES ("1", "\x01"),
    BYTES ("10", "\x0a"),
    BYTES ("23", "\x17"),
    BYTES ("24", "\x18\x18"),
    BYTES ("25", "\x18\x19"),
    BYTES ("100", "\x18\x64"),
    BYTES ("1000", "\x19\x03\xe8"),
    BYTES ("1000000", "\x1a\x00\x0f\x42\x40"),
    BYTES ("1000000000000", "\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"),
    BYTES ("18446744073709551615", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES ("-18446744073709551616", "\x3b\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES ("-1", "\x20"),
    BYTES ("-10", "\x29"),
    BYTES ("-100", "\x38\x63"),
    BYTES ("-1000", "\x39\x03\xe7"),
    BYTES ("0.0", "\xf9\x00\x00"),
    BYTES ("-0.0", "\xf9\x80\x00"),
    BYTES ("1.0", "\xf9\x3c\x00"),
    BYTES ("1.1", "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"),
    BYTES ("1.5", "\xf9\x3e\x00"),
    BYTES ("65504.0", "\xf9\x7b\xff"),
    BYTES ("100000.0", "\xfa\x47\xc3\x50\x00"),
    BYTES ("3.4028234663852886e+38", "\xfa\x7f\x7f\xff\xff"),
    BYTES ("1.0e+300", "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"),
    BYTES ("5.960464477539063e-8", "\xf9\x00\x01"),
    BYTES ("0.00006103515625", "\xf9\x04\x00"),
    BYTES ("-4.0", "\xf9\xc4\x00"),
    BYTES ("-4.1", "\xfb\xc0\x10\x66\x66\x66\x66\x66\x66"),
    BYTES ("Infinity", "\xf9\x7c\x00"),
    BYTES ("NaN", "\xf9\x7e\x00"),
    BYTES ("-Infinity", "\xf9\xfc\x00"),
    BYTES ("false", "\xf4"),
    BYTES ("true", "\xf5"),
    BYTES ("null", "\xf6"),
    BYTES ("h''", "\x40"),
    BYTES ("h'01020304'", "\x44\x01\x02\x03\x04"),
    BYTES ("\"\"", "\x60"),
    BYTES ("\"a\"", "\x61\x61"),
    BYTES ("\"IETF\"", "\x64\x49\x45\x54\x46"),
    BYTES ("\"\\\"\\\\\"", "\x62\x22\x5c"),
    BYTES ("\"\\u00fc\"", "\x62\xc3\xbc"),
    BYTES ("\"\\u6c34\"", "\x63\xe6\xb0\xb4"),
    BYTES ("\"\\ud800\\udd51\"", "\x64\xf0\x90\x85\x91"),
    BYTES ("[]", "\x80"),
    BYTES ("[1, 2, 3]", "\x83\x01\x02\x03"),
    BYTES ("[1, [2, 3], [4, 5]]", "\x83\x01\x82\x02\x03\x82\x04\x05"),
    BYTES ("1 to 25", "\x98\x19\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
                      "\x11\x12\x13\x14\x15\x16\x17\x18\x18\x18\x19"),
    BYTES ("{}", "\xa0"),
    BYTES ("{1: 2, 3: 4}", "\xa2\x01\x02\x03\x04"),
    BYTES ("{\"a\": 1, \"b\": [2, 3]}", "\xa2\x61\x61\x01\x61\x62\x82\x02\x03"),
    BYTES ("[\"a\", {\"b\": \"c\"}]", "\x82\x61\x61\xa1\x61\x62\x61\x63"),
    BYTES ("{\"a\": \"A\", to \"e\": \"E\"}",
           "\xa5\x61\x61\x61\x41\x61\x62\x61\x42\x61\x63\x61\x43\x61\x64\x61\x44\x61\x65\x61\x45"),
};

static void vectors_are_accepted (void)
{
    for (size_t i = 0; i < COUNT (vectors); i++) {
        skr_span_t bytes = skr_span (vectors[i].data, vectors[i].size);
        if (read_whole (bytes) != SAKER_OK) {
            CHECK_FAIL ("%s: %s", vectors[i].what, skr_error ());
        } else if (!holds_water (bytes)) {
            CHECK_FAIL ("%s: has another meaning", vectors[i].what);
        }
    }
}

static void integers_are_written (void)
{
    static const struct {
        int64_t value;
        bytes_t bytes;
    } cases[] = {
        {0, BYTES ("", "\x00")},
        {23, BYTES ("", "\x17")},
        {24, BYTES ("", "\x18\x18")},
        {255, BYTES ("", "\x18\xff")},
        {256, BYTES ("", "\x19\x01\x00")},
        {65535, BYTES ("", "\x19\xff\xff")},
        {65536, BYTES ("", "\x1a\x00\x01\x00\x00")},
        {4294967295, BYTES ("", "\x1a\xff\xff\xff\xff")},
        {4294967296, BYTES ("", "\x1b\x00\x00\x00\x01\x00\x00\x00\x00")},
        {INT64_MAX, BYTES ("", "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff")},
        {-1, BYTES ("", "\x20")},
        {-24, BYTES ("", "\x37")},
        {-25, BYTES ("", "\x38\x18")},
        {-256, BYTES ("", "\x38\xff")},
        {-257, BYTES ("", "\x39\x01\x00")},
        {INT64_MIN, BYTES ("", "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff")},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        skr_buf_t buf = {0};
        skr_cbor_t cbor;
        skr_cbor_put_int (&buf, cases[i].value);
        CHECK (is_bytes (&buf, cases[i].bytes.data, cases[i].bytes.size));
        skr_cbor_open (&cbor, skr_span_of (&buf));
        CHECK_INT (skr_cbor_get_int (&cbor), cases[i].value);
        CHECK_OK (skr_cbor_close (&cbor));
        skr_buf_free (&buf);
    }
}

static void integers_have_bounds (void)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span ("\x1b\x80\0\0\0\0\0\0\0", 9));
    CHECK (skr_cbor_get_uint (&cbor) == UINT64_C (1) << 63);
    CHECK_OK (skr_cbor_close (&cbor));
    skr_cbor_open (&cbor, skr_span ("\x1b\x80\0\0\0\0\0\0\0", 9));
    CHECK_INT (skr_cbor_get_int (&cbor), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "byte 0: integer over 64 bits");
    skr_cbor_open (&cbor, skr_span ("\x3b\x80\0\0\0\0\0\0\0", 9));
    CHECK_INT (skr_cbor_get_int (&cbor), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "integer over 64 bits");
    skr_cbor_open (&cbor, skr_span ("\x20", 1));
    CHECK_INT (skr_cbor_get_uint (&cbor), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "not an unsigned integer");
}

/* ---- refusing */

static const bytes_t refused[] = {
    BYTES ("nothing", ""),
    BYTES ("0 in 8 bits", "\x18\x00"),
    BYTES ("23 in 8 bits", "\x18\x17"),
    BYTES ("255 in 16 bits", "\x19\x00\xff"),
    BYTES ("65535 in 32 bits", "\x1a\x00\x00\xff\xff"),
    BYTES ("2^32 - 1 in 64 bits", "\x1b\0\0\0\0\xff\xff\xff\xff"),
    BYTES ("-1 in 8 bits", "\x38\x00"),
    BYTES ("-256 in 16 bits", "\x39\x00\xff"),
    BYTES ("-65536 in 32 bits", "\x3a\x00\x00\xff\xff"),
    BYTES ("-2^32 in 64 bits", "\x3b\0\0\0\0\xff\xff\xff\xff"),
    BYTES ("reserved head 28", "\x1c"),
    BYTES ("reserved head 29", "\x3d"),
    BYTES ("reserved head 30", "\x5e"),
    BYTES ("reserved head 31", "\x1f"),
    BYTES ("bytes with a long length", "\x58\x01z"),
    BYTES ("bytes with a longer length", "\x59\x00\x01z"),
    BYTES ("bytes with a very long length", "\x5a\0\0\0\x01z"),
    BYTES ("bytes with the longest length", "\x5b\0\0\0\0\0\0\0\x01z"),
    BYTES ("text with a long length", "\x78\x01z"),
    BYTES ("text with a longer length", "\x79\x00\x01z"),
    BYTES ("text with a very long length", "\x7a\0\0\0\x01z"),
    BYTES ("text with the longest length", "\x7b\0\0\0\0\0\0\0\x01z"),
    BYTES ("array with a long count", "\x98\x01\x01"),
    BYTES ("array with a longer count", "\x99\x00\x01\x01"),
    BYTES ("array with a very long count", "\x9a\0\0\0\x01\x01"),
    BYTES ("array with the longest count", "\x9b\0\0\0\0\0\0\0\x01\x01"),
    BYTES ("map with a long count", "\xb8\x01\x01\x01"),
    BYTES ("map with a longer count", "\xb9\x00\x01\x01\x01"),
    BYTES ("map with a very long count", "\xba\0\0\0\x01\x01\x01"),
    BYTES ("map with the longest count", "\xbb\0\0\0\0\0\0\0\x01\x01\x01"),
    BYTES ("indefinite bytes", "\x5f\x41z\xff"),
    BYTES ("indefinite text", "\x7f\x61z\xff"),
    BYTES ("indefinite array", "\x9f\x01\xff"),
    BYTES ("indefinite map", "\xbf\x01\x01\xff"),
    BYTES ("a break alone", "\xff"),
    BYTES ("a break in an array", "\x81\xff"),
    BYTES ("an indefinite array in an array", "\x81\x9f\xff"),
    BYTES ("tag 0", "\xc0\x61z"),
    BYTES ("tag 2, a bignum", "\xc2\x49\x01\0\0\0\0\0\0\0\0"),
    BYTES ("tag 6, unassigned", "\xc6\x01"),
    BYTES ("tag 24", "\xd8\x18\x41\x01"),
    BYTES ("tag 55799", "\xd9\xd9\xf7\x01"),
    BYTES ("tag of 32 bits", "\xda\xff\xff\xff\xff\x01"),
    BYTES ("tag of 64 bits", "\xdb\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    BYTES ("a tag in an array", "\x81\xc1\x01"),
    BYTES ("undefined", "\xf7"),
    BYTES ("simple 0", "\xe0"),
    BYTES ("simple 16", "\xf0"),
    BYTES ("simple 19", "\xf3"),
    BYTES ("true in 8 bits", "\xf8\x15"),
    BYTES ("simple 24", "\xf8\x18"),
    BYTES ("simple 255", "\xf8\xff"),
    BYTES ("reserved 28 of major 7", "\xfc"),
    BYTES ("1.0 in 32 bits", "\xfa\x3f\x80\x00\x00"),
    BYTES ("1.0 in 64 bits", "\xfb\x3f\xf0\0\0\0\0\0\0"),
    BYTES ("100000.0 in 64 bits", "\xfb\x40\xf8\x6a\0\0\0\0\0"),
    BYTES ("-0.0 in 32 bits", "\xfa\x80\x00\x00\x00"),
    BYTES ("infinity in 32 bits", "\xfa\x7f\x80\x00\x00"),
    BYTES ("infinity in 64 bits", "\xfb\x7f\xf0\0\0\0\0\0\0"),
    BYTES ("smallest half in 32 bits", "\xfa\x33\x80\x00\x00"),
    BYTES ("smallest single in 64 bits", "\xfb\x36\xa0\0\0\0\0\0\0"),
    BYTES ("negative NaN", "\xf9\xfe\x00"),
    BYTES ("signalling NaN", "\xf9\x7d\x00"),
    BYTES ("NaN with a payload", "\xf9\x7e\x01"),
    BYTES ("NaN in 32 bits", "\xfa\x7f\xc0\x00\x00"),
    BYTES ("NaN with a payload in 32 bits", "\xfa\x7f\xc0\x00\x01"),
    BYTES ("signalling NaN in 32 bits", "\xfa\x7f\x80\x00\x01"),
    BYTES ("NaN in 64 bits", "\xfb\x7f\xf8\0\0\0\0\0\0"),
    BYTES ("NaN with a payload in 64 bits", "\xfb\x7f\xf8\0\0\0\0\0\x01"),
    BYTES ("a key twice", "\xa2\x01\x02\x01\x03"),
    BYTES ("an empty key twice", "\xa2\x60\x02\x60\x03"),
    BYTES ("keys in falling order", "\xa2\x02\x01\x01\x01"),
    BYTES ("text keys in falling order", "\xa2\x61\x62\x01\x61\x61\x01"),
    BYTES ("keys in order of content, not of bytes", "\xa2\x62\x61\x61\x01\x61\x62\x01"),
    BYTES ("keys out of order by type", "\xa2\x20\x01\x01\x01"),
    BYTES ("an array as key twice", "\xa2\x81\x01\x01\x81\x01\x01"),
    BYTES ("arrays as keys in falling order", "\xa2\x81\x02\x01\x81\x01\x01"),
    BYTES ("a map as key twice", "\xa2\xa1\x01\x02\x01\xa1\x01\x02\x01"),
    BYTES ("a key twice, one level down", "\xa1\x01\xa2\x01\x02\x01\x03"),
    BYTES ("a key twice, after a map", "\xa2\x01\xa1\x05\x05\x01\x03"),
    BYTES ("a key twice in a key", "\xa1\xa2\x01\x01\x01\x01\x01"),
    BYTES ("an array shorter than told", "\x83\x01\x02"),
    BYTES ("a map shorter than told", "\xa2\x01\x02\x03"),
    BYTES ("a map with one key", "\xa1\x01"),
    BYTES ("1 GB of array in 5 bytes", "\x9a\x07\xff\xff\xff"),
    BYTES ("1 GB of map in 5 bytes", "\xba\x03\xff\xff\xff"),
    BYTES ("2^64 - 1 elements", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES ("2^64 - 1 pairs", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES ("2^63 pairs", "\xbb\x80\0\0\0\0\0\0\0\x01\x01"),
    BYTES ("2^64 - 1 bytes", "\x5b\xff\xff\xff\xff\xff\xff\xff\xffz"),
    BYTES ("2^64 - 1 bytes of text", "\x7b\xff\xff\xff\xff\xff\xff\xff\xffz"),
    BYTES ("2^32 - 1 bytes", "\x5a\xff\xff\xff\xffz"),
    BYTES ("bytes one short", "\x43zz"),
    BYTES ("text one short", "\x63zz"),
    BYTES ("a byte after the end", "\x01\x01"),
    BYTES ("a byte after an array", "\x81\x01\x01"),
    BYTES ("a byte after an empty map", "\xa0\x00"),
    BYTES ("text not UTF-8", "\x61\xff"),
    BYTES ("text not UTF-8 in an array", "\x81\x62\xc0\x80"),
    BYTES ("text not UTF-8 as a key", "\xa1\x61\x80\x01"),
};

static void other_forms_are_refused (void)
{
    for (size_t i = 0; i < COUNT (refused); i++) {
        uint8_t *copy = malloc (refused[i].size + 1); /* a sanitizer sees the end */
        memcpy (copy, refused[i].data, refused[i].size);
        copy = realloc (copy, refused[i].size + !refused[i].size);
        saker_err_t error = read_whole (skr_span (copy, refused[i].size));
        free (copy);
        if (error != SAKER_EINPUT) {
            CHECK_FAIL ("%s: error %d", refused[i].what, error);
        }
    }
}

static void no_bytes_are_refused (void)
{
    CHECK_ERR (read_whole (skr_span (NULL, 0)), SAKER_EINPUT, "byte 0: ends too early");
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span (NULL, 0));
    CHECK_INT (skr_cbor_peek (&cbor), SKR_CBOR_END);
    CHECK_OK (skr_cbor_close (&cbor));
}

static void words_name_the_place (void)
{
    CHECK_ERR (read_whole (skr_span ("\x82\x01\xf7", 3)), SAKER_EINPUT, "byte 2: tag, simple");
    CHECK_ERR (read_whole (skr_span ("\x81\xe0", 2)), SAKER_EINPUT, "byte 1: not CBOR");
    CHECK_ERR (read_whole (skr_span ("\x81\x18\x01", 3)), SAKER_EINPUT, "byte 1: not the shortest");
    CHECK_ERR (read_whole (skr_span ("\x82\x01", 2)), SAKER_EINPUT, "byte 0: array longer");
    CHECK_ERR (read_whole (skr_span ("\x01\x02", 2)), SAKER_EINPUT, "byte 1: bytes after the end");
    CHECK_ERR (read_whole (skr_span ("\x82\x41z\x19", 4)), SAKER_EINPUT, "byte 3: ends too early");
    CHECK_ERR (read_whole (skr_span ("\xa2\1\1\1\1", 5)), SAKER_EINPUT, "do not ascend");
}

/* `depth` arrays or maps in one another; the innermost is empty or holds 0. */
static saker_err_t nested (size_t depth, bool maps, bool empty)
{
    skr_buf_t buf = {0};
    for (size_t i = 0; i < depth; i++) {
        size_t count = i + 1 < depth || !empty;
        if (maps) {
            skr_cbor_put_map (&buf, count);
        } else {
            skr_cbor_put_array (&buf, count);
        }
        if (maps && count) {
            skr_cbor_put_uint (&buf, 0);
        }
    }
    if (!empty) {
        skr_cbor_put_uint (&buf, 0);
    }
    saker_err_t error = read_whole (skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

static void depth_is_bounded (void)
{
    for (int i = 0; i < 4; i++) {
        bool maps = i & 1, empty = i & 2;
        CHECK_OK (nested (1, maps, empty));
        CHECK_OK (nested (SKR_CBOR_DEPTH_MAX, maps, empty));
        CHECK_ERR (nested (SKR_CBOR_DEPTH_MAX + 1, maps, empty), SAKER_EINPUT, "nested too deep");
        CHECK_ERR (nested (100000, maps, empty), SAKER_EINPUT, "nested too deep");
    }
}

static void keys_may_be_of_any_type (void)
{
    /* {1: 0, -1: 0, h'': 0, "": 0, [1]: 0, [2]: 0, {1: 1}: 0, {1: 2}: 0, false: 0, 0.0: 0} */
    static const char map[] = "\xaa\x01\0\x20\0\x40\0\x60\0\x81\x01\0\x81\x02\0\xa1\x01\x01\0"
                              "\xa1\x01\x02\0\xf4\0\xf9\0\0\0";
    CHECK_OK (read_whole (skr_span (map, sizeof map - 1)));
    CHECK (holds_water (skr_span (map, sizeof map - 1)));
}

/* ---- the reader's functions */

static void errors_stick (void)
{
    skr_cbor_t cbor;
    uint8_t fixed[2] = {1, 1};
    int64_t last = -1;
    skr_cbor_open (&cbor, skr_span ("\x01\x02\x03", 3));
    CHECK_INT (skr_cbor_get_uint (&cbor), 1);
    CHECK (!skr_cbor_get_bool (&cbor));
    CHECK_INT (skr_cbor_peek (&cbor), SKR_CBOR_END);
    CHECK_INT (skr_cbor_get_uint (&cbor), 0);
    CHECK_INT (skr_cbor_get_int (&cbor), 0);
    CHECK (!skr_cbor_get_text (&cbor).data && !skr_cbor_get_bytes (&cbor).data);
    CHECK (skr_cbor_get_double (&cbor) == 0);
    CHECK_INT (skr_cbor_get_array (&cbor, 9), 0);
    CHECK_INT (skr_cbor_get_map (&cbor, 9), 0);
    CHECK_INT (skr_cbor_get_key (&cbor, &last), 0);
    CHECK (!skr_cbor_get_raw (&cbor).data);
    skr_cbor_get_fixed (&cbor, fixed, sizeof fixed);
    CHECK (!fixed[0] && !fixed[1]);
    skr_cbor_reject (&cbor, "later words");
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "byte 1: not a boolean");
}

static void types_are_told (void)
{
    static const char items[] = "\x00\x20\x40\x60\x80\xa0\xf4\xf5\xf6\xf9\0\0";
    static const skr_cbor_type_t types[] = {
        SKR_CBOR_UINT, SKR_CBOR_NEGINT, SKR_CBOR_BYTES, SKR_CBOR_TEXT, SKR_CBOR_ARRAY,
        SKR_CBOR_MAP,  SKR_CBOR_BOOL,   SKR_CBOR_BOOL,  SKR_CBOR_NULL, SKR_CBOR_DOUBLE,
    };
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span (items, sizeof items - 1));
    for (size_t i = 0; i < COUNT (types); i++) {
        CHECK_INT (skr_cbor_peek (&cbor), types[i]);
        CHECK_INT (skr_cbor_peek (&cbor), types[i]);
        CHECK (skr_cbor_get_raw (&cbor).size == (i == 9 ? 3 : 1));
    }
    CHECK_INT (skr_cbor_peek (&cbor), SKR_CBOR_END);
    CHECK_OK (skr_cbor_close (&cbor));
}

static saker_err_t fixed_of (const char *bytes, size_t size, uint8_t fixed[4])
{
    skr_cbor_t cbor;
    memset (fixed, 9, 4);
    skr_cbor_open (&cbor, skr_span (bytes, size));
    skr_cbor_get_fixed (&cbor, fixed, 4);
    return skr_cbor_close (&cbor);
}

static void fixed_sizes_are_exact (void)
{
    uint8_t fixed[4];
    CHECK_OK (fixed_of ("\x44wxyz", 5, fixed));
    CHECK (memcmp (fixed, "wxyz", 4) == 0);
    CHECK_ERR (fixed_of ("\x43wxy", 4, fixed), SAKER_EINPUT, "another size");
    CHECK (memcmp (fixed, "\0\0\0\0", 4) == 0);
    CHECK_ERR (fixed_of ("\x45wxyz!", 6, fixed), SAKER_EINPUT, "another size");
    CHECK_ERR (fixed_of ("\x64wxyz", 5, fixed), SAKER_EINPUT, "not a byte string");
    CHECK (memcmp (fixed, "\0\0\0\0", 4) == 0);
}

static void counts_have_a_maximum (void)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span ("\x83\x01\x02\x03", 4));
    CHECK_INT (skr_cbor_get_array (&cbor, 3), 3);
    skr_cbor_open (&cbor, skr_span ("\x83\x01\x02\x03", 4));
    CHECK_INT (skr_cbor_get_array (&cbor, 2), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "more elements than allowed");
    skr_cbor_open (&cbor, skr_span ("\xa1\x01\x02", 3));
    CHECK_INT (skr_cbor_get_map (&cbor, 0), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "more elements than allowed");
    skr_cbor_open (&cbor, skr_span ("\x9a\x07\xff\xff\xff", 5));
    CHECK_INT (skr_cbor_get_array (&cbor, SIZE_MAX), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "array longer than what follows");
    skr_cbor_open (&cbor, skr_span ("\xa2\x01\x02\x03", 4)); /* a pair takes two bytes */
    CHECK_INT (skr_cbor_get_map (&cbor, 9), 0);
    CHECK_ERR (skr_cbor_close (&cbor), SAKER_EINPUT, "map longer than what follows");
}

static saker_err_t read_keys (const char *bytes, size_t size)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, skr_span (bytes, size));
    size_t count = skr_cbor_get_map (&cbor, 9);
    for (size_t i = 0; i < count; i++) {
        skr_cbor_get_key (&cbor, &last);
        skr_cbor_get_null (&cbor);
    }
    return skr_cbor_close (&cbor);
}

static void keys_ascend (void)
{
    CHECK_OK (read_keys ("\xa0", 1));
    CHECK_OK (read_keys ("\xa3\x00\xf6\x01\xf6\x18\x18\xf6", 8));
    CHECK_ERR (read_keys ("\xa2\x00\xf6\x00\xf6", 5), SAKER_EINPUT, "do not ascend");
    CHECK_ERR (read_keys ("\xa2\x02\xf6\x01\xf6", 5), SAKER_EINPUT, "do not ascend");
    CHECK_ERR (read_keys ("\xa1\x20\xf6", 3), SAKER_EINPUT, "not an unsigned integer");
    CHECK_ERR (read_keys ("\xa1\x1b\x80\0\0\0\0\0\0\0\xf6", 11), SAKER_EINPUT, "do not ascend");
}

/* ---- doubles */

static double half_value (uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double size = exponent == 0    ? ldexp (fraction, -24)
                  : exponent == 31 ? (double) (fraction > 0 ? NAN : INFINITY)
                                   : ldexp (1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

/* The size of the shortest form, worked out another way than in the writer. */
static size_t wanted_size (double number)
{
    if (isnan (number) || isinf (number)) {
        return 3;
    }
    int exponent;
    double digits = ldexp (frexp (number, &exponent), 11); /* 11 bits of precision */
    double steps = ldexp (number, 24);                     /* of the smallest half */
    if (digits == trunc (digits) && steps == trunc (steps) && fabs (number) <= 65504) {
        return 3;
    }
    return fabs (number) <= (double) 3.402823466e+38f && (double) (float) number == number ? 5 : 9;
}

static void survives (double number)
{
    skr_buf_t buf = {0};
    skr_cbor_t cbor;
    skr_cbor_put_double (&buf, number);
    CHECK_INT (buf.size, wanted_size (number));
    skr_cbor_open (&cbor, skr_span_of (&buf));
    double found = skr_cbor_get_double (&cbor);
    CHECK_OK (skr_cbor_close (&cbor));
    CHECK (isnan (number) ? isnan (found) : double_to_bits (found) == double_to_bits (number));
    CHECK (same_as_libcbor (skr_span_of (&buf)));
    skr_buf_free (&buf);
}

static void every_half_survives (void)
{
    for (uint32_t half = 0; half < 65536 && !check_bad; half++) {
        uint8_t bytes[3] = {0xf9, (uint8_t) (half >> 8), (uint8_t) half};
        double number = half_value ((uint16_t) half);
        saker_err_t error = read_whole (skr_span (bytes, 3));
        CHECK_INT (error, isnan (number) && half != 0x7e00 ? SAKER_EINPUT : SAKER_OK);
        if (error == SAKER_OK) {
            skr_buf_t buf = {0};
            skr_cbor_put_double (&buf, number);
            CHECK (is_bytes (&buf, (const char *) bytes, 3));
            skr_buf_free (&buf);
        }
        survives (number);
        survives (nextafter (number, (double) INFINITY));
        survives (nextafter (number, -(double) INFINITY));
    }
}

static void singles_survive (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 100000 && !check_bad; i++) {
        uint32_t bits = (uint32_t) (check_random (&state) >> 32);
        float single;
        if (i % 3 == 0) {
            bits &= UINT32_MAX << (check_random (&state) % 24); /* near the halves */
        }
        memcpy (&single, &bits, sizeof single);
        survives ((double) single);
    }
}

static void doubles_survive (void)
{
    static const uint64_t corners[] = {
        0x0000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
        0x47efffffe0000000, 0x47efffffe0000001, 0x47effffff0000000, 0x47f0000000000000,
        0x36a0000000000000, 0x3690000000000000, 0x3e70000000000000, 0x3e60000000000000,
        0x3f0ffc0000000000, 0x40effc0000000000, 0x40f0000000000000, 0x3ff0000000000001,
    };
    uint64_t state = check_seed ();
    for (size_t i = 0; i < COUNT (corners); i++) {
        survives (bits_to_double (corners[i]));
        survives (-bits_to_double (corners[i]));
    }
    for (int i = 0; i < 100000 && !check_bad; i++) {
        uint64_t bits = check_random (&state);
        if (i % 3 == 0) {
            bits &= UINT64_MAX << (check_random (&state) % 53);
        }
        survives (bits_to_double (bits));
    }
}

/* ---- random items */

static void put_item (skr_buf_t *buf, uint64_t *state, int depth);

static void put_string (skr_buf_t *buf, uint64_t *state, bool is_text)
{
    static const char *letters[] = {"a", "\xc3\xbc", "\xe6\xb0\xb4", "\xf0\x90\x85\x91", "\x7f"};
    skr_buf_t string = {0};
    size_t count = check_random (state) % (check_random (state) % 20 ? 6 : 300);
    for (size_t i = 0; i < count; i++) {
        const char *letter = letters[check_random (state) % COUNT (letters)];
        skr_buf_append (&string, letter, strlen (letter));
    }
    if (is_text) {
        skr_cbor_put_text (buf, (const char *) string.data, string.size);
    } else {
        skr_cbor_put_bytes (buf, string.data, string.size);
    }
    skr_buf_free (&string);
}

static void put_array (skr_buf_t *buf, uint64_t *state, int depth)
{
    size_t count = check_random (state) % (check_random (state) % 20 ? 4 : 40);
    skr_cbor_put_array (buf, count);
    for (size_t i = 0; i < count; i++) {
        put_item (buf, state, depth + 1);
    }
}

static void put_map (skr_buf_t *buf, uint64_t *state, int depth)
{
    size_t count = check_random (state) % 5;
    uint64_t key = 0;
    skr_cbor_put_map (buf, count);
    for (size_t i = 0; i < count; i++) {
        key += 1 + check_random (state) % 200;
        skr_cbor_put_uint (buf, key);
        put_item (buf, state, depth + 1);
    }
}

static void put_item (skr_buf_t *buf, uint64_t *state, int depth)
{
    uint64_t number = check_random (state) >> check_random (state) % 64;
    switch (check_random (state) % (depth < 6 ? 10 : 8)) {
    case 0:
        skr_cbor_put_uint (buf, number);
        break;
    case 1:
        skr_cbor_put_int (buf, (int64_t) number);
        break;
    case 2:
        skr_cbor_put_int (buf, -1 - (int64_t) (number >> 1));
        break;
    case 3:
    case 4:
        put_string (buf, state, number & 1);
        break;
    case 5:
        skr_cbor_put_bool (buf, number & 1);
        break;
    case 6:
        skr_cbor_put_null (buf);
        break;
    case 7:
        skr_cbor_put_double (buf, bits_to_double (check_random (state)));
        break;
    case 8:
        put_array (buf, state, depth);
        break;
    default:
        put_map (buf, state, depth);
        break;
    }
}

static void what_is_written_is_read (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 5000 && !check_bad; i++) {
        skr_buf_t buf = {0};
        put_item (&buf, &state, 0);
        CHECK_OK (read_whole (skr_span_of (&buf)));
        CHECK (holds_water (skr_span_of (&buf)));
        skr_buf_free (&buf);
    }
}

static void cut_items_are_refused (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 200 && !check_bad; i++) {
        skr_buf_t buf = {0};
        put_array (&buf, &state, 3);
        for (size_t size = 0; size < buf.size && size < 300; size++) {
            uint8_t *cut = malloc (size + !size);
            memcpy (cut, buf.data, size);
            CHECK (read_whole (skr_span (cut, size)) == SAKER_EINPUT);
            free (cut);
        }
        skr_buf_free (&buf);
    }
}

/* Calls every function on the bytes, in random order, whatever they answer. */
static void poke (skr_span_t bytes, uint64_t *state)
{
    skr_cbor_t cbor;
    uint8_t fixed[4];
    int64_t last = -1;
    skr_cbor_open (&cbor, bytes);
    for (int i = 0; i < 8 && cbor.error == SAKER_OK; i++) {
        switch (check_random (state) % 12) {
        case 0:
            skr_cbor_get_uint (&cbor);
            break;
        case 1:
            skr_cbor_get_int (&cbor);
            break;
        case 2:
            skr_cbor_get_bool (&cbor);
            break;
        case 3:
            skr_cbor_get_null (&cbor);
            break;
        case 4:
            skr_cbor_get_double (&cbor);
            break;
        case 5:
            skr_cbor_get_bytes (&cbor);
            break;
        case 6:
            skr_cbor_get_text (&cbor);
            break;
        case 7:
            skr_cbor_get_fixed (&cbor, fixed, sizeof fixed);
            break;
        case 8:
            skr_cbor_get_array (&cbor, 10);
            break;
        case 9:
            skr_cbor_get_map (&cbor, 10);
            break;
        case 10:
            skr_cbor_get_key (&cbor, &last);
            break;
        default:
            skr_cbor_get_raw (&cbor);
            break;
        }
        CHECK (cbor.at >= cbor.start && cbor.at <= cbor.end);
    }
}

/* Refused, or right. In memory of the very size, so that a sanitizer sees. */
static bool try_bytes (const uint8_t *data, size_t size, uint64_t *state)
{
    uint8_t *copy = malloc (size + !size);
    memcpy (copy, data, size);
    bool accepted = read_whole (skr_span (copy, size)) == SAKER_OK;
    if (accepted && !holds_water (skr_span (copy, size))) {
        CHECK_FAIL ("%zu bytes are accepted with another meaning", size);
    }
    poke (skr_span (copy, size), state);
    free (copy);
    return accepted;
}

static void random_bytes_do_no_harm (void)
{
    uint64_t state = check_seed ();
    int accepted = 0;
    for (int i = 0; i < 50000 && !check_bad; i++) {
        uint8_t data[24];
        size_t size = check_random (&state) % (sizeof data - 1) + 1;
        for (size_t j = 0; j < size; j++) {
            data[j] = (uint8_t) (check_random (&state) >> 13);
        }
        accepted += try_bytes (data, size, &state);
    }
    CHECK (accepted > 0);
}

static void mutated_bytes_do_no_harm (void)
{
    uint64_t state = check_seed ();
    int accepted = 0, count = 30000;
    for (int i = 0; i < count && !check_bad; i++) {
        skr_buf_t buf = {0};
        put_item (&buf, &state, 2);
        for (uint64_t flips = check_random (&state) % 3 + 1; flips; flips--) {
            size_t at = check_random (&state) % buf.size;
            buf.data[at] ^= (uint8_t) (1u << check_random (&state) % 8);
        }
        accepted += try_bytes (buf.data, buf.size, &state);
        skr_buf_free (&buf);
    }
    CHECK (accepted > count / 100 && accepted < count);
}

/* Every input of two bytes, and every head byte before zeros. */
static void short_inputs_are_tried (void)
{
    uint64_t state = check_seed ();
    for (unsigned i = 0; i < 65536 && !check_bad; i++) {
        uint8_t data[10] = {(uint8_t) (i >> 8), (uint8_t) i};
        try_bytes (data, 2, &state);
        try_bytes (data, i % 11, &state);
    }
}

/* ---- UTF-8 */

static const bytes_t bad_utf8[] = {
    BYTES ("continuation alone", "\x80"),
    BYTES ("lead alone", "\xc3"),
    BYTES ("two of three", "\xe6\xb0"),
    BYTES ("three of four", "\xf0\x90\x85"),
    BYTES ("lead, then a letter", "\xc3z"),
    BYTES ("third is a letter", "\xe6\xb0z"),
    BYTES ("fourth is a letter", "\xf0\x90\x85z"),
    BYTES ("long zero", "\xc0\x80"),
    BYTES ("long slash", "\xc1\xaf"),
    BYTES ("long in three", "\xe0\x9f\xbf"),
    BYTES ("long in four", "\xf0\x8f\xbf\xbf"),
    BYTES ("first surrogate", "\xed\xa0\x80"),
    BYTES ("last surrogate", "\xed\xbf\xbf"),
    BYTES ("above U+10FFFF", "\xf4\x90\x80\x80"),
    BYTES ("five bytes", "\xf8\x88\x80\x80\x80"),
    BYTES ("0xfe", "\xfe"),
    BYTES ("0xff", "\xff"),
    BYTES ("bad at the end", "abc\xc3\xbc\x80"),
};

static void bad_utf8_is_refused (void)
{
    for (size_t i = 0; i < COUNT (bad_utf8); i++) {
        if (skr_utf8_valid (bad_utf8[i].data, bad_utf8[i].size)) {
            CHECK_FAIL ("%s: accepted", bad_utf8[i].what);
        }
    }
}

/* The bytes of a code point, by the table of RFC 3629. */
static size_t encode (uint32_t point, char *bytes)
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        bytes[i] = (char) (0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char) (leads[size] | point);
    return size;
}

static void every_code_point_is_judged (void)
{
    char bytes[4];
    for (uint32_t point = 0; point < 0x120000; point++) {
        bool wanted = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (skr_utf8_valid (bytes, encode (point, bytes)) != wanted) {
            CHECK_FAIL ("U+%04X", point);
            return;
        }
    }
    CHECK (skr_utf8_valid ("", 0));
    CHECK (skr_utf8_valid (NULL, 0));
    CHECK (skr_utf8_valid ("a\0b", 3));
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (vectors_are_accepted);
    RUN (integers_are_written);
    RUN (integers_have_bounds);
    RUN (other_forms_are_refused);
    RUN (no_bytes_are_refused);
    RUN (words_name_the_place);
    RUN (depth_is_bounded);
    RUN (keys_may_be_of_any_type);
    RUN (errors_stick);
    RUN (types_are_told);
    RUN (fixed_sizes_are_exact);
    RUN (counts_have_a_maximum);
    RUN (keys_ascend);
    RUN (every_half_survives);
    RUN (singles_survive);
    RUN (doubles_survive);
    RUN (what_is_written_is_read);
    RUN (cut_items_are_refused);
    RUN (random_bytes_do_no_harm);
    RUN (mutated_bytes_do_no_harm);
    RUN (short_inputs_are_tried);
    RUN (bad_utf8_is_refused);
    RUN (every_code_point_is_judged);
    return CHECK_END ();
}
