/* History: the index against the whole log, documents of the past against a replay, and what is
   written anew. */

#include "peer/history.h"
#include "peer/past.h"
#include "peer/replica_internal.h"
#include "peer/reviving.h"
#include "peer/snapshot.h"

#include "tests/check.h"
#include "tests/lib/memory_cells.h"
#include "tests/lib/pair.h"

#include "crdt/hlc.h"
#include "crdt/value.h"

#include <unistd.h>

static const skr_id_t roster_id;
static const char *const collection = "shots";
static uint64_t state;

static size_t below (size_t bound)
{
    return (size_t) (check_random (&state) % bound);
}

/* A clock of the test's own, so that times are apart. */
static uint64_t wall = 1800000000000;

static uint64_t wall_ms (void *context)
{
    (void) context;
    return wall;
}

static bool open_both (pair_t *pair)
{
    static skr_world_t world;
    state = check_seed ();
    if (!pair_open (pair) || pair_sync (pair->b, pair->a, &roster_id) != SAKER_OK
        || pair_sync (pair->a, pair->b, &roster_id) != SAKER_OK) {
        return false;
    }
    world = *skr_world_real ();
    world.wall_ms = wall_ms;
    pair->a->world = pair->b->world = &world;
    wall = 1800000000000;
    return true;
}

/* ---- writing */

static saker_err_t write_intents (skr_replica_t *replica, const skr_intent_t *intents, size_t count)
{
    saker_receipt_t receipt;
    skr_local_t local = {.collection = collection, .intents = intents, .count = count};
    wall += 10;
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_replica_write (replica, &local, &receipt);
    if (error && error != SAKER_ETYPE && error != SAKER_ENOTFOUND) {
        skr_replica_abort (replica);
        return error;
    }
    return skr_replica_commit (replica);
}

