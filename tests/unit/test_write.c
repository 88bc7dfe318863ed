/* Local writes: from intents to what a document shows. */

#include "peer/replica_internal.h"

#include "crdt/value.h"
#include "tests/check.h"
#include "tests/lib/pair.h"

#include <sys/stat.h>

#define COLLECTION "shots"

static pair_t pair;

/* ---- a list of intents that owns its bytes */

typedef struct list_t {
    skr_intent_t intents[1200];
    skr_buf_t paths[1200], values[1200];
    char documents[1200][64];
    size_t count;
} list_t;

static list_t list;

static void clear (void)
{
    for (size_t i = 0; i < list.count; i++) {
        skr_buf_free (&list.paths[i]);
        skr_buf_free (&list.values[i]);
    }
    list.count = 0;
}

static skr_buf_t *add (skr_intent_kind_t kind, const char *document, const char *pointer)
{
    size_t i = list.count++;
    snprintf (list.documents[i], sizeof list.documents[i], "%s", document);
    if (skr_path_from_pointer (&list.paths[i], pointer) != SAKER_OK) {
        exit (1);
    }
    list.intents[i] = (skr_intent_t){.kind = kind,
                                     .document = skr_span_text (list.documents[i]),
                                     .path = skr_span_of (&list.paths[i])};
    return &list.values[i];
}

static void add_int (skr_intent_kind_t kind, const char *document, const char *pointer,
                     int64_t number)
{
    skr_buf_t *value = add (kind, document, pointer);
    skr_cbor_put_int (value, number);
    list.intents[list.count - 1].value = skr_span_of (value);
}

static void add_text (skr_intent_kind_t kind, const char *document, const char *pointer,
                      const char *text)
{
    skr_buf_t *value = add (kind, document, pointer);
    skr_cbor_put_text (value, text, strlen (text));
    list.intents[list.count - 1].value = skr_span_of (value);
}

static saker_receipt_t receipt;
static const char *operation_id;

/* Writes the list in the open group, or in one of its own. */
static saker_err_t put (skr_replica_t *replica)
{
    skr_local_t local = {.collection = COLLECTION, .intents = list.intents, .count = list.count};
    if (operation_id) {
        local.operation_id = skr_span_text (operation_id);
    }
    SKR_TRY (skr_replica_begin (replica));
    saker_err_t error = skr_replica_write (replica, &local, &receipt);
    clear ();
    return error;
}

static saker_err_t put_now (skr_replica_t *replica)
{
    saker_err_t error = put (replica);
    if (error != SAKER_OK) {
        char *sentence = strdup (skr_error ());
        skr_replica_abort (replica);
        (void) skr_fail (error, "%s", sentence);
        free (sentence);
        return error;
    }
    return skr_replica_commit (replica);
}

/* ---- what a document shows, as text: "/a=1 /b=2(rival)" */

static saker_err_t print_leaf (const skr_leaf_t *leaf, void *argument)
{
    skr_buf_t *text = argument;
    char value[64];
    skr_buf_append (text, text->size ? " " : "", text->size ? 1 : 0);
    skr_path_to_pointer (text, leaf->path);
    switch (leaf->value.type) {
    case SAKER_INT:
        snprintf (value, sizeof value, "=%lld", (long long) leaf->value.as.integer);
        break;
    case SAKER_TEXT:
        snprintf (value, sizeof value, "=%.*s", (int) leaf->value.as.string.size,
                  leaf->value.as.string.data);
        break;
    default:
        snprintf (value, sizeof value, "={}");
        break;
    }
    skr_buf_append (text, value, strlen (value));
    if (leaf->kind == SKR_COUNTER || leaf->kind == SKR_MEMBER) {
        skr_buf_append (text, leaf->kind == SKR_COUNTER ? "c" : "m", 1);
    }
    if (leaf->rival) {
        skr_buf_append (text, "!", 1);
    }
    return SAKER_OK;
}

static const char *shown (skr_replica_t *replica, const char *document)
{
    static char text[4096];
    const skr_collection_t *collection;
    skr_buf_t buf = {0};
    text[0] = 0;
    if (skr_replica_collection_named (replica, COLLECTION, &collection) != SAKER_OK) {
        return "no collection";
    }
    saker_err_t error = skr_replica_read (replica, collection, skr_span_text (document),
                                          skr_span (NULL, 0), print_leaf, &buf);
    if (error == SAKER_OK) {
        snprintf (text, sizeof text, "%.*s", (int) buf.size, (const char *) buf.data);
    }
    skr_buf_free (&buf);
    return error == SAKER_OK ? text : error == SAKER_ENOTFOUND ? "nothing" : skr_error ();
}

