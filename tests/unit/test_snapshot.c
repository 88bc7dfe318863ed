/* Snapshots: what is taken equals what was made, damage and lies are not taken, nothing is left of
   what was not finished. */

#include "peer/cut.h"
#include "peer/replica_internal.h"
#include "peer/snapshot.h"

#include "tests/check.h"
#include "tests/lib/pair.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const skr_id_t roster_id;
static const char *const collection = "shots";

/* Two members with data, and a third that is to take it. */
typedef struct trio_t {
    pair_t pair;
    char store_c[96];
    char file[96];
    skr_replica_t *c;
    skr_id_t id;
    int joined;
} trio_t;

static bool join_c (trio_t *trio)
{
    char name[32];
    skr_replica_close (&trio->c);
    trio->joined++;
    (void) snprintf (name, sizeof name, "gamma%d", trio->joined);
    (void) snprintf (trio->store_c, sizeof trio->store_c, "%s/c%d", trio->pair.folder,
                     trio->joined);
    return pair_adopt (trio->pair.a, trio->store_c, name, SKR_ROLE_WRITE, &trio->c)
           && pair_sync (trio->pair.b, trio->c, &roster_id) == SAKER_OK
           && pair_sync (trio->c, trio->pair.a, &roster_id) == SAKER_OK
           && pair_sync (trio->pair.a, trio->pair.b, &roster_id) == SAKER_OK;
}

static bool open_trio (trio_t *trio)
{
    memset (trio, 0, sizeof *trio);
    if (!pair_open (&trio->pair)
        || pair_sync (trio->pair.b, trio->pair.a, &roster_id) != SAKER_OK) {
        return false;
    }
    (void) snprintf (trio->file, sizeof trio->file, "%s/snapshot", trio->pair.folder);
    skr_replica_collection_id (trio->pair.a, collection, &trio->id);
    return join_c (trio);
}

static void close_trio (trio_t *trio)
{
    skr_replica_close (&trio->c);
    pair_close (&trio->pair);
}

/* ---- writing */

