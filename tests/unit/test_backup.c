/* The file of a backup: what was written comes back, and nothing else does. */

#include "peer/backup.h"
#include "peer/replica_internal.h"

#include "tests/check.h"
#include "tests/lib/pair.h"
#include "tests/lib/temp_folder.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery"
#define ROOM 320

/* The cheapest that Argon2id knows: these tests open hundreds of files. */
static const skr_backup_limits_t cheap = {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN};

static void place (char path[ROOM], const char *folder, const char *name)
{
    if (snprintf (path, ROOM, "%s/%s", folder, name) >= ROOM) {
        abort ();
    }
}

static bool exists (const char *path)
{
    struct stat status;
    return lstat (path, &status) == 0;
}

static void write_bytes (const char *path, const uint8_t *bytes, size_t size)
{
    int file = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write (file, bytes, size) != (ssize_t) size) {
        abort ();
    }
    close (file);
}

static void read_bytes (const char *path, skr_buf_t *bytes)
{
    ssize_t got;
    int file = open (path, O_RDONLY);
    while ((got = read (file, skr_buf_reserve (bytes, 65536), 65536)) > 0) {
        bytes->size += (size_t) got;
    }
    close (file);
}

/* Takes a backup of a replica's store, as client and daemon do together. */
static saker_err_t back_up (skr_replica_t *replica, const char *file, size_t page_bytes)
{
    skr_backup_writer_t *writer = NULL;
    skr_backup_place_t at = {.table = SKR_META};
    skr_buf_t items = {0};
    skr_store_t *store = skr_replica_store (replica);
    saker_err_t error =
        skr_backup_begin (&writer, file, PASSPHRASE, skr_roster_mesh (skr_replica_roster (replica)),
                          1700000000000u, &cheap);
    error = error ? error : skr_backup_add (writer, skr_store_folder (store), "device.key");
    error = error ? error : skr_store_view_open (store);
    while (!error && !at.ended) {
        skr_buf_clear (&items);
        error = skr_backup_page (store, &at, page_bytes, &items);
        error = error ? error : skr_backup_write (writer, skr_span_of (&items));
    }
    skr_store_view_close (store);
    error = error ? error : skr_backup_finish (writer);
    skr_backup_destroy (&writer);
    skr_buf_free (&items);
    return error;
}

static saker_err_t restore (const char *folder, const char *file, const char *passphrase)
{
    skr_restored_t restored;
    return skr_restore (folder, file, passphrase, NULL, NULL, skr_world_real (), &restored);
}

/* Nothing is where the store would be, nor beside it. */
static bool left_nothing (const char *folder)
{
    char beside[ROOM];
    place (beside, folder, ".new.restoring");
    bool nothing = !exists (beside);
    place (beside, folder, "new");
    return nothing && !exists (beside);
}

typedef struct stage_t {
    pair_t pair;
    char file[ROOM], fresh[ROOM];
} stage_t;

/* So many changes of one register, in one group. */
static saker_err_t fill (skr_replica_t *replica, int changes)
{
    skr_buf_t path = {0};
    saker_err_t error = skr_path_from_pointer (&path, "/n");
    error = error ? error : skr_replica_begin (replica);
    for (int i = 0; i < changes && !error; i++) {
        char name[16];
        saker_receipt_t receipt;
        skr_buf_t value = {0};
        snprintf (name, sizeof name, "d%d", i % 40);
        skr_cbor_put_int (&value, i);
        const skr_intent_t intent = {.kind = SKR_INTENT_SET,
                                     .document = skr_span_text (name),
                                     .path = skr_span_of (&path),
                                     .value = skr_span_of (&value)};
        const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
        error = skr_replica_write (replica, &local, &receipt);
        skr_buf_free (&value);
    }
    skr_buf_free (&path);
    return error ? error : skr_replica_commit (replica);
}

static bool set_stage (stage_t *stage, int changes, size_t page_bytes)
{
    if (!pair_open (&stage->pair) || fill (stage->pair.a, changes) != SAKER_OK) {
        return false;
    }
    place (stage->file, stage->pair.folder, "backup");
    place (stage->fresh, stage->pair.folder, "new");
    saker_err_t error = back_up (stage->pair.a, stage->file, page_bytes);
    if (error != SAKER_OK) {
        printf ("back up: %s\n", skr_error ());
    }
    return error == SAKER_OK;
}

