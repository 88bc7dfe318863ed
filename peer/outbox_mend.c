/* What the disk has damaged of an outbox: it goes aside, and all else stays as it is. */

#include "peer/outbox_internal.h"

#include "peer/replica.h"

#include <stdio.h>
#include <string.h>

static uint64_t higher (uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

typedef struct damage_t {
    uint64_t number, highest; /* of the first that is damaged, 0: none is; of the sound ones */
    uint64_t records;
    skr_buf_t key, value; /* of that one */
} damage_t;

static saker_err_t look_at_record (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    damage_t *damage = argument;
    uint64_t number = key.size == 8 ? skr_get_u64 (key.data) : 0;
    damage->records++;
    if (!damaged) {
        damage->highest = higher (damage->highest, number);
    } else if (damage->key.size == 0) {
        damage->number = number;
        skr_buf_append_span (&damage->key, key);
        skr_buf_append_span (&damage->value, value);
    }
    return SAKER_OK;
}

/* Only to be shown: nobody knows that it is what was put. */
static bool is_readable (const skr_parcel_t *parcel)
{
    char name[SAKER_COLLECTION_BYTES_MAX + 1];
    if (parcel->collection.size >= sizeof name) {
        return false;
    }
    snprintf (name, sizeof name, "%.*s", (int) parcel->collection.size,
              (const char *) parcel->collection.data);
    return strlen (name) == parcel->collection.size && skr_collection_name_check (name) == SAKER_OK;
}

static saker_err_t put_damaged (skr_outbox_t *self, skr_table_t table, const damage_t *damage,
                                uint64_t number)
{
    uint8_t key[8];
    skr_parcel_t parcel = {.number = 0};
    if (skr_parcel_get (skr_span_of (&damage->value), number, &parcel) != SAKER_OK
        || !is_readable (&parcel)) {
        parcel = (skr_parcel_t){.collection = skr_span ("", 0),
                                .intents = skr_span_of (&damage->value),
                                .operation_id = skr_span ("", 0),
                                .note = skr_span ("", 0)};
    }
    parcel.error = SAKER_EDAMAGED;
    parcel.sentence = skr_span_text (
        "this batch is damaged on the disk and is not sent: write again what was in it, as far as "
        "it is not there, then drop it here");
    skr_parcel_put (&self->record, &parcel);
    SKR_TRY (self->record.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK);
    SKR_TRY (skr_store_begin (self->store));
    SKR_TRY (skr_store_remove (self->store, table, skr_span_of (&damage->key)));
    SKR_TRY (skr_store_put (self->store, SKR_ASIDE, skr_parcel_key (key, number),
                            skr_span_of (&self->record)));
    return skr_store_commit (self->store);
}

/* Sets the first aside that is damaged. *more: there was one. A number that cannot have been given
   is damaged itself: it gets the next one. */
static saker_err_t mend_one (skr_outbox_t *self, skr_table_t table, bool *more)
{
    damage_t waiting = {.number = 0}, refused = {.number = 0};
    damage_t *damage = table == SKR_LOG ? &waiting : &refused;
    saker_err_t error = skr_store_walk (self->store, SKR_LOG, look_at_record, &waiting);
    error = error == SAKER_OK ? skr_store_walk (self->store, SKR_ASIDE, look_at_record, &refused)
                              : error;
    skr_store_forget (self->store);
    uint64_t last = higher (waiting.highest, refused.highest);
    uint64_t number = damage->number;
    *more = error == SAKER_OK && damage->key.size > 0;
    if (number == 0 || number > last + waiting.records + refused.records) {
        number = last + waiting.records + refused.records + 1;
    }
    if (*more) {
        error = put_damaged (self, table, damage, number);
        if (error != SAKER_OK) {
            skr_store_abort (self->store);
        }
    }
    skr_buf_free (&waiting.key);
    skr_buf_free (&waiting.value);
    skr_buf_free (&refused.key);
    skr_buf_free (&refused.value);
    return error;
}

saker_err_t skr_outbox_mend (skr_outbox_t *self)
{
    static const skr_table_t tables[] = {SKR_LOG, SKR_ASIDE};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (bool more = true; more;) {
            SKR_TRY (mend_one (self, tables[i], &more));
        }
    }
    return SAKER_OK;
}