/* Everything that `to` lacks of `from`. */
static saker_err_t sync_one (skr_replica_t *from, skr_replica_t *to, const skr_id_t *id)
{
    const skr_collection_t *have = skr_replica_collection (to, id);
    skr_clock_t nothing = {0};
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count;
    bool more;
    if (!skr_replica_collection (from, id)) {
        return SAKER_OK;
    }
    SKR_TRY (skr_replica_pull (from, id, have ? &have->clock : &nothing, 64u << 20, &changes,
                               &count, &more));
    SKR_TRY (skr_replica_begin (to));
    skr_cbor_open (&cbor, skr_span_of (&changes));
    for (size_t i = 0; i < count; i++) {
        skr_outcome_t outcome;
        SKR_TRY (skr_replica_offer (to, skr_cbor_get_bytes (&cbor), &outcome));
    }
    skr_buf_free (&changes);
    return skr_replica_commit (to);
}

static saker_err_t sync_both (void)
{
    static const skr_id_t roster;
    skr_id_t id;
    skr_replica_collection_id (pair.a, COLLECTION, &id);
    SKR_TRY (sync_one (pair.a, pair.b, &roster));
    SKR_TRY (sync_one (pair.b, pair.a, &roster));
    SKR_TRY (sync_one (pair.a, pair.b, &id));
    SKR_TRY (sync_one (pair.b, pair.a, &id));
    const skr_collection_t *a = skr_replica_collection (pair.a, &id);
    const skr_collection_t *b = skr_replica_collection (pair.b, &id);
    if (!a || !b || !skr_clock_equal (&a->clock, &b->clock)
        || !skr_fingerprint_equal (&a->fingerprint, &b->fingerprint)
        || a->documents != b->documents) {
        return skr_fail (SAKER_EDIFFER, "they differ");
    }
    return SAKER_OK;
}

/* Operations in the last change of this replica. */
static size_t last_ops (skr_replica_t *replica)
{
    uint64_t position;
    skr_log_entry_t entry;
    skr_change_t change;
    skr_content_t content;
    skr_buf_t buf = {0};
    size_t count = 0;
    if (skr_log_last (skr_replica_store (replica), SKR_COMMITTED, &position) == SAKER_OK
        && skr_log_get (skr_replica_store (replica), SKR_COMMITTED, position, &entry) == SAKER_OK
        && skr_change_parse (&change, entry.change) == SAKER_OK
        && skr_replica_content (replica, &change, &buf, &content) == SAKER_OK) {
        count = content.ops_count;
        skr_content_free (&content);
    }
    skr_buf_free (&buf);
    return count;
}

/* ---- tests */

static void sets_and_reads (void)
{
    add_int (SKR_INTENT_SET, "sets", "/frame", 12);
    add_text (SKR_INTENT_SET, "sets", "/a~1b/c", "deep");
    add_int (SKR_INTENT_SET, "sets", "/frame", 13);
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "sets"), "/a~1b/c=deep /frame=13");
    CHECK (memcmp (receipt.writer, skr_replica_writer (pair.a), 16) == 0);
    CHECK (receipt.seq > 0 && !receipt.repeated);
    add_text (SKR_INTENT_SET, "sets", "/a~1b", "flat");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "sets"), "/a~1b=flat /frame=13");
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.b, "sets"), "/a~1b=flat /frame=13");
}

static void deletes_what_is_there (void)
{
    add_int (SKR_INTENT_SET, "deletes", "/a", 1);
    add_int (SKR_INTENT_SET, "deletes", "/b/c", 2);
    CHECK_OK (put_now (pair.a));
    add (SKR_INTENT_DELETE, "deletes", "/b");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "deletes"), "/a=1");
    add (SKR_INTENT_DELETE, "deletes", "/b");
    CHECK_ERR (put_now (pair.a), SAKER_ENOTFOUND, "deletes /b");
    add (SKR_INTENT_DELETE, "deletes", "");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "deletes"), "nothing");
    add (SKR_INTENT_DELETE, "deletes", "");
    CHECK_ERR (put_now (pair.a), SAKER_ENOTFOUND, "nothing is there");
}

