#include "peer/api_internal.h"

#include <stdlib.h>
#include <string.h>

#define INTENTS_MAX (4 * SKR_CHANGE_OPS_MAX) /* replacing writes fewer operations than it names */

uint64_t skr_api_mono (const skr_api_t *self)
{
    return self->world->mono_ms (self->world->context);
}

void skr_api_get_text (skr_cbor_t *cbor, char *text, size_t size)
{
    skr_span_t span = skr_cbor_get_text (cbor);
    *text = 0;
    if (span.size >= size || (span.size && memchr (span.data, 0, span.size))) {
        skr_cbor_reject (cbor, "a text that is too long, or holds a zero byte");
    } else if (span.size) {
        memcpy (text, span.data, span.size);
        text[span.size] = 0;
    }
}

bool skr_api_get_optional (skr_cbor_t *cbor, char *text, size_t size)
{
    if (skr_cbor_peek (cbor) == SKR_CBOR_NULL) {
        skr_cbor_get_null (cbor);
        *text = 0;
        return false;
    }
    skr_api_get_text (cbor, text, size);
    return true;
}

void skr_api_put_text (skr_buf_t *buf, const char *text)
{
    skr_cbor_put_text (buf, text, strlen (text));
}

const char *skr_api_author (const skr_api_t *self, const skr_id_t *writer)
{
    const skr_member_t *member =
        skr_roster_by_writer (skr_replica_roster (self->replica), writer);
    return member ? member->name : "?";
}

/* ---- answers */

static void put_answer (skr_buf_t *answer, uint64_t number, saker_err_t error,
                        const skr_buf_t *results, size_t count)
{
    bool failed = results && results->failed;
    error = failed ? SAKER_ENOMEM : error;
    skr_cbor_put_array (answer, 4 + (failed ? 0 : count));
    skr_cbor_put_uint (answer, SKR_API_VERSION);
    skr_cbor_put_uint (answer, number);
    skr_cbor_put_uint (answer, (uint64_t) error);
    skr_api_put_text (answer, failed ? "out of memory" : error != SAKER_OK ? skr_error () : "");
    if (results && !failed) {
        skr_buf_append_span (answer, skr_span_of (results));
    }
}

void skr_api_answer (skr_api_t *self, skr_span_t client, uint64_t number, saker_err_t error,
                     const skr_buf_t *results, size_t count)
{
    skr_buf_t answer = {0};
    put_answer (&answer, number, error, results, count);
    if (!answer.failed) {
        self->send (self->context, client, skr_span_of (&answer));
    }
    skr_buf_free (&answer);
}

/* ---- commands that write: their answers wait for the commit */

