/* saker.h - the public interface of libsaker.

   saker is a peer-to-peer sync mesh. A daemon, sakerd, holds a full replica in a store (a folder);
   an application opens the same store and talks to that daemon over a local socket; or it embeds a
   replica of its own, and needs no daemon. Reads and writes touch the local replica only: they
   never wait for the network.

   Every function that can fail returns a saker_err_t; 0 is success. After a failure
   saker_error_text () tells, for the calling thread, in one sentence what was wrong and what to do.
   Text is UTF-8. Sizes are in bytes, times in milliseconds. A saker_t belongs to one thread at a
   time; several threads open one each. Nothing here forks, installs signal handlers or prints.
   After a fork the child opens its own saker_t: it may only close the parent's, which then frees
   the child's memory of it; every other call fails with SAKER_EUSAGE. After a time-out, or when the
   daemon went away and came back, a saker_t goes on to work. A callback may use the saker_t that
   called it. dlclose is safe, and leaves the library in memory (it is linked with -z nodelete,
   since a library that it uses keeps threads until the program ends). */

#ifndef SAKER_H_INCLUDED
#define SAKER_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define SAKER_EXPORT __attribute__ ((visibility ("default")))
#else
#define SAKER_EXPORT
#endif

/* ------------------------------------------------------------------------------------------------
   Errors. The numbers are stable: they travel in answers of the daemon and are the exit codes of
   the `saker` tool. */

#define SAKER_ERRORS(X)                                                                            \
    X (SAKER_OK, 0, "success")                                                                     \
    X (SAKER_EINPUT, 1, "bad input")                                                               \
    X (SAKER_EUSAGE, 2, "wrong usage")                                                             \
    X (SAKER_ENOTFOUND, 3, "not found")                                                            \
    X (SAKER_EEXIST, 4, "exists already")                                                          \
    X (SAKER_ERIGHT, 5, "no right")                                                                \
    X (SAKER_ELIMIT, 6, "over a limit")                                                            \
    X (SAKER_ETYPE, 7, "another type is there")                                                    \
    X (SAKER_EFULL, 8, "disk full")                                                                \
    X (SAKER_EBUSY, 9, "in use")                                                                   \
    X (SAKER_EDAMAGED, 10, "damaged")                                                              \
    X (SAKER_EVERSION, 11, "unknown version")                                                      \
    X (SAKER_ETIMEOUT, 12, "timed out")                                                            \
    X (SAKER_EUNREACHABLE, 13, "not reachable")                                                    \
    X (SAKER_EFORGED, 14, "signature or seal does not hold")                                       \
    X (SAKER_EWAIT, 15, "waits for something else")                                                \
    X (SAKER_EIO, 16, "input or output failed")                                                    \
    X (SAKER_ENOMEM, 17, "out of memory")                                                          \
    X (SAKER_EDIFFER, 18, "peers differ")                                                          \
    X (SAKER_EGAP, 19, "history before this point is gone")                                        \
    X (SAKER_ECHANGED, 20, "changed meanwhile")                                                    \
    X (SAKER_ENOTCARRIED, 21, "not carried here")                                                  \
    X (SAKER_ENOTYET, 22, "not here yet")

typedef enum saker_err_t {
#define SAKER_ERROR_ENUM(name, number, text) name = number,
    SAKER_ERRORS (SAKER_ERROR_ENUM)
#undef SAKER_ERROR_ENUM
} saker_err_t;

/* The one sentence about the last failure on this thread. Borrowed until the next saker call. */
SAKER_EXPORT const char *saker_error_text (void);

/* The short name of an error, "disk full". Static. */
SAKER_EXPORT const char *saker_error_name (saker_err_t error);

/* The one of `count` names that a person may have meant who mistyped `name`; NULL: none is like it.
   Borrowed from `names`. */
SAKER_EXPORT const char *saker_nearest (const char *name, const char *const *names, size_t count);

/* The version of the library, "0.1.0". Static. */
SAKER_EXPORT const char *saker_version (void);

/* ------------------------------------------------------------------------------------------------
   Values: what a register, or a member of a set, holds. */

typedef enum saker_type_t {
    SAKER_NULL = 0,
    SAKER_BOOL = 1,
    SAKER_INT = 2,    /* 64 bits, signed */
    SAKER_DOUBLE = 3, /* finite */
    SAKER_TEXT = 4,   /* UTF-8, any code point, 60 KiB at most */
    SAKER_BYTES = 5,  /* 60 KiB at most */
    SAKER_MAP = 6,    /* in answers only: a map without keys */
} saker_type_t;

typedef struct saker_value_t {
    saker_type_t type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *data; /* not terminated by a zero */
            size_t size;
        } string; /* SAKER_TEXT and SAKER_BYTES */
    } as;
} saker_value_t;

/* What kind of cell a value was read from. It decides how concurrent writes merge. */
typedef enum saker_cell_t {
    SAKER_REGISTER = 1,
    SAKER_LWW = 2,
    SAKER_COUNTER = 3,
    SAKER_MEMBER = 4,
    SAKER_EMPTY_MAP = 5,
} saker_cell_t;

/* ------------------------------------------------------------------------------------------------
   Opening. */

typedef struct saker_t saker_t;

/* Connects to the daemon that runs on `store` (NULL: $SAKER_STORE, else ~/.saker).
   SAKER_EUNREACHABLE when none answers within `timeout_ms`. Owned by the caller. */
SAKER_EXPORT saker_err_t saker_open (saker_t **self_p, const char *store, int timeout_ms);

typedef struct saker_config_t saker_config_t;

/* What a running daemon, or an embedded replica, tells its program; in the thread that runs it, or
   that opens or closes it. `level`: 0 error, 1 warning, 2 info, 3 debug. It calls nothing of
   saker.h. */
typedef void saker_log_fn (int level, const char *message, void *argument);

/* Opens a full replica inside this process, without a daemon, on the store `store` (NULL: as for
   saker_open). It is a peer like any other, but listens nowhere: it calls the members that it finds
   by their beacons, by the seeds of the config, or by what others tell of addresses, and they sync
   over these connections. It runs in a thread of the library, with all signals blocked. All calls
   of this header work on the handle, and other processes reach the replica by saker_open as long as
   it runs.

   All handles that one process opens on a folder share one replica; the last that is closed stops
   it: what was acknowledged is on the disk, the other members are told, its threads have ended. The
   first gives it its config (`listen` does not count; NULL: default settings; copied) and its
   `log_fn` (NULL: silence), which must be good until that end.

   SAKER_ENOTFOUND: there is no store (saker_init and saker_join make one); SAKER_EBUSY: another
   process has it open, the sentence names it: saker_open reaches it there. Never waits for the
   network. Owned by the caller. See docs/embedded.md for threads, fork and dlopen. */
SAKER_EXPORT saker_err_t saker_open_embedded (saker_t **self_p, const char *store,
                                              const saker_config_t *config, saker_log_fn *log_fn,
                                              void *argument);

