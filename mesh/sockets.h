/* Sockets: every socket of the mesh is made here, with every option that keeps a stranger from
   harming us. All speak CURVE. */

#ifndef SKR_MESH_SOCKETS_H_INCLUDED
#define SKR_MESH_SOCKETS_H_INCLUDED

#include "crdt/bytes.h"
#include "crdt/err.h"

#define SKR_ZAP_DOMAIN "saker"
#define SKR_ZAP_ENDPOINT "inproc://zeromq.zap.01"

/* A CURVE key pair, 32 bytes each. */
typedef struct skr_curve_t {
    const uint8_t *public_key;
    const uint8_t *secret_key;
} skr_curve_t;

/* What the sockets of one peer have in common: a context of libzmq of their own, whose threads take
   no signals; and the mark by which the kernel tells its TCP connections from those of others in
   this process (guard.h). */
typedef struct skr_sockets_t {
    void *context;
    int mark;
} skr_sockets_t;

saker_err_t skr_sockets_open (skr_sockets_t *self) SKR_MUST_USE;
/* Once all sockets are closed: waits until what lingers is sent, and the threads have ended. */
void skr_sockets_close (skr_sockets_t *self);
/* Is the TCP connection with this descriptor one of these? */
bool skr_sockets_own (const skr_sockets_t *self, int descriptor);

/* Binding sockets; the ZAP handler must be bound before. `address` is tcp://ADDR:PORT; port 0 (or
   '*'): any. SAKER_EBUSY: in use; SAKER_EINPUT: no such address. */
saker_err_t skr_socket_router (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                               const char *address) SKR_MUST_USE;
saker_err_t skr_socket_pub (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                            const char *address) SKR_MUST_USE;
/* Connecting sockets; the server must hold the secret to `server`. */
saker_err_t skr_socket_dealer (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                               const uint8_t server[32], const char *address) SKR_MUST_USE;
saker_err_t skr_socket_sub (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                            const uint8_t server[32], const char *address) SKR_MUST_USE;
/* A DEALER on which frames are published to a ROUTER: sends nothing while it is not connected. */
saker_err_t skr_socket_voice (void **socket, const skr_sockets_t *sockets, const skr_curve_t *own,
                              const uint8_t server[32], const char *address) SKR_MUST_USE;
/* The ZAP handler's REP socket. */
saker_err_t skr_socket_zap (void **socket, const skr_sockets_t *sockets) SKR_MUST_USE;
void skr_socket_close (void **socket);
/* What was sent last on a connecting socket goes out before it is closed, if it can soon. */
void skr_socket_linger (void *socket);

/* The address that a socket is bound to. */
saker_err_t skr_socket_bound (void *socket, char *address, size_t size) SKR_MUST_USE;

/* Sends one message of one frame, or of two when routing is not empty, without waiting. */
bool skr_socket_send (void *socket, skr_span_t routing, skr_span_t body);

/* tcp://HOST:PORT, taken apart. HOST may be '*' or [IPv6]. SAKER_EINPUT. */
saker_err_t skr_address_split (const char *address, char *host, size_t size,
                               uint16_t *port) SKR_MUST_USE;
/* Is HOST written in numbers? What others tell us is looked up nowhere: zmq's one thread would wait
   for the name server, and with it every link. */
bool skr_address_numeric (const char *address);

#endif
