/* Batch: what saker_batch_* collect: operations as the local API takes them. */

#ifndef SKR_MESH_BATCH_H_INCLUDED
#define SKR_MESH_BATCH_H_INCLUDED

#include "peer/api.h"

struct saker_batch_t {
    char collection[SKR_COLLECTION_BYTES_MAX + 1];
    uint8_t operation_id[SKR_OPERATION_ID_BYTES_MAX];
    size_t operation_id_size;
    skr_buf_t intents; /* encoded, one after the other */
    size_t intents_count;
    size_t operations; /* that a change would hold at most */
    bool replacing;
};

#endif
