/* A ticket: any text is taken or refused; what is taken is the same when written again. The first
   byte tells whether the text is mended to have the right beginning. */

#include "tests/fuzz/fuzz.h"

#include "peer/ticket.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static skr_ticket_t ticket, again;
    char text[SAKER_TICKET_MAX * 2] = {0};
    char written[SAKER_TICKET_MAX], twice[SAKER_TICKET_MAX];
    FUZZ_CHECK (sodium_init () >= 0);
    memcpy (text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (skr_ticket_parse (&ticket, text) == SAKER_OK) {
        FUZZ_CHECK (ticket.addresses_count <= SKR_TICKET_ADDRESSES_MAX);
        FUZZ_CHECK (skr_ticket_text (&ticket, written) == SAKER_OK);
        FUZZ_CHECK (skr_ticket_parse (&again, written) == SAKER_OK);
        FUZZ_CHECK (skr_ticket_text (&again, twice) == SAKER_OK);
        FUZZ_CHECK (strcmp (written, twice) == 0);
    }
    /* bytes that are a ticket's but for its form: written as one and read again */
    memset (&ticket, 0, sizeof ticket);
    input_t input = {data, size};
    skr_span_t mesh = input_span (&input, sizeof ticket.mesh);
    memcpy (&ticket.mesh, mesh.data, mesh.size);
    ticket.expires_ms = (uint64_t) input_byte (&input) << 40 | input_byte (&input);
    ticket.addresses_count = input_byte (&input) % (SKR_TICKET_ADDRESSES_MAX + 1);
    for (size_t i = 0; i < ticket.addresses_count; i++) {
        snprintf (ticket.addresses[i], sizeof ticket.addresses[i], "tcp://10.0.0.%u:%u",
                  input_byte (&input), 1u + input_byte (&input));
    }
    snprintf (ticket.mesh_name, sizeof ticket.mesh_name, "m%u", input_byte (&input));
    if (skr_ticket_text (&ticket, written) == SAKER_OK) {
        FUZZ_CHECK (skr_ticket_parse (&again, written) == SAKER_OK);
        FUZZ_CHECK (again.expires_ms == ticket.expires_ms);
        FUZZ_CHECK (again.addresses_count == ticket.addresses_count);
        FUZZ_CHECK (strcmp (again.mesh_name, ticket.mesh_name) == 0);
    }
    return 0;
}
