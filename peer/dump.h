/* Dump: what a store holds, as JSON lines, for people who want to know. Nothing is written, and
   memory is bounded: a line is at most some times the size of a change. */

#ifndef SKR_PEER_DUMP_H_INCLUDED
#define SKR_PEER_DUMP_H_INCLUDED

#include "peer/replica.h"

/* See saker_store_dump. */
saker_err_t skr_dump (const char *folder, const skr_world_t *world, const char *collection,
                      const char *document, saker_dump_fn *dump_fn, void *argument) SKR_MUST_USE;

#endif
