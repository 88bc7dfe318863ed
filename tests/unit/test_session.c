/* Sessions without a network: what one replica asks is answered by another, with loss, delay and
   damage in between, in virtual time. */

#include "mesh/answer.h"
#include "mesh/ration.h"
#include "mesh/session.h"
#include "mesh/sockets.h"
#include "peer/carrying.h"
#include "peer/partial.h"
#include "peer/ranging.h"
#include "peer/replica_internal.h"
#include "tests/check.h"
#include "tests/lib/impostor.h"
#include "tests/lib/pair.h"

#include <sys/stat.h>

#define QUEUE_MAX 64

/* One direction of pulling: `puller` asks, `source` answers. */
typedef struct wire_t {
    skr_replica_t *puller, *source;
    skr_session_t *session;
    skr_answerer_t *answerer;
    skr_report_t report;
    skr_claims_t claims;
    skr_buf_t queue[QUEUE_MAX]; /* requests on their way */
    size_t queued;
    uint64_t now_ms;
    int hellos, addresses, answers;
    unsigned lose_one_in;   /* answers, at random; 0: none */
    unsigned damage_one_in; /* have a bit flipped */
    uint64_t random;
    bool full; /* send refuses */
} wire_t;

static bool on_send (void *context, skr_span_t request)
{
    wire_t *self = context;
    if (self->full || self->queued == QUEUE_MAX) {
        return false;
    }
    skr_buf_append_span (&self->queue[self->queued++], request);
    return true;
}

static void on_hello (void *context, uint16_t pub_port)
{
    wire_t *self = context;
    self->hellos += pub_port == 4242;
}

static void on_address (void *context, const uint8_t device[32], const char *address)
{
    wire_t *self = context;
    (void) device;
    self->addresses += strcmp (address, "tcp://10.0.0.1:7") == 0;
}

static bool wire_open (wire_t *self, skr_replica_t *puller, skr_replica_t *source)
{
    static const uint8_t instance[8] = {1};
    static const char *const addresses[] = {"tcp://10.0.0.2:7"};
    static const skr_self_t own = {{1}, 8, addresses, 1};
    memset (self, 0, sizeof *self);
    self->puller = puller;
    self->source = source;
    self->now_ms = 1000;
    self->random = check_seed ();
    skr_session_host_t host = {self, on_send, on_hello, on_address, NULL, NULL};
    const uint8_t *device = skr_device_key (skr_replica_device (source));
    skr_buf_t book = {0};
    skr_cbor_put_array (&book, 1);
    skr_cbor_put_array (&book, 2);
    skr_cbor_put_bytes (&book, device, 32);
    skr_cbor_put_text (&book, "tcp://10.0.0.1:7", 16);
    bool good =
        skr_answerer_new (&self->answerer, source) == SAKER_OK
        && skr_answerer_set (self->answerer, 4242, instance, skr_span_of (&book)) == SAKER_OK
        && skr_session_new (&self->session, puller, &self->report, &self->claims, device, &host)
               == SAKER_OK;
    skr_buf_free (&book);
    if (good) {
        skr_session_up (self->session, &own, self->now_ms);
    }
    return good;
}

static void wire_close (wire_t *self)
{
    skr_session_destroy (&self->session);
    skr_answerer_destroy (&self->answerer);
    skr_report_free (&self->report);
    skr_claims_free (&self->claims);
    for (size_t i = 0; i < QUEUE_MAX; i++) {
        skr_buf_free (&self->queue[i]);
    }
}

static bool hits (wire_t *self, unsigned one_in)
{
    return one_in && check_random (&self->random) % one_in == 0;
}

static saker_err_t deliver (wire_t *self, skr_span_t request)
{
    const skr_roster_t *roster = skr_replica_roster (self->source);
    skr_asker_t asker = {
        skr_roster_by_device (roster, skr_device_key (skr_replica_device (self->puller))), NULL,
        self->now_ms};
    skr_buf_t answer = {0};
    skr_said_t said;
    bool held = false;
    skr_answer (self->answerer, &asker, request, &answer, &held, &said);
    self->answers++;
    if (hits (self, self->damage_one_in) && answer.size) {
        answer.data[check_random (&self->random) % answer.size] ^= 4;
    }
    saker_err_t error = SAKER_OK;
    if (answer.size && !hits (self, self->lose_one_in)) {
        error = skr_session_answer (self->session, skr_span_of (&answer), self->now_ms);
    }
    if (skr_replica_in_group (self->puller)) {
        error = error == SAKER_OK ? skr_replica_commit (self->puller) : error;
    }
    skr_buf_free (&answer);
    return error;
}

/* Moves what is on its way, then lets the session look; time goes on. */
static saker_err_t turn (wire_t *self, uint64_t step_ms)
{
    size_t count = self->queued;
    skr_buf_t batch[QUEUE_MAX];
    memcpy (batch, self->queue, sizeof batch);
    memset (self->queue, 0, sizeof self->queue);
    self->queued = 0;
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count; i++) {
        error = error == SAKER_OK ? deliver (self, skr_span_of (&batch[i])) : error;
        skr_buf_free (&batch[i]);
    }
    self->now_ms += step_ms;
    return error == SAKER_OK ? skr_session_turn (self->session, self->now_ms) : error;
}

/* What the source tells in its beats. */
static void tell_state (wire_t *self)
{
    self->report.state = skr_wire_state (self->source);
    self->report.number++;
}

