/* Taking back what is void: three replicas of one mesh, A the founder. */

#include "peer/replica_internal.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <sodium.h>
#include <stdio.h>

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

static uint64_t seq_of (const skr_replica_t *holder, const skr_replica_t *writer)
{
    const skr_collection_t *collection = skr_replica_collection (holder, &shots);
    return collection ? skr_clock_get (&collection->clock, skr_replica_writer (writer)) : 0;
}

static bool same (const skr_replica_t *one, const skr_replica_t *other)
{
    const skr_collection_t *ours = skr_replica_collection (one, &shots);
    const skr_collection_t *theirs = skr_replica_collection (other, &shots);
    return ours && theirs && skr_clock_equal (&ours->clock, &theirs->clock)
           && skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint)
           && ours->documents == theirs->documents && ours->changes == theirs->changes;
}

typedef struct shown_t {
    int64_t values[16];
    size_t count;
} shown_t;

static saker_err_t note (const skr_leaf_t *leaf, void *argument)
{
    shown_t *shown = argument;
    if (leaf->value.type == SAKER_INT && shown->count < 16) {
        shown->values[shown->count++] = leaf->value.as.integer;
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

/* B writes 1 (A has it), then 2, which only the third has, who writes 3 over it. */
static void write_history (void)
{
    CHECK_OK (set (four.pair.b, "d", 1));
    CHECK_OK (pair_sync (four.pair.b, four.pair.a, &shots));
    CHECK_OK (set (four.pair.b, "d", 2));
    CHECK_OK (set (four.pair.b, "e", 22));
    CHECK_OK (pair_sync (four.pair.b, four.third, &shots));
    CHECK_OK (set (four.third, "d", 3));
    CHECK_OK (set (four.third, "f", 33));
}

static void what_is_void_is_taken_back (void)
{
    skr_replica_stats_t stats;
    CHECK (set_up ());
    write_history ();
    skr_id_t epoch = *skr_replica_epoch (four.third);
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_INT (seq_of (four.third, four.pair.b), 1);
    CHECK_INT (seq_of (four.third, four.third), 2);
    skr_replica_stats (four.third, &stats);
    CHECK_INT (stats.voided, 2);
    CHECK (!skr_id_equal (&epoch, skr_replica_epoch (four.third)));
    shown_t shown = show (four.third, "d");
    CHECK_INT (shown.count, 1);
    CHECK_INT (shown.values[0], 3);
    CHECK_INT (show (four.third, "e").count, 0);
    CHECK_INT (show (four.third, "f").values[0], 33);
    /* those who never had what is void agree, whoever delivers */
    CHECK_OK (pair_sync (four.third, four.pair.a, &shots));
    CHECK (same (four.pair.a, four.third));
    CHECK_OK (pair_sync (four.pair.a, four.fourth, &roster));
    CHECK_OK (pair_sync (four.pair.b, four.fourth, &shots));
    CHECK_INT (seq_of (four.fourth, four.pair.b), 1);
    CHECK_OK (pair_sync (four.third, four.fourth, &shots));
    CHECK (same (four.fourth, four.third));
    /* and so do those who start from it */
    CHECK_OK (set (four.third, "d", 4));
    CHECK_OK (pair_sync (four.third, four.fourth, &shots));
    CHECK_OK (pair_sync (four.third, four.pair.a, &shots));
    CHECK (same (four.fourth, four.third));
    CHECK (same (four.pair.a, four.third));
    tear_down ();
}

static void it_lasts (void)
{
    char store[120];
    skr_fingerprint_t before;
    CHECK (set_up ());
    write_history ();
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    before = skr_replica_collection (four.third, &shots)->fingerprint;
    snprintf (store, sizeof store, "%s/third", four.pair.folder);
    const skr_world_t *world = four.third->world;
    skr_replica_close (&four.third);
    CHECK_OK (skr_replica_open (&four.third, store, world));
    CHECK (
        skr_fingerprint_equal (&before, &skr_replica_collection (four.third, &shots)->fingerprint));
    CHECK_INT (seq_of (four.third, four.pair.b), 1);
    CHECK_OK (pair_sync (four.third, four.pair.a, &shots));
    CHECK (same (four.pair.a, four.third));
    tear_down ();
}

static void an_aborted_group_took_nothing_back (void)
{
    skr_clock_t nothing = {0};
    skr_buf_t changes = {0};
    size_t count = 0;
    bool more = false;
    skr_cbor_t cbor;
    CHECK (set_up ());
    write_history ();
    skr_fingerprint_t before = skr_replica_collection (four.third, &shots)->fingerprint;
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (skr_replica_pull (four.pair.a, &roster, &nothing, 1 << 20, &changes, &count, &more));
    CHECK_OK (skr_replica_begin (four.third));
    skr_cbor_open (&cbor, skr_span_of (&changes));
    for (size_t i = 0; i < count; i++) {
        skr_outcome_t outcome;
        CHECK_OK (skr_replica_offer (four.third, skr_cbor_get_bytes (&cbor), &outcome));
    }
    skr_replica_abort (four.third);
    CHECK_INT (seq_of (four.third, four.pair.b), 3);
    CHECK (
        skr_fingerprint_equal (&before, &skr_replica_collection (four.third, &shots)->fingerprint));
    CHECK_INT (show (four.third, "e").count, 1);
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_INT (seq_of (four.third, four.pair.b), 1);
    skr_buf_free (&changes);
    tear_down ();
}

static void who_was_revoked_keeps_its_own_and_writes_no_more (void)
{
    CHECK (set_up ());
    write_history ();
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_INT (seq_of (four.pair.b, four.pair.b), 1);
    CHECK_ERR (set (four.pair.b, "d", 9), SAKER_ERIGHT, "revoked");
    skr_replica_abort (four.pair.b);
    uint8_t key[40];
    skr_span_t kept;
    memcpy (key, shots.bytes, 16);
    memcpy (key + 16, skr_replica_writer (four.pair.b)->bytes, 16);
    for (uint64_t seq = 2; seq <= 3; seq++) {
        skr_put_u64 (key + 32, seq);
        CHECK_OK (skr_store_get (skr_replica_store (four.pair.b), SKR_COMMITTED, SKR_VOID,
                                 skr_span (key, sizeof key), &kept));
    }
    tear_down ();
}

static void who_gets_a_right_back_writes_as_another (void)
{
    CHECK (set_up ());
    write_history ();
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_ERR (set (four.pair.b, "d", 9), SAKER_ERIGHT, "only read");
    skr_replica_abort (four.pair.b);
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_WRITE));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    skr_id_t old = *skr_replica_writer (four.pair.b);
    CHECK_OK (set (four.pair.b, "d", 9));
    CHECK (!skr_id_equal (&old, skr_replica_writer (four.pair.b)));
    CHECK_INT (seq_of (four.pair.b, four.pair.b), 1);
    CHECK_OK (pair_sync (four.pair.b, four.pair.a, &roster));
    CHECK_OK (pair_sync (four.pair.b, four.pair.a, &shots));
    CHECK (same (four.pair.a, four.pair.b));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_OK (pair_sync (four.pair.a, four.third, &shots));
    CHECK_OK (pair_sync (four.third, four.pair.a, &shots));
    CHECK (same (four.pair.a, four.third));
    tear_down ();
}

