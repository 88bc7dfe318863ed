#include "gateway/tally.h"

#include "gateway/instant.h"
#include "gateway/prom.h"
#include "gateway/request.h"
#include "gateway/route.h"

#define COUNT(list) (sizeof (list) / sizeof *(list))

static const unsigned codes[] = {200, 201, 202, 204, 206, 304, 400, 401, 403, 404,
                                 405, 406, 409, 410, 412, 413, 415, 421, 422, 428,
                                 429, 431, 500, 501, 503, 504, 505, 507};
static const double limits_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                  0.1,    0.25,  0.5,    1,     2.5,  5,     10};

_Static_assert(COUNT (codes) <= TALLY_CODES_MAX, "a code has no place");
_Static_assert(COUNT (limits_s) < TALLY_BUCKETS_MAX, "a bucket has no place");

static size_t number_of_code (unsigned code)
{
    size_t number = 0;
    while (number < COUNT (codes) && codes[number] != code) {
        number++;
    }
    return number;
}

static size_t number_of_route (const struct route_t *route)
{
    size_t number = route ? (size_t) (route - routes) : TALLY_ROUTES_MAX;
    return number < TALLY_ROUTES_MAX ? number : TALLY_ROUTES_MAX;
}

static void count_time (tally_t *self, int64_t us)
{
    size_t number = 0;
    while (number < COUNT (limits_s) && (double) us > limits_s[number] * 1e6) {
        number++;
    }
    atomic_fetch_add (&self->buckets[number], 1);
    atomic_fetch_add (&self->sum_us, (uint64_t) us);
}

/* What waited for changes took as long as its client wanted. */
void tally_count (tally_t *self, const request_t *request)
{
    atomic_fetch_add (
        &self->answers[number_of_route (request->route)][number_of_code (request->status)], 1);
    if (!request->waited) {
        count_time (self, instant_mono_us () - request->begun_us);
    }
}

static void add_route (tally_t *self, strbuf_t *text, size_t number)
{
    bool known = number < TALLY_ROUTES_MAX;
    for (size_t i = 0; i <= COUNT (codes); i++) {
        char code[8];
        uint64_t count = atomic_load (&self->answers[number][i]);
        snprintf (code, sizeof code, "%u", i < COUNT (codes) ? codes[i] : 0);
        if (count > 0) {
            prom_sample (text, "saker_gateway_requests_total", (double) count, "method",
                         known ? routes[number].method : "", "route",
                         known ? routes[number].pattern : "", "code",
                         i < COUNT (codes) ? code : "other");
        }
    }
}

static void add_times (tally_t *self, strbuf_t *text)
{
    static const char name[] = "saker_gateway_request_seconds";
    uint64_t count = 0;
    prom_family (text, name, "histogram",
                 "How long requests took, from the first line to the answer; without streams, and "
                 "polls that waited.");
    for (size_t i = 0; i <= COUNT (limits_s); i++) {
        char limit[32] = "+Inf";
        count += atomic_load (&self->buckets[i]);
        if (i < COUNT (limits_s)) {
            snprintf (limit, sizeof limit, "%g", limits_s[i]);
        }
        prom_sample (text, "saker_gateway_request_seconds_bucket", (double) count, "le", limit);
    }
    prom_bare (text, "saker_gateway_request_seconds_sum",
               (double) atomic_load (&self->sum_us) / 1e6);
    prom_bare (text, "saker_gateway_request_seconds_count", (double) count);
}

void tally_text (tally_t *self, strbuf_t *text)
{
    prom_family (text, "saker_gateway_requests_total", "counter",
                 "Requests that were answered; those that fit no route, or were refused before it "
                 "was looked for, have an empty one.");
    for (size_t number = 0; number <= TALLY_ROUTES_MAX; number++) {
        if (number == TALLY_ROUTES_MAX || number < route_count ()) {
            add_route (self, text, number);
        }
    }
    add_times (self, text);
}
