/* Choice: what can be chosen where rivals are. The members of a set are one choice together. */

#ifndef TOOLS_CHOICE_H_INCLUDED
#define TOOLS_CHOICE_H_INCLUDED

#include "saker.h"

#include <jansson.h>

/* Rivals [first, first + count) that are taken together. Borrowed from the conflict. */
typedef struct choice_t {
    const saker_rival_t *first;
    size_t count;
} choice_t;

/* The choice that begins at the rival `at`. */
choice_t choice_at (const saker_conflict_t *conflict, size_t at);
/* Its value as JSON; of a map {}. NULL: out of memory. Owned by the caller. */
json_t *choice_value (const choice_t *self);
/* A conflict with its choices, which are numbered from 1 on, as --json shows it. NULL: out of
   memory. Owned by the caller. */
json_t *choice_list (const saker_conflict_t *conflict);
/* Puts the choice in place of all rivals. */
saker_err_t choice_take (const choice_t *self, saker_batch_t *batch, const char *document,
                         const char *pointer);

#endif
