/* The index of conflicts against a naive look at every document: after random writes, after what
   was taken back, after an abort, after a snapshot, and built anew. */

#include "peer/conflicts.h"
#include "peer/history.h"
#include "peer/replica_internal.h"
#include "peer/snapshot.h"

#include "tests/check.h"
#include "tests/lib/pair.h"

#include <lmdb.h>
#include <unistd.h>

static const skr_id_t roster_id;
static const char *const collection = "shots";
static char long_key[241], filler[1501];

/* ---- places: "document|path" in hexadecimal, sorted lines */

typedef struct places_t {
    skr_buf_t lines;
    size_t count;
    skr_span_t document;
    struct leaf_note_t {
        size_t at, size; /* of its path in `paths` */
        bool rival, leaf;
    } leaves[4096];
    size_t leaves_count;
    skr_buf_t paths;
} places_t;

static void add_place (places_t *places, skr_span_t document, skr_span_t path)
{
    char hex[2 * SKR_PATH_BYTES_MAX + 1];
    skr_hex (hex, path.data, path.size);
    skr_buf_append_span (&places->lines, document);
    skr_buf_append_byte (&places->lines, '|');
    skr_buf_append (&places->lines, hex, strlen (hex));
    skr_buf_append_byte (&places->lines, '\n');
    places->count++;
}

static saker_err_t note_leaf (const skr_leaf_t *leaf, void *argument)
{
    places_t *places = argument;
    struct leaf_note_t *note = &places->leaves[places->leaves_count++];
    note->at = places->paths.size;
    note->size = leaf->path.size;
    note->rival = leaf->rival && leaf->conflict;
    note->leaf = leaf->kind != SKR_MAP;
    skr_buf_append_span (&places->paths, leaf->path);
    return places->leaves_count < 4096 ? SAKER_OK : SAKER_ELIMIT;
}

static skr_span_t path_of (const places_t *places, size_t i)
{
    return skr_span (places->paths.data + places->leaves[i].at, places->leaves[i].size);
}

/* A place is in conflict when one of its leaves is a rival that counts, or when there is a leaf at
   it and something below. */
static bool is_conflict (const places_t *places, size_t i)
{
    bool leaf = false, found = false;
    for (size_t k = 0; k < places->leaves_count && !found; k++) {
        if (skr_span_equal (path_of (places, k), path_of (places, i))) {
            leaf = leaf || places->leaves[k].leaf;
            found = places->leaves[k].rival;
        }
    }
    for (size_t k = 0; k < places->leaves_count && leaf && !found; k++) {
        found = places->leaves[k].size > places->leaves[i].size
                && skr_span_starts (path_of (places, k), path_of (places, i));
    }
    return found;
}

static saker_err_t look (skr_replica_t *replica, uint32_t no, skr_span_t document, places_t *places)
{
    const skr_cells_t *cells = skr_cells_store_committed (replica->cells, no);
    size_t conflicts = 0, before = places->count;
    places->leaves_count = 0;
    places->paths.size = 0;
    SKR_TRY (
        skr_view_document (cells, document, skr_span (NULL, 0), note_leaf, places, &conflicts));
    for (size_t i = 0; i < places->leaves_count; i++) {
        bool first = i == 0 || !skr_span_equal (path_of (places, i), path_of (places, i - 1));
        if (first && is_conflict (places, i)) {
            add_place (places, document, path_of (places, i));
        }
    }
    return places->count - before == conflicts ? SAKER_OK : SAKER_EDIFFER;
}

typedef struct documents_t {
    skr_buf_t names; /* size u8, name */
} documents_t;

static saker_err_t list_document (skr_span_t document, void *argument)
{
    documents_t *documents = argument;
    skr_buf_append_byte (&documents->names, (uint8_t) document.size);
    skr_buf_append_span (&documents->names, document);
    return SAKER_OK;
}

