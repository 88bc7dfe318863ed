/* A roster statement: read by itself, added to a roster, and as the content of a signed change that
   a roster judges. */

#include "tests/fuzz/fuzz.h"

#include "peer/statement.h"
#include "tests/lib/people.h"

static skr_id_t mesh;
static people_t founder;

static skr_roster_t *new_roster (void)
{
    skr_roster_t *roster = NULL;
    if (!founder.device) {
        stage_get ();
        people_make (&founder);
        mesh = *skr_roster_mesh (skr_replica_roster (stage_get ()->pair.a));
    }
    FUZZ_CHECK (skr_roster_new (&roster, &mesh) == SAKER_OK);
    return roster;
}

static void judge (skr_roster_t *roster, skr_span_t statement)
{
    skr_buf_t bytes = {0}, raw = {0};
    skr_change_t change;
    skr_content_t content = {0};
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, statement);
    skr_cbor_get_raw (&cbor);
    if (skr_cbor_close (&cbor) != SAKER_OK || statement.size > 4096) {
        return;
    }
    founder.seq = 0;
    memset (founder.prev, 0, sizeof founder.prev);
    skr_buf_append_span (&bytes, statement);
    people_change (&founder, &mesh, 1, &bytes, 1, &raw);
    FUZZ_CHECK (skr_change_parse (&change, skr_span_of (&raw)) == SAKER_OK);
    if (skr_content_parse (&content, change.sealed) == SAKER_OK) {
        saker_err_t error = skr_roster_check (roster, &change, &content);
        FUZZ_CHECK (skr_roster_check (roster, &change, &content) == error);
    }
    skr_content_free (&content);
    skr_buf_free (&bytes);
    skr_buf_free (&raw);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    input_t input = {data, size};
    skr_roster_t *roster = new_roster ();
    size_t added = 0;
    for (uint64_t seq = 1; input.left && seq < 16; seq++) {
        skr_span_t bytes = input_span (&input, 4096);
        skr_statement_t statement, again;
        saker_err_t error = skr_statement_read (bytes, &statement);
        FUZZ_CHECK (skr_statement_read (bytes, &again) == error);
        skr_dot_t dot = {founder.writer, seq, 0};
        if (skr_roster_add (roster, &dot, seq, bytes) == SAKER_OK) {
            added++;
        }
        if (seq < 3) {
            judge (roster, bytes);
        }
    }
    FUZZ_CHECK (skr_roster_count (roster) <= added);
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        const skr_member_t *member = skr_roster_at (roster, i);
        FUZZ_CHECK (skr_roster_by_device (roster, member->device) == member);
    }
    skr_roster_destroy (&roster);
    return 0;
}
