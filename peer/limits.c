/* Limits: what of a writer stands, and what a device may do, by the statements that count
   (rights.c). */

#include "peer/roster_internal.h"

#include <stdlib.h>
#include <string.h>

static const skr_id_t the_roster;

/* ---- what one statement says */

bool skr_has_dot (const skr_dot_t *list, size_t count, const skr_dot_t *dot)
{
    for (size_t i = 0; i < count; i++) {
        if (skr_dot_compare (&list[i], dot) == 0) {
            return true;
        }
    }
    return false;
}

/* Or stated it: a device that closes its other writers goes on with this one. */
bool skr_writer_saw (const skr_writer_t *writer, const skr_role_statement_t *role)
{
    return skr_has_dot (writer->seen, writer->seen_count, &role->stamp.dot)
           || (role->fence && skr_id_equal (&role->stamp.dot.writer, &writer->writer));
}

static bool speaks_of (const skr_role_statement_t *role, const skr_id_t *collection)
{
    return skr_id_compare (&role->from, collection) <= 0
           && skr_id_compare (collection, &role->to) <= 0;
}

uint64_t skr_role_cutoff (const skr_role_statement_t *role, const skr_id_t *collection,
                          const skr_id_t *writer)
{
    size_t low = 0, high = role->cutoffs_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const skr_cutoff_t *cutoff = &role->cutoffs[middle];
        int order = skr_id_compare (&cutoff->collection, collection);
        order = order ? order : skr_id_compare (&cutoff->writer, writer);
        if (order == 0) {
            return cutoff->seq;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return 0;
}

/* A statement that takes the right to make roster statements. */
bool skr_role_takes_stating (const skr_role_statement_t *role)
{
    return !role->fence && role->role < SKR_ROLE_ADMIN && skr_id_is_zero (&role->collection)
           && speaks_of (role, &the_roster);
}

/* Did another ROLE give back at least `role`: one that saw the loss; or, when that left a right to
   read in the whole mesh, one of this collection alone? With `fence`: one that the fence knew of.
 */
static bool given_back (const skr_roster_t *self, const skr_role_statement_t *loss,
                        const skr_id_t *collection, skr_role_t role,
                        const skr_role_statement_t *fence)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *other = &self->roles[i];
        bool same = skr_id_equal (&other->collection, &loss->collection)
                    && skr_has_dot (other->seen, other->seen_count, &loss->stamp.dot);
        bool here = skr_id_is_zero (&loss->collection) && loss->role >= SKR_ROLE_READ
                    && !skr_id_is_zero (collection)
                    && skr_id_equal (&other->collection, collection);
        bool known = !fence || skr_has_dot (fence->seen, fence->seen_count, &other->stamp.dot);
        if (other->counts && !other->fence && other->role >= role && known
            && skr_same_device (other->device, loss->device) && (same || here)) {
            return true;
        }
    }
    return false;
}

/* What of a writer stands, as far as one statement goes. */
uint64_t skr_role_limit (const skr_roster_t *self, const skr_role_statement_t *role,
                         const skr_writer_t *writer, const skr_id_t *collection, skr_role_t needed)
{
    if (!skr_writer_saw (writer, role)) {
        return skr_role_cutoff (role, collection, &writer->writer);
    }
    return role->fence || given_back (self, role, collection, needed, NULL) ? UINT64_MAX : 0;
}

uint64_t skr_roster_own_limit (const skr_roster_t *self, const skr_writer_t *writer)
{
    uint64_t limit = UINT64_MAX;
    const skr_person_t *person = skr_roster_person (self, writer->device);
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        bool founder = person && person->founder; /* of whom only the device itself closes any */
        bool closing = role->counts && (role->fence || (skr_role_takes_stating (role) && !founder));
        if (closing && skr_same_device (role->device, writer->device)) {
            uint64_t here = skr_role_limit (self, role, writer, &the_roster, SKR_ROLE_ADMIN);
            limit = here < limit ? here : limit;
        }
    }
    return limit;
}

