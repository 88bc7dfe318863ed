/* The algebra of the cells. A history is up to eight operations by three writers, each written on
   top of some of the earlier ones; the reference keeps it all and says: an entry is live in a set
   of operations when it is in the set and nothing in the set ends it, and an operation ends what
   lies in its scope and what its writer had seen. No code of the merge is used for that.

     triples   random histories, and three random states of each (A, B, C: sets that hold whatever
   their members had seen): merging is commutative, associative and idempotent, byte for byte, and
               equals the reference
     orders    every history of up to N operations, each in every order in which it can be applied

   algebra triples [--count N]      of each cell type
   algebra orders [--operations N] */

#include "tests/lib/memory_replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPS_MAX 8
#define WRITERS 3
#define LETTERS_MAX 4

typedef unsigned set_t; /* of operations, as bits */

typedef struct letter_t { /* one operation of an alphabet */
    skr_op_kind_t kind;
    const char *pointer;
    int64_t number;
} letter_t;

typedef struct cell_type_t {
    const char *name;
    bool pred_always;
    int letters_count;
    letter_t letters[LETTERS_MAX];
} cell_type_t;

static const cell_type_t types[] = {
    {"register", false, 2, {{SKR_OP_SET, "/a", 0}, {SKR_OP_DELETE, "/a", 0}}},
    {"lww", false, 2, {{SKR_OP_SET_LWW, "/a", 0}, {SKR_OP_DELETE, "/a", 0}}},
    {"counter", false, 2, {{SKR_OP_INCR, "/n", 5}, {SKR_OP_DELETE, "/n", 0}}},
    {"member",
     true,
     4,
     {{SKR_OP_ADD, "/s", 1},
      {SKR_OP_REMOVE, "/s", 1},
      {SKR_OP_ADD, "/s", 2},
      {SKR_OP_DELETE, "/s", 0}}},
    {"map",
     false,
     4,
     {{SKR_OP_SET, "/m/x", 0},
      {SKR_OP_SET, "/m", 0},
      {SKR_OP_DELETE, "/m", 0},
      {SKR_OP_SET_MAP, "/m", 0}}},
    {"clash",
     false,
     4,
     {{SKR_OP_SET, "/t", 0},
      {SKR_OP_INCR, "/t", 5},
      {SKR_OP_ADD, "/t", 1},
      {SKR_OP_DELETE, "/t", 0}}},
};
#define TYPES ((int) (sizeof types / sizeof types[0]))

typedef struct history_t {
    const cell_type_t *type;
    int count;
    struct {
        int writer, letter;
        set_t saw; /* with all that those had seen */
    } ops[OPS_MAX];
    memory_change_t *changes[OPS_MAX];
} history_t;

static unsigned long long histories, orders;

/* ---- the reference */

static const letter_t *letter_of (const history_t *self, int op)
{
    return &self->type->letters[self->ops[op].letter];
}

static bool adds (skr_op_kind_t kind)
{
    return kind != SKR_OP_DELETE && kind != SKR_OP_REMOVE;
}

static bool at_or_below (const char *pointer, const char *above)
{
    size_t size = strlen (above);
    return strncmp (pointer, above, size) == 0 && (!pointer[size] || pointer[size] == '/');
}

static bool in_scope (const letter_t *ender, const letter_t *entry)
{
    bool same = strcmp (ender->pointer, entry->pointer) == 0;
    switch (ender->kind) {
    case SKR_OP_SET:
    case SKR_OP_SET_LWW:
    case SKR_OP_DELETE:
        return at_or_below (entry->pointer, ender->pointer);
    case SKR_OP_SET_MAP:
        return same;
    case SKR_OP_ADD:
    case SKR_OP_REMOVE:
        return same && entry->kind == SKR_OP_ADD && entry->number == ender->number;
    default:
        return false;
    }
}

static bool ends (const history_t *self, int ender, int entry)
{
    const letter_t *letter = letter_of (self, ender);
    bool plain_add = letter->kind == SKR_OP_ADD && !self->type->pred_always;
    return (self->ops[ender].saw >> entry & 1) && !plain_add
           && in_scope (letter, letter_of (self, entry));
}

