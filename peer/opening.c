#include "peer/opening.h"

#include "peer/numbers.h"

#include <string.h>

static void empty (skr_opened_t *opened)
{
    if (opened->readable) {
        skr_content_free (&opened->content);
    }
    skr_buf_wipe (&opened->clear);
    memset (opened, 0, sizeof *opened);
}

static saker_err_t find_entry (const skr_opening_t *self, const skr_dot_t *dot,
                               skr_log_entry_t *entry)
{
    skr_store_t *store = skr_replica_store (self->replica);
    uint32_t writer_no;
    uint64_t position;
    saker_err_t error = skr_store_writer_no (store, SKR_COMMITTED, &dot->writer, &writer_no);
    if (!error) {
        error = skr_log_find (store, SKR_COMMITTED, self->collection_no, writer_no, dot->seq,
                              &position);
    }
    if (!error) {
        error = skr_log_get (store, SKR_COMMITTED, position, entry);
    }
    return error == SAKER_EDAMAGED ? SAKER_ENOTFOUND : error;
}

static saker_err_t open_entry (skr_opening_t *self, const skr_dot_t *dot, skr_opened_t *opened)
{
    skr_log_entry_t entry;
    skr_change_t change;
    SKR_TRY (find_entry (self, dot, &entry));
    SKR_TRY (skr_change_parse (&change, entry.change));
    saker_err_t error =
        skr_replica_content (self->replica, &change, &opened->clear, &opened->content);
    if (error == SAKER_ENOMEM) {
        return error;
    }
    opened->readable = error == SAKER_OK;
    opened->writer = dot->writer;
    opened->seq = dot->seq;
    opened->hlc = change.hlc;
    return SAKER_OK;
}

saker_err_t skr_opening_find (skr_opening_t *self, const skr_dot_t *dot,
                              const skr_opened_t **opened)
{
    for (size_t i = 0; i < SKR_OPENING_CHANGES; i++) {
        const skr_opened_t *kept = &self->changes[i];
        if (kept->seq == dot->seq && skr_id_equal (&kept->writer, &dot->writer)) {
            *opened = kept;
            return SAKER_OK;
        }
    }
    skr_opened_t *fresh = &self->changes[self->next];
    self->next = (self->next + 1) % SKR_OPENING_CHANGES;
    empty (fresh);
    saker_err_t error = open_entry (self, dot, fresh);
    if (error) {
        empty (fresh);
        return error;
    }
    *opened = fresh;
    return SAKER_OK;
}

const skr_op_t *skr_opened_op (const skr_opened_t *self, const skr_dot_t *dot)
{
    return self->readable && dot->index < self->content.ops_count ? &self->content.ops[dot->index]
                                                                  : NULL;
}

void skr_opening_free (skr_opening_t *self)
{
    for (size_t i = 0; i < SKR_OPENING_CHANGES; i++) {
        empty (&self->changes[i]);
    }
}
