#include "mesh/session.h"

#include "peer/carrying.h"
#include "peer/cut.h"
#include "peer/fetching.h"
#include "peer/fork.h"
#include "peer/incoming.h"
#include "peer/partial.h"
#include "peer/sealed.h"
#include "peer/snapshot.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BEAT_MS 200     /* a beat follows a greeting: ask for the state when none came */
#define STATE_AGAIN_MS 2000   /* an unexplained difference: ask for the state again */
#define STATE_RANDOM_MS 60000 /* and now and then without one */
#define IDLE_PULL_MS 500      /* a pull that moved nothing: not again at once */
#define REVIVED_MS 2000       /* what was asked longer ago, before a silence, is lost */
#define PROBE_EVERY_MS 5000
#define WIDEN_EVERY_MS 5000
#define PROBE_WRITERS_MAX 16 /* of this device, the latest */
#define CLAIM_MS (2 * SKR_REQUEST_TIMEOUT_MS)
#define CREDIT_MIN 4096 /* a slow link: ask for less, and wait for longer */
#define PATIENCE_MAX_MS 40000

/* A request under way. number 0: free. */
typedef struct request_t {
    uint64_t number;
    skr_wire_kind_t kind;
    skr_id_t collection;
    uint64_t sent_ms, sent_us;
} request_t;

struct skr_session_t {
    skr_replica_t *replica;
    skr_report_t *report;
    skr_claims_t *claims;
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_session_host_t host;
    skr_session_stats_t stats;

    bool up;
    bool greeted;
    skr_buf_t hello; /* arguments of HELLO, to be said again after a time-out */
    request_t requests[SKR_SESSION_REQUESTS_MAX];
    uint64_t numbers;
    size_t credit;        /* bytes asked for at a time; less after a time-out */
    uint64_t patience_ms; /* time-out of a request; more after one */

    uint64_t fork_depth;  /* how far back the next look for where a fork begins goes; 0: not */
    bool looked_back;     /* the last pull was one */
    uint64_t widen_ms;    /* not before this time is a snapshot asked for what is not carried */
    uint64_t probe_ms;    /* not before this time is looked for a fork */
    size_t probe_next;    /* entry of the report to begin with */
    uint64_t report_seen; /* number of the beat that was looked at last */
    bool roster_stuck;    /* its report names more of the roster than it hands out, or than can be
                             let in by now: go on without */
    uint64_t roster_then; /* digest of our roster's clock when changes of it came last */
    bool look;            /* something changed: look for what is missing */
    uint64_t look_ms;     /* or at this time */
    uint64_t state_ms;    /* not before this time is STATE asked */
    uint8_t state_after[16];
    bool state_more; /* STATE goes on after state_after */

    skr_buf_t ranged;        /* the last answer to RANGE; empty: none */
    skr_buf_t range;         /* its arguments, to be said again when the other is busy */
    uint64_t range_again_ms; /* then; 0: not */

    skr_id_t *wanted; /* collections whose CLOCK is to be asked, when a request is free */
    size_t wanted_count, wanted_capacity;

    skr_incoming_t incoming; /* a snapshot being taken */
    bool taking;
};

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

/* Takes or renews a claim. False when another session holds it, or while nothing can be stored. */
static bool claim (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
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

static void release (skr_session_t *self, const skr_id_t *collection)
{
    struct skr_claim_t *held = find_claim (self->claims, collection);
    if (held && held->holder == self) {
        *held = self->claims->claims[--self->claims->count];
    }
}

static void release_all (skr_session_t *self)
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

static bool under_way (const skr_session_t *self, skr_wire_kind_t kind, const skr_id_t *collection)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        const request_t *request = &self->requests[i];
        if (request->number && request->kind == kind
            && (!collection || skr_id_equal (&request->collection, collection))) {
            return true;
        }
    }
    return false;
}

static request_t *free_request (skr_session_t *self)
{
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        if (!self->requests[i].number) {
            return &self->requests[i];
        }
    }
    return NULL;
}

