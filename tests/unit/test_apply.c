#include "crdt/apply.h"
#include "crdt/limits.h"
#include "tests/check.h"
#include "tests/lib/memory_replica.h"

static skr_span_t none;

/* ---- fingerprint ---- */

static skr_entry_t entry_of (uint64_t seq)
{
    static const uint8_t address[] = {0x61, 'a', SKR_REGISTER}, value[] = {0x07};
    return (skr_entry_t){.dot = {memory_writer (0), seq, 3},
                         .hlc = 0x0102030405060708,
                         .address = skr_span (address, sizeof address),
                         .value = skr_span (value, sizeof value)};
}

/* From Python: hashlib.blake2b (b'\xc0' * 16 + b'A' * 16 + seq.to_bytes (8, 'big') + (3).to_bytes
   (4, 'big') + hlc.to_bytes (8, 'big') + sized (b'doc') + sized (b'\x61a\x01') + sized (b'\x07'),
   digest_size=16), where sized puts 4 bytes of size in front; and with a value of 600 bytes. */
static void fingerprint_of_one_entry (void)
{
    skr_fingerprint_t sum = {0, 0};
    skr_id_t collection;
    skr_entry_t entry = entry_of (1);
    uint8_t bytes[16];
    char text[33];
    memset (collection.bytes, 0xc0, sizeof collection.bytes);
    skr_fingerprint_add (&sum, &collection, skr_span_text ("doc"), &entry);
    skr_fingerprint_bytes (&sum, bytes);
    skr_hex (text, bytes, sizeof bytes);
    CHECK_STR (text, "26b41a9fcfaa212cf765ca71159dfcd4");

    uint8_t value[600];
    memset (value, 'x', sizeof value);
    entry.value = skr_span (value, sizeof value);
    memset (&sum, 0, sizeof sum);
    skr_fingerprint_add (&sum, &collection, skr_span_text ("doc"), &entry);
    skr_fingerprint_bytes (&sum, bytes);
    skr_hex (text, bytes, sizeof bytes);
    CHECK_STR (text, "7b0a39c140b66c41acd8804effc5c0ec");
}

static void fingerprint_is_a_sum (void)
{
    skr_fingerprint_t one = {0, 0}, other = {0, 0}, back;
    skr_id_t collection = memory_writer (2);
    uint8_t bytes[16];
    for (uint64_t i = 1; i <= 100; i++) {
        skr_entry_t up = entry_of (i), down = entry_of (101 - i);
        skr_fingerprint_add (&one, &collection, skr_span_text ("doc"), &up);
        skr_fingerprint_add (&other, &collection, skr_span_text ("doc"), &down);
    }
    CHECK (skr_fingerprint_equal (&one, &other));
    skr_fingerprint_bytes (&one, bytes);
    skr_fingerprint_from_bytes (&back, bytes);
    CHECK (skr_fingerprint_equal (&one, &back));
    for (uint64_t i = 1; i <= 100; i++) {
        skr_entry_t entry = entry_of (i);
        skr_fingerprint_remove (&one, &collection, skr_span_text ("doc"), &entry);
    }
    CHECK (one.low == 0 && one.high == 0);
}

static void fingerprint_carries (void)
{
    skr_id_t collection = memory_writer (2);
    skr_entry_t entry = entry_of (1);
    skr_fingerprint_t alone = {0, 0}, sum = {UINT64_MAX, UINT64_MAX};
    skr_fingerprint_add (&alone, &collection, skr_span_text ("doc"), &entry);
    skr_fingerprint_add (&sum, &collection, skr_span_text ("doc"), &entry); /* -1 + x */
    CHECK (sum.low == alone.low - 1);
    CHECK (sum.high == alone.high - (alone.low == 0));
    skr_fingerprint_remove (&sum, &collection, skr_span_text ("doc"), &entry);
    CHECK (sum.low == UINT64_MAX && sum.high == UINT64_MAX);
}

