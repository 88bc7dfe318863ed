/* Values: the scalars of registers and set members, as encoded CBOR. */

#ifndef SKR_CRDT_VALUE_H_INCLUDED
#define SKR_CRDT_VALUE_H_INCLUDED

#include "crdt/cbor.h"

/* SAKER_EINPUT: text is not UTF-8, a double is not finite; SAKER_ELIMIT: over 60 KiB. */
saker_err_t skr_value_check (const saker_value_t *value) SKR_MUST_USE;
/* Encodes a checked value. */
void skr_value_put (skr_buf_t *buf, const saker_value_t *value);
/* Decodes one value; text and bytes are borrowed from what is read. Never gives SAKER_MAP. */
void skr_value_get (skr_cbor_t *cbor, saker_value_t *value);
/* The same for bytes that hold exactly one value. */
saker_err_t skr_value_parse (skr_span_t encoded, saker_value_t *value) SKR_MUST_USE;

#endif
