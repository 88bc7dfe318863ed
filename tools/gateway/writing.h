/* Writing: a batch into the mesh, once, however often the request comes: an Idempotency-Key becomes
   the operation id, and a hash of the request is kept with it as a note, so that a repeat is told
   from another request under the same key. */

#ifndef TOOLS_GATEWAY_WRITING_H_INCLUDED
#define TOOLS_GATEWAY_WRITING_H_INCLUDED

#include "gateway/request.h"

typedef struct writing_t {
    bool keyed;
    uint8_t id[32];
    uint8_t note[SAKER_NOTE_BYTES];
} writing_t;

/* Looks at the Idempotency-Key. False when there is an answer already: the key is wrong, or the
   request a repeat. */
bool writing_begin (writing_t *self, request_t *request, call_t *call);
/* Writes the batch; `created`: the answer will be 201. SAKER_ECHANGED as of saker_write. When it
   turns out a repeat, that is the answer (request->status is set). */
saker_err_t writing_write (writing_t *self, request_t *request, call_t *call, saker_batch_t *batch,
                           bool created, saker_receipt_t *receipt);
/* A receipt as the answer. */
void writing_reply (request_t *request, unsigned status, const saker_receipt_t *receipt);

#endif
