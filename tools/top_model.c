#include "told.h"
#include "top.h"

#include <stdlib.h>
#include <string.h>

const char *top_sort_name (top_sort_t sort)
{
    static const char *const names[TOP_SORTS] = {"name", "link", "rtt", "lag", "behind", "rate"};
    return names[sort];
}

static int by_id (const void *one, const void *other)
{
    return strcmp (((const top_row_t *) one)->id, ((const top_row_t *) other)->id);
}

static const top_row_t *find_row (const top_row_t *rows, size_t count, const char *id)
{
    top_row_t wanted = {.changes_s = 0};
    snprintf (wanted.id, sizeof wanted.id, "%s", id);
    return count > 0 ? bsearch (&wanted, rows, count, sizeof *rows, by_id) : NULL;
}

/* A counter that is less than before began anew. */
static double rate (int64_t now, int64_t before, double seconds)
{
    return (double) (now >= before ? now - before : now) / seconds;
}

/* Pulled, or published to us. */
static int64_t received (const json_t *link)
{
    return told_int (link, "/bytes", 0) + told_int (link, "/published", 0);
}

static void push_rate (top_row_t *row, int64_t value)
{
    if (row->rates_count == TOP_RATES) {
        memmove (row->rates, row->rates + 1, (TOP_RATES - 1) * sizeof *row->rates);
        row->rates_count--;
    }
    row->rates[row->rates_count++] = value;
}

static void fill_row (top_row_t *row, const json_t *link, const top_row_t *before, double seconds)
{
    *row = (top_row_t){.link = link, .changes_s = -1, .bytes_s = -1};
    if (before) {
        memcpy (row->rates, before->rates, sizeof row->rates);
        row->rates_count = before->rates_count;
        row->changes_s =
            rate (told_int (link, "/changes", 0), told_int (before->link, "/changes", 0), seconds);
        row->bytes_s = rate (received (link), received (before->link), seconds);
        push_rate (row, (int64_t) row->bytes_s);
    }
    snprintf (row->id, sizeof row->id, "%s", told_text (link, "/id", ""));
}

static bool is_member (const json_t *link)
{
    return strcmp (told_text (link, "/role", "none"), "none") != 0;
}

static bool make_rows (const top_t *self, const json_t *links, double seconds, top_row_t **rows,
                       size_t *count)
{
    size_t all = json_array_size (links);
    *count = 0;
    *rows = calloc (all + 1, sizeof **rows);
    for (size_t i = 0; i < all && *rows; i++) {
        const json_t *link = json_array_get (links, i);
        if (is_member (link)) {
            const top_row_t *before =
                find_row (self->rows, self->count, told_text (link, "/id", ""));
            fill_row (&(*rows)[(*count)++], link, before, seconds);
        }
    }
    if (*rows) {
        qsort (*rows, *count, sizeof **rows, by_id);
    }
    return *rows != NULL;
}

static int64_t received_all (const json_t *status)
{
    return told_int (status, "/sessions/bytes", 0) + told_int (status, "/live/bytes_in", 0);
}

static void take_totals (top_t *self, const top_sample_t *fresh, double seconds)
{
    self->applied_s = self->bytes_s = -1;
    if (self->sample.status) {
        self->applied_s = rate (told_int (fresh->status, "/changes/applied", 0),
                                told_int (self->sample.status, "/changes/applied", 0), seconds);
        self->bytes_s =
            rate (received_all (fresh->status), received_all (self->sample.status), seconds);
    }
}

bool top_take (top_t *self, top_sample_t *sample)
{
    top_row_t *rows;
    size_t count;
    self->asked_ms = sample->at_ms;
    memcpy (self->trouble, sample->trouble, sizeof self->trouble);
    if (!sample->status) {
        return true;
    }
    double seconds = (sample->at_ms - self->sample.at_ms) / 1000;
    seconds = seconds > 0.001 ? seconds : 0.001;
    take_totals (self, sample, seconds);
    size_t *order = realloc (self->order, (json_array_size (sample->links) + 1) * sizeof *order);
    if (!order || !make_rows (self, sample->links, seconds, &rows, &count)) {
        self->order = order ? order : self->order;
        top_sample_free (sample);
        return false;
    }
    free (self->rows);
    self->rows = rows;
    self->count = count;
    self->order = order;
    top_sample_free (&self->sample);
    self->sample = *sample;
    *sample = (top_sample_t){.status = NULL};
    top_order (self);
    return true;
}

/* ---- order */

static int link_rank (const top_row_t *row)
{
    static const char *const ranks[] = {"silent", "left", "slow", "up", "fenced", "self"};
    for (int i = 0; i < 6; i++) {
        if (strcmp (told_state (row->link), ranks[i]) == 0) {
            return i;
        }
    }
    return 6;
}

/* The greatest first; what is not known last. */
static double value_of (const top_row_t *row, top_sort_t sort)
{
    switch (sort) {
    case TOP_BY_RTT:
        return (double) told_int (row->link, "/rtt_us", -1);
    case TOP_BY_LAG:
        return (double) told_int (row->link, "/lag_ms", -1);
    case TOP_BY_BEHIND:
        return (double) told_int (row->link, "/behind", -1);
    case TOP_BY_RATE:
        return row->bytes_s;
    case TOP_BY_LINK:
        return -link_rank (row);
    case TOP_BY_NAME:
    case TOP_SORTS:
        break;
    }
    return 0;
}

static int compare (const void *one, const void *other, void *argument)
{
    const top_t *self = argument;
    const top_row_t *a = &self->rows[*(const size_t *) one];
    const top_row_t *b = &self->rows[*(const size_t *) other];
    double left = value_of (a, self->sort), right = value_of (b, self->sort);
    int order = left < right ? 1 : left > right ? -1 : 0;
    order = order ? order
                  : strcasecmp (told_text (a->link, "/name", ""), told_text (b->link, "/name", ""));
    order = order ? order : strcmp (a->id, b->id);
    return self->reverse ? -order : order;
}

void top_order (top_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        self->order[i] = i;
    }
    if (self->count > 0) {
        qsort_r (self->order, self->count, sizeof *self->order, compare, self);
    }
    if (self->count > 0 && !top_selected (self)) {
        snprintf (self->selected, sizeof self->selected, "%s", self->rows[self->order[0]].id);
    }
}

const top_row_t *top_selected (const top_t *self)
{
    return find_row (self->rows, self->count, self->selected);
}

size_t top_place (const top_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->rows[self->order[i]].id, self->selected) == 0) {
            return i;
        }
    }
    return 0;
}

void top_move (top_t *self, long by)
{
    long place = (long) top_place (self) + by;
    if (self->count == 0) {
        return;
    }
    place = place < 0 ? 0 : place >= (long) self->count ? (long) self->count - 1 : place;
    snprintf (self->selected, sizeof self->selected, "%s", self->rows[self->order[place]].id);
}

const char *top_name_of (const top_t *self, const char *id)
{
    const top_row_t *row = find_row (self->rows, self->count, id);
    return row ? told_text (row->link, "/name", id) : id;
}

void top_free (top_t *self)
{
    top_sample_free (&self->sample);
    free (self->rows);
    free (self->order);
    *self = (top_t){.rows = NULL};
}
