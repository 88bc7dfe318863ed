/* Cells in the store against a naive model: a sorted array of entries a document. */

#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include "crdt/path.h"
#include "peer/bucket.h"
#include "peer/cells_store.h"

#include <unistd.h>

static char place[TEMP_FOLDER_BYTES];
static char folder[TEMP_FOLDER_BYTES + 32];

/* ---- the model */

enum { COLLECTIONS = 2, DOCUMENTS = 6, WRITERS = 7, VALUE_BYTES_MAX = 61440 };

typedef struct model_entry_t {
    skr_dot_t dot;
    uint64_t hlc;
    size_t address_size, value_size;
    uint8_t bytes[]; /* address, value */
} model_entry_t;

typedef struct model_document_t {
    model_entry_t **entries; /* by address, dot */
    size_t count, capacity;
} model_document_t;

/* What a group did, to take it back. */
typedef struct step_t {
    model_document_t *document;
    model_entry_t *entry;
    bool added;
} step_t;

static model_document_t model[COLLECTIONS][DOCUMENTS];
static step_t *steps;
static size_t steps_count, steps_capacity;
static skr_id_t writers[WRITERS];
static uint64_t next_seq;

static skr_entry_t entry_of (const model_entry_t *entry)
{
    return (skr_entry_t){
        .dot = entry->dot,
        .hlc = entry->hlc,
        .address = skr_span (entry->bytes, entry->address_size),
        .value = skr_span (entry->bytes + entry->address_size, entry->value_size),
    };
}

static int compare_entries (const void *one, const void *other)
{
    const skr_entry_t first = entry_of (*(model_entry_t *const *) one);
    const skr_entry_t second = entry_of (*(model_entry_t *const *) other);
    int order = skr_span_compare (first.address, second.address);
    return order ? order : skr_dot_compare (&first.dot, &second.dot);
}

static model_entry_t *copy_entry (const skr_entry_t *entry)
{
    model_entry_t *copy = malloc (sizeof *copy + entry->address.size + entry->value.size);
    if (!copy) {
        abort ();
    }
    copy->dot = entry->dot;
    copy->hlc = entry->hlc;
    copy->address_size = entry->address.size;
    copy->value_size = entry->value.size;
    memcpy (copy->bytes, entry->address.data, entry->address.size);
    if (entry->value.size > 0) {
        memcpy (copy->bytes + entry->address.size, entry->value.data, entry->value.size);
    }
    return copy;
}

