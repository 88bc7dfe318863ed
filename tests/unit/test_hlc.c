#include "crdt/hlc.h"
#include "tests/check.h"

#define NOW_MS UINT64_C (1700000000000)

static uint64_t at (uint64_t ms, uint64_t counter)
{
    return ms << 16 | counter;
}

static void it_follows_the_wall (void)
{
    uint64_t last = 0;
    CHECK (skr_hlc_next (&last, NOW_MS) == at (NOW_MS, 0));
    CHECK (last == at (NOW_MS, 0));
    CHECK (skr_hlc_next (&last, NOW_MS + 1) == at (NOW_MS + 1, 0));
    CHECK (skr_hlc_next (&last, NOW_MS + 5000) == at (NOW_MS + 5000, 0));
    CHECK (skr_hlc_ms (last) == NOW_MS + 5000);
    CHECK (skr_hlc_ms (at (NOW_MS, 65535)) == NOW_MS);
}

static void a_counter_within_a_millisecond (void)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < 65536; i++) {
        CHECK (skr_hlc_next (&last, NOW_MS) == at (NOW_MS, i));
    }
    CHECK (skr_hlc_next (&last, NOW_MS) == at (NOW_MS + 1, 0)); /* full: into the next */
    CHECK (skr_hlc_next (&last, NOW_MS + 1) == at (NOW_MS + 1, 1));
    CHECK (skr_hlc_next (&last, NOW_MS + 2) == at (NOW_MS + 2, 0));
}

static void it_never_goes_back (void)
{
    uint64_t last = 0;
    skr_hlc_next (&last, NOW_MS);
    CHECK (skr_hlc_next (&last, NOW_MS - 1) == at (NOW_MS, 1));
    CHECK (skr_hlc_next (&last, 0) == at (NOW_MS, 2));
    CHECK (skr_hlc_next (&last, NOW_MS) == at (NOW_MS, 3));
    CHECK (skr_hlc_next (&last, NOW_MS + 1) == at (NOW_MS + 1, 0));
}

static void what_was_seen_pulls (void)
{
    uint64_t last = at (NOW_MS, 0);
    CHECK (skr_hlc_seen (&last, at (NOW_MS + 10, 7), NOW_MS));
    CHECK (last == at (NOW_MS + 10, 7));
    CHECK (skr_hlc_next (&last, NOW_MS) == at (NOW_MS + 10, 8));
    CHECK (skr_hlc_seen (&last, at (NOW_MS - 10, 9), NOW_MS)); /* the past does not */
    CHECK (last == at (NOW_MS + 10, 8));
    CHECK (skr_hlc_seen (&last, 0, NOW_MS));
    CHECK (last == at (NOW_MS + 10, 8));
}

static void far_ahead_does_not_pull (void)
{
    const uint64_t edge = NOW_MS + SKR_HLC_AHEAD_MS_MAX;
    uint64_t last = at (NOW_MS, 3);
    CHECK_INT (SKR_HLC_AHEAD_MS_MAX, 60000);
    CHECK (!skr_hlc_seen (&last, at (edge + 1, 0), NOW_MS));
    CHECK (!skr_hlc_seen (&last, UINT64_MAX, NOW_MS));
    CHECK (last == at (NOW_MS, 3));
    CHECK (skr_hlc_seen (&last, at (edge, 65535), NOW_MS)); /* exactly 60 s is not more */
    CHECK (last == at (edge, 65535));
    /* A wall clock set back: ours is far ahead by now, and what is behind it is still judged. */
    CHECK (!skr_hlc_seen (&last, at (edge, 0), NOW_MS - 1));
    CHECK (last == at (edge, 65535));
}

/* Peers with clocks of their own, one of them wrong, that hear of each other's times. */
static void times_follow_causes (void)
{
    enum { PEERS = 5 };
    uint64_t state = check_seed (), last[PEERS] = {0}, wall[PEERS];
    for (int i = 0; i < PEERS; i++) {
        wall[i] = NOW_MS + check_random (&state) % 40000;
    }
    wall[0] += 600000;
    for (int i = 0; i < 100000; i++) {
        uint64_t *self = &last[check_random (&state) % PEERS], before = *self;
        uint64_t now = wall[self - last] += check_random (&state) % 3;
        uint64_t seen = last[check_random (&state) % PEERS];
        bool near = skr_hlc_ms (seen) <= now + SKR_HLC_AHEAD_MS_MAX;
        CHECK_INT (skr_hlc_seen (self, seen, now), near);
        CHECK (*self >= before && (near ? *self >= seen : *self == before));
        uint64_t time = skr_hlc_next (self, now);
        CHECK (time == *self && time > before && skr_hlc_ms (time) >= now);
        CHECK (!near || time > seen);
        CHECK (self == last || skr_hlc_ms (time) < NOW_MS + 600000);
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (it_follows_the_wall);
    RUN (a_counter_within_a_millisecond);
    RUN (it_never_goes_back);
    RUN (what_was_seen_pulls);
    RUN (far_ahead_does_not_pull);
    RUN (times_follow_causes);
    return CHECK_END ();
}
