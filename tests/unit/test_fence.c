/* Fence and return (design 5): A the founder, B who is away, and two more. */

#include "peer/incarnation.h"
#include "peer/replica_internal.h"
#include "peer/silence.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <stdio.h>

static four_t four;
static skr_id_t shots;
static const skr_id_t roster;

static bool set_up (void)
{
    bool good = four_open (&four, "admin", SKR_ROLE_ADMIN);
    skr_replica_collection_id (four.pair.a, "shots", &shots);
    return good;
}

static void tear_down (void)
{
    four_close (&four);
}

/* Where a disk is fast, several would be written within one millisecond: which of two peers wrote
   later is told by their clocks alone. */
static void wait_for_next_ms (const skr_replica_t *replica)
{
    const skr_world_t *world = replica->world;
    uint64_t begun_ms = world->wall_ms (world->context);
    while (world->wall_ms (world->context) == begun_ms) {
    }
}

/* One operation under an id, later than those before. */
static saker_err_t write_op (skr_replica_t *replica, skr_intent_kind_t kind, const char *document,
                             int64_t number, const char *id, saker_receipt_t *receipt)
{
    skr_buf_t value = {0}, path = {0};
    saker_receipt_t mine;
    wait_for_next_ms (replica);
    skr_cbor_put_int (&value, number);
    SKR_TRY (skr_path_from_pointer (&path, kind == SKR_INTENT_INCR ? "/count" : "/n"));
    bool whole = kind == SKR_INTENT_DELETE;
    const skr_intent_t intent = {.kind = kind,
                                 .document = skr_span_text (document),
                                 .path = whole ? skr_span (NULL, 0) : skr_span_of (&path),
                                 .value = whole ? skr_span (NULL, 0) : skr_span_of (&value)};
    const skr_local_t local = {
        .collection = "shots", .intents = &intent, .count = 1, .operation_id = skr_span_text (id)};
    saker_err_t error = skr_replica_begin (replica);
    error = error ? error : skr_replica_write (replica, &local, receipt ? receipt : &mine);
    if (error == SAKER_OK) {
        error = skr_replica_commit (replica);
    } else {
        skr_replica_abort (replica);
    }
    skr_buf_free (&value);
    skr_buf_free (&path);
    return error;
}

static saker_err_t fence (skr_replica_t *by, const skr_replica_t *whom)
{
    SKR_TRY (skr_replica_begin (by));
    saker_err_t error = skr_replica_fence (by, skr_device_key (skr_replica_device (whom)));
    if (error != SAKER_OK) {
        skr_replica_abort (by);
        return error;
    }
    return skr_replica_commit (by);
}

static saker_err_t give (skr_replica_t *from, skr_replica_t *to)
{
    SKR_TRY (pair_sync (from, to, &roster));
    return skr_replica_collection (from, &shots) ? pair_sync (from, to, &shots) : SAKER_OK;
}

/* Both get all that the other has; the second time what the first brought about. */
static saker_err_t meet (skr_replica_t *one, skr_replica_t *other)
{
    SKR_TRY (give (one, other));
    SKR_TRY (give (other, one));
    SKR_TRY (give (one, other));
    return give (other, one);
}

static bool same (const skr_replica_t *one, const skr_replica_t *other)
{
    const skr_collection_t *ours = skr_replica_collection (one, &shots);
    const skr_collection_t *theirs = skr_replica_collection (other, &shots);
    return ours && theirs && skr_clock_equal (&ours->clock, &theirs->clock)
           && skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint)
           && ours->documents == theirs->documents;
}

typedef struct shown_t {
    int64_t value;  /* of what wins */
    int64_t others; /* the sum of the rivals */
    size_t count;
} shown_t;

static saker_err_t note (const skr_leaf_t *leaf, void *argument)
{
    shown_t *shown = argument;
    if (leaf->value.type == SAKER_INT) {
        *(leaf->rival ? &shown->others : &shown->value) += leaf->value.as.integer;
        shown->count++;
    }
    return SAKER_OK;
}

static shown_t show (skr_replica_t *replica, const char *document)
{
    shown_t shown = {.count = 0};
    const skr_collection_t *collection = skr_replica_collection (replica, &shots);
    saker_err_t error = skr_replica_read (replica, collection, skr_span_text (document),
                                          skr_span (NULL, 0), note, &shown);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        CHECK_FAIL ("%s", skr_error ());
    }
    return shown;
}

