#include "peer/api.h"

#include "crdt/value.h"
#include "peer/fields.h"
#include "peer/trend.h"
#include "tests/check.h"
#include "tests/lib/fake_neighbours.h"
#include "tests/lib/pair.h"

#include <sodium.h>

/* ---- an API over a real replica, with a clock and a neighbour of the test's own */

typedef struct world_t {
    uint64_t mono_ms;
    uint64_t ahead_ms; /* of the real wall time */
} world_t;

typedef struct fixture_t {
    pair_t pair;
    world_t time;
    skr_world_t world;
    fake_neighbours_t fake;
    skr_api_t *api;
    uint64_t number; /* of the last request */
    skr_buf_t request;
    skr_buf_t answer; /* the last */
    skr_buf_t client; /* who got it */
    size_t answers;
} fixture_t;

static const skr_span_t client_a = {(const uint8_t *) "aaaa", 4};
static const skr_span_t client_b = {(const uint8_t *) "bbbb", 4};

static uint64_t test_mono_ms (void *context)
{
    return ((world_t *) context)->mono_ms;
}

static uint64_t test_wall_ms (void *context)
{
    return skr_world_real ()->wall_ms (NULL) + ((const world_t *) context)->ahead_ms;
}

static void test_log (void *context, skr_level_t level, const char *message)
{
    (void) context, (void) level, (void) message;
}

static void take_answer (void *context, skr_span_t client, skr_span_t answer)
{
    fixture_t *fixture = context;
    skr_buf_clear (&fixture->answer);
    skr_buf_append_span (&fixture->answer, answer);
    skr_buf_clear (&fixture->client);
    skr_buf_append_span (&fixture->client, client);
    fixture->answers++;
}

static bool begin_over (fixture_t *fixture, skr_replica_t *own, skr_replica_t *other)
{
    skr_api_destroy (&fixture->api);
    fake_neighbours_init (&fixture->fake, own, other, &fixture->world);
    skr_neighbours_t neighbours = fake_neighbours_of (&fixture->fake);
    return skr_api_new (&fixture->api, own, &neighbours, take_answer, fixture, &fixture->world)
           == SAKER_OK;
}

static bool begin (fixture_t *fixture)
{
    static const skr_id_t roster;
    memset (fixture, 0, sizeof *fixture);
    fixture->time.mono_ms = 1000000;
    fixture->world =
        (skr_world_t){&fixture->time, test_wall_ms, test_mono_ms, test_log, NULL, NULL};
    return pair_open (&fixture->pair)
           && pair_sync (fixture->pair.b, fixture->pair.a, &roster) == SAKER_OK
           && begin_over (fixture, fixture->pair.a, fixture->pair.b);
}

static void end (fixture_t *fixture)
{
    skr_api_destroy (&fixture->api);
    pair_close (&fixture->pair);
    skr_buf_free (&fixture->request);
    skr_buf_free (&fixture->answer);
    skr_buf_free (&fixture->client);
}

/* ---- requests */

static skr_buf_t *put_head (fixture_t *fixture, uint64_t command, size_t arguments)
{
    skr_buf_t *request = &fixture->request;
    skr_buf_clear (request);
    skr_cbor_put_map (request, 4);
    skr_cbor_put_uint (request, 0);
    skr_cbor_put_uint (request, SKR_API_VERSION);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_uint (request, ++fixture->number);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_uint (request, command);
    skr_cbor_put_uint (request, 3);
    skr_cbor_put_map (request, arguments);
    return request;
}

static void put_text (skr_buf_t *request, uint64_t key, const char *text)
{
    skr_cbor_put_uint (request, key);
    skr_cbor_put_text (request, text, strlen (text));
}

static void put_uint (skr_buf_t *request, uint64_t key, uint64_t value)
{
    skr_cbor_put_uint (request, key);
    skr_cbor_put_uint (request, value);
}

static void put_path (skr_buf_t *request, const char *pointer)
{
    skr_buf_t path = {0};
    if (skr_path_from_pointer (&path, pointer) == SAKER_OK) {
        skr_cbor_put_bytes (request, path.data, path.size);
    }
    skr_buf_free (&path);
}

/* Hands over the request that was put; no answer yet is error -1. */
static int handle_as (fixture_t *fixture, skr_span_t client)
{
    size_t before = fixture->answers;
    skr_api_request (fixture->api, client, skr_span_of (&fixture->request));
    return fixture->answers == before ? -1 : 0;
}

/* A whole round: request, commit, turn. */
static void round_trip (fixture_t *fixture)
{
    skr_replica_t *replica = fixture->fake.own;
    handle_as (fixture, client_a);
    saker_err_t error = skr_replica_in_group (replica) ? skr_replica_commit (replica) : SAKER_OK;
    skr_api_committed (fixture->api, error);
    skr_api_turn (fixture->api);
    skr_store_forget (skr_replica_store (replica));
}

/* ---- answers */

typedef struct answer_t {
    uint64_t number;
    int error; /* -1: not well-formed */
    char sentence[1024];
    skr_cbor_t cbor;
    skr_fields_t body;
} answer_t;

static answer_t *open_answer (const fixture_t *fixture)
{
    static answer_t answer;
    skr_fields_t head;
    memset (&answer, 0, sizeof answer);
    skr_cbor_open (&answer.cbor, skr_span_of (&fixture->answer));
    skr_fields_open (&head, &answer.cbor);
    skr_fields_need (&head, 0);
    (void) skr_cbor_get_uint (&answer.cbor);
    skr_fields_need (&head, 1);
    answer.number = skr_cbor_get_uint (&answer.cbor);
    skr_fields_need (&head, 2);
    answer.error = (int) skr_cbor_get_uint (&answer.cbor);
    skr_fields_need (&head, 3);
    if (answer.error) {
        skr_fields_text (&answer.cbor, answer.sentence, sizeof answer.sentence);
        answer.error = skr_cbor_close (&answer.cbor) == SAKER_OK ? answer.error : -1;
    } else {
        skr_fields_open (&answer.body, &answer.cbor);
    }
    if (answer.cbor.error != SAKER_OK) {
        answer.error = -1;
    }
    return &answer;
}

static answer_t *ask (fixture_t *fixture)
{
    static answer_t none = {.error = -2};
    size_t before = fixture->answers;
    round_trip (fixture);
    return fixture->answers == before + 1 ? open_answer (fixture) : &none;
}

#define CHECK_ANSWER(answer, wanted, words)                                                        \
    do {                                                                                           \
        answer_t *check_answer = (answer);                                                         \
        if (check_answer->error != (int) (wanted) || !strstr (check_answer->sentence, (words))) {  \
            CHECK_FAIL ("answer %d \"%s\", not %s \"%s\"", check_answer->error,                    \
                        check_answer->sentence, #wanted, (words));                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* ---- writing */

static void put_write (fixture_t *fixture, const char *collection, size_t intents)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_WRITE, 2);
    put_text (request, 0, collection);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_array (request, intents);
}

static void put_intent (fixture_t *fixture, skr_intent_kind_t kind, const char *document,
                        const char *pointer)
{
    skr_cbor_put_array (&fixture->request, 3);
    skr_cbor_put_uint (&fixture->request, kind);
    skr_cbor_put_text (&fixture->request, document, strlen (document));
    put_path (&fixture->request, pointer);
}

static void put_set (fixture_t *fixture, const char *document, const char *pointer,
                     const char *text)
{
    skr_cbor_put_array (&fixture->request, 4);
    skr_cbor_put_uint (&fixture->request, SKR_INTENT_SET);
    skr_cbor_put_text (&fixture->request, document, strlen (document));
    put_path (&fixture->request, pointer);
    skr_cbor_put_text (&fixture->request, text, strlen (text));
}

static void put_incr (fixture_t *fixture, const char *document, const char *pointer, int64_t amount)
{
    skr_cbor_put_array (&fixture->request, 4);
    skr_cbor_put_uint (&fixture->request, SKR_INTENT_INCR);
    skr_cbor_put_text (&fixture->request, document, strlen (document));
    put_path (&fixture->request, pointer);
    skr_cbor_put_int (&fixture->request, amount);
}

static answer_t *set_text (fixture_t *fixture, const char *collection, const char *document,
                           const char *pointer, const char *text)
{
    put_write (fixture, collection, 1);
    put_set (fixture, document, pointer, text);
    return ask (fixture);
}

/* ---- leaves */

typedef struct got_t {
    size_t leaves;
    size_t documents;
    char document[SKR_DOCUMENT_BYTES_MAX + 1], author[80];
    saker_value_t value;
    uint64_t cell, flags;
    bool more;
    char next[SKR_DOCUMENT_BYTES_MAX + 1];
    uint64_t skip;
    uint8_t digest[16];
} got_t;

static void take_leaf (skr_cbor_t *cbor, got_t *got)
{
    char document[SKR_DOCUMENT_BYTES_MAX + 1];
    uint8_t writer[16];
    (void) skr_cbor_get_array (cbor, 9);
    skr_fields_text (cbor, document, sizeof document);
    got->documents += strcmp (document, got->document) != 0;
    snprintf (got->document, sizeof got->document, "%s", document);
    (void) skr_cbor_get_bytes (cbor);
    got->cell = skr_cbor_get_uint (cbor);
    skr_value_get (cbor, &got->value);
    got->flags = skr_cbor_get_uint (cbor);
    (void) skr_cbor_get_uint (cbor);
    skr_cbor_get_fixed (cbor, writer, sizeof writer);
    (void) skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, got->author, sizeof got->author);
    got->leaves++;
}

