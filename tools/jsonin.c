#include "jsonin.h"

#include "strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536
#define NUMBER_SHOWN_MAX 60

void jsonin_position (const jsonin_t *in, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset && i < in->size; i++) {
        if (in->text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char) in->text[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

saker_err_t jsonin_fail (call_t *call, const jsonin_t *in, size_t offset, const char *format, ...)
{
    unsigned line, column;
    jsonin_position (in, offset, &line, &column);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (call->sentence, sizeof call->sentence, format, arguments);
    va_end (arguments);
    call_prefix (call, "%s:%u:%u: ", in->name, line, column);
    return SAKER_EINPUT;
}

/* jansson tells where the token ends that it stopped at, and quotes it: "... near 'TOKEN'". */
static size_t token_size (const json_error_t *error)
{
    const char *near = strstr (error->text, " near '");
    size_t size = near ? strlen (near + 7) : 0;
    return size > 0 && json_error_code (error) != json_error_invalid_utf8 ? size - 1 : 0;
}

/* Of a number beyond bounds jansson tells only short ones. */
static size_t number_size (const char *text, size_t end)
{
    size_t size = 0;
    while (size < end && strchr ("0123456789+-.eE", text[end - size - 1])) {
        size++;
    }
    return size;
}

/* jansson's words in ours. `from` and `end`: of the token that it stopped at. */
static saker_err_t fail_parse (call_t *call, const jsonin_t *in, size_t from, size_t end,
                               const json_error_t *error)
{
    if (error->text[0] == 0) {
        return jsonin_fail (call, in, from, "no JSON value");
    }
    if (json_error_code (error) != json_error_numeric_overflow) {
        return jsonin_fail (call, in, from, "%s", error->text);
    }
    int size = (int) (end - from < NUMBER_SHOWN_MAX ? end - from : NUMBER_SHOWN_MAX);
    if (strncmp (error->text, "too big", 7) == 0) {
        return jsonin_fail (call, in, from,
                            "the integer %.*s does not fit in 64 bits; write it as a text, in "
                            "quotes",
                            size, in->text + from);
    }
    return jsonin_fail (call, in, from, "the number %.*s does not fit in a double", size,
                        in->text + from);
}

saker_err_t jsonin_read (call_t *call, const jsonin_t *in, size_t from, size_t size, json_t **json)
{
    json_error_t error = {.position = 0};
    *json = json_loadb (in->text + from, size,
                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (*json) {
        return SAKER_OK;
    }
    if (json_error_code (&error) == json_error_out_of_memory) {
        return call_memory (call);
    }
    size_t at = error.position > 0 ? (size_t) error.position : 0;
    at = at > size ? size : at;
    size_t token = json_error_code (&error) == json_error_numeric_overflow
                       ? number_size (in->text + from, at)
                       : token_size (&error);
    return fail_parse (call, in, from + at - (token < at ? token : at), from + at, &error);
}

saker_err_t jsonin_load (call_t *call, const char *name, char **text, size_t *size)
{
    FILE *file = strcmp (name, "-") == 0 ? stdin : fopen (name, "rbe");
    if (!file) {
        return call_fail (call, errno == ENOENT ? SAKER_ENOTFOUND : SAKER_EIO, "cannot open %s: %s",
                          name, strerror (errno));
    }
    strbuf_t whole = {0};
    strbuf_text (&whole, "");
    char *part = malloc (READ_BYTES);
    size_t got = 0;
    while (part && (got = fread (part, 1, READ_BYTES, file)) > 0) {
        strbuf_add (&whole, part, got);
    }
    free (part);
    saker_err_t error = SAKER_OK;
    if (ferror (file)) {
        error = call_fail (call, SAKER_EIO, "cannot read %s: %s", name, strerror (errno));
    } else if (!part || whole.failed) {
        error = call_memory (call);
    }
    if (file != stdin) {
        fclose (file);
    }
    if (error != SAKER_OK) {
        strbuf_free (&whole);
        return error;
    }
    *text = whole.data;
    *size = whole.size;
    return SAKER_OK;
}

saker_err_t jsonin_word (call_t *call, const char *word, json_t **json)
{
    char *loaded = NULL;
    jsonin_t in = {"JSON", word, strlen (word)};
    if (strcmp (word, "-") == 0) {
        saker_err_t error = jsonin_load (call, "-", &loaded, &in.size);
        if (error != SAKER_OK) {
            return error;
        }
        in.name = "stdin";
        in.text = loaded;
    }
    saker_err_t error = jsonin_read (call, &in, 0, in.size, json);
    if (error == SAKER_EINPUT && !loaded && strchr ("{[\"", word[0]) == NULL) {
        /* The shell takes the quotes away: the mistake that everybody makes once. */
        size_t end = strlen (call->sentence);
        snprintf (call->sentence + end, sizeof call->sentence - end,
                  "; a text needs its own quotes, as in '\"%s\"'", word);
    }
    free (loaded);
    return error;
}
