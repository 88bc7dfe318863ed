/* Clients: applications that write through the local API of a peer, each request as one batch with
   an operation id, and ask again with the same id when the peer went away before it answered. What
   was acknowledged they read back at once: they find what they wrote, or what replaced it. */

#include "crdt/value.h"
#include "peer/fetching.h"
#include "peer/fields.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 4000 /* then it is asked again */
#define GAP_MAX_MS 400
#define AGAIN_MAX_MS 15000 /* later, it is asked again all the same */
#define INTENTS_MAX 3
#define READS (1u << 31) /* a client of this number reads back what the other wrote */

typedef enum state_t { OPEN, ACKED, REFUSED, GIVEN_UP } state_t;

typedef struct written_t {
    skr_intent_kind_t kind;
    char document[8];
    uint8_t path[32];
    size_t path_size;
    int64_t value;
} written_t;

typedef struct operation_t {
    uint32_t number; /* of the client, the request and the operation: 1, 2, 3 ... */
    int peer;
    char collection[8];
    uint8_t id[16];
    skr_buf_t request;
    uint64_t ask_ms;
    state_t state;
    written_t written[INTENTS_MAX];
    size_t written_count;
    skr_id_t writer; /* of the receipt */
    uint64_t seq;
    bool reads; /* it is acknowledged, and to be read back */
    bool again; /* it was acknowledged, and is asked once more, as if that had been lost */
    bool waits; /* it was answered last that what it needs may be on its way */
} operation_t;

static operation_t *operations;
static uint32_t count, most;
static uint64_t next_ms;
static bool stopped;

/* ---- what is written */

static void put_intent (operation_t *self, skr_intent_kind_t kind, const char *pointer, bool valued,
                        int64_t value)
{
    skr_buf_t *buf = &self->request;
    char document[8];
    skr_buf_t path = {0};
    snprintf (document, sizeof document, "d%d", (int) sim_below (SIM_OPERATIONS, 4));
    written_t *written = &self->written[self->written_count++];
    if (skr_path_from_pointer (&path, pointer) != SAKER_OK || path.size > sizeof written->path) {
        abort ();
    }
    written->kind = kind;
    memcpy (written->document, document, sizeof document);
    memcpy (written->path, path.data ? path.data : (const uint8_t *) "", path.size);
    written->path_size = path.size;
    written->value = value;
    skr_cbor_put_array (buf, valued ? 4 : 3);
    skr_cbor_put_uint (buf, kind);
    skr_cbor_put_text (buf, document, strlen (document));
    skr_cbor_put_bytes (buf, path.data, path.size);
    if (valued) {
        skr_cbor_put_int (buf, value);
    }
    skr_buf_free (&path);
}

static void put_any_intent (operation_t *self)
{
    static const char *const registers[] = {"/a", "/b", "/m/x", "/m/y", "/m/deep/z"};
    const char *place = registers[sim_below (SIM_OPERATIONS, 5)];
    int64_t value = self->number * 10 + (int64_t) sim_below (SIM_OPERATIONS, 10);
    switch (sim_below (SIM_OPERATIONS, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        put_intent (self, SKR_INTENT_SET, place, true, value);
        break;
    case 5:
        put_intent (self, SKR_INTENT_SET_LWW, "/l", true, value);
        break;
    case 6:
        put_intent (self, SKR_INTENT_DELETE, place, false, 0);
        break;
    case 7:
        put_intent (self, SKR_INTENT_DELETE, sim_one_in (SIM_OPERATIONS, 2) ? "/m" : "", false, 0);
        break;
    case 8:
    case 9:
    case 10:
        put_intent (self, SKR_INTENT_INCR, "/n", true, 1 + (int64_t) sim_below (SIM_OPERATIONS, 9));
        break;
    case 11:
        put_intent (self, SKR_INTENT_DELETE, "/n", false, 0);
        break;
    case 12:
    case 13:
        put_intent (self, SKR_INTENT_ADD, "/s", true, (int64_t) sim_below (SIM_OPERATIONS, 5));
        break;
    case 14:
        put_intent (self, SKR_INTENT_REMOVE, "/s", true, (int64_t) sim_below (SIM_OPERATIONS, 5));
        break;
    default: /* a type clash, once in a while */
        put_intent (self, sim_one_in (SIM_OPERATIONS, 2) ? SKR_INTENT_SET : SKR_INTENT_INCR, "/t",
                    true, value);
    }
}

static void put_head (skr_buf_t *buf, uint32_t number, skr_command_t command)
{
    skr_cbor_put_map (buf, 4);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, SKR_API_VERSION);
    skr_cbor_put_uint (buf, 1);
    skr_cbor_put_uint (buf, number);
    skr_cbor_put_uint (buf, 2);
    skr_cbor_put_uint (buf, command);
    skr_cbor_put_uint (buf, 3);
}

