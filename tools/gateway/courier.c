/* One thread a subscription, so that a receiver that is slow holds up nobody else. One message is
   under way at a time: what became of it is written into the mesh, and on the disks of those that
   could take over, before the next one goes. So a takeover repeats one at most.

     feed -> what progress does not cover -> queue -> deliver -> progress
                                                        |
                                                      aside -> deliver -> gone, or dead */

#include "gateway/account.h"
#include "gateway/fetch.h"
#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "gateway/mend.h"
#include "gateway/office.h"
#include "gateway/retry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 64
#define WATCH_MS 400
#define REST_MS 1000
#define PASS_MS 5000
#define TURNS 4 /* of four attempts at what is set aside, one leaves room for what is new */
#define OPEN_MS 1000
#define AGAIN_MS 500
#define STACK_BYTES (512u << 10)
#define VERIFY_TRIES 5

bool courier_is_ending (const courier_t *self)
{
    return atomic_load (&self->ending);
}

static bool may_send (courier_t *self)
{
    pthread_mutex_lock (&self->office->mutex);
    bool may = office_may_send (self->office, self) && !courier_is_ending (self);
    self->hook = self->fresh;
    pthread_mutex_unlock (&self->office->mutex);
    return may;
}

/* What begins now is written before the lease is handed over. */
static bool begin_work (courier_t *self)
{
    pthread_mutex_lock (&self->office->mutex);
    self->busy = office_may_send (self->office, self) && !courier_is_ending (self);
    self->hook = self->fresh;
    bool may = self->busy;
    pthread_mutex_unlock (&self->office->mutex);
    return may;
}

static void end_work (courier_t *self)
{
    pthread_mutex_lock (&self->office->mutex);
    self->busy = false;
    pthread_cond_broadcast (&self->office->changed);
    pthread_mutex_unlock (&self->office->mutex);
}

const char *courier_hooks (const courier_t *self)
{
    return self->office->settings.hooks;
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
    saker_err_t error = lookup_document (&self->call, courier_hooks (self), document, &json);
    bool there = error == SAKER_OK && letter_take (letter, json);
    json_decref (json);
    if (!there && (error == SAKER_OK || error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED)) {
        account_forget (self, letter);
    }
    return there;
}

static void carry_this (courier_t *self, letter_t *letter)
{
    deliver_outcome_t outcome;
    if (!is_still_there (self, letter) || !attempt (self, letter, &outcome)) {
        return;
    }
    if (outcome.result == DELIVER_GONE) {
        account_gone (self);
    } else if (outcome.result == DELIVER_DONE || account_is_dead (self, letter)) {
        account_end (self, letter, outcome.result != DELIVER_DONE);
    } else {
        account_again (self, letter);
    }
}

/* One attempt at one that is due; false: none is. `wait_ms`: until one is. */
static bool carry_aside (courier_t *self, int64_t *wait_ms)
{
    letter_t letter;
    int64_t next_ms, hold_ms = self->hold_ms - instant_mono_ms ();
    if (hold_ms > 0) {
        *wait_ms = hold_ms;
        return false;
    }
    if (!find_due (self, &letter, &next_ms)) {
        *wait_ms = next_ms == INT64_MAX ? INT64_MAX : next_ms - instant_wall_ms ();
        return false;
    }
    if (begin_work (self)) {
        carry_this (self, &letter);
        end_work (self);
    }
    return true;
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
    while (instant_mono_ms () - self->fetched_ms < OFFICE_SETTLE_MS && !courier_is_ending (self)) {
        office_rest (self->office, 100);
    }
    bool behind = true;
    for (int i = 0; i < VERIFY_TRIES && behind && !courier_is_ending (self); i++) {
        behind = false;
        (void) saker_verify (self->call.peer, courier_hooks (self), OFFICE_CONFIRM_MS, see_verdict,
                             &behind);
        if (behind) {
            office_rest (self->office, 200);
        }
    }
    delivered_t read = {0};
    if (account_read (&self->call, courier_hooks (self), self->hook.name, &read) == SAKER_OK) {
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
    const hook_t *hook;
    bool found, touched;
} touching_t;

static int see_change (const saker_change_t *change, void *argument)
{
    touching_t *touching = argument;
    if (change->damaged || change->seq != touching->letter->seq
        || memcmp (change->writer, touching->letter->writer, 16) != 0) {
        return 0;
    }
    touching->found = !change->sealed;
    for (size_t i = 0; i < change->operations_count; i++) {
        touching->touched |= hook_wants (touching->hook, change->operations[i].pointer);
    }
    return 1;
}

/* A change that can no longer be looked at counts as one that touched the path. */
static bool touches_path (courier_t *self, const letter_t *letter)
{
    touching_t touching = {.letter = letter, .hook = &self->hook};
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
        account_gone (self);
        return false;
    }
    if (outcome.result == DELIVER_DONE) {
        return account_done (self, letter);
    }
    return account_set_aside (self, letter, 1, true);
}

