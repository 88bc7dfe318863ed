/* What doctor sees of what this peer carries: what it left and cannot drop, what only it carries.
 */

#include "doctor.h"

#include "amounts.h"

#include <inttypes.h>
#include <string.h>

typedef struct carried_t {
    doctor_t *doctor;
    size_t count;
} carried_t;

static int look_at_one (const saker_subscription_t *one, void *argument)
{
    carried_t *self = argument;
    findings_t *findings = &self->doctor->findings;
    bool alone = one->holders == 1 && json_array_size (self->doctor->links) > 1;
    self->count++;
    if (strcmp (one->state, "leaving") == 0) {
        findings_add (
            findings, *one->holder ? FINDING_NOTE : FINDING_WARNING, SAKER_EWAIT, "carried.leaving",
            findings_next ("let an admin's peer be reached, see saker peers: once it reports that "
                           "it has all of it, it is dropped here; or keep it: saker subscribe %s",
                           one->collection),
            "%s was left, and is kept until an admin's peer has all of it", one->collection);
    } else if (strcmp (one->state, "fetching") == 0) {
        findings_add (findings, FINDING_NOTE, SAKER_OK, "carried.fetching",
                      "it comes from members that carry it: saker links shows who is linked",
                      "%s is carried again, and not all of it is here yet", one->collection);
    } else if (strcmp (one->state, "empty") == 0) {
        findings_add (findings, FINDING_NOTE, SAKER_OK, "carried.empty",
                      findings_next ("if that is mistyped: saker unsubscribe %s, and subscribe to "
                                     "the right one; saker ls elsewhere lists them",
                                     one->collection),
                      "%s is carried, and nobody is known to have anything of it", one->collection);
    } else if (strcmp (one->state, "carried") == 0 && alone && one->changes > 0) {
        findings_add (findings, FINDING_NOTE, SAKER_OK, "carried.alone",
                      findings_next ("on another peer: saker subscribe %s", one->collection),
                      "%s is carried by this peer alone: it is lost with this disk",
                      one->collection);
    }
    return 0;
}

void doctor_carried (doctor_t *self)
{
    carried_t carried = {.doctor = self};
    if (saker_subscriptions (self->call->peer, NULL, look_at_one, &carried) == SAKER_OK) {
        findings_looked (&self->findings,
                         "whether what was left could be dropped, of %zu collection%s",
                         carried.count, amount_plural (carried.count));
    }
}
