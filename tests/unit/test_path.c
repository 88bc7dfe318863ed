#include "crdt/limits.h"
#include "crdt/path.h"
#include "crdt/value.h"
#include "tests/check.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static const skr_span_t none;

/* ---- pointers */

/* The pointer gives this path, and the path this pointer. */
static void round_trip (const char *pointer, const char *wanted, size_t size, size_t levels)
{
    skr_buf_t path = {0}, back = {0};
    CHECK_OK (skr_path_from_pointer (&path, pointer));
    CHECK (skr_span_equal (skr_span_of (&path), skr_span (wanted, size)));
    CHECK_OK (skr_path_check (skr_span_of (&path)));
    CHECK_INT (skr_path_levels (skr_span_of (&path)), levels);
    skr_path_to_pointer (&back, skr_span_of (&path));
    CHECK (skr_span_equal (skr_span_of (&back), skr_span_text (pointer)));
    skr_buf_free (&path);
    skr_buf_free (&back);
}

#define ROUND_TRIP(pointer, path, levels) round_trip (pointer, path, sizeof path - 1, levels)

static void pointers_come_back (void)
{
    ROUND_TRIP ("", "", 0);
    ROUND_TRIP ("/", "\x60", 1);
    ROUND_TRIP ("//", "\x60\x60", 2);
    ROUND_TRIP ("/a",
                "\x61"
                "a",
                1);
    ROUND_TRIP ("/a/b",
                "\x61"
                "a\x61"
                "b",
                2);
    ROUND_TRIP ("/a/",
                "\x61"
                "a\x60",
                2);
    ROUND_TRIP ("//a",
                "\x60\x61"
                "a",
                2);
    ROUND_TRIP ("/~0", "\x61~", 1);
    ROUND_TRIP ("/~1", "\x61/", 1);
    ROUND_TRIP ("/~01", "\x62~1", 1); /* not a slash */
    ROUND_TRIP ("/~00", "\x62~0", 1);
    ROUND_TRIP ("/a~1b~0c/~0~1",
                "\x65"
                "a/b~c\x62~/",
                2);
    ROUND_TRIP ("/0/00/-",
                "\x61"
                "0\x62"
                "00\x61-",
                3);
    ROUND_TRIP ("/ /%25/\"\\", "\x61 \x63%25\x62\"\\", 3);
    ROUND_TRIP ("/\xc3\xbc/\xe6\xb0\xb4", "\x62\xc3\xbc\x63\xe6\xb0\xb4", 2);
    ROUND_TRIP ("/\xf0\x90\x85\x91", "\x64\xf0\x90\x85\x91", 1);
    ROUND_TRIP ("/\x01\x7f", "\x62\x01\x7f", 1);
    ROUND_TRIP ("/123456789012345678901234",
                "\x78\x18"
                "123456789012345678901234",
                1);
}

static saker_err_t try_pointer (const char *pointer)
{
    skr_buf_t path = {0};
    skr_buf_append (&path, "before", 6);
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error != SAKER_OK && !skr_span_equal (skr_span_of (&path), skr_span_text ("before"))) {
        CHECK_FAIL ("'%.50s' left something", pointer);
    }
    skr_buf_free (&path);
    return error;
}

static void bad_pointers_are_refused (void)
{
    CHECK_ERR (try_pointer ("a"), SAKER_EINPUT, "must begin with '/'");
    CHECK_ERR (try_pointer ("#/a"), SAKER_EINPUT, "must begin with '/'");
    CHECK_ERR (try_pointer (" /a"), SAKER_EINPUT, "must begin with '/'");
    CHECK_ERR (try_pointer ("/a/~"), SAKER_EINPUT, "must be written '~0'");
    CHECK_ERR (try_pointer ("/~2"), SAKER_EINPUT, "must be written '~0'");
    CHECK_ERR (try_pointer ("/~/a"), SAKER_EINPUT, "must be written '~0'");
    CHECK_ERR (try_pointer ("/~~0"), SAKER_EINPUT, "must be written '~0'");
    CHECK_ERR (try_pointer ("/a/\xff"), SAKER_EINPUT, "not UTF-8");
    CHECK_ERR (try_pointer ("/\xed\xa0\x80"), SAKER_EINPUT, "not UTF-8");
    CHECK_ERR (try_pointer ("/\xc3/\xbc"), SAKER_EINPUT, "not UTF-8"); /* a letter, cut apart */
}

static saker_err_t pointer_of (size_t levels, size_t key_size)
{
    skr_buf_t pointer = {0};
    for (size_t i = 0; i < levels; i++) {
        skr_buf_append_byte (&pointer, '/');
        for (size_t j = 0; j < key_size; j++) {
            skr_buf_append_byte (&pointer, 'k');
        }
    }
    skr_buf_append_byte (&pointer, 0);
    saker_err_t error = try_pointer ((const char *) pointer.data);
    skr_buf_free (&pointer);
    return error;
}

