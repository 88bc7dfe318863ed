/* The file is replaced as a whole, under a lock of its own, so that a reader sees all of it or what
   was before. A token is long and random: a plain hash of it is as good as a slow one. */

#include "gateway/token.h"

#include "canon.h"
#include "gateway/instant.h"
#include "jsonin.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_BYTES 8
#define SECRET_BYTES 32
#define TEXT_START "saker_"
#define FILE_BYTES_MAX (4u << 20)

static const char *const role_texts[] = {"read", "write", "admin"};

const char *token_role_text (token_role_t role)
{
    return role_texts[role - TOKEN_READ];
}

bool token_role_parse (const char *text, token_role_t *role)
{
    for (size_t i = 0; i < sizeof role_texts / sizeof *role_texts; i++) {
        if (strcmp (text, role_texts[i]) == 0) {
            *role = (token_role_t) (TOKEN_READ + i);
            return true;
        }
    }
    return false;
}

bool token_may_see (const token_t *self, const char *collection)
{
    for (size_t i = 0; i < self->collections_count; i++) {
        if (strcmp (self->collections[i], collection) == 0) {
            return true;
        }
    }
    return self->collections_count == 0;
}

void tokens_free (tokens_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->list[i].collections);
    }
    free (self->list);
    *self = (tokens_t){0};
}

/* ---- the file as JSON */

static saker_err_t copy_text (const json_t *json, const char *key, char *text, size_t size)
{
    const char *value = json_string_value (json_object_get (json, key));
    if (!value || strlen (value) >= size) {
        return SAKER_EDAMAGED;
    }
    snprintf (text, size, "%s", value);
    return SAKER_OK;
}

static saker_err_t take_collections (token_t *token, const json_t *list)
{
    size_t count = json_array_size (list);
    if (!json_is_array (list) || count > TOKEN_COLLECTIONS_MAX) {
        return SAKER_EDAMAGED;
    }
    token->collections = calloc (count + 1, sizeof *token->collections);
    for (size_t i = 0; token->collections && i < count; i++) {
        const char *name = json_string_value (json_array_get (list, i));
        if (!name || strlen (name) > SAKER_COLLECTION_BYTES_MAX) {
            return SAKER_EDAMAGED;
        }
        snprintf (token->collections[i], sizeof *token->collections, "%s", name);
        token->collections_count++;
    }
    return token->collections ? SAKER_OK : SAKER_ENOMEM;
}

static saker_err_t take_token (token_t *token, const json_t *json)
{
    char role[16], hash[2 * TOKEN_HASH_BYTES + 1];
    size_t size = 0;
    saker_err_t error = copy_text (json, "id", token->id, sizeof token->id);
    if (error == SAKER_OK) {
        error = copy_text (json, "name", token->name, sizeof token->name);
    }
    if (error == SAKER_OK) {
        error = copy_text (json, "role", role, sizeof role);
    }
    if (error == SAKER_OK) {
        error = copy_text (json, "hash", hash, sizeof hash);
    }
    if (error != SAKER_OK || !token_role_parse (role, &token->role)
        || sodium_hex2bin (token->hash, sizeof token->hash, hash, strlen (hash), NULL, &size, NULL)
        || size != sizeof token->hash) {
        return SAKER_EDAMAGED;
    }
    token->made_ms = json_integer_value (json_object_get (json, "made"));
    token->expires_ms = json_integer_value (json_object_get (json, "expires"));
    return take_collections (token, json_object_get (json, "collections"));
}

static saker_err_t take_tokens (tokens_t *tokens, const json_t *list)
{
    size_t count = json_array_size (list);
    if (!json_is_array (list) || count > TOKENS_MAX) {
        return SAKER_EDAMAGED;
    }
    tokens->list = calloc (count + 1, sizeof *tokens->list);
    if (!tokens->list) {
        return SAKER_ENOMEM;
    }
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        tokens->count++;
        error = take_token (&tokens->list[i], json_array_get (list, i));
    }
    return error;
}

static json_t *token_json (const token_t *token)
{
    char hash[2 * TOKEN_HASH_BYTES + 1];
    json_t *collections = json_array ();
    for (size_t i = 0; i < token->collections_count; i++) {
        if (json_array_append_new (collections, json_string (token->collections[i])) != 0) {
            json_decref (collections); /* with one name less it would be for more */
            return NULL;
        }
    }
    sodium_bin2hex (hash, sizeof hash, token->hash, sizeof token->hash);
    return json_pack ("{s:s,s:s,s:s,s:s,s:I,s:I,s:o}", "id", token->id, "name", token->name, "role",
                      token_role_text (token->role), "hash", hash, "made",
                      (json_int_t) token->made_ms, "expires", (json_int_t) token->expires_ms,
                      "collections", collections);
}

/* ---- reading */

