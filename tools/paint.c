#include "paint.h"

#include "columns.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool paint_wanted (FILE *file)
{
    const char *no_color = getenv ("NO_COLOR");
    const char *term = getenv ("TERM");
    return !(no_color && *no_color) && term && strcmp (term, "dumb") != 0 && isatty (fileno (file));
}

void paint_text (FILE *file, paint_t paint, const char *text)
{
    static const char *const codes[] = {"", "\033[1m", "\033[32m", "\033[33m", "\033[31m"};
    bool painted = paint != PAINT_NONE && paint_wanted (file);
    if (painted) {
        fputs (codes[paint], file);
    }
    for (; *text; text++) {
        unsigned char byte = (unsigned char) *text, next = (unsigned char) text[1];
        bool steers = byte == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F */
        fputc (byte < 0x20 || byte == 0x7f || steers ? '?' : byte, file);
        text += steers;
    }
    if (painted) {
        fputs ("\033[0m", file);
    }
}

size_t paint_width (const char *text)
{
    return columns_width (text);
}

void paint_time (uint64_t time_ms, char text[PAINT_TIME_MAX])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm broken;
    char date[PAINT_TIME_MAX - 8];
    if (!gmtime_r (&seconds, &broken)
        || !strftime (date, sizeof date, "%Y-%m-%dT%H:%M:%S", &broken)) {
        snprintf (date, sizeof date, "?");
    }
    snprintf (text, PAINT_TIME_MAX, "%s.%03uZ", date, (unsigned) (time_ms % 1000));
}

void paint_table_add (paint_table_t *table, paint_t paint, size_t columns,
                      const char *const cells[])
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2 + 8;
        paint_row_t *rows = realloc (table->rows, capacity * sizeof *rows);
        if (!rows) {
            table->failed = true;
            return;
        }
        table->rows = rows;
        table->capacity = capacity;
    }
    paint_row_t *row = &table->rows[table->count++];
    *row = (paint_row_t){.paint = paint};
    table->columns = columns;
    for (size_t i = 0; i < columns; i++) {
        row->cells[i] = strdup (cells[i]);
        table->failed |= !row->cells[i];
    }
}

static size_t column_width (const paint_table_t *table, size_t column)
{
    size_t width = 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t cell = paint_width (table->rows[i].cells[column]);
        width = cell > width ? cell : width;
    }
    return width;
}

void paint_table_print (const paint_table_t *table, FILE *file)
{
    if (table->failed) {
        return;
    }
    size_t widths[PAINT_COLUMNS_MAX];
    for (size_t column = 0; column < table->columns; column++) {
        widths[column] = column_width (table, column);
    }
    for (size_t i = 0; i < table->count; i++) {
        const paint_row_t *row = &table->rows[i];
        for (size_t column = 0; column < table->columns; column++) {
            bool last = column + 1 == table->columns;
            paint_text (file,
                        i == 0 ? PAINT_BOLD
                        : last ? row->paint
                               : PAINT_NONE,
                        row->cells[column]);
            size_t gap = last ? 0 : widths[column] - paint_width (row->cells[column]) + 2;
            fprintf (file, "%*s", (int) gap, "");
        }
        fputc ('\n', file);
    }
}

void paint_table_free (paint_table_t *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t column = 0; column < table->columns; column++) {
            free (table->rows[i].cells[column]);
        }
    }
    free (table->rows);
    *table = (paint_table_t){0};
}
