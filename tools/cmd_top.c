/* top: the mesh as it goes, on a terminal. */

#include "amounts.h"
#include "columns.h"
#include "commands.h"
#include "paint.h"
#include "reach.h"
#include "say.h"
#include "told.h"
#include "top.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEY_MS 100 /* a key is waited for so long, then fresh news are looked for */
#define ESCAPE 27

/* ---- one plain print */

/* Two samples, since a rate needs two. */
static saker_err_t take_two (call_t *call, top_t *top, int64_t every_ms)
{
    const struct timespec gap = {every_ms / 1000, every_ms % 1000 * 1000000};
    for (int i = 0; i < 2; i++) {
        top_sample_t sample;
        if (i > 0) {
            (void) nanosleep (&gap, NULL);
        }
        top_sample_take (call, &sample);
        if (!sample.status) {
            return call_fail (call, SAKER_EUNREACHABLE, "%s", sample.trouble);
        }
        if (!top_take (top, &sample)) {
            return call_memory (call);
        }
    }
    return SAKER_OK;
}

static void print_trimmed (const char *text)
{
    size_t size = strlen (text);
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    printf ("%.*s\n", (int) size, text);
}

static saker_err_t print_plain (call_t *call, top_t *top)
{
    top_view_t view = {.width = 132, .height = 64, .all = true};
    top_show (top, &view);
    for (size_t i = 0; i < view.count && !view.failed; i++) {
        print_trimmed (view.lines[i].text.data);
    }
    bool failed = view.failed;
    top_view_free (&view);
    return failed ? call_memory (call) : SAKER_OK;
}

static saker_err_t print_json (call_t *call, const top_t *top)
{
    json_t *members = json_array ();
    for (size_t i = 0; i < top->count; i++) {
        const top_row_t *row = &top->rows[top->order[i]];
        json_t *json = json_deep_copy (row->link);
        json_object_set_new (json, "bytes_s", json_real (row->bytes_s));
        json_object_set_new (json, "changes_s", json_real (row->changes_s));
        json_array_append_new (members, json);
    }
    return say_json (call, json_pack ("{s:o,s:O,s:f,s:f}", "members", members, "status",
                                      top->sample.status, "applied_s", top->applied_s, "bytes_s",
                                      top->bytes_s));
}

static saker_err_t run_once (call_t *call, top_t *top, int64_t every_ms)
{
    saker_err_t error = take_two (call, top, every_ms < 1000 ? every_ms : 1000);
    if (error == SAKER_OK) {
        error = call->json ? print_json (call, top) : print_plain (call, top);
    }
    return error;
}

/* ---- the terminal */

static attr_t style_attribute (top_style_t style)
{
    bool colours = has_colors ();
    switch (style) {
    case TOP_BOLD:
        return A_BOLD;
    case TOP_HEADING:
        return A_REVERSE;
    case TOP_SELECTED:
        return A_REVERSE | A_BOLD;
    case TOP_GOOD:
        return colours ? COLOR_PAIR (1) : A_NORMAL;
    case TOP_BAD:
        return colours ? COLOR_PAIR (2) : A_NORMAL;
    case TOP_ALARM:
        return colours ? COLOR_PAIR (3) | A_BOLD : A_BOLD;
    case TOP_PLAIN:
        break;
    }
    return A_NORMAL;
}

static void begin_colours (void)
{
    const char *no_color = getenv ("NO_COLOR");
    if (has_colors () && !(no_color && *no_color)) {
        start_color ();
        use_default_colors ();
        init_pair (1, COLOR_GREEN, -1);
        init_pair (2, COLOR_YELLOW, -1);
        init_pair (3, COLOR_RED, -1);
    }
}

static bool draw (top_t *top)
{
    top_view_t view = {.width = (size_t) COLS, .height = (size_t) LINES};
    top_show (top, &view);
    erase ();
    for (size_t i = 0; i < view.count && !view.failed; i++) {
        attrset (style_attribute (view.lines[i].style));
        mvaddstr ((int) i, 0, view.lines[i].text.data ? view.lines[i].text.data : "");
    }
    attrset (A_NORMAL);
    refresh ();
    bool failed = view.failed;
    top_view_free (&view);
    return !failed;
}

static void sort_next (top_t *top)
{
    top->sort = (top_sort_t) ((top->sort + 1) % TOP_SORTS);
    top_order (top);
}

static void sort_other_way (top_t *top)
{
    top->reverse = !top->reverse;
    top_order (top);
}

static bool take_move (top_t *top, int key)
{
    long page = LINES > 10 ? LINES - 10 : 1;
    long by = key == KEY_UP || key == 'k'     ? -1
              : key == KEY_DOWN || key == 'j' ? 1
              : key == KEY_PPAGE              ? -page
              : key == KEY_NPAGE              ? page
              : key == KEY_HOME               ? -(long) top->count
              : key == KEY_END                ? (long) top->count
                                              : 0;
    top_move (top, by);
    return by != 0;
}

