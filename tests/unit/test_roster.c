#include "peer/roster.h"
#include "tests/check.h"
#include "tests/lib/people.h"

#include <sodium.h>

/* A founder and two others, with the changes that make them a mesh. */
static people_t founder, second, third;
static skr_id_t mesh;
static uint8_t ticket[32];
static skr_buf_t found_change, admit_change, second_change, third_change;

static void found_mesh (void)
{
    uint8_t random[32], key[32];
    skr_buf_t statements[3] = {{0}, {0}, {0}};
    skr_member_t member = people_member (&founder, "alpha", SKR_ROLE_ADMIN);
    const skr_member_t *members[] = {&member};
    static const skr_id_t all;
    randombytes_buf (random, sizeof random);
    randombytes_buf (key, sizeof key);
    skr_device_mesh (skr_device_key (founder.device), random, &mesh);
    skr_statement_found (&statements[0], founder.device, random, "studio", "alpha");
    skr_statement_incarnate (&statements[1], member.device, founder.incarnation,
                             skr_span (NULL, 0));
    if (skr_statement_key (&statements[2], &all, 0, key, members, 1) != SAKER_OK) {
        exit (1);
    }
    people_change (&founder, &mesh, 10, statements, 3, &found_change);
    for (int i = 0; i < 3; i++) {
        skr_buf_free (&statements[i]);
    }
}

static void admit (people_t *by, uint64_t hlc, const skr_member_t *member, skr_buf_t *change)
{
    skr_buf_t statement = {0};
    skr_statement_admit (&statement, member, ticket);
    people_change (by, &mesh, hlc, &statement, 1, change);
    skr_buf_free (&statement);
}

static void introduce (people_t *self, uint64_t hlc, skr_buf_t *change)
{
    skr_buf_t statement = {0};
    skr_statement_incarnate (&statement, skr_device_key (self->device), self->incarnation,
                             skr_span (NULL, 0));
    people_change (self, &mesh, hlc, &statement, 1, change);
    skr_buf_free (&statement);
}

static void set_up (void)
{
    people_make (&founder);
    people_make (&second);
    people_make (&third);
    found_mesh ();
    skr_member_t member = people_member (&second, "beta", SKR_ROLE_WRITE);
    admit (&founder, 20, &member, &admit_change);
    introduce (&second, 30, &second_change);
    introduce (&third, 30, &third_change);
}

static saker_err_t check (const skr_roster_t *roster, const skr_buf_t *raw)
{
    skr_change_t change;
    skr_content_t content;
    SKR_TRY (skr_change_parse (&change, skr_span_of (raw)));
    SKR_TRY (skr_content_parse (&content, change.sealed));
    saker_err_t error = skr_roster_check (roster, &change, &content);
    skr_content_free (&content);
    return error;
}

static saker_err_t add (skr_roster_t *roster, const skr_buf_t *raw)
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

static void grows_from_its_founder (void)
{
    skr_roster_t *roster = NULL;
    const skr_member_t *member;
    skr_id_t writers[4];
    CHECK_OK (skr_roster_new (&roster, &mesh));
    CHECK_ERR (check (roster, &admit_change), SAKER_EWAIT, "introduced");
    CHECK_ERR (check (roster, &second_change), SAKER_EWAIT, "not a member yet");
    CHECK_OK (check (roster, &found_change));
    CHECK_OK (add (roster, &found_change));
    CHECK_STR (skr_roster_mesh_name (roster), "studio");
    CHECK_INT (skr_roster_keys (roster), 1);
    CHECK_OK (check (roster, &admit_change));
    CHECK_OK (add (roster, &admit_change));
    CHECK (skr_roster_by_writer (roster, &second.writer) == NULL);
    CHECK_OK (check (roster, &second_change));
    CHECK_OK (add (roster, &second_change));
    member = skr_roster_by_writer (roster, &second.writer);
    CHECK (member != NULL);
    CHECK_STR (member->name, "beta");
    CHECK_INT (member->role, SKR_ROLE_WRITE);
    CHECK (skr_roster_by_transport (roster, skr_device_transport_key (second.device)) == member);
    CHECK_INT (skr_roster_writers (roster, skr_device_key (second.device), writers, 4), 1);
    CHECK (skr_id_equal (&writers[0], &second.writer));
    CHECK_ERR (check (roster, &third_change), SAKER_EWAIT, "not a member yet");
    skr_roster_destroy (&roster);
}