static size_t model_place (const model_document_t *document, model_entry_t *entry)
{
    size_t low = 0, high = document->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_entries (&document->entries[middle], &entry) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void model_insert (model_document_t *document, model_entry_t *entry)
{
    if (document->count == document->capacity) {
        document->capacity = document->capacity ? 2 * document->capacity : 16;
        document->entries =
            realloc (document->entries, document->capacity * sizeof (model_entry_t *));
        if (!document->entries) {
            abort ();
        }
    }
    size_t at = model_place (document, entry);
    memmove (document->entries + at + 1, document->entries + at,
             (document->count - at) * sizeof (model_entry_t *));
    document->entries[at] = entry;
    document->count++;
}

static void model_take (model_document_t *document, model_entry_t *entry)
{
    size_t at = model_place (document, entry);
    document->count--;
    memmove (document->entries + at, document->entries + at + 1,
             (document->count - at) * sizeof (model_entry_t *));
}

static void add_step (model_document_t *document, model_entry_t *entry, bool added)
{
    if (steps_count == steps_capacity) {
        steps_capacity = steps_capacity ? 2 * steps_capacity : 64;
        steps = realloc (steps, steps_capacity * sizeof *steps);
        if (!steps) {
            abort ();
        }
    }
    steps[steps_count++] = (step_t){document, entry, added};
}

static void model_commit (void)
{
    for (size_t i = 0; i < steps_count; i++) {
        if (!steps[i].added) {
            free (steps[i].entry);
        }
    }
    steps_count = 0;
}

static void model_abort (void)
{
    while (steps_count > 0) {
        step_t step = steps[--steps_count];
        if (step.added) {
            model_take (step.document, step.entry);
            free (step.entry);
        } else {
            model_insert (step.document, step.entry);
        }
    }
}

static void model_clear (void)
{
    model_commit ();
    for (int i = 0; i < COLLECTIONS * DOCUMENTS; i++) {
        model_document_t *document = &model[i / DOCUMENTS][i % DOCUMENTS];
        for (size_t j = 0; j < document->count; j++) {
            free (document->entries[j]);
        }
        free (document->entries);
        *document = (model_document_t){0};
    }
    free (steps);
    steps = NULL;
    steps_capacity = 0;
}

/* ---- both together */

static skr_store_t *store;
static skr_cells_store_t *cells_store;
static skr_collection_t lives[COLLECTIONS];
static skr_collection_t committed_lives[COLLECTIONS];

static saker_err_t open_both (void)
{
    (void) snprintf (folder, sizeof folder, "%s/store", place);
    temp_folder_remove (folder);
    memset (lives, 0, sizeof lives);
    memset (committed_lives, 0, sizeof committed_lives);
    next_seq = 1;
    for (int i = 0; i < WRITERS; i++) {
        memset (writers[i].bytes, 255 - 17 * i, sizeof writers[i].bytes);
    }
    SKR_TRY (skr_store_open (&store, folder, SKR_STORE_CREATE, skr_world_real ()));
    return skr_cells_store_new (&cells_store, store);
}

static void close_both (void)
{
    skr_cells_store_destroy (&cells_store);
    skr_store_close (&store);
    model_clear ();
}

static skr_span_t document_id (int number, char text[300])
{
    static const char *const ids[DOCUMENTS] = {"", "b", "a", "aa", "a long one of 255 bytes", "z"};
    (void) snprintf (text, 300, "%s", ids[number]);
    if (number == 4) {
        memset (text, 'x', 255);
        text[255] = '\0';
    }
    return skr_span_text (text);
}

static const skr_cells_t *group_cells (int collection)
{
    lives[collection].no = (uint32_t) collection + 1;
    lives[collection].id.bytes[0] = (uint8_t) collection;
    return skr_cells_store_group (cells_store, &lives[collection]);
}

static saker_err_t put_both (int collection, int number, const skr_entry_t *entry)
{
    char text[300];
    const skr_cells_t *cells = group_cells (collection);
    SKR_TRY (cells->put (cells->context, document_id (number, text), entry));
    model_entry_t *copy = copy_entry (entry);
    model_insert (&model[collection][number], copy);
    add_step (&model[collection][number], copy, true);
    return SAKER_OK;
}

static saker_err_t remove_both (int collection, int number, size_t at)
{
    char text[300];
    const skr_cells_t *cells = group_cells (collection);
    model_document_t *document = &model[collection][number];
    model_entry_t *entry = document->entries[at];
    skr_entry_t view = entry_of (entry);
    SKR_TRY (cells->remove (cells->context, document_id (number, text), &view));
    model_take (document, entry);
    add_step (document, entry, false);
    return SAKER_OK;
}

static saker_err_t replace_both (int collection, int number, size_t at, const skr_entry_t *entry)
{
    char text[300];
    const skr_cells_t *cells = group_cells (collection);
    model_document_t *document = &model[collection][number];
    model_entry_t *old = document->entries[at], *copy = copy_entry (entry);
    skr_entry_t view = entry_of (old);
    saker_err_t error = cells->replace (cells->context, document_id (number, text), &view, entry);
    if (error != SAKER_OK) {
        free (copy);
        return error;
    }
    model_take (document, old);
    add_step (document, old, false);
    model_insert (document, copy);
    add_step (document, copy, true);
    return SAKER_OK;
}

static saker_err_t begin_both (void)
{
    memcpy (committed_lives, lives, sizeof lives);
    return skr_store_begin (store);
}

static saker_err_t commit_both (void)
{
    SKR_TRY (skr_cells_store_flush (cells_store));
    SKR_TRY (skr_store_commit (store));
    model_commit ();
    return SAKER_OK;
}

static void abort_both (void)
{
    skr_cells_store_drop (cells_store);
    skr_store_abort (store);
    model_abort ();
    memcpy (lives, committed_lives, sizeof lives);
}

typedef struct found_t {
    model_entry_t **entries;
    size_t count, capacity;
    bool unordered;
} found_t;

static saker_err_t find_entry (const skr_entry_t *entry, void *argument)
{
    found_t *found = argument;
    if (found->count == found->capacity) {
        found->capacity = found->capacity ? 2 * found->capacity : 64;
        found->entries = realloc (found->entries, found->capacity * sizeof (model_entry_t *));
        if (!found->entries) {
            abort ();
        }
    }
    if (found->count > 0) {
        skr_entry_t last = entry_of (found->entries[found->count - 1]);
        found->unordered |= skr_span_compare (last.address, entry->address) > 0;
    }
    found->entries[found->count++] = copy_entry (entry);
    return SAKER_OK;
}

static bool same_entry (const model_entry_t *one, const model_entry_t *other)
{
    skr_entry_t first = entry_of (one), second = entry_of (other);
    return skr_dot_compare (&first.dot, &second.dot) == 0 && first.hlc == second.hlc
           && skr_span_equal (first.address, second.address)
           && skr_span_equal (first.value, second.value);
}

/* NULL: the scan finds what the model has. */
static const char *differs (skr_sight_t sight, int collection, int number, skr_span_t prefix)
{
    char text[300];
    found_t found = {0};
    const char *wrong = NULL;
    const model_document_t *document = &model[collection][number];
    const skr_cells_t *cells =
        sight == SKR_GROUP ? group_cells (collection)
                           : skr_cells_store_committed (cells_store, (uint32_t) collection + 1);
    if (cells->scan (cells->context, document_id (number, text), prefix, find_entry, &found)) {
        return skr_error ();
    }
    wrong = found.unordered ? "not in order" : NULL;
    if (found.count > 1) {
        qsort (found.entries, found.count, sizeof found.entries[0], compare_entries);
    }
    size_t at = 0;
    for (size_t i = 0; i < document->count; i++) {
        if (skr_span_starts (entry_of (document->entries[i]).address, prefix)) {
            if (at >= found.count || !same_entry (found.entries[at], document->entries[i])) {
                wrong = "an entry is missing or differs";
                break;
            }
            at++;
        }
    }
    if (!wrong && at != found.count) {
        wrong = "too many entries";
    }
    for (size_t i = 0; i < found.count; i++) {
        free (found.entries[i]);
    }
    free (found.entries);
    return wrong;
}

#define NOTHING skr_span (NULL, 0)

/* What of the entries not above a bound of each writer scan_within does not find; it may find more,
   but each that it finds is there. */
static saker_err_t check_within (skr_sight_t sight, int collection, int number, uint64_t *random,
                                 size_t *missed)
{
    char text[300];
    found_t found = {0};
    skr_dot_t bounds[WRITERS + 1];
    size_t count = check_random (random) % (WRITERS + 1);
    const model_document_t *document = &model[collection][number];
    const skr_cells_t *cells =
        sight == SKR_GROUP ? group_cells (collection)
                           : skr_cells_store_committed (cells_store, (uint32_t) collection + 1);
    for (size_t i = 0; i < count; i++) {
        bounds[i] = (skr_dot_t){writers[i], check_random (random) % (next_seq + 1),
                                (uint32_t) check_random (random) % 1024};
    }
    memset (bounds[count].writer.bytes, 3, sizeof bounds[count].writer.bytes); /* unknown here */
    bounds[count].seq = next_seq;
    count++;
    saker_err_t error = cells->scan_within (cells->context, document_id (number, text), NOTHING,
                                            bounds, count, find_entry, &found);
    *missed = 0;
    for (size_t i = 0; i < document->count && error == SAKER_OK; i++) {
        skr_entry_t entry = entry_of (document->entries[i]);
        bool wanted = false, there = false;
        for (size_t k = 0; k < count; k++) {
            wanted |= skr_id_equal (&bounds[k].writer, &entry.dot.writer)
                      && skr_dot_compare (&entry.dot, &bounds[k]) <= 0;
        }
        for (size_t k = 0; k < found.count; k++) {
            there |= same_entry (found.entries[k], document->entries[i]);
        }
        *missed += wanted && !there;
    }
    for (size_t i = 0; i < found.count; i++) {
        free (found.entries[i]);
    }
    free (found.entries);
    return error;
}

#define CHECK_SAME(sight, collection, number, prefix)                                              \
    do {                                                                                           \
        const char *check_wrong = differs (sight, collection, number, prefix);                     \
        if (check_wrong) {                                                                         \
            CHECK_FAIL ("collection %d, document %d: %s", collection, number, check_wrong);        \
            return;                                                                                \
        }                                                                                          \
    } while (0)

typedef struct listed_t {
    int count;
    bool unordered;
    skr_buf_t last;
} listed_t;

static saker_err_t list (skr_span_t document, void *argument)
{
    listed_t *listed = argument;
    listed->unordered |=
        listed->count > 0 && skr_span_compare (document, skr_span_of (&listed->last)) <= 0;
    skr_buf_clear (&listed->last);
    skr_buf_append_span (&listed->last, document);
    listed->count++;
    return SAKER_OK;
}

static saker_err_t sum_entry (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    skr_collection_t *sum = argument;
    skr_fingerprint_add (&sum->fingerprint, &sum->id, document, entry);
    return SAKER_OK;
}

static void check_counts (skr_sight_t sight)
{
    for (int i = 0; i < COLLECTIONS; i++) {
        int wanted = 0;
        listed_t listed = {0};
        for (int j = 0; j < DOCUMENTS; j++) {
            wanted += model[i][j].count > 0;
        }
        CHECK_OK (skr_cells_store_documents (cells_store, sight, (uint32_t) i + 1, NOTHING, list,
                                             &listed));
        skr_buf_free (&listed.last);
        CHECK_INT (listed.count, wanted);
        CHECK (!listed.unordered);
        CHECK_INT (lives[i].documents, wanted);
        skr_collection_t sum = {.id = lives[i].id};
        CHECK_OK (skr_cells_store_all (cells_store, sight, (uint32_t) i + 1, sum_entry, &sum));
        CHECK (skr_fingerprint_equal (&sum.fingerprint, &lives[i].fingerprint));
    }
}

/* ---- random entries */

static const char *long_text (size_t size)
{
    static char text[1025];
    memset (text, 'p', sizeof text - 1);
    text[size] = '\0';
    return text;
}

/* Addresses of all kinds: short, long with long common beginnings, members with much in them. */
static void random_address (skr_buf_t *address, uint64_t *random)
{
    skr_buf_t path = {0}, member = {0};
    char key[32];
    uint64_t shape = check_random (random) % 16;
    skr_kind_t kind = (skr_kind_t) (1 + check_random (random) % 3);
    if (shape >= 12) {
        const char *text = long_text (shape == 12 ? 300 : shape == 13 ? 485 : 700);
        skr_cbor_put_text (&path, text, strlen (text));
    }
    for (uint64_t levels = check_random (random) % 3; levels > 0; levels--) {
        int size = snprintf (key, sizeof key, "k%u", (unsigned int) (check_random (random) % 20));
        skr_cbor_put_text (&path, key, (size_t) size);
    }
    if (shape % 4 == 3) {
        static uint8_t data[3000];
        kind = SKR_MEMBER;
        memset (data, 'm', sizeof data);
        size_t size = check_random (random) % (shape == 7 ? sizeof data : 12);
        if (size > 0) {
            data[size - 1] = (uint8_t) check_random (random);
        }
        skr_cbor_put_bytes (&member, data, size);
    }
    skr_buf_clear (address);
    skr_address_put (address, skr_span_of (&path), kind, skr_span_of (&member));
    skr_buf_free (&path);
    skr_buf_free (&member);
}

static size_t random_size (uint64_t *random)
{
    switch (check_random (random) % 64) {
    case 0:
        return VALUE_BYTES_MAX - check_random (random) % 100;
    case 1:
    case 2:
        return check_random (random) % 9000;
    default:
        return check_random (random) % 30;
    }
}

static saker_err_t put_random (int collection, int number, uint64_t *random)
{
    static uint8_t value[VALUE_BYTES_MAX];
    skr_buf_t address = {0};
    random_address (&address, random);
    size_t size = random_size (random);
    memset (value, (int) check_random (random), size);
    skr_entry_t entry = {
        .dot = {writers[check_random (random) % WRITERS], next_seq,
                (uint32_t) check_random (random) % 1024},
        .hlc = check_random (random) % 8 ? (uint64_t) 1700000000000 << 16 : check_random (random),
        .address = skr_span_of (&address),
        .value = skr_span (value, size),
    };
    next_seq += check_random (random) % 2;
    entry.dot.seq = next_seq++;
    saker_err_t error = put_both (collection, number, &entry);
    skr_buf_free (&address);
    return error;
}

/* Of the same address and writer, mostly later. */
static saker_err_t replace_random (int collection, int number, uint64_t *random)
{
    static uint8_t value[VALUE_BYTES_MAX];
    size_t at = check_random (random) % model[collection][number].count;
    skr_entry_t entry = entry_of (model[collection][number].entries[at]);
    size_t size = check_random (random) % 4 ? entry.value.size : random_size (random);
    memset (value, (int) check_random (random), size);
    entry.value = skr_span (value, size);
    entry.hlc += check_random (random) % 3;
    entry.dot.index = (uint32_t) check_random (random) % 1024;
    entry.dot.seq = ++next_seq;
    next_seq += check_random (random) % 2;
    if (check_random (random) % 8 == 0) { /* none other has it */
        entry.dot.seq += (uint64_t) 1 << 40;
    }
    return replace_both (collection, number, at, &entry);
}

static saker_err_t change_random (uint64_t *random)
{
    int collection = (int) (check_random (random) % COLLECTIONS);
    /* Mostly the same document, as changes do. */
    int number = check_random (random) % 4 ? (int) (next_seq / 16 % DOCUMENTS)
                                           : (int) (check_random (random) % DOCUMENTS);
    size_t count = model[collection][number].count;
    bool shrinking = next_seq / 512 % 3 == 2;
    if (count > 0 && check_random (random) % 8 < (shrinking ? 7u : 2u)) {
        next_seq += shrinking;
        return remove_both (collection, number, check_random (random) % count);
    }
    if (count > 0 && check_random (random) % 3 == 0) {
        return replace_random (collection, number, random);
    }
    return put_random (collection, number, random);
}

/* A prefix that some entry has, or none. */
static skr_span_t random_prefix (int collection, int number, uint64_t *random)
{
    const model_document_t *document = &model[collection][number];
    if (document->count == 0 || check_random (random) % 3 == 0) {
        return NOTHING;
    }
    const model_entry_t *entry = document->entries[check_random (random) % document->count];
    return skr_span (entry->bytes, check_random (random) % (entry->address_size + 1));
}

static void end_group (uint64_t *random)
{
    if (check_random (random) % 4 == 0) {
        abort_both ();
    } else {
        CHECK_OK (commit_both ());
    }
    for (int i = 0; i < COLLECTIONS * DOCUMENTS; i++) {
        CHECK_SAME (SKR_COMMITTED, i / DOCUMENTS, i % DOCUMENTS, NOTHING);
    }
    check_counts (SKR_COMMITTED);
}

static void agrees_with_a_model (void)
{
    uint64_t random = check_seed ();
    CHECK_OK (open_both ());
    for (int group = 0; group < 200 && !check_bad; group++) {
        CHECK_OK (begin_both ());
        for (uint64_t i = check_random (&random) % 150; i > 0; i--) {
            CHECK_OK (change_random (&random));
            if (check_random (&random) % 8 == 0) {
                int collection = (int) (check_random (&random) % COLLECTIONS);
                int number = (int) (check_random (&random) % DOCUMENTS);
                size_t missed;
                CHECK_SAME (SKR_GROUP, collection, number,
                            random_prefix (collection, number, &random));
                CHECK_OK (check_within (SKR_GROUP, collection, number, &random, &missed));
                CHECK_INT (missed, 0);
            }
            if (check_random (&random) % 64 == 0) {
                CHECK_OK (skr_cells_store_flush (cells_store));
                check_counts (SKR_GROUP);
            }
        }
        end_group (&random);
    }
    close_both ();
}

/* ---- large documents */

static void field_entry (skr_entry_t *entry, skr_buf_t *address, const char *prefix,
                         uint64_t number, uint64_t hlc)
{
    static uint8_t value[] = {0x65, 'v', 'a', 'l', 'u', 'e'};
    skr_buf_t path = {0};
    char key[32];
    if (prefix[0]) {
        skr_cbor_put_text (&path, prefix, strlen (prefix));
    }
    int size = snprintf (key, sizeof key, "field%06llu", (unsigned long long) number);
    skr_cbor_put_text (&path, key, (size_t) size);
    skr_buf_clear (address);
    skr_address_put (address, skr_span_of (&path), SKR_REGISTER, NOTHING);
    skr_buf_free (&path);
    *entry = (skr_entry_t){
        .dot = {writers[0], 1 + number, 0},
        .hlc = hlc,
        .address = skr_span_of (address),
        .value = skr_span (value, sizeof value),
    };
}

typedef struct sizes_t {
    size_t records, bytes, largest;
} sizes_t;

static saker_err_t measure (skr_span_t key, skr_span_t value, void *argument)
{
    sizes_t *sizes = argument;
    (void) key;
    sizes->records++;
    sizes->bytes += value.size;
    sizes->largest = value.size > sizes->largest ? value.size : sizes->largest;
    return SAKER_OK;
}

static saker_err_t measure_cells (sizes_t *sizes)
{
    *sizes = (sizes_t){0};
    return skr_store_scan (store, SKR_COMMITTED, SKR_CELLS, NOTHING, NOTHING, measure, sizes);
}

static void shuffle (uint32_t *numbers, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (uint32_t) i;
    }
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = check_random (random) % (i + 1);
        uint32_t number = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = number;
    }
}

