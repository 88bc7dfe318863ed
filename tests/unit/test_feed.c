#include "peer/feed.h"

#include "peer/cut.h"
#include "peer/replica_internal.h"

#include "tests/check.h"
#include "tests/lib/pair.h"

static pair_t pair;

/* What was visited, as text: "3:shots/d1 3:shots/d2". */
typedef struct seen_t {
    skr_buf_t text;
    size_t count, stop_at; /* stops before this one; 0: never */
    char author[SKR_NAME_BYTES_MAX + 1];
    uint64_t time_ms;
} seen_t;

static saker_err_t see (const saker_event_t *event, void *argument)
{
    seen_t *seen = argument;
    char text[128];
    if (seen->stop_at && seen->count + 1 == seen->stop_at) {
        return SKR_STOP;
    }
    snprintf (text, sizeof text, "%s%s/%s", seen->count ? " " : "", event->collection,
              event->document);
    skr_buf_append (&seen->text, text, strlen (text));
    snprintf (seen->author, sizeof seen->author, "%s", event->author);
    seen->time_ms = event->time_ms;
    seen->count++;
    return SAKER_OK;
}

/* Reads from the cursor; the text is good until the next call. */
static const char *read_from (saker_cursor_t *cursor, const char *name, size_t changes_max,
                              seen_t *seen)
{
    static char text[1024];
    const skr_collection_t *collection = NULL;
    if (name && skr_replica_collection_named (pair.a, name, &collection) != SAKER_OK) {
        return "no collection";
    }
    saker_err_t error = skr_feed_read (pair.a, collection, cursor, changes_max, see, seen);
    snprintf (text, sizeof text, "%.*s", (int) seen->text.size, (const char *) seen->text.data);
    skr_buf_free (&seen->text);
    return error == SAKER_OK ? text : skr_error ();
}

static saker_err_t set_two (const char *collection, const char *one, const char *other)
{
    skr_buf_t path = {0}, below = {0};
    uint8_t value = 1;
    saker_receipt_t receipt;
    SKR_TRY (skr_path_from_pointer (&path, "/a"));
    SKR_TRY (skr_path_from_pointer (&below, "/b"));
    const skr_span_t v = skr_span (&value, 1);
    const skr_intent_t intents[] = {
        {SKR_INTENT_SET, skr_span_text (one), skr_span_of (&path), v},
        {SKR_INTENT_SET, skr_span_text (other), skr_span_of (&path), v},
        {SKR_INTENT_SET, skr_span_text (one), skr_span_of (&below), v},
    };
    const skr_local_t local = {.collection = collection, .intents = intents, .count = 3};
    SKR_TRY (skr_replica_begin (pair.a));
    SKR_TRY (skr_replica_write (pair.a, &local, &receipt));
    skr_buf_free (&path);
    skr_buf_free (&below);
    return skr_replica_commit (pair.a);
}

static void one_event_for_each_change_and_document (void)
{
    saker_cursor_t cursor, now;
    seen_t seen = {.count = 0};
    CHECK_OK (skr_feed_now (pair.a, &cursor));
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "");
    CHECK_OK (set_two ("shots", "d1", "d2"));
    CHECK_OK (pair_set (pair.a, "assets", "d3", 5));
    CHECK_OK (pair_set (pair.a, "shots", "d1", 5));
    saker_cursor_t start = cursor;
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "shots/d1 shots/d2 assets/d3 shots/d1");
    CHECK_STR (seen.author, "alpha");
    uint64_t now_ms = skr_world_real ()->wall_ms (NULL);
    CHECK (seen.time_ms <= now_ms && seen.time_ms + 60000 > now_ms);
    CHECK_OK (skr_feed_now (pair.a, &now));
    CHECK (memcmp (&now, &cursor, sizeof now) == 0);
    cursor = start;
    seen = (seen_t){.count = 0};
    CHECK_STR (read_from (&cursor, "assets", 100, &seen), "assets/d3");
    CHECK_INT (cursor.position, now.position);
    cursor = start;
    seen = (seen_t){.count = 0};
    CHECK_STR (read_from (&cursor, NULL, 1, &seen), "shots/d1 shots/d2");
    CHECK_INT (cursor.position, start.position + 1);
}

static void a_stop_counts_the_change_as_unseen (void)
{
    saker_cursor_t cursor;
    seen_t seen = {.stop_at = 3};
    CHECK_OK (skr_feed_now (pair.a, &cursor));
    CHECK_OK (pair_set (pair.a, "shots", "d9", 5));
    CHECK_OK (set_two ("shots", "d1", "d2"));
    uint64_t start = cursor.position;
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "shots/d9 shots/d1");
    CHECK_INT (cursor.position, start + 1);
    seen = (seen_t){.count = 0};
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "shots/d1 shots/d2");
}

