#include "gateway/prom.h"

#include <stdarg.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 /* up to here a double tells every integer apart */

void prom_family (strbuf_t *text, const char *name, const char *type, const char *help)
{
    strbuf_format (text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_escaped (strbuf_t *text, const char *value)
{
    while (*value) {
        size_t plain = strcspn (value, "\\\"\n");
        strbuf_add (text, value, plain);
        value += plain;
        if (*value) {
            strbuf_text (text, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
            value++;
        }
    }
}

static void add_labels (strbuf_t *text, va_list labels)
{
    const char *name;
    bool first = true;
    while ((name = va_arg (labels, const char *))) {
        strbuf_format (text, "%s%s=\"", first ? "{" : ",", name);
        add_escaped (text, va_arg (labels, const char *));
        strbuf_text (text, "\"");
        first = false;
    }
    strbuf_text (text, first ? "" : "}");
}

static void add_value (strbuf_t *text, double value)
{
    bool whole = value <= EXACT_MAX && value >= -EXACT_MAX && (double) (long long) value == value;
    strbuf_format (text, whole ? " %.0f\n" : " %.15g\n", value);
}

void prom_bare (strbuf_t *text, const char *name, double value)
{
    strbuf_text (text, name);
    add_value (text, value);
}

void prom_sample (strbuf_t *text, const char *name, double value, ...)
{
    va_list labels;
    va_start (labels, value);
    strbuf_text (text, name);
    add_labels (text, labels);
    va_end (labels);
    add_value (text, value);
}

void prom_one (strbuf_t *text, const char *name, const char *type, const char *help, double value)
{
    prom_family (text, name, type, help);
    prom_bare (text, name, value);
}
