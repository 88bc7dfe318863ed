#include "gateway/account.h"
#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "gateway/office.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 512 /* documents that changed, in one look */

static courier_t *find_courier (office_t *self, const char *name)
{
    courier_t *courier;
    LIST_FOREACH (courier, &self->couriers, next)
    {
        if (strcmp (courier->fresh.name, name) == 0) {
            return courier;
        }
    }
    return NULL;
}

static courier_t *make_courier (office_t *self, const char *name)
{
    courier_t *courier = find_courier (self, name);
    if (courier) {
        return courier;
    }
    if (self->couriers_count == OFFICE_HOOKS_MAX || !(courier = courier_new (self, name))) {
        office_log (self, 0, "hooks: %s: there is no room for it: %d subscriptions at most", name,
                    OFFICE_HOOKS_MAX);
        return NULL;
    }
    pthread_mutex_lock (&self->mutex);
    LIST_INSERT_HEAD (&self->couriers, courier, next);
    self->couriers_count++;
    pthread_mutex_unlock (&self->mutex);
    return courier;
}

/* ---- what a document says */

static void take_lease (courier_t *courier, const json_t *json)
{
    const char *owner = json_string_value (json_object_get (json, "owner"));
    office_t *self = courier->office;
    pthread_mutex_lock (&self->mutex);
    snprintf (courier->owner, sizeof courier->owner, "%s", owner ? owner : "");
    courier->term = json_integer_value (json_object_get (json, "term"));
    pthread_mutex_unlock (&self->mutex);
}

static void take_progress (courier_t *courier)
{
    office_t *self = courier->office;
    delivered_t read = {0};
    if (account_read (&self->call, self->settings.hooks, courier->fresh.name, &read) == SAKER_OK) {
        pthread_mutex_lock (&self->mutex);
        for (size_t i = 0; i < read.count; i++) {
            (void) delivered_raise (&courier->delivered, read.list[i].writer, read.list[i].number);
        }
        pthread_mutex_unlock (&self->mutex);
    }
    delivered_free (&read);
}

static void take_aside (courier_t *courier, const char *event, const json_t *json)
{
    office_t *self = courier->office;
    letter_t letter;
    bool is = json && letter_take (&letter, json);
    pthread_mutex_lock (&self->mutex);
    if (is) {
        (void) office_put_aside (courier, &letter);
    } else {
        office_drop_aside (courier, event);
    }
    pthread_mutex_unlock (&self->mutex);
}

static void drop_asides (courier_t *courier)
{
    while (courier->asides_count > 0) {
        free (courier->asides[--courier->asides_count]);
    }
}

static int see_aside (const char *document, json_t *json, void *argument)
{
    take_aside (argument, strrchr (document, '/') + 1, json);
    return 0;
}

/* All that belongs to a subscription that is new here. */
static void take_rest (courier_t *courier)
{
    office_t *self = courier->office;
    char document[HOOK_DOCUMENT_SIZE];
    json_t *json = NULL;
    take_progress (courier);
    hook_document ("lease", courier->fresh.name, document);
    if (lookup_document (&self->call, self->settings.hooks, document, &json) == SAKER_OK) {
        take_lease (courier, json);
    }
    json_decref (json);
    hook_below ("aside", courier->fresh.name, "", document);
    (void) lookup_all (&self->call, self->settings.hooks, document, see_aside, courier);
}

static void take_hook (office_t *self, const char *name, const json_t *json)
{
    hook_t hook;
    saker_err_t error = json ? hook_take (&hook, name, json) : SAKER_ENOTFOUND;
    courier_t *courier = error == SAKER_OK ? make_courier (self, name) : find_courier (self, name);
    if (error == SAKER_EDAMAGED) {
        office_log (self, 1, "hooks: %s/hook/%s is no subscription: make it with saker hooks add",
                    self->settings.hooks, name);
    }
    if (!courier) {
        return;
    }
    bool begins = error == SAKER_OK && !courier->listed;
    if (begins) {
        take_rest (courier);
    }
    pthread_mutex_lock (&self->mutex);
    if (error == SAKER_OK) {
        courier->fresh = hook;
    } else {
        delivered_free (&courier->delivered);
        drop_asides (courier);
        courier->owner[0] = 0;
    }
    courier->listed = error == SAKER_OK;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->mutex);
    explicit_bzero (&hook, sizeof hook);
}

/* Locked. */
static bool is_up (office_t *self, const char *device)
{
    const office_member_t *member = office_member (self, device);
    return member && member->up;
}

