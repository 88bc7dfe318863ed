/* Images of a store: what a power cut could have left of it, and what a bad disk makes of it.

     images replay START TRACE ACKS FOLDER COUNT   from the store START and the writes recorded
   since (shim.c): at every sync boundary, images with none, all, or random sectors of what was not
         synced, COUNT in all, made in FOLDER one after the other. Each must open, hold every write
         that was acknowledged before (ACKS, of load.c), each write whole or not at all, data that
   add up to their fingerprint, and take a new write. images damage STORE FOLDER COUNT COUNT damaged
   copies: bits, zeroed or garbled sectors, pages in the place of others, a file cut short. Each is
   refused, reported damaged, or right; no record is wrong without a word. What LMDB itself cannot
   tell is counted apart: its pages carry no checksum, so a page that is lost may hide records (or,
   a header, the last commit), and one that leads astray may end the process.

   Each image is looked at in a process of its own. SEED=n replays. */

#include "crdt/change.h"
#include "peer/replica.h"
#include "tests/crash/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define SECTOR_BYTES 512
#define WRITES_MAX 100000
#define ACKS_MAX 100000

static uint64_t dice;

static uint64_t roll (uint64_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return sides ? dice % sides : 0;
}

/* ---- files */

static skr_buf_t read_file (const char *folder, const char *name)
{
    char path[512];
    skr_buf_t bytes = {0};
    struct stat status;
    snprintf (path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    int descriptor = open (path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat (descriptor, &status) != 0
        || !skr_buf_reserve (&bytes, (size_t) status.st_size + 1)) {
        perror (path);
        exit (2);
    }
    bytes.size = (size_t) status.st_size;
    if (read (descriptor, bytes.data, bytes.size) != (ssize_t) bytes.size) {
        perror (path);
        exit (2);
    }
    close (descriptor);
    return bytes;
}

/* What a store's writes go to. */
static const char *const file_names[] = {"data.mdb", "journal"};
#define FILES 2

typedef struct image_t {
    skr_buf_t files[FILES];
} image_t;

static void load_image (const char *folder, image_t *image)
{
    char path[512];
    for (int i = 0; i < FILES; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, file_names[i]);
        image->files[i] = access (path, F_OK) == 0 ? read_file (folder, file_names[i])
                                                   : (skr_buf_t){0}; /* not made yet */
    }
}

static void copy_image (const image_t *from, image_t *to)
{
    for (int i = 0; i < FILES; i++) {
        skr_buf_clear (&to->files[i]);
        skr_buf_append_span (&to->files[i], skr_span_of (&from->files[i]));
    }
}

static void free_image (image_t *image)
{
    for (int i = 0; i < FILES; i++) {
        skr_buf_free (&image->files[i]);
    }
}

static void write_file (const char *folder, const char *name, const skr_buf_t *bytes)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    int descriptor = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0 || write (descriptor, bytes->data, bytes->size) != (ssize_t) bytes->size) {
        perror (path);
        exit (2);
    }
    close (descriptor);
}

static void write_image (const char *folder, const image_t *image)
{
    for (int i = 0; i < FILES; i++) {
        write_file (folder, file_names[i], &image->files[i]);
    }
}

/* All of a store but its data. */
static void copy_rest (const char *from, const char *to)
{
    char command[1200];
    snprintf (command, sizeof command,
              "mkdir -p -m 700 '%s' && cp -p '%s'/device* '%s'/ 2>/dev/null; chmod 700 '%s'", to,
              from, to, to);
    if (system (command) != 0) {
        exit (2);
    }
}

/* ---- what an image must hold */

typedef struct seen_t {
    long numbers[3]; /* of one, two, sum */
    bool found[3];
} seen_t;

static saker_err_t take_leaf (const skr_leaf_t *leaf, void *argument)
{
    *(long *) argument = (long) leaf->value.as.integer;
    return SAKER_OK;
}

static saker_err_t look (skr_replica_t *replica, const skr_collection_t *collection, seen_t *seen)
{
    static const char *const documents[] = {"one", "two", "sum"};
    for (int i = 0; i < 3; i++) {
        seen->numbers[i] = 0;
        saker_err_t error = skr_replica_read (replica, collection, skr_span_text (documents[i]),
                                              skr_span (NULL, 0), take_leaf, &seen->numbers[i]);
        seen->found[i] = error == SAKER_OK;
        if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
            return error;
        }
    }
    return SAKER_OK;
}

