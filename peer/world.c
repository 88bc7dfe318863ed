#include "peer/world.h"

#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

static uint64_t real_mono_us (void *context)
{
    struct timespec now;
    (void) context;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t skr_world_mono_us (const skr_world_t *world)
{
    return world->mono_us ? world->mono_us (world->context)
                          : world->mono_ms (world->context) * 1000;
}

static void drop_message (void *context, skr_level_t level, const char *message)
{
    (void) context;
    (void) level;
    (void) message;
}

/* machine-id(5): never shown as it is, and absent or empty in many containers. */
static void digest_machine (uint8_t digest[16])
{
    static const char words[] = "saker: machine id";
    char text[128];
    int file = open ("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read (file, text, sizeof text);
    if (file >= 0) {
        (void) close (file);
    }
    if (size >= 32) {
        (void) crypto_generichash (digest, 16, (const uint8_t *) text, (size_t) size,
                                   (const uint8_t *) words, sizeof words - 1);
    }
}

static bool real_home (void *context, const char *folder, skr_home_t *home)
{
    char path[PATH_MAX];
    struct statx status;
    (void) context;
    memset (home, 0, sizeof *home);
    int size = snprintf (path, sizeof path, "%s/data.mdb", folder);
    if (size < 0 || (size_t) size >= sizeof path
        || statx (AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &status) != 0) {
        return false;
    }
    home->file = status.stx_ino;
    if (status.stx_mask & STATX_BTIME) {
        home->born_ns = (uint64_t) status.stx_btime.tv_sec * 1000000000u + status.stx_btime.tv_nsec;
    }
    digest_machine (home->machine);
    return true;
}

const skr_world_t *skr_world_real (void)
{
    static const skr_world_t real = {
        .context = NULL,
        .wall_ms = real_wall_ms,
        .mono_ms = real_mono_ms,
        .log = drop_message,
        .home = real_home,
        .mono_us = real_mono_us,
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
