/* History: which changes of the log touched a document (SKR_HISTORY), and where history begins.

     collection no u32, position u64 -> a run: for each change in turn, position (varint, less the
                                        one before; the first: less the key's), number of documents
                                        (varint; 0: not known), 4 bytes of keyed hash for each
     collection no u32, 0 u64        -> begin: highest hlc of what was dropped u64

   A run takes about a kilobyte, so that a change costs one record that is written again, at the end
   of the table, and five bytes or so for each document. To find the changes of one document, the
   runs of its collection are read: some thousandth of the log. What a run says is a hint: a hash
   may be another's, a position may be gone from the log, so whoever asks looks at the change
   itself. */

#ifndef SKR_PEER_HISTORY_H_INCLUDED
#define SKR_PEER_HISTORY_H_INCLUDED

#include "peer/replica.h"

#define SKR_HISTORY_VERSION 1 /* of the index: another one is built anew */

/* ---- keeping it */

/* After skr_log_append, in the group. `content` NULL: it cannot be read here. What the index has at
   and above this position was taken back, and goes. */
saker_err_t skr_history_append (skr_replica_t *replica, uint32_t collection_no, uint64_t position,
                                const skr_content_t *content) SKR_MUST_USE;
/* The same for a change that is not open; one whose key is not here counts as not known. */
saker_err_t skr_history_append_change (skr_replica_t *replica, uint32_t collection_no,
                                       uint64_t position, const skr_change_t *change) SKR_MUST_USE;
/* For the cut, in its group: what the log has of the collection now begins at position `kept`, and
   the highest time of what was dropped is `hlc`. */
saker_err_t skr_history_cut (skr_store_t *store, uint32_t collection_no, uint64_t kept,
                             uint64_t hlc) SKR_MUST_USE;

/* ---- asking it */

/* For who looks at a store: how many changes of the log the index has, and the position of the
   first that it has with other documents than those that it touched; 0: none. What cannot be opened
   here counts as right. */
saker_err_t skr_history_check (skr_replica_t *replica, uint32_t collection_no, uint64_t *indexed,
                               uint64_t *wrong) SKR_MUST_USE;

/* Positions, ascending, of the changes that may have touched the document. *positions is allocated
   (free ()). */
saker_err_t skr_history_find (skr_replica_t *replica, skr_sight_t sight, uint32_t collection_no,
                              skr_span_t document, uint64_t **positions,
                              size_t *count) SKR_MUST_USE;

/* The last position that the index has of a collection, as committed; 0: none. */
saker_err_t skr_history_last (skr_replica_t *replica, uint32_t collection_no,
                              uint64_t *position) SKR_MUST_USE;

/* Where the history of a collection begins here. */
typedef struct skr_begin_t {
    bool whole;   /* it has every change since the first: before them there was nothing */
    uint64_t hlc; /* otherwise what was at this time and later is known; whole: time of the first
                     change that was applied here, 0 when there is none */
} skr_begin_t;

saker_err_t skr_history_begin (skr_replica_t *replica, skr_sight_t sight, uint32_t collection_no,
                               skr_begin_t *begin) SKR_MUST_USE;

/* "2026-11-29T12:00:00.000Z", for sentences. */
#define SKR_TIME_TEXT_BYTES 32
const char *skr_history_time_text (uint64_t hlc, char text[SKR_TIME_TEXT_BYTES]);

/* What skr_history_cut noted of all collections: number u32, hlc u64, one after the other. For
   building the index anew. */
#define SKR_BEGIN_BYTES 12
saker_err_t skr_history_begins (skr_store_t *store, skr_buf_t *begins) SKR_MUST_USE;

/* ---- indexes.c */

/* When the store is opened: builds the indexes of conflicts and of history that are missing,
   damaged or of another version. */
saker_err_t skr_replica_build_indexes (skr_replica_t *replica) SKR_MUST_USE;
/* SAKER_EFULL when that was not possible: then nothing is to be answered from them. */
saker_err_t skr_replica_check_indexes (const skr_replica_t *replica) SKR_MUST_USE;

#endif
