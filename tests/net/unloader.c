/* unloader LIBRARY STORE TIMES: opens libsaker with dlopen, embeds a replica, writes, closes, and
   lets go of the library, again and again. Prints "threads N to N, descriptors N to N" of before
   and after; and what the program has left of its own. */

#include "saker.h"

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define SETTLE_MS 10000

typedef struct calls_t {
    saker_err_t (*open_embedded) (saker_t **, const char *, const saker_config_t *, saker_log_fn *,
                                  void *);
    void (*close) (saker_t **);
    const char *(*error_text) (void);
    saker_batch_t *(*batch_new) (const char *);
    void (*batch_destroy) (saker_batch_t **);
    saker_err_t (*batch_incr) (saker_batch_t *, const char *, const char *, int64_t);
    saker_err_t (*write) (saker_t *, const saker_batch_t *, saker_receipt_t *);
} calls_t;

static int entries (const char *folder)
{
    DIR *listing = opendir (folder);
    int count = 0;
    for (const struct dirent *entry; listing && (entry = readdir (listing));) {
        count += entry->d_name[0] != '.';
    }
    closedir (listing);
    return count;
}

/* What a library may not change. */
typedef struct host_t {
    int dumpable;
    struct rlimit core, files;
    mode_t mask;
} host_t;

static host_t look (void)
{
    host_t host = {.dumpable = prctl (PR_GET_DUMPABLE)};
    getrlimit (RLIMIT_CORE, &host.core);
    getrlimit (RLIMIT_NOFILE, &host.files);
    host.mask = umask (0);
    umask (host.mask);
    return host;
}

static bool same (const host_t *one, const host_t *other)
{
    return one->dumpable == other->dumpable && one->core.rlim_cur == other->core.rlim_cur
           && one->files.rlim_cur == other->files.rlim_cur && one->mask == other->mask;
}

/* Its functions, found by name; *at receives each. */
static bool find (void *library, const char *name, void *at)
{
    *(void **) at = dlsym (library, name);
    return *(void **) at != NULL;
}

static bool find_all (void *library, calls_t *calls)
{
    return find (library, "saker_open_embedded", &calls->open_embedded)
           && find (library, "saker_close", &calls->close)
           && find (library, "saker_error_text", &calls->error_text)
           && find (library, "saker_batch_new", &calls->batch_new)
           && find (library, "saker_batch_destroy", &calls->batch_destroy)
           && find (library, "saker_batch_incr", &calls->batch_incr)
           && find (library, "saker_write", &calls->write);
}

static saker_err_t write_once (const calls_t *calls, const char *store)
{
    saker_t *saker = NULL;
    saker_batch_t *batch = calls->batch_new ("things");
    saker_err_t error = calls->batch_incr (batch, "times", "/loaded", 1);
    error = error == SAKER_OK ? calls->open_embedded (&saker, store, NULL, NULL, NULL) : error;
    error = error == SAKER_OK ? calls->write (saker, batch, NULL) : error;
    if (error != SAKER_OK) {
        fprintf (stderr, "unloader: %s\n", calls->error_text ());
    }
    calls->close (&saker);
    calls->batch_destroy (&batch);
    return error;
}

static int load_once (const char *file, const char *store)
{
    calls_t calls;
    void *library = dlopen (file, RTLD_NOW | RTLD_LOCAL);
    if (!library || !find_all (library, &calls)) {
        fprintf (stderr, "unloader: %s\n", dlerror ());
        return 1;
    }
    host_t before = look ();
    saker_err_t error = write_once (&calls, store);
    host_t after = look ();
    if (!same (&before, &after)) {
        fprintf (stderr, "unloader: the library changed its host\n");
        return 1;
    }
    return dlclose (library) == 0 ? (int) error : 1;
}

/* A thread that has ended may be listed a moment longer. */
static int settled_threads (int wanted)
{
    const struct timespec gap = {0, 10000000};
    for (int left = SETTLE_MS / 10; left > 0 && entries ("/proc/self/task") != wanted; left--) {
        nanosleep (&gap, NULL);
    }
    return entries ("/proc/self/task");
}

int main (int argc, char **argv)
{
    if (argc != 4) {
        fprintf (stderr, "usage: unloader LIBRARY STORE TIMES\n");
        return 2;
    }
    int threads = entries ("/proc/self/task"), descriptors = entries ("/proc/self/fd");
    for (int left = atoi (argv[3]); left > 0; left--) {
        int status = load_once (argv[1], argv[2]);
        if (status != 0) {
            return status;
        }
    }
    printf ("threads %d to %d, descriptors %d to %d\n", threads, settled_threads (threads),
            descriptors, entries ("/proc/self/fd"));
    return 0;
}
