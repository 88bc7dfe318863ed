#include "bench/plot.h"

#include "bench/bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 640
#define HEIGHT 360
#define LEFT 90
#define RIGHT 20
#define TOP 50
#define BOTTOM 60

static const char *const colours[PLOT_LINES_MAX] = {"#1b6ca8", "#c8553d", "#3a7d44", "#7b4f9d"};

/* The axis of values ends at 1, 2 or 5 times a power of ten. */
static double round_up (double value)
{
    double power = pow (10, floor (log10 (value > 0 ? value : 1)));
    double part = value / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static double highest (const plot_t *self)
{
    double most = 0;
    for (size_t i = 0; i < self->lines_count; i++) {
        for (size_t k = 0; k < self->points; k++) {
            most = self->lines[i].y[k] > most ? self->lines[i].y[k] : most;
        }
    }
    return round_up (most);
}

static double x_of (const plot_t *self, double x)
{
    double low = log10 (self->x[0]), high = log10 (self->x[self->points - 1]);
    double part = high > low ? (log10 (x) - low) / (high - low) : 0;
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static double y_of (double y, double most)
{
    return HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM);
}

static void write_axes (const plot_t *self, double most, FILE *file)
{
    for (int i = 0; i <= 5; i++) {
        double value = most * i / 5, y = y_of (value, most);
        fprintf (file, "<path d='M%d %.1fH%d' stroke='#ddd'/>", LEFT, y, WIDTH - RIGHT);
        fprintf (file, "<text x='%d' y='%.1f' text-anchor='end'>%.7g</text>\n", LEFT - 8, y + 4,
                 value);
    }
    for (size_t i = 0; i < self->points; i++) {
        fprintf (file, "<text x='%.1f' y='%d' text-anchor='middle'>%.7g</text>\n",
                 x_of (self, self->x[i]), HEIGHT - BOTTOM + 18, self->x[i]);
    }
    fprintf (file, "<text x='%d' y='22' font-size='15'>%s</text>\n", LEFT, self->title);
    fprintf (file, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", (WIDTH + LEFT) / 2,
             HEIGHT - 18, self->x_name);
    fprintf (file, "<text x='14' y='%d'>%s</text>\n", TOP - 10, self->y_name);
}

static void write_line (const plot_t *self, size_t at, double most, FILE *file)
{
    const plot_line_t *line = &self->lines[at];
    fprintf (file, "<polyline fill='none' stroke-width='2' stroke='%s' points='", colours[at]);
    for (size_t i = 0; i < self->points; i++) {
        fprintf (file, "%.1f,%.1f ", x_of (self, self->x[i]), y_of (line->y[i], most));
    }
    fprintf (file, "'/>\n");
    for (size_t i = 0; i < self->points; i++) {
        fprintf (file,
                 "<circle r='3' fill='%s' cx='%.1f' cy='%.1f'><title>%.7g: %.7g</title></circle>\n",
                 colours[at], x_of (self, self->x[i]), y_of (line->y[i], most), self->x[i],
                 line->y[i]);
    }
    fprintf (file, "<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text>\n", WIDTH - RIGHT,
             TOP - 24 + (int) at * 15, colours[at], line->name);
}

void plot_write (const plot_t *self, const char *folder, const char *name)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s.svg", folder, name);
    FILE *file = fopen (path, "w");
    if (!file) {
        bench_info ("%s: %s", path, strerror (errno));
        return;
    }
    double most = highest (self);
    fprintf (file,
             "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' "
             "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
             WIDTH, HEIGHT);
    write_axes (self, most, file);
    for (size_t i = 0; i < self->lines_count; i++) {
        write_line (self, i, most, file);
    }
    fprintf (file, "</svg>\n");
    if (fclose (file) != 0) {
        bench_info ("%s: %s", path, strerror (errno));
    }
}
