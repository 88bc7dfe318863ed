/* What of a roster counts: each case is a set of statements, added in many orders; the answers must
   be the same in all of them. */

#include "peer/roster.h"
#include "tests/check.h"
#include "tests/lib/people.h"

#include <sodium.h>

#define CHANGES_MAX 24
#define ORDERS 60

enum { FOUNDER, ALICE, BOB, CAROL, WENDY, PEOPLE };

static bool borrowed;                  /* other's device is that of one of the people */
static people_t people[PEOPLE], other; /* Wendy writes, the first four are admins */
static skr_id_t mesh;
static const skr_id_t everywhere;
static const skr_id_t first = {{0}}, last = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const skr_id_t shots = {{5}}, notes = {{9}};
static skr_buf_t changes[CHANGES_MAX];
static size_t changes_count;
static uint64_t hlc;
static skr_roster_t *roster;
static skr_role_t expected_in_shots;

static const uint8_t *key_of (const people_t *person)
{
    return skr_device_key (person->device);
}

static void make (people_t *by, const skr_buf_t *statements, size_t count)
{
    people_change (by, &mesh, ++hlc, statements, count, &changes[changes_count++]);
}

static void make_one (people_t *by, skr_buf_t *statement)
{
    make (by, statement, 1);
    skr_buf_free (statement);
}

static void found (void)
{
    uint8_t random[32];
    skr_buf_t statements[2] = {{0}, {0}};
    people_t *founder = &people[FOUNDER];
    randombytes_buf (random, sizeof random);
    skr_device_mesh (key_of (founder), random, &mesh);
    skr_statement_found (&statements[0], founder->device, random, "studio", "founder");
    skr_statement_incarnate (&statements[1], key_of (founder), founder->incarnation,
                             skr_span (NULL, 0));
    make (founder, statements, 2);
    skr_buf_free (&statements[0]);
    skr_buf_free (&statements[1]);
}

static void introduce (people_t *person, skr_span_t seen)
{
    skr_buf_t statement = {0};
    skr_statement_incarnate (&statement, key_of (person), person->incarnation, seen);
    make_one (person, &statement);
}

static void admit (people_t *by, people_t *person, const char *name, skr_role_t role)
{
    static const uint8_t ticket[32];
    skr_buf_t statement = {0};
    skr_member_t member = people_member (person, name, role);
    skr_statement_admit (&statement, &member, ticket);
    make_one (by, &statement);
}

static skr_dot_t last_dot (const people_t *person)
{
    return (skr_dot_t){person->writer, person->seq, 0};
}

static void put_seen (skr_buf_t *buf, const skr_dot_t *dot)
{
    skr_cbor_put_array (buf, dot ? 1 : 0);
    if (dot) {
        skr_cbor_put_array (buf, 3);
        skr_cbor_put_bytes (buf, dot->writer.bytes, 16);
        skr_cbor_put_uint (buf, dot->seq);
        skr_cbor_put_uint (buf, dot->index);
    }
}

/* What `by` states about a person: closed in the roster and in shots above these. */
static skr_dot_t close_at (people_t *by, const people_t *person, bool fence, skr_role_t role,
                           uint64_t roster_seq, uint64_t shots_seq, const skr_dot_t *seen)
{
    skr_buf_t statement = {0}, seen_bytes = {0};
    const skr_cutoff_t cutoffs[] = {{everywhere, person->writer, roster_seq},
                                    {shots, person->writer, shots_seq}};
    skr_closing_t closing = {
        .role = role, .cutoffs = cutoffs, .cutoffs_count = 2, .from = first, .to = last};
    put_seen (&seen_bytes, seen);
    closing.seen = skr_span_of (&seen_bytes);
    memcpy (closing.device, key_of (person), sizeof closing.device);
    if (fence) {
        skr_statement_fence (&statement, &closing);
    } else {
        skr_statement_role (&statement, &closing);
    }
    make_one (by, &statement);
    skr_buf_free (&seen_bytes);
    return last_dot (by);
}

static skr_dot_t state (people_t *by, const people_t *person, bool fence, skr_role_t role,
                        uint64_t roster_seq, const skr_dot_t *seen)
{
    return close_at (by, person, fence, role, roster_seq, 5, seen);
}

