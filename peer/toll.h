/* Toll: how much a device may put into the roster. Its log is kept whole by every member and is
   given to each that joins, so no member may make it grow without bound: by statements of what it
   carries, by new incarnations, by statements of kinds that are not known here.

   Each statement costs, and what a device may spend grows with the days since it was admitted; so
   the sum that is let in is a matter of what was spent and of the date alone. All members let in
   the same, within what their clocks differ; who was away, or joins, lets in at once what the
   others let in while it was not there; and what was too much for today is let in some later day,
   by whoever asks for it again. Admins pay nothing: rights and keys are theirs to state. */

#ifndef SKR_PEER_TOLL_H_INCLUDED
#define SKR_PEER_TOLL_H_INCLUDED

#include "peer/roster.h"
#include "peer/statement.h"

#define SKR_TOLL_FREE 512  /* that a device may spend from the beginning, */
#define SKR_TOLL_A_DAY 128 /* and what is added to it each day */
#define SKR_TOLL_BYTES 256
#define SKR_TOLL_INCARNATE                                                                         \
    2 /* a statement costs 1, and 1 for each SKR_TOLL_BYTES; this one more                         \
       */

/* For how long the device would have to wait with statements that cost so much; 0: not at all. */
uint64_t skr_toll_wait_ms (const skr_roster_t *roster, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                           uint64_t cost, uint64_t wall_ms);
/* Whose statements a roster change, which was checked, has; and what they cost. False: nobody's. */
bool skr_toll_of (const skr_roster_t *roster, const skr_change_t *change,
                  const skr_content_t *content, uint8_t device[SKR_DEVICE_KEY_BYTES],
                  uint64_t *cost);
/* What one statement costs. */
uint64_t skr_toll_cost (const skr_statement_t *statement, skr_span_t bytes);

#endif
