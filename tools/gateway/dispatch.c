#include "gateway/dispatch.h"

#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "gateway/office.h"
#include "tree.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MS 1000
#define LOOK_MS 500
#define CLEAN_MS 60000
#define SETTLE_MIN_MS 1500
#define OTHERS_SIZE (LEASE_PEERS_MAX * (LEASE_DEVICE_SIZE + 1))

office_member_t *office_member (office_t *self, const char *device)
{
    for (size_t i = 0; i < self->members_count; i++) {
        if (strcmp (self->members[i].device, device) == 0) {
            return &self->members[i];
        }
    }
    return NULL;
}

/* ---- the members */

typedef struct members_t {
    size_t count;
    struct {
        char name[65], device[LEASE_DEVICE_SIZE], link[16];
    } list[OFFICE_MEMBERS_MAX];
} members_t;

static int note_member (const saker_peer_t *peer, void *argument)
{
    members_t *members = argument;
    if (members->count == OFFICE_MEMBERS_MAX) {
        return 1;
    }
    snprintf (members->list[members->count].name, sizeof members->list->name, "%s", peer->name);
    snprintf (members->list[members->count].device, LEASE_DEVICE_SIZE, "%s", peer->id);
    snprintf (members->list[members->count].link, sizeof members->list->link, "%s", peer->link);
    members->count++;
    return 0;
}

/* Locked. */
static void take_member (office_t *self, const char *name, const char *device, const char *link)
{
    office_member_t *member = office_member (self, device);
    if (!member && self->members_count == OFFICE_MEMBERS_MAX) {
        return;
    }
    if (!member) {
        member = &self->members[self->members_count++];
        memset (member, 0, sizeof *member);
        snprintf (member->device, sizeof member->device, "%s", device);
    }
    bool own = strcmp (link, "self") == 0, up = own || strcmp (link, "up") == 0;
    snprintf (member->name, sizeof member->name, "%s", name);
    if (up && !member->up) {
        member->up_ms = instant_mono_ms ();
    }
    member->up = up;
    member->self = own;
    if (own) {
        snprintf (self->device, sizeof self->device, "%s", device);
        lease_see (&self->peers, self->device, self->count, instant_mono_ms ());
    }
    lease_peer_t *sender = lease_find (&self->peers, device);
    if (sender) {
        sender->up = up;
    }
}

static void look_at_members (office_t *self)
{
    members_t *members =
        instant_mono_ms () - self->looked_ms < LOOK_MS ? NULL : calloc (1, sizeof *members);
    if (!members || saker_peers (self->call.peer, note_member, members) != SAKER_OK) {
        free (members);
        return;
    }
    self->looked_ms = instant_mono_ms ();
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < members->count; i++) {
        take_member (self, members->list[i].name, members->list[i].device, members->list[i].link);
    }
    pthread_mutex_unlock (&self->mutex);
    free (members);
}

/* ---- our counter */

/* Is there anybody who could take over? */
static bool has_others (office_t *self)
{
    bool others = false;
    int64_t now_ms = instant_mono_ms ();
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < self->peers.count; i++) {
        const lease_peer_t *peer = &self->peers.list[i];
        others |= strcmp (peer->device, self->device) != 0
                  && (peer->up || now_ms - peer->moved_ms < self->settings.hooks_lease_ms);
    }
    pthread_mutex_unlock (&self->mutex);
    return others;
}

static void hold (office_t *self, int64_t now_ms)
{
    pthread_mutex_lock (&self->mutex);
    self->held_ms = now_ms;
    lease_peer_t *own = lease_find (&self->peers, self->device);
    if (own) {
        own->moved_ms = now_ms;
        own->count = self->count;
    }
    pthread_mutex_unlock (&self->mutex);
}

static saker_err_t put (office_t *self, const char *kind, const char *name, json_t *json)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (self->settings.hooks);
    hook_document (kind, name, document);
    saker_err_t error = batch && json ? lookup_put (&self->call, batch, document, "", json)
                                      : call_memory (&self->call);
    if (error == SAKER_OK) {
        error = call_library (&self->call, saker_write (self->call.peer, batch, NULL));
    }
    saker_batch_destroy (&batch);
    json_decref (json);
    return error;
}

static saker_err_t put_peer (office_t *self, bool left)
{
    self->count++;
    return put (self, "peer", self->device,
                json_pack ("{s:I,s:b}", "count", (json_int_t) self->count, "left", left));
}

/* Alone nothing needs to be written: whoever comes waits for the lease's time first. One who may
   not write does not send; it is told once. */
