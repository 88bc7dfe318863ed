/* The journal: random groups against a model, killed at any time; torn, damaged, put back; a full
   disk. test_store.c runs with a journal, too. */

#include "tests/check.h"
#include "tests/lib/small_disk.h"
#include "tests/lib/temp_folder.h"

#include "peer/journal.h"
#include "peer/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

static char place[TEMP_FOLDER_BYTES];
static char folder[TEMP_FOLDER_BYTES + 32];
static char copy[TEMP_FOLDER_BYTES + 32];

/* ---- a world whose time is ours */

static uint64_t now_ms = 1000;

static uint64_t the_time (void *context)
{
    (void) context;
    return now_ms;
}

static void drop_message (void *context, skr_level_t level, const char *message)
{
    (void) context;
    (void) level;
    (void) message;
}

static const skr_world_t world = {.wall_ms = the_time, .mono_ms = the_time, .log = drop_message};

static saker_err_t open_at (skr_store_t **store, const char *where, skr_store_mode_t mode)
{
    return skr_store_open (store, where, mode, &world);
}

static void make (skr_store_t **store)
{
    (void) snprintf (folder, sizeof folder, "%s/store", place);
    (void) snprintf (copy, sizeof copy, "%s/copy", place);
    temp_folder_remove (folder);
    CHECK_OK (open_at (store, folder, SKR_STORE_CREATE));
    CHECK_OK (skr_store_journal_begin (*store));
}

/* ---- files */

static uint8_t *load (const char *where, const char *name, size_t *size)
{
    char path[TEMP_FOLDER_BYTES + 64];
    struct stat status;
    (void) snprintf (path, sizeof path, "%s/%s", where, name);
    int file = open (path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat (file, &status) != 0) {
        CHECK_FAIL ("%s cannot be read", path);
        abort ();
    }
    *size = (size_t) status.st_size;
    uint8_t *bytes = malloc (*size + 1);
    if (!bytes || read (file, bytes, *size) != (ssize_t) *size) {
        CHECK_FAIL ("%s cannot be read", path);
        abort ();
    }
    (void) close (file);
    return bytes;
}

static void save (const char *where, const char *name, const uint8_t *bytes, size_t size)
{
    char path[TEMP_FOLDER_BYTES + 64];
    (void) snprintf (path, sizeof path, "%s/%s", where, name);
    int file = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK (file >= 0 && write (file, bytes, size) == (ssize_t) size);
    (void) close (file);
}

static void copy_file (const char *name)
{
    size_t size;
    uint8_t *bytes = load (folder, name, &size);
    save (copy, name, bytes, size);
    free (bytes);
}

/* What a process that is killed now leaves: what it wrote is in the page cache. */
static void copy_as_killed (void)
{
    temp_folder_remove (copy);
    CHECK (mkdir (copy, 0700) == 0);
    copy_file ("data.mdb");
    copy_file (SKR_JOURNAL_FILE);
}

/* ---- the model: a value for each of some keys */

#define MODEL_KEYS 200
#define MODEL_TABLES 3

typedef struct model_t {
    uint32_t values[MODEL_TABLES][MODEL_KEYS]; /* 0: there is none */
} model_t;

static const skr_table_t model_tables[MODEL_TABLES] = {SKR_LOG, SKR_CELLS, SKR_CURSORS};

/* The keys have prefixes in common, and none is like another. */
static skr_span_t key_of (uint8_t key[4], uint32_t number)
{
    key[0] = (uint8_t) (number / 50);
    key[1] = (uint8_t) (number % 50 / 7);
    key[2] = (uint8_t) (number % 50 % 7);
    return skr_span (key, 3);
}

/* A value tells its seed, and has a size of its own; some are large. */
static size_t size_of (uint32_t seed)
{
    return seed % 101 == 0 ? 50000 + seed % 250000 : 4 + seed % 300;
}

static uint8_t value_bytes[400000];

static skr_span_t value_of (uint32_t seed)
{
    size_t size = size_of (seed);
    memset (value_bytes, (int) (seed * 7), size);
    skr_put_u32 (value_bytes, seed);
    return skr_span (value_bytes, size);
}