/* Requests of so many seconds in which nothing happens but beats. */
static uint64_t requests_in (wire_t *self, int seconds)
{
    skr_session_stats_t before, after;
    skr_session_stats (self->session, &before);
    for (int i = 0; i < 10 * seconds; i++) {
        if (i % 10 == 0) {
            tell_state (self);
        }
        if (turn (self, 100) != SAKER_OK) {
            return UINT64_MAX;
        }
    }
    skr_session_stats (self->session, &after);
    return after.requests - before.requests;
}

/* Has the puller all that the source has? (Of its own it may have more.) */
static bool equal (const wire_t *self)
{
    for (size_t i = 0; i < skr_replica_collections (self->source); i++) {
        const skr_collection_t *theirs = skr_replica_collection_at (self->source, i);
        const skr_collection_t *ours = skr_replica_collection (self->puller, &theirs->id);
        if (theirs->clock.count && (!ours || !skr_clock_covers (&ours->clock, &theirs->clock))) {
            return false;
        }
        if (theirs->clock.count && skr_clock_equal (&ours->clock, &theirs->clock)
            && !skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint)) {
            printf ("equal clocks, unequal fingerprints\n");
            return false;
        }
    }
    return true;
}

static bool pull_until_equal (wire_t *self, int turns_max, uint64_t step_ms)
{
    for (int i = 0; i < turns_max && !equal (self); i++) {
        if (turn (self, step_ms) != SAKER_OK) {
            printf ("turn: %s\n", skr_error ());
            return false;
        }
    }
    return equal (self);
}

/* ---- */

static pair_t pair;
static wire_t wire;

static void says_hello_and_learns_addresses (void)
{
    CHECK (pair_open (&pair));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (!skr_session_greeted (wire.session));
    CHECK_OK (turn (&wire, 1));
    CHECK (skr_session_greeted (wire.session));
    CHECK_INT (wire.hellos, 1);
    CHECK_INT (wire.addresses, 1);
    wire_close (&wire);
    pair_close (&pair);
}

static void pulls_what_it_lacks (void)
{
    CHECK (pair_open (&pair));
    for (int i = 0; i < 300; i++) {
        char document[16];
        snprintf (document, sizeof document, "d%d", i % 40);
        CHECK_OK (pair_set (pair.a, i % 3 ? "one" : "two", document, i));
    }
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 100, 10));
    wire_close (&wire);
    /* and the other way round: B's introduction of itself is news to A */
    CHECK_OK (pair_set (pair.b, "one", "d1", -1));
    CHECK (wire_open (&wire, pair.a, pair.b));
    CHECK (pull_until_equal (&wire, 100, 10));
    wire_close (&wire);
    pair_close (&pair);
}

static void bears_loss_and_damage (void)
{
    skr_session_stats_t stats;
    CHECK (pair_open (&pair));
    for (int i = 0; i < 200; i++) {
        CHECK_OK (pair_set (pair.a, i % 2 ? "one" : "two", "d", i));
    }
    CHECK (wire_open (&wire, pair.b, pair.a));
    wire.lose_one_in = 3;
    wire.damage_one_in = 4;
    CHECK (pull_until_equal (&wire, 5000, 700));
    skr_session_stats (wire.session, &stats);
    wire_close (&wire);
    pair_close (&pair);
}

static void asks_again_when_it_could_not_send (void)
{
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "one", "d", 1));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK_OK (turn (&wire, 1));
    wire.full = true;
    for (int i = 0; i < 20; i++) {
        CHECK_OK (turn (&wire, 100));
        CHECK (skr_session_deadline_ms (wire.session) > wire.now_ms);
    }
    CHECK (!equal (&wire));
    wire.full = false;
    CHECK (pull_until_equal (&wire, 200, 100));
    wire_close (&wire);
    pair_close (&pair);
}

/* All that may be asked at once is, and none of it is answered: it waits, and does not look again
   and again. */
static void waits_for_who_does_not_answer (void)
{
    static const skr_id_t roster;
    CHECK (pair_open (&pair));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 100, 10));
    CHECK (requests_in (&wire, 1) < SKR_SESSION_REQUESTS_MAX); /* none is under way */
    wire.lose_one_in = 1;
    for (int i = 0; i < SKR_SESSION_REQUESTS_MAX; i++) {
        skr_session_ask (wire.session, &roster, wire.now_ms);
    }
    for (int i = 0; i < 80; i++) {
        wire.report.number++; /* its beats come */
        wire.report.state = 4711;
        CHECK_OK (turn (&wire, 500));
        CHECK (skr_session_deadline_ms (wire.session) > wire.now_ms);
    }
    skr_session_stats_t stats;
    skr_session_stats (wire.session, &stats);
    CHECK (stats.timeouts >= SKR_SESSION_REQUESTS_MAX);
    wire_close (&wire);
    pair_close (&pair);
}

static bool fill_large (skr_replica_t *replica, int changes)
{
    for (int i = 0; i < changes; i++) {
        char document[16];
        snprintf (document, sizeof document, "d%d", i % 500);
        if (pair_set (replica, "large", document, i) != SAKER_OK) {
            printf ("set: %s\n", skr_error ());
            return false;
        }
    }
    return true;
}

