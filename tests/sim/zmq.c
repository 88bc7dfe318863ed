/* libzmq and zbeacon, as far as saker uses them, on a simulated network.

   A connection of a client socket to a server socket goes through: dialling (again and again, while
   nobody answers), shaking hands (the server's ZAP handler is asked, in that peer's own time), up,
   and broken by a reset, by silence in one direction, or by the end of either side. What was on its
   way when it breaks is gone; what a DEALER was given before is sent when it is up. On the way a
   message is delayed, held back by a path that is blocked, and, more than TCP would do, may be
   lost, doubled, overtaken or damaged. */

#include "tests/sim/sim.h"

#include <czmq.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PARTS_MAX 8
#define RETRY_MS 100
#define RETRY_MAX_MS 2000
#define HELD_MS 50      /* a message before a blocked path looks again */
#define SILENCE_MS 6000 /* a blocked path breaks its connections */
#define HIGH_WATER_REQUESTS 32
#define HIGH_WATER_FRAMES 256
#define EVENT_MAX_MS 120000
#define DAMAGE_NEAR_BYTES 16384
#define DESCRIPTOR_FIRST 1000000

typedef struct message_t {
    STAILQ_ENTRY (message_t) next;
    size_t count;
    struct {
        uint8_t *data;
        size_t size;
    } parts[PARTS_MAX];
    char user_id[80];
} message_t;

typedef struct socket_t {
    LIST_ENTRY (socket_t) next;
    int type;
    int peer;
    char bound[128];
    uint8_t server_key[32], public_key[32];
    int64_t message_bytes_max;
    STAILQ_HEAD (, message_t) in;
    message_t *reading;
    size_t read; /* parts of it */
    message_t *writing;
    int descriptor;
    uint32_t answering; /* REP: the connection that the last request was about */
    uint64_t answering_life;
} socket_t;

typedef enum stage_t { DIALLING, SHAKING, UP, REFUSED } stage_t;

typedef struct connection_t {
    bool used;
    uint64_t life; /* grows when it breaks: what was on its way is of an earlier life */
    stage_t stage;
    socket_t *client, *server; /* server: NULL unless shaking or up */
    char address[128];
    uint64_t retry_ms;
    uint32_t routing;
    char user_id[80];
    STAILQ_HEAD (, message_t) waiting; /* of a DEALER before it is up */
    size_t waiting_count;
    uint64_t last_ms[2]; /* when the last message arrives: to server, to client */
    uint64_t busy_ms[2]; /* when a slow path is free again */
    size_t flying[2];    /* messages on their way */
    uint64_t blocked_ms; /* since when a direction is blocked; 0: it is not */
} connection_t;

typedef enum event_kind_t { DIAL, SHAKEN, ARRIVE, LOOK, BEACON } event_kind_t;

typedef struct event_t {
    uint64_t at_ms, serial;
    event_kind_t kind;
    uint32_t connection;
    uint64_t life;
    int direction; /* 0: to the server, 1: to the client */
    message_t *message;
    bool accepted;
} event_t;

typedef struct beacon_t {
    LIST_ENTRY (beacon_t) next;
    int peer;
    uint8_t bytes[64];
    size_t size;
    bool asked;
    int descriptor;
    STAILQ_HEAD (, message_t) in;
} beacon_t;

sim_path_t sim_paths[SIM_PEERS_MAX + 1][SIM_PEERS_MAX + 1];

static LIST_HEAD (, socket_t) sockets;
static LIST_HEAD (, beacon_t) beacons;
static connection_t *connections;
static uint32_t connections_count, connections_capacity;
static uint64_t storm_s, storm_messages;
static event_t *heap;
static size_t heap_count, heap_capacity;
static uint64_t serial, look_ms;
static uint32_t routings;
static const uint8_t nobody[32] = {77}; /* the key of a stranger */
static bool *signals;                   /* a descriptor each; as libzmq's: see mesh/poller.h */
static size_t signals_count, signals_capacity;

/* ---- messages */

static message_t *message_new (void)
{
    message_t *message = calloc (1, sizeof *message);
    if (!message) {
        abort ();
    }
    return message;
}

static void message_add (message_t *message, const void *data, size_t size)
{
    if (message->count == PARTS_MAX) {
        return;
    }
    uint8_t *copy = malloc (size + 1);
    memcpy (copy, data, size);
    message->parts[message->count].data = copy;
    message->parts[message->count++].size = size;
}

static void message_free (message_t *message)
{
    if (message) {
        for (size_t i = 0; i < message->count; i++) {
            free (message->parts[i].data);
        }
        free (message);
    }
}

static message_t *message_copy (const message_t *message)
{
    message_t *copy = message_new ();
    for (size_t i = 0; i < message->count; i++) {
        message_add (copy, message->parts[i].data, message->parts[i].size);
    }
    return copy;
}

/* ---- events */

static bool before (const event_t *one, const event_t *other)
{
    return one->at_ms != other->at_ms ? one->at_ms < other->at_ms : one->serial < other->serial;
}

