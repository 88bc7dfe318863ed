/* Plots: lines over a logarithmic axis, as SVG. */

#ifndef BENCH_PLOT_H_INCLUDED
#define BENCH_PLOT_H_INCLUDED

#include <stddef.h>

#define PLOT_POINTS_MAX 16
#define PLOT_LINES_MAX 4

typedef struct plot_line_t {
    const char *name;
    double y[PLOT_POINTS_MAX];
} plot_line_t;

typedef struct plot_t {
    const char *title, *x_name, *y_name;
    double x[PLOT_POINTS_MAX]; /* ascending, above 0 */
    size_t points;
    plot_line_t lines[PLOT_LINES_MAX];
    size_t lines_count;
} plot_t;

/* Writes FOLDER/NAME.svg; says so on standard error when it cannot. */
void plot_write (const plot_t *self, const char *folder, const char *name);

#endif
