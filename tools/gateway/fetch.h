/* Fetch: what comes next of the change feed that is not done with. Of the courier's thread. */

#ifndef TOOLS_GATEWAY_FETCH_H_INCLUDED
#define TOOLS_GATEWAY_FETCH_H_INCLUDED

#include "gateway/office.h"

/* Fills the queue with `max` letters at most; waits for the first. False: it did not work. */
bool fetch_letters (courier_t *self, size_t max, int timeout_ms);
/* Keeps, now and then, where the courier is. */
void fetch_save_place (courier_t *self);
/* One who does not send keeps its cursor at the first that is not done with. */
void fetch_keep_up (courier_t *self);

#endif
