/* The merge against a model that keeps all history. Writers write at random, on what they have
   heard of so far; the model notes for each operation exactly which dots its writer could see in
   its scope (single dots, no bounds; paths as lists of keys, no bytes) and says what lives where.

   Then: every causal order of the same changes, with repetitions, must give the same bytes; undo
   must give the bytes that were there before, and redo those that were there after. */

#include "crdt/view.h"
#include "tests/check.h"
#include "tests/lib/memory_replica.h"

#define WRITERS 4
#define OPS_MAX 512
#define CHANGES_MAX 256
#define LEVELS 3

/* ---- the model ---- */

typedef struct model_op_t {
    skr_op_kind_t kind;
    int document;
    int keys[LEVELS], levels; /* of the path */
    int64_t number;           /* argument */
    size_t change;
    uint32_t index;
    bool ends[OPS_MAX]; /* operations whose entries it ended */
} model_op_t;

static model_op_t model[OPS_MAX];
static size_t model_count;
static memory_change_t *changes[CHANGES_MAX];
static unsigned author[CHANGES_MAX];
static size_t changes_count;
static bool heard[WRITERS][CHANGES_MAX];
static memory_replica_t replicas[WRITERS];
static uint64_t dice;

static const char *const documents[] = {"doc", "dod"};
static const char *const keys[] = {"a", "b", "ab"};

static unsigned roll (unsigned sides)
{
    return (unsigned) (check_random (&dice) >> 33) % sides;
}

static bool adds (const model_op_t *op)
{
    return op->kind != SKR_OP_DELETE && op->kind != SKR_OP_REMOVE;
}

/* Is what `entry` added alive at this replica? */
static bool lives (unsigned replica, size_t entry)
{
    if (!adds (&model[entry]) || !heard[replica][model[entry].change]) {
        return false;
    }
    for (size_t i = 0; i < model_count; i++) {
        if (heard[replica][model[i].change] && model[i].ends[entry]) {
            return false;
        }
    }
    return true;
}

static bool at_or_below (const model_op_t *entry, const model_op_t *op)
{
    if (entry->document != op->document || entry->levels < op->levels) {
        return false;
    }
    for (int i = 0; i < op->levels; i++) {
        if (entry->keys[i] != op->keys[i]) {
            return false;
        }
    }
    return true;
}

static bool in_scope (const model_op_t *entry, const model_op_t *op)
{
    bool here = at_or_below (entry, op) && entry->levels == op->levels;
    switch (op->kind) {
    case SKR_OP_SET:
    case SKR_OP_SET_LWW:
    case SKR_OP_DELETE:
        return at_or_below (entry, op);
    case SKR_OP_SET_MAP:
        return here;
    case SKR_OP_INCR:
        return here && entry->kind == SKR_OP_INCR;
    case SKR_OP_ADD:
    case SKR_OP_REMOVE:
        return here && entry->kind == SKR_OP_ADD && entry->number == op->number;
    case SKR_OP_STATEMENT:
        break;
    }
    return false;
}

static void note_ends (unsigned replica, model_op_t *op)
{
    bool blind = op->kind == SKR_OP_INCR || op->kind == SKR_OP_ADD;
    if (blind && !replicas[replica].pred_always) {
        return;
    }
    size_t count = model_count;
    for (size_t i = 0; i < count; i++) {
        op->ends[i] = &model[i] != op && in_scope (&model[i], op) && lives (replica, i);
    }
}

static void pointer_of (const model_op_t *op, char pointer[16])
{
    size_t size = 0;
    pointer[0] = 0;
    for (int i = 0; i < op->levels; i++) {
        size += (size_t) snprintf (pointer + size, 16 - size, "/%s", keys[op->keys[i]]);
    }
}

/* ---- the model against a replica ---- */

static const model_op_t *find_model (const skr_dot_t *dot)
{
    for (size_t i = 0; i < model_count; i++) {
        const memory_change_t *change = changes[model[i].change];
        if (change->seq == dot->seq && model[i].index == dot->index
            && skr_id_equal (&change->writer, &dot->writer)) {
            return &model[i];
        }
    }
    return NULL;
}