static saker_err_t write_one (skr_replica_t *replica, skr_intent_kind_t kind, const char *document,
                              const char *pointer, int64_t number)
{
    skr_buf_t path = {0}, value = {0};
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    skr_cbor_put_int (&value, number);
    skr_intent_t intent = {.kind = kind,
                           .document = skr_span_text (document),
                           .path = skr_span_of (&path),
                           .value = skr_span_of (&value)};
    if (kind == SKR_INTENT_SET_MAP || kind == SKR_INTENT_DELETE) {
        intent.value = skr_span (NULL, 0);
    }
    error = error ? error : write_intents (replica, &intent, 1);
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

static saker_err_t write_random (skr_replica_t *replica)
{
    static const skr_intent_kind_t kinds[] = {
        SKR_INTENT_SET,    SKR_INTENT_SET,  SKR_INTENT_SET_LWW, SKR_INTENT_SET_MAP,
        SKR_INTENT_DELETE, SKR_INTENT_INCR, SKR_INTENT_ADD,     SKR_INTENT_REMOVE};
    static const char *const places[] = {"/a", "/a/b", "/a/b/c", "/b", "/n", "/n", "/s", "/s/x"};
    char document[8];
    snprintf (document, sizeof document, "d%zu", below (3));
    return write_one (replica, kinds[below (8)], document, places[below (8)],
                      1 + (int64_t) below (4));
}

/* ---- what a document shows, as text */

static saker_err_t show_leaf (const skr_leaf_t *leaf, void *argument)
{
    skr_buf_t *text = argument, pointer = {0};
    char line[64];
    skr_path_to_pointer (&pointer, leaf->path);
    skr_buf_append_span (text, skr_span_of (&pointer));
    snprintf (line, sizeof line, " %d %lld %d%d%d %u.%u\n", (int) leaf->kind,
              leaf->value.type == SAKER_INT ? (long long) leaf->value.as.integer : -1, leaf->rival,
              leaf->shown, leaf->conflict, (unsigned) leaf->dot.seq, (unsigned) leaf->dot.index);
    skr_buf_append (text, line, strlen (line));
    skr_buf_free (&pointer);
    return SAKER_OK;
}

/* Only what a plain read shows, without dots. */
static saker_err_t show_plain (const skr_leaf_t *leaf, void *argument)
{
    skr_buf_t *text = argument, pointer = {0};
    char line[64];
    if (!leaf->shown) {
        return SAKER_OK;
    }
    skr_path_to_pointer (&pointer, leaf->path);
    skr_buf_append_span (text, skr_span_of (&pointer));
    snprintf (line, sizeof line, " %d %lld\n", (int) leaf->kind,
              leaf->value.type == SAKER_INT ? (long long) leaf->value.as.integer : -1);
    skr_buf_append (text, line, strlen (line));
    skr_buf_free (&pointer);
    return SAKER_OK;
}

static saker_err_t show (const skr_cells_t *cells, const char *document, skr_leaf_visit_fn *visit,
                         skr_buf_t *text)
{
    skr_buf_clear (text);
    saker_err_t error =
        skr_view_document (cells, skr_span_text (document), skr_span (NULL, 0), visit, text, NULL);
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t show_now (skr_replica_t *replica, const char *document, skr_leaf_visit_fn *visit,
                             skr_buf_t *text)
{
    const skr_collection_t *shown;
    SKR_TRY (skr_replica_collection_named (replica, collection, &shown));
    skr_store_forget (replica->store);
    return show (skr_cells_store_committed (replica->cells, shown->no), document, visit, text);
}

static saker_err_t show_then (skr_replica_t *replica, const char *document, uint64_t hlc,
                              skr_leaf_visit_fn *visit, skr_buf_t *text)
{
    const skr_collection_t *shown;
    skr_past_t *past;
    SKR_TRY (skr_replica_collection_named (replica, collection, &shown));
    skr_store_forget (replica->store);
    SKR_TRY (skr_past_open (&past, replica, SKR_COMMITTED, shown, skr_span_text (document), hlc));
    saker_err_t error = show (skr_past_cells (past), document, visit, text);
    skr_past_close (&past);
    return error;
}

/* ---- the replay: every change of the log that is not later, in its order */

static saker_err_t replay_entry (skr_replica_t *replica, memory_cells_t *cells, uint64_t position,
                                 uint64_t hlc, uint32_t no)
{
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    skr_buf_t clear = {0};
    skr_fingerprint_t fingerprint = {0, 0};
    saker_err_t error = skr_log_get (replica->store, SKR_COMMITTED, position, &entry);
    if (error || entry.collection_no != no) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    SKR_TRY (skr_change_parse (&change, entry.change));
    if (change.hlc > hlc) {
        return SAKER_OK;
    }
    SKR_TRY (skr_replica_content (replica, &change, &clear, &content));
    static skr_room_t room;
    skr_applier_t applier = {.cells = &cells->cells,
                             .collection = change.collection,
                             .writer = change.writer,
                             .seq = change.seq,
                             .hlc = change.hlc,
                             .fingerprint = &fingerprint,
                             .room = &room};
    error = skr_apply_content (&applier, &content);
    skr_content_free (&content);
    skr_buf_free (&clear);
    return error;
}

static saker_err_t show_replayed (skr_replica_t *replica, const char *document, uint64_t hlc,
                                  skr_buf_t *text)
{
    const skr_collection_t *shown;
    memory_cells_t cells;
    uint64_t last;
    SKR_TRY (skr_replica_collection_named (replica, collection, &shown));
    SKR_TRY (skr_log_last (replica->store, SKR_COMMITTED, &last));
    memory_cells_init (&cells);
    saker_err_t error = SAKER_OK;
    for (uint64_t position = 1; position <= last && !error; position++) {
        error = replay_entry (replica, &cells, position, hlc, shown->no);
    }
    error = error ? error : show (&cells.cells, document, show_leaf, text);
    memory_cells_free (&cells);
    return error;
}

static saker_err_t sync_both (pair_t *pair)
{
    skr_id_t id;
    skr_replica_collection_id (pair->a, collection, &id);
    SKR_TRY (pair_sync (pair->a, pair->b, &id));
    return pair_sync (pair->b, pair->a, &id);
}

static saker_err_t write_history (pair_t *pair, int rounds)
{
    SKR_TRY (pair_set (pair->a, collection, "d0", 1));
    SKR_TRY (pair_set (pair->b, collection, "d0", 2));
    for (int i = 0; i < rounds; i++) {
        SKR_TRY (write_random (below (2) ? pair->a : pair->b));
        if (below (8) == 0) {
            SKR_TRY (sync_both (pair));
        }
    }
    return sync_both (pair);
}

/* ---- tests */

static void past_is_a_replay (void)
{
    pair_t pair;
    skr_buf_t wanted = {0}, found = {0};
    size_t shown = 0;
    CHECK (open_both (&pair));
    uint64_t start = wall;
    CHECK_OK (write_history (&pair, 150));
    for (int i = 0; i < 80; i++) {
        char document[8];
        uint64_t hlc = (start + below ((size_t) (wall - start) + 20)) << 16 | 0xffff;
        snprintf (document, sizeof document, "d%zu", below (3));
        CHECK_OK (show_replayed (pair.a, document, hlc, &wanted));
        shown += wanted.size;
        for (int side = 0; side < 2; side++) { /* the same on every peer, whatever came first */
            CHECK_OK (show_then (side ? pair.b : pair.a, document, hlc, show_leaf, &found));
            CHECK (skr_span_equal (skr_span_of (&wanted), skr_span_of (&found)));
        }
    }
    CHECK (shown > 1000); /* it is not a test of nothing */
    skr_buf_free (&wanted);
    skr_buf_free (&found);
    pair_close (&pair);
}

/* Of two changes that end one entry only the first that came displaces it. */
static void both_ends_count (void)
{
    pair_t pair;
    skr_buf_t text = {0};
    CHECK (open_both (&pair));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 1));
    CHECK_OK (pair_set (pair.b, collection, "other", 1));
    CHECK_OK (sync_both (&pair));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 2));
    uint64_t between = wall + 5;
    CHECK_OK (write_one (pair.b, SKR_INTENT_SET, "d", "/a", 3));
    CHECK_OK (sync_both (&pair));
    for (int side = 0; side < 2; side++) {
        CHECK_OK (show_then (side ? pair.b : pair.a, "d", between << 16, show_plain, &text));
        skr_buf_append_byte (&text, 0);
        CHECK_STR ((const char *) text.data, "/a 1 2\n");
    }
    skr_buf_free (&text);
    pair_close (&pair);
}