/* Entries with long common beginnings, or short ones, arriving in order or not, and leaving. */
static void fill_and_empty (size_t count, bool in_order, const char *prefix)
{
    uint64_t random = check_seed ();
    skr_buf_t address = {0};
    sizes_t sizes;
    uint32_t *numbers = calloc (count, sizeof *numbers);
    CHECK (numbers);
    CHECK_OK (open_both ());
    shuffle (numbers, count, &random);
    for (size_t i = 0; i < count; i++) {
        skr_entry_t entry;
        if (i % 5000 == 0) {
            CHECK_OK (begin_both ());
        }
        field_entry (&entry, &address, prefix, in_order ? i : numbers[i], 1000 + i);
        CHECK_OK (put_both (0, 1, &entry));
        if (i % 5000 == 4999 || i == count - 1) {
            CHECK_OK (commit_both ());
        }
    }
    CHECK_SAME (SKR_COMMITTED, 0, 1, NOTHING);
    CHECK_OK (measure_cells (&sizes));
    CHECK (sizes.largest <= 8192);
    CHECK (count < 100 || sizes.records < 3 * (sizes.bytes / 8192 + 1));
    CHECK_OK (begin_both ());
    for (int i = 0; i < 50; i++) {
        CHECK_SAME (SKR_GROUP, 0, 1, random_prefix (0, 1, &random));
    }
    CHECK_INT (lives[0].documents, 1);
    while (model[0][1].count > 0) {
        CHECK_OK (remove_both (0, 1, check_random (&random) % model[0][1].count));
    }
    CHECK_OK (commit_both ());
    CHECK_INT (lives[0].documents, 0);
    CHECK_OK (measure_cells (&sizes));
    CHECK_INT (sizes.records, 0);
    CHECK_OK (
        skr_store_scan (store, SKR_COMMITTED, SKR_DOCUMENT_IDS, NOTHING, NOTHING, measure, &sizes));
    CHECK_INT (sizes.records, 0);
    free (numbers);
    skr_buf_free (&address);
    close_both ();
}