static set_t live (const history_t *self, set_t set)
{
    set_t result = 0;
    for (int i = 0; i < self->count; i++) {
        bool lives = (set >> i & 1) && adds (letter_of (self, i)->kind);
        for (int k = 0; k < self->count && lives; k++) {
            lives = !((set >> k & 1) && ends (self, k, i));
        }
        result |= (set_t) lives << i;
    }
    return result;
}

/* ---- the real thing */

static void take (memory_replica_t *replica, const memory_change_t *change)
{
    if (memory_replica_apply (replica, change) != SAKER_OK) {
        printf ("apply: %s\n", skr_error ());
        abort ();
    }
}

static void take_set (const history_t *self, memory_replica_t *replica, set_t set)
{
    for (int i = 0; i < self->count; i++) {
        if (set >> i & 1) {
            take (replica, self->changes[i]);
        }
    }
}

/* Writes operation number `at` of the history on top of what it saw. */
static void write_op (history_t *self, int at)
{
    memory_replica_t replica;
    const letter_t *letter = letter_of (self, at);
    int64_t number = letter->number ? letter->number : at;
    memory_replica_init (&replica, (unsigned) self->ops[at].writer);
    replica.pred_always = self->type->pred_always;
    for (int i = 0; i < at; i++) {
        if (self->ops[at].saw >> i & 1) {
            take (&replica, self->changes[i]);
        }
    }
    replica.hlc = 1000 + (uint64_t) at;
    if (memory_replica_int (&replica, letter->kind, "d", letter->pointer, number) != SAKER_OK) {
        printf ("write: %s\n", skr_error ());
        abort ();
    }
    self->changes[at] = memory_replica_commit (&replica);
    memory_replica_free (&replica);
}

static void forget_op (history_t *self, int at)
{
    memory_change_free (self->changes[at]);
    self->changes[at] = NULL;
}

static set_t held (const history_t *self, const memory_replica_t *replica)
{
    set_t set = 0;
    for (size_t i = 0; i < replica->cells.count; i++) {
        skr_entry_t entry = memory_cells_entry (&replica->cells, i);
        for (int k = 0; k < self->count; k++) {
            const memory_change_t *change = self->changes[k];
            if (change->seq == entry.dot.seq && skr_id_equal (&change->writer, &entry.dot.writer)) {
                set |= 1u << k;
            }
        }
    }
    return set;
}

static bool right (const history_t *self, const memory_replica_t *replica, set_t set)
{
    return held (self, replica) == live (self, set)
           && replica->cells.count == (size_t) __builtin_popcount (live (self, set))
           && memory_replica_sound (replica);
}

/* ---- telling */

static const char *kind_text (skr_op_kind_t kind)
{
    switch (kind) {
    case SKR_OP_SET:
        return "set";
    case SKR_OP_SET_LWW:
        return "set-lww";
    case SKR_OP_DELETE:
        return "delete";
    case SKR_OP_SET_MAP:
        return "set-map";
    case SKR_OP_INCR:
        return "incr";
    case SKR_OP_ADD:
        return "add";
    case SKR_OP_REMOVE:
        return "remove";
    case SKR_OP_STATEMENT:
        break;
    }
    return "?";
}

static void put_set (set_t set)
{
    for (int i = 0; i < OPS_MAX; i++) {
        if (set >> i & 1) {
            printf (" %d", i);
        }
    }
}

static void tell (const history_t *self)
{
    for (int i = 0; i < self->count; i++) {
        const letter_t *letter = letter_of (self, i);
        printf ("  %d: writer %c: %s %s %lld, had seen:", i, 'A' + self->ops[i].writer,
                kind_text (letter->kind), letter->pointer, (long long) letter->number);
        put_set (self->ops[i].saw);
        printf ("\n");
    }
}

/* ---- triples */

static uint64_t dice;

static unsigned roll (unsigned sides)
{
    dice = dice * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned) (dice >> 33) % sides;
}

/* With all that its members had seen. */
static set_t closed (const history_t *self, set_t set)
{
    for (int i = self->count - 1; i >= 0; i--) {
        set |= set >> i & 1 ? self->ops[i].saw : 0;
    }
    return set;
}

