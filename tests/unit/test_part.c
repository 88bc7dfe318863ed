/* Parts: which documents are meant, against a plain look at prefixes; and a peer that carries a
   part: A the founder, who carries all, B and two more. */

#include "peer/cut.h"
#include "peer/partial.h"
#include "peer/removal.h"
#include "peer/replica_internal.h"
#include "peer/seen.h"
#include "peer/snapshot.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <stdio.h>
#include <unistd.h>

/* ---- parts alone */

#define WORD_BYTES 4

static skr_span_t any_word (uint64_t *random, char word[WORD_BYTES], size_t size_min)
{
    size_t size = size_min + check_random (random) % (WORD_BYTES + 1 - size_min);
    for (size_t i = 0; i < size; i++) {
        word[i] = (char) ('a' + check_random (random) % 2);
    }
    return skr_span (word, size);
}

typedef struct words_t {
    char bytes[6][WORD_BYTES];
    skr_span_t list[6];
    size_t count;
} words_t;

static bool holds (const words_t *words, skr_span_t document)
{
    for (size_t i = 0; i < words->count; i++) {
        if (skr_span_starts (document, words->list[i])) {
            return true;
        }
    }
    return false;
}

static void any_part (uint64_t *random, words_t *words, skr_part_t *part)
{
    words->count = check_random (random) % 7;
    skr_part_nothing (part);
    for (size_t i = 0; i < words->count; i++) {
        words->list[i] = any_word (random, words->bytes[i], 1);
        CHECK_OK (skr_part_add (part, words->list[i]));
    }
}

static void check_form (const skr_part_t *part)
{
    skr_buf_t buf = {0};
    skr_part_t read = {.partial = false};
    skr_cbor_t cbor;
    skr_part_put (&buf, part);
    skr_cbor_open (&cbor, skr_span_of (&buf));
    skr_part_get (&cbor, &read);
    CHECK_OK (skr_cbor_close (&cbor));
    CHECK (skr_part_equal (part, &read));
    skr_part_free (&read);
    skr_buf_free (&buf);
}

static void parts_mean_what_begins_with_a_prefix (void)
{
    uint64_t random = check_seed ();
    for (int i = 0; i < 3000; i++) {
        words_t first, second;
        skr_part_t one = {0}, other = {0}, both = {0};
        bool covers = true;
        any_part (&random, &first, &one);
        any_part (&random, &second, &other);
        check_form (&one);
        CHECK_OK (skr_part_meet (&both, &one, &other));
        check_form (&both);
        for (unsigned bits = 0; bits < 64; bits++) { /* every word of up to five letters */
            char word[8];
            size_t size = 0;
            for (unsigned rest = bits | 64; rest > 1 && size < 5; rest >>= 1) {
                word[size++] = (char) ('a' + (rest & 1));
                skr_span_t document = skr_span (word, size);
                bool in_one = holds (&first, document), in_other = holds (&second, document);
                CHECK (skr_part_holds (&one, document) == in_one);
                CHECK (skr_part_holds (&both, document) == (in_one && in_other));
                covers &= in_one || !in_other;
            }
        }
        CHECK (skr_part_covers (&one, &other) == covers);
        CHECK (skr_part_covers (&one, &both) && skr_part_covers (&other, &both));
        skr_part_free (&one);
        skr_part_free (&other);
        skr_part_free (&both);
    }
}

static void the_whole_and_nothing (void)
{
    skr_part_t whole = {0}, nothing = {0}, part = {0};
    char words[SKR_PART_WORDS_BYTES];
    skr_part_nothing (&nothing);
    skr_part_nothing (&part);
    CHECK_OK (skr_part_add (&part, skr_span_text ("sq020")));
    CHECK_OK (skr_part_add (&part, skr_span_text ("sq010")));
    CHECK_STR (skr_part_words (&part, words), "sq010, sq020");
    CHECK_STR (skr_part_words (&whole, words), "all of it");
    CHECK_STR (skr_part_words (&nothing, words), "nothing");
    check_form (&whole);
    check_form (&nothing);
    CHECK (skr_part_covers (&whole, &part) && !skr_part_covers (&part, &whole));
    CHECK (skr_part_covers (&part, &nothing) && !skr_part_covers (&nothing, &part));
    CHECK (!skr_part_equal (&whole, &nothing));
    CHECK_OK (skr_part_add (&part, skr_span_text ("sq")));
    CHECK_STR (skr_part_words (&part, words), "sq");
    CHECK_OK (skr_part_add (&part, skr_span_text ("")));
    CHECK (skr_part_equal (&part, &whole));
    skr_part_free (&part);
    skr_part_free (&nothing);
}