static void pointers_are_bounded (void)
{
    CHECK_OK (pointer_of (SKR_PATH_LEVELS_MAX, 0));
    CHECK_ERR (pointer_of (SKR_PATH_LEVELS_MAX + 1, 0), SAKER_ELIMIT, "over 32 levels");
    CHECK_OK (pointer_of (SKR_PATH_LEVELS_MAX, 30)); /* 32 * (2 + 30) */
    CHECK_ERR (pointer_of (SKR_PATH_LEVELS_MAX, 31), SAKER_ELIMIT, "over 1024 bytes");
    CHECK_OK (pointer_of (1, SKR_PATH_BYTES_MAX - 3)); /* its head takes 3 */
    CHECK_ERR (pointer_of (1, SKR_PATH_BYTES_MAX - 2), SAKER_ELIMIT, "over 1024 bytes");
    CHECK_ERR (pointer_of (1, SKR_PATH_BYTES_MAX + 1), SAKER_ELIMIT, "over 1024 bytes");
    CHECK_ERR (pointer_of (1, 1000000), SAKER_ELIMIT, "over 1024 bytes");
    CHECK_ERR (pointer_of (100000, 1), SAKER_ELIMIT, "over");
}

static void a_pointer_is_appended (void)
{
    skr_buf_t path = {0};
    CHECK_OK (skr_path_from_pointer (&path, "/a"));
    CHECK_OK (skr_path_from_pointer (&path, ""));
    CHECK_OK (skr_path_from_pointer (&path, "/b"));
    CHECK (skr_span_equal (skr_span_of (&path), skr_span ("\x61"
                                                          "a\x61"
                                                          "b",
                                                          4)));
    skr_buf_free (&path);
}

/* ---- paths */

static void keys_are_taken (void)
{
    skr_span_t path = skr_span ("\x61"
                                "a\x60\x62"
                                "bc",
                                6),
               key = none;
    CHECK (skr_path_next (&path, &key) && skr_span_equal (key, skr_span_text ("a")));
    CHECK (skr_path_next (&path, &key) && skr_span_equal (key, none));
    CHECK (skr_path_next (&path, &key) && skr_span_equal (key, skr_span_text ("bc")));
    CHECK (!skr_path_next (&path, &key) && path.size == 0);
    CHECK (!skr_path_next (&path, &key));
}

static const struct {
    const char *what;
    const char *data;
    size_t size;
} bad_paths[] = {
#define BYTES(what, bytes)                                                                         \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }
    BYTES ("a number", "\x01"),
    BYTES ("bytes", "\x41z"),
    BYTES ("an array", "\x80"),
    BYTES ("null", "\xf6"),
    BYTES ("a key one short", "\x62z"),
    BYTES ("a key in a longer form", "\x78\x01z"),
    BYTES ("an indefinite key", "\x7f\x61z\xff"),
    BYTES ("a tag", "\xc0\x61z"),
    BYTES ("a key not UTF-8", "\x61z\x61\xff"),
    BYTES ("a zero in a key", "\x63z\0z"),
    BYTES ("a number after a key", "\x61z\x01"),
#undef BYTES
};

static void bad_paths_are_refused (void)
{
    for (size_t i = 0; i < COUNT (bad_paths); i++) {
        saker_err_t error = skr_path_check (skr_span (bad_paths[i].data, bad_paths[i].size));
        if (error != SAKER_EINPUT || strncmp (skr_error (), "path: byte ", 11) != 0) {
            CHECK_FAIL ("%s: error %d: %s", bad_paths[i].what, error, skr_error ());
        }
    }
    CHECK_OK (skr_path_check (none));
}

static void paths_are_bounded (void)
{
    uint8_t path[SKR_PATH_BYTES_MAX + 1];
    memset (path, 0x60, sizeof path); /* empty keys */
    CHECK_OK (skr_path_check (skr_span (path, SKR_PATH_LEVELS_MAX)));
    CHECK_ERR (skr_path_check (skr_span (path, SKR_PATH_LEVELS_MAX + 1)), SAKER_ELIMIT, "levels");
    CHECK_ERR (skr_path_check (skr_span (path, sizeof path)), SAKER_ELIMIT, "1024 bytes");
}

/* ---- random keys */

enum { KEYS_MAX = 4 };

typedef struct keys_t {
    const char *keys[KEYS_MAX];
    size_t count;
} keys_t;

