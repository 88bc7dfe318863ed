/* What is carried: the form of a subscription, which of them counts, and the way out of a
   collection and back, on four replicas: A the founder, two who write, and the fourth, who leaves.
 */

#include "peer/carrying.h"
#include "peer/cut.h"
#include "peer/replica_internal.h"
#include "peer/roster_internal.h"
#include "peer/statement.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"
#include "tests/lib/people.h"

#include <sodium.h>
#include <stdio.h>

static const skr_id_t roster;
static const skr_id_t five = {{5}}, nine = {{9}};

/* ---- form */

static void reads_what_it_writes (void)
{
    static const uint8_t device[32] = {7};
    skr_subscription_t stated = skr_subscription_all (), read = skr_subscription_all ();
    skr_clock_t left = {0};
    skr_buf_t statement = {0};
    skr_statement_t taken;
    const skr_id_t writer = {{3}};
    stated.number = 4;
    CHECK_OK (skr_clock_set (&left, &writer, 17));
    CHECK_OK (skr_subscription_set (&stated, &nine, true));
    CHECK_OK (skr_subscription_set (&stated, &five, false));
    CHECK_OK (skr_subscription_leave (&stated, &five, &left));
    skr_statement_subscribe (&statement, device, &stated);
    CHECK_OK (skr_statement_read (skr_span_of (&statement), &taken));
    CHECK_OK (skr_statement_subscription (&taken, &read));
    CHECK_INT (read.number, 4);
    CHECK (skr_subscription_equal (&stated, &read));
    CHECK (!skr_subscription_carries (&read, &five));
    CHECK (skr_subscription_carries (&read, &nine));
    CHECK_INT (skr_clock_get (&skr_subscription_find (&read, &five)->left, &writer), 17);
    CHECK (!skr_subscription_is_all (&read));
    skr_subscription_tidy (&read); /* that the ninth is carried goes without saying */
    CHECK_INT (read.count, 1);
    skr_subscription_free (&stated);
    skr_subscription_free (&read);
    skr_clock_free (&left);
    skr_buf_free (&statement);
}

/* Appends [id, carried, left]. */
static void put_named (skr_buf_t *buf, uint8_t id, bool carried)
{
    const skr_id_t collection = {{id}};
    static const skr_clock_t nothing;
    skr_cbor_put_array (buf, 3);
    skr_cbor_put_bytes (buf, collection.bytes, sizeof collection.bytes);
    skr_cbor_put_bool (buf, carried);
    skr_clock_put (buf, &nothing);
}

static bool reads (const skr_buf_t *buf, skr_subscription_t *subscription)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (buf));
    saker_err_t error = skr_subscription_get (&cbor, subscription);
    return skr_cbor_close (&cbor) == SAKER_OK && error == SAKER_OK;
}

