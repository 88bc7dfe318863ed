/* A relay between daemons that each live in a network namespace of their own, with no network but
   what the relay gives them: there is no netem on every machine. In the namespace of peer A it
   listens on the addresses of all others (10.9.0.B, ports 5677 and 5678); what A sends there it
   carries to B, by a connection that it makes within B's namespace. Sockets belong to the namespace
   in which they were made, so one process does it all.

     relay PREFIX COUNT       namespaces PREFIX1 ... PREFIXn; commands on standard input, one a
   line, each answered by "ok" or "error: ..."

     path A B [delay MS] [jitter MS] [rate BYTES] [stall ONE_IN] [blocked 0|1] [deaf 0|1]
                              of what goes from A to B; * is all. `stall`: of so many chunks one
   waits a second, as a lost packet does; `blocked`: nothing comes through, all is kept; `deaf`:
   nothing is even read (half-open) reset A B                connections between the two end by RST,
   with what was on its way heal                     all paths are good; what was kept comes now
     stats                    "ok connections N bytes N" */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 32
#define PORTS 2
#define CHUNK_BYTES 16384
#define KEPT_BYTES_MAX (256u << 10) /* of one direction; then it is not read on */
#define CONNECTIONS_MAX 4096
#define STALL_MS 1000

typedef struct chunk_t {
    STAILQ_ENTRY (chunk_t) next;
    uint64_t due_ms;
    size_t size, sent;
    uint8_t bytes[];
} chunk_t;

typedef struct path_t {
    unsigned delay_ms, jitter_ms, rate, stall;
    bool blocked, deaf;
} path_t;

typedef struct direction_t { /* from end 0 to end 1, or back */
    STAILQ_HEAD (, chunk_t) chunks;
    size_t kept;
    uint64_t free_ms; /* when a slow path is free again */
    uint64_t last_ms; /* chunks do not overtake each other */
    bool ended;       /* nothing more will be read */
} direction_t;

typedef struct connection_t {
    int peers[2]; /* who called whom */
    int ends[2];  /* descriptors; -1: none */
    bool connecting;
    direction_t directions[2];
} connection_t;

static path_t paths[PEERS_MAX + 1][PEERS_MAX + 1];
static int spaces[PEERS_MAX + 1]; /* descriptors of the namespaces */
static int listeners[PEERS_MAX + 1][PEERS_MAX + 1][PORTS];
static connection_t *connections[CONNECTIONS_MAX];
static size_t connections_count;
static int peers;
static uint64_t bytes_carried;

static uint64_t now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void die (const char *what)
{
    perror (what);
    exit (1);
}

static struct sockaddr_in address_of (int peer, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons ((uint16_t) (5677 + port))};
    address.sin_addr.s_addr = htonl (0x0a090000u + (uint32_t) peer);
    return address;
}

