/* The records of a collection:

     SKR_COLLECTIONS  id 16 -> {0: no, 1: name, 2: fingerprint 16, 3: documents, 4: changes,
                                5: bytes of its log, ? 6: 1 (it is sealed)}
     SKR_TICKS        no u32, writer no u32 -> seq u64, hash 32, log position u64
     SKR_META         "numbers" -> next free no u32 */

#include "peer/replica_internal.h"
#include "peer/sealed.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TICK_BYTES (8 + SKR_HASH_BYTES + 8)
#define NUMBERS_KEY "numbers"
#define UNCOUNTED UINT64_MAX /* a record from before changes were counted */

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

/* ---- chains */

static size_t chain_at (const skr_chains_t *chains, const skr_id_t *writer)
{
    size_t low = 0, high = chains->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&chains->list[middle].writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const skr_chain_t *skr_held_chain (const skr_held_t *self, const skr_id_t *writer)
{
    size_t at = chain_at (&self->chains, writer);
    bool found = at < self->chains.count && skr_id_equal (&self->chains.list[at].writer, writer);
    return found ? &self->chains.list[at] : NULL;
}

static saker_err_t reserve_chains (skr_chains_t *chains, size_t count)
{
    if (count <= chains->capacity) {
        return SAKER_OK;
    }
    size_t capacity = chains->capacity ? chains->capacity * 2 : 4;
    capacity = capacity < count ? count : capacity;
    skr_chain_t *list = realloc (chains->list, capacity * sizeof *list);
    if (!list) {
        return no_memory ();
    }
    chains->list = list;
    chains->capacity = capacity;
    return SAKER_OK;
}

static saker_err_t copy_chains (skr_chains_t *to, const skr_chains_t *from)
{
    SKR_TRY (reserve_chains (to, from->count));
    if (from->count > 0) {
        memcpy (to->list, from->list, from->count * sizeof *to->list);
    }
    to->count = from->count;
    return SAKER_OK;
}

static saker_err_t set_chain (skr_chains_t *chains, const skr_chain_t *chain)
{
    size_t at = chain_at (chains, &chain->writer);
    if (at == chains->count || !skr_id_equal (&chains->list[at].writer, &chain->writer)) {
        SKR_TRY (reserve_chains (chains, chains->count + 1));
        memmove (&chains->list[at + 1], &chains->list[at],
                 (chains->count - at) * sizeof *chains->list);
        chains->count++;
    }
    chains->list[at] = *chain;
    return SAKER_OK;
}

saker_err_t skr_held_advance (skr_held_t *self, const skr_chain_t *chain)
{
    skr_chain_t moved = *chain;
    moved.moved = true;
    SKR_TRY (skr_clock_set (&self->live.clock, &chain->writer, chain->seq));
    SKR_TRY (set_chain (&self->chains, &moved));
    self->live.changes++;
    return SAKER_OK;
}

static saker_err_t drop_chain (skr_replica_t *self, skr_held_t *held, const skr_chain_t *chain)
{
    uint8_t key[8];
    skr_chains_t *chains = &held->chains;
    size_t at = chain_at (chains, &chain->writer);
    skr_put_u32 (key, held->live.no);
    skr_put_u32 (key + 4, chain->writer_no);
    memmove (&chains->list[at], &chains->list[at + 1],
             (chains->count - at - 1) * sizeof *chains->list);
    chains->count--;
    saker_err_t error = skr_store_remove (self->store, SKR_TICKS, skr_span (key, sizeof key));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error; /* all of it is of this group */
}

saker_err_t skr_holdings_retreat (skr_replica_t *self, skr_held_t *held, const skr_chain_t *chain)
{
    skr_chain_t moved = *chain;
    moved.moved = true;
    held->live.changes -= skr_clock_get (&held->live.clock, &chain->writer) - chain->seq;
    SKR_TRY (skr_clock_set (&held->live.clock, &chain->writer, chain->seq));
    return chain->seq ? set_chain (&held->chains, &moved) : drop_chain (self, held, chain);
}

/* ---- one collection */

static void free_held (skr_held_t *held)
{
    if (held) {
        skr_clock_free (&held->shown.clock);
        skr_clock_free (&held->live.clock);
        skr_clock_free (&held->saved);
        skr_clock_free (&held->cut);
        skr_clock_free (&held->leaving.all);
        skr_stable_free (&held->leaving.heard);
        skr_clock_free (&held->asking.all);
        skr_stable_free (&held->asking.heard);
        skr_partial_free (&held->partial);
        skr_partial_free (&held->partial_before);
        free (held->chains.list);
        free (held->before.list);
        free (held);
    }
}

/* All of a collection but the memory of its clock. */
static saker_err_t copy_collection (skr_collection_t *to, const skr_collection_t *from)
{
    skr_clock_t clock = to->clock;
    saker_err_t error = skr_clock_copy (&clock, &from->clock);
    *to = *from;
    to->clock = clock;
    return error;
}

saker_err_t skr_holdings_touch (skr_replica_t *self, skr_held_t *held)
{
    if (held->touched) {
        return SAKER_OK;
    }
    if (self->touched_count == self->touched_capacity) {
        size_t capacity = self->touched_capacity ? self->touched_capacity * 2 : 16;
        skr_held_t **touched = realloc (self->touched, capacity * sizeof *touched);
        if (!touched) {
            return no_memory ();
        }
        self->touched = touched;
        self->touched_capacity = capacity;
    }
    SKR_TRY (copy_chains (&held->before, &held->chains));
    self->touched[self->touched_count++] = held;
    held->touched = true;
    return SAKER_OK;
}

/* ---- all collections */

static bool is_roster (const skr_held_t *held)
{
    return skr_id_is_zero (&held->live.id);
}

static size_t id_at (const skr_replica_t *self, const skr_id_t *id)
{
    size_t low = 0, high = self->held_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&self->by_id[middle]->live.id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

skr_held_t *skr_holdings_find (const skr_replica_t *self, const skr_id_t *id)
{
    size_t at = id_at (self, id);
    bool found = at < self->held_count && skr_id_equal (&self->by_id[at]->live.id, id);
    return found ? self->by_id[at] : NULL;
}

skr_held_t *skr_holdings_by_no (const skr_replica_t *self, uint32_t no)
{
    return no < self->by_no_size ? self->by_no[no] : NULL;
}

static saker_err_t reserve_held (skr_replica_t *self)
{
    if (self->held_count < self->held_capacity) {
        return SAKER_OK;
    }
    size_t capacity = self->held_capacity ? self->held_capacity * 2 : 16;
    skr_held_t **held = realloc (self->held, capacity * sizeof *held);
    self->held = held ? held : self->held;
    skr_held_t **by_id = realloc (self->by_id, capacity * sizeof *by_id);
    self->by_id = by_id ? by_id : self->by_id;
    if (!held || !by_id) {
        return no_memory ();
    }
    self->held_capacity = capacity;
    return SAKER_OK;
}

static saker_err_t reserve_no (skr_replica_t *self, uint32_t no)
{
    if (no < self->by_no_size) {
        return SAKER_OK;
    }
    size_t size = self->by_no_size ? self->by_no_size * 2 : 16;
    size = size <= no ? (size_t) no + 1 : size;
    skr_held_t **by_no = realloc (self->by_no, size * sizeof *by_no);
    if (!by_no) {
        return no_memory ();
    }
    memset (by_no + self->by_no_size, 0, (size - self->by_no_size) * sizeof *by_no);
    self->by_no = by_no;
    self->by_no_size = size;
    return SAKER_OK;
}

static saker_err_t insert_held (skr_replica_t *self, skr_held_t *held)
{
    SKR_TRY (reserve_held (self));
    SKR_TRY (reserve_no (self, held->live.no));
    size_t at = id_at (self, &held->live.id);
    memmove (&self->by_id[at + 1], &self->by_id[at], (self->held_count - at) * sizeof *self->by_id);
    self->by_id[at] = held;
    self->held[self->held_count++] = held;
    self->by_no[held->live.no] = held;
    return SAKER_OK;
}

saker_err_t skr_holdings_make (skr_replica_t *self, const skr_id_t *id, skr_held_t **held)
{
    if (self->held_count >= SKR_COLLECTIONS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a peer holds at most %d collections (SKR_COLLECTIONS_MAX)",
                         SKR_COLLECTIONS_MAX);
    }
    skr_held_t *fresh = calloc (1, sizeof *fresh);
    if (!fresh) {
        return no_memory ();
    }
    fresh->live.id = *id;
    fresh->live.no = self->next_no;
    fresh->live.sealed = skr_sealed_due (self, id);
    fresh->fresh = true;
    if (is_roster (fresh)) {
        memcpy (fresh->live.name, "@roster", sizeof "@roster");
    }
    saker_err_t error = skr_partial_load (self, SKR_GROUP, id, &fresh->partial);
    if (error == SAKER_OK) {
        error = insert_held (self, fresh);
    }
    if (error != SAKER_OK) {
        free_held (fresh);
        return error;
    }
    self->next_no++;
    *held = fresh;
    return SAKER_OK;
}

/* Takes the fresh ones that `goes` picks out of all lists. */
static void drop_fresh (skr_replica_t *self, bool (*goes) (const skr_held_t *))
{
    size_t kept = 0;
    for (size_t i = 0; i < self->held_count; i++) {
        skr_held_t *held = self->by_id[i];
        if (!held->fresh || !goes (held)) {
            self->by_id[kept++] = held;
        }
    }
    if (kept == self->held_count) {
        return;
    }
    kept = self->shown_count;
    for (size_t i = self->shown_count; i < self->held_count; i++) {
        skr_held_t *held = self->held[i];
        if (goes (held)) {
            self->by_no[held->live.no] = NULL;
            free_held (held);
        } else {
            self->held[kept++] = held;
        }
    }
    self->held_count = kept;
}

void skr_holdings_free (skr_replica_t *self)
{
    for (size_t i = 0; i < self->held_count; i++) {
        free_held (self->held[i]);
    }
    free (self->held);
    free (self->by_id);
    free (self->by_no);
    free (self->touched);
    self->held = self->by_id = self->by_no = self->touched = NULL;
    self->held_count = self->held_capacity = self->shown_count = 0;
    self->by_no_size = self->touched_count = self->touched_capacity = 0;
}

/* ---- groups */

/* Nothing here can fail: the clock was copied before the commit. */
static void show (skr_held_t *held)
{
    skr_clock_t clock = held->saved;
    held->saved = held->shown.clock;
    held->shown = held->live;
    held->shown.clock = clock;
}

/* Nothing was ever applied to it. One of which all was taken back stays. */
static bool is_empty (const skr_held_t *held)
{
    return held->fresh && held->live.clock.count == 0;
}

static void end_touch (skr_held_t *held)
{
    if (!is_empty (held)) {
        show (held);
    }
    held->touched = false;
    for (size_t i = 0; i < held->chains.count; i++) {
        held->chains.list[i].moved = false;
    }
}

static bool is_any (const skr_held_t *held)
{
    (void) held;
    return true;
}

void skr_holdings_committed (skr_replica_t *self)
{
    for (size_t i = 0; i < self->touched_count; i++) {
        end_touch (self->touched[i]);
    }
    if (self->held_count > self->shown_count) {
        drop_fresh (self, is_empty);
    }
    for (size_t i = self->shown_count; i < self->held_count; i++) {
        self->held[i]->fresh = false;
    }
    self->shown_count = self->held_count;
    self->touched_count = 0;
    self->next_no_shown = self->next_no;
}

void skr_holdings_aborted (skr_replica_t *self)
{
    for (size_t i = 0; i < self->touched_count; i++) {
        skr_held_t *held = self->touched[i];
        skr_chains_t undone = held->chains;
        held->chains = held->before;
        held->before = undone;
        held->touched = false;
        if (!held->fresh) {
            /* The memory is there: the clock had this size before. */
            (void) copy_collection (&held->live, &held->shown);
        }
    }
    if (self->held_count > self->shown_count) {
        drop_fresh (self, is_any);
    }
    self->touched_count = 0;
    self->next_no = self->next_no_shown;
}

/* ---- writing records */

saker_err_t skr_holdings_put_collection (skr_replica_t *self, const skr_collection_t *collection)
{
    uint8_t fingerprint[16];
    skr_buf_t buf = {0};
    skr_fingerprint_bytes (&collection->fingerprint, fingerprint);
    skr_cbor_put_map (&buf, collection->sealed ? 7 : 6);
    skr_cbor_put_uint (&buf, 0);
    skr_cbor_put_uint (&buf, collection->no);
    skr_cbor_put_uint (&buf, 1);
    skr_cbor_put_text (&buf, collection->name, strlen (collection->name));
    skr_cbor_put_uint (&buf, 2);
    skr_cbor_put_bytes (&buf, fingerprint, sizeof fingerprint);
    skr_cbor_put_uint (&buf, 3);
    skr_cbor_put_uint (&buf, collection->documents);
    skr_cbor_put_uint (&buf, 4);
    skr_cbor_put_uint (&buf, collection->changes);
    skr_cbor_put_uint (&buf, 5);
    skr_cbor_put_uint (&buf, collection->log_bytes);
    if (collection->sealed) {
        skr_cbor_put_uint (&buf, 6);
        skr_cbor_put_uint (&buf, 1);
    }
    saker_err_t error =
        buf.failed ? no_memory ()
                   : skr_store_put (self->store, SKR_COLLECTIONS,
                                    skr_span (collection->id.bytes, 16), skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

saker_err_t skr_holdings_put_chain (skr_replica_t *self, uint32_t no, const skr_chain_t *chain)
{
    uint8_t key[8], value[TICK_BYTES];
    skr_put_u32 (key, no);
    skr_put_u32 (key + 4, chain->writer_no);
    skr_put_u64 (value, chain->seq);
    memcpy (value + 8, chain->hash, SKR_HASH_BYTES);
    skr_put_u64 (value + 8 + SKR_HASH_BYTES, chain->position);
    return skr_store_put (self->store, SKR_TICKS, skr_span (key, sizeof key),
                          skr_span (value, sizeof value));
}

static saker_err_t save_held (skr_replica_t *self, skr_held_t *held)
{
    SKR_TRY (skr_holdings_put_collection (self, &held->live));
    for (size_t i = 0; i < held->chains.count; i++) {
        if (held->chains.list[i].moved) {
            SKR_TRY (skr_holdings_put_chain (self, held->live.no, &held->chains.list[i]));
        }
    }
    return skr_clock_copy (&held->saved, &held->live.clock);
}

saker_err_t skr_holdings_put_next_no (skr_replica_t *self)
{
    uint8_t value[4];
    skr_put_u32 (value, self->next_no);
    return skr_store_put (self->store, SKR_META, skr_span_text (NUMBERS_KEY),
                          skr_span (value, sizeof value));
}

saker_err_t skr_holdings_save (skr_replica_t *self)
{
    for (size_t i = 0; i < self->touched_count; i++) {
        if (!is_empty (self->touched[i])) {
            SKR_TRY (save_held (self, self->touched[i]));
        }
    }
    return self->next_no != self->next_no_shown ? skr_holdings_put_next_no (self) : SAKER_OK;
}

/* ---- reading records */

static saker_err_t damaged (const char *what)
{
    return skr_fail (SAKER_EDAMAGED, "a record of %s is not in form", what);
}

static saker_err_t parse_collection (skr_span_t key, skr_span_t value, skr_collection_t *collection)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    uint8_t fingerprint[16];
    skr_cbor_open (&cbor, value);
    size_t fields = skr_cbor_get_map (&cbor, 7);
    skr_cbor_want_key (&cbor, &last, 0);
    uint64_t no = skr_cbor_get_uint (&cbor);
    skr_cbor_want_key (&cbor, &last, 1);
    skr_span_t name = skr_cbor_get_text (&cbor);
    skr_cbor_want_key (&cbor, &last, 2);
    skr_cbor_get_fixed (&cbor, fingerprint, sizeof fingerprint);
    skr_cbor_want_key (&cbor, &last, 3);
    collection->documents = skr_cbor_get_uint (&cbor);
    collection->changes = UNCOUNTED;
    if (fields > 4) {
        skr_cbor_want_key (&cbor, &last, 4);
        collection->changes = skr_cbor_get_uint (&cbor);
    }
    if (fields > 5) {
        skr_cbor_want_key (&cbor, &last, 5);
        collection->log_bytes = skr_cbor_get_uint (&cbor);
    }
    if (fields > 6) {
        skr_cbor_want_key (&cbor, &last, 6);
        collection->sealed = skr_cbor_get_uint (&cbor) == 1;
    }
    if (skr_cbor_close (&cbor) != SAKER_OK || key.size != sizeof collection->id || no > UINT32_MAX
        || name.size > SKR_COLLECTION_BYTES_MAX) {
        return damaged ("a collection");
    }
    memcpy (collection->id.bytes, key.data, key.size);
    memcpy (collection->name, name.data, name.size);
    collection->no = (uint32_t) no;
    skr_fingerprint_from_bytes (&collection->fingerprint, fingerprint);
    return SAKER_OK;
}

static saker_err_t load_collection (skr_span_t key, skr_span_t value, void *argument)
{
    skr_replica_t *self = argument;
    skr_held_t *held = calloc (1, sizeof *held);
    if (held) {
        held->upon_void = true; /* not known: looked at when the roster closes somebody */
    }
    saker_err_t error = held ? parse_collection (key, value, &held->live) : no_memory ();
    if (error == SAKER_OK) {
        error = insert_held (self, held);
    }
    if (error != SAKER_OK) {
        free_held (held);
    }
    return error;
}

static saker_err_t load_tick (skr_span_t key, skr_span_t value, void *argument)
{
    skr_chains_t *chains = argument;
    if (key.size != 8 || value.size != TICK_BYTES) {
        return damaged ("a clock");
    }
    SKR_TRY (reserve_chains (chains, chains->count + 1));
    skr_chain_t *chain = &chains->list[chains->count++];
    memset (chain, 0, sizeof *chain);
    chain->writer_no = skr_get_u32 (key.data + 4);
    chain->seq = skr_get_u64 (value.data);
    memcpy (chain->hash, value.data + 8, SKR_HASH_BYTES);
    chain->position = skr_get_u64 (value.data + 8 + SKR_HASH_BYTES);
    return SAKER_OK;
}

static int compare_chains (const void *one, const void *other)
{
    return skr_id_compare (&((const skr_chain_t *) one)->writer,
                           &((const skr_chain_t *) other)->writer);
}

/* A tick that is lost with its page leaves no trace but this: a clock that is too low would let a
   seq be given twice. */
static saker_err_t count_changes (skr_held_t *held, uint64_t noted)
{
    held->live.changes = 0;
    for (size_t i = 0; i < held->chains.count; i++) {
        held->live.changes += held->chains.list[i].seq;
    }
    return noted == held->live.changes || noted == UNCOUNTED
               ? SAKER_OK
               : damaged ("the clock of a collection");
}

static saker_err_t load_chains (skr_replica_t *self, skr_held_t *held)
{
    uint8_t prefix[4];
    skr_put_u32 (prefix, held->live.no);
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_TICKS, skr_span (prefix, 4),
                             skr_span (prefix, 4), load_tick, &held->chains));
    for (size_t i = 0; i < held->chains.count; i++) {
        skr_chain_t *chain = &held->chains.list[i];
        SKR_TRY (
            skr_store_writer_id (self->store, SKR_COMMITTED, chain->writer_no, &chain->writer));
    }
    SKR_TRY (count_changes (held, held->live.changes));
    if (held->chains.count > 1) {
        qsort (held->chains.list, held->chains.count, sizeof *held->chains.list, compare_chains);
    }
    for (size_t i = 0; i < held->chains.count; i++) {
        SKR_TRY (skr_clock_set (&held->live.clock, &held->chains.list[i].writer,
                                held->chains.list[i].seq));
    }
    SKR_TRY (skr_held_load_cut (self, held));
    SKR_TRY (skr_partial_load (self, SKR_COMMITTED, &held->live.id, &held->partial));
    return copy_collection (&held->shown, &held->live);
}

