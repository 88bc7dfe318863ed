#include "gateway/prom.h"

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

static void add_labels (strbuf_t *text, const char *const labels[])
{
    const char *before = "{";
    for (; labels[0]; labels += 2) {
        strbuf_format (text, "%s%s=\"", before, labels[0]);
        add_escaped (text, labels[1]);
        strbuf_text (text, "\"");
        before = ",";
    }
    strbuf_text (text, *before == ',' ? "}" : "");
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

void prom_labelled (strbuf_t *text, const char *name, double value, const char *const labels[])
{
    strbuf_text (text, name);
    add_labels (text, labels);
    add_value (text, value);
}

void prom_one (strbuf_t *text, const char *name, const char *type, const char *help, double value)
{
    prom_family (text, name, type, help);
    prom_bare (text, name, value);
}
