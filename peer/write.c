/* The two ways to a local change: what an application writes, and roster statements. */

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/making.h"
#include "peer/receipts.h"

#include <string.h>

saker_err_t skr_write_forget (skr_replica_t *self, const skr_change_t *change,
                              skr_span_t operation_id)
{
    uint8_t key[SKR_RECEIPT_KEY_BYTES];
    saker_receipt_t receipt = {.seq = 0};
    if (operation_id.size == 0) {
        return SAKER_OK;
    }
    skr_receipt_key (&change->collection, operation_id, key);
    SKR_TRY (skr_receipt_find (self, key, &receipt));
    bool its = receipt.repeated && receipt.seq == change->seq
               && memcmp (receipt.writer, change->writer.bytes, sizeof receipt.writer) == 0;
    saker_err_t error =
        its ? skr_store_remove (self->store, SKR_OPERATIONS, skr_span (key, sizeof key)) : SAKER_OK;
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_write_recall (skr_replica_t *self, const skr_change_t *change,
                              const skr_content_t *content)
{
    uint8_t key[SKR_RECEIPT_KEY_BYTES];
    saker_receipt_t receipt = {.seq = change->seq};
    if (content->operation_id.size == 0 || !skr_replica_is_own (self, &change->writer)) {
        return SAKER_OK;
    }
    memcpy (receipt.writer, change->writer.bytes, sizeof receipt.writer);
    skr_receipt_key (&change->collection, content->operation_id, key);
    return skr_receipt_keep (self, key, &change->collection, &receipt);
}

/* ---- the two ways in */

saker_err_t skr_write_revoked (void)
{
    return skr_fail (SAKER_ERIGHT, "this device was revoked: what it has stays readable here, "
                                   "nothing it writes counts; to come back, join anew");
}

static saker_err_t check_right (const skr_replica_t *self, const char *collection)
{
    skr_id_t id;
    const skr_member_t *member = skr_replica_self (self);
    SKR_TRY (skr_collection_name_check (collection));
    skr_replica_collection_id (self, collection, &id);
    if (member && member->role == SKR_ROLE_NONE) {
        return skr_write_revoked ();
    }
    if (skr_replica_role (self, &id) < SKR_ROLE_WRITE) {
        return skr_fail (SAKER_ERIGHT, "this device may only read: ask an admin for the right "
                                       "to write");
    }
    return skr_carrying_check_write (self, &id, collection);
}

/* One that was due, but could not be taken at once. */
static saker_err_t take_new_incarnation (skr_replica_t *self)
{
    return self->doubt == SKR_DOUBT_NONE ? SAKER_OK : skr_incarnation_renew (self, self->doubt);
}

/* A batch of which some is not carried here is refused as a whole: what is seen of a document, and
   would be replaced, is only known to who carries it. */
static saker_err_t check_carried (const skr_replica_t *self, const skr_held_t *held,
                                  const skr_local_t *local)
{
    skr_span_t last = skr_span (NULL, 0);
    for (size_t i = 0; i < local->count; i++) {
        skr_span_t document = local->intents[i].document;
        if (document.size > 0 && !skr_span_equal (document, last)) {
            SKR_TRY (skr_partial_check (self, &held->live, document));
            last = document;
        }
    }
    return SAKER_OK;
}

static saker_err_t check_local (const skr_replica_t *self, const skr_local_t *local)
{
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_right (self, local->collection));
    if (local->operation_id.size > SKR_OPERATION_ID_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "an operation id has at most %d bytes "
                         "(SKR_OPERATION_ID_BYTES_MAX)",
                         SKR_OPERATION_ID_BYTES_MAX);
    }
    if (local->origin.size > SKR_ORIGIN_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "an origin mark has at most %d bytes "
                         "(SKR_ORIGIN_BYTES_MAX)",
                         SKR_ORIGIN_BYTES_MAX);
    }
    return SAKER_OK;
}

