/* Replicas that exchange changes without a network: convergence, and what is not let in. */

#include "peer/replica_internal.h"

#include "tests/check.h"
#include "tests/lib/pair.h"
#include "tests/lib/people.h"
#include "tests/lib/temp_folder.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static const skr_id_t roster_id;

/* ---- exchanging */

/* Signed changes in the order in which they were made. */
typedef struct pool_t {
    skr_buf_t *changes;
    size_t count, capacity;
} pool_t;

static void pool_add (pool_t *pool, skr_span_t change)
{
    if (pool->count == pool->capacity) {
        pool->capacity = pool->capacity ? pool->capacity * 2 : 64;
        pool->changes = realloc (pool->changes, pool->capacity * sizeof *pool->changes);
    }
    pool->changes[pool->count] = (skr_buf_t){0};
    skr_buf_append_span (&pool->changes[pool->count++], change);
}

static void pool_free (pool_t *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        skr_buf_free (&pool->changes[i]);
    }
    free (pool->changes);
    memset (pool, 0, sizeof *pool);
}

static void keep_made (const skr_id_t *collection, skr_span_t change, void *argument)
{
    (void) collection;
    pool_add (argument, change);
}

static void forget_made (const skr_id_t *collection, skr_span_t change, void *argument)
{
    (void) collection, (void) change, (void) argument;
}

static saker_err_t offer (skr_replica_t *to, skr_span_t change, skr_outcome_t *outcome)
{
    SKR_TRY (skr_replica_begin (to));
    SKR_TRY (skr_replica_offer (to, change, outcome));
    return skr_replica_commit (to);
}

static saker_err_t sync_one (skr_replica_t *from, skr_replica_t *to, const skr_id_t *id)
{
    bool more = true;
    while (more && skr_replica_collection (from, id)) {
        const skr_collection_t *have = skr_replica_collection (to, id);
        skr_clock_t nothing = {0};
        skr_buf_t changes = {0};
        skr_cbor_t cbor;
        size_t count;
        SKR_TRY (skr_replica_pull (from, id, have ? &have->clock : &nothing, 4096, &changes, &count,
                                   &more));
        SKR_TRY (skr_replica_begin (to));
        skr_cbor_open (&cbor, skr_span_of (&changes));
        for (size_t i = 0; i < count; i++) {
            skr_outcome_t outcome;
            SKR_TRY (skr_replica_offer (to, skr_cbor_get_bytes (&cbor), &outcome));
        }
        SKR_TRY (skr_replica_commit (to));
        skr_buf_free (&changes);
    }
    return SAKER_OK;
}

/* ---- comparing */

typedef struct state_t {
    skr_fingerprint_t fingerprint;
    uint64_t changes, documents, digest;
} state_t;

static state_t state_of (skr_replica_t *replica, const skr_id_t *id)
{
    const skr_collection_t *collection = skr_replica_collection (replica, id);
    if (!collection) {
        return (state_t){.changes = 0};
    }
    return (state_t){collection->fingerprint, collection->changes, collection->documents,
                     skr_clock_digest (&collection->clock)};
}

static bool same_state (const state_t *one, const state_t *other)
{
    return skr_fingerprint_equal (&one->fingerprint, &other->fingerprint)
           && one->changes == other->changes && one->documents == other->documents
           && one->digest == other->digest;
}

typedef struct sum_t {
    const skr_id_t *collection;
    skr_fingerprint_t fingerprint;
} sum_t;

static saker_err_t sum_entry (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    sum_t *sum = argument;
    skr_fingerprint_add (&sum->fingerprint, sum->collection, document, entry);
    return SAKER_OK;
}

/* Do the entries in the store add up to the fingerprint that is kept? */
static bool adds_up (skr_replica_t *replica, const skr_id_t *id)
{
    const skr_collection_t *collection = skr_replica_collection (replica, id);
    sum_t sum = {.collection = id};
    return collection
           && skr_cells_store_all (replica->cells, SKR_COMMITTED, collection->no, sum_entry, &sum)
                  == SAKER_OK
           && skr_fingerprint_equal (&sum.fingerprint, &collection->fingerprint);
}

static bool agree (skr_replica_t *one, skr_replica_t *other, const skr_id_t *id)
{
    state_t a = state_of (one, id), b = state_of (other, id);
    return same_state (&a, &b) && adds_up (one, id) && adds_up (other, id);
}

/* ---- random local writes */

static saker_err_t write_random (skr_replica_t *replica, const char *collection, uint64_t *random)
{
    skr_intent_t intents[4];
    skr_buf_t paths[4] = {{0}}, values[4] = {{0}};
    char documents[4][16];
    saker_receipt_t receipt;
    for (int i = 0; i < 4; i++) {
        static const skr_intent_kind_t kinds[] = {SKR_INTENT_SET,  SKR_INTENT_SET_LWW,
                                                  SKR_INTENT_INCR, SKR_INTENT_ADD,
                                                  SKR_INTENT_SET,  SKR_INTENT_SET_MAP};
        static const char *const pointers[] = {"/a", "/b", "/n", "/s", "/a/x", "/m"};
        size_t kind = check_random (random) % 6;
        size_t place = check_random (random) % 4 == 0 ? check_random (random) % 6 : kind;
        snprintf (documents[i], sizeof documents[i], "d%d", (int) (check_random (random) % 5));
        SKR_TRY (skr_path_from_pointer (&paths[i], pointers[place]));
        skr_cbor_put_int (&values[i], 1 + (int64_t) (check_random (random) % 9));
        intents[i] = (skr_intent_t){kinds[kind], skr_span_text (documents[i]),
                                    skr_span_of (&paths[i]), skr_span_of (&values[i])};
        if (check_random (random) % 5 == 0) {
            intents[i].kind = SKR_INTENT_DELETE;
        }
    }
    const skr_local_t local = {
        .collection = collection, .intents = intents, .count = 1 + check_random (random) % 4};
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_replica_write (replica, &local, &receipt);
    for (int i = 0; i < 4; i++) {
        skr_buf_free (&paths[i]);
        skr_buf_free (&values[i]);
    }
    if (error != SAKER_OK && error != SAKER_ETYPE && error != SAKER_ENOTFOUND) {
        return error;
    }
    if (check_random (random) % 8 == 0) {
        skr_replica_abort (replica);
        return SAKER_OK;
    }
    return skr_replica_commit (replica);
}

