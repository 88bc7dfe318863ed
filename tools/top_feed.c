#include "told.h"
#include "top.h"

#include "reach.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define STOP_MS 300

void top_sample_free (top_sample_t *self)
{
    json_decref (self->status);
    json_decref (self->links);
    json_decref (self->trends);
    *self = (top_sample_t){.status = NULL};
}

void top_sample_take (call_t *call, top_sample_t *sample)
{
    *sample = (top_sample_t){.status = NULL};
    call->sentence[0] = 0;
    saker_err_t error = call->peer ? SAKER_OK : call_open (call);
    error = error == SAKER_OK ? told_status (call, &sample->status) : error;
    error = error == SAKER_OK ? told_links (call, &sample->links) : error;
    error = error == SAKER_OK ? told_trends (call, &sample->trends) : error;
    sample->at_ms = reach_now_ms ();
    if (error != SAKER_OK) {
        top_sample_free (sample);
        sample->at_ms = reach_now_ms ();
        snprintf (sample->trouble, sizeof sample->trouble, "%.255s",
                  *call->sentence ? call->sentence : saker_error_name (error));
    }
}

static void wait_until (top_feed_t *self, double due_ms)
{
    double left_ms = due_ms - reach_now_ms ();
    struct timespec until;
    clock_gettime (CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (int64_t) (left_ms * 1e6);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    if (left_ms > 0 && !self->stop && !self->soon) {
        (void) pthread_cond_timedwait (&self->wake, &self->lock, &until);
    }
}

static void *run_feed (void *argument)
{
    top_feed_t *self = argument;
    pthread_mutex_lock (&self->lock);
    while (!self->stop) {
        top_sample_t sample;
        double due_ms = reach_now_ms () + (double) self->every_ms;
        self->soon = false;
        pthread_mutex_unlock (&self->lock);
        top_sample_take (&self->call, &sample);
        pthread_mutex_lock (&self->lock);
        top_sample_free (&self->fresh);
        self->fresh = sample;
        self->has_fresh = true;
        while (!self->stop && !self->soon && reach_now_ms () < due_ms) {
            wait_until (self, due_ms);
        }
    }
    pthread_mutex_unlock (&self->lock);
    call_close (&self->call);
    return NULL;
}

bool top_feed_start (top_feed_t *self, const call_t *call, int64_t every_ms)
{
    memset (self, 0, sizeof *self);
    self->call = *call;
    self->call.peer = NULL;
    self->every_ms = every_ms;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->wake, NULL);
    return pthread_create (&self->thread, NULL, run_feed, self) == 0;
}

bool top_feed_next (top_feed_t *self, top_sample_t *sample)
{
    pthread_mutex_lock (&self->lock);
    bool fresh = self->has_fresh;
    if (fresh) {
        *sample = self->fresh;
        self->fresh = (top_sample_t){.status = NULL};
        self->has_fresh = false;
    }
    pthread_mutex_unlock (&self->lock);
    return fresh;
}

void top_feed_hurry (top_feed_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->soon = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
}

bool top_feed_stop (top_feed_t *self)
{
    struct timespec until;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    clock_gettime (CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_timedjoin_np (self->thread, NULL, &until) != 0) {
        return false;
    }
    top_sample_free (&self->fresh);
    return true;
}
