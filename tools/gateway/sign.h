/* Sign: the signatures of Standard Webhooks, version 1: HMAC-SHA-256 under a shared secret over
   "ID.TIMESTAMP.BODY" (github.com/standard-webhooks, spec/standard-webhooks.md). */

#ifndef TOOLS_GATEWAY_SIGN_H_INCLUDED
#define TOOLS_GATEWAY_SIGN_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_KEY_BYTES_MIN 24
#define SIGN_KEY_BYTES_MAX 64
#define SIGN_KEY_BYTES 32    /* of one that is made here */
#define SIGN_SECRET_SIZE 96  /* "whsec_", the key in base64, and a zero */
#define SIGN_TEXT_SIZE 48    /* "v1,", the signature in base64, and a zero */
#define SIGN_TOLERANCE_S 300 /* how far a timestamp may be away */
#define SIGN_HASH_BYTES 32

typedef struct sign_key_t {
    uint8_t bytes[SIGN_KEY_BYTES_MAX];
    size_t size;
} sign_key_t;

/* Reads "whsec_BASE64" (or the base64 alone); false when it is none, or has no 24 to 64 bytes. */
bool sign_parse (const char *secret, sign_key_t *key);
/* Makes a secret. */
void sign_make (char secret[SIGN_SECRET_SIZE]);
/* The signature of a message, "v1,BASE64". */
void sign_text (const sign_key_t *key, const char *id, int64_t time_s, const void *body,
                size_t size, char text[SIGN_TEXT_SIZE]);
/* Is one of the signatures, which are separated by spaces, of this key? In constant time each. */
bool sign_holds (const sign_key_t *key, const char *id, int64_t time_s, const void *body,
                 size_t size, const char *signatures);
/* HMAC-SHA-256 of a body alone, as git forges send it. */
void sign_body (const void *key, size_t key_size, const void *body, size_t size,
                uint8_t hash[SIGN_HASH_BYTES]);
/* Is a header, 64 hexadecimal digits with or without "sha256=", this hash? In constant time. */
bool sign_is_hash (const char *header, const uint8_t hash[SIGN_HASH_BYTES]);

#endif
