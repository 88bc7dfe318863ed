/* Memory: the allocations of the peers' code go through here (the linker's --wrap), so that one of
   them can be made to fail. Those of the libraries do not. */

#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *memory, size_t size);
char *__wrap_strdup (const char *text);

static uint64_t until_failure, failures;

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
    return fails () ? NULL : __real_malloc (size);
}

void *__wrap_calloc (size_t count, size_t size)
{
    return fails () ? NULL : __real_calloc (count, size);
}

void *__wrap_realloc (void *memory, size_t size)
{
    return fails () ? NULL : __real_realloc (memory, size);
}

char *__wrap_strdup (const char *text)
{
    return fails () ? NULL : __real_strdup (text);
}
