/* The table of writers grows while operations are made, in order of first use; in a content it must
   ascend, so the operations are written anew if it did not. */

#include "peer/making.h"

#include "crdt/hlc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- operations */

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t writer_index (skr_making_t *making, const skr_id_t *writer, uint32_t *index)
{
    for (size_t i = 0; i < making->writers_count; i++) {
        if (skr_id_equal (&making->writers[i], writer)) {
            *index = (uint32_t) i;
            return SAKER_OK;
        }
    }
    if (making->writers_count == SKR_CHANGE_WRITERS_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a change touches the work of at most %d writers "
                         "(SKR_CHANGE_WRITERS_MAX): write less at once",
                         SKR_CHANGE_WRITERS_MAX);
    }
    if (making->writers_count == making->writers_capacity) {
        size_t capacity = making->writers_capacity ? making->writers_capacity * 2 : 8;
        skr_id_t *writers = realloc (making->writers, capacity * sizeof *writers);
        if (!writers) {
            return no_memory ();
        }
        making->writers = writers;
        making->writers_capacity = capacity;
    }
    *index = (uint32_t) making->writers_count;
    making->writers[making->writers_count++] = *writer;
    return SAKER_OK;
}

static int compare_pred (const void *one, const void *other)
{
    const skr_pred_t *a = one, *b = other;
    return a->writer < b->writer ? -1 : a->writer > b->writer;
}

static saker_err_t fill_pred (skr_making_t *making, const skr_dot_t *dots, size_t count,
                              skr_pred_t *pred)
{
    for (size_t i = 0; i < count; i++) {
        SKR_TRY (writer_index (making, &dots[i].writer, &pred[i].writer));
        pred[i].seq = dots[i].seq;
        pred[i].index = dots[i].index;
    }
    if (count > 1) {
        qsort (pred, count, sizeof *pred, compare_pred);
    }
    return SAKER_OK;
}

static skr_span_t last_document (const skr_making_t *making)
{
    return skr_span ((const uint8_t *) making->document, making->document_size);
}

/* Nothing where it is that of the operation before: see op.h. */
static skr_span_t named_document (const skr_making_t *making, skr_span_t document)
{
    return skr_span_equal (document, last_document (making)) ? skr_span (NULL, 0) : document;
}

static void keep_document (skr_making_t *making, skr_span_t document)
{
    if (document.size && document.data != (const uint8_t *) making->document) {
        memcpy (making->document, document.data, document.size);
    }
    making->document_size = document.size;
}

static saker_err_t put_op (skr_making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                           const skr_dot_t *dots, size_t count)
{
    skr_pred_t few[8];
    skr_pred_t *pred = count <= 8 ? few : calloc (count, sizeof *pred);
    if (!pred) {
        return no_memory ();
    }
    saker_err_t error = fill_pred (making, dots, count, pred);
    if (error == SAKER_OK) {
        skr_op_put (&making->replica->ops, kind, named_document (making, intent->document),
                    intent->path, pred, count, intent->value);
        error = making->replica->ops.failed ? no_memory () : SAKER_OK;
    }
    if (pred != few) {
        free (pred);
    }
    return error;
}

/* Keeps what was read back. Its document is here, or in the operation before. */
static saker_err_t keep_op (skr_making_t *making, const skr_op_t *op)
{
    if (making->ops_count == making->ops_capacity) {
        size_t capacity = making->ops_capacity ? 2 * making->ops_capacity : 8;
        skr_op_t *ops = realloc (making->ops, capacity * sizeof *ops);
        if (!ops) {
            return no_memory ();
        }
        making->ops = ops;
        making->ops_capacity = capacity;
    }
    bool same = op->document.data == (const uint8_t *) making->document;
    skr_op_t *kept = &making->ops[making->ops_count];
    *kept = *op;
    kept->document = same && making->ops_count ? kept[-1].document : op->document;
    making->moved |= making->ops_count && making->base != making->replica->ops.data;
    making->base = making->replica->ops.data;
    return SAKER_OK;
}

/* What is written is read back as others will read it: this checks document, path and value.
   `ended`: see skr_apply_made; NULL: it is looked for. */
