/* Checking: LMDB's pages carry no checksum, so a page that was lost, or that came back as it was
   long ago, takes records with it without a word. The fingerprint tells: it is added up anew when a
   store is opened, for collections that are small enough for that to take no time. */

#include "peer/replica_internal.h"

#include <string.h>

#define CHECKED_DOCUMENTS_MAX                                                                      \
    5000 /* of a collection; larger ones are not looked through at the start */

typedef struct adding_t {
    const skr_collection_t *collection;
    skr_span_t document;
    skr_fingerprint_t sum;
} adding_t;

static saker_err_t add_entry (const skr_entry_t *entry, void *argument)
{
    adding_t *adding = argument;
    skr_fingerprint_add (&adding->sum, &adding->collection->id, adding->document, entry);
    return SAKER_OK;
}

/* Names, each after its size in a byte: what a scan hands out is borrowed. */
static saker_err_t list_document (skr_span_t document, void *argument)
{
    skr_buf_t *names = argument;
    skr_buf_append_byte (names, (uint8_t) document.size);
    skr_buf_append_span (names, document);
    return names->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

static saker_err_t add_documents (skr_replica_t *self, const skr_buf_t *names, adding_t *adding,
                                  uint64_t *count)
{
    const skr_cells_t *cells = skr_cells_store_committed (self->cells, adding->collection->no);
    *count = 0;
    for (size_t at = 0; at < names->size; at += 1u + names->data[at]) {
        adding->document = skr_span (names->data + at + 1, names->data[at]);
        SKR_TRY (
            cells->scan (cells->context, adding->document, skr_span (NULL, 0), add_entry, adding));
        ++*count;
    }
    return SAKER_OK;
}

static saker_err_t add_up (skr_replica_t *self, const skr_collection_t *collection, bool *right)
{
    adding_t adding = {.collection = collection};
    skr_buf_t names = {0};
    uint64_t count = 0;
    saker_err_t error = skr_cells_store_documents (self->cells, SKR_COMMITTED, collection->no,
                                                   skr_span (NULL, 0), list_document, &names);
    if (error == SAKER_OK) {
        error = add_documents (self, &names, &adding, &count);
    }
    skr_buf_free (&names);
    *right = count == collection->documents
             && skr_fingerprint_equal (&adding.sum, &collection->fingerprint);
    return error;
}

saker_err_t skr_replica_check_sums (skr_replica_t *self)
{
    static const skr_id_t roster;
    for (size_t i = 0; i < self->held_count; i++) {
        const skr_collection_t *collection = &self->held[i]->shown;
        bool right = true;
        if (collection->documents > CHECKED_DOCUMENTS_MAX
            || skr_id_equal (&collection->id, &roster)) { /* read as a whole anyway */
            continue;
        }
        saker_err_t error = add_up (self, collection, &right);
        if (error == SAKER_EDAMAGED) {
            continue; /* a record says so itself, whenever it is read */
        }
        SKR_TRY (error);
        if (!right) {
            return skr_fail (SAKER_EDAMAGED,
                             "store %s is damaged: %s does not add up to its fingerprint: restore "
                             "it, or join anew",
                             skr_store_folder (self->store),
                             collection->name[0] ? collection->name : "a collection");
        }
    }
    skr_store_forget (self->store);
    return SAKER_OK;
}