static bool take_page (answer_t *answer, got_t *got)
{
    got->more = skr_fields_has (&answer->body, 0);
    if (got->more) {
        (void) skr_cbor_get_array (&answer->cbor, 3);
        skr_fields_text (&answer->cbor, got->next, sizeof got->next);
        got->skip = skr_cbor_get_uint (&answer->cbor);
        skr_cbor_get_fixed (&answer->cbor, got->digest, sizeof got->digest);
    }
    skr_fields_need (&answer->body, 1);
    size_t count = skr_cbor_get_array (&answer->cbor, SIZE_MAX);
    for (size_t i = 0; i < count && answer->cbor.error == SAKER_OK; i++) {
        take_leaf (&answer->cbor, got);
    }
    skr_fields_end (&answer->body);
    return skr_cbor_close (&answer->cbor) == SAKER_OK;
}

static answer_t *ask_page (fixture_t *fixture, skr_command_t command, const char *collection,
                           const got_t *from)
{
    bool read = command == SKR_COMMAND_READ;
    skr_buf_t *request = put_head (fixture, command, (read ? 3 : 2) + (from->skip ? 2 : 0));
    put_text (request, 0, collection);
    put_text (request, 1, from->next);
    if (read) {
        skr_cbor_put_uint (request, 2);
        skr_cbor_put_bytes (request, NULL, 0);
    }
    if (from->skip) {
        put_uint (request, 3, from->skip);
        skr_cbor_put_uint (request, 4);
        skr_cbor_put_bytes (request, from->digest, sizeof from->digest);
    }
    return ask (fixture);
}

static answer_t *read_document (fixture_t *fixture, const char *collection, const char *document,
                                got_t *got)
{
    memset (got, 0, sizeof *got);
    snprintf (got->next, sizeof got->next, "%s", document);
    answer_t *answer = ask_page (fixture, SKR_COMMAND_READ, collection, got);
    if (answer->error == 0 && !take_page (answer, got)) {
        answer->error = -1;
    }
    return answer;
}

/* Writes a document of about 600 KiB in changes that fit. */
static bool write_large (fixture_t *fixture, const char *document)
{
    char pointer[16], text[1001];
    memset (text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < 600; i += 50) {
        put_write (fixture, "large", 50);
        for (int k = i; k < i + 50; k++) {
            snprintf (pointer, sizeof pointer, "/k%03d", k);
            put_set (fixture, document, pointer, text);
        }
        if (ask (fixture)->error != 0) {
            return false;
        }
    }
    return true;
}

/* ---- tests */

static void hello_tells_who_answers (void)
{
    fixture_t fixture;
    char name[80], role[16], mesh[80];
    CHECK (begin (&fixture));
    put_head (&fixture, SKR_COMMAND_HELLO, 0);
    answer_t *answer = ask (&fixture);
    CHECK_ANSWER (answer, SAKER_OK, "");
    CHECK_INT (answer->number, fixture.number);
    skr_fields_need (&answer->body, 0);
    skr_fields_text (&answer->cbor, name, sizeof name);
    skr_fields_need (&answer->body, 1);
    skr_fields_text (&answer->cbor, role, sizeof role);
    skr_fields_need (&answer->body, 2);
    skr_fields_text (&answer->cbor, mesh, sizeof mesh);
    CHECK_STR (name, "alpha");
    CHECK_STR (role, "admin");
    CHECK_STR (mesh, "test");
    end (&fixture);
}

static void a_write_is_answered_after_the_commit (void)
{
    fixture_t fixture;
    got_t got;
    CHECK (begin (&fixture));
    put_write (&fixture, "shots", 2);
    put_set (&fixture, "sq010", "/title", "Dawn");
    put_incr (&fixture, "sq010", "/takes", 3);
    CHECK_INT (handle_as (&fixture, client_a), -1);
    skr_api_turn (fixture.api);
    CHECK_INT (fixture.answers, 0);
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    skr_api_committed (fixture.api, SAKER_OK);
    CHECK_INT (fixture.answers, 1);
    CHECK (skr_span_equal (skr_span_of (&fixture.client), client_a));
    CHECK_ANSWER (open_answer (&fixture), SAKER_OK, "");
    CHECK_ANSWER (read_document (&fixture, "shots", "sq010", &got), SAKER_OK, "");
    CHECK_INT (got.leaves, 2);
    CHECK_INT (got.cell, SAKER_REGISTER);
    CHECK_INT (got.flags, 2);
    CHECK_STR (got.author, "alpha");
    CHECK (!got.more);
    end (&fixture);
}

static void a_failed_commit_fails_its_writes (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    put_write (&fixture, "shots", 1);
    put_set (&fixture, "sq010", "/title", "Dawn");
    CHECK_INT (handle_as (&fixture, client_a), -1);
    put_write (&fixture, "shots", 1);
    put_set (&fixture, "sq020", "/title", "Dusk");
    CHECK_INT (handle_as (&fixture, client_b), -1);
    skr_replica_abort (fixture.pair.a);
    skr_api_committed (fixture.api, skr_fail (SAKER_EFULL, "the disk is full: free some"));
    CHECK_INT (fixture.answers, 2);
    CHECK_ANSWER (open_answer (&fixture), SAKER_EFULL, "the disk is full");
    got_t got;
    CHECK_ANSWER (read_document (&fixture, "shots", "sq010", &got), SAKER_ENOTFOUND, "shots");
    CHECK_ANSWER (set_text (&fixture, "shots", "sq010", "/title", "Dawn"), SAKER_OK, "");
    end (&fixture);
}

static void a_refused_write_leaves_the_others (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    put_write (&fixture, "shots", 1);
    put_set (&fixture, "sq010", "/title", "Dawn");
    CHECK_INT (handle_as (&fixture, client_a), -1);
    put_write (&fixture, "shots", 1);
    put_incr (&fixture, "sq010", "/title", 1);
    CHECK_INT (handle_as (&fixture, client_b), 0);
    CHECK_ANSWER (open_answer (&fixture), SAKER_ETYPE, "/title");
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    skr_api_committed (fixture.api, SAKER_OK);
    CHECK_ANSWER (open_answer (&fixture), SAKER_OK, "");
    end (&fixture);
}

static answer_t *write_once (fixture_t *fixture, const char *id)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_WRITE, 3);
    put_text (request, 0, "shots");
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_array (request, 1);
    put_incr (fixture, "sq010", "/takes", 1);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_bytes (request, id, strlen (id));
    return ask (fixture);
}

static void an_operation_id_writes_once (void)
{
    fixture_t fixture;
    got_t got;
    char id[66];
    CHECK (begin (&fixture));
    for (int i = 0; i < 3; i++) {
        answer_t *answer = write_once (&fixture, "once");
        CHECK_ANSWER (answer, SAKER_OK, "");
        skr_fields_need (&answer->body, 0);
        (void) skr_cbor_get_bytes (&answer->cbor);
        skr_fields_need (&answer->body, 1);
        CHECK_INT (skr_cbor_get_uint (&answer->cbor), 1);
        skr_fields_need (&answer->body, 2);
        CHECK_INT (skr_cbor_get_bool (&answer->cbor), i > 0);
    }
    CHECK_ANSWER (read_document (&fixture, "shots", "sq010", &got), SAKER_OK, "");
    CHECK_INT (got.value.as.integer, 1);
    memset (id, 'i', sizeof id - 1);
    id[65] = 0;
    CHECK_ANSWER (write_once (&fixture, id), SAKER_EINPUT, "operation id");
    CHECK_ANSWER (write_once (&fixture, ""), SAKER_EINPUT, "operation id");
    end (&fixture);
}

static void every_kind_of_intent_arrives (void)
{
    fixture_t fixture;
    got_t got;
    CHECK (begin (&fixture));
    put_write (&fixture, "shots", 5);
    put_intent (&fixture, SKR_INTENT_REPLACE, "sq010", "");
    put_set (&fixture, "sq010", "/a", "1");
    put_intent (&fixture, SKR_INTENT_SET_MAP, "sq010", "/b");
    skr_cbor_put_array (&fixture.request, 1);
    skr_cbor_put_uint (&fixture.request, SKR_INTENT_REPLACE_END);
    put_intent (&fixture, SKR_INTENT_DELETE, "sq010", "/a");
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    CHECK_ANSWER (read_document (&fixture, "shots", "sq010", &got), SAKER_OK, "");
    CHECK_INT (got.leaves, 1);
    CHECK_INT (got.cell, SAKER_EMPTY_MAP);
    end (&fixture);
}

