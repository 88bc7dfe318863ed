/* Node: the one event loop of a daemon. It owns all sockets and the replica; who talks to whom:

     local clients  <-> local socket   -> api      -> replica
     members        ->  ROUTER         -> answer   -> replica (committed)
     members        <-  PUB            <- live, beats
     members        <-> DEALER (each)  -> session  -> replica
     members        ->  SUB (each)     -> live, reports
     libzmq         <-> ZAP            -> roster
     the network    <-> beacons        -> links' addresses

   A round: poll; take what came, each socket up to a bound; commit once; then publish, answer what
   was held, tell (beat), let sessions ask and waiters look. No handler's error ends the loop. */

#ifndef SKR_MESH_NODE_H_INCLUDED
#define SKR_MESH_NODE_H_INCLUDED

#include "mesh/config.h"

typedef struct skr_node_t skr_node_t;

/* Opens the store and the sockets. `wake` is a descriptor that becomes readable when skr_node_run
   shall look at its flags. Owned by the caller. */
saker_err_t skr_node_new (skr_node_t **self_p, const char *store, const saker_config_t *config,
                          const skr_world_t *world, int wake) SKR_MUST_USE;
void skr_node_destroy (skr_node_t **self_p);

/* One round; waits for something to do. */
void skr_node_round (skr_node_t *self);
/* Before the first round and after the last, by the thread that runs them: small writes go to the
   store's journal meanwhile. */
void skr_node_enter (skr_node_t *self);
void skr_node_leave (skr_node_t *self);
/* Seeds, beacon and log level; other changes are named in a warning. */
void skr_node_configure (skr_node_t *self, const saker_config_t *config);
/* tcp://ADDR:PORT of the ROUTER. */
const char *skr_node_address (const skr_node_t *self);

#endif
