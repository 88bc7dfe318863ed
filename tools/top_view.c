#include "amounts.h"
#include "columns.h"
#include "reach.h"
#include "told.h"
#include "top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MIN 12
#define WIDTH_MIN 20
#define HEIGHT_MIN 6

/* ---- lines */

/* A line, as wide as the view; beyond its height nothing. */
static void add_line (top_view_t *view, top_style_t style, const char *text)
{
    if (view->count == view->height && view->all) {
        size_t height = 2 * view->height + 32;
        top_line_t *grown = realloc (view->lines, height * sizeof *grown);
        if (!grown) {
            view->failed = true;
            return;
        }
        memset (grown + view->height, 0, (height - view->height) * sizeof *grown);
        view->lines = grown;
        view->height = height;
    }
    if (view->count < view->height) {
        top_line_t *line = &view->lines[view->count++];
        line->style = style;
        columns_add (&line->text, text, view->width, false);
        view->failed |= line->text.failed;
    }
}

static void say (top_view_t *view, top_style_t style, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static void say (top_view_t *view, top_style_t style, const char *format, ...)
{
    strbuf_t text = {0};
    char part[1024];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (part, sizeof part, format, arguments);
    va_end (arguments);
    strbuf_text (&text, part);
    add_line (view, style, text.data ? text.data : "");
    view->failed |= text.failed;
    strbuf_free (&text);
}

/* ---- the head */

static int64_t number (const top_t *self, const char *pointer)
{
    return told_int (self->sample.status, pointer, 0);
}

static void say_rate (double rate, char text[AMOUNT_MAX])
{
    if (rate < 0) {
        snprintf (text, AMOUNT_MAX, "-");
    } else if (rate > 0 && rate < 10) {
        snprintf (text, AMOUNT_MAX, "%.1f", rate);
    } else {
        amount_count ((int64_t) rate, text);
    }
}

static void say_byte_rate (double rate, char text[AMOUNT_MAX])
{
    if (rate < 0) {
        snprintf (text, AMOUNT_MAX, "-");
    } else {
        amount_bytes ((uint64_t) rate, text);
    }
}

static void bars_of (const top_t *self, const char *name, size_t bars,
                     char text[3 * AMOUNT_BARS_MAX + 1])
{
    int64_t values[AMOUNT_BARS_MAX];
    const json_t *list = json_object_get (json_object_get (self->sample.trends, name), "values");
    size_t all = json_array_size (list);
    bars = bars < AMOUNT_BARS_MAX ? bars : AMOUNT_BARS_MAX;
    size_t count = all < bars ? all : bars;
    for (size_t i = 0; i < count; i++) {
        values[i] = json_integer_value (json_array_get (list, all - count + i));
    }
    amount_bars (values, count, bars, text);
}

static void show_title (const top_t *self, top_view_t *view)
{
    char age[AMOUNT_MAX];
    amount_age (number (self, "/clock/up_ms"), age);
    say (view, TOP_BOLD, "%s: %s (%s), up for %s, by %s%s%s",
         told_text (self->sample.status, "/mesh/name", "?"),
         told_text (self->sample.status, "/device/name", "?"),
         told_text (self->sample.status, "/device/role", "?"), age, top_sort_name (self->sort),
         self->reverse ? ", reversed" : "", self->paused ? " - PAUSED" : "");
}

static void show_head (const top_t *self, top_view_t *view)
{
    char applied[AMOUNT_MAX], pulled[AMOUNT_MAX], used[AMOUNT_MAX], log[AMOUNT_MAX];
    char bars[3 * AMOUNT_BARS_MAX + 1], more[3 * AMOUNT_BARS_MAX + 1];
    size_t half = view->width > 44 ? (view->width - 22) / 2 : 10;
    say_rate (self->applied_s, applied);
    say_byte_rate (self->bytes_s, pulled);
    amount_bytes ((uint64_t) number (self, "/store/used_bytes"), used);
    amount_bytes ((uint64_t) number (self, "/log/bytes"), log);
    show_title (self, view);
    say (view, TOP_PLAIN,
         "links: %" PRId64 " up, %" PRId64 " slow, %" PRId64 " silent, %" PRId64
         " left   pending: %" PRId64 "   conflicts: %" PRId64,
         number (self, "/links/up"), number (self, "/links/slow"), number (self, "/links/silent"),
         number (self, "/links/left"), number (self, "/changes/waiting"),
         number (self, "/data/conflicts"));
    say (view, TOP_PLAIN, "applied: %s/s   in: %s/s   disk: %s, of that log %s", applied, pulled,
         used, log);
    bars_of (self, "applied", half, bars);
    bars_of (self, "bytes", half, more);
    say (view, TOP_PLAIN, "applied %s  in %s", bars, more);
}

/* Since when, and why, there is nothing new. */
static void show_trouble (const top_t *self, top_view_t *view)
{
    char age[AMOUNT_MAX];
    double since_ms = reach_now_ms () - self->sample.at_ms;
    amount_age ((int64_t) since_ms, age);
    if (self->sample.status) {
        say (view, TOP_ALARM, "no answer for %s, what follows is old: %s", age, self->trouble);
    } else {
        say (view, TOP_ALARM, "%s", self->trouble);
    }
}

/* ---- the list */

typedef void cell_fn (const top_row_t *row, char *text, size_t size);

static void cell_link (const top_row_t *row, char *text, size_t size)
{
    snprintf (text, size, "%s", told_state (row->link));
}

static void cell_rtt (const top_row_t *row, char *text, size_t size)
{
    char rtt[AMOUNT_MAX];
    amount_rtt (told_int (row->link, "/rtt_us", -1), rtt);
    snprintf (text, size, "%s", rtt);
}

static void cell_lag (const top_row_t *row, char *text, size_t size)
{
    int64_t lag_ms = told_int (row->link, "/lag_ms", -1);
    if (lag_ms < 0) {
        snprintf (text, size, "?");
    } else {
        snprintf (text, size, lag_ms < 10000 ? "%.1fs" : "%.0fs", (double) lag_ms / 1000);
    }
}

static void say_count (int64_t count, char *text, size_t size)
{
    char amount[AMOUNT_MAX];
    amount_count (count, amount);
    snprintf (text, size, "%s", count < 0 ? "?" : amount);
}

static void cell_behind (const top_row_t *row, char *text, size_t size)
{
    say_count (told_int (row->link, "/behind", -1), text, size);
}

static void cell_ahead (const top_row_t *row, char *text, size_t size)
{
    say_count (told_int (row->link, "/ahead", -1), text, size);
}

static void cell_changes (const top_row_t *row, char *text, size_t size)
{
    char amount[AMOUNT_MAX];
    say_rate (row->changes_s, amount);
    snprintf (text, size, "%s", amount);
}

static void cell_bytes (const top_row_t *row, char *text, size_t size)
{
    char amount[AMOUNT_MAX];
    say_byte_rate (row->bytes_s, amount);
    snprintf (text, size, "%s", amount);
}

static void cell_seen (const top_row_t *row, char *text, size_t size)
{
    char age[AMOUNT_MAX];
    amount_age (told_int (row->link, "/seen_ms", -1), age);
    snprintf (text, size, "%s", strcmp (told_state (row->link), "self") == 0 ? "-" : age);
}

static void cell_role (const top_row_t *row, char *text, size_t size)
{
    snprintf (text, size, "%s", told_text (row->link, "/role", ""));
}

static void cell_address (const top_row_t *row, char *text, size_t size)
{
    const char *address = told_text (row->link, "/address", "");
    snprintf (text, size, "%s", strncmp (address, "tcp://", 6) == 0 ? address + 6 : address);
}

/* As many as fit, the first ones first. */
static const struct {
    const char *heading;
    size_t width;
    bool right;
    cell_fn *cell;
} cells[] = {
    {"LINK", 6, false, cell_link},    {"RTT", 6, true, cell_rtt},
    {"LAG", 6, true, cell_lag},       {"BEHIND", 6, true, cell_behind},
    {"AHEAD", 5, true, cell_ahead},   {"IN/s", 9, true, cell_bytes},
    {"CHG/s", 5, true, cell_changes}, {"SEEN", 6, true, cell_seen},
    {"ROLE", 5, false, cell_role},    {"ADDRESS", 21, false, cell_address},
};

#define CELLS (sizeof cells / sizeof *cells)

static size_t fit_cells (size_t width, size_t *name_width)
{
    size_t count = 0, used = 0;
    while (count < CELLS && used + cells[count].width + 1 + NAME_MIN <= width) {
        used += cells[count++].width + 1;
    }
    *name_width = width - used < 40 ? width - used : 40;
    return count;
}

/* `row` NULL: the heading. */
static void add_row (top_view_t *view, const top_row_t *row, top_style_t style)
{
    size_t name_width;
    size_t count = fit_cells (view->width, &name_width);
    strbuf_t line = {0};
    columns_add (&line, row ? told_text (row->link, "/name", "?") : "NAME", name_width, false);
    for (size_t i = 0; i < count; i++) {
        char text[320] = "";
        if (row) {
            cells[i].cell (row, text, sizeof text);
        }
        strbuf_text (&line, " ");
        columns_add (&line, row ? text : cells[i].heading, cells[i].width, cells[i].right);
    }
    view->failed |= line.failed;
    add_line (view, style, line.data ? line.data : "");
    strbuf_free (&line);
}

static top_style_t style_of (const top_t *self, const top_view_t *view, const top_row_t *row)
{
    const char *state = told_state (row->link);
    return !view->all && strcmp (row->id, self->selected) == 0 ? TOP_SELECTED
           : strcmp (state, "up") == 0                         ? TOP_GOOD
           : strcmp (state, "self") == 0                       ? TOP_PLAIN
                                                               : TOP_BAD;
}

static void show_list (top_t *self, top_view_t *view, size_t room)
{
    size_t place = top_place (self);
    self->first = place < self->first ? place : self->first;
    self->first = room > 0 && place >= self->first + room ? place - room + 1 : self->first;
    self->first =
        self->first + room > self->count && self->count >= room ? self->count - room : self->first;
    self->first = view->all || self->count < room ? 0 : self->first;
    add_row (view, NULL, TOP_HEADING);
    for (size_t i = self->first; i < self->count && i - self->first < room; i++) {
        const top_row_t *row = &self->rows[self->order[i]];
        add_row (view, row, style_of (self, view, row));
    }
}

/* ---- one member */

static void show_amounts (top_view_t *view, const top_row_t *row)
{
    char lag[AMOUNT_MAX], rtt[AMOUNT_MAX], skew[AMOUNT_MAX] = "unknown", seen[AMOUNT_MAX];
    char heard[AMOUNT_MAX];
    const json_t *link = row->link;
    int64_t lag_ms = told_int (link, "/lag_ms", -1);
    amount_age (lag_ms, lag);
    amount_rtt (told_int (link, "/rtt_us", -1), rtt);
    amount_age (told_int (link, "/seen_ms", -1), seen);
    amount_age (told_int (link, "/heard_ms", -1), heard);
    if (json_is_integer (json_object_get (link, "skew_ms"))) {
        amount_skew (told_int (link, "/skew_ms", 0), skew);
    }
    say (view, TOP_PLAIN, "round trip   %s", rtt);
    say (view, TOP_PLAIN, "clock        %s", skew);
    say (view, TOP_PLAIN, "last beat    %s ago; directly %s ago", seen, heard);
    if (told_int (link, "/behind", -1) > 0) {
        say (view, TOP_PLAIN, "lacks        %" PRId64 " changes, the oldest %s old",
             told_int (link, "/behind", 0), lag_ms < 0 ? "?" : lag);
    } else {
        say (view, TOP_PLAIN, "lacks        %s",
             told_int (link, "/behind", -1) < 0 ? "what is here: it told nothing yet" : "nothing");
    }
    say (view, TOP_PLAIN, "has          %" PRId64 " changes that are not here",
         told_int (link, "/ahead", -1));
}

static void show_traffic (top_view_t *view, const top_row_t *row)
{
    char bytes[AMOUNT_MAX], rate[AMOUNT_MAX], bars[3 * AMOUNT_BARS_MAX + 1];
    const json_t *link = row->link;
    amount_bytes ((uint64_t) told_int (link, "/bytes", 0), bytes);
    say_byte_rate (row->bytes_s, rate);
    size_t width = view->width > 40 ? view->width - 30 : 10;
    amount_bars (row->rates, row->rates_count, width, bars);
    say (view, TOP_PLAIN, "pulled       %s, %" PRId64 " changes, %" PRId64 " snapshots", bytes,
         told_int (link, "/changes", 0), told_int (link, "/snapshots", 0));
    say (view, TOP_PLAIN, "now          %s/s %s", rate, bars);
    say (view, TOP_PLAIN,
         "asked        %" PRId64 " times; %" PRId64 " late, %" PRId64 " not in form",
         told_int (link, "/requests", 0), told_int (link, "/timeouts", 0),
         told_int (link, "/bad_answers", 0));
}

static void show_hears (const top_t *self, top_view_t *view, const top_row_t *row)
{
    strbuf_t names = {0};
    const json_t *hears = json_object_get (row->link, "hears");
    strbuf_text (&names, "hears        ");
    for (size_t i = 0; i < json_array_size (hears); i++) {
        const char *id = json_string_value (json_array_get (hears, i));
        strbuf_text (&names, i > 0 ? ", " : "");
        strbuf_text (&names, top_name_of (self, id ? id : ""));
    }
    if (json_array_size (hears) == 0) {
        strbuf_text (&names, "nobody, as far as it told");
    }
    add_line (view, TOP_PLAIN, names.data ? names.data : "");
    view->failed |= names.failed;
    strbuf_free (&names);
}

static void show_detail (const top_t *self, top_view_t *view)
{
    const top_row_t *row = top_selected (self);
    if (!row) {
        say (view, TOP_PLAIN, "this member is gone");
        return;
    }
    say (view, TOP_BOLD, "%s", told_text (row->link, "/name", "?"));
    say (view, TOP_PLAIN, "id           %s, %s%s", row->id, told_text (row->link, "/role", ""),
         told_flag (row->link, "/doubled") ? ", may run twice" : "");
    say (view, TOP_PLAIN, "link         %s%s", told_state (row->link),
         told_flag (row->link, "/greeted") ? ", it answers" : "");
    say (view, TOP_PLAIN, "address      %s",
         told_flag (row->link, "/calls") ? "its own call" : told_text (row->link, "/address", ""));
    show_amounts (view, row);
    show_traffic (view, row);
    show_hears (self, view, row);
}

/* ---- help, and all of it */

static void show_help (top_view_t *view)
{
    static const char *const lines[] = {
        "q          quit (on another page: back)",
        "up, down   choose a member; also k, j, page up, page down, home, end",
        "enter      all about it",
        "s          sort by name, link, rtt, lag, behind, rate",
        "r          the other way round",
        "p          pause",
        "space      ask at once",
        "",
        "LAG        age of the oldest change that the member has not reported",
        "BEHIND     changes that are here and it has not reported",
        "AHEAD      changes that it reported and are not here",
        "IN/s       bytes that come from it, beats included",
        "CHG/s      changes that are pulled from it",
    };
    say (view, TOP_BOLD, "keys and columns");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        add_line (view, TOP_PLAIN, lines[i]);
    }
}

