#include "peer/staged.h"

#include <stdlib.h>

#define CHUNK_BYTES (32u << 10)
#define FIRST_CAPACITY 16

typedef struct skr_staged_chunk_t {
    struct skr_staged_chunk_t *next;
    size_t used;
    size_t capacity;
    uint8_t bytes[];
} chunk_t;

/* ---- memory that stays where it is */

static chunk_t *add_chunk (skr_staged_t *self, size_t size)
{
    size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    chunk_t *chunk = malloc (sizeof *chunk + capacity);
    if (chunk) {
        chunk->next = self->chunks;
        chunk->used = 0;
        chunk->capacity = capacity;
        self->chunks = chunk;
    }
    return chunk;
}

static uint8_t *take (skr_staged_t *self, size_t size)
{
    chunk_t *chunk = self->chunks;
    if (!chunk || chunk->capacity - chunk->used < size) {
        chunk = add_chunk (self, size);
    }
    if (!chunk) {
        return NULL;
    }
    uint8_t *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    self->bytes += size;
    return bytes;
}

/* ---- records */

size_t skr_staged_seek (const skr_staged_t *self, skr_table_t table, skr_span_t key)
{
    const skr_staged_table_t *records = &self->tables[table];
    size_t low = 0, high = records->count;
    /* Most keys that are new are the highest. */
    if (high > 0 && skr_span_compare (records->records[high - 1].key, key) < 0) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_span_compare (records->records[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at (const skr_staged_table_t *records, size_t index, skr_span_t key)
{
    return index < records->count && skr_span_equal (records->records[index].key, key);
}

const skr_staged_record_t *skr_staged_find (const skr_staged_t *self, skr_table_t table,
                                            skr_span_t key)
{
    const skr_staged_table_t *records = &self->tables[table];
    if (records->count == 0) {
        return NULL;
    }
    size_t index = skr_staged_seek (self, table, key);
    return is_at (records, index, key) ? &records->records[index] : NULL;
}

static bool make_room (skr_staged_table_t *records)
{
    if (records->count < records->capacity) {
        return true;
    }
    size_t capacity = records->capacity ? 2 * records->capacity : FIRST_CAPACITY;
    skr_staged_record_t *grown = realloc (records->records, capacity * sizeof *grown);
    if (!grown) {
        return false;
    }
    records->records = grown;
    records->capacity = capacity;
    return true;
}

static uint8_t *put_again (skr_staged_t *self, skr_staged_record_t *record, size_t size)
{
    uint8_t *bytes = (uint8_t *) (uintptr_t) record->record.data;
    if (!bytes || size > record->room) {
        bytes = take (self, size);
        if (!bytes) {
            return NULL;
        }
        record->room = size;
    }
    record->record = skr_span (bytes, size);
    return bytes;
}

uint8_t *skr_staged_put (skr_staged_t *self, skr_table_t table, skr_span_t key, size_t size,
                         bool there)
{
    skr_staged_table_t *records = &self->tables[table];
    size_t index = skr_staged_seek (self, table, key);
    if (is_at (records, index, key)) {
        return put_again (self, &records->records[index], size);
    }
    uint8_t *bytes = make_room (records) ? take (self, key.size + size) : NULL;
    if (!bytes) {
        return NULL;
    }
    skr_staged_record_t *record = &records->records[index];
    memmove (record + 1, record, (records->count - index) * sizeof *record);
    records->count++;
    self->count++;
    memcpy (bytes, key.data, key.size);
    *record = (skr_staged_record_t){.key = skr_span (bytes, key.size),
                                    .record = skr_span (bytes + key.size, size),
                                    .room = size,
                                    .there = there};
    return bytes + key.size;
}

void skr_staged_clear (skr_staged_t *self)
{
    chunk_t *chunk = self->chunks;
    while (chunk && chunk->next) {
        self->chunks = chunk->next;
        free (chunk);
        chunk = self->chunks;
    }
    if (chunk) {
        chunk->used = 0; /* the first one, which is of the common size but for a large record */
    }
    for (int table = 0; table < SKR_TABLES; table++) {
        self->tables[table].count = 0;
    }
    self->count = 0;
    self->bytes = 0;
}

void skr_staged_free (skr_staged_t *self)
{
    skr_staged_clear (self);
    free (self->chunks);
    for (int table = 0; table < SKR_TABLES; table++) {
        free (self->tables[table].records);
    }
    *self = (skr_staged_t){0};
}
