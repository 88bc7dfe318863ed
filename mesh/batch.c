/* Batches: intents, encoded as they come, so that a batch is as large as what will be sent. */

#include "mesh/client_internal.h"

#include "crdt/limits.h"
#include "crdt/path.h"
#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_BYTES 1024 /* of a request, around the intents */

saker_batch_t *saker_batch_new (const char *collection)
{
    saker_batch_t *self = calloc (1, sizeof *self);
    if (self && !(self->collection = strdup (collection))) {
        free (self);
        self = NULL;
    }
    return self;
}

void saker_batch_destroy (saker_batch_t **self_p)
{
    saker_batch_t *self = *self_p;
    if (self) {
        free (self->collection);
        skr_buf_free (&self->intents);
        skr_buf_free (&self->path);
        skr_buf_free (&self->value);
        free (self);
        *self_p = NULL;
    }
}

static saker_err_t check_document (const char *document)
{
    size_t size = strlen (document);
    if (size < 1) {
        return skr_fail (SAKER_EINPUT, "a document id without a byte");
    }
    if (size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a document id of %zu bytes: at most %d are allowed "
                         "(SAKER_DOCUMENT_BYTES_MAX)",
                         size, SKR_DOCUMENT_BYTES_MAX);
    }
    return skr_utf8_valid (document, size)
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "a document id that is not UTF-8");
}

static saker_err_t set_path (saker_batch_t *self, const char *document, const char *pointer)
{
    SKR_TRY (check_document (document));
    skr_buf_clear (&self->path);
    return skr_path_from_pointer (&self->path, pointer);
}

static void put_intent (saker_batch_t *self, skr_intent_kind_t kind, const char *document,
                        bool with_value)
{
    skr_cbor_put_array (&self->intents, with_value ? 4 : 3);
    skr_cbor_put_uint (&self->intents, kind);
    skr_cbor_put_text (&self->intents, document, strlen (document));
    skr_cbor_put_bytes (&self->intents, self->path.data, self->path.size);
    if (with_value) {
        skr_buf_append_span (&self->intents, skr_span_of (&self->value));
    }
}

