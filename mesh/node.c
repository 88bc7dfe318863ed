#include "mesh/horizon.h"
#include "mesh/node_internal.h"

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/partial.h"
#include "peer/sealed.h"
#include "peer/settling.h"
#include "peer/succession.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define MESSAGES_MAX 256           /* taken of one socket in one round */
#define ROUND_BYTES_MAX (4u << 20) /* taken of all sockets in one round */
#define TURN_EVERY_MS 200          /* links look at themselves */
#define WAIT_MAX_MS 1000
#define ROTATION_LOOK_MS 60000
#define SETTLE_EVERY_MS 1000
#define REST_MS 10000      /* after the last group */
#define SHARE_TURN_MS 1000 /* after a change of the roster, for each admin before us */
#define PAUSE_MIN_MS 1000  /* nothing is pulled after a group that could not be stored */
#define PAUSE_MAX_MS 10000

uint64_t skr_node_now (const skr_node_t *self)
{
    return self->world.mono_ms (self->world.context);
}

static void filter_log (void *context, skr_level_t level, const char *message)
{
    const skr_node_t *self = context;
    bool watched = self->watched_until_ms && level <= self->watched_level
                   && skr_node_now (self) < self->watched_until_ms;
    if ((level <= self->log_level || watched) && self->outer->log) {
        self->outer->log (self->outer->context, level, message);
    }
}

static uint64_t outer_wall (void *context)
{
    const skr_node_t *self = context;
    return self->outer->wall_ms (self->outer->context);
}

static uint64_t outer_mono (void *context)
{
    const skr_node_t *self = context;
    return self->outer->mono_ms (self->outer->context);
}

static uint64_t outer_mono_us (void *context)
{
    const skr_node_t *self = context;
    return skr_world_mono_us (self->outer);
}

static bool outer_home (void *context, const char *folder, skr_home_t *home)
{
    const skr_node_t *self = context;
    return self->outer->home && self->outer->home (self->outer->context, folder, home);
}

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

/* A disk that is full stays full for a while: what others hold is pulled again later, less and less
   often, and a failure is told once. */
static void note_failure (skr_node_t *self, saker_err_t error)
{
    uint64_t now_ms = skr_node_now (self);
    self->stats.failed_groups++;
    skr_log (&self->world, error == self->ailing ? SKR_LOG_DEBUG : SKR_LOG_ERROR, "%s",
             skr_error ());
    self->ailing = error;
    if (skr_err_passes (error) && now_ms >= self->links.claims.not_before_ms) {
        self->pause_ms = self->pause_ms ? 2 * self->pause_ms : PAUSE_MIN_MS;
        self->pause_ms = self->pause_ms < PAUSE_MAX_MS ? self->pause_ms : PAUSE_MAX_MS;
        self->links.claims.not_before_ms = now_ms + self->pause_ms;
    }
}

/* During a pause, small writes may succeed where large ones do not: that says nothing. */
static void note_success (skr_node_t *self)
{
    if (self->ailing != SAKER_OK && skr_node_now (self) >= self->links.claims.not_before_ms) {
        skr_log (&self->world, SKR_LOG_INFO, "the store takes writes again");
        self->ailing = SAKER_OK;
        self->pause_ms = 0;
    }
}