static set_t own_of (const history_t *self, int writer, int before)
{
    set_t set = 0;
    for (int i = 0; i < before; i++) {
        set |= (set_t) (self->ops[i].writer == writer) << i;
    }
    return set;
}

static void make_history (history_t *self)
{
    self->count = 0;
    for (int i = 0, count = 3 + (int) roll (OPS_MAX - 2); i < count; i++) {
        self->ops[i].writer = (int) roll (WRITERS);
        self->ops[i].letter = (int) roll ((unsigned) self->type->letters_count);
        self->ops[i].saw = closed (self, (roll (1u << i) | own_of (self, self->ops[i].writer, i))
                                             & ((1u << i) - 1));
        self->count = i + 1;
        write_op (self, i);
    }
}

static void free_history (history_t *self)
{
    for (int i = 0; i < self->count; i++) {
        forget_op (self, i);
    }
    self->count = 0;
}

/* All of one state after the other, each with repetitions of what came before. */
static void merge (const history_t *self, memory_replica_t *replica, const set_t sets[3], int first,
                   int second, int third)
{
    memory_replica_init (replica, 9);
    take_set (self, replica, sets[first]);
    take_set (self, replica, sets[second]);
    take_set (self, replica, sets[first]);
    take_set (self, replica, sets[third]);
    take_set (self, replica, sets[second] | sets[third]);
}