static void put_request (operation_t *self)
{
    skr_buf_t *buf = &self->request;
    uint64_t intents = 1 + sim_below (SIM_OPERATIONS, INTENTS_MAX);
    put_head (buf, self->number, SKR_COMMAND_WRITE);
    skr_cbor_put_map (buf, 3);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_text (buf, self->collection, strlen (self->collection));
    skr_cbor_put_uint (buf, 1);
    skr_cbor_put_array (buf, intents);
    for (uint64_t i = 0; i < intents; i++) {
        put_any_intent (self);
    }
    skr_cbor_put_uint (buf, 2);
    skr_cbor_put_bytes (buf, self->id, sizeof self->id);
}

/* ---- asking */

static void ask (operation_t *self)
{
    const sim_peer_t *peer = &sim.peers[self->peer];
    self->ask_ms = sim.now_ms + ANSWER_MS;
    if (peer->node) {
        sim_local_ask (self->peer, self->number, skr_span_of (&self->request));
    }
}

/* The document that is read back: of one of the operation's intents. */
static const char *document_of (const operation_t *self)
{
    return self->written[self->number % self->written_count].document;
}

static void read_back (operation_t *self)
{
    skr_buf_t request = {0};
    const char *document = document_of (self);
    self->reads = false;
    put_head (&request, self->number, SKR_COMMAND_READ);
    skr_cbor_put_map (&request, 3);
    skr_cbor_put_uint (&request, 0);
    skr_cbor_put_text (&request, self->collection, strlen (self->collection));
    skr_cbor_put_uint (&request, 1);
    skr_cbor_put_text (&request, document, strlen (document));
    skr_cbor_put_uint (&request, 2);
    skr_cbor_put_bytes (&request, "", 0);
    if (sim.peers[self->peer].node) {
        sim_local_ask (self->peer, self->number | READS, skr_span_of (&request));
    }
    skr_buf_free (&request);
}

static void write_one (void)
{
    static const char *const collections[] = {"shots", "shots", "notes", "large"};
    operation_t *self = &operations[count++];
    bool late = sim.peers_count > sim.members && sim.peers[sim.members].joined;
    uint64_t writers = (uint64_t) sim.members + late; /* who came late writes, whatever it has */
    memset (self, 0, sizeof *self);
    self->number = count;
    self->peer = (int) sim_below (SIM_OPERATIONS, writers);
    if (sim.peers_count > sim.members && self->peer == sim.cloned && self->number % 2) {
        self->peer = sim.members; /* its clone */
    }
    snprintf (self->collection, sizeof self->collection, "%s",
              collections[sim_below (SIM_OPERATIONS, sim.large ? 4 : 3)]);
    for (size_t i = 0; i < sizeof self->id; i += 8) {
        skr_put_u64 (self->id + i, sim_random (SIM_OPERATIONS));
    }
    put_request (self);
    sim_trace ("client writes operation %u of %s at peer %d", self->number, self->collection,
               self->peer);
    ask (self);
}

void sim_clients_begin (int operations_max)
{
    operations = calloc ((size_t) operations_max + 1, sizeof *operations);
    count = 0;
    most = (uint32_t) operations_max;
    next_ms = sim.now_ms + sim_below (SIM_OPERATIONS, 2000);
    stopped = false;
}

void sim_clients_end (void)
{
    for (uint32_t i = 0; i < count; i++) {
        skr_buf_free (&operations[i].request);
    }
    free (operations);
    operations = NULL;
    count = 0;
}

uint64_t sim_clients_due_ms (void)
{
    uint64_t due = stopped || count == most ? UINT64_MAX : next_ms;
    for (uint32_t i = 0; i < count; i++) {
        if (operations[i].state == OPEN && operations[i].ask_ms < due) {
            due = operations[i].ask_ms;
        }
        due = operations[i].reads ? sim.now_ms : due;
    }
    return due;
}

