/* One thread a subscription, so that a receiver that is slow holds up nobody else. One message is
   under way at a time: what became of it is written into the mesh, and on the disks of those that
   could take over, before the next one goes. So a takeover repeats one at most.

     feed -> what progress does not cover -> queue -> deliver -> progress
                                                        |
                                                      aside -> deliver -> gone, or dead */

#include "gateway/begin.h"
#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "gateway/office.h"
#include "gateway/retry.h"
#include "say.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 64
#define BATCH_MAX 32 /* letters that are set aside by one change */
#define WATCH_MS 400
#define REST_MS 1000
#define SAVE_MS 2000
#define OPEN_MS 1000
#define AGAIN_MS 500
#define STACK_BYTES (512u << 10)
#define VERIFY_TRIES 5
#define OTHERS_SIZE (LEASE_PEERS_MAX * (LEASE_DEVICE_SIZE + 1))

static bool is_ending (courier_t *self)
{
    return atomic_load (&self->ending);
}

static bool may_send (courier_t *self)
{
    pthread_mutex_lock (&self->office->mutex);
    bool may = office_may_send (self->office, self) && !is_ending (self);
    self->hook = self->fresh;
    pthread_mutex_unlock (&self->office->mutex);
    return may;
}

static const char *hooks (const courier_t *self)
{
    return self->office->settings.hooks;
}

/* ---- progress */

typedef struct reading_t {
    delivered_t *delivered;
    bool failed;
} reading_t;

static int take_number (const saker_leaf_t *leaf, void *argument)
{
    reading_t *reading = argument;
    uint8_t writer[16];
    size_t size = 0;
    if (leaf->value.type == SAKER_INT && strlen (leaf->pointer) == 33
        && sodium_hex2bin (writer, sizeof writer, leaf->pointer + 1, 32, NULL, &size, NULL) == 0
        && size == sizeof writer) {
        reading->failed |= !delivered_raise (reading->delivered, writer, leaf->value.as.integer);
    }
    return reading->failed;
}

saker_err_t courier_read_progress (call_t *call, const char *collection, const char *hook,
                                   delivered_t *delivered)
{
    char document[HOOK_DOCUMENT_SIZE];
    reading_t reading = {.delivered = delivered};
    hook_document ("progress", hook, document);
    saker_err_t error = saker_read (call->peer, collection, document, "", take_number, &reading);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK;
    }
    return reading.failed ? call_memory (call) : call_library (call, error);
}

static void raise (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    (void) delivered_raise (&self->delivered, letter->writer, letter->number);
    pthread_mutex_unlock (&self->office->mutex);
}

static bool is_covered (courier_t *self, const uint8_t writer[16], int64_t number, uint64_t time_ms)
{
    pthread_mutex_lock (&self->office->mutex);
    int64_t known = delivered_get (&self->delivered, writer);
    int64_t made_ms = self->fresh.made_ms;
    pthread_mutex_unlock (&self->office->mutex);
    return known >= 0 ? number <= known : (int64_t) time_ms < made_ms;
}

static saker_err_t add_progress (courier_t *self, saker_batch_t *batch, const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE], writer[33], pointer[34];
    saker_value_t value = {.type = SAKER_INT, .as.integer = letter->number};
    hook_document ("progress", self->hook.name, document);
    say_hex (letter->writer, writer);
    snprintf (pointer, sizeof pointer, "/%s", writer);
    return call_library (&self->call, saker_batch_set_lww (batch, document, pointer, &value));
}

/* ---- writing */

/* Would it be written at another time? */
static bool may_help (saker_err_t error)
{
    return error != SAKER_OK && error != SAKER_ENOTFOUND && error != SAKER_EINPUT
           && error != SAKER_ELIMIT && error != SAKER_ETYPE;
}

/* What was sent must be known: tries until it is written. */
static bool write_batch (courier_t *self, saker_batch_t *batch)
{
    char others[OTHERS_SIZE];
    saker_err_t error = saker_write (self->call.peer, batch, NULL);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        office_log (self->office, 1, "hooks: %s: cannot write what was sent: %s", self->hook.name,
                    saker_error_text ());
    }
    while (may_help (error) && !is_ending (self)) {
        office_rest (self->office, AGAIN_MS);
        error = saker_write (self->call.peer, batch, NULL);
    }
    office_others (self->office, others, sizeof others);
    if (error == SAKER_OK && *others) {
        (void) saker_wait (self->call.peer, others, OFFICE_CONFIRM_MS);
    }
    return error == SAKER_OK;
}

