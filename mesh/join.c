#include "mesh/join.h"

#include "mesh/sockets.h"
#include "peer/folder.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define ASK_AGAIN_MS 3000            /* an answer may be lost; the same device may ask again */
#define ROSTER_BYTES_MAX (64u << 20) /* that is taken from the inviting peer */

typedef struct joining_t {
    const skr_ticket_t *ticket;
    const skr_choice_t *choice;
    const skr_world_t *world;
    skr_device_t *device;
    uint8_t ticket_key[32];
    skr_buf_t request;
    uint64_t number; /* of the request: a roster may take several */
    skr_id_t mesh;
    skr_buf_t changes; /* of the roster so far: encoded */
    size_t changes_count;
    skr_clock_t have;
    skr_sockets_t sockets;
    void *dealers[SKR_TICKET_ADDRESSES_MAX];
    size_t count;
    zmq_msg_t answer;
    const char *address; /* that answered */
} joining_t;

static void sign (const joining_t *self, uint8_t signature[64])
{
    static const char context[] = "saker join 1";
    uint8_t text[sizeof context + 16 + 32 + 32];
    uint8_t *at = text;
    memcpy (at, context, sizeof context);
    memcpy (at += sizeof context, self->ticket->mesh.bytes, 16);
    memcpy (at += 16, self->ticket_key, 32);
    memcpy (at + 32, skr_device_transport_key (self->device), 32);
    crypto_sign_detached (signature, NULL, text, sizeof text, skr_device_secret (self->device));
}

/* The roster from where it goes on. */
static saker_err_t make_request (joining_t *self, const char *name)
{
    uint8_t signature[64];
    sign (self, signature);
    bool on = self->changes_count > 0, chooses = self->choice->count > 0;
    skr_buf_clear (&self->request);
    skr_wire_begin (&self->request, ++self->number, SKR_WIRE_JOIN, on ? 6 : chooses ? 5 : 4);
    skr_cbor_put_bytes (&self->request, skr_device_key (self->device), 32);
    skr_cbor_put_bytes (&self->request, skr_device_transport_key (self->device), 32);
    skr_cbor_put_text (&self->request, name, strlen (name));
    skr_cbor_put_bytes (&self->request, signature, sizeof signature);
    if (on || chooses) {
        skr_cbor_put_bool (&self->request, chooses);
    }
    if (on) {
        skr_clock_put (&self->request, &self->have);
    }
    return self->request.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

static void dial_all (joining_t *self)
{
    skr_curve_t own = {self->ticket_key, self->ticket->secret};
    for (size_t i = 0; i < self->ticket->addresses_count; i++) {
        if (skr_socket_dealer (&self->dealers[i], &self->sockets, &own, self->ticket->transport,
                               self->ticket->addresses[i])
            != SAKER_OK) {
            self->dealers[i] = NULL;
        }
    }
    self->count = self->ticket->addresses_count;
}

static void ask_all (joining_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->dealers[i]) {
            skr_socket_send (self->dealers[i], skr_span (NULL, 0), skr_span_of (&self->request));
        }
    }
}

/* Waits for an answer on any of the sockets. */
static bool hear_any (joining_t *self, long wait_ms)
{
    zmq_pollitem_t items[SKR_TICKET_ADDRESSES_MAX];
    int count = 0;
    size_t of[SKR_TICKET_ADDRESSES_MAX];
    for (size_t i = 0; i < self->count; i++) {
        if (self->dealers[i]) {
            of[count] = i;
            items[count++] = (zmq_pollitem_t){.socket = self->dealers[i], .events = ZMQ_POLLIN};
        }
    }
    zmq_poll (items, count, wait_ms);
    for (int i = 0; i < count; i++) {
        if ((items[i].revents & ZMQ_POLLIN)
            && zmq_msg_recv (&self->answer, items[i].socket, ZMQ_DONTWAIT) >= 0) {
            self->address = self->ticket->addresses[of[i]];
            return true;
        }
    }
    return false;
}