static void what_is_no_part (void)
{
    static const char *const wrong[] = {
        "\x82\x61"
        "b\x61"
        "a", /* not ascending */
        "\x82\x61"
        "a\x62"
        "ab", /* one begins with the other */
        "\x82\x60\x61"
        "a", /* all, and more */
        "\x82\x61"
        "a\x61"
        "a",
    };
    skr_part_t part = {0};
    char text[8];
    skr_part_nothing (&part);
    CHECK_ERR (skr_part_add (&part, skr_span ("a\0b", 3)), SAKER_EINPUT, "beginning of a document");
    CHECK_ERR (skr_part_add (&part, skr_span ("\xc3", 1)), SAKER_EINPUT, "beginning of a document");
    for (int i = 0; i < SKR_PART_PREFIXES_MAX; i++) {
        (void) snprintf (text, sizeof text, "p%03d", i);
        CHECK_OK (skr_part_add (&part, skr_span_text (text)));
    }
    CHECK_ERR (skr_part_add (&part, skr_span_text ("q")), SAKER_ELIMIT, "SKR_PART_PREFIXES_MAX");
    CHECK_INT (part.count, SKR_PART_PREFIXES_MAX);
    CHECK_OK (
        skr_part_add (&part, skr_span_text ("p0"))); /* which takes the place of all of these */
    CHECK_INT (part.count, 1);
    for (int i = 0; i < 16; i++) {
        char wide[250];
        memset (wide, 'a' + i, sizeof wide);
        CHECK_OK (skr_part_add (&part, skr_span (wide, sizeof wide)));
    }
    char wide[250];
    memset (wide, 'z', sizeof wide);
    CHECK_ERR (skr_part_add (&part, skr_span (wide, sizeof wide)), SAKER_ELIMIT,
               "SKR_PART_BYTES_MAX");
    skr_part_free (&part);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        skr_cbor_t cbor;
        skr_cbor_open (&cbor, skr_span (wrong[i], strlen (wrong[i])));
        skr_part_get (&cbor, &part);
        CHECK_INT (skr_cbor_close (&cbor), SAKER_EINPUT);
        skr_part_free (&part);
    }
}

/* ---- a peer that carries a part */

static four_t four;
static skr_id_t shots;
static const skr_id_t roster;

static bool set_up (void)
{
    bool good = four_open (&four, "fourth", SKR_ROLE_WRITE);
    skr_replica_collection_id (four.pair.a, "shots", &shots);
    return good;
}

static void tear_down (void)
{
    four_close (&four);
}

static saker_err_t set (skr_replica_t *replica, const char *document, int64_t number)
{
    return pair_set (replica, "shots", document, number);
}

static saker_err_t fails_to_set (skr_replica_t *replica, const char *document, int64_t number)
{
    saker_err_t error = set (replica, document, number);
    skr_replica_abort (replica);
    return error;
}

/* `prefixes`: words; "": all. */
static saker_err_t want (skr_replica_t *replica, const char *prefixes)
{
    skr_part_t part = {0};
    saker_err_t error = SAKER_OK;
    if (*prefixes) {
        skr_part_nothing (&part);
    }
    for (const char *at = prefixes; *at && !error;) {
        size_t size = strcspn (at, " ");
        error = skr_part_add (&part, skr_span (at, size));
        at += size + (at[size] == ' ');
    }
    error = error ? error : skr_replica_begin (replica);
    error = error ? error : skr_partial_want (replica, "shots", &part);
    skr_part_free (&part);
    if (error) {
        skr_replica_abort (replica);
        return error;
    }
    return skr_replica_commit (replica);
}