/* Every part counts, and what belongs to one part cannot pass for another. */
static void fingerprint_tells_parts_apart (void)
{
    skr_id_t collection = memory_writer (2), another = memory_writer (3);
    skr_entry_t base = entry_of (1), changed[6];
    skr_fingerprint_t sum = {0, 0}, other;
    skr_fingerprint_add (&sum, &collection, skr_span_text ("doc"), &base);
    for (int i = 0; i < 6; i++) {
        changed[i] = base;
    }
    changed[0].dot.index++;
    changed[1].hlc++;
    changed[2].address.size--;
    changed[3].value.size--;
    changed[4].dot.writer = another;
    changed[5].dot.seq++;
    for (int i = 0; i < 6; i++) {
        other = (skr_fingerprint_t){0, 0};
        skr_fingerprint_add (&other, &collection, skr_span_text ("doc"), &changed[i]);
        CHECK (!skr_fingerprint_equal (&sum, &other));
    }
    other = (skr_fingerprint_t){0, 0};
    skr_fingerprint_add (&other, &another, skr_span_text ("doc"), &base);
    CHECK (!skr_fingerprint_equal (&sum, &other));
    other = (skr_fingerprint_t){0, 0};
    skr_fingerprint_add (&other, &collection, skr_span_text ("dod"), &base);
    CHECK (!skr_fingerprint_equal (&sum, &other));
}

/* ---- apply ---- */

#define OP(replica, kind, pointer, number)                                                         \
    CHECK_OK (memory_replica_int (&(replica), kind, "doc", pointer, number))

static void scopes_end_what_they_name (void)
{
    static const struct {
        skr_op_kind_t kind;
        const char *pointer, *left;
    } table[] = {
        {SKR_OP_SET, "/x", "/x 9, /xy 8"},
        {SKR_OP_SET, "", " 9"},
        {SKR_OP_SET_LWW, "/x", "/x lww 9, /xy 8"},
        {SKR_OP_DELETE, "/x", "/xy 8"},
        {SKR_OP_DELETE, "/x/a", "/x member 1, /x member 9, /x counter 4 rival conflict, /xy 8"},
        {SKR_OP_DELETE, "/nowhere",
         "/x member 1, /x member 9, /x counter 4 rival conflict, /x/a 5 conflict hidden, /xy 8"},
        {SKR_OP_SET_MAP, "/x", "/x/a 5, /xy 8"},
        {SKR_OP_REMOVE, "/x",
         "/x member 1, /x counter 4 rival conflict, /x/a 5 conflict hidden, "
         "/xy 8"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        memory_replica_t replica;
        memory_replica_init (&replica, 0);
        OP (replica, SKR_OP_SET, "/xy", 8);
        OP (replica, SKR_OP_INCR, "/x", 4);
        OP (replica, SKR_OP_SET, "/x/a", 5);
        OP (replica, SKR_OP_ADD, "/x", 1);
        OP (replica, SKR_OP_ADD, "/x", 9);
        OP (replica, table[i].kind, table[i].pointer, 9);
        const char *shown = memory_replica_show (&replica, "doc", "");
        if (strcmp (shown, table[i].left) != 0) {
            CHECK_FAIL ("row %zu: \"%s\"", i, shown);
        }
        CHECK (memory_replica_sound (&replica));
        memory_change_free (memory_replica_commit (&replica));
        memory_replica_free (&replica);
    }
}

static void increments_and_adds_do_not_scan (void)
{
    memory_replica_t replica;
    memory_replica_init (&replica, 0);
    for (int i = 0; i < 100; i++) {
        OP (replica, SKR_OP_INCR, "/n", 1);
        OP (replica, SKR_OP_ADD, "/s", i);
    }
    CHECK_INT (replica.cells.scans, 0);
    CHECK_INT (replica.cells.count, 200);
    OP (replica, SKR_OP_REMOVE, "/s", 7); /* one scan for what it saw, one for what it ends */
    CHECK_INT (replica.cells.scans, 2);
    CHECK_INT (replica.cells.visits, 2);
    memory_change_free (memory_replica_commit (&replica));
    memory_replica_free (&replica);
}

/* A bound ends its writer's entries up to it, the later ones and other writers' not. */
static void bounds_are_by_writer_and_dot (void)
{
    memory_replica_t ann, bob, cyd;
    memory_change_t *change[5];
    memory_replica_init (&ann, 0);
    memory_replica_init (&bob, 1);
    memory_replica_init (&cyd, 2);
    OP (ann, SKR_OP_INCR, "/n", 1);
    OP (ann, SKR_OP_INCR, "/n", 20);
    change[0] = memory_replica_commit (&ann);
    OP (ann, SKR_OP_INCR, "/n", 300);
    change[1] = memory_replica_commit (&ann);
    OP (bob, SKR_OP_INCR, "/n", 4000);
    change[2] = memory_replica_commit (&bob);
    CHECK_OK (memory_replica_apply (&cyd, change[0]));
    OP (cyd, SKR_OP_DELETE, "/n", 0);
    change[3] = memory_replica_commit (&cyd);
    CHECK_STR (memory_replica_show (&cyd, "doc", ""), "nothing");
    CHECK_OK (memory_replica_apply (&cyd, change[1]));
    CHECK_OK (memory_replica_apply (&cyd, change[2]));
    CHECK_STR (memory_replica_show (&cyd, "doc", ""), "/n counter 4300");
    CHECK_OK (memory_replica_apply (&bob, change[0]));
    CHECK_OK (memory_replica_apply (&bob, change[1]));
    CHECK_OK (memory_replica_apply (&bob, change[3]));
    CHECK (memory_replica_equal (&bob, &cyd));
    CHECK (memory_replica_apply (&bob, change[3]) == SAKER_OK); /* again: nothing happens */
    CHECK (memory_replica_equal (&bob, &cyd));
    for (int i = 0; i < 4; i++) {
        memory_change_free (change[i]);
    }
    memory_replica_free (&ann);
    memory_replica_free (&bob);
    memory_replica_free (&cyd);
}

/* ---- by hand: appliers without a replica ---- */

static skr_applier_t applier_of (memory_cells_t *cells, skr_fingerprint_t *sum, unsigned writer,
                                 uint64_t seq, skr_buf_t *undo)
{
    static skr_room_t room;
    return (skr_applier_t){.cells = &cells->cells,
                           .collection = memory_writer (7),
                           .writer = memory_writer (writer),
                           .seq = seq,
                           .hlc = 5,
                           .fingerprint = sum,
                           .undo = undo,
                           .room = &room};
}

static skr_op_t read_op (skr_buf_t *buf, skr_op_kind_t kind, const skr_pred_t *pred, size_t count)
{
    static const uint8_t one[] = {0x01};
    skr_cbor_t cbor;
    skr_op_t op;
    skr_buf_clear (buf);
    skr_op_put (buf, kind, skr_span_text ("doc"), none, pred, count, skr_span (one, 1));
    skr_cbor_open (&cbor, skr_span_of (buf));
    skr_op_get (&cbor, &op, 1024, skr_span (NULL, 0));
    return op;
}

static void pred_outside_the_table_is_refused (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0}, undo = {0};
    skr_pred_t pred = {2, 1, 0};
    skr_id_t writers[2] = {memory_writer (0), memory_writer (1)};
    memory_cells_init (&cells);
    skr_applier_t by = applier_of (&cells, &sum, 0, 1, &undo);
    skr_op_t op = read_op (&buf, SKR_OP_SET, &pred, 1);
    CHECK_ERR (skr_apply_op (&by, &op, writers, 2, 0), SAKER_EINPUT, "outside");
    CHECK_INT (cells.count, 0);
    CHECK_INT (undo.size, 0);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
    skr_buf_free (&undo);
}

