/* Founding a mesh, and adopting one: how a store comes to be. On failure nothing is left. */

#include "peer/choosing.h"
#include "peer/replica_internal.h"

#include <dirent.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define FOUND_CHANGES_MAX (1u << 20)

/* Removes what lies in a folder that was empty, and the folder when it was not there before. */
static void remove_store (const char *folder, bool was_there)
{
    DIR *listing = opendir (folder);
    struct dirent *entry;
    while (listing && (entry = readdir (listing))) {
        if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0) {
            (void) unlinkat (dirfd (listing), entry->d_name, 0);
        }
    }
    if (listing) {
        closedir (listing);
    }
    if (!was_there) {
        (void) rmdir (folder);
    }
}

/* An empty replica of a mesh, in an open group, with a new incarnation. */
static saker_err_t begin_store (skr_replica_t *self, const skr_id_t *mesh)
{
    self->mesh = *mesh;
    randombytes_buf (self->incarnation, sizeof self->incarnation);
    skr_device_writer (skr_device_key (self->device), self->incarnation, &self->writer);
    self->epoch = self->writer;
    SKR_TRY (skr_roster_new (&self->roster, mesh));
    SKR_TRY (skr_replica_begin (self));
    SKR_TRY (skr_replica_put_meta (self));
    return skr_incarnation_found (self);
}

/* What fills a new store, in its first group. */
typedef saker_err_t fill_fn (skr_replica_t *self, const void *argument);

static saker_err_t fill_and_commit (skr_replica_t *self, const skr_id_t *mesh, fill_fn *fill,
                                    const void *argument)
{
    SKR_TRY (begin_store (self, mesh));
    SKR_TRY (fill (self, argument));
    return skr_replica_commit (self);
}

/* Takes ownership of the device. */
static saker_err_t make_store (const char *folder, skr_device_t **device_p, const skr_id_t *mesh,
                               fill_fn *fill, const void *argument, const skr_world_t *world)
{
    skr_replica_t *self = NULL;
    skr_store_t *store = NULL;
    bool was_there = access (folder, F_OK) == 0;
    saker_err_t error = skr_store_open (&store, folder, SKR_STORE_CREATE, world);
    if (error != SAKER_OK) {
        skr_device_destroy (device_p);
        return error;
    }
    error = skr_device_save (*device_p, folder);
    if (error == SAKER_OK) {
        error = skr_replica_new (&self, &store, device_p, world);
    }
    if (error == SAKER_OK) {
        error = fill_and_commit (self, mesh, fill, argument);
    }
    skr_replica_close (&self);
    skr_store_close (&store);
    skr_device_destroy (device_p);
    if (error != SAKER_OK) {
        remove_store (folder, was_there);
    }
    return error;
}

typedef struct founding_t {
    const char *mesh_name;
    const char *device_name;
    const uint8_t *random;
} founding_t;

static saker_err_t put_first_key (skr_buf_t *statement, const skr_device_t *device)
{
    static const skr_id_t mesh;
    uint8_t key[SKR_SEAL_KEY_BYTES];
    skr_member_t founder = {.role = SKR_ROLE_ADMIN};
    const skr_member_t *members[] = {&founder};
    memcpy (founder.device, skr_device_key (device), sizeof founder.device);
    memcpy (founder.transport, skr_device_transport_key (device), sizeof founder.transport);
    randombytes_buf (key, sizeof key);
    saker_err_t error = skr_statement_key (statement, &mesh, 0, key, members, 1);
    sodium_memzero (key, sizeof key);
    return error;
}

