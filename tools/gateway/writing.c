#include "gateway/writing.h"

#include "gateway/problem.h"
#include "gateway/reply.h"
#include "gateway/route.h"
#include "say.h"

#include <sodium.h>
#include <string.h>

#define KEY_BYTES_MAX 255
#define DIGEST_BYTES (SAKER_NOTE_BYTES - 1) /* the last byte of a note tells the answer */
#define NOTE_DONE 1
#define NOTE_CREATED 2

static void add_text (crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update (state, (const uint8_t *) (text ? text : ""),
                               text ? strlen (text) + 1 : 1);
}

/* What was asked: method, target, type and body. */
static void digest_request (const request_t *request, uint8_t note[SAKER_NOTE_BYTES])
{
    crypto_generichash_state state;
    uint8_t digest[16];
    crypto_generichash_init (&state, NULL, 0, sizeof digest);
    add_text (&state, request->route->method);
    add_text (&state, request->uri);
    add_text (&state, request_header (request, "Content-Type"));
    crypto_generichash_update (&state, (const uint8_t *) request->body.data, request->body.size);
    crypto_generichash_final (&state, digest, sizeof digest);
    memcpy (note, digest, DIGEST_BYTES);
}

/* Keys of different tokens never meet. */
static void make_id (writing_t *self, const request_t *request, const char *key)
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof self->id);
    add_text (&state, request->access.token->id);
    add_text (&state, key);
    crypto_generichash_final (&state, self->id, sizeof self->id);
}

static void reply_repeat (const writing_t *self, request_t *request, const saker_receipt_t *first)
{
    static const uint8_t nothing[SAKER_NOTE_BYTES];
    bool known = memcmp (first->note, nothing, sizeof nothing) != 0;
    if (known && memcmp (first->note, self->note, DIGEST_BYTES) != 0) {
        problem_say (request, 422,
                     "this Idempotency-Key was used for another request: take a new one");
        return;
    }
    reply_header (request, "Idempotency-Replayed", "true");
    writing_reply (request, first->note[DIGEST_BYTES] == NOTE_CREATED ? 201 : 200, first);
}

/* Asks by a batch that cannot be written: if the id is known, its receipt comes back. */
static saker_err_t ask (writing_t *self, request_t *request, call_t *call, saker_receipt_t *receipt)
{
    uint8_t never[SAKER_STATE_BYTES];
    saker_batch_t *batch = saker_batch_new (request->names[0]);
    memset (never, 0xff, sizeof never);
    if (!batch) {
        return call_memory (call);
    }
    saker_err_t error = saker_batch_operation (batch, self->id, sizeof self->id);
    if (error == SAKER_OK) {
        error = saker_batch_expect (batch, "-", "", never);
    }
    if (error == SAKER_OK) {
        error = saker_write (call->peer, batch, receipt);
    }
    saker_batch_destroy (&batch);
    return error == SAKER_ECHANGED ? error : call_library (call, error);
}

bool writing_begin (writing_t *self, request_t *request, call_t *call)
{
    const char *key = request_header (request, "Idempotency-Key");
    saker_receipt_t first = {.seq = 0};
    *self = (writing_t){.keyed = key};
    if (!key) {
        return true;
    }
    if (!*key || strlen (key) > KEY_BYTES_MAX) {
        problem_say (request, 400, "an Idempotency-Key has 1 to %d bytes", KEY_BYTES_MAX);
        return false;
    }
    make_id (self, request, key);
    digest_request (request, self->note);
    saker_err_t error = ask (self, request, call, &first);
    if (error == SAKER_OK) {
        reply_repeat (self, request, &first);
    } else if (error != SAKER_ECHANGED) {
        problem_error (request, call, error);
    }
    return error == SAKER_ECHANGED;
}

saker_err_t writing_write (writing_t *self, request_t *request, call_t *call, saker_batch_t *batch,
                           bool created, saker_receipt_t *receipt)
{
    saker_err_t error = SAKER_OK;
    if (self->keyed) {
        self->note[DIGEST_BYTES] = created ? NOTE_CREATED : NOTE_DONE;
        error = saker_batch_operation (batch, self->id, sizeof self->id);
    }
    if (self->keyed && error == SAKER_OK) {
        error = saker_batch_note (batch, self->note);
    }
    if (error == SAKER_OK) {
        error = saker_write (call->peer, batch, receipt);
    }
    if (error == SAKER_OK && receipt->repeated) {
        reply_repeat (self, request, receipt);
    }
    return call_library (call, error);
}

void writing_reply (request_t *request, unsigned status, const saker_receipt_t *receipt)
{
    char writer[33];
    say_hex (receipt->writer, writer);
    reply_json (request, status,
                json_pack ("{s:b,s:s,s:I}", "changed", receipt->seq != 0, "writer", writer, "seq",
                           (json_int_t) receipt->seq));
}