void sim_clients_run (void)
{
    while (!stopped && count < most && next_ms <= sim.now_ms) {
        write_one ();
        next_ms += sim_one_in (SIM_OPERATIONS, 3) ? 0 : 1 + sim_below (SIM_OPERATIONS, GAP_MAX_MS);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (operations[i].state == OPEN && operations[i].ask_ms <= sim.now_ms) {
            ask (&operations[i]);
        }
        if (operations[i].reads) {
            read_back (&operations[i]);
        }
    }
}

void sim_clients_stop (void)
{
    stopped = true;
}

/* An operation id is known for SKR_RECEIPT_MS_MIN, and no longer. */
void sim_clients_leap (void)
{
    for (uint32_t i = 0; i < count; i++) {
        operations[i].state = operations[i].state == OPEN ? GIVEN_UP : operations[i].state;
    }
}

void sim_clients_lost (int peer)
{
    (void) peer; /* its clients notice when no answer comes */
}

bool sim_clients_done (void)
{
    for (uint32_t i = 0; i < count; i++) {
        const sim_peer_t *peer = &sim.peers[operations[i].peer];
        bool excused =
            peer->forked || peer->damaged || (operations[i].waits && sim_peers_damaged ());
        if (operations[i].state == OPEN && !excused) {
            return false;
        }
    }
    return true;
}

/* ---- answers */

/* A client may lose what it was told, and ask long after its change was cut. Not where a clock may
   have stood still for 400 days: set right, it makes every receipt old. */
static void ask_again_later (operation_t *self, const skr_id_t *writer, uint64_t seq)
{
    if (sim_one_in (SIM_NETWORK, 6) && !sim.counts[SIM_AWAY]) {
        self->again = true;
        self->writer = *writer;
        self->seq = seq;
        self->state = OPEN;
        self->ask_ms = sim.now_ms + 1 + sim_below (SIM_NETWORK, AGAIN_MAX_MS);
    }
}

static void check_again (const operation_t *self, const skr_id_t *writer, uint64_t seq,
                         bool repeated)
{
    const sim_peer_t *peer = &sim.peers[self->peer];
    bool same = repeated && seq == self->seq && skr_id_equal (writer, &self->writer);
    bool gone = sim_oracle_is_void (peer, self->collection, &self->writer, self->seq) || sim.copies;
    if (!same && !gone && !peer->forked && !peer->damaged) {
        sim_fail ("peer %d does operation %u again, as seq %llu after seq %llu", self->peer,
                  self->number, (unsigned long long) seq, (unsigned long long) self->seq);
    }
}

static void take_receipt (operation_t *self, skr_cbor_t *cbor)
{
    skr_fields_t fields;
    skr_id_t writer;
    skr_fields_open (&fields, cbor);
    skr_fields_need (&fields, 0);
    skr_cbor_get_fixed (cbor, writer.bytes, sizeof writer.bytes);
    skr_fields_need (&fields, 1);
    uint64_t seq = skr_cbor_get_uint (cbor);
    skr_fields_need (&fields, 2);
    bool repeated = skr_cbor_get_bool (cbor);
    if (cbor->error != SAKER_OK) {
        sim_fail ("peer %d answers a write with something else", self->peer);
        return;
    }
    sim_trace ("peer %d acknowledges operation %u: seq %llu%s", self->peer, self->number,
               (unsigned long long) seq, repeated ? ", repeated" : "");
    self->state = ACKED;
    if (self->again) {
        check_again (self, &writer, seq, repeated);
    } else if (seq) {
        self->writer = writer;
        self->seq = seq;
        self->reads = true;
        sim_oracle_acked (self->peer, self->collection, self->id, &writer, seq, repeated);
        ask_again_later (self, &writer, seq);
    }
}

/* A deletion is refused only where there is nothing. */
static void refused_delete (const operation_t *self)
{
    const written_t *written = &self->written[0];
    if (self->written_count == 1 && written->kind == SKR_INTENT_DELETE) {
        sim_wanted_t refused = {.peer = self->peer, .path_size = written->path_size};
        memcpy (refused.collection, self->collection, sizeof refused.collection);
        memcpy (refused.document, written->document, sizeof refused.document);
        memcpy (refused.path, written->path, sizeof refused.path);
        sim_oracle_refused (&refused);
    }
}

static bool is_passing (saker_err_t error)
{
    return error == SAKER_EIO || error == SAKER_EFULL || error == SAKER_ENOMEM
           || error == SAKER_EDAMAGED;
}

