/* A relay keeps and hands on what it cannot read: A the founder, B writes, a third who writes, and
   the fourth, who may only relay. */

#include "peer/sealed.h"

#include "peer/cut.h"
#include "peer/replica_internal.h"
#include "peer/snapshot.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <stdio.h>
#include <unistd.h>

static four_t four;
static skr_id_t shots;
static char file[128];
static const skr_id_t roster;

static bool set_up (void)
{
    bool good = four_open (&four, "relay", SKR_ROLE_RELAY);
    skr_replica_collection_id (four.pair.a, "shots", &shots);
    (void) snprintf (file, sizeof file, "%s/snapshot", four.pair.folder);
    return good;
}

static void tear_down (void)
{
    (void) unlink (file);
    four_close (&four);
}

static saker_err_t give (skr_replica_t *from, skr_replica_t *to)
{
    SKR_TRY (pair_sync (from, to, &roster));
    return pair_sync (from, to, &shots);
}

static saker_err_t turn_all (skr_replica_t *replica)
{
    do {
        SKR_TRY (skr_sealed_turn (replica));
    } while (replica->sealed_version != replica->roster_version);
    return SAKER_OK;
}

static const skr_collection_t *at (const skr_replica_t *replica)
{
    return skr_replica_collection (replica, &shots);
}

static bool same (const skr_replica_t *one, const skr_replica_t *other)
{
    return skr_clock_equal (&at (one)->clock, &at (other)->clock)
           && skr_fingerprint_equal (&at (one)->fingerprint, &at (other)->fingerprint);
}

static saker_err_t count_cell (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    (void) document, (void) entry;
    ++*(size_t *) argument;
    return SAKER_OK;
}

/* The log, and nothing that can be read. */
static void check_sealed (skr_replica_t *replica)
{
    static const skr_fingerprint_t none;
    size_t cells = 0;
    const skr_collection_t *collection = at (replica);
    CHECK (collection && collection->sealed);
    CHECK_INT (collection->documents, 0);
    CHECK (skr_fingerprint_equal (&collection->fingerprint, &none));
    CHECK_OK (
        skr_cells_store_all (replica->cells, SKR_COMMITTED, collection->no, count_cell, &cells));
    CHECK_INT (cells, 0);
    CHECK_ERR (skr_sealed_check (collection), SAKER_ERIGHT, "may only relay");
}

static saker_err_t reopen (skr_replica_t **replica)
{
    char store[120];
    (void) snprintf (store, sizeof store, "%s", skr_store_folder (skr_replica_store (*replica)));
    skr_replica_close (replica);
    return skr_replica_open (replica, store, skr_world_real ());
}

static void keeps_and_hands_on (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (pair_set (four.pair.a, "shots", "e", 2));
    CHECK_OK (give (four.pair.a, four.fourth));
    check_sealed (four.fourth);
    CHECK_STR (at (four.fourth)->name, "");
    CHECK_INT (at (four.fourth)->changes, 2);
    CHECK_OK (reopen (&four.fourth));
    check_sealed (four.fourth);
    CHECK_OK (give (four.fourth, four.pair.b)); /* who never met A's data */
    CHECK (same (four.pair.a, four.pair.b));
    CHECK_ERR (pair_set (four.fourth, "shots", "d", 3), SAKER_ERIGHT, "");
    tear_down ();
}

/* All that a replica has of shots; to be freed. */
static saker_err_t pull (skr_replica_t *replica, skr_buf_t *changes, size_t *count)
{
    static const skr_clock_t nothing;
    bool more;
    return skr_replica_pull (replica, &shots, &nothing, 65536, changes, count, &more);
}

