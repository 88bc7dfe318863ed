#include "peer/snapshot.h"

#include "peer/history.h"
#include "peer/replica_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_BYTES 65536u

/* A snapshot on its way into a file. */
typedef struct making_t {
    skr_replica_t *replica;
    const skr_held_t *held;
    const skr_chains_t *chains; /* as committed */
    uint64_t entries, changes;
    skr_begin_t begin; /* of its history here */
    const skr_extract_t *extract;
    bool sealed, partial;
    skr_fingerprint_t fingerprint; /* of a part */
    FILE *out;
    skr_buf_t buf;
    uint64_t size;
    crypto_generichash_state state;
} making_t;

/* ---- the file */

static saker_err_t file_error (int error)
{
    return skr_fail (error == ENOSPC || error == EDQUOT ? SAKER_EFULL : SAKER_EIO,
                     "write a snapshot: %s", strerror (error));
}

static saker_err_t flush (making_t *making)
{
    const skr_buf_t *buf = &making->buf;
    if (buf->failed) {
        return skr_fail (SAKER_ENOMEM, "out of memory for a snapshot");
    }
    if (buf->size > 0 && fwrite (buf->data, 1, buf->size, making->out) != buf->size) {
        return file_error (errno);
    }
    crypto_generichash_update (&making->state, buf->data, buf->size);
    making->size += buf->size;
    skr_buf_clear (&making->buf);
    return SAKER_OK;
}

static saker_err_t flush_some (making_t *making)
{
    bool due = making->buf.size >= FLUSH_BYTES || making->buf.failed;
    return due ? flush (making) : SAKER_OK;
}

/* ---- the parts */

static saker_err_t count_entry (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    making_t *making = argument;
    making->entries++;
    if (making->partial) {
        skr_fingerprint_add (&making->fingerprint, &making->held->shown.id, document, entry);
    }
    return SAKER_OK;
}

static void put_header (making_t *making)
{
    skr_buf_t *buf = &making->buf;
    static const skr_fingerprint_t none;
    const skr_collection_t *shown = &making->held->shown;
    uint8_t fingerprint[16];
    skr_fingerprint_bytes (making->sealed    ? &none
                           : making->partial ? &making->fingerprint
                                             : &shown->fingerprint,
                           fingerprint);
    skr_cbor_put_map (buf, SKR_SNAPSHOT_HEADER_PAIRS + making->sealed + 2 * making->partial);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, SKR_SNAPSHOT_VERSION);
    skr_cbor_put_uint (buf, 1);
    skr_cbor_put_bytes (buf, shown->id.bytes, sizeof shown->id.bytes);
    skr_cbor_put_uint (buf, 2);
    skr_cbor_put_text (buf, shown->name, making->sealed ? 0 : strlen (shown->name));
    skr_cbor_put_uint (buf, 3);
    skr_clock_put (buf, &shown->clock);
    skr_cbor_put_uint (buf, 4);
    skr_cbor_put_array (buf, making->chains->count);
    for (size_t i = 0; i < making->chains->count; i++) {
        skr_cbor_put_bytes (buf, making->chains->list[i].hash, SKR_HASH_BYTES);
    }
    skr_cbor_put_uint (buf, 5);
    skr_cbor_put_bytes (buf, fingerprint, sizeof fingerprint);
    skr_cbor_put_uint (buf, 6);
    skr_cbor_put_uint (buf, making->entries);
    skr_cbor_put_uint (buf, 7);
    skr_cbor_put_uint (buf, making->changes);
    skr_cbor_put_uint (buf, 8);
    skr_clock_put (buf, &making->held->cut);
    skr_cbor_put_uint (buf, 9);
    skr_cbor_put_uint (buf, making->begin.whole ? 0 : making->begin.hlc);
    skr_cbor_put_uint (buf, 10);
    skr_cbor_put_uint (buf, making->replica->hlc_shown);
    if (making->sealed || making->partial) {
        skr_cbor_put_uint (buf, 11);
        skr_cbor_put_uint (buf, making->sealed);
    }
    if (making->partial) {
        skr_cbor_put_uint (buf, 12);
        skr_part_put (buf, &making->extract->part);
    }
}

