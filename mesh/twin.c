/* Three signs, from the surest to the weakest: it answers our HELLO, or says HELLO to us, with our
   key and another instance: then it runs now. Its beats come, passed on by others: a few of them
   that ascend, made after we started, are needed, since a beat of our own former process may be
   late (a restart is a new instance, too). */

#include "mesh/twin.h"

#include "mesh/node_internal.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 60000         /* so long is looked for it where somebody says it is */
#define FORGET_MS 600000      /* not seen for so long: it is gone */
#define FORGET_BEATS_MS 20000 /* if all that came of it were beats: they may have been late */
#define REST_MIN_MS 10000     /* then it is looked for again */
#define REST_MAX_MS 600000
#define BEATS_MIN 5
#define SILENT_MS 10000 /* no beat of it for so long: it may have ended */

static bool is_our_instance (const skr_node_t *self, const uint8_t *instance)
{
    return memcmp (instance, self->links.own.instance, SKR_WIRE_INSTANCE_BYTES) == 0;
}

static bool is_own_address (const skr_node_t *self, const char *address)
{
    for (size_t i = 0; i < self->book.own_count; i++) {
        if (strcmp (self->book.own[i], address) == 0) {
            return true;
        }
    }
    return strcmp (self->address, address) == 0 || strcmp (self->twin.ourselves, address) == 0;
}

void skr_twin_sentence (const skr_node_t *self, char sentence[SKR_TWIN_SENTENCE_MAX])
{
    const skr_member_t *member = skr_replica_self (self->replica);
    const char *ends = "both keep their data; stop one of them, remove its store, and let it join "
                       "anew as a device of its own";
    if (!self->twin.found) {
        (void) snprintf (sentence, SKR_TWIN_SENTENCE_MAX,
                         "device %s runs twice: here, and as a process that listens nowhere: %s",
                         member ? member->name : "", ends);
        return;
    }
    char instance[2 * SKR_WIRE_INSTANCE_BYTES + 1];
    skr_hex (instance, self->twin.instance, SKR_WIRE_INSTANCE_BYTES);
    (void) snprintf (sentence, SKR_TWIN_SENTENCE_MAX,
                     "device %s runs twice: here%s%s, and as process %s at %s: %s",
                     member ? member->name : "", self->router ? " at " : "",
                     self->router ? self->address : "", instance,
                     self->twin.address[0] ? self->twin.address : "an address not known yet", ends);
}

static void found (skr_node_t *self, const uint8_t *instance, const skr_id_t *writer,
                   const char *address)
{
    skr_twin_t *twin = &self->twin;
    char sentence[SKR_TWIN_SENTENCE_MAX];
    bool news = !twin->found || memcmp (twin->instance, instance, sizeof twin->instance) != 0
                || (address[0] && strcmp (twin->address, address) != 0);
    twin->found = true;
    twin->seen_ms = skr_node_now (self);
    memcpy (twin->instance, instance, sizeof twin->instance);
    if (address[0]) {
        (void) snprintf (twin->address, sizeof twin->address, "%s", address);
    }
    if (news) {
        skr_twin_sentence (self, sentence);
        skr_log (&self->world, SKR_LOG_WARNING, "%s", sentence);
    }
    /* design 5: two stores, one writer. Both notice, and both take a new one. */
    if (writer && skr_id_equal (writer, skr_replica_writer (self->replica))) {
        skr_node_fail_group (self, skr_incarnation_renew (self->replica, SKR_DOUBT_TWIN));
    }
}

/* ---- looking for it */

static void look (skr_node_t *self, const char *address)
{
    if (!skr_address_numeric (address) || is_own_address (self, address)) {
        return;
    }
    const skr_member_t *member = skr_replica_self (self->replica);
    skr_link_t *link = skr_links_find (&self->links, skr_node_device (self));
    if (!link && member && skr_links_add (&self->links, member) == SAKER_OK) {
        link = skr_links_find (&self->links, skr_node_device (self));
        self->twin.looked_ms = skr_node_now (self);
        self->poller.stale = true;
    }
    if (link) {
        skr_link_learn (link, address);
    }
}

/* Others go on to tell an address that this device had once: so where nobody answered is looked
   again less and less often. */
