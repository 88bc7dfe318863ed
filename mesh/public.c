/* The public calls that make stores and run a daemon. The calls of a client are in client.c. */

#include "mesh/join.h"
#include "mesh/node.h"
#include "peer/backup.h"
#include "peer/checkup.h"
#include "peer/dump.h"
#include "peer/folder.h"
#include "peer/nearest.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Static_assert(sizeof ((saker_restored_t *) 0)->mesh == SKR_NAME_BYTES_MAX + 1, "names fit");

struct saker_daemon_t {
    skr_node_t *node;
    skr_world_t world;
    saker_log_fn *log_fn;
    void *log_argument;
    saker_reload_fn *reload_fn;
    void *reload_argument;
    int wake;
    atomic_bool stop;
    atomic_bool reload;
};

const char *saker_version (void)
{
    return "0.1.0";
}

const char *saker_nearest (const char *name, const char *const *names, size_t count)
{
    skr_nearest_t nearest;
    const char *best = NULL;
    skr_nearest_begin (&nearest, name);
    for (size_t i = 0; i < count; i++) {
        size_t before = nearest.distance;
        skr_nearest_look (&nearest, names[i]);
        best = nearest.distance < before ? names[i] : best;
    }
    return best;
}

static saker_err_t start_sodium (void)
{
    return sodium_init () < 0 ? skr_fail (SAKER_EIO, "libsodium does not start") : SAKER_OK;
}

saker_err_t saker_init (const char *store, const char *mesh, const char *device)
{
    SKR_TRY (start_sodium ());
    return skr_replica_found (store, mesh, device, skr_world_real ());
}

static saker_err_t join (const char *store, const char *text, const char *device,
                         const skr_choice_t *choice, int timeout_ms)
{
    skr_ticket_t ticket;
    SKR_TRY (start_sodium ());
    saker_err_t error = skr_ticket_parse (&ticket, text);
    if (error == SAKER_OK) {
        error = skr_join (store, &ticket, device, choice, timeout_ms, skr_world_real ());
    }
    sodium_memzero (&ticket, sizeof ticket);
    return error;
}

saker_err_t saker_join (const char *store, const char *text, const char *device, int timeout_ms)
{
    const skr_choice_t everything = {.count = 0};
    return join (store, text, device, &everything, timeout_ms);
}

saker_err_t saker_join_only (const char *store, const char *text, const char *device,
                             const saker_part_t *parts, size_t count, int timeout_ms)
{
    const skr_choice_t choice = {parts, count};
    return count ? join (store, text, device, &choice, timeout_ms)
                 : skr_fail (SAKER_EUSAGE, "name a collection to carry at least");
}

saker_err_t saker_restore (const char *store, const char *file, const char *passphrase,
                           saker_restored_t *restored, saker_progress_fn *progress_fn,
                           void *argument)
{
    skr_restored_t made;
    SKR_TRY (start_sodium ());
    saker_err_t error =
        skr_restore (store, file, passphrase, progress_fn, argument, skr_world_real (), &made);
    if (error == SAKER_OK && restored) {
        memcpy (restored->mesh, made.mesh, sizeof restored->mesh);
        memcpy (restored->device, made.device, sizeof restored->device);
        restored->taken_ms = made.taken_ms;
    }
    return skr_wrap (error, "restore");
}

saker_err_t saker_store_network (const char *folder, char name[SAKER_NETWORK_MAX])
{
    return skr_folder_network (folder, name);
}

saker_err_t saker_store_check (const char *store, saker_finding_fn *finding_fn,
                               saker_progress_fn *progress_fn, void *argument)
{
    SKR_TRY (start_sodium ());
    return skr_checkup (store, skr_world_real (), finding_fn, progress_fn, argument);
}

saker_err_t saker_store_dump (const char *store, const char *collection, const char *document,
                              saker_dump_fn *dump_fn, void *argument)
{
    SKR_TRY (start_sodium ());
    return skr_dump (store, skr_world_real (), collection, document, dump_fn, argument);
}

/* ---- the daemon */

static uint64_t wall_ms (void *context)
{
    (void) context;
    return skr_world_real ()->wall_ms (NULL);
}

static uint64_t mono_ms (void *context)
{
    (void) context;
    return skr_world_real ()->mono_ms (NULL);
}

static uint64_t mono_us (void *context)
{
    (void) context;
    return skr_world_mono_us (skr_world_real ());
}

static bool home (void *context, const char *folder, skr_home_t *home)
{
    (void) context;
    return skr_world_real ()->home (NULL, folder, home);
}

static void hand_over (void *context, skr_level_t level, const char *message)
{
    const saker_daemon_t *self = context;
    if (self->log_fn) {
        self->log_fn ((int) level, message, self->log_argument);
    }
}

saker_err_t saker_daemon_new (saker_daemon_t **self_p, const char *store,
                              const saker_config_t *config, saker_log_fn *log_fn, void *argument)
{
    SKR_TRY (start_sodium ());
    saker_daemon_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->log_fn = log_fn;
    self->log_argument = argument;
    self->world = (skr_world_t){self, wall_ms, mono_ms, hand_over, home, mono_us};
    self->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    saker_err_t error = self->wake < 0
                            ? skr_fail (SAKER_EIO, "make an eventfd: %s", strerror (errno))
                            : skr_node_new (&self->node, store, config, &self->world, self->wake);
    if (error != SAKER_OK) {
        saker_daemon_destroy (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

static void reload (saker_daemon_t *self)
{
    saker_config_t *fresh = saker_config_new ();
    if (fresh && self->reload_fn && self->reload_fn (fresh, self->reload_argument) == SAKER_OK) {
        skr_node_configure (self->node, fresh);
    } else {
        skr_log (&self->world, SKR_LOG_ERROR, "the old configuration stays: %s", skr_error ());
    }
    saker_config_destroy (&fresh);
}

saker_err_t saker_daemon_run (saker_daemon_t *self)
{
    uint64_t count;
    skr_node_enter (self->node);
    while (!atomic_load (&self->stop)) {
        skr_node_round (self->node);
        if (read (self->wake, &count, sizeof count) < 0) {
            /* nobody woke us */
        }
        if (atomic_exchange (&self->reload, false)) {
            reload (self);
        }
    }
    skr_node_leave (self->node);
    return SAKER_OK;
}

/* Only what may be called in a signal handler. */
static void wake_up (saker_daemon_t *self)
{
    const uint64_t one = 1;
    int saved = errno;
    if (write (self->wake, &one, sizeof one) < 0) {
        /* full: it is awake already */
    }
    errno = saved;
}

void saker_daemon_stop (saker_daemon_t *self)
{
    atomic_store (&self->stop, true);
    wake_up (self);
}

void saker_daemon_reload (saker_daemon_t *self)
{
    atomic_store (&self->reload, true);
    wake_up (self);
}

void saker_daemon_on_reload (saker_daemon_t *self, saker_reload_fn *reload_fn, void *argument)
{
    self->reload_fn = reload_fn;
    self->reload_argument = argument;
}

const char *saker_daemon_address (const saker_daemon_t *self)
{
    return skr_node_address (self->node);
}

void saker_daemon_destroy (saker_daemon_t **self_p)
{
    saker_daemon_t *self = *self_p;
    if (self) {
        skr_node_destroy (&self->node);
        if (self->wake >= 0) {
            close (self->wake);
        }
        free (self);
        *self_p = NULL;
    }
}