/* The place of a writer in the clock, which lists the same writers as the chains. */
static saker_err_t writer_index (const making_t *making, const skr_id_t *writer, size_t *index)
{
    size_t low = 0, high = making->chains->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = skr_id_compare (&making->chains->list[middle].writer, writer);
        if (order == 0) {
            *index = middle;
            return SAKER_OK;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return skr_fail (SAKER_EDAMAGED, "an entry is of a writer that the clock does not name");
}

static saker_err_t put_cell (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    making_t *making = argument;
    skr_buf_t *buf = &making->buf;
    size_t index = 0;
    SKR_TRY (writer_index (making, &entry->dot.writer, &index));
    skr_cbor_put_array (buf, 7);
    skr_cbor_put_text (buf, (const char *) document.data, document.size);
    skr_cbor_put_uint (buf, index);
    skr_cbor_put_uint (buf, entry->dot.seq);
    skr_cbor_put_uint (buf, entry->dot.index);
    skr_cbor_put_uint (buf, entry->hlc);
    skr_cbor_put_bytes (buf, entry->address.data, entry->address.size);
    skr_cbor_put_bytes (buf, entry->value.data, entry->value.size);
    return flush_some (making);
}

static saker_err_t put_change (const skr_log_entry_t *entry, void *argument)
{
    making_t *making = argument;
    skr_buf_t *buf = &making->buf;
    skr_cbor_put_array (buf, 2);
    skr_cbor_put_bytes (buf, entry->change.data, entry->change.size);
    skr_cbor_put_bytes (buf, entry->undo.data, making->sealed ? 0 : entry->undo.size);
    return flush_some (making);
}

/* ---- all of it */

typedef struct visiting_t {
    making_t *making;
    skr_cell_fn *visit;
    skr_span_t document;
} visiting_t;

static saker_err_t visit_entry (const skr_entry_t *entry, void *argument)
{
    const visiting_t *visiting = argument;
    return visiting->visit (visiting->document, entry, visiting->making);
}

static saker_err_t visit_document (skr_span_t document, void *argument)
{
    visiting_t *visiting = argument;
    const making_t *making = visiting->making;
    const skr_cells_t *cells =
        skr_cells_store_committed (making->replica->cells, making->held->shown.no);
    visiting->document = document;
    return cells->scan (cells->context, document, skr_span (NULL, 0), visit_entry, visiting);
}

/* Of a part, its documents alone are read. */
static saker_err_t each_cell (making_t *making, skr_cell_fn *visit)
{
    skr_replica_t *replica = making->replica;
    const skr_collection_t *shown = &making->held->shown;
    visiting_t visiting = {.making = making, .visit = visit};
    return making->partial
               ? skr_partial_documents (replica, shown, &making->extract->part, visit_document,
                                        &visiting)
               : skr_cells_store_all (replica->cells, SKR_COMMITTED, shown->no, visit, making);
}

/* design 5: all from one read transaction; it lasts, since nothing here begins or commits. */
static saker_err_t write_parts (making_t *making)
{
    skr_replica_t *replica = making->replica;
    const skr_collection_t *shown = &making->held->shown;
    making->changes = skr_clock_missing (&shown->clock, &making->held->cut);
    making->begin.whole = true;
    if (!making->sealed) {
        SKR_TRY (each_cell (making, count_entry));
        SKR_TRY (skr_history_begin (replica, SKR_COMMITTED, shown->no, &making->begin));
    }
    put_header (making);
    if (!making->sealed) {
        SKR_TRY (each_cell (making, put_cell));
    }
    SKR_TRY (skr_log_missing (replica->store, SKR_COMMITTED, shown->no, &shown->clock,
                              &making->held->cut, put_change, making));
    SKR_TRY (flush (making));
    return fflush (making->out) == 0 ? SAKER_OK : file_error (errno);
}

static saker_err_t open_new (const char *file, FILE **out)
{
    int descriptor = open (file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *out = descriptor >= 0 ? fdopen (descriptor, "w") : NULL;
    if (*out) {
        return SAKER_OK;
    }
    int error = errno;
    if (descriptor >= 0) {
        (void) close (descriptor);
        (void) unlink (file);
    }
    return error == EEXIST ? skr_fail (SAKER_EEXIST, "snapshot %s is there already", file)
                           : file_error (error);
}

static saker_err_t make (making_t *making, const char *file, uint64_t *size, uint8_t hash[32])
{
    SKR_TRY (open_new (file, &making->out));
    crypto_generichash_init (&making->state, NULL, 0, 32);
    saker_err_t error = write_parts (making);
    if (fclose (making->out) != 0 && !error) {
        error = file_error (errno);
    }
    if (error) {
        (void) unlink (file);
        return error;
    }
    crypto_generichash_final (&making->state, hash, 32);
    *size = making->size;
    return SAKER_OK;
}

/* design 5: a snapshot is of all that is asked for, or there is none. */
static saker_err_t check_part (const skr_held_t *held, const skr_extract_t *extract)
{
    char words[SKR_PART_WORDS_BYTES];
    const skr_part_t *carried = &held->partial.carried;
    return extract->sealed || skr_part_covers (carried, &extract->part)
               ? SAKER_OK
               : skr_fail (SAKER_ENOTCARRIED,
                           "this peer carries only what begins with %s: ask one that carries more",
                           skr_part_words (carried, words));
}

saker_err_t skr_snapshot_make (skr_replica_t *self, const skr_id_t *collection,
                               const skr_extract_t *extract, const char *file, uint64_t *size,
                               uint8_t hash[32])
{
    static const skr_id_t roster;
    const skr_held_t *held = skr_holdings_find (self, collection);
    if (!held || held->fresh) {
        return skr_fail (SAKER_ENOTFOUND, "no such collection here");
    }
    if (skr_id_equal (collection, &roster)) {
        /* Its entries would have to be believed: their rights are checked change by change. */
        return skr_fail (SAKER_EINPUT, "the roster is not sent as a snapshot");
    }
    if (held->shown.sealed && !extract->sealed) {
        return skr_fail (SAKER_ENOTFOUND, "this peer only relays it: ask one that reads it");
    }
    SKR_TRY (check_part (held, extract));
    making_t making = {.replica = self,
                       .held = held,
                       .extract = extract,
                       .sealed = extract->sealed,
                       .partial = !extract->sealed && extract->part.partial};
    making.chains = held->touched ? &held->before : &held->chains;
    saker_err_t error = make (&making, file, size, hash);
    skr_buf_wipe (&making.buf);
    return error;
}