static saker_err_t apply_put (skr_making_t *making, size_t before, const skr_ended_t *ended)
{
    uint32_t index = (uint32_t) making->ops_count;
    skr_buf_t *ops = &making->replica->ops;
    skr_cbor_t cbor;
    skr_op_t op;
    skr_cbor_open (&cbor, skr_span (ops->data + before, ops->size - before));
    skr_op_get (&cbor, &op, making->writers_count, last_document (making));
    SKR_TRY (skr_cbor_close (&cbor));
    SKR_TRY (keep_op (making, &op));
    saker_err_t error =
        ended ? skr_apply_made (&making->applier, &op, index, ended)
              : skr_apply_op (&making->applier, &op, making->writers, making->writers_count, index);
    if (error != SAKER_OK) {
        return skr_replica_spoil (making->replica, error);
    }
    keep_document (making, op.document);
    making->ops_count++;
    return SAKER_OK;
}

static saker_err_t check_room (const skr_making_t *making)
{
    if (making->ops_count == SKR_CHANGE_OPS_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a change holds at most %d operations "
                         "(SKR_CHANGE_OPS_MAX): write less at once",
                         SKR_CHANGE_OPS_MAX);
    }
    if (making->replica->ops.size > SKR_CHANGE_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a change holds at most %d bytes "
                         "(SKR_CHANGE_BYTES_MAX): write less at once",
                         SKR_CHANGE_BYTES_MAX);
    }
    return SAKER_OK;
}

static saker_err_t add (skr_making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                        const skr_dot_t *dots, size_t count, const skr_ended_t *ended)
{
    size_t before = making->replica->ops.size;
    SKR_TRY (check_room (making));
    saker_err_t error = put_op (making, kind, intent, dots, count);
    if (error == SAKER_OK) {
        error = apply_put (making, before, ended);
    }
    if (error != SAKER_OK) {
        making->replica->ops.size = before;
    }
    return error;
}

saker_err_t skr_making_add (skr_making_t *making, skr_op_kind_t kind, const skr_intent_t *intent,
                            const skr_dot_t *dots, size_t count)
{
    return add (making, kind, intent, dots, count, NULL);
}

/* One operation that ends what is seen in its scope; *ended tells whether anything was. */
saker_err_t skr_making_add_seeing (skr_making_t *making, skr_op_kind_t kind,
                                   const skr_intent_t *intent, bool needed, bool *ended)
{
    skr_scope_t *seen = &making->seen;
    SKR_TRY (
        skr_apply_seen (making->cells, kind, intent->document, intent->path, intent->value, seen));
    *ended = seen->count > 0;
    return *ended || !needed
               ? add (making, kind, intent, seen->dots, seen->count, &seen->room.ended)
               : SAKER_OK;
}

/* ---- building the change */

static int compare_ids (const void *one, const void *other)
{
    return skr_id_compare (one, other);
}

static bool ascends (const skr_making_t *making)
{
    for (size_t i = 1; i < making->writers_count; i++) {
        if (skr_id_compare (&making->writers[i - 1], &making->writers[i]) > 0) {
            return false;
        }
    }
    return true;
}

/* Writes one operation with the table's new numbers. */
static saker_err_t renumber_op (const skr_making_t *making, const skr_op_t *op, skr_span_t document,
                                const skr_id_t *sorted, skr_buf_t *ops)
{
    skr_pred_t *pred = NULL;
    size_t count = 0;
    SKR_TRY (skr_op_pred (op, &pred, &count));
    for (size_t i = 0; i < count; i++) {
        const skr_id_t *at = bsearch (&making->writers[pred[i].writer], sorted,
                                      making->writers_count, sizeof *sorted, compare_ids);
        pred[i].writer = (uint32_t) (at - sorted);
    }
    if (count > 1) {
        qsort (pred, count, sizeof *pred, compare_pred);
    }
    skr_op_put (ops, op->kind, document, op->path, pred, count, op->argument);
    free (pred);
    return SAKER_OK;
}

static saker_err_t renumber_all (const skr_making_t *making, const skr_id_t *sorted, skr_buf_t *ops)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&making->replica->ops));
    skr_span_t before = skr_span (NULL, 0);
    for (size_t i = 0; i < making->ops_count; i++) {
        skr_op_t op;
        skr_op_get (&cbor, &op, making->writers_count, before);
        bool same = i > 0 && skr_span_equal (op.document, before);
        SKR_TRY (renumber_op (making, &op, same ? skr_span (NULL, 0) : op.document, sorted, ops));
        before = op.document;
    }
    SKR_TRY (skr_cbor_close (&cbor));
    return ops->failed ? no_memory () : SAKER_OK;
}