static void model_address (const model_op_t *op, skr_buf_t *address, skr_buf_t *value)
{
    skr_buf_t path = {0};
    saker_value_t number = {.type = SAKER_INT, .as.integer = op->number}, null = {SAKER_NULL, {0}};
    char pointer[16];
    pointer_of (op, pointer);
    CHECK_OK (skr_path_from_pointer (&path, pointer));
    bool in_address = op->kind == SKR_OP_ADD;
    skr_buf_t member = {0};
    skr_value_put (&member, &number);
    skr_address_put (address, skr_span_of (&path), skr_op_cell (op->kind),
                     in_address ? skr_span_of (&member) : skr_span (NULL, 0));
    skr_value_put (value, in_address || op->kind == SKR_OP_SET_MAP ? &null : &number);
    skr_buf_free (&member);
    skr_buf_free (&path);
}

static void entry_agrees (unsigned replica, size_t i)
{
    skr_entry_t entry = memory_cells_entry (&replicas[replica].cells, i);
    const model_op_t *op = find_model (&entry.dot);
    CHECK (op && lives (replica, (size_t) (op - model)));
    CHECK (skr_span_equal (skr_span_of (&replicas[replica].cells.entries[i].document),
                           skr_span_text (documents[op->document])));
    skr_buf_t address = {0}, value = {0};
    model_address (op, &address, &value);
    bool equal = skr_span_equal (entry.address, skr_span_of (&address))
                 && skr_span_equal (entry.value, skr_span_of (&value))
                 && entry.hlc == changes[op->change]->hlc;
    skr_buf_free (&address);
    skr_buf_free (&value);
    CHECK (equal);
}

static void replica_agrees (unsigned replica)
{
    size_t alive = 0;
    for (size_t i = 0; i < model_count; i++) {
        alive += lives (replica, i);
    }
    CHECK_INT (replicas[replica].cells.count, alive);
    for (size_t i = 0; i < replicas[replica].cells.count && !check_bad; i++) {
        entry_agrees (replica, i);
    }
    CHECK (memory_replica_sound (&replicas[replica]));
}

/* ---- the model's view, place by place, by the words of view.h ---- */

static int compare_rank (const model_op_t *one, const model_op_t *other)
{
    uint64_t a = changes[one->change]->hlc, b = changes[other->change]->hlc;
    if (a != b) {
        return a < b ? -1 : 1;
    }
    if (author[one->change] != author[other->change]) {
        return author[one->change] < author[other->change] ? -1 : 1;
    }
    return one->index < other->index ? -1 : one->index > other->index;
}

/* The highest live entry at and below the first `levels` keys of a place. */
static const model_op_t *highest (unsigned replica, const model_op_t *place, int levels)
{
    model_op_t above = *place;
    const model_op_t *best = NULL;
    above.levels = levels;
    for (size_t i = 0; i < model_count; i++) {
        if (at_or_below (&model[i], &above) && lives (replica, i)
            && (!best || compare_rank (&model[i], best) > 0)) {
            best = &model[i];
        }
    }
    return best;
}

static skr_kind_t kind_at (const model_op_t *best, int levels)
{
    return best->levels > levels ? SKR_MAP : skr_op_cell (best->kind);
}

static bool model_shows (unsigned replica, const model_op_t *entry)
{
    for (int levels = 0; levels < entry->levels; levels++) {
        if (kind_at (highest (replica, entry, levels), levels) != SKR_MAP) {
            return false;
        }
    }
    const model_op_t *best = highest (replica, entry, entry->levels);
    bool alone = entry->kind == SKR_OP_SET || entry->kind == SKR_OP_SET_LWW;
    return alone ? best == entry : kind_at (best, entry->levels) == skr_op_cell (entry->kind);
}

static int64_t model_sum (unsigned replica, const model_op_t *entry)
{
    int64_t sum = 0;
    for (size_t i = 0; i < model_count; i++) {
        bool here = at_or_below (&model[i], entry) && model[i].levels == entry->levels;
        sum += here && model[i].kind == SKR_OP_INCR && lives (replica, i) ? model[i].number : 0;
    }
    return sum;
}

typedef struct look_t {
    unsigned replica;
    size_t leaves;
} look_t;