static void holds_documents_of_any_size (void)
{
    static const size_t sizes[] = {1, 2, 5, 100, 999, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fill_and_empty (sizes[i], true, "");
        fill_and_empty (sizes[i], false, "");
    }
}

static void holds_many_long_addresses (void)
{
    fill_and_empty (1000, true, long_text (600));
    fill_and_empty (1000, false, long_text (600));
    fill_and_empty (500, false, long_text (460));
    fill_and_empty (500, false, long_text (1000));
}

static saker_err_t put_increment (skr_span_t address, uint32_t number, skr_span_t value)
{
    skr_entry_t entry = {
        .dot = {writers[number % WRITERS], 1 + number, 3},
        .hlc = number,
        .address = address,
        .value = value,
    };
    return put_both (0, 0, &entry);
}

static void counter_address (skr_buf_t *address, size_t size)
{
    skr_buf_t path = {0};
    skr_cbor_put_text (&path, long_text (size), size);
    skr_buf_clear (address);
    skr_address_put (address, skr_span_of (&path), SKR_COUNTER, NOTHING);
    skr_buf_free (&path);
}

/* One counter with many increments: all addresses are the same. */
static void count_much (size_t path_bytes, uint32_t increments)
{
    static const uint8_t one[] = {1};
    uint64_t random = check_seed ();
    uint32_t *numbers = calloc (increments, sizeof *numbers);
    skr_buf_t address = {0};
    CHECK (numbers);
    CHECK_OK (open_both ());
    shuffle (numbers, increments, &random);
    counter_address (&address, path_bytes);
    CHECK_OK (begin_both ());
    for (uint32_t i = 0; i < increments; i++) {
        CHECK_OK (put_increment (skr_span_of (&address), numbers[i], skr_span (one, 1)));
    }
    CHECK_OK (commit_both ());
    CHECK_SAME (SKR_COMMITTED, 0, 0, NOTHING);
    CHECK_SAME (SKR_COMMITTED, 0, 0, skr_span_of (&address));
    skr_buf_free (&address);
    free (numbers);
    close_both ();
}

