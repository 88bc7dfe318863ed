/* Commands that are answered later: WATCH when something came, WAIT when everybody has what we
   wrote, VERIFY when everybody answered; and all of them when their time is up. */

#include "peer/api_internal.h"
#include "peer/partial.h"
#include "peer/seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_NAMES_MAX 4096
#define VERIFY_ROWS_MAX 2048 /* verdicts in one answer */
#define ASK_AGAIN_MS 500
#define AWAY_MS 10000
#define BEHIND_WORDS_BYTES 900

/* Looks at a waiter; true when it was answered. `late`: its time is up. */
typedef bool look_fn (skr_api_t *self, skr_waiter_t *waiter, bool late);

/* What one member must have of one collection: our changes up to seq. */
typedef struct target_t {
    skr_id_t collection;
    uint64_t seq;
} target_t;

/* A member that is waited for; it has the first `reached` targets. */
typedef struct waited_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    size_t reached;
} waited_t;

struct skr_waiter_t {
    look_fn *look;
    skr_buf_t client;
    uint64_t number;
    uint64_t deadline_ms;
    size_t bytes;

    /* WATCH */
    char collection[SKR_COLLECTION_BYTES_MAX + 1]; /* "": all */
    saker_cursor_t cursor;

    /* WAIT */
    target_t *targets;
    size_t targets_count;
    waited_t *members;
    size_t members_count;

    /* PING */
    uint8_t device[SKR_DEVICE_KEY_BYTES];

    /* WAIT_SEEN */
    skr_seen_t seen;

    /* VERIFY */
    skr_id_t *collections;
    size_t collections_count;
    size_t next; /* number of the first collection of the next request; 0: none */
    uint64_t start_ms, asked_ms;
};

/* ---- waiters */

static void free_waiter (skr_waiter_t *waiter)
{
    skr_buf_free (&waiter->client);
    skr_seen_free (&waiter->seen);
    free (waiter->targets);
    free (waiter->members);
    free (waiter->collections);
    free (waiter);
}

static void remove_waiter (skr_api_t *self, size_t index)
{
    self->waiters_bytes -= self->waiters[index]->bytes;
    free_waiter (self->waiters[index]);
    self->waiters[index] = self->waiters[--self->waiters_count];
}

void skr_api_forget_waiter (skr_api_t *self, skr_span_t client)
{
    for (size_t i = self->waiters_count; i-- > 0;) {
        if (skr_span_equal (skr_span_of (&self->waiters[i]->client), client)) {
            remove_waiter (self, i);
        }
    }
}

void skr_api_free_waiters (skr_api_t *self)
{
    while (self->waiters_count > 0) {
        remove_waiter (self, self->waiters_count - 1);
    }
}

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
}

/* Reads the time-out, under the given key. */
static void get_deadline (skr_api_t *self, skr_api_call_t *call, uint64_t key, uint64_t ms_max,
                          skr_waiter_t *waiter)
{
    skr_fields_need (&call->fields, key);
    uint64_t timeout_ms = skr_cbor_get_uint (&call->cbor);
    waiter->start_ms = skr_api_now_ms (self);
    waiter->deadline_ms = waiter->start_ms + (timeout_ms < ms_max ? timeout_ms : ms_max);
}

static saker_err_t check_room (skr_api_t *self)
{
    if (self->waiters_count < SKR_API_WAITERS_MAX
        && self->waiters_bytes <= SKR_API_WAITERS_BYTES_MAX) {
        return SAKER_OK;
    }
    self->full++;
    return skr_fail (SAKER_EBUSY,
                     "too many programs wait already (SKR_API_WAITERS_MAX is %d): try again",
                     SKR_API_WAITERS_MAX);
}

static skr_waiter_t *new_waiter (const skr_api_call_t *call, look_fn *look)
{
    skr_waiter_t *waiter = calloc (1, sizeof *waiter);
    if (waiter) {
        waiter->look = look;
        waiter->number = call->number;
        skr_buf_append_span (&waiter->client, call->client);
    }
    return waiter;
}

