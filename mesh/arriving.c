/* What arrives in a round: questions of members and of programs, answers, what members publish,
   beacons. All of it goes into one group. */

#include "mesh/node_internal.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define MESSAGES_MAX 256           /* taken of one socket in one round */
#define ROUND_BYTES_MAX (4u << 20) /* taken of all sockets in one round */

/* ---- what one message is handled with */

typedef void message_fn (skr_node_t *self, skr_span_t routing, const char *user_id,
                         skr_span_t body);

static void count_frame (skr_node_t *self, zmq_msg_t *frame, size_t *bytes_left)
{
    size_t size = zmq_msg_size (frame);
    *bytes_left -= size < *bytes_left ? size : *bytes_left;
    skr_guard_took (&self->guard, zmq_msg_get (frame, ZMQ_SRCFD), size);
}

/* Takes what waits on a socket, up to the bound of a round. A message is one body frame, after the
   routing id of a ROUTER; anything with more parts is dropped and counted. */
static bool take_one (skr_node_t *self, void *socket, bool routed, message_fn *handle,
                      size_t *bytes_left)
{
    zmq_msg_t routing, body;
    zmq_msg_init (&routing);
    zmq_msg_init (&body);
    bool got = !routed || zmq_msg_recv (&routing, socket, ZMQ_DONTWAIT) >= 0;
    bool whole = got && (!routed || zmq_msg_more (&routing));
    got = got && (!whole || zmq_msg_recv (&body, socket, ZMQ_DONTWAIT) >= 0);
    bool single = got && whole && !zmq_msg_more (&body);
    if (single) {
        count_frame (self, &body, bytes_left);
        /* of the body: 4.3.4 loses the properties of a ROUTER's first frame after a poll */
        handle (self, skr_span (zmq_msg_data (&routing), zmq_msg_size (&routing)),
                routed ? zmq_msg_gets (&body, "User-Id") : NULL,
                skr_span (zmq_msg_data (&body), zmq_msg_size (&body)));
    } else if (got) {
        self->stats.strange_frames++;
        count_frame (self, &body, bytes_left);
        while (zmq_msg_more (&body) && zmq_msg_recv (&body, socket, ZMQ_DONTWAIT) >= 0) {
            count_frame (self, &body, bytes_left);
        }
    }
    zmq_msg_close (&body);
    zmq_msg_close (&routing);
    return got;
}

static void drain (skr_node_t *self, void *socket, bool routed, message_fn *handle,
                   size_t *bytes_left)
{
    if (!skr_poller_take (&self->poller, socket)) {
        return;
    }
    for (int i = 0; i < MESSAGES_MAX && *bytes_left; i++) {
        if (!take_one (self, socket, routed, handle, bytes_left)) {
            return;
        }
    }
    skr_poller_look (&self->poller, socket); /* for the rest, in the next round */
}

static bool send_routed (skr_node_t *self, void *socket, skr_span_t routing, skr_span_t answer)
{
    skr_poller_look (&self->poller, socket);
    return skr_socket_send (socket, routing, answer);
}

/* ---- the ROUTER: other members ask */

/* Keeps the addresses that a member says it can be reached at. */
static void learn_addresses (skr_link_t *link, skr_span_t addresses)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, addresses);
    size_t count = skr_cbor_get_array (&cbor, SKR_LINK_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++) {
        char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1] = {0};
        skr_span_t text = skr_cbor_get_text (&cbor);
        if (text.size && text.size < sizeof address && !memchr (text.data, 0, text.size)) {
            memcpy (address, text.data, text.size);
            if (skr_address_numeric (address)) {
                skr_link_learn (link, address);
            }
        }
    }
}

