#include "crdt/change.h"

#include "crdt/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SIGN_CONTEXT "saker change 1" /* signed with its ending zero */
#define SIGNATURE_BYTES crypto_sign_BYTES
#define SEAL_MAC_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

/* Keys of a body; what is above is of a later version and is passed on unread. */
enum {
    BODY_VERSION,
    BODY_COLLECTION,
    BODY_WRITER,
    BODY_SEQ,
    BODY_HLC,
    BODY_PREV,
    BODY_DEPS,
    BODY_KEY_ID,
    BODY_SEALED,
    BODY_KEYS,
};

enum {
    CONTENT_WRITERS,
    CONTENT_OPS,
    CONTENT_OPERATION_ID,
    CONTENT_ORIGIN,
    CONTENT_NAME,
    CONTENT_KEYS,
};

_Static_assert(SEAL_MAC_BYTES == 16, "size of the seal");
_Static_assert(SIGNATURE_BYTES == 64, "size of a signature");
_Static_assert(SKR_SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(SKR_SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(SKR_SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(SKR_SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "secret key");

static void require (skr_cbor_t *cbor, bool holds, const char *wrong)
{
    if (!holds && cbor->error == SAKER_OK) {
        skr_cbor_reject (cbor, wrong);
    }
}

static bool all_zero (const uint8_t *data, size_t size)
{
    return sodium_is_zero (data, size);
}

static bool is_roster (const skr_id_t *collection)
{
    return all_zero (collection->bytes, sizeof collection->bytes);
}

/* ---- parsing ---- */

static void take_key (skr_cbor_t *cbor, int64_t *last, uint64_t key)
{
    require (cbor, skr_cbor_get_key (cbor, last) == key, "a key of the body is missing");
}

static void get_id (skr_cbor_t *cbor, int64_t *last, uint64_t key, skr_id_t *id)
{
    take_key (cbor, last, key);
    skr_cbor_get_fixed (cbor, id->bytes, sizeof id->bytes);
}

static void get_count (skr_cbor_t *cbor, int64_t *last, uint64_t key, uint64_t *count)
{
    take_key (cbor, last, key);
    *count = skr_cbor_get_uint (cbor);
    require (cbor, *count > 0, key == BODY_SEQ ? "seq is 0" : "hlc is 0");
}

static void get_prev (skr_cbor_t *cbor, int64_t *last, skr_change_t *change)
{
    take_key (cbor, last, BODY_PREV);
    skr_cbor_get_fixed (cbor, change->prev, sizeof change->prev);
    require (cbor, all_zero (change->prev, sizeof change->prev) == (change->seq == 1),
             "prev is zeros in the first change of a writer, and in no other");
}

static void get_dep (skr_cbor_t *cbor, skr_id_t *before, bool first, const skr_id_t *writer)
{
    skr_id_t id;
    require (cbor, skr_cbor_get_array (cbor, 2) == 2, "an entry of deps is not a pair");
    skr_cbor_get_fixed (cbor, id.bytes, sizeof id.bytes);
    require (cbor, skr_cbor_get_uint (cbor) > 0, "seq in deps is 0");
    require (cbor, first || skr_id_compare (before, &id) < 0, "deps are not ascending");
    require (cbor, !skr_id_equal (&id, writer), "deps name the writer itself");
    *before = id;
}

static void get_deps (skr_cbor_t *cbor, int64_t *last, skr_change_t *change)
{
    take_key (cbor, last, BODY_DEPS);
    const uint8_t *start = cbor->at;
    change->deps_count = skr_cbor_get_array (cbor, SKR_CHANGE_DEPS_MAX);
    skr_id_t before = {{0}};
    for (size_t i = 0; i < change->deps_count && cbor->error == SAKER_OK; i++) {
        get_dep (cbor, &before, i == 0, &change->writer);
    }
    change->deps_raw = skr_span (start, (size_t) (cbor->at - start));
}

static void get_key_id (skr_cbor_t *cbor, int64_t *last, skr_change_t *change)
{
    take_key (cbor, last, BODY_KEY_ID);
    skr_cbor_get_fixed (cbor, change->key_id, sizeof change->key_id);
    require (cbor, !is_roster (&change->collection) || all_zero (change->key_id, SKR_KEY_ID_BYTES),
             "a change of the roster has a key id");
}

static void get_sealed (skr_cbor_t *cbor, int64_t *last, skr_change_t *change)
{
    take_key (cbor, last, BODY_SEALED);
    change->sealed = skr_cbor_get_bytes (cbor);
    size_t around = is_roster (&change->collection) ? 0 : SKR_SEAL_NONCE_BYTES + SEAL_MAC_BYTES;
    require (cbor, change->sealed.size > around, "the sealed content is empty");
}

static saker_err_t check_version (skr_cbor_t *cbor, int64_t *last)
{
    take_key (cbor, last, BODY_VERSION);
    uint64_t version = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && version != SKR_CHANGE_VERSION) {
        return skr_fail (SAKER_EVERSION, "change: format version %llu, not %d",
                         (unsigned long long) version, SKR_CHANGE_VERSION);
    }
    return SAKER_OK;
}

/* design 4: unknown keys in the body are kept (they are in `raw`) and passed on. */
static void skip_unknown (skr_cbor_t *cbor, int64_t *last, size_t count)
{
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_cbor_get_key (cbor, last);
        skr_cbor_get_raw (cbor);
    }
}

static void get_header (skr_cbor_t *cbor, int64_t *last, skr_change_t *change)
{
    get_id (cbor, last, BODY_COLLECTION, &change->collection);
    get_id (cbor, last, BODY_WRITER, &change->writer);
    get_count (cbor, last, BODY_SEQ, &change->seq);
    get_count (cbor, last, BODY_HLC, &change->hlc);
    get_prev (cbor, last, change);
    get_deps (cbor, last, change);
    get_key_id (cbor, last, change);
}

static saker_err_t parse_body (skr_change_t *change)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, change->body);
    size_t count = skr_cbor_get_map (&cbor, SKR_CHANGE_BYTES_MAX);
    const uint8_t *start = cbor.at;
    SKR_TRY (check_version (&cbor, &last));
    require (&cbor, count >= BODY_KEYS, "a key of the body is missing");
    get_header (&cbor, &last, change);
    change->header = skr_span (start, (size_t) (cbor.at - start));
    get_sealed (&cbor, &last, change);
    if (cbor.error == SAKER_OK) {
        skip_unknown (&cbor, &last, count - BODY_KEYS);
    }
    return skr_wrap (skr_cbor_close (&cbor), "change");
}

