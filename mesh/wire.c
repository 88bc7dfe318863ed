#include "mesh/wire.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char beat_context[] = "saker beat 1"; /* signed with its ending zero */

void skr_wire_begin (skr_buf_t *buf, uint64_t number, skr_wire_kind_t kind, size_t count)
{
    skr_cbor_put_array (buf, 3 + count);
    skr_cbor_put_uint (buf, SKR_WIRE_VERSION);
    skr_cbor_put_uint (buf, number);
    skr_cbor_put_uint (buf, (uint64_t) kind);
}

void skr_wire_error (skr_buf_t *buf, uint64_t number, saker_err_t error, const char *sentence)
{
    skr_wire_begin (buf, number, SKR_WIRE_ERROR, 2);
    skr_cbor_put_uint (buf, (uint64_t) error);
    skr_cbor_put_text (buf, sentence, strlen (sentence));
}

saker_err_t skr_wire_open (skr_cbor_t *cbor, skr_span_t message, uint64_t *number,
                           skr_wire_kind_t *kind, size_t *count)
{
    skr_cbor_open (cbor, message);
    size_t elements = skr_cbor_get_array (cbor, 16);
    uint64_t version = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && version != SKR_WIRE_VERSION) {
        return skr_fail (SAKER_EVERSION, "message of version %llu: this peer speaks %d; update it",
                         (unsigned long long) version, SKR_WIRE_VERSION);
    }
    *number = skr_cbor_get_uint (cbor);
    uint64_t wire_kind = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && elements < 3) {
        skr_cbor_reject (cbor, "a message has a version, a number and a kind");
    }
    if (cbor->error == SAKER_OK && wire_kind > SKR_WIRE_LAST) {
        skr_cbor_reject (cbor, "unknown kind of message");
    }
    if (cbor->error != SAKER_OK) {
        return skr_cbor_close (cbor);
    }
    *kind = (skr_wire_kind_t) wire_kind;
    *count = elements - 3;
    return SAKER_OK;
}

/* ---- beats */

static void put_hashes (skr_buf_t *buf, const skr_beat_entry_t *entry)
{
    uint8_t hash[SKR_WIRE_HASH_BYTES];
    skr_buf_t hashes = {0};
    for (size_t i = 0; i < entry->clock.count; i++) {
        skr_put_u64 (hash, entry->hashes[i]);
        skr_buf_append (&hashes, hash, sizeof hash);
    }
    skr_cbor_put_bytes (buf, hashes.data, hashes.size);
    buf->failed |= hashes.failed;
    skr_buf_free (&hashes);
}

void skr_beat_entry_put (skr_buf_t *buf, const skr_beat_entry_t *entry)
{
    uint8_t fingerprint[16];
    skr_fingerprint_bytes (&entry->fingerprint, fingerprint);
    skr_cbor_put_bytes (buf, fingerprint, sizeof fingerprint);
    skr_cbor_put_uint (buf, entry->documents);
    skr_clock_put (buf, &entry->clock);
    put_hashes (buf, entry);
    skr_cbor_put_array (buf, entry->clock.count);
    for (size_t i = 0; i < entry->clock.count; i++) {
        skr_cbor_put_uint (buf, entry->kept[i]);
    }
}

bool skr_beat_entry_is_partial (const skr_beat_entry_t *entry)
{
    return entry->part.partial || entry->removing;
}

void skr_beat_part_put (skr_buf_t *buf, const skr_beat_entry_t *entry)
{
    skr_cbor_put_array (buf, 2);
    skr_cbor_put_uint (buf, entry->removing);
    skr_part_put (buf, &entry->part);
}

static void put_entries (skr_buf_t *buf, const skr_beat_t *beat)
{
    skr_cbor_put_array (buf, beat->entries_count);
    for (size_t i = 0; i < beat->entries_count; i++) {
        const skr_beat_entry_t *entry = &beat->entries[i];
        bool partial = skr_beat_entry_is_partial (entry);
        skr_cbor_put_array (buf, partial ? 7 : 6);
        skr_cbor_put_bytes (buf, entry->collection.bytes, sizeof entry->collection.bytes);
        skr_beat_entry_put (buf, entry);
        if (partial) {
            skr_beat_part_put (buf, entry);
        }
    }
}

