#include "tests/fuzz/fuzz.h"

#include <sodium.h>

static stage_t stage;

static uint64_t stage_ms (void *context)
{
    (void) context;
    return stage.now_ms;
}

static void stage_log (void *context, skr_level_t level, const char *message)
{
    (void) context, (void) level, (void) message;
}

static void stage_close (void)
{
    pair_close (&stage.pair);
}

/* Randomness that is the same in every process: a crash is found again. */
static uint64_t chance = 1;

static uint32_t random_u32 (void)
{
    chance = chance * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t) (chance >> 33);
}

static void random_bytes (void *const bytes, const size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *) bytes)[i] = (uint8_t) random_u32 ();
    }
}

static const char *random_name (void)
{
    return "fuzz";
}

static randombytes_implementation fixed = {
    .implementation_name = random_name, .random = random_u32, .buf = random_bytes};

static void fill (void)
{
    for (int i = 0; i < 8; i++) {
        char document[8];
        snprintf (document, sizeof document, "d%d", i % 4);
        FUZZ_CHECK (pair_set (stage.pair.a, "stage", document, i) == SAKER_OK);
        FUZZ_CHECK (pair_set (stage.pair.b, "stage", document, -i) == SAKER_OK);
    }
    skr_replica_collection_id (stage.pair.a, "stage", &stage.collection);
    FUZZ_CHECK (pair_sync (stage.pair.b, stage.pair.a, &stage.collection) == SAKER_OK);
}

stage_t *stage_get (void)
{
    if (!stage.now_ms) {
        randombytes_set_implementation (&fixed);
        FUZZ_CHECK (sodium_init () >= 0);
        stage.now_ms = 1700000000000ull;
        stage.world = (skr_world_t){NULL, stage_ms, stage_ms, stage_log, NULL, NULL};
        FUZZ_CHECK (pair_open (&stage.pair));
        atexit (stage_close);
        fill ();
    }
    chance = 1;
    return &stage;
}

uint8_t input_byte (input_t *self)
{
    if (!self->left) {
        return 0;
    }
    self->left--;
    return *self->at++;
}

skr_span_t input_span (input_t *self, size_t most)
{
    size_t size = (size_t) input_byte (self) << 4 | (input_byte (self) & 15);
    size = size < most ? size : most;
    size = size < self->left ? size : self->left;
    skr_span_t span = skr_span (self->at, size);
    self->at += size;
    self->left -= size;
    return span;
}

skr_span_t input_rest (input_t *self)
{
    skr_span_t span = skr_span (self->at, self->left);
    self->left = 0;
    return span;
}
