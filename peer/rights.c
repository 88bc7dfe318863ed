/* Rights: which statements of a roster count, and so who may do what (design 8). All of it follows
   from the set of statements, never from the order in which they came.

   A statement counts when its author was an admin and it is not above what closes its author's
   writer. A ROLE that takes the right to state things away closes the writers of its device, so
   such statements may close each other's authors. Among them:
     - one that no other of them closes counts;
     - one that a counting one closes does not;
     - those that close each other in a ring (two admins who revoke each other) all count.
   Then admissions are followed from the founder on; what was stated by who turns out never to have
   been an admin is left out, and the rest is looked at again. Fences by admins always count: they
   take no right, and a fence that stopped counting would bring back what was issued anew since.
   What an admin stated beyond a fence of its own does not: it may name less than all others have
   cut; and where the device itself closed its other writers (succession.h), neither do fences that
   those stated beyond that. What a device states of itself counts as long as it is not revoked. */

#include "peer/roster_internal.h"

#include <stdlib.h>
#include <string.h>

typedef enum verdict_t { UNDECIDED, VOID, COUNTS } verdict_t;

/* One ROLE or FENCE on trial; same index as in the roster. */
typedef struct trial_t {
    const skr_writer_t *author; /* NULL: not introduced yet */
    const skr_person_t *person; /* its author; NULL: unknown */
    bool left_out;
    bool shut_out; /* a fence of a device by itself, which was revoked */
    verdict_t verdict;
} trial_t;

typedef struct court_t {
    skr_roster_t *roster;
    trial_t *trials;
    uint8_t *reach; /* a row a statement: those that close it, directly or through others */
    bool *admin;    /* by index of person: was one, by what counts */
} court_t;

/* ---- who closes whom in the roster */

static const skr_id_t the_roster;

static bool closes_at (const skr_role_statement_t *role, const skr_writer_t *writer, uint64_t seq)
{
    return skr_role_takes_stating (role) && skr_same_device (role->device, writer->device)
           && !skr_writer_saw (writer, role)
           && seq > skr_role_cutoff (role, &the_roster, &writer->writer);
}

static bool on_trial (const court_t *court, size_t i)
{
    const trial_t *trial = &court->trials[i];
    return trial->author && !trial->left_out && skr_role_takes_stating (&court->roster->roles[i]);
}

/* Does statement i close the author of statement k below k? */
static bool closes (const court_t *court, size_t i, size_t k)
{
    return i != k && on_trial (court, i) && on_trial (court, k) && !court->trials[k].person->founder
           && closes_at (&court->roster->roles[i], court->trials[k].author,
                         court->roster->roles[k].stamp.dot.seq);
}

static bool *reach (const court_t *court, size_t k, size_t i)
{
    return (bool *) &court->reach[k * court->roster->roles_count + i];
}

/* Marks all from which k can be reached, by undecided ones. */
static void trace_back (const court_t *court, size_t k)
{
    size_t count = court->roster->roles_count;
    bool grew = true;
    memset (reach (court, k, 0), 0, count);
    for (size_t i = 0; i < count; i++) {
        *reach (court, k, i) = court->trials[i].verdict == UNDECIDED && closes (court, i, k);
    }
    while (grew) {
        grew = false;
        for (size_t i = 0; i < count; i++) {
            for (size_t via = 0; via < count && !*reach (court, k, i); via++) {
                bool leads = *reach (court, k, via) && court->trials[i].verdict == UNDECIDED
                             && closes (court, i, via);
                *reach (court, k, i) |= leads;
                grew |= leads;
            }
        }
    }
}

/* Is everything that leads to k reached from it in turn? */
static bool is_in_ring (const court_t *court, size_t k)
{
    for (size_t i = 0; i < court->roster->roles_count; i++) {
        if (i != k && *reach (court, k, i) && !*reach (court, i, k)) {
            return false;
        }
    }
    return true;
}

