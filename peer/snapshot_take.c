/* Taking a snapshot:

     header -> entries, into cells of a fresh number -> does it add up to the fingerprint?
       -> log: form, author, signature, role, chain, order -> does it end at the clock?
       -> what we hold beyond it, applied -> one group that switches over

   Each part may take many groups; until the last nothing of it can be seen. One that is sealed
   (sealed.h) has no entries, and of its log nothing is opened. */

#include "peer/snapshot.h"

#include "crdt/fold.h"
#include "crdt/hlc.h"
#include "crdt/value.h"
#include "peer/carrying.h"
#include "peer/fork.h"
#include "peer/history.h"
#include "peer/replica_internal.h"
#include "peer/sealed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One group of the building. */
#define GROUP_ITEMS_MAX 4096
#define GROUP_BYTES_MAX (4u << 20)
#define SENTENCE_BYTES 512

/* One writer of the snapshot, and how far its part of the log was read. */
typedef struct strand_t {
    skr_chain_t chain; /* seq and hash as they will be in the end; writer_no 0: none yet */
    uint64_t cut;      /* the seq above which its part of the log starts */
    uint64_t seen;     /* seq of its last change in the log; the cut: none yet */
    uint8_t hash[SKR_HASH_BYTES]; /* of its last change in the log */
} strand_t;

typedef struct taking_t {
    skr_replica_t *replica;
    const skr_held_t *old; /* NULL: we have nothing of it */
    skr_cbor_t cbor;
    skr_collection_t fresh;
    skr_fingerprint_t wanted;
    skr_fingerprint_t beside; /* of entries that are not wanted here */
    skr_part_t part;          /* that is wanted here */
    bool lacks;               /* more than what is here */
    skr_clock_t cut;
    uint64_t begin_hlc; /* of the sender's history; 0: it is whole */
    uint64_t entries, changes;
    strand_t *strands; /* ascending by writer: those of fresh.clock, later those beyond it too */
    size_t count, capacity;
    size_t group_items, group_bytes;
    uint64_t hlc; /* the highest that does not run ahead */
    skr_buf_t change, content, undo;
    bool forked;  /* `change` is another than we wrote ourselves */
    bool sealing; /* it is our own */
} taking_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for a snapshot");
}

/* ---- groups */

/* Begins one, or goes on to the next when this one has enough. */
static saker_err_t keep_group_small (taking_t *taking, size_t bytes)
{
    taking->group_items++;
    taking->group_bytes += bytes;
    if (taking->group_items > GROUP_ITEMS_MAX || taking->group_bytes > GROUP_BYTES_MAX) {
        SKR_TRY (skr_replica_commit (taking->replica));
        taking->group_items = 0;
        taking->group_bytes = 0;
    }
    return skr_replica_begin (taking->replica);
}

static void note_hlc (taking_t *taking, uint64_t hlc)
{
    const skr_world_t *world = taking->replica->world;
    (void) skr_hlc_seen (&taking->hlc, hlc, world->wall_ms (world->context));
}

/* ---- strands */

