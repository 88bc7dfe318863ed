/* The local API's commands that are answered later: watch, wait, verify. */

#include "peer/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_CHANGES_MAX 256
#define NAMES_BYTES_MAX 4096
#define ASK_AGAIN_MS 500

/* ---- waiters */

static saker_err_t add_waiter (skr_api_request_t *request, uint64_t timeout_ms,
                               skr_api_waiter_t **waiter)
{
    skr_api_t *self = request->api;
    if (self->waiters_count == SKR_API_WAITERS_MAX) {
        return skr_fail (SAKER_ELIMIT, "%d requests wait already: try again later",
                         SKR_API_WAITERS_MAX);
    }
    if (self->waiters_count == self->waiters_capacity) {
        size_t capacity = self->waiters_capacity ? 2 * self->waiters_capacity : 16;
        skr_api_waiter_t *grown = realloc (self->waiters, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->waiters = grown;
        self->waiters_capacity = capacity;
    }
    *waiter = &self->waiters[self->waiters_count++];
    memset (*waiter, 0, sizeof **waiter);
    timeout_ms = timeout_ms < SKR_API_TIMEOUT_MS_MAX ? timeout_ms : SKR_API_TIMEOUT_MS_MAX;
    (*waiter)->command = request->command;
    (*waiter)->number = request->number;
    (*waiter)->since_ms = skr_api_mono (self);
    (*waiter)->until_ms = (*waiter)->since_ms + timeout_ms;
    skr_buf_append_span (&(*waiter)->client, request->client);
    request->later = true;
    return SAKER_OK;
}

static void free_waiter (skr_api_waiter_t *waiter)
{
    skr_buf_free (&waiter->client);
    free (waiter->targets);
    free (waiter->devices);
}

static void drop_last (skr_api_t *self)
{
    free_waiter (&self->waiters[--self->waiters_count]);
}

void skr_api_waiters_free (skr_api_t *self)
{
    while (self->waiters_count) {
        drop_last (self);
    }
    free (self->waiters);
    self->waiters = NULL;
}

/* ---- watch */

typedef struct events_t {
    skr_buf_t list;
    size_t count;
} events_t;

static saker_err_t put_event (const saker_event_t *event, void *argument)
{
    events_t *events = argument;
    if (events->list.size > SKR_API_PAGE_BYTES) {
        return SKR_STOP;
    }
    skr_cbor_put_array (&events->list, 7);
    skr_cbor_put_uint (&events->list, event->position);
    skr_api_put_text (&events->list, event->collection);
    skr_api_put_text (&events->list, event->document);
    skr_api_put_text (&events->list, event->author);
    skr_cbor_put_bytes (&events->list, event->writer, sizeof event->writer);
    skr_cbor_put_uint (&events->list, event->seq);
    skr_cbor_put_uint (&events->list, event->time_ms);
    events->count++;
    return SAKER_OK;
}

static void answer_events (skr_api_t *self, const skr_api_waiter_t *waiter, const events_t *events)
{
    skr_buf_t results = {0};
    skr_cbor_put_bytes (&results, waiter->cursor.epoch, sizeof waiter->cursor.epoch);
    skr_cbor_put_uint (&results, waiter->cursor.position);
    skr_cbor_put_array (&results, events->count);
    skr_buf_append_span (&results, skr_span_of (&events->list));
    results.failed |= events->list.failed;
    skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, SAKER_OK, &results, 3);
    skr_buf_free (&results);
}

/* True when it was answered. */
static bool look_at_watch (skr_api_t *self, skr_api_waiter_t *waiter)
{
    events_t events = {0};
    saker_cursor_t now;
    const skr_collection_t *collection =
        waiter->one ? skr_replica_collection (self->replica, &waiter->collection) : NULL;
    saker_err_t error = skr_feed_now (self->replica, &now);
    bool news = error == SAKER_OK
                && (now.position != waiter->cursor.position
                    || memcmp (now.epoch, waiter->cursor.epoch, sizeof now.epoch) != 0);
    while (error == SAKER_OK && news && !events.count && (collection || !waiter->one)) {
        uint64_t before = waiter->cursor.position;
        error = skr_feed_read (self->replica, collection, &waiter->cursor, EVENTS_CHANGES_MAX,
                               put_event, &events);
        error = error == SKR_STOP ? SAKER_OK : error;
        news = waiter->cursor.position != before && waiter->cursor.position < now.position;
    }
    if (error != SAKER_OK) {
        skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, error, NULL, 0);
    } else if (events.count) {
        answer_events (self, waiter, &events);
    }
    skr_buf_free (&events.list);
    return error != SAKER_OK || events.count;
}