/* Byte by byte: whatever is changed of a change is refused, by what it checks without a key. */
static void takes_nothing_forged (void)
{
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count;
    skr_outcome_t outcome;
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (pull (four.pair.a, &changes, &count));
    skr_cbor_open (&cbor, skr_span_of (&changes));
    skr_span_t change = skr_cbor_get_bytes (&cbor);
    CHECK_OK (skr_replica_begin (four.fourth));
    for (size_t i = 0; i < change.size; i++) {
        uint8_t *byte = (uint8_t *) change.data + i;
        *byte ^= 1;
        CHECK_OK (skr_replica_offer (four.fourth, change, &outcome));
        CHECK (outcome != SKR_APPLIED);
        *byte ^= 1;
    }
    CHECK_OK (skr_replica_offer (four.fourth, change, &outcome));
    CHECK_INT (outcome, SKR_APPLIED);
    CHECK_OK (skr_replica_offer (four.fourth, change, &outcome));
    CHECK_INT (outcome, SKR_KNOWN);
    CHECK_OK (skr_replica_commit (four.fourth));
    skr_buf_free (&changes);
    tear_down ();
}

static void waits_for_what_comes_before (void)
{
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count;
    skr_outcome_t outcome;
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (give (four.pair.a, four.pair.b));
    CHECK_OK (pair_set (four.pair.b, "shots", "d", 2)); /* depends on A's */
    CHECK_OK (pull (four.pair.b, &changes, &count));
    CHECK_INT (count, 2);
    skr_cbor_open (&cbor, skr_span_of (&changes));
    skr_span_t first = skr_cbor_get_bytes (&cbor), second = skr_cbor_get_bytes (&cbor);
    CHECK_OK (skr_replica_begin (four.fourth));
    CHECK_OK (skr_replica_offer (four.fourth, second, &outcome));
    CHECK_INT (outcome, SKR_WAITING);
    CHECK_OK (skr_replica_offer (four.fourth, first, &outcome));
    CHECK_INT (outcome, SKR_APPLIED);
    CHECK_OK (skr_replica_commit (four.fourth));
    CHECK_INT (at (four.fourth)->changes, 2);
    skr_buf_free (&changes);
    tear_down ();
}

/* What a revoked device did above its cutoff goes, here as everywhere. */
static void lets_go_of_what_is_void (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.b, "shots", "d", 1));
    CHECK_OK (give (four.pair.b, four.pair.a));
    CHECK_OK (pair_set (four.pair.b, "shots", "d", 2));
    CHECK_OK (pair_set (four.third, "shots", "e", 3));
    CHECK_OK (give (four.pair.b, four.fourth));
    CHECK_OK (give (four.third, four.fourth));
    CHECK_INT (at (four.fourth)->changes, 3);
    CHECK_OK (pair_role (four.pair.a, four.pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (four.pair.a, four.fourth, &roster));
    CHECK_INT (at (four.fourth)->changes, 2);
    check_sealed (four.fourth);
    CHECK_OK (give (four.third, four.pair.a));
    CHECK (skr_clock_equal (&at (four.pair.a)->clock, &at (four.fourth)->clock));
    CHECK_OK (reopen (&four.fourth));
    CHECK_INT (at (four.fourth)->changes, 2);
    tear_down ();
}

static saker_err_t cut_all (skr_replica_t *replica)
{
    const skr_cut_terms_t terms = {.stable = &at (replica)->clock};
    skr_cut_slice_t slice;
    return skr_cut_some (replica, &shots, &terms, &slice);
}

/* Below a cut it takes the log alone, without a name and without an undo; who reads takes no such
   thing, and it hands out nothing that could be read. */