static size_t strand_at (const taking_t *taking, const skr_id_t *writer)
{
    size_t low = 0, high = taking->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&taking->strands[middle].chain.writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* NULL when there is none. */
static strand_t *find_strand (const taking_t *taking, const skr_id_t *writer)
{
    size_t at = strand_at (taking, writer);
    bool found = at < taking->count && skr_id_equal (&taking->strands[at].chain.writer, writer);
    return found ? &taking->strands[at] : NULL;
}

static saker_err_t add_strand (taking_t *taking, const skr_id_t *writer, strand_t **strand)
{
    if (taking->count == taking->capacity) {
        size_t capacity = taking->capacity ? 2 * taking->capacity : 16;
        strand_t *strands = realloc (taking->strands, capacity * sizeof *strands);
        if (!strands) {
            return no_memory ();
        }
        taking->strands = strands;
        taking->capacity = capacity;
    }
    size_t at = strand_at (taking, writer);
    *strand = &taking->strands[at];
    memmove (*strand + 1, *strand, (taking->count - at) * sizeof **strand);
    taking->count++;
    memset (*strand, 0, sizeof **strand);
    (*strand)->chain.writer = *writer;
    return SAKER_OK;
}

/* In a group. */
static saker_err_t number_strand (const taking_t *taking, strand_t *strand)
{
    return strand->chain.writer_no != 0
               ? SAKER_OK
               : skr_store_writer_no (taking->replica->store, SKR_GROUP, &strand->chain.writer,
                                      &strand->chain.writer_no);
}

/* ---- header */

static saker_err_t check_cbor (const taking_t *taking)
{
    const skr_cbor_t *cbor = &taking->cbor;
    return cbor->error ? skr_fail (SAKER_EINPUT, "%s, at byte %zu", cbor->wrong, cbor->wrong_at)
                       : SAKER_OK;
}

/* A name is believed only when it hashes to the id. */
static void take_name (taking_t *taking, skr_span_t name)
{
    char text[SKR_COLLECTION_BYTES_MAX + 1] = {0};
    skr_id_t id;
    if (taking->old && taking->old->shown.name[0]) {
        memcpy (taking->fresh.name, taking->old->shown.name, sizeof taking->fresh.name);
        return;
    }
    if (name.size == 0 || name.size > SKR_COLLECTION_BYTES_MAX) {
        return;
    }
    memcpy (text, name.data, name.size);
    skr_replica_collection_id (taking->replica, text, &id);
    if (strlen (text) == name.size && skr_id_equal (&id, &taking->fresh.id)
        && skr_collection_name_check (text) == SAKER_OK) {
        memcpy (taking->fresh.name, text, sizeof text);
    }
}

static saker_err_t read_identity (taking_t *taking, int64_t *last, bool *partial)
{
    skr_cbor_t *cbor = &taking->cbor;
    skr_id_t id;
    size_t pairs = skr_cbor_get_map (cbor, 64);
    skr_cbor_want_key (cbor, last, 0);
    uint64_t version = skr_cbor_get_uint (cbor);
    SKR_TRY (check_cbor (taking));
    if (version != SKR_SNAPSHOT_VERSION) {
        return skr_fail (SAKER_EVERSION, "it has version %llu; this program knows version %d",
                         (unsigned long long) version, SKR_SNAPSHOT_VERSION);
    }
    const size_t wanted = SKR_SNAPSHOT_HEADER_PAIRS + taking->fresh.sealed;
    *partial = !taking->fresh.sealed && pairs == wanted + 2;
    if (pairs != wanted && !*partial) {
        return skr_fail (SAKER_EINPUT, "its header has %zu parts where version %d has %zu %s",
                         pairs, SKR_SNAPSHOT_VERSION, wanted,
                         taking->fresh.sealed ? "when it is sealed" : "when it can be read");
    }
    skr_cbor_want_key (cbor, last, 1);
    skr_cbor_get_fixed (cbor, id.bytes, sizeof id.bytes);
    skr_cbor_want_key (cbor, last, 2);
    take_name (taking, skr_cbor_get_text (cbor));
    SKR_TRY (check_cbor (taking));
    return skr_id_equal (&id, &taking->fresh.id)
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "it is of another collection");
}

static saker_err_t read_hashes (taking_t *taking)
{
    const skr_clock_t *clock = &taking->fresh.clock;
    size_t count = skr_cbor_get_array (&taking->cbor, SKR_CLOCK_WRITERS_MAX);
    SKR_TRY (check_cbor (taking));
    if (count != clock->count || count == 0) {
        return skr_fail (SAKER_EINPUT, "clock and hashes do not match");
    }
    for (size_t i = 0; i < count; i++) {
        strand_t *strand;
        if (!skr_roster_by_writer (taking->replica->roster, &clock->ticks[i].writer)) {
            return skr_fail (SAKER_EWAIT,
                             "it has changes of a writer that the roster does not name");
        }
        SKR_TRY (add_strand (taking, &clock->ticks[i].writer, &strand));
        strand->chain.seq = clock->ticks[i].seq;
        skr_cbor_get_fixed (&taking->cbor, strand->chain.hash, SKR_HASH_BYTES);
    }
    return check_cbor (taking);
}

/* The log must hold all that is above. */
static saker_err_t read_cut (taking_t *taking)
{
    SKR_TRY (skr_clock_read (&taking->cbor, &taking->cut, SKR_CLOCK_WRITERS_MAX));
    if (!skr_clock_covers (&taking->fresh.clock, &taking->cut)
        || skr_clock_missing (&taking->fresh.clock, &taking->cut) != taking->changes) {
        return skr_fail (SAKER_EINPUT, "clock, cut and log do not match");
    }
    for (size_t i = 0; i < taking->cut.count; i++) {
        strand_t *strand = find_strand (taking, &taking->cut.ticks[i].writer);
        if (!strand) {
            return skr_fail (SAKER_EINPUT, "its cut names a writer that its clock does not");
        }
        strand->cut = strand->seen = taking->cut.ticks[i].seq;
    }
    return SAKER_OK;
}