static saker_err_t sort_writers (skr_making_t *making)
{
    size_t bytes = making->writers_count * sizeof *making->writers;
    skr_buf_t ops = {0};
    if (ascends (making)) {
        return SAKER_OK;
    }
    skr_id_t *sorted = malloc (bytes);
    if (!sorted) {
        return no_memory ();
    }
    memcpy (sorted, making->writers, bytes);
    qsort (sorted, making->writers_count, sizeof *sorted, compare_ids);
    saker_err_t error = renumber_all (making, sorted, &ops);
    if (error == SAKER_OK) {
        skr_buf_t old = making->replica->ops;
        making->replica->ops = ops;
        ops = old;
        memcpy (making->writers, sorted, bytes);
    }
    skr_buf_free (&ops);
    free (sorted);
    return error;
}

/* What the writer has gained since its previous change here: design 4, deps. */
static saker_err_t gather_deps (const skr_making_t *making, skr_clock_t *deps)
{
    const skr_chain_t *own = skr_held_chain (making->held, &making->change.writer);
    const skr_chains_t *chains = &making->held->chains;
    for (size_t i = 0; i < chains->count; i++) {
        const skr_chain_t *chain = &chains->list[i];
        if (chain != own && (!own || chain->position > own->position)) {
            SKR_TRY (skr_clock_set (deps, &chain->writer, chain->seq));
        }
    }
    return SAKER_OK;
}

static saker_err_t choose_key (skr_making_t *making, skr_draft_t *draft, uint8_t *key_id,
                               uint8_t *key, uint8_t *nonce)
{
    if (skr_change_is_roster (&making->change)) {
        return SAKER_OK;
    }
    randombytes_buf (nonce, SKR_SEAL_NONCE_BYTES);
    draft->key_id = key_id;
    draft->key = key;
    draft->nonce = nonce;
    return skr_keyring_latest (making->replica->keyring, &making->change.collection, key_id, key);
}

static saker_err_t build_from (skr_making_t *making, const skr_clock_t *deps)
{
    static const uint8_t no_hash[SKR_HASH_BYTES];
    uint8_t key_id[SKR_KEY_ID_BYTES], key[SKR_SEAL_KEY_BYTES], nonce[SKR_SEAL_NONCE_BYTES];
    skr_replica_t *replica = making->replica;
    const skr_change_t *change = &making->change;
    const skr_chain_t *own = skr_held_chain (making->held, &change->writer);
    skr_draft_t draft = {.mesh = replica->mesh,
                         .collection = change->collection,
                         .writer = change->writer,
                         .seq = change->seq,
                         .hlc = change->hlc,
                         .prev = own ? own->hash : no_hash,
                         .deps = deps,
                         .content = skr_span_of (&replica->content),
                         .secret = skr_device_secret (replica->device)};
    SKR_TRY (choose_key (making, &draft, key_id, key, nonce));
    skr_buf_clear (&replica->raw);
    saker_err_t error = skr_change_build (&draft, &replica->raw);
    sodium_memzero (key, sizeof key);
    return error;
}

static skr_span_t name_in (const skr_making_t *making, const skr_local_t *local)
{
    bool first = making->change.seq == 1 && local->collection;
    return first ? skr_span_text (local->collection) : skr_span (NULL, 0);
}

/* Leaves the signed change in replica->raw and making->change, its clear content in
   replica->content. */
static saker_err_t build (skr_making_t *making, const skr_local_t *local)
{
    skr_replica_t *replica = making->replica;
    skr_clock_t deps = {0};
    SKR_TRY (sort_writers (making));
    skr_buf_clear (&replica->content);
    skr_content_put (&replica->content, making->writers, making->writers_count,
                     skr_span_of (&replica->ops), making->ops_count, local->operation_id,
                     local->origin, name_in (making, local));
    saker_err_t error = replica->content.failed ? no_memory () : gather_deps (making, &deps);
    if (error == SAKER_OK) {
        error = build_from (making, &deps);
    }
    skr_clock_free (&deps);
    return error != SAKER_OK ? error
                             : skr_change_parse (&making->change, skr_span_of (&replica->raw));
}

static saker_err_t record (skr_making_t *making, const skr_content_t *content)
{
    skr_replica_t *replica = making->replica;
    saker_err_t error = SAKER_OK;
    if (skr_change_is_roster (&making->change)) {
        error = skr_roster_check (replica->roster, &making->change, content);
    }
    return error ? error : skr_admit_record (replica, making->held, &making->change, content);
}