/* For round trips: those in a room take less than a millisecond. */
static uint64_t now_us (const skr_session_t *self, uint64_t mono_ms)
{
    return self->host.mono_us ? self->host.mono_us (self->host.context) : mono_ms * 1000;
}

/* Sends one request: `arguments` are encoded. False when that is not possible now. */
static bool ask (skr_session_t *self, skr_wire_kind_t kind, const skr_id_t *collection,
                 const skr_buf_t *arguments, size_t count, uint64_t mono_ms)
{
    request_t *request = free_request (self);
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
        request->sent_us = now_us (self, mono_ms);
        self->stats.requests++;
    }
    skr_buf_free (&message);
    return sent;
}

static void ask_hello (skr_session_t *self, uint64_t mono_ms)
{
    ask (self, SKR_WIRE_HELLO, NULL, &self->hello, 3, mono_ms);
}

static void ask_state (skr_session_t *self, uint64_t mono_ms)
{
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, self->state_after, self->state_more ? 16 : 0);
    bool sent = ask (self, SKR_WIRE_STATE, NULL, &arguments, 1, mono_ms);
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
    bool sent = ask (self, kind, collection, &arguments, 1, mono_ms);
    skr_buf_free (&arguments);
    return sent;
}

/* With a sum over what both carry of it, for verify: that costs the other a look at each of these
   documents. */
static bool ask_clock (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
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
    sent = sent && ask (self, SKR_WIRE_CLOCK, collection, &arguments, 2, mono_ms);
    skr_part_free (&both);
    skr_buf_free (&arguments);
    return sent;
}

/* Of what is wanted here. What we have beyond it must be in our log still, to be applied after it.
 */
static bool ask_snapshot (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
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
    bool sent = ask (self, SKR_WIRE_SNAPSHOT, collection, &arguments, 3, mono_ms);
    skr_buf_free (&arguments);
    skr_partial_free (&noted);
    return sent;
}

static bool ask_pull (skr_session_t *self, const skr_id_t *collection, const skr_clock_t *have,
                      uint64_t mono_ms)
{
    static const skr_clock_t nothing;
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, collection->bytes, sizeof collection->bytes);
    skr_clock_put (&arguments, have ? have : &nothing);
    skr_cbor_put_uint (&arguments, self->credit);
    bool sent = ask (self, SKR_WIRE_PULL, collection, &arguments, 3, mono_ms);
    skr_buf_free (&arguments);
    return sent;
}

