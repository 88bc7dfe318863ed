/* Progress: a bar on stderr while something takes long; nothing when stderr is no terminal. */

#ifndef TOOLS_PROGRESS_H_INCLUDED
#define TOOLS_PROGRESS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct progress_t {
    const char *what; /* "importing"; borrowed */
    uint64_t total;
    uint64_t begun_ms;
    uint64_t drawn_ms; /* when the bar was drawn last; 0: not yet */
    bool shown;        /* stderr is a terminal */
} progress_t;

void progress_begin (progress_t *self, const char *what, uint64_t total);
/* Draws at most every 50 ms, and nothing for what is over in a moment. */
void progress_step (progress_t *self, uint64_t done);
/* Clears the line. */
void progress_end (progress_t *self);

/* Milliseconds of a clock that only goes forward: for deadlines. */
uint64_t progress_now_ms (void);

#endif