/* ---- there and back */

static void comes_back_as_a_new_writer (void)
{
    stage_t stage;
    struct stat status;
    skr_restored_t restored;
    skr_replica_t *replica = NULL;
    const skr_collection_t *old, *fresh;
    CHECK (set_stage (&stage, 60, 256 << 10));
    CHECK_INT (stat (stage.file, &status), 0);
    CHECK_INT (status.st_mode & 0777, 0600);
    CHECK_OK (skr_restore (stage.fresh, stage.file, PASSPHRASE, NULL, NULL, skr_world_real (),
                           &restored));
    CHECK_STR (restored.mesh, skr_roster_mesh_name (skr_replica_roster (stage.pair.a)));
    CHECK_STR (restored.device, skr_replica_self (stage.pair.a)->name);
    CHECK_INT (restored.taken_ms, 1700000000000u);
    CHECK_OK (skr_replica_open (&replica, stage.fresh, skr_world_real ()));
    CHECK_OK (skr_replica_collection_named (stage.pair.a, "shots", &old));
    CHECK_OK (skr_replica_collection_named (replica, "shots", &fresh));
    CHECK (skr_clock_equal (&old->clock, &fresh->clock));
    CHECK (skr_fingerprint_equal (&old->fingerprint, &fresh->fingerprint));
    CHECK (!skr_id_equal (skr_replica_writer (replica), skr_replica_writer (stage.pair.a)));
    CHECK (!skr_id_equal (skr_replica_epoch (replica), skr_replica_epoch (stage.pair.a)));
    CHECK_INT (skr_replica_renewal (replica)->why, SKR_DOUBT_RESTORED);
    CHECK_OK (pair_set (replica, "shots", "after", 1));
    CHECK_OK (skr_replica_collection_named (replica, "shots", &fresh));
    CHECK_INT (skr_clock_get (&fresh->clock, skr_replica_writer (replica)), 1);
    skr_replica_close (&replica);
    pair_close (&stage.pair);
}

static void pages_of_any_size_give_the_same (void)
{
    static const size_t sizes[] = {1, 700, 65536, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        stage_t stage;
        skr_replica_t *replica = NULL;
        CHECK (set_stage (&stage, 50, sizes[i]));
        CHECK_OK (restore (stage.fresh, stage.file, PASSPHRASE));
        CHECK_OK (skr_replica_open (&replica, stage.fresh, skr_world_real ()));
        skr_replica_close (&replica);
        pair_close (&stage.pair);
    }
}

/* What is committed between two pages is not in it, and goes on. */
static void is_as_of_one_moment (void)
{
    stage_t stage;
    skr_backup_writer_t *writer = NULL;
    skr_backup_place_t at = {.table = SKR_META};
    skr_buf_t items = {0};
    skr_replica_t *replica = NULL;
    const skr_collection_t *fresh, *old;
    char second[ROOM];
    CHECK (set_stage (&stage, 30, 4096));
    CHECK_OK (skr_replica_collection_named (stage.pair.a, "shots", &old));
    uint64_t changes = old->changes;
    skr_store_t *store = skr_replica_store (stage.pair.a);
    place (second, stage.pair.folder, "second");
    CHECK_OK (skr_backup_begin (&writer, second, PASSPHRASE,
                                skr_roster_mesh (skr_replica_roster (stage.pair.a)), 1, &cheap));
    CHECK_OK (skr_backup_add (writer, skr_store_folder (store), "device.key"));
    CHECK_OK (skr_store_view_open (store));
    for (int i = 0; !at.ended; i++) {
        CHECK_OK (skr_backup_page (store, &at, 512, &items));
        CHECK_OK (skr_backup_write (writer, skr_span_of (&items)));
        skr_buf_clear (&items);
        CHECK_OK (pair_set (stage.pair.a, "shots", "d1", 1000 + i));
        CHECK_OK (pair_set (stage.pair.a, "more", "x", i));
    }
    skr_store_view_close (store);
    CHECK_OK (skr_backup_finish (writer));
    skr_backup_destroy (&writer);
    CHECK_OK (restore (stage.fresh, second, PASSPHRASE));
    CHECK_OK (skr_replica_open (&replica, stage.fresh, skr_world_real ()));
    CHECK_OK (skr_replica_collection_named (replica, "shots", &fresh));
    CHECK_INT (fresh->changes, changes);
    CHECK_ERR (skr_replica_collection_named (replica, "more", &fresh), SAKER_ENOTFOUND, "more");
    skr_replica_close (&replica);
    skr_buf_free (&items);
    pair_close (&stage.pair);
}

