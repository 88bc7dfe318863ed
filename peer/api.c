/* The table of commands, requests in, answers out; and the commands that write. */

#include "peer/api_internal.h"

#include "crdt/limits.h"
#include "crdt/value.h"
#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/sealed.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRES_MS_MAX INT64_C (31622400000) /* a year */
#define COUNT_MAX ((size_t) 1 << 20)

/* ---- shorthands */

uint64_t skr_api_now_ms (const skr_api_t *self)
{
    return self->world->mono_ms (self->world->context);
}

skr_buf_t *skr_api_scratch (skr_api_t *self)
{
    skr_buf_clear (&self->scratch);
    return &self->scratch;
}

void skr_api_put_text (skr_buf_t *buf, const char *text)
{
    skr_cbor_put_text (buf, text, strlen (text));
}

void skr_api_put_fingerprint (skr_buf_t *buf, const skr_fingerprint_t *fingerprint)
{
    uint8_t bytes[16];
    char text[33];
    skr_fingerprint_bytes (fingerprint, bytes);
    skr_hex (text, bytes, sizeof bytes);
    skr_api_put_text (buf, text);
}

saker_err_t skr_api_carried (const skr_replica_t *replica, const char *name,
                             const skr_collection_t **collection)
{
    skr_id_t id = {{0}};
    if (strcmp (name, "@roster") != 0) {
        SKR_TRY (skr_collection_name_check (name));
        skr_replica_collection_id (replica, name, &id);
    }
    SKR_TRY (skr_carrying_check (replica, &id, name));
    saker_err_t error = skr_replica_collection_named (replica, name, collection);
    return error == SAKER_ENOTFOUND && skr_fetching (replica, &id)
               ? skr_fetching_check (replica, &id, name)
               : error;
}

saker_err_t skr_api_readable (const skr_replica_t *replica, const char *name,
                              const skr_collection_t **collection)
{
    SKR_TRY (skr_api_carried (replica, name, collection));
    return skr_sealed_check (*collection);
}

const char *skr_api_collection_name (const skr_collection_t *collection, char text[64])
{
    if (collection->name[0]) {
        return collection->name;
    }
    text[0] = '#';
    skr_hex (text + 1, collection->id.bytes, sizeof collection->id.bytes);
    return text;
}

saker_err_t skr_api_arguments_end (skr_api_call_t *call)
{
    skr_fields_end (&call->fields);
    return skr_wrap (skr_cbor_close (&call->cbor), "request");
}

/* ---- answers */

/* A sentence may quote what was asked, cut anywhere: but an answer's texts are UTF-8. */
static void put_sentence (skr_buf_t *answer, const char *sentence)
{
    size_t size = strlen (sentence);
    while (size > 0 && !skr_utf8_valid (sentence, size)) {
        size--;
    }
    skr_cbor_put_text (answer, sentence, size);
}

static void put_answer (skr_buf_t *answer, uint64_t number, saker_err_t error, skr_span_t body,
                        const char *sentence)
{
    skr_cbor_put_map (answer, 4);
    skr_cbor_put_uint (answer, 0);
    skr_cbor_put_uint (answer, SKR_API_VERSION);
    skr_cbor_put_uint (answer, 1);
    skr_cbor_put_uint (answer, number);
    skr_cbor_put_uint (answer, 2);
    skr_cbor_put_uint (answer, (uint64_t) error);
    skr_cbor_put_uint (answer, 3);
    if (error == SAKER_OK) {
        skr_buf_append_span (answer, body);
    } else {
        put_sentence (answer, sentence);
    }
}

void skr_api_answer (skr_api_t *self, skr_span_t client, uint64_t number, saker_err_t error,
                     skr_span_t body, const char *sentence)
{
    static const skr_span_t nothing;
    skr_buf_clear (&self->answer);
    put_answer (&self->answer, number, error, body, sentence);
    if (self->answer.failed) {
        skr_buf_free (&self->answer);
        put_answer (&self->answer, number, SAKER_ENOMEM, nothing, "the daemon is out of memory");
    }
    if (!self->answer.failed) {
        self->send (self->context, client, skr_span_of (&self->answer));
    }
}