static void takes_a_snapshot (void)
{
    skr_session_stats_t stats;
    CHECK (pair_open (&pair));
    CHECK (fill_large (pair.a, SKR_ANSWER_SNAPSHOT_CHANGES + 100));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 200, 10));
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.snapshots, 1);
    wire_close (&wire);
    /* what came whole can be passed on, one by one and whole */
    skr_replica_t *third = NULL;
    char store[96];
    snprintf (store, sizeof store, "%s/c", pair.folder);
    CHECK (pair_adopt (pair.a, store, "gamma", SKR_ROLE_WRITE, &third));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 200, 10));
    wire_close (&wire);
    CHECK (wire_open (&wire, third, pair.b));
    for (int i = 0; i < 300; i++) {
        CHECK_OK (turn (&wire, 10));
    }
    const skr_collection_t *large = NULL;
    const skr_collection_t *source = NULL;
    CHECK_OK (skr_replica_collection_named (third, "large", &large));
    CHECK_OK (skr_replica_collection_named (pair.a, "large", &source));
    CHECK (skr_clock_equal (&large->clock, &source->clock));
    CHECK (skr_fingerprint_equal (&large->fingerprint, &source->fingerprint));
    wire_close (&wire);
    skr_replica_close (&third);
    pair_close (&pair);
}

static saker_err_t want (skr_replica_t *replica, const char *prefix)
{
    skr_part_t part = {.partial = false};
    if (*prefix) {
        skr_part_nothing (&part);
        SKR_TRY (skr_part_add (&part, skr_span_text (prefix)));
    }
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_partial_want (replica, "large", &part);
    skr_part_free (&part);
    SKR_TRY (error);
    SKR_TRY (skr_replica_commit (replica));
    do {
        SKR_TRY (skr_partial_turn (replica));
    } while (skr_partial_busy (replica));
    return SAKER_OK;
}

static bool carries (const skr_id_t *large, const char *words)
{
    char told[SKR_PART_WORDS_BYTES];
    return strcmp (skr_part_words (&skr_partial_of (pair.b, large)->carried, told), words) == 0;
}

/* What is wanted and not carried comes with a snapshot, though the clocks are equal; and what both
   carry can be compared. */
static void what_is_wanted_comes_with_a_snapshot (void)
{
    skr_session_stats_t stats;
    skr_id_t large;
    CHECK (pair_open (&pair));
    skr_replica_collection_id (pair.a, "large", &large);
    CHECK (fill_large (pair.a, SKR_ANSWER_SNAPSHOT_CHANGES + 100));
    CHECK_OK (want (pair.b, "d1")); /* before anything of it is here */
    CHECK (wire_open (&wire, pair.b, pair.a));
    for (int i = 0; i < 200; i++) {
        CHECK_OK (turn (&wire, 10));
    }
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.snapshots, 1); /* of this part */
    CHECK (carries (&large, "d1"));
    CHECK_INT (skr_replica_collection (pair.b, &large)->documents, 111);
    CHECK_OK (want (pair.b, "d2"));
    CHECK (carries (&large, "nothing"));
    for (int i = 0; i < 300 && !carries (&large, "d2"); i++) {
        skr_session_look (wire.session);
        CHECK_OK (turn (&wire, 50));
    }
    CHECK (carries (&large, "d2"));
    skr_session_ask (wire.session, &large, wire.now_ms);
    for (int i = 0; i < 20; i++) {
        CHECK_OK (turn (&wire, 10));
    }
    const skr_collection_t *ours = skr_replica_collection (pair.b, &large);
    const skr_report_entry_t *told = skr_report_find (&wire.report, &large);
    CHECK (told && told->asked.any);
    CHECK (skr_part_equal (&told->asked.part, &skr_partial_of (pair.b, &large)->carried));
    CHECK (skr_fingerprint_equal (&told->asked.fingerprint, &ours->fingerprint));
    CHECK_INT (told->asked.documents, ours->documents);
    CHECK (!told->part.partial && !skr_report_alike (told, pair.b));
    /* an unequal part is no difference to be looked into */
    CHECK (requests_in (&wire, 10) < 100);
    CHECK_INT (requests_in (&wire, 40), 0);
    CHECK_OK (want (pair.b, ""));
    for (int i = 0; i < 300 && !carries (&large, "all of it"); i++) {
        skr_session_look (wire.session);
        CHECK_OK (turn (&wire, 50));
    }
    CHECK (equal (&wire));
    CHECK (skr_report_alike (skr_report_find (&wire.report, &large), pair.b));
    wire_close (&wire);
    /* who carries a part gives changes, and says of what its data is */
    CHECK_OK (want (pair.b, "d1"));
    CHECK_OK (pair_set (pair.b, "large", "d1", -1));
    CHECK (wire_open (&wire, pair.a, pair.b));
    for (int i = 0; i < 200; i++) {
        CHECK_OK (turn (&wire, 10));
    }
    told = skr_report_find (&wire.report, &large);
    CHECK (told && told->part.partial && !told->removing);
    CHECK (skr_clock_equal (&skr_replica_collection (pair.a, &large)->clock, &told->clock));
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.snapshots, 0);
    CHECK (requests_in (&wire, 10) < 100);
    CHECK_INT (requests_in (&wire, 40), 0);
    wire_close (&wire);
    pair_close (&pair);
}

/* Cells carry no signatures: who may only read hands on changes, never a snapshot. */
static void a_reader_gives_changes_only (void)
{
    skr_session_stats_t stats;
    skr_replica_t *reader = NULL;
    char store[96];
    CHECK (pair_open (&pair));
    CHECK (fill_large (pair.a, SKR_ANSWER_SNAPSHOT_CHANGES + 100));
    snprintf (store, sizeof store, "%s/c", pair.folder);
    CHECK (pair_adopt (pair.a, store, "reader", SKR_ROLE_READ, &reader));
    CHECK (wire_open (&wire, reader, pair.a));
    CHECK (pull_until_equal (&wire, 300, 10));
    wire_close (&wire);
    CHECK (wire_open (&wire, pair.b, reader));
    CHECK (pull_until_equal (&wire, 300, 10));
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.snapshots, 0);
    wire_close (&wire);
    skr_replica_close (&reader);
    pair_close (&pair);
}