/* Closes and clears; a NULL or cleared handle is left alone. In a child of a fork it only frees
   memory. */
SAKER_EXPORT void saker_close (saker_t **self_p);

/* ------------------------------------------------------------------------------------------------
   Writing. A batch is a list of operations on documents of one collection; it is written as one
   change: all of it or nothing, here and at every other peer. A document is named by its id, a
   place in it by a JSON Pointer (RFC 6901; "" is the whole document). Later operations of a batch
   see the earlier ones. */

typedef struct saker_batch_t saker_batch_t;

/* A batch for one collection. Owned by the caller. NULL when memory is out. */
SAKER_EXPORT saker_batch_t *saker_batch_new (const char *collection);
SAKER_EXPORT void saker_batch_destroy (saker_batch_t **self_p);

/* Register: replaces whatever this peer sees at and below the place. */
SAKER_EXPORT saker_err_t saker_batch_set (saker_batch_t *self, const char *document,
                                          const char *pointer, const saker_value_t *value);

/* The same, but rivals are settled by the later time instead of being listed as a conflict. */
SAKER_EXPORT saker_err_t saker_batch_set_lww (saker_batch_t *self, const char *document,
                                              const char *pointer, const saker_value_t *value);

/* Replace: begins the replacement of everything at and below the place. The saker_batch_set,
   saker_batch_set_lww and saker_batch_set_map calls on places at and below it that follow, up to
   saker_batch_replace_end, are its new contents. What is equal already is left untouched, so that
   it does not rival what others write; what is not named is deleted. */
SAKER_EXPORT saker_err_t saker_batch_replace (saker_batch_t *self, const char *document,
                                              const char *pointer);
SAKER_EXPORT saker_err_t saker_batch_replace_end (saker_batch_t *self);

/* Makes a map without keys (or leaves the map that is there). */
SAKER_EXPORT saker_err_t saker_batch_set_map (saker_batch_t *self, const char *document,
                                              const char *pointer);

/* Deletes what this peer sees at and below the place. */
SAKER_EXPORT saker_err_t saker_batch_delete (saker_batch_t *self, const char *document,
                                             const char *pointer);

/* Counter: adds `amount`, which may be negative. */
SAKER_EXPORT saker_err_t saker_batch_incr (saker_batch_t *self, const char *document,
                                           const char *pointer, int64_t amount);

/* Set: adds or removes one member. */
SAKER_EXPORT saker_err_t saker_batch_add (saker_batch_t *self, const char *document,
                                          const char *pointer, const saker_value_t *value);
SAKER_EXPORT saker_err_t saker_batch_remove (saker_batch_t *self, const char *document,
                                             const char *pointer, const saker_value_t *value);

/* Gives the batch an operation id (1 to 64 bytes): a second batch with the same id changes nothing
   and answers with the receipt of the first. */
SAKER_EXPORT saker_err_t saker_batch_operation (saker_batch_t *self, const void *id, size_t size);

/* Keeps a note of the caller's own with the operation id: a repeat is answered with the note of the
   first time. */
#define SAKER_NOTE_BYTES 16
SAKER_EXPORT saker_err_t saker_batch_note (saker_batch_t *self,
                                           const uint8_t note[SAKER_NOTE_BYTES]);

/* Expects what is at and below the place to have this state (see saker_read_state), after what the
   operations before it did: otherwise nothing is written, and saker_write gives SAKER_ECHANGED. */
#define SAKER_STATE_BYTES 16
SAKER_EXPORT saker_err_t saker_batch_expect (saker_batch_t *self, const char *document,
                                             const char *pointer,
                                             const uint8_t state[SAKER_STATE_BYTES]);

/* Operations and encoded bytes in the batch so far (of a replacement: what it may cost at least);
   one change takes SAKER_CHANGE_OPS_MAX and SAKER_CHANGE_BYTES_MAX of them. */
SAKER_EXPORT size_t saker_batch_count (const saker_batch_t *self);
SAKER_EXPORT size_t saker_batch_bytes (const saker_batch_t *self);

#define SAKER_CHANGE_OPS_MAX 1024
#define SAKER_CHANGE_BYTES_MAX 65536
#define SAKER_VALUE_BYTES_MAX 61440
#define SAKER_DOCUMENT_BYTES_MAX 255
#define SAKER_PATH_LEVELS_MAX 32
#define SAKER_PATH_BYTES_MAX 1024
#define SAKER_COLLECTION_BYTES_MAX 64

typedef struct saker_receipt_t {
    uint8_t writer[16]; /* who wrote */
    uint64_t seq;       /* that writer's count of changes in this collection; 0: nothing to do */
    bool repeated;      /* the operation id was known: this is the receipt of the first time */
    uint8_t note[SAKER_NOTE_BYTES]; /* given then; zeros: none, or no longer known */
} saker_receipt_t;

/* Writes the batch. When it returns, the change is on the local disk. `receipt` may be NULL.
   SAKER_ETIMEOUT and SAKER_EUNREACHABLE leave open whether it was written: with an operation id,
   which is known for 30 days at least, it can be written again without harm; see also
   saker_queue_t. */
SAKER_EXPORT saker_err_t saker_write (saker_t *self, const saker_batch_t *batch,
                                      saker_receipt_t *receipt);

/* ------------------------------------------------------------------------------------------------
   Queueing: for a client that must not lose what it writes while no daemon answers. A queue is a
   folder of the application's own, on a local disk, that one process at a time has open. What is
   put there is durable when the call returns; it is sent in the order in which it was put, and
   leaves the queue once the daemon has given a receipt. Killed at any point, the application opens
   the queue again and goes on: each batch has an operation id before it is sent for the first time,
   so what was written already is not written twice.

   What the daemon refuses for good (no right, over a limit, another type, a state that is not the
   expected one) goes aside with the sentence about it, and those behind it go on: it is listed
   until it is retried or dropped. The same with what may have been written, without a way to find
   out: it was sent, no answer came, and by now that is more than 29 days ago (receipts are kept for
   30 days at least), or the store was restored or replaced since. A batch that a disk has damaged
   goes aside with SAKER_EDAMAGED when the queue is opened, and what is before and behind it is
   sent: it is listed with what can still be read of it, and can be dropped, not retried. What
   nobody can notice is not found out: a store that was put back with the whole machine, or a queue
   that is older than that and was put back itself.

   What waits in a queue is not read back by the calls below: only the daemon's replica is read. A
   saker_queue_t belongs to one thread at a time, and does not live across a fork. */

typedef struct saker_queue_t saker_queue_t;

/* Opens the queue in `folder`, and makes it (0700) when there is none; for the daemon on `store`
   (NULL: $SAKER_STORE, else ~/.saker), which need not be there yet. It holds at most `bytes_max`
   bytes, what was refused included; 0: 64 MiB. SAKER_EBUSY names the process that has it open;
   SAKER_EEXIST: the folder holds something else; SAKER_EDAMAGED: none of it can be read. Owned by
   the caller. */
