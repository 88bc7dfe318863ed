/* Diary: what this peer sent, one line of JSON an attempt, in a file of the store that its owner
   alone can read. It cleans itself: of two files the older goes when the newer is full, or old. */

#ifndef TOOLS_GATEWAY_DIARY_H_INCLUDED
#define TOOLS_GATEWAY_DIARY_H_INCLUDED

#include "gateway/deliver.h"

#define DIARY_FILE "hooks.log"
#define DIARY_BYTES_DEFAULT (16u << 20) /* of both files */
#define DIARY_AGE_DEFAULT_MS (INT64_C (14) * 86400 * 1000)

typedef struct diary_t diary_t;

/* NULL: out of memory. */
diary_t *diary_new (const char *store, int64_t bytes_max, int64_t age_ms);
void diary_destroy (diary_t **self_p);
/* False when it cannot be written. */
bool diary_note (diary_t *self, const hook_t *hook, const letter_t *letter, const char *message,
                 const deliver_outcome_t *outcome);
/* Lets go of what is too old. Now and then. */
void diary_clean (diary_t *self);

/* Called once a line, the oldest first; borrowed. A value other than 0 ends it. */
typedef int diary_fn (json_t *line, void *argument);
/* Reads the lines of one subscription (NULL: of all). None yet is no error. */
saker_err_t diary_read (call_t *call, const char *store, const char *hook, diary_fn *fn,
                        void *argument);

#endif