/* A transfer that is cut off goes on where it stood, also after a restart of the puller. */
static void resumes_a_snapshot (void)
{
    skr_session_stats_t stats;
    CHECK (pair_open (&pair));
    CHECK (fill_large (pair.a, SKR_ANSWER_SNAPSHOT_CHANGES * 3));
    CHECK (wire_open (&wire, pair.b, pair.a));
    for (int i = 0; i < 200 && !equal (&wire); i++) {
        skr_session_stats (wire.session, &stats);
        if (stats.bytes > 0) {
            break;
        }
        CHECK_OK (turn (&wire, 10));
    }
    CHECK (stats.bytes > 0);
    CHECK (!equal (&wire));
    uint64_t before = stats.bytes;
    /* the link is lost, the process too; the answerer lives on */
    skr_session_destroy (&wire.session);
    skr_replica_close (&pair.b);
    CHECK_OK (skr_replica_open (&pair.b, pair.store_b, skr_world_real ()));
    wire.puller = pair.b;
    wire.queued = 0;
    for (size_t i = 0; i < QUEUE_MAX; i++) {
        skr_buf_free (&wire.queue[i]);
    }
    skr_session_host_t host = {&wire, on_send, on_hello, on_address, NULL, NULL};
    static const skr_self_t own = {.instance = {2}, .pub_port = 4243};
    CHECK_OK (skr_session_new (&wire.session, pair.b, &wire.report, &wire.claims,
                               skr_device_key (skr_replica_device (pair.a)), &host));
    skr_session_up (wire.session, &own, wire.now_ms);
    CHECK (pull_until_equal (&wire, 500, 10));
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.snapshots, 1);
    printf ("snapshot: %llu bytes before the cut, %llu after\n", (unsigned long long) before,
            (unsigned long long) stats.bytes);
    wire_close (&wire);
    pair_close (&pair);
}

/* A damaged snapshot is not taken; the next one is. */
static void refuses_a_damaged_snapshot (void)
{
    skr_session_stats_t stats;
    CHECK (pair_open (&pair));
    CHECK (fill_large (pair.a, SKR_ANSWER_SNAPSHOT_CHANGES + 10));
    CHECK (wire_open (&wire, pair.b, pair.a));
    wire.damage_one_in = 5;
    for (int i = 0; i < 60; i++) {
        CHECK_OK (turn (&wire, 600));
    }
    wire.damage_one_in = 0;
    CHECK (pull_until_equal (&wire, 500, 600));
    skr_session_stats (wire.session, &stats);
    CHECK (stats.snapshots >= 1);
    wire_close (&wire);
    pair_close (&pair);
}

static void survives_random_answers (void)
{
    uint64_t random = check_seed ();
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "one", "d", 1));
    CHECK (wire_open (&wire, pair.b, pair.a));
    for (int i = 0; i < 5000; i++) {
        uint8_t bytes[200];
        size_t size = check_random (&random) % sizeof bytes;
        for (size_t k = 0; k < size; k++) {
            bytes[k] = (uint8_t) check_random (&random);
        }
        CHECK_OK (skr_session_answer (wire.session, skr_span (bytes, size), wire.now_ms));
    }
    if (skr_replica_in_group (pair.b)) {
        CHECK_OK (skr_replica_commit (pair.b));
    }
    CHECK (pull_until_equal (&wire, 500, 100));
    wire_close (&wire);
    pair_close (&pair);
}

/* ---- peers that carry different collections */

/* B leaves a collection by the roster, and drops it as if it had been handed on. */
static saker_err_t leave (skr_replica_t *replica, const char *name)
{
    skr_id_t id;
    skr_subscription_t wanted = skr_subscription_all ();
    skr_replica_collection_id (replica, name, &id);
    SKR_TRY (skr_subscription_set (&wanted, &id, false));
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_carrying_state (replica, &wanted);
    skr_subscription_free (&wanted);
    SKR_TRY (error);
    SKR_TRY (skr_replica_commit (replica));
    skr_collection_t fresh = {.id = id};
    SKR_TRY (skr_replica_begin (replica));
    SKR_TRY (skr_holdings_drop (replica, &fresh));
    SKR_TRY (skr_replica_commit (replica));
    return skr_replica_reload (replica);
}

static void check_quiet (skr_replica_t *puller, skr_replica_t *source)
{
    CHECK (wire_open (&wire, puller, source));
    tell_state (&wire);
    CHECK (requests_in (&wire, 10) < 100); /* it learns what the other has */
    CHECK_INT (requests_in (&wire, 40), 0);
    wire_close (&wire);
}

static void equal_peers_that_carry_different_collections_are_quiet (void)
{
    static const skr_id_t roster;
    skr_id_t shots, notes;
    CHECK (pair_open (&pair));
    skr_replica_collection_id (pair.a, "shots", &shots);
    skr_replica_collection_id (pair.a, "notes", &notes);
    CHECK_OK (pair_set (pair.a, "shots", "d", 1));
    CHECK_OK (pair_set (pair.a, "notes", "d", 1));
    CHECK_OK (pair_sync (pair.a, pair.b, &shots));
    CHECK_OK (pair_sync (pair.a, pair.b, &notes));
    CHECK_OK (leave (pair.b, "shots"));
    CHECK_OK (pair_sync (pair.b, pair.a, &roster));
    check_quiet (pair.b, pair.a);
    check_quiet (pair.a, pair.b);
    CHECK_OK (pair_set (pair.a, "shots", "d", 2)); /* B hears of it, and leaves it alone */
    check_quiet (pair.b, pair.a);
    check_quiet (pair.a, pair.b);
    CHECK_INT (skr_replica_collection (pair.b, &shots)->changes, 0);
    CHECK_OK (pair_set (pair.a, "notes", "d", 2)); /* but takes what it carries */
    CHECK (wire_open (&wire, pair.b, pair.a));
    tell_state (&wire);
    CHECK (requests_in (&wire, 10) > 0);
    CHECK_INT (skr_replica_collection (pair.b, &notes)->changes, 2);
    wire_close (&wire);
    pair_close (&pair);
}

