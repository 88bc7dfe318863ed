#include "gateway/inbox.h"

#include "canon.h"
#include "gateway/lookup.h"
#include "gateway/template.h"
#include "paint.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const scheme_texts[] = {"standard", "hmac"};

/* ---- is it right? */

static bool is_header (const char *text)
{
    size_t size = strlen (text);
    return size > 0
           && strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
                  == size;
}

static saker_err_t check_secret (call_t *call, const inbox_t *self)
{
    sign_key_t key;
    bool right =
        self->scheme == INBOX_HMAC ? strlen (self->secret) >= 8 : sign_parse (self->secret, &key);
    sodium_memzero (&key, sizeof key);
    if (right) {
        return SAKER_OK;
    }
    return call_fail (call, SAKER_EINPUT,
                      self->scheme == INBOX_HMAC
                          ? "the secret has less than 8 bytes: take a longer one"
                          : "the secret is none of Standard Webhooks: whsec_ and the base64 of 24 "
                            "to 64 random bytes; for git forges give --scheme hmac");
}

saker_err_t inbox_check (call_t *call, const inbox_t *self)
{
    char sentence[TEMPLATE_SENTENCE_MAX];
    saker_err_t error = hook_check_name (call, "an inbox", self->name);
    if (error == SAKER_OK && !*self->collection) {
        error = call_fail (call, SAKER_EINPUT,
                           "where to? name the collection of the documents with --collection");
    }
    if (error == SAKER_OK && (!is_header (self->header) || !is_header (self->id_header))) {
        error = call_fail (call, SAKER_EINPUT, "the name of a header has letters, digits and -");
    }
    if (error == SAKER_OK && !template_check (self->template, sentence)) {
        error = call_fail (call, SAKER_EINPUT, "the template is wrong: %s", sentence);
    }
    return error == SAKER_OK ? check_secret (call, self) : error;
}

void inbox_make_secret (inbox_t *self)
{
    char secret[SIGN_SECRET_SIZE];
    sign_make (secret);
    snprintf (self->secret, sizeof self->secret, "%s",
              self->scheme == INBOX_HMAC ? secret + strlen ("whsec_") : secret);
    sodium_memzero (secret, sizeof secret);
}

/* ---- as a document */

static bool copy_text (const json_t *json, const char *key, char *text, size_t size)
{
    const char *value = json_string_value (json_object_get (json, key));
    if (!value || strlen (value) >= size) {
        return false;
    }
    snprintf (text, size, "%s", value);
    return true;
}

saker_err_t inbox_take (inbox_t *self, const char *name, const json_t *json)
{
    char scheme[16];
    memset (self, 0, sizeof *self);
    const char *template = json_string_value (json_object_get (json, "template"));
    if (!copy_text (json, "secret", self->secret, sizeof self->secret)
        || !copy_text (json, "header", self->header, sizeof self->header)
        || !copy_text (json, "id_header", self->id_header, sizeof self->id_header)
        || !copy_text (json, "collection", self->collection, sizeof self->collection)
        || !copy_text (json, "prefix", self->prefix, sizeof self->prefix)
        || !copy_text (json, "scheme", scheme, sizeof scheme) || !template
        || strlen (name) > HOOK_NAME_MAX) {
        return SAKER_EDAMAGED;
    }
    snprintf (self->name, sizeof self->name, "%s", name);
    self->scheme = strcmp (scheme, scheme_texts[INBOX_HMAC]) == 0 ? INBOX_HMAC : INBOX_STANDARD;
    self->made_ms = json_integer_value (json_object_get (json, "made"));
    self->template = json_loads (template, 0, NULL);
    return self->template ? SAKER_OK : SAKER_EDAMAGED;
}

void inbox_free (inbox_t *self)
{
    json_decref (self->template);
    sodium_memzero (self, sizeof *self);
}

static json_t *inbox_json (const inbox_t *self)
{
    strbuf_t template = {0};
    canon_add (&template, self->template);
    json_t *json =
        template.failed
            ? NULL
            : json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "secret", self->secret, "header",
                         self->header, "id_header", self->id_header, "collection", self->collection,
                         "prefix", self->prefix, "scheme", scheme_texts[self->scheme], "template",
                         template.data, "made", (json_int_t) self->made_ms);
    strbuf_free (&template);
    return json;
}

json_t *inbox_show (const inbox_t *self)
{
    char made[PAINT_TIME_MAX];
    paint_time ((uint64_t) self->made_ms, made);
    return json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:O}", "name", self->name, "scheme",
                      scheme_texts[self->scheme], "header", self->header, "id_header",
                      self->id_header, "collection", self->collection, "prefix", self->prefix,
                      "made", made, "template", self->template);
}

saker_err_t inbox_add (call_t *call, const char *hooks, const inbox_t *self)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    saker_err_t error = inbox_check (call, self);
    if (error != SAKER_OK) {
        return error;
    }
    hook_document ("inbox", self->name, document);
    error = lookup_document (call, hooks, document, &json);
    json_decref (json);
    if (error == SAKER_OK) {
        return call_fail (call, SAKER_EEXIST,
                          "there is an inbox %s already: remove it first, or take another name",
                          self->name);
    }
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    saker_batch_t *batch = saker_batch_new (hooks);
    json = inbox_json (self);
    error = batch && json ? lookup_put (call, batch, document, "", json) : call_memory (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, batch, NULL));
    }
    saker_batch_destroy (&batch);
    json_decref (json);
    return error;
}