SAKER_EXPORT saker_err_t saker_queue_open (saker_queue_t **self_p, const char *folder,
                                           const char *store, uint64_t bytes_max);

/* Closes and clears; what waits stays. A NULL or cleared queue is left alone. */
SAKER_EXPORT void saker_queue_close (saker_queue_t **self_p);

/* Puts a batch at the end, without asking the daemon. With an operation id of its own, else with a
   random one. `number` (may be NULL) names it in this queue, is higher than all before, and is
   never given twice. SAKER_ELIMIT: the queue is full; SAKER_EFULL: the disk is. */
SAKER_EXPORT saker_err_t saker_queue_put (saker_queue_t *self, const saker_batch_t *batch,
                                          uint64_t *number);

typedef struct saker_queued_t {
    uint64_t number;
    const char *collection;
    const char *document; /* of the first operation, or "" */
    uint64_t operations;
    uint64_t bytes;   /* that it takes in the queue */
    uint64_t time_ms; /* when it was put; since 1970 */
    const uint8_t *operation_id;
    size_t operation_id_size;
    saker_err_t error;    /* SAKER_OK: it waits; else why it was refused */
    const char *sentence; /* about that, or "" */
} saker_queued_t;

/* Called once a batch that was answered, before it leaves the queue: with the receipt, or with NULL
   for one that goes aside. After a crash it may be called again, for a receipt that is repeated
   then. It must not use the queue. */
typedef int saker_sent_fn (const saker_queued_t *queued, const saker_receipt_t *receipt,
                           void *argument);

/* Sends what waits. SAKER_OK once nothing does (what is aside does not count). A daemon that does
   not answer, or cannot write now, is waited for up to `timeout_ms`, and an answer for a second at
   least: then SAKER_EUNREACHABLE tells how many wait, and why. `sent_fn` may be NULL. */
SAKER_EXPORT saker_err_t saker_queue_send (saker_queue_t *self, int timeout_ms,
                                           saker_sent_fn *sent_fn, void *argument);

typedef int saker_queued_fn (const saker_queued_t *queued, void *argument);

/* What waits and what was refused, by number. The callback may retry or drop what it is shown. */
SAKER_EXPORT saker_err_t saker_queue_list (saker_queue_t *self, saker_queued_fn *queued_fn,
                                           void *argument);

typedef struct saker_queue_count_t {
    uint64_t waiting, refused; /* batches */
    uint64_t bytes, bytes_max;
} saker_queue_count_t;

SAKER_EXPORT void saker_queue_count (const saker_queue_t *self, saker_queue_count_t *count);

/* Puts one that was refused at the end again, with a new number and the same operation id.
   SAKER_ENOTFOUND, SAKER_EUSAGE: it waits anyway. */
SAKER_EXPORT saker_err_t saker_queue_retry (saker_queue_t *self, uint64_t number);

/* Drops one, be it refused or waiting. One that waits and was sent already may have been written.
 */
SAKER_EXPORT saker_err_t saker_queue_drop (saker_queue_t *self, uint64_t number);

/* ------------------------------------------------------------------------------------------------
   Reading. A read answers with leaves in canonical order: by place, then for rivals the winner
   first. */

typedef struct saker_leaf_t {
    const char *document; /* ended by a zero */
    const char *pointer;  /* JSON Pointer of the leaf; for a member, of its set; ended by a zero */
    saker_cell_t cell;
    saker_value_t value; /* counter: the sum, SAKER_INT */
    bool rival;          /* not the winner of its place: kept until somebody writes over it */
    bool shown;          /* part of what a plain read shows */
    uint64_t time_ms;    /* when it was written, by the writer's clock; since 1970 */
    const char *author;  /* name of the device that wrote it */
    uint8_t writer[16];  /* and its writer */
    uint64_t seq;
} saker_leaf_t;

/* A collection may be on its way to this peer: it was subscribed to, more of it is to be carried, a
   right to read it came back, or this device joined for it. Until it is here, nobody can say that
   there is nothing: where a read, a delete, or an expectation finds nothing in it, the error is
   SAKER_ENOTYET and not SAKER_ENOTFOUND: ask again later. What is here is read as ever. A list
   (saker_iterate, saker_documents) hands over what is here, and then gives SAKER_ENOTYET. It ends
   when all is here that others had; while none of them can be reached, it lasts. */

/* Called once a leaf; borrowed until it returns. A value other than 0 ends the read, which then
   returns SAKER_OK. This goes for all callbacks below. */
typedef int saker_leaf_fn (const saker_leaf_t *leaf, void *argument);

/* Reads one document, or the part of it at and below `pointer`, rivals included, as of one moment.
   SAKER_ENOTFOUND when nothing is there, SAKER_ENOTYET when that is not known yet. */
SAKER_EXPORT saker_err_t saker_read (saker_t *self, const char *collection, const char *document,
                                     const char *pointer, saker_leaf_fn *leaf_fn, void *argument);

/* The same, and names the state that was read: equal on every peer that holds the same, and another
   one after each write, even where what is shown is the same. Zeros: nothing is there (with
   SAKER_ENOTFOUND, or what ended the read early). */
SAKER_EXPORT saker_err_t saker_read_state (saker_t *self, const char *collection,
                                           const char *document, const char *pointer,
                                           saker_leaf_fn *leaf_fn, void *argument,
                                           uint8_t state[SAKER_STATE_BYTES]);

/* Reads every document of a collection, in byte order of the ids: each as of one moment, these
   moments one after the other. */
SAKER_EXPORT saker_err_t saker_iterate (saker_t *self, const char *collection,
                                        saker_leaf_fn *leaf_fn, void *argument);

/* The same as the document was at a time (milliseconds since 1970, what was written in that one
   included): as every peer with the same changes shows it. SAKER_EINPUT when the time lies in the
   future, SAKER_EGAP when it lies before the history that is kept here, SAKER_ENOTFOUND when
   nothing was there then. */
SAKER_EXPORT saker_err_t saker_read_then (saker_t *self, const char *collection,
                                          const char *document, const char *pointer,
                                          uint64_t time_ms, saker_leaf_fn *leaf_fn, void *argument);

typedef int saker_name_fn (const char *name, uint64_t documents, void *argument);

/* Collections with their number of documents, in byte order. */
SAKER_EXPORT saker_err_t saker_collections (saker_t *self, saker_name_fn *name_fn, void *argument);

/* Ids of the documents of a collection (`documents` is 1), in byte order. */
SAKER_EXPORT saker_err_t saker_documents (saker_t *self, const char *collection,
                                          saker_name_fn *name_fn, void *argument);
/* The same, from the id `from` on, be there such a document or not. */
SAKER_EXPORT saker_err_t saker_documents_from (saker_t *self, const char *collection,
                                               const char *from, saker_name_fn *name_fn,
                                               void *argument);

/* ------------------------------------------------------------------------------------------------
   History and conflicts. */

