/* The local socket: requests in pieces and many at once, answers that are not read, clients that
   go, too many of them. */

#include "mesh/local.h"
#include "peer/api.h"
#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_BYTES (4u << 20)

static char folder[TEMP_FOLDER_BYTES];
static skr_local_socket_t *server;

/* ---- the server's side: it answers with what it was asked, so many times over */

typedef struct taken_t {
    size_t requests, empty;
    size_t bytes;
    unsigned int times; /* 0: it does not answer */
    skr_buf_t client;   /* who asked last */
} taken_t;

static taken_t taken;

static void take (void *context, skr_span_t client, skr_span_t request)
{
    skr_buf_t answer = {0};
    (void) context;
    taken.requests++;
    taken.empty += request.size == 0;
    taken.bytes += request.size;
    skr_buf_clear (&taken.client);
    skr_buf_append_span (&taken.client, client);
    for (unsigned int i = 0; i < taken.times; i++) {
        skr_buf_append_span (&answer, request);
    }
    if (taken.times > 0) {
        (void) skr_local_send (server, client, skr_span_of (&answer));
    }
    skr_buf_free (&answer);
}

static void turn (void)
{
    size_t bytes_left = ROUND_BYTES;
    skr_local_turn (server, take, NULL, &bytes_left);
}

/* As long as there is something to do. */
static void turn_all (void)
{
    struct pollfd item = {.fd = skr_local_descriptor (server), .events = POLLIN};
    for (int i = 0; i < 10000 && poll (&item, 1, 20) > 0; i++) {
        turn ();
    }
}

static bool begin (void)
{
    temp_folder_make (folder);
    skr_buf_free (&taken.client);
    taken = (taken_t){.times = 1};
    return skr_local_open (&server, folder) == SAKER_OK;
}

static void end (void)
{
    skr_local_close (&server);
    skr_buf_free (&taken.client);
    temp_folder_remove (folder);
}

/* ---- the client's side */

static void put_request (skr_buf_t *bytes, size_t size, uint8_t fill)
{
    uint8_t head[4];
    skr_put_u32 (head, (uint32_t) size);
    skr_buf_append (bytes, head, 4);
    for (size_t i = 0; i < size; i++) {
        skr_buf_append_byte (bytes, fill);
    }
}

/* All that fits. */
static size_t say (int file, skr_span_t bytes)
{
    ssize_t sent = send (file, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t) sent : 0;
}

/* Takes what there is; the server turns meanwhile. */
static void hear (int file, skr_buf_t *got, size_t wanted)
{
    for (int i = 0; i < 100000 && got->size < wanted; i++) {
        uint8_t *room = skr_buf_reserve (got, 65536);
        ssize_t came = room ? recv (file, room, 65536, MSG_DONTWAIT) : 0;
        got->size += came > 0 ? (size_t) came : 0;
        if (came <= 0) {
            turn ();
        }
    }
}

static bool is_at_end (int file)
{
    uint8_t byte;
    for (int i = 0; i < 1000; i++) {
        ssize_t got = recv (file, &byte, 1, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return true;
        }
        turn ();
    }
    return false;
}

/* The client goes, and then the server. */
static void finish (int file, skr_buf_t *bytes, skr_buf_t *got)
{
    skr_buf_free (bytes);
    skr_buf_free (got);
    (void) close (file);
    turn_all ();
    end ();
}

/* ---- tests */

static void takes_pieces (void)
{
    skr_buf_t bytes = {0}, got = {0};
    CHECK (begin ());
    int file = skr_local_connect (folder);
    CHECK (file >= 0);
    put_request (&bytes, 1, 'a');
    put_request (&bytes, 300, 'b');
    put_request (&bytes, 7, 'c');
    for (size_t i = 0; i < bytes.size; i++) {
        CHECK (say (file, skr_span (bytes.data + i, 1)) == 1);
        turn ();
    }
    hear (file, &got, bytes.size);
    CHECK_INT (taken.requests, 3);
    CHECK (skr_span_equal (skr_span_of (&got), skr_span_of (&bytes)));
    finish (file, &bytes, &got);
}

