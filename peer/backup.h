/* Backup: one encrypted file that holds what a device needs to come back: the records of its store,
   its key and its settings.

   Header, in the clear, authenticated with the first frame:

     0   "saker backup" and zeros, 16
     16  version u32
     20  operations u32, memory in bytes u64: the limits of Argon2id
     32  salt 16
     48  digest of the mesh's id 16
     64  wall time in ms when it was taken u64
     72  header of crypto_secretstream_xchacha20poly1305 24

   Then frames: size of the sealed bytes u32, sealed bytes (17 more than the clear ones, of which
   there are at most 64 KiB). The last frame carries the tag FINAL; nothing follows. The key comes
   from a passphrase by Argon2id. So a file that is cut, altered, or put together from two of them
   does not open to its end.

   The clear bytes of all frames are one stream of items:

     FILE    1, size of name u8, size u32, name, bytes
     TABLE   2, size of name u8, name: the records that follow are of this table
     RECORD  3, size of key u16, size u32, key, value
     END     4, number of records u64 */

#ifndef SKR_PEER_BACKUP_H_INCLUDED
#define SKR_PEER_BACKUP_H_INCLUDED

#include "peer/replica.h"

#define SKR_BACKUP_VERSION 1
#define SKR_BACKUP_HEADER_BYTES 96
#define SKR_BACKUP_FRAME_BYTES_MAX 65536
#define SKR_BACKUP_FILE_BYTES_MAX (64u << 10)   /* of a file in it */
#define SKR_BACKUP_RECORD_BYTES_MAX (64u << 20) /* of a record in it */
#define SKR_BACKUP_PASSPHRASE_BYTES_MIN 8
#define SKR_BACKUP_PASSPHRASE_BYTES_MAX 1024
#define SKR_BACKUP_MEMORY_MAX (1u << 30) /* that a file may ask Argon2id to take */
#define SKR_BACKUP_OPERATIONS_MAX 16

typedef enum skr_backup_item_t {
    SKR_BACKUP_FILE = 1,
    SKR_BACKUP_TABLE = 2,
    SKR_BACKUP_RECORD = 3,
    SKR_BACKUP_END = 4,
} skr_backup_item_t;

/* What Argon2id may cost. Both 0: the usual (256 MiB, a second). */
typedef struct skr_backup_limits_t {
    uint32_t operations;
    uint64_t memory;
} skr_backup_limits_t;

/* BLAKE2b-128 of "saker backup mesh", mesh id. */
void skr_backup_mesh (const skr_id_t *mesh, uint8_t digest[16]);

/* ---- the daemon's side: the records, as items, in pages */

/* Where the next page begins. All zeros: with the first table. */
typedef struct skr_backup_place_t {
    skr_table_t table;
    bool begun; /* the table was named */
    size_t key_size;
    uint8_t key[SKR_STORE_KEY_BYTES_MAX]; /* the last that was given */
    uint64_t records;                     /* given so far */
    bool ended;
} skr_backup_place_t;

/* Appends items of the store's open view, about bytes_max or one record, and moves the place.
   place->ended: these were the last, END included. */
saker_err_t skr_backup_page (skr_store_t *store, skr_backup_place_t *place, size_t bytes_max,
                             skr_buf_t *items) SKR_MUST_USE;

/* ---- writing a file */

typedef struct skr_backup_writer_t skr_backup_writer_t;

/* Begins FILE.part beside FILE, 0600. SAKER_EEXIST: FILE is there; SAKER_EBUSY: another process
   writes it. What a writer that was killed has left is written over. */
saker_err_t skr_backup_begin (skr_backup_writer_t **self_p, const char *file,
                              const char *passphrase, const skr_id_t *mesh, uint64_t wall_ms,
                              const skr_backup_limits_t *limits) SKR_MUST_USE;
/* Appends encoded items. */
saker_err_t skr_backup_write (skr_backup_writer_t *self, skr_span_t items) SKR_MUST_USE;
/* Appends a file of a folder. SAKER_ENOTFOUND, SAKER_ELIMIT. */
saker_err_t skr_backup_add (skr_backup_writer_t *self, const char *folder,
                            const char *name) SKR_MUST_USE;
/* Seals the end, makes it durable, and gives the file its name. */
saker_err_t skr_backup_finish (skr_backup_writer_t *self) SKR_MUST_USE;
/* Removes what was not finished. Keeps the sentence of this thread. */
void skr_backup_destroy (skr_backup_writer_t **self_p);

/* ---- reading one */

typedef struct skr_backup_reader_t skr_backup_reader_t;

/* One item; borrowed until the next read. */
typedef struct skr_backup_read_t {
    skr_backup_item_t kind;
    skr_span_t name;  /* FILE, TABLE */
    skr_span_t key;   /* RECORD */
    skr_span_t value; /* FILE, RECORD */
    uint64_t records; /* END */
} skr_backup_read_t;

/* SAKER_ENOTFOUND, SAKER_EINPUT: no backup, SAKER_EVERSION. */
saker_err_t skr_backup_open (skr_backup_reader_t **self_p, const char *file,
                             const char *passphrase) SKR_MUST_USE;
/* SAKER_EFORGED: a wrong passphrase, or altered; SAKER_EDAMAGED: cut off. After END the file was
   read, and checked, to its last byte. */
saker_err_t skr_backup_next (skr_backup_reader_t *self, skr_backup_read_t *item) SKR_MUST_USE;
uint64_t skr_backup_taken_ms (const skr_backup_reader_t *self);
const uint8_t *skr_backup_mesh_digest (const skr_backup_reader_t *self); /* 16 */
uint64_t skr_backup_bytes (const skr_backup_reader_t *self);             /* of the file */
uint64_t skr_backup_done (const skr_backup_reader_t *self);              /* read so far */
void skr_backup_close (skr_backup_reader_t **self_p);

/* ---- restore.c */

typedef struct skr_restored_t {
    char mesh[SKR_NAME_BYTES_MAX + 1], device[SKR_NAME_BYTES_MAX + 1];
    uint64_t taken_ms, records;
} skr_restored_t;

/* Called now and then; a value other than 0 ends it. */
typedef int skr_restoring_fn (uint64_t done, uint64_t total, void *argument);

/* Makes a store of a backup in a folder that is missing or empty: in `.NAME.restoring` beside it
   first, which gets the name when all of it was read, checked, and given a new incarnation. On
   failure nothing is left. SAKER_EEXIST, SAKER_EBUSY: a store is there, a daemon runs on it. */
saker_err_t skr_restore (const char *folder, const char *file, const char *passphrase,
                         skr_restoring_fn *restoring_fn, void *argument, const skr_world_t *world,
                         skr_restored_t *restored) SKR_MUST_USE;

#endif
