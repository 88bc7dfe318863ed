#include "crdt/path.h"

#include "crdt/limits.h"
#include "crdt/value.h"

#include <string.h>

static saker_err_t bad_pointer (const char *pointer, const char *why)
{
    return skr_fail (SAKER_EINPUT, "path '%.100s': %s (a JSON Pointer is \"\" or like \"/a/b\")",
                     pointer, why);
}

/* Takes one reference token (up to the next '/') and undoes ~0 and ~1. */
static saker_err_t take_token (const char *pointer, const char **at, char *key, size_t *size)
{
    *size = 0;
    for (; **at && **at != '/'; (*at)++) {
        char letter = **at;
        if (letter == '~') {
            letter = *++*at;
            if (letter != '0' && letter != '1') {
                return bad_pointer (pointer, "'~' must be written '~0'");
            }
            letter = letter == '0' ? '~' : '/';
        }
        if (*size == SKR_PATH_BYTES_MAX) {
            return skr_fail (SAKER_ELIMIT, "path over %d bytes", SKR_PATH_BYTES_MAX);
        }
        key[(*size)++] = letter;
    }
    return SAKER_OK;
}

static saker_err_t put_keys (skr_buf_t *path, const char *pointer)
{
    char key[SKR_PATH_BYTES_MAX];
    size_t size;
    size_t start = path->size;
    const char *at = pointer;
    while (*at) {
        at++;
        SKR_TRY (take_token (pointer, &at, key, &size));
        if (!skr_utf8_valid (key, size)) {
            return bad_pointer (pointer, "it is not UTF-8");
        }
        skr_cbor_put_text (path, key, size);
    }
    if (path->failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    return skr_path_check (skr_span (path->data + start, path->size - start));
}

saker_err_t skr_path_from_pointer (skr_buf_t *path, const char *pointer)
{
    size_t start = path->size;
    if (!*pointer) {
        return SAKER_OK; /* the whole document */
    }
    if (*pointer != '/') {
        return bad_pointer (pointer, "it must begin with '/'");
    }
    saker_err_t error = put_keys (path, pointer);
    if (error != SAKER_OK) {
        path->size = start;
    }
    return error;
}

bool skr_path_next (skr_span_t *path, skr_span_t *key)
{
    skr_cbor_t cbor;
    if (!path->size) {
        return false;
    }
    skr_cbor_open (&cbor, *path);
    *key = skr_cbor_get_text (&cbor);
    path->size = (size_t) (cbor.end - cbor.at);
    path->data = cbor.at;
    return cbor.error == SAKER_OK;
}

void skr_path_to_pointer (skr_buf_t *pointer, skr_span_t path)
{
    skr_span_t key;
    while (skr_path_next (&path, &key)) {
        skr_buf_append_byte (pointer, '/');
        for (size_t i = 0; i < key.size; i++) {
            if (key.data[i] == '~' || key.data[i] == '/') {
                skr_buf_append (pointer, key.data[i] == '~' ? "~0" : "~1", 2);
            } else {
                skr_buf_append_byte (pointer, key.data[i]);
            }
        }
    }
}

saker_err_t skr_path_check (skr_span_t path)
{
    skr_cbor_t cbor;
    size_t levels = 0;
    if (path.size > SKR_PATH_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "path over %d bytes", SKR_PATH_BYTES_MAX);
    }
    skr_cbor_open (&cbor, path);
    while (cbor.at < cbor.end && cbor.error == SAKER_OK) {
        skr_span_t key = skr_cbor_get_text (&cbor);
        if (key.size && memchr (key.data, 0, key.size)) {
            skr_cbor_reject (&cbor, "a key holds a zero byte"); /* it must fit a JSON Pointer */
        }
        levels++;
    }
    if (levels > SKR_PATH_LEVELS_MAX) {
        return skr_fail (SAKER_ELIMIT, "path over %d levels", SKR_PATH_LEVELS_MAX);
    }
    return skr_wrap (skr_cbor_close (&cbor), "path");
}

size_t skr_path_levels (skr_span_t path)
{
    skr_span_t key;
    size_t levels = 0;
    while (skr_path_next (&path, &key)) {
        levels++;
    }
    return levels;
}

void skr_address_put (skr_buf_t *address, skr_span_t path, skr_kind_t kind, skr_span_t member)
{
    size_t size = path.size + 1 + (kind == SKR_MEMBER ? member.size : 0);
    uint8_t *at = skr_buf_reserve (address, size);
    if (!at) {
        return;
    }
    if (path.size > 0) {
        memcpy (at, path.data, path.size);
    }
    at[path.size] = (uint8_t) kind;
    if (kind == SKR_MEMBER && member.size > 0) {
        memcpy (at + path.size + 1, member.data, member.size);
    }
    address->size += size;
}

/* Bytes of the text items that the address begins with. */
static size_t path_size (skr_span_t address)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, address);
    while (cbor.error == SAKER_OK && cbor.at < cbor.end && *cbor.at >= 0x20) {
        skr_cbor_get_text (&cbor);
    }
    return cbor.error == SAKER_OK ? (size_t) (cbor.at - cbor.start) : address.size;
}

saker_err_t skr_address_parse (skr_span_t address, skr_span_t *path, skr_kind_t *kind,
                               skr_span_t *member)
{
    size_t size = path_size (address);
    if (size >= address.size || address.data[size] < SKR_REGISTER
        || address.data[size] > SKR_STATEMENT) {
        return skr_fail (SAKER_EINPUT, "not the address of a cell");
    }
    *path = skr_span (address.data, size);
    *kind = (skr_kind_t) address.data[size];
    *member = skr_span (address.data + size + 1, address.size - size - 1);
    if (*kind == SKR_MEMBER) {
        saker_value_t value;
        SKR_TRY (skr_wrap (skr_value_parse (*member, &value), "member"));
    } else if (member->size) {
        return skr_fail (SAKER_EINPUT, "not the address of a cell");
    }
    return skr_path_check (*path);
}
