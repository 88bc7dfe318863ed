/* Comparing: what the records of a store say of each other. Records that are damaged were told
   before, so that they are passed over here. */

#include "peer/checkup_internal.h"

#include "crdt/hlc.h"
#include "peer/conflicts.h"
#include "peer/cut.h"
#include "peer/history.h"
#include "peer/numbers.h"
#include "peer/receipts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of (const skr_held_t *held)
{
    return held->shown.name[0] ? held->shown.name : "a collection without a name";
}

/* Not there, or damaged: the record itself was told. */
static bool is_lacking (saker_err_t error)
{
    return error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED;
}

/* Does nobody know this number of a collection? What is left over of a snapshot is known. */
static saker_err_t is_stray (skr_checkup_t *self, uint32_t no, bool *stray)
{
    bool unfinished = false;
    *stray = false;
    if (skr_holdings_by_no (self->replica, no)) {
        return SAKER_OK;
    }
    saker_err_t error = skr_holdings_is_unfinished (self->replica, no, &unfinished);
    *stray = !unfinished;
    return error == SAKER_EDAMAGED ? SAKER_OK : error;
}

/* One walk over a table, with what it compares. */
typedef struct comparing_t {
    skr_checkup_t *checkup;
    skr_tally_t kind;
    uint64_t *counts, *bytes; /* by number of the collection; of those that are there */
    uint32_t no;
    uint64_t document;
    const skr_held_t *held;
    skr_fingerprint_t sum;
    skr_buf_t id, address; /* of the entry before */
} comparing_t;

static saker_err_t compare_counts (skr_checkup_t *self, skr_table_t one, skr_table_t other)
{
    skr_tally_t kind = {0};
    uint64_t here, there;
    SKR_TRY (skr_store_noted (self->store, one, &here));
    SKR_TRY (skr_store_noted (self->store, other, &there));
    return here == there || self->broken[one] || self->broken[other]
               ? SAKER_OK
               : skr_checkup_find (self, &kind, "index.count", skr_checkup_restore,
                                   "table %s has %" PRIu64 " records, table %s has %" PRIu64
                                   ": they should be as many",
                                   skr_table_name (one), here, skr_table_name (other), there);
}

/* Counts for each collection. */
static saker_err_t begin_counting (const skr_checkup_t *self, uint64_t **counts)
{
    *counts = calloc (self->replica->by_no_size + 1, sizeof **counts);
    return *counts ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
}

/* `what`: of the documents that were counted in the table. */
static saker_err_t compare_document_counts (comparing_t *comparing, skr_table_t table,
                                            const char *what)
{
    skr_checkup_t *self = comparing->checkup;
    skr_tally_t kind = {0};
    for (size_t i = 0; i < self->replica->held_count && !self->broken[table]; i++) {
        const skr_held_t *held = self->replica->held[i];
        uint64_t count = comparing->counts[held->shown.no];
        if (count != held->shown.documents) {
            SKR_TRY (skr_checkup_find (self, &kind, "data.count", skr_checkup_restore,
                                       "%s has %s%" PRIu64 " documents, where %" PRIu64
                                       " are noted",
                                       name_of (held), what, count, held->shown.documents));
        }
    }
    return SAKER_OK;
}

/* ---- numbers */

static saker_err_t compare_writer (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    skr_id_t writer;
    uint32_t no = 0;
    SKR_TRY (skr_checkup_step (self));
    if (damaged) {
        return SAKER_OK;
    }
    saker_err_t error = SAKER_ENOTFOUND;
    if (key.size == 4 && value.size == sizeof writer.bytes) {
        memcpy (writer.bytes, value.data, value.size);
        error = skr_store_writer_no (self->store, SKR_COMMITTED, &writer, &no);
    }
    if (error == SAKER_EDAMAGED || (error == SAKER_OK && no == skr_get_u32 (key.data))) {
        return SAKER_OK;
    }
    return error && error != SAKER_ENOTFOUND
               ? error
               : skr_checkup_find (self, &comparing->kind, "index.writers", skr_checkup_restore,
                                   "a writer has a number that is not its own");
}