static saker_err_t not_reached (const joining_t *self)
{
    char list[SKR_TICKET_ADDRESSES_MAX * (SKR_ADDRESS_BYTES_MAX + 2)] = "";
    size_t size = 0;
    for (size_t i = 0; i < self->count; i++) {
        size += (size_t) snprintf (list + size, sizeof list - size, "%s%s", i ? ", " : "",
                                   self->ticket->addresses[i]);
    }
    return skr_fail (SAKER_EUNREACHABLE,
                     "the inviting peer does not answer (tried %s): is its daemon running, and can "
                     "this machine reach it?",
                     list);
}

/* Is it an answer to what was asked last? It may come by several addresses. What is no answer at
   all is for who takes it. */
static bool is_present (joining_t *self)
{
    skr_cbor_t cbor;
    uint64_t number = 0;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    size_t count = 0;
    skr_span_t answer = skr_span (zmq_msg_data (&self->answer), zmq_msg_size (&self->answer));
    return skr_wire_open (&cbor, answer, &number, &kind, &count) != SAKER_OK
           || number == self->number;
}

static saker_err_t call (joining_t *self, int timeout_ms)
{
    uint64_t start_ms = self->world->mono_ms (self->world->context);
    uint64_t end_ms = start_ms + (uint64_t) timeout_ms;
    uint64_t ask_ms = start_ms;
    for (uint64_t now_ms = start_ms; now_ms < end_ms;
         now_ms = self->world->mono_ms (self->world->context)) {
        if (now_ms >= ask_ms) {
            ask_all (self);
            ask_ms = now_ms + ASK_AGAIN_MS;
        }
        uint64_t until_ms = ask_ms < end_ms ? ask_ms : end_ms;
        if (hear_any (self, (long) (until_ms - now_ms)) && is_present (self)) {
            return SAKER_OK;
        }
    }
    return not_reached (self);
}

static saker_err_t take_refusal (skr_cbor_t *cbor)
{
    uint64_t code = skr_cbor_get_uint (cbor);
    skr_span_t sentence = skr_cbor_get_text (cbor);
    SKR_TRY (skr_wrap (skr_cbor_close (cbor), "answer of the inviting peer"));
    saker_err_t error = code > SAKER_OK && code <= SAKER_EGAP ? (saker_err_t) code : SAKER_EINPUT;
    return skr_fail (error, "the inviting peer refuses: %.*s", (int) sentence.size,
                     (const char *) sentence.data);
}

/* The inviting peer is the first that the new daemon calls. */
static saker_err_t keep_address (const joining_t *self, const char *store)
{
    skr_replica_t *replica = NULL;
    SKR_TRY (skr_replica_open (&replica, store, self->world));
    const skr_member_t *inviter =
        skr_roster_by_transport (skr_replica_roster (replica), self->ticket->transport);
    saker_err_t error = skr_replica_begin (replica);
    if (error == SAKER_OK && inviter) {
        error = skr_store_put (skr_replica_store (replica), SKR_ADDRESSES,
                               skr_span (inviter->device, sizeof inviter->device),
                               skr_span_text (self->address));
    }
    error = error == SAKER_OK ? skr_replica_commit (replica) : error;
    skr_replica_close (&replica);
    return error;
}

/* Keeps a part of the roster, and how far it reaches. */
static saker_err_t take_changes (joining_t *self, skr_cbor_t *cbor)
{
    skr_change_t change;
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_span_t raw = skr_cbor_get_bytes (cbor);
        SKR_TRY (cbor->error ? SAKER_OK : skr_change_parse (&change, raw));
        SKR_TRY (cbor->error ? SAKER_OK
                             : skr_clock_raise (&self->have, &change.writer, change.seq));
        skr_cbor_put_bytes (&self->changes, raw.data, raw.size);
        self->changes_count++;
    }
    if (self->changes.size > ROSTER_BYTES_MAX) {
        return skr_fail (SAKER_ELIMIT, "the roster of this mesh is larger than %u bytes",
                         ROSTER_BYTES_MAX);
    }
    return self->changes.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* *more: there is more of the roster. */
