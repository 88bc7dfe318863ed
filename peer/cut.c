#include "peer/cut.h"

#include "crdt/hlc.h"
#include "peer/folding.h"
#include "peer/history.h"
#include "peer/replica_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CUT_KEY "cut"
#define CUT_KEY_BYTES 3

static const skr_id_t the_roster;

/* ---- the record */

static skr_span_t cut_key (uint8_t key[CUT_KEY_BYTES + 4], uint32_t no)
{
    memcpy (key, CUT_KEY, CUT_KEY_BYTES);
    skr_put_u32 (key + CUT_KEY_BYTES, no);
    return skr_span (key, CUT_KEY_BYTES + 4);
}

saker_err_t skr_held_put_cut (skr_replica_t *self, uint32_t no, const skr_clock_t *cut,
                              uint64_t position)
{
    uint8_t key[CUT_KEY_BYTES + 4];
    skr_buf_t buf = {0};
    skr_cbor_put_map (&buf, 2);
    skr_cbor_put_uint (&buf, 0);
    skr_clock_put (&buf, cut);
    skr_cbor_put_uint (&buf, 1);
    skr_cbor_put_uint (&buf, position);
    saker_err_t error =
        buf.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                   : skr_store_put (self->store, SKR_META, cut_key (key, no), skr_span_of (&buf));
    skr_buf_free (&buf);
    return error;
}

static saker_err_t parse_cut (skr_span_t value, skr_held_t *held)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_cbor_open (&cbor, value);
    size_t fields = skr_cbor_get_map (&cbor, 2);
    bool good = skr_cbor_get_key (&cbor, &last) == 0;
    saker_err_t error = skr_clock_read (&cbor, &held->cut, SKR_CLOCK_WRITERS_MAX);
    good = good && fields == 2 && skr_cbor_get_key (&cbor, &last) == 1;
    held->cut_position = skr_cbor_get_uint (&cbor);
    if (error == SAKER_ENOMEM) {
        return error;
    }
    return skr_cbor_close (&cbor) == SAKER_OK && good
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED, "the record of a cut is not in form");
}

saker_err_t skr_held_load_cut (skr_replica_t *self, skr_held_t *held)
{
    uint8_t key[CUT_KEY_BYTES + 4];
    skr_span_t value;
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, cut_key (key, held->live.no), &value);
    return error == SAKER_OK          ? parse_cut (value, held)
           : error == SAKER_ENOTFOUND ? SAKER_OK
                                      : error;
}

