/* Errors: a code, and for the calling thread one sentence. Each layer adds its words on the way up:
   "open store: record 17: checksum differs". */

#ifndef SKR_CRDT_ERR_H_INCLUDED
#define SKR_CRDT_ERR_H_INCLUDED

#include "include/saker.h"

#define SKR_MUST_USE __attribute__ ((warn_unused_result))

/* Sets the sentence of this thread and returns `error`. */
saker_err_t skr_fail (saker_err_t error, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* Puts "words: " before the sentence of this thread; returns `error`. Does nothing on SAKER_OK. */
saker_err_t skr_wrap (saker_err_t error, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* The sentence of this thread; saker_error_text () is the same. */
const char *skr_error (void);

/* Is it of this machine's disk or memory, and may pass? */
static inline bool skr_err_passes (saker_err_t error)
{
    return error == SAKER_EFULL || error == SAKER_EIO || error == SAKER_ENOMEM;
}

/* Returns from the calling function when `expression` failed. */
#define SKR_TRY(expression)                                                                        \
    do {                                                                                           \
        saker_err_t skr_try_error = (expression);                                                  \
        if (skr_try_error != SAKER_OK) {                                                           \
            return skr_try_error;                                                                  \
        }                                                                                          \
    } while (0)

#endif