saker_err_t skr_compare_writers (skr_checkup_t *self)
{
    comparing_t comparing = {.checkup = self};
    SKR_TRY (skr_store_walk (self->store, SKR_WRITER_IDS, compare_writer, &comparing));
    return compare_counts (self, SKR_WRITERS, SKR_WRITER_IDS);
}

static saker_err_t compare_document (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    uint64_t no = 0;
    SKR_TRY (skr_checkup_step (self));
    if (damaged || key.size != 12) {
        return damaged ? SAKER_OK
                       : skr_checkup_find (self, &comparing->kind, "index.documents",
                                           skr_checkup_restore,
                                           "a number of a document is not in form");
    }
    uint32_t collection_no = skr_get_u32 (key.data);
    if (collection_no < self->replica->by_no_size) {
        comparing->counts[collection_no]++;
    }
    saker_err_t error =
        skr_store_document_no (self->store, SKR_COMMITTED, collection_no, value, &no);
    if (error == SAKER_EDAMAGED || (error == SAKER_OK && no == skr_get_u64 (key.data + 4))) {
        return SAKER_OK;
    }
    return error && error != SAKER_ENOTFOUND
               ? error
               : skr_checkup_find (self, &comparing->kind, "index.documents", skr_checkup_restore,
                                   "document %.*s has a number that is not its own",
                                   (int) value.size, (const char *) value.data);
}

saker_err_t skr_compare_documents (skr_checkup_t *self)
{
    comparing_t comparing = {.checkup = self};
    saker_err_t error = begin_counting (self, &comparing.counts);
    error = error ? error
                  : skr_store_walk (self->store, SKR_DOCUMENT_IDS, compare_document, &comparing);
    error = error ? error : compare_document_counts (&comparing, SKR_DOCUMENT_IDS, "");
    free (comparing.counts);
    return error ? error : compare_counts (self, SKR_DOCUMENTS, SKR_DOCUMENT_IDS);
}

/* ---- cells */

/* Whose cells are they, and are there any of nobody's? */
static saker_err_t compare_owner (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    bool stray = false, changed;
    (void) value;
    SKR_TRY (skr_checkup_step (self));
    if (damaged || key.size < 12) {
        return SAKER_OK;
    }
    uint32_t no = skr_get_u32 (key.data);
    uint64_t document = skr_get_u64 (key.data + 4);
    changed = comparing->no != no || comparing->document != document;
    comparing->no = no;
    comparing->document = document;
    SKR_TRY (is_stray (self, no, &stray));
    if (stray) {
        return skr_checkup_find (self, &comparing->kind, "data.stray", skr_checkup_restore,
                                 "there are values of a collection that is not there (number %lu)",
                                 (unsigned long) no);
    }
    if (changed && no < self->replica->by_no_size) {
        comparing->counts[no]++;
    }
    return SAKER_OK;
}

static saker_err_t find_cell (comparing_t *comparing, skr_span_t document, const char *what)
{
    return skr_checkup_find (comparing->checkup, &comparing->kind, "data.cell", skr_checkup_restore,
                             "%s/%.*s: %s", name_of (comparing->held), (int) document.size,
                             (const char *) document.data, what);
}

static saker_err_t compare_conflict (comparing_t *comparing, skr_span_t document, skr_span_t path)
{
    skr_checkup_t *self = comparing->checkup;
    bool has = false;
    saker_err_t error = skr_conflicts_has (self->store, SKR_COMMITTED, comparing->held->shown.no,
                                           document, path, &has);
    if (is_lacking (error) || self->broken[SKR_CONFLICTS]) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    return has ? SAKER_OK
               : skr_checkup_find (self, &comparing->kind, "index.conflicts", skr_checkup_restore,
                                   "a conflict in %s/%.*s is not in the index of conflicts",
                                   name_of (comparing->held), (int) document.size,
                                   (const char *) document.data);
}