/* Letters from `at` on that must wait, a batch at most. */
static size_t count_waiting (courier_t *self, size_t at)
{
    size_t count = 0;
    while (count < OFFICE_BATCH_MAX && at + count < self->queue_count
           && must_wait (self, &self->queue[at + count])
           && touches_path (self, &self->queue[at + count])) {
        count++;
    }
    return count;
}

static size_t carry_now (courier_t *self, size_t at)
{
    letter_t *letter = &self->queue[at];
    if (account_covers (self, letter->writer, letter->number, letter->time_ms)
        || !touches_path (self, letter)) {
        return 1;
    }
    size_t waiting = count_waiting (self, at);
    if (waiting > 0) {
        return account_set_aside (self, letter, waiting, true) ? waiting : 0;
    }
    return send_letter (self, letter) ? 1 : 0;
}

/* Does with one letter, or some, what is to be done; the number, 0: not now. */
static size_t carry (courier_t *self, size_t at)
{
    if (!office_is_near (self->office, self->queue[at].author)
        && self->settled_ms < self->fetched_ms) {
        settle (self);
    }
    if (!begin_work (self)) {
        return 0;
    }
    size_t done = carry_now (self, at);
    end_work (self);
    return done;
}

/* Is it the last of its writer in the queue? */
static bool is_last (const courier_t *self, size_t at)
{
    for (size_t i = at + 1; i < self->queue_count; i++) {
        if (memcmp (self->queue[i].writer, self->queue[at].writer, 16) == 0) {
            return false;
        }
    }
    return true;
}

/* Changes beside the path are done with, too: now and then progress says so, for the others. */
static void pass_over (courier_t *self)
{
    int64_t now_ms = instant_mono_ms ();
    if (!*self->hook.path || self->queue_count == 0 || now_ms - self->passed_ms < PASS_MS) {
        return;
    }
    self->passed_ms = now_ms;
    for (size_t i = 0; i < self->queue_count; i++) {
        const letter_t *letter = &self->queue[i];
        if (is_last (self, i)
            && !account_covers (self, letter->writer, letter->number, letter->time_ms)) {
            (void) account_done (self, letter);
        }
    }
}

static void carry_queue (courier_t *self)
{
    size_t at = 0, done = 1;
    while (at < self->queue_count && done > 0) {
        done = carry (self, at);
        at += done;
    }
    if (at == self->queue_count) {
        pass_over (self);
        self->cursor = self->fetched;
        fetch_save_place (self);
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
        mend_gap (self);
    }
    if (carry_aside (self, &wait_ms)) {
        if (++self->turn % TURNS != 0) {
            return;
        }
        wait_ms = 0; /* what is new has its turn as well */
    }
    wait_ms = wait_ms < 1 ? 1 : wait_ms > WATCH_MS ? WATCH_MS : wait_ms;
    if (is_full (self)) {
        office_rest (self->office, wait_ms);
    } else if (fetch_letters (self, QUEUE_MAX, (int) wait_ms)) {
        carry_queue (self);
    }
}

static void *run (void *argument)
{
    courier_t *self = argument;
    while (!courier_is_ending (self)) {
        if (!self->call.peer
            && saker_open (&self->call.peer, self->call.store, OPEN_MS) != SAKER_OK) {
            office_rest (self->office, AGAIN_MS);
        } else if (may_send (self)) {
            send_some (self);
        } else {
            fetch_keep_up (self);
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