static void put_body (skr_buf_t *buf, const skr_beat_t *beat)
{
    skr_cbor_put_array (buf, 10);
    skr_cbor_put_uint (buf, SKR_WIRE_VERSION);
    skr_cbor_put_bytes (buf, beat->writer.bytes, sizeof beat->writer.bytes);
    skr_cbor_put_bytes (buf, beat->instance, sizeof beat->instance);
    skr_cbor_put_uint (buf, beat->number);
    skr_cbor_put_uint (buf, beat->started_ms);
    skr_cbor_put_uint (buf, beat->wall_ms);
    skr_cbor_put_uint (buf, beat->state);
    skr_cbor_put_uint (buf, beat->roster);
    skr_cbor_put_array (buf, beat->links_count);
    for (size_t i = 0; i < beat->links_count; i++) {
        skr_cbor_put_uint (buf, beat->links[i]);
    }
    put_entries (buf, beat);
}

/* What the device signs: context, mesh, body. */
static void put_signed (skr_buf_t *buf, const skr_id_t *mesh, skr_span_t body)
{
    skr_buf_append (buf, beat_context, sizeof beat_context);
    skr_buf_append (buf, mesh->bytes, sizeof mesh->bytes);
    skr_buf_append_span (buf, body);
}

void skr_beat_put (skr_buf_t *buf, const skr_beat_t *beat, const skr_id_t *mesh,
                   const uint8_t secret[SKR_SIGN_SECRET_BYTES])
{
    skr_buf_t body = {0};
    skr_buf_t text = {0};
    uint8_t signature[crypto_sign_BYTES];
    put_body (&body, beat);
    put_signed (&text, mesh, skr_span_of (&body));
    if (body.failed || text.failed) {
        buf->failed = true;
    } else {
        crypto_sign_detached (signature, NULL, text.data, text.size, secret);
        skr_cbor_put_array (buf, 2);
        skr_cbor_put_bytes (buf, body.data, body.size);
        skr_cbor_put_bytes (buf, signature, sizeof signature);
    }
    skr_buf_free (&text);
    skr_buf_free (&body);
}

/* No memory before the bytes are there. */
static void get_hashes (skr_cbor_t *cbor, skr_beat_entry_t *entry)
{
    skr_span_t bytes = skr_cbor_get_bytes (cbor);
    if (cbor->error == SAKER_OK && bytes.size != entry->clock.count * SKR_WIRE_HASH_BYTES) {
        skr_cbor_reject (cbor, "one hash for each entry of a clock");
    }
    if (cbor->error != SAKER_OK || !entry->clock.count) {
        return;
    }
    entry->hashes = calloc (entry->clock.count, sizeof *entry->hashes);
    if (!entry->hashes) {
        skr_cbor_reject (cbor, "out of memory for hashes");
        return;
    }
    for (size_t i = 0; i < entry->clock.count; i++) {
        entry->hashes[i] = skr_get_u64 (bytes.data + i * SKR_WIRE_HASH_BYTES);
    }
}

static void get_kept (skr_cbor_t *cbor, skr_beat_entry_t *entry)
{
    size_t count = skr_cbor_get_array (cbor, SKR_CLOCK_WRITERS_MAX);
    if (cbor->error == SAKER_OK && count != entry->clock.count) {
        skr_cbor_reject (cbor, "one number for each entry of a clock");
    }
    entry->kept = cbor->error == SAKER_OK && count ? calloc (count, sizeof *entry->kept) : NULL;
    if (cbor->error == SAKER_OK && count && !entry->kept) {
        skr_cbor_reject (cbor, "out of memory for what is kept");
    }
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        entry->kept[i] = skr_cbor_get_uint (cbor);
        if (entry->kept[i] > entry->clock.ticks[i].seq) {
            skr_cbor_reject (cbor, "more is kept than there is");
        }
    }
}

