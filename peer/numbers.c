#include "peer/numbers.h"

#include "crdt/limits.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT_KEY_BYTES_MAX (4 + SKR_DOCUMENT_BYTES_MAX)

/* ---- writers */

static saker_err_t make_writer (skr_store_t *store, const skr_id_t *writer, uint32_t *no)
{
    uint8_t key[4] = {0xff, 0xff, 0xff, 0xff};
    skr_span_t last_key, last_id;
    saker_err_t error = skr_store_last (store, SKR_GROUP, SKR_WRITER_IDS, skr_span (NULL, 0),
                                        skr_span (key, sizeof key), &last_key, &last_id);
    if (error && error != SAKER_ENOTFOUND) {
        return error;
    }
    uint32_t last = error ? 0 : skr_get_u32 (last_key.data);
    if (last == UINT32_MAX) {
        return skr_fail (SAKER_ELIMIT, "the store knows too many writers");
    }
    *no = last + 1;
    skr_put_u32 (key, *no);
    skr_span_t id = skr_span (writer->bytes, sizeof writer->bytes);
    SKR_TRY (skr_store_put (store, SKR_WRITER_IDS, skr_span (key, sizeof key), id));
    return skr_store_put (store, SKR_WRITERS, id, skr_span (key, sizeof key));
}

static saker_err_t find_writer (skr_store_t *store, skr_sight_t sight, const skr_id_t *writer,
                                uint32_t *no)
{
    skr_span_t value;
    SKR_TRY (skr_store_get (store, sight, SKR_WRITERS,
                            skr_span (writer->bytes, sizeof writer->bytes), &value));
    if (value.size != 4) {
        return skr_fail (SAKER_EDAMAGED, "number of a writer: %zu bytes, not 4", value.size);
    }
    *no = skr_get_u32 (value.data);
    return SAKER_OK;
}

saker_err_t skr_store_writer_no (skr_store_t *store, skr_sight_t sight, const skr_id_t *writer,
                                 uint32_t *no)
{
    saker_err_t error = find_writer (store, sight, writer, no);
    return error == SAKER_ENOTFOUND && sight == SKR_GROUP ? make_writer (store, writer, no) : error;
}

saker_err_t skr_store_writer_id (skr_store_t *store, skr_sight_t sight, uint32_t no,
                                 skr_id_t *writer)
{
    uint8_t key[4];
    skr_span_t value;
    skr_put_u32 (key, no);
    SKR_TRY (skr_store_get (store, sight, SKR_WRITER_IDS, skr_span (key, sizeof key), &value));
    if (value.size != sizeof writer->bytes) {
        return skr_fail (SAKER_EDAMAGED, "id of a writer: %zu bytes, not 16", value.size);
    }
    memcpy (writer->bytes, value.data, sizeof writer->bytes);
    return SAKER_OK;
}

/* ---- documents */

static saker_err_t document_key (uint32_t collection_no, skr_span_t document,
                                 uint8_t bytes[DOCUMENT_KEY_BYTES_MAX], skr_span_t *key)
{
    if (document.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a document id of %zu bytes: at most %d", document.size,
                         SKR_DOCUMENT_BYTES_MAX);
    }
    skr_put_u32 (bytes, collection_no);
    if (document.size > 0) {
        memcpy (bytes + 4, document.data, document.size);
    }
    *key = skr_span (bytes, 4 + document.size);
    return SAKER_OK;
}

static skr_span_t document_id_key (uint32_t collection_no, uint64_t no, uint8_t bytes[12])
{
    skr_put_u32 (bytes, collection_no);
    skr_put_u64 (bytes + 4, no);
    return skr_span (bytes, 12);
}

saker_err_t skr_store_document_no (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                   skr_span_t document, uint64_t *no)
{
    uint8_t bytes[DOCUMENT_KEY_BYTES_MAX];
    skr_span_t key, value;
    SKR_TRY (document_key (collection_no, document, bytes, &key));
    SKR_TRY (skr_store_get (store, sight, SKR_DOCUMENTS, key, &value));
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "number of a document: %zu bytes, not 8", value.size);
    }
    *no = skr_get_u64 (value.data);
    return SAKER_OK;
}

saker_err_t skr_store_document_id (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                   uint64_t no, skr_span_t *document)
{
    uint8_t bytes[12];
    saker_err_t error = skr_store_get (store, sight, SKR_DOCUMENT_IDS,
                                       document_id_key (collection_no, no, bytes), document);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EDAMAGED, "document %llu of collection %lu has no id",
                         (unsigned long long) no, (unsigned long) collection_no);
    }
    return error;
}

