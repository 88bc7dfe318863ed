/* Inbox: an incoming webhook becomes a document. It is a document of the mesh itself, inbox/NAME in
   the collection of the hooks, so that any peer can take the delivery. The id of the document that
   it makes is derived from that of the delivery: the same delivery makes the same document, at
   whichever peer and however often it comes. */

#ifndef TOOLS_GATEWAY_INBOX_H_INCLUDED
#define TOOLS_GATEWAY_INBOX_H_INCLUDED

#include "gateway/hook.h"

#define INBOX_SECRET_MAX 256
#define INBOX_HEADER_MAX 64
#define INBOX_PREFIX_MAX 128
#define INBOX_TEMPLATE_BYTES_MAX 32768
#define INBOX_ID_MAX 256 /* of a delivery */
#define INBOX_HEADER_DEFAULT "X-Hub-Signature-256"
#define INBOX_ID_HEADER_DEFAULT "X-GitHub-Delivery"

typedef enum inbox_scheme_t {
    INBOX_STANDARD, /* Standard Webhooks */
    INBOX_HMAC,     /* HMAC-SHA-256 of the body in hexadecimal digits, as git forges send it */
} inbox_scheme_t;

typedef struct inbox_t {
    char name[HOOK_NAME_MAX + 1];
    inbox_scheme_t scheme;
    char secret[INBOX_SECRET_MAX + 1];
    char header[INBOX_HEADER_MAX + 1];    /* INBOX_HMAC: where the signature is */
    char id_header[INBOX_HEADER_MAX + 1]; /* and the id of the delivery */
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    char prefix[INBOX_PREFIX_MAX + 1]; /* of the documents' ids */
    json_t *template;                  /* owned */
    int64_t made_ms;
} inbox_t;

/* Is all of it right? Otherwise a sentence that says what to do. */
saker_err_t inbox_check (call_t *call, const inbox_t *self);
/* Gives it a fresh secret. */
void inbox_make_secret (inbox_t *self);
/* SAKER_EDAMAGED: the document is none. */
saker_err_t inbox_take (inbox_t *self, const char *name, const json_t *json);
void inbox_free (inbox_t *self);
/* Without the secret, for people. NULL: out of memory. */
json_t *inbox_show (const inbox_t *self);

/* SAKER_EEXIST; SAKER_ENOTFOUND with a sentence. */
saker_err_t inbox_add (call_t *call, const char *hooks, const inbox_t *self);
saker_err_t inbox_read (call_t *call, const char *hooks, const char *name, inbox_t *self);
saker_err_t inbox_remove (call_t *call, const char *hooks, const char *name);

/* A delivery. */
typedef struct inbox_delivery_t {
    const char *id, *time, *signature; /* of its headers; time: of INBOX_STANDARD */
    const void *body;
    size_t size;
} inbox_delivery_t;

/* Is it of who knows the secret, and of about now? SAKER_EFORGED. */
saker_err_t inbox_verify (call_t *call, const inbox_t *self, const inbox_delivery_t *delivery,
                          int64_t now_s);
/* The id of its document. */
void inbox_document (const inbox_t *self, const char *delivery, char document[HOOK_DOCUMENT_SIZE]);
/* Makes the document of the body, unless it is there. */
saker_err_t inbox_put (call_t *call, const inbox_t *self, const char *delivery, const json_t *body,
                       bool *repeated);

#endif
