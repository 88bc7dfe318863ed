/* Trend: how things went in the last ten minutes, in steps: for whoever looks at this peer. */

#ifndef SKR_PEER_TREND_H_INCLUDED
#define SKR_PEER_TREND_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKR_TREND_STEP_MS 10000
#define SKR_TREND_STEPS 60

typedef enum skr_trend_row_t {
    SKR_TREND_APPLIED, /* sums so far, of which each step keeps what it added */
    SKR_TREND_WRITTEN,
    SKR_TREND_BYTES,
    SKR_TREND_SUMS,
    SKR_TREND_WAITING = SKR_TREND_SUMS, /* as it is at the end of a step */
    SKR_TREND_BEHIND,
    SKR_TREND_UP,
    SKR_TREND_USED,
    SKR_TREND_LOG,
    SKR_TREND_CONFLICTS,
    SKR_TREND_ROWS
} skr_trend_row_t;

const char *skr_trend_name (skr_trend_row_t row);

/* Starts as all zeros. */
typedef struct skr_trend_t {
    int64_t values[SKR_TREND_ROWS][SKR_TREND_STEPS]; /* a ring */
    int64_t sums[SKR_TREND_SUMS];                    /* at the end of the last step */
    size_t count, next;
    uint64_t step_ms; /* mono, when the step at hand ends; 0: none has begun */
} skr_trend_t;

/* Is it time to tell how things are? */
bool skr_trend_due (const skr_trend_t *self, uint64_t mono_ms);
/* Tells: one value a row. */
void skr_trend_take (skr_trend_t *self, const int64_t now[SKR_TREND_ROWS], uint64_t mono_ms);
/* A value, the oldest being number 0. */
int64_t skr_trend_at (const skr_trend_t *self, skr_trend_row_t row, size_t number);

#endif
