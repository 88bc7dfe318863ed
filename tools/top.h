/* Top: the live view of the mesh, in three parts: the feed, a thread that asks the daemon; the
   model, what is known of each member and in which order it is shown; the view, lines of text for a
   terminal of a size, or for a plain print. cmd_top.c joins them. */

#ifndef TOOLS_TOP_H_INCLUDED
#define TOOLS_TOP_H_INCLUDED

#include "call.h"
#include "strbuf.h"

#include <jansson.h>
#include <pthread.h>

#define TOP_RATES 60 /* samples kept of each member */
#define TOP_MS_MIN 100

/* ---- feed */

/* What the daemon told at one time. */
typedef struct top_sample_t {
    json_t *status, *links, *trends; /* NULL: it did not answer */
    double at_ms;                    /* mono */
    char trouble[256];               /* why not; "" : it did */
} top_sample_t;

void top_sample_free (top_sample_t *self);
/* Asks once, on the handle of the call, which it opens anew when need be. */
void top_sample_take (call_t *call, top_sample_t *sample);

typedef struct top_feed_t {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    call_t call; /* the thread's own */
    int64_t every_ms;
    top_sample_t fresh; /* handed over by top_feed_next */
    bool has_fresh, stop, soon;
} top_feed_t;

/* False: no thread can be made. */
bool top_feed_start (top_feed_t *self, const call_t *call, int64_t every_ms);
/* The newest sample, if there is one that was not handed over. Owned by the caller. */
bool top_feed_next (top_feed_t *self, top_sample_t *sample);
/* Asks at once. */
void top_feed_hurry (top_feed_t *self);
/* Waits a moment for the thread; false: it still waits for the daemon, and ends with the process.
 */
bool top_feed_stop (top_feed_t *self);

/* ---- model */

typedef enum top_sort_t {
    TOP_BY_NAME,
    TOP_BY_LINK,
    TOP_BY_RTT,
    TOP_BY_LAG,
    TOP_BY_BEHIND,
    TOP_BY_RATE,
    TOP_SORTS
} top_sort_t;

const char *top_sort_name (top_sort_t sort);

typedef struct top_row_t {
    char id[20];
    const json_t *link;        /* of the last sample */
    double changes_s, bytes_s; /* below zero: not known yet */
    int64_t rates[TOP_RATES];  /* bytes a second, the oldest first */
    size_t rates_count;
} top_row_t;

typedef struct top_t {
    top_sample_t sample; /* the last that was answered */
    double asked_ms;     /* mono, of the last one, answered or not */
    char trouble[256];
    double applied_s, bytes_s; /* below zero: not known yet */
    top_row_t *rows;           /* by id */
    size_t *order;             /* numbers of rows, as they are shown */
    size_t count;
    top_sort_t sort;
    bool reverse;
    char selected[20]; /* id */
    size_t first;      /* row that is shown at the top */
    enum { TOP_LIST, TOP_DETAIL, TOP_HELP } page;
    bool paused;
} top_t;

/* Takes ownership of the sample's parts. False: out of memory. */
bool top_take (top_t *self, top_sample_t *sample);
void top_order (top_t *self);
/* Moves the selection by rows. */
void top_move (top_t *self, long by);
/* The row that is selected; NULL: there is none. */
const top_row_t *top_selected (const top_t *self);
/* Where it is in the order. */
size_t top_place (const top_t *self);
const char *top_name_of (const top_t *self, const char *id);
void top_free (top_t *self);

/* ---- view */

typedef enum top_style_t {
    TOP_PLAIN,
    TOP_BOLD,
    TOP_HEADING,
    TOP_SELECTED,
    TOP_GOOD,
    TOP_BAD,
    TOP_ALARM
} top_style_t;

typedef struct top_line_t {
    strbuf_t text; /* exactly as wide as the view */
    top_style_t style;
} top_line_t;

typedef struct top_view_t {
    size_t width, height;
    top_line_t *lines; /* `height` of them */
    size_t count;
    bool all; /* a plain print: as many lines as it takes, no selection, no keys */
    bool failed;
} top_view_t;

/* Makes the lines of the present page. Moves self->first so that the selection is seen. */
void top_show (top_t *self, top_view_t *view);
void top_view_free (top_view_t *view);

#endif
