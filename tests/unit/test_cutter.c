/* The cutter of one peer of two: what the other reports decides, with time and size; and the plan
   names what holds the log. */

#include "peer/cutter.h"
#include "peer/replica_internal.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"

#include <stdio.h>

static pair_t pair;
static fake_neighbours_t fake;
static skr_cutter_t *cutter;
static uint64_t mono_ms, ahead_ms; /* of the real wall clock */

static uint64_t tell_wall (void *context)
{
    (void) context;
    return skr_world_real ()->wall_ms (NULL) + ahead_ms;
}

static uint64_t tell_mono (void *context)
{
    (void) context;
    return mono_ms;
}

static const skr_world_t world = {NULL, tell_wall, tell_mono, NULL, NULL, NULL};

static bool set_up (void)
{
    mono_ms = 1000;
    ahead_ms = 0;
    if (!pair_open (&pair)) {
        return false;
    }
    fake_neighbours_init (&fake, pair.a, pair.b, &world);
    skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    return skr_cutter_new (&cutter, pair.a, &neighbours, &world) == SAKER_OK;
}

static void tear_down (void)
{
    skr_cutter_destroy (&cutter);
    pair_close (&pair);
}

static const skr_collection_t *collection (const char *name)
{
    const skr_collection_t *found = NULL;
    if (skr_replica_collection_named (pair.a, name, &found) != SAKER_OK || !found) {
        abort ();
    }
    return found;
}

static uint64_t entries (const char *name)
{
    return skr_cut_entries (pair.a, &collection (name)->id);
}

static skr_intent_kind_t kind = SKR_INTENT_SET;

/* In one group. */
static saker_err_t write_many (const char *name, int count)
{
    skr_buf_t path = {0}, value = {0};
    SKR_TRY (skr_path_from_pointer (&path, "/n"));
    skr_cbor_put_int (&value, 7);
    const skr_intent_t intent = {kind, skr_span_text ("d"), skr_span_of (&path),
                                 skr_span_of (&value)};
    const skr_local_t local = {.collection = name, .intents = &intent, .count = 1};
    saker_err_t error = skr_replica_begin (pair.a);
    for (int i = 0; i < count && error == SAKER_OK; i++) {
        saker_receipt_t receipt;
        error = skr_replica_write (pair.a, &local, &receipt);
    }
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error == SAKER_OK ? skr_replica_commit (pair.a) : error;
}

/* Looks at everything once. */
static saker_err_t look (void)
{
    skr_cutter_hurry (cutter);
    while (skr_cutter_busy (cutter)) {
        SKR_TRY (skr_cutter_turn (cutter));
    }
    return SAKER_OK;
}

static void cuts_what_the_other_has_stored (void)
{
    skr_cutter_stats_t stats;
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    CHECK_OK (write_many ("shots", 5));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 5); /* it reported nothing of it */
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (write_many ("shots", 2));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 2);
    fake.told = false; /* what was told once counts for good */
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 2);
    fake.told = true;
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 0);
    skr_cutter_stats (cutter, &stats);
    CHECK_INT (stats.entries, 7);
    CHECK_INT (stats.log_bytes, 0);
    tear_down ();
}

/* What is beyond the snapshot that comes is applied after it, from the log. */
static void nothing_goes_while_more_is_fetched (void)
{
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    CHECK_OK (write_many ("shots", 5));
    CHECK_OK (fake_neighbours_sync (&fake));
    skr_held_t *held = skr_holdings_find (pair.a, &collection ("shots")->id);
    skr_part_nothing (&held->partial.carried); /* and all is wanted */
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 5);
    skr_part_free (&held->partial.carried);
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 0);
    tear_down ();
}

static void looks_when_it_is_time (void)
{
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    CHECK_OK (write_many ("shots", 3));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (skr_cutter_turn (cutter));
    CHECK_INT (entries ("shots"), 3);
    CHECK_INT (skr_cutter_deadline_ms (cutter), mono_ms + SKR_CUT_EVERY_MS);
    mono_ms += SKR_CUT_EVERY_MS;
    CHECK_OK (skr_cutter_turn (cutter));
    CHECK_INT (entries ("shots"), 0);
    CHECK_OK (skr_cutter_turn (cutter)); /* the end of that look */
    CHECK_INT (skr_cutter_deadline_ms (cutter), mono_ms + SKR_CUT_EVERY_MS);
    tear_down ();
}