void skr_beat_entry_get (skr_cbor_t *cbor, skr_beat_entry_t *entry)
{
    uint8_t fingerprint[16];
    skr_cbor_get_fixed (cbor, fingerprint, sizeof fingerprint);
    skr_fingerprint_from_bytes (&entry->fingerprint, fingerprint);
    entry->documents = skr_cbor_get_uint (cbor);
    if (skr_clock_read (cbor, &entry->clock, SKR_CLOCK_WRITERS_MAX) != SAKER_OK) {
        skr_cbor_reject (cbor, "a clock that is told");
    }
    get_hashes (cbor, entry);
    get_kept (cbor, entry);
}

void skr_beat_part_get (skr_cbor_t *cbor, skr_beat_entry_t *entry)
{
    if (skr_cbor_get_array (cbor, 2) != 2) {
        skr_cbor_reject (cbor, "a part that is told of has two parts");
    }
    entry->removing = skr_cbor_get_uint (cbor) != 0;
    skr_part_get (cbor, &entry->part);
}

void skr_wire_sum_put (skr_buf_t *buf, const skr_part_sum_t *sum)
{
    uint8_t fingerprint[16];
    if (!sum->any) {
        skr_cbor_put_null (buf);
        return;
    }
    skr_fingerprint_bytes (&sum->fingerprint, fingerprint);
    skr_cbor_put_array (buf, 3);
    skr_part_put (buf, &sum->part);
    skr_cbor_put_bytes (buf, fingerprint, sizeof fingerprint);
    skr_cbor_put_uint (buf, sum->documents);
}

void skr_wire_sum_get (skr_cbor_t *cbor, skr_part_sum_t *sum)
{
    uint8_t fingerprint[16];
    if (skr_cbor_take_null (cbor)) {
        return;
    }
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "a sum over a part has three parts");
    }
    skr_part_get (cbor, &sum->part);
    skr_cbor_get_fixed (cbor, fingerprint, sizeof fingerprint);
    skr_fingerprint_from_bytes (&sum->fingerprint, fingerprint);
    sum->documents = skr_cbor_get_uint (cbor);
    sum->any = true;
}

void skr_beat_entry_free (skr_beat_entry_t *entry)
{
    skr_part_free (&entry->part);
    skr_clock_free (&entry->clock);
    free (entry->hashes);
    free (entry->kept);
    entry->hashes = entry->kept = NULL;
}

static void get_entries (skr_cbor_t *cbor, skr_beat_t *beat)
{
    size_t count = skr_cbor_get_array (cbor, SKR_WIRE_BEAT_COLLECTIONS_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_beat_entry_t *entry = &beat->entries[i];
        beat->entries_count = i + 1;
        size_t parts = skr_cbor_get_array (cbor, 7);
        if (parts < 6) {
            skr_cbor_reject (cbor, "an entry of a beat has six or seven parts");
        }
        skr_cbor_get_fixed (cbor, entry->collection.bytes, sizeof entry->collection.bytes);
        skr_beat_entry_get (cbor, entry);
        if (parts == 7) {
            skr_beat_part_get (cbor, entry);
        }
    }
}

static saker_err_t get_head (skr_beat_t *beat, skr_cbor_t *cbor)
{
    size_t parts = skr_cbor_get_array (cbor, 16);
    uint64_t version = skr_cbor_get_uint (cbor);
    if (cbor->error == SAKER_OK && version != SKR_WIRE_VERSION) {
        return skr_fail (SAKER_EVERSION, "beat of version %llu: this peer speaks %d",
                         (unsigned long long) version, SKR_WIRE_VERSION);
    }
    if (parts != 10) {
        skr_cbor_reject (cbor, "a beat has ten parts");
    }
    skr_cbor_get_fixed (cbor, beat->writer.bytes, sizeof beat->writer.bytes);
    skr_cbor_get_fixed (cbor, beat->instance, sizeof beat->instance);
    beat->number = skr_cbor_get_uint (cbor);
    beat->started_ms = skr_cbor_get_uint (cbor);
    return skr_wrap (cbor->error, "beat");
}

