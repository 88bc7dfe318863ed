/* Commands that are answered later: WATCH when something came, WAIT when everybody has what we
   wrote, WAIT_SEEN when what was seen elsewhere is here; and all of them when their time is up. */

#include "peer/api_waiter.h"
#include "peer/carrying.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_NAMES_MAX 4096
#define BEHIND_WORDS_BYTES 900

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

/* A collection that is not there, or not carried, may come; until then nothing happens in it. */
static saker_err_t read_feed (skr_api_t *self, skr_api_waiter_t *waiter, events_t *events)
{
    const skr_collection_t *collection = NULL;
    bool all = !waiter->collection[0];
    saker_err_t error = SAKER_OK;
    if (!all) {
        error = skr_api_readable (self->replica, waiter->collection, &collection);
    }
    if (error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED || error == SAKER_ENOTYET) {
        SKR_TRY (skr_feed_read (self->replica, NULL, &waiter->cursor, 0, visit_event, events));
        return skr_feed_now (self->replica, &waiter->cursor);
    }
    SKR_TRY (error);
    return skr_feed_read (self->replica, collection, &waiter->cursor, SKR_API_EVENT_CHANGES,
                          visit_event, events);
}

static bool look_feed (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
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
    return skr_api_answer_waiter (self, waiter, error, body);
}

static saker_err_t get_watch (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    bool named = skr_fields_has (&call->fields, 0);
    if (named) {
        skr_fields_text (&call->cbor, waiter->collection, sizeof waiter->collection);
    }
    skr_api_get_cursor (call, &waiter->cursor);
    skr_api_get_deadline (self, call, 3, SKR_API_WATCH_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return named && strcmp (waiter->collection, "@roster") != 0
               ? skr_collection_name_check (waiter->collection)
               : SAKER_OK;
}

saker_err_t skr_api_watch (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_feed);
    return waiter ? skr_api_add_waiter (self, call, waiter, get_watch (self, call, waiter))
                  : skr_api_no_memory ();
}

/* ---- WAIT */

static uint64_t reported_seq (skr_api_t *self, const uint8_t device[32], const skr_id_t *collection)
{
    skr_reported_t reported = {.clock = NULL};
    self->neighbours.reported (self->neighbours.context, device, collection, &reported);
    return reported.clock ? skr_clock_get (reported.clock, skr_replica_writer (self->replica)) : 0;
}

/* Who has no right in a collection, or does not carry it, gets nothing of it. */
static bool is_due (const skr_api_t *self, const skr_api_waited_t *member,
                    const skr_api_target_t *target)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    return skr_roster_role (roster, member->device, &target->collection) != SKR_ROLE_NONE
           && skr_roster_carries (roster, member->device, &target->collection);
}

/* What a member has reported once, it has for good: only what is open is looked at. */
static bool has_all (skr_api_t *self, const skr_api_waiter_t *waiter, skr_api_waited_t *member)
{
    while (member->reached < waiter->targets_count) {
        const skr_api_target_t *target = &waiter->targets[member->reached];
        if (is_due (self, member, target)
            && reported_seq (self, member->device, &target->collection) < target->seq) {
            return false;
        }
        member->reached++;
    }
    return true;
}

static uint64_t count_lacking (skr_api_t *self, const skr_api_waiter_t *waiter,
                               const skr_api_waited_t *member)
{
    uint64_t lacking = 0;
    for (size_t i = member->reached; i < waiter->targets_count; i++) {
        const skr_api_target_t *target = &waiter->targets[i];
        uint64_t seq = reported_seq (self, member->device, &target->collection);
        lacking += seq < target->seq && is_due (self, member, target) ? target->seq - seq : 0;
    }
    return lacking;
}

/* "bob is behind by 3 changes", "carol was never heard". */
static int say_behind (skr_api_t *self, const skr_api_waiter_t *waiter,
                       const skr_api_waited_t *member, char *words, size_t size)
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

static saker_err_t fail_late (skr_api_t *self, const skr_api_waiter_t *waiter)
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

static bool look_members (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    size_t open = 0;
    for (size_t i = 0; i < waiter->members_count; i++) {
        if (!has_all (self, waiter, &waiter->members[i])) {
            waiter->members[open++] = waiter->members[i];
        }
    }
    waiter->members_count = open;
    if (open > 0) {
        return late && skr_api_answer_waiter (self, waiter, fail_late (self, waiter), NULL);
    }
    skr_buf_clear (&self->body);
    skr_cbor_put_map (&self->body, 0);
    return skr_api_answer_waiter (self, waiter, SAKER_OK, &self->body);
}

/* Everything that our writer has written so far, in every collection. */
static saker_err_t set_targets (skr_api_t *self, skr_api_waiter_t *waiter)
{
    size_t all = skr_replica_collections (self->replica);
    waiter->targets = calloc (all + 1, sizeof *waiter->targets);
    if (!waiter->targets) {
        return skr_api_no_memory ();
    }
    for (size_t i = 0; i < all; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (self->replica, i);
        uint64_t seq = skr_clock_get (&collection->clock, skr_replica_writer (self->replica));
        if (seq > 0) {
            waiter->targets[waiter->targets_count++] = (skr_api_target_t){collection->id, seq};
        }
    }
    return SAKER_OK;
}

/* We have what we wrote. */
static void add_member (skr_api_t *self, skr_api_waiter_t *waiter, const skr_member_t *member)
{
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    if (memcmp (member->device, own, SKR_DEVICE_KEY_BYTES) != 0) {
        skr_api_waited_t *waited = &waiter->members[waiter->members_count++];
        memcpy (waited->device, member->device, sizeof waited->device);
        waited->reached = 0;
    }
}

static saker_err_t make_members (skr_api_waiter_t *waiter, size_t count)
{
    waiter->members = calloc (count + 1, sizeof *waiter->members);
    return waiter->members ? SAKER_OK : skr_api_no_memory ();
}

static saker_err_t get_named (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
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

static saker_err_t add_all (skr_api_t *self, skr_api_waiter_t *waiter)
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

static saker_err_t get_wait (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    SKR_TRY (skr_fields_has (&call->fields, 0) ? get_named (self, call, waiter)
                                               : add_all (self, waiter));
    skr_api_get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return set_targets (self, waiter);
}

saker_err_t skr_api_wait (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_members);
    return waiter ? skr_api_add_waiter (self, call, waiter, get_wait (self, call, waiter))
                  : skr_api_no_memory ();
}

/* ---- WAIT_SEEN */

static bool look_seen (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
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
    return skr_api_answer_waiter (self, waiter, error, &self->body);
}

static saker_err_t get_wait_seen (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    skr_fields_need (&call->fields, 0);
    skr_span_t text = skr_cbor_get_text (&call->cbor);
    skr_api_get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    SKR_TRY (skr_api_arguments_end (call));
    return skr_seen_parse (text, &waiter->seen);
}

saker_err_t skr_api_wait_seen (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_seen);
    return waiter ? skr_api_add_waiter (self, call, waiter, get_wait_seen (self, call, waiter))
                  : skr_api_no_memory ();
}
