/* Building the indexes of conflicts and of history, of a store that an earlier version made, or in
   which a record of them is damaged.

     SKR_META  "index conflicts", "index history" -> version u32 of what is there, whole */

#include "peer/conflicts.h"
#include "peer/history.h"
#include "peer/replica_internal.h"

#include <stdlib.h>

#define GROUP_ENTRIES 4096 /* of the log, in one group */
#define TRIES_MAX 16       /* each with twice the room */

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for an index");
}

/* ---- marks */

static saker_err_t put_mark (skr_replica_t *self, const char *name, uint32_t version)
{
    uint8_t value[4];
    skr_put_u32 (value, version);
    return skr_store_put (self->store, SKR_META, skr_span_text (name),
                          skr_span (value, sizeof value));
}

static saker_err_t has_mark (skr_replica_t *self, const char *name, uint32_t version, bool *has)
{
    skr_span_t value;
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (name), &value);
    *has = error == SAKER_OK && value.size == 4 && skr_get_u32 (value.data) == version;
    return error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED ? SAKER_OK : error;
}

/* ---- conflicts */

typedef struct looking_t {
    skr_replica_t *replica;
    uint32_t collection_no;
    skr_buf_t document, address; /* of the entry before */
} looking_t;

/* Entries come document by document, in order of address. */
static saker_err_t look_at (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    looking_t *looking = argument;
    skr_span_t path;
    if (!skr_span_equal (skr_span_of (&looking->document), document)) {
        skr_buf_clear (&looking->document);
        skr_buf_append_span (&looking->document, document);
    } else if (skr_conflicts_between (skr_span_of (&looking->address), entry->address, &path)) {
        SKR_TRY (skr_conflicts_add (looking->replica->store, looking->collection_no,
                                    skr_span_of (&looking->document), path));
    }
    skr_buf_clear (&looking->address);
    skr_buf_append_span (&looking->address, entry->address);
    return looking->document.failed || looking->address.failed ? no_memory () : SAKER_OK;
}

static saker_err_t add_conflicts (skr_replica_t *self)
{
    looking_t looking = {.replica = self};
    saker_err_t error = skr_store_begin (self->store);
    if (!error) {
        error = skr_store_empty (self->store, SKR_CONFLICTS);
    }
    for (size_t i = 1; i < self->held_count && !error; i++) {
        looking.collection_no = self->held[i]->shown.no;
        skr_buf_clear (&looking.document);
        error = skr_cells_store_all (self->cells, SKR_COMMITTED, looking.collection_no, look_at,
                                     &looking);
        if (error == SAKER_EDAMAGED) {
            error = SAKER_OK; /* a record says so itself, whenever it is read */
        }
    }
    skr_buf_free (&looking.document);
    skr_buf_free (&looking.address);
    if (!error) {
        error = put_mark (self, "index conflicts", SKR_CONFLICTS_VERSION);
    }
    if (error) {
        skr_store_abort (self->store);
        return error;
    }
    return skr_store_commit (self->store);
}

static saker_err_t build_conflicts (skr_replica_t *self)
{
    saker_err_t error = add_conflicts (self);
    for (int i = 1; i < TRIES_MAX && error == SAKER_ELIMIT; i++) {
        error = add_conflicts (self);
    }
    return skr_wrap (error, "build the index of conflicts");
}

static saker_err_t count_one (skr_span_t key, skr_span_t document, skr_span_t path, void *argument)
{
    (void) key, (void) document, (void) path;
    ++*(uint64_t *) argument;
    return SAKER_OK;
}

/* *good: the records are sound, and as many as is noted. */
static saker_err_t check_conflicts (skr_replica_t *self, bool *good)
{
    saker_err_t error = has_mark (self, "index conflicts", SKR_CONFLICTS_VERSION, good);
    for (size_t i = 1; i < self->held_count && !error && *good; i++) {
        uint64_t noted = 0, found = 0;
        uint32_t no = self->held[i]->shown.no;
        error = skr_conflicts_count (self->store, SKR_COMMITTED, no, &noted);
        if (!error) {
            error = skr_conflicts_scan (self->store, SKR_COMMITTED, no, skr_span (NULL, 0),
                                        skr_span (NULL, 0), count_one, &found);
        }
        *good = !error && noted == found;
    }
    return error == SAKER_EDAMAGED ? SAKER_OK : error;
}

/* ---- history */

typedef struct reading_t {
    skr_replica_t *replica;
    uint64_t next; /* position to go on at */
} reading_t;

static saker_err_t add_entry (reading_t *reading, uint64_t position)
{
    skr_replica_t *self = reading->replica;
    skr_log_entry_t entry;
    skr_change_t change;
    saker_err_t error = skr_log_get (self->store, SKR_COMMITTED, position, &entry);
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    SKR_TRY (skr_change_parse (&change, entry.change));
    const skr_held_t *held = skr_holdings_by_no (self, entry.collection_no);
    return skr_change_is_roster (&change) || !held || held->shown.sealed
               ? SAKER_OK
               : skr_history_append_change (self, entry.collection_no, position, &change);
}