static void answer_error (skr_api_t *self, const skr_api_call_t *call, saker_err_t error)
{
    static const skr_span_t nothing;
    skr_api_answer (self, call->client, call->number, error, nothing, skr_error ());
}

/* ---- answers that are held until the commit */

static void put_u64 (skr_buf_t *buf, uint64_t value)
{
    uint8_t bytes[8];
    skr_put_u64 (bytes, value);
    skr_buf_append (buf, bytes, sizeof bytes);
}

static void hold (skr_api_t *self, const skr_api_call_t *call)
{
    size_t before = self->held.size;
    put_u64 (&self->held, (uint64_t) call->client.size << 32 | call->body->size);
    put_u64 (&self->held, call->number);
    skr_buf_append_span (&self->held, call->client);
    skr_buf_append_span (&self->held, skr_span_of (call->body));
    if (self->held.failed) {
        /* The change will be there, but its receipt cannot be kept. */
        self->held.failed = false;
        self->held.size = before;
        answer_error (self, call, skr_fail (SAKER_ENOMEM, "the daemon is out of memory"));
    }
}

void skr_api_committed (skr_api_t *self, saker_err_t error)
{
    char sentence[1024];
    snprintf (sentence, sizeof sentence, "%s", error == SAKER_OK ? "" : skr_error ());
    for (size_t at = 0; at < self->held.size;) {
        uint64_t sizes = skr_get_u64 (self->held.data + at);
        uint64_t number = skr_get_u64 (self->held.data + at + 8);
        size_t client = (size_t) (sizes >> 32), body = (size_t) (sizes & UINT32_MAX);
        const uint8_t *start = self->held.data + at + 16;
        skr_api_answer (self, skr_span (start, client), number, error,
                        skr_span (start + client, body), sentence);
        at += 16 + client + body;
    }
    skr_buf_clear (&self->held);
}

/* ---- HELLO */

static saker_err_t hello (skr_api_t *self, skr_api_call_t *call)
{
    const skr_member_t *member = skr_replica_self (self->replica);
    SKR_TRY (skr_api_arguments_end (call));
    self->clients++;
    skr_cbor_put_map (call->body, 4);
    skr_cbor_put_uint (call->body, 0);
    skr_api_put_text (call->body, member->name);
    skr_cbor_put_uint (call->body, 1);
    skr_api_put_text (call->body, skr_role_text (member->role));
    skr_cbor_put_uint (call->body, 2);
    skr_api_put_text (call->body, skr_roster_mesh_name (skr_replica_roster (self->replica)));
    skr_cbor_put_uint (call->body, 3);
    skr_cbor_put_bytes (call->body, skr_replica_writer (self->replica)->bytes, 16);
    return SAKER_OK;
}

/* ---- WRITE */

typedef struct writing_t {
    char collection[SKR_COLLECTION_BYTES_MAX + 1];
    skr_intent_t *intents; /* allocated */
    skr_local_t local;
} writing_t;

static bool has_value (skr_intent_kind_t kind)
{
    return kind == SKR_INTENT_SET || kind == SKR_INTENT_SET_LWW || kind == SKR_INTENT_INCR
           || kind == SKR_INTENT_ADD || kind == SKR_INTENT_REMOVE || kind == SKR_INTENT_EXPECT;
}

static void get_value (skr_cbor_t *cbor, skr_intent_t *intent)
{
    saker_value_t value;
    const uint8_t *start = cbor->at;
    skr_value_get (cbor, &value);
    if (intent->kind == SKR_INTENT_INCR && value.type != SAKER_INT) {
        skr_cbor_reject (cbor, "a counter is incremented by an integer");
    }
    intent->value = skr_span (start, (size_t) (cbor->at - start));
}

static void get_document (skr_cbor_t *cbor, skr_span_t *document)
{
    *document = skr_cbor_get_text (cbor);
    if (document->size < 1 || document->size > SKR_DOCUMENT_BYTES_MAX) {
        skr_cbor_reject (cbor, "a document id has 1 to 255 bytes");
    } else if (memchr (document->data, 0, document->size)) {
        skr_cbor_reject (cbor, "a document id holds a zero byte");
    }
}

