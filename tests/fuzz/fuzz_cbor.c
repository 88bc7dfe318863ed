/* Our CBOR reader against libcbor: what ours takes, libcbor takes, and reads the same in it; and it
   is canonical: written again it is the same bytes. */

#include "tests/fuzz/fuzz.h"

#include <cbor.h>

static void rewrite (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out);

static void rewrite_array (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out)
{
    size_t count = skr_cbor_get_array (reader, 1 << 20);
    FUZZ_CHECK (cbor_isa_array (item) && cbor_array_size (item) == count);
    skr_cbor_put_array (out, count);
    for (size_t i = 0; i < count; i++) {
        cbor_item_t *element = cbor_array_get (item, i);
        rewrite (reader, element, out);
        cbor_decref (&element);
    }
}

static void rewrite_map (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out)
{
    size_t count = skr_cbor_get_map (reader, 1 << 20);
    FUZZ_CHECK (cbor_isa_map (item) && cbor_map_size (item) == count);
    skr_cbor_put_map (out, count);
    for (size_t i = 0; i < count; i++) {
        struct cbor_pair pair = cbor_map_handle (item)[i];
        rewrite (reader, pair.key, out);
        rewrite (reader, pair.value, out);
    }
}

static void rewrite_string (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out)
{
    if (skr_cbor_peek (reader) == SKR_CBOR_BYTES) {
        skr_span_t bytes = skr_cbor_get_bytes (reader);
        FUZZ_CHECK (cbor_isa_bytestring (item) && cbor_bytestring_is_definite (item));
        FUZZ_CHECK (skr_span_equal (
            bytes, skr_span (cbor_bytestring_handle (item), cbor_bytestring_length (item))));
        skr_cbor_put_bytes (out, bytes.data, bytes.size);
    } else {
        skr_span_t text = skr_cbor_get_text (reader);
        FUZZ_CHECK (cbor_isa_string (item) && cbor_string_is_definite (item));
        FUZZ_CHECK (
            skr_span_equal (text, skr_span (cbor_string_handle (item), cbor_string_length (item))));
        skr_cbor_put_text (out, (const char *) text.data, text.size);
    }
}

static void rewrite_number (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out)
{
    if (skr_cbor_peek (reader) == SKR_CBOR_UINT) {
        uint64_t value = skr_cbor_get_uint (reader);
        FUZZ_CHECK (cbor_isa_uint (item) && cbor_get_int (item) == value);
        skr_cbor_put_uint (out, value);
    } else if (skr_cbor_peek (reader) == SKR_CBOR_NEGINT) {
        int64_t value = skr_cbor_get_int (reader);
        FUZZ_CHECK (cbor_isa_negint (item)
                    && (reader->error || cbor_get_int (item) == (uint64_t) ~value));
        skr_cbor_put_int (out, value);
    } else {
        double value = skr_cbor_get_double (reader);
        double other = cbor_float_get_float (item);
        FUZZ_CHECK (cbor_is_float (item) && memcmp (&value, &other, sizeof value) == 0);
        skr_cbor_put_double (out, value);
    }
}

static void rewrite (skr_cbor_t *reader, const cbor_item_t *item, skr_buf_t *out)
{
    if (reader->error != SAKER_OK) {
        return;
    }
    switch (skr_cbor_peek (reader)) {
    case SKR_CBOR_UINT:
    case SKR_CBOR_NEGINT:
    case SKR_CBOR_DOUBLE:
        rewrite_number (reader, item, out);
        break;
    case SKR_CBOR_BYTES:
    case SKR_CBOR_TEXT:
        rewrite_string (reader, item, out);
        break;
    case SKR_CBOR_ARRAY:
        rewrite_array (reader, item, out);
        break;
    case SKR_CBOR_MAP:
        rewrite_map (reader, item, out);
        break;
    case SKR_CBOR_BOOL:
        FUZZ_CHECK (cbor_is_bool (item));
        bool value = skr_cbor_get_bool (reader);
        FUZZ_CHECK (cbor_get_bool (item) == value);
        skr_cbor_put_bool (out, value);
        break;
    case SKR_CBOR_NULL:
        FUZZ_CHECK (cbor_is_null (item));
        skr_cbor_get_null (reader);
        skr_cbor_put_null (out);
        break;
    case SKR_CBOR_END:
        break;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    skr_cbor_t reader;
    skr_buf_t out = {0};
    skr_cbor_open (&reader, skr_span (data, size));
    skr_span_t whole = skr_cbor_get_raw (&reader);
    if (skr_cbor_close (&reader) != SAKER_OK) {
        return 0;
    }
    FUZZ_CHECK (whole.size == size);
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load (data, size, &result);
    FUZZ_CHECK (item && result.error.code == CBOR_ERR_NONE && result.read == size);
    skr_cbor_open (&reader, skr_span (data, size));
    rewrite (&reader, item, &out);
    if (skr_cbor_close (&reader) == SAKER_OK) { /* a number may be beyond what we hold */
        FUZZ_CHECK (skr_span_equal (skr_span (data, size), skr_span_of (&out)));
    }
    cbor_decref (&item);
    skr_buf_free (&out);
    return 0;
}