static void take_peer (office_t *self, const char *device, const json_t *json)
{
    if (json && strlen (device) == LEASE_DEVICE_SIZE - 1) {
        int64_t count = json_integer_value (json_object_get (json, "count"));
        bool own = strcmp (device, self->device) == 0;
        pthread_mutex_lock (&self->mutex);
        if (own) {
            self->count = count > self->count ? count : self->count;
        } else if (json_is_true (json_object_get (json, "left"))) {
            lease_forget (&self->peers, device);
        } else {
            lease_see (&self->peers, device, count, instant_mono_ms ());
            lease_find (&self->peers, device)->up = is_up (self, device);
        }
        pthread_mutex_unlock (&self->mutex);
    }
}

/* What is behind "KIND/" of a document's id; NULL: it is of another kind. */
static const char *rest_of (const char *document, const char *kind)
{
    size_t size = strlen (kind);
    return strncmp (document, kind, size) == 0 && document[size] == '/' ? document + size + 1
                                                                        : NULL;
}

static void take_below (office_t *self, const char *rest, const json_t *json)
{
    char name[HOOK_NAME_MAX + 1];
    size_t size = strcspn (rest, "/");
    if (size < sizeof name && rest[size]) {
        memcpy (name, rest, size);
        name[size] = 0;
        courier_t *courier = find_courier (self, name);
        if (courier && courier->listed) {
            take_aside (courier, rest + size + 1, json);
        }
    }
}

/* `json` NULL: it is gone. */
static int take_document (const char *document, json_t *json, void *argument)
{
    office_t *self = argument;
    const char *rest;
    courier_t *courier;
    if ((rest = rest_of (document, "hook"))) {
        take_hook (self, rest, json);
    } else if ((rest = rest_of (document, "peer"))) {
        take_peer (self, rest, json);
    } else if ((rest = rest_of (document, "lease"))) {
        courier = find_courier (self, rest);
        if (courier && courier->listed) {
            take_lease (courier, json);
        }
    } else if ((rest = rest_of (document, "progress"))) {
        courier = find_courier (self, rest);
        if (courier && courier->listed) {
            take_progress (courier);
        }
    } else if ((rest = rest_of (document, "aside"))) {
        take_below (self, rest, json);
    }
    return 0;
}

/* ---- following */

typedef struct names_t {
    size_t count;
    char list[NAMES_MAX][HOOK_DOCUMENT_SIZE];
} names_t;

static int take_name (const saker_event_t *event, void *argument)
{
    names_t *names = argument;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp (names->list[i], event->document) == 0) {
            return 0;
        }
    }
    if (names->count == NAMES_MAX) {
        return 1;
    }
    snprintf (names->list[names->count++], sizeof names->list[0], "%s", event->document);
    return 0;
}

static saker_err_t read_names (office_t *self, const names_t *names)
{
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < names->count && error == SAKER_OK; i++) {
        json_t *json = NULL;
        error = lookup_document (&self->call, self->settings.hooks, names->list[i], &json);
        if (error == SAKER_OK || error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED) {
            take_document (names->list[i], json, self);
            error = SAKER_OK;
        }
        json_decref (json);
    }
    return error;
}

saker_err_t office_begin (office_t *self)
{
    saker_err_t error = saker_now (self->call.peer, &self->cursor);
    if (error == SAKER_OK) {
        error = lookup_all (&self->call, self->settings.hooks, "hook/", take_document, self);
    }
    if (error == SAKER_OK) {
        error = lookup_all (&self->call, self->settings.hooks, "peer/", take_document, self);
    }
    error = error == SAKER_ENOTCARRIED ? SAKER_OK : error; /* no hooks are known here */
    self->begun = error == SAKER_OK;
    return error;
}

/* After a gap everything is read anew; what was removed meanwhile, too. */
static void begin_again (office_t *self)
{
    courier_t *courier;
    self->begun = false;
    LIST_FOREACH (courier, &self->couriers, next)
    {
        take_hook (self, courier->fresh.name, NULL);
    }
}

saker_err_t office_follow (office_t *self)
{
    names_t *names = calloc (1, sizeof *names);
    if (!names) {
        return SAKER_ENOMEM;
    }
    saker_cursor_t cursor = self->cursor;
    saker_err_t error = saker_watch (self->call.peer, self->settings.hooks, &cursor,
                                     OFFICE_WATCH_MS, take_name, names);
    if (error == SAKER_EGAP) {
        begin_again (self);
    }
    if (error == SAKER_OK) {
        error = read_names (self, names);
    }
    if (error == SAKER_OK || error == SAKER_ETIMEOUT) {
        self->cursor = cursor;
        error = SAKER_OK;
    }
    free (names);
    return error;
}