static void renew (office_t *self)
{
    int64_t now_ms = instant_mono_ms ();
    if (self->registered && !has_others (self)) {
        hold (self, now_ms);
        return;
    }
    if (self->renewed_ms && now_ms - self->renewed_ms < self->settings.hooks_lease_ms / 3) {
        return;
    }
    self->renewed_ms = now_ms;
    if (put_peer (self, false) == SAKER_OK) {
        self->registered = true;
        self->refused = false;
        hold (self, now_ms);
    } else if (!self->refused) {
        self->refused = true;
        office_log (self, 1, "hooks: cannot write into the collection %s: %s", self->settings.hooks,
                    self->call.sentence);
    }
}

/* ---- after a start, or when we were away for longer than a lease */

static int see_verdict (const saker_verdict_t *verdict, void *argument)
{
    bool *behind = argument;
    *behind = *behind || (verdict->reached && verdict->ahead > 0);
    return 0;
}

static bool all_are_up (office_t *self)
{
    bool up = true;
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < self->peers.count; i++) {
        up = up && self->peers.list[i].up;
    }
    pthread_mutex_unlock (&self->mutex);
    return up;
}

static void unsettle (office_t *self)
{
    int64_t now_ms = instant_mono_ms ();
    pthread_mutex_lock (&self->mutex);
    self->settled = false;
    for (size_t i = 0; i < self->members_count; i++) {
        self->members[i].up_ms = now_ms;
    }
    pthread_mutex_unlock (&self->mutex);
    self->unsettled_ms = now_ms;
}

static void settle (office_t *self)
{
    int64_t now_ms = instant_mono_ms ();
    bool behind = false, late = now_ms - self->unsettled_ms > self->settings.hooks_lease_ms;
    if (self->settled || now_ms - self->unsettled_ms < SETTLE_MIN_MS
        || (!late && !all_are_up (self))) {
        return;
    }
    (void) saker_verify (self->call.peer, self->settings.hooks, OFFICE_CONFIRM_MS, see_verdict,
                         &behind);
    if (!behind || late) {
        (void) office_follow (self);
        pthread_mutex_lock (&self->mutex);
        self->settled = true;
        pthread_mutex_unlock (&self->mutex);
    }
}

/* ---- leases */

static void confirm (office_t *self)
{
    char others[OTHERS_SIZE];
    office_others (self, others, sizeof others);
    if (*others) {
        (void) saker_wait (self->call.peer, others, OFFICE_CONFIRM_MS);
    }
}

static json_t *lease_json (const char *owner, int64_t term)
{
    return json_pack ("{s:s,s:I}", "owner", owner, "term", (json_int_t) term);
}

static void claim (courier_t *courier)
{
    office_t *self = courier->office;
    char before[LEASE_DEVICE_SIZE];
    snprintf (before, sizeof before, "%s", courier->owner);
    if (put (self, "lease", courier->fresh.name, lease_json (self->device, courier->term + 1))
        != SAKER_OK) {
        return;
    }
    confirm (self);
    pthread_mutex_lock (&self->mutex);
    courier->claimed_ms = instant_mono_ms ();
    courier->term++;
    snprintf (courier->owner, sizeof courier->owner, "%s", self->device);
    pthread_mutex_unlock (&self->mutex);
    office_log (self, 2, "hooks: %s: this peer sends from now on%s%s", courier->fresh.name,
                *before ? ", in place of " : "", before);
}

/* Is it on us to claim it? */
static bool should_claim (office_t *self, const courier_t *courier)
{
    int64_t now_ms = instant_mono_ms (), lease_ms = self->settings.hooks_lease_ms;
    pthread_mutex_lock (&self->mutex);
    bool held = *courier->owner
                && (strcmp (courier->owner, self->device) == 0
                    || lease_holds (&self->peers, courier->owner, lease_ms, now_ms));
    const char *best = held || !courier->listed || !self->settled
                           ? NULL
                           : lease_best (&self->peers, courier->fresh.name, lease_ms, now_ms);
    bool ours = best && strcmp (best, self->device) == 0;
    pthread_mutex_unlock (&self->mutex);
    return ours;
}

static bool is_busy (office_t *self)
{
    courier_t *courier;
    bool busy = false;
    pthread_mutex_lock (&self->mutex);
    LIST_FOREACH (courier, &self->couriers, next)
    {
        busy = busy || courier->busy;
    }
    pthread_mutex_unlock (&self->mutex);
    return busy;
}

/* Nothing more begins; what is under way comes to its end, if that is soon. */
static void stop_sending (office_t *self)
{
    int64_t begun_ms = instant_mono_ms ();
    pthread_mutex_lock (&self->mutex);
    self->settled = false;
    pthread_mutex_unlock (&self->mutex);
    while (is_busy (self) && instant_mono_ms () - begun_ms < OFFICE_LEAVE_MS) {
        office_rest (self, 50);
    }
}

