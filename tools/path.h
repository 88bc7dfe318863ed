/* Path: can one machine reach another? Plain TCP and UDP, with deadlines; nothing of saker's keys
   is needed or told. `saker listen` speaks first, with PATH_HELLO; a sakerd speaks first, too, with
   the greeting of ZMTP (https://rfc.zeromq.org/spec/23/), in which CURVE is named. */

#ifndef TOOLS_PATH_H_INCLUDED
#define TOOLS_PATH_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PATH_HELLO "saker-path 1\n"
#define PATH_PORT "5677" /* of a sakerd, unless it is told another */
#define PATH_HOST_MAX 256
#define PATH_TEXT_MAX 320
#define PATH_BULK (1u << 20)

typedef struct path_address_t {
    char host[PATH_HOST_MAX]; /* "*": any */
    char port[8];
} path_address_t;

/* tcp://HOST:PORT, HOST:PORT or HOST; HOST may be [IPv6]. False: it is none of these. */
bool path_parse (const char *text, path_address_t *address);

/* What came of calling. */
typedef enum path_found_t {
    PATH_NAME,    /* the name cannot be looked up */
    PATH_REFUSED, /* the machine is there, and nothing listens */
    PATH_SILENT,  /* no answer in time */
    PATH_NOWHERE, /* no way there: `reason` tells */
    PATH_LISTENS, /* a saker listen */
    PATH_DAEMON,  /* a sakerd, or another program that speaks ZMTP with CURVE */
    PATH_STRANGE, /* something else */
} path_found_t;

typedef struct path_t {
    int socket;                 /* -1: none */
    char number[PATH_TEXT_MAX]; /* the address that was called, in numbers */
    char own[PATH_TEXT_MAX];    /* and the own one */
    char reason[128];           /* of PATH_NAME, PATH_NOWHERE */
    struct sockaddr_storage peer;
    socklen_t peer_size;
    double connect_ms;
} path_t;

/* Calls, and sees who answers. Each address of the name is tried for at most `timeout_ms`. */
path_found_t path_call (path_t *self, const path_address_t *address, int timeout_ms);
/* Only connects, to the port after the one that was called, on the same machine: does it get there?
   The PUB of a sakerd is on that port. */
bool path_reach_next (const path_t *self, int timeout_ms);
void path_close (path_t *self);

/* All of the bytes, within the time. False: not, errno tells (ETIMEDOUT; 0: it was closed). */
bool path_send (int socket, const void *data, size_t size, int timeout_ms);
bool path_take (int socket, void *data, size_t size, int timeout_ms);
/* A line, without its end. */
bool path_line (int socket, char *line, size_t size, int timeout_ms);
/* Milliseconds, of a clock that only goes forward. */
double path_now_ms (void);
/* "192.168.1.2:5677", "[fe80::1]:5677". */
void path_text (const struct sockaddr_storage *address, socklen_t size, char text[PATH_TEXT_MAX]);

#endif