static saker_err_t add_letter (courier_t *self, saker_batch_t *batch, const char *kind,
                               const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    hook_below (kind, self->hook.name, letter->id, document);
    json_t *json = letter_json (letter);
    saker_err_t error =
        json ? lookup_put (&self->call, batch, document, "", json) : call_memory (&self->call);
    json_decref (json);
    return error;
}

static saker_err_t delete_aside (courier_t *self, saker_batch_t *batch, const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    hook_below ("aside", self->hook.name, letter->id, document);
    return call_library (&self->call, saker_batch_delete (batch, document, ""));
}

static void set_aside (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    (void) office_put_aside (self, letter);
    pthread_mutex_unlock (&self->office->mutex);
}

static bool is_dead (const courier_t *self, const letter_t *letter)
{
    return letter->attempts >= self->hook.attempts;
}

static void tell_dead (const courier_t *self, const letter_t *letter)
{
    office_log (self->office, 1,
                "hooks: %s: event %s was not taken in %u attempt%s (%s): see saker hooks dead",
                self->hook.name, letter->id, letter->attempts, letter->attempts == 1 ? "" : "s",
                letter->why);
}

/* Sets letters of the feed aside, by one change. */
static bool put_asides (courier_t *self, letter_t *letters, size_t count, bool progress)
{
    saker_batch_t *batch = saker_batch_new (hooks (self));
    saker_err_t error = batch ? SAKER_OK : SAKER_ENOMEM;
    int64_t now_ms = instant_wall_ms ();
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        letters[i].since_ms = now_ms;
        error =
            add_letter (self, batch, is_dead (self, &letters[i]) ? "dead" : "aside", &letters[i]);
        if (error == SAKER_OK && progress) {
            error = add_progress (self, batch, &letters[i]);
        }
    }
    bool written = error == SAKER_OK && write_batch (self, batch);
    for (size_t i = 0; i < count && written; i++) {
        if (is_dead (self, &letters[i])) {
            tell_dead (self, &letters[i]);
        } else {
            set_aside (self, &letters[i]);
        }
        if (progress) {
            raise (self, &letters[i]);
        }
    }
    saker_batch_destroy (&batch);
    return written;
}

static bool write_asides (courier_t *self, letter_t *letters, size_t count)
{
    return put_asides (self, letters, count, true);
}

static bool write_done (courier_t *self, const letter_t *letter)
{
    saker_batch_t *batch = saker_batch_new (hooks (self));
    bool written =
        batch && add_progress (self, batch, letter) == SAKER_OK && write_batch (self, batch);
    if (written) {
        raise (self, letter);
    }
    saker_batch_destroy (&batch);
    return written;
}

static void forget_aside (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    office_drop_aside (self, letter->id);
    pthread_mutex_unlock (&self->office->mutex);
}

/* A letter that was set aside is done with, or dead. Somebody may have taken it away meanwhile. */
static void write_end (courier_t *self, const letter_t *letter, bool dead)
{
    saker_batch_t *batch = saker_batch_new (hooks (self));
    saker_err_t error = batch ? delete_aside (self, batch, letter) : SAKER_ENOMEM;
    if (error == SAKER_OK && dead) {
        error = add_letter (self, batch, "dead", letter);
    }
    if (error == SAKER_OK && write_batch (self, batch) && dead) {
        tell_dead (self, letter);
    }
    saker_batch_destroy (&batch);
    forget_aside (self, letter);
}

static void write_again (courier_t *self, const letter_t *letter)
{
    saker_batch_t *batch = saker_batch_new (hooks (self));
    if (batch && add_letter (self, batch, "aside", letter) == SAKER_OK
        && write_batch (self, batch)) {
        set_aside (self, letter);
    }
    saker_batch_destroy (&batch);
}

