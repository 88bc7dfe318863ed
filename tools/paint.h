/* Paint: colours, tables and times for people. Colours are used only on a terminal, and not when
   NO_COLOR is set. Text of other peers is printed without control characters, so that no name can
   steer the terminal. */

#ifndef TOOLS_PAINT_H_INCLUDED
#define TOOLS_PAINT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum paint_t { PAINT_NONE, PAINT_BOLD, PAINT_GREEN, PAINT_YELLOW, PAINT_RED } paint_t;

/* True when `file` is a terminal that takes colours. */
bool paint_wanted (FILE *file);
/* Prints text with its control characters replaced by '?'. */
void paint_text (FILE *file, paint_t paint, const char *text);
/* Columns that a text takes; see columns.h. */
size_t paint_width (const char *text);

#define PAINT_TIME_MAX 32
/* "2026-11-23T16:34:44.123Z" of milliseconds since 1970. */
void paint_time (uint64_t time_ms, char text[PAINT_TIME_MAX]);

#define PAINT_COLUMNS_MAX 8

typedef struct paint_row_t {
    char *cells[PAINT_COLUMNS_MAX];
    paint_t paint; /* of the last cell */
} paint_row_t;

typedef struct paint_table_t {
    size_t columns, count, capacity;
    paint_row_t *rows;
    bool failed; /* out of memory */
} paint_table_t;

/* Copies `columns` texts. The first row is the heading. */
void paint_table_add (paint_table_t *table, paint_t paint, size_t columns,
                      const char *const cells[]);
void paint_table_print (const paint_table_t *table, FILE *file);
void paint_table_free (paint_table_t *table);

#endif