static bool is_value (skr_span_t value, uint32_t seed)
{
    return skr_span_equal (value, value_of (seed));
}

typedef struct compare_t {
    const uint32_t *values;
    uint32_t next; /* key that may come */
    uint32_t end;
    bool good;
} compare_t;

static saker_err_t compare_one (skr_span_t key, skr_span_t value, void *argument)
{
    compare_t *self = argument;
    uint8_t wanted[4];
    while (self->next < self->end && self->values[self->next] == 0) {
        self->next++;
    }
    self->good = self->good && self->next < self->end
                 && skr_span_equal (key, key_of (wanted, self->next))
                 && is_value (value, self->values[self->next]);
    self->next++;
    return SAKER_OK;
}

static bool scans_alike (skr_store_t *store, skr_sight_t sight, int table, const uint32_t *values,
                         uint32_t from, uint32_t prefix_of, size_t prefix_size)
{
    uint8_t key[4], prefix[4];
    (void) key_of (prefix, prefix_of);
    compare_t compare = {.values = values, .good = true, .end = MODEL_KEYS};
    if (prefix_size > 0) {
        compare.next = prefix_of / 50 * 50;
        compare.end = compare.next + 50 < MODEL_KEYS ? compare.next + 50 : MODEL_KEYS;
    }
    compare.next = from > compare.next ? from : compare.next;
    saker_err_t error =
        skr_store_scan (store, sight, model_tables[table], skr_span (prefix, prefix_size),
                        key_of (key, from), compare_one, &compare);
    while (compare.next < compare.end && values[compare.next] == 0) {
        compare.next++;
    }
    return error == SAKER_OK && compare.good && compare.next >= compare.end;
}

static bool last_alike (skr_store_t *store, skr_sight_t sight, int table, const uint32_t *values,
                        uint32_t number)
{
    uint8_t key[4], wanted[4];
    skr_span_t found, value;
    int64_t last = number;
    while (last >= 0 && values[last] == 0) {
        last--;
    }
    saker_err_t error = skr_store_last (store, sight, model_tables[table], skr_span (NULL, 0),
                                        key_of (key, number), &found, &value);
    return last < 0 ? error == SAKER_ENOTFOUND
                    : error == SAKER_OK && skr_span_equal (found, key_of (wanted, (uint32_t) last))
                          && is_value (value, values[last]);
}

static bool gets_alike (skr_store_t *store, skr_sight_t sight, int table, const uint32_t *values,
                        uint32_t number)
{
    uint8_t key[4];
    skr_span_t value;
    saker_err_t error =
        skr_store_get (store, sight, model_tables[table], key_of (key, number), &value);
    return values[number] == 0 ? error == SAKER_ENOTFOUND
                               : error == SAKER_OK && is_value (value, values[number]);
}

static void check_all (skr_store_t *store, const model_t *model)
{
    for (int table = 0; table < MODEL_TABLES; table++) {
        CHECK (scans_alike (store, SKR_COMMITTED, table, model->values[table], 0, 0, 0));
    }
}

/* ---- random groups */

static uint64_t dice;

static uint32_t below (uint32_t sides)
{
    return (uint32_t) (check_random (&dice) % sides);
}

typedef struct run_t {
    skr_store_t *store;
    model_t shown, group;
    bool grouping;
    uint32_t seeds; /* of values so far */
    unsigned int kills;
} run_t;

static void change (run_t *run)
{
    uint8_t key[4];
    int table = (int) below (MODEL_TABLES);
    uint32_t number = below (MODEL_KEYS);
    uint32_t *value = &run->group.values[table][number];
    if (!run->grouping) {
        CHECK_OK (skr_store_begin (run->store));
        run->grouping = true;
    }
    if (below (3) == 0) {
        saker_err_t error =
            skr_store_remove (run->store, model_tables[table], key_of (key, number));
        CHECK_INT (error, *value ? SAKER_OK : SAKER_ENOTFOUND);
        *value = 0;
        return;
    }
    uint32_t seed = ++run->seeds;
    bool there = model_tables[table] == SKR_CELLS && *value && below (2);
    if (there) {
        CHECK_OK (skr_store_replace_cells (run->store, key_of (key, number), value_of (seed)));
    } else {
        CHECK_OK (
            skr_store_put (run->store, model_tables[table], key_of (key, number), value_of (seed)));
    }
    *value = seed;
}

