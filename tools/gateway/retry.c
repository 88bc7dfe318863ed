#include "gateway/retry.h"

static int64_t lower (int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t grown_ms (int64_t base_ms, unsigned times, int64_t most_ms)
{
    int64_t delay_ms = base_ms;
    for (unsigned i = 1; i < times && delay_ms < most_ms; i++) {
        delay_ms *= 3;
    }
    return lower (delay_ms, most_ms);
}

static int64_t jitter (int64_t delay_ms, uint32_t random)
{
    return delay_ms - delay_ms / 4 + (int64_t) (random % 1000) * (delay_ms / 2) / 1000;
}

static int64_t at_least (int64_t delay_ms, int64_t asked_ms)
{
    asked_ms = lower (asked_ms, RETRY_AFTER_MAX_MS);
    return delay_ms > asked_ms ? delay_ms : asked_ms;
}

int64_t retry_delay_ms (int64_t base_ms, unsigned attempts, int64_t asked_ms, uint32_t random)
{
    return at_least (jitter (grown_ms (base_ms, attempts, RETRY_MAX_MS), random), asked_ms);
}

int64_t retry_hold_ms (int64_t base_ms, unsigned failures, int64_t asked_ms, uint32_t random)
{
    return at_least (jitter (grown_ms (base_ms, failures, RETRY_HOLD_MAX_MS), random), asked_ms);
}
