/* Memory: the allocations of the peers' code go through here (the linker's --wrap), so that one of
   them can be made to fail, and so that it is known what each peer holds: within bounds while it
   runs, and nothing once it has ended. Those of the libraries do not. */

#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *memory, size_t size);
char *__wrap_strdup (const char *text);
void __wrap_free (void *memory);
void __real_free (void *memory);

static uint64_t until_failure, failures;

/* ---- who holds what: a table by address, so that the blocks themselves stay as they are */

typedef struct block_t {
    void *memory; /* NULL: free */
    uint32_t size;
    int32_t owner;
} block_t;

static block_t *blocks;
static size_t blocks_count, blocks_capacity; /* a power of two */
static uint64_t held[SIM_PEERS_MAX + 2];     /* 0: the simulator itself */

static size_t home_of (const void *memory)
{
    uint64_t hash = (uint64_t) (uintptr_t) memory * 0x9e3779b97f4a7c15ull;
    return (size_t) (hash >> 20) & (blocks_capacity - 1);
}

static void put (block_t block)
{
    size_t at = home_of (block.memory);
    while (blocks[at].memory) {
        at = (at + 1) & (blocks_capacity - 1);
    }
    blocks[at] = block;
    blocks_count++;
}

static void grow (void)
{
    block_t *old = blocks;
    size_t capacity = blocks_capacity;
    blocks_capacity = capacity ? 2 * capacity : 1 << 16;
    blocks_count = 0;
    blocks = __real_calloc (blocks_capacity, sizeof *blocks);
    if (!blocks) {
        abort ();
    }
    for (size_t i = 0; i < capacity; i++) {
        if (old[i].memory) {
            put (old[i]);
        }
    }
    __real_free (old);
}

static void *note (void *memory, size_t size)
{
    int32_t owner = sim.current + 1;
    if (!memory) {
        return NULL;
    }
    if (2 * blocks_count >= blocks_capacity) {
        grow ();
    }
    put ((block_t){memory, (uint32_t) size, owner});
    held[owner] += size;
    return memory;
}

/* Takes a block out of the table, and moves up what was put further on because of it. */
static void forget (const void *memory)
{
    if (!memory || !blocks_count) {
        return;
    }
    size_t hole = home_of (memory), mask = blocks_capacity - 1;
    while (blocks[hole].memory != memory) {
        if (!blocks[hole].memory) {
            return; /* of a library, or of the simulator */
        }
        hole = (hole + 1) & mask;
    }
    held[blocks[hole].owner] -= blocks[hole].size;
    blocks_count--;
    for (size_t at = (hole + 1) & mask; blocks[at].memory; at = (at + 1) & mask) {
        if (((at - home_of (blocks[at].memory)) & mask) >= ((at - hole) & mask)) {
            blocks[hole] = blocks[at];
            hole = at;
        }
    }
    blocks[hole].memory = NULL;
}

uint64_t sim_memory_held (int peer)
{
    return held[peer + 1];
}

/* ---- failing */

void sim_memory_fail (uint64_t nth, uint64_t count)
{
    until_failure = nth;
    failures = count;
}

static bool fails (void)
{
    if (!failures || sim.current < 0) {
        return false;
    }
    if (until_failure > 1) {
        until_failure--;
        return false;
    }
    failures--;
    sim_count (SIM_NO_MEMORY, "peer %d: an allocation fails", sim.current);
    return true;
}

void *__wrap_malloc (size_t size)
{
    return fails () ? NULL : note (__real_malloc (size), size);
}

void *__wrap_calloc (size_t count, size_t size)
{
    return fails () ? NULL : note (__real_calloc (count, size), count * size);
}

void *__wrap_realloc (void *memory, size_t size)
{
    if (fails ()) {
        return NULL;
    }
    forget (memory); /* the old one is as good as gone: the new one is noted whatever comes */
    void *grown = __real_realloc (memory, size);
    if (!grown) {
        abort (); /* the machine itself is out of memory */
    }
    return note (grown, size);
}

char *__wrap_strdup (const char *text)
{
    return fails () ? NULL : note (__real_strdup (text), strlen (text) + 1);
}

void __wrap_free (void *memory)
{
    forget (memory);
    __real_free (memory);
}
