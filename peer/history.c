#include "peer/history.h"

#include "peer/replica_internal.h"

#include "crdt/hlc.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_BYTES 12
#define HASH_BYTES 4
#define RUN_BYTES_MAX 1024 /* a run that has more takes no other change */
#define VARINT_BYTES_MAX 10
#define FEW 64

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory for history");
}

static skr_span_t run_key (uint8_t bytes[KEY_BYTES], uint32_t collection_no, uint64_t position)
{
    skr_put_u32 (bytes, collection_no);
    skr_put_u64 (bytes + 4, position);
    return skr_span (bytes, KEY_BYTES);
}

/* ---- hashes of documents */

/* The mesh's id is the key: nobody outside can aim at one hash. */
static uint32_t hash_of (const skr_replica_t *replica, skr_span_t document)
{
    uint8_t hash[crypto_shorthash_BYTES];
    (void) crypto_shorthash (hash, document.data, document.size, replica->mesh.bytes);
    return skr_get_u32 (hash);
}

_Static_assert(crypto_shorthash_KEYBYTES == sizeof (skr_id_t), "a mesh id is a key");

static void insert_hashes (uint32_t *hashes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t hash = hashes[i];
        size_t at = i;
        for (; at > 0 && hashes[at - 1] > hash; at--) {
            hashes[at] = hashes[at - 1];
        }
        hashes[at] = hash;
    }
}

/* By one byte after the other, the lowest first, unless they are few. */
static void sort_hashes (uint32_t *hashes, size_t count)
{
    uint32_t other[SKR_CHANGE_OPS_MAX];
    if (count < FEW) {
        insert_hashes (hashes, count);
        return;
    }
    for (int shift = 0; shift < 32; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < count; i++) {
            starts[(hashes[i] >> shift & 0xff) + 1]++;
        }
        for (size_t i = 1; i < 256; i++) {
            starts[i] += starts[i - 1];
        }
        for (size_t i = 0; i < count; i++) {
            other[starts[hashes[i] >> shift & 0xff]++] = hashes[i];
        }
        memcpy (hashes, other, count * sizeof *hashes);
    }
}

/* Each once, ascending. */
static size_t list_hashes (const skr_replica_t *replica, const skr_content_t *content,
                           uint32_t hashes[SKR_CHANGE_OPS_MAX])
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < content->ops_count; i++) {
        bool same =
            i > 0 && skr_span_equal (content->ops[i].document, content->ops[i - 1].document);
        if (!same) {
            hashes[count++] = hash_of (replica, content->ops[i].document);
        }
    }
    sort_hashes (hashes, count);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || hashes[kept - 1] != hashes[i]) {
            hashes[kept++] = hashes[i];
        }
    }
    return kept;
}

/* ---- runs */

static void put_varint (skr_buf_t *buf, uint64_t value)
{
    while (value >= 0x80) {
        skr_buf_append_byte (buf, (uint8_t) (value | 0x80));
        value >>= 7;
    }
    skr_buf_append_byte (buf, (uint8_t) value);
}

/* One change of a run. */
typedef struct step_t {
    uint64_t position;
    const uint8_t *hashes;
    size_t count; /* 0: not known which documents it touched */
} step_t;

typedef struct run_t {
    const uint8_t *start, *at, *end;
    uint64_t position;
} run_t;

static void open_run (run_t *run, skr_span_t key, skr_span_t value)
{
    run->start = run->at = value.data;
    run->end = value.data + value.size;
    run->position = skr_get_u64 (key.data + 4);
}