saker_err_t skr_held_drop_cut (skr_replica_t *self, uint32_t no)
{
    uint8_t key[CUT_KEY_BYTES + 4];
    saker_err_t error = skr_store_remove (self->store, SKR_META, cut_key (key, no));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

/* ---- choosing */

typedef struct going_t {
    uint32_t writer_no;
    uint64_t seq;
    uint64_t position;
} going_t;

typedef struct choice_t {
    const skr_cut_terms_t *terms;
    skr_cut_slice_t *slice;
    going_t *going; /* SKR_CUT_SLICE_ENTRIES_MAX; NULL: only look at the first */
    skr_clock_t cut;
    uint64_t last_position; /* of what goes */
    uint64_t hlc;           /* the highest of what goes */
} choice_t;

/* What cannot be read has no time: it is as old as what is before it. And a wrong clock blocks
   nothing (design 3): what is ahead of ours by more than a little is not waited for. */
bool skr_cut_is_young (const skr_cut_terms_t *terms, const skr_log_place_t *place,
                       uint64_t *time_ms)
{
    skr_change_t change;
    bool known = place->entry && skr_change_parse (&change, place->entry->change) == SAKER_OK;
    *time_ms = known ? skr_hlc_ms (change.hlc) : 0;
    bool future = *time_ms > terms->wall_ms + SKR_HLC_AHEAD_MS_MAX;
    return terms->history_ms > 0 && !future && place->position > terms->forced
           && *time_ms + terms->history_ms > terms->wall_ms;
}

static saker_err_t choose (const skr_log_place_t *place, void *argument)
{
    choice_t *choice = argument;
    skr_cut_slice_t *slice = choice->slice;
    skr_change_t change;
    size_t bytes = place->entry ? skr_log_bytes (place->entry) : 0;
    bool young = skr_cut_is_young (choice->terms, place, &slice->time_ms);
    slice->position = place->position;
    if (choice->going && place->seq > skr_clock_get (choice->terms->stable, place->writer)) {
        slice->end = SKR_CUT_UNSTABLE;
        return SKR_STOP;
    }
    if (young) {
        slice->end = SKR_CUT_YOUNG;
        return SKR_STOP;
    }
    if (!choice->going || slice->entries == SKR_CUT_SLICE_ENTRIES_MAX
        || slice->bytes + bytes > SKR_CUT_SLICE_BYTES_MAX) {
        slice->end = SKR_CUT_FULL;
        return SKR_STOP;
    }
    if (place->entry && skr_change_parse (&change, place->entry->change) == SAKER_OK) {
        choice->hlc = change.hlc > choice->hlc ? change.hlc : choice->hlc;
    }
    choice->going[slice->entries] = (going_t){place->writer_no, place->seq, place->position};
    slice->entries++;
    slice->bytes += bytes;
    slice->position = slice->time_ms = 0;
    choice->last_position = place->position;
    return skr_clock_set (&choice->cut, place->writer, place->seq);
}

static saker_err_t walk (skr_replica_t *self, const skr_held_t *held, choice_t *choice)
{
    *choice->slice = (skr_cut_slice_t){.end = SKR_CUT_EMPTY};
    return skr_log_walk (self->store, SKR_COMMITTED, held->shown.no, &held->shown.clock, &held->cut,
                         choose, choice);
}

static saker_err_t find_held (const skr_replica_t *self, const skr_id_t *collection,
                              skr_held_t **held)
{
    *held = skr_holdings_find (self, collection);
    if (!*held || (*held)->fresh) {
        return skr_fail (SAKER_ENOTFOUND, "no such collection here");
    }
    return skr_id_equal (collection, &the_roster)
               ? skr_fail (SAKER_EINPUT, "the roster keeps all of its history")
               : SAKER_OK;
}

saker_err_t skr_cut_look (skr_replica_t *self, const skr_id_t *collection,
                          const skr_cut_terms_t *terms, skr_cut_slice_t *slice)
{
    skr_held_t *held;
    choice_t choice = {.terms = terms, .slice = slice};
    SKR_TRY (find_held (self, collection, &held));
    return walk (self, held, &choice);
}

/* ---- taking away */

/* design 5: the increments of one writer become one, in the counters that what goes now touched. */
static saker_err_t fold_chosen (skr_replica_t *self, skr_held_t *held, const choice_t *choice)
{
    skr_folding_t folding = {.replica = self, .held = held, .foldable = choice->terms->foldable};
    saker_err_t error = SAKER_OK;
    if (held->live.sealed) {
        return SAKER_OK; /* there are none */
    }
    for (uint64_t i = 0; folding.foldable && i < choice->slice->entries && !error; i++) {
        error = skr_folding_note (&folding, choice->going[i].position);
    }
    error = error ? error : skr_folding_end (&folding);
    skr_folding_free (&folding);
    return error;
}

static saker_err_t remove_chosen (skr_replica_t *self, skr_held_t *held, const choice_t *choice)
{
    uint64_t bytes = choice->slice->bytes;
    SKR_TRY (skr_replica_begin (self));
    SKR_TRY (skr_holdings_touch (self, held));
    SKR_TRY (skr_log_keep_last (self->store));
    SKR_TRY (fold_chosen (self, held, choice));
    for (uint64_t i = 0; i < choice->slice->entries; i++) {
        const going_t *going = &choice->going[i];
        SKR_TRY (skr_log_remove (self->store, held->live.no, going->writer_no, going->seq,
                                 going->position));
    }
    if (!held->live.sealed) {
        SKR_TRY (
            skr_history_cut (self->store, held->live.no, choice->last_position + 1, choice->hlc));
    }
    held->live.log_bytes -= bytes < held->live.log_bytes ? bytes : held->live.log_bytes;
    SKR_TRY (skr_held_put_cut (self, held->live.no, &choice->cut, choice->last_position));
    return skr_replica_commit (self);
}

static saker_err_t cut_chosen (skr_replica_t *self, skr_held_t *held, choice_t *choice)
{
    saker_err_t error = remove_chosen (self, held, choice);
    if (error != SAKER_OK) {
        skr_replica_abort (self); /* it stays as it was; memory follows the store */
        return error;
    }
    skr_clock_t before = held->cut;
    held->cut = choice->cut;
    held->cut_position = choice->last_position;
    choice->cut = before;
    return SAKER_OK;
}

saker_err_t skr_cut_some (skr_replica_t *self, const skr_id_t *collection,
                          const skr_cut_terms_t *terms, skr_cut_slice_t *slice)
{
    skr_held_t *held;
    choice_t choice = {.terms = terms, .slice = slice};
    assert (!skr_replica_in_group (self));
    SKR_TRY (skr_replica_settle (self)); /* no begin below reads the collections anew */
    SKR_TRY (find_held (self, collection, &held));
    choice.going = calloc (SKR_CUT_SLICE_ENTRIES_MAX, sizeof *choice.going);
    saker_err_t error = choice.going ? skr_clock_copy (&choice.cut, &held->cut)
                                     : skr_fail (SAKER_ENOMEM, "out of memory");
    if (error == SAKER_OK) {
        error = walk (self, held, &choice);
    }
    if (error == SAKER_OK && slice->entries > 0) {
        error = cut_chosen (self, held, &choice);
    }
    skr_clock_free (&choice.cut);
    free (choice.going);
    return skr_wrap (error, "cut the log");
}

/* ---- what is told */

const skr_clock_t *skr_cut_clock (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held && !held->fresh ? &held->cut : NULL;
}

uint64_t skr_cut_position (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held && !held->fresh ? held->cut_position : 0;
}

uint64_t skr_cut_entries (const skr_replica_t *self, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held && !held->fresh ? skr_clock_missing (&held->shown.clock, &held->cut) : 0;
}

saker_err_t skr_cut_kept (const skr_replica_t *self, const skr_collection_t *collection,
                          uint64_t **kept)
{
    const skr_held_t *held = skr_holdings_find (self, &collection->id);
    const skr_clock_t *clock = &collection->clock;
    *kept = clock->count ? calloc (clock->count, sizeof **kept) : NULL;
    if (clock->count && !*kept) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < clock->count; i++) {
        (*kept)[i] = clock->ticks[i].seq - skr_clock_get (&held->cut, &clock->ticks[i].writer);
    }
    return SAKER_OK;
}

