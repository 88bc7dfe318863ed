/* tracker: assets, shots, versions, notes and approvals of a show, on saker. Its data, and what
   happens when two people write at the same time, is in docs/tracker.md; tracker.py is the same
   program in Python. */

#include "tracker.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define OPEN_MS 5000
#define NUMBER_MAX 9999
#define NAME_MAX_BYTES 64
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

saker_err_t fail (saker_err_t error, const char *format, ...)
{
    va_list arguments;
    fflush (stdout);
    fputs ("tracker: ", stderr);
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fputc ('\n', stderr);
    return error;
}

saker_err_t fail_saker (saker_err_t error)
{
    return error == SAKER_OK ? SAKER_OK : fail (error, "%s", saker_error_text ());
}

/* ---- writing */

static saker_value_t text_of (const char *text)
{
    return (saker_value_t){.type = SAKER_TEXT, .as.string = {text, strlen (text)}};
}

static saker_err_t set_text (saker_batch_t *batch, const char *document, const char *pointer,
                             const char *text)
{
    const saker_value_t value = text_of (text);
    return saker_batch_set (batch, document, pointer, &value);
}

static saker_err_t set_number (saker_batch_t *batch, const char *document, const char *pointer,
                               long number)
{
    const saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    return saker_batch_set (batch, document, pointer, &value);
}

static saker_err_t set_texts (saker_batch_t *batch, const char *document, size_t count,
                              const char *const pointers[], const char *const texts[])
{
    saker_err_t error = SAKER_OK;
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        error = texts[i] ? set_text (batch, document, pointers[i], texts[i]) : SAKER_OK;
    }
    return error;
}

/* Writes and frees the batch, unless filling it failed. */
static saker_err_t finish (tracker_t *self, saker_batch_t *batch, saker_err_t error)
{
    error = error == SAKER_OK ? saker_write (self->saker, batch, NULL) : error;
    fail_saker (error);
    saker_batch_destroy (&batch);
    return error;
}

static saker_batch_t *begin (const tracker_t *self)
{
    saker_batch_t *batch = saker_batch_new (self->collection);
    if (!batch) {
        fail (SAKER_ENOMEM, "out of memory");
        exit (SAKER_ENOMEM);
    }
    return batch;
}

/* ---- names */

static saker_err_t check_name (const char *name)
{
    size_t size = strlen (name);
    return size >= 1 && size <= NAME_MAX_BYTES && strspn (name, NAME_BYTES) == size
               ? SAKER_OK
               : fail (SAKER_EINPUT,
                       "%s is no name: 1 to %d letters, digits, dots, dashes and underscores", name,
                       NAME_MAX_BYTES);
}

/* The id of something that is there: "shot/sh010". */
static saker_err_t find_named (tracker_t *self, const char *kind, const char *name,
                               char document[TEXT_MAX])
{
    saker_err_t error = check_name (name);
    error = error == SAKER_OK ? show_load (self) : error;
    snprintf (document, TEXT_MAX, "%s/%s", kind, name);
    if (error != SAKER_OK || show_has (&self->show, document)) {
        return error;
    }
    return fail (SAKER_ENOTFOUND, "there is no %s %s: see tracker list", kind, name);
}

