/* Log: every applied change in the order in which it was applied here, with its undo. Positions are
   dense over the whole store (1, 2, 3 ...) and local; they are also the positions of the feed. */

#ifndef SKR_PEER_LOG_H_INCLUDED
#define SKR_PEER_LOG_H_INCLUDED

#include "crdt/clock.h"
#include "peer/store.h"

typedef struct skr_log_entry_t {
    uint64_t position;
    uint32_t collection_no;
    skr_span_t change; /* signed, as made */
    skr_span_t undo;
} skr_log_entry_t;

/* Appends in the open group, with the index by writer and seq; sets entry->position. */
saker_err_t skr_log_append (skr_store_t *store, uint32_t writer_no, uint64_t seq,
                            skr_log_entry_t *entry) SKR_MUST_USE;
/* Writes an entry anew at its position, in the open group: its undo changed. */
saker_err_t skr_log_rewrite (skr_store_t *store, const skr_log_entry_t *entry) SKR_MUST_USE;
/* SAKER_ENOTFOUND. Borrowed as by skr_store_get. */
saker_err_t skr_log_get (skr_store_t *store, skr_sight_t sight, uint64_t position,
                         skr_log_entry_t *entry) SKR_MUST_USE;
/* Position of a change. SAKER_ENOTFOUND. */
saker_err_t skr_log_find (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          uint32_t writer_no, uint64_t seq, uint64_t *position) SKR_MUST_USE;
/* The position that was given last, 0 when none was; its entry may be gone. */
saker_err_t skr_log_last (skr_store_t *store, skr_sight_t sight, uint64_t *position) SKR_MUST_USE;

/* What the log of a collection starts above: for each writer of its clock, the seq before the first
   that is kept. Replaces base. */
saker_err_t skr_log_base (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          const skr_clock_t *clock, skr_clock_t *base) SKR_MUST_USE;
/* Visits, in order of application, the changes of a collection that `have` lacks of `clock` (the
   collection's own). Costs what is missing, not the length of the log. The visit may return
   SKR_STOP. SAKER_EGAP when some of them are below what is kept. */
typedef saker_err_t skr_log_fn (const skr_log_entry_t *entry, void *argument);
saker_err_t skr_log_missing (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                             const skr_clock_t *clock, const skr_clock_t *have, skr_log_fn *visit,
                             void *argument) SKR_MUST_USE;

/* One change of the log, known by its place even when its record cannot be read. */
typedef struct skr_log_place_t {
    uint64_t position;
    const skr_id_t *writer;
    uint32_t writer_no;
    uint64_t seq;
    const skr_log_entry_t *entry; /* NULL: the record is damaged */
} skr_log_place_t;

/* The same, of all that the log holds above `cut`, for who takes it away from its beginning. */
typedef saker_err_t skr_log_place_fn (const skr_log_place_t *place, void *argument);
saker_err_t skr_log_walk (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                          const skr_clock_t *clock, const skr_clock_t *cut, skr_log_place_fn *visit,
                          void *argument) SKR_MUST_USE;
/* Bytes of an entry's record. */
size_t skr_log_bytes (const skr_log_entry_t *entry);
/* Takes an entry away, in a group, after skr_log_keep_last: positions are never given out twice. */
saker_err_t skr_log_remove (skr_store_t *store, uint32_t collection_no, uint32_t writer_no,
                            uint64_t seq, uint64_t position) SKR_MUST_USE;
saker_err_t skr_log_keep_last (skr_store_t *store) SKR_MUST_USE;

#endif
