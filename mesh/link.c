#include "mesh/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define SEED_DIALS_MAX 8        /* members looked for at seeds at the same time */
#define HELLO_AGAIN_MS 3000     /* greeted, but not heard: say HELLO again */
#define SUB_AGAIN_MIN_MS 5000   /* and its PUB is connected to anew, */
#define SUB_AGAIN_MAX_MS 120000 /* less and less often */
#define GREET_ANYWAY_MS 10000   /* is there news of addresses, of a twin of ours? */
#define GOSSIP_AGAIN_MS                                                                            \
    1000 /* some member is not reached: ask those that are for its address; or this                \
            one does not reach us: tell it ours */

/* Allowed moves; a row is where a link is. */
static const struct {
    const char *text;
    bool to[4]; /* silent, up, slow, left */
} states[] = {
    [SKR_LINK_SILENT] = {"silent", {1, 1, 0, 1}},
    [SKR_LINK_UP] = {"up", {0, 1, 1, 1}},
    [SKR_LINK_SLOW] = {"slow", {1, 1, 1, 1}},
    [SKR_LINK_LEFT] = {"left", {0, 1, 0, 1}},
};

const char *skr_link_state_text (skr_link_state_t state)
{
    return states[state].text;
}

static void move (skr_links_t *links, skr_link_t *self, skr_link_state_t state)
{
    if (state == self->state || !states[self->state].to[state]) {
        return;
    }
    skr_log (links->world, SKR_LOG_INFO, "link to %s: %s", self->name, states[state].text);
    self->state = state;
}

/* ---- what the session wants of us */

typedef struct host_t {
    skr_links_t *links;
    skr_link_t *link;
} host_t;

/* Over the connection that it made. */
static bool send_back (skr_links_t *links, skr_link_t *link, skr_span_t request)
{
    skr_buf_t message = {0};
    skr_buf_append_byte (&message, SKR_WIRE_ASK);
    skr_buf_append_span (&message, request);
    skr_poller_look (links->poller, links->router);
    bool sent = !message.failed && links->router && link->caller_size
                && skr_socket_send (links->router, skr_span (link->caller, link->caller_size),
                                    skr_span_of (&message));
    if (!sent && !message.failed && zmq_errno () == EHOSTUNREACH) {
        link->caller_size = 0; /* that connection is gone */
    }
    skr_buf_free (&message);
    return sent;
}

static bool on_send (void *context, skr_span_t request)
{
    const host_t *host = context;
    if (host->link->calls) {
        return send_back (host->links, host->link, request);
    }
    skr_poller_look (host->links->poller, host->link->dealer);
    return host->link->dealer && skr_socket_send (host->link->dealer, skr_span (NULL, 0), request);
}

/* The address of the PUB: the same machine, another port. */
static bool pub_address (const skr_link_t *link, uint16_t port, char *address, size_t size)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t dealer_port;
    if (skr_address_split (link->address, host, sizeof host, &dealer_port) != SAKER_OK) {
        return false;
    }
    int length = snprintf (address, size, "tcp://%s:%u", host, port);
    return length > 0 && (size_t) length < size;
}

static skr_curve_t own_keys (const skr_links_t *links)
{
    const skr_device_t *device = skr_replica_device (links->replica);
    return (skr_curve_t){skr_device_transport_key (device), skr_device_transport_secret (device)};
}

/* Whoever answers at the address of a seed, the seed works. */
static void note_seed (skr_links_t *links, const skr_link_t *link)
{
    for (size_t i = 0; i < links->seeds_count; i++) {
        if (strcmp (links->seeds[i], link->address) == 0) {
            links->seed_marks[i] = (skr_seed_mark_t){.answered_ms = link->greeted_ms};
        }
    }
}

/* What we publish goes a way of its own, as on a PUB: it must not crowd out what is asked and
   answered. */
static void raise_voice (const skr_links_t *links, skr_link_t *link, const skr_curve_t *own)
{
    if (links->router || !link->dealer || link->voice) {
        return;
    }
    link->voice_ms = link->greeted_ms;
    if (skr_socket_voice (&link->voice, links->sockets, own, link->transport, link->address)
        != SAKER_OK) {
        skr_log (links->world, SKR_LOG_DEBUG, "link to %s: %s", link->name, skr_error ());
    }
}