/* A member of each kind, on stores of their own. */
typedef struct trio_t {
    pair_t pair;
    char store_c[96];
    skr_replica_t *replicas[3];
} trio_t;

static bool trio_open (trio_t *trio)
{
    memset (trio, 0, sizeof *trio);
    if (!pair_open (&trio->pair)) {
        return false;
    }
    snprintf (trio->store_c, sizeof trio->store_c, "%s/c", trio->pair.folder);
    if (!pair_adopt (trio->pair.a, trio->store_c, "gamma", SKR_ROLE_ADMIN, &trio->replicas[2])) {
        return false;
    }
    trio->replicas[0] = trio->pair.a;
    trio->replicas[1] = trio->pair.b;
    return true;
}

static void trio_close (trio_t *trio)
{
    skr_replica_close (&trio->replicas[2]);
    trio->pair.a = trio->replicas[0];
    trio->pair.b = trio->replicas[1];
    pair_close (&trio->pair);
}

static void shuffle (pool_t *pool, uint64_t *random)
{
    for (size_t i = pool->count; i > 1; i--) {
        size_t other = check_random (random) % i;
        skr_buf_t change = pool->changes[i - 1];
        pool->changes[i - 1] = pool->changes[other];
        pool->changes[other] = change;
    }
}

static saker_err_t offer_some (const pool_t *pool, trio_t *trio, uint64_t *random, size_t count)
{
    for (size_t i = 0; i < count && pool->count > 0; i++) {
        skr_outcome_t outcome;
        const skr_buf_t *change = &pool->changes[check_random (random) % pool->count];
        SKR_TRY (offer (trio->replicas[check_random (random) % 3], skr_span_of (change), &outcome));
        if (outcome == SKR_REFUSED) {
            return skr_wrap (SAKER_EINPUT, "refused");
        }
    }
    return SAKER_OK;
}

