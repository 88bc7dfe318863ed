#include "say.h"

#include "canon.h"
#include "paint.h"
#include "tree.h"

#include <errno.h>
#include <inttypes.h>
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

const char *say_cell (saker_cell_t cell)
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
                      say_cell (leaf->cell), "value", value, "rival", leaf->rival, "author",
                      leaf->author ? leaf->author : "", "time", time, "writer", writer, "seq",
                      (json_int_t) leaf->seq);
}

json_t *say_peer (const saker_peer_t *peer)
{
    return json_pack ("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "name", peer->name, "id", peer->id,
                      "role", peer->role, "link", peer->link, "address", peer->address, "seen_ms",
                      (json_int_t) peer->seen_ms, "behind", (json_int_t) peer->behind, "lag_ms",
                      (json_int_t) peer->lag_ms, "rtt_us", (json_int_t) peer->rtt_us);
}

static json_t *base_json (const saker_base_t *base)
{
    char writer[33], time[PAINT_TIME_MAX];
    say_hex (base->writer, writer);
    paint_time (base->time_ms, time);
    json_t *json = json_pack ("{s:s,s:s,s:I,s:b}", "author", base->author, "writer", writer, "seq",
                              (json_int_t) base->seq, "known", base->known);
    if (json && base->known) {
        json_object_set_new (json, "pointer", json_string (base->pointer));
        json_object_set_new (json, "cell", json_string (say_cell (base->cell)));
        json_object_set_new (json, "value", tree_value (&base->value));
        json_object_set_new (json, "time", json_string (time));
    }
    return json;
}

json_t *say_bases (const saker_base_t *bases, size_t count)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new (list, base_json (&bases[i])) != 0) {
            json_decref (list);
            return NULL;
        }
    }
    return list;
}

static void print_base (const saker_base_t *base, const char *pointer)
{
    char time[PAINT_TIME_MAX];
    strbuf_t text = {0};
    paint_time (base->time_ms, time);
    if (base->known) {
        json_t *json = tree_value (&base->value);
        canon_add (&text, json);
        paint_text (stdout, PAINT_YELLOW, text.data ? text.data : "?");
        json_decref (json);
    } else {
        fputs ("a change that is not kept or cannot be read here", stdout);
    }
    if (base->known && strcmp (base->pointer, pointer) != 0) {
        fputs (" at ", stdout);
        paint_text (stdout, PAINT_NONE, base->pointer);
    }
    fputs (" by ", stdout);
    paint_text (stdout, PAINT_NONE, *base->author ? base->author : "(unknown)");
    if (base->time_ms > 0) {
        printf (" at %s", time);
    }
    putchar ('\n');
    strbuf_free (&text);
}

void say_over (const saker_base_t *bases, size_t count, uint64_t more, const char *pointer,
               const char *indent)
{
    for (size_t i = 0; i < count; i++) {
        printf ("%sover ", indent);
        print_base (&bases[i], pointer);
    }
    if (more > 0) {
        printf ("%sover %" PRIu64 " more\n", indent, more);
    }
}

saker_err_t say_end (call_t *call)
{
    if (fflush (stdout) != 0 || ferror (stdout)) {
        return call_fail (call, SAKER_EIO, "cannot write the answer to stdout: %s",
                          strerror (errno));
    }
    return SAKER_OK;
}
