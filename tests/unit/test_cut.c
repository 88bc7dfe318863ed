/* The cut: slices are bounded, prefixes of the local order, and last; receipts go after their time.
   One replica, with clocks of its own. */

#include "peer/cut.h"
#include "peer/receipts.h"
#include "peer/replica_internal.h"

#include "tests/check.h"
#include "tests/lib/pair.h"
#include "tests/lib/temp_folder.h"

static char place[TEMP_FOLDER_BYTES], folder[TEMP_FOLDER_BYTES + 16];
static uint64_t now_ms;
static skr_replica_t *replica;

static uint64_t now (void *context)
{
    (void) context;
    return now_ms;
}

static void ignore (void *context, skr_level_t level, const char *message)
{
    (void) context, (void) level, (void) message;
}

static const skr_world_t world = {NULL, now, now, ignore, NULL, NULL};

static bool open_store (void)
{
    now_ms = 1700000000000ull;
    temp_folder_remove (folder);
    return skr_replica_found (folder, "studio", "one", &world) == SAKER_OK
           && skr_replica_open (&replica, folder, &world) == SAKER_OK;
}

static bool reopen (void)
{
    skr_replica_close (&replica);
    return skr_replica_open (&replica, folder, &world) == SAKER_OK;
}

static const skr_collection_t *shots (void)
{
    const skr_collection_t *collection = NULL;
    if (skr_replica_collection_named (replica, "shots", &collection) != SAKER_OK || !collection) {
        abort (); /* every test writes to it first */
    }
    return collection;
}

/* All that is stable and at least `history_ms` old. */
static saker_err_t cut (const skr_clock_t *stable, uint64_t history_ms, skr_cut_slice_t *slice)
{
    const skr_cut_terms_t terms = {.stable = stable, .wall_ms = now_ms, .history_ms = history_ms};
    skr_id_t id = shots ()->id;
    return skr_cut_some (replica, &id, &terms, slice);
}

