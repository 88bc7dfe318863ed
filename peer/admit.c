/* From bytes that somebody sent to a change that is applied, kept waiting, or refused.

     form -> known? -> author -> signature -> role -> order -> chain -> deps -> key -> content

   Of a collection that is only relayed (sealed.h) all but the last two are checked.

   Nothing of the replica changes before the last of these checks. */

#include "crdt/hlc.h"
#include "peer/carrying.h"
#include "peer/fork.h"
#include "peer/history.h"
#include "peer/replica_internal.h"
#include "peer/sealed.h"
#include "peer/toll.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* A change on trial. */
typedef struct trial_t {
    skr_change_t change;
    bool verified;
    skr_outcome_t outcome;
    skr_place_t awaits; /* when it has to wait */
} trial_t;

static const skr_place_t the_roster;

static bool our_trouble (saker_err_t error)
{
    return skr_err_passes (error) || error == SAKER_EDAMAGED;
}

/* ---- verdicts. Each answers SAKER_OK: a change that is wrong is no failure of ours. */

static saker_err_t refuse (skr_replica_t *self, trial_t *trial, uint64_t *reason)
{
    self->stats.refused++;
    (*reason)++;
    trial->outcome = SKR_REFUSED;
    return SAKER_OK;
}

static saker_err_t wait_for (trial_t *trial, const skr_place_t *awaits)
{
    trial->awaits = *awaits;
    trial->outcome = SKR_WAITING;
    return SAKER_OK;
}

static saker_err_t known (skr_replica_t *self, trial_t *trial)
{
    self->stats.repeated++;
    trial->outcome = SKR_KNOWN;
    return SAKER_OK;
}

/* ---- who wrote it */

/* *good is set when the change is signed by the device of its writer. Otherwise the verdict is. */
static saker_err_t check_signature (skr_replica_t *self, trial_t *trial, const skr_member_t *author,
                                    bool *good)
{
    *good = true;
    if (trial->verified) {
        return SAKER_OK;
    }
    saker_err_t error = skr_change_verify (&trial->change, &self->mesh, author->device);
    if (error == SAKER_OK) {
        trial->verified = true;
        return SAKER_OK;
    }
    *good = false;
    return our_trouble (error) ? error : refuse (self, trial, &self->stats.refused_signature);
}

/* design 8: what a member may do is checked on every change, by signature. */
static saker_err_t check_author (skr_replica_t *self, trial_t *trial, bool *good)
{
    const skr_member_t *author = skr_roster_by_writer (self->roster, &trial->change.writer);
    *good = false;
    if (!author) {
        return wait_for (trial, &the_roster);
    }
    SKR_TRY (check_signature (self, trial, author, good));
    uint64_t limit =
        skr_roster_limit (self->roster, &trial->change.writer, &trial->change.collection);
    if (*good && trial->change.seq > limit) {
        *good = false;
        (void) (limit ? skr_fail (SAKER_ERIGHT, "what %s wrote after change %llu is void",
                                  author->name, (unsigned long long) limit)
                      : skr_fail (SAKER_ERIGHT, "%s may not write", author->name));
        return refuse (self, trial, &self->stats.refused_right);
    }
    return SAKER_OK;
}

/* ---- is it the next of its writer */

/* One of the two was made here: then a copy of this store wrote the other, or this store did before
   it was put back. design 5: it must not go on as that writer. */
static saker_err_t note_own_fork (skr_replica_t *self, const trial_t *trial,
                                  const skr_member_t *author)
{
    const skr_held_t *held = skr_holdings_find (self, &trial->change.collection);
    if (!held
        || memcmp (author->device, skr_device_key (self->device), SKR_DEVICE_KEY_BYTES) != 0) {
        return SAKER_OK;
    }
    if (skr_id_equal (&trial->change.writer, &self->writer)) {
        self->doubt = SKR_DOUBT_FORK;
    }
    return skr_fork_note (self, held, &trial->change);
}

