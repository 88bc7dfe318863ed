/* The agreement rules, cross-checked: schedules that the model of design 5 ran (agreement/model.py)
   are run on real replicas, and each must hold what the model holds: the same dots, the same
   values, the same sums. Reads the schedules from the file named, or from standard input; see
   agreement/schedules.py for their form. */

#include "tests/lib/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 8
#define COLLECTION "agree"

static pair_t pair;
static skr_replica_t *replicas[PEERS_MAX];
static skr_id_t writers[PEERS_MAX];
static int peers;
static long seed, passed, failed;

static bool fail (const char *line, const char *what)
{
    printf ("seed %ld: %s: %s\n", seed, line, what);
    failed++;
    return false;
}

/* ---- a mesh */

static void close_mesh (void)
{
    for (int i = 2; i < peers; i++) {
        skr_replica_close (&replicas[i]);
    }
    if (peers) {
        pair_close (&pair);
    }
    peers = 0;
}

static bool open_mesh (int count)
{
    static const skr_id_t roster;
    close_mesh ();
    peers = 2;
    if (count < 2 || count > PEERS_MAX || !pair_open (&pair)) {
        return false;
    }
    replicas[0] = pair.a;
    replicas[1] = pair.b;
    for (; peers < count; peers++) {
        char store[128], name[16];
        snprintf (store, sizeof store, "%s/%d", pair.folder, peers);
        snprintf (name, sizeof name, "peer%d", peers);
        if (!pair_adopt (pair.a, store, name, SKR_ROLE_WRITE, &replicas[peers])) {
            return false;
        }
    }
    for (int i = 0; i < peers; i++) {
        writers[i] = *skr_replica_writer (replicas[i]);
        if (i && pair_sync (pair.a, replicas[i], &roster) != SAKER_OK) {
            return false;
        }
    }
    return true;
}

/* ---- steps */

static bool add_intent (char *words, skr_intent_t *intent, skr_buf_t *path, skr_buf_t *value)
{
    char verb[8] = "", key[8] = "c", pointer[16];
    long number = 0;
    int got = sscanf (words, "%7s %7s %ld", verb, key, &number);
    if (strcmp (verb, "inc") == 0 || strcmp (verb, "clear") == 0) {
        number = got > 1 ? strtol (key, NULL, 10) : 0;
        snprintf (key, sizeof key, "c");
    }
    snprintf (pointer, sizeof pointer, "/%s", key);
    if (skr_path_from_pointer (path, pointer) != SAKER_OK) {
        return false;
    }
    skr_cbor_put_int (value, number);
    intent->kind = strcmp (verb, "set") == 0   ? SKR_INTENT_SET
                   : strcmp (verb, "inc") == 0 ? SKR_INTENT_INCR
                                               : SKR_INTENT_DELETE;
    intent->document = skr_span_text ("d");
    intent->path = skr_span_of (path);
    bool valued = intent->kind != SKR_INTENT_DELETE;
    intent->value = valued ? skr_span_of (value) : skr_span (NULL, 0);
    return true;
}

static bool write_change (int at, char *words)
{
    skr_intent_t intents[4];
    skr_buf_t paths[4] = {{0}}, values[4] = {{0}};
    size_t count = 0;
    bool good = true;
    char *rest = NULL;
    for (char *word = strtok_r (words, ";", &rest); word && count < 4 && good;
         word = strtok_r (NULL, ";", &rest), count++) {
        good = add_intent (word, &intents[count], &paths[count], &values[count]);
    }
    skr_local_t local = {.collection = COLLECTION, .intents = intents, .count = count};
    saker_receipt_t receipt;
    good = good && skr_replica_begin (replicas[at]) == SAKER_OK
           && skr_replica_write (replicas[at], &local, &receipt) == SAKER_OK
           && skr_replica_commit (replicas[at]) == SAKER_OK;
    for (size_t i = 0; i < count; i++) {
        skr_buf_free (&paths[i]);
        skr_buf_free (&values[i]);
    }
    return good;
}

static const skr_collection_t *collection_of (int at)
{
    const skr_collection_t *collection = NULL;
    return skr_replica_collection_named (replicas[at], COLLECTION, &collection) == SAKER_OK
               ? collection
               : NULL;
}

static bool pull (int to, int from, size_t limit)
{
    static const skr_clock_t nothing;
    const skr_collection_t *theirs = collection_of (from), *ours = collection_of (to);
    skr_buf_t changes = {0};
    skr_cbor_t cbor;
    size_t count = 0;
    bool more = false;
    bool good = true;
    if (!theirs) {
        return true;
    }
    good = skr_replica_pull (replicas[from], &theirs->id, ours ? &ours->clock : &nothing, 1 << 20,
                             &changes, &count, &more)
               == SAKER_OK
           && skr_replica_begin (replicas[to]) == SAKER_OK;
    skr_cbor_open (&cbor, skr_span_of (&changes));
    for (size_t i = 0; i < count && i < limit && good; i++) {
        skr_outcome_t outcome;
        good = skr_replica_offer (replicas[to], skr_cbor_get_bytes (&cbor), &outcome) == SAKER_OK
               && outcome == SKR_APPLIED;
    }
    good = good && skr_replica_commit (replicas[to]) == SAKER_OK;
    skr_buf_free (&changes);
    return good;
}

