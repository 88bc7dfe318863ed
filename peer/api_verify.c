/* Commands that ask others, and are answered when these have: VERIFY, PING, COMPARE; or when their
   time is up. */

#include "peer/api_waiter.h"
#include "peer/carrying.h"
#include "peer/partial.h"
#include "peer/ranging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_ROWS_MAX 2048 /* verdicts in one answer */
#define AWAY_MS 10000

/* ---- VERIFY */

static void ask (skr_api_t *self, skr_api_waiter_t *waiter)
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
static bool has_told (skr_api_t *self, const skr_api_waiter_t *waiter, const skr_member_t *member,
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

static bool all_told (skr_api_t *self, const skr_api_waiter_t *waiter)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    skr_reported_t reported;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        bool expected = skr_roster_awaits (roster, member) && !skr_api_is_own (self, member)
                        && is_expected (self, member);
        for (size_t at = 0; expected && at < waiter->collections_count; at++) {
            if (skr_roster_carries (roster, member->device, &waiter->collections[at])
                && !has_told (self, waiter, member, &waiter->collections[at], &reported)) {
                return false;
            }
        }
    }
    return true;
}

/* Collection and peer, the first two of a verdict's twelve. */
static void begin_verdict (skr_buf_t *rows, const skr_collection_t *ours,
                           const skr_member_t *member)
{
    char text[64];
    skr_cbor_put_array (rows, 12);
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
    skr_cbor_put_bool (rows, true);
    end_verdict (rows, &partial->carried, true);
}

/* Not reached; or, where it does not carry the collection, not asked. */
static void put_absent (skr_buf_t *rows, const skr_collection_t *ours, const skr_member_t *member,
                        bool carries)
{
    begin_verdict (rows, ours, member);
    skr_cbor_put_bool (rows, false);
    skr_cbor_put_bool (rows, false);
    skr_cbor_put_bool (rows, false);
    skr_api_put_text (rows, "");
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_uint (rows, 0);
    skr_cbor_put_bool (rows, carries);
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
    skr_cbor_put_bool (rows, true);
    end_verdict (rows, theirs->part, compared);
}

/* Our own verdict first, then the others'; returns their number. */
static size_t put_verdicts (skr_api_t *self, const skr_api_waiter_t *waiter,
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
        bool carries = skr_roster_carries (roster, member->device, &ours->id);
        count++;
        if (carries && has_told (self, waiter, member, &ours->id, &theirs)) {
            put_verdict (self, rows, ours, member, &theirs, role >= SKR_ROLE_READ);
        } else {
            put_absent (rows, ours, member, carries);
        }
    }
    return count;
}

