/* A beat: raw, or a body signed by a member. What is taken is in form, and written again it is the
   same bytes. */

#include "tests/fuzz/fuzz.h"

#include "mesh/report.h"

#include <sodium.h>

static void sign (skr_buf_t *raw, skr_span_t body, const skr_id_t *mesh, const uint8_t *secret)
{
    static const char context[] = "saker beat 1";
    uint8_t signature[64];
    skr_buf_t text = {0};
    skr_buf_append (&text, context, sizeof context);
    skr_buf_append (&text, mesh->bytes, sizeof mesh->bytes);
    skr_buf_append_span (&text, body);
    crypto_sign_detached (signature, NULL, text.data, text.size, secret);
    skr_buf_free (&text);
    skr_cbor_put_array (raw, 2);
    skr_cbor_put_bytes (raw, body.data, body.size);
    skr_cbor_put_bytes (raw, signature, sizeof signature);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static skr_beat_t beat;
    stage_t *stage = stage_get ();
    skr_replica_t *replica = stage->pair.a;
    const skr_roster_t *roster = skr_replica_roster (replica);
    const skr_member_t *author = NULL;
    const skr_id_t *mesh = skr_roster_mesh (roster);
    const uint8_t *secret = skr_device_secret (skr_replica_device (replica));
    input_t input = {data, size};
    skr_buf_t raw = {0}, again = {0};
    skr_report_t report = {0};
    if (input_byte (&input) & 1) {
        sign (&raw, input_rest (&input), mesh, secret);
    } else {
        skr_buf_append_span (&raw, input_rest (&input));
    }
    if (skr_beat_get (&beat, skr_span_of (&raw), roster, &author) == SAKER_OK) {
        FUZZ_CHECK (author && beat.entries_count <= SKR_WIRE_BEAT_COLLECTIONS_MAX
                    && beat.links_count <= SKR_WIRE_BEAT_LINKS_MAX);
        if (skr_id_equal (&beat.writer, skr_replica_writer (replica))) {
            skr_beat_put (&again, &beat, mesh, secret);
            FUZZ_CHECK (skr_span_equal (skr_span_of (&raw), skr_span_of (&again)));
        }
        (void) skr_report_beat (&report, &beat, roster, false, 1);
        FUZZ_CHECK (report.ticks <= SKR_REPORT_TICKS_MAX);
    }
    skr_beat_free (&beat);
    skr_report_free (&report);
    skr_buf_free (&raw);
    skr_buf_free (&again);
    return 0;
}