/* Our own device said HELLO to us: the first address that it tells is where it is. */
static void take_twin_call (skr_node_t *self, const skr_said_t *said)
{
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1] = {0};
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, said->addresses);
    size_t count = skr_cbor_get_array (&cbor, SKR_LINK_ADDRESSES_MAX);
    skr_span_t text = count ? skr_cbor_get_text (&cbor) : skr_span (NULL, 0);
    if (text.size && text.size < sizeof address && !memchr (text.data, 0, text.size)) {
        memcpy (address, text.data, text.size);
    }
    skr_twin_called (self, said->instance.data, address);
}

void skr_node_called (skr_node_t *self, const skr_member_t *member, skr_span_t routing,
                      const skr_said_t *said)
{
    skr_link_t *link = skr_links_find (&self->links, member->device);
    if (skr_node_is_own (self, member->device)) {
        take_twin_call (self, said);
    }
    if (!link) {
        return;
    }
    if (said->pub_port) {
        skr_link_listens (&self->links, link);
        learn_addresses (link, said->addresses);
    } else if (self->router) {
        skr_link_take_call (&self->links, link, routing, said->instance.data, skr_node_now (self));
    }
    /* a greeting that is repeated, as each is every ten seconds, is no new subscriber */
    if (link->state != SKR_LINK_UP
        || memcmp (link->called[0], said->instance.data, sizeof link->called[0]) != 0) {
        skr_tell_called (self, skr_node_now (self));
    }
    skr_link_called (link, said->instance.data, skr_node_now (self));
}

static void hold_join (skr_node_t *self, skr_span_t routing, skr_span_t request)
{
    if (self->joins_count < SKR_NODE_JOINS_MAX) {
        skr_join_held_t *join = &self->joins[self->joins_count++];
        skr_buf_append_span (&join->routing, routing);
        skr_buf_append_span (&join->request, request);
    }
}

static void on_request (skr_node_t *self, skr_span_t routing, const char *user_id, skr_span_t body)
{
    skr_asker_t asker;
    uint8_t ticket[32];
    skr_buf_t answer = {0};
    skr_said_t said = {0};
    bool held = false;
    self->stats.request_bytes += body.size;
    /* design 7: ZAP runs only at the handshake, so membership is looked at for each message */
    if (!skr_zap_asker (user_id, skr_replica_roster (self->replica), &asker, ticket)) {
        self->stats.strange_frames++;
        return;
    }
    asker.now_ms = skr_node_now (self);
    if (skr_caller_take (self, &asker, routing, body)) {
        return;
    }
    skr_answer (self->answerer, &asker, body, &answer, &held, &said);
    if (held) {
        hold_join (self, routing, body);
    } else if (answer.size && !answer.failed
               && !send_routed (self, self->router, routing, skr_span_of (&answer))) {
        self->stats.unsent++;
    }
    if (asker.member && said.addresses.size) {
        skr_node_called (self, asker.member, routing, &said);
    }
    skr_buf_free (&answer);
}

void skr_node_answer_joins (skr_node_t *self, saker_err_t error)
{
    for (size_t i = 0; i < self->joins_count; i++) {
        skr_join_held_t *join = &self->joins[i];
        skr_buf_t answer = {0};
        if (error == SAKER_OK && !join->request.failed && !join->routing.failed) {
            skr_answer_joined (self->answerer, skr_span_of (&join->request), &answer);
            send_routed (self, self->router, skr_span_of (&join->routing), skr_span_of (&answer));
        } /* else no answer: the joining side asks again */
        skr_buf_free (&answer);
        skr_buf_free (&join->routing);
        skr_buf_free (&join->request);
    }
    self->joins_count = 0;
}

/* ---- programs of this machine */

static void on_local (void *context, skr_span_t client, skr_span_t request)
{
    skr_node_t *self = context;
    skr_api_request (self->api, client, request);
}

/* ---- links: answers to what we asked, and what members publish */

static void on_answer (skr_node_t *self, skr_span_t routing, const char *user_id, skr_span_t body)
{
    (void) routing, (void) user_id;
    if (body.size && body.data[0] == SKR_WIRE_ASK) {
        self->stats.request_bytes += body.size;
        skr_caller_asked (self, self->taking, skr_span (body.data + 1, body.size - 1));
        return;
    }
    self->stats.answer_bytes += body.size;
    skr_node_fail_group (self,
                         skr_session_answer (self->taking->session, body, skr_node_now (self)));
}