static saker_err_t compare_entry (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    comparing_t *comparing = argument;
    const skr_held_t *held = comparing->held;
    skr_span_t path;
    bool same = skr_span_equal (skr_span_of (&comparing->id), document);
    skr_fingerprint_add (&comparing->sum, &held->shown.id, document, entry);
    if (entry->dot.seq > skr_clock_get (&held->shown.clock, &entry->dot.writer)) {
        SKR_TRY (find_cell (comparing, document, "a value is of a change that its clock lacks"));
    }
    if (same && skr_span_compare (skr_span_of (&comparing->address), entry->address) > 0) {
        SKR_TRY (find_cell (comparing, document, "its values are not in order"));
    } else if (same && comparing->checkup->replica->held[0] != held
               && skr_conflicts_between (skr_span_of (&comparing->address), entry->address,
                                         &path)) {
        SKR_TRY (compare_conflict (comparing, document, path));
    }
    if (!same) {
        skr_buf_clear (&comparing->id);
        skr_buf_append_span (&comparing->id, document);
    }
    skr_buf_clear (&comparing->address);
    skr_buf_append_span (&comparing->address, entry->address);
    return comparing->id.failed || comparing->address.failed
               ? skr_fail (SAKER_ENOMEM, "out of memory")
               : SAKER_OK;
}

/* The id is a hash of the name. */
static saker_err_t compare_name (skr_checkup_t *self, const skr_held_t *held)
{
    skr_tally_t kind = {0};
    skr_id_t id = held->shown.id;
    if (held != self->replica->held[0] && held->shown.name[0]) {
        skr_replica_collection_id (self->replica, held->shown.name, &id);
    }
    return skr_id_equal (&id, &held->shown.id)
               ? SAKER_OK
               : skr_checkup_find (self, &kind, "data.name", skr_checkup_restore,
                                   "the name %s of a collection is not the one that its id was "
                                   "made of",
                                   name_of (held));
}

static saker_err_t compare_sum (skr_checkup_t *self, const skr_held_t *held)
{
    comparing_t comparing = {.checkup = self, .held = held};
    skr_tally_t kind = {0};
    saker_err_t error = skr_cells_store_all (self->replica->cells, SKR_COMMITTED, held->shown.no,
                                             compare_entry, &comparing);
    skr_buf_free (&comparing.id);
    skr_buf_free (&comparing.address);
    bool told =
        self->broken[SKR_CELLS] || self->broken[SKR_DOCUMENT_IDS] || self->broken[SKR_WRITER_IDS];
    if (error == SAKER_EDAMAGED) {
        return told ? SAKER_OK
                    : skr_checkup_find (self, &kind, "data.cell", skr_checkup_restore,
                                        "the values of %s cannot be read: %s", name_of (held),
                                        skr_error ());
    }
    SKR_TRY (error);
    return told || held->shown.sealed
                   || skr_fingerprint_equal (&comparing.sum, &held->shown.fingerprint)
               ? SAKER_OK
               : skr_checkup_find (self, &kind, "data.differs", skr_checkup_restore,
                                   "%s does not add up to its fingerprint: a value was changed, or "
                                   "lost, without a word",
                                   name_of (held));
}

saker_err_t skr_compare_cells (skr_checkup_t *self)
{
    comparing_t comparing = {.checkup = self};
    saker_err_t error = begin_counting (self, &comparing.counts);
    error = error ? error : skr_store_walk (self->store, SKR_CELLS, compare_owner, &comparing);
    error = error ? error : compare_document_counts (&comparing, SKR_CELLS, "values of ");
    free (comparing.counts);
    for (size_t i = 0; i < self->replica->held_count && !error; i++) {
        error = compare_name (self, self->replica->held[i]);
        error = error ? error : compare_sum (self, self->replica->held[i]);
    }
    return error;
}

/* ---- the log */

static saker_err_t find_entry (comparing_t *comparing, uint64_t position, const char *what)
{
    return skr_checkup_find (comparing->checkup, &comparing->kind, "log.differs",
                             skr_checkup_restore, "change %" PRIu64 " of the log: %s", position,
                             what);
}

