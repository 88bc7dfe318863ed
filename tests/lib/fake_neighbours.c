#include "tests/lib/fake_neighbours.h"

#include "peer/cut.h"
#include "tests/lib/pair.h"

#include <stdlib.h>
#include <string.h>

static bool is_self (const fake_neighbours_t *self, const uint8_t device[32])
{
    return memcmp (device, skr_device_key (skr_replica_device (self->own)), 32) == 0;
}

static void neighbour (void *context, const uint8_t device[32], skr_neighbour_t *neighbour)
{
    const fake_neighbours_t *self = context;
    bool own = is_self (self, device);
    neighbour->link = own ? "self" : self->link;
    neighbour->address = "tcp://127.0.0.1:1";
    neighbour->seen_ms = own ? 0 : self->seen_ms;
    neighbour->rtt_us = own ? -1 : 120;
    neighbour->heard_ms = own ? 0 : self->seen_ms;
    neighbour->greeted = !own && strcmp (self->link, "up") == 0;
    neighbour->skew_known = !own;
    neighbour->skew_ms = -70;
    neighbour->changes = own ? 0 : 3;
}

static const uint64_t *copy_hashes (fake_neighbours_t *self, const skr_collection_t *theirs)
{
    uint64_t *hashes = NULL;
    if (skr_replica_hashes (self->other, theirs, &hashes) != SAKER_OK
        || theirs->clock.count > FAKE_HASHES_MAX) {
        abort ();
    }
    memcpy (self->hashes, hashes, theirs->clock.count * sizeof *hashes);
    free (hashes);
    if (skr_cut_kept (self->other, theirs, &hashes) != SAKER_OK) {
        abort ();
    }
    memcpy (self->kept, hashes, theirs->clock.count * sizeof *hashes);
    free (hashes);
    return self->hashes;
}

static void reported (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported)
{
    fake_neighbours_t *self = context;
    const skr_collection_t *theirs = skr_replica_collection (self->other, collection);
    memset (reported, 0, sizeof *reported);
    if (!is_self (self, device) && self->told && theirs) {
        reported->writer = *skr_replica_writer (self->other);
        reported->clock = &theirs->clock;
        reported->hashes = copy_hashes (self, theirs);
        reported->kept = self->kept;
        reported->roster = &skr_replica_collection_at (self->other, 0)->clock;
        reported->fingerprint = theirs->fingerprint;
        reported->documents = theirs->documents;
        reported->asked_ms = self->asked_ms;
        reported->told_ms = self->told_ms;
    }
}

static void ask (void *context, const skr_id_t *collection)
{
    fake_neighbours_t *self = context;
    (void) collection;
    self->asked++;
    if (self->answers) {
        self->asked_ms = self->world->mono_ms (self->world->context);
    }
}

static void ask_one (void *context, const uint8_t device[32], const skr_id_t *collection)
{
    (void) device;
    ask (context, collection);
}

/* Each hears the other while the link is up. */
static size_t hears (void *context, const uint8_t device[32], const uint8_t **devices, size_t count)
{
    const fake_neighbours_t *self = context;
    const skr_replica_t *heard = is_self (self, device) ? self->other : self->own;
    if (count == 0 || strcmp (self->link, "up") != 0) {
        return 0;
    }
    devices[0] = skr_device_key (skr_replica_device (heard));
    return 1;
}

static size_t addresses (void *context, const char **addresses, size_t count)
{
    const fake_neighbours_t *self = context;
    if (!self->has_addresses || count == 0) {
        return 0;
    }
    addresses[0] = "tcp://127.0.0.1:5671";
    return 1;
}

static size_t status (void *context, skr_buf_t *pairs)
{
    (void) context;
    skr_cbor_put_text (pairs, "/links/up", 9);
    skr_cbor_put_uint (pairs, 1);
    return 1;
}

/* Nothing comes of it: what another peer says of a part is the session's matter. */
static bool range (void *context, const uint8_t device[32], const skr_id_t *collection,
                   skr_span_t from, skr_span_t to, bool detail)
{
    (void) context, (void) device, (void) collection, (void) from, (void) to, (void) detail;
    return true;
}

static bool ranged (void *context, const uint8_t device[32], skr_span_t *answer)
{
    (void) context, (void) device;
    *answer = skr_span (NULL, 0);
    return false;
}

static void log_level (void *context, skr_level_t level, uint64_t for_ms)
{
    fake_neighbours_t *self = context;
    self->level = (int) level;
    self->level_ms = for_ms;
}

static bool told_of (void *context, const uint8_t device[32], size_t index, skr_id_t *collection)
{
    const fake_neighbours_t *self = context;
    if (is_self (self, device) || !self->told || index >= skr_replica_collections (self->other)) {
        return false;
    }
    *collection = skr_replica_collection_at (self->other, index)->id;
    return true;
}

static bool told_all (void *context, const uint8_t device[32])
{
    const fake_neighbours_t *self = context;
    return !is_self (self, device) && self->told && !self->told_part;
}

void fake_neighbours_init (fake_neighbours_t *self, skr_replica_t *own, skr_replica_t *other,
                           const skr_world_t *world)
{
    *self = (fake_neighbours_t){.level = -1,
                                .own = own,
                                .other = other,
                                .world = world,
                                .link = "up",
                                .seen_ms = 10,
                                .told = true,
                                .answers = true,
                                .has_addresses = true};
}

skr_neighbours_t fake_neighbours_of (fake_neighbours_t *self)
{
    return (skr_neighbours_t){self,   neighbour, reported, ask,       ask_one, hears,   addresses,
                              status, range,     ranged,   log_level, told_of, told_all};
}

saker_err_t fake_neighbours_sync (fake_neighbours_t *self)
{
    for (size_t i = 0; i < skr_replica_collections (self->own); i++) {
        const skr_id_t *id = &skr_replica_collection_at (self->own, i)->id;
        SKR_TRY (pair_sync (self->own, self->other, id));
    }
    return SAKER_OK;
}
