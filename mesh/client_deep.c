/* Which document differs between two peers that applied the same changes: their fingerprints are
   compared block by block, a block that differs is halved until one document is left, and then the
   entries of that one are laid side by side. */

#include "crdt/cells.h"
#include "crdt/hlc.h"
#include "crdt/value.h"
#include "mesh/client_internal.h"
#include "peer/ranging.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_DOCUMENTS 512
#define TRIES_MAX 20 /* of one step, while changes come in between */
#define PAUSE_MS 250
#define ID_BYTES (SKR_DOCUMENT_BYTES_MAX + 1)

/* What one side says of a part. */
typedef struct part_t {
    uint64_t clock, documents;
    bool whole;
    uint8_t sum[16];
    size_t count;
    skr_span_t entries[SKR_RANGE_TOLD_MAX]; /* encoded; borrowed from the answer */
} part_t;

typedef struct deep_t {
    saker_t *self;
    const char *collection, *peer;
    uint64_t deadline_ms;
    saker_difference_fn *difference_fn;
    void *argument;
    uint64_t moved;
    size_t told;
    bool stopped;
    char (*ids)[ID_BYTES]; /* of a block, and the first behind it */
    size_t ids_count;
    part_t ours, theirs;
    skr_question_t question; /* the parts are borrowed from its answer */
    bool asked;
} deep_t;

/* ---- asking for one part */

static void take_part (skr_cbor_t *cbor, part_t *part)
{
    if (skr_cbor_get_array (cbor, 5) != 5) {
        skr_cbor_reject (cbor, "not a part of a collection");
    }
    part->clock = skr_cbor_get_uint (cbor);
    part->documents = skr_cbor_get_uint (cbor);
    part->whole = skr_cbor_get_bool (cbor);
    skr_cbor_get_fixed (cbor, part->sum, sizeof part->sum);
    part->count = skr_cbor_get_array (cbor, SKR_RANGE_TOLD_MAX);
    for (size_t i = 0; i < part->count && cbor->error == SAKER_OK; i++) {
        part->entries[i] = skr_cbor_get_raw (cbor);
    }
}

static void end_question (deep_t *deep)
{
    if (deep->asked) {
        skr_question_end (&deep->question);
        deep->asked = false;
    }
}

static saker_err_t ask_once (deep_t *deep, const char *from, const char *to, bool detail)
{
    skr_question_t *question = &deep->question;
    uint64_t now_ms = skr_client_now_ms ();
    if (now_ms >= deep->deadline_ms) {
        return skr_fail (SAKER_ETIMEOUT, "%s took too long to tell what it holds", deep->peer);
    }
    uint64_t left_ms = deep->deadline_ms - now_ms;
    end_question (deep);
    saker_err_t error = skr_question_begin (question, deep->self, SKR_COMMAND_COMPARE, 6);
    deep->asked = true;
    if (error == SAKER_OK) {
        skr_question_text (question, 0, deep->peer);
        skr_question_text (question, 1, deep->collection);
        skr_question_uint (question, 2, left_ms);
        skr_question_text (question, 3, from);
        skr_question_text (question, 4, to);
        skr_cbor_put_uint (&question->request, 5);
        skr_cbor_put_bool (&question->request, detail);
        error = skr_question_ask (question, (int) left_ms + SKR_CLIENT_GRACE_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question->fields, 0);
        take_part (&question->cbor, &deep->ours);
        skr_fields_need (&question->fields, 1);
        take_part (&question->cbor, &deep->theirs);
        error = skr_question_check (question);
    }
    return skr_wrap (error, "compare with %s", deep->peer);
}

/* Until both answer as of one clock. */
static saker_err_t ask_part (deep_t *deep, const char *from, const char *to, bool detail)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        SKR_TRY (ask_once (deep, from, to, detail));
        if (deep->ours.clock == deep->theirs.clock) {
            return SAKER_OK;
        }
        deep->moved++;
        skr_client_pause (PAUSE_MS);
    }
    return skr_fail (SAKER_EWAIT,
                     "%s and this peer have not applied the same changes of %s: wait until they "
                     "have (saker wait), and ask again",
                     deep->peer, deep->collection);
}