static void what_is_not_committed_is_not_fed (void)
{
    saker_cursor_t cursor;
    seen_t seen = {.count = 0};
    skr_buf_t path = {0};
    uint8_t value = 1;
    saker_receipt_t receipt;
    CHECK_OK (skr_feed_now (pair.a, &cursor));
    CHECK_OK (skr_path_from_pointer (&path, "/a"));
    const skr_intent_t intent = {SKR_INTENT_SET, skr_span_text ("d"), skr_span_of (&path),
                                 skr_span (&value, 1)};
    const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_replica_write (pair.a, &local, &receipt));
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "");
    skr_replica_abort (pair.a);
    CHECK_STR (read_from (&cursor, NULL, 100, &seen), "");
    skr_buf_free (&path);
}

static void cursors_are_kept_by_name (void)
{
    saker_cursor_t cursor, kept;
    char longest[66];
    memset (longest, 'x', 65);
    longest[65] = 0;
    CHECK_OK (skr_feed_now (pair.a, &cursor));
    CHECK_ERR (skr_feed_load (pair.a, "bridge", &kept), SAKER_ENOTFOUND, "no cursor called bridge");
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_feed_save (pair.a, "bridge", &cursor));
    CHECK_ERR (skr_feed_save (pair.a, "", &cursor), SAKER_EINPUT, "name of a cursor");
    CHECK_ERR (skr_feed_save (pair.a, longest, &cursor), SAKER_EINPUT, "name of a cursor");
    CHECK_OK (skr_replica_commit (pair.a));
    skr_replica_close (&pair.a);
    CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
    CHECK_OK (skr_feed_load (pair.a, "bridge", &kept));
    CHECK (memcmp (&kept, &cursor, sizeof kept) == 0);
}

static void foreign_and_wild_cursors_find_a_gap (void)
{
    saker_cursor_t cursor;
    seen_t seen = {.count = 0};
    CHECK_OK (skr_feed_now (pair.a, &cursor));
    cursor.position++;
    CHECK_ERR (skr_feed_read (pair.a, NULL, &cursor, 1, see, &seen), SAKER_EGAP, "not kept");
    cursor.position--;
    cursor.epoch[5] ^= 1;
    CHECK_ERR (skr_feed_read (pair.a, NULL, &cursor, 1, see, &seen), SAKER_EGAP, "another store");
}

/* What was cut off in one collection is a gap for who reads it, and none for who reads another. */
static void what_was_cut_is_a_gap (void)
{
    saker_cursor_t cursor = {.position = 0};
    seen_t seen = {.count = 0};
    const skr_collection_t *cut = NULL, *other = NULL;
    skr_cut_slice_t slice;
    CHECK_OK (pair_set (pair.a, "cut", "one", 1));
    CHECK_OK (pair_set (pair.a, "other", "one", 1));
    CHECK_OK (pair_set (pair.a, "cut", "two", 2));
    CHECK_OK (skr_replica_collection_named (pair.a, "cut", &cut));
    CHECK_OK (skr_replica_collection_named (pair.a, "other", &other));
    memcpy (cursor.epoch, skr_replica_epoch (pair.a)->bytes, 16);
    CHECK (skr_feed_read (pair.a, cut, &cursor, 9, see, &seen) == SAKER_OK);
    CHECK_INT (seen.count, 2);
    uint64_t last = cursor.position;
    const skr_cut_terms_t terms = {.stable = &cut->clock, .wall_ms = UINT64_MAX / 2};
    CHECK_OK (skr_cut_some (pair.a, &cut->id, &terms, &slice));
    CHECK_INT (slice.entries, 2);
    CHECK_INT (slice.end, SKR_CUT_EMPTY);
    for (int i = 0; i < 2; i++) {
        cursor.position = last - 1;
        CHECK_ERR (skr_feed_read (pair.a, cut, &cursor, 1, see, &seen), SAKER_EGAP, "not kept");
        CHECK_ERR (skr_feed_read (pair.a, NULL, &cursor, 1, see, &seen), SAKER_EGAP, "not kept");
        cursor.position = 0;
        CHECK (skr_feed_read (pair.a, other, &cursor, 9, see, &seen) == SAKER_OK);
        CHECK_INT (seen.count, 3 + i);
        cursor.position = last;
        CHECK (skr_feed_read (pair.a, NULL, &cursor, 9, see, &seen) == SAKER_OK);
        CHECK_INT (seen.count, 3 + i);
        skr_replica_close (&pair.a);
        CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
        CHECK_OK (skr_replica_collection_named (pair.a, "cut", &cut));
        CHECK_OK (skr_replica_collection_named (pair.a, "other", &other));
    }
    /* Positions go on, although the last of them is gone. */
    CHECK_OK (pair_set (pair.a, "cut", "three", 3));
    CHECK (skr_feed_read (pair.a, cut, &cursor, 9, see, &seen) == SAKER_OK);
    CHECK_INT (seen.count, 5);
    CHECK_INT (cursor.position, last + 1);
    skr_buf_free (&seen.text);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (!pair_open (&pair)) {
        return 1;
    }
    RUN (one_event_for_each_change_and_document);
    RUN (a_stop_counts_the_change_as_unseen);
    RUN (what_is_not_committed_is_not_fed);
    RUN (cursors_are_kept_by_name);
    RUN (foreign_and_wild_cursors_find_a_gap);
    RUN (what_was_cut_is_a_gap);
    pair_close (&pair);
    return CHECK_END ();
}