static bool decide_plain (court_t *court)
{
    size_t count = court->roster->roles_count;
    bool any = false;
    for (size_t k = 0; k < count; k++) {
        bool closed = false, open = true;
        if (!on_trial (court, k) || court->trials[k].verdict != UNDECIDED) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (court->trials[i].verdict != VOID && closes (court, i, k)) {
                closed |= court->trials[i].verdict == COUNTS;
                open = false;
            }
        }
        if (closed || open) {
            court->trials[k].verdict = closed ? VOID : COUNTS;
            any = true;
        }
    }
    return any;
}

/* Nothing is plain any more: what is left hangs on rings. False: nothing is left. */
static bool decide_rings (court_t *court)
{
    size_t count = court->roster->roles_count;
    bool any = false;
    for (size_t k = 0; k < count; k++) {
        if (on_trial (court, k) && court->trials[k].verdict == UNDECIDED) {
            trace_back (court, k);
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (on_trial (court, k) && court->trials[k].verdict == UNDECIDED && is_in_ring (court, k)) {
            court->roster->roles[k].counts = true; /* for now a mark */
            any = true;
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (court->roster->roles[k].counts && court->trials[k].verdict == UNDECIDED) {
            court->trials[k].verdict = COUNTS;
        }
    }
    return any;
}

static void decide (court_t *court)
{
    for (size_t i = 0; i < court->roster->roles_count; i++) {
        court->trials[i].verdict = UNDECIDED;
        court->roster->roles[i].counts &= court->roster->roles[i].fence;
    }
    while (decide_plain (court) || decide_rings (court)) {
    }
    for (size_t i = 0; i < court->roster->roles_count; i++) {
        court->roster->roles[i].counts |= on_trial (court, i) && court->trials[i].verdict == COUNTS;
    }
}

/* ---- from the founder on */

static bool is_admins (const court_t *court, const skr_dot_t *dot)
{
    const skr_writer_t *writer = skr_roster_writer (court->roster, &dot->writer);
    const skr_person_t *person = writer ? skr_roster_person (court->roster, writer->device) : NULL;
    return person && court->admin[person - court->roster->people]
           && dot->seq <= skr_roster_own_limit (court->roster, writer);
}

static bool raise_admin (const court_t *court, const uint8_t device[32], const skr_dot_t *by)
{
    const skr_person_t *person = skr_roster_person (court->roster, device);
    if (!person || court->admin[person - court->roster->people] || !is_admins (court, by)) {
        return false;
    }
    return court->admin[person - court->roster->people] = true;
}

static void find_admins (court_t *court)
{
    skr_roster_t *self = court->roster;
    bool grew = true;
    for (size_t i = 0; i < self->people_count; i++) {
        court->admin[i] = self->people[i].founder;
    }
    while (grew) {
        grew = false;
        for (size_t i = 0; i < self->grants_count; i++) {
            const skr_grant_t *grant = &self->grants[i];
            grew |= grant->member.role == SKR_ROLE_ADMIN
                    && raise_admin (court, grant->member.device, &grant->stamp.dot);
        }
        for (size_t i = 0; i < self->roles_count; i++) {
            const skr_role_statement_t *role = &self->roles[i];
            grew |= !role->fence && role->role == SKR_ROLE_ADMIN
                    && skr_id_is_zero (&role->collection)
                    && raise_admin (court, role->device, &role->stamp.dot);
        }
    }
}

/* Leaves out what was stated by who was never an admin. False: there was nothing of that kind. */
static bool leave_out (court_t *court)
{
    bool any = false;
    for (size_t i = 0; i < court->roster->roles_count; i++) {
        trial_t *trial = &court->trials[i];
        if (court->roster->roles[i].counts && !court->roster->roles[i].fence
            && !court->admin[trial->person - court->roster->people]) {
            trial->left_out = true;
            any = true;
        }
    }
    return any;
}

/* ---- what that makes of everybody */

static void count_statements (court_t *court)
{
    skr_roster_t *self = court->roster;
    for (size_t i = 0; i < self->roles_count; i++) {
        skr_role_statement_t *role = &self->roles[i];
        if (!role->fence && !skr_role_takes_stating (role)) {
            const skr_person_t *person = skr_roster_person (self, role->device);
            role->counts = !(person && person->founder) && is_admins (court, &role->stamp.dot);
        }
    }
    for (size_t i = 0; i < self->grants_count; i++) {
        skr_grant_t *grant = &self->grants[i];
        grant->counts = grant->founding || is_admins (court, &grant->stamp.dot);
    }
    for (size_t i = 0; i < self->keys_count; i++) {
        const skr_dot_t dot = {self->keys[i].writer, self->keys[i].seq, 0};
        self->keys[i].counts = is_admins (court, &dot);
    }
}

static void count_all (skr_roster_t *self)
{
    for (size_t i = 0; i < self->grants_count; i++) {
        self->grants[i].counts = true;
    }
    for (size_t i = 0; i < self->keys_count; i++) {
        self->keys[i].counts = true;
    }
}

static void note_superseded (skr_roster_t *self)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        skr_role_statement_t *role = &self->roles[i];
        role->superseded = false;
        for (size_t k = 0; k < self->roles_count && !role->superseded; k++) {
            const skr_role_statement_t *other = &self->roles[k];
            role->superseded = other->counts && other->fence == role->fence
                               && skr_same_device (other->device, role->device)
                               && skr_id_equal (&other->collection, &role->collection)
                               && skr_has_dot (other->seen, other->seen_count, &role->stamp.dot);
        }
    }
}

