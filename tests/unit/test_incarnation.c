/* A store that is copied, carried or put back notices, and one that is not does not. */

#include "peer/fork.h"
#include "peer/incarnation.h"
#include "peer/replica_internal.h"
#include "peer/settling.h"
#include "peer/succession.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"
#include "tests/lib/temp_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a world whose machine can be another */

static uint8_t machine;

static bool some_home (void *context, const char *folder, skr_home_t *home)
{
    (void) context;
    bool known = skr_world_real ()->home (NULL, folder, home);
    memset (home->machine, machine, sizeof home->machine);
    return known;
}

static skr_world_t some_world (void)
{
    skr_world_t world = *skr_world_real ();
    world.home = some_home;
    return world;
}

/* ---- files */

static void place (char path[160], const char *folder, const char *name)
{
    if (snprintf (path, 160, "%s/%s", folder, name) >= 160) {
        abort ();
    }
}

/* As cp: what is there already keeps its number. */
static void copy_file (const char *from, const char *to)
{
    char bytes[65536];
    ssize_t size;
    int in = open (from, O_RDONLY), out = open (to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while ((size = read (in, bytes, sizeof bytes)) > 0) {
        if (write (out, bytes, (size_t) size) != size) {
            abort ();
        }
    }
    close (in);
    close (out);
}

static void copy_folder (const char *from, const char *to)
{
    char one[160], other[160];
    struct dirent *entry;
    DIR *listing = opendir (from);
    mkdir (to, 0700);
    while ((entry = readdir (listing))) {
        if (entry->d_type == DT_REG) {
            place (one, from, entry->d_name);
            place (other, to, entry->d_name);
            copy_file (one, other);
        }
    }
    closedir (listing);
}

static int count_boots (const char *folder, char name[64])
{
    int count = 0;
    struct dirent *entry;
    DIR *listing = opendir (folder);
    while ((entry = readdir (listing))) {
        if (strncmp (entry->d_name, "boot-", 5) == 0) {
            memccpy (name, entry->d_name, 0, 64);
            count++;
        }
    }
    closedir (listing);
    return count;
}

/* ---- what a start says */

typedef struct start_t {
    skr_id_t writer, epoch;
    skr_doubt_t why;
    size_t writers; /* of this device, in the roster */
    bool ticket;    /* is open */
} start_t;

static const uint8_t ticket_key[32] = {7};

static saker_err_t look (const char *folder, start_t *start)
{
    const skr_world_t world = some_world ();
    skr_replica_t *replica = NULL;
    skr_invitation_t invitation;
    skr_id_t writers[16];
    SKR_TRY (skr_replica_open (&replica, folder, &world));
    start->writer = *skr_replica_writer (replica);
    start->epoch = *skr_replica_epoch (replica);
    start->why = skr_replica_renewal (replica)->why;
    start->writers = skr_roster_writers (
        skr_replica_roster (replica), skr_device_key (skr_replica_device (replica)), writers, 16);
    start->ticket =
        skr_invitation_get (skr_replica_store (replica), SKR_COMMITTED, ticket_key, &invitation)
        == SAKER_OK;
    skr_replica_close (&replica);
    return SAKER_OK;
}

/* A store with an open ticket, that was started once. */
static saker_err_t make (char folder[TEMP_FOLDER_BYTES], char store[160], start_t *start)
{
    const skr_world_t world = some_world ();
    const skr_invitation_t invitation = {.role = SKR_ROLE_WRITE, .expires_ms = UINT64_MAX};
    skr_replica_t *replica = NULL;
    temp_folder_make (folder);
    place (store, folder, "store");
    SKR_TRY (skr_replica_found (store, "studio", "anna", &world));
    SKR_TRY (skr_replica_open (&replica, store, &world));
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_invitation_put (skr_replica_store (replica), ticket_key, &invitation));
    SKR_TRY (skr_replica_commit (replica));
    skr_replica_close (&replica);
    return look (store, start);
}

