/* What a program asks about the mesh: members, status, waiting, verifying, inviting. */

#include "mesh/client_internal.h"

#include "crdt/limits.h"
#include "crdt/value.h"
#include "peer/api_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_NAMES_MAX 4096

/* ---- waiting */

static size_t count_names (const char *names)
{
    size_t count = 0;
    for (const char *at = names; *at; at += strspn (at, ",")) {
        size_t size = strcspn (at, ",");
        count += size > 0;
        at += size;
    }
    return count;
}

static void put_names (skr_question_t *question, const char *names, size_t count)
{
    skr_cbor_put_uint (&question->request, 0);
    skr_cbor_put_array (&question->request, count);
    for (const char *at = names; *at; at += strspn (at, ",")) {
        size_t size = strcspn (at, ",");
        if (size > 0) {
            skr_cbor_put_text (&question->request, at, size);
        }
        at += size;
    }
}

static saker_err_t check_names (const char *names, size_t count)
{
    if (count < 1 || count > WAIT_NAMES_MAX) {
        return skr_fail (SAKER_EINPUT, "name 1 to %d peers", WAIT_NAMES_MAX);
    }
    return skr_utf8_valid (names, strlen (names))
               ? SAKER_OK
               : skr_fail (SAKER_EINPUT, "the names of peers are UTF-8");
}

static int grace (int timeout_ms)
{
    return timeout_ms < INT_MAX - SKR_CLIENT_GRACE_MS ? timeout_ms + SKR_CLIENT_GRACE_MS : INT_MAX;
}

saker_err_t saker_wait (saker_t *self, const char *peers, int timeout_ms)
{
    skr_question_t question;
    size_t count = peers ? count_names (peers) : 0;
    timeout_ms = timeout_ms < 0 ? 0 : timeout_ms;
    SKR_TRY (peers ? check_names (peers, count) : SAKER_OK);
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_WAIT, peers ? 2 : 1);
    if (error == SAKER_OK) {
        if (peers) {
            put_names (&question, peers, count);
        }
        skr_question_uint (&question, 1, (uint64_t) timeout_ms);
        error = skr_question_ask (&question, grace (timeout_ms));
    }
    if (error == SAKER_OK) {
        error = skr_question_check (&question);
    }
    skr_question_end (&question);
    return error;
}

/* ---- members */

typedef struct listing_t {
    saker_peer_fn *peer_fn;
    void *argument;
    uint8_t from[32];
    bool more, stopped;
} listing_t;

static void take_peer (listing_t *listing, skr_cbor_t *cbor)
{
    char name[SKR_NAME_BYTES_MAX + 1], id[32], role[16], link[16];
    char address[SKR_ADDRESS_BYTES_MAX + 64];
    saker_peer_t peer = {.name = name, .id = id, .role = role, .link = link, .address = address};
    if (skr_cbor_get_array (cbor, 9) != 9) {
        skr_cbor_reject (cbor, "not a peer");
    }
    skr_fields_text (cbor, name, sizeof name);
    skr_fields_text (cbor, id, sizeof id);
    skr_fields_text (cbor, role, sizeof role);
    skr_fields_text (cbor, link, sizeof link);
    skr_fields_text (cbor, address, sizeof address);
    peer.seen_ms = skr_cbor_get_int (cbor);
    peer.behind = skr_cbor_get_int (cbor);
    peer.lag_ms = skr_cbor_get_int (cbor);
    peer.rtt_us = skr_cbor_get_int (cbor);
    if (cbor->error == SAKER_OK) {
        listing->stopped = listing->peer_fn (&peer, listing->argument) != 0;
    }
}

static saker_err_t take_peers (listing_t *listing, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !listing->stopped; i++) {
        take_peer (listing, cbor);
    }
    listing->more = !listing->stopped && skr_fields_has (&question->fields, 1);
    if (listing->more) {
        skr_cbor_get_fixed (cbor, listing->from, sizeof listing->from);
    }
    return listing->stopped ? SAKER_OK : skr_question_check (question);
}