/* ---- reading back */

typedef struct shown_t { /* a leaf of the answer */
    skr_span_t path;
    skr_kind_t kind;
    int64_t value;
    skr_id_t writer;
    uint64_t seq;
} shown_t;

static void get_leaf (skr_cbor_t *cbor, shown_t *shown)
{
    saker_value_t value;
    skr_cbor_get_array (cbor, 9);
    skr_cbor_get_text (cbor);
    shown->path = skr_cbor_get_bytes (cbor);
    shown->kind = (skr_kind_t) skr_cbor_get_uint (cbor);
    skr_value_get (cbor, &value);
    shown->value = value.type == SAKER_INT ? value.as.integer : 0;
    skr_cbor_get_uint (cbor);
    skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, shown->writer.bytes, sizeof shown->writer.bytes);
    shown->seq = skr_cbor_get_uint (cbor);
    skr_cbor_get_text (cbor);
}

static skr_kind_t cell_of (skr_intent_kind_t kind)
{
    return kind == SKR_INTENT_SET       ? SKR_REGISTER
           : kind == SKR_INTENT_SET_LWW ? SKR_LWW
           : kind == SKR_INTENT_INCR    ? SKR_COUNTER
                                        : SKR_MEMBER;
}

/* Does a leaf show what an intent of the operation wrote? */
static bool shows (const operation_t *self, const written_t *written, const shown_t *leaf)
{
    skr_kind_t kind = cell_of (written->kind);
    if (leaf->kind != kind
        || !skr_span_equal (leaf->path, skr_span (written->path, written->path_size))) {
        return false;
    }
    if (kind == SKR_REGISTER || kind == SKR_LWW) {
        return leaf->seq == self->seq && skr_id_equal (&leaf->writer, &self->writer);
    }
    return kind == SKR_COUNTER || leaf->value == written->value;
}

/* Does a leaf show what an intent took away? What the writer had written before, it had seen. */
static bool should_be_gone (const operation_t *self, const written_t *written, const shown_t *leaf)
{
    skr_span_t path = skr_span (written->path, written->path_size);
    if (leaf->seq >= self->seq || !skr_id_equal (&leaf->writer, &self->writer)) {
        return false;
    }
    return written->kind == SKR_INTENT_DELETE
               ? skr_span_starts (leaf->path, path)
               : leaf->kind == SKR_MEMBER && skr_span_equal (leaf->path, path)
                     && leaf->value == written->value;
}

static void miss (const operation_t *self, const written_t *written)
{
    sim_wanted_t wanted = {.peer = self->peer,
                           .writer = self->writer,
                           .seq = self->seq,
                           .kind = cell_of (written->kind),
                           .path_size = written->path_size,
                           .value = written->value};
    memcpy (wanted.collection, self->collection, sizeof wanted.collection);
    memcpy (wanted.document, written->document, sizeof wanted.document);
    memcpy (wanted.path, written->path, sizeof wanted.path);
    sim_oracle_not_shown (&wanted);
}

static void check_written (const operation_t *self, const written_t *written, skr_cbor_t leaves,
                           size_t leaves_count)
{
    bool removes = written->kind == SKR_INTENT_DELETE || written->kind == SKR_INTENT_REMOVE;
    bool found = false;
    for (size_t i = 0; i < leaves_count; i++) {
        shown_t leaf;
        get_leaf (&leaves, &leaf);
        found |= !removes && shows (self, written, &leaf);
        if (removes && should_be_gone (self, written, &leaf)) {
            sim_fail ("peer %d shows in %s what operation %u took away, and was acknowledged",
                      self->peer, self->collection, self->number);
        }
    }
    if (leaves.error != SAKER_OK) {
        sim_fail ("peer %d answers a read with something else", self->peer);
    } else if (!removes && !found) {
        miss (self, written);
    }
}

/* What is fetched may hold it: but then it must be told so only while that is so. */
static bool is_on_its_way (const operation_t *self, saker_err_t error)
{
    const skr_node_t *node = sim.peers[self->peer].node;
    const skr_replica_t *replica = node ? node->replica : NULL;
    skr_id_t id;
    if (error != SAKER_ENOTYET || !replica) {
        return false;
    }
    skr_replica_collection_id (replica, self->collection, &id);
    return skr_fetching_check_all (replica, &id, self->collection) == SAKER_ENOTYET;
}

