#include "peer/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define MESSAGE_BYTES_MAX 1024

static uint64_t clock_ms (clockid_t clock)
{
    struct timespec now;
    /* Cannot fail: both clocks exist on every Linux. */
    (void) clock_gettime (clock, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static uint64_t real_wall_ms (void *context)
{
    (void) context;
    return clock_ms (CLOCK_REALTIME);
}

static uint64_t real_mono_ms (void *context)
{
    (void) context;
    return clock_ms (CLOCK_MONOTONIC);
}

static void drop_message (void *context, skr_level_t level, const char *message)
{
    (void) context;
    (void) level;
    (void) message;
}

const skr_world_t *skr_world_real (void)
{
    static const skr_world_t real = {
        .context = NULL,
        .wall_ms = real_wall_ms,
        .mono_ms = real_mono_ms,
        .log = drop_message,
    };
    return &real;
}

void skr_log (const skr_world_t *world, skr_level_t level, const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list arguments;
    va_start (arguments, format);
    (void) vsnprintf (message, sizeof message, format, arguments);
    va_end (arguments);
    world->log (world->context, level, message);
}
