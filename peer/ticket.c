/* The encoding under the base64: a CBOR map {0: version, 1: mesh, 2: name, 3: transport key,
   4: expiry, 5: secret, 6: [* address]}, then the first 4 bytes of its BLAKE2b. */

#include "peer/ticket.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

#define TICKET_PREFIX "saker1-"
#define TICKET_VERSION 1
#define TICKET_CHECK_BYTES 4
#define TICKET_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void checksum (const uint8_t *data, size_t size, uint8_t check[TICKET_CHECK_BYTES])
{
    uint8_t hash[16];
    crypto_generichash (hash, sizeof hash, data, size, NULL, 0);
    memcpy (check, hash, TICKET_CHECK_BYTES);
}

static void encode (const skr_ticket_t *self, skr_buf_t *buf)
{
    uint8_t check[TICKET_CHECK_BYTES];
    skr_cbor_put_map (buf, 7);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, TICKET_VERSION);
    skr_cbor_put_uint (buf, 1);
    skr_cbor_put_bytes (buf, self->mesh.bytes, sizeof self->mesh.bytes);
    skr_cbor_put_uint (buf, 2);
    skr_cbor_put_text (buf, self->mesh_name, strlen (self->mesh_name));
    skr_cbor_put_uint (buf, 3);
    skr_cbor_put_bytes (buf, self->transport, sizeof self->transport);
    skr_cbor_put_uint (buf, 4);
    skr_cbor_put_uint (buf, self->expires_ms);
    skr_cbor_put_uint (buf, 5);
    skr_cbor_put_bytes (buf, self->secret, sizeof self->secret);
    skr_cbor_put_uint (buf, 6);
    skr_cbor_put_array (buf, self->addresses_count);
    for (size_t i = 0; i < self->addresses_count; i++) {
        skr_cbor_put_text (buf, self->addresses[i], strlen (self->addresses[i]));
    }
    checksum (buf->data, buf->failed ? 0 : buf->size, check);
    skr_buf_append (buf, check, sizeof check);
}

static saker_err_t put_text (const skr_buf_t *buf, char text[SAKER_TICKET_MAX])
{
    size_t start = strlen (TICKET_PREFIX);
    if (buf->failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (sodium_base64_encoded_len (buf->size, TICKET_VARIANT) > SAKER_TICKET_MAX - start) {
        return skr_fail (SAKER_ELIMIT, "a ticket holds at most %d bytes: give fewer addresses",
                         SAKER_TICKET_MAX);
    }
    memcpy (text, TICKET_PREFIX, start);
    sodium_bin2base64 (text + start, SAKER_TICKET_MAX - start, buf->data, buf->size,
                       TICKET_VARIANT);
    return SAKER_OK;
}

saker_err_t skr_ticket_text (const skr_ticket_t *self, char text[SAKER_TICKET_MAX])
{
    skr_buf_t buf = {0};
    encode (self, &buf);
    saker_err_t error = put_text (&buf, text);
    skr_buf_wipe (&buf);
    return error;
}

static saker_err_t copy_text (skr_cbor_t *cbor, char *to, size_t bytes_max)
{
    skr_span_t text = skr_cbor_get_text (cbor);
    if (text.size > bytes_max || (text.size > 0 && memchr (text.data, 0, text.size))) {
        skr_cbor_reject (cbor, "a text of the ticket is too long");
        return SAKER_EINPUT;
    }
    memset (to, 0, bytes_max + 1);
    if (text.size > 0) {
        memcpy (to, text.data, text.size);
    }
    return SAKER_OK;
}

static saker_err_t read_version (skr_cbor_t *cbor, int64_t *last)
{
    if (skr_cbor_get_map (cbor, 16) != 7) {
        skr_cbor_reject (cbor, "not a ticket");
    }
    skr_cbor_want_key (cbor, last, 0);
    uint64_t version = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && version != TICKET_VERSION) {
        return skr_fail (SAKER_EVERSION, "the ticket was made by a newer version of saker");
    }
    return SAKER_OK;
}

static saker_err_t decode (skr_ticket_t *self, skr_span_t bytes)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, bytes);
    SKR_TRY (read_version (&cbor, &last));
    skr_cbor_want_key (&cbor, &last, 1);
    skr_cbor_get_fixed (&cbor, self->mesh.bytes, sizeof self->mesh.bytes);
    skr_cbor_want_key (&cbor, &last, 2);
    SKR_TRY (copy_text (&cbor, self->mesh_name, SKR_NAME_BYTES_MAX));
    skr_cbor_want_key (&cbor, &last, 3);
    skr_cbor_get_fixed (&cbor, self->transport, sizeof self->transport);
    skr_cbor_want_key (&cbor, &last, 4);
    self->expires_ms = skr_cbor_get_uint (&cbor);
    skr_cbor_want_key (&cbor, &last, 5);
    skr_cbor_get_fixed (&cbor, self->secret, sizeof self->secret);
    skr_cbor_want_key (&cbor, &last, 6);
    self->addresses_count = skr_cbor_get_array (&cbor, SKR_TICKET_ADDRESSES_MAX);
    for (size_t i = 0; i < self->addresses_count; i++) {
        SKR_TRY (copy_text (&cbor, self->addresses[i], SKR_ADDRESS_BYTES_MAX));
    }
    return skr_cbor_close (&cbor);
}