static uint64_t time_us (clockid_t clock)
{
    struct timespec time;
    (void) clock_gettime (clock, &time);
    return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

static void slices_are_bounded_and_last (void)
{
    enum { CHANGES = 2500 };
    skr_cut_slice_t slice;
    CHECK (open_store ());
    CHECK_OK (skr_replica_begin (replica));
    for (int i = 0; i < CHANGES; i++) {
        skr_buf_t path = {0}, value = {0};
        saker_receipt_t receipt;
        CHECK_OK (skr_path_from_pointer (&path, "/n"));
        skr_cbor_put_int (&value, i);
        const skr_intent_t intent = {SKR_INTENT_SET, skr_span_text ("d"), skr_span_of (&path),
                                     skr_span_of (&value)};
        const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
        CHECK_OK (skr_replica_write (replica, &local, &receipt));
        skr_buf_free (&path);
        skr_buf_free (&value);
    }
    CHECK_OK (skr_replica_commit (replica));
    uint64_t left = CHANGES, bytes = shots ()->log_bytes;
    CHECK (bytes > CHANGES * 100);
    while (left > 0) {
        uint64_t start_us = time_us (CLOCK_MONOTONIC);
        uint64_t cpu_us = time_us (CLOCK_PROCESS_CPUTIME_ID);
        CHECK_OK (cut (&shots ()->clock, 0, &slice));
        printf ("a slice of %llu changes, %llu KiB: %llu us, of these %llu us on the processor\n",
                (unsigned long long) slice.entries, (unsigned long long) slice.bytes / 1024,
                (unsigned long long) (time_us (CLOCK_MONOTONIC) - start_us),
                (unsigned long long) (time_us (CLOCK_PROCESS_CPUTIME_ID) - cpu_us));
        CHECK_INT (slice.entries,
                   left < SKR_CUT_SLICE_ENTRIES_MAX ? left : SKR_CUT_SLICE_ENTRIES_MAX);
        left -= slice.entries;
        bytes -= slice.bytes;
        CHECK_INT (slice.end, left ? SKR_CUT_FULL : SKR_CUT_EMPTY);
        for (int i = 0; i < 2; i++) {
            CHECK_INT (skr_cut_entries (replica, &shots ()->id), left);
            CHECK_INT (shots ()->log_bytes, bytes);
            CHECK (reopen ());
        }
    }
    CHECK_INT (bytes, 0);
    CHECK_OK (cut (&shots ()->clock, 0, &slice));
    CHECK_INT (slice.entries, 0);
    CHECK (skr_clock_equal (skr_cut_clock (replica, &shots ()->id), &shots ()->clock));
    CHECK_OK (pair_set (replica, "shots", "d", 7)); /* it goes on, in the same chain */
    CHECK_INT (skr_cut_entries (replica, &shots ()->id), 1);
    skr_replica_close (&replica);
}

static void what_is_young_or_not_stable_stays (void)
{
    skr_cut_slice_t slice;
    skr_clock_t stable = {0};
    CHECK (open_store ());
    for (int i = 0; i < 3; i++) {
        CHECK_OK (pair_set (replica, "shots", "d", i));
        now_ms += 1000;
    }
    CHECK_OK (cut (&stable, 0, &slice));
    CHECK_INT (slice.entries, 0);
    CHECK_INT (slice.end, SKR_CUT_UNSTABLE);
    CHECK_OK (cut (&shots ()->clock, 60000, &slice));
    CHECK_INT (slice.entries, 0);
    CHECK_INT (slice.end, SKR_CUT_YOUNG);
    CHECK_INT (slice.time_ms, 1700000000000ull);
    CHECK_OK (cut (&shots ()->clock, 2500, &slice));
    CHECK_INT (slice.entries, 1);
    CHECK_OK (skr_clock_set (&stable, skr_replica_writer (replica), 2));
    CHECK_OK (cut (&stable, 0, &slice));
    CHECK_INT (slice.entries, 1);
    CHECK_INT (slice.end, SKR_CUT_UNSTABLE);
    now_ms -=
        400000; /* our clock goes back: the last change is from the future, and not waited for */
    CHECK_OK (cut (&shots ()->clock, 60000, &slice));
    CHECK_INT (slice.entries, 1);
    skr_id_t roster = {{0}};
    const skr_cut_terms_t terms = {.stable = &stable, .wall_ms = now_ms};
    CHECK_ERR (skr_cut_some (replica, &roster, &terms, &slice), SAKER_EINPUT, "roster");
    skr_clock_free (&stable);
    skr_replica_close (&replica);
}

/* ---- the same cells, over and over */

enum { DOCUMENTS = 100, CELLS = 100, CELLS_A_CHANGE = 1000, ROUNDS = 30 };

static saker_err_t overwrite_some (int first, int value)
{
    static skr_intent_t intents[CELLS_A_CHANGE];
    static char documents[CELLS_A_CHANGE][8];
    static skr_buf_t paths[CELLS_A_CHANGE];
    skr_buf_t number = {0};
    saker_receipt_t receipt;
    skr_cbor_put_int (&number, value);
    for (int i = 0; i < CELLS_A_CHANGE; i++) {
        char pointer[16];
        snprintf (documents[i], sizeof documents[i], "d%d", (first + i) / CELLS);
        snprintf (pointer, sizeof pointer, "/c%d", (first + i) % CELLS);
        skr_buf_clear (&paths[i]);
        SKR_TRY (skr_path_from_pointer (&paths[i], pointer));
        intents[i] = (skr_intent_t){SKR_INTENT_SET, skr_span_text (documents[i]),
                                    skr_span_of (&paths[i]), skr_span_of (&number)};
    }
    const skr_local_t local = {.collection = "shots", .intents = intents, .count = CELLS_A_CHANGE};
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_replica_write (replica, &local, &receipt));
    skr_buf_free (&number);
    return skr_replica_commit (replica);
}

