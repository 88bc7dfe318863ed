/* Keeper: the tokens as they are now. Looks at the file before each answer and reads it again when
   it is another one, so that what `saker token` does counts at once. A file that cannot be read
   lets nobody in. */

#ifndef TOOLS_GATEWAY_KEEPER_H_INCLUDED
#define TOOLS_GATEWAY_KEEPER_H_INCLUDED

#include "gateway/token.h"

#include <stdatomic.h>

/* The tokens of one moment, shared by those who came in with one of them. */
typedef struct keyring_t {
    atomic_size_t users;
    tokens_t tokens;
} keyring_t;

typedef struct keeper_t keeper_t;

/* Someone who was let in. Keeps the keyring; to be left with keeper_leave. */
typedef struct access_t {
    keyring_t *keyring;
    const token_t *token;
} access_t;

/* NULL: out of memory. `log_fn` is told, once, of a file that cannot be read. */
keeper_t *keeper_new (const char *store, saker_log_fn *log_fn);
void keeper_destroy (keeper_t **self_p);

/* True when the text is a token that holds now. */
bool keeper_let_in (keeper_t *self, const char *text, size_t size, access_t *access);
/* Looks at the file, for keeper_holds. */
void keeper_look (keeper_t *self);
/* Did it still hold at the last look? */
bool keeper_holds (keeper_t *self, const access_t *access);
void keeper_leave (access_t *access);

#endif