static void a_large_document_comes_in_pages (void)
{
    fixture_t fixture;
    got_t got;
    CHECK (begin (&fixture));
    CHECK (write_large (&fixture, "big"));
    CHECK_ANSWER (read_document (&fixture, "large", "big", &got), SAKER_OK, "");
    int pages = 1;
    for (; got.more && pages < 10; pages++) {
        answer_t *answer = ask_page (&fixture, SKR_COMMAND_READ, "large", &got);
        CHECK_ANSWER (answer, SAKER_OK, "");
        CHECK (fixture.answer.size < (256 + 80) << 10);
        CHECK (take_page (answer, &got));
    }
    CHECK_INT (got.leaves, 600);
    CHECK_INT (pages, 3);
    end (&fixture);
}

static void a_page_after_a_change_is_refused (void)
{
    fixture_t fixture;
    got_t first;
    CHECK (begin (&fixture));
    CHECK (write_large (&fixture, "big"));
    CHECK_ANSWER (read_document (&fixture, "large", "big", &first), SAKER_OK, "");
    CHECK (first.more && first.skip > 0);
    /* after what was read: it is as of the later moment */
    CHECK_ANSWER (set_text (&fixture, "large", "big", "/k599", "new"), SAKER_OK, "");
    CHECK_ANSWER (ask_page (&fixture, SKR_COMMAND_READ, "large", &first), SAKER_OK, "");
    CHECK_ANSWER (set_text (&fixture, "large", "big", "/k000", "new"), SAKER_OK, "");
    CHECK_ANSWER (ask_page (&fixture, SKR_COMMAND_READ, "large", &first), SAKER_EWAIT, "changed");
    CHECK_ANSWER (ask_page (&fixture, SKR_COMMAND_ITERATE, "large", &first), SAKER_EWAIT,
                  "changed");
    put_write (&fixture, "large", 1);
    put_intent (&fixture, SKR_INTENT_DELETE, "big", "");
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    CHECK_ANSWER (ask_page (&fixture, SKR_COMMAND_READ, "large", &first), SAKER_EWAIT, "changed");
    CHECK_ANSWER (ask_page (&fixture, SKR_COMMAND_ITERATE, "large", &first), SAKER_EWAIT,
                  "changed");
    end (&fixture);
}

/* 2,500 small documents, and a large one in their midst. */
static bool write_many (fixture_t *fixture)
{
    char document[16];
    for (int i = 0; i < 2500; i += 500) {
        put_write (fixture, "large", 500);
        for (int k = i; k < i + 500; k++) {
            snprintf (document, sizeof document, "d%04d", k);
            put_set (fixture, document, "/n", "value");
        }
        if (ask (fixture)->error != 0) {
            return false;
        }
    }
    return write_large (fixture, "d1000-big");
}

static void iterate_misses_nothing (void)
{
    fixture_t fixture;
    got_t got = {.leaves = 0};
    int pages = 0;
    CHECK (begin (&fixture));
    CHECK (write_many (&fixture));
    do {
        answer_t *answer = ask_page (&fixture, SKR_COMMAND_ITERATE, "large", &got);
        CHECK_ANSWER (answer, SAKER_OK, "");
        got.skip = 0;
        CHECK (take_page (answer, &got));
        pages++;
    } while (got.more && pages < 20);
    CHECK_INT (got.leaves, 2500 + 600);
    CHECK_INT (got.documents, 2501);
    CHECK (pages >= 4);
    end (&fixture);
}

/* Asks for all pages of a list; returns the number of names in it. */
static size_t count_names (fixture_t *fixture, skr_command_t command, const char *collection)
{
    char from[SKR_DOCUMENT_BYTES_MAX + 1] = "", last[SKR_DOCUMENT_BYTES_MAX + 1] = "";
    size_t names = 0;
    for (;;) {
        skr_buf_t *request = put_head (fixture, command, collection ? 2 : 1);
        if (collection) {
            put_text (request, 0, collection);
        }
        put_text (request, collection ? 1 : 0, from);
        answer_t *answer = ask (fixture);
        skr_fields_need (&answer->body, 0);
        size_t count = answer->error == 0 ? skr_cbor_get_array (&answer->cbor, SIZE_MAX) : 0;
        for (size_t i = 0; i < count; i++) {
            char name[SKR_DOCUMENT_BYTES_MAX + 1];
            if (!collection) {
                (void) skr_cbor_get_array (&answer->cbor, 2);
            }
            skr_fields_text (&answer->cbor, name, sizeof name);
            if (!collection) {
                (void) skr_cbor_get_uint (&answer->cbor);
            }
            names += strcmp (name, last) > 0;
            snprintf (last, sizeof last, "%s", name);
        }
        if (answer->error != 0 || !skr_fields_has (&answer->body, 1)) {
            return names;
        }
        skr_fields_text (&answer->cbor, from, sizeof from);
    }
}

static void lists_come_in_pages_and_order (void)
{
    fixture_t fixture;
    char name[16];
    CHECK (begin (&fixture));
    CHECK (write_many (&fixture));
    CHECK_INT (count_names (&fixture, SKR_COMMAND_DOCUMENTS, "large"), 2501);
    for (int i = 0; i < 1100; i++) {
        snprintf (name, sizeof name, "c%d", (i * 7919) % 1100);
        put_write (&fixture, name, 1);
        put_set (&fixture, "d", "/a", "1");
        handle_as (&fixture, client_a);
    }
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    skr_api_committed (fixture.api, SAKER_OK);
    CHECK_INT (count_names (&fixture, SKR_COMMAND_COLLECTIONS, NULL), 1101);
    end (&fixture);
}

/* ---- cursors and watching */

static bool take_cursor (answer_t *answer, saker_cursor_t *cursor)
{
    skr_fields_need (&answer->body, 0);
    skr_cbor_get_fixed (&answer->cbor, cursor->epoch, sizeof cursor->epoch);
    skr_fields_need (&answer->body, 1);
    cursor->position = skr_cbor_get_uint (&answer->cbor);
    return answer->error == 0 && skr_cbor_close (&answer->cbor) == SAKER_OK;
}

static bool ask_now (fixture_t *fixture, saker_cursor_t *cursor)
{
    put_head (fixture, SKR_COMMAND_NOW, 0);
    return take_cursor (ask (fixture), cursor);
}

static void put_cursor (skr_buf_t *request, const saker_cursor_t *cursor)
{
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_bytes (request, cursor->epoch, sizeof cursor->epoch);
    put_uint (request, 2, cursor->position);
}

static void put_watch (fixture_t *fixture, const char *collection, const saker_cursor_t *cursor,
                       uint64_t timeout_ms)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_WATCH, collection ? 4 : 3);
    if (collection) {
        put_text (request, 0, collection);
    }
    put_cursor (request, cursor);
    put_uint (request, 3, timeout_ms);
}

/* Number of events of an answer; the cursor moves. */
static int take_events (answer_t *answer, saker_cursor_t *cursor)
{
    skr_fields_need (&answer->body, 0);
    size_t count = skr_cbor_get_array (&answer->cbor, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        (void) skr_cbor_get_raw (&answer->cbor);
    }
    skr_fields_need (&answer->body, 1);
    cursor->position = skr_cbor_get_uint (&answer->cbor);
    return answer->error == 0 && skr_cbor_close (&answer->cbor) == SAKER_OK ? (int) count : -1;
}

static void cursors_are_kept (void)
{
    fixture_t fixture;
    saker_cursor_t cursor, loaded;
    CHECK (begin (&fixture));
    CHECK (ask_now (&fixture, &cursor));
    skr_buf_t *request = put_head (&fixture, SKR_COMMAND_CURSOR_SAVE, 3);
    put_text (request, 0, "bridge");
    put_cursor (request, &cursor);
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    put_text (put_head (&fixture, SKR_COMMAND_CURSOR_LOAD, 1), 0, "bridge");
    CHECK (take_cursor (ask (&fixture), &loaded));
    CHECK (memcmp (&cursor, &loaded, sizeof cursor) == 0);
    put_text (put_head (&fixture, SKR_COMMAND_CURSOR_LOAD, 1), 0, "other");
    CHECK_ANSWER (ask (&fixture), SAKER_ENOTFOUND, "other");
    end (&fixture);
}

static void a_watch_is_answered_when_something_comes (void)
{
    fixture_t fixture;
    saker_cursor_t cursor;
    CHECK (begin (&fixture));
    CHECK (ask_now (&fixture, &cursor));
    put_watch (&fixture, NULL, &cursor, 1000);
    CHECK_INT (ask (&fixture)->error, -2);
    CHECK_INT (skr_api_deadline_ms (fixture.api), fixture.time.mono_ms + 1000);
    put_write (&fixture, "shots", 2);
    put_set (&fixture, "sq010", "/a", "1");
    put_set (&fixture, "sq020", "/a", "1");
    handle_as (&fixture, client_b);
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    skr_api_committed (fixture.api, SAKER_OK);
    CHECK_INT (fixture.answers, 2); /* of NOW, and the write's */
    skr_api_turn (fixture.api);
    CHECK_INT (fixture.answers, 3);
    CHECK (skr_span_equal (skr_span_of (&fixture.client), client_a));
    CHECK_INT (take_events (open_answer (&fixture), &cursor), 2);
    CHECK (skr_api_deadline_ms (fixture.api) == UINT64_MAX);
    put_watch (&fixture, NULL, &cursor, 0);
    CHECK_INT (take_events (ask (&fixture), &cursor), 0);
    end (&fixture);
}

