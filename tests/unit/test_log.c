/* The log: what is appended is found by position, by change, and as what somebody lacks. */

#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include "peer/log.h"
#include "peer/numbers.h"

#include <unistd.h>

enum { WRITERS = 5, COLLECTIONS = 2, ENTRIES = 3000 };

static char place[TEMP_FOLDER_BYTES];
static skr_store_t *store;
static skr_id_t writers[WRITERS];
static skr_clock_t clocks[COLLECTIONS];

static saker_err_t open_log (void)
{
    char folder[TEMP_FOLDER_BYTES + 32];
    (void) snprintf (folder, sizeof folder, "%s/store", place);
    temp_folder_remove (folder);
    for (int i = 0; i < WRITERS; i++) {
        memset (writers[i].bytes, 200 - 31 * i, sizeof writers[i].bytes);
    }
    return skr_store_open (&store, folder, SKR_STORE_CREATE, skr_world_real ());
}

static void close_log (void)
{
    skr_store_close (&store);
    for (int i = 0; i < COLLECTIONS; i++) {
        skr_clock_free (&clocks[i]);
    }
}

/* What stands for a change: its collection, writer and seq as text. */
static skr_span_t change_text (char text[64], uint32_t collection, int writer, uint64_t seq)
{
    (void) snprintf (text, 64, "change %u %d %llu", collection, writer, (unsigned long long) seq);
    return skr_span_text (text);
}

static saker_err_t append (uint32_t collection, int writer, uint64_t *position)
{
    char text[64], undo[8] = "undo";
    uint32_t writer_no;
    uint64_t seq = skr_clock_get (&clocks[collection], &writers[writer]) + 1;
    skr_log_entry_t entry = {
        .collection_no = collection + 1,
        .change = change_text (text, collection, writer, seq),
        .undo = skr_span (undo, seq % 5),
    };
    SKR_TRY (skr_store_writer_no (store, SKR_GROUP, &writers[writer], &writer_no));
    SKR_TRY (skr_log_append (store, writer_no, seq, &entry));
    *position = entry.position;
    return skr_clock_set (&clocks[collection], &writers[writer], seq);
}

static saker_err_t append_random (int count, uint64_t *random)
{
    SKR_TRY (skr_store_begin (store));
    for (int i = 0; i < count; i++) {
        uint64_t position;
        SKR_TRY (append ((uint32_t) (check_random (random) % COLLECTIONS),
                         (int) (check_random (random) % WRITERS), &position));
    }
    return skr_store_commit (store);
}

static void finds_entries (void)
{
    uint64_t position;
    skr_log_entry_t entry;
    CHECK_OK (open_log ());
    CHECK_OK (skr_log_last (store, SKR_COMMITTED, &position));
    CHECK_INT (position, 0);
    CHECK_OK (skr_store_begin (store));
    for (uint64_t i = 1; i <= 5; i++) {
        CHECK_OK (append (0, 2, &position));
        CHECK_INT (position, i);
    }
    CHECK_OK (append (1, 2, &position));
    CHECK_OK (skr_log_last (store, SKR_COMMITTED, &position));
    CHECK_INT (position, 0);
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (skr_log_last (store, SKR_COMMITTED, &position));
    CHECK_INT (position, 6);

    CHECK_OK (skr_log_get (store, SKR_COMMITTED, 3, &entry));
    CHECK_INT (entry.position, 3);
    CHECK_INT (entry.collection_no, 1);
    CHECK (skr_span_equal (entry.change, skr_span_text ("change 0 2 3")));
    CHECK (skr_span_equal (entry.undo, skr_span_text ("und")));
    CHECK_INT (skr_log_get (store, SKR_COMMITTED, 7, &entry), SAKER_ENOTFOUND);
    CHECK_OK (skr_log_find (store, SKR_COMMITTED, 2, 1, 1, &position));
    CHECK_INT (position, 6);
    CHECK_INT (skr_log_find (store, SKR_COMMITTED, 2, 1, 2, &position), SAKER_ENOTFOUND);
    close_log ();
}