bool skr_roster_renewing_helps (const skr_roster_t *self, const skr_id_t *writer_id)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    for (size_t i = 0; writer && i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (role->counts && (role->fence || skr_role_takes_stating (role))
            && skr_same_device (role->device, writer->device) && !skr_writer_saw (writer, role)) {
            return true;
        }
    }
    return false;
}

/* The lowest of the roles that nobody has superseded; left alone when there is none. */
void skr_roster_stated (const skr_roster_t *self, const uint8_t device[32],
                        const skr_id_t *collection, skr_role_t *stated)
{
    bool any = false;
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (role->counts && !role->fence && !role->superseded
            && skr_same_device (role->device, device)
            && skr_id_equal (&role->collection, collection)) {
            *stated = !any || role->role < *stated ? role->role : *stated;
            any = true;
        }
    }
}

/* ---- questions */

/* May a statement close data of this collection? */
static bool takes_writing (const skr_role_statement_t *role, const skr_id_t *collection)
{
    bool here = skr_id_is_zero (&role->collection) || skr_id_equal (&role->collection, collection);
    return role->counts && speaks_of (role, collection)
           && (role->fence || (role->role < SKR_ROLE_WRITE && here));
}

static bool ever_wrote (const skr_roster_t *self, const uint8_t device[32],
                        const skr_id_t *collection)
{
    for (size_t i = 0; i < self->grants_count; i++) {
        const skr_grant_t *grant = &self->grants[i];
        if (grant->counts && grant->member.role >= SKR_ROLE_WRITE
            && skr_same_device (grant->member.device, device)) {
            return true;
        }
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (role->counts && !role->fence && role->role >= SKR_ROLE_WRITE
            && skr_same_device (role->device, device)
            && (skr_id_is_zero (&role->collection)
                || skr_id_equal (&role->collection, collection))) {
            return true;
        }
    }
    return false;
}

uint64_t skr_roster_limit (const skr_roster_t *self, const skr_id_t *writer_id,
                           const skr_id_t *collection)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    const skr_person_t *person = writer ? skr_roster_person (self, writer->device) : NULL;
    if (!person) {
        return 0;
    }
    if (skr_id_equal (collection, &the_roster)) {
        return skr_roster_own_limit (self, writer);
    }
    uint64_t forked = skr_roster_forked_at (self, writer_id, collection);
    uint64_t limit = forked ? forked - 1 : UINT64_MAX;
    if (person->member.role < SKR_ROLE_WRITE && !ever_wrote (self, writer->device, collection)) {
        return 0;
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (skr_same_device (role->device, writer->device) && takes_writing (role, collection)) {
            uint64_t here = skr_role_limit (self, role, writer, collection, SKR_ROLE_WRITE);
            limit = here < limit ? here : limit;
        }
    }
    return limit;
}

skr_role_t skr_roster_role (const skr_roster_t *self, const uint8_t device[32],
                            const skr_id_t *collection)
{
    const skr_person_t *person = skr_roster_person (self, device);
    skr_role_t role = person ? person->member.role : SKR_ROLE_NONE;
    if (role == SKR_ROLE_NONE || skr_id_is_zero (collection)) {
        return role;
    }
    const skr_role_t mesh = role;
    skr_roster_stated (self, device, collection, &role);
    if (mesh == SKR_ROLE_RELAY && role > mesh) {
        return mesh;
    }
    return mesh == SKR_ROLE_ADMIN && role < SKR_ROLE_READ ? SKR_ROLE_READ : role;
}

const skr_member_t *skr_roster_undrained (const skr_roster_t *self, const uint8_t *device,
                                          const skr_id_t *collection, const skr_clock_t *clock,
                                          uint64_t *missing)
{
    for (size_t i = 0; i < self->writers_count && self->roles_count > 0; i++) {
        const skr_id_t *writer = &self->writers[i].writer;
        if (device && !skr_same_device (self->writers[i].device, device)) {
            continue;
        }
        uint64_t limit = skr_roster_limit (self, writer, collection);
        uint64_t have = skr_clock_get (clock, writer);
        if (limit != UINT64_MAX && have < limit) {
            *missing = limit - have;
            return skr_roster_by_writer (self, writer);
        }
    }
    return skr_roster_undrained_leaver (self, device, collection, clock, missing);
}