static bool agrees (const history_t *self, const set_t sets[3])
{
    static const int ways[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    memory_replica_t one, other;
    set_t all = sets[0] | sets[1] | sets[2];
    bool good;
    merge (self, &one, sets, 0, 1, 2);
    good = right (self, &one, all);
    for (int i = 1; i < 6 && good; i++) {
        merge (self, &other, sets, ways[i][0], ways[i][1], ways[i][2]);
        good = memory_replica_equal (&one, &other);
        memory_replica_free (&other);
    }
    memory_replica_free (&one);
    for (int i = 0; i < 3 && good; i++) { /* each state by itself */
        memory_replica_init (&one, 9);
        take_set (self, &one, sets[i]);
        good = right (self, &one, sets[i]);
        memory_replica_free (&one);
    }
    return good;
}

/* The same history without one operation and whatever had seen it. */
static void leave_out (const history_t *self, int out, const set_t sets[3], history_t *less,
                       set_t less_sets[3])
{
    int place[OPS_MAX];
    *less = (history_t){.type = self->type};
    memset (less_sets, 0, 3 * sizeof *less_sets);
    for (int i = 0; i < self->count; i++) {
        bool gone = i == out || (self->ops[i].saw >> out & 1);
        place[i] = gone ? -1 : less->count;
        if (gone) {
            continue;
        }
        less->ops[less->count].writer = self->ops[i].writer;
        less->ops[less->count].letter = self->ops[i].letter;
        for (int k = 0; k < i; k++) {
            if ((self->ops[i].saw >> k & 1) && place[k] >= 0) {
                less->ops[less->count].saw |= 1u << place[k];
            }
        }
        for (int k = 0; k < 3; k++) {
            less_sets[k] |= (sets[k] >> i & 1) << less->count;
        }
        write_op (less, less->count++);
    }
}

static void shrink (history_t *self, set_t sets[3])
{
    for (int i = self->count - 1; i >= 0; i--) {
        history_t less;
        set_t less_sets[3];
        leave_out (self, i, sets, &less, less_sets);
        if (less.count && !agrees (&less, less_sets)) {
            free_history (self);
            *self = less;
            memcpy (sets, less_sets, sizeof less_sets);
            i = self->count;
        } else {
            free_history (&less);
        }
    }
}

static bool triple (const cell_type_t *type, uint64_t seed)
{
    history_t history = {.type = type};
    set_t sets[3];
    dice = seed * 2654435769u + 12345;
    make_history (&history);
    for (int i = 0; i < 3; i++) {
        sets[i] = closed (&history, roll (1u << history.count));
    }
    bool good = agrees (&history, sets);
    if (!good) {
        shrink (&history, sets);
        printf ("%s: replay with SEED=%llu; the smallest that fails:\n", type->name,
                (unsigned long long) seed);
        tell (&history);
        for (int i = 0; i < 3; i++) {
            printf ("  %c:", 'A' + i);
            put_set (sets[i]);
            printf ("\n");
        }
    }
    free_history (&history);
    return good;
}

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int triples (unsigned long count)
{
    const char *given = getenv ("SEED");
    uint64_t first = given ? strtoull (given, NULL, 10) : 1;
    int passed = 0, failed = 0;
    for (int t = 0; t < TYPES; t++) {
        double start_s = now_s ();
        bool good = true;
        for (unsigned long i = 0; i < (given ? 1 : count) && good; i++) {
            good = triple (&types[t], first + i);
        }
        passed += good;
        failed += !good;
        printf ("%-10s %lu triples, %.0f a second\n", types[t].name, given ? 1 : count,
                (double) count / (now_s () - start_s));
    }
    printf ("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed ? 1 : 0;
}

/* ---- orders */

static bool try_orders (history_t *self, const memory_replica_t *first, int order[OPS_MAX],
                        int done, set_t set)
{
    bool good = true;
    if (done == self->count) {
        memory_replica_t replica;
        memory_replica_init (&replica, 9);
        for (int i = 0; i < done; i++) {
            take (&replica, self->changes[order[i]]);
        }
        orders++;
        good = memory_replica_equal (first, &replica);
        memory_replica_free (&replica);
        return good;
    }
    for (int i = 0; i < self->count && good; i++) {
        if (!(set >> i & 1) && (self->ops[i].saw & ~set) == 0) {
            order[done] = i;
            good = try_orders (self, first, order, done + 1, set | 1u << i);
        }
    }
    return good;
}

static bool check_history (history_t *self)
{
    memory_replica_t first;
    int order[OPS_MAX];
    set_t all = (1u << self->count) - 1;
    histories++;
    memory_replica_init (&first, 9);
    take_set (self, &first, all);
    bool good = right (self, &first, all) && try_orders (self, &first, order, 0, 0);
    memory_replica_free (&first);
    if (!good) {
        printf ("%s: this history:\n", self->type->name);
        tell (self);
    }
    return good;
}

static bool extend (history_t *self, int operations);

static bool extend_by (history_t *self, int operations, int writer, set_t saw)
{
    int at = self->count;
    bool good = true;
    for (int letter = 0; letter < self->type->letters_count && good; letter++) {
        self->ops[at].writer = writer;
        self->ops[at].letter = letter;
        self->ops[at].saw = saw;
        write_op (self, at);
        self->count = at + 1;
        good = check_history (self) && extend (self, operations);
        self->count = at;
        forget_op (self, at);
    }
    return good;
}

static bool extend (history_t *self, int operations)
{
    bool good = true;
    if (self->count == operations) {
        return true;
    }
    for (int writer = 0; writer < WRITERS && good; writer++) {
        set_t own = own_of (self, writer, self->count);
        for (set_t saw = 0; saw < 1u << self->count && good; saw++) {
            if ((own & ~saw) == 0 && closed (self, saw) == saw) {
                good = extend_by (self, operations, writer, saw);
            }
        }
    }
    return good;
}

/* Without a number: four operations of the small alphabets, three of the large ones. */
static int all_orders (int operations)
{
    int passed = 0, failed = 0;
    for (int t = 0; t < TYPES; t++) {
        history_t history = {.type = &types[t]};
        int most = operations ? operations : types[t].letters_count > 2 ? 3 : 4;
        histories = orders = 0;
        bool good = extend (&history, most);
        passed += good;
        failed += !good;
        printf ("%-10s up to %d operations: %llu histories, %llu orders\n", types[t].name, most,
                histories, orders);
    }
    printf ("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed ? 1 : 0;
}

int main (int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    long number = argc > 3 ? strtol (argv[3], NULL, 10) : 0;
    if (strcmp (what, "triples") == 0) {
        return triples (number > 0 ? (unsigned long) number : 10000);
    }
    if (strcmp (what, "orders") == 0) {
        return all_orders (number > 0 && number <= OPS_MAX ? (int) number : 0);
    }
    fprintf (stderr, "usage: algebra triples [--count N] | orders [--operations N]\n");
    return 2;
}