static void empty_one (run_t *run)
{
    if (run->grouping) {
        CHECK_OK (skr_store_empty (run->store, model_tables[0]));
        memset (run->group.values[0], 0, sizeof run->group.values[0]);
    }
}

static void finish (run_t *run, bool keep)
{
    if (!run->grouping) {
        return;
    }
    if (keep) {
        CHECK_OK (skr_store_commit (run->store));
        run->shown = run->group;
    } else {
        skr_store_abort (run->store);
        run->group = run->shown;
    }
    run->grouping = false;
}

static void look_about (run_t *run)
{
    bool group = run->grouping && below (2);
    int table = (int) below (MODEL_TABLES);
    const uint32_t *values = (group ? &run->group : &run->shown)->values[table];
    skr_sight_t sight = group ? SKR_GROUP : SKR_COMMITTED;
    uint32_t number = below (MODEL_KEYS);
    CHECK (gets_alike (run->store, sight, table, values, number));
    CHECK (last_alike (run->store, sight, table, values, number));
    CHECK (scans_alike (run->store, sight, table, values, number, below (MODEL_KEYS), below (2)));
}

static void open_copy (run_t *run)
{
    skr_store_t *other = NULL;
    copy_as_killed ();
    if (below (2)) {
        CHECK_OK (open_at (&other, copy, SKR_STORE_LOOK));
        check_all (other, &run->shown);
        skr_store_close (&other);
    }
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    check_all (other, &run->shown);
    skr_store_close (&other);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    check_all (other, &run->shown);
    skr_store_close (&other);
    run->kills++;
}

static void open_again (run_t *run)
{
    finish (run, below (2));
    skr_store_close (&run->store);
    CHECK_OK (open_at (&run->store, folder, SKR_STORE_OPEN));
    check_all (run->store, &run->shown);
    if (below (4)) {
        CHECK_OK (skr_store_journal_begin (run->store));
    }
}

static void rest (run_t *run)
{
    now_ms += below (12000);
    skr_store_rest (run->store);
}

static void view (run_t *run)
{
    saker_err_t error = skr_store_view_open (run->store);
    bool more;
    compare_t compare = {.values = run->shown.values[1], .good = true, .end = MODEL_KEYS};
    CHECK (error == SAKER_OK || (run->grouping && error == SAKER_EWAIT));
    if (error == SAKER_OK) {
        CHECK_OK (skr_store_view_scan (run->store, model_tables[1], skr_span (NULL, 0), compare_one,
                                       &compare, &more));
        CHECK (compare.good);
        skr_store_view_close (run->store);
    }
}

static void step (run_t *run)
{
    switch (below (40)) {
    case 0:
        open_again (run);
        break;
    case 1:
        open_copy (run);
        break;
    case 2:
        rest (run);
        break;
    case 3:
        view (run);
        break;
    case 4:
        finish (run, false);
        break;
    case 5:
        if (below (5) == 0) {
            empty_one (run);
        }
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        finish (run, true);
        break;
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
        look_about (run);
        break;
    default:
        change (run);
        break;
    }
}

static void run_steps (size_t room, int steps)
{
    run_t run = {0};
    make (&run.store);
    if (room) {
        CHECK_OK (skr_store_room (run.store, room));
    }
    for (int i = 0; i < steps; i++) {
        step (&run);
    }
    finish (&run, true);
    check_all (run.store, &run.shown);
    CHECK (run.kills > 0);
    skr_store_close (&run.store);
}

static void is_like_its_model (void)
{
    run_steps (0, 12000);
}

/* A map that is too small for what is pending. */
static void is_like_its_model_in_a_small_map (void)
{
    for (int i = 0; i < 4; i++) {
        run_steps (1 << 20, 1500);
    }
}

/* ---- torn, damaged, put back */

