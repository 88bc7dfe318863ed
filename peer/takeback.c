/* Taking back (design 8): what a writer did above its limit is void on every peer, also where it
   was applied before that was known.

     find the first change in the local order of its collection that must not stand there
       -> undo the log from its end to there -> redo what stands, in the same order

   What must not stand is what is void; and what depends on a change that was void when it was
   applied, and is not void any more (who took its writer's right turned out to have none): it waits
   for that change, or its place in the order would not be the same everywhere.

   All in the group that brought the news, so a crash leaves the one state or the other. Entries
   that are redone stay at their positions. Our own changes that go are kept in SKR_VOID, and come
   back from there. Readers of the feed would not hear that what they were told is gone: the feed
   begins a new epoch. */

#include "peer/reissue.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

typedef struct takeback_t {
    skr_replica_t *replica;
    skr_held_t *held;
    uint64_t *positions; /* of what is undone, ascending */
    size_t count, capacity;
    uint64_t voided;
    skr_clock_t base;    /* what the log starts above */
    skr_buf_t raw, undo; /* copies of a log entry */
} takeback_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* design 8: no void change is below the cut. An admin that means ill could state a cutoff of 0 all
   the same: what is in everybody's store, without its undo, is left there. */
static uint64_t limit_of (const takeback_t *self, const skr_id_t *writer)
{
    uint64_t limit = skr_roster_limit (self->replica->roster, writer, &self->held->live.id);
    uint64_t base = skr_clock_get (&self->base, writer);
    return limit > base ? limit : base;
}

/* ---- what is to be undone */

static saker_err_t first_void (const takeback_t *self, uint64_t *first)
{
    const skr_chains_t *chains = &self->held->chains;
    *first = UINT64_MAX;
    for (size_t i = 0; i < chains->count; i++) {
        const skr_chain_t *chain = &chains->list[i];
        uint64_t position, limit = limit_of (self, &chain->writer);
        if (chain->seq <= limit) {
            continue;
        }
        saker_err_t error = skr_log_find (self->replica->store, SKR_GROUP, self->held->live.no,
                                          chain->writer_no, limit + 1, &position);
        if (error == SAKER_ENOTFOUND) {
            return skr_fail (SAKER_EDAMAGED, "a void change is missing in the log");
        }
        SKR_TRY (error);
        *first = position < *first ? position : *first;
    }
    return SAKER_OK;
}

typedef struct looking_t {
    takeback_t *self;
    uint64_t first;
} looking_t;

/* Does it depend on what is neither here nor void? */
static saker_err_t look_at_deps (const skr_log_entry_t *entry, void *argument)
{
    looking_t *looking = argument;
    const skr_held_t *held = looking->self->held;
    skr_change_t change;
    skr_clock_t deps = {0};
    SKR_TRY (skr_change_parse (&change, entry->change));
    saker_err_t error = skr_change_deps (&change, &deps);
    for (size_t i = 0; i < deps.count && error == SAKER_OK; i++) {
        const skr_tick_t *tick = &deps.ticks[i];
        uint64_t have = skr_clock_get (&held->live.clock, &tick->writer);
        if (have < tick->seq && have < limit_of (looking->self, &tick->writer)) {
            looking->first = entry->position;
            error = SKR_STOP;
        }
    }
    skr_clock_free (&deps);
    return error;
}

/* The log as far as it goes back; what is below the cut depends on nothing that may still come. */
static saker_err_t first_upon_void (takeback_t *self, uint64_t *first)
{
    looking_t looking = {self, UINT64_MAX};
    saker_err_t error = SAKER_OK;
    if (self->held->upon_void) {
        error = skr_log_missing (self->replica->store, SKR_GROUP, self->held->live.no,
                                 &self->held->live.clock, &self->base, look_at_deps, &looking);
    }
    *first = looking.first;
    return error;
}

static saker_err_t add_position (takeback_t *self, uint64_t position)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 64;
        uint64_t *positions = realloc (self->positions, capacity * sizeof *positions);
        if (!positions) {
            return no_memory ();
        }
        self->positions = positions;
        self->capacity = capacity;
    }
    self->positions[self->count++] = position;
    return SAKER_OK;
}

