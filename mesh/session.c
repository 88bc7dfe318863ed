#include "mesh/session_internal.h"

#include "peer/fetching.h"
#include "peer/incoming.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BEAT_MS 200     /* a beat follows a greeting: ask for the state when none came */
#define STATE_RANDOM_MS 60000 /* and now and then without one */
#define IDLE_PULL_MS 500      /* a pull that moved nothing: not again at once */
#define REVIVED_MS 2000       /* what was asked longer ago, before a silence, is lost */
#define CREDIT_MIN 4096       /* a slow link: ask for less, and wait for longer */
#define PATIENCE_MAX_MS 40000

static void expire (skr_session_t *self, uint64_t mono_ms)
{
    bool timed_out = false;
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        skr_asked_t *request = &self->requests[i];
        if (request->number && mono_ms >= request->sent_ms + self->patience_ms) {
            skr_session_release (self, &request->collection);
            request->number = 0;
            self->stats.timeouts++;
            self->look = true;
            timed_out = true;
        }
    }
    if (timed_out) {
        self->credit = self->credit / 4 > CREDIT_MIN ? self->credit / 4 : CREDIT_MIN;
        self->patience_ms =
            self->patience_ms * 2 < PATIENCE_MAX_MS ? self->patience_ms * 2 : PATIENCE_MAX_MS;
    }
}

/* ---- answers */

/* The clock that we shall have once these changes are applied. */
static saker_err_t foresee (skr_cbor_t changes, size_t count, skr_clock_t *clock)
{
    for (size_t i = 0; i < count; i++) {
        skr_change_t change;
        SKR_TRY (skr_change_parse (&change, skr_cbor_get_bytes (&changes)));
        if (change.seq == skr_clock_get (clock, &change.writer) + 1) {
            SKR_TRY (skr_clock_set (clock, &change.writer, change.seq));
        }
    }
    return SAKER_OK;
}

/* Asks for what follows before applying what came, so that the link does not wait for our disk. */
static void pull_ahead (skr_session_t *self, const skr_asked_t *request, skr_cbor_t changes,
                        size_t count, uint64_t mono_ms)
{
    skr_clock_t clock = {0};
    if (skr_clock_copy (&clock, skr_session_own_clock (self, &request->collection)) == SAKER_OK
        && foresee (changes, count, &clock) == SAKER_OK
        && !skr_clock_equal (&clock, skr_session_own_clock (self, &request->collection))
        && skr_session_claim (self, &request->collection, mono_ms)) {
        skr_session_ask_pull (self, &request->collection, &clock, mono_ms);
    }
    skr_clock_free (&clock);
}

static saker_err_t offer_all (skr_session_t *self, const skr_id_t *collection, bool more,
                              skr_cbor_t *changes, size_t count)
{
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (more ? skr_fetching_keep (self->replica, collection) : SAKER_OK);
    for (size_t i = 0; i < count && changes->error == SAKER_OK; i++) {
        skr_outcome_t outcome;
        skr_span_t change = skr_cbor_get_bytes (changes);
        SKR_TRY (skr_replica_offer (self->replica, change, &outcome));
        self->stats.changes++;
        self->stats.bytes += change.size;
    }
    return SAKER_OK;
}

static saker_err_t take_changes (skr_session_t *self, const skr_asked_t *request, skr_cbor_t *cbor,
                                 uint64_t mono_ms)
{
    skr_cbor_get_uint (cbor); /* digest of its clock: its next beat tells the clock itself */
    uint64_t more = skr_cbor_get_uint (cbor);
    size_t count = skr_cbor_get_array (cbor, SKR_WIRE_PULL_MAX);
    if (skr_session_is_roster (&request->collection)) {
        uint64_t now = skr_clock_digest (skr_session_own_clock (self, &request->collection));
        self->roster_stuck = !count || now == self->roster_then;
        self->roster_then = now;
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT
        && !skr_session_may_give_snapshots (self, &request->collection)) {
        return skr_fail (SAKER_ERIGHT, "a snapshot of a member that may not write");
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT && self->looked_back) {
        self->fork_depth = 0; /* that was too far: the next time not at all */
        skr_session_release (self, &request->collection);
        self->look = true;
        return skr_cbor_close (cbor);
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT) {
        skr_session_start_taking (self, &request->collection, mono_ms);
        return skr_cbor_close (cbor);
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_MORE && count) {
        pull_ahead (self, request, *cbor, count, mono_ms);
    }
    if (!skr_session_under_way (self, SKR_WIRE_PULL, &request->collection)) {
        skr_session_release (self, &request->collection);
    }
    if (count) {
        SKR_TRY (offer_all (self, &request->collection, more == SKR_WIRE_MORE, cbor, count));
        self->look = true;
    } else if (cbor->error == SAKER_OK) {
        skr_fetching_vain (self->replica, &request->collection, self->device);
    }
    return skr_cbor_close (cbor);
}