/* ---- states */

typedef struct rival_t {
    int peer;
    unsigned long long seq;
    unsigned index;
    long long value;
} rival_t;

typedef struct shown_t {
    rival_t rivals[3][64]; /* of x, y and z */
    size_t counts[3];
    bool counted;
    long long sum;
} shown_t;

static saker_err_t take_leaf (const skr_leaf_t *leaf, void *argument)
{
    shown_t *shown = argument;
    char key = leaf->path.size ? (char) leaf->path.data[leaf->path.size - 1] : 0;
    if (key == 'c') {
        shown->counted = true;
        shown->sum = leaf->value.as.integer;
    } else if (key >= 'x' && key <= 'z' && shown->counts[key - 'x'] < 64) {
        rival_t *rival = &shown->rivals[key - 'x'][shown->counts[key - 'x']++];
        *rival = (rival_t){-1, leaf->dot.seq, leaf->dot.index, leaf->value.as.integer};
        for (int i = 0; i < peers; i++) {
            rival->peer = skr_id_equal (&writers[i], &leaf->dot.writer) ? i : rival->peer;
        }
    }
    return SAKER_OK;
}

static int compare_rivals (const void *one, const void *other)
{
    const rival_t *a = one, *b = other;
    if (a->peer != b->peer) {
        return a->peer < b->peer ? -1 : 1;
    }
    return a->seq != b->seq ? (a->seq < b->seq ? -1 : 1)
                            : (a->index > b->index) - (a->index < b->index);
}

static void put_state (int at, char *text, size_t size)
{
    static shown_t shown;
    size_t used = 0;
    const skr_collection_t *collection = collection_of (at);
    memset (&shown, 0, sizeof shown);
    saker_err_t error = collection
                            ? skr_replica_read (replicas[at], collection, skr_span_text ("d"),
                                                skr_span (NULL, 0), take_leaf, &shown)
                            : SAKER_ENOTFOUND;
    snprintf (text, size, "%s", error == SAKER_OK || error == SAKER_ENOTFOUND ? "" : skr_error ());
    for (int key = 0; key < 3; key++) {
        qsort (shown.rivals[key], shown.counts[key], sizeof (rival_t), compare_rivals);
        for (size_t i = 0; i < shown.counts[key]; i++) {
            const rival_t *rival = &shown.rivals[key][i];
            used += (size_t) snprintf (text + used, size - used,
                                       i      ? ","
                                       : used ? " %c="
                                              : "%c=",
                                       'x' + key);
            used += (size_t) snprintf (text + used, size - used, "%d.%llu.%u:%lld", rival->peer,
                                       rival->seq, rival->index, rival->value);
        }
    }
    if (shown.counted) {
        used +=
            (size_t) snprintf (text + used, size - used, "%sc=%lld", used ? " " : "", shown.sum);
    }
    if (!used) {
        snprintf (text, size, "-");
    }
    skr_store_forget (skr_replica_store (replicas[at]));
}

static bool check_state (const char *line, int at, const char *wanted)
{
    char text[8192];
    put_state (at, text, sizeof text);
    if (strcmp (text, wanted) != 0) {
        return fail (line, text);
    }
    passed++;
    return true;
}

/* ---- lines */

static bool run (char *line)
{
    int at = 0, from = 0, used = 0;
    size_t limit = 0;
    char copy[8192];
    snprintf (copy, sizeof copy, "%s", line);
    if (sscanf (line, "seed %ld", &seed) == 1) {
        return true;
    }
    if (sscanf (line, "peers %d", &at) == 1) {
        return open_mesh (at) ? true : fail (line, skr_error ());
    }
    if (sscanf (line, "write %d %n", &at, &used) == 1 && used && at < peers) {
        return write_change (at, line + used) ? true : fail (copy, skr_error ());
    }
    if (sscanf (line, "pull %d %d %zu", &at, &from, &limit) == 3 && at < peers && from < peers) {
        return pull (at, from, limit) ? true : fail (line, skr_error ());
    }
    if (sscanf (line, "state %d %n", &at, &used) == 1 && used && at < peers) {
        return check_state (copy, at, line + used);
    }
    return fail (line, "not a step");
}

int main (int argc, char **argv)
{
    static char line[8192];
    FILE *file = argc > 1 ? fopen (argv[1], "re") : stdin;
    if (!file) {
        perror (argv[1]);
        return 1;
    }
    /* What a disk keeps is no matter here, and waiting for it would be most of the time. */
    if (access ("/dev/shm", W_OK) == 0) {
        setenv ("TMPDIR", "/dev/shm", 0);
    }
    while (fgets (line, sizeof line, file) && failed < 5) {
        line[strcspn (line, "\n")] = 0;
        if (!run (line)) {
            break;
        }
    }
    close_mesh ();
    fclose (file);
    if (!passed && !failed) {
        printf ("no schedule was read\n");
        failed++;
    }
    printf ("%ld passed, %ld failed, 0 skipped\n", passed, failed);
    return failed ? 1 : 0;
}
