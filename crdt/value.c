#include "crdt/value.h"

#include "crdt/limits.h"

#include <math.h>
#include <string.h>

static saker_err_t check_string (const saker_value_t *value)
{
    if (value->as.string.size > SKR_VALUE_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a value of %zu bytes: at most %d are allowed",
                         value->as.string.size, SKR_VALUE_BYTES_MAX);
    }
    if (value->type == SAKER_TEXT
        && !skr_utf8_valid (value->as.string.data, value->as.string.size)) {
        return skr_fail (SAKER_EINPUT, "a text that is not UTF-8");
    }
    return SAKER_OK;
}

saker_err_t skr_value_check (const saker_value_t *value)
{
    switch (value->type) {
    case SAKER_NULL:
    case SAKER_BOOL:
    case SAKER_INT:
        return SAKER_OK;
    case SAKER_DOUBLE:
        return isfinite (value->as.number) ? SAKER_OK
                                           : skr_fail (SAKER_EINPUT, "a number that is not finite");
    case SAKER_TEXT:
    case SAKER_BYTES:
        return check_string (value);
    case SAKER_MAP:
        break;
    }
    return skr_fail (SAKER_EINPUT, "a value of unknown type %d", (int) value->type);
}

void skr_value_put (skr_buf_t *buf, const saker_value_t *value)
{
    switch (value->type) {
    case SAKER_BOOL:
        skr_cbor_put_bool (buf, value->as.boolean);
        break;
    case SAKER_INT:
        skr_cbor_put_int (buf, value->as.integer);
        break;
    case SAKER_DOUBLE:
        skr_cbor_put_double (buf, value->as.number);
        break;
    case SAKER_TEXT:
        skr_cbor_put_text (buf, value->as.string.data, value->as.string.size);
        break;
    case SAKER_BYTES:
        skr_cbor_put_bytes (buf, value->as.string.data, value->as.string.size);
        break;
    case SAKER_NULL:
    case SAKER_MAP:
        skr_cbor_put_null (buf);
        break;
    }
}

static void get_string (skr_span_t string, skr_cbor_t *cbor, saker_type_t type,
                        saker_value_t *value)
{
    if (string.size > SKR_VALUE_BYTES_MAX) {
        skr_cbor_reject (cbor, "a value over 60 KiB");
        return;
    }
    value->type = type;
    value->as.string.data = (const char *) string.data;
    value->as.string.size = string.size;
}

static void get_double (skr_cbor_t *cbor, saker_value_t *value)
{
    value->type = SAKER_DOUBLE;
    value->as.number = skr_cbor_get_double (cbor);
    if (!isfinite (value->as.number)) {
        skr_cbor_reject (cbor, "a number that is not finite");
    }
}

void skr_value_get (skr_cbor_t *cbor, saker_value_t *value)
{
    memset (value, 0, sizeof *value);
    switch (skr_cbor_peek (cbor)) {
    case SKR_CBOR_UINT:
    case SKR_CBOR_NEGINT:
        value->type = SAKER_INT;
        value->as.integer = skr_cbor_get_int (cbor);
        break;
    case SKR_CBOR_BOOL:
        value->type = SAKER_BOOL;
        value->as.boolean = skr_cbor_get_bool (cbor);
        break;
    case SKR_CBOR_NULL:
        skr_cbor_get_null (cbor);
        break;
    case SKR_CBOR_DOUBLE:
        get_double (cbor, value);
        break;
    case SKR_CBOR_TEXT:
        get_string (skr_cbor_get_text (cbor), cbor, SAKER_TEXT, value);
        break;
    case SKR_CBOR_BYTES:
        get_string (skr_cbor_get_bytes (cbor), cbor, SAKER_BYTES, value);
        break;
    default:
        skr_cbor_reject (cbor, "not a value");
        break;
    }
}

saker_err_t skr_value_parse (skr_span_t encoded, saker_value_t *value)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, encoded);
    skr_value_get (&cbor, value);
    return skr_wrap (skr_cbor_close (&cbor), "value");
}