static saker_err_t overwrite_all (int round)
{
    for (int first = 0; first < DOCUMENTS * CELLS; first += CELLS_A_CHANGE) {
        SKR_TRY (overwrite_some (first, round));
        now_ms += 100;
    }
    return SAKER_OK;
}

static uint64_t used_bytes (void)
{
    skr_store_stats_t stats;
    skr_store_stats (skr_replica_store (replica), &stats);
    return stats.used_bytes;
}

/* Ten thousand cells, overwritten thirty times; one store is cut, the other is not. */
static void overwriting_keeps_a_bounded_size (void)
{
    uint64_t used[ROUNDS] = {0}, uncut = 0;
    for (int with = 0; with < 2; with++) {
        CHECK (open_store ());
        for (int round = 0; round < ROUNDS; round++) {
            skr_cut_slice_t slice = {.end = SKR_CUT_EMPTY};
            CHECK_OK (overwrite_all (round));
            do {
                if (with) {
                    CHECK_OK (cut (&shots ()->clock, 2000, &slice)); /* two rounds of history */
                }
            } while (slice.end == SKR_CUT_FULL);
            used[round] = used_bytes ();
        }
        uncut = with ? uncut : used[ROUNDS - 1];
        printf ("10,000 cells, %s: %llu KiB used after 5 rounds, %llu after 15, %llu after 30\n",
                with ? "cut" : "not cut", (unsigned long long) used[4] / 1024,
                (unsigned long long) used[14] / 1024, (unsigned long long) used[29] / 1024);
        skr_replica_close (&replica);
    }
    CHECK (used[ROUNDS - 1] < used[4] + used[4] / 4);
    CHECK (uncut > 3 * used[ROUNDS - 1]);
}

/* ---- receipts */

static bool together; /* in one group */

static saker_err_t write_once (const char *id, saker_receipt_t *receipt)
{
    skr_buf_t path = {0}, value = {0};
    SKR_TRY (skr_path_from_pointer (&path, "/n"));
    skr_cbor_put_int (&value, 1);
    const skr_intent_t intent = {SKR_INTENT_INCR, skr_span_text ("d"), skr_span_of (&path),
                                 skr_span_of (&value)};
    const skr_local_t local = {
        .collection = "shots", .intents = &intent, .count = 1, .operation_id = skr_span_text (id)};
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_replica_write (replica, &local, receipt));
    skr_buf_free (&path);
    skr_buf_free (&value);
    return together ? SAKER_OK : skr_replica_commit (replica);
}

/* ---- folding */

static saker_err_t count_entry (const skr_entry_t *entry, void *argument)
{
    (void) entry;
    ++*(size_t *) argument;
    return SAKER_OK;
}

static size_t count_entries (void)
{
    size_t count = 0;
    const skr_cells_t *cells = skr_cells_store_committed (replica->cells, shots ()->no);
    if (cells->scan (cells->context, skr_span_text ("d"), skr_span (NULL, 0), count_entry, &count)
        != SAKER_OK) {
        abort ();
    }
    return count;
}

static saker_err_t take_sum (const skr_leaf_t *leaf, void *argument)
{
    *(int64_t *) argument = leaf->value.as.integer;
    return SAKER_OK;
}

static int64_t sum_shown (void)
{
    int64_t sum = -1;
    saker_err_t error = skr_replica_read (replica, shots (), skr_span_text ("d"),
                                          skr_span (NULL, 0), take_sum, &sum);
    skr_store_forget (skr_replica_store (replica));
    return error == SAKER_OK || error == SAKER_ENOTFOUND ? sum : -2;
}

static saker_err_t cut_and_fold (const skr_clock_t *foldable, skr_cut_slice_t *slice)
{
    const skr_cut_terms_t terms = {
        .stable = &shots ()->clock, .wall_ms = now_ms, .foldable = foldable};
    skr_id_t id = shots ()->id;
    return skr_cut_some (replica, &id, &terms, slice);
}