static void counts (void)
{
    add_int (SKR_INTENT_INCR, "counts", "/takes", 5);
    add_int (SKR_INTENT_INCR, "counts", "/takes", -2);
    CHECK_OK (put_now (pair.a));
    CHECK_OK (sync_both ());
    add_int (SKR_INTENT_INCR, "counts", "/takes", 10);
    CHECK_OK (put_now (pair.a));
    add_int (SKR_INTENT_INCR, "counts", "/takes", 100);
    CHECK_OK (put_now (pair.b));
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.a, "counts"), "/takes=113c");
    CHECK_STR (shown (pair.b, "counts"), "/takes=113c");
    add_int (SKR_INTENT_INCR, "counts", "/takes", 0);
    CHECK_OK (put_now (pair.a));
    CHECK_INT (receipt.seq, 0);
}

static void increments_in_a_row_are_one_each (void)
{
    for (int i = 0; i < 100; i++) {
        add_int (SKR_INTENT_INCR, i % 2 ? "odd" : "even", "/n", 1 + i);
        add_int (SKR_INTENT_INCR, "even", "/other", i % 2 ? -3 : 3);
    }
    CHECK_OK (put_now (pair.a));
    CHECK_INT (last_ops (pair.a), 2); /* the third has the sum 0 */
    CHECK_STR (shown (pair.a, "even"), "/n=2500c");
    CHECK_STR (shown (pair.a, "odd"), "/n=2550c");
    /* what stands between keeps its place */
    add_int (SKR_INTENT_INCR, "row", "/n", 1);
    add_int (SKR_INTENT_INCR, "row", "/n", 2);
    add (SKR_INTENT_DELETE, "row", "/n");
    add_int (SKR_INTENT_INCR, "row", "/n", 10);
    add_int (SKR_INTENT_INCR, "row", "/n", 20);
    CHECK_OK (put_now (pair.a));
    CHECK_INT (last_ops (pair.a), 3);
    CHECK_STR (shown (pair.a, "row"), "/n=30c");
    /* a sum that no integer holds */
    add_int (SKR_INTENT_INCR, "large", "/n", INT64_MAX);
    add_int (SKR_INTENT_INCR, "large", "/n", 5);
    add_int (SKR_INTENT_INCR, "large", "/n", -6);
    CHECK_OK (put_now (pair.a));
    CHECK (last_ops (pair.a) > 0);
    CHECK_STR (shown (pair.a, "large"), "/n=9223372036854775806c");
    /* one that cannot be takes all back */
    add_int (SKR_INTENT_INCR, "bad row", "/n", 1);
    add_text (SKR_INTENT_INCR, "bad row", "/n", "x");
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "integer");
    CHECK_STR (shown (pair.a, "bad row"), "nothing");
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.b, "even"), "/n=2500c");
}

static void keeps_sets (void)
{
    add_text (SKR_INTENT_ADD, "members", "/tags", "red");
    add_text (SKR_INTENT_ADD, "members", "/tags", "blue");
    add_text (SKR_INTENT_ADD, "members", "/tags", "red");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "members"), "/tags=redm /tags=bluem");
    CHECK_OK (sync_both ());
    add_text (SKR_INTENT_REMOVE, "members", "/tags", "red");
    CHECK_OK (put_now (pair.a));
    add_text (SKR_INTENT_ADD, "members", "/tags", "red");
    CHECK_OK (put_now (pair.b));
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.a, "members"), "/tags=redm /tags=bluem"); /* design 3: add wins */
    add_text (SKR_INTENT_REMOVE, "members", "/tags", "green");
    CHECK_ERR (put_now (pair.a), SAKER_ENOTFOUND, "no such member");
}

