/* Stating: a list of roster statements of this device, made into as many changes as they need. */

#ifndef SKR_PEER_STATING_H_INCLUDED
#define SKR_PEER_STATING_H_INCLUDED

#include "peer/replica.h"

#define SKR_STATING_BYTES_MAX 49152u /* of the statements of one change */

/* Starts as all zeros. */
typedef struct skr_stating_t {
    skr_buf_t buf; /* append a statement here, then end it */
    size_t *ends;  /* of each statement in the buf */
    size_t count, capacity;
} skr_stating_t;

saker_err_t skr_stating_end (skr_stating_t *self) SKR_MUST_USE;
/* Makes the changes, in a group, in the order of the statements. */
saker_err_t skr_stating_make (const skr_stating_t *self, skr_replica_t *replica) SKR_MUST_USE;
void skr_stating_free (skr_stating_t *self);

#endif
