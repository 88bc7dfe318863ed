/* What a member may put into the roster: so much at first, more with the days; nothing is refused
   for good, others go on, and who joins takes all of it. A is the founder, the fourth states too
   much. */

#include "peer/carrying.h"
#include "peer/replica_internal.h"
#include "peer/toll.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS UINT64_C (86400000)

static const skr_id_t roster;

static four_t four;
static skr_replica_t *loud;
static skr_world_t moved;
static uint64_t days;

static uint64_t wall_ms (void *context)
{
    (void) context;
    return skr_world_real ()->wall_ms (NULL) + days * DAY_MS;
}

/* A's clock is `days` ahead. */
static bool set_up (void)
{
    bool good = four_open (&four, "loud", SKR_ROLE_WRITE);
    loud = four.fourth;
    moved = *skr_world_real ();
    moved.wall_ms = wall_ms;
    days = 0;
    if (good) {
        four.pair.a->world = &moved;
    }
    return good;
}

/* States so many times that it carries something, and then that it does not; each a change. */
static saker_err_t state (size_t times)
{
    skr_subscription_t wanted = skr_subscription_all ();
    skr_id_t id = {{7}};
    saker_err_t error = skr_replica_begin (loud);
    for (size_t i = 0; i < times && !error; i++) {
        error = skr_subscription_set (&wanted, &id, i % 2);
        error = error ? error : skr_carrying_state (loud, &wanted);
    }
    skr_subscription_free (&wanted);
    if (error) {
        skr_replica_abort (loud);
        return error;
    }
    return skr_replica_commit (loud);
}

static uint64_t stated_at (const skr_replica_t *replica)
{
    return skr_clock_get (&skr_replica_collection_at (replica, 0)->clock,
                          skr_replica_writer (loud));
}

static void lets_in_so_much_and_more_each_day (void)
{
    skr_replica_stats_t stats;
    skr_id_t shots;
    CHECK (set_up ());
    CHECK_OK (state (SKR_TOLL_FREE + 2 * SKR_TOLL_A_DAY));
    CHECK_OK (pair_sync (loud, four.pair.a, &roster));
    uint64_t first = stated_at (four.pair.a);
    CHECK (first >= SKR_TOLL_FREE - 8 && first <= SKR_TOLL_FREE);
    skr_replica_stats (four.pair.a, &stats);
    CHECK (stats.delayed > 0);
    CHECK_OK (pair_sync (loud, four.pair.a, &roster)); /* and no more, however often it is asked */
    CHECK_INT (stated_at (four.pair.a), first);
    /* what it writes, and what others state, is not held up */
    CHECK_OK (pair_set (loud, "shots", "d", 1));
    skr_replica_collection_id (loud, "shots", &shots);
    CHECK_OK (pair_sync (loud, four.pair.a, &shots));
    CHECK_INT (skr_replica_collection (four.pair.a, &shots)->changes, 1);
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_READ));
    days = 1;
    CHECK_OK (pair_sync (loud, four.pair.a, &roster));
    CHECK_INT (stated_at (four.pair.a), first + SKR_TOLL_A_DAY);
    days = 3;
    CHECK_OK (pair_sync (loud, four.pair.a, &roster));
    CHECK_INT (stated_at (four.pair.a), stated_at (loud));
    four_close (&four);
}

/* All that has been let in elsewhere by now comes in one go. */
static void who_was_away_is_let_in_on_all_of_it (void)
{
    CHECK (set_up ());
    CHECK_OK (state (SKR_TOLL_FREE + 5 * SKR_TOLL_A_DAY));
    days = 6;
    CHECK_OK (pair_sync (loud, four.pair.a, &roster));
    CHECK_INT (stated_at (four.pair.a), stated_at (loud));
    four_close (&four);
}

/* Also one whose clock is far behind. */
static void who_joins_takes_the_roster_as_it_is (void)
{
    char store[160];
    skr_replica_t *joined = NULL;
    CHECK (set_up ());
    CHECK_OK (state (SKR_TOLL_FREE + 5 * SKR_TOLL_A_DAY));
    days = 6;
    CHECK_OK (pair_sync (loud, four.pair.a, &roster));
    days = 0;
    (void) snprintf (store, sizeof store, "%s/joined", four.pair.folder);
    CHECK (pair_adopt (four.pair.a, store, "joined", SKR_ROLE_WRITE, &joined));
    CHECK_INT (stated_at (joined), stated_at (loud));
    skr_replica_close (&joined);
    four_close (&four);
}

static void the_source_knows_and_admins_pay_nothing (void)
{
    const uint8_t *device;
    CHECK (set_up ());
    uint64_t now_ms = skr_world_real ()->wall_ms (NULL);
    device = skr_device_key (skr_replica_device (loud));
    CHECK_INT (skr_toll_wait_ms (loud->roster, device, 1, now_ms), 0);
    CHECK_OK (state (SKR_TOLL_FREE));
    uint64_t wait_ms = skr_toll_wait_ms (loud->roster, device, 1, now_ms);
    CHECK (wait_ms > 0 && wait_ms < DAY_MS);
    CHECK_INT (skr_toll_wait_ms (loud->roster, device, 1, now_ms + wait_ms), 0);
    CHECK (skr_toll_wait_ms (loud->roster, device, 1, 0) > 0); /* a clock that is far behind */
    device = skr_device_key (skr_replica_device (four.pair.a));
    CHECK_INT (skr_toll_wait_ms (loud->roster, device, UINT32_MAX, now_ms), 0);
    four_close (&four);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (lets_in_so_much_and_more_each_day);
    RUN (who_was_away_is_let_in_on_all_of_it);
    RUN (who_joins_takes_the_roster_as_it_is);
    RUN (the_source_knows_and_admins_pay_nothing);
    return CHECK_END ();
}
