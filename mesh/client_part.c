/* What a peer carries of a collection, and what a client has seen of one. */

#include "mesh/client_internal.h"

#include "peer/part.h"
#include "peer/seen.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- carrying */

saker_err_t saker_carry (saker_t *self, const char *collection, const char *const *prefixes,
                         size_t count)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_CARRY, 2);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, collection);
        skr_cbor_put_uint (&question.request, 1);
        skr_cbor_put_texts (&question.request, prefixes, count);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    skr_question_end (&question);
    return error;
}

typedef struct telling_t {
    const char *collection;
    saker_part_fn *part_fn;
    void *argument;
    uint64_t from;
    bool more, stopped;
} telling_t;

/* The prefixes of one row, as texts. */
typedef struct texts_t {
    const char *list[SKR_PART_PREFIXES_MAX];
    size_t count;
    char bytes[SKR_PART_BYTES_MAX + 1];
    size_t used;
} texts_t;

static saker_err_t add_text (skr_span_t prefix, void *argument)
{
    texts_t *texts = argument;
    if (prefix.size > 0) {
        char *text = texts->bytes + texts->used;
        memcpy (text, prefix.data, prefix.size);
        text[prefix.size] = 0;
        texts->list[texts->count++] = text;
        texts->used += prefix.size + 1;
    }
    return SAKER_OK;
}

static void take_part (telling_t *telling, skr_cbor_t *cbor, texts_t *texts)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    skr_part_t wanted = {.partial = false};
    texts->count = texts->used = 0;
    if (skr_cbor_get_array (cbor, 4) != 4) {
        skr_cbor_reject (cbor, "not a part");
    }
    skr_fields_text (cbor, name, sizeof name);
    skr_part_get (cbor, &wanted);
    bool fetching = skr_cbor_get_bool (cbor);
    bool removing = skr_cbor_get_bool (cbor);
    if (cbor->error == SAKER_OK && skr_part_each (&wanted, add_text, texts) == SAKER_OK) {
        const saker_part_t part = {.collection = name,
                                   .prefixes = texts->list,
                                   .prefixes_count = texts->count,
                                   .state = fetching   ? "fetching"
                                            : removing ? "removing"
                                                       : "carried"};
        telling->stopped = telling->part_fn (&part, telling->argument) != 0;
    }
    skr_part_free (&wanted);
}

static saker_err_t take_parts (telling_t *telling, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    texts_t *texts = malloc (sizeof *texts);
    if (!texts) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !telling->stopped; i++) {
        take_part (telling, cbor, texts);
    }
    free (texts);
    telling->more = !telling->stopped && skr_fields_has (&question->fields, 1);
    if (telling->more) {
        telling->from = skr_cbor_get_uint (cbor);
    }
    return telling->stopped ? SAKER_OK : skr_question_check (question);
}

static saker_err_t ask_parts (saker_t *self, telling_t *telling)
{
    skr_question_t question;
    saker_err_t error =
        skr_question_begin (&question, self, SKR_COMMAND_CARRY, telling->collection ? 2 : 1);
    if (error == SAKER_OK) {
        if (telling->collection) {
            skr_question_text (&question, 0, telling->collection);
        }
        skr_question_uint (&question, 2, telling->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_parts (telling, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_carried (saker_t *self, const char *collection, saker_part_fn *part_fn,
                           void *argument)
{
    telling_t telling = {.collection = collection, .part_fn = part_fn, .argument = argument};
    saker_err_t error;
    do {
        error = ask_parts (self, &telling);
    } while (error == SAKER_OK && telling.more);
    return error;
}

/* ---- seeing */

saker_err_t saker_seen (saker_t *self, const char *collection, char **token)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_SEEN, 1);
    *token = NULL;
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, collection);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question.fields, 0);
        skr_span_t text = skr_cbor_get_text (&question.cbor);
        error = skr_question_check (&question);
        *token = error == SAKER_OK ? strndup ((const char *) text.data, text.size) : NULL;
        error = error == SAKER_OK && !*token ? skr_fail (SAKER_ENOMEM, "out of memory") : error;
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_wait_seen (saker_t *self, const char *token, int timeout_ms)
{
    skr_question_t question;
    uint64_t wait_ms = timeout_ms > 0 ? (uint64_t) timeout_ms : 0;
    if (strlen (token) > SKR_SEEN_BYTES_MAX) {
        return skr_fail (SAKER_EINPUT, "a token of what was seen has at most %u bytes",
                         SKR_SEEN_BYTES_MAX);
    }
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_WAIT_SEEN, 2);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, token);
        skr_question_uint (&question, 1, wait_ms);
        error = skr_question_ask (&question, wait_ms < INT_MAX - SKR_CLIENT_GRACE_MS
                                                 ? (int) wait_ms + SKR_CLIENT_GRACE_MS
                                                 : INT_MAX);
    }
    skr_question_end (&question);
    return error;
}