/* Somebody with the writer's key made two changes with one seq. */
static saker_err_t fork_found (skr_replica_t *self, trial_t *trial)
{
    char writer[33];
    bool good;
    const skr_member_t *author = skr_roster_by_writer (self->roster, &trial->change.writer);
    if (!author) {
        return wait_for (trial, &the_roster);
    }
    SKR_TRY (check_signature (self, trial, author, &good));
    if (!good) {
        return SAKER_OK;
    }
    if (skr_roster_forked_at (self->roster, &trial->change.writer, &trial->change.collection)) {
        return refuse (self, trial, &self->stats.refused_fork); /* it is settled */
    }
    skr_hex (writer, trial->change.writer.bytes, 16);
    (void) skr_fail (SAKER_EFORGED, "writer %s of %s made two different changes %llu", writer,
                     author->name, (unsigned long long) trial->change.seq);
    if (!skr_id_equal (&self->fork_told, &trial->change.writer)) {
        self->fork_told = trial->change.writer; /* it comes again with each pull */
        skr_log (self->world, SKR_LOG_WARNING, "%s", skr_error ());
    }
    SKR_TRY (note_own_fork (self, trial, author));
    return refuse (self, trial, &self->stats.refused_fork);
}

/* Is it what we have in the log? What is not kept any more, or cannot be read any more, counts as
   the same: it was applied, and must not stand in the way of what is new. */
static saker_err_t same_as_logged (skr_replica_t *self, const skr_held_t *held,
                                   const skr_chain_t *chain, const skr_change_t *change, bool *same)
{
    uint64_t position;
    skr_log_entry_t entry;
    skr_change_t ours;
    *same = true;
    saker_err_t error = skr_log_find (self->store, SKR_GROUP, held->live.no, chain->writer_no,
                                      change->seq, &position);
    if (error == SAKER_OK) {
        error = skr_log_get (self->store, SKR_GROUP, position, &entry);
    }
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    SKR_TRY (skr_change_parse (&ours, entry.change));
    *same = skr_span_equal (ours.body, change->body);
    return SAKER_OK;
}

static saker_err_t compare_known (skr_replica_t *self, const skr_held_t *held,
                                  const skr_chain_t *chain, trial_t *trial)
{
    bool same = true;
    if (trial->change.seq == chain->seq) {
        uint8_t hash[SKR_HASH_BYTES];
        skr_change_hash (&trial->change, hash);
        same = memcmp (hash, chain->hash, sizeof hash) == 0;
    } else {
        SKR_TRY (same_as_logged (self, held, chain, &trial->change, &same));
    }
    return same ? known (self, trial) : fork_found (self, trial);
}

static bool has_gap (const skr_chain_t *chain, const skr_change_t *change, skr_place_t *awaits)
{
    uint64_t next = chain ? chain->seq + 1 : 1;
    if (change->seq == next) {
        return false;
    }
    *awaits = (skr_place_t){change->collection, change->writer, change->seq - 1};
    return true;
}

/* design 8: a dependency on a void change counts as met. */
static bool is_met (const skr_replica_t *self, const skr_held_t *held, const skr_change_t *change,
                    const skr_id_t *writer, uint64_t seq)
{
    uint64_t have = held ? skr_clock_get (&held->live.clock, writer) : 0;
    return have >= seq
           || (skr_roster_by_writer (self->roster, writer)
               && have >= skr_roster_limit (self->roster, writer, &change->collection));
}

/* design 5: its deps are covered by the clock. The first that is not is what it waits for. */
static saker_err_t check_deps (const skr_replica_t *self, skr_held_t *held,
                               const skr_change_t *change, bool *covered, skr_place_t *awaits)
{
    skr_cbor_t cbor;
    *covered = true;
    skr_cbor_open (&cbor, change->deps_raw);
    size_t count = skr_cbor_get_array (&cbor, SKR_CHANGE_DEPS_MAX);
    for (size_t i = 0; i < count && cbor.error == SAKER_OK; i++) {
        skr_id_t writer;
        (void) skr_cbor_get_array (&cbor, 2);
        skr_cbor_get_fixed (&cbor, writer.bytes, sizeof writer.bytes);
        uint64_t seq = skr_cbor_get_uint (&cbor);
        if (held && skr_clock_get (&held->live.clock, &writer) < seq) {
            held->upon_void = true; /* if it is applied at all: see takeback.c */
        }
        if (!is_met (self, held, change, &writer, seq)) {
            *covered = false;
            *awaits = (skr_place_t){change->collection, writer, seq};
            return SAKER_OK;
        }
    }
    return skr_cbor_close (&cbor);
}