static bool ask_part (skr_session_t *self, uint64_t mono_ms)
{
    skr_buf_t arguments = {0};
    skr_cbor_put_bytes (&arguments, self->incoming.hash, 16);
    skr_cbor_put_uint (&arguments, self->incoming.have);
    skr_cbor_put_uint (&arguments, self->credit);
    bool sent = ask (self, SKR_WIRE_PART, &self->incoming.collection, &arguments, 3, mono_ms);
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

static void want (skr_session_t *self, const skr_id_t *collection)
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

static void ask_wanted (skr_session_t *self, uint64_t mono_ms)
{
    while (self->wanted_count
           && ask_about (self, SKR_WIRE_CLOCK, &self->wanted[self->wanted_count - 1], mono_ms)) {
        self->wanted_count--;
    }
}

/* ---- looking for what is missing */

static bool is_roster (const skr_id_t *collection)
{
    static const skr_id_t roster;
    return skr_id_equal (collection, &roster);
}

static const skr_clock_t *own_clock (const skr_session_t *self, const skr_id_t *collection)
{
    static const skr_clock_t nothing;
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    return own ? &own->clock : &nothing;
}

/* What is void is not missing: the other will take it back once it knows. */
static bool lacks (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_clock_t *own = own_clock (self, &entry->collection);
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    bool outside = !is_roster (&entry->collection)
                   && skr_replica_role (self->replica, &entry->collection) == SKR_ROLE_NONE;
    outside |= !skr_carrying_takes (self->replica, &entry->collection);
    if (outside || skr_clock_covers (own, &entry->clock)) {
        return false;
    }
    for (size_t i = 0; i < entry->clock.count; i++) {
        const skr_tick_t *tick = &entry->clock.ticks[i];
        uint64_t have = skr_clock_get (own, &tick->writer);
        if (have < tick->seq
            && (is_roster (&entry->collection) || !skr_roster_by_writer (roster, &tick->writer)
                || have < skr_roster_limit (roster, &tick->writer, &entry->collection))) {
            return true;
        }
    }
    return false;
}

/* While a fork of ours is not settled: from farther back each time, until it shows where the
   branches part. */
static saker_err_t look_back (skr_session_t *self, const skr_id_t *collection, skr_clock_t *have,
                              bool *lowered)
{
    *lowered = false;
    if (self->fork_depth) {
        SKR_TRY (skr_fork_look_back (self->replica, collection, self->fork_depth, have, lowered));
    }
    self->fork_depth = *lowered && self->fork_depth < UINT32_MAX ? 2 * self->fork_depth : 1;
    self->looked_back = *lowered;
    return SAKER_OK;
}

static bool ask_missing (skr_session_t *self, const skr_report_entry_t *entry, uint64_t mono_ms)
{
    skr_clock_t have = {0};
    bool lowered;
    saker_err_t error = skr_clock_copy (&have, own_clock (self, &entry->collection));
    error = error ? error : look_back (self, &entry->collection, &have, &lowered);
    bool sent = error == SAKER_OK && ask_pull (self, &entry->collection, &have, mono_ms);
    skr_clock_free (&have);
    return sent;
}

/* Is what we lack below its cut? */
static bool is_cut_there (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_clock_t *own = own_clock (self, &entry->collection);
    for (size_t i = 0; entry->kept && i < entry->clock.count; i++) {
        const skr_tick_t *tick = &entry->clock.ticks[i];
        if (skr_clock_get (own, &tick->writer) < tick->seq - entry->kept[i]) {
            return true;
        }
    }
    return false;
}

/* Does it carry all that is wanted here, so that it can hand over a snapshot? A sealed one anybody
   can. */
static bool carries_wanted (const skr_session_t *self, const skr_report_entry_t *entry)
{
    const skr_id_t *id = &entry->collection;
    const skr_collection_t *own = skr_replica_collection (self->replica, id);
    return (own ? own->sealed : skr_sealed_due (self->replica, id))
           || skr_part_covers (&entry->part, &skr_partial_of (self->replica, id)->wanted);
}

/* True when something is missing and is, or cannot yet be, asked for. */
static bool pull_entry (skr_session_t *self, const skr_report_entry_t *entry, uint64_t mono_ms)
{
    if (!lacks (self, entry) || (!carries_wanted (self, entry) && is_cut_there (self, entry))) {
        return false;
    }
    if (under_way (self, SKR_WIRE_PULL, &entry->collection)
        || under_way (self, SKR_WIRE_SNAPSHOT, &entry->collection)
        || (self->taking && skr_id_equal (&self->incoming.collection, &entry->collection))) {
        return true;
    }
    skr_fetching_meet (self->replica, &entry->collection, &entry->clock);
    if (claim (self, &entry->collection, mono_ms) && !ask_missing (self, entry, mono_ms)) {
        release (self, &entry->collection);
    }
    return true;
}

static skr_role_t role_there (const skr_session_t *self, const skr_id_t *collection)
{
    return skr_roster_role (skr_replica_roster (self->replica), self->device, collection);
}

/* Who only relays has no data to compare. */
static bool both_read (const skr_session_t *self, const skr_collection_t *own)
{
    return !own->sealed && role_there (self, &own->id) >= SKR_ROLE_READ;
}

/* The hash of the last change of a writer, as told beside its clock; 0: it is not there. */
static uint64_t told_hash (const skr_clock_t *clock, const uint64_t *hashes, const skr_id_t *writer)
{
    for (size_t i = 0; hashes && i < clock->count; i++) {
        if (skr_id_equal (&clock->ticks[i].writer, writer)) {
            return hashes[i];
        }
    }
    return 0;
}

/* Lowers `have` where there is a reason to look: the other stays behind us, or `differs`, or has
   another last change of the same seq. What was written then may be overwritten since, so that data
   and clock are equal. `hashes` are those of our clock. */
static saker_err_t doubt_writers (const skr_session_t *self, const skr_report_entry_t *entry,
                                  const uint64_t *hashes, bool *differs, skr_clock_t *have,
                                  bool *doubtful)
{
    skr_id_t writers[PROBE_WRITERS_MAX];
    const skr_clock_t *own = own_clock (self, &entry->collection);
    size_t count = skr_roster_writers (skr_replica_roster (self->replica),
                                       skr_device_key (skr_replica_device (self->replica)), writers,
                                       PROBE_WRITERS_MAX);
    for (size_t i = 0; i < count; i++) {
        uint64_t theirs = skr_clock_get (&entry->clock, &writers[i]);
        uint64_t ours = skr_clock_get (own, &writers[i]);
        uint64_t our_hash = told_hash (own, hashes, &writers[i]);
        uint64_t their_hash = told_hash (&entry->clock, entry->hashes, &writers[i]);
        *differs |= theirs == ours && our_hash && their_hash && our_hash != their_hash;
        if (theirs && theirs <= ours && (*differs || theirs < ours)) {
            SKR_TRY (skr_clock_set (have, &writers[i], theirs - 1));
            *doubtful = true;
        }
    }
    return SAKER_OK;
}

/* The clock to ask with so that the other shows us the last change that it has of each writer of
   this device. *doubtful: there is a reason to look. */
static saker_err_t doubtful_clock (skr_session_t *self, const skr_report_entry_t *entry,
                                   skr_clock_t *have, bool *doubtful)
{
    const skr_collection_t *own = skr_replica_collection (self->replica, &entry->collection);
    bool differs = own && both_read (self, own) && skr_clock_equal (&own->clock, &entry->clock)
                   && skr_report_alike (entry, self->replica)
                   && !skr_fingerprint_equal (&own->fingerprint, &entry->fingerprint);
    uint64_t *hashes = NULL;
    bool lowered;
    *doubtful = false;
    SKR_TRY (skr_clock_copy (have, own_clock (self, &entry->collection)));
    SKR_TRY (own ? skr_replica_hashes (self->replica, own, &hashes) : SAKER_OK);
    saker_err_t error = doubt_writers (self, entry, hashes, &differs, have, doubtful);
    free (hashes);
    SKR_TRY (error);
    SKR_TRY (look_back (self, &entry->collection, have, &lowered));
    *doubtful |= lowered && differs;
    return SAKER_OK;
}

/* design 4: a fork shows to whoever sees both changes. Equal clocks with unequal data or hashes, or
   a member that stays behind us in what we wrote ourselves, may mean that it holds another change
   of ours: look at its last one, now and then. */
static void probe_fork (skr_session_t *self, uint64_t mono_ms)
{
    size_t count = self->report->entries_count;
    if (!count || mono_ms < self->probe_ms) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const skr_report_entry_t *entry = &self->report->entries[(self->probe_next + i) % count];
        skr_clock_t have = {0};
        bool doubtful = false;
        bool sent = !under_way (self, SKR_WIRE_PULL, &entry->collection)
                    && doubtful_clock (self, entry, &have, &doubtful) == SAKER_OK && doubtful
                    && ask_pull (self, &entry->collection, &have, mono_ms);
        skr_clock_free (&have);
        if (sent) {
            self->probe_next = (self->probe_next + i + 1) % count;
            self->probe_ms = mono_ms + PROBE_EVERY_MS;
            return;
        }
    }
}