static saker_err_t hold (skr_api_request_t *request)
{
    skr_api_t *self = request->api;
    if (self->held_count == SKR_API_HELD_MAX) {
        return skr_fail (SAKER_ELIMIT, "too many writes at once: try again");
    }
    if (self->held_count == self->held_capacity) {
        size_t capacity = self->held_capacity ? 2 * self->held_capacity : 16;
        skr_api_held_t *grown = realloc (self->held, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->held = grown;
        self->held_capacity = capacity;
    }
    skr_api_held_t *held = &self->held[self->held_count++];
    memset (held, 0, sizeof *held);
    skr_buf_append_span (&held->client, request->client);
    held->number = request->number;
    put_answer (&held->answer, request->number, SAKER_OK, &request->results,
                request->results_count);
    request->later = true;
    return SAKER_OK;
}

void skr_api_committed (skr_api_t *self, saker_err_t error)
{
    for (size_t i = 0; i < self->held_count; i++) {
        skr_api_held_t *held = &self->held[i];
        if (error != SAKER_OK || held->answer.failed) {
            skr_api_answer (self, skr_span_of (&held->client), held->number,
                            error == SAKER_OK ? SAKER_ENOMEM : error, NULL, 0);
        } else if (!held->client.failed) {
            self->send (self->context, skr_span_of (&held->client), skr_span_of (&held->answer));
        }
        skr_buf_free (&held->client);
        skr_buf_free (&held->answer);
    }
    self->held_count = 0;
}

/* Errors of the store end the whole group; what is wrong with one request ends that request. */
static bool is_of_store (saker_err_t error)
{
    return error == SAKER_EFULL || error == SAKER_EIO || error == SAKER_EDAMAGED
           || error == SAKER_ENOMEM;
}

static saker_err_t group_failed (skr_api_t *self, saker_err_t error)
{
    if (is_of_store (error)) {
        skr_replica_abort (self->replica);
        skr_api_committed (self, error);
    }
    return error;
}

static void get_intent (skr_cbor_t *cbor, skr_intent_t *intent)
{
    if (skr_cbor_get_array (cbor, 4) != 4) {
        skr_cbor_reject (cbor, "an operation has four parts");
    }
    uint64_t kind = skr_cbor_get_uint (cbor);
    if (kind < SKR_INTENT_SET || kind > SKR_INTENT_REPLACE_END) {
        skr_cbor_reject (cbor, "unknown operation");
    }
    intent->kind = (skr_intent_kind_t) kind;
    intent->document = skr_cbor_get_text (cbor);
    intent->path = skr_cbor_get_bytes (cbor);
    intent->value = skr_cbor_get_bytes (cbor);
}

static saker_err_t get_intents (skr_cbor_t *cbor, skr_intent_t **intents, size_t *count)
{
    *count = skr_cbor_get_array (cbor, INTENTS_MAX);
    *intents = calloc (*count + 1, sizeof **intents);
    if (!*intents) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < *count && cbor->error == SAKER_OK; i++) {
        get_intent (cbor, &(*intents)[i]);
    }
    return skr_cbor_close (cbor);
}

static saker_err_t write_local (skr_api_request_t *request, const skr_local_t *local)
{
    saker_receipt_t receipt;
    skr_replica_t *replica = request->api->replica;
    saker_err_t error = skr_replica_begin (replica);
    error = error == SAKER_OK ? skr_replica_write (replica, local, &receipt) : error;
    if (error != SAKER_OK) {
        return group_failed (request->api, error);
    }
    skr_cbor_put_bytes (&request->results, receipt.writer, sizeof receipt.writer);
    skr_cbor_put_uint (&request->results, receipt.seq);
    skr_cbor_put_bool (&request->results, receipt.repeated);
    request->results_count = 3;
    return hold (request);
}

static saker_err_t api_write (skr_api_request_t *request)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1];
    skr_intent_t *intents = NULL;
    skr_local_t local = {.collection = collection};
    skr_api_get_text (&request->cbor, collection, sizeof collection);
    if (skr_cbor_peek (&request->cbor) == SKR_CBOR_NULL) {
        skr_cbor_get_null (&request->cbor);
    } else {
        local.operation_id = skr_cbor_get_bytes (&request->cbor);
    }
    saker_err_t error = get_intents (&request->cbor, &intents, &local.count);
    local.intents = intents;
    error = error == SAKER_OK ? write_local (request, &local) : error;
    free (intents);
    return error;
}

saker_err_t skr_api_cursor_save (skr_api_request_t *request)
{
    char name[SKR_NAME_BYTES_MAX + 1];
    saker_cursor_t cursor;
    skr_api_get_text (&request->cbor, name, sizeof name);
    skr_cbor_get_fixed (&request->cbor, cursor.epoch, sizeof cursor.epoch);
    cursor.position = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    saker_err_t error = skr_replica_begin (request->api->replica);
    error = error == SAKER_OK ? skr_feed_save (request->api->replica, name, &cursor) : error;
    return error == SAKER_OK ? hold (request) : group_failed (request->api, error);
}

static saker_err_t put_ticket (skr_api_request_t *request, const skr_ticket_t *ticket)
{
    char text[SAKER_TICKET_MAX];
    SKR_TRY (skr_ticket_text (ticket, text));
    skr_api_put_text (&request->results, text);
    request->results_count = 1;
    return hold (request);
}

