#include "peer/removal.h"

#include <stdlib.h>
#include <string.h>

#define LOOKED_MAX 16384 /* documents, in one group */
#define PICKED_MAX 1024

/* Documents to be removed. */
typedef struct picking_t {
    const skr_part_t *carried;
    skr_buf_t names; /* each after its size in a byte: what a scan hands out is borrowed */
    size_t looked, picked;
    skr_buf_t next; /* the document to go on at */
    bool more;
} picking_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t pick (skr_span_t document, void *argument)
{
    picking_t *picking = argument;
    if (picking->looked == LOOKED_MAX || picking->picked == PICKED_MAX) {
        picking->more = true;
        skr_buf_append_span (&picking->next, document);
        return picking->next.failed ? no_memory () : SKR_STOP;
    }
    picking->looked++;
    if (!skr_part_holds (picking->carried, document)) {
        picking->picked++;
        skr_buf_append_byte (&picking->names, (uint8_t) document.size);
        skr_buf_append_span (&picking->names, document);
    }
    return picking->names.failed ? no_memory () : SAKER_OK;
}

/* ---- one document */

typedef struct doomed_t {
    skr_entry_t *list; /* address and value: offsets into the bytes until all are there */
    size_t count, count_max;
    skr_buf_t bytes;
} doomed_t;

static saker_err_t take_entry (const skr_entry_t *entry, void *argument)
{
    doomed_t *doomed = argument;
    if (doomed->count == doomed->count_max) {
        return SKR_STOP;
    }
    doomed->list[doomed->count++] = *entry;
    skr_buf_append_span (&doomed->bytes, entry->address);
    skr_buf_append_span (&doomed->bytes, entry->value);
    return doomed->bytes.failed ? no_memory () : SAKER_OK;
}

static void settle (doomed_t *doomed)
{
    const uint8_t *at = doomed->bytes.data;
    for (size_t i = 0; i < doomed->count; i++) {
        skr_entry_t *entry = &doomed->list[i];
        entry->address.data = at;
        entry->value.data = at + entry->address.size;
        at += entry->address.size + entry->value.size;
    }
}

/* Removes what there is room for; doomed->count is how many entries that were. */
static saker_err_t remove_document (skr_replica_t *self, skr_held_t *held, skr_span_t document,
                                    doomed_t *doomed)
{
    const skr_cells_t *cells = skr_cells_store_group (self->cells, &held->live);
    doomed->count = 0;
    skr_buf_clear (&doomed->bytes);
    saker_err_t error =
        cells->scan (cells->context, document, skr_span (NULL, 0), take_entry, doomed);
    SKR_TRY (error == SKR_STOP ? SAKER_OK : error);
    settle (doomed);
    for (size_t i = 0; i < doomed->count; i++) {
        SKR_TRY (cells->remove (cells->context, document, &doomed->list[i]));
    }
    return SAKER_OK;
}

static saker_err_t remove_picked (skr_replica_t *self, skr_held_t *held, picking_t *picking,
                                  doomed_t *doomed)
{
    size_t left = SKR_REMOVAL_ENTRIES_MAX;
    for (size_t at = 0; at < picking->names.size; at += 1u + picking->names.data[at]) {
        skr_span_t document = skr_span (picking->names.data + at + 1, picking->names.data[at]);
        doomed->count_max = left;
        SKR_TRY (remove_document (self, held, document, doomed));
        left -= doomed->count;
        if (left == 0) { /* there may be more of it */
            picking->more = true;
            skr_buf_clear (&picking->next);
            skr_buf_append_span (&picking->next, document);
            return picking->next.failed ? no_memory () : SAKER_OK;
        }
    }
    return SAKER_OK;
}

/* ---- one group */

static saker_err_t remove_some (skr_replica_t *self, skr_held_t *held, picking_t *picking)
{
    doomed_t doomed = {.list = calloc (SKR_REMOVAL_ENTRIES_MAX, sizeof *doomed.list)};
    if (!doomed.list) {
        return no_memory ();
    }
    saker_err_t error = skr_holdings_touch (self, held);
    if (!error) {
        error = skr_cells_store_documents (self->cells, SKR_GROUP, held->live.no,
                                           skr_span_of (&held->partial.at), pick, picking);
    }
    if (!error) {
        error = remove_picked (self, held, picking, &doomed);
    }
    if (!error && !picking->more) {
        error = skr_partial_came (self, &held->live.id, &held->partial.carried);
    }
    free (doomed.list);
    skr_buf_wipe (&doomed.bytes);
    return error;
}

saker_err_t skr_removal_some (skr_replica_t *self, skr_held_t *held)
{
    picking_t picking = {.carried = &held->partial.carried};
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = remove_some (self, held, &picking);
    if (error) {
        skr_replica_abort (self);
    } else {
        error = skr_replica_commit (self);
    }
    if (!error) {
        held->partial.removing = picking.more;
        skr_buf_free (&held->partial.at);
        held->partial.at = picking.next;
        picking.next = (skr_buf_t){0};
    }
    skr_buf_free (&picking.names);
    skr_buf_free (&picking.next);
    return skr_wrap (error, "remove what is not carried");
}