static bool is_fenced (const skr_replica_t *at, const skr_replica_t *whom)
{
    return skr_roster_is_fenced (skr_replica_roster (at),
                                 skr_device_key (skr_replica_device (whom)));
}

static void what_it_wrote_comes_beside (void)
{
    saker_receipt_t receipt;
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_SET, "d", 1, "a1", NULL));
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_SET, "gone", 1, "a2", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "old", 5, "b0", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    skr_id_t writer = *skr_replica_writer (four.pair.b);

    /* B is away, and writes; the others go on */
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "d", 20, "b1", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "d", 21, "b2", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 3, "b3", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 4, "b4", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK (is_fenced (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_SET, "d", 300, "a3", NULL));
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_DELETE, "gone", 0, "a4", NULL));

    /* it learns of that: nothing that it wrote is gone, not for a moment */
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK (!skr_id_equal (&writer, skr_replica_writer (four.pair.b)));
    CHECK_INT (skr_replica_renewal (four.pair.b)->why, SKR_DOUBT_FENCED);
    CHECK_INT (show (four.pair.b, "d").value, 21);
    CHECK_INT (show (four.pair.b, "d").count, 1);
    CHECK_INT (show (four.pair.b, "c").value, 7);
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 4, "b4", &receipt));
    CHECK (receipt.repeated);
    CHECK (memcmp (receipt.writer, skr_replica_writer (four.pair.b)->bytes, 16) == 0);

    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK (!is_fenced (four.pair.a, four.pair.b));
    CHECK (same (four.pair.a, four.pair.b));
    shown_t shown = show (four.pair.a, "d");
    CHECK_INT (shown.count, 2);
    CHECK_INT (shown.value, 300); /* written later */
    CHECK_INT (shown.others, 21); /* 20 was replaced by its own writer */
    CHECK_INT (show (four.pair.a, "c").value, 7);
    CHECK_INT (show (four.pair.a, "old").value, 5);
    CHECK_INT (show (four.pair.b, "gone").count, 0);

    /* who had what is void lets go of it, and has it once */
    CHECK_OK (meet (four.pair.b, four.third));
    CHECK (same (four.pair.b, four.third));
    tear_down ();
}

static void void_changes_that_spread_count_once (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (meet (four.pair.b, four.third)); /* the third has what A has not */
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.third));
    CHECK_INT (show (four.third, "c").value, 1);
    CHECK_OK (meet (four.third, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.third));
    CHECK_INT (show (four.pair.a, "c").value, 3);
    CHECK (same (four.pair.a, four.third) && same (four.third, four.pair.b));
    tear_down ();
}

/* Two admins, apart, at what each has of it. */
static void two_fences (void)
{
    CHECK (set_up ());
    for (int i = 1; i <= 5; i++) {
        char id[8];
        snprintf (id, sizeof id, "b%d", i);
        CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", i, id, NULL));
        CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "d", i, "", NULL));
        if (i == 2) {
            CHECK_OK (meet (four.pair.a, four.pair.b));
        } else if (i == 4) {
            CHECK_OK (meet (four.fourth, four.pair.b));
        }
    }
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (fence (four.fourth, four.pair.b));
    CHECK_OK (meet (four.fourth, four.pair.b));
    skr_id_t second = *skr_replica_writer (four.pair.b);
    CHECK_INT (show (four.pair.b, "c").value, 15);
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "d", 6, "b6", NULL));
    CHECK_OK (
        meet (four.pair.a, four.pair.b)); /* now more of the first is void, and all of the second */
    CHECK (!skr_id_equal (&second, skr_replica_writer (four.pair.b)));
    CHECK_INT (show (four.pair.b, "c").value, 15);
    CHECK_INT (show (four.pair.b, "d").value, 6);
    CHECK_INT (show (four.pair.b, "d").count, 1);
    CHECK_OK (meet (four.pair.a, four.fourth));
    CHECK_OK (meet (four.pair.b, four.fourth));
    CHECK (same (four.pair.a, four.pair.b) && same (four.pair.b, four.fourth));
    CHECK_INT (show (four.fourth, "c").value, 15);
    CHECK_INT (show (four.fourth, "d").count, 1);
    tear_down ();
}

static void a_right_that_was_taken_stays_taken (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_INT (show (four.pair.b, "c").value, 1);
    CHECK (!is_fenced (four.pair.a, four.pair.b)); /* it reads, so it is waited for */
    CHECK (same (four.pair.a, four.pair.b));
    tear_down ();
}

