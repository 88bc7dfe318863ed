/* The store against damage, a second process, a growing map and a full disk. */

#include "tests/check.h"
#include "tests/lib/small_disk.h"
#include "tests/lib/temp_folder.h"

#include "crdt/bytes.h"
#include "peer/extent.h"
#include "peer/folder.h"
#include "peer/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static char place[TEMP_FOLDER_BYTES];
static char folder[TEMP_FOLDER_BYTES + 32];
static bool journaled; /* small groups go to the journal */

static saker_err_t open_store (skr_store_t **store, skr_store_mode_t mode)
{
    SKR_TRY (skr_store_open (store, folder, mode, skr_world_real ()));
    saker_err_t error = journaled ? skr_store_journal_begin (*store) : SAKER_OK;
    return error == SAKER_EFULL ? SAKER_OK : error;
}

static saker_err_t fresh (skr_store_t **store)
{
    (void) snprintf (folder, sizeof folder, "%s/store", place);
    temp_folder_remove (folder);
    return open_store (store, SKR_STORE_CREATE);
}

static skr_span_t number_key (uint8_t key[8], uint64_t number)
{
    skr_put_u64 (key, number);
    return skr_span (key, 8);
}

static saker_err_t put_number (skr_store_t *store, uint64_t number, skr_span_t value)
{
    uint8_t key[8];
    return skr_store_put (store, SKR_LOG, number_key (key, number), value);
}

static saker_err_t get_number (skr_store_t *store, skr_sight_t sight, uint64_t number,
                               skr_span_t *value)
{
    uint8_t key[8];
    return skr_store_get (store, sight, SKR_LOG, number_key (key, number), value);
}

static bool is_text (skr_span_t value, const char *text)
{
    return skr_span_equal (value, skr_span_text (text));
}

/* ---- reading and writing */

static void reads_back (void)
{
    skr_store_t *store = NULL;
    skr_span_t value;
    uint8_t large[70000];
    CHECK_OK (fresh (&store));
    memset (large, 'l', sizeof large);
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (skr_store_put (store, SKR_META, skr_span_text ("a"), skr_span_text ("one")));
    CHECK_OK (skr_store_put (store, SKR_META, skr_span_text ("b"), skr_span (NULL, 0)));
    CHECK_OK (skr_store_put (store, SKR_CURSORS, skr_span_text ("a"), skr_span_text ("other")));
    CHECK_OK (put_number (store, 1, skr_span (large, sizeof large)));
    CHECK_OK (skr_store_commit (store));
    skr_store_close (&store);
    CHECK (store == NULL);

    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    CHECK_OK (skr_store_get (store, SKR_COMMITTED, SKR_META, skr_span_text ("a"), &value));
    CHECK (is_text (value, "one"));
    CHECK_OK (skr_store_get (store, SKR_COMMITTED, SKR_META, skr_span_text ("b"), &value));
    CHECK_INT (value.size, 0);
    CHECK_OK (skr_store_get (store, SKR_COMMITTED, SKR_CURSORS, skr_span_text ("a"), &value));
    CHECK (is_text (value, "other"));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (skr_span_equal (value, skr_span (large, sizeof large)));
    CHECK_INT (get_number (store, SKR_COMMITTED, 2, &value), SAKER_ENOTFOUND);
    skr_store_close (&store);
}

static void isolates_a_group (void)
{
    skr_store_t *store = NULL;
    skr_span_t value;
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 1, skr_span_text ("old")));
    CHECK_OK (skr_store_commit (store));

    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 1, skr_span_text ("new")));
    CHECK_OK (put_number (store, 2, skr_span_text ("two")));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (is_text (value, "old"));
    CHECK_INT (get_number (store, SKR_COMMITTED, 2, &value), SAKER_ENOTFOUND);
    CHECK_OK (get_number (store, SKR_GROUP, 1, &value));
    CHECK (is_text (value, "new"));
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (is_text (value, "new"));

    CHECK_OK (skr_store_begin (store));
    uint8_t key[8];
    CHECK_OK (skr_store_remove (store, SKR_LOG, number_key (key, 1)));
    CHECK_INT (skr_store_remove (store, SKR_LOG, number_key (key, 1)), SAKER_ENOTFOUND);
    CHECK_INT (get_number (store, SKR_GROUP, 1, &value), SAKER_ENOTFOUND);
    CHECK (skr_store_in_group (store));
    skr_store_abort (store);
    CHECK (!skr_store_in_group (store));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (is_text (value, "new"));
    skr_store_close (&store);
}