static void a_watch_of_one_collection_skips_others (void)
{
    fixture_t fixture;
    saker_cursor_t cursor;
    CHECK (begin (&fixture));
    CHECK (ask_now (&fixture, &cursor));
    uint64_t before = cursor.position;
    CHECK_ANSWER (set_text (&fixture, "other", "d", "/a", "1"), SAKER_OK, "");
    put_watch (&fixture, "shots", &cursor, 1000); /* it is not there yet */
    CHECK_INT (ask (&fixture)->error, -2);
    fixture.time.mono_ms += 1000;
    skr_api_turn (fixture.api);
    CHECK_INT (take_events (open_answer (&fixture), &cursor), 0);
    CHECK_INT (cursor.position, before + 1);
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_OK, "");
    put_watch (&fixture, "shots", &cursor, 1000);
    CHECK_INT (take_events (ask (&fixture), &cursor), 1);
    put_watch (&fixture, "sh/ots", &cursor, 1000);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "name of a collection");
    end (&fixture);
}

static void a_cursor_of_elsewhere_is_a_gap (void)
{
    fixture_t fixture;
    saker_cursor_t cursor;
    CHECK (begin (&fixture));
    CHECK (ask_now (&fixture, &cursor));
    cursor.epoch[0] ^= 1;
    put_watch (&fixture, NULL, &cursor, 1000);
    CHECK_ANSWER (ask (&fixture), SAKER_EGAP, "read anew");
    put_watch (&fixture, "shots", &cursor, 1000);
    CHECK_ANSWER (ask (&fixture), SAKER_EGAP, "read anew");
    end (&fixture);
}

static void waiters_are_bounded (void)
{
    fixture_t fixture;
    saker_cursor_t cursor;
    char name[16];
    CHECK (begin (&fixture));
    CHECK (ask_now (&fixture, &cursor));
    put_watch (&fixture, NULL, &cursor, 1000);
    for (int i = 0; i < SKR_API_WAITERS_MAX; i++) {
        snprintf (name, sizeof name, "c%d", i);
        CHECK_INT (handle_as (&fixture, skr_span_text (name)), -1);
    }
    CHECK_INT (handle_as (&fixture, client_b), 0);
    CHECK_ANSWER (open_answer (&fixture), SAKER_EBUSY, "SKR_API_WAITERS_MAX");
    CHECK_INT (handle_as (&fixture, skr_span_text ("c7")), -1); /* gives up its former one */
    fixture.time.mono_ms += 1000;
    size_t before = fixture.answers;
    skr_api_turn (fixture.api);
    CHECK_INT (fixture.answers, before + SKR_API_WAITERS_MAX);
    end (&fixture);
}

/* ---- the mesh */

static answer_t *ask_wait (fixture_t *fixture, const char *name, uint64_t timeout_ms)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_WAIT, name ? 2 : 1);
    if (name) {
        skr_cbor_put_uint (request, 0);
        skr_cbor_put_array (request, 1);
        skr_cbor_put_text (request, name, strlen (name));
    }
    put_uint (request, 1, timeout_ms);
    return ask (fixture);
}

static void wait_ends_when_all_have_it (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_ANSWER (ask_wait (&fixture, NULL, 1000), SAKER_OK, "");
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_OK, "");
    CHECK_INT (ask_wait (&fixture, "beta", 1000)->error, -2);
    size_t before = fixture.answers;
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    skr_api_turn (fixture.api);
    CHECK_INT (fixture.answers, before + 1);
    CHECK_ANSWER (open_answer (&fixture), SAKER_OK, "");
    CHECK_ANSWER (ask_wait (&fixture, "alpha", 0), SAKER_OK, "");
    CHECK_ANSWER (ask_wait (&fixture, "gamma", 0), SAKER_ENOTFOUND, "gamma");
    end (&fixture);
}

static void wait_says_who_is_behind (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    for (int i = 0; i < 3; i++) {
        CHECK_ANSWER (set_text (&fixture, i ? "shots" : "other", "d", "/a", "1"), SAKER_OK, "");
    }
    CHECK_ANSWER (ask_wait (&fixture, NULL, 0), SAKER_ETIMEOUT, "beta is behind by 3 changes");
    fixture.fake.told = false;
    fixture.fake.seen_ms = -1;
    CHECK_ANSWER (ask_wait (&fixture, NULL, 0), SAKER_ETIMEOUT, "beta was never heard");
    end (&fixture);
}

typedef struct verdict_t {
    char collection[80], peer[80], fingerprint[40], part[40];
    bool reached, same_clock, same_data, compared;
    uint64_t documents, ahead, behind;
    bool carried;
} verdict_t;

static int take_verdicts (answer_t *answer, verdict_t *verdicts, size_t max)
{
    skr_cbor_t *cbor = &answer->cbor;
    if (answer->error != 0) {
        return -1;
    }
    skr_fields_need (&answer->body, 0);
    size_t count = skr_cbor_get_array (cbor, max);
    for (size_t i = 0; i < count; i++) {
        verdict_t *verdict = &verdicts[i];
        (void) skr_cbor_get_array (cbor, 12);
        skr_fields_text (cbor, verdict->collection, sizeof verdict->collection);
        skr_fields_text (cbor, verdict->peer, sizeof verdict->peer);
        verdict->reached = skr_cbor_get_bool (cbor);
        verdict->same_clock = skr_cbor_get_bool (cbor);
        verdict->same_data = skr_cbor_get_bool (cbor);
        skr_fields_text (cbor, verdict->fingerprint, sizeof verdict->fingerprint);
        verdict->documents = skr_cbor_get_uint (cbor);
        verdict->ahead = skr_cbor_get_uint (cbor);
        verdict->behind = skr_cbor_get_uint (cbor);
        verdict->carried = skr_cbor_get_bool (cbor);
        skr_fields_text (cbor, verdict->part, sizeof verdict->part);
        verdict->compared = skr_cbor_get_bool (cbor);
    }
    return skr_cbor_close (cbor) == SAKER_OK ? (int) count : -1;
}

static answer_t *ask_verify (fixture_t *fixture, const char *collection, uint64_t timeout_ms)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_VERIFY, collection ? 3 : 2);
    if (collection) {
        put_text (request, 0, collection);
    }
    put_uint (request, 1, timeout_ms);
    put_uint (request, 2, 0);
    return ask (fixture);
}

static void verify_compares (void)
{
    fixture_t fixture;
    verdict_t verdicts[8];
    CHECK (begin (&fixture));
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_OK, "");
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_INT (take_verdicts (ask_verify (&fixture, NULL, 1000), verdicts, 8), 4);
    CHECK_STR (verdicts[0].collection, "@roster");
    CHECK_STR (verdicts[2].collection, "shots");
    CHECK_STR (verdicts[2].peer, "alpha");
    CHECK_STR (verdicts[3].peer, "beta");
    CHECK (verdicts[3].reached && verdicts[3].same_clock && verdicts[3].same_data);
    CHECK_STR (verdicts[3].fingerprint, verdicts[2].fingerprint);
    CHECK_INT (verdicts[3].documents, 1);
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 1));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "f", 1));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "f", 2));
    CHECK_INT (take_verdicts (ask_verify (&fixture, "shots", 1000), verdicts, 8), 2);
    CHECK (verdicts[1].reached && !verdicts[1].same_clock);
    CHECK_INT (verdicts[1].ahead, 2);
    CHECK_INT (verdicts[1].behind, 1);
    CHECK_ANSWER (ask_verify (&fixture, "none", 1000), SAKER_ENOTFOUND, "none");
    end (&fixture);
}

static void verify_asks_again_and_gives_up (void)
{
    fixture_t fixture;
    verdict_t verdicts[8];
    CHECK (begin (&fixture));
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    fixture.time.mono_ms += 60000; /* not just started any more */
    fixture.fake.answers = false;
    CHECK_INT (ask_verify (&fixture, "@roster", 2000)->error, -2);
    CHECK_INT (fixture.fake.asked, 1);
    CHECK_INT (skr_api_deadline_ms (fixture.api), fixture.time.mono_ms + 500);
    fixture.time.mono_ms += 500;
    skr_api_turn (fixture.api);
    CHECK_INT (fixture.fake.asked, 2);
    fixture.time.mono_ms += 1500;
    skr_api_turn (fixture.api);
    CHECK_INT (take_verdicts (open_answer (&fixture), verdicts, 8), 2);
    CHECK (verdicts[0].reached && !verdicts[1].reached);
    fixture.fake.link = "silent"; /* nobody waits for who has been away for long */
    fixture.fake.seen_ms = 20000;
    CHECK_INT (take_verdicts (ask_verify (&fixture, "@roster", 2000), verdicts, 8), 2);
    CHECK (!verdicts[1].reached);
    fixture.time.mono_ms++;
    fixture.fake.told_ms = fixture.time.mono_ms; /* a beat that another passed on */
    fixture.fake.seen_ms = 10;
    CHECK_INT (take_verdicts (ask_verify (&fixture, "@roster", 2000), verdicts, 8), 2);
    CHECK (verdicts[1].reached && verdicts[1].same_data);
    end (&fixture);
}