static skr_dot_t revoke (people_t *by, const people_t *person, uint64_t roster_seq)
{
    return state (by, person, false, SKR_ROLE_NONE, roster_seq, NULL);
}

static void set_up (void)
{
    static const char *const names[] = {"founder", "alice", "bob", "carol", "wendy"};
    changes_count = 0;
    hlc = 0;
    for (int i = 0; i < PEOPLE; i++) {
        people_make (&people[i]);
    }
    people_make (&other);
    found ();
    for (int i = 1; i < PEOPLE; i++) {
        admit (&people[FOUNDER], &people[i], names[i],
               i == WENDY ? SKR_ROLE_WRITE : SKR_ROLE_ADMIN);
        introduce (&people[i], skr_span (NULL, 0));
    }
}

/* `other` is the same device as another incarnation, not introduced yet. */
static void reincarnate (const people_t *person)
{
    skr_device_destroy (&other.device);
    other = *person;
    other.seq = 0;
    memset (other.prev, 0, sizeof other.prev);
    other.incarnation[0] ^= 1;
    skr_device_writer (key_of (&other), other.incarnation, &other.writer);
    borrowed = true;
}

static void tear_down (void)
{
    other.device = borrowed ? NULL : other.device;
    borrowed = false;
    skr_roster_destroy (&roster);
    for (int i = 0; i < PEOPLE; i++) {
        people_free (&people[i]);
    }
    people_free (&other);
    for (size_t i = 0; i < changes_count; i++) {
        skr_buf_free (&changes[i]);
    }
}

static saker_err_t add (const skr_buf_t *raw)
{
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (skr_change_parse (&change, skr_span_of (raw)));
    SKR_TRY (skr_content_parse (&content, change.sealed));
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < content.ops_count && error == SAKER_OK; i++) {
        skr_dot_t dot = {change.writer, change.seq, (uint32_t) i};
        error = skr_roster_add (roster, &dot, change.hlc, content.ops[i].argument);
    }
    skr_content_free (&content);
    return error;
}

static void shuffle (uint64_t *chance)
{
    for (size_t i = changes_count; i > 1; i--) {
        size_t k = (size_t) (check_random (chance) % i);
        skr_buf_t swapped = changes[i - 1];
        changes[i - 1] = changes[k];
        changes[k] = swapped;
    }
}

/* Runs a check on the roster of the same statements in many orders. */
static void in_all_orders (void (*look) (void))
{
    uint64_t chance = check_seed ();
    for (int i = 0; i < ORDERS && !check_bad; i++) {
        skr_roster_destroy (&roster);
        CHECK_OK (skr_roster_new (&roster, &mesh));
        for (size_t k = 0; k < changes_count; k++) {
            CHECK_OK (add (&changes[k]));
        }
        look ();
        shuffle (&chance);
    }
}

static skr_role_t role_of (const people_t *person)
{
    const skr_member_t *member = skr_roster_by_device (roster, key_of (person));
    return member ? member->role : SKR_ROLE_NONE;
}

static uint64_t limit_of (const people_t *person, const skr_id_t *collection)
{
    return skr_roster_limit (roster, &person->writer, collection);
}

/* ---- cases */

static void look_wendy_revoked (void)
{
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_NONE);
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK_INT (limit_of (&people[WENDY], &notes), 0);
    CHECK (limit_of (&people[ALICE], &notes) == UINT64_MAX);
    CHECK (!skr_roster_by_transport (roster, skr_device_transport_key (people[WENDY].device)));
    CHECK (skr_roster_by_writer (roster, &people[WENDY].writer) != NULL);
}

static void a_revoked_device_is_closed_at_its_cutoffs (void)
{
    set_up ();
    revoke (&people[ALICE], &people[WENDY], 1);
    in_all_orders (look_wendy_revoked);
    tear_down ();
}

static void look_wendy_back (void)
{
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_WRITE);
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK (skr_roster_limit (roster, &other.writer, &notes) == UINT64_MAX);
}