static void sift_up (size_t at)
{
    while (at && before (&heap[at], &heap[(at - 1) / 2])) {
        event_t swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void sift_down (size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_count; child++) {
            least = before (&heap[child], &heap[least]) ? child : least;
        }
        if (least == at) {
            return;
        }
        event_t swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

static void push (event_t event)
{
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? 2 * heap_capacity : 256;
        heap = realloc (heap, heap_capacity * sizeof *heap);
    }
    event.serial = ++serial;
    heap[heap_count++] = event;
    sift_up (heap_count - 1);
}

static event_t pop (void)
{
    event_t first = heap[0];
    heap[0] = heap[--heap_count];
    sift_down (0);
    return first;
}

/* ---- connections */

static const sim_path_t *path_of (const connection_t *self, int direction)
{
    int client = self->client->peer;
    int server = self->server->peer;
    return direction ? &sim_paths[server][client] : &sim_paths[client][server];
}

static void wake (int peer, uint64_t at_ms)
{
    if (sim.peers[peer].wake_ms > at_ms) {
        sim.peers[peer].wake_ms = at_ms;
    }
}

/* ---- descriptors */

static int descriptor_new (void)
{
    if (signals_count == signals_capacity) {
        signals_capacity = signals_capacity ? 2 * signals_capacity : 64;
        signals = realloc (signals, signals_capacity * sizeof *signals);
    }
    signals[signals_count] = false;
    return DESCRIPTOR_FIRST + (int) signals_count++;
}

static void signal_set (int descriptor, bool set)
{
    signals[descriptor - DESCRIPTOR_FIRST] = set;
}

static void deliver (socket_t *socket, message_t *message)
{
    signal_set (socket->descriptor, true);
    STAILQ_INSERT_TAIL (&socket->in, message, next);
    wake (socket->peer, sim.now_ms);
}

static void dial_later (uint32_t no)
{
    connection_t *self = &connections[no];
    self->stage = DIALLING;
    self->server = NULL;
    push ((event_t){
        .at_ms = sim.now_ms + self->retry_ms, .kind = DIAL, .connection = no, .life = self->life});
    self->retry_ms = 2 * self->retry_ms < RETRY_MAX_MS ? 2 * self->retry_ms : RETRY_MAX_MS;
}

static void break_connection (uint32_t no)
{
    connection_t *self = &connections[no];
    self->life++;
    self->routing = 0;
    self->blocked_ms = 0;
    memset (self->flying, 0, sizeof self->flying);
    memset (self->last_ms, 0, sizeof self->last_ms);
    memset (self->busy_ms, 0, sizeof self->busy_ms);
    self->retry_ms = RETRY_MS;
    dial_later (no);
}

static void end_connection (uint32_t no)
{
    connection_t *self = &connections[no];
    message_t *message;
    while ((message = STAILQ_FIRST (&self->waiting))) {
        STAILQ_REMOVE_HEAD (&self->waiting, next);
        message_free (message);
    }
    uint64_t life = self->life + 1;
    memset (self, 0, sizeof *self);
    self->life = life;
    STAILQ_INIT (&self->waiting);
}

static socket_t *bound_at (const char *address)
{
    socket_t *socket;
    LIST_FOREACH (socket, &sockets, next)
    {
        if (strcmp (socket->bound, address) == 0) {
            return socket;
        }
    }
    return NULL;
}

static socket_t *socket_of (int peer, int type, const char *prefix)
{
    socket_t *socket;
    LIST_FOREACH (socket, &sockets, next)
    {
        if (socket->peer == peer && socket->type == type
            && strncmp (socket->bound, prefix, strlen (prefix)) == 0) {
            return socket;
        }
    }
    return NULL;
}

/* The server's ZAP handler is asked, as libzmq does: one request of seven frames. */
static void ask_zap (uint32_t no)
{
    connection_t *self = &connections[no];
    socket_t *handler = socket_of (self->server->peer, ZMQ_REP, "inproc://");
    char request[32];
    if (!handler) {
        break_connection (no);
        return;
    }
    message_t *message = message_new ();
    snprintf (request, sizeof request, "%u.%llu", no, (unsigned long long) self->life);
    message_add (message, "1.0", 3);
    message_add (message, request, strlen (request));
    message_add (message, SKR_ZAP_DOMAIN, strlen (SKR_ZAP_DOMAIN));
    message_add (message, "10.0.0.9", 8);
    message_add (message, "", 0);
    message_add (message, "CURVE", 5);
    message_add (message, self->client->public_key, 32);
    deliver (handler, message);
}

static void on_dial (uint32_t no)
{
    connection_t *self = &connections[no];
    socket_t *server = bound_at (self->address);
    if (!server || sim.peers[server->peer].crashed) {
        dial_later (no);
        return;
    }
    self->server = server;
    if (path_of (self, 0)->blocked || path_of (self, 1)->blocked
        || memcmp (server->public_key, self->client->server_key, 32) != 0) {
        dial_later (no);
        return;
    }
    self->stage = SHAKING;
    ask_zap (no);
}

/* What the handler decided. A client that was refused does not try again: libzmq 4.3.4 does so. */
static void on_decision (uint32_t no, uint64_t life, bool accepted, const char *user_id)
{
    connection_t *self = no < connections_count ? &connections[no] : NULL;
    if (!self || !self->used || self->life != life || self->stage != SHAKING) {
        return;
    }
    if (accepted && memcmp (self->client->public_key, nobody, 32) == 0) {
        sim_fail ("peer %d lets a stranger in", self->server->peer);
    }
    snprintf (self->user_id, sizeof self->user_id, "%s", user_id);
    push ((event_t){.at_ms = sim.now_ms + 1 + path_of (self, 1)->delay_ms,
                    .kind = SHAKEN,
                    .connection = no,
                    .life = life,
                    .accepted = accepted});
}

static bool flies (uint32_t no, int direction, message_t *message);

static void on_shaken (uint32_t no, bool accepted)
{
    connection_t *self = &connections[no];
    message_t *message;
    if (!accepted) {
        self->stage = REFUSED;
        self->server = NULL;
        return;
    }
    self->stage = UP;
    self->routing = ++routings;
    self->retry_ms = RETRY_MS;
    while ((message = STAILQ_FIRST (&self->waiting))) {
        STAILQ_REMOVE_HEAD (&self->waiting, next);
        flies (no, 0, message);
    }
    self->waiting_count = 0;
}

/* ---- on the way */

/* Half of the time near its beginning: there a snapshot has its cells, which nobody signed. */
static void damage (message_t *message)
{
    size_t last = message->count - 1;
    size_t size = message->parts[last].size;
    if (size) {
        bool near = size > DAMAGE_NEAR_BYTES && sim_one_in (SIM_NETWORK, 2);
        size_t at = sim_below (SIM_NETWORK, near ? DAMAGE_NEAR_BYTES : size);
        message->parts[last].data[at] ^= (uint8_t) (1u << sim_below (SIM_NETWORK, 8));
    }
}

/* A request or an answer, whoever made the connection. */
static skr_span_t question_of (const message_t *message)
{
    size_t last = message->count - 1;
    skr_span_t body = skr_span (message->parts[last].data, message->parts[last].size);
    bool back = body.size && (*body.data == SKR_WIRE_ASK || *body.data == SKR_WIRE_REPLY);
    return skr_span (body.data + back, body.size - back);
}

/* What a member says that it has is believed, since CURVE lets nobody else say it: damaged it is a
   member that lies, and would let others cut what it lacks. It is lost instead. */
static bool is_claim (const message_t *message)
{
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    skr_span_t body = question_of (message);
    return skr_wire_open (&cbor, body, &number, &kind, &count) == SAKER_OK && kind == SKR_WIRE_CLOCK
           && count > 1;
}

static uint64_t arrival (connection_t *self, int direction, const message_t *message)
{
    const sim_path_t *path = path_of (self, direction);
    uint64_t at_ms = sim.now_ms + path->delay_ms + sim_below (SIM_NETWORK, path->jitter_ms + 1);
    if (path->bytes_a_second) {
        size_t size = 60;
        for (size_t i = 0; i < message->count; i++) {
            size += message->parts[i].size;
        }
        uint64_t from_ms =
            self->busy_ms[direction] > sim.now_ms ? self->busy_ms[direction] : sim.now_ms;
        self->busy_ms[direction] = from_ms + size * 1000 / path->bytes_a_second;
        at_ms = self->busy_ms[direction] + path->delay_ms;
        sim_count (SIM_SLOW, "a message of %zu bytes on a slow path", size);
    }
    if (path->reorder && sim_one_in (SIM_NETWORK, path->reorder) && sim_may (SIM_REORDER)) {
        sim_count (SIM_REORDER, "a message is overtaken");
        return at_ms + sim_below (SIM_NETWORK, 200);
    }
    if (at_ms < self->last_ms[direction]) {
        at_ms = self->last_ms[direction];
    }
    self->last_ms[direction] = at_ms;
    return at_ms;
}

/* Peers that answer each other without end would go on for ever. */
static void count_message (void)
{
    if (sim.now_ms / 1000 != storm_s) {
        storm_s = sim.now_ms / 1000;
        storm_messages = 0;
    }
    if (++storm_messages == SIM_MESSAGES_MAX) {
        sim_fail ("a storm: %d messages in one second", SIM_MESSAGES_MAX);
    }
}

static void fly (uint32_t no, int direction, message_t *message)
{
    connection_t *self = &connections[no];
    self->flying[direction]++;
    count_message ();
    push ((event_t){.at_ms = arrival (self, direction, message),
                    .kind = ARRIVE,
                    .connection = no,
                    .life = self->life,
                    .direction = direction,
                    .message = message});
}

/* Takes the message. False: no room. */
static bool flies (uint32_t no, int direction, message_t *message)
{
    connection_t *self = &connections[no];
    bool frames = self->client->type == ZMQ_SUB;
    const sim_path_t *path = path_of (self, direction);
    if (self->flying[direction] >= (frames ? HIGH_WATER_FRAMES : HIGH_WATER_REQUESTS)) {
        message_free (message);
        return false;
    }
    if (path->delay_ms > 1000) {
        sim_count (SIM_DELAY, "a message takes %u ms", path->delay_ms);
    }
    if (frames && sim_faults_no_pub ()) {
        sim_count (SIM_NO_PUB, "a published frame is lost, as all are");
        message_free (message);
        return true;
    }
    if (frames && path->pub_lost && sim_may (SIM_PUB_LOST)) {
        sim_count (SIM_PUB_LOST, "a published frame is lost");
        message_free (message);
        return true;
    }
    if (sim_one_in (SIM_NETWORK, path->loss) && sim_may (SIM_LOSS)) {
        sim_count (SIM_LOSS, "a message is lost");
        message_free (message);
        return true;
    }
    if (sim_one_in (SIM_NETWORK, path->duplicate) && sim_may (SIM_DUPLICATE)) {
        sim_count (SIM_DUPLICATE, "a message comes twice");
        fly (no, direction, message_copy (message));
    }
    if (sim_one_in (SIM_NETWORK, path->damage) && sim_may (SIM_DAMAGE)) {
        sim_count (SIM_DAMAGE, "a message is damaged");
        if (is_claim (message)) {
            message_free (message);
            return true;
        }
        damage (message);
    }
    fly (no, direction, message);
    return true;
}

static void note_part (const connection_t *self, const message_t *message)
{
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    skr_span_t body = question_of (message);
    if (self->client->type == ZMQ_DEALER
        && skr_wire_open (&cbor, body, &number, &kind, &count) == SAKER_OK
        && kind == SKR_WIRE_PART) {
        sim_faults_on_part (self->server->peer, self->client->peer);
    }
}

static void on_arrival (event_t *event)
{
    connection_t *self = &connections[event->connection];
    message_t *message = event->message;
    if (path_of (self, event->direction)->blocked) {
        event->at_ms = sim.now_ms + HELD_MS;
        push (*event);
        return;
    }
    self->flying[event->direction]--;
    if (event->direction) {
        note_part (self, message);
        deliver (self->client, message);
    } else {
        uint8_t routing[5] = {0};
        message_t *routed = message_new ();
        skr_put_u32 (routing + 1, self->routing);
        message_add (routed, routing, sizeof routing);
        message_add (routed, message->parts[0].data, message->parts[0].size);
        memcpy (routed->user_id, self->user_id, sizeof routed->user_id);
        message_free (message);
        deliver (self->server, routed);
    }
}

/* Heartbeats: a direction that is blocked for too long breaks the connection. */
static void on_look (void)
{
    for (uint32_t i = 0; i < connections_count; i++) {
        connection_t *self = &connections[i];
        if (!self->used || !self->server) {
            continue;
        }
        bool blocked = path_of (self, 0)->blocked || path_of (self, 1)->blocked;
        if (!blocked) {
            self->blocked_ms = 0;
        } else if (!self->blocked_ms) {
            self->blocked_ms = sim.now_ms;
        } else if (sim.now_ms - self->blocked_ms >= SILENCE_MS) {
            break_connection (i);
        }
    }
    push ((event_t){.at_ms = sim.now_ms + 500, .kind = LOOK});
}

/* ---- beacons */

static void on_beacon (void)
{
    beacon_t *from, *to;
    LIST_FOREACH (from, &beacons, next)
    {
        LIST_FOREACH (to, &beacons, next)
        {
            const sim_path_t *path = &sim_paths[from->peer][to->peer];
            if (from != to && from->size && !path->blocked
                && !sim_one_in (SIM_NETWORK, path->loss)) {
                message_t *message = message_new ();
                char host[32];
                snprintf (host, sizeof host, "10.0.0.%d", from->peer + 1);
                message_add (message, host, strlen (host));
                message_add (message, from->bytes, from->size);
                STAILQ_INSERT_TAIL (&to->in, message, next);
                signal_set (to->descriptor, true);
                wake (to->peer, sim.now_ms);
            }
        }
    }
    push ((event_t){.at_ms = sim.now_ms + SKR_BEACON_EVERY_MS, .kind = BEACON});
}

/* ---- running */

uint64_t sim_network_due_ms (void)
{
    return heap_count ? heap[0].at_ms : UINT64_MAX;
}

void sim_network_run (void)
{
    while (heap_count && heap[0].at_ms <= sim.now_ms) {
        event_t event = pop ();
        connection_t *self = &connections[event.connection];
        if (event.kind == LOOK) {
            on_look ();
        } else if (event.kind == BEACON) {
            on_beacon ();
        } else if (!self->used || self->life != event.life) {
            message_free (event.message);
        } else if (event.kind == DIAL) {
            on_dial (event.connection);
        } else if (event.kind == SHAKEN) {
            on_shaken (event.connection, event.accepted);
        } else {
            on_arrival (&event);
        }
    }
}

void sim_network_begin (void)
{
    connections = calloc (64, sizeof *connections);
    connections_capacity = 64;
    connections_count = 1; /* 0 names none */
    serial = 0;
    routings = 0;
    storm_messages = 0;
    look_ms = 0;
    for (int i = 0; i <= SIM_PEERS_MAX; i++) {
        for (int k = 0; k <= SIM_PEERS_MAX; k++) {
            sim_paths[i][k] = (sim_path_t){.delay_ms = 1};
        }
    }
    push ((event_t){.at_ms = sim.now_ms + 500, .kind = LOOK});
    push ((event_t){.at_ms = sim.now_ms + SKR_BEACON_EVERY_MS, .kind = BEACON});
}

static void socket_free (socket_t *socket)
{
    message_t *message;
    while ((message = STAILQ_FIRST (&socket->in))) {
        STAILQ_REMOVE_HEAD (&socket->in, next);
        message_free (message);
    }
    message_free (socket->reading);
    message_free (socket->writing);
    LIST_REMOVE (socket, next);
    free (socket);
}

void sim_network_end (void)
{
    while (heap_count) {
        event_t event = pop ();
        message_free (event.message);
    }
    for (uint32_t i = 0; i < connections_count; i++) {
        end_connection (i);
    }
    free (connections);
    connections = NULL;
    connections_count = connections_capacity = 0;
    while (LIST_FIRST (&sockets)) { /* those of strangers */
        socket_free (LIST_FIRST (&sockets));
    }
    free (signals);
    signals = NULL;
    signals_count = signals_capacity = 0;
}

static bool is_of (const connection_t *self, int peer)
{
    return self->used
           && (self->client->peer == peer || (self->server && self->server->peer == peer));
}

void sim_network_reset (int peer)
{
    for (uint32_t i = 1; i < connections_count; i++) {
        if (is_of (&connections[i], peer) && connections[i].stage == UP) {
            break_connection (i);
        }
    }
}

void sim_network_leap (uint64_t by_ms)
{
    for (size_t i = 0; i < heap_count; i++) {
        heap[i].at_ms += by_ms; /* all alike: the order stays */
    }
}

void sim_network_heal (void)
{
    for (int i = 0; i <= SIM_PEERS_MAX; i++) {
        for (int k = 0; k <= SIM_PEERS_MAX; k++) {
            sim_paths[i][k] = (sim_path_t){.delay_ms = 1, .jitter_ms = 2};
        }
    }
    for (uint32_t i = 1; i < connections_count; i++) {
        memset (connections[i].busy_ms, 0, sizeof connections[i].busy_ms);
        memset (connections[i].last_ms, 0, sizeof connections[i].last_ms);
    }
    for (size_t i = 0; i < heap_count; i++) {
        if (heap[i].kind == ARRIVE && heap[i].at_ms > sim.now_ms + 50) {
            heap[i].at_ms = sim.now_ms + 50; /* in the order in which they were sent */
        }
    }
    for (size_t i = heap_count / 2 + 1; i-- > 0;) {
        sift_down (i);
    }
}

static void leave_connections (socket_t *socket)
{
    for (uint32_t i = 1; i < connections_count; i++) {
        connection_t *self = &connections[i];
        if (self->used && self->client == socket) {
            end_connection (i);
        } else if (self->used && self->server == socket) {
            break_connection (i);
        }
    }
}

static void silence_beacons (int peer)
{
    beacon_t *beacon;
    LIST_FOREACH (beacon, &beacons, next)
    {
        beacon->size = beacon->peer == peer ? 0 : beacon->size;
    }
}

/* The process is gone: its sockets, and what it had sent but a moment ago. */
void sim_network_cut (int peer)
{
    socket_t *socket;
    LIST_FOREACH (socket, &sockets, next)
    {
        if (socket->peer == peer) {
            leave_connections (socket);
            socket->bound[0] = 0;
        }
    }
    silence_beacons (peer);
}

static void publish (const socket_t *socket, const message_t *message)
{
    for (uint32_t i = 1; i < connections_count; i++) {
        if (connections[i].used && connections[i].server == socket && connections[i].stage == UP) {
            flies (i, 1, message_copy (message));
        }
    }
}

void sim_network_inject (int from, skr_span_t frame)
{
    socket_t *socket = socket_of (from, ZMQ_PUB, "tcp://");
    if (socket) {
        message_t *message = message_new ();
        message_add (message, frame.data, frame.size);
        publish (socket, message);
        message_free (message);
    }
}

/* ---- libzmq: contexts and options */

void *zmq_ctx_new (void)
{
    static int context;
    return &context;
}

int zmq_ctx_set (void *context, int option, int value)
{
    (void) context, (void) option, (void) value;
    return 0;
}

int zmq_ctx_term (void *context)
{
    (void) context;
    return 0;
}

int zmq_errno (void)
{
    return errno;
}

const char *zmq_strerror (int number)
{
    return strerror (number);
}

static socket_t *socket_new (int type, int peer)
{
    socket_t *socket = calloc (1, sizeof *socket);
    socket->type = type;
    socket->peer = peer;
    socket->descriptor = descriptor_new ();
    STAILQ_INIT (&socket->in);
    LIST_INSERT_HEAD (&sockets, socket, next);
    return socket;
}

void *zmq_socket (void *context, int type)
{
    (void) context;
    return socket_new (type, sim.current);
}

int zmq_close (void *socket)
{
    leave_connections (socket);
    socket_free (socket);
    return 0;
}

/* The public key to a secret one; computed once for each. */
static void public_of (const uint8_t *secret, uint8_t public_key[32])
{
    static uint8_t known[256][64];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (memcmp (known[i], secret, 32) == 0) {
            memcpy (public_key, known[i] + 32, 32);
            return;
        }
    }
    crypto_scalarmult_base (public_key, secret);
    if (count < 256) {
        memcpy (known[count], secret, 32);
        memcpy (known[count++] + 32, public_key, 32);
    }
}

