/* A collection that is fetched: from when on and until when, on four replicas: A the founder, two
   who write, and the fourth, which leaves a collection and comes back to it. */

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/replica_internal.h"
#include "peer/sealed.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"

#include <string.h>

static const skr_id_t roster;

static four_t four;
static skr_replica_t *laptop;
static fake_neighbours_t fake;
static skr_neighbours_t neighbours;
static skr_id_t shots, other;
static const uint8_t *absent; /* a device that is not linked; NULL: all are */
static bool tells_nothing;    /* all but the founder tell of no collection */

static void (*true_reported) (void *context, const uint8_t device[32], const skr_id_t *collection,
                              skr_reported_t *reported);
static void (*true_neighbour) (void *context, const uint8_t device[32], skr_neighbour_t *neighbour);

static const uint8_t *device_of (const skr_replica_t *replica)
{
    return skr_device_key (skr_replica_device (replica));
}

static bool is_founder (const uint8_t device[32])
{
    return memcmp (device, skr_device_key (skr_replica_device (four.pair.a)), 32) == 0;
}

/* Of what is not there it tells an empty clock, as an answer to CLOCK does. */
static void reported (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported)
{
    static const skr_clock_t nothing;
    true_reported (context, device, collection, reported);
    if (fake.told && (!reported->clock || (tells_nothing && !is_founder (device)))) {
        reported->clock = &nothing;
        reported->asked_ms = fake.asked_ms;
    }
}

static void neighbour (void *context, const uint8_t device[32], skr_neighbour_t *neighbour)
{
    true_neighbour (context, device, neighbour);
    if (absent && memcmp (absent, device, 32) == 0) {
        neighbour->link = "silent";
        neighbour->greeted = false;
    }
}

static void watch (void)
{
    fake_neighbours_init (&fake, laptop, four.pair.a, skr_world_real ());
    neighbours = fake_neighbours_of (&fake);
    true_reported = neighbours.reported;
    true_neighbour = neighbours.neighbour;
    neighbours.reported = reported;
    neighbours.neighbour = neighbour;
}

static bool set_up (void)
{
    bool good = four_open (&four, "laptop", SKR_ROLE_WRITE);
    laptop = four.fourth;
    skr_replica_collection_id (four.pair.a, "shots", &shots);
    skr_replica_collection_id (four.pair.a, "other", &other);
    absent = NULL;
    tells_nothing = false;
    watch ();
    return good;
}

static saker_err_t give (skr_replica_t *from, skr_replica_t *to)
{
    SKR_TRY (pair_sync (from, to, &roster));
    return pair_sync (from, to, &shots);
}

static saker_err_t subscribe (const skr_id_t *collection, bool carried)
{
    skr_subscription_t wanted = skr_subscription_all ();
    const uint8_t *device = skr_device_key (skr_replica_device (laptop));
    saker_err_t error = skr_subscription_copy (
        &wanted, skr_roster_subscription (skr_replica_roster (laptop), device));
    error = error ? error : skr_subscription_set (&wanted, collection, carried);
    error = error ? error : skr_replica_begin (laptop);
    error = error ? error : skr_carrying_state (laptop, &wanted);
    skr_subscription_free (&wanted);
    if (error != SAKER_OK) {
        skr_replica_abort (laptop);
        return error;
    }
    return skr_replica_commit (laptop);
}

static saker_err_t turn (void)
{
    laptop->fetching_ms = laptop->fetching_ask_ms = 0;
    return skr_fetching_turn (laptop, &neighbours);
}

/* As after kill -9: what is not in the store is not known. */
static saker_err_t reopen (void)
{
    char store[120];
    (void) snprintf (store, sizeof store, "%s", skr_store_folder (skr_replica_store (laptop)));
    skr_replica_close (&four.fourth);
    saker_err_t error = skr_replica_open (&four.fourth, store, skr_world_real ());
    laptop = four.fourth;
    watch ();
    return error;
}

/* Three changes of the founder, which both have; then the laptop leaves the collection. */
static void leave (void)
{
    for (int i = 1; i <= 3; i++) {
        CHECK_OK (pair_set (four.pair.a, "shots", "d", i));
    }
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (subscribe (&shots, false));
    CHECK_OK (give (laptop, four.pair.a));
    do {
        laptop->carrying_ms = 0;
        CHECK_OK (skr_carrying_turn (laptop, &neighbours));
    } while (skr_carrying_busy (laptop));
    CHECK_INT (skr_replica_collection (laptop, &shots)->clock.count, 0);
    CHECK (!skr_fetching (laptop, &shots)); /* it is not carried, and told so */
}