static bool get_varint (run_t *run, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; run->at < run->end && shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte = *run->at++;
        *value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* False at the end; a run that is not in form is damaged. */
static bool next_step (run_t *run, step_t *step, saker_err_t *error)
{
    uint64_t ahead, count;
    *error = SAKER_OK;
    if (run->at == run->end) {
        return false;
    }
    bool good = get_varint (run, &ahead) && get_varint (run, &count)
                && count <= (uint64_t) (run->end - run->at) / HASH_BYTES;
    if (!good) {
        *error = skr_fail (SAKER_EDAMAGED, "a record of history is not in form");
        return false;
    }
    run->position += ahead;
    *step = (step_t){run->position, run->at, (size_t) count};
    run->at += count * HASH_BYTES;
    return true;
}

/* ---- keeping it */

/* The last run of a collection. SAKER_ENOTFOUND. */
static saker_err_t last_run (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                             skr_span_t *key, skr_span_t *value)
{
    uint8_t prefix[4], end[KEY_BYTES];
    skr_put_u32 (prefix, collection_no);
    SKR_TRY (skr_store_last (store, sight, SKR_HISTORY, skr_span (prefix, sizeof prefix),
                             run_key (end, collection_no, UINT64_MAX), key, value));
    return skr_get_u64 (key->data + 4) > 0 ? SAKER_OK : SAKER_ENOTFOUND;
}

/* The run that a change at this position goes on, as far as it is below; its last position. Runs at
   and above were taken back: they go. *first 0: there is none. */
static saker_err_t take_last (skr_store_t *store, uint32_t collection_no, uint64_t position,
                              skr_buf_t *bytes, uint64_t *first, uint64_t *last)
{
    skr_span_t key, value;
    uint8_t own[KEY_BYTES];
    saker_err_t error;
    *first = *last = 0;
    while (!(error = last_run (store, SKR_GROUP, collection_no, &key, &value))
           && skr_get_u64 (key.data + 4) >= position) {
        memcpy (own, key.data, sizeof own);
        SKR_TRY (skr_store_remove (store, SKR_HISTORY, skr_span (own, sizeof own)));
    }
    if (error) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    run_t run;
    step_t step;
    open_run (&run, key, value);
    const uint8_t *end = run.start;
    while (next_step (&run, &step, &error) && step.position < position) {
        *last = step.position;
        end = run.at;
    }
    SKR_TRY (error);
    *first = skr_get_u64 (key.data + 4);
    skr_buf_append (bytes, run.start, (size_t) (end - run.start));
    return SAKER_OK;
}

static void put_step (skr_buf_t *bytes, uint64_t ahead, const uint32_t *hashes, size_t count)
{
    put_varint (bytes, ahead);
    put_varint (bytes, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[HASH_BYTES];
        skr_put_u32 (hash, hashes[i]);
        skr_buf_append (bytes, hash, sizeof hash);
    }
}

static saker_err_t append_step (skr_store_t *store, uint32_t collection_no, uint64_t position,
                                const uint32_t *hashes, size_t count, skr_buf_t *bytes)
{
    uint8_t key[KEY_BYTES];
    uint64_t first, last;
    saker_err_t error = take_last (store, collection_no, position, bytes, &first, &last);
    if (error && error != SAKER_EDAMAGED) {
        return error;
    }
    /* A damaged run stays as it is, and does not stand in the way of what is new. */
    if (error || first == 0
        || bytes->size + VARINT_BYTES_MAX + HASH_BYTES * count > RUN_BYTES_MAX) {
        skr_buf_clear (bytes);
        first = last = position;
    }
    put_step (bytes, position - last, hashes, count);
    return bytes->failed ? no_memory ()
                         : skr_store_put (store, SKR_HISTORY, run_key (key, collection_no, first),
                                          skr_span_of (bytes));
}

saker_err_t skr_history_append (skr_replica_t *replica, uint32_t collection_no, uint64_t position,
                                const skr_content_t *content)
{
    uint32_t hashes[SKR_CHANGE_OPS_MAX];
    skr_buf_t bytes = {0};
    size_t count = content ? list_hashes (replica, content, hashes) : 0;
    saker_err_t error =
        append_step (replica->store, collection_no, position, hashes, count, &bytes);
    skr_buf_free (&bytes);
    return error;
}

saker_err_t skr_history_append_change (skr_replica_t *replica, uint32_t collection_no,
                                       uint64_t position, const skr_change_t *change)
{
    skr_content_t content;
    skr_buf_t clear = {0};
    saker_err_t error = skr_replica_content (replica, change, &clear, &content);
    if (error == SAKER_ENOMEM) {
        skr_buf_wipe (&clear);
        return error;
    }
    bool known = error == SAKER_OK;
    error = skr_history_append (replica, collection_no, position, known ? &content : NULL);
    if (known) {
        skr_content_free (&content);
    }
    skr_buf_wipe (&clear);
    return error;
}

/* ---- the cut */

static saker_err_t collect_below (skr_span_t key, skr_span_t value, void *argument)
{
    (void) value;
    skr_buf_t *keys = argument;
    if (key.size == KEY_BYTES && skr_get_u64 (key.data + 4) > 0) {
        skr_buf_append_span (keys, key);
    }
    return keys->failed ? no_memory () : SAKER_OK;
}

/* A run goes when the next one begins at or below what is kept: then all of it is dropped. */
static saker_err_t remove_below (skr_store_t *store, const skr_buf_t *keys, uint64_t kept)
{
    for (size_t at = 0; at + KEY_BYTES < keys->size; at += KEY_BYTES) {
        if (skr_get_u64 (keys->data + at + KEY_BYTES + 4) > kept) {
            break;
        }
        SKR_TRY (skr_store_remove (store, SKR_HISTORY, skr_span (keys->data + at, KEY_BYTES)));
    }
    return SAKER_OK;
}

static saker_err_t get_begin (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                              uint64_t *hlc)
{
    uint8_t key[KEY_BYTES];
    skr_span_t value;
    SKR_TRY (skr_store_get (store, sight, SKR_HISTORY, run_key (key, collection_no, 0), &value));
    if (value.size != 8) {
        return skr_fail (SAKER_EDAMAGED, "the begin of a history: %zu bytes, not 8", value.size);
    }
    *hlc = skr_get_u64 (value.data);
    return SAKER_OK;
}

saker_err_t skr_history_cut (skr_store_t *store, uint32_t collection_no, uint64_t kept,
                             uint64_t hlc)
{
    uint8_t prefix[4], key[KEY_BYTES], value[8];
    skr_buf_t keys = {0};
    uint64_t before = 0;
    skr_put_u32 (prefix, collection_no);
    saker_err_t error = get_begin (store, SKR_GROUP, collection_no, &before);
    if (error && error != SAKER_ENOTFOUND) {
        return error;
    }
    skr_put_u64 (value, hlc > before ? hlc : before);
    SKR_TRY (skr_store_put (store, SKR_HISTORY, run_key (key, collection_no, 0),
                            skr_span (value, sizeof value)));
    error = skr_store_scan (store, SKR_GROUP, SKR_HISTORY, skr_span (prefix, sizeof prefix),
                            skr_span (NULL, 0), collect_below, &keys);
    if (!error) {
        error = remove_below (store, &keys, kept);
    }
    skr_buf_free (&keys);
    return error;
}

static saker_err_t keep_begin (skr_span_t key, skr_span_t value, void *argument)
{
    skr_buf_t *begins = argument;
    if (key.size == KEY_BYTES && skr_get_u64 (key.data + 4) == 0 && value.size == 8) {
        skr_buf_append (begins, key.data, 4);
        skr_buf_append_span (begins, value);
    }
    return begins->failed ? no_memory () : SAKER_OK;
}

saker_err_t skr_history_begins (skr_store_t *store, skr_buf_t *begins)
{
    skr_span_t none = skr_span (NULL, 0);
    saker_err_t error =
        skr_store_scan (store, SKR_GROUP, SKR_HISTORY, none, none, keep_begin, begins);
    /* What lies behind a damaged record is lost, and taken from the log instead. */
    return error == SAKER_EDAMAGED ? SAKER_OK : error;
}

/* ---- asking it */

typedef struct finding_t {
    uint32_t hash;
    uint64_t *positions;
    size_t count, capacity;
} finding_t;

static saker_err_t add_position (finding_t *finding, uint64_t position)
{
    if (finding->count == finding->capacity) {
        size_t capacity = finding->capacity ? 2 * finding->capacity : 16;
        uint64_t *positions = realloc (finding->positions, capacity * sizeof *positions);
        if (!positions) {
            return no_memory ();
        }
        finding->positions = positions;
        finding->capacity = capacity;
    }
    finding->positions[finding->count++] = position;
    return SAKER_OK;
}

static bool has_hash (const step_t *step, uint32_t hash)
{
    size_t low = 0, high = step->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t at = skr_get_u32 (step->hashes + middle * HASH_BYTES);
        if (at == hash) {
            return true;
        }
        low = at < hash ? middle + 1 : low;
        high = at < hash ? high : middle;
    }
    return step->count == 0;
}