static saker_err_t has_document (skr_replica_t *replica, uint64_t position, uint32_t no,
                                 const char *document, bool *has)
{
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    skr_buf_t clear = {0};
    *has = false;
    saker_err_t error = skr_log_get (replica->store, SKR_COMMITTED, position, &entry);
    if (error || entry.collection_no != no) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    SKR_TRY (skr_change_parse (&change, entry.change));
    SKR_TRY (skr_replica_content (replica, &change, &clear, &content));
    for (size_t i = 0; i < content.ops_count; i++) {
        *has = *has || skr_span_equal (content.ops[i].document, skr_span_text (document));
    }
    skr_content_free (&content);
    skr_buf_free (&clear);
    return SAKER_OK;
}

/* Does the index find what a look through the whole log finds? */
static bool finds_all (skr_replica_t *replica)
{
    const skr_collection_t *shown;
    uint64_t last, *positions = NULL;
    size_t count = 0;
    skr_store_forget (replica->store);
    if (skr_replica_collection_named (replica, collection, &shown) != SAKER_OK
        || skr_log_last (replica->store, SKR_COMMITTED, &last) != SAKER_OK) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        char document[8];
        size_t at = 0;
        snprintf (document, sizeof document, "d%d", i);
        if (skr_history_find (replica, SKR_COMMITTED, shown->no, skr_span_text (document),
                              &positions, &count)
            != SAKER_OK) {
            return false;
        }
        for (uint64_t position = 1; position <= last; position++) {
            bool has;
            if (has_document (replica, position, shown->no, document, &has) != SAKER_OK
                || (has && (at == count || positions[at] != position))) {
                return false;
            }
            at += has;
        }
        free (positions);
        if (at == 0 || at != count) {
            return false;
        }
    }
    skr_store_forget (replica->store);
    return true;
}

