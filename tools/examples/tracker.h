/* Tracker: what tracker.c and tracker_show.c share. See docs/tracker.md. */

#ifndef TRACKER_H_INCLUDED
#define TRACKER_H_INCLUDED

#include "saker.h"

#include <stdio.h>

#define TEXT_MAX 1024
#define LABEL_MAX 128

/* A leaf of the collection, with its value as a text. */
typedef struct leaf_t {
    char *document, *pointer, *text, *author;
    saker_cell_t cell;
    uint64_t time_ms;
    bool shown, rival;
} leaf_t;

/* The whole collection, in the order of documents. */
typedef struct show_t {
    leaf_t *leaves;
    size_t count, capacity;
    bool failed; /* out of memory */
    FILE *out;   /* while it is printed */
} show_t;

typedef struct tracker_t {
    saker_t *saker;
    const char *collection;
    show_t show;
} tracker_t;

/* Prints "tracker: " and a sentence; returns the error. */
saker_err_t fail (saker_err_t error, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* The same with libsaker's sentence; SAKER_OK stays. */
saker_err_t fail_saker (saker_err_t error);

/* ---- tracker_show.c */

saker_err_t show_load (tracker_t *self);
void show_free (show_t *show);
/* The first leaf whose document is not below this one; show->count when there is none. */
size_t show_from (const show_t *show, const char *document);
/* What a place shows; "" when nothing is there. */
const char *show_get (const show_t *show, const char *document, const char *pointer);
bool show_has (const show_t *show, const char *document);
/* Calls `each` for every document whose id begins so, until it returns another value than 0, which
   is returned. */
typedef int document_fn (const show_t *show, const char *document, void *argument);
int show_each (const show_t *show, const char *prefix, document_fn *each, void *argument);
/* "v003", or "v003 (bob)" where another version of the shot has the same number. */
void show_label (const show_t *show, const char *version, char label[LABEL_MAX]);
/* The highest number of a version of a shot; 0: there is none. */
long show_highest (const show_t *show, const char *shot);

/* Reads the collection, lets `print` write to show.out, cells with tabs between, and prints that in
   columns. */
saker_err_t show_print (tracker_t *self, saker_err_t (*print) (tracker_t *self, const char *word),
                        const char *word);
saker_err_t print_list (tracker_t *self, const char *word);
saker_err_t print_shot (tracker_t *self, const char *shot);
saker_err_t print_conflicts (tracker_t *self, const char *word);

#endif
