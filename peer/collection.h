/* What a replica keeps of one collection beside its cells and its log. */

#ifndef SKR_PEER_COLLECTION_H_INCLUDED
#define SKR_PEER_COLLECTION_H_INCLUDED

#include "crdt/cells.h"
#include "crdt/limits.h"

typedef struct skr_collection_t {
    skr_id_t id;
    uint32_t no;                             /* local */
    char name[SKR_COLLECTION_BYTES_MAX + 1]; /* "" until known; the roster's is "@roster" */
    skr_clock_t clock;
    skr_fingerprint_t fingerprint; /* this and documents are kept with the cells: cells_store.h */
    uint64_t documents;
    uint64_t changes;   /* sum of the clock */
    uint64_t log_bytes; /* of the records of its log */
    bool sealed;        /* it cannot be read here: its log alone is kept (sealed.h) */
} skr_collection_t;

#endif