static void types_do_not_mix_by_accident (void)
{
    add_int (SKR_INTENT_SET, "types", "/value", 1);
    add_int (SKR_INTENT_INCR, "types", "/counter", 1);
    add_int (SKR_INTENT_ADD, "types", "/set", 1);
    add_int (SKR_INTENT_SET, "types", "/map/key", 1);
    CHECK_OK (put_now (pair.a));
    add_int (SKR_INTENT_SET, "types", "/value/x", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/value holds a value, not a map");
    add_int (SKR_INTENT_SET, "types", "/counter/x/y", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/counter holds a counter, not a map");
    add_int (SKR_INTENT_INCR, "types", "/set/x", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/set holds a set, not a map");
    add_int (SKR_INTENT_INCR, "types", "/value", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/value holds a value, not a counter");
    add_int (SKR_INTENT_INCR, "types", "/map", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/map holds a map, not a counter");
    add_int (SKR_INTENT_ADD, "types", "/counter", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "/counter holds a counter, not a set");
    add_int (SKR_INTENT_SET, "types", "", 1);
    CHECK_ERR (put_now (pair.a), SAKER_ETYPE, "a document is a map");
    add_int (SKR_INTENT_SET, "types", "/counter", 7);
    add_int (SKR_INTENT_SET, "types", "/set", 8);
    add_int (SKR_INTENT_SET, "types", "/map", 9);
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "types"), "/map=9 /set=8 /value=1 /counter=7");
}

static void maps_are_made_once (void)
{
    add (SKR_INTENT_SET_MAP, "maps", "");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "maps"), "={}");
    add (SKR_INTENT_SET_MAP, "maps", "");
    CHECK_OK (put_now (pair.a));
    CHECK_INT (receipt.seq, 0);
    add_int (SKR_INTENT_SET, "maps", "/m/k", 1);
    add (SKR_INTENT_SET_MAP, "maps", "/m");
    CHECK_OK (put_now (pair.a));
    CHECK_INT (last_ops (pair.a), 1);
    add_int (SKR_INTENT_SET, "maps", "/v", 1);
    add (SKR_INTENT_SET_MAP, "maps", "/v");
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "maps"), "/m/k=1 /v={}");
}

static void begin_replacing (const char *document, const char *pointer)
{
    add (SKR_INTENT_REPLACE, document, pointer);
}

static void end_replacing (void)
{
    add (SKR_INTENT_REPLACE_END, "", "");
}

static void replacing_touches_only_what_differs (void)
{
    begin_replacing ("whole", "");
    add_int (SKR_INTENT_SET, "whole", "/a", 1);
    add_int (SKR_INTENT_SET, "whole", "/b", 2);
    add_int (SKR_INTENT_SET, "whole", "/c/d", 3);
    add (SKR_INTENT_SET_MAP, "whole", "/e");
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_INT (last_ops (pair.a), 4);
    CHECK_STR (shown (pair.a, "whole"), "/a=1 /b=2 /c/d=3 /e={}");
    begin_replacing ("whole", "");
    add_int (SKR_INTENT_SET, "whole", "/a", 1);
    add_int (SKR_INTENT_SET, "whole", "/b", 5);
    add (SKR_INTENT_SET_MAP, "whole", "/e");
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_INT (last_ops (pair.a), 2); /* b set, c/d deleted */
    CHECK_STR (shown (pair.a, "whole"), "/a=1 /b=5 /e={}");
    begin_replacing ("whole", "");
    add_int (SKR_INTENT_SET, "whole", "/a", 1);
    add_int (SKR_INTENT_SET, "whole", "/b", 5);
    add (SKR_INTENT_SET_MAP, "whole", "/e");
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_INT (receipt.seq, 0);
}

static void replacing_changes_shapes (void)
{
    add_int (SKR_INTENT_SET, "shape", "/a", 1);
    add_int (SKR_INTENT_SET, "shape", "/b/c", 2);
    add_int (SKR_INTENT_INCR, "shape", "/n", 2);
    add_int (SKR_INTENT_ADD, "shape", "/s", 2);
    add_int (SKR_INTENT_ADD, "shape", "/s", 3);
    CHECK_OK (put_now (pair.a));
    begin_replacing ("shape", "");
    add_int (SKR_INTENT_SET, "shape", "/a/x", 1); /* a value becomes a map */
    add_int (SKR_INTENT_SET, "shape", "/b", 2);   /* a map becomes a value */
    add_int (SKR_INTENT_SET, "shape", "/n", 2);   /* a counter becomes a value */
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "shape"), "/a/x=1 /b=2 /n=2");
    begin_replacing ("shape", "/a");
    add (SKR_INTENT_SET_MAP, "shape", "/a"); /* now without keys */
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "shape"), "/a={} /b=2 /n=2");
    begin_replacing ("shape", "/a");
    add_int (SKR_INTENT_SET, "shape", "/a/y", 4);
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "shape"), "/a/y=4 /b=2 /n=2");
    begin_replacing ("shape", "");
    end_replacing ();
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "shape"), "nothing");
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.b, "shape"), "nothing");
}