static void holds_long_counters (void)
{
    count_much (900, 2000);
    /* Where a key ends, and the dot begins. */
    for (size_t size = 482; size < 492; size++) {
        count_much (size, 300);
    }
}

/* Always between the first and the second: the ordinals between two buckets run out. */
static void splits_without_room (void)
{
    static uint8_t large[9000];
    skr_buf_t address = {0};
    CHECK_OK (open_both ());
    counter_address (&address, 800);
    CHECK_OK (begin_both ());
    for (uint32_t number = WRITERS << 20; number >= WRITERS; number -= WRITERS) {
        large[0]++;
        CHECK_OK (put_increment (skr_span_of (&address), number, skr_span (large, sizeof large)));
        if (number > WRITERS * 60) {
            number = WRITERS * 60;
        }
    }
    CHECK_OK (put_increment (skr_span_of (&address), 0, skr_span (large, sizeof large)));
    CHECK_OK (commit_both ());
    CHECK_SAME (SKR_COMMITTED, 0, 0, NOTHING);
    CHECK_OK (begin_both ());
    while (model[0][0].count > 0) {
        CHECK_OK (remove_both (0, 0, model[0][0].count / 2));
    }
    CHECK_OK (commit_both ());
    CHECK_INT (lives[0].documents, 0);
    skr_buf_free (&address);
    close_both ();
}