/* The caller may put what it has just got. */
static void puts_what_it_got (void)
{
    skr_store_t *store = NULL;
    skr_span_t value;
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 1, skr_span_text ("moved about")));
    for (uint64_t i = 2; i < 2000; i++) {
        CHECK_OK (get_number (store, SKR_GROUP, i - 1, &value));
        CHECK_OK (put_number (store, i, value));
    }
    CHECK_OK (get_number (store, SKR_GROUP, 1999, &value));
    CHECK (is_text (value, "moved about"));
    CHECK_OK (skr_store_commit (store));
    skr_store_close (&store);
}

typedef struct seen_t {
    char text[256];
    int left; /* visits before it stops */
} seen_t;

static saker_err_t see (skr_span_t key, skr_span_t value, void *argument)
{
    seen_t *seen = argument;
    size_t at = strlen (seen->text);
    (void) snprintf (seen->text + at, sizeof seen->text - at, "%.*s=%.*s ", (int) key.size,
                     (const char *) key.data, (int) value.size, (const char *) value.data);
    return --seen->left == 0 ? SKR_STOP : SAKER_OK;
}

static void scans_in_order (void)
{
    static const char *const keys[] = {"b", "ab", "c", "aa", "ac", "a", "abc"};
    skr_store_t *store = NULL;
    seen_t seen = {"", 0};
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_begin (store));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CHECK_OK (skr_store_put (store, SKR_CURSORS, skr_span_text (keys[i]), skr_span_text ("x")));
    }
    skr_span_t none = skr_span (NULL, 0), found, value;
    CHECK_OK (skr_store_scan (store, SKR_GROUP, SKR_CURSORS, none, none, see, &seen));
    CHECK_STR (seen.text, "a=x aa=x ab=x abc=x ac=x b=x c=x ");
    seen = (seen_t){"", 0};
    CHECK_OK (skr_store_scan (store, SKR_GROUP, SKR_CURSORS, skr_span_text ("a"),
                              skr_span_text ("ab"), see, &seen));
    CHECK_STR (seen.text, "ab=x abc=x ac=x ");
    seen = (seen_t){"", 2};
    CHECK_OK (
        skr_store_scan (store, SKR_GROUP, SKR_CURSORS, skr_span_text ("a"), none, see, &seen));
    CHECK_STR (seen.text, "a=x aa=x ");

    CHECK_OK (
        skr_store_last (store, SKR_GROUP, SKR_CURSORS, none, skr_span_text ("ab"), &found, &value));
    CHECK (is_text (found, "ab"));
    CHECK_OK (skr_store_last (store, SKR_GROUP, SKR_CURSORS, none, skr_span_text ("abb"), &found,
                              &value));
    CHECK (is_text (found, "ab"));
    CHECK_OK (
        skr_store_last (store, SKR_GROUP, SKR_CURSORS, none, skr_span_text ("zz"), &found, &value));
    CHECK (is_text (found, "c"));
    CHECK_INT (skr_store_last (store, SKR_GROUP, SKR_CURSORS, skr_span_text ("b"),
                               skr_span_text ("azz"), &found, &value),
               SAKER_ENOTFOUND);
    CHECK_INT (
        skr_store_last (store, SKR_GROUP, SKR_CURSORS, none, skr_span_text ("Z"), &found, &value),
        SAKER_ENOTFOUND);
    skr_store_close (&store);
}

/* ---- growth */