static void on_hello (void *context, uint16_t pub_port)
{
    const host_t *host = context;
    skr_link_t *link = host->link;
    skr_curve_t own = own_keys (host->links);
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 16];
    link->greeted_ms = host->links->world->mono_ms (host->links->world->context);
    note_seed (host->links, link);
    raise_voice (host->links, link, &own);
    if (!pub_port || (link->sub && link->pub_port == pub_port)
        || !pub_address (link, pub_port, address, sizeof address)) {
        return;
    }
    skr_socket_close (&link->sub);
    host->links->poller->stale = true;
    if (skr_socket_sub (&link->sub, host->links->sockets, &own, link->transport, address)
        == SAKER_OK) {
        link->pub_port = pub_port;
        link->sub_ms = link->greeted_ms;
        skr_log (host->links->world, SKR_LOG_INFO, "link to %s: greeted at %s", link->name,
                 link->address);
    }
}

static void on_address (void *context, const uint8_t device[32], const char *address)
{
    const host_t *host = context;
    host->links->address (host->links->context, device, address);
}

static void on_greeted (void *context, const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                        const skr_id_t *writer)
{
    const host_t *host = context;
    host->links->greeted (host->links->context, host->link, instance, writer);
}

static uint64_t on_mono_us (void *context)
{
    const host_t *host = context;
    return skr_world_mono_us (host->links->world);
}

/* ---- links come and go with the roster */

skr_link_t *skr_links_find (const skr_links_t *self, const uint8_t device[32])
{
    for (size_t i = 0; i < self->count; i++) {
        if (memcmp (self->links[i]->device, device, SKR_DEVICE_KEY_BYTES) == 0) {
            return self->links[i];
        }
    }
    return NULL;
}

/* The link, and what its session's callbacks are given. */
typedef struct box_t {
    skr_link_t link;
    host_t host;
} box_t;

static void hang_up (skr_links_t *links, skr_link_t *link)
{
    if (link->session) {
        skr_session_down (link->session);
    }
    links->poller->stale |= link->dealer || link->sub;
    skr_socket_close (&link->dealer);
    skr_socket_close (&link->sub);
    skr_socket_close (&link->voice);
    link->pub_port = 0;
    link->caller_size = 0;
    link->address[0] = 0;
    link->greeted_ms = 0;
    link->kept = false;
}

static void destroy (skr_links_t *links, skr_link_t *link)
{
    hang_up (links, link);
    skr_session_destroy (&link->session);
    skr_report_free (&link->report);
    free (link); /* the first member of its box */
}

/* The address that worked last time. */
static void recall (skr_links_t *links, skr_link_t *link)
{
    skr_span_t value;
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1] = {0};
    saker_err_t error = skr_store_get (skr_replica_store (links->replica), SKR_COMMITTED,
                                       SKR_ADDRESSES, skr_span (link->device, 32), &value);
    if (error == SAKER_OK && value.size < sizeof address) {
        memcpy (address, value.data, value.size);
        skr_link_learn (link, address);
    }
}

saker_err_t skr_links_add (skr_links_t *self, const skr_member_t *member)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 8;
        skr_link_t **grown = realloc (self->links, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->links = grown;
        self->capacity = capacity;
    }
    box_t *box = calloc (1, sizeof *box);
    if (!box) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    box->host = (host_t){self, &box->link};
    memcpy (box->link.device, member->device, sizeof box->link.device);
    memcpy (box->link.transport, member->transport, sizeof box->link.transport);
    memcpy (box->link.name, member->name, sizeof box->link.name);
    skr_session_host_t host = {&box->host, on_send, on_hello, on_address, on_greeted, on_mono_us};
    saker_err_t error = skr_session_new (&box->link.session, self->replica, &box->link.report,
                                         &self->claims, member->device, &host);
    if (error != SAKER_OK) {
        free (box);
        return error;
    }
    recall (self, &box->link);
    self->links[self->count++] = &box->link;
    return SAKER_OK;
}