static void any_order_gives_the_same (void)
{
    const skr_buf_t *orders[][3] = {{&second_change, &admit_change, &found_change},
                                    {&admit_change, &found_change, &second_change},
                                    {&second_change, &found_change, &admit_change}};
    for (size_t i = 0; i < 3; i++) {
        skr_roster_t *roster = NULL;
        CHECK_OK (skr_roster_new (&roster, &mesh));
        for (size_t j = 0; j < 3; j++) {
            CHECK_OK (add (roster, orders[i][j]));
        }
        CHECK_INT (skr_roster_count (roster), 2);
        CHECK_STR (skr_roster_by_writer (roster, &second.writer)->name, "beta");
        CHECK_STR (skr_roster_by_writer (roster, &founder.writer)->name, "alpha");
        CHECK_INT (skr_roster_by_writer (roster, &founder.writer)->role, SKR_ROLE_ADMIN);
        CHECK (memcmp (skr_roster_at (roster, 0)->device, skr_roster_at (roster, 1)->device, 32)
               < 0);
        skr_roster_destroy (&roster);
    }
}

static void grown (skr_roster_t **roster)
{
    if (skr_roster_new (roster, &mesh) != SAKER_OK || add (*roster, &found_change) != SAKER_OK
        || add (*roster, &admit_change) != SAKER_OK || add (*roster, &second_change) != SAKER_OK) {
        exit (1);
    }
}