/* A device that got its right back writes under another writer; the old one stays closed. */
static void who_gets_a_right_back_writes_as_another (void)
{
    skr_buf_t seen = {0};
    set_up ();
    skr_dot_t loss = revoke (&people[ALICE], &people[WENDY], 1);
    state (&people[BOB], &people[WENDY], false, SKR_ROLE_WRITE, 1, &loss);
    reincarnate (&people[WENDY]);
    put_seen (&seen, &loss);
    introduce (&other, skr_span_of (&seen));
    in_all_orders (look_wendy_back);
    skr_buf_free (&seen);
    tear_down ();
}

static void look_hidden_writer (void)
{
    CHECK_INT (skr_roster_limit (roster, &other.writer, &shots), 0);
}

/* A writer that the admin did not know of, and that does not know of its end, is closed whole. */
static void a_hidden_writer_is_closed_whole (void)
{
    set_up ();
    revoke (&people[ALICE], &people[WENDY], 1);
    reincarnate (&people[WENDY]);
    introduce (&other, skr_span (NULL, 0));
    in_all_orders (look_hidden_writer);
    tear_down ();
}

static void look_both_out (void)
{
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[BOB]), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[CAROL]), SKR_ROLE_ADMIN);
}

static void two_admins_who_revoke_each_other_are_both_out (void)
{
    set_up ();
    revoke (&people[ALICE], &people[BOB], 1);
    revoke (&people[BOB], &people[ALICE], 1);
    in_all_orders (look_both_out);
    tear_down ();
}

static void look_ring (void)
{
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[BOB]), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[CAROL]), SKR_ROLE_NONE);
}

static void a_ring_of_three_is_out (void)
{
    set_up ();
    revoke (&people[ALICE], &people[BOB], 1);
    revoke (&people[BOB], &people[CAROL], 1);
    revoke (&people[CAROL], &people[ALICE], 1);
    in_all_orders (look_ring);
    tear_down ();
}

static void look_alice_stays (void)
{
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_ADMIN);
    CHECK_INT (role_of (&people[BOB]), SKR_ROLE_NONE);
}

static void who_is_revoked_revokes_nobody (void)
{
    set_up ();
    revoke (&people[FOUNDER], &people[BOB], 1);
    revoke (&people[BOB], &people[ALICE], 1);
    in_all_orders (look_alice_stays);
    tear_down ();
}

static void look_alice_out (void)
{
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[BOB]), SKR_ROLE_NONE);
}

static void what_was_stated_before_stands (void)
{
    set_up ();
    revoke (&people[BOB], &people[ALICE], 1);
    revoke (&people[FOUNDER], &people[BOB], people[BOB].seq);
    in_all_orders (look_alice_out);
    tear_down ();
}

static void look_other_is_nobody (void)
{
    CHECK_INT (role_of (&other), SKR_ROLE_NONE);
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_ADMIN);
    CHECK_INT (skr_roster_limit (roster, &other.writer, &shots), 0);
}

/* Bob, who was revoked, admits an admin, who revokes Alice: none of it counts. */
static void an_admission_by_who_was_revoked_is_void (void)
{
    set_up ();
    revoke (&people[FOUNDER], &people[BOB], 1);
    admit (&people[BOB], &other, "other", SKR_ROLE_ADMIN);
    introduce (&other, skr_span (NULL, 0));
    revoke (&other, &people[ALICE], 1);
    in_all_orders (look_other_is_nobody);
    tear_down ();
}

static void look_other_is_admin (void)
{
    CHECK_INT (role_of (&other), SKR_ROLE_ADMIN);
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_NONE);
}

static void an_earlier_admission_stands (void)
{
    set_up ();
    admit (&people[BOB], &other, "other", SKR_ROLE_ADMIN);
    introduce (&other, skr_span (NULL, 0));
    revoke (&people[FOUNDER], &people[BOB], people[BOB].seq);
    revoke (&other, &people[ALICE], 1);
    in_all_orders (look_other_is_admin);
    tear_down ();
}

static void look_keys (void)
{
    size_t counting = 0;
    for (size_t i = 0; i < skr_roster_keys (roster); i++) {
        counting += skr_roster_key_at (roster, i)->counts;
    }
    CHECK_INT (skr_roster_keys (roster), 2);
    CHECK_INT (counting, 1);
}