static bool differs (const deep_t *deep)
{
    return deep->ours.documents != deep->theirs.documents
           || memcmp (deep->ours.sum, deep->theirs.sum, sizeof deep->ours.sum) != 0
           || deep->ours.whole != deep->theirs.whole;
}

/* ---- one document */

/* An entry, taken apart; borrowed. */
typedef struct told_t {
    skr_span_t document, address, value;
    skr_id_t writer;
    uint64_t seq, index, hlc;
} told_t;

static bool read_entry (skr_span_t entry, told_t *told)
{
    skr_cbor_t cbor;
    uint8_t hash[16];
    skr_cbor_open (&cbor, entry);
    if (skr_cbor_get_array (&cbor, 8) != 8) {
        skr_cbor_reject (&cbor, "not an entry");
    }
    told->document = skr_cbor_get_bytes (&cbor);
    told->address = skr_cbor_get_bytes (&cbor);
    skr_cbor_get_fixed (&cbor, told->writer.bytes, sizeof told->writer.bytes);
    told->seq = skr_cbor_get_uint (&cbor);
    told->index = skr_cbor_get_uint (&cbor);
    told->hlc = skr_cbor_get_uint (&cbor);
    skr_cbor_get_fixed (&cbor, hash, sizeof hash);
    told->value = skr_cbor_get_bytes (&cbor);
    return skr_cbor_close (&cbor) == SAKER_OK;
}

static bool value_of (const told_t *told, skr_kind_t kind, skr_span_t member, saker_value_t *value)
{
    skr_span_t encoded = kind == SKR_MEMBER ? member : told->value;
    if (kind == SKR_MAP) {
        value->type = SAKER_MAP;
        return true;
    }
    return encoded.size && skr_value_parse (encoded, value) == SAKER_OK;
}

static saker_err_t tell (deep_t *deep, skr_span_t entry, bool here)
{
    told_t told;
    skr_span_t path, member;
    skr_kind_t kind;
    saker_value_t value;
    char document[ID_BYTES];
    skr_buf_t pointer = {0};
    if (!read_entry (entry, &told) || told.document.size > SKR_DOCUMENT_BYTES_MAX
        || !skr_utf8_valid ((const char *) told.document.data, told.document.size)
        || (told.document.size && memchr (told.document.data, 0, told.document.size))
        || skr_address_parse (told.address, &path, &kind, &member) != SAKER_OK) {
        return skr_fail (SAKER_EINPUT, "%s told something that is no entry of a document",
                         deep->peer);
    }
    memcpy (document, told.document.data, told.document.size);
    document[told.document.size] = 0;
    skr_path_to_pointer (&pointer, path);
    skr_buf_append_byte (&pointer, 0);
    saker_difference_t difference = {
        .document = document,
        .pointer = (const char *) pointer.data,
        .cell = (saker_cell_t) kind,
        .here = here,
        .value = value_of (&told, kind, member, &value) ? &value : NULL,
        .seq = told.seq,
        .index = (uint32_t) told.index,
        .time_ms = skr_hlc_ms (told.hlc),
    };
    memcpy (difference.writer, told.writer.bytes, sizeof difference.writer);
    if (!pointer.failed) {
        deep->told++;
        deep->stopped = deep->difference_fn (&difference, deep->argument) != 0;
    }
    skr_buf_free (&pointer);
    return SAKER_OK;
}

static bool has_entry (const part_t *part, skr_span_t entry)
{
    for (size_t i = 0; i < part->count; i++) {
        if (skr_span_equal (part->entries[i], entry)) {
            return true;
        }
    }
    return false;
}

static saker_err_t tell_missing (deep_t *deep, const part_t *of, const part_t *in, bool here)
{
    for (size_t i = 0; i < of->count && !deep->stopped; i++) {
        if (!has_entry (in, of->entries[i])) {
            SKR_TRY (tell (deep, of->entries[i], here));
        }
    }
    return SAKER_OK;
}