static saker_err_t take_addresses (skr_session_t *self, skr_cbor_t *cbor)
{
    size_t count = skr_cbor_get_array (cbor, SKR_WIRE_ADDRESSES_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        uint8_t device[SKR_DEVICE_KEY_BYTES];
        char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1] = {0};
        if (skr_cbor_get_array (cbor, 2) != 2) {
            skr_cbor_reject (cbor, "an address has a device and a text");
        }
        skr_cbor_get_fixed (cbor, device, sizeof device);
        skr_span_t text = skr_cbor_get_text (cbor);
        if (text.size > SKR_WIRE_ADDRESS_BYTES_MAX) {
            skr_cbor_reject (cbor, "an address is too long");
        } else if (cbor->error == SAKER_OK && !memchr (text.data, 0, text.size)) {
            memcpy (address, text.data, text.size);
            self->host.address (self->host.context, device, address);
        }
    }
    return skr_cbor_close (cbor);
}

static saker_err_t take_hello (skr_session_t *self, skr_cbor_t *cbor, uint64_t mono_ms)
{
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_id_t writer;
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES];
    skr_cbor_get_fixed (cbor, device, sizeof device);
    skr_cbor_get_fixed (cbor, writer.bytes, sizeof writer.bytes);
    uint64_t pub_port = skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, instance, sizeof instance);
    if (cbor->error == SAKER_OK && pub_port > 65535) {
        skr_cbor_reject (cbor, "not a port");
    }
    if (cbor->error == SAKER_OK && memcmp (device, self->device, sizeof device) != 0) {
        return skr_fail (SAKER_EINPUT, "hello: this is another device than was called");
    }
    if (cbor->error == SAKER_OK) {
        self->look |= !self->greeted;
        self->state_ms = self->greeted ? self->state_ms : mono_ms + FIRST_BEAT_MS;
        self->greeted = true;
        if (self->host.greeted) {
            self->host.greeted (self->host.context, instance, &writer);
        }
        self->host.hello (self->host.context, (uint16_t) pub_port);
    }
    return take_addresses (self, cbor);
}

/* One collection of a STATE: differs from ours, and the report does not tell how: ask. */
static void take_state_of (skr_session_t *self, const skr_id_t *collection, uint64_t clock_digest,
                           const skr_fingerprint_t *fingerprint)
{
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    const skr_report_entry_t *known = skr_report_find (self->report, collection);
    bool same = own && skr_clock_digest (&own->clock) == clock_digest
                && skr_fingerprint_equal (&own->fingerprint, fingerprint);
    bool told = known && skr_clock_digest (&known->clock) == clock_digest
                && (skr_session_is_common (self, collection)
                    || skr_fingerprint_equal (&known->fingerprint, fingerprint));
    if (!same && !told && (clock_digest || (known && known->clock.count))) {
        skr_session_want (self, collection);
    }
}

static saker_err_t take_state (skr_session_t *self, skr_cbor_t *cbor)
{
    skr_id_t collection = {{0}};
    size_t count = skr_cbor_get_array (cbor, SKR_WIRE_STATES_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        uint8_t bytes[16];
        skr_fingerprint_t fingerprint;
        if (skr_cbor_get_array (cbor, 3) != 3) {
            skr_cbor_reject (cbor, "a state has three parts");
        }
        skr_cbor_get_fixed (cbor, collection.bytes, sizeof collection.bytes);
        uint64_t digest = skr_cbor_get_uint (cbor);
        skr_cbor_get_fixed (cbor, bytes, sizeof bytes);
        skr_fingerprint_from_bytes (&fingerprint, bytes);
        if (cbor->error == SAKER_OK) {
            take_state_of (self, &collection, digest, &fingerprint);
        }
    }
    uint64_t more = skr_cbor_get_uint (cbor);
    SKR_TRY (skr_cbor_close (cbor));
    self->state_more = more && count;
    memcpy (self->state_after, collection.bytes, sizeof self->state_after);
    return SAKER_OK;
}

