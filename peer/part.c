#include "peer/part.h"

#include "crdt/limits.h"

#include <stdio.h>
#include <string.h>

void skr_part_free (skr_part_t *self)
{
    skr_buf_free (&self->prefixes);
    self->partial = false;
    self->count = 0;
}

void skr_part_nothing (skr_part_t *self)
{
    skr_part_free (self);
    self->partial = true;
}

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

saker_err_t skr_part_copy (skr_part_t *to, const skr_part_t *from)
{
    skr_buf_t bytes = {0};
    skr_buf_append_span (&bytes, skr_span_of (&from->prefixes));
    if (bytes.failed) {
        skr_buf_free (&bytes);
        return no_memory ();
    }
    skr_part_free (to);
    to->partial = from->partial;
    to->prefixes = bytes;
    to->count = from->count;
    return SAKER_OK;
}

/* The prefix whose size stands at an offset; moves the offset behind it. */
static skr_span_t take_prefix (const skr_part_t *self, size_t *at)
{
    const uint8_t *start = self->prefixes.data + *at;
    *at += 1u + *start;
    return skr_span (start + 1, *start);
}

saker_err_t skr_part_each (const skr_part_t *self, skr_prefix_fn *visit, void *argument)
{
    if (!self->partial) {
        return visit (skr_span (NULL, 0), argument);
    }
    for (size_t at = 0; at < self->prefixes.size;) {
        SKR_TRY (visit (take_prefix (self, &at), argument));
    }
    return SAKER_OK;
}

bool skr_part_holds (const void *part, skr_span_t document)
{
    const skr_part_t *self = part;
    if (!self->partial) {
        return true;
    }
    for (size_t at = 0; at < self->prefixes.size;) {
        if (skr_span_starts (document, take_prefix (self, &at))) {
            return true;
        }
    }
    return false;
}

/* ---- adding */

static void put_prefix (skr_buf_t *bytes, skr_span_t prefix)
{
    skr_buf_append_byte (bytes, (uint8_t) prefix.size);
    skr_buf_append_span (bytes, prefix);
}

/* All prefixes again, with the new one in its place and without those that begin with it. */
static size_t merge (const skr_part_t *self, skr_span_t prefix, skr_buf_t *bytes)
{
    size_t count = 1;
    bool placed = false;
    for (size_t at = 0; at < self->prefixes.size;) {
        skr_span_t other = take_prefix (self, &at);
        if (!placed && skr_span_compare (other, prefix) > 0) {
            put_prefix (bytes, prefix);
            placed = true;
        }
        if (!skr_span_starts (other, prefix)) {
            put_prefix (bytes, other);
            count++;
        }
    }
    if (!placed) {
        put_prefix (bytes, prefix);
    }
    return count;
}

static saker_err_t check_prefix (skr_span_t prefix)
{
    return prefix.size <= SKR_DOCUMENT_BYTES_MAX && !memchr (prefix.data, 0, prefix.size)
                   && skr_utf8_valid ((const char *) prefix.data, prefix.size)
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT,
                           "a prefix is the beginning of a document's id: UTF-8 of 1 to %d bytes",
                           SKR_DOCUMENT_BYTES_MAX);
}

static saker_err_t check_bounds (const skr_buf_t *bytes, size_t count)
{
    if (bytes->failed) {
        return no_memory ();
    }
    if (count > SKR_PART_PREFIXES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a peer carries at most %d prefixes of a collection "
                         "(SKR_PART_PREFIXES_MAX): give fewer and shorter ones",
                         SKR_PART_PREFIXES_MAX);
    }
    return bytes->size <= SKR_PART_BYTES_MAX
               ? SAKER_OK
               : skr_fail (SAKER_ELIMIT,
                           "the prefixes of a collection have at most %d bytes in all "
                           "(SKR_PART_BYTES_MAX): give fewer and shorter ones",
                           SKR_PART_BYTES_MAX);
}

saker_err_t skr_part_add (skr_part_t *self, skr_span_t prefix)
{
    skr_buf_t bytes = {0};
    if (prefix.size == 0) {
        skr_part_free (self);
        return SAKER_OK;
    }
    SKR_TRY (check_prefix (prefix));
    if (skr_part_holds (self, prefix)) {
        return SAKER_OK;
    }
    size_t count = merge (self, prefix, &bytes);
    saker_err_t error = check_bounds (&bytes, count);
    if (error) {
        skr_buf_free (&bytes);
        return error;
    }
    skr_buf_free (&self->prefixes);
    self->prefixes = bytes;
    self->count = count;
    return SAKER_OK;
}