static void refuses_strange_requests (void)
{
    uint64_t random = check_seed ();
    CHECK (pair_open (&pair));
    CHECK (wire_open (&wire, pair.b, pair.a));
    uint64_t state = skr_wire_state (pair.a);
    skr_asker_t asker = {.member = skr_replica_self (pair.a)};
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64] = {0x80 | (uint8_t) (i % 8 + 3), 1, (uint8_t) i, (uint8_t) (i % 9)};
        skr_buf_t answer = {0};
        skr_said_t said;
        bool held = false;
        for (size_t k = 4; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t) check_random (&random);
        }
        skr_answer (wire.answerer, &asker, skr_span (bytes, check_random (&random) % 65), &answer,
                    &held, &said);
        CHECK (!held);
        skr_buf_free (&answer);
    }
    CHECK (skr_answerer_bad_requests (wire.answerer) > 0);
    CHECK (skr_wire_state (pair.a) == state);
    wire_close (&wire);
    pair_close (&pair);
}

static void a_reader_of_tickets_may_only_join (void)
{
    static const uint8_t ticket[32] = {9};
    skr_buf_t request = {0};
    skr_buf_t answer = {0};
    skr_said_t said;
    bool held = false;
    CHECK (pair_open (&pair));
    CHECK (wire_open (&wire, pair.b, pair.a));
    skr_asker_t asker = {.ticket = ticket};
    skr_wire_begin (&request, 1, SKR_WIRE_STATE, 1);
    skr_cbor_put_bytes (&request, "", 0);
    skr_answer (wire.answerer, &asker, skr_span_of (&request), &answer, &held, &said);
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    CHECK_OK (skr_wire_open (&cbor, skr_span_of (&answer), &number, &kind, &count));
    CHECK_INT (kind, SKR_WIRE_ERROR);
    CHECK_INT (skr_cbor_get_uint (&cbor), SAKER_ERIGHT);
    skr_buf_free (&request);
    skr_buf_free (&answer);
    wire_close (&wire);
    pair_close (&pair);
}

/* What an answer to RANGE says: the documents and the sum of the part, and how many entries. */
typedef struct part_t {
    uint64_t documents, entries;
    bool whole;
    skr_fingerprint_t sum;
} part_t;

static bool read_part (skr_span_t answer, part_t *part)
{
    skr_cbor_t cbor;
    uint8_t sum[16];
    skr_cbor_open (&cbor, answer);
    (void) skr_cbor_get_array (&cbor, 5);
    (void) skr_cbor_get_uint (&cbor);
    part->documents = skr_cbor_get_uint (&cbor);
    part->whole = skr_cbor_get_bool (&cbor);
    skr_cbor_get_fixed (&cbor, sum, sizeof sum);
    skr_fingerprint_from_bytes (&part->sum, sum);
    part->entries = skr_cbor_get_array (&cbor, SKR_RANGE_TOLD_MAX);
    for (uint64_t i = 0; i < part->entries && cbor.error == SAKER_OK; i++) {
        (void) skr_cbor_get_raw (&cbor);
    }
    return skr_cbor_close (&cbor) == SAKER_OK;
}

static bool ask_part (const char *from, const char *to, bool detail, part_t *part)
{
    skr_id_t one;
    skr_span_t answer;
    skr_replica_collection_id (pair.a, "one", &one);
    if (!skr_session_range (wire.session, &one, skr_span_text (from), skr_span_text (to), detail,
                            wire.now_ms)
        || skr_session_range (wire.session, &one, skr_span_text (from), skr_span_text (to), detail,
                              wire.now_ms)) {
        return false; /* one at a time */
    }
    return skr_session_ranged (wire.session, &answer) && !answer.size && turn (&wire, 1) == SAKER_OK
           && skr_session_ranged (wire.session, &answer) && answer.size && read_part (answer, part);
}

static void tells_what_a_part_adds_up_to (void)
{
    part_t all, low, high, one;
    skr_id_t id;
    CHECK (pair_open (&pair));
    for (int i = 0; i < 600; i++) {
        char document[16];
        snprintf (document, sizeof document, "d%04d", i);
        CHECK_OK (pair_set (pair.a, "one", document, i));
    }
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 200, 10));
    skr_replica_collection_id (pair.a, "one", &id);
    const skr_collection_t *collection = skr_replica_collection (pair.a, &id);
    CHECK (ask_part ("", "", false, &all));
    CHECK (all.whole && all.documents == 600 && all.entries == 0);
    CHECK (skr_fingerprint_equal (&all.sum, &collection->fingerprint));
    CHECK (ask_part ("", "d0300", false, &low));
    CHECK (ask_part ("d0300", "", false, &high));
    CHECK_INT (low.documents + high.documents, 600);
    CHECK (!skr_fingerprint_equal (&low.sum, &high.sum));
    CHECK (ask_part ("d0300", "", true, &high));
    CHECK (!high.whole && high.entries == SKR_RANGE_TOLD_MAX);
    CHECK (ask_part ("d0007", "d0008", true, &one));
    CHECK (one.whole && one.documents == 1 && one.entries == 1);
    CHECK (ask_part ("x", "", false, &one));
    CHECK (one.whole && one.documents == 0);
    wire_close (&wire);
    pair_close (&pair);
}