static saker_err_t take_clock (skr_session_t *self, const skr_asked_t *request, skr_cbor_t *cbor,
                               uint64_t mono_ms)
{
    skr_beat_entry_t told = {.collection = request->collection};
    skr_part_sum_t asked = {.any = false};
    skr_clock_t roster = {0};
    skr_beat_entry_get (cbor, &told);
    saker_err_t error = skr_clock_read (cbor, &roster, SKR_CLOCK_WRITERS_MAX);
    if (error == SAKER_OK && skr_cbor_peek (cbor) != SKR_CBOR_END) {
        skr_beat_part_get (cbor, &told);
        skr_wire_sum_get (cbor, &asked);
    }
    error = error == SAKER_OK ? skr_cbor_close (cbor) : error;
    if (error == SAKER_OK) {
        error = skr_report_answer (self->report, &told, &roster, &asked, request->sent_ms,
                                   skr_session_now_us (self, mono_ms) - request->sent_us);
        self->look = true;
    }
    skr_part_free (&asked.part);
    skr_beat_entry_free (&told);
    skr_clock_free (&roster);
    return error;
}

static saker_err_t take_offer (skr_session_t *self, const skr_asked_t *request, skr_cbor_t *cbor,
                               uint64_t mono_ms)
{
    uint8_t id[16];
    uint8_t hash[32];
    skr_cbor_get_fixed (cbor, id, sizeof id);
    uint64_t size = skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, hash, sizeof hash);
    if (cbor->error == SAKER_OK && memcmp (id, hash, sizeof id) != 0) {
        skr_cbor_reject (cbor, "a snapshot is named by its hash");
    }
    saker_err_t error = skr_cbor_close (cbor);
    if (error == SAKER_OK && !self->taking) {
        error = skr_incoming_open (&self->incoming, skr_session_folder (self), &request->collection,
                                   size, hash);
        self->taking = error == SAKER_OK && skr_session_claim (self, &request->collection, mono_ms);
        if (error == SAKER_OK && !self->taking) {
            skr_incoming_close (&self->incoming, false);
        }
    }
    if (!self->taking) {
        skr_session_release (self, &request->collection);
    }
    return error;
}

static saker_err_t take_part (skr_session_t *self, const skr_asked_t *request, skr_cbor_t *cbor)
{
    skr_span_t part = skr_cbor_get_bytes (cbor);
    SKR_TRY (skr_cbor_close (cbor));
    if (!self->taking || !skr_id_equal (&self->incoming.collection, &request->collection)) {
        return SAKER_OK; /* given up meanwhile */
    }
    if (!part.size) {
        skr_session_end_taking (self, true); /* the other does not keep this one: ask anew */
        return SAKER_OK;
    }
    saker_err_t error = skr_incoming_append (&self->incoming, part);
    if (error != SAKER_OK) {
        skr_session_end_taking (self, error == SAKER_EINPUT);
    }
    self->stats.bytes += part.size;
    return error;
}

static saker_err_t take_range (skr_session_t *self, skr_cbor_t *cbor)
{
    skr_span_t range = skr_cbor_get_raw (cbor);
    SKR_TRY (skr_cbor_close (cbor));
    skr_buf_clear (&self->ranged);
    skr_buf_append_span (&self->ranged, range);
    return self->ranged.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

static saker_err_t take_refusal (skr_session_t *self, const skr_asked_t *request, skr_cbor_t *cbor,
                                 uint64_t mono_ms)
{
    uint64_t code = skr_cbor_get_uint (cbor);
    skr_span_t sentence = skr_cbor_get_text (cbor);
    skr_session_release (self, &request->collection);
    if (request->kind == SKR_WIRE_PART) {
        skr_session_end_taking (self, true); /* our right may be another than when it was offered */
    }
    SKR_TRY (skr_cbor_close (cbor));
    if (code == SAKER_EBUSY) { /* we asked for much lately: later */
        self->look_ms = mono_ms + IDLE_PULL_MS;
        self->range_again_ms =
            request->kind == SKR_WIRE_RANGE ? mono_ms + IDLE_PULL_MS : self->range_again_ms;
        return SAKER_OK;
    }
    return skr_fail (SAKER_EINPUT, "the other peer refuses (%llu): %.*s", (unsigned long long) code,
                     (int) sentence.size, (const char *) sentence.data);
}

static saker_err_t take_answer (skr_session_t *self, const skr_asked_t *request,
                                skr_wire_kind_t kind, skr_cbor_t *cbor, uint64_t mono_ms)
{
    if (kind == SKR_WIRE_ERROR) {
        return take_refusal (self, request, cbor, mono_ms);
    }
    if (kind != request->kind) {
        return skr_fail (SAKER_EINPUT, "an answer of kind %d to a request of kind %d", kind,
                         request->kind);
    }
    switch (kind) {
    case SKR_WIRE_HELLO:
        return take_hello (self, cbor, mono_ms);
    case SKR_WIRE_STATE:
        return take_state (self, cbor);
    case SKR_WIRE_CLOCK:
        return take_clock (self, request, cbor, mono_ms);
    case SKR_WIRE_PULL:
        return take_changes (self, request, cbor, mono_ms);
    case SKR_WIRE_SNAPSHOT:
        return take_offer (self, request, cbor, mono_ms);
    case SKR_WIRE_PART:
        return take_part (self, request, cbor);
    case SKR_WIRE_RANGE:
        return take_range (self, cbor);
    case SKR_WIRE_JOIN:
    case SKR_WIRE_ERROR:
        break;
    }
    return skr_fail (SAKER_EINPUT, "not an answer");
}

static void note_round_trip (skr_session_t *self, const skr_asked_t *request, uint64_t mono_ms)
{
    self->credit = self->credit * 2 < SKR_WIRE_CREDIT_MAX ? self->credit * 2 : SKR_WIRE_CREDIT_MAX;
    if (mono_ms - request->sent_ms < SKR_REQUEST_TIMEOUT_MS / 2) {
        self->patience_ms = SKR_REQUEST_TIMEOUT_MS;
    }
    bool small = request->kind != SKR_WIRE_PULL && request->kind != SKR_WIRE_PART
                 && request->kind != SKR_WIRE_SNAPSHOT;
    if (small) {
        int64_t sample = (int64_t) (skr_session_now_us (self, mono_ms) - request->sent_us);
        self->stats.rtt_us =
            self->stats.rtt_us < 0 ? sample : (7 * self->stats.rtt_us + sample) / 8;
    }
}

/* Takes the request that an answer is for out of the table. False: of no (or a given up) one. */
static bool close_request (skr_session_t *self, uint64_t number, skr_asked_t *request)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        if (number && self->requests[i].number == number) {
            *request = self->requests[i];
            self->requests[i].number = 0;
            return true;
        }
    }
    return false;
}

