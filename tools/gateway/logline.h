/* Log line: one line in the daemon's log, from a format. */

#ifndef TOOLS_GATEWAY_LOGLINE_H_INCLUDED
#define TOOLS_GATEWAY_LOGLINE_H_INCLUDED

#include "saker.h"

#include <stdarg.h>

/* `level` as in saker_log_fn. */
void logline_say (saker_log_fn *log_fn, int level, const char *format, va_list arguments)
    __attribute__ ((format (printf, 3, 0)));

#endif