static void takes_many_and_large_ones (void)
{
    skr_buf_t bytes = {0}, got = {0};
    uint64_t random = check_seed ();
    CHECK (begin ());
    int file = skr_local_connect (folder);
    for (int i = 0; i < 3000; i++) {
        put_request (&bytes, 1 + check_random (&random) % 200, (uint8_t) i);
        if (i % 500 == 0) {
            put_request (&bytes, SKR_API_REQUEST_BYTES_MAX - (size_t) i, (uint8_t) i);
        }
    }
    size_t sent = 0;
    while (sent < bytes.size || got.size < bytes.size) {
        sent += say (file, skr_span (bytes.data + sent, bytes.size - sent));
        turn ();
        hear (file, &got, got.size + 1);
    }
    CHECK_INT (taken.requests, 3006);
    CHECK (skr_span_equal (skr_span_of (&got), skr_span_of (&bytes)));
    finish (file, &bytes, &got);
}

/* Nothing more is taken from who does not read; then all goes on where it was. */
static void waits_for_who_does_not_read (void)
{
    skr_buf_t bytes = {0}, got = {0};
    CHECK (begin ());
    taken.times = 1000;
    int file = skr_local_connect (folder), other = skr_local_connect (folder);
    for (int i = 0; i < 400; i++) {
        put_request (&bytes, 1000, (uint8_t) i);
    }
    size_t sent = 0;
    for (int i = 0; i < 100; i++) {
        sent += say (file, skr_span (bytes.data + sent, bytes.size - sent));
        turn ();
    }
    CHECK (taken.requests < 10); /* a million bytes each */
    size_t before = taken.requests;
    taken.times = 1;
    CHECK (say (other, skr_span (bytes.data, 1004)) == 1004);
    hear (other, &got, 1004);
    CHECK_INT (taken.requests, before + 1);
    CHECK (skr_span_equal (skr_span_of (&got), skr_span (bytes.data, 1004)));
    skr_buf_clear (&got);
    while (sent < bytes.size) {
        hear (file, &got, got.size + 1);
        sent += say (file, skr_span (bytes.data + sent, bytes.size - sent));
    }
    hear (file, &got, before * 1000004 + (400 - before) * 1004);
    CHECK_INT (taken.requests, 401);
    CHECK_INT (got.size, before * 1000004 + (400 - before) * 1004);
    (void) close (other);
    finish (file, &bytes, &got);
}

static void gives_up_who_never_reads (void)
{
    skr_buf_t bytes = {0}, large = {0};
    CHECK (begin ());
    taken.times = 0;
    int file = skr_local_connect (folder);
    put_request (&bytes, 10, 'x');
    CHECK (say (file, skr_span_of (&bytes)) == bytes.size);
    turn_all ();
    CHECK_INT (taken.requests, 1);
    put_request (&large, 1000000, 'y');
    int sent = 0;
    while (sent < 100
           && skr_local_send (server, skr_span_of (&taken.client), skr_span_of (&large))) {
        sent++;
    }
    CHECK (sent > 10 && sent < 20); /* SKR_LOCAL_UNREAD_BYTES_MAX */
    CHECK (!skr_local_send (server, skr_span_of (&taken.client), skr_span_of (&bytes)));
    turn_all ();
    CHECK (!skr_local_send (server, skr_span_of (&taken.client), skr_span_of (&bytes)));
    (void) close (file);
    skr_buf_free (&bytes);
    skr_buf_free (&large);
    end ();
}

/* What is for who has gone is not told to who has its place now. */
static void answers_nobody_else (void)
{
    skr_buf_t bytes = {0}, got = {0}, gone = {0};
    CHECK (begin ());
    taken.times = 0;
    int file = skr_local_connect (folder);
    put_request (&bytes, 10, 'x');
    CHECK (say (file, skr_span_of (&bytes)) == bytes.size);
    turn_all ();
    skr_buf_append_span (&gone, skr_span_of (&taken.client));
    (void) close (file);
    turn_all ();
    file = skr_local_connect (folder);
    CHECK (say (file, skr_span_of (&bytes)) == bytes.size);
    turn_all ();
    CHECK_INT (taken.requests, 2);
    CHECK (!skr_local_send (server, skr_span_of (&gone), skr_span_text ("secret")));
    CHECK (!skr_local_send (server, skr_span_text ("nobody"), skr_span_text ("secret")));
    CHECK (skr_local_send (server, skr_span_of (&taken.client), skr_span_text ("open")));
    hear (file, &got, 8);
    CHECK (got.size == 8 && memcmp (got.data + 4, "open", 4) == 0);
    skr_buf_free (&gone);
    finish (file, &bytes, &got);
}

static void cuts_off_nonsense (void)
{
    static const uint8_t sizes[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 0x10, 0, 1}};
    CHECK (begin ());
    for (size_t i = 0; i < 3; i++) {
        int file = skr_local_connect (folder);
        CHECK (say (file, skr_span (sizes[i], 4)) == 4);
        CHECK (is_at_end (file));
        CHECK_INT (taken.empty, i + 1);
        (void) close (file);
    }
    end ();
}