saker_err_t skr_api_watch (skr_api_request_t *request)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    saker_cursor_t cursor;
    skr_api_waiter_t *waiter;
    bool one = skr_api_get_optional (&request->cbor, name, sizeof name);
    skr_cbor_get_fixed (&request->cbor, cursor.epoch, sizeof cursor.epoch);
    cursor.position = skr_cbor_get_uint (&request->cbor);
    uint64_t timeout_ms = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    if (one) {
        SKR_TRY (skr_collection_name_check (name)); /* it may come to be while we watch */
    }
    SKR_TRY (add_waiter (request, timeout_ms, &waiter));
    waiter->cursor = cursor;
    waiter->one = one;
    if (one) {
        skr_replica_collection_id (request->api->replica, name, &waiter->collection);
    }
    return SAKER_OK;
}

/* ---- wait */

static const skr_clock_t *reported_clock (skr_api_t *self, const uint8_t device[32],
                                          const skr_id_t *collection)
{
    skr_reported_t reported;
    self->neighbours.reported (self->neighbours.context, device, collection, &reported);
    return reported.clock;
}

int64_t skr_api_behind (skr_api_t *self, const uint8_t device[32])
{
    static const skr_id_t roster;
    static const skr_clock_t nothing;
    int64_t behind = 0;
    if (!reported_clock (self, device, &roster)) {
        return -1;
    }
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        const skr_clock_t *clock = reported_clock (self, device, &own->id);
        behind += (int64_t) skr_clock_missing (&own->clock, clock ? clock : &nothing);
    }
    return behind;
}

/* How many of our changes a member has not stored; -1: it never told. */
static int64_t wanting (skr_api_t *self, const skr_api_waiter_t *waiter, const uint8_t device[32])
{
    int64_t wanting = 0;
    bool heard = false;
    for (size_t i = 0; i < waiter->targets_count; i++) {
        const skr_api_target_t *target = &waiter->targets[i];
        const skr_clock_t *clock = reported_clock (self, device, &target->collection);
        uint64_t seq = clock ? skr_clock_get (clock, skr_replica_writer (self->replica)) : 0;
        heard |= clock != NULL;
        wanting += seq < target->seq ? (int64_t) (target->seq - seq) : 0;
    }
    return wanting && !heard ? -1 : wanting;
}

static bool all_have (skr_api_t *self, const skr_api_waiter_t *waiter)
{
    for (size_t i = 0; i < waiter->devices_count; i++) {
        if (wanting (self, waiter, waiter->devices[i]) != 0) {
            return false;
        }
    }
    return true;
}

static saker_err_t name_who_lacks (skr_api_t *self, const skr_api_waiter_t *waiter)
{
    char names[NAMES_BYTES_MAX] = "";
    size_t size = 0;
    for (size_t i = 0; i < waiter->devices_count && size < sizeof names - 200; i++) {
        const skr_member_t *member =
            skr_roster_by_device (skr_replica_roster (self->replica), waiter->devices[i]);
        int64_t lack = wanting (self, waiter, waiter->devices[i]);
        if (!member || !lack) {
            continue;
        }
        size += (size_t) snprintf (names + size, sizeof names - size, "%s%s ", size ? ", " : "",
                                   member->name);
        size += (size_t) (lack < 0 ? snprintf (names + size, sizeof names - size, "was never heard")
                                   : snprintf (names + size, sizeof names - size, "lacks %lld change%s",
                                               (long long) lack, lack == 1 ? "" : "s"));
    }
    return skr_fail (SAKER_ETIMEOUT, "%s (see `saker peers`)", names);
}

/* True when it was answered. */
static bool look_at_wait (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    saker_err_t error = SAKER_OK;
    if (!all_have (self, waiter)) {
        if (!late) {
            return false;
        }
        error = name_who_lacks (self, waiter);
    }
    skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, error, NULL, 0);
    return true;
}

static saker_err_t note_targets (skr_api_t *self, skr_api_waiter_t *waiter)
{
    size_t count = skr_replica_collections (self->replica);
    waiter->targets = calloc (count, sizeof *waiter->targets);
    if (!waiter->targets) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        uint64_t seq = skr_clock_get (&own->clock, skr_replica_writer (self->replica));
        if (seq) {
            waiter->targets[waiter->targets_count++] = (skr_api_target_t){own->id, seq};
        }
    }
    return SAKER_OK;
}

static void note_device (const skr_api_t *self, skr_api_waiter_t *waiter,
                         const skr_member_t *member)
{
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    if (memcmp (member->device, own, 32) != 0
        && waiter->devices_count < skr_roster_count (skr_replica_roster (self->replica))) {
        memcpy (waiter->devices[waiter->devices_count++], member->device, 32);
    }
}

