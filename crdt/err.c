#include "crdt/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES_MAX 1024

static _Thread_local char sentence[SENTENCE_BYTES_MAX];

saker_err_t skr_fail (saker_err_t error, const char *format, ...)
{
    char fresh[SENTENCE_BYTES_MAX]; /* the arguments may hold the old sentence */
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (fresh, sizeof fresh, format, arguments);
    va_end (arguments);
    memcpy (sentence, fresh, sizeof sentence);
    return error;
}

saker_err_t skr_wrap (saker_err_t error, const char *format, ...)
{
    char words[SENTENCE_BYTES_MAX];
    char fresh[2 * SENTENCE_BYTES_MAX + 3];
    va_list arguments;
    if (error == SAKER_OK) {
        return error;
    }
    va_start (arguments, format);
    vsnprintf (words, sizeof words, format, arguments);
    va_end (arguments);
    snprintf (fresh, sizeof fresh, "%s: %s", words, sentence);
    fresh[SENTENCE_BYTES_MAX - 1] = 0;
    memcpy (sentence, fresh, sizeof sentence);
    return error;
}

const char *skr_error (void)
{
    return sentence;
}

const char *saker_error_text (void)
{
    return sentence;
}

const char *saker_error_name (saker_err_t error)
{
    switch (error) {
#define NAME(name, number, text)                                                                   \
    case name:                                                                                     \
        return text;
        SAKER_ERRORS (NAME)
#undef NAME
    }
    return "unknown error";
}
