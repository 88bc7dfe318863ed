/* What an admin's replica does to give and take rights, and to change keys (design 8). */

#include "crdt/hlc.h"
#include "peer/replica_internal.h"
#include "peer/stating.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define COPIES_MAX 384   /* of a key, in one statement */
#define WRITERS_MAX 1024 /* of one device, that are looked at */
#define TURN_MS (3600ull * 1000)

static const skr_id_t the_mesh; /* and the roster */

static saker_err_t no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "out of memory");
}

static saker_err_t check_admin (const skr_replica_t *self)
{
    const skr_member_t *member = skr_replica_self (self);
    return member && member->role == SKR_ROLE_ADMIN
               ? SAKER_OK
               : skr_fail (SAKER_ERIGHT, "only an admin gives and takes rights: ask one");
}

/* ---- cutoffs */

typedef struct cutoffs_t {
    skr_cutoff_t *list; /* ascending by collection, writer */
    size_t count, capacity;
} cutoffs_t;

static saker_err_t add_cutoff (cutoffs_t *self, const skr_cutoff_t *cutoff)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 16;
        skr_cutoff_t *list = realloc (self->list, capacity * sizeof *list);
        if (!list) {
            return no_memory ();
        }
        self->list = list;
        self->capacity = capacity;
    }
    self->list[self->count++] = *cutoff;
    return SAKER_OK;
}

static int compare_cutoffs (const void *one, const void *other)
{
    const skr_cutoff_t *a = one, *b = other;
    int order = skr_id_compare (&a->collection, &b->collection);
    return order ? order : skr_id_compare (&a->writer, &b->writer);
}

static skr_cutoff_t *find_cutoff (const cutoffs_t *cutoffs, const skr_id_t *collection,
                                  const skr_id_t *writer)
{
    for (size_t i = 0; i < cutoffs->count; i++) {
        skr_cutoff_t *cutoff = &cutoffs->list[i];
        if (skr_id_equal (&cutoff->collection, collection)
            && skr_id_equal (&cutoff->writer, writer)) {
            return cutoff;
        }
    }
    return NULL;
}

static bool is_of (const skr_replica_t *self, const uint8_t device[32], const skr_id_t *writer)
{
    const skr_member_t *member = skr_roster_by_writer (self->roster, writer);
    return member && memcmp (member->device, device, SKR_DEVICE_KEY_BYTES) == 0;
}

static saker_err_t raise (cutoffs_t *cutoffs, const skr_cutoff_t *cutoff)
{
    skr_cutoff_t *found = find_cutoff (cutoffs, &cutoff->collection, &cutoff->writer);
    if (found) {
        found->seq = found->seq < cutoff->seq ? cutoff->seq : found->seq;
        return SAKER_OK;
    }
    return add_cutoff (cutoffs, cutoff);
}

/* A device writes nothing more in what it left, and does not have any more what it wrote there: all
   of that stands, also where it has not arrived here yet. What it says of the writers of others is
   nothing. */
static saker_err_t raise_to_left (const skr_replica_t *self, const uint8_t device[32],
                                  cutoffs_t *cutoffs)
{
    const skr_subscription_t *subscription = skr_roster_subscription (self->roster, device);
    for (size_t i = 0; i < subscription->count; i++) {
        const skr_named_t *named = &subscription->named[i];
        for (size_t k = 0; k < named->left.count && !named->carried; k++) {
            const skr_tick_t *tick = &named->left.ticks[k];
            const skr_cutoff_t cutoff = {named->collection, tick->writer, tick->seq};
            SKR_TRY (is_of (self, device, &tick->writer) ? raise (cutoffs, &cutoff) : SAKER_OK);
        }
    }
    return SAKER_OK;
}

static int compare_ids (const void *one, const void *other)
{
    return skr_id_compare (one, other);
}

/* How far this peer has the writers of a device, in one collection or (NULL) in all. */
static saker_err_t list_cutoffs (const skr_replica_t *self, const uint8_t device[32],
                                 const skr_id_t *only, cutoffs_t *cutoffs)
{
    skr_id_t *writers = calloc (WRITERS_MAX, sizeof *writers);
    if (!writers) {
        return no_memory ();
    }
    size_t count = skr_roster_writers (self->roster, device, writers, WRITERS_MAX);
    saker_err_t error = SAKER_OK;
    qsort (writers, count, sizeof *writers, compare_ids);
    for (size_t i = 0; i < self->held_count && error == SAKER_OK; i++) {
        const skr_held_t *held = self->by_id[i];
        for (size_t k = 0; k < count && error == SAKER_OK; k++) {
            uint64_t seq = skr_clock_get (&held->live.clock, &writers[k]);
            if (seq > 0 && (!only || skr_id_equal (only, &held->live.id))) {
                error = add_cutoff (cutoffs, &(skr_cutoff_t){held->live.id, writers[k], seq});
            }
        }
    }
    free (writers);
    return error;
}

