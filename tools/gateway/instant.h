/* Instant: what time it is. */

#ifndef TOOLS_GATEWAY_INSTANT_H_INCLUDED
#define TOOLS_GATEWAY_INSTANT_H_INCLUDED

#include <stdint.h>
#include <time.h>

static inline int64_t instant_read_ms (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since 1970. */
static inline int64_t instant_wall_ms (void)
{
    return instant_read_ms (CLOCK_REALTIME);
}

/* Never goes back. */
static inline int64_t instant_mono_ms (void)
{
    return instant_read_ms (CLOCK_MONOTONIC);
}

static inline int64_t instant_mono_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#endif