static bool pull_what_lacks (skr_session_t *self, uint64_t mono_ms)
{
    static const skr_id_t roster;
    const skr_report_entry_t *first = skr_report_find (self->report, &roster);
    bool missing = first && pull_entry (self, first, mono_ms);
    if (missing && !self->roster_stuck) {
        return true; /* the roster tells who may write the rest */
    }
    for (size_t i = 0; i < self->report->entries_count; i++) {
        missing |= pull_entry (self, &self->report->entries[i], mono_ms);
    }
    return missing;
}

/* Do both hold the data, so that equal clocks mean equal digests? */
static bool is_common (const skr_session_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_collection_t *own = skr_replica_collection (self->replica, collection);
    bool here = own ? !own->sealed : skr_replica_role (self->replica, collection) >= SKR_ROLE_READ;
    return is_roster (collection)
           || (here && skr_carrying (self->replica, collection)
               && role_there (self, collection) >= SKR_ROLE_READ
               && skr_roster_carries (roster, self->device, collection));
}

/* The digest that the other has if it has what is here, where both hold it; of the rest it is taken
   at its word. So two peers that carry different collections, and are equal in those that both
   carry, have nothing to ask each other. Nor have two that carry other documents of one. */
static uint64_t expected_state (const skr_session_t *self)
{
    uint64_t state = 0;
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        const skr_report_entry_t *told = skr_report_find (self->report, &own->id);
        bool alike = !told || skr_report_alike (told, self->replica);
        state += is_common (self, &own->id) ? skr_wire_state_of (
                     &own->id, &own->clock, alike ? &own->fingerprint : &told->fingerprint)
                                            : 0;
    }
    for (size_t i = 0; i < self->report->entries_count; i++) {
        const skr_report_entry_t *told = &self->report->entries[i];
        state += is_common (self, &told->collection)
                     ? 0
                     : skr_wire_state_of (&told->collection, &told->clock, &told->fingerprint);
    }
    return state;
}

