/* A log record: collection no u32 | size of the change u32 | change | undo.

   In SKR_META, "log" is the last position that was given before the log was last cut. */

#include "peer/log.h"

#include "peer/numbers.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 8
#define LAST_KEY "log"
#define POSITION_KEY_BYTES 16 /* collection no u32, writer no u32, seq u64 */

/* ---- one entry */

static skr_span_t position_key (uint8_t bytes[POSITION_KEY_BYTES], uint32_t collection_no,
                                uint32_t writer_no, uint64_t seq)
{
    skr_put_u32 (bytes, collection_no);
    skr_put_u32 (bytes + 4, writer_no);
    skr_put_u64 (bytes + 8, seq);
    return skr_span (bytes, POSITION_KEY_BYTES);
}

static saker_err_t get_last (skr_store_t *store, skr_sight_t sight, uint64_t *position)
{
    skr_span_t value;
    saker_err_t error = skr_store_get (store, sight, SKR_META, skr_span_text (LAST_KEY), &value);
    if (error == SAKER_ENOTFOUND) {
        *position = 0;
        return SAKER_OK;
    }
    SKR_TRY (error);
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "the last position of the log is not in form");
    }
    *position = skr_get_u64 (value.data);
    return SAKER_OK;
}

saker_err_t skr_log_last (skr_store_t *store, skr_sight_t sight, uint64_t *position)
{
    uint8_t end[8];
    skr_span_t key;
    uint64_t kept = 0;
    SKR_TRY (get_last (store, sight, &kept));
    skr_put_u64 (end, UINT64_MAX);
    saker_err_t error = skr_store_last (store, sight, SKR_LOG, skr_span (NULL, 0),
                                        skr_span (end, sizeof end), &key, NULL);
    if (error == SAKER_OK && key.size != sizeof end) {
        return skr_fail (SAKER_EDAMAGED, "the last position of the log: %zu bytes, not 8",
                         key.size);
    }
    *position = error ? 0 : skr_get_u64 (key.data);
    *position = *position > kept ? *position : kept;
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t put_entry (skr_store_t *store, const skr_log_entry_t *entry)
{
    uint8_t key[8], head[HEAD_BYTES];
    const skr_span_t parts[] = {skr_span (head, sizeof head), entry->change, entry->undo};
    skr_put_u64 (key, entry->position);
    skr_put_u32 (head, entry->collection_no);
    skr_put_u32 (head + 4, (uint32_t) entry->change.size);
    return skr_store_put_parts (store, SKR_LOG, skr_span (key, sizeof key), parts, 3);
}

saker_err_t skr_log_append (skr_store_t *store, uint32_t writer_no, uint64_t seq,
                            skr_log_entry_t *entry)
{
    uint8_t key[POSITION_KEY_BYTES], position[8];
    uint64_t last;
    SKR_TRY (skr_log_last (store, SKR_GROUP, &last));
    entry->position = last + 1;
    SKR_TRY (put_entry (store, entry));
    skr_put_u64 (position, entry->position);
    return skr_store_put (store, SKR_POSITIONS,
                          position_key (key, entry->collection_no, writer_no, seq),
                          skr_span (position, sizeof position));
}

saker_err_t skr_log_rewrite (skr_store_t *store, const skr_log_entry_t *entry)
{
    return put_entry (store, entry);
}

saker_err_t skr_log_get (skr_store_t *store, skr_sight_t sight, uint64_t position,
                         skr_log_entry_t *entry)
{
    uint8_t key[8];
    skr_span_t record;
    skr_put_u64 (key, position);
    SKR_TRY (skr_store_get (store, sight, SKR_LOG, skr_span (key, sizeof key), &record));
    size_t size = record.size >= HEAD_BYTES ? skr_get_u32 (record.data + 4) : 0;
    if (record.size < HEAD_BYTES || size > record.size - HEAD_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "log entry %llu does not decode",
                         (unsigned long long) position);
    }
    *entry = (skr_log_entry_t){
        .position = position,
        .collection_no = skr_get_u32 (record.data),
        .change = skr_span (record.data + HEAD_BYTES, size),
        .undo = skr_span (record.data + HEAD_BYTES + size, record.size - HEAD_BYTES - size),
    };
    return SAKER_OK;
}