/* Was there a time when it might not read? */
static bool read_not (const skr_roster_t *self, const uint8_t device[32],
                      const skr_id_t *collection)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (!role->fence && role->role < SKR_ROLE_READ && skr_same_device (role->device, device)
            && (!collection || skr_id_is_zero (&role->collection)
                || skr_id_equal (&role->collection, collection))) {
            return true;
        }
    }
    return false;
}

bool skr_roster_has_returned (const skr_roster_t *self, const uint8_t device[32],
                              const skr_id_t *collection)
{
    const skr_person_t *person = skr_roster_person (self, device);
    return person && (person->writers_count > 1 || read_not (self, device, collection));
}

const skr_member_t *skr_roster_returned (const skr_roster_t *self, const skr_id_t *collection)
{
    for (size_t i = 0; i < self->people_count; i++) {
        const skr_member_t *member = &self->people[i].member;
        if (skr_roster_has_returned (self, member->device, collection)
            && skr_roster_role (self, member->device, collection) != SKR_ROLE_NONE) {
            return member;
        }
    }
    return NULL;
}

/* How many writers of a device may still write in a collection. */
static size_t open_writers (const skr_roster_t *self, const uint8_t device[32],
                            const skr_id_t *collection)
{
    size_t count = 0;
    for (size_t i = 0; i < self->writers_count; i++) {
        const skr_writer_t *writer = &self->writers[i];
        count += skr_same_device (writer->device, device)
                 && skr_roster_limit (self, &writer->writer, collection) == UINT64_MAX;
    }
    return count;
}

const skr_member_t *skr_roster_doubled (const skr_roster_t *self, const skr_id_t *collection)
{
    for (size_t i = 0; i < self->people_count; i++) {
        const skr_member_t *member = &self->people[i].member;
        if (self->people[i].writers_count > 1
            && open_writers (self, member->device, collection) > 1) {
            return member;
        }
    }
    return NULL;
}

/* By a fence; or else, unless only fences are asked for, since the device was revoked once. Then it
   goes on as another. */
static bool is_closed (const skr_roster_t *self, const skr_writer_t *writer, bool fences)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        bool revoked = !fences && role->role == SKR_ROLE_NONE && skr_id_is_zero (&role->collection);
        if (role->counts && (role->fence || revoked)
            && skr_same_device (role->device, writer->device) && !skr_writer_saw (writer, role)) {
            return true;
        }
    }
    return false;
}

size_t skr_roster_present (const skr_roster_t *self, const uint8_t device[32], skr_id_t *writer)
{
    const skr_writer_t *latest = NULL;
    size_t count = 0;
    (void) skr_roster_writers (self, device, writer, 1); /* one that was let in again, and has
                                                            written nothing yet */
    for (size_t i = 0; i < self->writers_count; i++) {
        const skr_writer_t *one = &self->writers[i];
        if (skr_same_device (one->device, device) && !is_closed (self, one, false)) {
            latest = latest && latest->hlc > one->hlc ? latest : one; /* they ascend by id */
            count++;
        }
    }
    if (latest) {
        *writer = latest->writer;
    }
    return count;
}

bool skr_roster_is_founder (const skr_roster_t *self, const uint8_t device[32])
{
    const skr_person_t *person = skr_roster_person (self, device);
    return person && person->founder;
}

bool skr_roster_is_fenced (const skr_roster_t *self, const uint8_t device[32])
{
    const skr_person_t *person = skr_roster_person (self, device);
    return person && person->fenced;
}

bool skr_roster_writer_is_fenced (const skr_roster_t *self, const skr_id_t *writer_id)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    return writer && is_closed (self, writer, true);
}

bool skr_roster_is_shut_out (const skr_roster_t *self, const skr_id_t *writer_id)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    const skr_person_t *person = writer ? skr_roster_person (self, writer->device) : NULL;
    skr_id_t latest;
    return person && person->member.role != SKR_ROLE_NONE && is_closed (self, writer, false)
           && !is_closed (self, writer, true)
           && skr_roster_present (self, writer->device, &latest) > 0;
}