/* Takes ownership; it is looked at in this round's turn. */
static saker_err_t add_waiter (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter,
                               saker_err_t error)
{
    if (error == SAKER_OK && waiter->client.failed) {
        error = no_memory ();
    }
    if (error != SAKER_OK) {
        free_waiter (waiter);
        return error;
    }
    waiter->bytes = sizeof *waiter + waiter->client.capacity
                    + waiter->targets_count * sizeof *waiter->targets
                    + waiter->seen.clock.count * (sizeof (skr_tick_t) + sizeof (uint64_t))
                    + waiter->members_count * sizeof *waiter->members
                    + waiter->collections_count * sizeof *waiter->collections;
    self->waiters_bytes += waiter->bytes;
    self->waiters[self->waiters_count++] = waiter;
    call->when = SKR_API_DEFERRED;
    return SAKER_OK;
}

static bool answer_waiter (skr_api_t *self, const skr_waiter_t *waiter, saker_err_t error,
                           const skr_buf_t *body)
{
    static const skr_span_t nothing;
    if (error == SAKER_OK && body && body->failed) {
        error = no_memory ();
    }
    skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, error,
                    body ? skr_span_of (body) : nothing, skr_error ());
    return true;
}

void skr_api_turn (skr_api_t *self)
{
    uint64_t now_ms = self->waiters_count > 0 ? skr_api_now_ms (self) : 0;
    skr_api_backup_turn (self);
    skr_api_trend_turn (self);
    for (size_t i = self->waiters_count; i-- > 0;) {
        skr_waiter_t *waiter = self->waiters[i];
        if (waiter->look (self, waiter, now_ms >= waiter->deadline_ms)) {
            remove_waiter (self, i);
        }
    }
}

uint64_t skr_api_deadline_ms (const skr_api_t *self)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < self->waiters_count; i++) {
        const skr_waiter_t *waiter = self->waiters[i];
        uint64_t due_ms = waiter->deadline_ms;
        if (waiter->collections_count > 0 && waiter->asked_ms + ASK_AGAIN_MS < due_ms) {
            due_ms = waiter->asked_ms + ASK_AGAIN_MS;
        }
        deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
    }
    return deadline_ms;
}

/* ---- WATCH */

typedef struct events_t {
    skr_buf_t *buf;
    size_t count;
    uint64_t position; /* of the change whose events come */
} events_t;

/* Ends a page only between two changes, as the cursor does. */
static saker_err_t visit_event (const saker_event_t *event, void *argument)
{
    events_t *events = argument;
    if (events->buf->size >= SKR_API_PAGE_BYTES && event->position != events->position) {
        return SKR_STOP;
    }
    events->position = event->position;
    events->count++;
    skr_cbor_put_array (events->buf, 7);
    skr_cbor_put_uint (events->buf, event->position);
    skr_api_put_text (events->buf, event->collection);
    skr_api_put_text (events->buf, event->document);
    skr_api_put_text (events->buf, event->author);
    skr_cbor_put_bytes (events->buf, event->writer, sizeof event->writer);
    skr_cbor_put_uint (events->buf, event->seq);
    skr_cbor_put_uint (events->buf, event->time_ms);
    return SAKER_OK;
}

/* A collection that is not there yet may come; until then nothing happens in it. */
static saker_err_t read_feed (skr_api_t *self, skr_waiter_t *waiter, events_t *events)
{
    const skr_collection_t *collection = NULL;
    bool all = !waiter->collection[0];
    saker_err_t error = SAKER_OK;
    if (!all) {
        error = skr_api_readable (self->replica, waiter->collection, &collection);
    }
    if (error == SAKER_ENOTFOUND) {
        SKR_TRY (skr_feed_read (self->replica, NULL, &waiter->cursor, 0, visit_event, events));
        return skr_feed_now (self->replica, &waiter->cursor);
    }
    SKR_TRY (error);
    return skr_feed_read (self->replica, collection, &waiter->cursor, SKR_API_EVENT_CHANGES,
                          visit_event, events);
}

