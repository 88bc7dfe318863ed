#include "mesh/poller.h"

#include <stdlib.h>
#include <zmq.h>

bool skr_poller_begin (skr_poller_t *self, size_t count)
{
    self->count = 0;
    self->stale = true;
    if (count > self->capacity) {
        skr_poller_free (self);
        self->items = calloc (2 * count, sizeof *self->items);
        self->sockets = calloc (2 * count, sizeof *self->sockets);
        self->due = calloc (2 * count, sizeof *self->due);
        if (!self->items || !self->sockets || !self->due) {
            skr_poller_free (self);
            return false;
        }
        self->capacity = 2 * count;
    }
    self->stale = false;
    return true;
}

void skr_poller_add_descriptor (skr_poller_t *self, const void *known_by, int descriptor)
{
    if (self->count < self->capacity) {
        self->items[self->count] = (struct pollfd){.fd = descriptor, .events = POLLIN};
        self->sockets[self->count] = known_by;
        self->due[self->count++] = true;
    }
}

void skr_poller_add (skr_poller_t *self, void *socket)
{
    int descriptor = -1;
    size_t size = sizeof descriptor;
    if (zmq_getsockopt (socket, ZMQ_FD, &descriptor, &size) == 0) {
        skr_poller_add_descriptor (self, socket, descriptor);
    }
}

void skr_poller_free (skr_poller_t *self)
{
    free (self->items);
    free (self->sockets);
    free (self->due);
    *self = (skr_poller_t){.stale = true};
}

void skr_poller_wait (skr_poller_t *self, int wait_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        self->items[i].revents = 0;
        wait_ms = self->due[i] ? 0 : wait_ms;
    }
    (void) poll (self->items, self->count, wait_ms); /* a signal just ends it early */
    for (size_t i = 0; i < self->count; i++) {
        self->due[i] |= self->items[i].revents != 0;
    }
}

static bool *due_of (const skr_poller_t *self, const void *socket)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->sockets[i] == socket) {
            return &self->due[i];
        }
    }
    return NULL;
}

bool skr_poller_take (skr_poller_t *self, const void *socket)
{
    bool *due = due_of (self, socket);
    bool is_due = due && *due;
    if (is_due) {
        *due = false;
    }
    return is_due;
}

void skr_poller_look (skr_poller_t *self, const void *socket)
{
    bool *due = due_of (self, socket);
    if (due) {
        *due = true;
    }
}
