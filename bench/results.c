#include "bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *row = "";

void bench_row (const char *name)
{
    row = name;
}

void bench_print (const char *figure, double value, const char *unit, const char *limit,
                  double limit_value)
{
    double ratio = limit && limit_value > 0 ? value / limit_value : 0;
    if (bench_options.json) {
        printf ("{\"row\":\"%s\",\"figure\":\"%s\",\"value\":%.4f,\"unit\":\"%s\"", row, figure,
                value, unit);
        if (limit) {
            printf (",\"limit\":\"%s\",\"limit_value\":%.4f,\"ratio\":%.4f", limit, limit_value,
                    ratio);
        }
        printf ("}\n");
    } else if (limit) {
        printf ("%-10s %-48s %12.1f %-12s %8.2f x %s (%.1f)\n", row, figure, value, unit, ratio,
                limit, limit_value);
    } else {
        printf ("%-10s %-48s %12.1f %-12s\n", row, figure, value, unit);
    }
    fflush (stdout);
}

void bench_info (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fputs ("saker-bench: ", stderr);
    vfprintf (stderr, format, arguments);
    fputc ('\n', stderr);
    va_end (arguments);
}
