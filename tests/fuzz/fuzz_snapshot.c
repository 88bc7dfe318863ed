/* A snapshot's file, whose hash was checked against what a member offered: any bytes are taken
   whole or not at all. The first byte tells whether to start from a real one and overwrite parts of
   it. */

#include "tests/fuzz/fuzz.h"

#include "mesh/wire.h"
#include "peer/snapshot.h"

#include <unistd.h>

static skr_buf_t real;
static char file[160];

static void make_real (stage_t *stage)
{
    uint64_t size;
    uint8_t hash[32];
    snprintf (file, sizeof file, "%s/snapshot", stage->pair.folder);
    FUZZ_CHECK (skr_snapshot_make (stage->pair.a, &stage->collection, &(skr_extract_t){0}, file,
                                   &size, hash)
                == SAKER_OK);
    FILE *in = fopen (file, "re");
    FUZZ_CHECK (in && skr_buf_reserve (&real, size));
    real.size = fread (real.data, 1, size, in);
    fclose (in);
    FUZZ_CHECK (real.size == size);
}

static void write_file (skr_span_t bytes)
{
    FILE *out = fopen (file, "we");
    FUZZ_CHECK (out && (!bytes.size || fwrite (bytes.data, 1, bytes.size, out) == bytes.size));
    fclose (out);
}

static void overwrite (input_t *input, skr_buf_t *bytes)
{
    skr_buf_append_span (bytes, skr_span_of (&real));
    while (input->left) {
        size_t at = ((size_t) input_byte (input) << 8 | input_byte (input)) % bytes->size;
        skr_span_t part = input_span (input, bytes->size - at);
        memcpy (bytes->data + at, part.data, part.size);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stage_t *stage = stage_get ();
    input_t input = {data, size};
    skr_buf_t bytes = {0};
    if (!real.size) {
        make_real (stage);
    }
    if (input_byte (&input) & 1) {
        overwrite (&input, &bytes);
    } else {
        skr_buf_append_span (&bytes, input_rest (&input));
    }
    write_file (skr_span_of (&bytes));
    /* B has its own part of this collection: what it takes covers that or is refused */
    uint64_t before = skr_wire_state (stage->pair.b);
    saker_err_t error = skr_snapshot_take (stage->pair.b, &stage->collection, file);
    FUZZ_CHECK (!skr_replica_in_group (stage->pair.b));
    FUZZ_CHECK (error == SAKER_OK || skr_wire_state (stage->pair.b) == before);
    skr_buf_free (&bytes);
    return 0;
}
