/* The roster is a sum: what is kept of each statement does not depend on the order in which they
   came. So a device is listed from its first statement on, but is a member only once one that
   counts (rights.c) gave it a role. */

#include "peer/roster_internal.h"
#include "peer/toll.h"

#include <stdlib.h>
#include <string.h>

#define WRITERS_MAX SKR_CLOCK_WRITERS_MAX
#define GRANTS_MAX (2 * SKR_ROSTER_MEMBERS_MAX)
/* Roster changes of a writer above its limit are kept without effect, since others may hold them
   already; but not without end. */
#define ABOVE_LIMIT_MAX 256

/* ---- making */

saker_err_t skr_roster_new (skr_roster_t **self_p, const skr_id_t *mesh)
{
    skr_roster_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->mesh = *mesh;
    *self_p = self;
    return SAKER_OK;
}

void skr_roster_destroy (skr_roster_t **self_p)
{
    skr_roster_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->keys_count; i++) {
        free ((void *) self->keys[i].copies.data);
    }
    for (size_t i = 0; i < self->writers_count; i++) {
        free (self->writers[i].seen);
    }
    for (size_t i = 0; i < self->roles_count; i++) {
        free (self->roles[i].seen);
        free (self->roles[i].cutoffs);
    }
    for (size_t i = 0; i < self->subscriptions_count; i++) {
        skr_subscription_free (&self->subscriptions[i].subscription);
    }
    free (self->subscriptions);
    free (self->tolls);
    free (self->keys);
    free (self->roles);
    free (self->forks);
    free (self->grants);
    free (self->writers);
    free (self->people);
    free (self);
    *self_p = NULL;
}

/* ---- looking up */