void skr_links_remove (skr_links_t *self, const uint8_t device[32])
{
    for (size_t i = self->count; i-- > 0;) {
        if (memcmp (self->links[i]->device, device, SKR_DEVICE_KEY_BYTES) == 0) {
            destroy (self, self->links[i]);
            self->links[i] = self->links[--self->count];
        }
    }
}

saker_err_t skr_links_follow (skr_links_t *self)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    for (size_t i = self->count; i-- > 0;) {
        const skr_member_t *member = skr_roster_by_device (roster, self->links[i]->device);
        if (!member || member->role == SKR_ROLE_NONE) {
            skr_log (self->world, SKR_LOG_INFO, "link to %s: ended, it is no member any more",
                     self->links[i]->name);
            destroy (self, self->links[i]);
            self->links[i] = self->links[--self->count];
        }
    }
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (member->role != SKR_ROLE_NONE && memcmp (member->device, own, 32) != 0
            && !skr_links_find (self, member->device)) {
            SKR_TRY (skr_links_add (self, member));
        }
    }
    return SAKER_OK;
}

void skr_links_free (skr_links_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        destroy (self, self->links[i]);
    }
    free (self->links);
    skr_claims_free (&self->claims);
    self->links = NULL;
    self->count = 0;
}

/* ---- addresses */

void skr_link_learn (skr_link_t *self, const char *address)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t port = 0;
    size_t at = 0;
    if (skr_address_split (address, host, sizeof host, &port) != SAKER_OK || !port
        || strcmp (host, "*") == 0) {
        return;
    }
    while (at < self->addresses_count && strcmp (self->addresses[at], address) != 0) {
        at++;
    }
    if (at == self->addresses_count) {
        bool full = at == SKR_LINK_ADDRESSES_MAX;
        at -= full;
        self->addresses_count += !full;
        self->next_address = 0; /* news: try it next */
        self->news = true;
    }
    memmove (self->addresses[1], self->addresses[0], at * sizeof self->addresses[0]);
    snprintf (self->addresses[0], sizeof self->addresses[0], "%s", address);
}

/* May a link look for its member at a seed now? A few do so at a time, in turns: those that tried
   less often go first, or the first few would keep all others from ever being found. */
static bool may_try_seed (const skr_links_t *links, const skr_link_t *self)
{
    size_t looking = 0, before = 0;
    for (size_t i = 0; i < links->count; i++) {
        const skr_link_t *link = links->links[i];
        if (link == self || link->greeted_ms) {
            continue;
        }
        looking += link->from_seed;
        before += !link->from_seed && link->seed_tries < self->seed_tries;
    }
    return looking + before < SEED_DIALS_MAX;
}

/* The next address to try; NULL when there is none, or too many look at the seeds already. */
static const char *choose (skr_links_t *links, skr_link_t *self)
{
    size_t count = self->addresses_count + links->seeds_count;
    self->from_seed = false;
    if (!count) {
        return NULL;
    }
    size_t at = self->next_address % count;
    if (at < self->addresses_count) {
        self->next_address = at + 1;
        return self->addresses[at];
    }
    if (!may_try_seed (links, self)) {
        return NULL;
    }
    self->next_address = at + 1;
    self->from_seed = true;
    self->seed_tries++;
    skr_seed_mark_t *mark = &links->seed_marks[at - self->addresses_count];
    mark->tried_ms =
        mark->tried_ms ? mark->tried_ms : links->world->mono_ms (links->world->context);
    return links->seeds[at - self->addresses_count];
}

static void dial (skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    skr_curve_t own = own_keys (links);
    hang_up (links, self);
    self->dialled_ms = mono_ms;
    const char *address = choose (links, self);
    if (!address) {
        return;
    }
    snprintf (self->address, sizeof self->address, "%s", address);
    if (skr_socket_dealer (&self->dealer, links->sockets, &own, self->transport, address)
        != SAKER_OK) {
        skr_log (links->world, SKR_LOG_DEBUG, "link to %s: %s", self->name, skr_error ());
        self->address[0] = 0;
        return;
    }
    links->poller->stale = true;
    skr_session_up (self->session, &links->own, mono_ms);
}