static void hand_over (office_t *self)
{
    courier_t *courier;
    stop_sending (self);
    LIST_FOREACH (courier, &self->couriers, next)
    {
        if (courier->listed && *self->device && strcmp (courier->owner, self->device) == 0) {
            (void) put (self, "lease", courier->fresh.name, lease_json ("", courier->term + 1));
        }
    }
    if (self->registered) {
        (void) put_peer (self, true);
    }
    confirm (self);
}

/* ---- the thread */

/* One subscription that was removed, at a time. */
static void drop_unlisted (office_t *self)
{
    courier_t *courier;
    LIST_FOREACH (courier, &self->couriers, next)
    {
        if (!courier->listed) {
            pthread_mutex_lock (&self->mutex);
            LIST_REMOVE (courier, next);
            self->couriers_count--;
            pthread_mutex_unlock (&self->mutex);
            courier_destroy (&courier);
            return;
        }
    }
}

static void work (office_t *self)
{
    courier_t *courier;
    int64_t begun_ms = instant_mono_ms ();
    if (self->registered && self->settled
        && instant_mono_ms () - self->held_ms > self->settings.hooks_lease_ms) {
        office_log (self, 1, "hooks: this peer was away for longer than a lease: others may send");
        unsettle (self);
    }
    look_at_members (self);
    if (!*self->device || LIST_EMPTY (&self->couriers)) {
        hold (self, instant_mono_ms ());
        return;
    }
    drop_unlisted (self);
    renew (self);
    settle (self);
    LIST_FOREACH (courier, &self->couriers, next)
    {
        if (should_claim (self, courier)) {
            claim (courier);
        }
        if (instant_mono_ms () - begun_ms > self->settings.hooks_lease_ms / 6) {
            break; /* first our counter, then the others */
        }
    }
}

static void clean (office_t *self)
{
    if (instant_mono_ms () - self->cleaned_ms > CLEAN_MS) {
        self->cleaned_ms = instant_mono_ms ();
        diary_clean (self->diary);
    }
}

static void leave (office_t *self)
{
    saker_daemon_t *daemon = atomic_exchange (&self->leaving, NULL);
    if (daemon) {
        if (self->call.peer) {
            hand_over (self);
        }
        saker_daemon_stop (daemon);
        atomic_store (&self->ending, true);
    }
}

static void *run (void *argument)
{
    office_t *self = argument;
    while (!atomic_load (&self->ending)) {
        saker_err_t error = SAKER_OK;
        if (!self->call.peer) {
            error = saker_open (&self->call.peer, self->store, OPEN_MS);
        }
        if (error == SAKER_OK) {
            error = self->begun ? office_follow (self) : office_begin (self);
        }
        if (error == SAKER_OK && self->begun) {
            work (self);
        }
        clean (self);
        leave (self);
        if (error != SAKER_OK && !atomic_load (&self->ending)) {
            office_rest (self, OFFICE_WATCH_MS);
        }
    }
    call_close (&self->call);
    return NULL;
}

struct dispatch_t {
    office_t office;
};

static saker_err_t start (office_t *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->changed, &attributes);
    pthread_condattr_destroy (&attributes);
    LIST_INIT (&self->couriers);
    self->unsettled_ms = instant_mono_ms ();
    self->diary =
        diary_new (self->store, self->settings.hooks_log_bytes, self->settings.hooks_log_age_ms);
    if (!self->diary || curl_global_init (CURL_GLOBAL_DEFAULT) != 0) {
        return SAKER_ENOMEM;
    }
    self->threaded = pthread_create (&self->thread, NULL, run, self) == 0;
    return self->threaded ? SAKER_OK : SAKER_EIO;
}

saker_err_t dispatch_new (dispatch_t **self_p, const char *store, const settings_t *settings,
                          saker_log_fn *log_fn)
{
    dispatch_t *self = *self_p = calloc (1, sizeof *self);
    if (!self) {
        return SAKER_ENOMEM;
    }
    self->office.settings = *settings;
    self->office.log_fn = log_fn;
    snprintf (self->office.store, sizeof self->office.store, "%s", store);
    snprintf (self->office.call.store, sizeof self->office.call.store, "%s", store);
    return start (&self->office);
}

void dispatch_leave (dispatch_t *self, saker_daemon_t *daemon)
{
    atomic_store (&self->office.leaving, daemon);
}

void dispatch_destroy (dispatch_t **self_p)
{
    if (!*self_p) {
        return;
    }
    office_t *self = &(*self_p)->office;
    atomic_store (&self->ending, true);
    if (self->threaded) {
        pthread_join (self->thread, NULL);
    }
    while (!LIST_EMPTY (&self->couriers)) {
        courier_t *courier = LIST_FIRST (&self->couriers);
        LIST_REMOVE (courier, next);
        courier_destroy (&courier);
    }
    diary_destroy (&self->diary);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->mutex);
    free (*self_p);
    *self_p = NULL;
}
