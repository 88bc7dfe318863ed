#include "gateway/upkeep.h"

#include "gateway/begin.h"
#include "gateway/delivered.h"
#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "say.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_OPS 900
#define BATCH_BYTES 48000

/* ---- many writes */

typedef struct bulk_t {
    call_t *call;
    const char *hooks;
    saker_batch_t *batch;
    saker_err_t error;
} bulk_t;

static saker_err_t flush (bulk_t *self)
{
    if (self->error == SAKER_OK && self->batch && saker_batch_count (self->batch) > 0) {
        self->error = call_library (self->call, saker_write (self->call->peer, self->batch, NULL));
    }
    saker_batch_destroy (&self->batch);
    return self->error;
}

/* A batch that has room; NULL: it failed. */
static saker_batch_t *room (bulk_t *self)
{
    if (self->batch
        && (saker_batch_count (self->batch) > BATCH_OPS
            || saker_batch_bytes (self->batch) > BATCH_BYTES)) {
        flush (self);
    }
    if (!self->batch && self->error == SAKER_OK) {
        self->batch = saker_batch_new (self->hooks);
        self->error = self->batch ? SAKER_OK : call_memory (self->call);
    }
    return self->error == SAKER_OK ? self->batch : NULL;
}

static void put_letter (bulk_t *self, const char *kind, const char *name, const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = room (self);
    json_t *json = batch ? letter_json (letter) : NULL;
    hook_below (kind, name, letter->id, document);
    if (batch) {
        self->error =
            json ? lookup_put (self->call, batch, document, "", json) : call_memory (self->call);
    }
    json_decref (json);
}

static void delete_document (bulk_t *self, const char *document)
{
    saker_batch_t *batch = room (self);
    if (batch) {
        self->error = call_library (self->call, saker_batch_delete (batch, document, ""));
    }
}

/* ---- the feed that is kept */

static saker_err_t scan (call_t *call, const char *collection, saker_event_fn *fn, void *argument)
{
    saker_cursor_t cursor;
    saker_err_t error = begin_find (call->peer, collection, &cursor);
    if (error == SAKER_OK) {
        error = saker_watch (call->peer, collection, &cursor, 0, fn, argument);
    }
    return error == SAKER_ETIMEOUT || error == SAKER_ENOTFOUND ? SAKER_OK
                                                               : call_library (call, error);
}

/* ---- adding */

static int see_writer (const saker_event_t *event, void *argument)
{
    return !delivered_raise (argument, event->writer, delivered_whole (event->seq));
}

/* What is here already is not sent. */
static saker_err_t put_progress (bulk_t *bulk, const hook_t *hook)
{
    char document[HOOK_DOCUMENT_SIZE], pointer[34] = "/";
    delivered_t known = {0};
    hook_document ("progress", hook->name, document);
    bulk->error = scan (bulk->call, hook->collection, see_writer, &known);
    for (size_t i = 0; i < known.count && bulk->error == SAKER_OK; i++) {
        saker_value_t value = {.type = SAKER_INT, .as.integer = known.list[i].number};
        saker_batch_t *batch = room (bulk);
        say_hex (known.list[i].writer, pointer + 1);
        if (batch) {
            bulk->error =
                call_library (bulk->call, saker_batch_set_lww (batch, document, pointer, &value));
        }
    }
    delivered_free (&known);
    return bulk->error;
}

static saker_err_t put_hook (bulk_t *bulk, const hook_t *hook)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = room (bulk);
    json_t *json = batch ? hook_json (hook) : NULL;
    hook_document ("hook", hook->name, document);
    if (batch) {
        bulk->error =
            json ? lookup_put (bulk->call, batch, document, "", json) : call_memory (bulk->call);
    }
    json_decref (json);
    return bulk->error;
}

saker_err_t upkeep_add (call_t *call, const char *hooks, const hook_t *hook)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    bulk_t bulk = {.call = call, .hooks = hooks};
    saker_err_t error = hook_check (call, hook);
    if (error != SAKER_OK) {
        return error;
    }
    hook_document ("hook", hook->name, document);
    error = lookup_document (call, hooks, document, &json);
    json_decref (json);
    if (error != SAKER_ENOTFOUND) {
        return error != SAKER_OK
                   ? error
                   : call_fail (call, SAKER_EEXIST,
                                "there is a subscription %s already: remove it first, or take "
                                "another name",
                                hook->name);
    }
    if (put_progress (&bulk, hook) == SAKER_OK) {
        put_hook (&bulk, hook);
    }
    return flush (&bulk);
}