static void peers_are_listed (void)
{
    fixture_t fixture;
    int behind[2], lag_ms[2], self = -1;
    CHECK (begin (&fixture));
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 1));
    fixture.time.ahead_ms = 3000;
    put_head (&fixture, SKR_COMMAND_PEERS, 0);
    answer_t *answer = ask (&fixture);
    CHECK_ANSWER (answer, SAKER_OK, "");
    skr_fields_need (&answer->body, 0);
    CHECK_INT (skr_cbor_get_array (&answer->cbor, 8), 2);
    for (int i = 0; i < 2; i++) {
        char text[5][80];
        CHECK_INT (skr_cbor_get_array (&answer->cbor, 9), 9);
        for (int k = 0; k < 5; k++) {
            skr_fields_text (&answer->cbor, text[k], sizeof text[k]);
        }
        (void) skr_cbor_get_int (&answer->cbor);
        behind[i] = (int) skr_cbor_get_int (&answer->cbor);
        lag_ms[i] = (int) skr_cbor_get_int (&answer->cbor);
        (void) skr_cbor_get_int (&answer->cbor);
        self = strcmp (text[3], "self") == 0 ? i : self;
        CHECK_STR (text[2], self == i ? "admin" : "write");
    }
    CHECK_OK (skr_cbor_close (&answer->cbor));
    CHECK_INT (behind[self], 0);
    CHECK_INT (behind[1 - self], 1);
    CHECK_INT (lag_ms[self], 0);
    CHECK (lag_ms[1 - self] >= 3000 && lag_ms[1 - self] < 60000);
    end (&fixture);
}

/* The value of a pointer in the status, or -1. */
static int64_t look_up (fixture_t *fixture, const char *wanted)
{
    int64_t found = -1;
    put_uint (put_head (fixture, SKR_COMMAND_STATUS, 1), 0, 0);
    answer_t *answer = ask (fixture);
    skr_fields_need (&answer->body, 0);
    size_t count = answer->error == 0 ? skr_cbor_get_array (&answer->cbor, SIZE_MAX) / 2 : 0;
    for (size_t i = 0; i < count; i++) {
        char pointer[200];
        saker_value_t value;
        skr_fields_text (&answer->cbor, pointer, sizeof pointer);
        skr_value_get (&answer->cbor, &value);
        if (strcmp (pointer, wanted) == 0) {
            found = value.type == SAKER_INT ? value.as.integer : (int64_t) value.as.string.size;
        }
    }
    return skr_cbor_close (&answer->cbor) == SAKER_OK ? found : -2;
}

static void status_tells_and_counts (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_ANSWER (set_text (&fixture, "a~b", "d", "/a", "1"), SAKER_OK, "");
    CHECK_INT (look_up (&fixture, "/mesh/name"), 4);
    CHECK_INT (look_up (&fixture, "/device/role"), 5);
    CHECK_INT (look_up (&fixture, "/collections/a~0b/documents"), 1);
    CHECK_INT (look_up (&fixture, "/collections/a~0b/changes"), 1);
    CHECK_INT (look_up (&fixture, "/data/documents"), 1);
    CHECK_INT (look_up (&fixture, "/links/up"), 1);
    CHECK_INT (look_up (&fixture, "/api/bad_requests"), 0);
    skr_api_request (fixture.api, client_a, skr_span_text ("not a request"));
    CHECK_INT (look_up (&fixture, "/api/bad_requests"), 1);
    CHECK (look_up (&fixture, "/store/commits") > 0);
    end (&fixture);
}

/* ---- links, ping, trends */

typedef struct linked_t {
    char name[80], id[20], role[20], state[20], address[80];
    bool fenced, doubled, calls, greeted, skew_known;
    int64_t heard, seen, rtt, skew, behind, ahead, lag;
    uint64_t numbers[7];
    size_t hears;
    char heard_id[20];
} linked_t;

static void take_link (skr_cbor_t *cbor, linked_t *link)
{
    CHECK_INT (skr_cbor_get_array (cbor, 25), 25);
    skr_fields_text (cbor, link->name, sizeof link->name);
    skr_fields_text (cbor, link->id, sizeof link->id);
    skr_fields_text (cbor, link->role, sizeof link->role);
    skr_fields_text (cbor, link->state, sizeof link->state);
    skr_fields_text (cbor, link->address, sizeof link->address);
    link->fenced = skr_cbor_get_bool (cbor);
    link->doubled = skr_cbor_get_bool (cbor);
    link->calls = skr_cbor_get_bool (cbor);
    link->greeted = skr_cbor_get_bool (cbor);
    link->heard = skr_cbor_get_int (cbor);
    link->seen = skr_cbor_get_int (cbor);
    link->rtt = skr_cbor_get_int (cbor);
    link->skew_known = skr_cbor_get_bool (cbor);
    link->skew = skr_cbor_get_int (cbor);
    link->behind = skr_cbor_get_int (cbor);
    link->ahead = skr_cbor_get_int (cbor);
    link->lag = skr_cbor_get_int (cbor);
    for (int i = 0; i < 7; i++) {
        link->numbers[i] = skr_cbor_get_uint (cbor);
    }
    link->hears = skr_cbor_get_array (cbor, 8);
    for (size_t i = 0; i < link->hears; i++) {
        skr_fields_text (cbor, link->heard_id, sizeof link->heard_id);
    }
}

/* links[0]: this peer, links[1]: the other. */
static void ask_links (fixture_t *fixture, linked_t links[2])
{
    put_head (fixture, SKR_COMMAND_LINKS, 0);
    answer_t *answer = ask (fixture);
    memset (links, 0, 2 * sizeof *links);
    CHECK_ANSWER (answer, SAKER_OK, "");
    skr_fields_need (&answer->body, 0);
    CHECK_INT (skr_cbor_get_array (&answer->cbor, 8), 2);
    for (int i = 0; i < 2; i++) {
        linked_t link = {.seen = 0};
        take_link (&answer->cbor, &link);
        links[strcmp (link.state, "self") != 0] = link;
    }
    CHECK_OK (skr_cbor_close (&answer->cbor));
}

static void links_are_told (void)
{
    fixture_t fixture;
    linked_t links[2];
    CHECK (begin (&fixture));
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 1));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 2));
    CHECK_OK (pair_set (fixture.pair.b, "other", "e", 1));
    ask_links (&fixture, links);
    CHECK (!links[0].calls && !links[1].calls);
    CHECK_STR (links[0].state, "self");
    CHECK_STR (links[1].name, "beta");
    CHECK_STR (links[1].state, "up");
    CHECK (links[1].greeted && !links[1].fenced && !links[1].doubled && !links[1].calls);
    CHECK (links[1].skew_known && links[1].skew == -70);
    CHECK_INT (links[1].behind, 2);
    CHECK_INT (links[1].lag >= 0 && links[1].lag < 60000, 1);
    CHECK_INT (links[0].lag, 0);
    CHECK_INT (links[1].numbers[3], 3);
    CHECK_INT (links[0].hears, 1);
    CHECK_STR (links[0].heard_id, links[1].id);
    CHECK_STR (links[1].heard_id, links[0].id);
    fixture.fake.link = "silent";
    ask_links (&fixture, links);
    CHECK_STR (links[1].state, "silent");
    CHECK (!links[1].greeted && links[1].hears == 0);
    end (&fixture);
}

static answer_t *ask_ping (fixture_t *fixture, const char *name, uint64_t timeout_ms)
{
    put_text (put_head (fixture, SKR_COMMAND_PING, 2), 0, name);
    put_uint (&fixture->request, 1, timeout_ms);
    return ask (fixture);
}

static void a_ping_is_answered (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_ANSWER (ask_ping (&fixture, "beta", 1000), SAKER_OK, "");
    CHECK_ANSWER (ask_ping (&fixture, "alpha", 1000), SAKER_EUSAGE, "this peer itself");
    CHECK_ANSWER (ask_ping (&fixture, "gamma", 1000), SAKER_ENOTFOUND, "gamma");
    fixture.fake.answers = false;
    fixture.time.mono_ms += 5;
    CHECK_INT (ask_ping (&fixture, "beta", 1000)->error, -2); /* not yet */
    fixture.time.mono_ms += 1000;
    skr_api_turn (fixture.api);
    CHECK_ANSWER (open_answer (&fixture), SAKER_ETIMEOUT, "did not answer in time");
    fixture.fake.link = "silent";
    CHECK_ANSWER (ask_ping (&fixture, "beta", 1000), SAKER_EUNREACHABLE, "saker dial tcp://");
    end (&fixture);
}

