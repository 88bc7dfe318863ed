/* Records in SKR_META:

     "fork"   collection 16, writer 16          -> seq u64, the other change
     "other"  collection 16, writer 16, seq u64 -> a change of the other branch */

#include "peer/fork.h"

#include "peer/cut.h"

#include <string.h>

#define FORK_KEY "fork"
#define FORK_KEY_BYTES (4 + 16 + 16)
#define OTHER_KEY "other"
#define OTHER_PREFIX_BYTES (5 + 16 + 16)
#define OTHER_KEY_BYTES (OTHER_PREFIX_BYTES + 8)

static skr_span_t fork_key (uint8_t key[FORK_KEY_BYTES], const skr_id_t *collection,
                            const skr_id_t *writer)
{
    memcpy (key, FORK_KEY, 4);
    memcpy (key + 4, collection->bytes, 16);
    memcpy (key + 20, writer->bytes, 16);
    return skr_span (key, FORK_KEY_BYTES);
}

static skr_span_t other_key (uint8_t key[OTHER_KEY_BYTES], const skr_id_t *collection,
                             const skr_id_t *writer, uint64_t seq)
{
    memcpy (key, OTHER_KEY, 5);
    memcpy (key + 5, collection->bytes, 16);
    memcpy (key + 21, writer->bytes, 16);
    skr_put_u64 (key + 37, seq);
    return skr_span (key, OTHER_KEY_BYTES);
}

static skr_sight_t sight_of (const skr_replica_t *self)
{
    return skr_replica_in_group (self) ? SKR_GROUP : SKR_COMMITTED;
}

/* ---- noting */

/* *seq: from where on the fork is known; 0: it is not. */
static saker_err_t find_fork (skr_replica_t *self, skr_span_t key, uint64_t *seq)
{
    skr_span_t record;
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_META, key, &record);
    *seq = error == SAKER_OK && record.size >= 8 ? skr_get_u64 (record.data) : 0;
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t put_fork (skr_replica_t *self, skr_span_t key, uint64_t seq, skr_span_t change)
{
    uint8_t head[8];
    skr_buf_t record = {0};
    skr_put_u64 (head, seq);
    skr_buf_append (&record, head, sizeof head);
    skr_buf_append_span (&record, change);
    saker_err_t error = record.failed
                            ? skr_fail (SAKER_ENOMEM, "out of memory")
                            : skr_store_put (self->store, SKR_META, key, skr_span_of (&record));
    skr_buf_free (&record);
    return error;
}

static saker_err_t keep_other (skr_replica_t *self, const skr_change_t *change, uint64_t forked)
{
    uint8_t bytes[OTHER_KEY_BYTES];
    skr_span_t known, key = other_key (bytes, &change->collection, &change->writer, change->seq);
    if (change->seq >= forked + SKR_FORK_OTHERS_MAX) {
        return SAKER_OK;
    }
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_META, key, &known);
    return error == SAKER_ENOTFOUND ? skr_store_put (self->store, SKR_META, key, change->raw)
                                    : error;
}

/* What was stated in the roster in two ways cannot be told apart by a roster. */
static void tell (const skr_replica_t *self, const skr_held_t *held, uint64_t seq)
{
    bool roster = skr_id_is_zero (&held->live.id);
    skr_log (self->world, SKR_LOG_WARNING,
             "%s: this device wrote change %llu twice, in two stores: %s",
             held->live.name[0] ? held->live.name : "a collection", (unsigned long long) seq,
             roster ? "that is not settled by itself: let an admin revoke it, and join anew"
                    : "it is settled once it is known where the two part");
}

saker_err_t skr_fork_note (skr_replica_t *self, const skr_held_t *held, const skr_change_t *change)
{
    uint8_t bytes[FORK_KEY_BYTES];
    uint64_t noted;
    const skr_chain_t *chain = skr_held_chain (held, &change->writer);
    skr_span_t key = fork_key (bytes, &held->live.id, &change->writer);
    if (!chain) {
        return SAKER_OK;
    }
    uint64_t seq = change->seq < chain->seq ? change->seq : chain->seq;
    SKR_TRY (find_fork (self, key, &noted));
    if (!noted) {
        tell (self, held, seq);
    }
    self->forked = true;
    saker_err_t error = keep_other (self, change, seq);
    if (error == SAKER_OK && (!noted || change->seq <= noted)) {
        error = put_fork (self, key, seq, change->raw);
    }
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}