/* A store that failed in the middle of a group: nothing of the group counts. */
void skr_node_fail_group (skr_node_t *self, saker_err_t error)
{
    if (error == SAKER_OK) {
        return;
    }
    note_failure (self, error);
    skr_replica_abort (self->replica);
    skr_api_committed (self->api, error);
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

const uint8_t *skr_node_device (const skr_node_t *self)
{
    return skr_device_key (skr_replica_device (self->replica));
}

bool skr_node_is_own (const skr_node_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    return memcmp (device, skr_node_device (self), SKR_DEVICE_KEY_BYTES) == 0;
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
        skr_link_take_call (&self->links, link, routing, skr_node_now (self));
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

static void answer_joins (skr_node_t *self, saker_err_t error)
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

/* ---- local clients */

static void on_local (void *context, skr_span_t client, skr_span_t request)
{
    skr_node_t *self = context;
    skr_api_request (self->api, client, request);
}

static void send_local (void *context, skr_span_t client, skr_span_t answer)
{
    skr_node_t *self = context;
    if (!skr_local_send (self->local, client, answer)) {
        self->stats.unsent++; /* the client is gone, or does not read */
    }
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

/* A member's address became known, by gossip. */
static void on_address (void *context, const uint8_t device[32], const char *address)
{
    skr_node_t *self = context;
    if (skr_node_is_own (self, device)) {
        skr_twin_hint (self, address);
        return;
    }
    skr_link_t *link = skr_links_find (&self->links, device);
    if (link && !link->calls && !skr_session_greeted (link->session)
        && skr_address_numeric (address)) {
        skr_link_learn (link, address);
    }
}

/* Who is at the other end of a link answered. */
static void on_greeted (void *context, skr_link_t *link,
                        const uint8_t instance[SKR_WIRE_INSTANCE_BYTES], const skr_id_t *writer)
{
    skr_twin_greeted (context, link, instance, writer);
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

static void publish_beacons (skr_node_t *self)
{
    uint8_t bytes[SKR_BEACON_BYTES];
    self->beacon_keyed =
        skr_keyring_beacon (skr_replica_keyring (self->replica), self->beacon_key) == SAKER_OK;
    if (!self->beacon_keyed || !self->port) {
        return; /* who does not listen has nothing to tell: it only hears others */
    }
    skr_beacon_make (bytes, self->port, self->links.own.instance, self->beacon_key,
                     skr_device_key (skr_replica_device (self->replica)));
    for (size_t i = 0; i < self->beacons_count; i++) {
        skr_beacon_publish (self->beacons[i], skr_span (bytes, sizeof bytes));
        skr_poller_look (&self->poller, self->beacons[i]);
    }
}

static void start_beacon (skr_node_t *self, const char *interface)
{
    skr_beacon_t *beacon = NULL;
    saker_err_t error =
        self->router ? skr_beacon_new (&beacon, interface, self->config.beacon_port, &self->world)
                     : skr_beacon_listen (&beacon, self->config.beacon_port, &self->world);
    if (error == SAKER_OK) {
        self->beacons[self->beacons_count++] = beacon;
    } else {
        skr_log (&self->world, SKR_LOG_WARNING, "beacon: %s; going on with seeds", skr_error ());
    }
}

static void stop_beacons (skr_node_t *self)
{
    while (self->beacons_count) {
        skr_beacon_destroy (&self->beacons[--self->beacons_count]);
    }
    self->poller.stale = true;
}

static void start_beacons (skr_node_t *self)
{
    stop_beacons (self);
    if (!self->config.beacon) {
        return;
    }
    if (!self->config.interfaces_count || !self->router) {
        start_beacon (self, "");
    }
    for (size_t i = 0; i < self->config.interfaces_count && self->router; i++) {
        start_beacon (self, self->config.interfaces[i]);
    }
    publish_beacons (self);
}

/* ---- polling */

static bool list_sockets (skr_node_t *self)
{
    skr_poller_t *poller = &self->poller;
    if (!skr_poller_begin (poller, 4 + self->beacons_count + 2 * self->links.count)) {
        return false;
    }
    skr_poller_add_descriptor (poller, &self->wake, self->wake);
    if (self->router) {
        skr_poller_add (poller, self->zap);
        skr_poller_add (poller, self->router);
    }
    skr_poller_add_descriptor (poller, self->local, skr_local_descriptor (self->local));
    for (size_t i = 0; i < self->beacons_count; i++) {
        skr_poller_add_descriptor (poller, self->beacons[i],
                                   skr_beacon_descriptor (self->beacons[i]));
    }
    for (size_t i = 0; i < self->links.count; i++) {
        if (self->links.links[i]->sub) {
            skr_poller_add (poller, self->links.links[i]->sub);
        }
        if (self->links.links[i]->dealer) {
            skr_poller_add (poller, self->links.links[i]->dealer);
        }
    }
    return true;
}

static uint64_t deadline_ms (const skr_node_t *self)
{
    uint64_t deadline = skr_tell_deadline_ms (self);
    uint64_t due = skr_api_deadline_ms (self->api);
    deadline = due < deadline ? due : deadline;
    deadline = skr_carrying_busy (self->replica) ? 0 : deadline;
    due = skr_cutter_deadline_ms (self->cutter);
    deadline = due < deadline ? due : deadline;
    due = self->turn_ms + TURN_EVERY_MS;
    deadline = due < deadline ? due : deadline;
    due = skr_partial_busy (self->replica) ? self->links.claims.not_before_ms : UINT64_MAX;
    deadline = due < deadline ? due : deadline;
    for (size_t i = 0; i < self->links.count; i++) {
        due = skr_session_deadline_ms (self->links.links[i]->session);
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

static void wait_for_work (skr_node_t *self)
{
    uint64_t now_ms = skr_node_now (self);
    uint64_t until_ms = deadline_ms (self);
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    wait_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
    if (self->poller.stale && !list_sockets (self)) {
        return;
    }
    skr_poller_wait (&self->poller, (int) wait_ms);
}

/* ---- a round */

static void take_work (skr_node_t *self)
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

/* The addresses of members that answered: found again after a restart. */
static void keep_address (skr_node_t *self, skr_link_t *link)
{
    skr_store_t *store = skr_replica_store (self->replica);
    skr_span_t key = skr_span (link->device, sizeof link->device);
    skr_span_t address = skr_span_text (link->address);
    skr_span_t kept;
    if (skr_store_get (store, SKR_COMMITTED, SKR_ADDRESSES, key, &kept) == SAKER_OK
        && skr_span_equal (kept, address)) {
        return;
    }
    saker_err_t error = skr_replica_begin (self->replica);
    error = error == SAKER_OK ? skr_store_put (store, SKR_ADDRESSES, key, address) : error;
    skr_node_fail_group (self, error);
}

/* That of a member which does not listen any more. */
static void forget_address (skr_node_t *self, const skr_link_t *link)
{
    skr_store_t *store = skr_replica_store (self->replica);
    skr_span_t key = skr_span (link->device, sizeof link->device);
    skr_span_t kept;
    if (skr_store_get (store, SKR_COMMITTED, SKR_ADDRESSES, key, &kept) == SAKER_OK) {
        saker_err_t error = skr_replica_begin (self->replica);
        error = error == SAKER_OK ? skr_store_remove (store, SKR_ADDRESSES, key) : error;
        skr_node_fail_group (self, error);
    }
}

static void keep_addresses (skr_node_t *self)
{
    for (size_t i = 0; i < self->links.count; i++) {
        skr_link_t *link = self->links.links[i];
        if (link->calls && !link->forgotten) {
            link->forgotten = true;
            forget_address (self, link);
        }
        if (link->greeted_ms && !link->kept && link->address[0]) {
            link->kept = true;
            keep_address (self, link);
        }
    }
}

static bool publish (void *context, skr_span_t frame)
{
    return skr_node_publish (context, frame);
}

/* design 5: nothing of a group is told before it is durable. */
static void commit (skr_node_t *self)
{
    if (!skr_replica_in_group (self->replica)) {
        return;
    }
    saker_err_t error = skr_replica_commit (self->replica);
    if (error != SAKER_OK) {
        note_failure (self, error);
        skr_replica_abort (self->replica);
    } else {
        note_success (self);
        self->committed_ms = skr_node_now (self);
        skr_live_publish (self->replica, publish, self, &self->stats.frames_out);
        self->beat_soon = true;
    }
    skr_api_committed (self->api, error);
    answer_joins (self, error);
}

static bool is_doubled (const skr_node_t *self, const skr_link_t *link)
{
    return link->doubled_ms && skr_node_now (self) - link->doubled_ms < SKR_TWIN_TOLD_MS;
}

static void put_address (skr_buf_t *pairs, const uint8_t device[32], const char *address)
{
    skr_cbor_put_array (pairs, 2);
    skr_cbor_put_bytes (pairs, device, 32);
    skr_cbor_put_text (pairs, address, strlen (address));
}

/* Who was restarted, or runs twice: where else it said it is, so that two with one key find each
   other; and that there are two, where one of them listens nowhere. */
static size_t write_twins (const skr_node_t *self, skr_buf_t *pairs, size_t count)
{
    size_t before = count;
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        if (count < SKR_WIRE_ADDRESSES_MAX && is_doubled (self, link)) {
            put_address (pairs, link->device, SKR_WIRE_NOWHERE);
            count++;
        }
        for (size_t k = 0; link->called_count > 1 && k < 2 && k < link->addresses_count; k++) {
            const char *address = link->addresses[k];
            if (count < SKR_WIRE_ADDRESSES_MAX && strcmp (address, link->address) != 0) {
                put_address (pairs, link->device, address);
                count++;
            }
        }
    }
    return count - before;
}

/* HELLO's answer tells where members are: ourselves and whom we reach. */
static void write_book (skr_node_t *self)
{
    skr_buf_t pairs = {0};
    skr_buf_t book = {0};
    size_t count = 0;
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    for (size_t i = 0; i < self->book.own_count && count < SKR_WIRE_ADDRESSES_MAX; i++, count++) {
        put_address (&pairs, own, self->book.own[i]);
    }
    for (size_t i = 0; i < self->links.count && count < SKR_WIRE_ADDRESSES_MAX; i++) {
        const skr_link_t *link = self->links.links[i];
        const char *address = link->calls        ? ""
                              : link->greeted_ms ? link->address
                                                 : link->addresses[0];
        if (*address) {
            put_address (&pairs, link->device, address);
            count++;
        }
    }
    count += write_twins (self, &pairs, count);
    skr_cbor_put_array (&book, count);
    skr_buf_append_span (&book, skr_span_of (&pairs));
    if (book.failed
        || skr_answerer_set (self->answerer, self->pub_port, self->links.own.instance,
                             skr_span_of (&book))
               != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "out of memory");
    }
    skr_buf_free (&pairs);
    skr_buf_free (&book);
}

static size_t count_outsiders (const skr_roster_t *roster)
{
    size_t count = 0;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        count += skr_roster_at (roster, i)->role == SKR_ROLE_NONE;
    }
    return count;
}

/* design 8: links are closed. Who lost its rights is connected still, and is not asked again who it
   is until it connects anew. */
static void part_with_outsiders (skr_node_t *self)
{
    size_t count = count_outsiders (skr_replica_roster (self->replica));
    const skr_guard_ports_t ports = {&self->sockets, self->port, self->pub_port};
    if (count > self->outsiders && self->router) {
        size_t parted = skr_guard_part (&self->guard, &ports);
        skr_log (&self->world, SKR_LOG_INFO, "a member lost its rights: %zu connections made anew",
                 parted);
    }
    self->outsiders = count;
}

/* design 8: keys are changed every 30 days, by an admin. */
static void rotate_keys (skr_node_t *self, uint64_t now_ms)
{
    if (now_ms < self->rotation_ms + ROTATION_LOOK_MS) {
        return;
    }
    self->rotation_ms = now_ms;
    if (skr_replica_rotation_due (self->replica)) {
        saker_err_t error = skr_replica_begin (self->replica);
        error = error == SAKER_OK ? skr_replica_rotate (self->replica) : error;
        skr_node_fail_group (self, error);
        if (error == SAKER_OK) {
            skr_log (&self->world, SKR_LOG_INFO, "the keys are old: new ones were made");
        }
    }
}

/* Admins take turns, so that mostly one of them does it. */
static void share_keys (skr_node_t *self, uint64_t now_ms)
{
    if (!self->share_ms || now_ms < self->share_ms) {
        return;
    }
    self->share_ms = 0;
    if (skr_replica_turn (self->replica) != SIZE_MAX) {
        saker_err_t error = skr_replica_begin (self->replica);
        skr_node_fail_group (self,
                             error == SAKER_OK ? skr_replica_share_keys (self->replica) : error);
    }
}

/* What this device has to say of its own writers. */
static void settle_own (skr_node_t *self, uint64_t now_ms)
{
    skr_neighbours_t neighbours;
    if (now_ms < self->settle_ms + SETTLE_EVERY_MS) {
        return;
    }
    self->settle_ms = now_ms;
    skr_neighbours_of (self, &neighbours);
    skr_node_fail_group (self,
                         skr_settle_forks (self->replica, &neighbours, skr_twin_shows (self)));
    skr_node_fail_group (self, skr_succeed (self->replica, &neighbours, skr_twin_shows (self)));
}

static void plan_sharing (skr_node_t *self)
{
    size_t turn = skr_replica_turn (self->replica);
    self->share_ms = turn == SIZE_MAX ? 0 : skr_node_now (self) + (turn + 1) * SHARE_TURN_MS;
}

static void follow_roster (skr_node_t *self)
{
    uint64_t version = skr_replica_roster_version (self->replica);
    if (version == self->roster_version) {
        return;
    }
    if (skr_links_follow (&self->links) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_ERROR, "%s", skr_error ());
        return; /* and again in the next round */
    }
    self->roster_version = version;
    self->poller.stale = true;
    self->turn_ms = 0;
    part_with_outsiders (self);
    plan_sharing (self);
    publish_beacons (self); /* its key may be another */
}

static void look_at_connections (skr_node_t *self, uint64_t now_ms)
{
    const skr_guard_ports_t ports = {&self->sockets, self->port, self->pub_port};
    uint64_t before = self->guard.cut;
    skr_guard_look (&self->guard, &ports, now_ms);
    if (self->guard.cut != before) {
        skr_log (&self->world, SKR_LOG_WARNING,
                 "a connection sent more than can be kept of unfinished messages: shut down");
    }
}

static saker_err_t leave_and_fetch (skr_node_t *self)
{
    skr_neighbours_t neighbours;
    skr_neighbours_of (self, &neighbours);
    SKR_TRY (skr_carrying_turn (self->replica, &neighbours));
    return skr_fetching_turn (self->replica, &neighbours);
}

static void rest (skr_node_t *self, uint64_t now_ms)
{
    if (self->committed_ms && now_ms >= self->committed_ms + REST_MS) {
        self->committed_ms = 0;
        skr_replica_rest (self->replica);
    }
}

static void turn (skr_node_t *self)
{
    uint64_t now_ms = skr_node_now (self);
    bool links_due = now_ms >= self->turn_ms + TURN_EVERY_MS;
    if (links_due && skr_replica_settle (self->replica) != SAKER_OK) {
        note_failure (self, SAKER_EIO);
    }
    follow_roster (self);
    saker_err_t error = skr_replica_tidy (self->replica);
    error = error == SAKER_OK ? skr_sealed_turn (self->replica) : error;
    error = error == SAKER_OK ? leave_and_fetch (self) : error;
    if (error == SAKER_OK && now_ms >= self->links.claims.not_before_ms) {
        error = skr_partial_turn (self->replica);
    }
    if (error != SAKER_OK) {
        note_failure (self, error);
    }
    skr_twin_turn (self, now_ms);
    for (size_t i = 0; i < self->links.count; i++) {
        skr_link_t *link = self->links.links[i];
        if (links_due || link->news || link->restarted) {
            skr_link_turn (&self->links, link, now_ms);
        }
        error = skr_session_turn (link->session, now_ms);
        if (error != SAKER_OK) {
            skr_node_fail_group (self, error);
        }
    }
    if (links_due) {
        self->turn_ms = now_ms;
        rotate_keys (self, now_ms);
        share_keys (self, now_ms);
        skr_horizon_turn (self, now_ms);
        settle_own (self, now_ms);
        rest (self, now_ms);
        write_book (self);
        look_at_connections (self, now_ms);
    }
}

/* design 5: the log shrinks between groups, in a group of its own; not while the store fails. */
static void cut (skr_node_t *self)
{
    if (!skr_store_settled (skr_replica_store (self->replica))
        || skr_node_now (self) < self->links.claims.not_before_ms) {
        return;
    }
    saker_err_t error = skr_cutter_turn (self->cutter);
    if (error != SAKER_OK) {
        note_failure (self, error);
    }
}

void skr_node_round (skr_node_t *self)
{
    wait_for_work (self);
    take_work (self);
    keep_addresses (self);
    commit (self);
    turn (self);
    commit (self); /* what the turn began: snapshots use groups of their own */
    cut (self);
    skr_tell (self, skr_node_now (self));
    skr_api_turn (self->api);
    skr_store_rest (skr_replica_store (self->replica));
}

void skr_node_enter (skr_node_t *self)
{
    commit (self);
    if (skr_store_journal_begin (skr_replica_store (self->replica)) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "there is no journal, so writes take longer: %s",
                 skr_error ());
    }
}

void skr_node_leave (skr_node_t *self)
{
    commit (self);
    if (skr_store_journal_end (skr_replica_store (self->replica)) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "%s", skr_error ());
    }
}