static bool look_feed (skr_api_t *self, skr_waiter_t *waiter, bool late)
{
    saker_cursor_t now;
    skr_buf_t *body = &self->body;
    events_t events = {.buf = skr_api_scratch (self)};
    saker_err_t error = skr_feed_now (self->replica, &now);
    bool moved = error != SAKER_OK || memcmp (now.epoch, waiter->cursor.epoch, 16) != 0
                 || now.position != waiter->cursor.position;
    if (!moved && !late) {
        return false; /* the common case: nothing was applied since the last look */
    }
    if (error == SAKER_OK) {
        error = read_feed (self, waiter, &events);
    }
    if (error == SAKER_OK && events.count == 0 && !late) {
        return false;
    }
    skr_buf_clear (body);
    skr_cbor_put_map (body, 2);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, events.count);
    skr_buf_append_span (body, skr_span_of (events.buf));
    skr_cbor_put_uint (body, 1);
    skr_cbor_put_uint (body, waiter->cursor.position);
    body->failed = body->failed || events.buf->failed;
    return answer_waiter (self, waiter, error, body);
}

static saker_err_t get_watch (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    bool named = skr_fields_has (&call->fields, 0);
    if (named) {
        skr_fields_text (&call->cbor, waiter->collection, sizeof waiter->collection);
    }
    skr_api_get_cursor (call, &waiter->cursor);
    get_deadline (self, call, 3, SKR_API_WATCH_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return named && strcmp (waiter->collection, "@roster") != 0
               ? skr_collection_name_check (waiter->collection)
               : SAKER_OK;
}

saker_err_t skr_api_watch (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (check_room (self));
    skr_waiter_t *waiter = new_waiter (call, look_feed);
    return waiter ? add_waiter (self, call, waiter, get_watch (self, call, waiter)) : no_memory ();
}

/* ---- WAIT */

static uint64_t reported_seq (skr_api_t *self, const uint8_t device[32], const skr_id_t *collection)
{
    skr_reported_t reported = {.clock = NULL};
    self->neighbours.reported (self->neighbours.context, device, collection, &reported);
    return reported.clock ? skr_clock_get (reported.clock, skr_replica_writer (self->replica)) : 0;
}

/* Who has no right in a collection gets nothing of it. */
static bool is_due (const skr_api_t *self, const waited_t *member, const target_t *target)
{
    return skr_roster_role (skr_replica_roster (self->replica), member->device, &target->collection)
           != SKR_ROLE_NONE;
}

/* What a member has reported once, it has for good: only what is open is looked at. */
static bool has_all (skr_api_t *self, const skr_waiter_t *waiter, waited_t *member)
{
    while (member->reached < waiter->targets_count) {
        const target_t *target = &waiter->targets[member->reached];
        if (is_due (self, member, target)
            && reported_seq (self, member->device, &target->collection) < target->seq) {
            return false;
        }
        member->reached++;
    }
    return true;
}

static uint64_t count_lacking (skr_api_t *self, const skr_waiter_t *waiter, const waited_t *member)
{
    uint64_t lacking = 0;
    for (size_t i = member->reached; i < waiter->targets_count; i++) {
        const target_t *target = &waiter->targets[i];
        uint64_t seq = reported_seq (self, member->device, &target->collection);
        lacking += seq < target->seq && is_due (self, member, target) ? target->seq - seq : 0;
    }
    return lacking;
}

/* "bob is behind by 3 changes", "carol was never heard". */
static int say_behind (skr_api_t *self, const skr_waiter_t *waiter, const waited_t *member,
                       char *words, size_t size)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_member_t *found = skr_roster_by_device (roster, member->device);
    skr_neighbour_t neighbour = {.seen_ms = -1};
    self->neighbours.neighbour (self->neighbours.context, member->device, &neighbour);
    uint64_t lacking = count_lacking (self, waiter, member);
    const char *name = found ? found->name : "a former member";
    return neighbour.seen_ms < 0 ? snprintf (words, size, "%s was never heard", name)
                                 : snprintf (words, size, "%s is behind by %llu change%s", name,
                                             (unsigned long long) lacking, lacking == 1 ? "" : "s");
}

