/* Amounts: times, sizes and rates in a few characters, for people. */

#ifndef TOOLS_AMOUNTS_H_INCLUDED
#define TOOLS_AMOUNTS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

#define AMOUNT_MAX 32

/* "12 ms", "3 s", "5 min", "2 h", "4 d"; below zero: "never". */
void amount_age (int64_t age_ms, char text[AMOUNT_MAX]);
/* The same of a difference between two clocks: "+3 s", "-40 ms". */
void amount_skew (int64_t skew_ms, char text[AMOUNT_MAX]);
/* "3 B", "1.5 KiB". */
void amount_bytes (uint64_t bytes, char text[AMOUNT_MAX]);
/* "0.05 ms", "0.4 ms", "12 ms"; below zero: "-". */
void amount_rtt (int64_t rtt_us, char text[AMOUNT_MAX]);
/* "812", "12k", "3.4M": four characters at most. */
void amount_count (int64_t count, char text[AMOUNT_MAX]);
/* "" for one, else "s". */
const char *amount_plural (uint64_t count);

/* A bar a value, of eight heights, the highest being the highest value; as UTF-8. Values of zero
   and below show as the lowest. At most `bars` of them, the last ones. */
#define AMOUNT_BARS_MAX 64
void amount_bars (const int64_t *values, size_t count, size_t bars,
                  char text[3 * AMOUNT_BARS_MAX + 1]);

#endif
