/* Moment: a time on the command line, as "2026-11-29T12:00:00Z" (RFC 3339) or as how long ago:
   "10m", "2h", "3d". */

#ifndef TOOLS_MOMENT_H_INCLUDED
#define TOOLS_MOMENT_H_INCLUDED

#include "call.h"

/* The value of an option, in milliseconds since 1970; `option` must have been given. SAKER_EUSAGE
   when it is no time, SAKER_EINPUT when it lies in the future. */
saker_err_t moment_option (call_t *call, const char *option, uint64_t *time_ms);
/* Milliseconds since 1970, now. */
uint64_t moment_now (void);

#endif
