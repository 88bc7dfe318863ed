/* Records as they come out of a store whose disk, or whose writer, was wrong: buckets of cells,
   entries of the log, invitations, values. (A checksum keeps most of it away from the decoders.) */

#include "tests/fuzz/fuzz.h"

#include "crdt/value.h"
#include "peer/bucket.h"
#include "peer/log.h"
#include "peer/ticket.h"

static void read_bucket (skr_span_t bytes)
{
    skr_bucket_reader_t reader = {0};
    size_t count = 0;
    skr_bucket_open (&reader, bytes);
    while (skr_bucket_next (&reader)) {
        count++;
        FUZZ_CHECK (reader.item.value.size <= bytes.size);
    }
    FUZZ_CHECK (count <= bytes.size);
    skr_bucket_free (&reader);
}

static void read_log (stage_t *stage, skr_span_t bytes)
{
    skr_store_t *store = skr_replica_store (stage->pair.a);
    static const uint8_t key[8] = {0x7f};
    skr_log_entry_t entry;
    FUZZ_CHECK (skr_store_begin (store) == SAKER_OK);
    FUZZ_CHECK (skr_store_put (store, SKR_LOG, skr_span (key, sizeof key), bytes) == SAKER_OK);
    if (skr_log_get (store, SKR_GROUP, skr_get_u64 (key), &entry) == SAKER_OK) {
        FUZZ_CHECK (entry.change.size + entry.undo.size <= bytes.size);
    }
    skr_store_abort (store);
}

static void read_invitation (stage_t *stage, skr_span_t bytes)
{
    skr_store_t *store = skr_replica_store (stage->pair.a);
    static const uint8_t key[32] = {3};
    skr_invitation_t invitation;
    FUZZ_CHECK (skr_store_begin (store) == SAKER_OK);
    FUZZ_CHECK (skr_store_put (store, SKR_INVITATIONS, skr_span (key, sizeof key), bytes)
                == SAKER_OK);
    (void) !skr_invitation_get (store, SKR_GROUP, key, &invitation);
    skr_store_abort (store);
}

/* A value that is taken is the same when written again. */
static void read_value (skr_span_t bytes)
{
    saker_value_t value;
    skr_buf_t again = {0};
    if (skr_value_parse (bytes, &value) == SAKER_OK && skr_value_check (&value) == SAKER_OK) {
        skr_value_put (&again, &value);
        FUZZ_CHECK (skr_span_equal (bytes, skr_span_of (&again)));
    }
    skr_buf_free (&again);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    input_t input = {data, size};
    uint8_t kind = input_byte (&input);
    skr_span_t rest = input_rest (&input);
    switch (kind % 4) {
    case 0:
        read_bucket (rest);
        break;
    case 1:
        read_log (stage_get (), rest);
        break;
    case 2:
        read_invitation (stage_get (), rest);
        break;
    default:
        read_value (rest);
    }
    return 0;
}
