#include "mesh/live.h"

#include <string.h>

#define FRAME_CHANGES_MAX 4096

/* A frame being filled: byte strings, their number is known only at the end. */
typedef struct filling_t {
    skr_live_send_fn *send;
    void *context;
    skr_buf_t changes;
    size_t count;
    uint64_t *frames;
} filling_t;

static void send_frame (filling_t *filling)
{
    skr_buf_t frame = {0};
    if (!filling->count) {
        return;
    }
    skr_buf_append_byte (&frame, SKR_FRAME_LIVE);
    skr_cbor_put_array (&frame, filling->count);
    skr_buf_append_span (&frame, skr_span_of (&filling->changes));
    if (!frame.failed && !filling->changes.failed
        && filling->send (filling->context, skr_span_of (&frame))) {
        ++*filling->frames;
    }
    skr_buf_free (&frame);
    skr_buf_clear (&filling->changes);
    filling->count = 0;
}

static void add_change (const skr_id_t *collection, skr_span_t change, void *argument)
{
    filling_t *filling = argument;
    (void) collection;
    if (filling->changes.size + change.size + 16 > SKR_CHANGE_BYTES_MAX
        || filling->count == FRAME_CHANGES_MAX) {
        send_frame (filling);
    }
    skr_cbor_put_bytes (&filling->changes, change.data, change.size);
    filling->count++;
}

void skr_live_publish (skr_replica_t *replica, skr_live_send_fn *send, void *context,
                       uint64_t *frames)
{
    filling_t filling = {.send = send, .context = context, .frames = frames};
    skr_replica_made (replica, add_change, &filling);
    send_frame (&filling);
    skr_buf_free (&filling.changes);
}

saker_err_t skr_live_take (skr_replica_t *replica, skr_span_t frame, bool *bad)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, frame);
    size_t count = skr_cbor_get_array (&cbor, FRAME_CHANGES_MAX);
    *bad = false;
    if (count) {
        SKR_TRY (skr_replica_begin (replica));
    }
    for (size_t i = 0; i < count; i++) {
        skr_outcome_t outcome;
        skr_span_t change = skr_cbor_get_bytes (&cbor);
        if (cbor.error != SAKER_OK) {
            break;
        }
        SKR_TRY (skr_replica_offer (replica, change, &outcome));
    }
    *bad = skr_cbor_close (&cbor) != SAKER_OK;
    return SAKER_OK;
}