static saker_err_t delete_all (void)
{
    skr_buf_t path = {0};
    saker_receipt_t receipt;
    SKR_TRY (skr_path_from_pointer (&path, "/n"));
    const skr_intent_t intent = {SKR_INTENT_DELETE, skr_span_text ("d"), skr_span_of (&path),
                                 skr_span (NULL, 0)};
    const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_replica_write (replica, &local, &receipt));
    skr_buf_free (&path);
    return skr_replica_commit (replica);
}

static void counters_are_folded (void)
{
    saker_receipt_t receipt;
    skr_cut_slice_t slice;
    skr_clock_t foldable = {0};
    char id[16];
    CHECK (open_store ());
    together = true;
    for (int i = 0; i < 500; i++) {
        snprintf (id, sizeof id, "id %d", i);
        CHECK_OK (write_once (id, &receipt));
    }
    together = false;
    CHECK_OK (skr_replica_commit (replica));
    CHECK_INT (count_entries (), 500);
    skr_fingerprint_t before = shots ()->fingerprint;
    CHECK_OK (skr_clock_set (&foldable, skr_replica_writer (replica), 300));
    CHECK_OK (cut_and_fold (&foldable, &slice)); /* others have cut less than we */
    CHECK_INT (slice.entries, 500);
    CHECK_INT (count_entries (), 201);
    CHECK_INT (sum_shown (), 500);
    CHECK (skr_fingerprint_equal (&before, &shots ()->fingerprint));
    CHECK (reopen ()); /* which adds up the fingerprint anew */
    CHECK_OK (write_once ("one more", &receipt));
    before = shots ()->fingerprint;
    CHECK_OK (skr_clock_set (&foldable, skr_replica_writer (replica), 500));
    CHECK_OK (cut_and_fold (&foldable, &slice)); /* a fold is folded again */
    CHECK_INT (slice.entries, 1);
    CHECK_INT (count_entries (), 2);
    CHECK_INT (sum_shown (), 501);
    CHECK (skr_fingerprint_equal (&before, &shots ()->fingerprint));
    CHECK_INT (shots ()->documents, 1);
    CHECK (reopen ());
    CHECK_OK (delete_all ()); /* what was seen ends, folded or not */
    CHECK_INT (sum_shown (), -1);
    CHECK_INT (shots ()->documents, 0);
    skr_fingerprint_t nothing = {0, 0};
    CHECK (skr_fingerprint_equal (&nothing, &shots ()->fingerprint));
    CHECK (reopen ());
    skr_clock_free (&foldable);
    skr_replica_close (&replica);
}

/* A delete of a fold is taken back as one. */
static void a_fold_comes_back_whole (void)
{
    saker_receipt_t receipt;
    skr_cut_slice_t slice;
    skr_clock_t foldable = {0};
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    skr_buf_t clear = {0}, raw = {0};
    uint64_t last;
    CHECK (open_store ());
    CHECK_OK (write_once ("one", &receipt));
    CHECK_OK (write_once ("two", &receipt));
    CHECK_OK (skr_clock_copy (&foldable, &shots ()->clock));
    CHECK_OK (cut_and_fold (&foldable, &slice));
    CHECK_INT (count_entries (), 1);
    skr_fingerprint_t before = shots ()->fingerprint;
    CHECK_OK (delete_all ());
    CHECK_OK (skr_log_last (replica->store, SKR_COMMITTED, &last));
    CHECK_OK (skr_replica_begin (replica));
    CHECK_OK (skr_log_get (replica->store, SKR_GROUP, last, &entry));
    skr_buf_append_span (&raw, entry.change);
    skr_buf_clear (&replica->undo);
    skr_buf_append_span (&replica->undo, entry.undo);
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    CHECK_OK (skr_replica_content (replica, &change, &clear, &content));
    skr_held_t *held = skr_holdings_find (replica, &change.collection);
    skr_applier_t applier;
    CHECK_OK (skr_holdings_touch (replica, held));
    skr_admit_applier (replica, held, &change, &applier);
    CHECK_OK (
        skr_apply_undo (&applier, content.ops, content.ops_count, skr_span_of (&replica->undo)));
    CHECK_OK (skr_replica_commit (replica));
    CHECK_INT (count_entries (), 1);
    CHECK_INT (sum_shown (), 2);
    CHECK (skr_fingerprint_equal (&before, &shots ()->fingerprint));
    skr_content_free (&content);
    skr_buf_free (&clear);
    skr_buf_free (&raw);
    skr_clock_free (&foldable);
    skr_replica_close (&replica);
}

