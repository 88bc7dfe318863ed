/* The table of what the cells mean (docs/design.md, section 3), each statement beside the test that
   proves it. `test_semantics --print` prints the table as Markdown for the documents.

   Every case runs on a mesh of three replicas. "Concurrent" is: both write, then they hear of each
   other. All replicas get the changes in different orders, more than once, and must agree byte for
   byte before anything is looked at. */

#include "tests/check.h"
#include "tests/lib/memory_replica.h"

#define CHANGES_MAX 32
#define REPLICAS 3

static struct {
    memory_replica_t replica[REPLICAS];
    memory_change_t *change[CHANGES_MAX];
    size_t count;
} mesh;

static memory_replica_t *const ann = &mesh.replica[0];
static memory_replica_t *const bob = &mesh.replica[1];
static memory_replica_t *const cyd = &mesh.replica[2];

static void mesh_open (void)
{
    for (unsigned i = 0; i < REPLICAS; i++) {
        memory_replica_init (&mesh.replica[i], i);
    }
    mesh.count = 0;
}

static void mesh_close (void)
{
    for (unsigned i = 0; i < REPLICAS; i++) {
        memory_replica_free (&mesh.replica[i]);
    }
    for (size_t i = 0; i < mesh.count; i++) {
        memory_change_free (mesh.change[i]);
    }
}

/* One change of one operation; `hlc` is the writer's clock, right or wrong. */
static void write_at (memory_replica_t *replica, uint64_t hlc, skr_op_kind_t kind,
                      const char *pointer, int64_t number)
{
    replica->hlc = hlc;
    CHECK_OK (memory_replica_int (replica, kind, "doc", pointer, number));
    mesh.change[mesh.count++] = memory_replica_commit (replica);
}

static void deliver (memory_replica_t *replica, size_t first, size_t step)
{
    for (size_t round = 0; round <= mesh.count; round++) {
        for (size_t i = 0; i < mesh.count; i++) {
            saker_err_t error =
                memory_replica_apply (replica, mesh.change[(first + i * step) % mesh.count]);
            CHECK (error == SAKER_OK || error == SAKER_EWAIT);
        }
    }
}

/* Everybody hears of everything: forwards, backwards, and from the middle; again and again. */
static void meet (void)
{
    deliver (ann, 0, 1);
    deliver (bob, mesh.count - 1, mesh.count - 1);
    deliver (cyd, mesh.count / 2, 1);
    for (unsigned i = 0; i < REPLICAS; i++) {
        CHECK (memory_replica_sound (&mesh.replica[i]));
        CHECK (memory_replica_equal (ann, &mesh.replica[i]));
    }
}

#define SHOWS(text) CHECK_STR (memory_replica_show (cyd, "doc", ""), text)

/* ---- register ---- */

static void register_concurrent (void)
{
    write_at (ann, 20, SKR_OP_SET, "/x", 1);
    write_at (bob, 30, SKR_OP_SET, "/x", 2);
    write_at (cyd, 10, SKR_OP_SET, "/x", 3);
    meet ();
    SHOWS ("/x 2, /x 1 rival conflict, /x 3 rival conflict");
    write_at (ann, 5, SKR_OP_SET, "/x", 4); /* it saw all three: it settles them */
    meet ();
    SHOWS ("/x 4");
}

static void register_delete (void)
{
    write_at (ann, 10, SKR_OP_SET, "/x", 1);
    meet ();
    write_at (ann, 90, SKR_OP_DELETE, "/x", 0);
    write_at (bob, 20, SKR_OP_SET, "/x", 2);
    meet ();
    SHOWS ("/x 2");
    write_at (cyd, 1, SKR_OP_DELETE, "/x", 0);
    meet ();
    SHOWS ("nothing");
}

/* ---- lww register ---- */

static void lww_concurrent (void)
{
    write_at (ann, 20, SKR_OP_SET_LWW, "/x", 1);
    write_at (bob, 20, SKR_OP_SET_LWW, "/x", 2); /* same time: the higher writer */
    write_at (cyd, 10, SKR_OP_SET_LWW, "/x", 3);
    meet ();
    SHOWS ("/x lww 2, /x lww 1 rival, /x lww 3 rival");
    write_at (cyd, 5, SKR_OP_SET_LWW, "/x", 4);
    meet ();
    SHOWS ("/x lww 4");
}

