/* Reach: can one machine reach another? Plain TCP and UDP, with deadlines; nothing of saker's keys
   is needed or told. `saker listen` speaks first, with REACH_HELLO; a sakerd speaks first, too,
   with the greeting of ZMTP (https://rfc.zeromq.org/spec/23/), in which CURVE is named. */

#ifndef TOOLS_REACH_H_INCLUDED
#define TOOLS_REACH_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define REACH_HELLO "saker-path 1\n"
#define REACH_PORT "5677" /* of a sakerd, unless it is told another */
#define REACH_HOST_MAX 256
#define REACH_TEXT_MAX 320
#define REACH_BULK (1u << 20)

typedef struct reach_address_t {
    char host[REACH_HOST_MAX]; /* "*": any */
    char port[8];
} reach_address_t;

/* tcp://HOST:PORT, HOST:PORT or HOST; HOST may be [IPv6]. False: it is none of these. */
bool reach_parse (const char *text, reach_address_t *address);

/* What came of calling. */
typedef enum reach_found_t {
    REACH_NAME,    /* the name cannot be looked up */
    REACH_REFUSED, /* the machine is there, and nothing listens */
    REACH_SILENT,  /* no answer in time */
    REACH_NOWHERE, /* no way there: `reason` tells */
    REACH_LISTENS, /* a saker listen */
    REACH_DAEMON,  /* a sakerd, or another program that speaks ZMTP with CURVE */
    REACH_STRANGE, /* something else */
} reach_found_t;

typedef struct reach_t {
    int socket;                  /* -1: none */
    char number[REACH_TEXT_MAX]; /* the address that was called, in numbers */
    char own[REACH_TEXT_MAX];    /* and the own one */
    char reason[128];            /* of REACH_NAME, REACH_NOWHERE */
    struct sockaddr_storage peer;
    socklen_t peer_size;
    double connect_ms;
} reach_t;

/* Calls, and sees who answers. Each address of the name is tried for at most `timeout_ms`. */
reach_found_t reach_call (reach_t *self, const reach_address_t *address, int timeout_ms);
/* Only connects, to the port after the one that was called, on the same machine: does it get there?
   The PUB of a sakerd is on that port. */
bool reach_next (const reach_t *self, int timeout_ms);
void reach_close (reach_t *self);

/* All of the bytes, within the time. False: not, errno tells (ETIMEDOUT; 0: it was closed). */
bool reach_send (int socket, const void *data, size_t size, int timeout_ms);
bool reach_take (int socket, void *data, size_t size, int timeout_ms);
/* A line, without its end. */
bool reach_line (int socket, char *line, size_t size, int timeout_ms);
/* Milliseconds, of a clock that only goes forward. */
double reach_now_ms (void);
/* "192.168.1.2:5677", "[fe80::1]:5677". */
void reach_text (const struct sockaddr_storage *address, socklen_t size, char text[REACH_TEXT_MAX]);

#endif