static void write_gone (courier_t *self)
{
    static const char reason[] = "the receiver answered 410: it wants no more";
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (hooks (self));
    json_t *json = json_pack ("{s:s,s:s}", "state", "gone", "reason", reason);
    hook_document ("hook", self->hook.name, document);
    if (batch && json && lookup_put (&self->call, batch, document, "", json) == SAKER_OK
        && write_batch (self, batch)) {
        pthread_mutex_lock (&self->office->mutex);
        self->fresh.state = HOOK_GONE;
        pthread_mutex_unlock (&self->office->mutex);
    }
    json_decref (json);
    saker_batch_destroy (&batch);
    office_log (self->office, 1, "hooks: %s: %s", self->hook.name, reason);
}

/* ---- one attempt */

static bool make_body (courier_t *self, const letter_t *letter, strbuf_t *body)
{
    json_t *value = NULL;
    if (self->hook.value) {
        saker_err_t error =
            lookup_document (&self->call, self->hook.collection, letter->document, &value);
        value = error == SAKER_ENOTFOUND ? json_null () : value;
    }
    letter_body (letter, &self->hook, value, body);
    if (value && body->size > LETTER_VALUE_BYTES_MAX) {
        strbuf_cut (body, 0);
        letter_body (letter, &self->hook, NULL, body);
    }
    json_decref (value);
    return !body->failed;
}

/* How the receiver is, after what it answered. */
static void judge_receiver (courier_t *self, const deliver_outcome_t *outcome)
{
    if (outcome->result != DELIVER_FAILED) {
        if (self->failures > 0) {
            office_log (self->office, 2, "hooks: %s: the receiver answers again", self->hook.name);
        }
        self->failures = 0;
        self->hold_ms = 0;
        return;
    }
    if (self->failures++ == 0) {
        office_log (self->office, 1, "hooks: %s: the receiver fails: %s", self->hook.name,
                    outcome->why);
    }
    self->hold_ms = instant_mono_ms ()
                    + retry_hold_ms (self->hook.backoff_ms, self->failures, outcome->asked_ms,
                                     randombytes_random ());
}

/* False: it is the end, or out of memory; nothing was sent. */
static bool attempt (courier_t *self, letter_t *letter, deliver_outcome_t *outcome)
{
    strbuf_t body = {0};
    char message[LETTER_MESSAGE_SIZE];
    letter_message (self->hook.name, letter->id, message);
    bool made = make_body (self, letter, &body);
    if (made) {
        deliver_send (self->deliver, &self->hook, message, &body, outcome);
    }
    strbuf_free (&body);
    if (!made || outcome->result == DELIVER_BROKEN) {
        return false;
    }
    (void) diary_note (self->office->diary, &self->hook, letter, message, outcome);
    judge_receiver (self, outcome);
    letter->attempts++;
    letter->status = outcome->status;
    letter->next_ms = instant_wall_ms ()
                      + retry_delay_ms (self->hook.backoff_ms, letter->attempts, outcome->asked_ms,
                                        randombytes_random ());
    snprintf (letter->why, sizeof letter->why, "%s", outcome->why);
    return true;
}

/* ---- what is set aside */

/* In order: an older one of the same document goes first. */
static bool is_behind (const courier_t *self, size_t place)
{
    for (size_t i = 0; self->hook.ordered && i < place; i++) {
        if (strcmp (self->asides[i]->document, self->asides[place]->document) == 0) {
            return true;
        }
    }
    return false;
}

/* Copies the first that is due; false: none. `next_ms`: when one will be. */
static bool find_due (courier_t *self, letter_t *letter, int64_t *next_ms)
{
    int64_t now_ms = instant_wall_ms ();
    bool found = false;
    *next_ms = INT64_MAX;
    pthread_mutex_lock (&self->office->mutex);
    for (size_t i = 0; i < self->asides_count && !found; i++) {
        int64_t due_ms = self->asides[i]->next_ms;
        /* another peer's clock may have been ahead */
        due_ms = due_ms > now_ms + RETRY_AFTER_MAX_MS ? now_ms : due_ms;
        found = due_ms <= now_ms && !is_behind (self, i);
        if (found) {
            *letter = *self->asides[i];
        } else if (due_ms > now_ms && due_ms < *next_ms) {
            *next_ms = due_ms;
        }
    }
    pthread_mutex_unlock (&self->office->mutex);
    return found;
}

