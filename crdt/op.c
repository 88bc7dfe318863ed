#include "crdt/op.h"

#include "crdt/limits.h"
#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

static bool has_argument (skr_op_kind_t kind)
{
    return kind != SKR_OP_DELETE && kind != SKR_OP_SET_MAP;
}

static bool is_kind (uint64_t kind)
{
    return (kind >= SKR_OP_SET && kind <= SKR_OP_REMOVE) || kind == SKR_OP_STATEMENT;
}

static void put_pred (skr_buf_t *buf, const skr_pred_t *pred, size_t count)
{
    skr_cbor_put_array (buf, count);
    for (size_t i = 0; i < count; i++) {
        skr_cbor_put_array (buf, 3);
        skr_cbor_put_uint (buf, pred[i].writer);
        skr_cbor_put_uint (buf, pred[i].seq);
        skr_cbor_put_uint (buf, pred[i].index);
    }
}

void skr_op_put (skr_buf_t *buf, skr_op_kind_t kind, skr_span_t document, skr_span_t path,
                 const skr_pred_t *pred, size_t pred_count, skr_span_t argument)
{
    skr_cbor_put_array (buf, has_argument (kind) ? 5 : 4);
    skr_cbor_put_uint (buf, kind);
    if (document.size || kind == SKR_OP_STATEMENT) {
        skr_cbor_put_text (buf, (const char *) document.data, document.size);
    } else {
        skr_cbor_put_null (buf);
    }
    skr_cbor_put_array (buf, skr_path_levels (path));
    skr_buf_append_span (buf, path);
    put_pred (buf, pred, pred_count);
    if (has_argument (kind)) {
        skr_buf_append_span (buf, argument);
    }
}

static void require (skr_cbor_t *cbor, bool holds, const char *wrong)
{
    if (!holds && cbor->error == SAKER_OK) {
        skr_cbor_reject (cbor, wrong);
    }
}

static skr_span_t since (const skr_cbor_t *cbor, const uint8_t *start)
{
    return skr_span (start, (size_t) (cbor->at - start));
}

/* The public interface hands out ids and pointers as C strings: a zero inside would let one
   document pass for another. */
static bool holds_zero (skr_span_t text)
{
    return text.size && memchr (text.data, 0, text.size);
}

static skr_span_t get_document (skr_cbor_t *cbor, skr_op_kind_t kind, skr_span_t before)
{
    if (kind != SKR_OP_STATEMENT && skr_cbor_take_null (cbor)) {
        require (cbor, before.size, "the first operation names no document");
        return before;
    }
    skr_span_t document = skr_cbor_get_text (cbor);
    require (cbor, document.size <= SKR_DOCUMENT_BYTES_MAX,
             "document id over 255 bytes (SKR_DOCUMENT_BYTES_MAX)");
    require (cbor, document.size || kind == SKR_OP_STATEMENT, "document id is empty");
    require (cbor, !holds_zero (document), "document id holds a zero byte");
    return document;
}

static skr_span_t get_path (skr_cbor_t *cbor)
{
    size_t levels = skr_cbor_get_array (cbor, SKR_PATH_LEVELS_MAX);
    const uint8_t *start = cbor->at;
    for (size_t i = 0; i < levels && cbor->error == SAKER_OK; i++) {
        skr_span_t key = skr_cbor_get_text (cbor);
        require (cbor, !holds_zero (key), "key of a path holds a zero byte");
    }
    skr_span_t path = since (cbor, start);
    require (cbor, path.size <= SKR_PATH_BYTES_MAX, "path over 1 KiB (SKR_PATH_BYTES_MAX)");
    return path;
}

static void get_pred_entry (skr_cbor_t *cbor, skr_pred_t *pred)
{
    require (cbor, skr_cbor_get_array (cbor, 3) == 3, "pred entry is not of 3 numbers");
    uint64_t writer = skr_cbor_get_uint (cbor);
    uint64_t seq = skr_cbor_get_uint (cbor);
    uint64_t index = skr_cbor_get_uint (cbor);
    require (cbor, writer < SKR_CHANGE_WRITERS_MAX, "pred names a writer outside the table");
    require (cbor, seq > 0, "pred seq is 0");
    require (cbor, index < SKR_CHANGE_OPS_MAX, "pred index over 1,023 (SKR_CHANGE_OPS_MAX)");
    bool good = cbor->error == SAKER_OK;
    *pred = good ? (skr_pred_t){(uint32_t) writer, seq, (uint32_t) index} : (skr_pred_t){0};
}