int zmq_setsockopt (void *opaque, int option, const void *value, size_t size)
{
    socket_t *socket = opaque;
    if (option == ZMQ_CURVE_SERVERKEY && size == 32) {
        memcpy (socket->server_key, value, 32);
    } else if (option == ZMQ_CURVE_SECRETKEY && size == 32) {
        public_of (value, socket->public_key);
    } else if (option == ZMQ_MAXMSGSIZE) {
        memcpy (&socket->message_bytes_max, value, sizeof socket->message_bytes_max);
    }
    return 0;
}

int zmq_getsockopt (void *opaque, int option, void *value, size_t *size)
{
    const socket_t *socket = opaque;
    int number = 1; /* 93, ZMQ_ZAP_ENFORCE_DOMAIN */
    if (option == ZMQ_LAST_ENDPOINT) {
        *size = (size_t) snprintf (value, *size, "%s", socket->bound) + 1;
        return 0;
    }
    if (option == ZMQ_FD) {
        number = socket->descriptor;
    } else if (option == ZMQ_RCVMORE) {
        number = socket->reading && socket->read < socket->reading->count;
    }
    memcpy (value, &number, sizeof number);
    return 0;
}

int zmq_bind (void *opaque, const char *address)
{
    socket_t *socket = opaque;
    if (strncmp (address, "tcp://", 6) == 0 && bound_at (address)) {
        errno = EADDRINUSE;
        return -1;
    }
    snprintf (socket->bound, sizeof socket->bound, "%s", address);
    return 0;
}