static saker_err_t write_one (skr_replica_t *replica, skr_intent_kind_t kind, const char *document,
                              const char *pointer, int64_t number)
{
    skr_buf_t path = {0}, value = {0};
    saker_receipt_t receipt;
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    skr_cbor_put_int (&value, number);
    skr_intent_t intent = {.kind = kind,
                           .document = skr_span_text (document),
                           .path = skr_span_of (&path),
                           .value = skr_span_of (&value)};
    if (kind == SKR_INTENT_DELETE || kind == SKR_INTENT_SET_MAP) {
        intent.value = skr_span (NULL, 0);
    }
    skr_local_t local = {.collection = collection, .intents = &intent, .count = 1};
    error = error ? error : skr_replica_write (replica, &local, &receipt);
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

static saker_err_t write_some (skr_replica_t *replica, int count, uint64_t *random)
{
    static const skr_intent_kind_t kinds[] = {SKR_INTENT_SET,     SKR_INTENT_SET_LWW,
                                              SKR_INTENT_INCR,    SKR_INTENT_ADD,
                                              SKR_INTENT_SET_MAP, SKR_INTENT_DELETE};
    static const char *const places[] = {"/a", "/b", "/n", "/s", "/m", "/a"};
    SKR_TRY (skr_replica_begin (replica));
    for (int i = 0; i < count; i++) {
        char document[16];
        size_t kind = check_random (random) % 6;
        (void) snprintf (document, sizeof document, "d%d", (int) (check_random (random) % 40));
        saker_err_t error = write_one (replica, kinds[kind], document, places[kind],
                                       1 + (int64_t) (check_random (random) % 99));
        if (error && error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_replica_commit (replica);
}

static saker_err_t write_everywhere (trio_t *trio, int rounds, uint64_t *random)
{
    for (int i = 0; i < rounds; i++) {
        SKR_TRY (write_some (trio->pair.a, 40, random));
        SKR_TRY (write_some (trio->pair.b, 20, random));
        SKR_TRY (pair_sync (trio->pair.a, trio->pair.b, &trio->id));
        SKR_TRY (pair_sync (trio->pair.b, trio->pair.a, &trio->id));
    }
    return SAKER_OK;
}

/* ---- comparing */

typedef struct sum_t {
    const skr_id_t *id;
    skr_fingerprint_t fingerprint;
} sum_t;

static saker_err_t add_cell (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    sum_t *sum = argument;
    skr_fingerprint_add (&sum->fingerprint, sum->id, document, entry);
    return SAKER_OK;
}

static bool adds_up (skr_replica_t *replica, const skr_collection_t *held)
{
    sum_t sum = {.id = &held->id};
    return skr_cells_store_all (replica->cells, SKR_COMMITTED, held->no, add_cell, &sum) == SAKER_OK
           && skr_fingerprint_equal (&sum.fingerprint, &held->fingerprint);
}

static bool agree (skr_replica_t *one, skr_replica_t *other, const skr_id_t *id)
{
    const skr_collection_t *first = skr_replica_collection (one, id);
    const skr_collection_t *second = skr_replica_collection (other, id);
    return first && second && skr_clock_equal (&first->clock, &second->clock)
           && skr_fingerprint_equal (&first->fingerprint, &second->fingerprint)
           && first->documents == second->documents && first->changes == second->changes
           && strcmp (first->name, second->name) == 0 && adds_up (one, first)
           && adds_up (other, second);
}

/* What a pull from nothing answers. */
static saker_err_t whole_log (skr_replica_t *replica, const skr_id_t *id, skr_buf_t *changes)
{
    static const skr_clock_t nothing;
    size_t count;
    bool more;
    return skr_replica_pull (replica, id, &nothing, 1u << 30, changes, &count, &more);
}

typedef struct strays_t {
    skr_replica_t *replica;
    size_t count;
} strays_t;

static saker_err_t see_numbered (skr_span_t key, skr_span_t value, void *argument)
{
    strays_t *strays = argument;
    (void) value;
    strays->count += skr_holdings_by_no (strays->replica, skr_get_u32 (key.data)) == NULL;
    return SAKER_OK;
}

static saker_err_t see_noted (skr_span_t key, skr_span_t value, void *argument)
{
    strays_t *strays = argument;
    (void) key;
    (void) value;
    strays->count++;
    return SAKER_OK;
}

/* Records that belong to no collection. */
static size_t count_strays (skr_replica_t *replica)
{
    static const skr_table_t tables[] = {SKR_CELLS, SKR_DOCUMENTS, SKR_DOCUMENT_IDS, SKR_TICKS,
                                         SKR_POSITIONS};
    strays_t strays = {replica, 0};
    skr_span_t none = skr_span (NULL, 0), noted = skr_span_text ("unfinished");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (skr_store_scan (replica->store, SKR_COMMITTED, tables[i], none, none, see_numbered,
                            &strays)) {
            return SIZE_MAX;
        }
    }
    return skr_store_scan (replica->store, SKR_COMMITTED, SKR_META, noted, none, see_noted, &strays)
               ? SIZE_MAX
               : strays.count;
}

/* ---- making and taking */

static saker_err_t make_file (skr_replica_t *replica, trio_t *trio)
{
    uint64_t size;
    uint8_t hash[32];
    (void) unlink (trio->file);
    return skr_snapshot_make (replica, &trio->id, &(skr_extract_t){0}, trio->file, &size, hash);
}

static uint8_t *load (const char *file, size_t *size)
{
    struct stat status;
    FILE *in = fopen (file, "rb");
    uint8_t *data = NULL;
    if (in && fstat (fileno (in), &status) == 0 && (data = malloc ((size_t) status.st_size))) {
        *size = fread (data, 1, (size_t) status.st_size, in);
    }
    if (in) {
        (void) fclose (in);
    }
    return data;
}

static bool save (const char *file, const uint8_t *data, size_t size)
{
    FILE *out = fopen (file, "wb");
    bool good = out && fwrite (data, 1, size, out) == size;
    return out && fclose (out) == 0 && good;
}

static void tells_size_and_hash (void)
{
    trio_t trio;
    uint64_t random = check_seed (), size = 0;
    uint8_t hash[32], wanted[32];
    size_t loaded = 0;
    struct stat status;
    CHECK (open_trio (&trio));
    CHECK_ERR (make_file (trio.pair.a, &trio), SAKER_ENOTFOUND, "no such collection");
    CHECK_OK (write_everywhere (&trio, 3, &random));
    CHECK_OK (
        skr_snapshot_make (trio.pair.a, &trio.id, &(skr_extract_t){0}, trio.file, &size, hash));
    uint8_t *data = load (trio.file, &loaded);
    CHECK (data);
    CHECK_INT (loaded, size);
    crypto_generichash (wanted, sizeof wanted, data, loaded, NULL, 0);
    CHECK (memcmp (hash, wanted, sizeof hash) == 0);
    CHECK (stat (trio.file, &status) == 0);
    CHECK_INT (status.st_mode & 0777, 0600);
    CHECK_ERR (
        skr_snapshot_make (trio.pair.a, &trio.id, &(skr_extract_t){0}, trio.file, &size, hash),
        SAKER_EEXIST, "there already");
    (void) unlink (trio.file);
    CHECK_ERR (
        skr_snapshot_make (trio.pair.a, &roster_id, &(skr_extract_t){0}, trio.file, &size, hash),
        SAKER_EINPUT, "roster");
    free (data);
    close_trio (&trio);
}

static void takes_into_nothing (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    skr_buf_t ours = {0}, theirs = {0};
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 20, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));
    skr_id_t epoch = *skr_replica_epoch (trio.c);
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    CHECK_INT (count_strays (trio.c), 0);
    CHECK (!skr_id_equal (&epoch, skr_replica_epoch (trio.c)));
    CHECK (trio.c->hlc >= trio.pair.a->hlc); /* what it writes next is later */
    CHECK_OK (whole_log (trio.pair.a, &trio.id, &ours));
    CHECK_OK (whole_log (trio.c, &trio.id, &theirs));
    CHECK (skr_span_equal (skr_span_of (&ours), skr_span_of (&theirs)));

    /* It goes on, both ways, and after it was closed. */
    skr_replica_close (&trio.c);
    CHECK_OK (skr_replica_open (&trio.c, trio.store_c, skr_world_real ()));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    CHECK_OK (write_some (trio.c, 30, &random));
    CHECK_OK (pair_sync (trio.c, trio.pair.a, &trio.id));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    CHECK_OK (write_some (trio.pair.b, 30, &random));
    CHECK_OK (pair_sync (trio.pair.b, trio.c, &trio.id));
    CHECK_OK (pair_sync (trio.c, trio.pair.b, &trio.id));
    CHECK (agree (trio.pair.b, trio.c, &trio.id));

    /* And it can be handed on. */
    CHECK_OK (make_file (trio.c, &trio));
    CHECK_OK (skr_snapshot_take (trio.pair.a, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    skr_buf_free (&ours);
    skr_buf_free (&theirs);
    close_trio (&trio);
}

/* A member that has some of it, and changes of its own that nobody else has. */
static void keeps_what_is_beyond (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 4, &random));
    CHECK_OK (write_some (trio.pair.b, 50, &random));
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &trio.id));
    CHECK_OK (write_some (trio.c, 20, &random));
    CHECK_OK (pair_sync (trio.c, trio.pair.b, &trio.id));
    CHECK_OK (write_some (trio.pair.b, 50, &random));
    CHECK_OK (write_some (trio.pair.a, 50, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));

    CHECK_OK (skr_snapshot_take (trio.pair.b, &trio.id, trio.file));
    CHECK_INT (count_strays (trio.pair.b), 0);
    const skr_collection_t *held = skr_replica_collection (trio.pair.b, &trio.id);
    CHECK (held && adds_up (trio.pair.b, held));
    CHECK_OK (write_some (trio.pair.b, 5, &random));
    CHECK_OK (pair_sync (trio.pair.b, trio.pair.a, &trio.id));
    CHECK (agree (trio.pair.a, trio.pair.b, &trio.id));
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &trio.id));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));

    /* It would bring nothing now, and changes nothing. */
    uint32_t no = skr_replica_collection (trio.pair.b, &trio.id)->no;
    CHECK_OK (skr_snapshot_take (trio.pair.b, &trio.id, trio.file));
    CHECK_INT (skr_replica_collection (trio.pair.b, &trio.id)->no, no);
    close_trio (&trio);
}