static saker_err_t fail_late (skr_api_t *self, const skr_waiter_t *waiter)
{
    char words[BEHIND_WORDS_BYTES] = "";
    size_t used = 0, told = 0;
    for (; told < waiter->members_count && used < sizeof words - 200; told++) {
        int size =
            say_behind (self, waiter, &waiter->members[told], words + used, sizeof words - used);
        used += size > 0 ? (size_t) size : 0;
        if (told + 1 < waiter->members_count && used + 3 < sizeof words) {
            memcpy (words + used, ", ", 3);
            used += 2;
        }
    }
    return told < waiter->members_count
               ? skr_fail (SAKER_ETIMEOUT, "%sand %zu more", words, waiter->members_count - told)
               : skr_fail (SAKER_ETIMEOUT, "%s", words);
}

static bool look_members (skr_api_t *self, skr_waiter_t *waiter, bool late)
{
    size_t open = 0;
    for (size_t i = 0; i < waiter->members_count; i++) {
        if (!has_all (self, waiter, &waiter->members[i])) {
            waiter->members[open++] = waiter->members[i];
        }
    }
    waiter->members_count = open;
    if (open > 0) {
        return late && answer_waiter (self, waiter, fail_late (self, waiter), NULL);
    }
    skr_buf_clear (&self->body);
    skr_cbor_put_map (&self->body, 0);
    return answer_waiter (self, waiter, SAKER_OK, &self->body);
}

/* Everything that our writer has written so far, in every collection. */
static saker_err_t set_targets (skr_api_t *self, skr_waiter_t *waiter)
{
    size_t all = skr_replica_collections (self->replica);
    waiter->targets = calloc (all + 1, sizeof *waiter->targets);
    if (!waiter->targets) {
        return no_memory ();
    }
    for (size_t i = 0; i < all; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        uint64_t seq = skr_clock_get (&collection->clock, skr_replica_writer (self->replica));
        if (seq > 0) {
            waiter->targets[waiter->targets_count++] = (target_t){collection->id, seq};
        }
    }
    return SAKER_OK;
}

/* We have what we wrote. */
static void add_member (skr_api_t *self, skr_waiter_t *waiter, const skr_member_t *member)
{
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0) {
        waited_t *waited = &waiter->members[waiter->members_count++];
        memcpy (waited->device, member->device, sizeof waited->device);
        waited->reached = 0;
    }
}

static saker_err_t make_members (skr_waiter_t *waiter, size_t count)
{
    waiter->members = calloc (count + 1, sizeof *waiter->members);
    return waiter->members ? SAKER_OK : no_memory ();
}

static saker_err_t get_named (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    size_t count = skr_cbor_get_array (&call->cbor, WAIT_NAMES_MAX);
    SKR_TRY (make_members (waiter, count));
    for (size_t i = 0; i < count && call->cbor.error == SAKER_OK; i++) {
        char name[SKR_NAME_BYTES_MAX + 1];
        const skr_member_t *member = NULL;
        skr_fields_text (&call->cbor, name, sizeof name);
        if (call->cbor.error == SAKER_OK) {
            SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), name, &member));
            add_member (self, waiter, member);
        }
    }
    return SAKER_OK;
}

static saker_err_t add_all (skr_api_t *self, skr_waiter_t *waiter)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    SKR_TRY (make_members (waiter, skr_roster_count (roster)));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        if (skr_roster_awaits (roster, skr_roster_at (roster, i))) {
            add_member (self, waiter, skr_roster_at (roster, i));
        }
    }
    return SAKER_OK;
}

