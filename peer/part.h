/* Part: which documents of a collection are meant: all of it, or those whose id begins with one of
   some prefixes.

   A part of all zeros is the whole. Else its prefixes ascend, and none begins with another, so one
   part has one form. There may be none: then nothing is meant. */

#ifndef SKR_PEER_PART_H_INCLUDED
#define SKR_PEER_PART_H_INCLUDED

#include "crdt/cbor.h"
#include "crdt/cells.h"

#define SKR_PART_PREFIXES_MAX 64
#define SKR_PART_BYTES_MAX                                                                         \
    4096 /* of all prefixes, each with a byte for its size: beats tell them */
#define SKR_PART_WORDS_BYTES 256

typedef struct skr_part_t {
    bool partial;
    skr_buf_t prefixes; /* each after its size in a byte */
    size_t count;
} skr_part_t;

/* What the documents of a part add up to. */
typedef struct skr_part_sum_t {
    bool any; /* else nobody told */
    skr_part_t part;
    skr_fingerprint_t fingerprint;
    uint64_t documents;
    uint64_t entries; /* how many were added up; nobody is told */
} skr_part_sum_t;

void skr_part_free (skr_part_t *self);
/* SAKER_ENOMEM. */
saker_err_t skr_part_copy (skr_part_t *to, const skr_part_t *from) SKR_MUST_USE;
/* A part of nothing, to be added to. */
void skr_part_nothing (skr_part_t *self);
/* Means also the documents that begin with this; with an empty prefix, all. SAKER_EINPUT: it is no
   beginning of a document id; SAKER_ELIMIT. */
saker_err_t skr_part_add (skr_part_t *self, skr_span_t prefix) SKR_MUST_USE;

/* Is the document meant? Cheaper than to look its number up: by its name, with each prefix. The
   part is a skr_part_t, so that crdt/apply can ask. */
bool skr_part_holds (const void *part, skr_span_t document);
bool skr_part_equal (const skr_part_t *one, const skr_part_t *other);
/* Does it mean all that the other does? */
bool skr_part_covers (const skr_part_t *self, const skr_part_t *other);
/* What both mean, into a part of all zeros. */
saker_err_t skr_part_meet (skr_part_t *meet, const skr_part_t *one,
                           const skr_part_t *other) SKR_MUST_USE;
/* Visits the prefixes, ascending; of the whole one that is empty. An error of the visit ends it. */
typedef saker_err_t skr_prefix_fn (skr_span_t prefix, void *argument);
saker_err_t skr_part_each (const skr_part_t *self, skr_prefix_fn *visit,
                           void *argument) SKR_MUST_USE;

/* An array of texts; the whole is [""]. */
void skr_part_put (skr_buf_t *buf, const skr_part_t *self);
/* Reads one into a part of all zeros, in the one form that it has; sticky errors. Free it in any
   case. */
void skr_part_get (skr_cbor_t *cbor, skr_part_t *self);
/* For a sentence: "sq010, sq020 and 3 more". */
const char *skr_part_words (const skr_part_t *self, char words[SKR_PART_WORDS_BYTES]);

#endif