static void replacing_settles_rivals_and_spares_equals (void)
{
    add_int (SKR_INTENT_SET, "rivals", "/a", 1);
    add_int (SKR_INTENT_SET, "rivals", "/b", 1);
    CHECK_OK (put_now (pair.a));
    CHECK_OK (sync_both ());
    add_int (SKR_INTENT_SET, "rivals", "/a", 2);
    CHECK_OK (put_now (pair.a));
    add_int (SKR_INTENT_SET, "rivals", "/a", 3);
    CHECK_OK (put_now (pair.b));
    CHECK_OK (sync_both ());
    CHECK (strstr (shown (pair.a, "rivals"), "!") != NULL);
    begin_replacing ("rivals", "");
    add_int (SKR_INTENT_SET, "rivals", "/a", 2);
    add_int (SKR_INTENT_SET, "rivals", "/b", 1);
    end_replacing ();
    CHECK_OK (put_now (pair.a)); /* sees the work of both: pred of two writers */
    CHECK_INT (last_ops (pair.a), 1);
    add_int (SKR_INTENT_SET, "rivals", "/b", 9); /* is not rivalled by the equal one */
    CHECK_OK (put_now (pair.b));
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.b, "rivals"), "/a=2 /b=9");
}

static void writers_of_pred_are_put_in_order (void)
{
    for (int i = 0; i < 8; i++) {
        char pointer[16];
        snprintf (pointer, sizeof pointer, "/%d", i);
        add_int (SKR_INTENT_SET, "order", pointer, i);
        CHECK_OK (put_now (i % 2 ? pair.a : pair.b));
        CHECK_OK (sync_both ());
    }
    for (int turn = 0; turn < 2; turn++) {
        skr_replica_t *by = turn ? pair.b : pair.a;
        for (int i = 0; i < 8; i++) {
            char pointer[16];
            snprintf (pointer, sizeof pointer, "/%d", turn ? 7 - i : i);
            add_int (SKR_INTENT_SET, "order", pointer, 10 * turn + i);
        }
        CHECK_OK (put_now (by));
        CHECK_OK (sync_both ());
    }
    CHECK_STR (shown (pair.a, "order"), "/0=17 /1=16 /2=15 /3=14 /4=13 /5=12 /6=11 /7=10");
    CHECK_STR (shown (pair.b, "order"), "/0=17 /1=16 /2=15 /3=14 /4=13 /5=12 /6=11 /7=10");
}

static void bad_replacements_are_refused (void)
{
    begin_replacing ("bad", "/a");
    add_int (SKR_INTENT_SET, "bad", "/a/x", 1);
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "does not end");
    begin_replacing ("bad", "/a");
    add_int (SKR_INTENT_SET, "bad", "/b", 1);
    end_replacing ();
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "at and below");
    begin_replacing ("bad", "/a");
    add_int (SKR_INTENT_INCR, "bad", "/a/n", 1);
    end_replacing ();
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "values and maps only");
    end_replacing ();
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "document id");
    CHECK_STR (shown (pair.a, "bad"), "nothing");
}

/* Fingerprint, clock and count of the collection. */
typedef struct state_t {
    skr_fingerprint_t fingerprint;
    uint64_t changes, documents, digest;
} state_t;

static state_t state_of (skr_replica_t *replica)
{
    const skr_collection_t *collection;
    state_t state = {.changes = 0};
    if (skr_replica_collection_named (replica, COLLECTION, &collection) == SAKER_OK) {
        state = (state_t){collection->fingerprint, collection->changes, collection->documents,
                          skr_clock_digest (&collection->clock)};
    }
    return state;
}

static bool same_state (const state_t *one, const state_t *other)
{
    return skr_fingerprint_equal (&one->fingerprint, &other->fingerprint)
           && one->changes == other->changes && one->documents == other->documents
           && one->digest == other->digest;
}