/* The first change after a snapshot names it: whoever has not got it yet must wait. */
static void names_what_it_brought (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    skr_outcome_t outcome;
    skr_buf_t changes = {0};
    size_t count;
    bool more;
    CHECK (open_trio (&trio));
    /* Before the random ones, which may all be deletes of nothing. */
    CHECK_OK (skr_replica_begin (trio.c));
    CHECK_OK (write_one (trio.c, SKR_INTENT_SET, "first", "/a", 1));
    CHECK_OK (skr_replica_commit (trio.c));
    CHECK_OK (write_some (trio.c, 3, &random));
    CHECK_OK (pair_sync (trio.c, trio.pair.a, &trio.id));
    CHECK_OK (pair_sync (trio.c, trio.pair.b, &trio.id));
    CHECK_OK (write_some (trio.pair.a, 10, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    skr_clock_t had = {0};
    CHECK_OK (skr_clock_copy (&had, &skr_replica_collection (trio.c, &trio.id)->clock));
    CHECK_OK (skr_replica_begin (trio.c));
    CHECK_OK (write_one (trio.c, SKR_INTENT_SET, "new", "/new", 1));
    CHECK_OK (skr_replica_commit (trio.c));
    CHECK_OK (skr_replica_pull (trio.c, &trio.id, &had, 1 << 20, &changes, &count, &more));
    CHECK_INT (count, 1);
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&changes));
    CHECK_OK (skr_replica_begin (trio.pair.b));
    CHECK_OK (skr_replica_offer (trio.pair.b, skr_cbor_get_bytes (&cbor), &outcome));
    CHECK_INT (outcome, SKR_WAITING);
    CHECK_OK (skr_replica_commit (trio.pair.b));
    CHECK_OK (pair_sync (trio.pair.a, trio.pair.b, &trio.id));
    CHECK (agree (trio.c, trio.pair.b, &trio.id));
    skr_clock_free (&had);
    skr_buf_free (&changes);
    close_trio (&trio);
}