static void refuses_what_is_not_in_form (void)
{
    static const struct {
        uint8_t first, second;
        bool carried, fine;
    } cases[] = {
        {5, 9, true, true},  {5, 9, false, true}, {9, 5, true, false},
        {5, 5, true, false}, {0, 5, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        skr_subscription_t subscription = skr_subscription_all ();
        skr_buf_t buf = {0};
        skr_cbor_put_array (&buf, 2);
        put_named (&buf, cases[i].first, cases[i].carried);
        put_named (&buf, cases[i].second, true);
        CHECK_INT (reads (&buf, NULL), cases[i].fine);
        CHECK_INT (reads (&buf, &subscription), cases[i].fine);
        if (cases[i].fine) { /* kept as it came, and told on */
            skr_buf_t again = {0};
            skr_subscription_put (&again, &subscription);
            CHECK (skr_span_equal (skr_span_of (&again), skr_span_of (&buf)));
            skr_buf_free (&again);
        }
        skr_subscription_free (&subscription);
        skr_buf_free (&buf);
    }
}

static void names_so_many_and_no_more (void)
{
    skr_subscription_t subscription = skr_subscription_all ();
    skr_id_t id = {{0}};
    for (uint32_t i = 1; i <= SKR_SUBSCRIPTION_NAMED_MAX; i++) {
        skr_put_u32 (id.bytes, i);
        CHECK_OK (skr_subscription_set (&subscription, &id, false));
    }
    skr_put_u32 (id.bytes, SKR_SUBSCRIPTION_NAMED_MAX + 1);
    CHECK_ERR (skr_subscription_set (&subscription, &id, false), SAKER_ELIMIT,
               "SKR_SUBSCRIPTION_NAMED_MAX");
    skr_subscription_free (&subscription);
}

/* ---- four peers */

static four_t four;
static skr_replica_t *leaver;
static fake_neighbours_t fake;
static skr_neighbours_t neighbours;
static skr_id_t shots;
static bool other_branch; /* the founder reports another change than ours, under the same seqs */

static void (*true_reported) (void *context, const uint8_t device[32], const skr_id_t *collection,
                              skr_reported_t *reported);

static void reported (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported)
{
    static uint64_t hashes[FAKE_HASHES_MAX];
    true_reported (context, device, collection, reported);
    for (size_t i = 0; other_branch && reported->clock && i < reported->clock->count; i++) {
        hashes[i] = reported->hashes[i] ^ 1;
    }
    reported->hashes = other_branch ? hashes : reported->hashes;
}

static void watch_founder (void)
{
    fake_neighbours_init (&fake, leaver, four.pair.a, skr_world_real ());
    neighbours = fake_neighbours_of (&fake);
    true_reported = neighbours.reported;
    neighbours.reported = reported;
    other_branch = false;
}

static bool set_up (void)
{
    bool good = four_open (&four, "laptop", SKR_ROLE_WRITE);
    leaver = four.fourth;
    skr_replica_collection_id (four.pair.a, "shots", &shots);
    watch_founder ();
    return good;
}

static void tear_down (void)
{
    four_close (&four);
}

static saker_err_t give (skr_replica_t *from, skr_replica_t *to)
{
    SKR_TRY (pair_sync (from, to, &roster));
    return pair_sync (from, to, &shots);
}

static saker_err_t subscribe (skr_replica_t *replica, const skr_id_t *collection, bool carried)
{
    skr_subscription_t wanted = skr_subscription_all ();
    const uint8_t *device = skr_device_key (skr_replica_device (replica));
    saker_err_t error = skr_subscription_copy (
        &wanted, skr_roster_subscription (skr_replica_roster (replica), device));
    error = error ? error : skr_subscription_set (&wanted, collection, carried);
    error = error ? error : skr_replica_begin (replica);
    error = error ? error : skr_carrying_state (replica, &wanted);
    skr_subscription_free (&wanted);
    if (error != SAKER_OK) {
        skr_replica_abort (replica);
        return error;
    }
    return skr_replica_commit (replica);
}

static saker_err_t turn (void)
{
    do {
        leaver->carrying_ms = 0;
        SKR_TRY (skr_carrying_turn (leaver, &neighbours));
    } while (skr_carrying_busy (leaver));
    return SAKER_OK;
}

static const skr_collection_t *at (const skr_replica_t *replica)
{
    return skr_replica_collection (replica, &shots);
}

static saker_err_t reopen (void)
{
    char store[120];
    (void) snprintf (store, sizeof store, "%s", skr_store_folder (skr_replica_store (leaver)));
    skr_replica_close (&four.fourth);
    saker_err_t error = skr_replica_open (&four.fourth, store, skr_world_real ());
    leaver = four.fourth;
    watch_founder ();
    return error;
}

/* Three changes of the leaver and one of the founder, which both have. */
static void fill (void)
{
    for (int i = 1; i <= 3; i++) {
        CHECK_OK (pair_set (leaver, "shots", "d", i));
    }
    CHECK_OK (give (leaver, four.pair.a));
    if (skr_clock_get (&at (four.pair.a)->clock, skr_replica_writer (four.pair.a)) == 0) {
        CHECK_OK (pair_set (four.pair.a, "shots", "e", 9));
    }
    CHECK_OK (give (four.pair.a, leaver));
}

static void leave (void)
{
    CHECK_OK (subscribe (leaver, &shots, false));
    CHECK_OK (give (leaver, four.pair.a)); /* the founder hears of it */
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->clock.count, 0);
}

