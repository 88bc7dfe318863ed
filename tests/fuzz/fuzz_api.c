/* The local API: requests of every command, in and out of form. Each that is a request gets exactly
   one answer in bounded bytes, at once, after the commit, or when its time is up. */

#include "tests/fuzz/fuzz.h"

#include "peer/api.h"
#include "tests/lib/fake_neighbours.h"

static skr_api_t *api;
static fake_neighbours_t fake;
static size_t answers;

static void on_answer (void *context, skr_span_t client, skr_span_t answer)
{
    (void) context;
    FUZZ_CHECK (client.size == 4);
    FUZZ_CHECK (answer.size && answer.size <= 2 * SKR_API_REQUEST_BYTES_MAX);
    answers++;
}

static void close_api (void)
{
    skr_api_destroy (&api);
}

static void open_api (stage_t *stage)
{
    fake_neighbours_init (&fake, stage->pair.a, stage->pair.b, &stage->world);
    skr_neighbours_t neighbours = fake_neighbours_of (&fake);
    FUZZ_CHECK (skr_api_new (&api, stage->pair.a, &neighbours, on_answer, NULL, &stage->world)
                == SAKER_OK);
    atexit (close_api);
}

static void put_head (skr_buf_t *request, uint64_t command, size_t arguments)
{
    skr_cbor_put_map (request, 4);
    skr_cbor_put_uint (request, 0);
    skr_cbor_put_uint (request, SKR_API_VERSION);
    skr_cbor_put_uint (request, 1);
    skr_cbor_put_uint (request, 7);
    skr_cbor_put_uint (request, 2);
    skr_cbor_put_uint (request, command);
    skr_cbor_put_uint (request, 3);
    skr_cbor_put_map (request, arguments);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stage_t *stage = stage_get ();
    input_t input = {data, size};
    if (!api) {
        open_api (stage);
    }
    size_t asked = 0;
    for (int i = 0; i < 8 && input.left; i++) {
        skr_buf_t request = {0};
        uint8_t command = input_byte (&input);
        if (command < 0x80) {
            put_head (&request, command % (SKR_COMMANDS + 1), input_byte (&input) % 6);
        }
        skr_buf_append_span (&request, input_span (&input, 4000));
        skr_api_request (api, skr_span ("abcd", 4), skr_span_of (&request));
        asked++;
        skr_buf_free (&request);
    }
    skr_replica_abort (stage->pair.a);
    skr_api_committed (api, SAKER_EIO);
    stage->now_ms += 4000000; /* all waiting is over */
    skr_api_turn (api);
    FUZZ_CHECK (answers <= asked);
    answers = 0;
    skr_store_forget (skr_replica_store (stage->pair.a));
    return 0;
}