static answer_t *ask_level (fixture_t *fixture, uint64_t level, uint64_t for_ms)
{
    put_uint (put_head (fixture, SKR_COMMAND_LOG_LEVEL, 2), 0, level);
    put_uint (&fixture->request, 1, for_ms);
    return ask (fixture);
}

static void the_log_level_is_lent (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_ANSWER (ask_level (&fixture, 4, 1000), SAKER_EINPUT, "0 to 3");
    CHECK_ANSWER (ask_level (&fixture, 3, SAKER_LOG_LEVEL_MS_MAX + 1), SAKER_EINPUT, "at most");
    CHECK_INT (fixture.fake.level, -1);
    CHECK_ANSWER (ask_level (&fixture, 3, 1000), SAKER_OK, "");
    CHECK_INT (fixture.fake.level, 3);
    CHECK_INT (fixture.fake.level_ms, 1000);
    end (&fixture);
}

static int64_t trend_of (fixture_t *fixture, const char *wanted, size_t *count)
{
    int64_t last = -1;
    put_head (fixture, SKR_COMMAND_TRENDS, 0);
    answer_t *answer = ask (fixture);
    skr_fields_need (&answer->body, 0);
    size_t trends = skr_cbor_get_array (&answer->cbor, 64);
    for (size_t i = 0; i < trends; i++) {
        char name[32];
        (void) skr_cbor_get_array (&answer->cbor, 3);
        skr_fields_text (&answer->cbor, name, sizeof name);
        (void) skr_cbor_get_uint (&answer->cbor);
        size_t values = skr_cbor_get_array (&answer->cbor, SKR_TREND_STEPS);
        for (size_t k = 0; k < values; k++) {
            int64_t value = skr_cbor_get_int (&answer->cbor);
            last = strcmp (name, wanted) == 0 ? value : last;
        }
        *count = values;
    }
    return skr_cbor_close (&answer->cbor) == SAKER_OK ? last : -2;
}

static void trends_are_kept (void)
{
    fixture_t fixture;
    size_t count = 99;
    CHECK (begin (&fixture));
    skr_api_turn (fixture.api);
    CHECK_INT (trend_of (&fixture, "applied", &count), -1);
    CHECK_INT (count, 0);
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 1));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 2));
    fixture.time.mono_ms += SKR_TREND_STEP_MS;
    skr_api_turn (fixture.api);
    CHECK_INT (trend_of (&fixture, "applied", &count), 2);
    CHECK_INT (trend_of (&fixture, "written", &count), 2);
    CHECK_INT (trend_of (&fixture, "behind", &count), 2);
    CHECK_INT (trend_of (&fixture, "up", &count), 1);
    CHECK_INT (count, 1);
    for (int i = 0; i < 2 * SKR_TREND_STEPS; i++) {
        fixture.time.mono_ms += SKR_TREND_STEP_MS;
        skr_api_turn (fixture.api);
    }
    CHECK_INT (trend_of (&fixture, "applied", &count), 0);
    CHECK_INT (count, SKR_TREND_STEPS);
    end (&fixture);
}

/* ---- why */

typedef struct why_t {
    saker_cause_t cause;
    char peer[80], role[8], link[8], other[80], other_link[8], author[80];
    bool own;
    uint64_t seq, changes, rivals, author_seq;
} why_t;

static why_t ask_why (fixture_t *fixture, const char *document, const char *peer)
{
    why_t why = {.own = false};
    char id[20];
    put_text (put_head (fixture, SKR_COMMAND_WHY, peer ? 3 : 2), 0, "shots");
    put_text (&fixture->request, 1, document);
    if (peer) {
        put_text (&fixture->request, 2, peer);
    }
    answer_t *answer = ask (fixture);
    skr_cbor_t *cbor = &answer->cbor;
    if (answer->error) {
        CHECK_FAIL ("why: %d %s", answer->error, answer->sentence);
        return why;
    }
    skr_fields_need (&answer->body, 0);
    (void) skr_cbor_get_array (cbor, 17);
    why.cause = (saker_cause_t) skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, why.peer, sizeof why.peer);
    skr_fields_text (cbor, id, sizeof id);
    why.own = skr_cbor_get_bool (cbor);
    skr_fields_text (cbor, why.role, sizeof why.role);
    skr_fields_text (cbor, why.link, sizeof why.link);
    (void) skr_cbor_get_int (cbor);
    skr_fields_text (cbor, why.other, sizeof why.other);
    skr_fields_text (cbor, why.other_link, sizeof why.other_link);
    (void) skr_cbor_get_int (cbor);
    why.seq = skr_cbor_get_uint (cbor);
    why.changes = skr_cbor_get_uint (cbor);
    (void) skr_cbor_get_bool (cbor);
    why.rivals = skr_cbor_get_uint (cbor);
    skr_fields_text (cbor, why.author, sizeof why.author);
    why.author_seq = skr_cbor_get_uint (cbor);
    (void) skr_cbor_get_uint (cbor);
    if (skr_cbor_close (cbor) != SAKER_OK) {
        CHECK_FAIL ("why: not in form");
    }
    return why;
}

static skr_id_t shots_of (const fixture_t *fixture)
{
    skr_id_t id;
    skr_replica_collection_id (fixture->pair.a, "shots", &id);
    return id;
}

static void it_is_on_its_way (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_UNKNOWN);
    CHECK_OK (pair_set (fixture.pair.a, "shots", "c", 1));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 1));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "e", 1));
    why_t why = ask_why (&fixture, "d", "beta");
    CHECK_INT (why.cause, SAKER_WHY_QUEUED);
    CHECK_INT (why.changes, 2); /* and not e */
    CHECK_STR (why.other, "alpha");
    CHECK_STR (why.author, "alpha");
    CHECK_INT (why.author_seq, 2);
    fixture.fake.link = "silent";
    fixture.fake.seen_ms = 20000;
    why = ask_why (&fixture, "d", "beta");
    CHECK_INT (why.cause, SAKER_WHY_UNCONNECTED);
    CHECK_STR (why.link, "silent");
    CHECK_INT (why.changes, 2);
    fixture.fake.told = false;
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_UNCONNECTED);
    fixture.fake.told = true;
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_THERE);
    CHECK_INT (ask_why (&fixture, "d", NULL).cause, SAKER_WHY_THERE);
    put_write (&fixture, "shots", 1);
    put_intent (&fixture, SKR_INTENT_DELETE, "d", "");
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_UNCONNECTED);
    CHECK_OK (fake_neighbours_sync (&fixture.fake));
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_DELETED);
    CHECK_INT (ask_why (&fixture, "d", NULL).cause, SAKER_WHY_DELETED);
    end (&fixture);
}

static void it_is_still_elsewhere (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "d", 1));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "d", 2));
    why_t why = ask_why (&fixture, "d", NULL);
    CHECK_INT (why.cause, SAKER_WHY_QUEUED);
    CHECK (why.own);
    CHECK_STR (why.other, "beta");
    CHECK_STR (why.other_link, "up");
    CHECK_INT (why.changes, 2);
    fixture.fake.link = "left";
    why = ask_why (&fixture, "d", NULL);
    CHECK_INT (why.cause, SAKER_WHY_UNCONNECTED);
    CHECK_STR (why.other_link, "left");
    end (&fixture);
}

static void rivals_are_told_of (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    const skr_id_t shots = shots_of (&fixture);
    CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 1));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "d", 2));
    CHECK_OK (pair_sync (fixture.pair.a, fixture.pair.b, &shots));
    CHECK_OK (pair_sync (fixture.pair.b, fixture.pair.a, &shots));
    why_t why = ask_why (&fixture, "d", "beta");
    CHECK_INT (why.cause, SAKER_WHY_RIVAL);
    CHECK_INT (why.rivals, 1);
    CHECK_INT (ask_why (&fixture, "d", NULL).cause, SAKER_WHY_RIVAL);
    end (&fixture);
}

/* The second of two changes comes first. */
static void it_waits_for_another (void)
{
    fixture_t fixture;
    skr_buf_t changes = {0};
    size_t count = 0;
    bool more;
    skr_outcome_t outcome = SKR_REFUSED;
    skr_cbor_t cbor;
    static const skr_clock_t nothing;
    CHECK (begin (&fixture));
    const skr_id_t shots = shots_of (&fixture);
    CHECK_OK (pair_set (fixture.pair.b, "shots", "c", 1));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "d", 1));
    CHECK_OK (
        skr_replica_pull (fixture.pair.b, &shots, &nothing, 1 << 16, &changes, &count, &more));
    CHECK_INT (count, 2);
    skr_cbor_open (&cbor, skr_span_of (&changes));
    (void) skr_cbor_get_bytes (&cbor);
    skr_span_t second = skr_cbor_get_bytes (&cbor);
    CHECK_OK (skr_replica_begin (fixture.pair.a));
    CHECK_OK (skr_replica_offer (fixture.pair.a, second, &outcome));
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    CHECK_INT (outcome, SKR_WAITING);
    why_t why = ask_why (&fixture, "d", NULL);
    CHECK_INT (why.cause, SAKER_WHY_DEPENDS);
    CHECK_STR (why.other, "beta");
    CHECK_INT (why.seq, 1);
    CHECK_STR (why.author, "beta");
    CHECK_INT (why.author_seq, 2);
    CHECK_INT (ask_why (&fixture, "c", NULL).cause, SAKER_WHY_QUEUED);
    skr_buf_free (&changes);
    end (&fixture);
}