/* The map grows under the view: that ends it, with a clear word, and nothing else. */
static void a_view_that_is_lost_says_so (void)
{
    stage_t stage;
    skr_backup_place_t at = {.table = SKR_META};
    skr_buf_t items = {0};
    CHECK (set_stage (&stage, 30, 4096));
    skr_store_t *store = skr_replica_store (stage.pair.a);
    CHECK_OK (skr_store_view_open (store));
    CHECK_OK (skr_backup_page (store, &at, 100, &items));
    CHECK_OK (skr_store_room (store, (size_t) 4 << 30));
    CHECK_ERR (skr_backup_page (store, &at, 100, &items), SAKER_EBUSY, "try again");
    CHECK_OK (pair_set (stage.pair.a, "shots", "d1", 1));
    skr_buf_free (&items);
    pair_close (&stage.pair);
}

/* ---- what is not a whole backup */

static void cut_anywhere_is_refused (void)
{
    stage_t stage;
    skr_buf_t bytes = {0};
    char cut[ROOM];
    CHECK (set_stage (&stage, 400, 256 << 10));
    read_bytes (stage.file, &bytes);
    place (cut, stage.pair.folder, "cut");
    size_t frame = SKR_BACKUP_HEADER_BYTES + 4 + SKR_BACKUP_FRAME_BYTES_MAX + 17;
    CHECK (bytes.size > frame + 4); /* there are two frames at least */
    const size_t sizes[] = {0,
                            1,
                            15,
                            16,
                            17,
                            SKR_BACKUP_HEADER_BYTES - 1,
                            SKR_BACKUP_HEADER_BYTES,
                            SKR_BACKUP_HEADER_BYTES + 3,
                            SKR_BACKUP_HEADER_BYTES + 4,
                            SKR_BACKUP_HEADER_BYTES + 100,
                            frame - 1,
                            frame,
                            frame + 1,
                            frame + 4,
                            frame + 5,
                            bytes.size - 17,
                            bytes.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_bytes (cut, bytes.data, sizes[i]);
        saker_err_t error = restore (stage.fresh, cut, PASSPHRASE);
        saker_err_t wanted = sizes[i] < 16 ? SAKER_EINPUT : SAKER_EDAMAGED;
        if (error != wanted) {
            CHECK_FAIL ("cut after %zu bytes: error %d, not %d: %s", sizes[i], (int) error,
                        (int) wanted, skr_error ());
        }
        CHECK (left_nothing (stage.pair.folder));
    }
    write_bytes (cut, bytes.data, bytes.size);
    CHECK_OK (restore (stage.fresh, cut, PASSPHRASE)); /* and whole it is good */
    skr_buf_free (&bytes);
    pair_close (&stage.pair);
}

static void a_bit_anywhere_is_noticed (void)
{
    stage_t stage;
    skr_buf_t bytes = {0};
    char flipped[ROOM];
    uint64_t state = check_seed ();
    CHECK (set_stage (&stage, 400, 256 << 10));
    read_bytes (stage.file, &bytes);
    place (flipped, stage.pair.folder, "flipped");
    for (size_t i = 0; i < SKR_BACKUP_HEADER_BYTES + 200; i++) {
        /* each byte of the header and of the first frame's beginning, then anywhere */
        size_t at = i < SKR_BACKUP_HEADER_BYTES + 40 ? i : check_random (&state) % bytes.size;
        uint8_t bit = (uint8_t) (1u << check_random (&state) % 8);
        if (at >= 20 && at < 28) {
            continue; /* the limits: below, since they cost time */
        }
        bytes.data[at] ^= bit;
        write_bytes (flipped, bytes.data, bytes.size);
        bytes.data[at] ^= bit;
        saker_err_t error = restore (stage.fresh, flipped, PASSPHRASE);
        bool right = at < 16   ? error == SAKER_EINPUT
                     : at < 20 ? error == SAKER_EVERSION
                               : error == SAKER_EFORGED || error == SAKER_EDAMAGED;
        if (!right) {
            CHECK_FAIL ("a bit at %zu: error %d: %s", at, (int) error, skr_error ());
        }
        CHECK (left_nothing (stage.pair.folder));
    }
    skr_buf_free (&bytes);
    pair_close (&stage.pair);
}