int zmq_connect (void *opaque, const char *address)
{
    uint32_t no = 1;
    while (no < connections_count && connections[no].used) {
        no++;
    }
    if (no == connections_capacity) {
        uint32_t capacity = 2 * connections_capacity;
        connection_t *grown = calloc (capacity, sizeof *grown);
        for (uint32_t i = 0; i < connections_count; i++) {
            grown[i] = connections[i];
            STAILQ_INIT (&grown[i].waiting);
            STAILQ_CONCAT (&grown[i].waiting, &connections[i].waiting);
        }
        free (connections);
        connections = grown;
        connections_capacity = capacity;
    }
    connections_count = no >= connections_count ? no + 1 : connections_count;
    connection_t *self = &connections[no];
    uint64_t life = self->life + 1;
    memset (self, 0, sizeof *self);
    self->life = life;
    self->used = true;
    self->client = opaque;
    self->retry_ms = RETRY_MS;
    STAILQ_INIT (&self->waiting);
    snprintf (self->address, sizeof self->address, "%s", address);
    push ((event_t){.at_ms = sim.now_ms + 1, .kind = DIAL, .connection = no, .life = life});
    return 0;
}

/* ---- libzmq: sending */

static bool send_dealer (const socket_t *socket, message_t *message)
{
    for (uint32_t i = 1; i < connections_count; i++) {
        connection_t *self = &connections[i];
        if (!self->used || self->client != socket) {
            continue;
        }
        if (self->stage == UP) {
            return flies (i, 0, message);
        }
        if (self->waiting_count < HIGH_WATER_REQUESTS) {
            STAILQ_INSERT_TAIL (&self->waiting, message, next);
            self->waiting_count++;
            return true;
        }
    }
    message_free (message);
    return false;
}