static saker_err_t leaf_agrees (const skr_leaf_t *leaf, void *argument)
{
    look_t *look = argument;
    look->leaves++;
    const model_op_t *entry = find_model (&leaf->dot);
    if (!entry || !lives (look->replica, (size_t) (entry - model))
        || leaf->kind != skr_op_cell (entry->kind)) {
        return skr_fail (SAKER_EDIFFER, "a leaf that the model does not know");
    }
    if (leaf->shown != model_shows (look->replica, entry)) {
        return skr_fail (SAKER_EDIFFER, "shown is %d", leaf->shown);
    }
    if (leaf->kind == SKR_COUNTER && leaf->value.as.integer != model_sum (look->replica, entry)) {
        return skr_fail (SAKER_EDIFFER, "sum is %lld", (long long) leaf->value.as.integer);
    }
    return SAKER_OK;
}

static bool same_leaf (const model_op_t *one, const model_op_t *other)
{
    bool here = at_or_below (one, other) && one->levels == other->levels;
    bool merges = one->kind != SKR_OP_SET && one->kind != SKR_OP_SET_LWW;
    bool members = one->kind != SKR_OP_ADD || one->number == other->number;
    return here && merges && members && one->kind == other->kind;
}

static bool has_keys (unsigned replica, const model_op_t *entry)
{
    for (size_t i = 0; i < model_count; i++) {
        if (at_or_below (&model[i], entry) && model[i].levels > entry->levels
            && lives (replica, i)) {
            return true;
        }
    }
    return false;
}

/* How many leaves there should be: entries, but one a counter, member, and map without keys. */
static size_t model_leaves (unsigned replica, const model_op_t *part)
{
    size_t leaves = 0;
    for (size_t i = 0; i < model_count; i++) {
        bool first = lives (replica, i) && at_or_below (&model[i], part);
        for (size_t j = 0; j < i && first; j++) {
            first = !(lives (replica, j) && same_leaf (&model[i], &model[j]));
        }
        leaves += first && !(model[i].kind == SKR_OP_SET_MAP && has_keys (replica, &model[i]));
    }
    return leaves;
}

static void view_agrees (unsigned replica, const model_op_t *part)
{
    char pointer[16];
    skr_buf_t path = {0};
    look_t look = {.replica = replica};
    pointer_of (part, pointer);
    CHECK_OK (skr_path_from_pointer (&path, pointer));
    saker_err_t error = skr_view_document (&replicas[replica].cells.cells,
                                           skr_span_text (documents[part->document]),
                                           skr_span_of (&path), leaf_agrees, &look, NULL);
    skr_buf_free (&path);
    if (error == SAKER_ENOTFOUND) {
        error = SAKER_OK;
    }
    CHECK_OK (error);
    CHECK_INT (look.leaves, model_leaves (replica, part));
}

static void views_agree (unsigned replica)
{
    for (int document = 0; document < 2; document++) {
        view_agrees (replica, &(model_op_t){.document = document});
        view_agrees (replica, &(model_op_t){.document = document, .levels = 1});
        view_agrees (replica, &(model_op_t){.document = document, .levels = 2, .keys = {0, 1}});
    }
}

/* ---- writing at random ---- */

typedef struct profile_t {
    skr_op_kind_t kinds[8];
    unsigned count;
    bool pred_always;
} profile_t;

static const profile_t registers = {{SKR_OP_SET, SKR_OP_SET, SKR_OP_DELETE}, 3, false};
static const profile_t lww = {{SKR_OP_SET_LWW, SKR_OP_SET_LWW, SKR_OP_DELETE}, 3, false};
static const profile_t counters = {
    {SKR_OP_INCR, SKR_OP_INCR, SKR_OP_INCR, SKR_OP_DELETE}, 4, false};
static const profile_t members = {{SKR_OP_ADD, SKR_OP_ADD, SKR_OP_REMOVE, SKR_OP_DELETE}, 4, false};
static const profile_t maps = {{SKR_OP_SET_MAP, SKR_OP_SET, SKR_OP_DELETE}, 3, false};
static const profile_t mixed = {{SKR_OP_SET, SKR_OP_SET_LWW, SKR_OP_DELETE, SKR_OP_SET_MAP,
                                 SKR_OP_INCR, SKR_OP_ADD, SKR_OP_REMOVE},
                                7,
                                false};
static const profile_t mixed_pred = {{SKR_OP_SET, SKR_OP_SET_LWW, SKR_OP_DELETE, SKR_OP_SET_MAP,
                                      SKR_OP_INCR, SKR_OP_ADD, SKR_OP_REMOVE},
                                     7,
                                     true};