static void get_intent (skr_cbor_t *cbor, skr_intent_t *intent)
{
    size_t count = skr_cbor_get_array (cbor, 4);
    uint64_t kind = skr_cbor_get_uint (cbor);
    if (kind < SKR_INTENT_SET || kind > SKR_INTENT_EXPECT) {
        skr_cbor_reject (cbor, "an intent of unknown kind");
        return;
    }
    intent->kind = (skr_intent_kind_t) kind;
    size_t wanted = intent->kind == SKR_INTENT_REPLACE_END ? 1 : has_value (intent->kind) ? 4 : 3;
    if (count != wanted) {
        skr_cbor_reject (cbor, "an intent has too few or too many parts");
    }
    if (wanted > 1) {
        get_document (cbor, &intent->document);
        intent->path = skr_cbor_get_bytes (cbor);
    }
    if (wanted > 3) {
        get_value (cbor, intent);
    }
}

static saker_err_t get_intents (skr_cbor_t *cbor, writing_t *writing)
{
    size_t count = skr_cbor_get_array (cbor, COUNT_MAX);
    if (count > SKR_API_INTENTS_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a batch holds at most %d operations (SKR_API_INTENTS_MAX): "
                         "write less at once",
                         SKR_API_INTENTS_MAX);
    }
    writing->intents = calloc (count + 1, sizeof *writing->intents);
    if (!writing->intents) {
        return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
    }
    for (size_t i = 0; i < count && cbor->error == SAKER_OK; i++) {
        get_intent (cbor, &writing->intents[i]);
    }
    writing->local.intents = writing->intents;
    writing->local.count = count;
    return SAKER_OK;
}

static saker_err_t get_writing (skr_api_call_t *call, writing_t *writing)
{
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, writing->collection, sizeof writing->collection);
    writing->local.collection = writing->collection;
    skr_fields_need (&call->fields, 1);
    SKR_TRY (get_intents (&call->cbor, writing));
    if (skr_fields_has (&call->fields, 2)) {
        writing->local.operation_id = skr_cbor_get_bytes (&call->cbor);
        size_t size = writing->local.operation_id.size;
        if (size < 1 || size > SKR_OPERATION_ID_BYTES_MAX) {
            skr_cbor_reject (&call->cbor, "an operation id has 1 to 64 bytes");
        }
    }
    if (skr_fields_has (&call->fields, 3)) {
        skr_cbor_get_fixed (&call->cbor, writing->local.note, sizeof writing->local.note);
    }
    if (skr_fields_has (&call->fields, 4)) {
        writing->local.tried = skr_cbor_get_bytes (&call->cbor);
        if (writing->local.tried.size != sizeof (skr_id_t)) {
            skr_cbor_reject (&call->cbor, "a writer has 16 bytes");
        }
    }
    return skr_api_arguments_end (call);
}

void skr_api_put_receipt (skr_api_call_t *call, const saker_receipt_t *receipt)
{
    bool noted = !sodium_is_zero (receipt->note, sizeof receipt->note);
    skr_cbor_put_map (call->body, noted ? 4 : 3);
    skr_cbor_put_uint (call->body, 0);
    skr_cbor_put_bytes (call->body, receipt->writer, sizeof receipt->writer);
    skr_cbor_put_uint (call->body, 1);
    skr_cbor_put_uint (call->body, receipt->seq);
    skr_cbor_put_uint (call->body, 2);
    skr_cbor_put_bool (call->body, receipt->repeated);
    if (noted) {
        skr_cbor_put_uint (call->body, 3);
        skr_cbor_put_bytes (call->body, receipt->note, sizeof receipt->note);
    }
    call->when = SKR_API_HELD;
}

static saker_err_t write_it (skr_api_t *self, skr_api_call_t *call, const skr_local_t *local)
{
    saker_receipt_t receipt;
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_replica_write (self->replica, local, &receipt));
    skr_api_put_receipt (call, &receipt);
    return SAKER_OK;
}