static bool is_new (const start_t *before, const start_t *after)
{
    return !skr_id_equal (&before->writer, &after->writer)
           && !skr_id_equal (&before->epoch, &after->epoch) && after->writers == before->writers + 1
           && !after->ticket;
}

static bool is_same (const start_t *before, const start_t *after)
{
    return skr_id_equal (&before->writer, &after->writer)
           && skr_id_equal (&before->epoch, &after->epoch) && after->writers == before->writers
           && after->ticket == before->ticket && after->why == before->why;
}

/* ---- tests */

static void restarts_change_nothing (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], name[64], last[64] = "";
    start_t first, again;
    CHECK_OK (make (folder, store, &first));
    CHECK_INT (first.why, SKR_DOUBT_NONE);
    CHECK_INT (first.writers, 1);
    CHECK (first.ticket);
    for (int i = 0; i < 5; i++) {
        CHECK_OK (look (store, &again));
        CHECK (is_same (&first, &again));
        CHECK_INT (count_boots (store, name), 1);
        CHECK (strcmp (name, last) != 0);
        snprintf (last, sizeof last, "%s", name);
    }
    temp_folder_remove (folder);
}

static void a_moved_store_is_the_same (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], other[160];
    start_t first, again;
    CHECK_OK (make (folder, store, &first));
    place (other, folder, "other");
    CHECK_INT (rename (store, other), 0);
    CHECK_OK (look (other, &again));
    CHECK (is_same (&first, &again));
    temp_folder_remove (folder);
}

static void a_copy_is_a_new_writer (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], copy[160];
    start_t first, again, copied;
    CHECK_OK (make (folder, store, &first));
    place (copy, folder, "copy");
    copy_folder (store, copy);
    CHECK_OK (look (copy, &copied));
    CHECK_INT (copied.why, SKR_DOUBT_COPY);
    CHECK (is_new (&first, &copied));
    CHECK_OK (look (copy, &again)); /* and stays the one that it became */
    CHECK (is_same (&copied, &again));
    CHECK_OK (look (store, &again)); /* the first does not know of it */
    CHECK (is_same (&first, &again));
    temp_folder_remove (folder);
}

static void a_copy_before_the_first_start_is_noticed (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], copy[160];
    const skr_world_t world = some_world ();
    start_t first, copied;
    temp_folder_make (folder);
    place (store, folder, "store");
    place (copy, folder, "copy");
    CHECK_OK (skr_replica_found (store, "studio", "anna", &world));
    copy_folder (store, copy);
    CHECK_OK (look (store, &first));
    CHECK_INT (first.why, SKR_DOUBT_NONE);
    CHECK_OK (look (copy, &copied));
    CHECK (is_new (&first, &copied));
    temp_folder_remove (folder);
}

static void another_machine_is_a_new_writer (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160];
    start_t first, carried, nowhere;
    machine = 1;
    CHECK_OK (make (folder, store, &first));
    machine = 2;
    CHECK_OK (look (store, &carried));
    CHECK_INT (carried.why, SKR_DOUBT_MACHINE);
    CHECK (is_new (&first, &carried));
    machine = 0; /* a container: it has no id, and that says nothing */
    CHECK_OK (look (store, &nowhere));
    CHECK (is_same (&carried, &nowhere));
    temp_folder_remove (folder);
}

/* The same files, with what was in them some starts ago. */
static void an_older_state_laid_over_it_is_noticed (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], old[160], name[64];
    start_t first, again;
    for (int starts = 1; starts <= 3; starts++) {
        CHECK_OK (make (folder, store, &first));
        place (old, folder, "old");
        copy_folder (store, old);
        for (int i = 0; i < starts; i++) {
            CHECK_OK (look (store, &again));
        }
        copy_folder (old, store);
        CHECK_OK (look (store, &again));
        CHECK_INT (again.why, SKR_DOUBT_OLDER);
        CHECK (is_new (&first, &again));
        CHECK_INT (count_boots (store, name), 1);
        temp_folder_remove (folder);
    }
}