static void random_orders_converge (void)
{
    uint64_t random = check_seed ();
    trio_t trio;
    pool_t pool = {0};
    skr_id_t ids[2];
    static const char *const names[] = {"shots", "assets"};
    CHECK (trio_open (&trio));
    skr_replica_collection_id (trio.replicas[0], names[0], &ids[0]);
    skr_replica_collection_id (trio.replicas[0], names[1], &ids[1]);
    for (int round = 0; round < 150; round++) {
        skr_replica_t *writer = trio.replicas[check_random (&random) % 3];
        CHECK_OK (write_random (writer, names[check_random (&random) % 2], &random));
        skr_replica_made (writer, keep_made, &pool);
        CHECK_OK (offer_some (&pool, &trio, &random, 4));
        if (round % 40 == 39) {
            size_t which = (size_t) round / 40 % 3;
            const char *stores[] = {trio.pair.store_a, trio.pair.store_b, trio.store_c};
            skr_replica_close (&trio.replicas[which]);
            CHECK_OK (skr_replica_open (&trio.replicas[which], stores[which], skr_world_real ()));
        }
    }
    for (int i = 0; i < 3; i++) { /* introductions that were made before the first round */
        skr_replica_made (trio.replicas[i], keep_made, &pool);
    }
    CHECK_OK (sync_one (trio.replicas[0], trio.replicas[1], &roster_id));
    shuffle (&pool, &random);
    for (int i = 0; i < 3; i++) {
        CHECK_OK (skr_replica_begin (trio.replicas[i]));
        for (size_t j = 0; j < pool.count; j++) {
            skr_outcome_t outcome;
            CHECK_OK (
                skr_replica_offer (trio.replicas[i], skr_span_of (&pool.changes[j]), &outcome));
            CHECK (outcome != SKR_REFUSED);
        }
        CHECK_OK (skr_replica_commit (trio.replicas[i]));
        skr_replica_stats_t stats;
        skr_replica_stats (trio.replicas[i], &stats);
        CHECK_INT (stats.waiting, 0);
        CHECK_INT (stats.waiting_bytes, 0);
        CHECK_INT (stats.refused, 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK (agree (trio.replicas[0], trio.replicas[1], &ids[i]));
        CHECK (agree (trio.replicas[0], trio.replicas[2], &ids[i]));
        CHECK_STR (skr_replica_collection (trio.replicas[0], &ids[i])->name, names[i]);
        CHECK_STR (skr_replica_collection (trio.replicas[2], &ids[i])->name, names[i]);
    }
    CHECK (agree (trio.replicas[0], trio.replicas[1], &roster_id));
    pool_free (&pool);
    trio_close (&trio);
}

static void pulls_converge_and_stay_causal (void)
{
    uint64_t random = check_seed () + 1;
    trio_t trio;
    skr_id_t id;
    CHECK (trio_open (&trio));
    skr_replica_collection_id (trio.replicas[0], "shots", &id);
    for (int round = 0; round < 200; round++) {
        CHECK_OK (write_random (trio.replicas[check_random (&random) % 3], "shots", &random));
        size_t from = check_random (&random) % 3, to = check_random (&random) % 3;
        if (from != to) {
            CHECK_OK (sync_one (trio.replicas[from], trio.replicas[to], &roster_id));
            CHECK_OK (sync_one (trio.replicas[from], trio.replicas[to], &id));
        }
        skr_replica_made (trio.replicas[from], forget_made, NULL);
    }
    for (int i = 0; i < 6; i++) {
        CHECK_OK (sync_one (trio.replicas[i % 3], trio.replicas[(i + 1) % 3], &roster_id));
        CHECK_OK (sync_one (trio.replicas[i % 3], trio.replicas[(i + 1) % 3], &id));
    }
    CHECK (agree (trio.replicas[0], trio.replicas[1], &id));
    CHECK (agree (trio.replicas[0], trio.replicas[2], &id));
    CHECK (agree (trio.replicas[0], trio.replicas[2], &roster_id));
    trio_close (&trio);
}

/* ---- founding and adoption */

static void founding_makes_a_mesh_of_one (void)
{
    char folder[TEMP_FOLDER_BYTES], store[TEMP_FOLDER_BYTES + 8], file[TEMP_FOLDER_BYTES + 24];
    skr_replica_t *replica = NULL;
    struct stat status;
    temp_folder_make (folder);
    snprintf (store, sizeof store, "%s/store", folder);
    CHECK_ERR (skr_replica_open (&replica, store, skr_world_real ()), SAKER_ENOTFOUND, "store");
    CHECK_ERR (skr_replica_found (store, "", "alpha", skr_world_real ()), SAKER_EINPUT, "mesh");
    CHECK (stat (store, &status) != 0);
    CHECK_OK (skr_replica_found (store, "studio", "alpha", skr_world_real ()));
    CHECK (skr_replica_found (store, "studio", "alpha", skr_world_real ()) == SAKER_EEXIST);
    CHECK_OK (skr_replica_open (&replica, store, skr_world_real ()));
    CHECK_STR (skr_roster_mesh_name (skr_replica_roster (replica)), "studio");
    CHECK_STR (skr_replica_self (replica)->name, "alpha");
    CHECK_INT (skr_replica_self (replica)->role, SKR_ROLE_ADMIN);
    CHECK_INT (skr_replica_collections (replica), 1);
    CHECK_STR (skr_replica_collection_at (replica, 0)->name, "@roster");
    CHECK_INT (skr_replica_collection_at (replica, 0)->changes, 1);
    CHECK (adds_up (replica, &roster_id));
    skr_replica_close (&replica);
    snprintf (file, sizeof file, "%s/store/device.key", folder);
    CHECK (chmod (file, 0644) == 0);
    CHECK_ERR (skr_replica_open (&replica, store, skr_world_real ()), SAKER_ERIGHT, "chmod 600");
    CHECK (replica == NULL);
    temp_folder_remove (folder);
}

static void put_roster (skr_replica_t *from, size_t leave_out, skr_buf_t *roster)
{
    skr_clock_t nothing = {0};
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count = 0;
    bool more;
    if (skr_replica_pull (from, &roster_id, &nothing, 1 << 20, &changes, &count, &more)) {
        exit (1);
    }
    skr_cbor_open (&cbor, skr_span_of (&changes));
    skr_cbor_put_array (roster, count - (leave_out < count));
    for (size_t i = 0; i < count; i++) {
        skr_span_t change = skr_cbor_get_bytes (&cbor);
        if (i != leave_out) {
            skr_cbor_put_bytes (roster, change.data, change.size);
        }
    }
    skr_buf_free (&changes);
}

static void adoption_wants_a_roster_that_adds_up (void)
{
    pair_t pair;
    char store[128];
    skr_device_t *stranger = NULL;
    skr_buf_t roster = {0};
    struct stat status;
    CHECK (pair_open (&pair));
    snprintf (store, sizeof store, "%s/x", pair.folder);
    const skr_id_t *mesh = skr_roster_mesh (skr_replica_roster (pair.a));
    const skr_device_t *member = skr_replica_device (pair.b);
    CHECK_OK (skr_device_new (&stranger));
    put_roster (pair.a, 99, &roster);
    CHECK_ERR (skr_replica_adopt (store, stranger, mesh, skr_span_of (&roster), skr_world_real ()),
               SAKER_EFORGED, "does not admit this device");
    CHECK (stat (store, &status) != 0);
    skr_id_t other = *mesh;
    other.bytes[3] ^= 1;
    CHECK_ERR (skr_replica_adopt (store, member, &other, skr_span_of (&roster), skr_world_real ()),
               SAKER_EFORGED, "not of this mesh");
    CHECK (stat (store, &status) != 0);
    roster.data[roster.size / 2] ^= 1;
    CHECK (skr_replica_adopt (store, member, mesh, skr_span_of (&roster), skr_world_real ())
           == SAKER_EFORGED);
    roster.data[roster.size / 2] ^= 1;
    CHECK (skr_replica_adopt (store, member, mesh, skr_span (roster.data, roster.size - 1),
                              skr_world_real ())
           != SAKER_OK);
    CHECK (stat (store, &status) != 0);
    skr_buf_clear (&roster);
    put_roster (pair.a, 0, &roster);
    CHECK_ERR (skr_replica_adopt (store, member, mesh, skr_span_of (&roster), skr_world_real ()),
               SAKER_EFORGED, "not whole");
    CHECK (stat (store, &status) != 0);
    skr_buf_free (&roster);
    skr_device_destroy (&stranger);
    pair_close (&pair);
}

/* ---- tickets */

static void a_ticket_serves_one_device_in_time (void)
{
    pair_t pair;
    skr_ticket_t ticket;
    uint8_t key[32], unknown[32] = {0};
    people_t one, two;
    const char *address = "tcp://127.0.0.1:1";
    CHECK (pair_open (&pair));
    people_make (&one);
    people_make (&two);
    skr_member_t first = people_member (&one, "one", SKR_ROLE_ADMIN);
    skr_member_t second = people_member (&two, "two", SKR_ROLE_ADMIN);
    uint64_t now_ms = skr_world_real ()->wall_ms (NULL);
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_replica_invite (pair.a, SKR_ROLE_READ, now_ms + 60000, &address, 1, &ticket));
    skr_ticket_key (&ticket, key);
    CHECK_ERR (skr_replica_admit (pair.a, unknown, &first), SAKER_EINPUT, "not of this peer");
    CHECK_OK (skr_replica_admit (pair.a, key, &first));
    CHECK_INT (skr_roster_by_device (skr_replica_roster (pair.a), first.device)->role,
               SKR_ROLE_READ); /* what the ticket says, not what it asks for */
    CHECK_OK (skr_replica_commit (pair.a));
    uint64_t changes = skr_replica_collection (pair.a, &roster_id)->changes;
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_replica_admit (pair.a, key, &first));
    CHECK_ERR (skr_replica_admit (pair.a, key, &second), SAKER_EINPUT, "used already");
    CHECK_OK (skr_replica_invite (pair.a, SKR_ROLE_READ, now_ms + 60000, &address, 1, &ticket));
    skr_ticket_key (&ticket, key);
    skr_member_t mask = second;
    memcpy (mask.transport, skr_replica_self (pair.a)->transport, sizeof mask.transport);
    CHECK_ERR (skr_replica_admit (pair.a, key, &mask), SAKER_EINPUT, "of another member");
    CHECK_OK (skr_replica_invite (pair.a, SKR_ROLE_READ, now_ms - 1, &address, 1, &ticket));
    skr_ticket_key (&ticket, key);
    CHECK_ERR (skr_replica_admit (pair.a, key, &second), SAKER_EINPUT, "expired");
    CHECK_OK (skr_replica_commit (pair.a));
    CHECK_INT (skr_replica_collection (pair.a, &roster_id)->changes, changes);
    CHECK_OK (skr_replica_begin (pair.b));
    CHECK_ERR (skr_replica_invite (pair.b, SKR_ROLE_READ, now_ms + 9, &address, 1, &ticket),
               SAKER_ERIGHT, "only an admin");
    skr_replica_abort (pair.b);
    people_free (&one);
    people_free (&two);
    pair_close (&pair);
}