static saker_err_t put_text (skr_store_t *store, const char *key, const char *value)
{
    SKR_TRY (skr_store_begin (store));
    SKR_TRY (skr_store_put (store, SKR_CURSORS, skr_span_text (key), skr_span_text (value)));
    return skr_store_commit (store);
}

static bool has_text (skr_store_t *store, const char *key, const char *value)
{
    skr_span_t found;
    saker_err_t error =
        skr_store_get (store, SKR_COMMITTED, SKR_CURSORS, skr_span_text (key), &found);
    return value ? error == SAKER_OK && skr_span_equal (found, skr_span_text (value))
                 : error == SAKER_ENOTFOUND;
}

/* Three groups, a block each. */
static void make_three (skr_store_t **store)
{
    make (store);
    CHECK_OK (put_text (*store, "one", "1"));
    CHECK_OK (put_text (*store, "two", "2"));
    CHECK_OK (put_text (*store, "three", "3"));
    copy_as_killed ();
}

static void flip (size_t at)
{
    size_t size;
    uint8_t *bytes = load (copy, SKR_JOURNAL_FILE, &size);
    bytes[at] ^= 4;
    save (copy, SKR_JOURNAL_FILE, bytes, size);
    free (bytes);
}

static void forgets_a_torn_group (void)
{
    skr_store_t *store = NULL, *other = NULL;
    make_three (&store);
    skr_store_close (&store);
    flip (3 * BLOCK - 1); /* the end of the last one */
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    CHECK (has_text (other, "two", "2"));
    CHECK (has_text (other, "three", NULL));
    CHECK_OK (skr_store_journal_begin (other));
    CHECK_OK (put_text (other, "four", "4"));
    skr_store_close (&other);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    CHECK (has_text (other, "two", "2"));
    CHECK (has_text (other, "three", NULL));
    CHECK (has_text (other, "four", "4"));
    skr_store_close (&other);
}

static void refuses_a_damaged_group (void)
{
    static const size_t places[] = {0, 9, 13, 20, BLOCK - 1, BLOCK + 30, 2 * BLOCK - 5};
    skr_store_t *store = NULL, *other = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_three (&store);
        skr_store_close (&store);
        flip (places[i]);
        CHECK_ERR (open_at (&other, copy, SKR_STORE_OPEN), SAKER_EDAMAGED,
                   "a write in its journal");
        CHECK_OK (open_at (&other, copy, SKR_STORE_LOOK));
        CHECK (skr_store_journal_damaged (other));
        CHECK (has_text (other, "one", NULL) && has_text (other, "three", NULL));
        skr_store_close (&other);
        flip (places[i]);
        CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
        CHECK (has_text (other, "one", "1") && has_text (other, "three", "3"));
        skr_store_close (&other);
    }
}

/* An old data.mdb beside a new journal: what it says counts, and then what is written. */
static void knows_what_was_put_back (void)
{
    skr_store_t *store = NULL, *other = NULL;
    make_three (&store);
    size_t size;
    uint8_t *old = load (folder, "data.mdb", &size);
    skr_store_close (&store);
    for (int i = 0; i < 3; i++) {
        CHECK_OK (open_at (&store, folder, SKR_STORE_OPEN));
        CHECK_OK (skr_store_journal_begin (store));
        CHECK_OK (put_text (store, "new", "n"));
        if (i == 2) { /* killed: its group is in the journal alone */
            copy_as_killed ();
        }
        skr_store_close (&store);
    }
    save (copy, "data.mdb", old, size);
    free (old);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    CHECK (has_text (other, "new", NULL));
    CHECK_OK (skr_store_journal_begin (other));
    CHECK_OK (put_text (other, "newer", "m"));
    (void) snprintf (folder, sizeof folder, "%s/copy", place);
    (void) snprintf (copy, sizeof copy, "%s/other", place);
    copy_as_killed ();
    skr_store_close (&other);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    CHECK (has_text (other, "newer", "m"));
    CHECK (has_text (other, "new", NULL));
    skr_store_close (&other);
}

