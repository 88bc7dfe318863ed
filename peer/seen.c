#include "peer/seen.h"

#include "peer/carrying.h"
#include "peer/cut.h"
#include "peer/fields.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "saker-seen-"
#define HEAD_BYTES (sizeof HEAD - 1)
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define HASH_BYTES 8

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

void skr_seen_free (skr_seen_t *seen)
{
    skr_clock_free (&seen->clock);
    free (seen->hashes);
    memset (seen, 0, sizeof *seen);
}

/* ---- making one */

static saker_err_t put_body (skr_replica_t *self, const skr_collection_t *collection,
                             skr_buf_t *body)
{
    uint64_t *hashes;
    skr_buf_t bytes = {0};
    const skr_id_t *mesh = skr_roster_mesh (skr_replica_roster (self));
    SKR_TRY (skr_replica_hashes (self, collection, &hashes));
    for (size_t i = 0; i < collection->clock.count; i++) {
        uint8_t hash[HASH_BYTES];
        skr_put_u64 (hash, hashes[i]);
        skr_buf_append (&bytes, hash, sizeof hash);
    }
    free (hashes);
    skr_cbor_put_array (body, 6);
    skr_cbor_put_uint (body, SKR_SEEN_VERSION);
    skr_cbor_put_bytes (body, mesh->bytes, sizeof mesh->bytes);
    skr_cbor_put_bytes (body, collection->id.bytes, sizeof collection->id.bytes);
    skr_cbor_put_text (body, collection->name, strlen (collection->name));
    skr_clock_put (body, &collection->clock);
    skr_cbor_put_bytes (body, bytes.data, bytes.size);
    body->failed |= bytes.failed;
    skr_buf_free (&bytes);
    return body->failed ? no_memory () : SAKER_OK;
}

static saker_err_t put_text (skr_span_t body, skr_buf_t *text)
{
    size_t size = sodium_base64_encoded_len (body.size, VARIANT); /* with its zero */
    if (HEAD_BYTES + size > SKR_SEEN_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "too many devices have written here for a token of at most %u bytes "
                         "(SKR_SEEN_BYTES_MAX)",
                         SKR_SEEN_BYTES_MAX);
    }
    skr_buf_append (text, HEAD, HEAD_BYTES);
    char *room = (char *) skr_buf_reserve (text, size);
    if (!room) {
        return no_memory ();
    }
    sodium_bin2base64 (room, size, body.data, body.size, VARIANT);
    text->size += size - 1;
    return SAKER_OK;
}

saker_err_t skr_seen_put (skr_replica_t *self, const skr_collection_t *collection, skr_buf_t *text)
{
    skr_buf_t body = {0};
    saker_err_t error = put_body (self, collection, &body);
    error = error ? error : put_text (skr_span_of (&body), text);
    skr_buf_free (&body);
    return error;
}

/* ---- reading one */

static saker_err_t no_token (void)
{
    return skr_fail (SAKER_EINPUT, "this is no token of what was seen: saker seen COLL makes one");
}

static saker_err_t get_hashes (skr_cbor_t *cbor, skr_seen_t *seen)
{
    skr_span_t bytes = skr_cbor_get_bytes (cbor);
    if (skr_cbor_close (cbor) != SAKER_OK || bytes.size != seen->clock.count * HASH_BYTES) {
        return no_token ();
    }
    seen->hashes = calloc (seen->clock.count + 1, sizeof *seen->hashes);
    for (size_t i = 0; seen->hashes && i < seen->clock.count; i++) {
        seen->hashes[i] = skr_get_u64 (bytes.data + i * HASH_BYTES);
    }
    return seen->hashes ? SAKER_OK : no_memory ();
}