/* ---- what is not let in */

/* A change of one SET by hand, as the device of `replica`, with what a test wants wrong. */
typedef struct forgery_t {
    skr_replica_t *replica;
    const char *collection;
    skr_id_t writer;
    uint64_t seq, hlc;
    const uint8_t *prev;
    const char *name;
    const uint8_t *secret;
    skr_op_kind_t kind;
} forgery_t;

static forgery_t forgery_as (skr_replica_t *replica)
{
    static const uint8_t zeros[32];
    return (forgery_t){.replica = replica,
                       .collection = "forged",
                       .writer = *skr_replica_writer (replica),
                       .seq = 1,
                       .hlc = (skr_world_real ()->wall_ms (NULL)) << 16,
                       .prev = zeros,
                       .name = "forged",
                       .secret = skr_device_secret (skr_replica_device (replica)),
                       .kind = SKR_OP_SET};
}

static saker_err_t forge (const forgery_t *forgery, skr_buf_t *raw)
{
    skr_buf_t ops = {0}, content = {0}, path = {0};
    skr_clock_t deps = {0};
    uint8_t key_id[8], key[32], nonce[24] = {1}, one = 1;
    skr_draft_t draft = {.mesh = *skr_roster_mesh (skr_replica_roster (forgery->replica)),
                         .writer = forgery->writer,
                         .seq = forgery->seq,
                         .hlc = forgery->hlc,
                         .prev = forgery->prev,
                         .deps = &deps,
                         .key_id = key_id,
                         .key = key,
                         .nonce = nonce,
                         .secret = forgery->secret};
    bool statement = forgery->kind == SKR_OP_STATEMENT;
    skr_replica_collection_id (forgery->replica, forgery->collection, &draft.collection);
    SKR_TRY (skr_keyring_latest (skr_replica_keyring (forgery->replica), &draft.collection, key_id,
                                 key));
    if (!statement) {
        SKR_TRY (skr_path_from_pointer (&path, "/a"));
    }
    skr_op_put (&ops, forgery->kind, skr_span_text (statement ? "" : "document"),
                skr_span_of (&path), NULL, 0, skr_span (&one, 1));
    skr_content_put (&content, NULL, 0, skr_span_of (&ops), 1, skr_span (NULL, 0),
                     skr_span (NULL, 0), skr_span_text (forgery->name));
    draft.content = skr_span_of (&content);
    skr_buf_clear (raw);
    saker_err_t error = skr_change_build (&draft, raw);
    skr_buf_free (&ops);
    skr_buf_free (&content);
    skr_buf_free (&path);
    return error;
}

