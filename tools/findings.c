#include "findings.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_MAX 1024

void findings_begin (findings_t *self)
{
    *self = (findings_t){.found = json_array (), .looked = json_array ()};
    self->failed = !self->found || !self->looked;
}

void findings_free (findings_t *self)
{
    json_decref (self->found);
    json_decref (self->looked);
    *self = (findings_t){.found = NULL};
}

const char *findings_grade (finding_grade_t grade)
{
    static const char *const names[FINDING_GRADES] = {"note", "warning", "error"};
    return names[grade];
}

/* What cannot be told in UTF-8, as names of files may be, is left out. */
static void append (findings_t *self, json_t *list, json_t *json)
{
    self->failed |= json_array_append_new (list, json ? json : json_string ("?")) != 0;
}

void findings_add (findings_t *self, finding_grade_t grade, saker_err_t status, const char *code,
                   const char *next, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (sentence, sizeof sentence, format, arguments);
    va_end (arguments);
    append (self, self->found,
            json_pack ("{s:s,s:s,s:s,s:s}", "code", code, "severity", findings_grade (grade),
                       "sentence", sentence, "next", next));
    self->counts[grade]++;
    if (grade > self->gravest) {
        self->gravest = grade;
        self->status = status;
    }
}

const char *findings_next (const char *format, ...)
{
    static char text[SENTENCE_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    return text;
}

void findings_looked (findings_t *self, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (sentence, sizeof sentence, format, arguments);
    va_end (arguments);
    append (self, self->looked, json_string (sentence));
}