/* What an operation was written on top of: a value that it replaced. */
typedef struct saker_base_t {
    const char *pointer; /* its place, at or below that of the operation */
    saker_cell_t cell;
    saker_value_t value; /* counter: the amount of one increment */
    uint64_t time_ms;
    const char *author;
    uint8_t writer[16];
    uint64_t seq;
    bool known; /* otherwise its change is not kept here, or cannot be read, and only author, writer
                   and seq are told */
} saker_base_t;

typedef enum saker_action_t {
    SAKER_SET = 1,
    SAKER_SET_LWW = 2,
    SAKER_DELETE = 3,
    SAKER_SET_MAP = 4,
    SAKER_INCR = 5,
    SAKER_ADD = 6,
    SAKER_REMOVE = 7,
} saker_action_t;

typedef struct saker_operation_t {
    saker_action_t action;
    const char *pointer;
    saker_value_t value; /* SAKER_NULL for what takes none */
    const saker_base_t *bases;
    size_t bases_count;
    uint64_t bases_more; /* beyond these */
} saker_operation_t;

/* One change, with what it did to the document. */
typedef struct saker_change_t {
    uint64_t position; /* in the feed of this peer */
    uint64_t time_ms;  /* by the writer's clock */
    const char *author;
    uint8_t writer[16];
    uint64_t seq;
    bool sealed;  /* this device has not the key to it: it may have touched the document or not */
    bool damaged; /* its record cannot be read: only position is told */
    const saker_operation_t *operations;
    size_t operations_count;
} saker_change_t;

/* Where the history of a collection begins at this peer. */
typedef struct saker_begin_t {
    bool whole;       /* nothing is missing: before the first change there was nothing */
    uint64_t time_ms; /* of the first change that is kept; not whole: what was at this time and
                         later is known */
} saker_begin_t;

typedef int saker_change_fn (const saker_change_t *change, void *argument);

/* The changes of one document that are kept, the one applied last here first. `begin` may be NULL.
   SAKER_ENOTFOUND when no change ever touched it. */
SAKER_EXPORT saker_err_t saker_log (saker_t *self, const char *collection, const char *document,
                                    saker_change_fn *change_fn, void *argument,
                                    saker_begin_t *begin);

/* Makes a document, at and below `pointer`, show what it showed at a time, by one change of this
   peer: what is equal is left alone, a counter gets the difference, and what others write at the
   same time stays as rivals. Errors as of saker_read_then and saker_write. */
SAKER_EXPORT saker_err_t saker_restore_document (saker_t *self, const char *collection,
                                                 const char *document, const char *pointer,
                                                 uint64_t time_ms, saker_receipt_t *receipt);

/* One of the rivals of a place. The leaves of a counter, each member of a set, and a map with keys
   (SAKER_EMPTY_MAP; its author is that of the latest key) count as one each. */
typedef struct saker_rival_t {
    saker_cell_t cell;
    saker_value_t value;
    bool shown; /* the winner */
    uint64_t time_ms;
    const char *author;
    uint8_t writer[16];
    uint64_t seq;
    const saker_base_t *bases;
    size_t bases_count;
    uint64_t bases_more;
} saker_rival_t;

typedef struct saker_conflict_t {
    const char *collection;
    const char *document;
    const char *pointer;
    const saker_rival_t *rivals; /* the winner first */
    size_t rivals_count;
} saker_conflict_t;

typedef int saker_conflict_fn (const saker_conflict_t *conflict, void *argument);

/* The places where rivals are, in order of collection, document and mostly place. NULL for
   `collection`: of all; for `document`: of all of the collection; for `pointer`: of all of the
   document. Costs what there is to list, however much data there is. */
SAKER_EXPORT saker_err_t saker_conflicts (saker_t *self, const char *collection,
                                          const char *document, const char *pointer,
                                          saker_conflict_fn *conflict_fn, void *argument);

/* ------------------------------------------------------------------------------------------------
   Watching: the change feed. Every change that the local peer applied has a position; a cursor is
   a position and the epoch it belongs to (a restored or replaced store starts a new one). */

typedef struct saker_event_t {
    uint64_t position;
    const char *collection;
    const char *document; /* one that the change touched */
    const char *author;
    uint8_t writer[16];
    uint64_t seq;
    uint64_t time_ms;
} saker_event_t;

typedef struct saker_cursor_t {
    uint8_t epoch[16];
    uint64_t position; /* everything up to and including it was seen */
} saker_cursor_t;

typedef int saker_event_fn (const saker_event_t *event, void *argument);

/* The cursor of this moment: what is watched from it is what comes. */
SAKER_EXPORT saker_err_t saker_now (saker_t *self, saker_cursor_t *cursor);
/* The same, to begin to watch a collection (NULL: all), which need not be there: SAKER_ENOTYET
   while it is on its way, SAKER_ENOTCARRIED, SAKER_ERIGHT. Who watches already need not ask: what
   comes is told, or is a gap. */
SAKER_EXPORT saker_err_t saker_begin (saker_t *self, const char *collection,
                                      saker_cursor_t *cursor);

/* Hands over the events after the cursor (of one collection, or of all with NULL) and moves it;
   waits up to `timeout_ms` for the first. SAKER_ETIMEOUT when none came, SAKER_EGAP when the
   cursor is of another epoch or older than what is kept: then read anew and start from
   saker_now (). A callback that ends it leaves the cursor before the change that its last event
   belongs to, so that all events of that change come again. */
SAKER_EXPORT saker_err_t saker_watch (saker_t *self, const char *collection, saker_cursor_t *cursor,
                                      int timeout_ms, saker_event_fn *event_fn, void *argument);

/* Keeps a cursor under a name in the store, and reads it back (SAKER_ENOTFOUND). */
SAKER_EXPORT saker_err_t saker_cursor_save (saker_t *self, const char *name,
                                            const saker_cursor_t *cursor);
SAKER_EXPORT saker_err_t saker_cursor_load (saker_t *self, const char *name,
                                            saker_cursor_t *cursor);

/* ------------------------------------------------------------------------------------------------
   The mesh. */

/* Waits until everything that this peer has written so far is on the disk of each named peer
   (names or ids, separated by commas; NULL: all members). A peer reports only what it has stored.
   SAKER_ETIMEOUT names the peers that are behind. An hour at most. */
SAKER_EXPORT saker_err_t saker_wait (saker_t *self, const char *peers, int timeout_ms);

typedef struct saker_peer_t {
    const char *name;
    const char *id;      /* of the device, 16 hexadecimal digits */
    const char *role;    /* none, relay, read, write, admin */
    const char *link;    /* self, up, slow, silent, left, fenced, revoked */
    const char *address; /* tcp://..., or "" */
    int64_t seen_ms;     /* since the last beat; -1: never */
    int64_t behind;      /* changes that we have and it has not reported; -1: unknown */
    int64_t lag_ms;      /* since the oldest of these was written, by its writer's clock; 0: there
                            are none; -1: unknown, or it is no longer in our log */
    int64_t rtt_us;      /* of the link; -1: unknown */
} saker_peer_t;