static keys_t random_keys (uint64_t *state)
{
    static const char *keys[] = {
        "",   "a",  "aa", "b",        "~",  "/",   "~1",  "a/b",
        "\1", "\4", "ab", "\xc3\xbc", "`a", "aab", "a`b", "123456789012345678901234",
    };
    keys_t picked = {.count = check_random (state) % (KEYS_MAX + 1)};
    for (size_t i = 0; i < picked.count; i++) {
        picked.keys[i] = keys[check_random (state) % COUNT (keys)];
    }
    return picked;
}

static void put_path (skr_buf_t *path, const keys_t *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        skr_cbor_put_text (path, keys->keys[i], strlen (keys->keys[i]));
    }
}

/* Is the place of one at or above that of the other? Key by key. */
static bool is_above (const keys_t *one, const keys_t *other)
{
    bool above = one->count <= other->count;
    for (size_t i = 0; above && i < one->count; i++) {
        above = strcmp (one->keys[i], other->keys[i]) == 0;
    }
    return above;
}

static void random_pointers_come_back (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 20000; i++) {
        keys_t keys = random_keys (&state);
        skr_buf_t path = {0}, pointer = {0}, again = {0};
        put_path (&path, &keys);
        CHECK_OK (skr_path_check (skr_span_of (&path)));
        CHECK_INT (skr_path_levels (skr_span_of (&path)), keys.count);
        skr_path_to_pointer (&pointer, skr_span_of (&path));
        skr_buf_append_byte (&pointer, 0);
        CHECK_OK (skr_path_from_pointer (&again, (const char *) pointer.data));
        CHECK (skr_span_equal (skr_span_of (&path), skr_span_of (&again)));
        skr_buf_free (&path);
        skr_buf_free (&pointer);
        skr_buf_free (&again);
    }
}

static void a_prefix_is_a_place_above (void)
{
    uint64_t state = check_seed ();
    int above = 0;
    for (int i = 0; i < 100000; i++) {
        keys_t one = random_keys (&state), other = random_keys (&state);
        skr_buf_t one_path = {0}, other_path = {0};
        if (i % 2) { /* often enough above */
            size_t count = one.count;
            one = other;
            one.count = one.count > count ? count : one.count;
        }
        put_path (&one_path, &one);
        put_path (&other_path, &other);
        bool starts = skr_span_starts (skr_span_of (&other_path), skr_span_of (&one_path));
        CHECK_INT (starts, is_above (&one, &other));
        above += starts;
        skr_buf_free (&one_path);
        skr_buf_free (&other_path);
    }
    CHECK (above > 1000);
}

/* ---- addresses */

static void put_member (skr_buf_t *member, uint64_t *state)
{
    saker_value_t value = {.type = SAKER_INT, .as.integer = (int64_t) (check_random (state) % 300)};
    switch (check_random (state) % 4) {
    case 0:
        value = (saker_value_t){.type = SAKER_NULL};
        break;
    case 1:
        value.type = SAKER_TEXT;
        value.as.string.data = "aaaa";
        value.as.string.size = check_random (state) % 5;
        break;
    case 2:
        value = (saker_value_t){.type = SAKER_DOUBLE, .as.number = 0.1};
        break;
    default:
        break;
    }
    skr_value_put (member, &value);
}

typedef struct cell_t {
    skr_buf_t path, member, address;
    skr_kind_t kind;
} cell_t;

static cell_t random_cell (uint64_t *state)
{
    keys_t keys = random_keys (state);
    cell_t cell = {.kind = (skr_kind_t) (check_random (state) % 6 + 1)};
    put_path (&cell.path, &keys);
    if (cell.kind == SKR_MEMBER) {
        put_member (&cell.member, state);
    }
    skr_address_put (&cell.address, skr_span_of (&cell.path), cell.kind,
                     skr_span_of (&cell.member));
    return cell;
}

static void free_cell (cell_t *cell)
{
    skr_buf_free (&cell->path);
    skr_buf_free (&cell->member);
    skr_buf_free (&cell->address);
}

static void addresses_come_apart (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 20000; i++) {
        cell_t cell = random_cell (&state);
        skr_span_t path, member;
        skr_kind_t kind;
        CHECK_OK (skr_address_parse (skr_span_of (&cell.address), &path, &kind, &member));
        CHECK (skr_span_equal (path, skr_span_of (&cell.path)));
        CHECK (skr_span_equal (member, skr_span_of (&cell.member)));
        CHECK_INT (kind, cell.kind);
        free_cell (&cell);
    }
}