static saker_err_t add_entries (reading_t *reading, uint64_t last)
{
    SKR_TRY (skr_store_begin (reading->replica->store));
    for (size_t i = 0; i < GROUP_ENTRIES && reading->next <= last; i++) {
        SKR_TRY (add_entry (reading, reading->next++));
    }
    if (reading->next > last) {
        SKR_TRY (put_mark (reading->replica, "index history", SKR_HISTORY_VERSION));
    }
    return skr_store_commit (reading->replica->store);
}

/* Empties the index, but for where history begins. */
static saker_err_t empty_history (skr_replica_t *self)
{
    skr_buf_t begins = {0};
    SKR_TRY (skr_store_begin (self->store));
    saker_err_t error = skr_history_begins (self->store, &begins);
    if (!error) {
        error = skr_store_empty (self->store, SKR_HISTORY);
    }
    for (size_t at = 0; at < begins.size && !error; at += SKR_BEGIN_BYTES) {
        const uint8_t *begin = begins.data + at;
        error = skr_history_cut (self->store, skr_get_u32 (begin), 0, skr_get_u64 (begin + 4));
    }
    skr_buf_free (&begins);
    if (!error) {
        error = put_mark (self, "index history", 0);
    }
    return error ? error : skr_store_commit (self->store);
}

static saker_err_t build_history (skr_replica_t *self)
{
    uint64_t last;
    reading_t reading = {.replica = self, .next = 1};
    saker_err_t error = skr_log_last (self->store, SKR_COMMITTED, &last);
    if (!error) {
        error = empty_history (self);
    }
    do {
        error = error ? error : add_entries (&reading, last);
    } while (!error && reading.next <= last);
    skr_store_abort (self->store);
    return skr_wrap (error, "build the index of history");
}

/* Where in the log the last change of a collection stands, of those that are kept; 0: none is. */
static saker_err_t last_logged (skr_replica_t *self, const skr_held_t *held, uint64_t *last)
{
    *last = 0;
    for (size_t i = 0; i < held->chains.count; i++) {
        const skr_chain_t *chain = &held->chains.list[i];
        uint64_t position = 0;
        saker_err_t error = skr_log_find (self->store, SKR_COMMITTED, held->shown.no,
                                          chain->writer_no, chain->seq, &position);
        if (error && error != SAKER_ENOTFOUND && error != SAKER_EDAMAGED) {
            return error;
        }
        *last = !error && position > *last ? position : *last;
    }
    return SAKER_OK;
}

/* A version that knows no indexes writes none: then neither is up to date. */
static saker_err_t check_ends (skr_replica_t *self, bool *good)
{
    *good = true;
    for (size_t i = 1; i < self->held_count && *good; i++) {
        uint64_t logged, indexed;
        if (self->held[i]->shown.sealed) {
            continue; /* it has none */
        }
        SKR_TRY (last_logged (self, self->held[i], &logged));
        saker_err_t error = skr_history_last (self, self->held[i]->shown.no, &indexed);
        if (error && error != SAKER_EDAMAGED) {
            return error;
        }
        *good = error || indexed >= logged; /* damage is looked for by check_history */
    }
    return SAKER_OK;
}

static saker_err_t check_history (skr_replica_t *self, bool *good)
{
    SKR_TRY (has_mark (self, "index history", SKR_HISTORY_VERSION, good));
    for (size_t i = 1; i < self->held_count && *good; i++) {
        uint64_t *positions = NULL;
        size_t count;
        saker_err_t error =
            skr_history_find (self, SKR_COMMITTED, self->held[i]->shown.no,
                              skr_span_text ("whether it can be read"), &positions, &count);
        free (positions);
        *good = error != SAKER_EDAMAGED;
        if (error && *good) {
            return error;
        }
    }
    return SAKER_OK;
}

/* ---- both */

static saker_err_t build_missing (skr_replica_t *self)
{
    bool good, complete;
    SKR_TRY (check_ends (self, &complete));
    SKR_TRY (check_conflicts (self, &good));
    if (!good || !complete) {
        SKR_TRY (build_conflicts (self));
    }
    SKR_TRY (check_history (self, &good));
    return good && complete ? SAKER_OK : build_history (self);
}

saker_err_t skr_replica_build_indexes (skr_replica_t *self)
{
    saker_err_t error = build_missing (self);
    skr_store_forget (self->store);
    self->unindexed = error != SAKER_OK;
    if (error == SAKER_EFULL) {
        /* design 6: a full disk can still be read. */
        skr_log (self->world, SKR_LOG_WARNING, "%s", skr_error ());
        return SAKER_OK;
    }
    return error;
}

saker_err_t skr_replica_check_indexes (const skr_replica_t *self)
{
    return self->unindexed ? skr_fail (SAKER_EFULL, "the disk was full when the index of conflicts "
                                                    "and history was to be built: free some space "
                                                    "and start the daemon again")
                           : SAKER_OK;
}