static bool reopen (skr_replica_t **replica, const char *store)
{
    const skr_world_t *world = (*replica)->world;
    skr_replica_close (replica);
    bool good = skr_replica_open (replica, store, skr_world_real ()) == SAKER_OK;
    if (good) {
        (*replica)->world = world;
    }
    return good;
}

static saker_err_t unmake (skr_replica_t *replica)
{
    SKR_TRY (skr_store_begin (replica->store));
    SKR_TRY (skr_store_empty (replica->store, SKR_HISTORY));
    SKR_TRY (skr_store_remove (replica->store, SKR_META, skr_span_text ("index history")));
    return skr_store_commit (replica->store);
}

static void index_finds_all (void)
{
    pair_t pair;
    skr_id_t id;
    uint64_t size;
    uint8_t hash[32];
    char file[128];
    CHECK (open_both (&pair));
    CHECK_OK (write_history (&pair, 400));
    CHECK (finds_all (pair.a));
    CHECK (finds_all (pair.b));
    CHECK_OK (unmake (pair.a)); /* as a store that an earlier version made */
    CHECK (reopen (&pair.a, pair.store_a));
    CHECK (finds_all (pair.a));
    CHECK_OK (write_history (&pair, 20));
    CHECK (finds_all (pair.a));
    CHECK_OK (write_random (pair.a));
    skr_replica_collection_id (pair.a, collection, &id);
    snprintf (file, sizeof file, "%s/snapshot", pair.folder);
    CHECK_OK (skr_snapshot_make (pair.a, &id, &(skr_extract_t){0}, file, &size, hash));
    CHECK_OK (write_random (pair.b));
    CHECK_OK (skr_snapshot_take (pair.b, &id, file));
    CHECK (finds_all (pair.b));
    pair_close (&pair);
}

/* The log goes as far as a position, as the cut does it. */
static saker_err_t cut_log (skr_replica_t *replica, const skr_collection_t *shown, uint64_t kept,
                            uint64_t *hlc)
{
    SKR_TRY (skr_store_begin (replica->store));
    *hlc = 0;
    for (uint64_t position = 1; position < kept; position++) {
        uint8_t key[8], place[16];
        skr_log_entry_t entry;
        skr_change_t change;
        uint32_t writer_no;
        saker_err_t error = skr_log_get (replica->store, SKR_GROUP, position, &entry);
        if (error == SAKER_ENOTFOUND || (!error && entry.collection_no != shown->no)) {
            continue;
        }
        SKR_TRY (error);
        SKR_TRY (skr_change_parse (&change, entry.change));
        *hlc = change.hlc > *hlc ? change.hlc : *hlc;
        SKR_TRY (skr_store_writer_no (replica->store, SKR_GROUP, &change.writer, &writer_no));
        skr_put_u32 (place, shown->no);
        skr_put_u32 (place + 4, writer_no);
        skr_put_u64 (place + 8, change.seq);
        SKR_TRY (skr_store_remove (replica->store, SKR_POSITIONS, skr_span (place, 16)));
        skr_put_u64 (key, position);
        SKR_TRY (skr_store_remove (replica->store, SKR_LOG, skr_span (key, 8)));
    }
    SKR_TRY (skr_history_cut (replica->store, shown->no, kept, *hlc));
    return skr_store_commit (replica->store);
}

