/* World: what comes from outside and is replaced in a simulator: time and messages for people.
   Randomness is libsodium's (randombytes_set_implementation replaces it). */

#ifndef SKR_PEER_WORLD_H_INCLUDED
#define SKR_PEER_WORLD_H_INCLUDED

#include "crdt/err.h"

typedef enum skr_level_t {
    SKR_LOG_ERROR = 0,
    SKR_LOG_WARNING = 1,
    SKR_LOG_INFO = 2,
    SKR_LOG_DEBUG = 3,
} skr_level_t;

typedef struct skr_world_t {
    void *context;
    uint64_t (*wall_ms) (void *context); /* since 1970; may jump */
    uint64_t (*mono_ms) (void *context); /* never goes back */
    void (*log) (void *context, skr_level_t level, const char *message);
} skr_world_t;

/* The real one: clocks of the machine, messages dropped. Static. */
const skr_world_t *skr_world_real (void);

void skr_log (const skr_world_t *world, skr_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
