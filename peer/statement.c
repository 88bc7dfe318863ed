#include "peer/statement.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

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

static void read_found (skr_cbor_t *cbor, int64_t *last, skr_statement_t *statement)
{
    skr_member_t *member = &statement->member;
    take_fixed (cbor, last, 1, member->device, sizeof member->device);
    take_fixed (cbor, last, 2, statement->random, sizeof statement->random);
    take_name (cbor, last, 3, statement->mesh_name);
    take_fixed (cbor, last, 4, member->transport, sizeof member->transport);
    take_name (cbor, last, 5, member->name);
    member->role = SKR_ROLE_ADMIN;
}

/* ---- lists in statements */

static void get_dot (skr_cbor_t *cbor, skr_dot_t *dot)
{
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "a dot has three parts");
    }
    skr_cbor_get_fixed (cbor, dot->writer.bytes, sizeof dot->writer.bytes);
    dot->seq = skr_cbor_get_uint (cbor);
    uint64_t index = skr_cbor_get_uint (cbor);
    if (dot->seq == 0 || index >= SKR_CHANGE_OPS_MAX) {
        skr_cbor_reject (cbor, "not a dot");
    }
    dot->index = (uint32_t) index;
}

static void get_cutoff (skr_cbor_t *cbor, skr_cutoff_t *cutoff)
{
    if (skr_cbor_get_array (cbor, 3) != 3) {
        skr_cbor_reject (cbor, "a cutoff has three parts");
    }
    skr_cbor_get_fixed (cbor, cutoff->collection.bytes, sizeof cutoff->collection.bytes);
    skr_cbor_get_fixed (cbor, cutoff->writer.bytes, sizeof cutoff->writer.bytes);
    cutoff->seq = skr_cbor_get_uint (cbor);
}

static bool cutoffs_ascend (const skr_cutoff_t *one, const skr_cutoff_t *other)
{
    int order = skr_id_compare (&one->collection, &other->collection);
    order = order ? order : skr_id_compare (&one->writer, &other->writer);
    return order < 0;
}

/* An array of dots: strictly ascending. */
static skr_span_t read_seen (skr_cbor_t *cbor)
{
    const uint8_t *start = cbor->at;
    skr_dot_t before, dot;
    size_t count = skr_cbor_get_array (cbor, SKR_SEEN_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++, before = dot) {
        get_dot (cbor, &dot);
        if (i > 0 && skr_dot_compare (&before, &dot) >= 0) {
            skr_cbor_reject (cbor, "dots do not ascend");
        }
    }
    return skr_span (start, (size_t) (cbor->at - start));
}

static skr_span_t read_cutoffs (skr_cbor_t *cbor)
{
    const uint8_t *start = cbor->at;
    skr_cutoff_t before, cutoff;
    size_t count = skr_cbor_get_array (cbor, SKR_CUTOFFS_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++, before = cutoff) {
        get_cutoff (cbor, &cutoff);
        if (i > 0 && !cutoffs_ascend (&before, &cutoff)) {
            skr_cbor_reject (cbor, "cutoffs do not ascend");
        }
    }
    return skr_span (start, (size_t) (cbor->at - start));
}

saker_err_t skr_statement_seen (skr_span_t seen, skr_dot_t **list, size_t *count)
{
    skr_cbor_t cbor;
    *list = NULL;
    *count = 0;
    if (seen.size == 0) {
        return SAKER_OK;
    }
    skr_cbor_open (&cbor, seen);
    size_t found = skr_cbor_get_array (&cbor, SKR_SEEN_MAX);
    if (found > 0 && !(*list = calloc (found, sizeof **list))) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < found; i++) {
        get_dot (&cbor, &(*list)[i]);
    }
    *count = found;
    return SAKER_OK;
}

saker_err_t skr_statement_cutoffs (skr_span_t cutoffs, skr_cutoff_t **list, size_t *count)
{
    skr_cbor_t cbor;
    *list = NULL;
    *count = 0;
    skr_cbor_open (&cbor, cutoffs);
    size_t found = skr_cbor_get_array (&cbor, SKR_CUTOFFS_MAX);
    if (found > 0 && !(*list = calloc (found, sizeof **list))) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < found; i++) {
        get_cutoff (&cbor, &(*list)[i]);
    }
    *count = found;
    return SAKER_OK;
}