/* ---- life */

static void take_seeds (skr_node_t *self)
{
    for (size_t i = 0; i < self->config.seeds_count; i++) {
        self->seeds[i] = self->config.seeds[i];
    }
    _Static_assert(SKR_LINK_SEEDS_MAX >= SKR_CONFIG_SEEDS_MAX, "each seed has a mark");
    memset (self->links.seed_marks, 0, sizeof self->links.seed_marks);
    self->links.seeds = self->seeds;
    self->links.seeds_count = self->config.seeds_count;
}

/* The PUB sits on the next port, so that a firewall can be told; on any other if that is taken. */
static saker_err_t bind_pub (skr_node_t *self, const skr_curve_t *own)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 16];
    char bound[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t asked = 0;
    saker_err_t error = SAKER_EBUSY;
    SKR_TRY (skr_address_split (self->config.listen, host, sizeof host, &asked));
    if (asked && self->port < 65535) {
        snprintf (address, sizeof address, "tcp://%s:%u", host, self->port + 1u);
        error = skr_socket_pub (&self->pub, &self->sockets, own, address);
    }
    if (error != SAKER_OK) {
        snprintf (address, sizeof address, "tcp://%s:0", host);
        SKR_TRY (skr_socket_pub (&self->pub, &self->sockets, own, address));
    }
    SKR_TRY (skr_socket_bound (self->pub, bound, sizeof bound));
    return skr_address_split (bound, host, sizeof host, &self->pub_port);
}