/* It may be of more than is wanted, as when that was narrowed while it came. */
static saker_err_t read_part (taking_t *taking)
{
    skr_part_t part = {.partial = false};
    skr_part_get (&taking->cbor, &part);
    bool covers = skr_part_covers (&part, &taking->part);
    skr_part_free (&part);
    SKR_TRY (check_cbor (taking));
    return covers ? SAKER_OK
                  : skr_fail (SAKER_EINPUT, "it is of another part than what is wanted here");
}

static saker_err_t read_header (taking_t *taking)
{
    skr_cbor_t *cbor = &taking->cbor;
    uint8_t fingerprint[16];
    int64_t last = -1;
    bool partial = false;
    SKR_TRY (read_identity (taking, &last, &partial));
    skr_cbor_want_key (cbor, &last, 3);
    SKR_TRY (skr_clock_read (cbor, &taking->fresh.clock, SKR_CLOCK_WRITERS_MAX));
    skr_cbor_want_key (cbor, &last, 4);
    SKR_TRY (read_hashes (taking));
    skr_cbor_want_key (cbor, &last, 5);
    skr_cbor_get_fixed (cbor, fingerprint, sizeof fingerprint);
    skr_fingerprint_from_bytes (&taking->wanted, fingerprint);
    skr_cbor_want_key (cbor, &last, 6);
    taking->entries = skr_cbor_get_uint (cbor);
    skr_cbor_want_key (cbor, &last, 7);
    taking->changes = skr_cbor_get_uint (cbor);
    skr_cbor_want_key (cbor, &last, 8);
    SKR_TRY (check_cbor (taking));
    SKR_TRY (read_cut (taking));
    skr_cbor_want_key (cbor, &last, 9);
    taking->begin_hlc = skr_cbor_get_uint (cbor);
    skr_cbor_want_key (cbor, &last, 10);
    note_hlc (taking, skr_cbor_get_uint (cbor));
    if (taking->fresh.sealed || partial) {
        skr_cbor_want_key (cbor, &last, 11);
        (void) skr_cbor_get_uint (cbor);
        taking->entries = taking->fresh.sealed ? 0 : taking->entries;
    }
    if (partial) {
        skr_cbor_want_key (cbor, &last, 12);
        SKR_TRY (read_part (taking));
    }
    return check_cbor (taking);
}

/* Does what we have agree with it, as far as both go? */
static saker_err_t check_old (const taking_t *taking)
{
    for (size_t i = 0; taking->old && i < taking->old->chains.count; i++) {
        const skr_chain_t *ours = &taking->old->chains.list[i];
        const strand_t *theirs = find_strand (taking, &ours->writer);
        if (theirs && theirs->chain.seq == ours->seq
            && memcmp (theirs->chain.hash, ours->hash, SKR_HASH_BYTES) != 0) {
            return skr_fail (SAKER_EFORGED, "it has another change %llu of a writer than we have",
                             (unsigned long long) ours->seq);
        }
    }
    return SAKER_OK;
}

/* ---- entries */

static bool is_null (skr_span_t value)
{
    return value.size == 1 && value.data[0] == 0xf6;
}

static saker_err_t check_cell (const skr_entry_t *entry)
{
    skr_span_t path, member;
    skr_kind_t kind;
    saker_value_t value;
    skr_fingerprint_t hashes;
    SKR_TRY (skr_address_parse (entry->address, &path, &kind, &member));
    bool good = false;
    switch (kind) {
    case SKR_REGISTER:
    case SKR_LWW:
        return skr_value_parse (entry->value, &value);
    case SKR_COUNTER:
        if (skr_fold_is (entry)) {
            return skr_fold_hashes (entry->value, &hashes);
        }
        SKR_TRY (skr_value_parse (entry->value, &value));
        good = value.type == SAKER_INT;
        break;
    case SKR_MEMBER:
        SKR_TRY (skr_value_parse (member, &value));
        good = is_null (entry->value);
        break;
    case SKR_MAP:
        good = is_null (entry->value);
        break;
    case SKR_STATEMENT:
        break;
    }
    return good ? SAKER_OK : skr_fail (SAKER_EINPUT, "a cell holds what its kind cannot hold");
}

