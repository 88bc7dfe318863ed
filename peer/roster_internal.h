/* What roster.c (what was stated), rights.c (what of it counts) and limits.c (what follows) share.
   Nobody else includes this. */

#ifndef SKR_PEER_ROSTER_INTERNAL_H_INCLUDED
#define SKR_PEER_ROSTER_INTERNAL_H_INCLUDED

#include "peer/statement.h"

#include <string.h>

/* When something was said; the later one counts. */
typedef struct skr_stamp_t {
    uint64_t hlc;
    skr_dot_t dot;
} skr_stamp_t;

typedef struct skr_person_t {
    skr_member_t member; /* as of what counts */
    skr_stamp_t stamp;   /* of the latest admission */
    skr_role_t ever;     /* the highest that anybody ever stated */
    bool founder;
    bool fenced;             /* and not come back */
    size_t writers_count;    /* incarnations */
    bool described, granted; /* while what counts is added up */
    size_t subscription;     /* in subscriptions, of the present writer, + 1; 0: none */
    size_t subscribed;       /* the same, of the highest number of all its writers */
} skr_person_t;

typedef struct skr_writer_t {
    skr_id_t writer;
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    uint64_t hlc;
    skr_dot_t *seen; /* what closed the device's earlier writers; owned */
    size_t seen_count;
} skr_writer_t;

/* One FOUND or ADMIT. */
typedef struct skr_grant_t {
    skr_member_t member;
    skr_stamp_t stamp;
    bool founding;
    bool counts;
} skr_grant_t;

/* One ROLE or FENCE. */
typedef struct skr_role_statement_t {
    bool fence;
    bool own; /* a fence of the device by itself */
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_id_t collection; /* zeros: the mesh */
    skr_role_t role;
    skr_stamp_t stamp;
    skr_dot_t *seen; /* owned */
    size_t seen_count;
    skr_cutoff_t *cutoffs; /* owned */
    size_t cutoffs_count;
    skr_id_t from, to;
    bool counts, superseded;
} skr_role_statement_t;

/* One FORK. */
typedef struct skr_fork_statement_t {
    skr_fork_settled_t settled;
    skr_dot_t dot;
    bool counts;
} skr_fork_statement_t;

/* The last SUBSCRIBE of one writer. */
typedef struct skr_subscribe_statement_t {
    uint8_t device[SKR_DEVICE_KEY_BYTES];
    skr_dot_t dot;
    skr_subscription_t subscription; /* owned */
} skr_subscribe_statement_t;

/* What one writer's statements cost (toll.h). */
typedef struct skr_toll_t {
    skr_id_t writer;
    uint64_t paid;
} skr_toll_t;

struct skr_roster_t {
    skr_id_t mesh;
    char mesh_name[SKR_NAME_BYTES_MAX + 1];
    skr_person_t *people; /* ascending by device key */
    size_t people_count, people_capacity;
    skr_writer_t *writers; /* ascending by writer */
    size_t writers_count, writers_capacity;
    skr_grant_t *grants; /* in order of addition */
    size_t grants_count, grants_capacity;
    skr_role_statement_t *roles; /* in order of addition */
    size_t roles_count, roles_capacity;
    skr_fork_statement_t *forks; /* in order of addition */
    size_t forks_count, forks_capacity;
    skr_subscribe_statement_t *subscriptions; /* in order of addition, one a writer */
    size_t subscriptions_count, subscriptions_capacity;
    skr_toll_t *tolls; /* ascending by writer */
    size_t tolls_count, tolls_capacity;
    skr_roster_key_t *keys; /* in order of addition; each owns its copies */
    size_t keys_count, keys_capacity;
    uint64_t closings;
};

/* roster.c. NULL when there is none. */
skr_person_t *skr_roster_person (const skr_roster_t *self, const uint8_t device[32]);
const skr_writer_t *skr_roster_writer (const skr_roster_t *self, const skr_id_t *writer);
bool skr_stamp_later (const skr_stamp_t *one, const skr_stamp_t *other);

/* toll.c. SAKER_ENOMEM. */
saker_err_t skr_roster_pay (skr_roster_t *self, const skr_id_t *writer, uint64_t cost) SKR_MUST_USE;

/* leaving.c: which subscriptions count; and the first device (or this one, unless it is NULL) that
   left the collection at changes that are not here, and how many. */
void skr_roster_note_subscriptions (skr_roster_t *self);
const skr_member_t *skr_roster_undrained_leaver (const skr_roster_t *self, const uint8_t *device,
                                                 const skr_id_t *collection,
                                                 const skr_clock_t *clock, uint64_t *missing);

/* limits.c */
static inline bool skr_same_device (const uint8_t one[32], const uint8_t other[32])
{
    return memcmp (one, other, SKR_DEVICE_KEY_BYTES) == 0;
}
bool skr_has_dot (const skr_dot_t *list, size_t count, const skr_dot_t *dot);
/* Does it know the statement, so that this does not close it? */
bool skr_writer_saw (const skr_writer_t *writer, const skr_role_statement_t *role);
/* Where a statement closes a writer: 0 where it names none. */
uint64_t skr_role_cutoff (const skr_role_statement_t *role, const skr_id_t *collection,
                          const skr_id_t *writer);
/* Does it take the right to make roster statements? */
bool skr_role_takes_stating (const skr_role_statement_t *role);
/* What of a writer stands, as far as one statement goes, for who needs that role. */
uint64_t skr_role_limit (const skr_roster_t *self, const skr_role_statement_t *role,
                         const skr_writer_t *writer, const skr_id_t *collection, skr_role_t needed);
/* What of its roster changes stands. */
uint64_t skr_roster_own_limit (const skr_roster_t *self, const skr_writer_t *writer);
/* Sets *stated to what the ROLEs say of a device in a collection (zeros: the mesh); leaves it alone
   where they say nothing. */
void skr_roster_stated (const skr_roster_t *self, const uint8_t device[32],
                        const skr_id_t *collection, skr_role_t *stated);

#endif
