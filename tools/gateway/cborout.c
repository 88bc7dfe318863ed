#include "gateway/cborout.h"

#include "base64.h"
#include "marks.h"

#include <cbor.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 16

static void add_head (strbuf_t *text, const unsigned char *head, size_t size)
{
    strbuf_add (text, head, size);
    text->failed = text->failed || size == 0;
}

static void add_text (strbuf_t *text, const char *data, size_t size)
{
    unsigned char head[HEAD_BYTES];
    add_head (text, head, cbor_encode_string_start (size, head, sizeof head));
    strbuf_add (text, data, size);
}

static void add_bytes (strbuf_t *text, const json_t *base64)
{
    unsigned char head[HEAD_BYTES];
    size_t size = 0, text_size = json_string_length (base64);
    uint8_t *bytes = malloc (text_size / 4 * 3 + 1);
    if (!bytes || !base64_decode (json_string_value (base64), text_size, bytes, &size)) {
        text->failed = true;
    } else {
        add_head (text, head, cbor_encode_bytestring_start (size, head, sizeof head));
        strbuf_add (text, bytes, size);
    }
    free (bytes);
}

static void add_integer (strbuf_t *text, json_int_t integer)
{
    unsigned char head[HEAD_BYTES];
    size_t size = integer >= 0 ? cbor_encode_uint ((uint64_t) integer, head, sizeof head)
                               : cbor_encode_negint ((uint64_t) (-1 - integer), head, sizeof head);
    add_head (text, head, size);
}

static int compare_keys (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void add_map (strbuf_t *text, const json_t *json)
{
    unsigned char head[HEAD_BYTES];
    size_t count = json_object_size (json), used = 0;
    const char **keys = calloc (count + 1, sizeof *keys);
    const char *key;
    json_t *value;
    if (!keys) {
        text->failed = true;
        return;
    }
    json_object_foreach ((json_t *) json, key, value)
    {
        keys[used++] = key;
    }
    qsort (keys, count, sizeof *keys, compare_keys);
    add_head (text, head, cbor_encode_map_start (count, head, sizeof head));
    for (size_t i = 0; i < count; i++) {
        add_text (text, keys[i], strlen (keys[i]));
        cborout_add (text, json_object_get (json, keys[i]));
    }
    free (keys);
}

static void add_list (strbuf_t *text, const json_t *json)
{
    unsigned char head[HEAD_BYTES];
    size_t count = json_array_size (json);
    add_head (text, head, cbor_encode_array_start (count, head, sizeof head));
    for (size_t i = 0; i < count; i++) {
        cborout_add (text, json_array_get (json, i));
    }
}

void cborout_add (strbuf_t *text, const json_t *json)
{
    unsigned char head[HEAD_BYTES];
    if (!json) {
        text->failed = true;
        return;
    }
    switch (json_typeof (json)) {
    case JSON_OBJECT:
        if (json_is_string (mark_inside (json, MARK_BYTES))) {
            add_bytes (text, mark_inside (json, MARK_BYTES));
        } else {
            add_map (text, json);
        }
        break;
    case JSON_ARRAY:
        add_list (text, json);
        break;
    case JSON_STRING:
        add_text (text, json_string_value (json), json_string_length (json));
        break;
    case JSON_INTEGER:
        add_integer (text, json_integer_value (json));
        break;
    case JSON_REAL:
        add_head (text, head, cbor_encode_double (json_real_value (json), head, sizeof head));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        add_head (text, head, cbor_encode_bool (json_is_true (json), head, sizeof head));
        break;
    case JSON_NULL:
        add_head (text, head, cbor_encode_null (head, sizeof head));
        break;
    }
}
