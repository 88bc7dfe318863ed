/* What is stable, by what members report: each rule by itself, and random reports against a model
   that keeps small arrays and does it the plain way. */

#include "peer/stable.h"
#include "tests/check.h"
#include "tests/lib/people.h"

#include <string.h>

enum { PEOPLE = 4 };

static people_t people[PEOPLE];
static skr_member_t members[PEOPLE];
static const skr_member_t *list[PEOPLE];
static skr_roster_t *roster;

static bool make_people (void)
{
    static const skr_id_t mesh;
    if (skr_roster_new (&roster, &mesh) != SAKER_OK) {
        return false;
    }
    for (int i = 0; i < PEOPLE; i++) {
        static const uint8_t ticket[32];
        skr_buf_t admit = {0}, incarnate = {0};
        const skr_dot_t dot = {{{0}}, (uint64_t) i + 1, 0};
        people_make (&people[i]);
        members[i] = people_member (&people[i], "somebody", SKR_ROLE_WRITE);
        list[i] = &members[i];
        skr_statement_admit (&admit, &members[i], ticket);
        skr_statement_incarnate (&incarnate, members[i].device, people[i].incarnation,
                                 skr_span (NULL, 0));
        bool good = skr_roster_add (roster, &dot, 1, skr_span_of (&admit)) == SAKER_OK
                    && skr_roster_add (roster, &dot, 1, skr_span_of (&incarnate)) == SAKER_OK;
        skr_buf_free (&admit);
        skr_buf_free (&incarnate);
        if (!good) {
            return false;
        }
    }
    return true;
}

/* ---- what is here: the clock of one collection, and of the roster as a single number */

static uint64_t here[PEOPLE], roster_here;
static uint64_t cut_below; /* of each writer, no hash is kept up to this */

static uint64_t hash_of (int writer, uint64_t seq)
{
    return 1000u * (uint64_t) (writer + 1) + seq;
}

static saker_err_t hash (void *context, const skr_id_t *writer, uint64_t seq, uint64_t *found)
{
    (void) context;
    for (int i = 0; i < PEOPLE; i++) {
        if (skr_id_equal (&people[i].writer, writer)) {
            *found = hash_of (i, seq);
            return seq > cut_below ? SAKER_OK : SAKER_ENOTFOUND;
        }
    }
    return SAKER_EDAMAGED;
}

static saker_err_t set_clock (skr_clock_t *clock, const uint64_t seqs[PEOPLE])
{
    for (int i = 0; i < PEOPLE; i++) {
        SKR_TRY (skr_clock_set (clock, &people[i].writer, seqs[i]));
    }
    return SAKER_OK;
}

static saker_err_t set_roster (skr_clock_t *clock, uint64_t number)
{
    static const skr_id_t admin = {{9}};
    return skr_clock_set (clock, &admin, number);
}

/* One report; `lie` is the writer of whom it has another change, or -1. */
static saker_err_t hear (skr_stable_t *stable, int member, const uint64_t told[PEOPLE],
                         uint64_t roster_told, int lie)
{
    skr_clock_t ours = {0}, own_roster = {0}, theirs = {0}, their_roster = {0};
    uint64_t hashes[PEOPLE];
    saker_err_t error = set_clock (&ours, here);
    error = error ? error : set_clock (&theirs, told);
    error = error ? error : set_roster (&own_roster, roster_here);
    error = error ? error : set_roster (&their_roster, roster_told);
    for (size_t i = 0; i < theirs.count; i++) {
        for (int k = 0; k < PEOPLE; k++) {
            if (skr_id_equal (&people[k].writer, &theirs.ticks[i].writer)) {
                hashes[i] = hash_of (k, theirs.ticks[i].seq) ^ (k == lie);
            }
        }
    }
    const skr_testimony_t testimony = {&people[member].writer, &theirs, hashes, NULL,
                                       &their_roster};
    const skr_scene_t scene = {
        .clock = &ours, .roster = &own_roster, .people = roster, .wall_ms = 77, .hash = hash};
    error = error ? error : skr_stable_hear (stable, members[member].device, &testimony, &scene);
    skr_clock_free (&ours);
    skr_clock_free (&own_roster);
    skr_clock_free (&theirs);
    skr_clock_free (&their_roster);
    return error;
}

