#include "child.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAP_MS 5
#define POLL_MS 100
#define STOP_MS 5000

char *child_program (const char *name)
{
    char self[PATH_MAX];
    ssize_t size = readlink ("/proc/self/exe", self, sizeof self - 1);
    char *program = NULL;
    if (size > 0) {
        self[size] = 0;
        char *end = strrchr (self, '/');
        *(end ? end : self) = 0;
        /* libtool keeps the real programs in .libs, and beside it scripts that start them. */
        end = strrchr (self, '/');
        if (end && strcmp (end, "/.libs") == 0) {
            *end = 0;
        }
        if (asprintf (&program, "%s/%s", self, name) < 0) {
            return NULL;
        }
        if (access (program, X_OK) == 0) {
            return program;
        }
        free (program);
    }
    return strdup (name);
}

static void become (const char *const argv[], pid_t parent, int out, int err)
{
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    if (getppid () != parent) {
        _exit (127); /* it died before the line above */
    }
    unsetenv ("NOTIFY_SOCKET");
    if (dup2 (out, STDOUT_FILENO) < 0 || dup2 (err, STDERR_FILENO) < 0) {
        _exit (127);
    }
    execvp (argv[0], (char *const *) argv);
    dprintf (STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror (errno));
    _exit (127);
}

bool child_start (child_t *self, const char *const argv[], bool piped, int out, int err)
{
    int ends[2] = {-1, -1};
    *self = (child_t){.output = -1};
    if (piped && pipe2 (ends, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t parent = getpid ();
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        become (argv, parent, piped ? ends[1] : out, err);
    }
    if (piped) {
        close (ends[1]);
    }
    if (pid < 0) {
        if (piped) {
            close (ends[0]);
        }
        return false;
    }
    self->pid = pid;
    self->output = ends[0];
    return true;
}

/* One read of what is there, at most `size` bytes: how many, 0 at the end, -1 for nothing yet. */
static ssize_t read_some (child_t *self, char *data, size_t size)
{
    struct pollfd item = {.fd = self->output, .events = POLLIN};
    if (poll (&item, 1, POLL_MS) <= 0) {
        return -1;
    }
    ssize_t got = read (self->output, data, size);
    return got < 0 && errno != EINTR ? 0 : got;
}

bool child_line (child_t *self, strbuf_t *line, int timeout_ms, const volatile bool *stop)
{
    uint64_t deadline_ms = progress_now_ms () + (uint64_t) timeout_ms;
    while (!*stop && progress_now_ms () < deadline_ms) {
        char letter;
        ssize_t got = read_some (self, &letter, 1);
        if (got == 0) {
            return false;
        }
        if (got == 1 && letter == '\n') {
            return true;
        }
        if (got == 1) {
            strbuf_add (line, &letter, 1);
        }
    }
    return false;
}

static void nap (void)
{
    struct timespec time = {.tv_nsec = NAP_MS * 1000000};
    nanosleep (&time, NULL);
}

/* Waits for the end; false when it does not come in time. */
static bool reap (child_t *self, int *status, uint64_t deadline_ms, const volatile bool *stop)
{
    for (;;) {
        pid_t pid = waitpid (self->pid, status, WNOHANG);
        if (pid == self->pid || (pid < 0 && errno != EINTR)) {
            *status = pid < 0 ? -1 : WIFEXITED (*status) ? WEXITSTATUS (*status) : -1;
            self->pid = 0;
            return true;
        }
        if (progress_now_ms () >= deadline_ms || (stop && *stop)) {
            return false;
        }
        nap ();
    }
}

static void close_output (child_t *self)
{
    if (self->output >= 0) {
        close (self->output);
        self->output = -1;
    }
}

int child_finish (child_t *self, strbuf_t *output, const volatile bool *stop)
{
    char data[4096];
    int status = -1;
    while (self->output >= 0 && !*stop) {
        ssize_t got = read_some (self, data, sizeof data);
        if (got > 0) {
            strbuf_add (output, data, (size_t) got);
        } else if (got == 0) {
            break;
        }
    }
    if (!reap (self, &status, UINT64_MAX, stop)) {
        child_stop (self, STOP_MS);
        return -1;
    }
    close_output (self);
    return status;
}

bool child_stop (child_t *self, int timeout_ms)
{
    int status = 0;
    if (self->pid == 0) {
        return true;
    }
    kill (self->pid, SIGTERM);
    if (!reap (self, &status, progress_now_ms () + (uint64_t) timeout_ms, NULL)) {
        kill (self->pid, SIGKILL);
        reap (self, &status, UINT64_MAX, NULL);
        status = -1;
    }
    close_output (self);
    return status == 0;
}