/* ---- two parts */

bool skr_part_equal (const skr_part_t *one, const skr_part_t *other)
{
    return one->partial == other->partial
           && skr_span_equal (skr_span_of (&one->prefixes), skr_span_of (&other->prefixes));
}

bool skr_part_covers (const skr_part_t *self, const skr_part_t *other)
{
    if (!self->partial || !other->partial) {
        return !self->partial;
    }
    for (size_t at = 0; at < other->prefixes.size;) {
        if (!skr_part_holds (self, take_prefix (other, &at))) {
            return false;
        }
    }
    return true;
}

/* The prefixes of `one` that lie within `other`. */
static saker_err_t add_within (skr_part_t *meet, const skr_part_t *one, const skr_part_t *other)
{
    for (size_t at = 0; at < one->prefixes.size;) {
        skr_span_t prefix = take_prefix (one, &at);
        if (skr_part_holds (other, prefix)) {
            SKR_TRY (skr_part_add (meet, prefix));
        }
    }
    return SAKER_OK;
}

saker_err_t skr_part_meet (skr_part_t *meet, const skr_part_t *one, const skr_part_t *other)
{
    if (!one->partial || !other->partial) {
        return skr_part_copy (meet, one->partial ? one : other);
    }
    skr_part_nothing (meet);
    SKR_TRY (add_within (meet, one, other));
    return add_within (meet, other, one);
}

/* ---- records and words */

static saker_err_t put_text (skr_span_t prefix, void *argument)
{
    skr_cbor_put_text (argument, (const char *) prefix.data, prefix.size);
    return SAKER_OK;
}

void skr_part_put (skr_buf_t *buf, const skr_part_t *self)
{
    skr_cbor_put_array (buf, self->partial ? self->count : 1);
    saker_err_t error = skr_part_each (self, put_text, buf);
    (void) error; /* the visit has none */
}

void skr_part_get (skr_cbor_t *cbor, skr_part_t *self)
{
    size_t count = skr_cbor_get_array (cbor, SKR_PART_PREFIXES_MAX);
    skr_span_t last = skr_span (NULL, 0);
    skr_part_nothing (self);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_span_t prefix = skr_cbor_get_text (cbor);
        bool ascends = i == 0 || skr_span_compare (last, prefix) < 0;
        if (cbor->error == SAKER_OK
            && (!ascends || skr_part_add (self, prefix) != SAKER_OK
                || self->count != (self->partial ? i + 1 : 0) || (!self->partial && count > 1))) {
            skr_cbor_reject (cbor, "prefixes ascend, and none begins with another");
        }
        last = prefix;
    }
}

typedef struct saying_t {
    char *words;
    size_t used, told, count;
} saying_t;

static saker_err_t say_prefix (skr_span_t prefix, void *argument)
{
    saying_t *saying = argument;
    size_t room = SKR_PART_WORDS_BYTES - saying->used;
    if (room < prefix.size + sizeof ", " + sizeof " and 64 more") {
        return SAKER_OK;
    }
    int size = snprintf (saying->words + saying->used, room, "%s%.*s", saying->told ? ", " : "",
                         (int) prefix.size, (const char *) prefix.data);
    saying->used += size > 0 ? (size_t) size : 0;
    saying->told++;
    return SAKER_OK;
}

const char *skr_part_words (const skr_part_t *self, char words[SKR_PART_WORDS_BYTES])
{
    saying_t saying = {.words = words, .count = self->count};
    words[0] = 0;
    if (!self->partial || self->count == 0) {
        return self->partial ? "nothing" : "all of it";
    }
    saker_err_t error = skr_part_each (self, say_prefix, &saying);
    (void) error; /* the visit has none */
    if (saying.told < saying.count) {
        (void) snprintf (words + saying.used, SKR_PART_WORDS_BYTES - saying.used, "%s%zu more",
                         saying.told ? " and " : "", saying.count - saying.told);
    }
    return words;
}
