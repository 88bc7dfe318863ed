/* Cells: the live entries of one collection, behind an interface, so that the same merge runs over
   a store, a simulator's disk, or a test's memory. */

#ifndef SKR_CRDT_CELLS_H_INCLUDED
#define SKR_CRDT_CELLS_H_INCLUDED

#include "crdt/clock.h"
#include "crdt/path.h"

/* One live dot. Borrows address and value. */
typedef struct skr_entry_t {
    skr_dot_t dot;
    uint64_t hlc;
    skr_span_t address; /* see path.h */
    skr_span_t value;   /* encoded: register the value, counter the amount (or, of several, see
                           fold.h), member null (it is in
                           the address), map null, statement its argument */
} skr_entry_t;

/* An error ends the scan and is returned by it. The entry is borrowed until the visit returns. */
typedef saker_err_t skr_visit_fn (const skr_entry_t *entry, void *argument);

typedef struct skr_cells_t {
    void *context;
    /* Visits every entry of the document whose address starts with the prefix, in order of
       address, then of anything that is the same for the same store. Nothing changes meanwhile. */
    saker_err_t (*scan) (void *context, skr_span_t document, skr_span_t prefix, skr_visit_fn *visit,
                         void *argument);
    /* The same, for who looks only for entries that are not above these dots, one a writer: what is
       of other writers, or above, may be left out. NULL: there is no faster way than scan. */
    saker_err_t (*scan_within) (void *context, skr_span_t document, skr_span_t prefix,
                                const skr_dot_t *bounds, size_t bounds_count, skr_visit_fn *visit,
                                void *argument);
    /* Adds an entry whose dot is not there. */
    saker_err_t (*put) (void *context, skr_span_t document, const skr_entry_t *entry);
    /* Removes the entry with this dot and address, which is there. */
    saker_err_t (*remove) (void *context, skr_span_t document, const skr_entry_t *entry);
    /* Removes one and adds another with its address and writer. NULL: no faster than both. */
    saker_err_t (*replace) (void *context, skr_span_t document, const skr_entry_t *old,
                            const skr_entry_t *entry);
} skr_cells_t;

/* 128-bit sum over all live entries, modulo 2^128 (design 5). Starts as all zeros. */
typedef struct skr_fingerprint_t {
    uint64_t low;
    uint64_t high;
} skr_fingerprint_t;

/* Hash of one entry: BLAKE2b-128 over collection id, dot, hlc, document, address and value, each
   variable part preceded by its size: for most entries one block. */
skr_fingerprint_t skr_fingerprint_of (const skr_id_t *collection, skr_span_t document,
                                      const skr_entry_t *entry);
void skr_fingerprint_plus (skr_fingerprint_t *self, const skr_fingerprint_t *hash);
void skr_fingerprint_minus (skr_fingerprint_t *self, const skr_fingerprint_t *hash);
void skr_fingerprint_add (skr_fingerprint_t *self, const skr_id_t *collection, skr_span_t document,
                          const skr_entry_t *entry);
void skr_fingerprint_remove (skr_fingerprint_t *self, const skr_id_t *collection,
                             skr_span_t document, const skr_entry_t *entry);
bool skr_fingerprint_equal (const skr_fingerprint_t *one, const skr_fingerprint_t *other);
/* 16 bytes, big-endian. */
void skr_fingerprint_bytes (const skr_fingerprint_t *self, uint8_t bytes[16]);
void skr_fingerprint_from_bytes (skr_fingerprint_t *self, const uint8_t bytes[16]);

#endif
