/* listen and dial: two people test the path between their machines, with nothing else running. The
   one who dials asks, in lines; the other answers:

     ping                  pong
     take N, and N bytes   took N
     give N                N bytes

   and a datagram to the same UDP port comes back as it is. */

#include "amounts.h"
#include "commands.h"
#include "paint.h"
#include "reach.h"
#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 10000 /* for one line, or for all bytes of one way */
#define CALL_MS 5000
#define PINGS 5
#define DATAGRAMS 5
#define DATAGRAM_MS 500
#define DATAGRAM_MAX 1400
#define LINE_MAX_BYTES 64

/* ---- listen */

typedef struct listener_t {
    call_t *call;
    int tcp, udp;
    int next; /* on the port after it, where a sakerd publishes; -1: taken */
    char address[REACH_TEXT_MAX];
    uint64_t callers, wanted;
    double deadline_ms; /* 0: none */
} listener_t;

static saker_err_t fail_bind (call_t *call, const reach_address_t *address)
{
    if (errno == EADDRINUSE) {
        return call_fail (
            call, SAKER_EBUSY,
            "port %s is in use: if it is a sakerd, the other side can dial that; else "
            "listen on another port: saker listen tcp://*:5679",
            address->port);
    }
    return call_fail (
        call, errno == EADDRNOTAVAIL ? SAKER_EINPUT : SAKER_EIO,
        "cannot listen on %s port %s: %s; ip addr shows the addresses of this machine",
        address->host, address->port, strerror (errno));
}

static int bind_one (const struct addrinfo *info, int type)
{
    int yes = 1, no = 0;
    int made = socket (info->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        return -1;
    }
    if (type == SOCK_STREAM) {
        setsockopt (made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    }
    if (info->ai_family == AF_INET6) {
        setsockopt (made, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    }
    if (bind (made, info->ai_addr, info->ai_addrlen) != 0
        || (type == SOCK_STREAM && listen (made, 8) != 0)) {
        int error = errno;
        close (made);
        errno = error;
        return -1;
    }
    return made;
}

/* The UDP socket takes the port that the TCP one got. */
static int bind_udp (const listener_t *self)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname (self->tcp, (struct sockaddr *) &bound, &size) != 0) {
        return -1;
    }
    const struct addrinfo info = {
        .ai_family = bound.ss_family, .ai_addr = (struct sockaddr *) &bound, .ai_addrlen = size};
    return bind_one (&info, SOCK_DGRAM);
}

static int bind_next (const reach_address_t *bound)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    char port[16];
    snprintf (port, sizeof port, "%lu", strtoul (bound->port, NULL, 10) + 1);
    if (getaddrinfo (bound->host, port, &hints, &list) != 0) {
        return -1;
    }
    int next = bind_one (list, SOCK_STREAM);
    freeaddrinfo (list);
    return next;
}

static void note_address (listener_t *self)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname (self->tcp, (struct sockaddr *) &bound, &size) == 0) {
        reach_text (&bound, size, self->address);
    }
}

static saker_err_t open_listener (listener_t *self, const reach_address_t *address)
{
    bool any = strcmp (address->host, "*") == 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    int error = getaddrinfo (any ? "0.0.0.0" : address->host, address->port, &hints, &list);
    if (error) {
        return call_fail (self->call, SAKER_EINPUT, "%s: %s", address->host, gai_strerror (error));
    }
    self->tcp = bind_one (list, SOCK_STREAM);
    saker_err_t result = self->tcp < 0 ? fail_bind (self->call, address) : SAKER_OK;
    if (result == SAKER_OK) {
        self->udp = bind_udp (self); /* without, only that is not tested */
        note_address (self);
        reach_address_t bound;
        self->next = reach_parse (self->address, &bound) ? bind_next (&bound) : -1;
    }
    freeaddrinfo (list);
    return result;
}