/* ---- sights, sizes, errors */

static void shows_what_is_committed (void)
{
    skr_entry_t entry, value_of_others;
    skr_buf_t address = {0};
    uint64_t no;
    uint32_t writer_no;
    skr_id_t id;
    CHECK_OK (open_both ());
    CHECK_OK (begin_both ());
    field_entry (&entry, &address, "", 1, 7);
    value_of_others = entry;
    value_of_others.dot.writer = writers[3];
    CHECK_OK (put_both (0, 2, &entry));
    CHECK_OK (put_both (0, 2, &value_of_others));
    CHECK_OK (commit_both ());
    CHECK_OK (skr_store_writer_no (store, SKR_COMMITTED, &writers[0], &writer_no));
    CHECK_INT (writer_no, 1);
    CHECK_OK (skr_store_writer_id (store, SKR_COMMITTED, 2, &id));
    CHECK (skr_id_equal (&id, &writers[3]));
    CHECK_INT (skr_store_writer_id (store, SKR_COMMITTED, 3, &id), SAKER_ENOTFOUND);
    CHECK_INT (skr_store_writer_no (store, SKR_COMMITTED, &writers[1], &writer_no),
               SAKER_ENOTFOUND);
    CHECK_OK (skr_store_document_no (store, SKR_COMMITTED, 1, skr_span_text ("a"), &no));
    CHECK_INT (no, 1);

    CHECK_OK (begin_both ());
    CHECK_OK (remove_both (0, 2, 0));
    const skr_cells_t *committed = skr_cells_store_committed (cells_store, 1);
    found_t found = {0};
    CHECK_OK (
        committed->scan (committed->context, skr_span_text ("a"), NOTHING, find_entry, &found));
    CHECK_INT (found.count, 2);
    free (found.entries[0]);
    free (found.entries[1]);
    free (found.entries);
    CHECK_SAME (SKR_GROUP, 0, 2, NOTHING);
    CHECK_ERR (committed->put (committed->context, skr_span_text ("a"), &entry), SAKER_EUSAGE,
               "committed");
    const skr_cells_t *cells = group_cells (0);
    CHECK_ERR (cells->put (cells->context, skr_span_text ("a"), &entry), SAKER_EDAMAGED,
               "there already");
    CHECK_ERR (cells->remove (cells->context, skr_span_text ("b"), &entry), SAKER_EDAMAGED,
               "not there");
    abort_both ();
    CHECK_SAME (SKR_COMMITTED, 0, 2, NOTHING);
    skr_buf_free (&address);
    close_both ();
}

/* Numbers that were given in an aborted group are given again, to others. */
static void forgets_numbers_of_an_abort (void)
{
    skr_entry_t entry;
    skr_buf_t address = {0};
    CHECK_OK (open_both ());
    field_entry (&entry, &address, "", 1, 7);
    for (int i = 0; i < 3; i++) {
        CHECK_OK (begin_both ());
        entry.dot.writer = writers[i == 1 ? 6 : 5];
        CHECK_OK (put_both (0, i + 1, &entry));
        if (i == 0) {
            abort_both ();
        } else {
            CHECK_OK (commit_both ());
        }
    }
    skr_cells_store_destroy (&cells_store);
    CHECK_OK (skr_cells_store_new (&cells_store, store));
    for (int i = 0; i < DOCUMENTS; i++) {
        CHECK_SAME (SKR_COMMITTED, 0, i, NOTHING);
    }
    skr_buf_free (&address);
    close_both ();
}

