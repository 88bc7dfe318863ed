/* The public calls for history and conflicts against api.c over a real replica, through a real
   socket: pages, what is not there, what cannot be read. */

#include "tests/check.h"
#include "tests/lib/local_server.h"

#include "crdt/hlc.h"
#include "peer/history.h"

#include <unistd.h>

#define OPEN_MS 10000
#define MANY 5000 /* conflicts */
#define CHANGES 3000
#define LARGE 4000 /* leaves of a document */

static const skr_id_t roster_id;

typedef struct fixture_t {
    pair_t pair;
    local_server_t server;
    saker_t *peer;
} fixture_t;

static bool begin (fixture_t *fixture)
{
    memset (fixture, 0, sizeof *fixture);
    return pair_open (&fixture->pair)
           && pair_sync (fixture->pair.b, fixture->pair.a, &roster_id) == SAKER_OK
           && pair_sync (fixture->pair.a, fixture->pair.b, &roster_id) == SAKER_OK;
}

static bool serve (fixture_t *fixture)
{
    skr_store_forget (skr_replica_store (fixture->pair.a));
    return local_server_start (&fixture->server, &fixture->pair, fixture->pair.store_a)
           && saker_open (&fixture->peer, fixture->pair.store_a, OPEN_MS) == SAKER_OK;
}

static void end (fixture_t *fixture)
{
    saker_close (&fixture->peer);
    local_server_stop (&fixture->server);
    pair_close (&fixture->pair);
}

/* ---- writing below the socket */

static saker_err_t write_many (skr_replica_t *replica, const char *collection, size_t count,
                               int64_t number)
{
    skr_intent_t intents[100];
    char documents[100][32];
    saker_receipt_t receipt;
    skr_buf_t path = {0}, value = {0};
    saker_err_t error = skr_path_from_pointer (&path, "/n");
    skr_cbor_put_int (&value, number);
    error = error ? error : skr_replica_begin (replica);
    for (size_t at = 0; at < count && !error;) {
        size_t used = 0;
        for (; used < 100 && at < count; used++, at++) {
            snprintf (documents[used], sizeof documents[used], "d%05zu", at);
            intents[used] = (skr_intent_t){.kind = SKR_INTENT_SET,
                                           .document = skr_span_text (documents[used]),
                                           .path = skr_span_of (&path),
                                           .value = skr_span_of (&value)};
        }
        skr_local_t local = {.collection = collection, .intents = intents, .count = used};
        error = skr_replica_write (replica, &local, &receipt);
    }
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error ? error : skr_replica_commit (replica);
}

static saker_err_t sync_both (fixture_t *fixture, const char *collection)
{
    skr_id_t id;
    skr_replica_collection_id (fixture->pair.a, collection, &id);
    SKR_TRY (pair_sync (fixture->pair.a, fixture->pair.b, &id));
    return pair_sync (fixture->pair.b, fixture->pair.a, &id);
}

/* ---- what was handed over */

typedef struct seen_t {
    size_t count, rivals, bases, stop_after;
    char last[400];
    bool ascends;
    saker_t *peer;
    uint64_t position; /* of the change before */
    size_t sealed, damaged, unknown;
    char words[1024];
} seen_t;

static int see_conflict (const saker_conflict_t *conflict, void *argument)
{
    seen_t *seen = argument;
    char place[400];
    snprintf (place, sizeof place, "%s %s %s", conflict->collection, conflict->document,
              conflict->pointer);
    seen->ascends = seen->ascends && strcmp (seen->last, place) < 0;
    snprintf (seen->last, sizeof seen->last, "%s", place);
    seen->count++;
    for (size_t i = 0; i < conflict->rivals_count; i++) {
        const saker_rival_t *rival = &conflict->rivals[i];
        seen->rivals++;
        seen->bases += rival->bases_count;
        for (size_t k = 0; k < rival->bases_count; k++) {
            seen->unknown += !rival->bases[k].known;
        }
        if (rival->shown != (i == 0) || !*rival->author) {
            return 1;
        }
    }
    return seen->stop_after && seen->count == seen->stop_after;
}

static int see_change (const saker_change_t *change, void *argument)
{
    seen_t *seen = argument;
    seen->ascends = seen->ascends && (seen->position == 0 || change->position < seen->position);
    seen->position = change->position;
    seen->count++;
    seen->sealed += change->sealed;
    seen->damaged += change->damaged;
    for (size_t i = 0; i < change->operations_count; i++) {
        const saker_operation_t *operation = &change->operations[i];
        size_t used = strlen (seen->words);
        seen->bases += operation->bases_count;
        if (seen->count <= 2) {
            snprintf (seen->words + used, sizeof seen->words - used, "%d %s %lld over %lld; ",
                      (int) operation->action, operation->pointer,
                      (long long) operation->value.as.integer,
                      operation->bases_count ? (long long) operation->bases[0].value.as.integer
                                             : -1ll);
        }
    }
    return seen->stop_after && seen->count == seen->stop_after;
}

/* ---- tests */