static saker_err_t write_batch (skr_api_t *self, skr_api_call_t *call)
{
    writing_t writing = {.local = {.collection = NULL}};
    saker_err_t error = get_writing (call, &writing);
    if (error == SAKER_OK) {
        error = write_it (self, call, &writing.local);
    }
    free (writing.intents);
    return error;
}

/* ---- INVITE */

static saker_err_t make_ticket (skr_api_t *self, skr_role_t role, uint64_t expires_ms,
                                char text[SAKER_TICKET_MAX])
{
    const char *addresses[SKR_TICKET_ADDRESSES_MAX];
    skr_ticket_t ticket;
    size_t count =
        self->neighbours.addresses (self->neighbours.context, addresses, SKR_TICKET_ADDRESSES_MAX);
    if (count == 0) {
        return skr_fail (SAKER_EUNREACHABLE,
                         "this peer does not listen, so nobody can join by calling it: invite at a "
                         "member that listens, or run sakerd here with --listen tcp://ADDR:PORT");
    }
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_replica_invite (self->replica, role, expires_ms, addresses, count, &ticket));
    saker_err_t error = skr_ticket_text (&ticket, text);
    sodium_memzero (&ticket, sizeof ticket);
    return error;
}

static saker_err_t invite (skr_api_t *self, skr_api_call_t *call)
{
    char role_text[16], text[SAKER_TICKET_MAX];
    skr_fields_need (&call->fields, 0);
    skr_fields_text (&call->cbor, role_text, sizeof role_text);
    skr_fields_need (&call->fields, 1);
    int64_t expires_ms = skr_cbor_get_int (&call->cbor);
    SKR_TRY (skr_api_arguments_end (call));
    skr_role_t role = skr_role_parse (role_text);
    if (role == SKR_ROLE_NONE) {
        return skr_fail (SAKER_EUSAGE, "no role is called %s: it is relay, read, write or admin",
                         role_text);
    }
    if (expires_ms < 1 || expires_ms > EXPIRES_MS_MAX) {
        return skr_fail (SAKER_EINPUT, "a ticket expires after 1 ms at least and a year at most");
    }
    uint64_t wall_ms = self->world->wall_ms (self->world->context);
    SKR_TRY (make_ticket (self, role, wall_ms + (uint64_t) expires_ms, text));
    skr_cbor_put_map (call->body, 1);
    skr_cbor_put_uint (call->body, 0);
    skr_api_put_text (call->body, text);
    sodium_memzero (text, sizeof text);
    call->when = SKR_API_HELD;
    return SAKER_OK;
}

/* ---- requests */

typedef struct command_t {
    const char *name;
    skr_role_t role; /* that this device needs */
    skr_api_handler_t *handler;
    bool writes; /* it needs room for an answer to be held */
} command_t;