static saker_err_t get_wait (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    SKR_TRY (skr_fields_has (&call->fields, 0) ? get_named (self, call, waiter)
                                               : add_all (self, waiter));
    get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return set_targets (self, waiter);
}

saker_err_t skr_api_wait (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (check_room (self));
    skr_waiter_t *waiter = new_waiter (call, look_members);
    return waiter ? add_waiter (self, call, waiter, get_wait (self, call, waiter)) : no_memory ();
}

/* ---- WAIT_SEEN */

static bool look_seen (skr_api_t *self, skr_waiter_t *waiter, bool late)
{
    uint64_t missing = 0;
    if (!skr_store_settled (skr_replica_store (self->replica)) && !late) {
        return false;
    }
    saker_err_t error = skr_seen_look (self->replica, &waiter->seen, &missing);
    if (error == SAKER_OK && missing > 0) {
        error = skr_fail (SAKER_ETIMEOUT,
                          "%llu change%s of %s that were seen are not here yet: saker links shows "
                          "who is linked",
                          (unsigned long long) missing, missing == 1 ? "" : "s", waiter->seen.name);
    }
    if (error == SAKER_ETIMEOUT && !late) {
        return false;
    }
    skr_buf_clear (&self->body);
    skr_cbor_put_map (&self->body, 0);
    return answer_waiter (self, waiter, error, &self->body);
}

static saker_err_t get_wait_seen (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    skr_fields_need (&call->fields, 0);
    skr_span_t text = skr_cbor_get_text (&call->cbor);
    get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return skr_seen_parse (text, &waiter->seen);
}

saker_err_t skr_api_wait_seen (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (check_room (self));
    skr_waiter_t *waiter = new_waiter (call, look_seen);
    return waiter ? add_waiter (self, call, waiter, get_wait_seen (self, call, waiter))
                  : no_memory ();
}

/* ---- VERIFY */

static void ask (skr_api_t *self, skr_waiter_t *waiter)
{
    waiter->asked_ms = skr_api_now_ms (self);
    for (size_t i = 0; i < waiter->collections_count; i++) {
        self->neighbours.ask (self->neighbours.context, &waiter->collections[i]);
    }
}

/* Does one of us carry a part of it alone? Who only relays has no documents to compare. */
static bool is_partial (const skr_api_t *self, const skr_member_t *member,
                        const skr_id_t *collection, const skr_reported_t *theirs)
{
    const skr_collection_t *ours = skr_replica_collection (self->replica, collection);
    bool both_read =
        ours && !ours->sealed
        && skr_roster_role (skr_replica_roster (self->replica), member->device, collection)
               >= SKR_ROLE_READ;
    return both_read
           && (skr_partial_of (self->replica, collection)->carried.partial
               || (theirs->part && theirs->part->partial));
}

/* Has the member told of the collection since the request came? Of one that we have no link to, a
   beat that others passed on will do. */
static bool has_told (skr_api_t *self, const skr_waiter_t *waiter, const skr_member_t *member,
                      const skr_id_t *collection, skr_reported_t *reported)
{
    skr_neighbour_t neighbour;
    memset (reported, 0, sizeof *reported);
    skr_api_neighbour (self, member, &neighbour);
    self->neighbours.reported (self->neighbours.context, member->device, collection, reported);
    if (!reported->clock) {
        return false;
    }
    bool linked = strcmp (neighbour.link, "up") == 0;
    if (linked && !reported->asked && is_partial (self, member, collection, reported)) {
        return false; /* not yet of what both carry */
    }
    return reported->asked_ms >= waiter->start_ms
           || (!linked && reported->told_ms >= waiter->start_ms);
}

/* Nobody waits for machines that have been away for long; but just after the start, links may come
   up yet. */