/* Order, chain, deps. *good when its turn has come. */
static saker_err_t check_turn (skr_replica_t *self, skr_held_t *held, trial_t *trial, bool *good)
{
    const skr_change_t *change = &trial->change;
    const skr_chain_t *chain = held ? skr_held_chain (held, &change->writer) : NULL;
    skr_place_t awaits;
    *good = false;
    if (has_gap (chain, change, &awaits)) {
        SKR_TRY (trial->verified ? skr_fork_note_more (self, change) : SAKER_OK);
        return wait_for (trial, &awaits);
    }
    if (chain && memcmp (change->prev, chain->hash, SKR_HASH_BYTES) != 0) {
        return fork_found (self, trial);
    }
    SKR_TRY (check_deps (self, held, change, good, &awaits));
    return *good ? SAKER_OK : wait_for (trial, &awaits);
}

/* ---- what it holds */

static bool only_data (const skr_content_t *content)
{
    for (size_t i = 0; i < content->ops_count; i++) {
        if (content->ops[i].kind == SKR_OP_STATEMENT) {
            (void) skr_fail (SAKER_EINPUT, "a roster statement outside the roster");
            return false;
        }
    }
    return true;
}

/* *good when self->content holds the clear content. */
static saker_err_t unseal (skr_replica_t *self, trial_t *trial, bool *good)
{
    uint8_t key[SKR_SEAL_KEY_BYTES];
    const skr_change_t *change = &trial->change;
    *good = false;
    saker_err_t error = skr_keyring_find (self->keyring, &change->collection, change->key_id, key);
    if (error == SAKER_ENOTFOUND) {
        return wait_for (trial, &the_roster);
    }
    SKR_TRY (error);
    skr_buf_clear (&self->content);
    error = skr_change_unseal (change, key, &self->content);
    sodium_memzero (key, sizeof key);
    if (error == SAKER_EFORGED) {
        return refuse (self, trial, &self->stats.refused_key);
    }
    *good = error == SAKER_OK;
    return error;
}

/* Is it more than its author may state by now? Who is about to join takes the roster as it gets it,
   and what is our own comes back as it was. */
static bool is_too_much (const skr_replica_t *self, const skr_change_t *change,
                         const skr_content_t *content)
{
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint64_t cost, wall_ms = self->world->wall_ms (self->world->context);
    return skr_replica_self (self) && skr_toll_of (self->roster, change, content, device, &cost)
           && memcmp (device, skr_device_key (self->device), sizeof device) != 0
           && skr_toll_wait_ms (self->roster, device, cost, wall_ms) > 0;
}

static saker_err_t check_roster (skr_replica_t *self, trial_t *trial, const skr_content_t *content,
                                 bool *good)
{
    saker_err_t error = skr_roster_check (self->roster, &trial->change, content);
    if (error == SAKER_OK && is_too_much (self, &trial->change, content)) {
        *good = false; /* it comes again when somebody is asked for what is missing */
        return refuse (self, trial, &self->stats.delayed);
    }
    *good = error == SAKER_OK;
    switch (error) {
    case SAKER_OK:
        return SAKER_OK;
    case SAKER_EWAIT:
        return wait_for (trial, &the_roster);
    case SAKER_EFORGED:
        return refuse (self, trial, &self->stats.refused_signature);
    case SAKER_ERIGHT:
    case SAKER_ELIMIT:
        return refuse (self, trial, &self->stats.refused_right);
    default:
        return our_trouble (error) ? error : refuse (self, trial, &self->stats.refused_form);
    }
}

/* ---- applying */

void skr_admit_applier (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                        skr_applier_t *applier)
{
    *applier = (skr_applier_t){.cells = skr_cells_store_group (self->cells, &held->live),
                               .collection = change->collection,
                               .writer = change->writer,
                               .seq = change->seq,
                               .hlc = change->hlc,
                               .undo = &self->undo,
                               .room = &self->room,
                               .carries = skr_part_holds,
                               .part = &held->partial.carried};
}

