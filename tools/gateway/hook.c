#include "gateway/hook.h"

#include "gateway/allow.h"
#include "gateway/retry.h"
#include "paint.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

static const char *const state_texts[] = {"active", "paused", "gone"};

const char *hook_state_text (hook_state_t state)
{
    return state_texts[state];
}

void hook_document (const char *kind, const char *name, char document[HOOK_DOCUMENT_SIZE])
{
    snprintf (document, HOOK_DOCUMENT_SIZE, "%s/%s", kind, name);
}

void hook_below (const char *kind, const char *name, const char *id,
                 char document[HOOK_DOCUMENT_SIZE])
{
    snprintf (document, HOOK_DOCUMENT_SIZE, "%s/%s/%s", kind, name, id);
}

/* ---- is it right? */

saker_err_t hook_check_name (call_t *call, const char *what, const char *name)
{
    size_t size = strlen (name);
    if (size < 1 || size > HOOK_NAME_MAX || !isalnum ((unsigned char) *name)
        || strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != size) {
        return call_fail (call, SAKER_EINPUT,
                          "\"%.80s\" is no name of %s: it has 1 to %d of the characters a-z 0-9 . "
                          "_ - and begins with a letter or a digit",
                          name, what, HOOK_NAME_MAX);
    }
    return SAKER_OK;
}

/* Splits off the host of a URL; what is wrong with the URL, or NULL. */
static const char *split_url (const char *url, char host[256])
{
    const char *rest = strncmp (url, "https://", 8) == 0  ? url + 8
                       : strncmp (url, "http://", 7) == 0 ? url + 7
                                                          : NULL;
    if (!rest) {
        return "begins with neither https:// nor http://";
    }
    for (const char *at = url; *at; at++) {
        if ((unsigned char) *at <= ' ' || (unsigned char) *at >= 0x7f
            || strchr ("\\\"<>^`{|}#", *at)) {
            return "holds a character that is not for URLs: write it as %XX, and leave out #...";
        }
    }
    size_t authority = strcspn (rest, "/?");
    if (memchr (rest, '@', authority)) {
        return "holds a user name or password: leave it out, the signature tells who sends";
    }
    const char *close = *rest == '[' ? memchr (rest, ']', authority) : NULL;
    size_t size = close ? (size_t) (close + 1 - rest) : strcspn (rest, ":/?");
    const char *port = rest + size;
    size_t digits = *port == ':' ? strspn (port + 1, "0123456789") : 0;
    if (size == 0 || size >= 256 || (*rest == '[' && !close)) {
        return "names no host";
    }
    if (*port == ':' && (digits < 1 || digits > 5 || 1 + digits + size != authority)) {
        return "has a port that is no number";
    }
    memcpy (host, rest, size);
    host[size] = 0;
    return *port && !strchr (":/?", *port) ? "names no host" : NULL;
}

static saker_err_t check_url (call_t *call, const char *url)
{
    char host[256];
    const char *wrong = strlen (url) > HOOK_URL_MAX ? "is too long" : split_url (url, host);
    if (!wrong && allow_is_odd (host)) {
        wrong = "hides an address by an unusual form: write it as in 192.168.1.20";
    }
    return wrong ? call_fail (call, SAKER_EINPUT, "the URL %.200s %s", url, wrong) : SAKER_OK;
}

static bool is_pointer (const char *text)
{
    if (*text && *text != '/') {
        return false;
    }
    for (; *text; text++) {
        if (*text == '~' && text[1] != '0' && text[1] != '1') {
            return false;
        }
    }
    return true;
}