/* ---- statements of a role or a fence */

static skr_id_t before (const skr_id_t *id)
{
    skr_id_t less = *id;
    for (size_t i = sizeof less.bytes; i-- > 0 && less.bytes[i]-- == 0;) {
    }
    return less;
}

/* How many of the cutoffs from `first` on one statement takes: whole collections. */
static size_t fitting (const cutoffs_t *cutoffs, size_t first)
{
    size_t count = cutoffs->count - first;
    if (count <= SKR_CUTOFFS_MAX) {
        return count;
    }
    for (count = SKR_CUTOFFS_MAX; count > 1; count--) {
        const skr_cutoff_t *next = &cutoffs->list[first + count];
        if (!skr_id_equal (&next[-1].collection, &next->collection)) {
            break;
        }
    }
    return count;
}

/* As many statements as the cutoffs need; together they speak of all from `from` to `to`. */
static saker_err_t put_closings (skr_stating_t *stating, skr_closing_t *closing,
                                 const cutoffs_t *cutoffs, bool fence)
{
    const skr_id_t to = closing->to;
    size_t at = 0;
    do {
        size_t count = fitting (cutoffs, at);
        closing->cutoffs = cutoffs->list + at;
        closing->cutoffs_count = count;
        at += count;
        closing->to = at < cutoffs->count ? before (&cutoffs->list[at].collection) : to;
        if (fence) {
            skr_statement_fence (&stating->buf, closing);
        } else {
            skr_statement_role (&stating->buf, closing);
        }
        SKR_TRY (skr_stating_end (stating));
        closing->from = at < cutoffs->count ? cutoffs->list[at].collection : closing->from;
    } while (at < cutoffs->count);
    return SAKER_OK;
}

/* Which collections a ROLE speaks of: one that leaves the right to write closes the roster alone.
 */
static void set_range (skr_closing_t *closing, const skr_id_t *collection, skr_role_t role)
{
    bool all = !collection && role < SKR_ROLE_WRITE;
    closing->collection = closing->from = closing->to = collection ? *collection : the_mesh;
    if (all) {
        memset (closing->to.bytes, 0xff, sizeof closing->to.bytes);
    }
}

/* `seen` is what the statement supersedes. */
static saker_err_t state_closing (skr_replica_t *self, skr_closing_t *closing,
                                  const skr_buf_t *seen, const cutoffs_t *cutoffs, bool fence)
{
    skr_stating_t stating = {0};
    closing->seen = skr_span_of (seen);
    saker_err_t error =
        seen->failed ? no_memory () : put_closings (&stating, closing, cutoffs, fence);
    if (error == SAKER_OK) {
        error = skr_stating_make (&stating, self);
    }
    skr_stating_free (&stating);
    return error;
}

static saker_err_t state_role (skr_replica_t *self, const uint8_t device[32],
                               const skr_id_t *collection, skr_role_t role)
{
    skr_closing_t closing = {.role = role};
    skr_buf_t seen = {0};
    cutoffs_t cutoffs = {0};
    const skr_id_t *only = collection ? collection : role < SKR_ROLE_WRITE ? NULL : &the_mesh;
    memcpy (closing.device, device, sizeof closing.device);
    set_range (&closing, collection, role);
    skr_roster_seen (self->roster, device, collection ? collection : &the_mesh, &seen);
    saker_err_t error = list_cutoffs (self, device, only, &cutoffs);
    if (error == SAKER_OK) {
        error = state_closing (self, &closing, &seen, &cutoffs, false);
    }
    free (cutoffs.list);
    skr_buf_free (&seen);
    return error;
}

/* ---- keys */

static saker_err_t put_key (skr_stating_t *stating, const skr_id_t *collection, uint64_t generation,
                            const uint8_t *key, const skr_member_t *const *members, size_t count)
{
    for (size_t at = 0; at < count; at += COPIES_MAX) {
        size_t some = count - at < COPIES_MAX ? count - at : COPIES_MAX;
        SKR_TRY (
            skr_statement_key (&stating->buf, collection, generation, key, members + at, some));
        SKR_TRY (skr_stating_end (stating));
    }
    return SAKER_OK;
}