static saker_err_t list_positions (takeback_t *self, uint64_t first)
{
    skr_store_t *store = self->replica->store;
    uint64_t last;
    SKR_TRY (skr_log_last (store, SKR_GROUP, &last));
    for (uint64_t position = first; position <= last; position++) {
        skr_log_entry_t entry;
        saker_err_t error = skr_log_get (store, SKR_GROUP, position, &entry);
        if (error == SAKER_ENOTFOUND) {
            continue;
        }
        SKR_TRY (error);
        if (entry.collection_no == self->held->live.no) {
            SKR_TRY (add_position (self, position));
        }
    }
    return SAKER_OK;
}

/* ---- one change. A copy: what the store hands out ends with the next write. */

static saker_err_t read_change (takeback_t *self, uint64_t position, skr_change_t *change)
{
    skr_log_entry_t entry;
    SKR_TRY (skr_log_get (self->replica->store, SKR_GROUP, position, &entry));
    skr_buf_clear (&self->raw);
    skr_buf_clear (&self->undo);
    skr_buf_append_span (&self->raw, entry.change);
    skr_buf_append_span (&self->undo, entry.undo);
    return self->raw.failed || self->undo.failed
               ? no_memory ()
               : skr_change_parse (change, skr_span_of (&self->raw));
}

/* The chain ends before this change, which tells the hash of that end. Where that end is below the
   cut nobody knows its position any more: our next change had better name one writer too many. */
static saker_err_t retreat (const takeback_t *self, const skr_change_t *change)
{
    skr_chain_t chain = *skr_held_chain (self->held, &change->writer);
    uint64_t position = 0;
    chain.seq = change->seq - 1;
    memcpy (chain.hash, change->prev, sizeof chain.hash);
    if (chain.seq > 0) {
        saker_err_t error = skr_log_find (self->replica->store, SKR_GROUP, self->held->live.no,
                                          chain.writer_no, chain.seq, &position);
        bool own = skr_id_equal (&chain.writer, &self->replica->writer);
        if (error == SAKER_ENOTFOUND) {
            position = own ? 0 : chain.position;
        } else if (error != SAKER_OK) {
            return error;
        }
    }
    chain.position = position;
    return skr_holdings_retreat (self->replica, self->held, &chain);
}

static saker_err_t undo_change (takeback_t *self, uint64_t position)
{
    skr_change_t change;
    skr_content_t content;
    skr_applier_t applier;
    SKR_TRY (read_change (self, position, &change));
    if (self->held->live.sealed) {
        return retreat (self, &change);
    }
    SKR_TRY (skr_replica_content (self->replica, &change, &self->replica->content, &content));
    skr_admit_applier (self->replica, self->held, &change, &applier);
    saker_err_t error =
        skr_apply_undo (&applier, content.ops, content.ops_count, skr_span_of (&self->undo));
    skr_content_free (&content);
    return error == SAKER_OK ? retreat (self, &change) : error;
}

static saker_err_t advance (const takeback_t *self, uint64_t position, const skr_change_t *change)
{
    skr_chain_t chain = {.writer = change->writer, .seq = change->seq, .position = position};
    skr_change_hash (change, chain.hash);
    SKR_TRY (
        skr_store_writer_no (self->replica->store, SKR_GROUP, &change->writer, &chain.writer_no));
    return skr_held_advance (self->held, &chain);
}

static saker_err_t redo_change (takeback_t *self, uint64_t position, const skr_change_t *change,
                                const skr_content_t *content)
{
    skr_applier_t applier;
    if (!content) {
        return advance (self, position, change);
    }
    skr_buf_clear (&self->replica->undo);
    skr_admit_applier (self->replica, self->held, change, &applier);
    SKR_TRY (skr_apply_content (&applier, content));
    const skr_log_entry_t entry = {.position = position,
                                   .collection_no = self->held->live.no,
                                   .change = change->raw,
                                   .undo = skr_span_of (&self->replica->undo)};
    SKR_TRY (skr_log_rewrite (self->replica->store, &entry));
    self->held->live.log_bytes += self->replica->undo.size;
    self->held->live.log_bytes -= self->undo.size; /* of before */
    return advance (self, position, change);
}

/* ---- what is issued again */

