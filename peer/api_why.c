/* WHY: why a document is not at a peer. Of this peer itself it is known; of another one it is told
   from what that one reported: what it has stored, and whether it is heard. What it does with
   what came to it, only it knows. */

#include "peer/api_internal.h"
#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/history.h"
#include "peer/partial.h"
#include "peer/replica_internal.h"

#include "crdt/hlc.h"
#include "crdt/limits.h"

#include <stdlib.h>
#include <string.h>

#define HINTS_MAX 256    /* changes looked at for the latest one of a document */
#define VOIDS_MAX 4096   /* looked at */
#define QUEUE_MAX 100000 /* changes counted */
#define LATELY_MS 10000  /* as long as a link takes to be silent */

/* One change. */
typedef struct place_t {
    skr_id_t writer;
    uint64_t seq; /* 0: none */
    uint64_t hlc;
    uint64_t position; /* 0: not in the log */
} place_t;

typedef struct why_t {
    skr_api_t *api;
    skr_replica_t *replica;
    char collection[SKR_COLLECTION_BYTES_MAX + 1];
    char document[SAKER_DOCUMENT_BYTES_MAX + 1];
    skr_id_t id;                  /* of the collection */
    const skr_collection_t *ours; /* NULL: nothing of it is here */
    const skr_member_t *member;
    bool own;

    /* Of the document, as it is here. */
    bool shown;       /* it has a leaf */
    uint64_t rivals;  /* places */
    skr_clock_t need; /* who has this has it */
    place_t latest;
    skr_buf_t last_path;

    skr_buf_t clear; /* kept for its memory */

    /* What is answered. */
    saker_cause_t cause;
    const skr_member_t *other;
    uint64_t seq, changes;
    bool estimated;
} why_t;

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
}

static const skr_member_t *by_writer (const why_t *self, const skr_id_t *writer)
{
    return skr_roster_by_writer (skr_replica_roster (self->replica), writer);
}

/* ---- the document as it is here */

/* Does a change touch the document? One that cannot be read here may or may not: then no. */
static saker_err_t touches (why_t *self, const skr_change_t *change, bool *touched)
{
    skr_content_t content;
    *touched = false;
    saker_err_t error = skr_replica_content (self->replica, change, &self->clear, &content);
    if (error != SAKER_OK) {
        return error == SAKER_ENOMEM ? error : SAKER_OK;
    }
    skr_span_t document = skr_span_text (self->document);
    for (size_t i = 0; i < content.ops_count; i++) {
        *touched = *touched || skr_span_equal (content.ops[i].document, document);
    }
    skr_content_free (&content);
    return SAKER_OK;
}

static void take_latest (why_t *self, const place_t *place)
{
    if (self->latest.seq == 0 || place->hlc > self->latest.hlc) {
        self->latest = *place;
    }
}

static saker_err_t look_at_position (why_t *self, uint64_t position, bool *found)
{
    skr_log_entry_t entry;
    skr_change_t change;
    saker_err_t error =
        skr_log_get (skr_replica_store (self->replica), SKR_COMMITTED, position, &entry);
    *found = false;
    if (error == SAKER_ENOTFOUND || error == SAKER_EDAMAGED) {
        return SAKER_OK;
    }
    SKR_TRY (error);
    SKR_TRY (skr_change_parse (&change, entry.change));
    SKR_TRY (touches (self, &change, found));
    if (*found) {
        take_latest (self, &(place_t){change.writer, change.seq, change.hlc, position});
        SKR_TRY (skr_clock_raise (&self->need, &change.writer, change.seq));
    }
    return SAKER_OK;
}

/* The latest change of the log: it may have deleted the document. */
static saker_err_t look_at_history (why_t *self)
{
    uint64_t *positions = NULL;
    size_t count = 0;
    bool found = false;
    SKR_TRY (skr_history_find (self->replica, SKR_COMMITTED, self->ours->no,
                               skr_span_text (self->document), &positions, &count));
    saker_err_t error = SAKER_OK;
    for (size_t looked = 0; looked < count && looked < HINTS_MAX && !found && !error; looked++) {
        error = look_at_position (self, positions[count - 1 - looked], &found);
    }
    free (positions);
    return error;
}