/* Offers the first change that is missing. */
static saker_err_t give_one (void)
{
    skr_buf_t changes = {0};
    skr_outcome_t outcome;
    skr_cbor_t cbor;
    size_t count;
    bool more;
    saker_err_t error =
        skr_replica_pull (four.pair.a, &shots, &skr_replica_collection (laptop, &shots)->clock, 1,
                          &changes, &count, &more);
    error = error ? error : skr_replica_begin (laptop);
    if (error == SAKER_OK) {
        skr_cbor_open (&cbor, skr_span_of (&changes));
        error = skr_replica_offer (laptop, skr_cbor_get_bytes (&cbor), &outcome);
    }
    skr_buf_free (&changes);
    return error ? error : skr_replica_commit (laptop);
}

static void lasts_until_all_is_here (void)
{
    CHECK (set_up ());
    leave ();
    CHECK_OK (subscribe (&shots, true));
    CHECK (skr_fetching (laptop, &shots));
    CHECK_ERR (skr_fetching_check (laptop, &shots, "shots"), SAKER_ENOTYET, "shots is here yet");
    CHECK_OK (reopen ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 4)); /* later than what it aims at */
    for (int i = 0; i < 3; i++) {
        CHECK (skr_fetching (laptop, &shots));
        CHECK_OK (give_one ());
        CHECK_OK (turn ());
    }
    CHECK (!skr_fetching (laptop, &shots));
    CHECK_OK (reopen ());
    CHECK (!skr_fetching (laptop, &shots));
    four_close (&four);
}

static void is_still_so_after_a_crash_in_the_midst_of_it (void)
{
    CHECK (set_up ());
    leave ();
    CHECK_OK (subscribe (&shots, true));
    CHECK_OK (turn ());
    CHECK_OK (give_one ());
    CHECK_OK (reopen ());
    fake.link = "silent";
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &shots)); /* what the founder has is not known any more */
    fake.link = "up";
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (give (four.pair.a, laptop));
    fake.link = "silent";
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots)); /* it was aimed at: nobody has to be there for that */
    four_close (&four);
}

/* On a disk that takes nothing it ends all the same; and may begin again. */
static void ends_though_it_cannot_be_noted (void)
{
    CHECK (set_up ());
    leave ();
    CHECK_OK (subscribe (&shots, true));
    CHECK_OK (turn ());
    CHECK_OK (give (four.pair.a, laptop));
    laptop->fetches[0].over = true; /* as after a failure */
    CHECK (!skr_fetching (laptop, &shots));
    CHECK_OK (skr_replica_begin (laptop));
    CHECK_OK (skr_fetching_note (laptop, &shots));
    CHECK_OK (skr_replica_commit (laptop));
    CHECK (skr_fetching (laptop, &shots));
    CHECK (!laptop->fetches[0].aimed);
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots));
    CHECK_INT (laptop->fetches_count, 0);
    four_close (&four);
}

static void an_aborted_statement_begins_nothing (void)
{
    CHECK (set_up ());
    leave ();
    CHECK_OK (skr_replica_begin (laptop));
    CHECK_OK (skr_fetching_note (laptop, &shots));
    skr_replica_abort (laptop);
    CHECK_INT (laptop->fetches_count, 0);
    four_close (&four);
}

/* What nobody has is not waited for; but only who can know that nobody has it may say so. */
static void ends_when_nobody_has_it (void)
{
    CHECK (set_up ());
    CHECK_OK (subscribe (&other, false));
    CHECK_OK (subscribe (&other, true));
    CHECK (skr_fetching (laptop, &other));
    fake.link = "silent";
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &other)); /* nobody is there */
    fake.link = "up";
    fake.told = false;
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &other)); /* they have not said */
    CHECK (fake.asked > 0);
    fake.told = true;
    absent = skr_device_key (skr_replica_device (four.pair.a));
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &other)); /* an admin may have it, and is not there */
    absent = NULL;
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &other)); /* they have said so since it began */
    CHECK_OK (reopen ());
    CHECK (!skr_fetching (laptop, &other));
    four_close (&four);
}

/* Of an admin it is known that it carries everything: what others say does not end it early. */
static void an_admin_counts_more_than_others (void)
{
    CHECK (set_up ());
    leave ();
    tells_nothing = true;
    CHECK_OK (subscribe (&shots, true));
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots));
    four_close (&four);
}

static void nobody_else_to_fetch_from (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_NONE));
    CHECK_OK (pair_role (four.pair.a, laptop, SKR_ROLE_NONE));
    laptop = four.pair.a; /* alone */
    watch ();
    fake.link = "silent";
    CHECK_OK (skr_replica_begin (laptop));
    CHECK_OK (skr_fetching_note (laptop, &other));
    CHECK_OK (skr_replica_commit (laptop));
    CHECK (skr_fetching (laptop, &other));
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &other));
    four_close (&four);
}

