/* liar STORE MEMBER ADDRESS KIND,... [ROSTER]: the member of a stopped store, that talks to the
   daemon of another member as no daemon of ours does. It says HELLO, is heard, publishes its
   roster, or that of another stopped store, and then again and again does these things:

     roster     nothing else; it answers HELLO and no other question
     mute       the same, but claims to have what nobody has
     shrink     the same, but of that less and less
     answer     the same, and answers in a version to come
     request    asks in a version to come
     stranger   calls with the key of no member
     signature, form, key, fork, right, gap   publishes a change that is wrong in this way; `right`
   is an honest one, of somebody who may not, `gap` one whose predecessor never comes

   Until SIGTERM ends it. */

#include "crdt/change.h"
#include "tests/lib/impostor.h"
#include "tests/lib/pair.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define GAP_MS 200
#define CLAIMS 6 /* collections */
#define SHRINKING 1000000

typedef struct liar_t {
    const char *kinds, *address;
    const skr_member_t *victim;
    skr_replica_t *replica, *roster; /* its own; whose roster it publishes */
    const skr_device_t *device;
    void *context, *router, *pub, *dealer;
    int router_port, pub_port;
    uint64_t beats;
} liar_t;

static bool is_kind (const liar_t *self, const char *kind)
{
    size_t size = strlen (kind);
    for (const char *at = self->kinds; at; at = strchr (at, ',')) {
        at += *at == ',';
        if (strncmp (at, kind, size) == 0 && (!at[size] || at[size] == ',')) {
            return true;
        }
    }
    return false;
}

/* ---- what it publishes */

static void publish_all (liar_t *self, skr_replica_t *from, const skr_id_t *collection)
{
    static const skr_clock_t nothing;
    skr_buf_t changes = {0}, body = {0};
    size_t count = 0;
    bool more = false;
    if (skr_replica_pull (from, collection, &nothing, 32768, &changes, &count, &more) == SAKER_OK) {
        skr_cbor_put_array (&body, count);
        skr_buf_append_span (&body, skr_span_of (&changes));
        impostor_publish (self->pub, 'L', skr_span_of (&body));
    }
    skr_buf_free (&changes);
    skr_buf_free (&body);
}

/* Collections claim0 to claim5, of which it alone has five changes, or fewer with each beat. */
static void claim (liar_t *self, skr_beat_t *beat)
{
    uint64_t have = is_kind (self, "shrink") ? SHRINKING - self->beats : 5;
    beat->state = 4711;
    for (size_t i = 0; i < CLAIMS; i++) {
        skr_beat_entry_t *entry = &beat->entries[beat->entries_count++];
        char name[16];
        snprintf (name, sizeof name, "claim%zu", i);
        skr_replica_collection_id (self->replica, name, &entry->collection);
        entry->hashes = calloc (1, sizeof *entry->hashes);
        entry->kept = calloc (1, sizeof *entry->kept);
        if (!entry->hashes || !entry->kept
            || skr_clock_set (&entry->clock, skr_replica_writer (self->replica), have)
                   != SAKER_OK) {
            exit (SAKER_ENOMEM);
        }
        entry->hashes[0] = 7;
        entry->kept[0] = have;
    }
}

static void publish_beat (liar_t *self)
{
    skr_buf_t body = {0};
    skr_beat_t *beat = calloc (1, sizeof *beat);
    if (!beat) {
        exit (SAKER_ENOMEM);
    }
    beat->writer = *skr_replica_writer (self->replica);
    beat->number = ++self->beats;
    beat->started_ms = skr_replica_started_ms (self->replica);
    beat->wall_ms = skr_world_real ()->wall_ms (NULL);
    beat->state = skr_wire_state (self->replica);
    beat->roster = skr_clock_digest (&skr_replica_collection_at (self->replica, 0)->clock);
    beat->links[beat->links_count++] = skr_wire_short (self->victim->device);
    if (is_kind (self, "mute") || is_kind (self, "answer") || is_kind (self, "shrink")) {
        claim (self, beat);
    }
    skr_beat_put (&body, beat, skr_roster_mesh (skr_replica_roster (self->replica)),
                  skr_device_secret (self->device));
    impostor_publish (self->pub, 'B', skr_span_of (&body));
    skr_buf_free (&body);
    skr_beat_free (beat);
    free (beat);
}

/* A first change of its own, under the name of the mesh's key, but sealed with `key`. */
static void publish_change (liar_t *self, const char *kind, const char *content,
                            const uint8_t *wrong_key, bool spoil)
{
    static const skr_clock_t nothing;
    bool gap = strcmp (kind, "gap") == 0;
    uint8_t prev[32] = {gap};
    uint8_t nonce[24], key_id[8], key[32];
    skr_buf_t raw = {0}, body = {0};
    skr_draft_t draft = {.mesh = *skr_roster_mesh (skr_replica_roster (self->replica)),
                         .writer = *skr_replica_writer (self->replica),
                         .seq = gap ? 2 : 1,
                         .hlc = 1,
                         .prev = prev,
                         .deps = &nothing,
                         .key_id = key_id,
                         .key = wrong_key ? wrong_key : key,
                         .nonce = nonce,
                         .content = skr_span_text (content),
                         .secret = skr_device_secret (self->device)};
    randombytes_buf (nonce, sizeof nonce);
    skr_replica_collection_id (self->replica, kind, &draft.collection);
    if (skr_keyring_latest (skr_replica_keyring (self->replica), &draft.collection, key_id, key)
            == SAKER_OK
        && skr_change_build (&draft, &raw) == SAKER_OK) {
        skr_cbor_put_array (&body, 1);
        skr_cbor_put_bytes (&body, raw.data, raw.size);
        body.data[body.size - 80] ^= spoil; /* in the seal, with the signature of before */
        impostor_publish (self->pub, 'L', skr_span_of (&body));
    }
    skr_buf_free (&raw);
    skr_buf_free (&body);
}