static uint32_t by_routing (const message_t *message)
{
    const uint8_t *routing = message->parts[0].data;
    uint32_t wanted = message->parts[0].size == 5 ? skr_get_u32 (routing + 1) : 0;
    for (uint32_t i = 1; i < connections_count && wanted; i++) {
        if (connections[i].used && connections[i].stage == UP && connections[i].routing == wanted) {
            return i;
        }
    }
    return 0;
}

static bool send_router (message_t *message)
{
    uint32_t no = by_routing (message);
    message_t *body = message_new ();
    message_add (body, message->parts[1].data, message->parts[1].size);
    if (!no || !flies (no, 1, body)) {
        if (!no) {
            message_free (body);
        }
        message_free (message);
        return false;
    }
    message_free (message);
    return true;
}

/* The answer of a ZAP handler: version, request, code, text, user id, metadata. */
static void send_decision (const message_t *message)
{
    char request[32] = {0};
    char user_id[80] = {0};
    char *end = NULL;
    if (message->count != 6 || message->parts[1].size >= sizeof request
        || message->parts[4].size >= sizeof user_id) {
        return;
    }
    memcpy (request, message->parts[1].data, message->parts[1].size);
    memcpy (user_id, message->parts[4].data, message->parts[4].size);
    uint32_t no = (uint32_t) strtoul (request, &end, 10);
    uint64_t life = *end == '.' ? strtoull (end + 1, NULL, 10) : 0;
    on_decision (no, life, memcmp (message->parts[2].data, "200", 3) == 0, user_id);
}