static void takes_a_sealed_snapshot (void)
{
    uint64_t size;
    uint8_t hash[32];
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 2));
    CHECK_OK (cut_all (four.pair.a));
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 3));
    CHECK_OK (skr_snapshot_make (four.pair.a, &shots, &(skr_extract_t){.sealed = true}, file, &size,
                                 hash));
    CHECK_ERR (skr_snapshot_take (four.pair.b, &shots, file), SAKER_EINPUT, "when it can be read");
    CHECK_OK (skr_snapshot_take (four.fourth, &shots, file));
    check_sealed (four.fourth);
    CHECK_INT (at (four.fourth)->changes, 3);
    CHECK_INT (skr_cut_entries (four.fourth, &shots), 1);
    CHECK_OK (unlink (file) == 0 ? SAKER_OK : SAKER_EIO);
    CHECK_ERR (skr_snapshot_make (four.fourth, &shots, &(skr_extract_t){0}, file, &size, hash),
               SAKER_ENOTFOUND, "only relays");
    CHECK_OK (skr_snapshot_make (four.pair.a, &shots, &(skr_extract_t){0}, file, &size, hash));
    CHECK_ERR (skr_snapshot_take (four.fourth, &shots, file), SAKER_EINPUT, "when it is sealed");
    CHECK_OK (reopen (&four.fourth));
    check_sealed (four.fourth);

    /* it goes on from there */
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 4));
    CHECK_OK (give (four.pair.a, four.fourth));
    CHECK_INT (at (four.fourth)->changes, 4);
    tear_down ();
}

/* The right to read is taken: what could be read goes, the log stays, and can be handed on. */
static void who_may_only_relay_from_now_on_keeps_the_log (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.pair.a, "shots", "d", 1));
    CHECK_OK (give (four.pair.a, four.third));
    CHECK_OK (pair_set (four.third, "shots", "e", 2));
    CHECK_OK (give (four.third, four.pair.a));
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_RELAY));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK (!at (four.third)->sealed);
    CHECK_OK (turn_all (four.third));
    check_sealed (four.third);
    CHECK_INT (at (four.third)->changes, 2);
    CHECK_OK (reopen (&four.third));
    check_sealed (four.third);
    CHECK_OK (give (four.third, four.pair.b));
    CHECK (same (four.pair.a, four.pair.b));
    tear_down ();
}

/* And is given: it begins anew, and never gives one of its numbers again. */
static void who_may_read_again_gets_it_anew (void)
{
    CHECK (set_up ());
    CHECK_OK (pair_set (four.third, "shots", "e", 1));
    CHECK_OK (give (four.third, four.pair.a));
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_RELAY));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    CHECK_OK (turn_all (four.third));
    check_sealed (four.third);
    skr_id_t writer = *skr_replica_writer (four.third);
    CHECK_OK (pair_role (four.pair.a, four.third, SKR_ROLE_WRITE));
    CHECK_OK (pair_sync (four.pair.a, four.third, &roster));
    /* not into what is about to go */
    CHECK_ERR (pair_set (four.third, "shots", "f", 3), SAKER_EBUSY, "try again");
    CHECK_OK (turn_all (four.third));
    CHECK (!at (four.third)->sealed);
    CHECK_INT (at (four.third)->changes, 0);
    CHECK (!skr_id_equal (&writer, skr_replica_writer (four.third)));
    CHECK_OK (give (four.pair.a, four.third));
    CHECK (same (four.pair.a, four.third));
    CHECK_OK (pair_set (four.third, "shots", "e", 2));
    CHECK_OK (give (four.third, four.pair.a));
    CHECK (same (four.pair.a, four.third));
    tear_down ();
}

/* It is not asked what it has stored. */
static void nobody_waits_for_it (void)
{
    CHECK (set_up ());
    const skr_roster_t *people = skr_replica_roster (four.pair.a);
    const uint8_t *relay = skr_device_key (skr_replica_device (four.fourth));
    const uint8_t *writer = skr_device_key (skr_replica_device (four.pair.b));
    CHECK (!skr_roster_counts (people, skr_roster_by_device (people, relay), &shots));
    CHECK (skr_roster_counts (people, skr_roster_by_device (people, writer), &shots));
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (keeps_and_hands_on);
    RUN (takes_nothing_forged);
    RUN (waits_for_what_comes_before);
    RUN (lets_go_of_what_is_void);
    RUN (takes_a_sealed_snapshot);
    RUN (who_may_only_relay_from_now_on_keeps_the_log);
    RUN (who_may_read_again_gets_it_anew);
    RUN (nobody_waits_for_it);
    return CHECK_END ();
}