typedef struct seen_t {
    uint32_t collection;
    uint64_t position;
    size_t count;
    size_t stop_at;
    bool wrong;
    skr_clock_t clock; /* what was had, raised by what was seen */
} seen_t;

static saker_err_t see (const skr_log_entry_t *entry, void *argument)
{
    seen_t *seen = argument;
    char text[64], wanted[64];
    unsigned int collection;
    int writer;
    unsigned long long seq;
    (void) snprintf (text, sizeof text, "%.*s", (int) entry->change.size,
                     (const char *) entry->change.data);
    if (sscanf (text, "change %u %d %llu", &collection, &writer, &seq) != 3) {
        return skr_fail (SAKER_EDAMAGED, "not a change");
    }
    (void) change_text (wanted, seen->collection, writer, seq);
    seen->wrong |= strcmp (text, wanted) != 0 || entry->position <= seen->position
                   || seq != skr_clock_get (&seen->clock, &writers[writer]) + 1;
    seen->position = entry->position;
    SKR_TRY (skr_clock_set (&seen->clock, &writers[writer], seq));
    return ++seen->count == seen->stop_at ? SKR_STOP : SAKER_OK;
}

static saker_err_t random_clock (const skr_clock_t *below, skr_clock_t *clock, uint64_t *random)
{
    for (size_t i = 0; i < below->count; i++) {
        uint64_t seq = check_random (random) % (below->ticks[i].seq + 1);
        SKR_TRY (skr_clock_set (clock, &below->ticks[i].writer, seq));
    }
    /* Somebody may have what we have not. */
    skr_id_t stranger = {{1, 2, 3}};
    return skr_clock_set (clock, &stranger, 17);
}

static void finds_what_is_missing (void)
{
    uint64_t random = check_seed ();
    CHECK_OK (open_log ());
    CHECK_OK (append_random (ENTRIES, &random));
    for (int i = 0; i < 200; i++) {
        skr_clock_t have = {0};
        seen_t seen = {.collection = (uint32_t) i % COLLECTIONS};
        const skr_clock_t *clock = &clocks[seen.collection];
        if (i >= COLLECTIONS) {
            CHECK_OK (random_clock (clock, &have, &random));
        }
        uint64_t missing = skr_clock_missing (clock, &have);
        CHECK_OK (skr_clock_copy (&seen.clock, &have));
        CHECK_OK (
            skr_log_missing (store, SKR_COMMITTED, seen.collection + 1, clock, &have, see, &seen));
        CHECK (!seen.wrong);
        CHECK_INT (seen.count, missing);
        CHECK (skr_clock_covers (&seen.clock, clock));
        if (missing > 1) {
            size_t half = (size_t) missing / 2;
            skr_clock_free (&seen.clock);
            seen = (seen_t){.collection = seen.collection, .stop_at = half};
            CHECK_OK (skr_clock_copy (&seen.clock, &have));
            CHECK_OK (skr_log_missing (store, SKR_COMMITTED, seen.collection + 1, clock, &have, see,
                                       &seen));
            CHECK_INT (seen.count, half);
        }
        skr_clock_free (&seen.clock);
        skr_clock_free (&have);
    }
    close_log ();
}