/* Nobody is made to compute for hours, or to take all memory, by a header. */
static void a_header_cannot_ask_for_too_much (void)
{
    stage_t stage;
    skr_buf_t bytes = {0};
    char greedy[ROOM];
    CHECK (set_stage (&stage, 10, 256 << 10));
    read_bytes (stage.file, &bytes);
    place (greedy, stage.pair.folder, "greedy");
    skr_put_u32 (bytes.data + 20, UINT32_MAX);
    write_bytes (greedy, bytes.data, bytes.size);
    CHECK_ERR (restore (stage.fresh, greedy, PASSPHRASE), SAKER_EFORGED, "altered");
    skr_put_u32 (bytes.data + 20, crypto_pwhash_OPSLIMIT_MIN);
    skr_put_u64 (bytes.data + 24, UINT64_MAX);
    write_bytes (greedy, bytes.data, bytes.size);
    CHECK_ERR (restore (stage.fresh, greedy, PASSPHRASE), SAKER_EFORGED, "altered");
    skr_put_u64 (bytes.data + 24, crypto_pwhash_MEMLIMIT_MIN + 8192);
    write_bytes (greedy, bytes.data, bytes.size);
    CHECK_ERR (restore (stage.fresh, greedy, PASSPHRASE), SAKER_EFORGED, "passphrase");
    skr_buf_free (&bytes);
    pair_close (&stage.pair);
}

static void frames_do_not_change_places (void)
{
    stage_t stage;
    skr_buf_t bytes = {0}, mixed = {0};
    char file[ROOM];
    size_t frame = 4 + SKR_BACKUP_FRAME_BYTES_MAX + 17;
    CHECK (set_stage (&stage, 600, 256 << 10));
    read_bytes (stage.file, &bytes);
    CHECK (bytes.size > SKR_BACKUP_HEADER_BYTES + 2 * frame);
    place (file, stage.pair.folder, "mixed");
    skr_buf_append (&mixed, bytes.data,
                    SKR_BACKUP_HEADER_BYTES + frame); /* the first frame twice */
    skr_buf_append (&mixed, bytes.data + SKR_BACKUP_HEADER_BYTES,
                    bytes.size - SKR_BACKUP_HEADER_BYTES);
    write_bytes (file, mixed.data, mixed.size);
    CHECK_ERR (restore (stage.fresh, file, PASSPHRASE), SAKER_EFORGED, "altered");
    skr_buf_clear (&mixed); /* the second left out */
    skr_buf_append (&mixed, bytes.data, SKR_BACKUP_HEADER_BYTES + frame);
    skr_buf_append (&mixed, bytes.data + SKR_BACKUP_HEADER_BYTES + 2 * frame,
                    bytes.size - SKR_BACKUP_HEADER_BYTES - 2 * frame);
    write_bytes (file, mixed.data, mixed.size);
    CHECK_ERR (restore (stage.fresh, file, PASSPHRASE), SAKER_EFORGED, "altered");
    skr_buf_clear (&mixed); /* something behind the end */
    skr_buf_append_span (&mixed, skr_span_of (&bytes));
    skr_buf_append_byte (&mixed, 0);
    write_bytes (file, mixed.data, mixed.size);
    CHECK_ERR (restore (stage.fresh, file, PASSPHRASE), SAKER_EFORGED, "altered");
    CHECK (left_nothing (stage.pair.folder));
    skr_buf_free (&bytes);
    skr_buf_free (&mixed);
    pair_close (&stage.pair);
}