static saker_err_t sum (const skr_stable_t *stable, uint64_t seqs[PEOPLE])
{
    skr_clock_t ours = {0}, clock = {0};
    saker_err_t error = set_clock (&ours, here);
    error = error ? error : skr_stable_clock (stable, list + 1, PEOPLE - 1, &ours, &clock);
    for (int i = 0; i < PEOPLE; i++) {
        seqs[i] = skr_clock_get (&clock, &people[i].writer);
    }
    skr_clock_free (&ours);
    skr_clock_free (&clock);
    return error;
}

static skr_verdict_t verdict (const skr_stable_t *stable, int member)
{
    const skr_witness_t *witness = skr_stable_witness (stable, members[member].device);
    return witness ? witness->verdict : SKR_VERDICT_UNHEARD;
}

/* ---- each rule; we are the first of the people */

static void all_must_have_stored (void)
{
    const uint64_t now[PEOPLE] = {5, 3, 0, 2};
    const uint64_t less[PEOPLE] = {4, 3, 0, 0};
    uint64_t seqs[PEOPLE];
    skr_stable_t stable = {0};
    memcpy (here, now, sizeof here);
    CHECK_OK (hear (&stable, 1, now, 0, -1));
    CHECK_OK (hear (&stable, 2, less, 0, -1));
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 0); /* nothing was heard of the last */
    CHECK_OK (hear (&stable, 3, now, 0, -1));
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 4);
    CHECK_INT (seqs[1], 3);
    CHECK_INT (seqs[3], 0);
    CHECK_INT (verdict (&stable, 2), SKR_VERDICT_COUNTS);
    CHECK_INT (skr_stable_witness (&stable, members[2].device)->counted_ms, 77);
    CHECK (!skr_stable_witness (&stable, members[0].device));
    skr_stable_free (&stable);
}

static void changes_of_its_own_come_first (void)
{
    const uint64_t now[PEOPLE] = {5, 3, 1, 1};
    const uint64_t ahead[PEOPLE] = {5, 4, 1, 1};
    const uint64_t ahead_of_another[PEOPLE] = {5, 3, 2, 1};
    uint64_t seqs[PEOPLE];
    skr_stable_t stable = {0};
    memcpy (here, now, sizeof here);
    for (int i = 2; i < PEOPLE; i++) {
        CHECK_OK (hear (&stable, i, now, 0, -1));
    }
    CHECK_OK (hear (&stable, 1, ahead, 0, -1));
    CHECK_INT (verdict (&stable, 1), SKR_VERDICT_OWN);
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 0);
    CHECK_OK (hear (&stable, 1, ahead_of_another, 0, -1));
    CHECK_INT (verdict (&stable, 1), SKR_VERDICT_COUNTS);
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 5);
    CHECK_INT (seqs[2], 0); /* which 2 that is cannot be told yet */
    skr_stable_free (&stable);
}

static void the_roster_comes_first (void)
{
    const uint64_t now[PEOPLE] = {5, 3, 1, 1};
    uint64_t seqs[PEOPLE];
    skr_stable_t stable = {0};
    memcpy (here, now, sizeof here);
    roster_here = 4;
    CHECK_OK (hear (&stable, 1, now, 4, -1));
    CHECK_OK (hear (&stable, 2, now, 1, -1));
    CHECK_OK (hear (&stable, 3, now, 5, -1));
    CHECK_INT (verdict (&stable, 3), SKR_VERDICT_ROSTER);
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 0);
    roster_here = 5;
    CHECK_OK (hear (&stable, 3, now, 5, -1));
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 5);
    roster_here = 0;
    skr_stable_free (&stable);
}

static void hashes_must_agree (void)
{
    const uint64_t now[PEOPLE] = {5, 3, 1, 1};
    uint64_t seqs[PEOPLE];
    skr_stable_t stable = {0};
    memcpy (here, now, sizeof here);
    for (int i = 1; i < PEOPLE; i++) {
        CHECK_OK (hear (&stable, i, now, 0, i == 2 ? 1 : -1));
    }
    CHECK_INT (verdict (&stable, 2), SKR_VERDICT_FORKED);
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 5);
    CHECK_INT (seqs[1], 0);
    cut_below = 3; /* what is cut cannot be compared any more: it agreed */
    CHECK_OK (hear (&stable, 2, now, 0, 1));
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[1], 3);
    cut_below = 0;
    skr_stable_free (&stable);
}