/* Takes or gives bytes; false: the path broke. */
static bool carry (int socket, size_t size, bool take)
{
    static char bytes[1 << 16];
    while (size > 0) {
        size_t part = size < sizeof bytes ? size : sizeof bytes;
        if (!(take ? reach_take (socket, bytes, part, STEP_MS)
                   : reach_send (socket, bytes, part, STEP_MS))) {
            return false;
        }
        size -= part;
    }
    return true;
}

static bool send_line (int socket, const char *line)
{
    return reach_send (socket, line, strlen (line), STEP_MS);
}

/* One request; false ends the call. */
static bool answer_line (int socket, const char *line)
{
    char answer[LINE_MAX_BYTES], *end = NULL;
    bool take = strncmp (line, "take ", 5) == 0, give = strncmp (line, "give ", 5) == 0;
    if (strcmp (line, "ping") == 0) {
        return send_line (socket, "pong\n");
    }
    unsigned long size = take || give ? strtoul (line + 5, &end, 10) : 0;
    if (!end || *end || size < 1 || size > REACH_BULK || !carry (socket, size, take)) {
        return false;
    }
    snprintf (answer, sizeof answer, "took %lu\n", size);
    return give || send_line (socket, answer);
}

static void say_caller (listener_t *self, const char *caller, unsigned lines)
{
    if (self->call->json) {
        json_t *json = json_pack ("{s:s,s:i}", "caller", caller, "requests", (int) lines);
        (void) say_json (self->call, json);
    } else {
        printf (lines > 0 ? "%s reached this machine, and was answered\n"
                          : "%s connected, and said nothing\n",
                caller);
    }
    fflush (stdout);
}

static void serve (listener_t *self)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char caller[REACH_TEXT_MAX], line[LINE_MAX_BYTES];
    unsigned lines = 0;
    int socket = accept4 (self->tcp, (struct sockaddr *) &peer, &size, SOCK_CLOEXEC);
    if (socket < 0) {
        return;
    }
    reach_text (&peer, size, caller);
    bool going = send_line (socket, REACH_HELLO);
    while (going && reach_line (socket, line, sizeof line, STEP_MS)) {
        going = answer_line (socket, line);
        lines += going;
        if (self->udp >= 0) { /* who dials tries UDP meanwhile */
            char datagram[DATAGRAM_MAX];
            struct sockaddr_storage from;
            socklen_t from_size = sizeof from;
            ssize_t got = recvfrom (self->udp, datagram, sizeof datagram, MSG_DONTWAIT,
                                    (struct sockaddr *) &from, &from_size);
            if (got > 0) {
                (void) sendto (self->udp, datagram, (size_t) got, MSG_DONTWAIT,
                               (const struct sockaddr *) &from, from_size);
            }
        }
    }
    close (socket);
    self->callers++;
    say_caller (self, caller, lines);
}

