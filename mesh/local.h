/* Local: the socket on which programs of this machine ask the daemon, FOLDER/run/api: a stream
   socket, in a folder that is ours alone. A request, or an answer, is its size, u32, and its bytes.

   Not libzmq's: between a program and the daemon its threads would be woken four times for a
   question and its answer, which took more than what is asked. */

#ifndef SKR_MESH_LOCAL_H_INCLUDED
#define SKR_MESH_LOCAL_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

#define SKR_LOCAL_HEAD_BYTES 4
#define SKR_LOCAL_CLIENTS_MAX 4096
#define SKR_LOCAL_UNREAD_BYTES_MAX (16u << 20) /* with more waiting, the next answer ends it */

typedef struct skr_local_socket_t skr_local_socket_t;

/* Makes FOLDER/run when it is missing, and listens. Owned by the caller. */
saker_err_t skr_local_open (skr_local_socket_t **self_p, const char *folder) SKR_MUST_USE;
/* Removes the socket; all clients are cut off. */
void skr_local_close (skr_local_socket_t **self_p);
/* Readable when skr_local_turn has something to do. */
int skr_local_descriptor (const skr_local_socket_t *self);

/* `client` are the bytes that name it to skr_local_send. What is no request (a size beyond what one
   has) is handed out as an empty one, and its client cut off. */
typedef void skr_local_fn (void *context, skr_span_t client, skr_span_t request);
/* Takes who connects, what came, up to *bytes_left, and sends what waits. While a client does not
   read its answers no more is taken from it. */
void skr_local_turn (skr_local_socket_t *self, skr_local_fn *handle, void *context,
                     size_t *bytes_left);
/* False: the client is gone, or does not read. */
bool skr_local_send (skr_local_socket_t *self, skr_span_t client, skr_span_t answer);

/* Of a client: a connection, which does not block; or -1, with errno. */
int skr_local_connect (const char *folder);

#endif
