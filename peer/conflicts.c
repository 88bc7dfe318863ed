#include "peer/conflicts.h"

#include "crdt/limits.h"
#include "crdt/path.h"

#include <sodium.h>
#include <string.h>

/* What a key has for a path: a document id may take 255 bytes, number and zero five. */
#define PATH_BYTES_MAX (SKR_CONFLICT_KEY_BYTES_MAX - 5 - SKR_DOCUMENT_BYTES_MAX)
#define HASH_BYTES 16
#define STEM_BYTES (PATH_BYTES_MAX - 1 - HASH_BYTES)
#define LONG_PATH 0xff /* no byte of a path */

/* ---- addresses. They were checked when they came: here only their sizes matter. */

/* Size of the text item at the start; 0 when there is none. */
static size_t item_size (const uint8_t *at, size_t left)
{
    size_t size = 0;
    if (at[0] >= 0x60 && at[0] <= 0x77) {
        size = 1 + (size_t) (at[0] - 0x60);
    } else if (at[0] == 0x78 && left > 1) {
        size = 2 + (size_t) at[1];
    } else if (at[0] == 0x79 && left > 2) {
        size = 3 + ((size_t) at[1] << 8 | at[2]);
    }
    return size <= left ? size : 0;
}

skr_span_t skr_conflicts_path (skr_span_t address)
{
    size_t at = 0, size = 1;
    while (at < address.size && size > 0) {
        size = item_size (address.data + at, address.size - at);
        at += size;
    }
    return skr_span (address.data, at < address.size ? at : 0);
}

static uint8_t kind_at (skr_span_t address, skr_span_t path)
{
    return path.size < address.size ? address.data[path.size] : 0;
}

static bool is_cell (uint8_t kind)
{
    return kind >= SKR_REGISTER && kind <= SKR_MAP;
}

bool skr_conflicts_between (skr_span_t one, skr_span_t other, skr_span_t *path)
{
    *path = skr_conflicts_path (one);
    uint8_t kind = kind_at (one, *path);
    if (!is_cell (kind) || !skr_span_starts (other, *path)) {
        return false;
    }
    uint8_t next = kind_at (other, *path);
    if (next < 0x20) { /* a cell of the same place */
        return is_cell (next) && (kind != next || kind == SKR_REGISTER);
    }
    return kind != SKR_MAP; /* one below it */
}

typedef struct judging_t {
    skr_span_t path;
    uint8_t kind; /* of the cell before; 0: none yet */
    bool conflict;
} judging_t;

static saker_err_t judge_entry (const skr_entry_t *entry, void *argument)
{
    judging_t *judging = argument;
    uint8_t kind = kind_at (entry->address, judging->path);
    bool leaf = judging->kind != 0 && judging->kind != SKR_MAP;
    if (kind >= 0x20) {
        judging->conflict = leaf;
        return SKR_STOP;
    }
    if (!is_cell (kind)) {
        return SAKER_OK;
    }
    judging->conflict =
        judging->kind != 0 && (judging->kind != kind || judging->kind == SKR_REGISTER);
    judging->kind = kind;
    return judging->conflict ? SKR_STOP : SAKER_OK;
}

saker_err_t skr_conflicts_judge (const skr_cells_t *cells, skr_span_t document, skr_span_t path,
                                 bool *conflict)
{
    judging_t judging = {.path = path};
    saker_err_t error = cells->scan (cells->context, document, path, judge_entry, &judging);
    *conflict = judging.conflict;
    return error == SKR_STOP ? SAKER_OK : error;
}

/* ---- keys */

static size_t document_prefix (uint8_t *key, uint32_t collection_no, skr_span_t document)
{
    skr_put_u32 (key, collection_no);
    memcpy (key + 4, document.data, document.size);
    key[4 + document.size] = 0;
    return 5 + document.size;
}

static saker_err_t check_document (skr_span_t document)
{
    return document.size > 0 && document.size <= SKR_DOCUMENT_BYTES_MAX
               ? SAKER_OK
               : skr_fail (SAKER_ELIMIT, "a document id of %zu bytes: 1 to %d are allowed",
                           document.size, SKR_DOCUMENT_BYTES_MAX);
}

static saker_err_t place_key (uint8_t key[SKR_CONFLICT_KEY_BYTES_MAX], uint32_t collection_no,
                              skr_span_t document, skr_span_t path, skr_span_t *span)
{
    SKR_TRY (check_document (document));
    size_t size = document_prefix (key, collection_no, document);
    if (path.size <= PATH_BYTES_MAX) {
        if (path.size > 0) {
            memcpy (key + size, path.data, path.size);
        }
        *span = skr_span (key, size + path.size);
        return SAKER_OK;
    }
    memcpy (key + size, path.data, STEM_BYTES);
    key[size + STEM_BYTES] = LONG_PATH;
    crypto_generichash (key + size + STEM_BYTES + 1, HASH_BYTES, path.data, path.size, NULL, 0);
    *span = skr_span (key, size + PATH_BYTES_MAX);
    return SAKER_OK;
}

/* ---- the count */

