/* Worker: the threads that ask the daemon. Each has a handle of its own, and takes the next job
   from one bounded queue. So nobody who is slow holds up others, and the server's thread never
   waits. */

#ifndef TOOLS_GATEWAY_WORKER_H_INCLUDED
#define TOOLS_GATEWAY_WORKER_H_INCLUDED

#include "call.h"

#include <sys/queue.h>

#define WORKERS 16
#define WORKERS_QUEUE_MAX 4096

typedef struct job_t {
    STAILQ_ENTRY (job_t) next;
    void (*run) (struct job_t *job, call_t *call); /* call->peer is open, or NULL: not reachable,
                                                      and the sentence is in the call */
} job_t;

typedef struct workers_t workers_t;

/* SAKER_EIO: not so many threads can be made. */
saker_err_t workers_new (workers_t **self_p, const char *store);
/* Lets them finish what is in the queue, and takes no more. */
void workers_end (workers_t *self);
void workers_destroy (workers_t **self_p);
/* False when the queue is full. */
bool workers_submit (workers_t *self, job_t *job);
/* How many jobs wait. */
size_t workers_waiting (workers_t *self);

#endif