/* How many changes the log hands out, each whole and signed. */
static saker_err_t count_log (skr_replica_t *replica, const skr_collection_t *collection,
                              uint64_t *count)
{
    skr_clock_t have = {0};
    bool more = true;
    *count = 0;
    while (more) {
        skr_buf_t changes = {0};
        skr_cbor_t cbor;
        size_t got = 0;
        saker_err_t error =
            skr_replica_pull (replica, &collection->id, &have, 1 << 20, &changes, &got, &more);
        skr_cbor_open (&cbor, skr_span_of (&changes));
        for (size_t i = 0; i < got && error == SAKER_OK; i++) {
            skr_change_t change;
            error = skr_change_parse (&change, skr_cbor_get_bytes (&cbor));
            error = error == SAKER_OK ? skr_clock_set (&have, &change.writer, change.seq) : error;
        }
        *count += got;
        skr_buf_free (&changes);
        if (error != SAKER_OK) {
            skr_clock_free (&have);
            return error;
        }
    }
    skr_clock_free (&have);
    return SAKER_OK;
}

static saker_err_t write_more (skr_replica_t *replica)
{
    skr_buf_t path = {0}, value = {0};
    saker_receipt_t receipt;
    saker_err_t error = skr_path_from_pointer (&path, "/more");
    skr_cbor_put_int (&value, 7);
    skr_intent_t intent = {.kind = SKR_INTENT_SET,
                           .document = skr_span_text ("more"),
                           .path = skr_span_of (&path),
                           .value = skr_span_of (&value)};
    skr_local_t local = {.collection = "crash", .intents = &intent, .count = 1};
    error = error == SAKER_OK ? skr_replica_begin (replica) : error;
    error = error == SAKER_OK ? skr_replica_write (replica, &local, &receipt) : error;
    error = error == SAKER_OK ? skr_replica_commit (replica) : error;
    skr_buf_free (&path);
    skr_buf_free (&value);
    return error;
}

typedef enum verdict_t { RIGHT, REPORTED, LOST, WRONG, VERDICTS } verdict_t;

/* Records are missing, or the whole is as it was at an earlier commit; but none says what it never
   said, nor is there less in the clock than in the data. */
static bool is_lost (const seen_t *seen, uint64_t count, long exact)
{
    bool earlier = seen->numbers[0] == seen->numbers[1] && seen->numbers[0] == seen->numbers[2]
                   && (long) count == seen->numbers[0] && seen->numbers[0] < exact;
    bool missing = (long) count == exact;
    for (int i = 0; i < 3; i++) {
        missing = missing && (!seen->found[i] || seen->numbers[i] == exact);
    }
    return exact >= 0 && (earlier || missing);
}

/* In a process of its own. `least`: the highest number that was acknowledged; `exact`: no more
   either
   (-1: any). An error is a verdict of its own: whether it is allowed is the caller's matter. */
static verdict_t judge (const char *folder, long least, long exact)
{
    skr_replica_t *replica = NULL;
    const skr_collection_t *collection = NULL;
    seen_t seen = {{0}, {0}};
    uint64_t count = 0;
    saker_err_t error = skr_replica_open (&replica, folder, skr_world_real ());
    if (error == SAKER_OK) {
        error = skr_replica_collection_named (replica, "crash", &collection);
        if (error == SAKER_ENOTFOUND) { /* nothing was written yet */
            return exact > 0 ? LOST : least > 0 ? WRONG : RIGHT;
        }
    }
    error = error == SAKER_OK ? look (replica, collection, &seen) : error;
    error = error == SAKER_OK ? count_log (replica, collection, &count) : error;
    if (error != SAKER_OK) {
        printf ("  %s\n", skr_error ());
        return REPORTED;
    }
    long number = seen.numbers[0];
    bool whole = number == seen.numbers[1] && number == seen.numbers[2] && (long) count == number
                 && number >= least && (exact < 0 || number == exact);
    if (!whole) {
        printf ("  one %ld two %ld sum %ld, %llu changes, acknowledged %ld\n", number,
                seen.numbers[1], seen.numbers[2], (unsigned long long) count, least);
        return is_lost (&seen, count, exact) ? LOST : WRONG;
    }
    error = write_more (replica);
    if (error != SAKER_OK) {
        printf ("  %s\n", skr_error ());
        return REPORTED;
    }
    skr_replica_close (&replica);
    return RIGHT;
}