static saker_err_t count_record (skr_span_t key, skr_span_t value, void *argument)
{
    (void) key, (void) value;
    ++*(size_t *) argument;
    return SAKER_OK;
}

static size_t records (skr_table_t table, uint32_t no)
{
    uint8_t prefix[4];
    size_t count = 0;
    skr_put_u32 (prefix, no);
    saker_err_t error =
        skr_store_scan (skr_replica_store (leaver), SKR_COMMITTED, table, skr_span (prefix, 4),
                        skr_span (prefix, 4), count_record, &count);
    return error == SAKER_OK ? count : SIZE_MAX;
}

static void hands_on_before_it_drops (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (pair_set (leaver, "shots", "d", 4)); /* which nobody else has */
    CHECK_OK (subscribe (leaver, &shots, false));
    CHECK_ERR (pair_set (leaver, "shots", "d", 5), SAKER_ENOTCARRIED, "saker subscribe shots");
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 5); /* the founder lacks one, and the news */
    CHECK_OK (pair_sync (leaver, four.pair.a, &shots));
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 5); /* it has all, and may itself leave: it does not know */
    CHECK_OK (pair_sync (leaver, four.pair.a, &roster));
    fake.told = false;
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 5); /* it did not tell */
    fake.told = true;
    other_branch = true;
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 5); /* the same numbers, other changes */
    other_branch = false;
    uint32_t no = at (leaver)->no;
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 0);
    CHECK_STR (at (leaver)->name, "shots");
    CHECK_INT (records (SKR_CELLS, no) + records (SKR_TICKS, no) + records (SKR_POSITIONS, no), 0);
    CHECK_OK (reopen ());
    CHECK_INT (at (leaver)->clock.count, 0);
    CHECK (!skr_carrying (leaver, &shots));
    tear_down ();
}

static void takes_nothing_of_what_it_left (void)
{
    skr_replica_stats_t stats;
    CHECK (set_up ());
    fill ();
    leave ();
    CHECK_OK (pair_set (four.pair.a, "shots", "e", 10));
    CHECK_OK (pair_sync (four.pair.a, leaver, &shots));
    skr_replica_stats (leaver, &stats);
    CHECK_INT (at (leaver)->changes, 0);
    CHECK_INT (stats.outside, 5);
    CHECK_INT (stats.waiting + stats.refused, 0);
    tear_down ();
}

/* No seq is given twice, and what it writes next names all that it has. */
static void comes_back_and_writes_on (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "e", 9)); /* which comes first there, and last here */
    fill ();
    leave ();
    CHECK_OK (subscribe (leaver, &shots, true));
    CHECK_ERR (pair_set (leaver, "shots", "d", 6), SAKER_EWAIT, "fetching");
    CHECK_OK (reopen ());
    CHECK_ERR (pair_set (leaver, "shots", "d", 6), SAKER_EWAIT, "fetching");
    skr_id_t writer = *skr_replica_writer (leaver);
    CHECK_OK (give (four.pair.a, leaver));
    CHECK (skr_id_equal (&writer, skr_replica_writer (leaver))); /* it takes them for its own */
    CHECK_OK (pair_set (leaver, "shots", "d", 6));
    CHECK_INT (skr_clock_get (&at (leaver)->clock, &writer), 4);
    CHECK_OK (give (leaver, four.pair.a));
    CHECK (skr_clock_equal (&at (leaver)->clock, &at (four.pair.a)->clock));
    CHECK (skr_fingerprint_equal (&at (leaver)->fingerprint, &at (four.pair.a)->fingerprint));
    /* a third gets what it wrote only after all that it had seen, also what now stands before its
       own changes */
    skr_buf_t changes = {0};
    skr_clock_t have = {0}, deps = {0};
    skr_cbor_t cbor;
    skr_change_t change;
    size_t count;
    bool more;
    CHECK_OK (skr_clock_copy (&have, &at (leaver)->clock));
    CHECK_OK (skr_clock_set (&have, &writer, 3));
    CHECK_OK (skr_replica_pull (leaver, &shots, &have, 1 << 20, &changes, &count, &more));
    skr_cbor_open (&cbor, skr_span_of (&changes));
    CHECK_OK (skr_change_parse (&change, skr_cbor_get_bytes (&cbor)));
    CHECK_OK (skr_change_deps (&change, &deps));
    CHECK_INT (skr_clock_get (&deps, skr_replica_writer (four.pair.a)), 1);
    skr_clock_free (&have);
    skr_clock_free (&deps);
    skr_buf_free (&changes);
    tear_down ();
}

