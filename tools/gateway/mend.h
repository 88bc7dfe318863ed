/* Mend: after a gap. The feed has not all of what was not sent; the documents have what came of it:
   that is set aside, to be sent. What was written over meanwhile, or deleted, is not told any more.
   Of the courier's thread. */

#ifndef TOOLS_GATEWAY_MEND_H_INCLUDED
#define TOOLS_GATEWAY_MEND_H_INCLUDED

#include "gateway/office.h"

void mend_gap (courier_t *self);

#endif