static saker_err_t see_cell (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    size_t *sum = argument;
    *sum += document.size + entry->value.size + 1000;
    return SAKER_OK;
}

static void visits_a_whole_collection (void)
{
    uint64_t random = check_seed ();
    size_t sum = 0, wanted = 0;
    CHECK_OK (open_both ());
    CHECK_OK (begin_both ());
    for (int i = 0; i < 300; i++) {
        CHECK_OK (
            put_random (i % COLLECTIONS, (int) (check_random (&random) % DOCUMENTS), &random));
    }
    for (int i = 0; i < DOCUMENTS; i++) {
        char text[300];
        for (size_t j = 0; j < model[1][i].count; j++) {
            wanted += document_id (i, text).size + model[1][i].entries[j]->value_size + 1000;
        }
    }
    CHECK_OK (skr_cells_store_all (cells_store, SKR_GROUP, 2, see_cell, &sum));
    CHECK_INT (sum, wanted);
    CHECK_OK (commit_both ());
    sum = 0;
    CHECK_OK (skr_cells_store_all (cells_store, SKR_COMMITTED, 2, see_cell, &sum));
    CHECK_INT (sum, wanted);
    close_both ();
}

static void encodes_any_items (void)
{
    enum { ITEMS = 500 };
    uint64_t random = check_seed ();
    skr_item_t items[ITEMS];
    uint8_t bytes[ITEMS + 64];
    skr_bucket_writer_t writer = {0};
    skr_bucket_reader_t reader = {0};
    memset (bytes, 'b', sizeof bytes);
    for (size_t i = 0; i < ITEMS; i++) {
        skr_item_t last = i > 0 ? items[i - 1] : (skr_item_t){0};
        uint64_t same = check_random (&random);
        bytes[i] = (uint8_t) check_random (&random);
        items[i] = (skr_item_t){
            .writer = same & 1 ? last.writer : (uint32_t) check_random (&random),
            .seq = same & 2 ? last.seq : check_random (&random),
            .hlc = same & 4 ? last.hlc : check_random (&random),
            .index = (uint32_t) check_random (&random),
            .address = skr_span (bytes + i, 1 + check_random (&random) % 60),
            .value = skr_span (bytes + i, check_random (&random) % 60),
        };
    }
    for (size_t i = 0; i < ITEMS; i++) {
        skr_bucket_put (&writer, &items[i]);
    }
    skr_bucket_open (&reader, skr_span_of (&writer.bytes));
    for (size_t i = 0; i < ITEMS; i++) {
        CHECK (skr_bucket_next (&reader));
        CHECK_INT (skr_item_compare (&reader.item, &items[i]), 0);
        CHECK (reader.item.hlc == items[i].hlc);
        CHECK (skr_span_equal (reader.item.value, items[i].value));
    }
    CHECK (!skr_bucket_next (&reader));
    CHECK_OK (reader.error);
    skr_bucket_free (&reader);
    skr_buf_free (&writer.bytes);
}

static void refuses_a_broken_bucket (void)
{
    uint64_t random = check_seed ();
    skr_bucket_reader_t reader = {0};
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        size_t size = 1 + check_random (&random) % sizeof bytes;
        for (size_t j = 0; j < size; j++) {
            bytes[j] = (uint8_t) (check_random (&random) >> (check_random (&random) % 8));
        }
        uint8_t *exact = malloc (size); /* so that a step over the end is seen */
        CHECK (exact);
        memcpy (exact, bytes, size);
        skr_bucket_open (&reader, skr_span (exact, size));
        while (skr_bucket_next (&reader)) {
        }
        free (exact);
        CHECK (reader.error == SAKER_OK || reader.error == SAKER_EDAMAGED);
    }
    skr_bucket_free (&reader);
}