static void a_part_is_for_who_may_read (void)
{
    skr_span_t answer;
    skr_id_t id;
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "one", "d", 1));
    CHECK (wire_open (&wire, pair.b, pair.a));
    CHECK (pull_until_equal (&wire, 100, 10));
    CHECK_OK (pair_role (pair.a, pair.b, SKR_ROLE_RELAY));
    skr_replica_collection_id (pair.a, "one", &id);
    CHECK (skr_session_range (wire.session, &id, skr_span (NULL, 0), skr_span (NULL, 0), false,
                              wire.now_ms));
    CHECK_OK (turn (&wire, 1));
    CHECK (!skr_session_ranged (wire.session, &answer) && !answer.size);
    wire_close (&wire);
    pair_close (&pair);
}

/* However many clocks a member makes up, they take a bounded place. */
static void a_report_is_bounded (void)
{
    skr_report_t report = {0};
    saker_err_t error = SAKER_OK;
    for (uint32_t i = 0; i < 40 && error == SAKER_OK; i++) {
        skr_beat_entry_t told = {.collection = {{1}}};
        skr_put_u32 (told.collection.bytes + 1, i % 32); /* some are told again */
        for (uint32_t k = 0; k < SKR_CLOCK_WRITERS_MAX; k++) {
            skr_id_t writer = {{0}};
            skr_put_u32 (writer.bytes, k);
            CHECK_OK (skr_clock_set (&told.clock, &writer, 1));
        }
        error = skr_report_answer (&report, &told, NULL, &(skr_part_sum_t){0}, 1, 1);
        skr_beat_entry_free (&told);
    }
    CHECK_INT (error, SAKER_ELIMIT);
    CHECK_INT (report.ticks, SKR_REPORT_TICKS_MAX);
    skr_report_free (&report);
}

static skr_beat_t beat_of (uint64_t started_ms, uint8_t instance, uint64_t number)
{
    return (skr_beat_t){.instance = {instance}, .number = number, .started_ms = started_ms};
}

/* Whatever is taken is later than all that was taken before, in one order: else beats that are
   passed on would go round and round. A daemon that was started anew is the later one, also with a
   clock that ran back. */
static void beats_of_a_device_have_one_order (void)
{
    uint64_t chance = check_seed ();
    skr_beat_t all[] = {beat_of (100, 1, 5), beat_of (100, 1, 6), beat_of (101, 2, 1),
                        beat_of (101, 2, 2), beat_of (101, 3, 1), beat_of (102, 1, 1)};
    for (int i = 0; i < 1000 && !check_bad; i++) {
        skr_report_t report = {0};
        size_t last = 0, taken = 0, latest = 0;
        for (int k = 0; k < 60; k++) {
            size_t next = (size_t) (check_random (&chance) % 6);
            skr_beat_t beat = all[next];
            latest = next > latest ? next : latest;
            if (skr_report_beat (&report, &beat, NULL, false, 1)) {
                CHECK (!taken || next > last);
                last = next;
                taken++;
            }
        }
        CHECK_INT (last, latest);
        skr_report_free (&report);
    }
}

static void addresses_of_others_are_numbers (void)
{
    CHECK (skr_address_numeric ("tcp://10.0.0.1:7"));
    CHECK (skr_address_numeric ("tcp://[fe80::1]:7"));
    CHECK (skr_address_numeric ("tcp://[fe80::1%eth0]:7"));
    CHECK (!skr_address_numeric ("tcp://example.org:7"));
    CHECK (!skr_address_numeric ("tcp://fe.de:7"));
    CHECK (!skr_address_numeric ("tcp://10.0.0.1;10.0.0.2:7"));
    CHECK (!skr_address_numeric ("tcp://[:7"));
    CHECK (!skr_address_numeric ("ipc://x:7"));
}

/* ---- what one member may ask for */

static saker_err_t sum_of (skr_ration_t *ration, const char *prefix, size_t place, uint64_t now_ms,
                           skr_part_sum_t *sum)
{
    skr_id_t one;
    skr_replica_collection_id (pair.a, "one", &one);
    skr_part_free (&sum->part);
    *sum = (skr_part_sum_t){.any = false};
    skr_part_nothing (&sum->part);
    saker_err_t error = skr_part_add (&sum->part, skr_span_text (prefix));
    return error ? error
                 : skr_ration_sum (ration, pair.a, skr_replica_collection (pair.a, &one), place,
                                   now_ms, sum);
}

static void one_member_takes_no_more_than_its_ration (void)
{
    static skr_ration_t ration;
    skr_part_sum_t sum = {.any = false};
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "one", "a1", 1));
    CHECK_OK (pair_set (pair.a, "one", "b1", 1));
    CHECK_OK (sum_of (&ration, "a", 7, 1000, &sum));
    CHECK (sum.any && sum.documents == 1 && sum.entries == 1);
    skr_ration_take (&ration, 7, SKR_RATION_LOOKS_MAX, 1000);
    CHECK_OK (sum_of (&ration, "b", 7, 1000, &sum));
    CHECK (!sum.any); /* it has to wait */
    CHECK_OK (sum_of (&ration, "a", 7, 1000, &sum));
    CHECK (sum.any && sum.documents == 1); /* but not for what is known */
    CHECK_OK (sum_of (&ration, "b", 8, 1000, &sum));
    CHECK (sum.any); /* nor does another */
    CHECK_OK (pair_set (pair.a, "one", "a2", 1));
    CHECK_OK (sum_of (&ration, "a", 7, 1000, &sum));
    CHECK (!sum.any); /* it moved */
    CHECK_OK (sum_of (&ration, "a", 7, 1001, &sum));
    CHECK (sum.any && sum.documents == 2); /* some is worn off */
    skr_ration_take (&ration, 7, SKR_RATION_LOOKS_MAX, 1001);
    CHECK_OK (sum_of (&ration, "a", 7, 1000 + SKR_RATION_SUM_MS, &sum));
    CHECK (sum.any);
    skr_ration_take (&ration, 7, 1ull << 40, 1000 + SKR_RATION_SUM_MS);
    CHECK_OK (sum_of (&ration, "a", 7, 1001 + 2 * SKR_RATION_SUM_MS, &sum));
    CHECK (!sum.any); /* nothing is remembered for ever */
    skr_part_free (&sum.part);
    skr_ration_free (&ration);
    pair_close (&pair);
}