static bool is_expected (skr_api_t *self, const skr_member_t *member)
{
    skr_neighbour_t neighbour;
    skr_api_neighbour (self, member, &neighbour);
    bool linked = strcmp (neighbour.link, "up") == 0 || strcmp (neighbour.link, "slow") == 0;
    bool lately = neighbour.seen_ms >= 0 && neighbour.seen_ms < AWAY_MS;
    return linked || lately || skr_api_now_ms (self) < self->since_ms + AWAY_MS;
}

static bool all_told (skr_api_t *self, const skr_waiter_t *waiter)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_reported_t reported;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        bool expected = skr_roster_awaits (roster, member) && !skr_api_is_own (self, member)
                        && is_expected (self, member);
        for (size_t at = 0; expected && at < waiter->collections_count; at++) {
            if (!has_told (self, waiter, member, &waiter->collections[at], &reported)) {
                return false;
            }
        }
    }
    return true;
}

/* Collection and peer, the first two of a verdict's eleven. */
static void begin_verdict (skr_buf_t *rows, const skr_collection_t *ours,
                           const skr_member_t *member)
{
    char text[64];
    skr_cbor_put_array (rows, 11);
    skr_api_put_text (rows, skr_api_collection_name (ours, text));
    skr_api_put_text (rows, member->name);
}

/* The part in words, and whether its documents were compared. */
static void end_verdict (skr_buf_t *rows, const skr_part_t *part, bool compared)
{
    char words[SKR_PART_WORDS_BYTES];
    skr_api_put_text (rows, part && part->partial ? skr_part_words (part, words) : "");
    skr_cbor_put_bool (rows, compared);
}

/* What is here of a part, added up anew, is what it should be: damage does not hide behind what was
   noted of it. */
static bool adds_up (skr_api_t *self, const skr_collection_t *ours, const skr_part_t *part,
                     const skr_fingerprint_t *fingerprint)
{
    skr_part_sum_t sum = {.any = false};
    saker_err_t error = skr_part_copy (&sum.part, part);
    error = error ? error : skr_partial_sum (self->replica, ours, &sum);
    skr_part_free (&sum.part);
    return error == SAKER_OK && skr_fingerprint_equal (&sum.fingerprint, fingerprint);
}

static void put_own (skr_api_t *self, skr_buf_t *rows, const skr_collection_t *ours,
                     const skr_member_t *member)
{
    const skr_partial_t *partial = skr_partial_of (self->replica, &ours->id);
    bool added = partial->carried.partial && !partial->removing && !ours->sealed;
    begin_verdict (rows, ours, member);
    skr_cbor_put_bool (rows, true);
    skr_cbor_put_bool (rows, true);
    skr_cbor_put_bool (rows, !added || adds_up (self, ours, &partial->carried, &ours->fingerprint));
    skr_api_put_fingerprint (rows, &ours->fingerprint);
    skr_cbor_put_uint (rows, ours->documents);
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_uint (rows, 0);
    end_verdict (rows, &partial->carried, true);
}

static void put_absent (skr_buf_t *rows, const skr_collection_t *ours, const skr_member_t *member)
{
    begin_verdict (rows, ours, member);
    skr_cbor_put_bool (rows, false);
    skr_cbor_put_bool (rows, false);
    skr_cbor_put_bool (rows, false);
    skr_api_put_text (rows, "");
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_uint (rows, 0);
    end_verdict (rows, NULL, false);
}

/* Who only relays has the log alone: it is equal when that is. Of who carries another part than we,
   what both carry is compared. */
static void put_verdict (skr_api_t *self, skr_buf_t *rows, const skr_collection_t *ours,
                         const skr_member_t *member, const skr_reported_t *theirs, bool reads)
{
    bool same = skr_clock_equal (&ours->clock, theirs->clock);
    bool partial = is_partial (self, member, &ours->id, theirs);
    bool compared = reads && !ours->sealed && (!partial || theirs->asked);
    begin_verdict (rows, ours, member);
    skr_cbor_put_bool (rows, true);
    skr_cbor_put_bool (rows, same);
    skr_cbor_put_bool (
        rows, !compared  ? same
              : !partial ? skr_fingerprint_equal (&ours->fingerprint, &theirs->fingerprint)
                         : adds_up (self, ours, &theirs->asked->part, &theirs->asked->fingerprint));
    skr_api_put_fingerprint (rows, &theirs->fingerprint);
    skr_cbor_put_uint (rows, theirs->documents);
    skr_cbor_put_uint (rows, skr_clock_missing (theirs->clock, &ours->clock));
    skr_cbor_put_uint (rows, skr_clock_missing (&ours->clock, theirs->clock));
    end_verdict (rows, theirs->part, compared);
}