static saker_err_t file_name (call_t *call, const char *store, const char *end, char name[PATH_MAX])
{
    int size = snprintf (name, PATH_MAX, "%s/" TOKEN_FILE "%s", store, end);
    return size > 0 && size < PATH_MAX
               ? SAKER_OK
               : call_fail (call, SAKER_EINPUT, "the name of the store is too long");
}

static saker_err_t check_private (call_t *call, const char *name, const struct stat *status)
{
    if (status->st_mode & 077) {
        return call_fail (call, SAKER_ERIGHT, "others can read %s: chmod 600 %s", name, name);
    }
    if (status->st_size > (off_t) FILE_BYTES_MAX) {
        return call_fail (call, SAKER_EDAMAGED, "%s is too large to be a list of tokens", name);
    }
    return SAKER_OK;
}

static saker_err_t parse_file (call_t *call, const char *name, tokens_t *tokens)
{
    jsonin_t in = {.name = name};
    char *text = NULL;
    json_t *json = NULL;
    saker_err_t error = jsonin_load (call, name, &text, &in.size);
    in.text = text;
    if (error == SAKER_OK) {
        error = jsonin_read (call, &in, 0, in.size, &json);
    }
    if (error == SAKER_OK) {
        error = take_tokens (tokens, json_object_get (json, "tokens"));
        error = error == SAKER_OK ? SAKER_OK
                                  : call_fail (call, error,
                                               "%s is not a list of tokens: move it away and make "
                                               "new ones with saker token add",
                                               name);
    }
    json_decref (json);
    free (text);
    if (error != SAKER_OK) {
        tokens_free (tokens);
    }
    return error;
}

saker_err_t tokens_read (call_t *call, const char *store, tokens_t *tokens)
{
    char name[PATH_MAX];
    struct stat status;
    *tokens = (tokens_t){0};
    saker_err_t error = file_name (call, store, "", name);
    if (error != SAKER_OK) {
        return error;
    }
    if (stat (name, &status) != 0) {
        return errno == ENOENT
                   ? SAKER_OK
                   : call_fail (call, SAKER_EIO, "cannot look at %s: %s", name, strerror (errno));
    }
    error = check_private (call, name, &status);
    return error == SAKER_OK ? parse_file (call, name, tokens) : error;
}

/* ---- writing */

static saker_err_t write_text (int descriptor, const strbuf_t *text)
{
    for (size_t at = 0; at < text->size;) {
        ssize_t size = write (descriptor, text->data + at, text->size - at);
        if (size < 0 && errno != EINTR) {
            return SAKER_EIO;
        }
        at += size > 0 ? (size_t) size : 0;
    }
    return fsync (descriptor) == 0 ? SAKER_OK : SAKER_EIO;
}

static void sync_folder (const char *store)
{
    int folder = open (store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync (folder);
        close (folder);
    }
}

static saker_err_t replace_file (call_t *call, const char *store, const strbuf_t *text)
{
    char name[PATH_MAX], fresh[PATH_MAX];
    saker_err_t error = file_name (call, store, "", name);
    if (error == SAKER_OK) {
        error = file_name (call, store, ".new", fresh);
    }
    if (error != SAKER_OK) {
        return error;
    }
    unlink (fresh);
    int descriptor = open (fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    error = descriptor < 0 ? SAKER_EIO : write_text (descriptor, text);
    if (descriptor >= 0) {
        close (descriptor);
    }
    if (error != SAKER_OK || rename (fresh, name) != 0) {
        return call_fail (call, SAKER_EIO, "cannot write %s: %s", name, strerror (errno));
    }
    sync_folder (store);
    return SAKER_OK;
}

static saker_err_t write_file (call_t *call, const char *store, const tokens_t *tokens)
{
    json_t *list = json_array ();
    bool whole = true;
    for (size_t i = 0; i < tokens->count; i++) {
        whole = whole && json_array_append_new (list, token_json (&tokens->list[i])) == 0;
    }
    json_t *json = json_pack ("{s:o}", "tokens", list);
    strbuf_t text = {.failed = !json || !whole};
    canon_add (&text, json);
    strbuf_text (&text, "\n");
    json_decref (json);
    saker_err_t error = text.failed ? call_memory (call) : replace_file (call, store, &text);
    strbuf_free (&text);
    return error;
}

/* Those who change the file come one after the other. */
static saker_err_t lock_file (call_t *call, const char *store, int *lock)
{
    char name[PATH_MAX];
    struct stat status;
    snprintf (name, sizeof name, "%s/device.key", store);
    if (stat (name, &status) != 0) {
        return call_fail (call, SAKER_ENOTFOUND,
                          "%s is not a saker store: make one with saker init or saker join", store);
    }
    saker_err_t error = file_name (call, store, ".lock", name);
    if (error != SAKER_OK) {
        return error;
    }
    *lock = open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0 || flock (*lock, LOCK_EX) != 0) {
        return call_fail (call, SAKER_EIO, "cannot lock %s: %s", name, strerror (errno));
    }
    return SAKER_OK;
}

