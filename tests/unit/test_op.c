#include "crdt/limits.h"
#include "crdt/op.h"
#include "crdt/value.h"
#include "tests/check.h"

static skr_span_t none;

static skr_buf_t path_of (const char *pointer)
{
    skr_buf_t path = {0};
    if (skr_path_from_pointer (&path, pointer) != SAKER_OK) {
        CHECK_FAIL ("pointer %s: %s", pointer, skr_error ());
    }
    return path;
}

static skr_buf_t number (int64_t value)
{
    skr_buf_t buf = {0};
    skr_cbor_put_int (&buf, value);
    return buf;
}

static saker_err_t read_op (skr_span_t bytes, size_t writers_count, skr_op_t *op)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, bytes);
    skr_op_get (&cbor, op, writers_count, skr_span (NULL, 0));
    return skr_cbor_close (&cbor);
}

static void round_trip (skr_op_kind_t kind, const char *pointer, skr_span_t argument,
                        size_t pred_count)
{
    const skr_pred_t pred[] = {{0, 1, 0}, {2, UINT64_MAX, 1023}};
    skr_buf_t path = path_of (pointer), buf = {0};
    skr_op_t op;
    skr_pred_t *found = NULL;
    size_t count = 99;
    skr_op_put (&buf, kind, skr_span_text ("doc"), skr_span_of (&path), pred, pred_count, argument);
    CHECK_OK (read_op (skr_span_of (&buf), 3, &op));
    CHECK_INT (op.kind, kind);
    CHECK (skr_span_equal (op.document, skr_span_text ("doc")));
    CHECK (skr_span_equal (op.path, skr_span_of (&path)));
    CHECK (skr_span_equal (op.argument, argument));
    CHECK_OK (skr_op_pred (&op, &found, &count));
    CHECK_INT (count, pred_count);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT (found[i].writer, pred[i].writer);
        CHECK (found[i].seq == pred[i].seq);
        CHECK_INT (found[i].index, pred[i].index);
    }
    CHECK ((found == NULL) == (count == 0));
    free (found);
    skr_buf_free (&path);
    skr_buf_free (&buf);
}

static void every_kind_comes_back (void)
{
    skr_buf_t seven = number (7);
    round_trip (SKR_OP_SET, "", skr_span_of (&seven), 0);
    round_trip (SKR_OP_SET, "/a/b", skr_span_of (&seven), 2);
    round_trip (SKR_OP_SET_LWW, "/a", skr_span_of (&seven), 1);
    round_trip (SKR_OP_DELETE, "/a/b/c", none, 2);
    round_trip (SKR_OP_SET_MAP, "/a", none, 1);
    round_trip (SKR_OP_INCR, "/n", skr_span_of (&seven), 0);
    round_trip (SKR_OP_ADD, "/s", skr_span_of (&seven), 0);
    round_trip (SKR_OP_REMOVE, "/s", skr_span_of (&seven), 1);
    round_trip (SKR_OP_STATEMENT, "", skr_span_of (&seven), 0);
    skr_buf_free (&seven);
}

static void cells_of_kinds (void)
{
    CHECK_INT (skr_op_cell (SKR_OP_SET), SKR_REGISTER);
    CHECK_INT (skr_op_cell (SKR_OP_SET_LWW), SKR_LWW);
    CHECK_INT (skr_op_cell (SKR_OP_DELETE), 0);
    CHECK_INT (skr_op_cell (SKR_OP_SET_MAP), SKR_MAP);
    CHECK_INT (skr_op_cell (SKR_OP_INCR), SKR_COUNTER);
    CHECK_INT (skr_op_cell (SKR_OP_ADD), SKR_MEMBER);
    CHECK_INT (skr_op_cell (SKR_OP_REMOVE), SKR_MEMBER);
    CHECK_INT (skr_op_cell (SKR_OP_STATEMENT), SKR_STATEMENT);
}

/* What is refused, as bytes: [kind, document, path, pred, argument]. */
typedef struct bad_t {
    const char *what;
    const char *bytes;
    size_t size;
} bad_t;

#define BAD(what, bytes)                                                                           \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }

