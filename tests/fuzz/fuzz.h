/* What fuzz targets share: a check that ends the process, and a stage: two replicas of one mesh in
   a folder that lives as long as the process. A target leaves the stage as it found it (groups are
   aborted), so that each input stands alone.

   A target is LLVMFuzzerTestOneInput of one file: with clang and --enable-fuzz it is run by
   libFuzzer (make fuzz FUZZ=name), and with any compiler tests/fuzz/replay.c feeds it the corpus.
 */

#ifndef TESTS_FUZZ_FUZZ_H_INCLUDED
#define TESTS_FUZZ_FUZZ_H_INCLUDED

#include "tests/lib/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf (stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);             \
            abort ();                                                                              \
        }                                                                                          \
    } while (0)

typedef struct stage_t {
    pair_t pair;         /* A writes, B has read the roster of A */
    skr_world_t world;   /* with a clock of its own */
    uint64_t now_ms;     /* mono and wall */
    skr_id_t collection; /* "stage", which both hold */
} stage_t;

/* The same at each call. */
stage_t *stage_get (void);

/* The bytes of an input, taken one after the other; zeros when they are used up. */
typedef struct input_t {
    const uint8_t *at;
    size_t left;
} input_t;

uint8_t input_byte (input_t *self);
/* Up to `most` bytes, their number told by the input. */
skr_span_t input_span (input_t *self, size_t most);
skr_span_t input_rest (input_t *self);

#endif
