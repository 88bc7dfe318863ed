/* A session and the answering side, as a story that the input tells: answers that were never asked
   for, answers to what was asked, beats, time, the link that comes and goes; and requests of every
   kind. Neither may fail, grow without bound, or change what is committed. */

#include "tests/fuzz/fuzz.h"

#include "mesh/answer.h"
#include "mesh/session.h"

#define STEPS_MAX 64

typedef struct story_t {
    stage_t *stage;
    skr_session_t *session;
    skr_report_t report;
    skr_claims_t claims;
    uint64_t now_ms;
    uint64_t asked[8]; /* numbers and kinds of what was asked last */
    uint64_t kinds[8];
    size_t asked_count;
} story_t;

static bool on_send (void *context, skr_span_t request)
{
    story_t *story = context;
    skr_cbor_t cbor;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    FUZZ_CHECK (request.size <= SKR_WIRE_MESSAGE_BYTES_MAX);
    FUZZ_CHECK (skr_wire_open (&cbor, request, &number, &kind, &count) == SAKER_OK);
    story->asked[story->asked_count % 8] = number;
    story->kinds[story->asked_count++ % 8] = kind;
    return true;
}

static void on_hello (void *context, uint16_t pub_port)
{
    (void) context;
    FUZZ_CHECK (pub_port);
}

static void on_address (void *context, const uint8_t device[32], const char *address)
{
    (void) context, (void) device;
    FUZZ_CHECK (strlen (address) <= SKR_WIRE_ADDRESS_BYTES_MAX);
}

/* An answer to one of the last requests: head right, results as the input says. */
static void answer_one (story_t *story, input_t *input, skr_buf_t *answer)
{
    size_t which = input_byte (input) % 8;
    skr_wire_begin (answer, story->asked[which], (skr_wire_kind_t) story->kinds[which],
                    input_byte (input) % 8);
    skr_buf_append_span (answer, input_span (input, 2048));
}

/* What a real peer would answer, with a bit flipped perhaps. */
static void answer_true (story_t *story, input_t *input, skr_buf_t *answer)
{
    skr_replica_t *source = story->stage->pair.b;
    size_t which = input_byte (input) % 8;
    skr_buf_t changes = {0};
    size_t count = 0;
    bool more = false;
    static const skr_clock_t nothing;
    FUZZ_CHECK (skr_replica_pull (source, &story->stage->collection, &nothing, 2048, &changes,
                                  &count, &more)
                == SAKER_OK);
    skr_wire_begin (answer, story->asked[which], SKR_WIRE_PULL, 3);
    skr_cbor_put_uint (answer, 1);
    skr_cbor_put_uint (answer, input_byte (input) % 3);
    skr_cbor_put_array (answer, count);
    skr_buf_append_span (answer, skr_span_of (&changes));
    size_t flip = (size_t) input_byte (input) << 8 | input_byte (input);
    if (flip && answer->size) {
        answer->data[flip % answer->size] ^= input_byte (input);
    }
    skr_buf_free (&changes);
}

static void take_beat (story_t *story, input_t *input)
{
    static skr_beat_t beat;
    memset (&beat, 0, sizeof beat);
    beat.writer = *skr_replica_writer (story->stage->pair.b);
    beat.number = story->report.number + input_byte (input) % 3;
    beat.state = input_byte (input);
    beat.entries_count = input_byte (input) % 4;
    for (size_t i = 0; i < beat.entries_count; i++) {
        beat.entries[i].collection = story->stage->collection;
        beat.entries[i].collection.bytes[0] ^= input_byte (input) & 3;
        if (input_byte (input) & 1) {
            memset (beat.entries[i].collection.bytes, 0, 16);
        }
        skr_id_t writer = {{input_byte (input)}};
        FUZZ_CHECK (skr_clock_set (&beat.entries[i].clock, &writer, 1 + input_byte (input))
                    == SAKER_OK);
        beat.entries[i].hashes = calloc (1, sizeof (uint64_t));
        beat.entries[i].kept = calloc (1, sizeof (uint64_t));
        FUZZ_CHECK (beat.entries[i].hashes && beat.entries[i].kept);
    }
    (void) skr_report_beat (&story->report, &beat, skr_replica_roster (story->stage->pair.a), false,
                            story->now_ms);
    skr_beat_free (&beat);
}