saker_err_t inbox_read (call_t *call, const char *hooks, const char *name, inbox_t *self)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    memset (self, 0, sizeof *self);
    saker_err_t error = hook_check_name (call, "an inbox", name);
    if (error != SAKER_OK) {
        return error;
    }
    hook_document ("inbox", name, document);
    error = lookup_document (call, hooks, document, &json);
    if (error == SAKER_ENOTFOUND) {
        error = call_fail (call, error, "there is no inbox %s; see saker inbox list", name);
    } else if (error == SAKER_OK && inbox_take (self, name, json) != SAKER_OK) {
        inbox_free (self);
        error = call_fail (call, SAKER_EDAMAGED, "%s/%s is no inbox: remove it, and make it anew",
                           hooks, document);
    }
    json_decref (json);
    return error;
}

saker_err_t inbox_remove (call_t *call, const char *hooks, const char *name)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (hooks);
    hook_document ("inbox", name, document);
    saker_err_t error =
        batch ? call_library (call, saker_batch_delete (batch, document, "")) : call_memory (call);
    if (error == SAKER_OK) {
        error = saker_write (call->peer, batch, NULL);
        error = error == SAKER_ENOTFOUND
                    ? call_fail (call, error, "there is no inbox %.80s; see saker inbox list", name)
                    : call_library (call, error);
    }
    saker_batch_destroy (&batch);
    return error;
}

/* ---- deliveries */

static saker_err_t forged (call_t *call, const char *what)
{
    return call_fail (call, SAKER_EFORGED, "%s", what);
}

static saker_err_t verify_standard (call_t *call, const inbox_t *self,
                                    const inbox_delivery_t *delivery, int64_t now_s)
{
    sign_key_t key;
    size_t digits = strspn (delivery->time, "0123456789");
    int64_t time_s = digits > 0 && digits < 12 ? strtoll (delivery->time, NULL, 10) : -1;
    if (time_s < 0 || delivery->time[digits]) {
        return forged (call, "webhook-timestamp is no number of seconds");
    }
    if (time_s < now_s - SIGN_TOLERANCE_S || time_s > now_s + SIGN_TOLERANCE_S) {
        return forged (call, "webhook-timestamp is more than five minutes away from the clock of "
                             "this machine: set the clocks, or sign anew");
    }
    bool holds = sign_parse (self->secret, &key)
                 && sign_holds (&key, delivery->id, time_s, delivery->body, delivery->size,
                                delivery->signature);
    sodium_memzero (&key, sizeof key);
    return holds ? SAKER_OK
                 : forged (call, "webhook-signature does not hold: sign with the secret of this "
                                 "inbox");
}

saker_err_t inbox_verify (call_t *call, const inbox_t *self, const inbox_delivery_t *delivery,
                          int64_t now_s)
{
    uint8_t hash[SIGN_HASH_BYTES];
    size_t size = strlen (delivery->id);
    if (size < 1 || size > INBOX_ID_MAX) {
        return call_fail (call, SAKER_EINPUT, "the id of a delivery has 1 to %d bytes",
                          INBOX_ID_MAX);
    }
    if (self->scheme == INBOX_STANDARD) {
        return verify_standard (call, self, delivery, now_s);
    }
    sign_body (self->secret, strlen (self->secret), delivery->body, delivery->size, hash);
    return sign_is_hash (delivery->signature, hash)
               ? SAKER_OK
               : forged (call, "the signature does not hold: sign with the secret of this inbox");
}

static void hash_delivery (const inbox_t *self, const char *delivery, uint8_t hash[16])
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, 16);
    crypto_generichash_update (&state, (const uint8_t *) self->name, strlen (self->name) + 1);
    crypto_generichash_update (&state, (const uint8_t *) delivery, strlen (delivery));
    crypto_generichash_final (&state, hash, 16);
}

void inbox_document (const inbox_t *self, const char *delivery, char document[HOOK_DOCUMENT_SIZE])
{
    uint8_t hash[16];
    char digits[33];
    hash_delivery (self, delivery, hash);
    sodium_bin2hex (digits, sizeof digits, hash, sizeof hash);
    snprintf (document, HOOK_DOCUMENT_SIZE, "%s%s", self->prefix, digits);
}

/* The id of the operation makes it once even where two come at the same time. */
static saker_err_t write_once (call_t *call, const inbox_t *self, const char *delivery,
                               const char *document, const json_t *json, bool *repeated)
{
    uint8_t hash[16];
    saker_receipt_t receipt = {.repeated = false};
    saker_batch_t *batch = saker_batch_new (self->collection);
    hash_delivery (self, delivery, hash);
    saker_err_t error =
        batch && json ? lookup_put (call, batch, document, "", json) : call_memory (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_batch_operation (batch, hash, sizeof hash));
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, batch, &receipt));
    }
    *repeated = receipt.repeated;
    saker_batch_destroy (&batch);
    return error;
}

saker_err_t inbox_put (call_t *call, const inbox_t *self, const char *delivery, const json_t *body,
                       bool *repeated)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *there = NULL;
    inbox_document (self, delivery, document);
    saker_err_t error = lookup_document (call, self->collection, document, &there);
    json_decref (there);
    *repeated = error == SAKER_OK;
    if (error != SAKER_ENOTFOUND) {
        return error;
    }
    json_t *json = template_fill (self->template, body);
    error = write_once (call, self, delivery, document, json, repeated);
    json_decref (json);
    return error;
}
