#include "crdt/view.h"
#include "tests/check.h"
#include "tests/lib/memory_replica.h"

static memory_replica_t ann, bob;
static memory_change_t *changes[32];
static size_t changes_count;

static void open_two (void)
{
    memory_replica_init (&ann, 0);
    memory_replica_init (&bob, 1);
    changes_count = 0;
}

static void close_two (void)
{
    memory_replica_free (&ann);
    memory_replica_free (&bob);
    while (changes_count) {
        memory_change_free (changes[--changes_count]);
    }
}

static void write_at (memory_replica_t *replica, uint64_t hlc, skr_op_kind_t kind,
                      const char *pointer, int64_t number)
{
    replica->hlc = hlc;
    CHECK_OK (memory_replica_int (replica, kind, "doc", pointer, number));
    changes[changes_count++] = memory_replica_commit (replica);
}

static void meet (void)
{
    for (size_t i = 0; i < changes_count; i++) {
        CHECK_OK (memory_replica_apply (&ann, changes[i]));
        CHECK_OK (memory_replica_apply (&bob, changes[i]));
    }
    CHECK (memory_replica_equal (&ann, &bob));
}

static size_t conflicts_at (const char *pointer)
{
    skr_buf_t path = {0};
    size_t conflicts = 99;
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error == SAKER_OK) {
        error = skr_view_document (&ann.cells.cells, skr_span_text ("doc"), skr_span_of (&path),
                                   NULL, NULL, &conflicts);
    }
    skr_buf_free (&path);
    return error == SAKER_OK ? conflicts : 99;
}

#define SHOWS(pointer, text) CHECK_STR (memory_replica_show (&ann, "doc", pointer), text)

static void nothing_is_not_found (void)
{
    open_two ();
    SHOWS ("", "nothing");
    write_at (&ann, 1, SKR_OP_SET, "/a/b", 1);
    SHOWS ("/b", "nothing");
    SHOWS ("/a/b/c", "nothing");
    SHOWS ("/a", "/a/b 1");
    CHECK_STR (memory_replica_show (&ann, "other", ""), "nothing");
    close_two ();
}

static void leaves_come_in_order_of_path (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET, "/b", 1);
    write_at (&ann, 2, SKR_OP_SET, "/a/y", 2);
    write_at (&ann, 3, SKR_OP_SET, "/ab", 3); /* longer keys sort later */
    write_at (&ann, 4, SKR_OP_SET, "/a/x", 4);
    write_at (&ann, 5, SKR_OP_SET_MAP, "/c", 0);
    write_at (&ann, 6, SKR_OP_ADD, "/s", 300);
    write_at (&ann, 7, SKR_OP_ADD, "/s", -1);
    write_at (&ann, 8, SKR_OP_ADD, "/s", 2);
    SHOWS ("", "/a/x 4, /a/y 2, /b 1, /c map, /s member 2, /s member 300, /s member -1, /ab 3");
    CHECK_INT (conflicts_at (""), 0);
    close_two ();
}

static void a_root_may_be_a_value (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET, "", 7);
    SHOWS ("", " 7");
    write_at (&bob, 2, SKR_OP_SET, "/a/b", 1);
    meet ();
    SHOWS ("", " 7 rival conflict, /a/b 1");
    SHOWS ("/a", "/a/b 1");
    CHECK_INT (conflicts_at (""), 1);
    CHECK_INT (conflicts_at ("/a"), 0);
    close_two ();
}

/* A part is judged by the whole: /a is hidden as long as the value of the root is later. */
static void a_part_is_judged_by_the_whole (void)
{
    open_two ();
    write_at (&ann, 5, SKR_OP_SET, "", 7);
    write_at (&bob, 2, SKR_OP_SET, "/a/b", 1);
    meet ();
    SHOWS ("/a", "/a/b 1 conflict hidden");
    write_at (&bob, 6, SKR_OP_SET, "/c", 2); /* elsewhere, but it makes the map win */
    meet ();
    SHOWS ("/a", "/a/b 1");
    SHOWS ("/a/b", "/a/b 1");
    close_two ();
}

/* Without anything to dispute it, a part is read alone. */
static void a_part_is_read_alone (void)
{
    open_two ();
    for (int i = 0; i < 20; i++) {
        write_at (&ann, 5, SKR_OP_INCR, "/n", 1);
    }
    write_at (&ann, 6, SKR_OP_SET, "/a/b", 1);
    size_t visits = ann.cells.visits;
    SHOWS ("/a/b", "/a/b 1");
    CHECK_INT (ann.cells.visits - visits, 1);
    close_two ();
}

static void a_map_with_keys_shows_in_its_keys (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET_MAP, "/m", 0);
    write_at (&bob, 1, SKR_OP_SET_MAP, "/m", 0);
    meet ();
    SHOWS ("", "/m map"); /* one leaf of two entries */
    write_at (&ann, 2, SKR_OP_SET, "/m/a", 1);
    SHOWS ("", "/m/a 1");
    write_at (&ann, 3, SKR_OP_DELETE, "/m/a", 0);
    SHOWS ("", "/m map");
    CHECK_INT (conflicts_at (""), 0);
    close_two ();
}

static void an_empty_map_may_be_a_rival (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET_MAP, "/m", 0);
    write_at (&bob, 2, SKR_OP_SET, "/m", 3);
    meet ();
    SHOWS ("", "/m 3, /m map rival conflict");
    CHECK_INT (conflicts_at (""), 1);
    close_two ();
}

static void sums_wrap (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_INCR, "/n", INT64_MAX);
    write_at (&bob, 2, SKR_OP_INCR, "/n", 2);
    meet ();
    SHOWS ("", "/n counter -9223372036854775807");
    write_at (&bob, 3, SKR_OP_INCR, "/n", INT64_MIN);
    meet ();
    SHOWS ("", "/n counter 1");
    close_two ();
}