/* Those who may read a collection (the mesh's key: those who may read at all). */
static size_t list_readers (const skr_roster_t *roster, const skr_id_t *collection,
                            const skr_member_t **readers)
{
    size_t count = 0;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        if (member->role >= SKR_ROLE_READ
            && skr_roster_role (roster, member->device, collection) >= SKR_ROLE_READ) {
            readers[count++] = member;
        }
    }
    return count;
}

static saker_err_t rotate_one (skr_replica_t *self, skr_stating_t *stating,
                               const skr_id_t *collection)
{
    uint8_t key[SKR_SEAL_KEY_BYTES];
    const skr_roster_t *roster = self->roster;
    const skr_member_t **readers = calloc (skr_roster_count (roster) + 1, sizeof *readers);
    if (!readers) {
        return no_memory ();
    }
    size_t count = list_readers (roster, collection, readers);
    randombytes_buf (key, sizeof key);
    saker_err_t error = put_key (
        stating, collection, skr_roster_generation (roster, collection) + 1, key, readers, count);
    sodium_memzero (key, sizeof key);
    free (readers);
    return error;
}

static bool named_before (const skr_roster_t *roster, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (skr_id_equal (&skr_roster_key_at (roster, i)->collection,
                          &skr_roster_key_at (roster, at)->collection)) {
            return true;
        }
    }
    return false;
}

static saker_err_t rotate_all (skr_replica_t *self, skr_stating_t *stating)
{
    const skr_roster_t *roster = self->roster;
    SKR_TRY (rotate_one (self, stating, &the_mesh));
    for (size_t i = 0; i < skr_roster_keys (roster); i++) {
        const skr_id_t *collection = &skr_roster_key_at (roster, i)->collection;
        if (!skr_id_equal (collection, &the_mesh) && !named_before (roster, i)) {
            SKR_TRY (rotate_one (self, stating, collection));
        }
    }
    return SAKER_OK;
}

saker_err_t skr_replica_rotate (skr_replica_t *self)
{
    skr_stating_t stating = {0};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    saker_err_t error = rotate_all (self, &stating);
    if (error == SAKER_OK) {
        error = skr_stating_make (&stating, self);
    }
    skr_stating_free (&stating);
    return error;
}

typedef struct giving_t {
    skr_stating_t *stating;
    const skr_member_t *member;
} giving_t;

static saker_err_t give_key (const skr_id_t *collection, uint64_t generation, const uint8_t *key,
                             void *argument)
{
    giving_t *giving = argument;
    return put_key (giving->stating, collection, generation, key, &giving->member, 1);
}

/* Whoever may read from now on may read what there is. */
static saker_err_t give_keys (skr_replica_t *self, const skr_member_t *member)
{
    skr_stating_t stating = {0};
    giving_t giving = {&stating, member};
    saker_err_t error = skr_keyring_each (self->keyring, give_key, &giving);
    if (error == SAKER_OK) {
        error = skr_stating_make (&stating, self);
    }
    skr_stating_free (&stating);
    return error;
}

/* ---- keys that somebody lacks */

typedef struct sharing_t {
    skr_replica_t *replica;
    skr_stating_t stating;
} sharing_t;

static bool has_copy_in (skr_span_t copies, const uint8_t device[32])
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, copies);
    size_t count = skr_cbor_get_array (&cbor, SKR_ROSTER_MEMBERS_MAX);
    for (size_t i = 0; i < count && cbor.error == SAKER_OK; i++) {
        (void) skr_cbor_get_array (&cbor, 2);
        skr_span_t whose = skr_cbor_get_bytes (&cbor);
        (void) skr_cbor_get_bytes (&cbor);
        if (skr_span_equal (whose, skr_span (device, SKR_DEVICE_KEY_BYTES))) {
            return true;
        }
    }
    return false;
}

static bool has_copy (const skr_roster_t *roster, const skr_id_t *collection,
                      const uint8_t key_id[SKR_KEY_ID_BYTES], const uint8_t device[32])
{
    for (size_t i = 0; i < skr_roster_keys (roster); i++) {
        const skr_roster_key_t *key = skr_roster_key_at (roster, i);
        if (memcmp (key->key_id, key_id, SKR_KEY_ID_BYTES) == 0
            && skr_id_equal (&key->collection, collection) && has_copy_in (key->copies, device)) {
            return true;
        }
    }
    return false;
}

