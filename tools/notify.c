#include "notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

bool notify_send (const char *state)
{
    const char *name = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!name || !*name) {
        return true;
    }
    size_t size = strlen (name);
    if ((*name != '/' && *name != '@') || size >= sizeof address.sun_path) {
        return false;
    }
    memcpy (address.sun_path, name, size);
    if (*name == '@') {
        address.sun_path[0] = 0; /* an abstract socket has no ending zero either */
    }
    int file = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0) {
        return false;
    }
    socklen_t address_size =
        (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size + (*name == '/'));
    ssize_t sent = sendto (file, state, strlen (state), MSG_NOSIGNAL,
                           (const struct sockaddr *) &address, address_size);
    close (file);
    return sent == (ssize_t) strlen (state);
}

bool notify_reloading (void)
{
    struct timespec now;
    char state[64];
    clock_gettime (CLOCK_MONOTONIC, &now);
    snprintf (state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
              (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000);
    return notify_send (state);
}
