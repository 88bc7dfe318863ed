/* A device that was restored closes the writers that it had before, when it is time. */

#include "peer/succession.h"

#include "mesh/report.h"
#include "peer/carrying.h"
#include "peer/incarnation.h"
#include "peer/replica_internal.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"

static pair_t pair;
static fake_neighbours_t fake; /* of the one that was restored */
static skr_id_t shots, before;
static const skr_id_t roster_id;

static saker_err_t give (skr_replica_t *from, skr_replica_t *to)
{
    SKR_TRY (pair_sync (from, to, &roster_id));
    return pair_sync (from, to, &shots);
}

static bool is_doubled (const skr_replica_t *replica)
{
    return skr_roster_doubled (skr_replica_roster (replica), &shots) != NULL;
}

static uint64_t limit_in (const skr_replica_t *replica, const skr_id_t *collection)
{
    return skr_roster_limit (skr_replica_roster (replica), &before, collection);
}

/* The restored one wrote before and after; the other knows both. */
static bool set_up (bool founder)
{
    if (!pair_open (&pair)) {
        return false;
    }
    skr_replica_t *restored = founder ? pair.a : pair.b;
    skr_replica_t *other = founder ? pair.b : pair.a;
    skr_replica_collection_id (pair.a, "shots", &shots);
    before = *skr_replica_writer (restored);
    fake_neighbours_init (&fake, restored, other, skr_world_real ());
    fake.told_ms = skr_world_real ()->mono_ms (NULL);
    restored->calm_ms = 1; /* it was calm for long */
    return pair_set (other, "shots", "theirs", 1) == SAKER_OK
           && pair_set (restored, "shots", "d", 1) == SAKER_OK
           && pair_set (restored, "shots", "d", 2) == SAKER_OK
           && skr_incarnation_renew (restored, SKR_DOUBT_RESTORED) == SAKER_OK
           && pair_set (restored, "shots", "d", 3) == SAKER_OK && give (restored, other) == SAKER_OK
           && give (other, restored) == SAKER_OK;
}

/* What the other tells of a collection, if it is not what it has. */
static struct {
    skr_id_t collection;
    skr_clock_t clock;
} claims[2];

static void (*true_reported) (void *context, const uint8_t device[32], const skr_id_t *collection,
                              skr_reported_t *reported);

static void reported (void *context, const uint8_t device[32], const skr_id_t *collection,
                      skr_reported_t *reported)
{
    true_reported (context, device, collection, reported);
    for (size_t i = 0; i < 2 && reported->clock; i++) {
        if (claims[i].clock.count && skr_id_equal (collection, &claims[i].collection)) {
            reported->clock = &claims[i].clock;
        }
    }
}

static saker_err_t succeed (bool twin)
{
    skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    true_reported = neighbours.reported;
    neighbours.reported = reported;
    SKR_TRY (skr_succeed (fake.own, &neighbours, twin));
    return skr_replica_commit (fake.own);
}

static void closes_what_it_was (bool founder)
{
    CHECK (set_up (founder));
    uint64_t voided = fake.other->stats.voided;
    CHECK (is_doubled (fake.own) && is_doubled (fake.other));
    CHECK_OK (succeed (false));
    CHECK (!is_doubled (fake.own));
    CHECK_OK (give (fake.own, fake.other));
    CHECK (!is_doubled (fake.other));
    CHECK_INT (limit_in (fake.other, &shots), 2);
    CHECK (limit_in (fake.other, &roster_id) < UINT64_MAX);
    CHECK (!skr_roster_is_fenced (skr_replica_roster (fake.other),
                                  skr_device_key (skr_replica_device (fake.own))));
    CHECK_INT (fake.other->stats.voided, voided);

    /* and it goes on */
    CHECK_OK (pair_set (fake.own, "shots", "d", 4));
    CHECK_OK (give (fake.own, fake.other));
    const skr_collection_t *ours = skr_replica_collection (fake.own, &shots);
    const skr_collection_t *theirs = skr_replica_collection (fake.other, &shots);
    CHECK (skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint));
    CHECK_INT (ours->changes, 5);

    /* once is enough */
    uint64_t changes = skr_replica_collection_at (fake.own, 0)->changes;
    fake.own->calm_ms = 1;
    CHECK_OK (succeed (false));
    CHECK_INT (skr_replica_collection_at (fake.own, 0)->changes, changes);
    pair_close (&pair);
}

static void a_member_closes_what_it_was (void)
{
    closes_what_it_was (false);
}

static void a_founder_closes_what_it_was (void)
{
    closes_what_it_was (true);
}

static void waits_until_it_was_calm_for_long (void)
{
    CHECK (set_up (false));
    fake.own->calm_ms = 0;
    CHECK_OK (succeed (false));
    CHECK (is_doubled (fake.own));
    CHECK (fake.own->calm_ms > 0);
    pair_close (&pair);
}

static void waits_while_the_other_process_is_there (void)
{
    CHECK (set_up (false));
    CHECK_OK (succeed (true));
    CHECK (is_doubled (fake.own));
    CHECK_INT (fake.own->calm_ms, 0); /* and begins anew when that is gone */
    pair_close (&pair);
}