saker_err_t skr_session_answer (skr_session_t *self, skr_span_t answer, uint64_t mono_ms)
{
    skr_cbor_t cbor;
    uint64_t number = 0;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    size_t count = 0;
    skr_asked_t request;
    if (skr_wire_open (&cbor, answer, &number, &kind, &count) != SAKER_OK) {
        self->stats.bad_answers++;
        return SAKER_OK;
    }
    if (!close_request (self, number, &request)) {
        return SAKER_OK;
    }
    self->stats.answers++;
    note_round_trip (self, &request, mono_ms);
    saker_err_t error = take_answer (self, &request, kind, &cbor, mono_ms);
    if (error != SAKER_OK && !skr_session_our_trouble (error)) {
        self->stats.bad_answers++;
        self->look_ms = mono_ms + IDLE_PULL_MS;
        if (!skr_session_under_way (self, SKR_WIRE_PULL, &request.collection)) {
            skr_session_release (self, &request.collection);
        }
    }
    return skr_session_our_trouble (error);
}

/* ---- the life of a session */

static void range_again (skr_session_t *self, uint64_t mono_ms)
{
    if (self->range_again_ms && mono_ms >= self->range_again_ms
        && skr_session_request (self, SKR_WIRE_RANGE, NULL, &self->range, 4, mono_ms)) {
        self->range_again_ms = 0;
    }
}

saker_err_t skr_session_turn (skr_session_t *self, uint64_t mono_ms)
{
    if (!self->up) {
        return SAKER_OK;
    }
    expire (self, mono_ms);
    if (!self->greeted) {
        if (!skr_session_under_way (self, SKR_WIRE_HELLO, NULL)) {
            skr_session_ask_hello (self, mono_ms);
        }
        return SAKER_OK;
    }
    SKR_TRY (skr_session_go_on_taking (self, mono_ms));
    skr_session_ask_wanted (self, mono_ms);
    range_again (self, mono_ms);
    if (self->look || self->report->number != self->report_seen || mono_ms >= self->look_ms) {
        skr_session_find_missing (self, mono_ms);
    } else if (mono_ms >= self->state_ms + STATE_RANDOM_MS
               && !skr_session_under_way (self, SKR_WIRE_STATE, NULL)) {
        skr_session_ask_state (self, mono_ms);
    }
    return SAKER_OK;
}

void skr_session_up (skr_session_t *self, const skr_self_t *own, uint64_t mono_ms)
{
    skr_session_down (self);
    self->up = true;
    skr_buf_clear (&self->hello);
    skr_cbor_put_bytes (&self->hello, own->instance, sizeof own->instance);
    skr_cbor_put_uint (&self->hello, own->pub_port);
    skr_cbor_put_texts (&self->hello, own->addresses, own->addresses_count);
    skr_session_ask_hello (self, mono_ms);
}