static saker_err_t take_leaf (const skr_leaf_t *leaf, void *argument)
{
    why_t *self = argument;
    bool same = self->rivals > 0 && skr_span_equal (leaf->path, skr_span_of (&self->last_path));
    self->shown = true;
    if (leaf->conflict && !same) {
        self->rivals++;
        skr_buf_clear (&self->last_path);
        skr_buf_append_span (&self->last_path, leaf->path);
    }
    take_latest (self, &(place_t){leaf->dot.writer, leaf->dot.seq, leaf->hlc, 0});
    return skr_clock_raise (&self->need, &leaf->dot.writer, leaf->dot.seq);
}

/* A latest change that was seen in the cells has a place in the log, unless that was cut. */
static void find_position (why_t *self)
{
    skr_store_t *store = skr_replica_store (self->replica);
    uint32_t writer_no;
    if (self->latest.seq > 0 && self->latest.position == 0
        && skr_store_writer_no (store, SKR_COMMITTED, &self->latest.writer, &writer_no) == SAKER_OK
        && skr_log_find (store, SKR_COMMITTED, self->ours->no, writer_no, self->latest.seq,
                         &self->latest.position)
               != SAKER_OK) {
        self->latest.position = 0;
    }
}

static saker_err_t look_here (why_t *self)
{
    self->ours = skr_replica_collection (self->replica, &self->id);
    if (!self->ours || self->ours->sealed) {
        return SAKER_OK;
    }
    SKR_TRY (skr_replica_check_indexes (self->replica));
    SKR_TRY (look_at_history (self));
    saker_err_t error = skr_replica_read (self->replica, self->ours, skr_span_text (self->document),
                                          skr_span (NULL, 0), take_leaf, self);
    bool none = error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED || error == SAKER_ENOTYET;
    SKR_TRY (none ? SAKER_OK : error);
    find_position (self);
    return self->last_path.failed ? no_memory () : SAKER_OK;
}

/* ---- changes that are here and do not count */

typedef struct search_t {
    why_t *why;
    size_t looked;
    bool found;
    saker_err_t error;
} search_t;

/* One of our own that was taken back; those that were issued again have no bytes here. */
static saker_err_t look_at_void (skr_span_t key, skr_span_t value, void *argument)
{
    search_t *search = argument;
    why_t *self = search->why;
    skr_change_t change;
    bool touched = false;
    (void) key;
    if (search->looked++ == VOIDS_MAX) {
        return SKR_STOP;
    }
    if (value.size == 0 || skr_change_parse (&change, value) != SAKER_OK
        || change.seq <= skr_roster_limit (skr_replica_roster (self->replica), &change.writer,
                                           &change.collection)) {
        return SAKER_OK;
    }
    SKR_TRY (touches (self, &change, &touched));
    if (touched) {
        search->found = true;
        self->latest = (place_t){change.writer, change.seq, change.hlc, 0};
    }
    return SAKER_OK; /* the last one counts */
}

static saker_err_t look_at_voids (why_t *self, bool *found)
{
    search_t search = {.why = self};
    place_t before = self->latest;
    saker_err_t error =
        skr_store_scan (skr_replica_store (self->replica), SKR_COMMITTED, SKR_VOID,
                        skr_span (self->id.bytes, 16), skr_span (NULL, 0), look_at_void, &search);
    *found = search.found && (before.seq == 0 || self->latest.hlc > before.hlc);
    if (!*found) {
        self->latest = before;
    }
    return error;
}