static saker_err_t turn (skr_replica_t *replica)
{
    for (int i = 0; i < 100; i++) {
        SKR_TRY (skr_partial_turn (replica));
        if (!skr_partial_busy (replica)) {
            return SAKER_OK;
        }
    }
    return skr_fail (SAKER_ETIMEOUT, "it does not end");
}

static bool is_settled (const skr_replica_t *replica)
{
    const skr_partial_t *partial = skr_partial_of (replica, &shots);
    return !partial->removing && skr_part_equal (&partial->wanted, &partial->carried);
}

static saker_err_t list (skr_span_t document, void *argument)
{
    char *text = argument;
    size_t used = strlen (text);
    (void) snprintf (text + used, 200 - used, "%s%.*s", used ? " " : "", (int) document.size,
                     (const char *) document.data);
    return SAKER_OK;
}

static const char *shown (skr_replica_t *replica)
{
    static char text[200];
    text[0] = 0;
    saker_err_t error = skr_replica_documents (replica, skr_replica_collection (replica, &shots),
                                               skr_span (NULL, 0), list, text);
    return error ? skr_error () : text;
}

static saker_err_t take_number (const skr_leaf_t *leaf, void *argument)
{
    *(int64_t *) argument = leaf->value.as.integer;
    return SAKER_OK;
}

static int64_t number_of (skr_replica_t *replica, const char *document)
{
    int64_t number = -1;
    saker_err_t error =
        skr_replica_read (replica, skr_replica_collection (replica, &shots),
                          skr_span_text (document), skr_span (NULL, 0), take_number, &number);
    return error == SAKER_OK ? number : -(int64_t) error;
}

/* What a peer holds of its part is what A holds of it, and adds up to what is noted. */
static void check_like_a (skr_replica_t *replica)
{
    const skr_collection_t *ours = skr_replica_collection (replica, &shots);
    const skr_collection_t *theirs = skr_replica_collection (four.pair.a, &shots);
    skr_part_sum_t here = {.any = false}, there = {.any = false};
    CHECK_OK (skr_part_copy (&here.part, &skr_partial_of (replica, &shots)->carried));
    CHECK_OK (skr_part_copy (&there.part, &here.part));
    CHECK_OK (skr_partial_sum (replica, ours, &here));
    CHECK_OK (skr_partial_sum (four.pair.a, theirs, &there));
    CHECK (skr_fingerprint_equal (&here.fingerprint, &ours->fingerprint));
    CHECK_INT (here.documents, ours->documents);
    CHECK (skr_clock_equal (&ours->clock, &theirs->clock));
    CHECK (skr_fingerprint_equal (&here.fingerprint, &there.fingerprint));
    CHECK_INT (here.documents, there.documents);
    skr_part_free (&here.part);
    skr_part_free (&there.part);
}

static saker_err_t meet (skr_replica_t *one, skr_replica_t *other)
{
    SKR_TRY (pair_sync (one, other, &roster));
    SKR_TRY (pair_sync (other, one, &roster));
    SKR_TRY (pair_sync (one, other, &shots));
    return skr_replica_collection (other, &shots) ? pair_sync (other, one, &shots) : SAKER_OK;
}

static void fill (void)
{
    static const char *const documents[] = {"a1", "a2", "b1", "b2", "c1"};
    for (int i = 0; i < 5; i++) {
        CHECK_OK (set (four.pair.a, documents[i], i));
    }
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (set (four.pair.b, "b2", 20));
    CHECK_OK (meet (four.pair.a, four.pair.b));
}

static void what_is_not_carried_goes (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (want (four.pair.b, "a c"));
    CHECK_STR (shown (four.pair.b), "a1 a2 c1");
    CHECK_OK (turn (four.pair.b));
    CHECK (is_settled (four.pair.b));
    CHECK_STR (shown (four.pair.b), "a1 a2 c1");
    CHECK_INT (skr_replica_collection (four.pair.b, &shots)->documents, 3);
    check_like_a (four.pair.b);
    /* changes of the whole come as everywhere, and are handed on */
    CHECK_OK (set (four.pair.a, "a1", 11));
    CHECK_OK (set (four.pair.a, "b1", 12));
    CHECK_OK (set (four.pair.a, "d1", 13));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    check_like_a (four.pair.b);
    CHECK_INT (number_of (four.pair.b, "a1"), 11);
    CHECK_INT (number_of (four.pair.b, "d1"), -SAKER_ENOTCARRIED);
    CHECK_OK (meet (four.pair.b, four.third));
    check_like_a (four.third);
    CHECK_INT (number_of (four.third, "b1"), 12);
    tear_down ();
}

