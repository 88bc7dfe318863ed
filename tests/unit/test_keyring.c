#include "peer/keyring.h"
#include "tests/check.h"
#include "tests/lib/people.h"

#include <sodium.h>

static const skr_id_t all;
static const skr_id_t collection = {{1}}, other = {{2}};
static people_t us, them;
static skr_roster_t *roster;
static skr_keyring_t *keyring;

static void set_up (void)
{
    people_make (&us);
    people_make (&them);
    if (skr_roster_new (&roster, &all) != SAKER_OK || skr_keyring_new (&keyring) != SAKER_OK) {
        exit (1);
    }
}

static void tear_down (void)
{
    skr_roster_destroy (&roster);
    skr_keyring_destroy (&keyring);
    people_free (&us);
    people_free (&them);
}

/* States a key in the roster, with copies for these people. */
static saker_err_t state (const skr_id_t *which, const uint8_t key[32], uint64_t hlc, bool for_us,
                          skr_role_t role)
{
    skr_buf_t statement = {0};
    skr_member_t ours = people_member (&us, "us", role);
    skr_member_t theirs = people_member (&them, "them", SKR_ROLE_WRITE);
    const skr_member_t *members[] = {&theirs, &ours};
    const skr_dot_t dot = {us.writer, hlc, 0};
    SKR_TRY (skr_statement_key (&statement, which, 0, key, members, for_us ? 2 : 1));
    saker_err_t error = skr_roster_add (roster, &dot, hlc, skr_span_of (&statement));
    skr_buf_free (&statement);
    return error == SAKER_OK ? skr_keyring_update (keyring, roster, us.device) : error;
}

static void key_id_of (const uint8_t key[32], uint8_t key_id[8])
{
    uint8_t hash[32];
    crypto_generichash (hash, sizeof hash, key, 32, NULL, 0);
    memcpy (key_id, hash, 8);
}

static void mesh_key_serves_every_collection (void)
{
    uint8_t key[32] = {1}, key_id[8], wanted[8], one[32], two[32], again[32];
    set_up ();
    CHECK_ERR (skr_keyring_latest (keyring, &collection, key_id, one), SAKER_ENOTFOUND, "no key");
    CHECK_OK (state (&all, key, 10, true, SKR_ROLE_READ));
    CHECK_OK (skr_keyring_latest (keyring, &collection, key_id, one));
    CHECK_OK (skr_keyring_latest (keyring, &other, key_id, two));
    key_id_of (key, wanted);
    CHECK (memcmp (key_id, wanted, 8) == 0);
    CHECK (memcmp (one, two, 32) != 0);
    CHECK (memcmp (one, key, 32) != 0);
    CHECK_OK (skr_keyring_find (keyring, &collection, key_id, again));
    CHECK (memcmp (one, again, 32) == 0);
    CHECK_OK (skr_keyring_beacon (keyring, again));
    CHECK (memcmp (one, again, 32) != 0);
    tear_down ();
}

static void own_key_goes_before_the_meshs (void)
{
    uint8_t key[32] = {1}, own[32] = {2}, key_id[8], got[32];
    set_up ();
    CHECK_OK (state (&collection, own, 5, true, SKR_ROLE_READ));
    CHECK_OK (state (&all, key, 10, true, SKR_ROLE_READ));
    CHECK_OK (skr_keyring_latest (keyring, &collection, key_id, got));
    CHECK (memcmp (got, own, 32) == 0);
    CHECK_ERR (skr_keyring_find (keyring, &other, key_id, got), SAKER_ENOTFOUND, "no copy of key");
    tear_down ();
}

static void a_key_is_as_old_as_its_first_statement (void)
{
    uint8_t first[32] = {1}, second[32] = {2}, key_id[8], wanted[8], got[32];
    set_up ();
    CHECK_OK (state (&all, first, 10, true, SKR_ROLE_READ));
    CHECK_OK (state (&all, second, 20, true, SKR_ROLE_READ));
    CHECK_OK (state (&all, first, 30, false, SKR_ROLE_READ)); /* for a late member */
    CHECK_OK (skr_keyring_latest (keyring, &collection, key_id, got));
    key_id_of (second, wanted);
    CHECK (memcmp (key_id, wanted, 8) == 0);
    tear_down ();
}

static void relays_and_strangers_get_no_copy (void)
{
    uint8_t one[32] = {1}, two[32] = {2}, key_id[8], got[32];
    set_up ();
    CHECK_OK (state (&all, one, 10, true, SKR_ROLE_RELAY));
    CHECK_OK (state (&all, two, 20, false, SKR_ROLE_READ));
    CHECK_ERR (skr_keyring_latest (keyring, &collection, key_id, got), SAKER_ENOTFOUND, "no key");
    tear_down ();
}

static saker_err_t count_key (const skr_id_t *which, uint64_t generation, const uint8_t *key,
                              void *argument)
{
    (void) which, (void) generation;
    *(size_t *) argument += key[0];
    return SAKER_OK;
}

static void many_keys_are_held (void)
{
    size_t sum = 0;
    set_up ();
    for (uint8_t i = 1; i <= 50; i++) {
        uint8_t key[32] = {i};
        CHECK_OK (state (&all, key, i, true, SKR_ROLE_READ));
    }
    CHECK_OK (skr_keyring_each (keyring, count_key, &sum));
    CHECK_INT (sum, 50 * 51 / 2);
    tear_down ();
}

static void what_is_not_stated_is_forgotten (void)
{
    uint8_t key[32] = {1}, key_id[8], got[32];
    set_up ();
    CHECK_OK (state (&all, key, 10, true, SKR_ROLE_READ));
    skr_roster_destroy (&roster);
    CHECK_OK (skr_roster_new (&roster, &all));
    CHECK_OK (skr_keyring_update (keyring, roster, us.device));
    CHECK_ERR (skr_keyring_latest (keyring, &collection, key_id, got), SAKER_ENOTFOUND, "no key");
    tear_down ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (mesh_key_serves_every_collection);
    RUN (own_key_goes_before_the_meshs);
    RUN (a_key_is_as_old_as_its_first_statement);
    RUN (relays_and_strangers_get_no_copy);
    RUN (many_keys_are_held);
    RUN (what_is_not_stated_is_forgotten);
    return CHECK_END ();
}