static void a_cut_is_told (void)
{
    pair_t pair;
    skr_buf_t before = {0}, after = {0};
    const skr_collection_t *shown;
    skr_begin_t begin;
    uint64_t last, hlc;
    CHECK (open_both (&pair));
    CHECK_OK (write_history (&pair, 400));
    CHECK_OK (skr_replica_collection_named (pair.a, collection, &shown));
    CHECK_OK (skr_history_begin (pair.a, SKR_COMMITTED, shown->no, &begin));
    CHECK (begin.whole);
    CHECK_OK (skr_log_last (pair.a->store, SKR_COMMITTED, &last));
    skr_store_forget (pair.a->store);
    CHECK_OK (show_then (pair.b, "d1", (wall - 100) << 16, show_leaf, &before));
    CHECK_OK (cut_log (pair.a, shown, last / 2, &hlc));
    for (int turn = 0; turn < 2; turn++) { /* the second after the index was built anew */
        CHECK_OK (skr_replica_collection_named (pair.a, collection, &shown));
        CHECK_OK (skr_history_begin (pair.a, SKR_COMMITTED, shown->no, &begin));
        CHECK (!begin.whole);
        CHECK (begin.hlc == hlc);
        CHECK_INT (show_then (pair.a, "d1", hlc - 1, show_leaf, &after), SAKER_EGAP);
        CHECK (strstr (skr_error (), "known here from 2027-"));
        CHECK_OK (show_then (pair.a, "d1", hlc, show_leaf, &after));
        CHECK_OK (show_then (pair.a, "d1", (wall - 100) << 16, show_leaf, &after));
        CHECK (skr_span_equal (skr_span_of (&before), skr_span_of (&after)));
        skr_store_forget (pair.a->store);
        CHECK_OK (skr_store_begin (pair.a->store));
        CHECK_OK (skr_store_remove (pair.a->store, SKR_META, skr_span_text ("index history")));
        CHECK_OK (skr_store_commit (pair.a->store));
        CHECK (reopen (&pair.a, pair.store_a));
    }
    skr_buf_free (&before);
    skr_buf_free (&after);
    pair_close (&pair);
}

static void a_change_without_key_is_told (void)
{
    pair_t pair;
    skr_buf_t text = {0}, raw = {0};
    const skr_collection_t *shown;
    skr_log_entry_t entry;
    skr_change_t change;
    uint64_t *positions;
    size_t count;
    CHECK (open_both (&pair));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 1));
    uint64_t then = wall;
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 2));
    CHECK_OK (skr_replica_collection_named (pair.a, collection, &shown));
    CHECK_OK (skr_history_find (pair.a, SKR_COMMITTED, shown->no, skr_span_text ("d"), &positions,
                                &count));
    CHECK_INT (count, 2);
    CHECK_OK (skr_log_get (pair.a->store, SKR_COMMITTED, positions[1], &entry));
    skr_buf_append_span (&raw, entry.change);
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    skr_store_forget (pair.a->store);
    for (size_t i = 0; i + SKR_KEY_ID_BYTES <= raw.size; i++) { /* another key id */
        if (memcmp (raw.data + i, change.key_id, SKR_KEY_ID_BYTES) == 0) {
            raw.data[i] ^= 1;
        }
    }
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    skr_log_entry_t sealed = {.collection_no = shown->no, .change = skr_span_of (&raw)};
    CHECK_OK (skr_store_begin (pair.a->store));
    CHECK_OK (skr_log_append (pair.a->store, 1, 99, &sealed));
    CHECK_OK (skr_history_append_change (pair.a, shown->no, sealed.position, &change));
    CHECK_OK (skr_store_commit (pair.a->store));
    CHECK_INT (show_then (pair.a, "d", then << 16 | 0xffff, show_plain, &text), SAKER_EGAP);
    CHECK_OK (show_then (pair.a, "d", wall << 16 | 0xffff, show_plain, &text));
    free (positions);
    skr_buf_free (&raw);
    skr_buf_free (&text);
    pair_close (&pair);
}