static void a_key_of_who_was_revoked_seals_nothing (void)
{
    uint8_t key[32] = {1};
    set_up ();
    skr_member_t member = people_member (&people[ALICE], "alice", SKR_ROLE_ADMIN);
    const skr_member_t *members[] = {&member};
    for (uint64_t generation = 1; generation <= 2; generation++) {
        skr_buf_t statement = {0};
        CHECK_OK (skr_statement_key (&statement, &everywhere, generation, key, members, 1));
        make_one (&people[BOB], &statement);
        key[0]++;
    }
    revoke (&people[FOUNDER], &people[BOB], people[BOB].seq - 1);
    in_all_orders (look_keys);
    tear_down ();
}

static void look_fenced (void)
{
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_WRITE);
    CHECK (skr_roster_is_fenced (roster, key_of (&people[WENDY])));
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK_INT (limit_of (&people[WENDY], &everywhere), 1);
}

static void look_stale (void)
{
    CHECK_INT (role_of (&people[BOB]), SKR_ROLE_ADMIN);
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_WRITE);
    CHECK_INT (role_of (&people[CAROL]), SKR_ROLE_NONE);
}

/* It may name less than all others have let go of. */
static void what_a_fenced_admin_stated_beyond_does_not_count (void)
{
    set_up ();
    (void) revoke (&people[ALICE], &people[CAROL], people[CAROL].seq);
    (void) state (&people[FOUNDER], &people[ALICE], true, SKR_ROLE_NONE, people[ALICE].seq, NULL);
    (void) revoke (&people[ALICE], &people[BOB], people[BOB].seq);
    (void) revoke (&people[ALICE], &people[WENDY], people[WENDY].seq);
    in_all_orders (look_stale);
    tear_down ();
}

static void look_returned (void)
{
    CHECK (!skr_roster_is_fenced (roster, key_of (&people[WENDY])));
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK (skr_roster_limit (roster, &other.writer, &shots) == UINT64_MAX);
}

static void a_fenced_device_stays_a_member_and_comes_back (void)
{
    skr_buf_t seen = {0};
    set_up ();
    skr_dot_t fence = state (&people[ALICE], &people[WENDY], true, SKR_ROLE_NONE, 1, NULL);
    in_all_orders (look_fenced);
    reincarnate (&people[WENDY]);
    put_seen (&seen, &fence);
    introduce (&other, skr_span_of (&seen));
    in_all_orders (look_returned);
    skr_buf_free (&seen);
    tear_down ();
}

/* ---- a device that was restored closes what it was before */

static void look_one_left (void)
{
    CHECK (!skr_roster_is_fenced (roster, key_of (&people[WENDY])));
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK_INT (limit_of (&people[WENDY], &notes), 0);
    CHECK (limit_of (&other, &shots) == UINT64_MAX);
    CHECK (limit_of (&other, &everywhere) == UINT64_MAX);
    CHECK (!skr_roster_doubled (roster, &shots));
    CHECK (skr_roster_writer_is_fenced (roster, &people[WENDY].writer));
    CHECK (!skr_roster_writer_is_fenced (roster, &other.writer));
}

static void a_device_closes_its_other_writers (void)
{
    set_up ();
    reincarnate (&people[WENDY]);
    introduce (&other, skr_span (NULL, 0));
    (void) state (&other, &people[WENDY], true, SKR_ROLE_NONE, 1, NULL);
    in_all_orders (look_one_left);
    tear_down ();
}

static void look_none_left (void)
{
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK_INT (limit_of (&other, &shots), 0);
    CHECK (!skr_roster_is_fenced (roster, key_of (&people[WENDY])));
}

/* Both stores thought that they were the only one: each takes another incarnation. */
static void two_that_close_each_other_are_both_closed (void)
{
    set_up ();
    reincarnate (&people[WENDY]);
    introduce (&other, skr_span (NULL, 0));
    (void) state (&other, &people[WENDY], true, SKR_ROLE_NONE, 1, NULL);
    (void) state (&people[WENDY], &people[WENDY], true, SKR_ROLE_NONE, 1, NULL);
    in_all_orders (look_none_left);
    tear_down ();
}