static void nothing_is_written_that_is_not_carried (void)
{
    skr_buf_t path = {0}, value = {0};
    saker_receipt_t receipt;
    CHECK (set_up ());
    fill ();
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_ERR (fails_to_set (four.pair.b, "b1", 1), SAKER_ENOTCARRIED, "saker carry shots PREFIX");
    CHECK_OK (turn (four.pair.b));
    CHECK_ERR (fails_to_set (four.pair.b, "b1", 1), SAKER_ENOTCARRIED, "does not carry shots/b1");
    CHECK_OK (skr_path_from_pointer (&path, "/n"));
    skr_cbor_put_int (&value, 9);
    skr_intent_t intents[2] = {{.kind = SKR_INTENT_SET,
                                .document = skr_span_text ("a1"),
                                .path = skr_span_of (&path),
                                .value = skr_span_of (&value)}};
    intents[1] = intents[0];
    intents[1].document = skr_span_text ("b1");
    const skr_local_t local = {.collection = "shots", .intents = intents, .count = 2};
    CHECK_OK (skr_replica_begin (four.pair.b));
    CHECK_ERR (skr_replica_write (four.pair.b, &local, &receipt), SAKER_ENOTCARRIED, "shots/b1");
    CHECK_OK (skr_replica_commit (four.pair.b)); /* others in the group are not spoiled */
    CHECK_INT (number_of (four.pair.b, "a1"), 0);
    CHECK_OK (set (four.pair.b, "a1", 9));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    check_like_a (four.pair.b);
    CHECK_ERR (want (four.pair.a, "a"), SAKER_ERIGHT, "admin");
    skr_buf_free (&path);
    skr_buf_free (&value);
    tear_down ();
}

static void it_lasts (void)
{
    char store[96];
    CHECK (set_up ());
    fill ();
    const skr_world_t *world = four.pair.b->world;
    (void) snprintf (store, sizeof store, "%s", four.pair.store_b);
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (skr_partial_turn (four.pair.b)); /* noted; nothing is removed yet */
    skr_replica_close (&four.pair.b);
    CHECK_OK (skr_replica_open (&four.pair.b, store, world));
    CHECK_STR (shown (four.pair.b), "a1 a2");
    CHECK (skr_partial_busy (four.pair.b));
    CHECK_OK (turn (four.pair.b));
    CHECK (is_settled (four.pair.b));
    CHECK_INT (skr_replica_collection (four.pair.b, &shots)->documents, 2);
    skr_replica_close (&four.pair.b);
    CHECK_OK (skr_replica_open (&four.pair.b, store, world));
    CHECK_STR (shown (four.pair.b), "a1 a2");
    CHECK (!skr_partial_busy (four.pair.b));
    check_like_a (four.pair.b);
    tear_down ();
}

static void what_was_aborted_is_not_wanted (void)
{
    skr_part_t part = {0};
    CHECK (set_up ());
    fill ();
    skr_part_nothing (&part);
    CHECK_OK (skr_part_add (&part, skr_span_text ("a")));
    CHECK_OK (skr_replica_begin (four.pair.b));
    CHECK_OK (skr_partial_want (four.pair.b, "shots", &part));
    CHECK_STR (shown (four.pair.b), "a1 a2");
    skr_replica_abort (four.pair.b);
    CHECK_STR (shown (four.pair.b), "a1 a2 b1 b2 c1");
    CHECK_OK (want (four.pair.b, "b"));
    CHECK_STR (shown (four.pair.b), "b1 b2");
    CHECK_OK (skr_replica_begin (four.pair.b)); /* twice in one group */
    CHECK_OK (skr_partial_want (four.pair.b, "shots", &part));
    CHECK_OK (skr_partial_want (four.pair.b, "shots", &(skr_part_t){0}));
    skr_replica_abort (four.pair.b);
    CHECK_STR (shown (four.pair.b), "b1 b2");
    skr_part_free (&part);
    tear_down ();
}