static int socket_in (int peer)
{
    int one = 1;
    if (setns (spaces[peer], CLONE_NEWNET) != 0) {
        die ("setns");
    }
    int descriptor = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        die ("socket");
    }
    setsockopt (descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt (descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}

static void listen_all (const char *prefix)
{
    for (int i = 1; i <= peers; i++) {
        char name[256];
        snprintf (name, sizeof name, "/run/netns/%s%d", prefix, i);
        spaces[i] = open (name, O_RDONLY | O_CLOEXEC);
        if (spaces[i] < 0) {
            die (name);
        }
    }
    for (int i = 1; i <= peers; i++) {
        for (int k = 1; k <= peers; k++) {
            for (int port = 0; port < PORTS && k != i; port++) {
                struct sockaddr_in address = address_of (k, port);
                int descriptor = socket_in (i);
                if (bind (descriptor, (void *) &address, sizeof address) != 0
                    || listen (descriptor, 64) != 0) {
                    die ("listen");
                }
                listeners[i][k][port] = descriptor;
            }
        }
    }
}

/* ---- connections */

static void drop_chunks (direction_t *self)
{
    chunk_t *chunk;
    while ((chunk = STAILQ_FIRST (&self->chunks))) {
        STAILQ_REMOVE_HEAD (&self->chunks, next);
        free (chunk);
    }
    self->kept = 0;
}

static void end_connection (size_t at, bool reset)
{
    connection_t *self = connections[at];
    struct linger at_once = {1, 0};
    for (int i = 0; i < 2; i++) {
        if (self->ends[i] >= 0) {
            if (reset) {
                setsockopt (self->ends[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            }
            close (self->ends[i]);
        }
        drop_chunks (&self->directions[i]);
    }
    free (self);
    connections[at] = connections[--connections_count];
}

static void take_call (int from, int to, int port)
{
    struct sockaddr_in address = address_of (to, port);
    int one = 1;
    int called = accept4 (listeners[from][to][port], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    connection_t *self = called >= 0 ? calloc (1, sizeof *self) : NULL;
    if (!self || connections_count == CONNECTIONS_MAX) {
        if (called >= 0) {
            close (called);
        }
        free (self);
        return;
    }
    setsockopt (called, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    self->peers[0] = from;
    self->peers[1] = to;
    self->ends[0] = called;
    self->ends[1] = socket_in (to);
    self->connecting = true;
    STAILQ_INIT (&self->directions[0].chunks);
    STAILQ_INIT (&self->directions[1].chunks);
    connections[connections_count++] = self;
    if (connect (self->ends[1], (void *) &address, sizeof address) != 0 && errno != EINPROGRESS) {
        end_connection (connections_count - 1, true);
    }
}

static const path_t *path_of (const connection_t *self, int direction)
{
    return &paths[self->peers[direction]][self->peers[!direction]];
}

static uint64_t due_time (direction_t *self, const path_t *path, size_t size)
{
    uint64_t now = now_ms ();
    uint64_t due = now + path->delay_ms;
    due += path->jitter_ms ? (uint64_t) rand () % path->jitter_ms : 0;
    due += path->stall && (unsigned) rand () % path->stall == 0 ? STALL_MS : 0;
    if (path->rate) {
        uint64_t from = self->free_ms > now ? self->free_ms : now;
        self->free_ms = from + size * 1000 / path->rate;
        due = due > self->free_ms ? due : self->free_ms;
    }
    self->last_ms = due > self->last_ms ? due : self->last_ms;
    return self->last_ms;
}

/* False: this side is gone. */
static bool read_end (connection_t *self, int direction)
{
    direction_t *to = &self->directions[direction];
    chunk_t *chunk = malloc (sizeof *chunk + CHUNK_BYTES);
    ssize_t got = chunk ? read (self->ends[direction], chunk->bytes, CHUNK_BYTES) : -1;
    if (got <= 0) {
        bool again = got < 0 && (errno == EAGAIN || errno == EINTR);
        free (chunk);
        return again;
    }
    chunk->size = (size_t) got;
    chunk->sent = 0;
    chunk->due_ms = due_time (to, path_of (self, direction), chunk->size);
    to->kept += chunk->size;
    STAILQ_INSERT_TAIL (&to->chunks, chunk, next);
    return true;
}

static bool write_end (connection_t *self, int direction)
{
    direction_t *from = &self->directions[direction];
    chunk_t *chunk;
    while ((chunk = STAILQ_FIRST (&from->chunks)) && chunk->due_ms <= now_ms ()
           && !path_of (self, direction)->blocked) {
        ssize_t sent = send (self->ends[!direction], chunk->bytes + chunk->sent,
                             chunk->size - chunk->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        chunk->sent += (size_t) sent;
        bytes_carried += (uint64_t) sent;
        if (chunk->sent < chunk->size) {
            return true;
        }
        STAILQ_REMOVE_HEAD (&from->chunks, next);
        from->kept -= chunk->size;
        free (chunk);
    }
    return true;
}

/* ---- commands */

static bool number_of (const char *word, int *first, int *last)
{
    char *end = NULL;
    long number = word ? strtol (word, &end, 10) : 0;
    if (word && strcmp (word, "*") == 0) {
        *first = 1;
        *last = peers;
        return true;
    }
    *first = *last = (int) number;
    return word && !*end && number >= 1 && number <= peers;
}

static bool set_path (path_t *path, const char *key, const char *value)
{
    char *end = NULL;
    unsigned long number = strtoul (value, &end, 10);
    if (*end || !*value) {
        return false;
    }
    if (strcmp (key, "delay") == 0) {
        path->delay_ms = (unsigned) number;
    } else if (strcmp (key, "jitter") == 0) {
        path->jitter_ms = (unsigned) number;
    } else if (strcmp (key, "rate") == 0) {
        path->rate = (unsigned) number;
    } else if (strcmp (key, "stall") == 0) {
        path->stall = (unsigned) number;
    } else if (strcmp (key, "blocked") == 0) {
        path->blocked = number;
    } else if (strcmp (key, "deaf") == 0) {
        path->deaf = number;
    } else {
        return false;
    }
    return true;
}

static const char *set_paths (char *rest)
{
    int a[2], b[2];
    if (!number_of (strtok_r (rest, " ", &rest), &a[0], &a[1])
        || !number_of (strtok_r (NULL, " ", &rest), &b[0], &b[1])) {
        return "error: path A B ...: a peer is a number or *";
    }
    char *key, *value;
    while ((key = strtok_r (NULL, " ", &rest)) && (value = strtok_r (NULL, " ", &rest))) {
        for (int i = a[0]; i <= a[1]; i++) {
            for (int k = b[0]; k <= b[1]; k++) {
                if (!set_path (&paths[i][k], key, value)) {
                    return "error: delay, jitter, rate, stall, blocked or deaf, and a number";
                }
            }
        }
    }
    return "ok";
}

static const char *reset (char *rest)
{
    int a[2], b[2];
    if (!number_of (strtok_r (rest, " ", &rest), &a[0], &a[1])
        || !number_of (strtok_r (NULL, " ", &rest), &b[0], &b[1])) {
        return "error: reset A B: a peer is a number or *";
    }
    for (size_t i = connections_count; i-- > 0;) {
        const int *of = connections[i]->peers;
        bool there = of[0] >= a[0] && of[0] <= a[1] && of[1] >= b[0] && of[1] <= b[1];
        bool back = of[1] >= a[0] && of[1] <= a[1] && of[0] >= b[0] && of[0] <= b[1];
        if (there || back) {
            end_connection (i, true);
        }
    }
    return "ok";
}

static const char *heal (void)
{
    memset (paths, 0, sizeof paths);
    for (size_t i = 0; i < connections_count; i++) {
        for (int k = 0; k < 2; k++) {
            direction_t *direction = &connections[i]->directions[k];
            chunk_t *chunk;
            direction->free_ms = direction->last_ms = 0;
            STAILQ_FOREACH (chunk, &direction->chunks, next)
            {
                chunk->due_ms = 0;
            }
        }
    }
    return "ok";
}

static void obey (char *line)
{
    char *rest = line;
    char *word = strtok_r (rest, " \n", &rest);
    const char *answer = "error: path, reset, heal or stats";
    static char text[96];
    if (word && strcmp (word, "path") == 0) {
        rest[strcspn (rest, "\n")] = 0;
        answer = set_paths (rest);
    } else if (word && strcmp (word, "reset") == 0) {
        rest[strcspn (rest, "\n")] = 0;
        answer = reset (rest);
    } else if (word && strcmp (word, "heal") == 0) {
        answer = heal ();
    } else if (word && strcmp (word, "stats") == 0) {
        snprintf (text, sizeof text, "ok connections %zu bytes %llu", connections_count,
                  (unsigned long long) bytes_carried);
        answer = text;
    }
    puts (answer);
    fflush (stdout);
}

/* ---- the loop */

static struct pollfd polled[1 + PEERS_MAX * PEERS_MAX * PORTS + 2 * CONNECTIONS_MAX];

static uint64_t next_due_ms (void)
{
    uint64_t due = now_ms () + 1000;
    for (size_t i = 0; i < connections_count; i++) {
        for (int k = 0; k < 2; k++) {
            const chunk_t *chunk = STAILQ_FIRST (&connections[i]->directions[k].chunks);
            if (chunk && chunk->due_ms < due && !path_of (connections[i], k)->blocked) {
                due = chunk->due_ms;
            }
        }
    }
    return due;
}

static short wanted (const connection_t *self, int end)
{
    const direction_t *out = &self->directions[end], *in = &self->directions[!end];
    const chunk_t *chunk = STAILQ_FIRST (&in->chunks);
    bool reads = !self->connecting && out->kept < KEPT_BYTES_MAX && !path_of (self, end)->deaf;
    bool writes = (end == 1 && self->connecting)
                  || (chunk && chunk->due_ms <= now_ms () && !path_of (self, !end)->blocked);
    return (short) ((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static size_t list_polled (void)
{
    size_t count = 0;
    polled[count++] = (struct pollfd){.fd = 0, .events = POLLIN};
    for (int i = 1; i <= peers; i++) {
        for (int k = 1; k <= peers; k++) {
            for (int port = 0; port < PORTS && k != i; port++) {
                polled[count++] = (struct pollfd){.fd = listeners[i][k][port], .events = POLLIN};
            }
        }
    }
    for (size_t i = 0; i < connections_count; i++) {
        for (int k = 0; k < 2; k++) {
            short events = wanted (connections[i], k);
            /* not even an end is looked for where nothing is wanted: that is what half-open means
             */
            polled[count++] =
                (struct pollfd){.fd = events ? connections[i]->ends[k] : -1, .events = events};
        }
    }
    return count;
}

static bool turn_connection (connection_t *self, const struct pollfd *ends)
{
    if (self->connecting && ends[1].revents) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt (self->ends[1], SOL_SOCKET, SO_ERROR, &error, &size);
        self->connecting = false;
        if (error) {
            return false;
        }
    }
    for (int k = 0; k < 2; k++) {
        if ((ends[k].revents & (POLLIN | POLLHUP | POLLERR)) && !self->connecting
            && (ends[k].events & POLLIN) && !read_end (self, k)) {
            return false;
        }
        if (!self->connecting && !write_end (self, k)) {
            return false;
        }
    }
    return true;
}

static void turn (void)
{
    size_t count = list_polled ();
    size_t known = connections_count;
    uint64_t due = next_due_ms (), now = now_ms ();
    if (poll (polled, (nfds_t) count, due > now ? (int) (due - now) : 0) < 0 && errno != EINTR) {
        die ("poll");
    }
    size_t at = 1;
    for (int i = 1; i <= peers; i++) {
        for (int k = 1; k <= peers; k++) {
            for (int port = 0; port < PORTS && k != i; port++) {
                if (polled[at++].revents) {
                    take_call (i, k, port);
                }
            }
        }
    }
    for (size_t i = known; i-- > 0;) { /* backwards: the last takes the place of one that ends */
        if (!turn_connection (connections[i], &polled[at + 2 * i])) {
            end_connection (i, false);
        }
    }
    if (polled[0].revents) {
        char line[256];
        if (!fgets (line, sizeof line, stdin)) {
            exit (0);
        }
        obey (line);
    }
}

int main (int argc, char **argv)
{
    peers = argc == 3 ? (int) strtol (argv[2], NULL, 10) : 0;
    if (peers < 2 || peers > PEERS_MAX) {
        fprintf (stderr, "usage: relay PREFIX COUNT\n");
        return 2;
    }
    setvbuf (stdin, NULL, _IONBF, 0); /* a line that waits shows in poll */
    listen_all (argv[1]);
    puts ("ok");
    fflush (stdout);
    for (;;) {
        turn ();
    }
}
