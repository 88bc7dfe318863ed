#include "peer/keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES (SKR_SEAL_KEY_BYTES + crypto_box_SEALBYTES)

/* A key is stated again for each new member; it is as old as its first statement. One that nobody
   stated who might is for reading only: what was sealed with it while that was not known. */
typedef struct held_key_t {
    skr_id_t collection;
    uint8_t key_id[SKR_KEY_ID_BYTES];
    bool stated, seals;
    uint64_t generation;
    uint64_t hlc;
    skr_id_t writer;
    uint8_t raw[SKR_SEAL_KEY_BYTES];
} held_key_t;

struct skr_keyring_t {
    held_key_t *keys; /* design 8: in sodium_malloc memory */
    size_t count, capacity;
};

saker_err_t skr_keyring_new (skr_keyring_t **self_p)
{
    *self_p = calloc (1, sizeof **self_p);
    return *self_p ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
}

void skr_keyring_destroy (skr_keyring_t **self_p)
{
    if (*self_p) {
        sodium_free ((*self_p)->keys);
        free (*self_p);
        *self_p = NULL;
    }
}

static held_key_t *find_held (skr_keyring_t *self, const skr_roster_key_t *stated)
{
    for (size_t i = 0; i < self->count; i++) {
        held_key_t *key = &self->keys[i];
        if (memcmp (key->key_id, stated->key_id, SKR_KEY_ID_BYTES) == 0
            && skr_id_equal (&key->collection, &stated->collection)) {
            return key;
        }
    }
    return NULL;
}

static saker_err_t make_room (skr_keyring_t *self)
{
    if (self->count < self->capacity) {
        return SAKER_OK;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 16;
    held_key_t *keys = sodium_allocarray (capacity, sizeof *keys);
    if (!keys) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (self->count > 0) {
        memcpy (keys, self->keys, self->count * sizeof *keys);
    }
    sodium_free (self->keys);
    self->keys = keys;
    self->capacity = capacity;
    return SAKER_OK;
}

/* The sealed copy for a device, or NULL. */
static const uint8_t *find_copy (const skr_roster_key_t *stated, const skr_device_t *device)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, stated->copies);
    size_t count = skr_cbor_get_array (&cbor, SKR_ROSTER_MEMBERS_MAX);
    for (size_t i = 0; i < count && cbor.error == SAKER_OK; i++) {
        skr_cbor_get_array (&cbor, 2);
        skr_span_t whose = skr_cbor_get_bytes (&cbor);
        skr_span_t copy = skr_cbor_get_bytes (&cbor);
        if (skr_span_equal (whose, skr_span (skr_device_key (device), SKR_DEVICE_KEY_BYTES))) {
            return copy.size == COPY_BYTES ? copy.data : NULL;
        }
    }
    return NULL;
}

/* A copy that does not open, or opens to another key than was stated, is left alone: an admin's
   mistake is no reason to stop. */
static bool open_copy (const skr_roster_key_t *stated, const skr_device_t *device,
                       uint8_t raw[SKR_SEAL_KEY_BYTES])
{
    uint8_t hash[32];
    const uint8_t *copy = find_copy (stated, device);
    if (!copy
        || crypto_box_seal_open (raw, copy, COPY_BYTES, skr_device_transport_key (device),
                                 skr_device_transport_secret (device))
               != 0) {
        return false;
    }
    crypto_generichash (hash, sizeof hash, raw, SKR_SEAL_KEY_BYTES, NULL, 0);
    return memcmp (hash, stated->key_id, SKR_KEY_ID_BYTES) == 0;
}

static bool earlier (uint64_t hlc, const skr_id_t *writer, const held_key_t *key)
{
    return hlc != key->hlc ? hlc < key->hlc : skr_id_compare (writer, &key->writer) < 0;
}

static saker_err_t open_key (skr_keyring_t *self, const skr_roster_key_t *stated,
                             const skr_device_t *device)
{
    if (find_held (self, stated)) {
        return SAKER_OK;
    }
    SKR_TRY (make_room (self));
    held_key_t *key = &self->keys[self->count];
    if (open_copy (stated, device, key->raw)) {
        key->collection = stated->collection;
        memcpy (key->key_id, stated->key_id, SKR_KEY_ID_BYTES);
        self->count++;
    }
    return SAKER_OK;
}

static void age_key (held_key_t *key, const skr_roster_key_t *stated)
{
    key->stated = true;
    if (!stated->counts) {
        return;
    }
    if (!key->seals || earlier (stated->hlc, &stated->writer, key)) {
        key->hlc = stated->hlc;
        key->writer = stated->writer;
    }
    key->seals = true;
    key->generation = stated->generation > key->generation ? stated->generation : key->generation;
}