/* Offers it, and tells whether the outcome is the wanted one. */
static bool comes_to (skr_replica_t *to, const skr_buf_t *raw, skr_outcome_t wanted)
{
    skr_outcome_t outcome = SKR_APPLIED;
    saker_err_t error = offer (to, skr_span_of (raw), &outcome);
    if (error != SAKER_OK || outcome != wanted) {
        printf ("error %d, outcome %d, not %d: %s\n", error, outcome, wanted, skr_error ());
        return false;
    }
    return true;
}

static void damaged_changes_change_nothing (void)
{
    pair_t pair;
    skr_buf_t raw = {0}, bad = {0};
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    skr_replica_collection_id (pair.a, "forged", &id);
    forgery_t forgery = forgery_as (pair.b);
    CHECK_OK (forge (&forgery, &raw));
    state_t roster = state_of (pair.a, &roster_id);
    for (size_t i = 0; i < raw.size; i++) {
        skr_outcome_t outcome;
        skr_buf_clear (&bad);
        skr_buf_append_span (&bad, skr_span_of (&raw));
        bad.data[i] ^= (uint8_t) (1 << i % 8);
        CHECK_OK (offer (pair.a, skr_span_of (&bad), &outcome));
        CHECK (outcome == SKR_REFUSED || outcome == SKR_WAITING);
        CHECK_OK (offer (pair.a, skr_span (raw.data, i), &outcome));
        CHECK (outcome == SKR_REFUSED);
    }
    skr_replica_stats_t stats;
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.refused + stats.waiting, 2 * raw.size);
    CHECK (stats.refused_signature > 0 && stats.refused_form >= raw.size);
    CHECK (skr_replica_collection (pair.a, &id) == NULL);
    state_t after = state_of (pair.a, &roster_id);
    CHECK (same_state (&roster, &after));
    CHECK (comes_to (pair.a, &raw, SKR_APPLIED));
    CHECK (comes_to (pair.a, &raw, SKR_KNOWN)); /* replayed */
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.repeated, 1);
    CHECK (adds_up (pair.a, &id));
    skr_buf_free (&raw);
    skr_buf_free (&bad);
    pair_close (&pair);
}

static void members_without_the_right_are_refused (void)
{
    pair_t pair;
    char store[128];
    skr_replica_t *reader = NULL;
    skr_buf_t raw = {0};
    skr_replica_stats_t stats;
    CHECK (pair_open (&pair));
    snprintf (store, sizeof store, "%s/reader", pair.folder);
    CHECK (pair_adopt (pair.a, store, "reader", SKR_ROLE_READ, &reader));
    CHECK_OK (sync_one (reader, pair.a, &roster_id));
    CHECK_ERR (pair_set (reader, "shots", "d", 1), SAKER_ERIGHT, "only read");
    forgery_t forgery = forgery_as (reader);
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_REFUSED));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.refused_right, 1);
    CHECK_OK (pair_set (pair.a, "shots", "d", 1)); /* but it reads */
    skr_id_t id;
    skr_replica_collection_id (pair.a, "shots", &id);
    CHECK_OK (sync_one (pair.a, reader, &id));
    CHECK (agree (pair.a, reader, &id));
    uint8_t nothing = 0;
    const skr_span_t statement = skr_span (&nothing, 1);
    CHECK_OK (skr_replica_begin (reader));
    CHECK (skr_replica_state (reader, &statement, 1) == SAKER_EINPUT);
    skr_replica_abort (reader);
    skr_buf_free (&raw);
    skr_replica_close (&reader);
    pair_close (&pair);
}

static void strangers_wait_outside (void)
{
    pair_t pair;
    people_t stranger;
    skr_buf_t raw = {0};
    skr_id_t id;
    CHECK (pair_open (&pair));
    people_make (&stranger);
    skr_replica_collection_id (pair.a, "forged", &id);
    forgery_t forgery = forgery_as (pair.a);
    forgery.writer = stranger.writer;
    forgery.secret = skr_device_secret (stranger.device);
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_WAITING)); /* its admission may be on the way */
    forgery.writer = *skr_replica_writer (pair.b);
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_REFUSED)); /* a member's writer, a stranger's key */
    CHECK (skr_replica_collection (pair.a, &id) == NULL);
    people_free (&stranger);
    skr_buf_free (&raw);
    pair_close (&pair);
}

static void a_late_admission_lets_waiting_changes_in (void)
{
    pair_t pair;
    char store[128];
    skr_replica_t *late = NULL;
    skr_id_t id;
    CHECK (pair_open (&pair));
    snprintf (store, sizeof store, "%s/late", pair.folder);
    CHECK (pair_adopt (pair.a, store, "late", SKR_ROLE_WRITE, &late));
    skr_replica_collection_id (pair.a, "shots", &id);
    for (int i = 0; i < 5; i++) {
        CHECK_OK (pair_set (late, "shots", "d", i));
    }
    CHECK_OK (sync_one (late, pair.b, &id)); /* b does not know that member yet */
    CHECK (skr_replica_collection (pair.b, &id) == NULL);
    skr_replica_stats_t stats;
    skr_replica_stats (pair.b, &stats);
    CHECK_INT (stats.waiting, 5);
    CHECK_OK (sync_one (late, pair.b, &roster_id));
    skr_replica_stats (pair.b, &stats);
    CHECK_INT (stats.waiting, 0);
    CHECK (agree (pair.b, late, &id));
    skr_replica_close (&late);
    pair_close (&pair);
}