/* The document counts, not what is remembered of it. */
static bool is_still_there (courier_t *self, letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    hook_below ("aside", self->hook.name, letter->id, document);
    saker_err_t error = lookup_document (&self->call, hooks (self), document, &json);
    bool there = error == SAKER_OK && letter_take (letter, json);
    json_decref (json);
    if (!there && (error == SAKER_OK || error == SAKER_ENOTFOUND)) {
        forget_aside (self, letter);
    }
    return there;
}

/* One attempt at one that is due; false: none is. `wait_ms`: until one is. */
static bool carry_aside (courier_t *self, int64_t *wait_ms)
{
    letter_t letter;
    deliver_outcome_t outcome;
    int64_t next_ms, hold_ms = self->hold_ms - instant_mono_ms ();
    if (hold_ms > 0) {
        *wait_ms = hold_ms;
        return false;
    }
    if (!find_due (self, &letter, &next_ms)) {
        *wait_ms = next_ms == INT64_MAX ? INT64_MAX : next_ms - instant_wall_ms ();
        return false;
    }
    if (!is_still_there (self, &letter) || !attempt (self, &letter, &outcome)) {
        return true;
    }
    if (outcome.result == DELIVER_GONE) {
        write_gone (self);
    } else if (outcome.result == DELIVER_DONE || is_dead (self, &letter)) {
        write_end (self, &letter, outcome.result != DELIVER_DONE);
    } else {
        write_again (self, &letter);
    }
    return true;
}

/* ---- the feed */

typedef struct fetching_t {
    courier_t *courier;
    uint64_t position;
    unsigned index; /* of the document in its change */
    bool stopped;   /* the queue is full */
    bool lettered;  /* the last letter is of this change */
} fetching_t;

/* No document of the change comes any more: its last letter ends it. */
static void end_change (fetching_t *self)
{
    courier_t *courier = self->courier;
    if (self->lettered && courier->queue_count > 0) {
        letter_t *last = &courier->queue[courier->queue_count - 1];
        last->number = delivered_whole (last->seq);
    }
    self->lettered = false;
}

static int take_event (const saker_event_t *event, void *argument)
{
    fetching_t *fetching = argument;
    courier_t *self = fetching->courier;
    if (event->position != fetching->position) {
        end_change (fetching);
    }
    fetching->index = event->position == fetching->position ? fetching->index + 1 : 0;
    fetching->position = event->position;
    int64_t number = delivered_number (event->seq, fetching->index);
    if (strncmp (event->document, self->hook.documents, strlen (self->hook.documents)) != 0
        || is_covered (self, event->writer, number, event->time_ms)) {
        return 0;
    }
    if (self->queue_count == self->queue_max) {
        fetching->lettered = false; /* more of it comes the next time */
        fetching->stopped = true;
        return 1;
    }
    letter_t *letter = &self->queue[self->queue_count++];
    letter_of (letter, event);
    letter->number = number;
    fetching->lettered = true;
    return self->queue_max == 1;
}

/* The feed begins behind what this peer, or another one, has not sent. */
static saker_err_t find_begin (courier_t *self)
{
    saker_err_t error = begin_find (self->call.peer, self->hook.collection, &self->cursor);
    self->placed = error == SAKER_OK;
    self->gap = error == SAKER_OK && self->cursor.position > 0;
    return error;
}

static void cursor_name (const courier_t *self, char name[96])
{
    snprintf (name, 96, "hooks/%s", self->hook.name);
}

static saker_err_t find_place (courier_t *self)
{
    char name[96];
    cursor_name (self, name);
    saker_err_t error = saker_cursor_load (self->call.peer, name, &self->cursor);
    self->placed = error == SAKER_OK;
    return error == SAKER_ENOTFOUND ? find_begin (self) : error;
}

static void save_place (courier_t *self)
{
    char name[96];
    int64_t now_ms = instant_mono_ms ();
    if (self->cursor.position == self->saved_position || now_ms - self->saved_ms < SAVE_MS) {
        return;
    }
    cursor_name (self, name);
    self->saved_ms = now_ms;
    if (saker_cursor_save (self->call.peer, name, &self->cursor) == SAKER_OK) {
        self->saved_position = self->cursor.position;
    }
}