typedef int saker_peer_fn (const saker_peer_t *peer, void *argument);
/* The devices that are, or were, members: those that lost all rights have role none, link revoked.
 */
SAKER_EXPORT saker_err_t saker_peers (saker_t *self, saker_peer_fn *peer_fn, void *argument);

/* What is known here of the link to a member; of this peer itself, with `state` self. Counters are
   of this link, since the daemon started. */
typedef struct saker_link_t {
    const char *name;
    const char *id;      /* of the device, 16 hexadecimal digits */
    const char *role;    /* in the mesh: none, relay, read, write, admin */
    const char *state;   /* self, up, slow, silent, left, revoked */
    const char *address; /* that is dialled, or was told last, or "" */
    bool calls;          /* it does not listen: it is reached through the connection that it made */
    bool fenced;         /* nobody waits for it */
    bool doubled;        /* it may write as two: it was restored or cloned */
    bool greeted;        /* it answers at that address, or over its own call */
    int64_t heard_ms;    /* since something came from it directly; -1: never */
    int64_t seen_ms;     /* since its last beat, whoever passed it on; -1: never */
    int64_t rtt_us;      /* round trip, of small questions, smoothed; -1: unknown */
    int64_t skew_ms;     /* its clock less ours, at its last beat that came directly */
    bool skew_known;
    int64_t behind; /* changes that we have and it has not reported; -1: it reported nothing */
    int64_t ahead;  /* changes that it reported and we have not; -1: it reported nothing */
    int64_t lag_ms; /* age of the oldest change that it lacks; 0: it lacks none; -1: unknown */
    uint64_t requests, timeouts, bad_answers; /* of ours to it */
    uint64_t changes, bytes, snapshots;       /* pulled from it */
    uint64_t published;                       /* bytes that came as it published them, beats, too */
    const char *const *hears; /* ids of the members that it hears directly, as it told last */
    size_t hears_count;
} saker_link_t;

typedef int saker_link_fn (const saker_link_t *link, void *argument);
SAKER_EXPORT saker_err_t saker_links (saker_t *self, saker_link_fn *link_fn, void *argument);

/* The answer of a member that was asked for its roster's clock: daemon to daemon, through the link
   that everything else takes. */
typedef struct saker_pong_t {
    char name[65], id[17];
    char address[256]; /* at which it answered */
    int64_t rtt_us;
} saker_pong_t;

/* Asks a member (by name, or the first digits of its id). SAKER_EUNREACHABLE: there is no link to
   it now; SAKER_ETIMEOUT: there is one, and no answer came; SAKER_EUSAGE: it is this peer. */
SAKER_EXPORT saker_err_t saker_ping (saker_t *self, const char *peer, int timeout_ms,
                                     saker_pong_t *pong);

/* Why a document is not at a peer, or not as it is here. The first that holds counts. */
typedef enum saker_cause_t {
    SAKER_WHY_NO_RIGHT = 1, /* the peer may not read the collection */
    SAKER_WHY_FENCED = 2,   /* the peer was fenced, and has not come back yet */
    SAKER_WHY_VOID = 3,     /* a change of `author` to it does not stand: it had lost the right */
    SAKER_WHY_DEPENDS = 4,  /* a change to it is here, and waits for another one (`other`, `seq`);
                               only of this peer itself is it known */
    SAKER_WHY_QUEUED = 5,   /* the peer takes `changes` before it has it, the one included, and is
                               linked to `other` (which may be this peer) */
    SAKER_WHY_UNCONNECTED = 6, /* the same, and there is no link to `other` */
    SAKER_WHY_UNKNOWN = 7, /* nobody who was heard of has it: it may be written somewhere else */
    SAKER_WHY_DELETED = 8, /* the peer has the change of `author` that deleted it */
    SAKER_WHY_RIVAL = 9,   /* it is there, in `rivals` places as one of several values */
    SAKER_WHY_THERE = 10,  /* it is there as it is here */
    SAKER_WHY_UNSUBSCRIBED = 11, /* the peer may read the collection and does not carry it; comes
                                    after NO_RIGHT in the order of causes */
    SAKER_WHY_NOT_CARRIED = 12,  /* the peer carries only a part of the collection, without it (see
                                    saker_carry); comes after NO_RIGHT */
    SAKER_WHY_FETCHED = 13, /* the collection is on its way to this peer; or the same, but this peer
                               is about to carry it: it comes with all that is wanted, from `other`;
                               "": nobody that is linked carries that */
} saker_cause_t;

typedef struct saker_reason_t {
    saker_cause_t cause;
    char peer[65], id[17]; /* that was asked about */
    bool own;              /* it is this peer itself, so nothing rests on what it reported */
    char role[8];          /* of the peer in the collection */
    char link[8];          /* to the peer, see saker_link_t */
    int64_t seen_ms;       /* since the peer's last beat; 0: own; -1: never */
    char other[65];        /* see the causes; "" : not known, or no name */
    char other_link[8];    /* to it */
    int64_t other_seen_ms;
    uint64_t seq;     /* DEPENDS: of the change that is missing; 0: news of the roster */
    uint64_t changes; /* QUEUED, UNCONNECTED; THERE, RIVAL: that others reported and are not here */
    bool estimated;   /* there are at least so many */
    uint64_t rivals;  /* places */
    char author[65];  /* of the latest change to the document that is known here, or "" */
    uint64_t author_seq, time_ms;
} saker_reason_t;

/* Why is a document (or the latest change to it) not at a peer (by name, or the first digits of its
   id; NULL: this one)? Of another peer it is answered from what that peer reported. SAKER_EINPUT,
   SAKER_ENOTFOUND: no such member. */
SAKER_EXPORT saker_err_t saker_why (saker_t *self, const char *collection, const char *document,
                                    const char *peer, saker_reason_t *reason);

/* How something went lately: one value each `step_ms`, the oldest first, since the daemon started
   at the most. */
typedef struct saker_trend_t {
    const char *name; /* applied, written: changes; bytes: received; all three in each step.
                         waiting: changes; behind: the most that a member that is up lacks;
                         up: links; used, log: bytes; conflicts: places; all at its end */
    int64_t step_ms;
    const int64_t *values;
    size_t count;
} saker_trend_t;

typedef int saker_trend_fn (const saker_trend_t *trend, void *argument);
SAKER_EXPORT saker_err_t saker_trends (saker_t *self, saker_trend_fn *trend_fn, void *argument);

/* A tree of names and numbers about the local peer, as leaves with pointers; see `saker status`. */
SAKER_EXPORT saker_err_t saker_status (saker_t *self, saker_leaf_fn *leaf_fn, void *argument);

/* Makes the running daemon tell its program (sakerd: its log) everything up to `level` (0 error, 1
   warning, 2 info, 3 debug) for `for_ms`, SAKER_LOG_LEVEL_MS_MAX at most; ask again to go on. Never
   less than its config says. 0 ms: no longer. It ends by itself, so nothing stays when who asked is
   gone. */
