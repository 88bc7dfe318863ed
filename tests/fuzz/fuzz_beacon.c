/* A beacon: any datagram is a member's or nobody's; a member's is recognised, and with one bit
   changed it is not. */

#include "tests/fuzz/fuzz.h"

#include "mesh/beacon.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {5}, own[SKR_WIRE_INSTANCE_BYTES] = {9};
    stage_t *stage = stage_get ();
    const skr_roster_t *roster = skr_replica_roster (stage->pair.a);
    const uint8_t *device = skr_device_key (skr_replica_device (stage->pair.b));
    uint8_t beacon[SKR_BEACON_BYTES];
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES] = {0};
    uint16_t port = 0;
    input_t input = {data, size};
    if (input_byte (&input) & 1) {
        uint16_t told = (uint16_t) (input_byte (&input) << 8 | input_byte (&input));
        size_t flip = (size_t) input_byte (&input) << 8 | input_byte (&input);
        skr_span_t rest = input_rest (&input);
        memcpy (instance, rest.data, rest.size < sizeof instance ? rest.size : sizeof instance);
        skr_beacon_make (beacon, told, instance, key, device);
        const skr_member_t *member =
            skr_beacon_whose (skr_span (beacon, sizeof beacon), key, roster, own, &port);
        bool ours = memcmp (instance, own, sizeof own) == 0;
        FUZZ_CHECK (ours ? !member : member && port == told);
        beacon[flip / 8 % sizeof beacon] ^= (uint8_t) (1u << flip % 8);
        FUZZ_CHECK (!skr_beacon_whose (skr_span (beacon, sizeof beacon), key, roster, own, &port));
    } else {
        FUZZ_CHECK (!skr_beacon_whose (input_rest (&input), key, roster, own, &port));
    }
    return 0;
}