/* The steps of a start: record, new boot file, old one gone. A crash after any of them is none. */
static void a_crash_while_starting_is_no_copy (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160], before[64], after[64], path[160];
    start_t first, again;
    CHECK_OK (make (folder, store, &first));
    CHECK_INT (count_boots (store, before), 1);
    CHECK_OK (look (store, &again));
    CHECK_INT (count_boots (store, after), 1);
    place (path, store, before);
    close (open (path, O_CREAT | O_WRONLY, 0600)); /* the old one was not removed yet */
    CHECK_OK (look (store, &again));
    CHECK (is_same (&first, &again));
    CHECK_INT (count_boots (store, before), 1);
    CHECK_OK (look (store, &again));
    CHECK_INT (count_boots (store, after), 1);
    place (path, store, after);
    unlink (path);
    place (path, store, before);
    close (open (path, O_CREAT | O_WRONLY, 0600)); /* the new one was not made yet */
    CHECK_OK (look (store, &again));
    CHECK (is_same (&first, &again));
    temp_folder_remove (folder);
}

static void a_renewal_that_fails_leaves_the_old_one (void)
{
    char folder[TEMP_FOLDER_BYTES], store[160];
    const skr_world_t world = some_world ();
    skr_replica_t *replica = NULL;
    start_t first, again;
    CHECK_OK (make (folder, store, &first));
    CHECK_OK (skr_replica_open (&replica, store, &world));
    CHECK_OK (skr_replica_begin (replica));
    CHECK_OK (skr_incarnation_renew (replica, SKR_DOUBT_TWIN));
    CHECK (!skr_id_equal (skr_replica_writer (replica), &first.writer));
    skr_replica_abort (replica);
    CHECK (skr_id_equal (skr_replica_writer (replica), &first.writer));
    CHECK (skr_id_equal (skr_replica_epoch (replica), &first.epoch));
    CHECK_INT (skr_replica_renewal (replica)->why, SKR_DOUBT_NONE);
    CHECK_OK (skr_incarnation_renew (replica, SKR_DOUBT_TWIN));
    CHECK (!skr_replica_in_group (replica));
    CHECK (!skr_id_equal (skr_replica_writer (replica), &first.writer));
    skr_replica_close (&replica);
    CHECK_OK (look (store, &again));
    CHECK_INT (again.why, SKR_DOUBT_TWIN);
    CHECK (is_new (&first, &again));
    temp_folder_remove (folder);
}

/* ---- what cannot be noticed when it is opened */

/* Nobody knows where a store lives: as on a machine that was cloned with its id. */
static const skr_world_t *blind_world (void)
{
    static skr_world_t world;
    world = *skr_world_real ();
    world.home = NULL;
    return &world;
}

typedef struct twins_t {
    pair_t pair;
    char copy[160];
    skr_replica_t *old; /* of pair.a, as it was some changes ago */
    skr_id_t writer, shots;
} twins_t;

/* a writes 5 changes, is copied, writes 5 more; b has all of it. */
static bool part (twins_t *twins)
{
    const skr_world_t *blind = blind_world ();
    pair_t *pair = &twins->pair;
    bool good = pair_open (pair);
    place (twins->copy, pair->folder, "copy");
    skr_replica_collection_id (pair->a, "shots", &twins->shots);
    twins->writer = *skr_replica_writer (pair->a);
    for (int i = 0; i < 5 && good; i++) {
        good = pair_set (pair->a, "shots", "d", i) == SAKER_OK;
    }
    skr_replica_close (&pair->a);
    copy_folder (pair->store_a, twins->copy);
    good = good && skr_replica_open (&pair->a, pair->store_a, blind) == SAKER_OK
           && skr_replica_open (&twins->old, twins->copy, blind) == SAKER_OK;
    for (int i = 5; i < 10 && good; i++) {
        good = pair_set (pair->a, "shots", "d", i) == SAKER_OK;
    }
    return good && pair_sync (pair->a, pair->b, &twins->shots) == SAKER_OK
           && skr_id_equal (skr_replica_writer (twins->old), &twins->writer);
}