static void an_operation_taken_back_can_be_asked_for_again (void)
{
    saker_receipt_t first, again;
    skr_buf_t path = {0}, value = {0};
    CHECK (set_up ());
    CHECK_OK (skr_path_from_pointer (&path, "/n"));
    skr_cbor_put_int (&value, 7);
    skr_intent_t intent = {.kind = SKR_INTENT_SET,
                           .document = skr_span_text ("d"),
                           .path = skr_span_of (&path),
                           .value = skr_span_of (&value)};
    skr_local_t local = {.collection = "shots",
                         .intents = &intent,
                         .count = 1,
                         .operation_id = skr_span_text ("once")};
    CHECK_OK (skr_replica_begin (four.pair.b));
    CHECK_OK (skr_replica_write (four.pair.b, &local, &first));
    CHECK_OK (skr_replica_commit (four.pair.b));
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_WRITE));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_INT (seq_of (four.pair.b, four.pair.b), 0);
    CHECK_OK (skr_replica_begin (four.pair.b));
    CHECK_OK (skr_replica_write (four.pair.b, &local, &again));
    CHECK_OK (skr_replica_commit (four.pair.b));
    CHECK (!again.repeated);
    CHECK_INT (again.seq, 1);
    CHECK (memcmp (first.writer, again.writer, 16) != 0);
    skr_buf_free (&path);
    skr_buf_free (&value);
    tear_down ();
}