/* Of an entry whose collection is held. */
static saker_err_t compare_place (comparing_t *comparing, const skr_held_t *held,
                                  const skr_log_entry_t *entry, const skr_change_t *change)
{
    skr_checkup_t *self = comparing->checkup;
    const skr_chain_t *chain = skr_held_chain (held, &change->writer);
    uint64_t found = 0;
    if (!skr_id_equal (&change->collection, &held->shown.id)) {
        return find_entry (comparing, entry->position, "it is of another collection");
    }
    if (!chain || change->seq > chain->seq
        || change->seq <= skr_clock_get (&held->cut, &change->writer)
        || entry->position <= held->cut_position) {
        return find_entry (comparing, entry->position,
                           "it is not between the cut and the clock of its collection");
    }
    const skr_roster_t *roster = self->replica->roster;
    const skr_member_t *author = roster ? skr_roster_by_writer (roster, &change->writer) : NULL;
    if (author && skr_change_verify (change, &self->replica->mesh, author->device) != SAKER_OK) {
        return find_entry (comparing, entry->position, "it is not signed by its writer");
    }
    saker_err_t error = skr_log_find (self->store, SKR_COMMITTED, held->shown.no, chain->writer_no,
                                      change->seq, &found);
    if (error == SAKER_EDAMAGED || (error == SAKER_OK && found == entry->position)) {
        return SAKER_OK;
    }
    return error && error != SAKER_ENOTFOUND
               ? error
               : find_entry (comparing, entry->position,
                             "it is not where the index of positions has it");
}

static saker_err_t compare_log_record (skr_span_t key, skr_span_t value, bool damaged,
                                       void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    skr_log_entry_t entry;
    skr_change_t change;
    bool stray = false;
    (void) value;
    SKR_TRY (skr_checkup_step (self));
    uint64_t position = key.size == 8 ? skr_get_u64 (key.data) : 0;
    if (damaged) {
        return SAKER_OK;
    }
    if (!position || skr_log_get (self->store, SKR_COMMITTED, position, &entry) != SAKER_OK
        || skr_change_parse (&change, entry.change) != SAKER_OK) {
        return find_entry (comparing, position, "it is not in form");
    }
    SKR_TRY (is_stray (self, entry.collection_no, &stray));
    if (stray) {
        return find_entry (comparing, position, "it is of a collection that is not there");
    }
    const skr_held_t *held = skr_holdings_by_no (self->replica, entry.collection_no);
    if (!held) {
        return SAKER_OK;
    }
    comparing->counts[entry.collection_no]++;
    comparing->bytes[entry.collection_no] += skr_log_bytes (&entry);
    return compare_place (comparing, held, &entry, &change);
}

static saker_err_t compare_log_sums (comparing_t *comparing)
{
    skr_checkup_t *self = comparing->checkup;
    skr_tally_t kind = {0};
    for (size_t i = 0; i < self->replica->held_count && !self->broken[SKR_LOG]; i++) {
        const skr_held_t *held = self->replica->held[i];
        uint64_t wanted = skr_cut_entries (self->replica, &held->shown.id);
        uint64_t count = comparing->counts[held->shown.no];
        if (count != wanted) {
            SKR_TRY (skr_checkup_find (self, &kind, "log.count", skr_checkup_restore,
                                       "the log of %s has %" PRIu64
                                       " changes, where its clock has %" PRIu64 " above the cut",
                                       name_of (held), count, wanted));
        }
        /* earlier versions did not note it */
        if (held->shown.log_bytes && comparing->bytes[held->shown.no] != held->shown.log_bytes) {
            SKR_TRY (skr_checkup_find (
                self, &kind, "log.count", skr_checkup_restore,
                "the log of %s has %" PRIu64 " bytes, where %" PRIu64 " are noted", name_of (held),
                comparing->bytes[held->shown.no], held->shown.log_bytes));
        }
    }
    return SAKER_OK;
}

saker_err_t skr_compare_log (skr_checkup_t *self)
{
    comparing_t comparing = {.checkup = self};
    saker_err_t error = begin_counting (self, &comparing.counts);
    error = error ? error : begin_counting (self, &comparing.bytes);
    error = error ? error : skr_store_walk (self->store, SKR_LOG, compare_log_record, &comparing);
    error = error ? error : compare_log_sums (&comparing);
    free (comparing.counts);
    free (comparing.bytes);
    return error ? error : compare_counts (self, SKR_LOG, SKR_POSITIONS);
}