static void get_pred (skr_cbor_t *cbor, skr_op_t *op, size_t writers_count)
{
    const uint8_t *start = cbor->at;
    size_t count = skr_cbor_get_array (cbor, SKR_OP_PRED_MAX);
    require (cbor, !count || op->kind != SKR_OP_STATEMENT, "a statement ends nothing");
    uint64_t next = 0;
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_pred_t pred;
        get_pred_entry (cbor, &pred);
        require (cbor, pred.writer >= next, "pred is not ascending by writer");
        require (cbor, pred.writer < writers_count, "pred names a writer outside the table");
        next = (uint64_t) pred.writer + 1;
        op->pred_first = i == 0 ? pred : op->pred_first;
    }
    op->pred_count = count;
    op->pred_raw = since (cbor, start);
}

static void check_value (skr_cbor_t *cbor)
{
    saker_value_t value;
    skr_value_get (cbor, &value);
    if (cbor->error == SAKER_OK && (value.type == SAKER_TEXT || value.type == SAKER_BYTES)) {
        require (cbor, value.as.string.size <= SKR_VALUE_BYTES_MAX,
                 "value over 60 KiB (SKR_VALUE_BYTES_MAX)");
    }
}

static skr_span_t get_argument (skr_cbor_t *cbor, skr_op_kind_t kind)
{
    const uint8_t *start = cbor->at;
    if (kind == SKR_OP_STATEMENT) {
        return skr_cbor_get_raw (cbor);
    }
    if (kind == SKR_OP_INCR) {
        require (cbor, skr_cbor_get_int (cbor) != 0, "increment of 0");
    } else if (has_argument (kind)) {
        check_value (cbor);
    }
    return since (cbor, start);
}

void skr_op_get (skr_cbor_t *cbor, skr_op_t *op, size_t writers_count, skr_span_t before)
{
    memset (op, 0, sizeof *op);
    size_t count = skr_cbor_get_array (cbor, 5);
    uint64_t kind = skr_cbor_get_uint (cbor);
    require (cbor, is_kind (kind), "unknown kind of operation");
    if (cbor->error != SAKER_OK) {
        return;
    }
    op->kind = (skr_op_kind_t) kind;
    require (cbor, count == (has_argument (op->kind) ? 5u : 4u), "operation of a wrong length");
    op->document = get_document (cbor, op->kind, before);
    op->path = get_path (cbor);
    get_pred (cbor, op, writers_count);
    op->argument = get_argument (cbor, op->kind);
    if (cbor->error != SAKER_OK) {
        memset (op, 0, sizeof *op);
    }
}

saker_err_t skr_op_pred_get (const skr_op_t *op, skr_pred_t *pred)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, op->pred_raw);
    (void) skr_cbor_get_array (&cbor, SKR_OP_PRED_MAX);
    for (size_t i = 0; i < op->pred_count; i++) {
        get_pred_entry (&cbor, &pred[i]);
    }
    return skr_wrap (skr_cbor_close (&cbor), "pred");
}

saker_err_t skr_op_pred (const skr_op_t *op, skr_pred_t **pred, size_t *count)
{
    *count = op->pred_count;
    *pred = NULL;
    if (*count == 0) {
        return SAKER_OK;
    }
    *pred = calloc (*count, sizeof **pred);
    if (!*pred) {
        *count = 0;
        return skr_fail (SAKER_ENOMEM, "pred: out of memory");
    }
    saker_err_t error = skr_op_pred_get (op, *pred);
    if (error != SAKER_OK) {
        free (*pred);
        *pred = NULL;
        *count = 0;
    }
    return error;
}

skr_kind_t skr_op_cell (skr_op_kind_t kind)
{
    switch (kind) {
    case SKR_OP_SET:
        return SKR_REGISTER;
    case SKR_OP_SET_LWW:
        return SKR_LWW;
    case SKR_OP_SET_MAP:
        return SKR_MAP;
    case SKR_OP_INCR:
        return SKR_COUNTER;
    case SKR_OP_ADD:
    case SKR_OP_REMOVE:
        return SKR_MEMBER;
    case SKR_OP_STATEMENT:
        return SKR_STATEMENT;
    case SKR_OP_DELETE:
        break;
    }
    return (skr_kind_t) 0;
}