#define SAKER_LOG_LEVEL_MS_MAX 60000
SAKER_EXPORT saker_err_t saker_log_level (saker_t *self, int level, int for_ms);

typedef struct saker_verdict_t {
    const char *collection;
    const char *peer;
    bool reached;            /* it answered */
    bool same_clock;         /* it has applied the same changes */
    bool same_data;          /* and holds the same data; meaningful with the same clock */
    const char *fingerprint; /* its fingerprint, 32 hexadecimal digits */
    uint64_t documents;
    int64_t ahead, behind; /* changes that it has and we have not, and the reverse */
    bool carried;          /* else it does not carry the collection, and was not asked */
    const char *part; /* "": it carries all of it; else what it carries begins with these, in words
                         for people; what both carry is compared, added up anew */
    bool compared;    /* else its documents were not compared: it only relays, or carries another
                         part and is not linked */
} saker_verdict_t;

typedef int saker_verdict_fn (const saker_verdict_t *verdict, void *argument);

/* Asks every member that carries it for clock and fingerprint of a collection, or with NULL of all
   that this peer carries. SAKER_EDIFFER
   when any answer differs from ours, SAKER_EUNREACHABLE when one did not answer in time. The local
   peer's own verdict comes first. */
SAKER_EXPORT saker_err_t saker_verify (saker_t *self, const char *collection, int timeout_ms,
                                       saker_verdict_fn *verdict_fn, void *argument);

/* A value that one of two peers holds and the other does not, though they applied the same changes.
   Borrowed until the call returns. */
typedef struct saker_difference_t {
    const char *document, *pointer;
    saker_cell_t cell;
    bool here;                  /* this peer holds it; otherwise the other one does */
    const saker_value_t *value; /* NULL: it cannot be shown, or is too large to be told */
    uint8_t writer[16];         /* of the operation that made it */
    uint64_t seq;
    uint32_t index;
    uint64_t time_ms;
} saker_difference_t;

typedef int saker_difference_fn (const saker_difference_t *difference, void *argument);

/* Finds the first document of a collection in which a member (by name or id) holds other data than
   this peer, and hands over what differs in it. Their fingerprints are compared over parts of the
   collection, in steps of bounded cost. SAKER_EDIFFER: something was handed over; SAKER_OK: nothing
   differs; SAKER_EWAIT: the two went on to apply different changes meanwhile; SAKER_EUNREACHABLE.
   *moved, when not NULL, is how often a step was asked again since a change came in between. */
SAKER_EXPORT saker_err_t saker_verify_deep (saker_t *self, const char *collection, const char *peer,
                                            int timeout_ms, saker_difference_fn *difference_fn,
                                            void *argument, uint64_t *moved);

/* A member that has not stored all of a log, as far as is known here. */
typedef struct saker_holder_t {
    const char *peer;
    const char *id;   /* of the device, 16 hexadecimal digits */
    const char *why;  /* behind: it has not stored it; unheard: it reported nothing since the daemon
                         started; roster, own: its report does not count before the roster that it
                         had, or its own changes, are here; fork: it has another change;
                         returned: it was restored or cloned and may write as two: nothing is cut
                         until it closes what it was before, once all members were heard and no
                         other process of it shows; closed: it lost a right, or was fenced, at
                         changes that are not here yet: nothing is cut before they are, or an admin
                         states that again */
    uint64_t missing; /* changes that it is not known to have */
    int64_t since_ms; /* 1970, of its last report that counts; 0: none since the daemon started */
    uint64_t changes, bytes; /* of the log that wait for it: from the first that it lacks on */
} saker_holder_t;

/* What the log of a collection holds. */
typedef struct saker_kept_t {
    const char *collection;
    uint64_t changes, bytes;
    uint64_t going, going_bytes; /* of these, changes and bytes that can go now */
    bool estimated;              /* there may be more than was looked at */
    const char *held_by;         /* what keeps the next: "" there is none, "history", "member" */
    int64_t time_ms;             /* 1970, of the next; 0: there is none */
    const saker_holder_t *holders;
    size_t holders_count;
} saker_kept_t;

typedef int saker_kept_fn (const saker_kept_t *kept, void *argument);

/* What went. */
typedef struct saker_gc_t {
    uint64_t changes, bytes;
} saker_gc_t;

/* Cuts what can go from the logs now instead of within some seconds (not with `plan`; waits until
   it is done, else SAKER_ETIMEOUT, and it goes on), and tells what each log holds afterwards. */
SAKER_EXPORT saker_err_t saker_gc (saker_t *self, bool plan, int timeout_ms, saker_gc_t *gone,
                                   saker_kept_fn *kept_fn, void *argument);

/* Makes a one-use ticket with which another machine joins. `role`: relay, read, write or admin.
   `ticket` is a text of at most SAKER_TICKET_MAX bytes with its ending zero. It is a secret. */
#define SAKER_TICKET_MAX 1024
SAKER_EXPORT saker_err_t saker_invite (saker_t *self, const char *role, int64_t expires_ms,
                                       char ticket[SAKER_TICKET_MAX]);

/* Gives a member (by name, or the first digits of its id) another role: none (which revokes it),
   relay, read, write or admin; in one collection, or with NULL in the whole mesh. This device must
   be an admin. What takes a right away counts from what this peer has of the member at this moment:
   what the member wrote until then stands, what it wrote or writes later is taken back on every
   peer, whoever delivers it; and the keys are changed. */
SAKER_EXPORT saker_err_t saker_role (saker_t *self, const char *peer, const char *collection,
                                     const char *role);

/* Fences a member (by name, or the first digits of its id) that is away: nobody waits for it any
   more, and what all others have stored can be cut from the logs. What it wrote and this peer has
   stands; what it wrote beyond is taken back everywhere, and once it is back, it issues that again,
   beside what others wrote since. By an admin; not of an admin. SAKER_EWAIT: another peer has more
   of it. */
SAKER_EXPORT saker_err_t saker_fence (saker_t *self, const char *peer);

/* What this peer carries of the mesh: all collections that it may read, unless its device chose
   some. What is not carried is neither kept nor fetched here, and nobody waits for this peer to
   have it; who reads or writes it here gets SAKER_ENOTCARRIED, and who watches it, nothing. An
   admin's peer carries all. */
typedef struct saker_subscription_t {
    const char *collection; /* its name; '#' and its id where nothing of it was ever here */
    const char *state;      /* "carried"; "fetching": not all of it is here yet, see SAKER_ENOTYET;
                               "empty": carried, and nobody is known to have anything of it;
                               "leaving": kept until an admin's peer has all of it, then dropped;
                               "left" */
    uint64_t changes;       /* that are here */
    const char *holder;     /* an admin's peer that has all that is here; "": none is known to */
    uint64_t holders;       /* members that carry it, this peer included */
} saker_subscription_t;

typedef int saker_subscription_fn (const saker_subscription_t *subscription, void *argument);