static saker_err_t naive (skr_replica_t *replica, const skr_collection_t *shown, places_t *places)
{
    documents_t documents = {{0}};
    saker_err_t error =
        skr_replica_documents (replica, shown, skr_span (NULL, 0), list_document, &documents);
    for (size_t at = 0; at < documents.names.size && !error;) {
        size_t size = documents.names.data[at];
        error = look (replica, shown->no, skr_span (documents.names.data + at + 1, size), places);
        at += 1 + size;
    }
    skr_buf_free (&documents.names);
    return error;
}

static saker_err_t take_place (skr_span_t key, skr_span_t document, skr_span_t path, void *argument)
{
    (void) key;
    add_place (argument, document, path);
    return SAKER_OK;
}

static int compare_lines (const void *one, const void *other)
{
    return strcmp (*(char *const *) one, *(char *const *) other);
}

/* Long paths stand by their hashes in the index, so the lines are sorted before they are compared.
 */
static void sort_lines (places_t *places)
{
    size_t count = 0;
    char **lines = calloc (places->count + 1, sizeof *lines);
    skr_buf_t sorted = {0};
    skr_buf_append_byte (&places->lines, 0);
    for (char *line = strtok ((char *) places->lines.data, "\n"); line;
         line = strtok (NULL, "\n")) {
        lines[count++] = line;
    }
    qsort (lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        skr_buf_append (&sorted, lines[i], strlen (lines[i]));
        skr_buf_append_byte (&sorted, '\n');
    }
    free (lines);
    skr_buf_free (&places->lines);
    places->lines = sorted;
}

/* Returns the number of places in conflict, -1 when the index is not right. */
static long compare (skr_replica_t *replica)
{
    static places_t wanted, found;
    const skr_collection_t *shown;
    uint64_t count;
    long result = -1;
    if (skr_replica_collection_named (replica, collection, &shown) != SAKER_OK) {
        return 0;
    }
    skr_store_forget (skr_replica_store (replica));
    saker_err_t error = naive (replica, shown, &wanted);
    if (!error) {
        error = skr_conflicts_scan (replica->store, SKR_COMMITTED, shown->no, skr_span (NULL, 0),
                                    skr_span (NULL, 0), take_place, &found);
    }
    if (!error) {
        error = skr_conflicts_count (replica->store, SKR_COMMITTED, shown->no, &count);
    }
    sort_lines (&wanted);
    sort_lines (&found);
    if (!error && count == wanted.count
        && skr_span_equal (skr_span_of (&wanted.lines), skr_span_of (&found.lines))) {
        result = (long) count;
    } else {
        printf ("%s; wanted:\n%.*s\nfound:\n%.*s\n", error ? skr_error () : "",
                (int) wanted.lines.size, (const char *) wanted.lines.data, (int) found.lines.size,
                (const char *) found.lines.data);
    }
    skr_buf_free (&wanted.lines);
    skr_buf_free (&wanted.paths);
    skr_buf_free (&found.lines);
    wanted.count = found.count = 0;
    skr_store_forget (skr_replica_store (replica));
    return result;
}

/* ---- random writes */

static uint64_t state;

static size_t below (size_t bound)
{
    return (size_t) (check_random (&state) % bound);
}

static void random_path (skr_buf_t *path)
{
    static const char *const keys[] = {"a", "b", "c", "ab", "d"};
    size_t levels = 1 + below (3);
    skr_buf_clear (path);
    for (size_t i = 0; i < levels; i++) {
        const char *key = below (12) == 0 ? long_key : keys[below (5)];
        skr_cbor_put_text (path, key, strlen (key));
    }
}