static saker_err_t write_alone (skr_replica_t *replica, const char *document)
{
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (write_one (replica, SKR_INTENT_SET, document, "/a", 1));
    return skr_replica_commit (replica);
}

/* What the change that the replica made last names of a writer as seen. */
static uint64_t named (skr_replica_t *replica, const skr_id_t *id, const skr_id_t *writer)
{
    uint64_t seq = UINT64_MAX;
    skr_clock_t had = {0}, deps = {0};
    skr_buf_t changes = {0};
    skr_change_t change;
    skr_cbor_t cbor;
    size_t count;
    bool more;
    const skr_id_t *own = skr_replica_writer (replica);
    if (skr_clock_copy (&had, &skr_replica_collection (replica, id)->clock) == SAKER_OK
        && skr_clock_set (&had, own, skr_clock_get (&had, own) - 1) == SAKER_OK
        && skr_replica_pull (replica, id, &had, 1 << 20, &changes, &count, &more) == SAKER_OK) {
        skr_cbor_open (&cbor, skr_span_of (&changes));
        if (skr_change_parse (&change, skr_cbor_get_bytes (&cbor)) == SAKER_OK
            && skr_change_deps (&change, &deps) == SAKER_OK) {
            seq = skr_clock_get (&deps, writer);
        }
    }
    skr_clock_free (&had);
    skr_clock_free (&deps);
    skr_buf_free (&changes);
    return seq;
}

/* Also when some of what it brought is taken back before that change is made: its log is in the
   order of its sender, who applied our change after others that we had not seen. */
static void names_it_after_a_fence (void)
{
    trio_t trio;
    CHECK (open_trio (&trio));
    skr_id_t writer = *skr_replica_writer (trio.pair.b);
    CHECK_OK (write_alone (trio.pair.b, "b1"));
    CHECK_OK (pair_sync (trio.pair.b, trio.pair.a, &trio.id));
    CHECK_OK (write_alone (trio.pair.b, "b2"));
    CHECK_OK (write_alone (trio.c, "c1"));
    CHECK_OK (pair_sync (trio.c, trio.pair.b, &trio.id));
    CHECK_OK (make_file (trio.pair.b, &trio));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK_OK (skr_replica_begin (trio.pair.a));
    CHECK_OK (skr_replica_fence (trio.pair.a, skr_device_key (skr_replica_device (trio.pair.b))));
    CHECK_OK (skr_replica_commit (trio.pair.a));
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &roster_id));
    CHECK_INT (skr_clock_get (&skr_replica_collection (trio.c, &trio.id)->clock, &writer), 1);
    CHECK_OK (write_alone (trio.c, "c2"));
    CHECK_INT (named (trio.c, &trio.id, &writer), 1);
    CHECK_OK (write_alone (trio.c, "c3"));
    CHECK_INT (named (trio.c, &trio.id, &writer), 0);
    close_trio (&trio);
}