static bool look_at_waiter (const skr_waiter_t *waiter, void *argument)
{
    search_t *search = argument;
    why_t *self = search->why;
    skr_change_t change;
    if (!skr_id_equal (&waiter->place.collection, &self->id)
        || skr_change_parse (&change, skr_span (waiter->change, waiter->size)) != SAKER_OK) {
        return true;
    }
    search->error = touches (self, &change, &search->found);
    if (search->found) {
        self->latest = (place_t){change.writer, change.seq, change.hlc, 0};
        self->seq = waiter->awaits.seq;
        self->other = self->seq > 0 ? by_writer (self, &waiter->awaits.writer) : NULL;
    }
    return !search->found && search->error == SAKER_OK;
}

static saker_err_t look_at_waiting (why_t *self, bool *found)
{
    search_t search = {.why = self};
    skr_waiting_each (self->replica->waiting, look_at_waiter, &search);
    *found = search.found;
    return search.error;
}

/* ---- who has more */

static const skr_clock_t *clock_of (const why_t *self, const skr_member_t *member)
{
    skr_reported_t reported = {.clock = NULL};
    self->api->neighbours.reported (self->api->neighbours.context, member->device, &self->id,
                                    &reported);
    return reported.clock;
}

static bool is_linked (const why_t *self, const skr_member_t *member)
{
    skr_neighbour_t neighbour;
    skr_api_neighbour (self->api, member, &neighbour);
    return strcmp (neighbour.link, "up") == 0 || strcmp (neighbour.link, "slow") == 0;
}

/* Of the members that reported what is not here: one that is linked, else the one with most. */
static void find_ahead (why_t *self)
{
    static const skr_clock_t nothing;
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_clock_t *ours = self->ours ? &self->ours->clock : &nothing;
    bool linked_best = false;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        const skr_clock_t *theirs = clock_of (self, member);
        uint64_t missing = theirs ? skr_clock_missing (theirs, ours) : 0;
        bool linked = missing > 0 && is_linked (self, member);
        if (missing > 0
            && (!self->other || (linked && !linked_best)
                || (linked == linked_best && missing > self->changes))) {
            self->other = member;
            self->changes = missing;
            linked_best = linked;
        }
    }
}

/* ---- at this peer itself */

static saker_err_t judge_own (why_t *self)
{
    bool waits = false;
    SKR_TRY (look_at_waiting (self, &waits));
    if (waits) {
        self->cause = SAKER_WHY_DEPENDS;
        return SAKER_OK;
    }
    find_ahead (self);
    if (self->shown) {
        self->cause = self->rivals > 0 ? SAKER_WHY_RIVAL : SAKER_WHY_THERE;
    } else if (self->latest.seq > 0) {
        self->cause = SAKER_WHY_DELETED;
    } else if (self->other) {
        self->cause = is_linked (self, self->other) ? SAKER_WHY_QUEUED : SAKER_WHY_UNCONNECTED;
    } else {
        self->cause = SAKER_WHY_UNKNOWN;
    }
    return SAKER_OK;
}

/* ---- at another one */

typedef struct queue_t {
    uint64_t upto, count;
    bool full;
} queue_t;

static saker_err_t count_entry (const skr_log_entry_t *entry, void *argument)
{
    queue_t *queue = argument;
    queue->full = queue->count == QUEUE_MAX;
    if (queue->full || (queue->upto > 0 && entry->position > queue->upto)) {
        return SKR_STOP;
    }
    queue->count++;
    return SAKER_OK;
}

/* How many changes it takes before it has the latest of the document, that included. */
static saker_err_t count_queue (why_t *self, const skr_clock_t *theirs)
{
    queue_t queue = {.upto = self->latest.position};
    saker_err_t error =
        skr_log_missing (skr_replica_store (self->replica), SKR_COMMITTED, self->ours->no,
                         &self->ours->clock, theirs, count_entry, &queue);
    self->changes = queue.count;
    self->estimated = queue.full;
    if (error == SAKER_EGAP) { /* it needs a snapshot */
        self->changes = skr_clock_missing (&self->ours->clock, theirs);
        return SAKER_OK;
    }
    return error;
}