static bool send_whole (socket_t *socket, message_t *message)
{
    if (sim.peers[socket->peer].crashed) {
        message_free (message);
        return true;
    }
    switch (socket->type) {
    case ZMQ_DEALER:
        return send_dealer (socket, message);
    case ZMQ_ROUTER:
        return send_router (message);
    case ZMQ_REP:
        send_decision (message);
        break;
    default:
        publish (socket, message);
    }
    message_free (message);
    return true;
}

int zmq_send (void *opaque, const void *data, size_t size, int flags)
{
    socket_t *socket = opaque;
    signal_set (socket->descriptor, false); /* it may take what its descriptor would tell */
    socket->writing = socket->writing ? socket->writing : message_new ();
    message_add (socket->writing, data, size);
    if (flags & ZMQ_SNDMORE) {
        if (socket->type == ZMQ_ROUTER && strncmp (socket->bound, "tcp://", 6) == 0
            && !by_routing (socket->writing)) {
            message_free (socket->writing);
            socket->writing = NULL;
            errno = EHOSTUNREACH;
            return -1;
        }
        return (int) size;
    }
    message_t *message = socket->writing;
    socket->writing = NULL;
    if (!send_whole (socket, message)) {
        errno = EAGAIN;
        return -1;
    }
    return (int) size;
}