saker_err_t skr_log_find (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          uint32_t writer_no, uint64_t seq, uint64_t *position)
{
    uint8_t key[POSITION_KEY_BYTES];
    skr_span_t value;
    SKR_TRY (skr_store_get (store, sight, SKR_POSITIONS,
                            position_key (key, collection_no, writer_no, seq), &value));
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "position of a change: %zu bytes, not 8", value.size);
    }
    *position = skr_get_u64 (value.data);
    return SAKER_OK;
}

static saker_err_t note_first (skr_span_t key, skr_span_t value, void *argument)
{
    (void) value;
    *(uint64_t *) argument = skr_get_u64 (key.data + 8);
    return SKR_STOP;
}

saker_err_t skr_log_base (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          const skr_clock_t *clock, skr_clock_t *base)
{
    base->count = 0;
    for (size_t i = 0; i < clock->count; i++) {
        const skr_tick_t *tick = &clock->ticks[i];
        uint8_t prefix[8];
        uint32_t writer_no;
        uint64_t first = tick->seq + 1;
        SKR_TRY (skr_store_writer_no (store, sight, &tick->writer, &writer_no));
        skr_put_u32 (prefix, collection_no);
        skr_put_u32 (prefix + 4, writer_no);
        SKR_TRY (skr_store_scan (store, sight, SKR_POSITIONS, skr_span (prefix, sizeof prefix),
                                 skr_span (NULL, 0), note_first, &first));
        SKR_TRY (skr_clock_set (base, &tick->writer, first - 1));
    }
    return SAKER_OK;
}

/* ---- what is missing */

/* One writer of whom something is missing, and the position of its next change. */
typedef struct strand_t {
    uint64_t position;
    uint64_t seq;
    uint64_t last_seq;
    uint32_t writer_no;
    const skr_id_t *writer;
} strand_t;

/* A merge of the writers' changes by position: a binary heap, the lowest position first. A writer's
   changes stand in the log in order of seq, so its strand ascends. */
typedef struct merge_t {
    skr_store_t *store;
    skr_sight_t sight;
    uint32_t collection_no;
    strand_t *strands;
    size_t count;
} merge_t;

static void sink (merge_t *merge, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1;
        for (size_t child = left; child < left + 2 && child < merge->count; child++) {
            if (merge->strands[child].position < merge->strands[least].position) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        strand_t strand = merge->strands[at];
        merge->strands[at] = merge->strands[least];
        merge->strands[least] = strand;
        at = least;
    }
}

static saker_err_t find_position (const merge_t *merge, strand_t *strand)
{
    saker_err_t error = skr_log_find (merge->store, merge->sight, merge->collection_no,
                                      strand->writer_no, strand->seq, &strand->position);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EGAP, "change %llu of a writer is no longer in the log",
                         (unsigned long long) strand->seq);
    }
    return error;
}

static saker_err_t add_strand (merge_t *merge, const skr_tick_t *tick, uint64_t have)
{
    strand_t *strand = &merge->strands[merge->count];
    saker_err_t error =
        skr_store_writer_no (merge->store, merge->sight, &tick->writer, &strand->writer_no);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EGAP, "the log has nothing of a writer");
    }
    SKR_TRY (error);
    strand->writer = &tick->writer;
    strand->seq = have + 1;
    strand->last_seq = tick->seq;
    SKR_TRY (find_position (merge, strand));
    merge->count++;
    return SAKER_OK;
}

/* A gap shows here, before anything is visited: history is dropped from its beginning. */
static saker_err_t add_strands (merge_t *merge, const skr_clock_t *clock, const skr_clock_t *have)
{
    for (size_t i = 0; i < clock->count; i++) {
        uint64_t seq = skr_clock_get (have, &clock->ticks[i].writer);
        if (seq < clock->ticks[i].seq) {
            SKR_TRY (add_strand (merge, &clock->ticks[i], seq));
        }
    }
    for (size_t at = merge->count / 2; at-- > 0;) {
        sink (merge, at);
    }
    return SAKER_OK;
}

