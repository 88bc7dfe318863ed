/* Commands about rights and keys. */

#include "peer/api_internal.h"

#include "crdt/hlc.h"

#include <sodium.h>
#include <string.h>

#define KEYS_MAX 256 /* statements looked at for one page */
#define PEER_BYTES 128

static const skr_id_t the_mesh;

/* ---- ROLE */

static saker_err_t parse_role (const char *text, skr_role_t *role)
{
    *role = skr_role_parse (text);
    if (*role == SKR_ROLE_NONE && strcmp (text, "none") != 0) {
        return skr_fail (SAKER_EUSAGE,
                         "no role is called %s: it is none, relay, read, write or admin", text);
    }
    return SAKER_OK;
}

/* A cutoff is what this peer has. One that came back may lack what all others have, and let go of
   the history of. */
static saker_err_t check_caught_up (skr_api_t *self)
{
    const skr_member_t *ahead = skr_ahead (self->replica, &self->neighbours, NULL);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    bool returned =
        skr_roster_has_returned (roster, own, NULL) || skr_roster_has_left (roster, own);
    return ahead && returned
               ? skr_fail (SAKER_EWAIT,
                           "this device came back, and has not yet all that %s has: try again "
                           "when it has caught up",
                           ahead->name)
               : SAKER_OK;
}

saker_err_t skr_api_role (skr_api_t *self, skr_api_call_t *call)
{
    char peer[PEER_BYTES], text[16], collection[SKR_COLLECTION_BYTES_MAX + 1] = "";
    const skr_member_t *member = NULL;
    skr_role_t role;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, peer, sizeof peer);
    skr_fields_need (&call->fields, 1);
    skr_fields_text (&call->cbor, text, sizeof text);
    if (skr_fields_has (&call->fields, 2)) {
        skr_fields_text (&call->cbor, collection, sizeof collection);
    }
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (parse_role (text, &role));
    SKR_TRY (check_caught_up (self));
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), peer, &member));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_api_put_text (call->body, member->name);
    SKR_TRY (skr_replica_set_role (self->replica, member->device, collection[0] ? collection : NULL,
                                   role));
    call->when = SKR_API_HELD;
    return SAKER_OK;
}

/* ---- FENCE */

/* A fence closes the member at what this peer has of it; what others have beyond would be void. */
static saker_err_t check_has_all (skr_api_t *self, const skr_member_t *member)
{
    const skr_member_t *ahead = skr_ahead (self->replica, &self->neighbours, member);
    return ahead ? skr_fail (SAKER_EWAIT,
                             "%s has changes of %s that this peer has not yet: try again when they "
                             "have arrived",
                             ahead->name, member->name)
                 : SAKER_OK;
}

saker_err_t skr_api_fence (skr_api_t *self, skr_api_call_t *call)
{
    char peer[PEER_BYTES];
    const skr_member_t *member = NULL;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, peer, sizeof peer);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (check_caught_up (self));
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), peer, &member));
    SKR_TRY (check_has_all (self, member));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_api_put_text (call->body, member->name);
    SKR_TRY (skr_replica_fence (self->replica, member->device));
    call->when = SKR_API_HELD;
    return SAKER_OK;
}

/* ---- KEYS */

static bool is_first_statement (const skr_roster_t *roster, size_t at)
{
    const skr_roster_key_t *key = skr_roster_key_at (roster, at);
    for (size_t i = 0; i < at; i++) {
        const skr_roster_key_t *other = skr_roster_key_at (roster, i);
        if (memcmp (other->key_id, key->key_id, sizeof key->key_id) == 0
            && skr_id_equal (&other->collection, &key->collection)) {
            return false;
        }
    }
    return true;
}

static bool is_sealing (skr_api_t *self, const skr_roster_key_t *key)
{
    uint8_t id[SKR_KEY_ID_BYTES], raw[SKR_SEAL_KEY_BYTES];
    saker_err_t error =
        skr_keyring_latest (skr_replica_keyring (self->replica), &key->collection, id, raw);
    sodium_memzero (raw, sizeof raw);
    return error == SAKER_OK && memcmp (id, key->key_id, sizeof id) == 0;
}

static const char *collection_name (skr_api_t *self, const skr_id_t *id, char text[64])
{
    if (skr_id_equal (id, &the_mesh)) {
        return "";
    }
    const skr_collection_t none = {.id = *id};
    const skr_collection_t *collection = skr_replica_collection (self->replica, id);
    return skr_api_collection_name (collection ? collection : &none, text);
}

static void put_key (skr_api_t *self, const skr_roster_key_t *key, skr_buf_t *buf)
{
    char digits[2 * SKR_KEY_ID_BYTES + 1], name[64];
    const skr_member_t *author =
        skr_roster_by_writer (skr_replica_roster (self->replica), &key->writer);
    skr_hex (digits, key->key_id, sizeof key->key_id);
    skr_cbor_put_array (buf, 6);
    skr_api_put_text (buf, collection_name (self, &key->collection, name));
    skr_api_put_text (buf, digits);
    skr_cbor_put_uint (buf, key->generation);
    skr_cbor_put_uint (buf, skr_hlc_ms (key->hlc));
    skr_api_put_text (buf, author ? author->name : "");
    skr_cbor_put_bool (buf, is_sealing (self, key));
}

saker_err_t skr_api_keys (skr_api_t *self, skr_api_call_t *call)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_buf_t *keys = skr_api_scratch (self);
    skr_fields_need (&call->fields, 0);
    uint64_t first = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    size_t count = 0, end = skr_roster_keys (roster);
    first = first < end ? first : end;
    end = end - first > KEYS_MAX ? (size_t) first + KEYS_MAX : end;
    for (size_t i = (size_t) first; i < end; i++) {
        if (is_first_statement (roster, i)) {
            put_key (self, skr_roster_key_at (roster, i), keys);
            count++;
        }
    }
    bool more = end < skr_roster_keys (roster);
    skr_cbor_put_map (call->body, more ? 2 : 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_array (call->body, count);
    skr_buf_append_span (call->body, skr_span_of (keys));
    if (more) {
        skr_cbor_put_uint (call->body, 1);
        skr_cbor_put_uint (call->body, end);
    }
    return SAKER_OK;
}

/* ---- ROTATE */

saker_err_t skr_api_rotate (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_replica_rotate (self->replica));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_uint (call->body,
                       skr_roster_generation (skr_replica_roster (self->replica), &the_mesh));
    call->when = SKR_API_HELD;
    return SAKER_OK;
}