static saker_err_t append_log (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                               skr_chain_t *chain)
{
    const skr_chain_t *before = skr_held_chain (held, &change->writer);
    skr_log_entry_t entry = {
        .collection_no = held->live.no, .change = change->raw, .undo = skr_span_of (&self->undo)};
    chain->writer = change->writer;
    chain->seq = change->seq;
    skr_change_hash (change, chain->hash);
    if (before) {
        chain->writer_no = before->writer_no;
    } else {
        SKR_TRY (skr_store_writer_no (self->store, SKR_GROUP, &change->writer, &chain->writer_no));
    }
    SKR_TRY (skr_log_append (self->store, chain->writer_no, change->seq, &entry));
    chain->position = entry.position;
    held->live.log_bytes += skr_log_bytes (&entry);
    return SAKER_OK;
}

/* A name is believed only when it hashes to the id: nobody can name another's collection. */
static void learn_name (const skr_replica_t *self, skr_held_t *held, skr_span_t name)
{
    char text[SKR_COLLECTION_BYTES_MAX + 1] = {0};
    skr_id_t id;
    if (name.size == 0 || name.size > SKR_COLLECTION_BYTES_MAX || held->live.name[0]) {
        return;
    }
    memcpy (text, name.data, name.size);
    skr_replica_collection_id (self, text, &id);
    if (strlen (text) == name.size && skr_id_equal (&id, &held->live.id)
        && skr_collection_name_check (text) == SAKER_OK) {
        memcpy (held->live.name, text, sizeof text);
    }
}

static saker_err_t extend_roster (skr_replica_t *self, const skr_change_t *change,
                                  const skr_content_t *content)
{
    self->roster_moved = true;
    for (size_t i = 0; i < content->ops_count; i++) {
        const skr_dot_t dot = {change->writer, change->seq, (uint32_t) i};
        SKR_TRY (skr_roster_keep (self->roster, &dot, change->hlc, content->ops[i].argument));
    }
    SKR_TRY (skr_roster_settle (self->roster));
    SKR_TRY (skr_keyring_update (self->keyring, self->roster, self->device));
    self->roster_version++;
    skr_waiting_wake (self->waiting, &the_roster);
    return SAKER_OK;
}

static saker_err_t record (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                           const skr_content_t *content)
{
    skr_chain_t chain = {.seq = 0};
    SKR_TRY (append_log (self, held, change, &chain));
    if (content && !skr_change_is_roster (change)) {
        SKR_TRY (skr_history_append (self, held->live.no, chain.position, content));
    }
    if (skr_id_equal (&chain.writer, &self->writer)
        && chain.seq <= skr_carrying_own (self, &change->collection)) {
        chain.position = 0; /* it came back, in another order: our next change names all as deps */
    }
    SKR_TRY (skr_held_advance (held, &chain));
    if (content) {
        learn_name (self, held, content->name);
    }
    if (skr_change_is_roster (change)) {
        SKR_TRY (extend_roster (self, change, content));
    }
    self->stats.applied++;
    return SAKER_OK;
}

saker_err_t skr_admit_record (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                              const skr_content_t *content)
{
    const skr_place_t place = {change->collection, change->writer, change->seq};
    saker_err_t error = record (self, held, change, content);
    if (error != SAKER_OK) {
        return skr_replica_spoil (self, error);
    }
    skr_waiting_remove (self->waiting, &place);
    skr_waiting_wake (self->waiting, &place);
    return SAKER_OK;
}

/* Operation by operation, so that a content that cannot be applied leaves nothing behind. *good
   when all are. */
static saker_err_t apply_ops (skr_replica_t *self, skr_held_t *held, trial_t *trial,
                              const skr_content_t *content, bool *good)
{
    skr_applier_t applier;
    saker_err_t error = SAKER_OK;
    size_t done = 0;
    skr_buf_clear (&self->undo);
    skr_admit_applier (self, held, &trial->change, &applier);
    while (error == SAKER_OK && done < content->ops_count) {
        error = skr_apply_op (&applier, &content->ops[done], content->writers,
                              content->writers_count, (uint32_t) done);
        done += error == SAKER_OK;
    }
    *good = error == SAKER_OK;
    if (*good) {
        return SAKER_OK;
    }
    if (error != SAKER_EINPUT && error != SAKER_ETYPE) {
        return skr_replica_spoil (self, error);
    }
    error = skr_apply_undo (&applier, content->ops, done, skr_span_of (&self->undo));
    return error != SAKER_OK ? skr_replica_spoil (self, error)
                             : refuse (self, trial, &self->stats.refused_form);
}