static void model_open (const profile_t *profile)
{
    model_count = changes_count = 0;
    memset (heard, 0, sizeof heard);
    for (unsigned i = 0; i < WRITERS; i++) {
        memory_replica_init (&replicas[i], i);
        replicas[i].pred_always = profile->pred_always;
    }
}

static void model_close (void)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        memory_replica_free (&replicas[i]);
    }
    for (size_t i = 0; i < changes_count; i++) {
        memory_change_free (changes[i]);
    }
}

static void write_op (unsigned replica, const profile_t *profile, uint32_t index)
{
    char pointer[16];
    model_op_t *op = &model[model_count];
    memset (op, 0, sizeof *op);
    op->kind = profile->kinds[roll (profile->count)];
    op->document = roll (8) == 0;
    op->levels = (int) roll (LEVELS + 1);
    for (int i = 0; i < LEVELS; i++) {
        op->keys[i] = (int) roll (3);
    }
    op->number = 1 + roll (3);
    op->change = changes_count;
    op->index = index;
    note_ends (replica, op);
    model_count++;
    pointer_of (op, pointer);
    CHECK_OK (memory_replica_int (&replicas[replica], op->kind, documents[op->document], pointer,
                                  op->number));
}

/* Clocks are close and small, so that many writes have the same time. */
static void write_change (unsigned replica, const profile_t *profile)
{
    uint32_t count = 1 + roll (3);
    replicas[replica].hlc += roll (3);
    heard[replica][changes_count] = true;
    for (uint32_t i = 0; i < count; i++) {
        write_op (replica, profile, i);
    }
    author[changes_count] = replica;
    changes[changes_count++] = memory_replica_commit (&replicas[replica]);
}

static void hear (unsigned replica, size_t change)
{
    if (!heard[replica][change] && memory_replica_ready (&replicas[replica], changes[change])) {
        CHECK_OK (memory_replica_apply (&replicas[replica], changes[change]));
        heard[replica][change] = true;
    }
}

static void hear_all (void)
{
    for (unsigned replica = 0; replica < WRITERS; replica++) {
        for (size_t i = 0; i < changes_count; i++) { /* the order of writing is causal */
            hear (replica, i);
        }
    }
}

static void play (const profile_t *profile, size_t changes_max)
{
    while (changes_count < changes_max) {
        unsigned replica = roll (WRITERS);
        if (roll (3) == 0) {
            write_change (replica, profile);
        } else if (changes_count) {
            hear (replica, roll ((unsigned) changes_count));
        }
    }
}

/* ---- tests ---- */

static void compare_history (const profile_t *profile)
{
    model_open (profile);
    for (size_t step = 10; step <= 40 && !check_bad; step += 10) {
        play (profile, step);
        for (unsigned i = 0; i < WRITERS && !check_bad; i++) {
            replica_agrees (i);
            views_agree (i);
        }
    }
    hear_all ();
    for (unsigned i = 0; i < WRITERS && !check_bad; i++) {
        replica_agrees (i);
        views_agree (i);
        if (!memory_replica_equal (&replicas[0], &replicas[i])) {
            CHECK_FAIL ("replicas 0 and %u differ", i);
        }
    }
    model_close ();
}

static void rounds (const profile_t *profile, void (*test) (const profile_t *profile), int count)
{
    dice = check_seed ();
    for (int i = 0; i < count && !check_bad; i++) {
        test (profile);
    }
}

#define HISTORY_TEST(name, profile, count)                                                         \
    static void name (void)                                                                        \
    {                                                                                              \
        rounds (&profile, compare_history, count);                                                 \
    }

HISTORY_TEST (registers_as_in_the_model, registers, 25)
HISTORY_TEST (lww_as_in_the_model, lww, 25)
HISTORY_TEST (counters_as_in_the_model, counters, 25)
HISTORY_TEST (members_as_in_the_model, members, 25)
HISTORY_TEST (maps_as_in_the_model, maps, 25)
HISTORY_TEST (mixed_as_in_the_model, mixed, 80)
HISTORY_TEST (mixed_with_pred_as_in_the_model, mixed_pred, 40)

/* Walks all causal orders by applying and taking back, so that undo is tried at every step too. */
#define ORDER_CHANGES 6

typedef struct walk_t {
    memory_replica_t replica;
    size_t order[ORDER_CHANGES + 1];
    bool used[ORDER_CHANGES];
    size_t depth, orders;
} walk_t;