static saker_err_t read_entry (taking_t *taking, skr_span_t *document, skr_entry_t *entry)
{
    skr_cbor_t *cbor = &taking->cbor;
    size_t items = skr_cbor_get_array (cbor, 7);
    *document = skr_cbor_get_text (cbor);
    uint64_t writer = skr_cbor_get_uint (cbor);
    entry->dot.seq = skr_cbor_get_uint (cbor);
    uint64_t index = skr_cbor_get_uint (cbor);
    entry->dot.index = (uint32_t) index;
    entry->hlc = skr_cbor_get_uint (cbor);
    entry->address = skr_cbor_get_bytes (cbor);
    entry->value = skr_cbor_get_bytes (cbor);
    SKR_TRY (check_cbor (taking));
    if (items != 7 || document->size == 0 || document->size > SKR_DOCUMENT_BYTES_MAX
        || memchr (document->data, 0, document->size) || writer >= taking->count
        || index >= SKR_CHANGE_OPS_MAX) {
        return skr_fail (SAKER_EINPUT, "an entry is not in form");
    }
    entry->dot.writer = taking->strands[writer].chain.writer;
    if (entry->dot.seq == 0 || entry->dot.seq > taking->strands[writer].chain.seq) {
        return skr_fail (SAKER_EINPUT, "an entry is above the clock");
    }
    return check_cell (entry);
}

static saker_err_t take_entry (taking_t *taking)
{
    skr_entry_t entry;
    skr_span_t document;
    skr_replica_t *replica = taking->replica;
    SKR_TRY (read_entry (taking, &document, &entry));
    if (!skr_part_holds (&taking->part, document)) {
        skr_fingerprint_add (&taking->beside, &taking->fresh.id, document, &entry);
        return SAKER_OK;
    }
    SKR_TRY (keep_group_small (taking, entry.address.size + entry.value.size));
    const skr_cells_t *cells = skr_cells_store_group (replica->cells, &taking->fresh);
    SKR_TRY (cells->put (cells->context, document, &entry));
    note_hlc (taking, entry.hlc);
    return SAKER_OK;
}

static skr_fingerprint_t sum_of (const skr_fingerprint_t *one, const skr_fingerprint_t *other)
{
    skr_fingerprint_t sum = {.low = one->low + other->low, .high = one->high + other->high};
    sum.high += sum.low < one->low;
    return sum;
}

static saker_err_t take_entries (taking_t *taking)
{
    for (uint64_t i = 0; i < taking->entries; i++) {
        SKR_TRY (skr_wrap (take_entry (taking), "entry %llu", (unsigned long long) i));
    }
    SKR_TRY (skr_cells_store_flush (taking->replica->cells));
    /* design 5: the fingerprint is that of what was built, not of what was said. */
    const skr_fingerprint_t all = sum_of (&taking->fresh.fingerprint, &taking->beside);
    return skr_fingerprint_equal (&all, &taking->wanted)
               ? SAKER_OK
               : skr_fail (SAKER_EDAMAGED, "its entries do not add up to its fingerprint");
}

/* ---- the log */

/* design 8: what a member may do is checked on every change, by signature, not by who brought it.
 */
static saker_err_t check_author (const taking_t *taking, const skr_change_t *change)
{
    const skr_replica_t *replica = taking->replica;
    const skr_member_t *author = skr_roster_by_writer (replica->roster, &change->writer);
    if (!author) { /* the header names none without; but the roster was read again since */
        return skr_fail (SAKER_EWAIT, "it has a change of a writer that the roster does not name");
    }
    SKR_TRY (skr_change_verify (change, &replica->mesh, author->device));
    /* What is void of a writer who wrote rightly once is taken back afterwards. */
    return skr_roster_limit (replica->roster, &change->writer, &change->collection) > 0
               ? SAKER_OK
               : skr_fail (SAKER_ERIGHT, "%s may not write", author->name);
}

/* What cannot be read could neither be taken back nor shown: it waits, as a change alone would. */
static saker_err_t check_content (taking_t *taking, const skr_change_t *change)
{
    skr_content_t content = {0};
    if (taking->fresh.sealed) {
        return SAKER_OK;
    }
    saker_err_t error = skr_replica_content (taking->replica, change, &taking->content, &content);
    skr_content_free (&content);
    return error == SAKER_ENOTFOUND
               ? skr_wrap (SAKER_EWAIT, "the key of a change has not arrived yet")
               : error;
}