static void looks_without_writing (void)
{
    skr_store_t *store = NULL, *other = NULL;
    size_t sizes[4];
    make_three (&store);
    skr_store_close (&store);
    uint8_t *data = load (copy, "data.mdb", &sizes[0]);
    uint8_t *journal = load (copy, SKR_JOURNAL_FILE, &sizes[1]);
    CHECK_OK (open_at (&other, copy, SKR_STORE_LOOK));
    CHECK (!skr_store_journal_damaged (other));
    CHECK (has_text (other, "one", "1") && has_text (other, "three", "3"));
    CHECK_INT (skr_store_begin (other), SAKER_ERIGHT);
    skr_store_close (&other);
    uint8_t *data_after = load (copy, "data.mdb", &sizes[2]);
    uint8_t *journal_after = load (copy, SKR_JOURNAL_FILE, &sizes[3]);
    CHECK (sizes[0] == sizes[2] && memcmp (data, data_after, sizes[0]) == 0);
    CHECK (sizes[1] == sizes[3] && memcmp (journal, journal_after, sizes[1]) == 0);
    free (data);
    free (journal);
    free (data_after);
    free (journal_after);
}

/* ---- sizes */

typedef struct puts_t {
    skr_store_t *store;
    int visits;
} puts_t;

static saker_err_t put_while_scanned (skr_span_t key, skr_span_t value, void *argument)
{
    puts_t *puts = argument;
    uint8_t large[30000];
    char name[16];
    memset (large, 'x', sizeof large);
    int size = snprintf (name, sizeof name, "%d", puts->visits++);
    saker_err_t error = skr_store_put (puts->store, SKR_LOG, skr_span (name, (size_t) size),
                                       skr_span (large, sizeof large));
    bool same = key.size >= 3 && key.data[0] == '0' && value.size == 1; /* where they were */
    return error == SAKER_OK && !same ? SAKER_EDAMAGED : error;
}

/* A group that becomes larger than the journal while it is scanned. */
static void grows_while_it_is_scanned (void)
{
    skr_store_t *store = NULL;
    puts_t puts = {0};
    uint64_t count;
    make (&store);
    puts.store = store;
    CHECK_OK (skr_store_begin (store));
    for (int i = 0; i < 100; i++) {
        char key[8];
        int size = snprintf (key, sizeof key, "%03d", i);
        CHECK_OK (
            skr_store_put (store, SKR_CURSORS, skr_span (key, (size_t) size), skr_span_text ("v")));
    }
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (skr_store_put (store, SKR_CURSORS, skr_span_text ("0005"), skr_span_text ("w")));
    CHECK_OK (skr_store_scan (store, SKR_GROUP, SKR_CURSORS, skr_span (NULL, 0), skr_span (NULL, 0),
                              put_while_scanned, &puts));
    CHECK_INT (puts.visits, 101);
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (skr_store_noted (store, SKR_LOG, &count));
    CHECK_INT (count, 101);
    skr_store_close (&store);
}

/* Groups that fill their blocks to any byte. */
static void fills_blocks (void)
{
    enum { FIRST = 4000, LAST = 4140 };
    static uint8_t bytes[LAST];
    skr_store_t *store = NULL, *other = NULL;
    skr_span_t value;
    uint8_t key[4];
    memset (bytes, 'b', sizeof bytes);
    make (&store);
    for (uint32_t size = FIRST; size < LAST; size++) {
        skr_put_u32 (key, size);
        CHECK_OK (skr_store_begin (store));
        CHECK_OK (skr_store_put (store, SKR_CURSORS, skr_span (key, 4), skr_span (bytes, size)));
        CHECK_OK (skr_store_commit (store));
    }
    copy_as_killed ();
    skr_store_close (&store);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    for (uint32_t size = FIRST; size < LAST; size++) {
        skr_put_u32 (key, size);
        CHECK_OK (skr_store_get (other, SKR_COMMITTED, SKR_CURSORS, skr_span (key, 4), &value));
        CHECK (skr_span_equal (value, skr_span (bytes, size)));
    }
    skr_store_close (&other);
}