static void history_is_kept_for_its_time (void)
{
    CHECK (set_up ());
    CHECK_OK (write_many ("shots", 3));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 3);
    ahead_ms = SKR_HISTORY_MS_DEFAULT - 60000;
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 3);
    ahead_ms = SKR_HISTORY_MS_DEFAULT + 1;
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 0);
    tear_down ();
}

/* A log that is too large loses what is oldest in it, of whatever collection, but nothing that the
   other has not stored. */
static void size_takes_the_oldest (void)
{
    skr_cutter_stats_t stats;
    CHECK (set_up ());
    CHECK_OK (write_many ("old", 3000));
    CHECK_OK (write_many ("middle", 3000));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (write_many ("young", 3000));
    CHECK_OK (look ());
    skr_cutter_stats (cutter, &stats);
    uint64_t a_third = stats.log_bytes / 3;
    skr_cutter_configure (cutter, SKR_HISTORY_MS_DEFAULT, stats.log_bytes - a_third / 2, false);
    CHECK_OK (look ());
    CHECK_OK (look ());
    CHECK (entries ("old") < 3000);
    CHECK_INT (entries ("middle"), 3000);
    CHECK_INT (entries ("young"), 3000);
    skr_cutter_configure (cutter, SKR_HISTORY_MS_DEFAULT, a_third / 2, false);
    for (int i = 0; i < 6; i++) {
        CHECK_OK (look ());
    }
    CHECK_INT (entries ("old"), 0);
    CHECK_INT (entries ("middle"), 0);
    CHECK_INT (entries ("young"), 3000);
    CHECK_OK (fake_neighbours_sync (&fake));
    for (int i = 0; i < 3; i++) {
        CHECK_OK (look ());
    }
    CHECK (collection ("young")->log_bytes <= a_third / 2);
    CHECK (entries ("young") > 0);
    tear_down ();
}

static void the_plan_names_who_holds (void)
{
    skr_cut_plan_t plan;
    CHECK (set_up ());
    CHECK_OK (write_many ("shots", 4));
    CHECK_OK (skr_cutter_plan (cutter, collection ("shots"), &plan));
    CHECK_INT (plan.entries, 4);
    CHECK_INT (plan.going_entries, 0);
    CHECK_INT (plan.end, SKR_CUT_UNSTABLE);
    CHECK_INT (plan.holders_count, 1);
    CHECK_STR (plan.holders[0].member->name, "beta");
    CHECK_INT (plan.holders[0].verdict, SKR_VERDICT_UNHEARD);
    CHECK_INT (plan.holders[0].missing, 4);
    CHECK_INT (plan.holders[0].since_ms, 0);
    CHECK_INT (plan.holders[0].bytes, plan.bytes);
    free (plan.holders);

    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (write_many ("shots", 3));
    CHECK_OK (skr_cutter_plan (cutter, collection ("shots"), &plan));
    CHECK_INT (plan.end, SKR_CUT_YOUNG);
    CHECK_INT (plan.holders_count, 1);
    CHECK_INT (plan.holders[0].verdict, SKR_VERDICT_COUNTS);
    CHECK_INT (plan.holders[0].missing, 3);
    CHECK_INT (plan.holders[0].entries, 3);
    CHECK (plan.holders[0].since_ms > 0);
    CHECK (plan.holders[0].bytes > 0 && plan.holders[0].bytes < plan.bytes);
    free (plan.holders);

    skr_cutter_configure (cutter, 0, 0, true);
    CHECK_OK (skr_cutter_plan (cutter, collection ("shots"), &plan));
    CHECK_INT (plan.going_entries, 4);
    CHECK_INT (plan.end, SKR_CUT_UNSTABLE);
    CHECK_INT (plan.going_bytes + plan.holders[0].bytes, plan.bytes);
    free (plan.holders);
    CHECK_INT (entries ("shots"), 7); /* a plan changes nothing */
    tear_down ();
}

/* Another admin closed a member at changes that never come: nothing is cut until it is stated
   again, at what is here. */