saker_err_t skr_fork_note_more (skr_replica_t *self, const skr_change_t *change)
{
    uint8_t key[FORK_KEY_BYTES];
    uint64_t noted;
    if (!self->forked || !skr_replica_is_own (self, &change->writer)) {
        return SAKER_OK;
    }
    SKR_TRY (find_fork (self, fork_key (key, &change->collection, &change->writer), &noted));
    saker_err_t error = noted ? keep_other (self, change, noted) : SAKER_OK;
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}

/* ---- telling */

typedef struct visiting_t {
    skr_fork_fn *visit;
    void *argument;
} visiting_t;

static saker_err_t visit_fork (skr_span_t key, skr_span_t value, void *argument)
{
    const visiting_t *visiting = argument;
    skr_fork_t fork = {.seq = 0};
    if (key.size != FORK_KEY_BYTES || value.size < 8) {
        return skr_fail (SAKER_EDAMAGED, "the record of a fork is not in form");
    }
    memcpy (fork.collection.bytes, key.data + 4, 16);
    memcpy (fork.writer.bytes, key.data + 20, 16);
    fork.seq = skr_get_u64 (value.data);
    fork.other = skr_span (value.data + 8, value.size - 8);
    return visiting->visit (&fork, visiting->argument);
}

saker_err_t skr_fork_each (skr_replica_t *self, skr_fork_fn *visit, void *argument)
{
    visiting_t visiting = {.visit = visit, .argument = argument};
    skr_span_t prefix = skr_span_text (FORK_KEY);
    return skr_store_scan (self->store, sight_of (self), SKR_META, prefix, prefix, visit_fork,
                           &visiting);
}

static saker_err_t count_one (skr_span_t key, skr_span_t value, void *argument)
{
    (void) key, (void) value;
    ++*(uint64_t *) argument;
    return SAKER_OK;
}

saker_err_t skr_fork_count (skr_replica_t *self, uint64_t *forks, uint64_t *others)
{
    skr_span_t fork = skr_span_text (FORK_KEY), other = skr_span_text (OTHER_KEY);
    *forks = *others = 0;
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_META, fork, fork, count_one, forks));
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, other, other, count_one, others);
}

/* ---- where the branches part */

static saker_err_t find_ours (skr_replica_t *self, const skr_fork_t *fork, skr_change_t *ours)
{
    const skr_held_t *held = skr_holdings_find (self, &fork->collection);
    const skr_chain_t *chain = held ? skr_held_chain (held, &fork->writer) : NULL;
    uint64_t position;
    skr_log_entry_t entry;
    if (!chain || chain->seq < fork->seq) {
        return SAKER_ENOTFOUND;
    }
    saker_err_t error = skr_log_find (self->store, sight_of (self), held->live.no, chain->writer_no,
                                      fork->seq, &position);
    if (error == SAKER_OK) {
        error = skr_log_get (self->store, sight_of (self), position, &entry);
    }
    return error == SAKER_OK ? skr_change_parse (ours, entry.change) : error;
}

saker_err_t skr_fork_parts (skr_replica_t *self, const skr_fork_t *fork, bool *known)
{
    skr_change_t mine, other;
    saker_err_t error = find_ours (self, fork, &mine);
    *known = false;
    if (error != SAKER_OK) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    SKR_TRY (skr_change_parse (&other, fork->other));
    *known = other.seq == fork->seq && memcmp (mine.prev, other.prev, sizeof mine.prev) == 0
             && !skr_span_equal (mine.body, other.body);
    return SAKER_OK;
}

saker_err_t skr_fork_other (skr_replica_t *self, const skr_fork_t *fork, uint64_t seq,
                            skr_span_t *change)
{
    uint8_t key[OTHER_KEY_BYTES];
    return skr_store_get (self->store, sight_of (self), SKR_META,
                          other_key (key, &fork->collection, &fork->writer, seq), change);
}