static void keep_state (skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    uint64_t silence = mono_ms - self->heard_ms;
    if (self->state == SKR_LINK_LEFT) {
        return;
    }
    if (!self->heard_ms || silence >= SKR_LINK_SILENT_MS) {
        move (links, self, SKR_LINK_SLOW); /* by way of slow: up never jumps to silent */
        move (links, self, SKR_LINK_SILENT);
    } else if (silence >= SKR_LINK_SLOW_MS) {
        move (links, self, SKR_LINK_SLOW);
    } else {
        if (self->state != SKR_LINK_UP) {
            skr_session_revive (self->session, mono_ms);
        }
        move (links, self, SKR_LINK_UP);
    }
}

static bool all_up (const skr_links_t *links)
{
    const uint8_t *own = skr_device_key (skr_replica_device (links->replica));
    for (size_t i = 0; i < links->count; i++) {
        /* whether there is a twin is not known: see twin.h */
        if (links->links[i]->state != SKR_LINK_UP
            && memcmp (links->links[i]->device, own, SKR_DEVICE_KEY_BYTES) != 0) {
            return false;
        }
    }
    return true;
}

/* Does the other side say that it hears us? Beats name the members that their author hears. */
static bool is_heard_there (const skr_links_t *links, const skr_link_t *self)
{
    uint32_t own = skr_wire_short (skr_device_key (skr_replica_device (links->replica)));
    return self->report.links_count == SKR_WIRE_BEAT_LINKS_MAX
           || skr_report_hears (&self->report, own);
}

/* zmq gives up where it was refused, as by one that had not heard yet that we are a member again.
 */
static void subscribe_anew (skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    uint64_t wait_ms = self->sub_wait_ms ? self->sub_wait_ms : SUB_AGAIN_MIN_MS;
    if (!self->sub || mono_ms - self->sub_ms < wait_ms) {
        return;
    }
    skr_socket_close (&self->sub); /* the answer to HELLO makes it again */
    links->poller->stale = true;
    self->sub_wait_ms = 2 * wait_ms < SUB_AGAIN_MAX_MS ? 2 * wait_ms : SUB_AGAIN_MAX_MS;
}

/* Is it time to hear of addresses, or to tell ours? */
static bool greets_again (const skr_links_t *links, const skr_link_t *self, uint64_t mono_ms)
{
    return mono_ms - self->greeted_ms >= GREET_ANYWAY_MS
           || (mono_ms - self->greeted_ms >= GOSSIP_AGAIN_MS
               && !(all_up (links) && is_heard_there (links, self)));
}

static void greet (const skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    if (self->voice && !is_heard_there (links, self)
        && mono_ms - self->voice_ms >= SUB_AGAIN_MIN_MS) {
        skr_socket_close (&self->voice); /* refused, perhaps: the answer to HELLO makes it again */
    }
    self->greeted_ms = mono_ms;
    skr_session_greet (self->session, mono_ms);
}

/* It comes by itself: all there is to do is to let go of a call that has ended. Our router tells
   nobody of that, so silence counts. */
static void turn_called (skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    uint64_t since_ms = self->heard_ms > self->dialled_ms ? self->heard_ms : self->dialled_ms;
    self->restarted = self->news = false;
    if (!self->caller_size || mono_ms - since_ms >= SKR_LINK_SILENT_MS) {
        hang_up (links, self);
    } else if (skr_session_greeted (self->session) && self->state == SKR_LINK_UP
               && greets_again (links, self, mono_ms)) {
        greet (links, self, mono_ms);
    }
}

/* Greeted and heard is what a link is for; anything else is tried again, elsewhere if there is an
   elsewhere. */