/* ---- libzmq: receiving */

typedef struct taken_t { /* what lies in a zmq_msg_t */
    uint8_t *data;
    size_t size;
    char *user_id;
    bool more;
} taken_t;

_Static_assert(sizeof (taken_t) <= sizeof (zmq_msg_t), "a zmq_msg_t has room");

static taken_t *taken_of (zmq_msg_t *message)
{
    return (taken_t *) (void *) message;
}

/* The next part: of the message that is being read, or of the next one. */
static bool next_part (socket_t *socket)
{
    if (socket->reading && socket->read == socket->reading->count) {
        message_free (socket->reading);
        socket->reading = NULL;
    }
    if (!socket->reading) {
        socket->reading = STAILQ_FIRST (&socket->in);
        socket->read = 0;
        if (!socket->reading) {
            signal_set (socket->descriptor, false);
            errno = EAGAIN;
            return false;
        }
        STAILQ_REMOVE_HEAD (&socket->in, next);
    }
    return true;
}

int zmq_recv (void *opaque, void *room, size_t size, int flags)
{
    socket_t *socket = opaque;
    (void) flags;
    if (!next_part (socket)) {
        return -1;
    }
    size_t at = socket->read++;
    size_t part = socket->reading->parts[at].size;
    memcpy (room, socket->reading->parts[at].data, part < size ? part : size);
    return (int) part;
}

int zmq_msg_init (zmq_msg_t *message)
{
    memset (message, 0, sizeof *message);
    return 0;
}

int zmq_msg_close (zmq_msg_t *message)
{
    free (taken_of (message)->data);
    free (taken_of (message)->user_id);
    memset (message, 0, sizeof *message);
    return 0;
}

int zmq_msg_recv (zmq_msg_t *message, void *opaque, int flags)
{
    socket_t *socket = opaque;
    taken_t *taken = taken_of (message);
    (void) flags;
    if (!next_part (socket)) {
        return -1;
    }
    zmq_msg_close (message);
    size_t at = socket->read++;
    taken->data = socket->reading->parts[at].data;
    taken->size = socket->reading->parts[at].size;
    socket->reading->parts[at].data = NULL;
    taken->more = socket->read < socket->reading->count;
    if (socket->reading->user_id[0]) {
        taken->user_id = malloc (sizeof socket->reading->user_id);
        memcpy (taken->user_id, socket->reading->user_id, sizeof socket->reading->user_id);
    }
    return (int) taken->size;
}

void *zmq_msg_data (zmq_msg_t *message)
{
    return taken_of (message)->data;
}

size_t zmq_msg_size (const zmq_msg_t *message)
{
    return taken_of ((zmq_msg_t *) (uintptr_t) message)->size;
}

int zmq_msg_more (const zmq_msg_t *message)
{
    return taken_of ((zmq_msg_t *) (uintptr_t) message)->more;
}

int zmq_msg_get (const zmq_msg_t *message, int property)
{
    (void) message, (void) property;
    return -1;
}

