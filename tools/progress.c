#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BAR_COLUMNS 30
#define DRAW_EVERY_MS 50
#define DRAW_FROM_MS 200

uint64_t progress_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

void progress_begin (progress_t *self, const char *what, uint64_t total)
{
    *self = (progress_t){.what = what, .total = total, .shown = isatty (STDERR_FILENO)};
    self->begun_ms = progress_now_ms ();
}

void progress_step (progress_t *self, uint64_t done)
{
    uint64_t now_ms = progress_now_ms ();
    if (!self->shown || now_ms < self->begun_ms + DRAW_FROM_MS
        || now_ms < self->drawn_ms + DRAW_EVERY_MS) {
        return;
    }
    self->drawn_ms = now_ms;
    done = done > self->total ? self->total : done;
    int filled = self->total ? (int) (done * BAR_COLUMNS / self->total) : 0;
    fprintf (stderr, "\r%s [%.*s%*s] %" PRIu64 "/%" PRIu64, self->what, filled,
             "##############################", BAR_COLUMNS - filled, "", done, self->total);
    fflush (stderr);
}

void progress_end (progress_t *self)
{
    if (self->drawn_ms) {
        fputs ("\r\033[K", stderr);
        fflush (stderr);
    }
    self->drawn_ms = 0;
}
