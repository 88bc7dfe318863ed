/* A daemon without a mesh: a thread that answers the local socket of a store with api.c over a real
   replica. Its only neighbour is the second replica of the pair, which takes what the first has
   while `syncing` is set. */

#ifndef TESTS_LIB_LOCAL_SERVER_H_INCLUDED
#define TESTS_LIB_LOCAL_SERVER_H_INCLUDED

#include "mesh/local.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct local_server_t {
    pair_t *pair; /* borrowed; the thread's own while it runs */
    const char *store;
    skr_local_socket_t *socket;
    pthread_t thread;
    fake_neighbours_t fake;
    skr_api_t *api;
    atomic_bool stop;
    atomic_bool syncing;
    atomic_bool mute;     /* takes requests, answers nothing */
    atomic_bool stirring; /* writes to large/big in every round */
    uint64_t stirred;
} local_server_t;

/* Binds STORE/run/api and starts the thread. */
bool local_server_start (local_server_t *self, pair_t *pair, const char *store);
void local_server_stop (local_server_t *self);

#endif
