#include "moment.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t moment_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* ---- RFC 3339 */

/* A number of exactly `digits` digits; moves *text behind it. -1: it is not there. */
static int take_number (const char **text, int digits)
{
    int number = 0;
    for (int i = 0; i < digits; i++) {
        char digit = (*text)[i];
        if (digit < '0' || digit > '9') {
            return -1;
        }
        number = 10 * number + (digit - '0');
    }
    *text += digits;
    return number;
}

static bool take_char (const char **text, const char *among)
{
    bool is = **text && strchr (among, **text);
    *text += is;
    return is;
}

/* Days since 1970 of a day of the Gregorian calendar; years begin in March, so that a leap day is
   the last. */
static int64_t days_since_1970 (int year, int month, int day)
{
    int64_t march_year = year - (month <= 2);
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    return 365 * march_year + leap_days + day_of_year - 719468;
}

static bool is_day (int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap);
}

static bool take_date (const char **text, int64_t *days)
{
    int year = take_number (text, 4);
    int month = take_char (text, "-") ? take_number (text, 2) : -1;
    int day = take_char (text, "-") ? take_number (text, 2) : -1;
    if (!is_day (year, month, day)) {
        return false;
    }
    *days = days_since_1970 (year, month, day);
    return true;
}

static bool take_clock (const char **text, int64_t *ms)
{
    int hour = take_number (text, 2);
    int minute = take_char (text, ":") ? take_number (text, 2) : -1;
    int second = take_char (text, ":") ? take_number (text, 2) : -1;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C (1000);
    int64_t unit = 100;
    if (take_char (text, ".")) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10) {
            *ms += (**text - '0') * unit;
        }
    }
    return true;
}

static bool take_zone (const char **text, int64_t *ms)
{
    *ms = 0;
    if (take_char (text, "Zz")) {
        return true;
    }
    int64_t sign = **text == '-' ? -1 : 1;
    int hours = take_char (text, "+-") ? take_number (text, 2) : -1;
    int minutes = take_char (text, ":") ? take_number (text, 2) : -1;
    *ms = sign * (hours * 60 + minutes) * INT64_C (60000);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

static bool parse_date (const char *text, int64_t *time_ms)
{
    int64_t days, clock, zone;
    if (!take_date (&text, &days) || !take_char (&text, "Tt ") || !take_clock (&text, &clock)
        || !take_zone (&text, &zone) || *text) {
        return false;
    }
    *time_ms = days * INT64_C (86400000) + clock - zone;
    return *time_ms >= 0;
}

/* ---- how long ago */

static bool parse_ago (const char *text, int64_t *ago_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;
    if (*text < '0' || *text > '9' || strlen (text) > 15) {
        return false;
    }
    int64_t number = strtoll (text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp (end, units[i].name) == 0) {
            *ago_ms = number <= INT64_MAX / units[i].ms ? number * units[i].ms : INT64_MAX;
            return true;
        }
    }
    return false;
}

/* ---- both */

saker_err_t moment_option (call_t *call, const char *option, uint64_t *time_ms)
{
    const char *text = call_option (call, option);
    int64_t now = (int64_t) moment_now (), at = now;
    if (strcmp (text, "now") == 0) {
        *time_ms = (uint64_t) now;
        return SAKER_OK;
    }
    if (parse_ago (text, &at)) {
        at = now > at ? now - at : 0;
    } else if (!parse_date (text, &at)) {
        return call_fail (call, SAKER_EUSAGE,
                          "--%s %s is no time; write it like 2026-11-29T12:00:00Z, or as how long "
                          "ago: 10m, 2h, 3d",
                          option, text);
    }
    if (at > now) {
        return call_fail (call, SAKER_EINPUT, "--%s %s lies in the future", option, text);
    }
    *time_ms = (uint64_t) at;
    return SAKER_OK;
}
