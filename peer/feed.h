/* Feed: the log as events for applications, with durable named cursors. */

#ifndef SKR_PEER_FEED_H_INCLUDED
#define SKR_PEER_FEED_H_INCLUDED

#include "peer/replica.h"

/* One event for each (change, document touched), in order of position. `collection` NULL: all but
   the roster. Visits at most `changes_max` changes; cursor->position moves past what was visited or
   skipped. The visit may return SKR_STOP: the change it was part of is not counted as visited.
   SAKER_EGAP: the cursor's epoch is not ours, or it points below what is kept or above what is. */
typedef saker_err_t skr_event_fn (const saker_event_t *event, void *argument);
saker_err_t skr_feed_read (skr_replica_t *replica, const skr_collection_t *collection,
                           saker_cursor_t *cursor, size_t changes_max, skr_event_fn *visit,
                           void *argument) SKR_MUST_USE;
/* The cursor of the last applied change. */
saker_err_t skr_feed_now (skr_replica_t *replica, saker_cursor_t *cursor) SKR_MUST_USE;
/* Named cursors; save needs a group. Names are 1 to 64 bytes. */
saker_err_t skr_feed_save (skr_replica_t *replica, const char *name,
                           const saker_cursor_t *cursor) SKR_MUST_USE;
saker_err_t skr_feed_load (skr_replica_t *replica, const char *name,
                           saker_cursor_t *cursor) SKR_MUST_USE;

#endif