static saker_err_t parse_envelope (skr_change_t *change)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, change->raw);
    require (&cbor, skr_cbor_get_array (&cbor, 2) == 2, "not a body and a signature");
    change->body = skr_cbor_get_bytes (&cbor);
    skr_span_t signature = skr_cbor_get_bytes (&cbor);
    require (&cbor, signature.size == SIGNATURE_BYTES, "signature is not of 64 bytes");
    change->signature = signature.data;
    return skr_wrap (skr_cbor_close (&cbor), "change");
}

saker_err_t skr_change_parse (skr_change_t *self, skr_span_t raw)
{
    skr_change_t change = {.raw = raw};
    memset (self, 0, sizeof *self);
    if (raw.size > SKR_CHANGE_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "change: %zu bytes, over %d (SKR_CHANGE_BYTES_MAX)",
                         raw.size, SKR_CHANGE_BYTES_MAX);
    }
    SKR_TRY (parse_envelope (&change));
    SKR_TRY (parse_body (&change));
    *self = change;
    return SAKER_OK;
}

/* ---- signature, hash, deps, seal ---- */

static void put_signed (skr_buf_t *message, const skr_id_t *mesh, skr_span_t body)
{
    skr_buf_append (message, SIGN_CONTEXT, sizeof SIGN_CONTEXT);
    skr_buf_append (message, mesh->bytes, sizeof mesh->bytes);
    skr_buf_append_span (message, body);
}

saker_err_t skr_change_verify (const skr_change_t *self, const skr_id_t *mesh,
                               const uint8_t device[SKR_SIGN_PUBLIC_BYTES])
{
    skr_buf_t message = {0};
    put_signed (&message, mesh, self->body);
    if (message.failed) {
        skr_buf_free (&message);
        return skr_fail (SAKER_ENOMEM, "verify a change: out of memory");
    }
    int bad = crypto_sign_verify_detached (self->signature, message.data, message.size, device);
    skr_buf_free (&message);
    return bad ? skr_fail (SAKER_EFORGED, "change: the signature does not hold") : SAKER_OK;
}