static saker_err_t check_and_decode (skr_ticket_t *self, const uint8_t *bytes, size_t size)
{
    uint8_t check[TICKET_CHECK_BYTES];
    if (size <= TICKET_CHECK_BYTES) {
        return skr_fail (SAKER_EINPUT, "the ticket is cut or mistyped");
    }
    size -= TICKET_CHECK_BYTES;
    checksum (bytes, size, check);
    if (memcmp (check, bytes + size, TICKET_CHECK_BYTES) != 0) {
        return skr_fail (SAKER_EINPUT, "the ticket is cut or mistyped");
    }
    saker_err_t error = decode (self, skr_span (bytes, size));
    if (error != SAKER_OK && error != SAKER_EVERSION) {
        return skr_fail (SAKER_EINPUT, "this is not a saker ticket");
    }
    return error;
}

/* People paste tickets with spaces and line ends around them. */
static skr_span_t trimmed (const char *text)
{
    size_t size = strlen (text);
    while (size > 0 && isspace ((unsigned char) text[size - 1])) {
        size--;
    }
    while (size > 0 && isspace ((unsigned char) *text)) {
        text++;
        size--;
    }
    return skr_span (text, size);
}

saker_err_t skr_ticket_parse (skr_ticket_t *self, const char *text)
{
    uint8_t bytes[SAKER_TICKET_MAX];
    size_t size = 0, start = strlen (TICKET_PREFIX);
    skr_span_t span = trimmed (text);
    memset (self, 0, sizeof *self);
    if (!skr_span_starts (span, skr_span_text (TICKET_PREFIX))) {
        return skr_fail (SAKER_EINPUT, "this is not a saker ticket");
    }
    if (span.size >= SAKER_TICKET_MAX
        || sodium_base642bin (bytes, sizeof bytes, (const char *) span.data + start,
                              span.size - start, NULL, &size, NULL, TICKET_VARIANT)
               != 0) {
        return skr_fail (SAKER_EINPUT, "the ticket is cut or mistyped");
    }
    saker_err_t error = check_and_decode (self, bytes, size);
    sodium_memzero (bytes, sizeof bytes);
    if (error != SAKER_OK) {
        sodium_memzero (self, sizeof *self);
    }
    return error;
}

void skr_ticket_key (const skr_ticket_t *self, uint8_t key[32])
{
    crypto_scalarmult_base (key, self->secret);
}

/* ---- invitations: {0: role, 1: expiry, ? 2: device that used it} */

saker_err_t skr_invitation_put (skr_store_t *store, const uint8_t key[32],
                                const skr_invitation_t *invitation)
{
    skr_buf_t buf = {0};
    skr_cbor_put_map (&buf, invitation->used ? 3 : 2);
    skr_cbor_put_uint (&buf, 0);
    skr_cbor_put_uint (&buf, invitation->role);
    skr_cbor_put_uint (&buf, 1);
    skr_cbor_put_uint (&buf, invitation->expires_ms);
    if (invitation->used) {
        skr_cbor_put_uint (&buf, 2);
        skr_cbor_put_bytes (&buf, invitation->used_by, sizeof invitation->used_by);
    }
    saker_err_t error =
        buf.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                   : skr_store_put (store, SKR_INVITATIONS, skr_span (key, 32), skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

static saker_err_t read_invitation (skr_span_t value, skr_invitation_t *invitation)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    memset (invitation, 0, sizeof *invitation);
    skr_cbor_open (&cbor, value);
    size_t count = skr_cbor_get_map (&cbor, 3);
    skr_cbor_want_key (&cbor, &last, 0);
    uint64_t role = skr_cbor_get_uint (&cbor);
    skr_cbor_want_key (&cbor, &last, 1);
    invitation->expires_ms = skr_cbor_get_uint (&cbor);
    invitation->used = count == 3;
    if (invitation->used) {
        skr_cbor_want_key (&cbor, &last, 2);
        skr_cbor_get_fixed (&cbor, invitation->used_by, sizeof invitation->used_by);
    }
    if (role < SKR_ROLE_RELAY || role > SKR_ROLE_ADMIN) {
        skr_cbor_reject (&cbor, "unknown role");
    }
    invitation->role = (skr_role_t) role;
    return skr_cbor_close (&cbor);
}

saker_err_t skr_invitation_get (skr_store_t *store, skr_sight_t sight, const uint8_t key[32],
                                skr_invitation_t *invitation)
{
    skr_span_t value;
    saker_err_t error = skr_store_get (store, sight, SKR_INVITATIONS, skr_span (key, 32), &value);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_ENOTFOUND, "no such invitation");
    }
    SKR_TRY (error);
    if (read_invitation (value, invitation) != SAKER_OK) {
        return skr_wrap (skr_fail (SAKER_EDAMAGED, "%s", "not an invitation"), "invitation");
    }
    return SAKER_OK;
}