/* That it was reached is all that the other side wants to know. */
static void take_next (const listener_t *self)
{
    int socket = self->next >= 0 ? accept4 (self->next, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (socket >= 0) {
        close (socket);
    }
}

static saker_err_t serve_all (listener_t *self)
{
    while (self->wanted == 0 || self->callers < self->wanted) {
        struct pollfd poll_on = {.fd = self->tcp, .events = POLLIN};
        double left_ms = self->deadline_ms > 0 ? self->deadline_ms - reach_now_ms () : 60000;
        if (left_ms <= 0) {
            return call_fail (self->call, SAKER_ETIMEOUT,
                              "nobody called in time; see that the other side dials an address of "
                              "this machine (ip addr), and that a firewall lets port %s in",
                              strrchr (self->address, ':') + 1);
        }
        if (poll (&poll_on, 1, (int) left_ms + 1) > 0) {
            serve (self);
        }
        take_next (self);
    }
    return SAKER_OK;
}

static void say_listening (const listener_t *self)
{
    if (self->call->json) {
        (void) say_json (self->call, json_pack ("{s:s}", "listening", self->address));
    } else {
        printf ("listening on %s; on the other machine: saker dial tcp://ADDR:%s\n", self->address,
                strrchr (self->address, ':') + 1);
    }
    fflush (stdout);
}

static saker_err_t take_number (call_t *call, const char *option, uint64_t *number)
{
    const char *text = call_option (call, option);
    char *end = NULL;
    *number = 0;
    if (text) {
        *number = *text >= '0' && *text <= '9' ? strtoull (text, &end, 10) : 0;
        if (!end || *end) {
            return call_fail (call, SAKER_EUSAGE, "--%s %s is no number", option, text);
        }
    }
    return SAKER_OK;
}

static saker_err_t parse_address (call_t *call, const char *text, reach_address_t *address)
{
    return reach_parse (text, address)
               ? SAKER_OK
               : call_fail (call, SAKER_EUSAGE,
                            "%s is no address; write it like tcp://192.168.1.20:5677 or "
                            "tcp://[fe80::1%%eth0]:5677",
                            text);
}

static saker_err_t run_listen (call_t *call)
{
    listener_t self = {.call = call, .tcp = -1, .udp = -1, .next = -1};
    reach_address_t address;
    int64_t timeout_ms = 0;
    saker_err_t error =
        parse_address (call, call_word (call, 0) ? call_word (call, 0) : "tcp://*", &address);
    error = error == SAKER_OK ? take_number (call, "count", &self.wanted) : error;
    error = error == SAKER_OK ? call_duration (call, "timeout", 0, &timeout_ms) : error;
    error = error == SAKER_OK ? open_listener (&self, &address) : error;
    if (error == SAKER_OK) {
        self.deadline_ms = timeout_ms > 0 ? reach_now_ms () + (double) timeout_ms : 0;
        say_listening (&self);
        error = serve_all (&self);
    }
    if (self.tcp >= 0) {
        close (self.tcp);
    }
    if (self.udp >= 0) {
        close (self.udp);
    }
    if (self.next >= 0) {
        close (self.next);
    }
    return error;
}

static const option_t listen_options[] = {
    {"count", "N", "end after N callers (default: go on until it is stopped)"},
    {"timeout", "TIME", "end after this time, with exit status 12"},
    {NULL, NULL, NULL},
};

const command_t cmd_listen = {
    .name = "listen",
    .run = run_listen,
    .usage = "[ADDR] [--count N] [--timeout TIME]",
    .summary = "Wait for saker dial from another machine, to test the path; needs no store.",
    .details = "ADDR is tcp://ADDR:PORT (default: tcp://*:5677, the port of sakerd, "
               "which must not run meanwhile). Each caller is told. Datagrams to the "
               "same UDP port come back. Exit status 9 when the port is in use.",
    .options = listen_options,
    .example = "saker listen  # until Ctrl-C\nsaker listen tcp://*:5679  # until Ctrl-C",
    .words_min = 0,
    .words_max = 1,
};

/* ---- dial */

typedef struct dial_t {
    call_t *call;
    reach_t path;
    double least_ms, mean_ms;
    double there, back; /* bytes a second */
    int datagrams;      /* that came back; -1: not tried */
    bool next;          /* the port after it is reached */
} dial_t;

static saker_err_t broke (dial_t *self, const char *what)
{
    const char *why = errno ? strerror (errno) : "the other side closed it";
    return call_fail (self->call, SAKER_EIO,
                      "connected to %s, but %s broke (%s): something on the path ends or holds up "
                      "connections; look for a firewall, a VPN or a wrong MTU (ping -M do -s 1472)",
                      self->path.number, what, why);
}

static saker_err_t measure_pings (dial_t *self)
{
    char line[LINE_MAX_BYTES];
    for (int i = 0; i < PINGS; i++) {
        double began_ms = reach_now_ms ();
        if (!send_line (self->path.socket, "ping\n")
            || !reach_line (self->path.socket, line, sizeof line, STEP_MS)) {
            return broke (self, "a small message");
        }
        double took_ms = reach_now_ms () - began_ms;
        self->least_ms = i == 0 || took_ms < self->least_ms ? took_ms : self->least_ms;
        self->mean_ms += took_ms / PINGS;
    }
    return SAKER_OK;
}

static saker_err_t measure_bulk (dial_t *self)
{
    char line[LINE_MAX_BYTES];
    double began_ms = reach_now_ms ();
    snprintf (line, sizeof line, "take %u\n", REACH_BULK);
    if (!send_line (self->path.socket, line) || !carry (self->path.socket, REACH_BULK, false)
        || !reach_line (self->path.socket, line, sizeof line, STEP_MS)) {
        return broke (self, "sending 1 MiB");
    }
    double half_ms = reach_now_ms ();
    snprintf (line, sizeof line, "give %u\n", REACH_BULK);
    if (!send_line (self->path.socket, line) || !carry (self->path.socket, REACH_BULK, true)) {
        return broke (self, "taking 1 MiB");
    }
    double end_ms = reach_now_ms ();
    self->there = REACH_BULK / ((half_ms - began_ms) / 1000);
    self->back = REACH_BULK / ((end_ms - half_ms) / 1000);
    return SAKER_OK;
}

/* Each datagram is followed by a line over TCP, at which the other side looks for it. */
static void measure_datagrams (dial_t *self)
{
    char bytes[DATAGRAM_MAX] = "saker-path datagram", back[DATAGRAM_MAX], line[LINE_MAX_BYTES];
    int udp = socket (self->path.peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    self->datagrams = -1;
    if (udp < 0
        || connect (udp, (const struct sockaddr *) &self->path.peer, self->path.peer_size) != 0) {
        return;
    }
    self->datagrams = 0;
    for (int i = 0; i < DATAGRAMS; i++) {
        struct pollfd poll_on = {.fd = udp, .events = POLLIN};
        (void) send (udp, bytes, 64, MSG_NOSIGNAL);
        (void) poll (NULL, 0, 20); /* it takes another way than the line that follows */
        if (!send_line (self->path.socket, "ping\n")
            || !reach_line (self->path.socket, line, sizeof line, STEP_MS)) {
            break;
        }
        bool came = poll (&poll_on, 1, i > 0 && self->datagrams == 0 ? 50 : DATAGRAM_MS) > 0
                    && recv (udp, back, sizeof back, MSG_DONTWAIT) > 0;
        self->datagrams += came;
    }
    close (udp);
}

static saker_err_t fail_call (call_t *call, const reach_t *path, reach_found_t found,
                              const reach_address_t *address)
{
    switch (found) {
    case REACH_NAME:
        return call_fail (call, SAKER_ENOTFOUND,
                          "the name %s cannot be looked up (%s): use the "
                          "address in numbers, as ip addr shows it there",
                          address->host, path->reason);
    case REACH_REFUSED:
        return call_fail (call, SAKER_EUNREACHABLE,
                          "%s refused: the machine is there, but nothing listens on that port; run "
                          "saker listen there, or see whether its sakerd runs, and on which port",
                          path->number);
    case REACH_SILENT:
        return call_fail (
            call, SAKER_EUNREACHABLE,
            "%s does not answer: the address is wrong, the machine is off, or a "
            "firewall drops what comes to port %s; try ping %s, and open the port there",
            path->number, address->port, address->host);
    case REACH_NOWHERE:
        return call_fail (
            call, SAKER_EUNREACHABLE,
            "no way to %s (%s): see ip route here, and that both are in one network or "
            "VPN",
            path->number, path->reason);
    case REACH_STRANGE:
    case REACH_LISTENS:
    case REACH_DAEMON:
        break;
    }
    return call_fail (call, SAKER_EINPUT,
                      "%s takes connections, but neither saker listen nor a sakerd answers there: "
                      "another program has that port",
                      path->number);
}

static saker_err_t say_result (dial_t *self, bool daemon)
{
    char there[AMOUNT_MAX], back[AMOUNT_MAX];
    const reach_t *path = &self->path;
    if (self->call->json) {
        json_t *json =
            json_pack ("{s:s,s:s,s:s,s:f}", "address", path->number, "from", path->own, "answers",
                       daemon ? "sakerd" : "listen", "connect_ms", path->connect_ms);
        json_t *more = daemon ? json_object ()
                              : json_pack ("{s:b,s:f,s:f,s:f,s:f,s:i,s:i}", "next_port", self->next,
                                           "rtt_ms", self->least_ms, "rtt_mean_ms", self->mean_ms,
                                           "there_bytes_s", self->there, "back_bytes_s", self->back,
                                           "datagrams", self->datagrams < 0 ? 0 : self->datagrams,
                                           "datagrams_sent", DATAGRAMS);
        json_object_update (json, more);
        json_decref (more);
        return say_json (self->call, json);
    }
    paint_text (stdout, PAINT_GREEN, "reached");
    printf (": %s from %s, connected in %.1f ms\n", path->number, path->own, path->connect_ms);
    if (daemon) {
        puts (
            "a sakerd answers there; whether it knows this device only a link tells: saker links");
        return SAKER_OK;
    }
    amount_bytes ((uint64_t) self->there, there);
    amount_bytes ((uint64_t) self->back, back);
    printf ("round trip: %.2f ms at least, %.2f ms on average\n", self->least_ms, self->mean_ms);
    printf ("1 MiB each way: there %s/s, back %s/s\n", there, back);
    puts (self->next ? "the next port is reached, too"
                     : "the next port is not reached: a sakerd publishes there, so let it in, too");
    if (self->datagrams > 0) {
        printf ("UDP: %d of %d datagrams came back\n", self->datagrams, DATAGRAMS);
    } else {
        puts ("UDP: no datagram came back; beacons may not pass either: name a seed (man "
              "saker.conf)");
    }
    return SAKER_OK;
}

static saker_err_t measure (dial_t *self)
{
    saker_err_t error = measure_pings (self);
    error = error == SAKER_OK ? measure_bulk (self) : error;
    if (error == SAKER_OK) {
        measure_datagrams (self);
        self->next = reach_next (&self->path, CALL_MS);
    }
    return error;
}

static saker_err_t run_dial (call_t *call)
{
    dial_t self = {.call = call, .path.socket = -1};
    reach_address_t address;
    int64_t timeout_ms = 0;
    saker_err_t error = parse_address (call, call_word (call, 0), &address);
    error = error == SAKER_OK ? call_duration (call, "timeout", CALL_MS, &timeout_ms) : error;
    if (error != SAKER_OK) {
        return error;
    }
    reach_found_t found = reach_call (&self.path, &address, (int) timeout_ms);
    if (found == REACH_LISTENS) {
        error = measure (&self);
    } else if (found != REACH_DAEMON) {
        error = fail_call (call, &self.path, found, &address);
    }
    error = error == SAKER_OK ? say_result (&self, found == REACH_DAEMON) : error;
    reach_close (&self.path);
    return error;
}

static const option_t dial_options[] = {
    {"timeout", "TIME", "how long to try to connect (default: 5s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_dial = {
    .name = "dial",
    .run = run_dial,
    .usage = "ADDR [--timeout TIME]",
    .summary =
        "Test the path to a saker listen, or to a sakerd, on another machine; needs no store.",
    .details = "ADDR is tcp://HOST:PORT, HOST:PORT or HOST (port 5677). With a saker "
               "listen at the other end it measures the round trip, 1 MiB each way, and "
               "whether UDP passes and the next port, on which a sakerd publishes, is "
               "reached; a sakerd that runs there is recognised. No key is needed or "
               "told. Exit status 3: the name cannot be looked up; 13: no answer, or "
               "refused; 1: something else answers.",
    .options = dial_options,
    .example = "saker dial tcp://192.168.1.20:5677",
    .words_min = 1,
    .words_max = 1,
};