static saker_err_t api_invite (skr_api_request_t *request)
{
    skr_api_t *self = request->api;
    const char *addresses[SKR_TICKET_ADDRESSES_MAX];
    char role[16];
    skr_ticket_t ticket;
    skr_api_get_text (&request->cbor, role, sizeof role);
    uint64_t expires_ms = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    if (skr_role_parse (role) == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EINPUT, "role '%s': choose relay, read, write or admin", role);
    }
    if (expires_ms < 1000 || expires_ms > (uint64_t) 366 * 24 * 3600 * 1000) {
        return skr_fail (SAKER_EINPUT, "a ticket is good for one second to one year");
    }
    size_t count = self->neighbours.addresses (self->neighbours.context, addresses,
                                               SKR_TICKET_ADDRESSES_MAX);
    if (!count) {
        return skr_fail (SAKER_EUNREACHABLE,
                         "this machine has no address that another could call: connect it to a "
                         "network, or start sakerd with --listen");
    }
    expires_ms += self->world->wall_ms (self->world->context);
    saker_err_t error = skr_replica_begin (self->replica);
    error = error == SAKER_OK ? skr_replica_invite (self->replica, skr_role_parse (role),
                                                    expires_ms, addresses, count, &ticket)
                              : error;
    return error == SAKER_OK ? put_ticket (request, &ticket) : group_failed (self, error);
}

/* ---- hello, peers, status */

static saker_err_t api_hello (skr_api_request_t *request)
{
    skr_replica_t *replica = request->api->replica;
    SKR_TRY (skr_cbor_close (&request->cbor));
    skr_api_put_text (&request->results, skr_roster_mesh_name (skr_replica_roster (replica)));
    skr_api_put_text (&request->results, skr_replica_self (replica)->name);
    skr_cbor_put_bytes (&request->results, skr_replica_writer (replica)->bytes, 16);
    skr_api_put_text (&request->results, PACKAGE_VERSION);
    request->results_count = 4;
    return SAKER_OK;
}

static void put_peer (skr_api_t *self, skr_buf_t *buf, const skr_member_t *member)
{
    skr_neighbour_t neighbour;
    char id[17];
    const uint8_t *own = skr_device_key (skr_replica_device (self->replica));
    bool is_self = memcmp (member->device, own, 32) == 0;
    self->neighbours.neighbour (self->neighbours.context, member->device, &neighbour);
    skr_device_text (member->device, id);
    skr_cbor_put_array (buf, 8);
    skr_api_put_text (buf, member->name);
    skr_api_put_text (buf, id);
    skr_api_put_text (buf, skr_role_text (member->role));
    skr_api_put_text (buf, neighbour.link);
    skr_api_put_text (buf, neighbour.address);
    skr_cbor_put_int (buf, neighbour.seen_ms);
    skr_cbor_put_int (buf, is_self ? 0 : skr_api_behind (self, member->device));
    skr_cbor_put_int (buf, neighbour.rtt_us);
}

saker_err_t skr_api_peers (skr_api_request_t *request)
{
    const skr_roster_t *roster = skr_replica_roster (request->api->replica);
    SKR_TRY (skr_cbor_close (&request->cbor));
    skr_cbor_put_array (&request->results, skr_roster_count (roster));
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        put_peer (request->api, &request->results, skr_roster_at (roster, i));
    }
    request->results_count = 1;
    return SAKER_OK;
}

static size_t put_count (skr_buf_t *pairs, const char *pointer, uint64_t value)
{
    skr_api_put_text (pairs, pointer);
    skr_cbor_put_uint (pairs, value);
    return 1;
}

static size_t put_word (skr_buf_t *pairs, const char *pointer, const char *value)
{
    skr_api_put_text (pairs, pointer);
    skr_api_put_text (pairs, value);
    return 1;
}

static size_t put_identity (const skr_api_t *self, skr_buf_t *pairs)
{
    const skr_roster_t *roster = skr_replica_roster (self->replica);
    const skr_member_t *own = skr_replica_self (self->replica);
    char text[33];
    size_t count = put_word (pairs, "/mesh/name", skr_roster_mesh_name (roster));
    skr_hex (text, skr_roster_mesh (roster)->bytes, 16);
    count += put_word (pairs, "/mesh/id", text);
    count += put_count (pairs, "/mesh/members", skr_roster_count (roster));
    count += put_word (pairs, "/device/name", own->name);
    skr_device_text (own->device, text);
    count += put_word (pairs, "/device/id", text);
    count += put_word (pairs, "/device/role", skr_role_text (own->role));
    skr_hex (text, skr_replica_writer (self->replica)->bytes, 16);
    count += put_word (pairs, "/writer", text);
    return count;
}