static saker_err_t parse_body (skr_span_t body, skr_seen_t *seen)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, body);
    (void) skr_cbor_get_array (&cbor, 6);
    uint64_t version = skr_cbor_get_uint (&cbor);
    if (cbor.error == SAKER_OK && version != SKR_SEEN_VERSION) {
        return skr_fail (SAKER_EVERSION, "a token of version %llu: this peer knows %d; update it",
                         (unsigned long long) version, SKR_SEEN_VERSION);
    }
    skr_cbor_get_fixed (&cbor, seen->mesh.bytes, sizeof seen->mesh.bytes);
    skr_cbor_get_fixed (&cbor, seen->collection.bytes, sizeof seen->collection.bytes);
    skr_fields_text (&cbor, seen->name, sizeof seen->name);
    if (cbor.error != SAKER_OK
        || skr_clock_read (&cbor, &seen->clock, SKR_CLOCK_WRITERS_MAX) != SAKER_OK) {
        return no_token ();
    }
    return get_hashes (&cbor, seen);
}

saker_err_t skr_seen_parse (skr_span_t text, skr_seen_t *seen)
{
    size_t size = 0;
    memset (seen, 0, sizeof *seen);
    if (text.size <= HEAD_BYTES || text.size > SKR_SEEN_BYTES_MAX
        || memcmp (text.data, HEAD, HEAD_BYTES) != 0) {
        return no_token ();
    }
    uint8_t *body = malloc (text.size);
    if (!body) {
        return no_memory ();
    }
    bool good = sodium_base642bin (body, text.size, (const char *) text.data + HEAD_BYTES,
                                   text.size - HEAD_BYTES, NULL, &size, NULL, VARIANT)
                == 0;
    saker_err_t error = good ? parse_body (skr_span (body, size), seen) : no_token ();
    free (body);
    return error;
}

/* ---- is it here */

/* Below the cut all members have the same. */
static saker_err_t check_tick (skr_replica_t *self, const skr_seen_t *seen, const skr_tick_t *tick,
                               uint64_t told)
{
    uint64_t hash = told;
    saker_err_t error = skr_cut_hash (self, &seen->collection, &tick->writer, tick->seq, &hash);
    SKR_TRY (error == SAKER_ENOTFOUND ? SAKER_OK : error);
    return hash == told
               ? SAKER_OK
               : skr_fail (SAKER_EFORGED,
                           "what was seen there is never seen here: a device wrote two different "
                           "changes %llu of %s, and this peer has the other one (saker doctor)",
                           (unsigned long long) tick->seq, seen->name);
}

saker_err_t skr_seen_look (skr_replica_t *self, const skr_seen_t *seen, uint64_t *missing)
{
    static const skr_clock_t nothing;
    const skr_roster_t *roster = skr_replica_roster (self);
    const skr_collection_t *ours = skr_replica_collection (self, &seen->collection);
    const skr_clock_t *clock = ours ? &ours->clock : &nothing;
    *missing = 0;
    if (!skr_id_equal (&seen->mesh, skr_roster_mesh (roster))) {
        return skr_fail (SAKER_EINPUT, "the token is of another mesh");
    }
    if (skr_replica_role (self, &seen->collection) == SKR_ROLE_NONE) {
        return skr_fail (SAKER_ERIGHT, "this device may not read %s: it never sees what was seen",
                         seen->name);
    }
    SKR_TRY (skr_carrying_check (self, &seen->collection, seen->name));
    for (size_t i = 0; i < seen->clock.count; i++) {
        const skr_tick_t *tick = &seen->clock.ticks[i];
        uint64_t have = skr_clock_get (clock, &tick->writer);
        uint64_t limit = skr_roster_by_writer (roster, &tick->writer)
                             ? skr_roster_limit (roster, &tick->writer, &seen->collection)
                             : UINT64_MAX;
        uint64_t need = tick->seq < limit ? tick->seq : limit;
        *missing += need > have ? need - have : 0;
        if (have >= tick->seq) {
            SKR_TRY (check_tick (self, seen, tick, seen->hashes[i]));
        }
    }
    return SAKER_OK;
}
