/* Live: changes as they are made, from PUB to SUB. A hint: what is lost is pulled. */

#ifndef SKR_MESH_LIVE_H_INCLUDED
#define SKR_MESH_LIVE_H_INCLUDED

#include "mesh/wire.h"

/* First byte of a frame. */
#define SKR_FRAME_LIVE 'L'
#define SKR_FRAME_BEAT 'B'
#define SKR_FRAME_QUIT 'Q' /* alone: this peer stops */

/* Sends a frame to who hears this peer; borrowed. */
typedef bool skr_live_send_fn (void *context, skr_span_t frame);

/* Publishes what this peer made in the group that was committed, several changes to a frame. */
void skr_live_publish (skr_replica_t *replica, skr_live_send_fn *send, void *context,
                       uint64_t *frames);
/* Offers the changes of a live frame (without its first byte); begins a group. An error is the
   store's; *bad is set when the frame is not well-formed. */
saker_err_t skr_live_take (skr_replica_t *replica, skr_span_t frame, bool *bad) SKR_MUST_USE;

#endif
