#include "peer/reissue.h"

#include "crdt/hlc.h"
#include "peer/fork.h"
#include "peer/making.h"
#include "peer/receipts.h"

#include <stdlib.h>
#include <string.h>

/* One change that is void. */
typedef struct lost_t {
    skr_id_t collection, writer;
    uint64_t seq, hlc;
    size_t at, size; /* in the buffer */
    uint64_t again;  /* its seq by the new writer; 0: it has none */
} lost_t;

typedef struct reissuing_t {
    skr_replica_t *replica;
    skr_buf_t raw; /* the changes */
    lost_t *list;  /* in the order in which they were written */
    size_t count, capacity;
    lost_t **index; /* the same by collection, writer, seq */
    uint64_t issued;
    bool taken_over; /* a branch that another store wrote */
    bool vouched;    /* some is of a device whose right this one took */
    skr_buf_t clear;
} reissuing_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* ---- what was lost */

static saker_err_t add_lost (reissuing_t *self, const skr_change_t *change)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 64;
        lost_t *list = realloc (self->list, capacity * sizeof *list);
        if (!list) {
            return no_memory ();
        }
        self->list = list;
        self->capacity = capacity;
    }
    self->list[self->count++] = (lost_t){.collection = change->collection,
                                         .writer = change->writer,
                                         .seq = change->seq,
                                         .hlc = change->hlc,
                                         .at = self->raw.size,
                                         .size = change->raw.size};
    skr_buf_append_span (&self->raw, change->raw);
    return self->raw.failed ? no_memory () : SAKER_OK;
}

/* Also in what this device has left: it is handed on before it is dropped. */
static bool may_write (const skr_replica_t *self, const skr_id_t *collection)
{
    return skr_replica_role (self, collection) >= SKR_ROLE_WRITE;
}

/* Of a fork: unless the store that settled it issues our branch, too. */
static saker_err_t is_branch_due (skr_replica_t *self, const skr_change_t *change, bool *due)
{
    uint8_t key[SKR_VOID_KEY_BYTES], hash[SKR_HASH_BYTES];
    skr_span_t raw;
    skr_change_t first;
    uint64_t forked = skr_roster_forked_at (self->roster, &change->writer, &change->collection);
    *due = false;
    if (!forked || forked > change->seq) {
        return SAKER_OK;
    }
    *due = true;
    skr_void_key (&change->collection, &change->writer, forked, key);
    saker_err_t error =
        skr_store_get (self->store, SKR_GROUP, SKR_VOID, skr_span (key, sizeof key), &raw);
    if (error != SAKER_OK || raw.size == 0) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    SKR_TRY (skr_change_parse (&first, raw));
    skr_change_hash (&first, hash);
    *due =
        !skr_roster_adopts (self->roster, &change->collection, &change->writer, change->seq, hash);
    return SAKER_OK;
}

saker_err_t skr_reissue_is_ours (skr_replica_t *self, const skr_id_t *writer,
                                 const skr_id_t *collection, uint64_t seq, bool *ours)
{
    const skr_member_t *voucher = skr_roster_voucher (self->roster, writer, collection, seq);
    if (voucher) {
        *ours = memcmp (voucher->device, skr_device_key (self->device), SKR_DEVICE_KEY_BYTES) == 0;
        return SAKER_OK;
    }
    SKR_TRY (skr_incarnation_earlier (self, writer, ours));
    *ours &= skr_roster_fence_closes (self->roster, writer, collection, seq);
    return SAKER_OK;
}

/* What a right that was taken made void is not ours to say again. */
static saker_err_t collect (skr_span_t key, skr_span_t value, void *argument)
{
    reissuing_t *self = argument;
    skr_change_t change;
    bool ours, due;
    (void) key;
    if (value.size == 0) {
        return SAKER_OK; /* it was */
    }
    SKR_TRY (skr_change_parse (&change, value));
    SKR_TRY (
        skr_reissue_is_ours (self->replica, &change.writer, &change.collection, change.seq, &ours));
    SKR_TRY (is_branch_due (self->replica, &change, &due));
    self->vouched |= ours && !skr_replica_is_own (self->replica, &change.writer);
    due |= ours;
    return due && may_write (self->replica, &change.collection) ? add_lost (self, &change)
                                                                : SAKER_OK;
}

