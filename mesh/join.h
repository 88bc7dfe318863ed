/* Join: how a new machine becomes a member: it calls the inviting peer with the ticket's key, says
   who it is, and makes its store from the roster that it gets. */

#ifndef SKR_MESH_JOIN_H_INCLUDED
#define SKR_MESH_JOIN_H_INCLUDED

#include "mesh/wire.h"
#include "peer/choosing.h"

/* What it carries from the first moment on is `choice`; SAKER_ERIGHT when who is let in with this
   ticket may not choose: the ticket is not used up. */
saker_err_t skr_join (const char *store, const skr_ticket_t *ticket, const char *name,
                      const skr_choice_t *choice, int timeout_ms,
                      const skr_world_t *world) SKR_MUST_USE;

#endif
