/* token: who may come in through the gateway. Works on the file of the store by itself: a running
   daemon sees it at once. */

#include "commands.h"
#include "gateway/instant.h"
#include "gateway/token.h"
#include "paint.h"
#include "say.h"
#include "strbuf.h"

#include <sodium.h>
#include <string.h>

static json_t *token_json (const token_t *token)
{
    char made[PAINT_TIME_MAX], expires[PAINT_TIME_MAX] = "";
    json_t *collections = json_array ();
    for (size_t i = 0; i < token->collections_count; i++) {
        json_array_append_new (collections, json_string (token->collections[i]));
    }
    paint_time ((uint64_t) token->made_ms, made);
    if (token->expires_ms) {
        paint_time ((uint64_t) token->expires_ms, expires);
    }
    return json_pack ("{s:s,s:s,s:s,s:o,s:s,s:o}", "id", token->id, "name", token->name, "role",
                      token_role_text (token->role), "collections", collections, "made", made,
                      "expires", token->expires_ms ? json_string (expires) : json_null ());
}

/* ---- add */

/* Text that can be kept and shown: UTF-8 without control characters. */
static bool is_plain (const char *text)
{
    json_t *json = json_string (text);
    bool plain = json;
    for (; *text; text++) {
        plain = plain && (unsigned char) *text >= 0x20 && *text != 0x7f;
    }
    json_decref (json);
    return plain;
}

static saker_err_t take_collections (call_t *call, token_t *token, size_t max)
{
    for (size_t i = 0; i < call->options_count; i++) {
        const char *name = call->options[i].value;
        if (strcmp (call->options[i].option->name, "collection") != 0) {
            continue;
        }
        if (!*name || strlen (name) > SAKER_COLLECTION_BYTES_MAX || !is_plain (name)) {
            return call_fail (call, SAKER_EUSAGE,
                              "token add: --collection has 1 to %d bytes of plain UTF-8",
                              SAKER_COLLECTION_BYTES_MAX);
        }
        if (token->collections_count == max) {
            return call_fail (call, SAKER_EUSAGE, "token add: %zu collections at most", max);
        }
        snprintf (token->collections[token->collections_count++], sizeof *token->collections, "%s",
                  name);
    }
    return SAKER_OK;
}

static saker_err_t take_options (call_t *call, token_t *token)
{
    const char *name = call_word (call, 1), *role = call_option (call, "role");
    int64_t expires_ms = 0;
    if (!*name || strlen (name) > TOKEN_NAME_MAX || !is_plain (name)) {
        return call_fail (call, SAKER_EUSAGE,
                          "token add: the name of a token has 1 to %d bytes of plain UTF-8",
                          TOKEN_NAME_MAX);
    }
    snprintf (token->name, sizeof token->name, "%s", name);
    token->role = TOKEN_READ;
    if (role && !token_role_parse (role, &token->role)) {
        return call_fail (call, SAKER_EUSAGE, "token add: the role is read, write or admin, not %s",
                          role);
    }
    saker_err_t error = call_duration (call, "expires", 0, &expires_ms);
    token->expires_ms = expires_ms ? instant_wall_ms () + expires_ms : 0;
    return error;
}