void skr_session_down (skr_session_t *self)
{
    skr_session_end_taking (self, false);
    skr_session_release_all (self);
    memset (self->requests, 0, sizeof self->requests);
    self->up = false;
    self->greeted = false;
    self->state_more = false;
    self->range_again_ms = 0;
    self->wanted_count = 0;
    self->look = false;
    self->look_ms = UINT64_MAX;
    self->state_ms = 0;
}

void skr_session_revive (skr_session_t *self, uint64_t mono_ms)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        skr_asked_t *request = &self->requests[i];
        if (request->number && mono_ms >= request->sent_ms + REVIVED_MS) {
            skr_session_release (self, &request->collection);
            request->number = 0;
        }
    }
    self->patience_ms = SKR_REQUEST_TIMEOUT_MS;
    self->look = self->greeted;
}

void skr_session_greet (skr_session_t *self, uint64_t mono_ms)
{
    if (self->greeted && !skr_session_under_way (self, SKR_WIRE_HELLO, NULL)) {
        skr_session_ask_hello (self, mono_ms);
    }
}

void skr_session_look (skr_session_t *self)
{
    self->look = self->greeted;
}

bool skr_session_greeted (const skr_session_t *self)
{
    return self->greeted;
}

void skr_session_ask (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    if (self->greeted && !skr_session_ask_clock (self, collection, mono_ms)) {
        skr_session_want (self, collection);
    }
}

bool skr_session_range (skr_session_t *self, const skr_id_t *collection, skr_span_t from,
                        skr_span_t to, bool detail, uint64_t mono_ms)
{
    if (!self->greeted || skr_session_under_way (self, SKR_WIRE_RANGE, NULL)) {
        return false;
    }
    skr_buf_clear (&self->ranged);
    skr_buf_clear (&self->range);
    skr_cbor_put_bytes (&self->range, collection->bytes, sizeof collection->bytes);
    skr_cbor_put_bytes (&self->range, from.data, from.size);
    skr_cbor_put_bytes (&self->range, to.data, to.size);
    skr_cbor_put_uint (&self->range, detail);
    self->range_again_ms = 0;
    return skr_session_request (self, SKR_WIRE_RANGE, NULL, &self->range, 4, mono_ms);
}

bool skr_session_ranged (const skr_session_t *self, skr_span_t *answer)
{
    *answer = skr_span_of (&self->ranged);
    return answer->size || self->range_again_ms
           || skr_session_under_way (self, SKR_WIRE_RANGE, NULL);
}

uint64_t skr_session_deadline_ms (const skr_session_t *self)
{
    uint64_t deadline = UINT64_MAX;
    if (!self->up) {
        return deadline;
    }
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        uint64_t due = self->requests[i].sent_ms + self->patience_ms;
        deadline = self->requests[i].number && due < deadline ? due : deadline;
    }
    if (self->greeted) {
        deadline = self->look ? 0 : deadline;
        deadline = self->look_ms < deadline ? self->look_ms : deadline;
        deadline = self->range_again_ms && self->range_again_ms < deadline ? self->range_again_ms
                                                                           : deadline;
        deadline = self->state_ms + STATE_RANDOM_MS < deadline ? self->state_ms + STATE_RANDOM_MS
                                                               : deadline;
    }
    return deadline;
}

void skr_session_stats (const skr_session_t *self, skr_session_stats_t *stats)
{
    *stats = self->stats;
}

saker_err_t skr_session_new (skr_session_t **self_p, skr_replica_t *replica, skr_report_t *report,
                             skr_claims_t *claims, const uint8_t device[32],
                             const skr_session_host_t *host)
{
    skr_session_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->replica = replica;
    self->report = report;
    self->claims = claims;
    memcpy (self->device, device, sizeof self->device);
    self->host = *host;
    self->stats.rtt_us = -1;
    self->look_ms = UINT64_MAX;
    self->fork_depth = 1;
    self->credit = SKR_WIRE_CREDIT_MAX;
    self->patience_ms = SKR_REQUEST_TIMEOUT_MS;
    self->incoming.descriptor = -1;
    *self_p = self;
    return SAKER_OK;
}

void skr_session_destroy (skr_session_t **self_p)
{
    if (*self_p) {
        skr_session_down (*self_p);
        skr_buf_free (&(*self_p)->hello);
        skr_buf_free (&(*self_p)->ranged);
        skr_buf_free (&(*self_p)->range);
        free ((*self_p)->wanted);
        free (*self_p);
        *self_p = NULL;
    }
}