static saker_err_t write_random (skr_replica_t *replica, const char *document)
{
    static const skr_intent_kind_t kinds[] = {
        SKR_INTENT_SET,    SKR_INTENT_SET,  SKR_INTENT_SET, SKR_INTENT_SET_LWW, SKR_INTENT_SET_MAP,
        SKR_INTENT_DELETE, SKR_INTENT_INCR, SKR_INTENT_ADD, SKR_INTENT_REMOVE};
    skr_buf_t paths[4] = {{0}}, values[4] = {{0}};
    skr_intent_t intents[4];
    saker_receipt_t receipt;
    size_t count = 1 + below (3);
    for (size_t i = 0; i < count; i++) {
        intents[i] = (skr_intent_t){.kind = kinds[below (9)], .document = skr_span_text (document)};
        random_path (&paths[i]);
        if (intents[i].kind == SKR_INTENT_SET && below (3) == 0) {
            skr_cbor_put_text (&values[i], filler, below (sizeof filler));
        } else {
            skr_cbor_put_int (&values[i], 1 + (int64_t) below (5));
        }
        intents[i].path = skr_span_of (&paths[i]);
        if (intents[i].kind != SKR_INTENT_SET_MAP && intents[i].kind != SKR_INTENT_DELETE) {
            intents[i].value = skr_span_of (&values[i]);
        }
    }
    skr_local_t local = {.collection = collection, .intents = intents, .count = count};
    saker_err_t error = skr_replica_write (replica, &local, &receipt);
    for (size_t i = 0; i < count; i++) {
        skr_buf_free (&paths[i]);
        skr_buf_free (&values[i]);
    }
    /* What cannot be is taken back, operation by operation. */
    return error == SAKER_ETYPE || error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t write_group (skr_replica_t *replica, size_t documents)
{
    SKR_TRY (skr_replica_begin (replica));
    for (size_t i = 1 + below (8); i > 0; i--) {
        char document[16];
        snprintf (document, sizeof document, "d%zu", below (documents));
        SKR_TRY (write_random (replica, document));
    }
    if (below (6) == 0) {
        skr_replica_abort (replica);
        return SAKER_OK;
    }
    return skr_replica_commit (replica);
}

static bool open_both (pair_t *pair)
{
    memset (long_key, 'k', sizeof long_key - 1);
    memset (filler, 'f', sizeof filler);
    state = check_seed ();
    return pair_open (pair) && pair_sync (pair->b, pair->a, &roster_id) == SAKER_OK
           && pair_sync (pair->a, pair->b, &roster_id) == SAKER_OK;
}

static bool reopen (skr_replica_t **replica, const char *store)
{
    skr_replica_close (replica);
    return skr_replica_open (replica, store, skr_world_real ()) == SAKER_OK;
}

/* ---- tests */

static void index_is_exact (void)
{
    pair_t pair;
    skr_id_t id;
    long most = 0, least = 1000;
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    CHECK_OK (pair_set (pair.a, collection, "first", 1));
    CHECK_OK (pair_set (pair.b, collection, "first", 2));
    for (int round = 0; round < 120; round++) {
        size_t documents = round < 60 ? 3 : 12;
        for (size_t i = below (4); i > 0; i--) {
            CHECK_OK (write_group (pair.a, documents));
            CHECK_OK (write_group (pair.b, documents));
        }
        if (below (3) == 0) {
            CHECK_OK (pair_sync (pair.a, pair.b, &id));
        }
        if (below (3) == 0) {
            CHECK_OK (pair_sync (pair.b, pair.a, &id));
        }
        long a = compare (pair.a), b = compare (pair.b);
        CHECK (a >= 0);
        CHECK (b >= 0);
        most = a > most ? a : most;
        least = a < least ? a : least;
    }
    CHECK (most >= 5); /* it is not a test of nothing */
    CHECK (reopen (&pair.a, pair.store_a));
    CHECK (compare (pair.a) >= 0);
    pair_close (&pair);
}

/* As a store that an earlier version made. */
static saker_err_t unmake (skr_replica_t *replica)
{
    SKR_TRY (skr_store_begin (replica->store));
    SKR_TRY (skr_store_empty (replica->store, SKR_CONFLICTS));
    SKR_TRY (skr_store_empty (replica->store, SKR_HISTORY));
    SKR_TRY (skr_store_remove (replica->store, SKR_META, skr_span_text ("index conflicts")));
    SKR_TRY (skr_store_remove (replica->store, SKR_META, skr_span_text ("index history")));
    return skr_store_commit (replica->store);
}

/* The number of records is not that of the collection any more. */
static saker_err_t miscount (skr_replica_t *replica)
{
    uint8_t key[4];
    const skr_collection_t *shown;
    SKR_TRY (skr_replica_collection_named (replica, collection, &shown));
    skr_put_u32 (key, shown->no);
    SKR_TRY (skr_store_begin (replica->store));
    SKR_TRY (skr_store_remove (replica->store, SKR_CONFLICTS, skr_span (key, sizeof key)));
    return skr_store_commit (replica->store);
}

static void index_is_built (void)
{
    pair_t pair;
    skr_id_t id;
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    for (int round = 0; round < 20; round++) {
        CHECK_OK (write_group (pair.a, 4));
        CHECK_OK (write_group (pair.b, 4));
    }
    CHECK_OK (pair_sync (pair.a, pair.b, &id));
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    long before = compare (pair.a);
    CHECK (before > 0);
    CHECK_OK (unmake (pair.a));
    CHECK (reopen (&pair.a, pair.store_a));
    CHECK_INT (compare (pair.a), before);
    CHECK_OK (miscount (pair.b));
    CHECK (reopen (&pair.b, pair.store_b));
    CHECK_INT (compare (pair.b), before);
    pair_close (&pair);
}

/* A store of an earlier version has not even the tables. */
static bool drop_tables (const char *store)
{
    static const char *const names[] = {"conflicts", "history"};
    MDB_env *env;
    MDB_txn *transaction;
    MDB_dbi table;
    bool good = mdb_env_create (&env) == 0 && mdb_env_set_maxdbs (env, 32) == 0
                && mdb_env_set_mapsize (env, 256u << 20) == 0
                && mdb_env_open (env, store, 0, 0600) == 0
                && mdb_txn_begin (env, NULL, 0, &transaction) == 0;
    for (size_t i = 0; i < 2 && good; i++) {
        good = mdb_dbi_open (transaction, names[i], 0, &table) == 0
               && mdb_drop (transaction, table, 1) == 0;
    }
    good = good && mdb_txn_commit (transaction) == 0;
    mdb_env_close (env);
    return good;
}

static void an_earlier_store_opens (void)
{
    pair_t pair;
    skr_id_t id;
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    for (int round = 0; round < 20; round++) {
        CHECK_OK (write_group (pair.a, 4));
        CHECK_OK (write_group (pair.b, 4));
    }
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    long before = compare (pair.a);
    CHECK (before > 0);
    CHECK_OK (unmake (pair.a));
    skr_replica_close (&pair.a);
    CHECK (drop_tables (pair.store_a));
    CHECK_OK (skr_replica_open (&pair.a, pair.store_a, skr_world_real ()));
    CHECK_INT (compare (pair.a), before);
    pair_close (&pair);
}

static saker_err_t keep_record (skr_span_t key, skr_span_t value, void *argument)
{
    skr_buf_t *records = argument;
    uint8_t sizes[8];
    skr_put_u32 (sizes, (uint32_t) key.size);
    skr_put_u32 (sizes + 4, (uint32_t) value.size);
    skr_buf_append (records, sizes, sizeof sizes);
    skr_buf_append_span (records, key);
    skr_buf_append_span (records, value);
    return SAKER_OK;
}

static saker_err_t put_back (skr_replica_t *replica, skr_table_t table, const skr_buf_t *records)
{
    SKR_TRY (skr_store_empty (replica->store, table));
    for (size_t at = 0; at < records->size;) {
        size_t key = skr_get_u32 (records->data + at), value = skr_get_u32 (records->data + at + 4);
        const uint8_t *start = records->data + at + 8;
        SKR_TRY (skr_store_put (replica->store, table, skr_span (start, key),
                                skr_span (start + key, value)));
        at += 8 + key + value;
    }
    return SAKER_OK;
}

/* A version that knows no indexes has written meanwhile. */
static void what_was_missed_is_noticed (void)
{
    pair_t pair;
    skr_id_t id;
    skr_buf_t conflicts = {0}, history = {0};
    skr_span_t none = skr_span (NULL, 0);
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    CHECK_OK (pair_set (pair.a, collection, "first", 1));
    CHECK_OK (skr_store_scan (pair.a->store, SKR_COMMITTED, SKR_CONFLICTS, none, none, keep_record,
                              &conflicts));
    CHECK_OK (skr_store_scan (pair.a->store, SKR_COMMITTED, SKR_HISTORY, none, none, keep_record,
                              &history));
    CHECK_OK (pair_set (pair.b, collection, "first", 2));
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    CHECK_INT (compare (pair.a), 1);
    CHECK_OK (skr_store_begin (pair.a->store));
    CHECK_OK (put_back (pair.a, SKR_CONFLICTS, &conflicts));
    CHECK_OK (put_back (pair.a, SKR_HISTORY, &history));
    CHECK_OK (skr_store_commit (pair.a->store));
    CHECK (reopen (&pair.a, pair.store_a));
    CHECK_INT (compare (pair.a), 1);
    skr_buf_free (&conflicts);
    skr_buf_free (&history);
    pair_close (&pair);
}

static void index_comes_with_a_snapshot (void)
{
    pair_t pair;
    skr_id_t id;
    uint64_t size;
    uint8_t hash[32];
    char file[128];
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    for (int round = 0; round < 10; round++) {
        CHECK_OK (write_group (pair.a, 4));
        CHECK_OK (write_group (pair.b, 4));
    }
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    for (int round = 0; round < 5; round++) {
        CHECK_OK (write_group (pair.b, 4)); /* beyond the snapshot */
    }
    snprintf (file, sizeof file, "%s/snapshot", pair.folder);
    CHECK_OK (skr_snapshot_make (pair.a, &id, &(skr_extract_t){0}, file, &size, hash));
    CHECK_OK (skr_snapshot_take (pair.b, &id, file));
    CHECK (compare (pair.b) > 0);
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    CHECK_INT (compare (pair.a), compare (pair.b));
    CHECK (reopen (&pair.b, pair.store_b)); /* sweeps what the old state had */
    CHECK_INT (compare (pair.a), compare (pair.b));
    pair_close (&pair);
}

/* One document, large enough for many buckets, in which each bucket's edge is written. */
static void edges_of_buckets_count (void)
{
    pair_t pair;
    skr_id_t id;
    CHECK (open_both (&pair));
    skr_replica_collection_id (pair.a, collection, &id);
    for (int side = 0; side < 2; side++) {
        skr_replica_t *replica = side ? pair.b : pair.a;
        for (int i = 0; i < 400; i++) {
            char pointer[32];
            skr_buf_t path = {0}, value = {0};
            saker_receipt_t receipt;
            snprintf (pointer, sizeof pointer, "/k%03d%s", i, side && i % 3 == 0 ? "/x" : "");
            CHECK_OK (skr_path_from_pointer (&path, pointer));
            skr_cbor_put_text (&value, filler, 700);
            skr_intent_t intent = {.kind = SKR_INTENT_SET,
                                   .document = skr_span_text ("large"),
                                   .path = skr_span_of (&path),
                                   .value = skr_span_of (&value)};
            skr_local_t local = {.collection = collection, .intents = &intent, .count = 1};
            CHECK_OK (skr_replica_begin (replica));
            CHECK_OK (skr_replica_write (replica, &local, &receipt));
            CHECK_OK (skr_replica_commit (replica));
            skr_buf_free (&path);
            skr_buf_free (&value);
        }
    }
    CHECK_OK (pair_sync (pair.a, pair.b, &id));
    CHECK_OK (pair_sync (pair.b, pair.a, &id));
    CHECK_INT (compare (pair.a), 400);
    CHECK_INT (compare (pair.b), 400);
    pair_close (&pair);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (index_is_exact);
    RUN (index_is_built);
    RUN (an_earlier_store_opens);
    RUN (what_was_missed_is_noticed);
    RUN (index_comes_with_a_snapshot);
    RUN (edges_of_buckets_count);
    return CHECK_END ();
}