static void join (twins_t *twins)
{
    skr_replica_close (&twins->old);
    pair_close (&twins->pair);
}

static bool equal (twins_t *twins, skr_replica_t *one, skr_replica_t *other)
{
    const skr_collection_t *ours = skr_replica_collection (one, &twins->shots);
    const skr_collection_t *theirs = skr_replica_collection (other, &twins->shots);
    return skr_clock_equal (&ours->clock, &theirs->clock)
           && skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint);
}

static saker_err_t sync_all (skr_replica_t *from, skr_replica_t *to, const skr_id_t *collection)
{
    static const skr_id_t roster;
    SKR_TRY (pair_sync (from, to, &roster));
    return pair_sync (from, to, collection);
}

static void what_others_have_of_it_tells (void)
{
    twins_t twins = {.old = NULL};
    uint64_t forks, others;
    CHECK (part (&twins));
    CHECK_OK (sync_all (twins.pair.b, twins.old, &twins.shots));
    CHECK_INT (skr_replica_renewal (twins.old)->why, SKR_DOUBT_AHEAD);
    CHECK (!skr_id_equal (skr_replica_writer (twins.old), &twins.writer));
    CHECK (equal (&twins, twins.pair.b, twins.old));
    CHECK_OK (pair_set (twins.old, "shots", "d", 100));
    CHECK_OK (pair_set (twins.pair.a, "shots", "d", 200));
    CHECK_OK (sync_all (twins.old, twins.pair.b, &twins.shots));
    CHECK_OK (sync_all (twins.pair.a, twins.pair.b, &twins.shots));
    CHECK_OK (sync_all (twins.pair.b, twins.pair.a, &twins.shots));
    CHECK_OK (sync_all (twins.pair.b, twins.old, &twins.shots));
    CHECK (equal (&twins, twins.pair.b, twins.old));
    CHECK (equal (&twins, twins.pair.b, twins.pair.a));
    CHECK_INT (skr_replica_collection (twins.old, &twins.shots)->changes, 12);
    CHECK_OK (skr_fork_count (twins.old, &forks, &others));
    CHECK_INT (forks, 0);
    /* the first was never in doubt */
    CHECK (skr_id_equal (skr_replica_writer (twins.pair.a), &twins.writer));
    join (&twins);
}