/* A local write may use a table that grows as it goes: order in it does not matter to apply. */
static void a_table_in_any_order_will_do (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0};
    skr_pred_t pred[3] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}};
    skr_id_t writers[3] = {memory_writer (2), memory_writer (0), memory_writer (1)};
    memory_cells_init (&cells);
    skr_op_t op = read_op (&buf, SKR_OP_SET, NULL, 0);
    for (unsigned i = 0; i < 3; i++) {
        skr_applier_t by = applier_of (&cells, &sum, i, 1, NULL);
        CHECK_OK (skr_apply_op (&by, &op, NULL, 0, 0));
    }
    skr_applier_t by = applier_of (&cells, &sum, 3, 1, NULL);
    op = read_op (&buf, SKR_OP_DELETE, pred, 3);
    CHECK_OK (skr_apply_op (&by, &op, writers, 3, 0));
    CHECK_INT (cells.count, 0);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
}

static void statements_add_up (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0}, undo = {0};
    memory_cells_init (&cells);
    skr_applier_t by = applier_of (&cells, &sum, 0, 1, &undo);
    skr_op_t op = read_op (&buf, SKR_OP_STATEMENT, NULL, 0);
    skr_op_t ops[2] = {op, op};
    CHECK_OK (skr_apply_op (&by, &op, NULL, 0, 0));
    CHECK_OK (skr_apply_op (&by, &op, NULL, 0, 1));
    CHECK_INT (cells.count, 2);
    CHECK_INT (cells.scans, 0);
    CHECK_OK (skr_apply_undo (&by, ops, 2, skr_span_of (&undo)));
    CHECK_INT (cells.count, 0);
    CHECK (sum.low == 0 && sum.high == 0);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
    skr_buf_free (&undo);
}

