#include "gateway/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MS 3000
#define STACK_BYTES (4u << 20) /* JSON of 2,048 levels is walked by recursion */

typedef struct worker_t {
    workers_t *all;
    pthread_t thread;
    call_t call;
} worker_t;

struct workers_t {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    STAILQ_HEAD (, job_t) queue;
    size_t waiting;
    bool ending;
    size_t count;
    worker_t list[WORKERS];
};

/* NULL: it is the end. */
static job_t *next_job (workers_t *self)
{
    pthread_mutex_lock (&self->mutex);
    while (STAILQ_EMPTY (&self->queue) && !self->ending) {
        pthread_cond_wait (&self->filled, &self->mutex);
    }
    job_t *job = STAILQ_FIRST (&self->queue);
    if (job) {
        STAILQ_REMOVE_HEAD (&self->queue, next);
        self->waiting--;
    }
    pthread_mutex_unlock (&self->mutex);
    return job;
}

static void *work (void *argument)
{
    worker_t *self = argument;
    job_t *job;
    while ((job = next_job (self->all))) {
        self->call.sentence[0] = 0;
        if (!self->call.peer) {
            call_library (&self->call, saker_open (&self->call.peer, self->call.store, OPEN_MS));
        }
        job->run (job, &self->call);
    }
    call_close (&self->call);
    return NULL;
}

saker_err_t workers_new (workers_t **self_p, const char *store)
{
    workers_t *self = calloc (1, sizeof *self);
    pthread_attr_t attributes;
    *self_p = self;
    if (!self) {
        return SAKER_ENOMEM;
    }
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->filled, NULL);
    STAILQ_INIT (&self->queue);
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    saker_err_t error = SAKER_OK;
    while (self->count < WORKERS && error == SAKER_OK) {
        worker_t *worker = &self->list[self->count];
        worker->all = self;
        snprintf (worker->call.store, sizeof worker->call.store, "%s", store);
        error =
            pthread_create (&worker->thread, &attributes, work, worker) == 0 ? SAKER_OK : SAKER_EIO;
        self->count += error == SAKER_OK;
    }
    pthread_attr_destroy (&attributes);
    if (error != SAKER_OK) {
        workers_destroy (self_p);
    }
    return error;
}

void workers_end (workers_t *self)
{
    if (!self) {
        return;
    }
    pthread_mutex_lock (&self->mutex);
    self->ending = true;
    pthread_cond_broadcast (&self->filled);
    pthread_mutex_unlock (&self->mutex);
    for (size_t i = 0; i < self->count; i++) {
        pthread_join (self->list[i].thread, NULL);
    }
    self->count = 0;
}

void workers_destroy (workers_t **self_p)
{
    workers_t *self = *self_p;
    if (!self) {
        return;
    }
    workers_end (self);
    pthread_cond_destroy (&self->filled);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    *self_p = NULL;
}

bool workers_submit (workers_t *self, job_t *job)
{
    pthread_mutex_lock (&self->mutex);
    bool room = self->waiting < WORKERS_QUEUE_MAX && !self->ending;
    if (room) {
        STAILQ_INSERT_TAIL (&self->queue, job, next);
        self->waiting++;
        pthread_cond_signal (&self->filled);
    }
    pthread_mutex_unlock (&self->mutex);
    return room;
}

size_t workers_waiting (workers_t *self)
{
    pthread_mutex_lock (&self->mutex);
    size_t waiting = self->waiting;
    pthread_mutex_unlock (&self->mutex);
    return waiting;
}