/* Statements that have no copy for us count for the age of a key too. */
static void age_keys (skr_keyring_t *self, const skr_roster_t *roster)
{
    for (size_t i = 0; i < self->count; i++) {
        self->keys[i].stated = self->keys[i].seals = false;
        self->keys[i].generation = 0;
    }
    for (size_t i = 0; i < skr_roster_keys (roster); i++) {
        const skr_roster_key_t *stated = skr_roster_key_at (roster, i);
        held_key_t *key = find_held (self, stated);
        if (key) {
            age_key (key, stated);
        }
    }
}

/* What the roster does not state (any more, after an abort) is not a key. */
static void drop_unstated (skr_keyring_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->keys[i].stated) {
            self->keys[kept++] = self->keys[i];
        }
    }
    sodium_memzero (self->keys + kept, (self->count - kept) * sizeof *self->keys);
    self->count = kept;
}

saker_err_t skr_keyring_update (skr_keyring_t *self, const skr_roster_t *roster,
                                const skr_device_t *device)
{
    for (size_t i = 0; i < skr_roster_keys (roster); i++) {
        SKR_TRY (open_key (self, skr_roster_key_at (roster, i), device));
    }
    age_keys (self, roster);
    if (self->count > 0) {
        drop_unstated (self);
    }
    return SAKER_OK;
}

/* The key itself for its own collection; one derived from it, when it is the mesh's. */
static void give_key (const held_key_t *key, const skr_id_t *collection,
                      uint8_t raw[SKR_SEAL_KEY_BYTES])
{
    static const char words[] = "saker collection";
    crypto_generichash_state state;
    if (!skr_id_is_zero (&key->collection)) {
        memcpy (raw, key->raw, SKR_SEAL_KEY_BYTES);
        return;
    }
    crypto_generichash_init (&state, key->raw, sizeof key->raw, SKR_SEAL_KEY_BYTES);
    crypto_generichash_update (&state, (const uint8_t *) words, sizeof words - 1);
    crypto_generichash_update (&state, collection->bytes, sizeof collection->bytes);
    crypto_generichash_final (&state, raw, SKR_SEAL_KEY_BYTES);
    sodium_memzero (&state, sizeof state);
}

saker_err_t skr_keyring_find (skr_keyring_t *self, const skr_id_t *collection,
                              const uint8_t key_id[SKR_KEY_ID_BYTES],
                              uint8_t key[SKR_SEAL_KEY_BYTES])
{
    char digits[2 * SKR_KEY_ID_BYTES + 1];
    for (size_t i = 0; i < self->count; i++) {
        const held_key_t *held = &self->keys[i];
        if (memcmp (held->key_id, key_id, SKR_KEY_ID_BYTES) == 0
            && (skr_id_is_zero (&held->collection)
                || skr_id_equal (&held->collection, collection))) {
            give_key (held, collection, key);
            return SAKER_OK;
        }
    }
    skr_hex (digits, key_id, SKR_KEY_ID_BYTES);
    return skr_fail (SAKER_ENOTFOUND, "no copy of key %s for this device", digits);
}

static bool precedes (const held_key_t *one, const held_key_t *other)
{
    return one->generation != other->generation ? one->generation < other->generation
                                                : earlier (one->hlc, &one->writer, other);
}

static const held_key_t *latest_of (const skr_keyring_t *self, const skr_id_t *collection)
{
    const held_key_t *latest = NULL;
    for (size_t i = 0; i < self->count; i++) {
        const held_key_t *key = &self->keys[i];
        if (key->seals && skr_id_equal (&key->collection, collection)
            && (!latest || precedes (latest, key))) {
            latest = key;
        }
    }
    return latest;
}

saker_err_t skr_keyring_latest (skr_keyring_t *self, const skr_id_t *collection,
                                uint8_t key_id[SKR_KEY_ID_BYTES], uint8_t key[SKR_SEAL_KEY_BYTES])
{
    static const skr_id_t mesh;
    const held_key_t *latest = latest_of (self, collection);
    latest = latest ? latest : latest_of (self, &mesh);
    if (!latest) {
        return skr_fail (SAKER_ENOTFOUND, "this device holds no key of the mesh");
    }
    memcpy (key_id, latest->key_id, SKR_KEY_ID_BYTES);
    give_key (latest, collection, key);
    return SAKER_OK;
}

saker_err_t skr_keyring_each (skr_keyring_t *self, skr_raw_key_fn *visit, void *argument)
{
    for (size_t i = 0; i < self->count; i++) {
        const held_key_t *key = &self->keys[i];
        SKR_TRY (visit (&key->collection, key->generation, key->raw, argument));
    }
    return SAKER_OK;
}

saker_err_t skr_keyring_beacon (skr_keyring_t *self, uint8_t key[32])
{
    static const skr_id_t mesh;
    static const char words[] = "saker beacon";
    const held_key_t *latest = latest_of (self, &mesh);
    if (!latest) {
        return skr_fail (SAKER_ENOTFOUND, "this device holds no key of the mesh");
    }
    crypto_generichash (key, 32, (const uint8_t *) words, sizeof words - 1, latest->raw,
                        sizeof latest->raw);
    return SAKER_OK;
}