/* Somebody who hears the member, when we do not. */
static const skr_member_t *find_hearer (const why_t *self)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const uint8_t *devices[SKR_HEARS_MAX];
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        size_t count = is_linked (self, member) ? self->api->neighbours.hears (
                           self->api->neighbours.context, member->device, devices, SKR_HEARS_MAX)
                                                : 0;
        for (size_t at = 0; at < count; at++) {
            if (memcmp (devices[at], self->member->device, SKR_DEVICE_KEY_BYTES) == 0) {
                return member;
            }
        }
    }
    return NULL;
}

static void judge_path (why_t *self)
{
    skr_neighbour_t neighbour;
    skr_api_neighbour (self->api, self->member, &neighbour);
    bool lately = neighbour.seen_ms >= 0 && neighbour.seen_ms < LATELY_MS;
    self->other = is_linked (self, self->member) ? skr_replica_self (self->replica)
                  : lately                       ? find_hearer (self)
                                                 : NULL;
    self->cause = self->other ? SAKER_WHY_QUEUED : SAKER_WHY_UNCONNECTED;
    self->other = self->other ? self->other : skr_replica_self (self->replica);
}

static saker_err_t judge_other (why_t *self)
{
    static const skr_clock_t nothing;
    const skr_clock_t *theirs = clock_of (self, self->member);
    bool here = skr_partial_shows (skr_partial_of (self->replica, &self->id),
                                   skr_span_text (self->document));
    if (!self->shown && (self->latest.seq == 0 || !here)) {
        self->cause = SAKER_WHY_UNKNOWN;
        return SAKER_OK;
    }
    if (theirs && skr_clock_covers (theirs, &self->need)) {
        self->cause = !self->shown       ? SAKER_WHY_DELETED
                      : self->rivals > 0 ? SAKER_WHY_RIVAL
                                         : SAKER_WHY_THERE;
        return SAKER_OK;
    }
    judge_path (self);
    return count_queue (self, theirs ? theirs : &nothing);
}

/* Who is linked and carries all that is wanted here. */
static const skr_member_t *find_carrier (const why_t *self, const skr_part_t *wanted)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        skr_reported_t told = {.clock = NULL};
        self->api->neighbours.reported (self->api->neighbours.context, member->device, &self->id,
                                        &told);
        if (told.clock && told.clock->count > 0 && is_linked (self, member)
            && skr_roster_role (roster, member->device, &self->id) >= SKR_ROLE_READ
            && (!told.part || skr_part_covers (told.part, wanted))) {
            return member;
        }
    }
    return NULL;
}

/* The peer carries only a part of the collection, without the document. */
static bool is_left_out (why_t *self)
{
    const skr_partial_t *ours = skr_partial_of (self->replica, &self->id);
    skr_span_t document = skr_span_text (self->document);
    skr_reported_t told = {.clock = NULL};
    if (self->own && skr_part_holds (&ours->wanted, document)) {
        bool comes = !skr_partial_shows (ours, document)
                     || (!self->shown && skr_fetching (self->replica, &self->id));
        self->cause = SAKER_WHY_FETCHED;
        self->other = comes ? find_carrier (self, &ours->wanted) : NULL;
        return comes;
    }
    if (self->own) {
        self->cause = SAKER_WHY_NOT_CARRIED;
        return true;
    }
    self->api->neighbours.reported (self->api->neighbours.context, self->member->device, &self->id,
                                    &told);
    self->cause = SAKER_WHY_NOT_CARRIED;
    return told.part && !skr_part_holds (told.part, document);
}

static saker_err_t judge (why_t *self)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    bool is_void = false;
    SKR_TRY (look_here (self));
    if (skr_roster_role (roster, self->member->device, &self->id) < SKR_ROLE_READ) {
        self->cause = SAKER_WHY_NO_RIGHT;
        return SAKER_OK;
    }
    if (!skr_roster_carries (roster, self->member->device, &self->id)) {
        self->cause = SAKER_WHY_UNSUBSCRIBED;
        return SAKER_OK;
    }
    if (is_left_out (self)) {
        return SAKER_OK;
    }
    if (skr_roster_is_fenced (roster, self->member->device)) {
        self->cause = SAKER_WHY_FENCED;
        return SAKER_OK;
    }
    if (!self->own && !skr_carrying (self->replica, &self->id)) {
        self->cause = SAKER_WHY_UNKNOWN; /* nothing of it is known here */
        return SAKER_OK;
    }
    SKR_TRY (look_at_voids (self, &is_void));
    if (is_void) {
        self->cause = SAKER_WHY_VOID;
        return SAKER_OK;
    }
    return self->own ? judge_own (self) : judge_other (self);
}