static size_t person_at (const skr_roster_t *self, const uint8_t device[32])
{
    size_t low = 0, high = self->people_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp (self->people[middle].member.device, device, SKR_DEVICE_KEY_BYTES) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool person_is (const skr_roster_t *self, size_t at, const uint8_t device[32])
{
    return at < self->people_count
           && memcmp (self->people[at].member.device, device, SKR_DEVICE_KEY_BYTES) == 0;
}

skr_person_t *skr_roster_person (const skr_roster_t *self, const uint8_t device[32])
{
    size_t at = person_at (self, device);
    return person_is (self, at, device) ? &self->people[at] : NULL;
}

const skr_member_t *skr_roster_by_device (const skr_roster_t *self, const uint8_t device[32])
{
    const skr_person_t *person = skr_roster_person (self, device);
    return person ? &person->member : NULL;
}

static size_t writer_at (const skr_roster_t *self, const skr_id_t *writer)
{
    size_t low = 0, high = self->writers_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&self->writers[middle].writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const skr_writer_t *skr_roster_writer (const skr_roster_t *self, const skr_id_t *writer)
{
    size_t at = writer_at (self, writer);
    bool found = at < self->writers_count && skr_id_equal (&self->writers[at].writer, writer);
    return found ? &self->writers[at] : NULL;
}

const skr_member_t *skr_roster_by_writer (const skr_roster_t *self, const skr_id_t *writer)
{
    const skr_writer_t *found = skr_roster_writer (self, writer);
    return found ? skr_roster_by_device (self, found->device) : NULL;
}

const skr_member_t *skr_roster_by_transport (const skr_roster_t *self, const uint8_t key[32])
{
    for (size_t i = 0; i < self->people_count; i++) {
        if (self->people[i].member.role != SKR_ROLE_NONE
            && memcmp (self->people[i].member.transport, key, SKR_TRANSPORT_KEY_BYTES) == 0) {
            return &self->people[i].member;
        }
    }
    return NULL;
}

typedef struct fits_t {
    const skr_member_t *member;
    size_t count;
    skr_buf_t list; /* "name (digits), name (digits)" */
} fits_t;

static void add_fit (fits_t *fits, const skr_member_t *member)
{
    char digits[17];
    skr_device_text (member->device, digits);
    if (fits->count++ > 0) {
        skr_buf_append (&fits->list, ", ", 2);
    }
    skr_buf_append (&fits->list, member->name, strlen (member->name));
    skr_buf_append (&fits->list, " (", 2);
    skr_buf_append (&fits->list, digits, 16);
    skr_buf_append (&fits->list, ")", 1);
    fits->member = member;
}

static void find_by_name (const skr_roster_t *self, const char *name, fits_t *fits)
{
    for (size_t i = 0; i < self->people_count && fits->count < 16; i++) {
        if (strcmp (self->people[i].member.name, name) == 0) {
            add_fit (fits, &self->people[i].member);
        }
    }
}

static void find_by_digits (const skr_roster_t *self, const char *digits, fits_t *fits)
{
    size_t size = strlen (digits);
    if (size < 4 || size > 16) {
        return;
    }
    for (size_t i = 0; i < self->people_count && fits->count < 16; i++) {
        char text[17];
        skr_device_text (self->people[i].member.device, text);
        if (strncmp (text, digits, size) == 0) {
            add_fit (fits, &self->people[i].member);
        }
    }
}

saker_err_t skr_roster_by_name (const skr_roster_t *self, const char *name,
                                const skr_member_t **member)
{
    fits_t fits = {0};
    saker_err_t error = SAKER_OK;
    find_by_name (self, name, &fits);
    if (fits.count == 0) {
        find_by_digits (self, name, &fits);
    }
    if (fits.count == 0) {
        error = skr_fail (SAKER_ENOTFOUND, "no member called %.80s", name);
    } else if (fits.count > 1) {
        error = skr_fail (SAKER_EINPUT, "%.80s fits several members: %.*s; give the digits", name,
                          (int) fits.list.size, (const char *) fits.list.data);
    }
    skr_buf_free (&fits.list);
    *member = error == SAKER_OK ? fits.member : NULL;
    return error;
}

bool skr_roster_awaits (const skr_roster_t *self, const skr_member_t *member)
{
    return member->role != SKR_ROLE_NONE && !skr_roster_is_fenced (self, member->device);
}

bool skr_roster_counts (const skr_roster_t *self, const skr_member_t *member,
                        const skr_id_t *collection)
{
    return skr_roster_role (self, member->device, collection) >= SKR_ROLE_READ
           && skr_roster_carries (self, member->device, collection)
           && !skr_roster_is_fenced (self, member->device);
}

size_t skr_roster_count (const skr_roster_t *self)
{
    return self->people_count;
}

const skr_member_t *skr_roster_at (const skr_roster_t *self, size_t index)
{
    return index < self->people_count ? &self->people[index].member : NULL;
}

static bool later_writer (const skr_writer_t *one, const skr_writer_t *other)
{
    return one->hlc != other->hlc ? one->hlc > other->hlc
                                  : skr_id_compare (&one->writer, &other->writer) > 0;
}

bool skr_roster_is_later (const skr_roster_t *self, const skr_id_t *one, const skr_id_t *other)
{
    const skr_writer_t *left = skr_roster_writer (self, one);
    const skr_writer_t *right = skr_roster_writer (self, other);
    bool closed = skr_roster_writer_is_fenced (self, one);
    if (!left || !right || closed != skr_roster_writer_is_fenced (self, other)) {
        return left && (!right || !closed);
    }
    return later_writer (left, right);
}

/* The latest of a device's writers that is earlier than `before` (NULL: of all). */
static const skr_writer_t *latest_writer (const skr_roster_t *self, const uint8_t device[32],
                                          const skr_writer_t *before)
{
    const skr_writer_t *latest = NULL;
    for (size_t i = 0; i < self->writers_count; i++) {
        const skr_writer_t *writer = &self->writers[i];
        bool fits = memcmp (writer->device, device, SKR_DEVICE_KEY_BYTES) == 0
                    && (!before || later_writer (before, writer));
        if (fits && (!latest || later_writer (writer, latest))) {
            latest = writer;
        }
    }
    return latest;
}

size_t skr_roster_writers (const skr_roster_t *self, const uint8_t device[32], skr_id_t *writers,
                           size_t count)
{
    const skr_writer_t *before = NULL;
    size_t found = 0;
    while (found < count && (before = latest_writer (self, device, before))) {
        writers[found++] = before->writer;
    }
    return found;
}

const skr_id_t *skr_roster_mesh (const skr_roster_t *self)
{
    return &self->mesh;
}

const char *skr_roster_mesh_name (const skr_roster_t *self)
{
    return self->mesh_name;
}

size_t skr_roster_forks (const skr_roster_t *self)
{
    return self->forks_count;
}

uint64_t skr_roster_forked_at (const skr_roster_t *self, const skr_id_t *writer,
                               const skr_id_t *collection)
{
    uint64_t first = 0;
    for (size_t i = 0; i < self->forks_count; i++) {
        const skr_fork_settled_t *fork = &self->forks[i].settled;
        if (self->forks[i].counts && skr_id_equal (&fork->writer, writer)
            && skr_id_equal (&fork->collection, collection) && (!first || fork->seq < first)) {
            first = fork->seq;
        }
    }
    return first;
}

bool skr_roster_adopts (const skr_roster_t *self, const skr_id_t *collection,
                        const skr_id_t *writer, uint64_t seq, const uint8_t hash[SKR_HASH_BYTES])
{
    for (size_t i = 0; i < self->forks_count; i++) {
        const skr_fork_settled_t *fork = &self->forks[i].settled;
        if (self->forks[i].counts && seq <= fork->upto && skr_id_equal (&fork->writer, writer)
            && skr_id_equal (&fork->collection, collection)
            && memcmp (hash, fork->hash, SKR_HASH_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

size_t skr_roster_keys (const skr_roster_t *self)
{
    return self->keys_count;
}

const skr_roster_key_t *skr_roster_key_at (const skr_roster_t *self, size_t index)
{
    return index < self->keys_count ? &self->keys[index] : NULL;
}

/* ---- adding */

static saker_err_t grow (void **items, size_t *capacity, size_t count, size_t size,
                         size_t count_max)
{
    if (count < *capacity) {
        return SAKER_OK;
    }
    if (count >= count_max) {
        return skr_fail (SAKER_ELIMIT, "the roster holds at most %zu of these", count_max);
    }
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void *grown = realloc (*items, wanted * size);
    if (!grown) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    *items = grown;
    *capacity = wanted;
    return SAKER_OK;
}

bool skr_stamp_later (const skr_stamp_t *one, const skr_stamp_t *other)
{
    return one->hlc != other->hlc ? one->hlc > other->hlc
                                  : skr_dot_compare (&one->dot, &other->dot) > 0;
}

static saker_err_t find_or_add_person (skr_roster_t *self, const skr_member_t *member,
                                       skr_person_t **person)
{
    size_t at = person_at (self, member->device);
    if (!person_is (self, at, member->device)) {
        void *people = self->people;
        SKR_TRY (grow (&people, &self->people_capacity, self->people_count, sizeof *self->people,
                       SKR_ROSTER_MEMBERS_MAX));
        self->people = people;
        memmove (&self->people[at + 1], &self->people[at],
                 (self->people_count - at) * sizeof *self->people);
        self->people[at] = (skr_person_t){.member = *member};
        self->people[at].member.role = SKR_ROLE_NONE;
        self->people_count++;
    }
    *person = &self->people[at];
    return SAKER_OK;
}

static saker_err_t add_grant (skr_roster_t *self, const skr_member_t *member,
                              const skr_stamp_t *stamp, bool founding)
{
    skr_person_t *person = NULL;
    void *grants = self->grants;
    SKR_TRY (find_or_add_person (self, member, &person));
    SKR_TRY (grow (&grants, &self->grants_capacity, self->grants_count, sizeof *self->grants,
                   GRANTS_MAX));
    self->grants = grants;
    self->grants[self->grants_count++] =
        (skr_grant_t){.member = *member, .stamp = *stamp, .founding = founding};
    person->founder |= founding;
    person->ever = member->role > person->ever ? member->role : person->ever;
    return SAKER_OK;
}

static saker_err_t add_found (skr_roster_t *self, const skr_statement_t *statement)
{
    /* design 8: the founder cannot be changed by anybody. */
    skr_stamp_t last;
    memset (&last, 0xff, sizeof last); /* later than whatever time and dot an admin can make up */
    memcpy (self->mesh_name, statement->mesh_name, sizeof self->mesh_name);
    return add_grant (self, &statement->member, &last, true);
}

static saker_err_t add_role (skr_roster_t *self, const skr_statement_t *statement,
                             const skr_stamp_t *stamp)
{
    skr_role_statement_t role = {.fence = statement->kind == SKR_STATEMENT_FENCE,
                                 .collection = statement->collection,
                                 .role = statement->member.role,
                                 .stamp = *stamp,
                                 .from = statement->from,
                                 .to = statement->to};
    void *roles = self->roles;
    memcpy (role.device, statement->member.device, sizeof role.device);
    SKR_TRY (grow (&roles, &self->roles_capacity, self->roles_count, sizeof *self->roles,
                   SKR_ROSTER_ROLES_MAX + SKR_ROSTER_OWN_MAX));
    self->roles = roles;
    saker_err_t error = skr_statement_seen (statement->seen, &role.seen, &role.seen_count);
    if (error == SAKER_OK) {
        error = skr_statement_cutoffs (statement->cutoffs, &role.cutoffs, &role.cutoffs_count);
    }
    if (error != SAKER_OK) {
        free (role.seen);
        return error;
    }
    self->roles[self->roles_count++] = role;
    return SAKER_OK;
}

static saker_err_t add_fork (skr_roster_t *self, const skr_statement_t *statement,
                             const skr_dot_t *dot)
{
    void *forks = self->forks;
    SKR_TRY (grow (&forks, &self->forks_capacity, self->forks_count, sizeof *self->forks,
                   SKR_ROSTER_FORKS_MAX));
    self->forks = forks;
    self->forks[self->forks_count++] =
        (skr_fork_statement_t){.settled = statement->fork, .dot = *dot};
    return SAKER_OK;
}

/* The one of this writer, made when it is missing. */
static saker_err_t subscribe_of (skr_roster_t *self, const skr_id_t *writer,
                                 skr_subscribe_statement_t **found)
{
    void *subscriptions = self->subscriptions;
    for (size_t i = 0; i < self->subscriptions_count; i++) {
        if (skr_id_equal (&self->subscriptions[i].dot.writer, writer)) {
            *found = &self->subscriptions[i];
            return SAKER_OK;
        }
    }
    SKR_TRY (grow (&subscriptions, &self->subscriptions_capacity, self->subscriptions_count,
                   sizeof *self->subscriptions, SKR_ROSTER_SUBSCRIPTIONS_MAX));
    self->subscriptions = subscriptions;
    *found = &self->subscriptions[self->subscriptions_count++];
    **found = (skr_subscribe_statement_t){.dot = {.writer = *writer},
                                          .subscription = skr_subscription_all ()};
    return SAKER_OK;
}

/* Of each writer the last one is all that is asked for. */
static saker_err_t add_subscribe (skr_roster_t *self, const skr_statement_t *statement,
                                  const skr_dot_t *dot)
{
    skr_subscribe_statement_t *subscribe = NULL;
    SKR_TRY (subscribe_of (self, &dot->writer, &subscribe));
    if (skr_dot_compare (&subscribe->dot, dot) > 0) {
        return SAKER_OK;
    }
    memcpy (subscribe->device, statement->member.device, sizeof subscribe->device);
    subscribe->dot = *dot;
    return skr_statement_subscription (statement, &subscribe->subscription);
}

static saker_err_t add_writer (skr_roster_t *self, const skr_statement_t *statement, uint64_t hlc)
{
    skr_writer_t writer = {.hlc = hlc};
    void *writers = self->writers;
    memcpy (writer.device, statement->member.device, sizeof writer.device);
    skr_device_writer (writer.device, statement->incarnation, &writer.writer);
    if (skr_roster_writer (self, &writer.writer)) {
        return SAKER_OK;
    }
    SKR_TRY (
        grow (&writers, &self->writers_capacity, self->writers_count, sizeof writer, WRITERS_MAX));
    self->writers = writers;
    SKR_TRY (skr_statement_seen (statement->seen, &writer.seen, &writer.seen_count));
    size_t at = writer_at (self, &writer.writer);
    memmove (&self->writers[at + 1], &self->writers[at],
             (self->writers_count - at) * sizeof writer);
    self->writers[at] = writer;
    self->writers_count++;
    return SAKER_OK;
}

static saker_err_t add_key (skr_roster_t *self, const skr_statement_t *statement,
                            const skr_dot_t *dot, uint64_t hlc)
{
    void *keys = self->keys;
    SKR_TRY (grow (&keys, &self->keys_capacity, self->keys_count, sizeof *self->keys,
                   SKR_ROSTER_KEYS_MAX));
    self->keys = keys;
    uint8_t *copies = malloc (statement->copies.size);
    if (!copies) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    memcpy (copies, statement->copies.data, statement->copies.size);
    skr_roster_key_t *key = &self->keys[self->keys_count++];
    *key = (skr_roster_key_t){.collection = statement->collection,
                              .generation = statement->generation,
                              .hlc = hlc,
                              .writer = dot->writer,
                              .seq = dot->seq,
                              .copies = skr_span (copies, statement->copies.size)};
    memcpy (key->key_id, statement->key_id, sizeof key->key_id);
    return SAKER_OK;
}

saker_err_t skr_roster_keep (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                             skr_span_t bytes)
{
    skr_statement_t statement;
    const skr_stamp_t stamp = {.hlc = hlc, .dot = *dot};
    SKR_TRY (skr_statement_read (bytes, &statement));
    SKR_TRY (skr_roster_pay (self, &dot->writer, skr_toll_cost (&statement, bytes)));
    switch (statement.kind) {
    case SKR_STATEMENT_FOUND:
        return add_found (self, &statement);
    case SKR_STATEMENT_INCARNATE:
        return add_writer (self, &statement, hlc);
    case SKR_STATEMENT_ADMIT:
        return add_grant (self, &statement.member, &stamp, false);
    case SKR_STATEMENT_ROLE:
    case SKR_STATEMENT_FENCE:
        return add_role (self, &statement, &stamp);
    case SKR_STATEMENT_FORK:
        return add_fork (self, &statement, dot);
    case SKR_STATEMENT_KEY:
        return add_key (self, &statement, dot, hlc);
    case SKR_STATEMENT_SUBSCRIBE:
        return add_subscribe (self, &statement, dot);
    default:
        return SAKER_OK; /* of a later version: kept and passed on, without effect */
    }
}

saker_err_t skr_roster_add (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                            skr_span_t bytes)
{
    SKR_TRY (skr_roster_keep (self, dot, hlc, bytes));
    return skr_roster_settle (self);
}

/* ---- checking */

/* Who wrote a change, as far as this roster and the change itself tell. */
typedef struct author_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    bool known;      /* its writer was introduced before */
    bool founding;   /* this change founds the mesh */
    skr_role_t ever; /* the highest role that it ever had: whether a statement counts is another
                        question, which all peers answer alike once they know the same */
} author_t;

static bool founds (const skr_roster_t *self, const skr_statement_t *statement)
{
    skr_id_t mesh;
    skr_device_mesh (statement->member.device, statement->random, &mesh);
    return skr_id_equal (&mesh, &self->mesh);
}

static bool introduces (const skr_change_t *change, const skr_statement_t *statement)
{
    skr_id_t writer;
    skr_device_writer (statement->member.device, statement->incarnation, &writer);
    return skr_id_equal (&writer, &change->writer);
}

/* Each operation is a statement; whether its author may make it is asked later. */
static saker_err_t check_forms (const skr_content_t *content)
{
    for (size_t i = 0; i < content->ops_count; i++) {
        const skr_op_t *op = &content->ops[i];
        skr_statement_t statement;
        if (op->kind != SKR_OP_STATEMENT || op->document.size || op->path.size) {
            return skr_fail (SAKER_EINPUT, "the roster holds statements only");
        }
        SKR_TRY (skr_statement_read (op->argument, &statement));
    }
    return SAKER_OK;
}

static saker_err_t introduced_author (const skr_roster_t *self, const skr_change_t *change,
                                      const skr_content_t *content, author_t *author)
{
    for (size_t i = 0; i < content->ops_count; i++) {
        skr_statement_t statement;
        SKR_TRY (skr_statement_read (content->ops[i].argument, &statement));
        if (statement.kind == SKR_STATEMENT_FOUND && i == 0) {
            author->founding = founds (self, &statement);
        }
        if (statement.kind == SKR_STATEMENT_INCARNATE && introduces (change, &statement)) {
            memcpy (author->device, statement.member.device, sizeof author->device);
            return SAKER_OK;
        }
    }
    return skr_fail (change->seq == 1 ? SAKER_EINPUT : SAKER_EWAIT,
                     "the writer of a roster change was not introduced");
}

static saker_err_t find_author (const skr_roster_t *self, const skr_change_t *change,
                                const skr_content_t *content, author_t *author)
{
    const skr_writer_t *writer = skr_roster_writer (self, &change->writer);
    memset (author, 0, sizeof *author);
    if (writer) {
        memcpy (author->device, writer->device, sizeof author->device);
        author->known = true;
    } else {
        SKR_TRY (introduced_author (self, change, content, author));
    }
    const skr_person_t *person = skr_roster_person (self, author->device);
    author->ever = person ? person->ever : author->founding ? SKR_ROLE_ADMIN : SKR_ROLE_NONE;
    if (author->ever == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EWAIT, "the author of a roster change is not a member yet");
    }
    return SAKER_OK;
}

static saker_err_t check_admit (const skr_roster_t *self, const skr_statement_t *statement,
                                const author_t *author, size_t ops_count)
{
    if (author->ever != SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT, "only an admin admits");
    }
    if (self->people_count + ops_count > SKR_ROSTER_MEMBERS_MAX
        && !skr_roster_by_device (self, statement->member.device)) {
        return skr_fail (SAKER_ELIMIT, "a mesh has at most %d members", SKR_ROSTER_MEMBERS_MAX);
    }
    return SAKER_OK;
}

static saker_err_t check_key (const skr_roster_t *self, const skr_statement_t *statement,
                              const author_t *author, size_t ops_count)
{
    if (author->ever != SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT, "only an admin gives out keys");
    }
    if (self->keys_count + ops_count > SKR_ROSTER_KEYS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a roster holds at most %d keys", SKR_ROSTER_KEYS_MAX);
    }
    /* A key that is ahead of all others would seal for ever, whoever knows it. */
    if (statement->generation > skr_roster_generation (self, &statement->collection) + ops_count) {
        return skr_fail (SAKER_EWAIT, "the keys before this one are not here yet");
    }
    return SAKER_OK;
}

static size_t count_own (const skr_roster_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->roles_count; i++) {
        count += self->roles[i].own;
    }
    return count;
}

static saker_err_t check_closing (const skr_roster_t *self, const skr_statement_t *statement,
                                  const author_t *author, size_t ops_count)
{
    const skr_person_t *person = skr_roster_person (self, statement->member.device);
    bool own = statement->kind == SKR_STATEMENT_FENCE
               && memcmp (statement->member.device, author->device, 32) == 0;
    if (author->ever != SKR_ROLE_ADMIN && !own) {
        return skr_fail (SAKER_ERIGHT, "only an admin gives and takes rights");
    }
    if (!person) {
        return skr_fail (SAKER_EWAIT, "whose rights these are is not a member yet");
    }
    if (person->founder && !own) {
        return skr_fail (SAKER_ERIGHT, "the founder's rights cannot be taken");
    }
    size_t count = own ? count_own (self) : self->roles_count - count_own (self);
    size_t most = own ? SKR_ROSTER_OWN_MAX : SKR_ROSTER_ROLES_MAX;
    return count + ops_count > most ? skr_fail (
               SAKER_ELIMIT, "a roster holds at most %zu statements of roles and fences", most)
                                    : SAKER_OK;
}

static saker_err_t check_fork (const skr_roster_t *self, const skr_statement_t *statement,
                               const author_t *author, size_t ops_count)
{
    const skr_writer_t *writer = skr_roster_writer (self, &statement->fork.writer);
    if (memcmp (statement->member.device, author->device, 32) != 0
        || (writer && memcmp (writer->device, author->device, 32) != 0)) {
        return skr_fail (SAKER_ERIGHT, "a device settles forks of its own writers only");
    }
    if (!writer) {
        return skr_fail (SAKER_EWAIT, "the writer of a fork was not introduced");
    }
    if (self->forks_count + ops_count > SKR_ROSTER_FORKS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a roster holds at most %d forks", SKR_ROSTER_FORKS_MAX);
    }
    return SAKER_OK;
}

static saker_err_t check_subscribe (const skr_roster_t *self, bool self_said)
{
    if (!self_said) {
        return skr_fail (SAKER_ERIGHT, "a device states what it carries itself");
    }
    return self->subscriptions_count >= SKR_ROSTER_SUBSCRIPTIONS_MAX
               ? skr_fail (SAKER_ELIMIT, "a roster holds the subscriptions of at most %d writers",
                           SKR_ROSTER_SUBSCRIPTIONS_MAX)
               : SAKER_OK;
}

static saker_err_t check_limit (const skr_roster_t *self, const skr_change_t *change)
{
    static const skr_id_t roster;
    uint64_t limit = skr_roster_limit (self, &change->writer, &roster);
    return limit <= UINT64_MAX - ABOVE_LIMIT_MAX && change->seq > limit + ABOVE_LIMIT_MAX
               ? skr_fail (SAKER_ERIGHT, "too many roster changes of who may make none any more")
               : SAKER_OK;
}

/* A change is checked before any of it is added, so as if each operation added something. */
static saker_err_t check_right (const skr_roster_t *self, const skr_change_t *change,
                                const skr_statement_t *statement, const author_t *author,
                                size_t index, size_t ops_count)
{
    bool self_said = memcmp (statement->member.device, author->device, 32) == 0;
    switch (statement->kind) {
    case SKR_STATEMENT_FOUND:
        if (index != 0 || change->seq != 1 || !self_said || !founds (self, statement)) {
            return skr_fail (SAKER_ERIGHT, "this is not the founder of the mesh");
        }
        return SAKER_OK;
    case SKR_STATEMENT_INCARNATE:
        if (change->seq != 1 || !self_said || !introduces (change, statement)) {
            return skr_fail (SAKER_ERIGHT, "a device introduces itself only");
        }
        return SAKER_OK;
    case SKR_STATEMENT_ADMIT:
        return check_admit (self, statement, author, ops_count);
    case SKR_STATEMENT_KEY:
        return check_key (self, statement, author, ops_count);
    case SKR_STATEMENT_ROLE:
    case SKR_STATEMENT_FENCE:
        return check_closing (self, statement, author, ops_count);
    case SKR_STATEMENT_FORK:
        return check_fork (self, statement, author, ops_count);
    case SKR_STATEMENT_SUBSCRIBE:
        return check_subscribe (self, self_said);
    default:
        return SAKER_OK;
    }
}

saker_err_t skr_roster_check (const skr_roster_t *self, const skr_change_t *change,
                              const skr_content_t *content)
{
    author_t author;
    SKR_TRY (check_forms (content));
    SKR_TRY (find_author (self, change, content, &author));
    SKR_TRY (skr_change_verify (change, &self->mesh, author.device));
    if (author.known) {
        SKR_TRY (check_limit (self, change));
    }
    if (!author.known && self->writers_count >= WRITERS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a mesh has at most %d writers", WRITERS_MAX);
    }
    for (size_t i = 0; i < content->ops_count; i++) {
        skr_statement_t statement;
        SKR_TRY (skr_statement_read (content->ops[i].argument, &statement));
        SKR_TRY (check_right (self, change, &statement, &author, i, content->ops_count));
    }
    return SAKER_OK;
}