/* Before anything of it is here: what comes is taken so. */
static void a_part_of_what_is_not_here_yet (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (want (four.third, "b"));
    CHECK_OK (meet (four.pair.a, four.third));
    CHECK (is_settled (four.third));
    CHECK_STR (shown (four.third), "b1 b2");
    check_like_a (four.third);
    tear_down ();
}

/* ---- more of it */

static saker_err_t take_from (skr_replica_t *from, skr_replica_t *to, const char *prefixes)
{
    char file[160];
    uint64_t size;
    uint8_t hash[32];
    skr_extract_t extract = {.sealed = false};
    (void) snprintf (file, sizeof file, "%s/snapshot", four.pair.folder);
    (void) unlink (file);
    if (*prefixes) {
        skr_part_nothing (&extract.part);
        SKR_TRY (skr_part_add (&extract.part, skr_span_text (prefixes)));
    }
    saker_err_t error = skr_snapshot_make (from, &shots, &extract, file, &size, hash);
    skr_part_free (&extract.part);
    return error ? error : skr_snapshot_take (to, &shots, file);
}

static void more_comes_with_a_snapshot (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (turn (four.pair.b));
    CHECK_OK (set (four.pair.a, "b1", 30));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (want (four.pair.b, "a b"));
    CHECK_OK (turn (four.pair.b));
    CHECK (skr_partial_lacks (skr_partial_of (four.pair.b, &shots)));
    CHECK_STR (shown (four.pair.b), "a1 a2"); /* reads of what is here go on */
    CHECK_ERR (fails_to_set (four.pair.b, "b1", 1), SAKER_ENOTYET, "is not here yet");
    check_like_a (four.pair.b);
    /* of another part it is not taken, and changes nothing */
    CHECK_ERR (take_from (four.pair.a, four.pair.b, "b"), SAKER_EINPUT, "another part");
    CHECK_STR (shown (four.pair.b), "a1 a2");
    /* what was written here since is applied after it */
    CHECK_OK (take_from (four.pair.a, four.pair.b, ""));
    CHECK (is_settled (four.pair.b));
    CHECK_STR (shown (four.pair.b), "a1 a2 b1 b2");
    CHECK_INT (number_of (four.pair.b, "b1"), 30);
    check_like_a (four.pair.b);
    CHECK_OK (set (four.pair.b, "b1", 31));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    check_like_a (four.pair.b);
    CHECK_INT (number_of (four.pair.a, "b1"), 31);
    tear_down ();
}

/* The file is older than what is here. */
static void what_is_beyond_it_is_applied_after_it (void)
{
    char file[160];
    uint64_t size;
    uint8_t hash[32];
    const skr_extract_t whole = {.sealed = false};
    CHECK (set_up ());
    fill ();
    (void) snprintf (file, sizeof file, "%s/older", four.pair.folder);
    CHECK_OK (skr_snapshot_make (four.pair.a, &shots, &whole, file, &size, hash));
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (turn (four.pair.b));
    CHECK_OK (set (four.pair.b, "a1", 40));
    CHECK_OK (set (four.pair.a, "b1", 41));
    CHECK_OK (set (four.pair.a, "b3", 42));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (want (four.pair.b, ""));
    CHECK_OK (skr_snapshot_take (four.pair.b, &shots, file));
    CHECK (is_settled (four.pair.b));
    CHECK_STR (shown (four.pair.b), "a1 a2 b1 b2 b3 c1");
    check_like_a (four.pair.b);
    tear_down ();
}

static void who_carries_a_part_hands_on_no_more (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (turn (four.pair.b));
    CHECK_OK (meet (four.pair.b, four.third));
    CHECK_OK (meet (four.pair.b, four.fourth));
    CHECK_ERR (take_from (four.pair.b, four.third, ""), SAKER_ENOTCARRIED, "ask one that carries");
    CHECK_ERR (take_from (four.pair.b, four.third, "b"), SAKER_ENOTCARRIED, "begins with a");
    CHECK_OK (want (four.third, "b"));
    CHECK_OK (turn (four.third));
    CHECK_OK (want (four.third, "a1"));
    CHECK_OK (turn (four.third));
    CHECK_STR (shown (four.third), "");
    CHECK_OK (take_from (four.pair.b, four.third, "a")); /* more than is wanted */
    CHECK (is_settled (four.third));
    CHECK_STR (shown (four.third), "a1");
    check_like_a (four.third);
    tear_down ();
}

