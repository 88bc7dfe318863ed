/* The poller on sockets of the real libzmq: their descriptors tell once, and what is done with a
   socket may take what they would tell. */

#include "mesh/poller.h"
#include "tests/check.h"

#include <unistd.h>
#include <zmq.h>

#define NAME "inproc://poller"
#define WAIT_MS 5000

static void *context, *in, *out;
static skr_poller_t poller;

static void begin (void)
{
    context = zmq_ctx_new ();
    in = zmq_socket (context, ZMQ_PAIR);
    out = zmq_socket (context, ZMQ_PAIR);
    CHECK (zmq_bind (in, NAME) == 0 && zmq_connect (out, NAME) == 0);
    CHECK (skr_poller_begin (&poller, 1));
    skr_poller_add (&poller, in);
}

static void end (void)
{
    zmq_close (in);
    zmq_close (out);
    zmq_ctx_term (context);
    skr_poller_free (&poller);
}

static size_t drain (void)
{
    char byte;
    size_t count = 0;
    while (zmq_recv (in, &byte, 1, ZMQ_DONTWAIT) >= 0) {
        count++;
    }
    return count;
}

static bool is_due (int wait_ms)
{
    skr_poller_wait (&poller, wait_ms);
    return skr_poller_take (&poller, in);
}

static void what_is_new_is_due_at_first (void)
{
    begin ();
    CHECK (is_due (0));
    CHECK (drain () == 0);
    CHECK (!is_due (0));
    end ();
}

static void what_comes_makes_due_once (void)
{
    begin ();
    CHECK (is_due (0) && drain () == 0);
    for (int i = 0; i < 3; i++) {
        CHECK (zmq_send (out, "x", 1, 0) == 1);
    }
    CHECK (is_due (WAIT_MS));
    CHECK (drain () == 3);
    CHECK (!is_due (0));
    CHECK (zmq_send (out, "x", 1, 0) == 1);
    CHECK (is_due (WAIT_MS));
    CHECK (drain () == 1);
    end ();
}

/* Why skr_poller_look is there: without it the message would wait for the next one. */
static void what_is_asked_by_the_way_is_not_told_again (void)
{
    int events = 0;
    size_t size = sizeof events;
    begin ();
    CHECK (is_due (0) && drain () == 0);
    CHECK (zmq_send (out, "x", 1, 0) == 1);
    CHECK (zmq_getsockopt (in, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN));
    CHECK (!is_due (0));
    skr_poller_look (&poller, in);
    CHECK (is_due (WAIT_MS));
    CHECK (drain () == 1);
    end ();
}

static void what_is_left_is_due_when_looked_for (void)
{
    char byte;
    begin ();
    CHECK (is_due (0) && drain () == 0);
    CHECK (zmq_send (out, "x", 1, 0) == 1 && zmq_send (out, "y", 1, 0) == 1);
    CHECK (is_due (WAIT_MS));
    CHECK (zmq_recv (in, &byte, 1, 0) == 1 && byte == 'x');
    skr_poller_look (&poller, in);
    CHECK (is_due (WAIT_MS));
    CHECK (zmq_recv (in, &byte, 1, 0) == 1 && byte == 'y');
    end ();
}

static void a_descriptor_is_known_by_its_pointer (void)
{
    int ends[2];
    begin ();
    CHECK (pipe (ends) == 0);
    CHECK (skr_poller_begin (&poller, 2));
    skr_poller_add (&poller, in);
    skr_poller_add_descriptor (&poller, ends, ends[0]);
    CHECK (is_due (0) && drain () == 0 && skr_poller_take (&poller, ends));
    CHECK (!is_due (0) && !skr_poller_take (&poller, ends));
    CHECK (write (ends[1], "x", 1) == 1);
    CHECK (!is_due (WAIT_MS) && skr_poller_take (&poller, ends));
    CHECK (!skr_poller_take (&poller, &poller)); /* nobody's */
    skr_poller_look (&poller, &poller);
    close (ends[0]);
    close (ends[1]);
    end ();
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (what_is_new_is_due_at_first);
    RUN (what_comes_makes_due_once);
    RUN (what_is_asked_by_the_way_is_not_told_again);
    RUN (what_is_left_is_due_when_looked_for);
    RUN (a_descriptor_is_known_by_its_pointer);
    return CHECK_END ();
}