static void rights_come_first (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    const uint8_t *beta = skr_device_key (skr_replica_device (fixture.pair.b));
    CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 1));
    CHECK_OK (skr_replica_begin (fixture.pair.a));
    CHECK_OK (skr_replica_fence (fixture.pair.a, beta));
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    CHECK_INT (ask_why (&fixture, "d", "beta").cause, SAKER_WHY_FENCED);
    CHECK_OK (pair_role (fixture.pair.a, fixture.pair.b, SKR_ROLE_RELAY));
    why_t why = ask_why (&fixture, "d", "beta");
    CHECK_INT (why.cause, SAKER_WHY_NO_RIGHT);
    CHECK_STR (why.role, "relay");
    CHECK_OK (pair_role (fixture.pair.a, fixture.pair.b, SKR_ROLE_NONE));
    CHECK_STR (ask_why (&fixture, "d", "beta").role, "none");
    end (&fixture);
}

/* What beta wrote after its right to write was taken. */
static void void_changes_are_told_of (void)
{
    static const skr_id_t roster;
    fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (pair_set (fixture.pair.b, "shots", "d", 1));
    CHECK_OK (pair_role (fixture.pair.a, fixture.pair.b, SKR_ROLE_READ));
    CHECK_OK (pair_sync (fixture.pair.a, fixture.pair.b, &roster));
    CHECK_OK (skr_replica_tidy (fixture.pair.b));
    CHECK (begin_over (&fixture, fixture.pair.b, fixture.pair.a));
    why_t why = ask_why (&fixture, "d", "alpha");
    CHECK_INT (why.cause, SAKER_WHY_VOID);
    CHECK_STR (why.author, "beta");
    CHECK_INT (why.author_seq, 1);
    CHECK_INT (ask_why (&fixture, "d", NULL).cause, SAKER_WHY_VOID);
    CHECK_INT (ask_why (&fixture, "c", NULL).cause, SAKER_WHY_UNKNOWN);
    end (&fixture);
}

static answer_t *ask_invite (fixture_t *fixture, const char *role, int64_t expires_ms)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_INVITE, 2);
    put_text (request, 0, role);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_int (request, expires_ms);
    return ask (fixture);
}

static void invite_makes_a_ticket (void)
{
    fixture_t fixture;
    char text[SAKER_TICKET_MAX];
    skr_ticket_t ticket;
    CHECK (begin (&fixture));
    answer_t *answer = ask_invite (&fixture, "read", 60000);
    CHECK_ANSWER (answer, SAKER_OK, "");
    skr_fields_need (&answer->body, 0);
    skr_fields_text (&answer->cbor, text, sizeof text);
    CHECK_OK (skr_ticket_parse (&ticket, text));
    CHECK_STR (ticket.addresses[0], "tcp://127.0.0.1:5671");
    CHECK_ANSWER (ask_invite (&fixture, "king", 60000), SAKER_EUSAGE, "king");
    CHECK_ANSWER (ask_invite (&fixture, "read", 0), SAKER_EINPUT, "expires");
    CHECK_ANSWER (ask_invite (&fixture, "read", -1), SAKER_EINPUT, "expires");
    CHECK_ANSWER (ask_invite (&fixture, "read", INT64_MAX), SAKER_EINPUT, "expires");
    fixture.fake.has_addresses = false;
    CHECK_ANSWER (ask_invite (&fixture, "read", 60000), SAKER_EUNREACHABLE, "--listen");
    CHECK (begin_over (&fixture, fixture.pair.b, fixture.pair.a));
    CHECK_ANSWER (ask_invite (&fixture, "read", 60000), SAKER_ERIGHT, "only admin may invite");
    end (&fixture);
}

static void a_reader_reads_only (void)
{
    fixture_t fixture;
    skr_replica_t *reader = NULL;
    char store[128];
    got_t got;
    CHECK (begin (&fixture));
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_OK, "");
    snprintf (store, sizeof store, "%s/c", fixture.pair.folder);
    CHECK (pair_adopt (fixture.pair.a, store, "gamma", SKR_ROLE_READ, &reader));
    CHECK (begin_over (&fixture, reader, fixture.pair.a));
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_ERIGHT, "may only read");
    CHECK_ANSWER (read_document (&fixture, "shots", "d", &got), SAKER_ENOTFOUND, "shots");
    skr_api_destroy (&fixture.api);
    skr_replica_close (&reader);
    end (&fixture);
}

/* ---- what is not right */

static void what_cannot_be_written_is_refused (void)
{
    fixture_t fixture;
    char id[302];
    CHECK (begin (&fixture));
    memset (id, 'd', sizeof id - 1);
    id[301] = 0;
    CHECK_ANSWER (set_text (&fixture, "shots", "", "/a", "1"), SAKER_EINPUT, "document id");
    CHECK_ANSWER (set_text (&fixture, "shots", id, "/a", "1"), SAKER_EINPUT, "document id");
    CHECK_ANSWER (set_text (&fixture, id, "d", "/a", "1"), SAKER_EINPUT, "too long");
    CHECK_ANSWER (set_text (&fixture, "a/b", "d", "/a", "1"), SAKER_EINPUT, "name of a collection");
    CHECK_ANSWER (set_text (&fixture, "@roster", "d", "/a", "1"), SAKER_EINPUT,
                  "name of a collection");
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "", "1"), SAKER_ETYPE, "map");
    put_write (&fixture, "shots", 1);
    skr_cbor_put_array (&fixture.request, 1);
    skr_cbor_put_uint (&fixture.request, 99);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "unknown kind");
    put_write (&fixture, "shots", 1);
    skr_cbor_put_array (&fixture.request, 3);
    skr_cbor_put_uint (&fixture.request, SKR_INTENT_SET);
    skr_cbor_put_text (&fixture.request, "d", 1);
    put_path (&fixture.request, "/a");
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "parts");
    put_write (&fixture, "shots", 1);
    put_intent (&fixture, SKR_INTENT_REPLACE, "d", "");
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "does not end");
    put_write (&fixture, "shots", 1);
    skr_cbor_put_array (&fixture.request, 4);
    skr_cbor_put_uint (&fixture.request, SKR_INTENT_ADD);
    skr_cbor_put_text (&fixture.request, "d", 1);
    put_path (&fixture.request, "/a");
    skr_cbor_put_array (&fixture.request, 0); /* a value that is none */
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "not a value");
    end (&fixture);
}

static void limits_are_named (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    put_write (&fixture, "shots", 16385);
    for (int i = 0; i < 16385; i++) {
        put_set (&fixture, "d", "/a", "1");
    }
    CHECK_ANSWER (ask (&fixture), SAKER_ELIMIT, "SKR_API_INTENTS_MAX");
    put_write (&fixture, "shots", 1025);
    for (int i = 0; i < 1025; i++) {
        put_set (&fixture, "d", "/a", "1");
    }
    CHECK_ANSWER (ask (&fixture), SAKER_ELIMIT, "SKR_CHANGE_OPS_MAX");
    /* a request over the limit is not even looked at */
    skr_buf_append (&fixture.request, fixture.request.data, fixture.request.size);
    while (fixture.request.size <= SKR_API_REQUEST_BYTES_MAX) {
        skr_buf_append_byte (&fixture.request, 0);
    }
    CHECK_INT (ask (&fixture)->error, -2);
    CHECK_INT (look_up (&fixture, "/api/bad_requests"), 1);
    end (&fixture);
}

static void what_is_not_known_is_answered (void)
{
    fixture_t fixture;
    CHECK (begin (&fixture));
    put_head (&fixture, SKR_COMMANDS, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EVERSION, "does not know command");
    put_head (&fixture, 0, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EVERSION, "does not know command");
    put_head (&fixture, UINT64_MAX, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EVERSION, "does not know command");
    put_uint (put_head (&fixture, SKR_COMMAND_NOW, 1), 1, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "not known");
    put_head (&fixture, SKR_COMMAND_READ, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "missing");
    put_head (&fixture, SKR_COMMAND_NOW, 0);
    skr_cbor_put_uint (&fixture.request, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "after the end");
    put_head (&fixture, SKR_COMMAND_NOW, 0);
    fixture.request.data[2] = 2; /* the version */
    CHECK_ANSWER (ask (&fixture), SAKER_EVERSION, "version 2");
    CHECK_INT (look_up (&fixture, "/api/bad_requests"), 7);
    end (&fixture);
}

/* ---- history and conflicts; their answers are looked at in tests/net/test_rivals.c */

static void put_log (fixture_t *fixture, const char *document, uint64_t below)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_LOG, 3);
    put_text (request, 0, "shots");
    put_text (request, 1, document);
    put_uint (request, 2, below);
}