static void conflicts_are_paged (void)
{
    static fixture_t fixture;
    CHECK (begin (&fixture));
    for (int side = 0; side < 2; side++) {
        skr_replica_t *replica = side ? fixture.pair.b : fixture.pair.a;
        CHECK_OK (write_many (replica, "one", MANY, side));
        CHECK_OK (write_many (replica, "two", 3, side));
    }
    CHECK_OK (sync_both (&fixture, "one"));
    CHECK_OK (sync_both (&fixture, "two"));
    CHECK_OK (write_many (fixture.pair.a, "three", 10, 1)); /* without conflicts */
    CHECK (serve (&fixture));
    seen_t all = {.ascends = true}, one = {.ascends = true}, stopped = {.stop_after = 2500};
    CHECK_OK (saker_conflicts (fixture.peer, NULL, NULL, NULL, see_conflict, &all));
    CHECK_INT (all.count, MANY + 3);
    CHECK_INT (all.rivals, 2 * (MANY + 3));
    CHECK (all.ascends); /* each once */
    CHECK_OK (saker_conflicts (fixture.peer, "one", NULL, NULL, see_conflict, &one));
    CHECK_INT (one.count, MANY);
    CHECK (one.ascends);
    CHECK_OK (saker_conflicts (fixture.peer, NULL, NULL, NULL, see_conflict, &stopped));
    CHECK_INT (stopped.count, 2500);
    seen_t few = {.ascends = true};
    CHECK_OK (saker_conflicts (fixture.peer, "three", NULL, NULL, see_conflict, &few));
    CHECK_INT (few.count, 0);
    CHECK_OK (saker_conflicts (fixture.peer, "one", "d00007", NULL, see_conflict, &few));
    CHECK_INT (few.count, 1);
    CHECK_OK (saker_conflicts (fixture.peer, "one", "d00007", "/n", see_conflict, &few));
    CHECK_INT (few.count, 2);
    CHECK_OK (saker_conflicts (fixture.peer, "one", "d00007", "/m", see_conflict, &few));
    CHECK_INT (few.count, 2);
    CHECK_INT (saker_conflicts (fixture.peer, "none", NULL, NULL, see_conflict, &few),
               SAKER_ENOTFOUND);
    CHECK_INT (saker_conflicts (fixture.peer, NULL, "d", NULL, see_conflict, &few), SAKER_EUSAGE);
    CHECK_INT (saker_conflicts (fixture.peer, "one", NULL, "/n", see_conflict, &few), SAKER_EUSAGE);
    CHECK_INT (saker_conflicts (fixture.peer, "one", "d00007", "n", see_conflict, &few),
               SAKER_EINPUT);
    end (&fixture);
}

static void a_log_is_paged (void)
{
    static fixture_t fixture;
    saker_begin_t begin_of = {.whole = false};
    CHECK (begin (&fixture));
    for (int64_t i = 0; i < CHANGES; i++) {
        CHECK_OK (pair_set (fixture.pair.a, "shots", "d", i));
    }
    CHECK (serve (&fixture));
    seen_t all = {.ascends = true}, stopped = {.stop_after = 1500};
    CHECK_OK (saker_log (fixture.peer, "shots", "d", see_change, &all, &begin_of));
    CHECK_INT (all.count, CHANGES);
    CHECK_INT (all.bases, CHANGES - 1);
    CHECK (all.ascends);
    CHECK (begin_of.whole);
    CHECK_STR (all.words, "1 /n 2999 over 2998; 1 /n 2998 over 2997; ");
    CHECK_OK (saker_log (fixture.peer, "shots", "d", see_change, &stopped, NULL));
    CHECK_INT (stopped.count, 1500);
    CHECK_INT (saker_log (fixture.peer, "shots", "none", see_change, &all, NULL), SAKER_ENOTFOUND);
    CHECK_INT (saker_log (fixture.peer, "none", "d", see_change, &all, NULL), SAKER_ENOTFOUND);
    end (&fixture);
}

/* Puts a record in the place of one, so that its checksum does not hold or its key is not here. */
static saker_err_t spoil_log (skr_replica_t *replica, bool seal)
{
    const skr_collection_t *shown;
    uint64_t *positions, position;
    size_t count;
    skr_log_entry_t entry;
    skr_change_t change;
    skr_buf_t raw = {0};
    uint8_t key[8], head[8];
    SKR_TRY (skr_replica_collection_named (replica, "shots", &shown));
    SKR_TRY (skr_history_find (replica, SKR_COMMITTED, shown->no, skr_span_text ("d"), &positions,
                               &count));
    position = positions[1];
    free (positions);
    SKR_TRY (skr_log_get (skr_replica_store (replica), SKR_COMMITTED, position, &entry));
    skr_put_u32 (head, shown->no);
    skr_put_u32 (head + 4, seal ? (uint32_t) entry.change.size : UINT32_MAX);
    skr_buf_append (&raw, head, sizeof head);
    size_t start = raw.size;
    skr_buf_append_span (&raw, entry.change);
    skr_buf_append_span (&raw, entry.undo);
    SKR_TRY (skr_change_parse (&change, skr_span (raw.data + start, entry.change.size)));
    size_t at = 0;
    for (size_t i = start; i + SKR_KEY_ID_BYTES <= raw.size && at == 0; i++) {
        at = memcmp (raw.data + i, change.key_id, SKR_KEY_ID_BYTES) == 0 ? i : 0;
    }
    raw.data[at] ^= 1;
    skr_put_u64 (key, position);
    SKR_TRY (skr_store_begin (skr_replica_store (replica)));
    SKR_TRY (skr_store_put (skr_replica_store (replica), SKR_LOG, skr_span (key, sizeof key),
                            skr_span_of (&raw)));
    skr_buf_free (&raw);
    return skr_store_commit (skr_replica_store (replica));
}

