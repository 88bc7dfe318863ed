/* Caller: a peer that does not listen, seen from both ends. It calls, and that connection is used
   in both directions: it is asked on its DEALER, and answers; what others publish on a PUB it sends
   on a second DEALER, its voice. Who was called takes all that on its ROUTER, and asks there.
   Nothing is kept for a caller that cannot be reached: what a socket does not take now is dropped,
   and asked for again. */

#include "mesh/node_internal.h"

/* ---- we do not listen */

/* Is somebody there to hear us? Else frames would wait in the socket, and be old when they come. */
static bool hears_us (const skr_link_t *link, uint64_t now_ms)
{
    return link->voice && skr_session_greeted (link->session)
           && (link->state == SKR_LINK_UP || now_ms - link->greeted_ms < SKR_LINK_SLOW_MS);
}

bool skr_node_publish (skr_node_t *self, skr_span_t frame)
{
    uint64_t now_ms = skr_node_now (self);
    bool sent = false;
    if (self->pub) {
        return skr_socket_send (self->pub, skr_span (NULL, 0), frame);
    }
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        if (hears_us (link, now_ms)) {
            sent |= skr_socket_send (link->voice, skr_span (NULL, 0), frame);
        }
    }
    return sent;
}

void skr_caller_leave (skr_node_t *self)
{
    uint64_t now_ms = skr_node_now (self);
    for (size_t i = 0; i < self->links.count && !self->pub; i++) {
        const skr_link_t *link = self->links.links[i];
        if (hears_us (link, now_ms)) {
            skr_socket_linger (link->voice);
        }
    }
}

/* The DEALER's server key is that member's; whether it still is one is looked at for each message,
   as on a ROUTER. */
void skr_caller_asked (skr_node_t *self, skr_link_t *link, skr_span_t request)
{
    const skr_member_t *member =
        skr_roster_by_device (skr_replica_roster (self->replica), link->device);
    skr_asker_t asker = {.member = member, .now_ms = skr_node_now (self)};
    skr_buf_t answer = {0};
    skr_said_t said = {0};
    bool held = false;
    if (self->router || !member || member->role == SKR_ROLE_NONE) {
        self->stats.strange_frames++;
        return;
    }
    skr_buf_append_byte (&answer, SKR_WIRE_REPLY);
    skr_answer (self->answerer, &asker, request, &answer, &held, &said);
    skr_poller_look (&self->poller, link->dealer);
    if (answer.size > 1 && !answer.failed
        && !skr_socket_send (link->dealer, skr_span (NULL, 0), skr_span_of (&answer))) {
        self->stats.unsent++;
    }
    if (said.addresses.size) {
        skr_node_called (self, member, skr_span (NULL, 0), &said);
    }
    skr_buf_free (&answer);
}

/* ---- we were called */

static void take_reply (skr_node_t *self, skr_link_t *link, skr_span_t answer)
{
    self->stats.answer_bytes += answer.size;
    skr_node_fail_group (self, skr_session_answer (link->session, answer, skr_node_now (self)));
}

bool skr_caller_take (skr_node_t *self, const skr_asker_t *asker, skr_span_t routing,
                      skr_span_t body)
{
    uint8_t kind = body.size ? body.data[0] : 0;
    bool frame = kind == SKR_FRAME_LIVE || kind == SKR_FRAME_BEAT || kind == SKR_FRAME_QUIT;
    skr_link_t *link = asker->member ? skr_links_find (&self->links, asker->member->device) : NULL;
    if (!asker->member || (!frame && kind != SKR_WIRE_REPLY)) {
        if (link && link->calls && !link->caller_size) { /* it asks us over another connection */
            skr_link_take_call (&self->links, link, routing, NULL, skr_node_now (self));
        }
        return false;
    }
    if (!link || !link->calls || (frame && body.size > SKR_WIRE_FRAME_BYTES_MAX)) {
        /* it did not say HELLO yet, or publishes on a PUB; or no SUB would take what is so long,
           and those to whom it is passed on would hang up */
        self->stats.strange_frames++;
    } else if (!link->caller_size) {
        return true; /* not heard, so it says HELLO again */
    } else if (kind == SKR_WIRE_REPLY) {
        take_reply (self, link, skr_span (body.data + 1, body.size - 1));
    } else {
        skr_node_frame (self, link, body);
    }
    return true;
}
