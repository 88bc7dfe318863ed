/* Begin: where the change feed begins that is kept here. */

#ifndef TOOLS_GATEWAY_BEGIN_H_INCLUDED
#define TOOLS_GATEWAY_BEGIN_H_INCLUDED

#include "saker.h"

/* The cursor before the first change that is kept. */
saker_err_t begin_find (saker_t *peer, const char *collection, saker_cursor_t *cursor);

#endif
