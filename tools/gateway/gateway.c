#include "gateway/logline.h"
#include "gateway/parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FILES_FOR_OTHERS 512u /* what the daemon itself may have open */

void gateway_log (const gateway_t *self, int level, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    logline_say (self->log_fn, level, format, arguments);
    va_end (arguments);
}

/* As many open files as connections may need; fewer connections where that is not allowed. */
static void make_room (gateway_t *self)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t) self->settings.connections + FILES_FOR_OTHERS;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void) setrlimit (RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) {
        return;
    }
    rlim_t left = limit.rlim_cur > 2 * FILES_FOR_OTHERS ? limit.rlim_cur - FILES_FOR_OTHERS
                                                        : limit.rlim_cur / 2;
    gateway_log (self, 1,
                 "gateway: this process may open %llu files: %llu connections at most, not %u; "
                 "raise LimitNOFILE of the unit, or ulimit -n",
                 (unsigned long long) limit.rlim_cur, (unsigned long long) left,
                 self->settings.connections);
    self->settings.connections = (unsigned) left;
}

static saker_err_t start_servers (gateway_t *self, char sentence[SAKER_SENTENCE_MAX])
{
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < self->settings.places_count && error == SAKER_OK; i++) {
        error = server_new (&self->servers[i], self, &self->settings.places[i], sentence);
    }
    return error;
}

static saker_err_t start_parts (gateway_t *self, char sentence[SAKER_SENTENCE_MAX])
{
    snprintf (sentence, SAKER_SENTENCE_MAX, "out of memory, or of threads");
    if (*self->settings.hooks) {
        saker_err_t failed =
            dispatch_new (&self->dispatch, self->store, &self->settings, self->log_fn);
        if (failed != SAKER_OK || self->settings.places_count == 0) {
            return failed;
        }
    }
    self->keeper = keeper_new (self->store, self->log_fn);
    saker_err_t error = self->keeper ? workers_new (&self->workers, self->store) : SAKER_ENOMEM;
    if (error == SAKER_OK) {
        error = hub_new (&self->hub, self);
    }
    if (error == SAKER_OK) {
        error = start_servers (self, sentence);
    }
    return error == SAKER_OK ? hub_start (self->hub) : error;
}

void gateway_look (gateway_t *self)
{
    for (size_t i = 0; i < SETTINGS_PLACES_MAX; i++) {
        server_look (self->servers[i]);
    }
}

saker_err_t gateway_new (gateway_t **self_p, const char *store, const settings_t *settings,
                         saker_log_fn *log_fn, char sentence[SAKER_SENTENCE_MAX])
{
    *self_p = NULL;
    if (settings->places_count == 0 && !*settings->hooks) {
        return SAKER_OK;
    }
    saker_err_t error = settings_check (settings, sentence);
    if (error != SAKER_OK) {
        return error;
    }
    gateway_t *self = calloc (1, sizeof *self);
    if (!self) {
        snprintf (sentence, SAKER_SENTENCE_MAX, "out of memory");
        return SAKER_ENOMEM;
    }
    self->settings = *settings;
    self->log_fn = log_fn;
    snprintf (self->store, sizeof self->store, "%s", store);
    make_room (self);
    *self_p = self;
    error = start_parts (self, sentence);
    if (error != SAKER_OK) {
        gateway_destroy (self_p);
    }
    return error;
}

void gateway_leave (gateway_t *self, saker_daemon_t *daemon)
{
    if (self && self->dispatch) {
        dispatch_leave (self->dispatch, daemon);
    } else {
        saker_daemon_stop (daemon);
    }
}

void gateway_quiet (gateway_t *self)
{
    if (!self) {
        return;
    }
    atomic_store (&self->ending, true);
    for (size_t i = 0; i < SETTINGS_PLACES_MAX; i++) {
        server_quiet (self->servers[i]);
    }
}

/* First those that suspended connections wait for, then the connections. */
void gateway_destroy (gateway_t **self_p)
{
    gateway_t *self = *self_p;
    if (!self) {
        return;
    }
    gateway_quiet (self);
    dispatch_destroy (&self->dispatch);
    hub_end (self->hub);
    workers_end (self->workers);
    for (size_t i = 0; i < SETTINGS_PLACES_MAX; i++) {
        server_destroy (&self->servers[i]);
    }
    workers_destroy (&self->workers);
    hub_destroy (&self->hub);
    keeper_destroy (&self->keeper);
    free (self);
    *self_p = NULL;
}
