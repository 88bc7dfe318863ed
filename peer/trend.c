#include "peer/trend.h"

const char *skr_trend_name (skr_trend_row_t row)
{
    static const char *const names[SKR_TREND_ROWS] = {
        [SKR_TREND_APPLIED] = "applied",     [SKR_TREND_WRITTEN] = "written",
        [SKR_TREND_BYTES] = "bytes",         [SKR_TREND_WAITING] = "waiting",
        [SKR_TREND_BEHIND] = "behind",       [SKR_TREND_UP] = "up",
        [SKR_TREND_USED] = "used",           [SKR_TREND_LOG] = "log",
        [SKR_TREND_CONFLICTS] = "conflicts",
    };
    return names[row];
}

bool skr_trend_due (const skr_trend_t *self, uint64_t mono_ms)
{
    return mono_ms >= self->step_ms;
}

/* A counter that began anew (a link that came back) added what it is at now. */
static int64_t added (int64_t now, int64_t before)
{
    return now >= before ? now - before : now;
}

void skr_trend_take (skr_trend_t *self, const int64_t now[SKR_TREND_ROWS], uint64_t mono_ms)
{
    for (int row = 0; row < SKR_TREND_ROWS && self->step_ms; row++) {
        self->values[row][self->next] =
            row < SKR_TREND_SUMS ? added (now[row], self->sums[row]) : now[row];
    }
    if (self->step_ms) {
        self->next = (self->next + 1) % SKR_TREND_STEPS;
        self->count += self->count < SKR_TREND_STEPS;
    }
    for (int row = 0; row < SKR_TREND_SUMS; row++) {
        self->sums[row] = now[row];
    }
    self->step_ms = mono_ms + SKR_TREND_STEP_MS;
}

int64_t skr_trend_at (const skr_trend_t *self, skr_trend_row_t row, size_t number)
{
    size_t first = (self->next + SKR_TREND_STEPS - self->count) % SKR_TREND_STEPS;
    return self->values[row][(first + number) % SKR_TREND_STEPS];
}