/* Name and keys are those of the latest admission that counts, or of the latest at all. */
static void apply_grant (skr_roster_t *self, const skr_grant_t *grant)
{
    skr_person_t *person = skr_roster_person (self, grant->member.device);
    skr_role_t role = person->member.role;
    if (!person->described || grant->counts > person->granted
        || (grant->counts == person->granted && skr_stamp_later (&grant->stamp, &person->stamp))) {
        person->member = grant->member;
        person->stamp = grant->stamp;
        person->granted = grant->counts;
        person->described = true;
    }
    person->member.role = grant->counts && grant->member.role > role ? grant->member.role : role;
}

static void describe_people (skr_roster_t *self)
{
    for (size_t i = 0; i < self->people_count; i++) {
        self->people[i].described = self->people[i].granted = false;
        self->people[i].member.role = SKR_ROLE_NONE;
    }
    for (size_t i = 0; i < self->grants_count; i++) {
        apply_grant (self, &self->grants[i]);
    }
    note_superseded (self);
    for (size_t i = 0; i < self->roles_count; i++) {
        skr_person_t *person = skr_roster_person (self, self->roles[i].device);
        if (person && !person->founder) {
            skr_roster_stated (self, person->member.device, &the_roster, &person->member.role);
        }
    }
}

/* Has some writer of the device seen the fence: did it come back? */
static bool came_back (const skr_roster_t *self, const skr_role_statement_t *fence)
{
    for (size_t i = 0; i < self->writers_count; i++) {
        if (skr_same_device (self->writers[i].device, fence->device)
            && skr_writer_saw (&self->writers[i], fence)) {
            return true;
        }
    }
    return false;
}

/* What is asked of each person all the time. */
static void note_standing (skr_roster_t *self)
{
    for (size_t i = 0; i < self->people_count; i++) {
        self->people[i].writers_count = 0;
        self->people[i].fenced = false;
    }
    for (size_t i = 0; i < self->writers_count; i++) {
        skr_person_t *person = skr_roster_person (self, self->writers[i].device);
        if (person) {
            person->writers_count++;
        }
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        skr_person_t *person = skr_roster_person (self, role->device);
        if (person && role->fence && role->counts && !person->fenced) {
            person->fenced = !came_back (self, role);
        }
    }
}

static void note_ever (skr_roster_t *self)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        skr_person_t *person = skr_roster_person (self, role->device);
        if (person && !role->fence && role->role > person->ever
            && skr_id_is_zero (&role->collection)) {
            person->ever = role->role;
        }
    }
}