static int ignore_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) leaf, (void) argument;
    return 0;
}

static void what_cannot_be_read_is_told (void)
{
    static fixture_t fixture;
    for (int sealed = 0; sealed < 2; sealed++) {
        uint64_t then_ms;
        CHECK (begin (&fixture));
        CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 1));
        then_ms = skr_world_real ()->wall_ms (NULL);
        usleep (5000);
        CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 2));
        CHECK_OK (pair_set (fixture.pair.a, "shots", "d", 3));
        CHECK_OK (spoil_log (fixture.pair.a, sealed));
        CHECK (serve (&fixture));
        seen_t seen = {.ascends = true};
        CHECK_OK (saker_log (fixture.peer, "shots", "d", see_change, &seen, NULL));
        CHECK_INT (seen.count, 3);
        CHECK_INT (seen.sealed, sealed);
        CHECK_INT (seen.damaged, !sealed);
        CHECK_INT (saker_read_then (fixture.peer, "shots", "d", "", then_ms, ignore_leaf, NULL),
                   sealed ? SAKER_EGAP : SAKER_EDAMAGED);
        end (&fixture);
    }
}

static saker_err_t put_leaf (skr_replica_t *replica, size_t number)
{
    char pointer[32];
    saker_receipt_t receipt;
    skr_buf_t path = {0}, value = {0};
    char text[200];
    memset (text, 't', sizeof text);
    snprintf (pointer, sizeof pointer, "/k%05zu", number);
    saker_err_t error = skr_path_from_pointer (&path, pointer);
    skr_cbor_put_text (&value, text, sizeof text);
    const skr_intent_t intent = {.kind = SKR_INTENT_SET,
                                 .document = skr_span_text ("large"),
                                 .path = skr_span_of (&path),
                                 .value = skr_span_of (&value)};
    const skr_local_t local = {.collection = "shots", .intents = &intent, .count = 1};
    error = error ? error : skr_replica_write (replica, &local, &receipt);
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

static int count_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) leaf;
    ++*(size_t *) argument;
    return 0;
}

static void the_past_is_paged (void)
{
    static fixture_t fixture;
    size_t count = 0;
    saker_receipt_t receipt;
    CHECK (begin (&fixture));
    CHECK_OK (skr_replica_begin (fixture.pair.a));
    for (size_t i = 0; i < LARGE; i++) {
        CHECK_OK (put_leaf (fixture.pair.a, i));
    }
    CHECK_OK (skr_replica_commit (fixture.pair.a));
    uint64_t then_ms = skr_world_real ()->wall_ms (NULL);
    usleep (5000);
    CHECK (serve (&fixture));
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK_OK (saker_batch_delete (batch, "large", ""));
    CHECK_OK (saker_write (fixture.peer, batch, NULL));
    saker_batch_destroy (&batch);
    CHECK_INT (saker_read (fixture.peer, "shots", "large", "", count_leaf, &count),
               SAKER_ENOTFOUND);
    CHECK_OK (saker_read_then (fixture.peer, "shots", "large", "", then_ms, count_leaf, &count));
    CHECK_INT (count, LARGE);
    CHECK_INT (saker_read_then (fixture.peer, "shots", "large", "", then_ms + UINT64_C (86400000),
                                count_leaf, &count),
               SAKER_EINPUT);
    CHECK_INT (saker_read_then (fixture.peer, "shots", "large", "", 1000, count_leaf, &count),
               SAKER_ENOTFOUND);
    /* More than one change holds: the answer names the way out. */
    CHECK_INT (saker_restore_document (fixture.peer, "shots", "large", "", then_ms, &receipt),
               SAKER_ELIMIT);
    CHECK (strstr (saker_error_text (), "part by part"));
    CHECK_OK (
        saker_restore_document (fixture.peer, "shots", "large", "/k00007", then_ms, &receipt));
    count = 0;
    CHECK_OK (saker_read (fixture.peer, "shots", "large", "", count_leaf, &count));
    CHECK_INT (count, 1);
    end (&fixture);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (conflicts_are_paged);
    RUN (a_log_is_paged);
    RUN (what_cannot_be_read_is_told);
    RUN (the_past_is_paged);
    return CHECK_END ();
}
