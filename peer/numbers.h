/* Numbers: the small local numbers of writers and documents. They are given in order of arrival, so
   that keys made of them are mostly appended (design 6), start at 1, and never leave the store. */

#ifndef SKR_PEER_NUMBERS_H_INCLUDED
#define SKR_PEER_NUMBERS_H_INCLUDED

#include "crdt/bytes.h"
#include "peer/store.h"

/* The number of a writer, made on first use (SKR_GROUP), or SAKER_ENOTFOUND (SKR_COMMITTED). */
saker_err_t skr_store_writer_no (skr_store_t *store, skr_sight_t sight, const skr_id_t *writer,
                                 uint32_t *no) SKR_MUST_USE;
saker_err_t skr_store_writer_id (skr_store_t *store, skr_sight_t sight, uint32_t no,
                                 skr_id_t *writer) SKR_MUST_USE;

/* A document has a number as long as it has entries: skr_cells_store_t makes it with the first and
   drops it with the last. SAKER_ENOTFOUND. */
saker_err_t skr_store_document_no (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                   skr_span_t document, uint64_t *no) SKR_MUST_USE;
/* Borrowed as by skr_store_get. SAKER_EDAMAGED when it has no id. */
saker_err_t skr_store_document_id (skr_store_t *store, skr_sight_t sight, uint32_t collection_no,
                                   uint64_t no, skr_span_t *document) SKR_MUST_USE;
/* The highest number of a collection's documents, 0 when it has none; and a new one after `last`,
   which is that or higher. */
saker_err_t skr_store_document_last (skr_store_t *store, uint32_t collection_no,
                                     uint64_t *no) SKR_MUST_USE;
saker_err_t skr_store_document_make (skr_store_t *store, uint32_t collection_no,
                                     skr_span_t document, uint64_t last, uint64_t *no) SKR_MUST_USE;
saker_err_t skr_store_document_drop (skr_store_t *store, uint32_t collection_no,
                                     skr_span_t document, uint64_t no) SKR_MUST_USE;

/* Writers' numbers in memory, both ways. Starts as all zeros; cleared after an abort, which takes
   numbers back. */
typedef struct skr_writer_cache_t {
    skr_id_t *ids; /* by number; all zeros: not known */
    size_t ids_size;
    uint32_t *slots;   /* hash table of numbers, by id; 0: free */
    size_t slots_size; /* a power of two, at most half full */
    size_t count;
    uint32_t recent; /* that was asked for last; 0: none */
} skr_writer_cache_t;

/* As skr_store_writer_no and skr_store_writer_id. */
saker_err_t skr_writer_cache_no (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                 const skr_id_t *writer, uint32_t *no) SKR_MUST_USE;
saker_err_t skr_writer_cache_id (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                 uint32_t no, skr_id_t *writer) SKR_MUST_USE;
/* 0: the store does not know it, and does not learn it. */
saker_err_t skr_writer_cache_find (skr_writer_cache_t *self, skr_store_t *store, skr_sight_t sight,
                                   const skr_id_t *writer, uint32_t *no) SKR_MUST_USE;
void skr_writer_cache_clear (skr_writer_cache_t *self);

#endif