void skr_change_hash (const skr_change_t *self, uint8_t hash[SKR_HASH_BYTES])
{
    crypto_generichash (hash, SKR_HASH_BYTES, self->body.data, self->body.size, NULL, 0);
}

saker_err_t skr_change_deps (const skr_change_t *self, skr_clock_t *deps)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, self->deps_raw);
    SKR_TRY (skr_clock_read (&cbor, deps, SKR_CHANGE_DEPS_MAX));
    return skr_wrap (skr_cbor_close (&cbor), "deps");
}

bool skr_change_is_roster (const skr_change_t *self)
{
    return is_roster (&self->collection);
}

static saker_err_t append (skr_buf_t *buf, skr_span_t bytes)
{
    skr_buf_append_span (buf, bytes);
    return buf->failed ? skr_fail (SAKER_ENOMEM, "content: out of memory") : SAKER_OK;
}

saker_err_t skr_change_unseal (const skr_change_t *self, const uint8_t key[SKR_SEAL_KEY_BYTES],
                               skr_buf_t *content)
{
    if (skr_change_is_roster (self)) {
        return append (content, self->sealed);
    }
    const uint8_t *nonce = self->sealed.data;
    const uint8_t *sealed = nonce + SKR_SEAL_NONCE_BYTES;
    size_t size = self->sealed.size - SKR_SEAL_NONCE_BYTES;
    uint8_t *room = skr_buf_reserve (content, size);
    if (!room) {
        return skr_fail (SAKER_ENOMEM, "content: out of memory");
    }
    unsigned long long opened = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt (
            room, &opened, NULL, sealed, size, self->header.data, self->header.size, nonce, key)) {
        return skr_fail (SAKER_EFORGED, "content: the seal does not hold, or the key is wrong");
    }
    content->size += (size_t) opened;
    return SAKER_OK;
}

/* ---- content ---- */

static saker_err_t get_writers (skr_cbor_t *cbor, skr_content_t *content)
{
    size_t count = skr_cbor_get_array (cbor, SKR_CHANGE_WRITERS_MAX);
    if (!count) {
        return SAKER_OK;
    }
    content->writers = calloc (count, sizeof *content->writers);
    if (!content->writers) {
        return skr_fail (SAKER_ENOMEM, "content: out of memory");
    }
    content->writers_count = count;
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_id_t *writer = &content->writers[i];
        skr_cbor_get_fixed (cbor, writer->bytes, sizeof writer->bytes);
        require (cbor, i == 0 || skr_id_compare (writer - 1, writer) < 0,
                 "the table of writers is not ascending");
    }
    return SAKER_OK;
}

static saker_err_t get_ops (skr_cbor_t *cbor, skr_content_t *content)
{
    size_t count = skr_cbor_get_array (cbor, SKR_CHANGE_OPS_MAX);
    require (cbor, count > 0, "no operations");
    if (cbor->error != SAKER_OK) {
        return SAKER_OK;
    }
    content->ops = malloc (count * sizeof *content->ops); /* skr_op_get fills each */
    if (!content->ops) {
        return skr_fail (SAKER_ENOMEM, "content: out of memory");
    }
    content->ops_count = count;
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_span_t before = i ? content->ops[i - 1].document : skr_span (NULL, 0);
        skr_op_get (cbor, &content->ops[i], content->writers_count, before);
    }
    return SAKER_OK;
}

static void check_size (skr_cbor_t *cbor, skr_span_t field, size_t size_max, const char *wrong)
{
    require (cbor, field.size > 0 && field.size <= size_max, wrong);
}