/* The content as others will read it. Where the operations moved, or were written anew, what was
   read back of each does not hold any more. */
static saker_err_t record_content (skr_making_t *making, const skr_local_t *local)
{
    skr_replica_t *replica = making->replica;
    skr_content_t content = {.writers = making->writers,
                             .writers_count = making->writers_count,
                             .ops = making->ops,
                             .ops_count = making->ops_count,
                             .operation_id = local->operation_id,
                             .origin = local->origin,
                             .name = name_in (making, local)};
    if (!making->moved && making->base == replica->ops.data) {
        return record (making, &content);
    }
    SKR_TRY (skr_content_parse (&content, skr_span_of (&replica->content)));
    saker_err_t error = record (making, &content);
    skr_content_free (&content);
    return error;
}

static saker_err_t build_and_record (skr_making_t *making, const skr_local_t *local)
{
    skr_replica_t *replica = making->replica;
    SKR_TRY (build (making, local));
    saker_err_t error = record_content (making, local);
    if (error == SAKER_OK) {
        replica->stats.written++;
        skr_replica_unsent (replica, &making->change.collection, making->change.raw);
    }
    return error;
}

/* ---- beginning and ending */

saker_err_t skr_making_begin (skr_making_t *making, skr_replica_t *replica, const skr_id_t *id)
{
    memset (making, 0, sizeof *making);
    making->replica = replica;
    making->held = skr_holdings_find (replica, id);
    if (!making->held) {
        SKR_TRY (skr_holdings_make (replica, id, &making->held));
    }
    if (making->held->live.sealed) { /* it is about to begin anew: see sealed.h */
        return skr_fail (SAKER_EBUSY, "this device has just got the right to write here, and "
                                      "fetches the collection anew: try again");
    }
    SKR_TRY (skr_holdings_touch (replica, making->held));
    const skr_chain_t *own = skr_held_chain (making->held, &replica->writer);
    making->change.collection = *id;
    making->change.writer = replica->writer;
    making->change.seq = own ? own->seq + 1 : 1;
    making->change.hlc =
        skr_hlc_next (&replica->hlc, replica->world->wall_ms (replica->world->context));
    skr_buf_clear (&replica->ops);
    skr_buf_clear (&replica->undo);
    skr_admit_applier (replica, making->held, &making->change, &making->applier);
    making->cells = making->applier.cells;
    return SAKER_OK;
}

static saker_err_t parse_ops (const skr_making_t *making, skr_op_t *ops)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&making->replica->ops));
    for (size_t i = 0; i < making->ops_count; i++) {
        skr_op_get (&cbor, &ops[i], making->writers_count,
                    i ? ops[i - 1].document : skr_span (NULL, 0));
    }
    return skr_cbor_close (&cbor);
}

/* Takes all operations back. Answers the error that was the reason. */
static saker_err_t take_back (skr_making_t *making, saker_err_t reason)
{
    skr_replica_t *replica = making->replica;
    if (replica->group_error != SAKER_OK || making->ops_count == 0) {
        return reason;
    }
    char *sentence = strdup (skr_error ());
    skr_op_t *ops = calloc (making->ops_count, sizeof *ops);
    saker_err_t error = ops && sentence ? parse_ops (making, ops) : no_memory ();
    if (error == SAKER_OK) {
        error =
            skr_apply_undo (&making->applier, ops, making->ops_count, skr_span_of (&replica->undo));
    }
    error =
        error == SAKER_OK ? skr_fail (reason, "%s", sentence) : skr_replica_spoil (replica, error);
    free (ops);
    free (sentence);
    return error;
}

saker_err_t skr_making_end (skr_making_t *making, const skr_local_t *local, saker_err_t error,
                            saker_receipt_t *receipt)
{
    memcpy (receipt->writer, making->replica->writer.bytes, sizeof receipt->writer);
    if (error == SAKER_OK && making->ops_count > 0) {
        error = build_and_record (making, local);
        receipt->seq = making->change.seq;
    }
    if (error != SAKER_OK) {
        memset (receipt, 0, sizeof *receipt);
        error = take_back (making, error);
    }
    free (making->writers);
    free (making->ops);
    skr_scope_free (&making->seen);
    return error;
}
