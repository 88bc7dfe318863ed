/* Leaving: who carries what, and what of a device that left a collection is still missing, by the
   subscriptions that count. */

#include "peer/roster_internal.h"

/* What of the subscriptions counts: that of the present writer, who restates what it knows. */
void skr_roster_note_subscriptions (skr_roster_t *self)
{
    for (size_t i = 0; i < self->people_count; i++) {
        self->people[i].subscription = self->people[i].subscribed = 0;
    }
    for (size_t i = 0; i < self->subscriptions_count; i++) {
        const skr_subscribe_statement_t *stated = &self->subscriptions[i];
        skr_person_t *person = skr_roster_person (self, stated->device);
        skr_id_t present = {{0}};
        if (!person) {
            continue;
        }
        const skr_subscribe_statement_t *most =
            person->subscribed ? &self->subscriptions[person->subscribed - 1] : NULL;
        (void) skr_roster_present (self, stated->device, &present);
        if (skr_id_equal (&present, &stated->dot.writer)) {
            person->subscription = i + 1;
        }
        if (!most || stated->subscription.number > most->subscription.number
            || (stated->subscription.number == most->subscription.number
                && skr_dot_compare (&stated->dot, &most->dot) > 0)) {
            person->subscribed = i + 1;
        }
    }
}

const skr_subscription_t *skr_roster_subscription (const skr_roster_t *self,
                                                   const uint8_t device[32])
{
    static const skr_subscription_t all = {.rest = true};
    const skr_person_t *person = skr_roster_person (self, device);
    size_t at = person ? person->subscription : 0;
    return at ? &self->subscriptions[at - 1].subscription : &all;
}

const skr_subscription_t *skr_roster_subscription_any (const skr_roster_t *self,
                                                       const uint8_t device[32], skr_dot_t *dot)
{
    const skr_person_t *person = skr_roster_person (self, device);
    size_t at = person ? person->subscribed : 0;
    if (dot) {
        *dot = at ? self->subscriptions[at - 1].dot : (skr_dot_t){.seq = 0};
    }
    return at ? &self->subscriptions[at - 1].subscription : skr_roster_subscription (self, device);
}

bool skr_roster_carries (const skr_roster_t *self, const uint8_t device[32],
                         const skr_id_t *collection)
{
    const skr_person_t *person = skr_roster_person (self, device);
    bool all = !person || !person->subscription || person->member.role == SKR_ROLE_ADMIN
               || skr_id_is_zero (collection);
    return all || skr_subscription_carries (skr_roster_subscription (self, device), collection);
}

bool skr_roster_has_left (const skr_roster_t *self, const uint8_t device[32])
{
    const skr_person_t *person = skr_roster_person (self, device);
    return person && person->subscribed;
}

const skr_member_t *skr_roster_leaver (const skr_roster_t *self)
{
    for (size_t i = 0; i < self->people_count && self->subscriptions_count > 0; i++) {
        if (self->people[i].subscribed) {
            return &self->people[i].member;
        }
    }
    return NULL;
}

/* How much is missing of what a device did in a collection before it left it; also when it came
   back since: its reports do not tell of that before it has it again. */
static uint64_t missing_of_leaver (const skr_roster_t *self, const skr_person_t *person,
                                   const skr_id_t *collection, const skr_clock_t *clock)
{
    uint64_t missing = 0;
    const skr_named_t *named =
        skr_subscription_find (skr_roster_subscription (self, person->member.device), collection);
    for (size_t i = 0; named && i < named->left.count; i++) {
        const skr_tick_t *tick = &named->left.ticks[i];
        const skr_writer_t *writer = skr_roster_writer (self, &tick->writer);
        if (!writer || !skr_same_device (writer->device, person->member.device)) {
            continue; /* it speaks for its own writers only, else one member could hold every cut */
        }
        uint64_t limit = skr_roster_limit (self, &tick->writer, collection);
        uint64_t seq = tick->seq < limit ? tick->seq : limit;
        uint64_t have = skr_clock_get (clock, &tick->writer);
        missing += seq > have ? seq - have : 0;
    }
    return missing;
}

const skr_member_t *skr_roster_undrained_leaver (const skr_roster_t *self, const uint8_t *device,
                                                 const skr_id_t *collection,
                                                 const skr_clock_t *clock, uint64_t *missing)
{
    for (size_t i = 0; i < self->people_count && self->subscriptions_count > 0; i++) {
        const skr_person_t *person = &self->people[i];
        *missing = device && !skr_same_device (person->member.device, device)
                       ? 0
                       : missing_of_leaver (self, person, collection, clock);
        if (*missing) {
            return &person->member;
        }
    }
    return NULL;
}
