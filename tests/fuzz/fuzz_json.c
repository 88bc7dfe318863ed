/* JSON as `saker import` takes it: any text is taken or refused with its place; what is taken is
   the same when its canonical form is read again. */

#include "tests/fuzz/fuzz.h"

#include "tools/canon.h"
#include "tools/jsonin.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static call_t call;
    strbuf_t text = {0}, again = {0};
    json_t *json = NULL, *other = NULL;
    jsonin_t in = {"input", (const char *) data, size};
    if (jsonin_read (&call, &in, 0, size, &json) == SAKER_OK) {
        canon_add (&text, json);
        FUZZ_CHECK (!text.failed);
        jsonin_t back = {"canon", text.data, text.size};
        FUZZ_CHECK (jsonin_read (&call, &back, 0, text.size, &other) == SAKER_OK);
        canon_add (&again, other);
        FUZZ_CHECK (strcmp (text.data, again.data) == 0);
        json_decref (json);
        json_decref (other);
    } else {
        FUZZ_CHECK (call.sentence[0]);
    }
    strbuf_free (&text);
    strbuf_free (&again);
    return 0;
}