static void show_keys (const top_t *self, top_view_t *view)
{
    while (view->count + 1 < view->height) {
        add_line (view, TOP_PLAIN, "");
    }
    char more[64] = "";
    if (self->page == TOP_LIST && self->count > 0) {
        snprintf (more, sizeof more, "  (%zu of %zu)", top_place (self) + 1, self->count);
    }
    say (view, TOP_HEADING, "%s%s",
         self->page == TOP_LIST ? "q quit  enter detail  s sort  r reverse  p pause  ? help"
                                : "q back",
         more);
}

static bool begin_view (top_view_t *view)
{
    view->count = 0;
    view->lines = calloc (view->height + 1, sizeof *view->lines);
    view->failed = !view->lines;
    return !view->failed;
}

void top_show (top_t *self, top_view_t *view)
{
    if (!begin_view (view)) {
        return;
    }
    if (!view->all && (view->width < WIDTH_MIN || view->height < HEIGHT_MIN)) {
        add_line (view, TOP_ALARM, "too small");
        return;
    }
    if (*self->trouble) {
        show_trouble (self, view);
    }
    if (self->page == TOP_HELP) {
        show_help (view);
    } else if (self->sample.status && self->page == TOP_DETAIL) {
        show_detail (self, view);
    } else if (self->sample.status) {
        show_head (self, view);
        size_t used = view->count + 2; /* heading, keys */
        show_list (self, view,
                   view->all             ? self->count
                   : view->height > used ? view->height - used
                                         : 0);
    } else if (!*self->trouble) {
        add_line (view, TOP_PLAIN, "asking the daemon...");
    }
    if (!view->all) {
        show_keys (self, view);
    }
}

void top_view_free (top_view_t *view)
{
    for (size_t i = 0; i < view->count; i++) {
        strbuf_free (&view->lines[i].text);
    }
    free (view->lines);
    view->lines = NULL;
    view->count = 0;
}
