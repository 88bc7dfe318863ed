/* A shim between a daemon and its disk (LD_PRELOAD). For files below SHIM_FOLDER it

   records, with SHIM_TRACE=file: every write (after it was done) and every sync, with its time on
   CLOCK_MONOTONIC, so that replay.c can build each state that a power cut could have left;

   fails, with SHIM_FAIL=CALL:N:HOW[:COUNT]: the N-th CALL (write, sync) and the COUNT - 1 after it
   with EIO, ENOSPC, or (writes) half done and `short`; KILL ends the process by SIGKILL before that
   call, TEAR in the middle of that write, DONE after it.

   A write to a descriptor that is open with O_DSYNC is recorded as synced. */

#include "tests/crash/trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096

#define EXPORT __attribute__ ((visibility ("default")))

typedef enum call_t { CALL_NONE, CALL_WRITE, CALL_SYNC } call_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *names[DESCRIPTORS_MAX]; /* relative to the folder; NULL: not ours */
static int trace = -1;
static char folder[512];
static call_t failing;
static char how[16];
static unsigned long nth, count, calls[3];
static bool ready;

static void get_ready (void)
{
    const char *where = getenv ("SHIM_FOLDER");
    const char *to = getenv ("SHIM_TRACE");
    const char *fail = getenv ("SHIM_FAIL");
    char call[8] = "";
    if (ready) {
        return;
    }
    ready = true;
    snprintf (folder, sizeof folder, "%s/", where ? where : "/nowhere");
    if (to) {
        trace = (int) syscall (SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                               0600);
    }
    count = 1;
    if (fail && sscanf (fail, "%7[a-z]:%lu:%15[A-Za-z]:%lu", call, &nth, how, &count) >= 3) {
        failing = strcmp (call, "write") == 0 ? CALL_WRITE : CALL_SYNC;
    }
}

static void note (int descriptor, trace_kind_t kind, const void *bytes, size_t size, off_t offset)
{
    trace_head_t head = {.kind = kind, .size = size, .offset = (uint64_t) offset};
    struct timespec now;
    if (trace < 0) {
        return;
    }
    clock_gettime (CLOCK_MONOTONIC, &now);
    head.time_ns = (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
    snprintf (head.name, sizeof head.name, "%s", names[descriptor]);
    struct iovec parts[] = {{&head, sizeof head}, {(void *) (uintptr_t) bytes, size}};
    syscall (SYS_writev, trace, parts, kind == TRACE_SYNC ? 1 : 2);
}

static bool is_ours (int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX && names[descriptor];
}

/* Is this the call that fails? Ends the process when that is how. */
static bool fails (call_t call)
{
    unsigned long at = ++calls[call];
    if (failing != call || at < nth || at >= nth + count) {
        return false;
    }
    if (strcmp (how, "KILL") == 0) {
        kill (getpid (), SIGKILL);
    }
    return true;
}

static ssize_t write_ours (int descriptor, const void *bytes, size_t size, off_t offset)
{
    bool failed = fails (CALL_WRITE);
    bool half = failed && (strcmp (how, "short") == 0 || strcmp (how, "TEAR") == 0);
    bool done = failed && strcmp (how, "DONE") == 0;
    if (failed && !half && !done) {
        errno = strcmp (how, "ENOSPC") == 0 ? ENOSPC : EIO;
        return -1;
    }
    size_t part = half ? size / 2 : size;
    ssize_t written = syscall (SYS_pwrite64, descriptor, bytes, part, offset);
    if (failed && !(half && strcmp (how, "short") == 0)) {
        kill (getpid (), SIGKILL);
    }
    if (written > 0) {
        bool synced = fcntl (descriptor, F_GETFL) & O_DSYNC;
        note (descriptor, synced ? TRACE_SYNCED_WRITE : TRACE_WRITE, bytes, (size_t) written,
              offset);
    }
    return written;
}

static int sync_ours (int descriptor, long number)
{
    if (fails (CALL_SYNC)) {
        if (strcmp (how, "DONE") == 0) {
            syscall (number, descriptor);
            kill (getpid (), SIGKILL);
        }
        errno = EIO;
        return -1;
    }
    int code = (int) syscall (number, descriptor);
    if (code == 0) {
        note (descriptor, TRACE_SYNC, NULL, 0, 0);
    }
    return code;
}

/* ---- what libc would do */

static int open_any (const char *path, int flags, int mode)
{
    int descriptor = (int) syscall (SYS_openat, AT_FDCWD, path, flags, mode);
    pthread_mutex_lock (&lock);
    get_ready ();
    if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        free (names[descriptor]);
        names[descriptor] = NULL;
        const char *name =
            strncmp (path, folder, strlen (folder)) == 0 ? path + strlen (folder) : "";
        bool wanted = strcmp (name, "data.mdb") == 0 || strcmp (name, "journal") == 0;
        if (wanted && (flags & O_ACCMODE) != O_RDONLY) {
            names[descriptor] = strdup (name);
        }
    }
    pthread_mutex_unlock (&lock);
    return descriptor;
}

EXPORT int open (const char *path, int flags, ...)
{
    va_list arguments;
    va_start (arguments, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg (arguments, int) : 0;
    va_end (arguments);
    return open_any (path, flags, mode);
}

EXPORT int close (int descriptor)
{
    if (is_ours (descriptor)) {
        pthread_mutex_lock (&lock);
        free (names[descriptor]);
        names[descriptor] = NULL;
        pthread_mutex_unlock (&lock);
    }
    return (int) syscall (SYS_close, descriptor);
}

EXPORT ssize_t pwrite (int descriptor, const void *bytes, size_t size, off_t offset)
{
    return is_ours (descriptor) ? write_ours (descriptor, bytes, size, offset)
                                : syscall (SYS_pwrite64, descriptor, bytes, size, offset);
}

EXPORT ssize_t write (int descriptor, const void *bytes, size_t size)
{
    if (!is_ours (descriptor)) {
        return syscall (SYS_write, descriptor, bytes, size);
    }
    off_t offset = lseek (descriptor, 0, SEEK_CUR);
    ssize_t written = write_ours (descriptor, bytes, size, offset);
    if (written > 0) {
        lseek (descriptor, offset + written, SEEK_SET);
    }
    return written;
}

EXPORT ssize_t writev (int descriptor, const struct iovec *parts, int parts_count)
{
    if (!is_ours (descriptor)) {
        return syscall (SYS_writev, descriptor, parts, parts_count);
    }
    ssize_t all = 0;
    for (int i = 0; i < parts_count; i++) {
        ssize_t written = write (descriptor, parts[i].iov_base, parts[i].iov_len);
        if (written < 0) {
            return all ? all : -1;
        }
        all += written;
        if ((size_t) written < parts[i].iov_len) {
            break;
        }
    }
    return all;
}

EXPORT int fsync (int descriptor)
{
    return is_ours (descriptor) ? sync_ours (descriptor, SYS_fsync)
                                : (int) syscall (SYS_fsync, descriptor);
}

EXPORT int fdatasync (int descriptor)
{
    return is_ours (descriptor) ? sync_ours (descriptor, SYS_fdatasync)
                                : (int) syscall (SYS_fdatasync, descriptor);
}