static saker_err_t share_key (const skr_id_t *collection, uint64_t generation, const uint8_t *key,
                              void *argument)
{
    sharing_t *sharing = argument;
    const skr_roster_t *roster = sharing->replica->roster;
    const skr_member_t **readers = calloc (skr_roster_count (roster) + 1, sizeof *readers);
    uint8_t hash[32];
    size_t lacking = 0;
    if (!readers) {
        return no_memory ();
    }
    crypto_generichash (hash, sizeof hash, key, SKR_SEAL_KEY_BYTES, NULL, 0);
    size_t count = list_readers (roster, collection, readers);
    for (size_t i = 0; i < count; i++) {
        if (!has_copy (roster, collection, hash, readers[i]->device)) {
            readers[lacking++] = readers[i];
        }
    }
    saker_err_t error = put_key (&sharing->stating, collection, generation, key, readers, lacking);
    free (readers);
    return error;
}

saker_err_t skr_replica_share_keys (skr_replica_t *self)
{
    sharing_t sharing = {.replica = self};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    saker_err_t error = skr_keyring_each (self->keyring, share_key, &sharing);
    if (error == SAKER_OK) {
        error = skr_stating_make (&sharing.stating, self);
    }
    skr_stating_free (&sharing.stating);
    return error;
}

/* ---- turns */

size_t skr_replica_turn (const skr_replica_t *self)
{
    const skr_member_t *own = skr_replica_self (self);
    size_t before = 0;
    if (!own || own->role != SKR_ROLE_ADMIN) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < skr_roster_count (self->roster); i++) {
        const skr_member_t *member = skr_roster_at (self->roster, i);
        before += member->role == SKR_ROLE_ADMIN
                  && memcmp (member->device, own->device, sizeof own->device) < 0;
    }
    return before;
}

bool skr_replica_rotation_due (const skr_replica_t *self)
{
    size_t turn = skr_replica_turn (self);
    uint64_t newest_ms = 0;
    if (turn == SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < skr_roster_keys (self->roster); i++) {
        const skr_roster_key_t *key = skr_roster_key_at (self->roster, i);
        uint64_t ms = skr_hlc_ms (key->hlc);
        newest_ms = key->counts && skr_id_equal (&key->collection, &the_mesh) && ms > newest_ms
                        ? ms
                        : newest_ms;
    }
    return self->world->wall_ms (self->world->context)
           >= newest_ms + SKR_ROTATE_EVERY_MS + turn * TURN_MS;
}

/* ---- roles */

/* Was it closed at changes that are not here? To state that again, at what is here, gives them up:
   they may be with somebody alone who is out of the mesh, too. */
static bool has_more (const skr_replica_t *self, const skr_member_t *member)
{
    for (size_t i = 1; i < skr_replica_collections (self); i++) {
        const skr_collection_t *held = skr_replica_collection_at (self, i);
        uint64_t missing;
        if (skr_roster_undrained (self->roster, member->device, &held->id, &held->clock,
                                  &missing)) {
            return true;
        }
    }
    return false;
}

static saker_err_t check_target (const skr_replica_t *self, const skr_member_t *member,
                                 const skr_id_t *collection, skr_role_t role)
{
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    if (memcmp (member->device, skr_device_key (self->device), 32) == 0) {
        return skr_fail (SAKER_EUSAGE,
                         "a device does not change its own rights: ask another admin");
    }
    if (skr_roster_is_founder (self->roster, member->device)) {
        return skr_fail (SAKER_ERIGHT, "%s founded the mesh, and stays its admin", member->name);
    }
    if (skr_roster_role (self->roster, member->device, collection ? collection : &the_mesh) == role
        && (role >= SKR_ROLE_WRITE || !has_more (self, member))) {
        return role ? skr_fail (SAKER_EEXIST, "%s has the role %s already", member->name,
                                skr_role_text (role))
                    : skr_fail (SAKER_EEXIST, "%s was revoked already", member->name);
    }
    if (collection && member->role < SKR_ROLE_READ && role > member->role) {
        return skr_fail (SAKER_EINPUT,
                         "%s may read nothing of the mesh: give it a role there first, with saker "
                         "role %s read",
                         member->name, member->name);
    }
    if (collection && member->role == SKR_ROLE_ADMIN && role < SKR_ROLE_WRITE) {
        return skr_fail (SAKER_EINPUT,
                         "%s is an admin, who holds every collection: change its "
                         "role in the mesh first",
                         member->name);
    }
    return collection && role == SKR_ROLE_ADMIN
               ? skr_fail (SAKER_EINPUT, "an admin is one of the whole mesh, not of a collection")
               : SAKER_OK;
}