saker_err_t skr_conflicts_count (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                 uint64_t *count)
{
    uint8_t key[4];
    skr_span_t value;
    skr_put_u32 (key, collection_no);
    *count = 0;
    saker_err_t error =
        skr_store_get (store, sight, SKR_CONFLICTS, skr_span (key, sizeof key), &value);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "a number of conflicts: %zu bytes, not 8", value.size);
    }
    *count = skr_get_u64 (value.data);
    return SAKER_OK;
}

static saker_err_t put_count (skr_store_t *store, uint32_t collection_no, uint64_t count)
{
    uint8_t key[4], value[8];
    skr_put_u32 (key, collection_no);
    skr_put_u64 (value, count);
    return skr_store_put (store, SKR_CONFLICTS, skr_span (key, sizeof key),
                          skr_span (value, sizeof value));
}

/* ---- keeping it */

saker_err_t skr_conflicts_has (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                               skr_span_t document, skr_span_t path, bool *has)
{
    uint8_t bytes[SKR_CONFLICT_KEY_BYTES_MAX];
    skr_span_t key, value;
    SKR_TRY (place_key (bytes, collection_no, document, path, &key));
    saker_err_t error = skr_store_get (store, sight, SKR_CONFLICTS, key, &value);
    *has = error == SAKER_OK || error == SAKER_EDAMAGED;
    return *has || error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

/* A damaged record must not stand in the way of writing: it is built anew at the next start. */
static saker_err_t change_count (skr_store_t *store, uint32_t collection_no, int by)
{
    uint64_t count;
    saker_err_t error = skr_conflicts_count (store, SKR_GROUP, collection_no, &count);
    if (error) {
        return error == SAKER_EDAMAGED ? SAKER_OK : error;
    }
    return put_count (store, collection_no, by > 0 ? count + 1 : count - (count > 0));
}

saker_err_t skr_conflicts_add (skr_store_t *store, uint32_t collection_no, skr_span_t document,
                               skr_span_t path)
{
    uint8_t bytes[SKR_CONFLICT_KEY_BYTES_MAX];
    uint8_t value[1 + SKR_DOCUMENT_BYTES_MAX + SKR_PATH_BYTES_MAX];
    skr_span_t key;
    bool has;
    SKR_TRY (skr_conflicts_has (store, SKR_GROUP, collection_no, document, path, &has));
    if (has) {
        return SAKER_OK;
    }
    if (path.size > SKR_PATH_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "path over 1 KiB (SKR_PATH_BYTES_MAX)");
    }
    SKR_TRY (place_key (bytes, collection_no, document, path, &key));
    value[0] = (uint8_t) document.size;
    memcpy (value + 1, document.data, document.size);
    if (path.size > 0) {
        memcpy (value + 1 + document.size, path.data, path.size);
    }
    SKR_TRY (
        skr_store_put (store, SKR_CONFLICTS, key, skr_span (value, 1 + document.size + path.size)));
    return change_count (store, collection_no, 1);
}

saker_err_t skr_conflicts_remove (skr_store_t *store, uint32_t collection_no, skr_span_t document,
                                  skr_span_t path)
{
    uint8_t bytes[SKR_CONFLICT_KEY_BYTES_MAX];
    skr_span_t key;
    SKR_TRY (place_key (bytes, collection_no, document, path, &key));
    saker_err_t error = skr_store_remove (store, SKR_CONFLICTS, key);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    return change_count (store, collection_no, -1);
}

/* ---- asking it */

typedef struct asking_t {
    skr_conflict_fn *visit;
    void *argument;
} asking_t;

static saker_err_t visit_record (skr_span_t key, skr_span_t value, void *argument)
{
    const asking_t *asking = argument;
    if (key.size == 4) {
        return SAKER_OK; /* the count */
    }
    size_t size = value.size > 0 ? value.data[0] : 0;
    if (size == 0 || size > value.size - 1) {
        return skr_fail (SAKER_EDAMAGED, "a record of a conflict is not in form");
    }
    return asking->visit (key, skr_span (value.data + 1, size),
                          skr_span (value.data + 1 + size, value.size - 1 - size),
                          asking->argument);
}

saker_err_t skr_conflicts_scan (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                skr_span_t document, skr_span_t from, skr_conflict_fn *visit,
                                void *argument)
{
    uint8_t prefix[SKR_CONFLICT_KEY_BYTES_MAX];
    size_t size = 4;
    asking_t asking = {visit, argument};
    skr_put_u32 (prefix, collection_no);
    if (document.size > 0) {
        SKR_TRY (check_document (document));
        size = document_prefix (prefix, collection_no, document);
    }
    if (from.size > SKR_CONFLICT_KEY_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "this is no place to go on");
    }
    return skr_store_scan (store, sight, SKR_CONFLICTS, skr_span (prefix, size), from, visit_record,
                           &asking);
}

static saker_err_t note_any (skr_span_t key, skr_span_t document, skr_span_t path, void *argument)
{
    (void) key, (void) document, (void) path;
    *(bool *) argument = true;
    return SKR_STOP;
}

saker_err_t skr_conflicts_any (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                               skr_span_t document, bool *any)
{
    *any = false;
    saker_err_t error = skr_conflicts_scan (store, sight, collection_no, document,
                                            skr_span (NULL, 0), note_any, any);
    *any = *any || error == SAKER_EDAMAGED;
    return *any ? SAKER_OK : error;
}
