/* The roster is a sum: what is kept of each statement does not depend on the order in which they
   came. So a device is listed from its first statement on, but is a member only once one gave it a
   role. */

#include "peer/roster.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WRITERS_MAX SKR_CLOCK_WRITERS_MAX

enum {
    STATEMENT_FOUND = 1,
    STATEMENT_INCARNATE = 2,
    STATEMENT_ADMIT = 3,
    STATEMENT_KEY = 4,
};

/* A statement, taken apart. Borrows. */
typedef struct statement_t {
    uint64_t kind;
    skr_member_t member; /* FOUND, ADMIT; INCARNATE: the device alone */
    uint8_t random[32];
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_id_t collection;
    uint8_t key_id[SKR_KEY_ID_BYTES];
    skr_span_t copies;
} statement_t;

/* When something was said; the later one counts. */
typedef struct stamp_t {
    uint64_t hlc;
    skr_dot_t dot;
} stamp_t;

typedef struct person_t {
    skr_member_t member;
    stamp_t stamp; /* of the latest admission */
} person_t;

typedef struct writer_t {
    skr_id_t writer;
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint64_t hlc;
} writer_t;

struct skr_roster_t {
    skr_id_t mesh;
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    person_t *people; /* ascending by device key */
    size_t people_count, people_capacity;
    writer_t *writers; /* ascending by writer */
    size_t writers_count, writers_capacity;
    skr_roster_key_t *keys; /* in order of addition; each owns its copies */
    size_t keys_count, keys_capacity;
};

/* ---- roles and names */

static const char *const role_texts[] = {"none", "relay", "read", "write", "admin"};

skr_role_t skr_role_parse (const char *text)
{
    for (int role = SKR_ROLE_RELAY; role <= SKR_ROLE_ADMIN; role++) {
        if (strcmp (text, role_texts[role]) == 0) {
            return (skr_role_t) role;
        }
    }
    return SKR_ROLE_NONE;
}

const char *skr_role_text (skr_role_t role)
{
    return role >= SKR_ROLE_NONE && role <= SKR_ROLE_ADMIN ? role_texts[role] : "unknown";
}

/* Names are printed on terminals: nothing in them may steer one. */
static bool name_good (skr_span_t name)
{
    if (name.size < 1 || name.size > SKR_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        bool c1 = name.data[i] == 0xc2 && i + 1 < name.size && name.data[i + 1] < 0xa0;
        if (name.data[i] < 0x20 || name.data[i] == 0x7f || c1) {
            return false;
        }
    }
    return skr_utf8_valid ((const char *) name.data, name.size);
}

saker_err_t skr_roster_name_check (const char *what, const char *name)
{
    if (!name_good (skr_span_text (name))) {
        return skr_fail (SAKER_EINPUT,
                         "the name of a %s is UTF-8 of 1 to %d bytes without control characters",
                         what, SKR_NAME_BYTES_MAX);
    }
    return SAKER_OK;
}

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
    free (self->keys);
    free (self->writers);
    free (self->people);
    free (self);
    *self_p = NULL;
}

/* ---- reading statements */

static void take_key (skr_cbor_t *cbor, int64_t *last, uint64_t wanted)
{
    if (skr_cbor_get_key (cbor, last) != wanted) {
        skr_cbor_reject (cbor, "a statement lacks a key");
    }
}

static void take_fixed (skr_cbor_t *cbor, int64_t *last, uint64_t key, uint8_t *data, size_t size)
{
    take_key (cbor, last, key);
    skr_cbor_get_fixed (cbor, data, size);
}

static void take_name (skr_cbor_t *cbor, int64_t *last, uint64_t key,
                       char name[SKR_NAME_BYTES_MAX + 1])
{
    take_key (cbor, last, key);
    skr_span_t text = skr_cbor_get_text (cbor);
    if (!name_good (text)) {
        skr_cbor_reject (cbor, "a name is not of 1 to 64 bytes without control characters");
        return;
    }
    memcpy (name, text.data, text.size);
    name[text.size] = 0;
}

static void read_found (skr_cbor_t *cbor, int64_t *last, statement_t *statement)
{
    skr_member_t *member = &statement->member;
    take_fixed (cbor, last, 1, member->device, sizeof member->device);
    take_fixed (cbor, last, 2, statement->random, sizeof statement->random);
    take_name (cbor, last, 3, statement->mesh_name);
    take_fixed (cbor, last, 4, member->transport, sizeof member->transport);
    take_name (cbor, last, 5, member->name);
    member->role = SKR_ROLE_ADMIN;
}

