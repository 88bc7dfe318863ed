/* Child: programs that this one starts, looks after, and stops by their process id. A child dies
   with this process, however that ends. */

#ifndef TOOLS_CHILD_H_INCLUDED
#define TOOLS_CHILD_H_INCLUDED

#include "strbuf.h"

#include <sys/types.h>

typedef struct child_t {
    pid_t pid;  /* 0: not running */
    int output; /* the reading end of its stdout; -1: none */
} child_t;

/* Where a program of saker is: beside this one, also in the build tree, else its plain name, to be
   found in $PATH. Owned by the caller; NULL: out of memory. */
char *child_program (const char *name);

/* Starts argv[0]. Its stdout can be read from `output` with `piped`, else it goes to the descriptor
   `out`; its stderr goes to `err`. */
bool child_start (child_t *self, const char *const argv[], bool piped, int out, int err);
/* Appends one line of its output, without the newline. False when there is none in time, or when
   `*stop` became true. */
bool child_line (child_t *self, strbuf_t *line, int timeout_ms, const volatile bool *stop);
/* Appends all its output and waits for its end; stops it when `*stop` becomes true. The exit
   status, or -1. */
int child_finish (child_t *self, strbuf_t *output, const volatile bool *stop);
/* SIGTERM, and SIGKILL when that takes more than `timeout_ms`. True for exit status 0. */
bool child_stop (child_t *self, int timeout_ms);

#endif