static void may_change_its_mind (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (subscribe (leaver, &shots, false));
    CHECK_OK (turn ());
    CHECK_OK (subscribe (leaver, &shots, true));
    CHECK_OK (give (leaver, four.pair.a));
    CHECK_OK (turn ());
    CHECK_INT (at (leaver)->changes, 4);
    CHECK_OK (pair_set (leaver, "shots", "d", 4));
    tear_down ();
}

/* ---- who counts */

static const skr_member_t *undrained (const skr_replica_t *replica)
{
    uint64_t missing = 0;
    return skr_roster_undrained (skr_replica_roster (replica), NULL, &shots, &at (replica)->clock,
                                 &missing);
}

static void is_not_waited_for_once_all_of_it_is_here (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (give (four.pair.a, four.pair.b));
    CHECK_OK (pair_set (leaver, "shots", "d", 4));
    CHECK_OK (subscribe (leaver, &shots, false));
    CHECK_OK (pair_sync (leaver, four.pair.b, &roster));
    const skr_roster_t *people = skr_replica_roster (four.pair.b);
    const uint8_t *device = skr_device_key (skr_replica_device (leaver));
    const skr_member_t *member = skr_roster_by_device (people, device);
    CHECK (!skr_roster_counts (people, member, &shots));
    CHECK (skr_roster_counts (people, member, &nine));
    CHECK (undrained (four.pair.b) == member); /* its last change is not here */
    CHECK_OK (pair_sync (leaver, four.pair.b, &shots));
    CHECK (!undrained (four.pair.b));
    CHECK_OK (subscribe (leaver, &shots, true));
    CHECK_OK (pair_sync (leaver, four.pair.b, &roster));
    member = skr_roster_by_device (people = skr_replica_roster (four.pair.b), device);
    CHECK (skr_roster_counts (people, member, &shots));
    tear_down ();
}

static void an_admin_carries_all (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_ERR (subscribe (four.pair.a, &shots, false), SAKER_ERIGHT, "carries every collection");
    leave ();
    CHECK_OK (pair_role (four.pair.a, leaver, SKR_ROLE_ADMIN));
    CHECK_OK (pair_sync (four.pair.a, leaver, &roster));
    CHECK (skr_carrying (leaver, &shots));
    CHECK_OK (turn ()); /* it states so: what it left once must not count when it is none again */
    CHECK_OK (give (four.pair.a, leaver));
    CHECK_OK (give (leaver, four.pair.a));
    CHECK_INT (at (leaver)->changes, 4);
    CHECK_OK (pair_role (four.pair.a, leaver, SKR_ROLE_WRITE));
    CHECK_OK (pair_sync (four.pair.a, leaver, &roster));
    CHECK (skr_carrying (leaver, &shots));
    tear_down ();
}

static void a_relay_leaves_nothing (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_role (four.pair.a, leaver, SKR_ROLE_RELAY));
    CHECK_OK (pair_sync (four.pair.a, leaver, &roster));
    CHECK_ERR (subscribe (leaver, &shots, false), SAKER_ERIGHT, "relays every collection");
    tear_down ();
}

/* A fence closes who left at what it had there, though the fencing admin may lack some of it. */
static void a_fence_lets_stand_what_was_handed_on (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_OK (pair_set (leaver, "shots", "d", 4));
    CHECK_OK (subscribe (leaver, &shots, false));
    CHECK_OK (pair_sync (leaver, four.pair.a, &roster)); /* and not the change */
    CHECK_OK (skr_replica_begin (four.pair.a));
    CHECK_OK (skr_replica_fence (four.pair.a, skr_device_key (skr_replica_device (leaver))));
    CHECK_OK (skr_replica_commit (four.pair.a));
    const skr_roster_t *people = skr_replica_roster (four.pair.a);
    CHECK_INT (skr_roster_limit (people, skr_replica_writer (leaver), &shots), 4);
    tear_down ();
}