/* One increment under an operation id. */
static saker_err_t count_up (skr_replica_t *replica, const char *id, saker_receipt_t *receipt)
{
    skr_buf_t path = {0}, value = {0};
    SKR_TRY (skr_path_from_pointer (&path, "/count"));
    skr_cbor_put_int (&value, 1);
    const skr_intent_t intent = {.kind = SKR_INTENT_INCR,
                                 .document = skr_span_text ("d"),
                                 .path = skr_span_of (&path),
                                 .value = skr_span_of (&value)};
    const skr_local_t local = {
        .collection = "shots", .intents = &intent, .count = 1, .operation_id = skr_span_text (id)};
    saker_err_t error = skr_replica_begin (replica);
    error = error ? error : skr_replica_write (replica, &local, receipt);
    error = error ? error : skr_replica_commit (replica);
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

/* What it did and forgot comes back with its operation id. */
static void is_not_done_twice_after_it_came_back (void)
{
    twins_t twins = {.old = NULL};
    saker_receipt_t first, again;
    CHECK (part (&twins));
    CHECK_OK (count_up (twins.pair.a, "once", &first));
    CHECK_INT (first.seq, 11);
    CHECK_OK (sync_all (twins.pair.a, twins.pair.b, &twins.shots));
    CHECK_OK (sync_all (twins.pair.b, twins.old, &twins.shots));
    CHECK_OK (count_up (twins.old, "once", &again));
    CHECK (again.repeated);
    CHECK_INT (again.seq, 11);
    CHECK (memcmp (again.writer, twins.writer.bytes, 16) == 0);
    CHECK_OK (count_up (twins.pair.b, "once", &again)); /* another device's own id */
    CHECK (!again.repeated);
    join (&twins);
}

static saker_err_t check_fork (const skr_fork_t *fork, void *argument)
{
    skr_change_t other;
    *(skr_fork_t *) argument = *fork;
    SKR_TRY (skr_change_parse (&other, fork->other));
    return other.seq == 8 ? SAKER_OK : skr_fail (SAKER_EINPUT, "another change");
}

/* Both wrote 6 and 7; then the other's 8 does not follow. */
static void a_fork_is_noted (void)
{
    twins_t twins = {.old = NULL};
    const skr_world_t *blind = blind_world ();
    skr_fork_t fork = {.seq = 0};
    uint64_t forks, others;
    CHECK (part (&twins));
    CHECK_OK (pair_set (twins.old, "shots", "mine", 1));
    CHECK_OK (pair_set (twins.old, "shots", "mine", 2));
    for (int again = 0; again < 2; again++) {
        CHECK_OK (sync_all (twins.pair.b, twins.old, &twins.shots));
        CHECK_INT (skr_replica_renewal (twins.old)->why, SKR_DOUBT_FORK);
    }
    CHECK_OK (skr_fork_count (twins.old, &forks, &others));
    CHECK_INT (forks, 1);
    CHECK_INT (others, 3); /* the other's 8, 9, 10 */
    CHECK_OK (skr_fork_each (twins.old, check_fork, &fork));
    CHECK_INT (fork.seq, 7);
    CHECK (skr_id_equal (&fork.writer, &twins.writer));
    CHECK (skr_id_equal (&fork.collection, &twins.shots));
    skr_span_t other;
    CHECK_OK (skr_fork_other (twins.old, &fork, 8, &other));
    bool known;
    CHECK_OK (skr_fork_parts (twins.old, &fork, &known));
    CHECK (!known); /* both wrote 6 as well */
    skr_id_t writer = *skr_replica_writer (twins.old);
    CHECK (!skr_id_equal (&writer, &twins.writer));
    CHECK_OK (pair_set (twins.old, "shots", "mine", 3)); /* as the new writer */
    skr_replica_close (&twins.old);
    CHECK_OK (skr_replica_open (&twins.old, twins.copy, blind)); /* and all of it is durable */
    CHECK (skr_id_equal (skr_replica_writer (twins.old), &writer));
    CHECK_OK (skr_fork_count (twins.old, &forks, &others));
    CHECK_INT (forks, 1);
    CHECK_INT (others, 3); /* the other's 8, 9, 10 */
    join (&twins);
}

/* The same change under the same number, offered again, is no fork; one of the same number is. */
static void the_fork_moves_down_to_where_it_began (void)
{
    twins_t twins = {.old = NULL};
    skr_clock_t have = {0};
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count = 0;
    bool more = false;
    uint64_t forks, others;
    CHECK (part (&twins));
    CHECK_OK (pair_set (twins.old, "shots", "mine", 1));
    CHECK_OK (pair_set (twins.old, "shots", "mine", 2));
    CHECK_OK (sync_all (twins.pair.b, twins.old, &twins.shots));
    CHECK_OK (skr_clock_set (&have, &twins.writer, 3)); /* b's 4, 5: the same; 6: another */
    CHECK_OK (
        skr_replica_pull (twins.pair.b, &twins.shots, &have, 1 << 20, &changes, &count, &more));
    CHECK_INT (count, 7);
    skr_cbor_open (&cbor, skr_span_of (&changes));
    CHECK_OK (skr_replica_begin (twins.old));
    for (size_t i = 0; i < count; i++) {
        skr_outcome_t outcome;
        CHECK_OK (skr_replica_offer (twins.old, skr_cbor_get_bytes (&cbor), &outcome));
        CHECK_INT (outcome, i < 2 ? SKR_KNOWN : i < 5 ? SKR_REFUSED : SKR_WAITING);
    }
    CHECK_OK (skr_replica_commit (twins.old));
    CHECK_OK (skr_fork_count (twins.old, &forks, &others));
    CHECK_INT (forks, 1);
    CHECK_INT (others, 5);
    skr_clock_free (&have);
    skr_buf_free (&changes);
    join (&twins);
}

/* The copy wrote "mine" and counted where the other wrote "d", under the same numbers 6 to 8. */
static bool fork_it (twins_t *twins)
{
    skr_clock_t have = {0};
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count = 0;
    bool more = false;
    saker_receipt_t receipt;
    bool good =
        part (twins) && pair_set (twins->old, "shots", "mine", 1) == SAKER_OK
        && pair_set (twins->old, "shots", "mine", 2) == SAKER_OK
        && count_up (twins->old, "mine", &receipt) == SAKER_OK
        && sync_all (twins->pair.b, twins->old, &twins->shots) == SAKER_OK
        && skr_clock_set (&have, &twins->writer, 3) == SAKER_OK
        && skr_replica_pull (twins->pair.b, &twins->shots, &have, 1 << 20, &changes, &count, &more)
               == SAKER_OK
        && skr_replica_begin (twins->old) == SAKER_OK;
    skr_cbor_open (&cbor, skr_span_of (&changes));
    for (size_t i = 0; i < count && good; i++) {
        skr_outcome_t outcome;
        good = skr_replica_offer (twins->old, skr_cbor_get_bytes (&cbor), &outcome) == SAKER_OK;
    }
    good = good && skr_replica_commit (twins->old) == SAKER_OK;
    skr_clock_free (&have);
    skr_buf_free (&changes);
    return good;
}

static saker_err_t settle (twins_t *twins, bool twin)
{
    fake_neighbours_t fake;
    fake_neighbours_init (&fake, twins->old, twins->pair.b, skr_world_real ());
    const skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    SKR_TRY (skr_settle_forks (twins->old, &neighbours, twin));
    return skr_replica_commit (twins->old);
}

static bool all_equal (twins_t *twins, bool with_first)
{
    skr_replica_t *all[] = {twins->old, twins->pair.b, twins->pair.a};
    size_t count = with_first ? 3 : 2;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < count; k++) {
                if (i != k && sync_all (all[i], all[k], &twins->shots) != SAKER_OK) {
                    return false;
                }
            }
        }
    }
    return equal (twins, twins->old, twins->pair.b)
           && (!with_first || equal (twins, twins->old, twins->pair.a));
}