/* ---- what it asks and answers */

/* A request, or an answer, as a program that is newer than this one would make it. */
static void put_newer (skr_buf_t *message, uint64_t number, skr_wire_kind_t kind)
{
    skr_wire_begin (message, number, kind, 1);
    skr_cbor_put_bytes (message, "", 0);
    message->data[1] = SKR_WIRE_VERSION + 1;
}

static void ask_newer (liar_t *self)
{
    skr_buf_t request = {0};
    put_newer (&request, 7, SKR_WIRE_STATE);
    zmq_send (self->dealer, request.data, request.size, ZMQ_DONTWAIT);
    skr_buf_free (&request);
}

static void call_as_stranger (liar_t *self)
{
    uint8_t public_key[32], secret[32];
    crypto_box_keypair (public_key, secret);
    void *dealer = impostor_dial (self->context, ZMQ_DEALER, self->address, self->victim->transport,
                                  public_key, secret);
    (void) impostor_hears (dealer, 1000);
    zmq_close (dealer);
}

static void answer (liar_t *self, skr_span_t routing, uint64_t number, skr_wire_kind_t kind)
{
    if (kind == SKR_WIRE_HELLO) {
        impostor_greet (self->router, routing, number, self->device,
                        skr_replica_writer (self->replica), self->pub_port);
    } else if (is_kind (self, "answer")) {
        skr_buf_t message = {0};
        put_newer (&message, number, kind);
        zmq_send (self->router, routing.data, routing.size, ZMQ_SNDMORE);
        zmq_send (self->router, message.data, message.size, 0);
        skr_buf_free (&message);
    }
}

/* ---- a round */

static void answer_all (liar_t *self)
{
    for (;;) {
        skr_buf_t routing = {0};
        uint64_t number = 0;
        skr_wire_kind_t kind = SKR_WIRE_ERROR;
        bool asked = impostor_take (self->router, GAP_MS, &routing, &number, &kind);
        if (asked) {
            answer (self, skr_span_of (&routing), number, kind);
        }
        skr_buf_free (&routing);
        if (!asked) {
            return;
        }
    }
}

static void publish_own (liar_t *self, const char *kind)
{
    skr_id_t collection;
    skr_replica_collection_id (self->replica, kind, &collection);
    publish_all (self, self->replica, &collection);
}

static void lie (liar_t *self)
{
    static const char *const broken[] = {"form", "gap", "signature"};
    uint8_t wrong_key[32];
    randombytes_buf (wrong_key, sizeof wrong_key);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        if (is_kind (self, broken[i])) {
            publish_change (self, broken[i], "x", NULL, strcmp (broken[i], "signature") == 0);
        }
    }
    if (is_kind (self, "key")) {
        publish_change (self, "key", "x", wrong_key, false);
    }
    if (is_kind (self, "right")) {
        publish_own (self, "right");
    }
    if (is_kind (self, "fork")) {
        publish_own (self, "fork");
        publish_change (self, "fork", "another", NULL, false);
    }
    if (is_kind (self, "request")) {
        ask_newer (self);
    }
    if (is_kind (self, "stranger")) {
        call_as_stranger (self);
    }
}

static void talk (liar_t *self)
{
    static const skr_id_t roster;
    uint8_t skipped[4096];
    for (uint64_t round = 0;; round++) {
        answer_all (self);
        while (zmq_recv (self->dealer, skipped, sizeof skipped, ZMQ_DONTWAIT) >= 0) {
        }
        if (round % 5 == 0) {
            publish_all (self, self->roster, &roster);
        }
        publish_beat (self);
        lie (self);
    }
}

int main (int argc, char **argv)
{
    liar_t self = {.context = NULL};
    if (argc < 5 || argc > 6) {
        fprintf (stderr, "usage: liar STORE MEMBER ADDRESS KIND,... [ROSTER]\n");
        return SAKER_EUSAGE;
    }
    self.address = argv[3];
    self.kinds = argv[4];
    self.context = zmq_ctx_new ();
    saker_err_t error = skr_replica_open (&self.replica, argv[1], skr_world_real ());
    self.roster = self.replica;
    if (error == SAKER_OK && argc == 6) {
        error = skr_replica_open (&self.roster, argv[5], skr_world_real ());
    }
    error = error == SAKER_OK
                ? skr_roster_by_name (skr_replica_roster (self.roster), argv[2], &self.victim)
                : error;
    for (size_t i = 0; i < 2 && error == SAKER_OK; i++) {
        const char *honest = i == 0 ? "fork" : "right";
        error = is_kind (&self, honest) ? pair_set (self.replica, honest, "d", 1) : SAKER_OK;
    }
    if (error != SAKER_OK) {
        fprintf (stderr, "liar: %s\n", skr_error ());
        return error;
    }
    self.device = skr_replica_device (self.replica);
    self.router = impostor_serve (self.context, ZMQ_ROUTER, self.device, &self.router_port);
    self.pub = impostor_serve (self.context, ZMQ_PUB, self.device, &self.pub_port);
    self.dealer = impostor_dial (self.context, ZMQ_DEALER, self.address, self.victim->transport,
                                 skr_device_transport_key (self.device),
                                 skr_device_transport_secret (self.device));
    impostor_call (self.dealer, self.router_port);
    talk (&self);
}
