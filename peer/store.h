/* Store: one LMDB environment in a folder, with tables of checksummed records.

   A record is an 8-byte keyed checksum (SipHash-2-4 over table, key and payload, with a key made
   when the store was) and its payload. A record that does not match is reported as SAKER_EDAMAGED
   ("table cells, key 00...: checksum differs"), counted, and never handed out.

   There is one write group at a time: everything put since skr_store_begin becomes durable and
   visible at skr_store_commit, or not at all: in one LMDB transaction with its two syncs, or, when
   it is small and skr_store_journal_begin was called, by one write and one sync of a journal, from
   which it goes into LMDB with many others. Readers see the last commit, through a transaction that
   lives no longer than one round of the event loop, or the one that holds what is in the journal
   alone so far. One thread uses a store. The map grows between groups; a full disk fails the commit
   (or a put of a large group) with SAKER_EFULL and leaves the store as it was, readable. */

#ifndef SKR_PEER_STORE_H_INCLUDED
#define SKR_PEER_STORE_H_INCLUDED

#include "crdt/bytes.h"
#include "peer/world.h"

/* Numbers in keys are big-endian; `no` are small local numbers that never leave the store. */
typedef enum skr_table_t {
    SKR_META = 0,     /* text -> see replica.c, device.c */
    SKR_WRITERS,      /* writer id 16 -> no u32 */
    SKR_WRITER_IDS,   /* no u32 -> writer id 16 */
    SKR_COLLECTIONS,  /* collection id 16 -> CBOR, see replica.c */
    SKR_TICKS,        /* collection no u32, writer no u32 -> seq, hash of its last change */
    SKR_DOCUMENTS,    /* collection no u32, document id -> document no u64 */
    SKR_DOCUMENT_IDS, /* collection no u32, document no u64 -> document id */
    SKR_CELLS,        /* collection no u32, document no u64, first sort key -> bucket of entries */
    SKR_LOG,          /* position u64 -> applied change and undo, see log.h */
    SKR_POSITIONS,    /* collection no u32, writer no u32, seq u64 -> position u64 */
    SKR_OPERATIONS,   /* operation id hash 16 -> receipt, see receipts.c */
    SKR_CURSORS,      /* name -> epoch, position */
    SKR_INVITATIONS,  /* ticket public key 32 -> CBOR, see ticket.h */
    SKR_ADDRESSES,    /* device key 32 -> last known address */
    SKR_ASIDE,        /* table u8, key -> a damaged record, as it was */
    SKR_VOID,         /* collection id 16, writer id 16, seq u64 -> change that was taken back, our
                         own or ours to issue again; or nothing: it was */
    SKR_CONFLICTS,    /* see conflicts.h */
    SKR_HISTORY,      /* see history.h */
    SKR_TABLES
} skr_table_t;

#define SKR_STORE_KEY_BYTES_MAX 511
#define SKR_STORE_FORMAT 1
#define SKR_STORE_FORMAT_JOURNALED 2 /* small groups may be in its journal alone */

typedef struct skr_store_t skr_store_t;

typedef enum skr_store_mode_t {
    SKR_STORE_CREATE, /* the folder must be missing or empty; made with 0700 */
    SKR_STORE_OPEN,   /* SAKER_ENOTFOUND when it is not a store */
    SKR_STORE_LOOK,   /* the same, to be read alone: no file of it is made or changed, and groups
                         fail. SAKER_EVERSION when an earlier version made it */
} skr_store_mode_t;

/* Opens the folder. SAKER_EBUSY: another process has it open (its id is named). SAKER_EINPUT: it
   lies on a network filesystem (named), or is not private (mode). SAKER_EVERSION: unknown format.
   SAKER_EDAMAGED. The sentence says what to do. Owned by the caller. */
saker_err_t skr_store_open (skr_store_t **self_p, const char *folder, skr_store_mode_t mode,
                            const skr_world_t *world) SKR_MUST_USE;
/* Ends an open group without effect, closes, clears. */
void skr_store_close (skr_store_t **self_p);
/* In a forked child: frees memory and lets go of the lock, which stays the parent's, and leaves the
   environment alone. */
void skr_store_abandon (skr_store_t **self_p);
const char *skr_store_folder (const skr_store_t *self);
/* Removes the files of a store that is not open. */
void skr_store_remove_files (const char *folder);

/* From here on small groups go to the journal, until skr_store_journal_end, which the same thread
   calls: LMDB's writer belongs to it meanwhile. Makes the journal; SAKER_EFULL: groups go on
   without one. No group may be open. */
saker_err_t skr_store_journal_begin (skr_store_t *self) SKR_MUST_USE;
/* Brings what is in the journal into data.mdb. When that fails it stays in the journal, and the
   store is not settled. */
saker_err_t skr_store_journal_end (skr_store_t *self) SKR_MUST_USE;
/* Of SKR_STORE_LOOK: a group in the journal is damaged, and what it and later ones wrote is not
   seen. SKR_STORE_OPEN fails then, with SAKER_EDAMAGED. */
bool skr_store_journal_damaged (const skr_store_t *self);

/* Begins a write group; grows the map before, when less than a quarter, or less than the room, is
   free. Does nothing when one has begun; else it forgets (see below). */
saker_err_t skr_store_begin (skr_store_t *self) SKR_MUST_USE;
bool skr_store_in_group (const skr_store_t *self);
/* SAKER_EFULL, SAKER_EIO: nothing of the group took effect. After a put or remove that failed (but
   for SAKER_ENOTFOUND) the commit fails with the same error. Forgets: the next read sees it. */
