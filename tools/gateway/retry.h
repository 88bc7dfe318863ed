/* Retry: when something that failed is tried again. */

#ifndef TOOLS_GATEWAY_RETRY_H_INCLUDED
#define TOOLS_GATEWAY_RETRY_H_INCLUDED

#include <stdint.h>

#define RETRY_ATTEMPTS_DEFAULT 12 /* about a day */
#define RETRY_ATTEMPTS_MAX 50
#define RETRY_BASE_DEFAULT_MS 5000
#define RETRY_BASE_MIN_MS 50
#define RETRY_MAX_MS (INT64_C (6) * 3600 * 1000)
#define RETRY_AFTER_MAX_MS (INT64_C (24) * 3600 * 1000) /* what a receiver may ask for */
#define RETRY_HOLD_MAX_MS 60000 /* a receiver that fails is tried at least so often */

/* Milliseconds to wait after `attempts` (1 or more) that failed: `base_ms`, three times as long
   each time, six hours at most, up to a quarter less or more by chance; and no less than what the
   receiver asked for (0: nothing). `random` is any number. */
int64_t retry_delay_ms (int64_t base_ms, unsigned attempts, int64_t asked_ms, uint32_t random);
/* For how long nothing else is sent to a receiver that failed `failures` times in a row. */
int64_t retry_hold_ms (int64_t base_ms, unsigned failures, int64_t asked_ms, uint32_t random);

#endif