static void grows (void)
{
    enum { VALUES = 300, VALUE_BYTES = 60000 };
    static uint8_t value[VALUE_BYTES];
    skr_store_t *store = NULL;
    skr_store_stats_t before, after;
    skr_span_t got;
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_room (store, 1 << 20));
    skr_store_stats (store, &before);
    CHECK (before.map_bytes <= 4u << 20);
    for (int i = 0; i < VALUES; i++) {
        memset (value, i, sizeof value);
        CHECK_OK (skr_store_begin (store));
        CHECK_OK (put_number (store, (uint64_t) i, skr_span (value, sizeof value)));
        CHECK_OK (skr_store_commit (store));
        CHECK_OK (get_number (store, SKR_COMMITTED, 0, &got));
    }
    CHECK_OK (skr_store_journal_end (store));
    skr_store_stats (store, &after);
    CHECK (after.map_bytes >= 8 * before.map_bytes);
    CHECK (after.used_bytes >= (uint64_t) VALUES * VALUE_BYTES);
    CHECK (after.file_bytes >= after.used_bytes);
    CHECK_INT (after.commits - before.commits, VALUES);
    skr_store_close (&store);
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    for (int i = 0; i < VALUES; i++) {
        memset (value, i, sizeof value);
        CHECK_OK (get_number (store, SKR_COMMITTED, (uint64_t) i, &got));
        CHECK (skr_span_equal (got, skr_span (value, sizeof value)));
    }
    skr_store_close (&store);
}

/* A group larger than the map's room fails whole; the next of the same size finds room. */
static void grows_for_a_large_group (void)
{
    static uint8_t value[60000];
    skr_store_t *store = NULL;
    skr_span_t got;
    saker_err_t error = SAKER_OK;
    int tries = 0;
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_room (store, 1 << 20));
    do {
        CHECK_OK (skr_store_begin (store));
        error = SAKER_OK;
        for (uint64_t i = 0; i < 200 && !error; i++) {
            error = put_number (store, i, skr_span (value, sizeof value));
        }
        if (error) {
            CHECK_INT (error, SAKER_ELIMIT);
            CHECK_ERR (skr_store_commit (store), SAKER_ELIMIT, "write less at once");
            CHECK_INT (get_number (store, SKR_COMMITTED, 0, &got), SAKER_ENOTFOUND);
        }
        tries++;
    } while (error && tries < 10);
    CHECK (tries > 1);
    CHECK_OK (skr_store_commit (store));
    CHECK_OK (get_number (store, SKR_COMMITTED, 199, &got));
    skr_store_close (&store);
}

/* ---- damage */

static uint8_t *load_data (size_t *size)
{
    char path[TEMP_FOLDER_BYTES + 64];
    (void) snprintf (path, sizeof path, "%s/data.mdb", folder);
    FILE *file = fopen (path, "rb");
    struct stat status;
    if (!file || fstat (fileno (file), &status) != 0) {
        return NULL;
    }
    uint8_t *data = malloc ((size_t) status.st_size);
    *size = data ? fread (data, 1, (size_t) status.st_size, file) : 0;
    (void) fclose (file);
    return data;
}

static void flip_bit (size_t offset, int bit)
{
    char path[TEMP_FOLDER_BYTES + 64];
    uint8_t byte;
    (void) snprintf (path, sizeof path, "%s/data.mdb", folder);
    int file = open (path, O_RDWR | O_CLOEXEC);
    if (pread (file, &byte, 1, (off_t) offset) == 1) {
        byte ^= (uint8_t) (1 << bit);
        if (pwrite (file, &byte, 1, (off_t) offset) != 1) {
            printf ("no bit was flipped\n");
        }
    }
    (void) close (file);
}

static size_t find_bytes (const uint8_t *data, size_t size, const char *text)
{
    const uint8_t *at = memmem (data, size, text, strlen (text));
    return at ? (size_t) (at - data) : size;
}

enum { MARKED = 200 };

static void marked_text (char text[256], int number)
{
    (void) snprintf (text, 256, "<payload number %03d of a store that will be damaged%*s>", number,
                     number % 150, "");
}

static saker_err_t fill_marked (void)
{
    skr_store_t *store = NULL;
    char text[256];
    SKR_TRY (fresh (&store));
    SKR_TRY (skr_store_begin (store));
    for (int i = 0; i < MARKED; i++) {
        marked_text (text, i);
        SKR_TRY (put_number (store, (uint64_t) i, skr_span_text (text)));
    }
    SKR_TRY (skr_store_commit (store));
    skr_store_close (&store);
    return SAKER_OK;
}