const skr_member_t *skr_roster_fenced (const skr_roster_t *self)
{
    for (size_t i = 0; i < self->people_count; i++) {
        if (self->people[i].fenced && self->people[i].member.role != SKR_ROLE_NONE) {
            return &self->people[i].member;
        }
    }
    return NULL;
}

bool skr_roster_fence_closes (const skr_roster_t *self, const skr_id_t *writer_id,
                              const skr_id_t *collection, uint64_t seq)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    bool fenced = false;
    for (size_t i = 0; i < self->roles_count && writer; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        if (skr_same_device (role->device, writer->device) && takes_writing (role, collection)
            && seq > skr_role_limit (self, role, writer, collection, SKR_ROLE_WRITE)) {
            if (!role->fence) {
                return false;
            }
            fenced = true;
        }
    }
    return fenced;
}

/* Is there a fence that makes this change void, and was the right not given back before it? */
static bool fenced_since (const skr_roster_t *self, const skr_role_statement_t *loss,
                          const skr_writer_t *writer, const skr_id_t *collection, uint64_t seq)
{
    for (size_t i = 0; i < self->roles_count; i++) {
        const skr_role_statement_t *fence = &self->roles[i];
        if (fence->counts && fence->fence && skr_same_device (fence->device, writer->device)
            && seq > skr_role_limit (self, fence, writer, collection, SKR_ROLE_WRITE)
            && !given_back (self, loss, collection, SKR_ROLE_WRITE, fence)) {
            return true;
        }
    }
    return false;
}

const skr_member_t *skr_roster_voucher (const skr_roster_t *self, const skr_id_t *writer_id,
                                        const skr_id_t *collection, uint64_t seq)
{
    const skr_writer_t *writer = skr_roster_writer (self, writer_id);
    const skr_role_statement_t *by = NULL;
    bool fenced = writer && skr_roster_fence_closes (self, writer_id, collection, seq);
    for (size_t i = 0; i < self->roles_count && fenced; i++) {
        const skr_role_statement_t *loss = &self->roles[i];
        if (!loss->fence && skr_same_device (loss->device, writer->device)
            && takes_writing (loss, collection) && !skr_writer_saw (writer, loss)
            && (!by || skr_dot_compare (&loss->stamp.dot, &by->stamp.dot) < 0)
            && fenced_since (self, loss, writer, collection, seq)) {
            by = loss; /* that it lets the change stand: fences alone close it */
        }
    }
    return by ? skr_roster_by_writer (self, &by->stamp.dot.writer) : NULL;
}

uint64_t skr_roster_closings (const skr_roster_t *self)
{
    return self->closings;
}

static int compare_dots (const void *one, const void *other)
{
    return skr_dot_compare (one, other);
}

void skr_roster_seen (const skr_roster_t *self, const uint8_t device[32],
                      const skr_id_t *collection, skr_buf_t *seen)
{
    skr_dot_t dots[SKR_SEEN_MAX];
    size_t count = 0;
    for (size_t i = 0; i < self->roles_count && count < SKR_SEEN_MAX; i++) {
        const skr_role_statement_t *role = &self->roles[i];
        bool wanted = !collection || (!role->fence && skr_id_equal (&role->collection, collection));
        if (wanted && skr_same_device (role->device, device)) {
            dots[count++] = role->stamp.dot;
        }
    }
    if (count > 0) {
        qsort (dots, count, sizeof *dots, compare_dots);
        skr_cbor_put_array (seen, count);
    }
    for (size_t i = 0; i < count; i++) {
        skr_cbor_put_array (seen, 3);
        skr_cbor_put_bytes (seen, dots[i].writer.bytes, sizeof dots[i].writer.bytes);
        skr_cbor_put_uint (seen, dots[i].seq);
        skr_cbor_put_uint (seen, dots[i].index);
    }
}

uint64_t skr_roster_generation (const skr_roster_t *self, const skr_id_t *collection)
{
    uint64_t generation = 0;
    for (size_t i = 0; i < self->keys_count; i++) {
        const skr_roster_key_t *key = &self->keys[i];
        if (key->generation > generation && skr_id_equal (&key->collection, collection)) {
            generation = key->generation;
        }
    }
    return generation;
}