static void read_incarnate (skr_cbor_t *cbor, int64_t *last, statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->member.device, sizeof statement->member.device);
    take_fixed (cbor, last, 2, statement->incarnation, sizeof statement->incarnation);
}

static void read_admit (skr_cbor_t *cbor, int64_t *last, statement_t *statement)
{
    uint8_t ticket[32];
    skr_member_t *member = &statement->member;
    take_fixed (cbor, last, 1, member->device, sizeof member->device);
    take_fixed (cbor, last, 2, member->transport, sizeof member->transport);
    take_name (cbor, last, 3, member->name);
    take_key (cbor, last, 4);
    uint64_t role = skr_cbor_get_uint (cbor);
    take_fixed (cbor, last, 5, ticket, sizeof ticket);
    if (role < SKR_ROLE_RELAY || role > SKR_ROLE_ADMIN) {
        skr_cbor_reject (cbor, "unknown role");
        return;
    }
    member->role = (skr_role_t) role;
}

static void read_copies (skr_cbor_t *cbor)
{
    size_t count = skr_cbor_get_array (cbor, SKR_ROSTER_MEMBERS_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        uint8_t device[SKR_DEVICE_KEY_BYTES];
        uint8_t copy[SKR_SEAL_KEY_BYTES + crypto_box_SEALBYTES];
        if (skr_cbor_get_array (cbor, 2) != 2) {
            skr_cbor_reject (cbor, "a copy of a key is not a pair");
        }
        skr_cbor_get_fixed (cbor, device, sizeof device);
        skr_cbor_get_fixed (cbor, copy, sizeof copy);
    }
    if (count == 0) {
        skr_cbor_reject (cbor, "a key without copies");
    }
}

static void read_key (skr_cbor_t *cbor, int64_t *last, statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->collection.bytes, sizeof statement->collection.bytes);
    take_fixed (cbor, last, 2, statement->key_id, sizeof statement->key_id);
    take_key (cbor, last, 3);
    const uint8_t *start = cbor->at;
    read_copies (cbor);
    statement->copies = skr_span (start, (size_t) (cbor->at - start));
}

static void skip_pairs (skr_cbor_t *cbor, int64_t *last, size_t count)
{
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_cbor_get_key (cbor, last);
        skr_cbor_get_raw (cbor);
    }
}

/* Number of pairs of each known kind, its own included. */
static const size_t pair_counts[] = {0, 6, 3, 6, 4};

static void read_known (skr_cbor_t *cbor, int64_t *last, size_t count, statement_t *statement)
{
    if (count != pair_counts[statement->kind]) {
        skr_cbor_reject (cbor, "a statement of a wrong length");
        return;
    }
    switch (statement->kind) {
    case STATEMENT_FOUND:
        read_found (cbor, last, statement);
        break;
    case STATEMENT_INCARNATE:
        read_incarnate (cbor, last, statement);
        break;
    case STATEMENT_ADMIT:
        read_admit (cbor, last, statement);
        break;
    default:
        read_key (cbor, last, statement);
        break;
    }
}