static void two_changes_with_one_seq_are_a_fork (void)
{
    pair_t pair;
    skr_buf_t one = {0}, two = {0}, next = {0};
    skr_change_t change;
    uint8_t hash[32];
    skr_replica_stats_t stats;
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    skr_replica_collection_id (pair.a, "forged", &id);
    forgery_t forgery = forgery_as (pair.b);
    CHECK_OK (forge (&forgery, &one));
    forgery.hlc++;
    CHECK_OK (forge (&forgery, &two));
    CHECK (comes_to (pair.a, &one, SKR_APPLIED));
    state_t before = state_of (pair.a, &id);
    CHECK (comes_to (pair.a, &two, SKR_REFUSED)); /* the last one: by the chain's hash */
    forgery.seq = 2;
    CHECK_OK (skr_change_parse (&change, skr_span_of (&two)));
    skr_change_hash (&change, hash);
    forgery.prev = hash;
    CHECK_OK (forge (&forgery, &next));
    CHECK (comes_to (pair.a, &next, SKR_REFUSED)); /* goes on from the other branch */
    state_t after = state_of (pair.a, &id);
    CHECK (same_state (&before, &after));
    CHECK_OK (skr_change_parse (&change, skr_span_of (&one)));
    skr_change_hash (&change, hash);
    CHECK_OK (forge (&forgery, &next));
    CHECK (comes_to (pair.a, &next, SKR_APPLIED));
    CHECK (comes_to (pair.a, &two, SKR_REFUSED)); /* an older one: by the log */
    CHECK (comes_to (pair.a, &one, SKR_KNOWN));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.refused_fork, 3);
    two.data[two.size - 1] ^= 1; /* no proof of anything */
    CHECK (comes_to (pair.a, &two, SKR_REFUSED));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.refused_fork, 3);
    CHECK_INT (stats.refused_signature, 1);
    skr_buf_free (&one);
    skr_buf_free (&two);
    skr_buf_free (&next);
    pair_close (&pair);
}

static void names_are_believed_only_when_they_hash_to_the_id (void)
{
    pair_t pair;
    skr_buf_t raw = {0};
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    skr_replica_collection_id (pair.a, "forged", &id);
    forgery_t forgery = forgery_as (pair.b);
    forgery.name = "other";
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_APPLIED));
    CHECK_STR (skr_replica_collection (pair.a, &id)->name, "");
    CHECK_OK (pair_set (pair.a, "forged", "d", 1));
    CHECK_STR (skr_replica_collection (pair.a, &id)->name, "forged");
    skr_buf_free (&raw);
    pair_close (&pair);
}

static void statements_stay_in_the_roster (void)
{
    pair_t pair;
    skr_buf_t raw = {0};
    skr_replica_stats_t stats;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    forgery_t forgery = forgery_as (pair.b);
    forgery.kind = SKR_OP_STATEMENT;
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_REFUSED));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.refused_form, 1);
    skr_buf_free (&raw);
    pair_close (&pair);
}

static void a_clock_far_ahead_does_not_pull_ours (void)
{
    pair_t pair;
    skr_buf_t raw = {0};
    skr_replica_stats_t stats;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    forgery_t forgery = forgery_as (pair.b);
    forgery.hlc += (uint64_t) 3600000 << 16;
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_APPLIED));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.future, 1);
    CHECK (pair.a->hlc < forgery.hlc);
    CHECK_OK (pair_set (pair.a, "forged", "document", 5)); /* and never blocks a later edit */
    CHECK (pair.a->hlc < forgery.hlc);
    forgery.collection = forgery.name = "near";
    forgery.hlc -= (uint64_t) 3570000 << 16; /* half a minute ahead: our next change is later */
    CHECK_OK (forge (&forgery, &raw));
    CHECK (comes_to (pair.a, &raw, SKR_APPLIED));
    CHECK_OK (pair_set (pair.a, "near", "document", 5));
    CHECK (pair.a->hlc > forgery.hlc);
    skr_buf_free (&raw);
    pair_close (&pair);
}

/* ---- waiting */

static saker_err_t set_many (skr_replica_t *replica, pool_t *pool, int count)
{
    for (int i = 0; i < count; i++) {
        skr_buf_t path = {0}, value = {0};
        saker_receipt_t receipt;
        SKR_TRY (skr_path_from_pointer (&path, "/n"));
        skr_cbor_put_int (&value, i);
        const skr_intent_t intent = {SKR_INTENT_SET, skr_span_text ("d"), skr_span_of (&path),
                                     skr_span_of (&value)};
        const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
        SKR_TRY (skr_replica_begin (replica));
        SKR_TRY (skr_replica_write (replica, &local, &receipt));
        skr_buf_free (&path);
        skr_buf_free (&value);
    }
    SKR_TRY (skr_replica_commit (replica));
    skr_replica_made (replica, keep_made, pool);
    return SAKER_OK;
}

static void the_buffer_is_bounded (void)
{
    enum { MANY = SKR_WAITING_CHANGES_MAX + 500 };
    pair_t pair;
    pool_t pool = {0};
    skr_replica_stats_t stats;
    skr_outcome_t outcome;
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    skr_replica_made (pair.b, forget_made, NULL);
    CHECK_OK (set_many (pair.b, &pool, MANY));
    CHECK_INT (pool.count, MANY);
    CHECK_OK (skr_replica_begin (pair.a));
    for (size_t i = pool.count; i-- > 1;) {
        CHECK_OK (skr_replica_offer (pair.a, skr_span_of (&pool.changes[i]), &outcome));
        CHECK (outcome == SKR_WAITING);
    }
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.waiting, SKR_WAITING_CHANGES_MAX);
    CHECK_INT (stats.dropped, MANY - 1 - SKR_WAITING_CHANGES_MAX);
    CHECK_OK (skr_replica_offer (pair.a, skr_span_of (&pool.changes[0]), &outcome));
    CHECK (outcome == SKR_APPLIED);
    CHECK_OK (skr_replica_commit (pair.a));
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.waiting, 0);
    CHECK_INT (stats.waiting_bytes, 0);
    skr_replica_collection_id (pair.a, "shots", &id);
    CHECK_INT (skr_replica_collection (pair.a, &id)->changes, SKR_WAITING_CHANGES_MAX + 1);
    CHECK_OK (sync_one (pair.b, pair.a, &id)); /* the rest is pulled */
    CHECK (agree (pair.a, pair.b, &id));
    pool_free (&pool);
    pair_close (&pair);
}