/* ---- reading and changing */

saker_err_t upkeep_read (call_t *call, const char *hooks, const char *name, hook_t *hook)
{
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    saker_err_t error = hook_check_name (call, "a subscription", name);
    if (error != SAKER_OK) {
        return error;
    }
    hook_document ("hook", name, document);
    error = lookup_document (call, hooks, document, &json);
    if (error == SAKER_ENOTFOUND) {
        return call_fail (call, error,
                          "there is no subscription %s in the collection %s; see saker hooks list",
                          name, hooks);
    }
    if (error == SAKER_OK && hook_take (hook, name, json) != SAKER_OK) {
        error =
            call_fail (call, SAKER_EDAMAGED,
                       "%s/%s is no subscription: remove it, and make it anew", hooks, document);
    }
    json_decref (json);
    return error;
}

static saker_err_t put_json (call_t *call, const char *hooks, const char *name, json_t *json)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (hooks);
    hook_document ("hook", name, document);
    saker_err_t error =
        batch && json ? lookup_put (call, batch, document, "", json) : call_memory (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, batch, NULL));
    }
    saker_batch_destroy (&batch);
    json_decref (json);
    return error;
}

saker_err_t upkeep_set_state (call_t *call, const char *hooks, const char *name, hook_state_t state)
{
    hook_t hook;
    saker_err_t error = upkeep_read (call, hooks, name, &hook);
    sodium_memzero (&hook, sizeof hook);
    return error != SAKER_OK
               ? error
               : put_json (call, hooks, name,
                           json_pack ("{s:s,s:s}", "state", hook_state_text (state), "reason", ""));
}

saker_err_t upkeep_set_secrets (call_t *call, const char *hooks, const hook_t *hook)
{
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (hooks);
    json_t *json = hook_json (hook);
    hook_document ("hook", hook->name, document);
    saker_err_t error = batch && json ? SAKER_OK : call_memory (call);
    if (error == SAKER_OK) {
        error = call_library (call, saker_batch_delete (batch, document, "/secrets"));
    }
    if (error == SAKER_OK) {
        error = lookup_put (call, batch, document, "/secrets", json_object_get (json, "secrets"));
    }
    if (error == SAKER_OK) {
        error = call_library (call, saker_write (call->peer, batch, NULL));
    }
    saker_batch_destroy (&batch);
    json_decref (json);
    return error;
}

typedef struct listing_t {
    upkeep_hook_fn *fn;
    void *argument;
    size_t skip; /* bytes of "hook/" */
} listing_t;

static int see_hook (const char *document, json_t *json, void *argument)
{
    listing_t *listing = argument;
    hook_t hook;
    int stop = 0;
    if (hook_take (&hook, document + listing->skip, json) == SAKER_OK) {
        stop = listing->fn (&hook, listing->argument);
    }
    sodium_memzero (&hook, sizeof hook);
    return stop;
}

saker_err_t upkeep_list (call_t *call, const char *hooks, upkeep_hook_fn *fn, void *argument)
{
    listing_t listing = {.fn = fn, .argument = argument, .skip = strlen ("hook/")};
    return lookup_all (call, hooks, "hook/", see_hook, &listing);
}

/* ---- letters */

typedef struct letters_t {
    upkeep_letter_fn *fn;
    void *argument;
} letters_t;

static int see_letter (const char *document, json_t *json, void *argument)
{
    letters_t *letters = argument;
    letter_t letter;
    (void) document;
    return letter_take (&letter, json) ? letters->fn (&letter, letters->argument) : 0;
}

saker_err_t upkeep_letters (call_t *call, const char *hooks, const char *kind, const char *name,
                            upkeep_letter_fn *fn, void *argument)
{
    char document[HOOK_DOCUMENT_SIZE];
    letters_t letters = {fn, argument};
    hook_below (kind, name, "", document);
    return lookup_all (call, hooks, document, see_letter, &letters);
}

/* Names are gathered first: a read and writes do not go together. */
typedef struct gone_t {
    char (*list)[HOOK_DOCUMENT_SIZE];
    size_t count, capacity;
    const char *prefix;
    bool failed;
} gone_t;