static void finds_flipped_payloads (void)
{
    size_t size = 0;
    uint64_t random = check_seed ();
    CHECK_OK (fill_marked ());
    uint8_t *data = load_data (&size);
    CHECK (data);
    for (int i = 0; i < MARKED; i += 10) {
        char text[256];
        skr_store_t *store = NULL;
        skr_store_stats_t stats;
        skr_span_t value;
        marked_text (text, i);
        size_t at = find_bytes (data, size, text);
        CHECK (at < size);
        size_t offset = at + check_random (&random) % strlen (text);
        int bit = (int) (check_random (&random) % 8);
        flip_bit (offset, bit);
        CHECK_OK (open_store (&store, SKR_STORE_OPEN));
        CHECK_ERR (get_number (store, SKR_COMMITTED, (uint64_t) i, &value), SAKER_EDAMAGED,
                   "table log, key 00000000000000");
        CHECK_ERR (get_number (store, SKR_COMMITTED, (uint64_t) i, &value), SAKER_EDAMAGED,
                   "checksum differs");
        CHECK_OK (get_number (store, SKR_COMMITTED, (uint64_t) i + 1, &value));
        seen_t seen = {"", 0};
        CHECK_ERR (skr_store_scan (store, SKR_COMMITTED, SKR_LOG, skr_span (NULL, 0),
                                   skr_span (NULL, 0), see, &seen),
                   SAKER_EDAMAGED, "checksum");
        skr_store_stats (store, &stats);
        CHECK_INT (stats.damaged_records, 3);
        skr_store_close (&store);
        flip_bit (offset, bit);
    }
    free (data);
}

#define READ_WRONG 42 /* an exit status of its own: a sanitizer ends with 1 */

/* Runs in a child, since a damaged tree may make LMDB abort. */
static int reads_wrong (void)
{
    skr_store_t *store = NULL;
    if (!freopen ("/dev/null", "w", stderr) || open_store (&store, SKR_STORE_OPEN) != SAKER_OK) {
        return 0;
    }
    int wrong = 0;
    for (int i = 0; i < MARKED; i++) {
        char text[256];
        skr_span_t value;
        marked_text (text, i);
        if (get_number (store, SKR_COMMITTED, (uint64_t) i, &value) == SAKER_OK
            && !is_text (value, text)) {
            wrong = READ_WRONG;
        }
    }
    return wrong;
}

static void never_reads_wrong_after_a_flip (void)
{
    size_t size = 0;
    uint64_t random = check_seed ();
    CHECK_OK (fill_marked ());
    uint8_t *data = load_data (&size);
    CHECK (data);
    free (data);
    for (int i = 0; i < 100; i++) {
        size_t offset = check_random (&random) % size;
        int bit = (int) (check_random (&random) % 8), status;
        flip_bit (offset, bit);
        (void) fflush (stdout);
        pid_t child = fork ();
        if (child == 0) {
            (void) alarm (5);
            _exit (reads_wrong ());
        }
        CHECK (waitpid (child, &status, 0) == child);
        flip_bit (offset, bit);
        if (WIFEXITED (status) && WEXITSTATUS (status) == READ_WRONG) {
            CHECK_FAIL ("bit %d of byte %zu: a wrong value was read", bit, offset);
            return;
        }
    }
}

static void finds_a_cut_file (void)
{
    char path[TEMP_FOLDER_BYTES + 64];
    skr_store_t *store = NULL;
    CHECK_OK (fill_marked ());
    (void) snprintf (path, sizeof path, "%s/data.mdb", folder);
    CHECK (truncate (path, 40960) == 0);
    CHECK_ERR (open_store (&store, SKR_STORE_OPEN), SAKER_EDAMAGED, "cut short");
    CHECK (store == NULL);
}

/* A group may take pages at the end of the file and let go of them again: LMDB counts them, and
   never writes them. */