/* ---- what is void */

/* B writes what nobody else has, then loses the right: it is taken back at who carries a part. */
static void what_is_void_is_taken_back (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (meet (four.pair.a, four.third));
    CHECK_OK (set (four.pair.b, "a1", 50));
    CHECK_OK (set (four.pair.b, "b1", 51));
    CHECK_OK (set (four.pair.b, "b9", 52));
    CHECK_OK (pair_sync (four.pair.b, four.third, &shots));
    CHECK_OK (want (four.third, "a"));
    CHECK_OK (turn (four.third));
    CHECK_INT (number_of (four.third, "a1"), 50);
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_INT (number_of (four.third, "a1"), 0);
    CHECK_STR (shown (four.third), "a1 a2");
    check_like_a (four.third);
    tear_down ();
}

/* What a fenced device wrote is issued again from the log, also where it carries it no more. */
static void what_is_not_carried_is_issued_again (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (set (four.pair.b, "b1", 60));
    CHECK_OK (set (four.pair.b, "a1", 61));
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (turn (four.pair.b));
    CHECK_OK (skr_replica_begin (four.pair.a));
    CHECK_OK (skr_replica_fence (four.pair.a, skr_device_key (skr_replica_device (four.pair.b))));
    CHECK_OK (skr_replica_commit (four.pair.a));
    CHECK_OK (set (four.pair.a, "b1", 62));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.third));
    check_like_a (four.pair.b);
    check_like_a (four.third);
    CHECK_INT (number_of (four.third, "a1"), 61);
    skr_part_sum_t sum = {.any = false};
    skr_part_nothing (&sum.part);
    CHECK_OK (skr_part_add (&sum.part, skr_span_text ("b1")));
    CHECK_OK (skr_partial_sum (four.third, skr_replica_collection (four.third, &shots), &sum));
    skr_part_free (&sum.part);
    int64_t both = 0;
    const skr_collection_t *collection = skr_replica_collection (four.third, &shots);
    CHECK_OK (skr_replica_read (four.third, collection, skr_span_text ("b1"), skr_span (NULL, 0),
                                take_number, &both));
    CHECK (both == 60 || both == 62); /* two rivals; which comes last does not matter */
    tear_down ();
}

/* ---- many documents, removed in steps that each leave what fits */

static void removal_goes_in_steps (void)
{
    char document[16];
    size_t steps = 0;
    CHECK (set_up ());
    CHECK_OK (skr_replica_begin (four.pair.b));
    for (int i = 0; i < 2500; i++) {
        skr_buf_t path = {0}, value = {0};
        saker_receipt_t receipt;
        CHECK_OK (skr_path_from_pointer (&path, "/n"));
        skr_cbor_put_int (&value, i);
        (void) snprintf (document, sizeof document, "%c%04d", i % 5 ? 'b' : 'a', i);
        const skr_intent_t intent = {.kind = SKR_INTENT_SET,
                                     .document = skr_span_text (document),
                                     .path = skr_span_of (&path),
                                     .value = skr_span_of (&value)};
        const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
        CHECK_OK (skr_replica_write (four.pair.b, &local, &receipt));
        skr_buf_free (&path);
        skr_buf_free (&value);
    }
    CHECK_OK (skr_replica_commit (four.pair.b));
    CHECK_OK (want (four.pair.b, "a"));
    CHECK_OK (skr_partial_turn (four.pair.b));
    while (skr_partial_busy (four.pair.b)) {
        const skr_collection_t *ours = skr_replica_collection (four.pair.b, &shots);
        skr_part_sum_t sum = {.any = false}; /* of all that is there */
        CHECK_OK (skr_partial_sum (four.pair.b, ours, &sum));
        CHECK (skr_fingerprint_equal (&sum.fingerprint, &ours->fingerprint));
        CHECK_INT (sum.documents, ours->documents);
        CHECK_OK (skr_partial_turn (four.pair.b));
        steps++;
    }
    CHECK (steps > 1 && steps < 10);
    CHECK_INT (skr_replica_collection (four.pair.b, &shots)->documents, 500);
    CHECK_OK (meet (four.pair.b, four.pair.a));
    check_like_a (four.pair.b);
    tear_down ();
}