typedef saker_err_t step_fn (const step_t *step, void *argument);

/* The steps of a record that is a run. */
static saker_err_t each_step (skr_span_t key, skr_span_t value, step_fn *visit, void *argument)
{
    run_t run;
    step_t step;
    saker_err_t error;
    if (key.size != KEY_BYTES || skr_get_u64 (key.data + 4) == 0) {
        return SAKER_OK;
    }
    open_run (&run, key, value);
    while (next_step (&run, &step, &error)) {
        SKR_TRY (visit (&step, argument));
    }
    return error;
}

static saker_err_t search_step (const step_t *step, void *argument)
{
    finding_t *finding = argument;
    return has_hash (step, finding->hash) ? add_position (finding, step->position) : SAKER_OK;
}

static saker_err_t search_run (skr_span_t key, skr_span_t value, void *argument)
{
    return each_step (key, value, search_step, argument);
}

saker_err_t skr_history_find (skr_replica_t *replica, skr_sight_t sight, uint32_t collection_no,
                              skr_span_t document, uint64_t **positions, size_t *count)
{
    uint8_t prefix[4];
    finding_t finding = {.hash = hash_of (replica, document)};
    skr_put_u32 (prefix, collection_no);
    saker_err_t error =
        skr_store_scan (replica->store, sight, SKR_HISTORY, skr_span (prefix, sizeof prefix),
                        skr_span (NULL, 0), search_run, &finding);
    if (error) {
        free (finding.positions);
        finding = (finding_t){0};
    }
    *positions = finding.positions;
    *count = finding.count;
    return error;
}

