/* Upkeep: what people do with subscriptions. All of it is reading and writing documents of the
   collection `hooks`, so it can be done at any peer. */

#ifndef TOOLS_GATEWAY_UPKEEP_H_INCLUDED
#define TOOLS_GATEWAY_UPKEEP_H_INCLUDED

#include "gateway/letter.h"

/* Makes a subscription to what comes from now on. SAKER_EEXIST. */
saker_err_t upkeep_add (call_t *call, const char *hooks, const hook_t *hook);
/* SAKER_ENOTFOUND with a sentence. */
saker_err_t upkeep_read (call_t *call, const char *hooks, const char *name, hook_t *hook);
saker_err_t upkeep_set_state (call_t *call, const char *hooks, const char *name,
                              hook_state_t state);
/* Replaces the secrets by those of `hook`. */
saker_err_t upkeep_set_secrets (call_t *call, const char *hooks, const hook_t *hook);
/* Takes a subscription away, with all that belongs to it. */
saker_err_t upkeep_remove (call_t *call, const char *hooks, const char *name);

/* Called once a subscription. A value other than 0 ends it. */
typedef int upkeep_hook_fn (const hook_t *hook, void *argument);
saker_err_t upkeep_list (call_t *call, const char *hooks, upkeep_hook_fn *fn, void *argument);

/* Called once a letter that waits ("aside") or is dead ("dead"). */
typedef int upkeep_letter_fn (const letter_t *letter, void *argument);
saker_err_t upkeep_letters (call_t *call, const char *hooks, const char *kind, const char *name,
                            upkeep_letter_fn *fn, void *argument);
/* Lets go of dead letters; `count` of them. */
saker_err_t upkeep_bury (call_t *call, const char *hooks, const char *name, size_t *count);

/* What is sent again: one event, or what was changed in a time (both ends included). */
typedef struct upkeep_replay_t {
    const char *event;           /* NULL: by time */
    uint64_t since_ms, until_ms; /* 1970 */
} upkeep_replay_t;

#define UPKEEP_REPLAY_MAX 10000 /* at once */

/* Has events sent again, with the ids that they had; `count` of them. SAKER_ENOTFOUND: there is no
   such event, dead or in the history that is kept here. */
saker_err_t upkeep_replay (call_t *call, const char *hooks, const char *name,
                           const upkeep_replay_t *what, size_t *count);

/* Where a subscription is: {"sends": NAME or null, "waiting": N, "dead": N}. NULL: out of memory.
   Owned by the caller. */
saker_err_t upkeep_status (call_t *call, const char *hooks, const char *name, json_t **json);

#endif