saker_err_t hook_check (call_t *call, const hook_t *self)
{
    saker_err_t error = hook_check_name (call, "a subscription", self->name);
    if (error == SAKER_OK) {
        error = check_url (call, self->url);
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (!*self->collection) {
        return call_fail (call, SAKER_EINPUT,
                          "which changes? name their collection with --collection");
    }
    if (!is_pointer (self->path)) {
        return call_fail (call, SAKER_EINPUT,
                          "the path %.200s is no JSON Pointer: it begins with /, and ~ is written "
                          "~0",
                          self->path);
    }
    if (self->attempts < 1 || self->attempts > RETRY_ATTEMPTS_MAX) {
        return call_fail (call, SAKER_EINPUT, "the number of attempts is from 1 to %d",
                          RETRY_ATTEMPTS_MAX);
    }
    if (self->backoff_ms < RETRY_BASE_MIN_MS || self->backoff_ms > RETRY_MAX_MS) {
        return call_fail (call, SAKER_EINPUT, "the first pause is from %dms to 6h",
                          RETRY_BASE_MIN_MS);
    }
    return SAKER_OK;
}

/* Is one place the other, or above it? */
static bool contains (const char *outer, const char *inner)
{
    size_t size = strlen (outer);
    return strncmp (outer, inner, size) == 0 && (inner[size] == 0 || inner[size] == '/');
}

bool hook_wants (const hook_t *self, const char *pointer)
{
    return contains (self->path, pointer) || contains (pointer, self->path);
}

/* ---- as a document */

static bool copy_text (const json_t *json, const char *key, char *text, size_t size)
{
    const json_t *value = json_object_get (json, key);
    const char *string = value ? json_string_value (value) : "";
    if (!string || strlen (string) >= size) {
        return false;
    }
    snprintf (text, size, "%s", string);
    return true;
}

static bool take_state (hook_t *self, const json_t *json)
{
    const char *text = json_string_value (json_object_get (json, "state"));
    for (size_t i = 0; text && i < sizeof state_texts / sizeof *state_texts; i++) {
        if (strcmp (text, state_texts[i]) == 0) {
            self->state = (hook_state_t) i;
            return true;
        }
    }
    return false;
}

static void take_secrets (hook_t *self, const json_t *json)
{
    const char *id;
    json_t *value;
    json_object_foreach ((json_t *) json, id, value)
    {
        hook_secret_t *secret = &self->secrets[self->secrets_count];
        sign_key_t key;
        if (self->secrets_count == HOOK_SECRETS_MAX || strlen (id) >= sizeof secret->id
            || !copy_text (value, "secret", secret->text, sizeof secret->text)
            || !sign_parse (secret->text, &key)) {
            continue;
        }
        snprintf (secret->id, sizeof secret->id, "%s", id);
        secret->made_ms = json_integer_value (json_object_get (value, "made"));
        secret->ends_ms = json_integer_value (json_object_get (value, "ends"));
        self->secrets_count++;
        sodium_memzero (&key, sizeof key);
    }
}

saker_err_t hook_take (hook_t *self, const char *name, const json_t *json)
{
    char order[16];
    memset (self, 0, sizeof *self);
    if (strlen (name) > HOOK_NAME_MAX || !json_is_object (json)) {
        return SAKER_EDAMAGED;
    }
    snprintf (self->name, sizeof self->name, "%s", name);
    if (!copy_text (json, "url", self->url, sizeof self->url)
        || !copy_text (json, "collection", self->collection, sizeof self->collection)
        || !copy_text (json, "documents", self->documents, sizeof self->documents)
        || !copy_text (json, "path", self->path, sizeof self->path)
        || !copy_text (json, "order", order, sizeof order)
        || !copy_text (json, "reason", self->reason, sizeof self->reason)
        || !take_state (self, json)) {
        return SAKER_EDAMAGED;
    }
    self->ordered = strcmp (order, "document") == 0;
    self->value = json_is_true (json_object_get (json, "value"));
    json_int_t attempts = json_integer_value (json_object_get (json, "attempts"));
    self->attempts = attempts > 0 && attempts <= RETRY_ATTEMPTS_MAX ? (unsigned) attempts : 1;
    self->backoff_ms = json_integer_value (json_object_get (json, "backoff"));
    self->made_ms = json_integer_value (json_object_get (json, "made"));
    take_secrets (self, json_object_get (json, "secrets"));
    return self->secrets_count > 0 && *self->collection && *self->url ? SAKER_OK : SAKER_EDAMAGED;
}

static json_t *plain_json (const hook_t *self)
{
    return json_pack ("{s:s,s:s,s:s,s:s,s:s,s:b,s:I,s:I,s:s,s:s,s:I}", "url", self->url,
                      "collection", self->collection, "documents", self->documents, "path",
                      self->path, "order", self->ordered ? "document" : "none", "value",
                      self->value, "attempts", (json_int_t) self->attempts, "backoff",
                      (json_int_t) self->backoff_ms, "state", state_texts[self->state], "reason",
                      self->reason, "made", (json_int_t) self->made_ms);
}

json_t *hook_json (const hook_t *self)
{
    json_t *json = plain_json (self), *secrets = json_object ();
    for (size_t i = 0; i < self->secrets_count; i++) {
        const hook_secret_t *secret = &self->secrets[i];
        json_object_set_new (secrets, secret->id,
                             json_pack ("{s:s,s:I,s:I}", "secret", secret->text, "made",
                                        (json_int_t) secret->made_ms, "ends",
                                        (json_int_t) secret->ends_ms));
    }
    json_object_set_new (json, "secrets", secrets);
    return json;
}

static json_t *time_json (int64_t time_ms)
{
    char text[PAINT_TIME_MAX];
    paint_time ((uint64_t) time_ms, text);
    return time_ms > 0 ? json_string (text) : json_null ();
}

json_t *hook_show (const hook_t *self)
{
    json_t *json = plain_json (self), *secrets = json_array ();
    for (size_t i = 0; i < self->secrets_count; i++) {
        const hook_secret_t *secret = &self->secrets[i];
        json_array_append_new (secrets, json_pack ("{s:s,s:o,s:o}", "id", secret->id, "made",
                                                   time_json (secret->made_ms), "ends",
                                                   time_json (secret->ends_ms)));
    }
    json_object_set_new (json, "name", json_string (self->name));
    json_object_set_new (json, "made", time_json (self->made_ms));
    json_object_set_new (json, "secrets", secrets);
    return json;
}

/* ---- secrets */

static void drop_secret (hook_t *self, size_t at)
{
    sodium_memzero (&self->secrets[at], sizeof self->secrets[at]);
    self->secrets_count--;
    memmove (&self->secrets[at], &self->secrets[at + 1],
             (self->secrets_count - at) * sizeof *self->secrets);
}

saker_err_t hook_rotate (call_t *call, hook_t *self, const char *text, int64_t now_ms,
                         int64_t ends_ms)
{
    sign_key_t key;
    uint8_t id[(HOOK_KEY_ID_SIZE - 1) / 2];
    for (size_t i = self->secrets_count; i-- > 0;) {
        hook_secret_t *secret = &self->secrets[i];
        if (secret->ends_ms && secret->ends_ms <= now_ms) {
            drop_secret (self, i);
        } else if (secret->ends_ms == 0 || secret->ends_ms > ends_ms) {
            secret->ends_ms = ends_ms;
        }
    }
    if (self->secrets_count == HOOK_SECRETS_MAX) {
        return call_fail (call, SAKER_ELIMIT,
                          "%s has %d secrets that hold already: wait until one has ended",
                          self->name, HOOK_SECRETS_MAX);
    }
    hook_secret_t *fresh = &self->secrets[self->secrets_count];
    memset (fresh, 0, sizeof *fresh);
    if (text && (strlen (text) >= sizeof fresh->text || !sign_parse (text, &key))) {
        return call_fail (call, SAKER_EINPUT,
                          "the secret is none of Standard Webhooks: whsec_ and the base64 of %d to "
                          "%d random bytes; without one, saker makes it",
                          SIGN_KEY_BYTES_MIN, SIGN_KEY_BYTES_MAX);
    }
    sodium_memzero (&key, sizeof key);
    randombytes_buf (id, sizeof id);
    sodium_bin2hex (fresh->id, sizeof fresh->id, id, sizeof id);
    fresh->made_ms = now_ms;
    if (text) {
        snprintf (fresh->text, sizeof fresh->text, "%s", text);
    } else {
        sign_make (fresh->text);
    }
    self->secrets_count++;
    return SAKER_OK;
}