/* Lists the collections that are here or were chosen; *rest: are those carried that are not listed,
   as those made later? */
SAKER_EXPORT saker_err_t saker_subscriptions (saker_t *self, bool *rest, saker_subscription_fn *fn,
                                              void *argument);
/* Carries these collections, too; with count 0 all, also those made later. What is not here is
   fetched from now on. `changed` (or NULL): whether it was not so before. */
SAKER_EXPORT saker_err_t saker_subscribe (saker_t *self, const char *const *collections,
                                          size_t count, bool *changed);
/* Carries these no longer; and: carries these alone, none that is made later. First an admin's peer
   must have all that is here of what is left: waits for it, else SAKER_ETIMEOUT, and nothing is
   changed. Then it is stated and lasts; then waits until what was left is dropped here: if that
   does not end in time, SAKER_EWAIT, and it goes on by itself. SAKER_ERIGHT: this device is an
   admin, or may only relay. */
SAKER_EXPORT saker_err_t saker_unsubscribe (saker_t *self, const char *const *collections,
                                            size_t count, int timeout_ms, bool *changed);
SAKER_EXPORT saker_err_t saker_subscribe_only (saker_t *self, const char *const *collections,
                                               size_t count, int timeout_ms, bool *changed);
/* Which documents of a collection this peer carries. All changes of it come and are kept for a
   while as everywhere; but the state, what is read, watched, listed, exported and written, is only
   of documents whose id begins with one of some prefixes. */
typedef struct saker_part_t {
    const char *collection;
    const char *const *prefixes; /* ascending, none begins with another */
    size_t prefixes_count;       /* 0: all of it */
    const char *state; /* "carried"; "fetching": more is wanted than is here, and comes with a
                          snapshot from who has it; "removing": what is not wanted any more is not
                          shown, and is being removed */
} saker_part_t;

typedef int saker_part_fn (const saker_part_t *part, void *argument);

/* Tells of one collection (which need not be here), or with NULL of all that are not carried whole.
   What is borrowed ends with the call. A value other than 0 ends it. */
SAKER_EXPORT saker_err_t saker_carried (saker_t *self, const char *collection,
                                        saker_part_fn *part_fn, void *argument);

/* Carries only documents that begin with one of `count` prefixes (64 at most, 4 KiB in all); with
   count 0 all of the collection. Lasts; takes effect as saker_part_t says. From now on nothing else
   is shown. SAKER_ERIGHT: this device is an admin's, and carries everything. */
SAKER_EXPORT saker_err_t saker_carry (saker_t *self, const char *collection,
                                      const char *const *prefixes, size_t count);

/* A token of what a client has seen of a collection: it takes it along to another peer, so that its
   reads do not go backwards there. A text; secret it is not. Owned by the caller (free ()). */
SAKER_EXPORT saker_err_t saker_seen (saker_t *self, const char *collection, char **token);

/* Waits until this peer has all that the token tells of, change by change. SAKER_ETIMEOUT: not yet,
   and what is missing; SAKER_EFORGED: never, since it is of another branch of a writer than what is
   here; SAKER_ERIGHT: this device may not read the collection; SAKER_ENOTCARRIED: this peer does
   not carry it; SAKER_EINPUT: it is no token, or of another mesh. What was taken back since
   everywhere (a right was taken) is not waited for. */
SAKER_EXPORT saker_err_t saker_wait_seen (saker_t *self, const char *token, int timeout_ms);

/* Makes new keys: whoever may not read now cannot read what is written from then on. By an admin.
   It also happens by itself, every 30 days and whenever a right is taken away. */
SAKER_EXPORT saker_err_t saker_rotate (saker_t *self);

typedef struct saker_key_t {
    const char *collection; /* "": of the whole mesh */
    const char *id;         /* 16 hexadecimal digits: a name, not the key */
    uint64_t generation;    /* the highest seals what is written */
    uint64_t time_ms;       /* when it was stated first */
    const char *author;     /* name of the admin's device */
    bool seals;             /* it is the one that seals what is written now */
} saker_key_t;

typedef int saker_key_fn (const saker_key_t *key, void *argument);
/* The keys that the roster names, oldest first. Not the keys themselves. */
SAKER_EXPORT saker_err_t saker_keys (saker_t *self, saker_key_fn *key_fn, void *argument);
/* Called now and then while something long is done; `done` of `total`, about. A value other than 0
   ends it, with SAKER_EINPUT. */
typedef int saker_progress_fn (uint64_t done, uint64_t total, void *argument);

/* Writes a backup of the store, as of one moment, to the new file `file`, while the daemon and its
   other clients go on. It holds all that is needed to come back: the data, this device's key, its
   settings; it is readable by its owner only and encrypted under the passphrase (8 to 1,024 bytes,
   ended by a zero). SAKER_EEXIST when there is such a file. Nothing is under that name unless all
   of it is on the disk. SAKER_EBUSY: another backup is under way, or too much was written
   meanwhile. `progress_fn` may be NULL. */
SAKER_EXPORT saker_err_t saker_backup (saker_t *self, const char *file, const char *passphrase,
                                       saker_progress_fn *progress_fn, void *argument);

/* ------------------------------------------------------------------------------------------------
   Stores and the daemon. These work on a store that no daemon has open (SAKER_EBUSY), and want its
   folder by name (no NULL). */

/* Founds a mesh called `mesh`: makes the store, with a new device called `device` as its founder.
 */
SAKER_EXPORT saker_err_t saker_init (const char *store, const char *mesh, const char *device);

/* Joins with a ticket: makes the store with a new device, calls the inviting peer and takes its
   roster. Nothing is left behind when it fails. */
SAKER_EXPORT saker_err_t saker_join (const char *store, const char *ticket, const char *device,
                                     int timeout_ms);
/* The same, but the new device carries these collections alone, none that is made later; of each
   all, or only the documents that begin with one of its prefixes (in any order; `state` is not
   looked at). The store is made so: nothing else is fetched at any time. A collection need not be
   there yet, so a mistyped name is no error: saker_subscriptions tells what came of each.
   saker_subscribe and saker_carry change it later. SAKER_ERIGHT: the ticket makes an admin or a
   relay, which carries all; it stays good. */
SAKER_EXPORT saker_err_t saker_join_only (const char *store, const char *ticket, const char *device,
                                          const saker_part_t *parts, size_t count, int timeout_ms);

typedef struct saker_restored_t {
    char mesh[65], device[65]; /* their names */
    uint64_t taken_ms;         /* when the backup was taken; since 1970 */
} saker_restored_t;

/* Makes a store of a backup, in a folder that is missing or empty. The device is the same, but
   writes as a new incarnation, so what it wrote after the backup was taken comes back from other
   peers. SAKER_EFORGED: a wrong passphrase, or the file was altered; SAKER_EDAMAGED: it is cut off;
   SAKER_EEXIST: the folder holds something. The store is there as a whole or not at all. `restored`
   and `progress_fn` may be NULL. */