static const bad_t bad_ops[] = {
    BAD ("empty", ""),
    BAD ("no document before", "\x85\x01\xf6\x80\x80\x01"),
    BAD ("a statement of a document before", "\x85\x10\xf6\x80\x80\x01"),
    BAD ("kind 0", "\x85\x00\x61x\x80\x80\x01"),
    BAD ("kind 8", "\x85\x08\x61x\x80\x80\x01"),
    BAD ("kind 15", "\x85\x0f\x61x\x80\x80\x01"),
    BAD ("kind 17", "\x85\x11\x61x\x80\x80\x01"),
    BAD ("kind 2^32 + 1", "\x85\x1b\0\0\0\x01\0\0\0\x01\x61x\x80\x80\x01"),
    BAD ("no document", "\x85\x01\x60\x80\x80\x01"),
    BAD ("document as bytes", "\x85\x01\x41x\x80\x80\x01"),
    BAD ("document not UTF-8", "\x85\x01\x61\xff\x80\x80\x01"),
    BAD ("document with a surrogate", "\x85\x01\x63\xed\xa0\x80\x80\x80\x01"),
    BAD ("document with a zero", "\x85\x01\x61\x00\x80\x80\x01"),
    BAD ("key with a zero", "\x85\x01\x61x\x81\x61\x00\x80\x01"),
    BAD ("key not UTF-8", "\x85\x01\x61x\x81\x61\xff\x80\x01"),
    BAD ("key as a number", "\x85\x01\x61x\x81\x01\x80\x01"),
    BAD ("path as text", "\x85\x01\x61x\x60\x80\x01"),
    BAD ("set without argument", "\x84\x01\x61x\x80\x80"),
    BAD ("delete with argument", "\x85\x03\x61x\x80\x80\x01"),
    BAD ("map with argument", "\x85\x04\x61x\x80\x80\x01"),
    BAD ("six elements", "\x86\x01\x61x\x80\x80\x01\x01"),
    BAD ("increment of 0", "\x85\x05\x61x\x80\x80\x00"),
    BAD ("increment by text", "\x85\x05\x61x\x80\x80\x61z"),
    BAD ("increment by 2^63", "\x85\x05\x61x\x80\x80\x1b\x80\0\0\0\0\0\0\0"),
    BAD ("set to an array", "\x85\x01\x61x\x80\x80\x80"),
    BAD ("set to a map", "\x85\x01\x61x\x80\x80\xa0"),
    BAD ("set to a NaN", "\x85\x01\x61x\x80\x80\xf9\x7e\x00"),
    BAD ("number in a longer form", "\x85\x01\x61x\x80\x80\x18\x01"),
    BAD ("pred as a map", "\x85\x01\x61x\x80\xa0\x01"),
    BAD ("pred entry of 2", "\x85\x01\x61x\x80\x81\x82\x00\x01\x01"),
    BAD ("pred entry of 4", "\x85\x01\x61x\x80\x81\x84\x00\x01\x00\x00\x01"),
    BAD ("pred seq 0", "\x85\x01\x61x\x80\x81\x83\x00\x00\x00\x01"),
    BAD ("pred writer outside the table", "\x85\x01\x61x\x80\x81\x83\x02\x01\x00\x01"),
    BAD ("pred writer 2^32", "\x85\x01\x61x\x80\x81\x83\x1b\0\0\0\x01\0\0\0\0\x01\x00\x01"),
    BAD ("pred index 1024", "\x85\x01\x61x\x80\x81\x83\x00\x01\x19\x04\x00\x01"),
    BAD ("pred twice", "\x85\x01\x61x\x80\x82\x83\x00\x01\x00\x83\x00\x02\x00\x01"),
    BAD ("pred descending", "\x85\x01\x61x\x80\x82\x83\x01\x01\x00\x83\x00\x02\x00\x01"),
    BAD ("statement with pred", "\x85\x10\x60\x80\x81\x83\x00\x01\x00\x01"),
    BAD ("indefinite array", "\x9f\x03\x61x\x80\x80\xff"),
    BAD ("more pred than bytes", "\x85\x01\x61x\x80\x99\x03\xff"),
};

static void bad_forms_are_refused (void)
{
    for (size_t i = 0; i < sizeof bad_ops / sizeof *bad_ops; i++) {
        skr_op_t op;
        saker_err_t error = read_op (skr_span (bad_ops[i].bytes, bad_ops[i].size), 2, &op);
        if (error != SAKER_EINPUT) {
            CHECK_FAIL ("%s: error %d", bad_ops[i].what, error);
        }
        CHECK (op.document.data == NULL && op.kind == 0);
    }
}