/* ---- what is not taken */

/* A flip may hit the undo, which nothing vouches for but the hash of the file: then it is taken. */
static void take_flipped (trio_t *trio, const uint8_t *data, size_t size, uint64_t *random,
                          int *refused)
{
    uint8_t *copy = malloc (size);
    CHECK (copy);
    memcpy (copy, data, size);
    copy[check_random (random) % size] ^= (uint8_t) (1 << check_random (random) % 8);
    CHECK (save (trio->file, copy, size));
    free (copy);
    saker_err_t error = skr_snapshot_take (trio->c, &trio->id, trio->file);
    if (error) {
        ++*refused;
        CHECK (skr_replica_collection (trio->c, &trio->id) == NULL);
        CHECK (strstr (skr_error (), "take a snapshot: "));
    } else {
        const skr_collection_t *ours = skr_replica_collection (trio->pair.a, &trio->id);
        const skr_collection_t *theirs = skr_replica_collection (trio->c, &trio->id);
        CHECK (ours && theirs && skr_clock_equal (&ours->clock, &theirs->clock));
        CHECK (skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint));
        CHECK (join_c (trio));
    }
    CHECK_INT (count_strays (trio->c), 0);
}

static void refuses_flipped_files (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    size_t size = 0;
    int refused = 0;
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 1, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));
    uint8_t *data = load (trio.file, &size);
    CHECK (data);
    for (int i = 0; i < 150 && !check_bad; i++) {
        take_flipped (&trio, data, size, &random, &refused);
    }
    CHECK (refused > 100);
    CHECK (save (trio.file, data, size));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    free (data);
    close_trio (&trio);
}

static void refuses_other_files (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    size_t size = 0;
    skr_id_t other = {{1}};
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 1, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK_ERR (skr_snapshot_take (trio.c, &other, trio.file), SAKER_EINPUT, "another collection");
    CHECK_ERR (skr_snapshot_take (trio.c, &roster_id, trio.file), SAKER_EINPUT, "roster");
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, "/does/not/exist"), SAKER_EIO, "No such file");
    uint8_t *data = load (trio.file, &size);
    CHECK (data);
    for (size_t cut = 1; cut < size; cut += 1 + size / 40) {
        CHECK (save (trio.file, data, size - cut));
        CHECK_INT (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EINPUT);
        CHECK_INT (count_strays (trio.c), 0);
    }
    uint8_t *longer = calloc (1, size + 1);
    CHECK (longer);
    memcpy (longer, data, size);
    CHECK (save (trio.file, longer, size + 1));
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EINPUT, "at its end");
    longer[2] = 4; /* map, key 0, version */
    CHECK (save (trio.file, longer, size));
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EVERSION, "version 4");
    CHECK (skr_replica_collection (trio.c, &trio.id) == NULL);
    free (longer);
    free (data);
    close_trio (&trio);
}

/* ---- files that somebody made with care */

enum { PARTS_MAX = 2000 };

/* A snapshot taken apart; borrows from the file's bytes. */
typedef struct parts_t {
    uint8_t *data;
    skr_span_t header; /* up to its counts */
    skr_span_t cut, hlc;
    skr_span_t entries[PARTS_MAX], changes[PARTS_MAX];
    size_t entries_count, changes_count;
} parts_t;

static void put_counts (skr_buf_t *buf, const parts_t *parts)
{
    skr_cbor_put_uint (buf, 6);
    skr_cbor_put_uint (buf, parts->entries_count);
    skr_cbor_put_uint (buf, 7);
    skr_cbor_put_uint (buf, parts->changes_count);
    skr_cbor_put_uint (buf, 8);
    skr_buf_append_span (buf, parts->cut);
    skr_cbor_put_uint (buf, 9);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, 10);
    skr_buf_append_span (buf, parts->hlc);
}

static skr_span_t find_pair (skr_span_t header, int64_t key)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    skr_span_t value = {0};
    skr_cbor_open (&cbor, header);
    (void) skr_cbor_get_map (&cbor, 11);
    while (last < key) {
        (void) skr_cbor_get_key (&cbor, &last);
        value = skr_cbor_get_raw (&cbor);
    }
    return value;
}

