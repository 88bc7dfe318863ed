/* Join: how a new machine becomes a member: it calls the inviting peer with the ticket's key, says
   who it is, and makes its store from the roster that it gets. */

#ifndef SKR_MESH_JOIN_H_INCLUDED
#define SKR_MESH_JOIN_H_INCLUDED

#include "mesh/wire.h"

saker_err_t skr_join (const char *store, const skr_ticket_t *ticket, const char *name,
                      int timeout_ms, const skr_world_t *world) SKR_MUST_USE;

#endif
