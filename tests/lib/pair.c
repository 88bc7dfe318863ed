#include "tests/lib/pair.h"

#include "tests/lib/temp_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != SAKER_OK) {                                                                  \
            printf ("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, skr_error ());                   \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool admit (skr_replica_t *founder, const skr_device_t *device, const char *name,
                   skr_role_t role)
{
    static const char *const addresses[] = {"tcp://127.0.0.1:1"};
    skr_member_t candidate = {.role = role};
    skr_ticket_t ticket;
    uint8_t key[32];
    memcpy (candidate.device, skr_device_key (device), 32);
    memcpy (candidate.transport, skr_device_transport_key (device), 32);
    snprintf (candidate.name, sizeof candidate.name, "%s", name);
    uint64_t expires_ms = skr_world_real ()->wall_ms (NULL) + 60000;
    TRY (skr_replica_begin (founder));
    TRY (skr_replica_invite (founder, role, expires_ms, addresses, 1, &ticket));
    skr_ticket_key (&ticket, key);
    TRY (skr_replica_admit (founder, key, &candidate));
    TRY (skr_replica_commit (founder));
    return true;
}

static void introduce (const skr_id_t *collection, skr_span_t change, void *founder)
{
    skr_outcome_t outcome;
    (void) collection;
    if (skr_replica_offer (founder, change, &outcome) != SAKER_OK || outcome != SKR_APPLIED) {
        printf ("pair: %s\n", skr_error ());
    }
}

bool pair_adopt (skr_replica_t *founder, const char *store, const char *name, skr_role_t role,
                 skr_replica_t **replica)
{
    static const skr_id_t roster_id;
    skr_device_t *device = NULL;
    skr_clock_t nothing = {0};
    skr_buf_t changes = {0};
    skr_buf_t roster = {0};
    size_t count = 0;
    bool more = false;
    TRY (skr_device_new (&device));
    if (!admit (founder, device, name, role)) {
        return false;
    }
    TRY (skr_replica_pull (founder, &roster_id, &nothing, 1 << 20, &changes, &count, &more));
    skr_cbor_put_array (&roster, count);
    skr_buf_append_span (&roster, skr_span_of (&changes));
    TRY (skr_replica_adopt (store, device, skr_roster_mesh (skr_replica_roster (founder)),
                            skr_span_of (&roster), skr_world_real ()));
    TRY (skr_replica_open (replica, store, skr_world_real ()));
    TRY (skr_replica_begin (founder));
    skr_replica_made (*replica, introduce, founder);
    TRY (skr_replica_commit (founder));
    skr_buf_free (&roster);
    skr_buf_free (&changes);
    skr_device_destroy (&device);
    return true;
}

bool pair_open (pair_t *self)
{
    memset (self, 0, sizeof *self);
    temp_folder_make (self->folder);
    snprintf (self->store_a, sizeof self->store_a, "%s/a", self->folder);
    snprintf (self->store_b, sizeof self->store_b, "%s/b", self->folder);
    TRY (skr_replica_found (self->store_a, "test", "alpha", skr_world_real ()));
    TRY (skr_replica_open (&self->a, self->store_a, skr_world_real ()));
    return pair_adopt (self->a, self->store_b, "beta", SKR_ROLE_WRITE, &self->b);
}

void pair_close (pair_t *self)
{
    skr_replica_close (&self->a);
    skr_replica_close (&self->b);
    temp_folder_remove (self->folder);
}

saker_err_t pair_set (skr_replica_t *replica, const char *collection, const char *document,
                      int64_t number)
{
    skr_buf_t path = {0};
    skr_buf_t value = {0};
    saker_receipt_t receipt;
    SKR_TRY (skr_path_from_pointer (&path, "/n"));
    skr_cbor_put_int (&value, number);
    skr_intent_t intent = {.kind = SKR_INTENT_SET,
                           .document = skr_span_text (document),
                           .path = skr_span_of (&path),
                           .value = skr_span_of (&value)};
    skr_local_t local = {.collection = collection, .intents = &intent, .count = 1};
    saker_err_t error = skr_replica_begin (replica);
    error = error == SAKER_OK ? skr_replica_write (replica, &local, &receipt) : error;
    error = error == SAKER_OK ? skr_replica_commit (replica) : error;
    if (error != SAKER_OK) {
        skr_replica_abort (replica);
    }
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

static saker_err_t offer_all (skr_replica_t *to, skr_span_t changes, size_t count)
{
    skr_cbor_t cbor;
    SKR_TRY (skr_replica_begin (to));
    skr_cbor_open (&cbor, changes);
    for (size_t i = 0; i < count; i++) {
        skr_outcome_t outcome;
        SKR_TRY (skr_replica_offer (to, skr_cbor_get_bytes (&cbor), &outcome));
    }
    return skr_replica_commit (to);
}

saker_err_t pair_sync (skr_replica_t *from, skr_replica_t *to, const skr_id_t *collection)
{
    static const skr_clock_t nothing;
    bool more = true;
    saker_err_t error = SAKER_OK;
    while (more && !error) {
        const skr_collection_t *have = skr_replica_collection (to, collection);
        skr_buf_t changes = {0};
        size_t count;
        error = skr_replica_pull (from, collection, have ? &have->clock : &nothing, 65536, &changes,
                                  &count, &more);
        error = error ? error : offer_all (to, skr_span_of (&changes), count);
        skr_buf_free (&changes);
    }
    return error;
}

saker_err_t pair_role (skr_replica_t *by, const skr_replica_t *whom, skr_role_t role)
{
    SKR_TRY (skr_replica_begin (by));
    saker_err_t error =
        skr_replica_set_role (by, skr_device_key (skr_replica_device (whom)), NULL, role);
    if (error != SAKER_OK) {
        skr_replica_abort (by);
        return error;
    }
    return skr_replica_commit (by);
}

static bool adopt (four_t *self, const char *name, skr_role_t role, skr_replica_t **replica)
{
    char store[120];
    (void) snprintf (store, sizeof store, "%s/%s", self->pair.folder, name);
    return pair_adopt (self->pair.a, store, name, role, replica);
}

bool four_open (four_t *self, const char *fourth, skr_role_t role)
{
    static const skr_id_t roster;
    memset (self, 0, sizeof *self);
    if (!pair_open (&self->pair) || !adopt (self, "third", SKR_ROLE_WRITE, &self->third)
        || !adopt (self, fourth, role, &self->fourth)) {
        return false;
    }
    skr_replica_t *all[] = {self->pair.a, self->pair.b, self->third, self->fourth};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            if (i != k && pair_sync (all[i], all[k], &roster) != SAKER_OK) {
                printf ("%s\n", skr_error ());
                return false;
            }
        }
    }
    return true;
}

void four_close (four_t *self)
{
    skr_replica_close (&self->third);
    skr_replica_close (&self->fourth);
    pair_close (&self->pair);
}