static void opens_where_free_pages_were_never_written (void)
{
    skr_store_t *store = NULL;
    skr_span_t value;
    uint8_t key[8], large[300000]; /* too large for the journal */
    skr_store_stats_t stats;
    memset (large, 'l', sizeof large);
    CHECK_OK (fresh (&store));
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 1, skr_span_text ("stays")));
    CHECK_OK (skr_store_commit (store));
    for (int i = 0; i < 3; i++) { /* so that LMDB has some free pages in hand */
        CHECK_OK (skr_store_begin (store));
        CHECK_OK (put_number (store, 2, skr_span (large, 5000)));
        CHECK_OK (skr_store_commit (store));
    }
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 2, skr_span_text ("short")));
    CHECK_OK (put_number (store, 3, skr_span (large, sizeof large)));
    CHECK_OK (skr_store_remove (store, SKR_LOG, number_key (key, 3)));
    CHECK_OK (skr_store_commit (store));
    skr_store_stats (store, &stats);
    CHECK (stats.file_bytes < stats.used_bytes);
    skr_store_close (&store);
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (is_text (value, "stays"));
    CHECK_OK (skr_store_begin (store));
    CHECK_OK (put_number (store, 3, skr_span (large, sizeof large)));
    CHECK_OK (skr_store_commit (store));
    skr_store_close (&store);
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    CHECK_OK (get_number (store, SKR_COMMITTED, 3, &value));
    CHECK (skr_span_equal (value, skr_span (large, sizeof large)));
    skr_store_close (&store);
}

/* However the list of free pages is damaged, reading it ends, and within its bytes. */
static void damaged_free_pages_are_read_to_an_end (void)
{
    uint64_t random = check_seed ();
    size_t size;
    CHECK_OK (fill_marked ());
    uint8_t *data = load_data (&size);
    int file = memfd_create ("store", MFD_CLOEXEC);
    CHECK (data && size >= 8 * PAGE && file >= 0);
    CHECK (skr_extent_holds (file, PAGE, size, size));
    for (int i = 0; data && i < 3000; i++) {
        size_t page = check_random (&random) % (size / PAGE) * PAGE;
        CHECK (pwrite (file, data, size, 0) == (ssize_t) size);
        for (int k = 0; k < 4; k++) {
            size_t at = page + check_random (&random) % (k ? 160 : PAGE);
            uint8_t byte = (uint8_t) check_random (&random);
            CHECK (pwrite (file, &byte, 1, (off_t) at) == 1);
        }
        (void) skr_extent_holds (file, PAGE, size, size + 3 * PAGE);
    }
    (void) close (file);
    free (data);
}

static saker_err_t random_group (skr_store_t *store, uint64_t *random)
{
    static const uint8_t bytes[50000];
    uint8_t key[8];
    SKR_TRY (skr_store_begin (store));
    for (int i = 0; i < 20; i++) {
        uint64_t number = check_random (random) % 40;
        size_t size = check_random (random) % (check_random (random) % 4 ? 500 : sizeof bytes);
        saker_err_t error = check_random (random) % 3
                                ? put_number (store, number, skr_span (bytes, size))
                                : skr_store_remove (store, SKR_LOG, number_key (key, number));
        if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return skr_store_commit (store);
}

static void opens_whatever_groups_left (void)
{
    skr_store_t *store = NULL;
    uint64_t random = check_seed ();
    CHECK_OK (fresh (&store));
    for (int i = 0; i < 300; i++) {
        CHECK_OK (random_group (store, &random));
        skr_store_close (&store);
        CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    }
    skr_store_close (&store);
}

/* ---- opening */

static void refuses_a_second_process (void)
{
    skr_store_t *store = NULL, *second = NULL;
    char words[64];
    int status;
    CHECK_OK (fresh (&store));
    (void) snprintf (words, sizeof words, "is open in process %ld (", (long) getpid ());
    (void) fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        saker_err_t error = open_store (&second, SKR_STORE_OPEN);
        _exit (error == SAKER_EBUSY && strstr (skr_error (), words) ? 0 : 1);
    }
    CHECK (waitpid (child, &status, 0) == child);
    CHECK (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    CHECK_ERR (open_store (&second, SKR_STORE_OPEN), SAKER_EBUSY, words);
    skr_store_close (&store);
    CHECK_OK (open_store (&second, SKR_STORE_OPEN));
    skr_store_close (&second);
}

static void opens_after_a_kill (void)
{
    skr_store_t *store = NULL;
    skr_span_t value;
    int status;
    CHECK_OK (fresh (&store));
    skr_store_close (&store);
    (void) fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        if (open_store (&store, SKR_STORE_OPEN) || skr_store_begin (store)
            || put_number (store, 1, skr_span_text ("kept")) || skr_store_commit (store)
            || skr_store_begin (store) || put_number (store, 2, skr_span_text ("lost"))) {
            _exit (1);
        }
        (void) kill (getpid (), SIGKILL);
    }
    CHECK (waitpid (child, &status, 0) == child);
    CHECK (WIFSIGNALED (status));
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    CHECK_OK (get_number (store, SKR_COMMITTED, 1, &value));
    CHECK (is_text (value, "kept"));
    CHECK_INT (get_number (store, SKR_COMMITTED, 2, &value), SAKER_ENOTFOUND);
    skr_store_close (&store);
}

