/* A change: as signed bytes, as the bytes of a body, as a sealed content, and as a content that is
   applied to cells and taken back, which must leave them as they were. */

#include "tests/fuzz/fuzz.h"

#include "crdt/apply.h"
#include "crdt/change.h"
#include "tests/lib/memory_cells.h"

#include <sodium.h>

static void parse_twice (skr_span_t raw)
{
    skr_change_t change, again;
    saker_err_t error = skr_change_parse (&change, raw);
    FUZZ_CHECK (skr_change_parse (&again, raw) == error);
    if (error != SAKER_OK) {
        return;
    }
    uint8_t hash[SKR_HASH_BYTES];
    skr_clock_t deps = {0};
    skr_change_hash (&change, hash);
    FUZZ_CHECK (change.raw.size == raw.size && change.seq == again.seq && change.seq);
    FUZZ_CHECK (raw.size <= SKR_CHANGE_BYTES_MAX);
    FUZZ_CHECK (skr_change_deps (&change, &deps) == SAKER_OK);
    FUZZ_CHECK (deps.count == change.deps_count);
    skr_clock_free (&deps);
}

static void apply_and_undo (skr_span_t bytes)
{
    static const skr_id_t collection = {{1}}, writer = {{2}};
    static memory_cells_t cells;
    skr_fingerprint_t fingerprint = {0};
    skr_content_t content = {0};
    skr_buf_t undo = {0};
    static skr_room_t room;
    if (skr_content_parse (&content, bytes) != SAKER_OK) {
        skr_content_free (&content);
        return;
    }
    FUZZ_CHECK (content.ops_count <= SKR_CHANGE_OPS_MAX);
    memory_cells_init (&cells);
    skr_applier_t applier = {.cells = &cells.cells,
                             .collection = collection,
                             .writer = writer,
                             .seq = 1,
                             .hlc = 7,
                             .fingerprint = &fingerprint,
                             .undo = &undo,
                             .room = &room};
    if (skr_apply_content (&applier, &content) == SAKER_OK) {
        skr_fingerprint_t sum = memory_cells_fingerprint (&cells, &collection);
        FUZZ_CHECK (skr_fingerprint_equal (&sum, &fingerprint));
        FUZZ_CHECK (skr_apply_undo (&applier, content.ops, content.ops_count, skr_span_of (&undo))
                    == SAKER_OK);
        FUZZ_CHECK (cells.count == 0 && !fingerprint.low && !fingerprint.high);
    }
    memory_cells_free (&cells);
    skr_content_free (&content);
    skr_buf_free (&undo);
}

/* A body in the form of a signed change; the signature is looked at later than the form. */
static void parse_body (skr_span_t body)
{
    static const uint8_t signature[64] = {1};
    skr_buf_t raw = {0};
    skr_cbor_put_array (&raw, 2);
    skr_cbor_put_bytes (&raw, body.data, body.size);
    skr_cbor_put_bytes (&raw, signature, sizeof signature);
    parse_twice (skr_span_of (&raw));
    skr_buf_free (&raw);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    input_t input = {data, size};
    switch (input_byte (&input) % 3) {
    case 0:
        parse_twice (input_rest (&input));
        break;
    case 1:
        parse_body (input_rest (&input));
        break;
    default:
        apply_and_undo (input_rest (&input));
    }
    return 0;
}