static saker_err_t bind_all (skr_node_t *self)
{
    const skr_device_t *device = skr_replica_device (self->replica);
    skr_curve_t own = {skr_device_transport_key (device), skr_device_transport_secret (device)};
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    /* before any other: CURVE fails open without it */
    SKR_TRY (skr_socket_zap (&self->zap, &self->sockets));
    SKR_TRY (skr_socket_router (&self->router, &self->sockets, &own, self->config.listen));
    SKR_TRY (skr_socket_bound (self->router, self->address, sizeof self->address));
    SKR_TRY (skr_address_split (self->address, host, sizeof host, &self->port));
    SKR_TRY (bind_pub (self, &own));
    return skr_book_fill (&self->book, self->address);
}

static saker_err_t open_sockets (skr_node_t *self, const char *store)
{
    SKR_TRY (skr_sockets_open (&self->sockets));
    if (strcmp (self->config.listen, SKR_LISTEN_NONE) != 0) {
        SKR_TRY (bind_all (self));
    } else {
        snprintf (self->address, sizeof self->address, SKR_LISTEN_NONE);
    }
    return skr_local_open (&self->local, store);
}

static saker_err_t start (skr_node_t *self, const char *store)
{
    skr_neighbours_t neighbours;
    SKR_TRY (skr_replica_open (&self->replica, store, &self->world));
    SKR_TRY (open_sockets (self, store));
    SKR_TRY (skr_answerer_new (&self->answerer, self->replica));
    skr_neighbours_of (self, &neighbours);
    SKR_TRY (skr_api_new (&self->api, self->replica, &neighbours, send_local, self, &self->world));
    SKR_TRY (skr_cutter_new (&self->cutter, self->replica, &neighbours, &self->world));
    skr_cutter_configure (self->cutter, self->config.history_ms, self->config.history_bytes,
                          self->config.folds);
    skr_api_give_cutter (self->api, self->cutter);
    self->links.replica = self->replica;
    self->links.world = &self->world;
    self->links.context = self;
    self->links.poller = &self->poller;
    self->links.address = on_address;
    self->links.greeted = on_greeted;
    self->started_wall_ms = self->world.wall_ms (self->world.context);
    self->links.sockets = &self->sockets;
    self->links.router = self->router;
    self->links.own.pub_port = self->pub_port;
    self->links.own.addresses = self->book.own_list;
    self->links.own.addresses_count = self->book.own_count;
    randombytes_buf (self->links.own.instance, sizeof self->links.own.instance);
    take_seeds (self);
    SKR_TRY (skr_links_follow (&self->links));
    self->roster_version = skr_replica_roster_version (self->replica);
    self->outsiders = count_outsiders (skr_replica_roster (self->replica));
    self->rotation_ms = self->horizon_looked_ms = skr_node_now (self);
    plan_sharing (self);
    write_book (self);
    start_beacons (self);
    self->poller.stale = true;
    return SAKER_OK;
}