saker_err_t skr_fork_branch (skr_replica_t *self, const skr_fork_t *fork,
                             uint8_t hash[SKR_HASH_BYTES], uint64_t *upto)
{
    uint8_t last[SKR_HASH_BYTES];
    saker_err_t error = SAKER_OK;
    for (*upto = fork->seq - 1; error == SAKER_OK; ++*upto) {
        skr_change_t change;
        skr_span_t raw;
        error = skr_fork_other (self, fork, *upto + 1, &raw);
        if (error == SAKER_OK) {
            error = skr_change_parse (&change, raw);
        }
        bool first = *upto + 1 == fork->seq;
        if (error == SAKER_OK && !first && memcmp (change.prev, last, sizeof last) != 0) {
            break;
        }
        if (error != SAKER_OK) {
            break;
        }
        skr_change_hash (&change, last);
        if (first) {
            memcpy (hash, last, sizeof last);
        }
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

/* ---- looking for it */

typedef struct looking_back_t {
    skr_replica_t *replica;
    const skr_id_t *collection;
    uint64_t depth;
    skr_clock_t *have;
    bool lowered;
} looking_back_t;

static saker_err_t look_back (const skr_fork_t *fork, void *argument)
{
    looking_back_t *looking = argument;
    skr_replica_t *replica = looking->replica;
    uint8_t hash[SKR_HASH_BYTES];
    uint64_t seq;
    bool known;
    if (!skr_id_equal (&fork->collection, looking->collection) || skr_id_is_zero (&fork->collection)
        || skr_roster_forked_at (replica->roster, &fork->writer, &fork->collection)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_fork_parts (replica, fork, &known));
    if (known) {
        SKR_TRY (skr_fork_branch (replica, fork, hash, &seq));
    } else {
        seq = fork->seq - 1 > looking->depth ? fork->seq - 1 - looking->depth : 0;
    }
    const skr_clock_t *cut = skr_cut_clock (replica, &fork->collection);
    uint64_t base = cut ? skr_clock_get (cut, &fork->writer) : 0;
    looking->lowered = true;
    return skr_clock_set (looking->have, &fork->writer, seq > base ? seq : base);
}

saker_err_t skr_fork_look_back (skr_replica_t *self, const skr_id_t *collection, uint64_t depth,
                                skr_clock_t *have, bool *lowered)
{
    looking_back_t looking = {self, collection, depth, have, false};
    saker_err_t error = self->forked ? skr_fork_each (self, look_back, &looking) : SAKER_OK;
    *lowered = looking.lowered;
    return error;
}

/* ---- too late */

typedef struct below_t {
    const skr_id_t *collection;
    const skr_clock_t *cut;
    bool below;
} below_t;

static saker_err_t is_below (const skr_fork_t *fork, void *argument)
{
    below_t *below = argument;
    below->below |= skr_id_equal (&fork->collection, below->collection)
                    && fork->seq <= skr_clock_get (below->cut, &fork->writer);
    return SAKER_OK;
}

saker_err_t skr_fork_is_below (skr_replica_t *self, const skr_id_t *collection,
                               const skr_clock_t *cut, bool *below)
{
    below_t looking = {collection, cut, false};
    saker_err_t error = self->forked ? skr_fork_each (self, is_below, &looking) : SAKER_OK;
    *below = looking.below;
    return error;
}

/* ---- settled */

static saker_err_t collect_key (skr_span_t key, skr_span_t value, void *argument)
{
    skr_buf_t *keys = argument;
    (void) value;
    skr_buf_append_span (keys, key);
    return keys->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

saker_err_t skr_fork_forget (skr_replica_t *self, const skr_fork_t *fork)
{
    uint8_t key[OTHER_KEY_BYTES];
    skr_buf_t keys = {0};
    skr_span_t prefix =
        skr_span (other_key (key, &fork->collection, &fork->writer, 0).data, OTHER_PREFIX_BYTES);
    saker_err_t error =
        skr_store_scan (self->store, SKR_GROUP, SKR_META, prefix, prefix, collect_key, &keys);
    for (size_t at = 0; error == SAKER_OK && at + OTHER_KEY_BYTES <= keys.size;
         at += OTHER_KEY_BYTES) {
        error =
            skr_store_remove (self->store, SKR_META, skr_span (keys.data + at, OTHER_KEY_BYTES));
    }
    skr_buf_free (&keys);
    if (error == SAKER_OK) {
        error = skr_store_remove (self->store, SKR_META,
                                  fork_key (key, &fork->collection, &fork->writer));
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}