static saker_err_t read_statement (skr_span_t bytes, statement_t *statement)
{
    skr_cbor_t cbor;
    int64_t last = -1;
    memset (statement, 0, sizeof *statement);
    skr_cbor_open (&cbor, bytes);
    size_t count = skr_cbor_get_map (&cbor, SKR_CHANGE_BYTES_MAX);
    take_key (&cbor, &last, 0);
    statement->kind = skr_cbor_get_uint (&cbor);
    if (cbor.error == SAKER_OK && statement->kind == 0) {
        skr_cbor_reject (&cbor, "statement of kind 0");
    } else if (cbor.error == SAKER_OK && statement->kind <= STATEMENT_KEY) {
        read_known (&cbor, &last, count, statement);
    } else if (cbor.error == SAKER_OK) {
        skip_pairs (&cbor, &last, count - 1);
    }
    return skr_wrap (skr_cbor_close (&cbor), "roster statement");
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

const skr_member_t *skr_roster_by_device (const skr_roster_t *self, const uint8_t device[32])
{
    size_t at = person_at (self, device);
    return person_is (self, at, device) ? &self->people[at].member : NULL;
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

static const writer_t *find_writer (const skr_roster_t *self, const skr_id_t *writer)
{
    size_t at = writer_at (self, writer);
    bool found = at < self->writers_count && skr_id_equal (&self->writers[at].writer, writer);
    return found ? &self->writers[at] : NULL;
}

const skr_member_t *skr_roster_by_writer (const skr_roster_t *self, const skr_id_t *writer)
{
    const writer_t *found = find_writer (self, writer);
    return found ? skr_roster_by_device (self, found->device) : NULL;
}

const skr_member_t *skr_roster_by_transport (const skr_roster_t *self, const uint8_t key[32])
{
    for (size_t i = 0; i < self->people_count; i++) {
        if (memcmp (self->people[i].member.transport, key, SKR_TRANSPORT_KEY_BYTES) == 0) {
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

size_t skr_roster_count (const skr_roster_t *self)
{
    return self->people_count;
}

const skr_member_t *skr_roster_at (const skr_roster_t *self, size_t index)
{
    return index < self->people_count ? &self->people[index].member : NULL;
}

static bool later_writer (const writer_t *one, const writer_t *other)
{
    return one->hlc != other->hlc ? one->hlc > other->hlc
                                  : skr_id_compare (&one->writer, &other->writer) > 0;
}

/* The latest of a device's writers that is earlier than `before` (NULL: of all). */
static const writer_t *latest_writer (const skr_roster_t *self, const uint8_t device[32],
                                      const writer_t *before)
{
    const writer_t *latest = NULL;
    for (size_t i = 0; i < self->writers_count; i++) {
        const writer_t *writer = &self->writers[i];
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
    const writer_t *before = NULL;
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

static bool later (const stamp_t *one, const stamp_t *other)
{
    return one->hlc != other->hlc ? one->hlc > other->hlc
                                  : skr_dot_compare (&one->dot, &other->dot) > 0;
}

static saker_err_t insert_person (skr_roster_t *self, size_t at, const skr_member_t *member,
                                  const stamp_t *stamp)
{
    void *people = self->people;
    SKR_TRY (grow (&people, &self->people_capacity, self->people_count, sizeof *self->people,
                   SKR_ROSTER_MEMBERS_MAX));
    self->people = people;
    memmove (&self->people[at + 1], &self->people[at],
             (self->people_count - at) * sizeof *self->people);
    self->people[at] = (person_t){.member = *member, .stamp = *stamp};
    self->people_count++;
    return SAKER_OK;
}

static saker_err_t add_member (skr_roster_t *self, const skr_member_t *member,
                               const stamp_t *stamp)
{
    size_t at = person_at (self, member->device);
    if (!person_is (self, at, member->device)) {
        return insert_person (self, at, member, stamp);
    }
    person_t *person = &self->people[at];
    skr_role_t role = member->role > person->member.role ? member->role : person->member.role;
    if (later (stamp, &person->stamp)) {
        person->member = *member;
        person->stamp = *stamp;
    }
    person->member.role = role;
    return SAKER_OK;
}

static saker_err_t add_found (skr_roster_t *self, const statement_t *statement)
{
    /* design 8: the founder cannot be changed by anybody. */
    const stamp_t last = {.hlc = UINT64_MAX};
    memcpy (self->mesh_name, statement->mesh_name, sizeof self->mesh_name);
    return add_member (self, &statement->member, &last);
}

static saker_err_t add_writer (skr_roster_t *self, const statement_t *statement, uint64_t hlc)
{
    writer_t writer = {.hlc = hlc};
    void *writers = self->writers;
    memcpy (writer.device, statement->member.device, sizeof writer.device);
    skr_device_writer (writer.device, statement->incarnation, &writer.writer);
    if (find_writer (self, &writer.writer)) {
        return SAKER_OK;
    }
    SKR_TRY (grow (&writers, &self->writers_capacity, self->writers_count, sizeof writer,
                   WRITERS_MAX));
    self->writers = writers;
    size_t at = writer_at (self, &writer.writer);
    memmove (&self->writers[at + 1], &self->writers[at],
             (self->writers_count - at) * sizeof writer);
    self->writers[at] = writer;
    self->writers_count++;
    return SAKER_OK;
}

static saker_err_t add_key (skr_roster_t *self, const statement_t *statement, const skr_dot_t *dot,
                            uint64_t hlc)
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
                              .hlc = hlc,
                              .writer = dot->writer,
                              .copies = skr_span (copies, statement->copies.size)};
    memcpy (key->key_id, statement->key_id, sizeof key->key_id);
    return SAKER_OK;
}

saker_err_t skr_roster_add (skr_roster_t *self, const skr_dot_t *dot, uint64_t hlc,
                            skr_span_t bytes)
{
    statement_t statement;
    const stamp_t stamp = {.hlc = hlc, .dot = *dot};
    SKR_TRY (read_statement (bytes, &statement));
    switch (statement.kind) {
    case STATEMENT_FOUND:
        return add_found (self, &statement);
    case STATEMENT_INCARNATE:
        return add_writer (self, &statement, hlc);
    case STATEMENT_ADMIT:
        return add_member (self, &statement.member, &stamp);
    case STATEMENT_KEY:
        return add_key (self, &statement, dot, hlc);
    default:
        return SAKER_OK; /* of a later version: kept and passed on, without effect */
    }
}

/* ---- checking */

/* Who wrote a change, as far as this roster and the change itself tell. */
typedef struct author_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    bool known;    /* its writer was introduced before */
    bool founding; /* this change founds the mesh */
    skr_role_t role;
} author_t;

static bool founds (const skr_roster_t *self, const statement_t *statement)
{
    skr_id_t mesh;
    skr_device_mesh (statement->member.device, statement->random, &mesh);
    return skr_id_equal (&mesh, &self->mesh);
}

static bool introduces (const skr_change_t *change, const statement_t *statement)
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
        statement_t statement;
        if (op->kind != SKR_OP_STATEMENT || op->document.size || op->path.size) {
            return skr_fail (SAKER_EINPUT, "the roster holds statements only");
        }
        SKR_TRY (read_statement (op->argument, &statement));
    }
    return SAKER_OK;
}

static saker_err_t introduced_author (const skr_roster_t *self, const skr_change_t *change,
                                      const skr_content_t *content, author_t *author)
{
    for (size_t i = 0; i < content->ops_count; i++) {
        statement_t statement;
        SKR_TRY (read_statement (content->ops[i].argument, &statement));
        if (statement.kind == STATEMENT_FOUND && i == 0) {
            author->founding = founds (self, &statement);
        }
        if (statement.kind == STATEMENT_INCARNATE && introduces (change, &statement)) {
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
    const writer_t *writer = find_writer (self, &change->writer);
    memset (author, 0, sizeof *author);
    if (writer) {
        memcpy (author->device, writer->device, sizeof author->device);
        author->known = true;
    } else {
        SKR_TRY (introduced_author (self, change, content, author));
    }
    const skr_member_t *member = skr_roster_by_device (self, author->device);
    author->role = member ? member->role : author->founding ? SKR_ROLE_ADMIN : SKR_ROLE_NONE;
    if (author->role == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EWAIT, "the author of a roster change is not a member yet");
    }
    return SAKER_OK;
}

static saker_err_t check_admit (const skr_roster_t *self, const statement_t *statement,
                                const author_t *author, size_t ops_count)
{
    if (author->role != SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT, "only an admin admits");
    }
    if (self->people_count + ops_count > SKR_ROSTER_MEMBERS_MAX
        && !skr_roster_by_device (self, statement->member.device)) {
        return skr_fail (SAKER_ELIMIT, "a mesh has at most %d members", SKR_ROSTER_MEMBERS_MAX);
    }
    return SAKER_OK;
}

static saker_err_t check_key (const skr_roster_t *self, const author_t *author, size_t ops_count)
{
    if (author->role != SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_ERIGHT, "only an admin gives out keys");
    }
    if (self->keys_count + ops_count > SKR_ROSTER_KEYS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a roster holds at most %d keys", SKR_ROSTER_KEYS_MAX);
    }
    return SAKER_OK;
}

/* A change is checked before any of it is added, so as if each operation added something. */
static saker_err_t check_right (const skr_roster_t *self, const skr_change_t *change,
                                const statement_t *statement, const author_t *author, size_t index,
                                size_t ops_count)
{
    bool self_said = memcmp (statement->member.device, author->device, 32) == 0;
    switch (statement->kind) {
    case STATEMENT_FOUND:
        if (index != 0 || change->seq != 1 || !self_said || !founds (self, statement)) {
            return skr_fail (SAKER_ERIGHT, "this is not the founder of the mesh");
        }
        return SAKER_OK;
    case STATEMENT_INCARNATE:
        if (change->seq != 1 || !self_said || !introduces (change, statement)) {
            return skr_fail (SAKER_ERIGHT, "a device introduces itself only");
        }
        return SAKER_OK;
    case STATEMENT_ADMIT:
        return check_admit (self, statement, author, ops_count);
    case STATEMENT_KEY:
        return check_key (self, author, ops_count);
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
    if (!author.known && self->writers_count >= WRITERS_MAX) {
        return skr_fail (SAKER_ELIMIT, "a mesh has at most %d writers", WRITERS_MAX);
    }
    for (size_t i = 0; i < content->ops_count; i++) {
        statement_t statement;
        SKR_TRY (read_statement (content->ops[i].argument, &statement));
        SKR_TRY (check_right (self, change, &statement, &author, i, content->ops_count));
    }
    return SAKER_OK;
}

/* ---- making statements */

static void put_fixed (skr_buf_t *buf, uint64_t key, const void *data, size_t size)
{
    skr_cbor_put_uint (buf, key);
    skr_cbor_put_bytes (buf, data, size);
}

static void put_name (skr_buf_t *buf, uint64_t key, const char *name)
{
    skr_cbor_put_uint (buf, key);
    skr_cbor_put_text (buf, name, strlen (name));
}

static void put_kind (skr_buf_t *buf, uint64_t kind)
{
    skr_cbor_put_map (buf, pair_counts[kind]);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, kind);
}

void skr_statement_found (skr_buf_t *buf, const skr_device_t *device, const uint8_t random[32],
                          const char *mesh_name, const char *name)
{
    put_kind (buf, STATEMENT_FOUND);
    put_fixed (buf, 1, skr_device_key (device), SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, random, 32);
    put_name (buf, 3, mesh_name);
    put_fixed (buf, 4, skr_device_transport_key (device), SKR_TRANSPORT_KEY_BYTES);
    put_name (buf, 5, name);
}

void skr_statement_incarnate (skr_buf_t *buf, const uint8_t device[32],
                              const uint8_t incarnation[SKR_INCARNATION_BYTES])
{
    put_kind (buf, STATEMENT_INCARNATE);
    put_fixed (buf, 1, device, SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, incarnation, SKR_INCARNATION_BYTES);
}

void skr_statement_admit (skr_buf_t *buf, const skr_member_t *member, const uint8_t ticket[32])
{
    put_kind (buf, STATEMENT_ADMIT);
    put_fixed (buf, 1, member->device, sizeof member->device);
    put_fixed (buf, 2, member->transport, sizeof member->transport);
    put_name (buf, 3, member->name);
    skr_cbor_put_uint (buf, 4);
    skr_cbor_put_uint (buf, member->role);
    put_fixed (buf, 5, ticket, 32);
}

static bool may_read (const skr_member_t *member)
{
    return member->role >= SKR_ROLE_READ;
}

static saker_err_t put_copy (skr_buf_t *buf, const uint8_t *key, const skr_member_t *member)
{
    uint8_t copy[SKR_SEAL_KEY_BYTES + crypto_box_SEALBYTES];
    if (crypto_box_seal (copy, key, SKR_SEAL_KEY_BYTES, member->transport) != 0) {
        return skr_fail (SAKER_EINPUT, "the transport key of %s is not one", member->name);
    }
    skr_cbor_put_array (buf, 2);
    skr_cbor_put_bytes (buf, member->device, sizeof member->device);
    skr_cbor_put_bytes (buf, copy, sizeof copy);
    return SAKER_OK;
}

saker_err_t skr_statement_key (skr_buf_t *buf, const skr_id_t *collection,
                               const uint8_t key[SKR_SEAL_KEY_BYTES],
                               const skr_member_t *const *members, size_t count)
{
    uint8_t hash[32];
    size_t readers = 0;
    for (size_t i = 0; i < count; i++) {
        readers += may_read (members[i]);
    }
    crypto_generichash (hash, sizeof hash, key, SKR_SEAL_KEY_BYTES, NULL, 0);
    put_kind (buf, STATEMENT_KEY);
    put_fixed (buf, 1, collection->bytes, sizeof collection->bytes);
    put_fixed (buf, 2, hash, SKR_KEY_ID_BYTES);
    skr_cbor_put_uint (buf, 3);
    skr_cbor_put_array (buf, readers);
    for (size_t i = 0; i < count; i++) {
        if (may_read (members[i])) {
            SKR_TRY (put_copy (buf, key, members[i]));
        }
    }
    return SAKER_OK;
}
