/* Included before every source of ours: functions that are not to be used do not compile. */

#ifndef TOOLS_BANNED_H_INCLUDED
#define TOOLS_BANNED_H_INCLUDED

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fortified headers make macros of some, and clang warns of a macro that is poisoned. */
#undef strcpy
#undef strcat
#undef strtok
#undef sprintf
#undef vsprintf
#undef gets
#undef atoi
#undef atol
#undef atoll
#undef atof
#pragma GCC poison strcpy strcat strtok sprintf vsprintf gets atoi atol atoll atof

#endif