typedef saker_err_t change_fn (call_t *call, tokens_t *tokens, void *argument);

/* Reads, changes and writes, under the lock. */
static saker_err_t change_file (call_t *call, const char *store, change_fn *change, void *argument)
{
    int lock = -1;
    tokens_t tokens = {0};
    saker_err_t error = lock_file (call, store, &lock);
    if (error == SAKER_OK) {
        error = tokens_read (call, store, &tokens);
    }
    if (error == SAKER_OK) {
        error = change (call, &tokens, argument);
    }
    if (error == SAKER_OK) {
        error = write_file (call, store, &tokens);
    }
    tokens_free (&tokens);
    if (lock >= 0) {
        close (lock);
    }
    return error;
}

static saker_err_t append_token (call_t *call, tokens_t *tokens, void *argument)
{
    const token_t *fresh = argument;
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp (tokens->list[i].name, fresh->name) == 0) {
            return call_fail (call, SAKER_EEXIST,
                              "there is a token %s already: revoke it first, or take another name",
                              fresh->name);
        }
    }
    if (tokens->count == TOKENS_MAX) {
        return call_fail (call, SAKER_ELIMIT, "a store has %d tokens at most: revoke some first",
                          TOKENS_MAX);
    }
    token_t *list = realloc (tokens->list, (tokens->count + 1) * sizeof *list);
    if (!list) {
        return call_memory (call);
    }
    tokens->list = list;
    token_t *token = &list[tokens->count];
    *token = *fresh;
    token->collections = calloc (fresh->collections_count + 1, sizeof *token->collections);
    if (!token->collections) {
        return call_memory (call);
    }
    for (size_t i = 0; i < fresh->collections_count; i++) {
        memcpy (token->collections[i], fresh->collections[i], sizeof *token->collections);
    }
    tokens->count++;
    return SAKER_OK;
}

static void hash_text (const char *text, size_t size, uint8_t hash[TOKEN_HASH_BYTES])
{
    crypto_generichash (hash, TOKEN_HASH_BYTES, (const uint8_t *) text, size, NULL, 0);
}

saker_err_t tokens_add (call_t *call, const char *store, token_t *fresh, char text[TOKEN_TEXT_SIZE])
{
    uint8_t id[ID_BYTES], secret[SECRET_BYTES];
    char digits[sodium_base64_ENCODED_LEN (SECRET_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    randombytes_buf (id, sizeof id);
    randombytes_buf (secret, sizeof secret);
    sodium_bin2hex (fresh->id, sizeof fresh->id, id, sizeof id);
    sodium_bin2base64 (digits, sizeof digits, secret, sizeof secret,
                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf (text, TOKEN_TEXT_SIZE, TEXT_START "%s_%s", fresh->id, digits);
    fresh->made_ms = instant_wall_ms ();
    hash_text (text, strlen (text), fresh->hash);
    saker_err_t error = change_file (call, store, append_token, fresh);
    sodium_memzero (secret, sizeof secret);
    sodium_memzero (digits, sizeof digits);
    if (error != SAKER_OK) {
        sodium_memzero (text, TOKEN_TEXT_SIZE);
    }
    return error;
}

static saker_err_t remove_token (call_t *call, tokens_t *tokens, void *argument)
{
    const char *word = argument;
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp (tokens->list[i].name, word) == 0 || strcmp (tokens->list[i].id, word) == 0) {
            free (tokens->list[i].collections);
            tokens->list[i] = tokens->list[--tokens->count];
            return SAKER_OK;
        }
    }
    return call_fail (call, SAKER_ENOTFOUND, "there is no token %s; see saker token list", word);
}

saker_err_t tokens_revoke (call_t *call, const char *store, const char *word)
{
    return change_file (call, store, remove_token, (void *) word);
}

/* ---- looking one up */

/* Every hash is compared, in constant time: how long it takes tells nothing. */
const token_t *tokens_find (const tokens_t *self, const char *text, size_t size, int64_t now_ms)
{
    const token_t *found = NULL;
    uint8_t hash[TOKEN_HASH_BYTES];
    if (size < sizeof TEXT_START || size >= TOKEN_TEXT_SIZE) {
        return NULL;
    }
    hash_text (text, size, hash);
    for (size_t i = 0; i < self->count; i++) {
        const token_t *token = &self->list[i];
        if (sodium_memcmp (token->hash, hash, sizeof hash) == 0) {
            found = token;
        }
    }
    return found && (found->expires_ms == 0 || now_ms < found->expires_ms) ? found : NULL;
}