static void waits_for_who_was_not_heard (void)
{
    CHECK (set_up (false));
    fake.told = false;
    CHECK_OK (succeed (false));
    CHECK (is_doubled (fake.own));
    fake.told = true;
    fake.own->calm_ms = 1;
    fake.told_ms -= SKR_SUCCEED_FRESH_MS; /* heard once, and silent since */
    CHECK_OK (succeed (false));
    CHECK (is_doubled (fake.own));
    pair_close (&pair);
}

/* Others have more of what it was: that comes first, or it would be void. */
static void waits_for_what_it_lacks (void)
{
    CHECK (set_up (false));
    const skr_collection_t *theirs = skr_replica_collection (fake.other, &shots);
    skr_clock_t *clock = (skr_clock_t *) &theirs->clock; /* as if there were a third change */
    CHECK_OK (skr_clock_set (clock, &before, 3));
    CHECK_OK (succeed (false));
    CHECK (is_doubled (fake.own));
    CHECK_INT (fake.own->calm_ms, 0);
    CHECK_OK (skr_clock_set (clock, &before, 2));
    pair_close (&pair);
}

/* It leaves shots, and carries only what it names; the drop is over. */
static saker_err_t leave (void)
{
    const skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    skr_subscription_t wanted = skr_subscription_all ();
    wanted.rest = false;
    saker_err_t error = skr_subscription_set (&wanted, &shots, false);
    error = error ? error : skr_replica_begin (fake.own);
    error = error ? error : skr_carrying_state (fake.own, &wanted);
    skr_subscription_free (&wanted);
    SKR_TRY (error);
    SKR_TRY (skr_replica_commit (fake.own));
    SKR_TRY (give (fake.own, fake.other));
    do {
        fake.own->carrying_ms = 0;
        SKR_TRY (skr_carrying_turn (fake.own, &neighbours));
    } while (skr_carrying_busy (fake.own));
    return SAKER_OK;
}

/* As if it had written more there before it was put back than it knows of: it may not come for what
   it does not carry, and is void where this device closes what it was at what it has. */
static void keeps_what_it_does_not_carry (void)
{
    skr_id_t other;
    CHECK (set_up (false));
    CHECK_OK (leave ());
    CHECK_INT (skr_replica_collection (fake.own, &shots)->clock.count, 0);
    skr_replica_collection_id (pair.a, "other", &other);
    CHECK_OK (pair_set (fake.other, "other", "theirs", 1));
    CHECK (!skr_replica_collection (fake.own, &other)); /* it knows nothing of it */
    claims[0].collection = shots;
    claims[1].collection = other;
    CHECK_OK (skr_clock_set (&claims[0].clock, &before, 4));
    CHECK_OK (skr_clock_set (&claims[1].clock, &before, 3));
    fake.told_part = true;
    fake.own->calm_ms = 1;
    CHECK_OK (succeed (false));
    CHECK (is_doubled (fake.own)); /* an admin has not told of all that it has */
    fake.told_part = false;
    fake.own->calm_ms = 1;
    CHECK_OK (succeed (false));
    CHECK (!is_doubled (fake.own));
    CHECK_INT (limit_in (fake.own, &shots), 4);
    CHECK_INT (limit_in (fake.own, &other), 3);
    skr_clock_free (&claims[0].clock);
    skr_clock_free (&claims[1].clock);
    pair_close (&pair);
}

static skr_beat_t beat_of (const skr_id_t *writer, uint64_t started_ms)
{
    return (skr_beat_t){.writer = *writer, .instance = {1}, .number = 5, .started_ms = started_ms};
}

/* A store that was put back knows an older start than others do, and its clock may be behind: what
   is passed on of it counts all the same, since it writes as another incarnation. */
static void is_heard_though_its_clock_is_behind (void)
{
    CHECK (set_up (false));
    skr_report_t report = {0};
    const skr_roster_t *roster = skr_replica_roster (fake.other);
    skr_beat_t old = beat_of (&before, 1000);
    skr_beat_t present = beat_of (skr_replica_writer (fake.own), 900);
    CHECK (skr_roster_is_later (roster, &present.writer, &before));
    CHECK (!skr_roster_is_later (roster, &before, &present.writer));
    CHECK (skr_report_beat (&report, &old, roster, false, 1));
    CHECK (skr_report_beat (&report, &present, roster, false, 2));
    old.number++;
    old.started_ms = 2000;
    CHECK (!skr_report_beat (&report, &old, roster, false, 3));
    present.number++;
    CHECK (skr_report_beat (&report, &present, roster, false, 4));
    skr_report_free (&report);
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (a_member_closes_what_it_was);
    RUN (a_founder_closes_what_it_was);
    RUN (waits_until_it_was_calm_for_long);
    RUN (waits_while_the_other_process_is_there);
    RUN (waits_for_who_was_not_heard);
    RUN (waits_for_what_it_lacks);
    RUN (keeps_what_it_does_not_carry);
    RUN (is_heard_though_its_clock_is_behind);
    return CHECK_END ();
}