static uint64_t forked_at (const skr_replica_t *replica, const twins_t *twins)
{
    return skr_roster_forked_at (skr_replica_roster (replica), &twins->writer, &twins->shots);
}

/* Each issues its own branch again. */
static void a_fork_of_two_that_live_is_settled (void)
{
    twins_t twins = {.old = NULL};
    uint64_t forks, others;
    CHECK (fork_it (&twins));
    CHECK_OK (settle (&twins, true));
    CHECK_INT (forked_at (twins.old, &twins), 6);
    CHECK (all_equal (&twins, true));
    CHECK_INT (forked_at (twins.pair.a, &twins), 6);
    const skr_collection_t *shots = skr_replica_collection (twins.pair.b, &twins.shots);
    CHECK_INT (skr_clock_get (&shots->clock, &twins.writer), 5);
    CHECK_INT (shots->changes, 5 + 5 + 3); /* nothing is gone, nothing is there twice */
    CHECK_INT (shots->documents, 2);
    CHECK_OK (skr_fork_count (twins.old, &forks, &others));
    CHECK_INT (forks, 0);
    CHECK_INT (others, 0);
    join (&twins);
}

/* The other is gone, for its disk was rolled back: what it wrote comes again with ours; not at
 * once. */
static void a_fork_with_the_past_is_settled (void)
{
    twins_t twins = {.old = NULL};
    CHECK (fork_it (&twins));
    CHECK_OK (settle (&twins, false));
    CHECK_INT (forked_at (twins.old, &twins), 0);
    twins.old->forked_ms = 1;
    CHECK_OK (settle (&twins, false));
    CHECK_INT (forked_at (twins.old, &twins), 6);
    CHECK (all_equal (&twins, false));
    const skr_collection_t *shots = skr_replica_collection (twins.pair.b, &twins.shots);
    CHECK_INT (shots->changes, 5 + 5 + 3);
    /* and should it have been alive all the same, it does not issue that once more */
    CHECK (all_equal (&twins, true));
    shots = skr_replica_collection (twins.pair.b, &twins.shots);
    CHECK_INT (shots->changes, 5 + 5 + 3);
    join (&twins);
}