static void conflicts_count_places (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET, "/a", 1);
    write_at (&ann, 2, SKR_OP_SET_LWW, "/b", 1);
    write_at (&ann, 3, SKR_OP_SET, "/c/d", 1);
    write_at (&ann, 4, SKR_OP_SET_LWW, "/e", 1);
    write_at (&bob, 1, SKR_OP_SET, "/a", 2);
    write_at (&bob, 2, SKR_OP_SET_LWW, "/b", 2);
    write_at (&bob, 9, SKR_OP_SET, "/c", 2);
    write_at (&bob, 3, SKR_OP_SET, "/e", 2);
    meet ();
    SHOWS ("", "/a 2, /a 1 rival conflict, /b lww 2, /b lww 1 rival, /c 2, /c/d 1 conflict hidden, "
               "/e lww 1, /e 2 rival conflict");
    CHECK_INT (conflicts_at (""), 3);
    CHECK_INT (conflicts_at ("/b"), 0);
    CHECK_INT (conflicts_at ("/c"), 1);
    close_two ();
}

/* An lww register that lost to a register is listed; one that lost to its like is not. */
static void an_lww_rival_of_a_register_is_listed (void)
{
    open_two ();
    write_at (&ann, 1, SKR_OP_SET_LWW, "/a", 1);
    write_at (&bob, 2, SKR_OP_SET, "/a", 2);
    meet ();
    SHOWS ("", "/a 2, /a lww 1 rival conflict");
    CHECK_INT (conflicts_at (""), 1);
    close_two ();
}

/* ---- damage and errors ---- */

static saker_err_t refuse (const skr_leaf_t *leaf, void *argument)
{
    (void) leaf;
    ++*(int *) argument;
    return skr_fail (SAKER_EFULL, "enough");
}

static saker_err_t view (memory_cells_t *cells, skr_leaf_visit_fn *visit, void *argument)
{
    return skr_view_document (&cells->cells, skr_span_text ("doc"), skr_span (NULL, 0), visit,
                              argument, NULL);
}

static void an_error_of_the_visit_ends_it (void)
{
    int calls = 0;
    open_two ();
    write_at (&ann, 1, SKR_OP_SET, "/a", 1);
    write_at (&ann, 1, SKR_OP_SET, "/b", 1);
    CHECK (view (&ann.cells, refuse, &calls) == SAKER_EFULL);
    CHECK_INT (calls, 1);
    ann.cells.fail_after = 0;
    CHECK (view (&ann.cells, refuse, &calls) == SAKER_EIO);
    ann.cells.fail_after = -1;
    close_two ();
}

static saker_err_t view_of_entry (const char *address, size_t address_size, const char *value,
                                  size_t value_size)
{
    memory_cells_t cells;
    memory_cells_init (&cells);
    skr_entry_t entry = {.dot = {memory_writer (0), 1, 0},
                         .address = skr_span (address, address_size),
                         .value = skr_span (value, value_size)};
    saker_err_t error = cells.cells.put (&cells, skr_span_text ("doc"), &entry);
    if (error == SAKER_OK) {
        error = view (&cells, NULL, NULL);
    }
    memory_cells_free (&cells);
    return error;
}

static void damage_is_noticed (void)
{
    CHECK_OK (view_of_entry ("\x61"
                             "a\x01",
                             3, "\x01", 1));
    CHECK (view_of_entry ("\x61"
                          "a\x09",
                          3, "\x01", 1)
           == SAKER_EDAMAGED);
    CHECK (view_of_entry ("\x62"
                          "a",
                          2, "\x01", 1)
           == SAKER_EDAMAGED);
    CHECK_OK (view_of_entry ("\x61"
                             "a\x06",
                             3, "\xa0", 1)
                      == SAKER_ENOTFOUND
                  ? SAKER_OK
                  : SAKER_EDIFFER);
}

static saker_err_t ignore (const skr_leaf_t *leaf, void *argument)
{
    (void) leaf;
    (void) argument;
    return SAKER_OK;
}

static void damaged_values_are_noticed (void)
{
    static const struct {
        const char *address, *value;
        size_t value_size;
    } table[] = {
        {"\x61"
         "a\x01",
         "\x18", 1},
        {"\x61"
         "a\x01",
         "\x01\x01", 2},
        {"\x61"
         "a\x03",
         "\x61x", 2},
        {"\x61"
         "a\x03",
         "", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        memory_cells_t cells;
        memory_cells_init (&cells);
        skr_entry_t entry = {.dot = {memory_writer (0), 1, 0},
                             .address = skr_span (table[i].address, 3),
                             .value = skr_span (table[i].value, table[i].value_size)};
        CHECK_OK (cells.cells.put (&cells, skr_span_text ("doc"), &entry));
        CHECK (view (&cells, ignore, NULL) == SAKER_EDAMAGED);
        memory_cells_free (&cells);
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (nothing_is_not_found);
    RUN (leaves_come_in_order_of_path);
    RUN (a_root_may_be_a_value);
    RUN (a_part_is_judged_by_the_whole);
    RUN (a_part_is_read_alone);
    RUN (a_map_with_keys_shows_in_its_keys);
    RUN (an_empty_map_may_be_a_rival);
    RUN (sums_wrap);
    RUN (conflicts_count_places);
    RUN (an_lww_rival_of_a_register_is_listed);
    RUN (an_error_of_the_visit_ends_it);
    RUN (damage_is_noticed);
    RUN (damaged_values_are_noticed);
    return CHECK_END ();
}
