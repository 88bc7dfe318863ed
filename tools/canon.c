#include "canon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry_t {
    const char *key;
    size_t size;
    const json_t *value;
} entry_t;

static void add_string (strbuf_t *text, const char *data, size_t size)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    strbuf_text (text, "\"");
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char) data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        strbuf_add (text, data + from, i - from);
        from = i + 1;
        const char *letter = byte ? strchr (letters, byte) : NULL;
        /* The table's second of each pair is never below 0x20, so only firsts and '"', '\' hit. */
        if (letter) {
            strbuf_format (text, "\\%c", letter[1]);
        } else {
            strbuf_format (text, "\\u%04x", byte);
        }
    }
    strbuf_add (text, data + from, size - from);
    strbuf_text (text, "\"");
}

static void add_real (strbuf_t *text, double number)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf (digits, sizeof digits, "%.*g", precision, number);
        if (strtod (digits, NULL) == number) {
            break;
        }
    }
    strbuf_text (text, digits);
    if (!strpbrk (digits, ".e")) {
        strbuf_text (text, ".0");
    }
}

static int compare_entries (const void *a, const void *b)
{
    const entry_t *left = a, *right = b;
    size_t size = left->size < right->size ? left->size : right->size;
    int order = memcmp (left->key, right->key, size);
    return order ? order : (left->size > right->size) - (left->size < right->size);
}

static void add_object (strbuf_t *text, const json_t *json)
{
    size_t count = json_object_size (json), filled = 0;
    entry_t *entries = malloc ((count + 1) * sizeof *entries);
    if (!entries) {
        text->failed = true;
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) json, key, value)
    {
        entries[filled++] = (entry_t){key, strlen (key), value};
    }
    qsort (entries, filled, sizeof *entries, compare_entries);
    strbuf_text (text, "{");
    for (size_t i = 0; i < filled; i++) {
        strbuf_text (text, i ? "," : "");
        add_string (text, entries[i].key, entries[i].size);
        strbuf_text (text, ":");
        canon_add (text, entries[i].value);
    }
    strbuf_text (text, "}");
    free (entries);
}

static void add_array (strbuf_t *text, const json_t *json)
{
    strbuf_text (text, "[");
    for (size_t i = 0; i < json_array_size (json); i++) {
        strbuf_text (text, i ? "," : "");
        canon_add (text, json_array_get (json, i));
    }
    strbuf_text (text, "]");
}

void canon_add (strbuf_t *text, const json_t *json)
{
    switch (json ? json_typeof (json) : JSON_NULL) {
    case JSON_OBJECT:
        add_object (text, json);
        break;
    case JSON_ARRAY:
        add_array (text, json);
        break;
    case JSON_STRING:
        add_string (text, json_string_value (json), json_string_length (json));
        break;
    case JSON_INTEGER:
        strbuf_format (text, "%" JSON_INTEGER_FORMAT, json_integer_value (json));
        break;
    case JSON_REAL:
        add_real (text, json_real_value (json));
        break;
    case JSON_TRUE:
        strbuf_text (text, "true");
        break;
    case JSON_FALSE:
        strbuf_text (text, "false");
        break;
    case JSON_NULL:
        strbuf_text (text, "null");
        break;
    }
}

static int rank (const json_t *json)
{
    switch (json_typeof (json)) {
    case JSON_NULL:
        return 0;
    case JSON_FALSE:
        return 1;
    case JSON_TRUE:
        return 2;
    case JSON_INTEGER:
        return 3;
    case JSON_REAL:
        return 4;
    case JSON_STRING:
        return 5;
    default:
        return 6;
    }
}

static int compare_texts (const json_t *a, const json_t *b)
{
    strbuf_t left = {0}, right = {0};
    canon_add (&left, a);
    canon_add (&right, b);
    int order = left.failed || right.failed ? 0 : strcmp (left.data, right.data);
    strbuf_free (&left);
    strbuf_free (&right);
    return order;
}

int canon_compare (const json_t *a, const json_t *b)
{
    if (rank (a) != rank (b)) {
        return rank (a) < rank (b) ? -1 : 1;
    }
    if (json_is_integer (a)) {
        json_int_t left = json_integer_value (a), right = json_integer_value (b);
        return (left > right) - (left < right);
    }
    if (json_is_real (a)) {
        double left = json_real_value (a), right = json_real_value (b);
        return (left > right) - (left < right);
    }
    if (json_is_string (a)) {
        entry_t left = {json_string_value (a), json_string_length (a), NULL};
        entry_t right = {json_string_value (b), json_string_length (b), NULL};
        return compare_entries (&left, &right);
    }
    return rank (a) == 6 ? compare_texts (a, b) : 0;
}
