/* Included before every source of ours: functions that are not to be used do not compile. */

#ifndef TOOLS_BANNED_H_INCLUDED
#define TOOLS_BANNED_H_INCLUDED

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* some are macros in glibc's headers, which clang does not let poison: gcc watches for both */
#ifndef __clang__
#pragma GCC poison strcpy strcat strtok sprintf vsprintf gets atoi atol atoll atof
#endif

#endif