/* Asks for a snapshot of a part (NULL: of all): SAKER_OK and its id, or why not. */
static saker_err_t ask_snapshot_of (const skr_asker_t *asker, const char *prefix, uint8_t id[16])
{
    static const skr_clock_t nothing;
    skr_buf_t request = {0}, answer = {0};
    skr_part_t part = {.partial = false};
    skr_said_t said;
    skr_cbor_t cbor;
    skr_wire_kind_t kind;
    skr_id_t one;
    uint64_t number;
    size_t count;
    bool held = false;
    saker_err_t error = SAKER_OK;
    skr_replica_collection_id (pair.a, "one", &one);
    skr_wire_begin (&request, 1, SKR_WIRE_SNAPSHOT, prefix ? 3 : 1);
    skr_cbor_put_bytes (&request, one.bytes, sizeof one.bytes);
    if (prefix) {
        skr_part_nothing (&part);
        error = skr_part_add (&part, skr_span_text (prefix));
        skr_part_put (&request, &part);
        skr_clock_put (&request, &nothing);
    }
    skr_answer (wire.answerer, asker, skr_span_of (&request), &answer, &held, &said);
    error = error ? error : skr_wire_open (&cbor, skr_span_of (&answer), &number, &kind, &count);
    if (error == SAKER_OK && kind == SKR_WIRE_ERROR) {
        error = (saker_err_t) skr_cbor_get_uint (&cbor);
    }
    if (error == SAKER_OK) {
        skr_cbor_get_fixed (&cbor, id, 16);
    }
    skr_part_free (&part);
    skr_buf_free (&request);
    skr_buf_free (&answer);
    return error;
}

/* Is it still on offer? */
static bool is_offered (const skr_asker_t *asker, const uint8_t id[16])
{
    skr_buf_t request = {0}, answer = {0};
    skr_said_t said;
    skr_cbor_t cbor;
    skr_wire_kind_t kind;
    uint64_t number;
    size_t count;
    bool held = false;
    skr_wire_begin (&request, 1, SKR_WIRE_PART, 3);
    skr_cbor_put_bytes (&request, id, 16);
    skr_cbor_put_uint (&request, 0);
    skr_cbor_put_uint (&request, 4096);
    skr_answer (wire.answerer, asker, skr_span_of (&request), &answer, &held, &said);
    saker_err_t error = skr_wire_open (&cbor, skr_span_of (&answer), &number, &kind, &count);
    bool offered =
        error == SAKER_OK && kind == SKR_WIRE_PART && skr_cbor_get_bytes (&cbor).size > 0;
    skr_buf_free (&request);
    skr_buf_free (&answer);
    return offered;
}

static void snapshots_of_parts_drive_out_nobody_elses (void)
{
    uint8_t whole[16], first[16], id[16];
    char prefix[16];
    saker_err_t error = SAKER_OK;
    int made = 0;
    CHECK (pair_open (&pair));
    CHECK_OK (pair_set (pair.a, "one", "d", 1));
    CHECK (wire_open (&wire, pair.b, pair.a));
    const skr_asker_t asker = {.member = skr_replica_self (pair.a), .now_ms = 1000};
    CHECK_OK (ask_snapshot_of (&asker, NULL, whole));
    CHECK_OK (ask_snapshot_of (&asker, "first", first));
    while (error == SAKER_OK && made < 1000) {
        snprintf (prefix, sizeof prefix, "p%d", made++);
        error = ask_snapshot_of (&asker, prefix, id);
    }
    CHECK_INT (error, SAKER_EBUSY);
    CHECK (made > SKR_ANSWER_SNAPSHOTS_MAX && made <= 100);
    CHECK (is_offered (&asker, whole) && is_offered (&asker, id));
    CHECK (!is_offered (&asker, first));
    CHECK_OK (ask_snapshot_of (&asker, NULL, id)); /* the whole one is there for all */
    const skr_asker_t later = {.member = asker.member, .now_ms = 2000};
    CHECK_OK (ask_snapshot_of (&later, "q", id));
    wire_close (&wire);
    pair_close (&pair);
}

/* Asks for all changes of a collection (PULL), or for the sum over it (RANGE). */
static saker_err_t ask_much (const skr_asker_t *asker, skr_wire_kind_t kind)
{
    skr_buf_t request = {0}, answer = {0};
    skr_said_t said;
    skr_cbor_t cbor;
    skr_wire_kind_t answered;
    skr_id_t one;
    uint64_t number;
    size_t count;
    bool held = false;
    skr_replica_collection_id (pair.a, "one", &one);
    impostor_put_greedy (&request, kind, &one);
    skr_answer (wire.answerer, asker, skr_span_of (&request), &answer, &held, &said);
    saker_err_t error = skr_wire_open (&cbor, skr_span_of (&answer), &number, &answered, &count);
    if (error == SAKER_OK && answered == SKR_WIRE_ERROR) {
        error = (saker_err_t) skr_cbor_get_uint (&cbor);
    }
    skr_buf_free (&request);
    skr_buf_free (&answer);
    return error;
}