saker_err_t skr_store_document_last (skr_store_t *store, uint32_t collection_no, uint64_t *no)
{
    uint8_t prefix[4], bytes[12];
    skr_span_t last_key, last_id;
    skr_put_u32 (prefix, collection_no);
    saker_err_t error =
        skr_store_last (store, SKR_GROUP, SKR_DOCUMENT_IDS, skr_span (prefix, sizeof prefix),
                        document_id_key (collection_no, UINT64_MAX, bytes), &last_key, &last_id);
    *no = error ? 0 : skr_get_u64 (last_key.data + 4);
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

saker_err_t skr_store_document_make (skr_store_t *store, uint32_t collection_no,
                                     skr_span_t document, uint64_t last, uint64_t *no)
{
    uint8_t bytes[DOCUMENT_KEY_BYTES_MAX], id_bytes[12], no_bytes[8];
    skr_span_t key;
    SKR_TRY (document_key (collection_no, document, bytes, &key));
    *no = last + 1;
    skr_put_u64 (no_bytes, *no);
    SKR_TRY (skr_store_put (store, SKR_DOCUMENTS, key, skr_span (no_bytes, sizeof no_bytes)));
    return skr_store_put (store, SKR_DOCUMENT_IDS, document_id_key (collection_no, *no, id_bytes),
                          document);
}

saker_err_t skr_store_document_drop (skr_store_t *store, uint32_t collection_no,
                                     skr_span_t document, uint64_t no)
{
    uint8_t bytes[DOCUMENT_KEY_BYTES_MAX], id_bytes[12];
    skr_span_t key;
    SKR_TRY (document_key (collection_no, document, bytes, &key));
    SKR_TRY (skr_store_remove (store, SKR_DOCUMENTS, key));
    return skr_store_remove (store, SKR_DOCUMENT_IDS,
                             document_id_key (collection_no, no, id_bytes));
}

/* ---- writers in memory */

/* Ids are hashes already. */
static size_t first_slot (const skr_writer_cache_t *self, const skr_id_t *writer)
{
    return (size_t) skr_get_u64 (writer->bytes) & (self->slots_size - 1);
}

static void fill_slot (skr_writer_cache_t *self, uint32_t no)
{
    size_t at = first_slot (self, &self->ids[no]);
    while (self->slots[at] != 0) {
        at = (at + 1) & (self->slots_size - 1);
    }
    self->slots[at] = no;
}

static bool grow_slots (skr_writer_cache_t *self)
{
    if (2 * (self->count + 1) <= self->slots_size) {
        return true;
    }
    size_t size = self->slots_size ? 2 * self->slots_size : 64;
    uint32_t *slots = calloc (size, sizeof *slots), *old = self->slots;
    size_t old_size = self->slots_size;
    if (!slots) {
        return false;
    }
    self->slots = slots;
    self->slots_size = size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i] != 0) {
            fill_slot (self, old[i]);
        }
    }
    free (old);
    return true;
}

static bool grow_ids (skr_writer_cache_t *self, uint32_t no)
{
    if (no < self->ids_size) {
        return true;
    }
    size_t size = self->ids_size ? self->ids_size : 64;
    while (size <= no) {
        size *= 2;
    }
    skr_id_t *ids = realloc (self->ids, size * sizeof *ids);
    if (!ids) {
        return false;
    }
    memset (ids + self->ids_size, 0, (size - self->ids_size) * sizeof *ids);
    self->ids = ids;
    self->ids_size = size;
    return true;
}

static bool is_known (const skr_writer_cache_t *self, uint32_t no)
{
    static const skr_id_t none;
    return no < self->ids_size && !skr_id_equal (&self->ids[no], &none);
}

static saker_err_t keep (skr_writer_cache_t *self, uint32_t no, const skr_id_t *writer)
{
    if (!grow_slots (self) || !grow_ids (self, no)) {
        return skr_fail (SAKER_ENOMEM, "out of memory for the writers");
    }
    if (!is_known (self, no)) {
        self->ids[no] = *writer;
        self->count++;
        fill_slot (self, no);
    }
    return SAKER_OK;
}

/* 0: it is not there. */
static uint32_t cached (const skr_writer_cache_t *self, const skr_id_t *writer)
{
    if (self->count == 0) {
        return 0;
    }
    size_t at = first_slot (self, writer);
    while (self->slots[at] != 0 && !skr_id_equal (&self->ids[self->slots[at]], writer)) {
        at = (at + 1) & (self->slots_size - 1);
    }
    return self->slots[at];
}

saker_err_t skr_writer_cache_find (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                   const skr_id_t *writer, uint32_t *no)
{
    if (self->recent && skr_id_equal (&self->ids[self->recent], writer)) {
        *no = self->recent;
        return SAKER_OK;
    }
    *no = self->recent = cached (self, writer);
    if (*no) {
        return SAKER_OK;
    }
    saker_err_t error = find_writer (store, sight, writer, no);
    if (error == SAKER_ENOTFOUND) {
        *no = 0;
        return SAKER_OK;
    }
    SKR_TRY (error);
    return keep (self, *no, writer);
}

saker_err_t skr_writer_cache_no (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                 const skr_id_t *writer, uint32_t *no)
{
    SKR_TRY (skr_writer_cache_find (self, store, sight, writer, no));
    if (*no) {
        return SAKER_OK;
    }
    SKR_TRY (skr_store_writer_no (store, sight, writer, no));
    return keep (self, *no, writer);
}

saker_err_t skr_writer_cache_id (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                 uint32_t no, skr_id_t *writer)
{
    if (is_known (self, no)) {
        *writer = self->ids[no];
        return SAKER_OK;
    }
    saker_err_t error = skr_store_writer_id (store, sight, no, writer);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EDAMAGED, "writer %lu has no id", (unsigned long) no);
    }
    SKR_TRY (error);
    return keep (self, no, writer);
}

void skr_writer_cache_clear (skr_writer_cache_t *self)
{
    free (self->ids);
    free (self->slots);
    memset (self, 0, sizeof *self);
}