void skr_twin_hint (skr_node_t *self, const char *address)
{
    skr_twin_t *twin = &self->twin;
    if (strcmp (address, SKR_WIRE_NOWHERE) == 0) {
        bool news = !skr_twin_shows (self);
        char sentence[SKR_TWIN_SENTENCE_MAX];
        twin->told_ms = skr_node_now (self);
        if (news) {
            skr_twin_sentence (self, sentence);
            skr_log (&self->world, SKR_LOG_WARNING, "%s", sentence);
        }
        return;
    }
    if (is_own_address (self, address)) {
        return;
    }
    if (strcmp (twin->candidate, address) != 0) {
        (void) snprintf (twin->candidate, sizeof twin->candidate, "%s", address);
        twin->rest_ms = twin->pause_ms = 0;
    }
    if (skr_node_now (self) >= twin->rest_ms) {
        look (self, address);
    }
}

static void stop_looking (skr_node_t *self)
{
    skr_links_remove (&self->links, skr_node_device (self));
    self->poller.stale = true;
}

void skr_twin_greeted (skr_node_t *self, skr_link_t *link, const uint8_t *instance,
                       const skr_id_t *writer)
{
    if (!skr_node_is_own (self, link->device)) {
        return;
    }
    if (is_our_instance (self, instance)) {
        (void) snprintf (self->twin.ourselves, sizeof self->twin.ourselves, "%s", link->address);
        self->twin.candidate[0] = 0;
        self->twin.looked_ms = 0; /* at its turn: this is called from within the link */
    } else {
        found (self, instance, writer, link->address);
    }
}

void skr_twin_called (skr_node_t *self, const uint8_t *instance, const char *address)
{
    if (!is_our_instance (self, instance)) {
        found (self, instance, NULL, address);
        look (self, address);
    }
}

bool skr_twin_beat (skr_node_t *self, const skr_beat_t *beat)
{
    skr_twin_t *twin = &self->twin;
    if (is_our_instance (self, beat->instance)) {
        return false;
    }
    bool same = memcmp (twin->heard, beat->instance, sizeof twin->heard) == 0;
    if (!same) {
        memcpy (twin->heard, beat->instance, sizeof twin->heard);
        twin->heard_number = twin->heard_count = 0;
    }
    if (beat->number > twin->heard_number && beat->wall_ms > self->started_wall_ms) {
        twin->heard_number = beat->number;
        twin->heard_count++;
    }
    twin->heard_ms = skr_node_now (self);
    twin->heard_started = beat->started_ms;
    bool known = twin->found && memcmp (twin->instance, beat->instance, sizeof twin->heard) == 0;
    if (known || twin->heard_count >= BEATS_MIN) {
        found (self, beat->instance, &beat->writer, "");
    }
    return true;
}

bool skr_twin_shows (const skr_node_t *self)
{
    const skr_twin_t *twin = &self->twin;
    return twin->found || (twin->told_ms && skr_node_now (self) - twin->told_ms < SKR_TWIN_TOLD_MS);
}

void skr_twin_turn (skr_node_t *self, uint64_t mono_ms)
{
    skr_twin_t *twin = &self->twin;
    if (twin->heard_started >= skr_replica_started_ms (self->replica)
        && mono_ms >= twin->heard_ms + SILENT_MS) {
        /* The latest start counts: to others we would be silent for ever. */
        skr_replica_start_after (self->replica, twin->heard_started);
        twin->heard_started = 0;
    }
    const skr_link_t *link = skr_links_find (&self->links, skr_node_device (self));
    if (link && !twin->looked_ms) {
        stop_looking (self);
    } else if (link && link->greeted_ms) {
        twin->looked_ms = mono_ms;
    } else if (link && mono_ms >= twin->looked_ms + LOOK_MS) {
        stop_looking (self);
        twin->pause_ms = twin->pause_ms ? 2 * twin->pause_ms : REST_MIN_MS;
        twin->pause_ms = twin->pause_ms < REST_MAX_MS ? twin->pause_ms : REST_MAX_MS;
        twin->rest_ms = mono_ms + twin->pause_ms;
    } else if (!link && twin->candidate[0] && mono_ms >= twin->rest_ms) {
        look (self, twin->candidate);
    }
    uint64_t forget_ms = twin->address[0] ? FORGET_MS : FORGET_BEATS_MS;
    if (twin->found && mono_ms >= twin->seen_ms + forget_ms) {
        skr_log (&self->world, SKR_LOG_INFO, "the other process with this device's key is gone");
        twin->found = false;
        twin->address[0] = 0;
        stop_looking (self);
    }
}
