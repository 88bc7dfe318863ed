/* What client.c, batch.c, queue.c, client_read.c, client_history.c and client_mesh.c share of a
   handle: one request, one answer. Nobody else includes this. */

#ifndef SKR_MESH_CLIENT_INTERNAL_H_INCLUDED
#define SKR_MESH_CLIENT_INTERNAL_H_INCLUDED

#include "peer/api.h"
#include "peer/fields.h"
#include "peer/outbox.h"

#include <sys/types.h>

#define SKR_CLIENT_ANSWER_MS 30000 /* for what the daemon answers at once */
#define SKR_CLIENT_CONNECT_MS 3000 /* for a daemon that went away to come back */
#define SKR_CLIENT_GRACE_MS 5000   /* beyond the time-out that the daemon was told */

#define SKR_CLIENT_STORE_MAX 4000 /* bytes of a store's name: PATH_MAX less what is in a store */

typedef struct skr_embedded_t skr_embedded_t;

struct saker_t {
    char *store;
    pid_t process;            /* that opened it */
    skr_embedded_t *embedded; /* the replica in this process that it uses; NULL: a daemon's */
    char *folder;             /* the store's, whatever the host's becomes */
    int file;                 /* the connection; -1: it was lost, and is not there again */
    skr_buf_t in;             /* what came and was not taken yet */
    uint64_t number;          /* of the last request */
    uint8_t writer[16];       /* of the daemon that it was opened to */
};

struct saker_batch_t {
    char *collection;
    skr_buf_t intents; /* encoded */
    size_t intents_count;
    size_t count; /* operations, as saker_batch_count tells */
    bool replacing;
    uint8_t operation_id[64];
    size_t operation_id_size;
    bool noted;
    uint8_t note[SAKER_NOTE_BYTES];
    skr_buf_t path, value; /* kept for their memory */
};

/* One request and its answer. */
typedef struct skr_question_t {
    saker_t *self;
    uint64_t number;
    skr_command_t command;
    skr_buf_t request;
    skr_buf_t answer;
    skr_cbor_t cbor;     /* over the answer */
    skr_fields_t fields; /* of the answer's body */
} skr_question_t;

/* Begins a request with this many arguments, which the caller appends to ->request, each with its
   key. SAKER_EUSAGE in another process than the opener's. Always paired with skr_question_end. */
saker_err_t skr_question_begin (skr_question_t *question, saker_t *self, skr_command_t command,
                                size_t arguments) SKR_MUST_USE;
/* Sends it and waits for the answer; leaves ->fields at the start of the body. An error of the
   daemon is returned with its sentence. */
saker_err_t skr_question_ask (skr_question_t *question, int timeout_ms) SKR_MUST_USE;
/* After the last field that is wanted: was the answer well-formed? */
saker_err_t skr_question_check (skr_question_t *question) SKR_MUST_USE;
void skr_question_end (skr_question_t *question);
/* The answer of a write. */
saker_err_t skr_question_receipt (skr_question_t *question, saker_receipt_t *receipt) SKR_MUST_USE;

/* Was the connection lost since the last question, be it there again or not? Whoever is there now
   may be another daemon than the one that ->writer is of. */
bool skr_client_lost (saker_t *self);
/* A batch as it is sent; borrows from it. */
saker_err_t skr_batch_parcel (const saker_batch_t *self, skr_parcel_t *parcel) SKR_MUST_USE;
/* Writes it. `tried`: the writer that may have written it already (16 bytes), empty when it was
   never sent: then SAKER_ECHANGED when the daemon writes as another one and does not know the
   operation id. */
saker_err_t skr_client_write (saker_t *self, const skr_parcel_t *parcel, skr_span_t tried,
                              int timeout_ms, saker_receipt_t *receipt) SKR_MUST_USE;

/* Arguments. */
void skr_question_text (skr_question_t *question, uint64_t key, const char *text);
void skr_question_span (skr_question_t *question, uint64_t key, skr_span_t text);
void skr_question_bytes (skr_question_t *question, uint64_t key, const void *data, size_t size);
void skr_question_uint (skr_question_t *question, uint64_t key, uint64_t value);

uint64_t skr_client_now_ms (void);
/* So long from now; a time-out below 0 is none. */
uint64_t skr_client_deadline_ms (int timeout_ms);
/* Between two questions. */
void skr_client_pause (unsigned ms);

/* The folder of a store that is named so, or not at all (see saker_open). */
saker_err_t skr_client_folder (const char *store, char *folder, size_t size) SKR_MUST_USE;
/* Connects to the daemon, or the replica of this process, that runs on a folder. */
saker_err_t skr_client_open (saker_t **self_p, const char *folder, int timeout_ms) SKR_MUST_USE;

/* embedded.c: a handle does without the replica that it used. */
void skr_embedded_leave (skr_embedded_t **self_p);

#endif