/* ---- what a client has seen */

/* Of what is shown at `from`, how much is not at `at`. */
static saker_err_t look (skr_replica_t *from, skr_replica_t *at, uint64_t *missing)
{
    skr_buf_t text = {0};
    skr_seen_t seen = {.hashes = NULL};
    saker_err_t error = skr_seen_put (from, skr_replica_collection (from, &shots), &text);
    error = error ? error : skr_seen_parse (skr_span_of (&text), &seen);
    error = error ? error : skr_seen_look (at, &seen, missing);
    skr_seen_free (&seen);
    skr_buf_free (&text);
    return error;
}

static void what_was_seen_is_waited_for (void)
{
    uint64_t missing;
    skr_seen_t seen;
    CHECK (set_up ());
    fill ();
    CHECK_OK (look (four.pair.a, four.third, &missing));
    CHECK_INT (missing, 6);
    CHECK_OK (meet (four.pair.a, four.third));
    CHECK_OK (look (four.pair.a, four.third, &missing));
    CHECK_INT (missing, 0);
    CHECK_OK (set (four.third, "a1", 70)); /* more than was seen */
    CHECK_OK (look (four.pair.a, four.third, &missing));
    CHECK_INT (missing, 0);
    CHECK_OK (look (four.third, four.pair.a, &missing));
    CHECK_INT (missing, 1);
    /* what was taken back everywhere is not waited for */
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_READ));
    CHECK_OK (look (four.third, four.pair.a, &missing));
    CHECK_INT (missing, 0);
    CHECK_ERR (skr_seen_parse (skr_span_text ("saker-seen-AAAA"), &seen), SAKER_EINPUT, "no token");
    skr_seen_free (&seen);
    CHECK_ERR (skr_seen_parse (skr_span_text ("x"), &seen), SAKER_EINPUT, "no token");
    skr_seen_free (&seen);
    tear_down ();
}

/* Another change under the same seq is here: it never will be. */
static void another_branch_is_never_seen (void)
{
    skr_buf_t text = {0};
    skr_seen_t seen;
    uint64_t missing;
    CHECK (set_up ());
    fill ();
    CHECK_OK (skr_seen_put (four.pair.a, skr_replica_collection (four.pair.a, &shots), &text));
    CHECK_OK (skr_seen_parse (skr_span_of (&text), &seen));
    seen.hashes[0] ^= 1;
    CHECK_ERR (skr_seen_look (four.pair.b, &seen, &missing), SAKER_EFORGED, "is never seen here");
    CHECK_OK (skr_seen_look (four.third, &seen, &missing)); /* nothing of it is here yet */
    CHECK_INT (missing, 6);
    seen.mesh.bytes[0] ^= 1;
    CHECK_ERR (skr_seen_look (four.pair.b, &seen, &missing), SAKER_EINPUT, "another mesh");
    skr_seen_free (&seen);
    skr_buf_free (&text);
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (parts_mean_what_begins_with_a_prefix);
    RUN (the_whole_and_nothing);
    RUN (what_is_no_part);
    RUN (what_is_not_carried_goes);
    RUN (nothing_is_written_that_is_not_carried);
    RUN (it_lasts);
    RUN (what_was_aborted_is_not_wanted);
    RUN (a_part_of_what_is_not_here_yet);
    RUN (more_comes_with_a_snapshot);
    RUN (what_is_beyond_it_is_applied_after_it);
    RUN (who_carries_a_part_hands_on_no_more);
    RUN (what_is_void_is_taken_back);
    RUN (what_is_not_carried_is_issued_again);
    RUN (removal_goes_in_steps);
    RUN (what_was_seen_is_waited_for);
    RUN (another_branch_is_never_seen);
    return CHECK_END ();
}
