#include "mesh/batch.h"

#include "crdt/value.h"

#include <stdlib.h>
#include <string.h>

saker_batch_t *saker_batch_new (const char *collection)
{
    if (skr_collection_name_check (collection) != SAKER_OK) {
        return NULL;
    }
    saker_batch_t *self = calloc (1, sizeof *self);
    if (!self) {
        skr_fail (SAKER_ENOMEM, "out of memory");
        return NULL;
    }
    memcpy (self->collection, collection, strlen (collection) + 1);
    return self;
}

void saker_batch_destroy (saker_batch_t **self_p)
{
    if (*self_p) {
        skr_buf_free (&(*self_p)->intents);
        free (*self_p);
        *self_p = NULL;
    }
}

static saker_err_t check_document (const char *document)
{
    size_t size = strlen (document);
    if (size < 1 || size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "a document id has 1 to %d bytes", SKR_DOCUMENT_BYTES_MAX);
    }
    return skr_utf8_valid (document, size)
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "a document id that is not UTF-8");
}

/* Appends one operation; `value` is encoded, or empty. Nothing is left of it when it fails. */
static saker_err_t add (saker_batch_t *self, skr_intent_kind_t kind, const char *document,
                        const char *pointer, skr_span_t value)
{
    skr_buf_t path = {0};
    SKR_TRY (check_document (document));
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    if (error == SAKER_OK) {
        skr_cbor_put_array (&self->intents, 4);
        skr_cbor_put_uint (&self->intents, (uint64_t) kind);
        skr_cbor_put_text (&self->intents, document, strlen (document));
        skr_cbor_put_bytes (&self->intents, path.data, path.size);
        skr_cbor_put_bytes (&self->intents, value.data, value.size);
        self->intents_count++;
        self->operations += kind != SKR_INTENT_REPLACE && kind != SKR_INTENT_REPLACE_END;
        error = self->intents.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
    }
    skr_buf_free (&path);
    return error;
}

static saker_err_t add_value (saker_batch_t *self, skr_intent_kind_t kind, const char *document,
                              const char *pointer, const saker_value_t *value)
{
    skr_buf_t encoded = {0};
    SKR_TRY (skr_wrap (skr_value_check (value), "%s", *pointer ? pointer : document));
    skr_value_put (&encoded, value);
    saker_err_t error = encoded.failed
                            ? skr_fail (SAKER_ENOMEM, "out of memory")
                            : add (self, kind, document, pointer, skr_span_of (&encoded));
    skr_buf_free (&encoded);
    return error;
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
    return add (self, SKR_INTENT_SET_MAP, document, pointer, skr_span (NULL, 0));
}

saker_err_t saker_batch_delete (saker_batch_t *self, const char *document, const char *pointer)
{
    return add (self, SKR_INTENT_DELETE, document, pointer, skr_span (NULL, 0));
}

saker_err_t saker_batch_incr (saker_batch_t *self, const char *document, const char *pointer,
                              int64_t amount)
{
    saker_value_t value = {.type = SAKER_INT, .as.integer = amount};
    if (!amount) {
        return skr_fail (SAKER_EINPUT, "an increment by 0 does nothing");
    }
    return add_value (self, SKR_INTENT_INCR, document, pointer, &value);
}

saker_err_t saker_batch_add (saker_batch_t *self, const char *document, const char *pointer,
                             const saker_value_t *value)
{
    return add_value (self, SKR_INTENT_ADD, document, pointer, value);
}

saker_err_t saker_batch_remove (saker_batch_t *self, const char *document, const char *pointer,
                                const saker_value_t *value)
{
    return add_value (self, SKR_INTENT_REMOVE, document, pointer, value);
}

saker_err_t saker_batch_replace (saker_batch_t *self, const char *document, const char *pointer)
{
    if (self->replacing) {
        return skr_fail (SAKER_EUSAGE, "a replacement inside a replacement");
    }
    SKR_TRY (add (self, SKR_INTENT_REPLACE, document, pointer, skr_span (NULL, 0)));
    self->replacing = true;
    return SAKER_OK;
}

saker_err_t saker_batch_replace_end (saker_batch_t *self)
{
    if (!self->replacing) {
        return skr_fail (SAKER_EUSAGE, "the end of a replacement that was not begun");
    }
    self->replacing = false;
    skr_cbor_put_array (&self->intents, 4);
    skr_cbor_put_uint (&self->intents, SKR_INTENT_REPLACE_END);
    skr_cbor_put_text (&self->intents, "", 0);
    skr_cbor_put_bytes (&self->intents, NULL, 0);
    skr_cbor_put_bytes (&self->intents, NULL, 0);
    self->intents_count++;
    return self->intents.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

saker_err_t saker_batch_operation (saker_batch_t *self, const void *id, size_t size)
{
    if (size < 1 || size > sizeof self->operation_id) {
        return skr_fail (SAKER_ELIMIT, "an operation id has 1 to %d bytes",
                         SKR_OPERATION_ID_BYTES_MAX);
    }
    memcpy (self->operation_id, id, size);
    self->operation_id_size = size;
    return SAKER_OK;
}

size_t saker_batch_count (const saker_batch_t *self)
{
    return self->operations;
}

size_t saker_batch_bytes (const saker_batch_t *self)
{
    return self->intents.size;
}
