/* Source: the documents in the text of a file to import: JSON lines, a JSON array, or an array
   somewhere inside a JSON value. Only where each one is, is kept; the text is read again when a
   document is needed, so that memory is bounded by the size of the file. */

#ifndef TOOLS_SOURCE_H_INCLUDED
#define TOOLS_SOURCE_H_INCLUDED

#include "jsonin.h"

typedef struct source_part_t {
    size_t offset, size; /* of its JSON text */
    char *id;            /* of the document; NULL until it is known */
    bool unchanged;      /* free for the user of the source */
} source_part_t;

typedef struct source_t {
    jsonin_t in;
    char *text;
    size_t parts_count, parts_capacity;
    source_part_t *parts;
} source_t;

/* Called for each thing that is wrong, when reading goes on after it; the call has the sentence. */
typedef void source_skip_fn (call_t *call, void *argument);

/* Loads the file and finds the parts. `pointer` (may be NULL) leads to the array inside. Without
   `skip_fn` the first malformed place ends it with SAKER_EINPUT; with it, malformed parts are told
   and left out. The parts found are well-formed JSON values. */
saker_err_t source_load (call_t *call, source_t *self, const char *file, const char *pointer,
                         source_skip_fn *skip_fn, void *argument);
/* Reads one part again. Owned by the caller (json_decref). */
saker_err_t source_read (call_t *call, const source_t *self, const source_part_t *part,
                         json_t **json);
void source_free (source_t *self);

#endif