void skr_node_frame (skr_node_t *self, skr_link_t *link, skr_span_t body)
{
    bool bad = false;
    self->stats.frames_in++;
    self->stats.frame_bytes += body.size;
    link->frame_bytes += body.size;
    uint8_t kind = body.size ? body.data[0] : 0;
    skr_span_t rest = skr_span (body.data + 1, body.size ? body.size - 1 : 0);
    uint64_t mono_ms = skr_node_now (self);
    if (kind == SKR_FRAME_QUIT && body.size == 1) {
        skr_link_left (link);
        return;
    }
    skr_link_heard (link, mono_ms);
    if (kind == SKR_FRAME_LIVE) {
        skr_node_fail_group (self, skr_live_take (self->replica, rest, &bad));
    } else if (kind == SKR_FRAME_BEAT) {
        skr_tell_take (self, link, rest, mono_ms);
    } else {
        bad = true;
    }
    self->stats.bad_frames += bad;
}

static void on_frame (skr_node_t *self, skr_span_t routing, const char *user_id, skr_span_t body)
{
    (void) routing, (void) user_id;
    skr_node_frame (self, self->taking, body);
}

static void drain_link (skr_node_t *self, skr_link_t *link, size_t *bytes_left)
{
    self->taking = link;
    if (link->sub) {
        drain (self, link->sub, false, on_frame, bytes_left);
    }
    if (link->dealer) {
        drain (self, link->dealer, false, on_answer, bytes_left);
    }
}

/* ---- beacons */

static void on_beacon (skr_node_t *self, const char *host, skr_span_t bytes)
{
    char address[96];
    uint16_t port = 0;
    const skr_member_t *member =
        self->beacon_keyed
            ? skr_beacon_whose (bytes, self->beacon_key, skr_replica_roster (self->replica),
                                self->links.own.instance, &port)
            : NULL;
    skr_link_t *link = member ? skr_links_find (&self->links, member->device) : NULL;
    snprintf (address, sizeof address, "tcp://%s:%u", host, port);
    if (member && skr_node_is_own (self, member->device)) {
        skr_twin_hint (self, address);
    } else if (link) {
        skr_link_learn (link, address);
        self->beacon_stats.heard++;
    } else {
        self->beacon_stats.strange++;
    }
}

static void drain_beacon (skr_node_t *self, skr_beacon_t *beacon)
{
    char host[64];
    uint8_t bytes[256];
    size_t size = 0;
    if (!skr_poller_take (&self->poller, beacon)) {
        return;
    }
    for (int i = 0; i < MESSAGES_MAX; i++) {
        if (!skr_beacon_receive (beacon, host, sizeof host, bytes, &size, sizeof bytes)) {
            return;
        }
        on_beacon (self, host, skr_span (bytes, size));
    }
    skr_poller_look (&self->poller, beacon);
}

/* ---- all of it */

void skr_node_take_work (skr_node_t *self)
{
    size_t bytes_left = ROUND_BYTES_MAX;
    skr_poller_take (&self->poller, &self->wake);
    bool connecting = self->zap && skr_poller_take (&self->poller, self->zap);
    while (connecting) {
        connecting = skr_zap_serve (self->zap, self->replica, &self->zap_stats);
    }
    skr_poller_take (&self->poller, self->local);
    skr_local_turn (self->local, on_local, self, &bytes_left);
    for (size_t i = 0; i < self->links.count; i++) {
        drain_link (self, self->links.links[i], &bytes_left);
    }
    if (self->router) {
        drain (self, self->router, true, on_request, &bytes_left);
    }
    for (size_t i = 0; i < self->beacons_count; i++) {
        drain_beacon (self, self->beacons[i]);
    }
}