/* Fills the queue with what is not done with, `max` letters at most. */
static bool fetch (courier_t *self, size_t max, int timeout_ms)
{
    fetching_t fetching = {.courier = self};
    saker_err_t error = self->placed ? SAKER_OK : find_place (self);
    self->queue_count = 0;
    self->queue_max = max;
    self->fetched = self->cursor;
    if (error == SAKER_OK) {
        error = saker_watch (self->call.peer, self->hook.collection, &self->fetched, timeout_ms,
                             take_event, &fetching);
    }
    self->fetched_ms = instant_mono_ms ();
    if (error == SAKER_OK && !fetching.stopped) {
        end_change (&fetching);
    }
    if (error == SAKER_EGAP) {
        (void) find_begin (self);
    } else if (error != SAKER_OK && error != SAKER_ETIMEOUT) {
        office_rest (self->office, AGAIN_MS);
    }
    return error == SAKER_OK || error == SAKER_ETIMEOUT;
}

/* ---- after a gap */

typedef struct mending_t {
    courier_t *courier;
    letter_t letters[BATCH_MAX];
    size_t count, all;
    delivered_t reached; /* what the documents show of each writer */
    bool failed;
} mending_t;

static void flush_mended (mending_t *self)
{
    if (self->count > 0 && !self->failed) {
        self->failed = !put_asides (self->courier, self->letters, self->count, false);
    }
    self->all += self->count;
    self->count = 0;
}

static bool is_noted (const mending_t *self, const saker_leaf_t *leaf)
{
    for (size_t i = self->count; i-- > 0;) {
        const letter_t *letter = &self->letters[i];
        if (letter->seq == leaf->seq && memcmp (letter->writer, leaf->writer, 16) == 0
            && strcmp (letter->document, leaf->document) == 0) {
            return true;
        }
    }
    return false;
}

/* What a document shows, or a rival, that progress does not cover. Of a change of several documents
   it is not known which were sent: all of them count as not sent. */
static int see_leaf (const saker_leaf_t *leaf, void *argument)
{
    mending_t *self = argument;
    courier_t *courier = self->courier;
    const char *wanted = courier->hook.documents;
    int64_t number = delivered_whole (leaf->seq);
    if (strncmp (leaf->document, wanted, strlen (wanted)) != 0
        || is_covered (courier, leaf->writer, number, leaf->time_ms) || is_noted (self, leaf)) {
        return 0;
    }
    const saker_event_t event = {.collection = courier->hook.collection,
                                 .document = leaf->document,
                                 .author = leaf->author,
                                 .seq = leaf->seq,
                                 .time_ms = leaf->time_ms};
    letter_t *letter = &self->letters[self->count++];
    letter_of (letter, &event);
    letter_id (event.collection, event.document, leaf->writer, event.seq, letter->id);
    memcpy (letter->writer, leaf->writer, sizeof letter->writer);
    letter->number = number;
    self->failed |= !delivered_raise (&self->reached, leaf->writer, number);
    if (self->count == BATCH_MAX) {
        flush_mended (self);
    }
    return self->failed || self->all >= OFFICE_ASIDES_MAX || is_ending (courier);
}

/* Once all of it is set aside, progress covers it. */
static bool write_reached (mending_t *self)
{
    courier_t *courier = self->courier;
    bool written = true;
    for (size_t i = 0; i < self->reached.count && written; i++) {
        letter_t letter = {.number = self->reached.list[i].number};
        memcpy (letter.writer, self->reached.list[i].writer, sizeof letter.writer);
        written = write_done (courier, &letter);
    }
    return written;
}

/* The feed has not all of what was not sent; the documents have what came of it: that is set aside,
   to be sent. What was written over meanwhile, or deleted, is not told any more. */
static void mend (courier_t *self)
{
    mending_t *mending = calloc (1, sizeof *mending);
    if (!mending) {
        return;
    }
    mending->courier = self;
    saker_err_t error = saker_iterate (self->call.peer, self->hook.collection, see_leaf, mending);
    flush_mended (mending);
    if ((error == SAKER_OK || error == SAKER_ENOTFOUND) && !mending->failed
        && write_reached (mending)) {
        self->gap = false;
        office_log (
            self->office, mending->all > 0 ? 1 : 2,
            "hooks: %s: the history of this peer begins behind what was sent: %zu events "
            "are sent of what the documents show; a longer history in saker.conf loses none",
            self->hook.name, mending->all);
    }
    delivered_free (&mending->reached);
    free (mending);
}

