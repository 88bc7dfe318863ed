/* Live frames, raw or made of contents that a member seals and signs, offered to a replica; then
   all is aborted, and the replica is as before. */

#include "tests/fuzz/fuzz.h"

#include "crdt/change.h"
#include "mesh/live.h"
#include "mesh/wire.h"

#include <sodium.h>

/* Changes of B that A has not seen, with contents that the input tells. */
static void put_changes (stage_t *stage, input_t *input, skr_buf_t *frame)
{
    static const skr_clock_t nothing;
    skr_replica_t *author = stage->pair.b;
    const skr_collection_t *held = skr_replica_collection (author, &stage->collection);
    uint64_t seq = skr_clock_get (&held->clock, skr_replica_writer (author));
    uint8_t prev[32] = {0}, nonce[24] = {1}, key_id[8], key[32];
    skr_buf_t changes = {0};
    size_t count = 0;
    skr_id_t fresh;
    skr_replica_collection_id (author, "fresh", &fresh);
    FUZZ_CHECK (skr_keyring_latest (skr_replica_keyring (author), &fresh, key_id, key) == SAKER_OK);
    for (seq = 1; input->left && count < 8; seq++, count++) {
        skr_buf_t raw = {0};
        skr_draft_t draft = {.mesh = *skr_roster_mesh (skr_replica_roster (author)),
                             .collection = fresh,
                             .writer = *skr_replica_writer (author),
                             .seq = seq,
                             .hlc = seq,
                             .prev = prev,
                             .deps = &nothing,
                             .key_id = key_id,
                             .key = key,
                             .nonce = nonce,
                             .content = input_span (input, 4000),
                             .secret = skr_device_secret (skr_replica_device (author))};
        skr_change_t change;
        if (skr_change_build (&draft, &raw) != SAKER_OK) { /* a content may be too long */
            skr_buf_free (&raw);
            break;
        }
        FUZZ_CHECK (skr_change_parse (&change, skr_span_of (&raw)) == SAKER_OK);
        skr_change_hash (&change, prev);
        skr_cbor_put_bytes (&changes, raw.data, raw.size);
        skr_buf_free (&raw);
    }
    skr_cbor_put_array (frame, count);
    skr_buf_append_span (frame, skr_span_of (&changes));
    skr_buf_free (&changes);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stage_t *stage = stage_get ();
    skr_replica_t *replica = stage->pair.a;
    uint64_t before = skr_wire_state (replica);
    input_t input = {data, size};
    skr_buf_t frame = {0};
    bool bad = false;
    if (input_byte (&input) & 1) {
        put_changes (stage, &input, &frame);
    } else {
        skr_buf_append_span (&frame, input_rest (&input));
    }
    FUZZ_CHECK (skr_live_take (replica, skr_span_of (&frame), &bad) == SAKER_OK);
    skr_replica_abort (replica);
    FUZZ_CHECK (skr_wire_state (replica) == before);
    skr_buf_free (&frame);
    return 0;
}