static void get_option (skr_cbor_t *cbor, uint64_t key, skr_content_t *content)
{
    switch (key) {
    case CONTENT_OPERATION_ID:
        content->operation_id = skr_cbor_get_bytes (cbor);
        check_size (cbor, content->operation_id, SKR_OPERATION_ID_BYTES_MAX,
                    "operation id is not of 1 to 64 bytes (SKR_OPERATION_ID_BYTES_MAX)");
        break;
    case CONTENT_ORIGIN:
        content->origin = skr_cbor_get_text (cbor);
        check_size (cbor, content->origin, SKR_ORIGIN_BYTES_MAX,
                    "origin is not of 1 to 64 bytes (SKR_ORIGIN_BYTES_MAX)");
        break;
    case CONTENT_NAME:
        content->name = skr_cbor_get_text (cbor);
        check_size (cbor, content->name, SKR_COLLECTION_BYTES_MAX,
                    "name is not of 1 to 64 bytes (SKR_COLLECTION_BYTES_MAX)");
        break;
    default:
        skr_cbor_reject (cbor, "unknown key in a content");
    }
}

static saker_err_t read_content (skr_cbor_t *cbor, skr_content_t *content)
{
    int64_t last = -1;
    size_t count = skr_cbor_get_map (cbor, CONTENT_KEYS);
    require (cbor, count >= 2, "a key of the content is missing");
    require (cbor, skr_cbor_get_key (cbor, &last) == CONTENT_WRITERS, "no table of writers");
    SKR_TRY (get_writers (cbor, content));
    require (cbor, skr_cbor_get_key (cbor, &last) == CONTENT_OPS, "no operations");
    SKR_TRY (get_ops (cbor, content));
    for (size_t i = 2; i < count && cbor->error == SAKER_OK; i++) {
        uint64_t key = skr_cbor_get_key (cbor, &last);
        if (cbor->error == SAKER_OK) {
            get_option (cbor, key, content);
        }
    }
    return skr_wrap (skr_cbor_close (cbor), "content");
}

saker_err_t skr_content_parse (skr_content_t *self, skr_span_t content)
{
    skr_content_t read = {0};
    skr_cbor_t cbor;
    memset (self, 0, sizeof *self);
    skr_cbor_open (&cbor, content);
    saker_err_t error = read_content (&cbor, &read);
    if (error != SAKER_OK) {
        skr_content_free (&read);
        return error;
    }
    *self = read;
    return SAKER_OK;
}

void skr_content_free (skr_content_t *self)
{
    free (self->writers);
    free (self->ops);
    memset (self, 0, sizeof *self);
}

static void put_text (skr_buf_t *buf, uint64_t key, skr_span_t text)
{
    if (text.size) {
        skr_cbor_put_uint (buf, key);
        skr_cbor_put_text (buf, (const char *) text.data, text.size);
    }
}

static void put_operation_id (skr_buf_t *buf, skr_span_t id)
{
    if (id.size) {
        skr_cbor_put_uint (buf, CONTENT_OPERATION_ID);
        skr_cbor_put_bytes (buf, id.data, id.size);
    }
}

void skr_content_put (skr_buf_t *buf, const skr_id_t *writers, size_t writers_count, skr_span_t ops,
                      size_t ops_count, skr_span_t operation_id, skr_span_t origin, skr_span_t name)
{
    size_t options = (operation_id.size > 0) + (origin.size > 0) + (name.size > 0);
    skr_cbor_put_map (buf, 2 + options);
    skr_cbor_put_uint (buf, CONTENT_WRITERS);
    skr_cbor_put_array (buf, writers_count);
    for (size_t i = 0; i < writers_count; i++) {
        skr_cbor_put_bytes (buf, writers[i].bytes, sizeof writers[i].bytes);
    }
    skr_cbor_put_uint (buf, CONTENT_OPS);
    skr_cbor_put_array (buf, ops_count);
    skr_buf_append_span (buf, ops);
    put_operation_id (buf, operation_id);
    put_text (buf, CONTENT_ORIGIN, origin);
    put_text (buf, CONTENT_NAME, name);
}

/* ---- building ---- */

static void put_id (skr_buf_t *buf, uint64_t key, const skr_id_t *id)
{
    skr_cbor_put_uint (buf, key);
    skr_cbor_put_bytes (buf, id->bytes, sizeof id->bytes);
}

static void put_count (skr_buf_t *buf, uint64_t key, uint64_t count)
{
    skr_cbor_put_uint (buf, key);
    skr_cbor_put_uint (buf, count);
}