static void a_failed_write_leaves_nothing_and_the_group_goes_on (void)
{
    add_int (SKR_INTENT_SET, "half", "/a", 1);
    CHECK_OK (put_now (pair.a));
    state_t before = state_of (pair.a);
    add_int (SKR_INTENT_SET, "half", "/a", 2);
    add_int (SKR_INTENT_SET, "new", "/a", 2);
    add_int (SKR_INTENT_INCR, "half", "/n", 2);
    add (SKR_INTENT_DELETE, "half", "/a");
    add_int (SKR_INTENT_SET, "half", "", 1);
    CHECK_ERR (put (pair.a), SAKER_ETYPE, "a document is a map");
    CHECK_INT (receipt.seq, 0);
    CHECK_OK (skr_replica_commit (pair.a));
    state_t after = state_of (pair.a);
    CHECK (same_state (&before, &after));
    CHECK_STR (shown (pair.a, "half"), "/a=1");
    CHECK_STR (shown (pair.a, "new"), "nothing");
    add_int (SKR_INTENT_SET, "half", "/x/y", 1);
    add_int (SKR_INTENT_SET, "half", "/a/b", 1);
    CHECK_ERR (put (pair.a), SAKER_ETYPE, "/a holds");
    add_int (SKR_INTENT_SET, "half", "/a", 3);
    CHECK_OK (put_now (pair.a));
    CHECK_STR (shown (pair.a, "half"), "/a=3");
    CHECK_OK (sync_both ());
}

static void an_aborted_group_leaves_nothing (void)
{
    add_int (SKR_INTENT_SET, "abort", "/a", 1);
    CHECK_OK (put_now (pair.a));
    state_t before = state_of (pair.a);
    for (int i = 0; i < 3; i++) {
        add_int (SKR_INTENT_SET, "abort", "/a", 2 + i);
        add_int (SKR_INTENT_SET, "other", "/a", 2 + i);
        CHECK_OK (put (pair.a));
    }
    skr_replica_abort (pair.a);
    state_t after = state_of (pair.a);
    CHECK (same_state (&before, &after));
    CHECK_STR (shown (pair.a, "abort"), "/a=1");
    CHECK_STR (shown (pair.a, "other"), "nothing");
    add_int (SKR_INTENT_SET, "abort", "/a", 7);
    CHECK_OK (put_now (pair.a));
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.b, "abort"), "/a=7");
}

static void a_failed_first_write_makes_no_collection (void)
{
    skr_buf_t path = {0};
    size_t before = skr_replica_collections (pair.a);
    const skr_collection_t *collection;
    const skr_intent_t intent = {
        .kind = SKR_INTENT_DELETE, .document = skr_span_text ("d"), .path = skr_span_of (&path)};
    const skr_local_t local = {.collection = "never", .intents = &intent, .count = 1};
    CHECK_OK (skr_replica_begin (pair.a));
    CHECK_ERR (skr_replica_write (pair.a, &local, &receipt), SAKER_ENOTFOUND, "nothing is there");
    CHECK_OK (skr_replica_commit (pair.a));
    CHECK_INT (skr_replica_collections (pair.a), before);
    CHECK_ERR (skr_replica_collection_named (pair.a, "never", &collection), SAKER_ENOTFOUND,
               "no collection called never");
}

static void an_operation_id_counts_once (void)
{
    operation_id = "op-1";
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put (pair.a));
    uint64_t first = receipt.seq;
    CHECK (!receipt.repeated);
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put (pair.a)); /* in the same group */
    CHECK (receipt.repeated);
    CHECK_INT (receipt.seq, first);
    CHECK_OK (skr_replica_commit (pair.a));
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put_now (pair.a));
    CHECK (receipt.repeated);
    CHECK_INT (receipt.seq, first);
    skr_replica_close (&pair.a);
    CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put_now (pair.a));
    CHECK (receipt.repeated);
    operation_id = "op-2";
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put (pair.a));
    skr_replica_abort (pair.a); /* it never happened */
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put_now (pair.a));
    CHECK (!receipt.repeated);
    CHECK_STR (shown (pair.a, "once"), "/n=2c");
    operation_id = "op-2";
    add_int (SKR_INTENT_INCR, "once", "/n", 1);
    CHECK_OK (put_now (pair.b)); /* another peer's use of the same id is another change */
    operation_id = NULL;
    CHECK_OK (sync_both ());
    CHECK_STR (shown (pair.a, "once"), "/n=3c");
}