void skr_link_turn (skr_links_t *links, skr_link_t *self, uint64_t mono_ms)
{
    bool greeted = skr_session_greeted (self->session);
    bool heard = self->heard_ms && mono_ms - self->heard_ms < SKR_LINK_SLOW_MS;
    bool patient = mono_ms - self->dialled_ms < SKR_LINK_DIAL_MS;
    bool news = self->news;
    self->news = false;
    keep_state (links, self, mono_ms);
    if (self->calls) {
        turn_called (links, self, mono_ms);
    } else if (self->restarted) {
        self->restarted = false;
        self->next_address = 0; /* where it says it is now */
        dial (links, self, mono_ms);
    } else if (!self->dealer || (news && !(greeted && heard))) {
        if (!patient || !self->dialled_ms || news) {
            dial (links, self, mono_ms);
        }
    } else if (!greeted && !patient) {
        /* At the same address, too: zmq gives up where it was refused, and who has not heard yet
           that we are a member refuses. */
        dial (links, self, mono_ms);
    } else if (greeted && heard && greets_again (links, self, mono_ms)) {
        greet (links, self, mono_ms);
    } else if (greeted && !heard && mono_ms - self->greeted_ms >= HELLO_AGAIN_MS && !patient) {
        self->dialled_ms = mono_ms; /* it may have been restarted: greet again, then dial again */
        subscribe_anew (links, self, mono_ms);
        skr_session_up (self->session, &links->own, mono_ms);
    }
}

/* Of a process among those that called; called_count: it did not. */
static size_t place_of (const skr_link_t *self, const uint8_t instance[SKR_WIRE_INSTANCE_BYTES])
{
    size_t at = 0;
    while (at < self->called_count
           && memcmp (self->called[at], instance, SKR_WIRE_INSTANCE_BYTES) != 0) {
        at++;
    }
    return at;
}

void skr_link_called (skr_link_t *self, const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                      uint64_t mono_ms)
{
    size_t at = place_of (self, instance);
    if (at == self->called_count) {
        self->restarted |= self->called_count > 0;
        at -= at == SKR_LINK_INSTANCES;
        self->called_count = at + 1;
    } else if (at > 0) { /* once may be a message that was late */
        bool twice = self->again_ms && mono_ms - self->again_ms < SKR_LINK_AGAIN_MS;
        self->doubled_ms = twice ? mono_ms : self->doubled_ms;
        self->again_ms = mono_ms;
    }
    memmove (self->called[1], self->called[0], at * sizeof self->called[0]);
    memcpy (self->called[0], instance, SKR_WIRE_INSTANCE_BYTES);
}

static bool has_called (const skr_link_t *self, const uint8_t *instance)
{
    return place_of (self, instance) < self->called_count;
}

static bool is_anothers_turn (const skr_link_t *self, const uint8_t *instance, uint64_t mono_ms)
{
    return self->caller_size && instance && mono_ms - self->dialled_ms < SKR_LINK_CALL_MS
           && memcmp (self->caller_instance, instance, SKR_WIRE_INSTANCE_BYTES) != 0
           && has_called (self, self->caller_instance) && has_called (self, instance);
}

void skr_link_take_call (skr_links_t *links, skr_link_t *self, skr_span_t routing,
                         const uint8_t *instance, uint64_t mono_ms)
{
    static const uint8_t unknown[SKR_WIRE_INSTANCE_BYTES];
    bool same = self->calls && skr_span_equal (routing, skr_span (self->caller, self->caller_size));
    if (same || !routing.size || routing.size > sizeof self->caller
        || is_anothers_turn (self, instance, mono_ms)) {
        return;
    }
    hang_up (links, self);
    memcpy (self->caller_instance, instance ? instance : unknown, sizeof self->caller_instance);
    self->forgotten &= self->calls;
    self->calls = true;
    self->addresses_count = self->next_address = 0;
    memcpy (self->caller, routing.data, routing.size);
    self->caller_size = routing.size;
    self->dialled_ms = mono_ms;
    skr_log (links->world, SKR_LOG_INFO, "link to %s: it called, and does not listen", self->name);
    skr_session_up (self->session, &links->own, mono_ms);
}

void skr_link_listens (skr_links_t *links, skr_link_t *self)
{
    if (self->calls) {
        hang_up (links, self);
        self->calls = false;
        self->news = true;
    }
}

void skr_link_heard (skr_link_t *self, uint64_t mono_ms)
{
    self->heard_ms = mono_ms;
    self->sub_wait_ms = 0;
    if (self->state == SKR_LINK_LEFT) {
        self->state = SKR_LINK_UP;
    }
}

void skr_link_left (skr_link_t *self)
{
    self->state = SKR_LINK_LEFT;
    self->heard_ms = 0;
    self->caller_size = 0;
}
