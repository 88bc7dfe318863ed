#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GREETING_BYTES 64
#define MECHANISM_AT 12
#define ANSWER_MS 3000 /* for what speaks first */

double reach_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1000 + (double) now.tv_nsec / 1e6;
}

/* ---- addresses */

static bool is_port (const char *text)
{
    size_t size = strlen (text);
    unsigned number = 0;
    for (const char *at = text; *at; at++) {
        number = *at >= '0' && *at <= '9' ? number * 10 + (unsigned) (*at - '0') : 100000;
        if (number > 65535) {
            return false;
        }
    }
    return size > 0 && size <= 5;
}

/* HOST or [HOST], with its end in *end. */
static bool take_host (const char *text, char host[REACH_HOST_MAX], const char **end)
{
    bool bracket = *text == '[';
    const char *start = text + bracket;
    const char *colon = strchr (start, ':');
    const char *close = bracket ? strchr (start, ']') : colon ? colon : start + strlen (start);
    if (!close || close == start || (size_t) (close - start) >= REACH_HOST_MAX
        || (!bracket && colon && strchr (colon + 1, ':'))) { /* IPv6 without brackets */
        return false;
    }
    memcpy (host, start, (size_t) (close - start));
    host[close - start] = 0;
    *end = close + bracket;
    return !strpbrk (host, "/ ");
}

bool reach_parse (const char *text, reach_address_t *address)
{
    const char *end;
    text += strncmp (text, "tcp://", 6) == 0 ? 6 : 0;
    if (!take_host (text, address->host, &end) || (*end && *end != ':')) {
        return false;
    }
    const char *port = *end ? end + 1 : REACH_PORT;
    snprintf (address->port, sizeof address->port, "%s", port);
    return is_port (port);
}

void reach_text (const struct sockaddr_storage *address, socklen_t size, char text[REACH_TEXT_MAX])
{
    char host[REACH_HOST_MAX], port[16];
    bool six = address->ss_family == AF_INET6;
    if (getnameinfo ((const struct sockaddr *) address, size, host, sizeof host, port, sizeof port,
                     NI_NUMERICHOST | NI_NUMERICSERV)
        != 0) {
        snprintf (text, REACH_TEXT_MAX, "?");
        return;
    }
    snprintf (text, REACH_TEXT_MAX, six ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- bytes */

/* Waits until it can be gone on; false: the time is up (ETIMEDOUT), or another error. */
static bool wait_for (int socket, short events, double deadline_ms)
{
    struct pollfd poll_on = {.fd = socket, .events = events};
    double left_ms = deadline_ms - reach_now_ms ();
    int ready = left_ms > 0 ? poll (&poll_on, 1, (int) left_ms + 1) : 0;
    if (ready == 0) {
        errno = ETIMEDOUT;
    }
    return ready > 0 || (ready < 0 && errno == EINTR);
}

bool reach_send (int socket, const void *data, size_t size, int timeout_ms)
{
    const char *at = data;
    double deadline_ms = reach_now_ms () + timeout_ms;
    while (size > 0) {
        ssize_t sent = send (socket, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            size -= (size_t) sent;
        } else if ((errno != EAGAIN && errno != EINTR)
                   || !wait_for (socket, POLLOUT, deadline_ms)) {
            return false;
        }
    }
    return true;
}

bool reach_take (int socket, void *data, size_t size, int timeout_ms)
{
    char *at = data;
    double deadline_ms = reach_now_ms () + timeout_ms;
    while (size > 0) {
        ssize_t got = recv (socket, at, size, MSG_DONTWAIT);
        if (got > 0) {
            at += got;
            size -= (size_t) got;
        } else if (got == 0) {
            errno = 0;
            return false;
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_for (socket, POLLIN, deadline_ms)) {
            return false;
        }
    }
    return true;
}

bool reach_line (int socket, char *line, size_t size, int timeout_ms)
{
    double deadline_ms = reach_now_ms () + timeout_ms;
    for (size_t at = 0; at < size; at++) {
        double left_ms = deadline_ms - reach_now_ms ();
        if (!reach_take (socket, line + at, 1, left_ms > 1 ? (int) left_ms : 1)) {
            return false;
        }
        if (line[at] == '\n') {
            line[at] = 0;
            return true;
        }
    }
    errno = EMSGSIZE;
    return false;
}

/* ---- calling */

static reach_found_t of_errno (reach_t *self)
{
    snprintf (self->reason, sizeof self->reason, "%s", strerror (errno));
    return errno == ECONNREFUSED ? REACH_REFUSED
           : errno == ETIMEDOUT  ? REACH_SILENT
                                 : REACH_NOWHERE;
}

static bool is_connected (int socket)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt (socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        return false;
    }
    errno = error;
    return error == 0;
}

/* REACH_LISTENS: it is connected; who it is, is not known yet. */
static reach_found_t connect_to (reach_t *self, const struct addrinfo *info, int timeout_ms)
{
    double began_ms = reach_now_ms ();
    memcpy (&self->peer, info->ai_addr, info->ai_addrlen);
    self->peer_size = info->ai_addrlen;
    reach_text (&self->peer, self->peer_size, self->number);
    self->socket = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->socket < 0) {
        return of_errno (self);
    }
    bool done = connect (self->socket, info->ai_addr, info->ai_addrlen) == 0;
    if (!done
        && (errno != EINPROGRESS || !wait_for (self->socket, POLLOUT, began_ms + timeout_ms)
            || !is_connected (self->socket))) {
        return of_errno (self);
    }
    struct sockaddr_storage own = {0};
    socklen_t own_size = sizeof own;
    if (getsockname (self->socket, (struct sockaddr *) &own, &own_size) == 0) {
        reach_text (&own, own_size, self->own);
    }
    self->connect_ms = reach_now_ms () - began_ms;
    return REACH_LISTENS;
}

