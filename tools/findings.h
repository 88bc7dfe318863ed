/* Findings: what saker doctor looked at and what it found. A finding is a code that stays (for
   programs and docs/tools.md), how grave it is, one sentence, and the next step. */

#ifndef TOOLS_FINDINGS_H_INCLUDED
#define TOOLS_FINDINGS_H_INCLUDED

#include "call.h"

#include <jansson.h>

typedef enum finding_grade_t {
    FINDING_NOTE,    /* worth knowing; nothing is stuck */
    FINDING_WARNING, /* something is stuck, or will be */
    FINDING_ERROR,   /* something does not work, or is not safe */
    FINDING_GRADES
} finding_grade_t;

typedef struct findings_t {
    json_t *found;  /* in order */
    json_t *looked; /* what was looked at, a sentence each */
    size_t counts[FINDING_GRADES];
    saker_err_t status; /* of the first of the gravest */
    finding_grade_t gravest;
    bool failed; /* out of memory */
} findings_t;

void findings_begin (findings_t *self);
void findings_free (findings_t *self);

/* `status` is the exit status that the finding stands for; of a note it is not used. The sentence
   is put together like printf's; `next` is as it is. */
void findings_add (findings_t *self, finding_grade_t grade, saker_err_t status, const char *code,
                   const char *next, const char *format, ...)
    __attribute__ ((format (printf, 6, 7)));
/* The same with a next step that is put together: the result is good until the next call. */
const char *findings_next (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void findings_looked (findings_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* "note", "warning", "error". Static. */
const char *findings_grade (finding_grade_t grade);

#endif