static const command_t commands[SKR_COMMANDS] = {
    [SKR_COMMAND_HELLO] = {"hello", SKR_ROLE_RELAY, hello, false},
    [SKR_COMMAND_WRITE] = {"write", SKR_ROLE_WRITE, write_batch, true},
    [SKR_COMMAND_READ] = {"read", SKR_ROLE_READ, skr_api_read, false},
    [SKR_COMMAND_ITERATE] = {"iterate", SKR_ROLE_READ, skr_api_iterate, false},
    [SKR_COMMAND_COLLECTIONS] = {"collections", SKR_ROLE_READ, skr_api_collections, false},
    [SKR_COMMAND_DOCUMENTS] = {"documents", SKR_ROLE_READ, skr_api_documents, false},
    [SKR_COMMAND_NOW] = {"now", SKR_ROLE_READ, skr_api_now, false},
    [SKR_COMMAND_WATCH] = {"watch", SKR_ROLE_READ, skr_api_watch, false},
    [SKR_COMMAND_CURSOR_SAVE] = {"save a cursor", SKR_ROLE_READ, skr_api_cursor_save, true},
    [SKR_COMMAND_CURSOR_LOAD] = {"load a cursor", SKR_ROLE_READ, skr_api_cursor_load, false},
    [SKR_COMMAND_WAIT] = {"wait", SKR_ROLE_RELAY, skr_api_wait, false},
    [SKR_COMMAND_PEERS] = {"list peers", SKR_ROLE_RELAY, skr_api_peers, false},
    [SKR_COMMAND_STATUS] = {"ask for the status", SKR_ROLE_RELAY, skr_api_status, false},
    [SKR_COMMAND_VERIFY] = {"verify", SKR_ROLE_RELAY, skr_api_verify, false},
    [SKR_COMMAND_INVITE] = {"invite", SKR_ROLE_ADMIN, invite, true},
    [SKR_COMMAND_ROLE] = {"give and take rights", SKR_ROLE_ADMIN, skr_api_role, true},
    [SKR_COMMAND_KEYS] = {"list the keys", SKR_ROLE_READ, skr_api_keys, false},
    [SKR_COMMAND_ROTATE] = {"change the keys", SKR_ROLE_ADMIN, skr_api_rotate, true},
    [SKR_COMMAND_LOG] = {"read history", SKR_ROLE_READ, skr_api_log, false},
    [SKR_COMMAND_RESTORE] = {"restore a document", SKR_ROLE_WRITE, skr_api_restore, true},
    [SKR_COMMAND_CONFLICTS] = {"list conflicts", SKR_ROLE_READ, skr_api_conflicts, false},
    [SKR_COMMAND_BACKUP] = {"back up", SKR_ROLE_RELAY, skr_api_backup, false},
    [SKR_COMMAND_GC] = {"cut the log", SKR_ROLE_RELAY, skr_api_gc, false},
    [SKR_COMMAND_FENCE] = {"fence a peer", SKR_ROLE_ADMIN, skr_api_fence, true},
    [SKR_COMMAND_LINKS] = {"list links", SKR_ROLE_RELAY, skr_api_links, false},
    [SKR_COMMAND_PING] = {"ask a peer", SKR_ROLE_RELAY, skr_api_ping, false},
    [SKR_COMMAND_WHY] = {"ask why", SKR_ROLE_RELAY, skr_api_why, false},
    [SKR_COMMAND_SUBSCRIBE] = {"choose what it carries", SKR_ROLE_RELAY, skr_api_subscribe, true},
    [SKR_COMMAND_SUBSCRIPTIONS] = {"list what it carries", SKR_ROLE_RELAY, skr_api_subscriptions,
                                   false},
    [SKR_COMMAND_TRENDS] = {"ask how things went", SKR_ROLE_RELAY, skr_api_trends, false},
    [SKR_COMMAND_COMPARE] = {"compare", SKR_ROLE_READ, skr_api_compare, false},
    [SKR_COMMAND_LOG_LEVEL] = {"set the log level", SKR_ROLE_RELAY, skr_api_log_level, false},
    [SKR_COMMAND_CARRY] = {"carry a part of a collection", SKR_ROLE_READ, skr_api_carry, true},
    [SKR_COMMAND_SEEN] = {"tell what was seen", SKR_ROLE_RELAY, skr_api_seen, false},
    [SKR_COMMAND_WAIT_SEEN] = {"wait for what was seen", SKR_ROLE_RELAY, skr_api_wait_seen, false},
};

static saker_err_t check_call (skr_api_t *self, const command_t *command)
{
    const skr_member_t *member = skr_replica_self (self->replica);
    /* What a device has, its owner reads, also when it was revoked. */
    bool own = member && member->role == SKR_ROLE_NONE && command->role <= SKR_ROLE_READ;
    if (member && member->role == SKR_ROLE_NONE && !own) {
        return skr_write_revoked ();
    }
    /* In one collection it may have been given more than in the mesh: the write itself knows. */
    bool perhaps = member && member->role == SKR_ROLE_READ && command->role == SKR_ROLE_WRITE;
    if (!member || (member->role < command->role && !own && !perhaps)) {
        return skr_fail (SAKER_ERIGHT, "this device is %s here, and only %s may %s: ask an admin",
                         member && member->role ? skr_role_text (member->role) : "not a member",
                         skr_role_text (command->role), command->name);
    }
    if (command->writes && self->held.size > SKR_API_HELD_BYTES_MAX) {
        self->full++;
        return skr_fail (SAKER_EBUSY, "too many answers are held (SKR_API_HELD_BYTES_MAX): try "
                                      "again");
    }
    return SAKER_OK;
}

