/* Token: who may come in. The tokens of a store are in one file of its folder, readable by its
   owner only; of a token itself only a hash is kept there, so that whoever reads the file, or a
   backup of it, cannot come in with it. */

#ifndef TOOLS_GATEWAY_TOKEN_H_INCLUDED
#define TOOLS_GATEWAY_TOKEN_H_INCLUDED

#include "call.h"

#define TOKEN_FILE "gateway.tokens"
#define TOKEN_ID_SIZE 17 /* 16 hexadecimal digits and a zero */
#define TOKEN_HASH_BYTES 32
#define TOKEN_NAME_MAX 64
#define TOKEN_TEXT_SIZE 80 /* saker_ID_SECRET and a zero */
#define TOKEN_COLLECTIONS_MAX 64
#define TOKENS_MAX 1000

/* Each may what the one before may. */
typedef enum token_role_t { TOKEN_NONE = 0, TOKEN_READ = 1, TOKEN_WRITE, TOKEN_ADMIN } token_role_t;

typedef struct token_t {
    char id[TOKEN_ID_SIZE];
    char name[TOKEN_NAME_MAX + 1];
    token_role_t role;
    uint8_t hash[TOKEN_HASH_BYTES];
    int64_t made_ms, expires_ms;                         /* since 1970; expires 0: never */
    size_t collections_count;                            /* 0: all of them */
    char (*collections)[SAKER_COLLECTION_BYTES_MAX + 1]; /* owned */
} token_t;

typedef struct tokens_t {
    token_t *list;
    size_t count;
} tokens_t;

/* Reads the file of a store; a missing one holds none. SAKER_ERIGHT when others can read it. */
saker_err_t tokens_read (call_t *call, const char *store, tokens_t *tokens);
void tokens_free (tokens_t *self);

/* Makes a token and keeps its hash; `fresh` names the rest and gets id and time. `text` is what its
   holder shows; it is known here only, and now only. */
saker_err_t tokens_add (call_t *call, const char *store, token_t *fresh,
                        char text[TOKEN_TEXT_SIZE]);
/* Takes the token with this name or id away. */
saker_err_t tokens_revoke (call_t *call, const char *store, const char *word);

/* The token that a text is of; NULL: none of these, or no longer. Borrowed. */
const token_t *tokens_find (const tokens_t *self, const char *text, size_t size, int64_t now_ms);
bool token_may_see (const token_t *self, const char *collection);

/* "read", "write", "admin". Static. */
const char *token_role_text (token_role_t role);
/* False when there is no such role. */
bool token_role_parse (const char *text, token_role_t *role);

#endif
