/* Hybrid logical clock (Kulkarni and others, 2014): milliseconds since 1970 << 16 | counter. */

#ifndef SKR_CRDT_HLC_H_INCLUDED
#define SKR_CRDT_HLC_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

#define SKR_HLC_AHEAD_MS_MAX 60000

/* The next time of a local change: above `*last` and not below the wall clock. Updates *last.
   The wall clock comes in: crdt/ has none. */
uint64_t skr_hlc_next (uint64_t *last, uint64_t wall_ms);
/* Takes note of a time seen in a foreign change. False, and *last unchanged, when it is more than
   SKR_HLC_AHEAD_MS_MAX ahead of the wall clock: a wrong clock never pulls ours along. */
bool skr_hlc_seen (uint64_t *last, uint64_t seen, uint64_t wall_ms);
uint64_t skr_hlc_ms (uint64_t hlc);

#endif