void skr_void_key (const skr_id_t *collection, const skr_id_t *writer, uint64_t seq,
                   uint8_t key[SKR_VOID_KEY_BYTES])
{
    memcpy (key, collection->bytes, 16);
    memcpy (key + 16, writer->bytes, 16);
    skr_put_u64 (key + 32, seq);
}

/* Ours are kept: the device may be let in again, and its user wants to know what became of them;
   and those of others that are ours to issue again. What was issued again, and came back from who
   had it still, is not. */
static saker_err_t keep_own (const takeback_t *self, const skr_change_t *change)
{
    uint8_t key[SKR_VOID_KEY_BYTES];
    skr_span_t known;
    bool ours = skr_replica_is_own (self->replica, &change->writer);
    if (!ours) {
        SKR_TRY (skr_reissue_is_ours (self->replica, &change->writer, &change->collection,
                                      change->seq, &ours));
    }
    if (!ours) {
        return SAKER_OK;
    }
    skr_void_key (&change->collection, &change->writer, change->seq, key);
    saker_err_t error = skr_store_get (self->replica->store, SKR_GROUP, SKR_VOID,
                                       skr_span (key, sizeof key), &known);
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    return skr_store_put (self->replica->store, SKR_VOID, skr_span (key, sizeof key), change->raw);
}

/* What of them stands again: each after its size as u32. */
static saker_err_t collect_own (skr_span_t key, skr_span_t value, void *argument)
{
    takeback_t *self = argument;
    skr_id_t collection, writer;
    uint8_t size[4];
    if (key.size != SKR_VOID_KEY_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "a record of a void change is not in form");
    }
    memcpy (collection.bytes, key.data, 16);
    memcpy (writer.bytes, key.data + 16, 16);
    if (value.size > 0
        && skr_get_u64 (key.data + 32)
               <= skr_roster_limit (self->replica->roster, &writer, &collection)) {
        skr_put_u32 (size, (uint32_t) value.size);
        skr_buf_append (&self->raw, size, sizeof size);
        skr_buf_append_span (&self->raw, value);
    }
    return self->raw.failed ? no_memory () : SAKER_OK;
}

static saker_err_t bring_back (skr_replica_t *replica)
{
    takeback_t self = {.replica = replica};
    saker_err_t error = skr_store_scan (replica->store, SKR_GROUP, SKR_VOID, skr_span (NULL, 0),
                                        skr_span (NULL, 0), collect_own, &self);
    for (size_t at = 0; error == SAKER_OK && at < self.raw.size;) {
        size_t size = skr_get_u32 (self.raw.data + at);
        skr_change_t change;
        error = skr_change_parse (&change, skr_span (self.raw.data + at + 4, size));
        error = error == SAKER_OK ? skr_admit_wait (replica, &change) : error;
        at += 4 + size;
    }
    skr_buf_free (&self.raw);
    return error;
}

/* ---- what does not stand */

static saker_err_t drop_change (takeback_t *self, uint64_t position, const skr_change_t *change,
                                const skr_content_t *content, bool is_void)
{
    skr_replica_t *replica = self->replica;
    const skr_log_entry_t entry = {.change = change->raw, .undo = skr_span_of (&self->undo)};
    uint64_t bytes = skr_log_bytes (&entry), *all = &self->held->live.log_bytes;
    uint32_t writer_no;
    SKR_TRY (skr_store_writer_no (replica->store, SKR_GROUP, &change->writer, &writer_no));
    SKR_TRY (
        skr_log_remove (replica->store, self->held->live.no, writer_no, change->seq, position));
    *all -= bytes < *all ? bytes : *all;
    SKR_TRY (keep_own (self, change));
    if (!is_void) {
        if (skr_id_equal (&change->writer, &replica->writer)) {
            replica->doubt = SKR_DOUBT_UNDONE; /* others may have it: its seq is not free */
        }
        return skr_admit_wait (replica, change);
    }
    self->voided++;
    return content ? skr_write_forget (replica, change, content->operation_id) : SAKER_OK;
}