static bool take_apart (const char *file, parts_t *parts)
{
    size_t size = 0;
    skr_cbor_t cbor;
    skr_buf_t counts = {0};
    memset (parts, 0, sizeof *parts);
    parts->data = load (file, &size);
    if (!parts->data) {
        return false;
    }
    skr_cbor_open (&cbor, skr_span (parts->data, size));
    parts->header = skr_cbor_get_raw (&cbor);
    parts->cut = find_pair (parts->header, 8);
    parts->hlc = find_pair (parts->header, 10);
    while (skr_cbor_peek (&cbor) != SKR_CBOR_END
           && parts->entries_count + parts->changes_count < PARTS_MAX) {
        skr_span_t part = skr_cbor_get_raw (&cbor);
        if (part.data[0] == 0x87) { /* an array of 7 */
            parts->entries[parts->entries_count++] = part;
        } else {
            parts->changes[parts->changes_count++] = part;
        }
    }
    put_counts (&counts, parts);
    parts->header.size -= counts.size;
    skr_buf_free (&counts);
    return skr_cbor_close (&cbor) == SAKER_OK;
}

static bool put_together (const char *file, const parts_t *parts)
{
    skr_buf_t buf = {0};
    skr_buf_append_span (&buf, parts->header);
    put_counts (&buf, parts);
    for (size_t i = 0; i < parts->entries_count; i++) {
        skr_buf_append_span (&buf, parts->entries[i]);
    }
    for (size_t i = 0; i < parts->changes_count; i++) {
        skr_buf_append_span (&buf, parts->changes[i]);
    }
    bool good = !buf.failed && save (file, buf.data, buf.size);
    skr_buf_free (&buf);
    return good;
}

/* A log entry with another undo, or with its signature flipped. */
static void remake_change (skr_span_t part, bool forge, skr_span_t undo, skr_buf_t *made)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, part);
    (void) skr_cbor_get_array (&cbor, 2);
    skr_span_t raw = skr_cbor_get_bytes (&cbor);
    skr_buf_clear (made);
    skr_cbor_put_array (made, 2);
    skr_cbor_put_bytes (made, raw.data, raw.size);
    made->data[made->size - 1] ^= forge; /* a signed change ends with its signature */
    skr_cbor_put_bytes (made, undo.data, undo.size);
}

#define CHECK_REFUSED(wanted, words)                                                               \
    do {                                                                                           \
        CHECK (put_together (trio.file, parts));                                                   \
        CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), wanted, words);                \
        CHECK (skr_replica_collection (trio.c, &trio.id) == NULL);                                 \
        CHECK_INT (count_strays (trio.c), 0);                                                      \
    } while (0)

static void refuses_lies (void)
{
    static const uint8_t garbage[] = {0xff};
    static const uint8_t no_undo[] = {0x80};
    static parts_t whole, changed;
    parts_t *parts = &changed;
    trio_t trio;
    skr_buf_t made = {0};
    CHECK (open_trio (&trio));
    for (int i = 0; i < 3; i++) {
        CHECK_OK (pair_set (trio.pair.a, collection, "one", i));
        CHECK_OK (pair_sync (trio.pair.a, trio.pair.b, &trio.id));
        CHECK_OK (pair_set (trio.pair.b, collection, "two", i));
        CHECK_OK (pair_sync (trio.pair.b, trio.pair.a, &trio.id));
    }
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK (take_apart (trio.file, &whole));
    CHECK_INT (whole.entries_count, 2);
    CHECK_INT (whole.changes_count, 6);

    changed = whole;
    remake_change (whole.changes[3], true, skr_span (no_undo, 1), &made);
    changed.changes[3] = skr_span_of (&made);
    CHECK_REFUSED (SAKER_EFORGED, "change 3: ");
    remake_change (whole.changes[3], false, skr_span (garbage, 1), &made);
    changed.changes[3] = skr_span_of (&made);
    CHECK_REFUSED (SAKER_EINPUT, "change 3: ");
    changed = whole;
    changed.changes[2] = whole.changes[3];
    changed.changes[3] = whole.changes[2];
    CHECK_REFUSED (SAKER_EINPUT, "comes before one that it depends on");
    changed = whole;
    changed.changes[0] = whole.changes[2];
    changed.changes[2] = whole.changes[0];
    CHECK_REFUSED (SAKER_EINPUT, "not in its turn");
    changed = whole;
    changed.changes_count--;
    CHECK_REFUSED (SAKER_EINPUT, "clock, cut and log do not match");
    changed = whole;
    changed.entries[changed.entries_count++] = whole.entries[0];
    CHECK_REFUSED (SAKER_EDAMAGED, "there already");
    changed = whole;
    changed.entries_count--;
    CHECK_REFUSED (SAKER_EDAMAGED, "do not add up to its fingerprint");
    changed = whole;
    const uint8_t *hash = trio.pair.a->held[1]->chains.list[0].hash;
    uint8_t *at = memmem (whole.data, whole.header.size, hash, SKR_HASH_BYTES);
    CHECK (at);
    *at ^= 1;
    CHECK_REFUSED (SAKER_EFORGED, "does not end with the hash");
    *at ^= 1;
    CHECK (put_together (trio.file, &whole));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    skr_buf_free (&made);
    free (whole.data);
    close_trio (&trio);
}

