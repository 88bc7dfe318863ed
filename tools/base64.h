/* Base64 of RFC 4648, with padding: how byte strings look in JSON. */

#ifndef TOOLS_BASE64_H_INCLUDED
#define TOOLS_BASE64_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for `size` bytes, without an ending zero. */
#define BASE64_TEXT_SIZE(size) (((size) + 2) / 3 * 4)

void base64_encode (const uint8_t *bytes, size_t size, char *text);
/* `bytes` holds text_size / 4 * 3. False when it is not exactly what base64_encode makes. */
bool base64_decode (const char *text, size_t text_size, uint8_t *bytes, size_t *size);

#endif
