#include "mesh/session_internal.h"

#include "peer/cut.h"
#include "peer/partial.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define STATE_AGAIN_MS 2000 /* an unexplained difference: ask for the state again */
#define IDLE_PULL_MS 500    /* a pull that moved nothing: not again at once */
#define CLAIM_MS (2 * SKR_REQUEST_TIMEOUT_MS)

/* ---- claims: one session pulls a collection at a time */

static struct skr_claim_t *find_claim (skr_claims_t *claims, const skr_id_t *collection)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (skr_id_equal (&claims->claims[i].collection, collection)) {
            return &claims->claims[i];
        }
    }
    return NULL;
}

static struct skr_claim_t *add_claim (skr_claims_t *claims)
{
    if (claims->count == claims->capacity) {
        size_t capacity = claims->capacity ? 2 * claims->capacity : 8;
        struct skr_claim_t *grown = realloc (claims->claims, capacity * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        claims->claims = grown;
        claims->capacity = capacity;
    }
    return &claims->claims[claims->count++];
}

bool skr_session_claim (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    struct skr_claim_t *held = find_claim (self->claims, collection);
    bool others = held && held->holder != self && held->until_ms > mono_ms;
    if (others || mono_ms < self->claims->not_before_ms) {
        return false;
    }
    held = held ? held : add_claim (self->claims);
    if (!held) {
        return false;
    }
    held->collection = *collection;
    held->holder = self;
    held->until_ms = mono_ms + CLAIM_MS;
    return true;
}

void skr_session_release (skr_session_t *self, const skr_id_t *collection)
{
    struct skr_claim_t *held = find_claim (self->claims, collection);
    if (held && held->holder == self) {
        *held = self->claims->claims[--self->claims->count];
    }
}

void skr_session_release_all (skr_session_t *self)
{
    for (size_t i = self->claims->count; i-- > 0;) {
        if (self->claims->claims[i].holder == self) {
            self->claims->claims[i] = self->claims->claims[--self->claims->count];
        }
    }
}

void skr_claims_free (skr_claims_t *self)
{
    free (self->claims);
    memset (self, 0, sizeof *self);
}

/* ---- requests */

bool skr_session_under_way (const skr_session_t *self, skr_wire_kind_t kind,
                            const skr_id_t *collection)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        const skr_asked_t *request = &self->requests[i];
        if (request->number && request->kind == kind
            && (!collection || skr_id_equal (&request->collection, collection))) {
            return true;
        }
    }
    return false;
}

static skr_asked_t *free_request (skr_session_t *self)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        if (!self->requests[i].number) {
            return &self->requests[i];
        }
    }
    return NULL;
}

uint64_t skr_session_now_us (const skr_session_t *self, uint64_t mono_ms)
{
    return self->host.mono_us ? self->host.mono_us (self->host.context) : mono_ms * 1000;
}

bool skr_session_request (skr_session_t *self, skr_wire_kind_t kind, const skr_id_t *collection,
                          const skr_buf_t *arguments, size_t count, uint64_t mono_ms)
{
    skr_asked_t *request = free_request (self);
    skr_buf_t message = {0};
    bool sent = false;
    if (request && !arguments->failed) {
        skr_wire_begin (&message, ++self->numbers, kind, count);
        skr_buf_append_span (&message, skr_span_of (arguments));
        sent = !message.failed && self->host.send (self->host.context, skr_span_of (&message));
    }
    if (sent) {
        request->number = self->numbers;
        request->kind = kind;
        memset (&request->collection, 0, sizeof request->collection);
        if (collection) {
            request->collection = *collection;
        }
        request->sent_ms = mono_ms;
        request->sent_us = skr_session_now_us (self, mono_ms);
        self->stats.requests++;
    }
    skr_buf_free (&message);
    return sent;
}

void skr_session_ask_hello (skr_session_t *self, uint64_t mono_ms)
{
    skr_session_request (self, SKR_WIRE_HELLO, NULL, &self->hello, 3, mono_ms);
}

void skr_session_ask_state (skr_session_t *self, uint64_t mono_ms)
{
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, self->state_after, self->state_more ? 16 : 0);
    bool sent = skr_session_request (self, SKR_WIRE_STATE, NULL, &arguments, 1, mono_ms);
    /* not sent: all requests are under way, say, and nothing is answered */
    self->state_ms =
        mono_ms + (sent ? STATE_AGAIN_MS + randombytes_uniform (STATE_AGAIN_MS) : IDLE_PULL_MS);
    skr_buf_free (&arguments);
}