/* ---- chains */

typedef struct link_t {
    bool known; /* the hash is that of the change before */
    uint64_t position;
    uint8_t hash[SKR_HASH_BYTES];
} link_t;

static saker_err_t find_chain (skr_checkup_t *self, const skr_held_t *held,
                               const skr_chain_t *chain, uint64_t seq, skr_tally_t *kind,
                               const char *what)
{
    char writer[33];
    skr_hex (writer, chain->writer.bytes, sizeof chain->writer.bytes);
    return skr_checkup_find (self, kind, "log.chain", skr_checkup_restore,
                             "%s, change %" PRIu64 " of writer %s: %s", name_of (held), seq, writer,
                             what);
}

/* One change: after the one before it, and naming it. */
static saker_err_t compare_link (skr_checkup_t *self, const skr_held_t *held,
                                 const skr_chain_t *chain, uint64_t seq, link_t *link,
                                 skr_tally_t *kind)
{
    static const uint8_t none[SKR_HASH_BYTES];
    skr_log_entry_t entry;
    skr_change_t change;
    uint64_t position = 0;
    bool known = link->known;
    link->known = false;
    SKR_TRY (skr_checkup_step (self));
    saker_err_t error =
        skr_log_find (self->store, SKR_COMMITTED, held->shown.no, chain->writer_no, seq, &position);
    error = error ? error : skr_log_get (self->store, SKR_COMMITTED, position, &entry);
    if (is_lacking (error)) {
        return self->broken[SKR_LOG] || self->broken[SKR_POSITIONS]
                   ? SAKER_OK
                   : find_chain (self, held, chain, seq, kind, "it is not in the log");
    }
    SKR_TRY (error);
    if (skr_change_parse (&change, entry.change) != SAKER_OK) {
        return SAKER_OK; /* told before */
    }
    if (position <= link->position) {
        SKR_TRY (find_chain (self, held, chain, seq, kind, "it stands before the one before it"));
    }
    const uint8_t *before = seq == 1 ? none : known ? link->hash : NULL;
    if (before && memcmp (change.prev, before, SKR_HASH_BYTES) != 0) {
        SKR_TRY (find_chain (self, held, chain, seq, kind,
                             "it does not carry the hash of the one before it"));
    }
    skr_change_hash (&change, link->hash);
    link->known = true;
    link->position = position;
    return SAKER_OK;
}

static saker_err_t compare_chain (skr_checkup_t *self, const skr_held_t *held,
                                  const skr_chain_t *chain, skr_tally_t *kind)
{
    link_t link = {0};
    for (uint64_t seq = skr_clock_get (&held->cut, &chain->writer) + 1; seq <= chain->seq; seq++) {
        SKR_TRY (compare_link (self, held, chain, seq, &link, kind));
    }
    return !link.known || memcmp (link.hash, chain->hash, SKR_HASH_BYTES) == 0
               ? SAKER_OK
               : find_chain (self, held, chain, chain->seq, kind,
                             "it is not the one that the clock has the hash of");
}

saker_err_t skr_compare_chains (skr_checkup_t *self)
{
    skr_tally_t kind = {0};
    for (size_t i = 0; i < self->replica->held_count; i++) {
        const skr_held_t *held = self->replica->held[i];
        for (size_t k = 0; k < held->chains.count; k++) {
            SKR_TRY (compare_chain (self, held, &held->chains.list[k], &kind));
        }
    }
    return SAKER_OK;
}

/* ---- indexes */

static saker_err_t compare_place_in_conflict (skr_span_t key, skr_span_t document, skr_span_t path,
                                              void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    bool conflict = false;
    (void) key;
    const skr_cells_t *cells =
        skr_cells_store_committed (self->replica->cells, comparing->held->shown.no);
    saker_err_t error = skr_conflicts_judge (cells, document, path, &conflict);
    comparing->document++;
    if (error == SAKER_EDAMAGED || conflict) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    return skr_checkup_find (self, &comparing->kind, "index.conflicts", skr_checkup_restore,
                             "the index of conflicts has a place in %s/%.*s where none is",
                             name_of (comparing->held), (int) document.size,
                             (const char *) document.data);
}