static void lww_delete (void)
{
    write_at (ann, 10, SKR_OP_SET_LWW, "/x", 1);
    meet ();
    write_at (ann, 90, SKR_OP_DELETE, "/x", 0);
    write_at (bob, 20, SKR_OP_SET_LWW, "/x", 2);
    meet ();
    SHOWS ("/x lww 2");
}

/* ---- counter ---- */

static void counter_concurrent (void)
{
    write_at (ann, 10, SKR_OP_INCR, "/n", 5);
    write_at (bob, 10, SKR_OP_INCR, "/n", 7);
    write_at (bob, 11, SKR_OP_INCR, "/n", 7);
    write_at (cyd, 10, SKR_OP_INCR, "/n", -2);
    meet ();
    SHOWS ("/n counter 17");
    meet ();
    SHOWS ("/n counter 17");
}

static void counter_delete (void)
{
    write_at (ann, 10, SKR_OP_INCR, "/n", 100);
    write_at (bob, 10, SKR_OP_INCR, "/n", 200);
    meet ();
    write_at (bob, 20, SKR_OP_INCR, "/n", 3);
    write_at (ann, 90, SKR_OP_DELETE, "/n", 0);
    write_at (cyd, 20, SKR_OP_INCR, "/n", 4);
    meet ();
    SHOWS ("/n counter 7");
}

/* ---- set member ---- */

static void member_concurrent (void)
{
    write_at (ann, 10, SKR_OP_ADD, "/s", 1);
    meet ();
    write_at (ann, 90, SKR_OP_REMOVE, "/s", 1);
    write_at (bob, 20, SKR_OP_ADD, "/s", 1);
    write_at (bob, 21, SKR_OP_ADD, "/s", 3);
    write_at (cyd, 20, SKR_OP_ADD, "/s", 2);
    write_at (cyd, 21, SKR_OP_ADD, "/s", 3);
    meet ();
    SHOWS ("/s member 1, /s member 2, /s member 3");
    write_at (ann, 5, SKR_OP_REMOVE, "/s", 3); /* it saw both adds */
    meet ();
    SHOWS ("/s member 1, /s member 2");
}

static void member_delete (void)
{
    write_at (ann, 10, SKR_OP_ADD, "/s", 1);
    write_at (ann, 11, SKR_OP_ADD, "/s", 2);
    meet ();
    write_at (ann, 90, SKR_OP_DELETE, "/s", 0);
    write_at (bob, 20, SKR_OP_ADD, "/s", 2);
    meet ();
    SHOWS ("/s member 2");
}

/* ---- map ---- */

static void map_concurrent (void)
{
    write_at (ann, 10, SKR_OP_SET, "/m/a", 1);
    write_at (bob, 10, SKR_OP_SET, "/m/b", 2);
    write_at (cyd, 10, SKR_OP_SET_MAP, "/m", 0);
    meet ();
    SHOWS ("/m/a 1, /m/b 2");
    write_at (bob, 20, SKR_OP_SET, "/m/a", 3);
    write_at (cyd, 30, SKR_OP_SET, "/m/a", 4);
    meet ();
    SHOWS ("/m/a 4, /m/a 3 rival conflict, /m/b 2");
}

static void map_delete (void)
{
    write_at (ann, 10, SKR_OP_SET, "/m/a", 1);
    write_at (ann, 11, SKR_OP_SET, "/m/k/deep", 2);
    meet ();
    write_at (ann, 90, SKR_OP_DELETE, "/m", 0);
    write_at (bob, 20, SKR_OP_SET, "/m/b", 3);
    write_at (cyd, 20, SKR_OP_SET, "/m/k/deep", 4);
    meet ();
    SHOWS ("/m/b 3, /m/k/deep 4");
}

/* ---- type clash ---- */

static void clash_concurrent (void)
{
    write_at (ann, 10, SKR_OP_INCR, "/x", 5);
    write_at (bob, 20, SKR_OP_SET, "/x/a", 1);
    write_at (cyd, 15, SKR_OP_ADD, "/x", 7);
    meet ();
    SHOWS ("/x member 7 rival conflict, /x counter 5 rival conflict, /x/a 1");
    write_at (ann, 30, SKR_OP_INCR, "/x", 1);
    meet ();
    SHOWS ("/x counter 6, /x member 7 rival conflict, /x/a 1 conflict hidden");
    write_at (bob, 5, SKR_OP_SET, "/x", 9);
    meet ();
    SHOWS ("/x 9");
}

