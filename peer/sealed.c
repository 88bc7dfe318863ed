#include "peer/sealed.h"

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/replica_internal.h"
#include "peer/snapshot.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_MS 5000 /* after a failure */

bool skr_sealed_due (const skr_replica_t *self, const skr_id_t *collection)
{
    return !skr_id_is_zero (collection) && skr_replica_role (self, collection) == SKR_ROLE_RELAY;
}

/* Who may neither read nor relay keeps what it has, as it is. What is being left is sealed, so that
   it can be handed on, and does not begin anew. */
static bool is_held_wrongly (const skr_replica_t *self, const skr_collection_t *collection)
{
    skr_role_t role = skr_replica_role (self, &collection->id);
    bool held = skr_carrying (self, &collection->id)
                || (!collection->sealed && collection->clock.count > 0);
    return !skr_id_is_zero (&collection->id) && role != SKR_ROLE_NONE && held
           && collection->sealed != (role == SKR_ROLE_RELAY);
}

/* What it had is removed with the reload, or, after a crash, at the next open. A chain of ours
   goes, too: its seqs must not be given again. */
static saker_err_t replace (skr_replica_t *self, const skr_collection_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, &collection->id);
    bool wrote = skr_held_chain (held, &self->writer) != NULL
                 || skr_carrying_own (self, &collection->id) > 0;
    skr_collection_t fresh = {.id = collection->id, .sealed = !collection->sealed};
    memcpy (fresh.name, collection->name, sizeof fresh.name);
    SKR_TRY (skr_replica_begin (self));
    SKR_TRY (skr_holdings_number (self, &fresh.no));
    SKR_TRY (skr_holdings_replace (self, &fresh, NULL, 0));
    SKR_TRY (fresh.sealed ? SAKER_OK : skr_fetching_note (self, &fresh.id));
    SKR_TRY (wrote ? skr_incarnation_renew (self, SKR_DOUBT_CLOSED) : SAKER_OK);
    return skr_replica_commit (self);
}

static saker_err_t begin_anew (skr_replica_t *self, const skr_collection_t *collection)
{
    saker_err_t error = replace (self, collection);
    if (error != SAKER_OK) {
        skr_replica_abort (self);
        return error;
    }
    return skr_replica_reload (self);
}

/* False when the path is too long. */
static bool name_file (skr_replica_t *self, char file[PATH_MAX])
{
    int length = snprintf (file, PATH_MAX, "%s/sealing", skr_store_folder (self->store));
    return length > 0 && length < PATH_MAX;
}

/* The log is kept: others may lack what is in it. */
static saker_err_t seal (skr_replica_t *self, const skr_collection_t *collection)
{
    char file[PATH_MAX];
    const skr_id_t id = collection->id;
    if (collection->clock.count == 0) {
        return begin_anew (self, collection);
    }
    saker_err_t error = name_file (self, file) ? skr_snapshot_seal (self, &id, file) : SAKER_ELIMIT;
    return error == SAKER_OK || skr_err_passes (error)
               ? error
               : begin_anew (self, skr_replica_collection (self, &id));
}

static saker_err_t hold_otherwise (skr_replica_t *self, const skr_collection_t *collection)
{
    skr_log (self->world, SKR_LOG_INFO, "this device may %s: what it holds is %s",
             collection->sealed ? "read a collection again" : "only relay a collection from now on",
             collection->sealed ? "fetched anew" : "sealed");
    return collection->sealed ? begin_anew (self, collection) : seal (self, collection);
}

saker_err_t skr_sealed_turn (skr_replica_t *self)
{
    if (self->sealed_version == self->roster_version || skr_replica_in_group (self)
        || !skr_store_settled (self->store)) {
        return SAKER_OK;
    }
    uint64_t now_ms = self->world->mono_ms (self->world->context);
    if (now_ms < self->sealed_ms) {
        return SAKER_OK;
    }
    for (size_t i = 0; i < skr_replica_collections (self); i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self, i);
        if (is_held_wrongly (self, collection)) {
            saker_err_t error = hold_otherwise (self, collection);
            self->sealed_ms = error == SAKER_OK ? 0 : now_ms + AGAIN_MS;
            return skr_wrap (error, "hold a collection otherwise");
        }
    }
    char file[PATH_MAX];
    if (!self->sealed_version && name_file (self, file)) {
        (void) unlink (file); /* a crash may have left it */
    }
    self->sealed_version = self->roster_version;
    return SAKER_OK;
}

saker_err_t skr_sealed_check (const skr_collection_t *collection)
{
    return collection->sealed
               ? skr_fail (SAKER_ERIGHT,
                           "this device may only relay %s: it holds it sealed, and cannot read it; "
                           "ask an admin for the right to read",
                           collection->name[0] ? collection->name : "this collection")
               : SAKER_OK;
}