static void look_founder_is_one (void)
{
    CHECK_INT (limit_of (&people[FOUNDER], &shots), 5);
    CHECK_INT (limit_of (&people[FOUNDER], &everywhere), people[FOUNDER].seq - 2);
    CHECK (limit_of (&other, &everywhere) == UINT64_MAX);
    CHECK_INT (role_of (&people[FOUNDER]), SKR_ROLE_ADMIN);
    CHECK_INT (role_of (&people[ALICE]), SKR_ROLE_ADMIN); /* what the closed store took */
    CHECK_INT (role_of (&people[CAROL]), SKR_ROLE_NONE);  /* what the new one did */
    CHECK (limit_of (&people[WENDY], &shots) == UINT64_MAX);
}

/* A founder's, too; its old store, running on, takes no right and fences nobody any more. */
static void the_founder_closes_its_own (void)
{
    set_up ();
    reincarnate (&people[FOUNDER]);
    introduce (&other, skr_span (NULL, 0));
    (void) state (&other, &people[FOUNDER], true, SKR_ROLE_NONE, people[FOUNDER].seq, NULL);
    (void) revoke (&other, &people[CAROL], people[CAROL].seq);
    (void) revoke (&people[FOUNDER], &people[ALICE], people[ALICE].seq);
    (void) state (&people[FOUNDER], &people[WENDY], true, SKR_ROLE_NONE, 1, NULL);
    in_all_orders (look_founder_is_one);
    tear_down ();
}

static void look_said_before (void)
{
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_NONE);
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK_INT (skr_roster_forked_at (roster, &people[WENDY].writer, &shots), 0);
}

/* Who was revoked does not make void what it wrote before. */
static void what_a_revoked_device_says_of_itself_has_no_effect (void)
{
    skr_fork_settled_t fork = {.collection = shots, .seq = 2};
    skr_buf_t statement = {0};
    set_up ();
    fork.writer = people[WENDY].writer;
    (void) revoke (&people[ALICE], &people[WENDY], 1);
    skr_statement_fork (&statement, key_of (&people[WENDY]), &fork);
    make_one (&people[WENDY], &statement);
    reincarnate (&people[WENDY]);
    introduce (&other, skr_span (NULL, 0));
    (void) close_at (&other, &people[WENDY], true, SKR_ROLE_NONE, 1, 2, NULL);
    in_all_orders (look_said_before);
    tear_down ();
}

static void look_founder_stays (void)
{
    CHECK_INT (role_of (&people[FOUNDER]), SKR_ROLE_ADMIN);
    CHECK (limit_of (&people[FOUNDER], &everywhere) == UINT64_MAX);
    CHECK (limit_of (&people[FOUNDER], &shots) == UINT64_MAX);
}

/* A change is refused, in whatever order the others came. */
static void check_refused (const people_t *author, uint64_t seq, const char *words)
{
    skr_change_t change;
    skr_content_t content;
    bool found_it = false;
    for (size_t i = 0; i < changes_count; i++) {
        CHECK_OK (skr_change_parse (&change, skr_span_of (&changes[i])));
        if (skr_id_equal (&change.writer, &author->writer) && change.seq == seq) {
            CHECK_OK (skr_content_parse (&content, change.sealed));
            CHECK_ERR (skr_roster_check (roster, &change, &content), SAKER_ERIGHT, words);
            skr_content_free (&content);
            found_it = true;
        }
    }
    CHECK (found_it);
}

static void only_the_device_itself_or_an_admin_fences (void)
{
    set_up ();
    (void) state (&people[WENDY], &people[BOB], true, SKR_ROLE_NONE, 1, NULL);
    in_all_orders (look_founder_stays);
    check_refused (&people[WENDY], people[WENDY].seq, "only an admin");
    tear_down ();
}

static void the_founder_cannot_be_revoked (void)
{
    set_up ();
    revoke (&people[ALICE], &people[FOUNDER], 1);
    in_all_orders (look_founder_stays);
    check_refused (&people[ALICE], 2, "founder");
    tear_down ();
}

static void look_one_collection_limits (void)
{
    CHECK_INT (skr_roster_role (roster, key_of (&people[WENDY]), &shots), SKR_ROLE_READ);
    CHECK_INT (limit_of (&people[WENDY], &shots), 5);
    CHECK (limit_of (&people[WENDY], &notes) == UINT64_MAX);
}

static void look_one_collection (void)
{
    CHECK_INT (skr_roster_role (roster, key_of (&people[WENDY]), &notes), SKR_ROLE_WRITE);
    look_one_collection_limits ();
}