/* `peers`: names or ids between commas; taken apart in place. */
static saker_err_t note_named (skr_api_t *self, skr_api_waiter_t *waiter, char *peers)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (char *end = NULL; peers; peers = end) {
        const skr_member_t *member = NULL;
        end = strchr (peers, ',');
        if (end) {
            *end++ = 0;
        }
        SKR_TRY (skr_roster_by_name (roster, peers, &member));
        note_device (self, waiter, member);
    }
    return SAKER_OK;
}

static saker_err_t note_devices (skr_api_t *self, skr_api_waiter_t *waiter, char *peers)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    waiter->devices = calloc (skr_roster_count (roster), sizeof *waiter->devices);
    if (!waiter->devices) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    if (peers) {
        return note_named (self, waiter, peers);
    }
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        note_device (self, waiter, skr_roster_at (roster, i));
    }
    return SAKER_OK;
}

saker_err_t skr_api_wait (skr_api_request_t *request)
{
    skr_api_t *self = request->api;
    char peers[NAMES_BYTES_MAX];
    skr_api_waiter_t *waiter;
    bool named = skr_api_get_optional (&request->cbor, peers, sizeof peers);
    uint64_t timeout_ms = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    SKR_TRY (add_waiter (request, timeout_ms, &waiter));
    saker_err_t error = note_targets (self, waiter);
    error = error == SAKER_OK ? note_devices (self, waiter, named ? peers : NULL) : error;
    if (error != SAKER_OK) {
        request->later = false;
        drop_last (self);
    }
    return error;
}

/* ---- verify */

static bool is_chosen (const skr_api_waiter_t *waiter, const skr_collection_t *collection)
{
    return collection->clock.count
           && (!waiter->one || skr_id_equal (&waiter->collection, &collection->id));
}

/* Has a member told of a collection since the question? One that is linked must have been asked;
   of one that is heard through others, a beat will do. */
static bool has_told (skr_api_t *self, const skr_api_waiter_t *waiter, const uint8_t device[32],
                      const skr_reported_t *reported)
{
    skr_neighbour_t neighbour;
    self->neighbours.neighbour (self->neighbours.context, device, &neighbour);
    if (strcmp (neighbour.link, "self") == 0 || reported->asked_ms >= waiter->since_ms) {
        return true;
    }
    return strcmp (neighbour.link, "up") != 0 && reported->clock
           && reported->told_ms >= waiter->since_ms;
}

static bool all_told (skr_api_t *self, const skr_api_waiter_t *waiter)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (size_t k = 0; k < skr_replica_collections (self->replica); k++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, k);
        for (size_t i = 0; is_chosen (waiter, own) && i < skr_roster_count (roster); i++) {
            const uint8_t *device = skr_roster_at (roster, i)->device;
            skr_reported_t reported;
            self->neighbours.reported (self->neighbours.context, device, &own->id, &reported);
            if (!has_told (self, waiter, device, &reported)) {
                return false;
            }
        }
    }
    return true;
}

/* Asks, and asks again: a link may come up while we wait. */
static void ask_members (skr_api_t *self, skr_api_waiter_t *waiter)
{
    uint64_t now_ms = skr_api_mono (self);
    if (waiter->asked_ms && now_ms < waiter->asked_ms + ASK_AGAIN_MS) {
        return;
    }
    waiter->asked_ms = now_ms;
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        if (is_chosen (waiter, own)) {
            self->neighbours.ask (self->neighbours.context, &own->id);
        }
    }
}

typedef struct verdicts_t {
    skr_buf_t list;
    size_t count;
    bool differ, unreached;
} verdicts_t;

static void put_verdict (verdicts_t *verdicts, const skr_collection_t *own, const char *peer,
                         bool reached, bool same_clock, bool same_data,
                         const skr_fingerprint_t *fingerprint, uint64_t documents,
                         const skr_clock_t *clock)
{
    static const skr_clock_t nothing;
    uint8_t bytes[16];
    skr_buf_t *buf = &verdicts->list;
    clock = clock ? clock : &nothing;
    skr_fingerprint_bytes (fingerprint, bytes);
    skr_cbor_put_array (buf, 9);
    skr_api_put_text (buf, own->name);
    skr_api_put_text (buf, peer);
    skr_cbor_put_bool (buf, reached);
    skr_cbor_put_bool (buf, same_clock);
    skr_cbor_put_bool (buf, same_data);
    skr_cbor_put_bytes (buf, bytes, sizeof bytes);
    skr_cbor_put_uint (buf, documents);
    skr_cbor_put_uint (buf, skr_clock_missing (clock, &own->clock));
    skr_cbor_put_uint (buf, skr_clock_missing (&own->clock, clock));
    verdicts->count++;
    verdicts->unreached |= !reached;
    verdicts->differ |= reached && !(same_clock && same_data);
}