/* Who comes when no descriptor is free waits, and is taken when there is one. */
static void outlives_a_lack_of_descriptors (void)
{
    enum { CLIENTS = 20 };
    int files[CLIENTS], spare[64];
    struct rlimit before, few;
    skr_buf_t bytes = {0};
    CHECK (begin ());
    put_request (&bytes, 10, 'x');
    for (int i = 0; i < CLIENTS; i++) {
        files[i] = skr_local_connect (folder);
        CHECK (files[i] >= 0 && say (files[i], skr_span_of (&bytes)) == bytes.size);
    }
    CHECK (getrlimit (RLIMIT_NOFILE, &before) == 0);
    few = before;
    few.rlim_cur = (rlim_t) files[CLIENTS - 1] + 6;
    CHECK (setrlimit (RLIMIT_NOFILE, &few) == 0);
    int spares = 0;
    while (spares < 64 && (spare[spares] = dup (0)) >= 0) {
        spares++;
    }
    for (int i = 0; i < 50; i++) {
        turn ();
    }
    CHECK_INT (taken.requests, 0);
    while (spares > 0) {
        (void) close (spare[--spares]);
    }
    CHECK (setrlimit (RLIMIT_NOFILE, &before) == 0);
    for (int i = 0; i < 50; i++) {
        turn ();
    }
    CHECK_INT (taken.requests, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        (void) close (files[i]);
    }
    skr_buf_free (&bytes);
    turn_all ();
    end ();
}

/* A child of a fork keeps all descriptors: connections end all the same, and nothing of them is
   told again and again. */
static void ends_in_spite_of_a_child (void)
{
    struct pollfd item;
    skr_buf_t bytes = {0};
    CHECK (begin ());
    put_request (&bytes, 10, 'x');
    int file = skr_local_connect (folder), other = skr_local_connect (folder);
    CHECK (say (file, skr_span_of (&bytes)) == bytes.size);
    CHECK (say (other, skr_span (bytes.data + 4, 10)) == 10); /* nonsense */
    turn ();
    pid_t child = fork ();
    if (child == 0) {
        (void) pause ();
        _exit (0);
    }
    CHECK (shutdown (file, SHUT_RDWR) == 0);
    CHECK (is_at_end (other));
    (void) close (other);
    turn_all ();
    item = (struct pollfd){.fd = skr_local_descriptor (server), .events = POLLIN};
    CHECK_INT (poll (&item, 1, 0), 0);
    (void) kill (child, SIGKILL);
    (void) waitpid (child, NULL, 0);
    (void) close (file);
    skr_buf_free (&bytes);
    end ();
}

static void listens_in_a_long_path (void)
{
    char name[TEMP_FOLDER_BYTES + 256], end_of_it[201];
    struct stat status;
    CHECK (begin ());
    skr_local_close (&server);
    memset (end_of_it, 'f', 200);
    end_of_it[200] = 0;
    (void) snprintf (name, sizeof name, "%s/%s", folder, end_of_it);
    CHECK (mkdir (name, 0700) == 0);
    CHECK (skr_local_connect (name) < 0);
    for (int i = 0; i < 2; i++) {
        CHECK_OK (skr_local_open (&server, name));
        int file = skr_local_connect (name);
        skr_buf_t bytes = {0}, got = {0};
        put_request (&bytes, 10, 'x');
        CHECK (file >= 0 && say (file, skr_span_of (&bytes)) == bytes.size);
        hear (file, &got, bytes.size);
        CHECK (skr_span_equal (skr_span_of (&got), skr_span_of (&bytes)));
        skr_buf_free (&bytes);
        skr_buf_free (&got);
        skr_local_close (&server);
        CHECK (is_at_end (file));
        (void) close (file);
    }
    (void) snprintf (name, sizeof name, "%s/%s/run/api", folder, end_of_it);
    CHECK (stat (name, &status) != 0); /* nothing is left of it */
    end ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (takes_pieces);
    RUN (takes_many_and_large_ones);
    RUN (waits_for_who_does_not_read);
    RUN (gives_up_who_never_reads);
    RUN (answers_nobody_else);
    RUN (cuts_off_nonsense);
    RUN (outlives_a_lack_of_descriptors);
    RUN (ends_in_spite_of_a_child);
    RUN (listens_in_a_long_path);
    return CHECK_END ();
}
