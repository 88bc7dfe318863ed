#include "peer/log.h"

#include "peer/numbers.h"

#include <stdlib.h>
#include <string.h>

/* A record: collection no u32, size of the change u32, the change, the undo. */
#define HEAD_BYTES 8
#define INDEX_KEY_BYTES 16

static void index_key (uint8_t key[INDEX_KEY_BYTES], uint32_t collection_no, uint32_t writer_no,
                       uint64_t seq)
{
    skr_put_u32 (key, collection_no);
    skr_put_u32 (key + 4, writer_no);
    skr_put_u64 (key + 8, seq);
}

static saker_err_t put_entry (skr_store_t *store, skr_span_t key, const skr_log_entry_t *entry)
{
    uint8_t head[HEAD_BYTES];
    skr_buf_t record = {0};
    skr_put_u32 (head, entry->collection_no);
    skr_put_u32 (head + 4, (uint32_t) entry->change.size);
    skr_buf_append (&record, head, sizeof head);
    skr_buf_append_span (&record, entry->change);
    skr_buf_append_span (&record, entry->undo);
    saker_err_t error = record.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                                      : skr_store_put (store, SKR_LOG, key, skr_span_of (&record));
    skr_buf_free (&record);
    return error;
}

saker_err_t skr_log_append (skr_store_t *store, uint32_t writer_no, uint64_t seq,
                            skr_log_entry_t *entry)
{
    uint8_t position[8];
    uint8_t key[INDEX_KEY_BYTES];
    uint64_t last = 0;
    SKR_TRY (skr_log_last (store, SKR_GROUP, &last));
    entry->position = last + 1;
    skr_put_u64 (position, entry->position);
    index_key (key, entry->collection_no, writer_no, seq);
    SKR_TRY (put_entry (store, skr_span (position, sizeof position), entry));
    return skr_store_put (store, SKR_POSITIONS, skr_span (key, sizeof key),
                          skr_span (position, sizeof position));
}

static saker_err_t parse_entry (skr_span_t record, skr_log_entry_t *entry)
{
    uint32_t size = record.size >= HEAD_BYTES ? skr_get_u32 (record.data + 4) : UINT32_MAX;
    if (size > record.size - HEAD_BYTES || record.size < HEAD_BYTES) {
        return skr_fail (SAKER_EDAMAGED, "table log: a record is not well-formed");
    }
    entry->collection_no = skr_get_u32 (record.data);
    entry->change = skr_span (record.data + HEAD_BYTES, size);
    entry->undo = skr_span (record.data + HEAD_BYTES + size, record.size - HEAD_BYTES - size);
    return SAKER_OK;
}

saker_err_t skr_log_get (skr_store_t *store, skr_sight_t sight, uint64_t position,
                         skr_log_entry_t *entry)
{
    uint8_t key[8];
    skr_span_t record;
    skr_put_u64 (key, position);
    SKR_TRY (skr_store_get (store, sight, SKR_LOG, skr_span (key, sizeof key), &record));
    entry->position = position;
    return parse_entry (record, entry);
}

saker_err_t skr_log_find (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          uint32_t writer_no, uint64_t seq, uint64_t *position)
{
    uint8_t key[INDEX_KEY_BYTES];
    skr_span_t value;
    index_key (key, collection_no, writer_no, seq);
    SKR_TRY (skr_store_get (store, sight, SKR_POSITIONS, skr_span (key, sizeof key), &value));
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "table positions: a record is not well-formed");
    }
    *position = skr_get_u64 (value.data);
    return SAKER_OK;
}

saker_err_t skr_log_last (skr_store_t *store, skr_sight_t sight, uint64_t *position)
{
    uint8_t key[8];
    skr_span_t found;
    skr_span_t record;
    memset (key, 0xff, sizeof key);
    saker_err_t error = skr_store_last (store, sight, SKR_LOG, skr_span (NULL, 0),
                                        skr_span (key, sizeof key), &found, &record);
    if (error == SAKER_ENOTFOUND) {
        *position = 0;
        return SAKER_OK;
    }
    SKR_TRY (error);
    *position = skr_get_u64 (found.data);
    return SAKER_OK;
}

/* ---- what another lacks: a merge over writers, by position */

/* The next change of one writer that is missing. */
typedef struct source_t {
    uint64_t position;
    uint64_t seq, last_seq;
    uint32_t writer_no;
} source_t;

typedef struct merge_t {
    skr_store_t *store;
    skr_sight_t sight;
    uint32_t collection_no;
    source_t *heap; /* smallest position first */
    size_t count;
} merge_t;

static void sift_down (merge_t *merge, size_t at)
{
    while (true) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->count; child++) {
            least = merge->heap[child].position < merge->heap[least].position ? child : least;
        }
        if (least == at) {
            return;
        }
        source_t moved = merge->heap[at];
        merge->heap[at] = merge->heap[least];
        merge->heap[least] = moved;
        at = least;
    }
}

static saker_err_t locate (const merge_t *merge, source_t *source)
{
    saker_err_t error = skr_log_find (merge->store, merge->sight, merge->collection_no,
                                      source->writer_no, source->seq, &source->position);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EGAP, "changes before this are no longer kept");
    }
    return error;
}

static saker_err_t fill_heap (merge_t *merge, const skr_clock_t *clock, const skr_clock_t *have)
{
    for (size_t i = 0; i < clock->count; i++) {
        const skr_tick_t *tick = &clock->ticks[i];
        source_t source = {.seq = skr_clock_get (have, &tick->writer) + 1, .last_seq = tick->seq};
        if (source.seq <= source.last_seq) {
            SKR_TRY (skr_store_writer_no (merge->store, merge->sight, &tick->writer,
                                          &source.writer_no));
            SKR_TRY (locate (merge, &source));
            merge->heap[merge->count++] = source;
        }
    }
    for (size_t i = merge->count / 2; i-- > 0;) {
        sift_down (merge, i);
    }
    return SAKER_OK;
}

/* Visits the first of the heap and puts its writer's next change in its place. */
static saker_err_t visit_first (merge_t *merge, skr_log_fn *visit, void *argument)
{
    skr_log_entry_t entry;
    source_t *first = &merge->heap[0];
    saker_err_t error = skr_log_get (merge->store, merge->sight, first->position, &entry);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EGAP, "changes before this are no longer kept");
    }
    SKR_TRY (error);
    SKR_TRY (visit (&entry, argument));
    if (first->seq++ == first->last_seq) {
        *first = merge->heap[--merge->count];
    } else {
        SKR_TRY (locate (merge, first));
    }
    sift_down (merge, 0);
    return SAKER_OK;
}

saker_err_t skr_log_missing (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                             const skr_clock_t *clock, const skr_clock_t *have, skr_log_fn *visit,
                             void *argument)
{
    merge_t merge = {store, sight, collection_no, NULL, 0};
    merge.heap = calloc (clock->count + 1, sizeof *merge.heap);
    if (!merge.heap) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    saker_err_t error = fill_heap (&merge, clock, have);
    while (error == SAKER_OK && merge.count) {
        error = visit_first (&merge, visit, argument);
    }
    free (merge.heap);
    return error == SKR_STOP ? SAKER_OK : error;
}