/* Takes the first `count` entries out, as a cut does. */
static saker_err_t drop_entries (uint64_t count, skr_clock_t *dropped)
{
    SKR_TRY (skr_store_begin (store));
    for (uint64_t position = 1; position <= count; position++) {
        uint8_t key[8], index[16];
        char text[64];
        unsigned int collection;
        int writer;
        unsigned long long seq;
        uint32_t writer_no;
        skr_log_entry_t entry;
        SKR_TRY (skr_log_get (store, SKR_GROUP, position, &entry));
        (void) snprintf (text, sizeof text, "%.*s", (int) entry.change.size,
                         (const char *) entry.change.data);
        if (sscanf (text, "change %u %d %llu", &collection, &writer, &seq) != 3) {
            return skr_fail (SAKER_EDAMAGED, "not a change");
        }
        SKR_TRY (skr_store_writer_no (store, SKR_GROUP, &writers[writer], &writer_no));
        skr_put_u64 (key, position);
        skr_put_u32 (index, collection + 1);
        skr_put_u32 (index + 4, writer_no);
        skr_put_u64 (index + 8, seq);
        SKR_TRY (skr_store_remove (store, SKR_LOG, skr_span (key, sizeof key)));
        SKR_TRY (skr_store_remove (store, SKR_POSITIONS, skr_span (index, sizeof index)));
        SKR_TRY (skr_clock_set (&dropped[collection], &writers[writer], seq));
    }
    return skr_store_commit (store);
}

/* What is had already is not looked at: it is not even there. And what is missing there, is told.
 */
static void tells_a_gap (void)
{
    uint64_t random = check_seed ();
    skr_clock_t dropped[COLLECTIONS] = {{0}};
    CHECK_OK (open_log ());
    CHECK_OK (append_random (500, &random));
    CHECK_OK (drop_entries (300, dropped));
    for (uint32_t i = 0; i < COLLECTIONS; i++) {
        seen_t seen = {.collection = i};
        CHECK_OK (skr_clock_copy (&seen.clock, &dropped[i]));
        CHECK_OK (
            skr_log_missing (store, SKR_COMMITTED, i + 1, &clocks[i], &dropped[i], see, &seen));
        CHECK (!seen.wrong);
        CHECK_INT (seen.count, skr_clock_missing (&clocks[i], &dropped[i]));
        skr_clock_free (&seen.clock);

        seen = (seen_t){.collection = i};
        skr_id_t writer = dropped[i].ticks[0].writer;
        CHECK_OK (skr_clock_set (&dropped[i], &writer, dropped[i].ticks[0].seq - 1));
        CHECK_ERR (
            skr_log_missing (store, SKR_COMMITTED, i + 1, &clocks[i], &dropped[i], see, &seen),
            SAKER_EGAP, "no longer in the log");
        CHECK_INT (seen.count, 0);
        skr_clock_free (&dropped[i]);
    }
    close_log ();
}

static saker_err_t count_entries (const skr_log_entry_t *entry, void *argument)
{
    (void) entry;
    ++*(size_t *) argument;
    return SAKER_OK;
}

/* Thousands of writers, one change each. */
static void merges_many_writers (void)
{
    enum { MANY = 3000 };
    skr_clock_t clock = {0}, have = {0};
    size_t count = 0;
    CHECK_OK (open_log ());
    CHECK_OK (skr_store_begin (store));
    for (uint32_t i = 0; i < MANY; i++) {
        skr_id_t writer = {{0}};
        uint32_t writer_no;
        skr_log_entry_t entry = {.collection_no = 1, .change = skr_span_text ("x")};
        skr_put_u32 (writer.bytes, i * 2654435761u);
        CHECK_OK (skr_store_writer_no (store, SKR_GROUP, &writer, &writer_no));
        CHECK_INT (writer_no, i + 1);
        CHECK_OK (skr_log_append (store, writer_no, 1, &entry));
        CHECK_OK (skr_clock_set (&clock, &writer, 1));
    }
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (skr_log_missing (store, SKR_COMMITTED, 1, &clock, &have, count_entries, &count));
    CHECK_INT (count, MANY);
    skr_clock_free (&clock);
    close_log ();
}

int main (int argc, char **argv)
{
    temp_folder_make (place);
    CHECK_BEGIN (argc, argv);
    RUN (finds_entries);
    RUN (finds_what_is_missing);
    RUN (tells_a_gap);
    RUN (merges_many_writers);
    temp_folder_remove (place);
    return CHECK_END ();
}