static void put_header (skr_buf_t *buf, const skr_draft_t *draft)
{
    static const uint8_t no_key_id[SKR_KEY_ID_BYTES];
    put_count (buf, BODY_VERSION, SKR_CHANGE_VERSION);
    put_id (buf, BODY_COLLECTION, &draft->collection);
    put_id (buf, BODY_WRITER, &draft->writer);
    put_count (buf, BODY_SEQ, draft->seq);
    put_count (buf, BODY_HLC, draft->hlc);
    skr_cbor_put_uint (buf, BODY_PREV);
    skr_cbor_put_bytes (buf, draft->prev, SKR_HASH_BYTES);
    skr_cbor_put_uint (buf, BODY_DEPS);
    skr_clock_put (buf, draft->deps);
    skr_cbor_put_uint (buf, BODY_KEY_ID);
    bool roster = is_roster (&draft->collection);
    skr_cbor_put_bytes (buf, roster ? no_key_id : draft->key_id, SKR_KEY_ID_BYTES);
}

static void seal (skr_buf_t *sealed, const skr_draft_t *draft, skr_span_t header)
{
    if (is_roster (&draft->collection)) {
        skr_buf_append_span (sealed, draft->content);
        return;
    }
    skr_buf_append (sealed, draft->nonce, SKR_SEAL_NONCE_BYTES);
    uint8_t *room = skr_buf_reserve (sealed, draft->content.size + SEAL_MAC_BYTES);
    if (room) {
        unsigned long long size = 0;
        crypto_aead_xchacha20poly1305_ietf_encrypt (room, &size, draft->content.data,
                                                    draft->content.size, header.data, header.size,
                                                    NULL, draft->nonce, draft->key);
        sealed->size += (size_t) size;
    }
}

static void put_body (skr_buf_t *body, const skr_draft_t *draft)
{
    skr_buf_t header = {0}, sealed = {0};
    put_header (&header, draft);
    seal (&sealed, draft, skr_span_of (&header));
    skr_cbor_put_map (body, BODY_KEYS);
    skr_buf_append_span (body, skr_span_of (&header));
    skr_cbor_put_uint (body, BODY_SEALED);
    skr_cbor_put_bytes (body, sealed.data, sealed.size);
    body->failed = body->failed || header.failed || sealed.failed;
    skr_buf_free (&header);
    skr_buf_free (&sealed);
}

static void put_change (skr_buf_t *raw, const skr_draft_t *draft, skr_span_t body)
{
    uint8_t signature[SIGNATURE_BYTES];
    skr_buf_t message = {0};
    put_signed (&message, &draft->mesh, body);
    if (message.failed) {
        raw->failed = true;
    } else {
        crypto_sign_detached (signature, NULL, message.data, message.size, draft->secret);
        skr_cbor_put_array (raw, 2);
        skr_cbor_put_bytes (raw, body.data, body.size);
        skr_cbor_put_bytes (raw, signature, sizeof signature);
    }
    skr_buf_free (&message);
}

/* What we would refuse we do not sign: the finished change goes through the parser. */
static saker_err_t check_built (const skr_buf_t *raw, size_t before)
{
    skr_change_t built;
    if (raw->failed) {
        return skr_fail (SAKER_ENOMEM, "build a change: out of memory");
    }
    return skr_change_parse (&built, skr_span (raw->data + before, raw->size - before));
}

saker_err_t skr_change_build (const skr_draft_t *draft, skr_buf_t *raw)
{
    skr_buf_t body = {0};
    size_t before = raw->size;
    if (draft->content.size > SKR_CHANGE_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "change: content of %zu bytes, over %d "
                         "(SKR_CHANGE_BYTES_MAX)",
                         draft->content.size, SKR_CHANGE_BYTES_MAX);
    }
    put_body (&body, draft);
    if (body.failed) {
        skr_buf_free (&body);
        return skr_fail (SAKER_ENOMEM, "build a change: out of memory");
    }
    put_change (raw, draft, skr_span_of (&body));
    skr_buf_free (&body);
    saker_err_t error = check_built (raw, before);
    if (error != SAKER_OK) {
        raw->size = before;
    }
    return error;
}