/* ---- groups and reopening */

static void an_aborted_group_leaves_nothing (void)
{
    pair_t pair;
    people_t guest;
    pool_t pool = {0};
    skr_outcome_t outcome;
    skr_id_t id;
    skr_ticket_t ticket;
    uint8_t key[32];
    const char *address = "tcp://127.0.0.1:1";
    CHECK (pair_open (&pair));
    people_make (&guest);
    CHECK_OK (sync_one (pair.b, pair.a, &roster_id));
    skr_replica_made (pair.b, forget_made, NULL);
    CHECK_OK (set_many (pair.b, &pool, 10));
    skr_replica_collection_id (pair.a, "shots", &id);
    state_t before = state_of (pair.a, &roster_id);
    size_t members = skr_roster_count (skr_replica_roster (pair.a));
    skr_member_t member = people_member (&guest, "guest", SKR_ROLE_READ);
    CHECK_OK (skr_replica_begin (pair.a));
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK (skr_replica_offer (pair.a, skr_span_of (&pool.changes[i]), &outcome));
        CHECK (outcome == SKR_APPLIED);
    }
    CHECK_OK (skr_replica_invite (pair.a, SKR_ROLE_READ, UINT64_MAX, &address, 1, &ticket));
    skr_ticket_key (&ticket, key);
    CHECK_OK (skr_replica_admit (pair.a, key, &member));
    CHECK_INT (skr_roster_count (skr_replica_roster (pair.a)), members + 1);
    skr_replica_abort (pair.a);
    CHECK_INT (skr_roster_count (skr_replica_roster (pair.a)), members);
    CHECK (skr_replica_collection (pair.a, &id) == NULL);
    state_t after = state_of (pair.a, &roster_id);
    CHECK (same_state (&before, &after));
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_ERR (skr_replica_admit (pair.a, key, &member), SAKER_EINPUT, "not of this peer");
    for (size_t i = 10; i-- > 0;) {
        CHECK_OK (skr_replica_offer (pair.a, skr_span_of (&pool.changes[i]), &outcome));
    }
    CHECK_OK (skr_replica_commit (pair.a));
    CHECK (agree (pair.a, pair.b, &id));
    skr_replica_stats_t stats;
    skr_replica_stats (pair.a, &stats);
    CHECK_INT (stats.applied, 10 + 2); /* and the admission and introduction of b */
    people_free (&guest);
    pool_free (&pool);
    pair_close (&pair);
}

/* Writes values of 40 KB in one group until the store has no more room for it. */
static saker_err_t write_too_much (skr_replica_t *replica)
{
    skr_buf_t path = {0}, value = {0};
    uint8_t *bytes = calloc (1, 40000);
    saker_receipt_t receipt;
    saker_err_t error = skr_path_from_pointer (&path, "/a");
    skr_cbor_put_bytes (&value, bytes, 40000);
    error = error ? error : skr_replica_begin (replica);
    for (int i = 0; i < 2000 && error == SAKER_OK; i++) {
        char document[16];
        snprintf (document, sizeof document, "big%d", i);
        const skr_intent_t intent = {SKR_INTENT_SET, skr_span_text (document), skr_span_of (&path),
                                     skr_span_of (&value)};
        const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
        error = skr_replica_write (replica, &local, &receipt);
    }
    skr_buf_free (&path);
    skr_buf_free (&value);
    free (bytes);
    return error;
}

static void a_failed_commit_leaves_nothing (void)
{
    pair_t pair;
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "shots", "d", 1));
    skr_replica_made (pair.a, forget_made, NULL);
    skr_replica_collection_id (pair.a, "shots", &id);
    state_t before = state_of (pair.a, &id);
    CHECK_OK (skr_store_room (pair.a->store, 1 << 16));
    CHECK_INT (write_too_much (pair.a), SAKER_ELIMIT);
    CHECK_INT (pair_set (pair.a, "shots", "d", 2), SAKER_ELIMIT); /* aborts */
    state_t after = state_of (pair.a, &id);
    CHECK (same_state (&before, &after));
    CHECK (adds_up (pair.a, &id));
    pool_t pool = {0};
    skr_replica_made (pair.a, keep_made, &pool);
    CHECK_INT (pool.count, 0);
    CHECK_OK (pair_set (pair.a, "shots", "d", 3));
    CHECK (adds_up (pair.a, &id));
    CHECK_OK (sync_one (pair.a, pair.b, &id));
    CHECK (agree (pair.a, pair.b, &id));
    pair_close (&pair);
}