/* A false end of our own chain would make our next change a fork. */
static void refuses_changes_of_ours_unshown (void)
{
    static parts_t parts;
    trio_t trio;
    uint64_t random = check_seed ();
    skr_buf_t all = {0};
    CHECK (open_trio (&trio));
    CHECK_OK (write_some (trio.pair.a, 5, &random));
    CHECK_OK (pair_set (trio.pair.a, collection, "one", 1));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK (take_apart (trio.file, &parts));
    skr_clock_put (&all, &skr_replica_collection (trio.pair.a, &trio.id)->clock);
    parts.changes_count = 0;
    parts.cut = skr_span_of (&all);
    CHECK (put_together (trio.file, &parts));
    /* To others it is a log that was cut; its writer knows better. */
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    uint32_t no = skr_replica_collection (trio.pair.a, &trio.id)->no;
    CHECK_OK (skr_snapshot_take (trio.pair.a, &trio.id, trio.file)); /* has it all: no effect */
    CHECK_INT (skr_replica_collection (trio.pair.a, &trio.id)->no, no);
    CHECK (join_c (&trio));
    trio.c->writer = *skr_replica_writer (trio.pair.a); /* as if it had lost its changes */
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EFORGED,
               "without showing them");
    skr_buf_free (&all);
    free (parts.data);
    close_trio (&trio);
}

/* ---- above a cut */

typedef struct counting_t {
    uint64_t left, position;
} counting_t;

static saker_err_t count_down (const skr_log_place_t *place, void *argument)
{
    counting_t *counting = argument;
    counting->position = place->position;
    return --counting->left ? SAKER_OK : SKR_STOP;
}

/* Cuts the first `count` changes of the collection off. */
static saker_err_t cut_log (skr_replica_t *replica, const skr_id_t *id, uint64_t count)
{
    const skr_held_t *held = skr_holdings_find (replica, id);
    counting_t counting = {.left = count};
    skr_cut_slice_t slice;
    SKR_TRY (skr_log_walk (replica->store, SKR_COMMITTED, held->shown.no, &held->shown.clock,
                           &held->cut, count_down, &counting));
    const skr_cut_terms_t terms = {.stable = &held->shown.clock,
                                   .wall_ms = UINT64_MAX / 2,
                                   .history_ms = UINT64_MAX / 2,
                                   .forced = counting.position};
    SKR_TRY (skr_cut_some (replica, id, &terms, &slice));
    return slice.entries == count && slice.end == SKR_CUT_YOUNG ? SAKER_OK : SAKER_EDAMAGED;
}

static void starts_above_a_cut (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    skr_buf_t changes = {0};
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 5, &random));
    CHECK_OK (cut_log (trio.pair.a, &trio.id, 100));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK_INT (whole_log (trio.pair.a, &trio.id, &changes), SAKER_EGAP);
    trio.c->hlc = 0;
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    CHECK (trio.c->hlc >= trio.pair.a->hlc); /* what it writes is later than all that was cut */
    CHECK_INT (whole_log (trio.c, &trio.id, &changes), SAKER_EGAP);
    CHECK (
        skr_clock_equal (skr_cut_clock (trio.pair.a, &trio.id), skr_cut_clock (trio.c, &trio.id)));
    CHECK_INT (skr_replica_collection (trio.pair.a, &trio.id)->log_bytes,
               skr_replica_collection (trio.c, &trio.id)->log_bytes);
    CHECK_OK (write_some (trio.pair.a, 20, &random));
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &trio.id));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    CHECK_OK (make_file (trio.c, &trio));
    CHECK (join_c (&trio));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    skr_buf_free (&changes);
    close_trio (&trio);
}