static int see_gone (const char *name, uint64_t documents, void *argument)
{
    gone_t *gone = argument;
    (void) documents;
    if (strncmp (name, gone->prefix, strlen (gone->prefix)) != 0) {
        return 1; /* they come in byte order */
    }
    if (gone->count == gone->capacity) {
        size_t capacity = gone->capacity ? 2 * gone->capacity : 64;
        void *list = realloc (gone->list, capacity * sizeof *gone->list);
        gone->failed = !list;
        gone->list = list ? list : gone->list;
        gone->capacity = list ? capacity : gone->capacity;
    }
    if (!gone->failed) {
        snprintf (gone->list[gone->count++], sizeof *gone->list, "%s", name);
    }
    return gone->failed;
}

static void delete_below (bulk_t *bulk, const char *kind, const char *name, size_t *count)
{
    char prefix[HOOK_DOCUMENT_SIZE];
    gone_t gone = {.prefix = prefix};
    hook_below (kind, name, "", prefix);
    if (bulk->error == SAKER_OK) {
        saker_err_t error =
            saker_documents_from (bulk->call->peer, bulk->hooks, prefix, see_gone, &gone);
        bulk->error = gone.failed                ? call_memory (bulk->call)
                      : error == SAKER_ENOTFOUND ? SAKER_OK
                                                 : call_library (bulk->call, error);
    }
    for (size_t i = 0; i < gone.count && bulk->error == SAKER_OK; i++) {
        delete_document (bulk, gone.list[i]);
    }
    *count = gone.count;
    free (gone.list);
}

saker_err_t upkeep_bury (call_t *call, const char *hooks, const char *name, size_t *count)
{
    bulk_t bulk = {.call = call, .hooks = hooks};
    delete_below (&bulk, "dead", name, count);
    return flush (&bulk);
}

/* To delete what is not there is an error: who never sent has no lease, and where the collection
   was not there yet there is no progress. */
static void delete_if_there (bulk_t *self, const char *document)
{
    json_t *json = NULL;
    saker_err_t error = lookup_document (self->call, self->hooks, document, &json);
    json_decref (json);
    if (error == SAKER_OK) {
        delete_document (self, document);
    } else if (error != SAKER_ENOTFOUND && self->error == SAKER_OK) {
        self->error = error;
    }
}

saker_err_t upkeep_remove (call_t *call, const char *hooks, const char *name)
{
    static const char *const kinds[] = {"hook", "lease", "progress"};
    bulk_t bulk = {.call = call, .hooks = hooks};
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    size_t count;
    hook_document ("hook", name, document);
    saker_err_t error = lookup_document (call, hooks, document, &json);
    json_decref (json);
    if (error != SAKER_OK) {
        return error == SAKER_ENOTFOUND ? call_fail (
                   call, error, "there is no subscription %s; see saker hooks list", name)
                                        : error;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        hook_document (kinds[i], name, document);
        delete_if_there (&bulk, document);
    }
    delete_below (&bulk, "aside", name, &count);
    delete_below (&bulk, "dead", name, &count);
    return flush (&bulk);
}

/* ---- again */

typedef struct replaying_t {
    bulk_t bulk;
    const hook_t *hook;
    const upkeep_replay_t *what;
    letter_t *list;
    size_t count, capacity;
    size_t dead; /* the first of them */
    bool too_many;
} replaying_t;

static bool keep_letter (replaying_t *self, const letter_t *letter)
{
    if (self->count == UPKEEP_REPLAY_MAX) {
        self->too_many = true;
        return false;
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 64;
        letter_t *list = realloc (self->list, capacity * sizeof *list);
        if (!list) {
            self->bulk.error = call_memory (self->bulk.call);
            return false;
        }
        self->list = list;
        self->capacity = capacity;
    }
    self->list[self->count++] = *letter;
    return true;
}

static int see_event (const saker_event_t *event, void *argument)
{
    replaying_t *self = argument;
    const upkeep_replay_t *what = self->what;
    letter_t letter;
    if (strncmp (event->document, self->hook->documents, strlen (self->hook->documents)) != 0
        || (!what->event && (event->time_ms < what->since_ms || event->time_ms > what->until_ms))) {
        return 0;
    }
    letter_of (&letter, event);
    if (what->event && strcmp (letter.id, what->event) != 0) {
        return 0;
    }
    return !keep_letter (self, &letter) || what->event;
}