/* What was applied is applied again, at every step: nothing may happen. */
static void repeat (walk_t *walk)
{
    for (size_t i = 0; i < walk->depth; i++) {
        CHECK_OK (memory_replica_apply (&walk->replica, changes[walk->order[i]]));
    }
}

static bool go_deeper (walk_t *walk, size_t from)
{
    for (size_t i = from; i < changes_count; i++) {
        if (!walk->used[i] && memory_replica_ready (&walk->replica, changes[i])) {
            if (memory_replica_apply (&walk->replica, changes[i]) != SAKER_OK) {
                CHECK_FAIL ("apply: %s", skr_error ());
            }
            walk->used[i] = true;
            walk->order[walk->depth++] = i;
            return true;
        }
    }
    return false;
}

static size_t go_back (walk_t *walk)
{
    size_t last = walk->order[--walk->depth];
    if (memory_replica_undo (&walk->replica) != SAKER_OK) {
        CHECK_FAIL ("undo: %s", skr_error ());
    }
    walk->used[last] = false;
    return last + 1;
}

static void walk_orders (walk_t *walk)
{
    size_t from = 0;
    while (!check_bad) {
        if (go_deeper (walk, from)) {
            from = 0;
            repeat (walk);
            continue;
        }
        if (walk->depth == changes_count) {
            walk->orders++;
            if (!memory_replica_equal (&walk->replica, &replicas[0])) {
                CHECK_FAIL ("order %zu gives other bytes", walk->orders);
            }
        }
        if (!walk->depth) {
            break;
        }
        from = go_back (walk);
    }
}

static void compare_orders (const profile_t *profile)
{
    walk_t walk = {.orders = 0};
    model_open (profile);
    play (profile, ORDER_CHANGES);
    hear_all ();
    memory_replica_init (&walk.replica, WRITERS);
    walk_orders (&walk);
    if (!walk.orders || walk.replica.cells.count || walk.replica.fingerprint.low
        || walk.replica.fingerprint.high) {
        CHECK_FAIL ("after undo of everything: %zu entries", walk.replica.cells.count);
    }
    memory_replica_free (&walk.replica);
    model_close ();
}

static void every_order_gives_the_same (void)
{
    rounds (&mixed, compare_orders, 40);
    rounds (&mixed_pred, compare_orders, 15);
    rounds (&counters, compare_orders, 10);
    rounds (&members, compare_orders, 10);
}

/* Undo of the last changes, one by one, then redo: the same bytes at every stage. */
static void undo_and_redo (const profile_t *profile)
{
    memory_replica_t *replica = &replicas[1];
    memory_replica_t again;
    model_open (profile);
    play (profile, 30);
    hear_all ();
    size_t count = replica->log_count, back = 1 + roll ((unsigned) count);
    for (size_t i = count; i > count - back && !check_bad; i--) {
        CHECK_OK (memory_replica_undo (replica));
        memory_replica_init (&again, WRITERS); /* made anew from what is left of the log */
        for (size_t j = 0; j + 1 < i; j++) {
            CHECK_OK (memory_replica_apply (&again, replica->log[j].change));
        }
        if (!memory_replica_equal (replica, &again)) {
            CHECK_FAIL ("undo of change %zu of %zu", i, count);
        }
        memory_replica_free (&again);
    }
    memset (heard[1], 0, sizeof heard[1]);
    for (size_t i = 0; i < replica->log_count; i++) {
        for (size_t j = 0; j < changes_count; j++) {
            heard[1][j] = heard[1][j] || replica->log[i].change == changes[j];
        }
    }
    hear_all ();
    if (!memory_replica_equal (replica, &replicas[0])) {
        CHECK_FAIL ("redo gives other bytes");
    }
    model_close ();
}

static void undo_then_redo_restores (void)
{
    rounds (&mixed, undo_and_redo, 40);
    rounds (&mixed_pred, undo_and_redo, 20);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (registers_as_in_the_model);
    RUN (lww_as_in_the_model);
    RUN (counters_as_in_the_model);
    RUN (members_as_in_the_model);
    RUN (maps_as_in_the_model);
    RUN (mixed_as_in_the_model);
    RUN (mixed_with_pred_as_in_the_model);
    RUN (every_order_gives_the_same);
    RUN (undo_then_redo_restores);
    return CHECK_END ();
}