static saker_err_t compare_conflicts (skr_checkup_t *self, const skr_held_t *held)
{
    comparing_t comparing = {.checkup = self, .held = held};
    skr_tally_t kind = {0};
    uint64_t noted = 0;
    saker_err_t error = skr_conflicts_count (self->store, SKR_COMMITTED, held->shown.no, &noted);
    error =
        error ? error
              : skr_conflicts_scan (self->store, SKR_COMMITTED, held->shown.no, skr_span (NULL, 0),
                                    skr_span (NULL, 0), compare_place_in_conflict, &comparing);
    if (error == SAKER_EDAMAGED || self->broken[SKR_CONFLICTS]) {
        return SAKER_OK; /* told before */
    }
    SKR_TRY (error);
    return comparing.document == noted
               ? SAKER_OK
               : skr_checkup_find (self, &kind, "index.conflicts",
                                   "start sakerd: it makes the index anew",
                                   "the index of conflicts of %s has %" PRIu64
                                   " places, where %" PRIu64 " are noted",
                                   name_of (held), comparing.document, noted);
}

static saker_err_t compare_history (skr_checkup_t *self, const skr_held_t *held)
{
    skr_tally_t kind = {0};
    uint64_t indexed = 0, wrong = 0;
    saker_err_t error = skr_history_check (self->replica, held->shown.no, &indexed, &wrong);
    uint64_t wanted = skr_cut_entries (self->replica, &held->shown.id);
    if (error == SAKER_EDAMAGED || self->broken[SKR_HISTORY] || self->broken[SKR_LOG]) {
        return SAKER_OK; /* told before */
    }
    SKR_TRY (error);
    if (wrong) {
        SKR_TRY (skr_checkup_find (self, &kind, "index.history", skr_checkup_restore,
                                   "the index of history of %s has change %" PRIu64
                                   " of the log with other documents than it touched",
                                   name_of (held), wrong));
    }
    return indexed == wanted ? SAKER_OK
                             : skr_checkup_find (self, &kind, "index.history", skr_checkup_restore,
                                                 "the index of history of %s has %" PRIu64
                                                 " changes of the log, which has %" PRIu64,
                                                 name_of (held), indexed, wanted);
}

saker_err_t skr_compare_indexes (skr_checkup_t *self)
{
    for (size_t i = 1; i < self->replica->held_count; i++) {
        const skr_held_t *held = self->replica->held[i];
        SKR_TRY (compare_conflicts (self, held));
        if (!held->shown.sealed) {
            SKR_TRY (compare_history (self, held));
        }
    }
    return SAKER_OK;
}

/* ---- receipts */

static saker_err_t compare_receipt (skr_span_t key, skr_span_t value, bool damaged, void *argument)
{
    comparing_t *comparing = argument;
    skr_checkup_t *self = comparing->checkup;
    skr_receipt_record_t record;
    SKR_TRY (skr_checkup_step (self));
    if (damaged) {
        return SAKER_OK;
    }
    if (key.size != SKR_RECEIPT_KEY_BYTES || skr_receipt_read (value, &record) != SAKER_OK) {
        return skr_checkup_find (self, &comparing->kind, "receipt.differs", skr_checkup_restore,
                                 "a receipt is not in form");
    }
    const skr_held_t *held =
        record.dated && record.seq ? skr_holdings_find (self->replica, &record.collection) : NULL;
    const skr_chain_t *chain = held ? skr_held_chain (held, &record.writer) : NULL;
    return !chain || record.seq <= chain->seq
               ? SAKER_OK
               : skr_checkup_find (self, &comparing->kind, "receipt.differs", skr_checkup_restore,
                                   "a receipt names change %" PRIu64 " of a writer who has %" PRIu64
                                   " in %s",
                                   record.seq, chain->seq, name_of (held));
}

saker_err_t skr_compare_receipts (skr_checkup_t *self)
{
    comparing_t comparing = {.checkup = self};
    return skr_store_walk (self->store, SKR_OPERATIONS, compare_receipt, &comparing);
}
