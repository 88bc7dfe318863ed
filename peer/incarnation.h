/* Incarnation: a store writes under one writer only as long as it is the one store that does. It
   notices that it was copied, restored or put back to an older state, and takes a new incarnation:
   a new writer, and a new epoch of the feed, before it writes anything (design 5: disk loss,
   restore, clone). Taking one without need costs an entry in the clocks; not taking one that was
   needed costs a fork.

   When it is opened, a store compares where it lives with what it noted:
   - the id of the machine, where there is one: the store was carried to another machine;
   - the birth time of data.mdb (its number, where the filesystem does not tell the time): the store
     was copied, or taken from an archive. `mv` within a filesystem and a reboot keep both;
   - its boot file, an empty file of a random name, another one after each start: what was laid
     over a newer state of the store leaves the newer boot file beside its own.
   A store that was rolled back below the filesystem, or a machine that was cloned with its id,
   shows nothing of this; then what others report of our own writer tells (admit.c, mesh/twin.c). */

#ifndef SKR_PEER_INCARNATION_H_INCLUDED
#define SKR_PEER_INCARNATION_H_INCLUDED

#include "peer/replica.h"

/* Why the writer that a store had is not its own any more. Kept in the store: append only. */
typedef enum skr_doubt_t {
    SKR_DOUBT_NONE = 0,
    SKR_DOUBT_MACHINE,  /* it lies on another machine */
    SKR_DOUBT_COPY,     /* its files are not those that were made */
    SKR_DOUBT_OLDER,    /* an older state was laid over it */
    SKR_DOUBT_RESTORED, /* it comes from a backup */
    SKR_DOUBT_AHEAD,    /* others have changes of our writer that we do not have */
    SKR_DOUBT_FORK,     /* others have another change than we, under one seq of our writer */
    SKR_DOUBT_TWIN,     /* another process runs with our key and writer */
    SKR_DOUBT_CLOSED,   /* a right was taken and given back: the writer stays closed */
    SKR_DOUBT_FENCED,   /* a fence closed the writer: this is the device's return */
    SKR_DOUBT_UNDONE,  /* changes of it wait for others that were taken back: their seqs are used */
    SKR_DOUBT_VOUCHED, /* what another wrote is issued again here (reissue.h) */
    SKR_DOUBTS
} skr_doubt_t;

/* The last time that a new incarnation was taken. */
typedef struct skr_renewal_t {
    skr_doubt_t why;
    uint64_t wall_ms;
} skr_renewal_t;

/* A short word for programs, and the sentence for people. Static. */
const char *skr_doubt_text (skr_doubt_t why);
const char *skr_doubt_sentence (skr_doubt_t why);

const skr_renewal_t *skr_replica_renewal (const skr_replica_t *self);

/* Opens a store that is known to be no longer its writer's own (restore.c). */
saker_err_t skr_replica_open_as (skr_replica_t **self_p, const char *folder, skr_doubt_t why,
                                 const skr_world_t *world) SKR_MUST_USE;
/* Takes a new incarnation, in the open group or one of its own: writer and epoch change, open
   tickets end (their use may be noted elsewhere), and the new writer introduces itself. */
saker_err_t skr_incarnation_renew (skr_replica_t *self, skr_doubt_t why) SKR_MUST_USE;
/* In a group: was this a writer of this store alone, until it was closed? */
saker_err_t skr_incarnation_earlier (skr_replica_t *self, const skr_id_t *writer,
                                     bool *earlier) SKR_MUST_USE;
/* When the store is opened: compares, takes a new incarnation when one is due (in any case when
   `why` is given), introduces the writer on its first start, notes where the store lives, and turns
   the boot file. A full disk is borne as long as nothing of this is necessary. */
saker_err_t skr_incarnation_begin (skr_replica_t *self, skr_doubt_t why) SKR_MUST_USE;
/* In a group: states who this writer is, in its first roster change. It happens by itself when a
   store is opened, and once it is done not again. */
saker_err_t skr_incarnation_introduce (skr_replica_t *self) SKR_MUST_USE;
/* In the first group of a new store. */
saker_err_t skr_incarnation_found (skr_replica_t *self) SKR_MUST_USE;
/* Reads the last renewal from the store. */
saker_err_t skr_incarnation_load (skr_replica_t *self) SKR_MUST_USE;
/* After each commit and abort: the identity follows the store. */
void skr_incarnation_committed (skr_replica_t *self);
void skr_incarnation_aborted (skr_replica_t *self);

#endif