static saker_err_t random_digits (char digits[9])
{
    unsigned char bytes[4];
    if (getrandom (bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes) {
        return fail (SAKER_EIO, "no random numbers");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf (digits + 2 * i, 3, "%02x", bytes[i]);
    }
    return SAKER_OK;
}

static int take_name (const saker_leaf_t *leaf, void *argument)
{
    char *name = argument;
    if (strcmp (leaf->pointer, "/device/name") != 0) {
        return 0;
    }
    snprintf (name, LABEL_MAX, "%.*s", (int) leaf->value.as.string.size,
              leaf->value.as.string.data);
    return 1;
}

/* Who writes: the name of this device. */
static saker_err_t find_self (tracker_t *self, char name[LABEL_MAX])
{
    name[0] = 0;
    return fail_saker (saker_status (self->saker, take_name, name));
}

static saker_err_t parse_number (const char *text, long *number)
{
    char *end;
    *number = strtol (text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && *number >= 1 && *number <= NUMBER_MAX
               ? SAKER_OK
               : fail (SAKER_EINPUT, "%s is no number from 1 to %d", text, NUMBER_MAX);
}

/* ---- which version is meant: "v003", "3", "v003@bob", "3@9f2c" */

typedef struct choosing_t {
    long number;
    const char *whose; /* a name, or the first digits of the id; NULL: not said */
    char found[TEXT_MAX];
    size_t count;
} choosing_t;

static int choose (const show_t *show, const char *version, void *argument)
{
    choosing_t *choosing = argument;
    const char *id = strrchr (version, '/') + 1, *whose = choosing->whose;
    if (strtol (show_get (show, version, "/number"), NULL, 10) == choosing->number
        && (!whose || strcmp (show_get (show, version, "/by"), whose) == 0
            || (strlen (whose) >= 4 && strncmp (id, whose, strlen (whose)) == 0))) {
        snprintf (choosing->found, sizeof choosing->found, "%s", version);
        choosing->count++;
    }
    return 0;
}

static saker_err_t find_version (tracker_t *self, const char *shot, const char *word,
                                 char version[TEXT_MAX])
{
    char digits[16] = "", prefix[TEXT_MAX];
    const char *at = strchr (word, '@');
    choosing_t choosing = {.whose = at ? at + 1 : NULL};
    const char *start = word + (*word == 'v');
    snprintf (digits, sizeof digits, "%.*s", (int) strcspn (start, "@"), start);
    saker_err_t error = parse_number (digits, &choosing.number);
    if (error != SAKER_OK) {
        return error;
    }
    snprintf (prefix, sizeof prefix, "version/%s/", shot);
    show_each (&self->show, prefix, choose, &choosing);
    snprintf (version, TEXT_MAX, "%s", choosing.found);
    if (choosing.count > 1) {
        return fail (SAKER_EINPUT,
                     "%zu versions of %s are called v%03ld: say whose, v%03ld@NAME, or see tracker "
                     "conflicts",
                     choosing.count, shot, choosing.number, choosing.number);
    }
    return choosing.count == 1 ? SAKER_OK
                               : fail (SAKER_ENOTFOUND, "there is no version %s of %s", word, shot);
}

/* ---- commands: word[0] is the first after the command; those that were not given are NULL */

static saker_err_t run_shot (tracker_t *self, const char *const word[])
{
    static const char *const pointers[] = {"/title"};
    char document[TEXT_MAX];
    long frames = 0;
    saker_err_t error = check_name (word[0]);
    if (error == SAKER_OK && word[2]) {
        error = parse_number (word[2], &frames);
    }
    if (error != SAKER_OK) {
        return error;
    }
    snprintf (document, sizeof document, "shot/%s", word[0]);
    saker_batch_t *batch = begin (self);
    error = set_texts (batch, document, 1, pointers, &word[1]);
    if (error == SAKER_OK && word[2]) {
        error = set_number (batch, document, "/frames", frames);
    }
    return finish (self, batch, error);
}

static saker_err_t run_asset (tracker_t *self, const char *const word[])
{
    static const char *const pointers[] = {"/kind", "/about"};
    char document[TEXT_MAX];
    saker_err_t error = check_name (word[0]);
    if (error != SAKER_OK) {
        return error;
    }
    snprintf (document, sizeof document, "asset/%s", word[0]);
    saker_batch_t *batch = begin (self);
    return finish (self, batch, set_texts (batch, document, 2, pointers, &word[1]));
}

static saker_err_t run_use (tracker_t *self, const char *const word[])
{
    char shot[TEXT_MAX], asset[TEXT_MAX];
    const saker_value_t value = text_of (word[1]);
    saker_err_t error = find_named (self, "shot", word[0], shot);
    snprintf (asset, sizeof asset, "asset/%s", word[1]);
    if (error == SAKER_OK && !show_has (&self->show, asset)) {
        error = fail (SAKER_ENOTFOUND, "there is no asset %s: see tracker list", word[1]);
    }
    if (error != SAKER_OK) {
        return error;
    }
    saker_batch_t *batch = begin (self);
    return finish (self, batch, saker_batch_add (batch, shot, "/assets", &value));
}

static saker_err_t run_status (tracker_t *self, const char *const word[])
{
    char document[TEXT_MAX];
    bool asset = strncmp (word[0], "asset/", strlen ("asset/")) == 0;
    saker_err_t error = asset ? find_named (self, "asset", word[0] + strlen ("asset/"), document)
                              : find_named (self, "shot", word[0], document);
    if (error != SAKER_OK) {
        return error;
    }
    saker_batch_t *batch = begin (self);
    return finish (self, batch, set_text (batch, document, "/status", word[1]));
}

static saker_err_t run_version (tracker_t *self, const char *const word[])
{
    static const char *const pointers[] = {"/by", "/path", "/comment"};
    char shot[TEXT_MAX], version[TEXT_MAX], digits[9], by[LABEL_MAX];
    saker_err_t error = find_named (self, "shot", word[0], shot);
    error = error == SAKER_OK ? find_self (self, by) : error;
    error = error == SAKER_OK ? random_digits (digits) : error;
    if (error != SAKER_OK) {
        return error;
    }
    long number = show_highest (&self->show, word[0]) + 1;
    const char *const texts[] = {by, word[1], word[2]};
    snprintf (version, sizeof version, "version/%s/%s", word[0], digits);
    saker_batch_t *batch = begin (self);
    error = set_number (batch, version, "/number", number);
    error = error == SAKER_OK ? set_texts (batch, version, 3, pointers, texts) : error;
    error = finish (self, batch, error);
    if (error == SAKER_OK) {
        printf ("v%03ld\n", number);
    }
    return error;
}

static saker_err_t run_note (tracker_t *self, const char *const word[])
{
    static const char *const pointers[] = {"/by", "/text", "/version"};
    char shot[TEXT_MAX], version[TEXT_MAX] = "", note[TEXT_MAX], digits[9], by[LABEL_MAX];
    struct timespec now;
    saker_err_t error = find_named (self, "shot", word[0], shot);
    if (error == SAKER_OK && word[2]) {
        error = find_version (self, word[0], word[2], version);
    }
    error = error == SAKER_OK ? find_self (self, by) : error;
    error = error == SAKER_OK ? random_digits (digits) : error;
    if (error != SAKER_OK) {
        return error;
    }
    clock_gettime (CLOCK_REALTIME, &now);
    snprintf (note, sizeof note, "note/%s/%013lld-%s", word[0],
              (long long) now.tv_sec * 1000 + now.tv_nsec / 1000000, digits);
    const char *const texts[] = {by, word[1], *version ? version : NULL};
    saker_batch_t *batch = begin (self);
    return finish (self, batch, set_texts (batch, note, 3, pointers, texts));
}

static saker_err_t run_approve (tracker_t *self, const char *const word[])
{
    static const char *const known[] = {"approved", "changes", "rejected"};
    char shot[TEXT_MAX], version[TEXT_MAX];
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        found = found || strcmp (word[2], known[i]) == 0;
    }
    if (!found) {
        return fail (SAKER_EINPUT, "a version is approved, changes or rejected, not %s", word[2]);
    }
    saker_err_t error = find_named (self, "shot", word[0], shot);
    error = error == SAKER_OK ? find_version (self, word[0], word[1], version) : error;
    if (error != SAKER_OK) {
        return error;
    }
    saker_batch_t *batch = begin (self);
    return finish (self, batch, set_text (batch, version, "/approval", word[2]));
}

static saker_err_t run_renumber (tracker_t *self, const char *const word[])
{
    char shot[TEXT_MAX], version[TEXT_MAX], prefix[TEXT_MAX];
    choosing_t taken = {.whose = NULL};
    saker_err_t error = parse_number (word[2], &taken.number);
    error = error == SAKER_OK ? find_named (self, "shot", word[0], shot) : error;
    error = error == SAKER_OK ? find_version (self, word[0], word[1], version) : error;
    if (error != SAKER_OK) {
        return error;
    }
    snprintf (prefix, sizeof prefix, "version/%s/", word[0]);
    show_each (&self->show, prefix, choose, &taken);
    if (taken.count > 0) {
        return fail (SAKER_EEXIST, "%s has a v%03ld already: the next free one is %ld", word[0],
                     taken.number, show_highest (&self->show, word[0]) + 1);
    }
    saker_batch_t *batch = begin (self);
    return finish (self, batch, set_number (batch, version, "/number", taken.number));
}

typedef struct settling_t {
    saker_batch_t *batch;
    size_t rival; /* to be written */
    saker_err_t error;
} settling_t;

static int settle_one (const saker_conflict_t *conflict, void *argument)
{
    settling_t *settling = argument;
    if (settling->rival >= conflict->rivals_count) {
        settling->error = fail (SAKER_EINPUT, "there are %zu rivals: see tracker conflicts",
                                conflict->rivals_count);
    } else if (conflict->rivals[settling->rival].cell != SAKER_REGISTER) {
        settling->error = fail (SAKER_ETYPE, "that is no single value: use saker conflicts");
    } else {
        settling->error =
            fail_saker (saker_batch_set (settling->batch, conflict->document, conflict->pointer,
                                         &conflict->rivals[settling->rival].value));
    }
    return 1;
}

static saker_err_t run_settle (tracker_t *self, const char *const word[])
{
    settling_t settling = {.batch = begin (self), .rival = SIZE_MAX};
    if (strlen (word[2]) == 1) {
        settling.rival = (size_t) (word[2][0] - 'a');
    }
    saker_err_t error = fail_saker (
        saker_conflicts (self->saker, self->collection, word[0], word[1], settle_one, &settling));
    error = error == SAKER_OK ? settling.error : error;
    if (error == SAKER_OK && saker_batch_count (settling.batch) == 0) {
        error = fail (SAKER_ENOTFOUND, "there is no conflict at %s %s: see tracker conflicts",
                      word[0], word[1]);
    }
    if (error != SAKER_OK) {
        saker_batch_destroy (&settling.batch);
        return error;
    }
    return finish (self, settling.batch, SAKER_OK);
}

static saker_err_t run_list (tracker_t *self, const char *const word[])
{
    return show_print (self, print_list, word[0]);
}

static saker_err_t run_show (tracker_t *self, const char *const word[])
{
    return show_print (self, print_shot, word[0]);
}

static saker_err_t run_conflicts (tracker_t *self, const char *const word[])
{
    return show_print (self, print_conflicts, word[0]);
}

static const struct {
    const char *name, *usage;
    int words_min, words_max;
    saker_err_t (*run) (tracker_t *self, const char *const word[]);
} commands[] = {
    {"shot", "NAME TITLE [FRAMES]", 2, 3, run_shot},
    {"asset", "NAME KIND [ABOUT]", 2, 3, run_asset},
    {"use", "SHOT ASSET", 2, 2, run_use},
    {"status", "SHOT|asset/NAME STATUS", 2, 2, run_status},
    {"version", "SHOT PATH [COMMENT]", 2, 3, run_version},
    {"note", "SHOT TEXT [VERSION]", 2, 3, run_note},
    {"approve", "SHOT VERSION approved|changes|rejected", 3, 3, run_approve},
    {"renumber", "SHOT VERSION NUMBER", 3, 3, run_renumber},
    {"list", "", 0, 0, run_list},
    {"show", "SHOT", 1, 1, run_show},
    {"conflicts", "", 0, 0, run_conflicts},
    {"settle", "DOCUMENT POINTER LETTER", 3, 3, run_settle},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_usage (FILE *file)
{
    fputs ("usage: tracker [--store STORE] [--collection NAME] COMMAND\n", file);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf (file, "  %s %s\n", commands[i].name, commands[i].usage);
    }
    fputs ("example: tracker note sh010 'the boat is too dark' v003\n", file);
}

static saker_err_t run (size_t command, const char *store, const char *collection, int words,
                        char **argv)
{
    const char *word[4] = {NULL, NULL, NULL, NULL};
    tracker_t tracker = {.collection = collection};
    if (words < commands[command].words_min || words > commands[command].words_max) {
        return fail (SAKER_EUSAGE, "usage: tracker %s %s", commands[command].name,
                     commands[command].usage);
    }
    for (int i = 0; i < words; i++) {
        word[i] = argv[i];
    }
    saker_err_t error = fail_saker (saker_open (&tracker.saker, store, OPEN_MS));
    error = error == SAKER_OK ? commands[command].run (&tracker, word) : error;
    show_free (&tracker.show);
    saker_close (&tracker.saker);
    return error;
}

int main (int argc, char **argv)
{
    const char *store = NULL, *collection = "tracker";
    int at = 1;
    for (; at + 1 < argc && strncmp (argv[at], "--", 2) == 0; at += 2) {
        if (strcmp (argv[at], "--store") == 0) {
            store = argv[at + 1];
        } else if (strcmp (argv[at], "--collection") == 0) {
            collection = argv[at + 1];
        } else {
            break;
        }
    }
    if (at < argc && strcmp (argv[at], "--help") == 0) {
        print_usage (stdout);
        return 0;
    }
    for (size_t i = 0; at < argc && i < COMMANDS; i++) {
        if (strcmp (argv[at], commands[i].name) == 0) {
            return (int) run (i, store, collection, argc - at - 1, argv + at + 1);
        }
    }
    print_usage (stderr);
    return SAKER_EUSAGE;
}