/* The collection to apply it to, touched; *good unless there are too many. */
static saker_err_t find_place (skr_replica_t *self, trial_t *trial, skr_held_t **held, bool *good)
{
    saker_err_t error = SAKER_OK;
    *held = skr_holdings_find (self, &trial->change.collection);
    if (!*held) {
        error = skr_holdings_make (self, &trial->change.collection, held);
    }
    *good = error != SAKER_ELIMIT;
    if (!*good) {
        return refuse (self, trial, &self->stats.refused_right);
    }
    return error == SAKER_OK ? skr_holdings_touch (self, *held) : error;
}

static void note_applied (skr_replica_t *self, trial_t *trial)
{
    uint64_t wall_ms = self->world->wall_ms (self->world->context);
    if (!skr_hlc_seen (&self->hlc, trial->change.hlc, wall_ms)) {
        self->stats.future++; /* design 3: applied, but it does not pull our clock */
    }
    trial->outcome = SKR_APPLIED;
}

/* Everything that may be refused was checked, but for the number of collections. */
static saker_err_t apply (skr_replica_t *self, trial_t *trial, const skr_content_t *content)
{
    skr_held_t *held;
    bool good;
    SKR_TRY (find_place (self, trial, &held, &good));
    if (good) {
        SKR_TRY (apply_ops (self, held, trial, content, &good));
    }
    if (!good) {
        return SAKER_OK;
    }
    SKR_TRY (skr_admit_record (self, held, &trial->change, content));
    SKR_TRY (skr_write_recall (self, &trial->change, content));
    note_applied (self, trial);
    return SAKER_OK;
}

static saker_err_t keep_sealed (skr_replica_t *self, trial_t *trial)
{
    skr_held_t *held;
    bool good;
    SKR_TRY (find_place (self, trial, &held, &good));
    if (good) {
        skr_buf_clear (&self->undo);
        SKR_TRY (skr_admit_record (self, held, &trial->change, NULL));
        note_applied (self, trial);
    }
    return SAKER_OK;
}

static saker_err_t try_content (skr_replica_t *self, trial_t *trial, skr_span_t clear)
{
    skr_content_t content;
    bool good = true;
    saker_err_t error = skr_content_parse (&content, clear);
    if (error != SAKER_OK) {
        return our_trouble (error) ? error : refuse (self, trial, &self->stats.refused_form);
    }
    if (skr_change_is_roster (&trial->change)) {
        error = check_roster (self, trial, &content, &good);
    } else if (!only_data (&content)) {
        good = false;
        error = refuse (self, trial, &self->stats.refused_form);
    }
    if (error == SAKER_OK && good) {
        error = apply (self, trial, &content);
    }
    skr_content_free (&content);
    return error;
}

/* ---- trying */

static saker_err_t try_data (skr_replica_t *self, skr_held_t *held, trial_t *trial)
{
    bool good;
    if (!skr_carrying_takes (self, &trial->change.collection)) {
        self->stats.outside++;
        return SAKER_OK; /* nobody here asked for it */
    }
    SKR_TRY (check_author (self, trial, &good));
    if (good) {
        SKR_TRY (check_turn (self, held, trial, &good));
    }
    if (good && (held ? held->live.sealed : skr_sealed_due (self, &trial->change.collection))) {
        return keep_sealed (self, trial);
    }
    if (good) {
        SKR_TRY (unseal (self, trial, &good));
    }
    return good ? try_content (self, trial, skr_span_of (&self->content)) : SAKER_OK;
}

/* The author of a roster change may be introduced by the change itself, so the signature is checked
   with the content, when its turn has come. */
static saker_err_t try_roster (skr_replica_t *self, skr_held_t *held, trial_t *trial)
{
    bool good;
    SKR_TRY (check_turn (self, held, trial, &good));
    return good ? try_content (self, trial, trial->change.sealed) : SAKER_OK;
}

static saker_err_t try_new (skr_replica_t *self, skr_held_t *held, trial_t *trial)
{
    SKR_TRY (skr_change_is_roster (&trial->change) ? try_roster (self, held, trial)
                                                   : try_data (self, held, trial));
    bool signed_by_us =
        trial->outcome == SKR_APPLIED || (trial->outcome == SKR_WAITING && trial->verified);
    if (signed_by_us && skr_id_equal (&trial->change.writer, &self->writer)
        && trial->change.seq > skr_carrying_own (self, &trial->change.collection)
        && self->doubt == SKR_DOUBT_NONE) {
        /* What others have of a writer it has itself; so this is not the only store that is it. */
        self->doubt = SKR_DOUBT_AHEAD;
    }
    return SAKER_OK;
}