/* Also tells the rate: documents of 5 fields. */
static void imports_in_bulk (void)
{
    enum { IMPORTED = 40000, IN_A_GROUP = 4000 };
    static const char *const fields[] = {"title", "status", "author", "frames", "path"};
    static const uint8_t value[] = {0x69, 's', 'h', 'o', 'r', 't', 't', 'e', 'x', 't'};
    skr_buf_t addresses[5] = {0}, path = {0};
    struct timespec start, end;
    sizes_t sizes;
    CHECK_OK (open_both ());
    for (int i = 0; i < 5; i++) {
        skr_buf_clear (&path);
        skr_cbor_put_text (&path, fields[i], strlen (fields[i]));
        skr_address_put (&addresses[i], skr_span_of (&path), SKR_REGISTER, NOTHING);
    }
    (void) clock_gettime (CLOCK_MONOTONIC, &start);
    for (int i = 0; i < IMPORTED; i++) {
        char id[32];
        int size = snprintf (id, sizeof id, "shot-%08d", i * 7919 % IMPORTED);
        if (i % IN_A_GROUP == 0) {
            CHECK_OK (skr_store_begin (store));
        }
        const skr_cells_t *cells = group_cells (0);
        for (uint32_t j = 0; j < 5; j++) {
            skr_entry_t entry = {
                .dot = {writers[0], (uint64_t) i + 1, j},
                .hlc = ((uint64_t) 1700000000000 + (uint64_t) i) << 16,
                .address = skr_span_of (&addresses[j]),
                .value = skr_span (value, sizeof value),
            };
            CHECK_OK (cells->put (cells->context, skr_span (id, (size_t) size), &entry));
        }
        if (i % IN_A_GROUP == IN_A_GROUP - 1) {
            CHECK_OK (skr_cells_store_flush (cells_store));
            CHECK_OK (skr_store_commit (store));
        }
    }
    (void) clock_gettime (CLOCK_MONOTONIC, &end);
    CHECK_INT (lives[0].documents, IMPORTED);
    CHECK_OK (measure_cells (&sizes));
    CHECK_INT (sizes.records, IMPORTED);
    CHECK (sizes.bytes / IMPORTED < 120);
    double seconds =
        (double) (end.tv_sec - start.tv_sec) + (double) (end.tv_nsec - start.tv_nsec) / 1e9;
    skr_store_stats_t stats;
    skr_store_stats (store, &stats);
    printf (
        "bulk: %.0f documents of 5 fields a second, %zu bytes each, %.0f with all of the store\n",
        IMPORTED / seconds, sizes.bytes / IMPORTED, (double) stats.used_bytes / IMPORTED);
    for (int i = 0; i < 5; i++) {
        skr_buf_free (&addresses[i]);
    }
    skr_buf_free (&path);
    close_both ();
}

static skr_entry_t numbered_entry (const skr_buf_t *address, uint64_t seq)
{
    static uint8_t value = 0x01;
    return (skr_entry_t){.dot = {writers[0], seq, 0},
                         .hlc = seq << 16,
                         .address = skr_span_of (address),
                         .value = skr_span (&value, 1)};
}

static saker_err_t renew (int number, const skr_entry_t *old, const skr_entry_t *new)
{
    char id[32];
    const skr_cells_t *cells = group_cells (0);
    skr_span_t document = skr_span (id, (size_t) snprintf (id, sizeof id, "shot-%d", number));
    if (old && new->dot.seq % 2) {
        return cells->replace (cells->context, document, old, new);
    }
    if (old) {
        SKR_TRY (cells->remove (cells->context, document, old));
    }
    return cells->put (cells->context, document, new);
}

static void check_sum (void)
{
    skr_collection_t sum = {.id = lives[0].id};
    CHECK_OK (skr_cells_store_all (cells_store, SKR_COMMITTED, 1, sum_entry, &sum));
    CHECK (skr_fingerprint_equal (&sum.fingerprint, &lives[0].fingerprint));
}

/* More documents than are kept in memory, each in one group after the other; some groups are taken
   back. */
static void goes_on_from_group_to_group (void)
{
    enum { DOCUMENTS_IN_ALL = 18000, IN_A_GROUP = 500, ROUNDS = 4 };
    static uint64_t seqs[DOCUMENTS_IN_ALL];
    uint64_t random = check_seed (), seq = 0;
    skr_buf_t address = {0}, path = {0};
    CHECK_OK (open_both ());
    memset (seqs, 0, sizeof seqs);
    skr_cbor_put_text (&path, "n", 1);
    skr_address_put (&address, skr_span_of (&path), SKR_REGISTER, NOTHING);
    for (int i = 0; i < ROUNDS * DOCUMENTS_IN_ALL; i += IN_A_GROUP) {
        const uint64_t before = seq;
        CHECK_OK (begin_both ());
        for (int k = i; k < i + IN_A_GROUP; k++) {
            int number = k % DOCUMENTS_IN_ALL;
            skr_entry_t old = numbered_entry (&address, seqs[number]);
            skr_entry_t new = numbered_entry (&address, ++seq);
            CHECK_OK (renew (number, seqs[number] ? &old : NULL, &new));
        }
        if (check_random (&random) % 8 == 0) {
            abort_both ();
            seq = before;
            continue;
        }
        CHECK_OK (commit_both ());
        for (int k = i; k < i + IN_A_GROUP; k++) {
            seqs[k % DOCUMENTS_IN_ALL] = before + (uint64_t) (k - i) + 1;
        }
    }
    uint64_t there = 0;
    for (int i = 0; i < DOCUMENTS_IN_ALL; i++) {
        there += seqs[i] > 0;
    }
    CHECK_INT (lives[0].documents, there);
    check_sum ();
    skr_buf_free (&address);
    skr_buf_free (&path);
    close_both ();
}

int main (int argc, char **argv)
{
    temp_folder_make (place);
    CHECK_BEGIN (argc, argv);
    RUN (agrees_with_a_model);
    RUN (holds_documents_of_any_size);
    RUN (holds_many_long_addresses);
    RUN (holds_long_counters);
    RUN (splits_without_room);
    RUN (shows_what_is_committed);
    RUN (forgets_numbers_of_an_abort);
    RUN (visits_a_whole_collection);
    RUN (goes_on_from_group_to_group);
    RUN (encodes_any_items);
    RUN (refuses_a_broken_bucket);
    RUN (imports_in_bulk);
    temp_folder_remove (place);
    return CHECK_END ();
}