const char *zmq_msg_gets (const zmq_msg_t *message, const char *property)
{
    (void) property;
    return taken_of ((zmq_msg_t *) (uintptr_t) message)->user_id;
}

/* Never waits: the simulator calls again when it is time. */
int __wrap_poll (struct pollfd *items, nfds_t count, int timeout_ms);
int __wrap_poll (struct pollfd *items, nfds_t count, int timeout_ms)
{
    for (size_t i = 0; i < count; i++) {
        bool told = items[i].fd >= DESCRIPTOR_FIRST && signals[items[i].fd - DESCRIPTOR_FIRST];
        items[i].revents = told ? POLLIN : 0;
    }
    sim.peers[sim.current].wake_ms = sim.now_ms + (timeout_ms > 0 ? (uint64_t) timeout_ms : 0);
    return 0;
}

/* ---- czmq */

void *zsys_init (void)
{
    return &sim;
}

void zsys_handler_set (zsys_handler_fn *handler)
{
    (void) handler;
}

void zsys_set_logstream (FILE *stream)
{
    if (stream) {
        fclose (stream);
    }
}

void zsys_set_interface (const char *value)
{
    (void) value;
}

void zbeacon (zsock_t *pipe, void *unused)
{
    (void) pipe, (void) unused;
}

zactor_t *zactor_new (zactor_fn *task, void *arguments)
{
    (void) task, (void) arguments;
    beacon_t *self = calloc (1, sizeof *self);
    self->peer = sim.current;
    self->descriptor = descriptor_new ();
    STAILQ_INIT (&self->in);
    LIST_INSERT_HEAD (&beacons, self, next);
    return (zactor_t *) self;
}

void zactor_destroy (zactor_t **actor_p)
{
    beacon_t *self = (beacon_t *) *actor_p;
    message_t *message;
    if (!self) {
        return;
    }
    LIST_REMOVE (self, next);
    while ((message = STAILQ_FIRST (&self->in))) {
        STAILQ_REMOVE_HEAD (&self->in, next);
        message_free (message);
    }
    free (self);
    *actor_p = NULL;
}

int zsock_send (void *actor, const char *picture, ...)
{
    beacon_t *self = actor;
    va_list arguments;
    va_start (arguments, picture);
    const char *command = va_arg (arguments, const char *);
    if (strcmp (command, "CONFIGURE") == 0) {
        self->asked = true;
    } else if (strcmp (command, "PUBLISH") == 0) {
        const void *bytes = va_arg (arguments, const void *);
        self->size = va_arg (arguments, size_t);
        self->size = self->size < sizeof self->bytes ? self->size : 0;
        memcpy (self->bytes, bytes, self->size);
    }
    va_end (arguments);
    return 0;
}

int zsock_events (void *actor)
{
    beacon_t *self = actor;
    if (!STAILQ_FIRST (&self->in)) {
        signal_set (self->descriptor, false);
    }
    return STAILQ_FIRST (&self->in) ? ZMQ_POLLIN : 0;
}

SOCKET zsock_fd (void *actor)
{
    const beacon_t *self = actor;
    return self->descriptor;
}

char *zstr_recv (void *actor)
{
    beacon_t *self = actor;
    if (self->asked) {
        self->asked = false;
        return strdup ("10.0.0.1");
    }
    const message_t *message = STAILQ_FIRST (&self->in);
    return message ? strndup ((const char *) message->parts[0].data, message->parts[0].size) : NULL;
}

void zstr_free (char **text_p)
{
    free (*text_p);
    *text_p = NULL;
}

zframe_t *zframe_recv (void *actor)
{
    beacon_t *self = actor;
    message_t *message = STAILQ_FIRST (&self->in);
    if (message) {
        STAILQ_REMOVE_HEAD (&self->in, next);
    }
    return (zframe_t *) message;
}

byte *zframe_data (zframe_t *frame)
{
    return ((message_t *) frame)->parts[1].data;
}

size_t zframe_size (zframe_t *frame)
{
    return ((message_t *) frame)->parts[1].size;
}

void zframe_destroy (zframe_t **frame_p)
{
    message_free ((message_t *) *frame_p);
    *frame_p = NULL;
}

/* ---- a stranger: a key that nobody knows dials, and asks anyway */

void sim_network_stranger (int peer)
{
    socket_t *server = socket_of (peer, ZMQ_ROUTER, "tcp://");
    if (!server) {
        return;
    }
    socket_t *socket = socket_new (ZMQ_DEALER, peer == 0 ? 1 : 0);
    memcpy (socket->server_key, server->public_key, 32);
    memcpy (socket->public_key, nobody, 32);
    zmq_connect (socket, server->bound);
    skr_buf_t request = {0};
    skr_wire_begin (&request, 1, SKR_WIRE_STATE, 1);
    skr_cbor_put_bytes (&request, "", 0);
    zmq_send (socket, request.data, request.size, 0);
    skr_buf_free (&request);
    sim_count (SIM_STRANGER, "a stranger dials peer %d", peer);
}
