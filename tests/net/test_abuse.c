/* Strangers and liars at every socket of a real daemon: they read and write nothing, are counted,
   and the daemon goes on. */

#include "crdt/change.h"
#include "mesh/local.h"
#include "mesh/ration.h"
#include "mesh/wire.h"
#include "peer/api.h"
#include "tests/check.h"
#include "tests/lib/impostor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define DEADLINE_MS 60000
#define SILENT_CONNECTIONS 200
#define PART_BYTES (1 << 19) /* with its seal, under the limit of a frame */
#define PARTS 1200
#define GROWTH_KIB_MAX (300 << 10) /* of a message of 600 MiB */
#define SUBSCRIPTIONS 20000

static char folder[64];
static char store[96], other_store[96];
static char address[128];
static int port, pub_port_of_daemon;
static pid_t process;
static saker_t *saker;
static void *context;
static skr_device_t *device, *other;

/* ---- a daemon of its own */

static saker_daemon_t *running;

static void on_term (int number)
{
    (void) number;
    saker_daemon_stop (running);
}

static void run_daemon (int ready)
{
    saker_config_t *config = saker_config_new ();
    if (saker_config_set (config, "listen", "tcp://127.0.0.1:0") != SAKER_OK
        || saker_config_set (config, "beacon", "no") != SAKER_OK
        || saker_daemon_new (&running, store, config, NULL, NULL) != SAKER_OK) {
        fprintf (stderr, "daemon: %s\n", saker_error_text ());
        _exit (1);
    }
    signal (SIGTERM, on_term);
    const char *text = saker_daemon_address (running);
    if (write (ready, text, strlen (text) + 1) < 0) {
        _exit (1);
    }
    saker_daemon_run (running);
    saker_daemon_destroy (&running);
    _exit (0);
}

static void launch (void)
{
    int ends[2];
    CHECK (pipe (ends) == 0);
    process = fork ();
    if (process == 0) {
        run_daemon (ends[1]);
    }
    close (ends[1]);
    memset (address, 0, sizeof address);
    CHECK (process > 0 && read (ends[0], address, sizeof address - 1) > 0);
    close (ends[0]);
    port = atoi (strrchr (address, ':') + 1);
    CHECK_OK (saker_open (&saker, store, DEADLINE_MS));
}

static void start (void)
{
    snprintf (folder, sizeof folder, "/tmp/saker-abuse-XXXXXX");
    CHECK (mkdtemp (folder));
    snprintf (store, sizeof store, "%s/a", folder);
    snprintf (other_store, sizeof other_store, "%s/b", folder);
    CHECK_OK (saker_init (store, "mesh", "anna"));
    launch ();
    CHECK_OK (skr_device_load (&device, store));
    context = zmq_ctx_new ();
}

static int remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove (path);
}

