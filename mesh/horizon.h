/* Horizon: an admin's peer fences members that were not heard for so long (design 5), so that the
   logs of all others do not grow for ever. Admins take turns: the next waits an eighth of the
   horizon longer. An admin is not fenced. */

#ifndef SKR_MESH_HORIZON_H_INCLUDED
#define SKR_MESH_HORIZON_H_INCLUDED

#include "mesh/node_internal.h"

/* Once a round: looks when it is time. */
void skr_horizon_turn (skr_node_t *self, uint64_t now_ms);

#endif