static void clash_delete (void)
{
    write_at (ann, 10, SKR_OP_SET, "/x", 1);
    meet ();
    write_at (ann, 90, SKR_OP_DELETE, "/x", 0);
    write_at (bob, 20, SKR_OP_SET, "/x/a", 2);
    write_at (cyd, 30, SKR_OP_INCR, "/x", 3);
    meet ();
    SHOWS ("/x counter 3, /x/a 2 conflict hidden");
}

/* ---- the table ---- */

typedef struct case_t {
    const char *name;
    void (*test) (void);
    const char *text;
} case_t;

typedef struct row_t {
    const char *cell;
    case_t concurrent, deleted;
} row_t;

#define CASE(test, text)                                                                           \
    {                                                                                              \
#test, test, text                                                                          \
    }

static const row_t table[] = {
    {"register (default)",
     CASE (register_concurrent,
           "all rival values are kept as siblings; reads show one winner, the highest (hlc, "
           "writer); rivals are listed as a conflict until somebody writes over them"),
     CASE (register_delete, "the write survives")},
    {"lww register", CASE (lww_concurrent, "as above, but rivals are not reported as conflicts"),
     CASE (lww_delete, "the write survives")},
    {"counter", CASE (counter_concurrent, "every increment counts exactly once"),
     CASE (counter_delete, "increments that the deleter had not seen survive, exactly these")},
    {"set member", CASE (member_concurrent, "add wins"), CASE (member_delete, "the add survives")},
    {"map", CASE (map_concurrent, "key by key"),
     CASE (map_delete, "keys that the deleter had not seen survive")},
    {"different types at one place",
     CASE (clash_concurrent,
           "both are kept; reads show the type with the highest (hlc, writer), where keys below "
           "count for the map; the other is listed as a conflict until somebody writes over it"),
     CASE (clash_delete, "the write survives")},
};

#define ROWS (sizeof table / sizeof *table)

static void print_table (void)
{
    puts ("| cell | concurrent writes | delete against a concurrent write |");
    puts ("| --- | --- | --- |");
    for (size_t i = 0; i < ROWS; i++) {
        printf ("| %s | %s | %s |\n", table[i].cell, table[i].concurrent.text,
                table[i].deleted.text);
    }
}

/* ---- what goes for all cells ---- */

/* Order between dependent writes comes from causality alone: a wrong clock never blocks. */
static void clocks_do_not_order (void)
{
    write_at (ann, UINT64_MAX, SKR_OP_SET, "/x", 1);
    meet ();
    write_at (bob, 1, SKR_OP_SET, "/x", 2);
    meet ();
    SHOWS ("/x 2");
    write_at (ann, UINT64_MAX, SKR_OP_SET, "/x", 3);
    meet ();
    write_at (cyd, 1, SKR_OP_SET_MAP, "/x", 0); /* ends what is seen at the place itself */
    write_at (cyd, 2, SKR_OP_SET, "/x/a", 4);
    meet ();
    SHOWS ("/x/a 4");
}

static void deletes_agree (void)
{
    write_at (ann, 10, SKR_OP_SET, "/x", 1);
    meet ();
    write_at (ann, 20, SKR_OP_DELETE, "/x", 0);
    write_at (bob, 30, SKR_OP_DELETE, "", 0);
    meet ();
    SHOWS ("nothing");
}

static void run_case (const char *name, void (*test) (void))
{
    mesh_open ();
    check_run (name, test);
    mesh_close ();
}

int main (int argc, char **argv)
{
    if (argc == 2 && strcmp (argv[1], "--print") == 0) {
        print_table ();
        return 0;
    }
    CHECK_BEGIN (argc, argv);
    for (size_t i = 0; i < ROWS; i++) {
        run_case (table[i].concurrent.name, table[i].concurrent.test);
        run_case (table[i].deleted.name, table[i].deleted.test);
    }
    run_case ("clocks_do_not_order", clocks_do_not_order);
    run_case ("deletes_agree", deletes_agree);
    return CHECK_END ();
}
