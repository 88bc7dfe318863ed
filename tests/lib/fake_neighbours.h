/* What the local API sees of a mesh of two: the other member is a replica in the same process,
   which tells, answers and is linked as the test says. */

#ifndef TESTS_LIB_FAKE_NEIGHBOURS_H_INCLUDED
#define TESTS_LIB_FAKE_NEIGHBOURS_H_INCLUDED

#include "peer/api.h"

#define FAKE_HASHES_MAX 64

typedef struct fake_neighbours_t {
    skr_replica_t *own, *other;
    const skr_world_t *world;
    const char *link; /* of the other */
    int64_t seen_ms;  /* -1: never heard */
    bool told;        /* it has reported */
    bool told_part;   /* but not of all */
    bool answers;     /* it answers what it is asked */
    bool has_addresses;
    int level;         /* of the log, asked for last; -1: not asked for */
    uint64_t level_ms; /* and for how long */
    size_t asked;      /* calls of ask */
    uint64_t asked_ms; /* of the last answer */
    uint64_t told_ms;
    uint64_t hashes[FAKE_HASHES_MAX], kept[FAKE_HASHES_MAX]; /* told last */
} fake_neighbours_t;

/* The other is up, has told and answers. */
void fake_neighbours_init (fake_neighbours_t *self, skr_replica_t *own, skr_replica_t *other,
                           const skr_world_t *world);
skr_neighbours_t fake_neighbours_of (fake_neighbours_t *self);
/* The other takes what we have and it has not. */
saker_err_t fake_neighbours_sync (fake_neighbours_t *self);

#endif