static saker_err_t list_peers (saker_t *self, listing_t *listing)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_PEERS, 1);
    if (error == SAKER_OK) {
        skr_question_bytes (&question, 0, listing->from, sizeof listing->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_peers (listing, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_peers (saker_t *self, saker_peer_fn *peer_fn, void *argument)
{
    listing_t listing = {.peer_fn = peer_fn, .argument = argument};
    saker_err_t error;
    do {
        error = list_peers (self, &listing);
    } while (error == SAKER_OK && listing.more && !listing.stopped);
    return error;
}

/* ---- status */

typedef struct telling_t {
    saker_leaf_fn *leaf_fn;
    void *argument;
    uint64_t from;
    bool more, stopped;
} telling_t;

static void take_pair (telling_t *telling, skr_cbor_t *cbor)
{
    char pointer[SKR_PATH_BYTES_MAX];
    saker_leaf_t leaf = {
        .document = "", .pointer = pointer, .cell = SAKER_REGISTER, .shown = true, .author = ""};
    skr_fields_text (cbor, pointer, sizeof pointer);
    skr_value_get (cbor, &leaf.value);
    if (cbor->error == SAKER_OK) {
        telling->stopped = telling->leaf_fn (&leaf, telling->argument) != 0;
    }
}

static saker_err_t take_pairs (telling_t *telling, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX) / 2;
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !telling->stopped; i++) {
        take_pair (telling, cbor);
    }
    telling->more = !telling->stopped && skr_fields_has (&question->fields, 1);
    if (telling->more) {
        telling->from = skr_cbor_get_uint (cbor);
    }
    return telling->stopped ? SAKER_OK : skr_question_check (question);
}

static saker_err_t tell_page (saker_t *self, telling_t *telling)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_STATUS, 1);
    if (error == SAKER_OK) {
        skr_question_uint (&question, 0, telling->from);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        error = take_pairs (telling, &question);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_status (saker_t *self, saker_leaf_fn *leaf_fn, void *argument)
{
    telling_t telling = {.leaf_fn = leaf_fn, .argument = argument};
    saker_err_t error;
    do {
        error = tell_page (self, &telling);
    } while (error == SAKER_OK && telling.more && !telling.stopped);
    return error;
}

/* ---- verifying */

typedef struct verifying_t {
    const char *collection;
    uint64_t deadline_ms;
    saker_verdict_fn *verdict_fn;
    void *argument;
    uint64_t from;
    bool more, stopped;
    size_t differ, absent;
    char absentee[SKR_NAME_BYTES_MAX + 1]; /* the first that did not answer */
} verifying_t;

static void count_verdict (verifying_t *verifying, const saker_verdict_t *verdict)
{
    if (!verdict->carried) {
        return; /* it has nothing to compare */
    }
    if (!verdict->reached) {
        if (verifying->absent++ == 0) {
            snprintf (verifying->absentee, sizeof verifying->absentee, "%s", verdict->peer);
        }
    } else if (!verdict->same_clock || !verdict->same_data) {
        verifying->differ++;
    }
}

static void take_verdict (verifying_t *verifying, skr_cbor_t *cbor)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1], peer[SKR_NAME_BYTES_MAX + 1], fingerprint[33];
    char part[SKR_PART_WORDS_BYTES];
    saker_verdict_t verdict = {
        .collection = collection, .peer = peer, .fingerprint = fingerprint, .part = part};
    if (skr_cbor_get_array (cbor, 12) != 12) {
        skr_cbor_reject (cbor, "not a verdict");
    }
    skr_fields_text (cbor, collection, sizeof collection);
    skr_fields_text (cbor, peer, sizeof peer);
    verdict.reached = skr_cbor_get_bool (cbor);
    verdict.same_clock = skr_cbor_get_bool (cbor);
    verdict.same_data = skr_cbor_get_bool (cbor);
    skr_fields_text (cbor, fingerprint, sizeof fingerprint);
    verdict.documents = skr_cbor_get_uint (cbor);
    verdict.ahead = skr_cbor_get_int (cbor);
    verdict.behind = skr_cbor_get_int (cbor);
    verdict.carried = skr_cbor_get_bool (cbor);
    skr_fields_text (cbor, part, sizeof part);
    verdict.compared = skr_cbor_get_bool (cbor);
    if (cbor->error == SAKER_OK) {
        count_verdict (verifying, &verdict);
        verifying->stopped = verifying->verdict_fn (&verdict, verifying->argument) != 0;
    }
}

static saker_err_t take_verdicts (verifying_t *verifying, skr_question_t *question)
{
    skr_cbor_t *cbor = &question->cbor;
    skr_fields_need (&question->fields, 0);
    size_t count = skr_cbor_get_array (cbor, SIZE_MAX);
    for (size_t i = 0; i < count && cbor->error == SAKER_OK && !verifying->stopped; i++) {
        take_verdict (verifying, cbor);
    }
    verifying->more = !verifying->stopped && skr_fields_has (&question->fields, 1);
    if (verifying->more) {
        verifying->from = skr_cbor_get_uint (cbor);
    }
    return verifying->stopped ? SAKER_OK : skr_question_check (question);
}

static saker_err_t verify_page (saker_t *self, verifying_t *verifying)
{
    skr_question_t question;
    uint64_t now_ms = skr_client_now_ms ();
    uint64_t left_ms = verifying->deadline_ms > now_ms ? verifying->deadline_ms - now_ms : 0;
    size_t arguments = verifying->collection ? 3 : 2;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_VERIFY, arguments);
    if (error == SAKER_OK) {
        if (verifying->collection) {
            skr_question_text (&question, 0, verifying->collection);
        }
        skr_question_uint (&question, 1, left_ms);
        skr_question_uint (&question, 2, verifying->from);
        error = skr_question_ask (&question, grace ((int) left_ms));
    }
    if (error == SAKER_OK) {
        error = take_verdicts (verifying, &question);
    }
    skr_question_end (&question);
    return error;
}