/* Our own verdict first, then the others'; returns their number. */
static size_t put_verdicts (skr_api_t *self, const skr_waiter_t *waiter,
                            const skr_collection_t *ours, skr_buf_t *rows)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_reported_t theirs;
    size_t count = 1;
    put_own (self, rows, ours, skr_replica_self (self->replica));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_role_t role = skr_roster_role (roster, member->device, &ours->id);
        if (skr_api_is_own (self, member) || !skr_roster_awaits (roster, member) || !role) {
            continue;
        }
        count++;
        if (has_told (self, waiter, member, &ours->id, &theirs)) {
            put_verdict (self, rows, ours, member, &theirs, role >= SKR_ROLE_READ);
        } else {
            put_absent (rows, ours, member);
        }
    }
    return count;
}

static bool look_answers (skr_api_t *self, skr_waiter_t *waiter, bool late)
{
    skr_buf_t *body = &self->body, *rows = skr_api_scratch (self);
    size_t count = 0;
    if (!late && !all_told (self, waiter)) {
        /* An earlier question may have been on its way already: its answer does not count. */
        if (skr_api_now_ms (self) >= waiter->asked_ms + ASK_AGAIN_MS) {
            ask (self, waiter);
        }
        return false;
    }
    for (size_t i = 0; i < waiter->collections_count; i++) {
        const skr_collection_t *ours =
            skr_replica_collection (self->replica, &waiter->collections[i]);
        count += ours ? put_verdicts (self, waiter, ours, rows) : 0;
    }
    skr_buf_clear (body);
    skr_cbor_put_map (body, waiter->next ? 2 : 1);
    skr_cbor_put_uint (body, 0);
    skr_cbor_put_array (body, count);
    skr_buf_append_span (body, skr_span_of (rows));
    if (waiter->next) {
        skr_cbor_put_uint (body, 1);
        skr_cbor_put_uint (body, waiter->next);
    }
    body->failed = body->failed || rows->failed;
    return answer_waiter (self, waiter, SAKER_OK, body);
}

/* As many as fit one answer, from number `from` on. */
static saker_err_t set_collections (skr_api_t *self, skr_waiter_t *waiter, uint64_t from)
{
    size_t all = skr_replica_collections (self->replica);
    size_t members = skr_roster_count (skr_replica_roster (self->replica));
    size_t count_max = VERIFY_ROWS_MAX / (members + 1);
    count_max = count_max < 1                            ? 1
                : count_max > SKR_API_VERIFY_COLLECTIONS ? SKR_API_VERIFY_COLLECTIONS
                                                         : count_max;
    waiter->collections = calloc (count_max, sizeof *waiter->collections);
    if (!waiter->collections) {
        return no_memory ();
    }
    size_t index = from < all ? (size_t) from : all;
    while (index < all && waiter->collections_count < count_max) {
        waiter->collections[waiter->collections_count++] =
            skr_replica_collection_at (self->replica, index++)->id;
    }
    waiter->next = index < all ? index : 0;
    return SAKER_OK;
}

static saker_err_t set_collection (skr_api_t *self, skr_waiter_t *waiter, const char *name)
{
    const skr_collection_t *collection;
    SKR_TRY (skr_replica_collection_named (self->replica, name, &collection));
    waiter->collections = calloc (1, sizeof *waiter->collections);
    if (!waiter->collections) {
        return no_memory ();
    }
    waiter->collections[waiter->collections_count++] = collection->id;
    return SAKER_OK;
}

