/* Problem: what is answered when something is wrong, as RFC 9457 has it: a status, a title, and one
   sentence that says what was wrong and what to do. */

#ifndef TOOLS_GATEWAY_PROBLEM_H_INCLUDED
#define TOOLS_GATEWAY_PROBLEM_H_INCLUDED

#include "gateway/request.h"

/* Makes the sentence the answer. Takes the place of an answer that is there. */
void problem_say (request_t *request, unsigned status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* The same with one more member, "code": the name of the library's error, or of what a program
   may want to tell apart. `extra`, taken, holds more members; NULL: none. */
void problem_tell (request_t *request, unsigned status, const char *code, json_t *extra,
                   const char *format, ...) __attribute__ ((format (printf, 5, 6)));
/* An error of the library, or of what reads JSON: its sentence is in the call. */
void problem_error (request_t *request, const call_t *call, saker_err_t error);
/* The same, with the library's own sentence. */
void problem_library (request_t *request, saker_err_t error);
/* The status of an error. */
unsigned problem_status (saker_err_t error);

#endif