/* One intent, or the several that are made together. */
static saker_err_t make_next (skr_making_t *making, const skr_intent_t *intents, size_t count,
                              size_t *used)
{
    switch (intents->kind) {
    case SKR_INTENT_REPLACE:
        return skr_making_replace (making, intents, count, used);
    case SKR_INTENT_INCR:
        return skr_making_sums (making, intents, count, used);
    default:
        *used = 1;
        return skr_making_intent (making, intents);
    }
}

static saker_err_t make_all (skr_making_t *making, const skr_intent_t *intents, size_t count)
{
    for (size_t at = 0, used = 0; at < count; at += used) {
        SKR_TRY (make_next (making, &intents[at], count - at, &used));
    }
    return SAKER_OK;
}

static saker_err_t write_once (skr_replica_t *self, const skr_local_t *local, const skr_id_t *id,
                               saker_receipt_t *receipt)
{
    skr_making_t making;
    SKR_TRY (skr_making_begin (&making, self, id));
    saker_err_t error = check_carried (self, making.held, local);
    error = error ? error : make_all (&making, local->intents, local->count);
    if (error == SAKER_ENOTFOUND && skr_fetching (self, id)) {
        error = skr_fetching_check (self, id, local->collection);
    }
    return skr_making_end (&making, local, error, receipt);
}

/* A receipt that is not here does not tell that nothing was written, once the store is another one,
   or an older copy, than that which was asked first. */
static saker_err_t check_tried (const skr_replica_t *self, skr_span_t tried)
{
    if (tried.size == 0 || skr_span_equal (tried, skr_span (self->writer.bytes, 16))) {
        return SAKER_OK;
    }
    return skr_fail (
        SAKER_ECHANGED,
        "it may have been written already: it was sent before, more than 29 days ago or "
        "when this store wrote as another writer, and its operation id is not known here "
        "(any more): look whether it is there, then drop it or send it again");
}

saker_err_t skr_replica_write (skr_replica_t *self, const skr_local_t *local,
                               saker_receipt_t *receipt)
{
    uint8_t key[SKR_RECEIPT_KEY_BYTES];
    skr_id_t id;
    memset (receipt, 0, sizeof *receipt);
    SKR_TRY (check_local (self, local));
    SKR_TRY (take_new_incarnation (self));
    skr_replica_collection_id (self, local->collection, &id);
    if (skr_roster_limit (self->roster, &self->writer, &id) != UINT64_MAX) {
        SKR_TRY (skr_incarnation_renew (self, SKR_DOUBT_CLOSED));
    }
    if (local->operation_id.size == 0) {
        SKR_TRY (write_once (self, local, &id, receipt));
        return skr_admit_ready (self);
    }
    skr_receipt_key (&id, local->operation_id, key);
    SKR_TRY (skr_receipt_find (self, key, receipt));
    if (receipt->repeated) {
        return SAKER_OK; /* design 4: the same id is never applied twice */
    }
    SKR_TRY (check_tried (self, local->tried));
    SKR_TRY (write_once (self, local, &id, receipt));
    memcpy (receipt->note, local->note, sizeof receipt->note);
    SKR_TRY (skr_receipt_keep (self, key, &id, receipt));
    return skr_admit_ready (self);
}

static saker_err_t state_all (skr_making_t *making, const skr_span_t *statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const skr_intent_t intent = {.value = statements[i]};
        SKR_TRY (skr_making_add (making, SKR_OP_STATEMENT, &intent, NULL, 0));
    }
    return SAKER_OK;
}

saker_err_t skr_replica_state (skr_replica_t *self, const skr_span_t *statements, size_t count)
{
    static const skr_id_t roster;
    static const skr_local_t local;
    skr_making_t making;
    saker_receipt_t receipt = {.seq = 0};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (take_new_incarnation (self));
    if (skr_roster_by_writer (self->roster, &self->writer)
        && skr_roster_limit (self->roster, &self->writer, &roster) != UINT64_MAX
        && skr_roster_renewing_helps (self->roster, &self->writer)) {
        SKR_TRY (skr_incarnation_renew (self, SKR_DOUBT_CLOSED));
    }
    SKR_TRY (skr_making_begin (&making, self, &roster));
    SKR_TRY (skr_making_end (&making, &local, state_all (&making, statements, count), &receipt));
    return skr_admit_ready (self);
}