/* One admin fences B, the other takes its right to write and had more of it. */
static void fence_and_take (void)
{
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_SET, "d", 5, "a1", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_SET, "d", 7, "b3", NULL));
    CHECK_OK (meet (four.pair.b, four.fourth));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 4, "b4", NULL));
    CHECK_OK (write_op (four.pair.a, SKR_INTENT_SET, "d", 6, "a2", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (pair_role (four.fourth, four.pair.b, SKR_ROLE_READ));
}

/* What the second had stands, once; and what it had not does not. */
static void check_taken (void)
{
    CHECK_OK (meet (four.pair.a, four.fourth));
    CHECK_OK (meet (four.fourth, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.third, four.pair.b));
    CHECK_INT (show (four.pair.a, "c").value, 3);
    CHECK_INT (show (four.pair.a, "d").value, 6); /* written later */
    CHECK_INT (show (four.pair.a, "d").others, 7);
    CHECK (same (four.pair.a, four.fourth) && same (four.fourth, four.pair.b));
    CHECK (same (four.third, four.pair.b));
    CHECK_INT (skr_replica_renewal (four.fourth)->why, SKR_DOUBT_VOUCHED);
}

static void the_admin_issues_what_it_had (void)
{
    CHECK (set_up ());
    fence_and_take ();
    CHECK_OK (meet (four.pair.a, four.pair.b)); /* it issues it all again, in vain */
    CHECK_INT (show (four.pair.a, "c").value, 7);
    check_taken ();

    /* a right that is given back does not bring it a second time; nor does one more fence */
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_WRITE));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 10, "b5", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.fourth));
    CHECK_INT (show (four.fourth, "c").value, 13);
    CHECK (same (four.pair.a, four.fourth) && same (four.pair.a, four.pair.b));
    tear_down ();
}

static void the_device_hears_of_both_at_once (void)
{
    CHECK (set_up ());
    fence_and_take ();
    CHECK_OK (give (four.pair.a, four.fourth));
    CHECK_OK (give (four.fourth, four.pair.b));
    CHECK_INT (show (four.pair.b, "c").value, 3);
    check_taken ();
    tear_down ();
}

/* A right that was given back before the fence is the device's own again. */
static void what_was_taken_before_is_not_vouched_for (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.b, four.fourth));
    CHECK_OK (pair_role (four.fourth, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_sync (four.fourth, four.pair.a, &roster)); /* and not the change */
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_WRITE));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_INT (show (four.pair.a, "c").value, 1);
    CHECK_OK (meet (four.pair.b, four.fourth));
    CHECK_INT (show (four.fourth, "c").value, 1);
    CHECK_INT (skr_replica_renewal (four.fourth)->why, SKR_DOUBT_NONE);
    CHECK (same (four.pair.b, four.fourth));
    tear_down ();
}

/* Each store of a device that was copied would issue what both have. */
static void a_copy_issues_nothing_of_before (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (skr_incarnation_renew (four.pair.b, SKR_DOUBT_COPY));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 4, "b3", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_INT (show (four.pair.a, "c").value, 5);
    CHECK (same (four.pair.a, four.pair.b));
    tear_down ();
}

/* Somebody who had what is void, and had not heard, hands it over once more. */
static void what_came_again_comes_once (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (meet (four.third, four.pair.b));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_INT (show (four.pair.b, "c").value, 3);
    CHECK_OK (pair_sync (four.third, four.pair.b, &shots)); /* the void one */
    CHECK_INT (show (four.pair.b, "c").value, 3);
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL)); /* it is done */
    CHECK_INT (show (four.pair.b, "c").value, 3);
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (meet (four.third, four.pair.b));
    CHECK_INT (show (four.pair.b, "c").value, 3);
    CHECK_INT (show (four.third, "c").value, 3);
    CHECK (same (four.third, four.pair.b));
    tear_down ();
}

static void it_lasts (void)
{
    CHECK (set_up ());
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 1, "b1", NULL));
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (write_op (four.pair.b, SKR_INTENT_INCR, "c", 2, "b2", NULL));
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    skr_id_t writer = *skr_replica_writer (four.pair.b);
    skr_replica_close (&four.pair.b);
    CHECK_OK (skr_replica_open (&four.pair.b, four.pair.store_b, skr_world_real ()));
    CHECK (skr_id_equal (&writer, skr_replica_writer (four.pair.b)));
    CHECK_INT (show (four.pair.b, "c").value, 3);
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_INT (show (four.pair.a, "c").value, 3);
    CHECK (same (four.pair.a, four.pair.b));
    tear_down ();
}