static void put_restore (fixture_t *fixture, const char *document, uint64_t time_ms)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_RESTORE, 4);
    put_text (request, 0, "shots");
    put_text (request, 1, document);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_bytes (request, NULL, 0);
    put_uint (request, 3, time_ms);
}

static void put_conflicts (fixture_t *fixture, const char *document, const char *key)
{
    skr_buf_t *request = put_head (fixture, SKR_COMMAND_CONFLICTS, 4);
    skr_cbor_put_uint (request, 0);
    skr_cbor_put_bool (request, false);
    put_text (request, 1, "shots");
    put_text (request, 2, document);
    skr_cbor_put_uint (request, 4);
    skr_cbor_put_bytes (request, key, strlen (key));
}

static void history_is_asked_in_form (void)
{
    fixture_t fixture;
    char id[302];
    uint64_t now_ms = skr_world_real ()->wall_ms (NULL);
    skr_replica_t *reader = NULL;
    char store[128];
    CHECK (begin (&fixture));
    memset (id, 'd', sizeof id - 1);
    id[301] = 0;
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/a", "1"), SAKER_OK, "");
    put_log (&fixture, "d", 0);
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    put_log (&fixture, "d", 1);
    CHECK_ANSWER (ask (&fixture), SAKER_OK, ""); /* below all: a page without changes */
    put_log (&fixture, "", 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "document id");
    put_log (&fixture, id, 0);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "document id");
    put_log (&fixture, "e", 0);
    CHECK_ANSWER (ask (&fixture), SAKER_ENOTFOUND, "no change ever touched shots/e");
    put_restore (&fixture, "d", now_ms + 3600000);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "future");
    put_restore (&fixture, "e", now_ms);
    CHECK_ANSWER (ask (&fixture), SAKER_ENOTFOUND, "nothing there at that time");
    put_restore (&fixture, id, now_ms);
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "document id");
    put_conflicts (&fixture, "d", "key that is long enough");
    CHECK_ANSWER (ask (&fixture), SAKER_OK, "");
    put_conflicts (&fixture, "d", "key");
    CHECK_ANSWER (ask (&fixture), SAKER_EINPUT, "no place to go on");
    put_conflicts (&fixture, id, "key that is long enough");
    CHECK_ANSWER (ask (&fixture), SAKER_ELIMIT, "document id");
    snprintf (store, sizeof store, "%s/c", fixture.pair.folder);
    CHECK (pair_adopt (fixture.pair.a, store, "gamma", SKR_ROLE_READ, &reader));
    CHECK (begin_over (&fixture, reader, fixture.pair.a));
    put_restore (&fixture, "d", now_ms);
    CHECK_ANSWER (ask (&fixture), SAKER_ENOTFOUND,
                  "shots"); /* not here; the write knows the rest */
    skr_api_destroy (&fixture.api);
    skr_replica_close (&reader);
    end (&fixture);
}

/* ---- hostile bytes */

static void put_sample (fixture_t *fixture, uint64_t which, const saker_cursor_t *cursor)
{
    static const got_t from = {.next = "d", .skip = 1};
    const skr_command_t command = (skr_command_t) (1 + which % (SKR_COMMANDS - 1));
    skr_buf_t *request = put_head (fixture, command, command == SKR_COMMAND_WRITE ? 2 : 4);
    switch (command) {
    case SKR_COMMAND_WRITE:
        put_write (fixture, "shots", 3);
        put_set (fixture, "d", "/a", "1");
        put_incr (fixture, "d", "/n", 1);
        put_intent (fixture, SKR_INTENT_SET_MAP, "d", "/m/x");
        break;
    case SKR_COMMAND_WATCH:
        put_watch (fixture, "shots", cursor, 50);
        break;
    case SKR_COMMAND_VERIFY:
        put_text (put_head (fixture, command, 3), 0, "shots");
        put_uint (request, 1, 10);
        put_uint (request, 2, 0);
        break;
    case SKR_COMMAND_LOG:
        put_log (fixture, "d", which % 3);
        break;
    case SKR_COMMAND_RESTORE:
        put_restore (fixture, "d", 1000 + which % 3);
        break;
    case SKR_COMMAND_CONFLICTS:
        put_conflicts (fixture, "d", "key that is long enough");
        break;
    default:
        put_text (request, 0, "shots");
        put_text (request, 1, from.next);
        put_uint (request, 3, from.skip);
        skr_cbor_put_uint (request, 4);
        skr_cbor_put_bytes (request, from.digest, sizeof from.digest);
        break;
    }
}

static void mutate (skr_buf_t *request, uint64_t *random)
{
    size_t count = 1 + check_random (random) % 4;
    for (size_t i = 0; i < count && request->size > 0; i++) {
        size_t at = check_random (random) % request->size;
        switch (check_random (random) % 4) {
        case 0:
            request->data[at] = (uint8_t) check_random (random);
            break;
        case 1:
            request->data[at] ^= (uint8_t) (1u << check_random (random) % 8);
            break;
        case 2:
            request->size = at;
            break;
        default:
            memmove (request->data + at, request->data + at + 1, request->size - at - 1);
            request->size--;
            break;
        }
    }
}

static void mutated_requests_do_no_harm (void)
{
    fixture_t fixture;
    saker_cursor_t cursor;
    got_t got;
    uint64_t random = check_seed ();
    CHECK (begin (&fixture));
    CHECK_ANSWER (set_text (&fixture, "shots", "d", "/z", "kept"), SAKER_OK, "");
    CHECK (ask_now (&fixture, &cursor));
    for (int i = 0; i < 20000; i++) {
        put_sample (&fixture, check_random (&random), &cursor);
        mutate (&fixture.request, &random);
        /* of its exact size, so that a read past the end is seen */
        uint8_t *exact = malloc (fixture.request.size + 1);
        memcpy (exact, fixture.request.data, fixture.request.size);
        size_t before = fixture.answers;
        skr_api_request (fixture.api, client_a, skr_span (exact, fixture.request.size));
        free (exact);
        CHECK (fixture.answers <= before + 1);
        if (i % 200 == 0) {
            skr_api_committed (fixture.api, skr_replica_commit (fixture.pair.a));
            fixture.time.mono_ms += 7;
            skr_api_turn (fixture.api);
            skr_store_forget (skr_replica_store (fixture.pair.a));
        }
    }
    skr_api_committed (fixture.api, skr_replica_commit (fixture.pair.a));
    CHECK_ANSWER (set_text (&fixture, "shots", "untouched", "/z", "new"), SAKER_OK, "");
    CHECK_ANSWER (read_document (&fixture, "shots", "untouched", &got), SAKER_OK, "");
    CHECK_INT (got.leaves, 1);
    end (&fixture);
}

static void random_bytes_are_dropped (void)
{
    fixture_t fixture;
    uint64_t random = check_seed ();
    uint8_t bytes[256];
    CHECK (begin (&fixture));
    for (int i = 0; i < 20000; i++) {
        size_t size = check_random (&random) % sizeof bytes;
        for (size_t k = 0; k < size; k++) {
            bytes[k] = (uint8_t) check_random (&random);
        }
        skr_api_request (fixture.api, client_a, skr_span (bytes, size));
    }
    CHECK (look_up (&fixture, "/api/bad_requests") >= 19990);
    end (&fixture);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (sodium_init () < 0) {
        return 1;
    }
    RUN (hello_tells_who_answers);
    RUN (a_write_is_answered_after_the_commit);
    RUN (a_failed_commit_fails_its_writes);
    RUN (a_refused_write_leaves_the_others);
    RUN (an_operation_id_writes_once);
    RUN (every_kind_of_intent_arrives);
    RUN (a_large_document_comes_in_pages);
    RUN (a_page_after_a_change_is_refused);
    RUN (iterate_misses_nothing);
    RUN (lists_come_in_pages_and_order);
    RUN (cursors_are_kept);
    RUN (a_watch_is_answered_when_something_comes);
    RUN (a_watch_of_one_collection_skips_others);
    RUN (a_cursor_of_elsewhere_is_a_gap);
    RUN (waiters_are_bounded);
    RUN (wait_ends_when_all_have_it);
    RUN (wait_says_who_is_behind);
    RUN (verify_compares);
    RUN (verify_asks_again_and_gives_up);
    RUN (peers_are_listed);
    RUN (status_tells_and_counts);
    RUN (links_are_told);
    RUN (a_ping_is_answered);
    RUN (the_log_level_is_lent);
    RUN (trends_are_kept);
    RUN (it_is_on_its_way);
    RUN (it_is_still_elsewhere);
    RUN (rivals_are_told_of);
    RUN (it_waits_for_another);
    RUN (rights_come_first);
    RUN (void_changes_are_told_of);
    RUN (invite_makes_a_ticket);
    RUN (a_reader_reads_only);
    RUN (what_cannot_be_written_is_refused);
    RUN (limits_are_named);
    RUN (what_is_not_known_is_answered);
    RUN (history_is_asked_in_form);
    RUN (mutated_requests_do_no_harm);
    RUN (random_bytes_are_dropped);
    return CHECK_END ();
}