static saker_err_t take_answer (joining_t *self, bool *more)
{
    skr_cbor_t cbor;
    uint64_t number = 0;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    size_t count = 0, before = self->changes_count;
    SKR_TRY (skr_wire_open (&cbor,
                            skr_span (zmq_msg_data (&self->answer), zmq_msg_size (&self->answer)),
                            &number, &kind, &count));
    if (kind == SKR_WIRE_ERROR) {
        return take_refusal (&cbor);
    }
    skr_cbor_get_fixed (&cbor, self->mesh.bytes, sizeof self->mesh.bytes);
    SKR_TRY (skr_wrap (take_changes (self, &cbor), "answer of the inviting peer"));
    skr_cbor_get_raw (&cbor); /* addresses: the daemon hears them again from HELLO */
    *more = count == 4 && skr_cbor_get_bool (&cbor) && self->changes_count > before;
    SKR_TRY (skr_wrap (skr_cbor_close (&cbor), "answer of the inviting peer"));
    return kind == SKR_WIRE_JOIN && skr_id_equal (&self->mesh, &self->ticket->mesh)
               ? SAKER_OK
               : skr_fail (SAKER_EFORGED, "the inviting peer answers for another mesh");
}

static saker_err_t adopt (joining_t *self, const char *store)
{
    skr_buf_t roster = {0};
    skr_cbor_put_array (&roster, self->changes_count);
    skr_buf_append_span (&roster, skr_span_of (&self->changes));
    saker_err_t error =
        roster.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                      : skr_replica_adopt_only (store, self->device, &self->mesh,
                                                skr_span_of (&roster), self->choice, self->world);
    skr_buf_free (&roster);
    return error ? error : keep_address (self, store);
}

static saker_err_t check_ticket (const skr_ticket_t *ticket, const skr_world_t *world)
{
    if (world->wall_ms (world->context) >= ticket->expires_ms) {
        return skr_fail (SAKER_EINPUT, "the ticket has expired: ask for a new one (saker invite)");
    }
    return SAKER_OK;
}

static saker_err_t join_at (const char *store, const skr_ticket_t *ticket, const char *name,
                            const skr_choice_t *choice, int timeout_ms, const skr_world_t *world)
{
    joining_t self = {.ticket = ticket, .choice = choice, .world = world};
    SKR_TRY (skr_device_new (&self.device));
    skr_ticket_key (ticket, self.ticket_key);
    zmq_msg_init (&self.answer);
    bool more = true;
    saker_err_t error = skr_sockets_open (&self.sockets);
    if (error == SAKER_OK) {
        dial_all (&self);
    }
    while (error == SAKER_OK && more) {
        error = make_request (&self, name);
        error = error == SAKER_OK ? call (&self, timeout_ms) : error;
        error = error == SAKER_OK ? take_answer (&self, &more) : error;
    }
    error = error == SAKER_OK ? adopt (&self, store) : error;
    for (size_t i = 0; i < self.count; i++) {
        skr_socket_close (&self.dealers[i]);
    }
    zmq_msg_close (&self.answer);
    skr_sockets_close (&self.sockets);
    skr_buf_free (&self.request);
    skr_buf_free (&self.changes);
    skr_clock_free (&self.have);
    skr_device_destroy (&self.device);
    return error;
}

saker_err_t skr_join (const char *store, const skr_ticket_t *ticket, const char *name,
                      const skr_choice_t *choice, int timeout_ms, const skr_world_t *world)
{
    bool made = false;
    SKR_TRY (check_ticket (ticket, world));
    SKR_TRY (skr_roster_name_check ("device", name));
    SKR_TRY (skr_choice_check (choice));
    /* before anybody is asked: a ticket must not be used up for a store that cannot be made */
    SKR_TRY (skr_folder_make (store, &made));
    saker_err_t error = skr_folder_check (store);
    error = error == SAKER_OK ? join_at (store, ticket, name, choice, timeout_ms, world) : error;
    if (error != SAKER_OK && made) {
        rmdir (store);
    }
    return error;
}