static void only_read_shots (void)
{
    skr_buf_t statement = {0};
    const skr_cutoff_t cutoff = {shots, people[WENDY].writer, 5};
    skr_closing_t closing = {.collection = shots,
                             .role = SKR_ROLE_READ,
                             .cutoffs = &cutoff,
                             .cutoffs_count = 1,
                             .from = shots,
                             .to = shots};
    memcpy (closing.device, key_of (&people[WENDY]), sizeof closing.device);
    skr_statement_role (&statement, &closing);
    make_one (&people[ALICE], &statement);
}

static void a_right_can_be_that_of_one_collection (void)
{
    set_up ();
    only_read_shots ();
    in_all_orders (look_one_collection);
    tear_down ();
}

/* Otherwise it would write, under ever new incarnations, what counts nowhere. */
static void look_admin_reads_shots (void)
{
    CHECK_INT (role_of (&people[WENDY]), SKR_ROLE_ADMIN);
    look_one_collection_limits ();
}

static void an_admin_has_its_role_in_a_collection (void)
{
    set_up ();
    only_read_shots ();
    state (&people[BOB], &people[WENDY], false, SKR_ROLE_ADMIN, 0, NULL);
    in_all_orders (look_admin_reads_shots);
    tear_down ();
}

/* ---- a right in one collection is worth nothing to who may read nothing of the mesh */

static void look_out_of_shots (void)
{
    CHECK_INT (skr_roster_role (roster, key_of (&people[WENDY]), &shots), expected_in_shots);
    CHECK_INT (skr_roster_limit (roster, &other.writer, &shots), 0);
}

static void lose_after_a_grant (skr_role_t role)
{
    skr_buf_t statement = {0}, seen = {0};
    set_up ();
    skr_closing_t grant = {.role = SKR_ROLE_WRITE, .collection = shots, .from = shots, .to = shots};
    put_seen (&seen, NULL);
    grant.seen = skr_span_of (&seen);
    memcpy (grant.device, key_of (&people[WENDY]), sizeof grant.device);
    skr_statement_role (&statement, &grant);
    make_one (&people[ALICE], &statement);
    skr_dot_t loss = state (&people[BOB], &people[WENDY], false, role, 1, NULL);
    reincarnate (&people[WENDY]);
    skr_buf_clear (&seen);
    put_seen (&seen, &loss);
    introduce (&other, skr_span_of (&seen));
    expected_in_shots = role;
    in_all_orders (look_out_of_shots);
    skr_buf_free (&seen);
    tear_down ();
}

static void who_was_revoked_does_not_write_by_an_older_grant (void)
{
    lose_after_a_grant (SKR_ROLE_NONE);
}

static void nor_does_a_relay (void)
{
    lose_after_a_grant (SKR_ROLE_RELAY);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (sodium_init () < 0) {
        return 1;
    }
    RUN (a_revoked_device_is_closed_at_its_cutoffs);
    RUN (who_gets_a_right_back_writes_as_another);
    RUN (a_hidden_writer_is_closed_whole);
    RUN (two_admins_who_revoke_each_other_are_both_out);
    RUN (a_ring_of_three_is_out);
    RUN (who_is_revoked_revokes_nobody);
    RUN (what_was_stated_before_stands);
    RUN (an_admission_by_who_was_revoked_is_void);
    RUN (an_earlier_admission_stands);
    RUN (a_key_of_who_was_revoked_seals_nothing);
    RUN (a_fenced_device_stays_a_member_and_comes_back);
    RUN (what_a_fenced_admin_stated_beyond_does_not_count);
    RUN (a_device_closes_its_other_writers);
    RUN (two_that_close_each_other_are_both_closed);
    RUN (the_founder_closes_its_own);
    RUN (what_a_revoked_device_says_of_itself_has_no_effect);
    RUN (only_the_device_itself_or_an_admin_fences);
    RUN (the_founder_cannot_be_revoked);
    RUN (a_right_can_be_that_of_one_collection);
    RUN (an_admin_has_its_role_in_a_collection);
    RUN (who_was_revoked_does_not_write_by_an_older_grant);
    RUN (nor_does_a_relay);
    return CHECK_END ();
}