static saker_err_t run_add (call_t *call)
{
    char names[CALL_OPTIONS_MAX][SAKER_COLLECTION_BYTES_MAX + 1], text[TOKEN_TEXT_SIZE];
    token_t token = {.collections = names};
    saker_err_t error = take_options (call, &token);
    if (error == SAKER_OK) {
        error = take_collections (call, &token, CALL_OPTIONS_MAX);
    }
    if (error == SAKER_OK) {
        error = tokens_add (call, call->store, &token, text);
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (call->json) {
        json_t *json = token_json (&token);
        json_object_set_new (json, "token", json_string (text));
        error = say_json (call, json);
    } else {
        printf ("%s\n", text);
    }
    sodium_memzero (text, sizeof text);
    return error;
}

/* ---- list */

static void add_row (paint_table_t *table, const token_t *token, bool expired)
{
    char made[PAINT_TIME_MAX], expires[PAINT_TIME_MAX];
    strbuf_t names = {0};
    for (size_t i = 0; i < token->collections_count; i++) {
        strbuf_format (&names, "%s%s", i ? " " : "", token->collections[i]);
    }
    paint_time ((uint64_t) token->made_ms, made);
    paint_time ((uint64_t) token->expires_ms, expires);
    const char *const cells[] = {token->name,
                                 token->id,
                                 token_role_text (token->role),
                                 names.data ? names.data : "(all)",
                                 made,
                                 token->expires_ms ? expires : "never"};
    paint_table_add (table, expired ? PAINT_YELLOW : PAINT_NONE, 6, cells);
    table->failed = table->failed || names.failed;
    strbuf_free (&names);
}

static saker_err_t print_table (call_t *call, const tokens_t *tokens)
{
    static const char *const heading[] = {"NAME", "ID", "ROLE", "COLLECTIONS", "MADE", "EXPIRES"};
    paint_table_t table = {0};
    paint_table_add (&table, PAINT_NONE, 6, heading);
    for (size_t i = 0; i < tokens->count; i++) {
        const token_t *token = &tokens->list[i];
        add_row (&table, token, token->expires_ms && token->expires_ms <= instant_wall_ms ());
    }
    if (tokens->count > 0) {
        paint_table_print (&table, stdout);
    }
    bool failed = table.failed;
    paint_table_free (&table);
    return failed ? call_memory (call) : SAKER_OK;
}

static saker_err_t run_list (call_t *call)
{
    tokens_t tokens;
    saker_err_t error = tokens_read (call, call->store, &tokens);
    if (error == SAKER_OK && !call->json) {
        error = print_table (call, &tokens);
    }
    for (size_t i = 0; error == SAKER_OK && call->json && i < tokens.count; i++) {
        error = say_json (call, token_json (&tokens.list[i]));
    }
    tokens_free (&tokens);
    return error;
}

static saker_err_t run_revoke (call_t *call)
{
    return tokens_revoke (call, call->store, call_word (call, 1));
}

static saker_err_t run_token (call_t *call)
{
    static const struct {
        const char *name;
        size_t words;
        saker_err_t (*run) (call_t *call);
    } parts[] = {{"add", 2, run_add}, {"list", 1, run_list}, {"revoke", 2, run_revoke}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp (call_word (call, 0), parts[i].name) == 0
            && call->words_count == parts[i].words) {
            return parts[i].run (call);
        }
    }
    return call_fail (call, SAKER_EUSAGE, "token: usage: saker token %s", call->command->usage);
}

static const option_t token_options[] = {
    {"role", "ROLE", "what it may: read (the default), write or admin"},
    {"collection", "COLL", "in this collection only; may be given several times"},
    {"expires", "TIME", "how long it holds (default: until it is revoked)"},
    {NULL, NULL, NULL},
};

const command_t cmd_token = {
    .name = "token",
    .run = run_token,
    .usage = "add NAME [OPTION]... | list | revoke NAME",
    .summary = "Make, list and revoke tokens, with which programs ask the HTTP gateway.",
    .details = "add prints the new token on a line of its own, now and never again: the "
               "store keeps a hash of it only. revoke takes a name or an id. A running "
               "daemon sees each change at once, and ends the event streams of a token "
               "that was revoked. A program sends its token as Authorization: Bearer "
               "TOKEN. How the gateway is switched on is in saker.conf(5). Exit status 3 "
               "when there is no such token, 4 when the name is taken.",
    .options = token_options,
    .example = "saker token add render --role write --collection shots --expires 30d\n"
               "saker token list\n"
               "saker token revoke render",
    .words_min = 1,
    .words_max = 2,
};
