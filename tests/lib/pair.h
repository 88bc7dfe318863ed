/* Pair: two replicas of one mesh in temporary folders, the first its founder and admin. For tests
   below the network. */

#ifndef TESTS_LIB_PAIR_H_INCLUDED
#define TESTS_LIB_PAIR_H_INCLUDED

#include "peer/replica.h"

typedef struct pair_t {
    char folder[64]; /* holds both stores */
    char store_a[96], store_b[96];
    skr_replica_t *a, *b;
} pair_t;

/* Opens both. On failure prints why and returns false. */
bool pair_open (pair_t *self);
/* Closes both and removes the folder. */
void pair_close (pair_t *self);
/* Admits one more device to the founder's roster and opens its replica on `store`. The founder has
   the roster change with which it introduced itself. */
bool pair_adopt (skr_replica_t *founder, const char *store, const char *name, skr_role_t role,
                 skr_replica_t **replica);
/* One local write of one integer register "/n" in a group of its own. */
saker_err_t pair_set (skr_replica_t *replica, const char *collection, const char *document,
                      int64_t number);
/* Offers `to` what it lacks of one collection of `from`, in groups of its own. */
saker_err_t pair_sync (skr_replica_t *from, skr_replica_t *to, const skr_id_t *collection);

/* An admin gives a member a role in the whole mesh, in a group of its own. */
saker_err_t pair_role (skr_replica_t *by, const skr_replica_t *whom, skr_role_t role);

/* A founder, and three members who know each other. */
typedef struct four_t {
    pair_t pair;
    skr_replica_t *third, *fourth;
} four_t;

/* The fourth has this role; all others may write. False, with the reason printed. */
bool four_open (four_t *self, const char *fourth, skr_role_t role);
void four_close (four_t *self);

#endif
