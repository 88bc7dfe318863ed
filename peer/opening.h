/* Opening: changes of one collection's log, opened, by the dots of their operations. The last ones
   are kept, since neighbours are often of one change. */

#ifndef SKR_PEER_OPENING_H_INCLUDED
#define SKR_PEER_OPENING_H_INCLUDED

#include "peer/replica.h"

#define SKR_OPENING_CHANGES 64 /* kept at once */

typedef struct skr_opened_t {
    skr_id_t writer;
    uint64_t seq; /* 0: the place is free */
    uint64_t hlc;
    bool readable; /* its key is here: content holds */
    skr_buf_t clear;
    skr_content_t content;
} skr_opened_t;

/* Starts as all zeros but for these. */
typedef struct skr_opening_t {
    skr_replica_t *replica;
    uint32_t collection_no;
    size_t next; /* the place that is used next */
    skr_opened_t changes[SKR_OPENING_CHANGES];
} skr_opening_t;

/* The change with this dot, as committed. Borrowed until the next call. SAKER_ENOTFOUND, without a
   sentence: it is not kept, or its record is damaged. */
saker_err_t skr_opening_find (skr_opening_t *self, const skr_dot_t *dot,
                              const skr_opened_t **opened) SKR_MUST_USE;
/* The operation with this dot in the change; NULL when there is none, or it is not readable. */
const skr_op_t *skr_opened_op (const skr_opened_t *self, const skr_dot_t *dot);
/* Wipes. */
void skr_opening_free (skr_opening_t *self);

#endif
