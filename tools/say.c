#include "say.h"

#include "canon.h"
#include "paint.h"
#include "tree.h"

#include <errno.h>
#include <string.h>

saker_err_t say_json (call_t *call, json_t *json)
{
    strbuf_t text = {.failed = !json};
    canon_add (&text, json);
    strbuf_text (&text, "\n");
    json_decref (json);
    saker_err_t error = SAKER_OK;
    if (text.failed) {
        error = call_memory (call);
    } else {
        fwrite (text.data, 1, text.size, stdout);
    }
    strbuf_free (&text);
    return error;
}

void say_hex (const uint8_t writer[16], char text[33])
{
    for (size_t i = 0; i < 16; i++) {
        snprintf (text + 2 * i, 3, "%02x", writer[i]);
    }
}

saker_err_t say_receipt (call_t *call, const saker_receipt_t *receipt)
{
    if (!call->json) {
        return SAKER_OK;
    }
    char writer[33];
    say_hex (receipt->writer, writer);
    return say_json (call, json_pack ("{s:b,s:s,s:I}", "changed", receipt->seq != 0, "writer",
                                      writer, "seq", (json_int_t) receipt->seq));
}

static const char *cell_name (saker_cell_t cell)
{
    switch (cell) {
    case SAKER_REGISTER:
        return "register";
    case SAKER_LWW:
        return "lww";
    case SAKER_COUNTER:
        return "counter";
    case SAKER_MEMBER:
        return "member";
    case SAKER_EMPTY_MAP:
        return "map";
    }
    return "unknown";
}

json_t *say_leaf (const saker_leaf_t *leaf)
{
    char writer[33], time[PAINT_TIME_MAX];
    say_hex (leaf->writer, writer);
    paint_time (leaf->time_ms, time);
    json_t *value = tree_value (&leaf->value);
    if (!value) {
        return NULL;
    }
    return json_pack ("{s:s,s:s,s:o,s:b,s:s,s:s,s:s,s:I}", "pointer", leaf->pointer, "cell",
                      cell_name (leaf->cell), "value", value, "rival", leaf->rival, "author",
                      leaf->author ? leaf->author : "", "time", time, "writer", writer, "seq",
                      (json_int_t) leaf->seq);
}

saker_err_t say_end (call_t *call)
{
    if (fflush (stdout) != 0 || ferror (stdout)) {
        return call_fail (call, SAKER_EIO, "cannot write the answer to stdout: %s",
                          strerror (errno));
    }
    return SAKER_OK;
}