SAKER_EXPORT saker_err_t saker_restore (const char *store, const char *file, const char *passphrase,
                                        saker_restored_t *restored, saker_progress_fn *progress_fn,
                                        void *argument);

/* Something that is wrong with a store. Borrowed until the call returns. */
typedef struct saker_finding_t {
    const char *code;     /* stays: "record.damaged"; docs/tools.md lists them */
    const char *sentence; /* what is wrong, and where */
    const char *next;     /* what to do */
} saker_finding_t;

typedef int saker_finding_fn (const saker_finding_t *finding, void *argument);

/* Reads all of a store and compares what it holds with itself: the checksum of every record, each
   index with what it indexes, clocks with the log and the cut, the chains of hashes, fingerprints
   and counts. Writes nothing at all; memory is bounded. SAKER_EDAMAGED when something was found. A
   damaged page of LMDB may end the process: call it in one of its own. `progress_fn` may be NULL.
 */
SAKER_EXPORT saker_err_t saker_store_check (const char *store, saker_finding_fn *finding_fn,
                                            saker_progress_fn *progress_fn, void *argument);

/* Does a folder lie on a network filesystem, where no store may be, since what was said to be
   written there may be lost? Its name, "NFS", ends by a zero; "" on a disk of this machine.
   SAKER_ENOTFOUND when there is no such folder. */
#define SAKER_NETWORK_MAX 64
SAKER_EXPORT saker_err_t saker_store_network (const char *folder, char name[SAKER_NETWORK_MAX]);

/* One thing that a store holds, as a JSON object on one line, without a newline. */
typedef int saker_dump_fn (const char *json, size_t size, void *argument);

/* Hands over what a store holds, secrets left out: the roster's statements, each collection with
   its clock, cut and fingerprint, its documents with every value (rivals too) and who wrote it, the
   log, and receipts; of one collection, or with NULL of all; of one document of it, or with NULL of
   all. Writes nothing; memory is bounded. What is damaged is handed over as
   {"kind":"damaged",...}; then it ends with SAKER_EDAMAGED. SAKER_ENOTFOUND: no such collection or
   document. */
SAKER_EXPORT saker_err_t saker_store_dump (const char *store, const char *collection,
                                           const char *document, saker_dump_fn *dump_fn,
                                           void *argument);

/* A configuration with default settings. Owned by the caller. */
SAKER_EXPORT saker_config_t *saker_config_new (void);
SAKER_EXPORT void saker_config_destroy (saker_config_t **self_p);

/* A key that belongs to the program and not to the library. `set` takes one value, or writes one
   sentence about what is wrong with it and what to do instead. */
#define SAKER_SENTENCE_MAX 512
typedef struct saker_config_key_t {
    const char *name;
    saker_err_t (*set) (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX]);
} saker_config_key_t;

/* Makes the program's own keys known, before anything is set or loaded. They are handed over as
   they are met, even where the file turns out wrong further down. Borrowed as long as the config
   is. */
SAKER_EXPORT void saker_config_keys (saker_config_t *self, const saker_config_key_t *keys,
                                     size_t count, void *argument);

/* Sets one key, as a line of the file does. The error names the key.

     listen       tcp://ADDR:PORT that others reach this peer at; port 0: any free one; none: it
                  calls others, and nobody can call it
     seed         tcp://ADDR:PORT of a peer to call; may be given several times
     interface    name of a network interface to send beacons on; may be given several times
     beacon       yes or no: find peers on the local network
     beacon-port  UDP port of the beacons
     log-level    error, warning, info or debug
     history      how long changes are kept that all members have stored: 30d, 12h; 0: not at all
     horizon      for how long an admin's peer waits for a member that is away, before it fences it:
                  30d (the default); 0: for ever
     history-size how large the log may be, at most, of what all have stored: 1G, 200M; 0: any size
     fold-counters  yes or no: add up the increments of a writer whose changes all have let go. Not
                  where a store may be restored from a backup, or a member be let in again
 */
SAKER_EXPORT saker_err_t saker_config_set (saker_config_t *self, const char *key,
                                           const char *value);

/* Reads a file of `key = value` lines. The error names the file and the line; nothing is changed
   unless all of it is right. */
SAKER_EXPORT saker_err_t saker_config_load (saker_config_t *self, const char *file);

/* Hands over every setting, as saker_config_set takes it; listen, beacon and beacon-port first,
   seed and interface as often as they are set; then the program's own, as they were set. Borrowed
   until the call returns. A value other than 0 ends it. */
typedef int saker_setting_fn (const char *key, const char *value, void *argument);
SAKER_EXPORT void saker_config_each (const saker_config_t *self, saker_setting_fn *setting_fn,
                                     void *argument);

/* Called once a wrong line, with the sentence about it; borrowed until it returns. */
typedef void saker_problem_fn (unsigned line, const char *sentence, void *argument);

/* Reads a file as saker_config_load does and hands over every wrong line, in order, instead of
   stopping at the first; the config keeps what was right. SAKER_EINPUT when there was a wrong one;
   otherwise what reading the file gave. */
SAKER_EXPORT saker_err_t saker_config_check (saker_config_t *self, const char *file,
                                             saker_problem_fn *problem_fn, void *argument);

/* The level up to which the config wants to be told. */
SAKER_EXPORT int saker_config_log_level (const saker_config_t *self);

typedef struct saker_daemon_t saker_daemon_t;

/* Opens the store, binds the sockets. When it returns, the daemon can be reached.
   Takes what it needs from the config. Owned by the caller. Nothing of the process is changed: a
   program that is a daemon raises its limit of descriptors, and forbids core files, itself. */
SAKER_EXPORT saker_err_t saker_daemon_new (saker_daemon_t **self_p, const char *store,
                                           const saker_config_t *config, saker_log_fn *log_fn,
                                           void *argument);

/* Runs until saker_daemon_stop. */
SAKER_EXPORT saker_err_t saker_daemon_run (saker_daemon_t *self);

/* May be called from a signal handler. */
SAKER_EXPORT void saker_daemon_stop (saker_daemon_t *self);

/* Hands a running daemon a new configuration: seeds, beacon and log level change at once, others at
   the next start (the answer names them). Thread: the one in saker_daemon_run, between rounds, by
   way of saker_daemon_on_reload. */
typedef saker_err_t saker_reload_fn (saker_config_t *fresh, void *argument);

/* `reload_fn` fills a fresh config when saker_daemon_reload was called (from a signal handler). */
SAKER_EXPORT void saker_daemon_on_reload (saker_daemon_t *self, saker_reload_fn *reload_fn,
                                          void *argument);
SAKER_EXPORT void saker_daemon_reload (saker_daemon_t *self);

/* The address that the daemon listens on, tcp://ADDR:PORT, or "none". Borrowed until it is
   destroyed. */
SAKER_EXPORT const char *saker_daemon_address (const saker_daemon_t *self);

SAKER_EXPORT void saker_daemon_destroy (saker_daemon_t **self_p);

#ifdef __cplusplus
}
#endif

#endif