static saker_err_t get_body (skr_beat_t *beat, skr_span_t body)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, body);
    SKR_TRY (get_head (beat, &cbor));
    beat->wall_ms = skr_cbor_get_uint (&cbor);
    beat->state = skr_cbor_get_uint (&cbor);
    beat->roster = skr_cbor_get_uint (&cbor);
    beat->links_count = skr_cbor_get_array (&cbor, SKR_WIRE_BEAT_LINKS_MAX);
    for (size_t i = 0; i < beat->links_count; i++) {
        uint64_t link = skr_cbor_get_uint (&cbor);
        if (link > UINT32_MAX) {
            skr_cbor_reject (&cbor, "a link of a beat has 32 bits");
        }
        beat->links[i] = (uint32_t) link;
    }
    get_entries (&cbor, beat);
    return skr_wrap (skr_cbor_close (&cbor), "beat");
}

static saker_err_t verify_beat (const skr_beat_t *beat, skr_span_t body, const uint8_t *signature,
                                const skr_roster_t *roster, const skr_member_t **author)
{
    *author = skr_roster_by_writer (roster, &beat->writer);
    if (!*author || (*author)->role == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EWAIT, "beat of an unknown writer");
    }
    skr_buf_t text = {0};
    put_signed (&text, skr_roster_mesh (roster), body);
    saker_err_t error = SAKER_OK;
    if (text.failed) {
        error = skr_fail (SAKER_ENOMEM, "out of memory");
    } else if (crypto_sign_verify_detached (signature, text.data, text.size, (*author)->device)) {
        error = skr_fail (SAKER_EFORGED, "beat: the signature does not hold");
    }
    skr_buf_free (&text);
    return error;
}

static saker_err_t get_envelope (skr_span_t signed_beat, skr_span_t *body,
                                 uint8_t signature[crypto_sign_BYTES])
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, signed_beat);
    if (skr_cbor_get_array (&cbor, 2) != 2) {
        skr_cbor_reject (&cbor, "a signed beat has two parts");
    }
    *body = skr_cbor_get_bytes (&cbor);
    skr_cbor_get_fixed (&cbor, signature, crypto_sign_BYTES);
    return skr_wrap (skr_cbor_close (&cbor), "signed beat");
}

saker_err_t skr_beat_peek (skr_beat_t *beat, skr_span_t signed_beat)
{
    skr_cbor_t cbor;
    skr_span_t body;
    uint8_t signature[crypto_sign_BYTES];
    memset (beat, 0, sizeof *beat);
    SKR_TRY (get_envelope (signed_beat, &body, signature));
    skr_cbor_open (&cbor, body);
    return get_head (beat, &cbor);
}

saker_err_t skr_beat_get (skr_beat_t *beat, skr_span_t signed_beat, const skr_roster_t *roster,
                          const skr_member_t **author)
{
    skr_span_t body;
    uint8_t signature[crypto_sign_BYTES];
    memset (beat, 0, sizeof *beat);
    SKR_TRY (get_envelope (signed_beat, &body, signature));
    SKR_TRY (get_body (beat, body));
    return verify_beat (beat, body, signature, roster, author);
}

void skr_beat_free (skr_beat_t *beat)
{
    for (size_t i = 0; i < beat->entries_count; i++) {
        skr_beat_entry_free (&beat->entries[i]);
    }
    beat->entries_count = 0;
}

uint32_t skr_wire_short (const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    return skr_get_u32 (device);
}

uint64_t skr_wire_state_of (const skr_id_t *collection, const skr_clock_t *clock,
                            const skr_fingerprint_t *fingerprint)
{
    uint8_t part[16 + 8 + 16];
    uint8_t hash[16];
    if (!clock->count) {
        return 0;
    }
    memcpy (part, collection->bytes, 16);
    skr_put_u64 (part + 16, skr_clock_digest (clock));
    skr_fingerprint_bytes (fingerprint, part + 24);
    crypto_generichash (hash, sizeof hash, part, sizeof part, NULL, 0);
    return skr_get_u64 (hash);
}

uint64_t skr_wire_state (const skr_replica_t *replica)
{
    uint64_t state = 0;
    for (size_t i = 0; i < skr_replica_collections (replica); i++) {
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        state += skr_wire_state_of (&collection->id, &collection->clock, &collection->fingerprint);
    }
    return state;
}