static saker_err_t revive (skr_replica_t *replica, const char *document, uint64_t hlc,
                           saker_receipt_t *receipt)
{
    const skr_collection_t *shown;
    SKR_TRY (skr_replica_collection_named (replica, collection, &shown));
    wall += 10;
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_replica_revive (replica, shown, skr_span_text (document),
                                            skr_span (NULL, 0), hlc, receipt);
    if (error) {
        skr_replica_abort (replica);
        return error;
    }
    return skr_replica_commit (replica);
}

static void what_was_comes_back (void)
{
    pair_t pair;
    saker_receipt_t receipt;
    skr_buf_t wanted = {0}, found = {0};
    int revived = 0;
    CHECK (open_both (&pair));
    uint64_t start = wall;
    CHECK_OK (write_history (&pair, 120));
    for (int i = 0; i < 60; i++) {
        char document[8];
        uint64_t hlc = (start + below ((size_t) (wall - start))) << 16 | 0xffff;
        snprintf (document, sizeof document, "d%zu", below (3));
        CHECK_OK (show_then (pair.a, document, hlc, show_plain, &wanted));
        saker_err_t error = revive (pair.a, document, hlc, &receipt);
        if (error == SAKER_ENOTFOUND) {
            CHECK_INT (wanted.size, 0);
            continue;
        }
        CHECK_OK (error);
        revived += receipt.seq > 0;
        CHECK_OK (show_now (pair.a, document, show_plain, &found));
        CHECK (skr_span_equal (skr_span_of (&wanted), skr_span_of (&found)));
        CHECK_OK (revive (pair.a, document, hlc, &receipt)); /* it is equal: nothing is written */
        CHECK_INT (receipt.seq, 0);
        CHECK_OK (write_random (pair.b));
        CHECK_OK (sync_both (&pair));
    }
    CHECK (revived > 20);
    skr_buf_free (&wanted);
    skr_buf_free (&found);
    pair_close (&pair);
}

/* What another writes at the same time stays: a value as a rival, an increment counted. */
static void what_others_write_stays (void)
{
    pair_t pair;
    saker_receipt_t receipt;
    skr_buf_t text = {0};
    CHECK (open_both (&pair));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 1));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/kept", 7));
    CHECK_OK (write_one (pair.a, SKR_INTENT_INCR, "d", "/n", 10));
    uint64_t then = wall << 16 | 0xffff;
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/a", 2));
    CHECK_OK (write_one (pair.a, SKR_INTENT_INCR, "d", "/n", 5));
    CHECK_OK (write_one (pair.a, SKR_INTENT_SET, "d", "/new", 1));
    CHECK_OK (pair_set (pair.b, collection, "other", 1));
    CHECK_OK (sync_both (&pair));
    CHECK_OK (write_one (pair.b, SKR_INTENT_SET, "d", "/a", 3));
    CHECK_OK (write_one (pair.b, SKR_INTENT_INCR, "d", "/n", 100));
    CHECK_OK (write_one (pair.b, SKR_INTENT_SET, "d", "/kept", 8));
    CHECK_OK (revive (pair.a, "d", then, &receipt));
    CHECK_OK (sync_both (&pair));
    for (int side = 0; side < 2; side++) {
        CHECK_OK (show_now (side ? pair.b : pair.a, "d", show_leaf, &text));
        skr_buf_append_byte (&text, 0);
        const char *shown = (const char *) text.data;
        CHECK (strstr (shown, "/a 1 1 010 ") && strstr (shown, "/a 1 3 101 ")); /* rivals */
        CHECK (strstr (shown, "/n 3 110 ")); /* 10, and 100 more */
        CHECK (strstr (shown, "/kept 1 8 010 ") && !strstr (shown, "/kept 1 7"));
        CHECK (!strstr (shown, "/new"));
    }
    skr_buf_free (&text);
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (past_is_a_replay);
    RUN (both_ends_count);
    RUN (index_finds_all);
    RUN (a_cut_is_told);
    RUN (a_change_without_key_is_told);
    RUN (what_was_comes_back);
    RUN (what_others_write_stays);
    return CHECK_END ();
}