static void reopening_gives_the_same (void)
{
    uint64_t random = check_seed () + 2;
    pair_t pair;
    skr_id_t ids[3] = {roster_id};
    state_t before[3];
    CHECK (pair_open (&pair));
    skr_replica_collection_id (pair.a, "one", &ids[1]);
    skr_replica_collection_id (pair.a, "two", &ids[2]);
    for (int i = 0; i < 60; i++) {
        CHECK_OK (write_random (i % 3 ? pair.a : pair.b, i % 2 ? "one" : "two", &random));
        if (i % 10 == 0) {
            for (int j = 0; j < 3; j++) {
                CHECK_OK (sync_one (pair.b, pair.a, &ids[j]));
            }
        }
    }
    skr_id_t writer = *skr_replica_writer (pair.a), epoch = *skr_replica_epoch (pair.a);
    uint64_t hlc = pair.a->hlc;
    for (int j = 0; j < 3; j++) {
        before[j] = state_of (pair.a, &ids[j]);
    }
    skr_replica_close (&pair.a);
    CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
    CHECK (skr_id_equal (&writer, skr_replica_writer (pair.a)));
    CHECK (skr_id_equal (&epoch, skr_replica_epoch (pair.a)));
    CHECK (pair.a->hlc == hlc);
    CHECK_INT (skr_replica_collections (pair.a), 3);
    for (int j = 0; j < 3; j++) {
        state_t after = state_of (pair.a, &ids[j]);
        CHECK (same_state (&before[j], &after));
        CHECK (adds_up (pair.a, &ids[j]));
    }
    CHECK_STR (skr_replica_collection_at (pair.a, 0)->name, "@roster");
    CHECK_INT (skr_roster_count (skr_replica_roster (pair.a)), 2);
    for (int j = 0; j < 3; j++) {
        CHECK_OK (sync_one (pair.b, pair.a, &ids[j]));
        CHECK_OK (sync_one (pair.a, pair.b, &ids[j]));
        CHECK (agree (pair.a, pair.b, &ids[j]));
    }
    pair_close (&pair);
}

static void what_an_unfinished_building_left_is_removed (void)
{
    pair_t pair;
    uint32_t no = 0;
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "shots", "d", 1));
    skr_replica_collection_id (pair.a, "shots", &id);
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_holdings_number (pair.a, &no));
    skr_collection_t beside = {.no = no};
    const skr_cells_t *cells = skr_cells_store_group (pair.a->cells, &beside);
    uint8_t address[] = {0x61, 'a', SKR_REGISTER}, value = 1;
    const skr_entry_t entry = {.dot = {*skr_replica_writer (pair.a), 1, 0},
                               .hlc = 1,
                               .address = skr_span (address, sizeof address),
                               .value = skr_span (&value, 1)};
    CHECK_OK (cells->put (cells->context, skr_span_text ("x"), &entry));
    CHECK_OK (skr_replica_commit (pair.a));
    sum_t sum = {.collection = &id};
    CHECK_OK (skr_cells_store_all (pair.a->cells, SKR_COMMITTED, no, sum_entry, &sum));
    CHECK (sum.fingerprint.low != 0);
    skr_replica_close (&pair.a);
    CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
    sum = (sum_t){.collection = &id};
    CHECK_OK (skr_cells_store_all (pair.a->cells, SKR_COMMITTED, no, sum_entry, &sum));
    CHECK (sum.fingerprint.low == 0 && sum.fingerprint.high == 0);
    CHECK (adds_up (pair.a, &id));
    CHECK_OK (pair_set (pair.a, "assets", "d", 1));
    const skr_collection_t *assets;
    CHECK_OK (skr_replica_collection_named (pair.a, "assets", &assets));
    CHECK (assets->no > no); /* a number is given once */
    pair_close (&pair);
}

static void made_changes_are_told_after_the_commit (void)
{
    pair_t pair;
    pool_t pool = {0};
    saker_receipt_t receipt;
    skr_buf_t path = {0};
    uint8_t value = 1;
    CHECK (pair_open (&pair));
    skr_replica_made (pair.a, forget_made, NULL);
    CHECK_OK (skr_path_from_pointer (&path, "/a"));
    const skr_intent_t intent = {SKR_INTENT_SET, skr_span_text ("d"), skr_span_of (&path),
                                 skr_span (&value, 1)};
    const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_replica_write (pair.a, &local, &receipt));
    skr_replica_made (pair.a, keep_made, &pool);
    CHECK_INT (pool.count, 0); /* design 5: never publishes what is not durable */
    skr_replica_abort (pair.a);
    skr_replica_made (pair.a, keep_made, &pool);
    CHECK_INT (pool.count, 0);
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_OK (skr_replica_write (pair.a, &local, &receipt));
    CHECK_OK (skr_replica_commit (pair.a));
    skr_replica_made (pair.a, keep_made, &pool);
    CHECK_INT (pool.count, 1);
    skr_replica_made (pair.a, keep_made, &pool);
    CHECK_INT (pool.count, 1);
    skr_buf_free (&path);
    pool_free (&pool);
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (founding_makes_a_mesh_of_one);
    RUN (adoption_wants_a_roster_that_adds_up);
    RUN (a_ticket_serves_one_device_in_time);
    RUN (random_orders_converge);
    RUN (pulls_converge_and_stay_causal);
    RUN (damaged_changes_change_nothing);
    RUN (members_without_the_right_are_refused);
    RUN (strangers_wait_outside);
    RUN (a_late_admission_lets_waiting_changes_in);
    RUN (two_changes_with_one_seq_are_a_fork);
    RUN (names_are_believed_only_when_they_hash_to_the_id);
    RUN (statements_stay_in_the_roster);
    RUN (a_clock_far_ahead_does_not_pull_ours);
    RUN (the_buffer_is_bounded);
    RUN (an_aborted_group_leaves_nothing);
    RUN (a_failed_commit_leaves_nothing);
    RUN (reopening_gives_the_same);
    RUN (what_an_unfinished_building_left_is_removed);
    RUN (made_changes_are_told_after_the_commit);
    return CHECK_END ();
}