static void receipts_go_after_their_time (void)
{
    saker_receipt_t receipt;
    skr_cut_slice_t slice;
    uint8_t from[SKR_RECEIPT_KEY_BYTES] = {0};
    size_t gone;
    CHECK (open_store ());
    CHECK_OK (write_once ("one", &receipt));
    CHECK_OK (cut (&shots ()->clock, 0, &slice));
    CHECK_INT (slice.entries, 1);
    now_ms += SKR_RECEIPT_MS_MIN - 1;
    CHECK_OK (write_once ("two", &receipt));
    CHECK_OK (skr_receipts_walk (replica, from, &gone));
    CHECK_INT (gone, 0);
    CHECK_OK (write_once ("one", &receipt));
    CHECK (receipt.repeated);
    CHECK_INT (receipt.seq, 1);
    now_ms += 1;
    CHECK_OK (skr_receipts_walk (replica, from, &gone));
    CHECK_INT (gone, 1); /* "two" is young */
    CHECK_OK (write_once ("two", &receipt));
    CHECK (receipt.repeated);
    now_ms += SKR_RECEIPT_MS_MIN;
    CHECK_OK (skr_receipts_walk (replica, from, &gone));
    CHECK_INT (gone, 0); /* it is old, but its change is not cut */
    CHECK_OK (cut (&shots ()->clock, 0, &slice));
    CHECK_OK (skr_receipts_walk (replica, from, &gone));
    CHECK_INT (gone, 1);
    CHECK_OK (write_once ("two", &receipt));
    CHECK (!receipt.repeated);
    skr_replica_close (&replica);
}

static void the_walk_over_receipts_is_bounded (void)
{
    enum { MANY = 2300 };
    saker_receipt_t receipt;
    skr_cut_slice_t slice;
    uint8_t from[SKR_RECEIPT_KEY_BYTES] = {0};
    static const uint8_t start[SKR_RECEIPT_KEY_BYTES];
    size_t gone, all = 0;
    int walks = 0;
    CHECK (open_store ());
    together = true;
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf (id, sizeof id, "id %d", i);
        CHECK_OK (write_once (id, &receipt));
    }
    together = false;
    CHECK_OK (skr_replica_commit (replica));
    do {
        CHECK_OK (cut (&shots ()->clock, 0, &slice));
    } while (slice.end == SKR_CUT_FULL);
    now_ms += SKR_RECEIPT_MS_MIN + 1000;
    do {
        CHECK_OK (skr_receipts_walk (replica, from, &gone));
        CHECK (gone <= SKR_RECEIPTS_A_WALK);
        all += gone;
        walks++;
    } while (memcmp (from, start, sizeof from) != 0);
    CHECK_INT (all, MANY);
    CHECK_INT (walks, 3);
    skr_replica_close (&replica);
}

int main (int argc, char **argv)
{
    temp_folder_make (place);
    (void) snprintf (folder, sizeof folder, "%s/store", place);
    CHECK_BEGIN (argc, argv);
    RUN (slices_are_bounded_and_last);
    RUN (what_is_young_or_not_stable_stays);
    RUN (overwriting_keeps_a_bounded_size);
    RUN (counters_are_folded);
    RUN (a_fold_comes_back_whole);
    RUN (receipts_go_after_their_time);
    RUN (the_walk_over_receipts_is_bounded);
    temp_folder_remove (place);
    return CHECK_END ();
}
