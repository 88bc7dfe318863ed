/* Clocks (version vectors) and dots. */

#ifndef SKR_CRDT_CLOCK_H_INCLUDED
#define SKR_CRDT_CLOCK_H_INCLUDED

#include "crdt/cbor.h"

/* Names one operation of one change. */
typedef struct skr_dot_t {
    skr_id_t writer;
    uint64_t seq;
    uint32_t index;
} skr_dot_t;

/* Order by writer, seq, index. */
int skr_dot_compare (const skr_dot_t *one, const skr_dot_t *other);

typedef struct skr_tick_t {
    skr_id_t writer;
    uint64_t seq; /* never 0 */
} skr_tick_t;

/* A map writer -> highest seq applied without gaps; sorted by writer. Starts as all zeros. */
typedef struct skr_clock_t {
    skr_tick_t *ticks;
    size_t count;
    size_t capacity;
} skr_clock_t;

#define SKR_CLOCK_WRITERS_MAX 65536

uint64_t skr_clock_get (const skr_clock_t *self, const skr_id_t *writer);
/* Sets an entry, also downwards; seq 0 removes it. SAKER_ENOMEM, SAKER_ELIMIT. */
saker_err_t skr_clock_set (skr_clock_t *self, const skr_id_t *writer, uint64_t seq) SKR_MUST_USE;
/* Raises an entry to seq when it is lower. */
saker_err_t skr_clock_raise (skr_clock_t *self, const skr_id_t *writer, uint64_t seq) SKR_MUST_USE;
saker_err_t skr_clock_merge (skr_clock_t *self, const skr_clock_t *other) SKR_MUST_USE;
saker_err_t skr_clock_copy (skr_clock_t *self, const skr_clock_t *other) SKR_MUST_USE;
/* Is every entry of other <= ours? */
bool skr_clock_covers (const skr_clock_t *self, const skr_clock_t *other);
bool skr_clock_equal (const skr_clock_t *self, const skr_clock_t *other);
/* Sum over all writers of what other lacks of ours; UINT64_MAX when it is more than that. */
uint64_t skr_clock_missing (const skr_clock_t *self, const skr_clock_t *other);
/* First 8 bytes of BLAKE2b over the entries (writer, seq in 8 bytes): equal clocks, equal digests.
   0 only when empty. */
uint64_t skr_clock_digest (const skr_clock_t *self);
/* As [* [bstr .size 16, uint]], ascending. */
void skr_clock_put (skr_buf_t *buf, const skr_clock_t *self);
/* Replaces self; SAKER_EINPUT through the reader's sticky error. At most count_max entries. */
saker_err_t skr_clock_read (skr_cbor_t *cbor, skr_clock_t *self, size_t count_max) SKR_MUST_USE;
void skr_clock_free (skr_clock_t *self);

#endif