static void the_document_before_is_not_named_again (void)
{
    skr_buf_t buf = {0}, long_form = {0};
    skr_span_t before = skr_span_text ("a document");
    skr_op_t op;
    skr_cbor_t cbor;
    skr_op_put (&buf, SKR_OP_DELETE, none, none, NULL, 0, none);
    skr_op_put (&long_form, SKR_OP_DELETE, before, none, NULL, 0, none);
    CHECK_INT (long_form.size - buf.size, before.size);
    skr_cbor_open (&cbor, skr_span_of (&buf));
    skr_op_get (&cbor, &op, 1, before);
    CHECK_OK (skr_cbor_close (&cbor));
    CHECK (op.kind == SKR_OP_DELETE && skr_span_equal (op.document, before));
    CHECK_ERR (read_op (skr_span_of (&buf), 1, &op), SAKER_EINPUT, "names no document");
    skr_buf_free (&buf);
    skr_buf_free (&long_form);
}

static void a_cut_operation_is_refused (void)
{
    const skr_pred_t pred[] = {{0, 70000, 3}, {1, 5, 0}};
    skr_buf_t path = path_of ("/a/long key"), argument = number (-70000), buf = {0};
    skr_op_t op;
    skr_op_put (&buf, SKR_OP_SET, skr_span_text ("doc"), skr_span_of (&path), pred, 2,
                skr_span_of (&argument));
    for (size_t size = 0; size < buf.size; size++) {
        uint8_t *cut = malloc (size + 1); /* of the very size, so that a sanitizer sees */
        memcpy (cut, buf.data, size);
        CHECK (read_op (skr_span (cut, size), 2, &op) == SAKER_EINPUT);
        free (cut);
    }
    skr_buf_free (&path);
    skr_buf_free (&argument);
    skr_buf_free (&buf);
}

static saker_err_t op_of_sizes (size_t document_size, size_t value_size)
{
    static char text[SKR_VALUE_BYTES_MAX + 2];
    skr_buf_t value = {0}, buf = {0};
    skr_op_t op;
    memset (text, 'x', sizeof text);
    skr_cbor_put_text (&value, text, value_size);
    skr_op_put (&buf, SKR_OP_SET, skr_span (text, document_size), none, NULL, 0,
                skr_span_of (&value));
    saker_err_t error = read_op (skr_span_of (&buf), 0, &op);
    skr_buf_free (&value);
    skr_buf_free (&buf);
    return error;
}

static void limits_are_named (void)
{
    CHECK_OK (op_of_sizes (SKR_DOCUMENT_BYTES_MAX, SKR_VALUE_BYTES_MAX));
    CHECK_ERR (op_of_sizes (SKR_DOCUMENT_BYTES_MAX + 1, 1), SAKER_EINPUT, "SKR_DOCUMENT_BYTES_MAX");
    CHECK_ERR (op_of_sizes (1, SKR_VALUE_BYTES_MAX + 1), SAKER_EINPUT, "60 KiB");
}

static saker_err_t op_with_path (size_t levels, size_t key_size)
{
    char key[SKR_PATH_BYTES_MAX + 1];
    skr_buf_t buf = {0};
    skr_op_t op;
    memset (key, 'k', sizeof key);
    skr_cbor_put_array (&buf, 4);
    skr_cbor_put_uint (&buf, SKR_OP_DELETE);
    skr_cbor_put_text (&buf, "doc", 3);
    skr_cbor_put_array (&buf, levels);
    for (size_t i = 0; i < levels; i++) {
        skr_cbor_put_text (&buf, key, key_size);
    }
    skr_cbor_put_array (&buf, 0);
    saker_err_t error = read_op (skr_span_of (&buf), 0, &op);
    skr_buf_free (&buf);
    return error;
}

static void paths_are_bounded (void)
{
    CHECK_OK (op_with_path (SKR_PATH_LEVELS_MAX, 1));
    CHECK (op_with_path (SKR_PATH_LEVELS_MAX + 1, 1) == SAKER_EINPUT);
    CHECK_OK (op_with_path (1, SKR_PATH_BYTES_MAX - 3)); /* its head takes 3 */
    CHECK_ERR (op_with_path (1, SKR_PATH_BYTES_MAX - 2), SAKER_EINPUT, "SKR_PATH_BYTES_MAX");
    CHECK_OK (op_with_path (2, 256)); /* heads with a zero in them are no zeros in keys */
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (every_kind_comes_back);
    RUN (cells_of_kinds);
    RUN (bad_forms_are_refused);
    RUN (the_document_before_is_not_named_again);
    RUN (a_cut_operation_is_refused);
    RUN (limits_are_named);
    RUN (paths_are_bounded);
    return CHECK_END ();
}
