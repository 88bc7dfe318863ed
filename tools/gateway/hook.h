/* Hook: a subscription: which changes go to which URL. It is a document of the mesh, hook/NAME in
   the collection of the hooks, and so are the lease, the progress and what waits for it. */

#ifndef TOOLS_GATEWAY_HOOK_H_INCLUDED
#define TOOLS_GATEWAY_HOOK_H_INCLUDED

#include "call.h"
#include "gateway/sign.h"

#include <jansson.h>

#define HOOK_COLLECTION "hooks" /* unless another is set */
#define HOOK_NAME_MAX 64
#define HOOK_URL_MAX 2000
#define HOOK_SECRETS_MAX 4
#define HOOK_KEY_ID_SIZE 9
#define HOOK_REASON_MAX 160
#define HOOK_OVERLAP_DEFAULT_MS                                                                    \
    (INT64_C (24) * 3600 * 1000) /* an old secret goes on for so long                              \
                                  */
#define HOOK_DOCUMENT_SIZE (SAKER_DOCUMENT_BYTES_MAX + 1)

typedef enum hook_state_t { HOOK_ACTIVE, HOOK_PAUSED, HOOK_GONE } hook_state_t;

typedef struct hook_secret_t {
    char id[HOOK_KEY_ID_SIZE]; /* a name for it that tells nothing */
    char text[SIGN_SECRET_SIZE];
    int64_t made_ms, ends_ms; /* since 1970; ends 0: it holds */
} hook_secret_t;

typedef struct hook_t {
    char name[HOOK_NAME_MAX + 1];
    char url[HOOK_URL_MAX + 1];
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    char documents[HOOK_DOCUMENT_SIZE];  /* what their ids begin with; "": all */
    char path[SAKER_PATH_BYTES_MAX + 1]; /* changes at, below or above this place; "": all */
    bool ordered;                        /* a document's events one after the other */
    bool value;                          /* the event holds the document as it is when it is sent */
    unsigned attempts;
    int64_t backoff_ms;
    hook_state_t state;
    char reason[HOOK_REASON_MAX + 1]; /* of the state */
    int64_t made_ms;
    hook_secret_t secrets[HOOK_SECRETS_MAX];
    size_t secrets_count;
} hook_t;

/* Ids of documents: "hook/NAME" and so on. */
void hook_document (const char *kind, const char *name, char document[HOOK_DOCUMENT_SIZE]);
void hook_below (const char *kind, const char *name, const char *id,
                 char document[HOOK_DOCUMENT_SIZE]);

/* Is all of it right? Otherwise a sentence that says what to do. */
saker_err_t hook_check (call_t *call, const hook_t *self);
saker_err_t hook_check_name (call_t *call, const char *what, const char *name);
/* Is a change at a place one at, below or above the path of the subscription? */
bool hook_wants (const hook_t *self, const char *pointer);
/* Between a subscription and its document. SAKER_EDAMAGED: it is none. NULL: out of memory. */
saker_err_t hook_take (hook_t *self, const char *name, const json_t *json);
json_t *hook_json (const hook_t *self);
/* The same without secrets, for people. */
json_t *hook_show (const hook_t *self);
/* "active", "paused", "gone". Static. */
const char *hook_state_text (hook_state_t state);

/* Gives it a secret (NULL: a fresh one) and lets the others end at `ends_ms`. SAKER_EINPUT when it
   is none. Those that have ended are dropped. */
saker_err_t hook_rotate (call_t *call, hook_t *self, const char *secret, int64_t now_ms,
                         int64_t ends_ms);

#endif