/* -1: it ended by a signal. */
static int judge_apart (const char *folder, long least, long exact, bool quiet)
{
    int status = 0;
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        if (quiet && (!freopen ("/dev/null", "w", stdout) || !freopen ("/dev/null", "w", stderr))) {
            _exit (9);
        }
        alarm (20);
        int verdict = judge (folder, least, exact);
        fflush (stdout);
        _exit (verdict);
    }
    waitpid (child, &status, 0);
    return WIFEXITED (status) && WEXITSTATUS (status) < VERDICTS ? WEXITSTATUS (status) : -1;
}

/* ---- replay */

typedef struct write_t {
    trace_head_t head;
    const uint8_t *bytes;
    int file; /* of file_names */
    bool synced;
} write_t;

static write_t writes[WRITES_MAX];
static size_t writes_count;
static struct {
    long number;
    uint64_t time_ns;
} acks[ACKS_MAX];
static size_t acks_count;

static void load_trace (const skr_buf_t *trace)
{
    for (size_t at = 0; at + sizeof (trace_head_t) <= trace->size && writes_count < WRITES_MAX;) {
        write_t *one = &writes[writes_count++];
        memcpy (&one->head, trace->data + at, sizeof one->head);
        at += sizeof one->head;
        one->file = strcmp (one->head.name, file_names[1]) == 0;
        one->bytes = trace->data + at;
        at += one->head.kind == TRACE_SYNC ? 0 : one->head.size;
    }
}

static void load_acks (const char *path)
{
    FILE *file = fopen (path, "re");
    char line[256];
    while (file && fgets (line, sizeof line, file) && acks_count < ACKS_MAX) {
        unsigned long long time_ns;
        if (sscanf (line, "ACK %ld %llu", &acks[acks_count].number, &time_ns) == 2) {
            acks[acks_count++].time_ns = time_ns;
        }
    }
    if (file) {
        fclose (file);
    }
}

static long acked_before (uint64_t time_ns)
{
    long number = 0;
    for (size_t i = 0; i < acks_count; i++) {
        if (acks[i].time_ns <= time_ns && acks[i].number > number) {
            number = acks[i].number;
        }
    }
    return number;
}

static void put (image_t *of, const write_t *one, size_t from, size_t size)
{
    skr_buf_t *image = &of->files[one->file];
    size_t end = one->head.offset + from + size;
    if (end > image->size) {
        uint8_t *room = skr_buf_reserve (image, end - image->size);
        if (!room) {
            exit (2);
        }
        memset (room, 0, end - image->size);
        image->size = end;
    }
    memcpy (image->data + one->head.offset + from, one->bytes + from, size);
}

static void put_sectors (image_t *image, const write_t *one)
{
    for (size_t at = 0; at < one->head.size; at += SECTOR_BYTES) {
        size_t part = one->head.size - at < SECTOR_BYTES ? one->head.size - at : SECTOR_BYTES;
        if (roll (2)) {
            put (image, one, at, part);
        }
    }
}

/* The state after `upto` records, where of what was not synced by then survives: 0 nothing, 1 all,
   2 random sectors. `base` holds what was synced by then. */
static void build (const image_t *base, size_t upto, int how, image_t *image)
{
    copy_image (base, image);
    for (size_t i = 0; i < upto; i++) {
        const write_t *one = &writes[i];
        if (one->synced || one->head.kind == TRACE_SYNC || how == 0) {
            continue;
        }
        if (how == 1 || roll (3) == 0) {
            put (image, one, 0, one->head.size);
        } else if (roll (2)) {
            put_sectors (image, one);
        }
    }
}

/* A sync, or a write that is one, makes last what was written to its file before it. */
static void settle (image_t *base, size_t at)
{
    if (writes[at].head.kind == TRACE_SYNCED_WRITE) {
        put (base, &writes[at], 0, writes[at].head.size);
        writes[at].synced = true;
    }
    for (size_t i = 0; writes[at].head.kind == TRACE_SYNC && i < at; i++) {
        if (!writes[i].synced && writes[i].head.kind == TRACE_WRITE
            && writes[i].file == writes[at].file) {
            put (base, &writes[i], 0, writes[i].head.size);
            writes[i].synced = true;
        }
    }
}