/* The writer's next, by seq and chain; of the first above the cut only the seq can be wrong. */
static saker_err_t check_chain (const strand_t *strand, const skr_change_t *change)
{
    static const uint8_t none[SKR_HASH_BYTES];
    bool first = strand->seen == strand->cut;
    const uint8_t *prev = first ? none : strand->hash;
    if (change->seq != strand->seen + 1 || change->seq > strand->chain.seq) {
        return skr_fail (SAKER_EINPUT, "change %llu is not in its turn",
                         (unsigned long long) change->seq);
    }
    if ((!first || change->seq == 1) && memcmp (change->prev, prev, SKR_HASH_BYTES) != 0) {
        return skr_fail (SAKER_EFORGED, "change %llu does not follow from the one before",
                         (unsigned long long) change->seq);
    }
    return SAKER_OK;
}

/* design 8: a dependency on a void change counts as met. */
static uint64_t needed_seq (const taking_t *taking, const skr_tick_t *dep)
{
    const skr_roster_t *roster = taking->replica->roster;
    uint64_t limit = skr_roster_by_writer (roster, &dep->writer)
                         ? skr_roster_limit (roster, &dep->writer, &taking->fresh.id)
                         : UINT64_MAX;
    return dep->seq < limit ? dep->seq : limit;
}

/* The order must be causal: others will pull from it. */
static saker_err_t check_deps (taking_t *taking, const skr_change_t *change)
{
    skr_clock_t deps = {0};
    saker_err_t error = skr_change_deps (change, &deps);
    for (size_t i = 0; !error && i < deps.count; i++) {
        strand_t *strand = find_strand (taking, &deps.ticks[i].writer);
        if (needed_seq (taking, &deps.ticks[i]) > (strand ? strand->seen : 0)) {
            error = skr_fail (SAKER_EINPUT, "a change comes before one that it depends on");
        }
    }
    skr_clock_free (&deps);
    return error;
}

/* A CBOR sequence; what it says is checked when it is used. */
static saker_err_t check_undo (skr_span_t undo)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, undo);
    while (skr_cbor_peek (&cbor) != SKR_CBOR_END) {
        (void) skr_cbor_get_raw (&cbor);
    }
    return skr_cbor_close (&cbor);
}

static saker_err_t append (taking_t *taking, strand_t *strand, const skr_change_t *change,
                           skr_span_t undo)
{
    skr_log_entry_t entry = {
        .collection_no = taking->fresh.no,
        .change = change->raw,
        .undo = undo,
    };
    SKR_TRY (number_strand (taking, strand));
    SKR_TRY (skr_log_append (taking->replica->store, strand->chain.writer_no, change->seq, &entry));
    if (!taking->fresh.sealed) {
        SKR_TRY (
            skr_history_append_change (taking->replica, taking->fresh.no, entry.position, change));
    }
    skr_change_hash (change, strand->hash);
    strand->seen = change->seq;
    taking->fresh.log_bytes += skr_log_bytes (&entry);
    note_hlc (taking, change->hlc);
    return SAKER_OK;
}

/* What this device wrote itself must be in it: else it is of the other branch of a fork, which is
   to be settled first. */
static saker_err_t check_branch (taking_t *taking, const skr_change_t *change)
{
    skr_replica_t *replica = taking->replica;
    const skr_chain_t *chain = taking->old ? skr_held_chain (taking->old, &change->writer) : NULL;
    uint64_t position;
    skr_log_entry_t entry;
    skr_change_t ours;
    if (!chain || chain->seq < change->seq || !skr_replica_is_own (replica, &change->writer)) {
        return SAKER_OK;
    }
    skr_sight_t sight = skr_replica_in_group (replica) ? SKR_GROUP : SKR_COMMITTED;
    saker_err_t error = skr_log_find (replica->store, sight, taking->old->shown.no,
                                      chain->writer_no, change->seq, &position);
    if (error != SAKER_OK) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    SKR_TRY (skr_log_get (replica->store, sight, position, &entry));
    SKR_TRY (skr_change_parse (&ours, entry.change));
    if (skr_span_equal (ours.body, change->body)) {
        return SAKER_OK;
    }
    skr_buf_clear (&taking->change);
    skr_buf_append_span (&taking->change, change->raw);
    taking->forked = !taking->change.failed;
    return skr_fail (SAKER_EFORGED, "it has another change %llu of this device than was made here",
                     (unsigned long long) change->seq);
}

