#include "crdt/hlc.h"

#define COUNTER_BITS 16

uint64_t skr_hlc_ms (uint64_t hlc)
{
    return hlc >> COUNTER_BITS;
}

uint64_t skr_hlc_next (uint64_t *last, uint64_t wall_ms)
{
    uint64_t wall = wall_ms << COUNTER_BITS;
    *last = wall > *last ? wall : *last + 1;
    return *last;
}

bool skr_hlc_seen (uint64_t *last, uint64_t seen, uint64_t wall_ms)
{
    if (skr_hlc_ms (seen) > wall_ms + SKR_HLC_AHEAD_MS_MAX) {
        return false;
    }
    *last = seen > *last ? seen : *last;
    return true;
}