saker_err_t skr_store_commit (skr_store_t *self) SKR_MUST_USE;
void skr_store_abort (skr_store_t *self);
/* After a commit that failed when its header was written, nobody knows whether it is on the disk:
   the store is then not settled, and all else fails with SAKER_EIO, until skr_store_settle has
   opened it anew and made lasting what it found, be it the state before or after that commit.
   Everything borrowed ends. */
bool skr_store_settled (const skr_store_t *self);
saker_err_t skr_store_settle (skr_store_t *self) SKR_MUST_USE;
/* Sets how much one group may write, in bytes, between groups: 256 MiB unless set, less in tests. A
   group that meets the end of the map fails with SAKER_ELIMIT and doubles it for the next. */
saker_err_t skr_store_room (skr_store_t *self, size_t bytes) SKR_MUST_USE;

/* Which state a read sees. */
typedef enum skr_sight_t {
    SKR_COMMITTED, /* the last commit, as of the first read since forget, begin or commit */
    SKR_GROUP,     /* the open group, its own puts included; one must be open */
} skr_sight_t;

/* Ends the read transaction that SKR_COMMITTED reads share; the next read begins a new one.
   Called at the end of each round of the event loop. */
void skr_store_forget (skr_store_t *self);
/* The same where a round has nothing more to do: brings what has been in the journal for long into
   data.mdb. */
void skr_store_rest (skr_store_t *self);

/* *value is borrowed until the next begin, put, remove, commit, abort or forget. SAKER_ENOTFOUND
   sets no sentence (it is common, and cheap). Keys are 1 to SKR_STORE_KEY_BYTES_MAX bytes. */
saker_err_t skr_store_get (skr_store_t *self, skr_sight_t sight, skr_table_t table, skr_span_t key,
                           skr_span_t *value) SKR_MUST_USE;
saker_err_t skr_store_put (skr_store_t *self, skr_table_t table, skr_span_t key,
                           skr_span_t value) SKR_MUST_USE;
/* The same of a value that lies in several places, one after the other. */
saker_err_t skr_store_put_parts (skr_store_t *self, skr_table_t table, skr_span_t key,
                                 const skr_span_t *parts, size_t count) SKR_MUST_USE;
/* The same in SKR_CELLS, faster where a record with this key is there. */
saker_err_t skr_store_replace_cells (skr_store_t *self, skr_span_t key,
                                     skr_span_t value) SKR_MUST_USE;
/* SAKER_ENOTFOUND as above. */
saker_err_t skr_store_remove (skr_store_t *self, skr_table_t table, skr_span_t key) SKR_MUST_USE;

/* Removes all records of a table. */
saker_err_t skr_store_empty (skr_store_t *self, skr_table_t table) SKR_MUST_USE;

/* Visits records with key >= from that start with prefix, ascending. The visit returns SAKER_OK to
   go on, SKR_STOP to end early with SAKER_OK, an error to end with it; it must not change the
   table. Damaged records end the scan with SAKER_EDAMAGED. `from` empty: from the first. */
#define SKR_STOP ((saker_err_t) 255)
typedef saker_err_t skr_record_fn (skr_span_t key, skr_span_t value, void *argument);
saker_err_t skr_store_scan (skr_store_t *self, skr_sight_t sight, skr_table_t table,
                            skr_span_t prefix, skr_span_t from, skr_record_fn *visit,
                            void *argument) SKR_MUST_USE;
/* The last record with key <= `key` that starts with prefix. SAKER_ENOTFOUND. `value` NULL: only
   the key is wanted, and the record is not checked. */
saker_err_t skr_store_last (skr_store_t *self, skr_sight_t sight, skr_table_t table,
                            skr_span_t prefix, skr_span_t key, skr_span_t *found_key,
                            skr_span_t *value) SKR_MUST_USE;

/* Visits every record of a table as committed, damaged ones too; their value is as it was found.
   Without a sentence, and without counting them. The visit may return SKR_STOP. */
typedef saker_err_t skr_walk_fn (skr_span_t key, skr_span_t value, bool damaged, void *argument);
saker_err_t skr_store_walk (skr_store_t *self, skr_table_t table, skr_walk_fn *visit,
                            void *argument) SKR_MUST_USE;
/* How many records LMDB notes for a table. */
saker_err_t skr_store_noted (skr_store_t *self, skr_table_t table, uint64_t *count) SKR_MUST_USE;

/* The name of a table, and back; SKR_TABLES when there is none of this name. */
const char *skr_table_name (skr_table_t table);
skr_table_t skr_table_named (skr_span_t name);

/* The view: all records as of one commit, for a backup, which reads it in slices between which the
   store goes on. It is one read transaction that lives across polls, so what is overwritten
   meanwhile keeps its pages and the file grows by that much: whoever opens a view bounds how long
   it lives. There is room for at least four groups; when the map has to grow beyond that the view
   is lost. One at a time; SKR_COMMITTED and groups are not touched by it. SAKER_EWAIT: the map has
   to grow first, which it does before the next group. */
saker_err_t skr_store_view_open (skr_store_t *self) SKR_MUST_USE;
/* Visits records of one table, ascending, after the key `after` (empty: from the first), as
   skr_store_scan does; *more: the visit ended it early. SAKER_EBUSY: the view was lost. */
saker_err_t skr_store_view_scan (skr_store_t *self, skr_table_t table, skr_span_t after,
                                 skr_record_fn *visit, void *argument, bool *more) SKR_MUST_USE;
void skr_store_view_close (skr_store_t *self);

typedef struct skr_store_stats_t {
    uint64_t file_bytes;
    uint64_t map_bytes;
    uint64_t used_bytes;
    uint64_t commits;
    uint64_t failed_commits;
    uint64_t damaged_records; /* met so far */
} skr_store_stats_t;

void skr_store_stats (skr_store_t *self, skr_store_stats_t *stats);

#endif
