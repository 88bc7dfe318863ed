/* What the tracker shows: the collection read at once, and printed. */

#include "tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 8

/* ---- reading */

static char *value_text (const saker_value_t *value)
{
    char number[32] = "";
    switch (value->type) {
    case SAKER_TEXT:
        return strndup (value->as.string.data, value->as.string.size);
    case SAKER_INT:
        snprintf (number, sizeof number, "%lld", (long long) value->as.integer);
        break;
    case SAKER_BOOL:
        snprintf (number, sizeof number, "%s", value->as.boolean ? "true" : "false");
        break;
    case SAKER_DOUBLE:
    case SAKER_NULL:
    case SAKER_BYTES:
    case SAKER_MAP:
        snprintf (number, sizeof number, "?"); /* nothing that a tracker wrote */
        break;
    }
    return strdup (number);
}

static leaf_t *next_leaf (show_t *show)
{
    if (show->count == show->capacity) {
        size_t capacity = show->capacity * 2 + 64;
        leaf_t *leaves = realloc (show->leaves, capacity * sizeof *leaves);
        if (!leaves) {
            return NULL;
        }
        show->leaves = leaves;
        show->capacity = capacity;
    }
    return &show->leaves[show->count];
}

static int take_leaf (const saker_leaf_t *leaf, void *argument)
{
    show_t *show = argument;
    leaf_t *kept = next_leaf (show);
    if (!kept) {
        show->failed = true;
        return 1;
    }
    *kept = (leaf_t){.document = strdup (leaf->document),
                     .pointer = strdup (leaf->pointer),
                     .text = value_text (&leaf->value),
                     .author = strdup (leaf->author),
                     .cell = leaf->cell,
                     .time_ms = leaf->time_ms,
                     .shown = leaf->shown,
                     .rival = leaf->rival};
    show->count++;
    show->failed = !kept->document || !kept->pointer || !kept->text || !kept->author;
    return show->failed;
}

saker_err_t show_load (tracker_t *self)
{
    saker_err_t error = saker_iterate (self->saker, self->collection, take_leaf, &self->show);
    if (error == SAKER_ENOTFOUND) {
        return SAKER_OK; /* nothing was written yet */
    }
    if (error == SAKER_OK && self->show.failed) {
        return fail (SAKER_ENOMEM, "out of memory");
    }
    return fail_saker (error);
}

void show_free (show_t *show)
{
    for (size_t i = 0; i < show->count; i++) {
        free (show->leaves[i].document);
        free (show->leaves[i].pointer);
        free (show->leaves[i].text);
        free (show->leaves[i].author);
    }
    free (show->leaves);
    *show = (show_t){.count = 0};
}

