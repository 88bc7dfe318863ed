#include "base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode (const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t) bytes[i] << 16;
        group |= left > 1 ? (uint32_t) bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *text++ = left > 2 ? alphabet[group & 63] : '=';
    }
}

static bool digit (char letter, uint32_t *value)
{
    const char *found = letter ? strchr (alphabet, letter) : NULL;
    *value = found ? (uint32_t) (found - alphabet) : 0;
    return found;
}

bool base64_decode (const char *text, size_t text_size, uint8_t *bytes, size_t *size)
{
    *size = 0;
    if (text_size % 4) {
        return false;
    }
    for (size_t i = 0; i < text_size; i += 4) {
        bool last = i + 4 == text_size;
        size_t padding = !last ? 0 : text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t value = 0;
            if (j < 4 - padding && !digit (text[i + j], &value)) {
                return false;
            }
            group = group << 6 | value;
        }
        /* Bits that no byte takes are zero: one text for one byte string. */
        if ((padding == 1 && group & 0xff) || (padding == 2 && group & 0xffff)) {
            return false;
        }
        for (size_t j = 0; j < 3 - padding; j++) {
            bytes[(*size)++] = (uint8_t) (group >> (16 - 8 * j));
        }
    }
    return true;
}