static void damaged_undo_is_noticed (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0}, undo = {0};
    skr_pred_t pred = {0, 1, 0};
    skr_id_t writer = memory_writer (0);
    memory_cells_init (&cells);
    skr_applier_t first = applier_of (&cells, &sum, 0, 1, NULL);
    skr_applier_t second = applier_of (&cells, &sum, 0, 2, &undo);
    skr_op_t op = read_op (&buf, SKR_OP_SET, NULL, 0);
    CHECK_OK (skr_apply_op (&first, &op, &writer, 1, 0));
    op = read_op (&buf, SKR_OP_SET, &pred, 1);
    CHECK_OK (skr_apply_op (&second, &op, &writer, 1, 0));
    CHECK_INT (cells.count, 1);
    for (size_t size = 0; size < undo.size; size++) {
        CHECK (skr_apply_undo (&second, &op, 1, skr_span (undo.data, size)) == SAKER_EDAMAGED);
        CHECK_INT (cells.count, 1);
    }
    skr_op_t ops[2] = {op, op};
    CHECK (skr_apply_undo (&second, ops, 2, skr_span_of (&undo)) == SAKER_EDAMAGED);
    CHECK_OK (skr_apply_undo (&second, &op, 1, skr_span_of (&undo)));
    CHECK_INT (cells.count, 1);
    CHECK_INT (cells.entries[0].dot.seq, 1);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
    skr_buf_free (&undo);
}

/* Whatever call to the store fails, the error comes up, and the undo bytes are those of the
   operations that went well. */
static void every_failing_call_comes_up (void)
{
    for (long calls = 0;; calls++) {
        memory_replica_t replica;
        memory_replica_init (&replica, 0);
        OP (replica, SKR_OP_INCR, "/n", 1);
        OP (replica, SKR_OP_INCR, "/n", 2);
        size_t undo = replica.undo.size;
        replica.cells.fail_after = calls;
        saker_err_t error = memory_replica_int (&replica, SKR_OP_SET, "doc", "/n", 3);
        CHECK (error == SAKER_OK || error == SAKER_EIO);
        CHECK (error == SAKER_OK || replica.undo.size == undo);
        replica.cells.fail_after = -1;
        CHECK (memory_replica_sound (&replica)); /* each call moves cells and sum together */
        memory_replica_free (&replica);
        if (error == SAKER_OK) {
            CHECK_INT (calls, 5); /* two scans, two ends, one put */
            break;
        }
    }
}

/* ---- seen ---- */

static void seen_is_the_highest_dot_of_each_writer (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0};
    skr_scope_t seen = {0};
    memory_cells_init (&cells);
    CHECK_OK (skr_apply_seen (&cells.cells, SKR_OP_SET, skr_span_text ("doc"), none, none, &seen));
    CHECK (seen.count == 0 && seen.room.ended.count == 0);
    for (unsigned i = 0; i < 12; i++) {
        skr_applier_t by = applier_of (&cells, &sum, (i * 5) % 4, 1 + i / 4, NULL);
        skr_op_t op = read_op (&buf, SKR_OP_INCR, NULL, 0);
        CHECK_OK (skr_apply_op (&by, &op, NULL, 0, i));
    }
    CHECK_OK (
        skr_apply_seen (&cells.cells, SKR_OP_DELETE, skr_span_text ("doc"), none, none, &seen));
    CHECK_INT (seen.count, 4);
    CHECK_INT (seen.room.ended.count, 12);
    for (unsigned i = 0; i < 4; i++) {
        skr_id_t writer = memory_writer (i);
        CHECK (skr_id_equal (&seen.dots[i].writer, &writer));
        CHECK_INT (seen.dots[i].seq, 3);
    }
    CHECK_OK (skr_apply_seen (&cells.cells, SKR_OP_ADD, skr_span_text ("doc"), none,
                              skr_span ("\x01", 1), &seen));
    CHECK (seen.count == 0 && seen.room.ended.count == 0);
    skr_scope_free (&seen);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
}