static saker_err_t try_change (skr_replica_t *self, trial_t *trial)
{
    const skr_change_t *change = &trial->change;
    skr_held_t *held = skr_holdings_find (self, &change->collection);
    const skr_chain_t *chain = held ? skr_held_chain (held, &change->writer) : NULL;
    if (chain && change->seq <= chain->seq) {
        return compare_known (self, held, chain, trial);
    }
    return try_new (self, held, trial);
}

/* ---- waiting */

/* A change whose signature could not be checked yet does not keep another out of its place. */
static saker_err_t keep_waiting (skr_replica_t *self, const trial_t *trial)
{
    const skr_change_t *change = &trial->change;
    const skr_place_t place = {change->collection, change->writer, change->seq};
    const skr_waiter_t *there = skr_waiting_find (self->waiting, &place);
    if (there
        && (there->verified
            || skr_span_equal (skr_span (there->change, there->size), change->raw))) {
        self->stats.repeated++;
        return SAKER_OK;
    }
    skr_waiting_remove (self->waiting, &place);
    return skr_waiting_add (self->waiting, &place, &trial->awaits, change->raw, trial->verified,
                            &self->stats.dropped);
}

saker_err_t skr_admit_is_due (skr_replica_t *self, skr_held_t *held, const skr_change_t *change,
                              bool *due)
{
    const skr_chain_t *chain = skr_held_chain (held, &change->writer);
    skr_place_t awaits;
    *due = false;
    return has_gap (chain, change, &awaits) ? SAKER_OK
                                            : check_deps (self, held, change, due, &awaits);
}

saker_err_t skr_admit_wait (skr_replica_t *self, const skr_change_t *change)
{
    const trial_t trial = {.change = *change, .verified = true, .awaits = the_roster};
    return keep_waiting (self, &trial);
}

static saker_err_t try_waiter (skr_replica_t *self, skr_waiter_t **waiter_p)
{
    trial_t trial = {.verified = (*waiter_p)->verified, .outcome = SKR_REFUSED};
    SKR_TRY (skr_change_parse (&trial.change, skr_span ((*waiter_p)->change, (*waiter_p)->size)));
    SKR_TRY (try_change (self, &trial));
    if (trial.outcome == SKR_WAITING) {
        (*waiter_p)->verified = trial.verified;
        skr_waiting_return (self->waiting, waiter_p, &trial.awaits);
    }
    return SAKER_OK;
}

static saker_err_t try_ready (skr_replica_t *self)
{
    skr_waiter_t *waiter;
    while ((waiter = skr_waiting_take (self->waiting))) {
        saker_err_t error = try_waiter (self, &waiter);
        free (waiter);
        SKR_TRY (error);
    }
    return SAKER_OK;
}

saker_err_t skr_admit_ready (skr_replica_t *self)
{
    SKR_TRY (try_ready (self));
    if (self->closings == skr_roster_closings (self->roster)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_replica_enforce (self));
    skr_waiting_wake_all (self->waiting); /* what they waited for may be void */
    return try_ready (self);
}

saker_err_t skr_replica_offer (skr_replica_t *self, skr_span_t bytes, skr_outcome_t *outcome)
{
    trial_t trial = {.outcome = SKR_REFUSED};
    *outcome = SKR_REFUSED;
    SKR_TRY (skr_replica_check_group (self));
    saker_err_t error = skr_change_parse (&trial.change, bytes);
    if (error != SAKER_OK) {
        return our_trouble (error) ? error : refuse (self, &trial, &self->stats.refused_form);
    }
    SKR_TRY (try_change (self, &trial));
    *outcome = trial.outcome;
    if (trial.outcome == SKR_WAITING) {
        SKR_TRY (keep_waiting (self, &trial));
    }
    SKR_TRY (skr_admit_ready (self));
    /* design 5: before anything more is written */
    return self->doubt == SKR_DOUBT_NONE ? SAKER_OK : skr_incarnation_renew (self, self->doubt);
}