static void judge_member (skr_api_t *self, const skr_api_waiter_t *waiter, verdicts_t *verdicts,
                          const skr_collection_t *own, const skr_member_t *member)
{
    skr_reported_t reported;
    self->neighbours.reported (self->neighbours.context, member->device, &own->id, &reported);
    bool reached = reported.clock && has_told (self, waiter, member->device, &reported);
    bool same_clock = reached && skr_clock_equal (reported.clock, &own->clock);
    bool same_data =
        reached && skr_fingerprint_equal (&reported.fingerprint, &own->fingerprint);
    put_verdict (verdicts, own, member->name, reached, same_clock, same_data,
                 &reported.fingerprint, reported.documents, reported.clock);
}

static void judge (skr_api_t *self, const skr_api_waiter_t *waiter, verdicts_t *verdicts,
                   const skr_collection_t *own)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *own_device = skr_device_key (skr_replica_device (self->replica));
    put_verdict (verdicts, own, skr_replica_self (self->replica)->name, true, true, true,
                 &own->fingerprint, own->documents, &own->clock);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (memcmp (member->device, own_device, 32) != 0) {
            judge_member (self, waiter, verdicts, own, member);
        }
    }
}

static saker_err_t sum_up (const verdicts_t *verdicts)
{
    if (verdicts->differ) {
        return skr_fail (SAKER_EDIFFER, "peers differ: what is still on its way may be the reason; "
                                        "try again, or see `saker peers`");
    }
    if (verdicts->unreached) {
        return skr_fail (SAKER_EUNREACHABLE, "not every member answered: see `saker peers`");
    }
    return SAKER_OK;
}

/* True when it was answered. */
static bool look_at_verify (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    verdicts_t verdicts = {0};
    skr_buf_t results = {0};
    if (!late && !all_told (self, waiter)) {
        ask_members (self, waiter);
        return false;
    }
    for (size_t i = 0; i < skr_replica_collections (self->replica); i++) {
        const skr_collection_t *own = skr_replica_collection_at (self->replica, i);
        if (is_chosen (waiter, own)) {
            judge (self, waiter, &verdicts, own);
        }
    }
    skr_cbor_put_array (&results, verdicts.count);
    skr_buf_append_span (&results, skr_span_of (&verdicts.list));
    results.failed |= verdicts.list.failed;
    skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, sum_up (&verdicts),
                    &results, 1);
    skr_buf_free (&results);
    skr_buf_free (&verdicts.list);
    return true;
}

saker_err_t skr_api_verify (skr_api_request_t *request)
{
    skr_api_t *self = request->api;
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_collection_t *collection = NULL;
    skr_api_waiter_t *waiter;
    bool one = skr_api_get_optional (&request->cbor, name, sizeof name);
    uint64_t timeout_ms = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    if (one) {
        SKR_TRY (skr_replica_collection_named (self->replica, name, &collection));
    }
    SKR_TRY (add_waiter (request, timeout_ms, &waiter));
    waiter->one = one;
    if (one) {
        waiter->collection = collection->id;
    }
    ask_members (self, waiter);
    return SAKER_OK;
}

/* ---- looking at all */

static bool look_at (skr_api_t *self, skr_api_waiter_t *waiter, uint64_t now_ms)
{
    bool late = now_ms >= waiter->until_ms;
    if (waiter->command == SKR_COMMAND_WAIT) {
        return look_at_wait (self, waiter, late);
    }
    if (waiter->command == SKR_COMMAND_VERIFY) {
        return look_at_verify (self, waiter, late);
    }
    if (look_at_watch (self, waiter)) {
        return true;
    }
    if (late) {
        skr_api_answer (self, skr_span_of (&waiter->client), waiter->number,
                        skr_fail (SAKER_ETIMEOUT, "nothing new"), NULL, 0);
    }
    return late;
}

void skr_api_turn (skr_api_t *self)
{
    uint64_t now_ms = skr_api_mono (self);
    for (size_t i = self->waiters_count; i-- > 0;) {
        if (look_at (self, &self->waiters[i], now_ms)) {
            free_waiter (&self->waiters[i]);
            self->waiters[i] = self->waiters[--self->waiters_count];
        }
    }
}

uint64_t skr_api_deadline_ms (const skr_api_t *self)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < self->waiters_count; i++) {
        const skr_api_waiter_t *waiter = &self->waiters[i];
        uint64_t until_ms = waiter->until_ms;
        if (waiter->command == SKR_COMMAND_VERIFY && waiter->asked_ms + ASK_AGAIN_MS < until_ms) {
            until_ms = waiter->asked_ms + ASK_AGAIN_MS;
        }
        deadline = until_ms < deadline ? until_ms : deadline;
    }
    return deadline;
}
