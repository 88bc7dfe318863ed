/* Every limit on what a mesh exchanges. All are checked on the way in and on the way out, and the
   error names the limit. */

#ifndef SKR_CRDT_LIMITS_H_INCLUDED
#define SKR_CRDT_LIMITS_H_INCLUDED

#include "include/saker.h"

#define SKR_CHANGE_BYTES_MAX SAKER_CHANGE_BYTES_MAX /* a signed change, as sent */
#define SKR_CHANGE_OPS_MAX SAKER_CHANGE_OPS_MAX
#define SKR_CHANGE_DEPS_MAX 1024
#define SKR_CHANGE_WRITERS_MAX 1024 /* in the table of a content */
#define SKR_OP_PRED_MAX 1024
#define SKR_VALUE_BYTES_MAX SAKER_VALUE_BYTES_MAX
#define SKR_DOCUMENT_BYTES_MAX SAKER_DOCUMENT_BYTES_MAX
#define SKR_PATH_LEVELS_MAX SAKER_PATH_LEVELS_MAX
#define SKR_PATH_BYTES_MAX SAKER_PATH_BYTES_MAX
#define SKR_COLLECTION_BYTES_MAX SAKER_COLLECTION_BYTES_MAX
#define SKR_OPERATION_ID_BYTES_MAX 64
#define SKR_ORIGIN_BYTES_MAX 64
#define SKR_NAME_BYTES_MAX 64 /* of a device or a mesh */
#define SKR_CBOR_DEPTH_MAX 32

#endif