static saker_err_t take_change (taking_t *taking)
{
    skr_change_t change;
    size_t items = skr_cbor_get_array (&taking->cbor, 2);
    skr_span_t raw = skr_cbor_get_bytes (&taking->cbor);
    skr_span_t undo = skr_cbor_get_bytes (&taking->cbor);
    SKR_TRY (check_cbor (taking));
    SKR_TRY (skr_change_parse (&change, raw));
    strand_t *strand = find_strand (taking, &change.writer);
    if (items != 2 || !strand || !skr_id_equal (&change.collection, &taking->fresh.id)) {
        return skr_fail (SAKER_EINPUT, "it is not of this collection and clock");
    }
    SKR_TRY (check_author (taking, &change));
    SKR_TRY (check_content (taking, &change));
    SKR_TRY (check_branch (taking, &change));
    SKR_TRY (check_chain (strand, &change));
    SKR_TRY (check_deps (taking, &change));
    SKR_TRY (check_undo (undo));
    SKR_TRY (keep_group_small (taking, raw.size + undo.size));
    return append (taking, strand, &change, taking->fresh.sealed ? skr_span (NULL, 0) : undo);
}

/* Each writer's part of the log must end where the clock says, with the hash that the header gives.
   What a snapshot tells of our own changes it must show: a false end of our chain would make our
   next change a fork. */
static saker_err_t check_end (const taking_t *taking, const strand_t *strand)
{
    const skr_id_t *writer = &strand->chain.writer;
    const skr_chain_t *ours = taking->old ? skr_held_chain (taking->old, writer) : NULL;
    if (strand->seen == strand->cut && strand->seen == strand->chain.seq) {
        bool unshown = skr_id_equal (writer, &taking->replica->writer)
                       && (!ours || ours->seq < strand->chain.seq)
                       && strand->chain.seq > skr_carrying_own (taking->replica, &taking->fresh.id);
        return unshown
                   ? skr_fail (SAKER_EFORGED, "it claims changes of this peer without showing them")
                   : SAKER_OK;
    }
    if (strand->seen != strand->chain.seq) {
        return skr_fail (SAKER_EINPUT, "its log does not reach its clock");
    }
    return memcmp (strand->hash, strand->chain.hash, SKR_HASH_BYTES) == 0
               ? SAKER_OK
               : skr_fail (SAKER_EFORGED, "its log does not end with the hash that it names");
}

static saker_err_t take_log (taking_t *taking)
{
    for (uint64_t i = 0; i < taking->changes; i++) {
        SKR_TRY (skr_wrap (take_change (taking), "change %llu", (unsigned long long) i));
    }
    if (skr_cbor_close (&taking->cbor) != SAKER_OK) {
        return skr_wrap (SAKER_EINPUT, "at its end");
    }
    for (size_t i = 0; i < taking->count; i++) {
        SKR_TRY (check_end (taking, &taking->strands[i]));
    }
    return SAKER_OK;
}

/* ---- what we hold beyond it */

static saker_err_t apply_content (taking_t *taking, const skr_change_t *change)
{
    skr_replica_t *replica = taking->replica;
    skr_content_t content = {0};
    skr_applier_t applier = {
        .cells = skr_cells_store_group (replica->cells, &taking->fresh),
        .collection = change->collection,
        .writer = change->writer,
        .seq = change->seq,
        .hlc = change->hlc,
        .undo = &taking->undo,
        .room = &replica->room,
        .carries = skr_part_holds,
        .part = &taking->part,
    };
    SKR_TRY (skr_replica_content (replica, change, &taking->content, &content));
    skr_buf_clear (&taking->undo);
    saker_err_t error = skr_apply_content (&applier, &content);
    skr_content_free (&content);
    return error;
}

/* It was admitted here before, so only its place in the chain can be wrong: the snapshot may hold
   the other branch of a fork. */
static saker_err_t apply_beyond (const skr_log_entry_t *entry, void *argument)
{
    static const uint8_t none[SKR_HASH_BYTES];
    taking_t *taking = argument;
    skr_change_t change;
    skr_buf_clear (&taking->change);
    skr_buf_append_span (&taking->change, entry->change);
    if (taking->change.failed) {
        return no_memory ();
    }
    SKR_TRY (skr_change_parse (&change, skr_span_of (&taking->change)));
    strand_t *strand = find_strand (taking, &change.writer);
    if (memcmp (change.prev, strand ? strand->chain.hash : none, SKR_HASH_BYTES) != 0) {
        return skr_fail (SAKER_EFORGED, "change %llu of a writer does not follow from its own",
                         (unsigned long long) change.seq);
    }
    if (!strand) {
        SKR_TRY (add_strand (taking, &change.writer, &strand));
    }
    SKR_TRY (keep_group_small (taking, change.raw.size));
    SKR_TRY (taking->fresh.sealed ? SAKER_OK : apply_content (taking, &change));
    SKR_TRY (append (taking, strand, &change, skr_span_of (&taking->undo)));
    strand->chain.seq = change.seq;
    memcpy (strand->chain.hash, strand->hash, SKR_HASH_BYTES);
    return SAKER_OK;
}