/* One who does not send keeps its cursor at the first that is not done with. */
static void keep_up (courier_t *self)
{
    if (*self->hook.collection && fetch (self, 1, 0)) {
        self->cursor = self->fetched;
        save_place (self);
    }
}

/* ---- what came from further away */

static int see_verdict (const saker_verdict_t *verdict, void *argument)
{
    bool *behind = argument;
    *behind = *behind || (verdict->reached && verdict->ahead > 0);
    return 0;
}

/* What others know of these letters is here, too, as far as they can be reached. */
static void settle (courier_t *self)
{
    while (instant_mono_ms () - self->fetched_ms < OFFICE_SETTLE_MS && !is_ending (self)) {
        office_rest (self->office, 100);
    }
    bool behind = true;
    for (int i = 0; i < VERIFY_TRIES && behind && !is_ending (self); i++) {
        behind = false;
        (void) saker_verify (self->call.peer, hooks (self), OFFICE_CONFIRM_MS, see_verdict,
                             &behind);
        if (behind) {
            office_rest (self->office, 200);
        }
    }
    delivered_t read = {0};
    if (courier_read_progress (&self->call, hooks (self), self->hook.name, &read) == SAKER_OK) {
        pthread_mutex_lock (&self->office->mutex);
        for (size_t i = 0; i < read.count; i++) {
            (void) delivered_raise (&self->delivered, read.list[i].writer, read.list[i].number);
        }
        pthread_mutex_unlock (&self->office->mutex);
    }
    delivered_free (&read);
    office_rest (self->office, 300); /* the dispatcher looks at the lease */
    self->settled_ms = instant_mono_ms ();
}

/* ---- what came */

typedef struct touching_t {
    const letter_t *letter;
    const char *path;
    bool found, touched;
} touching_t;

/* Is one place the other, or above it? */
static bool contains (const char *outer, const char *inner)
{
    size_t size = strlen (outer);
    return strncmp (outer, inner, size) == 0 && (inner[size] == 0 || inner[size] == '/');
}

static int see_change (const saker_change_t *change, void *argument)
{
    touching_t *touching = argument;
    if (change->damaged || change->seq != touching->letter->seq
        || memcmp (change->writer, touching->letter->writer, 16) != 0) {
        return 0;
    }
    touching->found = !change->sealed;
    for (size_t i = 0; i < change->operations_count; i++) {
        const char *pointer = change->operations[i].pointer;
        touching->touched |=
            contains (touching->path, pointer) || contains (pointer, touching->path);
    }
    return 1;
}

/* A change that can no longer be looked at counts as one that touched the path. */
static bool touches_path (courier_t *self, const letter_t *letter)
{
    touching_t touching = {.letter = letter, .path = self->hook.path};
    if (!*self->hook.path) {
        return true;
    }
    saker_err_t error = saker_log (self->call.peer, self->hook.collection, letter->document,
                                   see_change, &touching, NULL);
    return error != SAKER_OK || !touching.found || touching.touched;
}

/* Must the letter wait behind what is set aside? */
static bool must_wait (courier_t *self, const letter_t *letter)
{
    bool waits = self->hold_ms > instant_mono_ms ();
    pthread_mutex_lock (&self->office->mutex);
    for (size_t i = 0; self->hook.ordered && i < self->asides_count && !waits; i++) {
        waits = strcmp (self->asides[i]->document, letter->document) == 0;
    }
    pthread_mutex_unlock (&self->office->mutex);
    return waits;
}

static bool send_letter (courier_t *self, letter_t *letter)
{
    deliver_outcome_t outcome;
    if (!attempt (self, letter, &outcome)) {
        return false;
    }
    if (outcome.result == DELIVER_GONE) {
        write_gone (self);
        return false;
    }
    if (outcome.result == DELIVER_DONE) {
        return write_done (self, letter);
    }
    return write_asides (self, letter, 1);
}

/* Letters from `at` on that must wait, a batch at most. */
static size_t count_waiting (courier_t *self, size_t at)
{
    size_t count = 0;
    while (count < BATCH_MAX && at + count < self->queue_count
           && must_wait (self, &self->queue[at + count])
           && touches_path (self, &self->queue[at + count])) {
        count++;
    }
    return count;
}