static int see_dead (const letter_t *letter, void *argument)
{
    replaying_t *self = argument;
    const upkeep_replay_t *what = self->what;
    bool is = what->event ? strcmp (what->event, letter->id) == 0
                          : letter->time_ms >= what->since_ms && letter->time_ms <= what->until_ms;
    return is ? !keep_letter (self, letter) : 0;
}

static void set_aside (replaying_t *self)
{
    char document[HOOK_DOCUMENT_SIZE];
    int64_t now_ms = instant_wall_ms ();
    for (size_t i = 0; i < self->count && self->bulk.error == SAKER_OK; i++) {
        letter_t *letter = &self->list[i];
        letter->attempts = 0;
        letter->next_ms = 0;
        letter->since_ms = now_ms;
        letter->why[0] = 0;
        if (i < self->dead) {
            hook_below ("dead", self->hook->name, letter->id, document);
            delete_document (&self->bulk, document);
        }
        put_letter (&self->bulk, "aside", self->hook->name, letter);
    }
}

saker_err_t upkeep_replay (call_t *call, const char *hooks, const char *name,
                           const upkeep_replay_t *what, size_t *count)
{
    hook_t hook;
    replaying_t self = {.bulk = {.call = call, .hooks = hooks}, .hook = &hook, .what = what};
    *count = 0;
    saker_err_t error = upkeep_read (call, hooks, name, &hook);
    if (error == SAKER_OK) {
        error = upkeep_letters (call, hooks, "dead", name, see_dead, &self);
    }
    self.dead = self.count;
    if (error == SAKER_OK && !(what->event && self.count > 0)) {
        error = scan (call, hook.collection, see_event, &self);
    }
    if (error == SAKER_OK && self.too_many) {
        error = call_fail (call, SAKER_ELIMIT,
                           "there are more than %d events in that time: take a shorter one",
                           UPKEEP_REPLAY_MAX);
    }
    if (error == SAKER_OK && what->event && self.count == 0) {
        error = call_fail (call, SAKER_ENOTFOUND,
                           "there is no event %.64s, neither dead nor in the history that is kept "
                           "here",
                           what->event);
    }
    if (error == SAKER_OK) {
        set_aside (&self);
        error = flush (&self.bulk);
        *count = self.count;
    }
    free (self.list);
    sodium_memzero (&hook, sizeof hook);
    return error;
}

/* ---- where it is */

static saker_err_t count_letters (call_t *call, const char *hooks, const char *kind,
                                  const char *name, size_t *count)
{
    char document[HOOK_DOCUMENT_SIZE];
    hook_below (kind, name, "", document);
    return lookup_count (call, hooks, document, count);
}

typedef struct naming_t {
    const char *device;
    char name[65];
} naming_t;

static int see_peer (const saker_peer_t *peer, void *argument)
{
    naming_t *naming = argument;
    if (strcmp (peer->id, naming->device) == 0) {
        snprintf (naming->name, sizeof naming->name, "%s", peer->name);
    }
    return 0;
}

saker_err_t upkeep_status (call_t *call, const char *hooks, const char *name, json_t **json)
{
    char document[HOOK_DOCUMENT_SIZE];
    size_t waiting = 0, dead = 0;
    json_t *lease = NULL;
    *json = NULL;
    hook_document ("lease", name, document);
    saker_err_t error = lookup_document (call, hooks, document, &lease);
    const char *owner = json_string_value (json_object_get (lease, "owner"));
    naming_t naming = {.device = owner ? owner : ""};
    if (error == SAKER_OK && *naming.device) {
        error = call_library (call, saker_peers (call->peer, see_peer, &naming));
    }
    if (error == SAKER_OK || error == SAKER_ENOTFOUND) {
        error = count_letters (call, hooks, "aside", name, &waiting);
    }
    if (error == SAKER_OK) {
        error = count_letters (call, hooks, "dead", name, &dead);
    }
    if (error == SAKER_OK) {
        *json = json_pack ("{s:o,s:I,s:I}", "sends",
                           *naming.name ? json_string (naming.name) : json_null (), "waiting",
                           (json_int_t) waiting, "dead", (json_int_t) dead);
        error = *json ? SAKER_OK : call_memory (call);
    }
    json_decref (lease);
    return error;
}