static void a_member_closed_elsewhere_holds_it (void)
{
    static const skr_id_t roster;
    skr_replica_t *gamma = NULL;
    skr_cut_plan_t plan;
    char store[128];
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    snprintf (store, sizeof store, "%s/c", pair.folder);
    CHECK (pair_adopt (pair.a, store, "gamma", SKR_ROLE_WRITE, &gamma));
    CHECK_OK (pair_role (pair.a, pair.b, SKR_ROLE_ADMIN));
    CHECK_OK (pair_sync (pair.a, pair.b, &roster));
    CHECK_OK (write_many ("shots", 3));
    CHECK_OK (fake_neighbours_sync (&fake));
    const skr_id_t shots = collection ("shots")->id;
    CHECK_OK (pair_set (gamma, "shots", "g", 1));
    CHECK_OK (pair_set (gamma, "shots", "g", 2));
    CHECK_OK (pair_sync (gamma, pair.b, &shots));
    CHECK_OK (pair_role (pair.b, gamma, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (pair.b, pair.a, &roster));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 3);
    CHECK_OK (skr_cutter_plan (cutter, collection ("shots"), &plan));
    CHECK_INT (plan.going_entries, 0);
    bool named = false;
    for (size_t i = 0; i < plan.holders_count; i++) {
        named |= plan.holders[i].verdict == SKR_VERDICT_CLOSED && plan.holders[i].missing == 2
                 && strcmp (plan.holders[i].member->name, "gamma") == 0;
    }
    CHECK (named);
    free (plan.holders);
    CHECK_OK (pair_role (pair.a, gamma, SKR_ROLE_NONE));
    CHECK_OK (pair_sync (pair.a, pair.b, &roster));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 0);
    skr_replica_close (&gamma);
    tear_down ();
}

static saker_err_t count_entry (const skr_entry_t *entry, void *argument)
{
    (void) entry;
    ++*(size_t *) argument;
    return SAKER_OK;
}

static size_t live_entries (const char *name)
{
    size_t count = 0;
    const skr_cells_t *cells = skr_cells_store_committed (pair.a->cells, collection (name)->no);
    if (cells->scan (cells->context, skr_span_text ("d"), skr_span (NULL, 0), count_entry, &count)
        != SAKER_OK) {
        abort ();
    }
    skr_store_forget (pair.a->store);
    return count;
}

/* Folding waits until the other has cut the same, too. */
static void folds_what_both_have_cut (void)
{
    skr_cut_slice_t slice;
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    kind = SKR_INTENT_INCR;
    for (int i = 0; i < 2; i++) {
        CHECK_OK (write_many ("sums", 50));
        CHECK_OK (fake_neighbours_sync (&fake));
        CHECK_OK (look ());
        CHECK_INT (entries ("sums"), 0);
        CHECK_INT (live_entries ("sums"), 50 * (i + 1));
    }
    skr_id_t id = collection ("sums")->id;
    const skr_cut_terms_t terms = {.stable = &skr_replica_collection (pair.b, &id)->clock,
                                   .wall_ms = tell_wall (NULL)};
    CHECK_OK (skr_cut_some (pair.b, &id, &terms, &slice));
    CHECK_INT (slice.entries, 100);
    skr_fingerprint_t theirs = skr_replica_collection (pair.b, &id)->fingerprint;
    CHECK (skr_fingerprint_equal (&theirs, &collection ("sums")->fingerprint));
    CHECK_OK (write_many ("sums", 1));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (look ());
    CHECK_INT (live_entries ("sums"), 2);
    theirs = skr_replica_collection (pair.b, &id)->fingerprint;
    CHECK (skr_fingerprint_equal (&theirs, &collection ("sums")->fingerprint));
    kind = SKR_INTENT_SET;
    tear_down ();
}

static void a_report_waits_for_what_its_member_made (void)
{
    skr_cut_plan_t plan;
    CHECK (set_up ());
    skr_cutter_configure (cutter, 0, 0, true);
    CHECK_OK (write_many ("shots", 4));
    CHECK_OK (fake_neighbours_sync (&fake));
    CHECK_OK (pair_set (pair.b, "shots", "d", 99));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 4);
    CHECK_OK (skr_cutter_plan (cutter, collection ("shots"), &plan));
    CHECK_INT (plan.holders_count, 1);
    CHECK_INT (plan.holders[0].verdict, SKR_VERDICT_OWN);
    free (plan.holders);
    CHECK_OK (pair_sync (pair.b, pair.a, &collection ("shots")->id));
    CHECK_OK (look ());
    CHECK_INT (entries ("shots"), 0);
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (cuts_what_the_other_has_stored);
    RUN (nothing_goes_while_more_is_fetched);
    RUN (looks_when_it_is_time);
    RUN (history_is_kept_for_its_time);
    RUN (size_takes_the_oldest);
    RUN (the_plan_names_who_holds);
    RUN (a_member_closed_elsewhere_holds_it);
    RUN (folds_what_both_have_cut);
    RUN (a_report_waits_for_what_its_member_made);
    return CHECK_END ();
}
