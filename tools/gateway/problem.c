#include "gateway/problem.h"

#include "gateway/reply.h"

#include <stdarg.h>

static const struct {
    saker_err_t error;
    unsigned status;
} statuses[] = {
    {SAKER_EINPUT, 400},   {SAKER_EUSAGE, 400},       {SAKER_ENOTFOUND, 404},
    {SAKER_EEXIST, 409},   {SAKER_ERIGHT, 403},       {SAKER_ELIMIT, 413},
    {SAKER_ETYPE, 409},    {SAKER_EFULL, 507},        {SAKER_EBUSY, 503},
    {SAKER_EDAMAGED, 500}, {SAKER_EVERSION, 501},     {SAKER_ETIMEOUT, 504},
    {SAKER_EWAIT, 503},    {SAKER_EUNREACHABLE, 503}, {SAKER_EFORGED, 500},
    {SAKER_EIO, 500},      {SAKER_ENOMEM, 503},       {SAKER_EDIFFER, 409},
    {SAKER_EGAP, 410},     {SAKER_ECHANGED, 412},     {SAKER_ENOTCARRIED, 404},
    {SAKER_ENOTYET, 503},
};

unsigned problem_status (saker_err_t error)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i].error == error) {
            return statuses[i].status;
        }
    }
    return 500;
}

static void tell (request_t *request, unsigned status, const char *code, json_t *extra,
                  const char *sentence)
{
    json_t *json = extra ? extra : json_object ();
    json_object_set_new (json, "type", json_string ("about:blank"));
    json_object_set_new (json, "title", json_string (reply_reason (status)));
    json_object_set_new (json, "status", json_integer ((json_int_t) status));
    json_t *detail = json_string (sentence);
    json_object_set_new (json, "detail", detail ? detail : json_string ("the request is wrong"));
    if (code) {
        json_object_set_new (json, "code", json_string (code));
    }
    if (status == 503) {
        reply_header (request, "Retry-After", "1");
    }
    reply_problem (request, status, json);
}

void problem_say (request_t *request, unsigned status, const char *format, ...)
{
    char sentence[CALL_SENTENCE_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (sentence, sizeof sentence, format, arguments);
    va_end (arguments);
    tell (request, status, NULL, NULL, sentence);
}

void problem_tell (request_t *request, unsigned status, const char *code, json_t *extra,
                   const char *format, ...)
{
    char sentence[CALL_SENTENCE_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (sentence, sizeof sentence, format, arguments);
    va_end (arguments);
    tell (request, status, code, extra, sentence);
}

void problem_error (request_t *request, const call_t *call, saker_err_t error)
{
    const char *sentence = *call->sentence ? call->sentence : saker_error_name (error);
    tell (request, problem_status (error), saker_error_name (error), NULL, sentence);
}

void problem_library (request_t *request, saker_err_t error)
{
    const char *sentence = saker_error_text ();
    tell (request, problem_status (error), saker_error_name (error), NULL,
          sentence && *sentence ? sentence : saker_error_name (error));
}
