/* Sight: what is at a place of a document at one moment, in the forms that the gateway needs. */

#ifndef TOOLS_GATEWAY_SIGHT_H_INCLUDED
#define TOOLS_GATEWAY_SIGHT_H_INCLUDED

#include "call.h"

#include <jansson.h>

typedef struct sight_t {
    uint8_t state[SAKER_STATE_BYTES]; /* zeros: nothing is there */
    json_t *plain;                    /* as a reader sees it; NULL: nothing */
    json_t *marked;                   /* the same, with sets and counters marked (marks.h) */
    json_t *rivals;                   /* leaves that lost, as say_leaf tells them */
    uint64_t time_ms;                 /* of the latest write that is still seen */
} sight_t;

/* SAKER_OK also when nothing is there. To be freed in any case. */
saker_err_t sight_read (call_t *call, const char *collection, const char *document,
                        const char *pointer, sight_t *sight);
void sight_free (sight_t *self);
bool sight_exists (const sight_t *self);

#endif
