/* Records in SKR_META:

     "looked"         wall time of the last look, u64
     "silent" device  for how long it was not heard, u64 */

#include "peer/silence.h"

#include "peer/replica_internal.h"

#include <string.h>

#define LOOKED_KEY "looked"
#define SILENT_KEY "silent"
#define SILENT_KEY_BYTES (6 + SKR_DEVICE_KEY_BYTES)

/* *number stays when there is none. */
static saker_err_t get_number (skr_replica_t *self, skr_span_t key, uint64_t *number)
{
    skr_span_t value;
    saker_err_t error = skr_store_get (self->store, SKR_GROUP, SKR_META, key, &value);
    if (error == SAKER_OK && value.size == 8) {
        *number = skr_get_u64 (value.data);
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t put_number (skr_replica_t *self, skr_span_t key, uint64_t number)
{
    uint8_t value[8];
    skr_put_u64 (value, number);
    return skr_store_put (self->store, SKR_META, key, skr_span (value, sizeof value));
}

static skr_span_t silent_key (uint8_t key[SILENT_KEY_BYTES], const uint8_t *device)
{
    memcpy (key, SILENT_KEY, 6);
    memcpy (key + 6, device, SKR_DEVICE_KEY_BYTES);
    return skr_span (key, SILENT_KEY_BYTES);
}

saker_err_t skr_silence_look (skr_replica_t *self, uint64_t most_ms, uint64_t *step_ms)
{
    uint64_t now_ms = self->world->wall_ms (self->world->context), before_ms = now_ms;
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (get_number (self, skr_span_text (LOOKED_KEY), &before_ms));
    uint64_t passed_ms = now_ms > before_ms ? now_ms - before_ms : 0;
    *step_ms = passed_ms < most_ms ? passed_ms : most_ms;
    return put_number (self, skr_span_text (LOOKED_KEY), now_ms);
}

saker_err_t skr_silence_add (skr_replica_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                             uint64_t step_ms, uint64_t *silent_ms)
{
    uint8_t bytes[SILENT_KEY_BYTES];
    skr_span_t key = silent_key (bytes, device);
    *silent_ms = 0;
    SKR_TRY (get_number (self, key, silent_ms));
    *silent_ms += step_ms;
    return put_number (self, key, *silent_ms);
}

saker_err_t skr_silence_end (skr_replica_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    uint8_t bytes[SILENT_KEY_BYTES];
    saker_err_t error = skr_store_remove (self->store, SKR_META, silent_key (bytes, device));
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}