/* ---- in and out */

static saker_err_t check_names (why_t *self)
{
    size_t size = strlen (self->document);
    SKR_TRY (skr_collection_name_check (self->collection));
    if (size == 0 || !skr_utf8_valid (self->document, size)) {
        return skr_fail (SAKER_EINPUT, "the id of a document is UTF-8, 1 to %d bytes",
                         SAKER_DOCUMENT_BYTES_MAX);
    }
    skr_replica_collection_id (self->replica, self->collection, &self->id);
    return SAKER_OK;
}

static saker_err_t get_arguments (why_t *self, skr_api_call_t *call)
{
    char name[SKR_NAME_BYTES_MAX + 1] = "";
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, self->collection, sizeof self->collection);
    skr_fields_need (&call->fields, 1);
    skr_fields_text (&call->cbor, self->document, sizeof self->document);
    if (skr_fields_has (&call->fields, 2)) {
        skr_fields_text (&call->cbor, name, sizeof name);
    }
    SKR_TRY (skr_api_arguments_end (call));
    self->member = skr_replica_self (self->replica);
    if (*name) {
        SKR_TRY (skr_roster_by_name (skr_replica_roster (self->replica), name, &self->member));
    }
    self->own = skr_api_is_own (self->api, self->member);
    return check_names (self);
}

static void put_link (const why_t *self, const skr_member_t *member, skr_buf_t *buf)
{
    skr_neighbour_t neighbour = {.link = "", .seen_ms = -1};
    if (member) {
        skr_api_neighbour (self->api, member, &neighbour);
    }
    skr_api_put_text (buf, neighbour.link);
    skr_cbor_put_int (buf, neighbour.seen_ms);
}

static void put_reason (const why_t *self, skr_buf_t *buf)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_member_t *author =
        self->latest.seq > 0 ? by_writer (self, &self->latest.writer) : NULL;
    char id[17];
    skr_device_text (self->member->device, id);
    skr_cbor_put_array (buf, 17);
    skr_cbor_put_uint (buf, (uint64_t) self->cause);
    skr_api_put_text (buf, self->member->name);
    skr_api_put_text (buf, id);
    skr_cbor_put_bool (buf, self->own);
    skr_api_put_text (buf,
                      skr_role_text (skr_roster_role (roster, self->member->device, &self->id)));
    put_link (self, self->member, buf);
    skr_api_put_text (buf, self->other ? self->other->name : "");
    put_link (self, self->other, buf);
    skr_cbor_put_uint (buf, self->seq);
    skr_cbor_put_uint (buf, self->changes);
    skr_cbor_put_bool (buf, self->estimated);
    skr_cbor_put_uint (buf, self->rivals);
    skr_api_put_text (buf, author ? author->name : "");
    skr_cbor_put_uint (buf, self->latest.seq);
    skr_cbor_put_uint (buf, skr_hlc_ms (self->latest.hlc));
}

saker_err_t skr_api_why (skr_api_t *self, skr_api_call_t *call)
{
    why_t why = {.api = self, .replica = self->replica};
    saker_err_t error = get_arguments (&why, call);
    error = error == SAKER_OK ? judge (&why) : error;
    if (error == SAKER_OK) {
        skr_cbor_put_map (call->body, 1);
        skr_cbor_put_uint (call->body, 0);
        put_reason (&why, call->body);
    }
    skr_clock_free (&why.need);
    skr_buf_free (&why.last_path);
    skr_buf_wipe (&why.clear);
    return error;
}
