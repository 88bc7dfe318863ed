/* Told: what the daemon tells about itself and the mesh, as JSON: for the commands that show it,
   put it together, or judge it. */

#ifndef TOOLS_TOLD_H_INCLUDED
#define TOOLS_TOLD_H_INCLUDED

#include "call.h"

#include <jansson.h>

/* Each asks the daemon of an open call. *json is owned by the caller; NULL after an error. */

/* The tree of saker_status. */
saker_err_t told_status (call_t *call, json_t **json);
/* A list of the members, with their links; see saker_links. */
saker_err_t told_links (call_t *call, json_t **json);
/* {name: {"step_ms": n, "values": [...]}}; see saker_trends. */
saker_err_t told_trends (call_t *call, json_t **json);
/* A list of the logs, as of `saker gc --plan`; see saker_gc. */
saker_err_t told_kept (call_t *call, json_t **json);

/* What is at a JSON Pointer, or `other` when it is not there. Text is borrowed. */
int64_t told_int (const json_t *json, const char *pointer, int64_t other);
const char *told_text (const json_t *json, const char *pointer, const char *other);
bool told_flag (const json_t *json, const char *pointer);

/* The link whose state is self; NULL: none. Borrowed. */
const json_t *told_self (const json_t *links);
/* Does the member of a link hear the one with this id? */
bool told_hears (const json_t *link, const char *id);
/* "up", "slow", "silent", "left", "self", or "fenced". Static or borrowed. */
const char *told_state (const json_t *link);

#endif