static size_t put_store (const skr_api_t *self, skr_buf_t *pairs)
{
    skr_store_stats_t stats;
    skr_store_stats (skr_replica_store (self->replica), &stats);
    size_t count = put_word (pairs, "/store/folder",
                             skr_store_folder (skr_replica_store (self->replica)));
    count += put_count (pairs, "/store/file_bytes", stats.file_bytes);
    count += put_count (pairs, "/store/used_bytes", stats.used_bytes);
    count += put_count (pairs, "/store/commits", stats.commits);
    count += put_count (pairs, "/store/failed_commits", stats.failed_commits);
    count += put_count (pairs, "/store/damaged_records", stats.damaged_records);
    return count;
}

static size_t put_changes (const skr_api_t *self, skr_buf_t *pairs)
{
    skr_replica_stats_t stats;
    skr_replica_stats (self->replica, &stats);
    size_t count = put_count (pairs, "/changes/applied", stats.applied);
    count += put_count (pairs, "/changes/written", stats.written);
    count += put_count (pairs, "/changes/repeated", stats.repeated);
    count += put_count (pairs, "/changes/waiting", stats.waiting);
    count += put_count (pairs, "/changes/dropped", stats.dropped);
    count += put_count (pairs, "/changes/future", stats.future);
    count += put_count (pairs, "/refused/all", stats.refused);
    count += put_count (pairs, "/refused/form", stats.refused_form);
    count += put_count (pairs, "/refused/signature", stats.refused_signature);
    count += put_count (pairs, "/refused/right", stats.refused_right);
    count += put_count (pairs, "/refused/fork", stats.refused_fork);
    count += put_count (pairs, "/refused/key", stats.refused_key);
    return count;
}

static size_t put_totals (const skr_api_t *self, skr_buf_t *pairs)
{
    uint64_t documents = 0;
    size_t collections = skr_replica_collections (self->replica);
    for (size_t i = 1; i < collections; i++) {
        documents += skr_replica_collection_at (self->replica, i)->documents;
    }
    size_t count = put_count (pairs, "/data/collections", collections - 1);
    count += put_count (pairs, "/data/documents", documents);
    count += put_count (pairs, "/api/requests", self->requests);
    count += put_count (pairs, "/api/bad_requests", self->bad_requests);
    count += put_count (pairs, "/api/waiting", self->waiters_count);
    return count;
}

saker_err_t skr_api_status (skr_api_request_t *request)
{
    skr_api_t *self = request->api;
    skr_buf_t pairs = {0};
    SKR_TRY (skr_cbor_close (&request->cbor));
    size_t count = put_identity (self, &pairs);
    count += put_totals (self, &pairs);
    count += put_changes (self, &pairs);
    count += put_store (self, &pairs);
    count += self->neighbours.status (self->neighbours.context, &pairs);
    skr_cbor_put_array (&request->results, 2 * count);
    skr_buf_append_span (&request->results, skr_span_of (&pairs));
    request->results.failed |= pairs.failed;
    request->results_count = 1;
    skr_buf_free (&pairs);
    return SAKER_OK;
}

/* ---- the table, and the whole */