static saker_err_t sum_up (const verifying_t *verifying)
{
    if (verifying->differ > 0) {
        return skr_fail (SAKER_EDIFFER, "%zu answer%s from this peer", verifying->differ,
                         verifying->differ == 1 ? " differs" : "s differ");
    }
    if (verifying->absent > 0) {
        return skr_fail (SAKER_EUNREACHABLE, "%s did not answer (%zu answer%s missing)",
                         verifying->absentee, verifying->absent,
                         verifying->absent == 1 ? " is" : "s are");
    }
    return SAKER_OK;
}

saker_err_t saker_verify (saker_t *self, const char *collection, int timeout_ms,
                          saker_verdict_fn *verdict_fn, void *argument)
{
    verifying_t verifying = {
        .collection = collection, .verdict_fn = verdict_fn, .argument = argument};
    saker_err_t error;
    verifying.deadline_ms = skr_client_deadline_ms (timeout_ms);
    do {
        error = verify_page (self, &verifying);
    } while (error == SAKER_OK && verifying.more && !verifying.stopped);
    return error == SAKER_OK ? sum_up (&verifying) : error;
}

/* ---- rights and keys */

saker_err_t saker_role (saker_t *self, const char *peer, const char *collection, const char *role)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_ROLE, collection ? 3 : 2);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, peer);
        skr_question_text (&question, 1, role);
        if (collection) {
            skr_question_text (&question, 2, collection);
        }
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_fence (saker_t *self, const char *peer)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_FENCE, 1);
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, peer);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    skr_question_end (&question);
    return error;
}

saker_err_t saker_rotate (saker_t *self)
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_ROTATE, 0);
    if (error == SAKER_OK) {
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    skr_question_end (&question);
    return error;
}

static int hand_over_key (skr_cbor_t *cbor, saker_key_fn *key_fn, void *argument)
{
    char collection[SKR_COLLECTION_BYTES_MAX + 1], id[32], author[SKR_NAME_BYTES_MAX + 1];
    saker_key_t key = {.collection = collection, .id = id, .author = author};
    (void) skr_cbor_get_array (cbor, 6);
    skr_fields_text (cbor, collection, sizeof collection);
    skr_fields_text (cbor, id, sizeof id);
    key.generation = skr_cbor_get_uint (cbor);
    key.time_ms = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, author, sizeof author);
    key.seals = skr_cbor_get_bool (cbor);
    return cbor->error == SAKER_OK ? key_fn (&key, argument) : 0;
}

saker_err_t saker_keys (saker_t *self, saker_key_fn *key_fn, void *argument)
{
    uint64_t next = 0;
    bool more = true;
    while (more) {
        skr_question_t question;
        int ended = 0;
        saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_KEYS, 1);
        more = false;
        if (error == SAKER_OK) {
            skr_cbor_put_uint (&question.request, 0);
            skr_cbor_put_uint (&question.request, next);
            error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
        }
        if (error == SAKER_OK) {
            skr_fields_need (&question.fields, 0);
            size_t count = skr_cbor_get_array (&question.cbor, SKR_ROSTER_KEYS_MAX);
            for (size_t i = 0; i < count && !ended; i++) {
                ended = hand_over_key (&question.cbor, key_fn, argument);
            }
            if (!ended && skr_fields_has (&question.fields, 1)) {
                next = skr_cbor_get_uint (&question.cbor);
                more = true;
            }
            error = ended ? SAKER_OK : skr_question_check (&question);
        }
        skr_question_end (&question);
        if (error != SAKER_OK) {
            return error;
        }
    }
    return SAKER_OK;
}

/* ---- inviting */

saker_err_t saker_invite (saker_t *self, const char *role, int64_t expires_ms,
                          char ticket[SAKER_TICKET_MAX])
{
    skr_question_t question;
    saker_err_t error = skr_question_begin (&question, self, SKR_COMMAND_INVITE, 2);
    ticket[0] = 0;
    if (error == SAKER_OK) {
        skr_question_text (&question, 0, role);
        skr_cbor_put_uint (&question.request, 1);
        skr_cbor_put_int (&question.request, expires_ms);
        error = skr_question_ask (&question, SKR_CLIENT_ANSWER_MS);
    }
    if (error == SAKER_OK) {
        skr_fields_need (&question.fields, 0);
        skr_fields_text (&question.cbor, ticket, SAKER_TICKET_MAX);
        error = skr_question_check (&question);
    }
    skr_question_end (&question);
    return error;
}
