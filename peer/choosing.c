/* Records in SKR_META:

     "chosen" id 16 -> name of the collection */

#include "peer/choosing.h"

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/incarnation.h"
#include "peer/partial.h"

#include <string.h>

#define CHOSEN_KEY "chosen"
#define CHOSEN_KEY_BYTES (sizeof CHOSEN_KEY - 1)

/* ---- names */

static skr_span_t chosen_key (uint8_t key[CHOSEN_KEY_BYTES + 16], const skr_id_t *collection)
{
    memcpy (key, CHOSEN_KEY, CHOSEN_KEY_BYTES);
    memcpy (key + CHOSEN_KEY_BYTES, collection->bytes, sizeof collection->bytes);
    return skr_span (key, CHOSEN_KEY_BYTES + sizeof collection->bytes);
}

saker_err_t skr_chosen_note (skr_replica_t *replica, const char *name)
{
    uint8_t key[CHOSEN_KEY_BYTES + 16];
    skr_id_t id;
    skr_replica_collection_id (replica, name, &id);
    return skr_store_put (skr_replica_store (replica), SKR_META, chosen_key (key, &id),
                          skr_span_text (name));
}

void skr_chosen_name (skr_replica_t *replica, const skr_id_t *collection,
                      char name[SKR_COLLECTION_BYTES_MAX + 1])
{
    uint8_t key[CHOSEN_KEY_BYTES + 16];
    skr_span_t value;
    memset (name, 0, SKR_COLLECTION_BYTES_MAX + 1);
    if (skr_store_get (skr_replica_store (replica), SKR_COMMITTED, SKR_META,
                       chosen_key (key, collection), &value)
            == SAKER_OK
        && value.size <= SKR_COLLECTION_BYTES_MAX) {
        memcpy (name, value.data, value.size);
    }
}

/* ---- the choice */

static saker_err_t add_prefixes (const saker_part_t *from, skr_part_t *part)
{
    for (size_t i = 0; i < from->prefixes_count; i++) {
        if (!from->prefixes[i] || !from->prefixes[i][0]) {
            return skr_fail (SAKER_EINPUT, "a prefix has at least one byte: all of a collection is "
                                           "wanted without any");
        }
        SKR_TRY (skr_part_add (part, skr_span_text (from->prefixes[i])));
    }
    return SAKER_OK;
}

static bool is_same (const saker_part_t *one, const saker_part_t *other)
{
    return strcmp (one->collection, other->collection) == 0;
}

/* Was its collection named before? */
static bool is_repeated (const skr_choice_t *self, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_same (&self->parts[i], &self->parts[at])) {
            return true;
        }
    }
    return false;
}

/* What is meant of the collection of an entry, by all that name it. */
static saker_err_t read_part (const skr_choice_t *self, size_t at, skr_part_t *part)
{
    bool whole = false;
    skr_part_nothing (part);
    for (size_t i = at; i < self->count; i++) {
        if (is_same (&self->parts[at], &self->parts[i])) {
            whole |= self->parts[i].prefixes_count == 0;
            SKR_TRY (add_prefixes (&self->parts[i], part));
        }
    }
    if (whole) {
        skr_part_free (part);
    }
    return SAKER_OK;
}

/* With a NULL replica: checks alone. */
static saker_err_t take_one (const skr_choice_t *self, size_t at, skr_replica_t *replica,
                             skr_subscription_t *wanted)
{
    const char *name = self->parts[at].collection;
    skr_part_t part = {.partial = false};
    skr_id_t id;
    if (!name) {
        return skr_fail (SAKER_EINPUT, "a collection to carry has no name");
    }
    SKR_TRY (skr_collection_name_check (name));
    saker_err_t error = read_part (self, at, &part);
    if (!error && replica) {
        skr_replica_collection_id (replica, name, &id);
        error = skr_subscription_set (wanted, &id, true);
        error = error ? error : skr_chosen_note (replica, name);
        error = error ? error : skr_fetching_note (replica, &id);
        error = error || !part.partial ? error : skr_partial_want (replica, name, &part);
    }
    skr_part_free (&part);
    return error;
}

static saker_err_t take_all (const skr_choice_t *self, skr_replica_t *replica,
                             skr_subscription_t *wanted)
{
    size_t named = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (!self->parts[i].collection || !is_repeated (self, i)) {
            SKR_TRY (take_one (self, i, replica, wanted));
            named++;
        }
    }
    return named <= SKR_SUBSCRIPTION_NAMED_MAX
               ? SAKER_OK
               : skr_fail (SAKER_ELIMIT,
                           "a peer names at most %d collections that it carries "
                           "(SKR_SUBSCRIPTION_NAMED_MAX)",
                           SKR_SUBSCRIPTION_NAMED_MAX);
}

saker_err_t skr_choice_check (const skr_choice_t *self)
{
    return take_all (self, NULL, NULL);
}

saker_err_t skr_choice_state (const skr_choice_t *self, skr_replica_t *replica)
{
    skr_subscription_t wanted = {.rest = false};
    SKR_TRY (skr_incarnation_introduce (replica));
    saker_err_t error = take_all (self, replica, &wanted);
    error = error ? error : skr_carrying_state (replica, &wanted);
    skr_subscription_free (&wanted);
    return error;
}