static void who_is_not_fenced (void)
{
    CHECK (set_up ());
    CHECK_ERR (fence (four.pair.a, four.pair.a), SAKER_EUSAGE, "does not fence itself");
    CHECK_ERR (fence (four.pair.b, four.third), SAKER_ERIGHT, "only an admin");
    CHECK_ERR (fence (four.fourth, four.pair.a), SAKER_ERIGHT, "founded the mesh");
    CHECK_ERR (fence (four.pair.a, four.fourth), SAKER_ERIGHT, "saker role admin write");
    CHECK_OK (fence (four.pair.a, four.pair.b));
    CHECK_ERR (fence (four.pair.a, four.pair.b), SAKER_EEXIST, "fenced already");
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_NONE));
    CHECK_ERR (fence (four.pair.a, four.third), SAKER_EEXIST, "was revoked");
    CHECK_OK (meet (four.pair.a, four.pair.b));
    CHECK_OK (fence (four.pair.a, four.pair.b)); /* it may go away again */
    tear_down ();
}

/* ---- for how long somebody was not heard */

static uint64_t now_ms;

static uint64_t fake_wall (void *context)
{
    (void) context;
    return now_ms;
}

static uint64_t look (uint64_t most_ms)
{
    uint64_t step_ms = 77;
    bool good = skr_replica_begin (four.pair.a) == SAKER_OK
                && skr_silence_look (four.pair.a, most_ms, &step_ms) == SAKER_OK
                && skr_replica_commit (four.pair.a) == SAKER_OK;
    return good ? step_ms : UINT64_MAX;
}

static void a_clock_that_jumps_counts_for_little (void)
{
    CHECK (set_up ());
    const skr_world_t *real = four.pair.a->world;
    skr_world_t world = *real;
    world.wall_ms = fake_wall;
    four.pair.a->world = &world;
    now_ms = 1700000000000;
    CHECK_INT (look (1000), 0); /* there was none before */
    now_ms += 400;
    CHECK_INT (look (1000), 400);
    now_ms += 400ull * 24 * 3600 * 1000;
    CHECK_INT (look (1000), 1000);
    now_ms -= 300ull * 24 * 3600 * 1000;
    CHECK_INT (look (1000), 0);
    now_ms += 10;
    CHECK_INT (look (1000), 10);
    four.pair.a->world = real;
    tear_down ();
}

static void silence_adds_up_over_restarts (void)
{
    uint64_t silent_ms = 0;
    CHECK (set_up ());
    const uint8_t *device = skr_device_key (skr_replica_device (four.pair.b));
    CHECK_OK (skr_replica_begin (four.pair.a));
    CHECK_OK (skr_silence_add (four.pair.a, device, 300, &silent_ms));
    CHECK_OK (skr_silence_add (four.pair.a, device, 200, &silent_ms));
    CHECK_INT (silent_ms, 500);
    CHECK_OK (skr_replica_commit (four.pair.a));
    skr_replica_close (&four.pair.a);
    CHECK_OK (skr_replica_open (&four.pair.a, four.pair.store_a, skr_world_real ()));
    CHECK_OK (skr_replica_begin (four.pair.a));
    CHECK_OK (skr_silence_add (four.pair.a, device, 100, &silent_ms));
    CHECK_INT (silent_ms, 600);
    CHECK_OK (skr_silence_end (four.pair.a, device));
    CHECK_OK (skr_silence_end (four.pair.a, device)); /* there is none any more */
    CHECK_OK (skr_silence_add (four.pair.a, device, 100, &silent_ms));
    CHECK_INT (silent_ms, 100);
    CHECK_OK (skr_replica_commit (four.pair.a));
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (what_it_wrote_comes_beside);
    RUN (void_changes_that_spread_count_once);
    RUN (two_fences);
    RUN (a_right_that_was_taken_stays_taken);
    RUN (the_admin_issues_what_it_had);
    RUN (the_device_hears_of_both_at_once);
    RUN (what_was_taken_before_is_not_vouched_for);
    RUN (a_copy_issues_nothing_of_before);
    RUN (what_came_again_comes_once);
    RUN (it_lasts);
    RUN (who_is_not_fenced);
    RUN (a_clock_that_jumps_counts_for_little);
    RUN (silence_adds_up_over_restarts);
    return CHECK_END ();
}