static void keys_change_when_a_right_goes (void)
{
    uint8_t before[8], after[8], raw[32];
    CHECK (set_up ());
    CHECK_OK (skr_keyring_latest (skr_replica_keyring (four.third), &shots, before, raw));
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_OK (skr_keyring_latest (skr_replica_keyring (four.third), &shots, after, raw));
    CHECK (memcmp (before, after, 8) != 0);
    CHECK_ERR (skr_keyring_find (skr_replica_keyring (four.pair.b), &shots, after, raw),
               SAKER_ENOTFOUND, "no copy");
    CHECK_OK (skr_keyring_find (skr_replica_keyring (four.third), &shots, before, raw));
    tear_down ();
}

static void refusals_say_why (void)
{
    CHECK (set_up ());
    CHECK_ERR (pair_role (four.third, four.pair.b, SKR_ROLE_NONE), SAKER_ERIGHT, "only an admin");
    CHECK_ERR (pair_role (four.pair.a, four.pair.a, SKR_ROLE_READ), SAKER_EUSAGE, "its own rights");
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_ADMIN));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_ERR (pair_role (four.pair.b, four.pair.a, SKR_ROLE_NONE), SAKER_ERIGHT, "founded");
    CHECK_ERR (pair_role (four.pair.a, four.third, SKR_ROLE_WRITE), SAKER_EEXIST, "already");
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_NONE));
    CHECK_ERR (pair_role (four.pair.a, four.third, SKR_ROLE_NONE), SAKER_EEXIST, "revoked already");
    tear_down ();
}

static saker_err_t set_role_here (skr_replica_t *by, const skr_replica_t *whom, skr_role_t role)
{
    SKR_TRY (skr_replica_begin (by));
    SKR_TRY (skr_replica_set_role (by, skr_device_key (skr_replica_device (whom)), "shots", role));
    return skr_replica_commit (by);
}

static void a_collection_can_be_closed_alone (void)
{
    CHECK (set_up ());
    write_history ();
    CHECK_OK (set_role_here (four.pair.a, four.pair.b, SKR_ROLE_RELAY));
    CHECK_OK (pair_sync (four.pair.a, four.pair.b, &roster));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_ERR (set (four.pair.b, "d", 9), SAKER_ERIGHT, "only read");
    skr_replica_abort (four.pair.b);
    CHECK_OK (pair_set (four.pair.b, "notes", "d", 9));
    CHECK_INT (seq_of (four.third, four.pair.b), 1);
    CHECK_OK (set (four.third, "d", 5));
    CHECK_OK (pair_sync (four.third, four.pair.a, &shots));
    CHECK (same (four.third, four.pair.a));
    /* it has no key of what was written since */
    uint8_t id[8], raw[32];
    CHECK_OK (skr_keyring_latest (skr_replica_keyring (four.third), &shots, id, raw));
    CHECK_ERR (skr_keyring_find (skr_replica_keyring (four.pair.b), &shots, id, raw),
               SAKER_ENOTFOUND, "no copy");
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (what_is_void_is_taken_back);
    RUN (it_lasts);
    RUN (an_aborted_group_took_nothing_back);
    RUN (who_was_revoked_keeps_its_own_and_writes_no_more);
    RUN (who_gets_a_right_back_writes_as_another);
    RUN (an_operation_taken_back_can_be_asked_for_again);
    RUN (keys_change_when_a_right_goes);
    RUN (refusals_say_why);
    RUN (a_collection_can_be_closed_alone);
    return CHECK_END ();
}