/* How many of so many such requests are answered before one is refused. */
static unsigned answered (const skr_asker_t *asker, skr_wire_kind_t kind, unsigned most)
{
    unsigned count = 0;
    while (count < most && ask_much (asker, kind) == SAKER_OK) {
        count++;
    }
    return count;
}

/* Whom it shares a place with is left to chance: of several others, one at least has its own. */
static void who_asks_without_end_is_refused_and_others_are_served (void)
{
    skr_member_t others[8];
    CHECK (pair_open (&pair));
    for (int i = 0; i < 500; i++) {
        char document[16];
        snprintf (document, sizeof document, "d%d", i);
        CHECK_OK (pair_set (pair.a, "one", document, i));
    }
    CHECK (wire_open (&wire, pair.b, pair.a));
    skr_asker_t greedy = {.member = skr_replica_self (pair.a), .now_ms = 1000};
    for (int i = 0; i < 8; i++) {
        others[i] = *greedy.member;
        others[i].device[5] ^= (uint8_t) (i + 1); /* roles do not matter to PULL */
    }
    const skr_wire_kind_t kinds[] = {SKR_WIRE_PULL, SKR_WIRE_RANGE};
    for (int k = 0; k < 2; k++) {
        unsigned served = 0, most = SKR_RATION_LOOKS_MAX / 250;
        unsigned count = answered (&greedy, kinds[k], most);
        CHECK (count > 100 && count < most);
        CHECK_INT (ask_much (&greedy, SKR_WIRE_PULL), SAKER_EBUSY); /* one ration of all kinds */
        CHECK_INT (ask_much (&greedy, SKR_WIRE_RANGE), SAKER_EBUSY);
        for (int i = 0; i < 8; i++) {
            const skr_asker_t other = {.member = &others[i], .now_ms = greedy.now_ms};
            served += ask_much (&other, SKR_WIRE_PULL) == SAKER_OK;
        }
        CHECK (served >= 6);
        greedy.now_ms += 1000; /* some is worn off, and no more */
        count = answered (&greedy, kinds[k], most);
        CHECK (count > 0 && count <= 1 + 1000 * SKR_RATION_LOOKS_A_MS / 250);
        greedy.now_ms += SKR_RATION_LOOKS_MAX / SKR_RATION_LOOKS_A_MS + 1;
    }
    wire_close (&wire);
    pair_close (&pair);
}

/* An honest session that meets it waits, and nothing is wrong for it. */
static void who_is_refused_for_now_catches_up_all_the_same (void)
{
    skr_session_stats_t stats;
    skr_id_t one;
    CHECK (pair_open (&pair));
    for (int i = 0; i < 500; i++) {
        CHECK_OK (pair_set (pair.a, "one", "d", i));
    }
    CHECK (wire_open (&wire, pair.b, pair.a));
    const skr_asker_t self = {.member = skr_replica_self (pair.b), .now_ms = wire.now_ms};
    (void) answered (&self, SKR_WIRE_PULL, SKR_RATION_LOOKS_MAX);
    CHECK (pull_until_equal (&wire, 500, 20));
    skr_session_stats (wire.session, &stats);
    CHECK_INT (stats.bad_answers, 0);
    /* the same with what verify asks */
    skr_replica_collection_id (pair.a, "one", &one);
    const skr_asker_t later = {.member = skr_replica_self (pair.b), .now_ms = wire.now_ms};
    (void) answered (&later, SKR_WIRE_PULL, SKR_RATION_LOOKS_MAX);
    skr_span_t none = skr_span (NULL, 0), sum;
    CHECK (skr_session_range (wire.session, &one, none, none, false, wire.now_ms));
    CHECK_OK (turn (&wire, 20));
    for (int i = 0; i < 200 && skr_session_ranged (wire.session, &sum) && !sum.size; i++) {
        CHECK_OK (turn (&wire, 20));
    }
    CHECK (skr_session_ranged (wire.session, &sum) && sum.size > 0);
    wire_close (&wire);
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (says_hello_and_learns_addresses);
    RUN (pulls_what_it_lacks);
    RUN (bears_loss_and_damage);
    RUN (asks_again_when_it_could_not_send);
    RUN (waits_for_who_does_not_answer);
    RUN (takes_a_snapshot);
    RUN (what_is_wanted_comes_with_a_snapshot);
    RUN (a_reader_gives_changes_only);
    RUN (resumes_a_snapshot);
    RUN (refuses_a_damaged_snapshot);
    RUN (survives_random_answers);
    RUN (equal_peers_that_carry_different_collections_are_quiet);
    RUN (refuses_strange_requests);
    RUN (tells_what_a_part_adds_up_to);
    RUN (a_part_is_for_who_may_read);
    RUN (a_report_is_bounded);
    RUN (beats_of_a_device_have_one_order);
    RUN (addresses_of_others_are_numbers);
    RUN (a_reader_of_tickets_may_only_join);
    RUN (one_member_takes_no_more_than_its_ration);
    RUN (snapshots_of_parts_drive_out_nobody_elses);
    RUN (who_asks_without_end_is_refused_and_others_are_served);
    RUN (who_is_refused_for_now_catches_up_all_the_same);
    return CHECK_END ();
}