static saker_err_t change_keys (skr_replica_t *self, const skr_member_t *member,
                                const skr_id_t *collection, skr_role_t old, skr_role_t role)
{
    skr_stating_t stating = {0};
    if (role > old) {
        return old < SKR_ROLE_READ && role >= SKR_ROLE_READ ? give_keys (self, member) : SAKER_OK;
    }
    if (role >= SKR_ROLE_READ || !collection) {
        return skr_replica_rotate (self);
    }
    saker_err_t error = rotate_one (self, &stating, collection);
    if (error == SAKER_OK) {
        error = skr_stating_make (&stating, self);
    }
    skr_stating_free (&stating);
    return error;
}

saker_err_t skr_replica_set_role (skr_replica_t *self, const uint8_t device[32],
                                  const char *collection_name, skr_role_t role)
{
    skr_id_t id;
    const skr_id_t *collection = NULL;
    const skr_member_t *found = skr_roster_by_device (self->roster, device);
    if (!found) {
        return skr_fail (SAKER_ENOTFOUND, "no such member");
    }
    if (collection_name) {
        SKR_TRY (skr_collection_name_check (collection_name));
        skr_replica_collection_id (self, collection_name, &id);
        collection = &id;
    }
    skr_member_t member = *found;
    SKR_TRY (check_target (self, &member, collection, role));
    skr_role_t old = skr_roster_role (self->roster, device, collection ? collection : &the_mesh);
    SKR_TRY (state_role (self, device, collection, role));
    if (!collection) {
        member.role = role;
    }
    return change_keys (self, &member, collection, old, role);
}

/* ---- fences */

/* An admin's statements close others at what it has: one that nobody waits for could name less than
   all others have let go of. */
static saker_err_t check_fence (const skr_replica_t *self, const skr_member_t *member)
{
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    if (memcmp (member->device, skr_device_key (self->device), 32) == 0) {
        return skr_fail (SAKER_EUSAGE, "a device does not fence itself: it is not away");
    }
    if (skr_roster_is_founder (self->roster, member->device)) {
        return skr_fail (SAKER_ERIGHT, "%s founded the mesh: it is waited for", member->name);
    }
    if (member->role == SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT,
                         "%s is an admin, and is waited for: take that from it first, with saker "
                         "role %s write",
                         member->name, member->name);
    }
    if (member->role == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EEXIST, "%s was revoked: nobody waits for it", member->name);
    }
    return skr_roster_is_fenced (self->roster, member->device) ? skr_fail (
               SAKER_EEXIST, "%s was fenced already, and has not come back", member->name)
                                                               : SAKER_OK;
}

static saker_err_t state_fence (skr_replica_t *self, const uint8_t device[32],
                                const skr_cutoff_t *kept, size_t count)
{
    skr_closing_t closing = {.role = SKR_ROLE_NONE};
    skr_buf_t seen = {0};
    cutoffs_t cutoffs = {0};
    memcpy (closing.device, device, sizeof closing.device);
    memset (closing.to.bytes, 0xff, sizeof closing.to.bytes);
    skr_roster_seen (self->roster, device, NULL, &seen);
    saker_err_t error = list_cutoffs (self, device, NULL, &cutoffs);
    error = error == SAKER_OK ? raise_to_left (self, device, &cutoffs) : error;
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = raise (&cutoffs, &kept[i]);
    }
    if (error == SAKER_OK && cutoffs.count > 1) {
        qsort (cutoffs.list, cutoffs.count, sizeof *cutoffs.list, compare_cutoffs);
    }
    if (error == SAKER_OK) {
        error = state_closing (self, &closing, &seen, &cutoffs, true);
    }
    free (cutoffs.list);
    skr_buf_free (&seen);
    return error;
}

saker_err_t skr_replica_fence (skr_replica_t *self, const uint8_t device[32])
{
    const skr_member_t *member = skr_roster_by_device (self->roster, device);
    if (!member) {
        return skr_fail (SAKER_ENOTFOUND, "no such member");
    }
    SKR_TRY (check_fence (self, member));
    return state_fence (self, device, NULL, 0);
}

saker_err_t skr_replica_close_others (skr_replica_t *self, const skr_cutoff_t *kept, size_t count)
{
    SKR_TRY (skr_replica_check_group (self));
    return state_fence (self, skr_device_key (self->device), kept, count);
}