/* b, as it was before its right was taken and given back: what it began as did not know of that, so
   it is closed, while what the store that is gone went on as is open. */
static void a_store_from_before_it_was_revoked_goes_on (void)
{
    pair_t pair;
    skr_id_t shots;
    char copy[160];
    CHECK (pair_open (&pair));
    place (copy, pair.folder, "copy");
    skr_replica_collection_id (pair.a, "shots", &shots);
    CHECK_OK (pair_set (pair.b, "shots", "d", 1));
    CHECK_OK (sync_all (pair.b, pair.a, &shots));
    skr_replica_close (&pair.b);
    copy_folder (pair.store_b, copy);
    CHECK_OK (skr_replica_open (&pair.b, pair.store_b, skr_world_real ()));
    CHECK_OK (pair_role (pair.a, pair.b, SKR_ROLE_NONE));
    CHECK_OK (pair_role (pair.a, pair.b, SKR_ROLE_WRITE));
    CHECK_OK (sync_all (pair.a, pair.b, &shots));
    CHECK_OK (pair_set (pair.b, "shots", "d", 2));
    CHECK_OK (sync_all (pair.b, pair.a, &shots));
    skr_replica_close (&pair.b);

    CHECK_OK (skr_replica_open (&pair.b, copy, skr_world_real ()));
    const skr_id_t begun = *skr_replica_writer (pair.b);
    CHECK (!skr_roster_is_shut_out (skr_replica_roster (pair.b), &begun));
    CHECK_OK (sync_all (pair.b, pair.a, &shots));
    CHECK_OK (sync_all (pair.a, pair.b, &shots));
    CHECK (skr_roster_is_shut_out (skr_replica_roster (pair.b), &begun));
    fake_neighbours_t fake;
    fake_neighbours_init (&fake, pair.b, pair.a, skr_world_real ());
    skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    CHECK_OK (skr_succeed (pair.b, &neighbours, false));
    CHECK_OK (skr_replica_commit (pair.b));
    CHECK_INT (skr_replica_renewal (pair.b)->why, SKR_DOUBT_CLOSED);
    const skr_id_t now = *skr_replica_writer (pair.b);
    skr_id_t present;
    CHECK (!skr_id_equal (&now, &begun));
    CHECK_OK (sync_all (pair.b, pair.a, &shots));
    CHECK_INT (skr_roster_present (skr_replica_roster (pair.a),
                                   skr_device_key (skr_replica_device (pair.b)), &present),
               2);
    CHECK (skr_id_equal (&present, &now));
    /* once is enough */
    CHECK_OK (skr_succeed (pair.b, &neighbours, false));
    CHECK_OK (skr_replica_commit (pair.b));
    CHECK (skr_id_equal (skr_replica_writer (pair.b), &now));
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (restarts_change_nothing);
    RUN (a_moved_store_is_the_same);
    RUN (a_copy_is_a_new_writer);
    RUN (a_copy_before_the_first_start_is_noticed);
    RUN (another_machine_is_a_new_writer);
    RUN (an_older_state_laid_over_it_is_noticed);
    RUN (a_crash_while_starting_is_no_copy);
    RUN (a_renewal_that_fails_leaves_the_old_one);
    RUN (what_others_have_of_it_tells);
    RUN (is_not_done_twice_after_it_came_back);
    RUN (a_fork_is_noted);
    RUN (the_fork_moves_down_to_where_it_began);
    RUN (a_fork_of_two_that_live_is_settled);
    RUN (a_fork_with_the_past_is_settled);
    RUN (a_store_from_before_it_was_revoked_goes_on);
    return CHECK_END ();
}