static void step (story_t *story, input_t *input)
{
    static const char *const addresses[] = {"tcp://10.0.0.2:7"};
    static const skr_self_t own = {{1}, 8, addresses, 1};
    skr_buf_t answer = {0};
    switch (input_byte (input) % 8) {
    case 0:
        skr_buf_append_span (&answer, input_span (input, 2048));
        break;
    case 1:
    case 2:
        answer_one (story, input, &answer);
        break;
    case 3:
        answer_true (story, input, &answer);
        break;
    case 4:
        take_beat (story, input);
        break;
    case 5:
        story->now_ms += (uint64_t) input_byte (input) * input_byte (input);
        break;
    case 6:
        skr_session_up (story->session, &own, story->now_ms);
        break;
    default:
        if (input_byte (input) & 1) {
            skr_session_down (story->session);
        } else {
            skr_session_ask (story->session, &story->stage->collection, story->now_ms);
        }
    }
    if (answer.size) {
        FUZZ_CHECK (skr_session_answer (story->session, skr_span_of (&answer), story->now_ms)
                    == SAKER_OK);
    }
    skr_buf_free (&answer);
    skr_replica_abort (story->stage->pair.a);
    FUZZ_CHECK (skr_session_turn (story->session, story->now_ms) == SAKER_OK);
    skr_replica_abort (story->stage->pair.a);
}

static void tell (stage_t *stage, input_t *input)
{
    story_t story = {.stage = stage, .now_ms = 1000};
    skr_session_host_t host = {&story, on_send, on_hello, on_address, NULL, NULL};
    uint64_t before = skr_wire_state (stage->pair.a);
    FUZZ_CHECK (skr_session_new (&story.session, stage->pair.a, &story.report, &story.claims,
                                 skr_device_key (skr_replica_device (stage->pair.b)), &host)
                == SAKER_OK);
    for (int i = 0; i < STEPS_MAX && input->left; i++) {
        step (&story, input);
        FUZZ_CHECK (story.report.ticks <= SKR_REPORT_TICKS_MAX);
    }
    skr_session_destroy (&story.session);
    skr_report_free (&story.report);
    skr_claims_free (&story.claims);
    FUZZ_CHECK (skr_wire_state (stage->pair.a) == before);
}

static skr_answerer_t *answerer;

static void close_answerer (void)
{
    skr_answerer_destroy (&answerer);
}

static void ask (stage_t *stage, input_t *input)
{
    static const uint8_t instance[SKR_WIRE_INSTANCE_BYTES] = {1};
    static const uint8_t ticket[32] = {7};
    skr_replica_t *replica = stage->pair.a;
    uint64_t before = skr_wire_state (replica);
    if (!answerer) {
        FUZZ_CHECK (skr_answerer_new (&answerer, replica) == SAKER_OK);
        FUZZ_CHECK (skr_answerer_set (answerer, 1, instance, skr_span ("\x80", 1)) == SAKER_OK);
        atexit (close_answerer);
    }
    for (int i = 0; i < STEPS_MAX && input->left; i++) {
        uint8_t kind = input_byte (input);
        skr_asker_t asker = {.member = skr_replica_self (stage->pair.b)};
        skr_buf_t request = {0}, answer = {0};
        skr_said_t said = {0};
        bool held = false;
        if (kind & 0x80) {
            asker = (skr_asker_t){.ticket = ticket};
        }
        if (kind & 0x40) {
            skr_wire_begin (&request, i + 1u, (skr_wire_kind_t) (kind & 7), kind >> 3 & 7);
        }
        skr_buf_append_span (&request, input_span (input, 2048));
        skr_answer (answerer, &asker, skr_span_of (&request), &answer, &held, &said);
        FUZZ_CHECK (answer.size <= SKR_WIRE_MESSAGE_BYTES_MAX);
        skr_replica_abort (replica);
        skr_buf_free (&request);
        skr_buf_free (&answer);
    }
    FUZZ_CHECK (skr_wire_state (replica) == before);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stage_t *stage = stage_get ();
    input_t input = {data, size};
    if (input_byte (&input) & 1) {
        ask (stage, &input);
    } else {
        tell (stage, &input);
    }
    return 0;
}