static saker_err_t tell_differences (deep_t *deep, const char *from, const char *to)
{
    SKR_TRY (ask_part (deep, from, to, true));
    SKR_TRY (tell_missing (deep, &deep->ours, &deep->theirs, true));
    SKR_TRY (tell_missing (deep, &deep->theirs, &deep->ours, false));
    if (deep->told == 0) {
        return skr_fail (SAKER_EDIFFER,
                         "%s differs from %s in the documents from \"%s\" on, beyond the first %d "
                         "values",
                         deep->collection, deep->peer, from, SKR_RANGE_TOLD_MAX);
    }
    return SAKER_OK;
}

/* ---- narrowing down */

static int list_id (const char *name, uint64_t documents, void *argument)
{
    deep_t *deep = argument;
    (void) documents;
    size_t size = strlen (name) + 1;
    memcpy (deep->ids[deep->ids_count++], name, size < ID_BYTES ? size : ID_BYTES);
    return deep->ids_count > BLOCK_DOCUMENTS;
}

/* The block from `ids[low]` to below `ids[high]` differs: down to one document of ours, and what of
   theirs is beside it. The first begins at `from`, so that nothing before it is left out. */
static saker_err_t narrow (deep_t *deep, const char *from, const char *to, size_t high)
{
    size_t low = 0;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        SKR_TRY (ask_part (deep, low ? deep->ids[low] : from, deep->ids[middle], false));
        if (differs (deep)) {
            high = middle;
            to = deep->ids[middle];
        } else {
            low = middle;
        }
    }
    return tell_differences (deep, low ? deep->ids[low] : from, to);
}

/* Large documents: fewer at a time, since only what was added up to its end is compared. `to` is
   then the end of the block, and *count how many of the ids it has. */
static saker_err_t ask_block (deep_t *deep, const char *from, char to[ID_BYTES], size_t *count)
{
    SKR_TRY (ask_part (deep, from, to, false));
    while (*count > 1 && !(deep->ours.whole && deep->theirs.whole)) {
        *count /= 2;
        memcpy (to, deep->ids[*count], ID_BYTES);
        SKR_TRY (ask_part (deep, from, to, false));
    }
    return SAKER_OK;
}

static saker_err_t look_through (deep_t *deep)
{
    char from[ID_BYTES] = "", to[ID_BYTES] = "";
    do {
        deep->ids_count = 0;
        SKR_TRY (saker_documents_from (deep->self, deep->collection, from, list_id, deep));
        bool more = deep->ids_count > BLOCK_DOCUMENTS;
        size_t count = more ? BLOCK_DOCUMENTS : deep->ids_count;
        memcpy (to, more ? deep->ids[BLOCK_DOCUMENTS] : "", more ? ID_BYTES : 1);
        SKR_TRY (ask_block (deep, from, to, &count));
        if (differs (deep)) {
            return narrow (deep, from, to, count);
        }
        memcpy (from, to, sizeof from);
    } while (*from);
    return SAKER_OK;
}

saker_err_t saker_verify_deep (saker_t *self, const char *collection, const char *peer,
                               int timeout_ms, saker_difference_fn *difference_fn, void *argument,
                               uint64_t *moved)
{
    deep_t *deep = calloc (1, sizeof *deep);
    saker_err_t error = SAKER_ENOMEM;
    if (deep) {
        deep->self = self;
        deep->collection = collection;
        deep->peer = peer;
        deep->deadline_ms = skr_client_deadline_ms (timeout_ms);
        deep->difference_fn = difference_fn;
        deep->argument = argument;
        deep->ids = malloc ((BLOCK_DOCUMENTS + 1) * sizeof *deep->ids);
    }
    if (!deep || !deep->ids) {
        error = skr_fail (SAKER_ENOMEM, "out of memory");
    } else {
        error = look_through (deep);
        end_question (deep);
    }
    if (error == SAKER_OK && deep->told > 0) {
        error =
            skr_fail (SAKER_EDIFFER, "%s holds other data than this peer in %s", peer, collection);
    }
    if (moved) {
        *moved = deep ? deep->moved : 0;
    }
    if (deep) {
        free (deep->ids);
    }
    free (deep);
    return error;
}