size_t show_from (const show_t *show, const char *document)
{
    size_t from = 0, to = show->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp (show->leaves[middle].document, document) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static const leaf_t *find (const show_t *show, const char *document, const char *pointer)
{
    for (size_t i = show_from (show, document);
         i < show->count && strcmp (show->leaves[i].document, document) == 0; i++) {
        if (show->leaves[i].shown && strcmp (show->leaves[i].pointer, pointer) == 0) {
            return &show->leaves[i];
        }
    }
    return NULL;
}

const char *show_get (const show_t *show, const char *document, const char *pointer)
{
    const leaf_t *leaf = find (show, document, pointer);
    return leaf ? leaf->text : "";
}

bool show_has (const show_t *show, const char *document)
{
    size_t at = show_from (show, document);
    return at < show->count && strcmp (show->leaves[at].document, document) == 0;
}

int show_each (const show_t *show, const char *prefix, document_fn *each, void *argument)
{
    size_t size = strlen (prefix);
    const char *last = "";
    for (size_t i = show_from (show, prefix);
         i < show->count && strncmp (show->leaves[i].document, prefix, size) == 0; i++) {
        if (strcmp (show->leaves[i].document, last) != 0) {
            last = show->leaves[i].document;
            int result = each (show, last, argument);
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

/* Somebody else wrote another value there at the same time. */
static bool has_rival (const show_t *show, const char *document, const char *pointer)
{
    for (size_t i = show_from (show, document);
         i < show->count && strcmp (show->leaves[i].document, document) == 0; i++) {
        if (show->leaves[i].rival && show->leaves[i].cell != SAKER_LWW
            && strcmp (show->leaves[i].pointer, pointer) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- versions */

static long number_of (const show_t *show, const char *version)
{
    return strtol (show_get (show, version, "/number"), NULL, 10);
}

/* "version/sh010/" of "version/sh010/9f2c11aa". */
static void prefix_of (const char *version, char prefix[TEXT_MAX])
{
    snprintf (prefix, TEXT_MAX, "%.*s", (int) (strrchr (version, '/') + 1 - version), version);
}

typedef struct counting_t {
    long number, highest;
    size_t same;    /* versions with this number */
    const char *by; /* and of them, those of this person */
    size_t same_by;
} counting_t;

static int count_version (const show_t *show, const char *version, void *argument)
{
    counting_t *counting = argument;
    long number = number_of (show, version);
    counting->highest = number > counting->highest ? number : counting->highest;
    if (number == counting->number) {
        counting->same++;
        counting->same_by += strcmp (show_get (show, version, "/by"), counting->by) == 0;
    }
    return 0;
}

static counting_t count_versions (const show_t *show, const char *prefix, long number,
                                  const char *by)
{
    counting_t counting = {.number = number, .by = by};
    show_each (show, prefix, count_version, &counting);
    return counting;
}

long show_highest (const show_t *show, const char *shot)
{
    char prefix[TEXT_MAX];
    snprintf (prefix, sizeof prefix, "version/%s/", shot);
    return count_versions (show, prefix, -1, "").highest;
}

void show_label (const show_t *show, const char *version, char label[LABEL_MAX])
{
    char prefix[TEXT_MAX];
    const char *by = show_get (show, version, "/by");
    long number = number_of (show, version);
    prefix_of (version, prefix);
    counting_t counting = count_versions (show, prefix, number, by);
    if (counting.same < 2) {
        snprintf (label, LABEL_MAX, "v%03ld", number);
    } else if (counting.same_by < 2) {
        snprintf (label, LABEL_MAX, "v%03ld (%s)", number, by);
    } else {
        snprintf (label, LABEL_MAX, "v%03ld (%s %s)", number, by, strrchr (version, '/') + 1);
    }
}

/* "approved", "approved*" with rivals, "-" without. */
static void approval_of (const show_t *show, const char *version, char text[LABEL_MAX])
{
    const char *approval = show_get (show, version, "/approval");
    snprintf (text, LABEL_MAX, "%.100s%s", *approval ? approval : "-",
              has_rival (show, version, "/approval") ? "*" : "");
}

/* ---- columns */

static size_t width_of (const char *text, size_t size)
{
    size_t width = 0;
    for (size_t i = 0; i < size; i++) {
        width += ((unsigned char) text[i] & 0xc0) != 0x80; /* code points */
    }
    return width;
}

static size_t columns_of (const char *line)
{
    size_t columns = 1;
    for (; *line && *line != '\n'; line++) {
        columns += *line == '\t';
    }
    return columns;
}

/* Widens `widths` by the cells of a line, or with `print` prints them at these widths. Returns what
   is behind the line. */
static const char *walk_line (const char *line, size_t widths[COLUMNS_MAX], bool print)
{
    size_t behind = 0; /* spaces that are due */
    for (size_t column = 0; column < COLUMNS_MAX; column++) {
        size_t size = strcspn (line, "\t\n"), width = width_of (line, size);
        if (print && size > 0) {
            printf ("%*s%.*s", (int) behind, "", (int) size, line);
            behind = 0;
        }
        if (widths[column] < width) {
            widths[column] = width;
        }
        behind += widths[column] - width + 2;
        line += size;
        if (*line != '\t') {
            break;
        }
        line++;
    }
    if (print) {
        putchar ('\n');
    }
    return *line == '\n' ? line + 1 : line;
}

/* Lines in a row that have as many cells are one table. */
static void print_aligned (const char *text)
{
    while (*text) {
        size_t columns = columns_of (text), widths[COLUMNS_MAX] = {0};
        const char *end = text;
        while (*end && columns_of (end) == columns) {
            end = walk_line (end, widths, false);
        }
        while (text < end) {
            text = walk_line (text, widths, true);
        }
    }
}

saker_err_t show_print (tracker_t *self, saker_err_t (*print) (tracker_t *self, const char *word),
                        const char *word)
{
    char *text = NULL;
    size_t size = 0;
    saker_err_t error = show_load (self);
    if (error != SAKER_OK) {
        return error;
    }
    self->show.out = open_memstream (&text, &size);
    if (!self->show.out) {
        return fail (SAKER_ENOMEM, "out of memory");
    }
    error = print (self, word);
    if (fclose (self->show.out) != 0 && error == SAKER_OK) {
        error = fail (SAKER_ENOMEM, "out of memory");
    }
    if (error == SAKER_OK) {
        print_aligned (text);
    }
    free (text);
    return error;
}

/* ---- list */

typedef struct latest_t {
    long number;
    char text[TEXT_MAX];
} latest_t;

static int add_latest (const show_t *show, const char *version, void *argument)
{
    latest_t *latest = argument;
    char label[LABEL_MAX], approval[LABEL_MAX];
    size_t used = strlen (latest->text);
    if (number_of (show, version) == latest->number) {
        show_label (show, version, label);
        approval_of (show, version, approval);
        snprintf (latest->text + used, sizeof latest->text - used, "%s%s %s", used ? ", " : "",
                  label, approval);
    }
    return 0;
}

static int count_one (const show_t *show, const char *document, void *argument)
{
    (void) show;
    (void) document;
    ++*(size_t *) argument;
    return 0;
}

static int list_shot (const show_t *show, const char *document, void *argument)
{
    const char *shot = document + strlen ("shot/");
    char prefix[TEXT_MAX];
    size_t notes = 0;
    latest_t latest = {.number = show_highest (show, shot)};
    (void) argument;
    snprintf (prefix, sizeof prefix, "version/%s/", shot);
    show_each (show, prefix, add_latest, &latest);
    snprintf (prefix, sizeof prefix, "note/%s/", shot);
    show_each (show, prefix, count_one, &notes);
    fprintf (show->out, "%s\t%s%s\t%s\t%s%s\t%s\t%zu\n", shot, show_get (show, document, "/title"),
             has_rival (show, document, "/title") ? "*" : "", show_get (show, document, "/frames"),
             show_get (show, document, "/status"), has_rival (show, document, "/status") ? "*" : "",
             latest.text, notes);
    return 0;
}

static int list_asset (const show_t *show, const char *document, void *argument)
{
    (void) argument;
    fprintf (show->out, "%s\t%s\t%s\t%s%s\n", document + strlen ("asset/"),
             show_get (show, document, "/kind"), show_get (show, document, "/about"),
             show_get (show, document, "/status"),
             has_rival (show, document, "/status") ? "*" : "");
    return 0;
}

saker_err_t print_list (tracker_t *self, const char *word)
{
    const show_t *show = &self->show;
    (void) word;
    fprintf (show->out, "SHOT\tTITLE\tFRAMES\tSTATUS\tLATEST\tNOTES\n");
    show_each (show, "shot/", list_shot, NULL);
    fprintf (show->out, "ASSET\tKIND\tABOUT\tSTATUS\n");
    show_each (show, "asset/", list_asset, NULL);
    return SAKER_OK;
}

/* ---- one shot */

static int print_version (const show_t *show, const char *version, void *argument)
{
    const long *number = argument;
    char label[LABEL_MAX], approval[LABEL_MAX];
    if (number_of (show, version) == *number) {
        show_label (show, version, label);
        approval_of (show, version, approval);
        fprintf (show->out, "  %s\t%s\t%s\t%s\t%s\n", label, approval,
                 show_get (show, version, "/by"), show_get (show, version, "/path"),
                 show_get (show, version, "/comment"));
    }
    return 0;
}

static int print_note (const show_t *show, const char *note, void *argument)
{
    char label[LABEL_MAX] = "-", when[32] = "";
    time_t seconds = (time_t) (strtoll (strrchr (note, '/') + 1, NULL, 10) / 1000);
    const char *version = show_get (show, note, "/version");
    struct tm parts;
    (void) argument;
    if (show_has (show, version)) {
        show_label (show, version, label);
    }
    strftime (when, sizeof when, "%Y-%m-%d %H:%M", gmtime_r (&seconds, &parts));
    fprintf (show->out, "  %s\t%s\t%s\t%s\n", when, show_get (show, note, "/by"), label,
             show_get (show, note, "/text"));
    return 0;
}

static void print_assets (const show_t *show, const char *document)
{
    const char *last = "", *before = "";
    fprintf (show->out, "assets\t");
    for (size_t i = show_from (show, document);
         i < show->count && strcmp (show->leaves[i].document, document) == 0; i++) {
        const leaf_t *leaf = &show->leaves[i];
        if (leaf->cell == SAKER_MEMBER && strcmp (leaf->pointer, "/assets") == 0
            && strcmp (leaf->text, last) != 0) { /* one that two added comes twice */
            fprintf (show->out, "%s%s", before, leaf->text);
            before = ", ";
            last = leaf->text;
        }
    }
    fputc ('\n', show->out);
}

saker_err_t print_shot (tracker_t *self, const char *shot)
{
    const show_t *show = &self->show;
    static const char *const fields[] = {"title", "frames", "status"};
    char document[TEXT_MAX], prefix[TEXT_MAX], pointer[16];
    snprintf (document, sizeof document, "shot/%s", shot);
    if (!show_has (show, document)) {
        return fail (SAKER_ENOTFOUND, "there is no shot %s: see tracker list", shot);
    }
    fprintf (show->out, "shot\t%s\n", shot);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        snprintf (pointer, sizeof pointer, "/%s", fields[i]);
        fprintf (show->out, "%s\t%s%s\n", fields[i], show_get (show, document, pointer),
                 has_rival (show, document, pointer) ? "*" : "");
    }
    print_assets (show, document);
    fprintf (show->out, "versions\n");
    snprintf (prefix, sizeof prefix, "version/%s/", shot);
    long highest = show_highest (show, shot);
    for (long number = 0; number <= highest; number++) {
        show_each (show, prefix, print_version, &number);
    }
    fprintf (show->out, "notes\n");
    snprintf (prefix, sizeof prefix, "note/%s/", shot);
    show_each (show, prefix, print_note, NULL);
    return SAKER_OK;
}

/* ---- conflicts */

static int print_conflict (const saker_conflict_t *conflict, void *argument)
{
    const show_t *show = argument;
    fprintf (show->out, "%s %s\n", conflict->document, conflict->pointer);
    for (size_t i = 0; i < conflict->rivals_count; i++) {
        char *text = value_text (&conflict->rivals[i].value);
        fprintf (show->out, "  %c\t%s\tby %s%s\n", (int) ('a' + i % 26), text ? text : "?",
                 conflict->rivals[i].author, conflict->rivals[i].shown ? "\tshown" : "");
        free (text);
    }
    return 0;
}

static int print_collision (const show_t *show, const char *version, void *argument)
{
    char prefix[TEXT_MAX], label[LABEL_MAX];
    long number = number_of (show, version);
    (void) argument;
    prefix_of (version, prefix);
    if (count_versions (show, prefix, number, "").same > 1) {
        const char *shot = prefix + strlen ("version/");
        show_label (show, version, label);
        fprintf (show->out,
                 "%.*s: %s is not the only v%03ld: tracker renumber %.*s v%03ld@%s NUMBER\n",
                 (int) strlen (shot) - 1, shot, label, number, (int) strlen (shot) - 1, shot,
                 number, strrchr (version, '/') + 1);
    }
    return 0;
}

saker_err_t print_conflicts (tracker_t *self, const char *word)
{
    (void) word;
    saker_err_t error =
        saker_conflicts (self->saker, self->collection, NULL, NULL, print_conflict, &self->show);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        return fail_saker (error);
    }
    show_each (&self->show, "version/", print_collision, NULL);
    return SAKER_OK;
}