static void silence_counts_for_nothing (void)
{
    const uint64_t now[PEOPLE] = {5, 3, 1, 1};
    uint64_t seqs[PEOPLE];
    skr_stable_t stable = {0};
    skr_clock_t ours = {0}, nothing = {0};
    memcpy (here, now, sizeof here);
    CHECK_OK (set_clock (&ours, here));
    const skr_scene_t scene = {.clock = &ours, .roster = &nothing, .people = roster, .hash = hash};
    const skr_id_t *by = &people[1].writer;
    const skr_testimony_t silent = {by, NULL, NULL, NULL, NULL},
                          unrostered = {by, &ours, NULL, NULL, NULL},
                          unhashed = {by, &ours, NULL, NULL, &nothing};
    for (int i = 2; i < PEOPLE; i++) {
        CHECK_OK (hear (&stable, i, now, 0, -1));
    }
    CHECK_OK (skr_stable_hear (&stable, members[1].device, &silent, &scene));
    CHECK_INT (verdict (&stable, 1), SKR_VERDICT_UNHEARD);
    CHECK_OK (skr_stable_hear (&stable, members[1].device, &unrostered, &scene));
    CHECK_INT (verdict (&stable, 1), SKR_VERDICT_ROSTER);
    CHECK_OK (skr_stable_hear (&stable, members[1].device, &unhashed, &scene));
    CHECK_OK (sum (&stable, seqs));
    CHECK_INT (seqs[0], 0);
    skr_clock_free (&ours);
    skr_stable_free (&stable);
}

/* ---- against the plain way */

typedef struct plain_t {
    uint64_t counted[PEOPLE][PEOPLE]; /* member, writer */
} plain_t;

static void plain_hear (plain_t *plain, int member, const uint64_t told[PEOPLE],
                        uint64_t roster_told, int lie)
{
    if (roster_told > roster_here || told[member] > here[member]) {
        return;
    }
    for (int w = 0; w < PEOPLE; w++) {
        bool same = w != lie || told[w] <= cut_below;
        if (told[w] <= here[w] && told[w] > plain->counted[member][w] && same) {
            plain->counted[member][w] = told[w];
        }
    }
}

static uint64_t plain_sum (const plain_t *plain, int writer)
{
    uint64_t least = here[writer];
    for (int i = 1; i < PEOPLE; i++) {
        uint64_t counted = plain->counted[i][writer];
        least = counted < least ? counted : least;
    }
    return least;
}

static void adds_up_like_the_plain_way (void)
{
    uint64_t random = check_seed ();
    for (int round = 0; round < 300; round++) {
        skr_stable_t stable = {0};
        plain_t plain = {{{0}}};
        memset (here, 0, sizeof here);
        roster_here = 0;
        cut_below = 0;
        for (int step = 0; step < 60; step++) {
            uint64_t told[PEOPLE], seqs[PEOPLE];
            int member = 1 + (int) (check_random (&random) % (PEOPLE - 1));
            int lie = check_random (&random) % 4 ? -1 : (int) (check_random (&random) % PEOPLE);
            here[check_random (&random) % PEOPLE] += check_random (&random) % 4;
            roster_here += check_random (&random) % 2;
            for (int w = 0; w < PEOPLE; w++) {
                told[w] = check_random (&random) % (here[w] + 2);
            }
            CHECK_OK (sum (&stable, seqs));
            if (check_random (&random) % 8 == 0) {
                cut_below += cut_below < seqs[0] && cut_below < seqs[1] && cut_below < seqs[2]
                             && cut_below < seqs[3];
            }
            uint64_t roster_told = check_random (&random) % (roster_here + 2);
            CHECK_OK (hear (&stable, member, told, roster_told, lie));
            plain_hear (&plain, member, told, roster_told, lie);
            CHECK_OK (sum (&stable, seqs));
            for (int w = 0; w < PEOPLE; w++) {
                CHECK_INT (seqs[w], plain_sum (&plain, w));
            }
        }
        skr_stable_free (&stable);
    }
    roster_here = cut_below = 0;
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (!make_people ()) {
        printf ("no people: %s\n", skr_error ());
        return 1;
    }
    RUN (all_must_have_stored);
    RUN (changes_of_its_own_come_first);
    RUN (the_roster_comes_first);
    RUN (hashes_must_agree);
    RUN (silence_counts_for_nothing);
    RUN (adds_up_like_the_plain_way);
    for (int i = 0; i < PEOPLE; i++) {
        people_free (&people[i]);
    }
    skr_roster_destroy (&roster);
    return CHECK_END ();
}