static bool look_answers (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    skr_buf_t *body = &self->body, *rows = skr_api_scratch (self);
    size_t count = 0;
    if (!late && !all_told (self, waiter)) {
        /* An earlier question may have been on its way already: its answer does not count. */
        if (skr_api_now_ms (self) >= waiter->asked_ms + SKR_API_ASK_AGAIN_MS) {
            ask (self, waiter);
        }
        return false;
    }
    for (size_t i = 0; i < waiter->collections_count; i++) {
        const skr_collection_t *ours =
            skr_replica_collection (self->replica, &waiter->collections[i]);
        count += ours && skr_carrying (self->replica, &ours->id)
                     ? put_verdicts (self, waiter, ours, rows)
                     : 0;
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
    return skr_api_answer_waiter (self, waiter, SAKER_OK, body);
}

/* As many as fit one answer, from number `from` on. */
static saker_err_t set_collections (skr_api_t *self, skr_api_waiter_t *waiter, uint64_t from)
{
    size_t all = skr_replica_collections (self->replica);
    size_t members = skr_roster_count (skr_replica_roster (self->replica));
    size_t count_max = VERIFY_ROWS_MAX / (members + 1);
    count_max = count_max < 1                            ? 1
                : count_max > SKR_API_VERIFY_COLLECTIONS ? SKR_API_VERIFY_COLLECTIONS
                                                         : count_max;
    waiter->collections = calloc (count_max, sizeof *waiter->collections);
    if (!waiter->collections) {
        return skr_api_no_memory ();
    }
    size_t index = from < all ? (size_t) from : all;
    while (index < all && waiter->collections_count < count_max) {
        waiter->collections[waiter->collections_count++] =
            skr_replica_collection_at (self->replica, index++)->id;
    }
    waiter->next = index < all ? index : 0;
    return SAKER_OK;
}

static saker_err_t set_collection (skr_api_t *self, skr_api_waiter_t *waiter, const char *name)
{
    const skr_collection_t *collection;
    SKR_TRY (skr_api_carried (self->replica, name, &collection));
    waiter->collections = calloc (1, sizeof *waiter->collections);
    if (!waiter->collections) {
        return skr_api_no_memory ();
    }
    waiter->collections[waiter->collections_count++] = collection->id;
    return SAKER_OK;
}

static saker_err_t get_verify (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    char name[SKR_COLLECTION_BYTES_MAX + 1];
    bool named = skr_fields_has (&call->fields, 0);
    if (named) {
        skr_fields_text (&call->cbor, name, sizeof name);
    }
    skr_api_get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
    skr_fields_need (&call->fields, 2);
    uint64_t from = skr_cbor_get_uint (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    return named ? set_collection (self, waiter, name) : set_collections (self, waiter, from);
}

saker_err_t skr_api_verify (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_answers);
    if (!waiter) {
        return skr_api_no_memory ();
    }
    saker_err_t error = get_verify (self, call, waiter);
    if (error == SAKER_OK) {
        ask (self, waiter);
    }
    return skr_api_add_waiter (self, call, waiter, error);
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

static bool look_pong (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    static const skr_id_t roster;
    const skr_member_t *member =
        skr_roster_by_device (skr_replica_roster (self->replica), waiter->device);
    skr_reported_t reported = {.clock = NULL};
    skr_neighbour_t neighbour;
    char id[17];
    if (!member) {
        return skr_api_answer_waiter (self, waiter,
                                      skr_fail (SAKER_ENOTFOUND, "it is no member any more"), NULL);
    }
    skr_api_neighbour (self, member, &neighbour);
    self->neighbours.reported (self->neighbours.context, member->device, &roster, &reported);
    if (reported.asked_ms < waiter->start_ms) {
        bool gone = !neighbour.greeted;
        return (late || gone)
               && skr_api_answer_waiter (self, waiter, fail_ping (member, &neighbour), NULL);
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
    skr_cbor_put_int (&self->body, (int64_t) reported.rtt_us);
    return skr_api_answer_waiter (self, waiter, SAKER_OK, &self->body);
}

static saker_err_t get_ping (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    static const skr_id_t roster;
    char name[SKR_NAME_BYTES_MAX + 1];
    const skr_member_t *member;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, name, sizeof name);
    skr_api_get_deadline (self, call, 1, SKR_API_WAIT_MS_MAX, waiter);
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
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_pong);
    return waiter ? skr_api_add_waiter (self, call, waiter, get_ping (self, call, waiter))
                  : skr_api_no_memory ();
}

/* ---- COMPARE */

static bool fail_compare (skr_api_t *self, skr_api_waiter_t *waiter)
{
    return skr_api_answer_waiter (
        self, waiter,
        skr_fail (SAKER_EUNREACHABLE,
                  "it did not tell what it holds: it is not linked, may not tell "
                  "this device, or runs an earlier version"),
        NULL);
}

/* Ours is added up when theirs has come: as near as can be to one moment. */
static bool look_range (skr_api_t *self, skr_api_waiter_t *waiter, bool late)
{
    skr_span_t theirs = skr_span (NULL, 0);
    void *context = self->neighbours.context;
    const skr_collection_t *ours = skr_replica_collection (self->replica, &waiter->collections[0]);
    if (!waiter->asked) {
        waiter->asked = self->neighbours.range (context, waiter->device, &waiter->collections[0],
                                                skr_span_of (&waiter->from),
                                                skr_span_of (&waiter->to), waiter->detail);
        return late && fail_compare (self, waiter);
    }
    bool coming = self->neighbours.ranged (context, waiter->device, &theirs);
    if (!ours || !coming || (late && !theirs.size)) {
        return fail_compare (self, waiter);
    }
    if (!theirs.size) {
        return false;
    }
    skr_buf_clear (&self->body);
    skr_cbor_put_map (&self->body, 2);
    skr_cbor_put_uint (&self->body, 0);
    saker_err_t error =
        skr_range_put (self->replica, ours, skr_span_of (&waiter->from), skr_span_of (&waiter->to),
                       waiter->detail, &self->body, NULL);
    skr_cbor_put_uint (&self->body, 1);
    skr_buf_append_span (&self->body, theirs);
    return skr_api_answer_waiter (self, waiter, error, error == SAKER_OK ? &self->body : NULL);
}

static void get_id (skr_api_call_t *call, uint64_t key, skr_buf_t *id)
{
    skr_fields_need (&call->fields, key);
    skr_span_t text = skr_cbor_get_text (&call->cbor);
    if (text.size > SKR_DOCUMENT_BYTES_MAX) {
        skr_cbor_reject (&call->cbor, "an id of a document is longer than is allowed");
        return;
    }
    skr_buf_append_span (id, text);
}

static saker_err_t get_compare (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter)
{
    char peer[SKR_NAME_BYTES_MAX + 1], name[SKR_COLLECTION_BYTES_MAX + 1];
    const skr_member_t *member;
    const skr_collection_t *collection;
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, peer, sizeof peer);
    skr_fields_need (&call->fields, 1);
    skr_fields_text (&call->cbor, name, sizeof name);
    skr_api_get_deadline (self, call, 2, SKR_API_WAIT_MS_MAX, waiter);
    get_id (call, 3, &waiter->from);
    get_id (call, 4, &waiter->to);
    skr_fields_need (&call->fields, 5);
    waiter->detail = skr_cbor_get_bool (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), peer, &member));
    SKR_TRY (skr_replica_collection_named (self->replica, name, &collection));
    if (skr_api_is_own (self, member)) {
        return skr_fail (SAKER_EUSAGE, "%s is this peer itself: name another member", member->name);
    }
    if (collection->sealed || skr_id_is_zero (&collection->id)) {
        return skr_fail (SAKER_ERIGHT, "%s is not compared: it is sealed here, or the roster",
                         name);
    }
    memcpy (waiter->device, member->device, sizeof waiter->device);
    waiter->collections = malloc (sizeof *waiter->collections);
    if (!waiter->collections || waiter->from.failed || waiter->to.failed) {
        return skr_api_no_memory ();
    }
    waiter->collections[0] = collection->id;
    waiter->collections_count = 1;
    return SAKER_OK;
}

saker_err_t skr_api_compare (skr_api_t *self, skr_api_call_t *call)
{
    SKR_TRY (skr_api_check_room (self));
    skr_api_waiter_t *waiter = skr_api_new_waiter (call, look_range);
    return waiter ? skr_api_add_waiter (self, call, waiter, get_compare (self, call, waiter))
                  : skr_api_no_memory ();
}