static void only_admins_admit (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t change = {0};
    people_t writer = second;
    skr_member_t member = people_member (&third, "gamma", SKR_ROLE_READ);
    grown (&roster);
    admit (&writer, 40, &member, &change);
    CHECK_ERR (check (roster, &change), SAKER_ERIGHT, "only an admin admits");
    skr_buf_free (&change);
    member = people_member (&second, "beta", SKR_ROLE_ADMIN);
    writer = second;
    admit (&writer, 40, &member, &change);
    CHECK_ERR (check (roster, &change), SAKER_ERIGHT, "only an admin admits");
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void roles_only_rise (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t change = {0};
    people_t admin = founder;
    grown (&roster);
    skr_member_t member = people_member (&second, "renamed", SKR_ROLE_READ);
    admit (&admin, 50, &member, &change);
    CHECK_OK (check (roster, &change));
    CHECK_OK (add (roster, &change));
    CHECK_STR (skr_roster_by_writer (roster, &second.writer)->name, "renamed");
    CHECK_INT (skr_roster_by_writer (roster, &second.writer)->role, SKR_ROLE_WRITE);
    skr_buf_clear (&change);
    member = people_member (&founder, "usurped", SKR_ROLE_READ);
    admit (&admin, 60, &member, &change);
    CHECK_OK (add (roster, &change));
    CHECK_STR (skr_roster_by_writer (roster, &founder.writer)->name, "alpha");
    CHECK_INT (skr_roster_by_writer (roster, &founder.writer)->role, SKR_ROLE_ADMIN);
    skr_buf_clear (&change);
    admit (&admin, UINT64_MAX, &member, &change); /* however late it says it is */
    CHECK_OK (add (roster, &change));
    CHECK_STR (skr_roster_by_writer (roster, &founder.writer)->name, "alpha");
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void nobody_founds_another_mesh (void)
{
    skr_roster_t *roster = NULL;
    skr_id_t other = mesh;
    other.bytes[0] ^= 1;
    CHECK_OK (skr_roster_new (&roster, &other));
    CHECK_ERR (check (roster, &found_change), SAKER_EWAIT, "not a member");
    skr_roster_destroy (&roster);
}

static void forged_changes_are_refused (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t forged = {0};
    CHECK_OK (skr_roster_new (&roster, &mesh));
    skr_buf_append_span (&forged, skr_span_of (&found_change));
    forged.data[forged.size - 1] ^= 1;
    CHECK_ERR (check (roster, &forged), SAKER_EFORGED, "signature");
    skr_buf_free (&forged);
    skr_roster_destroy (&roster);
}

static void a_device_introduces_itself_only (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t statement = {0}, change = {0};
    people_t liar = third;
    uint8_t incarnation[16] = {1};
    liar.seq = 0;
    memset (liar.prev, 0, sizeof liar.prev);
    grown (&roster);
    skr_statement_incarnate (&statement, skr_device_key (second.device), incarnation,
                             skr_span (NULL, 0));
    people_change (&liar, &mesh, 70, &statement, 1, &change);
    CHECK_ERR (check (roster, &change), SAKER_EINPUT, "not introduced");
    skr_buf_clear (&change);
    liar.writer = second.writer; /* signed by another device than the writer's */
    liar.seq = 1;
    people_change (&liar, &mesh, 70, &statement, 1, &change);
    CHECK_ERR (check (roster, &change), SAKER_EFORGED, "signature");
    skr_buf_free (&statement);
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void unknown_statements_are_kept (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t statement = {0}, change = {0};
    people_t writer = second;
    grown (&roster);
    skr_cbor_put_map (&statement, 2);
    skr_cbor_put_uint (&statement, 0);
    skr_cbor_put_uint (&statement, 99);
    skr_cbor_put_uint (&statement, 1);
    skr_cbor_put_null (&statement);
    people_change (&writer, &mesh, 80, &statement, 1, &change);
    CHECK_OK (check (roster, &change));
    CHECK_OK (add (roster, &change));
    CHECK_INT (skr_roster_count (roster), 2);
    skr_buf_free (&statement);
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void state_fork (people_t *by, const people_t *of, const skr_fork_settled_t *fork,
                        skr_buf_t *change)
{
    skr_buf_t statement = {0};
    skr_buf_clear (change);
    skr_statement_fork (&statement, skr_device_key (of->device), fork);
    people_change (by, &mesh, 90, &statement, 1, change);
    skr_buf_free (&statement);
}

static void a_device_settles_its_own_forks_only (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t change = {0};
    skr_fork_settled_t fork = {.collection = {{5}}, .writer = second.writer, .seq = 7, .hash = {1}};
    people_t writer = second, other = founder;
    grown (&roster);
    state_fork (&other, &founder, &fork, &change);
    CHECK_ERR (check (roster, &change), SAKER_ERIGHT, "its own writers only");
    other = founder;
    state_fork (&other, &second, &fork, &change);
    CHECK_ERR (check (roster, &change), SAKER_ERIGHT, "its own writers only");
    fork.writer.bytes[0] ^= 1;
    state_fork (&writer, &second, &fork, &change);
    CHECK_ERR (check (roster, &change), SAKER_EWAIT, "not introduced");
    fork.writer = second.writer;
    fork.collection = (skr_id_t){{0}};
    writer = second;
    state_fork (&writer, &second, &fork, &change);
    CHECK_ERR (check (roster, &change), SAKER_EINPUT, "not a fork");
    fork.collection.bytes[0] = 5;
    fork.upto = 6; /* ends before it begins */
    writer = second;
    state_fork (&writer, &second, &fork, &change);
    CHECK_ERR (check (roster, &change), SAKER_EINPUT, "not a fork");

    fork.upto = 9;
    writer = second;
    state_fork (&writer, &second, &fork, &change);
    CHECK_OK (check (roster, &change));
    CHECK (skr_roster_limit (roster, &second.writer, &fork.collection) == UINT64_MAX);
    uint64_t closings = skr_roster_closings (roster);
    CHECK_OK (add (roster, &change));
    CHECK (skr_roster_closings (roster) != closings);
    CHECK_INT (skr_roster_limit (roster, &second.writer, &fork.collection), 6);
    CHECK_INT (skr_roster_forked_at (roster, &second.writer, &fork.collection), 7);
    CHECK (skr_roster_adopts (roster, &fork.collection, &second.writer, 9, fork.hash));
    CHECK (!skr_roster_adopts (roster, &fork.collection, &second.writer, 10, fork.hash));
    fork.seq = 4; /* another of its stores saw farther: the lower counts */
    fork.upto = 0;
    state_fork (&writer, &second, &fork, &change);
    CHECK_OK (add (roster, &change));
    CHECK_INT (skr_roster_limit (roster, &second.writer, &fork.collection), 3);
    const skr_id_t elsewhere = {{6}};
    CHECK (skr_roster_limit (roster, &second.writer, &elsewhere) == UINT64_MAX);
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

#define FENCES 256 /* in one change */

/* A device that fences itself on and on keeps no admin from stating anything. */
static void one_device_does_not_fill_the_roster (void)
{
    skr_roster_t *roster = NULL;
    skr_buf_t statements[FENCES] = {{0}}, change = {0}, seen = {0};
    people_t writer = second, admin = founder;
    skr_closing_t closing = {.role = SKR_ROLE_NONE};
    grown (&roster);
    skr_cbor_put_array (&seen, 0);
    closing.seen = skr_span_of (&seen);
    memcpy (closing.device, skr_device_key (second.device), sizeof closing.device);
    for (size_t i = 0; i < FENCES; i++) {
        skr_statement_fence (&statements[i], &closing);
    }
    for (size_t i = 0; i <= SKR_ROSTER_OWN_MAX / FENCES; i++) {
        skr_buf_clear (&change);
        people_change (&writer, &mesh, 90, statements, FENCES, &change);
        if (i < SKR_ROSTER_OWN_MAX / FENCES) {
            CHECK_OK (check (roster, &change));
            CHECK_OK (add (roster, &change));
        } else {
            CHECK_ERR (check (roster, &change), SAKER_ELIMIT, "at most");
        }
    }
    skr_buf_clear (&change);
    people_change (&admin, &mesh, 91, statements, 1, &change);
    CHECK_OK (check (roster, &change));
    CHECK_OK (add (roster, &change));
    for (size_t i = 0; i < FENCES; i++) {
        skr_buf_free (&statements[i]);
    }
    skr_buf_free (&seen);
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void finds_by_name_or_digits (void)
{
    skr_roster_t *roster = NULL;
    const skr_member_t *member = NULL;
    char digits[17];
    skr_buf_t change = {0};
    people_t admin = founder;
    grown (&roster);
    CHECK_OK (skr_roster_by_name (roster, "beta", &member));
    CHECK_STR (member->name, "beta");
    skr_device_text (member->device, digits);
    CHECK_OK (skr_roster_by_name (roster, digits, &member));
    digits[8] = 0;
    CHECK_OK (skr_roster_by_name (roster, digits, &member));
    CHECK_STR (member->name, "beta");
    digits[3] = 0;
    CHECK_ERR (skr_roster_by_name (roster, digits, &member), SAKER_ENOTFOUND, "no member");
    skr_member_t twin = people_member (&third, "beta", SKR_ROLE_READ);
    admit (&admin, 90, &twin, &change);
    CHECK_OK (add (roster, &change));
    CHECK_ERR (skr_roster_by_name (roster, "beta", &member), SAKER_EINPUT, "fits several");
    skr_buf_free (&change);
    skr_roster_destroy (&roster);
}

static void names_are_checked (void)
{
    char longest[66];
    memset (longest, 'x', sizeof longest);
    longest[65] = 0;
    CHECK_OK (skr_roster_name_check ("device", "Caf\xc3\xa9 1"));
    CHECK_ERR (skr_roster_name_check ("device", ""), SAKER_EINPUT, "device");
    CHECK_ERR (skr_roster_name_check ("mesh", longest), SAKER_EINPUT, "mesh");
    CHECK_ERR (skr_roster_name_check ("mesh", "a\nb"), SAKER_EINPUT, "control");
    CHECK_ERR (skr_roster_name_check ("mesh", "a\xc2\x9b"
                                              "b"),
               SAKER_EINPUT, "control");
    CHECK_ERR (skr_roster_name_check ("mesh", "\xff"), SAKER_EINPUT, "UTF-8");
    CHECK_INT (skr_role_parse ("write"), SKR_ROLE_WRITE);
    CHECK_INT (skr_role_parse ("none"), SKR_ROLE_NONE);
    CHECK_STR (skr_role_text (SKR_ROLE_RELAY), "relay");
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    set_up ();
    RUN (grows_from_its_founder);
    RUN (any_order_gives_the_same);
    RUN (only_admins_admit);
    RUN (roles_only_rise);
    RUN (nobody_founds_another_mesh);
    RUN (forged_changes_are_refused);
    RUN (a_device_introduces_itself_only);
    RUN (unknown_statements_are_kept);
    RUN (a_device_settles_its_own_forks_only);
    RUN (one_device_does_not_fill_the_roster);
    RUN (finds_by_name_or_digits);
    RUN (names_are_checked);
    skr_buf_free (&found_change);
    skr_buf_free (&admit_change);
    skr_buf_free (&second_change);
    skr_buf_free (&third_change);
    people_free (&founder);
    people_free (&second);
    people_free (&third);
    return CHECK_END ();
}