static saker_err_t fill_founded (skr_replica_t *self, const void *argument)
{
    const founding_t *founding = argument;
    skr_buf_t found = {0}, incarnate = {0}, key = {0};
    skr_statement_found (&found, self->device, founding->random, founding->mesh_name,
                         founding->device_name);
    skr_statement_incarnate (&incarnate, skr_device_key (self->device), self->incarnation,
                             skr_span (NULL, 0));
    saker_err_t error = put_first_key (&key, self->device);
    if (error == SAKER_OK && (found.failed || incarnate.failed || key.failed)) {
        error = skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (error == SAKER_OK) {
        const skr_span_t statements[] = {skr_span_of (&found), skr_span_of (&incarnate),
                                         skr_span_of (&key)};
        error = skr_replica_state (self, statements, 3);
    }
    skr_buf_free (&found);
    skr_buf_free (&incarnate);
    skr_buf_free (&key);
    return error;
}

saker_err_t skr_replica_found (const char *folder, const char *mesh_name, const char *device_name,
                               const skr_world_t *world)
{
    uint8_t random[32];
    skr_id_t mesh;
    skr_device_t *device = NULL;
    const founding_t founding = {mesh_name, device_name, random};
    SKR_TRY (skr_roster_name_check ("mesh", mesh_name));
    SKR_TRY (skr_roster_name_check ("device", device_name));
    SKR_TRY (skr_device_new (&device));
    randombytes_buf (random, sizeof random);
    skr_device_mesh (skr_device_key (device), random, &mesh);
    return skr_wrap (make_store (folder, &device, &mesh, fill_founded, &founding, world),
                     "found a mesh");
}

static saker_err_t adopt_change (skr_replica_t *self, skr_span_t change)
{
    skr_outcome_t outcome;
    SKR_TRY (skr_replica_offer (self, change, &outcome));
    if (outcome == SKR_WAITING) {
        return skr_fail (SAKER_EFORGED, "the roster is not of this mesh, or not whole");
    }
    return outcome == SKR_REFUSED ? skr_wrap (SAKER_EFORGED, "the roster is not of this mesh")
                                  : SAKER_OK;
}

typedef struct adopting_t {
    skr_span_t roster;
    const skr_choice_t *choice;
} adopting_t;

static saker_err_t fill_adopted (skr_replica_t *self, const void *argument)
{
    const adopting_t *adopting = argument;
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, adopting->roster);
    size_t count = skr_cbor_get_array (&cbor, FOUND_CHANGES_MAX);
    for (size_t i = 0; i < count && cbor.error == SAKER_OK; i++) {
        skr_span_t change = skr_cbor_get_bytes (&cbor);
        if (cbor.error == SAKER_OK) {
            SKR_TRY (adopt_change (self, change));
        }
    }
    SKR_TRY (skr_cbor_close (&cbor));
    if (!skr_replica_self (self)) {
        return skr_fail (SAKER_EFORGED, "the roster does not admit this device");
    }
    return adopting->choice->count ? skr_choice_state (adopting->choice, self) : SAKER_OK;
}

/* A copy of our own, by way of the file that is needed anyway. */
static saker_err_t copy_device (const skr_device_t *device, const char *folder, skr_device_t **copy)
{
    SKR_TRY (skr_device_save (device, folder));
    return skr_device_load (copy, folder);
}

static saker_err_t adopt_into (skr_store_t **store_p, const char *folder,
                               const skr_device_t *device, const skr_id_t *mesh,
                               const adopting_t *adopting, const skr_world_t *world)
{
    skr_replica_t *self = NULL;
    skr_device_t *copy = NULL;
    SKR_TRY (copy_device (device, folder, &copy));
    saker_err_t error = skr_replica_new (&self, store_p, &copy, world);
    if (error == SAKER_OK) {
        error = fill_and_commit (self, mesh, fill_adopted, adopting);
    }
    skr_replica_close (&self);
    return error;
}

saker_err_t skr_replica_adopt (const char *folder, const skr_device_t *device, const skr_id_t *mesh,
                               skr_span_t roster, const skr_world_t *world)
{
    const skr_choice_t everything = {.count = 0};
    return skr_replica_adopt_only (folder, device, mesh, roster, &everything, world);
}

saker_err_t skr_replica_adopt_only (const char *folder, const skr_device_t *device,
                                    const skr_id_t *mesh, skr_span_t roster,
                                    const skr_choice_t *choice, const skr_world_t *world)
{
    const adopting_t adopting = {roster, choice};
    skr_store_t *store = NULL;
    bool was_there = access (folder, F_OK) == 0;
    SKR_TRY (skr_store_open (&store, folder, SKR_STORE_CREATE, world));
    saker_err_t error = adopt_into (&store, folder, device, mesh, &adopting, world);
    skr_store_close (&store);
    if (error != SAKER_OK) {
        remove_store (folder, was_there);
    }
    return skr_wrap (error, "join a mesh");
}
