/* Journal: small groups that are durable, and not yet in data.mdb. One write and one sync make a
   group durable; in LMDB it would be one page of each table it touches, and two syncs.

   The file is written from its start, group after group, and from its start again when all of it
   has gone into data.mdb (a checkpoint, see store_pending.c), which notes there a new generation, a
   random number: groups of another one do not count. A group lies at a multiple of 4096, so that
   writing one never touches the sectors of another:

     generation u64 | number in it u32 | size of the records u32 | records | zeros | checksum 8
     record: table u8 | size of key u16 | size of record u32, 0: it is removed | key | record

   The checksum is SipHash-2-4, with the store's key, of all before it, and the last that is
   written: a write that was cut off is none. A group that was not written to its end was never
   acknowledged; one that is bad although a later one is there is damage. Functions return 0, or a
   code of errno or LMDB. */

#ifndef SKR_PEER_JOURNAL_H_INCLUDED
#define SKR_PEER_JOURNAL_H_INCLUDED

#include "peer/staged.h"

#define SKR_JOURNAL_FILE "journal"
#define SKR_JOURNAL_BYTES (2u << 20)
#define SKR_JOURNAL_GROUPS_MAX 256 /* each has changed some pages, which LMDB holds in memory */

typedef struct skr_journal_t {
    int file; /* -1: there is none */
    uint64_t generation;
    uint32_t number; /* of the next group */
    size_t at;       /* where it begins */
    skr_buf_t group; /* that was laid out */
    const uint8_t *key;
} skr_journal_t;

/* No file yet. `key` is borrowed as long as the journal is used. */
void skr_journal_init (skr_journal_t *self, const uint8_t *key);
/* Opens the file, ENOENT when there is none. `make`: makes it, or what it lacks of its size, and
   leaves what it holds. `look`: to be read alone. */
int skr_journal_open (skr_journal_t *self, const char *folder, bool make, bool look);
void skr_journal_close (skr_journal_t *self);
/* Lays a group out. False: out of memory. */
bool skr_journal_lay_out (skr_journal_t *self, const skr_staged_t *staged);
/* Is there room for the group that was laid out: here, or in an empty journal? */
bool skr_journal_has_room (const skr_journal_t *self);
bool skr_journal_could_have_room (const skr_journal_t *self);
/* Writes it and waits until it is on the disk. *unsure: it failed so that nobody knows whether the
   group is on the disk; else it is not when this failed. */
int skr_journal_write (skr_journal_t *self, bool *unsure);
/* Puts all records of the generation, in order, and goes on behind them. `visit` returns 0 or a
   code, which ends it. MDB_CORRUPTED: a group is damaged. */
typedef int skr_journal_fn (skr_table_t table, skr_span_t key, skr_span_t record, void *argument);
int skr_journal_replay (skr_journal_t *self, skr_journal_fn *visit, void *argument);
/* All that was written is in data.mdb, with the number of this generation. */
void skr_journal_begin (skr_journal_t *self, uint64_t generation);

#endif