/* No address begins another, and what a path begins is what lies at and below it. */
static void addresses_sort_by_place (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 100000; i++) {
        cell_t one = random_cell (&state), other = random_cell (&state);
        skr_span_t one_address = skr_span_of (&one.address), path = skr_span_of (&one.path);
        skr_span_t other_address = skr_span_of (&other.address);
        bool same = skr_span_equal (path, skr_span_of (&other.path)) && one.kind == other.kind
                    && skr_span_equal (skr_span_of (&one.member), skr_span_of (&other.member));
        CHECK_INT (skr_span_equal (one_address, other_address), same);
        CHECK_INT (skr_span_starts (other_address, one_address), same);
        CHECK_INT (skr_span_starts (other_address, path),
                   skr_span_starts (skr_span_of (&other.path), path));
        free_cell (&one);
        free_cell (&other);
    }
}

static void only_members_have_a_member (void)
{
    skr_buf_t address = {0};
    skr_address_put (&address,
                     skr_span ("\x61"
                               "a",
                               2),
                     SKR_COUNTER, skr_span ("\x01", 1));
    CHECK (skr_span_equal (skr_span_of (&address), skr_span ("\x61"
                                                             "a\x03",
                                                             3)));
    skr_buf_clear (&address);
    skr_address_put (&address, none, SKR_MEMBER, skr_span ("\x01", 1));
    CHECK (skr_span_equal (skr_span_of (&address), skr_span ("\x04\x01", 2)));
    skr_buf_free (&address);
}

static const struct {
    const char *what;
    const char *data;
    size_t size;
} bad_addresses[] = {
#define BYTES(what, bytes)                                                                         \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }
    BYTES ("nothing", ""),
    BYTES ("a path alone", "\x61"
                           "a"),
    BYTES ("kind 0", "\x61"
                     "a\x00"),
    BYTES ("kind 7", "\x61"
                     "a\x07"),
    BYTES ("kind 31", "\x1f"),
    BYTES ("a negative kind", "\x20"),
    BYTES ("a byte after a register", "\x61"
                                      "a\x01\x01"),
    BYTES ("a kind after a kind", "\x01\x01"),
    BYTES ("a member without one", "\x61"
                                   "a\x04"),
    BYTES ("half a member", "\x61"
                            "a\x04\x62z"),
    BYTES ("two members", "\x61"
                          "a\x04\x01\x01"),
    BYTES ("an array as member", "\x61"
                                 "a\x04\x80"),
    BYTES ("a map as member", "\x61"
                              "a\x04\xa0"),
    BYTES ("undefined as member", "\x61"
                                  "a\x04\xf7"),
    BYTES ("a member in a longer form", "\x61"
                                        "a\x04\x18\x01"),
    BYTES ("half a path", "\x62"
                          "a\x01"),
    BYTES ("bytes in a path", "\x41"
                              "a\x01"),
    BYTES ("a key not UTF-8", "\x61\xff\x01"),
    BYTES ("a zero in a key", "\x61\x00\x01"),
#undef BYTES
};

static void bad_addresses_are_refused (void)
{
    skr_span_t path, member;
    skr_kind_t kind;
    for (size_t i = 0; i < COUNT (bad_addresses); i++) {
        skr_span_t address = skr_span (bad_addresses[i].data, bad_addresses[i].size);
        saker_err_t error = skr_address_parse (address, &path, &kind, &member);
        if (error != SAKER_EINPUT) {
            CHECK_FAIL ("%s: error %d", bad_addresses[i].what, error);
        }
    }
    CHECK (skr_address_parse (none, &path, &kind, &member) == SAKER_EINPUT);
}

/* What a mutated address is taken for gives the same bytes again. */
static void mutated_addresses_do_no_harm (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 30000; i++) {
        cell_t cell = random_cell (&state);
        size_t size = cell.address.size - check_random (&state) % 2;
        uint8_t *copy = malloc (size + !size);
        skr_span_t path, member;
        skr_kind_t kind;
        memcpy (copy, cell.address.data, size);
        if (size) {
            copy[check_random (&state) % size] ^= (uint8_t) (1u << check_random (&state) % 8);
        }
        if (skr_address_parse (skr_span (copy, size), &path, &kind, &member) == SAKER_OK) {
            skr_buf_t again = {0};
            skr_address_put (&again, path, kind, member);
            CHECK (skr_span_equal (skr_span_of (&again), skr_span (copy, size)));
            CHECK_OK (skr_path_check (path));
            skr_buf_free (&again);
        }
        free (copy);
        free_cell (&cell);
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (pointers_come_back);
    RUN (bad_pointers_are_refused);
    RUN (pointers_are_bounded);
    RUN (a_pointer_is_appended);
    RUN (keys_are_taken);
    RUN (bad_paths_are_refused);
    RUN (paths_are_bounded);
    RUN (random_pointers_come_back);
    RUN (a_prefix_is_a_place_above);
    RUN (addresses_come_apart);
    RUN (addresses_sort_by_place);
    RUN (only_members_have_a_member);
    RUN (bad_addresses_are_refused);
    RUN (mutated_addresses_do_no_harm);
    return CHECK_END ();
}
