/* Records in SKR_META:

     "fork"   collection 16, writer 16          -> seq u64, the other change
     "aside"  collection 16, writer 16, seq u64 -> our change */

#include "peer/fork.h"

#include <string.h>

#define FORK_KEY "fork"
#define FORK_KEY_BYTES (4 + 16 + 16)
#define ASIDE_KEY "aside"
#define ASIDE_PREFIX_BYTES (5 + 16 + 16)
#define ASIDE_KEY_BYTES (ASIDE_PREFIX_BYTES + 8)

static skr_span_t fork_key (uint8_t key[FORK_KEY_BYTES], const skr_id_t *collection,
                            const skr_id_t *writer)
{
    memcpy (key, FORK_KEY, 4);
    memcpy (key + 4, collection->bytes, 16);
    memcpy (key + 20, writer->bytes, 16);
    return skr_span (key, FORK_KEY_BYTES);
}

static skr_span_t aside_key (uint8_t key[ASIDE_KEY_BYTES], const skr_id_t *collection,
                             const skr_id_t *writer, uint64_t seq)
{
    memcpy (key, ASIDE_KEY, 5);
    memcpy (key + 5, collection->bytes, 16);
    memcpy (key + 21, writer->bytes, 16);
    skr_put_u64 (key + 37, seq);
    return skr_span (key, ASIDE_KEY_BYTES);
}

/* ---- noting */

static saker_err_t is_known (skr_replica_t *self, skr_span_t key, uint64_t seq, bool *known)
{
    skr_span_t record;
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_META, key, &record);
    *known = error == SAKER_OK && record.size >= 8 && skr_get_u64 (record.data) <= seq;
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

/* Copies one change of ours. What is not in the log any more, or cannot be read, is left out. */
static saker_err_t keep_one (skr_replica_t *self, const skr_held_t *held, const skr_chain_t *chain,
                             uint64_t seq, size_t *bytes)
{
    uint8_t key[ASIDE_KEY_BYTES];
    uint64_t position;
    skr_log_entry_t entry;
    saker_err_t error =
        skr_log_find (self->store, SKR_GROUP, held->live.no, chain->writer_no, seq, &position);
    if (error == SAKER_OK) {
        error = skr_log_get (self->store, SKR_GROUP, position, &entry);
    }
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    *bytes += entry.change.size;
    return skr_store_put (self->store, SKR_META,
                          aside_key (key, &held->live.id, &chain->writer, seq), entry.change);
}

static saker_err_t keep_aside (skr_replica_t *self, const skr_held_t *held,
                               const skr_chain_t *chain, uint64_t from)
{
    size_t bytes = 0;
    uint64_t last =
        chain->seq - from < SKR_FORK_ASIDE_MAX ? chain->seq : from + SKR_FORK_ASIDE_MAX - 1;
    for (uint64_t seq = from; seq <= last && bytes < SKR_FORK_ASIDE_BYTES_MAX; seq++) {
        SKR_TRY (keep_one (self, held, chain, seq, &bytes));
    }
    return SAKER_OK;
}

saker_err_t skr_fork_note (skr_replica_t *self, const skr_held_t *held, const skr_change_t *change)
{
    uint8_t bytes[FORK_KEY_BYTES];
    bool known;
    const skr_chain_t *chain = skr_held_chain (held, &change->writer);
    skr_span_t key = fork_key (bytes, &held->live.id, &change->writer);
    if (!chain) {
        return SAKER_OK;
    }
    uint64_t seq = change->seq < chain->seq ? change->seq : chain->seq;
    SKR_TRY (is_known (self, key, seq, &known));
    if (known) {
        return SAKER_OK;
    }
    saker_err_t error = put_fork (self, key, seq, change->raw);
    if (error == SAKER_OK) {
        error = keep_aside (self, held, chain, seq);
    }
    if (error != SAKER_OK) {
        return skr_replica_spoil (self, error);
    }
    skr_log (
        self->world, SKR_LOG_WARNING,
        "%s: this device wrote change %llu twice, in two stores: its changes from there on are "
        "kept aside",
        held->live.name[0] ? held->live.name : "a collection", (unsigned long long) seq);
    return SAKER_OK;
}

/* ---- telling */

typedef struct visiting_t {
    skr_fork_fn *visit;
    skr_fork_aside_fn *aside;
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
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, visit_fork,
                           &visiting);
}

static saker_err_t visit_aside (skr_span_t key, skr_span_t value, void *argument)
{
    const visiting_t *visiting = argument;
    return key.size == ASIDE_KEY_BYTES
               ? visiting->aside (skr_get_u64 (key.data + ASIDE_PREFIX_BYTES), value,
                                  visiting->argument)
               : skr_fail (SAKER_EDAMAGED, "the record of a change kept aside is not in form");
}

saker_err_t skr_fork_aside (skr_replica_t *self, const skr_fork_t *fork, skr_fork_aside_fn *visit,
                            void *argument)
{
    uint8_t key[ASIDE_KEY_BYTES];
    visiting_t visiting = {.aside = visit, .argument = argument};
    skr_span_t prefix =
        skr_span (aside_key (key, &fork->collection, &fork->writer, 0).data, ASIDE_PREFIX_BYTES);
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, prefix, prefix, visit_aside,
                           &visiting);
}

static saker_err_t count_one (skr_span_t key, skr_span_t value, void *argument)
{
    (void) key, (void) value;
    ++*(uint64_t *) argument;
    return SAKER_OK;
}

saker_err_t skr_fork_count (skr_replica_t *self, uint64_t *forks, uint64_t *aside)
{
    skr_span_t fork = skr_span_text (FORK_KEY), kept = skr_span_text (ASIDE_KEY);
    *forks = *aside = 0;
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_META, fork, fork, count_one, forks));
    return skr_store_scan (self->store, SKR_COMMITTED, SKR_META, kept, kept, count_one, aside);
}