/* What a member says that it left: only how far its own writers got is heard. */
static saker_err_t claim_left (const skr_id_t *writer, uint64_t seq)
{
    skr_subscription_t stated = skr_subscription_all ();
    skr_clock_t left = {0};
    skr_buf_t statement = {0};
    stated.number = 1;
    saker_err_t error = skr_clock_set (&left, writer, seq);
    error = error ? error : skr_subscription_set (&stated, &shots, false);
    error = error ? error : skr_subscription_leave (&stated, &shots, &left);
    skr_statement_subscribe (&statement, skr_device_key (skr_replica_device (leaver)), &stated);
    const skr_span_t span = skr_span_of (&statement);
    error = error ? error : skr_replica_begin (leaver);
    error = error ? error : skr_replica_state (leaver, &span, 1);
    error = error ? error : skr_replica_commit (leaver);
    skr_buf_free (&statement);
    skr_subscription_free (&stated);
    skr_clock_free (&left);
    return error;
}

static void it_speaks_for_its_own_writers_only (void)
{
    uint64_t missing = 0;
    CHECK (set_up ());
    fill ();
    const skr_id_t founder = *skr_replica_writer (four.pair.a);
    CHECK_OK (claim_left (&founder, 1ull << 60));
    CHECK_OK (pair_sync (leaver, four.pair.a, &roster));
    const skr_roster_t *people = skr_replica_roster (four.pair.a);
    CHECK (!skr_roster_undrained (people, NULL, &shots, &at (four.pair.a)->clock, &missing));
    CHECK_OK (skr_replica_begin (four.pair.a));
    CHECK_OK (skr_replica_fence (four.pair.a, skr_device_key (skr_replica_device (leaver))));
    CHECK_OK (skr_replica_commit (four.pair.a));
    people = skr_replica_roster (four.pair.a);
    CHECK (skr_roster_limit (people, &founder, &shots) == UINT64_MAX);
    CHECK_INT (skr_roster_limit (people, skr_replica_writer (leaver), &shots), 3);
    CHECK (!skr_roster_undrained (people, NULL, &shots, &at (four.pair.a)->clock, &missing));
    for (size_t i = 0; i < people->roles_count; i++) { /* nor does the fence name them */
        for (size_t k = 0; k < people->roles[i].cutoffs_count; k++) {
            CHECK (!skr_id_equal (&people->roles[i].cutoffs[k].writer, &founder));
        }
    }
    tear_down ();
}

/* A limit of the highest number would be none. */
static void nobody_left_at_the_end_of_numbers (void)
{
    CHECK (set_up ());
    fill ();
    CHECK_ERR (claim_left (skr_replica_writer (leaver), UINT64_MAX), SAKER_EINPUT, "that far");
    skr_replica_abort (leaver);
    tear_down ();
}

/* A new incarnation states it again; one that did not know carries all. */
static void a_new_incarnation_restates_it (void)
{
    CHECK (set_up ());
    fill ();
    leave ();
    skr_id_t writer = *skr_replica_writer (leaver);
    CHECK_OK (skr_incarnation_renew (leaver, SKR_DOUBT_TWIN));
    CHECK (!skr_carrying (leaver, &shots));
    const uint8_t *device = skr_device_key (skr_replica_device (leaver));
    const skr_subscription_t *stated =
        skr_roster_subscription (skr_replica_roster (leaver), device);
    CHECK_INT (stated->number, 2);
    CHECK_INT (skr_clock_get (&skr_subscription_find (stated, &shots)->left, &writer), 3);
    tear_down ();
}

/* ---- the roster is a sum */