static bool ask_about (skr_session_t *self, skr_wire_kind_t kind, const skr_id_t *collection,
                       uint64_t mono_ms)
{
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, collection->bytes, sizeof collection->bytes);
    bool sent = skr_session_request (self, kind, collection, &arguments, 1, mono_ms);
    skr_buf_free (&arguments);
    return sent;
}

bool skr_session_ask_clock (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    static const skr_part_t whole;
    const skr_partial_t *ours = skr_partial_of (self->replica, collection);
    const skr_report_entry_t *theirs = skr_report_find (self->report, collection);
    skr_part_t both = {.partial = false};
    skr_buf_t arguments = {0};
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    if ((own && own->sealed) || (!ours->carried.partial && !(theirs && theirs->part.partial))) {
        return ask_about (self, SKR_WIRE_CLOCK, collection, mono_ms);
    }
    skr_cbor_put_bytes (&arguments, collection->bytes, sizeof collection->bytes);
    bool sent = skr_part_meet (&both, &ours->carried, theirs ? &theirs->part : &whole) == SAKER_OK;
    skr_part_put (&arguments, &both);
    sent = sent && skr_session_request (self, SKR_WIRE_CLOCK, collection, &arguments, 2, mono_ms);
    skr_part_free (&both);
    skr_buf_free (&arguments);
    return sent;
}

bool skr_session_ask_snapshot (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    const skr_partial_t *partial = skr_partial_of (self->replica, collection);
    skr_partial_t noted = {.removing = false};
    skr_buf_t arguments = {0};
    if (!own && skr_partial_load (self->replica, SKR_COMMITTED, collection, &noted) == SAKER_OK) {
        partial = &noted;
    }
    if ((own && own->sealed) || (!partial->wanted.partial && !skr_partial_lacks (partial))) {
        skr_partial_free (&noted);
        return ask_about (self, SKR_WIRE_SNAPSHOT, collection, mono_ms);
    }
    static const skr_clock_t nothing;
    const skr_clock_t *cut = skr_cut_clock (self->replica, collection);
    skr_cbor_put_bytes (&arguments, collection->bytes, sizeof collection->bytes);
    skr_part_put (&arguments, &partial->wanted);
    skr_clock_put (&arguments, cut ? cut : &nothing);
    bool sent = skr_session_request (self, SKR_WIRE_SNAPSHOT, collection, &arguments, 3, mono_ms);
    skr_buf_free (&arguments);
    skr_partial_free (&noted);
    return sent;
}

bool skr_session_ask_pull (skr_session_t *self, const skr_id_t *collection, const skr_clock_t *have,
                           uint64_t mono_ms)
{
    static const skr_clock_t nothing;
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, collection->bytes, sizeof collection->bytes);
    skr_clock_put (&arguments, have ? have : &nothing);
    skr_cbor_put_uint (&arguments, self->credit);
    bool sent = skr_session_request (self, SKR_WIRE_PULL, collection, &arguments, 3, mono_ms);
    skr_buf_free (&arguments);
    return sent;
}

bool skr_session_ask_part (skr_session_t *self, uint64_t mono_ms)
{
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, self->incoming.hash, 16);
    skr_cbor_put_uint (&arguments, self->incoming.have);
    skr_cbor_put_uint (&arguments, self->credit);
    bool sent = skr_session_request (self, SKR_WIRE_PART, &self->incoming.collection, &arguments, 3,
                                     mono_ms);
    skr_buf_free (&arguments);
    return sent;
}

/* ---- clocks to be asked for */

static bool is_wanted (const skr_session_t *self, const skr_id_t *collection)
{
    for (size_t i = 0; i < self->wanted_count; i++) {
        if (skr_id_equal (&self->wanted[i], collection)) {
            return true;
        }
    }
    return false;
}

void skr_session_want (skr_session_t *self, const skr_id_t *collection)
{
    if (is_wanted (self, collection) || self->wanted_count >= SKR_WIRE_STATES_MAX) {
        return;
    }
    if (self->wanted_count == self->wanted_capacity) {
        size_t capacity = self->wanted_capacity ? 2 * self->wanted_capacity : 8;
        skr_id_t *grown = realloc (self->wanted, capacity * sizeof *grown);
        if (!grown) {
            return;
        }
        self->wanted = grown;
        self->wanted_capacity = capacity;
    }
    self->wanted[self->wanted_count++] = *collection;
}

void skr_session_ask_wanted (skr_session_t *self, uint64_t mono_ms)
{
    while (self->wanted_count
           && ask_about (self, SKR_WIRE_CLOCK, &self->wanted[self->wanted_count - 1], mono_ms)) {
        self->wanted_count--;
    }
}