/* A writer that the receiver's roster does not name yet. */
static void waits_for_the_roster (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    skr_replica_t *d = NULL;
    char store_d[96];
    CHECK (open_trio (&trio));
    (void) snprintf (store_d, sizeof store_d, "%s/d", trio.pair.folder);
    CHECK (pair_adopt (trio.pair.a, store_d, "delta", SKR_ROLE_WRITE, &d));
    CHECK_OK (pair_sync (d, trio.pair.a, &roster_id));
    CHECK_OK (write_some (d, 5, &random));
    CHECK_OK (pair_sync (d, trio.pair.a, &trio.id));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EWAIT, "roster");
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &roster_id));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    skr_replica_close (&d);
    close_trio (&trio);
}

/* Its key came with a statement that the receiver has not yet. */
static void waits_for_the_key (void)
{
    trio_t trio;
    CHECK (open_trio (&trio));
    CHECK_OK (skr_replica_begin (trio.pair.a));
    CHECK_OK (skr_replica_rotate (trio.pair.a));
    CHECK_OK (skr_replica_commit (trio.pair.a));
    CHECK_OK (pair_set (trio.pair.a, collection, "one", 1));
    CHECK_OK (make_file (trio.pair.a, &trio));
    CHECK_ERR (skr_snapshot_take (trio.c, &trio.id, trio.file), SAKER_EWAIT, "key");
    CHECK_OK (pair_sync (trio.pair.a, trio.c, &roster_id));
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    close_trio (&trio);
}

/* ---- killed while it is taken */

static saker_err_t take_in_child (const trio_t *trio)
{
    skr_replica_t *replica = NULL;
    SKR_TRY (skr_replica_open (&replica, trio->store_c, skr_world_real ()));
    return skr_snapshot_take (replica, &trio->id, trio->file);
}

static void survives_a_kill (void)
{
    trio_t trio;
    uint64_t random = check_seed ();
    int old = 0, taken = 0;
    CHECK (open_trio (&trio));
    CHECK_OK (write_everywhere (&trio, 60, &random));
    CHECK_OK (make_file (trio.pair.a, &trio));
    for (int i = 0; i < 15; i++) {
        skr_replica_close (&trio.c);
        (void) fflush (stdout);
        pid_t child = fork ();
        if (child == 0) {
            _exit (take_in_child (&trio) == SAKER_OK ? 0 : 1);
        }
        struct timespec delay = {0, (long) (check_random (&random) % 300) * 1000000};
        (void) nanosleep (&delay, NULL);
        (void) kill (child, SIGKILL);
        CHECK (waitpid (child, NULL, 0) == child);
        CHECK_OK (skr_replica_open (&trio.c, trio.store_c, skr_world_real ()));
        CHECK_INT (count_strays (trio.c), 0);
        if (skr_replica_collection (trio.c, &trio.id)) {
            CHECK (agree (trio.pair.a, trio.c, &trio.id));
            taken++;
            CHECK (join_c (&trio));
        } else {
            old++;
        }
    }
    CHECK_OK (skr_snapshot_take (trio.c, &trio.id, trio.file));
    CHECK (agree (trio.pair.a, trio.c, &trio.id));
    printf ("killed: %d times before it was taken, %d after\n", old, taken);
    close_trio (&trio);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (tells_size_and_hash);
    RUN (takes_into_nothing);
    RUN (keeps_what_is_beyond);
    RUN (names_what_it_brought);
    RUN (names_it_after_a_fence);
    RUN (refuses_flipped_files);
    RUN (refuses_other_files);
    RUN (refuses_lies);
    RUN (refuses_changes_of_ours_unshown);
    RUN (starts_above_a_cut);
    RUN (waits_for_the_roster);
    RUN (waits_for_the_key);
    RUN (survives_a_kill);
    return CHECK_END ();
}
