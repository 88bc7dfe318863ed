#include "amounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void amount_age (int64_t age_ms, char text[AMOUNT_MAX])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (age_ms >= units[i].ms) {
            snprintf (text, AMOUNT_MAX, "%" PRId64 " %s", age_ms / units[i].ms, units[i].unit);
            return;
        }
    }
    snprintf (text, AMOUNT_MAX, age_ms < 0 ? "never" : "%" PRId64 " ms", age_ms);
}

void amount_skew (int64_t skew_ms, char text[AMOUNT_MAX])
{
    char age[AMOUNT_MAX];
    amount_age (skew_ms < 0 ? -skew_ms : skew_ms, age);
    text[0] = skew_ms < 0 ? '-' : '+';
    memcpy (text + 1, age, AMOUNT_MAX - 1); /* no age is that long */
}

void amount_bytes (uint64_t bytes, char text[AMOUNT_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = (double) bytes;
    size_t unit = 0;
    while (amount >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1024;
        unit++;
    }
    snprintf (text, AMOUNT_MAX, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

void amount_rtt (int64_t rtt_us, char text[AMOUNT_MAX])
{
    if (rtt_us < 0) {
        snprintf (text, AMOUNT_MAX, "-");
    } else if (rtt_us < 100) {
        snprintf (text, AMOUNT_MAX, "%.2f ms", (double) rtt_us / 1000);
    } else if (rtt_us < 10000) {
        snprintf (text, AMOUNT_MAX, "%.1f ms", (double) rtt_us / 1000);
    } else {
        amount_age (rtt_us / 1000, text);
    }
}

void amount_count (int64_t count, char text[AMOUNT_MAX])
{
    static const char units[] = {'k', 'M', 'G', 'T'};
    double amount = (double) count;
    size_t unit = 0;
    if (count < 10000) {
        snprintf (text, AMOUNT_MAX, "%" PRId64, count);
        return;
    }
    for (amount /= 1000; amount >= 1000 && unit + 1 < sizeof units; unit++) {
        amount /= 1000;
    }
    snprintf (text, AMOUNT_MAX, amount < 10 ? "%.1f%c" : "%.0f%c", amount, units[unit]);
}

const char *amount_plural (uint64_t count)
{
    return count == 1 ? "" : "s";
}

void amount_bars (const int64_t *values, size_t count, size_t bars,
                  char text[3 * AMOUNT_BARS_MAX + 1])
{
    int64_t highest = 1;
    bars = bars < AMOUNT_BARS_MAX ? bars : AMOUNT_BARS_MAX;
    size_t first = count > bars ? count - bars : 0;
    for (size_t i = first; i < count; i++) {
        highest = values[i] > highest ? values[i] : highest;
    }
    size_t at = 0;
    for (size_t i = first; i < count; i++, at += 3) {
        int64_t value = values[i] > 0 ? values[i] : 0;
        int height = (int) ((double) value * 7 / (double) highest + (value > 0 ? 0.5 : 0));
        memcpy (text + at, "\xe2\x96", 2); /* U+2581 to U+2588 */
        text[at + 2] = (char) (0x81 + height);
    }
    text[at] = 0;
}
