/* Patch: JSON values changed as RFC 7396 (merge patch) and RFC 6902 (JSON patch) say. */

#ifndef TOOLS_GATEWAY_PATCH_H_INCLUDED
#define TOOLS_GATEWAY_PATCH_H_INCLUDED

#include "call.h"

#include <jansson.h>

#define PATCH_OPERATIONS_MAX 1024
#define PATCH_COPIED_MAX 65536 /* values that copies may make */

/* Neither changes `target`, which may be NULL: nothing is there. Owned by the caller. */

/* NULL: out of memory. */
json_t *patch_merge (const json_t *target, const json_t *patch);
/* SAKER_EINPUT: it is no JSON patch; SAKER_ENOTFOUND: a place is not there; SAKER_EDIFFER: a test
   did not hold; SAKER_ELIMIT. */
saker_err_t patch_apply (call_t *call, const json_t *target, const json_t *patch, json_t **result);

#endif
