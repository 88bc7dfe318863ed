#include "peer/fields.h"

#include <string.h>

void skr_fields_open (skr_fields_t *self, skr_cbor_t *cbor)
{
    *self = (skr_fields_t){.cbor = cbor, .last = -1};
    self->left = skr_cbor_get_map (cbor, SKR_FIELDS_MAX);
}

bool skr_fields_has (skr_fields_t *self, uint64_t key)
{
    if (!self->pending && self->left > 0 && self->cbor->error == SAKER_OK) {
        self->key = skr_cbor_get_key (self->cbor, &self->last);
        self->pending = true;
        self->left--;
    }
    if (!self->pending || self->key != key || self->cbor->error != SAKER_OK) {
        return false;
    }
    self->pending = false;
    return true;
}

void skr_fields_need (skr_fields_t *self, uint64_t key)
{
    if (!skr_fields_has (self, key)) {
        skr_cbor_reject (self->cbor, "a field is missing");
    }
}

void skr_fields_end (skr_fields_t *self)
{
    if (self->pending || self->left > 0) {
        skr_cbor_reject (self->cbor, "a field that is not known");
    }
}

void skr_fields_text (skr_cbor_t *cbor, char *text, size_t size)
{
    skr_span_t got = skr_cbor_get_text (cbor);
    text[0] = 0;
    if (got.size >= size) {
        skr_cbor_reject (cbor, "a text is too long");
    } else if (got.size > 0 && memchr (got.data, 0, got.size)) {
        skr_cbor_reject (cbor, "a text holds a zero byte");
    } else if (got.size > 0) {
        memcpy (text, got.data, got.size);
        text[got.size] = 0;
    }
}