/* Does with one letter, or some, what is to be done; the number, 0: not now. */
static size_t carry (courier_t *self, size_t at)
{
    letter_t *letter = &self->queue[at];
    if (!office_is_near (self->office, letter->author) && self->settled_ms < self->fetched_ms) {
        settle (self);
    }
    if (!may_send (self)) {
        return 0;
    }
    if (is_covered (self, letter->writer, letter->number, letter->time_ms)
        || !touches_path (self, letter)) {
        return 1;
    }
    size_t waiting = count_waiting (self, at);
    if (waiting > 0) {
        return write_asides (self, letter, waiting) ? waiting : 0;
    }
    return send_letter (self, letter) ? 1 : 0;
}

static void carry_queue (courier_t *self)
{
    size_t at = 0, done = 1;
    while (at < self->queue_count && done > 0) {
        done = carry (self, at);
        at += done;
    }
    if (at == self->queue_count) {
        self->cursor = self->fetched;
        save_place (self);
    }
}

static bool is_full (courier_t *self)
{
    pthread_mutex_lock (&self->office->mutex);
    bool full = self->asides_count >= OFFICE_ASIDES_MAX;
    pthread_mutex_unlock (&self->office->mutex);
    if (full && !self->full) {
        office_log (self->office, 1,
                    "hooks: %s: %d events wait already: new ones wait in the history",
                    self->hook.name, OFFICE_ASIDES_MAX);
    }
    self->full = full;
    return full;
}

/* ---- the thread */

static void send_some (courier_t *self)
{
    int64_t wait_ms = WATCH_MS;
    if (self->placed && self->gap) {
        mend (self);
    }
    if (carry_aside (self, &wait_ms)) {
        return;
    }
    wait_ms = wait_ms < 1 ? 1 : wait_ms > WATCH_MS ? WATCH_MS : wait_ms;
    if (is_full (self)) {
        office_rest (self->office, wait_ms);
    } else if (fetch (self, QUEUE_MAX, (int) wait_ms)) {
        carry_queue (self);
    }
}

static void *run (void *argument)
{
    courier_t *self = argument;
    while (!is_ending (self)) {
        if (!self->call.peer
            && saker_open (&self->call.peer, self->call.store, OPEN_MS) != SAKER_OK) {
            office_rest (self->office, AGAIN_MS);
        } else if (may_send (self)) {
            send_some (self);
        } else {
            keep_up (self);
            office_rest (self->office, REST_MS);
        }
    }
    call_close (&self->call);
    return NULL;
}

courier_t *courier_new (office_t *office, const char *name)
{
    courier_t *self = calloc (1, sizeof *self);
    pthread_attr_t attributes;
    if (!self) {
        return NULL;
    }
    self->office = office;
    snprintf (self->fresh.name, sizeof self->fresh.name, "%s", name);
    snprintf (self->call.store, sizeof self->call.store, "%s", office->store);
    self->queue = calloc (QUEUE_MAX, sizeof *self->queue);
    self->deliver = deliver_new (&office->settings.hooks_allow, office->settings.hooks_authority,
                                 office->settings.hooks_timeout_ms, &self->ending);
    self->hook = self->fresh;
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    bool started =
        self->queue && self->deliver && pthread_create (&self->thread, &attributes, run, self) == 0;
    pthread_attr_destroy (&attributes);
    if (!started) {
        deliver_destroy (&self->deliver);
        free (self->queue);
        free (self);
        return NULL;
    }
    return self;
}

void courier_destroy (courier_t **self_p)
{
    courier_t *self = *self_p;
    if (!self) {
        return;
    }
    atomic_store (&self->ending, true);
    pthread_mutex_lock (&self->office->mutex);
    pthread_cond_broadcast (&self->office->changed);
    pthread_mutex_unlock (&self->office->mutex);
    pthread_join (self->thread, NULL);
    for (size_t i = 0; i < self->asides_count; i++) {
        free (self->asides[i]);
    }
    free (self->asides);
    delivered_free (&self->delivered);
    deliver_destroy (&self->deliver);
    sodium_memzero (&self->fresh, sizeof self->fresh);
    sodium_memzero (&self->hook, sizeof self->hook);
    free (self->queue);
    free (self);
    *self_p = NULL;
}
