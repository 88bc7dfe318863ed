/* Where: which store is meant. */

#ifndef TOOLS_WHERE_H_INCLUDED
#define TOOLS_WHERE_H_INCLUDED

#include <limits.h>
#include <stdbool.h>

/* The folder of the store: `given`, else $SAKER_STORE, else ~/.saker. False when there is no home
   folder either, or the name is too long. */
bool where_store (const char *given, char path[PATH_MAX]);

#endif