/* False: that is the end. */
static bool take_key (top_t *top, top_feed_t *feed, int key)
{
    bool back = key == 'q' || key == 'Q' || key == ESCAPE;
    if (back && top->page == TOP_LIST) {
        return key == ESCAPE;
    }
    if (back) {
        top->page = TOP_LIST;
    } else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        top->page = top->page == TOP_LIST ? TOP_DETAIL : TOP_LIST;
    } else if (key == '?' || key == 'h') {
        top->page = TOP_HELP;
    } else if (key == 's') {
        sort_next (top);
    } else if (key == 'r') {
        sort_other_way (top);
    } else if (key == 'p') {
        top->paused = !top->paused;
    } else if (key == ' ') {
        top_feed_hurry (feed);
    } else {
        (void) take_move (top, key);
    }
    return true;
}

static bool take_news (top_t *top, top_feed_t *feed, bool *drawn)
{
    top_sample_t sample;
    bool taken = true;
    if (!top->paused && top_feed_next (feed, &sample)) {
        taken = top_take (top, &sample);
        top_sample_free (&sample);
        *drawn = false;
    }
    return taken;
}

static saker_err_t loop (call_t *call, top_t *top, top_feed_t *feed)
{
    bool going = true, drawn = false;
    while (going) {
        if (!take_news (top, feed, &drawn) || (!drawn && !draw (top))) {
            return call_memory (call);
        }
        drawn = !*top->trouble; /* how long there was no answer goes on */
        int key = getch ();
        if (key != ERR) {
            going = take_key (top, feed, key);
            drawn = false;
        } else if (!isatty (STDIN_FILENO)) {
            going = false; /* the terminal is gone */
        }
    }
    return SAKER_OK;
}

static saker_err_t run_screen (call_t *call, top_t *top, int64_t every_ms)
{
    static top_feed_t feed; /* outlives this call when the daemon does not answer */
    SCREEN *screen = newterm (NULL, stdout, stdin);
    if (!screen) {
        return call_fail (call, SAKER_EUSAGE,
                          "the terminal %s is not known here: set TERM, or use "
                          "saker top --once",
                          getenv ("TERM"));
    }
    cbreak ();
    noecho ();
    nonl ();
    keypad (stdscr, TRUE);
    set_escdelay (25);
    curs_set (0);
    timeout (KEY_MS);
    begin_colours ();
    saker_err_t error = SAKER_OK;
    if (top_feed_start (&feed, call, every_ms)) {
        error = loop (call, top, &feed);
        (void) top_feed_stop (&feed);
    } else {
        error = call_memory (call);
    }
    endwin ();
    delscreen (screen);
    return error;
}

/* ---- the command */

static saker_err_t take_sort (call_t *call, top_sort_t *sort)
{
    const char *name = call_option (call, "sort");
    *sort = TOP_BY_NAME;
    for (int i = 0; name && i < TOP_SORTS; i++) {
        if (strcmp (name, top_sort_name ((top_sort_t) i)) == 0) {
            *sort = (top_sort_t) i;
            return SAKER_OK;
        }
    }
    return name ? call_fail (call, SAKER_EUSAGE,
                             "--sort %s: it is name, link, rtt, lag, behind or rate", name)
                : SAKER_OK;
}

static bool is_terminal (void)
{
    const char *term = getenv ("TERM");
    return isatty (STDIN_FILENO) && isatty (STDOUT_FILENO) && term && *term
           && strcmp (term, "dumb") != 0;
}

static saker_err_t run_top (call_t *call)
{
    top_t top = {.applied_s = -1, .bytes_s = -1};
    int64_t every_ms = 0;
    saker_err_t error = call_duration (call, "every", 1000, &every_ms);
    error = error == SAKER_OK ? take_sort (call, &top.sort) : error;
    if (error != SAKER_OK) {
        return error;
    }
    if (every_ms < TOP_MS_MIN) {
        return call_fail (call, SAKER_EUSAGE, "--every: %dms is the shortest", TOP_MS_MIN);
    }
    columns_begin ();
    if (call_option (call, "once") || call->json) {
        error = run_once (call, &top, every_ms);
    } else if (is_terminal ()) {
        error = run_screen (call, &top, every_ms);
    } else {
        error = call_fail (call, SAKER_EUSAGE,
                           "this is no terminal: saker top --once prints the view once");
    }
    top_free (&top);
    return error;
}

static const option_t top_options[] = {
    {"every", "TIME", "how often to ask the daemon (default: 1s)"},
    {"sort", "BY", "name, link, rtt, lag, behind or rate (default: name)"},
    {"once", NULL, "print the view once, without a terminal"},
    {NULL, NULL, NULL},
};

const command_t cmd_top = {
    .name = "top",
    .run = run_top,
    .usage = "[--every TIME] [--sort BY] [--once]",
    .summary = "Watch members, links, lag, rates, pending changes, conflicts and disk, live.",
    .details = "Keys: up and down choose a member, enter shows all about it, s sorts by "
               "another column, r turns the order, p pauses, space asks at once, ? "
               "explains the columns, q ends. When the daemon does not answer, the last "
               "view stays, with the time since then. Without a terminal it is refused, "
               "but for --once and --json.",
    .options = top_options,
    .example = "saker top  # on a terminal\nsaker top --once --sort lag",
    .words_min = 0,
    .words_max = 0,
};