/* Is a statement beyond a fence of its author; with `own`, one by the device itself? */
static bool is_fenced_off (const skr_roster_t *self, const skr_writer_t *author, uint64_t seq,
                           bool own)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (role->fence && role->counts && (role->own || !own)
            && skr_same_device (role->device, author->device) && !skr_writer_saw (author, role)
            && seq > skr_role_cutoff (role, &the_roster, &author->writer)) {
            return true;
        }
    }
    return false;
}

static void find_authors (court_t *court)
{
    const skr_roster_t *self = court->roster;
    for (size_t i = 0; i < self->roles_count; i++) {
        skr_role_statement_t *role = &self->roles[i];
        const skr_writer_t *author = skr_roster_writer (self, &role->stamp.dot.writer);
        trial_t *trial = &court->trials[i];
        trial->author = author;
        trial->person = author ? skr_roster_person (self, author->device) : NULL;
        role->own = role->fence && trial->person && skr_same_device (author->device, role->device);
    }
}

static void call_in (court_t *court)
{
    const skr_roster_t *self = court->roster;
    for (size_t i = 0; i < self->roles_count; i++) {
        self->roles[i].counts = self->roles[i].own && !court->trials[i].shut_out;
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        skr_role_statement_t *role = &self->roles[i];
        const trial_t *trial = &court->trials[i];
        role->counts |= role->fence && !role->own && trial->person
                        && trial->person->ever == SKR_ROLE_ADMIN
                        && !is_fenced_off (self, trial->author, role->stamp.dot.seq, true);
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        const skr_person_t *target = skr_roster_person (self, role->device);
        trial_t *trial = &court->trials[i];
        trial->left_out = !trial->person || (target && target->founder)
                          || is_fenced_off (self, trial->author, role->stamp.dot.seq, false);
    }
}

/* Was what a writer stated at `seq` stated by a device that was revoked? */
static bool is_revoked (const skr_roster_t *self, const skr_writer_t *writer, uint64_t seq)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (role->counts && !role->fence && role->role == SKR_ROLE_NONE
            && skr_id_is_zero (&role->collection) && skr_same_device (role->device, writer->device)
            && seq > skr_role_limit (self, role, writer, &the_roster, SKR_ROLE_RELAY)) {
            return true;
        }
    }
    return false;
}

/* What a revoked device says of itself has no effect. False: nothing of that kind counted. */
static bool shut_out (court_t *court)
{
    const skr_roster_t *self = court->roster;
    bool any = false;
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        trial_t *trial = &court->trials[i];
        if (role->own && role->counts && is_revoked (self, trial->author, role->stamp.dot.seq)) {
            any = trial->shut_out = true;
        }
    }
    return any;
}

static void hear (court_t *court)
{
    find_authors (court);
    do {
        call_in (court);
        do {
            decide (court);
            find_admins (court);
        } while (leave_out (court));
    } while (shut_out (court));
    count_statements (court);
}

static saker_err_t judge (skr_roster_t *self)
{
    court_t court = {.roster = self};
    size_t count = self->roles_count;
    court.trials = calloc (count, sizeof *court.trials);
    court.reach = calloc (count, count);
    court.admin = calloc (self->people_count + 1, sizeof *court.admin);
    bool enough = court.trials && court.reach && court.admin;
    if (enough) {
        hear (&court);
        self->closings++;
    }
    free (court.trials);
    free (court.reach);
    free (court.admin);
    return enough ? SAKER_OK : skr_fail (SAKER_ENOMEM, "out of memory");
}

static void count_forks (skr_roster_t *self)
{
    for (size_t i = 0; i < self->forks_count; i++) {
        skr_fork_statement_t *fork = &self->forks[i];
        const skr_writer_t *author = skr_roster_writer (self, &fork->dot.writer);
        fork->counts = author && !is_revoked (self, author, fork->dot.seq);
    }
}

saker_err_t skr_roster_settle (skr_roster_t *self)
{
    note_ever (self);
    if (self->roles_count > 0) {
        SKR_TRY (judge (self));
    } else {
        count_all (self);
    }
    count_forks (self);
    self->closings += self->forks_count > 0;
    describe_people (self);
    note_standing (self);
    skr_roster_note_subscriptions (self);
    return SAKER_OK;
}