static int compare_lost (const void *one, const void *other)
{
    const lost_t *a = one, *b = other;
    if (a->hlc != b->hlc) {
        return a->hlc < b->hlc ? -1 : 1;
    }
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* ---- one change again */

static int compare_places (const lost_t *a, const lost_t *b)
{
    int order = skr_id_compare (&a->collection, &b->collection);
    order = order ? order : skr_id_compare (&a->writer, &b->writer);
    return order ? order : a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int compare_indexed (const void *one, const void *other)
{
    return compare_places (*(lost_t *const *) one, *(lost_t *const *) other);
}

/* The last of our lost changes that a dot of pred reaches to, and that was issued again. */
static const lost_t *reached (const reissuing_t *self, const skr_id_t *collection,
                              const skr_id_t *writer, uint64_t seq)
{
    const lost_t wanted = {.collection = *collection, .writer = *writer, .seq = seq};
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_places (self->index[middle], &wanted) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low-- > 0) {
        const lost_t *lost = self->index[low];
        if (!skr_id_equal (&lost->writer, writer)
            || !skr_id_equal (&lost->collection, collection)) {
            return NULL;
        }
        if (lost->again) {
            return lost;
        }
    }
    return NULL;
}

/* What it ended then, and of our own what that has become. One dot a writer (crdt/op.h). */
static saker_err_t seen_then (const reissuing_t *self, const skr_id_t *collection,
                              const skr_content_t *content, const skr_op_t *op, skr_dot_t **dots,
                              size_t *count)
{
    skr_pred_t *pred = NULL;
    size_t preds;
    skr_dot_t again = {.writer = self->replica->writer};
    SKR_TRY (skr_op_pred (op, &pred, &preds));
    *dots = calloc (preds + 1, sizeof **dots);
    for (*count = 0; *dots && *count < preds; ++*count) {
        const skr_pred_t *one = &pred[*count];
        const skr_id_t *writer = &content->writers[one->writer];
        const lost_t *lost = reached (self, collection, writer, one->seq);
        (*dots)[*count] = (skr_dot_t){*writer, one->seq, one->index};
        if (lost && lost->again > again.seq) {
            again.seq = lost->again;
            again.index = lost->seq == one->seq ? one->index : SKR_CHANGE_OPS_MAX - 1;
        }
    }
    free (pred);
    if (!*dots) {
        return no_memory ();
    }
    if (again.seq) {
        (*dots)[(*count)++] = again;
    }
    return SAKER_OK;
}

static saker_err_t add_op (const reissuing_t *self, skr_making_t *making,
                           const skr_content_t *content, const skr_op_t *op)
{
    skr_dot_t *dots;
    size_t count;
    const skr_intent_t intent = {.document = op->document, .path = op->path, .value = op->argument};
    SKR_TRY (seen_then (self, &making->change.collection, content, op, &dots, &count));
    saker_err_t error = skr_making_add (making, op->kind, &intent, dots, count);
    free (dots);
    return error;
}

static saker_err_t keep_receipt (skr_replica_t *self, const lost_t *lost,
                                 const skr_content_t *content, const saker_receipt_t *receipt)
{
    uint8_t key[SKR_RECEIPT_KEY_BYTES];
    if (content->operation_id.size == 0) {
        return SAKER_OK;
    }
    skr_receipt_key (&lost->collection, content->operation_id, key);
    return skr_receipt_keep (self, key, &lost->collection, receipt);
}

/* It keeps the time at which it was written, so what was written since is later. */
static saker_err_t make_again (reissuing_t *self, lost_t *lost, const skr_content_t *content)
{
    skr_making_t making;
    saker_receipt_t receipt = {.seq = 0};
    saker_err_t error = SAKER_OK;
    SKR_TRY (skr_making_begin (&making, self->replica, &lost->collection));
    const skr_local_t local = {.collection = making.held->live.name,
                               .operation_id = content->operation_id,
                               .origin = content->origin};
    making.change.hlc = making.applier.hlc = lost->hlc;
    for (size_t i = 0; i < content->ops_count && error == SAKER_OK; i++) {
        error = add_op (self, &making, content, &content->ops[i]);
    }
    SKR_TRY (skr_making_end (&making, &local, error, &receipt));
    lost->again = receipt.seq;
    return keep_receipt (self->replica, lost, content, &receipt);
}

static saker_err_t note_done (skr_replica_t *self, const lost_t *lost)
{
    uint8_t key[SKR_VOID_KEY_BYTES];
    skr_void_key (&lost->collection, &lost->writer, lost->seq, key);
    return skr_store_put (self->store, SKR_VOID, skr_span (key, sizeof key), skr_span (NULL, 0));
}

/* One that does not fit any more, or cannot be read, stays where it is kept. What is taken over is
   kept nowhere else. */
static saker_err_t issue_again (reissuing_t *self, lost_t *lost)
{
    skr_replica_t *replica = self->replica;
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (skr_change_parse (&change, skr_span (self->raw.data + lost->at, lost->size)));
    saker_err_t error = skr_replica_content (replica, &change, &self->clear, &content);
    if (error == SAKER_OK) {
        error = make_again (self, lost, &content);
        skr_content_free (&content);
    }
    if (error == SAKER_OK) {
        self->issued++;
        return self->taken_over ? SAKER_OK : note_done (replica, lost);
    }
    if (replica->group_error != SAKER_OK || error == SAKER_ENOMEM || self->taken_over) {
        return error;
    }
    skr_log (replica->world, SKR_LOG_WARNING,
             "a change that became void cannot be issued again, and is kept aside: %s",
             skr_error ());
    return SAKER_OK;
}

static saker_err_t issue_all (reissuing_t *self)
{
    if (self->count == 0) {
        return SAKER_OK;
    }
    qsort (self->list, self->count, sizeof *self->list, compare_lost);
    self->index = calloc (self->count, sizeof *self->index);
    if (!self->index) {
        return no_memory ();
    }
    for (size_t i = 0; i < self->count; i++) {
        self->index[i] = &self->list[i];
    }
    qsort (self->index, self->count, sizeof *self->index, compare_indexed);
    for (size_t i = 0; i < self->count; i++) {
        SKR_TRY (issue_again (self, &self->list[i]));
    }
    return SAKER_OK;
}

/* A fresh writer for what comes again: its times are those of then, and ascend. */
static saker_err_t collect_and_issue (reissuing_t *self, bool fenced)
{
    skr_span_t all = skr_span (NULL, 0);
    if (fenced) {
        SKR_TRY (skr_incarnation_renew (self->replica, SKR_DOUBT_FENCED));
    }
    SKR_TRY (skr_store_scan (self->replica->store, SKR_GROUP, SKR_VOID, all, all, collect, self));
    if (self->count > 0 && !fenced) {
        SKR_TRY (skr_incarnation_renew (self->replica,
                                        self->vouched ? SKR_DOUBT_VOUCHED : SKR_DOUBT_FORK));
    }
    return issue_all (self);
}

static saker_err_t end (reissuing_t *self, saker_err_t error)
{
    if (error == SAKER_OK && self->issued > 0) {
        skr_log (
            self->replica->world, SKR_LOG_WARNING,
            "%llu changes that %s, and that became void, are issued again; what others wrote since "
            "is kept beside them: see saker conflicts",
            (unsigned long long) self->issued,
            self->vouched ? "were here when this device took the right to write from another"
                          : "this device wrote");
    }
    free (self->index);
    free (self->list);
    skr_buf_free (&self->raw);
    skr_buf_wipe (&self->clear);
    return skr_wrap (error, "issue again what became void");
}

saker_err_t skr_return (skr_replica_t *self)
{
    reissuing_t reissuing = {.replica = self};
    const skr_member_t *own = skr_replica_self (self);
    bool fenced = skr_roster_writer_is_fenced (self->roster, &self->writer);
    if (self->returning || !own || own->role == SKR_ROLE_NONE) {
        return SAKER_OK;
    }
    self->returning = true; /* the roster changes of it are enforced within it */
    saker_err_t error = collect_and_issue (&reissuing, fenced);
    self->returning = false;
    return end (&reissuing, error);
}

static saker_err_t collect_branch (reissuing_t *self, const skr_fork_settled_t *settled)
{
    const skr_fork_t fork = {.collection = settled->collection, .writer = settled->writer};
    for (uint64_t seq = settled->seq; seq <= settled->upto; seq++) {
        skr_span_t raw;
        skr_change_t change;
        SKR_TRY (skr_fork_other (self->replica, &fork, seq, &raw));
        SKR_TRY (skr_change_parse (&change, raw));
        SKR_TRY (add_lost (self, &change));
    }
    return SAKER_OK;
}

saker_err_t skr_reissue_branch (skr_replica_t *self, const skr_fork_settled_t *settled)
{
    reissuing_t reissuing = {.replica = self, .taken_over = true};
    if (!may_write (self, &settled->collection)) {
        return SAKER_OK;
    }
    saker_err_t error = collect_branch (&reissuing, settled);
    if (error == SAKER_OK) {
        error = skr_incarnation_renew (self, SKR_DOUBT_FORK);
    }
    return end (&reissuing, error == SAKER_OK ? issue_all (&reissuing) : error);
}