static int replay (char **argv)
{
    image_t base, image = {0};
    skr_buf_t trace = read_file (argv[1], "");
    long count = strtol (argv[4], NULL, 10), tried = 0, failed = 0;
    load_image (argv[0], &base);
    load_trace (&trace);
    load_acks (argv[2]);
    copy_rest (argv[0], argv[3]);
    long each = writes_count ? count / (long) writes_count : 0;
    for (size_t i = 0; i < writes_count && failed < 5; i++) {
        long here = each + (roll (writes_count) < (uint64_t) count % writes_count);
        for (long k = 0; k < here; k++, tried++) {
            /* the moment just before this record took effect */
            build (&base, i, (int) (k < 2 ? (k + (long) i) % 2 : 2), &image);
            write_image (argv[3], &image);
            int verdict =
                judge_apart (argv[3], i ? acked_before (writes[i - 1].head.time_ns) : 0, -1, false);
            if (verdict != RIGHT) {
                printf ("image %ld, before record %zu of the trace: verdict %d\n", tried, i,
                        verdict);
                failed++;
            }
        }
        settle (&base, i);
    }
    printf ("%zu records, %zu acknowledged writes, %ld images\n", writes_count, acks_count, tried);
    printf ("%ld passed, %ld failed, 0 skipped\n", tried - failed, failed);
    free_image (&base);
    free_image (&image);
    skr_buf_free (&trace);
    return failed || !tried ? 1 : 0;
}

/* ---- damage */

/* Returns what was done, for people. */
static const char *damage (skr_buf_t *image)
{
    uint64_t pages = image->size / PAGE_BYTES;
    uint8_t *page = image->data + roll (pages) * PAGE_BYTES;
    uint8_t *sector = image->data + roll (image->size / SECTOR_BYTES) * SECTOR_BYTES;
    switch (roll (6)) {
    case 0:
    case 1:
        image->data[roll (image->size)] ^= (uint8_t) (1u << roll (8));
        return "a bit";
    case 2:
        memset (sector, 0, SECTOR_BYTES);
        return "a sector of zeros";
    case 3:
        for (int i = 0; i < SECTOR_BYTES; i++) {
            sector[i] = (uint8_t) roll (256);
        }
        return "a garbled sector";
    case 4:
        memcpy (page, image->data + roll (pages) * PAGE_BYTES, PAGE_BYTES);
        return "a page in the place of another";
    default:
        image->size = roll (image->size);
        return "the file cut short";
    }
}

static int damage_all (char **argv)
{
    static const char *const words[] = {"right", "reported", "lost with a page of LMDB",
                                        "WRONG WITHOUT A WORD", "ended by a signal in LMDB"};
    image_t whole, image = {0};
    long count = strtol (argv[2], NULL, 10), tally[VERDICTS + 1] = {0};
    skr_replica_t *replica = NULL;
    const skr_collection_t *collection = NULL;
    seen_t seen;
    load_image (argv[0], &whole);
    copy_rest (argv[0], argv[1]);
    write_image (argv[1], &whole);
    if (skr_replica_open (&replica, argv[1], skr_world_real ()) != SAKER_OK
        || skr_replica_collection_named (replica, "crash", &collection) != SAKER_OK
        || look (replica, collection, &seen) != SAKER_OK) {
        printf ("the store is not good before it is damaged: %s\n", skr_error ());
        return 1;
    }
    skr_replica_close (&replica);
    for (long i = 0; i < count; i++) {
        uint64_t before = dice;
        copy_image (&whole, &image);
        bool journal = roll (4) == 0;
        const char *what = damage (&image.files[journal]);
        write_image (argv[1], &image);
        int verdict = judge_apart (argv[1], seen.numbers[0], seen.numbers[0], true);
        tally[verdict < 0 ? VERDICTS : verdict]++;
        if (verdict == WRONG) {
            printf ("image %ld (SEED=%llu), %s of %s: %s\n", i, (unsigned long long) before, what,
                    file_names[journal], words[verdict]);
            judge_apart (argv[1], seen.numbers[0], seen.numbers[0], false);
        }
    }
    for (int i = 0; i <= VERDICTS; i++) {
        printf ("%-26s %ld\n", words[i], tally[i]);
    }
    printf ("%ld passed, %ld failed, 0 skipped\n", count - tally[WRONG], tally[WRONG]);
    free_image (&whole);
    free_image (&image);
    return tally[WRONG] ? 1 : 0;
}

int main (int argc, char **argv)
{
    const char *seed = getenv ("SEED");
    dice = seed ? strtoull (seed, NULL, 10) : 88172645463325252ull;
    dice += !dice;
    if (argc == 7 && strcmp (argv[1], "replay") == 0) {
        return replay (argv + 2);
    }
    if (argc == 5 && strcmp (argv[1], "damage") == 0) {
        return damage_all (argv + 2);
    }
    fprintf (stderr,
             "usage: images replay START TRACE ACKS FOLDER COUNT | damage STORE FOLDER COUNT\n");
    return 2;
}
