/* Any bytes as a signed change: taken or refused with a reason, and the same again the second time. */

#include "crdt/change.h"
#include "crdt/err.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    skr_span_t raw = {data, size};
    skr_change_t change, again;
    saker_err_t error = skr_change_parse (&change, raw);
    if (skr_change_parse (&again, raw) != error) {
        abort ();
    }
    if (error == SAKER_OK) {
        uint8_t hash[SKR_HASH_BYTES];
        skr_change_hash (&change, hash);
        if (change.raw.size != size || change.seq != again.seq || !change.seq) {
            abort ();
        }
    }
    return 0;
}
