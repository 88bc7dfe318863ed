/* World: what comes from outside and is replaced in a simulator: time and messages for people.
   Randomness is libsodium's (randombytes_set_implementation replaces it). */

#ifndef SKR_PEER_WORLD_H_INCLUDED
#define SKR_PEER_WORLD_H_INCLUDED

#include "crdt/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum skr_level_t {
    SKR_LOG_ERROR = 0,
    SKR_LOG_WARNING = 1,
    SKR_LOG_INFO = 2,
    SKR_LOG_DEBUG = 3,
} skr_level_t;

/* Where a store lives, as far as a copy of it would live elsewhere. */
typedef struct skr_home_t {
    uint8_t machine[16]; /* digest of the machine's id; zeros: it has none (a container) */
    uint64_t born_ns;    /* when the file of the store was made; 0: the filesystem does not tell */
    uint64_t file;       /* its number in the filesystem */
} skr_home_t;

typedef struct skr_world_t {
    void *context;
    uint64_t (*wall_ms) (void *context); /* since 1970; may jump */
    uint64_t (*mono_ms) (void *context); /* never goes back */
    void (*log) (void *context, skr_level_t level, const char *message);
    /* Of the store in a folder. False: unknown; NULL: never known. */
    bool (*home) (void *context, const char *folder, skr_home_t *home);
    uint64_t (*mono_us) (void *context); /* mono_ms, finer; NULL: it is not */
} skr_world_t;

/* The real one: clocks of the machine, messages dropped. Static. */
const skr_world_t *skr_world_real (void);

/* In microseconds, never going back. */
uint64_t skr_world_mono_us (const skr_world_t *world);

void skr_log (const skr_world_t *world, skr_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