/* What was void by then is not waited for: here, all of who was revoked without it. */
static void what_is_void_does_not_come (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.third, "shots", "e", 1));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    fake.other = four.third; /* they tell of it */
    CHECK_OK (pair_sync (four.third, laptop, &roster));
    skr_fetching_meet (laptop, &shots, &skr_replica_collection (four.third, &shots)->clock,
                       device_of (four.third));
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (turn ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (four.pair.a, laptop, &roster));
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots));
    four_close (&four);
}

/* The right to read comes back. */
static void who_may_read_again_fetches (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (pair_role (four.pair.a, laptop, SKR_ROLE_RELAY));
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (skr_sealed_turn (laptop));
    CHECK (skr_replica_collection (laptop, &shots)->sealed);
    CHECK_OK (pair_role (four.pair.a, laptop, SKR_ROLE_WRITE));
    CHECK_OK (pair_sync (four.pair.a, laptop, &roster));
    CHECK_OK (skr_sealed_turn (laptop));
    CHECK (!skr_replica_collection (laptop, &shots)->sealed);
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (reopen ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots));
    four_close (&four);
}

/* What is met for the first time is noted once more will follow. */
static void what_is_met_is_kept_with_its_first_changes (void)
{
    CHECK (set_up ());
    for (int i = 1; i <= 3; i++) {
        CHECK_OK (pair_set (four.pair.a, "shots", "d", i));
    }
    skr_fetching_meet (laptop, &shots, &skr_replica_collection (four.pair.a, &shots)->clock,
                       device_of (four.pair.a));
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (skr_replica_begin (laptop));
    CHECK_OK (skr_fetching_keep (laptop, &shots));
    CHECK_OK (skr_replica_commit (laptop));
    CHECK_OK (reopen ());
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (give (four.pair.a, laptop));
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &shots));
    skr_fetching_meet (laptop, &shots, &skr_replica_collection (four.pair.a, &shots)->clock,
                       device_of (four.pair.a));
    CHECK (!skr_fetching (laptop, &shots)); /* something of it is here */
    four_close (&four);
}

/* Somebody tells of what is nowhere. Another may have it all the same, and what begins to come is
   waited for. */
static void a_lie_is_not_waited_for (void)
{
    CHECK (set_up ());
    const uint8_t *liar = device_of (four.third), *honest = device_of (four.pair.a);
    skr_clock_t told = {0};
    CHECK_OK (skr_clock_set (&told, skr_replica_writer (four.third), 7));
    skr_fetching_meet (laptop, &shots, &told, liar);
    CHECK (skr_fetching (laptop, &shots));
    skr_fetching_vain (laptop, &shots, liar);
    CHECK (!skr_fetching (laptop, &shots));
    skr_fetching_meet (laptop, &shots, &told, liar);
    CHECK (!skr_fetching (laptop, &shots)); /* he says it again */
    skr_fetching_meet (laptop, &shots, &told, honest);
    CHECK (skr_fetching (laptop, &shots));
    CHECK_OK (skr_replica_begin (laptop));
    CHECK_OK (skr_fetching_keep (laptop, &shots));
    CHECK_OK (skr_replica_commit (laptop));
    skr_fetching_vain (laptop, &shots, liar);
    CHECK (skr_fetching (laptop, &shots));
    for (unsigned i = 0; i < 3000; i++) {
        skr_id_t made_up = {.bytes = {1, (uint8_t) i, (uint8_t) (i >> 8)}};
        skr_fetching_meet (laptop, &made_up, &told, liar);
    }
    CHECK_INT (laptop->fetches_count, 1024);
    skr_clock_free (&told);
    four_close (&four);
}

/* Whoever told of it is a member no more, and of its writer nobody knows: all others are asked. */
static void who_told_of_it_is_gone (void)
{
    skr_clock_t told = {0};
    const skr_id_t unknown = {.bytes = {7}};
    CHECK (set_up ());
    CHECK_OK (skr_clock_set (&told, &unknown, 3));
    skr_fetching_meet (laptop, &other, &told, device_of (four.third));
    CHECK (skr_fetching (laptop, &other));
    CHECK_OK (turn ());
    CHECK (fake.asked > 0);
    CHECK_OK (turn ());
    CHECK (!skr_fetching (laptop, &other));
    skr_clock_free (&told);
    four_close (&four);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (lasts_until_all_is_here);
    RUN (is_still_so_after_a_crash_in_the_midst_of_it);
    RUN (ends_though_it_cannot_be_noted);
    RUN (an_aborted_statement_begins_nothing);
    RUN (ends_when_nobody_has_it);
    RUN (an_admin_counts_more_than_others);
    RUN (nobody_else_to_fetch_from);
    RUN (what_is_void_does_not_come);
    RUN (who_may_read_again_fetches);
    RUN (what_is_met_is_kept_with_its_first_changes);
    RUN (a_lie_is_not_waited_for);
    RUN (who_told_of_it_is_gone);
    return CHECK_END ();
}