saker_err_t skr_history_last (skr_replica_t *replica, uint32_t collection_no, uint64_t *position)
{
    skr_span_t key, value;
    run_t run;
    step_t step;
    *position = 0;
    saker_err_t error = last_run (replica->store, SKR_COMMITTED, collection_no, &key, &value);
    if (error) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    open_run (&run, key, value);
    while (next_step (&run, &step, &error)) {
        *position = step.position;
    }
    return error;
}

/* ---- looking whether it is right */

typedef struct matching_t {
    skr_replica_t *replica;
    uint32_t collection_no;
    uint64_t indexed, wrong;
    skr_buf_t clear;
} matching_t;

static bool is_same (const matching_t *matching, const step_t *step, const skr_content_t *content)
{
    uint32_t hashes[SKR_CHANGE_OPS_MAX];
    size_t count = list_hashes (matching->replica, content, hashes);
    bool same = count == step->count;
    for (size_t i = 0; i < count && same; i++) {
        same = skr_get_u32 (step->hashes + i * HASH_BYTES) == hashes[i];
    }
    return same;
}

static saker_err_t match_step (const step_t *step, void *argument)
{
    matching_t *matching = argument;
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    saker_err_t error =
        skr_log_get (matching->replica->store, SKR_COMMITTED, step->position, &entry);
    if (error || entry.collection_no != matching->collection_no) {
        return error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED ? SAKER_OK : error;
    }
    matching->indexed++;
    if (matching->wrong || step->count == 0 || skr_change_parse (&change, entry.change)) {
        return SAKER_OK;
    }
    error = skr_replica_content (matching->replica, &change, &matching->clear, &content);
    if (error == SAKER_OK) {
        matching->wrong = is_same (matching, step, &content) ? 0 : step->position;
        skr_content_free (&content);
    }
    return error == SAKER_ENOMEM ? error : SAKER_OK;
}

static saker_err_t match_run (skr_span_t key, skr_span_t value, void *argument)
{
    return each_step (key, value, match_step, argument);
}