static saker_err_t get_verify (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    bool named = skr_fields_has (&call->fields, 0);
    if (named) {
        skr_fields_text (&call->cbor, name, sizeof name);
    }
    get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    skr_fields_need (&call->fields, 2);
    uint64_t from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    return named ? set_collection (self, waiter, name) : set_collections (self, waiter, from);
}

saker_err_t skr_api_verify (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (check_room (self));
    skr_waiter_t *waiter = new_waiter (call, look_answers);
    if (!waiter) {
        return no_memory ();
    }
    saker_err_t error = get_verify (self, call, waiter);
    if (error == SAKER_OK) {
        ask (self, waiter);
    }
    return add_waiter (self, call, waiter, error);
}

/* ---- PING */

static saker_err_t fail_ping (const skr_member_t *member, const skr_neighbour_t *neighbour)
{
    bool up = strcmp (neighbour->link, "up") == 0;
    return up ? skr_fail (SAKER_ETIMEOUT,
                          "%s is linked, but did not answer in time: it is busy, or the path loses "
                          "what it should carry; saker links shows its time-outs",
                          member->name)
              : skr_fail (SAKER_EUNREACHABLE,
                          "there is no link to %s (%s): try the path with saker dial %s, and see "
                          "whether sakerd runs there",
                          member->name, neighbour->link,
                          *neighbour->address ? neighbour->address : "ADDR");
}

static bool look_pong (skr_api_t *self, skr_waiter_t *waiter, bool late)
{
    static const skr_id_t roster;
    const skr_member_t *member =
        skr_roster_by_device (skr_replica_roster (self->replica), waiter->device);
    skr_reported_t reported = {.clock = NULL};
    skr_neighbour_t neighbour;
    char id[17];
    if (!member) {
        return answer_waiter (self, waiter, skr_fail (SAKER_ENOTFOUND, "it is no member any more"),
                              NULL);
    }
    skr_api_neighbour (self, member, &neighbour);
    self->neighbours.reported (self->neighbours.context, member->device, &roster, &reported);
    if (reported.asked_ms < waiter->start_ms) {
        bool gone = !neighbour.greeted;
        return (late || gone) && answer_waiter (self, waiter, fail_ping (member, &neighbour), NULL);
    }
    skr_device_text (member->device, id);
    skr_buf_clear (&self->body);
    skr_cbor_put_map (&self->body, 4);
    skr_cbor_put_uint (&self->body, 0);
    skr_api_put_text (&self->body, member->name);
    skr_cbor_put_uint (&self->body, 1);
    skr_api_put_text (&self->body, id);
    skr_cbor_put_uint (&self->body, 2);
    skr_api_put_text (&self->body, neighbour.address);
    skr_cbor_put_uint (&self->body, 3);
    skr_cbor_put_int (&self->body, (int64_t) (skr_api_now_ms (self) - reported.asked_ms) * 1000);
    return answer_waiter (self, waiter, SAKER_OK, &self->body);
}

static saker_err_t get_ping (skr_api_t *self, skr_api_call_t *call, skr_waiter_t *waiter)
{
    static const skr_id_t roster;
    char name[SKR_NAME_BYTES_MAX + 1];
    const skr_member_t *member;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, name, sizeof name);
    get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), name, &member));
    if (skr_api_is_own (self, member)) {
        return skr_fail (SAKER_EUSAGE, "%s is this peer itself: name another member", member->name);
    }
    memcpy (waiter->device, member->device, sizeof waiter->device);
    self->neighbours.ask_one (self->neighbours.context, member->device, &roster);
    return SAKER_OK;
}

saker_err_t skr_api_ping (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (check_room (self));
    skr_waiter_t *waiter = new_waiter (call, look_pong);
    return waiter ? add_waiter (self, call, waiter, get_ping (self, call, waiter)) : no_memory ();
}