/* Keeps what was put, unless it does not fit. */
static saker_err_t keep (saker_batch_t *self, size_t before, size_t count)
{
    if (self->intents.failed || self->path.failed || self->value.failed) {
        self->intents.failed = false;
        self->intents.size = before;
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (self->intents.size > SKR_API_REQUEST_BYTES_MAX - ROOM_BYTES) {
        self->intents.size = before;
        return skr_fail (SAKER_ELIMIT, "a batch holds at most %u bytes: write it and begin another",
                         SKR_API_REQUEST_BYTES_MAX - ROOM_BYTES);
    }
    self->intents_count++;
    self->count += count;
    return SAKER_OK;
}

static saker_err_t add_plain (saker_batch_t *self, skr_intent_kind_t kind, const char *document,
                              const char *pointer)
{
    size_t before = self->intents.size;
    SKR_TRY (set_path (self, document, pointer));
    put_intent (self, kind, document, false);
    return keep (self, before, 1);
}

static saker_err_t add_value (saker_batch_t *self, skr_intent_kind_t kind, const char *document,
                              const char *pointer, const saker_value_t *value)
{
    size_t before = self->intents.size;
    SKR_TRY (set_path (self, document, pointer));
    SKR_TRY (skr_value_check (value));
    skr_buf_clear (&self->value);
    skr_value_put (&self->value, value);
    put_intent (self, kind, document, true);
    return keep (self, before, 1);
}

static saker_err_t check_outside (const saker_batch_t *self)
{
    return self->replacing
               ? skr_fail (SAKER_EUSAGE, "a replacement holds values and maps only: end it "
                                         "first with saker_batch_replace_end")
               : SAKER_OK;
}

saker_err_t saker_batch_set (saker_batch_t *self, const char *document, const char *pointer,
                             const saker_value_t *value)
{
    return add_value (self, SKR_INTENT_SET, document, pointer, value);
}

saker_err_t saker_batch_set_lww (saker_batch_t *self, const char *document, const char *pointer,
                                 const saker_value_t *value)
{
    return add_value (self, SKR_INTENT_SET_LWW, document, pointer, value);
}

saker_err_t saker_batch_set_map (saker_batch_t *self, const char *document, const char *pointer)
{
    return add_plain (self, SKR_INTENT_SET_MAP, document, pointer);
}

saker_err_t saker_batch_delete (saker_batch_t *self, const char *document, const char *pointer)
{
    SKR_TRY (check_outside (self));
    return add_plain (self, SKR_INTENT_DELETE, document, pointer);
}

saker_err_t saker_batch_incr (saker_batch_t *self, const char *document, const char *pointer,
                              int64_t amount)
{
    const saker_value_t value = {.type = SAKER_INT, .as.integer = amount};
    SKR_TRY (check_outside (self));
    return add_value (self, SKR_INTENT_INCR, document, pointer, &value);
}

saker_err_t saker_batch_add (saker_batch_t *self, const char *document, const char *pointer,
                             const saker_value_t *value)
{
    SKR_TRY (check_outside (self));
    return add_value (self, SKR_INTENT_ADD, document, pointer, value);
}

saker_err_t saker_batch_remove (saker_batch_t *self, const char *document, const char *pointer,
                                const saker_value_t *value)
{
    SKR_TRY (check_outside (self));
    return add_value (self, SKR_INTENT_REMOVE, document, pointer, value);
}

saker_err_t saker_batch_replace (saker_batch_t *self, const char *document, const char *pointer)
{
    SKR_TRY (check_outside (self));
    SKR_TRY (add_plain (self, SKR_INTENT_REPLACE, document, pointer));
    self->replacing = true;
    return SAKER_OK;
}

saker_err_t saker_batch_replace_end (saker_batch_t *self)
{
    size_t before = self->intents.size;
    if (!self->replacing) {
        return skr_fail (SAKER_EUSAGE, "no replacement was begun");
    }
    skr_cbor_put_array (&self->intents, 1);
    skr_cbor_put_uint (&self->intents, SKR_INTENT_REPLACE_END);
    SKR_TRY (keep (self, before, 0));
    self->replacing = false;
    return SAKER_OK;
}

saker_err_t saker_batch_operation (saker_batch_t *self, const void *id, size_t size)
{
    if (size < 1 || size > sizeof self->operation_id) {
        return skr_fail (SAKER_EINPUT, "an operation id of %zu bytes: it has 1 to %zu", size,
                         sizeof self->operation_id);
    }
    memcpy (self->operation_id, id, size);
    self->operation_id_size = size;
    return SAKER_OK;
}

saker_err_t saker_batch_note (saker_batch_t *self, const uint8_t note[SAKER_NOTE_BYTES])
{
    memcpy (self->note, note, sizeof self->note);
    self->noted = true;
    return SAKER_OK;
}

saker_err_t saker_batch_expect (saker_batch_t *self, const char *document, const char *pointer,
                                const uint8_t state[SAKER_STATE_BYTES])
{
    saker_value_t value = {.type = SAKER_BYTES};
    value.as.string.data = (const char *) state;
    value.as.string.size = SAKER_STATE_BYTES;
    SKR_TRY (check_outside (self));
    return add_value (self, SKR_INTENT_EXPECT, document, pointer, &value);
}

size_t saker_batch_count (const saker_batch_t *self)
{
    return self->count;
}

size_t saker_batch_bytes (const saker_batch_t *self)
{
    return self->intents.size;
}

/* ---- writing */

static void put_parcel (skr_question_t *question, const skr_parcel_t *parcel, skr_span_t tried)
{
    skr_question_span (question, 0, parcel->collection);
    skr_cbor_put_uint (&question->request, 1);
    skr_cbor_put_array (&question->request, parcel->intents_count);
    skr_buf_append_span (&question->request, parcel->intents);
    if (parcel->operation_id.size > 0) {
        skr_question_bytes (question, 2, parcel->operation_id.data, parcel->operation_id.size);
    }
    if (parcel->note.size > 0) {
        skr_question_bytes (question, 3, parcel->note.data, parcel->note.size);
    }
    if (tried.size > 0) {
        skr_question_bytes (question, 4, tried.data, tried.size);
    }
}

saker_err_t skr_question_receipt (skr_question_t *question, saker_receipt_t *receipt)
{
    skr_fields_need (&question->fields, 0);
    skr_cbor_get_fixed (&question->cbor, receipt->writer, sizeof receipt->writer);
    skr_fields_need (&question->fields, 1);
    receipt->seq = skr_cbor_get_uint (&question->cbor);
    skr_fields_need (&question->fields, 2);
    receipt->repeated = skr_cbor_get_bool (&question->cbor);
    memset (receipt->note, 0, sizeof receipt->note);
    if (skr_fields_has (&question->fields, 3)) {
        skr_cbor_get_fixed (&question->cbor, receipt->note, sizeof receipt->note);
    }
    return skr_question_check (question);
}

saker_err_t skr_batch_parcel (const saker_batch_t *self, skr_parcel_t *parcel)
{
    if (self->replacing) {
        return skr_fail (SAKER_EUSAGE, "a replacement was not ended: call saker_batch_replace_end");
    }
    *parcel = (skr_parcel_t){
        .collection = skr_span_text (self->collection),
        .intents_count = self->intents_count,
        .intents = skr_span_of (&self->intents),
        .operation_id = skr_span (self->operation_id, self->operation_id_size),
        .note = skr_span (self->note, self->noted ? sizeof self->note : 0),
    };
    return skr_utf8_valid (self->collection, parcel->collection.size)
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "the name of the collection is not UTF-8");
}

saker_err_t skr_client_write (saker_t *self, const skr_parcel_t *parcel, skr_span_t tried,
                              int timeout_ms, saker_receipt_t *receipt)
{
    skr_question_t question;
    size_t arguments = 2 + (parcel->operation_id.size > 0) + (parcel->note.size > 0);
    saker_err_t error =
        skr_question_begin (&question, self, SKR_COMMAND_WRITE, arguments + (tried.size > 0));
    if (error == SAKER_OK) {
        put_parcel (&question, parcel, tried);
        error = skr_question_ask (&question, timeout_ms);
    }
    if (error == SAKER_OK) {
        error = skr_question_receipt (&question, receipt);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_write (saker_t *self, const saker_batch_t *batch, saker_receipt_t *receipt)
{
    static const skr_span_t never;
    skr_parcel_t parcel = {.number = 0};
    saker_receipt_t unwanted;
    SKR_TRY (skr_batch_parcel (batch, &parcel));
    return skr_client_write (self, &parcel, never, SKR_CLIENT_ANSWER_MS,
                             receipt ? receipt : &unwanted);
}