static saker_err_t handle (skr_api_t *self, skr_api_call_t *call, uint64_t number)
{
    if (number < 1 || number >= SKR_COMMANDS) {
        self->bad_requests++;
        return skr_fail (SAKER_EVERSION, "the daemon does not know command %llu: update it",
                         (unsigned long long) number);
    }
    const command_t *command = &commands[number];
    SKR_TRY (check_call (self, command));
    skr_log (self->world, SKR_LOG_DEBUG, "a program on this machine: %s", command->name);
    skr_fields_open (&call->fields, &call->cbor);
    skr_buf_clear (call->body);
    saker_err_t error = command->handler (self, call);
    if (call->cbor.error != SAKER_OK) {
        self->bad_requests++;
    }
    if (error == SAKER_OK && call->body->failed) {
        skr_buf_free (call->body);
        error = skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
    }
    return error;
}

/* Reads the head of a request. False when it is not one. */
static bool open_request (skr_api_call_t *call, skr_span_t request, uint64_t *version,
                          uint64_t *command)
{
    skr_fields_t head;
    skr_cbor_open (&call->cbor, request);
    skr_fields_open (&head, &call->cbor);
    skr_fields_need (&head, 0);
    *version = skr_cbor_get_uint (&call->cbor);
    skr_fields_need (&head, 1);
    call->number = skr_cbor_get_uint (&call->cbor);
    if (*version != SKR_API_VERSION) {
        return call->cbor.error == SAKER_OK; /* the rest may have another form */
    }
    skr_fields_need (&head, 2);
    *command = skr_cbor_get_uint (&call->cbor);
    skr_fields_need (&head, 3);
    return call->cbor.error == SAKER_OK && head.left == 0;
}

static saker_err_t open_and_handle (skr_api_t *self, skr_api_call_t *call, uint64_t version,
                                    uint64_t command)
{
    if (version != SKR_API_VERSION) {
        self->bad_requests++;
        return skr_fail (SAKER_EVERSION,
                         "the daemon speaks version %d of the local API, the "
                         "program version %llu: update the older one",
                         SKR_API_VERSION, (unsigned long long) version);
    }
    return handle (self, call, command);
}

void skr_api_request (skr_api_t *self, skr_span_t client, skr_span_t request)
{
    uint64_t version = 0, command = 0;
    skr_api_call_t call = {.client = client, .body = &self->body};
    self->requests++;
    if (client.size > SKR_API_CLIENT_BYTES_MAX || request.size > SKR_API_REQUEST_BYTES_MAX
        || !open_request (&call, request, &version, &command)) {
        self->bad_requests++;
        return;
    }
    skr_api_forget_waiter (self, client);
    saker_err_t error = open_and_handle (self, &call, version, command);
    if (error != SAKER_OK) {
        self->refused++;
        answer_error (self, &call, error);
    } else if (call.when == SKR_API_HELD) {
        hold (self, &call);
    } else if (call.when == SKR_API_NOW) {
        skr_api_answer (self, client, call.number, SAKER_OK, skr_span_of (call.body), "");
    }
}

/* ---- making one */

saker_err_t skr_api_new (skr_api_t **self_p, skr_replica_t *replica,
                         const skr_neighbours_t *neighbours, skr_api_send_fn *send, void *context,
                         const skr_world_t *world)
{
    skr_api_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->replica = replica;
    self->neighbours = *neighbours;
    self->send = send;
    self->context = context;
    self->world = world;
    self->since_ms = skr_api_now_ms (self);
    return SAKER_OK;
}

void skr_api_give_cutter (skr_api_t *self, struct skr_cutter_t *cutter)
{
    self->cutter = cutter;
}

void skr_api_destroy (skr_api_t **self_p)
{
    skr_api_t *self = *self_p;
    if (!self) {
        return;
    }
    skr_api_free_waiters (self);
    skr_buf_free (&self->held);
    skr_buf_free (&self->body);
    skr_buf_wipe (&self->answer); /* it may have held a ticket */
    skr_buf_free (&self->scratch);
    free (self);
    *self_p = NULL;
}