static void stop (void)
{
    int status = 1;
    saker_close (&saker);
    skr_device_destroy (&device);
    skr_device_destroy (&other);
    /* a test that failed has left sockets open, for which zmq would wait */
    (void) (check_failed ? zmq_ctx_shutdown (context) : zmq_ctx_term (context));
    kill (process, SIGTERM);
    CHECK (waitpid (process, &status, 0) == process);
    CHECK_INT (status, 0);
    nftw (folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- what the daemon counts */

typedef struct look_t {
    const char *pointer;
    int64_t value;
} look_t;

static int find_count (const saker_leaf_t *leaf, void *argument)
{
    look_t *look = argument;
    if (strcmp (leaf->pointer, look->pointer) == 0) {
        look->value = leaf->value.as.integer;
    }
    return 0;
}

static int64_t count_of (const char *pointer)
{
    look_t look = {pointer, -1};
    return saker_status (saker, find_count, &look) == SAKER_OK ? look.value : -1;
}

static uint64_t now_ms (void)
{
    return skr_world_real ()->mono_ms (NULL);
}

/* Waits until a counter is above what it was. */
static bool rises (const char *pointer, int64_t above)
{
    for (uint64_t end_ms = now_ms () + DEADLINE_MS; now_ms () < end_ms; usleep (20000)) {
        if (count_of (pointer) > above) {
            return true;
        }
    }
    printf ("%s stays at %lld\n", pointer, (long long) above);
    return false;
}

static bool writes_on (void)
{
    saker_value_t value = {.type = SAKER_INT, .as.integer = 1};
    saker_batch_t *batch = saker_batch_new ("honest");
    saker_err_t error = saker_batch_set (batch, "d", "/n", &value);
    error = error == SAKER_OK ? saker_write (saker, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error == SAKER_OK;
}

/* ---- sockets of ours */

static void *dial (int type, const char *where, const uint8_t *public_key, const uint8_t *secret)
{
    return impostor_dial (context, type, where,
                          public_key ? skr_device_transport_key (device) : NULL, public_key,
                          secret);
}

static void *dial_as (const skr_device_t *who)
{
    return dial (ZMQ_DEALER, address, skr_device_transport_key (who),
                 skr_device_transport_secret (who));
}

static void put_state_request (skr_buf_t *request)
{
    skr_wire_begin (request, 7, SKR_WIRE_STATE, 1);
    skr_cbor_put_bytes (request, "", 0);
}

static bool is_answered (void *dealer)
{
    skr_buf_t request = {0};
    put_state_request (&request);
    zmq_send (dealer, request.data, request.size, 0);
    skr_buf_free (&request);
    return impostor_hears (dealer, DEADLINE_MS);
}

/* Asks the daemon, as itself, where it publishes. */
static int ask_pub_port (void)
{
    uint8_t bytes[4096];
    skr_buf_t hello = {0};
    skr_cbor_t cbor;
    uint64_t number = 0;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    size_t count = 0;
    void *dealer = dial_as (device);
    skr_wire_begin (&hello, 1, SKR_WIRE_HELLO, 3);
    skr_cbor_put_bytes (&hello, "12345678", 8);
    skr_cbor_put_uint (&hello, 4242);
    skr_cbor_put_array (&hello, 0);
    zmq_send (dealer, hello.data, hello.size, 0);
    int size = impostor_hears (dealer, DEADLINE_MS) ? zmq_recv (dealer, bytes, sizeof bytes, 0) : 0;
    zmq_close (dealer);
    skr_buf_free (&hello);
    if (size <= 0
        || skr_wire_open (&cbor, skr_span (bytes, (size_t) size), &number, &kind, &count)
               != SAKER_OK) {
        return 0;
    }
    skr_cbor_get_bytes (&cbor);
    skr_cbor_get_bytes (&cbor);
    return (int) skr_cbor_get_uint (&cbor);
}

/* ---- the tests */

static void a_stranger_reads_and_writes_nothing (void)
{
    uint8_t public_key[32], secret[32];
    char pub[160];
    crypto_box_keypair (public_key, secret);
    pub_port_of_daemon = ask_pub_port ();
    CHECK (pub_port_of_daemon > 0);
    snprintf (pub, sizeof pub, "tcp://127.0.0.1:%d", pub_port_of_daemon);
    int64_t refused = count_of ("/door/refused");
    void *dealer = dial (ZMQ_DEALER, address, public_key, secret);
    skr_buf_t request = {0};
    put_state_request (&request);
    zmq_send (dealer, request.data, request.size, ZMQ_DONTWAIT);
    CHECK (rises ("/door/refused", refused));
    refused = count_of ("/door/refused");
    void *sub = dial (ZMQ_SUB, pub, public_key, secret);
    CHECK (rises ("/door/refused", refused));
    CHECK (writes_on ()); /* is published, and beats come every second */
    CHECK (!impostor_hears (sub, 1500));
    CHECK (!impostor_hears (dealer, 0));
    zmq_close (sub);
    zmq_close (dealer);
    skr_buf_free (&request);
    /* the control: a member with the same request is answered */
    dealer = dial_as (device);
    CHECK (is_answered (dealer));
    zmq_close (dealer);
}

static void *dial_plain (void)
{
    int zero = 0;
    void *socket = zmq_socket (context, ZMQ_DEALER);
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_PLAIN_USERNAME, "anna", 4);
    zmq_setsockopt (socket, ZMQ_PLAIN_PASSWORD, "anna", 4);
    zmq_connect (socket, address);
    return socket;
}

static void without_a_key_nobody_is_heard (void)
{
    void *dealer = dial (ZMQ_DEALER, address, NULL, NULL);
    CHECK (!impostor_hears (dealer, 0));
    skr_buf_t request = {0};
    put_state_request (&request);
    zmq_send (dealer, request.data, request.size, ZMQ_DONTWAIT);
    void *plain = dial_plain ();
    zmq_send (plain, request.data, request.size, ZMQ_DONTWAIT);
    CHECK (!impostor_hears (dealer, 1500));
    CHECK (!impostor_hears (plain, 0));
    zmq_close (plain);
    zmq_close (dealer);
    skr_buf_free (&request);
    CHECK (writes_on ());
}

static int connect_raw (int to)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons ((uint16_t) to)};
    inet_pton (AF_INET, "127.0.0.1", &where.sin_addr);
    int socket_fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd >= 0 && connect (socket_fd, (struct sockaddr *) &where, sizeof where) != 0) {
        close (socket_fd);
        return -1;
    }
    return socket_fd;
}

static void garbage_over_tcp (void)
{
    uint8_t garbage[4096];
    for (int i = 0; i < 40; i++) {
        int raw = connect_raw (i % 2 ? port : pub_port_of_daemon);
        CHECK (raw >= 0);
        randombytes_buf (garbage, sizeof garbage);
        garbage[0] = i % 3 ? garbage[0] : 0xff; /* as a greeting begins */
        if (send (raw, garbage, sizeof garbage, MSG_NOSIGNAL) < 0) {
            CHECK (errno == EPIPE || errno == ECONNRESET);
        }
        close (raw);
    }
    CHECK (writes_on ());
}

