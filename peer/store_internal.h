/* Of store.c, store_reading.c, store_open.c and store_pending.c alone. */

#ifndef SKR_PEER_STORE_INTERNAL_H_INCLUDED
#define SKR_PEER_STORE_INTERNAL_H_INCLUDED

#include "peer/journal.h"
#include "peer/staged.h"
#include "peer/store.h"

#include <lmdb.h>
#include <sodium.h>

#define SKR_STORE_SUM_BYTES crypto_shorthash_BYTES
#define SKR_STORE_IDENTITY_KEY "store"
#define SKR_STORE_IDENTITY_BYTES (4 + crypto_shorthash_KEYBYTES)
#define SKR_STORE_MAP_BYTES_MAX (SIZE_MAX / 4)
#define SKR_STORE_VIEW_GROUPS 4 /* that fit into the map beside a view */

_Static_assert(SKR_STORE_SUM_BYTES == 8, "size of a checksum");

/* A group is staged in memory, and small ones are written to the journal and then put into
   `pending`; or it is a transaction of LMDB's own, `group`. Then there is nothing pending: LMDB
   has one writer. */
struct skr_store_t {
    char *folder;
    const skr_world_t *world;
    int lock;
    MDB_env *env;
    MDB_dbi tables[SKR_TABLES];
    bool grouping;       /* a group has begun */
    int group_failed;    /* LMDB's code of the first put that failed */
    skr_staged_t staged; /* the group, while it is small */
    MDB_txn *group;      /* the group, when it is large, or nothing is journaled */
    MDB_cursor *cells;   /* of the group, where cells are replaced one after the other; or NULL */
    unsigned int scans;  /* that are under way: what they read stays where it is */
    bool journaling;     /* small groups go to the journal */
    bool journal_wanted; /* and are to, as soon as there is one */
    uint64_t journal_tried_ms;
    skr_journal_t journal;
    MDB_txn
        *pending; /* what is committed: the journal's groups on top of LMDB's; or NULL: LMDB's */
    uint64_t pending_since_ms;
    MDB_txn *reader;
    MDB_txn *view;
    bool view_wanted;     /* make room for one at the next begin */
    bool reading;         /* the reader has a snapshot */
    bool unmapped;        /* the map could be set neither to a new size nor back */
    bool looking;         /* SKR_STORE_LOOK */
    bool journal_damaged; /* and it is left out */
    bool unsettled;       /* a commit failed so that nobody knows whether it is on the disk */
    size_t map_bytes;
    size_t room_bytes;
    skr_buf_t scratch;
    uint8_t key[crypto_shorthash_KEYBYTES];
    skr_store_stats_t stats;
};

static inline MDB_val skr_val_of (skr_span_t span)
{
    return (MDB_val){.mv_size = span.size, .mv_data = (void *) (uintptr_t) span.data};
}

static inline skr_span_t skr_val_span (const MDB_val *val)
{
    return skr_span (val->mv_data, val->mv_size);
}

/* Does the group take the record away? */
static inline bool skr_staged_is_removed (const skr_staged_record_t *record)
{
    return record->record.size == 0;
}

/* The error and the sentence of a code of LMDB or errno. */
saker_err_t skr_store_err (const skr_store_t *self, int code);
saker_err_t skr_store_check_usable (const skr_store_t *self) SKR_MUST_USE;
size_t skr_store_used_bytes (const skr_store_t *self);
/* Sets the map to `bytes`, doubled until there is room in it for so many groups. */
saker_err_t skr_store_fit_map (skr_store_t *self, size_t bytes, size_t groups) SKR_MUST_USE;
/* LMDB gives an environment up when its header could not be written: it cannot tell which of the
   two headers the disk has now. */
bool skr_store_has_given_up (const skr_store_t *self);

/* Lays table, key and payload out in the scratch; the payload there is a copy. */
saker_err_t skr_store_sum (skr_store_t *self, skr_table_t table, skr_span_t key, skr_span_t payload,
                           uint8_t sum[SKR_STORE_SUM_BYTES]) SKR_MUST_USE;
/* The payload of a record whose checksum holds. */
saker_err_t skr_store_open_record (skr_store_t *self, skr_table_t table, skr_span_t key,
                                   const MDB_val *record, skr_span_t *payload) SKR_MUST_USE;
/* What a read looks at. *staged: what the group has on top of the transaction, or NULL. */
saker_err_t skr_store_sees (skr_store_t *self, skr_sight_t sight, MDB_txn **transaction,
                            const skr_staged_t **staged) SKR_MUST_USE;

/* Puts a record, of which record->mv_data is to be filled. *cells: a cursor of the transaction, or
   NULL, made where `there`. Returns LMDB's code, as the next ones do. */
int skr_store_reserve (const skr_store_t *self, MDB_txn *transaction, MDB_cursor **cells,
                       skr_table_t table, MDB_val *key, MDB_val *record, bool there);
/* Puts all that is staged. */
int skr_store_apply (const skr_store_t *self, MDB_txn *transaction);

/* Writes to the journal what is staged and puts it into what is pending. */
saker_err_t skr_store_commit_staged (skr_store_t *self) SKR_MUST_USE;
/* Makes what is staged a transaction of LMDB's own. */
int skr_store_turn_direct (skr_store_t *self);
/* Commits what is pending to data.mdb; then the journal is empty. When that fails it stays as it
   was. Everything borrowed ends. */
saker_err_t skr_store_checkpoint (skr_store_t *self) SKR_MUST_USE;
/* Puts into pending what the journal has, if there is one. */
saker_err_t skr_store_recover (skr_store_t *self) SKR_MUST_USE;

#endif