static saker_err_t take_beyond (taking_t *taking)
{
    if (!taking->old) {
        return SAKER_OK;
    }
    const skr_collection_t *shown = &taking->old->shown;
    return skr_wrap (skr_log_missing (taking->replica->store, SKR_COMMITTED, shown->no,
                                      &shown->clock, &taking->fresh.clock, apply_beyond, taking),
                     "what this peer holds beyond it");
}

/* ---- switching over */

/* Our next change must name as deps whatever the snapshot brought: see skr_chain_t. */
static void place_chain (const taking_t *taking, skr_chain_t *chain, uint64_t last)
{
    const skr_chain_t *ours = taking->old ? skr_held_chain (taking->old, &chain->writer) : NULL;
    if (ours && ours->seq == chain->seq) {
        chain->position = ours->position;
    } else {
        chain->position = skr_id_equal (&chain->writer, &taking->replica->writer) ? 0 : last;
    }
}

static saker_err_t replace (taking_t *taking)
{
    skr_replica_t *replica = taking->replica;
    uint64_t last;
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_cells_store_flush (replica->cells));
    SKR_TRY (skr_log_last (replica->store, SKR_GROUP, &last));
    skr_chain_t *chains = calloc (taking->count, sizeof *chains);
    if (!chains) {
        return no_memory ();
    }
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < taking->count && !error; i++) {
        error = number_strand (taking, &taking->strands[i]);
        chains[i] = taking->strands[i].chain;
        place_chain (taking, &chains[i], last);
    }
    if (!error) {
        error = skr_held_put_cut (replica, taking->fresh.no, &taking->cut, 0);
    }
    if (!error && taking->begin_hlc) {
        error = skr_history_cut (replica->store, taking->fresh.no, 0, taking->begin_hlc);
    }
    if (!error) {
        error = skr_holdings_replace (replica, &taking->fresh, chains, taking->count);
    }
    if (!error) {
        error = skr_partial_came (replica, &taking->fresh.id, &taking->part);
    }
    free (chains);
    return error;
}

static saker_err_t build (taking_t *taking)
{
    skr_replica_t *replica = taking->replica;
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_holdings_number (replica, &taking->fresh.no));
    SKR_TRY (skr_replica_commit (replica));
    SKR_TRY (take_entries (taking));
    SKR_TRY (take_log (taking));
    SKR_TRY (take_beyond (taking));
    SKR_TRY (replace (taking));
    replica->hlc = taking->hlc;
    return skr_replica_commit (replica);
}

/* Removes what was built; returns the error, with its sentence. */
static saker_err_t give_up (skr_replica_t *replica, saker_err_t error)
{
    char sentence[SENTENCE_BYTES];
    (void) snprintf (sentence, sizeof sentence, "%s", skr_error ());
    if (skr_holdings_sweep (replica) != SAKER_OK) {
        /* It is noted as unfinished: the next open removes it. */
        skr_log (replica->world, SKR_LOG_WARNING, "remove a snapshot: %s", skr_error ());
    }
    return skr_fail (error, "%s", sentence);
}

static saker_err_t take (taking_t *taking)
{
    skr_replica_t *replica = taking->replica;
    SKR_TRY (read_header (taking));
    SKR_TRY (check_old (taking));
    if (!taking->sealing && taking->old && !taking->lacks
        && skr_clock_covers (&taking->old->shown.clock, &taking->fresh.clock)) {
        return SAKER_OK; /* it would bring nothing */
    }
    bool below;
    SKR_TRY (skr_fork_is_below (replica, &taking->fresh.id, &taking->cut, &below));
    if (below) {
        return skr_fail (SAKER_EFORGED,
                         "it has cut what this device wrote otherwise, before it was put back: "
                         "export what is here, let an admin revoke this device, and join anew");
    }
    saker_err_t error = build (taking);
    if (error) {
        skr_replica_abort (replica);
        return give_up (replica, error);
    }
    return skr_replica_reload (replica);
}

static void free_taking (taking_t *taking)
{
    skr_clock_free (&taking->fresh.clock);
    skr_clock_free (&taking->cut);
    free (taking->strands);
    skr_part_free (&taking->part);
    skr_buf_free (&taking->change);
    skr_buf_wipe (&taking->content);
    skr_buf_wipe (&taking->undo);
}