static saker_err_t visit_first (merge_t *merge, skr_log_place_fn *visit, void *argument)
{
    strand_t *first = &merge->strands[0];
    skr_log_entry_t entry;
    skr_log_place_t place = {.position = first->position,
                             .writer = first->writer,
                             .writer_no = first->writer_no,
                             .seq = first->seq};
    saker_err_t error = skr_log_get (merge->store, merge->sight, first->position, &entry);
    if (error == SAKER_ENOTFOUND) {
        error = skr_fail (SAKER_EDAMAGED, "log entry %llu is missing",
                          (unsigned long long) first->position);
    }
    if (error != SAKER_OK && error != SAKER_EDAMAGED) {
        return error;
    }
    place.entry = error == SAKER_OK ? &entry : NULL;
    SKR_TRY (visit (&place, argument));
    if (first->seq == first->last_seq) {
        *first = merge->strands[--merge->count];
    } else {
        first->seq++;
        SKR_TRY (find_position (merge, first));
    }
    sink (merge, 0);
    return SAKER_OK;
}

static size_t count_behind (const skr_clock_t *clock, const skr_clock_t *have)
{
    size_t count = 0;
    for (size_t i = 0; i < clock->count; i++) {
        count += skr_clock_get (have, &clock->ticks[i].writer) < clock->ticks[i].seq;
    }
    return count;
}

saker_err_t skr_log_walk (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          const skr_clock_t *clock, const skr_clock_t *have,
                          skr_log_place_fn *visit, void *argument)
{
    merge_t merge = {.store = store, .sight = sight, .collection_no = collection_no};
    size_t count = count_behind (clock, have);
    if (count == 0) {
        return SAKER_OK;
    }
    merge.strands = calloc (count, sizeof *merge.strands);
    if (!merge.strands) {
        return skr_fail (SAKER_ENOMEM, "out of memory for %zu writers", count);
    }
    saker_err_t error = add_strands (&merge, clock, have);
    while (!error && merge.count > 0) {
        error = visit_first (&merge, visit, argument);
    }
    free (merge.strands);
    return error == SKR_STOP ? SAKER_OK : error;
}

/* A record that cannot be read ends the visit; its sentence was set when that was found. */
typedef struct whole_t {
    skr_log_fn *visit;
    void *argument;
} whole_t;

static saker_err_t visit_whole (const skr_log_place_t *place, void *argument)
{
    const whole_t *whole = argument;
    return place->entry ? whole->visit (place->entry, whole->argument) : SAKER_EDAMAGED;
}

saker_err_t skr_log_missing (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                             const skr_clock_t *clock, const skr_clock_t *have, skr_log_fn *visit,
                             void *argument)
{
    whole_t whole = {visit, argument};
    return skr_log_walk (store, sight, collection_no, clock, have, visit_whole, &whole);
}

/* ---- taking away */

size_t skr_log_bytes (const skr_log_entry_t *entry)
{
    return HEAD_BYTES + entry->change.size + entry->undo.size;
}

saker_err_t skr_log_remove (skr_store_t *store, uint32_t collection_no, uint32_t writer_no,
                            uint64_t seq, uint64_t position)
{
    uint8_t key[POSITION_KEY_BYTES], at[8];
    skr_put_u64 (at, position);
    saker_err_t error = skr_store_remove (store, SKR_LOG, skr_span (at, sizeof at));
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return error;
    }
    error =
        skr_store_remove (store, SKR_POSITIONS, position_key (key, collection_no, writer_no, seq));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_log_keep_last (skr_store_t *store)
{
    uint8_t value[8];
    uint64_t last;
    SKR_TRY (skr_log_last (store, SKR_GROUP, &last));
    skr_put_u64 (value, last);
    return skr_store_put (store, SKR_META, skr_span_text (LAST_KEY),
                          skr_span (value, sizeof value));
}