static void limits_are_named (void)
{
    static const skr_span_t empty;
    for (int i = 0; i < 1025; i++) {
        char pointer[16];
        snprintf (pointer, sizeof pointer, "/%d", i);
        add_int (SKR_INTENT_SET, "many", pointer, i);
    }
    CHECK_ERR (put_now (pair.a), SAKER_ELIMIT, "SKR_CHANGE_OPS_MAX");
    CHECK_STR (shown (pair.a, "many"), "nothing");
    static char big[40001];
    memset (big, 'x', sizeof big - 1);
    add_text (SKR_INTENT_SET, "big", "/a", big);
    add_text (SKR_INTENT_SET, "big", "/b", big);
    CHECK_ERR (put_now (pair.a), SAKER_ELIMIT, "SKR_CHANGE_BYTES_MAX");
    CHECK_STR (shown (pair.a, "big"), "nothing");
    add_text (SKR_INTENT_SET, "big", "/a", big);
    CHECK_OK (put_now (pair.a));
    add_int (SKR_INTENT_SET, "", "/a", 1);
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "document id");
    add_int (SKR_INTENT_SET, "value", "/a", 1);
    list.intents[0].value = empty;
    CHECK (put_now (pair.a) == SAKER_EINPUT);
    add_text (SKR_INTENT_INCR, "value", "/a", "x");
    CHECK_ERR (put_now (pair.a), SAKER_EINPUT, "integer");
    CHECK_STR (shown (pair.a, "value"), "nothing");
}

static void names_of_collections_are_checked (void)
{
    const char *bad[] = {
        "",     "@roster", "a/b",
        "a\nb", "\xff",    "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERR (skr_collection_name_check (bad[i]), SAKER_EINPUT, "name of a collection");
    }
    CHECK_OK (skr_collection_name_check ("shots.v2 \xc3\xa9"));
}

/* A dumb model: a document is two values and a counter; whatever order, a single writer's view is
   what it wrote last. */
static void random_batches_match_a_model (void)
{
    uint64_t random = check_seed ();
    int64_t values[4][3] = {{0}};
    bool there[4][3] = {{false}};
    for (int round = 0; round < 300; round++) {
        int count = 1 + (int) (check_random (&random) % 6);
        for (int i = 0; i < count; i++) {
            char document[16], pointer[8];
            int d = (int) (check_random (&random) % 4), p = (int) (check_random (&random) % 3);
            snprintf (document, sizeof document, "model-%d", d);
            snprintf (pointer, sizeof pointer, "/%c", 'a' + p);
            int64_t value = (int64_t) (check_random (&random) % 1000);
            if (there[d][p] && check_random (&random) % 4 == 0) {
                add (SKR_INTENT_DELETE, document, pointer);
                there[d][p] = false;
            } else {
                add_int (SKR_INTENT_SET, document, pointer, value);
                there[d][p] = true;
                values[d][p] = value;
            }
        }
        CHECK_OK (put_now (pair.a));
    }
    for (int d = 0; d < 4; d++) {
        char document[24], wanted[256] = "";
        snprintf (document, sizeof document, "model-%d", d);
        for (int p = 0; p < 3; p++) {
            size_t size = strlen (wanted);
            if (there[d][p]) {
                snprintf (wanted + size, sizeof wanted - size, "%s/%c=%lld", size ? " " : "",
                          'a' + p, (long long) values[d][p]);
            }
        }
        CHECK_STR (shown (pair.a, document), wanted[0] ? wanted : "nothing");
    }
    CHECK_OK (sync_both ());
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (!pair_open (&pair)) {
        return 1;
    }
    RUN (sets_and_reads);
    RUN (deletes_what_is_there);
    RUN (counts);
    RUN (increments_in_a_row_are_one_each);
    RUN (keeps_sets);
    RUN (types_do_not_mix_by_accident);
    RUN (maps_are_made_once);
    RUN (replacing_touches_only_what_differs);
    RUN (replacing_changes_shapes);
    RUN (replacing_settles_rivals_and_spares_equals);
    RUN (writers_of_pred_are_put_in_order);
    RUN (bad_replacements_are_refused);
    RUN (a_failed_write_leaves_nothing_and_the_group_goes_on);
    RUN (an_aborted_group_leaves_nothing);
    RUN (a_failed_first_write_makes_no_collection);
    RUN (an_operation_id_counts_once);
    RUN (limits_are_named);
    RUN (names_of_collections_are_checked);
    RUN (random_batches_match_a_model);
    pair_close (&pair);
    return CHECK_END ();
}