/* `content` NULL: the collection is sealed. */
static saker_err_t judge_change (takeback_t *self, uint64_t position, const skr_change_t *change,
                                 const skr_content_t *content)
{
    bool is_void = change->seq > limit_of (self, &change->writer), due = false;
    if (!is_void) {
        SKR_TRY (skr_admit_is_due (self->replica, self->held, change, &due));
    }
    return due ? redo_change (self, position, change, content)
               : drop_change (self, position, change, content, is_void);
}

static saker_err_t redo_or_drop (takeback_t *self, uint64_t position)
{
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (read_change (self, position, &change));
    if (self->held->live.sealed) {
        return judge_change (self, position, &change, NULL);
    }
    SKR_TRY (skr_replica_content (self->replica, &change, &self->replica->content, &content));
    saker_err_t error = judge_change (self, position, &change, &content);
    skr_content_free (&content);
    return error;
}

/* ---- a collection */

static saker_err_t move_epoch (skr_replica_t *self)
{
    randombytes_buf (self->epoch.bytes, sizeof self->epoch.bytes);
    return skr_store_put (self->store, SKR_META, skr_span_text ("epoch"),
                          skr_span (self->epoch.bytes, sizeof self->epoch.bytes));
}

/* After a snapshot the log is in the order of its sender: where our own last change stands in it
   does not tell what we had seen then. What was not named as seen so far is so still. */
static saker_err_t place_own (const takeback_t *self, uint64_t before)
{
    const skr_chain_t *own = skr_held_chain (self->held, &self->replica->writer);
    if (!own || own->position <= before) {
        return SAKER_OK;
    }
    skr_chain_t chain = *own;
    chain.position = before;
    return skr_holdings_retreat (self->replica, self->held, &chain);
}

static saker_err_t undo_and_redo (takeback_t *self)
{
    uint64_t first, upon;
    const skr_chain_t *own = skr_held_chain (self->held, &self->replica->writer);
    uint64_t before = own ? own->position : 0;
    SKR_TRY (skr_log_base (self->replica->store, SKR_GROUP, self->held->live.no,
                           &self->held->live.clock, &self->base));
    SKR_TRY (first_void (self, &first));
    SKR_TRY (first_upon_void (self, &upon));
    first = upon < first ? upon : first;
    if (first == UINT64_MAX) {
        return SAKER_OK;
    }
    SKR_TRY (skr_holdings_touch (self->replica, self->held));
    SKR_TRY (list_positions (self, first));
    SKR_TRY (skr_log_keep_last (self->replica->store));
    for (size_t i = self->count; i-- > 0;) {
        SKR_TRY (undo_change (self, self->positions[i]));
    }
    for (size_t i = 0; i < self->count; i++) {
        SKR_TRY (redo_or_drop (self, self->positions[i]));
    }
    SKR_TRY (place_own (self, before));
    return move_epoch (self->replica);
}

static saker_err_t take_back (skr_replica_t *replica, skr_held_t *held)
{
    takeback_t self = {.replica = replica, .held = held};
    saker_err_t error = undo_and_redo (&self);
    if (error == SAKER_OK && self.voided > 0) {
        replica->stats.voided += self.voided;
        skr_log (replica->world, SKR_LOG_WARNING,
                 "%llu changes of %s are void, since a right was taken, a device fenced or a fork "
                 "settled: "
                 "they are taken back",
                 (unsigned long long) self.voided,
                 held->live.name[0] ? held->live.name : "a collection");
    }
    free (self.positions);
    skr_clock_free (&self.base);
    skr_buf_free (&self.raw);
    skr_buf_wipe (&self.undo);
    return skr_wrap (error, "take back void changes");
}

saker_err_t skr_replica_enforce (skr_replica_t *self)
{
    static const skr_id_t roster;
    for (size_t i = 0; i < self->held_count; i++) {
        skr_held_t *held = self->held[i];
        if (skr_id_equal (&held->live.id, &roster)) {
            continue;
        }
        saker_err_t error = take_back (self, held);
        if (error != SAKER_OK) {
            return skr_replica_spoil (self, error);
        }
    }
    self->closings = skr_roster_closings (self->roster);
    saker_err_t error = bring_back (self);
    error = error == SAKER_OK ? skr_return (self) : error;
    if (error == SAKER_OK && self->doubt == SKR_DOUBT_UNDONE) {
        error = skr_incarnation_renew (self, self->doubt);
    }
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}