/* The change after it carries its hash. */
static saker_err_t hash_in_log (skr_replica_t *self, const skr_held_t *held,
                                const skr_chain_t *chain, uint64_t seq, uint64_t *hash)
{
    uint64_t position;
    skr_log_entry_t entry;
    skr_change_t next;
    SKR_TRY (skr_log_find (self->store, SKR_COMMITTED, held->shown.no, chain->writer_no, seq + 1,
                           &position));
    SKR_TRY (skr_log_get (self->store, SKR_COMMITTED, position, &entry));
    SKR_TRY (skr_change_parse (&next, entry.change));
    *hash = skr_get_u64 (next.prev);
    return SAKER_OK;
}

saker_err_t skr_cut_hash (skr_replica_t *self, const skr_id_t *collection, const skr_id_t *writer,
                          uint64_t seq, uint64_t *hash)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    const skr_chain_t *chain = held ? skr_held_chain (held, writer) : NULL;
    if (!chain || seq > chain->seq) {
        return skr_fail (SAKER_EINPUT, "a change that is not here has no hash");
    }
    if (seq == chain->seq) {
        *hash = skr_get_u64 (chain->hash);
        return SAKER_OK;
    }
    return seq <= skr_clock_get (&held->cut, writer) ? SAKER_ENOTFOUND
                                                     : hash_in_log (self, held, chain, seq, hash);
}
