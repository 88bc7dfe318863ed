#include "gateway/office.h"

#include "gateway/instant.h"
#include "gateway/logline.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void office_log (const office_t *self, int level, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    logline_say (self->log_fn, level, format, arguments);
    va_end (arguments);
}

/* A third of the lease is left for what is under way. */
bool office_may_send (const office_t *self, const courier_t *courier)
{
    int64_t now_ms = instant_mono_ms ();
    return self->settled && courier->listed && courier->fresh.state == HOOK_ACTIVE
           && strcmp (courier->owner, self->device) == 0
           && now_ms - courier->claimed_ms >= OFFICE_CLAIM_MS
           && now_ms - self->held_ms < self->settings.hooks_lease_ms * 2 / 3;
}

void office_others (office_t *self, char *text, size_t size)
{
    size_t used = 0;
    int64_t now_ms = instant_mono_ms ();
    text[0] = 0;
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < self->peers.count; i++) {
        const lease_peer_t *peer = &self->peers.list[i];
        if (peer->up && strcmp (peer->device, self->device) != 0
            && now_ms - peer->moved_ms < self->settings.hooks_lease_ms
            && used + LEASE_DEVICE_SIZE < size) {
            used +=
                (size_t) snprintf (text + used, size - used, "%s%s", used ? "," : "", peer->device);
        }
    }
    pthread_mutex_unlock (&self->mutex);
}

bool office_is_near (office_t *self, const char *author)
{
    bool near = false;
    int64_t now_ms = instant_mono_ms ();
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < self->members_count && !near; i++) {
        const office_member_t *member = &self->members[i];
        near = strcmp (member->name, author) == 0
               && (member->self || (member->up && now_ms - member->up_ms >= OFFICE_NEAR_MS));
    }
    pthread_mutex_unlock (&self->mutex);
    return near;
}

void office_rest (office_t *self, int64_t ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock (&self->mutex);
    pthread_cond_timedwait (&self->changed, &self->mutex, &until);
    pthread_mutex_unlock (&self->mutex);
}

/* ---- letters that are set aside */

static bool make_room (courier_t *courier)
{
    if (courier->asides_count < courier->asides_capacity) {
        return true;
    }
    size_t capacity = courier->asides_capacity ? 2 * courier->asides_capacity : 64;
    letter_t **list = courier->asides_count < 2 * (size_t) OFFICE_ASIDES_MAX
                          ? realloc (courier->asides, capacity * sizeof (letter_t *))
                          : NULL;
    if (list) {
        courier->asides = list;
        courier->asides_capacity = capacity;
    }
    return list;
}

/* Nearly always at the end. */
static void insert (courier_t *courier, letter_t *letter)
{
    size_t place = courier->asides_count;
    while (place > 0 && letter_compare (letter, courier->asides[place - 1]) < 0) {
        courier->asides[place] = courier->asides[place - 1];
        place--;
    }
    courier->asides[place] = letter;
    courier->asides_count++;
}

bool office_put_aside (courier_t *courier, const letter_t *letter)
{
    for (size_t i = 0; i < courier->asides_count; i++) {
        if (strcmp (courier->asides[i]->id, letter->id) == 0) {
            *courier->asides[i] = *letter;
            return true;
        }
    }
    letter_t *copy = make_room (courier) ? malloc (sizeof *copy) : NULL;
    if (copy) {
        *copy = *letter;
        insert (courier, copy);
    }
    return copy;
}

void office_drop_aside (courier_t *courier, const char *event)
{
    for (size_t i = 0; i < courier->asides_count; i++) {
        if (strcmp (courier->asides[i]->id, event) == 0) {
            free (courier->asides[i]);
            courier->asides_count--;
            memmove (&courier->asides[i], &courier->asides[i + 1],
                     (courier->asides_count - i) * sizeof (letter_t *));
            return;
        }
    }
}