/* ---- reading statements, kind by kind */

static void read_incarnate (skr_cbor_t *cbor, int64_t *last, size_t count,
                            skr_statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->member.device, sizeof statement->member.device);
    take_fixed (cbor, last, 2, statement->incarnation, sizeof statement->incarnation);
    if (count > 3) {
        take_key (cbor, last, 3);
        statement->seen = read_seen (cbor);
    }
}

static void read_closing (skr_cbor_t *cbor, int64_t *last, skr_statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->member.device, sizeof statement->member.device);
    if (statement->kind == SKR_STATEMENT_ROLE) {
        take_fixed (cbor, last, 2, statement->collection.bytes, sizeof statement->collection.bytes);
        take_key (cbor, last, 3);
        uint64_t role = skr_cbor_get_uint (cbor);
        if (role > SKR_ROLE_ADMIN) {
            skr_cbor_reject (cbor, "unknown role");
        }
        statement->member.role = (skr_role_t) (role & 7);
    }
    take_key (cbor, last, 4);
    statement->seen = read_seen (cbor);
    take_key (cbor, last, 5);
    statement->cutoffs = read_cutoffs (cbor);
    take_fixed (cbor, last, 6, statement->from.bytes, sizeof statement->from.bytes);
    take_fixed (cbor, last, 7, statement->to.bytes, sizeof statement->to.bytes);
}

static void read_admit (skr_cbor_t *cbor, int64_t *last, skr_statement_t *statement)
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

static void read_key (skr_cbor_t *cbor, int64_t *last, size_t count, skr_statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->collection.bytes, sizeof statement->collection.bytes);
    take_fixed (cbor, last, 2, statement->key_id, sizeof statement->key_id);
    take_key (cbor, last, 3);
    const uint8_t *start = cbor->at;
    read_copies (cbor);
    statement->copies = skr_span (start, (size_t) (cbor->at - start));
    if (count > 4) {
        take_key (cbor, last, 4);
        statement->generation = skr_cbor_get_uint (cbor);
    }
}

static void read_fork (skr_cbor_t *cbor, int64_t *last, skr_statement_t *statement)
{
    skr_fork_settled_t *fork = &statement->fork;
    take_fixed (cbor, last, 1, statement->member.device, sizeof statement->member.device);
    take_fixed (cbor, last, 2, fork->collection.bytes, sizeof fork->collection.bytes);
    take_fixed (cbor, last, 3, fork->writer.bytes, sizeof fork->writer.bytes);
    take_key (cbor, last, 4);
    fork->seq = skr_cbor_get_uint (cbor);
    take_fixed (cbor, last, 5, fork->hash, sizeof fork->hash);
    take_key (cbor, last, 6);
    fork->upto = skr_cbor_get_uint (cbor);
    if (fork->seq == 0 || (fork->upto && fork->upto < fork->seq)
        || skr_id_is_zero (&fork->collection)) {
        skr_cbor_reject (cbor, "not a fork");
    }
}

static saker_err_t read_subscribe (skr_cbor_t *cbor, int64_t *last, skr_statement_t *statement)
{
    take_fixed (cbor, last, 1, statement->member.device, sizeof statement->member.device);
    take_key (cbor, last, 2);
    statement->number = skr_cbor_get_uint (cbor);
    take_key (cbor, last, 3);
    statement->rest = skr_cbor_get_bool (cbor);
    take_key (cbor, last, 4);
    const uint8_t *start = cbor->at;
    saker_err_t error = skr_subscription_get (cbor, NULL);
    statement->named = skr_span (start, (size_t) (cbor->at - start));
    if (statement->number == 0 || statement->number == UINT64_MAX) {
        skr_cbor_reject (cbor, "not the number of a subscription");
    }
    return error == SAKER_ENOMEM ? error : SAKER_OK;
}