static void counts_alike_in_any_order (void)
{
    enum { STATEMENTS = 4 };
    people_t person;
    skr_buf_t changes[STATEMENTS] = {{0}}, statement = {0};
    skr_id_t mesh = {{1}};
    people_make (&person);
    const uint8_t *device = skr_device_key (person.device);
    skr_subscription_t stated = skr_subscription_all ();
    skr_statement_incarnate (&statement, device, person.incarnation, skr_span (NULL, 0));
    people_change (&person, &mesh, 1, &statement, 1, &changes[0]);
    for (int i = 1; i < STATEMENTS; i++) {
        skr_buf_clear (&statement);
        stated.number = (uint64_t) i;
        CHECK_OK (skr_subscription_set (&stated, i % 2 ? &five : &nine, false));
        skr_statement_subscribe (&statement, device, &stated);
        people_change (&person, &mesh, (uint64_t) (9 - i), &statement, 1, &changes[i]);
    }
    for (int first = 0; first < STATEMENTS; first++) { /* whatever the clocks of the time said */
        skr_roster_t *people = NULL;
        CHECK_OK (skr_roster_new (&people, &mesh));
        skr_member_t member = people_member (&person, "p", SKR_ROLE_WRITE);
        static const uint8_t ticket[32];
        skr_buf_t admit = {0};
        const skr_dot_t dot = {{{77}}, 1, 0};
        skr_statement_admit (&admit, &member, ticket);
        CHECK_OK (skr_roster_add (people, &dot, 1, skr_span_of (&admit)));
        skr_buf_free (&admit);
        for (int i = 0; i < STATEMENTS; i++) {
            skr_change_t change;
            skr_content_t content;
            const skr_buf_t *raw = &changes[(first + i) % STATEMENTS];
            CHECK_OK (skr_change_parse (&change, skr_span_of (raw)));
            CHECK_OK (skr_content_parse (&content, change.sealed));
            const skr_dot_t at_dot = {change.writer, change.seq, 0};
            CHECK_OK (skr_roster_add (people, &at_dot, change.hlc, content.ops[0].argument));
            skr_content_free (&content);
        }
        CHECK_INT (skr_roster_subscription (people, device)->number, STATEMENTS - 1);
        CHECK (!skr_roster_carries (people, device, &five));
        CHECK (!skr_roster_carries (people, device, &nine));
        CHECK (skr_roster_carries (people, device, &roster));
        skr_roster_destroy (&people);
    }
    skr_buf_free (&statement);
    skr_subscription_free (&stated);
    for (int i = 0; i < STATEMENTS; i++) {
        skr_buf_free (&changes[i]);
    }
    people_free (&person);
}

/* Nobody else says what a device carries. */
static void only_the_device_itself_states_it (void)
{
    skr_buf_t statement = {0};
    skr_subscription_t stated = skr_subscription_all ();
    CHECK (set_up ());
    stated.number = 1;
    CHECK_OK (skr_subscription_set (&stated, &shots, false));
    skr_statement_subscribe (&statement, skr_device_key (skr_replica_device (leaver)), &stated);
    const skr_span_t span = skr_span_of (&statement);
    CHECK_OK (skr_replica_begin (four.pair.b));
    CHECK_ERR (skr_replica_state (four.pair.b, &span, 1), SAKER_ERIGHT, "itself");
    skr_replica_abort (four.pair.b);
    skr_buf_free (&statement);
    skr_subscription_free (&stated);
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (reads_what_it_writes);
    RUN (refuses_what_is_not_in_form);
    RUN (names_so_many_and_no_more);
    RUN (hands_on_before_it_drops);
    RUN (takes_nothing_of_what_it_left);
    RUN (comes_back_and_writes_on);
    RUN (may_change_its_mind);
    RUN (is_not_waited_for_once_all_of_it_is_here);
    RUN (an_admin_carries_all);
    RUN (a_relay_leaves_nothing);
    RUN (a_fence_lets_stand_what_was_handed_on);
    RUN (it_speaks_for_its_own_writers_only);
    RUN (nobody_left_at_the_end_of_numbers);
    RUN (a_new_incarnation_restates_it);
    RUN (counts_alike_in_any_order);
    RUN (only_the_device_itself_states_it);
    return CHECK_END ();
}
