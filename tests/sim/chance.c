/* Randomness: one generator a stream (splitmix64), and libsodium's replaced by one of them. */

#include "tests/sim/sim.h"

#include <sodium.h>
#include <string.h>

static uint64_t states[SIM_STREAMS];

static uint64_t next (uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

uint64_t sim_random (sim_stream_t stream)
{
    return next (&states[stream]);
}

uint64_t sim_below (sim_stream_t stream, uint64_t bound)
{
    return bound ? next (&states[stream]) % bound : 0;
}

bool sim_one_in (sim_stream_t stream, uint64_t number)
{
    return number && next (&states[stream]) % number == 0;
}

static const char *name (void)
{
    return "saker simulator";
}

static uint32_t random_u32 (void)
{
    return (uint32_t) sim_random (SIM_SODIUM);
}

static void random_bytes (void *const bytes, const size_t size)
{
    uint8_t *at = bytes;
    for (size_t left = size; left;) {
        uint64_t word = sim_random (SIM_SODIUM);
        size_t part = left < sizeof word ? left : sizeof word;
        memcpy (at, &word, part);
        at += part;
        left -= part;
    }
}

static randombytes_implementation implementation = {
    .implementation_name = name, .random = random_u32, .buf = random_bytes};

void sim_chance_seed (uint64_t seed)
{
    randombytes_set_implementation (&implementation);
    for (int i = 0; i < SIM_STREAMS; i++) {
        states[i] = seed * 0x2545f4914f6cdd1dull + (uint64_t) i;
        next (&states[i]);
    }
}
