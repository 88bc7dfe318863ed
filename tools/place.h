/* Place: the COLL/DOC and PATH of a command line. */

#ifndef TOOLS_PLACE_H_INCLUDED
#define TOOLS_PLACE_H_INCLUDED

#include "call.h"

typedef struct place_t {
    char collection[SAKER_COLLECTION_BYTES_MAX + 1];
    const char *document; /* borrowed from the command line */
    const char *pointer;
} place_t;

/* `pointer` may be NULL: the whole document. The first '/' of `word` ends the collection; the
   document's id may hold more of them. */
saker_err_t place_parse (call_t *call, const char *word, const char *pointer, place_t *place);

#endif