/* Connections that say nothing are closed after the handshake's limit. */
static void silent_connections_are_closed (void)
{
    int raw[SILENT_CONNECTIONS];
    struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    for (int i = 0; i < SILENT_CONNECTIONS; i++) {
        raw[i] = connect_raw (port);
        CHECK (raw[i] >= 0);
        setsockopt (raw[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    for (int i = 0; i < SILENT_CONNECTIONS; i++) {
        uint8_t greeting[256];
        ssize_t got;
        while ((got = recv (raw[i], greeting, sizeof greeting, 0)) > 0) {
        }
        CHECK (got == 0 || errno == ECONNRESET);
        close (raw[i]);
    }
    CHECK (writes_on ());
}

/* A member's key opens the door; what comes through is checked all the same. */
static void a_member_that_talks_nonsense (void)
{
    uint8_t garbage[300];
    int64_t bad = count_of ("/router/bad_requests");
    void *dealer = dial_as (device);
    for (int i = 0; i < 500; i++) {
        randombytes_buf (garbage, sizeof garbage);
        zmq_send (dealer, garbage, 1 + randombytes_uniform (sizeof garbage - 1), 0);
    }
    CHECK (rises ("/router/bad_requests", bad + 400));
    int64_t strange = count_of ("/router/strange");
    for (int i = 0; i < 20; i++) {
        zmq_send (dealer, garbage, 10, i < 19 ? ZMQ_SNDMORE : 0);
    }
    CHECK (rises ("/router/strange", strange));
    while (impostor_hears (dealer, 200)) { /* errors, to what looked like requests */
        zmq_recv (dealer, garbage, sizeof garbage, 0);
    }
    CHECK (is_answered (dealer));
    zmq_close (dealer);
}

static void a_message_over_the_limit (void)
{
    size_t size = SKR_WIRE_MESSAGE_BYTES_MAX + 1;
    uint8_t *large = calloc (1, size);
    void *dealer = dial_as (device);
    CHECK (large && is_answered (dealer));
    zmq_send (dealer, large, size, 0); /* the connection is closed, and made anew */
    free (large);
    void *another = dial_as (device);
    CHECK (is_answered (another));
    CHECK (writes_on ());
    zmq_close (another);
    zmq_close (dealer);
}

/* ---- memory */

/* Resident memory of the daemon in KiB: now ("VmRSS:") or at most so far ("VmHWM:"). */
static long memory_of_daemon (const char *which)
{
    char path[64], line[256];
    long size = -1;
    snprintf (path, sizeof path, "/proc/%d/status", (int) process);
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file)) {
        if (strncmp (line, which, strlen (which)) == 0) {
            size = strtol (line + strlen (which), NULL, 10);
        }
    }
    if (file) {
        fclose (file);
    }
    return size;
}

/* MAXMSGSIZE bounds a frame, not a message: the daemon cuts who sends parts without end. */
static void a_message_of_endless_parts (void)
{
    static uint8_t part[PART_BYTES];
    int64_t cut = count_of ("/door/cut");
    long before = memory_of_daemon ("VmRSS:");
    void *dealer = dial_as (device);
    CHECK (is_answered (dealer));
    for (int i = 0; i < PARTS; i++) {
        zmq_msg_t message; /* all share one block here: the memory is the daemon's */
        CHECK (zmq_msg_init_data (&message, part, sizeof part, NULL, NULL) == 0);
        CHECK (zmq_msg_send (&message, dealer, i < PARTS - 1 ? ZMQ_SNDMORE : 0) >= 0);
    }
    CHECK (rises ("/door/cut", cut));
    zmq_close (dealer);
    long most = memory_of_daemon ("VmHWM:");
    CHECK (before > 0 && most > 0);
    if (most - before > GROWTH_KIB_MAX) {
        CHECK_FAIL ("the daemon grew from %ld to %ld KiB", before, most);
    }
    dealer = dial_as (device);
    CHECK (is_answered (dealer));
    CHECK (writes_on ());
    zmq_close (dealer);
}

/* Each subscription costs the publisher memory. */
static void a_subscriber_that_wants_everything (void)
{
    char pub[64];
    int64_t cut = count_of ("/door/cut");
    snprintf (pub, sizeof pub, "tcp://127.0.0.1:%d", pub_port_of_daemon);
    void *sub = dial (ZMQ_SUB, pub, skr_device_transport_key (device),
                      skr_device_transport_secret (device));
    for (int i = 0; i < SUBSCRIPTIONS; i++) {
        uint8_t topic[32];
        randombytes_buf (topic, sizeof topic);
        zmq_setsockopt (sub, ZMQ_SUBSCRIBE, topic, sizeof topic);
    }
    CHECK (rises ("/door/cut", cut));
    zmq_close (sub);
    CHECK (writes_on ());
}

/* Connections of this process to that port of the daemon are reset when they are closed. */
static void close_hard (int to_port)
{
    for (int descriptor = 3; descriptor < 1024; descriptor++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        const struct linger hard = {.l_onoff = 1, .l_linger = 0};
        if (getpeername (descriptor, (void *) &peer, &size) == 0 && peer.sin_family == AF_INET
            && ntohs (peer.sin_port) == to_port) {
            CHECK (setsockopt (descriptor, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
        }
    }
}

/* It goes while zmq holds more of it than we took, just before a heartbeat of zmq would be due, of
   which there was one every two seconds: that ended the daemon. */
static void a_subscriber_that_goes_in_the_middle (void)
{
    char pub[64];
    snprintf (pub, sizeof pub, "tcp://127.0.0.1:%d", pub_port_of_daemon);
    for (int round = 0; round < 6; round++) {
        void *sub = dial (ZMQ_SUB, pub, skr_device_transport_key (device),
                          skr_device_transport_secret (device));
        for (int i = 0; i < 20000; i++) {
            uint8_t topic[4];
            skr_put_u32 (topic, (uint32_t) i);
            zmq_setsockopt (sub, ZMQ_SUBSCRIBE, topic, sizeof topic);
        }
        usleep (1850000 + 20000 * (useconds_t) round);
        close_hard (pub_port_of_daemon);
        zmq_close (sub);
        usleep (300000);
    }
    CHECK (writes_on ());
}

/* What is almost right is harder to refuse than what is random. */
static void a_member_with_mutated_requests (void)
{
    uint64_t random = check_seed ();
    uint8_t answer[8192];
    static const skr_wire_kind_t kinds[] = {SKR_WIRE_STATE,    SKR_WIRE_CLOCK, SKR_WIRE_PULL,
                                            SKR_WIRE_SNAPSHOT, SKR_WIRE_PART,  SKR_WIRE_JOIN,
                                            SKR_WIRE_RANGE};
    int64_t bad = count_of ("/router/bad_requests");
    void *dealer = dial_as (device);
    for (int i = 0; i < 3000; i++) {
        skr_buf_t request = {0};
        skr_wire_kind_t kind = kinds[check_random (&random) % 7];
        skr_wire_begin (&request, 9, kind,
                        kind == SKR_WIRE_RANGE                           ? 4
                        : kind == SKR_WIRE_PULL || kind == SKR_WIRE_PART ? 3
                                                                         : 1);
        skr_cbor_put_bytes (&request, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
        if (kind == SKR_WIRE_PULL) {
            skr_cbor_put_array (&request, 0);
            skr_cbor_put_uint (&request, 4096);
        } else if (kind == SKR_WIRE_PART) {
            skr_cbor_put_uint (&request, UINT64_MAX);
            skr_cbor_put_uint (&request, UINT64_MAX);
        }
        if (kind == SKR_WIRE_RANGE) {
            skr_cbor_put_bytes (&request, "a", 1);
            skr_cbor_put_bytes (&request, "", 0);
            skr_cbor_put_uint (&request, 1);
        }
        for (int k = 0; k < 2; k++) {
            request.data[check_random (&random) % request.size] ^=
                (uint8_t) (1u << check_random (&random) % 8);
        }
        zmq_send (dealer, request.data, request.size, 0);
        skr_buf_free (&request);
        while (zmq_recv (dealer, answer, sizeof answer, ZMQ_DONTWAIT) >= 0) {
        }
    }
    CHECK (rises ("/router/bad_requests", bad + 1000));
    zmq_close (dealer);
    dealer = dial_as (device);
    CHECK (is_answered (dealer));
    CHECK (writes_on ());
    zmq_close (dealer);
}

/* Many may be waiting to be taken already. */
static int connect_locally (void)
{
    int file = -1;
    for (uint64_t end_ms = now_ms () + DEADLINE_MS; file < 0 && now_ms () < end_ms; usleep (2000)) {
        file = skr_local_connect (store);
    }
    return file;
}

/* Sends it, all at once, on a connection of its own. */
static void say_locally (const void *bytes, size_t size)
{
    int file = connect_locally ();
    CHECK (file >= 0);
    CHECK (send (file, bytes, size, MSG_NOSIGNAL) == (ssize_t) size);
    (void) close (file);
}

static void nonsense_on_the_local_socket (void)
{
    uint8_t garbage[200];
    int64_t bad = count_of ("/api/bad_requests");
    for (int i = 0; i < 200; i++) {
        randombytes_buf (garbage, sizeof garbage);
        say_locally (garbage, 5 + randombytes_uniform (sizeof garbage - 5));
        skr_put_u32 (garbage, sizeof garbage - 4); /* a size that is one */
        say_locally (garbage, sizeof garbage);
    }
    CHECK (rises ("/api/bad_requests", bad + 350));
    CHECK (writes_on ());
}

/* A request, as it goes over the local socket. */
static void local_hello (skr_buf_t *request)
{
    skr_buf_append (request, "\0\0\0", 4);
    skr_cbor_put_map (request, 4);
    skr_cbor_put_uint (request, 0);
    skr_cbor_put_uint (request, SKR_API_VERSION);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_uint (request, SKR_COMMAND_HELLO);
    skr_cbor_put_uint (request, 3);
    skr_cbor_put_map (request, 0);
    skr_put_u32 (request->data, (uint32_t) request->size - 4);
}

/* Half a request each, and nothing more; then one that reads no answers. */
static void local_programs_that_do_nothing (void)
{
    int files[200];
    uint8_t head[8] = {0, 0, 1, 0};
    for (int i = 0; i < 200; i++) {
        files[i] = connect_locally ();
        CHECK (files[i] >= 0 && send (files[i], head, sizeof head, MSG_NOSIGNAL) == sizeof head);
    }
    CHECK (writes_on ());
    for (int i = 0; i < 200; i++) {
        (void) close (files[i]);
    }
    skr_buf_t request = {0};
    int file = connect_locally ();
    int64_t requests = count_of ("/api/requests");
    local_hello (&request);
    for (int i = 0; i < 200000; i++) { /* until neither side takes any more */
        if (send (file, request.data, request.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
    }
    CHECK (rises ("/api/requests", requests + 100));
    CHECK (writes_on ());
    skr_buf_free (&request);
    (void) close (file);
    CHECK (writes_on ());
}

/* ---- a member that lies: it has joined, and publishes what is forged */

/* Answers the daemon's HELLO: "I publish there". */
static bool answer_hello (void *router, int pub_port)
{
    static const skr_id_t writer = {.bytes = "0123456789abcde"};
    skr_buf_t routing = {0};
    uint64_t number = 0;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    bool asked = impostor_take (router, DEADLINE_MS, &routing, &number, &kind);
    if (asked) {
        impostor_greet (router, skr_span_of (&routing), number, other, &writer, pub_port);
    }
    skr_buf_free (&routing);
    return asked && kind == SKR_WIRE_HELLO;
}

/* Publishes again and again until it is counted: a late subscriber loses the first. */
static bool publish_until (void *pub, char kind, const skr_buf_t *body, const char *pointer)
{
    int64_t before = count_of (pointer);
    for (uint64_t end_ms = now_ms () + DEADLINE_MS; now_ms () < end_ms; usleep (20000)) {
        impostor_publish (pub, kind, skr_span_of (body));
        if (count_of (pointer) > before) {
            return true;
        }
    }
    printf ("%s stays at %lld\n", pointer, (long long) before);
    return false;
}

static void a_member_that_lies (void)
{
    char ticket[SAKER_TICKET_MAX];
    int router_port, pub_port;
    skr_buf_t body = {0};
    CHECK_OK (saker_invite (saker, "write", 600000, ticket));
    CHECK_OK (saker_join (other_store, ticket, "mallory", DEADLINE_MS));
    CHECK_ERR (saker_join (folder, ticket, "mallory", DEADLINE_MS), SAKER_EEXIST, "");
    CHECK_OK (skr_device_load (&other, other_store));
    void *router = impostor_serve (context, ZMQ_ROUTER, other, &router_port);
    void *pub = impostor_serve (context, ZMQ_PUB, other, &pub_port);
    void *dealer = dial_as (other);
    impostor_call (dealer, router_port);
    CHECK (answer_hello (router, pub_port));

    skr_buf_append (&body, "nonsense", 8);
    CHECK (publish_until (pub, 'B', &body, "/live/bad_frames"));
    CHECK (publish_until (pub, 'L', &body, "/live/bad_frames"));
    CHECK (publish_until (pub, 'x', &body, "/live/bad_frames"));
    skr_buf_clear (&body);
    skr_cbor_put_array (&body, 1);
    skr_cbor_put_bytes (&body, "not a change", 12);
    CHECK (publish_until (pub, 'L', &body, "/refused/form"));
    CHECK (count_of ("/changes/applied") >= 0);
    CHECK (writes_on ());
    skr_buf_free (&body);
    zmq_close (dealer);
    zmq_close (pub);
    zmq_close (router);
}

/* ---- asking without end */

#define MUCH 2000 /* documents */
#define WINDOW 32 /* requests on their way */
#define GREEDY_MS 4000

/* All changes of a collection, or the sum over it. */
static void ask_for_all (void *dealer, skr_wire_kind_t kind)
{
    static skr_id_t much;
    skr_buf_t request = {0};
    skr_replica_t *member = NULL;
    if (skr_id_is_zero (&much)
        && skr_replica_open (&member, other_store, skr_world_real ()) == SAKER_OK) {
        skr_replica_collection_id (member, "much", &much);
        skr_replica_close (&member);
    }
    impostor_put_greedy (&request, kind, &much);
    zmq_send (dealer, request.data, request.size, 0);
    skr_buf_free (&request);
}

/* What came of one of them; SAKER_ETIMEOUT: no answer. */
static saker_err_t take_all (void *dealer)
{
    zmq_msg_t message;
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    if (!impostor_hears (dealer, DEADLINE_MS)) {
        return SAKER_ETIMEOUT;
    }
    zmq_msg_init (&message);
    (void) zmq_msg_recv (&message, dealer, 0);
    skr_span_t answer = skr_span (zmq_msg_data (&message), zmq_msg_size (&message));
    saker_err_t error = skr_wire_open (&cbor, answer, &number, &kind, &count);
    if (error == SAKER_OK && kind == SKR_WIRE_ERROR) {
        error = (saker_err_t) skr_cbor_get_uint (&cbor);
    }
    zmq_msg_close (&message);
    return error;
}

static bool fill_much (void)
{
    saker_batch_t *batch = saker_batch_new ("much");
    saker_err_t error = batch ? SAKER_OK : SAKER_ENOMEM;
    const saker_value_t value = {.type = SAKER_INT};
    for (int i = 0; i < MUCH && error == SAKER_OK; i++) {
        char document[16];
        snprintf (document, sizeof document, "d%d", i);
        error = saker_batch_set (batch, document, "/n", &value);
        if (error == SAKER_OK && i % 500 == 499) {
            error = saker_write (saker, batch, NULL);
            saker_batch_destroy (&batch);
            batch = saker_batch_new ("much");
        }
    }
    saker_batch_destroy (&batch);
    return error == SAKER_OK;
}

/* One member keeps asking for all that there is: it gets no more than its ration, and whoever else
   asks, or writes, is served meanwhile. How soon it is refused is a matter of the machine. */
static void a_member_that_asks_without_end (void)
{
    uint64_t answered = 0, refused = 0, begun_ms = now_ms (), looks = MUCH;
    bool served = false;
    CHECK (fill_much ());
    void *greedy = dial_as (other), *honest = dial_as (device);
    for (int i = 0; i < WINDOW; i++) {
        ask_for_all (greedy, SKR_WIRE_RANGE);
    }
    while (refused < 500 && now_ms () < begun_ms + GREEDY_MS) {
        saker_err_t error = take_all (greedy);
        answered += error == SAKER_OK;
        refused += error == SAKER_EBUSY;
        ask_for_all (greedy, SKR_WIRE_RANGE);
    }
    uint64_t most = SKR_RATION_LOOKS_MAX + (now_ms () - begun_ms) * SKR_RATION_LOOKS_A_MS;
    for (uint64_t end_ms = now_ms () + DEADLINE_MS; !served && now_ms () < end_ms;) {
        for (int i = 0; i < WINDOW / 2; i++) { /* it does not stop */
            (void) take_all (greedy);
            ask_for_all (greedy, SKR_WIRE_RANGE);
        }
        ask_for_all (honest, SKR_WIRE_PULL);
        served = take_all (honest) == SAKER_OK;
    }
    bool goes_on = is_answered (honest) && writes_on ();
    zmq_close (greedy);
    zmq_close (honest);
    CHECK (answered > 0 && answered * looks <= most + looks);
    CHECK (served);
    CHECK (goes_on);
}

/* ---- changes and beats that are not what they say */

/* A frame's body: one first change of the replica's writer, with that content, signed by a device.
 */
static saker_err_t put_change (skr_replica_t *replica, const char *content,
                               const skr_device_t *signer, skr_buf_t *body)
{
    static const skr_clock_t nothing;
    uint8_t prev[32] = {0}, nonce[24], key_id[8], key[32];
    skr_buf_t raw = {0};
    skr_draft_t draft = {.mesh = *skr_roster_mesh (skr_replica_roster (replica)),
                         .writer = *skr_replica_writer (replica),
                         .seq = 1,
                         .hlc = 1,
                         .prev = prev,
                         .deps = &nothing,
                         .key_id = key_id,
                         .key = key,
                         .nonce = nonce,
                         .content = skr_span_text (content),
                         .secret = skr_device_secret (signer)};
    randombytes_buf (nonce, sizeof nonce);
    skr_replica_collection_id (replica, "lies", &draft.collection);
    saker_err_t error =
        skr_keyring_latest (skr_replica_keyring (replica), &draft.collection, key_id, key);
    error = error == SAKER_OK ? skr_change_build (&draft, &raw) : error;
    skr_buf_clear (body);
    skr_cbor_put_array (body, 1);
    skr_cbor_put_bytes (body, raw.data, raw.size);
    skr_buf_free (&raw);
    return error;
}

/* Publishes what a new member's roster holds, its own introduction among it, until that is applied.
 */
static bool introduce (void *pub, skr_replica_t *replica)
{
    static const skr_id_t roster;
    static const skr_clock_t nothing;
    skr_buf_t changes = {0}, body = {0};
    size_t count = 0;
    bool more = false;
    bool good =
        skr_replica_pull (replica, &roster, &nothing, 32768, &changes, &count, &more) == SAKER_OK;
    skr_cbor_put_array (&body, count);
    skr_buf_append_span (&body, skr_span_of (&changes));
    good = good && publish_until (pub, 'L', &body, "/changes/applied");
    skr_buf_free (&changes);
    skr_buf_free (&body);
    return good;
}

static void lie (void *pub, skr_replica_t *writer, skr_replica_t *reader)
{
    skr_buf_t body = {0};
    const skr_device_t *reading = skr_replica_device (reader);
    CHECK (introduce (pub, writer));
    CHECK (introduce (pub, reader));
    CHECK_OK (put_change (writer, "x", reading, &body));
    CHECK (publish_until (pub, 'L', &body, "/refused/signature"));
    CHECK_OK (put_change (reader, "x", reading, &body));
    CHECK (publish_until (pub, 'L', &body, "/refused/right"));
    CHECK_OK (put_change (writer, "x", skr_replica_device (writer), &body));
    CHECK (publish_until (pub, 'L', &body, "/refused/form"));
    body.data[body.size - 80] ^= 1; /* in the seal, with the signature of before */
    CHECK (publish_until (pub, 'L', &body, "/refused/signature"));
    skr_buf_clear (&body);
    skr_beat_t *beat = calloc (1, sizeof *beat);
    CHECK (beat);
    beat->writer = *skr_replica_writer (writer);
    beat->number = 1;
    skr_beat_put (&body, beat, skr_roster_mesh (skr_replica_roster (writer)),
                  skr_device_secret (reading));
    CHECK (publish_until (pub, 'B', &body, "/live/bad_frames"));
    skr_buf_clear (&body);
    skr_beat_put (&body, beat, skr_roster_mesh (skr_replica_roster (writer)),
                  skr_device_secret (skr_replica_device (writer)));
    CHECK (publish_until (pub, 'B', &body, "/beats/in")); /* the control */
    free (beat);
    skr_buf_free (&body);
}

static void changes_and_beats_that_are_forged (void)
{
    char ticket[SAKER_TICKET_MAX];
    char reader_store[96];
    int router_port, pub_port;
    skr_replica_t *writer = NULL, *reader = NULL;
    snprintf (reader_store, sizeof reader_store, "%s/r", folder);
    CHECK_OK (saker_invite (saker, "read", 600000, ticket));
    CHECK_OK (saker_join (reader_store, ticket, "rita", DEADLINE_MS));
    CHECK_OK (skr_replica_open (&reader, reader_store, skr_world_real ()));
    CHECK_OK (skr_replica_open (&writer, other_store, skr_world_real ()));
    void *router = impostor_serve (context, ZMQ_ROUTER, other, &router_port);
    void *pub = impostor_serve (context, ZMQ_PUB, other, &pub_port);
    void *dealer = dial_as (other);
    impostor_call (dealer, router_port);
    CHECK (answer_hello (router, pub_port));
    lie (pub, writer, reader);
    CHECK (writes_on ());
    zmq_close (dealer);
    zmq_close (pub);
    zmq_close (router);
    skr_replica_close (&writer);
    skr_replica_close (&reader);
}

static void tickets_have_clear_errors (void)
{
    char ticket[SAKER_TICKET_MAX];
    char at[96];
    snprintf (at, sizeof at, "%s/c", folder);
    CHECK_OK (saker_invite (saker, "read", 600000, ticket));
    CHECK_OK (saker_join (at, ticket, "carol", DEADLINE_MS));
    snprintf (at, sizeof at, "%s/d", folder);
    CHECK_ERR (saker_join (at, ticket, "dora", DEADLINE_MS), SAKER_EINPUT, "used");
    CHECK_OK (saker_invite (saker, "read", 1000, ticket));
    uint64_t late_ms = skr_world_real ()->wall_ms (NULL) + 1001;
    while (skr_world_real ()->wall_ms (NULL) < late_ms) {
        usleep (20000);
    }
    CHECK_ERR (saker_join (at, ticket, "dora", DEADLINE_MS), SAKER_EINPUT, "expired");
    ticket[strlen (ticket) - 5] = 0;
    CHECK_ERR (saker_join (at, ticket, "dora", DEADLINE_MS), SAKER_EINPUT, "cut");
    CHECK_ERR (saker_join (at, "hello", "dora", DEADLINE_MS), SAKER_EINPUT, "ticket");
    CHECK (access (at, F_OK) != 0); /* nothing is left of it */
}

/* ---- who does not listen, or says so */

static void *dial_named (const skr_device_t *who, const char *routing)
{
    int zero = 0;
    void *socket = zmq_socket (context, ZMQ_DEALER);
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_ROUTING_ID, routing, strlen (routing));
    zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, skr_device_transport_key (device), 32);
    zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, skr_device_transport_key (who), 32);
    zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, skr_device_transport_secret (who), 32);
    zmq_connect (socket, address);
    return socket;
}

static void say_no_port (void *dealer)
{
    skr_buf_t hello = {0};
    skr_wire_begin (&hello, 1, SKR_WIRE_HELLO, 3);
    skr_cbor_put_bytes (&hello, "12345678", 8);
    skr_cbor_put_uint (&hello, 0);
    skr_cbor_put_array (&hello, 0);
    zmq_send (dealer, hello.data, hello.size, 0);
    skr_buf_free (&hello);
}

/* Is the next that comes a request of the daemon, of this kind? Answers to our own are passed over.
 */
static bool is_asked (void *dealer, skr_wire_kind_t wanted)
{
    uint8_t bytes[65536];
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    while (impostor_hears (dealer, DEADLINE_MS)) {
        int size = zmq_recv (dealer, bytes, sizeof bytes, 0);
        if (size > 0 && bytes[0] == SKR_WIRE_ASK) {
            return skr_wire_open (&cbor, skr_span (bytes + 1, (size_t) size - 1), &number, &kind,
                                  &count)
                       == SAKER_OK
                   && kind == wanted;
        }
    }
    return false;
}

/* Until the ROUTER has noticed that who had the id is gone, it does not hear who takes it. */
static bool is_strange_as (const skr_device_t *from, const char *routing, skr_span_t body)
{
    for (int try = 0; try < 60; try++) {
        int64_t strange = count_of ("/router/strange");
        void *caller = dial_named (from, routing);
        impostor_publish (caller, 'B', body);
        impostor_publish (caller, 'R', body);
        uint64_t end_ms = now_ms () + 1000;
        while (now_ms () < end_ms && count_of ("/router/strange") < strange + 2) {
            usleep (20000);
        }
        bool told = count_of ("/router/strange") >= strange + 2;
        zmq_close (caller);
        if (told) {
            return true;
        }
    }
    return false;
}

static void a_caller_that_lies (void)
{
    char at[96];
    skr_device_t *carol = NULL;
    skr_buf_t body = {0};
    int64_t strange = count_of ("/router/strange");
    snprintf (at, sizeof at, "%s/c", folder);
    CHECK_OK (skr_device_load (&carol, at));
    skr_buf_append (&body, "nonsense", 8);
    /* publishes without having said that it does not listen */
    void *caller = dial_named (other, "mallory");
    impostor_publish (caller, 'B', skr_span_of (&body));
    impostor_publish (caller, 'R', skr_span_of (&body));
    CHECK (rises ("/router/strange", strange + 1));
    /* is asked then, on the connection that it made, and talks nonsense there */
    say_no_port (caller);
    CHECK (is_asked (caller, SKR_WIRE_HELLO));
    CHECK (publish_until (caller, 'B', &body, "/live/bad_frames"));
    CHECK (publish_until (caller, 'L', &body, "/live/bad_frames"));
    CHECK (publish_until (caller, 'R', &body, "/sessions/bad_answers"));
    /* asks as who was called does: nobody called it, and it is no request */
    CHECK (publish_until (caller, 'A', &body, "/router/bad_requests"));
    /* another member takes its routing id: what it says under it counts for nobody */
    zmq_close (caller);
    CHECK (is_strange_as (carol, "mallory", skr_span_of (&body)));
    CHECK (writes_on ());
    skr_buf_free (&body);
    skr_device_destroy (&carol);
}

/* ---- a large roster */

#define STATED 120 /* each of some 11 KB: more than fits into one answer */

static saker_err_t state_much (skr_replica_t *replica)
{
    skr_subscription_t subscription = skr_subscription_all ();
    skr_id_t id = {{0}};
    saker_err_t error = SAKER_OK;
    for (uint32_t i = 1; i <= SKR_SUBSCRIPTION_NAMED_MAX && error == SAKER_OK; i++) {
        skr_put_u32 (id.bytes, i);
        error = skr_subscription_set (&subscription, &id, false);
    }
    error = error == SAKER_OK ? skr_replica_begin (replica) : error;
    for (int i = 1; i <= STATED && error == SAKER_OK; i++) {
        skr_buf_t statement = {0};
        subscription.number = (uint64_t) i;
        skr_statement_subscribe (&statement, skr_device_key (skr_replica_device (replica)),
                                 &subscription);
        const skr_span_t span = skr_span_of (&statement);
        error = skr_replica_state (replica, &span, 1);
        skr_buf_free (&statement);
    }
    skr_subscription_free (&subscription);
    return error == SAKER_OK ? skr_replica_commit (replica) : error;
}

static void who_joins_takes_a_roster_of_any_size (void)
{
    int status = 1;
    char ticket[SAKER_TICKET_MAX], at[96];
    skr_replica_t *founder = NULL, *joined = NULL;
    saker_close (&saker);
    kill (process, SIGTERM);
    CHECK (waitpid (process, &status, 0) == process);
    CHECK_OK (skr_replica_open (&founder, store, skr_world_real ()));
    CHECK_OK (state_much (founder));
    CHECK (skr_replica_collection_at (founder, 0)->log_bytes > 1 << 20);
    skr_replica_close (&founder);
    launch ();
    snprintf (at, sizeof at, "%s/large", folder);
    CHECK_OK (saker_invite (saker, "write", 600000, ticket));
    CHECK_OK (saker_join (at, ticket, "paula", DEADLINE_MS));
    CHECK_OK (skr_replica_open (&joined, at, skr_world_real ()));
    CHECK (skr_replica_collection_at (joined, 0)->changes > STATED);
    CHECK_STR (skr_replica_self (joined)->name, "paula");
    skr_replica_close (&joined);
    CHECK (writes_on ());
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (start);
    RUN (a_stranger_reads_and_writes_nothing);
    RUN (without_a_key_nobody_is_heard);
    RUN (garbage_over_tcp);
    RUN (silent_connections_are_closed);
    RUN (a_member_that_talks_nonsense);
    RUN (a_message_over_the_limit);
    RUN (a_member_with_mutated_requests);
    RUN (a_message_of_endless_parts);
    RUN (a_subscriber_that_wants_everything);
    RUN (a_subscriber_that_goes_in_the_middle);
    RUN (nonsense_on_the_local_socket);
    RUN (local_programs_that_do_nothing);
    RUN (a_member_that_lies);
    RUN (a_member_that_asks_without_end);
    RUN (changes_and_beats_that_are_forged);
    RUN (tickets_have_clear_errors);
    RUN (a_caller_that_lies);
    RUN (who_joins_takes_a_roster_of_any_size);
    RUN (stop);
    return CHECK_END ();
}