static saker_err_t map_file (const char *file, skr_span_t *bytes)
{
    struct stat status;
    int descriptor = open (file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat (descriptor, &status) != 0 || status.st_size <= 0) {
        int error = descriptor < 0 ? errno : ENODATA;
        if (descriptor >= 0) {
            (void) close (descriptor);
        }
        return skr_fail (SAKER_EIO, "read snapshot %s: %s", file, strerror (error));
    }
    size_t size = (size_t) status.st_size;
    void *map = mmap (NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    (void) close (descriptor);
    if (map == MAP_FAILED) {
        return skr_fail (SAKER_ENOMEM, "no address space for snapshot %s", file);
    }
    (void) madvise (map, size, MADV_SEQUENTIAL);
    *bytes = skr_span (map, size);
    return SAKER_OK;
}

/* Changes of our own writer that we did not have: then this store is not alone that writer. */
static saker_err_t check_own (skr_replica_t *self, const skr_id_t *collection, uint64_t before)
{
    const skr_held_t *held = skr_holdings_find (self, collection);
    return held && skr_clock_get (&held->shown.clock, &self->writer) > before
               ? skr_incarnation_renew (self, SKR_DOUBT_AHEAD)
               : SAKER_OK;
}

static saker_err_t note_fork (skr_replica_t *self, skr_span_t raw)
{
    skr_change_t change;
    SKR_TRY (skr_change_parse (&change, raw));
    const skr_held_t *held = skr_holdings_find (self, &change.collection);
    SKR_TRY (skr_replica_begin (self));
    saker_err_t error = skr_fork_note (self, held, &change);
    if (error == SAKER_OK && skr_id_equal (&change.writer, &self->writer)) {
        error = skr_incarnation_renew (self, SKR_DOUBT_FORK);
    }
    if (error != SAKER_OK) {
        skr_replica_abort (self);
        return error;
    }
    return skr_replica_commit (self);
}

/* Who only relays takes no cells of any part. */
static saker_err_t set_part (taking_t *taking)
{
    skr_partial_t partial = {.removing = false};
    saker_err_t error =
        skr_partial_load (taking->replica, SKR_COMMITTED, &taking->fresh.id, &partial);
    error = error ? error : skr_part_copy (&taking->part, &partial.wanted);
    taking->lacks = !taking->fresh.sealed && skr_partial_lacks (&partial);
    skr_partial_free (&partial);
    return error;
}

static saker_err_t take_file (skr_replica_t *self, const skr_id_t *collection, const char *file,
                              bool sealing)
{
    static const skr_id_t roster;
    skr_span_t bytes;
    taking_t taking = {.replica = self, .hlc = self->hlc, .sealing = sealing};
    assert (!skr_store_in_group (self->store));
    if (skr_id_equal (collection, &roster)) {
        return skr_fail (SAKER_EINPUT, "the roster is not taken from a snapshot");
    }
    SKR_TRY (map_file (file, &bytes));
    taking.fresh.id = *collection;
    taking.old = skr_holdings_find (self, collection);
    taking.fresh.sealed =
        sealing || (taking.old ? taking.old->shown.sealed : skr_sealed_due (self, collection));
    skr_cbor_open (&taking.cbor, bytes);
    uint64_t left = skr_carrying_own (self, collection);
    uint64_t before = taking.old ? skr_clock_get (&taking.old->shown.clock, &self->writer) : 0;
    before = before < left ? left : before;
    saker_err_t error = set_part (&taking);
    error = error == SAKER_OK ? take (&taking) : error;
    error = error == SAKER_OK ? check_own (self, collection, before) : error;
    if (taking.forked && note_fork (self, skr_span_of (&taking.change)) != SAKER_OK) {
        skr_log (self->world, SKR_LOG_WARNING, "note a fork: %s", skr_error ());
    }
    free_taking (&taking);
    (void) munmap ((void *) (uintptr_t) bytes.data, bytes.size);
    return taking.forked ? skr_fail (error, "take a snapshot: it is of another branch than ours")
                         : skr_wrap (error, "take a snapshot");
}

saker_err_t skr_snapshot_take (skr_replica_t *self, const skr_id_t *collection, const char *file)
{
    return take_file (self, collection, file, false);
}

saker_err_t skr_snapshot_seal (skr_replica_t *self, const skr_id_t *collection, const char *file)
{
    uint64_t size;
    uint8_t hash[32];
    (void) unlink (file);
    const skr_extract_t sealed = {.sealed = true};
    saker_err_t error = skr_snapshot_make (self, collection, &sealed, file, &size, hash);
    error = error == SAKER_OK ? take_file (self, collection, file, true) : error;
    (void) unlink (file);
    return error;
}