saker_err_t skr_node_new (skr_node_t **self_p, const char *store, const saker_config_t *config,
                          const skr_world_t *world, int wake)
{
    skr_node_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->outer = world;
    self->world =
        (skr_world_t){self, outer_wall, outer_mono, filter_log, outer_home, outer_mono_us};
    self->config = *config;
    self->log_level = config->log_level;
    self->wake = wake;
    saker_err_t error = start (self, store);
    if (error != SAKER_OK) {
        skr_node_destroy (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

static void say_goodbye (skr_node_t *self)
{
    static const uint8_t quit = SKR_FRAME_QUIT;
    if (self->local) { /* it had begun */
        skr_node_publish (self, skr_span (&quit, 1));
        skr_caller_leave (self);
    }
}

void skr_node_destroy (skr_node_t **self_p)
{
    skr_node_t *self = *self_p;
    if (!self) {
        return;
    }
    say_goodbye (self);
    skr_links_free (&self->links);
    skr_api_destroy (&self->api);
    skr_cutter_destroy (&self->cutter);
    skr_answerer_destroy (&self->answerer);
    stop_beacons (self);
    answer_joins (self, SAKER_EIO);
    skr_local_close (&self->local);
    skr_socket_close (&self->router);
    skr_socket_close (&self->pub);
    skr_socket_close (&self->zap);
    skr_sockets_close (&self->sockets); /* the next to open the store makes these files anew */
    skr_replica_close (&self->replica);
    skr_guard_free (&self->guard);
    skr_poller_free (&self->poller);
    free (self->told);
    free (self);
    *self_p = NULL;
}

void skr_node_configure (skr_node_t *self, const saker_config_t *config)
{
    bool beacons =
        self->config.beacon != config->beacon || self->config.beacon_port != config->beacon_port
        || self->config.interfaces_count != config->interfaces_count
        || memcmp (self->config.interfaces, config->interfaces, sizeof config->interfaces) != 0;
    if (strcmp (self->config.listen, config->listen) != 0) {
        skr_log (&self->world, SKR_LOG_WARNING, "listen: counts from the next start on");
    }
    self->config = *config;
    self->log_level = config->log_level;
    take_seeds (self);
    skr_cutter_configure (self->cutter, config->history_ms, config->history_bytes, config->folds);
    if (beacons) {
        start_beacons (self);
    }
    skr_log (&self->world, SKR_LOG_INFO, "configuration read anew");
}

const char *skr_node_address (const skr_node_t *self)
{
    return self->address;
}