/* More groups than the journal holds. */
static void goes_round (void)
{
    skr_store_t *store = NULL, *other = NULL;
    char key[16], value[16];
    make (&store);
    for (int i = 0; i < 1000; i++) {
        (void) snprintf (key, sizeof key, "%d", i % 10);
        (void) snprintf (value, sizeof value, "%d", i);
        CHECK_OK (put_text (store, key, value));
    }
    copy_as_killed ();
    skr_store_close (&store);
    CHECK_OK (open_at (&other, copy, SKR_STORE_OPEN));
    for (int i = 0; i < 10; i++) {
        (void) snprintf (key, sizeof key, "%d", i);
        (void) snprintf (value, sizeof value, "%d", 990 + i);
        CHECK (has_text (other, key, value));
    }
    skr_store_close (&other);
}

/* ---- a full disk */

static saker_err_t put_page (skr_store_t *store, uint32_t number)
{
    uint8_t key[4], value[2000];
    skr_put_u32 (key, number * 2654435761u);
    memset (value, (int) number, sizeof value);
    SKR_TRY (skr_store_begin (store));
    SKR_TRY (skr_store_put (store, SKR_CURSORS, skr_span (key, 4), skr_span (value, sizeof value)));
    return skr_store_commit (store);
}

static bool has_page (skr_store_t *store, uint32_t number)
{
    uint8_t key[4];
    skr_span_t value;
    skr_put_u32 (key, number * 2654435761u);
    return skr_store_get (store, SKR_COMMITTED, SKR_CURSORS, skr_span (key, 4), &value) == SAKER_OK
           && value.size == 2000 && value.data[7] == (uint8_t) number;
}

static void check_pages (skr_store_t *store, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK (has_page (store, i));
    }
}

static void survive_full_disk (const char *mount_point)
{
    skr_store_t *store = NULL;
    char filler[TEMP_FOLDER_BYTES + 32];
    (void) snprintf (filler, sizeof filler, "%s/filler", mount_point);
    (void) snprintf (folder, sizeof folder, "%s/store", mount_point);
    CHECK_OK (open_at (&store, folder, SKR_STORE_CREATE));
    CHECK_OK (skr_store_journal_begin (store));
    CHECK (small_disk_fill (filler));
    uint32_t count = 0;
    saker_err_t error;
    while (count < 5000 && (error = put_page (store, count)) == SAKER_OK) {
        count++;
    }
    CHECK_INT (error, SAKER_EFULL);
    CHECK (count >= 200); /* the journal has its place */
    for (int i = 0; i < 3; i++) {
        CHECK_INT (put_page (store, count), SAKER_EFULL);
        CHECK (!has_page (store, count));
        check_pages (store, count);
        now_ms += 20000;
        skr_store_rest (store);
    }
    skr_store_close (&store);
    CHECK_OK (open_at (&store, folder, SKR_STORE_OPEN)); /* it is full still */
    check_pages (store, count);
    CHECK_INT (skr_store_journal_begin (store), SAKER_EFULL);
    CHECK_INT (put_page (store, count), SAKER_EFULL);
    CHECK (unlink (filler) == 0);
    CHECK_OK (put_page (store, count));
    CHECK_OK (skr_store_journal_begin (store));
    CHECK_OK (put_page (store, count + 1));
    check_pages (store, count + 2);
    skr_store_close (&store);
}

static void survives_a_full_disk (void)
{
    char mount_point[SMALL_DISK_BYTES];
    const char *hindrance = small_disk_mount (mount_point, place, 6);
    if (hindrance) {
        CHECK_SKIP (hindrance);
    }
    survive_full_disk (mount_point);
    if (!small_disk_unmount (mount_point)) {
        CHECK_FAIL ("%s is still mounted", mount_point);
    }
}

int main (int argc, char **argv)
{
    temp_folder_make (place);
    CHECK_BEGIN (argc, argv);
    dice = check_seed ();
    RUN (is_like_its_model);
    RUN (is_like_its_model_in_a_small_map);
    RUN (forgets_a_torn_group);
    RUN (refuses_a_damaged_group);
    RUN (knows_what_was_put_back);
    RUN (looks_without_writing);
    RUN (grows_while_it_is_scanned);
    RUN (fills_blocks);
    RUN (goes_round);
    RUN (survives_a_full_disk);
    temp_folder_remove (place);
    return CHECK_END ();
}
