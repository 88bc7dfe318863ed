/* Difference: from what is there to what shall be there, by as few operations as that takes, so
   that what others write at the same time elsewhere in the document stays untouched, a set loses
   and gets single members and a counter is incremented. */

#ifndef TOOLS_GATEWAY_DIFFERENCE_H_INCLUDED
#define TOOLS_GATEWAY_DIFFERENCE_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* Marks (marks.h) in a plain value what is a set or a counter in `marked`: an array where a set is,
   and an integer where a counter is. `marked` may be NULL. Owned by the caller; NULL: out of
   memory. */
json_t *difference_mark (const json_t *marked, const json_t *plain);
/* Is there a set or a counter in a marked value? */
bool difference_is_marked (const json_t *marked);
/* Fills the batch; both are marked, and NULL is nothing. */
saker_err_t difference_fill (call_t *call, saker_batch_t *batch, const char *document,
                             const char *pointer, const json_t *before, const json_t *after);

#endif
