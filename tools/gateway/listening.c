#include "gateway/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4096

static saker_err_t fail (char sentence[SAKER_SENTENCE_MAX], saker_err_t error,
                         const place_to_listen_t *place)
{
    snprintf (sentence, SAKER_SENTENCE_MAX, "gateway-listen: cannot listen on %s: %s%s",
              place->text, strerror (errno),
              errno == EADDRINUSE ? "; end the other program, or take another port" : "");
    return error;
}

/* By way of the folder, so that the path of a store may be longer than the name of a socket. */
static bool bind_local (int listener, const char *store)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder = open (store, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return false;
    }
    snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" LISTENING_LOCAL,
              folder);
    unlink (address.sun_path);
    bool bound = bind (listener, (const struct sockaddr *) &address, sizeof address) == 0
                 && chmod (address.sun_path, 0600) == 0;
    int error = errno;
    close (folder);
    errno = error;
    return bound;
}

static bool bind_address (int listener, const place_to_listen_t *place)
{
    int yes = 1;
    setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (place->address.any.sa_family == AF_INET6) {
        setsockopt (listener, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    }
    return bind (listener, &place->address.any, place->size) == 0;
}

saker_err_t listening_open (const place_to_listen_t *place, const char *store, int *listener,
                            char sentence[SAKER_SENTENCE_MAX])
{
    int family = place->local ? AF_UNIX : place->address.any.sa_family;
    *listener = socket (family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound =
        *listener >= 0
        && (place->local ? bind_local (*listener, store) : bind_address (*listener, place));
    if (bound && listen (*listener, BACKLOG) == 0) {
        return SAKER_OK;
    }
    saker_err_t error = fail (sentence, errno == EADDRINUSE ? SAKER_EBUSY : SAKER_EIO, place);
    if (*listener >= 0) {
        close (*listener);
        *listener = -1;
    }
    return error;
}

void listening_url (const place_to_listen_t *place, const char *store, int listener, bool tls,
                    char *text, size_t size)
{
    struct sockaddr_storage bound = {.ss_family = 0};
    socklen_t bound_size = sizeof bound;
    uint16_t port = 0;
    if (place->local) {
        snprintf (text, size, "unix://%s/" LISTENING_LOCAL, store);
        return;
    }
    if (getsockname (listener, (struct sockaddr *) &bound, &bound_size) == 0) {
        port = bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) &bound)->sin6_port
                                           : ((const struct sockaddr_in *) &bound)->sin_port;
    }
    snprintf (text, size, "%s://%.*s:%u", tls ? "https" : "http",
              (int) (strrchr (place->text, ':') - place->text), place->text,
              (unsigned) ntohs (port));
}
