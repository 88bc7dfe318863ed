#include "gateway/template.h"

#include "canon.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define POINTER_MAX 1024

/* ---- the text of one place */

/* The part behind a brace, up to the closing one; NULL: there is none, or it is no pointer. */
static const char *take_place (const char *at, char pointer[POINTER_MAX])
{
    size_t size = strcspn (at, "}");
    if (at[size] != '}' || size >= POINTER_MAX || (size > 0 && *at != '/')) {
        return NULL;
    }
    memcpy (pointer, at, size);
    pointer[size] = 0;
    for (const char *tilde = strchr (pointer, '~'); tilde; tilde = strchr (tilde + 1, '~')) {
        if (tilde[1] != '0' && tilde[1] != '1') {
            return NULL;
        }
    }
    return at + size + 1;
}

static bool check_text (const char *text, char sentence[TEMPLATE_SENTENCE_MAX])
{
    char pointer[POINTER_MAX];
    const char *whole = text;
    while ((text = strchr (text, '{'))) {
        text = text[1] == '{' ? text + 2 : take_place (text + 1, pointer);
        if (!text) {
            snprintf (sentence, TEMPLATE_SENTENCE_MAX,
                      "in \"%.100s\" a brace begins no JSON Pointer as in {/a/b}; a brace itself "
                      "is written {{",
                      whole);
            return false;
        }
    }
    return true;
}

/* Recurses TEMPLATE_LEVELS_MAX levels at most. */
static bool check_any (const json_t *json, unsigned level, char sentence[TEMPLATE_SENTENCE_MAX])
{
    const char *key;
    json_t *value;
    if (level > TEMPLATE_LEVELS_MAX) {
        snprintf (sentence, TEMPLATE_SENTENCE_MAX, "it is nested more than %d levels deep",
                  TEMPLATE_LEVELS_MAX);
        return false;
    }
    if (json_is_array (json)) {
        snprintf (sentence, TEMPLATE_SENTENCE_MAX,
                  "it holds a list: documents have none yet, use an object");
        return false;
    }
    if (json_is_string (json)) {
        return check_text (json_string_value (json), sentence);
    }
    json_object_foreach ((json_t *) json, key, value)
    {
        if (!check_any (value, level + 1, sentence)) {
            return false;
        }
    }
    return true;
}

bool template_check (const json_t *self, char sentence[TEMPLATE_SENTENCE_MAX])
{
    if (!json_is_object (self) || json_object_size (self) == 0) {
        snprintf (sentence, TEMPLATE_SENTENCE_MAX, "it is no JSON object with something in it");
        return false;
    }
    return check_any (self, 0, sentence);
}

/* ---- filling it */

/* One part of a pointer without its escapes, in place. */
static void unescape (char *part)
{
    char *to = part;
    for (; *part; part++) {
        *to = *part;
        if (*part == '~') {
            *to = part[1] == '1' ? '/' : '~';
            part++;
        }
        to++;
    }
    *to = 0;
}

static json_t *step (json_t *json, const char *part)
{
    if (json_is_object (json)) {
        return json_object_get (json, part);
    }
    size_t digits = strspn (part, "0123456789");
    return json_is_array (json) && digits > 0 && digits < 8 && !part[digits]
               ? json_array_get (json, strtoul (part, NULL, 10))
               : NULL;
}

/* What is at a place; NULL: nothing. Borrowed. */
static json_t *find (json_t *json, char *pointer)
{
    char *part = *pointer ? pointer + 1 : NULL;
    while (part && json) {
        char *end = strchr (part, '/');
        if (end) {
            *end = 0;
        }
        unescape (part);
        json = step (json, part);
        part = end ? end + 1 : NULL;
    }
    return json;
}

/* A list as its text, also within maps. Recurses as deep as jansson reads. */
static json_t *without_lists (json_t *json, unsigned level)
{
    const char *key;
    json_t *value;
    if (json_is_array (json)) {
        strbuf_t text = {0};
        canon_add (&text, json);
        json_t *string = text.failed ? NULL : json_string (text.data);
        strbuf_free (&text);
        return string;
    }
    if (!json_is_object (json)) {
        return json_incref (json);
    }
    json_t *copy = level > TEMPLATE_LEVELS_MAX ? NULL : json_object ();
    json_object_foreach (json, key, value)
    {
        if (copy && json_object_set_new (copy, key, without_lists (value, level + 1)) != 0) {
            json_decref (copy);
            copy = NULL;
        }
    }
    return copy;
}

static void add_value (strbuf_t *text, const json_t *json)
{
    if (json_is_string (json)) {
        strbuf_text (text, json_string_value (json));
    } else if (json && !json_is_null (json)) {
        canon_add (text, json);
    }
}

static json_t *fill_text (const char *text, json_t *body, unsigned level)
{
    char pointer[POINTER_MAX];
    strbuf_t filled = {0};
    const char *rest = *text == '{' && text[1] != '{' ? take_place (text + 1, pointer) : NULL;
    if (rest && !*rest) {
        json_t *value = find (body, pointer);
        return value ? without_lists (value, level) : json_null ();
    }
    strbuf_text (&filled, "");
    while (*text) {
        size_t plain = strcspn (text, "{");
        strbuf_add (&filled, text, plain);
        text += plain;
        if (*text && text[1] == '{') {
            strbuf_text (&filled, "{");
            text += 2;
        } else if (*text) {
            text = take_place (text + 1, pointer);
            if (!text) {
                break;
            }
            add_value (&filled, find (body, pointer));
        }
    }
    json_t *json = filled.failed || !text ? NULL : json_string (filled.data);
    strbuf_free (&filled);
    return json;
}

/* Recurses as deep as the template is nested. */
static json_t *fill_any (const json_t *self, json_t *body, unsigned level)
{
    const char *key;
    json_t *value;
    if (json_is_string (self)) {
        return fill_text (json_string_value (self), body, level);
    }
    if (!json_is_object (self)) {
        return json_incref ((json_t *) self);
    }
    json_t *filled = json_object ();
    json_object_foreach ((json_t *) self, key, value)
    {
        if (filled && json_object_set_new (filled, key, fill_any (value, body, level + 1)) != 0) {
            json_decref (filled);
            filled = NULL;
        }
    }
    return filled;
}

json_t *template_fill (const json_t *self, const json_t *body)
{
    return fill_any (self, (json_t *) body, 0);
}
