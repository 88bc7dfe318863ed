#include "tests/lib/impostor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define INSTANCE "12345678" /* of its process */

void *impostor_dial (void *context, int type, const char *where, const uint8_t *server,
                     const uint8_t *public_key, const uint8_t *secret)
{
    int zero = 0;
    void *socket = zmq_socket (context, type);
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_SNDHWM, &zero, sizeof zero);
    if (server) {
        zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, server, 32);
        zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, public_key, 32);
        zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret, 32);
    }
    if (type == ZMQ_SUB) {
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "", 0);
    }
    zmq_connect (socket, where);
    return socket;
}

void *impostor_serve (void *context, int type, const skr_device_t *who, int *port)
{
    int one = 1;
    int zero = 0;
    char where[128];
    size_t size = sizeof where;
    void *socket = zmq_socket (context, type);
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, skr_device_transport_secret (who), 32);
    zmq_bind (socket, "tcp://127.0.0.1:*");
    zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, where, &size);
    *port = (int) strtol (strrchr (where, ':') + 1, NULL, 10);
    return socket;
}

bool impostor_hears (void *socket, long wait_ms)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll (&item, 1, wait_ms) > 0;
}

void impostor_call (void *dealer, int port)
{
    char where[64];
    skr_buf_t hello = {0};
    int length = snprintf (where, sizeof where, "tcp://127.0.0.1:%d", port);
    skr_wire_begin (&hello, 1, SKR_WIRE_HELLO, 3);
    skr_cbor_put_bytes (&hello, INSTANCE, SKR_WIRE_INSTANCE_BYTES);
    skr_cbor_put_uint (&hello, 4242);
    skr_cbor_put_array (&hello, 1);
    skr_cbor_put_text (&hello, where, (size_t) length);
    zmq_send (dealer, hello.data, hello.size, 0);
    skr_buf_free (&hello);
}

bool impostor_take (void *router, long wait_ms, skr_buf_t *routing, uint64_t *number,
                    skr_wire_kind_t *kind)
{
    uint8_t name[256], request[4096];
    skr_cbor_t cbor;
    size_t count = 0;
    if (!impostor_hears (router, wait_ms)) {
        return false;
    }
    int named = zmq_recv (router, name, sizeof name, 0);
    int size = zmq_recv (router, request, sizeof request, 0);
    if (named < 0 || size < 0 || (size_t) size > sizeof request) {
        return false;
    }
    skr_buf_append (routing, name, (size_t) named);
    return skr_wire_open (&cbor, skr_span (request, (size_t) size), number, kind, &count)
           == SAKER_OK;
}

void impostor_greet (void *router, skr_span_t routing, uint64_t number, const skr_device_t *who,
                     const skr_id_t *writer, int pub_port)
{
    skr_buf_t answer = {0};
    skr_wire_begin (&answer, number, SKR_WIRE_HELLO, 5);
    skr_cbor_put_bytes (&answer, skr_device_key (who), 32);
    skr_cbor_put_bytes (&answer, writer->bytes, 16);
    skr_cbor_put_uint (&answer, (uint64_t) pub_port);
    skr_cbor_put_bytes (&answer, INSTANCE, SKR_WIRE_INSTANCE_BYTES);
    skr_cbor_put_array (&answer, 0);
    zmq_send (router, routing.data, routing.size, ZMQ_SNDMORE);
    zmq_send (router, answer.data, answer.size, 0);
    skr_buf_free (&answer);
}

void impostor_publish (void *pub, char kind, skr_span_t body)
{
    skr_buf_t frame = {0};
    skr_buf_append_byte (&frame, (uint8_t) kind);
    skr_buf_append_span (&frame, body);
    zmq_send (pub, frame.data, frame.size, 0);
    skr_buf_free (&frame);
}

void impostor_put_greedy (skr_buf_t *request, skr_wire_kind_t kind, const skr_id_t *collection)
{
    static const skr_clock_t nothing;
    skr_wire_begin (request, 1, kind, kind == SKR_WIRE_PULL ? 3 : 4);
    skr_cbor_put_bytes (request, collection->bytes, sizeof collection->bytes);
    if (kind == SKR_WIRE_PULL) {
        skr_clock_put (request, &nothing);
        skr_cbor_put_uint (request, 1 << 20);
    } else {
        skr_cbor_put_bytes (request, NULL, 0);
        skr_cbor_put_bytes (request, NULL, 0);
        skr_cbor_put_uint (request, 0);
    }
}
