#include "gateway/sign.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "whsec_"
#define MARK "v1,"
#define HASH_TEXT_SIZE 45 /* a hash in base64, and a zero */

bool sign_parse (const char *secret, sign_key_t *key)
{
    const char *end = NULL;
    size_t size = 0;
    secret += strncmp (secret, PREFIX, strlen (PREFIX)) == 0 ? strlen (PREFIX) : 0;
    memset (key, 0, sizeof *key);
    if (sodium_base642bin (key->bytes, sizeof key->bytes, secret, strlen (secret), NULL, &size,
                           &end, sodium_base64_VARIANT_ORIGINAL)
        || *end || size < SIGN_KEY_BYTES_MIN) {
        sodium_memzero (key, sizeof *key);
        return false;
    }
    key->size = size;
    return true;
}

void sign_make (char secret[SIGN_SECRET_SIZE])
{
    uint8_t key[SIGN_KEY_BYTES];
    size_t used = strlen (PREFIX);
    snprintf (secret, SIGN_SECRET_SIZE, PREFIX);
    randombytes_buf (key, sizeof key);
    sodium_bin2base64 (secret + used, SIGN_SECRET_SIZE - used, key, sizeof key,
                       sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero (key, sizeof key);
}

void sign_body (const void *key, size_t key_size, const void *body, size_t size,
                uint8_t hash[SIGN_HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init (&state, key, key_size);
    crypto_auth_hmacsha256_update (&state, body, size);
    crypto_auth_hmacsha256_final (&state, hash);
    sodium_memzero (&state, sizeof state);
}

void sign_text (const sign_key_t *key, const char *id, int64_t time_s, const void *body,
                size_t size, char text[SIGN_TEXT_SIZE])
{
    crypto_auth_hmacsha256_state state;
    uint8_t hash[SIGN_HASH_BYTES];
    char head[32];
    snprintf (head, sizeof head, ".%lld.", (long long) time_s);
    crypto_auth_hmacsha256_init (&state, key->bytes, key->size);
    crypto_auth_hmacsha256_update (&state, (const uint8_t *) id, strlen (id));
    crypto_auth_hmacsha256_update (&state, (const uint8_t *) head, strlen (head));
    crypto_auth_hmacsha256_update (&state, body, size);
    crypto_auth_hmacsha256_final (&state, hash);
    sodium_memzero (&state, sizeof state);
    memcpy (text, MARK, sizeof MARK);
    sodium_bin2base64 (text + strlen (MARK), HASH_TEXT_SIZE, hash, sizeof hash,
                       sodium_base64_VARIANT_ORIGINAL);
}

bool sign_holds (const sign_key_t *key, const char *id, int64_t time_s, const void *body,
                 size_t size, const char *signatures)
{
    char wanted[SIGN_TEXT_SIZE];
    bool holds = false;
    sign_text (key, id, time_s, body, size, wanted);
    while (*signatures) {
        size_t length = strcspn (signatures, " ");
        holds |= length == strlen (wanted) && sodium_memcmp (signatures, wanted, length) == 0;
        signatures += length;
        signatures += strspn (signatures, " ");
    }
    return holds;
}

bool sign_is_hash (const char *header, const uint8_t hash[SIGN_HASH_BYTES])
{
    uint8_t given[SIGN_HASH_BYTES];
    size_t size = 0;
    header += strncmp (header, "sha256=", 7) == 0 ? 7 : 0;
    return strlen (header) == 2 * sizeof given
           && sodium_hex2bin (given, sizeof given, header, 2 * sizeof given, NULL, &size, NULL) == 0
           && size == sizeof given && sodium_memcmp (given, hash, sizeof given) == 0;
}