static const struct {
    const char *name;
    skr_role_t role; /* that this device needs */
    skr_api_fn *handle;
} commands[SKR_COMMANDS] = {
    [SKR_COMMAND_HELLO] = {"hello", SKR_ROLE_RELAY, api_hello},
    [SKR_COMMAND_WRITE] = {"write", SKR_ROLE_WRITE, api_write},
    [SKR_COMMAND_READ] = {"read", SKR_ROLE_READ, skr_api_read},
    [SKR_COMMAND_ITERATE] = {"iterate", SKR_ROLE_READ, skr_api_iterate},
    [SKR_COMMAND_COLLECTIONS] = {"collections", SKR_ROLE_READ, skr_api_collections},
    [SKR_COMMAND_DOCUMENTS] = {"documents", SKR_ROLE_READ, skr_api_documents},
    [SKR_COMMAND_NOW] = {"now", SKR_ROLE_READ, skr_api_now},
    [SKR_COMMAND_WATCH] = {"watch", SKR_ROLE_READ, skr_api_watch},
    [SKR_COMMAND_CURSOR_SAVE] = {"save cursor", SKR_ROLE_READ, skr_api_cursor_save},
    [SKR_COMMAND_CURSOR_LOAD] = {"load cursor", SKR_ROLE_READ, skr_api_cursor_load},
    [SKR_COMMAND_WAIT] = {"wait", SKR_ROLE_RELAY, skr_api_wait},
    [SKR_COMMAND_PEERS] = {"peers", SKR_ROLE_RELAY, skr_api_peers},
    [SKR_COMMAND_STATUS] = {"status", SKR_ROLE_RELAY, skr_api_status},
    [SKR_COMMAND_VERIFY] = {"verify", SKR_ROLE_RELAY, skr_api_verify},
    [SKR_COMMAND_INVITE] = {"invite", SKR_ROLE_ADMIN, api_invite},
};

static saker_err_t handle (skr_api_request_t *request)
{
    skr_role_t role = skr_replica_self (request->api->replica)->role;
    if (request->command >= SKR_COMMANDS || !commands[request->command].handle) {
        return skr_fail (SAKER_EVERSION, "unknown command %d: update the daemon",
                         (int) request->command);
    }
    if (role < commands[request->command].role) {
        return skr_fail (SAKER_ERIGHT, "%s needs the role %s; this device has %s",
                         commands[request->command].name,
                         skr_role_text (commands[request->command].role), skr_role_text (role));
    }
    return skr_wrap (commands[request->command].handle (request), "%s",
                     commands[request->command].name);
}

/* Reads the head. False when it is not even a request. */
static bool open_request (skr_api_request_t *request, skr_span_t bytes, uint64_t *version)
{
    skr_cbor_open (&request->cbor, bytes);
    size_t count = skr_cbor_get_array (&request->cbor, 16);
    *version = skr_cbor_get_uint (&request->cbor);
    request->number = skr_cbor_get_uint (&request->cbor);
    uint64_t command = skr_cbor_get_uint (&request->cbor);
    request->command = (skr_command_t) (command < SKR_COMMANDS ? command : SKR_COMMANDS);
    return request->cbor.error == SAKER_OK && count >= 3;
}

void skr_api_request (skr_api_t *self, skr_span_t client, skr_span_t bytes)
{
    skr_api_request_t request = {.api = self, .client = client};
    uint64_t version = 0;
    self->requests++;
    if (!open_request (&request, bytes, &version)) {
        self->bad_requests++;
        return;
    }
    saker_err_t error = version == SKR_API_VERSION
                            ? handle (&request)
                            : skr_fail (SAKER_EVERSION,
                                        "this daemon speaks version %d: use its own tools",
                                        SKR_API_VERSION);
    if (error != SAKER_OK) {
        self->bad_requests += request.cbor.error != SAKER_OK;
        skr_api_answer (self, client, request.number, error, NULL, 0);
    } else if (!request.later) {
        skr_api_answer (self, client, request.number, SAKER_OK, &request.results,
                        request.results_count);
    }
    skr_buf_free (&request.results);
}

saker_err_t skr_api_new (skr_api_t **self_p, skr_replica_t *replica,
                         const skr_neighbours_t *neighbours, skr_api_send_fn *send, void *context,
                         const skr_world_t *world)
{
    skr_api_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->replica = replica;
    self->neighbours = *neighbours;
    self->send = send;
    self->context = context;
    self->world = world;
    *self_p = self;
    return SAKER_OK;
}

void skr_api_destroy (skr_api_t **self_p)
{
    skr_api_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->held_count; i++) {
            skr_buf_free (&self->held[i].client);
            skr_buf_free (&self->held[i].answer);
        }
        free (self->held);
        skr_api_waiters_free (self);
        free (self);
        *self_p = NULL;
    }
}