static void widen (skr_session_t *self, uint64_t mono_ms);

static void look (skr_session_t *self, uint64_t mono_ms)
{
    self->look = false;
    self->look_ms = UINT64_MAX;
    self->report_seen = self->report->number;
    if (pull_what_lacks (self, mono_ms)) {
        self->look_ms = mono_ms + IDLE_PULL_MS; /* a claim may become free, or a send possible */
    }
    widen (self, mono_ms);
    bool differs = self->report->state != skr_wire_state (self->replica)
                   && self->report->state != expected_state (self);
    if (differs) {
        probe_fork (self, mono_ms);
    }
    if ((differs || self->state_more) && !under_way (self, SKR_WIRE_STATE, NULL)) {
        if (mono_ms >= self->state_ms) {
            ask_state (self, mono_ms);
        }
        self->look_ms = self->state_ms < self->look_ms ? self->state_ms : self->look_ms;
    }
}

static void expire (skr_session_t *self, uint64_t mono_ms)
{
    bool timed_out = false;
    for (size_t i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        request_t *request = &self->requests[i];
        if (request->number && mono_ms >= request->sent_ms + self->patience_ms) {
            release (self, &request->collection);
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

/* ---- snapshots */

static void end_taking (skr_session_t *self, bool discard)
{
    if (self->taking) {
        release (self, &self->incoming.collection);
        skr_incoming_close (&self->incoming, discard);
        self->taking = false;
        self->look = true;
    }
}

static saker_err_t is_environment (saker_err_t error)
{
    return skr_err_passes (error) ? error : SAKER_OK;
}

static saker_err_t take_snapshot (skr_session_t *self)
{
    saker_err_t error = skr_incoming_check (&self->incoming);
    if (error == SAKER_OK) {
        error = skr_snapshot_take (self->replica, &self->incoming.collection, self->incoming.file);
    }
    if (error == SAKER_OK) {
        self->stats.snapshots++;
    } else if (!is_environment (error)) {
        self->stats.bad_answers++;
    }
    end_taking (self, true);
    return is_environment (error);
}

static saker_err_t go_on_taking (skr_session_t *self, uint64_t mono_ms)
{
    if (!self->taking) {
        return SAKER_OK;
    }
    if (self->incoming.have == self->incoming.size) {
        return take_snapshot (self);
    }
    if (!under_way (self, SKR_WIRE_PART, NULL)
        && claim (self, &self->incoming.collection, mono_ms)) {
        ask_part (self, mono_ms);
    }
    return SAKER_OK;
}

static const char *folder (const skr_session_t *self)
{
    return skr_store_folder (skr_replica_store (self->replica));
}

static bool another_writes (const skr_session_t *self, const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0
            && skr_roster_role (roster, member->device, collection) >= SKR_ROLE_WRITE) {
            return true;
        }
    }
    return false;
}

/* The cells of a snapshot carry no signatures: who may not write the data may not hand it over so,
   either; but where nobody else may write, as for the only writer that was restored from a backup,
   those who read must do. Changes are taken from anybody, each is checked by itself. */
static bool may_give_snapshots (const skr_session_t *self, const skr_id_t *collection)
{
    skr_role_t role = role_there (self, collection);
    return role >= SKR_ROLE_WRITE || (role >= SKR_ROLE_READ && !another_writes (self, collection));
}

/* The other says that this collection is better taken whole: go on with what an earlier process
   left, or ask for an offer. */
static void start_taking (skr_session_t *self, const skr_id_t *collection, uint64_t mono_ms)
{
    if (self->taking) {
        release (self, collection);
        return;
    }
    if (skr_incoming_find (&self->incoming, folder (self), collection) == SAKER_OK) {
        self->taking = true;
    } else if (!ask_snapshot (self, collection, mono_ms)) {
        release (self, collection);
    }
}

/* Does it have what is wanted here and not carried? */
static bool can_widen (const skr_session_t *self, const skr_collection_t *own)
{
    const skr_partial_t *partial = skr_partial_of (self->replica, &own->id);
    const skr_report_entry_t *entry = skr_report_find (self->report, &own->id);
    return !own->sealed && skr_partial_lacks (partial) && entry && entry->clock.count > 0
           && skr_part_covers (&entry->part, &partial->wanted)
           && skr_clock_covers (&entry->clock, skr_cut_clock (self->replica, &own->id))
           && may_give_snapshots (self, &own->id) && !under_way (self, SKR_WIRE_SNAPSHOT, &own->id);
}

/* What is wanted and not carried comes with a snapshot (peer/partial.h), though our clock may be
   that of the other. */
static void widen (skr_session_t *self, uint64_t mono_ms)
{
    if (!skr_partial_any (self->replica) || mono_ms < self->widen_ms) {
        return;
    }
    for (size_t i = 1; i < skr_replica_collections (self->replica) && !self->taking; i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        bool can = can_widen (self, own);
        if (can && claim (self, &own->id, mono_ms)) {
            self->widen_ms = mono_ms + WIDEN_EVERY_MS;
            start_taking (self, &own->id, mono_ms);
        } else if (!can && skr_partial_lacks (skr_partial_of (self->replica, &own->id))) {
            self->widen_ms = mono_ms + WIDEN_EVERY_MS;
            want (self, &own->id); /* what it has was not told, or long ago */
        }
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
static void pull_ahead (skr_session_t *self, const request_t *request, skr_cbor_t changes,
                        size_t count, uint64_t mono_ms)
{
    skr_clock_t clock = {0};
    if (skr_clock_copy (&clock, own_clock (self, &request->collection)) == SAKER_OK
        && foresee (changes, count, &clock) == SAKER_OK
        && !skr_clock_equal (&clock, own_clock (self, &request->collection))
        && claim (self, &request->collection, mono_ms)) {
        ask_pull (self, &request->collection, &clock, mono_ms);
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

static saker_err_t take_changes (skr_session_t *self, const request_t *request, skr_cbor_t *cbor,
                                 uint64_t mono_ms)
{
    skr_cbor_get_uint (cbor); /* digest of its clock: its next beat tells the clock itself */
    uint64_t more = skr_cbor_get_uint (cbor);
    size_t count = skr_cbor_get_array (cbor, SKR_WIRE_PULL_MAX);
    if (is_roster (&request->collection)) {
        uint64_t now = skr_clock_digest (own_clock (self, &request->collection));
        self->roster_stuck = !count || now == self->roster_then;
        self->roster_then = now;
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT
        && !may_give_snapshots (self, &request->collection)) {
        return skr_fail (SAKER_ERIGHT, "a snapshot of a member that may not write");
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT && self->looked_back) {
        self->fork_depth = 0; /* that was too far: the next time not at all */
        release (self, &request->collection);
        self->look = true;
        return skr_cbor_close (cbor);
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_TAKE_SNAPSHOT) {
        start_taking (self, &request->collection, mono_ms);
        return skr_cbor_close (cbor);
    }
    if (cbor->error == SAKER_OK && more == SKR_WIRE_MORE && count) {
        pull_ahead (self, request, *cbor, count, mono_ms);
    }
    if (!under_way (self, SKR_WIRE_PULL, &request->collection)) {
        release (self, &request->collection);
    }
    if (count) {
        SKR_TRY (offer_all (self, &request->collection, more == SKR_WIRE_MORE, cbor, count));
        self->look = true;
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
                && (is_common (self, collection)
                    || skr_fingerprint_equal (&known->fingerprint, fingerprint));
    if (!same && !told && (clock_digest || (known && known->clock.count))) {
        want (self, collection);
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

static saker_err_t take_clock (skr_session_t *self, const request_t *request, skr_cbor_t *cbor,
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
                                   now_us (self, mono_ms) - request->sent_us);
        self->look = true;
    }
    skr_part_free (&asked.part);
    skr_beat_entry_free (&told);
    skr_clock_free (&roster);
    return error;
}

static saker_err_t take_offer (skr_session_t *self, const request_t *request, skr_cbor_t *cbor,
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
        error =
            skr_incoming_open (&self->incoming, folder (self), &request->collection, size, hash);
        self->taking = error == SAKER_OK && claim (self, &request->collection, mono_ms);
        if (error == SAKER_OK && !self->taking) {
            skr_incoming_close (&self->incoming, false);
        }
    }
    if (!self->taking) {
        release (self, &request->collection);
    }
    return error;
}

static saker_err_t take_part (skr_session_t *self, const request_t *request, skr_cbor_t *cbor)
{
    skr_span_t part = skr_cbor_get_bytes (cbor);
    SKR_TRY (skr_cbor_close (cbor));
    if (!self->taking || !skr_id_equal (&self->incoming.collection, &request->collection)) {
        return SAKER_OK; /* given up meanwhile */
    }
    if (!part.size) {
        end_taking (self, true); /* the other does not keep this one: ask anew */
        return SAKER_OK;
    }
    saker_err_t error = skr_incoming_append (&self->incoming, part);
    if (error != SAKER_OK) {
        end_taking (self, error == SAKER_EINPUT);
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

static saker_err_t take_refusal (skr_session_t *self, const request_t *request, skr_cbor_t *cbor,
                                 uint64_t mono_ms)
{
    uint64_t code = skr_cbor_get_uint (cbor);
    skr_span_t sentence = skr_cbor_get_text (cbor);
    release (self, &request->collection);
    if (request->kind == SKR_WIRE_PART) {
        end_taking (self, true); /* our right may be another than when it was offered */
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

static saker_err_t take_answer (skr_session_t *self, const request_t *request, skr_wire_kind_t kind,
                                skr_cbor_t *cbor, uint64_t mono_ms)
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

static void note_round_trip (skr_session_t *self, const request_t *request, uint64_t mono_ms)
{
    self->credit = self->credit * 2 < SKR_WIRE_CREDIT_MAX ? self->credit * 2 : SKR_WIRE_CREDIT_MAX;
    if (mono_ms - request->sent_ms < SKR_REQUEST_TIMEOUT_MS / 2) {
        self->patience_ms = SKR_REQUEST_TIMEOUT_MS;
    }
    bool small = request->kind != SKR_WIRE_PULL && request->kind != SKR_WIRE_PART
                 && request->kind != SKR_WIRE_SNAPSHOT;
    if (small) {
        int64_t sample = (int64_t) (now_us (self, mono_ms) - request->sent_us);
        self->stats.rtt_us =
            self->stats.rtt_us < 0 ? sample : (7 * self->stats.rtt_us + sample) / 8;
    }
}

/* Takes the request that an answer is for out of the table. False: of no (or a given up) one. */
static bool close_request (skr_session_t *self, uint64_t number, request_t *request)
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
    request_t request;
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
    if (error != SAKER_OK && !is_environment (error)) {
        self->stats.bad_answers++;
        self->look_ms = mono_ms + IDLE_PULL_MS;
        if (!under_way (self, SKR_WIRE_PULL, &request.collection)) {
            release (self, &request.collection);
        }
    }
    return is_environment (error);
}

/* ---- the life of a session */

static void range_again (skr_session_t *self, uint64_t mono_ms)
{
    if (self->range_again_ms && mono_ms >= self->range_again_ms
        && ask (self, SKR_WIRE_RANGE, NULL, &self->range, 4, mono_ms)) {
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
        if (!under_way (self, SKR_WIRE_HELLO, NULL)) {
            ask_hello (self, mono_ms);
        }
        return SAKER_OK;
    }
    SKR_TRY (go_on_taking (self, mono_ms));
    ask_wanted (self, mono_ms);
    range_again (self, mono_ms);
    if (self->look || self->report->number != self->report_seen || mono_ms >= self->look_ms) {
        look (self, mono_ms);
    } else if (mono_ms >= self->state_ms + STATE_RANDOM_MS
               && !under_way (self, SKR_WIRE_STATE, NULL)) {
        ask_state (self, mono_ms);
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
    ask_hello (self, mono_ms);
}

void skr_session_down (skr_session_t *self)
{
    end_taking (self, false);
    release_all (self);
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
        request_t *request = &self->requests[i];
        if (request->number && mono_ms >= request->sent_ms + REVIVED_MS) {
            release (self, &request->collection);
            request->number = 0;
        }
    }
    self->patience_ms = SKR_REQUEST_TIMEOUT_MS;
    self->look = self->greeted;
}

void skr_session_greet (skr_session_t *self, uint64_t mono_ms)
{
    if (self->greeted && !under_way (self, SKR_WIRE_HELLO, NULL)) {
        ask_hello (self, mono_ms);
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
    if (self->greeted && !ask_clock (self, collection, mono_ms)) {
        want (self, collection);
    }
}

bool skr_session_range (skr_session_t *self, const skr_id_t *collection, skr_span_t from,
                        skr_span_t to, bool detail, uint64_t mono_ms)
{
    if (!self->greeted || under_way (self, SKR_WIRE_RANGE, NULL)) {
        return false;
    }
    skr_buf_clear (&self->ranged);
    skr_buf_clear (&self->range);
    skr_cbor_put_bytes (&self->range, collection->bytes, sizeof collection->bytes);
    skr_cbor_put_bytes (&self->range, from.data, from.size);
    skr_cbor_put_bytes (&self->range, to.data, to.size);
    skr_cbor_put_uint (&self->range, detail);
    self->range_again_ms = 0;
    return ask (self, SKR_WIRE_RANGE, NULL, &self->range, 4, mono_ms);
}

bool skr_session_ranged (const skr_session_t *self, skr_span_t *answer)
{
    *answer = skr_span_of (&self->ranged);
    return answer->size || self->range_again_ms || under_way (self, SKR_WIRE_RANGE, NULL);
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