saker_err_t skr_statement_subscription (const skr_statement_t *statement,
                                        skr_subscription_t *subscription)
{
    skr_cbor_t cbor;
    skr_subscription_free (subscription);
    subscription->number = statement->number;
    subscription->rest = statement->rest;
    skr_cbor_open (&cbor, statement->named);
    return skr_subscription_get (&cbor, subscription);
}

static void skip_pairs (skr_cbor_t *cbor, int64_t *last, size_t count)
{
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        skr_cbor_get_key (cbor, last);
        skr_cbor_get_raw (cbor);
    }
}

/* Number of pairs of each known kind, its own included: at least, and at most. */
static const size_t pair_counts[][2] = {{0, 0}, {6, 6}, {3, 4}, {6, 6}, {4, 5},
                                        {8, 8}, {6, 6}, {7, 7}, {5, 5}};

static saker_err_t read_known (skr_cbor_t *cbor, int64_t *last, size_t count,
                               skr_statement_t *statement)
{
    const size_t *counts = pair_counts[statement->kind];
    if (count < counts[0] || count > counts[1]) {
        skr_cbor_reject (cbor, "a statement of a wrong length");
        return SAKER_OK;
    }
    switch (statement->kind) {
    case SKR_STATEMENT_FOUND:
        read_found (cbor, last, statement);
        break;
    case SKR_STATEMENT_INCARNATE:
        read_incarnate (cbor, last, count, statement);
        break;
    case SKR_STATEMENT_ADMIT:
        read_admit (cbor, last, statement);
        break;
    case SKR_STATEMENT_KEY:
        read_key (cbor, last, count, statement);
        break;
    case SKR_STATEMENT_FORK:
        read_fork (cbor, last, statement);
        break;
    case SKR_STATEMENT_SUBSCRIBE:
        return read_subscribe (cbor, last, statement);
    default:
        read_closing (cbor, last, statement);
        break;
    }
    return SAKER_OK;
}

saker_err_t skr_statement_read (skr_span_t bytes, skr_statement_t *statement)
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
    } else if (cbor.error == SAKER_OK && statement->kind <= SKR_STATEMENT_LAST) {
        SKR_TRY (read_known (&cbor, &last, count, statement));
    } else if (cbor.error == SAKER_OK) {
        skip_pairs (&cbor, &last, count - 1);
    }
    return skr_wrap (skr_cbor_close (&cbor), "roster statement");
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

static void put_kind (skr_buf_t *buf, uint64_t kind, size_t optional)
{
    skr_cbor_put_map (buf, pair_counts[kind][0] + optional);
    skr_cbor_put_uint (buf, 0);
    skr_cbor_put_uint (buf, kind);
}

void skr_statement_found (skr_buf_t *buf, const skr_device_t *device, const uint8_t random[32],
                          const char *mesh_name, const char *name)
{
    put_kind (buf, SKR_STATEMENT_FOUND, 0);
    put_fixed (buf, 1, skr_device_key (device), SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, random, 32);
    put_name (buf, 3, mesh_name);
    put_fixed (buf, 4, skr_device_transport_key (device), SKR_TRANSPORT_KEY_BYTES);
    put_name (buf, 5, name);
}

void skr_statement_incarnate (skr_buf_t *buf, const uint8_t device[32],
                              const uint8_t incarnation[SKR_INCARNATION_BYTES], skr_span_t seen)
{
    put_kind (buf, SKR_STATEMENT_INCARNATE, seen.size > 0);
    put_fixed (buf, 1, device, SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, incarnation, SKR_INCARNATION_BYTES);
    if (seen.size > 0) {
        skr_cbor_put_uint (buf, 3);
        skr_buf_append_span (buf, seen);
    }
}