/* The rest of a greeting of ZMTP names the mechanism, once we have said that we speak it. */
static reach_found_t see_greeting (reach_t *self)
{
    uint8_t ours[GREETING_BYTES] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0};
    uint8_t theirs[GREETING_BYTES] = {0};
    memcpy (ours + MECHANISM_AT, "CURVE", 5);
    if (!reach_take (self->socket, theirs + 1, 9, ANSWER_MS) || theirs[9] != 0x7f
        || !reach_send (self->socket, ours, sizeof ours, ANSWER_MS)
        || !reach_take (self->socket, theirs + 10, sizeof theirs - 10, ANSWER_MS)) {
        return REACH_STRANGE;
    }
    return memcmp (theirs + MECHANISM_AT, "CURVE", 6) == 0 ? REACH_DAEMON : REACH_STRANGE;
}

static reach_found_t see_who (reach_t *self)
{
    char hello[sizeof REACH_HELLO] = "";
    if (!reach_take (self->socket, hello, 1, ANSWER_MS)) {
        return REACH_STRANGE;
    }
    if ((uint8_t) hello[0] == 0xff) {
        return see_greeting (self);
    }
    bool ours = reach_take (self->socket, hello + 1, sizeof hello - 2, ANSWER_MS)
                && strcmp (hello, REACH_HELLO) == 0;
    return ours ? REACH_LISTENS : REACH_STRANGE;
}

reach_found_t reach_call (reach_t *self, const reach_address_t *address, int timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    *self = (reach_t){.socket = -1};
    int error = getaddrinfo (address->host, address->port, &hints, &list);
    if (error) {
        snprintf (self->reason, sizeof self->reason, "%s", gai_strerror (error));
        return REACH_NAME;
    }
    reach_found_t found = REACH_NOWHERE;
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        reach_close (self);
        found = connect_to (self, info, timeout_ms);
        if (found == REACH_LISTENS) {
            found = see_who (self);
            break;
        }
    }
    freeaddrinfo (list);
    if (found != REACH_LISTENS) {
        reach_close (self);
    }
    return found;
}

bool reach_next (const reach_t *self, int timeout_ms)
{
    struct sockaddr_storage next = self->peer;
    struct sockaddr_in *four = (struct sockaddr_in *) &next;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) &next;
    in_port_t *port = next.ss_family == AF_INET6 ? &six->sin6_port : &four->sin_port;
    reach_t path = {.socket = -1};
    *port = htons ((uint16_t) (ntohs (*port) + 1));
    const struct addrinfo info = {.ai_family = next.ss_family,
                                  .ai_addr = (struct sockaddr *) &next,
                                  .ai_addrlen = self->peer_size};
    bool reached = connect_to (&path, &info, timeout_ms) == REACH_LISTENS;
    reach_close (&path);
    return reached;
}

void reach_close (reach_t *self)
{
    if (self->socket >= 0) {
        close (self->socket);
    }
    self->socket = -1;
}
