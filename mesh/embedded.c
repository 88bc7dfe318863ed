/* Embedded: a replica that lives in the application's process: a node, as sakerd runs one, in a
   thread of the library. The handles of this process that name its folder share it; each talks to
   it over the local socket, as any client does, so every call of saker.h works, and so does the
   tool beside it. The last that is closed ends it.

   What belongs to the host stays as it is: signals are blocked in our threads, and in the caller's
   own while a replica is begun or ended; nothing of the process is changed. A child of fork has
   none of our threads: it gets a list of its own, and leaves alone what its parent had. */

#include "mesh/client_internal.h"
#include "mesh/config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_BYTES ((size_t) 8 << 20)

struct skr_embedded_t {
    skr_embedded_t *next;
    dev_t disk; /* the folder, under whatever name */
    ino_t folder;
    size_t uses; /* handles */
    saker_daemon_t *daemon;
    pthread_t thread;
};

/* The replicas of one process. */
typedef struct household_t {
    pid_t process;
    pthread_mutex_t lock; /* over what follows, and while a replica begins or ends */
    skr_embedded_t *first;
} household_t;

static _Atomic (household_t *) households;

/* That of this process. After a fork the parent's lock may be held, for ever, by a thread that is
   not here: a new one is made. */
static household_t *household (void)
{
    household_t *own = atomic_load (&households);
    if (own && own->process == getpid ()) {
        return own;
    }
    household_t *fresh = calloc (1, sizeof *fresh);
    if (!fresh || pthread_mutex_init (&fresh->lock, NULL) != 0) {
        free (fresh);
        return NULL;
    }
    fresh->process = getpid ();
    if (atomic_compare_exchange_strong (&households, &own, fresh)) {
        return fresh;
    }
    free (fresh); /* another thread was faster */
    return own;
}

/* ---- signals: what the kernel sends for a fault of the thread itself stays */

static void hold_signals (sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t all;
    sigfillset (&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset (&all, faults[i]);
    }
    pthread_sigmask (SIG_SETMASK, &all, before);
}

static void give_signals_back (const sigset_t *before)
{
    pthread_sigmask (SIG_SETMASK, before, NULL);
}

/* ---- one replica */

static void *run (void *argument)
{
    (void) saker_daemon_run (argument);
    return NULL;
}

static saker_err_t start_thread (skr_embedded_t *self)
{
    pthread_attr_t attributes;
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    int code = pthread_create (&self->thread, &attributes, run, self->daemon);
    pthread_attr_destroy (&attributes);
    if (code != 0) {
        return skr_fail (SAKER_EIO, "start a thread: %s", strerror (code));
    }
    (void) pthread_setname_np (self->thread, "saker");
    return SAKER_OK;
}

/* The config of the caller, but that an embedded replica listens nowhere. */
static saker_err_t begin_daemon (skr_embedded_t *self, const char *folder,
                                 const saker_config_t *config, saker_log_fn *log_fn, void *argument)
{
    saker_config_t *own = saker_config_new ();
    if (!own) {
        return SAKER_ENOMEM;
    }
    if (config) {
        *own = *config;
    }
    saker_err_t error = saker_config_set (own, "listen", SKR_LISTEN_NONE);
    error =
        error == SAKER_OK ? saker_daemon_new (&self->daemon, folder, own, log_fn, argument) : error;
    saker_config_destroy (&own);
    return error;
}

static saker_err_t begin (skr_embedded_t **self_p, const char *folder, const struct stat *status,
                          const saker_config_t *config, saker_log_fn *log_fn, void *argument)
{
    skr_embedded_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->disk = status->st_dev;
    self->folder = status->st_ino;
    saker_err_t error = begin_daemon (self, folder, config, log_fn, argument);
    error = error == SAKER_OK ? start_thread (self) : error;
    if (error != SAKER_OK) {
        saker_daemon_destroy (&self->daemon);
        free (self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

static void end (skr_embedded_t *self)
{
    saker_daemon_stop (self->daemon);
    pthread_join (self->thread, NULL);
    saker_daemon_destroy (&self->daemon);
    free (self);
}

/* ---- sharing it */

static saker_err_t check_store (const char *folder, struct stat *status)
{
    char file[SKR_CLIENT_STORE_MAX + 16];
    struct stat key;
    snprintf (file, sizeof file, "%s/device.key", folder);
    if (stat (folder, status) != 0 || (stat (file, &key) != 0 && errno == ENOENT)) {
        return skr_fail (SAKER_ENOTFOUND,
                         "%s is not a saker store: make one with saker_init or saker_join", folder);
    }
    return SAKER_OK;
}

static saker_err_t enter (skr_embedded_t **self_p, const char *folder, const saker_config_t *config,
                          saker_log_fn *log_fn, void *argument)
{
    household_t *own = household ();
    struct stat status;
    saker_err_t error = SAKER_OK;
    SKR_TRY (check_store (folder, &status));
    if (!own) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    pthread_mutex_lock (&own->lock);
    skr_embedded_t *found = own->first;
    while (found && (found->disk != status.st_dev || found->folder != status.st_ino)) {
        found = found->next;
    }
    if (!found) {
        error = begin (&found, folder, &status, config, log_fn, argument);
        if (error == SAKER_OK) {
            found->next = own->first;
            own->first = found;
        }
    }
    if (error == SAKER_OK) {
        found->uses++;
        *self_p = found;
    }
    pthread_mutex_unlock (&own->lock);
    return error;
}

void skr_embedded_leave (skr_embedded_t **self_p)
{
    household_t *own = household ();
    skr_embedded_t *self = *self_p;
    sigset_t before;
    *self_p = NULL;
    if (!self || !own) {
        return;
    }
    hold_signals (&before);
    pthread_mutex_lock (&own->lock);
    if (--self->uses == 0) {
        skr_embedded_t **at = &own->first;
        while (*at != self) {
            at = &(*at)->next;
        }
        *at = self->next;
        end (self);
    }
    pthread_mutex_unlock (&own->lock);
    give_signals_back (&before);
}

saker_err_t saker_open_embedded (saker_t **self_p, const char *store, const saker_config_t *config,
                                 saker_log_fn *log_fn, void *argument)
{
    char folder[SKR_CLIENT_STORE_MAX];
    skr_embedded_t *embedded = NULL;
    sigset_t before;
    int saved = errno;
    *self_p = NULL;
    SKR_TRY (skr_client_folder (store, folder, sizeof folder));
    hold_signals (&before);
    saker_err_t error = enter (&embedded, folder, config, log_fn, argument);
    error = error == SAKER_OK ? skr_client_open (self_p, folder, SKR_CLIENT_ANSWER_MS) : error;
    give_signals_back (&before);
    if (error == SAKER_OK) {
        (*self_p)->embedded = embedded;
    } else if (embedded) {
        skr_embedded_leave (&embedded);
    }
    errno = saved;
    return error;
}
