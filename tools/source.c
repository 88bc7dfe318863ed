#include "source.h"

#include <stdlib.h>
#include <string.h>

/* A place in the text that moves on. */
typedef struct scan_t {
    call_t *call;
    source_t *source;
    size_t at;
    source_skip_fn *skip_fn;
    void *argument;
} scan_t;

static char here (const scan_t *self)
{
    return self->at < self->source->in.size ? self->source->in.text[self->at] : 0;
}

static void skip_space (scan_t *self)
{
    while (here (self) && strchr (" \t\r\n", here (self))) {
        self->at++;
    }
}

/* To the end of the string that begins here. */
static void skip_string (scan_t *self)
{
    self->at++;
    while (self->at < self->source->in.size && here (self) != '"') {
        self->at += here (self) == '\\' ? 2 : 1;
    }
    self->at++;
}

/* To the end of a value, by its brackets and quotes alone: good for well-formed text, and good
   enough to find the next part after a malformed one. */
static void skip_value (scan_t *self)
{
    size_t depth = 0;
    while (self->at < self->source->in.size) {
        char letter = here (self);
        if (letter == '"') {
            skip_string (self);
            continue;
        }
        if (depth == 0 && strchr (",]}", letter)) {
            break;
        }
        depth += letter == '[' || letter == '{';
        depth -= letter == ']' || letter == '}';
        self->at++;
    }
    self->at = self->at < self->source->in.size ? self->at : self->source->in.size;
}

static saker_err_t add_part (scan_t *self, size_t offset, size_t size)
{
    source_t *source = self->source;
    if (source->parts_count == source->parts_capacity) {
        size_t capacity = source->parts_capacity * 2 + 64;
        source_part_t *parts = realloc (source->parts, capacity * sizeof *parts);
        if (!parts) {
            return call_memory (self->call);
        }
        source->parts = parts;
        source->parts_capacity = capacity;
    }
    source->parts[source->parts_count++] = (source_part_t){.offset = offset, .size = size};
    return SAKER_OK;
}

/* Reads a part to see that it is well-formed. */
static saker_err_t take_part (scan_t *self, size_t offset, size_t size)
{
    json_t *json = NULL;
    saker_err_t error = jsonin_read (self->call, &self->source->in, offset, size, &json);
    json_decref (json);
    if (error == SAKER_EINPUT && self->skip_fn) {
        self->skip_fn (self->call, self->argument);
        return SAKER_OK;
    }
    return error == SAKER_OK ? add_part (self, offset, size) : error;
}

static saker_err_t take_lines (scan_t *self)
{
    const jsonin_t *in = &self->source->in;
    saker_err_t error = SAKER_OK;
    while (self->at < in->size && error == SAKER_OK) {
        const char *from = in->text + self->at;
        const char *end = memchr (from, '\n', in->size - self->at);
        size_t size = end ? (size_t) (end - from) : in->size - self->at;
        if (strspn (from, " \t\r") < size) {
            error = take_part (self, self->at, size);
        }
        self->at += size + 1;
    }
    return error;
}

/* The elements of the array that begins here. */
static saker_err_t take_array (scan_t *self)
{
    saker_err_t error = SAKER_OK;
    self->at++;
    skip_space (self);
    while (here (self) && here (self) != ']' && error == SAKER_OK) {
        size_t offset = self->at;
        skip_value (self);
        error = take_part (self, offset, self->at - offset);
        if (here (self) != ',') {
            break;
        }
        self->at++;
        skip_space (self);
    }
    return error;
}

/* The next name in a JSON Pointer. */
static void next_name (const char **pointer, char *name, size_t name_size)
{
    size_t size = 0;
    const char *at = *pointer + 1;
    for (; *at && *at != '/'; at++) {
        bool escaped = at[0] == '~' && (at[1] == '0' || at[1] == '1');
        at += escaped;
        if (size + 1 < name_size) {
            name[size++] = !escaped ? *at : *at == '0' ? '~' : '/';
        }
    }
    name[size] = 0;
    *pointer = at;
}

/* In the object that begins here, goes to the value of a key. */
static bool enter_key (scan_t *self, const char *name)
{
    self->at++;
    skip_space (self);
    while (here (self) == '"') {
        size_t from = self->at;
        skip_string (self);
        json_t *key = json_loadb (self->source->in.text + from,
                                  self->at <= self->source->in.size ? self->at - from : 0,
                                  JSON_DECODE_ANY, NULL);
        bool found = key && strcmp (json_string_value (key), name) == 0;
        json_decref (key);
        skip_space (self);
        self->at += here (self) == ':';
        skip_space (self);
        if (found) {
            return true;
        }
        skip_value (self);
        self->at += here (self) == ',';
        skip_space (self);
    }
    return false;
}

/* In the array that begins here, goes to an element by number. */
static bool enter_element (scan_t *self, const char *name)
{
    char *end = NULL;
    unsigned long number = *name >= '0' && *name <= '9' ? strtoul (name, &end, 10) : 0;
    if (!end || *end) {
        return false;
    }
    self->at++;
    skip_space (self);
    for (; number > 0 && here (self) && here (self) != ']'; number--) {
        skip_value (self);
        self->at += here (self) == ',';
        skip_space (self);
    }
    return here (self) && here (self) != ']';
}

static saker_err_t follow (scan_t *self, const char *pointer)
{
    char name[SAKER_PATH_BYTES_MAX];
    const char *at = pointer;
    skip_space (self);
    while (*at == '/') {
        next_name (&at, name, sizeof name);
        bool found = here (self) == '{'   ? enter_key (self, name)
                     : here (self) == '[' ? enter_element (self, name)
                                          : false;
        if (!found) {
            return call_fail (self->call, SAKER_EINPUT, "%s: nothing at %.*s; see --at",
                              self->source->in.name, (int) (at - pointer), pointer);
        }
    }
    if (*at || here (self) != '[') {
        return call_fail (self->call, SAKER_EINPUT, "%s: there is no array at %s; see --at",
                          self->source->in.name, *pointer ? pointer : "the top");
    }
    return SAKER_OK;
}

/* Is the whole file one well-formed value? */
static saker_err_t check_whole (scan_t *self)
{
    json_t *json = NULL;
    saker_err_t error =
        jsonin_read (self->call, &self->source->in, 0, self->source->in.size, &json);
    json_decref (json);
    return error;
}

saker_err_t source_load (call_t *call, source_t *self, const char *file, const char *pointer,
                         source_skip_fn *skip_fn, void *argument)
{
    scan_t scan = {call, self, 0, skip_fn, argument};
    self->in.name = strcmp (file, "-") == 0 ? "stdin" : file;
    saker_err_t error = jsonin_load (call, file, &self->text, &self->in.size);
    if (error != SAKER_OK) {
        return error;
    }
    self->in.text = self->text;
    skip_space (&scan);
    if (!pointer && here (&scan) != '[') {
        scan.at = 0;
        return take_lines (&scan);
    }
    error = skip_fn ? SAKER_OK : check_whole (&scan);
    if (error == SAKER_OK) {
        error = follow (&scan, pointer ? pointer : "");
    }
    return error == SAKER_OK ? take_array (&scan) : error;
}

saker_err_t source_read (call_t *call, const source_t *self, const source_part_t *part,
                         json_t **json)
{
    return jsonin_read (call, &self->in, part->offset, part->size, json);
}

void source_free (source_t *self)
{
    for (size_t i = 0; i < self->parts_count; i++) {
        free (self->parts[i].id);
    }
    free (self->parts);
    free (self->text);
    *self = (source_t){0};
}