/* Who made an operation of what it saw ends the same as others who read its pred. */
static void made_is_as_read (void)
{
    memory_cells_t one, other;
    skr_fingerprint_t sum_one = {0, 0}, sum_other = {0, 0};
    skr_buf_t buf = {0}, undo_one = {0}, undo_other = {0};
    skr_scope_t seen = {0};
    skr_id_t writers[4];
    skr_pred_t pred[4];
    memory_cells_init (&one);
    memory_cells_init (&other);
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < round; i++) { /* 0 to 5 rivals, some of one writer */
            skr_applier_t by = applier_of (&one, &sum_one, i % 3, 10 * round + 1 + i, NULL);
            skr_op_t op = read_op (&buf, SKR_OP_INCR, NULL, 0);
            CHECK_OK (skr_apply_op (&by, &op, NULL, 0, i));
            by = applier_of (&other, &sum_other, i % 3, 10 * round + 1 + i, NULL);
            CHECK_OK (skr_apply_op (&by, &op, NULL, 0, i));
        }
        CHECK_OK (
            skr_apply_seen (&one.cells, SKR_OP_SET, skr_span_text ("doc"), none, none, &seen));
        CHECK (seen.count <= 4);
        for (unsigned i = 0; i < 4; i++) {
            writers[i] = memory_writer (i);
        }
        for (size_t i = 0; i < seen.count; i++) {
            uint32_t writer = 0;
            while (!skr_id_equal (&writers[writer], &seen.dots[i].writer)) {
                writer++;
            }
            pred[i] = (skr_pred_t){writer, seen.dots[i].seq, seen.dots[i].index};
        }
        skr_op_t op = read_op (&buf, SKR_OP_SET, pred, seen.count);
        skr_applier_t by = applier_of (&one, &sum_one, 3, round + 1, &undo_one);
        CHECK_OK (skr_apply_made (&by, &op, 0, &seen.room.ended));
        by = applier_of (&other, &sum_other, 3, round + 1, &undo_other);
        CHECK_OK (skr_apply_op (&by, &op, writers, 4, 0));
        CHECK (skr_fingerprint_equal (&sum_one, &sum_other));
        CHECK (skr_span_equal (skr_span_of (&undo_one), skr_span_of (&undo_other)));
    }
    skr_scope_free (&seen);
    memory_cells_free (&one);
    memory_cells_free (&other);
    skr_buf_free (&buf);
    skr_buf_free (&undo_one);
    skr_buf_free (&undo_other);
}

static void seen_is_bounded (void)
{
    memory_cells_t cells;
    skr_fingerprint_t sum = {0, 0};
    skr_buf_t buf = {0};
    skr_scope_t seen = {0};
    memory_cells_init (&cells);
    skr_op_t op = read_op (&buf, SKR_OP_INCR, NULL, 0);
    for (uint32_t i = 0; i <= SKR_OP_PRED_MAX; i++) {
        skr_applier_t by = applier_of (&cells, &sum, 0, 1, NULL);
        skr_put_u32 (by.writer.bytes, i * 2654435761u); /* not in order */
        CHECK_OK (skr_apply_op (&by, &op, NULL, 0, 0));
        saker_err_t error =
            skr_apply_seen (&cells.cells, SKR_OP_DELETE, op.document, none, none, &seen);
        if (i < SKR_OP_PRED_MAX) {
            CHECK_OK (error);
            CHECK_INT (seen.count, i + 1);
            CHECK (i == 0 || skr_id_compare (&seen.dots[i - 1].writer, &seen.dots[i].writer) < 0);
        } else {
            CHECK_ERR (error, SAKER_ELIMIT, "SKR_OP_PRED_MAX");
        }
    }
    skr_scope_free (&seen);
    memory_cells_free (&cells);
    skr_buf_free (&buf);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (fingerprint_of_one_entry);
    RUN (fingerprint_is_a_sum);
    RUN (fingerprint_carries);
    RUN (fingerprint_tells_parts_apart);
    RUN (scopes_end_what_they_name);
    RUN (increments_and_adds_do_not_scan);
    RUN (bounds_are_by_writer_and_dot);
    RUN (pred_outside_the_table_is_refused);
    RUN (a_table_in_any_order_will_do);
    RUN (statements_add_up);
    RUN (damaged_undo_is_noticed);
    RUN (every_failing_call_comes_up);
    RUN (seen_is_the_highest_dot_of_each_writer);
    RUN (made_is_as_read);
    RUN (seen_is_bounded);
    return CHECK_END ();
}