static void a_wrong_passphrase_or_version_is_told (void)
{
    stage_t stage;
    skr_buf_t bytes = {0};
    char later[ROOM];
    CHECK (set_stage (&stage, 10, 256 << 10));
    CHECK_ERR (restore (stage.fresh, stage.file, PASSPHRASE "."), SAKER_EFORGED, "passphrase");
    CHECK_ERR (restore (stage.fresh, stage.file, ""), SAKER_EFORGED, "passphrase");
    read_bytes (stage.file, &bytes);
    place (later, stage.pair.folder, "later");
    skr_put_u32 (bytes.data + 16, SKR_BACKUP_VERSION + 1);
    write_bytes (later, bytes.data, bytes.size);
    CHECK_ERR (restore (stage.fresh, later, PASSPHRASE), SAKER_EVERSION, "version 2");
    CHECK_ERR (restore (stage.fresh, "/nonexistent/file", PASSPHRASE), SAKER_ENOTFOUND, "open");
    CHECK (left_nothing (stage.pair.folder));
    skr_buf_free (&bytes);
    pair_close (&stage.pair);
}

/* Content of a program that knows more, sealed under the right key. */
static void what_is_not_known_is_refused (void)
{
    static const uint8_t table[] = {SKR_BACKUP_TABLE, 5, 'l', 'a', 't', 'e', 'r'};
    static const uint8_t kind[] = {77, 0, 0};
    static const uint8_t file[] = {SKR_BACKUP_FILE, 3, 0, 0, 0, 1, '.', '.', '/', 'x'};
    static const uint8_t end[] = {SKR_BACKUP_END, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t record[] = {SKR_BACKUP_RECORD, 0, 1, 0, 0, 0, 1, 'k', 'v'};
    static const uint8_t tail[] = {SKR_BACKUP_END, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    const struct {
        skr_span_t items;
        saker_err_t error;
        const char *words;
    } cases[] = {
        {skr_span (table, sizeof table), SAKER_EVERSION, "table later"},
        {skr_span (kind, sizeof kind), SAKER_EINPUT, "not in form"},
        {skr_span (file, sizeof file), SAKER_EVERSION, "newer"},
        {skr_span (end, sizeof end), SAKER_EINPUT, "not whole"},
        {skr_span (record, sizeof record), SAKER_EINPUT, "no table"},
        {skr_span (tail, sizeof tail), SAKER_EINPUT, "not in form"},
        {skr_span (record, 4), SAKER_EINPUT, "not in form"},
    };
    stage_t stage;
    char path[ROOM];
    CHECK (set_stage (&stage, 1, 256 << 10));
    place (path, stage.pair.folder, "case");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        skr_backup_writer_t *writer = NULL;
        CHECK_OK (skr_backup_begin (&writer, path, PASSPHRASE,
                                    skr_roster_mesh (skr_replica_roster (stage.pair.a)), 1,
                                    &cheap));
        CHECK_OK (skr_backup_write (writer, cases[i].items));
        CHECK_OK (skr_backup_finish (writer));
        skr_backup_destroy (&writer);
        CHECK_ERR (restore (stage.fresh, path, PASSPHRASE), cases[i].error, cases[i].words);
        CHECK (left_nothing (stage.pair.folder));
        unlink (path);
    }
    pair_close (&stage.pair);
}

/* ---- where files may be */

static void nothing_is_written_over (void)
{
    stage_t stage;
    skr_backup_writer_t *one = NULL, *other = NULL;
    char part[ROOM], second[ROOM];
    struct stat status;
    CHECK (set_stage (&stage, 10, 256 << 10));
    const skr_id_t *mesh = skr_roster_mesh (skr_replica_roster (stage.pair.a));
    CHECK_ERR (back_up (stage.pair.a, stage.file, 4096), SAKER_EEXIST, "there already");
    place (part, stage.pair.folder, "second.part");
    place (second, stage.pair.folder, "second");
    CHECK_ERR (skr_backup_begin (&one, second, "short", mesh, 1, &cheap), SAKER_EINPUT, "8 to");
    CHECK_OK (skr_backup_begin (&one, second, PASSPHRASE, mesh, 1, &cheap));
    CHECK_ERR (skr_backup_begin (&other, second, PASSPHRASE, mesh, 1, &cheap), SAKER_EBUSY,
               "another process");
    skr_backup_destroy (&other);
    CHECK (exists (part)); /* still that of the first */
    CHECK_INT (stat (part, &status), 0);
    CHECK_INT (status.st_mode & 0777, 0600);
    write_bytes (second, (const uint8_t *) "x", 1); /* somebody takes the name meanwhile */
    CHECK_ERR (skr_backup_finish (one), SAKER_EEXIST, "there already");
    skr_backup_destroy (&one);
    CHECK (!exists (part));
    unlink (second);
    write_bytes (part, (const uint8_t *) "what a crash left", 17);
    CHECK_OK (back_up (stage.pair.a, second, 4096));
    CHECK (!exists (part));
    CHECK_OK (restore (stage.fresh, second, PASSPHRASE));
    CHECK_ERR (back_up (stage.pair.a, "/nonexistent/folder/file", 4096), SAKER_ENOTFOUND, "create");
    pair_close (&stage.pair);
}

static void only_into_an_empty_place (void)
{
    stage_t stage;
    char path[ROOM];
    CHECK (set_stage (&stage, 10, 256 << 10));
    CHECK_ERR (restore (stage.pair.store_a, stage.file, PASSPHRASE), SAKER_EBUSY, "process");
    skr_replica_close (&stage.pair.b);
    CHECK_ERR (restore (stage.pair.store_b, stage.file, PASSPHRASE), SAKER_EEXIST, "holds a store");
    CHECK_ERR (restore (stage.pair.folder, stage.file, PASSPHRASE), SAKER_EEXIST, "not empty");
    CHECK_ERR (restore (stage.file, stage.file, PASSPHRASE), SAKER_EINPUT, "look into");
    CHECK_ERR (restore ("/", stage.file, PASSPHRASE), SAKER_EINPUT, "folder of its own");
    place (path, stage.pair.folder, "no/such");
    CHECK_ERR (restore (path, stage.file, PASSPHRASE), SAKER_ENOTFOUND, "make folder");
    CHECK_INT (mkdir (stage.fresh, 0755), 0); /* an empty one is taken, and made private */
    CHECK_OK (restore (stage.fresh, stage.file, PASSPHRASE));
    struct stat status;
    CHECK_INT (stat (stage.fresh, &status), 0);
    CHECK_INT (status.st_mode & 0777, 0700);
    CHECK_ERR (restore (stage.fresh, stage.file, PASSPHRASE), SAKER_EEXIST, "holds a store");
    pair_close (&stage.pair);
}

/* What a restore that was killed has left is no hindrance. */
static void leftovers_give_way (void)
{
    stage_t stage;
    char build[ROOM], path[ROOM];
    CHECK (set_stage (&stage, 10, 256 << 10));
    place (build, stage.pair.folder, ".new.restoring");
    CHECK_INT (mkdir (build, 0700), 0);
    place (path, build, "data.mdb");
    write_bytes (path, (const uint8_t *) "half", 4);
    CHECK_OK (restore (stage.fresh, stage.file, PASSPHRASE));
    CHECK (!exists (build));
    pair_close (&stage.pair);
}

static int stop_it (uint64_t done, uint64_t total, void *argument)
{
    ++*(int *) argument;
    return done <= total ? 1 : 0;
}

static void can_be_ended (void)
{
    stage_t stage;
    int calls = 0;
    skr_restored_t restored;
    CHECK (set_stage (&stage, 400, 256 << 10));
    CHECK_ERR (skr_restore (stage.fresh, stage.file, PASSPHRASE, stop_it, &calls, skr_world_real (),
                            &restored),
               SAKER_EINPUT, "ended");
    CHECK_INT (calls, 1);
    CHECK (left_nothing (stage.pair.folder));
    pair_close (&stage.pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (comes_back_as_a_new_writer);
    RUN (pages_of_any_size_give_the_same);
    RUN (is_as_of_one_moment);
    RUN (a_view_that_is_lost_says_so);
    RUN (cut_anywhere_is_refused);
    RUN (a_bit_anywhere_is_noticed);
    RUN (a_header_cannot_ask_for_too_much);
    RUN (frames_do_not_change_places);
    RUN (a_wrong_passphrase_or_version_is_told);
    RUN (what_is_not_known_is_refused);
    RUN (nothing_is_written_over);
    RUN (only_into_an_empty_place);
    RUN (leftovers_give_way);
    RUN (can_be_ended);
    return CHECK_END ();
}