static void refuses_an_open_folder (void)
{
    skr_store_t *store = NULL;
    struct stat status;
    CHECK_OK (fresh (&store));
    skr_store_close (&store);
    CHECK (stat (folder, &status) == 0);
    CHECK_INT (status.st_mode & 0777, 0700);
    CHECK (chmod (folder, 0750) == 0);
    CHECK_ERR (open_store (&store, SKR_STORE_OPEN), SAKER_EINPUT, "chmod 700");
    CHECK (chmod (folder, 0700) == 0);
    CHECK_ERR (open_store (&store, SKR_STORE_CREATE), SAKER_EEXIST, "not empty");
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    skr_store_close (&store);
    (void) snprintf (folder, sizeof folder, "%s/missing", place);
    CHECK_ERR (open_store (&store, SKR_STORE_OPEN), SAKER_ENOTFOUND, "missing");
    CHECK (mkdir (folder, 0700) == 0);
    CHECK_ERR (open_store (&store, SKR_STORE_OPEN), SAKER_ENOTFOUND, "is not a store");
    CHECK (rmdir (folder) == 0); /* nothing was left in it */
    (void) snprintf (folder, sizeof folder, "%s/no/where", place);
    CHECK_ERR (open_store (&store, SKR_STORE_CREATE), SAKER_ENOTFOUND, "make folder");
    if (geteuid () == 0) {
        (void) snprintf (folder, sizeof folder, "%s/theirs", place);
        CHECK (mkdir (folder, 0700) == 0 && chown (folder, 1, 1) == 0);
        CHECK_ERR (open_store (&store, SKR_STORE_CREATE), SAKER_EINPUT, "belongs to user 1,");
        CHECK (rmdir (folder) == 0);
    }
}

static void finds_a_flip_in_its_identity (void)
{
    skr_store_t *store = NULL;
    CHECK_OK (fresh (&store));
    skr_store_close (&store);
    size_t size = 0;
    uint8_t *data = load_data (&size);
    CHECK (data);
    size_t at = find_bytes (data, size, "store");
    CHECK (at < size);
    while (at < size) {               /* in a page that is out of use, too */
        flip_bit (at + 5 + 8 + 3, 1); /* key, checksum, last byte of the format */
        at += 5;
        at += find_bytes (data + at, size - at, "store");
    }
    free (data);
    CHECK_ERR (open_store (&store, SKR_STORE_OPEN), SAKER_EDAMAGED, "table meta");
}

static void knows_network_filesystems (void)
{
    CHECK_STR (skr_folder_refused (0x6969), "NFS");
    CHECK_STR (skr_folder_refused (0x517b), "SMB");
    CHECK_STR (skr_folder_refused (0xff534d42), "CIFS");
    CHECK_STR (skr_folder_refused (0xfe534d42), "SMB2");
    CHECK_STR (skr_folder_refused (0x00c36400), "Ceph");
    CHECK_STR (skr_folder_refused (0x5346414f), "AFS");
    CHECK (skr_folder_refused (0xef53) == NULL);     /* ext4 */
    CHECK (skr_folder_refused (0x9123683e) == NULL); /* btrfs */
    CHECK (skr_folder_refused (0x01021994) == NULL); /* tmpfs */
}

/* ---- a full disk */