saker_err_t skr_history_check (skr_replica_t *replica, uint32_t collection_no, uint64_t *indexed,
                               uint64_t *wrong)
{
    uint8_t prefix[4];
    matching_t matching = {.replica = replica, .collection_no = collection_no};
    skr_put_u32 (prefix, collection_no);
    saker_err_t error =
        skr_store_scan (replica->store, SKR_COMMITTED, SKR_HISTORY,
                        skr_span (prefix, sizeof prefix), skr_span (NULL, 0), match_run, &matching);
    skr_buf_wipe (&matching.clear);
    *indexed = matching.indexed;
    *wrong = matching.wrong;
    return error;
}

/* ---- where it begins */

const char *skr_history_time_text (uint64_t hlc, char text[SKR_TIME_TEXT_BYTES])
{
    struct tm broken;
    time_t seconds = (time_t) (skr_hlc_ms (hlc) / 1000);
    size_t size = gmtime_r (&seconds, &broken)
                      ? strftime (text, SKR_TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &broken)
                      : 0;
    (void) snprintf (text + size, SKR_TIME_TEXT_BYTES - size, ".%03uZ",
                     (unsigned) (skr_hlc_ms (hlc) % 1000));
    return text;
}

typedef struct first_t {
    uint64_t seq, position;
} first_t;

static saker_err_t note_first (skr_span_t key, skr_span_t value, void *argument)
{
    first_t *first = argument;
    if (key.size == 16 && value.size == 8) {
        *first = (first_t){skr_get_u64 (key.data + 8), skr_get_u64 (value.data)};
    }
    return SKR_STOP;
}

/* The lowest position of a collection in the log, 0 when there is none; *whole: each writer's
   changes are there from the first on. */
static saker_err_t find_oldest (skr_replica_t *replica, skr_sight_t sight, const skr_held_t *held,
                                uint64_t *position, bool *whole)
{
    *position = 0;
    *whole = true;
    for (size_t i = 0; i < held->chains.count; i++) {
        uint8_t prefix[8];
        first_t first = {0};
        skr_put_u32 (prefix, held->live.no);
        skr_put_u32 (prefix + 4, held->chains.list[i].writer_no);
        SKR_TRY (skr_store_scan (replica->store, sight, SKR_POSITIONS,
                                 skr_span (prefix, sizeof prefix), skr_span (NULL, 0), note_first,
                                 &first));
        *whole = *whole && first.seq == 1;
        if (first.position > 0 && (*position == 0 || first.position < *position)) {
            *position = first.position;
        }
    }
    return SAKER_OK;
}

static saker_err_t oldest_hlc (skr_replica_t *replica, skr_sight_t sight, uint64_t position,
                               uint64_t *hlc)
{
    skr_log_entry_t entry;
    skr_change_t change;
    *hlc = 0;
    if (position == 0) {
        return SAKER_OK;
    }
    saker_err_t error = skr_log_get (replica->store, sight, position, &entry);
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    SKR_TRY (skr_change_parse (&change, entry.change));
    *hlc = change.hlc;
    return SAKER_OK;
}

saker_err_t skr_history_begin (skr_replica_t *replica, skr_sight_t sight, uint32_t collection_no,
                               skr_begin_t *begin)
{
    const skr_held_t *held = skr_holdings_by_no (replica, collection_no);
    uint64_t position, noted = 0;
    *begin = (skr_begin_t){.whole = true};
    if (!held) {
        return SAKER_OK;
    }
    SKR_TRY (find_oldest (replica, sight, held, &position, &begin->whole));
    SKR_TRY (oldest_hlc (replica, sight, position, &begin->hlc));
    if (begin->whole) {
        return SAKER_OK;
    }
    saker_err_t error = get_begin (replica->store, sight, collection_no, &noted);
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        /* Of a snapshot: what its sender had dropped is not known, but for what comes first. */
        begin->hlc = begin->hlc > 0 ? begin->hlc : replica->hlc;
        return SAKER_OK;
    }
    SKR_TRY (error);
    begin->hlc = noted;
    return SAKER_OK;
}