/* The roster first, then in order of arrival. */
static int compare_held (const void *one, const void *other)
{
    const skr_held_t *a = *(skr_held_t *const *) one, *b = *(skr_held_t *const *) other;
    if (is_roster (a) != is_roster (b)) {
        return is_roster (a) ? -1 : 1;
    }
    return a->live.no < b->live.no ? -1 : a->live.no > b->live.no;
}

static saker_err_t load_next_no (skr_replica_t *self)
{
    skr_span_t value;
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (NUMBERS_KEY), &value);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    if (error == SAKER_OK && value.size != 4) {
        return damaged ("the numbers of collections");
    }
    self->next_no = error == SAKER_OK ? skr_get_u32 (value.data) : 1;
    self->next_no_shown = self->next_no;
    return SAKER_OK;
}

saker_err_t skr_holdings_load (skr_replica_t *self)
{
    skr_span_t none = skr_span (NULL, 0);
    skr_holdings_free (self);
    SKR_TRY (load_next_no (self));
    SKR_TRY (skr_store_scan (self->store, SKR_COMMITTED, SKR_COLLECTIONS, none, none,
                             load_collection, self));
    for (size_t i = 0; i < self->held_count; i++) {
        SKR_TRY (load_chains (self, self->held[i]));
    }
    if (self->held_count > 1) {
        qsort (self->held, self->held_count, sizeof (skr_held_t *), compare_held);
    }
    self->shown_count = self->held_count;
    return SAKER_OK;
}