static saker_err_t put_group (skr_store_t *store, uint64_t from, uint64_t count)
{
    static uint8_t value[3000];
    SKR_TRY (skr_store_begin (store));
    for (uint64_t i = from; i < from + count; i++) {
        memset (value, (int) i, sizeof value);
        SKR_TRY (put_number (store, i, skr_span (value, sizeof value)));
    }
    return skr_store_commit (store);
}

static void check_group (skr_store_t *store, uint64_t from, uint64_t count)
{
    uint8_t wanted[3000];
    for (uint64_t i = from; i < from + count; i++) {
        skr_span_t value;
        memset (wanted, (int) i, sizeof wanted);
        CHECK_OK (get_number (store, SKR_COMMITTED, i, &value));
        CHECK (skr_span_equal (value, skr_span (wanted, sizeof wanted)));
    }
}

static void survive_full_disk (const char *mount_point)
{
    char filler[TEMP_FOLDER_BYTES + 32];
    skr_store_t *store = NULL;
    skr_store_stats_t stats;
    skr_span_t value;
    (void) snprintf (filler, sizeof filler, "%s/filler", mount_point);
    (void) snprintf (folder, sizeof folder, "%s/store", mount_point);
    CHECK (small_disk_fill (filler));
    CHECK_ERR (open_store (&store, SKR_STORE_CREATE), SAKER_EFULL, "No space");
    CHECK (unlink (filler) == 0);
    CHECK (access (folder, F_OK) != 0); /* nothing is left of it */

    CHECK_OK (open_store (&store, SKR_STORE_CREATE));
    CHECK_OK (put_group (store, 0, 100));
    CHECK (small_disk_fill (filler));
    uint64_t committed = 100;
    saker_err_t error;
    while (!(error = put_group (store, committed, 100)) && committed < 10000) {
        committed += 100;
    }
    CHECK_INT (error, SAKER_EFULL);
    CHECK (strstr (skr_error (), "the disk is full"));
    skr_store_abort (store);
    for (int i = 0; i < 5; i++) {
        CHECK_INT (put_group (store, committed, 100), SAKER_EFULL);
        check_group (store, 0, committed);
        CHECK_INT (get_number (store, SKR_COMMITTED, committed, &value), SAKER_ENOTFOUND);
    }
    skr_store_stats (store, &stats);
    CHECK (stats.failed_commits >= 5);

    skr_store_close (&store);
    CHECK_OK (open_store (&store, SKR_STORE_OPEN)); /* the disk is full still */
    check_group (store, 0, committed);
    CHECK_INT (put_group (store, committed, 100), SAKER_EFULL);
    CHECK (unlink (filler) == 0);
    CHECK_OK (put_group (store, committed, 100));
    check_group (store, 0, committed + 100);
    skr_store_close (&store);
    CHECK_OK (open_store (&store, SKR_STORE_OPEN));
    check_group (store, 0, committed + 100);
    skr_store_close (&store);
}

static void survives_a_full_disk (void)
{
    char mount_point[SMALL_DISK_BYTES];
    const char *hindrance = small_disk_mount (mount_point, place, 4);
    if (hindrance) {
        CHECK_SKIP (hindrance);
    }
    survive_full_disk (mount_point);
    if (!small_disk_unmount (mount_point)) {
        CHECK_FAIL ("%s is still mounted", mount_point);
    }
}

static void run_all (void)
{
    RUN (reads_back);
    RUN (isolates_a_group);
    RUN (puts_what_it_got);
    RUN (scans_in_order);
    RUN (grows);
    RUN (grows_for_a_large_group);
    RUN (finds_flipped_payloads);
    RUN (never_reads_wrong_after_a_flip);
    RUN (finds_a_cut_file);
    RUN (opens_where_free_pages_were_never_written);
    RUN (opens_whatever_groups_left);
    RUN (damaged_free_pages_are_read_to_an_end);
    RUN (refuses_a_second_process);
    RUN (opens_after_a_kill);
    RUN (refuses_an_open_folder);
    RUN (finds_a_flip_in_its_identity);
    RUN (knows_network_filesystems);
    RUN (survives_a_full_disk);
}

int main (int argc, char **argv)
{
    temp_folder_make (place);
    CHECK_BEGIN (argc, argv);
    run_all ();
    journaled = true;
    run_all ();
    temp_folder_remove (place);
    return CHECK_END ();
}