/* What it says of the call; what follows is its body, or a sentence. */
static saker_err_t open_answer (skr_cbor_t *cbor, skr_fields_t *head, skr_span_t answer)
{
    skr_cbor_open (cbor, answer);
    skr_fields_open (head, cbor);
    skr_fields_need (head, 0);
    skr_cbor_get_uint (cbor);
    skr_fields_need (head, 1);
    skr_cbor_get_uint (cbor);
    skr_fields_need (head, 2);
    saker_err_t error = (saker_err_t) skr_cbor_get_uint (cbor);
    skr_fields_need (head, 3);
    return error;
}

static void take_reading (const operation_t *self, skr_span_t answer)
{
    skr_cbor_t cbor;
    skr_fields_t head, body;
    size_t leaves = 0;
    if (sim_oracle_is_void (&sim.peers[self->peer], self->collection, &self->writer, self->seq)
        || sim_oracle_is_away (&sim.peers[self->peer], self->collection, &self->writer,
                               self->seq)) {
        return; /* the right to write it was taken meanwhile, or it was left */
    }
    saker_err_t error = open_answer (&cbor, &head, answer);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        if (!is_passing (error) && !(error == SAKER_ENOTCARRIED && (sim.parts || sim.leaves))
            && !is_on_its_way (self, error) && !sim.peers[self->peer].forked) {
            sim_fail ("peer %d does not let operation %u be read back: %s", self->peer,
                      self->number, saker_error_name (error));
        }
        return;
    }
    if (error == SAKER_OK) {
        skr_fields_open (&body, &cbor);
        if (skr_fields_has (&body, 0)) {
            sim_fail ("peer %d needs several pages for a small document", self->peer);
        }
        skr_fields_need (&body, 1);
        leaves = skr_cbor_get_array (&cbor, 1 << 20);
    }
    for (size_t i = 0; i < self->written_count; i++) {
        if (strcmp (self->written[i].document, document_of (self)) == 0) {
            check_written (self, &self->written[i], cbor, leaves);
        }
    }
}

void sim_client_answer (int peer, uint32_t client, skr_span_t answer)
{
    skr_cbor_t cbor;
    skr_fields_t head;
    uint32_t number = client & ~READS;
    operation_t *self = number >= 1 && number <= count ? &operations[number - 1] : NULL;
    if (self && client & READS) {
        const sim_peer_t *asked = &sim.peers[peer];
        if (self->peer == peer && !asked->forked && !asked->damaged) {
            take_reading (self, answer);
        }
        return;
    }
    if (!self || self->state != OPEN || self->peer != peer) {
        return;
    }
    saker_err_t error = open_answer (&cbor, &head, answer);
    self->waits = false;
    if (cbor.error != SAKER_OK) {
        sim_fail ("peer %d answers what is no answer", peer);
    } else if (error == SAKER_OK) {
        take_receipt (self, &cbor);
    } else if (is_passing (error)) {
        sim_trace ("peer %d cannot write operation %u now (%s)", peer, self->number,
                   saker_error_name (error));
        self->ask_ms = sim.now_ms + 500;
    } else if ((error == SAKER_EWAIT && sim.leaves) || error == SAKER_ENOTYET) {
        sim_trace ("peer %d fetches %s again: operation %u waits", peer, self->collection,
                   self->number);
        self->ask_ms = sim.now_ms + 500;
        self->waits = true;
        if (sim.healing && sim_oracle_is_outside (&sim.peers[peer])) {
            self->state = REFUSED; /* nobody gives it to who was revoked */
        }
    } else {
        sim_trace ("peer %d refuses operation %u: %s", peer, self->number,
                   saker_error_name (error));
        self->state = REFUSED;
        if (error == SAKER_ENOTFOUND && sim_oracle_carries (&sim.peers[peer], self->collection)) {
            refused_delete (self);
        }
        int member = peer == sim.members ? sim.cloned : peer;
        bool reader = sim.members >= 4 && member == sim.members - 1;
        if (error != SAKER_ETYPE && error != SAKER_ENOTFOUND
            && !(error == SAKER_ERIGHT && (reader || sim.rights))
            && !(error == SAKER_ENOTCARRIED && (sim.parts || sim.leaves))
            && !(error == SAKER_EBUSY && sim.rights)) { /* who may read again fetches it first */
            sim_fail ("peer %d refuses an operation: %s", peer, saker_error_name (error));
        }
    }
}
