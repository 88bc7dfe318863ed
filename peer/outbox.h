/* Outbox: batches of a client that no daemon has acknowledged yet, durable, in a folder of the
   application's own. The folder is a store (store.h) with other records than a replica's: keyed
   checksums, one process at a time, growth and a full disk are as there.

     SKR_META   "outbox"   -> format u8
                "tried"    -> up to u64, since u64 (ms), writer 16
     SKR_LOG    number u64 -> batch that waits
     SKR_ASIDE  number u64 -> batch that was refused

     batch = CBOR [time, collection, count, intents, operation id, note, error, sentence]

   A batch that is damaged when the folder is opened goes aside with SAKER_EDAMAGED, and those
   before and behind it are as they were: of it is kept what can be read, or, where it is not in
   form any more, its bytes in place of the intents, with a count of 0. It is never sent.

   Numbers ascend and are never given twice. Whether a batch that was sent was written is not known
   until its receipt has come, so before one is sent for the first time it is noted, durably, that
   all up to its number may have been written from now on, and by which writer (`tried`). */

#ifndef SKR_PEER_OUTBOX_H_INCLUDED
#define SKR_PEER_OUTBOX_H_INCLUDED

#include "crdt/bytes.h"
#include "peer/world.h"

#define SKR_OUTBOX_FORMAT 1
#define SKR_OUTBOX_BYTES_DEFAULT (64ull << 20)

/* A batch. What it borrows: see the call that hands it out. */
typedef struct skr_parcel_t {
    uint64_t number;  /* 0: not put yet */
    uint64_t time_ms; /* when it was put; since 1970 */
    skr_span_t collection;
    uint64_t intents_count;
    skr_span_t intents; /* encoded, see api_internal.h */
    skr_span_t operation_id;
    skr_span_t note;     /* 16 bytes; empty: none */
    saker_err_t error;   /* SAKER_OK: it waits; else why it was refused */
    skr_span_t sentence; /* about that */
    uint64_t bytes;      /* of its record */
} skr_parcel_t;

/* What may have been written already: all up to a number. */
typedef struct skr_tried_t {
    uint64_t up_to;    /* 0: nothing */
    uint64_t since_ms; /* 1970, when the first of them was about to be sent */
    uint8_t writer[16];
} skr_tried_t;

typedef struct skr_outbox_count_t {
    uint64_t batches, bytes;
} skr_outbox_count_t;

typedef struct skr_outbox_t skr_outbox_t;

/* Opens the folder, or makes it (0700) when it is missing or empty. SAKER_EBUSY: another process,
   or this one, has it open. SAKER_EEXIST: it holds something else. Owned by the caller. */
saker_err_t skr_outbox_open (skr_outbox_t **self_p, const char *folder, uint64_t bytes_max,
                             const skr_world_t *world) SKR_MUST_USE;
void skr_outbox_close (skr_outbox_t **self_p);
/* In a forked child: lets go of memory and descriptor, and leaves the parent's map alone. */
void skr_outbox_abandon (skr_outbox_t **self_p);

/* Puts a batch at the end: on the disk when it returns. Number, time and bytes are set.
   SAKER_ELIMIT when the outbox is full, SAKER_EFULL when the disk is. */
saker_err_t skr_outbox_put (skr_outbox_t *self, skr_parcel_t *parcel) SKR_MUST_USE;
/* The first with a higher number, of those that wait or of those that were refused. It borrows from
   `buf`, which is overwritten. SAKER_ENOTFOUND, without a sentence. */
saker_err_t skr_outbox_next (skr_outbox_t *self, bool refused, uint64_t after, skr_buf_t *buf,
                             skr_parcel_t *parcel) SKR_MUST_USE;
/* The one with this number. SAKER_ENOTFOUND. */
saker_err_t skr_outbox_get (skr_outbox_t *self, uint64_t number, skr_buf_t *buf,
                            skr_parcel_t *parcel) SKR_MUST_USE;
const skr_tried_t *skr_outbox_tried (const skr_outbox_t *self);
const skr_outbox_count_t *skr_outbox_count (const skr_outbox_t *self, bool refused);
uint64_t skr_outbox_bytes_max (const skr_outbox_t *self);
/* The highest number of those that wait; 0: none does. */
uint64_t skr_outbox_last (const skr_outbox_t *self);

/* Several steps at once: begin, any of the following, commit. An error of any step ends the group
   without effect. */
saker_err_t skr_outbox_begin (skr_outbox_t *self) SKR_MUST_USE;
saker_err_t skr_outbox_try (skr_outbox_t *self, const skr_tried_t *tried) SKR_MUST_USE;
/* SAKER_ENOTFOUND. */
saker_err_t skr_outbox_remove (skr_outbox_t *self, uint64_t number) SKR_MUST_USE;
/* Of one that waits. */
saker_err_t skr_outbox_refuse (skr_outbox_t *self, uint64_t number, saker_err_t error,
                               const char *sentence) SKR_MUST_USE;
/* Puts one that was refused at the end again, under a new number: as one that was never sent.
   SAKER_EDAMAGED: one that was damaged, and is not known to be what was put. */
saker_err_t skr_outbox_again (skr_outbox_t *self, uint64_t number) SKR_MUST_USE;
saker_err_t skr_outbox_commit (skr_outbox_t *self) SKR_MUST_USE;

#endif