void skr_statement_admit (skr_buf_t *buf, const skr_member_t *member, const uint8_t ticket[32])
{
    put_kind (buf, SKR_STATEMENT_ADMIT, 0);
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

saker_err_t skr_statement_key (skr_buf_t *buf, const skr_id_t *collection, uint64_t generation,
                               const uint8_t key[SKR_SEAL_KEY_BYTES],
                               const skr_member_t *const *members, size_t count)
{
    uint8_t hash[32];
    size_t readers = 0;
    for (size_t i = 0; i < count; i++) {
        readers += may_read (members[i]);
    }
    crypto_generichash (hash, sizeof hash, key, SKR_SEAL_KEY_BYTES, NULL, 0);
    put_kind (buf, SKR_STATEMENT_KEY, generation > 0);
    put_fixed (buf, 1, collection->bytes, sizeof collection->bytes);
    put_fixed (buf, 2, hash, SKR_KEY_ID_BYTES);
    skr_cbor_put_uint (buf, 3);
    skr_cbor_put_array (buf, readers);
    for (size_t i = 0; i < count; i++) {
        if (may_read (members[i])) {
            SKR_TRY (put_copy (buf, key, members[i]));
        }
    }
    if (generation > 0) {
        skr_cbor_put_uint (buf, 4);
        skr_cbor_put_uint (buf, generation);
    }
    return SAKER_OK;
}

static void put_closing (skr_buf_t *buf, const skr_closing_t *closing)
{
    skr_cbor_put_uint (buf, 4);
    if (closing->seen.size > 0) {
        skr_buf_append_span (buf, closing->seen);
    } else {
        skr_cbor_put_array (buf, 0);
    }
    skr_cbor_put_uint (buf, 5);
    skr_cbor_put_array (buf, closing->cutoffs_count);
    for (size_t i = 0; i < closing->cutoffs_count; i++) {
        const skr_cutoff_t *cutoff = &closing->cutoffs[i];
        skr_cbor_put_array (buf, 3);
        skr_cbor_put_bytes (buf, cutoff->collection.bytes, sizeof cutoff->collection.bytes);
        skr_cbor_put_bytes (buf, cutoff->writer.bytes, sizeof cutoff->writer.bytes);
        skr_cbor_put_uint (buf, cutoff->seq);
    }
    put_fixed (buf, 6, closing->from.bytes, sizeof closing->from.bytes);
    put_fixed (buf, 7, closing->to.bytes, sizeof closing->to.bytes);
}

void skr_statement_role (skr_buf_t *buf, const skr_closing_t *closing)
{
    put_kind (buf, SKR_STATEMENT_ROLE, 0);
    put_fixed (buf, 1, closing->device, SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, closing->collection.bytes, sizeof closing->collection.bytes);
    skr_cbor_put_uint (buf, 3);
    skr_cbor_put_uint (buf, closing->role);
    put_closing (buf, closing);
}

void skr_statement_fence (skr_buf_t *buf, const skr_closing_t *closing)
{
    put_kind (buf, SKR_STATEMENT_FENCE, 0);
    put_fixed (buf, 1, closing->device, SKR_DEVICE_KEY_BYTES);
    put_closing (buf, closing);
}

void skr_statement_fork (skr_buf_t *buf, const uint8_t device[32], const skr_fork_settled_t *fork)
{
    put_kind (buf, SKR_STATEMENT_FORK, 0);
    put_fixed (buf, 1, device, SKR_DEVICE_KEY_BYTES);
    put_fixed (buf, 2, fork->collection.bytes, sizeof fork->collection.bytes);
    put_fixed (buf, 3, fork->writer.bytes, sizeof fork->writer.bytes);
    skr_cbor_put_uint (buf, 4);
    skr_cbor_put_uint (buf, fork->seq);
    put_fixed (buf, 5, fork->hash, sizeof fork->hash);
    skr_cbor_put_uint (buf, 6);
    skr_cbor_put_uint (buf, fork->upto);
}

void skr_statement_subscribe (skr_buf_t *buf, const uint8_t device[32],
                              const skr_subscription_t *subscription)
{
    put_kind (buf, SKR_STATEMENT_SUBSCRIBE, 0);
    put_fixed (buf, 1, device, SKR_DEVICE_KEY_BYTES);
    skr_cbor_put_uint (buf, 2);
    skr_cbor_put_uint (buf, subscription->number);
    skr_cbor_put_uint (buf, 3);
    skr_cbor_put_bool (buf, subscription->rest);
    skr_cbor_put_uint (buf, 4);
    skr_subscription_put (buf, subscription);
}
